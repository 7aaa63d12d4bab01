"""The classes of a table's rows: the values of a column, bins of numbers or instants, or combinations of several.

A row that is missing a cell in one of the columns belongs to no class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """What one column adds to a class: the value itself, or the bin that it falls into.

    Attributes
    ----------
    name
        The column's.
    edges
        Rising, of the column's type, for a column of numbers or instants; a value on an edge belongs to the bin above.
        ``None``: each value is a class.
    typed
        The edges as a person typed them.
    """

    name: str
    edges: pl.Series | None = None
    typed: tuple[str, ...] = ()

    @property
    def bins(self) -> tuple[str, ...]:
        """What the bins are called, from the lowest to the highest; none where values are classes.

        >>> Axis("distance", pl.Series([500, 1000]), ("500", "1000")).bins
        ('<500', '500..1000', '>=1000')
        """
        if self.edges is None:
            return ()
        inner = (f"{low}..{high}" for low, high in zip(self.typed, self.typed[1:], strict=False))
        return (f"<{self.typed[0]}", *inner, f">={self.typed[-1]}")

    def places(self, series: pl.Series) -> pl.Series:
        """Return what classes are told apart by: the value, or the number of its bin from 0 on; null where missing."""
        if self.edges is None:
            return series.fill_nan(None) if series.dtype.is_float() else series
        known = series.fill_nan(None) if series.dtype.is_float() else series
        found = np.searchsorted(self.edges.to_physical().to_numpy(), known.to_physical().to_numpy(), side="right")
        return pl.Series(series.name, found.astype(np.int64)).set(known.is_null(), None)


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes that a table's rows belong to, in the order of their values.

    Attributes
    ----------
    axes
        The columns, in the order in which they were named.
    members
        One row a class: a value of each column (or the number of a bin).
    counts
        Rows of each class in the table.
    """

    axes: tuple[Axis, ...]
    members: pl.DataFrame
    counts: Numbers

    @classmethod
    def of(cls, table: pl.DataFrame, axes: Sequence[Axis], asked: pl.DataFrame | None = None) -> Classes:
        """Return the classes of ``table``, and those ``asked`` for (as ``members``) that it has no row of."""
        found = _placed(table, axes).drop_nulls()
        counted = found.group_by(found.columns).len("rows")
        if asked is not None and asked.height:
            absent = asked.unique().join(counted, on=asked.columns, how="anti")
            counted = pl.concat([counted, absent.with_columns(rows=pl.lit(0, counted["rows"].dtype))])
        counted = counted.sort(found.columns)
        return cls(tuple(axes), counted.drop("rows"), counted["rows"].to_numpy().astype(np.int64))

    def __len__(self) -> int:
        return self.members.height

    def label(self, table: pl.DataFrame) -> Numbers:
        """Return the class of each row of ``table``, -1 for a row that belongs to none."""
        placed = _placed(table, self.axes)
        numbered = self.members.with_row_index("class")
        found = placed.join(numbered, on=placed.columns, how="left", maintain_order="left")["class"]
        return found.cast(pl.Int64).fill_null(-1).to_numpy()

    def number(self, member: pl.DataFrame) -> int:
        """Return the number of the class that ``member`` (one row) is."""
        joined = self.members.with_row_index("class").join(member, on=self.members.columns, how="inner")
        return int(joined["class"][0])

    def given(self, number: int) -> pl.DataFrame:
        """Return the cells that all rows of a class have in common, one row: those of columns that are not binned."""
        return self.members[number].select(axis.name for axis in self.axes if axis.edges is None)

    @property
    def binned(self) -> bool:
        """Whether some column is told apart by bins."""
        return any(axis.edges is not None for axis in self.axes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each class is called: its value or bin, or with several columns ``late=true,origin=JFK``."""
        texts = [_texts(self.members[axis.name], axis) for axis in self.axes]
        if len(self.axes) == 1:
            return tuple(texts[0])
        return tuple(
            ",".join(f"{axis.name}={text}" for axis, text in zip(self.axes, row, strict=True))
            for row in zip(*texts, strict=True)
        )


def _placed(table: pl.DataFrame, axes: Sequence[Axis]) -> pl.DataFrame:
    return pl.DataFrame([axis.places(table[axis.name]) for axis in axes])


def _texts(places: pl.Series, axis: Axis) -> list[str]:
    if axis.edges is not None:
        return [axis.bins[place] for place in places]
    if places.dtype == pl.Boolean:
        return [str(value).lower() for value in places]
    return [str(value) for value in places]
