"""``synthcli sample``: check a generator's files, load it, write any number of rows in constant memory, remember them.

Rows are drawn freely, under conditions (``--where``), or around the cells of a table that is to be completed
(``--given``). Beside the table goes its lineage; a sketch of the rows stays in the output directory, so that they are
recognised if they come back as real data.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer

from synthcli import remote
from synthcli.commands.completing import conditions, generators
from synthcli.commands.running import Outcome, Run, Workers, command
from synthcli.remote import shown

if TYPE_CHECKING:
    import polars as pl

    from synthcli.commands.drawing import Asked
    from synthcli.commands.matches import Matches
    from synthcli.commands.provenance import Emission
    from synthcli.commands.rehearsing import Play
    from synthcli.commands.sharding import Folder, Prefix, Shard, State
    from synthcli.config import Config
    from synthcli.config import Format as FormatName
    from synthcli.lineage import Lineage
    from synthcli.progress import Phase
    from synthcli.registry import Version
    from synthcli.schema import Schema


class Format(StrEnum):
    """File format of the synthetic table."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


@command
def sample(
    run: Run,
    rows: Annotated[
        int | None, typer.Option("-n", "--rows", help="Rows to draw (default: as many as were learned from).")
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(
            help="Alias, version number or folder (default: champion, else latest).", autocompletion=generators
        ),
    ] = None,
    format: Annotated[Format | None, typer.Option(help="File format (default: by suffix, else parquet).")] = None,
    output: Annotated[
        str | None, typer.Option(metavar="FILE|DIR|-", help="Where to write; - is stdout (CSV by default).")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[COUNT:]COL=VALUE[,COL=VALUE]",
            help="What holds for all rows, or for COUNT of them.",
            autocompletion=conditions,
        ),
    ] = None,
    given: Annotated[
        str | None, typer.Option(metavar="FILE", help="Table whose empty cells and missing columns are filled.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Write the rows that can be made where others cannot.")
    ] = False,
    escape_formulas: Annotated[
        bool, typer.Option("--escape-formulas", help="CSV: put ' before text that a spreadsheet would compute.")
    ] = False,
    shards: Annotated[
        int | None, typer.Option(min=1, help="Write a folder of so many Parquet files, drawn side by side.")
    ] = None,
    workers: Workers = None,
) -> Outcome:
    """Draw synthetic rows from a fitted generator."""
    from synthcli.commands.plays import sample_play
    from synthcli.executors import as_workers
    from synthcli.registry import resolve, verify

    _check_options(run, output, rows, where, given)
    _check_shards(shards, workers, output, format, given)
    _check_escaping(escape_formulas, "parquet" if shards else None)
    settings = run.settings(
        sample__rows=rows,
        sample__seed=run.seed,
        sample__format="parquet" if shards else format.value if format else None,
        sample__escape_formulas=escape_formulas or None,
        run__workers=as_workers(workers),
    )
    out = Path(settings.run.output_dir)
    version = resolve(out, generator)
    verify(version)
    _warn_of_strangers(run, version, out)
    _check_rejection(settings, version)
    if shards:
        return _data_set(run, settings, out, version, shards, output, rows, where or [], partial)
    seed = _seed(settings)
    target, chosen = _target(output, format is not None, settings, out)
    _check_escaping(escape_formulas, chosen)
    _spare_inputs(target, settings, out, given)
    schema = _schema(version)
    asked = (
        _given(run, settings, schema, given, chosen)
        if given is not None
        else _conditions(run, settings, schema, rows, where or [], int(version.manifest.train["rows"]))
    )
    if run.dry_run:
        first = None
        for chunk in asked.chunks if given is not None else ():  # looks at every given cell
            first = chunk.given if first is None else first
        play = sample_play(out, version, asked, target, chosen, where=where or [], given=first, partial=partial)
        return _planned(run, settings, play, {**_told_of(version, seed, chosen), "rows": asked.rows}, target)
    result, wrote = _emitted(run, settings, out, version, asked, seed, target, chosen, partial)
    ended = _outcome(run, out, result, wrote, target is None)
    return ended if target is None else replace(ended, records=drawn_records(out, wrote))


def _planned(run: Run, settings: Config, play: Play, told: dict[str, Any], target: Path | str | None) -> Outcome:
    from synthcli.commands.rehearsing import planned

    where = {} if target is None else {"synthetic": shown(target) if isinstance(target, str) else target}
    would = {"would draw from": f"{told['kind']}, version {told['version']:04d}", "seed": f"{told['seed']}"}
    return planned(run, settings, play, would, told, where)


def _data_set(
    run: Run,
    settings: Config,
    out: Path,
    version: Version,
    count: int,
    output: str | None,
    rows: int | None,
    where: list[str],
    partial: bool,
) -> Outcome:
    """Draw a data set of ``count`` shards; what an earlier run left complete of the same one is kept."""
    from synthcli.commands.drawing import CHUNK
    from synthcli.commands.plays import sample_play
    from synthcli.commands.recording import is_recorded
    from synthcli.commands.sharding import Folder, Prefix, State, divided, part_name, plan_of
    from synthcli.errors import UsageError
    from synthcli.executors import at_most, chosen, counted
    from synthcli.registry import lock

    target = _folder(output, out)
    _spare_inputs(target, settings, out, None, folder=True)
    named = target if isinstance(target, str) else target.resolve()
    mark = hashlib.sha256(f"{out.resolve()}\n{named}".encode()).hexdigest()[:12]
    place = Prefix(target) if isinstance(target, str) else Folder.at(target, mark)
    state = State(out / "synthetic" / f".shards-{mark}")
    place.check()
    asked = _conditions(run, settings, _schema(version), rows, where, int(version.manifest.train["rows"]))
    if count > asked.rows:
        raise UsageError(
            f"--shards {count:,}: more shards than the {asked.rows:,} rows", f"take at most --shards {asked.rows}"
        )
    plan = plan_of(settings, version, asked, count, CHUNK, partial)
    if run.dry_run:
        names = [part_name(number, count) for number in range(count)]
        play = sample_play(
            out, version, asked, target, "parquet", where=where, given=None, partial=partial, parts=names,
            workers=counted(at_most(chosen(settings.run.workers), count)),
        )  # fmt: skip
        told = {**_told_of(version, _seed(settings), "parquet"), "rows": asked.rows, "shards": count}
        return _planned(run, settings, play, told, target)
    with lock(state.folder.parent):
        place.restore()
        before = state.begun() or {}
        known = before.get("plan") == plan
        unsaid = known and settings.sample.seed is None  # then that of the run that goes on
        seed = int(before["seed"]) if unsaid else _seed(settings)
        goes_on = known and before["seed"] == seed and place.begun()
        begun = None if goes_on else {"plan": plan, "seed": seed}
        wanted = divided(asked.rows, count, CHUNK)
        result, wrote = _in_shards(run, settings, out, version, asked, seed, place, state, wanted, partial, begun)
    ended = _outcome(run, out, result, {"synthetic": shown(target), **wrote}, False)
    names = [part_name(shard.number, len(wanted)) for shard in wanted]
    if isinstance(target, Path) and is_recorded(target, out, shards=True):
        return replace(ended, records={target: [target / name for name in names]})
    return ended


def drawn_records(out: Path, wrote: Mapping[str, Path | str]) -> dict[Path, list[Path | str]]:
    """Return what tells of one synthetic table; one that lies elsewhere has none, as a person's own folder."""
    from synthcli.commands.recording import is_recorded

    table = wrote["synthetic"]
    return {out / "synthetic": [table, wrote["lineage"]]} if is_recorded(table, out) else {}


def _in_shards(
    run: Run,
    settings: Config,
    out: Path,
    version: Version,
    asked: Asked,
    seed: int,
    place: Folder | Prefix,
    state: State,
    wanted: Sequence[Shard],
    partial: bool,
    begun: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Draw the shards that are missing, put the data set into place, and keep the sketch of its rows.

    ``begun`` is put on record by a run that begins anew, when everything that it needs is at hand: on a store that
    removes the older data set.
    """
    from synthcli.commands.drawing import CHUNK, lacking
    from synthcli.commands.provenance import Emission, emission_sketch, sample_lineage, training_file
    from synthcli.commands.sharding import Job, calls, missing, part_name, together
    from synthcli.executors import at_most, chosen, each_done, executor
    from synthcli.lineage import joined_sha256
    from synthcli.sketches import write as write_sketch

    schema, lineage = _schema(version), sample_lineage(version, seed)
    matches = _matches(run, settings, version, schema, "parquet")
    names = [part_name(shard.number, len(wanted)) for shard in wanted]
    workers = at_most(chosen(settings.run.workers), len(wanted))
    with run.log.phase("sample") as phase, _tidied(place), executor(workers) as pool:
        if begun is not None:
            state.end()  # first: a run that is killed in between begins anew
            place.begin()
            state.begin(begun)
        once = state.remember(matches.once) if matches is not None else None
        folder, tries = version.folder.resolve(), settings.sample.max_tries
        job = Job(folder, version.manifest.fingerprint, asked.groups, CHUNK, seed, tries, partial, place.work,
                  lineage.metadata(), once)  # fmt: skip
        found, left = missing(state, place, wanted)
        kept = len(found)
        if found:
            run.log.info(f"{kept:,} of {len(wanted):,} shards were complete already")
        told = _shards_told(phase, wanted, left)
        for shard, (path, done) in each_done(pool, calls(job, left), called=lambda shard: _called(shard, names)):
            place.take(path, names[shard.number], lineage, done)
            state.keep(names[shard.number], done)
            found[shard.number] = done
            told(shard)
    drawn = [found[shard.number] for shard in wanted]
    emission = Emission(schema, "parquet", together(drawn, asked, matches), sum(each.rows for each in drawn))
    with run.log.phase("sketch"):
        digest = joined_sha256([each.sha256 for each in drawn])
        learned_from = training_file(run, settings, version, emission, out)
        kept_sketch = emission_sketch(out, emission, digest, lineage.depth, learned_from)
        sketch = write_sketch(out / "sketches", kept_sketch)
    place.finish(names)
    state.end()
    if not asked.account.complete:
        run.log.warn(lacking(asked, matches, tries))
    repeats = {"training_matches": matches.result()} if matches is not None else {}
    result = {**_told_of(version, seed, "parquet"), "rows": emission.rows, "shards": len(wanted), "kept": kept}
    return {**result, **asked.result(), **repeats}, {"sketch": sketch}


@contextmanager
def _tidied(place: Folder | Prefix) -> Iterator[None]:
    """Remove the halves of shards that are left where the block is left by an exception, when its workers are gone."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what went wrong is what is told
            place.tidy()
        raise


def _folder(output: str | None, out: Path) -> Path | str:
    """Return where the shards go: a folder, or the URL of one."""
    if output is None:
        return out / "synthetic" / "shards"
    output = remote.plain(output)
    return output.rstrip("/") if remote.is_url(output) else Path(output)


def _called(shard: Shard, names: Sequence[str]) -> str:
    return f"shard {shard.number} ({names[shard.number]}, {shard.rows:,} rows)"


def _shards_told(phase: Phase, wanted: Sequence[Shard], left: Sequence[Shard]) -> Callable[[Shard], None]:
    """Return what is told of each shard that is done, and tells how many are, and how fast."""
    started, done, rows = time.monotonic(), len(wanted) - len(left), 0

    def tell(shard: Shard) -> None:
        nonlocal done, rows
        done, rows = done + 1, rows + shard.rows
        speed = rows / max(time.monotonic() - started, 1e-3)
        phase.update(done / len(wanted), f"{done:,} of {len(wanted):,} shards, {speed:,.0f} rows/s")

    return tell


def drawn_anew(run: Run, settings: Config, out: Path, version: Version) -> tuple[dict[str, Any], dict[str, Path | str]]:
    """Write the table that ``sample`` without options writes; return its result and the files by name."""
    from synthcli.registry import verify

    verify(version)
    _check_rejection(settings, version)
    target, chosen = _target(None, False, settings, out)
    _spare_inputs(target, settings, out, None)
    asked = _conditions(run, settings, _schema(version), None, [], int(version.manifest.train["rows"]))
    return _emitted(run, settings, out, version, asked, _seed(settings), target, chosen, False)


def _seed(settings: Config) -> int:
    from synthcli.seeds import fresh_seed

    return settings.sample.seed if settings.sample.seed is not None else fresh_seed()


def _told_of(version: Version, seed: int, chosen: FormatName) -> dict[str, Any]:
    return {"version": version.number, "kind": version.manifest.kind, "seed": seed, "format": chosen}


def _emitted(
    run: Run,
    settings: Config,
    out: Path,
    version: Version,
    asked: Asked,
    seed: int,
    target: Path | str | None,
    chosen: FormatName,
    partial: bool,
) -> tuple[dict[str, Any], dict[str, Path | str]]:
    """Draw the rows, write them with their lineage, and keep their sketch; the version's files have been verified."""
    from synthcli.commands.drawing import drawn, lacking
    from synthcli.commands.provenance import (
        Emission,
        emission_sketch,
        sample_lineage,
        training_file,
        warn_of_formulas,
    )
    from synthcli.sketches import write as write_sketch
    from synthcli.synthesizers.assembly import TableGenerator
    from synthcli.tables.write import with_formulas_escaped

    matches = _matches(run, settings, version, _schema(version), chosen)
    with run.log.phase("load"):
        model = TableGenerator.load(version.folder)
    emission = Emission(with_formulas_escaped(model.schema, settings.sample.escape_formulas), chosen)
    lineage = sample_lineage(version, seed)

    def keep(digest: str) -> Path:
        learned_from = training_file(run, settings, version, emission, out)
        kept = emission_sketch(out, emission, digest, lineage.depth, learned_from)
        return write_sketch(out / "sketches", kept)

    tries = settings.sample.max_tries
    with run.log.phase("sample") as phase:
        rows = drawn(model, asked, matches, seed, tries, partial)
        wrote = _write(emission.noted(_told(rows, asked, phase)), emission, lineage, target, keep)
    warn_of_formulas(run, emission.formulas, "--escape-formulas")
    if not asked.account.complete:
        run.log.warn(lacking(asked, matches, tries))
    found = {"training_matches": matches.result()} if matches is not None else {}
    result = {**_told_of(version, seed, chosen), "rows": emission.rows, **asked.result(), **found}
    return result, wrote


def _check_options(run: Run, output: str | None, rows: int | None, where: list[str] | None, given: str | None) -> None:
    """Raise ``UsageError`` for options that exclude each other."""
    from synthcli.errors import UsageError

    if output == "-" and run.json:
        raise UsageError("--output - and --json both want stdout", "write the rows to a file, or leave --json out")
    if given is not None and rows is not None:
        raise UsageError("-n and --given exclude each other: a table has its own number of rows", "leave -n out")
    if given is not None and where:
        raise UsageError(
            "--where and --given exclude each other", "write the values into the table's cells, and leave --where out"
        )


def _warn_of_strangers(run: Run, version: Version, out: Path) -> None:
    """Say what a pickle is that no fit under ``out`` wrote: its hashes tell damage, and not who made it."""
    elsewhere = version.folder.parent.resolve() != (out / "generators").resolve()
    if elsewhere and any(name.endswith(".pkl") for name in version.manifest.files):
        run.log.warn(
            f"{version.folder}: a pickled model that was not fitted here; the classes that it may name are limited, "
            "but open only what comes from someone you trust (docs/security.md)"
        )


def _check_rejection(settings: Config, version: Version) -> None:
    """Raise ``UsageError`` where rows that repeat training records are unwanted of a generator that does nothing else.

    The independent baseline is meant too: it draws training cells, and what it repeats says nothing about a leak.
    """
    from synthcli.commands.matches import BASELINES
    from synthcli.errors import UsageError

    kind = version.manifest.kind
    if settings.sample.reject_training_matches and kind in BASELINES:
        raise UsageError(
            f"sample.reject_training_matches: generator {version.name} is of kind {kind}, a baseline that repeats "
            "training records by design",
            "leave it out, or name another generator",
        )


def _schema(version: Version) -> Schema:
    """Return the generator's schema, without opening its model."""
    from synthcli.synthesizers.assembly import stored_schema

    return stored_schema(version.folder)


def _conditions(run: Run, settings: Config, schema: Schema, rows: int | None, where: list[str], learned: int) -> Asked:
    """Return what ``--where`` asks for; without any, as many free rows as are wanted."""
    from synthcli.commands.conditions import Account, chunks, doubts, groups
    from synthcli.commands.drawing import CHUNK, Asked

    asked = groups(where, schema, rows, settings.sample.rows or learned, settings.data.missing)
    for doubt in doubts(asked, schema):
        run.log.warn(doubt)
    account = Account([group.label for group in asked], [group.rows for group in asked])
    return Asked(sum(account.sizes), chunks(asked, CHUNK), account, asked)


def _given(run: Run, settings: Config, schema: Schema, given: str, format: FormatName) -> Asked:
    """Return what the table ``given`` asks for: its rows in order, their empty cells to be drawn."""
    from synthcli.commands.conditions import Account
    from synthcli.commands.drawing import CHUNK, Asked
    from synthcli.commands.given import open_given

    rows, chunks = open_given(run, settings, schema, given, format, CHUNK)
    given = shown(given)
    run.log.warn(f"cells of {given} go into the output as they are: it is only as private as they are")
    return Asked(rows, chunks, Account([f"of {given}"], [rows]), given=given)


def _matches(run: Run, settings: Config, version: Version, schema: Schema, format: FormatName) -> Matches | None:
    """Return what looks for training records among the rows; ``None``, and nothing is read, unless that is wanted."""
    from synthcli.commands.matches import Matches, occurring_once
    from synthcli.commands.provenance import training_keys

    if not settings.sample.reject_training_matches:
        return None
    with run.log.phase("training records"):
        return Matches(occurring_once(training_keys(run, settings, version, schema)), schema, format)


def _target(output: str | None, named: bool, settings: Config, out: Path) -> tuple[Path | str | None, FormatName]:
    """Return where to write (``None`` for stdout, text for a URL) and in which format.

    ``named`` tells that --format was given.
    """
    from synthcli.tables import format_of

    configured = settings.sample.format
    if output == "-":
        return None, configured if named else "csv"
    if output is None:
        return out / "synthetic" / f"synthetic.{configured}", configured
    output = remote.plain(output)
    if remote.is_url(output):
        remote.check_target(output)
        if output.endswith("/") or remote.kind(output) == "folder":
            return remote.joined(output, f"synthetic.{configured}"), configured
        return output, configured if named else format_of(Path(remote.name(output)))
    path = Path(output)
    if path.is_dir() or output.endswith("/"):
        return path / f"synthetic.{configured}", configured
    return path, configured if named else format_of(path)


def _check_shards(
    shards: int | None, workers: str | None, output: str | None, format: Format | None, given: str | None
) -> None:
    """Raise ``UsageError`` for options that shards do not go with, or that mean nothing without them."""
    from synthcli.errors import UsageError

    if not shards:
        if workers is not None:
            raise UsageError("--workers: one file is written by one process", "add --shards K to draw side by side")
        return
    if format not in (None, Format.PARQUET):
        raise UsageError(f"--format {format} and --shards exclude each other: shards are Parquet files")
    if output == "-":
        raise UsageError("--output - and --shards exclude each other: shards are files", "name a folder")
    if given is not None:
        raise UsageError(
            "--given and --shards exclude each other: a table is completed in its own order", "leave --shards out"
        )


def _check_escaping(asked: bool, chosen: FormatName | None) -> None:
    """Raise ``UsageError`` for ``--escape-formulas`` with a format that no spreadsheet computes."""
    from synthcli.errors import UsageError

    if asked and chosen not in (None, "csv"):
        raise UsageError(
            f"--escape-formulas: the output is {chosen}, in which nothing is computed", "leave it out, or write CSV"
        )


def _spare_inputs(
    target: Path | str | None, settings: Config, out: Path, given: str | None, *, folder: bool = False
) -> None:
    """Raise ``UsageError`` where the output would replace real rows, the table to be filled, or a part of a model.

    All that lies in a ``folder`` would be replaced.
    """
    from glob import glob

    from synthcli.errors import UsageError

    if target is None:
        return
    named = settings.data.path or []
    texts = [*([named] if isinstance(named, str) else named), *([given] if given else [])]
    texts = [remote.plain(text) for text in texts]
    refused = UsageError(f"--output {shown(target)}: synthetic rows would replace an input", "write them elsewhere")
    if isinstance(target, str):
        written = remote.joined(target, "part-00000.parquet") if folder else target
        if any(remote.replaces(written, text) for text in texts if remote.is_url(text)):
            raise refused
        return
    place = target.resolve()
    # Nothing is opened: what is named may be a pipe, which can be read only once.
    inputs = {Path(path).resolve() for text in texts for path in (text, *glob(text))}
    kept = {(out / name).resolve() for name in ("split", "generators", "sketches")}
    own = (out / "synthetic").resolve()  # where the state of the run lies
    replaced = folder and (place in {*kept, own} or any(place in path.parents for path in inputs | kept))
    if replaced or {place, place.parent} & inputs or kept & set(place.parents):
        raise refused


def _told(batches: Iterator[pl.DataFrame], asked: Asked, phase: Phase) -> Iterator[pl.DataFrame]:
    """Pass the batches on and tell how many rows are done, and how fast."""
    started = time.monotonic()
    for batch in batches:
        yield batch
        done, seconds = sum(asked.account.tried), max(time.monotonic() - started, 1e-3)
        phase.update(done / asked.rows, f"{done:,} of {asked.rows:,} rows, {done / seconds:,.0f} rows/s")


class _Hashing:
    """A stream that passes bytes on and knows the SHA-256 of all that went through."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._hash = stream, hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Hash before writing: a reader that goes away may have got the bytes."""
        self._hash.update(data)
        return self._stream.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def digest(self) -> str:
        """The SHA-256 in hex."""
        return self._hash.hexdigest()


def _write(
    batches: Iterator[pl.DataFrame],
    emission: Emission,
    lineage: Lineage,
    target: Path | str | None,
    keep: Callable[[str], Path],
) -> dict[str, Path | str]:
    """Write the rows, and before anybody can find them what they are known by; return the files by name."""
    from synthcli.artifacts import atomic_paths, delivered, sha256
    from synthcli.errors import SynthcliError
    from synthcli.lineage import put_sidecar, sidecar, write_described
    from synthcli.tables import write_file, write_stream

    schema, chosen, metadata = emission.schema, emission.format, lineage.metadata()
    if isinstance(target, str):
        with delivered(target) as local:
            rows = write_file(batches, schema, local, format=chosen, metadata=metadata)
            digest = sha256(local)
            told = put_sidecar(target, lineage, rows, digest)
            sketch = keep(digest)
        return {"synthetic": shown(target), "lineage": shown(told), "sketch": sketch}
    if target is not None:
        with atomic_paths(target, sidecar(target)) as (local, beside):
            rows = write_file(batches, schema, local, format=chosen, metadata=metadata)
            digest = sha256(local)
            write_described(beside, target, lineage, rows, digest)
            sketch = keep(digest)
        return {"synthetic": target, "lineage": sidecar(target), "sketch": sketch}
    stream = _Hashing(sys.stdout.buffer)
    try:
        write_stream(batches, schema, cast("IO[bytes]", stream), format=chosen, metadata=metadata)
    except (BrokenPipeError, SynthcliError):  # the reader has what came before
        if emission.rows:
            keep(stream.digest)
        raise
    return {"sketch": keep(stream.digest)}


def _outcome(run: Run, out: Path, result: dict[str, Any], wrote: Mapping[str, Path | str], streamed: bool) -> Outcome:
    from synthcli.commands.following import audit_of
    from synthcli.reports.terminal import facts_report

    facts = {
        "generator": f"{result['kind']}, version {result['version']:04d}",
        "rows": f"{result['rows']:,}" + (f" in {result['shards']:,} shards" if "shards" in result else ""),
        **_made_facts(result),
        "seed": f"{result['seed']} (--seed {result['seed']} gives the same rows again)",
    }
    to_stdout = streamed and not run.dry_run
    made = wrote.get("synthetic", "")
    usual = Path(made).parent == out / "synthetic"
    return Outcome(
        None if to_stdout else lambda: facts_report(facts),
        result,
        wrote,
        next_step="" if to_stdout else audit_of(run, out, made, usual),
    )


def _made_facts(result: Mapping[str, Any]) -> dict[str, str]:
    """Return what the report says of conditions and of training records."""
    facts = {}
    parts = result.get("conditions", [])
    if parts:
        told = (
            f"{part['made']:,} with " + ", ".join(f"{name}={value}" for name, value in part["where"].items())
            for part in parts
            if part["where"]
        )
        facts["conditions"] = "; ".join(told)
    if "given" in result:
        facts["completed"] = f"{result['given']['made']:,} of {result['given']['rows']:,} rows"
    if "training_matches" in result:
        found = result["training_matches"]
        facts["training matches"] = (
            f"{found['rows']:,} of {found['drawn']:,} rows drawn ({found['share']:.2%}) repeated a training record "
            "that occurs once; none of them was written"
        )
    return facts
