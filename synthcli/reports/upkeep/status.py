"""What ``status`` says: how the champion stands, the data, and the versions that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from synthcli.reports.upkeep.console import (
    BAD,
    CARE,
    GOOD,
    Column,
    Fact,
    FittingTable,
    Items,
    Row,
    facts_table,
    headline,
    styled,
)
from synthcli.reports.upkeep.words import age_words, ago_words, counted, day_and_time, event_words, numbered

#: How many versions are listed.
_VERSIONS = 10


def status_report(document: Row) -> RenderableType:
    """Render whether the generator is fresh or stale and why, what there is and how old it is, and the versions."""
    stale, reasons = document["stale"], document.get("reasons") or []
    first, *others = reasons or [_state(document)]
    parts = [*headline(f"{'stale' if stale else 'fresh'}: {first}", CARE if stale else GOOD, others)]
    parts += [Rule(style="dim"), facts_table(_status_facts(document))]
    if document.get("versions"):
        parts += [Text(), *_versions(document["versions"])]
    return Group(*parts)


def _state(document: Row) -> str:
    """Return what the verdict rests on where no reason is given."""
    champion, healthy = document.get("champion"), document.get("last_healthy")
    state = "there is no champion" if champion is None else f"champion {numbered(champion)} is in force"
    age = (healthy or {}).get("age_seconds")
    return state if age is None else f"{state}, last found right {age_words(age)} ago"


def _status_facts(document: Row) -> Iterator[Fact]:
    yield "champion", _champion(document)
    if document.get("champion_created"):
        yield "fitted", ago_words(document.get("champion_age_seconds"), document["champion_created"])
    for name in ("previous", "latest"):
        if document.get(name) is not None:
            yield name, numbered(document[name])
    yield from _data_facts(document.get("data") or {})
    if check := document.get("last_check"):
        why = f": {check['why']}" if check.get("why") else ""
        yield "last check", f"{ago_words(check['age_seconds'], check['at'])}, {event_words(check['outcome'])}{why}"
    if healthy := document.get("last_healthy"):
        yield "last healthy", ago_words(healthy["age_seconds"], healthy["at"])
    if document.get("max_age"):
        yield "stale after", document["max_age"]
    if lock := document.get("lock"):
        by = "" if lock.get("pid") is None else f" by process {lock['pid']}"
        yield "lock", Text(f"held{by}, which is at work", CARE) if lock["held"] else "free"


def _champion(document: Row) -> Text:
    if document.get("champion") is None:
        return Text("none", CARE)
    rows = document.get("champion_rows")
    facts = [numbered(document["champion"]), document.get("kind"), None if rows is None else f"{rows:,} rows"]
    told = styled(", ".join(fact for fact in facts if fact))
    if document.get("intact") is None:
        return told.append(", files not looked at", "dim")
    return told.append(", ").append(*("intact", "") if document["intact"] else ("damaged", BAD))


def _data_facts(data: Row) -> Iterator[Fact]:
    told, age = [], data.get("age_seconds")
    if data.get("newest"):
        old = "" if age is None else ", in the future" if age < 0 else f", {age_words(age)} old"
        told.append(f"newest row {data['newest']}{old}")
    elif age is not None:
        told.append(f"{age_words(age)} old")
    told += [counted(data["files"], "file")] if data.get("files") is not None else []
    if told:
        yield "data", Items(told, ";")


def _versions(versions: Sequence[Row]) -> Iterator[RenderableType]:
    """Yield a table of the newest versions, newest first, and how many are older."""
    newest = sorted(versions, key=lambda version: -version["version"])
    columns = (
        Column("version", left=True),
        Column("kind", left=True),
        Column("created", left=True, rank=1),
        Column("UTC", left=True, rank=3, gap=1),
        Column("rows", rank=2),
        Column("aliases", left=True),
    )
    rows = []
    for version in newest[:_VERSIONS]:
        aliases = ", ".join(version.get("aliases") or [])
        count = "–" if version.get("rows") is None else f"{version['rows']:,}"
        cells = (numbered(version["version"]), version["kind"], *day_and_time(version["created"]), count, aliases)
        rows.append(tuple(styled(cell, "bold" if "champion" in aliases else "") for cell in cells))
    yield FittingTable(columns, rows)
    if len(newest) > _VERSIONS:
        yield Text(f"and {len(newest) - _VERSIONS} older", "dim")
