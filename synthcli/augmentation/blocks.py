"""Rows drawn from a fitted generator in blocks, each a task: a block depends on its number, not on who draws it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from synthcli.seeds import stage_seed
from synthcli.synthesizers.assembly import TableGenerator
from synthcli.synthesizers.crew import HERE, Crew, Job, Ref
from synthcli.synthesizers.protocol import Completed

#: Rows drawn or completed at once where it is free to choose.
BLOCK = 50_000
#: Seconds that a row takes, about: with a condition or without, generators differ more.
_A_ROW = 5e-6


@dataclass(frozen=True, slots=True)
class Blocks:
    """A generator that a job draws from; tasks of a single block are done here, without being sent anywhere."""

    model: TableGenerator
    job: Job
    known: Ref[TableGenerator]

    def chunks(self, rows: int, seed: int, size: int) -> pl.DataFrame:
        """Return the rows of ``TableGenerator.batches``."""
        starts = range(0, max(rows, 1), size)
        calls = [(self.known, min(size, rows - start), seed, at, start) for at, start in enumerate(starts)]
        return pl.concat(self.job.run(_chunk, calls))

    def drawn(self, given: pl.DataFrame, rows: int, seed: int, tries: int) -> pl.DataFrame:
        """Return as many of ``rows`` rows as could be made with the cells of ``given``, one row or no column."""
        starts = range(0, rows, BLOCK)
        calls = [(self.known, given, min(BLOCK, rows - start), _of(seed, at), tries) for at, start in enumerate(starts)]
        return pl.concat(self.job.run(_drawn, calls))

    def completed(self, given: pl.DataFrame, seed: int, size: int, tries: int) -> Completed:
        """Return ``given`` completed, block after block as ``TableGenerator.complete`` does it by number and start."""
        starts = range(0, given.height, size)
        parts = [self.job.put(given[start : start + size], _write, _read, keep=False) for start in starts]
        numbered = enumerate(zip(parts, starts, strict=True))
        found = self.job.run(_complete, [(self.known, part, seed, at, start, tries) for at, (part, start) in numbered])
        return joined(found)


@contextmanager
def blocks(crew: Crew, model: TableGenerator, rows: int, size: int = BLOCK) -> Iterator[Blocks]:
    """Yield what draws blocks of ``size`` rows, ``rows`` in all."""
    # Libraries behind a generator may seed what all threads share.
    with (crew if rows > size else HERE).job(rows * _A_ROW, threads=False) as job:
        yield Blocks(model, job, job.put(model, _save, TableGenerator.load))


def joined(parts: Sequence[Completed]) -> Completed:
    """Return parts of a table, at least one, as one."""
    return Completed(pl.concat([part.table for part in parts]), np.concatenate([part.made for part in parts]))


def _of(seed: int, number: int) -> int:
    """Return a block's seed; the first has that of a whole that is no larger."""
    return stage_seed(seed, "block", number) if number else seed


def _chunk(model: Ref[TableGenerator], *where: int) -> pl.DataFrame:
    return model.get().chunk(*where)


def _drawn(model: Ref[TableGenerator], given: pl.DataFrame, rows: int, seed: int, tries: int) -> pl.DataFrame:
    if not given.width:
        return model.get().chunk(rows, seed)
    made = model.get().complete(given[np.zeros(rows, np.int64)], seed, tries=tries)
    return made.table.filter(pl.Series(made.made))


def _complete(model: Ref[TableGenerator], given: Ref[pl.DataFrame], *how: Any) -> Completed:
    return model.get().complete(given.get(), *how)


def _save(model: TableGenerator, folder: Path) -> None:
    folder.mkdir()
    model.save(folder)


def _write(table: pl.DataFrame, path: Path) -> None:
    table.write_ipc(path)


def _read(path: Path) -> pl.DataFrame:
    return pl.read_ipc(BytesIO(path.read_bytes()))  # mapped memory would keep the rows of a file that is gone
