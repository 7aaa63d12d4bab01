"""``synthcli sample``: check a generator's files, load it, write any number of rows in constant memory, remember them.

Rows are drawn freely, under conditions (``--where``), or around the cells of a table that is to be completed
(``--given``). Beside the table goes its lineage; a sketch of the rows stays in the output directory, so that they are
recognised if they come back as real data.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from synthcli.commands.conditions import Account, Chunk, Group
    from synthcli.commands.matches import Matches
    from synthcli.commands.provenance import Emission
    from synthcli.config import Config
    from synthcli.config import Format as FormatName
    from synthcli.lineage import Lineage
    from synthcli.progress import Phase
    from synthcli.registry import Version
    from synthcli.schema import Schema
    from synthcli.synthesizers.assembly import TableGenerator
    from synthcli.synthesizers.protocol import Completed

#: Rows drawn and written at a time. A constant: the rows that a seed gives depend on it.
CHUNK = 50_000


class Format(StrEnum):
    """File format of the synthetic table."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True)
class Asked:
    """What is asked of the rows: chunk by chunk, in ``groups`` of conditions or by a table, the file ``given``.

    The account is kept while the chunks go by.
    """

    rows: int
    chunks: Iterator[Chunk]
    account: Account
    groups: tuple[Group, ...] = ()
    given: str | None = None

    def result(self) -> dict[str, Any]:
        """Return the account for the JSON document; empty where rows are drawn freely."""
        made = self.account.made
        if self.given is not None:
            return {"given": {"rows": self.rows, "made": sum(made)}}
        parts = [
            {"where": dict(group.where), "wanted": group.rows, "made": done}
            for group, done in zip(self.groups, made, strict=True)
        ]
        return {"conditions": parts} if any(group.where for group in self.groups) else {}


@command
def sample(
    run: Run,
    rows: Annotated[
        int | None, typer.Option("-n", "--rows", help="Rows to draw (default: as many as were learned from).")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help="Alias, version number or folder (default: champion, else latest).")
    ] = None,
    format: Annotated[Format | None, typer.Option(help="File format (default: by suffix, else parquet).")] = None,
    output: Annotated[
        str | None, typer.Option(metavar="FILE|DIR|-", help="Where to write; - is stdout (CSV by default).")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="[COUNT:]COL=VALUE[,COL=VALUE]", help="What holds for all rows, or for COUNT of them."),
    ] = None,
    given: Annotated[
        str | None, typer.Option(metavar="FILE", help="Table whose empty cells and missing columns are filled.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Write the rows that can be made where others cannot.")
    ] = False,
) -> Outcome:
    """Draw synthetic rows from a fitted generator."""
    from synthcli.registry import resolve, verify

    _check_options(run, output, rows, where, given)
    settings = run.settings(sample__rows=rows, sample__seed=run.seed, sample__format=format.value if format else None)
    out = Path(settings.run.output_dir)
    version = resolve(out, generator)
    verify(version)
    _check_rejection(settings, version)
    seed = _seed(settings)
    target, chosen = _target(output, format is not None, settings, out)
    _spare_inputs(target, settings, out, given)
    schema = _schema(version)
    asked = (
        _given(run, settings, schema, given, chosen)
        if given is not None
        else _conditions(run, settings, schema, rows, where or [], int(version.manifest.train["rows"]))
    )
    if run.dry_run:
        for _ in asked.chunks if given is not None else ():  # looks at every given cell
            pass
        planned = {**_told_of(version, seed, chosen), "rows": asked.rows}
        return _outcome(run, planned, {} if target is None else {"synthetic": target}, target is None)
    result, wrote = _emitted(run, settings, out, version, asked, seed, target, chosen, partial)
    return _outcome(run, result, wrote, target is None)


def drawn_anew(run: Run, settings: Config, out: Path, version: Version) -> tuple[dict[str, Any], dict[str, Path]]:
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
    target: Path | None,
    chosen: FormatName,
    partial: bool,
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Draw the rows, write them with their lineage, and keep their sketch; the version's files have been verified."""
    from synthcli.commands.provenance import Emission, emission_sketch, sample_lineage, training_file
    from synthcli.sketches import write as write_sketch
    from synthcli.synthesizers.assembly import TableGenerator

    matches = _matches(run, settings, version, _schema(version), chosen)
    with run.log.phase("load"):
        model = TableGenerator.load(version.folder)
    emission, lineage = Emission(model.schema, chosen), sample_lineage(version, seed)

    def keep(digest: str) -> Path:
        with run.log.phase("sketch"):
            learned_from = training_file(run, settings, version, emission, out)
            kept = emission_sketch(out, emission, digest, lineage.depth, learned_from)
            return write_sketch(out / "sketches", kept)

    tries = settings.sample.max_tries
    with run.log.phase("sample") as phase:
        drawn = _drawn(model, asked, matches, seed, tries, partial)
        wrote, digest = _write(emission.noted(_told(drawn, asked, phase)), emission, lineage, target, keep)
    if not asked.account.complete:
        run.log.warn(_lacking(asked, matches, tries))
    found = {"training_matches": matches.result()} if matches is not None else {}
    result = {**_told_of(version, seed, chosen), "rows": emission.rows, **asked.result(), **found}
    return result, {**wrote, "sketch": keep(digest)}


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
    import json

    from synthcli.schema import Schema

    return Schema.from_dict(json.loads((version.folder / "schema.json").read_text(encoding="utf-8")))


def _conditions(run: Run, settings: Config, schema: Schema, rows: int | None, where: list[str], learned: int) -> Asked:
    """Return what ``--where`` asks for; without any, as many free rows as are wanted."""
    from synthcli.commands.conditions import Account, chunks, doubts, groups

    asked = groups(where, schema, rows, settings.sample.rows or learned, settings.data.missing)
    for doubt in doubts(asked, schema):
        run.log.warn(doubt)
    account = Account([group.label for group in asked], [group.rows for group in asked])
    return Asked(sum(account.sizes), chunks(asked, CHUNK), account, asked)


def _given(run: Run, settings: Config, schema: Schema, given: str, format: FormatName) -> Asked:
    """Return what the table ``given`` asks for: its rows in order, their empty cells to be drawn."""
    from synthcli.commands.conditions import Account
    from synthcli.commands.given import open_given

    rows, chunks = open_given(run, settings, schema, given, format, CHUNK)
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


def _drawn(
    model: TableGenerator, asked: Asked, matches: Matches | None, seed: int, tries: int, partial: bool
) -> Iterator[pl.DataFrame]:
    """Yield the rows chunk by chunk, in order.

    Where some cannot be made, ``partial`` leaves them out; else ``BadTableError`` ends it at that chunk.
    """
    from synthcli.errors import BadTableError

    for chunk in asked.chunks:
        drawn = _completed(model, chunk, seed, tries)
        if matches is not None:
            drawn = _without_matches(model, chunk, drawn, matches, seed, tries)
        asked.account.add(chunk.start, drawn.made)
        if not (partial or asked.account.complete):
            raise BadTableError(
                _lacking(asked, matches, tries),
                "ask for what training rows have and no constraint excludes, raise sample.max_tries, or write the rest "
                "with --partial",
            )
        yield drawn.table if drawn.made.all() else drawn.table.filter(drawn.made)


def _without_matches(
    model: TableGenerator, chunk: Chunk, drawn: Completed, matches: Matches, seed: int, tries: int
) -> Completed:
    """Return the chunk with rows drawn again that repeat a training record, under the same conditions."""
    from synthcli.seeds import stage_seed

    def redraw(rows: NDArray[np.intp], number: int) -> Completed:
        given = None if chunk.given is None else chunk.given[rows]
        again = chunk._replace(number=0, start=0, rows=len(rows), given=given)
        return _completed(model, again, stage_seed(seed, "again", chunk.number, number), tries)

    return matches.replaced(drawn, redraw)


def _completed(model: TableGenerator, chunk: Chunk, seed: int, tries: int) -> Completed:
    import numpy as np

    from synthcli.synthesizers.protocol import Completed

    if chunk.given is None:
        return Completed(model.chunk(chunk.rows, seed, chunk.number, chunk.start), np.ones(chunk.rows, np.bool_))
    return model.complete(chunk.given, seed, chunk.number, chunk.start, tries)


def _lacking(asked: Asked, matches: Matches | None, tries: int) -> str:
    """Return the account of the rows that could not be made."""
    from synthcli.commands.matches import ROUNDS

    told = asked.account.told(tries, numbered=asked.given is not None)
    if matches is None or not matches.given_up:
        return told
    return f"{told}; {matches.given_up:,} of them repeated a training record in {ROUNDS} further draws"


def _target(output: str | None, named: bool, settings: Config, out: Path) -> tuple[Path | None, FormatName]:
    """Return where to write (``None`` for stdout) and in which format; ``named`` tells that --format was given."""
    from synthcli.tables import format_of

    configured = settings.sample.format
    if output == "-":
        return None, configured if named else "csv"
    if output is None:
        return out / "synthetic" / f"synthetic.{configured}", configured
    path = Path(output)
    if path.is_dir() or output.endswith("/"):
        return path / f"synthetic.{configured}", configured
    return path, configured if named else format_of(path)


def _spare_inputs(target: Path | None, settings: Config, out: Path, given: str | None) -> None:
    """Raise ``UsageError`` where the output would replace real rows, the table to be filled, or a part of a model."""
    from glob import glob

    from synthcli.errors import UsageError

    if target is None:
        return
    place, named = target.resolve(), settings.data.path or []
    texts = [*([named] if isinstance(named, str) else named), *([given] if given else [])]
    # Nothing is opened: what is named may be a pipe, which can be read only once.
    inputs = {Path(path).resolve() for text in texts for path in (text, *glob(text))}
    kept = {(out / name).resolve() for name in ("split", "generators", "sketches")}
    if {place, place.parent} & inputs or kept & set(place.parents):
        raise UsageError(f"--output {target}: synthetic rows would replace an input", "write them elsewhere")


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
    target: Path | None,
    keep: Callable[[str], Path],
) -> tuple[dict[str, Path], str]:
    """Write the rows; return the files by name, and the SHA-256 of the table."""
    from synthcli.artifacts import sha256
    from synthcli.errors import SynthcliError
    from synthcli.lineage import write_sidecar
    from synthcli.tables import write_batches, write_stream

    schema, chosen, metadata = emission.schema, emission.format, lineage.metadata()
    if target is not None:
        rows = write_batches(batches, schema, target, format=chosen, metadata=metadata)
        digest = sha256(target)
        return {"synthetic": target, "lineage": write_sidecar(target, lineage, rows, digest)}, digest
    stream = _Hashing(sys.stdout.buffer)
    try:
        write_stream(batches, schema, cast("IO[bytes]", stream), format=chosen, metadata=metadata)
    except (BrokenPipeError, SynthcliError):  # the reader has what came before
        if emission.rows:
            keep(stream.digest)
        raise
    return {}, stream.digest


def _outcome(run: Run, result: dict[str, Any], wrote: dict[str, Path], streamed: bool) -> Outcome:
    from synthcli.reports.terminal import facts_report

    facts = {
        "generator": f"{result['kind']}, version {result['version']:04d}",
        "rows": f"{result['rows']:,}",
        **_made_facts(result),
        "seed": f"{result['seed']} (--seed {result['seed']} gives the same rows again)",
    }
    to_stdout = streamed and not run.dry_run
    return Outcome(
        None if to_stdout else lambda: facts_report(facts),
        result,
        wrote,
        next_step="" if to_stdout else run.follow_up("validate"),
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
