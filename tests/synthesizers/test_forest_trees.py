"""Facts about a tree: what it draws is what it says the chances are, and its pools are its leaves' rows."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthcli.synthesizers.forest.cells import Cells
from synthcli.synthesizers.forest.pruning import Structure
from synthcli.synthesizers.forest.trees import Growth, Link, Shares, Target, Tree, _ranks, draw, grow

Codes = NDArray[np.int64]

#: Grows every split that tells anything.
FINE = Growth(min_leaf=4, min_gain=0.0, honest=True)


def _split(low: list[int], high: list[int], strength: float, ranks: NDArray[np.float32] | None = None) -> Tree:
    """Return a tree of one split: rows whose cell in column 1 has rank 0 draw from ``low``."""
    n, m = len(low), len(low) + len(high)
    structure = Structure(np.array([1, -1, -1]), np.array([2, -1, -1]), np.array([0, -1, -1]), np.array([0.5, 0, 0]))
    return Tree(structure, (1,), (ranks,), np.array([0, 0, n]), np.array([m, n, m]), np.array(low + high), strength)


def _stump(pool: list[int]) -> Tree:
    return Tree(Structure.stump(), (), (), np.array([0]), np.array([len(pool)]), np.array(pool), 9.0)


def _near(found: float, chance: float, draws: int) -> bool:
    return bool(abs(found - chance) <= 4.5 * np.sqrt(max(chance * (1 - chance), 1e-12) / draws))


def _table(rows: int, seed: int) -> tuple[list[Codes], Codes]:
    """Return cells of a number, a category of six levels and a column of noise, and of one that depends on them."""
    random = np.random.default_rng(seed)
    number, level, noise = random.integers(0, 12, rows), random.integers(0, 6, rows), random.integers(0, 4, rows)
    law = 2 * (number > 5) + np.isin(level, [1, 4])
    return [number, level, noise], np.where(random.random(rows) < 0.8, law, random.integers(0, 5, rows))


def _grown(rows: int, seed: int, growth: Growth = FINE) -> tuple[Tree, list[Codes], Codes, Shares]:
    columns, cells = _table(rows, seed)
    order = np.random.default_rng(seed).permutation(rows)
    shares = Shares(*(np.sort(part) for part in np.split(order, [rows * 2 // 5, rows * 4 // 5])))
    return grow(columns, [True, False, True], Target(cells, cells), shares, growth, seed), columns, cells, shares


def _path(tree: Tree, columns: list[Codes], row: int) -> list[int]:
    """Return the nodes that a row passes, from the root to its leaf."""
    path, nodes = [0], tree.structure
    while nodes.left[path[-1]] >= 0:
        at = path[-1]
        place = nodes.feature[at]
        cell, ranks = columns[tree.features[place]][row], tree.ranks[place]
        below = (cell if ranks is None else ranks[cell]) <= nodes.threshold[at]
        path.append(int((nodes.left if below else nodes.right)[at]))
    return path


def test_a_leaf_of_four_rows_and_a_prior_of_four_are_drawn_from_evenly() -> None:
    tree = _split([0, 0, 0, 1], [1, 1, 2, 2], strength=4.0)
    columns, rows = [np.full(2, 9), np.array([0, 1])], np.array([0, 1])
    # Half the time the leaf's pool, half the time all eight: 3/8, 3/8, 2/8.
    law = np.array([[0.5625, 0.3125, 0.125, 0], [0.1875, 0.4375, 0.375, 0]])
    for cell in range(4):
        assert tree.chances(columns, rows, np.full(2, cell)) == pytest.approx(law[:, cell])
    assert tree.chances(columns, rows, np.full(2, 10**6)).tolist() == [0, 0]
    drawn = tree.draw(columns, np.repeat(rows, 40_000), np.random.default_rng(1)).reshape(2, -1)
    for row, cell in np.ndindex(2, 4):
        assert _near((drawn[row] == cell).mean(), law[row, cell], 40_000)


def test_without_a_prior_only_the_leaf_is_drawn_from() -> None:
    tree = _split([0, 0, 0, 1], [2, 3], strength=0.0)
    drawn = tree.draw([np.zeros(1), np.array([0, 1])], np.repeat([0, 1], 500), np.random.default_rng(1))
    assert set(drawn[:500].tolist()) == {0, 1}
    assert set(drawn[500:].tolist()) == {2, 3}


def test_a_number_is_drawn_between_a_rows_and_a_near_ones_of_its_leaf() -> None:
    tree, one_run = _split([0, 2], [7, 7], strength=0.0), np.array([*[0] * 9, -1])
    columns, rows = [np.zeros(2), np.array([0, 1])], np.repeat([0, 1], 40_000)
    drawn = tree.draw(columns, rows, np.random.default_rng(1), one_run)
    assert (drawn[40_000:] == 7).all()
    # Between 0 and 2 of the first leaf lie a row of 0, two of 1 in the other leaf, and a row of 2.
    shared = _split([0, 2], [1, 1, 7], strength=0.0)
    drawn = shared.draw(columns, rows, np.random.default_rng(1), one_run)[:40_000]
    # Of twenty steps one leads to the only other row, and of those too far half end at it: 0.525, then any of the four.
    for cell, chance in enumerate([0.5 * 0.475 + 0.525 / 4, 0.525 / 2, 0.5 * 0.475 + 0.525 / 4]):
        assert _near((drawn == cell).mean(), chance, 40_000)
    # A common value between the two keeps each where it is, and a prior leads to rows but not across leaves.
    parted = np.array([0, -1, *[1] * 7, -1])
    assert set(tree.draw(columns, rows[:999], np.random.default_rng(1), parted).tolist()) == {0, 2}
    far = _split([0, 2], [7, 7], strength=1e9).draw(columns, rows, np.random.default_rng(1), one_run)
    assert set(far.tolist()) == {0, 2, 7}


def test_the_runs_of_a_number_are_those_of_its_cells() -> None:
    tree = _split([0, 2], [1, 7], strength=0.0)
    ends = np.arange(9.0)
    drawn = [
        set(draw(Link("x", cells, (tree,)), [ends, np.zeros(900)], 900, np.random.default_rng(1)).tolist())
        for cells in (None, Cells(ends, ends + 1, ends < 0), Cells(ends, ends + (ends != 1), ends == 1))
    ]
    assert drawn == [{0, 2}, {0, 1, 2}, {0, 2}]


def test_near_rows_are_up_to_twenty_away_to_either_side_and_values_alone_stay() -> None:
    pool, runs = (
        [0, 0, 1, 3, 4, 5, 5, 8, 9, 9, 11, 14, 15, 15, 20],
        np.array([0] * 9 + [-1] + [1] * 10 + [-1] + [2] * 9),
    )
    last, law = len(pool) - 1, np.zeros(30)
    for place, step, sign in product(range(len(pool)), range(1, 21), (-1, 1)):
        there, back = place + sign * step, place - sign * step
        cell = pool[place]
        other = pool[there if 0 <= there <= last else min(max(back, 0), last)]
        same = runs[cell] == runs[other] != -1
        between = [value for value in pool if min(cell, other) <= value <= max(cell, other)] if same else [cell]
        for value in between:
            law[value] += 1 / len(between)
    law /= law.sum()
    drawn = _stump(pool).draw([], np.zeros(200_000, np.int64), np.random.default_rng(1), runs)
    assert all(_near((drawn == cell).mean(), law[cell], 200_000) for cell in range(30))
    assert law[[9, 20]] == pytest.approx([2 / 15, 1 / 15])


def test_a_category_is_led_by_the_ranks_of_its_levels() -> None:
    tree = _split([0], [1], 0.0, np.array([1, 0, 2], np.float32))
    assert tree.leaves([np.zeros(3), np.array([0, 1, 2])], np.array([2, 1, 0, 1])).tolist() == [2, 1, 2, 1]


def test_a_cell_is_drawn_by_any_of_the_trees_and_rows_keep_their_own() -> None:
    columns = [np.zeros(90_000), np.arange(90_000) % 3 // 2]
    trees = (_split([0], [1], 0.0), _stump([2]), _stump([2, 3]))
    drawn = draw(Link("x", None, trees), columns, 90_000, np.random.default_rng(1))
    for level, law in ((0, [1 / 3, 0, 1 / 2, 1 / 6]), (1, [0, 1 / 3, 1 / 2, 1 / 6])):
        found = np.bincount(drawn[columns[1] == level], minlength=4) / (columns[1] == level).sum()
        assert all(_near(share, chance, 30_000) for share, chance in zip(found, law, strict=True))


@given(st.integers(0, 10**6), st.integers(40, 300), st.booleans())
def test_chances_are_the_leafs_law_shrunk_towards_that_of_each_node_above(seed: int, rows: int, honest: bool) -> None:
    tree, columns, *_ = _grown(rows, seed, Growth(3, 0.0, honest))
    row, cells = seed % rows, np.arange(6)
    law = np.zeros(6)
    for node in _path(tree, columns, row):
        pool = tree.pool[tree.start[node] : tree.end[node]]
        weight = len(pool) / (len(pool) + tree.strength) if node else 1.0
        law = weight * np.bincount(pool, minlength=6) / len(pool) + (1 - weight) * law
    chances = tree.chances(columns, np.full(6, row), cells)
    assert chances == pytest.approx(law)
    assert chances.sum() == pytest.approx(1)


def test_a_grown_tree_draws_by_its_chances() -> None:
    tree, columns, *_ = _grown(600, 3)
    assert len(tree.structure.left) >= 7
    assert max(len(_path(tree, columns, row)) for row in range(600)) >= 4
    for row in range(6):
        drawn = tree.draw(columns, np.full(20_000, row), np.random.default_rng(row))
        for cell in range(5):
            (chance,) = tree.chances(columns, np.array([row]), np.array([cell]))
            assert _near((drawn == cell).mean(), chance, 20_000)


@given(st.integers(0, 10**6), st.integers(40, 400), st.booleans())
def test_a_nodes_pool_is_the_sorted_cells_of_the_rows_that_pass_it(seed: int, rows: int, honest: bool) -> None:
    tree, columns, cells, shares = _grown(rows, seed, Growth(3, 0.0, honest))
    own = [] if honest and len(tree.structure.left) > 1 else [shares.grown]
    passed: list[list[int]] = [[] for _ in tree.structure.left]
    for row in np.concatenate([shares.held, shares.further, *own]).tolist():
        for node in _path(tree, columns, row):
            passed[node].append(int(cells[row]))
    for node, (start, end) in enumerate(zip(tree.start, tree.end, strict=True)):
        stretch = tree.pool[start:end].tolist()
        assert sorted(stretch) == sorted(passed[node])
        if tree.structure.left[node] < 0:
            assert stretch == sorted(stretch)
            assert tree.structure.left.size == 1 or len(stretch) >= 3
    inner = tree.structure.left >= 0
    assert sorted(set(tree.structure.feature[inner].tolist())) == list(range(len(tree.features)))


def test_an_honest_tree_holds_no_cell_that_only_rows_it_was_grown_on_have() -> None:
    columns, cells = _table(400, 5)
    half = np.arange(200)
    shares = Shares(half, half + 200, half[:0])
    cells = np.where(np.arange(400) < 200, cells, cells + 10)
    groups = cells % 10
    trees = [
        grow(columns, [True, False, True], Target(cells, groups), shares, Growth(4, 0.0, honest), 1)
        for honest in (True, False)
    ]
    assert Counter(trees[0].pool.tolist()) == Counter(cells[200:].tolist())
    assert Counter(trees[1].pool.tolist()) == Counter(cells.tolist())
    assert all(tree.features for tree in trees)


@pytest.mark.parametrize("reason", ["no column before", "one group", "no more than a leaf of rows", "noise"])
def test_a_tree_without_a_split_draws_from_all_rows_even_where_honest(reason: str) -> None:
    columns, cells = _table(100, 2)
    shares = Shares(np.arange(40), np.arange(40, 80), np.arange(80, 100))
    groups = cells * 0 if reason == "one group" else cells
    growth = Growth(40 if reason == "no more than a leaf of rows" else 4, 0.0, True)
    if reason == "noise":
        growth, cells = Growth(4, 3.0, True), np.arange(100)
        groups = np.random.default_rng(1).integers(0, 2, 100)
    before = [] if reason == "no column before" else columns
    tree = grow(before, [True, False, True][: len(before)], Target(cells, groups), shares, growth, 1)
    assert Counter(tree.pool.tolist()) == Counter(cells.tolist())
    assert tree.features == ()
    alone = tree.chances(before, np.arange(5), cells[:5])
    assert alone == pytest.approx([np.mean(cells == cell) for cell in cells[:5]])


def test_levels_lie_in_the_order_of_their_shares_of_two_groups() -> None:
    shares = [9, 1, 5, 7, 3]
    cells = np.repeat(np.arange(5), 10)
    groups = np.concatenate([np.arange(10) < share for share in shares]).astype(np.int64)
    ranks = _ranks(cells, groups, 5, 2)
    assert ranks is not None
    assert ranks.tolist() in ([4, 0, 2, 3, 1], [0, 4, 2, 1, 3])


def test_levels_with_like_laws_lie_together_and_one_without_rows_in_the_middle() -> None:
    # Levels 0 and 3 are mostly of group 0, 1 and 5 of group 2; level 2 has no row; 4 has one, which tells little.
    law = {0: [8, 1, 1], 3: [7, 2, 1], 1: [1, 1, 8], 5: [1, 2, 7], 4: [1, 0, 0]}
    cells = np.concatenate([np.full(sum(counts), level) for level, counts in law.items()])
    groups = np.concatenate([np.repeat(np.arange(3), counts) for counts in law.values()])
    ranks = _ranks(cells, groups, 6, 3)
    assert ranks is not None
    assert sorted(ranks.tolist()) == list(range(6))
    order = np.argsort(ranks).tolist()
    order = order if order[0] in (0, 3) else order[::-1]
    assert set(order[:2]) == {0, 3}
    assert order[2:4] == [4, 2]
    assert set(order[4:]) == {1, 5}


def test_two_levels_need_no_ranks_and_three_do() -> None:
    assert _ranks(np.array([0, 1, 2]), np.array([0, 1, 0]), 3, 2) is not None
    assert _ranks(np.array([0, 1, 1]), np.array([0, 1, 1]), 2, 2) is None


def test_a_split_of_levels_that_no_order_of_codes_makes_is_found() -> None:
    level = np.arange(400) % 8
    cells = np.isin(level, [1, 2, 5, 7]).astype(np.int64)
    shares = Shares(np.arange(200), np.arange(200, 400), np.arange(0))
    tree = grow([level], [False], Target(cells, cells), shares, Growth(5, 5.0, True), 1)
    leaves = np.flatnonzero(tree.structure.left < 0)
    assert all(len(set(tree.pool[tree.start[leaf] : tree.end[leaf]].tolist())) == 1 for leaf in leaves)
    assert tree.strength == 0.25


@pytest.mark.parametrize("ordered", [[True, True, True], [False, False, False]])
def test_held_out_rows_take_no_part_in_finding_splits(ordered: list[bool]) -> None:
    # Rows that the tree is grown on follow the level's first bit, those held out its second.
    level = np.arange(400) % 4
    first, second = level // 2, level % 2
    cells = np.where(np.arange(400) < 200, first, second)
    shares = Shares(np.arange(200), np.arange(200, 400), np.arange(0))
    growth = Growth(5, 1.0, True)
    assert grow([level, first, second], ordered, Target(cells, cells), shares, growth, 1).features == ()
    for rows in (np.arange(200), np.arange(200, 400)):
        alike = Shares(rows, rows, np.arange(0))
        assert grow([level, first, second], ordered, Target(cells, cells), alike, growth, 1).features != ()
