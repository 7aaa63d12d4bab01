"""``synthcli sample``: check a generator's files, load it, write any number of rows in constant memory, remember them.

Rows are drawn freely, under conditions (``--where``), or around the cells of a table that is to be completed
(``--given``). Beside the table goes its lineage; a sketch of the rows stays in the output directory, so that they are
recognised if they come back as real data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli import remote
from synthcli.commands.completing import conditions, generators
from synthcli.commands.running import Outcome, Run, Workers, command
from synthcli.remote import shown

if TYPE_CHECKING:
    from synthcli.commands.drawing import Asked
    from synthcli.commands.rehearsing import Play
    from synthcli.config import Config
    from synthcli.config import Format as FormatName
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
    from synthcli.commands.emitting import Draw, emitted, seed_of, told_of
    from synthcli.commands.plays import sample_play
    from synthcli.executors import as_workers
    from synthcli.registry import resolve, verify
    from synthcli.synthesizers.assembly import stored_schema

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
    seed = seed_of(settings)
    target, chosen = _target(output, format is not None, settings, out)
    _check_escaping(escape_formulas, chosen)
    _spare_inputs(target, settings, out, given)
    schema = stored_schema(version.folder)
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
        return _planned(run, settings, play, {**told_of(version, seed, chosen), "rows": asked.rows}, target)
    result, wrote = emitted(run, Draw(settings, out, version, asked, seed, partial), target, chosen)
    ended = _outcome(run, out, result, wrote, target is None)
    return ended if target is None else replace(ended, records=drawn_records(out, wrote))


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
    """Draw a data set of ``count`` shards."""
    from synthcli.commands.data_set import DataSet, emitted_in_shards
    from synthcli.commands.emitting import Draw, seed_of, told_of
    from synthcli.commands.plays import sample_play
    from synthcli.commands.recording import is_recorded
    from synthcli.errors import UsageError
    from synthcli.executors import at_most, chosen, counted
    from synthcli.synthesizers.assembly import stored_schema

    target = _folder(output, out)
    _spare_inputs(target, settings, out, None, folder=True)
    to = DataSet.at(target, out, count)
    schema, learned = stored_schema(version.folder), int(version.manifest.train["rows"])
    asked = _conditions(run, settings, schema, rows, where, learned)
    if count > asked.rows:
        raise UsageError(
            f"--shards {count:,}: more shards than the {asked.rows:,} rows", f"take at most --shards {asked.rows}"
        )
    seed = seed_of(settings)
    if run.dry_run:
        play = sample_play(
            out, version, asked, target, "parquet", where=where, given=None, partial=partial, parts=to.names,
            workers=counted(at_most(chosen(settings.run.workers), count)),
        )  # fmt: skip
        told = {**told_of(version, seed, "parquet"), "rows": asked.rows, "shards": count}
        return _planned(run, settings, play, told, target)
    result, wrote = emitted_in_shards(run, Draw(settings, out, version, asked, seed, partial), to)
    ended = _outcome(run, out, result, {"synthetic": shown(target), **wrote}, False)
    if isinstance(target, Path) and is_recorded(target, out, shards=True):
        return replace(ended, records={target: [target / name for name in to.names]})
    return ended


def drawn_anew(run: Run, settings: Config, out: Path, version: Version) -> tuple[dict[str, Any], dict[str, Path | str]]:
    """Write the table that ``sample`` without options writes; return its result and the files by name."""
    from synthcli.commands.emitting import Draw, emitted, seed_of
    from synthcli.registry import verify
    from synthcli.synthesizers.assembly import stored_schema

    verify(version)
    _check_rejection(settings, version)
    target, chosen = _target(None, False, settings, out)
    _spare_inputs(target, settings, out, None)
    schema, learned = stored_schema(version.folder), int(version.manifest.train["rows"])
    asked = _conditions(run, settings, schema, None, [], learned)
    return emitted(run, Draw(settings, out, version, asked, seed_of(settings)), target, chosen)


def drawn_records(out: Path, wrote: Mapping[str, Path | str]) -> dict[Path, list[Path | str]]:
    """Return what tells of one synthetic table; one that lies elsewhere has none, as a person's own folder."""
    from synthcli.commands.recording import is_recorded

    table = wrote["synthetic"]
    return {out / "synthetic": [table, wrote["lineage"]]} if is_recorded(table, out) else {}


def _planned(run: Run, settings: Config, play: Play, told: dict[str, Any], target: Path | str | None) -> Outcome:
    from synthcli.commands.rehearsing import planned

    where = {} if target is None else {"synthetic": shown(target) if isinstance(target, str) else target}
    would = {"would draw from": f"{told['kind']}, version {told['version']:04d}", "seed": f"{told['seed']}"}
    return planned(run, settings, play, would, told, where)


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


def _folder(output: str | None, out: Path) -> Path | str:
    """Return where the shards go: a folder, or the URL of one."""
    if output is None:
        return out / "synthetic" / "shards"
    output = remote.plain(output)
    return output.rstrip("/") if remote.is_url(output) else Path(output)


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
