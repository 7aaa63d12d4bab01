"""Validity: does every synthetic cell and row keep to what the training part shows is possible?

The training part scores 1 by definition wherever a share is counted. Fresh real rows need not: their extremes lie
outside the training part's now and then, and a rare category may be new. So the reference is what the holdout scores in
the place of the synthetic rows. A share of cells or rows means the same at every sample size; only the largest
difference of a missing rate grows as samples shrink, and is therefore brought to equal size.

NaN, which the tables' readers take for missing, is a missing cell here too, except where numbers are judged: there it
is one that is not finite.

What the training part shows is fitted once. Of the other tables only sums over rows are needed, so that they can be
counted part by part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from scipy.special import ndtr

from synthcli.columns import Floats, Table, as_table, each_column, numbers, places
from synthcli.config.models import Constraint, FixedCombinations
from synthcli.constraints import Flags, check_columns, columns_of, describe, holds
from synthcli.counts import Counts
from synthcli.forms import polars_dtype
from synthcli.metrics.estimate import (
    Estimate,
    Interval,
    normal_interval,
    normal_quantile,
    not_measured,
    wilson_interval,
)
from synthcli.metrics.sums import (
    SAMPLE_ROWS,
    Bits,
    KeyCounts,
    Own,
    added,
    flags_by_row,
    highest_key,
    joint_counts,
    packed,
    rows_with,
)
from synthcli.schema import Column, Kind, Schema
from synthcli.seeds import generator

FAMILY = "validity"
SCHEMA = f"{FAMILY}.schema"
RANGES = f"{FAMILY}.ranges"
CATEGORIES = f"{FAMILY}.categories"
KEYS = f"{FAMILY}.keys"
MISSING = f"{FAMILY}.missing"
CONSTRAINTS = f"{FAMILY}.constraints"

_HOLDOUT = "holdout"
_DEFINED = "1 by definition"
_Z = normal_quantile(0.975)
_DRAWS = 4_000
#: Units in the last place by which a float may miss the decimal number that it stands for.
_ULPS = 4
_BLOCK = 2**15  # numbers judged at a time: they stay in the processor's cache


def measure_validity(
    train: Table | pl.DataFrame,
    holdout: Table | pl.DataFrame,
    synthetic: Table | pl.DataFrame,
    schema: Schema,
    constraints: Sequence[Constraint],
) -> tuple[Estimate, ...]:
    """Measure the whole family; every share lies in [0, 1] and 1 is best.

    All three tables have the modelled columns of ``schema``. The synthetic one holds whole numbers as Float64, so that
    fractions can be seen. Raises ``ConfigError`` for a constraint that does not fit the schema.
    """
    train, holdout, synthetic = as_table(train), as_table(holdout), as_table(synthetic)
    counter = ValidityCounter.fit(train, schema, constraints, rows=synthetic.height)
    return counter.conclude(counter.count(holdout, keys=False), counter.count(synthetic))


@dataclass(frozen=True, slots=True, eq=False)
class ValidityCounter:
    """What the training part shows is possible, and the counting of tables by it.

    Attributes
    ----------
    train_rows
        Number of training rows.
    ranges
        The smallest and largest finite value of each numeric and datetime column, the wrong way round where there is
        none.
    categories
        The values of each categorical and boolean column.
    missing
        Missing cells of each modelled column.
    keys
        Of each id column whether it is a key: there, with no cell missing and none repeated.
    combinations
        For each constraint the different rows of its columns, where it asks for them; else no rows.
    highest
        Ids are counted whose key lies at or below this one.
    """

    schema: Schema
    constraints: tuple[Constraint, ...]
    train_rows: int
    ranges: Mapping[str, tuple[float, float]]
    categories: Mapping[str, pl.Series]
    missing: Counts
    keys: Mapping[str, bool]
    combinations: tuple[pl.DataFrame, ...]
    highest: int

    @classmethod
    def fit(
        cls, train: Table, schema: Schema, constraints: Sequence[Constraint], *, rows: int, limit: int = SAMPLE_ROWS
    ) -> Self:
        """Learn what is possible, to count a table of ``rows`` rows in whole or in parts.

        Of more than ``limit`` rows the ids of about ``limit`` are looked at. Raises ``ConfigError`` for a constraint
        that does not fit the schema.
        """
        for constraint in constraints:
            check_columns(constraint, schema)
        names = [column.name for column in schema.modelled]
        ids = [column.name for column in schema if column.kind is Kind.ID]
        return cls(
            schema,
            tuple(constraints),
            train.height,
            {column.name: _range(train, column) for column in _ordered(schema)},
            {column.name: train.levels(column.name).values for column in _classed(schema)},
            np.array([rows_with(missing_cells(train[name])) for name in names], dtype=np.int64),
            {name: name in train.columns and _is_key(train[name]) for name in ids},
            tuple(_combinations(train, constraint) for constraint in constraints),
            highest_key(rows, limit),
        )

    def count(self, part: Table, *, keys: bool = True) -> ValidityCounts:
        """Count a table, or some of its rows; ``keys`` is for synthetic rows, of real ones nobody asks."""
        names = [column.name for column in self.schema.modelled]
        cells = dict(zip(names, each_column(lambda name: self._cells(part, name), names, (part,)), strict=True))
        return ValidityCounts(
            part.height,
            np.array([cells[name].form for name in names], dtype=np.int64).reshape(-1, 2),
            ShareCounts.of([cells[name] for name in self.ranges], part.height),
            ShareCounts.of([cells[name] for name in self.categories], part.height),
            joint_counts([cells[name].missing for name in names]),
            self._kept(part),
            KeyCounts.of(part, [name for name, is_key in self.keys.items() if is_key and keys], self.highest),
        )

    def conclude(self, holdout: ValidityCounts, synthetic: ValidityCounts) -> tuple[Estimate, ...]:
        """Return the estimates of the whole family from the counts of both tables."""
        if not (self.train_rows and holdout.rows and synthetic.rows):
            names = (SCHEMA, RANGES, CATEGORIES, KEYS, MISSING, CONSTRAINTS)
            return tuple(not_measured(name, FAMILY, "a table has no rows", n=synthetic.rows) for name in names)
        return (
            *measure_schema(self, synthetic),
            *measure_ranges(self, holdout, synthetic),
            *measure_categories(self, holdout, synthetic),
            *measure_keys(self, synthetic),
            *measure_missing(self, holdout, synthetic),
            *measure_constraints(self, holdout, synthetic),
        )

    def _cells(self, part: Table, name: str) -> _Cells:
        column, series = self.schema[name], part[name]
        judged = self._inside(part, column, series) if column.ordered else self._known(part, name)
        return judged._replace(form=in_form(series, column))

    def _inside(self, part: Table, column: Column, series: pl.Series) -> _Cells:
        low, high = self.ranges[column.name]
        absent = packed(series.is_null().to_numpy()) if series.null_count() else None
        inside = np.zeros(part.height, dtype=np.bool_)
        if _has_type(part, column):
            values = part.numbers(column.name)
            inside = (values >= low) & (values <= high)
        return _Cells(missing_cells(series), absent, packed(~inside))

    def _known(self, part: Table, name: str) -> _Cells:
        """Judge categories; mostly all of them are known and none is missing, which the counts of the levels tell."""
        levels = part.levels(name)
        shown = places(levels.values, self.categories[name]) >= 0
        missing = None if levels.counts.sum() == part.height else packed(levels.codes == levels.missing)
        return _Cells(missing, missing, missing if shown.all() else packed(~levels.spread(shown, False)))

    def _kept(self, part: Table) -> Counts:
        pairs = zip(self.constraints, self.combinations, strict=True)
        kept = [int(holds(rule, part.select(columns_of(rule)), known).sum()) for rule, known in pairs]
        return np.array(kept, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ValidityCounts:
    """What the family needs to know of a table's rows; counts of two parts add up to those of both.

    Attributes
    ----------
    rows
        Number of rows.
    form
        For each modelled column the cells that are there and those in form, of shape (columns, 2).
    ranges, categories
        Cells within the range, and of a known category.
    missing
        Rows in which both of two columns are missing, of shape (columns, columns); on the diagonal, one.
    constraints
        For each constraint the rows that keep it.
    keys
        The ids.
    """

    rows: int
    form: Counts
    ranges: ShareCounts
    categories: ShareCounts
    missing: Counts
    constraints: Counts
    keys: KeyCounts

    def __add__(self, other: ValidityCounts) -> ValidityCounts:
        """Return the counts of both sets of rows."""
        return ValidityCounts(
            self.rows + other.rows,
            added(self.form, other.form),
            self.ranges + other.ranges,
            self.categories + other.categories,
            added(self.missing, other.missing),
            added(self.constraints, other.constraints),
            self.keys + other.keys,
        )


class _Cells(NamedTuple):
    """A column's cells: which are missing, null or else, which are null, and which are not good, null ones among them.

    ``form`` has the numbers of cells that are there and of those in form.
    """

    missing: Bits
    absent: Bits
    bad: Bits
    form: tuple[int, int] = (0, 0)


class _Share(NamedTuple):
    """A share with its interval and standard error."""

    value: float
    interval: Interval
    se: float


def _ordered(schema: Schema) -> list[Column]:
    return [column for column in schema.modelled if column.ordered]


def _classed(schema: Schema) -> list[Column]:
    return [column for column in schema.modelled if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN)]


# Form


def measure_schema(counter: ValidityCounter, synthetic: ValidityCounts) -> tuple[Estimate, ...]:
    """Measure ``validity.schema``: the share of modelled columns of which every synthetic cell has the schema's form.

    The form of a number: finite, with at most the column's decimals, and inside the range of an integer type. Other
    columns have their type. For a single column, it is the share of its cells. The table's value is a count of what is
    there, so that its interval has no width; the reference is 1, since the schema is what real rows look like.
    """
    names = [column.name for column in counter.schema.modelled]
    if not names:
        return (not_measured(SCHEMA, FAMILY, "the table has no column to measure", n=synthetic.rows),)
    broken = sum(1 for cells, kept in synthetic.form.tolist() if kept < cells)
    value = 1 - broken / len(names)
    detail = f"{broken:,} of {len(names):,} columns hold a cell that is not in the training schema's form"
    whole = _estimate(SCHEMA, _Share(value, Interval(value, value), 0.0), synthetic.rows, detail)
    singles = []
    for name, (cells, kept) in zip(names, synthetic.form.tolist(), strict=True):
        if not cells:
            singles.append(not_measured(SCHEMA, FAMILY, "every synthetic cell is missing", columns=(name,)))
            continue
        detail = f"{cells - kept:,} of {cells:,} cells are not in the training schema's form"
        singles.append(_estimate(SCHEMA, _share(kept, cells), cells, detail, columns=(name,)))
    return whole, *singles


def in_form(series: pl.Series, column: Column) -> tuple[int, int]:
    """Return how many cells are there and how many of them have the form that ``column`` says."""
    dtype, present = polars_dtype(column.dtype), len(series) - series.null_count()
    if dtype.is_numeric() and series.dtype.is_numeric():
        blocks = range(0, len(series), _BLOCK)
        return present, sum(_numbers_in_form(series[start : start + _BLOCK], column) for start in blocks)
    fits = series.dtype in (pl.Date, pl.Datetime) if dtype.is_temporal() else series.dtype == dtype
    return present, present if fits else 0


def _numbers_in_form(series: pl.Series, column: Column) -> int:
    """Return how many numbers are finite, have the column's decimals, and fit its integer type; missing ones do not."""
    dtype = polars_dtype(column.dtype)
    values = numbers(series)
    good = np.isfinite(values)
    safe = np.where(good, values, 0.0)
    if dtype.is_integer():
        limits = np.iinfo(column.dtype.lower())
        good &= (safe >= float(limits.min)) & (safe <= float(limits.max)) & (safe == np.rint(safe))
    elif column.decimals is not None:
        single = pl.Float32 in (series.dtype, dtype)
        good &= has_decimals(safe, column.decimals, float(np.finfo(np.float32 if single else np.float64).eps))
    return int(np.count_nonzero(good))


def has_decimals(values: Floats, decimals: int, eps: float = float(np.finfo(np.float64).eps)) -> Flags:
    """Return which finite ``values`` are the nearest floats, or almost, of a number with at most ``decimals`` digits.

    ``eps`` is the relative rounding of the type in which they were stored. Where a float holds no more digits than
    that anyway, every value passes.
    """
    if decimals == 0:
        return np.asarray(values == np.rint(values))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values * 10.0 ** min(decimals, 308)
        near = np.abs(scaled - np.rint(scaled)) <= _ULPS * eps * np.abs(scaled)
    return np.asarray(near | ~np.isfinite(scaled))


# Ranges and categories


def measure_ranges(
    counter: ValidityCounter, holdout: ValidityCounts, synthetic: ValidityCounts
) -> tuple[Estimate, ...]:
    """Measure ``validity.ranges``: the share of numeric and datetime cells in the training part's [min, max].

    Cells that are not finite are outside, and so is every cell of a column of which the training part has none. A
    fresh row of a continuous column is outside with probability 2/(n_train + 1).
    """
    what = "lie within the training part's smallest and largest value"
    sides = (holdout.ranges, synthetic.ranges)
    return _cell_shares(RANGES, tuple(counter.ranges), *sides, synthetic.rows, "numeric or datetime", what)


def measure_categories(
    counter: ValidityCounter, holdout: ValidityCounts, synthetic: ValidityCounts
) -> tuple[Estimate, ...]:
    """Measure ``validity.categories``: the share of categorical and boolean cells that the training part shows too."""
    what, sides = "have a category of the training part", (holdout.categories, synthetic.categories)
    return _cell_shares(CATEGORIES, tuple(counter.categories), *sides, synthetic.rows, "categorical or boolean", what)


def _range(train: Table, column: Column) -> tuple[float, float]:
    """Return the smallest and the largest finite value of the training part, in the wrong order where it has none."""
    if not _has_type(train, column):
        return np.inf, -np.inf
    values = train.distinct(column.name).finite.values
    return (float(values[0]), float(values[-1])) if len(values) else (np.inf, -np.inf)


def _has_type(table: Table, column: Column) -> bool:
    dtype = table.schema[column.name]
    return dtype in (pl.Date, pl.Datetime) if column.kind is Kind.DATETIME else dtype.is_numeric()


@dataclass(frozen=True, slots=True, eq=False)
class ShareCounts:
    """Cells of some columns: how many are there and good, and how these lie in rows together.

    Attributes
    ----------
    cells
        For each column the cells that are there and the good ones, of shape (columns, 2).
    rows
        Number of rows with a cell.
    products
        Σ x xᵀ over rows, of shape (2, 2), where x is a row's number of cells that are there and of good ones.
    """

    cells: Counts
    rows: int
    products: Counts

    @classmethod
    def of(cls, columns: Sequence[_Cells], rows: int) -> Self:
        """Count some columns of ``rows`` rows."""
        lacking = [column.absent for column in columns], [column.bad for column in columns]
        cells = np.array([[rows - rows_with(bits) for bits in side] for side in lacking], dtype=np.int64).T
        shown, products = 0, np.zeros((2, 2), dtype=np.int64)
        for sides in zip(*(flags_by_row(side, rows) for side in lacking), strict=True):
            there = len(columns) - np.stack(sides)
            shown += int(np.count_nonzero(there[0]))
            products += (there @ there.T).astype(np.int64)  # whole numbers below 2^53, which floats hold exactly
        return cls(cells, shown, products)

    def __add__(self, other: ShareCounts) -> ShareCounts:
        """Return the counts of both sets of rows."""
        cells, products = added(self.cells, other.cells), added(self.products, other.products)
        return ShareCounts(cells, self.rows + other.rows, products)

    def single(self, column: int) -> _Share | None:
        """Return the share of one column's cells that are good, ``None`` where there is no cell."""
        cells, kept = self.cells[column].tolist()
        return _share(kept, cells) if cells else None

    def share(self) -> _Share | None:
        """Return the share of all columns' cells that are good, ``None`` where there is no cell.

        Its variance is the ratio estimator's (Cochran 1977, Sampling Techniques, 6.4), as if rows had been drawn: cells
        of one row depend on each other. The interval is Wilson's of as many independent cells as would have that
        variance (Korn and Graubard 1998, Survey Methodology 24:193); of one a row where the variance is nought, since
        then nothing tells cells from rows.
        """
        cells, kept = self.cells.sum(axis=0).tolist()
        if not cells:
            return None
        share, variance = kept / cells, self.variance(cells, kept)
        trials = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else self.rows
        return _share(share * min(trials, cells), min(trials, cells))

    def variance(self, cells: int, kept: int) -> float:
        """Return the variance of kept/cells: Σ (good - share · present)² over rows, in whole numbers, so exactly."""
        (present, both), (_, good) = self.products.tolist()
        squares = good * cells**2 - 2 * both * kept * cells + present * kept**2
        return float(squares / cells**4 * self.rows / max(self.rows - 1, 1))


def _cell_shares(
    name: str,
    columns: Sequence[str],
    holdout: ShareCounts,
    synthetic: ShareCounts,
    rows: int,
    kinds: str,
    what: str,
) -> tuple[Estimate, ...]:
    """Return a share of good cells for the table, all columns' cells together, and for each column."""
    if not columns:
        return (not_measured(name, FAMILY, f"the table has no {kinds} column", n=rows),)
    singles = []
    for i, column in enumerate(columns):
        cells, kept = synthetic.cells[i].tolist()
        detail = f"{kept:,} of {cells:,} cells {what}"
        singles.append(_against(name, synthetic.single(i), holdout.single(i), cells, detail, columns=(column,)))
    cells, kept = synthetic.cells.sum(axis=0).tolist()
    detail = f"{kept:,} of {cells:,} cells in {len(columns):,} columns {what}"
    return _against(name, synthetic.share(), holdout.share(), rows, detail), *singles


# Keys


def measure_keys(counter: ValidityCounter, synthetic: ValidityCounts) -> tuple[Estimate, ...]:
    """Measure ``validity.keys``: the share of synthetic rows of which each id is there and occurs in no other row.

    Only ids that are unique and complete in the training part are keys; there the share is 1 by definition.
    """
    columns, rows, singles = synthetic.keys.columns, synthetic.rows, []
    for name, is_key in counter.keys.items():
        if name in columns:
            own, place = synthetic.keys.single(columns.index(name)), columns.index(name)
            source = synthetic.keys.contents[place].source
            singles.append(_own_estimate(own, rows, "have a key of their own", source, columns=(name,)))
            continue
        reason = "the training part's values repeat or are missing, so that it is no key"
        reason = "the synthetic table lacks the column" if is_key else reason
        singles.append(not_measured(KEYS, FAMILY, reason, n=rows, columns=(name,)))
    if not columns:
        reason = "no id column is unique and complete in the training part and there in the synthetic table"
        return not_measured(KEYS, FAMILY, reason, n=rows), *singles
    what, source = f"have their own key in {_plural(len(columns), 'column')}", synthetic.keys.contents[0].source
    return _own_estimate(synthetic.keys.every(), rows, what, source), *singles


def _own_estimate(own: Own, rows: int, what: str, source: str, *, columns: tuple[str, ...] = ()) -> Estimate:
    """Return the estimate from all rows, or from a sample, whose error is then added."""
    share, kept = _share(own.kept, rows), own.kept
    detail = f"{kept:,} of {rows:,} rows {what}"
    if source:
        share, detail = _normal_share(share.value, hypot(share.se, own.error / rows)), f"about {detail}{source}"
    return _estimate(KEYS, share, rows, detail, columns)


def _is_key(series: pl.Series) -> bool:
    return series.null_count() == 0 and series.n_unique() == len(series)


# Missing cells


@dataclass(frozen=True, slots=True, eq=False)
class _MissingRates:
    """Rates of missing cells of one table, of shape (columns,), and their covariance in one row of it."""

    rows: int
    rates: Floats
    covariance: Floats

    @classmethod
    def of(cls, rows: int, together: Counts) -> Self:
        """Divide the numbers of rows in which both of two columns are missing."""
        rates = np.diagonal(together) / rows
        return cls(rows, rates, together / rows - np.outer(rates, rates))

    def thinned(self, size: int) -> Floats:
        """Return the covariance of the rates among ``size`` of the rows, drawn without replacement, around these."""
        left = (self.rows - size) / max(self.rows - 1, 1)
        thinned: Floats = self.covariance * (left / size)
        return thinned

    @property
    def variances(self) -> Floats:
        """The rates' sampling variances; two cells of either sort are added, so that a rate of 0 is not certain."""
        softened = (self.rates * self.rows + 2) / (self.rows + 4)
        variances: Floats = softened * (1 - softened) / self.rows
        return variances


def measure_missing(
    counter: ValidityCounter, holdout: ValidityCounts, synthetic: ValidityCounts
) -> tuple[Estimate, ...]:
    """Measure ``validity.missing``: 1 - the largest difference, over columns, of synthetic and training missing rates.

    Value and reference (the holdout's) are what ``min(n_synthetic, n_holdout)`` rows score on average. For the table
    of just that size it is the plain difference. For a larger one it is the mean over subsets of that size, whose
    rates are taken for normal with the exact covariance of draws without replacement: in closed form for one column,
    by 4,000 seeded draws for the largest of many. The standard error is that of the least certain column: the largest
    of some normal variables varies no more than the one that varies most (Gaussian Poincaré inequality).
    """
    names = [column.name for column in counter.schema.modelled]
    size = min(synthetic.rows, holdout.rows)
    if not names:
        return (not_measured(MISSING, FAMILY, "the table has no column to measure", n=size),)
    real = _MissingRates.of(counter.train_rows, np.diag(counter.missing))
    fresh, made = (_MissingRates.of(side.rows, side.missing) for side in (holdout, synthetic))
    value, reference = (1 - largest_difference(rates, real.rates, size) for rates in (made, fresh))
    ses, reference_ses = (np.sqrt(rates.variances + real.variances) for rates in (made, fresh))
    detail = f"1 - the largest difference of a missing rate among {_plural(len(names), 'column')}, {size:,} rows a side"
    whole = _estimate(
        MISSING,
        _normal_share(value, float(ses.max())),
        size,
        detail,
        reference=_normal_share(reference, float(reference_ses.max())),
    )
    values, references = (1 - column_differences(rates, real.rates, size) for rates in (made, fresh))
    detail = "1 - the difference of the synthetic and the training part's missing rate, {:.2%} and {:.2%}"
    singles = (
        _estimate(
            MISSING,
            _normal_share(float(values[i]), float(ses[i])),
            size,
            detail.format(made.rates[i], real.rates[i]),
            (name,),
            _normal_share(float(references[i]), float(reference_ses[i])),
        )
        for i, name in enumerate(names)
    )
    return whole, *singles


def column_differences(rates: _MissingRates, target: Floats, size: int) -> Floats:
    """Return for each column E|rate - target| over subsets of ``size`` rows: the mean of a folded normal variable."""
    gaps, sds = rates.rates - target, np.sqrt(np.diagonal(rates.thinned(size)))
    z = np.divide(gaps, sds, out=np.zeros_like(gaps), where=sds > 0)
    folded = sds * 2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) + gaps * (1 - 2 * ndtr(-z))
    differences: Floats = np.minimum(np.where(sds > 0, folded, np.abs(gaps)), 1.0)
    return differences


def largest_difference(rates: _MissingRates, target: Floats, size: int) -> float:
    """Return E max over columns of |rate - target| over subsets of ``size`` of the rows."""
    gaps, covariance = rates.rates - target, rates.thinned(size)
    if rates.rows == size or not covariance.any():
        return float(np.abs(gaps).max())
    if len(gaps) == 1:
        return float(column_differences(rates, target, size)[0])
    strengths, directions = np.linalg.eigh(covariance)
    spread = directions * np.sqrt(np.maximum(strengths, 0.0))  # rounding leaves some a little below 0
    draws = generator(0, FAMILY, "missing").standard_normal((_DRAWS, len(gaps))) @ spread.T
    return min(1.0, float(np.abs(gaps + draws).max(axis=1).mean()))


def missing_cells(series: pl.Series) -> Bits:
    """Return which cells are null or NaN."""
    if series.dtype.is_float():
        return packed(np.isnan(numbers(series)))
    return packed(series.is_null().to_numpy()) if series.null_count() else None


# Constraints


def measure_constraints(
    counter: ValidityCounter, holdout: ValidityCounts, synthetic: ValidityCounts
) -> tuple[Estimate, ...]:
    """Measure ``validity.constraints``: the share of synthetic rows that hold, for each constraint and at the lowest.

    The reference is the holdout's share for the same constraint.
    """
    rows = synthetic.rows
    if not counter.constraints:
        return (not_measured(CONSTRAINTS, FAMILY, "no constraint is set in data.constraints", n=rows),)
    singles = []
    sides = zip(counter.constraints, synthetic.constraints.tolist(), holdout.constraints.tolist(), strict=True)
    for constraint, kept, real in sides:
        detail = f"{kept:,} of {rows:,} rows hold: {describe(constraint)}"
        share, reference = _share(kept, rows), _share(real, holdout.rows)
        singles.append(_estimate(CONSTRAINTS, share, rows, detail, columns_of(constraint), reference))
    worst = min(singles, key=lambda estimate: estimate.value if estimate.value is not None else 1.0)
    among = "" if len(singles) == 1 else f", the lowest share of {len(singles):,} constraints"
    return replace(worst, columns=(), detail=worst.detail + among), *singles


def _combinations(train: Table, constraint: Constraint) -> pl.DataFrame:
    """Return what ``holds`` has to know of the training part: its different rows, where the rule asks for them."""
    wanted = isinstance(constraint, FixedCombinations)
    return train.select(columns_of(constraint)).unique() if wanted else pl.DataFrame()


# Shares


def _share(good: float, trials: float) -> _Share:
    """Return a share with Wilson's interval, half of which stands for 1.96 standard errors, so that none is nought.

    Neither need be whole: ``trials`` may be an effective number.
    """
    low, high = wilson_interval(good, trials)
    value = good / trials
    return _Share(value, Interval(min(low, value), max(high, value)), (high - low) / (2 * _Z))


def _normal_share(value: float, se: float) -> _Share:
    return _Share(value, normal_interval(value, se, (0.0, 1.0)), se)


def _against(
    name: str, share: _Share | None, reference: _Share | None, n: int, detail: str, *, columns: tuple[str, ...] = ()
) -> Estimate:
    """Return an estimate where both sides have a cell, else the reason why there is none."""
    if share is None:
        return not_measured(name, FAMILY, "every synthetic cell is missing", n=n, columns=columns)
    if reference is None:
        return not_measured(name, FAMILY, "every cell of the holdout is missing", n=n, columns=columns)
    return _estimate(name, share, n, detail, columns, reference)


def _estimate(
    name: str,
    share: _Share,
    n: int,
    detail: str,
    columns: tuple[str, ...] = (),
    reference: _Share | None = None,
) -> Estimate:
    """Return the estimate of a share; without a reference, 1 is what real rows have by definition."""
    return Estimate(
        name,
        FAMILY,
        share.value,
        *share.interval,
        n=n,
        direction="higher",
        range=(0.0, 1.0),
        reference=1.0 if reference is None else reference.value,
        reference_kind=_DEFINED if reference is None else _HOLDOUT,
        reference_se=0.0 if reference is None else reference.se,
        detail=detail,
        columns=columns,
    )


def _plural(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
