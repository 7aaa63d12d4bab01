"""The Markdown summary: verdict first, failures in words, tables that no name can break, and short."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from markdown_it import MarkdownIt

from synthcli.audit import METRICS
from synthcli.gate import DEFAULT_RULES
from synthcli.reports.markdown import code, plain, summary_markdown, table

NASTY = [
    "a|b", "`a`", "``", "a\nb", "\r\n| --- |", "<img src=x>", "</details>", "&lt;", "**bold**", "_x_", "a_b", "[l](u)",
    "![i](u)", "\\", "\\|", "~~s~~", "$x$", "# h", "https://x.y", "a@b.c", "<!--", "größe 🙂", "- a", "1. a",
]  # fmt: skip


def rendered(markdown: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


def shown(name: str) -> str:
    """Return how a name is to be read: line ends as escapes."""
    return name.replace("\n", "\\n").replace("\r", "\\r")


def gate(metric: str, status: str, *columns: str, **changes: Any) -> dict[str, Any]:
    given = {
        "metric": metric, "columns": list(columns), "rule": "min 0.7", "level": "error", "status": status,
        "value": 0.5, "threshold": 0.7, "required": False, "reason": "", "failed": status in ("fail", "warn"),
    }  # fmt: skip
    return {**given, **changes}


def metric(name: str, status: str = "measured") -> dict[str, Any]:
    numbers = {"value": 0.5, "low": 0.4, "high": 0.6, "reference": 0.9}
    return {"name": name, "direction": "lower", "status": status, **numbers}


def summary(*gates: dict[str, Any], metrics: tuple[dict[str, Any], ...] = (), **changes: Any) -> str:
    verdict = "fail" if any(each["failed"] and each["level"] == "error" for each in gates) else "pass"
    inputs = {"train": {"rows": 1000, "path": "train.csv"}}
    return summary_markdown(
        {"verdict": verdict, "gates": list(gates), "metrics": list(metrics), "inputs": inputs, **changes}
    )


def test_the_verdict_comes_first_and_failures_say_what_they_mean() -> None:
    lines = summary(
        gate("accuracy.univariate", "pass"),
        gate("accuracy.univariate", "fail", "age"),
        gate("accuracy.univariate", "fail", "city", value=0.25),
        gate("validity.keys", "warn", level="warning"),
    ).splitlines()
    assert lines[0] == "## Audit of synthetic rows: FAIL (of 4 checks 1 hold, 2 failed, 1 warn)"
    assert lines[1] == "train: 1,000 rows of <code>train.csv</code>"
    assert lines[3] == (
        "- <code>accuracy.univariate</code>: not distributed as in the real data: "
        "age got 0.500, needs ≥0.700; city got 0.250, needs ≥0.700"
    )
    assert lines[4].startswith("- <code>validity.keys</code> (warning): ids are missing or repeated")
    assert "| … age | min 0.7 | 0.500 | ≥0.700 | **FAIL** |" in lines
    assert "<details>" not in "\n".join(lines)


def test_many_columns_are_counted() -> None:
    told = summary(*(gate("accuracy.univariate", "fail", f"c{place}") for place in range(8)))
    assert "c4 got 0.500, needs ≥0.700 and 3 more" in told


def test_gates_are_folded_only_where_all_of_them_hold() -> None:
    html = rendered(summary(gate("accuracy.univariate", "pass"), metrics=(metric("utility.tstr"),)))
    assert html.index("<details>") < html.index("<table>") < html.index("</table>") < html.index("</details>")
    assert html.count("<table>") == 2
    assert "<details>" not in summary(gate("accuracy.univariate", "warn", level="warning"))


def test_metrics_stand_beside_their_interval_and_their_reference() -> None:
    told = summary(metrics=(metric("utility.tstr"), metric("utility.trtr", "not_measured")))
    assert "| <code>utility.tstr</code> ↓ | 0.500 | [0.400, 0.600] | 0.900 |" in told
    assert "trtr" not in told


def test_what_could_not_be_measured_fails_or_is_only_counted() -> None:
    nothing = {"value": None, "threshold": None, "reason": "no rows"}
    told = summary(
        gate("privacy.dcr_share", "not_measured", failed=True, **nothing), gate("x.y", "not_measured", **nothing)
    )
    assert "(of 2 checks 1 could not be measured, 1 not applicable)" in told
    assert "- <code>privacy.dcr_share</code>: could not be measured: no rows" in told
    assert "x.y" not in told


def test_a_table_of_fifteen_columns_takes_less_than_sixty_lines() -> None:
    names = [name for family in METRICS if family != "compat" for name in METRICS[family]]
    asked = {"validity.keys", "validity.constraints", "privacy.inference_risk", "utility.subgroup_gap"}  # by settings
    gates = [gate("accuracy.univariate", "pass", f"c{place}") for place in range(15)]
    gates += [gate(rule.metric, "pass") for rule in DEFAULT_RULES if rule.columns is None and rule.metric not in asked]
    metrics = tuple(metric(name) for name in names if name not in asked)
    assert len(metrics) >= 32
    assert len(summary(*gates, metrics=metrics).splitlines()) < 60


@pytest.mark.parametrize("name", NASTY)
def test_a_name_is_shown_as_it_is_in_a_cell_and_in_a_line(name: str) -> None:
    html = rendered("\n".join(table(("a", "b"), [(code(name), plain(name))])))
    cells = [unescape(cell).replace("\u2060", "") for cell in re.findall(r"<td[^>]*>(.*?)</td>", html, re.DOTALL)]
    assert cells == [f"<code>{shown(name)}</code>", shown(name)]
    assert set(re.findall(r"</?(\w+)", html)) == {"table", "thead", "tbody", "tr", "th", "td", "code"}


def test_nobody_is_called_and_nothing_is_linked_by_a_name() -> None:
    assert not re.search(r"[@#]\w", unescape(plain("@someone #12")))


def test_a_nasty_column_leaves_the_summary_whole() -> None:
    html = rendered(summary(*(gate("accuracy.univariate", "fail", name) for name in NASTY[:5])))
    assert html.count("<table>") == 1
    assert html.count("<li>") == 1
    assert "<img" not in rendered(summary(gate("accuracy.univariate", "fail", "<img src=x>")))
