"""What changed between two reports, for a terminal and as Markdown; rendered from what ``synthcli.comparison`` made.

The verdict first, then why; then in what the audits differ besides the rows, so that nobody takes one thing for
another; then gates, metrics, and the columns and pairs that lost most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from synthcli.progress import visible
from synthcli.reports.markdown import code, plain, table
from synthcli.reports.outcomes import subject
from synthcli.reports.terminal import plain_table
from synthcli.reports.words import ARROWS, number

Row = Mapping[str, Any]
_STYLES = {"regression": "bold red", "worse": "bold red", "no_regression": "bold green", "better": "green"}
_STATUSES = {"pass": "pass", "fail": "FAIL", "warn": "warn", "not_measured": "not measured", None: "no such gate"}
_JUDGEMENTS = {"only_a": "only A", "only_b": "only B", "not_judged": "not judged"}
#: How many gates are listed; a limit that was changed for all columns changes as many.
LISTED = 20
_FIGURES = ("A", "B", "B - A", "chance")
_CHANCE = "chance: how far two equally good tables differ in 95 of 100 audits; * a gate is about it"


def comparison_report(result: Row) -> RenderableType:
    """Render a comparison for a terminal; right at 80 columns."""
    parts: list[RenderableType] = [
        Text(_headline(result), style=_STYLES[result["verdict"]]),
        *(Text(f"  {visible(reason)}") for reason in result["regressions"]),
        Rule(style="dim"),
        _reports(result["reports"]),
        *(Text(f"not the same: {line}", style="yellow") for line in _differences(result)),
    ]
    if result["gates"]:
        parts += [Text(), _gates(_loudest(result["gates"])), Text(_gates_left_out(result), style="dim")]
    else:
        parts.append(Text())
    parts.append(_metrics(result["metrics"]))
    parts += [Text(line, style="dim") for line in (_CHANCE, _by_chance(result["judged"]["metrics"]))]
    for unit in ("columns", "pairs"):
        parts += [Text(), _lost(unit, result)] if result[unit] else []
    parts += [Text(), *(Text(line, style="dim") for line in _parts_judged(result["judged"]))]
    return Group(*parts)


def comparison_markdown(result: Row) -> str:
    """Return a comparison as Markdown, for a pull request or a job's summary. Ends with a line end."""
    gates = [
        (code(subject(gate)), plain(gate["rule"]), _STATUSES[gate["a"]], _STATUSES[gate["b"]])
        for gate in _loudest(result["gates"])
    ]
    metrics = [
        (code(row["name"]) + ARROWS[row["direction"]], *_figures(row), _strong(row), "gate" if row["gated"] else "")
        for row in result["metrics"]
    ]
    same = [row for row, metric in zip(metrics, result["metrics"], strict=True) if metric["judgement"] == "same"]
    changed = [row for row in metrics if row not in same]
    head = ("metric", *_FIGURES, "", "")
    blocks = [
        [f"## Comparison of two audits: {_headline(result)}", _described_on_one_line(result["reports"])],
        [
            *(f"- {plain(reason)}" for reason in result["regressions"]),
            *(f"- **not the same**: {plain(line)}" for line in _differences(result)),
        ],
        table(("gate", "rule", "A", "B"), gates, words=2) if gates else [],
        [_gates_left_out(result)] if _gates_left_out(result) else [],
        table(head, changed) if changed else [],
        ["<details><summary>Metrics that stayed the same</summary>"] if same else [],
        [*table(head, same), "</details>"] if same else [],
        *(_lost_markdown(unit, result) for unit in ("columns", "pairs")),
        [f"{_CHANCE.partition(';')[0]}. {_by_chance(result['judged']['metrics'])}."],
        ["; ".join(_parts_judged(result["judged"])) + "."],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _headline(result: Row) -> str:
    verdict = "REGRESSION" if result["verdict"] == "regression" else "NO REGRESSION"
    return f"{verdict} (audit A: {result['verdicts']['a']}, audit B: {result['verdicts']['b']})"


def _reports(reports: Mapping[str, Row]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for name, facts in _described(reports, visible):
        grid.add_row(Text(name, style="bold"), Text(facts))
    return grid


def _described_on_one_line(reports: Mapping[str, Row]) -> str:
    return "; ".join(f"{name}: {facts}" for name, facts in _described(reports, code))


def _described(reports: Mapping[str, Row], named: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Yield A and B with what each report is about; ``named`` writes a path or a name."""
    for name, about in reports.items():
        generator = f", generator {named(about['generator'])}" if about["generator"] else ""
        rows = f"{about['rows']:,} rows{generator}, " if about["rows"] else ""
        yield name.upper(), f"{named(about['path'])}, {rows}audited {about['created_at']}"


def _differences(result: Row) -> list[str]:
    return [visible(f"{found['what']}: {found['detail']}") for found in result["not_comparable"]]


def _loudest(gates: Sequence[Row]) -> Sequence[Row]:
    """Return the first gates to look at: those that do not hold now come before those that do."""
    return sorted(gates, key=lambda gate: gate["b"] in ("pass", None))[:LISTED]


def _gates_left_out(result: Row) -> str:
    more = len(result["gates"]) - LISTED
    return f"and {more} more gates that changed" if more > 0 else ""


def _gates(gates: Sequence[Row]) -> RenderableType:
    shown = plain_table("gate that changed", "rule", "A", "B")
    for gate in gates:
        shown.add_row(subject(gate), visible(gate["rule"]), _STATUSES[gate["a"]], _STATUSES[gate["b"]])
    return shown


def _metrics(metrics: Sequence[Row]) -> RenderableType:
    shown = plain_table("metric", *_FIGURES, "")
    family = ""
    for row in metrics:
        if row["family"] != family:
            family = row["family"]
            shown.add_row(Text(family, style="bold"))
        name = "  " + visible(row["name"].removeprefix(f"{family}.")) + ARROWS[row["direction"]]
        shown.add_row(name + (" *" if row["gated"] else ""), *_figures(row), _judgement(row))
    return shown


def _judgement(row: Row) -> Text:
    word = row["judgement"]
    return Text(str(_JUDGEMENTS.get(word, word)), style=_STYLES.get(word, ""))


def _strong(row: Row) -> str:
    word = str(_JUDGEMENTS.get(row["judgement"], row["judgement"]))
    return f"**{word}**" if row["judgement"] == "worse" else word


def _figures(row: Row) -> tuple[str, str, str, str]:
    sign = "+" if (row["difference"] or 0.0) > 0 else ""
    chance = "–" if row["chance"] is None else f"±{number(row['chance'])}"
    return number(row["a"]), number(row["b"]), sign + number(row["difference"]), chance


def _lost(unit: str, result: Row) -> RenderableType:
    shown = plain_table(f"{unit} that lost most", *_FIGURES)
    for row in result[unit]:
        shown.add_row(visible(_name(row)), *_figures(row))
    return shown


def _lost_markdown(unit: str, result: Row) -> list[str]:
    rows = [(code(_name(row)), *_figures(row)) for row in result[unit]]
    return table((f"{unit} that lost most", *_FIGURES), rows) if rows else []


def _name(row: Row) -> str:
    return " × ".join(row["columns"]) if "columns" in row else str(row["name"])


def _by_chance(judged: Mapping[str, int]) -> str:
    """Return how many metrics were judged, and how many of these would differ by chance alone."""
    total = sum(judged.values())
    return f"{total} metrics judged at 5 % each: some {total / 20:.1f} would look different by chance alone"


def _parts_judged(judged: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [
        f"{unit} by accuracy: {counts['better']} better, {counts['worse']} worse, {counts['same']} the same"
        for unit in ("columns", "pairs")
        if sum((counts := judged[unit]).values())
    ]
