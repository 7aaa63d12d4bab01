"""Upsampling: more rows like those of the table, or variants of given rows in which some columns are drawn anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.augmentation.blocks import blocks
from synthcli.augmentation.recipe import Augmented, Fitted, Recipe, followed_by, origins
from synthcli.errors import BadTableError
from synthcli.schema import Schema
from synthcli.seeds import stage_seed
from synthcli.synthesizers.protocol import Progress

#: Rows drawn at once, by one task.
_CHUNK = 100_000


@dataclass(frozen=True, eq=False)
class Upsample:
    """The wish for more rows.

    Attributes
    ----------
    rows
        Rows of the output; ``None``: twice as many as are kept, or a variant of each given row.
    whole
        Whether the output is synthetic as a whole; else real rows are kept and synthetic ones added.
    given
        Rows that variants are made of (any of the schema's columns); ``None``: the table's own, where ``vary`` names
        columns, else rows are drawn freely.
    vary
        Columns that are drawn anew in every variant; empty cells of ``given`` are drawn too.
    """

    rows: int | None = None
    whole: bool = False
    given: pl.DataFrame | None = None
    vary: tuple[str, ...] = ()

    def scaled(self, part: Fraction) -> Upsample:
        """Return the wish for a table of ``part`` of the rows."""
        return replace(self, rows=None if self.rows is None else round(self.rows * part))

    def plan(self, table: pl.DataFrame) -> Mapping[str, Any]:
        """Return how many rows are kept and drawn."""
        kept = 0 if self.whole else table.height
        sources = table.height if self.given is None else self.given.height
        if not sources:
            raise BadTableError("there are no rows to make more of", "give a table with rows")
        rows = self.rows if self.rows is not None else kept + sources
        if rows < kept:
            raise BadTableError(
                f"{rows:,} rows are fewer than the {kept:,} real ones, which are kept",
                "ask for more rows, or for a wholly synthetic table (augment.whole: true)",
            )
        variants = {"variants_of": sources, "vary": list(self.vary)} if self._conditioned else {}
        return {"before": table.height, "kept": kept, "drawn": rows - kept, **variants}

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        """Fit on ``table`` and return it with more rows, or those alone."""
        account = self.plan(table)
        rows, draw = account["drawn"], stage_seed(seed, "draw")
        real = table.clear() if self.whole else table
        if self.vary and self.given is None and recipe.filling is not None:
            drawn = self._redrawn(table, schema, recipe, rows, draw, progress)
        elif self._conditioned:
            known = self._known(table)
            columns = [column.name for column in schema.modelled if column.name in known.columns]
            fitted = recipe.conditioned_on(columns).fit(table, schema, seed, progress)
            drawn = _variants(fitted, known, rows, draw, recipe) if rows else fitted.model.sample(0, draw)
        else:
            model = recipe.fit(table, schema, seed, progress).model
            with blocks(recipe.crew, model, rows, _CHUNK) as drawing:
                drawn = drawing.chunks(rows, draw, _CHUNK)
        return Augmented(followed_by(real, drawn, table, schema, seed), origins(real.height, drawn.height), account)

    def _redrawn(
        self, table: pl.DataFrame, schema: Schema, recipe: Recipe, rows: int, seed: int, progress: Progress
    ) -> pl.DataFrame:
        """Return variants of the table's own rows, drawn in real rows as the generator's kind does."""
        modelled = schema.select(column.name for column in schema.modelled)
        law = table.select(modelled.names)
        start = law[np.sort(np.arange(rows) % law.height)]
        every = np.ones(rows, np.bool_)
        assert recipe.filling is not None
        redrawn = dict.fromkeys(self.vary, every)
        done = recipe.filling.vary(
            start, modelled, redrawn, law, recipe.parameters, seed, progress, recipe.keeps(law), crew=recipe.crew
        )
        _check_made(done.made)
        return done.table

    @property
    def _conditioned(self) -> bool:
        return self.given is not None or bool(self.vary)

    def _known(self, table: pl.DataFrame) -> pl.DataFrame:
        source = table if self.given is None else self.given
        return source.select(pl.all().exclude(list(self.vary))) if self.vary else source


def _variants(fitted: Fitted, known: pl.DataFrame, rows: int, seed: int, recipe: Recipe) -> pl.DataFrame:
    """Return ``rows`` (>= 1) variants: each given row equally often, up to one, in their order.

    Raises ``BadTableError`` where some cannot be made.
    """
    order = np.sort(np.arange(rows) % known.height)
    drawn = fitted.completed(known[order], seed, _CHUNK, recipe.tries, recipe.crew)
    _check_made(drawn.made)
    return drawn.table


def _check_made(made: NDArray[np.bool_]) -> None:
    """Raise ``BadTableError`` where some variants could not be made."""
    lacking = int((~made).sum())
    if lacking:
        raise BadTableError(
            f"could not make {lacking:,} of {len(made):,} variants: their given cells go together in no row "
            "that the generator can draw",
            "vary more columns, raise sample.max_tries, or name another generator (augment.synthesizer)",
        )
