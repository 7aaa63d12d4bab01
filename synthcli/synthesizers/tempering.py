"""A sampling bias in numbers: the temperature at which a model is drawn from, and what it makes of counts.

At temperature T a law p becomes p^(1/T), scaled to sum to one: below 1 what is frequent becomes more frequent, above 1
all becomes alike (Ackley, Hinton & Sejnowski 1985, doi:10.1207/s15516709cog0901_7). A normal law keeps its mean and has
T times its covariance then, which is the bias that Alemohammad et al. (2024, arXiv:2307.01850) study. What a generator
makes of it stands at its ``tempered`` (``protocol.Tempered``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def combined(own: float, further: float) -> float:
    """Return the temperature of a model at ``own`` that is tempered once more: p^(1/T) to the power of 1/U.

    Raises ``ValueError`` where ``further`` or the product is no finite number above 0.
    """
    for temperature in (further, own * further):
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"a temperature is a finite number above 0, not {temperature}")
    return own * further


def tempered_counts(counts: NDArray[Any], starts: NDArray[np.intp], temperature: float) -> NDArray[np.float64]:
    """Return the counts of each group shared out anew, in proportion to count^(1/temperature).

    ``counts`` (> 0) are groups end to end, the first of each at ``starts``. A group's sum stays as it is.
    """
    if not len(counts):
        return np.zeros(0)
    sizes = np.diff(np.append(starts, len(counts)))
    most, total = (np.repeat(part.reduceat(counts, starts), sizes) for part in (np.maximum, np.add))
    # As a share of the group's greatest count, so that no power overflows.
    powers = (counts / most) ** (1 / temperature)
    shared: NDArray[np.float64] = powers * total / np.repeat(np.add.reduceat(powers, starts), sizes)
    return shared


def check_unbiased(temperature: float) -> None:
    """Raise ``ValueError`` for a model that is to be saved at a temperature, which its folder has no place for."""
    if temperature != 1.0:
        raise ValueError(f"a model at temperature {temperature} cannot be saved: save the one that it was made from")
