"""The gate: estimates and rules in, verdicts out. Pure, and it fails closed.

A rule that someone wrote and that cannot be measured is not a pass. A default rule that the table gives no chance to
measure (no categorical column, a target that nothing predicts) is reported as not measured and does not fail the
release, except for the two privacy measures that every pair of real tables allows: where even these are missing, not
knowing is no reason to publish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import hypot
from typing import Literal

from synthcli.config.models import FailOn, GateRule
from synthcli.metrics.estimate import LEVEL, Estimate, normal_quantile

Status = Literal["pass", "fail", "warn", "not_measured"]
#: The estimates of an earlier report, by the path that a rule's ``max_drop_from`` names.
Earlier = Mapping[str, Sequence[Estimate]]

DEFAULT_RULES = (
    GateRule(metric="accuracy.univariate", min_of_reference=0.8),
    GateRule(metric="accuracy.univariate", columns="*", min_of_reference=0.7, bound="high"),
    GateRule(metric="accuracy.bivariate", min_of_reference=0.6),
    GateRule(metric="diversity.category_coverage", min_of_reference=0.8),
    GateRule(metric="diversity.lost_category", max_excess=0.005),
    GateRule(metric="diversity.distinct_rows", min_of_reference=0.8),
    GateRule(metric="privacy.known_record_share", max_excess=0.005),
    GateRule(metric="privacy.exact_match_excess", max_excess=0.005),
    GateRule(metric="privacy.near_match_excess", max_excess=0.005),
    GateRule(metric="privacy.near_match_share", max_excess=0.05),
    GateRule(metric="privacy.dcr_share", max=0.6, bound="low"),
    GateRule(metric="privacy.inference_risk", max=0.1, bound="low"),
    GateRule(metric="utility.ratio", min=0.6, bound="high"),
    GateRule(metric="validity.schema", min=1.0, level="warning"),
    GateRule(metric="validity.ranges", min_of_reference=0.99, level="warning"),
    GateRule(metric="validity.categories", min_of_reference=0.95, level="warning"),
    GateRule(metric="validity.keys", min=1.0, level="warning"),
    GateRule(metric="validity.constraints", min_of_reference=0.95, level="warning"),
    # Rows far closer to the holdout than to the training part: the sides were mixed up, or the holdout was seen.
    GateRule(metric="privacy.dcr_share", min=0.4, bound="high", level="warning"),
)
#: Default rules whose metric has to be measured; what the others lack says something about the table alone.
INDISPENSABLE = frozenset({"privacy.known_record_share", "privacy.dcr_share"})
_LIMITS = ("min", "max", "min_of_reference", "max_excess", "max_drop_from")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one limit of a rule says of one metric.

    ``value`` is what was compared (the estimate or the end of its interval that the rule names, or an excess),
    ``threshold`` what it was compared with; both ``None`` where nothing could be. ``required`` tells whether
    ``not_measured`` counts as a failure. ``columns`` are those of the estimate: none for the table's own.
    """

    metric: str
    rule: str
    level: Literal["error", "warning"]
    status: Status
    value: float | None
    threshold: float | None
    required: bool = True
    reason: str = ""
    columns: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether this verdict speaks against the release, at its level."""
        return self.status in ("fail", "warn") or (self.status == "not_measured" and self.required)


def default_rules(
    families: Sequence[str], target: str | None, secrets: Sequence[str] = (), constraints: Sequence[object] = ()
) -> tuple[GateRule, ...]:
    """Return the default rules less those that an absent setting makes unmeasurable."""
    settings = {"utility.ratio": target, "privacy.inference_risk": secrets, "validity.constraints": constraints}
    unset = {metric for metric, setting in settings.items() if not setting}
    return tuple(rule for rule in DEFAULT_RULES if rule.metric.split(".")[0] in families and rule.metric not in unset)


def judge(
    estimates: Sequence[Estimate],
    written: Sequence[GateRule],
    default: Sequence[GateRule] = (),
    earlier: Earlier | None = None,
) -> tuple[Verdict, ...]:
    """Apply every rule to every estimate that it is about.

    A rule with ``columns`` is about the metric's estimates for columns and pairs of which one matches that pattern;
    any other rule about the table's own estimate. ``earlier`` has the reports that rules compare with.
    """
    verdicts: list[Verdict] = []
    for rule, required in (*((rule, False) for rule in default), *((rule, True) for rule in written)):
        matching = [estimate for estimate in estimates if concerns(rule, estimate.name, estimate.columns)]
        if not matching:
            must, reason = required or rule.metric in INDISPENSABLE, "no such metric was measured"
            verdicts.append(Verdict(rule.metric, "any limit", rule.level, "not_measured", None, None, must, reason))
        for estimate in matching:
            must = required or estimate.name in INDISPENSABLE
            verdicts += [_check(limit, rule, estimate, must, earlier or {}) for limit in _limits(rule)]
    return tuple(verdicts)


def concerns(rule: GateRule, metric: str, columns: Sequence[str] = ()) -> bool:
    """Whether ``rule`` is about the metric's estimate for ``columns`` (none: for the table)."""
    if not fnmatchcase(metric, rule.metric):
        return False
    if rule.columns is None:
        return not columns
    return any(fnmatchcase(column, rule.columns) for column in columns)


def passes(verdicts: Iterable[Verdict], fail_on: FailOn = "error") -> bool:
    """Return whether nothing at or above the level ``fail_on`` failed."""
    levels = {"error": {"error"}, "warning": {"error", "warning"}, "never": set[str]()}[fail_on]
    return not any(verdict.failed and verdict.level in levels for verdict in verdicts)


def _limits(rule: GateRule) -> list[str]:
    return [name for name in _LIMITS if getattr(rule, name) is not None]


@dataclass(frozen=True, slots=True)
class _Case:
    """One limit of a rule applied to one estimate; makes verdicts about it."""

    text: str
    rule: GateRule
    estimate: Estimate
    required: bool

    def decided(self, holds: bool, value: float, threshold: float) -> Verdict:
        status: Status = "pass" if holds else ("fail" if self.rule.level == "error" else "warn")
        return Verdict(
            self.estimate.name, self.text, self.rule.level, status, value, threshold, self.required,
            columns=self.estimate.columns,
        )  # fmt: skip

    def undecided(self, reason: str, value: float | None = None, threshold: float | None = None) -> Verdict:
        return Verdict(
            self.estimate.name, self.text, self.rule.level, "not_measured", value, threshold, self.required, reason,
            columns=self.estimate.columns,
        )  # fmt: skip


def _check(name: str, rule: GateRule, estimate: Estimate, required: bool, earlier: Earlier) -> Verdict:
    limit = getattr(rule, name)
    text = f"{name} {limit if isinstance(limit, str) else format(limit, 'g')}"
    case = _Case(text + (f" ({rule.bound})" if rule.bound != "value" else ""), rule, estimate, required)
    value = {"value": estimate.value, "low": estimate.low, "high": estimate.high}[rule.bound]
    if estimate.status != "measured" or value is None:
        return case.undecided(estimate.detail)
    match name:
        case "min":
            return case.decided(value >= limit, value, limit)
        case "max":
            return case.decided(value <= limit, value, limit)
        case "min_of_reference":
            return _check_reference(case, value, limit)
        case "max_excess":
            return _check_excess(case, value, limit)
        case _:
            return _check_drop(case, earlier[limit])


def _check_reference(case: _Case, value: float, share: float) -> Verdict:
    """Compare with a share of the way from floor to reference.

    Where the two are within three standard errors that means nothing, except for what lies significantly below both
    (dependence that the generator invented), which is bad all the same. Of few rows even a perfect generator's value
    may lie below that share by accident: what does must lie below the reference by more than the noise of both, or else
    nothing is known of it. Who wrote the rule wants that share all the same.
    """
    estimate = case.estimate
    if estimate.reference is None:
        return case.undecided("the metric has no reference")
    floor = estimate.floor or 0.0
    gap = estimate.reference - floor
    below_both = estimate.high is not None and estimate.high < min(floor, estimate.reference)
    if (gap <= 0 or gap < 3 * (estimate.gap_se or 0.0)) and not below_both:
        return case.undecided("real rows themselves score no better than the floor")
    threshold = floor + share * gap
    if value < threshold and not below_both and not case.required and _is_accident(estimate):
        reason = "too few rows: it lies as far below the real rows as these may by accident"
        return case.undecided(reason, value, threshold)
    return case.decided(value >= threshold, value, threshold)


def _is_accident(estimate: Estimate) -> bool:
    """Whether an estimate and its reference are within the noise of both (one-sided, at ``LEVEL``)."""
    if estimate.reference is None or estimate.reference_se is None:
        return False
    allowed = normal_quantile(LEVEL) * hypot(_se(estimate), estimate.reference_se)
    return estimate.reference - _value(estimate) <= allowed


def _check_excess(case: _Case, value: float, limit: float) -> Verdict:
    """An excess over the reference fails where it is both large and no accident."""
    reference, p_value = case.estimate.reference, case.estimate.p_value
    if reference is None or p_value is None:
        return case.undecided("the metric has no test against a reference")
    excess = value - reference
    return case.decided(excess < limit or p_value >= case.rule.p_value, excess, limit)


def _check_drop(case: _Case, earlier: Sequence[Estimate]) -> Verdict:
    """Compare with the same metric of an earlier report: it must not be worse by more than both samples' noise.

    The two estimates are taken for independent; each one's standard error is read off its interval. Of a metric whose
    reference is the target, the distance from that reference is compared.
    """
    now = case.estimate
    before = next((e for e in earlier if (e.name, e.columns) == (now.name, now.columns)), None)
    if before is None or before.status != "measured":
        return case.undecided("the earlier report did not measure it")
    allowed = normal_quantile(LEVEL) * hypot(_se(now), _se(before))
    if now.direction == "higher":
        threshold = _value(before) - allowed
        return case.decided(_value(now) >= threshold, _value(now), threshold)
    if now.direction == "lower":
        threshold = _value(before) + allowed
        return case.decided(_value(now) <= threshold, _value(now), threshold)
    if now.reference is None or before.reference is None:
        return case.undecided("the metric has no reference")
    off, threshold = abs(_value(now) - now.reference), abs(_value(before) - before.reference) + allowed
    return case.decided(off <= threshold, off, threshold)


def _value(estimate: Estimate) -> float:
    assert estimate.value is not None  # a measured estimate has one
    return estimate.value


def _se(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return (estimate.high - estimate.low) / (2 * normal_quantile(0.5 + LEVEL / 2))
