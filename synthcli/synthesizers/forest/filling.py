"""Holes filled by trees: each column's by a small forest of it given all others, in turns until nothing is missing.

This is fully conditional specification (van Buuren 2007, doi:10.1177/0962280206074463) with trees that a cell is drawn
from rather than predicted by (Doove, van Buuren & Dusseldorp 2014, doi:10.1016/j.csda.2013.10.025). A chain of forests
could fill holes too, by weighting; but where every column is given all others nothing has to be weighted, so that the
law is closer and a hole costs one walk down a tree.

In the first turn a hole elsewhere counts as a value of its own; in the next its filling does. Columns that are not to
be filled keep their holes as that value: that a flight has no delay says something about the rest of it.

Privacy is no concern here, since the table that is filled is real itself: leaves are small, trees draw from the rows
that they were grown on too, and a filled cell may be that of another row.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.config import Forest as Parameters
from synthcli.parallel import processors
from synthcli.schema import Schema
from synthcli.seeds import generator, stage_seed
from synthcli.synthesizers import boundary
from synthcli.synthesizers.boundary import Boundary
from synthcli.synthesizers.forest.coding import LEVELS, Coded, divided, groups_of_like, in_cells, judging_groups, limits
from synthcli.synthesizers.forest.trees import Link, Shares, Target, Tree, grow
from synthcli.synthesizers.protocol import Completed, Keeps, Progress

Codes = NDArray[np.int64]

#: Turns through the columns. More bring nothing that can be measured.
SWEEPS = 2
#: Times that the holes of rows which break a rule are filled anew.
_TURNS = 50


def fill(
    table: pl.DataFrame,
    schema: Schema,
    columns: Sequence[str],
    parameters: Parameters,
    seed: int,
    progress: Progress,
    keeps: Keeps,
    *,
    resample: bool = False,
    law: pl.DataFrame | None = None,
) -> Completed:
    """Return ``table`` with the holes of ``columns`` filled; known cells come back bit for bit.

    A row is not made where its filled cells break a rule (``keeps``) however often they are drawn, or where a column
    has no known cell at all. ``resample`` draws the rows that each tree learns from with replacement, so that tables
    filled with different seeds differ by what one does not know of the law, too (Rubin's *proper* imputation).
    Trees learn from the rows of ``law``, where these are given, and else from those of the table itself.
    """
    own = table.height
    plain = table.select(schema.names).fill_nan(None)
    stacked = plain if law is None else pl.concat([plain, law.select(schema.names).fill_nan(None)])
    edge, numbers = boundary.learn(stacked, schema)
    coded = {name: in_cells(values, edge.codes[name]) for name, values in numbers.items()}
    missing = {name: stacked[name].is_null().to_numpy() for name in columns}
    holes = {name: np.flatnonzero(missing[name][:own]) for name in columns}
    first = 0 if law is None else own
    known = {name: first + np.flatnonzero(~missing[name][first:]) for name in columns}
    state = _State(edge, coded, {name: column.codes.copy() for name, column in coded.items()}, known, plain)
    todo = sorted((name for name in columns if name in coded and len(holes[name])), key=lambda name: len(holes[name]))
    links: dict[str, Link] = {}
    for number, (sweep, name) in enumerate((sweep, name) for sweep in range(SWEEPS) for name in todo):
        progress(number / (SWEEPS * len(todo)), f"column {name}, turn {sweep + 1} of {SWEEPS}")
        links[name] = state.link(name, parameters, stage_seed(seed, "turn", sweep), resample)
        state.draw(links[name], holes[name], generator(seed, "fill", sweep, name))
    rows = np.unique(np.concatenate([np.zeros(0, np.int64), *holes.values()]))
    filled = state.decoded(rows, seed)
    for turn in range(_TURNS):
        broken = rows[~keeps(filled)]
        if not len(broken):
            break
        for name in todo:
            state.draw(links[name], np.intersect1d(holes[name], broken), generator(seed, "again", turn, name))
        filled = state.decoded(rows, stage_seed(seed, "again", turn))
    whole = ~filled.select(pl.any_horizontal(pl.col(columns).is_null())).to_series().to_numpy()
    made = np.ones(table.height, np.bool_)
    made[rows] = keeps(filled) & whole
    return Completed(_with_rows(table, filled, rows, columns), made)


@dataclass(frozen=True, eq=False)
class _State:
    """The table, and behind it the rows of its law, in cells while its holes are filled; ``codes`` change.

    ``known`` has the rows that a column's trees learn from.
    """

    edge: Boundary
    coded: dict[str, Coded]
    codes: dict[str, Codes]
    known: dict[str, Codes]
    table: pl.DataFrame

    def link(self, name: str, parameters: Parameters, seed: int, resample: bool) -> Link:
        """Grow the column's trees given all other columns, from the rows in which it is known."""
        column, others = self.coded[name], self._others(name)
        codes = [self.codes[other] for other in others]
        ordered = [self.coded[other].cells is not None for other in others]
        known = self.known[name]
        growth = limits(parameters, len(known))
        judged = judging_groups(column)
        like = column.cells is None and column.size > LEVELS
        groups = [judging_groups(self.coded[other]) for other in others] if like else []

        def task(tree: int) -> Tree:
            random = generator(seed, "tree", name, tree)
            shares = _of(known, divided(len(known), tree, parameters.trees, parameters.max_rows, random))
            shares = _resampled(shares, random) if resample else shares
            target = Target(column.codes, groups_of_like(column.codes, groups, shares.grown) if like else judged)
            return grow(codes, ordered, target, shares, growth, int(random.integers(2**31)))

        with ThreadPoolExecutor(processors()) as pool:
            return Link(name, column.cells, tuple(pool.map(task, range(parameters.trees))))

    def draw(self, link: Link, rows: Codes, random: np.random.Generator) -> None:
        """Fill the column's cells in ``rows``, each from a leaf of a tree at random."""
        codes = [self.codes[other] for other in self._others(link.name)]
        which = random.integers(0, len(link.trees), len(rows))
        for number, tree in enumerate(link.trees):
            mine = rows[which == number]
            self.codes[link.name][mine] = tree.draw(codes, mine, random)

    def decoded(self, rows: Codes, seed: int) -> pl.DataFrame:
        """Return ``rows`` with the table's known cells and the filled ones."""
        numbers: dict[str, NDArray[np.float64] | Codes] = {}
        for name, column in self.coded.items():
            here = self.codes[name][rows]
            random = generator(seed, "within", name)
            numbers[name] = here if column.cells is None else column.cells.decode(here, random)
        drawn = self.edge.decode(numbers, len(rows), seed)
        # A column of one value is nothing to learn, and nothing else can be filled in.
        single = {name: self.table[name].drop_nulls() for name in self.known if name not in self.coded}
        drawn = drawn.with_columns(drawn[name].fill_null(value[0]) for name, value in single.items() if len(value))
        return boundary.put_in(self.table[rows], drawn, np.ones(len(rows), np.bool_)).table

    def _others(self, name: str) -> list[str]:
        return [other for other in self.coded if other != name]


def _of(known: Codes, shares: Shares) -> Shares:
    """Return shares of the rows ``known``, from places among them."""
    return Shares(known[shares.grown], known[shares.held], known[shares.further])


def _resampled(shares: Shares, random: np.random.Generator) -> Shares:
    """Return each share drawn from itself with replacement, so that no row lies on two sides."""
    grown, held, further = (
        rows[np.sort(random.integers(0, len(rows), len(rows)))] if len(rows) else rows
        for rows in (shares.grown, shares.held, shares.further)
    )
    return Shares(grown, held, further)


def _with_rows(table: pl.DataFrame, filled: pl.DataFrame, rows: Codes, columns: Sequence[str]) -> pl.DataFrame:
    """Return ``table`` with its ``columns`` in ``rows`` taken from ``filled``."""
    places = pl.Series(rows, dtype=pl.UInt32)
    return table.with_columns(table[name].scatter(places, filled[name]).alias(name) for name in columns if len(rows))
