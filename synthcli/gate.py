"""The gate: estimates and rules in, verdicts out. Pure, and it fails closed.

A rule that someone wrote and that cannot be measured is not a pass. A default rule that the table gives no chance to
measure (no categorical column, a target that nothing predicts) is reported as not measured and does not fail the
release, except for privacy, where not knowing is no reason to publish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from synthcli.config.models import FailOn, GateRule
from synthcli.metrics.estimate import Estimate

Status = Literal["pass", "fail", "warn", "not_measured"]

DEFAULT_RULES = (
    GateRule(metric="accuracy.univariate", min_of_reference=0.8),
    GateRule(metric="accuracy.bivariate", min_of_reference=0.6),
    GateRule(metric="diversity.category_coverage", min_of_reference=0.8),
    GateRule(metric="privacy.known_record_share", max_excess=0.005),
    GateRule(metric="utility.ratio", min=0.6, bound="high"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one limit of a rule says of one metric.

    ``value`` is what was compared (the estimate or the end of its interval that the rule names, or an excess),
    ``threshold`` what it was compared with; both ``None`` where nothing could be. ``required`` tells whether
    ``not_measured`` counts as a failure.
    """

    metric: str
    rule: str
    level: Literal["error", "warning"]
    status: Status
    value: float | None
    threshold: float | None
    required: bool = True
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether this verdict speaks against the release, at its level."""
        return self.status in ("fail", "warn") or (self.status == "not_measured" and self.required)


def default_rules(families: Sequence[str], target: str | None) -> tuple[GateRule, ...]:
    """Return the default rules less those that an absent setting makes unmeasurable."""
    measured = set(families) - (set() if target else {"utility"})
    return tuple(rule for rule in DEFAULT_RULES if rule.metric.split(".")[0] in measured)


def judge(
    estimates: Sequence[Estimate], written: Sequence[GateRule], default: Sequence[GateRule] = ()
) -> tuple[Verdict, ...]:
    """Apply every rule to every metric whose name matches its pattern."""
    verdicts: list[Verdict] = []
    for rule in (*default, *written):
        mine = rule in written
        matching = [estimate for estimate in estimates if fnmatchcase(estimate.name, rule.metric)]
        if not matching:
            verdicts.append(_unmeasured(rule.metric, "any limit", rule, True, "no such metric was measured"))
        for estimate in matching:
            verdicts += _apply(rule, estimate, required=mine or estimate.family == "privacy")
    return tuple(verdicts)


def passes(verdicts: Sequence[Verdict], fail_on: FailOn = "error") -> bool:
    """Return whether nothing at or above the level ``fail_on`` failed."""
    levels = {"error": {"error"}, "warning": {"error", "warning"}, "never": set[str]()}[fail_on]
    return not any(verdict.failed and verdict.level in levels for verdict in verdicts)


def _apply(rule: GateRule, estimate: Estimate, *, required: bool) -> list[Verdict]:
    """Return one verdict for each limit that the rule sets."""
    limits = {
        name: limit
        for name in ("min", "max", "min_of_reference", "max_excess")
        if (limit := getattr(rule, name)) is not None
    }
    return [_check(name, limit, rule, estimate, required) for name, limit in limits.items()]


def _check(name: str, limit: float, rule: GateRule, estimate: Estimate, required: bool) -> Verdict:
    text = f"{name} {limit:g}" + (f" ({rule.bound} bound)" if rule.bound != "value" else "")
    value = {"value": estimate.value, "low": estimate.low, "high": estimate.high}[rule.bound]
    if estimate.status != "measured" or value is None:
        return _unmeasured(estimate.name, text, rule, required, estimate.detail)
    if name == "max_excess":
        return _check_excess(limit, text, rule, estimate, value, required)
    threshold = limit
    if name == "min_of_reference":
        if estimate.reference is None:
            return _unmeasured(estimate.name, text, rule, required, "the metric has no reference")
        floor = estimate.floor or 0.0
        threshold = floor + limit * (estimate.reference - floor)
        below_floor = estimate.high is not None and estimate.high < min(floor, estimate.reference)
        if _no_better_than_floor(estimate, floor) and not below_floor:
            reason = "real rows themselves score no better than the floor"
            return _unmeasured(estimate.name, text, rule, required, reason)
    holds = value <= threshold if name == "max" else value >= threshold
    return _verdict(estimate.name, text, rule, holds, value, threshold, required)


def _check_excess(limit: float, text: str, rule: GateRule, estimate: Estimate, value: float, required: bool) -> Verdict:
    """An excess over the reference fails where it is both large and no accident."""
    if estimate.reference is None or estimate.p_value is None:
        return _unmeasured(estimate.name, text, rule, required, "the metric has no test against a reference")
    excess = value - estimate.reference
    holds = excess < limit or estimate.p_value >= rule.p_value
    return _verdict(estimate.name, text, rule, holds, excess, limit, required)


def _no_better_than_floor(estimate: Estimate, floor: float) -> bool:
    """Whether a share of the way from floor to reference means nothing: they are within three standard errors.

    What lies significantly below both (dependence that the generator invented) is bad all the same.
    """
    gap = (estimate.reference or 0.0) - floor
    return gap <= 0 or gap < 3 * (estimate.gap_se or 0.0)


def _verdict(
    metric: str, text: str, rule: GateRule, holds: bool, value: float, threshold: float, required: bool
) -> Verdict:
    status: Status = "pass" if holds else ("fail" if rule.level == "error" else "warn")
    return Verdict(metric, text, rule.level, status, value, threshold, required)


def _unmeasured(metric: str, text: str, rule: GateRule, required: bool, reason: str) -> Verdict:
    return Verdict(metric, text, rule.level, "not_measured", None, None, required, reason)
