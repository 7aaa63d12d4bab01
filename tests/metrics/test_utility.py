"""Utility: scores by hand and against scikit-learn, and what good and worthless synthetic rows earn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score, roc_auc_score

from synthcli.metrics import utility
from synthcli.metrics.boosting import auc
from synthcli.metrics.utility import CURVE_POINTS, class_auc, measure_utility, negative_error, r2, roc_curve
from synthcli.schema import Column, Kind, Schema


def measure(train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, **options) -> dict:
    settings = {"target": "grade", "exclude": [], "seed": 1, **options}
    found = measure_utility(train, holdout, synthetic, settings.pop("schema", MIXED), **settings)
    keys = [".".join([estimate.name.split(".")[1], *estimate.columns]) for estimate in found]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, found, strict=True))


def test_auc_by_hand_with_a_tie() -> None:
    # Pairs (positive, negative): .8 > .5, .8 > .3, .5 = .5 (half), .5 > .3: 3.5 of 4.
    positive, score = np.array([True, True, False, False]), np.array([0.8, 0.5, 0.5, 0.3])
    assert auc(positive, score)(np.ones(4)) == 3.5 / 4
    # The tied negative row twice: .8 beats three, .5 ties two and beats one: (3 + 2) / 6.
    assert auc(positive, score)(np.array([1.0, 1, 2, 1])) == 5 / 6


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 3)), min_size=2, max_size=40))
def test_auc_agrees_with_scikit_learn(rows: list[tuple[bool, int, int]]) -> None:
    truth, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    if truth.any() and not truth.all():
        expected = roc_auc_score(truth, score, sample_weight=weight)
        assert auc(truth, score.astype(float))(weight.astype(float)) == pytest.approx(expected)


def test_r2_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, predicted, weight = rng.normal(size=50), rng.normal(size=50), rng.integers(0, 3, 50).astype(float)
    assert r2(truth, predicted)(weight) == pytest.approx(r2_score(truth, predicted, sample_weight=weight))


def test_class_auc_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 3, 90), rng.dirichlet(np.ones(3), 90)
    expected = roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert class_auc(labels, scores)(np.ones(90)) == pytest.approx(expected)


def test_fresh_rows_train_as_good_a_model_as_real_ones() -> None:
    found = measure(mixed_table(3_000, 1), mixed_table(2_000, 2), mixed_table(3_000, 3))
    assert found["trtr"].value > 0.85
    assert found["tstr"].value == pytest.approx(found["trtr"].value, abs=0.02)
    assert found["tstr"].reference == found["trtr"].value
    assert found["ratio"].low < 1.03
    assert found["ratio"].value > 0.95


def test_shuffled_labels_earn_nothing() -> None:
    train, holdout = mixed_table(3_000, 1), mixed_table(2_000, 2)
    worthless = train.with_columns(pl.col("grade").sample(fraction=1, shuffle=True, seed=1))
    assert abs(measure(train, holdout, worthless)["ratio"].value) < 0.25


def test_a_number_is_predicted_by_r2() -> None:
    found = measure(mixed_table(3_000, 1), mixed_table(1_000, 2), mixed_table(3_000, 3), target="size")
    assert "R²" in found["tstr"].detail
    assert found["ratio"].value == pytest.approx(1, abs=0.15)


def test_rows_without_a_target_are_left_out() -> None:
    holes = pl.when(pl.int_range(pl.len()) % 10 == 0).then(None).otherwise(pl.col("late")).alias("late")
    parts = [mixed_table(1_000, seed).with_columns(holes) for seed in (1, 2, 3)]
    assert measure(*parts, target="late")["tstr"].n == 900


def test_features_that_give_the_target_away_are_left_out() -> None:
    parts = [mixed_table(1_500, seed).with_columns(pl.col("grade").alias("leak")) for seed in (1, 2, 3)]
    schema = columns(size="numeric", grade="categorical", city="categorical", late="boolean", leak="categorical")
    assert measure(*parts, schema=schema)["trtr"].value == pytest.approx(1.0)
    assert measure(*parts, schema=schema, exclude=["leak"])["trtr"].value < 0.97


def test_what_real_rows_cannot_predict_has_no_ratio() -> None:
    rng = np.random.default_rng(0)
    parts = [pl.DataFrame({"x": rng.normal(size=400), "y": rng.choice(["a", "b"], 400)}) for _ in range(3)]
    found = measure(*parts, target="y", schema=columns(x="numeric", y="categorical"))
    assert found["ratio"].status == "not_measured"
    assert "chance" in found["ratio"].detail


@pytest.mark.parametrize(
    ("target", "change", "reason"),
    [
        (None, {}, "no target"),
        ("key", {}, "cannot be predicted"),
    ],
)
def test_what_cannot_be_measured_says_why(target: str | None, change: dict, reason: str) -> None:
    schema = columns(size="numeric", grade="categorical", key="id")
    parts = [mixed_table(300, seed).select("size", "grade", pl.lit("k").alias("key")) for seed in (1, 2, 3)]
    parts[2] = parts[2].with_columns(pl.lit(value).alias(name) for name, value in change.items())
    found = measure(*parts, target=target, schema=schema)
    assert {estimate.status for estimate in found.values()} == {"not_measured"}
    assert reason in found["tstr"].detail


def test_a_high_cardinality_feature_is_no_obstacle() -> None:
    rng = np.random.default_rng(0)
    parts = [
        mixed_table(1_000, seed).with_columns(pl.Series("tail", [f"t{i}" for i in rng.integers(0, 600, 1_000)]))
        for seed in (1, 2, 3)
    ]
    schema = columns(size="numeric", grade="categorical", tail="categorical")
    assert measure(*parts, schema=schema)["trtr"].value > 0.8


@pytest.mark.parametrize(
    "change",
    [
        pl.lit("high").alias("grade"),
        pl.lit("HIGH").alias("grade"),
        pl.lit(None, dtype=pl.String).alias("grade"),
        pl.col("grade") + " ",
    ],
    ids=["one class", "another spelling", "no class", "a space behind"],
)
def test_synthetic_rows_that_teach_no_class_score_the_floor(change: pl.Expr) -> None:
    parts = [mixed_table(400, seed) for seed in (1, 2, 3)]
    found = measure(*parts[:2], parts[2].with_columns(change))
    assert found["tstr"].value == 0.5
    assert found["ratio"].value == 0.0
    assert found["trtr"].value > 0.8


def test_a_synthetic_target_without_numbers_scores_the_floor() -> None:
    parts = [mixed_table(400, seed) for seed in (1, 2, 3)]
    empty = parts[2].with_columns(pl.lit(None, dtype=pl.Float64).alias("size"))
    found = measure(*parts[:2], empty, target="size")
    assert (found["tstr"].value, found["ratio"].value) == (pytest.approx(0.0), pytest.approx(0.0))


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_absurd_synthetic_numbers_fail_and_do_not_crash(factor: float) -> None:
    parts = [mixed_table(400, seed) for seed in (1, 2, 3)]
    found = measure(*parts[:2], parts[2].with_columns(pl.col("size") * factor), target="size")
    assert found["ratio"].value < 0.1


def test_huge_real_numbers_are_measured_like_others() -> None:
    parts = [mixed_table(800, seed).with_columns(pl.col("size") * 1e300) for seed in (1, 2, 3)]
    assert measure(*parts, target="size")["trtr"].value > 0.2


def test_a_holdout_of_one_class_is_not_measured() -> None:
    parts = [mixed_table(300, seed) for seed in (1, 2, 3)]
    parts[1] = parts[1].with_columns(
        pl.when(pl.col("grade") == "high").then(pl.lit("HIGH")).otherwise("grade").alias("grade")
    )
    assert measure(*parts)["trtr"].status == "not_measured"


def test_a_feature_without_values_is_no_obstacle() -> None:
    parts = [mixed_table(400, seed) for seed in (1, 2, 3)]
    parts[2] = parts[2].with_columns(pl.lit(None, dtype=pl.Float64).alias("size"))
    assert measure(*parts)["tstr"].status == "measured"


def test_a_model_that_learned_nothing_has_no_ratio() -> None:
    parts = [mixed_table(rows, seed) for rows, seed in ((8, 1), (200, 2), (8, 3))]
    assert measure(*parts)["ratio"].status == "not_measured"


def test_both_models_learn_from_equally_many_rows() -> None:
    train, holdout, synthetic = mixed_table(4_000, 1), mixed_table(1_000, 2), mixed_table(150, 3)
    few = [measure(train, holdout, synthetic, seed=seed)["trtr"].value for seed in range(3)]
    assert np.mean(few) < measure(train, holdout, train)["trtr"].value - 0.003


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utility, "RESAMPLES", 60)


pytestmark = pytest.mark.usefixtures("few_resamples")


def test_fresh_rows_are_learned_no_better_than_real_ones() -> None:
    gap = measure(mixed_table(1_500, 1), mixed_table(800, 2), mixed_table(1_500, 3))["generalization_gap"]
    assert gap.low < 0 < gap.high
    assert abs(gap.reference) < 4 * gap.reference_se
    assert "300 synthetic rows" in gap.detail


def test_a_copy_of_the_training_part_has_the_gap_of_the_training_part() -> None:
    train = mixed_table(500, 1)
    gap = measure(train, mixed_table(300, 2), train)["generalization_gap"]
    assert gap.value == gap.reference


@pytest.mark.parametrize("target", ["grade", "size"])
def test_a_generator_that_repeats_itself_is_learned_too_well(target: str) -> None:
    repeated = pl.concat([mixed_table(60, 3)] * 20)
    gap = measure(mixed_table(1_200, 1), mixed_table(800, 2), repeated, target=target)["generalization_gap"]
    assert gap.low > gap.reference + 2 * gap.reference_se
    assert gap.low > 0.03


def test_a_rule_that_real_rows_do_not_follow_is_an_overfit() -> None:
    ruled = mixed_table(1_000, 3).with_columns(
        pl.when(pl.col("city") == "Rom").then(pl.lit("high")).otherwise(pl.lit("low")).alias("grade")
    )
    gap = measure(mixed_table(1_000, 1), mixed_table(500, 2), ruled)["generalization_gap"]
    assert gap.low > 0.3


def test_few_synthetic_rows_have_no_test_part() -> None:
    found = measure(mixed_table(500, 1), mixed_table(300, 2), mixed_table(60, 3))
    assert found["tstr"].status == "measured"
    assert found["generalization_gap"].status == "not_measured"
    assert "12 rows" in found["generalization_gap"].detail


def shuffle_within(table: pl.DataFrame, group: pl.Expr) -> pl.DataFrame:
    """Return the table with the grades of one group's rows permuted among themselves."""
    mixed = pl.col("grade").filter(group).shuffle(seed=1)
    parts = [table.filter(group).with_columns(mixed.alias("grade")), table.filter(~group)]
    return pl.concat(parts)


def test_a_group_whose_rows_teach_nothing_is_found_and_not_named() -> None:
    train, holdout = mixed_table(3_000, 1), mixed_table(2_000, 2)
    worse = shuffle_within(mixed_table(3_000, 3), pl.col("city") == "Oslo")
    found = measure(train, holdout, worse, groups=["city", "late"])
    assert found["subgroup_gap.city"].low > 0.02
    assert found["subgroup_gap"].value == max(found["subgroup_gap.city"].value, found["subgroup_gap.late"].value)
    assert "6 levels of 2 columns" in found["subgroup_gap"].detail
    texts = "".join(f"{estimate.detail}{estimate.reference_kind}" for estimate in found.values())
    assert not any(city in texts for city in ("Rom", "Oslo", "Bern", "Wien", "high"))


def test_groups_served_alike_have_no_gap() -> None:
    found = measure(mixed_table(2_000, 1), mixed_table(1_000, 2), mixed_table(2_000, 3), groups=["city"])
    assert found["subgroup_gap"].low < 0 < found["subgroup_gap"].high
    assert found["subgroup_gap"].reference == 0


def test_numbers_are_grouped_by_quarters_of_the_training_part() -> None:
    found = measure(mixed_table(500, 1), mixed_table(2_000, 2), mixed_table(500, 3), target="late", groups=["size"])
    # Four quarters, and the missing cells (some 100).
    assert "5 levels" in found["subgroup_gap.size"].detail


@pytest.mark.parametrize("few", [40, 50])
def test_a_level_needs_fifty_holdout_rows(few: int) -> None:
    holdout = mixed_table(400, 2).with_columns(group=pl.when(pl.int_range(400) < few).then(pl.lit("a")))
    train, synthetic = (mixed_table(400, seed).with_columns(group=pl.lit("a")) for seed in (1, 3))
    schema = columns(size="numeric", grade="categorical", city="categorical", late="boolean", group="categorical")
    found = measure(train, holdout, synthetic, schema=schema, groups=["group"])
    assert f"{1 + (few == 50)} levels" in found["subgroup_gap.group"].detail


def test_the_loss_of_a_number_is_its_squared_error_by_hand() -> None:
    # Errors 1 and 3: (1 + 9)/2, over a variance of 4; the second row counted three times: (1 + 27)/4.
    score = negative_error(4.0)(np.array([0.0, 0.0]), np.array([1.0, 3.0]))
    assert score(np.ones(2)) == -5 / 4
    assert score(np.array([1.0, 3.0])) == -7 / 4


def test_a_group_whose_numbers_are_wrong_is_found() -> None:
    worse = mixed_table(2_000, 3).with_columns(
        pl.when(pl.col("city") == "Oslo").then(pl.col("size") + 30).otherwise("size").alias("size")
    )
    parts = (mixed_table(2_000, 1), mixed_table(1_000, 2), worse)
    found = measure(*parts, target="size", groups=["city", "late"])
    assert found["subgroup_gap.city"].low > 0.5
    assert found["subgroup_gap.late"].value < found["subgroup_gap.city"].low


def test_groups_that_cannot_be_measured_say_why() -> None:
    parts = [mixed_table(rows, rows) for rows in (300, 200, 300)]
    assert "validate.groups" in measure(*parts)["subgroup_gap"].detail
    found = measure(*parts, groups=["grade", "late"])
    assert found["subgroup_gap.grade"].status == "not_measured"  # within a class there is nothing to tell
    assert found["subgroup_gap.late"].status == found["subgroup_gap"].status == "measured"
    found = measure(*parts, target=None, groups=["late"])
    assert {estimate.status for estimate in found.values()} == {"not_measured"}
    assert "subgroup_gap.late" in found


def test_the_interval_of_the_largest_is_simultaneous_by_hand() -> None:
    task = utility.Task([np.zeros(9)] * 3, [], None, r2, r2, 0.0, "R²", (None, 1.0), False, pl.DataFrame())  # type: ignore[arg-type]
    # Level 1: value 2 and deviations ±1; level 2: value 1 and ±.1, so both studentised deviations are 1.
    draws = np.array([[2.0, 1.0], [3.0, 1.1], [1.0, 0.9], [3.0, 0.9], [1.0, 1.1]])
    found = utility._largest(task, draws, (), "2 levels")
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 1.0, 3.0))
    noisy = draws * [1, 1] + [[0, 0], [0.5, 0], [-0.5, 0], [0.5, 0], [-0.5, 0]]
    assert utility._largest(task, noisy, (), "2 levels").low == pytest.approx(0.9)  # level 2 is sure, level 1 not


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_targets_that_are_no_numbers_are_left_out_of_the_real_tables(value: float) -> None:
    far = pl.when(pl.int_range(pl.len()) % 10 == 0).then(value).otherwise(pl.col("size").fill_null(1.0)).alias("size")
    parts = [mixed_table(400, seed).with_columns(far) for seed in (1, 2, 3)]
    found = measure(*parts, target="size")
    assert found["tstr"].n == 360
    assert found["trtr"].value > 0.2


def test_a_curve_steps_once_for_rows_of_one_score() -> None:
    # Scores .9 (positive), .5 (one of each), .1 (other): half a positive, then all and half the others, then all.
    positive = np.array([False, True, True, False])
    found = roc_curve(positive, np.array([0.1, 0.9, 0.5, 0.5]), "who")
    assert (found.name, found.x, found.y) == ("who", (0.0, 0.0, 0.5, 1.0), (0.0, 0.5, 1.0, 1.0))


def test_a_long_curve_keeps_its_ends_and_the_area_below_it() -> None:
    rng = np.random.default_rng(1)
    positive = rng.random(5000) < 0.3
    score = rng.normal(positive, 1.0)
    found = roc_curve(positive, score, "who")
    assert len(found.x) <= CURVE_POINTS
    assert (found.x[0], found.y[0], found.x[-1], found.y[-1]) == (0, 0, 1, 1)
    area = np.trapezoid(found.y, found.x)
    assert area == pytest.approx(auc(positive, score)(np.ones(5000)), abs=0.002)


def test_only_a_target_of_two_classes_has_curves() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=400)
    for target, dtype, kind, names in (
        ((x > 0).astype(str), "String", Kind.CATEGORICAL, ["trained on synthetic", "trained on real"]),
        (np.floor(x * 2).clip(-1, 1).astype(str), "String", Kind.CATEGORICAL, []),
        (x * 3, "Float64", Kind.NUMERIC, []),
    ):
        frame = pl.DataFrame({"x": x, "y": target})
        schema = Schema((Column("x", Kind.NUMERIC, "Float64"), Column("y", kind, dtype)))
        found = measure_utility(frame, frame, frame, schema, target="y", exclude=(), seed=1)
        assert [curve.name for estimate in found for curve in estimate.curves] == names
