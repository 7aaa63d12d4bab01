"""Verdicts: what several chains say about one regime, by a rule that is fixed before anything is looked at.

Of each chain and metric there is one number, the change: the mean of the last quarter of generations less generation 1,
less the same for the chain's control, whose generations all learn real rows. Since a control has no trend, all its
generations after the first serve as its late ones. Chains are independent and nothing is pooled over generations: the
bounds are one-sided 95 % ones of Student's t over chains.

- *collapsing*: the harm is beyond the margin, and so is the second half's slope times the generations;
- *degraded-plateau*: the harm is beyond the margin, and no slope is shown to be;
- *stable*: the harm is shown to lie within the margin;
- *inconclusive*: none of these can be shown.

Where less (or more) is better, only the other way is harm; where neither is, both are, each at half the level. The
verdict on a regime rests on the primary metrics: collapsing or degraded if any of them is, by Holm's correction over
them (1979, Scand. J. Statist. 6:65), stable if all of them are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from synthcli.collapse.measures import Direction
from synthcli.metrics.estimate import student_quantile

Floats = NDArray[np.float64]
Verdict = Literal["stable", "degraded-plateau", "collapsing", "inconclusive"]

ALPHA, POWER = 0.05, 0.8
#: Beyond so many chains or times the generations nothing is promised.
_MOST_CHAINS, _MOST_TIMES = 1_000, 20
#: Generations whose second half has two measurements of any metric.
_FOR_SLOPES = 7


class Mean(NamedTuple):
    """A mean over chains with its standard error and degrees of freedom."""

    value: float
    se: float
    freedom: int

    @classmethod
    def of(cls, values: Floats) -> Mean:
        """Return the mean of one number a chain; NaN ones are left out."""
        known = values[np.isfinite(values)]
        if len(known) < 2:
            return cls(float(known.mean()) if len(known) else np.nan, inf, 1)
        return cls(float(known.mean()), float(known.std(ddof=1)) / sqrt(len(known)), len(known) - 1)

    def bound(self, level: float) -> float:
        """Return the one-sided bound at ``level``; below .5 it is a low one."""
        return self.value + student_quantile(level, self.freedom) * self.se if self.se else self.value

    def chance_at_most(self, bound: float) -> float:
        """Return the p-value of "the mean is at most ``bound``", one-sided."""
        if np.isnan(self.value):
            return 1.0
        if not self.se:
            return 0.0 if self.value > bound else 1.0
        return float(stdtr(self.freedom, (bound - self.value) / self.se)) if self.se < inf else 1.0

    @property
    def negated(self) -> Mean:
        """The mean of the negated numbers."""
        return self._replace(value=-self.value)


class Settles(NamedTuple):
    """Chains, or generations, that would settle what is inconclusive; ``None`` where no number would."""

    chains: int | None
    generations: int | None


@dataclass(frozen=True, slots=True)
class Judged:
    """One metric of one regime.

    ``change`` and ``slope`` (of the second half, times the generations) are in the metric's unit; ``p_change`` and
    ``p_slope`` are of "the harm is at most the margin". ``sides`` are the signs of a change that do harm.
    """

    metric: str
    verdict: Verdict
    margin: float
    change: Mean
    slope: Mean
    first: float
    late: float
    p_change: float
    p_slope: float
    sides: tuple[int, ...]
    generations: int

    @property
    def settles(self) -> Settles | None:
        """What would settle it by itself, ``None`` where it is settled."""
        return self.settled_at(ALPHA) if self.verdict == "inconclusive" else None

    def settled_at(self, alpha: float) -> Settles:
        """Return what would settle it; ``alpha`` is the level at which harm has to be shown."""
        if self.p_change < alpha and np.isnan(self.slope.value):
            return Settles(None, max(2 * self.generations, _FOR_SLOPES))
        return _settling(self.change, self.slope, self.sides, self.margin, self.generations, alpha)

    @property
    def p_collapse(self) -> float:
        """The p-value of "not both, change and slope, are beyond the margin"."""
        return max(self.p_change, self.p_slope)


def late(generations: int) -> slice:
    """Return the last quarter of generations, in an array that begins with generation 0."""
    return slice(generations + 1 - ceil(generations / 4), generations + 1)


def changes(values: Floats, control: Floats | None) -> Floats:
    """Return one change a chain.

    ``values`` and ``control`` have the shape (chains, generations + 1), with generation 0 in front; NaN is what was not
    measured. Without a control, which is how the control itself is judged, nothing is subtracted.
    """
    late_mean = _mean(values[:, late(values.shape[1] - 1)])
    if control is None:
        return late_mean - values[:, 1]
    return (late_mean - values[:, 1]) - (_mean(control[:, 2:]) - control[:, 1])


def slopes(values: Floats) -> Floats:
    """Return for each chain what the second half's least-squares slope comes to over all generations."""
    generations = values.shape[1] - 1
    times = np.arange(generations // 2 + 1, generations + 1.0)
    return np.array([_slope(times, half) * generations for half in values[:, generations // 2 + 1 :]])


def _slope(times: Floats, values: Floats) -> float:
    """Return the least-squares slope of what was measured, NaN where that is fewer than two values."""
    known = np.isfinite(values)
    if known.sum() < 2:
        return float("nan")
    centred = times[known] - times[known].mean()
    return float(values[known] @ centred / (centred @ centred))


def judge(
    metric: str, direction: Direction, margin: float, values: Floats, control: Floats | None, least_se: float = 0.0
) -> Judged:
    """Judge one metric of a regime by its chains; see :func:`changes` for the shapes.

    ``least_se`` is the smallest standard error that the change is taken to have: chains that all say the same of a few
    categories do not show that nothing is lost.
    """
    generations = values.shape[1] - 1
    change, slope = Mean.of(changes(values, control)), Mean.of(slopes(values))
    change = change._replace(se=max(change.se, least_se))
    sides = _sides(direction)
    tests = []
    for sign in sides:
        harm, drift = (one if sign > 0 else one.negated for one in (change, slope))
        tests.append((harm.chance_at_most(margin), drift.chance_at_most(margin)))
    p_change, p_slope = (min(1.0, len(sides) * p) for p in min(tests, key=lambda one: one[0]))
    inside = all((change if sign > 0 else change.negated).bound(1 - ALPHA) < margin for sign in sides)
    if p_change < ALPHA:
        # Without a slope nobody knows which of the two it is.
        still: Verdict = "inconclusive" if np.isnan(slope.value) else "degraded-plateau"
        verdict = "collapsing" if p_slope < ALPHA else still
    else:
        verdict = "stable" if inside else "inconclusive"
    firsts, lates = values[:, 1], _mean(values[:, late(generations)])
    return Judged(
        metric,
        verdict,
        margin,
        change,
        slope,
        _plain_mean(firsts),
        _plain_mean(lates),
        p_change,
        p_slope,
        sides,
        generations,
    )


def overall(judged: Mapping[str, Judged], primary: Sequence[str]) -> tuple[Verdict, Settles | None]:
    """Return the verdict on a regime and what would settle it; where no primary metric is measured, all others count.

    Not every metric at its own level, but all together keep to it: Holm's correction over those that count.
    """
    counted = [judged[name] for name in primary if name in judged] or list(judged.values())
    if _any_by_holm([one.p_collapse for one in counted]):
        return "collapsing", None
    if _any_by_holm([1.0 if np.isnan(one.slope.value) else one.p_change for one in counted]):
        return "degraded-plateau", None
    if counted and all(one.verdict == "stable" for one in counted):
        return "stable", None
    # Harm has to be shown at Holm's first level; of what lies within the margin each keeps its own.
    return "inconclusive", _all_settled(
        [one.settled_at(ALPHA / len(counted)) for one in counted if one.verdict != "stable"]
    )


def _all_settled(needs: Sequence[Settles]) -> Settles:
    """Return what settles all of them: the most that any needs."""
    chains = [one.chains for one in needs]
    generations = [one.generations for one in needs if one.generations is not None]
    known = [number for number in chains if number is not None]
    return Settles(
        max(known) if known and len(known) == len(chains) else None, max(generations) if generations else None
    )


def _any_by_holm(p_values: Sequence[float]) -> bool:
    """Return whether any is rejected by Holm's procedure, whose first step is Bonferroni's."""
    return bool(p_values) and min(p_values) < ALPHA / len(p_values)


def _sides(direction: Direction) -> tuple[int, ...]:
    """Return the signs of a change that do harm."""
    return {"lower": (1,), "higher": (-1,), "target": (1, -1)}[direction]


def _settling(
    change: Mean, slope: Mean, sides: Sequence[int], margin: float, generations: int, alpha: float
) -> Settles:
    """Return the chains that would show on which side of the margin the change lies, or when it crosses it.

    Chains are enough to show it four times in five, if change and spread are what they seem; harm beyond the margin has
    to be shown at ``alpha``. Generations are told only where the second half is shown to move.
    """
    sign = max(sides, key=lambda side: change.value * side)
    harm = change.value * sign
    distance = abs(margin - harm)
    spread = change.se * sqrt(change.freedom + 1)
    level = 1 - (alpha if harm > margin else ALPHA) / len(sides)
    chains = next(
        (
            number
            for number in range(change.freedom + 2, _MOST_CHAINS + 1)
            if _reach(level, number - 1) * spread / sqrt(number) < distance
        ),
        None,
    )
    drift = slope if sign > 0 else slope.negated
    needed = None
    if drift.bound(ALPHA) > 0 and harm < margin:
        needed = ceil(generations + (margin - harm) / (drift.value / generations))
    return Settles(chains, needed if needed is not None and needed <= _MOST_TIMES * generations else None)


def _reach(level: float, freedom: int) -> float:
    """Return how many standard errors from a margin a change has to lie to be shown beyond it with ``POWER``."""
    return student_quantile(level, freedom) + student_quantile(POWER, freedom)


def _mean(values: Floats) -> Floats:
    """Return the mean over generations of what was measured, NaN where nothing was."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _plain_mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
