"""Facts about weighting: rows with known cells follow the chain's exact law, which small trees let one work out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from synthcli.synthesizers.forest import weighting
from synthcli.synthesizers.forest.pruning import Structure
from synthcli.synthesizers.forest.trees import Link, Tree
from synthcli.synthesizers.forest.weighting import complete

Codes = NDArray[np.int64]
#: A leaf's pool, or a split: the column that it looks at, the last cell of the left side, and the two sides.
Split = list[int] | tuple[int, int, "Split", "Split"]


def _pool(split: Split) -> list[int]:
    return split if isinstance(split, list) else _pool(split[2]) + _pool(split[3])


def _tree(split: Split, strength: float) -> Tree:
    """Return the tree of nested splits, its nodes in preorder."""
    nodes: list[list[float]] = []

    def add(part: Split, start: int) -> int:
        number, end = len(nodes), start + len(_pool(part))
        nodes.append([-1, -1, -1, 0, start, end])
        if isinstance(part, tuple):
            nodes[number][2:4] = [part[0], part[1] + 0.5]
            nodes[number][0] = add(part[2], start)
            nodes[number][1] = add(part[3], start + len(_pool(part[2])))
        return number

    add(split, 0)
    left, right, feature, threshold, start, end = np.array(nodes).T
    used = sorted({int(place) for place in feature if place >= 0})
    place = np.array([used.index(int(at)) if at >= 0 else -1 for at in feature])
    structure = Structure(left.astype(int), right.astype(int), place, threshold)
    bounds = start.astype(int), end.astype(int)
    return Tree(structure, tuple(used), (None,) * len(used), *bounds, np.array(_pool(split)), strength)


def _chance(split: Split, strength: float, row: Sequence[int], cell: int) -> float:
    """Return a cell's chance by the definition: each node's share, shrunk towards that of the node above."""
    chance, weight = 0.0, 1.0
    while True:
        pool = _pool(split)
        chance = weight * pool.count(cell) / len(pool) + (1 - weight) * chance
        if isinstance(split, list):
            return chance
        split = split[2] if row[split[0]] <= split[1] else split[3]
        weight = len(_pool(split)) / (len(_pool(split)) + strength)


class _Chain:
    """Columns by name, each with its trees as nested splits and their strength; and the joint law, cell by cell."""

    def __init__(self, *columns: tuple[str, list[Split], float], sizes: tuple[int, ...]) -> None:
        self.chain = [
            Link(name, None, tuple(_tree(split, strength) for split in splits)) for name, splits, strength in columns
        ]
        self.law: dict[tuple[int, ...], float] = {}
        for row in product(*map(range, sizes)):
            chances = [
                np.mean([_chance(split, strength, row, row[at]) for split in splits])
                for at, (_, splits, strength) in enumerate(columns)
            ]
            self.law[row] = float(np.prod(chances))
        assert sum(self.law.values()) == pytest.approx(1)

    def complete(self, cells: Codes, there: NDArray[np.bool_], seed: int = 1) -> Codes:
        """Complete rows (rows x columns); a column of which nothing is known is not named."""
        known = {link.name: (cells[:, at], there[:, at]) for at, link in enumerate(self.chain) if there[:, at].any()}
        return np.stack(complete(self.chain, known, len(cells), seed), axis=1)

    def posterior(self, known: dict[int, int]) -> dict[tuple[int, ...], float]:
        """Return the exact law of rows whose columns in ``known`` have these cells."""
        agreeing = {row: p for row, p in self.law.items() if all(row[at] == cell for at, cell in known.items())}
        total = sum(agreeing.values())
        return {row: p / total for row, p in agreeing.items()}


#: a says much about b, two unlike trees draw b, and c depends on both; every cell is possible.
CHAIN = _Chain(
    ("a", [[0] * 6 + [1] * 4], 0.0),
    ("b", [(0, 0, [0, 0, 0, 0, 1], [1, 2, 2, 2]), (0, 0, [0, 1, 2], [1, 1, 1, 2, 0])], 1.0),
    ("c", [(1, 0, [0, 0, 0, 1], (0, 0, [0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1]))], 2.0),
    sizes=(2, 3, 2),
)
#: b makes a = 1, which is rare, likely; then d tells of c given a.
RARE = _Chain(
    ("a", [[0] * 9 + [1]], 0.0),
    ("b", [(0, 0, [0] * 49 + [1], [0] + [1] * 9)], 0.0),
    ("c", [(0, 0, [0, 0, 0, 1], [0, 1, 1, 1, 2, 2, 2, 2])], 0.0),
    ("d", [(2, 0, [0, 0, 0, 0, 1], (0, 0, [0, 1], (2, 1, [0, 0, 1], [1, 1, 1, 1, 0])))], 0.0),
    sizes=(2, 2, 3, 2),
)


def _differences(
    found: Codes, law: dict[tuple[int, ...], float], slack: float
) -> Iterator[tuple[tuple[int, ...], float, float]]:
    """Yield the rows whose share is farther from its chance than 4.5 standard errors and ``slack``."""
    for row, chance in law.items():
        share = float((found == row).all(axis=1).mean())
        if abs(share - chance) > 4.5 * np.sqrt(chance * (1 - chance) / len(found)) + slack:
            yield row, share, chance


def test_any_holes_in_one_table_are_filled_by_the_exact_law() -> None:
    masks = list(product([False, True], repeat=3))
    cases = [
        (mask, row) for mask in masks for row in CHAIN.law if all(m or not r for m, r in zip(mask, row, strict=True))
    ]
    case = np.random.default_rng(1).permutation(np.repeat(np.arange(len(cases)), 4000))
    there = np.array([mask for mask, _ in cases])[case]
    cells = np.array([row for _, row in cases])[case]
    found = CHAIN.complete(cells, there)
    assert (found == cells)[there].all()
    for number, (mask, row) in enumerate(cases):
        law = CHAIN.posterior({at: row[at] for at in range(3) if mask[at]})
        # Where no known cell follows an empty one, the law is exact; else 64 particles leave a trace of the prior.
        exact = sorted(mask, reverse=True) == list(mask)
        assert list(_differences(found[case == number], law, 0.0 if exact else 0.01)) == [], (mask, row)


@pytest.mark.parametrize("known", [{1: 1}, {1: 1, 3: 1}, {1: 1, 3: 0}, {1: 1, 2: 0, 3: 1}, {3: 1}, {0: 1, 2: 2, 3: 0}])
def test_many_particles_that_are_drawn_anew_on_the_way_keep_the_law(
    known: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is rare has six particles of 64, and their mean law up to 0.04 of the prior; of 256 a fourth of that.
    monkeypatch.setattr(weighting, "PARTICLES", 256)
    rows = 8_000
    there = np.zeros((rows, 4), np.bool_)
    cells = np.full((rows, 4), 7)
    for at, cell in known.items():
        there[:, at], cells[:, at] = True, cell
    found = RARE.complete(cells, there)
    assert list(_differences(found, RARE.posterior(known), 0.012)) == []


def test_an_impossible_row_is_made_and_keeps_what_is_known() -> None:
    # No row of a = 0 has b = 3, and no tree has ever seen the cell 9 of c.
    cells = np.tile([[0, 3, 0], [0, 0, 9], [1, 3, 9]], (500, 1))
    there = np.tile([[True, True, False], [False, False, True], [False, True, True]], (500, 1))
    found = CHAIN.complete(cells, there)
    assert (found == cells)[there].all()
    assert set(map(tuple, found[0::3].tolist())) == {(0, 3, 0), (0, 3, 1)}
    assert {row[:2] for row in map(tuple, found[1::3].tolist())} == {row[:2] for row in CHAIN.law}
    assert {row[0] for row in found[2::3].tolist()} == {0, 1}


def test_an_impossible_cell_leaves_the_others_to_what_is_possible() -> None:
    # c = 9 is unseen whatever a and b are, so that b alone decides on a.
    there = np.tile([False, True, True], (8000, 1))
    found = CHAIN.complete(np.tile([0, 2, 9], (8000, 1)), there)
    law = {(a, 2, 9): sum(p for row, p in CHAIN.posterior({1: 2}).items() if row[0] == a) for a in (0, 1)}
    assert list(_differences(found, law, 0.01)) == []


def test_a_seed_is_all_that_chance_depends_on() -> None:
    cells, there = np.zeros((300, 3), np.int64), np.tile([False, False, True], (300, 1))
    # What stands in an empty cell plays no part.
    other = np.where(there, cells, 7)
    assert CHAIN.complete(cells, there, 4).tolist() == CHAIN.complete(other, there, 4).tolist()
    assert CHAIN.complete(cells, there, 4).tolist() != CHAIN.complete(cells, there, 5).tolist()


def test_rows_that_are_followed_one_after_another_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighting, "_AT_ONCE", 300 * weighting.PARTICLES)
    there = np.tile([False, False, True], (900, 1))
    found = CHAIN.complete(np.zeros((900, 3), np.int64), there)
    assert len({found[start : start + 300].tobytes() for start in (0, 300, 600)}) == 3


def test_no_rows_and_nothing_known_are_no_special_case() -> None:
    assert CHAIN.complete(np.zeros((0, 3), np.int64), np.zeros((0, 3), np.bool_)).shape == (0, 3)
    assert complete([], {}, 5, 1) == []
    assert set(np.unique(CHAIN.complete(np.zeros((99, 3), np.int64), np.zeros((99, 3), np.bool_)))) == {0, 1, 2}
