"""Simpler ways to fill holes: what each does by hand, and what all of them keep to."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table

from synthcli.augmentation.baselines import (
    FILLERS,
    INDICATORS,
    any_cell,
    mean_mode,
    neighbours,
    rounds,
    through_indicators,
)
from synthcli.metrics.boosting import Features, Floats

NAN = float("nan")
every_way = pytest.mark.parametrize("way", FILLERS)


def encoded(**columns_of: list[object]) -> tuple[Floats, Features]:
    """Return a table's matrix and encoding: text and truth values are categories."""
    table = pl.DataFrame(columns_of)
    kinds = {pl.Boolean: "boolean", pl.String: "categorical"}
    schema = columns(**{name: kinds.get(dtype.base_type(), "numeric") for name, dtype in table.schema.items()})
    encoding = Features.fit(table, schema.modelled)
    return encoding.matrix(table), encoding


def holed(rows: int = 200, share: float = 0.3) -> tuple[Floats, Features]:
    """Return a mixed table's matrix in which some cells of every column are missing."""
    table = mixed_table(rows, 1)
    encoding = Features.fit(table, MIXED.modelled)
    matrix = encoding.matrix(table)
    return np.where(np.random.default_rng(2).random(matrix.shape) < share, NAN, matrix), encoding


@every_way
def test_known_cells_stay_and_no_hole_does(way: str) -> None:
    matrix, encoding = holed()
    before = matrix.copy()
    filled = FILLERS[way](matrix, encoding, 1)
    assert np.array_equal(matrix, before, equal_nan=True), "the input is not written to"
    assert np.isnan(matrix).any(axis=0).all()
    assert not np.isnan(filled).any()
    assert (filled[~np.isnan(matrix)] == matrix[~np.isnan(matrix)]).all()


@every_way
def test_categories_come_back_as_codes_that_occur_and_numbers_within_their_range(way: str) -> None:
    matrix, encoding = holed()
    filled = FILLERS[way](matrix, encoding, 1)
    for at, column in enumerate(encoding.columns):
        known = matrix[~np.isnan(matrix[:, at]), at]
        if column.name in encoding.levels:
            assert set(filled[:, at]) <= set(known)
        else:
            assert known.min() - 1e-9 <= filled[:, at].min() <= filled[:, at].max() <= known.max() + 1e-9


@every_way
def test_a_column_without_a_known_cell_stays_and_does_not_shift_the_others(way: str) -> None:
    matrix, encoding = holed()
    matrix[:, 1] = NAN
    filled = FILLERS[way](matrix, encoding, 1)
    assert np.isnan(filled[:, 1]).all()
    assert not np.isnan(np.delete(filled, 1, axis=1)).any()
    places = [0, 2, 3]
    fewer = Features(tuple(encoding.columns[at] for at in places), encoding.levels)
    if way != "any known cell":  # whose random cells depend on how many were drawn before
        assert np.array_equal(filled[:, places], FILLERS[way](matrix[:, places], fewer, 1))


@every_way
def test_a_table_without_holes_stays(way: str) -> None:
    matrix, encoding = encoded(x=[1.0, 2.0, 4.0, 8.0, 3.0, 5.0], c=list("aabbca"))
    assert np.array_equal(FILLERS[way](matrix, encoding, 1), matrix)


@every_way
def test_equal_seeds_fill_equally(way: str) -> None:
    matrix, encoding = holed()
    assert np.array_equal(FILLERS[way](matrix, encoding, 2**62), FILLERS[way](matrix, encoding, 2**62))


def test_numbers_get_the_mean_and_categories_the_most_frequent_level() -> None:
    matrix, encoding = encoded(x=[1.0, 2.0, 6.0, None], c=["b", "b", None, "a"], late=[None, True, False, True])
    filled = mean_mode(matrix, encoding, 1)
    assert filled[:, 0].tolist() == [1, 2, 6, 3]
    assert [encoding.levels["c"][int(code)] for code in filled[:, 1]] == ["b", "b", "b", "a"]
    assert [encoding.levels["late"][int(code)] for code in filled[:, 2]] == [True, True, False, True]


def test_any_cell_has_the_columns_law_and_another_seed_other_cells() -> None:
    matrix, encoding = encoded(x=[1.0] * 700 + [5.0] * 300 + [None] * 4_000)
    filled = any_cell(matrix, encoding, 1)[1_000:, 0]
    assert set(filled) == {1.0, 5.0}
    assert np.mean(filled == 5) == pytest.approx(0.3, abs=0.03)
    assert (filled != any_cell(matrix, encoding, 2)[1_000:, 0]).any()


def test_neighbours_fill_with_the_mean_or_the_commonest_level_of_five() -> None:
    # Two groups far apart in x; of the near group's five known rows three are "a", and their sizes have the mean 3.
    matrix, encoding = encoded(
        x=[0.0, 0.1, 0.2, 0.3, 0.4, 0.2] + [100.0 + at for at in range(8)],
        size=[1.0, 2.0, 3.0, 4.0, 5.0, None] + [50.0] * 8,
        c=["a", "a", "a", "b", "b", None] + ["b"] * 8,
    )
    filled = neighbours(matrix, encoding, 1)
    assert filled[5, 1] == pytest.approx(3.0)
    assert encoding.levels["c"][int(filled[5, 2])] == "a"
    assert encoding.levels["c"][int(mean_mode(matrix, encoding, 1)[5, 2])] == "b", "the whole column's is another"


def test_rounds_of_regressions_find_a_line() -> None:
    x = np.random.default_rng(3).normal(size=200)
    matrix, encoding = encoded(x=x.tolist(), y=[None] * 40 + (3 * x[40:] + 7).tolist())
    known = matrix[40:, 1]
    line = (3 * x[:40] + 7).clip(known.min(), known.max())  # no number is made that lies beyond the known ones
    assert (line != 3 * x[:40] + 7).any()
    assert rounds(matrix, encoding, 1)[:40, 1] == pytest.approx(line, abs=0.05)


@pytest.mark.parametrize("way", ["5 nearest neighbours", "IterativeImputer"])
def test_ways_that_look_at_other_columns_hit_more_than_those_that_do_not(way: str) -> None:
    random = np.random.default_rng(4)
    group = random.integers(0, 2, 400)
    truth = np.column_stack([group * 10 + random.normal(size=400), group]).astype(float)
    _, encoding = encoded(x=[1.0, 2.0, 3.0], c=["no", "no", "yes"])
    matrix = truth.copy()
    matrix[:100, 1] = NAN
    right = {name: np.mean(FILLERS[name](matrix, encoding, 1)[:100, 1] == truth[:100, 1]) for name in FILLERS}
    assert right[way] > 0.98
    assert max(right["mean or mode"], right["any known cell"]) < 0.7


# --- Indicators --------------------------------------------------------------------------------------------------


def test_numbers_are_seen_in_units_of_their_spread_and_a_level_as_a_column_of_its_own() -> None:
    matrix, encoding = encoded(x=[1.0, 3.0, None, 5.0], c=["b", None, "a", "b"])
    seen: list[Floats] = []

    def impute(wide: Floats) -> Floats:
        seen.append(wide)
        return np.nan_to_num(wide, nan=0.5) + np.array([0.0, 0.0, 0.1])  # the mean + .5 spreads; "a"

    filled = through_indicators(matrix, encoding, impute)
    spread = np.sqrt(8 / 3)
    expected = [[-2 / spread, 1, 0], [0, NAN, NAN], [NAN, 0, 1], [2 / spread, 1, 0]]
    assert np.allclose(seen[0], expected, equal_nan=True)
    assert filled[2, 0] == pytest.approx(3 + spread / 2)
    assert encoding.levels["c"][int(filled[1, 1])] == "a"
    assert np.array_equal(filled[[0, 3]], matrix[[0, 3]]), "known cells are not touched"


def test_rare_levels_have_no_column_and_stay_where_they_are() -> None:
    levels = [f"level {at:02}" for at in range(INDICATORS + 5)]
    matrix, encoding = encoded(c=[level for at, level in enumerate(levels) for _ in range(40 - at)] + [None])
    widths: list[int] = []

    def impute(wide: Floats) -> Floats:
        widths.append(wide.shape[1])
        return np.nan_to_num(wide)

    filled = through_indicators(matrix, encoding, impute)
    assert widths == [INDICATORS]
    assert np.array_equal(filled[:-1], matrix[:-1])
    assert filled[-1, 0] == 0


def test_neighbours_take_a_column_that_hardly_any_row_knows() -> None:
    matrix = np.full((6_000, 2), NAN)
    matrix[:, 0] = np.arange(6_000)
    lone = int(np.random.default_rng(0).permutation(6_000)[-1])  # no donor of seed 0
    matrix[lone, 1] = 3.0
    _, encoding = encoded(x=[1.0], y=[1.0])
    assert (neighbours(matrix, encoding, 0)[:, 1] == 3).all()
