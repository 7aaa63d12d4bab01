"""What ``doctor`` says in a terminal: whether the work can be done, every finding, and what to do about some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from synthcli.progress import visible

_STYLES = {"ok": "green", "note": "cyan", "warning": "bold yellow", "problem": "bold red"}
_VERDICTS = {
    "ok": "READY  nothing stands in the way",
    "note": "READY  nothing stands in the way",
    "warning": "READY  with warnings",
    "problem": "NOT READY",
}


def doctor_report(document: Mapping[str, Any]) -> RenderableType:
    """Render the findings area by area, below the verdict and above what to do."""
    findings: Sequence[Mapping[str, str]] = document["findings"]
    counts = ", ".join(_counted(count, status) for status, count in document["counts"].items() if count)
    verdict = Text(f"{_VERDICTS[document['worst']]}: {counts}", _STYLES[document["worst"]])
    return Group(verdict, Rule(style="dim"), _findings(findings), *_remedies(findings))


def _findings(findings: Sequence[Mapping[str, str]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold", style="dim")
    grid.add_column(no_wrap=True)
    for area, group in groupby(findings, lambda finding: finding["area"]):
        grid.add_row(Text(area, "bold"))
        for finding in group:
            status = finding["status"]
            cells = (f"  {finding['name']}", finding["found"], finding["expected"])
            grid.add_row(*(Text(_lines(cell)) for cell in cells), Text(status, _STYLES[status]))
    return grid


def _remedies(findings: Sequence[Mapping[str, str]]) -> list[RenderableType]:
    """Render what to do, the worst first; one remedy for several findings stands once, on a line to be copied."""
    told: dict[str, list[Mapping[str, str]]] = {}
    for status in reversed(_STYLES):
        for finding in findings:
            if finding["status"] == status and finding["remedy"]:
                told.setdefault(finding["remedy"], []).append(finding)
    if not told:
        return []
    lines: list[RenderableType] = [Text(), Text("what to do", "bold")]
    for remedy, concerned in told.items():
        names = ", ".join(finding["name"] for finding in concerned)
        lines.append(Text(visible(names), _STYLES[concerned[0]["status"]]))
        lines.append(Text(f"  {visible(remedy)}", overflow="ignore", no_wrap=True))
    return lines


def _counted(count: int, status: str) -> str:
    return f"{count} {status}" + ("s" if count != 1 and status != "ok" else "")


def _lines(text: str) -> str:
    """Return text without control signs, its own line ends kept."""
    return "\n".join(map(visible, text.split("\n")))
