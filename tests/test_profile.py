"""The bins that pictures are drawn from: worked out by hand, and telling of no few rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.profile import Bin, Profile
from synthcli.profile.counting import MISSING, NEW, OTHER, ROWS, profile
from synthcli.schema import Column, Kind, Schema


def _schema(**kinds: Kind) -> Schema:
    dtypes = {Kind.NUMERIC: "Int64", Kind.DATETIME: "Datetime[us]", Kind.BOOLEAN: "Boolean"}
    return Schema(
        tuple(
            Column(name, kind, dtypes.get(kind, "String"), decimals=0 if kind is Kind.NUMERIC else None)
            for name, kind in kinds.items()
        )
    )


def _of(
    train: dict[str, list[object]],
    schema: Schema,
    synthetic: dict[str, list[object]] | None = None,
    pairs: tuple[tuple[str, str], ...] = (),
    threshold: int = 5,
) -> Profile:
    parts = {
        "train": pl.DataFrame(train),
        "holdout": pl.DataFrame(train),
        "synthetic": pl.DataFrame(synthetic or train),
    }
    return profile(parts, schema, pairs, threshold)


def _labels(bins: tuple[Bin, ...]) -> list[str]:
    return [part.label for part in bins]


def test_a_category_of_few_rows_is_named_nowhere() -> None:
    values: list[object] = ["a"] * 10 + ["b"] * 5 + ["rare"] * 4 + [None]
    found = _of({"x": values}, _schema(x=Kind.CATEGORICAL), {"x": ["b"] * 10 + ["unseen"] * 10})
    assert [(part.label, part.train, part.synthetic) for part in found.columns[0].bins] == [
        ("a", 0.5, 0.0),
        ("b", 0.25, 0.5),
        (OTHER, pytest.approx(0.2), 0.5),
        (MISSING, 0.05, 0.0),
    ]


def test_a_boolean_is_spelled_as_yaml_spells_it() -> None:
    found = _of({"x": [True] * 6 + [False] * 5}, _schema(x=Kind.BOOLEAN))
    assert _labels(found.columns[0].bins) == ["true", "false"]


def test_numbers_stand_in_round_bins_with_open_ends() -> None:
    found = _of({"x": list(range(101))}, _schema(x=Kind.NUMERIC))
    bins = found.columns[0].bins
    # 101 values, five skipped at either end: 5 to 95, a thirtieth of it is 3, and so bins of 5.
    assert bins[0] == Bin("< 5", None, 5.0, *[pytest.approx(5 / 101)] * 3)
    assert bins[1] == Bin("5 … 10", 5.0, 10.0, *[pytest.approx(5 / 101)] * 3)
    assert (bins[-1].label, bins[-1].low, bins[-1].high) == ("≥ 95", 95.0, None)
    assert bins[-1].train == pytest.approx(6 / 101)
    assert len(bins) == 20


def test_a_number_that_nearly_all_rows_share_is_told_from_the_others() -> None:
    found = _of({"x": [0] * 990 + list(range(1, 11))}, _schema(x=Kind.NUMERIC))
    assert [(part.label, part.train) for part in found.columns[0].bins] == [("< 1", 0.99), ("≥ 1", 0.01)]


@pytest.mark.parametrize("values", [[1, 2, 3], [None] * 20, [7] * 20])
def test_without_enough_different_values_there_is_one_bin(values: list[object]) -> None:
    found = _of({"x": values}, _schema(x=Kind.NUMERIC))
    assert [part.label for part in found.columns[0].bins if part.label != MISSING] == ["(any)"]


def test_days_are_told_by_date_and_hours_by_time() -> None:
    start = datetime(2020, 1, 1)
    days = _of({"x": [start + timedelta(days=n) for n in range(1000)]}, _schema(x=Kind.DATETIME)).columns[0].bins
    hours = _of({"x": [start + timedelta(minutes=n) for n in range(1000)]}, _schema(x=Kind.DATETIME)).columns[0].bins
    assert all(len(label.split(" … ")[0].lstrip("<≥ ")) == len("2020-01-01") for label in _labels(days))
    assert all(len(label.split(" … ")[0].lstrip("<≥ ")) == len("2020-01-01 00:00") for label in _labels(hours))


def test_the_shares_of_a_pair_are_those_of_its_cells() -> None:
    train: dict[str, list[object]] = {"x": ["a"] * 10 + ["b"] * 10, "y": ["u"] * 10 + ["u"] * 5 + ["v"] * 5}
    found = _of(
        train, _schema(x=Kind.CATEGORICAL, y=Kind.CATEGORICAL), {"x": ["a", "new"], "y": ["v", "v"]}, (("x", "y"),)
    )
    pair = found.pairs[0]
    assert (pair.a_labels, pair.b_labels) == (("a", "b", NEW), ("u", "v"))
    assert pair.train == [[0.5, 0.0], [0.25, 0.25], [0.0, 0.0]]
    assert pair.synthetic == [[0.0, 0.5], [0.0, 0.0], [0.0, 0.5]]


def test_bins_of_a_pair_that_hold_few_rows_are_joined() -> None:
    # Seven different numbers: 1 to 6 once each, 7 fourteen times.
    train: dict[str, list[object]] = {"x": [1, 2, 3, 4, 5, 6, *[7] * 14], "y": ["u"] * 20}
    found = _of(train, _schema(x=Kind.NUMERIC, y=Kind.CATEGORICAL), pairs=(("x", "y"),))
    assert found.pairs[0].a_labels == ("≤ 5", "> 5")
    # A cut is a value of the training part, perhaps of one row: it is told to two digits or so.
    numbers: list[object] = [12_345.0, 12_346.0, 12_347.0] * 2 + [98_765.0] * 14
    schema = _schema(x=Kind.NUMERIC, y=Kind.CATEGORICAL)
    cut = _of({"x": numbers, "y": ["u"] * 20}, schema, None, (("x", "y"),)).pairs[0]
    assert cut.a_labels == ("≤ 12,300", "> 12,300")
    assert found.pairs[0].train == [[0.25], [0.75]]


def test_dependence_is_one_where_columns_say_the_same_and_none_for_a_single_column() -> None:
    same: list[object] = ["a"] * 50 + ["b"] * 50
    other: list[object] = ["u", "v"] * 50
    found = _of(
        {"x": same, "y": same, "z": other}, _schema(x=Kind.CATEGORICAL, y=Kind.CATEGORICAL, z=Kind.CATEGORICAL)
    ).dependence
    assert found is not None
    assert found.columns == ("x", "y", "z")
    assert found.train == [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert _of({"x": same}, _schema(x=Kind.CATEGORICAL)).dependence is None


def test_of_a_large_table_rows_at_even_distances_are_counted() -> None:
    rows = 2 * ROWS
    values: list[object] = (["a", "b"] * ROWS)[:rows]
    assert [part.train for part in _of({"x": values}, _schema(x=Kind.CATEGORICAL)).columns[0].bins] == [1.0]


@given(
    st.lists(st.one_of(st.none(), st.integers(-50, 50), st.integers(-(10**9), 10**9)), min_size=1, max_size=300),
    st.integers(5, 12),
)
def test_ends_have_enough_rows_beyond_them_and_shares_sum_to_one(values: list[object], threshold: int) -> None:
    found = _of({"x": values, "y": values}, _schema(x=Kind.NUMERIC, y=Kind.NUMERIC), None, (("x", "y"),), threshold)
    bins = found.columns[0].bins
    assert sum(part.train for part in bins) == pytest.approx(1)
    known = [part for part in bins if part.label != MISSING]
    if len(known) > 1:
        assert min(known[0].train, known[-1].train) * len(values) >= threshold - 1e-6
    shares = np.array(found.pairs[0].train)
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    counts = shares.sum(axis=1) * len(values)
    named = [label for label in found.pairs[0].a_labels if label not in (MISSING, "(any)")]
    assert all(
        count >= threshold - 0.01
        for label, count in zip(found.pairs[0].a_labels, counts, strict=True)
        if label in named
    )


@pytest.mark.parametrize(
    "values",
    [
        [-1.7e308, 1.7e308] * 30,
        [0.0, 5e-324] * 30,
        [0.3, 0.1 + 0.2] * 30,
        [float(2**62 + 512 * n) for n in range(60)],
    ],
)
def test_numbers_at_the_ends_of_what_there_is_are_one_bin_or_a_few(values: list[object]) -> None:
    schema = Schema((Column("x", Kind.NUMERIC, "Float64"), Column("y", Kind.NUMERIC, "Float64")))
    found = _of({"x": values, "y": values}, schema, pairs=(("x", "y"),))
    assert sum(part.train for part in found.columns[0].bins) == pytest.approx(1)
    assert all(part.low is None or part.high is None or part.low < part.high for part in found.columns[0].bins)


@pytest.mark.parametrize("rows", [10, 11, 12])
def test_of_few_values_none_is_an_edge(rows: int) -> None:
    values: list[object] = [71_822.862 + 10_000.1 * n for n in range(rows)]
    schema = Schema((Column("x", Kind.NUMERIC, "Float64"),))
    bins = _of({"x": values}, schema).columns[0].bins
    assert not {part.low for part in bins} & set(values)
    assert not {part.high for part in bins} & set(values)
