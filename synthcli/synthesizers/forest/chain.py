"""The chain of forests: columns in an order, each drawn given the ones before it.

A model's files hold cells, trees and pools of cells sorted by leaf, and no row: neither which rows a pool's cells came
from nor which cells of two pools belong together. They are JSON and npz; nothing in them is executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.artifacts import read_json, write_json
from synthcli.config import Forest as Parameters
from synthcli.errors import BadTableError, ConfigError
from synthcli.schema import Schema
from synthcli.seeds import generator
from synthcli.synthesizers import boundary, tempering
from synthcli.synthesizers.boundary import Boundary
from synthcli.synthesizers.crew import HERE, Crew, Job
from synthcli.synthesizers.forest import filling, growing, storage, weighting
from synthcli.synthesizers.forest.coding import GROUPS, Coded, in_cells, judging_groups
from synthcli.synthesizers.forest.trees import Link, Tree, draw
from synthcli.synthesizers.protocol import Completed, Keeps, Progress

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """A fitted chain of forests; it knows its conditional law (``protocol.Conditional``), and is fitted by a crew.

    ``temperature`` is the bias with which the pools of ``links`` are drawn from, 1.0 for none.
    """

    boundary: Boundary
    links: tuple[Link, ...]
    temperature: float = 1.0

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        """Learn from ``train``; ``parameters`` are those of ``config.generators.Forest``."""
        return cls.fit_by(HERE, train, schema, parameters, seed, progress)

    @classmethod
    def fit_by(
        cls,
        crew: Crew,
        train: pl.DataFrame,
        schema: Schema,
        parameters: Mapping[str, Any],
        seed: int,
        progress: Progress,
    ) -> Self:
        """Learn as :meth:`fit` does, every tree a task of ``crew``."""
        if train.is_empty():
            raise BadTableError("the training table has no rows", "give a table with at least one row")
        chosen = Parameters.model_validate({"kind": "forest", **parameters})
        edge, numbers = boundary.learn(train, schema)
        progress(0.0, f"cutting {len(numbers)} columns into cells")
        coded = {name: in_cells(values, edge.codes[name]) for name, values in numbers.items()}
        order = _order(coded, chosen.order, schema)
        trees = _grow_all([coded[name] for name in order], order, chosen, seed, progress, crew)
        links = [Link(name, coded[name].cells, tuple(grown)) for name, grown in zip(order, trees, strict=True)]
        return cls(edge, tuple(links))

    @classmethod
    def fill(
        cls,
        table: pl.DataFrame,
        schema: Schema,
        columns: Sequence[str],
        parameters: Mapping[str, Any],
        seed: int,
        progress: Progress,
        keeps: Keeps,
        *,
        resample: bool = False,
        law: pl.DataFrame | None = None,
        crew: Crew = HERE,
    ) -> Completed:
        """Return ``table`` with the holes of ``columns`` filled (``filling``); ``privacy`` is taken to be low."""
        chosen = Parameters.model_validate({"kind": "forest", **parameters, "privacy": "low"})
        return filling.fill(
            table, schema, columns, chosen, seed, progress, keeps, resample=resample, law=law, crew=crew
        )

    @classmethod
    def vary(
        cls,
        rows: pl.DataFrame,
        schema: Schema,
        redrawn: Mapping[str, NDArray[np.bool_]],
        law: pl.DataFrame,
        parameters: Mapping[str, Any],
        seed: int,
        progress: Progress,
        keeps: Keeps,
        crew: Crew = HERE,
    ) -> Completed:
        """Return ``rows`` with some cells drawn anew (``filling``); ``privacy`` is taken to be low."""
        chosen = Parameters.model_validate({"kind": "forest", **parameters, "privacy": "low"})
        return filling.vary(rows, schema, redrawn, law, chosen, seed, progress, keeps, crew=crew)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: a forest ends as it should."""
        return ()

    def tempered(self, temperature: float) -> Self:
        """Return the same model with p^(1/temperature) as the law of a cell in its leaf's pool (``Tempered``).

        p is a cell's share of one node's pool: which tree a cell is drawn by, and whether from the leaf or a node above
        it, is as ever. Categories, common values and missing numbers have such a law. An interval has nothing to be
        sharpened in, since intervals are cut to hold about as many rows each, in a leaf about one: each keeps its
        share, and so do common values and missing numbers together. A common value among others as common is moved to
        one near it, as without a bias.
        """
        whole = tempering.combined(self.temperature, temperature)
        if temperature == 1.0:
            return self
        return replace(self, links=tuple(link.tempered(whole) for link in self.links), temperature=whole)

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` rows: each cell by a tree at random of its column's."""
        columns: list[Codes] = []
        for link in self.links:
            columns.append(draw(link, columns, rows, generator(seed, "column", link.name)))
        return self._decoded(columns, rows, seed)

    def complete(self, given: pl.DataFrame, seed: int) -> Completed:
        """Draw the empty cells of ``given`` by weighting (``weighting``); exact where the first columns are known."""
        numbers, placed = self.boundary.encode(given)
        known = {
            link.name: _known(link, numbers[link.name], given[link.name].is_not_null().to_numpy())
            for link in self.links
            if link.name in numbers
        }
        columns = weighting.complete(self.links, known, given.height, seed)
        return boundary.put_in(given, self._decoded(columns, given.height, seed), placed)

    def _decoded(self, columns: Sequence[Codes], rows: int, seed: int) -> pl.DataFrame:
        numbers: dict[str, NDArray[Any]] = {}
        for link, codes in zip(self.links, columns, strict=True):
            random = generator(seed, "within", link.name)
            numbers[link.name] = codes if link.cells is None else link.cells.decode(codes, random)
        return self.boundary.decode(numbers, rows, seed)

    def save(self, folder: Path) -> None:
        """Write ``columns.json``, how columns cross and stand in the chain, and ``forest.npz``, cells and trees."""
        tempering.check_unbiased(self.temperature)
        links = [{"name": link.name, "number": link.cells is not None, "trees": len(link.trees)} for link in self.links]
        write_json(folder / "columns.json", {"boundary": self.boundary.to_dict(), "links": links})
        storage.write(folder / "forest.npz", self.links)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        document = read_json(folder / "columns.json")
        return cls(Boundary.from_dict(document["boundary"]), storage.read(folder / "forest.npz", document["links"]))


def _known(link: Link, numbers: NDArray[Any], there: NDArray[np.bool_]) -> tuple[Codes, NDArray[np.bool_]]:
    """Return the cells of a column's known numbers, and which are known."""
    codes = np.maximum(numbers, 0) if link.cells is None else link.cells.encode(numbers)
    return codes.astype(np.int64), there


def _order(coded: Mapping[str, Coded], first: Sequence[str], schema: Schema) -> list[str]:
    """Return the columns in the chain's order: those asked for, then by rising number of groups.

    A number counts as the groups that it is judged by, so that numbers come before categories of many levels; of these
    groups trees can make as many thresholds as there are values, which is why the finest numbers come first.
    """
    unknown = [name for name in first if name not in schema]
    if unknown:
        raise ConfigError(
            f"synthesizer.order: {unknown[0]!r} is no column that the forest learns",
            f"name columns among {', '.join(list(coded)[:8])}{' …' if len(coded) > 8 else ''}",
        )
    asked = [name for name in first if name in coded]
    place = {name: number for number, name in enumerate(coded)}

    def rank(name: str) -> tuple[int, int, int]:
        column = coded[name]
        distinct = len(np.unique(column.codes))
        return distinct if column.cells is None else min(distinct, GROUPS), -distinct, place[name]

    return asked + sorted((name for name in coded if name not in asked), key=rank)


def _grow_all(
    columns: Sequence[Coded], names: Sequence[str], parameters: Parameters, seed: int, progress: Progress, crew: Crew
) -> list[list[Tree]]:
    """Grow every tree of every column, side by side; none depends on another."""
    rows = len(columns[0].codes) if columns else 0
    work = sum(growing.seconds(rows, place, parameters) for place in range(len(columns)))
    calls = [(place, tree) for place in range(len(columns)) for tree in range(parameters.trees)]
    with crew.job(work) as job:
        plots = _plots(job, columns, names, parameters, seed)
        grown = job.run(
            growing.grown,
            [(plots[place], tree) for place, tree in calls],
            lambda done: progress(done / len(calls), f"column {calls[done - 1][0] + 1} of {len(columns)}"),
        )
    return [grown[start : start + parameters.trees] for start in range(0, len(grown), parameters.trees)]


def _plots(
    job: Job, columns: Sequence[Coded], names: Sequence[str], parameters: Parameters, seed: int
) -> list[growing.Plot]:
    """Put the columns down, and return what the trees of each are grown from."""
    codes = [job.array(column.codes) for column in columns]
    groups = [job.array(judging_groups(column)) for column in columns]
    ordered = [column.cells is not None for column in columns]
    return [
        growing.Plot.of(
            names[place],
            codes[place],
            codes[:place],
            ordered[:place],
            groups[place],
            groups[:place] if growing.many_levels(column) else None,
            parameters,
            len(column.codes),
            seed,
        )
        for place, column in enumerate(columns)
    ]
