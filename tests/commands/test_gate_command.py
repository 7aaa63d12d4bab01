"""``gate``: only the very file that was audited, with a verdict of pass, recently enough."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from synthcli.artifacts import sha256
from synthcli.config import Config, GateRule, as_plain
from synthcli.gate import judge
from synthcli.metrics.estimate import Estimate
from synthcli.reports.document import report_document

COPIES = Estimate("privacy.known_record_share", "privacy", 0.0, 0.0, 0.1, 100, "lower", (0.0, 1.0), reference=0.0)
SCORE = Estimate("accuracy.univariate", "accuracy", 0.9, 0.88, 0.92, 100, "higher", (0.0, 1.0), reference=0.95)


@pytest.fixture
def release(tmp_path: Path):
    """Return a function that writes a table and its report, ``hours`` old, with the gate ``min``."""

    def written(hours: float = 0.0, minimum: float = 0.5, measured: tuple = (SCORE, COPIES)) -> tuple[Path, Path]:
        table, report = tmp_path / "synthetic.csv", tmp_path / "report.json"
        table.write_text("a\n1\n")
        document = report_document(
            measured,
            judge(measured, [GateRule(metric="accuracy.univariate", min=minimum)]),
            kinds={},
            inputs={"synthetic": {"path": "elsewhere.csv", "rows": 1, "sha256": sha256(table)}},
            seed=0,
            config=as_plain(Config()),
            versions={},
            created_at=datetime.now(UTC) - timedelta(hours=hours),
        )
        report.write_text(json.dumps(document))
        return table, report

    return written


def test_the_audited_file_passes_wherever_it_lies(call, release) -> None:
    table, report = release()
    ended = call("gate", table.rename(table.with_name("moved.csv")), "--report", report, "--json")
    assert ended.code == 0
    assert ended.document["result"]["released"] is True


def test_one_changed_byte_fails(call, release) -> None:
    table, report = release()
    table.write_text("a\n2\n")
    ended = call("gate", table, "--report", report)
    assert ended.code == 1
    assert "SHA-256" in ended.out


def test_of_another_file_s_audit_nothing_is_said(call, release, tmp_path: Path) -> None:
    table, report = release(hours=50.0, minimum=0.95)
    out = tmp_path / "out"
    (out / "split").mkdir(parents=True)
    (out / "split" / "split.json").write_text("{}")
    (out / "validate").mkdir()
    report.rename(out / "validate" / "report.json")
    words = ("gate", table, "--max-age", "1d", "--out", out)
    audited = call(*words)
    assert ("its audit failed: accuracy.univariate" in audited.out, "2.1 days old" in audited.out) == (True, True)
    assert f"next: synthcli validate --from {out}/validate/report.json --out {out}" in audited.err
    table.write_text("a\n2\n")
    other = call(*words)
    assert other.code == 1
    assert other.out.splitlines()[1:] == ["  it is not the table that was audited: its SHA-256 is another one"]
    assert f"next: synthcli validate --synthetic {table} --out {out}" in other.err


def test_a_failed_audit_fails_and_names_the_metric(call, release) -> None:
    table, report = release(minimum=0.95)
    ended = call("gate", table, "--report", report, "--json")
    assert ended.code == 1
    assert ended.document["status"] == "failed"
    assert "accuracy.univariate" in ended.document["result"]["reasons"][0]


def test_an_audit_without_privacy_or_without_gates_releases_nothing(call, release) -> None:
    table, report = release(measured=(SCORE,))
    ended = call("gate", table, "--report", report)
    assert (ended.code, "no privacy" in ended.out) == (1, True)
    table, report = release()
    document = json.loads(report.read_text())
    report.write_text(json.dumps({**document, "gates": []}))
    ended = call("gate", table, "--report", report)
    assert (ended.code, "no gate" in ended.out) == (1, True)


def test_standard_input_cannot_be_checked(call, release) -> None:
    assert call("gate", "-", "--report", release()[1]).code == 2


@pytest.mark.parametrize(
    ("hours", "age", "code"), [(23.0, "1d", 0), (25.0, "1d", 1), (5.0, "6h", 0), (1.0, "59m", 1), (-2.0, "7d", 1)]
)
def test_an_audit_that_is_too_old_or_of_the_future_fails(call, release, hours: float, age: str, code: int) -> None:
    table, report = release(hours)
    assert call("gate", table, "--report", report, "--max-age", age).code == code


@pytest.mark.parametrize("age", ["7", "d", "7 days", "-1d", "0d", "", "1.5d", "99999999999999d", "9" * 5000 + "d"])
def test_an_age_that_is_none_is_a_usage_error(call, release, age: str) -> None:
    table, report = release()
    assert call("gate", table, "--report", report, f"--max-age={age}").code == 2


def test_what_is_missing_or_no_report_exits_3(call, release, tmp_path: Path) -> None:
    table, report = release()
    assert call("gate", tmp_path / "none.csv", "--report", report).code == 3
    assert call("gate", table, "--out", tmp_path / "empty").code == 3
    assert call("gate", table, "--report", table).code == 3


def test_a_report_without_a_hash_releases_nothing(call, release) -> None:
    table, report = release()
    document = json.loads(report.read_text())
    document["inputs"]["synthetic"]["sha256"] = None
    report.write_text(json.dumps(document))
    assert call("gate", table, "--report", report).code == 1
