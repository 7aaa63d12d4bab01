"""From a table's cells to integers: small codes that can be counted, and rank positions that have distances.

Owner of every bin edge and of every rank.

A ``CountEncoding`` is fitted on the training part alone and then applied to training, holdout and synthetic rows alike,
so that all three are counted on the same grid. Each column has codes of its own for what the training part does not
show: a missing cell, a value below or above its range, a category that it lacks.

A ``DistanceEncoding`` is fitted on training part and holdout pooled, blind to the side: fitted on the training part
alone it would put training rows at the ranks' steps and holdout rows between them, and a perfect generator would look
as if it kept away from one of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import Distinct, Levels, Table, as_table, each_column, finite_numbers, places
from synthcli.rowkeys import canonical_bits
from synthcli.schema import Column, Schema

Codes = npt.NDArray[np.uint8]

BINS = 10
MIN_CATEGORY_ROWS = 5


class Axis(Protocol):
    """How one column is coded; ``NumberAxis`` and ``CategoryAxis`` conform."""

    @property
    def cardinality(self) -> int:
        """Number of codes."""

    def code(self, table: Table, name: str) -> Codes:
        """Return one code a row of the table's column, each below ``cardinality``."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberAxis:
    """Numbers and instants in at most ten bins of about equal frequency.

    Codes: 0 missing, 1 below the training part's range, 2 above it, then the bins from left to right. ``cuts`` are the
    bins' inclusive upper ends except the last one's, which is ``high``.
    """

    low: float
    high: float
    cuts: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, train: Distinct) -> NumberAxis:
        """Choose the bins from the training part's values (there may be none)."""
        if not train.rows:
            return cls(np.inf, -np.inf, np.empty(0))
        return cls(float(train.values[0]), float(train.values[-1]), equal_frequency_cuts(train, BINS))

    @property
    def cardinality(self) -> int:
        return 3 + len(self.cuts) + 1

    def code(self, table: Table, name: str) -> Codes:
        return self.encode(table.numbers(name))

    def encode(self, values: npt.NDArray[np.float64]) -> Codes:
        """Return the code of each number; NaN is missing."""
        codes = np.full(len(values), 3, dtype=np.uint8)
        for cut in self.cuts:  # nine comparisons of all values are several times as fast as a binary search for each
            codes += values > cut
        codes[values < self.low] = 1
        codes[values > self.high] = 2
        codes[np.isnan(values)] = 0
        return codes


@dataclass(frozen=True, slots=True, eq=False)
class CategoryAxis:
    """The ten most frequent categories that have at least five rows, each with a code of its own.

    Codes: 0 missing, 1 unseen in the training part, 2 any other training category, then the frequent ones. ``known``
    are the training part's categories, of which the first ``kept`` are the frequent ones.
    """

    known: pl.Series
    kept: int

    @classmethod
    def fit(cls, train: Levels) -> CategoryAxis:
        """Choose the categories from the training part's; ties go to the smaller value."""
        return cls(train.values, int(np.count_nonzero(train.counts[:BINS] >= MIN_CATEGORY_ROWS)))

    @property
    def cardinality(self) -> int:
        return 3 + self.kept

    @property
    def frequent(self) -> tuple[Any, ...]:
        """The categories with a code of their own."""
        return tuple(self.known.head(self.kept))

    def code(self, table: Table, name: str) -> Codes:
        return self.encode(table.levels(name))

    def encode(self, levels: Levels) -> Codes:
        """Return the code of each row's category."""
        place = places(levels.values, self.known)
        codes = np.where(place < 0, 1, np.where(place < self.kept, 3 + place, 2)).astype(np.uint8)
        return levels.spread(codes, 0)


@dataclass(frozen=True, slots=True, eq=False)
class CountEncoding:
    """One axis for each modelled column of a schema, in the schema's order."""

    columns: tuple[Column, ...]
    axes: tuple[Axis, ...]

    @classmethod
    def fit(cls, train: Table | pl.DataFrame, schema: Schema) -> CountEncoding:
        """Choose every axis from the training part."""
        table = as_table(train)
        return cls(schema.modelled, tuple(_fit_axis(table, column) for column in schema.modelled))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coded columns."""
        return tuple(column.name for column in self.columns)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each column."""
        return tuple(axis.cardinality for axis in self.axes)

    def encode(self, rows: Table | pl.DataFrame) -> Codes:
        """Return codes of shape (columns, rows): each column's codes lie together in memory."""
        table = as_table(rows)
        codes = np.empty((len(self.axes), table.height), dtype=np.uint8)
        axes = dict(zip(self.names, zip(self.axes, codes, strict=True), strict=True))

        def fill(name: str) -> None:
            axis, row = axes[name]
            row[:] = axis.code(table, name)

        each_column(fill, self.names, [table])
        return codes


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Rows as integers with an exact distance (Gower 1971, doi:10.2307/2528823, on ranks).

    The distance of two rows is the sum over ``numbers`` of the absolute difference (``unit`` where exactly one of the
    two cells is missing, 0 where both are) plus ``unit`` times the number of differing ``categories``. Gower's distance
    in [0, 1] is that integer over ``unit * columns``.

    Attributes
    ----------
    numbers
        int64, (rows, r): rank positions in [0, ``unit``]; -1 for a missing cell.
    categories
        int64, (rows, c): codes that are equal exactly where the values are; missing is a code of its own.
    unit
        What one differing category weighs: the span of every numeric column.
    """

    numbers: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int64]
    unit: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.numbers.shape[0])

    @property
    def columns(self) -> int:
        """Number of columns, r + c."""
        return int(self.numbers.shape[1] + self.categories.shape[1])

    def __getitem__(self, rows: npt.NDArray[Any] | slice) -> Points:
        """Return the chosen rows (an array of indices, a mask or a slice)."""
        return Points(self.numbers[rows], self.categories[rows], self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class RankAxis:
    """Rank positions of a numeric or datetime column over the pool's values.

    A value v stands at (#values < v) + (#values <= v), an integer in [0, 2N] over the N non-missing values, scaled by
    pool rows / N and rounded so that columns with missing cells span the same [0, 2 * pool rows]. The factor is at
    least 1 and steps are at least 1 before it, so two different values of the pool never share a position, and a value
    that the pool lacks never shares one with a value of the pool; two lacking values between the same neighbours do.
    """

    values: npt.NDArray[np.float64]
    positions: npt.NDArray[np.int64]

    @classmethod
    def fit(cls, series: pl.Series) -> RankAxis:
        """Rank the pool's values (all cells may be missing)."""
        distinct = Distinct.of(finite_numbers(series))
        below = np.concatenate(([0], distinct.cumulative))  # values smaller than the i-th distinct one
        between = np.empty(2 * len(distinct.values) + 1, dtype=np.int64)
        between[::2], between[1::2] = 2 * below, below[:-1] + below[1:]
        return cls(distinct.values, _stretched(between, distinct.rows, len(series)))

    def encode(self, series: pl.Series) -> npt.NDArray[np.int64]:
        """Return one position a cell, -1 for a missing one."""
        values = finite_numbers(series)
        slot = np.searchsorted(self.values, values, side="left")
        known = np.append(self.values, np.nan)[slot] == values
        return np.where(np.isnan(values), -1, self.positions[2 * slot.clip(max=len(self.values)) + known])


@dataclass(frozen=True, slots=True, eq=False)
class RankLookup:
    """The positions of a :class:`RankAxis` over the rows of several tables, each counted apart: for a few cells.

    ``rows`` is the number of rows of all tables together.
    """

    tables: tuple[Table, ...]
    name: str
    rows: int

    def encode(self, series: pl.Series) -> npt.NDArray[np.int64]:
        """Return one position a cell, -1 for a missing one."""
        values, between, total = finite_numbers(series), np.zeros(len(series), dtype=np.int64), 0
        for table in self.tables:
            pool = table.distinct(self.name).finite
            between += pool.below(values) + pool.at_most(values)
            total += pool.rows
        return np.where(np.isnan(values), -1, _stretched(between, total, self.rows))


class Ranks(Protocol):
    """Rank positions of one column; ``RankAxis`` and ``RankLookup`` conform."""

    def encode(self, series: pl.Series) -> npt.NDArray[np.int64]:
        """Return one position a cell, -1 for a missing one."""


@dataclass(frozen=True, slots=True, eq=False)
class DistanceEncoding:
    """Ranks for the numeric and datetime columns of a schema, codes for its categorical and boolean ones."""

    columns: tuple[Column, ...]
    ranks: Mapping[str, Ranks]
    unit: int

    @classmethod
    def fit(cls, pool: pl.DataFrame, schema: Schema) -> DistanceEncoding:
        """Rank every numeric column over ``pool``: all rows of training part and holdout together."""
        ranked = [column.name for column in schema.modelled if column.ordered]
        return cls(schema.modelled, {name: RankAxis.fit(pool[name]) for name in ranked}, max(1, 2 * pool.height))

    @classmethod
    def over(cls, tables: Sequence[Table], schema: Schema) -> DistanceEncoding:
        """Return the encoding that :meth:`fit` finds for the tables' rows pooled, to encode a small part of them."""
        rows, ranked = sum(table.height for table in tables), [c.name for c in schema.modelled if c.ordered]
        ranks = {name: RankLookup(tuple(tables), name, rows) for name in ranked}
        return cls(schema.modelled, ranks, max(1, 2 * rows))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the encoded columns."""
        return tuple(column.name for column in self.columns)

    def select(self, names: Iterable[str]) -> DistanceEncoding:
        """Return the encoding of the named columns alone, in this encoding's order; the unit stays."""
        kept = set(names)
        return DistanceEncoding(tuple(c for c in self.columns if c.name in kept), self.ranks, self.unit)

    def encode(self, frame: pl.DataFrame) -> Points:
        """Return the rows' points; categories are keys of the values, so tables encoded apart can be compared."""
        numeric = [self.ranks[c.name].encode(frame[c.name]) for c in self.columns if c.ordered]
        codes = [canonical_bits(frame[c.name]).view(np.int64) for c in self.columns if not c.ordered]
        return Points(_as_columns(numeric, frame.height), _as_columns(codes, frame.height), self.unit)


def equal_frequency_cuts(column: Distinct, bins: int) -> npt.NDArray[np.float64]:
    """Return the inclusive upper ends of all but the last of at most ``bins`` bins over a column's values.

    Cuts are the quantiles k/bins, so a value that many rows share makes the bins around it fewer. At most ``bins``
    different values get a bin each.
    """
    values = column.values
    if len(values) <= bins:
        return values[:-1]
    ends = np.searchsorted(column.cumulative, column.rows * np.arange(1, bins) / bins)
    cuts: npt.NDArray[np.float64] = values[np.unique(ends[ends < len(values) - 1])]
    return cuts


def _fit_axis(train: Table, column: Column) -> Axis:
    if column.ordered:
        return NumberAxis.fit(train.distinct(column.name))
    return CategoryAxis.fit(train.levels(column.name))


def _stretched(between: npt.NDArray[np.int64], total: int, rows: int) -> npt.NDArray[np.int64]:
    """Return positions over ``total`` values as positions over ``rows`` rows, rounded."""
    total = max(1, total)
    stretched: npt.NDArray[np.int64] = (2 * between * rows + total) // (2 * total)
    return stretched


def _as_columns(columns: list[npt.NDArray[np.int64]], rows: int) -> npt.NDArray[np.int64]:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), dtype=np.int64)
