"""Count tables are a commutative monoid, and projection is a homomorphism of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.counts import CountTable, combined_codes

NAMES, CARDINALITIES = ("a", "b", "c"), (2, 3, 4)
rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 3)), max_size=20)


def table(data: list[tuple[int, ...]]) -> CountTable:
    codes = np.array(data, dtype=np.uint8).reshape(-1, 3).T
    return CountTable.from_codes(NAMES, list(codes), CARDINALITIES)


def equal(left: CountTable, right: CountTable) -> bool:
    return left.columns == right.columns and (left.counts == right.counts).all()


def test_four_rows_counted_by_hand() -> None:
    counted = CountTable.from_codes(["x", "y"], [np.array([0, 0, 1, 1]), np.array([0, 2, 2, 2])], [2, 3])
    assert counted.counts.tolist() == [[1, 0, 1], [0, 0, 2]]
    assert counted.frequencies.tolist() == [[0.25, 0, 0.25], [0, 0, 0.5]]


@given(rows)
def test_combined_codes_are_equal_exactly_where_both_are(data: list) -> None:
    codes = np.array(data, dtype=np.uint8).reshape(-1, 3).T
    combined = combined_codes(codes[0].astype(np.intp), codes[2], 4)
    assert combined.tolist() == [4 * a + c for a, _, c in data]
    assert len(set(combined.tolist())) == len({(a, c) for a, _, c in data})


@given(rows, rows)
def test_counts_of_a_concatenation_are_the_sum_of_counts(left: list, right: list) -> None:
    assert equal(table(left + right), table(left) + table(right))
    assert equal(table(left) + table(right), table(right) + table(left))


@given(rows)
def test_the_empty_table_adds_nothing(data: list) -> None:
    assert equal(table(data) + CountTable.empty(NAMES, CARDINALITIES), table(data))


@given(rows, rows, st.permutations(NAMES), st.integers(1, 3))
def test_projection_keeps_the_total_and_respects_sums(left: list, right: list, order: list[str], size: int) -> None:
    kept = order[:size]
    projected = (table(left) + table(right)).project(kept)
    assert equal(projected, table(left).project(kept) + table(right).project(kept))
    assert projected.total == len(left) + len(right)


@given(rows)
def test_projection_counts_what_counting_the_columns_alone_counts(data: list) -> None:
    codes = np.array(data, dtype=np.uint8).reshape(-1, 3).T
    assert equal(table(data).project(["c", "a"]), CountTable.from_codes(["c", "a"], [codes[2], codes[0]], [4, 2]))


def test_tables_over_other_columns_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        CountTable.empty(["a"], [2]) + CountTable.empty(["b"], [2])


def test_no_rows_have_no_frequencies() -> None:
    with pytest.raises(ValueError, match="no rows"):
        _ = CountTable.empty(["a"], [2]).frequencies
