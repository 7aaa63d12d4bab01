"""``synthcli sample``: check a generator's files, load it, and write any number of rows in constant memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    import polars as pl

    from synthcli.config import Config
    from synthcli.config import Format as FormatName
    from synthcli.progress import Phase
    from synthcli.synthesizers.assembly import TableGenerator

#: Rows drawn and written at a time. A constant: the rows that a seed gives depend on it.
CHUNK = 50_000


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
        str | None, typer.Option(help="Alias, version number or folder (default: champion, else latest).")
    ] = None,
    format: Annotated[Format | None, typer.Option(help="File format (default: by suffix, else parquet).")] = None,
    output: Annotated[
        str | None, typer.Option(metavar="FILE|DIR|-", help="Where to write; - is stdout (CSV by default).")
    ] = None,
) -> Outcome:
    """Draw synthetic rows from a fitted generator."""
    from synthcli.registry import resolve, verify
    from synthcli.seeds import fresh_seed
    from synthcli.synthesizers.assembly import TableGenerator

    settings = run.settings(sample__rows=rows, sample__seed=run.seed, sample__format=format.value if format else None)
    out = Path(settings.run.output_dir)
    version = resolve(out, generator)
    verify(version)
    count = settings.sample.rows or int(version.manifest.train["rows"])
    seed = settings.sample.seed if settings.sample.seed is not None else fresh_seed()
    target, chosen = _target(output, format is not None, settings, out)
    result = {"version": version.number, "kind": version.manifest.kind, "rows": count, "seed": seed, "format": chosen}
    if not run.dry_run:
        with run.log.phase("load"):
            model = TableGenerator.load(version.folder)
        with run.log.phase("sample") as phase:
            _write(_told(model.batches(count, seed, CHUNK), count, phase), model, target, chosen)
    return _outcome(run, result, None if run.dry_run else target)


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


def _told(batches: Iterator[pl.DataFrame], count: int, phase: Phase) -> Iterator[pl.DataFrame]:
    """Pass the batches on and tell how many rows are done."""
    done = 0
    for batch in batches:
        yield batch
        done += batch.height
        phase.update(done / max(count, 1), f"{done:,} of {count:,} rows")


def _write(batches: Iterator[pl.DataFrame], model: TableGenerator, target: Path | None, chosen: FormatName) -> None:
    from synthcli.tables import write_batches, write_stream

    if target is None:
        write_stream(batches, model.schema, sys.stdout.buffer, format=chosen)
    else:
        write_batches(batches, model.schema, target, format=chosen)


def _outcome(run: Run, result: dict[str, object], target: Path | None) -> Outcome:
    from synthcli.reports.terminal import facts_report

    facts = {
        "generator": f"{result['kind']}, version {result['version']:04d}",
        "rows": f"{result['rows']:,}",
        "seed": f"{result['seed']} (--seed {result['seed']} gives the same rows again)",
    }
    to_stdout = target is None and not run.dry_run
    return Outcome(
        None if to_stdout else lambda: facts_report(facts),
        result,
        {} if target is None else {"synthetic": target},
        next_step="" if to_stdout else run.follow_up("validate"),
    )
