"""The family's metrics by name, and what all of its parts share."""

from __future__ import annotations

from typing import NamedTuple

from synthcli.metrics.estimate import Direction, Estimate, normal_interval, not_measured

FAMILY = "diversity"
COVERAGE = f"{FAMILY}.category_coverage"
RARE_COVERAGE = f"{FAMILY}.rare_category_coverage"
LOST = f"{FAMILY}.lost_category"
DISTINCT = f"{FAMILY}.distinct_rows"
TAILS = f"{FAMILY}.tail_coverage"
RECALL = f"{FAMILY}.recall"
PRECISION = f"{FAMILY}.precision"
MINORITY = f"{FAMILY}.minority_share"
#: Every metric of the family with its direction, in the order of the report.
METRICS: dict[str, Direction] = {
    COVERAGE: "higher",
    RARE_COVERAGE: "higher",
    LOST: "lower",
    DISTINCT: "higher",
    TAILS: "target",
    RECALL: "higher",
    PRECISION: "higher",
    MINORITY: "target",
}


class Share(NamedTuple):
    """A share and its standard error."""

    value: float
    se: float


def missing_estimate(name: str, reason: str, *, n: int = 0, columns: tuple[str, ...] = ()) -> Estimate:
    """Return the estimate of a metric of the family that could not be measured, and why."""
    return not_measured(name, FAMILY, reason, n=n, direction=METRICS[name], columns=columns)


def plural(count: int, noun: str) -> str:
    """Return a count with its noun."""
    many = {"category": "categories", "class": "classes"}.get(noun, f"{noun}s")
    return f"{count:,} {noun if count == 1 else many}"


def coverage_estimate(
    name: str, size: int, own: Share, rival: Share, detail: str, columns: tuple[str, ...]
) -> Estimate:
    """Return an estimate of something whose floor is 0 and whose reference is the holdout's."""
    low, high = normal_interval(own.value, own.se, (0.0, 1.0))
    return Estimate(
        name,
        FAMILY,
        own.value,
        low,
        high,
        n=size,
        direction="higher",
        range=(0.0, 1.0),
        reference=rival.value,
        reference_kind="holdout at equal size",
        reference_se=rival.se,
        floor=0.0,
        gap_se=rival.se,
        detail=detail,
        columns=columns,
    )
