"""Synthetic tables of known guilt, made of real rows: what an audit must leave alone, and what it must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from synthcli.schema import Kind, Schema

#: A category is dropped that at least this share of the rows shows; so does the gate on lost categories ask for rows.
DROPPED = 0.01
REPEATED = 500


@dataclass(frozen=True, eq=False)
class Parts:
    """Three disjoint parts of one real table. ``fresh`` rows were seen by nobody: the perfect synthetic table."""

    train: pl.DataFrame
    holdout: pl.DataFrame
    fresh: pl.DataFrame
    schema: Schema
    target: str | None

    @classmethod
    def divide(
        cls, table: pl.DataFrame, schema: Schema, target: str | None, sizes: tuple[int, int, int], seed: int
    ) -> Parts:
        """Divide a table at random; ``sizes`` are rows of train, holdout and fresh."""
        ends = np.cumsum(sizes)
        rows = np.random.default_rng(seed).permutation(table.height)[: ends[2]]
        parts = np.split(rows, ends[:2])
        return cls(table[parts[0]], table[parts[1]], table[parts[2]], schema, target)


Canary = Callable[[Parts, np.random.Generator], pl.DataFrame]


def fresh(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return unseen real rows: a perfect generator's output."""
    return parts.fresh


def copy_of_train(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return training rows, as many as there are fresh ones."""
    return _some(parts.train, parts.fresh.height, rng)


def copy_of_holdout(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return all rows of the holdout."""
    return parts.holdout


def half_and_half(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return as many training as holdout rows."""
    half = min(parts.holdout.height, parts.train.height)
    return pl.concat([_some(parts.train, half, rng), _some(parts.holdout, half, rng)])


def copied(share: float) -> Canary:
    """Return the canary of fresh rows of which ``share`` are replaced by training rows."""

    def made(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
        copies = round(share * parts.fresh.height)
        kept = _some(parts.fresh, parts.fresh.height - copies, rng)
        return pl.concat([kept, _some(parts.train, copies, rng)])

    return made


def one_cell_changed(share: float = 1.0) -> Canary:
    """Return the canary of fresh rows of which ``share`` are training rows with one random cell of another row."""

    def made(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
        copies = round(share * parts.fresh.height)
        own = _some(parts.train, copies, rng)
        other = parts.train[rng.integers(0, parts.train.height, copies)]
        names = [column.name for column in parts.schema.modelled]
        which = pl.Series(rng.integers(0, len(names), copies))
        changed = own.with_columns(
            pl.select(pl.when(which == i).then(other[name]).otherwise(own[name]).alias(name)).to_series()
            for i, name in enumerate(names)
        )
        return pl.concat([_some(parts.fresh, parts.fresh.height - copies, rng), changed])

    return made


def one_column_changed(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return training rows of which one and the same column is shuffled."""
    own = _some(parts.train, parts.fresh.height, rng)
    name = rng.choice([column.name for column in parts.schema.modelled])
    return own.with_columns(own[name].gather(rng.permutation(own.height)))


def shuffled_columns(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return fresh rows with every column shuffled by itself."""
    return parts.fresh.select(
        parts.fresh[name].gather(rng.permutation(parts.fresh.height)) for name in parts.fresh.columns
    )


def independent(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return cells that are drawn column by column from the training part."""
    rows = parts.fresh.height
    return parts.train.select(
        parts.train[name].gather(rng.integers(0, parts.train.height, rows)) for name in parts.train.columns
    )


def one_category_dropped(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return fresh rows without those of one category that at least 1 % and at most half of the rows show."""
    found = [(name, level) for name, level, share in _shares(parts) if DROPPED <= share <= 0.5]
    name, level = found[rng.integers(0, len(found))]
    return parts.fresh.filter(pl.col(name).ne_missing(pl.lit(level, dtype=parts.fresh[name].dtype)))


def minority_dropped(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return fresh rows without those of the target's smallest class."""
    _, level, _ = min((row for row in _shares(parts) if row[0] == parts.target), key=lambda row: row[2])
    return parts.fresh.filter(pl.col(str(parts.target)) != level)


def few_rows_repeated(parts: Parts, rng: np.random.Generator) -> pl.DataFrame:
    """Return 500 fresh rows, over and over."""
    few = _some(parts.fresh, min(REPEATED, parts.fresh.height // 4), rng)
    return few[np.arange(parts.fresh.height) % few.height]


#: What has to fail.
LEAKS: Mapping[str, Canary] = {
    "copy of train": copy_of_train,
    "20 % copies": copied(0.2),
    "10 % copies": copied(0.1),
    "5 % copies": copied(0.05),
    "1 % copies": copied(0.01),
    "one cell changed": one_cell_changed(),
    "one column changed": one_column_changed,
    "5 % with one cell changed": one_cell_changed(0.05),
    "copy of the holdout": copy_of_holdout,
    "half and half": half_and_half,
}
FLAWS: Mapping[str, Canary] = {
    "shuffled columns": shuffled_columns,
    "independent columns": independent,
    "one category dropped": one_category_dropped,
    "minority dropped": minority_dropped,
    "500 rows repeated": few_rows_repeated,
}


def _some(table: pl.DataFrame, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return ``rows`` different rows, in random order; all of them where there are fewer."""
    return table[rng.permutation(table.height)[:rows]]


def _shares(parts: Parts) -> list[tuple[str, object, float]]:
    """Return column, category and its share of the training rows."""
    found = []
    for column in parts.schema.modelled:
        if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
            tally = parts.train[column.name].drop_nulls().value_counts(sort=True, name="#count")
            found += [(column.name, level, count / parts.train.height) for level, count in tally.sort("#count").rows()]
    return found
