"""Holes filled by trees: each column's by a small forest of it given all others, in turns until nothing is missing.

This is fully conditional specification (van Buuren 2007, doi:10.1177/0962280206074463) with trees that a cell is drawn
from rather than predicted by (Doove, van Buuren & Dusseldorp 2014, doi:10.1016/j.csda.2013.10.025). A chain of forests
could fill holes too, by weighting; but where every column is given all others nothing has to be weighted, so that the
law is closer and a hole costs one walk down a tree.

In the first turn a hole elsewhere counts as a value of its own, as far as rows show what it means; of columns that are
missing together the first is filled without the others. In the next turn their filling counts. Columns that are not to
be filled keep their holes as a value: that a flight has no delay says something about the rest of it.

Privacy is no concern here, since the table that is filled is real itself: leaves are small, trees draw from the rows
that they were grown on too, and a filled cell may be that of another row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

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
#: Rows with a hole elsewhere that trees must have seen to learn what it means, and how often they must show one, as a
#: part of how often rows to be filled do.
_HOLES, _AS_OFTEN = 50, 0.5
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

    A row is not made, and stays as it is, where its filled cells break a rule (``keeps``) however often they are drawn,
    or where a column has no known cell at all. ``resample`` draws the rows that trees learn from with replacement, so
    that tables filled with different seeds differ by what one does not know of the law, too (Rubin's *proper*
    imputation). Trees learn from the rows of ``law``, where these are given, else from those of the table itself.
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
    todo = [name for name in columns if name in coded and len(holes[name]) and len(known[name])]
    todo.sort(key=lambda name: len(holes[name]))
    times = _times(stacked.height, seed) if resample else None
    empty = {name: missing[name] for name in todo}
    links: dict[str, Link] = {}
    for number, (sweep, name) in enumerate((sweep, name) for sweep in range(SWEEPS) for name in todo):
        progress(number / (SWEEPS * len(todo)), f"column {name}, turn {sweep + 1} of {SWEEPS}")
        telling = [other for other in coded if other != name and _tells(empty.get(other), known[name], holes[name])]
        links[name] = state.link(name, telling, parameters, stage_seed(seed, "turn", sweep), times)
        state.draw(links[name], holes[name], generator(seed, "fill", sweep, name))
        empty.pop(name, None)
    rows = np.unique(np.concatenate([np.zeros(0, np.int64), *holes.values()]))
    done = state.kept(links, holes, rows, keeps, seed)
    whole = ~done.table.select(pl.any_horizontal(pl.col(columns).is_null())).to_series().to_numpy()
    made = np.ones(own, np.bool_)
    made[rows] = done.made & whole
    taken = made[rows]
    return Completed(_with_rows(table, done.table.filter(pl.Series(taken)), rows[taken], columns), made)


def vary(
    rows: pl.DataFrame,
    schema: Schema,
    redrawn: Mapping[str, NDArray[np.bool_]],
    law: pl.DataFrame,
    parameters: Parameters,
    seed: int,
    progress: Progress,
    keeps: Keeps,
) -> Completed:
    """Return ``rows`` with some cells drawn anew, in turns: each given all other cells of its row as they then are.

    ``redrawn`` says for each column which rows. Trees learn from the rows of ``law``, to which ``rows`` belong. It is a
    Gibbs sampler that starts at the rows themselves: of rows of that law it makes rows of that law, which keep cells
    and, in the few turns that are taken, some of what the others were. A row is not made as with :func:`fill`.
    """
    edge, numbers = boundary.learn(law.select(schema.names), schema)
    plain = rows.select(schema.names).fill_nan(None)
    coded = {name: in_cells(values, edge.codes[name]) for name, values in numbers.items()}
    own, _ = edge.encode(plain)
    codes = {
        name: np.concatenate([_encoded(own[name], plain[name], column), column.codes]) for name, column in coded.items()
    }
    everyone = rows.height + np.arange(law.height)
    todo = [name for name in schema.names if name in redrawn and name in coded]
    open_cells = plain.with_columns(pl.when(~pl.Series(redrawn[name])).then(pl.col(name)).alias(name) for name in todo)
    whole = {name: Coded(codes[name], column.size, column.cells) for name, column in coded.items()}
    state = _State(edge, whole, codes, dict.fromkeys(todo, everyone), open_cells)
    places = {name: np.flatnonzero(redrawn[name]) for name in todo}
    links: dict[str, Link] = {}
    for number, name in enumerate(todo):
        progress(number / len(todo), f"column {name}")
        links[name] = state.link(
            name, [other for other in coded if other != name], parameters, stage_seed(seed, "vary")
        )
    for sweep in range(SWEEPS):
        for name in todo:
            state.draw(links[name], places[name], generator(seed, "vary", sweep, name))
    return state.kept(links, places, np.arange(rows.height), keeps, seed)


def _encoded(numbers: NDArray[Any], series: pl.Series, column: Coded) -> Codes:
    """Return a column's cells from what crossed the boundary: numbers, or codes of categories."""
    codes = numbers if column.cells is None else column.cells.encode(numbers)
    return np.where(series.is_null().to_numpy(), column.size - 1, codes).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _State:
    """The table, and behind it the rows of its law, in cells while its holes are filled; ``codes`` change.

    ``known`` has the rows that a column's trees learn from, ``telling`` the columns that they look at.
    """

    edge: Boundary
    coded: dict[str, Coded]
    codes: dict[str, Codes]
    known: dict[str, Codes]
    table: pl.DataFrame
    telling: dict[str, Sequence[str]] = field(default_factory=dict)

    def link(
        self, name: str, others: Sequence[str], parameters: Parameters, seed: int, times: Codes | None = None
    ) -> Link:
        """Grow the column's trees given the columns ``others``, from the rows in which it is known.

        ``times`` says how often each row counts; ``None``: once.
        """
        column = self.coded[name]
        self.telling[name] = others
        codes = [self.codes[other] for other in others]
        ordered = [self.coded[other].cells is not None for other in others]
        known = self.known[name] if times is None else self.known[name][times[self.known[name]] > 0]
        growth = limits(parameters, len(known))
        judged = judging_groups(column)
        like = column.cells is None and column.size > LEVELS
        groups = [judging_groups(self.coded[other]) for other in others] if like else []

        def task(tree: int) -> Tree:
            random = generator(seed, "tree", name, tree)
            shares = _of(known, divided(len(known), tree, parameters.trees, parameters.max_rows, random))
            shares = shares if times is None else _repeated(shares, times)
            target = Target(column.codes, groups_of_like(column.codes, groups, shares.grown) if like else judged)
            return grow(codes, ordered, target, shares, growth, int(random.integers(2**31)))

        with ThreadPoolExecutor(processors()) as pool:
            return Link(name, column.cells, tuple(pool.map(task, range(parameters.trees))))

    def draw(self, link: Link, rows: Codes, random: np.random.Generator) -> None:
        """Fill the column's cells in ``rows``, each from a leaf of a tree at random."""
        codes = [self.codes[other] for other in self.telling[link.name]]
        which = random.integers(0, len(link.trees), len(rows))
        for number, tree in enumerate(link.trees):
            mine = rows[which == number]
            self.codes[link.name][mine] = tree.draw(codes, mine, random)

    def kept(
        self, links: Mapping[str, Link], places: Mapping[str, Codes], rows: Codes, keeps: Keeps, seed: int
    ) -> Completed:
        """Return ``rows`` as they now are, with the cells at ``places`` drawn anew in those that break a rule."""
        filled = self.decoded(rows, seed)
        for turn in range(_TURNS):
            broken = np.flatnonzero(~keeps(filled))
            if not len(broken):
                break
            for name, link in links.items():
                self.draw(link, np.intersect1d(places[name], rows[broken]), generator(seed, "again", turn, name))
            order = np.arange(len(rows))
            order[broken] = len(rows) + np.arange(len(broken))
            filled = pl.concat([filled, self.decoded(rows[broken], stage_seed(seed, "again", turn))])[order]
        return Completed(filled, keeps(filled))

    def decoded(self, rows: Codes, seed: int) -> pl.DataFrame:
        """Return ``rows`` with the table's known cells and the filled ones."""
        numbers: dict[str, NDArray[np.float64] | Codes] = {}
        for name, column in self.coded.items():
            here = self.codes[name][rows]
            random = generator(seed, "within", name)
            numbers[name] = here if column.cells is None else column.cells.decode(here, random)
        drawn = self.edge.decode(numbers, len(rows), seed)
        there = self.table[rows]
        # A column of one value is nothing to learn: it stays as it is, or is filled with that value.
        single = {name: there[name] for name in drawn.columns if name not in self.coded}
        for name in single.keys() & self.known.keys():
            value = self.table[name].drop_nulls()
            single[name] = single[name].fill_null(value[0]) if len(value) else single[name]
        return boundary.put_in(there, drawn.with_columns(**single), np.ones(len(rows), np.bool_)).table


def _of(known: Codes, shares: Shares) -> Shares:
    """Return shares of the rows ``known``, from places among them."""
    return Shares(known[shares.grown], known[shares.held], known[shares.further])


def _times(rows: int, seed: int) -> Codes:
    """Return how often each row is drawn in a bootstrap sample: one for all trees, since it stands for other data."""
    random = generator(seed, "resample")
    return np.bincount(random.integers(0, rows, rows), minlength=rows)


def _repeated(shares: Shares, times: Codes) -> Shares:
    """Return shares in which each row stands as often as it counts, so that no row lies on two sides."""
    grown, held, further = (np.repeat(rows, times[rows]) for rows in (shares.grown, shares.held, shares.further))
    return Shares(grown, held, further)


def _tells(empty: NDArray[np.bool_] | None, known: Codes, holes: Codes) -> bool:
    """Return whether a column can tell something of another one's ``holes``, to trees that learn from ``known`` rows.

    ``empty`` says where it has a hole itself; ``None``: it has none any more. Among the rows to learn from it needs
    such holes about as often as where something is to be filled: of what they mean trees would learn nothing else.
    """
    if empty is None or not len(holes):
        return True
    there = empty[holes].mean()
    return bool(there == 0 or (empty[known].sum() >= _HOLES and empty[known].mean() >= _AS_OFTEN * there))


def _with_rows(table: pl.DataFrame, filled: pl.DataFrame, rows: Codes, columns: Sequence[str]) -> pl.DataFrame:
    """Return ``table`` with its ``columns`` in ``rows`` taken from ``filled``."""
    places = pl.Series(rows, dtype=pl.UInt32)
    return table.with_columns(table[name].scatter(places, filled[name]).alias(name) for name in columns if len(rows))
