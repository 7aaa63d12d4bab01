"""Accuracy: total variation by hand, references, floors, and what each canary scores."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given
from hypothesis import strategies as st

from synthcli.encoding import CountEncoding
from synthcli.metrics.accuracy import Accuracy, divide, measure_accuracy, shuffled, total_variation

simplex = st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any)


def measure(
    train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema=MIXED, seed: int = 0
) -> Accuracy:
    encoding = CountEncoding.fit(train, schema)
    return measure_accuracy(encoding, *(encoding.encode(part) for part in (train, holdout, synthetic)), seed)


def by_name(result: Accuracy) -> dict:
    return {estimate.name: estimate for estimate in result.estimates}


def test_total_variation_by_hand() -> None:
    assert total_variation(np.array([0.5, 0.5, 0]), np.array([0.25, 0.25, 0.5])) == 0.5


@given(simplex, simplex, simplex)
def test_total_variation_is_a_distance_between_0_and_1(a: list, b: list, c: list) -> None:
    p, q, r = (np.array(counts) / sum(counts) for counts in (a, b, c))
    assert total_variation(p, p) == 0
    assert total_variation(p, q) == total_variation(q, p) <= 1 + 1e-12
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r) + 1e-12


def test_two_columns_by_hand() -> None:
    # Training: a and b always agree. Synthetic: they always differ. Each column by itself is right.
    schema = columns(a="categorical", b="categorical")
    train = pl.DataFrame({"a": ["x", "y"] * 20, "b": ["x", "y"] * 20})
    flipped = pl.DataFrame({"a": ["x", "y"] * 20, "b": ["y", "x"] * 20})
    found = by_name(measure(train, train, flipped, schema))
    assert found["accuracy.univariate"].value == 1.0
    assert found["accuracy.bivariate"].value == 0.0
    assert found["accuracy.bivariate"].reference == 1.0
    assert found["accuracy.bivariate"].floor == pytest.approx(0.5, abs=0.2)


def test_a_missing_and_an_unseen_value_cost_their_share() -> None:
    schema = columns(a="categorical")
    train = pl.DataFrame({"a": ["x"] * 100})
    odd = pl.DataFrame({"a": ["x"] * 70 + [None] * 20 + ["z"] * 10})
    assert by_name(measure(train, train, odd, schema))["accuracy.univariate"].value == pytest.approx(0.7)


def test_fresh_rows_of_the_same_law_score_like_the_holdout() -> None:
    train, holdout, fresh = mixed_table(8_000, 1), mixed_table(2_000, 2), mixed_table(8_000, 3)
    for estimate in measure(train, holdout, fresh).estimates:
        assert estimate.value == pytest.approx(estimate.reference, abs=4 * estimate.reference_se)
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == 2_000


def test_a_copy_of_training_scores_at_least_the_reference() -> None:
    train, holdout = mixed_table(4_000, 1), mixed_table(1_000, 2)
    for estimate in measure(train, holdout, train).estimates:
        assert estimate.value >= estimate.reference


def test_shuffled_columns_score_the_floor_for_pairs_and_the_reference_for_columns() -> None:
    train, holdout = mixed_table(8_000, 1), mixed_table(2_000, 2)
    rng = np.random.default_rng(4)
    broken = train.select(pl.col(name).gather(rng.permutation(train.height)) for name in train.columns)
    found = by_name(measure(train, holdout, broken))
    pairs = found["accuracy.bivariate"]
    assert pairs.value == pytest.approx(pairs.floor, abs=0.01)
    assert pairs.reference - pairs.floor > 0.03
    assert found["accuracy.univariate"].value > found["accuracy.univariate"].reference - 0.01


def test_the_interval_covers_repeated_draws() -> None:
    # The standard error from one audit against the spread over independent audits of the same law.
    values, lows, highs = [], [], []
    for seed in range(30):
        parts = [mixed_table(1_000, 100 * seed + side) for side in range(3)]
        pairs = by_name(measure(*parts))["accuracy.bivariate"]
        values.append(pairs.value), lows.append(pairs.low), highs.append(pairs.high)
    centre = np.mean(values)
    assert np.mean([low <= centre <= high for low, high in zip(lows, highs, strict=True)]) >= 0.8
    assert np.mean(np.array(highs) - lows) < 10 * np.std(values)


def test_worst_columns_and_pairs_come_first() -> None:
    train, holdout = mixed_table(4_000, 1), mixed_table(1_000, 2)
    broken = mixed_table(4_000, 3).with_columns(pl.lit("Rom").alias("city"))
    result = measure(train, holdout, broken)
    assert result.columns[0].name == "city"
    assert "city" in (result.pairs[0].a, result.pairs[0].b)
    assert len(result.pairs) == 6


def test_one_column_has_no_pairs_to_measure() -> None:
    table = pl.DataFrame({"a": ["x", "y"] * 10})
    found = by_name(measure(table, table, table, columns(a="categorical")))
    assert found["accuracy.univariate"].value == 1.0
    assert found["accuracy.bivariate"].status == "not_measured"


def test_one_synthetic_row_is_measured_without_claiming_certainty() -> None:
    train, holdout = mixed_table(100, 1), mixed_table(20, 2)
    for estimate in measure(train, holdout, train[:1]).estimates:
        assert (estimate.low, estimate.high) == (0.0, 1.0)


def test_blocks_use_every_row_of_whole_blocks_once() -> None:
    codes = np.arange(10, dtype=np.uint8)[None, :]
    side = divide(codes, 4, np.random.default_rng(0), groups=2)
    assert side.blocks == 2
    assert len(set(side.codes[0].tolist())) == 8
    assert np.bincount(side.group).tolist() == [2, 2, 2, 2]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_shuffling_keeps_each_column(values: list[int]) -> None:
    codes = np.array([values, values[::-1]], dtype=np.uint8)
    mixed = shuffled(codes, 2 * len(values), np.random.default_rng(1))
    assert (np.sort(mixed, axis=1) == np.sort(np.hstack([codes, codes]), axis=1)).all()
