"""What an augmentation is made with and what it comes to: a generator to be fitted, and rows that know their origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.augmentation.blocks import blocks
from synthcli.config.models import Constraint, ProtectionSection
from synthcli.constraints import columns_of, holds
from synthcli.errors import BadTableError
from synthcli.protection import Protected, protect
from synthcli.schema import Kind, Schema
from synthcli.seeds import stage_seed
from synthcli.synthesizers import filling_class, identifiers
from synthcli.synthesizers.assembly import TableGenerator, fit_table
from synthcli.synthesizers.boundary import put_in
from synthcli.synthesizers.crew import HERE, Crew
from synthcli.synthesizers.protocol import Completed, Filling, Keeps, Progress


class Origin(StrEnum):
    """Where an output row comes from."""

    REAL = "real"
    SYNTHETIC = "synthetic"
    IMPUTED = "imputed"


class Fitted(NamedTuple):
    """A generator, and the protected rows that it learned from."""

    model: TableGenerator
    protected: Protected

    def completed(self, given: pl.DataFrame, seed: int, size: int, tries: int, crew: Crew) -> Completed:
        """Draw the empty cells of ``given`` as ``TableGenerator.complete`` does, rows with unknown categories too.

        A category that the protected rows lack says nothing to the generator: it counts as empty while the row is drawn
        and is put back. Blocks of ``size`` rows are numbered from 0 on, and drawn by ``crew``.
        """
        given = given.fill_nan(None)
        seen, schema = self.protected.table, self.model.schema
        names = [name for name in given.columns if schema[name].kind in (Kind.CATEGORICAL, Kind.BOOLEAN)]
        levels = {name: seen[name].unique().implode() for name in names}
        known = given.with_columns(
            pl.when(pl.col(name).is_in(levels[name])).then(pl.col(name)).alias(name) for name in names
        )
        with blocks(crew, self.model, given.height, size) as drawing:
            drawn = drawing.completed(known, seed, size, tries)
        whole = put_in(given, drawn.table, drawn.made)
        made = whole.made & self.model.coordinates.keeps(whole.table)
        return put_in(given, drawn.table, made) if (made != whole.made).any() else whole


@dataclass(frozen=True, slots=True)
class Recipe:
    """A generator not yet fitted, and all that fitting it takes beside rows and a seed.

    ``tries`` bounds the rows drawn for each that has to meet a condition, where a generator can only try. ``crew`` does
    the work, which comes to the same whoever that is.
    """

    kind: str
    parameters: Mapping[str, Any]
    protection: ProtectionSection
    constraints: tuple[Constraint, ...] = ()
    tries: int = 100
    crew: Crew = HERE

    @property
    def filling(self) -> type[Filling] | None:
        """The generator's class, where it has a way of its own to draw cells in real rows."""
        return filling_class(self.kind)

    def keeps(self, train: pl.DataFrame) -> Keeps:
        """Return what tells which rows keep all constraints; ``train`` has the combinations that may occur."""

        def kept(rows: pl.DataFrame) -> NDArray[np.bool_]:
            found = np.ones(rows.height, np.bool_)
            for rule in self.constraints:
                found &= np.asarray(holds(rule, rows, train))
            return found

        return kept

    def conditioned_on(self, columns: Sequence[str]) -> Recipe:
        """Return the recipe for rows that are drawn given ``columns``.

        A forest draws these first, unless it was told an order, since conditions on its first columns are exact.
        """
        if self.kind != "forest" or self.parameters.get("order"):
            return self
        # Columns of a rule are learned in other coordinates, and have no place in the order.
        ruled = {name for rule in self.constraints for name in columns_of(rule)}
        return replace(self, parameters={**self.parameters, "order": [name for name in columns if name not in ruled]})

    def fit(self, table: pl.DataFrame, schema: Schema, seed: int, progress: Progress) -> Fitted:
        """Protect ``table`` and fit on what remains; raises ``BadTableError`` where nothing does."""
        protected = protect(table, schema, self.protection, self.constraints, seed)
        if table.height and protected.table.is_empty():
            raise BadTableError(
                "the protection leaves no training row to learn from",
                "lower protection.rare_category_min_count and clip_extremes, or leave out constraints",
            )
        model = fit_table(
            protected.table, schema, self.kind, self.parameters, seed, progress, self.constraints, self.crew
        )
        return Fitted(model, protected)


@dataclass(frozen=True, slots=True, eq=False)
class Augmented:
    """An augmented table.

    Attributes
    ----------
    table
        The schema's columns. Real rows come first and are unchanged, in their order.
    origin
        For each row, its place in ``Origin``.
    account
        What was done, in counts, as plain data.
    notes
        Sentences for a person.
    """

    table: pl.DataFrame
    origin: NDArray[np.int8]
    account: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def rows_of(self, origin: Origin) -> int:
        """Return how many rows come from there."""
        return int((self.origin == code(origin)).sum())


class Wish(Protocol):
    """What is to be made of a table."""

    def scaled(self, part: Fraction) -> Wish:
        """Return the wish for a table of ``part`` of the rows."""

    def plan(self, table: pl.DataFrame) -> Mapping[str, Any]:
        """Return the account that is known before anything is drawn; raises ``BadTableError`` for what cannot be."""

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        """Fit on ``table`` and return the augmented one."""


def code(origin: Origin) -> int:
    """Return the place of ``origin`` in ``Origin``."""
    return list(Origin).index(origin)


def origin_column(origin: NDArray[np.int8], name: str) -> pl.Series:
    """Return the origins as text."""
    return pl.Series(name, list(Origin), pl.String).gather(origin.astype(np.uint32)).alias(name)


def followed_by(
    real: pl.DataFrame, synthetic: pl.DataFrame, learned_from: pl.DataFrame, schema: Schema, seed: int
) -> pl.DataFrame:
    """Return the real rows and after them the synthetic ones, with ids that none of ``learned_from`` has.

    ``synthetic`` has the modelled columns at least; free text comes out empty.
    """
    made: list[pl.Series] = []
    for column in schema:
        if column.kind is Kind.ID:
            taken = learned_from[column.name]
            ids = identifiers.fresh(
                identifiers.learn(taken), synthetic.height, stage_seed(seed, "id", column.name), taken
            )
            made.append(ids.alias(column.name))
        elif column.modelled:
            made.append(synthetic[column.name])
        else:
            made.append(learned_from[column.name].clear(synthetic.height).alias(column.name))
    return pl.concat([real.select(schema.names), pl.DataFrame(made)])


def origins(real: int, synthetic: int) -> NDArray[np.int8]:
    """Return the origins of ``real`` rows and after them ``synthetic`` ones."""
    return np.repeat(np.array([code(Origin.REAL), code(Origin.SYNTHETIC)], np.int8), [real, synthetic])
