"""The ways in which a column of text may be taken: as integers, decimals, booleans, datetimes, or as text that looks
like something else. A way is proposed from a few example values and says which cells it fits; whether it fits all of
them is for ``inference`` to find out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from synthcli.forms import offset_minutes, reading, writing
from synthcli.inference.timeformats import LOOKS_LIKE_A_DATE, formats_for, is_date_only, zone_of
from synthcli.schema import Column, Kind

#: How many example values propose datetime formats.
_SCOUTS = 20

_INTEGER = r"^-?(?:0|[1-9]\d*)$"
#: At most 15 digits before the point: a float holds those exactly.
_DECIMAL = r"^-?(?:(?:0|[1-9]\d{0,14})(?:[%s]\d*)?|[%s]\d+)(?:[eE][+-]?\d+)?$"
#: Every value is short or in groups of three: a separator that may be a decimal point or not.
_GROUPED = r"^-?\d{1,3}(?:[,.' ]\d{3})*$"
_BOOLEANS = (("false", "true"), ("False", "True"), ("FALSE", "TRUE"))
#: What a person may mean by ``type: boolean``, in lower case, false first.
_BOOLEAN_PAIRS = (("false", "true"), ("no", "yes"), ("0", "1"), ("n", "y"), ("f", "t"), ("off", "on"))

#: Texts that look like something else than categories, and what to say about them.
_LOOKS = (
    (_INTEGER, "whole numbers beyond 64 bits"),
    (r"^-?\d+$", "whole numbers with leading zeros"),
    (_GROUPED, "numbers with thousands separators, or decimals with exactly three digits"),
    (r"^[+-]?\d+(?:\.\d+)?$", "numbers with a plus sign, leading zeros or more digits than a number can hold"),
    (r"^[+-]?[\d.,]+ ?%$", "percentages"),
    (r"^[+-]?[$€£¥] ?[+-]?[\d.,' ]+$|^[+-]?[\d.,' ]+ ?[$€£¥]$", "amounts of money"),
    (r"^-?\d{1,3}(?:[,.' ]\d{3})*(?:[.,]\d+)?$", "numbers with thousands separators or decimal commas"),
    (r"^-?\d+(?:,\d+)?$", "numbers with decimal commas"),
    (r"^\s*[+-]?\d+(?:[.,]\d+)?\s*$", "numbers with spaces around them"),
    (LOOKS_LIKE_A_DATE, "dates or times in several formats or time zones, or in an unknown one"),
)


class Way(NamedTuple):
    """One way to take a text column: what it would be, which of its cells fit, its decimal point if it has one.

    ``grouped`` marks the way that takes a comma for a thousands separator, against which no decimal comma is proved.
    """

    column: Column
    fits: pl.Expr
    point: str | None = None
    grouped: bool = False

    @property
    def typed(self) -> bool:
        """Whether the values would be stored as something else than text."""
        return self.column.dtype != "String"


def detected_ways(name: str, examples: pl.Series, points: Iterable[str]) -> list[Way]:
    """Return every way that the detection considers, in order of preference; each loses nothing of a text."""
    return [
        *(_boolean(name, pair) for pair in _BOOLEANS),
        _integer(name),
        *(_decimal(name, point) for point in points),
        *(_datetime(name, form) for form in _formats(examples)),
        *(_look(name, pattern, what) for pattern, what in _LOOKS),
    ]


def demanded_ways(name: str, kind: Kind, form: str | None, examples: pl.Series, points: Iterable[str]) -> list[Way]:
    """Return the ways that a person's ``type`` allows.

    The one that is text is there to tell a thousands separator from a decimal comma, and is never a person's wish.
    """
    if kind is Kind.BOOLEAN:
        return [_boolean(name, pair) for pair in _spelled_pairs(examples)]
    if kind is Kind.DATETIME:
        forms = _formats_of_first(examples) if form is None else [_with_zone(form, examples)]
        return [_datetime(name, each, lossless=form is None) for each in forms]
    whole = Column(name, Kind.NUMERIC, "Int64", decimals=0)
    lenient = [_decimal(name, point, lenient=True) for point in points]
    return [Way(whole, reading(whole).is_not_null()), *lenient, _look(name, _GROUPED, "numbers with separators")]


def _boolean(name: str, pair: tuple[str, str]) -> Way:
    return Way(Column(name, Kind.BOOLEAN, "Boolean", spelling=pair), pl.col(name).is_in(pair))


def _integer(name: str) -> Way:
    column = Column(name, Kind.NUMERIC, "Int64", decimals=0)
    return Way(column, pl.col(name).str.contains(_INTEGER) & reading(column).is_not_null())


def _decimal(name: str, point: str, *, lenient: bool = False) -> Way:
    column = Column(name, Kind.NUMERIC, "Float64")
    readable = reading(column, decimal_comma=point == ",").is_not_null()
    shape = pl.col(name).str.contains(_DECIMAL % (point, point))
    return Way(column, readable if lenient else shape & readable, point)


def _datetime(name: str, form: str, *, lossless: bool = True) -> Way:
    zoned = offset_minutes(form) is not None
    dtype = "Date" if is_date_only(form) else "Datetime[us, UTC]" if zoned else "Datetime[us]"
    column = Column(name, Kind.DATETIME, dtype, format=form)
    moment = reading(column)
    same = writing(column, moment) == pl.col(name)
    return Way(column, same.fill_null(False) if lossless else moment.is_not_null())


def _look(name: str, pattern: str, what: str) -> Way:
    doubt = f"looks like {what}; kept as text"
    column = Column(name, Kind.CATEGORICAL, "String", doubts=(doubt,))
    return Way(column, pl.col(name).str.contains(pattern), grouped=pattern == _GROUPED)


def _formats(examples: pl.Series) -> list[str]:
    scouts = examples.head(_SCOUTS)
    if scouts.is_empty() or not scouts.str.contains(LOOKS_LIKE_A_DATE).all():
        return []
    return formats_for(scouts)


def _formats_of_first(examples: pl.Series) -> list[str]:
    """Return the formats that the first example may have: what a person calls dates must all be like it."""
    return formats_for(examples.head(1)) if len(examples) else []


def _spelled_pairs(examples: pl.Series) -> list[tuple[str, str]]:
    """Return the pairs of truth values of which the examples hold some, in their own spelling, the best one first."""
    spelled = {text.lower(): text for text in reversed(examples.to_list())}
    pairs = [pair for pair in _BOOLEAN_PAIRS if spelled.keys() & set(pair)]
    pairs.sort(key=lambda pair: -len(spelled.keys() & set(pair)))
    return [(spelled.get(false, false), spelled.get(true, true)) for false, true in pairs]


def _with_zone(form: str, examples: pl.Series) -> str:
    """Return a person's format in the terms used here: the values' own UTC offset, a fraction with its point."""
    form = form.replace(".%f", "%.f")
    zones = [zone for text in examples.head(_SCOUTS) if (zone := zone_of(text))]
    for directive in ("%:z", "%z", "%Z"):
        form = form.replace(directive, zones[0] if zones else "Z")
    return form
