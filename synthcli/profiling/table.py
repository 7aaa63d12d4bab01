"""The profile of a table: every guess and measurement in one value, made by one function."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from synthcli.errors import ConfigError
from synthcli.inference.missing import WELL_KNOWN
from synthcli.profiling.giveaways import GIVEAWAY, SUSPECT, Predictor, Scores, single_feature_scores
from synthcli.profiling.guesses import (
    FEW_CLASSES,
    Facts,
    guess_key,
    guess_target,
    guess_time,
    is_entity,
    is_whole,
    kind_worth_stating,
    unpredictable,
)
from synthcli.schema import Column, Kind, Schema


@dataclass(frozen=True, slots=True)
class TableProfile:
    """What was found out about a table, and what was guessed.

    Attributes
    ----------
    schema
        The columns, with the kinds that are worth stating in the place of the detected ones.
    target_reason
        Why ``target`` was chosen, or why none was.
    stated
        By name of a column whose kind is worth stating, the doubt about it.
    doubts
        By name of another column, what a person should know of it.
    missing_alike
        Features that are missing in exactly the rows without a target.
    entities
        Columns whose values may name something that several rows belong to.
    kept_tokens
        Texts that often mean a missing cell and are categories here, with the columns that hold them.
    """

    schema: Schema
    rows: int
    facts: Mapping[str, Facts]
    key: str | None
    time: str | None
    target: str | None
    target_reason: str
    stated: Mapping[str, str]
    doubts: Mapping[str, str]
    scores: Scores
    missing_alike: tuple[str, ...]
    entities: tuple[str, ...]
    kept_tokens: Mapping[str, tuple[str, ...]]

    @property
    def giveaways(self) -> tuple[Predictor, ...]:
        """The features that predict the target almost perfectly, the best first."""
        return self.scores.between(GIVEAWAY)

    @property
    def suspects(self) -> tuple[Predictor, ...]:
        """The features that predict the target so well that a person should look at them, the best first."""
        return self.scores.between(SUSPECT, GIVEAWAY)


def profile(
    table: pl.DataFrame, schema: Schema, *, target: str | None = None, settled: Collection[str] = (), seed: int = 0
) -> TableProfile:
    """Look at every row of ``table``; ``settled`` names columns whose kind a person has stated already.

    Raises ``ConfigError`` where ``target`` is named and cannot be predicted; none is guessed that cannot.
    """
    facts = column_facts(table)
    if target is None:
        target, reason = guess_target(schema, facts)
    else:
        _check_target(schema[target], facts[target])
        reason = "as named"
    worth = {
        column.name: found
        for column in schema
        if column.name not in settled
        and (found := kind_worth_stating(column, facts[column.name], is_target=column.name == target))
    }
    schema = replace(schema, columns=tuple(_with_kind(column, worth) for column in schema))
    return TableProfile(
        schema,
        table.height,
        facts,
        key=guess_key(schema, facts, table.height),
        time=guess_time(schema, target),
        target=target,
        target_reason=reason,
        stated={name: doubt for name, (_, doubt) in worth.items()},
        doubts=dict(_doubts(schema, facts, target, {*worth, *settled})),
        scores=single_feature_scores(table, schema, target, seed),
        missing_alike=missing_alike(table, schema, target),
        entities=tuple(c.name for c in schema if c.name != target and is_entity(c, facts[c.name])),
        kept_tokens=kept_tokens(table, schema),
    )


def column_facts(table: pl.DataFrame) -> dict[str, Facts]:
    """Count each column's values and different values; a missing cell is none."""
    present = table.select(pl.all().count()).row(0)
    distinct = table.select(pl.all().drop_nulls().n_unique()).row(0)
    return dict(zip(table.columns, map(Facts, present, distinct), strict=True))


def missing_alike(table: pl.DataFrame, schema: Schema, target: str | None) -> tuple[str, ...]:
    """Return the features that are missing in exactly the rows in which the target is."""
    if target is None or not table[target].null_count():
        return ()
    absent = table[target].is_null()
    return tuple(c.name for c in schema.modelled if c.name != target and (table[c.name].is_null() == absent).all())


def kept_tokens(table: pl.DataFrame, schema: Schema) -> dict[str, tuple[str, ...]]:
    """Return the texts that often mean a missing cell but are categories here, and the columns that hold them."""
    texts = [c.name for c in schema if c.kind is Kind.CATEGORICAL and c.dtype == "String"]
    held = {name: set(table[name].filter(table[name].is_in(WELL_KNOWN)).unique()) for name in texts}
    found = {token: tuple(name for name in texts if token in held[name]) for token in WELL_KNOWN}
    return {token: names for token, names in found.items() if names}


def _check_target(column: Column, facts: Facts) -> None:
    if problem := unpredictable(column, facts):
        raise ConfigError(
            f"data.target: column {column.name!r} cannot be predicted: {problem}",
            "name another column with --target, or leave it out",
        )


def _with_kind(column: Column, worth: Mapping[str, tuple[Kind, str]]) -> Column:
    return replace(column, kind=worth[column.name][0]) if column.name in worth else column


def _doubts(
    schema: Schema, facts: Mapping[str, Facts], target: str | None, told: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield what stating a kind would not settle, and a target whose numbers may be classes."""
    for column in schema:
        if column.name in told:
            continue
        if column.doubts:
            yield column.name, "; ".join(column.doubts)
        elif column.name == target and is_whole(column) and facts[target].distinct <= FEW_CLASSES:
            yield column.name, f"has {facts[target].distinct} whole numbers; type: categorical if they are classes"
