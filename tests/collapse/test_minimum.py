"""The least fresh data: closed forms against what they come from, and curves by hand."""

from __future__ import annotations

from math import ceil, exp, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from synthcli.collapse.minimum import (
    GREATEST,
    GRID,
    TO_REST,
    Curve,
    against_bias,
    against_extinction,
    against_steps,
    crossing,
    falling,
    fit_curve,
    generations_to_rest,
    grid,
    least,
    safe_share,
    survival,
)

Floats = NDArray[np.float64]

# --- predicted: bias and steps ---


def test_a_contraction_of_five_percent_needs_a_third_of_fresh_rows() -> None:
    assert against_bias(0.95, 0.1) == pytest.approx(0.9 * 0.05 / (0.05 + 0.095))
    assert round(against_bias(0.95, 0.1), 2) == 0.31


@given(st.floats(0.05, 0.999), st.floats(0.01, 0.9))
def test_the_share_against_bias_leaves_what_it_should(contraction: float, loss: float) -> None:
    share = against_bias(contraction, loss)
    assert 0 < share < 1
    assert share / (1 - (1 - share) * contraction) == pytest.approx(1 - loss)
    variance = 1.0  # and from anywhere: v' = φ + (1 - φ) ρ v
    for _ in range(ceil(20 / share)):
        variance = share + (1 - share) * contraction * variance
    assert variance == pytest.approx(1 - loss, abs=1e-6)


@pytest.mark.parametrize("contraction", [1.0, 1.05])
def test_what_does_not_shrink_needs_nothing(contraction: float) -> None:
    assert against_bias(contraction, 0.1) == 0.0


@given(st.floats(1e-4, 10), st.floats(1e-3, 10))
def test_the_share_against_steps_is_where_the_error_comes_to_rest(step: float, margin: float) -> None:
    share = against_steps(step, margin)
    assert (1 - share) * (margin + step) == pytest.approx(margin)  # e' = (1 - φ)(e + d)
    error = 0.0
    for _ in range(min(ceil(30 / share), 5_000)):
        error = (1 - share) * (error + step)
    assert error <= margin * (1 + 1e-9)
    if share > 0.01:
        assert error == pytest.approx(margin)


def test_an_error_that_does_not_grow_needs_nothing() -> None:
    assert against_steps(0.0, 0.1) == against_steps(-0.3, 0.1) == 0.0
    assert against_steps(0.05, 0.05) == 0.5


# --- predicted: extinction ---


def test_without_fresh_rows_survival_is_the_known_recursion() -> None:
    """P(alive) = 1 - exp(-n p s_t), s_{t+1} = 1 - exp(-s_t): the figures of the 50 Zipf categories."""
    shares, alive = np.array([0.0005, 0.002, 0.02]), 1.0
    for generation in range(1, 31):
        alive = 1 - exp(-alive)
        assert survival(shares, 500, 0.0, generation) == pytest.approx(1 - np.exp(-500 * shares * alive))
    law = 1 / np.arange(1, 51)
    left = {t: survival(law / law.sum(), 200, 0.0, t - 1).sum() for t in (5, 10, 30)}
    assert left == pytest.approx({5: 25.1, 10: 17.7, 30: 8.8}, abs=0.1)


def test_with_fresh_rows_alone_every_generation_is_the_first() -> None:
    shares = np.array([0.001, 0.01])
    first = 1 - np.exp(1000 * shares * (exp(-1) - 1))
    for generations in (1, 2, 9):
        assert survival(shares, 1000, 1.0, generations) == pytest.approx(first)


@pytest.mark.parametrize("fresh", [0.0, 0.1, 0.5])
def test_survival_is_that_of_rows_drawn_again_and_again(fresh: float) -> None:
    rows, generations, times = 400, 8, 1_500
    shares = np.append(np.full(30, 1 / rows), [0.25, 1 - 0.25 - 30 / rows])
    random = np.random.default_rng(6)
    new = round(fresh * rows)
    learned = random.multinomial(rows, shares, size=times)
    for _ in range(generations - 1):
        learned = random.multinomial(rows - new, learned / rows) + random.multinomial(new, shares, size=times)
    shown = (random.multinomial(rows, learned / rows) > 0)[:, :30].mean(axis=1)
    expected = survival(shares[:30], rows, fresh, generations).mean()
    assert abs(shown.mean() - expected) < 3 * shown.std(ddof=1) / sqrt(times)


@given(st.lists(st.floats(1e-4, 0.2), min_size=1, max_size=5), st.floats(0, 1), st.floats(0, 1), st.integers(1, 20))
def test_more_fresh_rows_save_more_and_time_saves_none(
    shares: list[float], one: float, other: float, generations: int
) -> None:
    few, many = sorted((one, other))
    given_few, given_many = (survival(np.array(shares), 200, fresh, generations) for fresh in (few, many))
    assert (given_few <= given_many + 1e-12).all()
    assert (survival(np.array(shares), 200, few, generations + 1) <= given_few + 1e-12).all()
    assert ((given_few > 0) & (given_few <= 1)).all()


def test_the_share_against_extinction_is_the_first_that_keeps_the_margin() -> None:
    shares, rows, margin, generations = np.array([0.002, 0.005, 0.009]), 500, 0.1, 12
    share = against_extinction(shares, rows, margin, generations)
    first = survival(shares, rows, 0.0, 1).mean()
    assert 0 < share < 1
    assert share / 0.005 == pytest.approx(round(share / 0.005))
    assert first - survival(shares, rows, share, generations).mean() <= margin
    assert first - survival(shares, rows, share - 0.005, generations).mean() > margin


def test_categories_that_cannot_die_out_need_no_fresh_rows() -> None:
    assert against_extinction(np.array([0.5, 0.4]), 1000, 0.1, 30) == 0.0
    assert against_extinction(np.empty(0), 1000, 0.1, 30) == 0.0


# --- the shares to try ---


def test_a_grid_by_hand() -> None:
    """From .3/5 up to .9, each 15^(1/6) = 1.570 times the one before."""
    assert grid(0.3, 60, 2000) == (0.06, 0.094, 0.148, 0.2325, 0.365, 0.573, 0.9)


@given(st.floats(0, 1), st.integers(2, 200), st.integers(10, 5000))
def test_grids(predicted: float, most: int, rows: int) -> None:
    shares = np.array(grid(predicted, most, rows))
    counts = shares * rows
    assert counts == pytest.approx(np.round(counts), abs=1e-6)  # whole rows
    assert (np.diff(shares) > 0).all()
    assert 2 <= len(shares) <= GRID
    assert counts[0] >= 1
    assert abs(shares[-1] - GREATEST) <= 0.5 / rows + 1e-9
    if TO_REST / most <= GREATEST / 2:  # else not one of them could
        assert ceil(TO_REST / shares[0] - 1e-9) <= most
    assert shares[0] <= max(predicted, TO_REST / most, GREATEST / 2) + 1 / rows


def test_a_share_is_given_three_generations_over_it() -> None:
    assert generations_to_rest(0.1, 10, 60) == 30
    assert generations_to_rest(0.3, 2, 60) == 10  # 3/.3 is no more than ten
    assert generations_to_rest(0.29, 2, 60) == 11
    assert generations_to_rest(0.9, 12, 60) == 12
    assert generations_to_rest(0.01, 10, 60) == 60


# --- curves ---

SHARES = np.array([0.1, 0.2, 0.4, 0.8])


def test_a_crossing_is_straight_in_the_logarithm_of_the_share() -> None:
    """Halfway from .3 to .1 lies the margin .2, and halfway from .2 to .4 the share sqrt(.08)."""
    found = crossing(SHARES, np.array([0.5, 0.3, 0.1, 0.0]), 0.2)
    assert found == (pytest.approx(sqrt(0.08)), False)
    quarter = crossing(SHARES, np.array([0.5, 0.3, 0.1, 0.0]), 0.25)
    assert quarter.share == pytest.approx(0.2 * 2**0.25)


def test_a_crossing_at_a_share_that_was_tried() -> None:
    assert crossing(SHARES, np.array([0.5, 0.2, 0.1, 0.0]), 0.2).share == pytest.approx(0.2)
    assert crossing(SHARES, np.array([0.5, 0.4, 0.3, 0.2]), 0.2).share == pytest.approx(0.8)


def test_a_curve_within_the_margin_from_the_start_and_one_that_never_is() -> None:
    assert crossing(SHARES, np.array([0.2, 0.1, 0.0, 0.0]), 0.2) == (0.1, True)
    assert crossing(SHARES, np.array([0.5, 0.4, 0.4, 0.21]), 0.2) == (None, False)


def test_a_falling_curve_by_hand() -> None:
    assert falling(np.array([5.0, 3.0, 4.0, 1.0])).tolist() == [5.0, 3.5, 3.5, 1.0]
    assert falling(np.array([1.0, 2.0, 3.0])).tolist() == [2.0, 2.0, 2.0]


@given(arrays(np.float64, st.integers(1, 7), elements=st.floats(-1, 1)))
def test_a_falling_curve_falls_and_keeps_the_mean(losses: Floats) -> None:
    found = falling(losses)
    assert (np.diff(found) <= 1e-12).all()
    assert found.mean() == pytest.approx(losses.mean(), abs=1e-9)
    assert falling(found) == pytest.approx(found, abs=1e-12)


def curve(metric: str, means: list[float], noise: tuple[float, ...] = (0.0, 0.0), margin: float = 0.2) -> Curve:
    losses = np.array(means) + np.array(noise)[:, None]
    picks = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    return fit_curve(metric, margin, SHARES, losses, picks)


def test_a_curve_and_its_interval_by_hand() -> None:
    """Chains .1 above and below the mean cross at the shares where the mean is .1 and .3: .4 and .2."""
    found = curve("tvd", [0.5, 0.3, 0.1, 0.0], (0.1, -0.1))
    assert found.fitted == pytest.approx([0.5, 0.3, 0.1, 0.0])
    assert found.crossing.share == pytest.approx(sqrt(0.08))
    assert sorted(found.draws) == pytest.approx([0.2, sqrt(0.08), sqrt(0.08), 0.4])
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.4))


def test_an_interval_reaches_nothing_and_all_where_it_leaves_the_grid() -> None:
    found = curve("tvd", [0.5, 0.3, 0.2, 0.1], (0.35, -0.35))
    assert (found.low, found.high) == (0.0, 1.0)


# --- the least share of all ---

EASY = curve("tvd", [0.1, 0.0, 0.0, 0.0])
MIDDLE = curve("rare_category_survival", [0.5, 0.3, 0.1, 0.0], (0.1, -0.1))
HARD = curve("dependence", [0.9, 0.8, 0.6, 0.4])
OTHER = curve("w1", [0.5, 0.4, 0.2, 0.1])
PRIMARY = ("tvd", "rare_category_survival", "dependence")
STABLE_FROM_FORTY = {0.1: "collapsing", 0.2: "inconclusive", 0.4: "stable", 0.8: "stable"}


def by_name(*curves: Curve) -> dict[str, Curve]:
    return {one.metric: one for one in curves}


def test_the_greatest_of_the_shares_that_count_is_the_least() -> None:
    found = least(by_name(EASY, MIDDLE, OTHER), PRIMARY, STABLE_FROM_FORTY)  # type: ignore[arg-type]
    assert found.share == pytest.approx(sqrt(0.08))
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.4))
    assert (found.at_most, found.safe, found.limited_by) == (False, 0.4, "rare_category_survival")


def test_where_one_that_counts_is_not_found_none_is() -> None:
    found = least(by_name(EASY, MIDDLE, HARD), PRIMARY, {})
    assert (found.share, found.limited_by, found.high, found.at_most, found.safe) == (
        None, "dependence", 1.0, False, None
    )  # fmt: skip


def test_where_the_smallest_is_enough_for_all_it_is_at_most_that() -> None:
    found = least(by_name(EASY, curve("dependence", [0.2, 0.1, 0.1, 0.0])), PRIMARY, {})
    assert (found.share, found.at_most, found.limited_by, found.low, found.high) == (0.1, True, None, 0.0, 0.0)


def test_the_interval_of_the_greatest_is_no_lower_than_any_curves() -> None:
    """Two curves that are moved by the same chains' luck in opposite ways: each resample has a greatest one."""
    up, down = curve("tvd", [0.5, 0.3, 0.1, 0.0], (0.1, -0.1)), curve("dependence", [0.5, 0.3, 0.1, 0.0], (-0.1, 0.1))
    found = least(by_name(up, down), PRIMARY, {})
    assert (found.low, found.high) == (pytest.approx(sqrt(0.08)), pytest.approx(0.4))


def test_without_a_metric_that_counts_all_others_do() -> None:
    found = least(by_name(OTHER), PRIMARY, {})
    assert (found.share, found.limited_by) == (pytest.approx(0.4), "w1")
    assert least({}, PRIMARY, {0.5: "stable"}) == (None, False, 0.0, 1.0, 0.5, None)


def test_the_safe_share_is_stable_with_all_larger_ones() -> None:
    assert safe_share(STABLE_FROM_FORTY) == 0.4  # type: ignore[arg-type]
    assert safe_share({0.1: "stable", 0.2: "degraded-plateau", 0.4: "stable"}) == 0.4
    assert safe_share({0.1: "stable", 0.9: "stable", 0.4: "stable"}) == 0.1
    assert safe_share({0.1: "stable", 0.9: "inconclusive"}) is None
    assert safe_share({}) is None
