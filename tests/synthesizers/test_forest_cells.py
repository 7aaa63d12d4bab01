"""Facts about cells: common values come out as they are, all else from intervals whose ends are nobody's value."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthcli.synthesizers.forest.cells import Cells, groups, learn


def _column(drawn: list[tuple[int | None, int]], scale: float, seed: int) -> NDArray[np.float64]:
    """Return whole numbers (``None``: missing) as often as asked for, times ``scale``, in any order of rows."""
    numbers = np.array([np.nan if number is None else number * scale for number, _ in drawn])
    return np.random.default_rng(seed).permutation(np.repeat(numbers, [times for _, times in drawn]))


whole = st.one_of(st.none(), st.integers(-30, 30), st.integers(-(10**6), 10**6))
#: Columns on the grid of their unit, and columns of any scale without one.
columns = st.builds(
    lambda drawn, grid, seed: (_column(drawn, grid[0], seed), grid[1]),
    st.lists(st.tuples(whole, st.one_of(st.integers(1, 4), st.integers(5, 9), st.integers(20, 25))), max_size=60),
    st.sampled_from([(1.0, 1.0), (0.01, 0.01), (0.37, 0.0), (1e-9, 0.0), (1e9, 0.0), (1e300, 0.0)]),
    st.integers(0, 99),
)


def _values(numbers: NDArray[np.float64], least: int, most: int = 10**9) -> set[float]:
    """Return the numbers that ``least`` to ``most`` rows share."""
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    return set(values[(counts >= least) & (counts <= most)].tolist())


def _common(numbers: NDArray[np.float64]) -> set[float]:
    """Return the values that are cells by themselves, of a column with several cells."""
    cells, _ = learn(numbers, 0.0)
    return set(cells.low[cells.low == cells.high].tolist())


@pytest.mark.parametrize("unit", [0.0, 1.0])
def test_a_common_value_is_a_cell_and_the_rest_is_cut_half_way_between_five_rows(unit: float) -> None:
    numbers = np.array([np.nan] + [0.0] * 20 + [float(v) for v in range(10, 20)])
    cells, codes = learn(numbers, unit)
    # Beside the zero an interval ends at the grid's half way; the last end is the mean of 15, 16, … 19.
    assert cells.low.tolist() == [0, unit / 2, 14.5]
    assert cells.high.tolist() == [0, 14.5, 17]
    assert codes.tolist() == [3] + [0] * 20 + [1] * 5 + [2] * 5
    assert len(cells) == 4


def test_between_common_values_an_interval_reaches_half_a_unit_from_each() -> None:
    cells, codes = learn(np.array([3.0] * 20 + [5.0, 6.0] + [9.0] * 20), 1.0)
    assert cells.low.tolist() == [3, 3.5, 9]
    assert cells.high.tolist() == [3, 8.5, 9]
    assert codes.tolist() == [0] * 20 + [1] * 2 + [2] * 20


def test_equal_numbers_count_as_so_many_rows_of_an_interval() -> None:
    # Three rows a value: two values are the five rows that an interval needs near the ends.
    assert np.bincount(learn(np.repeat(np.arange(8.0), 3), 0.0)[1]).tolist() == [6, 6, 6, 6]


def test_a_number_that_no_cell_holds_goes_to_the_nearest_and_an_edge_to_the_cell_above() -> None:
    cells = Cells(np.array([0.0, 3.0, 10.0, 20.0]), np.array([0.0, 10.0, 20.0, 20.0]), np.zeros(4, np.bool_))
    asked = np.array([-7, 0, 1.4, 1.6, 3, 9.9, 10, 19.9, 20, 99, np.inf, -np.inf, np.nan])
    assert cells.encode(asked).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 0, 4]


def test_the_ends_are_means_of_the_five_outermost_rows_of_which_a_value_counts_twice_at_most() -> None:
    cells, _ = learn(np.array([1.0, 2, 2, 4, 4, 8, 100, 200, 300, 400, 500]), 0.0)
    assert cells.low[0] == pytest.approx((1 + 2 + 2 + 4 + 4) / 5)
    assert cells.high[-1] == pytest.approx(300)
    clipped, _ = learn(np.array([*[3.5] * 5, 4, 5, 6, 8, 9, *range(20, 90), *[99.5] * 4]), 0.0)
    assert clipped.low[0] == pytest.approx((3.5 + 3.75) / 2)  # 5, 5, 6 … would lie beyond the first cell
    assert clipped.high[-1] == pytest.approx((99.5 + 87.5) / 2)


def test_fewer_than_five_rows_beyond_all_common_values_count_as_the_nearest_one() -> None:
    """An edge of their own, a mean with common values too, would tell how far out they lie."""
    numbers = np.array([-1e6] + [6.0] * 50 + [7.0] * 4)
    cells, codes = learn(numbers, 0.0)
    assert cells.low.tolist() == cells.high.tolist() == [6.0]
    assert set(codes.tolist()) == {0}
    cells, codes = learn(np.append(numbers, 8.0), 0.0)
    assert cells.low.tolist() == [6.0, 6.0]
    assert cells.high.tolist() == [6.0, (6.5 + 8) / 2]


def test_an_interval_before_a_common_value_holds_five_rows_where_the_run_does() -> None:
    _, codes = learn(np.array([1.0, 2, 3, 4, 5, 6.5] + [10.0] * 20 + [12, 13, 14, 15, 16, 17]), 0.0)
    assert np.bincount(codes).tolist() == [6, 20, 6]


def test_intervals_hold_a_share_of_the_rows_and_fewer_towards_the_ends() -> None:
    numbers = np.random.default_rng(1).permutation(10_000) + 0.25
    rows = np.bincount(learn(numbers, 0.0)[1])
    # 10,000 // 256 = 39 rows in the middle; near an end a quarter of the rows outside, but five.
    before = np.cumsum(rows) - rows
    assert rows[:5].tolist() == [5, 5, 5, 5, 6]
    assert (rows[(before > 200) & (before < 9_700)] == 39).all()
    assert 5 <= rows[-1] < 10
    small = np.bincount(learn(numbers[:1000], 0.0)[1])
    assert small.max() == 20
    assert small.min() >= 5


def test_among_distinct_numbers_twenty_equal_rows_are_common_and_one_in_a_thousand() -> None:
    distinct = np.arange(40.0)
    assert _common(np.append(distinct, [20.5] * 20)) == {20.5}
    assert _common(np.append(distinct, [20.5] * 19)) == set()
    distinct = np.arange(29_970.0)
    assert _common(np.append(distinct, [20.5] * 30)) == {20.5}
    assert _common(np.append(distinct, [20.5] * 29)) == set()


def test_among_numbers_that_repeat_five_times_on_average_five_rows_are_common() -> None:
    # Each of nine values has the eight others within reach.
    assert _common(np.repeat(np.arange(9.0), 5)) == set(range(9))
    assert _common(np.repeat(np.arange(9.0), [5, 5, 5, 5, 4, 5, 5, 5, 5])) == set()
    assert _common(np.repeat(np.arange(9.0), [5, 5, 5, 5, 4, 6, 5, 5, 5])) == set(range(9)) - {4}
    # However frequent, one value counts as twenty rows: 17 values with 15 · 3 + 6 + 20 have fewer than five each.
    assert _common(np.repeat(np.arange(17.0), [3] * 7 + [6, 999] + [3] * 8)) == {8}
    # Eight values to either side are within reach, here of the one with five rows.
    assert _common(np.repeat(np.arange(17.0), [20, *[4] * 7, 5, *[4] * 7, 20])) == {0, 8, 16}
    # What repeats far away says nothing: the last values have no repeated neighbour.
    far = np.append(np.repeat(np.arange(30.0), 12), np.arange(100.0, 130.0))
    assert _common(np.append(far, [120.0] * 9)) == set(range(30))


@pytest.mark.parametrize(("values", "common"), [(1000, 1000), (1001, 0)])
def test_a_thousand_values_are_common_at_most_and_of_equals_all_or_none(values: int, common: int) -> None:
    numbers = np.concatenate([np.repeat(np.arange(float(values)), 6), np.repeat(np.arange(300) + 0.5, 5)])
    cells, codes = learn(numbers, 0.0)
    alone = np.flatnonzero(cells.low == cells.high)
    assert cells.low[alone].tolist() == list(range(common))
    assert np.isin(codes[: values * 6], alone).all() == bool(common)
    assert not np.isin(codes[values * 6 :], alone).any()


@given(columns)
@example((np.array([]), 0.0))
@example((np.full(3, np.nan), 1.0))
@example((np.full(4, 7.0), 1.0))
@example((np.full(40, -7.0), 0.01))
def test_every_number_of_the_column_lies_in_its_own_cell(column: tuple[NDArray[np.float64], float]) -> None:
    cells, codes = learn(*column)
    assert cells.encode(column[0]).tolist() == codes.tolist()
    assert (codes == len(cells) - 1).tolist() == np.isnan(column[0]).tolist()
    assert set(codes.tolist()) | {len(cells) - 1} == set(range(len(cells)))


@given(columns)
def test_cells_are_in_order_apart_and_within_the_column(column: tuple[NDArray[np.float64], float]) -> None:
    numbers, unit = column
    cells, codes = learn(numbers, unit)
    assert (cells.low <= cells.high).all()
    assert (cells.high[:-1] <= cells.low[1:]).all()
    if not len(cells.low):
        return
    slack = 1e-12 * np.nanmax(np.abs(numbers))  # a mean of equal numbers may miss them by its rounding
    assert cells.low[0] >= np.nanmin(numbers) - slack
    assert cells.high[-1] <= np.nanmax(numbers) + slack
    drawn = cells.decode(codes, np.random.default_rng(1))
    assert np.isnan(drawn).tolist() == np.isnan(numbers).tolist()
    present = ~np.isnan(numbers)
    assert (drawn[present] >= cells.low[codes[present]]).all()
    assert (drawn[present] <= cells.high[codes[present]]).all()


@given(columns)
def test_what_twenty_rows_share_comes_back_exactly_and_shares_its_cell_with_none(
    column: tuple[NDArray[np.float64], float],
) -> None:
    numbers, unit = column
    cells, codes = learn(numbers, unit)
    common = _values(numbers, 20)
    shared = np.isin(numbers, list(common))
    assert cells.decode(codes, np.random.default_rng(1))[shared].tolist() == numbers[shared].tolist()
    assert len(set(codes[shared].tolist())) == len(common)
    # Fewer than five rows beyond the outermost common value have the cell of that one.
    outside = [(numbers < min(common)), (numbers > max(common))] if common else []
    few = sum((side for side in outside if side.sum() < 5), np.zeros(len(numbers), np.bool_))
    assert not set(codes[shared].tolist()) & set(codes[~shared & ~few].tolist())


@given(columns)
def test_an_interval_without_a_common_neighbour_holds_five_rows(column: tuple[NDArray[np.float64], float]) -> None:
    numbers, unit = column
    cells, codes = learn(numbers, unit)
    held = np.bincount(codes, minlength=len(cells))[: len(cells.low)]
    if len(held) < 2:
        return
    alone = (cells.low == cells.high).tolist()
    assert set(cells.low[alone].tolist()) <= _values(numbers, 5)
    walls = [False, *alone, False]
    for at, rows in enumerate(held.tolist()):
        assert rows >= 5 or walls[at] or walls[at + 1] or walls[at + 2]
    # Nor do two intervals meet that could be one of five rows.
    for (one, first), (other, second) in pairwise(zip(held.tolist(), alone, strict=True)):
        assert first or second or one + other > 5


@given(st.integers(0, 10**6), st.integers(2, 150), st.integers(0, 6), st.sampled_from([0.0, 1.0]))
def test_no_value_of_fewer_than_five_rows_is_an_end_of_a_cell(seed: int, rare: int, common: int, unit: float) -> None:
    random = np.random.default_rng(seed)
    numbers = random.permutation(np.concatenate([random.normal(0, 9, rare), np.repeat(np.arange(common) * 3.0, 20)]))
    cells, _ = learn(numbers, unit)
    ends = set(cells.low.tolist()) | set(cells.high.tolist())
    assert not ends & _values(numbers, 1, 4)
    assert ends >= _values(numbers, 20)


def test_a_run_is_a_stretch_of_cells_between_values_that_stand_alone() -> None:
    ends = np.array([0.0, 1.0, 2.0, 5.0, 5.0, 6.0, 9.0]), np.array([1.0, 2.0, 5.0, 5.0, 6.0, 7.0, 9.0])
    cells = Cells(*ends, np.array([0, 0, 0, 1, 0, 0, 1], np.bool_))
    runs = cells.runs.tolist()
    assert [run == -1 for run in runs] == [False, False, False, True, False, False, True, True]
    assert runs[0] == runs[1] == runs[2] != runs[4] == runs[5]


def test_a_number_is_drawn_evenly_from_its_interval() -> None:
    cells = Cells(np.array([-2.0, 5.0]), np.array([2.0, 5.0]), np.array([False, True]))
    drawn = cells.decode(np.repeat([0, 1, 2], 20_000), np.random.default_rng(1))
    counts = np.histogram(drawn[:20_000], bins=8, range=(-2, 2))[0]
    assert (np.abs(counts - 2500) < 4.5 * np.sqrt(20_000 / 8 * 7 / 8)).all()
    assert (drawn[20_000:40_000] == 5).all()
    assert np.isnan(drawn[40_000:]).all()


def test_a_frequent_cell_is_a_group_alone_and_ends_the_one_before_it() -> None:
    codes = np.array([0, 1, 2, 3, *[4] * 10, 5, 6, 7, 8, 9])
    # Cell 4 has over a fourth of 19 rows. Of the nine others 9/4 are a group, which cell 4 parts where 3 meets 5.
    assert groups(codes, 10, 4).tolist() == [0, 0, 0, 1, 2, 3, 4, 4, 5, 5]
    assert groups(codes, 10, 10).tolist() == list(range(10))


@given(
    st.lists(st.one_of(st.integers(0, 4), st.integers(0, 60)), min_size=1, max_size=200),
    st.sampled_from([2, 4, 8, 24]),
)
def test_groups_are_runs_of_cells_with_frequent_ones_alone(counts: list[int], most: int) -> None:
    size, rows = len(counts), np.array(counts)
    found = groups(np.repeat(np.arange(size), rows), size, most)
    if size <= most:
        assert found.tolist() == list(range(size))
        return
    assert found[0] == 0
    assert set(np.diff(found).tolist()) <= {0, 1}
    alone = rows * most >= rows.sum()
    assert (np.bincount(found)[found[alone]] == 1).all()
    # A frequent cell is a group and may part one; the others fill as many as are left, at least four.
    left = max(most - int(alone.sum()), 4)
    assert found.max() + 1 <= left + 1 + 2 * alone.sum()
    pooled = np.bincount(found, weights=np.where(alone, 0, rows))
    assert pooled.max() <= max(rows[~alone].sum() / left, 1) + rows[~alone].max(initial=0)


def test_a_common_value_stands_alone_in_a_column_of_few_values_and_where_it_outdoes_those_around() -> None:
    few, _ = learn(np.repeat(np.arange(32.0), 9), 1.0)
    assert few.alone.all()
    # One more value: they are all alike, and none stands out but the one of more than three times as many rows.
    many, _ = learn(np.repeat(np.arange(33.0), [9] * 20 + [28] + [9] * 12), 1.0)
    assert np.flatnonzero(many.alone).tolist() == [20]
    assert many.low.tolist() == many.high.tolist() == list(range(33))
    equal, _ = learn(np.repeat(np.arange(33.0), [9] * 20 + [27] + [9] * 12), 1.0)
    assert not equal.alone.any()
    # An interval never stands alone, whatever it holds.
    assert not learn(np.arange(500.0), 1.0)[0].alone.any()
