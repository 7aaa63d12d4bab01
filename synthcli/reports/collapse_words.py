"""What a simulation of generations found, in words: the answer, remarks, and figures as people read them.

Both renderings of the report, terminal and page, take their sentences from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from synthcli.reports.words import names_by_reason, signed

Row = Mapping[str, Any]
#: Verdicts from the worst on: the worst arm speaks for a run that did not ask for ``replace``.
WORST_FIRST = ("collapsing", "degraded-plateau", "inconclusive", "stable")
CONTROL, REPLACE = "control", "replace"
#: What the figures of the table of arms are, for both renderings.
LEGEND = (
    "change: mean of the last quarter of the generations less generation 1, the control's own change subtracted "
    "(of the control nothing is); 90 % interval; stable: its harmful end lies within the margin"
)


# --- What the document holds -------------------------------------------------------------------------------------


def find(rows: Iterable[Row], name: str | None) -> Row | None:
    """Return the row of that name, ``None`` where there is none."""
    return next((row for row in rows if row["name"] == name), None)


def asked_arms(document: Row) -> list[Row]:
    """Return the arms that were asked for, without the control, which every run has."""
    return [arm for arm in document["arms"] if arm["asked"] and arm["name"] != CONTROL]


def shown_arms(document: Row) -> list[Row]:
    """Return the arms that a report shows: the control and those that were asked for."""
    return [arm for arm in document["arms"] if arm["name"] == CONTROL or arm["asked"]]


def leading_arm(document: Row) -> Row | None:
    """Return the arm that the answer is about: ``replace``, else the worst that was asked for; ``None`` without any.

    Where nothing but a search was asked for, that is the ``replace`` which it began with.
    """
    asked = asked_arms(document)
    worst = min(asked, key=lambda arm: WORST_FIRST.index(arm["verdict"]), default=None)
    return find(asked, REPLACE) or worst or find(document["arms"], REPLACE)


def metric_title(document: Row, name: str | None) -> str:
    """Return what a metric is called; its name where nothing is known of it."""
    metric = find(document["metrics"], name)
    return str(name if metric is None else metric["title"])


def is_primary(document: Row, name: str) -> bool:
    """Return whether the verdict rests on a metric."""
    metric = find(document["metrics"], name)
    return metric is not None and bool(metric["primary"])


def by_importance(document: Row, rows: Iterable[Row]) -> list[Row]:
    """Return what is told of metrics in its order, the primary ones first."""
    return sorted(rows, key=lambda row: not is_primary(document, row["name"]))


def primary_results(document: Row, arm: Row) -> list[Row]:
    """Return what became of the metrics that the verdict rests on: the primary ones, or all where none is measured."""
    return [found for found in arm["metrics"] if is_primary(document, found["name"])] or list(arm["metrics"])


# --- Figures in words --------------------------------------------------------------------------------------------


def share_words(share: float | None) -> str:
    """Return a share in percent with two significant digits.

    >>> share_words(0.2345), share_words(0.05), share_words(0.031), share_words(1.0)
    ('23 %', '5 %', '3.1 %', '100 %')
    """
    if share is None:
        return "–"
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def span_words(low: float | None, high: float | None, told: Any = signed) -> str:
    """Return an interval, each end as ``told`` says it; a dash where it has no ends.

    >>> span_words(-0.1, 0.25), span_words(0.1, 0.2, share_words), span_words(None, None)
    ('-0.100 … +0.250', '10 % … 20 %', '–')
    """
    return "–" if low is None and high is None else f"{told(low)} … {told(high)}"


def change_words(change: float | None, unit: str) -> str:
    """Return a change in its unit; of shares in points.

    >>> change_words(-0.341, "share of categories"), change_words(0.2, "TVD"), change_words(0.034, "share")
    ('-34 points', '+0.200 TVD', '+3.4 points')
    """
    if change is None:
        return "–"
    if unit.startswith("share"):
        return f"{100 * change:+.{0 if abs(change) >= 0.0995 else 1}f} points"
    return f"{signed(change)} {unit}".rstrip()


def generation_words(count: float) -> str:
    """Return a number of generations, which need not be whole.

    >>> generation_words(1), generation_words(4.25), generation_words(1386.2)
    ('1 generation', '4.2 generations', '1,386 generations')
    """
    told = f"{count:,.0f}" if count >= 10 or count == round(count) else f"{count:.1f}"
    return f"{told} generation{'' if told == '1' else 's'}"


def _chains(count: int) -> str:
    return f"{count:,} chain{'' if count == 1 else 's'}"


def _inside(title: str) -> str:
    """Return a title as it is written within a sentence; abbreviations stay as they are.

    >>> _inside("Rare categories"), _inside("TVD")
    ('rare categories', 'TVD')
    """
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def fresh_words(share: float | None, rows: int | None, total: int) -> str:
    """Return fresh real rows as a share and as a number of all rows that a generation learns from.

    >>> fresh_words(0.23, 460, 2000), fresh_words(None, 200, 2000)
    ('23 % fresh real rows (460 of 2,000)', '200 of 2,000 rows fresh and real')
    """
    if share is None:
        return f"{rows:,} of {total:,} rows fresh and real" if rows is not None else "fresh real rows"
    return f"{share_words(share)} fresh real rows" + (f" ({rows:,} of {total:,})" if rows is not None else "")


# --- The answer --------------------------------------------------------------------------------------------------


def answer(document: Row) -> str:
    """Return in one sentence whether the generator may learn from its own output, and how much fresh data it needs."""
    arm = leading_arm(document)
    if arm is None:
        return (
            f"Only the control was run: whether {document['generator']['kind']} collapses on its own output was not "
            "asked."
        )
    if arm["name"] == REPLACE and arm["verdict"] == "stable":
        return f"{_fate(document, arm)}, so it needs no fresh real rows for that long."
    return "; ".join([_fate(document, arm), *_remedies(document, arm), *_unasked(arm)]) + "."


def _fate(document: Row, arm: Row) -> str:
    """Return what became of the generator in an arm."""
    kind, length = document["generator"]["kind"], generation_words(arm["generations"])
    lead = f"Trained on {_fare(document, arm)}, {kind}"
    effect = _effect(document, arm)
    if arm["verdict"] == "stable":
        return f"{lead} stays stable on this table over {length}"
    if arm["verdict"] == "collapsing":
        return f"{lead} collapses on this table within {length}{effect}"
    if arm["verdict"] == "degraded-plateau":
        return f"{lead} gets worse on this table within {length}{effect} and is not shown to go on"
    tried = f"{length} in {_chains(arm['chains'])}" + (f" ({words})" if (words := settling(arm)) else "")
    return f"{lead} may or may not collapse on this table: inconclusive after {tried}"


def _fare(document: Row, arm: Row) -> str:
    """Return what each generation of an arm learns from, as the answer says it."""
    rows, name = document["plan"]["rows"], str(arm["name"])
    if arm["regime"] == "fresh":
        return f"{fresh_words(arm['fresh_share'], arm['fresh_rows'], rows)} and its own output"
    return {
        REPLACE: "its own output alone",
        "augment": "its last output and the same real rows each time",
        "accumulate": "everything so far",
        "accumulate-subsample": f"{rows:,} rows out of everything so far",
    }.get(arm["regime"], name)


def _effect(document: Row, arm: Row) -> str:
    """Return the primary metric that moved most, or in how many chains the generator broke; in brackets."""
    moved = [found for found in primary_results(document, arm) if found["verdict"] == arm["verdict"]]
    moved = [found for found in moved if found["change"] is not None]
    if moved:
        worst = max(moved, key=lambda found: abs(found["change"]) / (found["margin"] or 1.0))
        metric = find(document["metrics"], worst["name"])
        unit = "" if metric is None or metric["unit"] in metric["title"] else metric["unit"]
        return f" ({_inside(metric_title(document, worst['name']))} {change_words(worst['change'], unit)})"
    return f" (it could not be fitted any more in {arm['broken']} of {_chains(arm['chains'])})" if arm["broken"] else ""


def _remedies(document: Row, arm: Row) -> Iterator[str]:
    """Yield what keeps the generator stable, as far as that is known."""
    yield from _fresh_remedy(document, arm)
    for other in asked_arms(document):
        if other is not arm and other["regime"].startswith("accumulate") and other["verdict"] == "stable":
            yield f"learning from {_fare(document, other)} ({other['name']}) it stays stable"


def _fresh_remedy(document: Row, arm: Row) -> Iterator[str]:
    """Yield how many fresh real rows are enough: by the search, else by the arms that were asked for."""
    minimum, total = document["minimum_fresh"], document["plan"]["rows"]
    if minimum is not None:
        yield _least(minimum, total)
        return
    fresh = [other for other in asked_arms(document) if other["regime"] == "fresh" and other is not arm]
    stable = [other for other in fresh if other["verdict"] == "stable"]
    if stable:
        best = min(stable, key=_freshness)
        told = fresh_words(best["fresh_share"], best["fresh_rows"], total)
        yield f"with {told} in each generation it stays stable, and whether fewer are enough was not searched for"
    elif fresh:
        most = max(fresh, key=_freshness)
        told = fresh_words(most["fresh_share"], most["fresh_rows"], total)
        verdict = most["verdict"]
        yield f"with {told} in each generation it is {verdict}, and whether more are enough was not searched for"
    elif arm["verdict"] != "stable":
        yield "how many fresh real rows would prevent that was not searched for"


def _freshness(arm: Row) -> tuple[float, int]:
    return arm["fresh_share"] or 0.0, arm["fresh_rows"] or 0


def _least(minimum: Row, total: int) -> str:
    """Return the search's result: what is enough, and what was measured stable."""
    if not minimum["found"] or minimum["share"] is None:
        return _not_found(minimum, total)
    if minimum["share"] <= 0:
        return "no fresh real rows are needed"
    told = fresh_words(minimum["share"], minimum["rows_per_generation"], total) + " in each generation"
    told += ", the least that was tried," if minimum["at_most"] else ""
    if minimum["share_safe"] is None:
        return f"about {told} keep it within the margins, but no share was itself measured stable"
    if minimum["share_safe"] <= minimum["share"]:
        return f"with {told} it stays stable"
    safe = share_words(minimum["share_safe"])
    rows = f" ({minimum['rows_safe']:,})" if minimum["rows_safe"] is not None else ""
    return f"about {told} keep it within the margins, and from {safe}{rows} on it was measured stable"


def _not_found(minimum: Row, total: int) -> str:
    if not minimum["grid"]:
        return "no share of fresh real rows was found that keeps it stable"
    most = max(minimum["grid"], key=lambda point: point["share"])
    tried = f"{share_words(most['share'])} ({most['rows']:,} of {total:,})"
    return f"no share of fresh real rows that was tried, up to {tried}, was found to keep it stable"


def _unasked(arm: Row) -> Iterator[str]:
    if arm["name"] != REPLACE:
        yield "its own output alone (replace) was not asked"


# --- What else is to be said -------------------------------------------------------------------------------------


def settling(arm: Row) -> str:
    """Return what would settle an arm's verdict; empty where nothing is known or it is settled.

    >>> settling({"settles": {"chains": 24, "generations": None}})
    '24 chains would settle it'
    """
    settles = arm["settles"] or {"chains": None, "generations": None}
    ways = [_chains(settles["chains"])] if settles["chains"] is not None else []
    ways += [generation_words(settles["generations"])] if settles["generations"] is not None else []
    return f"{' or '.join(ways)} would settle it" if ways else ""


def remarks(document: Row) -> Iterator[str]:
    """Yield what a reader has to know of arms: what would settle them, rows used twice, chains that broke.

    Arms of which the same is to be said share a line.
    """
    told: dict[str, list[str]] = {}
    for arm in document["arms"]:
        for remark in _remarks(arm):
            told.setdefault(remark, []).append(arm["name"])
    yield from (f"{', '.join(names)}: {remark}" for remark, names in told.items())


def _remarks(arm: Row) -> Iterator[str]:
    if arm["verdict"] == "inconclusive" and (arm["asked"] or arm["name"] == CONTROL):
        yield f"inconclusive; {settling(arm) or 'no number of chains or generations is known that would settle it'}"
    if arm["recycled_from"] is not None:
        yield (
            f"the real rows ran out: from generation {arm['recycled_from']} on some were used again, which is the "
            "augment regime and no longer fresh data"
        )
    if arm["broken"]:
        yield f"in {arm['broken']:,} of {_chains(arm['chains'])} the generator could no longer be fitted"


def mechanism_words(document: Row) -> dict[str, str]:
    """Return in words what the bias and what chance take away; empty where they were not measured."""
    mechanisms = document["mechanisms"]
    if mechanisms is None:
        return {}
    what = mechanisms["measured_on"]
    return {
        "bias": _bias(mechanisms["bias"], what),
        "drift": _drift(mechanisms["drift"], what, document["plan"]["rows"]),
    }


def _bias(bias: Row, what: str) -> str:
    low, high = bias["low"], bias["high"]
    interval = "" if low is None or high is None else f" ({100 * low:.1f} … {100 * high:.1f} %)"
    kept = f"{100 * bias['contraction']:.1f} %{interval} of the {what}"
    if low is not None and high is not None and low <= 1 <= high:
        return f"none that chance could not explain: a generation keeps {kept}"
    if bias["contraction"] > 1:
        return (
            f"each generation inflates: {kept}, however many rows it learns from; a share of fresh real rows cures that"
        )
    half = "" if bias["half_life"] is None else f" and halves it in {generation_words(bias['half_life'])}"
    return (
        f"each generation keeps {kept}{half}, however many rows it learns from; a share of fresh real rows cures that"
    )


def _drift(drift: Row, what: str, rows: int) -> str:
    if drift["half_life"] is None:
        return f"chance alone takes away too little of the {what} to be measured"
    low, high = drift["low"], drift["high"]
    interval = "" if low is None or high is None else f" ({low:,.0f} … {high:,.0f})"
    return (
        f"chance alone halves the {what} in {generation_words(drift['half_life'])}{interval} of {rows:,} rows; a "
        "number of fresh real rows cures that, whatever their share"
    )


def not_measured(document: Row) -> Iterator[str]:
    """Yield the metrics that could not be measured, with the reason."""
    missing = [
        {"name": metric["title"], "detail": metric["reason"]}
        for metric in document["metrics"]
        if metric["status"] != "measured"
    ]
    for reason, names in names_by_reason(missing).items():
        yield f"not measured: {names}: {reason}"


def gate_words(gate: Row) -> str:
    """Return a rule of the gate, what was found, and why that is so."""
    value = "nothing" if gate["value"] is None else _limit(gate["value"])
    return f"{gate['rule']} {_limit(gate['threshold'])}: {value}" + (f"; {gate['detail']}" if gate["detail"] else "")


def _limit(value: str | float) -> str:
    return value if isinstance(value, str) else share_words(value)


def plan_facts(document: Row) -> dict[str, str]:
    """Return how the simulation was laid out, as names and what is told of each."""
    plan, generator = document["plan"], document["generator"]
    bias = "" if generator["temperature"] == 1 else f", temperature {generator['temperature']:g}"
    return {
        "generator": f"{generator['kind']}{bias}, seed {document['seed']}",
        "each generation": f"{plan['rows']:,} rows; {generation_words(plan['generations'])}, {_chains(plan['chains'])}",
        "real rows": f"{plan['training_rows']:,}; {plan['reservoir']:,} beside generation 0 for each chain",
    }


# --- The least fresh data ---


def needed(found: Row) -> tuple[str, str]:
    """Return the share of fresh rows that is needed and its interval; ``≤``: the least that was tried was enough."""
    if not found["found"] or found["share"] is None:
        return "not found", "–"
    sign = "≤ " if found["at_most"] and found["share"] > 0 else ""
    return sign + share_words(found["share"]), span_words(*needed_span(found), share_words)


def needed_span(found: Row) -> tuple[float | None, float | None]:
    """Return the interval of the share that is needed; no ends where even its upper one lies below all shares tried."""
    below = found["at_most"] and found["high"] is not None and found["high"] < found["share"]
    return (None, None) if not found["found"] or below else (found["low"], found["high"])


def minimum_facts(document: Row) -> Iterator[str]:
    """Yield the needed data as rows, the metric that needs most, and the verdicts of the shares that were tried."""
    minimum, total = document["minimum_fresh"], document["plan"]["rows"]
    rows = [f"{minimum['rows_per_generation']:,} rows needed"] if minimum["rows_per_generation"] is not None else []
    rows += [f"{minimum['rows_safe']:,} measured stable"] if minimum["rows_safe"] is not None else []
    if rows:
        yield f"of {total:,} rows in each generation: {', '.join(rows)}"
    if minimum["limited_by"] is not None:
        yield f"limited by {_inside(metric_title(document, minimum['limited_by']))}"
    tried: dict[str, list[str]] = {}
    for point in minimum["grid"]:
        tried.setdefault(point["verdict"], []).append(share_words(point["share"]))
    if tried:
        yield "tried: " + "; ".join(f"{', '.join(shares)} {verdict}" for verdict, shares in tried.items())
