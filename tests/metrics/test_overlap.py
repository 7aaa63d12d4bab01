"""Overlap of two tables, counted by eye."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from synthcli.metrics.overlap import measure_overlap

rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=15)


def table(data: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(data, schema=["a", "b", "c"], orient="row")


def test_equal_and_near_rows_by_eye() -> None:
    one = pl.DataFrame({"a": [1, 1, 9], "b": ["x", "y", "z"], "c": [None, 2.5, 0.0]})
    other = pl.DataFrame({"a": [1, 1], "b": ["x", "q"], "c": [None, 2.5]})
    # (1, x, null) is there; (1, y, 2.5) differs from (1, q, 2.5) in b only; (9, z, 0) differs in all columns.
    assert measure_overlap(one, other, ["a", "b", "c"], 10, np.random.default_rng(0)) == (1, 1, 3)


@given(rows, rows)
def test_overlap_agrees_with_comparing_all_pairs(one: list[tuple], other: list[tuple]) -> None:
    def differences(left: tuple, right: tuple) -> int:
        return sum(a != b for a, b in zip(left, right, strict=True))

    least = [min(differences(left, right) for right in other) for left in one]
    found = measure_overlap(table(one), table(other), ["a", "b", "c"], 100, np.random.default_rng(0))
    assert found.equal == sum(number == 0 for number in least)
    assert found.near == sum(number == 1 for number in least)


def test_equal_cells_of_different_columns_are_no_twins() -> None:
    one, other = pl.DataFrame({"a": ["x"], "b": ["y"]}), pl.DataFrame({"a": ["y"], "b": ["x"]})
    assert measure_overlap(one, other, ["a", "b"], 10, np.random.default_rng(0)) == (0, 0, 1)
