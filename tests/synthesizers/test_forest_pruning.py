"""Facts about pruning: a split stays where rows that the tree has not seen pay for it, judged each without itself."""

from __future__ import annotations

from itertools import combinations
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthcli.synthesizers.forest.pruning import STRENGTHS, Structure, prune

Counts = list[list[int]]


def _tree(left: list[int], right: list[int]) -> Structure:
    """Return a tree whose splits carry their own number as feature, so that a pruned one tells which are left."""
    number = np.arange(len(left))
    inner = np.array(left) >= 0
    return Structure(np.array(left), np.array(right), np.where(inner, number, -1), np.where(inner, number + 0.5, 0.0))


#: One split; two levels of splits; and a root, its left child and that one's right child.
ONE = _tree([1, -1, -1], [2, -1, -1])
TWO = _tree([1, 2, -1, -1, 5, -1, -1], [4, 3, -1, -1, 6, -1, -1])
LEAN = _tree([1, 2, -1, 4, -1, -1, -1], [6, 3, -1, 5, -1, -1, -1])


def _table(tree: Structure, leaves: Counts) -> NDArray[np.float64]:
    table = np.zeros((len(tree.left), len(leaves[0])))
    table[tree.left < 0] = leaves
    return table


def _pruned(
    tree: Structure, held: Counts, gain: float, leaf: int = 1, grown: Counts | None = None
) -> tuple[list[int], float]:
    """Return which nodes stay split, and the strength."""
    structure, _, strength = prune(tree, _table(tree, grown or held), _table(tree, held), gain, leaf)
    return structure.feature[structure.feature >= 0].tolist(), strength


def test_a_tree_knows_its_parents_and_levels() -> None:
    assert TWO.parent.tolist() == [-1, 0, 1, 1, 0, 4, 4]
    assert [sorted(nodes.tolist()) for nodes in TWO.levels] == [[0], [1, 4], [2, 3, 5, 6]]
    assert LEAN.parent.tolist() == [-1, 0, 1, 1, 3, 3, 0]
    assert [sorted(nodes.tolist()) for nodes in LEAN.levels] == [[0], [1, 6], [2, 3], [4, 5]]
    assert Structure.stump().parent.tolist() == [-1]
    assert [nodes.tolist() for nodes in Structure.stump().levels] == [[0]]


def test_a_cut_node_is_a_leaf_and_takes_all_below_it_away() -> None:
    cut, number = TWO.cut(np.array([True, False, False, False, True, False, False]))
    assert cut.left.tolist() == [1, -1, 3, -1, -1]
    assert cut.right.tolist() == [2, -1, 4, -1, -1]
    assert cut.feature.tolist() == [0, -1, 4, -1, -1]
    assert cut.threshold.tolist() == [0.5, 0, 4.5, 0, 0]
    assert number.tolist() == [0, 1, 1, 1, 2, 3, 4]
    # Node 3 wants to stay split, but node 1 above it does not.
    lean, number = LEAN.cut(np.array([True, False, False, True, False, False, False]))
    assert lean.left.tolist() == [1, -1, -1]
    assert lean.right.tolist() == [2, -1, -1]
    assert number.tolist() == [0, 1, 1, 1, 1, 1, 2]
    assert TWO.cut(TWO.left >= 0)[0].left.tolist() == TWO.left.tolist()
    assert TWO.cut(np.zeros(7, np.bool_))[0].feature.tolist() == [-1]


def test_a_split_that_predicts_perfectly_stays_until_its_price_is_its_gain() -> None:
    # Each of eight rows, left out, is given 3 rows of its own kind and half the prior's. Split, strength 1/2 is best;
    # as one leaf of 4 and 4, where a row left out is in the minority, 80 is.
    gain = 8 * log((3 + 0.25) / (3 + 0.5)) - 8 * log((3 + 40) / (7 + 80))
    assert gain == pytest.approx(5.045, abs=0.001)
    law = [[4, 0], [0, 4]]
    assert _pruned(ONE, law, gain - 1e-9) == ([0], 0.5)
    assert _pruned(ONE, law, gain + 1e-9) == ([], 80.0)


def test_a_split_of_noise_is_dropped_even_where_it_costs_nothing() -> None:
    assert _pruned(ONE, [[2, 2], [2, 2]], 0.0) == ([], 80.0)
    # The rows that the tree was grown on may say otherwise: only held-out rows are judges.
    assert _pruned(ONE, [[2, 2], [2, 2]], 0.0, grown=[[40, 0], [0, 40]]) == ([], 80.0)


def test_a_subtree_pays_for_all_of_its_splits_together() -> None:
    # Exclusive or: the root's split tells nothing before the two below it are made, which do.
    law = [[4, 0], [0, 4], [0, 4], [4, 0]]
    gain = (16 * log((3 + 0.25) / (3 + 0.5)) - 16 * log((7 + 40) / (15 + 80))) / 3
    assert _pruned(TWO, law, gain - 1e-9) == ([0, 1, 4], 0.5)
    assert _pruned(TWO, law, gain + 1e-9) == ([], 80.0)


def test_no_leaf_keeps_fewer_held_out_rows_than_asked_for_however_many_it_was_grown_on() -> None:
    law, grown = [[4, 0], [0, 9]], [[100, 0], [0, 100]]
    assert _pruned(ONE, law, 0.0, leaf=4, grown=grown)[0] == [0]
    assert _pruned(ONE, law, 0.0, leaf=5, grown=grown)[0] == []
    # A child that is too small stops its own parent's split, neither the one above nor the one beside it.
    assert _pruned(TWO, [[9, 0, 0, 0], [0, 3, 0, 0], [0, 0, 9, 0], [0, 0, 0, 9]], 0.0, leaf=4)[0] == [0, 4]


def test_more_rows_of_a_law_pay_for_more_splits() -> None:
    # A clear split at the root and a weak one on its left.
    kept = [
        len(_pruned(TWO, [[6 * n, 4 * n, 0], [4 * n, 6 * n, 0], [0, 0, 10 * n], [0, 0, 10 * n]], 5.0)[0])
        for n in (0, 1, 3, 30, 300)
    ]
    assert kept == [0, 1, 1, 2, 2]


def _score(tree: Structure, keep: set[int], grown: Counts, held: Counts, strength: float, gain: float) -> float:
    """Return the likelihood of a pruned tree less its price, node by node from the leaves' counts."""
    leaf = np.flatnonzero(tree.left < 0).tolist()

    def rows(node: int, counts: Counts) -> NDArray[np.float64]:
        if tree.left[node] < 0:
            return np.array(counts[leaf.index(node)], np.float64)
        return rows(tree.left[node], counts) + rows(tree.right[node], counts)

    def value(node: int, above: int) -> float:
        if node in keep:
            return value(tree.left[node], node) + value(tree.right[node], node) - gain
        law = rows(above, grown) + rows(above, held) + 1e-3
        law /= law.sum()
        own = rows(node, held)
        return sum(
            times * log((times - 1 + strength * share) / (own.sum() - 1 + strength))
            for times, share in zip(own.tolist(), law.tolist(), strict=True)
            if times
        )

    return value(0, 0)


leaves = st.lists(st.lists(st.integers(0, 12), min_size=3, max_size=3), min_size=4, max_size=4)


@given(st.sampled_from([TWO, LEAN]), leaves, leaves, st.sampled_from([0.0, 1.0, 4.0]), st.integers(1, 6))
def test_no_other_pruning_and_strength_is_likelier(
    tree: Structure, grown: Counts, held: Counts, gain: float, leaf: int
) -> None:
    size = dict(zip(np.flatnonzero(tree.left < 0).tolist(), np.sum(held, axis=1).tolist(), strict=True))
    for node in range(len(tree.left) - 1, -1, -1):
        size.setdefault(node, size.get(tree.left[node], 0) + size.get(tree.right[node], 0))
    splits = [
        node
        for node in np.flatnonzero(tree.left >= 0).tolist()
        if min(size[tree.left[node]], size[tree.right[node]]) >= leaf
    ]
    chosen = [{-1, *kept} for many in range(len(splits) + 1) for kept in combinations(splits, many)]
    trees = [kept for kept in chosen if all(tree.parent[node] in kept for node in kept - {-1})]
    scores = [_score(tree, kept, grown, held, strength, gain) for kept in trees for strength in STRENGTHS]
    structure, _, strength = prune(tree, _table(tree, grown), _table(tree, held), gain, leaf)
    found = set(structure.feature[structure.feature >= 0].tolist())
    assert found | {-1} in trees
    assert _score(tree, found, grown, held, strength, gain) == pytest.approx(max(scores), abs=1e-9)
