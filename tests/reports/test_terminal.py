"""The audit's report in a terminal: what fails comes first and is named, columns are summed up, it fits 80 columns."""

from __future__ import annotations

import io

from rich.console import Console

from synthcli.reports.terminal import audit_report, facts_report, selection_report


def gate(metric: str, status: str, *columns: str, value: float | None = 0.5, failed: bool | None = None) -> dict:
    return {
        "metric": metric,
        "columns": list(columns),
        "rule": "min 0.7",
        "status": status,
        "value": value,
        "threshold": None if value is None else 0.7,
        "failed": status == "fail" if failed is None else failed,
        "reason": "" if value is not None else "no rows",
    }


def metric(name: str, **changes: object) -> dict:
    family = name.split(".", maxsplit=1)[0]
    found = {"value": 0.5, "low": 0.4, "high": 0.6, "reference": 0.9, "floor": None, "direction": "higher"}
    return {
        "name": name,
        "family": family,
        "status": "measured",
        "detail": "",
        **found,
        **changes,
    }


def shown(gates: list[dict], metrics: list[dict] = (), width: int = 80, columns: list[dict] = ()) -> list[str]:
    document = {
        "verdict": "fail" if any(g["failed"] for g in gates) else "pass",
        "inputs": {"train": {"rows": 1000, "path": "train.csv"}},
        "gates": gates,
        "metrics": list(metrics),
        "columns": list(columns),
        "pairs": [],
    }
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(audit_report(document))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_columns_that_fail_are_named_in_the_headline_and_the_others_are_summed_up() -> None:
    columns = [gate("accuracy.univariate", "pass", f"c{i}", value=0.8 + i / 100) for i in range(3)]
    lines = shown(
        [gate("accuracy.univariate", "pass", value=0.9), gate("accuracy.univariate", "fail", "age"), *columns]
    )
    assert lines[0] == "FAIL  of 5 checks 4 hold, 1 failed"
    assert lines[1] == "  accuracy.univariate (age): not distributed as in the real data"
    table = [line.split() for line in lines if line.startswith(("accuracy.univariate", "  age", "  3 columns"))]
    assert table == [
        ["accuracy.univariate", "min", "0.7", "0.900", "≥0.700", "pass"],
        ["age", "min", "0.7", "0.500", "≥0.700", "FAIL"],
        ["3", "columns,", "closest", "min", "0.7", "0.800", "≥0.700", "pass"],  # the closest call
    ]


def test_many_columns_that_fail_are_cut_short() -> None:
    lines = shown([gate("accuracy.univariate", "fail", f"c{i}") for i in range(8)])
    assert lines[1].startswith("  accuracy.univariate (c0, c1, c2, c3, c4 and 3 more):")
    assert any(line.startswith("  3 columns more") for line in lines)


def test_the_table_as_a_whole_names_no_columns() -> None:
    lines = shown([gate("accuracy.univariate", "fail"), gate("accuracy.univariate", "fail", "age")])
    assert lines[1] == "  accuracy.univariate: not distributed as in the real data"


def test_what_is_not_measured_stands_apart_with_its_reason() -> None:
    unmeasured = metric("privacy.dcr_share", status="not_measured", value=None, low=None, high=None, detail="too few")
    lines = shown(
        [gate("privacy.dcr_share", "not_measured", value=None, failed=True)], [metric("utility.tstr"), unmeasured]
    )
    assert lines[0] == "FAIL  of 1 check 1 could not be measured"
    assert "privacy.dcr_share: no rows" in lines
    assert "not measured: privacy.dcr_share: too few" in lines


def test_long_names_fit_80_columns() -> None:
    name = "a_column_with_a_name_of_more_than_fifty_characters_in_it"
    lines = shown([gate("accuracy.bivariate", "fail", name, name)], [metric("diversity.rare_category_coverage")])
    assert max(map(len, lines)) <= 80


def test_a_choice_shows_the_best_why_others_are_out_and_the_rule() -> None:
    numbers = {"accuracy": 0.8, "accuracy_reference": 0.9, "dcr_share": 0.51, "c2st_auc": 0.6, "utility_ratio": None}
    row = {"name": "ctgan", "kind": "ctgan", "status": "scored", "seconds": 4.2, "score": 0.7, "reason": "", **numbers}
    none = dict.fromkeys(("seconds", "score", *numbers))
    rows = [
        {**row, "best": True},
        {**row, "name": "forest (trees 2)", "kind": "forest", "status": "out", "reason": "leaks", "best": False},
        {**row, **none, "name": "tvae", "status": "out_of_time", "kind": "tvae", "best": False},
    ]
    told = {"leaderboard": rows, "rule": "the rule", "fitting_rows": 300, "validation_rows": 100}
    out = io.StringIO()
    Console(file=out, width=80, highlight=False).print(selection_report({"generator": "ctgan"}, told))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[3:] == [
        "ctgan 0.800 0.900 0.510 0.600 – 4 0.700 best",
        "forest #2 0.800 0.900 0.510 0.600 – 4 0.700 out",
        "tvae – – – – – – – out of time",
        "#2: forest (trees 2)",
        "forest #2: leaks",
        "learned from 300 training rows, judged by 100 others",
        "the rule",
    ]


def test_a_columns_name_is_no_markup_and_ends_no_line() -> None:
    names = ("weight [kg]", "[/]", "new\n::error::x", "\x1b[31mred")
    gate = {"metric": "accuracy.univariate", "rule": "min 0.7", "level": "error", "value": 0.5, "threshold": 0.7}
    gates = [{**gate, "columns": [name], "status": "fail", "failed": True, "reason": ""} for name in names]
    parts = [{"name": name, "kind": "numeric", "accuracy": 0.5, "reference": 0.9, "metrics": []} for name in names]
    document = {"verdict": "fail", "gates": gates, "metrics": [], "inputs": {}, "columns": parts, "pairs": []}
    out = io.StringIO()
    Console(file=out, width=120, markup=False, emoji=False).print(audit_report(document))
    text = out.getvalue()
    assert text.count("weight [kg]") == text.count("[/]") >= 3
    assert "\x1b" not in text
    assert not any(line.startswith("::") for line in text.splitlines())


def test_a_fact_may_have_several_lines() -> None:
    out = io.StringIO()
    Console(file=out, width=40).print(facts_report({"please check": "a: one\nb: \x1b[31mtwo"}))
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["please", "check", "a:", "one"],
        ["b:", "\\x1b[31mtwo"],
    ]


def test_a_column_that_is_behind_by_nothing_has_no_sign() -> None:
    behind = [("a", 0.9 + 0.0001), ("b", 0.9), ("c", 0.85)]
    same = {"kind": "numeric", "reference": 0.9, "metrics": [metric("accuracy.univariate")]}
    columns = [{"name": name, "accuracy": got, **same} for name, got in behind]
    lines = shown([], columns=columns)
    assert [line.split()[-1] for line in lines if line.split()[:1] in (["a"], ["b"], ["c"])] == [
        "0.000",
        "0.000",
        "+0.050",
    ]
