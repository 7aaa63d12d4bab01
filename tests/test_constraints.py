"""Constraints: each kind by hand, missing cells, columns that do not fit, and words that give no cell away."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from examples import columns
from hypothesis import given
from hypothesis import strategies as st

from synthcli.config.models import (
    CONSTRAINTS,
    Constraint,
    FixedCombinations,
    FixedIncrements,
    Inequality,
    OneHot,
    Range,
)
from synthcli.constraints import check_columns, columns_of, describe, holds, occurs
from synthcli.errors import ConfigError
from synthcli.schema import Column, Kind, Schema

NAN, INF = float("nan"), float("inf")


def inequality(low: str = "a", high: str = "b", *, strict: bool = False) -> Inequality:
    return Inequality(kind="inequality", low_column_name=low, high_column_name=high, strict_boundaries=strict)


def between(low: str = "a", middle: str = "b", high: str = "c", **more: bool) -> Range:
    return Range(kind="range", low_column_name=low, middle_column_name=middle, high_column_name=high, **more)


def combinations(*names: str) -> FixedCombinations:
    return FixedCombinations(kind="fixed_combinations", column_names=list(names))


def increments(step: float, name: str = "a") -> FixedIncrements:
    return FixedIncrements(kind="fixed_increments", column_name=name, increment_value=step)


def one_hot(*names: str) -> OneHot:
    return OneHot(kind="one_hot", column_names=list(names))


def kept(constraint: Constraint, train: pl.DataFrame | None = None, **cells: Any) -> list[bool]:
    frame = pl.DataFrame(cells)
    flags = holds(constraint, frame, frame if train is None else train)
    assert flags.dtype == bool
    return flags.tolist()


def test_inequality_by_hand() -> None:
    cells = {"a": [1.0, 2.0, 3.0], "b": [2.0, 2.0, 2.0]}
    assert kept(inequality(), **cells) == [True, True, False]
    assert kept(inequality(strict=True), **cells) == [True, False, False]


def test_range_by_hand_and_strict_unless_told_otherwise() -> None:
    cells = {"a": [1, 1, 1, 3], "b": [2, 1, 3, 2], "c": [3, 3, 3, 4]}
    assert kept(between(), **cells) == [True, False, False, False]
    assert kept(between(strict_boundaries=False), **cells) == [True, True, True, False]


@pytest.mark.parametrize("gap", [None, NAN])
def test_a_row_with_a_missing_cell_in_a_column_concerned_holds(gap: float | None) -> None:
    cells = {"a": [9.0, gap, 9.0], "b": [5.0, 5.0, gap], "c": [1.0, 1.0, 1.0]}
    assert kept(inequality(), **cells) == [False, True, True]
    assert kept(between(), **cells) == [False, True, True]
    assert kept(increments(2.0), **cells) == [False, True, False]
    assert kept(one_hot("a", "c"), **cells) == [False, True, False]


def test_a_missing_cell_elsewhere_excuses_nothing() -> None:
    assert kept(inequality(), a=[2.0], b=[1.0], c=[None]) == [False]


def test_whole_numbers_and_fractions_compare_by_value() -> None:
    assert kept(inequality(strict=True), a=pl.Series([3, 3], dtype=pl.UInt64), b=[3.0, 3.5]) == [False, True]


def test_instants_compare_across_time_zones_units_and_dates() -> None:
    noon = pl.Series([datetime(2020, 1, 1, 12, tzinfo=UTC)])
    rome = noon.dt.convert_time_zone("Europe/Rome")  # 13:00 on the wall, the same instant
    assert kept(inequality(), a=rome, b=noon) == [True]
    assert kept(inequality(strict=True), a=rome, b=noon) == [False]
    midnight = pl.Series([datetime(2020, 1, 1)] * 2).cast(pl.Datetime("ns"))
    assert kept(inequality(), a=midnight, b=[date(2020, 1, 1), date(2019, 12, 31)]) == [True, False]


def test_an_infinite_number_is_a_number_to_compare_and_no_multiple() -> None:
    assert kept(inequality(), a=[-INF, INF], b=[0.0, 0.0]) == [True, False]
    assert kept(increments(0.5), a=[INF, -INF, 1.5]) == [False, False, True]
    assert kept(one_hot("a", "b"), a=[INF, 1.0], b=[-INF, 0.0]) == [False, True]


def test_combinations_are_those_of_the_training_part() -> None:
    train = pl.DataFrame({"x": ["p", "q", None], "y": [1, 2, 3]})
    cells = {"x": ["p", "p", "q", None, None, "q"], "y": [1, 2, 2, 3, 1, None]}
    assert kept(combinations("x", "y"), train, **cells) == [True, False, True, True, False, False]


def test_a_combination_is_the_same_however_numbers_are_stored() -> None:
    train = pl.DataFrame({"x": pl.Series([1, 2], dtype=pl.Int8), "y": [date(2020, 1, 1), date(2020, 1, 2)]})
    cells = {"x": [1.0, 1.5, 2.0], "y": [datetime(2020, 1, 1)] * 2 + [datetime(2020, 1, 2)]}
    assert kept(combinations("x", "y"), train, **cells) == [True, False, True]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=20), st.data())
def test_occurring_is_membership_and_keeps_the_order(known: list[tuple[str, int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), max_size=20))
    schema = {"x": pl.String, "known": pl.Int64}
    frames = [pl.DataFrame(part, schema=schema, orient="row") for part in (rows, known)]
    assert occurs(*frames).tolist() == [row in known for row in rows]


def test_increments_by_hand() -> None:
    assert kept(increments(0.1), a=[0.3, -0.7, 0.0, 0.35, 0.1 + 0.2]) == [True, True, True, False, True]
    assert kept(increments(5), a=[10, 12, -5]) == [True, False, True]
    assert kept(increments(5), a=[10.0, 12.0, 10.000001]) == [True, False, False]


def test_large_whole_numbers_are_multiples_exactly() -> None:
    assert kept(increments(5), a=[5 * 10**17, 5 * 10**17 + 1]) == [True, False]
    assert kept(increments(1000), a=pl.Series([0, 100], dtype=pl.Int8)) == [True, False]


def test_cents_of_a_large_amount_are_still_seen() -> None:
    assert kept(increments(0.05), a=[12_345_678.95, 12_345_678.96]) == [True, False]


def test_single_precision_rounds_more_coarsely() -> None:
    assert kept(increments(0.1), a=pl.Series([0.3, 0.7, 0.35], dtype=pl.Float32)) == [True, True, False]


@given(st.integers(-(10**6), 10**6), st.sampled_from([0.01, 0.05, 0.1, 0.25, 1 / 3, 7.0, 1e-3]))
def test_every_multiple_of_an_increment_is_one_and_half_way_is_none(times: int, step: float) -> None:
    assert kept(increments(step), a=[times * step, (times + 0.5) * step]) == [True, False]


def test_one_hot_by_hand() -> None:
    cells = {"a": [1, 0, 1, 0, 2, -1], "b": [0, 0, 1, 1, -1, 2]}
    assert kept(one_hot("a", "b"), **cells) == [True, False, False, True, False, False]
    assert kept(one_hot("a", "b"), a=[True, False, True], b=[False, False, True]) == [True, False, False]


def test_one_half_and_one_half_are_not_one_hot() -> None:
    assert kept(one_hot("a", "b"), a=[0.5], b=[0.5]) == [False]


@pytest.mark.parametrize(
    "constraint", [inequality(), between(), combinations("a", "b"), increments(1), one_hot("a", "b")]
)
def test_no_rows_give_no_flags(constraint: Constraint) -> None:
    empty = pl.Series([], dtype=pl.Float64)
    assert kept(constraint, a=empty, b=empty, c=empty) == []


EXAMPLES = {
    "inequality": (inequality(), ("a", "b"), "'a' is not above 'b'"),
    "range": (between(), ("a", "b", "c"), "'b' lies strictly between 'a' and 'c'"),
    "fixed_combinations": (combinations("a", "b"), ("a", "b"), "'a' and 'b' have a combination of the training part"),
    "fixed_increments": (increments(0.25), ("a",), "'a' is a multiple of its increment"),
    "one_hot": (one_hot("a", "b", "c"), ("a", "b", "c"), "exactly one of 'a', 'b' and 'c' is 1"),
}


def test_every_kind_of_constraint_is_known_here() -> None:
    assert set(EXAMPLES) == set(CONSTRAINTS)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_constraint_is_described_by_its_columns_alone(kind: str) -> None:
    constraint, names, words = EXAMPLES[kind]
    assert columns_of(constraint) == names
    assert describe(constraint) == words


KINDS = columns(
    a="numeric", b="numeric", day="datetime", late="boolean", flag="boolean", city="categorical", key="id", note="text"
)
ZONED = Schema((*KINDS.columns, Column("utc", Kind.DATETIME, "Datetime[us, UTC]"), Column("d", Kind.DATETIME, "Date")))


@pytest.mark.parametrize(
    "constraint",
    [
        inequality(),
        inequality("day", "d"),
        increments(1.0),
        combinations("city", "a", "late"),
        one_hot("late", "flag"),
        one_hot("a", "late"),
    ],
)
def test_columns_that_fit_pass(constraint: Constraint) -> None:
    check_columns(constraint, ZONED)


def test_numbers_that_are_categories_by_decree_still_fit() -> None:
    schema = Schema((Column("a", Kind.CATEGORICAL, "Int64"), Column("b", Kind.NUMERIC, "Float64")))
    check_columns(inequality(), schema)
    check_columns(one_hot("a", "b"), schema)


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (inequality("a", "bb"), "data.constraints .inequality.: the table has no column 'bb'"),
        (inequality("a", "day"), "expected numbers only, or dates and times only.*'day' .datetime"),
        (inequality("city", "note"), "'note' is of kind text"),
        (inequality("a", "a"), "'a' is named twice"),
        (inequality("day", "utc"), "all with a time zone or none"),
        (between("a", "b", "city"), "expected numbers only"),
        (between("late", "flag", "a"), "expected numbers only"),
        (increments(1, "day"), "expected a number, got 'day'"),
        (one_hot("late", "city"), "expected numbers or truth values"),
        (combinations("city", "key"), "'key' is of kind id"),
        (combinations("city", "town"), "the table has no column 'town'"),
    ],
)
def test_columns_that_do_not_fit_are_refused_by_name(constraint: Constraint, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_columns(constraint, ZONED)


def test_a_misspelt_column_gets_the_right_one_as_a_hint() -> None:
    with pytest.raises(ConfigError) as caught:
        check_columns(inequality("a", "dai"), ZONED)
    assert "did you mean 'day'?" in caught.value.hint
