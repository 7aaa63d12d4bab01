"""``compare``: exits 1 on a regression only, finds reports in folders, and writes what it says in either format."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from synthcli.config import Config, GateRule, as_plain
from synthcli.gate import judge
from synthcli.metrics.estimate import Estimate
from synthcli.reports.document import report_document


def write(path: Path, value: float, name: str = "age") -> Path:
    """Write a report whose table, and whose column ``name``, has the accuracy ``value``."""
    numbers = (value, value - 0.02, value + 0.02, 100, "higher", (0.0, 1.0))
    estimates = [
        Estimate("accuracy.univariate", "accuracy", *numbers, reference=0.95),
        Estimate("accuracy.univariate", "accuracy", *numbers, reference=0.95, columns=(name,)),
    ]
    document = report_document(
        estimates,
        judge(estimates, [GateRule(metric="accuracy.univariate", min=0.75)]),
        kinds={name: "numeric"},
        inputs={"synthetic": {"path": "s.csv", "rows": 100, "sha256": "0"}},
        seed=7,
        config=as_plain(Config()),
        versions={},
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write(tmp_path / "a" / "validate" / "report.json", 0.9)


@pytest.fixture
def worse(tmp_path: Path) -> Path:
    return write(tmp_path / "b" / "validate" / "report.json", 0.8)


def test_a_regression_exits_1_and_says_why(call, old: Path, worse: Path) -> None:
    ended = call("compare", old, worse, "--json")
    assert ended.code == 1
    assert ended.document["status"] == "failed"
    result = ended.document["result"]
    assert result["verdict"] == "regression"
    assert result["regressions"] == ["accuracy.univariate is worse by more than chance makes, and a gate is about it"]
    assert result["verdicts"] == {"a": "pass", "b": "pass"}
    assert [row["name"] for row in result["columns"]] == ["age"]
    assert result["reports"]["b"]["path"] == str(worse)


def test_the_other_way_round_it_is_none(call, old: Path, worse: Path) -> None:
    ended = call("compare", worse, old, "--json")
    assert (ended.code, ended.document["result"]["verdict"]) == (0, "no_regression")


def test_a_regression_can_be_told_without_failing(call, old: Path, worse: Path) -> None:
    ended = call("compare", old, worse, "--fail-on", "never", "--json")
    assert (ended.code, ended.document["status"]) == (0, "ok")
    assert ended.document["result"]["verdict"] == "regression"


def test_a_report_is_found_in_its_folder_and_in_the_output_directory(call, old: Path, worse: Path) -> None:
    files = call("compare", old, worse, "--json").out
    assert call("compare", old.parent, worse.parents[1], "--json").out == files


def test_the_terminal_fits_80_columns_and_starts_with_the_verdict(call, tmp_path: Path, old: Path) -> None:
    other = write(tmp_path / "c" / "report.json", 0.7, "a_column_with_a_name_of_more_than_fifty_characters_in_it" * 2)
    lines = call("compare", old, other).out.splitlines()
    assert lines[0] == "REGRESSION (audit A: pass, audit B: fail)"
    assert "  the verdict was pass and is fail" in lines
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("not the same: columns: gone: age; new:") for line in lines)
    (row,) = [line.split() for line in lines if line.startswith("  univariate ")]
    assert row == ["univariate", "↑", "*", "0.900", "0.700", "-0.200", "±0.028", "worse"]  # √(.04² + .04²) / 2


def test_markdown_goes_to_stdout_unwrapped(call, old: Path, worse: Path) -> None:
    ended = call("compare", old, worse, "--format", "markdown")
    assert ended.code == 1
    assert ended.out.startswith("## Comparison of two audits: REGRESSION")
    assert "| <code>accuracy.univariate</code> ↑ | 0.900 | 0.800 | -0.100 | ±0.028 | **worse** | gate |" in ended.out
    assert "| <code>age</code> | 0.900 | 0.800 | -0.100 | ±0.028 |" in ended.out


def test_with_json_stdout_stays_one_document(call, old: Path, worse: Path) -> None:
    ended = call("compare", old, worse, "--format", "markdown", "--json")
    assert ended.document["command"] == "compare"


@pytest.mark.parametrize(("form", "start"), [("markdown", "## Comparison"), ("terminal", "REGRESSION")])
def test_a_file_gets_the_format_and_the_terminal_its_report(
    call, tmp_path: Path, old: Path, worse: Path, form: str, start: str
) -> None:
    file = tmp_path / "out" / "comparison"
    ended = call("compare", old, worse, "--format", form, "--output", file)
    assert file.read_text(encoding="utf-8").startswith(start)
    assert "\x1b" not in file.read_text(encoding="utf-8")
    assert str(file) in ended.err
    assert ended.out.startswith("REGRESSION")


def test_a_dry_run_writes_nothing_and_an_output_never_replaces_a_report(call, tmp_path: Path, old: Path) -> None:
    file = tmp_path / "none.md"
    assert call("compare", old, old, "--output", file, "--dry-run").code == 0
    assert not file.exists()
    assert call("compare", old, old, "--output", old).code == 2
    assert json.loads(old.read_text())["verdict"] == "pass"


def test_what_is_no_report_exits_3(call, tmp_path: Path, old: Path) -> None:
    text = tmp_path / "text.json"
    text.write_text("{}")
    for bad in (tmp_path / "missing.json", tmp_path / "out", text):
        (tmp_path / "out").mkdir(exist_ok=True)
        assert call("compare", old, bad).code == 3
        assert call("compare", bad, old).code == 3
