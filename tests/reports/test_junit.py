"""Gates as JUnit XML: what stops the release fails, whatever names hold, and the file parses back to what went in."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from synthcli.reports.junit import junit_xml


def gate(status: str, *columns: str, level: str = "error", required: bool = False, **changes: Any) -> dict[str, Any]:
    measured = status != "not_measured"
    return {
        "metric": "privacy.dcr_share",
        "columns": list(columns),
        "rule": "max 0.6 (low)",
        "level": level,
        "status": status,
        "value": 0.7 if measured else None,
        "threshold": 0.6 if measured else None,
        "required": required,
        "reason": "" if measured else "too few rows",
        "failed": status in ("fail", "warn") or (not measured and required),
        **changes,
    }


def parsed(*gates: dict[str, Any], verdict: str = "fail") -> ElementTree.Element:
    text = junit_xml({"gates": list(gates), "verdict": verdict, "created_at": "2026-01-02T03:04:05+02:00"})
    return ElementTree.fromstring(text.encode("utf-8"))


def test_one_suite_counts_its_cases() -> None:
    root = parsed(gate("pass"), gate("fail", "a"), gate("not_measured", "b"), gate("not_measured", "c", required=True))
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.attrib == {
        "name": "synthcli validate",
        "tests": "4",
        "failures": "2",
        "errors": "0",
        "skipped": "1",
        "time": "0",
        "timestamp": "2026-01-02T01:04:05",  # UTC
    }
    assert [[child.tag for child in case] for case in suite] == [["system-out"], ["failure"], ["skipped"], ["failure"]]


def test_a_case_names_family_metric_columns_and_rule() -> None:
    case = parsed(gate("fail", "age", "city")).find("testsuite/testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name")) == ("privacy", "privacy.dcr_share [age × city] max 0.6 (low)")
    failure = case.find("failure")
    assert failure is not None
    told = "rows lie nearer to one real part than to the other: got 0.700, needs ≤0.600 (max 0.6 (low))"
    assert (failure.get("message"), failure.get("type")) == (told, "fail")
    assert (failure.text or "").endswith(told)


def test_what_could_not_be_measured_fails_only_where_it_had_to_be() -> None:
    must, may = parsed(gate("not_measured", required=True), gate("not_measured", "a")).iter("testcase")
    assert [(child.tag, child.get("message")) for case in (must, may) for child in case] == [
        ("failure", "could not be measured: too few rows"),
        ("skipped", "could not be measured: too few rows"),
    ]


def test_a_warning_passes_and_says_so_unless_the_verdict_rests_on_it() -> None:
    warning = gate("warn", level="warning")
    passing = parsed(warning, verdict="pass")
    assert passing.find(".//failure") is None
    assert (passing.findtext(".//system-out") or "").startswith("warning: ")
    assert len(parsed(warning, verdict="fail").findall(".//failure")) == 1
    assert len(parsed(warning, gate("fail", "a"), verdict="fail").findall(".//failure")) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x00\x1b[31m", "\\x00\\x1b[31m"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\ud800\ufffe\u2028", "\\ud800\\ufffe\\u2028"),
        ("]]></failure><x y=\"1'&", "]]></failure><x y=\"1'&"),
        ("größe 🙂", "größe 🙂"),
    ],
)
def test_no_name_breaks_the_file(name: str, shown: str) -> None:
    case = parsed(gate("fail", name)).find(".//testcase")
    assert case is not None
    assert case.get("name") == f"privacy.dcr_share [{shown}] max 0.6 (low)"
    assert shown in (case.findtext("failure") or "")


def test_gates_that_read_the_same_are_told_apart() -> None:
    names = [case.get("name") for case in parsed(gate("pass"), gate("pass"), gate("pass", "a")).iter("testcase")]
    assert names[1] == f"{names[0]} (2)"
    assert len(set(names)) == 3


def test_no_gate_is_an_empty_suite() -> None:
    assert parsed(verdict="pass").find("testsuite").attrib["tests"] == "0"  # type: ignore[union-attr]
