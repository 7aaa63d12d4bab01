"""The gate: each limit on both sides of its threshold, and closed where nothing was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synthcli.config import GateRule
from synthcli.gate import DEFAULT_RULES, default_rules, judge, passes
from synthcli.metrics.estimate import Estimate, not_measured

SCORE = Estimate(
    "accuracy.bivariate", "accuracy", 0.80, 0.75, 0.85, 100, "higher", (0, 1),
    reference=0.9, reference_se=0.01, floor=0.7, gap_se=0.014,
)  # fmt: skip
SHARE = Estimate(
    "privacy.known_record_share", "privacy", 0.02, 0.01, 0.03, 100, "lower", (0, 1), p_value=1e-5, reference=0.01
)


def status(estimate: Estimate, **limits: object) -> str:
    (verdict,) = judge([estimate], [GateRule(metric=estimate.name, **limits)])
    return verdict.status


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"min": 0.80}, "pass"),
        ({"min": 0.81}, "fail"),
        ({"max": 0.80}, "pass"),
        ({"max": 0.79}, "fail"),
        ({"min": 0.76, "bound": "low"}, "fail"),
        ({"min": 0.84, "bound": "high"}, "pass"),
        ({"min_of_reference": 0.5}, "pass"),  # 0.7 + 0.5 * 0.2 = 0.8
        ({"min_of_reference": 0.6}, "fail"),
        ({"min": 0.81, "level": "warning"}, "warn"),
    ],
)
def test_limits(limits: dict, expected: str) -> None:
    exact = replace(SCORE, value=0.8000000001) if limits == {"min_of_reference": 0.5} else SCORE
    assert status(exact, **limits) == expected


@pytest.mark.parametrize(
    ("value", "p_value", "expected"),
    [(0.0149, 1e-9, "pass"), (0.0151, 0.002, "pass"), (0.0151, 1e-4, "fail")],
)
def test_an_excess_fails_where_it_is_both_large_and_no_accident(value: float, p_value: float, expected: str) -> None:
    assert status(replace(SHARE, value=value, p_value=p_value), max_excess=0.005) == expected


def test_one_verdict_for_each_limit_and_each_metric_that_matches() -> None:
    rule = GateRule(metric="*", min=0.0, max=0.5)
    verdicts = judge([SCORE, SHARE], [rule])
    assert [(v.metric, v.rule, v.status) for v in verdicts] == [
        ("accuracy.bivariate", "min 0", "pass"),
        ("accuracy.bivariate", "max 0.5", "fail"),
        ("privacy.known_record_share", "min 0", "pass"),
        ("privacy.known_record_share", "max 0.5", "pass"),
    ]


@pytest.mark.parametrize(
    "estimate",
    [
        not_measured("accuracy.bivariate", "accuracy", "one column"),
        replace(SCORE, reference=None),
        replace(SCORE, reference=0.72),  # no better than the floor, given both errors
        replace(SCORE, reference=0.7, gap_se=0.0),
    ],
)
def test_a_written_gate_that_cannot_be_measured_is_no_pass(estimate: Estimate) -> None:
    verdicts = judge([estimate], [GateRule(metric="accuracy.bivariate", min_of_reference=0.5)])
    assert verdicts[0].status == "not_measured"
    assert verdicts[0].reason
    assert not passes(verdicts)


def test_what_lies_below_floor_and_reference_fails_although_they_are_alike() -> None:
    invented = replace(SCORE, value=0.6, low=0.55, high=0.65, reference=0.72)
    assert status(invented, min_of_reference=0.5) == "fail"


def test_a_written_gate_on_a_metric_that_was_not_computed_is_no_pass() -> None:
    assert not passes(judge([SCORE], [GateRule(metric="privacy.*", max=1)]))


def test_an_excess_without_a_test_is_no_pass() -> None:
    assert not passes(judge([replace(SHARE, p_value=None)], [GateRule(metric="privacy.*", max_excess=0.9)]))


def test_a_default_gate_that_the_table_cannot_support_does_not_fail_unless_it_is_privacy() -> None:
    coverage = not_measured("diversity.category_coverage", "diversity", "no categories")
    shares = not_measured("privacy.known_record_share", "privacy", "no keys")
    rules = [rule for rule in DEFAULT_RULES if rule.metric in (coverage.name, shares.name)]
    assert passes(judge([coverage], [], rules[:1]))
    assert not passes(judge([shares], [], rules[1:]))


def test_default_rules_leave_out_what_no_setting_makes_measurable() -> None:
    assert [rule.metric for rule in default_rules(["privacy", "utility"], None)] == ["privacy.known_record_share"]
    assert "utility.ratio" in [rule.metric for rule in default_rules(["utility"], "target")]


def test_levels_decide_what_stops_a_release() -> None:
    warned = judge([SCORE], [GateRule(metric="accuracy.*", min=0.9, level="warning")])
    failed = judge([SCORE], [GateRule(metric="accuracy.*", min=0.9)])
    assert [passes(warned, level) for level in ("error", "warning", "never")] == [True, False, True]
    assert [passes(failed, level) for level in ("error", "warning", "never")] == [False, False, True]
