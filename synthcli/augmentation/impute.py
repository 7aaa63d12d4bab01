"""Imputation: missing cells drawn from their law given the row's other cells, never set to a mean.

A kind that has a way of its own (``protocol.Filling``) fills the table that it learns from. Of any other kind a model
is fitted. If it has a conditional law (``protocol.Conditional``) it is asked for the empty cells of each row until all
of them come out filled. Trying would never meet ten known cells at once; so of a kind without such a law many rows are
drawn, and trees read its law off them. Either way the law is that of a cell given that it is not missing, as if cells
were missing at random given the others: what a cell's own value has to do with its being missing, no table tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.augmentation.blocks import BLOCK
from synthcli.augmentation.recipe import Augmented, Fitted, Origin, Recipe, code
from synthcli.config.models import ProtectionSection
from synthcli.errors import BadTableError
from synthcli.schema import Schema
from synthcli.seeds import stage_seed
from synthcli.synthesizers.forest import Forest
from synthcli.synthesizers.protocol import Completed, Conditional, Progress

#: Rounds in which rows are drawn whole until all their holes are filled; in the first of them, also until what is to
#: stay missing came out missing.
_ROUNDS, _STRICT = 40, 20
#: Rows that the law of a kind without conditions is read off.
LAW_ROWS = 40_000
#: Rounds in which what was filled already is kept and only the rest is drawn again.
_PIECEMEAL = 20


@dataclass(frozen=True, eq=False)
class Impute:
    """The wish for a table without holes.

    Attributes
    ----------
    columns
        The columns to fill.
    keep
        Columns whose holes stay; that a cell of theirs is missing counts as something known of the row.
    resample
        Whether the rows to learn from are drawn with replacement, for one of several completed tables.
    """

    columns: tuple[str, ...]
    keep: tuple[str, ...] = ()
    resample: bool = False

    def scaled(self, part: Fraction) -> Impute:
        """Return the same wish: it has no number of rows."""
        return self

    def plan(self, table: pl.DataFrame) -> Mapping[str, Any]:
        """Return how many holes each column has; raises ``BadTableError`` for a column without any known cell."""
        holes = _holes(table, self.columns)
        for name, count in holes.items():
            if count == table.height and count:
                raise BadTableError(
                    f"column {name!r} has no known cell, so that nothing tells what its cells could be",
                    f"leave it out: --set 'augment.keep_missing=[{name}]'",
                )
        return {
            "filled": [{"column": name, "holes": count, "filled": 0, "left": count} for name, count in holes.items()]
        }

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        """Fit on ``table`` and return it with its holes filled."""
        self.plan(table)
        modelled = schema.select(column.name for column in schema.modelled)
        columns = [name for name, count in _holes(table, self.columns).items() if count]
        filled = _filled(table, modelled, columns, recipe, seed, progress, self.resample) if columns else table
        return self._account(table, filled, schema, ruled=bool(recipe.constraints))

    def _account(self, table: pl.DataFrame, filled: pl.DataFrame, schema: Schema, *, ruled: bool) -> Augmented:
        before, after = _holes(table, self.columns), _holes(filled, self.columns)
        rows = [
            {"column": name, "holes": count, "filled": count - after[name], "left": after[name]}
            for name, count in before.items()
            if count
        ]
        touched = [(table[name].is_null() | _nan(table[name])) & filled[name].is_not_null() for name in self.columns]
        changed = np.logical_or.reduce([each.to_numpy() for each in touched] or [np.zeros(table.height, np.bool_)])
        origin = np.where(changed, code(Origin.IMPUTED), code(Origin.REAL)).astype(np.int8)
        left = sum(after.values())
        told = "1 hole stays" if left == 1 else f"{left:,} holes stay"
        why = (
            "for which no cells could be drawn that keep every rule" if ruled else "that the generator cannot complete"
        )
        if left and left == sum(before.values()):
            raise BadTableError(
                f"no hole could be filled, in rows {why}", "name another generator (augment.synthesizer)"
            )
        notes = (f"{told}, in rows {why}",) if left else ()
        account = {"filled": rows, "kept_missing": list(self.keep)}
        return Augmented(filled.select(schema.names), origin, account, notes)


def _filled(
    table: pl.DataFrame,
    schema: Schema,
    columns: Sequence[str],
    recipe: Recipe,
    seed: int,
    progress: Progress,
    resample: bool,
) -> pl.DataFrame:
    """Return ``table`` with the holes of ``columns`` filled, those apart that cannot be."""
    known = table.select(schema.names)
    keeps, own = recipe.keeps(known), recipe.filling
    if own is not None:
        done = own.fill(
            known, schema, columns, recipe.parameters, seed, progress, keeps, resample=resample, crew=recipe.crew
        )
        return _taken(table, done, columns)
    off = ProtectionSection(rare_category_min_count=0, clip_extremes=0)
    bare = Recipe(recipe.kind, recipe.parameters, off, recipe.constraints, recipe.tries, recipe.crew)
    fitted = bare.fit(_resampled(known, seed) if resample else known, schema, seed, progress)
    if isinstance(fitted.model.synthesizer, Conditional):
        done = _asked(fitted, table, schema, columns, seed, recipe)
    else:
        law = fitted.model.sample(LAW_ROWS, stage_seed(seed, "law"))
        done = Forest.fill(known, schema, columns, {}, seed, progress, keeps, law=law, crew=recipe.crew)
    return _taken(table, done, columns)


def _nan(series: pl.Series) -> pl.Series:
    return series.is_nan().fill_null(False) if series.dtype.is_float() else pl.repeat(False, len(series), eager=True)


def _holes(table: pl.DataFrame, columns: Sequence[str]) -> dict[str, int]:
    return {name: int((table[name].is_null() | _nan(table[name])).sum()) for name in columns}


def _taken(table: pl.DataFrame, done: Completed, columns: Sequence[str]) -> pl.DataFrame:
    """Return ``table`` with the holes of ``columns`` taken from the rows that were made."""
    made = pl.Series(done.made)
    return table.with_columns(
        done.table[name].zip_with(made & (table[name].is_null() | _nan(table[name])), table[name]).alias(name)
        for name in columns
    )


def _resampled(table: pl.DataFrame, seed: int) -> pl.DataFrame:
    return table[np.sort(np.random.default_rng(stage_seed(seed, "resample")).integers(0, table.height, table.height))]


def _asked(
    fitted: Fitted, table: pl.DataFrame, schema: Schema, columns: Sequence[str], seed: int, recipe: Recipe
) -> Completed:
    """Return the table's modelled columns, the holes of ``columns`` drawn by the model's law given the row's cells.

    Rows are drawn whole until no hole is left: the law given that none is missing. For rows that this does not end for,
    what came out filled is kept and the rest drawn given it, too.
    """
    known = table.select(schema.names).fill_nan(None)
    others = [name for name in schema.names if name not in columns]
    filled = known
    empty = known.select(pl.any_horizontal(pl.col(columns).is_null())).to_series()
    pending = np.flatnonzero(empty.to_numpy())
    stays = known.select(pl.col(others).is_null()) if others else None
    for number in range(_ROUNDS + _PIECEMEAL):
        if not len(pending):
            break
        given = (known if number < _ROUNDS else filled)[pending]
        drawn = fitted.completed(given, stage_seed(seed, "round", number), BLOCK, recipe.tries, recipe.crew)
        whole = drawn.made & ~_any_null(drawn.table, columns)
        if number < _STRICT and stays is not None:
            alike = [drawn.table[name].is_null() == stays[name][pending] for name in others]
            whole &= np.logical_and.reduce([each.to_numpy() for each in alike])
        taken = drawn.made if number >= _ROUNDS else whole
        places = pl.Series(pending[taken], dtype=pl.UInt32)
        filled = filled.with_columns(
            filled[name].scatter(places, drawn.table[name].filter(pl.Series(taken))).alias(name) for name in columns
        )
        pending = pending[~whole]
    return Completed(filled, ~_any_null(filled, columns))


def _any_null(table: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = table.select(pl.any_horizontal(pl.col(columns).is_null())).to_series().to_numpy()
    return found
