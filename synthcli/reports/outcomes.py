"""What the gates of a report said, in the words and classes that the renderings for machines share.

It sits between the report document and JUnit, Markdown and workflow commands: which gates stop the release, which only
warn, which could not be measured, and one sentence for each. Names of columns come from anybody's table, so a
character that does not print is shown as an escape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from synthcli.progress import visible
from synthcli.reports.words import gate_figures, meaning

Outcome = Literal["passed", "stopped", "warned", "skipped"]
Gate = Mapping[str, Any]
#: How many columns a message lists before it counts the others.
LISTED = 5


def subject(gate: Gate) -> str:
    """Return what a gate is about: the metric, and its columns in brackets."""
    columns = " × ".join(gate["columns"])
    return visible(f"{gate['metric']} [{columns}]" if columns else gate["metric"])


def outcomes(document: Mapping[str, Any]) -> list[tuple[Gate, Outcome]]:
    """Return each gate of the report with what its verdict does to the release.

    A failure of level warning stops it where the audit was to fail on warnings, and where the verdict rests on warnings
    alone: it is ``fail``, and no gate of level error failed.
    """
    gates: Sequence[Gate] = document["gates"]
    errors = any(gate["failed"] and gate["level"] == "error" for gate in gates)
    asked = document.get("config", {}).get("validate")
    strict = isinstance(asked, Mapping) and asked.get("fail_on") == "warning"
    level = "warning" if document["verdict"] == "fail" and (strict or not errors) else "error"
    return [(gate, _outcome(gate, level)) for gate in gates]


def _outcome(gate: Gate, level: str) -> Outcome:
    if not gate["failed"]:
        return "skipped" if gate["status"] == "not_measured" else "passed"
    return "stopped" if gate["level"] in ("error", level) else "warned"


def explanation(gate: Gate) -> str:
    """Return one sentence: what a failure means and by which figures, or why nothing could be measured."""
    if gate["status"] == "not_measured":
        return visible(f"could not be measured: {gate['reason']}" if gate["reason"] else "could not be measured")
    told = f"{_compared(gate)} ({gate['rule']})"
    return visible(f"{meaning(gate['metric'], [gate])}: {told}" if gate["failed"] else told)


def failures(document: Mapping[str, Any], wanted: Outcome) -> list[tuple[str, str]]:
    """Return metric and sentence of the gates that came to ``wanted``.

    They are one for each metric's own gates and one for those of its columns, of which the first few are listed.
    """
    groups: dict[tuple[str, bool, bool], list[Gate]] = {}
    for gate, came_to in outcomes(document):
        if came_to == wanted:
            key = (gate["metric"], bool(gate["columns"]), gate["status"] == "not_measured")
            groups.setdefault(key, []).append(gate)
    return [(visible(metric), _told(group)) for (metric, _, _), group in groups.items()]


def _told(group: Sequence[Gate]) -> str:
    if not group[0]["columns"]:
        return "; ".join(dict.fromkeys(explanation(gate) for gate in group))
    names = [" × ".join(gate["columns"]) for gate in group]
    more = f" and {len(group) - LISTED} more" if len(group) > LISTED else ""
    if group[0]["status"] == "not_measured":
        return visible(f"could not be measured: {', '.join(names[:LISTED])}{more}")
    listed = [f"{name} {_compared(gate)}" for name, gate in zip(names[:LISTED], group, strict=False)]
    return visible(f"{meaning(group[0]['metric'], group)}: {'; '.join(listed)}{more}")


def _compared(gate: Gate) -> str:
    got, needs = gate_figures(gate)
    return f"got {got}, needs {needs}"
