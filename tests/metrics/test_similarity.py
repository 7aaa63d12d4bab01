"""The classifier two-sample test: blind to samples of one law, sharp where the laws differ, with an honest error."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table

from synthcli.metrics import similarity
from synthcli.metrics.similarity import (
    TwoSample,
    auc_se,
    exchangeable,
    measure_similarity,
    not_exchangeable,
    null_se,
    two_sample_test,
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a tenth of the iterations: enough for what these tests ask."""
    monkeypatch.setattr(similarity, "ITERATIONS", 20)


def test_two_samples_of_one_law_cannot_be_told_apart() -> None:
    found = two_sample_test(mixed_table(1_500, 1), mixed_table(1_500, 2), MIXED, seed=0, max_rows=1_000)
    assert found is not None
    assert found.rows == 1_000
    assert abs(found.auc - 0.5) < 4 * found.se


def test_another_law_is_told_apart() -> None:
    other = mixed_table(1_000, 2).with_columns(pl.col("size") + 30)
    found = two_sample_test(mixed_table(1_000, 1), other, MIXED, seed=0, max_rows=1_000)
    assert found is not None
    assert found.interval.low > 0.8


def test_too_few_rows_or_columns_are_no_test() -> None:
    assert two_sample_test(mixed_table(9, 1), mixed_table(9, 2), MIXED, seed=0, max_rows=100) is None
    ids = pl.DataFrame({"key": ["a"] * 50})
    assert two_sample_test(ids, ids, columns(key="id"), seed=0, max_rows=100) is None


def test_delongs_error_by_hand() -> None:
    # Placements of the positives (.9, .4) among the negatives (.1, .6): 1 and 1/2; of the negatives: 0 and 1/2.
    positive, score = np.array([True, True, False, False]), np.array([0.9, 0.4, 0.1, 0.6])
    assert auc_se(positive, score) == pytest.approx(np.sqrt(0.125 / 2 + 0.125 / 2))


def test_delongs_error_is_the_spread_over_repeated_samples() -> None:
    rng = np.random.default_rng(0)
    positive = np.repeat([True, False], [60, 100])
    draws = [(rng.normal(size=160) + positive) for _ in range(400)]
    aucs = [np.mean(draw[:60, None] > draw[None, 60:]) for draw in draws]
    assert np.mean([auc_se(positive, draw) for draw in draws]) == pytest.approx(np.std(aucs), rel=0.1)


def test_the_interval_holds_a_half_for_samples_of_one_law() -> None:
    runs = [
        two_sample_test(mixed_table(60, 2 * seed), mixed_table(60, 2 * seed + 1), MIXED, seed, 60, iterations=8)
        for seed in range(40)
    ]
    found = [run for run in runs if run is not None]
    assert len(found) == 40
    held = np.mean([run.interval.low <= 0.5 <= run.interval.high for run in found])
    assert held >= 0.9  # 36 of 40; a true 95 % falls below it once in 20 choices of seeds
    assert np.mean([run.p_value < 0.05 for run in found]) <= 0.12
    # The error of a single model would be too small.
    assert np.std([run.auc for run in found]) > 1.1 * np.mean([run.se for run in found]) / similarity.SHARED_ROWS


@pytest.mark.usefixtures("quick")
def test_estimates_of_another_law_and_of_the_same() -> None:
    train, holdout = mixed_table(600, 1), mixed_table(400, 2)
    other, real = measure_similarity(
        train, mixed_table(600, 3).with_columns(pl.col("size") * 1.5), MIXED, 7, holdout=holdout
    )
    assert (other.name, other.n, other.reference, other.direction) == ("similarity.c2st_auc", 600, 0.5, "lower")
    assert (real.name, real.n, real.reference, real.direction) == ("similarity.c2st_real", 400, 0.5, "target")
    assert other.low > 0.55
    assert other.p_value < 1e-6
    assert real.p_value > 1e-3
    assert real.low < 0.5 < real.high


@pytest.mark.usefixtures("quick")
def test_the_same_seed_gives_the_same_number_and_what_was_found_is_not_measured_again() -> None:
    train, holdout, synthetic = mixed_table(200, 1), mixed_table(150, 2), mixed_table(200, 3)
    first = measure_similarity(train, synthetic, MIXED, 1, holdout=holdout)
    again = measure_similarity(train, synthetic, MIXED, 1, holdout=exchangeable(train, holdout, MIXED, 1))
    assert first == again
    assert first != measure_similarity(train, synthetic, MIXED, 2, holdout=holdout)


@pytest.mark.usefixtures("quick")
def test_a_drift_between_the_real_parts_is_not_exchangeable() -> None:
    train, holdout = mixed_table(600, 1), mixed_table(600, 2)
    assert not not_exchangeable(exchangeable(train, holdout, MIXED, 0))
    assert not_exchangeable(exchangeable(train, holdout.with_columns(pl.col("size") + 15), MIXED, 0))


def test_what_lies_above_the_line_only_by_chance_counts_as_exchangeable() -> None:
    assert not not_exchangeable(TwoSample(0.6, 0.03, 400))
    assert not_exchangeable(TwoSample(0.6, 0.02, 400))
    assert not not_exchangeable(None)


def test_the_error_under_one_law_by_hand() -> None:
    # Ranks: sqrt(41/(12 * 400)) = .0924; five folds that share their rows: times 1.5.
    assert null_se(20) == pytest.approx(0.0924211 * 1.5, rel=1e-5)
    assert TwoSample(0.5 + 1.6448536 * null_se(20), 0.0, 20).p_value == pytest.approx(0.05)


def test_a_model_that_learned_nothing_is_unsure() -> None:
    constant = pl.DataFrame({"s": ["a"] * 50})
    found = two_sample_test(constant, constant, columns(s="categorical"), seed=0, max_rows=50)
    assert found is not None
    assert found.auc == 0.5
    assert found.se == null_se(50)


@pytest.mark.usefixtures("quick")
def test_what_cannot_be_measured_says_why() -> None:
    few = mixed_table(9, 1)
    found = measure_similarity(few, few, MIXED, 0, holdout=None)
    assert [estimate.status for estimate in found] == ["not_measured", "not_measured"]
    assert all("rows" in estimate.detail for estimate in found)


@pytest.mark.usefixtures("quick")
def test_empty_and_infinite_columns_are_no_obstacle() -> None:
    train = mixed_table(100, 1).with_columns(empty=pl.lit(None, dtype=pl.Float64), far=pl.lit(float("inf")))
    synthetic = mixed_table(100, 2).with_columns(empty=pl.lit(None, dtype=pl.Float64), far=pl.lit(-1.7e308))
    synthetic = synthetic.with_columns(pl.when(pl.int_range(100) < 3).then(1.0).otherwise("empty").alias("empty"))
    schema = columns(
        size="numeric", grade="categorical", city="categorical", late="boolean", empty="numeric", far="numeric"
    )
    assert measure_similarity(train, synthetic, schema, 0, holdout=train)[0].value > 0.95


def test_wide_tables_are_told_apart_by_fewer_rows() -> None:
    assert similarity.looked_at(20_000, 0) == similarity.looked_at(20_000, 60) == 20_000
    assert similarity.looked_at(20_000, 100) == 12_000
    assert similarity.looked_at(20_000, 300) == 4_000
    assert similarity.looked_at(20_000, 5_000) == 1_000  # but never by so few that nothing is seen
    assert similarity.looked_at(500, 5_000) == 500


def test_the_rows_of_a_wide_table_are_drawn_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "MAX_CELLS", 100 * len(MIXED.modelled))
    monkeypatch.setattr(similarity, "LEAST_ROWS", 10)
    found = two_sample_test(mixed_table(300, 1), mixed_table(400, 2), MIXED, seed=0, max_rows=1_000, iterations=5)
    assert found is not None
    assert found.rows == 100
