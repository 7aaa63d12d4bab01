"""From text or stored types to a schema, by looking at every row.

Text columns start with every type still possible. The first rows only ever rule types out; what survives is proved on
all rows, so the answer never depends on where in the file an odd value stands. A type that loses anything of a value's
text (a leading zero, digits beyond 64 bits) is not taken, and what could be meant otherwise is taken with a doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from synthcli.errors import BadTableError
from synthcli.forms import dtype_name, tolerant_reading
from synthcli.inference.candidates import Way, demanded_ways, detected_ways
from synthcli.inference.kinds import (
    concluded,
    facts_of_stored,
    facts_of_text,
    first_facts_of_stored,
    measured,
    measured_with_distinct,
)
from synthcli.inference.missing import Counts, all_tokens, blanked, missing_tokens, with_tokens
from synthcli.inference.overrides import READABLE_KINDS, ReadOptions, check_overrides, demanded_kind
from synthcli.inference.timeformats import swapped
from synthcli.schema import Column, Dialect, Kind, Schema

_HEAD_ROWS = 2_000


#: Names the place of the first row where an expression over the table is true: ``"data.csv, line 17"``.
Locate = Callable[[pl.Expr], str]


class Inferred(NamedTuple):
    """A schema, and the texts that mean a missing cell in each column (none where the types were stored)."""

    schema: Schema
    missing: Mapping[str, tuple[str, ...]]


def infer_text(
    strings: pl.LazyFrame | pl.DataFrame,
    options: ReadOptions | None = None,
    dialect: Dialect | None = None,
    *,
    locate: Locate | None = None,
) -> Inferred:
    """Find the schema of a table whose columns are all text; it holds no nulls, an empty cell is ``""``.

    Raises ``BadTableError`` where an override names no column or does not hold for every value.
    """
    options, dialect, cells = options or ReadOptions(), dialect or Dialect(), strings.lazy()
    names = cells.collect_schema().names()
    check_overrides(names, options)
    tokens = all_tokens(options)
    proposed = _proposed(cells, names, options, dialect, tokens)
    holding, counts = _proved(cells, proposed, tokens)
    comma = _uses_decimal_comma(holding.values(), options, dialect)
    taken = {name: _taken(name, holding[name], counts[name], comma) for name in names}
    for name in names:
        _check_demand(taken[name], proposed[name], counts[name], options, tokens, locate or _row_number(cells))
    missing = missing_tokens(taken, counts, options)
    columns = with_tokens(taken, counts, missing, options.missing is not None)
    facts = measured_with_distinct(blanked(cells, missing), {column.name: facts_of_text(column) for column in columns})
    done = tuple(concluded(column, facts[column.name], options) for column in columns)
    return Inferred(Schema(done, replace(dialect, decimal_comma=comma)), missing)


def infer_typed(
    frame: pl.LazyFrame | pl.DataFrame, options: ReadOptions | None = None, *, where: str = "the table"
) -> Inferred:
    """Find the schema of a table whose columns have storage types already (see ``forms.dtype_name``), NaN being null.

    Text is never taken for numbers or dates. Raises ``BadTableError`` where a column holds an infinite number.
    """
    options, cells = options or ReadOptions(), frame.lazy()
    dtypes = cells.collect_schema()
    check_overrides(dtypes.names(), options)
    columns = [_from_dtype(name, dtype) for name, dtype in dtypes.items()]
    first = {column.name: found for column in columns if (found := first_facts_of_stored(column))}
    facts = measured_with_distinct(cells, {column.name: facts_of_stored(column) for column in columns}, first)
    for column in columns:
        if facts[column.name].get("infinite"):
            raise BadTableError(
                f"{where}, column {column.name!r}: an infinite number", "replace it, or leave the cell empty"
            )
    return Inferred(Schema(tuple(concluded(column, facts[column.name], options) for column in columns)), {})


def typed(strings: pl.LazyFrame, inferred: Inferred) -> pl.LazyFrame:
    """Return the table of text with the types of its schema, missing cells null."""
    return strings.select(typed_columns(inferred))


def typed_columns(inferred: Inferred) -> list[pl.Expr]:
    """Return, for every column of text, the expression of its typed values."""
    comma = inferred.schema.dialect.decimal_comma
    present = {
        name: pl.when(~pl.col(name).is_in(tokens)).then(pl.col(name)) for name, tokens in inferred.missing.items()
    }
    return [
        tolerant_reading(column, present[column.name], decimal_comma=comma).alias(column.name)
        for column in inferred.schema
    ]


def _proposed(
    cells: pl.LazyFrame, names: list[str], options: ReadOptions, dialect: Dialect, tokens: tuple[str, ...]
) -> dict[str, list[Way]]:
    """Propose ways for every column and drop those that its first values already rule out."""
    if options.decimal_comma is not None:
        points: tuple[str, ...] = ("," if options.decimal_comma else ".",)
    else:
        points = (".",) if dialect.delimiter == "," else (".", ",")
    proposed = {}
    for name, examples in _examples(cells, names, tokens).items():
        kind, form = demanded_kind(name, options)
        if kind in READABLE_KINDS:
            proposed[name] = demanded_ways(name, kind, form, examples, points)
        else:
            ways = detected_ways(name, examples, points)
            fits = examples.to_frame().select(way.fits.all().alias(str(i)) for i, way in enumerate(ways)).row(0)
            proposed[name] = [way for way, fit in zip(ways, fits, strict=True) if fit]
    return proposed


def _examples(cells: pl.LazyFrame, names: list[str], tokens: tuple[str, ...]) -> dict[str, pl.Series]:
    """Return up to 2,000 present values of each column: of the first rows, or further down where those are empty."""
    head = cells.head(_HEAD_ROWS).collect()
    examples = {name: head[name].filter(~head[name].is_in(tokens)) for name in names}
    empty = [name for name in names if examples[name].is_empty()]
    if empty and head.height == _HEAD_ROWS:
        present = (pl.col(name).filter(~pl.col(name).is_in(tokens)).head(_HEAD_ROWS).implode() for name in empty)
        further = cells.select(present).collect(engine="streaming")
        examples |= {name: further[name].explode().drop_nulls() for name in empty}
    return examples


def _proved(
    cells: pl.LazyFrame, proposed: Mapping[str, list[Way]], tokens: tuple[str, ...]
) -> tuple[dict[str, list[Way]], dict[str, Counts]]:
    """Return, in one pass, the ways that fit every present cell, and how often each token stands in each column."""
    wanted = {
        name: {f"way {i}": (way.fits | pl.col(name).is_in(tokens)).all() for i, way in enumerate(ways)}
        | {f"token {token}": (pl.col(name) == token).sum() for token in tokens}
        | {"rows": pl.len()}
        for name, ways in proposed.items()
    }
    seen = measured(cells, wanted)
    holding = {name: [way for i, way in enumerate(ways) if seen[name][f"way {i}"]] for name, ways in proposed.items()}
    return holding, {name: _counts(seen[name], tokens) for name in proposed}


def _counts(seen: Mapping[str, Any], tokens: tuple[str, ...]) -> Counts:
    found = {token: seen[f"token {token}"] for token in tokens if seen[f"token {token}"]}
    return Counts(seen["rows"] - sum(found.values()), found)


def _uses_decimal_comma(holding: Iterable[list[Way]], options: ReadOptions, dialect: Dialect) -> bool:
    """Whether numbers are written with a decimal comma: one column proves it, and none has a decimal point.

    ``1,234`` alone proves nothing, since it may be a thousand and some; such a column stays text.
    """
    if options.decimal_comma is not None:
        return options.decimal_comma
    points = [_only_point(ways) for ways in holding]
    return "," in points and "." not in points


def _only_point(ways: list[Way]) -> str | None:
    """Return the decimal point that a column of fractions must have, or ``None`` where it has none or may be either."""
    if any(way.typed and way.point is None for way in ways) or any(way.grouped for way in ways):
        return None
    points = [way.point for way in ways if way.point]
    return points[0] if len(points) == 1 else None


def _taken(name: str, ways: list[Way], counts: Counts, comma: bool) -> Column:
    """Choose the first way that holds; a column for which none does, or that has no values, is text."""
    point = "," if comma else "."
    fitting = [way.column for way in ways if way.point in (None, point)]
    if not fitting or not counts.present:
        return Column(name, Kind.CATEGORICAL, "String")
    column, forms = fitting[0], {each.format for each in fitting if each.format}
    if column.format:
        return replace(column, doubts=tuple(_date_doubts(column.format, forms)))
    if comma and column.dtype == "Float64" and any(way.grouped for way in ways):
        return replace(column, doubts=("may have thousands separators: taken as decimals, as in other columns",))
    return column


def _date_doubts(form: str, forms: set[str]) -> Iterator[str]:
    other = swapped(form)
    if other != form and other in forms:
        yield f"day and month may be in each other's place: taken as {form}, {other} fits as well"
    if "%y" in form:
        yield "years have two digits: 00 to 68 are taken as 2000 to 2068, 69 to 99 as 1969 to 1999"


def _check_demand(
    taken: Column, ways: list[Way], counts: Counts, options: ReadOptions, tokens: tuple[str, ...], locate: Locate
) -> None:
    """Raise ``BadTableError`` where a person asked for a type that not every value of the column has."""
    kind, form = demanded_kind(taken.name, options)
    if kind not in READABLE_KINDS or taken.dtype != "String" or not counts.present:
        return
    present = ~pl.col(taken.name).is_in(tokens)
    fitting = [way.fits.fill_null(False) for way in ways if way.typed]
    misfit = present & ~pl.any_horizontal(fitting) if fitting else present
    rule, hint = f"the value is no {kind} value", _remedy(taken.name, kind, form)
    if taken.doubts:
        misfit = present & pl.col(taken.name).str.contains(r"\D")
        rule, hint = "the separator may be a decimal point or one of thousands", "set data.decimal_comma"
    rule += f" of the form {form}" if form else ""
    raise BadTableError(f"{locate(misfit)}, column {taken.name!r}: {rule}", hint)


def _remedy(name: str, kind: Kind, form: str | None) -> str:
    """Return what to do about a column that is not of the type that a person asked for."""
    hint = f"give data.columns.{name} another type (categorical, text or id), or name what means a missing cell in "
    more = {Kind.NUMERIC: "set data.decimal_comma", Kind.DATETIME: f"give {'another' if form else 'its'} format"}
    return f"{hint}data.missing" + (f", or {more[kind]}" if kind in more else "")


def _row_number(cells: pl.LazyFrame) -> Locate:
    """Return how to name a row of a table of which no file is known."""

    def locate(where: pl.Expr) -> str:
        rows = cells.with_row_index("row").filter(where).select("row").head(1).collect()
        return f"row {rows.item() + 1}" if rows.height else "table"

    return locate


def _from_dtype(name: str, dtype: pl.DataType) -> Column:
    """Return what a stored type alone says about a column."""
    stored = dtype_name(dtype)
    if stored is None:
        raise ValueError(f"column {name!r} has a type that no schema can name")
    if dtype.is_temporal():
        return Column(name, Kind.DATETIME, stored)
    if dtype == pl.Boolean:
        return Column(name, Kind.BOOLEAN, stored)
    if dtype.is_numeric():
        return Column(name, Kind.NUMERIC, stored, decimals=0 if dtype.is_integer() else None)
    return Column(name, Kind.CATEGORICAL, stored)
