"""Drift: effects worked out by hand, new rows told from known ones, noise floors under laws that stay the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from math import log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import MIXED, ROOT, columns, mixed_table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from synthcli import drift
from synthcli.config.models import DriftSection
from synthcli.drift import (
    Cells,
    ColumnDrift,
    Drift,
    Effect,
    Exceeded,
    Reference,
    Shift,
    exceeded,
    measure_drift,
    suspicious,
)
from synthcli.errors import BadTableError
from synthcli.metrics.similarity import TwoSample
from synthcli.schema import Column, Kind, Schema
from synthcli.tables.source import open_table

NUMBER, CATEGORY = columns(x="numeric"), columns(c="categorical")
EFFECTS: tuple[Effect, ...] = ("psi", "tvd", "missing", "new_categories")
Law = Callable[[int, np.random.Generator], pl.DataFrame]


@pytest.fixture
def no_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes longest, where only the columns' own effects are looked at."""
    monkeypatch.setattr(drift, "FEWEST", 10**9)


def drifted(then: pl.DataFrame, now: pl.DataFrame, schema: Schema, ignored: tuple[str, ...] = ()) -> Drift:
    return measure_drift(Reference.of(then, schema, then.columns), now, schema, 1, ignored)


def whole(then: list[Any], now: list[Any], schema: Schema) -> Shift:
    """Return the shift of the one column of ``schema``; both lists in one type."""
    (name,) = schema.names
    both = pl.Series(name, then + now).to_frame()
    return drifted(both[: len(then)], both[len(then) :], schema).columns[0].whole


def psi(p: list[float], q: list[float]) -> float:
    return sum((b - a) * log(b / a) for a, b in zip(p, q, strict=True))


# Cells


def test_numbers_of_few_values_are_categories() -> None:
    cells = Cells.fit(drift.Table(pl.DataFrame({"x": [1.0] * 6 + [2.0] * 5 + [3.0, None]})), NUMBER["x"])
    assert (cells.ordered, cells.kept, cells.once) == (False, 2, 1)
    assert cells.counts.tolist() == [1, 0, 1, 6, 5]  # missing, unseen, 3, 1, 2
    assert cells.count(pl.Series([-1.0, 1.0, 2.0, 2.5, 3.0, float("nan"), None])).tolist() == [2, 2, 1, 1, 1]
    assert cells.count(pl.Series([1, 2, 900])).tolist() == [0, 1, 0, 1, 1]  # whole numbers are the same numbers


def test_what_lies_outside_the_range_is_a_cell_of_its_own() -> None:
    cells = Cells.fit(drift.Table(pl.DataFrame({"x": np.arange(1.0, 101.0)})), NUMBER["x"])
    later = pl.Series([-99.0, 4.5, 5.0, 10.0, 10.5, 96.0, 100.5, float("nan"), None])
    assert cells.count(later).tolist() == [2, 3, 2, 1, *[0] * 7, 1]
    assert (cells.once, cells.counts[1]) == (10, 8)  # four lie below the fifth lowest, four above the fifth highest


def test_many_numbers_have_ten_bins_of_equally_many_rows() -> None:
    cells = Cells.fit(drift.Table(pl.DataFrame({"x": np.arange(1.0, 101.0)})), NUMBER["x"])
    assert cells.cuts.tolist() == [5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 96]
    assert cells.counts.tolist() == [0, 8, 6, *[10] * 8, 6]
    assert cells.number == 12


def test_frequent_categories_have_a_cell_each_and_rare_ones_share_one() -> None:
    then = ["a"] * 6 + ["b"] * 5 + ["c"] * 4 + ["d", "e"] + [None] * 3
    cells = Cells.fit(drift.Table(pl.DataFrame({"c": then})), CATEGORY["c"])
    assert cells.counts.tolist() == [3, 0, 6, 6, 5]  # missing, unseen, c d e, a, b
    assert (cells.kept, cells.once, len(cells.known)) == (2, 2, 5)
    assert cells.count(pl.Series(["b", "c", "z", "z", None, "e", "a"])).tolist() == [1, 2, 2, 1, 1]


def test_of_many_frequent_categories_ten_have_a_cell() -> None:
    cells = Cells.fit(drift.Table(pl.DataFrame({"c": [letter for letter in "abcdefghijklm" for _ in range(5)]})),
                      CATEGORY["c"])  # fmt: skip
    assert cells.counts.tolist() == [0, 0, 15, *[5] * 10]


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-5, 5).map(float)), max_size=40))
def test_every_row_lies_in_one_cell_and_few_of_the_reference_outside(values: list[float | None]) -> None:
    frame = pl.DataFrame({"x": values}, schema={"x": pl.Float64})
    for column in (NUMBER["x"], replace(NUMBER["x"], kind=Kind.CATEGORICAL)):
        cells = Cells.fit(drift.Table(frame), column)
        assert cells.counts.sum() == len(values)
        assert cells.counts[1] <= (2 * (drift.OUTER - 1) if cells.ordered else 0)
        assert len(cells.counts) == cells.number
        assert cells.count(frame["x"]).tolist() == cells.counts.tolist()


# Effects by hand


def test_psi_adds_half_a_row_to_each_cell_and_the_distance_does_not() -> None:
    found = whole([1.0] * 6 + [2.0] * 2, [1.0] * 3 + [2.0] * 5, NUMBER)
    assert found.psi == pytest.approx(psi([6.5 / 9, 2.5 / 9], [3.5 / 9, 5.5 / 9]))
    assert found.tvd == pytest.approx((abs(6 - 3) + abs(2 - 5)) / 8 / 2)
    assert (found.rows, found.missing, found.new_categories, found.expected) == (8, 0, 0, 0)


def test_missing_cells_are_a_cell_of_both_distances_and_a_share_of_their_own() -> None:
    found = whole(["a"] * 9 + [None], ["a"] * 12 + [None] * 8, CATEGORY)
    assert found.missing == pytest.approx(0.4 - 0.1)
    assert found.tvd == pytest.approx(0.3)
    assert found.psi == pytest.approx(psi([1.5 / 11, 9.5 / 11], [8.5 / 21, 12.5 / 21]))
    assert whole(["a"] * 12 + [None] * 8, ["a"] * 9 + [None], CATEGORY).missing == pytest.approx(-0.3)


def test_an_empty_bin_has_a_finite_index() -> None:
    found = whole([1.0] * 5 + [2.0] * 5, [2.0] * 10, NUMBER)
    assert found.psi == pytest.approx(psi([5.5 / 11, 5.5 / 11], [0.5 / 11, 10.5 / 11]))
    assert found.tvd == pytest.approx(0.5)


def test_values_beyond_the_reference_count_in_the_end_bins() -> None:
    assert whole([1.0, 2.0, 3.0, 3.0], [-50.0, 2.0, 1e6, 3.5], NUMBER).tvd == 0


def test_categories_not_seen_before_are_left_out_of_the_distances() -> None:
    then, now = ["a"] * 10 + ["b"] * 10, ["a"] * 10 + ["b"] * 10 + ["z"] * 5
    found = whole(then, now, CATEGORY)
    assert (found.tvd, found.new_categories, found.expected) == (0, 0.2, 0)
    assert found.psi == pytest.approx(0)


def test_what_is_expected_of_new_categories_is_the_share_of_those_that_occurred_once() -> None:
    found = whole(["a"] * 16 + ["b", "c", "d", "e"], ["a"] * 6 + ["x", "y", "z"] + [None], CATEGORY)
    assert (found.expected, found.new_categories) == (pytest.approx(4 / 20), pytest.approx(0.3))
    assert found.effect("new_categories")[0] == pytest.approx(0.1)
    assert whole(["a"] * 16 + ["b", "c", "d", "e"], ["a"] * 9 + ["x"], CATEGORY).effect("new_categories")[0] == 0


def test_the_size_of_a_change_of_missing_cells_has_no_sign() -> None:
    assert whole(["a"] * 5 + [None] * 5, ["a"] * 10, CATEGORY).effect("missing")[0] == pytest.approx(0.5)


def test_floors_are_what_their_formulas_say() -> None:
    then, now = ["a"] * 10 + ["b"] * 8 + ["z", None], ["a"] * 5 + ["b"] * 4 + ["y"]
    found = whole(then, now, CATEGORY)  # one column, so all of the chance is its own; cells: missing, z, a, b
    known = drifted(pl.DataFrame({"c": then}), pl.DataFrame({"c": now}), CATEGORY)
    common = 10 - known.new_rows
    assert common == 9  # five a and four b were there before
    spread = 1 / 20 + 1 / 10 - 2 * 9 / (20 * 10)
    # z was shown by one row; for the one row in ten that is not among the 20, it is not known.
    of_known = 1 / 19.9 + 1 / 9 - 2 * 9 / (19.9 * 9)
    floor = of_known * chi2.isf(0.05, 4 - 1)
    missing = (1 + 0.5) / (30 + 1)
    z = norm.isf(0.025)
    assert found.psi_floor == pytest.approx(floor)
    assert found.tvd_floor == pytest.approx(sqrt(floor) / 2)
    assert found.missing_floor == pytest.approx(z * sqrt(missing * (1 - missing) * spread))
    assert found.new_floor == pytest.approx(z * sqrt(1 / 20**2 + 0.05 * 0.95 / 10))


def test_the_chance_of_an_error_is_shared_among_the_columns() -> None:
    rng = np.random.default_rng(1)
    then, now = (pl.DataFrame({name: rng.normal(size=100) for name in "abcd"}) for _ in range(2))
    found = drifted(then, now, columns(a="numeric", b="numeric", c="numeric", d="numeric"))
    inside = 100 * (1 - found.columns[0].whole.new_categories)
    assert found.columns[0].whole.psi_floor == pytest.approx((1 / 92 + 1 / inside) * chi2.isf(0.05 / 4, 10 - 1))


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from(["a", "b", "c", None]), max_size=40),
    st.lists(st.sampled_from(["a", "b", "d", None]), min_size=1, max_size=40),
)
def test_effects_keep_to_their_ranges(then: list[str | None], now: list[str | None]) -> None:
    frames = [pl.DataFrame({"c": values}, schema={"c": pl.String}) for values in (then, now)]
    found = drifted(*frames, CATEGORY)
    assert 0 <= found.new_rows <= found.rows == len(now)
    for shift in (part for column in found.columns for part in (column.whole, column.new) if part is not None):
        assert shift.psi >= 0
        assert 0 <= shift.tvd <= 1
        assert -1 <= shift.missing <= 1
        assert 0 <= shift.new_categories <= 1
        assert all(shift.effect(name)[1] >= 0 for name in EFFECTS)


def test_a_column_of_codes_mostly_seen_once_does_not_drift_by_itself() -> None:
    rng = np.random.default_rng(5)

    def rows() -> pl.DataFrame:
        codes = rng.integers(5_000, size=1_000).astype(str)
        return pl.DataFrame({"c": np.where(rng.random(1_000) < 0.5, "direct", codes), "x": rng.random(1_000)})

    schema, then, now = columns(c="categorical", x="numeric"), rows(), rows()
    found = drifted(then, now, schema)
    shift = found.columns[0].whole
    assert shift.new_categories == pytest.approx(shift.expected, abs=0.06)
    assert shift.new_categories > 0.3
    assert shift.tvd < 0.06
    assert not suspicious(found, 0.3)
    assert not [each for each in exceeded(found, DriftSection()) if each.column == "c"]


def test_equal_rows_of_a_replaced_table_are_no_old_ones() -> None:
    rng = np.random.default_rng(6)

    def rows() -> pl.DataFrame:
        idle = rng.random(1_000) < 0.45
        return pl.DataFrame({name: np.where(idle, 0.0, rng.normal(3, 1, 1_000)) for name in "xyz"})

    found = drifted(rows(), rows(), columns(x="numeric", y="numeric", z="numeric"))
    assert found.replaced
    assert found.told is None
    assert all(column.new is not None and column.new.rows == 1_000 for column in found.columns)
    assert not suspicious(found, 0.3)


def test_any_flipped_byte_is_found_or_harmless(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    table = pl.DataFrame({"c": rng.integers(50, size=300).astype(str), "x": rng.random(300)})
    path = tmp_path / "reference.npz"
    Reference.of(table, columns(c="categorical", x="numeric"), ["c", "x"]).write(path)
    whole_file = path.read_bytes()
    damaged = 0
    for place in rng.integers(len(whole_file), size=300):
        flipped = bytearray(whole_file)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            Reference.read(path)
        except BadTableError:
            damaged += 1
    assert damaged > 100
    path.write_bytes(whole_file[: len(whole_file) // 2])
    with pytest.raises(BadTableError):
        Reference.read(path)


# New rows


def test_identical_rows_in_any_order_have_no_new_ones_and_no_effect() -> None:
    table = mixed_table(500, 1)
    found = drifted(table, table.sample(fraction=1, shuffle=True, seed=2), MIXED)
    assert (found.rows, found.reference_rows, found.new_rows, found.new_share, found.told) == (500, 500, 0, 0, None)
    for column in found.columns:
        assert column.new is None
        # The floors too: the same rows make no noise.
        assert column.whole[1:7] == (0,) * 6
        assert column.whole.effect("new_categories")[0] == 0
    assert exceeded(found, DriftSection()) == suspicious(found, 0.01) == ()


def test_of_equal_rows_only_those_beyond_the_known_number_are_new() -> None:
    then = pl.DataFrame({"c": ["a", "a", "a", "b", None]})
    found = drifted(then, pl.DataFrame({"c": ["a"] * 5 + ["c", "c", "b", None, None]}), CATEGORY)
    assert (found.new_rows, found.new_share) == (2 + 2 + 1, 0.5)
    assert found.columns[0].new is not None
    assert found.columns[0].new.rows == 5
    assert found.columns[0].new.new_categories == pytest.approx(2 / 5)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), max_size=40), st.lists(st.integers(0, 7), max_size=40), st.randoms())
def test_new_rows_are_the_difference_of_multisets(then: list[int], now: list[int], shuffle: Any) -> None:
    schema = columns(x="numeric")
    old, new = (pl.DataFrame({"x": values}, schema={"x": pl.Float64}) for values in (then, now))
    expected = sum(max(now.count(value) - then.count(value), 0) for value in set(now))
    assert drifted(old, new, schema).new_rows == expected
    grown = pl.concat([old, new])[shuffle.sample(range(len(then) + len(now)), len(then) + len(now))]
    assert drifted(old, grown, schema).new_rows == len(now)


def test_columns_without_a_part_in_the_key_make_no_row_new() -> None:
    then = pl.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]})
    reference = Reference.of(then, columns(x="numeric", c="categorical"), ["c"])
    now = then.with_columns(pl.col("x") + 10)
    assert measure_drift(reference, now, columns(x="numeric", c="categorical"), 1).new_rows == 0


def test_columns_that_the_reference_lacks_are_passed_over() -> None:
    then = pl.DataFrame({"x": [1.0, 2.0]})
    now = then.with_columns(c=pl.lit("new"))
    found = measure_drift(Reference.of(then, NUMBER, ["x"]), now, columns(x="numeric", c="categorical"), 1)
    assert [column.name for column in found.columns] == ["x"]


def test_of_many_different_rows_the_share_of_new_ones_is_estimated_without_bias(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drift, "KEYS", 100)
    shares = []
    for seed in range(200):
        rows = pl.DataFrame({"x": np.arange(1_250.0) + 10_000 * seed})
        reference = Reference.of(rows[:1_000], NUMBER, ["x"])
        assert len(reference.keys) == 100
        assert reference.keys[-1] == reference.threshold
        shares.append(measure_drift(reference, rows, NUMBER, seed).new_share)
    error = np.std(shares, ddof=1) / sqrt(len(shares))
    assert error < 0.004
    assert np.mean(shares) == pytest.approx(0.2, abs=4 * error)


def test_known_rows_are_never_new_however_few_keys_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "KEYS", 7)
    rows = pl.DataFrame({"x": [float(i % 300) for i in range(1_000)]})
    found = drifted(rows, rows[::-1], NUMBER)
    assert found.new_rows == 0
    assert drifted(rows, rows.with_columns(pl.col("x") + 1_000), NUMBER).new_share == 1


# Noise floors


def same_law(rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Rows without rare categories: numbers, codes, and numbers of which a tenth is missing."""
    size = pl.Series(rng.normal(size=rows)).set(pl.Series(rng.random(rows) < 0.1), None)
    grade = rng.choice(6, rows, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])
    return pl.DataFrame({"x": rng.normal(size=rows), "grade": grade, "size": size})


def rare_law(rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of a column with a long tail of rare categories."""
    return pl.DataFrame({"c": np.minimum(rng.zipf(1.4, rows), 10**7), "x": rng.random(rows)})


SAME, RARE = columns(x="numeric", grade="categorical", size="numeric"), columns(c="categorical", x="numeric")


def above_floor(parts: list[Shift], names: tuple[Effect, ...] = EFFECTS) -> bool:
    return any(size > floor for shift in parts for size, floor in (shift.effect(name) for name in names))


def at_most(errors: list[bool], level: float = drift.ALPHA) -> bool:
    return bool(np.mean(errors) <= level + 3 * sqrt(level * (1 - level) / len(errors)))


@pytest.mark.usefixtures("no_classifier")
@pytest.mark.parametrize("nested", [False, True])
def test_the_floor_over_all_columns_is_rarely_exceeded_where_the_law_stays_the_same(nested: bool) -> None:
    errors: dict[str, list[bool]] = {"whole": [], "new": []}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        then, other = same_law(600, rng), same_law(400, rng)
        found = drifted(then, pl.concat([then, other]) if nested else other, SAME)
        assert found.new_rows == 400
        errors["whole"].append(above_floor([column.whole for column in found.columns]))
        errors["new"].append(above_floor([column.new for column in found.columns if column.new is not None]))
    assert at_most(errors["whole"])
    assert at_most(errors["new"])
    assert any(errors["whole"])  # the floor is no wall


@pytest.mark.usefixtures("no_classifier")
@pytest.mark.parametrize("nested", [False, True])
def test_as_many_rare_categories_are_new_as_is_expected(nested: bool) -> None:
    errors, excess, share = [], [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        then, other = rare_law(600, rng), rare_law(400, rng)
        found = drifted(then, pl.concat([then, other]) if nested else other, RARE).columns[0]
        assert found.new is not None
        errors.append(above_floor([found.new, found.whole], ("new_categories",)))
        share.append(found.new.new_categories)
        excess.append(found.new.new_categories - found.new.expected)
    assert at_most(errors)
    assert np.mean(share) > 0.1  # canary: without what is expected, this would be drift
    assert np.mean(excess) == pytest.approx(0, abs=3 * np.std(excess, ddof=1) / sqrt(len(excess)))


@pytest.mark.usefixtures("no_classifier")
def test_a_small_change_of_the_law_exceeds_its_floor() -> None:
    rng = np.random.default_rng(3)
    then, now = same_law(4_000, rng), same_law(4_000, rng)
    moved = now.with_columns(pl.col("x") + 0.3, grade=pl.lit(0, dtype=pl.Int64))
    found = {column.name: column.whole for column in drifted(then, moved, SAME).columns}
    assert above_floor([found["x"]], ("psi",))
    assert above_floor([found["x"]], ("tvd",))
    assert above_floor([found["grade"]])
    assert not above_floor([found["size"]])


# What calls for a new generator


def shift(**sizes: float) -> Shift:
    return replace_in(Shift(100, *[0.0] * 9), sizes)


def replace_in(found: Shift, sizes: dict[str, float]) -> Shift:
    return found._replace(**sizes)  # type: ignore[arg-type]


def by_hand(*found: ColumnDrift, told: TwoSample | None = None) -> Drift:
    return Drift(100, 100, 100, 1.0, False, found, told)


def column(name: str, now: Shift, new: Shift | None = None, ignored: bool = False) -> ColumnDrift:
    return ColumnDrift(name, "numeric", ignored, now, new)


LIMITS = DriftSection(psi=0.2, tvd=0.1, missing=0.05, new_categories=0.05, c2st=0.65)


@pytest.mark.parametrize(
    ("sizes", "effect", "value"),
    [
        ({"psi": 0.2}, "psi", 0.2),
        ({"tvd": 0.1}, "tvd", 0.1),
        ({"missing": -0.05}, "missing", 0.05),
        ({"new_categories": 0.25, "expected": 0.125}, "new_categories", 0.125),
    ],
)
def test_an_effect_at_its_limit_is_named(sizes: dict[str, float], effect: Effect, value: float) -> None:
    limit = getattr(LIMITS, effect)
    drift_now = by_hand(column("a", shift()), column("b", shift(**sizes)))
    assert exceeded(drift_now, LIMITS) == (Exceeded(effect, "b", value, limit),)
    floor = {"new_categories": "new_floor"}.get(effect, f"{effect}_floor")
    assert exceeded(by_hand(column("b", shift(**sizes, **{floor: value}))), LIMITS) == ()  # no more than noise
    off = LIMITS.model_copy(update={effect: None})
    assert exceeded(drift_now, off) == ()
    assert exceeded(by_hand(column("b", shift(**sizes), ignored=True)), LIMITS) == ()


def test_below_its_limit_nothing_is_named() -> None:
    small = shift(psi=0.199, tvd=0.099, missing=0.049, new_categories=0.149, expected=0.1)
    assert exceeded(by_hand(column("a", small)), LIMITS) == ()


def test_the_largest_excess_comes_first() -> None:
    found = by_hand(column("a", shift(psi=0.4)), column("b", shift(tvd=0.5)), column("c", shift(missing=0.15)))
    assert [each.column for each in exceeded(found, LIMITS)] == ["b", "c", "a"]  # 5, 3 and 2 times the limit


def test_the_classifier_counts_by_its_low_bound() -> None:
    sure, unsure = TwoSample(0.75, 0.05, 400), TwoSample(0.75, 0.06, 400)
    assert exceeded(by_hand(told=sure), LIMITS) == (Exceeded("c2st", None, 0.75, 0.65),)
    assert exceeded(by_hand(told=unsure), LIMITS) == ()
    assert exceeded(by_hand(told=sure), LIMITS.model_copy(update={"c2st": None})) == ()


def test_new_rows_alone_decide_what_is_suspicious() -> None:
    large = shift(psi=9.0, tvd=0.5)
    assert suspicious(by_hand(column("a", large)), 0.3) == ()  # no new rows
    assert suspicious(by_hand(column("a", large, shift(psi=9.0))), 0.3) == ()  # the index has no limit here
    assert suspicious(by_hand(column("a", shift(), large)), 0.3) == (Exceeded("tvd", "a", 0.5, 0.3),)
    assert suspicious(by_hand(column("a", shift(), large, ignored=True)), 0.3) == ()
    assert suspicious(by_hand(column("a", shift(), large)), None) == ()
    assert suspicious(by_hand(column("a", shift(), shift(tvd=0.29))), 0.3) == ()


def test_a_classifier_is_asked_where_there_are_enough_rows_of_either_and_ignored_columns_give_nothing_away() -> None:
    rng = np.random.default_rng(5)
    then = pl.DataFrame({"x": rng.normal(size=150), "y": rng.normal(size=150)})
    new = pl.DataFrame({"x": rng.normal(size=100) + 6, "y": rng.normal(size=100)})
    schema = columns(x="numeric", y="numeric")
    grown = pl.concat([then, new])
    found = drifted(then, grown, schema)
    assert found.told is not None
    assert found.told.rows == 100
    assert found.told.auc > 0.95
    assert "c2st" in {each.effect for each in exceeded(found, LIMITS)}
    blind = drifted(then, grown, schema, ignored=("x",))
    assert blind.told is not None
    assert exceeded(blind, LIMITS) == ()
    assert drifted(then, grown, schema, ignored=("x", "y")).told is None
    assert drifted(then, grown[: 150 + drift.FEWEST - 1], schema).told is None
    assert drifted(then, new, schema).told is None  # no known row left


# Real flights


@pytest.fixture(scope="module")
def flights() -> Schema:
    schema = open_table(ROOT / "sample_data" / "flights.csv").schema
    codes = {"flight", "tailnum"}
    return replace(
        schema, columns=tuple(replace(c, kind=Kind.CATEGORICAL) if c.name in codes else c for c in schema.columns)
    )


def month(number: int) -> pl.DataFrame:
    return pl.read_parquet(ROOT / "sample_data" / "flights" / f"2013-{number:02d}.parquet")


@pytest.fixture(scope="module")
def spring(flights: Schema) -> tuple[pl.DataFrame, Reference]:
    known = pl.concat([month(number) for number in range(1, 5)])
    return known, Reference.of(known, flights, flights.names)


@pytest.mark.usefixtures("no_classifier")
@pytest.mark.parametrize("number", range(2, 13))
def test_no_month_of_real_flights_is_suspicious(flights: Schema, number: int) -> None:
    known = pl.concat([month(earlier) for earlier in range(1, number)])
    reference = Reference.of(known, flights, flights.names)
    found = measure_drift(reference, pl.concat([known, month(number)]), flights, 1, ignored=("time_hour",))
    assert found.new_rows == 1_500
    assert suspicious(found, DriftSection().halt) == ()
    assert {each.column for each in suspicious(replace_ignored(found), 0.3)} == {"time_hour"}  # which is why


def replace_ignored(found: Drift) -> Drift:
    return replace(found, columns=tuple(each._replace(ignored=False) for each in found.columns))


@pytest.mark.usefixtures("no_classifier")
@pytest.mark.parametrize(
    ("damaged", "change", "effect"),
    [
        ("distance", pl.col("distance") * 1.609, "tvd"),  # kilometres for miles
        ("origin", pl.col("origin").str.to_lowercase(), "new_categories"),
        ("carrier", "airline " + pl.col("carrier"), "new_categories"),
        ("air_time", pl.lit(None, dtype=pl.Int64), "missing"),
        ("dep_delay", pl.col("dep_delay") * 60, "tvd"),  # seconds for minutes
        ("late", ~pl.col("late"), "tvd"),
    ],
)
def test_a_damaged_column_is_suspicious(
    flights: Schema, spring: tuple[pl.DataFrame, Reference], damaged: str, change: pl.Expr, effect: Effect
) -> None:
    known, reference = spring
    new = month(5).with_columns(change.cast(known.schema[damaged]).alias(damaged))
    found = measure_drift(reference, pl.concat([known, new]), flights, 1, ignored=("time_hour",))
    named = suspicious(found, 0.3)
    assert {each.column for each in named} == {damaged}
    assert effect in {each.effect for each in named}
    watched = measure_drift(reference, pl.concat([known, new]), flights, 1, ignored=("time_hour", damaged))
    assert suspicious(watched, 0.3) == ()


# Kinds of columns


def test_no_kind_of_column_and_no_empty_table_is_too_much() -> None:
    day = date(2024, 1, 1)
    instant = datetime(2024, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
    table = pl.DataFrame(
        {
            "flag": [True, False, None] * 20,
            "day": [day + timedelta(days=i) for i in range(60)],
            "instant": [instant + timedelta(hours=i) for i in range(60)],
            "part": [float("nan"), None, 1.5, float("inf")] * 15,
            "code": pl.Series([1.5, float("nan"), None, 2.0, 7.0, 7.0] * 10),
            "nothing": pl.Series([None] * 60, dtype=pl.Float64),
            "no_text": pl.Series([None] * 60, dtype=pl.String),
            "same": [3] * 60,
        }
    )
    kinds = ("boolean", "datetime", "datetime", "numeric", "categorical", "numeric", "categorical", "numeric")
    schema = Schema(
        tuple(Column(series.name, Kind(kind), str(series.dtype)) for series, kind in zip(table, kinds, strict=True))
    )
    reference = Reference.of(table, schema, table.columns)
    again = measure_drift(reference, table, schema, 1)
    assert again.new_rows == 0
    assert all(column.whole.psi == column.whole.tvd == 0 for column in again.columns)
    later = table.with_columns(
        pl.col("day") + timedelta(days=400),
        flag=pl.lit(True),
        nothing=pl.lit(2.5),
        no_text=pl.lit("text"),
        same=pl.lit(4, dtype=pl.Int64),
    )
    found = {column.name: column.whole for column in measure_drift(reference, later, schema, 1).columns}
    assert found["day"].new_categories == 1  # all beyond the last day
    assert found["flag"].tvd == pytest.approx(2 / 3)
    assert (found["nothing"].missing, found["no_text"].missing, found["no_text"].new_categories) == (-1, -1, 1)
    assert found["instant"].tvd == found["part"].tvd == found["code"].tvd == 0
    assert found["same"].new_categories == 1
    for then, now in ((table[:0], table), (table, table[:0]), (table[:0], table[:0])):
        nothing = measure_drift(Reference.of(then, schema, table.columns), now, schema, 1)
        assert nothing.new_rows == max(now.height - then.height, 0)
        assert all(np.isfinite(column.whole).all() for column in nothing.columns)


def test_missing_numbers_are_one_value_whether_null_or_nan() -> None:
    found = whole([1.0, None, float("nan"), 2.0], [float("nan"), None, 2.0, 1.0], NUMBER)
    assert found.tvd == found.missing == 0


def test_storage_types_do_not_make_a_category_new() -> None:
    then, now = pl.DataFrame({"c": [1, 2] * 10}), pl.DataFrame({"c": [1.0, 2.0] * 10})
    assert drifted(then, now, columns(c="categorical")).columns[0].whole.new_categories == 0


def test_progress_goes_from_nothing_to_half_for_columns() -> None:
    heard: list[float] = []
    table = mixed_table(60, 1)
    measure_drift(Reference.of(table, MIXED, table.columns), table, MIXED, 1, (), heard.append)
    assert heard == pytest.approx([0.125, 0.25, 0.375, 0.5])


# Files


def test_a_reference_comes_back_as_it_was_written_and_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "KEYS", 300)
    made = Reference.of(mixed_table(500, 1), MIXED, MIXED.names)
    path = tmp_path / "reference.npz"
    made.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["reference.npz"]
    back = Reference.read(path)
    assert (back.rows, back.keyed, back.threshold) == (made.rows, made.keyed, made.threshold)
    assert np.array_equal(back.keys, made.keys)
    assert np.array_equal(back.times, made.times)
    for one, other in zip(made.cells, back.cells, strict=True):
        assert (one.name, one.ordered, one.kept, one.once) == (other.name, other.ordered, other.kept, other.once)
        for part in ("counts", "cuts", "known"):
            assert np.array_equal(getattr(one, part), getattr(other, part))
    later = mixed_table(300, 2)
    assert measure_drift(back, later, MIXED, 1) == measure_drift(made, later, MIXED, 1)


def test_a_reference_without_rows_comes_back_too(tmp_path: Path) -> None:
    Reference.of(mixed_table(0, 1), MIXED, MIXED.names).write(tmp_path / "r.npz")
    assert Reference.read(tmp_path / "r.npz").rows == 0


def test_no_cell_of_text_is_in_the_file(tmp_path: Path) -> None:
    secret = ["Grünbaum-Xylander", "Okonkwo-Zwickel"]
    table = pl.DataFrame({"name": secret * 10 + ["Einmalig-Quast"], "x": np.arange(21.0)})
    path = tmp_path / "r.npz"
    Reference.of(table, columns(name="categorical", x="numeric"), ["name", "x"]).write(path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for text in (*secret, "Einmalig-Quast"):
        for part in (text, text.split("-")[0]):
            codings = [part.encode(code) for code in ("utf-8", "utf-16-le", "utf-32-le")]
            assert not any(coding in path.read_bytes() for coding in codings)
            assert not any(coding in array.tobytes() for array in arrays.values() for coding in codings)
    written = {str(value) for array in arrays.values() if array.dtype.kind == "U" for value in array}
    assert written == {"name", "x"}  # canary: names of columns are there, and would be found
    assert any("name".encode("utf-32-le") in array.tobytes() for array in arrays.values())


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_a_file_that_is_no_reference_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.npz"
    path.write_bytes(content)
    with pytest.raises(BadTableError, match="cannot be read") as caught:
        Reference.read(path)
    assert caught.value.hint == "refresh with --force"


def test_an_incomplete_an_absent_and_a_newer_reference_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    Reference.of(mixed_table(200, 1), MIXED, MIXED.names).write(path)
    with np.load(path) as stored:
        arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
    for broken in (
        {**arrays, "schema_version": np.int64(2)},
        {name: array for name, array in arrays.items() if name != "1.known"},
        {**arrays, "keyed": np.array([object()], dtype=object)},
        {**arrays, "0.numbers": np.array([1, 2])},
    ):
        np.savez(path, **broken)
        with pytest.raises(BadTableError, match="cannot be read"):
            Reference.read(path)
    with pytest.raises(BadTableError, match="cannot be read"):
        Reference.read(tmp_path / "absent.npz")
    np.savez(path, **arrays)
    assert Reference.read(path).rows == 200  # canary: the same arrays, unbroken


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", None]), min_size=1, max_size=60), st.integers(0, 60))
def test_reading_a_table_in_another_order_makes_the_same_reference(values: list[str | None], cut: int) -> None:
    frame = pl.DataFrame({"c": values}, schema={"c": pl.String})
    turned = pl.concat([frame[cut % len(values) :], frame[: cut % len(values)]])
    one, other = (Reference.of(each, CATEGORY, ["c"]) for each in (frame, turned))
    assert np.array_equal(one.keys, other.keys)
    assert np.array_equal(one.times, other.times)
    assert one.cells[0].counts.tolist() == other.cells[0].counts.tolist()
    assert one.cells[0].known.tolist() == other.cells[0].known.tolist()
