from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given
from hypothesis import strategies as st

from synthcli.encoding import DistanceEncoding, Points, RankAxis
from synthcli.metrics.neighbors import distance_matrix

SCHEMA = columns(amount="numeric", day="datetime", city="categorical", late="boolean")
POOL = pl.DataFrame(
    {
        "amount": [1.0, 3.0, 3.0, None],
        "day": [datetime(2024, 1, day) for day in (1, 2, 3, 4)],
        "city": ["Rom", "Rom", "Bern", None],
        "late": [True, False, None, None],
    }
)


def positions(values: list[float | None], pool: list[float | None]) -> list[int]:
    axis = RankAxis.fit(pl.Series(pool, dtype=pl.Float64))
    return axis.encode(pl.Series(values, dtype=pl.Float64)).tolist()


def test_a_position_counts_the_pool_values_below_and_up_to_a_value() -> None:
    pool: list[float | None] = [10.0, 20.0, 20.0, 40.0]
    assert positions([5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 99.0], pool) == [0, 1, 2, 4, 6, 7, 8]


def test_a_column_with_missing_cells_spans_the_same_unit() -> None:
    # over three values: 0, 1, 4, 6 of 6; times 4/3 and rounded
    assert positions([0.0, 1.0, 3.0, 9.0, None], [1.0, 3.0, 3.0, None]) == [0, 1, 5, 8, -1]


def test_infinite_and_undefined_numbers_are_missing_in_the_pool_and_outside() -> None:
    pool: list[float | None] = [1.0, float("inf"), float("-inf"), float("nan")]
    assert positions([1.0, float("inf"), float("-inf"), float("nan")], pool) == [4, -1, -1, -1]


def test_a_column_without_a_value_takes_any_value_to_position_0() -> None:
    assert positions([1.0, None], [None, None]) == [0, -1]


def test_distances_of_a_mixed_table_are_those_worked_out_by_hand() -> None:
    points = DistanceEncoding.fit(POOL, SCHEMA).encode(POOL)
    assert (points.unit, points.rows, points.columns) == (8, 4, 4)
    # positions: amount 1, 5, 5, missing; day 1, 3, 5, 7; a missing cell against a value, and a differing code, cost 8
    expected = [
        [0, 4 + 2 + 0 + 8, 4 + 4 + 8 + 8, 8 + 6 + 8 + 8],
        [14, 0, 0 + 2 + 8 + 8, 8 + 4 + 8 + 8],
        [24, 18, 0, 8 + 2 + 8 + 0],
        [30, 28, 18, 0],
    ]
    assert distance_matrix(points, points).tolist() == expected


def test_unseen_categories_of_tables_encoded_apart_are_equal_exactly_where_their_values_are() -> None:
    encoding = DistanceEncoding.fit(POOL, SCHEMA).select(["city"])
    here = encoding.encode(pl.DataFrame({"city": ["Rom", "Oslo", "Wien", None]}))
    there = encoding.encode(pl.DataFrame({"city": ["Wien", "Rom", None, "Paris"]}))
    assert (distance_matrix(here, there) == 0).astype(int).tolist() == [
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 1, 0],
    ]


def test_selecting_columns_keeps_the_unit_and_the_order_of_the_table() -> None:
    encoding = DistanceEncoding.fit(POOL, SCHEMA)
    part = encoding.select(["late", "amount"])
    assert part.names == ("amount", "late")
    whole, points = encoding.encode(POOL), part.encode(POOL)
    assert points.unit == whole.unit
    assert np.array_equal(points.numbers, whole.numbers[:, [0]])
    assert np.array_equal(points.categories, whole.categories[:, [1]])


def test_choosing_rows_by_index_mask_and_slice_gives_the_same_rows() -> None:
    points = DistanceEncoding.fit(POOL, SCHEMA).encode(POOL)
    for rows in (np.array([1, 2]), np.array([False, True, True, False]), slice(1, 3)):
        chosen = points[rows]
        assert isinstance(chosen, Points)
        assert chosen.rows == 2
        assert np.array_equal(distance_matrix(chosen, points), distance_matrix(points, points)[1:3])


@pytest.mark.parametrize(
    "days",
    [
        pl.Series("day", [date(2024, 1, 1), date(2024, 1, 3), None]),
        pl.Series("day", [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC), None]),
        pl.Series("day", [datetime(2024, 1, 1), datetime(2024, 1, 3), None], dtype=pl.Datetime("ns")),
    ],
)
def test_dates_instants_and_zones_are_ranked_alike(days: pl.Series) -> None:
    schema = columns(day="datetime")
    points = DistanceEncoding.fit(days.to_frame(), schema).encode(days.to_frame())
    assert points.numbers[:, 0].tolist() == [2, 5, -1]  # 1 and 3 of 4, times 3/2, halves up


def test_a_table_without_modelled_columns_or_rows_has_points_without_columns_or_rows() -> None:
    none = columns(key="id")
    points = DistanceEncoding.fit(pl.DataFrame({"key": ["a", "b"]}), none).encode(pl.DataFrame({"key": ["a"]}))
    assert (points.rows, points.columns) == (1, 0)
    empty = mixed_table(5, seed=1)[:0]
    assert DistanceEncoding.fit(empty, MIXED).encode(empty).rows == 0


cells = st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=40)


@given(pool=cells, others=cells)
def test_positions_keep_the_order_and_merge_no_value_of_the_pool(
    pool: list[int | None], others: list[int | None]
) -> None:
    shown = [None if value is None else value * 1.0 for value in pool]
    asked = shown + [None if value is None else value + 0.5 for value in others]
    found = positions(asked, shown)
    pairs = sorted((value, place) for value, place in zip(asked, found, strict=True) if value is not None)
    assert all((place == -1) == (value is None) for value, place in zip(asked, found, strict=True))
    assert all(0 <= place <= 2 * len(pool) for _, place in pairs)
    known = {value for value in shown if value is not None}
    for (a, at_a), (b, at_b) in pairwise(pairs):
        assert at_a <= at_b
        assert (at_a == at_b) == (a == b) or not {a, b} & known
