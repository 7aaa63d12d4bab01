"""The change of columns that keeps rules, on tables that can be worked out by hand, and its laws on any free table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli.config.models import Constraint, FixedCombinations, FixedIncrements, Inequality, OneHot, Range
from synthcli.constraints import columns_of, holds
from synthcli.errors import ConfigError
from synthcli.forms import dtype_name, polars_dtype
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.coordinates import Coordinates, learn


def below(low: str, high: str, *, strict: bool = False) -> Inequality:
    return Inequality(kind="inequality", low_column_name=low, high_column_name=high, strict_boundaries=strict)


def between(low: str, middle: str, high: str, *, strict: bool = False) -> Range:
    return Range(
        kind="range", low_column_name=low, middle_column_name=middle, high_column_name=high, strict_boundaries=strict
    )


def multiple(name: str, increment: float) -> FixedIncrements:
    return FixedIncrements(kind="fixed_increments", column_name=name, increment_value=increment)


def together(*names: str) -> FixedCombinations:
    return FixedCombinations(kind="fixed_combinations", column_names=list(names))


def one_of(*names: str) -> OneHot:
    return OneHot(kind="one_hot", column_names=list(names))


def described(
    table: pl.DataFrame, decimals: Mapping[str, int] | None = None, categorical: Sequence[str] = ()
) -> Schema:
    """Return the schema of a table, every type as the kind that it usually is."""
    columns = []
    for cells in table.get_columns():
        dtype = cells.dtype
        usual = Kind.BOOLEAN if dtype == pl.Boolean else Kind.CATEGORICAL if dtype == pl.String else Kind.NUMERIC
        kind = Kind.DATETIME if dtype.is_temporal() else Kind.CATEGORICAL if cells.name in categorical else usual
        digits = 0 if dtype.is_integer() else (decimals or {}).get(cells.name)
        columns.append(Column(cells.name, kind, dtype_name(dtype) or "", decimals=digits))
    return Schema(tuple(columns))


def change(
    table: pl.DataFrame, *rules: Constraint, decimals: Mapping[str, int] | None = None, categorical: Sequence[str] = ()
) -> tuple[Coordinates, pl.DataFrame, Schema]:
    """Learn, send the coordinates through JSON, and check that the free table is what its schema says."""
    coordinates, free, schema = learn(table, described(table, decimals, categorical), rules)
    assert [(name, dtype_name(dtype)) for name, dtype in free.schema.items()] == [(c.name, c.dtype) for c in schema]
    assert len(free) == len(table)
    return Coordinates.from_dict(json.loads(json.dumps(coordinates.to_dict()))), free, schema


def test_without_rules_nothing_changes() -> None:
    table = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    coordinates, free, schema = change(table)
    assert free.equals(table)
    assert coordinates.untouched == schema.names == ("a", "b")
    assert coordinates.restore(free, 1).equals(table)


def test_coordinates_come_back_from_json_as_they_were() -> None:
    table = pl.DataFrame({"a": [1, 2], "b": [1.5, 2.5], "c": ["x", "y"], "d": [True, False], "e": [3, 6]})
    rules = [below("a", "b"), together("c", "d"), multiple("e", 3)]
    coordinates, _, _ = learn(table, described(table), rules)
    assert Coordinates.from_dict(json.loads(json.dumps(coordinates.to_dict()))) == coordinates


# -- columns that go together ------------------------------------------------------------------------------------------


def test_fixed_combinations_are_one_category_where_the_first_column_stood() -> None:
    table = pl.DataFrame({"x": [1, 2, 3], "city": ["b", "a", "b"], "y": [0, 0, 0], "land": ["B", "A", "B"]})
    coordinates, free, schema = change(table, together("land", "city"))
    assert free.to_dict(as_series=False) == {"x": [1, 2, 3], "combination of city, land": [1, 0, 1], "y": [0, 0, 0]}
    assert schema["combination of city, land"].kind is Kind.CATEGORICAL
    assert coordinates.untouched == ("x", "y")
    assert coordinates.restore(free, 1).equals(table)


def test_only_combinations_of_the_training_table_come_out_and_unknown_codes_as_often_as_those_were() -> None:
    table = pl.DataFrame({"a": ["p"] * 9 + ["q"], "b": [1] * 9 + [None]}, schema={"a": pl.String, "b": pl.UInt8})
    coordinates, _, schema = change(table, together("a", "b"))
    wild = pl.DataFrame({schema.names[0]: [None, -1, 2, 10**18] * 250})
    rows = coordinates.restore(wild, 3)
    assert holds(together("a", "b"), rows, table).all()
    assert 0.85 < (rows["a"] == "p").mean() < 0.95
    assert rows.equals(coordinates.restore(wild, 3))
    assert not rows.equals(coordinates.restore(wild, 4))


def test_combinations_of_any_type_come_back_as_they_were() -> None:
    table = pl.DataFrame(
        {
            "day": [date(2020, 1, 1), None, date(1960, 5, 5)],
            "at": pl.Series([datetime(2020, 1, 1, 3, tzinfo=UTC), None, None], dtype=pl.Datetime("ms", "UTC")),
            "x": pl.Series([0.1, float("nan"), None], dtype=pl.Float32),
            "t": [True, None, False],
        }
    )
    coordinates, free, _ = change(table, together("day", "at", "x", "t"))
    assert coordinates.restore(free, 1).equals(table.with_columns(pl.col("x").fill_nan(None)))


def test_one_hot_columns_are_the_category_of_which_is_one() -> None:
    table = pl.DataFrame({"r": [1, 0, 0], "g": [0.0, 1.0, 0.0], "b": [False, False, True]})
    coordinates, free, _ = change(table, one_of("r", "g", "b"))
    assert free.to_dict(as_series=False) == {"one of r, g, b": [0, 1, 2]}
    assert coordinates.restore(free, 1).equals(table)


def test_a_one_hot_row_with_a_missing_cell_is_a_level_in_which_all_are_missing() -> None:
    table = pl.DataFrame({"r": [1, 0, None], "g": [0, 1, 1]}, schema={"r": pl.Int8, "g": pl.UInt64})
    coordinates, free, _ = change(table, one_of("r", "g"))
    assert free.to_series().to_list() == [0, 1, 2]
    assert coordinates.restore(free, 1).rows() == [(1, 0), (0, 1), (None, None)]
    assert coordinates.restore(free, 1).schema == table.schema


# -- columns above others ----------------------------------------------------------------------------------------------


def test_a_column_above_another_is_its_gap() -> None:
    table = pl.DataFrame({"low": [1, 5], "high": [4, 5]}, schema={"low": pl.UInt8, "high": pl.Int16})
    coordinates, free, schema = change(table, below("low", "high"))
    assert free.to_dict(as_series=False) == {"low": [1, 5], "high above low": [3, 0]}
    assert schema["high above low"] == Column("high above low", Kind.NUMERIC, "Int64", decimals=0)
    assert coordinates.untouched == ("low",)
    assert coordinates.restore(free, 1).equals(table)


def test_a_gap_stands_on_the_greatest_column_below() -> None:
    table = pl.DataFrame({"h": [9, 9], "a": [1, 6], "b": [5, 2]})
    _, free, schema = change(table, below("a", "h"), below("b", "h"))
    assert schema.names == ("h above a and b", "a", "b")
    assert free["h above a and b"].to_list() == [4, 3]


def test_a_gap_below_zero_is_none_and_one_past_the_greatest_training_value_is_held_there() -> None:
    coordinates, free, _ = change(pl.DataFrame({"a": [0, 5], "b": [3, 20]}), below("a", "b"))
    wild = free.clear().vstack(pl.DataFrame({"a": [7, 7, 30], "b above a": [-4, 10**15, 2]}))
    assert coordinates.restore(wild, 1)["b"].to_list() == [7, 20, 30]


@pytest.mark.parametrize(
    ("cells", "decimals", "least"),
    [
        (pl.Series([3, 9], dtype=pl.Int32), None, 4),
        (pl.Series([1.25, 9.0]), 2, 1.26),
        (pl.Series([1.25, 9.0]), None, float(np.nextafter(1.25, 2))),
        (pl.Series([date(2020, 1, 1), date(2020, 2, 1)]), None, date(2020, 1, 2)),
        (pl.Series([datetime(2020, 1, 1, 7), datetime(2020, 2, 1)]), None, datetime(2020, 1, 1, 8)),
    ],
)
def test_a_strict_gap_is_one_step_of_the_column_at_least(cells: pl.Series, decimals: int | None, least: Any) -> None:
    table = pl.DataFrame({"a": cells, "b": pl.Series([cells[1], cells[1] + (cells[1] - cells[0])], dtype=cells.dtype)})
    known = {} if decimals is None else {"a": decimals, "b": decimals}
    if cells.dtype == pl.Datetime("us"):
        table = table.with_columns(b=pl.Series([datetime(2020, 2, 1, 7), datetime(2020, 3, 1)]))
    coordinates, free, _ = change(table, below("a", "b", strict=True), decimals=known)
    gap = free.columns[1]
    assert coordinates.restore(free.with_columns(pl.lit(0).cast(free.schema[gap]).alias(gap)), 1)["b"][0] == least


def test_whole_numbers_above_fractions_are_rounded_up() -> None:
    table = pl.DataFrame({"a": [1.5, 2.25], "b": [2, 9]})
    coordinates, free, schema = change(table, below("a", "b"), decimals={"a": 2})
    assert schema[free.columns[1]] == Column("b above a", Kind.NUMERIC, "Float64", decimals=2)
    assert free["b above a"].to_list() == [0.5, 6.75]
    wild = pl.DataFrame({"a": [1.5, 1.5], "b above a": [0.1, 0.9]})
    assert coordinates.restore(wild, 1)["b"].to_list() == [2, 2]


def test_gaps_of_times_count_the_coarsest_common_step() -> None:
    table = pl.DataFrame(
        {
            "day": [date(2020, 1, 1), date(2020, 1, 5)],
            "at": [datetime(2020, 1, 1, 12, 30), datetime(2020, 1, 7)],
        }
    ).cast({"at": pl.Datetime("ms")})
    coordinates, free, _ = change(table, below("day", "at"))
    assert free["at above day"].to_list() == [750, 2880]
    assert coordinates.restore(free, 1).equals(table)


def test_a_range_is_two_gaps_in_any_order_of_columns() -> None:
    table = pl.DataFrame({"hi": [9.5, 9.0], "lo": [1.0, 2.0], "mid": [4.25, 8.0]})
    coordinates, free, schema = change(table, between("lo", "mid", "hi", strict=True))
    assert schema.names == ("hi above mid", "lo", "mid above lo")
    assert free.row(0) == (5.25, 1.0, 3.25)
    assert coordinates.restore(free, 1).equals(table)


def test_a_low_column_leaves_room_for_the_columns_above() -> None:
    table = pl.DataFrame({"a": [1], "b": [2], "c": [3]}, schema=dict.fromkeys("abc", pl.UInt8))
    coordinates, free, _ = change(table, between("a", "b", "c", strict=True))
    wild = pl.DataFrame({"a": [255], "b above a": [2**63 - 1], "c above b": [None]}, schema=free.schema)
    wild = pl.concat([wild, wild.with_columns(pl.lit(-1, dtype=pl.Int64).alias("c above b"))])
    assert coordinates.restore(wild, 1).rows() == [(253, 254, None), (253, 254, 255)]


def test_missing_cells_of_a_low_column_are_filled_and_flagged_and_come_back() -> None:
    table = pl.DataFrame({"a": [1, None, 8, None], "b": [4, 3, None, None]})
    coordinates, free, schema = change(table, below("a", "b"))
    assert schema.names == ("a", "a is missing", "b above a")
    assert schema["a is missing"].kind is Kind.BOOLEAN
    assert free["a is missing"].to_list() == [False, True, False, True]
    assert free["a"].null_count() == 0
    assert free["a"][1] <= 3
    assert free["b above a"].is_null().to_list() == [False, False, True, True]
    assert coordinates.untouched == ()
    assert coordinates.restore(free, 1).equals(table)


def test_a_missing_cell_below_which_no_value_of_the_type_lies_stays_missing() -> None:
    table = pl.DataFrame({"a": [1, None], "b": [4, 0]}, schema={"a": pl.UInt8, "b": pl.UInt8})
    coordinates, free, _ = change(table, below("a", "b", strict=True))
    assert free["a"].to_list() == [1, None]
    assert coordinates.restore(free, 1).equals(table)


@pytest.mark.parametrize("rule", [below("a", "b"), together("a", "b"), one_of("a", "b"), multiple("a", 2)])
def test_a_table_without_rows_has_its_columns_all_the_same(rule: Constraint) -> None:
    table = pl.DataFrame({"a": [0], "b": [1]}, schema={"a": pl.Int8, "b": pl.Float32})
    for train in (table, table.clear()):
        coordinates, free, _ = change(train, rule)
        assert coordinates.restore(free.clear(), 1).equals(table.clear())


def test_a_missing_middle_is_filled_between_its_neighbours() -> None:
    table = pl.DataFrame({"a": [5, 1, 0], "m": [None, 2, 100], "h": [8, 3, 200]})
    coordinates, free, _ = change(table, between("a", "m", "h", strict=True))
    assert free["m above a"][0] in (1, 2)
    assert coordinates.restore(free, 1).equals(table)


def test_a_value_without_anything_below_lies_above_a_usual_one() -> None:
    coordinates, free, _ = change(pl.DataFrame({"a": [10, 20, 30], "b": [11, 22, 99]}), below("a", "b"))
    wild = pl.DataFrame({"a": [None], "b above a": [7]}, schema=free.schema)
    assert coordinates.restore(wild, 1).rows() == [(None, 27)]


def test_a_date_beside_nanoseconds_is_held_where_these_reach() -> None:
    table = pl.DataFrame({"day": [date(2020, 1, 1)], "at": [datetime(2020, 1, 2)]}).cast({"at": pl.Datetime("ns")})
    coordinates, free, _ = change(table, below("day", "at"))
    wild = pl.concat([free, free]).with_columns(day=pl.Series([date(1000, 1, 1), date(9000, 1, 1)]))
    assert coordinates.restore(wild, 1)["day"].to_list() == [date(1677, 9, 22), date(2262, 4, 11)]


@pytest.mark.parametrize("flags", [(True, False), (False, True)])
def test_of_two_rules_on_the_same_columns_the_strict_one_counts(flags: tuple[bool, bool]) -> None:
    rules = [below("a", "b", strict=strict) for strict in flags]
    coordinates, free, _ = change(pl.DataFrame({"a": [1], "b": [4]}), *rules)
    assert coordinates.restore(free.with_columns(pl.lit(0).alias("b above a")), 1).row(0) == (1, 2)


def test_categories_that_are_multiples_are_levels_of_the_training_table_that_keep_the_rule() -> None:
    coordinates, _, schema = change(pl.DataFrame({"a": [4, 7, 10]}), multiple("a", 2), categorical=["a"])
    assert schema["increments of a"].kind is Kind.CATEGORICAL
    wild = pl.DataFrame({"increments of a": [-5, 0, 1, 5]})
    assert coordinates.restore(wild, 1)["a"].to_list() == [4, 4, 10, 10]


def test_a_column_with_no_value_at_all_bounds_nothing() -> None:
    table = pl.DataFrame({"a": [None, None], "b": [5, 3]}, schema={"a": pl.Int64, "b": pl.Int64})
    coordinates, free, _ = change(table, below("a", "b"))
    assert coordinates.restore(free, 1).equals(table)


def test_numbers_that_are_categories_stay_levels_of_the_training_table() -> None:
    table = pl.DataFrame({"a": [1, 2, 3], "grade": [10, 20, 40]})
    coordinates, _, _ = change(table, below("a", "grade"), categorical=["grade"])
    wild = pl.DataFrame({"a": [1, 1, 11, 50], "grade above a": [0, 22, 0, 0]})
    assert coordinates.restore(wild, 1).rows() == [(1, 10), (1, 20), (11, 20), (40, 40)]


# -- multiples ---------------------------------------------------------------------------------------------------------


def test_a_multiple_is_its_number_of_increments() -> None:
    table = pl.DataFrame({"price": [50, -100, None]}, schema={"price": pl.Int16})
    coordinates, free, schema = change(table, multiple("price", 50))
    assert free.to_dict(as_series=False) == {"increments of price": [1, -2, None]}
    assert schema["increments of price"].dtype == "Int64"
    assert coordinates.restore(free, 1).equals(table)
    wild = pl.DataFrame({"increments of price": [10**9, -(10**9)]})
    assert coordinates.restore(wild, 1)["price"].to_list() == [32750, -32750]


def test_decimal_multiples_come_back_exactly() -> None:
    table = pl.DataFrame({"x": [0.1, 0.3, 0.7, 1234.5]})
    coordinates, free, _ = change(table, multiple("x", 0.1), decimals={"x": 1})
    assert free.to_series().to_list() == [1, 3, 7, 12345]
    assert coordinates.restore(free, 1).equals(table)


def test_multiples_are_those_that_the_columns_decimals_can_write() -> None:
    coordinates, free, _ = change(pl.DataFrame({"x": [0.5, 1.0]}), multiple("x", 0.25), decimals={"x": 1})
    assert free.to_series().to_list() == [1, 2]
    assert coordinates.restore(pl.DataFrame({free.columns[0]: [3]}), 1)["x"].to_list() == [1.5]


def test_a_multiple_above_another_column_is_raised_to_a_multiple() -> None:
    table = pl.DataFrame({"a": [3, 8], "b": [15, 10]})
    coordinates, free, _ = change(table, below("a", "b", strict=True), multiple("b", 5))
    assert free["b above a"].to_list() == [12, 2]
    wild = pl.DataFrame({"a": [3, 5, 10, 11], "b above a": [0, 0, 0, 0]})
    assert coordinates.restore(wild, 1)["b"].to_list() == [5, 10, 15, 15]


# -- refused -----------------------------------------------------------------------------------------------------------


def test_a_circle_is_refused_by_name() -> None:
    table = pl.DataFrame({"a": [1], "b": [1], "c": [1]})
    with pytest.raises(ConfigError, match=r"data\.constraints: .* circle: 'a' <= 'b' <= 'c' <= 'a'|'b' <= 'c' <= 'a'"):
        change(table, between("a", "b", "c"), below("c", "a"))


@pytest.mark.parametrize("group", [together("a", "b"), one_of("a", "b")])
@pytest.mark.parametrize("other", [below("b", "c"), multiple("b", 2), one_of("b", "c"), together("c", "b")])
def test_a_column_of_a_group_with_another_rule_is_refused_by_name(group: Constraint, other: Constraint) -> None:
    with pytest.raises(ConfigError, match=r"data\.constraints: the column 'b'") as error:
        change(pl.DataFrame({"a": [1], "b": [0], "c": [1]}), group, other)
    assert "'b'" in error.value.hint


def test_free_columns_take_no_name_that_is_there() -> None:
    table = pl.DataFrame({"a": [1, None], "b": [2, 3], "b above a": [0, 0], "a is missing": [1, 2]})
    _, free, _ = change(table, below("a", "b"))
    assert free.columns == ["a", "a is missing (2)", "b above a (2)", "b above a", "a is missing"]


@pytest.mark.parametrize(
    "rule", [below("a", "b", strict=True), one_of("a", "b"), multiple("a", 4), between("b", "c", "a")]
)
def test_training_rows_that_break_a_rule_do_no_harm(rule: Constraint) -> None:
    table = pl.DataFrame({"a": [7, 1, 0, 1], "b": [1, 0, 0, 1], "c": [9, 9, -9, 9]})
    coordinates, free, _ = change(table, rule)
    assert holds(rule, coordinates.restore(free, 1), table).all()


# -- laws --------------------------------------------------------------------------------------------------------------

_WHOLE = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]
_NAIVE = ["Date", "Datetime[ms]", "Datetime[us]", "Datetime[ns]"]
_ZONED = ["Datetime[ms, UTC]", "Datetime[us, Europe/Berlin]", "Datetime[ns, Asia/Tokyo]"]


def cells_of(dtype: str, size: int, *, wild: bool) -> st.SearchStrategy[pl.Series]:
    """Any cells of a storage type, missing ones too; within decent limits unless ``wild``."""
    kind = polars_dtype(dtype)
    if kind.is_integer():
        limits = np.iinfo(dtype.lower())
        low, high = (limits.min, limits.max) if wild else (max(limits.min, -1000), min(limits.max, 1000))
        values: st.SearchStrategy[Any] = st.integers(int(low), int(high)) | st.integers(0, 5)
    elif kind.is_float():
        width = 32 if dtype == "Float32" else 64
        every = st.floats(width=width, allow_nan=wild, allow_infinity=wild)
        some = st.floats(-1000, 1000, width=width) if width == 64 else st.floats(-1024, 1024, width=32)
        values = (every if wild else some) | st.integers(-3, 3).map(float)
    elif kind == pl.Boolean:
        values = st.booleans()
    elif kind == pl.String:
        values = st.sampled_from(["x", "y", "z"])
    else:
        ticks = st.integers(-(2**31), 2**31 - 1) if dtype == "Date" else st.integers(-(2**63) + 1, 2**63 - 1)
        near = st.integers(0, 20_000) if dtype == "Date" else st.integers(0, 5).map(lambda n: n * 86_400_000)
        return st.lists(st.none() | (ticks if wild else near) | near, min_size=size, max_size=size).map(
            lambda cells: pl.Series(cells, dtype=pl.Int32 if dtype == "Date" else pl.Int64).cast(kind)
        )
    return st.lists(st.none() | values, min_size=size, max_size=size).map(lambda cells: pl.Series(cells, dtype=kind))


def steps(rules: Sequence[Constraint]) -> list[Inequality]:
    """Return each comparison of two neighbours that the rules make."""
    pairs = [(columns_of(rule), rule.strict_boundaries) for rule in rules if isinstance(rule, Inequality | Range)]
    return [below(*pair, strict=strict) for names, strict in pairs for pair in pairwise(names)]


@st.composite
def ruled_tables(draw: st.DrawFn) -> tuple[pl.DataFrame, Schema, list[Constraint]]:
    """A training table whose rows keep its rules, of columns of any types."""
    family = draw(st.sampled_from(["number", "naive", "zoned"]))
    dtypes = {"number": [*_WHOLE, "Float32", "Float64"], "naive": _NAIVE, "zoned": _ZONED}[family]
    size = draw(st.integers(1, 8))
    names = ["a", "b", "c", "d"]
    table = {name: draw(cells_of(draw(st.sampled_from(dtypes)), size, wild=False)) for name in names}
    table |= {"t": draw(cells_of("Boolean", size, wild=False)), "s": draw(cells_of("String", size, wild=False))}
    frame = pl.DataFrame(table)
    strict = draw(st.booleans())
    every: list[list[Constraint]] = [
        [below("a", "b", strict=strict)],
        [between("a", "b", "c", strict=strict), below("a", "d")],
        [below("a", "c"), below("b", "c", strict=strict), below("c", "d")],
        [between("d", "b", "a"), together("s", "t", "c")],
        [],
    ]
    if family == "number":
        increment = draw(st.sampled_from([1, 2, 5, 0.5, 0.1, 0.25, 2.5, 1 / 3, 1e-9, 12345.678, 1e15]))
        every += [[multiple("a", increment), multiple("b", 3), below("a", "b", strict=strict)]]
        every += [[below("a", "b"), multiple("b", increment), one_of("c", "d")]]
    rules = draw(st.sampled_from(every))
    digits = {n: draw(st.sampled_from([None, 0, 1, 2])) for n in names if frame.schema[n].is_float()}
    known = {name: number for name, number in digits.items() if number is not None}
    frame = frame.with_columns(pl.col(name).round(number) for name, number in known.items())
    for rule in rules:
        frame = frame.filter(holds(rule, frame, frame))
    decreed = draw(st.lists(st.sampled_from(names), max_size=1)) if family == "number" else []
    return frame, described(frame, known, decreed), rules


@settings(max_examples=150)
@given(ruled_tables(), st.data())
def test_every_free_table_keeps_every_rule(ruled: tuple[pl.DataFrame, Schema, list[Constraint]], data: Any) -> None:
    train, schema, rules = ruled
    coordinates, _, free_schema = learn(train, schema, rules)
    coordinates = Coordinates.from_dict(json.loads(json.dumps(coordinates.to_dict())))
    free = pl.DataFrame({c.name: data.draw(cells_of(c.dtype, 6, wild=True), label=c.name) for c in free_schema})
    restored = coordinates.restore(free, 5)
    assert restored.schema == train.schema
    for rule in rules:
        if len(train) or not isinstance(rule, FixedCombinations):
            assert holds(rule, restored, train).all(), (rule, restored)


@settings(max_examples=150)
@given(ruled_tables())
def test_complete_rows_come_back(ruled: tuple[pl.DataFrame, Schema, list[Constraint]]) -> None:
    train, schema, rules = ruled
    coordinates, free, _ = learn(train, schema, rules)
    restored = coordinates.restore(free, 5)
    complete = ~train.select(pl.any_horizontal(pl.all().is_null())).to_series()
    for name in train.columns:
        before, after = train[name].filter(complete), restored[name].filter(complete)
        if before.dtype.is_float():
            tolerance = 1e-3 if before.dtype == pl.Float32 else 1e-9
            assert np.allclose(before.to_numpy(), after.to_numpy(), rtol=tolerance, atol=tolerance), name
        else:
            assert before.to_list() == after.to_list(), name


@settings(max_examples=60)
@given(ruled_tables())
def test_missing_cells_come_back_where_they_were(ruled: tuple[pl.DataFrame, Schema, list[Constraint]]) -> None:
    train, schema, rules = ruled
    coordinates, free, _ = learn(train, schema, rules)
    restored = coordinates.restore(free, 5)
    hot = {name for rule in rules if isinstance(rule, OneHot) for name in rule.column_names}
    # A range says nothing where one of three cells is missing; then the two that are there may come back in order.
    kept = pl.Series(
        np.all([holds(step, train, train) for step in steps(rules)] or [np.ones(len(train), bool)], axis=0)
    )
    for name in set(train.columns) - hot:
        before, after = train[name].filter(kept), restored[name].filter(kept)
        assert before.is_null().to_list() == after.is_null().to_list(), name


def test_shuffled_free_columns_keep_the_rules_that_shuffled_columns_break() -> None:
    random = np.random.default_rng(4)
    start = random.integers(0, 1000, 500)
    table = pl.DataFrame(
        {
            "start": [datetime(2020, 1, 1) + timedelta(hours=int(hours)) for hours in start],
            "end": [
                datetime(2020, 1, 1) + timedelta(hours=int(hours)) for hours in start + random.integers(1, 50, 500)
            ],
            "city": [f"c{n % 10}" for n in start],
            "land": [f"l{n % 10 // 3}" for n in start],
            "x": (start % 2).astype(np.int8),
            "y": (1 - start % 2).astype(np.int8),
        }
    )
    rules = [below("start", "end", strict=True), together("city", "land"), one_of("x", "y")]
    coordinates, free, _ = change(table, *rules)

    def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame([cells.shuffle(seed) for seed, cells in enumerate(frame.get_columns())])

    for rule in rules:
        assert holds(rule, coordinates.restore(shuffled(free), 1), table).all()
        assert holds(rule, shuffled(table), table).mean() < 0.9


def test_keeps_says_which_rows_keep_every_rule_and_combinations_are_those_of_the_training_table() -> None:
    train = pl.DataFrame({"a": [1, 2], "b": [1, 5], "c": ["x", "y"], "d": ["u", "v"]})
    schema = Schema(
        (
            Column("a", Kind.NUMERIC, "Int64"),
            Column("b", Kind.NUMERIC, "Int64"),
            Column("c", Kind.CATEGORICAL, "String"),
            Column("d", Kind.CATEGORICAL, "String"),
        )
    )
    rules: list[Constraint] = [
        Inequality(kind="inequality", low_column_name="a", high_column_name="b"),
        FixedCombinations(kind="fixed_combinations", column_names=["c", "d"]),
    ]
    coordinates, _, _ = learn(train, schema, rules)
    table = pl.DataFrame({"a": [1, 9, 1], "b": [2, 3, 2], "c": ["x", "x", "x"], "d": ["u", "u", "v"]})
    assert coordinates.keeps(table).tolist() == [True, False, False]
    assert Coordinates.from_dict(json.loads(json.dumps(coordinates.to_dict()))) == coordinates
