"""The datetime formats that are recognised in text, most usual first, and what is ambiguous about them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m-%d-%Y",
    "%m.%d.%Y",
    "%-d.%-m.%Y",
    "%-d-%-m-%Y",
    "%-m/%-d/%Y",
    "%-d/%-m/%Y",
    "%-m-%-d-%Y",
    "%Y-%-m-%-d",
    "%Y/%-m/%-d",
    "%d.%m.%y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%-d.%-m.%y",
    "%-m/%-d/%y",
    "%-d/%-m/%y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %Y",
    "%-d %b %Y",
    "%d %B %Y",
    "%-d %B %Y",
    "%b %d, %Y",
    "%b %-d, %Y",
    "%B %d, %Y",
    "%B %-d, %Y",
)
_TIMES = (
    "%H:%M:%S",
    "%H:%M",
    "%H:%M:%S%.3f",
    "%H:%M:%S%.6f",
    "%H:%M:%S%.f",
    "%-H:%M",
    "%-H:%M:%S",
    "%I:%M %p",
    "%I:%M:%S %p",
    "%-I:%M %p",
    "%-I:%M:%S %p",
)

#: Formats without a zone, in order of preference where several fit every value.
FORMATS: tuple[str, ...] = (
    *_DATES,
    *(f"{_DATES[0]}T{time}" for time in _TIMES[:5]),
    *(f"{date} {time}" for date in _DATES for time in _TIMES),
    "%Y%m%dT%H%M%S",
)

#: What every text in one of the formats looks like; cheap to test before parsing.
LOOKS_LIKE_A_DATE = (
    r"^(?:\d{1,4}[-/. ](?:\d{1,2}|[A-Z][a-z]{2,8})[-/. ]\d{1,4}|[A-Z][a-z]{2,8} \d{1,2}, \d{4}|\d{8}T\d{6})"
    r"(?:$|[T Z\d:+-])"
)

_DIRECTIVE = re.compile(r"%[-.\d]*[A-Za-z]")
_ZONE = re.compile(r":\d\d(?:\.\d+)? ?(Z|[+-]\d\d:?\d\d)$")


def formats_for(examples: Iterable[str]) -> list[str]:
    """Return the formats whose separators and zone are those of all the examples, in order of preference.

    An empty list where the examples end in different UTC offsets: one format can't write them back.
    """
    texts = list(examples)
    zones = {zone_of(text) for text in texts}
    if len(zones) != 1:
        return []
    zone = zones.pop()
    bodies = [text.removesuffix(zone) for text in texts]
    gap = " " if zone and all(body.endswith(" ") for body in bodies) else ""
    separators = {_separators(body.removesuffix(gap)) for body in bodies}
    fitting = (form for form in FORMATS if separators <= _separators_of(form))
    return [form + gap + zone for form in fitting]


def zone_of(text: str) -> str:
    """Return the UTC offset that a timestamp ends with, as written, or an empty string."""
    match = _ZONE.search(text)
    return match[1] if match else ""


def _separators(text: str) -> str:
    return re.sub(r"[A-SU-Za-z\d]+", "", re.sub(r"[A-Za-z]{2,}", "", text))


def _separators_of(form: str) -> set[str]:
    """Return the separators that texts of this format have: an optional fraction allows two."""
    plain = _DIRECTIVE.sub("", form)
    if "%.f" in form:
        return {plain, plain + "."}
    return {plain + "."} if re.search(r"%\.\df", form) else {plain}


def swapped(form: str) -> str:
    """Return the format with day and month in each other's place."""
    return re.sub(r"(%-?)([dm])", lambda match: match[1] + ("m" if match[2] == "d" else "d"), form)


def is_date_only(form: str) -> bool:
    """Whether the format holds no time of day."""
    return "%H" not in form and "%-H" not in form and "%I" not in form and "%-I" not in form
