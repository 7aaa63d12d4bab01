"""The masking test: its figures by hand, its patterns by their law, its reference by simulation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import association

from synthcli.augmentation import masking
from synthcli.augmentation.baselines import FILLERS, any_cell, mean_mode
from synthcli.augmentation.impute import Impute
from synthcli.augmentation.masking import HIDDEN, OWN, PATTERNS, Effort, cramers_v, measure_masking
from synthcli.augmentation.recipe import Augmented, Recipe
from synthcli.config.models import ProtectionSection
from synthcli.errors import BadTableError
from synthcli.metrics.boosting import Features, Floats
from synthcli.schema import Schema
from synthcli.synthesizers.protocol import Progress

NAN = float("nan")
RECIPE = Recipe("forest", {}, ProtectionSection())
TABLE = mixed_table(600, 1)
ENCODING = Features.fit(TABLE, MIXED.modelled)
TRUTH = ENCODING.matrix(TABLE)
KEYS = ("right", "error", "tvd", "pairs", "dependence")


class Oracle(Impute):
    """Puts the true cells back, since it is given all rows."""

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        return Augmented(TABLE, np.zeros(TABLE.height, np.int8), {})


class Idle(Impute):
    """Leaves all holes."""

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        return Augmented(table, np.zeros(table.height, np.int8), {})


class Failing(Impute):
    """Cannot fill."""

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        raise BadTableError("no")


def true_cells(matrix: Floats, encoding: Features, seed: int) -> Floats:
    return TRUTH.copy()


def measured(wish: Impute, seed: int = 1, **fillers: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the figures by pattern and method, of holes in all of ``TABLE``."""
    found = measure_masking(TABLE, MIXED, wish, RECIPE, seed, Effort(3, 10_000), lambda share, note: None, fillers)
    json.dumps(found, allow_nan=False)
    return {(each["pattern"], one["method"]): one for each in found["patterns"] for one in each["methods"]}


def text(**levels: str) -> Features:
    """Return the encoding of columns of categories, a letter each."""
    table = pl.DataFrame({name: list(letters) for name, letters in levels.items()})
    return Features.fit(table, columns(**dict.fromkeys(levels, "categorical")).modelled)


# --- Cramér's V --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[10, 0], [0, 10]], 1.0),
        ([[0, 5, 0], [7, 0, 0], [0, 0, 1]], 1.0),
        ([[4, 8], [2, 4]], 0.0),
        ([[3, 1], [1, 3]], 0.5),  # chi-square 4 · 1²/2 = 2; sqrt(2/8)
        ([[3, 0, 1], [1, 0, 3], [0, 0, 0]], 0.5),  # levels that do not occur say nothing
        ([[5, 3], [0, 0]], 0.0),
        ([[0, 0], [0, 0]], 0.0),
    ],
)
def test_cramers_v_by_hand(table: list[list[int]], expected: float) -> None:
    assert cramers_v(np.array(table)) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 6))
def test_cramers_v_is_that_of_scipy_and_symmetric(seed: int, wide: int, high: int) -> None:
    table = np.random.default_rng(seed).integers(1, 30, (wide, high))
    assert cramers_v(table) == pytest.approx(association(table, method="cramer"))
    assert cramers_v(table.T) == pytest.approx(cramers_v(table))
    assert cramers_v(table * 3) == pytest.approx(cramers_v(table))


# --- What is hidden ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_fifth_of_the_known_cells_of_the_named_columns_is_hidden(pattern: str) -> None:
    table = mixed_table(20_000, 2)
    truth = ENCODING.matrix(table)
    hidden = masking._hidden(truth, ENCODING, ["size", "city"], pattern, np.random.default_rng(3))
    assert not hidden[:, [1, 3]].any()
    assert not hidden[np.isnan(truth)].any()
    for at in (0, 2):
        assert hidden[~np.isnan(truth[:, at]), at].mean() == pytest.approx(HIDDEN, abs=0.015)
    one_column = masking._hidden(truth, ENCODING, ["city"], pattern, np.random.default_rng(3))
    assert (one_column[:, 2] == hidden[:, 2]).all(), "which other columns are hidden does not matter"


def test_only_one_pattern_hides_high_values_more_often() -> None:
    table = mixed_table(20_000, 2)
    truth = ENCODING.matrix(table)
    rates: dict[str, tuple[float, float]] = {}
    spread: dict[str, float] = {}
    for pattern in PATTERNS:
        hidden = masking._hidden(truth, ENCODING, MIXED.names, pattern, np.random.default_rng(4))
        low, high = np.nanquantile(truth[:, 0], [0.1, 0.9])
        rates[pattern] = (hidden[truth[:, 0] < low, 0].mean(), hidden[truth[:, 0] > high, 0].mean())
        by_level = [hidden[truth[:, 2] == level, 2].mean() for level in range(4)]
        spread[pattern] = max(by_level) - min(by_level)
    assert rates["random"] == pytest.approx((HIDDEN, HIDDEN), abs=0.03)
    assert spread["random"] < 0.06
    # Log-odds rise by 4 from the lowest to the highest: by 3.6 between the middles of the outer tenths.
    odds = [rate / (1 - rate) for rate in rates["not_random"]]
    assert np.log(odds[1] / odds[0]) == pytest.approx(3.6, abs=0.4)
    assert spread["not_random"] > 0.15


def test_chances_are_logistic_in_rank_or_differ_between_levels() -> None:
    values = np.random.default_rng(5).permutation(np.arange(1_000.0) ** 3)
    chances = masking._chances(values, False, np.random.default_rng(6))
    assert chances.mean() == pytest.approx(HIDDEN)
    ranked = np.log(chances / (1 - chances))[np.argsort(values)]
    assert np.diff(ranked) == pytest.approx(np.full(999, 4 / 1_000))
    codes = np.repeat([0.0, 1.0, 2.0], [500, 300, 200])
    levels = masking._chances(codes, True, np.random.default_rng(6))
    assert levels.mean() == pytest.approx(HIDDEN)
    odds = sorted({round(float(np.log(each / (1 - each))), 9) for each in levels})
    assert len(odds) == 2
    assert odds[1] - odds[0] == pytest.approx(2.0)


# --- Figures -----------------------------------------------------------------------------------------------------


def test_figures_of_four_rows_by_hand() -> None:
    # a and b are equal in every row. Of a all cells are hidden and half of them hit, so that nothing depends any more.
    encoding = text(a="xyxy", b="xyxy")
    truth = np.array([[0.0, 0], [0, 0], [1, 1], [1, 1]])
    filled = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    hidden = np.array([[True, False]] * 4)
    found = masking._scores(truth, filled, hidden, encoding)
    # Pairs: half 00 and half 11 became a quarter of each.
    assert found == pytest.approx({"right": 0.5, "tvd": 0.0, "pairs": 0.5, "dependence": 1.0})
    filled[:, 0] = 0
    # Always x: half are hit, half of the cells have the wrong level, and one level depends on nothing.
    found = masking._scores(truth, filled, hidden, encoding)
    assert found == pytest.approx({"right": 0.5, "tvd": 0.5, "pairs": 0.5, "dependence": 1.0})


def test_errors_of_numbers_are_in_standard_deviations_of_the_column() -> None:
    table = pl.DataFrame({"x": [0.0, 2.0, 4.0, 6.0]})
    encoding = Features.fit(table, columns(x="numeric").modelled)
    truth = encoding.matrix(table)
    hidden = np.array([[True], [False], [False], [True]])
    filled = np.array([[3.0], [2.0], [4.0], [7.0]])
    spread = np.sqrt(5)  # of 0, 2, 4, 6
    expected = np.sqrt((3**2 + 1**2) / 2) / spread
    assert masking._scores(truth, filled, hidden, encoding)["error"] == pytest.approx(expected)


def test_bins_hold_equally_many_true_numbers_and_missing_cells_have_their_own() -> None:
    truth = np.append(np.arange(100.0), NAN)
    codes, size = masking._binned(truth, truth, False, 10, None)
    assert size == 11
    assert np.bincount(codes, minlength=size).tolist() == [10] * 10 + [1]
    beyond, _ = masking._binned(np.array([-1e9, 1e9, NAN]), truth, False, 10, None)
    assert beyond.tolist() == [0, 9, 10]


def test_levels_beyond_the_most_frequent_are_one_and_so_are_unknown_ones() -> None:
    truth = np.array([5.0, 5, 2, 2, 2, 7, NAN])
    codes, size = masking._binned(np.array([2.0, 5, 7, 9, NAN]), truth, True, 10, 2)
    assert size == 4
    assert codes.tolist() == [0, 1, 2, 2, 3]
    assert masking._binned(np.array([2.0, 5, 7, 9, NAN]), truth, True, 10, None)[0].tolist() == [0, 1, 2, 3, 4]


def test_the_reference_is_the_distance_between_two_samples_of_one_law() -> None:
    random = np.random.default_rng(7)
    encoding = Features.fit(pl.DataFrame({"c": ["a"], "x": [1.0]}), columns(c="categorical", x="numeric").modelled)
    rows, law = 500, [0.6, 0.25, 0.1, 0.05]

    def sample() -> Floats:
        return np.column_stack([random.choice(4, rows, p=law).astype(float), random.gamma(2.0, 1.0, rows)])

    every = np.ones((rows, 2), np.bool_)
    distances, references = [], []
    for _ in range(60):
        truth = sample()
        distances.append(masking._scores(truth, sample(), every, encoding)["tvd"])
        references.append(masking._reference(truth, every, encoding))
    assert np.mean(references) == pytest.approx(np.mean(distances), rel=0.05)


# --- The report --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def figures() -> dict[tuple[str, str], dict[str, Any]]:
    return measured(Oracle(MIXED.names), perfect=true_cells, mean=mean_mode, any=any_cell)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("method", ["perfect", OWN])
def test_who_fills_in_the_truth_is_without_fault(
    figures: dict[tuple[str, str], dict[str, Any]], pattern: str, method: str
) -> None:
    values = {key: figures[pattern, method][key]["value"] for key in KEYS}
    assert values == {"right": 1.0, "error": 0.0, "tvd": 0.0, "pairs": 0.0, "dependence": 0.0}


def test_a_mean_is_nearer_to_the_truth_cell_by_cell_and_its_law_is_worse(
    figures: dict[tuple[str, str], dict[str, Any]],
) -> None:
    mean, drawn = figures["random", "mean"], figures["random", "any"]
    assert mean["error"]["value"] == pytest.approx(1.0, abs=0.1)
    assert drawn["error"]["value"] == pytest.approx(np.sqrt(2), abs=0.2)
    assert mean["right"]["value"] > drawn["right"]["value"]
    for key in ("tvd", "pairs"):
        assert mean[key]["low"] > drawn[key]["high"]
    # A cell drawn from the four fifths that are known is nearly a second sample.
    assert 0.8 < drawn["tvd"]["value"] / drawn["tvd"]["reference"] < 1.4
    assert mean["tvd"]["value"] > 3 * mean["tvd"]["reference"]
    assert drawn["dependence"]["value"] > 0.1


def test_a_law_drawn_from_known_cells_is_wrong_where_high_values_are_hidden(
    figures: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert figures["not_random", "any"]["tvd"]["low"] > figures["random", "any"]["tvd"]["high"]


@pytest.mark.parametrize("wish", [Failing(MIXED.names), Idle(MIXED.names)])
def test_who_leaves_holes_has_no_figures_and_the_others_have_theirs(wish: Impute) -> None:
    found = measured(wish, mean=mean_mode)
    for pattern in PATTERNS:
        assert found[pattern, OWN] == {"method": OWN, **dict.fromkeys(KEYS)}
        assert found[pattern, "mean"]["tvd"]["value"] > 0


def test_only_columns_that_are_to_be_filled_count() -> None:
    found = measured(Oracle(("size",)), mean=mean_mode)["random", "mean"]
    assert found["right"] is None
    assert found["error"]["value"] == pytest.approx(1.0, abs=0.1)


def test_equal_seeds_hide_the_same_cells_from_every_method() -> None:
    holes: list[masking.Flags] = []

    def seeing(matrix: Floats, encoding: Features, seed: int) -> Floats:
        holes.append(np.isnan(matrix))
        return mean_mode(matrix, encoding, seed)

    first = measured(Oracle(MIXED.names), one=seeing, other=seeing)
    assert len(holes) == 3 * 2 * 2
    # Steps: for each repetition and pattern one method after the other.
    assert all((one == other).all() for one, other in zip(holes[::2], holes[1::2], strict=True))
    assert len({each.tobytes() for each in holes}) == 6
    assert measured(Oracle(MIXED.names), one=seeing, other=seeing) == first
    assert measured(Oracle(MIXED.names), seed=2, one=seeing, other=seeing) != first


def test_rows_are_limited_and_the_ways_to_fill_are_the_usual_ones() -> None:
    heights: set[int] = set()

    def seeing(matrix: Floats, encoding: Features, seed: int) -> Floats:
        heights.add(len(matrix))
        return mean_mode(matrix, encoding, seed)

    quick = Effort(2, 100)
    found = measure_masking(
        TABLE, MIXED, Failing(MIXED.names), RECIPE, 1, quick, lambda share, note: None, dict.fromkeys(FILLERS, seeing)
    )
    assert heights == {100}
    assert (found["rows"], found["repetitions"], found["hidden"]) == (100, 2, HIDDEN)
    assert [each["method"] for each in found["patterns"][0]["methods"]] == [*FILLERS, OWN]
