"""Reports for people in a terminal or a log: the verdict first, then why. Right at 80 columns, plain without colour.

Everything is rendered from plain data (results, report documents), so a stored report looks as it did when it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WORST = 5
#: What a failure of a metric's gate means for the person who has to decide.
_MEANING = {
    "accuracy.univariate": "not distributed as in the real data",
    "accuracy.bivariate": "pairs of columns do not go together as in the real data",
    "diversity.category_coverage": "categories of the real data are missing",
    "diversity.lost_category": "a whole category of the real data never comes up",
    "diversity.distinct_rows": "the same rows come up again and again",
    "privacy.known_record_share": "rows repeat records of real people",
    "privacy.exact_match_excess": "rows repeat records that the generator learned from",
    "privacy.near_match_excess": "rows repeat training records with one cell changed",
    "privacy.near_match_share": "rows repeat real records with one cell changed",
    "privacy.dcr_share": "rows lie nearer to one real part than to the other",
    "privacy.inference_risk": "a secret of people in the training part can be guessed",
    "validity.schema": "cells have another form than the real ones",
    "validity.ranges": "numbers lie outside the real range",
    "validity.categories": "categories that the real data do not have",
    "validity.keys": "ids are missing or repeated",
    "validity.constraints": "rows break a rule that real rows keep",
    "utility.ratio": "a model trained on these rows is much worse on real ones",
}
_STYLES = {"": "", "pass": "bold green", "fail": "bold red", "warn": "bold yellow", "not_measured": "yellow"}
#: What became of a candidate, and how that is shown.
_STANDING = {
    "scored": ("", ""),
    "out": ("out", "bold red"),
    "failed": ("failed", "bold red"),
    "out_of_time": ("out of time", "yellow"),
}
_EXCESS = "max_excess: what exceeds a perfect generator's value; fails if it is no accident"
_LIMITS = {"min": "≥", "max": "≤", "min_of_reference": "≥"}
_ARROWS = {"higher": " ↑", "lower": " ↓", "target": ""}
_MARKS = {"": "", "pass": "pass", "fail": "FAIL", "warn": "warn", "not_measured": "n/m"}


def split_report(result: Mapping[str, Any], target: str | None) -> RenderableType:
    """Render what ``split`` did: rows on each side, the target's classes, and how alike the sides are."""
    rows: Mapping[str, int] = result["rows"]
    total = sum(rows.values())
    table = _table("part", "rows", "share", *([f"{target} shares"] if any(result["target_shares"].values()) else []))
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
    """Render a few facts as two columns."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        grid.add_row(Text(name, style="bold"), Text(value))
    return grid


def selection_report(facts: Mapping[str, str], selection: Mapping[str, Any]) -> RenderableType:
    """Render a fit whose kind was chosen: its facts, the leaderboard of the candidates, and the rule."""
    table = _table("candidate", "accuracy", "perfect", "DCR", "C2ST", "utility", "s", "score", "")
    remarks = []
    for place, row in enumerate(selection["leaderboard"], 1):
        # A name that tells parameters too is too long for a column.
        name = row["name"] if row["name"] == row["kind"] else f"{row['kind']} #{place}"
        numbers = (row["accuracy"], row["accuracy_reference"], row["dcr_share"], row["c2st_auc"], row["utility_ratio"])
        seconds = "–" if row["seconds"] is None else f"{row['seconds']:.0f}"
        mark, style = ("best", _STYLES["pass"]) if row["best"] else _STANDING[row["status"]]
        table.add_row(name, *map(_number, numbers), seconds, _number(row["score"]), Text(mark, style=style))
        remarks += [] if name == row["name"] else [Text(f"#{place}: {row['name']}", style="dim")]
        remarks += [Text(f"{name}: {row['reason']}", style="yellow")] if row["reason"] else []
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
        parts.append(Text(f"columns that nothing was measured of: {', '.join(left_out)}", style="dim"))
    worst = [(row["name"], row) for row in document["columns"] if _comparable(row)]
    pairs = [(f"{row['a']} × {row['b']}", row) for row in document["pairs"] if _comparable(row)]
    for title, rows in (("worst columns", worst), ("worst pairs", pairs)):
        if rows:
            parts += [Text(), _worst(title, rows)]
    return Group(*parts)


def _comparable(row: Mapping[str, Any]) -> bool:
    return row["accuracy"] is not None and row["reference"] is not None


def gate_report(file: str, reasons: Sequence[str], audited_at: str) -> RenderableType:
    """Render whether a file may be released, and every reason why not."""
    if not reasons:
        return Group(
            Text(f"PASS  {file}", style=_STYLES["pass"], overflow="ignore", no_wrap=True),
            Text(f"  audited {audited_at}, unchanged since"),
        )
    return Group(
        Text(f"FAIL  {file}", style=_STYLES["fail"], overflow="ignore", no_wrap=True),
        *(Text(f"  {reason}") for reason in reasons),
    )


def _verdict(document: Mapping[str, Any]) -> RenderableType:
    gates = document["gates"]
    failed = _grouped([gate for gate in gates if gate["failed"]], lambda gate: gate["metric"])
    counts = {
        "hold": sum(gate["status"] == "pass" for gate in gates),
        "failed": sum(gate["status"] == "fail" for gate in gates),
        "warn": sum(gate["status"] == "warn" for gate in gates),
        "could not be measured": sum(gate["status"] == "not_measured" and gate["failed"] for gate in gates),
        "not applicable": sum(gate["status"] == "not_measured" and not gate["failed"] for gate in gates),
    }
    told = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    checks = f"{len(gates)} check{'' if len(gates) == 1 else 's'}"
    headline = f"{document['verdict'].upper()}  of {checks} {told}" if gates else "PASS  no gate was set"
    reasons = [
        Text(f"  {metric}{_culprits(accused)}: {_reason(metric, accused)}") for metric, accused in failed.items()
    ]
    return Group(Text(headline, style=_STYLES[document["verdict"]]), *reasons, Rule(style="dim"))


def _reason(metric: str, gates: Sequence[Mapping[str, Any]]) -> str:
    """Return what the failure means; where nothing could be measured, that."""
    if all(gate["status"] == "not_measured" for gate in gates):
        return "could not be measured"
    return _MEANING.get(metric, "outside its limit")


def _culprits(gates: Sequence[Mapping[str, Any]]) -> str:
    """Name the columns that fail, unless the table as a whole does."""
    if not all(gate["columns"] for gate in gates):
        return ""
    names = [" × ".join(gate["columns"]) for gate in gates]
    more = f" and {len(names) - WORST} more" if len(names) > WORST else ""
    return f" ({', '.join(names[:WORST])}{more})"


def _inputs(document: Mapping[str, Any]) -> RenderableType:
    return facts_report(
        {name: f"{given['rows']:,} rows  {given['path']}" for name, given in document["inputs"].items()}
    )


def _gates(gates: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Render one line a gate; what a rule says of single columns is one line where it holds, and one a failure."""
    table = _table("gate", "rule", "got", "needs", "")
    for gate in _told_apart(gates):
        mark = Text(_MARKS[gate["status"]], style=_STYLES[gate["status"]])
        table.add_row(gate["label"], gate["rule"], *_figures(gate), mark)
    reasons = dict.fromkeys(f"{gate['metric']}: {gate['reason']}" for gate in gates if gate["reason"])
    legend = [Text(_EXCESS, style="dim")] if any(gate["rule"].startswith("max_excess") for gate in gates) else []
    return Group(table, *legend, *(Text(reason, style="yellow") for reason in reasons))


def _figures(gate: Mapping[str, Any]) -> tuple[str, str]:
    """Return what was got, an excess with its sign, and what the limit asks for."""
    if gate["value"] is None:
        return ("–", "–") if gate["status"] else ("", "")
    excess = gate["rule"].startswith("max_excess")
    sign = "+" if excess and gate["value"] >= 0 else ""
    relation = "<" if excess else _LIMITS.get(gate["rule"].split()[0], "")
    return sign + _number(gate["value"]), relation + _number(gate["threshold"])


def _told_apart(gates: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the lines of gates, metric by metric: the table's own, then columns below, those that fail one by one.

    Of the columns that pass only the closest call is shown.
    """
    for metric, group in _grouped(gates, lambda gate: gate["metric"]).items():
        own = [gate for gate in group if not gate["columns"]]
        yield from ({**gate, "label": metric} for gate in own)
        if not own:
            yield {"label": metric, "rule": "", "value": None, "threshold": None, "status": ""}
        for columns in _grouped([gate for gate in group if gate["columns"]], lambda gate: gate["rule"]).values():
            yield from _of_columns(columns)


def _of_columns(gates: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the lines of one rule about columns or pairs."""
    loud = [gate for gate in gates if gate["status"] in ("fail", "warn")]
    quiet = [gate for gate in gates if gate["status"] == "pass"]
    unknown = [gate for gate in gates if gate["status"] == "not_measured"]
    yield from ({**gate, "label": f"  {' × '.join(gate['columns'])}"} for gate in loud[:WORST])
    if len(loud) > WORST:
        yield {**loud[WORST], "label": f"  {_count(loud[WORST:])} more", "value": None, "threshold": None}
    if quiet:
        yield {
            **min(quiet, key=lambda gate: abs(gate["value"] - gate["threshold"])),
            "label": f"  {_count(quiet)}, closest",
        }
    if unknown:
        yield {**unknown[0], "label": f"  {_count(unknown)}"}


def _count(gates: Sequence[Mapping[str, Any]]) -> str:
    unit = "column" if len(gates[0]["columns"]) == 1 else "pair"
    return f"{len(gates)} {unit}{'' if len(gates) == 1 else 's'}"


def _grouped(
    gates: Sequence[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], str]
) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for gate in gates:
        groups.setdefault(key(gate), []).append(gate)
    return groups


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Render the measured metrics family by family, each beside what a perfect generator scores; then what is not."""
    table = _table("metric", "value", "95 % interval", "perfect", "floor")
    family = ""
    for metric in metrics:
        if metric["status"] != "measured":
            continue
        if metric["family"] != family:
            family = metric["family"]
            table.add_row(Text(family, style="bold"))
        interval = f"{_number(metric['low'])} … {_number(metric['high'])}"
        name = "  " + metric["name"].removeprefix(f"{family}.") + _ARROWS[metric["direction"]]
        table.add_row(name, _number(metric["value"]), interval, _number(metric["reference"]), _number(metric["floor"]))
    missing = [metric for metric in metrics if metric["status"] != "measured"]
    legend = Text("↑ higher is better, ↓ lower is better; the rest should equal what a perfect generator scores", "dim")
    notes = [Text(f"not measured: {names}: {reason}", style="dim") for reason, names in _by_reason(missing).items()]
    return Group(table, legend, *notes)


def _by_reason(metrics: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return for each reason why something is not measured the names of what it concerns."""
    found: dict[str, list[str]] = {}
    for metric in metrics:
        found.setdefault(metric["detail"], []).append(metric["name"])
    return {reason: ", ".join(names) for reason, names in found.items()}


def _worst(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> RenderableType:
    table = _table(title, "accuracy", "perfect", "behind")
    for name, row in rows[:WORST]:
        behind = row["reference"] - row["accuracy"]
        table.add_row(name, _number(row["accuracy"]), _number(row["reference"]), f"{behind:+.3f}")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="left" if name in ("rule", "") else "right", overflow="fold")
    return table


def _number(value: float | None) -> str:
    """Return three decimals; a small number that would read as zero gets two significant digits."""
    if value is None:
        return "–"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"
