"""Reports for people in a terminal or a log: the verdict first, then why. Right at 80 columns, plain without colour.

Everything is rendered from plain data (results, report documents), so a stored report looks as it did when it was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WORST = 5
#: What a failure of a metric's gate means for the person who has to decide.
_MEANING = {
    "accuracy.univariate": "single columns are not distributed as in the real data",
    "accuracy.bivariate": "pairs of columns do not go together as in the real data",
    "diversity.category_coverage": "categories of the real data are missing",
    "privacy.known_record_share": "rows repeat records of real people",
    "utility.ratio": "a model trained on these rows is much worse on real ones",
}
_STYLES = {"pass": "bold green", "fail": "bold red", "warn": "bold yellow", "not_measured": "yellow"}
_MARKS = {"pass": "pass", "fail": "FAIL", "warn": "warn", "not_measured": "n/m"}


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


def audit_report(document: Mapping[str, Any]) -> RenderableType:
    """Render an audit's report document: verdict, gates, metrics by family, worst columns and pairs."""
    parts: list[RenderableType] = [_verdict(document), _inputs(document), Text()]
    if document["gates"]:
        parts += [_gates(document["gates"]), Text()]
    parts += [_metrics(document["metrics"]), Text()]
    if document["columns"]:
        parts += [_worst("worst columns", [(row["name"], row) for row in document["columns"]]), Text()]
    if document["pairs"]:
        parts.append(_worst("worst pairs", [(f"{row['a']} × {row['b']}", row) for row in document["pairs"]]))
    return Group(*parts)


def _verdict(document: Mapping[str, Any]) -> RenderableType:
    gates = document["gates"]
    failed = list(dict.fromkeys(gate["metric"] for gate in gates if gate["failed"]))
    counts = {
        "hold": sum(gate["status"] == "pass" for gate in gates),
        "failed": sum(gate["status"] == "fail" for gate in gates),
        "warn": sum(gate["status"] == "warn" for gate in gates),
        "could not be measured": sum(gate["status"] == "not_measured" for gate in gates),
    }
    told = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    headline = f"{document['verdict'].upper()}  of {len(gates)} gates {told}" if gates else "PASS  no gate was set"
    reasons = [Text(f"  {metric}: {_MEANING.get(metric, 'outside its limit')}") for metric in failed]
    return Group(Text(headline, style=_STYLES[document["verdict"]]), *reasons, Rule(style="dim"))


def _inputs(document: Mapping[str, Any]) -> RenderableType:
    return facts_report(
        {name: f"{given['rows']:,} rows  {given['path']}" for name, given in document["inputs"].items()}
    )


def _gates(gates: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = _table("gate", "rule", "got", "needs", "")
    for gate in gates:
        mark = Text(_MARKS[gate["status"]], style=_STYLES[gate["status"]])
        table.add_row(gate["metric"], gate["rule"], _number(gate["value"]), _number(gate["threshold"]), mark)
    reasons = [f"{gate['metric']}: {gate['reason']}" for gate in gates if gate["reason"]]
    return Group(table, *(Text(reason, style="yellow") for reason in reasons))


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = _table("metric", "value", "95 % interval", "reference", "floor")
    for metric in metrics:
        if metric["status"] != "measured":
            table.add_row(metric["name"], "n/m", "", "", "")
            continue
        interval = f"{_number(metric['low'])} … {_number(metric['high'])}"
        table.add_row(
            metric["name"], _number(metric["value"]), interval, _number(metric["reference"]), _number(metric["floor"])
        )
    reasons = {metric["detail"] for metric in metrics if metric["status"] != "measured"}
    return Group(table, *(Text(f"n/m: {reason}", style="dim") for reason in sorted(reasons)))


def _worst(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> RenderableType:
    table = _table(title, "accuracy", "reference", "behind")
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
