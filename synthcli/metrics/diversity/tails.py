"""Tails: the mass beyond the training part's outer quantiles, beside the holdout's."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

import numpy as np

from synthcli.columns import Distinct, Floats
from synthcli.counts import Counts
from synthcli.metrics.diversity.counts import DiversityCounts
from synthcli.metrics.diversity.family import FAMILY, TAILS, missing_estimate, plural
from synthcli.metrics.estimate import Estimate, Interval, wilson_interval
from synthcli.metrics.sums import Bits, packed

TAIL_SHARE = 0.005
MIN_TAIL_ROWS = 200  # so that at least one training row lies beyond each quantile
MIN_TAIL_VALUES = 20
_ROUNDING = 1e-13  # below which share of its terms a sum of floats is nought


def tail_coverage(ends: Ends, holdout: DiversityCounts, synthetic: DiversityCounts) -> tuple[Estimate, ...]:
    """Measure the mass of synthetic values beyond the training part's .5 % and 99.5 % quantiles less the holdout's.

    -1 to 1, 0 is right, below it the tails are lost: of each numeric and datetime column's non-missing values, and as
    the mean over columns. Strictly beyond: where a heap of equal values lies at an end, nothing lies beyond it in
    either real table and that end counts only what the synthetic rows invent; a column with heaps at both ends is not
    measured. Intervals: Newcombe's difference of two score intervals (1998, Stat. Med. 17:873), for the mean with as
    many rows as its variance over rows stands for.
    """
    own, rival = (_Mass(side.tails, side.rows, ()) for side in (synthetic, holdout))
    found: list[Estimate] = []
    tailed = list(with_tails(ends))
    for name, where in ends.items():
        if isinstance(where, str):
            found.append(missing_estimate(TAILS, where, columns=(name,)))
            continue
        made, fresh = own.of(tailed.index(name)), rival.of(tailed.index(name))
        if not (made.known and fresh.known):
            found.append(missing_estimate(TAILS, "a table has no value in this column", columns=(name,)))
            continue
        found.append(_tail_estimate(made, fresh, columns=(name,)))
        own, rival = own.plus(made), rival.plus(fresh)
    if not own.columns:
        return (missing_estimate(TAILS, "no numeric or datetime column has enough different values"), *found)
    return (_tail_estimate(own, rival, columns=()), *found)


#: Of each column where its tails begin, or why that cannot be said.
Ends = Mapping[str, tuple[float, float] | str]


def with_tails(ends: Ends) -> dict[str, tuple[float, float]]:
    """Return the columns that have tails, and where these begin."""
    return {name: where for name, where in ends.items() if not isinstance(where, str)}


def tail_ends(column: Distinct) -> tuple[float, float] | str:
    """Return the training values at the .5 % and 99.5 % quantiles, or why they tell nothing."""
    rows = column.rows
    if rows < MIN_TAIL_ROWS:
        return f"fewer than {MIN_TAIL_ROWS} training values"
    if len(column.values) < MIN_TAIL_VALUES:
        return f"fewer than {MIN_TAIL_VALUES} different training values"
    beyond = int(np.ceil(TAIL_SHARE * (rows - 1)))
    low, high = column.ranked(beyond), column.ranked(rows - 1 - beyond)
    if low == column.values[0] and high == column.values[-1]:
        return "no training value beyond the quantiles: equal values lie in heaps at both ends"
    return low, high


def beyond_ends(values: Floats, low: float, high: float) -> tuple[Bits, Bits]:
    """Return which values are known, which is finite, and which of these lie beyond the ends."""
    known = np.isfinite(values)
    return packed(known), packed(known & ((values < low) | (values > high)))


class _Mass(NamedTuple):
    """The mass beyond two ends, as the mean over some of the columns that ``tails`` counts in ``rows`` rows."""

    tails: Counts
    rows: int
    columns: tuple[int, ...]

    def of(self, column: int) -> _Mass:
        """Return the mass of one column."""
        return self._replace(columns=(column,))

    def plus(self, other: _Mass) -> _Mass:
        """Return the mean over both's columns."""
        return self._replace(columns=self.columns + other.columns)

    @property
    def known(self) -> int:
        """The smallest number of known values in a column."""
        return int(np.diagonal(self.tails)[list(self.columns)].min())

    @property
    def masses(self) -> Floats:
        """The mass of each column."""
        both, columns = np.diagonal(self.tails), np.array(self.columns)
        masses: Floats = both[columns + len(both) // 2] / both[columns]
        return masses

    @property
    def mean(self) -> float:
        return float(self.masses.mean())

    @property
    def variance(self) -> float:
        """The mean's variance over rows, which may hold several columns' values beyond their ends.

        A row's influence on the mean is Σ (beyond - mass · known)/n over columns with n known values each, divided by
        their number. The sum of its squares is a quadratic form in the counts of what is so together.
        """
        columns = np.array(self.columns)
        known = np.diagonal(self.tails)[columns]
        weights = np.concatenate([-self.masses / known, 1 / known]) / len(columns)
        chosen = np.concatenate([columns, columns + len(self.tails) // 2])
        terms = weights[:, None] * self.tails[np.ix_(chosen, chosen)] * weights
        total = float(terms.sum())
        return total if total > _ROUNDING * float(np.abs(terms).sum()) else 0.0

    @property
    def interval(self) -> Interval:
        """The score interval of as many independent rows as the mean's variance stands for."""
        binomial, variance = self.mean * (1 - self.mean), self.variance
        rows = binomial / variance if binomial > 0 and variance else self.known
        return wilson_interval(self.mean * rows, rows)


def _tail_estimate(own: _Mass, rival: _Mass, *, columns: tuple[str, ...]) -> Estimate:
    value, mine, theirs = own.mean - rival.mean, own.interval, rival.interval
    below = sqrt((own.mean - mine.low) ** 2 + (theirs.high - rival.mean) ** 2)
    above = sqrt((mine.high - own.mean) ** 2 + (rival.mean - theirs.low) ** 2)
    where = "" if columns else f", mean over {plural(len(own.columns), 'column')}"
    return Estimate(
        TAILS,
        FAMILY,
        value,
        max(-1.0, value - below),
        min(1.0, value + above),
        n=own.known if columns else own.rows,
        direction="target",
        range=(-1.0, 1.0),
        reference=0.0,
        reference_kind="the mass of the holdout",
        detail=f"{own.mean:.3%} of synthetic and {rival.mean:.3%} of holdout values beyond train's .5 and 99.5 % "
        f"quantiles{where}",
        columns=columns,
    )
