"""Rubin's rules: by hand, and in the long run."""

from __future__ import annotations

from math import inf, isfinite, sqrt

import numpy as np
import polars as pl
import pytest
from examples import columns
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from synthcli.augmentation.pooling import Pooled, pool_tables, pooled

#: Three estimates: mean 2, variance between 1, so that (1 + 1/3) · 1 adds up with 1/2 within to 11/6.
VALUES, WITHIN = (1.0, 2.0, 3.0), (0.25, 0.5, 0.75)
TOTAL, SHARE, RATIO = 11 / 6, (4 / 3) / (11 / 6), (4 / 3) / (1 / 2)


def test_three_estimates_by_hand() -> None:
    found = pooled(VALUES, WITHIN)
    df = 2 / SHARE**2  # Rubin 1987: (m - 1) / λ²
    assert df == pytest.approx(3.78125)
    half = student.ppf(0.975, df) * sqrt(TOTAL)
    fmi = (RATIO + 2 / (df + 3)) / (1 + RATIO)
    assert found == pytest.approx((2.0, sqrt(TOTAL), 2 - half, 2 + half, df, fmi))


def test_few_rows_cost_degrees_of_freedom() -> None:
    # Barnard & Rubin 1999: of 20, (21/23) · 20 · (1 - λ) are left where cells are missing; both in parallel.
    found = pooled(VALUES, WITHIN, complete_df=20)
    old, seen = 2 / SHARE**2, 21 / 23 * 20 * (1 - SHARE)
    df = 1 / (1 / old + 1 / seen)
    half = student.ppf(0.975, df) * sqrt(TOTAL)
    assert found.df == pytest.approx(df)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half))
    assert found.fmi == pytest.approx((RATIO + 2 / (df + 3)) / (1 + RATIO))


def test_tables_that_agree_leave_the_variance_within() -> None:
    found = pooled((3.0, 3.0, 3.0), (4.0, 4.0, 4.0))
    half = 2 * student.ppf(0.975, 1e9)
    assert found == pytest.approx(Pooled(3.0, 2.0, 3 - half, 3 + half, inf, 0.0))
    few = pooled((3.0, 3.0, 3.0), (4.0, 4.0, 4.0), complete_df=10)
    assert (few.se, few.df, few.fmi) == pytest.approx((2.0, 11 / 13 * 10, 0.0))


def test_tables_that_agree_have_nothing_missing_whatever_the_value() -> None:
    assert pooled((0.1, 0.1, 0.1), (1.0, 1.0, 1.0), 100).fmi == 0.0


def test_no_variance_at_all_is_no_interval() -> None:
    assert pooled((3.0, 3.0), (0.0, 0.0), 9) == Pooled(3.0, 0.0, 3.0, 3.0, 9, 0.0)


def test_without_variance_within_all_is_due_to_missing_cells() -> None:
    found = pooled(VALUES, (0.0, 0.0, 0.0))
    half = student.ppf(0.975, 2) * sqrt(4 / 3)
    assert found == pytest.approx(Pooled(2.0, sqrt(4 / 3), 2 - half, 2 + half, 2.0, 1.0))


def test_without_variance_within_there_is_an_interval_for_few_rows_too() -> None:
    found = pooled(VALUES, (0.0, 0.0, 0.0), 10)
    assert isfinite(found.low)
    assert found.low <= 2.0 <= found.high


@settings(max_examples=50)
@given(
    st.lists(st.integers(-100, 100).map(float), min_size=2, max_size=20),
    st.floats(1e-3, 100),
    st.floats(1, 1e6),
    st.floats(-100, 100),
    st.floats(0.01, 100),
)
def test_laws_of_pooling(values: list[float], variance: float, df: float, shift: float, unit: float) -> None:
    variances = [variance] * len(values)
    found = pooled(values, variances, df)
    assert found.low <= found.value <= found.high
    assert found.se >= sqrt(variance) * (1 - 1e-12), "no missing cell makes an estimate better"
    assert 0 <= found.fmi <= 1
    assert 0 < found.df <= df, "nor gives it more degrees of freedom"
    moved = pooled([unit * value + shift for value in values], [unit**2 * each for each in variances], df)
    assert moved.value == pytest.approx(unit * found.value + shift, abs=1e-6)
    assert moved.se == pytest.approx(unit * found.se, rel=1e-5)


def test_the_interval_covers_the_truth_and_that_of_one_table_does_not() -> None:
    """Normal numbers, half of them missing at random, drawn from their law given the seen ones as Rubin has it."""
    rows, seen, m, truth = 60, 30, 5, 10.0
    hits = alone = 0
    draws = 400
    for draw in range(draws):
        random = np.random.default_rng(draw)
        known = random.normal(truth, 2.0, seen)
        tables = []
        for _ in range(m):
            variance = known.var(ddof=1) * (seen - 1) / random.chisquare(seen - 1)
            mean = random.normal(known.mean(), sqrt(variance / seen))
            tables.append(np.append(known, random.normal(mean, sqrt(variance), rows - seen)))
        means, variances = [each.mean() for each in tables], [each.var(ddof=1) / rows for each in tables]
        found = pooled(means, variances, rows - 1)
        hits += found.low <= truth <= found.high
        alone += abs(means[0] - truth) <= student.ppf(0.975, rows - 1) * sqrt(variances[0])
    assert 0.92 <= hits / draws <= 0.98
    assert alone / draws < 0.85


# --- Tables ------------------------------------------------------------------------------------------------------


def completed(*numbers: float) -> list[pl.DataFrame]:
    """Return tables of 100 rows that differ in a number of 40 rows and in how many rows are of the city Oslo."""
    return [
        pl.DataFrame(
            {
                "size": [1.0] * 30 + [3.0] * 30 + [number] * 40,
                "city": ["Rom"] * (45 - at) + ["Oslo"] * (50 + at) + ["Bern"] * 5,
                "late": [True] * 60 + [False] * 40,
                "day": [None] * 100,
            }
        )
        for at, number in enumerate(numbers)
    ]


SCHEMA = columns(size="numeric", city="categorical", late="boolean", day="datetime")


def test_means_and_shares_are_pooled_over_tables() -> None:
    tables = completed(2.0, 4.0)
    found = {(each["column"], each["statistic"]): each for each in pool_tables(tables, SCHEMA, SCHEMA.names)}
    # 45 rows are of Rom, 40 not late: fewer than 50, and nothing is told of them.
    assert list(found) == [("size", "mean"), ("city", "share of Oslo"), ("late", "share of true")]
    variances = [np.var(table["size"].to_numpy(), ddof=1) / 100 for table in tables]
    assert found["size", "mean"] == {
        "column": "size",
        "statistic": "mean",
        **pooled((2.0, 2.8), variances, 99)._asdict(),
    }
    shares = [0.5 * 0.5 / 99, 0.51 * 0.49 / 99]
    oslo = pooled((0.5, 0.51), shares, 99)
    assert {key: found["city", "share of Oslo"][key] for key in oslo._fields} == pytest.approx(oslo._asdict())
    assert found["late", "share of true"]["fmi"] == 0.0


def test_only_the_columns_that_are_asked_for() -> None:
    assert {each["column"] for each in pool_tables(completed(2.0, 4.0), SCHEMA, ["late"])} == {"late"}


@pytest.mark.parametrize(("rows", "told"), [(49, []), (50, ["share of a", "share of b"])])
def test_a_category_of_fewer_than_50_rows_is_not_told(rows: int, told: list[str]) -> None:
    table = pl.DataFrame({"c": ["a"] * rows + ["b"] * rows + [None] * 20})
    assert [each["statistic"] for each in pool_tables([table] * 2, columns(c="categorical"), ["c"])] == told


def test_of_many_categories_the_ten_most_frequent_are_told() -> None:
    table = pl.DataFrame({"c": [f"level {at:02}" for at in range(12) for _ in range(50 + at)]})
    found = pool_tables([table] * 2, columns(c="categorical"), ["c"])
    assert [each["statistic"] for each in found] == [f"share of level {at:02}" for at in range(11, 1, -1)]


def test_cells_that_stay_missing_are_left_out() -> None:
    tables = [pl.DataFrame({"x": [1.0, 3.0, None, float("nan")]}), pl.DataFrame({"x": [1.0, 3.0, 5.0, None]})]
    found = pool_tables(tables, columns(x="numeric"), ["x"])[0]
    # Two known cells in one table and three in the other: the fewer count for degrees of freedom.
    expected = pooled((2.0, 3.0), (2 / 2, 4 / 3), 1)
    assert {key: found[key] for key in expected._fields} == pytest.approx(expected._asdict())
