"""Facts about draws from a normal copula given some columns, against laws that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import kstest, norm

from synthcli.synthesizers.latent import draw_given, draw_given_some

RHO = 0.6
PAIR = np.array([[1.0, RHO], [RHO, 1.0]])
ROWS = 20_000


def rows(*ranks: float) -> np.ndarray:
    return np.tile(ranks, (ROWS, 1))


def test_given_a_point_the_other_score_is_normal_around_its_regression() -> None:
    ranks = draw_given(PAIR, np.array([0]), rows(0.9), rows(0.9), np.random.default_rng(1))
    assert ranks[:, 0] == pytest.approx(0.9)
    expected = norm(RHO * ndtri(0.9), np.sqrt(1 - RHO**2))
    assert kstest(ndtri(ranks[:, 1]), expected.cdf).pvalue > 0.001


def test_given_the_upper_half_the_other_is_in_its_upper_half_with_sheppards_probability() -> None:
    ranks = draw_given(PAIR, np.array([0]), rows(0.5), rows(1.0), np.random.default_rng(1))
    assert ranks[:, 0].min() >= 0.5
    # Sheppard (1899): P(both in the upper half) = 1/4 + arcsin(ρ) / 2π.
    assert (ranks[:, 1] > 0.5).mean() == pytest.approx(0.5 + np.arcsin(RHO) / np.pi, abs=0.01)


def test_given_two_stretches_the_draws_follow_the_law_that_rejection_gives() -> None:
    correlation = np.array([[1.0, 0.7, 0.5], [0.7, 1.0, 0.2], [0.5, 0.2, 1.0]])
    free = norm.cdf(np.random.default_rng(2).multivariate_normal(np.zeros(3), correlation, 2_000_000))
    kept = free[(free[:, 0] > 0.8) & (free[:, 1] < 0.5)]
    ranks = draw_given(correlation, np.array([0, 1]), rows(0.8, 0.0), rows(1.0, 0.5), np.random.default_rng(1))
    assert ranks.mean(axis=0) == pytest.approx(kept.mean(axis=0), abs=0.006)
    # Drawing the two known scores independently of each other, as if their stretches were all, misses it.
    assert abs(0.9 - kept[:, 0].mean()) > 0.02


def test_with_nothing_known_the_draw_is_the_copula_itself() -> None:
    nothing = np.empty((ROWS, 0))
    ranks = draw_given(PAIR, np.array([], dtype=np.intp), nothing, nothing, np.random.default_rng(1))
    assert np.corrcoef(ndtri(ranks).T)[0, 1] == pytest.approx(RHO, abs=0.02)
    assert kstest(ranks[:, 0], "uniform").pvalue > 0.001


def test_perfectly_dependent_columns_are_drawn() -> None:
    ranks = draw_given(np.ones((3, 3)), np.array([0, 1]), rows(0.3, 0.3), rows(0.3, 0.3), np.random.default_rng(1))
    assert ranks[:, 2] == pytest.approx(0.3, abs=0.01)


def test_ends_of_the_ranks_give_finite_draws() -> None:
    ranks = draw_given(PAIR, np.array([0]), rows(0.0), rows(0.0), np.random.default_rng(1))
    assert np.isfinite(ranks).all()


def test_rows_that_differ_in_what_is_known_are_drawn_each_by_its_own() -> None:
    known = {"a": np.array([True, False, True]), "b": np.array([False, False, True])}
    low = {"a": np.array([0.2, 0.2, 0.3]), "b": np.array([0.5, 0.5, 0.7])}
    ranks = draw_given_some(PAIR, ("b", "a"), known, {name: (cells, cells) for name, cells in low.items()}, 3, seed=1)
    assert ranks["a"][[0, 2]] == pytest.approx([0.2, 0.3])
    assert ranks["b"][2] == pytest.approx(0.7)
    assert ranks["a"][1] != pytest.approx(0.2)
    again = draw_given_some(PAIR, ("b", "a"), known, {name: (cells, cells) for name, cells in low.items()}, 3, seed=1)
    assert all((ranks[name] == again[name]).all() for name in ranks)


def test_a_value_without_a_place_leaves_its_column_unknown() -> None:
    nowhere = np.full(ROWS, np.nan)
    known = {"a": np.ones(ROWS, dtype=bool)}
    ranks = draw_given_some(PAIR, ("a", "b"), known, {"a": (nowhere, nowhere)}, ROWS, seed=1)
    assert kstest(ranks["a"], "uniform").pvalue > 0.001


def test_rows_of_which_nothing_is_known_are_drawn() -> None:
    ranks = draw_given_some(PAIR, ("a", "b"), {}, {}, 5, seed=1)
    assert {name: len(cells) for name, cells in ranks.items()} == {"a": 5, "b": 5}
