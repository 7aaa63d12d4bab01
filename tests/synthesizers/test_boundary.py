"""The way into plain numbers and back, on tables that can be read by eye."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli.errors import BadTableError
from synthcli.forms import dtype_name
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.boundary import Boundary, Constant, Levels, Moment, Number, learn


def cross(series: pl.Series, kind: Kind, decimals: int | None = None) -> tuple[Any, list[Any] | None, pl.Series]:
    """Return the code that is learned for one column, its numbers, and the column after the way back."""
    schema = Schema((Column("c", kind, dtype_name(series.dtype) or "", decimals=decimals),))
    boundary, numbers = learn(pl.DataFrame({"c": series}), schema)
    boundary = Boundary.from_dict(json.loads(json.dumps(boundary.to_dict())))
    values = numbers["c"].tolist() if "c" in numbers else None
    return boundary.codes["c"], values, boundary.decode(numbers, len(series), seed=1)["c"]


def test_whole_numbers_cross_as_floats_and_missing_as_nan() -> None:
    code, values, back = cross(pl.Series([3, None, -1], dtype=pl.Int16), Kind.NUMERIC)
    assert code == Number("Int16", None, complete=False)
    assert values is not None
    assert values[0::2] == [3.0, -1.0]
    assert np.isnan(values[1])
    assert back.to_list() == [3, None, -1]


def test_numbers_are_rounded_and_held_inside_their_type() -> None:
    assert Number("Int8", None, complete=True).decode(np.array([1.6, 400.0, -400.0])).to_list() == [2, 127, -128]
    assert Number("UInt64", None, complete=True).decode(np.array([-5.0, 2.0**70])).to_list() == [0, 2**64 - 2048]
    assert Number("Float64", 1, complete=True).decode(np.array([1.26, 2.0])).to_list() == [1.3, 2.0]


def test_categories_cross_as_their_places_in_order_and_missing_one_past_the_end() -> None:
    code, values, back = cross(pl.Series(["b", None, "a", "b"]), Kind.CATEGORICAL)
    assert code == Levels("String", ("a", "b"))
    assert values == [1, 2, 0, 1]
    assert back.to_list() == ["b", None, "a", "b"]


@pytest.mark.parametrize(
    ("series", "stored"),
    [
        (pl.Series([7, 3, 7], dtype=pl.UInt8), (3, 7)),
        (pl.Series([True, None, False]), (False, True)),
        (pl.Series([1.5, 0.5, float("nan")]), (0.5, 1.5)),
        (pl.Series([date(1970, 1, 3), date(1970, 1, 1)]), (0, 2)),
        (pl.Series([datetime(1970, 1, 1), None]).dt.replace_time_zone("UTC"), (0,)),
    ],
)
def test_categories_of_any_type_come_back_as_they_were(series: pl.Series, stored: tuple[Any, ...]) -> None:
    code, _, back = cross(series, Kind.CATEGORICAL)
    assert code.values == stored
    assert back.equals(series.fill_nan(None) if series.dtype.is_float() else series)


def test_dates_cross_as_days_and_times_as_steps_of_their_grid() -> None:
    assert cross(pl.Series([date(1970, 1, 2), date(1970, 1, 9)]), Kind.DATETIME)[:2] == (
        Moment("Date", 1, complete=True),
        [1.0, 8.0],
    )
    half_hours = pl.Series([datetime(1970, 1, 1, 0, 30), datetime(1970, 1, 1, 2, 0)])
    assert cross(half_hours, Kind.DATETIME)[:2] == (Moment("Datetime[us]", 60_000_000, complete=True), [30.0, 120.0])


@pytest.mark.parametrize(
    ("moment", "unit", "step"),
    [
        (datetime(2020, 1, 2), "ms", 86_400_000),
        (datetime(2020, 1, 2, 5), "ns", 3_600_000_000_000),
        (datetime(2020, 1, 2, 5, 6, 7), "us", 1_000_000),
        (datetime(2020, 1, 2, 5, 6, 7, 500_000), "us", 100_000),
        (datetime(2020, 1, 2, 5, 6, 7, 1), "us", 1),
    ],
)
def test_the_grid_is_the_coarsest_that_holds_all_moments(moment: datetime, unit: Any, step: int) -> None:
    series = pl.Series([moment, datetime(2021, 1, 1)], dtype=pl.Datetime(unit))
    code, _, back = cross(series, Kind.DATETIME)
    assert code.step == step
    assert back.equals(series)


def test_a_zoned_moment_keeps_its_instant_and_its_zone() -> None:
    series = pl.Series([datetime(2020, 7, 1, 12), datetime(2020, 1, 1, 12)]).dt.replace_time_zone("Asia/Kolkata")
    _, _, back = cross(series, Kind.DATETIME)
    assert back.equals(series)
    assert back.dtype == series.dtype


def test_a_column_with_one_value_or_none_does_not_cross() -> None:
    assert cross(pl.Series([5, 5]), Kind.NUMERIC)[:2] == (Constant("Int64", 5, 0.0), None)
    assert cross(pl.Series(["x", "x"]), Kind.CATEGORICAL)[:2] == (Constant("String", "x", 0.0), None)
    assert cross(pl.Series([None, None], dtype=pl.Date), Kind.DATETIME)[:2] == (Constant("Date", None, 1.0), None)
    assert cross(pl.Series([5.0, None]), Kind.NUMERIC)[0] == Constant("Float64", 5.0, 0.5)


def test_one_category_with_gaps_crosses_as_two() -> None:
    assert cross(pl.Series(["x", None]), Kind.CATEGORICAL)[:2] == (Levels("String", ("x",)), [0, 1])


def test_a_constant_day_comes_back_with_its_gaps() -> None:
    code = Constant("Date", 2, 0.5)
    drawn = code.draw(1000, np.random.default_rng(1))
    assert set(drawn) == {date(1970, 1, 3), None}
    assert drawn.null_count() == pytest.approx(500, abs=60)


@pytest.mark.parametrize(
    ("series", "kind", "message"),
    [
        (pl.Series([1.0, float("inf")]), Kind.NUMERIC, "infinite"),
        (pl.Series([float("-inf")] * 2), Kind.CATEGORICAL, "infinite"),
        (pl.Series(["secret 1", "secret 2"]), Kind.NUMERIC, "kind numeric but is stored as String"),
        (pl.Series(["secret 1", "secret 2"]), Kind.DATETIME, "kind datetime but is stored as String"),
    ],
)
def test_cells_that_contradict_the_kind_are_refused_and_not_quoted(series: pl.Series, kind: Kind, message: str) -> None:
    with pytest.raises(BadTableError, match=message) as caught:
        cross(series, kind)
    assert "secret" not in caught.value.message + caught.value.hint


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(-(2**53), 2**53), min_size=1))
def test_whole_numbers_that_floats_can_hold_come_back_exactly(numbers: list[int | None]) -> None:
    series = pl.Series(numbers, dtype=pl.Int64)
    _, values, back = cross(series, Kind.NUMERIC)
    assert values is None or back.equals(series)


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=3), min_size=1))
def test_categories_come_back_exactly(words: list[str | None]) -> None:
    series = pl.Series(words, dtype=pl.String)
    _, values, back = cross(series, Kind.CATEGORICAL)
    assert values is None or back.equals(series)


@settings(deadline=None)
@given(st.lists(st.none() | st.datetimes(), min_size=1), st.sampled_from(["ms", "us"]))
def test_moments_come_back_as_exactly_as_floats_can_hold_their_steps(moments: list[datetime | None], unit: Any) -> None:
    series = pl.Series(moments, dtype=pl.Datetime(unit))
    _, values, back = cross(series, Kind.DATETIME)
    if values is not None:
        apart = (back - series).dt.total_microseconds().abs()
        assert back.is_null().equals(series.is_null())
        assert int(apart.max() or 0) <= 32  # type: ignore[call-overload]
