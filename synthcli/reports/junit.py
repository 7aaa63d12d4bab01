"""The audit's gates as JUnit XML, the form in which CI servers (GitLab, Jenkins, reporters for Actions) show tests.

One test suite, one test case a gate: its class is the metric's family, its name the metric, the columns and the rule.
Whatever stops the release is a failure; a warning passes and says so in its output, since JUnit has no word for it;
what a table gives no chance to measure is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from synthcli.progress import visible
from synthcli.reports.outcomes import Gate, Outcome, explanation, outcomes, subject

SUITE = "synthcli validate"


def junit_xml(document: Mapping[str, Any]) -> str:
    """Return the report document's gates as an XML text; its verdict is ``fail`` exactly where a case fails.

    Names hold no character that XML lacks: those are shown as escapes. No two cases have the same class and name,
    since servers keep one of them only.
    """
    judged = outcomes(document)
    counts: dict[str, Any] = {
        "tests": str(len(judged)),
        "failures": str(sum(came_to == "stopped" for _, came_to in judged)),
        "errors": "0",
        "skipped": str(sum(came_to == "skipped" for _, came_to in judged)),
        "time": "0",
    }
    root = ElementTree.Element("testsuites", name=SUITE, **counts)
    suite = ElementTree.SubElement(root, "testsuite", name=SUITE, **counts, timestamp=_moment(document["created_at"]))
    seen: dict[str, int] = {}
    for gate, came_to in judged:
        name = visible(f"{subject(gate)} {gate['rule']}")
        seen[name] = seen.get(name, 0) + 1
        _case(suite, f"{name} ({seen[name]})" if seen[name] > 1 else name, gate, came_to)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, name: str, gate: Gate, came_to: Outcome) -> None:
    """Add the test case of one gate."""
    family = visible(gate["metric"].partition(".")[0])
    case = ElementTree.SubElement(suite, "testcase", classname=family, name=name, time="0")
    told = explanation(gate)
    if came_to == "stopped":
        failure = ElementTree.SubElement(case, "failure", message=told, type=gate["status"])
        failure.text = f"{name}: {told}"  # servers show the message or the text, seldom both
    elif came_to == "skipped":
        ElementTree.SubElement(case, "skipped", message=told)
    else:
        ElementTree.SubElement(case, "system-out").text = f"warning: {told}" if came_to == "warned" else told


def _moment(created_at: str) -> str:
    """Return the time in UTC without a zone, which is how the form's published schemas want it."""
    moment = datetime.fromisoformat(created_at)
    with suppress(OverflowError):  # the first or last day there is, in another zone
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")
