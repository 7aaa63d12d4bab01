"""The words of an upkeep: versions, names, shares, ages, moments, and what may call for a new generator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from synthcli.reports.upkeep.console import Row
from synthcli.reports.words import number

#: What may call for a new generator.
TRIGGERS = {
    "no_champion": "no champion",
    "damaged": "champion damaged",
    "forced": "asked for",
    "settings": "settings changed",
    "versions": "library versions changed",
    "schema": "columns changed",
    "no_reference": "no counts of what the champion learned from",
    "psi": "PSI",
    "tvd": "TVD",
    "missing": "missing cells",
    "new_categories": "new categories",
    "c2st": "C2ST AUC",
    "new_rows": "new rows",
    "age": "age of the champion",
}
#: Triggers whose figures are shares.
_SHARES = ("missing", "new_categories", "new_rows")
#: The figures of a run that ``history`` follows: title, name among the run's figures.
FOLLOWED = {
    "accuracy": "accuracy.bivariate",
    "C2ST AUC": "similarity.c2st_auc",
    "DCR share": "privacy.dcr_share",
    "utility": "utility.ratio",
}
#: How many names or reasons are listed.
LISTED = 5


def trigger_words(trigger: Row) -> str:
    """Return what calls for a new generator, and of which column."""
    words = TRIGGERS.get(trigger["name"], trigger["name"].replace("_", " "))
    return f"{words} of {trigger['column']}" if trigger.get("column") else words


def trigger_figures(trigger: Row) -> tuple[str, str]:
    """Return a trigger's value and its limit."""
    value, limit = (_trigger_figure(trigger["name"], trigger.get(key)) for key in ("value", "limit"))
    return value, limit


def _trigger_figure(name: str, value: float | str | None) -> str:
    """Return a trigger's value or limit in its unit; a number that is an age is one of seconds."""
    if value is None or isinstance(value, str):
        return value or "–"
    if name == "age":
        return age_words(value)
    return percent(value) if name in _SHARES else number(value)


def numbered(version: int | None) -> str:
    """Return a version's number as its folder is called."""
    return "–" if version is None else f"{version:04d}"


def event_words(name: str) -> str:
    """Return an event's or outcome's name in words."""
    return name.replace("_", " ")


def counted(count: int, unit: str) -> str:
    """Return a count with its unit."""
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def some_of(names: Sequence[str]) -> str:
    """Return the first names, and how many there are beside them."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def percent(share: float) -> str:
    """Return a share in percent with one decimal; below one percent with two significant digits.

    >>> percent(0.1034), percent(0.00421), percent(0.0)
    ('10.3%', '0.42%', '0.0%')
    """
    return f"{100 * share:.1f}%" if not share or abs(share) >= 0.01 else f"{100 * share:.2g}%"


def age_words(seconds: float) -> str:
    """Return a span of time in the unit that people would use.

    >>> age_words(20), age_words(60), age_words(5400), age_words(7200), age_words(86_400 * 9)
    ('less than a minute', '1 minute', '90 minutes', '2 hours', '9 days')
    """
    if seconds < 60:
        return "less than a minute"
    for unit, length, most in (("minute", 60, 120), ("hour", 3600, 48)):
        if seconds < most * length:
            return counted(round(seconds / length), unit)
    return counted(round(seconds / 86_400), "day")


def ago_words(seconds: float | None, at: str | None) -> str:
    """Return how long ago an instant was, and when."""
    return moment_words(at) if seconds is None else f"{age_words(seconds)} ago ({moment_words(at)})"


def moment_words(at: str | None) -> str:
    """Return an instant in UTC."""
    day, time = day_and_time(at)
    return f"{day} {time} UTC" if time else day


def day_and_time(at: str | None) -> tuple[str, str]:
    """Return the day and the time of an instant in UTC, a dash where there is none; another text stays as it is."""
    if at is None:
        return "–", ""
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return at, ""
    instant = instant if instant.tzinfo is None else instant.astimezone(UTC)
    return f"{instant:%Y-%m-%d}", f"{instant:%H:%M}"
