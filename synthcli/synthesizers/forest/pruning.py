"""Which splits of a tree pay: judged by the likelihood of rows that the tree was not grown on.

A node's law is that of its held-out rows, shrunk towards its parent's law by ``strength`` rows' worth of prior: the
node's weight is n/(n + strength). Each held-out row is judged by the node's law without itself (leave-one-out), so that
a split of noise costs likelihood, the more the fewer rows it leaves; the parent's law is of all its rows. A subtree
stays where it earns ``min_gain`` nats for each of its splits: a fixed price, so that more rows pay for more splits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: The strengths that are tried; 0.5 suits a law that is all but certain, 80 one that is mostly noise.
STRENGTHS = (0.5, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0)


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A binary tree's nodes in preorder; node 0 is the root, a leaf has -1 for its children and feature.

    A row goes to ``left`` where ``row[feature] <= threshold``.
    """

    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats

    @classmethod
    def stump(cls) -> Structure:
        """Return the tree of one leaf."""
        nothing = np.array([-1], np.int64)
        return cls(nothing, nothing, nothing, np.zeros(1))

    @property
    def parent(self) -> Ints:
        """The parent of each node, -1 for the root."""
        parent = np.full(len(self.left), -1, np.int64)
        inner = np.flatnonzero(self.left >= 0)
        parent[self.left[inner]] = inner
        parent[self.right[inner]] = inner
        return parent

    @property
    def levels(self) -> list[Ints]:
        """The nodes by depth, the root first."""
        found = [np.zeros(1, np.int64)]
        while True:
            inner = found[-1][self.left[found[-1]] >= 0]
            if not len(inner):
                return found
            found.append(np.concatenate([self.left[inner], self.right[inner]]))

    def cut(self, keep: NDArray[np.bool_]) -> tuple[Structure, Ints]:
        """Return the tree in which a node stays split only where ``keep`` says so, and where each node's rows are now.

        That is the number of the node itself or of the leaf above it that took its rows.
        """
        alive = np.zeros(len(self.left), np.bool_)
        alive[0] = True
        for nodes in self.levels:
            split = nodes[alive[nodes] & keep[nodes]]
            alive[self.left[split]] = alive[self.right[split]] = True
        nodes, number = np.flatnonzero(alive), np.cumsum(alive) - 1
        parent = self.parent
        for below in self.levels[1:]:
            gone = below[~alive[below]]
            number[gone] = number[parent[gone]]
        inner = keep[nodes]
        left, right = (np.where(inner, number[child[nodes]], -1) for child in (self.left, self.right))
        feature, threshold = (
            np.where(inner, part[nodes], none) for part, none in ((self.feature, -1), (self.threshold, 0.0))
        )
        return Structure(left, right, feature, threshold), number


def prune(
    tree: Structure, grown: Floats, held: Floats, min_gain: float, min_leaf: int
) -> tuple[Structure, Ints, float]:
    """Return the tree without the splits that do not pay, each node's new number, and the best strength.

    ``grown`` and ``held`` (nodes x groups) count the rows of each group that fall into each *leaf*: the rows that the
    tree was grown on, and those held out. No child keeps fewer than ``min_leaf`` held-out rows.
    """
    levels, parent = tree.levels, tree.parent
    grown, held = grown.copy(), held.copy()
    for counts in (grown, held):
        for nodes in levels[:0:-1]:
            np.add.at(counts, parent[nodes], counts[nodes])
    above = np.where(parent < 0, 0, parent)
    prior = (grown + held)[above] + 1e-3
    prior /= prior.sum(axis=1, keepdims=True)
    rows = held.sum(axis=1)
    inner = tree.left >= 0
    allowed = inner & (np.minimum(rows[tree.left], rows[tree.right]) >= min_leaf)
    best: tuple[float, NDArray[np.bool_], float] | None = None
    for strength in STRENGTHS:
        alone = _likelihood(held, rows, prior, strength)
        total, keep = _best_subtree(tree, levels, alone, allowed, min_gain)
        if best is None or total > best[0]:
            best = total, keep, strength
    assert best is not None
    return *tree.cut(best[1]), best[2]


def _likelihood(held: Floats, rows: Floats, prior: Floats, strength: float) -> Floats:
    """Return each node's log-likelihood of its held-out rows as a leaf, each row left out of its own law."""
    law = np.maximum(held - 1, 0) + strength * prior
    law /= np.maximum(rows - 1, 0)[:, None] + strength
    found: Floats = (held * np.log(law)).sum(axis=1)
    return found


def _best_subtree(
    tree: Structure, levels: list[Ints], alone: Floats, allowed: NDArray[np.bool_], min_gain: float
) -> tuple[float, NDArray[np.bool_]]:
    """Return the likelihood of the best pruned tree, less the price of its splits, and which nodes it splits."""
    best, keep = alone.copy(), np.zeros(len(alone), np.bool_)
    for nodes in levels[::-1]:
        split = nodes[allowed[nodes]]
        gained = best[tree.left[split]] + best[tree.right[split]] - min_gain
        keep[split] = gained > alone[split]
        best[split] = np.where(keep[split], gained, alone[split])
    return float(best[0]), keep
