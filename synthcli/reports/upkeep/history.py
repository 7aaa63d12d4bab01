"""What ``history`` says: how the figures moved, and the runs one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import isfinite

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from synthcli.reports.upkeep.console import STYLES, Column, FittingTable, Row, headline, styled, two_columns
from synthcli.reports.upkeep.words import FOLLOWED, counted, day_and_time, event_words, numbered, percent
from synthcli.reports.words import number

_BLOCKS = "▁▂▃▄▅▆▇█"
#: How many runs a sparkline shows.
_RECENT = 30


def history_report(document: Row) -> RenderableType:
    """Render the runs, one line each and oldest first, below the courses of what the challengers scored."""
    runs: Sequence[Row] = document.get("runs") or []
    if not runs:
        return Text("no refresh has been recorded yet")
    counts = Counter(event_words(run["event"]) for run in runs)
    told = ", ".join(f"{count} {event}" for event, count in counts.items())
    last = f"last run: {event_words(runs[-1]['event'])}"
    why = f"; {runs[-1]['why']}" if runs[-1].get("why") else ""
    parts = [*headline(f"{counted(len(runs), 'run')}: {told}", "bold", [last + why])]
    return Group(*parts, Rule(style="dim"), *_courses(runs), _runs(runs))


def sparkline(values: Sequence[float | None]) -> str:
    """Return one block a value, the higher the larger, from the least value to the largest; a gap where there is none.

    >>> sparkline([0, 1, None, 7]), sparkline([0.5, 0.5])
    ('▁▂ █', '▄▄')
    """
    known = [Fraction(value) for value in values if value is not None and isfinite(value)]
    low, span = (min(known), max(known) - min(known)) if known else (Fraction(), Fraction())

    def block(value: float | None) -> str:
        if value is None or not isfinite(value):
            return " "
        # Exact, so that no two values change places and no span is lost to rounding.
        return _BLOCKS[min(int(8 * (Fraction(value) - low) / span), 7)] if span else _BLOCKS[3]

    return "".join(map(block, values))


def _courses(runs: Sequence[Row]) -> Iterator[RenderableType]:
    """Yield a sparkline for each figure that is followed, over the same runs: the last ones that have any."""
    measured = [figures for figures in map(_followed, runs) if any(value is not None for value in figures.values())]
    grid = two_columns()
    for title in ("score", *FOLLOWED):
        course = [figures[title] for figures in measured[-_RECENT:]]
        known = [value for value in course if value is not None]
        if known:
            grid.add_row(Text(title, "bold"), Text(sparkline(course)), f"{number(known[0])} → {number(known[-1])}")
    if grid.row_count:
        older = f" of {len(measured)}" if len(measured) > _RECENT else ""
        told = f"over the last {counted(min(len(measured), _RECENT), 'run')}{older} in which something was measured"
        yield from (grid, Text(told, "dim"), Text())


def _followed(run: Row) -> dict[str, float | None]:
    figures = run.get("figures") or {}
    return {"score": run.get("score"), **{title: figures.get(name) for title, name in FOLLOWED.items()}}


def _runs(runs: Sequence[Row]) -> RenderableType:
    columns = (
        Column("date", left=True),
        Column("UTC", left=True, rank=9, gap=1),
        Column("event", left=True),
        Column("version"),
        Column("rows", rank=5),
        Column("new", rank=6),
        Column("PSI", rank=7),
        Column("score"),
        Column("champion's", rank=8),
        Column("accuracy", rank=1),
        Column("C2ST", rank=2),
        Column("DCR", rank=3),
        Column("utility", rank=4),
        Column("why", left=True, rank=6, flexible=True),
    )
    rows = []
    for run in runs:
        score, *figures = (number(value) for value in _followed(run).values())
        share = run.get("new_share")
        before = (
            "–" if run.get("version") is None else numbered(run["version"]),
            "–" if run.get("rows") is None else f"{run['rows']:,}",
            "–" if share is None else percent(share),
            number(run.get("psi")),
        )
        cells = (*before, score, number(run.get("champion_score")), *figures, run.get("why") or "")
        day, time = map(styled, day_and_time(run.get("at")))
        rows.append((day, time, styled(event_words(run["event"]), STYLES.get(run["event"], "")), *map(styled, cells)))
    return FittingTable(columns, rows)
