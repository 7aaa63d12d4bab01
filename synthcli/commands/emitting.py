"""One synthetic table: drawn, written with its lineage in constant memory, and remembered by a sketch of its rows."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

import polars as pl

from synthcli.artifacts import atomic_paths, delivered, sha256
from synthcli.commands.drawing import Asked, drawn, lacking
from synthcli.commands.matches import Matches, occurring_once
from synthcli.commands.provenance import (
    Emission,
    emission_sketch,
    sample_lineage,
    training_file,
    training_keys,
    warn_of_formulas,
)
from synthcli.commands.running import Run
from synthcli.config import Config, Format
from synthcli.errors import SynthcliError
from synthcli.lineage import Lineage, put_sidecar, sidecar, write_described
from synthcli.progress import Phase
from synthcli.registry import Version
from synthcli.remote import shown
from synthcli.schema import Schema
from synthcli.seeds import fresh_seed
from synthcli.sketches import write as write_sketch
from synthcli.synthesizers.assembly import TableGenerator, stored_schema
from synthcli.tables import write_file, write_stream
from synthcli.tables.write import with_formulas_escaped


@dataclass(frozen=True)
class Draw:
    """Rows that are asked of a generator, whose files have been verified; the model is not opened yet.

    ``partial`` lets rows be lacking where a condition cannot be met.
    """

    settings: Config
    out: Path
    version: Version
    asked: Asked
    seed: int
    partial: bool = False

    @cached_property
    def schema(self) -> Schema:
        """The generator's schema."""
        return stored_schema(self.version.folder)

    def matches(self, run: Run, format: Format) -> Matches | None:
        """Return what looks for training records in the rows; ``None``, and nothing is read, unless that is wanted."""
        if not self.settings.sample.reject_training_matches:
            return None
        with run.log.phase("training records"):
            keys = training_keys(run, self.settings, self.version, self.schema)
            return Matches(occurring_once(keys), self.schema, format)

    def sketch(self, run: Run, emission: Emission, digest: str, lineage: Lineage) -> Path:
        """Keep what the rows are known by, if they come back as real data; return the file."""
        learned_from = training_file(run, self.settings, self.version, emission, self.out)
        kept = emission_sketch(self.out, emission, digest, lineage.depth, learned_from)
        return write_sketch(self.out / "sketches", kept)

    def result(self, format: Format, rows: int, matches: Matches | None, **more: int) -> dict[str, Any]:
        """Return what is told of the rows that were written."""
        repeats = {"training_matches": matches.result()} if matches is not None else {}
        return {**told_of(self.version, self.seed, format), "rows": rows, **more, **self.asked.result(), **repeats}

    def warn_of_lacking(self, run: Run, matches: Matches | None) -> None:
        """Say which rows could not be made."""
        if not self.asked.account.complete:
            run.log.warn(lacking(self.asked, matches, self.settings.sample.max_tries))


def seed_of(settings: Config) -> int:
    """Return the seed that is asked for, else a new one."""
    return settings.sample.seed if settings.sample.seed is not None else fresh_seed()


def told_of(version: Version, seed: int, format: Format) -> dict[str, Any]:
    """Return what is told of a draw before its first row."""
    return {"version": version.number, "kind": version.manifest.kind, "seed": seed, "format": format}


def emitted(
    run: Run, draw: Draw, target: Path | str | None, format: Format
) -> tuple[dict[str, Any], dict[str, Path | str]]:
    """Draw the rows, write them with their lineage to ``target`` (``None`` for stdout), and keep their sketch.

    Returns the result and the files by name.
    """
    matches = draw.matches(run, format)
    with run.log.phase("load"):
        model = TableGenerator.load(draw.version.folder)
    emission = Emission(with_formulas_escaped(model.schema, draw.settings.sample.escape_formulas), format)
    lineage = sample_lineage(draw.version, draw.seed)

    def keep(digest: str) -> Path:
        return draw.sketch(run, emission, digest, lineage)

    with run.log.phase("sample") as phase:
        rows = drawn(model, draw.asked, matches, draw.seed, draw.settings.sample.max_tries, draw.partial)
        wrote = _write(emission.noted(_told(rows, draw.asked, phase)), emission, lineage, target, keep)
    warn_of_formulas(run, emission.formulas, "--escape-formulas")
    draw.warn_of_lacking(run, matches)
    return draw.result(format, emission.rows, matches), wrote


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
