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

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.rowkeys import canonical_bits
from synthcli.schema import Column, Kind, Schema

Codes = npt.NDArray[np.uint8]

BINS = 10
MIN_CATEGORY_ROWS = 5


class Axis(Protocol):
    """How one column is coded; ``NumberAxis`` and ``CategoryAxis`` conform."""

    @property
    def cardinality(self) -> int:
        """Number of codes."""

    def encode(self, series: pl.Series) -> Codes:
        """Return one code a cell, each below ``cardinality``."""


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
    def fit(cls, series: pl.Series) -> NumberAxis:
        """Choose the bins from the training part's values (all cells may be missing)."""
        values = numbers(series)
        distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        if not len(distinct):
            return cls(np.inf, -np.inf, np.empty(0))
        return cls(float(distinct[0]), float(distinct[-1]), equal_frequency_cuts(distinct, counts, BINS))

    @property
    def cardinality(self) -> int:
        return 3 + len(self.cuts) + 1

    def encode(self, series: pl.Series) -> Codes:
        values = numbers(series)
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

    Codes: 0 missing, 1 unseen in the training part, 2 any other training category, then the frequent ones.
    """

    frequent: tuple[Any, ...]
    other: tuple[Any, ...]

    @classmethod
    def fit(cls, series: pl.Series) -> CategoryAxis:
        """Choose the categories from the training part's cells; ties go to the smaller value."""
        tally = category_counts(series)
        levels, counts = tally["level"].to_list(), tally["count"].to_list()
        kept = sum(1 for count in counts[:BINS] if count >= MIN_CATEGORY_ROWS)
        return cls(tuple(levels[:kept]), tuple(levels[kept:]))

    @property
    def cardinality(self) -> int:
        return 3 + len(self.frequent)

    def encode(self, series: pl.Series) -> Codes:
        levels = [*self.frequent, *self.other]
        known = [3 + i for i in range(len(self.frequent))] + [2] * len(self.other)
        if not levels:
            return np.where(series.is_null().to_numpy(), 0, 1).astype(np.uint8)
        lookup = pl.DataFrame(
            {"level": pl.Series(levels, dtype=series.dtype), "code": pl.Series(known, dtype=pl.UInt8)}
        )
        found = series.to_frame("level").join(lookup, on="level", how="left", maintain_order="left")["code"]
        codes = found.fill_null(1).to_numpy()
        return np.where(series.is_null().to_numpy(), np.uint8(0), codes)


@dataclass(frozen=True, slots=True, eq=False)
class CountEncoding:
    """One axis for each modelled column of a schema, in the schema's order."""

    columns: tuple[Column, ...]
    axes: tuple[Axis, ...]

    @classmethod
    def fit(cls, train: pl.DataFrame, schema: Schema) -> CountEncoding:
        """Choose every axis from the training part."""
        return cls(schema.modelled, tuple(_fit_axis(train[c.name], c) for c in schema.modelled))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coded columns."""
        return tuple(column.name for column in self.columns)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each column."""
        return tuple(axis.cardinality for axis in self.axes)

    def encode(self, frame: pl.DataFrame) -> Codes:
        """Return codes of shape (columns, rows): each column's codes lie together in memory."""
        coded = [axis.encode(frame[name]) for name, axis in zip(self.names, self.axes, strict=True)]
        return np.stack(coded) if coded else np.empty((0, frame.height), dtype=np.uint8)


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
        values = finite_numbers(series)
        distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        below = np.concatenate(([0], np.cumsum(counts)))  # values smaller than the i-th distinct one
        between = np.empty(2 * len(distinct) + 1, dtype=np.int64)
        between[::2], between[1::2] = 2 * below, below[:-1] + below[1:]
        total = max(1, int(below[-1]))
        return cls(distinct, (2 * between * len(series) + total) // (2 * total))

    def encode(self, series: pl.Series) -> npt.NDArray[np.int64]:
        """Return one position a cell, -1 for a missing one."""
        values = finite_numbers(series)
        slot = np.searchsorted(self.values, values, side="left")
        known = np.append(self.values, np.nan)[slot] == values
        return np.where(np.isnan(values), -1, self.positions[2 * slot.clip(max=len(self.values)) + known])


@dataclass(frozen=True, slots=True, eq=False)
class DistanceEncoding:
    """Ranks for the numeric and datetime columns of a schema, codes for its categorical and boolean ones."""

    columns: tuple[Column, ...]
    ranks: dict[str, RankAxis]
    unit: int

    @classmethod
    def fit(cls, pool: pl.DataFrame, schema: Schema) -> DistanceEncoding:
        """Rank every numeric column over ``pool``: all rows of training part and holdout together."""
        ranked = [column.name for column in schema.modelled if _is_ranked(column)]
        return cls(schema.modelled, {name: RankAxis.fit(pool[name]) for name in ranked}, max(1, 2 * pool.height))

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
        numeric = [self.ranks[c.name].encode(frame[c.name]) for c in self.columns if _is_ranked(c)]
        codes = [canonical_bits(frame[c.name]).view(np.int64) for c in self.columns if not _is_ranked(c)]
        return Points(_as_columns(numeric, frame.height), _as_columns(codes, frame.height), self.unit)


def finite_numbers(series: pl.Series) -> npt.NDArray[np.float64]:
    """Return :func:`numbers` with every infinite value as NaN."""
    values = numbers(series)
    return np.where(np.isfinite(values), values, np.nan)


def numbers(series: pl.Series) -> npt.NDArray[np.float64]:
    """Return a numeric, boolean or datetime column as float64 (instants in microseconds), missing as NaN."""
    if series.dtype.is_temporal():
        series = series.cast(pl.Datetime("us")).to_physical()
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def category_counts(series: pl.Series) -> pl.DataFrame:
    """Return the non-missing values as ``level`` with their ``count``, the most frequent first, ties by value."""
    tally = series.drop_nulls().alias("level").value_counts(name="count")
    return tally.sort(["count", "level"], descending=[True, False])


def equal_frequency_cuts(
    distinct: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], bins: int
) -> npt.NDArray[np.float64]:
    """Return the inclusive upper ends of all but the last of at most ``bins`` bins over sorted distinct values.

    Cuts are the quantiles k/bins, so a value that many rows share makes the bins around it fewer. At most ``bins``
    distinct values get a bin each.
    """
    if len(distinct) <= bins:
        return distinct[:-1]
    cumulative = np.cumsum(counts)
    ends = np.searchsorted(cumulative, cumulative[-1] * np.arange(1, bins) / bins)
    cuts: npt.NDArray[np.float64] = distinct[np.unique(ends[ends < len(distinct) - 1])]
    return cuts


def _fit_axis(series: pl.Series, column: Column) -> Axis:
    if column.kind in (Kind.NUMERIC, Kind.DATETIME):
        return NumberAxis.fit(series)
    return CategoryAxis.fit(series)


def _is_ranked(column: Column) -> bool:
    return column.kind in (Kind.NUMERIC, Kind.DATETIME)


def _as_columns(columns: list[npt.NDArray[np.int64]], rows: int) -> npt.NDArray[np.int64]:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), dtype=np.int64)
