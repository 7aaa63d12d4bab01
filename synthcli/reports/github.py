"""The audit's gates where GitHub Actions shows them: annotations of the run, and the job's summary.

An annotation is a line of output that the runner reads as a command, so whatever comes from a table is escaped as it
wants it: a column's name cannot end the line and start a command of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthcli.reports.markdown import summary_markdown
from synthcli.reports.outcomes import Outcome, failures


def github_lines(document: Mapping[str, Any]) -> list[str]:
    """Return one workflow command for each metric whose gates failed: errors stop the release, warnings do not.

    The columns of a metric share one, because a step shows no more than ten of each kind.
    """
    kinds: Mapping[str, Outcome] = {"error": "stopped", "warning": "warned"}
    return [
        workflow_command(kind, f"synthcli: {metric}", told)
        for kind, came_to in kinds.items()
        for metric, told in failures(document, came_to)
    ]


def workflow_command(kind: str, title: str, message: str) -> str:
    """Return the line that makes an annotation.

    >>> workflow_command("error", "a: b", "5 %")
    '::error title=a%3A b::5 %25'
    """
    return f"::{kind} title={_data(title).replace(':', '%3A').replace(',', '%2C')}::{_data(message)}"


def announce(document: Mapping[str, Any], environment: Mapping[str, str], emit: Callable[[str], None]) -> None:
    """Annotate the run and append the Markdown summary to the job's, inside of GitHub Actions; elsewhere do nothing.

    ``emit`` takes one line to print; the runner reads stderr too. A summary that cannot be written is one more
    warning, never a failure: the verdict stands without it.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    for line in github_lines(document):
        emit(line)
    file = environment.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(f"{summary_markdown(document)}\n")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        emit(workflow_command("warning", "synthcli: no summary", f"the job's summary cannot be written: {reason}"))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
