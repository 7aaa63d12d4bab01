"""Category coverage: rarefaction by hand, and what a dropped category costs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import columns
from hypothesis import given
from hypothesis import strategies as st

from synthcli.metrics.diversity import emission_chances, measure_category_coverage

SCHEMA = columns(c="categorical", x="numeric")


def table(**counts: int) -> pl.DataFrame:
    cells = [level for level, count in counts.items() for _ in range(count)]
    return pl.DataFrame({"c": cells, "x": [0.0] * len(cells)})


def test_chances_by_hand() -> None:
    # 2 of 4 rows show it: among 2 drawn rows it is missing with probability (2/4)(1/3) = 1/6.
    assert emission_chances(np.array([2, 0, 4, 3]), 4, 2) == pytest.approx([5 / 6, 0, 1, 1])


@given(st.integers(1, 60), st.data())
def test_chances_agree_with_the_hypergeometric_law(rows: int, data: st.DataObject) -> None:
    from scipy import stats

    size, count = data.draw(st.integers(0, rows)), data.draw(st.integers(0, rows))
    expected = 1 - stats.hypergeom.pmf(0, rows, count, size)
    assert emission_chances(np.array([count]), rows, size)[0] == pytest.approx(expected, abs=1e-9)


def test_coverage_by_hand() -> None:
    train, holdout = table(a=50, b=40, c=5, d=5, e=4), table(a=50, b=40, c=5, d=5)
    estimate = measure_category_coverage(train, holdout, table(a=60, b=39, c=1), SCHEMA)
    assert estimate.value == 0.75
    assert estimate.reference == 1.0
    assert estimate.low < 0.75 < estimate.high


def test_a_larger_synthetic_table_gains_nothing_by_its_size() -> None:
    train, holdout = table(a=900, b=100), table(a=9, b=1)
    small = measure_category_coverage(train, holdout, table(a=9, b=1), SCHEMA)
    large = measure_category_coverage(train, holdout, table(a=900, b=100), SCHEMA)
    assert small.n == large.n == 10
    assert large.value == pytest.approx(0.5 + 0.5 * (1 - 0.9**10), abs=0.003)


def test_columns_count_alike_however_many_categories_they_have() -> None:
    schema = columns(wide="categorical", flag="boolean")
    train = pl.DataFrame({"wide": [f"w{i % 20}" for i in range(200)], "flag": [True, False] * 100})
    synthetic = pl.DataFrame({"wide": [f"w{i % 20}" for i in range(200)], "flag": [True] * 200})
    assert measure_category_coverage(train, train, synthetic, schema).value == pytest.approx((1 + 0.5) / 2)


def test_a_table_of_numbers_has_no_categories_to_cover() -> None:
    numbers = pl.DataFrame({"x": [1.0, 2.0]})
    estimate = measure_category_coverage(numbers, numbers, numbers, columns(x="numeric"))
    assert estimate.status == "not_measured"
    assert "category" in estimate.detail
