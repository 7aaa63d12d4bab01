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

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.config import Forest as Parameters
from synthcli.schema import Schema
from synthcli.seeds import generator, stage_seed
from synthcli.synthesizers import boundary
from synthcli.synthesizers.boundary import Boundary
from synthcli.synthesizers.crew import HERE, Crew, Job, Ref
from synthcli.synthesizers.forest import growing
from synthcli.synthesizers.forest.coding import Coded, in_cells, judging_groups
from synthcli.synthesizers.forest.trees import Link, Tree
from synthcli.synthesizers.protocol import Completed, Keeps, Progress

Codes = NDArray[np.int64]

#: Turns through the columns. More bring nothing that can be measured.
SWEEPS = 2
#: Rows with a hole elsewhere that trees must have seen to learn what it means, and how often they must show one, as a
#: part of how often rows to be filled do.
_HOLES, _AS_OFTEN = 50, 0.5
#: Rows of which a task draws the cells, those of a real row that are drawn anew, and seconds that a cell takes.
BLOCK, _A_DRAW = 50_000, 2.5e-7
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
    crew: Crew = HERE,
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
    work = SWEEPS * sum(growing.seconds(len(known[name]), len(coded) - 1, parameters) for name in todo)
    with crew.job(work) as job:
        desk = _Desk(job, state)
        for number, (sweep, name) in enumerate((sweep, name) for sweep in range(SWEEPS) for name in todo):
            progress(number / (SWEEPS * len(todo)), f"column {name}, turn {sweep + 1} of {SWEEPS}")
            telling = [other for other in coded if other != name and _tells(empty.get(other), known[name], holes[name])]
            links |= desk.links({name: telling}, parameters, stage_seed(seed, "turn", sweep), times)
            # A draw takes a hundredth of what its trees took: to send it elsewhere would take longer.
            state.draw(links[name], holes[name], generator(seed, "fill", sweep, name))
            desk.changed(name)
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
    *,
    crew: Crew = HERE,
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
    cells = sum(len(rows) for rows in places.values())
    work = len(todo) * growing.seconds(law.height, len(coded) - 1, parameters) + SWEEPS * cells * _A_DRAW
    with crew.job(work) as job:
        desk = _Desk(job, state)
        telling = {name: [other for other in coded if other != name] for name in todo}
        links = desk.links(telling, parameters, stage_seed(seed, "vary"), tell=lambda done: progress(done, "trees"))
        desk.draw_anew(links, redrawn, rows.height, seed)
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

    def draw(self, link: Link, rows: Codes, random: np.random.Generator) -> None:
        """Fill the column's cells in ``rows``, each from a leaf of a tree at random."""
        _draw(link, self.codes, self.telling[link.name], rows, random)

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


def _draw(
    link: Link, codes: Mapping[str, Codes], telling: Sequence[str], rows: Codes, random: np.random.Generator
) -> None:
    given = [codes[other] for other in telling]
    which = random.integers(0, len(link.trees), len(rows))
    for number, tree in enumerate(link.trees):
        mine = rows[which == number]
        codes[link.name][mine] = tree.draw(given, mine, random)


@dataclass(frozen=True, eq=False)
class _Desk:
    """The table's columns put down for a job; a column that changes has to be put down anew."""

    job: Job
    state: _State
    _codes: dict[str, Ref[Codes]] = field(default_factory=dict)
    _groups: dict[str, Ref[Codes]] = field(default_factory=dict)

    def links(
        self,
        telling: Mapping[str, Sequence[str]],
        parameters: Parameters,
        seed: int,
        times: Codes | None = None,
        tell: Callable[[float], None] = lambda share: None,
    ) -> dict[str, Link]:
        """Grow the trees of some columns given the columns ``telling`` of each, from the rows in which it is known.

        ``times`` says how often each row counts; ``None``: once.
        """
        counts = None if times is None else self.job.array(times)
        plots = [self._plot(name, others, parameters, seed, times, counts) for name, others in telling.items()]
        calls = [(plot, tree) for plot in plots for tree in range(parameters.trees)]
        trees = iter(self.job.run(growing.grown, calls, lambda done: tell(done / len(calls))))
        self.state.telling.update(telling)
        return {name: self._link(name, [next(trees) for _ in range(parameters.trees)]) for name in telling}

    def changed(self, name: str) -> None:
        """Forget what a column was."""
        self._codes.pop(name, None)

    def draw_anew(
        self, links: Mapping[str, Link], redrawn: Mapping[str, NDArray[np.bool_]], rows: int, seed: int
    ) -> None:
        """Draw cells of the first ``rows`` rows in turns, a block of rows a task, since no row depends on another."""
        codes = {name: self._put(name) for name in self.state.coded}
        open_cells = {name: self.job.array(redrawn[name]) for name in links}
        known = self.job.put((dict(links), dict(self.state.telling)), _write_links, _read_links)
        starts = range(0, rows, BLOCK)
        calls = [(known, codes, open_cells, number, start, min(start + BLOCK, rows), seed)
                 for number, start in enumerate(starts)]  # fmt: skip
        for start, drawn in zip(starts, self.job.run(_drawn_anew, calls), strict=True):
            for name, cells in drawn.items():
                self.state.codes[name][start : start + len(cells)] = cells

    def _plot(
        self,
        name: str,
        others: Sequence[str],
        parameters: Parameters,
        seed: int,
        times: Codes | None,
        counts: Ref[Codes] | None,
    ) -> growing.Plot:
        column, known = self.state.coded[name], self.state.known[name]
        known = known if times is None else known[times[known] > 0]
        return growing.Plot.of(
            name,
            self._put(name) if column.codes is self.state.codes[name] else self.job.array(column.codes),
            [self._put(other) for other in others],
            [self.state.coded[other].cells is not None for other in others],
            self._group(name),
            [self._group(other) for other in others] if growing.many_levels(column) else None,
            parameters,
            len(known),
            seed,
            self.job.array(known),
            counts,
        )

    def _link(self, name: str, trees: Sequence[Tree]) -> Link:
        return Link(name, self.state.coded[name].cells, tuple(trees))

    def _put(self, name: str) -> Ref[Codes]:
        if name not in self._codes:
            self._codes[name] = self.job.array(self.state.codes[name])
        return self._codes[name]

    def _group(self, name: str) -> Ref[Codes]:
        if name not in self._groups:
            self._groups[name] = self.job.array(judging_groups(self.state.coded[name]))
        return self._groups[name]


def _drawn_anew(
    known: Ref[tuple[dict[str, Link], dict[str, Sequence[str]]]],
    columns: Mapping[str, Ref[Codes]],
    redrawn: Mapping[str, Ref[NDArray[np.bool_]]],
    number: int,
    start: int,
    end: int,
    seed: int,
) -> dict[str, NDArray[Any]]:
    """Draw the cells of block ``number`` of the rows in turns, and return them by column: the task of a worker."""
    links, telling = known.get()
    codes = {name: column.get()[start:end].copy() for name, column in columns.items()}
    places = {name: np.flatnonzero(flags.get()[start:end]) for name, flags in redrawn.items()}
    block = (number,) if number else ()  # the first has the stream that a table of one block has
    for sweep in range(SWEEPS):
        for name, link in links.items():
            _draw(link, codes, telling[name], places[name], generator(seed, "vary", sweep, name, *block))
    return {name: codes[name].astype(np.int32) for name in links}


def _write_links(links: tuple[dict[str, Link], dict[str, Sequence[str]]], path: Path) -> None:
    with path.open("wb") as file:
        pickle.dump(links, file, pickle.HIGHEST_PROTOCOL)


def _read_links(path: Path) -> tuple[dict[str, Link], dict[str, Sequence[str]]]:
    with path.open("rb") as file:
        links: tuple[dict[str, Link], dict[str, Sequence[str]]] = pickle.load(file)
    return links


def _times(rows: int, seed: int) -> Codes:
    """Return how often each row is drawn in a bootstrap sample: one for all trees, since it stands for other data."""
    random = generator(seed, "resample")
    return np.bincount(random.integers(0, rows, rows), minlength=rows)


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
