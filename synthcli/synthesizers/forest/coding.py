"""A table in cells, and what growing a tree takes: cells in groups to be judged by, rows in shares, limits.

The chain and the filling grow the same trees of the same cells; this is what both start from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthcli.config import FOREST_PRESETS
from synthcli.config import Forest as Parameters
from synthcli.synthesizers import boundary
from synthcli.synthesizers.forest import cells
from synthcli.synthesizers.forest.axes import first_axis
from synthcli.synthesizers.forest.cells import Cells
from synthcli.synthesizers.forest.trees import Growth, Shares

Codes = NDArray[np.int64]

#: Groups of cells that the splits of a number are judged by, and those of a category, at most.
GROUPS, LEVELS = 24, 32


class Coded(NamedTuple):
    """A column in cells: ``codes`` below ``size``; ``cells`` where it is a number."""

    codes: Codes
    size: int
    cells: Cells | None


def in_cells(values: NDArray[Any], code: boundary.Code) -> Coded:
    """Return a column's numbers, or codes of categories, in cells."""
    if isinstance(code, boundary.Levels):
        return Coded(values.astype(np.int64), len(code.values) + 1, None)
    assert isinstance(code, boundary.Number | boundary.Moment)
    found, codes = cells.learn(values, code.unit)
    return Coded(codes, len(found), found)


def limits(parameters: Parameters, rows: int) -> Growth:
    """Return how trees are grown on ``rows`` rows: what ``privacy`` stands for, and what was set beside it."""
    preset = FOREST_PRESETS[parameters.privacy]
    looked_at = min(rows, parameters.max_rows)
    leaf, gain, honest = parameters.min_leaf, parameters.min_gain, parameters.honest
    return Growth(
        preset.leaf(looked_at) if leaf is None else leaf,
        preset.min_gain if gain is None else gain,
        preset.honest if honest is None else honest,
    )


def divided(rows: int, tree: int, trees: int, most: int, random: np.random.Generator) -> Shares:
    """Return a tree's halves of the rows; beyond ``most``, each tree fills its pools from another part of the rest."""
    order = random.permutation(rows)
    looked_at = order[:most]
    half = len(looked_at) // 2
    further = order[most:][tree::trees] if rows > most else order[:0]
    return Shares(np.sort(looked_at[:half]), np.sort(looked_at[half:]), np.sort(further))


def judging_groups(column: Coded) -> Codes:
    """Return for each row the group of its cell: of numbers those of like size, of categories those as frequent."""
    if column.cells is not None:
        return cells.groups(column.codes, column.size, GROUPS)[column.codes]
    present, codes = np.unique(column.codes, return_inverse=True)
    if len(present) <= LEVELS:
        return codes.astype(np.int64)
    return _grouped(codes, -np.bincount(codes).astype(np.float64))


def groups_of_like(column: Codes, before: Sequence[Codes], grown: Codes) -> Codes:
    """Return for each row the group of its category: categories that go with like cells of the columns before.

    Only the rows that a tree is grown on tell which are alike: the rows that judge its splits would find their own
    chances in the groups again, the more the fewer rows a category has.
    """
    if not before:
        return judging_groups(Coded(column, int(column.max()) + 1, None))
    codes = np.unique(column, return_inverse=True)[1]
    size = int(codes.max()) + 1
    return _grouped(codes, _scores(codes[grown], size, [groups[grown] for groups in before]))


def _grouped(codes: Codes, score: NDArray[np.float64]) -> Codes:
    """Return for each row the group of its level, levels of like score together."""
    rank = np.empty(len(score), np.int64)
    rank[np.argsort(score, kind="stable")] = np.arange(len(score))
    return cells.groups(rank[codes], len(score), LEVELS)[rank[codes]]


def _scores(codes: Codes, size: int, before: Sequence[Codes]) -> NDArray[np.float64]:
    """Return a score for each level, alike for levels that go with like groups of the columns before (``axes``)."""
    rows = np.bincount(codes, minlength=size)
    blocks = []
    for groups in before:
        width = int(groups.max()) + 1
        law = np.bincount(groups, minlength=width) / len(groups)
        counts = np.bincount(codes * width + groups, minlength=size * width).reshape(size, width)
        blocks.append(((counts + cells.COMMON * law) / (rows[:, None] + cells.COMMON) - law) / np.sqrt(law + 1e-9))
    return first_axis(np.hstack(blocks), rows.astype(np.float64))
