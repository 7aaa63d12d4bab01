"""The audit's report as one page of HTML: works offline, asks for nothing, runs no script, and prints.

It reads top to bottom as a release is decided: the verdict and what it means, what was audited, gates, measures, then
pictures of where the synthetic rows differ, the worst first. Everything comes from the report document, so a stored
report gives the same page, byte by byte. Fields that a document may lack (profile, curves) only leave pictures out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from synthcli.reports.charts import curve_chart, range_chart
from synthcli.reports.distributions import column_chart
from synthcli.reports.markup import Markup, element, fragment
from synthcli.reports.matrices import Cells, Mode, dependence_matrix, difference, heat_map, largest
from synthcli.reports.page import (
    chart_legend,
    configuration,
    facts,
    folded,
    hash_cell,
    mark,
    number_cell,
    page,
    table,
    verdict_header,
)
from synthcli.reports.words import (
    ARROWS,
    EXCESS,
    checks,
    comparable,
    culprits,
    gate_figures,
    grouped,
    meaning,
    names_by_reason,
    number,
    signed,
    told_apart,
)

Document = Mapping[str, Any]
#: Columns that are shown at once, pairs in the table, columns of the matrices and rows of their table, at most.
_CARDS, _PAIRS, _MATRIX, _SHIFTS = 24, 50, 60, 12


def html_report(document: Document) -> str:
    """Return the page of an audit's report document, as ``report_document`` gives it."""
    title = f"{document['verdict'].upper()}: audit of synthetic rows"
    return page(title, _verdict(document), _sections(document))


def _sections(document: Document) -> Iterator[tuple[str, str, Markup]]:
    """Yield the sections as (anchor, title, content); those without content are not on the page."""
    yield "inputs", "What was audited", _inputs(document["inputs"])
    yield "gates", "Gates", _gates(document["gates"])
    yield "metrics", "Metrics", _metrics(document["metrics"])
    yield "columns", "Columns", _columns(document)
    yield "pairs", "Pairs of columns", _pairs(document)
    yield "dependence", "What goes with what", _dependence(document)
    yield "distances", "Distances and models", _curves(document["metrics"])
    yield "origin", "How this was made", _origin(document)


# --- Verdict and inputs ------------------------------------------------------------------------------------------


def _verdict(document: Document) -> Markup:
    verdict = document["verdict"]
    loud = [gate for gate in document["gates"] if gate["failed"]]
    reasons = [
        element(
            "li",
            mark("fail" if any(gate["level"] == "error" for gate in accused) else "warn"),
            element("b", metric + culprits(accused)),
            f": {meaning(metric, accused)}",
            _figures_of(accused),
        )
        for metric, accused in grouped(loud, lambda gate: gate["metric"]).items()
    ]
    return verdict_header(
        "Audit of synthetic rows on a reserved holdout", verdict.upper(), _sentence(document), reasons, verdict
    )


def _figures_of(gates: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the figures of a failure that has one pair of them; the table of gates has the others."""
    if len(gates) != 1 or gates[0]["value"] is None:
        return Markup()
    got, needs = gate_figures(gates[0])
    return element("span", f" (got {got}, needs {needs})", class_="quiet")


def _sentence(document: Document) -> str:
    """Return what the verdict means for whoever has to decide, with the counts behind it."""
    gates = document["gates"]
    if not gates:
        return "No gate was set, so nothing speaks against a release; nothing speaks for it either."
    doubted = any(gate["failed"] for gate in gates)
    fit = "No check of level error speaks against a release" if doubted else "No check speaks against a release"
    meaning = fit if document["verdict"] == "pass" else "Not fit for release"
    return f"{meaning}: of {checks(gates)}."


def _inputs(inputs: Mapping[str, Mapping[str, Any]]) -> Markup:
    known = any(given.get("generator") for given in inputs.values())
    rows = [
        element(
            "tr",
            element("td", role, class_="name"),
            number_cell(f"{given['rows']:,}", "rows"),
            element("td", given["path"], class_="code"),
            element("td", given.get("generator") or "", class_="code", data_name="generator") if known else "",
            hash_cell(given.get("sha256")),
        )
        for role, given in inputs.items()
    ]
    heads = ("table", "#rows", "file", *(["generator"] if known else []), "SHA-256")
    return table(heads, rows, "flow lines")


# --- Gates and metrics -------------------------------------------------------------------------------------------


def _gates(gates: Sequence[Mapping[str, Any]]) -> Markup:
    """Return a line a gate; what a rule says of single columns is one line where it holds, and one a failure."""
    if not gates:
        return Markup()
    rows = [_gate(gate) for gate in told_apart(gates)]
    notes = [f"{gate['metric']}: {gate['reason']}" for gate in gates if gate["reason"]]
    notes += [EXCESS] if any(gate["rule"].startswith("max_excess") for gate in gates) else []
    return fragment(
        (
            table(("gate", "", "#got", "#needs", "rule"), rows, "flow"),
            *(element("p", note, class_="note") for note in dict.fromkeys(notes)),
        )
    )


def _gate(gate: Mapping[str, Any]) -> Markup:
    label = gate["label"]
    kind = "below" if label.startswith(" ") else None if gate["status"] else "head"
    if kind == "head":
        return element("tr", element("td", label, class_="name", colspan=5), class_=kind)
    got, needs = gate_figures(gate)
    return element(
        "tr",
        element("td", label.strip(), class_="name"),
        element("td", mark(gate["status"])),
        number_cell(got, "got"),
        number_cell(needs, "needs"),
        element("td", gate["rule"], class_="code quiet"),
        class_=kind,
    )


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> Markup:
    measured = [metric for metric in metrics if metric["status"] == "measured"]
    missing = [metric for metric in metrics if metric["status"] != "measured"]
    rows: list[Markup] = []
    for family, own in grouped(measured, lambda metric: metric["family"]).items():
        rows.append(element("tr", element("td", family, colspan=6), class_="family"))
        rows += [line for metric in own for line in _metric(metric, family)]
    lead = (
        "Each value with its 95 % interval, beside what a perfect generator scores and, as the floor, what one scores "
        "that learned nothing. ↑ higher is better, ↓ lower is better; the rest should equal what is perfect. Every "
        "line has its own ends."
    )
    return fragment(
        (
            element("p", lead, class_="lead"),
            chart_legend({"dot": "value", "spread": "interval", "upright": "perfect", "upright low": "floor"}),
            table(("metric", "#value", "#95 % interval", "#perfect", "#floor", ""), rows, "flow") if rows else "",
            *(
                element("p", f"Not measured: {names}: {reason}", class_="note")
                for reason, names in names_by_reason(missing).items()
            ),
        )
    )


def _metric(metric: Mapping[str, Any], family: str) -> tuple[Markup, Markup]:
    numbers = element(
        "tr",
        element("td", metric["name"].removeprefix(f"{family}.") + ARROWS[metric["direction"]], class_="name"),
        number_cell(number(metric["value"]), "value"),
        number_cell(f"{number(metric['low'])} … {number(metric['high'])}", "interval"),
        number_cell(number(metric["reference"]), "perfect"),
        number_cell(number(metric["floor"]), "floor"),
        element("td", range_chart(metric), class_="picture"),
        class_="measure",
    )
    return numbers, element("tr", element("td", metric["detail"], colspan=6), class_="detail")


# --- Columns and pairs -------------------------------------------------------------------------------------------

_TABLES = {"train": "training part", "holdout": "holdout", "rule": "synthetic rows"}


def _columns(document: Document) -> Markup:
    """Return a card a profiled column, the worst first, or a table of columns where there is no profile."""
    profiled = {column["name"]: column for column in (document.get("profile") or {}).get("columns", ())}
    accused = {gate["columns"][0] for gate in document["gates"] if gate["failed"] and len(gate["columns"]) == 1}
    rows = document["columns"]
    shown = [row for row in rows if row["name"] in profiled]
    cards = [_card(row, profiled[row["name"]], row["name"] in accused) for row in shown]
    others = [row for row in rows if row["name"] not in profiled and comparable(row)]
    unmeasured = [f"{row['name']} ({row['kind']})" for row in rows if not row["metrics"]]
    lead = (
        "Shares of rows, the column that is farthest behind the holdout first. Where the orange line follows the grey "
        "ground as closely as the blue one does, the column is as good as real. A bar that is cut has its training → "
        "synthetic shares beside it."
    )
    return fragment(
        (
            *((element("p", lead, class_="lead"), chart_legend(_TABLES)) if cards else ()),
            element("div", *cards[:_CARDS], class_="cards") if cards else "",
            folded(
                f"The other {len(cards) - _CARDS} columns, which are closer to the real ones",
                element("div", *cards[_CARDS:], class_="cards"),
            )
            if len(cards) > _CARDS
            else "",
            _accuracies([(row["name"], row) for row in others], "column"),
            element("p", f"Nothing was measured of: {', '.join(unmeasured)}", class_="note") if unmeasured else "",
        )
    )


def _card(row: Mapping[str, Any], profiled: Mapping[str, Any], fails: bool) -> Markup:
    return element(
        "article",
        element("h3", row["name"], element("span", row["kind"], class_="kind")),
        _standing(row, fails),
        column_chart(profiled),
        class_="card fails" if fails else "card",
    )


def _standing(row: Mapping[str, Any], fails: bool = False) -> Markup:
    """Return a column's or pair's accuracy, what is perfect, and how far it is behind."""
    if not comparable(row):
        return element("p", "accuracy not measured", class_="facts")
    return element(
        "p",
        element("span", "accuracy ", element("b", number(row["accuracy"])), class_="number"),
        element("span", f"perfect {number(row['reference'])}", class_="number"),
        element("span", f"behind {_behind(row)}", class_="number"),
        mark("fail") if fails else "",
        class_="facts",
    )


def _behind(row: Mapping[str, Any]) -> str:
    return signed(row["reference"] - row["accuracy"])


def _accuracies(rows: Sequence[tuple[str, Mapping[str, Any]]], unit: str) -> Markup:
    """Return accuracies as a table."""
    if not rows:
        return Markup()
    lines = [
        element(
            "tr",
            element("td", name, class_="name"),
            number_cell(number(row["accuracy"]), "accuracy"),
            number_cell(number(row["reference"]), "perfect"),
            number_cell(_behind(row), "behind"),
        )
        for name, row in rows
    ]
    return table((unit, "#accuracy", "#perfect", "#behind"), lines, "flow")


_AMOUNTS = {"ramp": "no rows … many rows", "both": "too few synthetic rows … too many"}


def _pairs(document: Document) -> Markup:
    """Return the worst pairs as heat maps, and more of them as a table."""
    pictured = (document.get("profile") or {}).get("pairs", ())
    ranked = [row for row in document["pairs"] if comparable(row)]
    rows = {(row["a"], row["b"]): row for row in ranked}
    lead = (
        "The pairs that are farthest behind the holdout. A square is the share of rows that fall into a bin of one "
        "column and a bin of the other; orange squares have too many synthetic rows, blue ones too few."
    )
    listed = [(f"{row['a']} × {row['b']}", row) for row in ranked[:_PAIRS]]
    title = f"The {len(listed)} worst of {len(ranked):,} pairs" if len(ranked) > len(listed) else "All pairs"
    return fragment(
        (
            *((element("p", lead, class_="lead"), chart_legend(_AMOUNTS)) if pictured else ()),
            element("div", *(_pair(pair, rows.get((pair["a"], pair["b"]))) for pair in pictured), class_="stack")
            if pictured
            else "",
            folded(title, _accuracies(listed, "pair")) if listed else "",
        )
    )


def _pair(pair: Mapping[str, Any], row: Mapping[str, Any] | None) -> Markup:
    rows, columns = pair["a_labels"], pair["b_labels"]
    most = largest(pair["train"], pair["synthetic"])
    shift = difference(pair["synthetic"], pair["train"])
    name = f"{pair['a']} × {pair['b']}"

    def drawn(title: str, cells: Cells, most: float, mode: Mode = "amount") -> Markup:
        chart = heat_map(rows, columns, cells, label=f"{name}: {title}", most=most, mode=mode)
        return element("figure", element("figcaption", title), chart)

    deepest = largest(shift)
    return element(
        "article",
        element("h3", name),
        _standing(row) if row else "",
        element(
            "div",
            drawn(f"training part, up to {100 * most:.1f} % of rows", pair["train"], most),
            drawn("synthetic rows, same colours", pair["synthetic"], most),
            drawn(f"synthetic less training, up to {100 * deepest:.1f} points", shift, deepest, "difference"),
            class_="maps",
        ),
        class_="card",
    )


# --- Dependence and curves ---------------------------------------------------------------------------------------


def _dependence(document: Document) -> Markup:
    """Return the associations of all columns in the training part and in the synthetic rows, and what changed most."""
    profile = document.get("profile") or {}
    found = profile.get("dependence")
    if not found or len(found["columns"]) < 2:
        return Markup()
    names = found["columns"][:_MATRIX]
    train, synthetic = ([row[:_MATRIX] for row in found[side][:_MATRIX]] for side in ("train", "synthetic"))
    shift = difference(synthetic, train)
    deepest = largest(shift)

    def drawn(title: str, cells: Cells, most: float = 1.0, mode: Mode = "amount") -> Markup:
        chart = dependence_matrix(names, cells, label=f"Association of columns: {title}", most=most, mode=mode)
        return element("figure", element("figcaption", title), element("div", chart, class_="scroll"))

    lead = (
        "Cramér's V of every pair of columns: 0 where one tells nothing of the other, 1 where it tells all. Orange "
        "pairs go together more than in the training part, blue ones less."
    )
    more = max(len(found["columns"]), len(profile["columns"])) - len(names)
    return fragment(
        (
            element("p", lead, class_="lead"),
            chart_legend({"ramp": "0 … 1", "both": "less than in the training part … more"}),
            element(
                "div",
                drawn("training part, 0 to 1", train),
                drawn("synthetic rows, 0 to 1", synthetic),
                drawn(f"synthetic less training, up to {deepest:.2f}", shift, deepest, "difference"),
                element("figure", element("figcaption", "the pairs that changed most"), _shifts(found)),
                class_="maps wide",
            ),
            element("p", f"{more} more columns are not drawn.", class_="note") if more > 0 else "",
        )
    )


def _shifts(found: Mapping[str, Any]) -> Markup:
    """Return the pairs whose association changed most, as a table."""
    names, shift = found["columns"], difference(found["synthetic"], found["train"])
    places = sorted(combinations(range(len(names)), 2), key=lambda at: (-abs(shift[at[0]][at[1]]), at))
    rows = [
        element(
            "tr",
            element("td", f"{names[i]} × {names[j]}", class_="name"),
            *(number_cell(number(found[side][i][j]), label) for side, label in _SIDES.items()),
            number_cell(signed(shift[i][j]), "difference"),
        )
        for i, j in places[:_SHIFTS]
    ]
    return table(("pair", *(f"#{label}" for label in _SIDES.values()), "#difference"), rows, "flow")


_SIDES = {"train": "training", "holdout": "holdout", "synthetic": "synthetic"}
#: Names of curves, and the class that draws each: what is real is blue, what is synthetic orange.
_STROKES = {
    "synthetic": "synthetic",
    "holdout": "holdout",
    "trained on synthetic": "synthetic",
    "trained on real": "holdout",
}


def _curves(metrics: Sequence[Mapping[str, Any]]) -> Markup:
    given = {metric["name"]: metric["curves"] for metric in metrics if metric.get("curves")}
    distances = _drawable(given.get("privacy.dcr_p05", ()))
    models = _drawable([*given.get("utility.tstr", ()), *given.get("utility.trtr", ())])
    parts: list[Markup] = []
    if distances:
        chart = curve_chart(
            distances,
            label="Distance to the nearest training record: share of rows that lie at most so far away",
            x_name="distance to the nearest training record",
            y_name="share of rows",
        )
        said = "Orange above blue at the left: synthetic rows lie nearer than fresh real rows do, as copies would."
        parts.append(_figure("Distance to the nearest training record", said, chart, distances, "holdout"))
    if models:
        chart = curve_chart(
            models,
            label="ROC on the holdout of a model trained on real and of one trained on synthetic rows",
            x_name="false positive rate",
            y_name="true positive rate",
            diagonal=True,
        )
        said = "What a model learns from either table, tried on the holdout. The dotted line is guessing."
        parts.append(_figure("Prediction of the target", said, chart, models, "trained on real"))
    return element("div", *parts, class_="duo") if parts else Markup()


def _drawable(curves: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the curves by the class that draws them, the real one first, below."""
    found = {_STROKES[curve["name"]]: curve for curve in curves if curve["name"] in _STROKES and curve["x"]}
    return {name: found[name] for name in ("holdout", "synthetic") if name in found}


def _figure(title: str, said: str, chart: Markup, curves: Mapping[str, Mapping[str, Any]], real: str) -> Markup:
    marks = {"holdout": "holdout", "synthetic": "rule"}
    return element(
        "figure",
        element("h3", title),
        element("figcaption", said),
        chart_legend({marks[name]: str(curve["name"]) for name, curve in curves.items()}),
        chart,
    )


# --- Origin ------------------------------------------------------------------------------------------------------


def _origin(document: Document) -> Markup:
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    told = {"made": document["created_at"], "seed": str(document["seed"]), "versions": versions}
    return fragment((facts(told), configuration(document["config"])))
