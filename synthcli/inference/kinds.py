"""From facts about all rows of a column to its kind, its form, and what is doubtful about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from synthcli.forms import reading
from synthcli.inference.overrides import ReadOptions, demanded_kind
from synthcli.schema import Column, Kind

Facts = Mapping[str, Any]

_ID_NAME = re.compile(r"(?i:^(?:key|index|idx|no|nr|uuid|guid)$|id$|_(?:key|no|nr|index)$)")
#: Fewer rows than this tell nothing about whether values repeat.
_ENOUGH_ROWS = 20
_LONG_TEXT = 30
_MANY_SPACES = 3
_LONGEST_ID = 64
_MANY_LEVELS = 1_000
_MOST_DECIMALS = 6
_DISTINCT_ROWS = 1_000_000


def measured(cells: pl.LazyFrame, wanted: Mapping[str, Mapping[str, pl.Expr]]) -> dict[str, dict[str, Any]]:
    """Compute the named facts of every column in one pass."""
    keys = [(name, fact) for name, facts in wanted.items() for fact in facts]
    expressions = (wanted[name][fact].alias(str(i)) for i, (name, fact) in enumerate(keys))
    values = cells.select(expressions).collect(engine="streaming").row(0)
    found: dict[str, dict[str, Any]] = {name: {} for name in wanted}
    for (name, fact), value in zip(keys, values, strict=True):
        found[name][fact] = value
    return found


def measured_with_distinct(
    cells: pl.LazyFrame,
    wanted: Mapping[str, Mapping[str, pl.Expr]],
    first: Mapping[str, Mapping[str, pl.Expr]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Compute the named facts, and as ``unique`` how many different values each column has among its ``looked`` ones.

    Counting different values is what costs most in a long table, so it is done on the first rows, and on all rows only
    for columns where that could change the answer: no value repeated yet, or no second value seen. The facts in
    ``first`` are taken from the first rows only.
    """
    found = measured(cells, wanted)
    head = cells.head(_DISTINCT_ROWS)
    for facts in (_distinct(head, wanted), measured(head, first) if first else {}):
        for name, more in facts.items():
            found[name] |= more
    open_ = [n for n, f in found.items() if f["looked"] < f["n"] and f["unique"] in (0, 1, f["looked"])]
    for name, facts in _distinct(cells, open_).items():
        found[name] |= facts
    return found


def _distinct(cells: pl.LazyFrame, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    wanted = {}
    for name in names:
        cell = pl.col(name)
        different = cell.hash().n_unique() - cell.has_nulls().cast(pl.UInt32)
        wanted[name] = {"unique": different, "looked": cell.count()}
    return measured(cells, wanted) if wanted else {}


def _common_facts(name: str) -> dict[str, pl.Expr]:
    cell = pl.col(name)
    return {"n": cell.count(), "nulls": cell.null_count()}


def facts_of_text(column: Column) -> dict[str, pl.Expr]:
    """Return what is to be known about the texts of a column, by the type that they will be stored as."""
    common = _common_facts(column.name)
    if column.dtype == "Int64":
        number = reading(column)
        return common | {"low": number.min(), "high": number.max(), "dates": _like_dates(number)}
    if column.dtype == "Float64":
        return common | _decimal_facts(column)
    return common | (_text_facts(column) if column.dtype == "String" else {})


def _like_dates(number: pl.Expr) -> pl.Expr:
    """Whether whole numbers may all be read as yyyymmdd, between 1900 and 2100."""
    month, day = number // 100 % 100, number % 100
    return (number.is_between(19_000_101, 21_001_231) & month.is_between(1, 12) & day.is_between(1, 31)).all()


def _text_facts(column: Column) -> dict[str, pl.Expr]:
    cell = pl.col(column.name)
    return {
        "texts": cell.count(),
        "chars": cell.str.len_chars().mean().fill_null(0.0),
        "longest": cell.str.len_chars().max().fill_null(0),
        "spaces": cell.str.count_matches(" ", literal=True).mean().fill_null(0.0),
        "numbers": cell.str.contains(r"^-?\d+\.?\d*$").sum(),
    }


def _decimal_facts(column: Column) -> dict[str, pl.Expr]:
    """Return facts about digits; where a text has an exponent the others mean nothing."""
    text = pl.col(column.name)
    point = text.str.find("[.,]").cast(pl.Int64)
    digits = text.str.strip_chars_start("-0.,")
    plain = text.str.replace(",", ".", literal=True)
    number = plain.cast(pl.Float64, strict=False)
    return {
        "fewest": _behind(text, point).min(),
        "used": _behind(text.str.strip_chars_end("0"), point).max(),
        "digits": (digits.str.len_bytes().cast(pl.Int64) - digits.str.contains("[.,]").cast(pl.Int64)).max(),
        "exponents": text.str.contains("[eE]").any(),
        "exact": (number.cast(pl.String) == plain).all(),
    }


def _behind(text: pl.Expr, point: pl.Expr) -> pl.Expr:
    """Return how many digits stand behind the point; none where there is no point, null where there is no text."""
    length = text.str.len_bytes().cast(pl.Int64)
    return pl.when(text.is_not_null()).then((length - point - 1).fill_null(0))


def facts_of_stored(column: Column) -> dict[str, pl.Expr]:
    """Return what is to be known about a column that has its storage type already."""
    cell, common = pl.col(column.name), _common_facts(column.name)
    if column.dtype == "String":
        return common | {"empty": (cell == "").any()}
    if column.dtype.startswith("Float"):
        tried = {f"round {d}": (cell == cell.round(d)).all() for d in range(_MOST_DECIMALS + 1)}
        return common | tried | {"infinite": cell.is_infinite().any()}
    return common | {"low": cell.min(), "high": cell.max()}


def first_facts_of_stored(column: Column) -> dict[str, pl.Expr]:
    """Return what the first rows tell well enough: how the texts of a column look."""
    return _text_facts(column) if column.dtype == "String" else {}


def concluded(column: Column, facts: Mapping[str, Any], options: ReadOptions) -> Column:
    """Settle kind and form from the facts; a person's own type has the last word on the kind."""
    demanded, _ = demanded_kind(column.name, options)
    if column.dtype.startswith("Float"):
        column = _with_decimals(column, facts)
    kind = demanded or _kind(column, facts)
    doubts = column.doubts + (() if demanded else tuple(_doubts(replace(column, kind=kind), facts)))
    return replace(column, kind=kind, doubts=doubts)


def _with_decimals(column: Column, facts: Facts) -> Column:
    """Set how many digits follow the point; no limit where a value has an exponent or more digits than a float."""
    if "round 0" in facts:
        enough = (d for d in range(_MOST_DECIMALS + 1) if facts[f"round {d}"])
        return replace(column, decimals=next(enough, None) if facts["n"] else None)
    if not facts["n"] or facts["exponents"]:
        return column
    if facts["digits"] > 15 and facts["exact"]:
        return column  # the shortest text of each float, as most programs write it
    if facts["digits"] > 15:
        return replace(column, doubts=(*column.doubts, "has more than 15 digits: written as the nearest float"))
    least = facts["fewest"] if facts["used"] else max(1, facts["fewest"])  # a point without digits is not kept
    return replace(column, decimals=max(facts["used"], least), least_decimals=least)


def _kind(column: Column, facts: Facts) -> Kind:
    if column.dtype.startswith(("Int", "UInt")):
        return Kind.ID if _is_integer_id(column.name, facts) else Kind.NUMERIC
    if column.dtype != "String" or not facts["n"]:
        return column.kind
    odd_number = 0.9 * facts["texts"] <= facts["numbers"] < facts["texts"]
    distinct = facts["unique"] == facts["n"] and facts["n"] >= _ENOUGH_ROWS and not odd_number
    long = facts["chars"] > _LONG_TEXT or facts["spaces"] >= _MANY_SPACES
    if long and facts["unique"] > facts["looked"] / 2 and facts["n"] >= _ENOUGH_ROWS:
        return Kind.TEXT
    return Kind.ID if distinct and facts["longest"] <= _LONGEST_ID else Kind.CATEGORICAL


def _is_integer_id(name: str, facts: Facts) -> bool:
    """Whether distinct whole numbers only name rows: by the column's name, or because they count up without a gap."""
    if facts["n"] < 2 or facts["unique"] != facts["n"]:
        return False
    run = not facts["nulls"] and facts["high"] - facts["low"] + 1 == facts["n"] and facts["n"] >= _ENOUGH_ROWS
    return run or bool(_ID_NAME.search(name))


def _doubts(column: Column, facts: Facts) -> Iterator[str]:
    n, unique, looked = facts["n"], facts["unique"], facts["looked"]
    if not n:
        yield "has no value at all"
        return
    if facts.get("empty"):
        yield "holds empty texts; in a text file they read as missing"
    if unique == 1:
        yield "has the same value in every row that has one"
    if column.kind is Kind.CATEGORICAL and n >= _ENOUGH_ROWS and (unique > looked / 2 or unique > _MANY_LEVELS):
        yield f"has {unique:,} different values in {looked:,} rows, many for categories"
    if column.dtype == "String" and facts["texts"] / 2 <= facts["numbers"] < facts["texts"]:
        share = f"{facts['numbers']:,} of {facts['texts']:,} values"
        yield f"{share} are numbers; kept as text (data.missing may name missing tokens)"
    if facts.get("dates"):
        yield "may be dates as yyyymmdd; taken as whole numbers (type: datetime, format: '%Y%m%d' says otherwise)"
