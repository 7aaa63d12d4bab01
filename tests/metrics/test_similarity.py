"""The classifier two-sample test: blind to samples of one law, sharp where the laws differ, with an honest error."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table

from synthcli.metrics.similarity import auc_se, two_sample_test


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
