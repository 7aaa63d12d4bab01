"""Reports for people in a terminal or a log: the verdict first, then why. Right at 80 columns, plain without colour.

Everything is rendered from plain data (results, report documents), so a stored report looks as it did when it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from synthcli.foresight import Forecast, Range
from synthcli.progress import visible
from synthcli.reports.words import (
    ARROWS,
    EXCESS,
    MARKS,
    WORST,
    checks,
    comparable,
    culprits,
    gate_figures,
    grouped,
    meaning,
    names_by_reason,
    number,
    signed,
    told_apart,
)
from synthcli.wording import size, span

_STYLES = {"": "", "pass": "bold green", "fail": "bold red", "warn": "bold yellow", "not_measured": "yellow"}
#: Paths of a plan that are shown.
_PATHS = 20
#: What became of a candidate, and how that is shown.
_STANDING = {
    "scored": ("", ""),
    "out": ("out", "bold red"),
    "failed": ("failed", "bold red"),
    "out_of_time": ("out of time", "yellow"),
}


def split_report(result: Mapping[str, Any], target: str | None) -> RenderableType:
    """Render what ``split`` did: rows on each side, the target's classes, and how alike the sides are."""
    rows: Mapping[str, int] = result["rows"]
    total = sum(rows.values())
    table = plain_table(
        "part", "rows", "share", *([f"{target} shares"] if any(result["target_shares"].values()) else [])
    )
    for name, count in rows.items():
        shares = result["target_shares"].get(name, {})
        listed = ", ".join(f"{level} {share:.1%}" for level, share in shares.items())
        table.add_row(name, f"{count:,}", f"{count / total:.1%}", *([listed] if shares else []))
    return Group(table, *_likeness(result))


def _likeness(result: Mapping[str, Any]) -> list[RenderableType]:
    if "overlap" not in result:
        return []
    overlap, told = result["overlap"], result["c2st"]
    facts = {
        f"of {overlap['rows']:,} holdout rows": f"{overlap['equal']:,} are in train as well, "
        f"{overlap['near']:,} in all columns but one"
    }
    if told is not None:
        interval = f"{told['auc']:.3f} ({told['low']:.3f} … {told['high']:.3f})"
        facts["classifier's AUC"] = f"{interval}; .5: it cannot tell the parts apart"
    return [Text(), facts_report(facts)]


def facts_report(facts: Mapping[str, str]) -> RenderableType:
    """Render a few facts as two columns; a fact may have several lines."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        grid.add_row(Text(visible(name), style="bold"), Text("\n".join(map(visible, value.split("\n")))))
    return grid


def forecast_report(would: Mapping[str, str], told: Forecast) -> RenderableType:
    """Render what a command would do, and what that is foretold to take."""
    rows = {f"rows {way}": part for way, part in (("read", told.rows_in), ("written", told.rows_out)) if part}
    facts = {
        **would,
        **{name: ", ".join(f"{table} {count:,}" for table, count in part.items()) for name, part in rows.items()},
        "time": _range(told.seconds, _time),
        "memory": _range(told.memory, size),
        "disk": _range(told.disk, size),
        "a prediction": f"{told.model}; it took {_time(told.probe_seconds)}",
    }
    paths = plain_table("would write", "")
    for path, replaced in list(told.paths.items())[:_PATHS]:
        paths.add_row(Text(visible(path), overflow="fold"), "replaced" if replaced else "")
    if len(told.paths) > _PATHS:
        paths.add_row(f"and {len(told.paths) - _PATHS:,} more", "")
    return Group(facts_report(facts), Text(), paths) if told.paths else facts_report(facts)


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else span(seconds)


def _range(found: Range | None, words: Callable[[float], str]) -> str:
    if found is None:
        return "not measured"
    return f"about {words(found.likely)} ({words(found.low)} … {words(found.high)})"


def selection_report(facts: Mapping[str, str], selection: Mapping[str, Any]) -> RenderableType:
    """Render a fit whose kind was chosen: its facts, the leaderboard of the candidates, and the rule."""
    table = plain_table("candidate", "accuracy", "perfect", "DCR", "C2ST", "utility", "s", "score", "")
    remarks = []
    for place, row in enumerate(selection["leaderboard"], 1):
        # A name that tells parameters too is too long for a column.
        name = row["name"] if row["name"] == row["kind"] else f"{row['kind']} #{place}"
        numbers = (row["accuracy"], row["accuracy_reference"], row["dcr_share"], row["c2st_auc"], row["utility_ratio"])
        seconds = "–" if row["seconds"] is None else f"{row['seconds']:.0f}"
        mark, style = ("best", _STYLES["pass"]) if row["best"] else _STANDING[row["status"]]
        table.add_row(name, *map(number, numbers), seconds, number(row["score"]), Text(mark, style=style))
        remarks += [] if name == row["name"] else [Text(f"#{place}: {row['name']}", style="dim")]
        remarks += [Text(visible(f"{name}: {row['reason']}"), style="yellow")] if row["reason"] else []
    rows = (
        f"learned from {selection['fitting_rows']:,} training rows, judged by {selection['validation_rows']:,} others"
    )
    legend = [Text(line, style="dim") for line in (rows, selection["rule"])]
    return Group(facts_report(facts), Text(), table, *remarks, *legend)


def audit_report(document: Mapping[str, Any]) -> RenderableType:
    """Render an audit's report document: verdict, gates, metrics by family, worst columns and pairs."""
    parts: list[RenderableType] = [_verdict(document), _inputs(document)]
    if document["gates"]:
        parts += [Text(), _gates(document["gates"])]
    parts += [Text(), _metrics(document["metrics"])]
    left_out = [f"{row['name']} ({row['kind']})" for row in document["columns"] if not row["metrics"]]
    if left_out:
        parts.append(Text(visible(f"columns that nothing was measured of: {', '.join(left_out)}"), style="dim"))
    worst = [(row["name"], row) for row in document["columns"] if comparable(row)]
    pairs = [(f"{row['a']} × {row['b']}", row) for row in document["pairs"] if comparable(row)]
    for title, rows in (("worst columns", worst), ("worst pairs", pairs)):
        if rows:
            parts += [Text(), _worst(title, rows)]
    return Group(*parts)


def gate_report(file: str, reasons: Sequence[str], audited_at: str) -> RenderableType:
    """Render whether a file may be released, and every reason why not."""
    if not reasons:
        return Group(
            Text(f"PASS  {file}", style=_STYLES["pass"], overflow="ignore", no_wrap=True),
            Text(f"  audited {audited_at}, unchanged since"),
        )
    return Group(
        Text(f"FAIL  {file}", style=_STYLES["fail"], overflow="ignore", no_wrap=True),
        *(Text(f"  {visible(reason)}") for reason in reasons),
    )


def _verdict(document: Mapping[str, Any]) -> RenderableType:
    gates = document["gates"]
    failed = grouped([gate for gate in gates if gate["failed"]], lambda gate: gate["metric"])
    headline = f"{document['verdict'].upper()}  of {checks(gates)}" if gates else "PASS  no gate was set"
    reasons = [
        Text(f"  {visible(metric + culprits(accused))}: {meaning(metric, accused)}")
        for metric, accused in failed.items()
    ]
    return Group(Text(headline, style=_STYLES[document["verdict"]]), *reasons, Rule(style="dim"))


def _inputs(document: Mapping[str, Any]) -> RenderableType:
    return facts_report(
        {name: f"{given['rows']:,} rows  {given['path']}" for name, given in document["inputs"].items()}
    )


def _gates(gates: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Render one line a gate; what a rule says of single columns is one line where it holds, and one a failure."""
    table = plain_table("gate", "rule", "got", "needs", "")
    for gate in told_apart(gates):
        mark = Text(MARKS[gate["status"]], style=_STYLES[gate["status"]])
        table.add_row(gate["label"], gate["rule"], *gate_figures(gate), mark)
    reasons = dict.fromkeys(f"{gate['metric']}: {gate['reason']}" for gate in gates if gate["reason"])
    legend = [Text(EXCESS, style="dim")] if any(gate["rule"].startswith("max_excess") for gate in gates) else []
    return Group(table, *legend, *(Text(visible(reason), style="yellow") for reason in reasons))


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Render the measured metrics family by family, each beside what a perfect generator scores; then what is not."""
    table = plain_table("metric", "value", "95 % interval", "perfect", "floor")
    family = ""
    for metric in metrics:
        if metric["status"] != "measured":
            continue
        if metric["family"] != family:
            family = metric["family"]
            table.add_row(Text(family, style="bold"))
        interval = f"{number(metric['low'])} … {number(metric['high'])}"
        name = "  " + metric["name"].removeprefix(f"{family}.") + ARROWS[metric["direction"]]
        table.add_row(name, number(metric["value"]), interval, number(metric["reference"]), number(metric["floor"]))
    missing = [metric for metric in metrics if metric["status"] != "measured"]
    legend = Text("↑ higher is better, ↓ lower is better; the rest should equal what a perfect generator scores", "dim")
    notes = [
        Text(visible(f"not measured: {names}: {reason}"), style="dim")
        for reason, names in names_by_reason(missing).items()
    ]
    return Group(table, legend, *notes)


def _worst(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> RenderableType:
    table = plain_table(title, "accuracy", "perfect", "behind")
    for name, row in rows[:WORST]:
        behind = row["reference"] - row["accuracy"]
        table.add_row(name, number(row["accuracy"]), number(row["reference"]), signed(behind))
    return table


class _Plain(Table):
    """A table in which text is text: a column's name is no markup, ends no line and moves no cursor."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(Text(visible(cell)) if isinstance(cell, str) else cell for cell in cells), **options)


def plain_table(first: str, *others: str) -> Table:
    table = _Plain(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(Text(visible(first)), overflow="fold")
    for name in others:
        table.add_column(Text(visible(name)), justify="left" if name in ("rule", "") else "right", overflow="fold")
    return table
