"""The audit's report as Markdown as GitHub and GitLab show it: for a pull request, a job's summary, a release's notes.

The verdict first, then what fails and what that means; then gates and metrics as tables. Names of columns may hold
anything, so they are written as code in which every sign that could be markup is a character reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synthcli.progress import visible
from synthcli.reports.outcomes import failures
from synthcli.reports.words import checks, gate_figures, number, told_apart

_MARKS = {"": "", "pass": "pass", "fail": "**FAIL**", "warn": "**warn**", "not_measured": "not measured"}
_ARROWS = {"higher": " ↑", "lower": " ↓", "target": ""}
#: What may be markup or make a link: all but letters, digits and signs that mean nothing inside a line.
_MARKUP = re.compile(r"[^\w .,:;/+%()≥≤×-]|:(?! )|(?<!\w)_|_(?!\w)")
#: Signs before a name that call somebody or link something even where they are no markup; a joiner parts them from it.
_CALLS = "@#"
_JOINER = "&#8288;"


def summary_markdown(document: Mapping[str, Any]) -> str:
    """Return the report document as Markdown: verdict, failures and their meaning, gates, metrics, inputs.

    The gates are folded away where all of them pass. Ends with a line end.
    """
    gates: Sequence[Mapping[str, Any]] = document["gates"]
    failed = [(metric, told, "") for metric, told in failures(document, "stopped")]
    warned = [(metric, told, " (warning)") for metric, told in failures(document, "warned")]
    reasons = [f"- {code(metric)}{level}: {plain(told)}" for metric, told, level in (*failed, *warned)]
    blocks = [
        [f"## Audit of synthetic rows: {document['verdict'].upper()}{_counts(gates)}", _inputs(document["inputs"])],
        reasons,
        *_folded(_gates(gates), "The gates, all of which hold", fold=not reasons),
        _metrics(document["metrics"]),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def code(name: str) -> str:
    """Return any text as code on one line, without markup in it, fit for a table's cell.

    >>> code("a|b")
    '<code>a&#124;b</code>'
    """
    return f"<code>{plain(name)}</code>"


def plain(text: str) -> str:
    """Return any text on one line, so that it is shown as it is; for words, the text itself."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};{_JOINER * (found[0] in _CALLS)}", visible(text))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> list[str]:
    """Return the lines of a table; the first ``words`` columns are aligned to the left, the others to the right."""
    rule = [":--" if place < words else "--:" for place in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def _counts(gates: Sequence[Mapping[str, Any]]) -> str:
    return f" (of {checks(gates)})" if gates else " (no gate was set)"


def _folded(lines: list[str], title: str, *, fold: bool) -> list[list[str]]:
    """Return the block, behind a title that opens it where ``fold`` says so."""
    if not fold or not lines:
        return [lines]
    return [[f"<details><summary>{title}</summary>"], [*lines, "</details>"]]


def _gates(gates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of the gates that speak for or against the release; what does not apply is only counted."""
    rows = [
        (_label(row["label"]), plain(row["rule"]), *map(plain, gate_figures(row)), _MARKS[row["status"]])
        for row in told_apart([gate for gate in gates if gate["status"] != "not_measured" or gate["failed"]])
    ]
    return table(("gate", "rule", "got", "needs", ""), rows, words=2) if rows else []


def _label(label: str) -> str:
    """Return what a row is about: a metric, or below it a column or how many there are of one kind."""
    return f"… {plain(label.strip())}" if label.startswith(" ") else code(label)


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        (
            code(metric["name"]) + _ARROWS[metric["direction"]],
            number(metric["value"]),
            f"[{number(metric['low'])}, {number(metric['high'])}]",
            number(metric["reference"]),
        )
        for metric in metrics
        if metric["status"] == "measured"
    ]
    return table(("metric", "value", "95 % interval", "perfect"), rows) if rows else []


def _inputs(inputs: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{plain(name)}: {given['rows']:,} rows of {code(given['path'])}" for name, given in inputs.items()
    )
