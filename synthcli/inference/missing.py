"""Which texts stand for a missing cell, per column, and which one is written.

Unless a person says otherwise: the empty text everywhere; a well-known token in a column whose other values are all
numbers, datetimes or booleans. A token found that way is the file's own and counts in its text columns too, except
those that may be ordinary categories there, such as ``?`` and ``unknown``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from synthcli.inference.overrides import ReadOptions
from synthcli.schema import Column, Schema

#: Tokens that mean "missing" in a column whose other values are all numbers, datetimes or booleans.
WELL_KNOWN = (
    *("NA", "N/A", "NaN", "nan", "NULL", "null", "None", "?", "-", "#N/A"),
    *("n/a", "<NA>", "(null)", "#NULL!", "--", ".", "na", "N.A.", "n.a.", "k. A.", "k.A."),
    *("unknown", "Unknown", "UNKNOWN", "missing", "Missing"),
)
#: Of those, the ones that may be ordinary categories elsewhere in the same file.
OWN_COLUMN_ONLY = frozenset(WELL_KNOWN[WELL_KNOWN.index("--") :]) | {"?", "-"}
#: Tokens that a column may consist of alone and still be empty rather than constant.
NEVER_A_CATEGORY = frozenset(WELL_KNOWN) - OWN_COLUMN_ONLY - {"None"}


class Counts(NamedTuple):
    """How many cells of a column hold something, and how many hold each token that may mean a missing cell."""

    present: int
    tokens: dict[str, int]


def all_tokens(options: ReadOptions) -> tuple[str, ...]:
    """Return every text that may mean a missing cell somewhere in the table."""
    named = WELL_KNOWN if options.missing is None else options.missing
    return tuple(dict.fromkeys(("", *named)))


def missing_tokens(
    taken: Mapping[str, Column], counts: Mapping[str, Counts], options: ReadOptions
) -> dict[str, tuple[str, ...]]:
    """Return the tokens that mean a missing cell, per column."""
    shared = _shared_tokens(taken, counts)
    missing = {}
    for name, column in taken.items():
        found = counts[name].tokens
        if options.missing is not None:
            missing[name] = options.missing if column.dtype == "String" else all_tokens(options)
        elif column.dtype != "String":
            missing[name] = ("", *(token for token in found if token))
        else:
            own = shared if counts[name].present else shared | NEVER_A_CATEGORY
            missing[name] = ("", *(token for token in found if token in own))
    return missing


def _shared_tokens(taken: Mapping[str, Column], counts: Mapping[str, Counts]) -> frozenset[str]:
    """Return the well-known tokens that some typed column shows to be this file's sign for a missing cell."""
    typed = [name for name, column in taken.items() if column.dtype != "String"]
    return frozenset(token for name in typed for token in counts[name].tokens) - OWN_COLUMN_ONLY - {""}


def with_tokens(
    taken: Mapping[str, Column], counts: Mapping[str, Counts], missing: Mapping[str, tuple[str, ...]], stated: bool
) -> list[Column]:
    """Set the token that each column is written with: its most frequent one, else the file's, else nothing."""
    found = {name: {t: n for t, n in counts[name].tokens.items() if t in missing[name]} for name in taken}
    total: Counter[str] = Counter()
    for tokens in found.values():
        total.update({token: n for token, n in tokens.items() if token not in OWN_COLUMN_ONLY})
    usual = _most_frequent(total)
    columns = []
    for name, column in taken.items():
        token = _most_frequent(found[name]) if found[name] else usual
        doubtful = [t for t in found[name] if t and column.dtype == "String" and not stated]
        doubts = (f"the text {doubtful[0]!r} is taken as missing (data.missing says otherwise)",) if doubtful else ()
        columns.append(replace(column, missing=token, doubts=column.doubts + doubts))
    return columns


def known_tokens(schema: Schema, options: ReadOptions) -> dict[str, tuple[str, ...]]:
    """Return the tokens that mean a missing cell in each column of a schema that is given."""
    texts = {"", *({column.missing for column in schema} - OWN_COLUMN_ONLY)}
    known = {}
    for column in schema:
        if column.dtype != "String":
            known[column.name] = tuple(dict.fromkeys((*all_tokens(options), column.missing)))
        elif options.missing is not None:
            known[column.name] = options.missing
        else:
            known[column.name] = tuple(sorted({*texts, column.missing}))
    return known


def blanked(strings: pl.LazyFrame, missing: Mapping[str, tuple[str, ...]]) -> pl.LazyFrame:
    """Return the columns of ``missing`` with null for every cell that holds one of its column's tokens."""
    cells = ((name, pl.col(name), tokens) for name, tokens in missing.items())
    return strings.select(pl.when(~cell.is_in(tokens)).then(cell).alias(name) for name, cell, tokens in cells)


def _most_frequent(counts: Mapping[str, int]) -> str:
    return max(counts, key=lambda token: counts[token], default="")
