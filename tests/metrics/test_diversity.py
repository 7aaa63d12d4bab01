"""Diversity: rarefaction, losses, tails and neighbours by hand, null distributions, and tables that collapsed."""

from __future__ import annotations

from collections.abc import Callable
from math import comb, sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table, on_tables
from hypothesis import given
from hypothesis import strategies as st

from synthcli.columns import Distinct, Floats, Table
from synthcli.metrics import diversity
from synthcli.metrics.diversity import (
    DiversityCounter,
    DiversityCounts,
    Drawn,
    category_coverage,
    chance_of_loss,
    count_categories,
    distinct_rows,
    distinct_share,
    emission_chances,
    lost_category,
    measure_diversity,
    minority_share,
    rare_category_coverage,
    ratio_interval,
    recall_and_precision,
    tail_coverage,
    tail_ends,
)
from synthcli.metrics.estimate import Estimate, wilson_interval
from synthcli.metrics.sums import Contents
from synthcli.schema import Column, Kind, Schema
from synthcli.seeds import random_places

SCHEMA = columns(c="categorical", x="numeric")
NUMBERS = columns(x="numeric")
PLANE = columns(x="numeric", y="numeric")


def table(**counts: int) -> pl.DataFrame:
    cells = [level for level, count in counts.items() for _ in range(count)]
    return pl.DataFrame({"c": cells, "x": [0.0] * len(cells)})


def numbers(values: object) -> pl.DataFrame:
    return pl.DataFrame({"x": values})


def plane(rows: int, seed: int, spread: float = 1.0) -> pl.DataFrame:
    return pl.DataFrame(np.random.default_rng(seed).normal(0, spread, (rows, 2)), schema=["x", "y"])


def lost(train: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema = SCHEMA) -> dict[tuple[str, ...], Estimate]:
    return {e.columns: e for e in lost_category(on_tables(count_categories, train, train, synthetic, schema))}


def counted(
    measure: Callable[[Any, DiversityCounts, DiversityCounts], tuple[Estimate, ...]],
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema,
    target: str | None = None,
) -> tuple[Estimate, ...]:
    """Measure by the counts of whole tables."""
    counter = DiversityCounter.fit(Table(train), schema, target=target, rows=synthetic.height)
    known = {tail_coverage: counter.ends, minority_share: counter.smallest}[measure]
    return measure(known, counter.count(Table(holdout)), counter.count(Table(synthetic)))


def neighbours(
    train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema, *, seed: int
) -> tuple[Estimate, ...]:
    drawn = on_tables(Drawn.of, train, holdout, synthetic, schema, seed=seed)
    return recall_and_precision(drawn, schema, (train.height, synthetic.height))


def coverage(train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema) -> Estimate:
    return category_coverage(on_tables(count_categories, train, holdout, synthetic, schema))[0]


# --- rarefaction ---


def test_chances_by_hand() -> None:
    # 2 of 4 rows show it: among 2 drawn rows it is missing with probability (2/4)(1/3) = 1/6.
    assert emission_chances(np.array([2, 0, 4, 3]), 4, 2) == pytest.approx([5 / 6, 0, 1, 1])


@given(st.integers(1, 60), st.data())
def test_chances_agree_with_the_hypergeometric_law(rows: int, data: st.DataObject) -> None:
    from scipy import stats

    size, count = data.draw(st.integers(0, rows)), data.draw(st.integers(0, rows))
    expected = 1 - stats.hypergeom.pmf(0, rows, count, size)
    assert emission_chances(np.array([count]), rows, size)[0] == pytest.approx(expected, abs=1e-9)


def test_small_chances_are_exact_among_many_rows() -> None:
    # One of 10^8 rows is among 10^4 with chance 10^-4; either of two with 1 - (1 - 10^-4)(1 - 10^4/(10^8 - 1)).
    found = emission_chances(np.array([0, 1, 2]), 10**8, 10**4)
    assert found == pytest.approx([0, 1e-4, 1e-4 + (1 - 1e-4) * 1e4 / (1e8 - 1)], rel=1e-9)


# --- coverage ---


def test_coverage_by_hand() -> None:
    train, holdout = table(a=50, b=40, c=5, d=5, e=4), table(a=50, b=40, c=5, d=5)
    estimate = coverage(train, holdout, table(a=60, b=39, c=1), SCHEMA)
    assert estimate.value == 0.75
    assert estimate.reference == 1.0
    assert estimate.low < 0.75 < estimate.high
    assert (estimate.floor, estimate.gap_se) == (0.0, estimate.reference_se)


def test_a_larger_synthetic_table_gains_nothing_by_its_size() -> None:
    train, holdout = table(a=900, b=100), table(a=9, b=1)
    small = coverage(train, holdout, table(a=9, b=1), SCHEMA)
    large = coverage(train, holdout, table(a=900, b=100), SCHEMA)
    assert small.n == large.n == 10
    assert large.value == pytest.approx(0.5 + 0.5 * (1 - 0.9**10), abs=0.003)


def test_columns_count_alike_however_many_categories_they_have_and_are_told_apart() -> None:
    schema = columns(wide="categorical", flag="boolean")
    train = pl.DataFrame({"wide": [f"w{i % 20}" for i in range(200)], "flag": [True, False] * 100})
    synthetic = pl.DataFrame({"wide": [f"w{i % 20}" for i in range(200)], "flag": [True] * 200})
    found = {
        e.columns: e.value for e in category_coverage(on_tables(count_categories, train, train, synthetic, schema))
    }
    assert found == {(): pytest.approx((1 + 0.5) / 2), ("wide",): 1.0, ("flag",): 0.5}


def test_a_table_of_numbers_has_no_categories_to_cover() -> None:
    numbers = pl.DataFrame({"x": [1.0, 2.0]})
    estimate = coverage(numbers, numbers, numbers, columns(x="numeric"))
    assert estimate.status == "not_measured"
    assert "category" in estimate.detail


def test_rare_coverage_counts_only_categories_between_five_rows_and_one_percent() -> None:
    train = table(a=980, b=10, c=6, d=4)  # b has exactly 1 %, d is protected: c alone is rare
    with_c, without = table(a=990, c=10), table(a=990, b=5, d=5)
    rare = [
        rare_category_coverage(on_tables(count_categories, train, train, made, SCHEMA))[0] for made in (with_c, without)
    ]
    assert [estimate.value for estimate in rare] == [1.0, 0.0]
    assert rare[0].detail.startswith("share of 1 category with")


def test_small_tables_have_no_rare_categories() -> None:
    whole, column = rare_category_coverage(on_tables(count_categories, *[table(a=300, b=5)] * 3, SCHEMA))
    assert whole.status == column.status == "not_measured"
    assert column.columns == ("c",)


# --- a category that is gone ---


def test_the_chance_of_a_loss_is_a_ratio_of_binomials() -> None:
    assert chance_of_loss(5, 20, 10) == pytest.approx(comb(20, 5) / comb(30, 5))
    assert chance_of_loss(1, 30, 10) == pytest.approx(0.75)


def test_the_largest_lost_category_is_named_by_its_share_and_corrected_for_all_columns() -> None:
    schema = columns(c="categorical", flag="boolean")
    train = table(a=60, b=20, c=12, d=8).select("c", flag=pl.Series([True] * 50 + [False] * 50))
    synthetic = table(a=60, d=40).select("c", flag=pl.Series([True] * 50 + [False] * 50))
    found = lost(train, synthetic, schema)
    expected = 6 * comb(100, 20) / comb(200, 20)  # 4 + 2 categories looked at
    for key in ((), ("c",)):
        assert found[key].value == 0.2
        assert found[key].p_value == pytest.approx(expected)
        assert (found[key].low, found[key].high) == wilson_interval(20, 100)
    assert (found["flag",].value, found["flag",].p_value) == (0.0, 1.0)


def test_nothing_lost_leaves_open_what_the_training_part_never_showed() -> None:
    estimate = lost(table(a=90, b=10), table(a=99, b=1))[()]
    assert (estimate.value, estimate.low, estimate.p_value) == (0.0, 0.0, 1.0)
    assert 3 / 100 < estimate.high < 4 / 100


def test_one_lost_category_among_hundreds_hides_in_the_mean_but_not_here() -> None:
    levels = {f"l{i}": 20 for i in range(200)}
    train, synthetic = table(big=100, **levels), table(**levels, l0b=100)
    assert coverage(train, train, synthetic, SCHEMA).value > 0.99
    estimate = lost(train, synthetic)[()]
    assert estimate.value == pytest.approx(100 / 4100)
    assert estimate.p_value < 1e-20


def test_a_missing_cell_is_no_category_that_could_be_lost() -> None:
    train = pl.DataFrame({"c": ["a"] * 50 + [None] * 50})
    assert lost(train, table(a=100), columns(c="categorical"))[()].value == 0.0
    floats = pl.DataFrame({"c": [1.0] * 50 + [float("nan")] * 50})
    assert lost(floats, floats.head(50), columns(c="categorical"))[()].value == 0.0


def test_a_perfect_generator_is_hardly_ever_accused_of_a_loss() -> None:
    weights = 1 / np.arange(1, 201)

    def draw(rows: int, seed: int) -> pl.DataFrame:
        levels = np.random.default_rng(seed).choice(200, rows, p=weights / weights.sum())
        return pl.DataFrame({"c": levels.astype(str)})

    schema = columns(c="categorical")
    found = [lost(draw(400, 2 * i), draw(400, 2 * i + 1), schema)[()] for i in range(200)]
    chances = np.array([estimate.p_value for estimate in found])
    assert sum(estimate.value > 0 for estimate in found) > 50  # rare ones do get lost by chance
    assert (chances < 0.05).mean() <= 0.05
    assert (chances < 0.001).sum() == 0


# --- different rows ---


def test_different_rows_by_hand() -> None:
    # Of the rows a a b: two drawn ones differ in 2 of 3 pairs: 1 + 2/3 different rows on average.
    synthetic, holdout = numbers([1.0, 1.0, 2.0]), numbers([1.0, 2.0])
    (estimate,) = on_tables(distinct_rows, holdout, synthetic, NUMBERS)
    assert estimate.value == pytest.approx((1 + 2 / 3) / 2)
    assert estimate.reference == 1.0
    assert estimate.n == 2


def test_few_rows_repeated_many_times_lie_far_below_the_holdout() -> None:
    holdout = mixed_table(1000, 1)
    (repeated,) = on_tables(distinct_rows, holdout, pl.concat([mixed_table(50, 2)] * 20), MIXED)
    (fresh,) = on_tables(distinct_rows, holdout, mixed_table(1000, 3), MIXED)
    assert repeated.value == pytest.approx(0.05, abs=0.002)
    assert repeated.high < 0.1
    assert fresh.low > 0.9


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40), st.data())
def test_the_closed_jackknife_is_the_jackknife(values: list[int], data: st.DataObject) -> None:
    keys = np.array(values, dtype=np.uint64)
    size = data.draw(st.integers(1, len(values) - 1))
    shares = np.array([distinct_share(Contents.of(np.delete(keys, i)), size).value for i in range(len(keys))])
    expected = sqrt((len(keys) - 1) * shares.var())
    assert distinct_share(Contents.of(keys), size).se == pytest.approx(max(expected, 1.5 / size), abs=1e-6)


def test_the_interval_of_different_rows_covers_the_truth() -> None:
    weights = 1 / np.arange(1, 501)
    weights /= weights.sum()
    truth = (1 - (1 - weights) ** 80).sum() / 80
    draws = [np.random.default_rng(i).choice(500, 200, p=weights).astype(np.uint64) for i in range(200)]
    shares = [distinct_share(Contents.of(keys), 80) for keys in draws]
    assert np.mean([abs(share.value - truth) < 1.96 * share.se for share in shares]) > 0.9
    assert np.mean([share.se for share in shares]) < 1.3 * np.std([share.value for share in shares])


# --- tails ---


def ends(values: Floats) -> tuple[float, float] | str:
    return tail_ends(Distinct.of(values))


def test_the_ends_leave_half_a_percent_on_either_side() -> None:
    assert ends(np.arange(1000.0)) == (5.0, 994.0)  # five values strictly below, five above
    assert ends(np.append(np.arange(200.0), np.nan)) == (1.0, 198.0)


def test_tail_coverage_by_hand() -> None:
    train = numbers(np.arange(1000.0))
    holdout = numbers([-1.0, 3.0, 999.0, *[500.0] * 96, None])  # 3 of 99
    synthetic = numbers([*[995.0] * 2, 5.0, 994.0, *[500.0] * 46])  # 2 of 50: the ends themselves are inside
    whole, column = counted(tail_coverage, train, holdout, synthetic, NUMBERS)
    assert whole.value == column.value == pytest.approx(2 / 50 - 3 / 99)
    mine, theirs = wilson_interval(2, 50), wilson_interval(3, 99)
    low = column.value - sqrt((0.04 - mine.low) ** 2 + (theirs.high - 3 / 99) ** 2)
    assert column.low == whole.low == pytest.approx(low)
    assert (column.n, whole.n, column.columns) == (50, 50, ("x",))


def test_what_lies_beyond_the_ends_together_by_hand() -> None:
    train = pl.DataFrame({"x": np.arange(1000.0), "y": np.arange(1000.0)})  # the ends are 5 and 994
    counter = DiversityCounter.fit(Table(train), PLANE, target=None, rows=4)
    counts = counter.count(Table(pl.DataFrame({"x": [-1.0, 999.0, 9.0, None], "y": [0.0, 9.0, np.inf, 1.0]})))
    assert counts.tails.tolist() == [[3, 2, 2, 1], [2, 3, 2, 2], [2, 2, 2, 1], [1, 2, 1, 2]]


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3]))
def test_the_variance_of_a_mean_over_tails_is_that_of_the_rows_influences(seed: int, gaps: float) -> None:
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 1.5, (50, 2)) @ np.array([[1, 0.8], [0, 0.6]])
    made[rng.random((50, 2)) < gaps] = np.nan
    train, synthetic = plane(400, 1), pl.DataFrame(made, schema=["x", "y"])
    low, high = np.array([ends(train[name].to_numpy()) for name in train.columns]).T
    known, beyond = np.isfinite(made), (made < low) | (made > high)
    masses = beyond.sum(axis=0) / known.sum(axis=0)
    influence = ((beyond - masses * known) / known.sum(axis=0)).sum(axis=1) / 2
    variance, mean = influence @ influence, masses.mean()
    rows = mean * (1 - mean) / variance if variance > 0 else known.sum(axis=0).min()
    # Of two equal tables the difference is 0, and its interval made of the ends of a single one.
    whole, *_ = counted(tail_coverage, train, synthetic, synthetic, PLANE)
    own = wilson_interval(mean * rows, rows)
    assert whole.value == 0.0
    assert whole.high == pytest.approx(np.hypot(own.high - mean, mean - own.low), abs=1e-9)


def test_tails_that_a_generator_cut_off_are_missed() -> None:
    train, holdout = plane(4000, 1), plane(1000, 2)
    cut = plane(4000, 3).with_columns(pl.all().clip(-2, 2))
    fresh, lost_tails = (counted(tail_coverage, train, holdout, made, PLANE)[0] for made in (plane(4000, 4), cut))
    assert fresh.low < 0 < fresh.high
    assert lost_tails.high < 0


def test_the_interval_of_tails_holds_zero_for_perfect_generators() -> None:
    found = [counted(tail_coverage, plane(400, i), plane(100, i + 300), plane(400, i + 600), PLANE) for i in range(150)]
    assert np.mean([table.low <= 0 <= table.high for table, *_ in found]) > 0.9
    assert np.mean([one.low <= 0 <= one.high for _, *ones in found for one in ones]) > 0.92


def test_columns_that_vary_together_are_not_taken_for_several_witnesses() -> None:
    train, holdout, synthetic = (plane(1000, seed).with_columns(y="x") for seed in (1, 2, 3))
    whole, one, other = counted(tail_coverage, train, holdout, synthetic, PLANE)
    for column in (one, other):
        assert (whole.low, whole.high) == pytest.approx((column.low, column.high))


def test_a_heap_of_equal_values_is_no_tail() -> None:
    zeros = np.where(np.arange(1000) < 900, 0.0, np.arange(1000.0))
    assert ends(zeros) == (0.0, 994.0)
    whole, _ = counted(tail_coverage, numbers(zeros), numbers(zeros), numbers(zeros), NUMBERS)
    assert whole.value == 0.0
    assert "0.500% of synthetic" in whole.detail
    assert "heaps at both ends" in ends(np.clip(np.arange(1000.0), 20, 900))
    assert "200 training values" in ends(np.arange(199.0))
    assert "20 different" in ends(np.arange(1000.0) % 19)


# --- neighbours ---


def test_a_fresh_sample_scores_as_the_holdout_does() -> None:
    recall, precision = neighbours(plane(400, 1), plane(100, 2), plane(400, 3), PLANE, seed=1)
    for estimate in (recall, precision):
        assert estimate.n == 100
        assert estimate.value > 0.9
        assert estimate.low < estimate.reference < estimate.high or estimate.value == estimate.reference


def test_a_shrunk_table_loses_recall_and_keeps_precision() -> None:
    train, holdout = plane(300, 1), plane(300, 2)
    recall, precision = neighbours(train, holdout, plane(300, 3, spread=0.3), PLANE, seed=1)
    assert recall.high < recall.reference
    assert precision.value >= precision.reference - 0.02


def test_invented_combinations_lose_precision_and_keep_recall() -> None:
    train, holdout, shuffled = (plane(300, seed).with_columns(y=pl.col("x")) for seed in (1, 2, 3))
    shuffled = pl.concat([shuffled.head(100), shuffled.tail(200).with_columns(y=pl.col("y").shift(50).fill_null(0.0))])
    recall, precision = neighbours(train, holdout, shuffled, PLANE, seed=1)
    assert precision.high < precision.reference
    assert recall.value >= recall.reference - 0.02
    assert (recall.name, precision.name) == ("diversity.recall", "diversity.precision")


def test_shares_by_hand_on_a_line() -> None:
    # Over 60 pooled rows the training rows stand at 1, 3 … 59, the holdout's at 61, 63 … 119, fifth neighbours at
    # 6 from inner rows and at 10 from the last: training balls reach 69, so 5 of the holdout's rows lie in them.
    train, holdout = numbers(np.arange(30.0)), numbers(np.arange(30.0) + 5000)
    synthetic = numbers(np.concatenate([np.arange(15.0), np.arange(15.0) + 5000]))
    recall, precision = neighbours(train, holdout, synthetic, NUMBERS, seed=1)
    assert precision.value == (15 + 5) / 30
    assert (precision.reference, recall.reference) == (5 / 30, 5 / 30)
    # Synthetic rows at 1 … 29 reach 39, the 20th training row; those from 61 on reach down to 51, the 26th.
    assert recall.value == (20 + 5) / 30


def test_the_interval_of_recall_and_precision_covers_their_mean_over_perfect_sets() -> None:
    sets = [neighbours(plane(60, i), plane(60, i + 200), plane(60, i + 400), PLANE, seed=i) for i in range(100)]
    for found in zip(*sets, strict=True):
        mean = np.mean([estimate.value for estimate in found])
        assert np.mean([estimate.low <= mean <= estimate.high for estimate in found]) >= 0.9
        assert np.mean([estimate.high - estimate.low for estimate in found]) < 0.2


def test_the_sampled_sizes_are_said_and_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthcli.metrics.diversity.neighbours.MAX_POINTS", 60)
    train, holdout, synthetic = mixed_table(300, 1), mixed_table(100, 2), mixed_table(200, 3)
    first, again = (neighbours(train, holdout, synthetic, MIXED, seed=7) for _ in range(2))
    assert first == again
    assert first != neighbours(train, holdout, synthetic, MIXED, seed=8)
    assert (first[0].n, first[0].seed) == (60, 7)
    assert "60 of 300 training and of 200 synthetic rows" in first[0].detail


def test_places_are_drawn_at_random_without_a_number_for_each_of_many_rows() -> None:
    few, many = (random_places(rows, 100, np.random.default_rng(1)) for rows in (100, 2**33))
    assert sorted(few) == list(range(100))
    assert len(np.unique(many)) == 100
    assert many.max() > 2**32
    for places in (few, many):
        assert (np.sort(places) != places).any()


def test_rows_may_be_drawn_from_a_random_part_of_all_synthetic_ones() -> None:
    train, holdout, made = plane(200, 1), plane(50, 2), plane(90, 3)
    counter = DiversityCounter.fit(Table(train), PLANE, target=None, rows=4 * made.height)
    sides = counter.count(Table(holdout)), counter.count(Table(pl.concat([made] * 4)))
    found = counter.conclude(*sides, on_tables(Drawn.of, train, holdout, made, PLANE, seed=1))
    (precision,) = (each for each in found if each.name == "diversity.precision")
    assert "50 of 200 training and of 360 synthetic rows" in precision.detail


# --- the smallest class ---


def test_minority_share_by_hand() -> None:
    train, holdout, synthetic = table(no=90, yes=10), table(no=40, yes=10), table(no=95, yes=5)
    (estimate,) = counted(minority_share, train, holdout, synthetic, SCHEMA, "c")
    assert estimate.value == pytest.approx(0.5)
    se = sqrt(1 / 5 - 1 / 100 + 1 / 10 - 1 / 100)
    assert estimate.low == pytest.approx(0.5 * np.exp(-1.959964 * se))
    assert estimate.reference == 1.0
    assert "the holdout's ratio is 2.000" in estimate.detail
    assert "yes" not in estimate.detail


def test_a_class_that_is_gone_has_an_interval_from_zero_to_below_one() -> None:
    (estimate,) = counted(minority_share, table(no=900, yes=100), table(no=9, yes=1), table(no=1000), SCHEMA, "c")
    assert (estimate.value, estimate.low) == (0.0, 0.0)
    assert 0 < estimate.high < 0.1


def test_the_interval_of_the_ratio_covers_one() -> None:
    rng = np.random.default_rng(1)
    draws = zip(rng.binomial(100, 0.05, 500), rng.binomial(400, 0.05, 500), strict=True)
    found = [ratio_interval(int(a), 100, int(c), 400) for a, c in draws]
    assert 0.92 < np.mean([low <= 1 <= high for low, high in found]) < 0.995


def test_only_targets_of_two_to_fifty_classes_have_a_smallest_one() -> None:
    def reason(frame: pl.DataFrame, target: str | None, synthetic: pl.DataFrame | None = None) -> str:
        (estimate,) = counted(minority_share, frame, frame, frame if synthetic is None else synthetic, SCHEMA, target)
        assert estimate.status == "not_measured"
        return estimate.detail

    assert reason(table(a=9, b=9), None) == "no target is set"
    assert reason(table(a=9, b=9), "x") == reason(table(a=9, b=9), "z") == "the target is not a class"
    assert reason(table(a=9), "c").startswith("the target has 1 class,")
    assert "51 classes" in reason(table(**{f"l{i}": 9 for i in range(51)}), "c")
    assert "2 classes, 1 with 5 training rows" in reason(table(a=9, b=4), "c")  # a protected class may be left out
    empty = table(a=9).with_columns(c=pl.lit(None, dtype=pl.String))
    assert reason(table(a=9, b=9), "c", empty) == "every synthetic row lacks the target"


# --- the family ---

ODD = Schema(
    tuple(
        Column(name, Kind(kind), dtype)
        for name, kind, dtype in (
            ("broken", "numeric", "Float64"),
            ("constant", "numeric", "Float64"),
            ("gone", "numeric", "Float64"),
            ("blank", "categorical", "String"),
            ("single", "categorical", "String"),
            ("unique", "categorical", "String"),
            ("number", "categorical", "Float64"),
            ("flag", "boolean", "Boolean"),
            ("day", "datetime", "Date"),
            ("moment", "datetime", "Datetime[us, Europe/Berlin]"),
        )
    )
)


def odd_table(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    broken = rng.choice([np.nan, np.inf, -np.inf, 1.0, 2.0], rows) * rng.random(rows)
    moments = pl.Series(rng.integers(0, 10**15, rows)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.DataFrame(
        {
            "broken": broken,
            "constant": np.ones(rows),
            "gone": pl.Series([None] * rows, dtype=pl.Float64),
            "blank": pl.Series([None] * rows, dtype=pl.String),
            "single": ["s"] * rows,
            "unique": [f"u{seed}_{i}" for i in range(rows)],
            "number": rng.choice([np.nan, 1.0, 2.0], rows),
            "flag": rng.random(rows) < 0.1,
            "day": pl.Series(rng.integers(0, 9999, rows)).cast(pl.Int32).cast(pl.Date),
            "moment": moments.dt.convert_time_zone("Europe/Berlin"),
        }
    )


@pytest.mark.parametrize("sizes", [(1, 1, 1), (40, 10, 50), (300, 60, 40), (300, 0, 40)])
@pytest.mark.parametrize("emptied", [None, 0, 1, 2])
def test_odd_tables_are_measured_or_told_why_not(sizes: tuple[int, int, int], emptied: int | None) -> None:
    tables = [odd_table(rows, seed) for seed, rows in enumerate(sizes)]
    if emptied is not None:
        tables[emptied] = pl.DataFrame({name: [None] * sizes[emptied] for name in ODD.names})
    found = measure_diversity(*tables, ODD, target="flag", seed=1)
    assert {estimate.name for estimate in found if not estimate.columns} == set(diversity.METRICS)
    assert len({(estimate.name, estimate.columns) for estimate in found}) == len(found)
    for estimate in found:
        assert estimate.detail
        assert estimate.family == "diversity"
        assert estimate.direction == diversity.METRICS[estimate.name]
        if estimate.status == "measured":
            assert estimate.low <= estimate.value <= estimate.high
            assert estimate.range[0] <= estimate.low
            assert estimate.reference is not None


def test_every_column_concerned_is_measured_or_told_why_not() -> None:
    found = measure_diversity(*(odd_table(300, seed) for seed in range(3)), ODD, target=None, seed=1)
    classes = {("blank",), ("single",), ("unique",), ("number",), ("flag",)}
    for name in ("category_coverage", "rare_category_coverage", "lost_category"):
        assert {e.columns for e in found if e.name == f"diversity.{name}"} == {(), *classes}
    tails = {e.columns: e.status for e in found if e.name == "diversity.tail_coverage"}
    assert tails["day",] == tails["moment",] == "measured"
    assert tails["gone",] == tails["constant",] == "not_measured"


def test_the_order_of_rows_changes_nothing_that_is_not_sampled() -> None:
    train, holdout, synthetic = (mixed_table(200, seed) for seed in range(3))
    before = measure_diversity(train, holdout, synthetic, MIXED, target="late", seed=1)
    after = measure_diversity(train[::-1], holdout[::-1], synthetic[::-1], MIXED, target="late", seed=1)
    sampled = ("diversity.recall", "diversity.precision")
    for one, other in zip(before, after, strict=True):
        assert one.name in sampled or (one.value, one.p_value) == pytest.approx((other.value, other.p_value))
