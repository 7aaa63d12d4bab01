"""Mechanisms: known contractions and random walks are found again, and half-lives by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from numpy.typing import NDArray

from synthcli.collapse.mechanisms import Contraction, contraction, drift

Floats = NDArray[np.float64]


def walks(ratio: float, variance: float, chains: int, generations: int, columns: int = 1) -> Floats:
    """Return logarithms whose steps are normal with this variance, and whose ratios are ``ratio`` on average."""
    steps = np.random.default_rng(8).normal(
        log(ratio) - variance / 2, np.sqrt(variance), (chains, generations, columns)
    )
    return np.cumsum(steps, axis=1)


def ramp(*slopes: float, chains: int = 3, generations: int = 4) -> Floats:
    """Return straight logarithms, one column a slope, the same in every chain."""
    return np.broadcast_to(np.outer(np.arange(generations), slopes), (chains, generations, len(slopes))).copy()


@pytest.mark.parametrize(("ratio", "variance"), [(1.0, 0.04), (0.95, 0.04), (0.9, 0.002), (1.02, 0.1)])
def test_a_known_contraction_and_a_known_drift_are_found(ratio: float, variance: float) -> None:
    chains, generations = 400, 12
    logs = walks(ratio, variance, chains, generations)
    steps = chains * (generations - 1)
    bias, chance = contraction(logs), drift(logs)
    assert bias is not None
    assert chance is not None
    assert chance.half_life is not None
    error = ratio * np.sqrt(np.expm1(variance) / steps)  # of a log-normal ratio
    assert abs(bias.contraction - ratio) < 3 * error
    found = 2 * log(2) / chance.half_life
    assert abs(found - variance) < 3 * variance * np.sqrt(2 / steps)
    # The intervals' widths are those of 400 chains: 3.92 standard errors.
    assert bias.high - bias.low == pytest.approx(3.92 * error, rel=0.15)
    assert chance.low is not None
    assert chance.high is not None
    assert 2 * log(2) / chance.low - 2 * log(2) / chance.high == pytest.approx(
        3.92 * variance * np.sqrt(2 / steps), rel=0.2
    )


def test_intervals_hold_the_truth_nineteen_times_in_twenty() -> None:
    ratio, variance, times = 0.97, 0.05, 400
    logs = walks(ratio, variance, 10 * times, 6).reshape(times, 10, 6, 1)
    held = [(contraction(one), drift(one)) for one in logs]
    biases = np.mean([bias.low <= ratio <= bias.high for bias, _ in held if bias is not None])
    assert abs(biases - 0.95) < 3 * np.sqrt(0.95 * 0.05 / times)
    truth = 2 * log(2) / variance
    chances = np.mean([one.low <= truth <= (one.high or np.inf) for _, one in held if one is not None and one.low])
    assert chances > 0.88  # a variance's own distribution is skewed over ten chains


def test_a_straight_decline_is_all_bias() -> None:
    bias, chance = contraction(ramp(-0.5)), drift(ramp(-0.5))
    assert bias is not None
    assert bias == pytest.approx((np.exp(-0.5),) * 3)
    assert bias.half_life == pytest.approx(2 * log(2))
    assert chance == (None, None, None)


def test_half_lives_by_hand() -> None:
    assert Contraction(0.95, 0.9, 1.0).half_life == pytest.approx(13.513, abs=5e-4)  # ln .5/ln .95
    assert Contraction(0.25, 0.2, 0.3).half_life == pytest.approx(0.5)
    assert Contraction(1.0, 0.9, 1.1).half_life is None
    assert Contraction(1.1, 1.0, 1.2).half_life is None
    # Steps of ± .1 around a column's mean step of 0 in two chains, of 0 in a third: variance .04/5.
    logs = np.array([[0.0, 0.1, 0.0], [0.0, -0.1, 0.0], [0.0, 0.0, 0.0]])[..., None]
    chance = drift(logs)
    assert chance is not None
    assert chance.half_life == pytest.approx(2 * log(2) * 5 / 0.04)


def test_a_common_decline_is_no_drift() -> None:
    logs = walks(1.0, 0.01, 50, 6)
    assert drift(logs + ramp(log(0.8), chains=50, generations=6)) == pytest.approx(drift(logs))


def test_one_odd_column_does_not_speak_for_all() -> None:
    bias = contraction(ramp(log(0.9), log(0.9), log(0.1)))
    assert bias is not None
    assert bias.contraction == pytest.approx(0.9)


def test_a_column_that_became_constant_keeps_nothing_from_then_on() -> None:
    nothing = log(1e-6)
    logs = np.array([[0.0, nothing, nothing], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])[..., None]
    bias = contraction(logs)
    assert bias is not None
    assert bias.contraction == pytest.approx((1e-6 + 1 + 1) / 3)
    assert bias.low == 0.0


@pytest.mark.parametrize("shape", [(2, 5, 2), (5, 1, 2), (5, 5, 0)], ids=["two chains", "generation", "no column"])
def test_too_little_says_nothing(shape: tuple[int, int, int]) -> None:
    assert contraction(np.zeros(shape)) is None
    assert drift(np.zeros(shape)) is None
