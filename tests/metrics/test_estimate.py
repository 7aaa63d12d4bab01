"""Estimates and intervals against values known by other means."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthcli.metrics.estimate import Curve, Estimate, jackknife_interval, jackknife_se, not_measured, wilson_interval


def test_wilson_interval_of_2_in_10_is_the_published_one() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, method 3: 81/263 -> .2553 to .3662.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_agrees_with_scipy(case: tuple[int, int]) -> None:
    expected = stats.binomtest(*case).proportion_ci(method="wilson")
    assert wilson_interval(*case) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=40)
    left_out = (values.sum() - values) / 39
    assert jackknife_se(left_out) == pytest.approx(values.std(ddof=1) / np.sqrt(40))


def test_one_group_gives_no_information() -> None:
    assert jackknife_interval(0.5, np.array([0.4]), (0.0, 1.0)) == (0.0, 1.0)


def test_nan_is_refused_where_a_number_was_measured() -> None:
    with pytest.raises(ValueError, match="finite"):
        Estimate("a.b", "a", float("nan"), 0.0, 1.0, 1, "higher", (0.0, 1.0))
    with pytest.raises(ValueError, match="finite"):
        Estimate("a.b", "a", 0.5, 0.0, 1.0, 1, "higher", (0.0, 1.0), reference=float("inf"))


def test_estimates_survive_json() -> None:
    told = {"reference": 0.7, "reference_kind": "x", "curves": (Curve("who", (0.0, 1.0), (0.5, 1.0)),)}
    measured = Estimate("a.b", "a", 0.5, 0.4, 0.6, 9, "higher", (0.0, None), **told)
    for estimate in (measured, not_measured("a.b", "a", "because")):
        assert Estimate.from_dict(json.loads(json.dumps(estimate.to_dict()))) == estimate
