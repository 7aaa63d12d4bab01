"""Utility: scores by hand and against scikit-learn, and what good and worthless synthetic rows earn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score, roc_auc_score

from synthcli.metrics.boosting import auc
from synthcli.metrics.utility import class_auc, measure_utility, r2


def measure(train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, **options) -> dict:
    settings = {"target": "grade", "exclude": [], "seed": 1, **options}
    found = measure_utility(train, holdout, synthetic, settings.pop("schema", MIXED), **settings)
    return {estimate.name.split(".")[1]: estimate for estimate in found}


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
