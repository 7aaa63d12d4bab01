"""Facts about empirical marginals: exact shares, quantiles between records and never on them, and the way back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.synthesizers.marginals import Bands, Marginals, Quantiles, learn


def test_a_common_value_is_a_flat_stretch_and_the_rest_lies_half_way_between_blocks() -> None:
    cells = np.array([0.0] * 5 + [float(v) for v in range(10, 20)])
    marginals, _ = learn({"x": cells}, seed=1)
    margin = marginals.margins["x"]
    assert isinstance(margin, Quantiles)
    # 15 cells: five zeros are common; of 10, 11, … 19 the first five end half way between 14 and 15.
    assert margin.ranks == pytest.approx((0, 0, 5 / 15, 10 / 15, 1))
    assert margin.values == (0, 0, 0, 14.5, 19)
    assert margin.decode(np.array([0.0, 0.2, 1 / 3, 2 / 3, 1.0])) == pytest.approx([0, 0, 0, 14.5, 19])


def test_levels_cover_exactly_their_shares() -> None:
    marginals, uniform = learn({"c": np.array([2, 0, 0, 0, 2, 1, 2, 2])}, seed=1)
    bands = marginals.margins["c"]
    assert isinstance(bands, Bands)
    widths = dict(zip(bands.order, np.diff(bands.edges), strict=True))
    assert widths == pytest.approx({0: 3 / 8, 1: 1 / 8, 2: 4 / 8})
    assert bands.decode(uniform["c"]).tolist() == [2, 0, 0, 0, 2, 1, 2, 2]


def test_a_level_that_never_occurs_has_no_place() -> None:
    marginals, _ = learn({"c": np.array([0, 2, 2])}, seed=1)
    low, high = marginals.margins["c"].interval(np.array([0, 1, 2, 7, -1]), 0.0)
    assert np.isnan(low).tolist() == [False, True, False, True, True]
    assert (high - low)[[0, 2]] == pytest.approx([1 / 3, 2 / 3])


def test_the_order_of_levels_follows_what_they_occur_with() -> None:
    draw = np.random.default_rng(1)
    wealth = draw.standard_normal(2000)
    # Level numbers say nothing: 1 is poorest, 2 in the middle, 0 richest.
    place = np.array([1, 2, 0])[np.digitize(wealth, [-0.5, 0.5])]
    order = learn({"wealth": wealth, "place": place}, seed=1)[0].margins["place"].order  # type: ignore[union-attr]
    assert order in ((1, 2, 0), (0, 2, 1))


def test_missing_numbers_are_a_column_of_their_own_whose_name_is_free() -> None:
    cells = np.array([1.0, np.nan, 3.0, 4.0])
    marginals, uniform = learn({"x": cells, "x is missing": np.array([0, 1, 0, 1])}, seed=1)
    assert marginals.missing == {"x": "x is missing?"}
    decoded = marginals.decode(uniform)
    assert set(decoded) == {"x", "x is missing"}
    assert np.isnan(decoded["x"]).tolist() == [False, True, False, False]


def test_no_uncommon_value_is_in_the_marginals_but_the_ends() -> None:
    cells = np.random.default_rng(1).normal(size=5000)
    margin = learn({"x": cells}, seed=1)[0].margins["x"]
    assert set(margin.values) & set(cells.tolist()) == {cells.min(), cells.max()}  # type: ignore[union-attr]
    assert len(margin.values) <= 1002  # type: ignore[union-attr]


def test_ends_that_are_common_are_not_records() -> None:
    cells = np.clip(np.random.default_rng(1).normal(size=500), -1, 1)
    margin = learn({"x": cells}, seed=1)[0].margins["x"]
    assert set(margin.values) & set(cells.tolist()) == {-1.0, 1.0}  # type: ignore[union-attr]


tables = st.lists(
    st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6, allow_nan=False)), min_size=2, max_size=200
).filter(lambda cells: len(set(cells)) > 1)


@given(tables)
def test_ranks_are_uniform_and_quantiles_never_decrease(cells: list[float]) -> None:
    array = np.array(cells)
    marginals, uniform = learn({"x": array}, seed=3)
    ranks = np.sort(uniform["x"])
    # The sorted ranks of n cells lie one in each n-th where no two are equal; equal ones share their stretch.
    assert ((ranks >= 0) & (ranks <= 1)).all()
    values, counts = np.unique(array, return_counts=True)
    ends = np.cumsum(counts) / len(array)
    for value, end in zip(values, ends, strict=True):
        assert (uniform["x"][array <= value] <= end + 1e-12).all()
    drawn = marginals.decode({"x": np.linspace(0, 1, 101)})["x"]
    assert (np.diff(drawn) >= -1e-9 * np.abs(drawn).max()).all()
    assert drawn.min() >= array.min()
    assert drawn.max() <= array.max()


@given(tables)
def test_the_ranks_of_a_value_lead_back_to_it(cells: list[float]) -> None:
    margin = learn({"x": np.array(cells)}, seed=3)[0].margins["x"]
    low, high = margin.interval(np.array(cells), 0.0)
    assert (low <= high + 1e-12).all()
    middle = margin.decode((low + high) / 2)
    assert middle == pytest.approx(np.array(cells), rel=1e-6, abs=1e-6)


@given(tables)
def test_marginals_survive_json(cells: list[float]) -> None:
    marginals, _ = learn({"x": np.array(cells), "c": np.array([i % 3 for i in range(len(cells))])}, seed=3)
    assert Marginals.from_dict(json.loads(json.dumps(marginals.to_dict()))) == marginals


def test_rounding_widens_the_ranks_to_all_that_is_rounded_to_the_value() -> None:
    margin = Quantiles((0.0, 1.0), (0.0, 10.0))
    low, high = margin.interval(np.array([0.0, 4.0, 10.0, 99.0]), 1.0)
    assert low == pytest.approx([0.0, 0.35, 0.95, 1.0])
    assert high == pytest.approx([0.05, 0.45, 1.0, 1.0])
