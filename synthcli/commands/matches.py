"""Rows that repeat a training record: told by their keys, counted, and drawn again within a bound.

Only records that occur once in the training table count: what several people share gives none of them away. Keys are
taken over the modelled columns of the rows as a reader of the output will get them, and compared with the records as
they were before any protection. How often a fresh row repeats one estimates how much the generator leaks; rows drawn
again are conditioned on not repeating one, which by itself makes them no safer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.rowkeys import Keys, among, row_keys
from synthcli.schema import Schema
from synthcli.synthesizers.protocol import Completed
from synthcli.tables.write import Format, as_written

#: Kinds that repeat training records by design.
BASELINES = frozenset({"bootstrap", "independent"})
#: How often a row is drawn again before it is given up.
ROUNDS = 20

#: Draws anew the rows at these places of a chunk, as they were asked for, for the given round (1, 2, …).
Redraw = Callable[[NDArray[np.intp], int], Completed]


def occurring_once(batches: Iterable[Keys]) -> Keys:
    """Return, sorted, the keys that occur exactly once in all batches together; 8 bytes a row are held."""
    every = np.sort(np.concatenate([np.empty(0, dtype=np.uint64), *batches]))
    changes = np.concatenate(([True], every[1:] != every[:-1], [True]))
    return every[changes[1:] & changes[:-1]] if len(every) else every


@dataclass
class Matches:
    """Looks for training records among drawn rows, and counts.

    Attributes
    ----------
    once
        Sorted keys of the training records that occur once.
    schema, format
        Of the output.
    drawn, rows
        Rows that were drawn so far, those drawn again included, and those of them that repeated a record.
    given_up
        Rows that still repeated one in the last round.
    """

    once: Keys
    schema: Schema
    format: Format
    drawn: int = 0
    rows: int = 0
    given_up: int = 0

    def replaced(self, first: Completed, redraw: Redraw) -> Completed:
        """Return the rows of a chunk with those drawn again that repeat a record; ids and text stay as they were.

        A row that repeats one in every round is not made.
        """
        table, made = first.table, first.made.copy()
        left = np.flatnonzero(self._repeating(first))
        for number in range(1, ROUNDS + 1):
            if not len(left):
                return Completed(table, made)
            again = redraw(left, number)
            good = again.made & ~self._repeating(again)
            table = _with_rows(table, left[good], again.table.filter(good), self._columns)
            left = left[~good]
        made[left] = False
        self.given_up += len(left)
        return Completed(_without_rows(table, made), made)

    @property
    def _columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.schema.modelled)

    def _repeating(self, drawn: Completed) -> NDArray[np.bool_]:
        written = as_written(drawn.table.select(self._columns), self.schema.select(self._columns), self.format)
        found = drawn.made & among(row_keys(written, self._columns), self.once)
        self.drawn += int(np.count_nonzero(drawn.made))
        self.rows += int(np.count_nonzero(found))
        return found

    def result(self) -> dict[str, Any]:
        """Return the counts for the JSON document."""
        share = self.rows / self.drawn if self.drawn else 0.0
        return {"rows": self.rows, "drawn": self.drawn, "share": share}


def _with_rows(
    table: pl.DataFrame, places: NDArray[np.intp], rows: pl.DataFrame, columns: Iterable[str]
) -> pl.DataFrame:
    """Return ``table`` with the named columns of ``rows`` at ``places``."""
    names = list(columns)
    source = np.arange(table.height)
    source[places] = table.height + np.arange(len(places))
    return table.with_columns(pl.concat([table.select(names), rows.select(names)])[source].get_columns())


def _without_rows(table: pl.DataFrame, made: NDArray[np.bool_]) -> pl.DataFrame:
    kept = pl.lit(pl.Series(made))
    return table.select(pl.when(kept).then(pl.col(name)).alias(name) for name in table.columns)
