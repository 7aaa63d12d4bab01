"""The law of a permutation, and that it looks like none in particular."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli.synthesizers.permutation import permute


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**60))
def test_every_place_is_taken_once(size: int, key: int) -> None:
    assert sorted(permute(np.arange(size, dtype=np.uint64), size, key).tolist()) == list(range(size))


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50, unique=True), st.integers(0, 2**60))
def test_no_two_places_meet_in_the_largest_range(places: list[int], key: int) -> None:
    moved = permute(np.array(places, dtype=np.uint64), 2**64, key)
    assert len(set(moved.tolist())) == len(places)


def test_neighbours_are_scattered_and_keys_scatter_them_differently() -> None:
    places = np.arange(10_000, dtype=np.uint64)
    one, other = (permute(places, 10_000, key).astype(float) for key in (1, 2))
    assert np.corrcoef(one, places)[0, 1] == pytest.approx(0, abs=0.04)
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0, abs=0.04)
    assert np.corrcoef(one[1:], one[:-1])[0, 1] == pytest.approx(0, abs=0.04)
