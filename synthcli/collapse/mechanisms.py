"""The two mechanisms behind a collapse: drift, which is chance, and bias, which is the generator's.

*Bias* is a contraction: the variance of a generation's output over that of the one before is ρ on average, whatever the
number of rows. *Drift* is a random walk: the same ratio varies by chance, with a variance of about 2/n of its
logarithm, which lowers the geometric mean without any bias; a count of fresh rows cures it, as a share of them cures
bias. Both are estimated from the regime ``replace``, where nothing holds a generation back.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthcli.collapse.verdicts import Mean
from synthcli.metrics.estimate import LEVEL

Floats = NDArray[np.float64]
#: Fewer chains say nothing of a spread.
_LEAST_CHAINS = 3
#: The logarithm that stands for no variance at all; what follows it is no ratio.
_NOTHING = log(1e-6)


class Contraction(NamedTuple):
    """ρ, the mean ratio from one generation to the next, with its 95 % interval; 1 is no bias.

    ``half_life`` is after how many generations a half is left by it alone, ``None`` where nothing shrinks.
    """

    contraction: float
    low: float
    high: float

    @property
    def half_life(self) -> float | None:
        """Generations after which the bias has halved a variance."""
        return log(0.5) / log(self.contraction) if 0 < self.contraction < 1 else None


class Drift(NamedTuple):
    """Generations after which chance alone has halved the geometric mean, with a 95 % interval; ``None``: never."""

    half_life: float | None
    low: float | None
    high: float | None


def contraction(logs: Floats) -> Contraction | None:
    """Estimate the bias from logarithms of shape (chains, generations, columns), one generation after the other.

    A chain's number is the median over columns of the mean ratio over generations, so that one odd column does not
    speak for all. ``None`` with fewer than two generations or three chains.
    """
    steps = _steps(logs)
    if steps is None:
        return None
    mean = Mean.of(np.median(np.exp(steps).mean(axis=1), axis=1))
    half = (1 - LEVEL) / 2
    return Contraction(mean.value, max(0.0, mean.bound(half)), mean.bound(1 - half))


def drift(logs: Floats) -> Drift | None:
    """Estimate chance from the same logarithms: the variance of a step around the mean step of its column.

    Its half lowers the mean logarithm by each generation, so that a half is left after 2 ln 2 over the variance.
    """
    steps = _steps(logs)
    if steps is None:
        return None
    spread = (steps - steps.mean(axis=(0, 1), keepdims=True)) ** 2
    scale = steps.shape[0] * steps.shape[1] / (steps.shape[0] * steps.shape[1] - 1)
    mean = Mean.of(np.median(spread.mean(axis=1) * scale, axis=1))
    half = (1 - LEVEL) / 2
    least, most = mean.bound(half), mean.bound(1 - half)
    return Drift(_half_life(mean.value), _half_life(most), _half_life(least))


def _half_life(variance: float) -> float | None:
    return 2 * log(2) / variance if variance > 0 else None


def _steps(logs: Floats) -> Floats | None:
    """Return the steps of the logarithms; once a column has become constant its last ratio, none, goes on."""
    steps = np.diff(logs, axis=1)
    if min(steps.shape) < 1 or len(steps) < _LEAST_CHAINS:
        return None
    return np.where(logs[:, :-1] <= _NOTHING + 1e-9, _NOTHING, steps)
