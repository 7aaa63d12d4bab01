"""What doctor says in a terminal: the verdict, every finding, and each remedy once and whole."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import pytest
from rich.console import Console

from synthcli.diagnosis import STATUSES, Finding, Status, worst
from synthcli.reports.doctor import doctor_report

COMMAND = "pip install -c /" + "/".join(["folder"] * 20) + "/constraints.txt synthcli"


def shown(*findings: Finding, width: int = 80) -> list[str]:
    document: dict[str, Any] = {
        "worst": worst(findings),
        "counts": {status: sum(finding.status == status for finding in findings) for status in STATUSES},
        "findings": [asdict(finding) for finding in findings],
    }
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, no_color=True).print(
        doctor_report(document), crop=False
    )
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("statuses", "headline"),
    [
        (["ok"], "READY  nothing stands in the way: 1 ok"),
        (["ok", "note", "note"], "READY  nothing stands in the way: 1 ok, 2 notes"),
        (["warning", "note"], "READY  with warnings: 1 note, 1 warning"),
        (["problem", "problem", "ok"], "NOT READY: 1 ok, 2 problems"),
    ],
)
def test_the_verdict_comes_first(statuses: list[Status], headline: str) -> None:
    assert shown(*(Finding("machine", "x", status, "") for status in statuses))[0] == headline


def test_findings_stand_below_their_area_with_what_is_expected() -> None:
    lines = shown(
        Finding("installation", "polars", "warning", "1.0", ">=2.0,<3", "install it"),
        Finding("machine", "memory", "ok", "4 GB free"),
    )
    assert [line.split() for line in lines[2:6]] == [
        ["installation"],
        ["polars", "1.0", ">=2.0,<3", "warning"],
        ["machine"],
        ["memory", "4", "GB", "free", "ok"],
    ]


def test_a_remedy_stands_once_and_whole_the_worst_first() -> None:
    lines = shown(
        Finding("installation", "polars", "note", "2.0", "", COMMAND),
        Finding("folders", "left over", "warning", "1", "", "rm -r x"),
        Finding("installation", "sdv", "problem", "missing", "", COMMAND),
        width=60,
    )
    assert lines[lines.index("what to do") + 1 :] == ["sdv, polars", f"  {COMMAND}", "left over", "  rm -r x"]


def test_where_nothing_is_to_be_done_there_is_no_such_heading() -> None:
    assert "what to do" not in shown(Finding("machine", "device", "ok", "cpu"))


def test_every_line_of_a_long_finding_is_there_and_control_signs_are_not() -> None:
    text = "\n".join(shown(Finding("configuration", "a.yaml", "problem", "first \x1b[2J line\nsecond line", "valid")))
    assert "second line" in text
    assert "\x1b" not in text
