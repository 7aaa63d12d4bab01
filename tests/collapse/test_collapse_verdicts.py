"""Verdicts: the rule on chains made for it, by hand, and what must not change a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from synthcli.collapse.measures import Direction
from synthcli.collapse.verdicts import Judged, Mean, Settles, changes, judge, late, overall, slopes
from synthcli.metrics.estimate import student_quantile

Floats = NDArray[np.float64]
MARGIN = 0.1
NOISE = np.array([-0.01, 0.0, 0.01])
FLAT = np.zeros((3, 9))


def course(levels: Sequence[float], noise: Floats = NOISE) -> Floats:
    """Return chains that follow ``levels`` from generation 0 on, each off by its noise from generation 2 on."""
    found = np.tile(np.array(levels, dtype=float), (len(noise), 1))
    found[:, 2:] += noise[:, None]
    return found


def judged(values: Floats, direction: Direction = "lower", control: Floats | None = FLAT) -> Judged:
    return judge("tvd", direction, MARGIN, values, control)


RISING = course([0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
PLATEAU = course([0.0, 0.0, 0.3, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6])
STABLE = course([0.0, 0.0, 0.02, 0.03, 0.02, 0.02, 0.03, 0.02, 0.02])
UNSURE = course([0.0] * 9, np.array([-0.1, 0.0, 0.25]))


# --- what is read of a chain ---


@pytest.mark.parametrize(
    ("generations", "expected"), [(2, [2]), (3, [3]), (4, [4]), (5, [4, 5]), (8, [7, 8]), (10, [8, 9, 10])]
)
def test_the_late_ones_are_the_last_quarter_of_generations(generations: int, expected: list[int]) -> None:
    assert list(range(generations + 1))[late(generations)] == expected


def test_a_change_is_late_less_first_less_the_controls_by_hand() -> None:
    values = np.array([[9.0, 1.0, 2.0, 3.0, 4.0], [9.0, 2.0, 2.0, 2.0, 7.0]])
    control = np.array([[5.0, 1.0, 1.0, 2.0, 3.0], [5.0, 4.0, 3.0, 3.0, 3.0]])
    # Of the control, all generations after the first: 2 - 1 and 3 - 4.
    assert changes(values, control).tolist() == [3.0 - 1.0, 5.0 + 1.0]
    assert changes(control, None).tolist() == [2.0, -1.0]


def test_a_longer_arm_than_its_control_is_compared_all_the_same() -> None:
    values = np.array([[9.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 4.0, 6.0]])
    assert changes(values, np.array([[0.0, 1.0, 1.5]])).tolist() == [4.0 - 0.5]


def test_what_was_not_measured_counts_for_nothing() -> None:
    values = np.array([[9, 1.0, nan, nan, 2, nan, nan, nan, 4], [9, 1.0, nan, nan, 2, nan, nan, nan, nan]])
    control = np.array([[9, 1.0, nan, nan, 2, nan, nan, 3, nan]] * 2)
    found = changes(values, control)
    assert found[0] == 3 - 1.5
    assert isnan(found[1])


def test_slopes_by_hand() -> None:
    # Of four generations the third and the fourth: 5 a generation, 20 over all.
    assert slopes(np.array([[0.0, 7.0, 7.0, 1.0, 6.0]])).tolist() == [20.0]
    # Of eight the last four: (-1.5 · 0 - .5 · 1 + .5 · 1 + 1.5 · 4)/5 = 1.2 a generation.
    assert slopes(np.array([[0.0, 9, 9, 9, 9, 0, 1, 1, 4]]))[0] == pytest.approx(9.6)
    # Measured in every third one: 10, 13 and 16 of sixteen.
    every_third = np.full((1, 17), nan)
    every_third[0, [0, 1, 4, 7, 10, 13, 16]] = [0, 0, 0, 0, 3, 5, 10]
    assert slopes(every_third)[0] == pytest.approx(16 * 7 / 6)


def test_one_generation_has_no_slope() -> None:
    assert np.isnan(slopes(np.array([[0.0, 1.0, 2.0]]))).all()


@given(st.integers(3, 40), st.floats(-5, 5), st.floats(-5, 5))
def test_a_straight_line_has_its_own_slope(generations: int, start: float, pace: float) -> None:
    line = start + pace * np.arange(generations + 1.0)
    assert slopes(line[None, :])[0] == pytest.approx(pace * generations, abs=1e-9)


# --- means over chains ---


def test_a_mean_over_chains_by_hand() -> None:
    mean = Mean.of(np.array([1.0, 2.0, 3.0]))
    assert mean == (2.0, pytest.approx(1 / sqrt(3)), 2)
    assert mean.bound(0.95) == pytest.approx(2 + 2.919986 / sqrt(3), abs=1e-6)
    assert mean.bound(0.05) == pytest.approx(2 - 2.919986 / sqrt(3), abs=1e-6)
    # With two degrees of freedom P(T > t) = (1 - t/sqrt(2 + t²))/2, here t = 2 sqrt(3).
    assert mean.chance_at_most(0.0) == pytest.approx((1 - sqrt(12 / 14)) / 2)
    assert mean.chance_at_most(2.0) == pytest.approx(0.5)
    assert mean.negated.chance_at_most(0.0) == pytest.approx((1 + sqrt(12 / 14)) / 2)


def test_a_chain_that_was_not_measured_is_left_out_of_a_mean() -> None:
    assert Mean.of(np.array([1.0, nan, 2.0, 3.0])) == Mean.of(np.array([1.0, 2.0, 3.0]))


def test_one_chain_and_none_bound_nothing() -> None:
    one, none = Mean.of(np.array([5.0, nan])), Mean.of(np.array([nan, nan]))
    assert (one.value, one.bound(0.95), one.bound(0.05)) == (5.0, inf, -inf)
    assert one.chance_at_most(0.0) == 1.0
    assert isnan(none.value)
    assert none.chance_at_most(0.0) == 1.0


def test_chains_that_agree_leave_no_doubt() -> None:
    same = Mean.of(np.array([0.25, 0.25]))
    assert (same.bound(0.95), same.bound(0.05)) == (0.25, 0.25)
    assert (same.chance_at_most(0.24), same.chance_at_most(0.25), same.chance_at_most(0.26)) == (0.0, 1.0, 1.0)


# --- one metric ---


@pytest.mark.parametrize(
    ("values", "verdict", "change", "slope"),
    [
        (RISING, "collapsing", 0.65, 0.8),
        (PLATEAU, "degraded-plateau", 0.6, 0.0),
        (STABLE, "stable", 0.02, -0.008),
        (UNSURE, "inconclusive", 0.05, 0.0),
    ],
    ids=["rising", "plateau", "stable", "unsure"],
)
def test_the_rule_on_chains_made_for_it(values: Floats, verdict: str, change: float, slope: float) -> None:
    found = judged(values)
    assert found.verdict == verdict
    assert found.change.value == pytest.approx(change, abs=0.011)
    assert found.slope.value == pytest.approx(slope, abs=0.1)
    assert (found.settles is not None) == (verdict == "inconclusive")


def test_first_and_late_are_the_arms_own_and_not_less_the_controls() -> None:
    found = judged(RISING + 1, control=RISING)
    assert (found.first, found.late) == (pytest.approx(1.0), pytest.approx(1.65))
    assert found.change.value == pytest.approx(0.65 - 0.4)


@pytest.mark.parametrize(
    ("direction", "rises", "falls"),
    [
        ("lower", "collapsing", "stable"),
        ("higher", "stable", "collapsing"),
        ("target", "collapsing", "collapsing"),
    ],
)
def test_only_the_harmful_way_is_harm(direction: Direction, rises: str, falls: str) -> None:
    assert judged(RISING, direction).verdict == rises
    assert judged(-RISING, direction).verdict == falls


def test_a_slope_the_other_way_is_no_collapse() -> None:
    recovering = course([0.0, 0.0, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.5])
    for direction in ("lower", "target"):
        assert judged(recovering, direction).verdict == "degraded-plateau"


def test_of_two_ways_each_has_half_the_level() -> None:
    """Changes .1 + .1, .1 + .2 and .1 + .3: p = .037 for one way, .074 for either."""
    values = course([0.0] * 9, np.array([0.2, 0.3, 0.4]))
    assert judged(values, "lower").p_change == pytest.approx((1 - sqrt(12 / 14)) / 2)
    assert judged(values, "lower").verdict == "degraded-plateau"
    assert judged(values, "target").p_change == pytest.approx(1 - sqrt(12 / 14))
    assert judged(values, "target").verdict == "inconclusive"


def test_stable_needs_both_ends_inside_where_both_ways_are_harm() -> None:
    low = course([0.0] * 9, np.array([-0.3, -0.1, 0.1]))
    assert judged(low, "lower").verdict == "inconclusive"  # the high bound is -.1 + 2.92 · .2/sqrt(3) = .24
    assert judged(low - [[0.0] * 2 + [0.2] * 7], "lower").verdict == "stable"
    assert judged(low - [[0.0] * 2 + [0.2] * 7], "target").verdict == "inconclusive"


@pytest.mark.parametrize(
    ("change", "verdict"), [(0.5, "degraded-plateau"), (0.25, "inconclusive"), (0.125, "stable"), (-0.5, "stable")]
)
def test_without_variance_the_change_itself_decides(change: float, verdict: str) -> None:
    values = course([0.0, 0.0] + [change] * 7, np.zeros(3))
    found = judge("tvd", "lower", 0.25, values, FLAT)
    assert found.verdict == verdict
    if verdict == "inconclusive":  # exactly at the margin: no number of chains would show more
        assert found.settles == Settles(None, None)


def test_a_chain_that_was_not_measured_leaves_the_others_their_verdict() -> None:
    for values in (RISING, PLATEAU, STABLE, UNSURE):
        alone = judged(values)
        beside = judged(np.vstack([values, np.full(9, nan)]), control=np.zeros((4, 9)))
        assert beside.verdict == alone.verdict
        assert beside.change == pytest.approx(alone.change)
        assert beside.slope == pytest.approx(alone.slope)


def test_a_metric_that_was_never_measured_is_inconclusive() -> None:
    found = judged(np.full((3, 9), nan))
    assert (found.verdict, found.p_change, found.settles) == ("inconclusive", 1.0, Settles(None, None))


def test_the_control_is_judged_by_its_own_change() -> None:
    assert judge("tvd", "lower", MARGIN, STABLE, None).verdict == "stable"
    wandering = judge("tvd", "lower", MARGIN, RISING, None)
    assert (wandering.verdict, wandering.change.value) == ("collapsing", pytest.approx(0.65))
    assert judge("tvd", "lower", MARGIN, RISING, RISING).change.value == pytest.approx(0.25)


def test_a_common_swing_of_arm_and_control_cancels() -> None:
    """Chains of other real rows start elsewhere; their own control takes that away."""
    start = np.array([[-0.4], [0.0], [0.4]]) * ([0.0, 1.0] + [0.0] * 7)
    alone, paired = judged(STABLE + start), judged(STABLE + start, control=FLAT + start)
    assert (alone.verdict, paired.verdict) == ("inconclusive", "stable")


# --- what settles it ---


def spread_like(chains: int, change: float, deviation: float) -> Floats:
    """Return chains whose changes have exactly this mean and standard deviation."""
    shape = np.linspace(-1, 1, chains)
    return course([0.0] * 9, change + deviation * shape / shape.std(ddof=1))


@pytest.mark.parametrize(
    ("direction", "change"), [("lower", 0.06), ("lower", 0.13), ("higher", -0.07), ("target", 0.05), ("target", -0.15)]
)
def test_so_many_chains_as_settle_it_do(direction: Direction, change: float) -> None:
    deviation = 0.1
    found = judged(spread_like(4, change, deviation), direction, control=np.zeros((4, 9)))
    assert found.verdict == "inconclusive"
    assert found.settles is not None
    assert found.settles.chains is not None
    assert found.settles.chains > 4
    enough = found.settles.chains
    assert judged(spread_like(enough, change, deviation), direction, np.zeros((enough, 9))).verdict != "inconclusive"
    level = 0.975 if direction == "target" else 0.95
    for chains, settled in ((enough, True), (enough - 1, False)):
        reach = student_quantile(level, chains - 1) + student_quantile(0.8, chains - 1)
        half = reach * deviation / sqrt(chains)
        assert (half < abs(MARGIN - abs(change))) == settled


def test_so_many_chains_as_settle_it_do_so_four_times_in_five() -> None:
    settles = judged(spread_like(6, 0.05, 0.1), control=np.zeros((6, 9))).settles
    assert settles is not None
    assert settles.chains is not None
    random, times = np.random.default_rng(4), 300
    decided = 0
    for _ in range(times):
        values = course([0.0] * 9, random.normal(0.05, 0.1, settles.chains))
        decided += judged(values, control=np.zeros_like(values)).verdict == "stable"
    assert abs(decided / times - 0.8) < 0.07  # three standard errors


def test_no_number_of_chains_settles_a_change_at_the_margin() -> None:
    settles = judged(spread_like(4, MARGIN - 1e-4, 0.1), control=np.zeros((4, 9))).settles
    assert settles == Settles(None, None)


def test_generations_until_a_drift_reaches_the_margin_by_hand() -> None:
    # .016 a generation from .07 on: .03 more are 1.9 generations more than eight.
    values = course([0, 0, 0.01, 0.01, 0.01, 0.03, 0.046, 0.062, 0.078], np.array([-0.1, 0.0, 0.1]))
    found = judged(values)
    assert found.change.value == pytest.approx(0.07)
    assert found.slope.value == pytest.approx(8 * 0.016)
    assert found.settles is not None
    assert found.settles.generations == 10
    assert judged(-values, "higher").settles == found.settles
    assert judged(-values, "target").settles.generations == 10  # type: ignore[union-attr]


def test_a_drift_back_to_nothing_reaches_no_margin() -> None:
    values = course([0, 0, 0.2, 0.2, 0.2, 0.1225, 0.1075, 0.0925, 0.0775], np.array([-0.1, 0.0, 0.1]))
    for direction in ("lower", "target"):
        settles = judged(values, direction).settles
        assert settles is not None
        assert settles.generations is None


def test_generations_beyond_twenty_times_as_many_are_not_promised() -> None:
    slow = course([0, 0, 0, 0, 0, 0.0, 0.0001, 0.0002, 0.0003], np.array([-0.2, 0.0, 0.2]))
    settles = judged(slow).settles
    assert settles is not None
    assert settles.generations is None


# --- a regime ---


def one(verdict: str, p_change: float, p_slope: float) -> Judged:
    return replace(judged(STABLE), verdict=verdict, p_change=p_change, p_slope=p_slope)  # type: ignore[arg-type]


OK = one("stable", 0.9, 0.9)


def test_a_regime_is_stable_where_all_that_count_are() -> None:
    assert overall({"a": OK, "b": OK, "c": OK}, ("a", "b", "c")) == ("stable", None)
    unsure = judged(spread_like(6, 0.05, 0.1), control=np.zeros((6, 9)))
    assert unsure.settles is not None
    assert overall({"a": OK, "b": OK, "c": unsure}, ("a", "b", "c")) == ("inconclusive", unsure.settles)


def test_only_the_metrics_that_count_are_asked() -> None:
    bad = one("collapsing", 0.0, 0.0)
    assert overall({"a": OK, "x": bad}, ("a", "b")) == ("stable", None)
    assert overall({"a": bad, "x": OK}, ("a", "b")) == ("collapsing", None)
    assert overall({"x": bad, "y": OK}, ("a", "b"))[0] == "collapsing"  # none of them is measured: all others
    assert overall({}, ("a",))[0] == "inconclusive"


def test_the_level_is_shared_by_those_that_count() -> None:
    """One of three has to reach .05/3 = .0167, one of two .025; a p-value at the level is not below it."""
    for p, verdict in ((0.0166, "collapsing"), (0.0168, "inconclusive")):
        three = {"a": one("collapsing", p, p), "b": OK, "c": OK}
        assert overall(three, ("a", "b", "c"))[0] == verdict
    assert overall({"a": one("collapsing", 0.0168, 0.0168), "b": OK}, ("a", "b"))[0] == "collapsing"
    assert overall({"a": one("collapsing", 0.049, 0.049)}, ("a",))[0] == "collapsing"


def test_a_collapse_needs_change_and_slope_in_the_same_metric() -> None:
    mixed = {"a": one("degraded-plateau", 0.001, 0.6), "b": one("inconclusive", 0.6, 0.001)}
    assert overall(mixed, ("a", "b"))[0] == "degraded-plateau"
    assert overall({**mixed, "c": one("collapsing", 0.002, 0.003)}, ("a", "b", "c"))[0] == "collapsing"


def test_a_regime_is_settled_when_all_its_metrics_are() -> None:
    near, far = (judged(spread_like(6, change, 0.1), control=np.zeros((6, 9))) for change in (0.06, 0.05))
    edge = judged(spread_like(6, MARGIN - 1e-4, 0.1), control=np.zeros((6, 9)))
    assert near.settles is not None
    assert far.settles is not None
    assert near.settles.chains is not None
    assert overall({"a": near, "b": far}, ("a", "b"))[1] == near.settles
    assert near.settles.chains > (far.settles.chains or 0)
    assert overall({"a": near, "b": edge}, ("a", "b"))[1] == Settles(None, None)


def test_harm_that_is_shown_alone_and_not_among_three_is_settled_at_the_level_of_three() -> None:
    """p between .05/3 and .05: by itself it is beyond the margin, among three it needs more chains, not none."""
    alone = judged(spread_like(8, 0.19, 0.105), control=np.zeros((8, 9)))
    assert alone.verdict == "degraded-plateau"
    assert 0.05 / 3 < alone.p_change < 0.05
    verdict, settles = overall({"a": alone, "b": OK, "c": OK}, ("a", "b", "c"))
    assert verdict == "inconclusive"
    assert settles is not None
    assert settles.chains is not None
    reach = student_quantile(1 - 0.05 / 3, settles.chains - 1) + student_quantile(0.8, settles.chains - 1)
    assert reach * 0.105 / sqrt(settles.chains) < 0.09 <= reach * 0.105 / sqrt(settles.chains - 1) * 1.1


def test_without_a_slope_nobody_knows_whether_it_goes_on() -> None:
    """Two generations: the harm is plain, and whether it is a plateau is not; more generations would say."""
    values = np.tile([0.0, 0.0, 0.5], (6, 1)) + np.linspace(0, 0.01, 6)[:, None] * [0, 0, 1]
    found = judged(values, control=np.zeros((6, 3)))
    assert found.p_change < 1e-6
    assert np.isnan(found.slope.value)
    assert (found.verdict, found.settles) == ("inconclusive", Settles(None, 7))
    assert overall({"a": found}, ("a",)) == ("inconclusive", Settles(None, 7))


def test_chains_that_all_agree_are_not_taken_for_certain() -> None:
    values = np.ones((6, 9))
    assert judge("rare_category_survival", "higher", 0.1, values, np.ones((6, 9))).verdict == "stable"
    doubted = judge("rare_category_survival", "higher", 0.1, values, np.ones((6, 9)), 0.06)
    assert doubted.verdict == "inconclusive"  # 2.015 times .06 is more than .1
    assert doubted.change.se == 0.06


# --- laws ---

CELLS = st.integers(-64, 64).map(lambda number: number / 64)
TABLES = arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(3, 13)), elements=CELLS)
DIRECTIONS = st.sampled_from(["lower", "higher", "target"])


def close(one: Mean, other: Mean) -> bool:
    return one == pytest.approx(other, abs=1e-9, nan_ok=True)


@given(TABLES, DIRECTIONS, CELLS)
def test_a_constant_added_to_all_generations_changes_nothing(
    values: Floats, direction: Direction, constant: float
) -> None:
    control = np.zeros_like(values)
    before, after = (judge("tvd", direction, 0.3, one, control) for one in (values, values + constant))
    assert close(before.change, after.change)
    assert close(before.slope, after.slope)
    if all(abs(abs(before.change.bound(level)) - 0.3) > 1e-6 for level in (0.025, 0.05, 0.95, 0.975)) and all(
        abs(abs(before.slope.bound(level)) - 0.3) > 1e-6 for level in (0.025, 0.05)
    ):
        assert before.verdict == after.verdict


@given(TABLES, st.sampled_from([("lower", "higher"), ("target", "target")]))
def test_more_of_what_is_good_is_less_of_what_is_bad(values: Floats, directions: tuple[Direction, Direction]) -> None:
    control = values[:, ::-1].copy()
    found = judge("tvd", directions[0], 0.3, values, control)
    mirrored = judge("tvd", directions[1], 0.3, -values, -control)
    assert (found.verdict, found.settles) == (mirrored.verdict, mirrored.settles)
    assert (found.p_change, found.p_collapse) == (mirrored.p_change, mirrored.p_collapse)
    assert mirrored.change == found.change.negated


@given(TABLES, DIRECTIONS, st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_a_unit_is_only_a_unit(values: Floats, direction: Direction, scale: float) -> None:
    control = np.zeros_like(values)
    found = judge("tvd", direction, 0.25, values, control)
    scaled = judge("tvd", direction, 0.25 * scale, values * scale, control)
    assert (found.verdict, found.settles) == (scaled.verdict, scaled.settles)


@given(TABLES, DIRECTIONS, CELLS)
def test_generation_zero_has_no_say(values: Floats, direction: Direction, real: float) -> None:
    other = values.copy()
    other[:, 0] = real
    assert judge("tvd", direction, 0.3, values, None) == judge("tvd", direction, 0.3, other, None)


@given(TABLES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_wider_margin_never_makes_it_worse(values: Floats, one: float, other: float) -> None:
    rank = {"stable": 0, "inconclusive": 1, "degraded-plateau": 2, "collapsing": 3}
    found = [rank[judge("tvd", "lower", margin, values, None).verdict] for margin in sorted((one, other))]
    assert found[0] >= found[1]


def test_a_harm_at_the_margin_is_rarely_called_harm() -> None:
    """One-sided 5 %: of 600 experiments with an effect of exactly the margin, at most about 30."""
    random, times = np.random.default_rng(2), 600
    found = [judged(course([0.0] * 9, random.normal(MARGIN, 0.1, 10)), control=np.zeros((10, 9))) for _ in range(times)]
    beyond = np.mean([one.verdict in ("collapsing", "degraded-plateau") for one in found])
    inside = np.mean([one.verdict == "stable" for one in found])
    error = sqrt(0.05 * 0.95 / times)
    assert abs(beyond - 0.05) < 3 * error
    assert abs(inside - 0.05) < 3 * error
