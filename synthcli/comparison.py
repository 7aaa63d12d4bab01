"""Two reports of the same kind of audit, an old one and a new one: what got better, what got worse, what stayed.

A difference counts where it is larger than chance makes it. Each estimate's 95 % interval tells its standard error, a
quarter of the width or so (w / 3.92), and the two are taken for independent, so that chance alone stays within

    1.96 √((w_A / 3.92)² + (w_B / 3.92)²)  =  √(w_A² + w_B²) / 2

in 95 % of comparisons of equally good tables. Audits on the same holdout share its error, so there the bound is
generous. **Nothing is corrected for the number of comparisons**: of N metrics judged so, about N / 20 look different
by chance alone, half of these worse; ``judged`` says how many there were. Gates decide about columns and pairs: the
list of those that lost most is for finding a cause, and regressions are looked for among the table's metrics only.

Pure: two report documents in, one document out. Different tables, versions or seeds forbid no comparison, but they
are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import hypot
from typing import Any, Literal

Judgement = Literal["better", "worse", "same", "only_a", "only_b", "not_judged"]
Document = Mapping[str, Any]
#: The metric by which columns, and by which pairs are compared.
COLUMN_ACCURACY, PAIR_ACCURACY = "accuracy.univariate", "accuracy.bivariate"
#: The new report's own test of a metric finds something where its p-value is below this.
SIGNIFICANT = 0.05
#: How many columns and pairs are listed.
LISTED = 10
#: Differences below this are rounding.
_ROUNDING = 1e-12
#: Statuses of a gate, the worst last; of two gates that read the same the worse one counts.
_SEVERITY = ("pass", "not_measured", "warn", "fail")
#: What of the configuration decides which question a metric answers.
_QUESTIONS = (
    ("data", "target"),
    ("data", "exclude_features"),
    ("data", "constraints"),
    ("validate", "secrets"),
    ("validate", "groups"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One quantity in both reports.

    Attributes
    ----------
    a, b
        Its values in the old and the new report; ``None`` where it was not measured.
    difference
        b - a, whichever direction is the good one.
    chance
        How large a difference chance makes, at 95 %.
    judgement
        ``better``, ``worse`` or ``same``; ``only_a`` or ``only_b`` where one report measured it; ``not_judged`` where
        the good value is a reference that is not known.
    """

    a: float | None
    b: float | None
    difference: float | None
    chance: float | None
    judgement: Judgement


def compare(a: Document, b: Document) -> dict[str, Any]:
    """Return what changed from the old report ``a`` to the new report ``b``, as plain data.

    The verdict is ``regression`` where the audit's verdict fell from pass to fail, a gate that held now fails or is no
    longer measured, or a metric is worse that a gate is about; gates of level warning stop nothing and count for
    nothing here. ``regressions`` has the reasons.
    """
    metrics = _metrics(a, b)
    gates = _gates(a, b)
    columns = _parts(_columns(a), _columns(b))
    pairs = _parts(_pairs(a), _pairs(b))
    regressions = [*_verdict_fell(a, b), *_gates_fell(gates, a, b), *_metrics_fell(metrics)]
    return {
        "verdict": "regression" if regressions else "no_regression",
        "regressions": regressions,
        "verdicts": {"a": a["verdict"], "b": b["verdict"]},
        "metrics": metrics,
        "gates": [gate for gate in gates if gate["a"] != gate["b"]],
        "columns": [{"name": names[0], **asdict(change)} for names, change in _lost(columns)],
        "pairs": [{"columns": list(names), **asdict(change)} for names, change in _lost(pairs)],
        "judged": {
            "metrics": _counted(row["judgement"] for row in metrics),
            "columns": _counted(change.judgement for change in columns.values()),
            "pairs": _counted(change.judgement for change in pairs.values()),
        },
        "not_comparable": not_comparable(a, b),
    }


def change(a: Document | None, b: Document | None) -> Change:
    """Return the change from one estimate to the other; ``None`` or an estimate without a value was not measured.

    Of a metric whose reference is the target, the distance from it is judged: a table is worse if it is farther off.
    """
    old, new = _value(a), _value(b)
    if a is None or b is None or old is None or new is None:
        return Change(old, new, None, None, "only_b" if old is None else "only_a")
    gain = _gain(a, b)
    chance = hypot(a["high"] - a["low"], b["high"] - b["low"]) / 2
    if gain is None:
        return Change(old, new, new - old, chance, "not_judged")
    judgement: Judgement = "same" if abs(gain) <= max(chance, _ROUNDING) else ("better" if gain > 0 else "worse")
    return Change(old, new, new - old, chance, judgement)


def _value(estimate: Document | None) -> float | None:
    return None if estimate is None or estimate["status"] != "measured" else estimate["value"]


def _gain(a: Document, b: Document) -> float | None:
    """Return by how much ``b`` is better."""
    difference: float = b["value"] - a["value"]
    if b["direction"] != "target":
        return difference if b["direction"] == "higher" else -difference
    goal_a, goal_b = a.get("reference"), b.get("reference")  # an estimate of a column is stored without empty fields
    if goal_a is None or goal_b is None:
        return None
    off_a: float = abs(a["value"] - goal_a)
    off_b: float = abs(b["value"] - goal_b)
    return off_a - off_b


def not_comparable(a: Document, b: Document) -> list[dict[str, str]]:
    """Return in what the reports differ beside the synthetic rows: ``what``, and ``detail`` in words."""
    return [*_other_tables(a, b), *_other_columns(a, b), *_other_settings(a, b)]


def _other_tables(a: Document, b: Document) -> list[dict[str, str]]:
    found = []
    for role in dict.fromkeys([*a["inputs"], *b["inputs"]]):
        old, new = (document["inputs"].get(role) for document in (a, b))
        if old is None or new is None:
            detail = f"only {'the new' if old is None else 'the old'} audit had one"
        elif role == "synthetic":
            detail = f"{old['rows']:,} rows, then {new['rows']:,}" if old["rows"] != new["rows"] else ""
        elif old["sha256"] is None or new["sha256"] is None:
            detail = "came from standard input, so nobody knows whether it is the same"
        else:
            detail = (
                f"another one, {old['rows']:,} rows, then {new['rows']:,}" if old["sha256"] != new["sha256"] else ""
            )
        found += [{"what": role, "detail": detail}] if detail else []
    return found


def _other_columns(a: Document, b: Document) -> list[dict[str, str]]:
    old, new = ({column["name"]: column["kind"] for column in document["columns"]} for document in (a, b))
    told = {
        "gone": [name for name in old if name not in new],
        "new": [name for name in new if name not in old],
        "of another kind": [name for name in old if name in new and old[name] != new[name]],
    }
    detail = "; ".join(f"{words}: {', '.join(names)}" for words, names in told.items() if names)
    return [{"what": "columns", "detail": detail}] if detail else []


def _other_settings(a: Document, b: Document) -> list[dict[str, str]]:
    found = []
    if a["seed"] != b["seed"]:
        found.append({"what": "seed", "detail": f"{a['seed']}, then {b['seed']}"})
    old, new = a["versions"], b["versions"]
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    if names:
        detail = ", ".join(f"{name} {old.get(name, 'absent')}, then {new.get(name, 'absent')}" for name in names)
        found.append({"what": "versions", "detail": detail})
    asked = [".".join(key) for key in _QUESTIONS if _setting(a, key) != _setting(b, key)]
    if asked:
        found.append({"what": "settings", "detail": f"other values of {', '.join(asked)}"})
    return found


def _setting(document: Document, key: tuple[str, str]) -> Any:
    """Return a setting of the audit; none and an empty one ask the same."""
    section = document["config"].get(key[0])
    return (section.get(key[1]) or None) if isinstance(section, Mapping) else None


def _metrics(a: Document, b: Document) -> list[dict[str, Any]]:
    """Return the change of every table metric that one of the reports measured, in the order of the new one."""
    old, new = ({metric["name"]: metric for metric in document["metrics"]} for document in (a, b))
    gated = {
        gate["metric"]
        for document in (a, b)
        for gate in document["gates"]
        if gate["level"] == "error" and not gate["columns"]
    }
    rows = []
    for name in dict.fromkeys([*new, *old]):
        pair = old.get(name), new.get(name)
        if _value(pair[0]) is not None or _value(pair[1]) is not None:
            own = pair[1] or pair[0] or {}
            p_value = pair[1]["p_value"] if pair[1] else None
            facts = {"name": name, "family": own["family"], "direction": own["direction"], "gated": name in gated}
            rows.append({**facts, **asdict(change(*pair)), "p_value": p_value})
    return rows


def _gates(a: Document, b: Document) -> list[dict[str, Any]]:
    """Return every gate of either report with its status in both; ``None`` where a report has no such gate.

    Two gates are the same where metric, columns and rule are. The level is the stricter one of both reports.
    """
    old, new = (_by_key(document["gates"]) for document in (a, b))
    rows = []
    for key in dict.fromkeys([*new, *old]):
        both = [gate for gate in (old.get(key), new.get(key)) if gate is not None]
        metric, columns, rule = key
        level = "error" if any(gate["level"] == "error" for gate in both) else "warning"
        statuses = {name: gates[key]["status"] if key in gates else None for name, gates in (("a", old), ("b", new))}
        rows.append({"metric": metric, "columns": list(columns), "rule": rule, "level": level, **statuses})
    return rows


def _by_key(gates: Sequence[Document]) -> dict[tuple[str, tuple[str, ...], str], Document]:
    found: dict[tuple[str, tuple[str, ...], str], Document] = {}
    for gate in gates:
        key = gate["metric"], tuple(gate["columns"]), gate["rule"]
        if key not in found or _severity(gate) > _severity(found[key]):
            found[key] = gate
    return found


def _severity(gate: Document) -> int:
    return _SEVERITY.index(gate["status"])


def _columns(document: Document) -> dict[tuple[str, ...], Document]:
    """Return the accuracy of each column that has one."""
    return {(part["name"],): own for part in document["columns"] for own in _named(part, COLUMN_ACCURACY)}


def _pairs(document: Document) -> dict[tuple[str, ...], Document]:
    """Return the accuracy of each pair of columns, whichever of the two comes first in the table."""
    return {
        tuple(sorted((part["a"], part["b"]))): own for part in document["pairs"] for own in _named(part, PAIR_ACCURACY)
    }


def _named(part: Document, name: str) -> list[Document]:
    return [estimate for estimate in part["metrics"] if estimate["name"] == name]


def _parts(
    old: Mapping[tuple[str, ...], Document], new: Mapping[tuple[str, ...], Document]
) -> dict[tuple[str, ...], Change]:
    """Return the change of each column or pair that both reports have."""
    found = {key: change(old[key], new[key]) for key in new if key in old}
    return {key: each for key, each in found.items() if each.difference is not None}


def _lost(changes: Mapping[tuple[str, ...], Change]) -> list[tuple[tuple[str, ...], Change]]:
    """Return those that are worse, the largest loss first, at most ``LISTED``."""
    worse = [(key, each) for key, each in changes.items() if each.judgement == "worse"]
    return sorted(worse, key=lambda item: item[1].difference or 0.0)[:LISTED]


def _counted(judgements: Iterable[Judgement]) -> dict[str, int]:
    counts = Counter(judgements)
    return {name: counts[name] for name in ("better", "worse", "same")}


def _verdict_fell(a: Document, b: Document) -> list[str]:
    return ["the verdict was pass and is fail"] if (a["verdict"], b["verdict"]) == ("pass", "fail") else []


def _gates_fell(gates: Sequence[Document], a: Document, b: Document) -> list[str]:
    """Return which gates of level error held and hold no longer.

    A gate that is gone counts where nothing else is said of its metric and columns any more: a report that stopped
    looking is none that passed. What is said of a column that the table no longer has cannot get worse.
    """
    decided = {(gate["metric"], tuple(gate["columns"])) for gate in b["gates"] if gate["status"] != "not_measured"}
    there = {column["name"] for column in b["columns"]}
    found = []
    for gate in gates:
        if gate["a"] != "pass" or gate["level"] != "error" or gate["b"] == "pass":
            continue
        key = gate["metric"], tuple(gate["columns"])
        if gate["b"] is None and (key in decided or not there.issuperset(key[1])):
            continue
        now = "fails" if gate["b"] in ("fail", "warn") else "is no longer measured"
        columns = f" [{' × '.join(key[1])}]" if key[1] else ""
        found.append(f"the gate {gate['metric']}{columns} {gate['rule']} held and {now}")
    return found


def _metrics_fell(metrics: Sequence[Document]) -> list[str]:
    """Return which metrics are worse that a gate of level error is about.

    A metric that comes with a test of its own counts only where this finds something: what cannot be told from a
    perfect generator is no regression, although it may be worse than a lucky draw was.
    """
    return [
        f"{row['name']} is worse by more than chance makes, and a gate is about it"
        for row in metrics
        if row["gated"] and row["judgement"] == "worse" and (row["p_value"] is None or row["p_value"] < SIGNIFICANT)
    ]
