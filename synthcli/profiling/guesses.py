"""What names, kinds and counts suggest: a table's key, target and time, and kinds that are worth stating."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from synthcli.schema import Column, Kind, Schema

FEW_CLASSES = 10
#: Different values from which a column may name entities, and rows per value up to which its name does not matter.
_FEWEST_ENTITIES, _MOST_ENTITY_ROWS = 20, 10

_TARGET_NAMES = {
    *("target", "label", "class", "y", "outcome", "response", "diagnosis", "default", "income", "late", "fraud"),
    *(
        "is_fraud",
        "churn",
        "churned",
        "exited",
        "attrition",
        "survived",
        "readmitted",
        "converted",
        "clicked",
        "approved",
    ),
}


def _last_word(words: str) -> re.Pattern[str]:
    """Return the pattern of names that are one of ``words`` (a regular expression) or end with it."""
    return re.compile(rf"(?i:(?:^|[_\s.-])(?:{words})$)|[a-z]I[dD]$")


_KEY_NAME = _last_word("id|key|uuid|guid")
_ENTITY_NAME = _last_word(
    "id|uuid|guid|(?:customer|client|patient|person|user|subject|account)(?:[_ ]?(?:no|nr|number))?"
)
_CODE_NAME = _last_word("code|zip|zip[_ ]?code|postcode|phone|flight(?:[_ ]?(?:no|nr|number))?|sku|ean")
_TIME_NAME = _last_word("time|timestamp|date|datetime|ts|created|created[_ ]at|time[_ ]hour")
_BIRTH_NAME = re.compile(r"(?i:birth|(?:^|[_\s.-])dob$)")


class Facts(NamedTuple):
    """How many cells of a column hold a value, and how many different ones."""

    present: int
    distinct: int


def guess_target(schema: Schema, facts: Mapping[str, Facts]) -> tuple[str | None, str]:
    """Return the last column with a usual name, else the last column if it has few classes; and the reason."""
    possible = [column for column in schema if not unpredictable(column, facts[column.name])]
    usual = [column.name for column in possible if is_named_as_target(column)]
    if usual:
        return usual[-1], "guessed from its name"
    last = schema.columns[-1]
    classes = is_classes(last) or is_two_numbers(last, facts[last.name])
    if last in possible and classes and facts[last.name].distinct <= FEW_CLASSES:
        return last.name, "guessed: the last column, and it has few classes"
    return None, "no column looks like one"


def unpredictable(column: Column, facts: Facts) -> str:
    """Return why no model can predict the column, or nothing if one can."""
    if not facts.present:
        return "it has no value"
    if column.kind is Kind.ID:
        return "it is an id, which says nothing about its row"
    if column.kind is Kind.TEXT:
        return "it is free text"
    if facts.distinct == 1:
        return "it has the same value in every row that has one"
    if is_classes(column) and facts.distinct == facts.present > 2:
        return "it has a different value in every row"
    return ""


def guess_key(schema: Schema, facts: Mapping[str, Facts], rows: int) -> str | None:
    """Return the id with a different value in every row: the first that is named like a key, else the first."""
    unique = [c.name for c in schema if c.kind is Kind.ID and facts[c.name] == (rows, rows)]
    return _preferred(unique, _KEY_NAME)


def guess_time(schema: Schema, target: str | None) -> str | None:
    """Return the column that says when a row happened: the first that is named so, else the first that may say it."""
    return _preferred(moments(schema, target), _TIME_NAME)


def moments(schema: Schema, target: str | None) -> list[str]:
    """Return the datetime columns that may say when a row happened, which a date of birth does not."""
    times = [column.name for column in schema if column.kind is Kind.DATETIME and column.name != target]
    return [name for name in times if not _BIRTH_NAME.search(name)]


#: How often a category is seen on average, at least: others would be rare nearly all, and replaced.
_SEEN = 2


def kind_worth_stating(column: Column, facts: Facts, *, is_target: bool) -> tuple[Kind, str] | None:
    """Return a kind that a person should see stated, and the doubt about it; ``None`` for a plain case."""
    if is_target and is_two_numbers(column, facts):
        return Kind.CATEGORICAL, "two whole numbers, taken as classes"
    if is_target and is_named_as_target(column) and is_few_numbers(column, facts):
        return Kind.CATEGORICAL, f"{facts.distinct} whole numbers, taken as classes; type: numeric if they are amounts"
    if not is_target and is_entity(column, facts) and _ENTITY_NAME.search(column.name):
        return (
            Kind.ID,
            f"{facts.distinct:,} different ids in {facts.present:,} rows; made anew, so that no real one stays",
        )
    if not is_target and is_whole(column) and column.kind is Kind.NUMERIC and _CODE_NAME.search(column.name):
        return Kind.CATEGORICAL, f"whole numbers that may be codes; {facts.distinct:,} different ones"
    return _doubtful(column, facts, is_target=is_target) if column.doubts and facts.distinct > 1 else None


def _doubtful(column: Column, facts: Facts, *, is_target: bool) -> tuple[Kind, str]:
    """Return what a doubtful column is best taken for: texts that hardly repeat are no categories."""
    doubt = "; ".join(column.doubts)
    if not is_target and column.kind is Kind.CATEGORICAL and facts.distinct * _SEEN > facts.present:
        return Kind.TEXT, f"{doubt}; nearly all would be rare: as a text it comes out empty"
    return column.kind, doubt


def is_entity(column: Column, facts: Facts) -> bool:
    """Whether values repeat and may each name something that has several rows, by the column's name or by counts."""
    if column.kind is Kind.TEXT or not _FEWEST_ENTITIES <= facts.distinct < facts.present:
        return False
    if _ENTITY_NAME.search(column.name) and (is_whole(column) or column.dtype == "String"):
        return True
    many = facts.distinct * _MOST_ENTITY_ROWS > facts.present
    return many and column.kind is Kind.CATEGORICAL and not _CODE_NAME.search(column.name)


def is_classes(column: Column) -> bool:
    """Whether a model of the column predicts one of several classes."""
    return column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN)


def is_whole(column: Column) -> bool:
    """Whether the column holds whole numbers, whatever they mean."""
    return column.decimals == 0


def is_two_numbers(column: Column, facts: Facts) -> bool:
    """Whether the column is numeric and holds two whole numbers only, such as 0 and 1."""
    return column.kind is Kind.NUMERIC and is_whole(column) and facts.distinct == 2


def is_few_numbers(column: Column, facts: Facts) -> bool:
    """Whether the column is numeric and holds a few different whole numbers only, each in several rows."""
    few = facts.distinct <= min(FEW_CLASSES, facts.present / _MOST_ENTITY_ROWS)
    return column.kind is Kind.NUMERIC and is_whole(column) and few


def is_named_as_target(column: Column) -> bool:
    """Whether the column has a name that is usual for what a model predicts."""
    return column.name.strip().casefold() in _TARGET_NAMES


def _preferred(names: list[str], pattern: re.Pattern[str]) -> str | None:
    return next((name for name in names if pattern.search(name)), names[0] if names else None)
