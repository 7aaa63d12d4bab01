"""Validity: does every synthetic cell and row keep to what the training part shows is possible?

The training part scores 1 by definition wherever a share is counted. Fresh real rows need not: their extremes lie
outside the training part's now and then, and a rare category may be new. So the reference is what the holdout scores in
the place of the synthetic rows. A share of cells or rows means the same at every sample size; only the largest
difference of a missing rate grows as samples shrink, and is therefore brought to equal size.

NaN, which the tables' readers take for missing, is a missing cell here too, except where numbers are judged: there it
is one that is not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtr

from synthcli.columns import Floats, Table, as_table, numbers, places
from synthcli.config.models import Constraint
from synthcli.constraints import Flags, check_columns, columns_of, describe, holds
from synthcli.forms import polars_dtype
from synthcli.metrics.estimate import (
    Estimate,
    Interval,
    normal_interval,
    normal_quantile,
    not_measured,
    wilson_interval,
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
    for constraint in constraints:
        check_columns(constraint, schema)
    train, holdout, synthetic = as_table(train), as_table(holdout), as_table(synthetic)
    if not (train.height and holdout.height and synthetic.height):
        names = (SCHEMA, RANGES, CATEGORIES, KEYS, MISSING, CONSTRAINTS)
        return tuple(not_measured(name, FAMILY, "a table has no rows", n=synthetic.height) for name in names)
    return (
        *measure_schema(synthetic, schema),
        *measure_ranges(train, holdout, synthetic, schema),
        *measure_categories(train, holdout, synthetic, schema),
        *measure_keys(train, synthetic, schema),
        *measure_missing(train, holdout, synthetic, schema),
        *measure_constraints(train, holdout, synthetic, constraints),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Verdicts:
    """Which cells of a column there are, and which of them are good (a subset)."""

    present: Flags
    good: Flags

    @property
    def cells(self) -> int:
        return int(self.present.sum())

    @property
    def kept(self) -> int:
        return int(self.good.sum())


class _Share(NamedTuple):
    """A share with its interval and standard error."""

    value: float
    interval: Interval
    se: float


# Form


def measure_schema(synthetic: Table, schema: Schema) -> tuple[Estimate, ...]:
    """Measure ``validity.schema``: the share of modelled columns of which every synthetic cell has the schema's form.

    The form of a number: finite, with at most the column's decimals, and inside the range of an integer type. Other
    columns have their type. For a single column, it is the share of its cells. The table's value is a count of what is
    there, so that its interval has no width; the reference is 1, since the schema is what real rows look like.
    """
    if not schema.modelled:
        return (not_measured(SCHEMA, FAMILY, "the table has no column to measure", n=synthetic.height),)
    verdicts = {column.name: in_form(synthetic[column.name], column) for column in schema.modelled}
    broken = sum(1 for verdict in verdicts.values() if verdict.kept < verdict.cells)
    value = 1 - broken / len(verdicts)
    detail = f"{broken:,} of {len(verdicts):,} columns hold a cell that is not in the training schema's form"
    whole = _estimate(SCHEMA, _Share(value, Interval(value, value), 0.0), synthetic.height, detail)
    singles = []
    for name, verdict in verdicts.items():
        if not verdict.cells:
            singles.append(not_measured(SCHEMA, FAMILY, "every synthetic cell is missing", columns=(name,)))
            continue
        share = _share(verdict.kept, verdict.cells)
        detail = f"{verdict.cells - verdict.kept:,} of {verdict.cells:,} cells are not in the training schema's form"
        singles.append(_estimate(SCHEMA, share, verdict.cells, detail, columns=(name,)))
    return whole, *singles


def in_form(series: pl.Series, column: Column) -> _Verdicts:
    """Return which cells are there and which have the form that ``column`` says."""
    dtype, present = polars_dtype(column.dtype), series.is_not_null().to_numpy()
    if dtype.is_numeric() and series.dtype.is_numeric():
        return _Verdicts(present, present & _numbers_in_form(series, column))
    if dtype.is_temporal():
        return _Verdicts(present, present & (series.dtype in (pl.Date, pl.Datetime)))
    return _Verdicts(present, present & (series.dtype == dtype))


def _numbers_in_form(series: pl.Series, column: Column) -> Flags:
    """Return which numbers are finite, have the column's decimals, and fit its integer type; missing ones do not."""
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
    return good


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


def measure_ranges(train: Table, holdout: Table, synthetic: Table, schema: Schema) -> tuple[Estimate, ...]:
    """Measure ``validity.ranges``: the share of numeric and datetime cells in the training part's [min, max].

    Cells that are not finite are outside, and so is every cell of a column of which the training part has none. A
    fresh row of a continuous column is outside with probability 2/(n_train + 1).
    """
    columns = [column for column in schema.modelled if column.ordered]

    def judge(column: Column) -> Callable[[Table], _Verdicts]:
        low, high = _range(train, column)

        def inside(table: Table) -> _Verdicts:
            found = _measurable(table, column)
            return _Verdicts(table[column.name].is_not_null().to_numpy(), (found >= low) & (found <= high))

        return inside

    what = "lie within the training part's smallest and largest value"
    return _cell_shares(RANGES, columns, judge, holdout, synthetic, "numeric or datetime", what)


def measure_categories(train: Table, holdout: Table, synthetic: Table, schema: Schema) -> tuple[Estimate, ...]:
    """Measure ``validity.categories``: the share of categorical and boolean cells that the training part shows too."""
    columns = [column for column in schema.modelled if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN)]

    def judge(column: Column) -> Callable[[Table], _Verdicts]:
        def known(table: Table) -> _Verdicts:
            levels = table.levels(column.name)
            shown = places(levels.values, train.levels(column.name).values) >= 0
            return _Verdicts(levels.codes != levels.missing, levels.spread(shown, False))

        return known

    what = "have a category of the training part"
    return _cell_shares(CATEGORIES, columns, judge, holdout, synthetic, "categorical or boolean", what)


def _range(train: Table, column: Column) -> tuple[float, float]:
    """Return the smallest and the largest finite value of the training part, in the wrong order where it has none."""
    if not _has_type(train, column):
        return np.inf, -np.inf
    values = train.distinct(column.name).finite.values
    return (float(values[0]), float(values[-1])) if len(values) else (np.inf, -np.inf)


def _measurable(table: Table, column: Column) -> Floats:
    """Return numbers or instants as floats, in which missing cells and those of a wrong type are NaN."""
    return table.numbers(column.name) if _has_type(table, column) else np.full(table.height, np.nan)


def _has_type(table: Table, column: Column) -> bool:
    dtype = table.schema[column.name]
    return dtype in (pl.Date, pl.Datetime) if column.kind is Kind.DATETIME else dtype.is_numeric()


def _cell_shares(
    name: str,
    columns: Sequence[Column],
    judge: Callable[[Column], Callable[[Table], _Verdicts]],
    holdout: Table,
    synthetic: Table,
    kinds: str,
    what: str,
) -> tuple[Estimate, ...]:
    """Return a share of good cells for the table, all columns' cells together, and for each column."""
    if not columns:
        return (not_measured(name, FAMILY, f"the table has no {kinds} column", n=synthetic.height),)
    totals, references, singles = _RowSums(synthetic.height), _RowSums(holdout.height), []
    for column in columns:
        verdict_of = judge(column)
        found, real = verdict_of(synthetic), verdict_of(holdout)
        totals.add(found)
        references.add(real)
        share, reference = (_share(v.kept, v.cells) if v.cells else None for v in (found, real))
        detail = f"{found.kept:,} of {found.cells:,} cells {what}"
        singles.append(_against(name, share, reference, found.cells, detail, columns=(column.name,)))
    detail = f"{totals.kept:,} of {totals.cells:,} cells in {len(columns):,} columns {what}"
    return _against(name, totals.share(), references.share(), synthetic.height, detail), *singles


class _RowSums:
    """Sums by row of the good cells and of the cells that are there: cells of one row depend on each other."""

    def __init__(self, rows: int) -> None:
        self._present = np.zeros(rows, dtype=np.int32)
        self._good = np.zeros(rows, dtype=np.int32)

    def add(self, verdicts: _Verdicts) -> None:
        self._present += verdicts.present
        self._good += verdicts.good

    @property
    def cells(self) -> int:
        return int(self._present.sum(dtype=np.int64))

    @property
    def kept(self) -> int:
        return int(self._good.sum(dtype=np.int64))

    def share(self) -> _Share | None:
        """Return the ratio of the sums, ``None`` where there is no cell.

        Its variance is the ratio estimator's (Cochran 1977, Sampling Techniques, 6.4), as if rows had been drawn. The
        interval is Wilson's of as many independent cells as would have that variance (Korn and Graubard 1998, Survey
        Methodology 24:193); of one a row where the variance is nought, since then nothing tells cells from rows.
        """
        cells = self.cells
        if not cells:
            return None
        share, rows = self.kept / cells, int((self._present > 0).sum())
        residuals = self._good - share * self._present
        variance = float(residuals @ residuals) / cells**2 * rows / max(rows - 1, 1)
        trials = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else rows
        return _share(share * min(trials, cells), min(trials, cells))


# Keys


def measure_keys(train: Table, synthetic: Table, schema: Schema) -> tuple[Estimate, ...]:
    """Measure ``validity.keys``: the share of synthetic rows of which each id is there and occurs in no other row.

    Only ids that are unique and complete in the training part are keys; there the share is 1 by definition.
    """
    ids = [column.name for column in schema if column.kind is Kind.ID]
    good = np.ones(synthetic.height, dtype=np.bool_)
    singles, keys = [], 0
    for name in ids:
        if name not in train.columns or not _is_key(train[name]):
            reason = "the training part's values repeat or are missing, so that it is no key"
        elif name not in synthetic.columns:
            reason = "the synthetic table lacks the column"
        else:
            unique = (synthetic[name].is_not_null() & synthetic[name].is_unique()).to_numpy()
            good, keys = good & unique, keys + 1
            singles.append(_rows_estimate(KEYS, unique, "have a key of their own", columns=(name,)))
            continue
        singles.append(not_measured(KEYS, FAMILY, reason, n=synthetic.height, columns=(name,)))
    if not keys:
        reason = "no id column is unique and complete in the training part and there in the synthetic table"
        return not_measured(KEYS, FAMILY, reason, n=synthetic.height), *singles
    return _rows_estimate(KEYS, good, f"have their own key in {_plural(keys, 'column')}"), *singles


def _is_key(series: pl.Series) -> bool:
    return series.null_count() == 0 and series.n_unique() == len(series)


def _rows_estimate(name: str, good: Flags, what: str, *, columns: tuple[str, ...] = ()) -> Estimate:
    kept = int(good.sum())
    return _estimate(name, _share(kept, len(good)), len(good), f"{kept:,} of {len(good):,} rows {what}", columns)


# Missing cells


@dataclass(frozen=True, slots=True, eq=False)
class _MissingRates:
    """Rates of missing cells of one table, of shape (columns,), and their covariance in one row of it."""

    rows: int
    rates: Floats
    covariance: Floats

    @classmethod
    def of(cls, table: Table, names: Sequence[str]) -> _MissingRates:
        """Count missing cells, alone and together: of complete columns nothing, of others a bit a cell is kept."""
        masks = {i: np.packbits(mask) for i, name in enumerate(names) if (mask := _is_missing(table[name])).any()}
        together = np.zeros((len(names), len(names)))
        for i, j in combinations_with_replacement(masks, 2):
            together[i, j] = together[j, i] = np.bitwise_count(masks[i] & masks[j]).sum(dtype=np.int64)
        rates = np.diagonal(together) / table.height
        return cls(table.height, rates, together / table.height - np.outer(rates, rates))

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


def measure_missing(train: Table, holdout: Table, synthetic: Table, schema: Schema) -> tuple[Estimate, ...]:
    """Measure ``validity.missing``: 1 - the largest difference, over columns, of synthetic and training missing rates.

    Value and reference (the holdout's) are what ``min(n_synthetic, n_holdout)`` rows score on average. For the table
    of just that size it is the plain difference. For a larger one it is the mean over subsets of that size, whose
    rates are taken for normal with the exact covariance of draws without replacement: in closed form for one column,
    by 4,000 seeded draws for the largest of many. The standard error is that of the least certain column: the largest
    of some normal variables varies no more than the one that varies most (Gaussian Poincaré inequality).
    """
    names = [column.name for column in schema.modelled]
    size = min(synthetic.height, holdout.height)
    if not names:
        return (not_measured(MISSING, FAMILY, "the table has no column to measure", n=size),)
    real, fresh, made = (_MissingRates.of(table, names) for table in (train, holdout, synthetic))
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


def _is_missing(series: pl.Series) -> Flags:
    missing = series.is_null() | series.is_nan().fill_null(False) if series.dtype.is_float() else series.is_null()
    flags: Flags = missing.to_numpy()
    return flags


# Constraints


def measure_constraints(
    train: Table, holdout: Table, synthetic: Table, constraints: Sequence[Constraint]
) -> tuple[Estimate, ...]:
    """Measure ``validity.constraints``: the share of synthetic rows that hold, for each constraint and at the lowest.

    The constraints have passed :func:`synthcli.constraints.check_columns`. The reference is the holdout's share for the
    same constraint.
    """
    if not constraints:
        return (not_measured(CONSTRAINTS, FAMILY, "no constraint is set in data.constraints", n=synthetic.height),)
    singles = []
    for constraint in constraints:
        names = columns_of(constraint)
        known = train.select(names)
        kept, real = (int(holds(constraint, table.select(names), known).sum()) for table in (synthetic, holdout))
        share, reference = _share(kept, synthetic.height), _share(real, holdout.height)
        detail = f"{kept:,} of {synthetic.height:,} rows hold: {describe(constraint)}"
        singles.append(_estimate(CONSTRAINTS, share, synthetic.height, detail, names, reference))
    worst = min(singles, key=lambda estimate: estimate.value if estimate.value is not None else 1.0)
    among = "" if len(singles) == 1 else f", the lowest share of {len(singles):,} constraints"
    return replace(worst, columns=(), detail=worst.detail + among), *singles


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
