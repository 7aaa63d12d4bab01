"""Codes: bins of equal frequency, heavy values alone, and codes of their own for what training does not show."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
from examples import columns
from hypothesis import given
from hypothesis import strategies as st

from synthcli.columns import Distinct, Levels, numbers
from synthcli.encoding import CategoryAxis, CountEncoding, NumberAxis


def number_axis(series: pl.Series) -> NumberAxis:
    return NumberAxis.fit(Distinct.of(numbers(series)))


def test_at_most_ten_distinct_numbers_get_a_bin_each() -> None:
    axis = number_axis(pl.Series([3.0, 1.0, 1.0, 2.0, None]))
    assert axis.cardinality == 6
    assert axis.encode(numbers(pl.Series([1.0, 2.0, 3.0]))).tolist() == [3, 4, 5]


def test_missing_below_and_above_have_codes_of_their_own() -> None:
    axis = number_axis(pl.Series([1.0, 2.0, 3.0]))
    assert axis.encode(numbers(pl.Series([None, 0.9, 3.1, float("nan")]))).tolist() == [0, 1, 2, 0]


def test_a_hundred_distinct_numbers_fall_into_ten_bins_of_ten() -> None:
    axis = number_axis(pl.Series(np.arange(100.0)))
    assert np.bincount(axis.encode(numbers(pl.Series(np.arange(100.0))))).tolist() == [0, 0, 0] + [10] * 10


def test_a_value_that_most_rows_share_takes_the_bins_of_its_quantiles() -> None:
    # 91 of 101 zeros are all nine deciles: one cut, at 0, and the 10 other values share the second bin.
    values = np.concatenate([np.zeros(91), np.arange(1.0, 11.0)])
    axis = number_axis(pl.Series(values))
    assert axis.cuts.tolist() == [0.0]
    assert np.bincount(axis.encode(numbers(pl.Series(values))))[3:].tolist() == [91, 10]


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=200))
def test_every_training_value_falls_into_one_of_at_most_ten_bins_in_order(values: list[int]) -> None:
    series = pl.Series(values, dtype=pl.Float64)
    axis = number_axis(series)
    codes = axis.encode(numbers(series.sort()))
    assert axis.cardinality <= 13
    assert codes.min() >= 3
    assert (np.diff(codes.astype(int)) >= 0).all()
    assert len(np.unique(codes)) == axis.cardinality - 3


def test_instants_are_binned_like_numbers() -> None:
    moments = pl.Series([datetime(2013, 1, day) for day in (1, 2, 3)])
    axis = number_axis(moments)
    assert axis.encode(numbers(pl.Series([datetime(2012, 12, 31), datetime(2013, 1, 2)]))).tolist() == [1, 4]


def test_an_all_missing_number_column_has_one_code_in_use() -> None:
    axis = number_axis(pl.Series([None, None], dtype=pl.Float64))
    assert axis.encode(numbers(pl.Series([None], dtype=pl.Float64))).tolist() == [0]


def test_frequent_categories_other_missing_and_unseen() -> None:
    train = pl.Series(["a"] * 6 + ["b"] * 5 + ["c"] * 4)
    axis = CategoryAxis.fit(Levels.of(train))
    assert axis.frequent == ("a", "b")
    assert axis.encode(Levels.of(pl.Series(["a", "b", "c", None, "z"]))).tolist() == [3, 4, 2, 0, 1]


def test_only_ten_categories_have_codes_and_ties_go_to_the_smaller_value() -> None:
    train = pl.Series([chr(ord("a") + i) for i in range(12)] * 5)
    assert CategoryAxis.fit(Levels.of(train)).frequent == tuple("abcdefghij")


def test_an_all_missing_category_column_is_coded() -> None:
    axis = CategoryAxis.fit(Levels.of(pl.Series([None], dtype=pl.String)))
    assert axis.encode(Levels.of(pl.Series([None, "x"], dtype=pl.String))).tolist() == [0, 1]


def test_ids_and_text_are_not_coded() -> None:
    schema = columns(key="id", note="text", size="numeric", flag="boolean")
    train = pl.DataFrame({"key": ["1"], "note": ["n"], "size": [1.0], "flag": [True]})
    encoding = CountEncoding.fit(train, schema)
    assert encoding.names == ("size", "flag")
    assert encoding.encode(train).shape == (2, 1)
