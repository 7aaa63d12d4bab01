"""What a report says in words and figures, whatever it is rendered to: meanings, counts, the lines of the gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Gate = Mapping[str, Any]
WORST = 5
#: What a failure of a metric's gate means for the person who has to decide.
MEANINGS = {
    "accuracy.univariate": "not distributed as in the real data",
    "accuracy.bivariate": "pairs of columns do not go together as in the real data",
    "diversity.category_coverage": "categories of the real data are missing",
    "diversity.lost_category": "a whole category of the real data never comes up",
    "diversity.distinct_rows": "the same rows come up again and again",
    "privacy.known_record_share": "rows repeat records of real people",
    "privacy.exact_match_excess": "rows repeat records that the generator learned from",
    "privacy.near_match_excess": "rows repeat training records with one cell changed",
    "privacy.near_match_share": "rows repeat real records with one cell changed",
    "privacy.dcr_share": "rows lie nearer to one real part than to the other",
    "privacy.inference_risk": "a secret of people in the training part can be guessed",
    "validity.schema": "cells have another form than the real ones",
    "validity.ranges": "numbers lie outside the real range",
    "validity.categories": "categories that the real data do not have",
    "validity.keys": "ids are missing or repeated",
    "validity.constraints": "rows break a rule that real rows keep",
    "utility.ratio": "a model trained on these rows is much worse on real ones",
}
EXCESS = "max_excess: what exceeds a perfect generator's value; fails if it is no accident"
_LIMITS = {"min": "≥", "max": "≤", "min_of_reference": "≥"}
ARROWS = {"higher": " ↑", "lower": " ↓", "target": ""}
MARKS = {"": "", "pass": "pass", "fail": "FAIL", "warn": "warn", "not_measured": "n/m"}


def checks(gates: Sequence[Gate]) -> str:
    """Return how many gates there are and what they came to: ``31 checks 28 hold, 2 failed, 1 not applicable``."""
    counts = {
        "hold": sum(gate["status"] == "pass" for gate in gates),
        "failed": sum(gate["status"] == "fail" for gate in gates),
        "warn": sum(gate["status"] == "warn" for gate in gates),
        "could not be measured": sum(gate["status"] == "not_measured" and gate["failed"] for gate in gates),
        "not applicable": sum(gate["status"] == "not_measured" and not gate["failed"] for gate in gates),
    }
    told = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    return f"{len(gates)} check{'' if len(gates) == 1 else 's'} {told}"


def comparable(row: Mapping[str, Any]) -> bool:
    return row["accuracy"] is not None and row["reference"] is not None


def meaning(metric: str, gates: Sequence[Gate]) -> str:
    """Return what the failure means; where nothing could be measured, that."""
    if all(gate["status"] == "not_measured" for gate in gates):
        return "could not be measured"
    return MEANINGS.get(metric, "outside its limit")


def culprits(gates: Sequence[Gate]) -> str:
    """Name the columns that fail, unless the table as a whole does."""
    if not all(gate["columns"] for gate in gates):
        return ""
    names = [" × ".join(gate["columns"]) for gate in gates]
    more = f" and {len(names) - WORST} more" if len(names) > WORST else ""
    return f" ({', '.join(names[:WORST])}{more})"


def gate_figures(gate: Mapping[str, Any]) -> tuple[str, str]:
    """Return what was got, an excess with its sign, and what the limit asks for."""
    if gate["value"] is None:
        return ("–", "–") if gate["status"] else ("", "")
    excess = gate["rule"].startswith("max_excess")
    sign = "+" if excess and gate["value"] >= 0 else ""
    relation = "<" if excess else _LIMITS.get(gate["rule"].split()[0], "")
    return sign + number(gate["value"]), relation + number(gate["threshold"])


def told_apart(gates: Sequence[Gate]) -> Iterator[dict[str, Any]]:
    """Yield the lines of gates, metric by metric: the table's own, then columns below, those that fail one by one.

    Of the columns that pass only the closest call is shown.
    """
    for metric, group in grouped(gates, lambda gate: gate["metric"]).items():
        own = [gate for gate in group if not gate["columns"]]
        yield from ({**gate, "label": metric} for gate in own)
        if not own:
            yield {"label": metric, "rule": "", "value": None, "threshold": None, "status": ""}
        for columns in grouped([gate for gate in group if gate["columns"]], lambda gate: gate["rule"]).values():
            yield from _of_columns(columns)


def _of_columns(gates: Sequence[Gate]) -> Iterator[dict[str, Any]]:
    """Yield the lines of one rule about columns or pairs."""
    loud = [gate for gate in gates if gate["status"] in ("fail", "warn")]
    quiet = [gate for gate in gates if gate["status"] == "pass"]
    unknown = [gate for gate in gates if gate["status"] == "not_measured"]
    yield from ({**gate, "label": f"  {' × '.join(gate['columns'])}"} for gate in loud[:WORST])
    if len(loud) > WORST:
        yield {**loud[WORST], "label": f"  {_count(loud[WORST:])} more", "value": None, "threshold": None}
    if quiet:
        yield {
            **min(quiet, key=lambda gate: abs(gate["value"] - gate["threshold"])),
            "label": f"  {_count(quiet)}, closest",
        }
    if unknown:
        yield {**unknown[0], "label": f"  {_count(unknown)}"}


def _count(gates: Sequence[Gate]) -> str:
    unit = "column" if len(gates[0]["columns"]) == 1 else "pair"
    return f"{len(gates)} {unit}{'' if len(gates) == 1 else 's'}"


def grouped(gates: Sequence[Gate], key: Callable[[Gate], str]) -> dict[str, list[Gate]]:
    groups: dict[str, list[Gate]] = {}
    for gate in gates:
        groups.setdefault(key(gate), []).append(gate)
    return groups


def names_by_reason(metrics: Sequence[Gate]) -> dict[str, str]:
    """Return for each reason why something is not measured the names of what it concerns."""
    found: dict[str, list[str]] = {}
    for metric in metrics:
        found.setdefault(metric["detail"], []).append(metric["name"])
    return {reason: ", ".join(names) for reason, names in found.items()}


def number(value: float | None) -> str:
    """Return three decimals; a small number that would read as zero gets two significant digits."""
    if value is None:
        return "–"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def signed(value: float | None) -> str:
    """Return a difference with its sign and three decimals; none with a zero.

    >>> signed(0.0123), signed(-0.5), signed(-0.0001)
    ('+0.012', '-0.500', '0.000')
    """
    if value is None:
        return "–"
    return f"{value:+.3f}" if abs(value) >= 0.0005 else "0.000"
