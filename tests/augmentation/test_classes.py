"""Classes: values, bins and combinations, and what they are called."""

from __future__ import annotations

import polars as pl
import pytest

from synthcli.augmentation.classes import Axis, Classes

TABLE = pl.DataFrame(
    {
        "late": [True, False, None, True, False],
        "miles": [100.0, 500.0, 700.0, float("nan"), 1000.0],
        "port": ["JFK", "LGA", "JFK", "JFK", None],
    }
)
MILES = Axis("miles", pl.Series([500.0, 1000.0]), ("500", "1000"))


def test_values_are_classes_and_missing_cells_are_none() -> None:
    found = Classes.of(TABLE, [Axis("late")])
    assert found.names == ("false", "true")
    assert found.counts.tolist() == [2, 2]
    assert found.label(TABLE).tolist() == [1, 0, -1, 1, 0]


def test_a_value_on_an_edge_belongs_to_the_bin_above() -> None:
    found = Classes.of(TABLE, [MILES])
    assert found.names == ("<500", "500..1000", ">=1000")
    assert found.label(TABLE).tolist() == [0, 1, 1, -1, 2]


def test_combinations_name_their_columns() -> None:
    found = Classes.of(TABLE, [Axis("port"), Axis("late")])
    assert dict(zip(found.names, found.counts.tolist(), strict=True)) == {
        "port=JFK,late=true": 2,
        "port=LGA,late=false": 1,
    }


def test_a_class_that_is_asked_for_and_has_no_row_counts_none() -> None:
    found = Classes.of(TABLE, [Axis("port")], pl.DataFrame({"port": ["EWR"]}))
    assert dict(zip(found.names, found.counts.tolist(), strict=True)) == {"EWR": 0, "JFK": 3, "LGA": 1}


def test_given_rows_have_the_values_of_their_class_and_bins_stay_open() -> None:
    found = Classes.of(TABLE, [Axis("port"), MILES])
    place = found.number(pl.DataFrame({"port": ["LGA"], "miles": [1]}, schema=found.members.schema))
    assert found.given(place).to_dict(as_series=False) == {"port": ["LGA"]}


@pytest.mark.parametrize("dtype", [pl.Int16, pl.Float32, pl.Date, pl.Datetime("us")])
def test_bins_take_numbers_and_instants(dtype: type[pl.DataType]) -> None:
    series = pl.Series("x", [1, 5, 9, None]).cast(dtype)
    axis = Axis("x", pl.Series([5]).cast(dtype), ("5",))
    assert Classes.of(series.to_frame(), [axis]).label(series.to_frame()).tolist() == [0, 1, 1, -1]
