"""Two reports side by side: what chance makes is no change, what is lost is named, a gate that went blind counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from synthcli.comparison import compare
from synthcli.config import Config, GateRule, as_plain
from synthcli.gate import judge
from synthcli.metrics.estimate import Estimate, not_measured
from synthcli.reports.document import report_document

LIMIT = GateRule(metric="accuracy.univariate", min=0.5)


def estimate(name: str, value: float, width: float, direction: str = "higher", **more: Any) -> Estimate:
    low, high = value - width / 2, value + width / 2
    family = name.split(".", maxsplit=1)[0]
    return Estimate(name, family, value, low, high, 100, direction, (None, None), **more)  # type: ignore[arg-type]


def accuracy(value: float, width: float = 0.06, *columns: str) -> Estimate:
    name = "accuracy.bivariate" if len(columns) == 2 else "accuracy.univariate"
    return estimate(name, value, width, reference=0.95, columns=columns)


def report(*estimates: Estimate, rules: tuple[GateRule, ...] = (), **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kinds": {"age": "numeric", "city": "categorical"},
        "inputs": {role: {"path": role, "rows": 100, "sha256": role} for role in ("train", "holdout", "synthetic")},
        "seed": 7,
        "config": as_plain(Config()),
        "versions": {"synthcli": "1"},
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return report_document(estimates, judge(estimates, rules), **{**facts, **changes})


def judgement(old: Estimate, new: Estimate) -> str:
    return compare(report(old), report(new))["metrics"][0]["judgement"]


def test_chance_is_half_the_hypotenuse_of_both_widths() -> None:
    found = compare(report(accuracy(0.90, 0.06)), report(accuracy(0.85, 0.08)))["metrics"][0]
    assert found["chance"] == pytest.approx(0.05)  # √(.06² + .08²) / 2
    assert found["difference"] == pytest.approx(-0.05)


@pytest.mark.parametrize(
    ("direction", "new", "expected"),
    [
        ("higher", 0.849, "worse"),
        ("higher", 0.851, "same"),
        ("higher", 0.949, "same"),
        ("higher", 0.951, "better"),
        ("lower", 0.849, "better"),
        ("lower", 0.951, "worse"),
    ],
)
def test_a_difference_counts_beyond_what_chance_makes_and_in_its_direction(
    direction: str, new: float, expected: str
) -> None:
    assert judgement(estimate("x.y", 0.9, 0.06, direction), estimate("x.y", new, 0.08, direction)) == expected


@pytest.mark.parametrize(("new", "expected"), [(1.14, "worse"), (0.86, "worse"), (1.08, "same"), (0.92, "same")])
def test_of_a_target_the_distance_is_judged_on_either_side(new: float, expected: str) -> None:
    old = estimate("x.y", 0.95, 0.06, "target", reference=1.0)
    assert judgement(old, estimate("x.y", new, 0.08, "target", reference=1.0)) == expected


def test_a_target_that_comes_nearer_is_better_and_one_without_a_reference_is_not_judged() -> None:
    far, near = (estimate("x.y", value, 0.02, "target", reference=1.0) for value in (1.2, 0.9))
    assert judgement(far, near) == "better"
    assert judgement(far, estimate("x.y", 0.9, 0.02, "target")) == "not_judged"


def test_exact_numbers_that_agree_are_the_same() -> None:
    assert judgement(estimate("x.y", 0.1 + 0.2, 0.0), estimate("x.y", 0.3, 0.0)) == "same"
    assert judgement(estimate("x.y", 0.3, 0.0), estimate("x.y", 0.31, 0.0)) == "better"


def test_a_report_against_itself_changes_nothing() -> None:
    same = report(accuracy(0.9), accuracy(0.8, 0.06, "age"), accuracy(0.7, 0.06, "age", "city"), rules=(LIMIT,))
    found = compare(same, same)
    assert found["verdict"] == "no_regression"
    assert (found["regressions"], found["gates"], found["columns"], found["pairs"], found["not_comparable"]) == (
        [], [], [], [], [],
    )  # fmt: skip
    assert found["judged"] == {unit: {"better": 0, "worse": 0, "same": 1} for unit in ("metrics", "columns", "pairs")}


def test_what_one_report_measured_is_listed_as_such() -> None:
    old = report(accuracy(0.9), estimate("x.y", 1.0, 0.1), not_measured("x.z", "x", "no rows"))
    new = report(accuracy(0.9), not_measured("x.y", "x", "no rows"), not_measured("x.z", "x", "no rows"))
    told = [(row["name"], row["judgement"]) for row in compare(old, new)["metrics"]]
    assert told == [("accuracy.univariate", "same"), ("x.y", "only_a")]
    assert [row["judgement"] for row in compare(new, old)["metrics"]] == ["same", "only_b"]


def test_a_metric_that_is_worse_is_a_regression_where_a_gate_of_level_error_is_about_it() -> None:
    def verdict(*rules: GateRule) -> str:
        age = accuracy(0.9, 0.06, "age")
        return compare(report(accuracy(0.9), age, rules=rules), report(accuracy(0.8), age, rules=rules))["verdict"]

    assert verdict(LIMIT) == "regression"
    assert verdict() == "no_regression"
    assert verdict(GateRule(metric="accuracy.univariate", min=0.5, level="warning")) == "no_regression"
    assert verdict(GateRule(metric="accuracy.univariate", columns="*", min=0.5)) == "no_regression"


@pytest.mark.parametrize(("p_value", "verdict"), [(0.01, "regression"), (1.0, "no_regression")])
def test_what_cannot_be_told_from_a_perfect_generator_is_no_regression(p_value: float, verdict: str) -> None:
    rule = GateRule(metric="x.lost", max=0.5)
    old, new = (estimate("x.lost", value, 0.01, "lower", reference=0.0, p_value=p_value) for value in (0.0, 0.1))
    found = compare(report(old, rules=(rule,)), report(new, rules=(rule,)))
    assert found["metrics"][0]["judgement"] == "worse"
    assert found["verdict"] == verdict


def test_a_verdict_that_falls_is_a_regression_and_one_that_rises_is_none() -> None:
    limit = (GateRule(metric="accuracy.univariate", min=0.88),)
    good, bad = report(accuracy(0.9), rules=limit), report(accuracy(0.87), rules=limit)
    found = compare(good, bad)
    assert found["regressions"] == [
        "the verdict was pass and is fail",
        "the gate accuracy.univariate min 0.88 held and fails",
    ]
    assert found["gates"] == [
        {"metric": "accuracy.univariate", "columns": [], "rule": "min 0.88", "level": "error", "a": "pass", "b": "fail"}
    ]
    assert compare(bad, good)["verdict"] == "no_regression"
    assert compare(bad, bad)["verdict"] == "no_regression"


def test_a_gate_that_went_blind_is_a_regression() -> None:
    old = report(accuracy(0.9), rules=(LIMIT,))
    blind = {**report(not_measured("accuracy.univariate", "accuracy", "no column")), "gates": []}
    unmeasured = judge([not_measured("accuracy.univariate", "accuracy", "no column")], (), (LIMIT,))
    silent = {**blind, "gates": [{**old["gates"][0], "status": unmeasured[0].status, "failed": False}]}
    for new in (blind, silent):
        assert compare(old, new)["regressions"] == [
            "the gate accuracy.univariate min 0.5 held and is no longer measured"
        ]


def test_another_limit_on_the_same_metric_is_no_blindness() -> None:
    old = report(accuracy(0.9), rules=(LIMIT,))
    new = report(accuracy(0.9), rules=(GateRule(metric="accuracy.univariate", min=0.6),))
    found = compare(old, new)
    assert found["verdict"] == "no_regression"
    assert [(gate["rule"], gate["a"], gate["b"]) for gate in found["gates"]] == [
        ("min 0.6", None, "pass"),
        ("min 0.5", "pass", None),
    ]


def test_a_column_that_is_gone_cannot_get_worse() -> None:
    rule = (GateRule(metric="accuracy.univariate", columns="*", min=0.5),)
    age, city = accuracy(0.9, 0.06, "age"), accuracy(0.9, 0.06, "city")
    old, without = report(age, city, rules=rule), report(age, rules=rule, kinds={"age": "numeric"})
    assert compare(old, without)["verdict"] == "no_regression"
    assert compare(old, report(age, rules=rule))["verdict"] == "regression"  # still there, and no longer measured


def test_of_gates_that_read_the_same_the_worse_one_counts() -> None:
    strict = report(accuracy(0.87), rules=(GateRule(metric="accuracy.univariate", min=0.88), LIMIT))
    twice = {**strict, "gates": [{**gate, "rule": "min"} for gate in strict["gates"]]}
    assert compare(strict | {"gates": []}, twice)["gates"][0]["b"] == "fail"
    assert compare(strict | {"gates": []}, {**twice, "gates": twice["gates"][::-1]})["gates"][0]["b"] == "fail"


def test_columns_and_pairs_that_lost_most_come_first_and_ten_are_listed() -> None:
    names = [f"c{place:02}" for place in range(12)]
    kinds = dict.fromkeys(names, "numeric")
    old = report(*(accuracy(0.9, 0.01, name) for name in names), accuracy(0.8, 0.01, "c00", "c01"), kinds=kinds)
    lost = [accuracy(0.9 - 0.05 * place, 0.01, name) for place, name in enumerate(names)]
    new = report(*lost, accuracy(0.7, 0.01, "c01", "c00"), kinds=kinds)
    found = compare(old, new)
    assert [row["name"] for row in found["columns"]] == names[:1:-1]  # c11 lost .55, c02 lost .1; c00 lost nothing
    assert found["judged"]["columns"] == {"better": 0, "worse": 11, "same": 1}
    assert [(row["columns"], row["judgement"]) for row in found["pairs"]] == [(["c00", "c01"], "worse")]


@pytest.mark.parametrize(
    ("change", "what", "detail"),
    [
        ({"seed": 8}, "seed", "7, then 8"),
        ({"versions": {"synthcli": "2"}}, "versions", "synthcli 1, then 2"),
        ({"kinds": {"age": "categorical", "new": "text"}}, "columns",
         "gone: city; new: new; of another kind: age"),
        ({"inputs": {"train": {"path": "train", "rows": 90, "sha256": "other"}}}, "train",
         "another one, 100 rows, then 90"),
        ({"inputs": {"holdout": {"path": "-", "rows": 100, "sha256": None}}}, "holdout",
         "came from standard input, so nobody knows whether it is the same"),
        ({"inputs": {"synthetic": {"path": "s", "rows": 50, "sha256": "other"}}}, "synthetic", "100 rows, then 50"),
        ({"inputs": {"privacy_holdout": {"path": "p", "rows": 9, "sha256": "p"}}}, "privacy_holdout",
         "only the new audit had one"),
        ({"config": {**as_plain(Config()), "data": {"target": "city"}}}, "settings", "other values of data.target"),
    ],
)  # fmt: skip
def test_what_else_differs_is_named(change: dict[str, Any], what: str, detail: str) -> None:
    old = report(accuracy(0.9))
    if "inputs" in change:
        change = {"inputs": {**old["inputs"], **change["inputs"]}}
    assert compare(old, report(accuracy(0.9), **change))["not_comparable"] == [{"what": what, "detail": detail}]
