"""Shares: exact to the row, worked out by hand and as laws."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.augmentation.shares import apportioned, completed, enlarged, exact
from synthcli.errors import BadTableError

HALF = Fraction(1, 2)


def test_a_share_is_what_was_written() -> None:
    assert exact(0.3) == Fraction(3, 10)
    assert exact(1e-05) == Fraction(1, 100_000)
    assert exact(1) == 1


def test_rows_left_over_go_to_the_largest_remainders() -> None:
    # 7 rows: 3.5, 2.33 and 1.17; two rows are left after rounding down: .5 and .33 are the largest remainders.
    assert apportioned(7, {"a": HALF, "b": Fraction(1, 3), "c": Fraction(1, 6)}) == {"a": 4, "b": 2, "c": 1}
    assert apportioned(3, {"a": HALF, "b": HALF}) == {"a": 2, "b": 1}, "of equal remainders the first"


def test_classes_that_are_not_named_keep_their_proportions() -> None:
    found = completed({"a": 60, "b": 30, "c": 10}, {"c": HALF})
    assert found == {"a": Fraction(1, 3), "b": Fraction(1, 6), "c": HALF}


def test_the_smallest_table_keeps_all_real_rows() -> None:
    # 90 and 10 rows, half each: 90 of both.
    assert enlarged({"a": 90, "b": 10}, {"a": HALF, "b": HALF}) == {"a": 90, "b": 90}
    # 0.3 of b with 90 of a: 90 / 0.7 = 128.57, so 129 rows, of which 38.7 are b.
    assert enlarged({"a": 90, "b": 10}, {"a": Fraction(7, 10), "b": Fraction(3, 10)}) == {"a": 90, "b": 39}
    # The class that is to shrink in share decides: 10 of b at a share of 1/100 need 1,000 rows.
    assert enlarged({"a": 90, "b": 10}, {"a": Fraction(99, 100), "b": Fraction(1, 100)}) == {"a": 990, "b": 10}
    assert enlarged({"a": 90, "b": 10}, {"a": HALF, "b": HALF}, 300) == {"a": 150, "b": 150}


def test_too_few_rows_name_the_number_that_would_do() -> None:
    with pytest.raises(BadTableError, match="179 rows have no room") as caught:
        enlarged({"a": 90, "b": 10}, {"a": HALF, "b": HALF}, 179)
    assert "180" in str(caught.value.hint)


def test_real_rows_are_never_left_without_a_share() -> None:
    with pytest.raises(BadTableError, match="leave nothing for 1 other class "):
        enlarged({"a": 90, "b": 10}, {"a": Fraction(1), "b": Fraction(0)})


def test_shares_that_cannot_be() -> None:
    with pytest.raises(BadTableError, match=r"add up to 1\.2"):
        completed({"a": 1, "b": 1}, {"a": Fraction(7, 10), "b": HALF})
    with pytest.raises(BadTableError, match=r"add up to 0\.9, and there is no other class"):
        completed({"a": 1, "b": 1}, {"a": Fraction(4, 10), "b": HALF})


COUNTS = st.lists(st.integers(1, 10_000), min_size=2, max_size=8)


@given(COUNTS, st.integers(0, 100_000))
def test_every_row_is_given_to_a_class_within_one_of_its_share(weights: list[int], rows: int) -> None:
    shares = {place: Fraction(weight, sum(weights)) for place, weight in enumerate(weights)}
    found = apportioned(rows, shares)
    assert sum(found.values()) == rows
    assert all(abs(found[place] - rows * share) < 1 for place, share in shares.items())


@given(COUNTS, COUNTS)
def test_an_enlarged_table_is_the_smallest_that_keeps_all(counts: list[int], weights: list[int]) -> None:
    weights = (weights * len(counts))[: len(counts)]
    shares = {place: Fraction(weight, sum(weights)) for place, weight in enumerate(weights)}
    found = enlarged(dict(enumerate(counts)), shares)
    rows = sum(found.values())
    assert all(found[place] >= count for place, count in enumerate(counts))
    # One row fewer, and some class would have less room at its share than it has rows.
    assert any(floor((rows - 1) * shares[place]) < count for place, count in enumerate(counts))
