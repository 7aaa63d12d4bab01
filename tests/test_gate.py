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


@pytest.mark.parametrize(
    ("value", "half", "reference_se", "expected"),
    [
        # The threshold is .7 + .6 * .2 = .82, and 1.645 standard errors of both are 1.645 * hypot(.04, .03) = .0822.
        (0.818, 0.04 * 1.96, 0.03, "not_measured"),  # .082 below the reference
        (0.817, 0.04 * 1.96, 0.03, "fail"),  # .083 below it
        (0.821, 0.04 * 1.96, 0.03, "pass"),
        (0.818, 0.001, 0.001, "fail"),  # many rows: below is below
        (0.818, 0.04 * 1.96, None, "fail"),  # whose noise is not known is taken at its word
    ],
)
def test_what_lies_below_its_share_of_the_reference_fails_where_that_is_no_accident(
    value: float, half: float, reference_se: float | None, expected: str
) -> None:
    few = replace(SCORE, value=value, low=value - half, high=value + half, reference_se=reference_se)
    (default,) = judge([few], [], [GateRule(metric=SCORE.name, min_of_reference=0.6)])
    assert default.status == expected
    assert (default.value, default.threshold) == (value, pytest.approx(0.82)), "the figures are told all the same"
    assert passes([default]) == (expected != "fail")
    written = judge([few], [GateRule(metric=SCORE.name, min_of_reference=0.6)])
    assert [verdict.status for verdict in written] == ["pass" if expected == "pass" else "fail"], (
        "it is meant as written"
    )


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
    assert default_rules(["utility"], None) == ()
    assert [rule.metric for rule in default_rules(["utility"], "target")] == ["utility.ratio"]
    assert "privacy.inference_risk" not in [rule.metric for rule in default_rules(["privacy"], None)]
    assert "privacy.inference_risk" in [rule.metric for rule in default_rules(["privacy"], None, ["diagnosis"])]


def test_a_release_is_not_judged_without_the_indispensable_measures() -> None:
    assert {verdict.metric for verdict in judge([], [], DEFAULT_RULES) if verdict.failed} == {
        "privacy.known_record_share",
        "privacy.dcr_share",
    }


def test_levels_decide_what_stops_a_release() -> None:
    warned = judge([SCORE], [GateRule(metric="accuracy.*", min=0.9, level="warning")])
    failed = judge([SCORE], [GateRule(metric="accuracy.*", min=0.9)])
    assert [passes(warned, level) for level in ("error", "warning", "never")] == [True, False, True]
    assert [passes(failed, level) for level in ("error", "warning", "never")] == [False, False, True]


COLUMN = replace(SCORE, name="accuracy.univariate", columns=("size",), floor=None, gap_se=None)


def test_a_rule_with_columns_is_about_columns_and_any_other_about_the_table() -> None:
    table = replace(COLUMN, columns=(), value=0.99)
    pair = replace(SCORE, columns=("size", "city"))
    estimates = [table, COLUMN, replace(COLUMN, columns=("city",)), pair]
    of_columns = judge(estimates, [GateRule(metric="accuracy.*", columns="si*", min=0.9)])
    assert [(v.metric, v.columns) for v in of_columns] == [
        ("accuracy.univariate", ("size",)),
        ("accuracy.bivariate", ("size", "city")),
    ]
    assert {v.status for v in of_columns} == {"fail"}
    (of_table,) = judge(estimates, [GateRule(metric="accuracy.univariate", min=0.9)])
    assert (of_table.columns, of_table.status) == ((), "pass")


def test_a_written_rule_on_columns_that_match_none_fails() -> None:
    (verdict,) = judge([COLUMN], [GateRule(metric="accuracy.univariate", columns="nosuch", min=0.1)])
    assert verdict.status == "not_measured"
    assert verdict.failed


def drop(now: Estimate, before: Estimate) -> str:
    (verdict,) = judge([now], [GateRule(metric=now.name, max_drop_from="old.json")], earlier={"old.json": [before]})
    return verdict.status


def test_a_drop_fails_where_it_exceeds_the_noise_of_both_reports() -> None:
    # Half-widths .05 are standard errors of .0255; both together 1.645 * .0255 * sqrt(2) = .0593.
    assert drop(SCORE, replace(SCORE, value=0.859)) == "pass"
    assert drop(SCORE, replace(SCORE, value=0.860)) == "fail"
    assert drop(SCORE, replace(SCORE, value=0.3)) == "pass"


def test_a_drop_of_what_should_be_low_is_a_rise() -> None:
    low = replace(SHARE, low=0.01, high=0.03)  # both standard errors .0051: 1.645 * .0051 * sqrt(2) = .0119
    assert drop(replace(low, value=0.0315), low) == "pass"
    assert drop(replace(low, value=0.0325), low) == "fail"


def test_a_drop_of_what_should_meet_its_reference_is_a_larger_distance_from_it() -> None:
    aim = replace(SCORE, direction="target", reference=1.0, low=0.799, high=0.801)
    assert drop(replace(aim, value=1.199), aim) == "pass"
    assert drop(replace(aim, value=1.21), aim) == "fail"


def test_what_the_earlier_report_lacks_cannot_be_compared() -> None:
    assert drop(SCORE, SHARE) == "not_measured"
    assert drop(SCORE, not_measured(SCORE.name, "accuracy", "why")) == "not_measured"


def test_a_default_rule_that_a_table_cannot_measure_passes_unless_privacy_hangs_on_it() -> None:
    rules = default_rules(["diversity", "privacy"], None)
    found = [not_measured(rule.metric, rule.metric.split(".")[0], "why") for rule in rules]
    failed = {verdict.metric for verdict in judge(found, [], rules) if verdict.failed}
    assert failed == {"privacy.known_record_share", "privacy.dcr_share"}
