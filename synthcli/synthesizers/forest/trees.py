"""One tree of a column's forest: grown on some rows, pruned on others, with a pool of cells in each leaf.

A draw takes a row's leaf, or with the weight of the prior (``pruning``) the node above it, and from the node's pool one
cell, any or with a bias (``Bias``). The pools of all leaves lie in one array in the order of the leaves, so that any
node's pool is a stretch of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import NODE_DTYPE
from sklearn.tree._tree import Tree as Walker

from synthcli.synthesizers.forest.axes import first_axis
from synthcli.synthesizers.forest.cells import Cells
from synthcli.synthesizers.forest.pruning import Structure, prune
from synthcli.synthesizers.tempering import tempered_counts

Codes = NDArray[np.int64]
Ranks = NDArray[np.float32]
#: Rows that a level of a category is given of its column's mean law, before levels are put in order.
_PRIOR_ROWS = 3.0
#: Rows of a leaf, in the order of their numbers, within which a number is drawn between one and another.
_NEIGHBOURS = 20
#: Intervals to either side by which the chance of a known number is judged.
_AROUND = 3
#: The part of the best strength of a single tree that is kept: a cell is drawn by any of several trees, and their mean
#: law varies less than each of theirs, so that it needs less of the prior.
_AVERAGED = 0.5
#: Columns of whose thresholds the best ones are searched for.
_FEW_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown: parameters of the kind ``forest``, by their names there."""

    min_leaf: int
    min_gain: float
    honest: bool


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """The rows that a tree is grown on, those that it is judged by, and those that only fill pools."""

    grown: Codes
    held: Codes
    further: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The column that a tree is grown for: its cells, and the groups of cells that splits are judged by."""

    cells: Codes
    groups: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """How a node's pool is drawn from at a temperature: its common cells by p^(1/temperature), in their joint share.

    ``common`` says which cells are (``None``: all). The others are intervals, cut so that each has about as many rows:
    what they hold tells of the cut and not of the law, so that each is drawn as often as without the bias.
    """

    temperature: float
    common: NDArray[np.bool_] | None

    def weights(self, node: Codes, cells: Codes, counts: Codes) -> NDArray[np.float64]:
        """Return as how many rows each cell of a node is drawn, a node's in all as many as it has; sorted by node."""
        chosen = np.arange(len(cells)) if self.common is None else np.flatnonzero(self.common[cells])
        starts = np.flatnonzero(np.diff(node[chosen], prepend=-1))
        weights = counts.astype(np.float64)
        weights[chosen] = tempered_counts(counts[chosen], starts, self.temperature)
        return weights


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree of one column given the columns before it.

    Attributes
    ----------
    structure
        Its nodes. A feature is a place in ``features``.
    features
        Places of the columns that the tree looks at, in the forest's order.
    ranks
        For each feature, the rank of each of its cells; ``None`` where cells are numbers in order.
    start, end
        Each node's stretch of ``pool``.
    pool
        The column's cells in training rows, sorted within each leaf.
    strength
        The rows' worth of prior (``pruning``).
    bias
        How cells are drawn from a node's pool; ``None``: each as often as it stands there.
    """

    structure: Structure
    features: tuple[int, ...]
    ranks: tuple[Ranks | None, ...]
    start: Codes
    end: Codes
    pool: NDArray[Any]
    strength: float
    bias: Bias | None = None

    def draw(
        self, columns: Sequence[Codes], rows: Codes, random: np.random.Generator, runs: Codes | None = None
    ) -> Codes:
        """Return a cell for each of ``rows``, whose cells in the columns before are ``columns[place][row]``.

        ``runs`` are those of the column's cells (``Cells.runs``), where it is a number.
        """
        node = self._climb(self.leaves(columns, rows), random)
        start, end = self.start[node], self.end[node]
        if self.bias is None:
            place = start + (random.random(len(rows)) * (end - start)).astype(np.int64)
        else:
            place = self._any_of(self._biased(node, random), start, end, random)
        cells: Codes = self.pool[place].astype(np.int64)
        return cells if runs is None else self._between(place, cells, runs, random)

    def _biased(self, node: Codes, random: np.random.Generator) -> Codes:
        """Return a cell of each node's pool by the bias."""
        keys, ends = self._counts[0], self._ends
        bounds = np.searchsorted(keys, np.arange(len(self.start) + 1) * self._width)
        first, last = bounds[node], bounds[node + 1] - 1
        before = np.append(0.0, ends)[first]
        found = np.searchsorted(ends, before + random.random(len(node)) * (ends[last] - before), side="right")
        # A sum's last bit may reach the next node.
        cells: Codes = keys[np.clip(found, first, last)] % self._width
        return cells

    def _any_of(self, cells: Codes, start: Codes, end: Codes, random: np.random.Generator) -> Codes:
        """Return for each of ``cells`` any place of the pool from ``start`` to ``end`` that holds it."""
        size = len(self.pool)
        low, high = (np.searchsorted(self._places, cells * size + edge) for edge in (start, end))
        found: Codes = self._places[low + (random.random(len(cells)) * (high - low)).astype(np.int64)] % size
        return found

    def _between(self, place: Codes, cells: Codes, runs: Codes, random: np.random.Generator) -> Codes:
        """Return the cells, those of a run moved to one between them and a near one of their leaf's pool.

        All rows that lie between the two are equally likely, whatever their leaf. Without it, a leaf of few rows would
        give a value back to about where a training row has it.
        """
        ends = self.end[self.structure.left < 0]
        leaf = np.searchsorted(ends, place, side="right")
        low, high = np.concatenate([[0], ends[:-1]])[leaf], ends[leaf] - 1
        step = random.integers(1, _NEIGHBOURS + 1, len(place)) * random.choice([-1, 1], len(place))
        other = np.where((place + step < low) | (place + step > high), place - step, place + step)
        partner = self.pool[np.clip(other, low, high)].astype(np.int64)
        inside = np.flatnonzero((runs[cells] >= 0) & (runs[cells] == runs[partner]) & (cells != partner))
        first, last = np.minimum(cells, partner)[inside], np.maximum(cells, partner)[inside]
        start, end = self._rows_before[first], self._rows_before[last + 1]
        row = start + (random.random(len(inside)) * (end - start)).astype(np.int64)
        cells[inside] = np.searchsorted(self._rows_before, row, side="right") - 1
        return cells

    def chances(
        self, columns: Sequence[Codes], rows: Codes, cells: Codes, runs: Codes | None = None
    ) -> NDArray[np.float64]:
        """Return the probability with which each of ``rows`` is given its one of ``cells`` by :meth:`draw`.

        It is that of a category or a common value. A number of an interval, which is drawn from between neighbours of a
        pool, has that of the intervals around it, on average.
        """
        node, parent = self.leaves(columns, rows), self.structure.parent
        chance, left = np.zeros(len(rows)), np.ones(len(rows))
        while True:
            held = (self.end - self.start)[node].astype(np.float64)
            top = parent[node] < 0
            stay = np.where(top, 1.0, held / (held + self.strength))
            chance += left * stay * self._counted(node, cells, runs) / held
            left = left * (1 - stay)
            if top.all():
                return chance
            node = np.where(top, node, parent[node])

    def leaves(self, columns: Sequence[Codes], rows: Codes) -> Codes:
        """Return the leaf that each of ``rows`` falls into."""
        if not self.features:
            return np.zeros(len(rows), np.int64)
        table = np.empty((len(rows), len(self.features)), np.float32)
        for place, (feature, ranks) in enumerate(zip(self.features, self.ranks, strict=True)):
            cells = columns[feature][rows]
            table[:, place] = cells if ranks is None else ranks[cells]
        found: Codes = self._walker.apply(table)
        return found

    def _climb(self, node: Codes, random: np.random.Generator) -> Codes:
        """Return each node or one above it, by the weight of the prior."""
        parent, held = self.structure.parent, self.end - self.start
        moving = np.flatnonzero(parent[node] >= 0)
        while len(moving):
            at = node[moving]
            moving = moving[random.random(len(moving)) * (held[at] + self.strength) < self.strength]
            node[moving] = parent[node[moving]]
            moving = moving[parent[node[moving]] >= 0]
        return node

    def _counted(self, node: Codes, cells: Codes, runs: Codes | None) -> NDArray[np.float64]:
        """Return as how many rows each cell, or on average one of those around it, is drawn from its node's pool."""
        if runs is None:
            return self._count(node, cells).astype(np.float64)
        total, number = np.zeros(len(cells)), np.zeros(len(cells))
        for step in range(-_AROUND, _AROUND + 1):
            near = np.clip(cells + step, 0, len(runs) - 1)
            counts = near == cells if step == 0 else (runs[near] == runs[cells]) & (runs[cells] >= 0)
            counts &= near == cells + step
            total += np.where(counts, self._count(node, near), 0)
            number += counts
        return total / number

    def _count(self, node: Codes, cells: Codes) -> NDArray[Any]:
        keys = self._counts[0]
        asked = node * self._width + np.minimum(cells, self._width - 1)
        place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        return np.where(keys[place] == asked, self._weights[place], 0)

    @cached_property
    def _rows_before(self) -> Codes:
        """How many rows of the whole pool have a lower cell, for each cell and one beyond the last."""
        return np.append(0, np.cumsum(np.bincount(self.pool)))

    @cached_property
    def _width(self) -> int:
        return int(self.pool.max()) + 2

    @cached_property
    def _counts(self) -> tuple[Codes, Codes]:
        """The pairs of a node and a cell of its pool as one number, sorted, and how often each occurs."""
        parent, leaf = self.structure.parent, np.flatnonzero(self.structure.left < 0)
        node = np.repeat(leaf, (self.end - self.start)[leaf])
        keys, counts = np.unique(node * self._width + self.pool, return_counts=True)
        found = [(keys, counts)]
        while True:
            node, cell = np.divmod(keys, self._width)
            inside = parent[node] >= 0
            if not inside.any():
                break
            keys, place = np.unique(parent[node[inside]] * self._width + cell[inside], return_inverse=True)
            counts = np.bincount(place, weights=counts[inside]).astype(np.int64)
            found.append((keys, counts))
        every, place = np.unique(np.concatenate([keys for keys, _ in found]), return_inverse=True)
        return every, np.bincount(place, weights=np.concatenate([c for _, c in found])).astype(np.int64)

    @cached_property
    def _weights(self) -> NDArray[Any]:
        """As how many rows each pair of ``_counts`` is drawn: as those that it has, or by the bias."""
        keys, counts = self._counts
        return counts if self.bias is None else self.bias.weights(*np.divmod(keys, self._width), counts)

    @cached_property
    def _ends(self) -> NDArray[np.float64]:
        return np.cumsum(self._weights, dtype=np.float64)

    @cached_property
    def _places(self) -> Codes:
        """The pairs of a cell and its place in the pool as one number, sorted."""
        return np.sort(self.pool.astype(np.int64) * len(self.pool) + np.arange(len(self.pool)))

    @cached_property
    def _walker(self) -> Walker:
        """scikit-learn's walk down a tree, for nodes of our own."""
        tree = self.structure
        nodes = np.zeros(len(tree.left), NODE_DTYPE)
        nodes["left_child"], nodes["right_child"] = tree.left, tree.right
        nodes["feature"], nodes["threshold"] = tree.feature, tree.threshold
        nodes["n_node_samples"] = nodes["weighted_n_node_samples"] = 1
        walker = Walker(len(self.features), np.array([1], np.intp), 1)
        values = np.zeros((len(nodes), 1, 1))
        walker.__setstate__({"max_depth": 1, "node_count": len(nodes), "nodes": nodes, "values": values})
        return walker


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One column of the chain: how its numbers become cells (``None``: a category) and its trees."""

    name: str
    cells: Cells | None
    trees: tuple[Tree, ...]

    @property
    def runs(self) -> Codes | None:
        """The runs of a number's cells."""
        return None if self.cells is None else self.cells.runs

    def tempered(self, temperature: float) -> Link:
        """Return the column with its trees drawn from at ``temperature``, 1.0 being without a bias."""
        common = None if self.cells is None else self.cells.common
        bias = None if temperature == 1.0 else Bias(temperature, common)
        return replace(self, trees=tuple(replace(tree, bias=bias) for tree in self.trees))


def draw(link: Link, columns: Sequence[Codes], rows: int, random: np.random.Generator) -> Codes:
    """Return a cell of the column for each of ``rows``, by a tree at random for each."""
    drawn = np.empty(rows, np.int64)
    for tree, chosen in _by_tree(link.trees, rows, random):
        drawn[chosen] = tree.draw(columns, chosen, random, link.runs)
    return drawn


def _by_tree(trees: Sequence[Tree], rows: int, random: np.random.Generator) -> Iterator[tuple[Tree, Codes]]:
    which = random.integers(0, len(trees), rows).astype(np.int16)
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(trees) + 1))
    for number, tree in enumerate(trees):
        yield tree, order[ends[number] : ends[number + 1]]


def grow(
    columns: Sequence[Codes], ordered: Sequence[bool], target: Target, shares: Shares, growth: Growth, seed: int
) -> Tree:
    """Grow the tree of ``target`` given ``columns``; ``ordered`` says which of these hold numbers in order."""
    size = int(target.groups.max()) + 1
    ranks: list[Ranks | None] = [None] * len(columns)
    if not columns or size < 2 or len(shares.held) <= growth.min_leaf:
        nowhere = np.zeros(len(shares.grown) + len(shares.held), np.int64)
        return _filled(Structure.stump(), ranks, 0.0, target.cells, columns, shares, nowhere, growth.honest)
    rows, known = np.concatenate([shares.grown, shares.held]), len(shares.grown)
    groups = target.groups[rows]
    table = np.empty((len(rows), len(columns)), np.float32, order="F")
    spreads: list[Ranks] = []
    for place, cells in enumerate(columns):
        here, levels = cells[rows], int(cells.max()) + 1
        rank = None if ordered[place] else _ranks(here[:known], groups[:known], levels, size)
        here = here if rank is None else rank[here].astype(np.int64)
        spreads.append(_spread(here[:known], levels))
        table[:, place], ranks[place] = spreads[place][here], rank
    found = _library_tree(table[:known], groups[:known], growth.min_leaf, seed)
    leaf = found.apply(table)
    structure, number, strength = prune(
        Structure(found.children_left, found.children_right, found.feature, _in_cells(found, spreads)),
        _table(leaf[:known], groups[:known], found.node_count, size),
        _table(leaf[known:], groups[known:], found.node_count, size),
        growth.min_gain,
        growth.min_leaf,
    )
    strength *= _AVERAGED
    return _filled(structure, ranks, strength, target.cells, columns, shares, number[leaf], growth.honest)


def _library_tree(table: NDArray[np.float32], groups: Codes, min_leaf: int, seed: int) -> Any:
    """Return scikit-learn's tree: at each node the best column by a threshold at random in each.

    Such trees (Geurts, Ernst & Wehenkel 2006) differ more, bend less to their rows, and grow in half the time. Of few
    columns a threshold at random is too often a bad one, and the best is searched for.
    """
    splitter = "random" if table.shape[1] > _FEW_COLUMNS else "best"
    rows, size = len(groups), int(groups.max()) + 1
    if size > rows // 2 > 1:  # of fewer rows no more groups can be told apart, and the library warns
        groups = groups * (rows // 2) // size
    library = DecisionTreeClassifier(
        criterion="entropy", splitter=splitter, min_samples_leaf=min_leaf, random_state=seed
    )
    return library.fit(table, groups, check_input=False).tree_


def _spread(cells: Codes, levels: int) -> Ranks:
    """Return for each of ordered cells the middle of its rows, counted from the lowest cell on.

    A threshold at random between these leaves as many rows on either side as it may; between the cells' numbers it
    would mostly fall among rare ones.
    """
    counts = np.bincount(cells, minlength=levels)
    return (np.cumsum(counts) - counts / 2).astype(np.float32)


def _in_cells(found: Any, spreads: Sequence[Ranks]) -> NDArray[np.float64]:
    """Return the thresholds of a tree between numbers of cells (or ranks), which it has between their spreads."""
    threshold: NDArray[np.float64] = found.threshold.copy()
    for feature, spread in enumerate(spreads):
        here = found.feature == feature
        threshold[here] = np.searchsorted(spread, threshold[here], side="right") - 0.5
    return threshold


def _filled(
    structure: Structure,
    ranks: Sequence[Ranks | None],
    strength: float,
    cells: Codes,
    columns: Sequence[Codes],
    shares: Shares,
    leaf: Codes,
    honest: bool,
) -> Tree:
    """Return the tree with its pools; ``leaf`` is where the rows fall that it was grown on and those held out.

    A tree without a split has nothing to be honest about and takes all rows.
    """
    used = np.unique(structure.feature[structure.feature >= 0])
    place = np.full(len(columns) + 1, -1)  # the last one stands for a leaf's -1
    place[used] = np.arange(len(used))
    nodes = Structure(structure.left, structure.right, place[structure.feature], structure.threshold)
    empty = np.zeros(0, np.int64)
    bare = Tree(nodes, tuple(used.tolist()), tuple(ranks[at] for at in used), empty, empty, empty, strength)
    first = len(shares.grown) if honest and len(used) else 0
    leaf = np.concatenate([leaf[first:], bare.leaves(columns, shares.further)])
    pool = cells[np.concatenate([shares.grown, shares.held, shares.further])[first:]]
    start, end = _stretches(nodes, np.bincount(leaf, minlength=len(nodes.left)))
    size = int(pool.max()) + 1
    # Its cells are most of what there is of a tree: they take as few bytes as they may, to be sent and to be kept.
    cells_by_leaf = (np.sort(leaf * size + pool) % size).astype(np.min_scalar_type(size))
    return Tree(nodes, bare.features, bare.ranks, start, end, cells_by_leaf, strength)


def _stretches(nodes: Structure, rows: Codes) -> tuple[Codes, Codes]:
    """Return where each node's rows start and end, the leaves' rows lying one after another."""
    end = np.cumsum(rows)
    start = end - rows
    for inner in (level[nodes.left[level] >= 0] for level in nodes.levels[::-1]):
        start[inner], end[inner] = start[nodes.left[inner]], end[nodes.right[inner]]
    return start, end


def _ranks(cells: Codes, groups: Codes, levels: int, size: int) -> Ranks | None:
    """Return a rank for each level of a category: levels whose rows have like laws of the target lie together.

    The order is that of the first principal axis of the levels' laws (``axes``; Breiman et al. 1984 show that for two
    classes no split is lost by it). ``None`` where there is no choice.
    """
    if levels <= 2:
        return None
    law = np.bincount(groups, minlength=size) / len(groups)
    counts = _table(cells, groups, levels, size)
    rows = counts.sum(axis=1, keepdims=True)
    profile = ((counts + _PRIOR_ROWS * law) / (rows + _PRIOR_ROWS) - law) / np.sqrt(law + 1e-9)
    order = np.argsort(first_axis(profile, rows[:, 0]), kind="stable")
    ranks = np.empty(levels, np.float32)
    ranks[order] = np.arange(levels)
    return ranks


def _table(one: Codes, other: Codes, rows: int, columns: int) -> NDArray[np.float64]:
    return np.bincount(one * columns + other, minlength=rows * columns).reshape(rows, columns).astype(np.float64)
