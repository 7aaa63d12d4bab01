"""A column's trees as tasks: each depends on the seed, the column's name and its own number, and on no other tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthcli.config import Forest as Parameters
from synthcli.seeds import generator
from synthcli.synthesizers.crew import Ref
from synthcli.synthesizers.forest.coding import LEVELS, Coded, divided, groups_of_like, limits
from synthcli.synthesizers.forest.trees import Growth, Shares, Target, Tree, grow

Codes = NDArray[np.int64]
Column = Ref[Codes]

#: Seconds that a tree takes on one processor: for each cell that it looks at, and for each row that fills its pools.
_A_CELL, _A_ROW = 6e-8, 6e-8


@dataclass(frozen=True, slots=True)
class Plot:
    """All that the trees of one column have in common.

    Attributes
    ----------
    name, cells
        The column.
    given, ordered
        The columns that the trees look at, and which of these hold numbers in order.
    judged
        The groups that splits are judged by.
    alike
        Of a category of many levels the groups of the columns ``given``: each tree makes groups to be judged by of its
        own, of levels that go with like groups of these; ``None``: by ``judged``.
    known
        The rows to learn from; ``None``: all.
    times
        How often each row counts; ``None``: once.
    """

    name: str
    cells: Column
    given: tuple[Column, ...]
    ordered: tuple[bool, ...]
    judged: Column
    alike: tuple[Column, ...] | None
    known: Column | None
    times: Column | None
    trees: int
    max_rows: int
    growth: Growth
    seed: int

    @classmethod
    def of(
        cls,
        name: str,
        cells: Column,
        given: Sequence[Column],
        ordered: Sequence[bool],
        judged: Column,
        alike: Sequence[Column] | None,
        parameters: Parameters,
        rows: int,
        seed: int,
        known: Column | None = None,
        times: Column | None = None,
    ) -> Plot:
        """Return the plot of a column that is learned from ``rows`` rows with the parameters of the kind ``forest``."""
        return cls(
            name,
            cells,
            tuple(given),
            tuple(ordered),
            judged,
            None if alike is None else tuple(alike),
            known,
            times,
            parameters.trees,
            parameters.max_rows,
            limits(parameters, rows),
            seed,
        )


def many_levels(column: Coded) -> bool:
    """Whether a column is a category of so many levels that each tree groups them by what they go with."""
    return column.cells is None and column.size > LEVELS


def grown(plot: Plot, number: int) -> Tree:
    """Grow tree ``number`` of a column: the task of a worker."""
    random = generator(plot.seed, "tree", plot.name, number)
    cells = plot.cells.get()
    shares = _shares(plot, len(cells), number, random)
    if plot.alike is None:
        judged = plot.judged.get()
    else:
        judged = groups_of_like(cells, [groups.get() for groups in plot.alike], shares.grown)
    given = [column.get() for column in plot.given]
    return grow(given, plot.ordered, Target(cells, judged), shares, plot.growth, int(random.integers(2**31)))


def seconds(rows: int, given: int, parameters: Parameters) -> float:
    """Return about how long the trees of a column take on one processor, given ``given`` columns."""
    return parameters.trees * (min(rows, parameters.max_rows) * (given + 1) * _A_CELL + rows * _A_ROW)


def _shares(plot: Plot, rows: int, number: int, random: np.random.Generator) -> Shares:
    if plot.known is None:
        return divided(rows, number, plot.trees, plot.max_rows, random)
    known = plot.known.get()
    shares = divided(len(known), number, plot.trees, plot.max_rows, random)
    shares = Shares(known[shares.grown], known[shares.held], known[shares.further])
    return shares if plot.times is None else _repeated(shares, plot.times.get())


def _repeated(shares: Shares, times: Codes) -> Shares:
    """Return shares in which each row stands as often as it counts, so that no row lies on two sides."""
    grown, held, further = (np.repeat(rows, times[rows]) for rows in (shares.grown, shares.held, shares.further))
    return Shares(grown, held, further)
