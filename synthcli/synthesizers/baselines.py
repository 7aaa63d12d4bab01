"""Reference generators: what real rows, and columns without any dependence, come to in every measure.

They are marks to read other generators by and never for release: both hold real cells and hand them out, and the
bootstrap hands out whole real rows. Both know their conditional law and complete rows by it (``protocol.Conditional``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.artifacts import read_json, write_json
from synthcli.errors import BadTableError
from synthcli.schema import Kind, Schema
from synthcli.seeds import generator, stage_seed
from synthcli.synthesizers import tempering
from synthcli.synthesizers.boundary import without_nan
from synthcli.synthesizers.conditioning import Places, keys, known_patterns, with_known_cells
from synthcli.synthesizers.protocol import Completed, Progress


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Training rows drawn with replacement: as useful as real data, and as private.

    The model *is* the training rows, and so is its folder.
    """

    rows: pl.DataFrame

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        """Keep the rows of ``train``; there are no parameters, and nothing is drawn."""
        progress(0.0, "keeping the rows")
        rows = _checked(train, schema)
        progress(1.0, "kept")
        return cls(rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: keeping rows has one way to go."""
        return ()

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` training rows, each drawn from all of them."""
        return self.rows[generator(seed, "rows").integers(0, self.rows.height, rows)]

    def complete(self, given: pl.DataFrame, seed: int) -> Completed:
        """Draw for each row of ``given`` one of the training rows that have its known cells.

        Numbers must be equal too. A row cannot be made where no training row has its known cells.
        """
        luck = generator(seed, "complete").random(given.height)
        places = np.full(given.height, -1)
        patterns, pattern_of = known_patterns(given)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(pattern_of == number)
            names = [name for name, known in zip(given.columns, pattern, strict=True) if known]
            places[rows] = self._like(given[rows], names, luck[rows])
        return with_known_cells(given, self.rows, places)

    def _like(self, given: pl.DataFrame, names: list[str], luck: NDArray[np.float64]) -> Places:
        """Return for each row the place of a training row with the same cells in ``names``, or -1; luck below 1."""
        if not names:
            return (luck * self.rows.height).astype(np.int64)
        own, asked = keys(self.rows, names, {}), keys(given, names, {})
        groups = own.with_row_index("row").group_by(own.columns, maintain_order=True).agg("row", size=pl.len())
        bounds = groups.with_columns(start=pl.col("size").cum_sum() - pl.col("size")).drop("row")
        found = asked.join(bounds, on=asked.columns, how="left", maintain_order="left")
        start, size = (found[name].fill_null(0).cast(pl.Int64).to_numpy() for name in ("start", "size"))
        members = groups["row"].explode().cast(pl.Int64).to_numpy()
        return np.where(size > 0, members[start + (luck * size).astype(np.int64)], -1)

    def save(self, folder: Path) -> None:
        """Write the training rows as ``rows.parquet``."""
        self.rows.write_parquet(folder / "rows.parquet")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        return cls(pl.read_parquet(folder / "rows.parquet", glob=False))


@dataclass(frozen=True, slots=True)
class Independent:
    """Every column drawn by itself from its training cells, missing ones included: no dependence is kept.

    Attributes
    ----------
    cells
        By column, its distinct cells in order (``cell``, one of them may be null) and how often each occurs (``rows``).
    discrete
        The columns whose cells are categories or truth values.
    temperature
        The bias of a draw, 1.0 for none.
    """

    cells: Mapping[str, pl.DataFrame]
    discrete: tuple[str, ...]
    temperature: float = 1.0

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        """Count the cells of each column; there are no parameters, and nothing is drawn."""
        progress(0.0, f"counting {len(schema)} columns")
        cells = {series.name: _counted(series) for series in _checked(train, schema)}
        progress(1.0, "counted")
        return cls(cells, tuple(column.name for column in schema if column.kind in {Kind.CATEGORICAL, Kind.BOOLEAN}))

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: counting has one way to go."""
        return ()

    def tempered(self, temperature: float) -> Self:
        """Return the same model with p^(1/temperature) as the law of each column's distinct cells (``Tempered``).

        A missing cell counts as one of them, and so does each number, however close others are.
        """
        return replace(self, temperature=tempering.combined(self.temperature, temperature))

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` rows, each cell drawn from all training cells of its column."""
        return pl.DataFrame({name: self._column(name, rows, seed) for name in self.cells})

    def _column(self, name: str, rows: int, seed: int) -> pl.Series:
        cells, random = self.cells[name], generator(seed, "column", name)
        if self.temperature == 1.0:
            ends = cells["rows"].cum_sum().to_numpy()
            draw: NDArray[Any] = random.integers(0, ends[-1], rows)
        else:
            start = np.zeros(1, np.intp)
            ends = np.cumsum(tempering.tempered_counts(cells["rows"].to_numpy(), start, self.temperature))
            draw = random.random(rows) * ends[-1]
        return cells["cell"].gather(np.searchsorted(ends, draw, side="right"))

    def complete(self, given: pl.DataFrame, seed: int) -> Completed:
        """Draw the empty cells of ``given``, whatever the known ones are.

        A row cannot be made where it has a category or truth value that the training table has not; any known number or
        moment has its place.
        """
        drawn = self.sample(given.height, stage_seed(seed, "complete"))
        possible = np.full(given.height, True)
        for name in (name for name in given.columns if name in self.discrete):
            seen = given[name].is_in(self.cells[name]["cell"].implode()) | given[name].is_null()
            possible &= seen.to_numpy()
        return with_known_cells(given, drawn, np.where(possible, np.arange(given.height), -1))

    def save(self, folder: Path) -> None:
        """Write ``cells.parquet`` and ``rows.parquet``, one list for each column, and ``columns.json``."""
        tempering.check_unbiased(self.temperature)
        for part in ("cell", "rows"):
            lists = pl.DataFrame({name: [table[part]] for name, table in self.cells.items()})
            lists.write_parquet(folder / _FILES[part])
        write_json(folder / "columns.json", {"discrete": list(self.discrete)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        cell, rows = (pl.read_parquet(folder / _FILES[part], glob=False) for part in ("cell", "rows"))
        cells = {name: pl.DataFrame({"cell": cell[name][0], "rows": rows[name][0]}) for name in cell.columns}
        columns = read_json(folder / "columns.json")
        return cls(cells, tuple(columns["discrete"]))


_FILES = {"cell": "cells.parquet", "rows": "rows.parquet"}


def _checked(train: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the table with NaN as missing; refuse one without rows or with infinite numbers."""
    if train.is_empty():
        raise BadTableError("the training table has no rows", "give a table with at least one row")
    return pl.DataFrame({column.name: without_nan(train[column.name], column) for column in schema})


def _counted(series: pl.Series) -> pl.DataFrame:
    # The order of first occurrence decides which of two equal floats (0.0 and -0.0) stands for both.
    table = pl.DataFrame({"cell": series})
    return table.group_by("cell", maintain_order=True).agg(rows=pl.len()).sort("cell")
