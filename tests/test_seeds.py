"""Seeds: streams depend on every part of their name and on nothing else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.seeds import MAX_SEED, drawn_places, generator, random_places, stage_seed

KNOWN = 2498845802832362440


def test_a_stage_has_the_same_seed_in_every_version() -> None:
    assert stage_seed(7, "fit") == KNOWN


def test_stages_seeds_and_parts_tell_apart() -> None:
    seeds = [stage_seed(7, "a", 1), stage_seed(7, "a", 2), stage_seed(8, "a", 1), stage_seed(7, "a1"), stage_seed(7)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


def test_a_stream_repeats() -> None:
    assert generator(1, "x").integers(0, 10**9) == generator(1, "x").integers(0, 10**9)


@given(rows=st.integers(1, 60), size=st.integers(0, 70), seed=st.integers(0, 50))
def test_places_are_different_ones_in_order(rows: int, size: int, seed: int) -> None:
    places = drawn_places(rows, size, np.random.default_rng(seed))
    assert len(places) == min(rows, size)
    assert (np.diff(places) > 0).all()
    assert places.size == 0 or (places[0] >= 0 and places[-1] < rows)


@pytest.mark.parametrize("dense", [16, 1])
def test_every_set_of_places_is_equally_likely(monkeypatch: pytest.MonkeyPatch, dense: int) -> None:
    """10 sets of 2 of 5 rows, and of 3 (which 2 leave), 20,000 times: chi-squared with 9 degrees of freedom."""
    rng = np.random.default_rng(4)
    monkeypatch.setattr("synthcli.seeds._DENSE", dense)
    for size in (2, 3):
        found = Counter(tuple(drawn_places(5, size, rng).tolist()) for _ in range(20_000))
        assert len(found) == 10
        assert sum((count - 2_000) ** 2 / 2_000 for count in found.values()) < 27.9  # 1 in 1,000


def test_few_of_ten_billion_rows_cost_no_more_than_they_are() -> None:
    rng = np.random.default_rng(5)
    places = random_places(10**10, 1_000, rng)
    assert len(set(places.tolist())) == 1_000
    assert (np.diff(places) < 0).any()
    assert places.max() > 9.9e9
    assert sorted(random_places(7, 7, rng).tolist()) == list(range(7))
