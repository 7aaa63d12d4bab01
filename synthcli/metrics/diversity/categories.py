"""Categories: how many of those that the training part shows often enough are there, and the largest that is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import betaln

from synthcli.columns import Floats, Levels, Table, each_column, places
from synthcli.counts import Counts
from synthcli.encoding import MIN_CATEGORY_ROWS
from synthcli.metrics.diversity.family import (
    COVERAGE,
    FAMILY,
    LOST,
    RARE_COVERAGE,
    Share,
    coverage_estimate,
    missing_estimate,
    plural,
)
from synthcli.metrics.estimate import Estimate, wilson_interval
from synthcli.schema import Kind, Schema

RARE_SHARE = 0.01


class Categories(NamedTuple):
    """The categories of one column that five training rows or more show, and how many show each."""

    column: str
    values: pl.Series
    rows: Counts


def frequent_categories(train: Table, schema: Schema) -> tuple[Categories, ...]:
    """Return what five training rows or more show of every categorical and boolean column."""

    def frequent(name: str) -> Categories:
        levels = train.levels(name)
        enough = levels.counts >= MIN_CATEGORY_ROWS
        return Categories(name, levels.values.filter(pl.Series(enough)), levels.counts[enough])

    names = [column.name for column in schema.modelled if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN)]
    return tuple(each_column(frequent, names, (train,)))


def rows_of_each(part: Table, categories: Sequence[Categories]) -> tuple[Counts, ...]:
    """Return for each column how many rows show each of its categories."""
    values = {each.column: each.values for each in categories}
    return tuple(each_column(lambda name: rows_of(part.levels(name), values[name]), list(values), (part,)))


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """The categories of one column that five training rows or more show: their rows in each table, in one order."""

    column: str
    train: Counts
    holdout: Counts
    synthetic: Counts

    def where(self, kept: npt.NDArray[np.bool_]) -> Support:
        """Return the support of the categories marked in ``kept``."""
        return Support(self.column, self.train[kept], self.holdout[kept], self.synthetic[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Supports:
    """The supports of all categorical and boolean columns, and the numbers of rows behind them."""

    columns: tuple[Support, ...]
    train_rows: int
    holdout_rows: int
    synthetic_rows: int

    @classmethod
    def of(cls, known: Sequence[Categories], rows: tuple[int, int, int], *sides: Sequence[Counts]) -> Supports:
        """Put the counts of holdout and synthetic rows beside the training part's; ``rows`` are those of all three."""
        pairs = zip(known, *sides, strict=True)
        return cls(tuple(Support(each.column, each.rows, fresh, made) for each, fresh, made in pairs), *rows)

    @property
    def size(self) -> int:
        """The number of rows at which synthetic and holdout rows are compared."""
        return min(self.synthetic_rows, self.holdout_rows)

    @property
    def levels(self) -> int:
        """The number of categories in all columns together."""
        return sum(len(support.train) for support in self.columns)


def count_categories(train: Table, holdout: Table, synthetic: Table, schema: Schema) -> Supports:
    """Count in each table the rows of every category that the training part shows in five rows or more."""
    known, rows = frequent_categories(train, schema), (train.height, holdout.height, synthetic.height)
    return Supports.of(known, rows, rows_of_each(holdout, known), rows_of_each(synthetic, known))


def category_coverage(supports: Supports) -> tuple[Estimate, ...]:
    """Measure the share of the training part's categories (5 rows or more) that the synthetic rows show.

    The expected share in ``min(n_synthetic, n_holdout)`` rows, of every categorical and boolean column and as their
    mean; 0 to 1, 1 is best. The reference is the same for the holdout. The interval takes the counts for Poisson:
    another draw of the synthetic rows shows a category that has count c in m rows with probability 1 - e^-c.
    """
    return _coverages(COVERAGE, supports, "with 5 training rows")


def rare_category_coverage(supports: Supports) -> tuple[Estimate, ...]:
    """Measure :func:`category_coverage` over the categories with less than 1 % of the training rows."""
    limit = RARE_SHARE * supports.train_rows
    rare = tuple(support.where(support.train < limit) for support in supports.columns)
    found = Supports(rare, supports.train_rows, supports.holdout_rows, supports.synthetic_rows)
    return _coverages(RARE_COVERAGE, found, "with 5 training rows and less than 1 % of them")


def lost_category(supports: Supports) -> tuple[Estimate, ...]:
    """Measure the largest share of training rows in one category that the synthetic table never shows.

    0 where none is lost, which is best, and the reference. The p-value is exact: if c of n training and none of m
    synthetic rows show a category, then under one law for all n + m rows the c fall among the n with probability
    C(n, c)/C(n + m, c). It is multiplied by the number of categories looked at (Bonferroni), those of all columns also
    where one column is meant, so that a rule over all columns keeps its level. The interval is Wilson's, of the
    category's share of training rows; where none is lost, it leaves open what n training rows may never have shown.
    """
    if not supports.levels:
        return _unsupported(LOST, supports, "with 5 training rows")
    measured = [support for support in supports.columns if len(support.train)]
    worst = [int(support.train[support.synthetic == 0].max(initial=0)) for support in measured]
    found = [_lost(supports, max(worst), supports.levels, ())]
    found += [
        _lost(supports, count, len(support.train), (support.column,))
        for support, count in zip(measured, worst, strict=True)
    ]
    return (*found, *_without_support(LOST, supports, "with 5 training rows"))


def emission_chances(counts: Counts, rows: int, size: int) -> Floats:
    """Return for each category the chance to be among ``size`` of ``rows`` rows, of which ``counts`` show it.

    1 - C(rows - count, size)/C(rows, size), drawn without replacement; 0 for a count of 0, 1 where size == rows and
    the count is positive. ``size`` lies in [0, rows].
    """
    return np.where(counts == 0, 0.0, -np.expm1(_log_missed(counts, rows, size)))


def chance_of_loss(count: int, train_rows: int, synthetic_rows: int) -> float:
    """Return the chance that all ``count`` rows of a category fall among the training rows, one law given for all."""
    return float(np.exp(_log_missed(np.array([count]), train_rows + synthetic_rows, synthetic_rows))[0])


def _log_missed(counts: Counts, rows: int, size: int) -> Floats:
    """Return log C(rows - count, size)/C(rows, size); -inf where no draw can miss.

    As a ratio of beta functions: of 10^8 rows, factorials would leave of a small chance no more than three digits.
    """
    possible = (counts > 0) & (rows - counts >= size)
    safe = np.where(possible, counts, 1)
    log_missed = betaln(rows - safe + 1, safe) - betaln(np.maximum(rows - size - safe + 1, 1), safe)
    return np.where(possible, np.minimum(log_missed, 0.0), np.where(counts > 0, -np.inf, 0.0))


def rows_of(levels: Levels, values: pl.Series) -> Counts:
    """Return how many rows show each of ``values``."""
    place = places(values, levels.values)
    return np.where(place < 0, 0, np.append(levels.counts, 0)[place])


def _coverages(name: str, supports: Supports, which: str) -> tuple[Estimate, ...]:
    measured = [support for support in supports.columns if len(support.train)]
    if not measured:
        return _unsupported(name, supports, which)
    size, many = supports.size, len(measured)
    value, reference = (
        [_covered_share(getattr(support, side), rows, size) for support in measured]
        for side, rows in (("synthetic", supports.synthetic_rows), ("holdout", supports.holdout_rows))
    )
    detail = (
        f"share of {plural(supports.levels, 'category')} {which} in {plural(many, 'column')} that {size:,} rows show"
    )
    found = [coverage_estimate(name, size, _mean(value), _mean(reference), detail, ())]
    for support, own, rival in zip(measured, value, reference, strict=True):
        detail = f"share of {plural(len(support.train), 'category')} {which} that {size:,} rows show"
        found.append(coverage_estimate(name, size, own, rival, detail, (support.column,)))
    return (*found, *_without_support(name, supports, which))


def _covered_share(counts: Counts, rows: int, size: int) -> Share:
    """Return one column's expected coverage in ``size`` of the ``rows`` rows, and its standard error."""
    missed = np.exp(-counts * (size / rows)) * (counts > 0)
    share = float(emission_chances(counts, rows, size).mean())
    return Share(share, sqrt(float((missed * (1 - missed)).sum())) / len(counts))


def _mean(shares: Sequence[Share]) -> Share:
    """Return the mean of independent shares."""
    values, errors = np.array(shares).T
    return Share(float(values.mean()), float(np.linalg.norm(errors)) / len(shares))


def _lost(supports: Supports, count: int, levels: int, columns: tuple[str, ...]) -> Estimate:
    """Return the loss of a category with ``count`` training rows, the largest of ``levels`` (0: none is lost)."""
    rows = supports.train_rows
    chance = chance_of_loss(count, rows, supports.synthetic_rows) if count else 1.0
    low, high = wilson_interval(count, rows)
    lost = f"the largest category never shown has {count:,} of {rows:,} training rows" if count else "none is lost"
    return Estimate(
        LOST,
        FAMILY,
        count / rows,
        low,
        high,
        n=supports.synthetic_rows,
        direction="lower",
        range=(0.0, 1.0),
        p_value=min(1.0, chance * supports.levels),
        reference=0.0,
        reference_kind="no category lost",
        detail=f"of {plural(levels, 'category')} with 5 training rows {lost}",
        columns=columns,
    )


def _unsupported(name: str, supports: Supports, which: str) -> tuple[Estimate, ...]:
    reason = f"no column has a category {which}"
    return (missing_estimate(name, reason, n=supports.size), *_without_support(name, supports, which))


def _without_support(name: str, supports: Supports, which: str) -> list[Estimate]:
    reason, bare = f"no category {which}", [support for support in supports.columns if not len(support.train)]
    return [missing_estimate(name, reason, columns=(support.column,)) for support in bare]
