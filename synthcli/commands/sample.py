"""``synthcli sample``: check a generator's files, load it, write any number of rows in constant memory, remember them.

Beside the table goes its lineage; a sketch of the rows stays in the output directory, so that they are recognised if
they come back as real data.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    import polars as pl

    from synthcli.commands.provenance import Emission
    from synthcli.config import Config
    from synthcli.config import Format as FormatName
    from synthcli.lineage import Lineage
    from synthcli.progress import Phase

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
    from synthcli.commands.provenance import Emission, emission_sketch, sample_lineage
    from synthcli.errors import UsageError
    from synthcli.registry import resolve, verify
    from synthcli.seeds import fresh_seed
    from synthcli.sketches import write as write_sketch
    from synthcli.synthesizers.assembly import TableGenerator

    if output == "-" and run.json:
        raise UsageError("--output - and --json both want stdout", "write the rows to a file, or leave --json out")
    settings = run.settings(sample__rows=rows, sample__seed=run.seed, sample__format=format.value if format else None)
    out = Path(settings.run.output_dir)
    version = resolve(out, generator)
    verify(version)
    count = settings.sample.rows or int(version.manifest.train["rows"])
    seed = settings.sample.seed if settings.sample.seed is not None else fresh_seed()
    target, chosen = _target(output, format is not None, settings, out)
    result = {"version": version.number, "kind": version.manifest.kind, "rows": count, "seed": seed, "format": chosen}
    if run.dry_run:
        return _outcome(run, result, {} if target is None else {"synthetic": target}, target is None)
    with run.log.phase("load"):
        model = TableGenerator.load(version.folder)
    emission, lineage = Emission(model.schema, chosen), sample_lineage(version, seed)

    def keep(digest: str) -> Path:
        with run.log.phase("sketch"):
            kept = emission_sketch(run, settings, out, version, emission, digest, lineage.depth)
            return write_sketch(out / "sketches", kept)

    with run.log.phase("sample") as phase:
        batches = emission.noted(_told(model.batches(count, seed, CHUNK), count, phase))
        wrote, digest = _write(batches, emission, lineage, target, keep)
    return _outcome(run, result, {**wrote, "sketch": keep(digest)}, target is None)


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
    except BrokenPipeError:  # the reader has what came before
        keep(stream.digest)
        raise
    return {}, stream.digest


def _outcome(run: Run, result: dict[str, object], wrote: dict[str, Path], streamed: bool) -> Outcome:
    from synthcli.reports.terminal import facts_report

    facts = {
        "generator": f"{result['kind']}, version {result['version']:04d}",
        "rows": f"{result['rows']:,}",
        "seed": f"{result['seed']} (--seed {result['seed']} gives the same rows again)",
    }
    to_stdout = streamed and not run.dry_run
    return Outcome(
        None if to_stdout else lambda: facts_report(facts),
        result,
        wrote,
        next_step="" if to_stdout else run.follow_up("validate"),
    )
