"""Validity: every share by hand, references at equal size, odd cells, and canaries that must fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given
from hypothesis import strategies as st

from synthcli.columns import Table
from synthcli.config.models import Constraint, FixedCombinations, FixedIncrements, Inequality
from synthcli.errors import ConfigError
from synthcli.metrics.estimate import Estimate, wilson_interval
from synthcli.metrics.validity import ShareCounts, ValidityCounter, has_decimals, measure_validity
from synthcli.schema import Column, Kind, Schema

NAN, INF = float("nan"), float("inf")
NAMES = ("schema", "ranges", "categories", "keys", "missing", "constraints")
Found = dict[tuple[str, tuple[str, ...]], Estimate]


def measure(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema = MIXED,
    constraints: Sequence[Constraint] = (),
) -> Found:
    estimates = measure_validity(train, holdout, synthetic, schema, constraints)
    found = {(each.name.removeprefix("validity."), each.columns): each for each in estimates}
    assert len(found) == len(estimates)
    assert {name for name, names in found if not names} == set(NAMES)
    for each in estimates:
        check(each)
    return found


def check(each: Estimate) -> None:
    assert each.family == "validity"
    assert each.direction == "higher"
    assert each.detail
    if each.status == "measured":
        assert 0 <= each.low <= each.value <= each.high <= 1
        assert each.range == (0.0, 1.0)
        assert 0 <= each.reference <= 1
        assert each.reference_kind
        assert each.reference_se >= 0
        assert each.n > 0


def frame(**cells: Any) -> pl.DataFrame:
    return pl.DataFrame(cells, strict=False)


def one(x: Sequence[Any], dtype: Any = pl.Float64) -> pl.DataFrame:
    return pl.DataFrame({"x": pl.Series(x, dtype=dtype)})


def number(dtype: str = "Float64", decimals: int | None = None) -> Schema:
    return Schema((Column("x", Kind.NUMERIC, dtype, decimals),))


# Form


@pytest.mark.parametrize(
    ("schema", "cells", "share"),
    [
        (number("Int64", 0), [1.0, 2.0, None, 3.0], 1.0),
        (number("Int64", 0), [1.0, 2.5, None, 3.0], 2 / 3),
        (number("Int8", 0), [127.0, -128.0, 128.0, -129.0], 0.5),
        (number("UInt32", 0), [0.0, -1.0], 0.5),
        (number("Float64", 0), [4.0, 4.25], 0.5),
        (number("Float64", 2), [0.1, -19.99, 12_345_678.95, 0.125], 0.75),
        (number("Float64", 2), [1e-20, 0.07], 0.5),
        (number("Float64", None), [0.1 + 0.2, 1e300, INF, -INF, NAN], 0.4),
        (number("Float64", 3), [1e300, INF], 0.5),
    ],
)
def test_the_share_of_cells_in_form_by_hand(schema: Schema, cells: list[float | None], share: float) -> None:
    train = one([1.0, 2.0])
    found = measure(train, train, one(cells), schema)
    assert found["schema", ("x",)].value == pytest.approx(share)
    assert found["schema", ()].value == (1.0 if share == 1 else 0.0)
    assert found["schema", ()].reference == 1.0


def test_single_precision_has_decimals_of_its_own_rounding() -> None:
    train = one([0.25], pl.Float32)
    found = measure(train, train, one([0.1, 0.7, 123.4, 0.125], pl.Float32), number("Float32", 1))
    assert found["schema", ("x",)].value == 0.75


def test_the_share_of_columns_counts_a_column_with_one_bad_cell_as_bad() -> None:
    schema = Schema((*number("Int64", 0).columns, *columns(y="numeric", city="categorical", late="boolean").columns))
    good = frame(x=[1.0, 2.0], y=[0.5, None], city=["Rom", None], late=[True, False])
    assert measure(good, good, good, schema)["schema", ()].value == 1.0
    bad = good.with_columns(x=pl.Series([1.0, 2.5]))
    whole = measure(good, good, bad, schema)["schema", ()]
    assert whole.value == whole.low == whole.high == 0.75
    assert "1 of 4 columns" in whole.detail


def test_a_column_of_another_type_has_not_the_form() -> None:
    schema = columns(x="numeric", day="datetime", late="boolean", city="categorical")
    good = frame(x=[1.0], day=[datetime(2020, 1, 1)], late=[True], city=["Rom"])
    odd = frame(x=["1"], day=["2020"], late=["true"], city=[7])
    found = measure(good, good, odd, schema)
    assert found["schema", ()].value == 0.0
    assert found["ranges", ()].value == 0.0


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_a_number_of_so_many_decimals_has_them_however_it_was_computed(digits: int, decimals: int) -> None:
    parsed = float(f"{digits}e-{decimals}")
    computed = np.array([parsed, digits / 10**decimals, np.round(parsed, decimals)])
    assert has_decimals(computed, decimals).all()
    assert not has_decimals(np.array([(digits + 0.5) / 10**decimals]), decimals).any()


# Ranges and categories


def test_ranges_by_hand() -> None:
    schema = columns(x="numeric", day="datetime")
    days = [datetime(2020, 1, day) for day in range(1, 9)]
    train = frame(x=[0.0, 10.0, None, 5.0], day=days[:4])
    holdout = frame(x=[11.0, 1.0], day=days[:2])
    synthetic = frame(x=[0.0, 10.0, -0.1, None, INF], day=[days[0], days[4], days[3], None, days[1]])
    found = measure(train, holdout, synthetic, schema)
    assert found["ranges", ("x",)].value == 2 / 4
    assert found["ranges", ("x",)].reference == 1 / 2
    assert found["ranges", ("day",)].value == 3 / 4
    assert found["ranges", ()].value == 5 / 8
    assert found["ranges", ()].reference == 3 / 4
    assert found["ranges", ()].floor is None
    assert found["ranges", ("x",)].low == pytest.approx(wilson_interval(2, 4).low)


def test_instants_with_a_zone_and_dates_have_ranges_too() -> None:
    schema = Schema((Column("utc", Kind.DATETIME, "Datetime[us, UTC]"), Column("d", Kind.DATETIME, "Date")))
    train = frame(utc=[datetime(2020, 1, day, tzinfo=UTC) for day in (1, 3)], d=[date(2020, 1, 1), date(2020, 1, 3)])
    found = measure(train, train, train.with_columns(pl.all() + timedelta(days=2)), schema)
    assert found["ranges", ("utc",)].value == found["ranges", ("d",)].value == 0.5
    assert found["schema", ()].value == 1.0


def test_a_column_without_a_training_value_has_no_range_to_be_in() -> None:
    schema = columns(x="numeric", y="numeric")
    train, synthetic = frame(x=[None, INF], y=[1.0, 2.0]), frame(x=[0.0, INF], y=[1.0, None])
    found = measure(train.cast(pl.Float64), train.cast(pl.Float64), synthetic, schema)
    assert found["ranges", ("x",)].value == 0.0
    assert found["ranges", ()].value == pytest.approx(1 / 3)


def test_categories_by_hand() -> None:
    schema = columns(city="categorical", late="boolean")
    train = frame(city=["Rom", "Oslo", None], late=[True, True, None])
    holdout = frame(city=["Rom", "Bern"], late=[True, True])
    synthetic = frame(city=["Rom", "rom", None, "Oslo"], late=[True, False, True, None])
    found = measure(train, holdout, synthetic, schema)
    assert found["categories", ("city",)].value == 2 / 3
    assert found["categories", ("city",)].reference == 1 / 2
    assert found["categories", ("late",)].value == 2 / 3
    assert found["categories", ()].value == 4 / 6
    assert found["categories", ()].reference == 3 / 4


def test_categories_of_real_rows_may_be_new_and_the_reference_says_so() -> None:
    parts = [frame(c=[f"{side}{i}" for i in range(60)]) for side in "abc"]
    found = measure(*parts, columns(c="categorical"))
    assert found["categories", ()].value == found["categories", ()].reference == 0.0


def test_cells_of_one_row_that_fail_together_count_as_one() -> None:
    # Five equal columns say no more than one: the interval of the table is that of a single column.
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1.1, 400)
    schema = columns(**dict.fromkeys("abcde", "numeric"))
    train = frame(**{name: [0.0, 1.0] for name in "abcde"})
    found = measure(train, frame(**dict.fromkeys("abcde", x)), frame(**dict.fromkeys("abcde", x)), schema)
    whole, single = found["ranges", ()], found["ranges", ("a",)]
    assert whole.value == pytest.approx(single.value)
    assert whole.low == pytest.approx(single.low, abs=2e-4)
    assert whole.reference_se == pytest.approx(single.reference_se, rel=0.01)


def test_the_interval_of_many_cells_covers_the_true_share() -> None:
    # One row in twenty is bad in three of four columns at once; the true share of good cells is .9625.
    schema, train = columns(**dict.fromkeys("abcd", "numeric")), frame(**{name: [0.0, 1.0] for name in "abcd"})
    covered = 0
    for seed in range(200):
        bad = np.random.default_rng(seed).random(300) < 0.05
        table = frame(a=np.where(bad, 2, 0), b=np.where(bad, 2, 0), c=np.where(bad, 2, 0), d=np.zeros(300))
        whole = measure(train, train, table.cast(pl.Float64), schema)["ranges", ()]
        covered += whole.low <= 0.9625 <= whole.high
    assert 180 <= covered <= 199


def inside_counts(rows: list[list[float | None]]) -> ShareCounts:
    """Return the counts of rows whose cells are 0 (inside), 2 (outside) or missing."""
    names = "abcdefgh"[: len(rows[0])]
    table = pl.DataFrame(rows, dict.fromkeys(names, pl.Float64), orient="row")
    train = {name: [0.0, 1.0] for name in names}
    schema = columns(**dict.fromkeys(names, "numeric"))
    counter = ValidityCounter.fit(Table(frame(**train)), schema, (), rows=table.height)
    return counter.count(Table(table)).ranges


def test_the_sums_behind_a_ratio_by_hand() -> None:
    # Cells that are there and good in the four rows: 2 and 2, 2 and 1, 1 and 0, none.
    counts = inside_counts([[0.0, 0.0], [0.0, 2.0], [None, 2.0], [None, None]])
    assert counts.cells.tolist() == [[2, 2], [3, 1]]
    assert counts.products.tolist() == [[4 + 4 + 1, 4 + 2], [4 + 2, 4 + 1]]
    assert counts.rows == 3
    # 3 of 5 are good, so the residuals are 2 - 6/5, 1 - 6/5 and 0 - 3/5: their squares add up to 26/25.
    assert counts.variance(5, 3) == pytest.approx(26 / 25 / 25 * 3 / 2)


@given(st.lists(st.lists(st.sampled_from([0.0, 2.0, None]), min_size=3, max_size=3), min_size=2, max_size=40))
def test_the_variance_from_sums_is_that_of_the_rows(rows: list[list[float | None]]) -> None:
    counts = inside_counts(rows)
    present = np.array([sum(cell is not None for cell in row) for row in rows])
    good = np.array([sum(cell == 0 for cell in row) for row in rows])
    cells, kept = counts.cells.sum(axis=0).tolist()
    assert (cells, kept) == (present.sum(), good.sum())
    if cells:
        residuals, seen = good - kept / cells * present, np.count_nonzero(present)
        expected = residuals @ residuals / cells**2 * seen / max(seen - 1, 1)
        assert counts.variance(cells, kept) == pytest.approx(expected, abs=1e-15)


def test_all_cells_inside_leave_room_for_doubt_by_rows_and_not_by_cells() -> None:
    train = frame(**dict.fromkeys("abcd", [0.0, 1.0] * 50))
    whole = measure(train, train, train, columns(**dict.fromkeys("abcd", "numeric")))["ranges", ()]
    assert (whole.low, whole.high) == pytest.approx(wilson_interval(100, 100))


# Keys


def test_keys_by_hand() -> None:
    schema = columns(key="id", other="id", x="numeric")
    train = frame(key=["a", "b", "c"], other=["p", "p", "q"], x=[1.0, 2.0, 3.0])
    synthetic = frame(key=["k", "k", None, "m"], other=["p"] * 4, x=[1.0] * 4)
    found = measure(train, train, synthetic, schema)
    assert found["keys", ()].value == found["keys", ("key",)].value == 1 / 4
    assert found["keys", ()].reference == 1.0
    assert found["keys", ("other",)].status == "not_measured"
    assert "repeat" in found["keys", ("other",)].detail


def test_a_row_needs_every_key() -> None:
    schema = columns(a="id", b="id", x="numeric")
    train = frame(a=[1, 2, 3], b=[4, 5, 6], x=[0.0] * 3)
    synthetic = frame(a=[1, 1, 3, 4], b=[1, 2, 3, 3], x=[0.0] * 4)
    found = measure(train, train, synthetic, schema)
    assert found["keys", ("a",)].value == found["keys", ("b",)].value == 0.5
    assert found["keys", ()].value == 0.0


def test_an_id_with_missing_cells_is_no_key_and_one_that_was_dropped_is_not_measured() -> None:
    schema = columns(a="id", b="id", x="numeric")
    train = frame(a=["p", None], b=["p", "q"], x=[0.0, 1.0])
    found = measure(train, train, train.drop("b"), schema)
    assert found["keys", ()].status == "not_measured"
    assert "lacks" in found["keys", ("b",)].detail
    assert measure(train.drop("a"), train, train, schema)["keys", ("a",)].status == "not_measured"


# Missing cells


def test_the_largest_difference_of_a_missing_rate_by_hand() -> None:
    schema = columns(x="numeric", c="categorical")
    train = frame(x=[1.0, None, 1.0, None], c=["a"] * 4)
    holdout = frame(x=[1.0, 1.0, 1.0, None], c=["a"] * 4)
    synthetic = frame(x=[1.0, None, 1.0, NAN], c=["a", None, None, None])
    found = measure(train, holdout, synthetic, schema)
    assert found["missing", ("x",)].value == 1.0
    assert found["missing", ("x",)].reference == 0.75
    assert found["missing", ("c",)].value == found["missing", ()].value == 0.25
    assert found["missing", ("c",)].reference == 1.0
    assert found["missing", ()].reference == 0.75
    assert found["missing", ()].n == 4


def gappy(rows: int, seed: int, width: int = 12) -> pl.DataFrame:
    """Return columns with missing cells, of which the first half are always missing together."""
    rng = np.random.default_rng(seed)
    together, alone = rng.random(rows) < 0.3, rng.random((rows, width)) < 0.3
    cells = {f"c{i}": np.where(together if i < width // 2 else alone[:, i], np.nan, 1.0) for i in range(width)}
    return pl.DataFrame(cells).fill_nan(None)


GAPPY = columns(**{f"c{i}": "numeric" for i in range(12)})


@pytest.mark.parametrize(("rows", "reserved", "made"), [(800, 200, 800), (800, 200, 60), (200, 400, 500)])
def test_a_perfect_generator_scores_the_reference_on_average_whatever_the_sizes(
    rows: int, reserved: int, made: int
) -> None:
    gaps, single_gaps, low = [], [], []
    for seed in range(40):
        parts = [gappy(size, 1_000 * side + seed) for side, size in enumerate((rows, reserved, made))]
        found = measure(*parts, GAPPY)
        whole, single = found["missing", ()], found["missing", ("c0",)]
        gaps.append(whole.value - whole.reference)
        single_gaps.append(single.value - single.reference)
        low.append(whole.high < whole.reference - 2 * whole.reference_se)
    for found_gaps in (gaps, single_gaps):
        assert abs(np.mean(found_gaps)) < 3.5 * np.std(found_gaps) / np.sqrt(40)
    assert sum(low) <= 1


def test_reference_rows_have_the_missing_rates_that_a_direct_count_of_subsets_finds() -> None:
    # 600 holdout rows against 150 synthetic ones: the reference is the mean over subsets of 150 of the 600.
    train, holdout, synthetic = gappy(500, 1), gappy(600, 2), gappy(150, 3)
    found = measure(train, holdout, synthetic, GAPPY)
    rates = np.array([train[name].null_count() / 500 for name in GAPPY.names])
    masks = np.stack([holdout[name].is_null().to_numpy() for name in GAPPY.names], axis=1)
    rng = np.random.default_rng(5)
    gaps = np.array([np.abs(masks[rng.permutation(600)[:150]].mean(axis=0) - rates) for _ in range(3_000)])
    assert found["missing", ()].reference == pytest.approx(1 - gaps.max(axis=1).mean(), abs=0.0015)
    for i, name in enumerate(GAPPY.names):
        assert found["missing", (name,)].reference == pytest.approx(1 - gaps[:, i].mean(), abs=0.0015)


def test_a_table_of_one_column_scores_what_its_column_scores() -> None:
    parts = [gappy(rows, rows).select("c0") for rows in (300, 100, 500)]
    found = measure(*parts, columns(c0="numeric"))
    assert found["missing", ()].value == found["missing", ("c0",)].value
    assert found["missing", ()].reference == found["missing", ("c0",)].reference


def test_a_column_that_lost_its_missing_cells_is_seen() -> None:
    train, holdout = gappy(800, 1), gappy(200, 2)
    found = measure(train, holdout, gappy(800, 3).with_columns(pl.lit(1.0).alias("c7")), GAPPY)
    assert found["missing", ()].high < found["missing", ()].reference - 2 * found["missing", ()].reference_se
    worst = min((each for (name, names), each in found.items() if name == "missing" and names), key=lambda e: e.value)
    assert worst.columns == ("c7",)


def test_a_complete_table_does_not_claim_that_no_cell_could_ever_be_missing() -> None:
    table = frame(x=[1.0] * 100)
    whole = measure(table, table, table, columns(x="numeric"))["missing", ()]
    assert whole.value == whole.reference == 1.0
    assert 0.95 < whole.low < 1.0


# Constraints

ORDER = Inequality(kind="inequality", low_column_name="a", high_column_name="b")
STEPS = FixedIncrements(kind="fixed_increments", column_name="a", increment_value=0.5)
PAIRS = FixedCombinations(kind="fixed_combinations", column_names=["a", "b"])
AB = columns(a="numeric", b="numeric")


def test_constraints_by_hand() -> None:
    train = frame(a=[1.0, 2.0], b=[2.0, 2.0])
    holdout = frame(a=[1.0, 3.0, None, 1.5], b=[2.0, 2.0, 1.0, 2.0])
    synthetic = frame(a=[1.0, 2.5, 0.3, 2.0, 2.0], b=[2.0, 2.0, 1.0, 2.0, None])
    found = measure(train, holdout, synthetic, AB, [ORDER, STEPS])
    order, steps, whole = found["constraints", ("a", "b")], found["constraints", ("a",)], found["constraints", ()]
    assert (order.value, order.reference) == (4 / 5, 3 / 4)
    assert (steps.value, steps.reference) == (4 / 5, 1.0)
    assert (order.low, order.high) == wilson_interval(4, 5)
    assert whole.value == 4 / 5
    assert measure(train, holdout, synthetic, AB, [PAIRS])["constraints", ()].value == 2 / 5


def test_the_table_shows_its_worst_constraint_by_name_beside_the_reference_of_that_one() -> None:
    train, holdout = frame(a=[1.0, 1.0], b=[2.0, 2.0]), frame(a=[1.0, 9.0], b=[2.0, 2.0])
    synthetic = frame(a=[1.0, 7.0, 7.0, 7.5], b=[2.0] * 4)
    whole = measure(train, holdout, synthetic, AB, [STEPS, ORDER])["constraints", ()]
    assert (whole.value, whole.reference) == (1 / 4, 1 / 2)
    assert "'a' is not above 'b'" in whole.detail
    assert "lowest share of 2" in whole.detail


def test_without_a_constraint_nothing_is_measured() -> None:
    table = frame(a=[1.0], b=[2.0])
    assert measure(table, table, table, AB)["constraints", ()].status == "not_measured"


def test_a_constraint_on_an_unknown_column_is_the_configurations_fault() -> None:
    table = frame(a=[1.0], b=[2.0])
    with pytest.raises(ConfigError, match="no column 'a'"):
        measure_validity(table, table, table, columns(b="numeric"), [STEPS])


# The family


def test_fresh_rows_of_the_same_law_are_not_accused() -> None:
    train, holdout, fresh = mixed_table(4_000, 1), mixed_table(1_000, 2), mixed_table(4_000, 3)
    for each in measure(train, holdout, fresh).values():
        if each.status == "measured":
            assert each.high >= each.reference - 3 * each.reference_se, each.name


def test_a_copy_of_training_is_wholly_valid() -> None:
    train, holdout = mixed_table(1_000, 1), mixed_table(1_000, 2)
    found = measure(train, holdout, train)
    for name in ("schema", "ranges", "categories", "missing"):
        assert found[name, ()].value == 1.0


def test_the_order_of_rows_changes_nothing() -> None:
    train, holdout, synthetic = mixed_table(500, 1), mixed_table(100, 2), mixed_table(400, 3).sort("size")
    assert measure(train, holdout, synthetic) == measure(train, holdout, synthetic.sample(400, shuffle=True, seed=1))


def test_each_canary_lowers_its_own_metric() -> None:
    schema = replace(MIXED, columns=(replace(MIXED["size"], decimals=3), *MIXED.columns[1:]))
    train, holdout, fresh = mixed_table(2_000, 1), mixed_table(500, 2), mixed_table(2_000, 3)
    canaries = {
        "schema": pl.col("size") + 1e-4,
        "ranges": pl.col("size") * 3,
        "categories": pl.col("city").replace("Wien", "Paris"),
        "missing": pl.col("late").replace(True, None),
    }
    for name, change in canaries.items():
        found = measure(train, holdout, fresh.with_columns(change), schema)
        for other in canaries:
            each = found[other, ()]
            accused = each.high < each.reference - 3 * each.reference_se
            assert accused == (other == name), (name, other)


ODD: dict[str, pl.DataFrame] = {
    "all missing": frame(x=[None] * 50, c=[None] * 50, late=[None] * 50, day=[None] * 50),
    "not finite": frame(x=[NAN, INF, -INF] * 20, c=["a"] * 60, late=[True] * 60, day=[datetime(2020, 1, 1)] * 60),
    "one row": frame(x=[1.0], c=["a"], late=[None], day=[datetime(9999, 1, 1)]),
    "all different": frame(
        x=np.arange(50.0),
        c=[f"c{i}" for i in range(50)],
        late=[True, False] * 25,
        day=[datetime(2020, 1, 1) + timedelta(hours=i) for i in range(50)],
    ),
    "no rows": frame(x=[], c=[], late=[], day=[]),
}
ODD_SCHEMA = Schema((*columns(x="numeric", c="categorical", late="boolean", day="datetime").columns,))
ODD_TYPES = {"x": pl.Float64, "c": pl.String, "late": pl.Boolean, "day": pl.Datetime("us")}


@pytest.mark.parametrize("train", ODD)
@pytest.mark.parametrize("holdout", ODD)
@pytest.mark.parametrize("synthetic", ODD)
def test_odd_tables_are_measured_or_said_not_to_be(train: str, holdout: str, synthetic: str) -> None:
    parts = [ODD[name].cast(ODD_TYPES) for name in (train, holdout, synthetic)]
    pair = FixedCombinations(kind="fixed_combinations", column_names=["c", "day"])
    steps = FixedIncrements(kind="fixed_increments", column_name="x", increment_value=2.0)
    found = measure(*parts, ODD_SCHEMA, [pair, steps])
    if "no rows" in (train, holdout, synthetic):
        assert {each.status for each in found.values()} == {"not_measured"}
    else:
        assert found["missing", ()].status == found["constraints", ()].status == "measured"


def test_a_table_without_a_measured_column_is_said_to_have_none() -> None:
    table = frame(key=["a", "b"])
    found = measure(table, table, table, columns(key="id"))
    assert found["keys", ()].value == 1.0
    assert {name for (name, _), each in found.items() if each.status == "measured"} == {"keys"}


def test_no_detail_shows_a_cell() -> None:
    train = frame(x=[123.456, 654.321], c=["Secretia", "Hidden"], key=["k-77", "k-78"])
    holdout = frame(x=[999.888, 1.0], c=["Newtown", "Hidden"], key=["k-79", "k-80"])
    schema = columns(x="numeric", c="categorical", key="id")
    rules: list[Constraint] = [
        FixedIncrements(kind="fixed_increments", column_name="x", increment_value=17.25),
        FixedCombinations(kind="fixed_combinations", column_names=["x", "c"]),
    ]
    text = " ".join(each.detail for each in measure(train, holdout, holdout, schema, rules).values())
    for cell in ("123.4", "654.3", "999.8", "Secretia", "Hidden", "Newtown", "k-7", "17.25"):
        assert cell not in text
