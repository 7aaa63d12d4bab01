"""The least fresh data: the share of new real rows that keeps the loss within the margin.

It is predicted first, from closed forms and a few generations of ``replace``, so that the search looks around it. Then
it is measured: of each metric the loss at some shares, a curve that falls with them, and where it crosses the margin.

Closed forms, with φ the share of fresh rows:

- a contraction ρ leaves φ/(1 - (1 - φ)ρ) of a variance, so that a loss δ needs φ = (1 - δ)(1 - ρ)/(1 - ρ + δρ);
- an error that grows by d in each generation without fresh rows ends at (1 - φ)d/φ, so that a margin m needs d/(d + m);
- a category of share p is in n rows of output with a chance that follows from Galton-Watson branching with
  immigration: with each generation every row of it leaves Poisson(1 - φ) ones and Poisson(φnp) come in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from synthcli.collapse.verdicts import Verdict
from synthcli.metrics.estimate import LEVEL

Floats = NDArray[np.float64]

#: Shares that are tried, and the greatest of them.
GRID, GREATEST = 7, 0.9
#: The smallest share that is tried is the prediction over this, where so few rows can be tried in the time.
_BELOW = 5.0
#: Generations that a share needs to come to rest, times the share.
TO_REST = 3.0
RESAMPLES = 1_000


# --- predicted ---------------------------------------------------------------------------------------------------


def against_bias(contraction: float, loss: float) -> float:
    """Return the share that keeps the loss of a variance at ``loss`` under a contraction; 0 where nothing shrinks."""
    shrinks = max(0.0, 1 - contraction)
    return (1 - loss) * shrinks / (shrinks + loss * contraction) if shrinks else 0.0


def against_steps(step: float, margin: float) -> float:
    """Return the share that keeps an error within ``margin`` that grows by ``step`` in each generation."""
    return step / (step + margin) if step > 0 else 0.0


def survival(shares: Floats, rows: int, fresh: float, generations: int) -> Floats:
    """Return the chance of categories of these shares to be in the output of ``generations`` generations of n rows.

    For generators that emit categories as often as they learned them, the first of n real rows.
    """
    # G(s) = E s^count, with count the rows of the category that a generation learns from; read at s = 1/e.
    point = np.full(len(shares), np.exp(-1.0))
    log_value = np.zeros(len(shares))
    for _ in range(generations - 1):
        log_value += fresh * rows * shares * (point - 1)
        point = np.exp((1 - fresh) * (point - 1))
    log_value += rows * shares * (point - 1)
    return 1 - np.exp(log_value)


def against_extinction(shares: Floats, rows: int, margin: float, generations: int) -> float:
    """Return the smallest share (in steps of .005) with which categories survive, up to ``margin`` on average."""
    if not len(shares):
        return 0.0
    first = survival(shares, rows, 1.0, 2).mean()
    for fresh in np.arange(0.0, 1.0, 0.005):
        if first - survival(shares, rows, float(fresh), generations).mean() <= margin:
            return float(fresh)
    return 1.0


# --- searched ----------------------------------------------------------------------------------------------------


def grid(predicted: float, most_generations: int, rows: int) -> tuple[float, ...]:
    """Return the shares to try, on a logarithmic scale around the prediction, the smallest first.

    None needs more than ``most_generations`` to come to rest, and each is a whole number of ``rows`` rows.
    """
    least = min(max(predicted / _BELOW, TO_REST / most_generations, 1 / rows), GREATEST / 2)
    counts = np.round(np.geomspace(least, GREATEST, GRID) * rows)
    return tuple(float(count) / rows for count in np.unique(np.maximum(np.ceil(least * rows - 1e-9), counts)))


def generations_to_rest(share: float, least: int, most: int) -> int:
    """Return the generations that a share is given: 3 over it, at least those asked for, at most ``most``."""
    return max(least, min(ceil(TO_REST / share - 1e-9), most))


class Crossing(NamedTuple):
    """Where a falling curve crosses the margin; ``None`` where it does not up to its last share.

    ``at_most`` says that it lies within the margin from its first share on.
    """

    share: float | None
    at_most: bool


def crossing(shares: Floats, fitted: Floats, margin: float) -> Crossing:
    """Return the share at which ``fitted``, straight in the logarithm of the share, comes down to the margin."""
    within = np.flatnonzero(fitted <= margin)
    if not len(within):
        return Crossing(None, False)
    place = int(within[0])
    if place == 0:
        return Crossing(float(shares[0]), True)
    (above, below), (left, right) = fitted[place - 1 : place + 1], np.log(shares[place - 1 : place + 1])
    part = (above - margin) / (above - below)
    return Crossing(float(np.exp(left + part * (right - left))), False)


def falling(losses: Floats) -> Floats:
    """Return the least-squares curve that falls from left to right (isotonic regression, Barlow et al. 1972)."""
    found: Floats = isotonic_regression(losses, increasing=False).x
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The loss of one metric over shares, with the share that keeps it within the margin.

    Attributes
    ----------
    losses
        (chains, shares): the change in the harmful direction, less the control's.
    low, high
        The 95 % interval of ``crossing.share``, by resampling chains; 0 for an end below the smallest share that was
        tried, 1 for one above the greatest.
    """

    metric: str
    margin: float
    shares: Floats
    losses: Floats
    fitted: Floats
    crossing: Crossing
    low: float
    high: float
    draws: Floats


def fit_curve(metric: str, margin: float, shares: Floats, losses: Floats, picks: NDArray[np.intp]) -> Curve:
    """Fit a metric's curve; ``picks`` are resampled chains, (resamples, chains), the same for every metric."""
    fitted = falling(losses.mean(axis=0))
    draws = np.array([ranked(crossing(shares, falling(losses[pick].mean(axis=0)), margin)) for pick in picks])
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return Curve(
        metric, margin, shares, losses, fitted, crossing(shares, fitted, margin), float(low), float(high), draws
    )


def ranked(found: Crossing) -> float:
    """Return a crossing as a number that can be ranked."""
    if found.share is None:
        return 1.0
    return 0.0 if found.at_most else found.share


class Least(NamedTuple):
    """The least share over the metrics that count.

    Attributes
    ----------
    share
        ``None`` where some metric's loss stays beyond its margin in the whole grid.
    at_most
        Whether even the smallest share that was tried was enough; ``share`` is then that one.
    safe
        The smallest share measured stable with all larger ones, ``None`` where the greatest is not.
    limited_by
        The metric that needs most.
    """

    share: float | None
    at_most: bool
    low: float
    high: float
    safe: float | None
    limited_by: str | None


def least(curves: Mapping[str, Curve], primary: Sequence[str], verdicts: Mapping[float, Verdict]) -> Least:
    """Return the least share for all metrics that count: the primary ones, or all where none of these is measured."""
    counted = [curves[name] for name in primary if name in curves] or list(curves.values())
    safe = safe_share(verdicts)
    if not counted:
        return Least(None, False, 0.0, 1.0, safe, None)
    needed = [ranked(curve.crossing) for curve in counted]
    limiting = counted[int(np.argmax(needed))]
    draws = np.max([curve.draws for curve in counted], axis=0)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    at_most = all(curve.crossing.at_most for curve in counted)
    missing = any(curve.crossing.share is None for curve in counted)
    share = None if missing else float(counted[0].shares[0]) if at_most else max(needed)
    return Least(share, at_most, float(low), float(high), safe, None if at_most else limiting.metric)


def safe_share(verdicts: Mapping[float, Verdict]) -> float | None:
    """Return the smallest share that was measured stable together with all larger ones."""
    found = None
    for share in sorted(verdicts, reverse=True):
        if verdicts[share] != "stable":
            break
        found = share
    return found
