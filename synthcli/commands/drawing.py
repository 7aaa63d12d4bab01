"""Drawing rows: what is asked of them, chunk by chunk, and the rows that a generator makes of it.

The same for a table that is written as one and for one that is written in shards by several workers: a chunk depends on
the seed, its number and the place of its first row, and on no chunk before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.commands.conditions import Account, Chunk, Group
from synthcli.commands.matches import ROUNDS, Matches
from synthcli.errors import BadTableError
from synthcli.seeds import stage_seed
from synthcli.synthesizers.assembly import TableGenerator
from synthcli.synthesizers.protocol import Completed

#: Rows drawn and written at a time. A constant: the rows that a seed gives depend on it.
CHUNK = 50_000


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


def drawn(
    model: TableGenerator, asked: Asked, matches: Matches | None, seed: int, tries: int, partial: bool
) -> Iterator[pl.DataFrame]:
    """Yield the rows chunk by chunk, in order.

    Where some cannot be made, ``partial`` leaves them out; else ``BadTableError`` ends it at that chunk.
    """
    for chunk in asked.chunks:
        found = _completed(model, chunk, seed, tries)
        if matches is not None:
            found = _without_matches(model, chunk, found, matches, seed, tries)
        asked.account.add(chunk.start, found.made)
        if not (partial or asked.account.complete):
            raise BadTableError(
                lacking(asked, matches, tries),
                "ask for what training rows have and no constraint excludes, raise sample.max_tries, or write the rest "
                "with --partial",
            )
        yield found.table if found.made.all() else found.table.filter(found.made)


def _without_matches(
    model: TableGenerator, chunk: Chunk, drawn: Completed, matches: Matches, seed: int, tries: int
) -> Completed:
    """Return the chunk with rows drawn again that repeat a training record, under the same conditions."""

    def redraw(rows: NDArray[np.intp], number: int) -> Completed:
        given = None if chunk.given is None else chunk.given[rows]
        again = chunk._replace(number=0, start=0, rows=len(rows), given=given)
        return _completed(model, again, stage_seed(seed, "again", chunk.number, number), tries)

    return matches.replaced(drawn, redraw)


def _completed(model: TableGenerator, chunk: Chunk, seed: int, tries: int) -> Completed:
    if chunk.given is None:
        return Completed(model.chunk(chunk.rows, seed, chunk.number, chunk.start), np.ones(chunk.rows, np.bool_))
    return model.complete(chunk.given, seed, chunk.number, chunk.start, tries)


def lacking(asked: Asked, matches: Matches | None, tries: int) -> str:
    """Return the account of the rows that could not be made."""
    told = asked.account.told(tries, numbered=asked.given is not None)
    if matches is None or not matches.given_up:
        return told
    return f"{told}; {matches.given_up:,} of them repeated a training record in {ROUNDS} further draws"
