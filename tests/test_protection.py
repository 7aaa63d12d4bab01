"""Protection: each treatment by hand, its laws, and values planted to be looked for in all that comes out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from examples import columns
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from synthcli.config.models import (
    Constraint,
    FixedCombinations,
    FixedIncrements,
    Inequality,
    OneHot,
    ProtectionSection,
)
from synthcli.constraints import holds
from synthcli.protection import RARE, ColumnAccount, Protected, protect
from synthcli.schema import Column, Kind, Schema

NAN, INF = float("nan"), float("inf")
INEQUALITY = Inequality(kind="inequality", low_column_name="x", high_column_name="y")


def rules(k: int = 0, ends: int = 0, rare: str = "sample") -> ProtectionSection:
    return ProtectionSection.model_validate(
        {"rare_category_min_count": k, "rare_category": rare, "clip_extremes": ends}
    )


def combinations(*names: str) -> FixedCombinations:
    return FixedCombinations(kind="fixed_combinations", column_names=list(names))


def protected(
    frame: pl.DataFrame,
    section: ProtectionSection,
    constraints: Sequence[Constraint] = (),
    seed: int = 0,
    **kinds: str,
) -> Protected:
    """Protect ``frame``, whose columns are of ``kinds`` where given, else numeric if they are numbers."""
    schema = Schema(tuple(Column(name, Kind(kinds.get(name, usual(frame[name]))), "") for name in frame.columns))
    return protect(frame, schema, section, constraints, seed)


def usual(cells: pl.Series) -> str:
    if cells.dtype.is_numeric():
        return "numeric"
    return "datetime" if cells.dtype.is_temporal() else "boolean" if cells.dtype == pl.Boolean else "categorical"


def column(cells: Any, section: ProtectionSection, dtype: Any = None, **more: Any) -> Protected:
    return protected(pl.DataFrame({"a": pl.Series(cells, dtype=dtype)}), section, **more)


# Rare categories


def test_a_rare_category_becomes_a_frequent_one() -> None:
    done = column(["u", "u", "v", "u"], rules(k=2))
    assert done.table["a"].to_list() == ["u", "u", "u", "u"]
    assert done.columns == {"a": ColumnAccount(rare_categories=1, rare_rows=1)}
    assert done.dropped_rows == 0


def test_as_many_rows_as_k_are_frequent_and_missing_is_no_category() -> None:
    cells = ["u", "u", None, "v", "v"]
    done = column(cells, rules(k=2))
    assert done.table["a"].to_list() == cells
    assert done.columns == {}
    assert done.notes == ()


def test_nan_is_missing_and_stays() -> None:
    done = column([1.0, 1.0, NAN, 2.0], rules(k=2), a="categorical")
    assert str(done.table["a"].to_list()) == "[1.0, 1.0, nan, 1.0]"


def test_constant_names_the_rare_in_text() -> None:
    done = column(["u", "u", "v", "w", None], rules(k=2, rare="constant"))
    assert done.table["a"].to_list() == ["u", "u", RARE, RARE, None]
    assert done.columns == {"a": ColumnAccount(rare_categories=2, rare_rows=2)}
    assert done.notes == ("rare categories (fewer than 2 rows) became _RARE_: 'a' (2 categories, 2 rows)",)


@pytest.mark.parametrize(
    ("often", "once"),
    [(7, 8), (0.5, 1.5), (False, True), (date(2020, 1, 1), date(2020, 1, 2)), (datetime(2020, 1, 1), datetime.max)],
)
def test_constant_draws_in_columns_that_are_not_text_and_says_so(often: Any, once: Any) -> None:
    done = column([often, once, often], rules(k=2, rare="constant"), a="categorical")
    assert done.table["a"].to_list() == [often] * 3
    assert done.notes == (
        "rare categories (fewer than 2 rows) became frequent ones, since only text can hold _RARE_: "
        "'a' (1 category, 1 row)",
    )


@pytest.mark.parametrize("rare", ["sample", "constant"])
def test_text_without_a_frequent_category_becomes_the_constant_throughout(rare: str) -> None:
    done = column(["u", "v", None], rules(k=2, rare=rare))
    assert done.table["a"].to_list() == [RARE, RARE, None]
    assert done.columns == {"a": ColumnAccount(rare_categories=2, rare_rows=2)}
    assert [note.split(" and the column says nothing")[0] for note in done.notes] == [
        "no category has 2 rows, so that every value became _RARE_"
    ]
    assert done.notes[0].endswith(": 'a' (2 categories, 2 rows)")
    assert (done.levelled, done.loses) == (("a",), True)


def test_numbers_without_a_frequent_category_become_missing() -> None:
    done = column([1, 2, None], rules(k=2), dtype=pl.Int8, a="categorical")
    assert done.table["a"].to_list() == [None] * 3
    assert done.table["a"].dtype == pl.Int8
    assert done.columns == {"a": ColumnAccount(rare_categories=2, emptied=2)}
    assert done.notes == ("no category has 2 rows, so that the column was emptied: 'a' (2 cells)",)


def test_a_rare_truth_value_is_replaced() -> None:
    assert column([True, False, False, False], rules(k=2)).table["a"].to_list() == [False] * 4


def test_the_constant_itself_is_never_rare_under_constant() -> None:
    assert column(["u", "u", RARE], rules(k=2, rare="constant")).columns == {}


def test_replacements_are_drawn_by_frequency() -> None:
    rare = [f"r{i}" for i in range(2000)]
    done = column(["u"] * 300 + ["v"] * 100 + rare, rules(k=2))
    drawn = done.table["a"][400:]
    assert set(drawn) == {"u", "v"}
    # 1,500 expected, with a standard deviation of 19.
    assert 1400 < (drawn == "u").sum() < 1600


def test_a_column_is_drawn_by_its_own_name() -> None:
    cells = ["u"] * 50 + ["v"] * 50 + [f"r{i}" for i in range(50)]
    frame = pl.DataFrame({"a": cells, "b": cells})
    both, alone = protected(frame, rules(k=2)), protected(frame.select("b"), rules(k=2))
    assert both.table["b"].equals(alone.table["b"])
    assert not both.table["a"].equals(both.table["b"])


# Fixed combinations


def test_rare_combinations_become_frequent_ones_jointly() -> None:
    frame = pl.DataFrame({"a": ["u", "u", "v", "v", "u"], "b": [1, 1, 2, 2, 2]})
    done = protected(frame, rules(k=2, ends=2), [combinations("a", "b")])
    assert done.table[:4].equals(frame[:4])
    assert done.table.row(4) in [("u", 1), ("v", 2)]
    assert done.columns == dict.fromkeys("ab", ColumnAccount(rare_categories=1, rare_rows=1))
    assert done.notes == (
        "rare combinations (fewer than 2 rows) of 'a', 'b' became frequent ones: 1 combination, 1 row",
    )


def test_combinations_are_never_named_by_the_constant() -> None:
    frame = pl.DataFrame({"a": ["u", "u", "v"], "b": ["w", "w", "w"]})
    done = protected(frame, rules(k=2, rare="constant"), [combinations("a", "b")])
    assert done.table["a"].to_list() == ["u", "u", "u"]


def test_a_combination_with_a_missing_cell_is_one_like_any_other() -> None:
    frame = pl.DataFrame({"a": ["u", None, None, None], "b": [1.0, 1.0, 1.0, NAN]})
    done = protected(frame, rules(k=2), [combinations("a", "b")])
    assert done.table.rows() == [(None, 1.0)] * 4


@pytest.mark.parametrize("seed", range(8))
def test_combinations_that_share_a_column_are_taken_together(seed: int) -> None:
    frame = pl.DataFrame({"a": [*"uuvvu"], "b": [*"ppqqp"], "c": [*"xxyyz"]})
    rule = [combinations("a", "b"), combinations("b", "c")]
    done = protected(frame, rules(k=2), rule, seed)
    assert done.table.row(4) in [("u", "p", "x"), ("v", "q", "y")]


def test_combinations_with_numbers_need_as_many_rows_as_an_end() -> None:
    frame = pl.DataFrame({"a": ["u"] * 5, "b": [1, 1, 1, 9, 9]})
    done = protected(frame, rules(k=2, ends=3), [combinations("a", "b")])
    assert done.table["b"].to_list() == [1] * 5
    off = protected(frame, rules(k=2), [combinations("a", "b")])
    assert off.table is frame


def test_where_no_combination_is_frequent_no_row_remains() -> None:
    frame = pl.DataFrame({"a": ["u", "v"], "b": ["w", "x"], "c": [1.0, 2.0]})
    done = protected(frame, rules(k=2, ends=1), [combinations("a", "b")])
    assert done.table.height == 0
    assert done.table.schema == frame.schema
    assert done.dropped_rows == 2
    assert done.columns == {}
    assert done.notes == (
        "no combination of 'a', 'b' is frequent, so that no row remains: leave that constraint out, or lower the "
        "counts of the protection",
    )


# Extremes


def test_extremes_move_to_the_kth_values() -> None:
    done = column([5.5, -9.0, 1.0, None, 99.0, 2.0, 98.0, 3.0], rules(ends=2))
    assert done.table["a"].to_list() == [5.5, 1.0, 1.0, None, 98.0, 2.0, 98.0, 3.0]
    assert done.columns == {"a": ColumnAccount(clipped_low=1, clipped_high=1)}
    assert done.notes == (
        "extreme values were moved to the K-th smallest and the K-th greatest (K = 2): 'a' (1 low, 1 high)",
    )


def test_a_value_that_k_rows_share_at_the_end_is_no_extreme() -> None:
    frame = pl.DataFrame({"a": [0, 0, 5, 9, 9]})
    assert protected(frame, rules(ends=2)).table is frame


@pytest.mark.parametrize("cells", [[1, 2], [1, None, None], [1, 2, 3, 4]])
def test_a_column_without_an_inside_is_emptied(cells: list[int | None]) -> None:
    done = column(cells, rules(ends=3))
    present = len(cells) - cells.count(None)
    assert done.table["a"].null_count() == len(cells)
    assert done.columns == {"a": ColumnAccount(emptied=present)}
    assert done.notes[0].startswith("no value lies inside the K smallest and K greatest (K = 3)")


def test_where_the_ends_meet_all_values_are_one() -> None:
    assert column([1, 2, 3, 4, 5], rules(ends=3)).table["a"].to_list() == [3] * 5
    assert column([1, 2, 2, 9], rules(ends=3)).table["a"].to_list() == [2] * 4


def test_infinite_numbers_stay_and_count_for_nothing() -> None:
    done = column([INF, -INF, NAN, 1.0, 2.0, 3.0, 4.0], rules(ends=2))
    assert str(done.table["a"].to_list()) == "[inf, -inf, nan, 2.0, 2.0, 3.0, 3.0]"
    assert str(column([INF, 1.0], rules(ends=2)).table["a"].to_list()) == "[inf, None]"


@pytest.mark.parametrize(
    ("dtype", "least", "step"),
    [
        (pl.UInt64, 2**64 - 5, 1),
        (pl.Int64, -(2**63), 1),
        (pl.Int8, -128, 1),
        (pl.Float32, 0.1, 0.1),
        (pl.Date, date(1, 1, 1), timedelta(days=1)),
        (pl.Datetime("ms", "Europe/Rome"), datetime(2020, 3, 29, tzinfo=UTC), timedelta(hours=1)),
        (pl.Datetime("us"), datetime(2020, 1, 1), timedelta(microseconds=1)),
    ],
)
def test_clipping_is_exact_in_every_dtype(dtype: Any, least: Any, step: Any) -> None:
    cells = pl.Series("a", [least + i * step for i in range(5)], dtype=dtype)
    done = protected(cells.to_frame(), rules(ends=2))
    assert done.table["a"].equals(cells.gather([1, 1, 2, 3, 3]))
    assert done.table["a"].dtype == dtype


def test_nanoseconds_are_not_rounded() -> None:
    cells = pl.Series("a", range(1_600_000_000_000_000_001, 1_600_000_000_000_000_006)).cast(pl.Datetime("ns"))
    done = protected(cells.to_frame(), rules(ends=2))
    assert done.table["a"].equals(cells.gather([1, 1, 2, 3, 3]))


def test_ids_and_text_are_left_alone() -> None:
    frame = pl.DataFrame({"i": [1, 2, 3], "t": ["u", "v", "w"]})
    assert protected(frame, rules(k=2, ends=2), i="id", t="text").table is frame


# Constraints


def test_rows_that_would_break_a_constraint_are_dropped() -> None:
    frame = pl.DataFrame({"x": [1, 2, 3, 4, 9], "y": [None, 2, 3, 8, 9]})
    done = protected(frame, rules(ends=2), [INEQUALITY])
    # x ends at 2 and 4, y at 3 and 8: nothing breaks.
    assert done.dropped_rows == 0
    late = frame.with_columns(y=pl.Series([None, 2, 3, None, 9]))
    done = protected(late, rules(ends=2), [INEQUALITY])
    # y is 3 throughout, and x is 4 in the last row.
    assert done.table.rows() == [(2, None), (2, 3), (3, 3), (4, None)]
    assert done.dropped_rows == 1
    assert done.columns["x"] == ColumnAccount(clipped_low=1)
    assert done.notes[-1] == "1 row left out that would break a constraint: of 'x', 'y'"


def test_rows_left_out_make_no_new_extremes() -> None:
    frame = pl.DataFrame({"x": range(100), "y": [None if i % 2 else i for i in range(100)]})
    done = protected(frame, rules(ends=3), [INEQUALITY])
    assert done.dropped_rows == 2
    assert done.table["y"].max() == 94


def test_rows_that_broke_a_constraint_before_are_kept() -> None:
    frame = pl.DataFrame({"x": [9, 5, 5, 5], "y": [1, 1, 1, 1]})
    done = protected(frame, rules(ends=2), [INEQUALITY])
    assert done.table["x"].to_list() == [5, 5, 5, 5]
    assert done.dropped_rows == 0


def test_categories_are_counted_again_when_rows_are_left_out() -> None:
    """The one row of the third flag goes, and with it the second ``v``, which so becomes rare."""
    flags = {"p": [1, 1, 1, 0, 0], "q": [0, 0, 0, 1, 1], "r": [0, 0, 0, 0, 0]}
    hot = {name: [*cells, int(name == "r")] for name, cells in flags.items()}
    frame = pl.DataFrame(hot | {"a": ["u", "u", "u", "u", "v", "v"]})
    rule = OneHot(kind="one_hot", column_names=["p", "q", "r"])
    done = protected(frame, rules(k=2, ends=2), [rule])
    assert done.dropped_rows == 1
    assert done.table["a"].to_list() == ["u"] * 5
    assert done.columns["a"] == ColumnAccount(rare_categories=1, rare_rows=1)


def test_a_row_left_out_changes_no_other_rows_draw() -> None:
    cells = [None, *("u" * 9), *("v" * 9), *(f"r{i}" for i in range(40))]
    # The first row is the only one of its flag, which so cannot stay.
    frame = pl.DataFrame({"a": cells, "p": [1] + [0] * 58, "q": [0] + [0, 1] * 29, "r": [0] + [1, 0] * 29})
    rule = OneHot(kind="one_hot", column_names=["p", "q", "r"])
    free, ruled = protected(frame, rules(k=2, ends=2)), protected(frame, rules(k=2, ends=2), [rule])
    assert (free.dropped_rows, ruled.dropped_rows) == (0, 1)
    assert ruled.table["a"].to_list() == free.table["a"].to_list()[1:]


def test_increments_are_kept_by_the_ends() -> None:
    rule = FixedIncrements(kind="fixed_increments", column_name="a", increment_value=0.25)
    done = column([0.25, 0.5, 1.0, 7.75, 9.5], rules(ends=2), constraints=[rule])
    assert done.table["a"].to_list() == [0.5, 0.5, 1.0, 7.75, 7.75]


# The whole


def test_both_off_returns_the_very_same_table() -> None:
    frame = pl.DataFrame({"a": ["u"], "b": [1.0]})
    assert protected(frame, rules(), [combinations("a", "b")]) == Protected(frame, {}, 0, ())


def test_an_empty_table_and_a_column_of_nothing_are_left_alone() -> None:
    frame = pl.DataFrame({"a": [None, None], "b": [None, None]}, {"a": pl.String, "b": pl.Float64})
    for table in (frame, frame.clear()):
        assert protected(table, rules(k=2, ends=2)).table is table
        assert protected(table.clear(), rules(k=2, ends=2), [combinations("a", "b")]).columns == {}


def test_columns_keep_their_order_and_dtypes() -> None:
    frame = pl.DataFrame({"z": [1.0, 2.0, 3.0], "i": [1, 2, 3], "a": ["u", "u", "v"]})
    done = protected(frame, rules(k=2, ends=2), i="id")
    assert done.table.schema == frame.schema
    assert list(done.columns) == ["z", "a"]


def test_many_columns_are_told_in_one_sentence_that_ends() -> None:
    frame = pl.DataFrame({f"c{i}": ["u", "u", "v"] for i in range(14)})
    (note,) = protected(frame, rules(k=2)).notes
    assert "'c11' (1 category, 1 row) and 2 more" in note
    assert "c12" not in note


PLANTED = ("zebra-731", "quagga-731", "731.8125", "-731.8125", "2731", "1731")


def test_what_was_planted_is_found_nowhere() -> None:
    """Each treatment has a column with a value that one row alone holds."""
    n = 60
    frame = pl.DataFrame(
        {
            "city": ["Rom", "Oslo"] * 29 + ["zebra-731", "Rom"],
            "grade": ["quagga-731", *(["a"] * 59)],
            "year": pl.Series([2000] * 59 + [2731], dtype=pl.Int32),
            "size": [-731.8125, *(float(i) for i in range(n - 2)), 731.8125],
            "day": [date(1731, 1, 1)] + [date(2000, 1, 1) + timedelta(days=i) for i in range(n - 1)],
            "first": ["Rom"] * 58 + ["zebra-731"] * 2,
            "second": ["a"] * 59 + ["quagga-731"],
        }
    )
    for rare in ("sample", "constant"):
        done = protected(frame, rules(5, 5, rare), [combinations("first", "second")], year="categorical")
        told = done.table.write_csv() + json.dumps(done.to_dict()) + " ".join(done.notes)
        assert [value for value in PLANTED if value in told] == []
        assert set(done.columns) == set(frame.columns)


def test_the_account_is_plain_data() -> None:
    done = column(["u", "u", "v"], rules(k=2))
    counts = {"rare_categories": 1, "rare_rows": 1, "clipped_low": 0, "clipped_high": 0, "emptied": 0}
    assert json.loads(json.dumps(done.to_dict())) == {"dropped_rows": 0, "columns": {"a": counts}}


# Laws

SCHEMA = columns(c="categorical", f="categorical", b="boolean", x="numeric", y="numeric")


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    n = draw(st.integers(0, 25))

    def cells(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(st.none() | values, min_size=n, max_size=n))

    numbers = st.integers(-6, 6).map(float) | st.just(NAN) | st.just(-0.0)
    return pl.DataFrame(
        {
            "c": pl.Series(cells(st.sampled_from(["u", "v", "w", "x", RARE])), dtype=pl.String),
            "f": pl.Series(cells(numbers), dtype=pl.Float64),
            "b": pl.Series(cells(st.booleans()), dtype=pl.Boolean),
            "x": pl.Series(cells(numbers), dtype=pl.Float64),
            "y": pl.Series(cells(st.integers(-6, 6)), dtype=pl.Float64),
        }
    )


SECTIONS = st.builds(rules, st.integers(0, 5), st.integers(0, 5), st.sampled_from(["sample", "constant"]))
FIXED = [combinations("c", "b"), combinations("b", "f"), combinations("f", "x")]
COMBINED = st.lists(st.sampled_from(FIXED), max_size=2)
RULES = st.lists(st.sampled_from([INEQUALITY, *FIXED]), max_size=2)


def sizes(cells: pl.Series) -> list[int]:
    """Return the rows of each category, ``RARE`` and missing cells apart."""
    present = cells.fill_nan(None) if cells.dtype.is_float() else cells
    values = [value for value in present.to_list() if value not in (None, RARE)]
    return [values.count(value) for value in values]


@given(tables(), SECTIONS, COMBINED)
def test_protecting_again_changes_nothing(frame: pl.DataFrame, section: ProtectionSection, rule: Any) -> None:
    once = protect(frame, SCHEMA, section, rule, 0)
    assert protect(once.table, SCHEMA, section, rule, 1).table is once.table


@given(tables(), SECTIONS, RULES)
def test_no_category_remains_rare(frame: pl.DataFrame, section: ProtectionSection, rule: list[Constraint]) -> None:
    done = protect(frame, SCHEMA, section, rule, 0)
    for name in ("c", "f", "b"):
        assert all(size >= section.rare_category_min_count for size in sizes(done.table[name]))
    assert done.table.height == frame.height - done.dropped_rows


@given(tables(), SECTIONS)
def test_the_ends_are_held_by_k_rows(frame: pl.DataFrame, section: ProtectionSection) -> None:
    table = protect(frame, SCHEMA, section, [], 0).table
    for cells in (table["x"].fill_nan(None).drop_nulls(), table["y"].drop_nulls()):
        ends = (cells.min(), cells.max())
        assert not len(cells) or min((cells == end).sum() for end in ends) >= section.clip_extremes


@given(tables(), SECTIONS, RULES)
def test_rows_keep_what_they_kept(frame: pl.DataFrame, section: ProtectionSection, rule: list[Constraint]) -> None:
    kept_all = [holds(constraint, frame, frame) for constraint in rule]
    train = frame.filter(*(pl.Series(kept) for kept in kept_all)) if rule else frame
    table = protect(train, SCHEMA, section, rule, 0).table
    assert all(holds(constraint, table, train).all() for constraint in rule)


@given(tables(), SECTIONS)
def test_the_account_counts_the_cells_that_changed(frame: pl.DataFrame, section: ProtectionSection) -> None:
    done = protect(frame, SCHEMA, section, [], 0)
    for name in frame.columns:
        account = done.columns.get(name, ColumnAccount())
        told = account.rare_rows + account.clipped_low + account.clipped_high + account.emptied
        assert told == frame[name].ne_missing(done.table[name]).sum()


@given(tables(), SECTIONS, st.randoms())
def test_the_account_knows_no_order_of_rows(frame: pl.DataFrame, section: ProtectionSection, random: Any) -> None:
    order = random.sample(range(frame.height), frame.height)
    rule = [combinations("c", "b")]
    done, other = (protect(table, SCHEMA, section, rule, 0) for table in (frame, frame[order]))
    assert done.to_dict() == other.to_dict()
    assert done.notes == other.notes


@given(tables(), SECTIONS)
def test_another_seed_changes_replaced_cells_alone(frame: pl.DataFrame, section: ProtectionSection) -> None:
    one, two = (protect(frame, SCHEMA, section, [], seed) for seed in (1, 2))
    assert one.to_dict() == two.to_dict()
    assert one.notes == two.notes
    for name in frame.columns:
        apart = one.table[name].ne_missing(two.table[name])
        assert (frame[name].ne_missing(one.table[name]) | ~apart).all()


@given(tables(), SECTIONS, RULES)
def test_one_seed_gives_one_table(frame: pl.DataFrame, section: ProtectionSection, rule: list[Constraint]) -> None:
    one, two = (protect(frame, SCHEMA, section, rule, 5) for _ in range(2))
    assert_frame_equal(one.table, two.table)
