"""Annotations and the job's summary: escaped as the runner wants it, silent elsewhere, never a reason to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthcli.reports.github import announce, github_lines, workflow_command


def gate(status: str, *columns: str, level: str = "error") -> dict[str, Any]:
    return {
        "metric": "accuracy.univariate", "columns": list(columns), "rule": "min 0.7", "level": level, "status": status,
        "value": 0.5, "threshold": 0.7, "required": False, "reason": "", "failed": status != "pass",
    }  # fmt: skip


def document(*gates: dict[str, Any], verdict: str = "fail") -> dict[str, Any]:
    return {"verdict": verdict, "gates": list(gates), "metrics": [], "inputs": {}}


def announced(environment: dict[str, str]) -> list[str]:
    lines: list[str] = []
    announce(document(gate("fail")), environment, lines.append)
    return lines


def test_the_runners_own_signs_are_escaped() -> None:
    assert workflow_command("error", "a:b,c%\r\n", "d:e,f%\r\n") == ("::error title=a%3Ab%2Cc%25%0D%0A::d:e,f%25%0D%0A")


def test_errors_and_warnings_are_annotated_and_what_holds_is_not() -> None:
    lines = github_lines(document(gate("pass"), gate("fail"), gate("warn", "age", level="warning")))
    assert lines == [
        "::error title=synthcli%3A accuracy.univariate::not distributed as in the real data: "
        "got 0.500, needs ≥0.700 (min 0.7)",
        "::warning title=synthcli%3A accuracy.univariate::not distributed as in the real data: "
        "age got 0.500, needs ≥0.700",
    ]


def test_a_warning_that_the_verdict_rests_on_is_an_error() -> None:
    warning = gate("warn", level="warning")
    assert github_lines(document(warning, verdict="fail"))[0].startswith("::error ")
    assert github_lines(document(warning, verdict="pass"))[0].startswith("::warning ")


def test_columns_share_one_line_and_no_name_starts_a_command() -> None:
    (line,) = github_lines(document(gate("fail", "a\n::stop-commands::x"), *(gate("fail", f"c{i}") for i in range(9))))
    assert "\n" not in line
    assert line.count("::error ") == 1
    assert line.endswith("and 5 more")


def test_outside_of_actions_nothing_happens(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    assert announced({"GITHUB_STEP_SUMMARY": str(file)}) == []
    assert not file.exists()


def test_the_summary_is_appended_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    lines = announced({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(file)})
    assert len(lines) == 1
    assert file.read_text(encoding="utf-8").startswith("before\n## Audit of synthetic rows: FAIL")


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    lines = announced({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert lines[1] == "::warning title=synthcli%3A no summary::the job's summary cannot be written: is a directory"
    assert len(announced({"GITHUB_ACTIONS": "true"})) == 1
