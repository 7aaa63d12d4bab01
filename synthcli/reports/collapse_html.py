"""The report of ``collapse-sim`` as one page of HTML, of the make of the audit's page.

It reads top to bottom as a user decides how to retrain: the answer, what becomes of each regime, the metrics over the
generations, how many fresh real rows are enough, what is lost first (categories, tails, recall), why, every metric, and
how all of this was made. Everything comes from the document of ``reports.collapse``; parts that it lacks are not on
the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from synthcli.reports.collapse_charts import (
    Course,
    Look,
    Survival,
    Way,
    looks,
    loss_chart,
    plane_chart,
    ridge_chart,
    survival_map,
    swatch,
    trajectory_chart,
)
from synthcli.reports.collapse_words import (
    CONTROL,
    LEGEND,
    REPLACE,
    WORST_FIRST,
    answer,
    asked_arms,
    by_importance,
    change_words,
    find,
    gate_words,
    is_primary,
    leading_arm,
    mechanism_words,
    metric_title,
    minimum_facts,
    needed,
    not_measured,
    plan_facts,
    primary_results,
    remarks,
    share_words,
    shown_arms,
    span_words,
)
from synthcli.reports.markup import Markup, element, fragment
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
from synthcli.reports.stylesheet import COURSES
from synthcli.reports.words import ARROWS, number, signed
from synthcli.reports.yaml_lines import scalar

Document = Mapping[str, Any]
Row = Mapping[str, Any]
#: Categories that a map shows: the rarest, which go first.
_CATEGORIES = 40
#: Columns whose spread shows at once.
_COLUMNS = 9


def collapse_html(document: Document) -> str:
    """Return the page of a collapse report document, as ``collapse_document`` gives it."""
    return page(f"{_title(document)}: a generator on its own output", _header(document), _sections(document), COURSES)


def _sections(document: Document) -> Iterator[tuple[str, str, Markup]]:
    """Yield the sections as (anchor, title, content); those without content are not on the page."""
    found = looks([arm["name"] for arm in shown_arms(document)], CONTROL)
    yield "arms", "What becomes of each regime", _arms(document)
    yield "courses", "Generation by generation", _courses(document, found)
    yield "minimum", "How many fresh real rows are enough", _minimum(document)
    yield "categories", "Which categories die out", _categories(document)
    yield "spread", "How columns narrow", _spread(document)
    yield "plane", "Precision and recall", _plane(document, found)
    yield "mechanisms", "Why: bias and chance", _mechanisms(document)
    yield "metrics", "Every metric", _metrics(document)
    yield "origin", "How this was made", _origin(document)


# --- The answer --------------------------------------------------------------------------------------------------


def _title(document: Document) -> str:
    arm = leading_arm(document)
    return "not asked" if arm is None else str(arm["verdict"])


def _header(document: Document) -> Markup:
    lines = [_line(document, arm) for arm in asked_arms(document)]
    lines += [element("li", mark(gate["status"]), f"the gate: {gate_words(gate)}") for gate in document["gate"]]
    lines += [element("li", mark("warn"), line) for line in (*remarks(document), *document["notes"])]
    about = f"{document['generator']['kind']} trained on its own output, generation after generation"
    colour = "unmeasured" if leading_arm(document) is None else _title(document)
    return verdict_header(about, _title(document), _unbroken(answer(document)), lines, colour)


def _unbroken(sentence: str) -> str:
    """Return a sentence in which no line ends between a number and its percent sign."""
    return sentence.replace(" %", "\u00a0%")


def _line(document: Document, arm: Row) -> Markup:
    """Return an arm's verdict and what became of its primary metrics, in one line."""
    told = [
        f"{metric_title(document, found['name'])} {change_words(found['change'], _unit(document, found['name']))}"
        for found in primary_results(document, arm)
    ]
    return element("li", _word(arm["verdict"]), element("b", arm["name"]), f": {', '.join(told)}" if told else "")


def _unit(document: Document, name: str) -> str:
    """Return a metric's unit, as far as its title does not say it."""
    metric = find(document["metrics"], name)
    return "" if metric is None or metric["unit"] in metric["title"] else str(metric["unit"])


def _word(verdict: str) -> Markup:
    """Return a verdict in its colour."""
    return element("span", verdict, class_=f"word {verdict if verdict in WORST_FIRST else ''}".rstrip())


# --- Arms --------------------------------------------------------------------------------------------------------


def _arms(document: Document) -> Markup:
    """Return the arms with what they learn from, their verdicts, and the changes of the primary metrics."""
    rows = [row for arm in shown_arms(document) for row in _arm(document, arm)]
    heads = ("regime", "verdict", "#change", "#90 % interval", "#margin")
    return fragment((table(heads, rows, "flow"), element("p", _sentence(LEGEND), class_="note")))


def _arm(document: Document, arm: Row) -> Iterator[Markup]:
    length = f"{arm['generations']:,} generations, {arm['chains']:,} chains"
    yield element(
        "tr",
        element("td", arm["name"], class_="name"),
        element("td", _word(arm["verdict"])),
        element("td", f"{_regime(document, arm)}; {length}", class_="about", colspan=3),
        class_="arm",
    )
    for found in primary_results(document, arm):
        unit = _unit(document, found["name"])
        yield element(
            "tr",
            element("td", metric_title(document, found["name"]), element("span", unit, class_="kind"), class_="name"),
            element("td", _word(found["verdict"])),
            number_cell(signed(found["change"]), "change"),
            number_cell(span_words(found["low"], found["high"]), "interval"),
            number_cell(f"±{found['margin']:.3g}", "margin"),
            class_="below",
        )


def _regime(document: Document, arm: Row) -> str:
    """Return what each generation of an arm learns from."""
    plan = document["plan"]
    if arm["regime"] == "fresh":
        fresh = (
            f"{arm['fresh_rows']:,} rows" if arm["fresh_share"] is None else f"{share_words(arm['fresh_share'])} of it"
        )
        return f"the last output, {fresh} replaced by new real ones"
    return {
        CONTROL: f"{plan['rows']:,} new real rows each time: what refitting alone does",
        REPLACE: "the last output alone",
        "augment": f"the last output and the same real rows each time, which weigh {share_words(plan['real_weight'])}",
        "accumulate": "everything so far: the first real rows and all outputs",
        "accumulate-subsample": f"{plan['rows']:,} rows out of everything so far",
    }.get(arm["regime"], str(arm["regime"]))


def _sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}."


# --- Over the generations ----------------------------------------------------------------------------------------


def _courses(document: Document, found: Mapping[str, Look]) -> Markup:
    """Return a panel for each measured metric: the primary ones first."""
    metrics = [metric for metric in document["metrics"] if metric["status"] == "measured"]
    primary = _panels(document, [metric for metric in metrics if metric["primary"]], found)
    others = _panels(document, [metric for metric in metrics if not metric["primary"]], found)
    if not primary and not others:
        return Markup()
    names = [arm["name"] for arm in shown_arms(document)]
    lead = (
        "Generation 0 are the real rows, generation 1 is the output of a generator that learned from real rows alone. "
        "Lines are means over the chains, bands their 90 % intervals. What the control does too is no collapse."
    )
    return fragment(
        (
            element("p", lead, class_="lead"),
            _arm_legend(
                {name: found[name] for name in names}, {"dashed": "the margin around the control's generation 1"}
            ),
            _group("The metrics that the verdict rests on", primary),
            _group("Described, each with a verdict of its own", others),
            *(element("p", line, class_="note") for line in not_measured(document)),
        )
    )


def _group(title: str, panels: Sequence[Markup]) -> Markup:
    return fragment((element("h3", title), element("div", *panels, class_="maps"))) if panels else Markup()


def _arm_legend(found: Mapping[str, Look], more: Mapping[str, str]) -> Markup:
    """Return the arms' lines with their names, and what else the charts below show."""
    arms = [element("li", swatch(look), name) for name, look in found.items()]
    others = [element("li", element("i", class_=class_), told) for class_, told in more.items()]
    return element("ul", *arms, *others, class_="legend")


def _panels(document: Document, metrics: Iterable[Row], found: Mapping[str, Look]) -> list[Markup]:
    return [panel for metric in metrics if (panel := _panel(document, metric, found))]


def _panel(document: Document, metric: Row, found: Mapping[str, Look]) -> Markup:
    """Return a metric's chart with its title; nothing where no arm has a value of it."""
    courses = [course for arm in shown_arms(document) if (course := _course(arm, metric["name"], found)) is not None]
    if not courses:
        return Markup()
    chart = trajectory_chart(
        courses,
        label=f"{metric['title']} over the generations",
        level=_level(document, metric["name"]),
        margin=metric["margin"],
    )
    kind = element("span", f"{metric['label']}{ARROWS[metric['direction']]}", class_="kind")
    return element(
        "figure",
        element("h3", metric["title"], kind),
        element("figcaption", _caption(metric)),
        chart,
    )


def _caption(metric: Row) -> str:
    unit = f" ({metric['unit']})" if metric["unit"] and metric["unit"] not in metric["title"] else ""
    every = f"; every {metric['every']} generations" if metric["every"] > 1 else ""
    return f"{metric['detail'][:1].upper()}{metric['detail'][1:]}{unit}{every}"


def _course(arm: Row, name: str, found: Mapping[str, Look]) -> Course | None:
    """Return a metric's course in an arm; ``None`` where it has no value."""
    course = arm["trajectory"].get(name)
    if course is None or all(value is None for value in course["mean"]):
        return None
    none = [None] * len(course["mean"])
    ends = (course["low"] or none, course["high"] or none)
    return Course(arm["name"], found[arm["name"]], course["generation"], course["mean"], *ends)


def _level(document: Document, name: str) -> float | None:
    """Return the control's value at generation 1, around which the margin lies."""
    control = find(document["arms"], CONTROL)
    if control is None:
        return None
    result = find(control["metrics"], name)
    if result is not None and result["first"] is not None:
        return float(result["first"])
    course = control["trajectory"].get(name)
    values = {} if course is None else dict(zip(course["generation"], course["mean"], strict=True))
    return values.get(1)


# --- The minimum of fresh rows -----------------------------------------------------------------------------------


def _minimum(document: Document) -> Markup:
    """Return the losses over the share of fresh rows, what each metric needs, and the shares that were tried."""
    minimum = document["minimum_fresh"]
    if minimum is None:
        return Markup()
    ordered = by_importance(document, minimum["metrics"])
    drawn = [found for found in ordered if any(loss is not None for loss in found["losses"])]
    primary = [_loss(document, found) for found in drawn if is_primary(document, found["name"])]
    others = [_loss(document, found) for found in drawn if not is_primary(document, found["name"])]
    lead = (
        "A part of each generation's rows is replaced by real ones that no generator has seen. The loss is the change "
        "in the harmful direction, the control's subtracted; where the fit crosses the margin lies the share that is "
        "needed."
    )
    marks = {
        "point": "loss with its interval",
        "fitted": "isotonic fit",
        "dashed": "margin",
        "crossing": "share that is needed",
        "span": "its interval",
        "predicted": "share that was predicted",
    }
    return fragment(
        (
            element("p", lead, class_="lead"),
            chart_legend(marks) if drawn else "",
            element("div", *primary, class_="maps") if primary else "",
            _needs(document, minimum),
            *(element("p", _sentence(line), class_="note") for line in minimum_facts(document)),
            folded("The other metrics, drawn", element("div", *others, class_="maps")) if others else "",
            folded("The shares that were tried", _grid(minimum["grid"])) if minimum["grid"] else "",
        )
    )


def _loss(document: Document, found: Row) -> Markup:
    metric = find(document["metrics"], found["name"])
    title = metric_title(document, found["name"])
    unit = f"loss in {metric['unit']}" if metric is not None and metric["unit"] else "loss"
    chart = loss_chart(found, label=f"{title}: loss by the share of fresh real rows")
    return element("figure", element("h3", title), element("figcaption", unit), chart)


def _needs(document: Document, minimum: Row) -> Markup:
    """Return what each metric needs, and all of them."""
    safe = share_words(minimum["share_safe"]) if minimum["share_safe"] is not None else "none"
    rows = [_need("all primary metrics", minimum, safe, "own")]
    ordered = by_importance(document, minimum["metrics"])
    rows += [_need(metric_title(document, found["name"]), found, "–") for found in ordered]
    return table(("metric", "#share needed", "#interval", "#measured stable", "#predicted"), rows, "flow lines")


def _need(title: str, found: Row, safe: str, class_: str | None = None) -> Markup:
    share, interval = needed(found)
    return element(
        "tr",
        element("td", title, class_="name"),
        number_cell(share, "needed"),
        number_cell(interval, "interval"),
        number_cell(safe, "measured stable"),
        number_cell(share_words(found["predicted"]), "predicted"),
        class_=class_,
    )


def _grid(grid: Sequence[Row]) -> Markup:
    rows = [
        element(
            "tr",
            element("td", share_words(point["share"]), class_="name"),
            number_cell(f"{point['rows']:,}", "rows"),
            number_cell(f"{point['generations']:,}", "generations"),
            element("td", _word(point["verdict"])),
        )
        for point in grid
    ]
    return table(("fresh share", "#rows a generation", "#generations", "verdict"), rows, "flow")


# --- What is lost ------------------------------------------------------------------------------------------------


def _categories(document: Document) -> Markup:
    """Return a map of categories and generations for each arm; nothing without categories."""
    categories = document["pictures"]["categories"]
    shown = categories[:_CATEGORIES]
    maps = [found for arm in shown_arms(document) if (found := _map(arm["name"], shown))]
    if not maps:
        return Markup()
    more = f" Shown are the {len(shown)} rarest of {len(categories)}." if len(categories) > len(shown) else ""
    lead = (
        "The rarest categories of the real training rows, with their shares there, from generation 0 on: how many of "
        f"the chains still show them. The last figure is the last generation's.{more}"
    )
    legend = chart_legend({"ramp": "share of the chains that show the category, none to all"})
    return fragment((element("p", lead, class_="lead"), legend, element("div", *maps, class_="maps")))


def _map(arm: str, categories: Sequence[Row]) -> Markup:
    rows = [
        Survival(f"{row['column']}: {row['category']}", row["share"], row["shown"][arm])
        for row in categories
        if row["shown"].get(arm)
    ]
    if not rows:
        return Markup()
    return element("figure", element("h3", arm), survival_map(rows, label=f"{arm}: categories that are left"))


def _spread(document: Document) -> Markup:
    """Return each column's histograms at the start, in the middle and at the end; nothing without columns."""
    densities = [row for row in document["pictures"]["densities"] if row["edges"]]
    arm = _narrowing(document, densities)
    if arm is None:
        return Markup()
    cards = [_ridges(arm, row) for row in densities if row["shares"].get(arm)]
    lead = (
        f"Columns of the regime {arm}, mean over the chains. Areas are shares of rows; what lies below the first or "
        "above the last mark is a box apart."
    )
    legend = chart_legend({"ridge": "the generation", "origin": "generation 0: the real rows"})
    rest = cards[_COLUMNS:]
    return fragment(
        (
            element("p", lead, class_="lead"),
            legend,
            element("div", *cards[:_COLUMNS], class_="maps"),
            folded(f"The other {len(rest)} columns", element("div", *rest, class_="maps")) if rest else "",
        )
    )


def _narrowing(document: Document, densities: Sequence[Row]) -> str | None:
    """Return the arm whose columns are shown: ``replace``, else the worst that was asked for and has some."""
    known = [arm for arm in asked_arms(document) if any(row["shares"].get(arm["name"]) for row in densities)]
    arm = find(known, REPLACE) or min(known, key=lambda own: WORST_FIRST.index(own["verdict"]), default=None)
    return None if arm is None else str(arm["name"])


def _ridges(arm: str, picture: Row) -> Markup:
    generations = picture["shares"][arm]
    last = len(generations) - 1
    chosen = sorted({0, min(1, last), last // 2, last})
    label = f"{picture['column']}: shares of rows by value in generations {', '.join(map(str, chosen))} of {arm}"
    chart = ridge_chart(picture, {place: generations[place] for place in chosen}, label=label)
    return element("figure", element("h3", picture["column"]), chart)


def _plane(document: Document, found: Mapping[str, Look]) -> Markup:
    """Return the arms' paths between precision and recall; nothing where the two were not measured."""
    ways = [way for arm in shown_arms(document) if (way := _way(arm, found)) is not None]
    if not ways:
        return Markup()
    lead = (
        "Precision: how many of the output's rows look real; recall: how much of the real data the output covers. A "
        "collapse moves down, often with precision going up: what is left looks typical. A ring is the start, the "
        "arm's mark the end."
    )
    chart = plane_chart(
        ways, label="Recall against precision over the generations", x_name="precision", y_name="recall"
    )
    return fragment((element("p", lead, class_="lead"), _arm_legend({way.name: way.look for way in ways}, {}), chart))


def _way(arm: Row, found: Mapping[str, Look]) -> Way | None:
    """Return an arm's path over the generations in which both were measured."""
    both = [arm["trajectory"].get(name) for name in ("precision", "recall")]
    if any(course is None for course in both):
        return None
    precision, recall = (dict(zip(course["generation"], course["mean"], strict=True)) for course in both if course)
    steps = [
        (generation, x, y)
        for generation, x in precision.items()
        if x is not None and (y := recall.get(generation)) is not None
    ]
    return Way(arm["name"], found[arm["name"]], steps) if len(steps) > 1 else None


# --- Why, and everything -----------------------------------------------------------------------------------------


def _mechanisms(document: Document) -> Markup:
    told = mechanism_words(document)
    return facts({name: f"{words}." for name, words in told.items()}) if told else Markup()


def _metrics(document: Document) -> Markup:
    """Return what each metric is, and arm by arm what became of all of them."""
    if not document["metrics"]:
        return Markup()
    arms = [folded(_arm_title(arm), _results(document, arm)) for arm in document["arms"] if arm["metrics"]]
    return fragment((_meanings(document["metrics"]), *arms))


def _arm_title(arm: Row) -> str:
    search = "" if arm["asked"] or arm["name"] == CONTROL else ", run for the search or the prediction alone"
    return f"{arm['name']}: {arm['verdict']}{search}"


def _meanings(metrics: Sequence[Row]) -> Markup:
    rows = [
        element(
            "tr",
            element("td", f"{metric['title']}{ARROWS[metric['direction']]}", class_="name"),
            element("td", metric["label"] + (", primary" if metric["primary"] else "")),
            element("td", metric["detail"] if metric["status"] == "measured" else f"not measured: {metric['reason']}"),
            number_cell(number(metric["real"]), "real rows"),
            number_cell(f"±{metric['margin']:.3g}", "margin"),
            element("td", metric["unit"]),
        )
        for metric in metrics
    ]
    lead = (
        "↑ higher is better, ↓ lower is better; of the others neither is good. Real rows: what so many of them score."
    )
    heads = ("metric", "shows", "what it is", "#real rows", "#margin", "unit")
    return fragment((element("p", lead, class_="lead"), table(heads, rows, "flow")))


def _results(document: Document, arm: Row) -> Markup:
    rows = [
        element(
            "tr",
            element("td", metric_title(document, found["name"]), class_="name"),
            element("td", _word(found["verdict"])),
            number_cell(number(found["first"]), "generation 1"),
            number_cell(number(found["late"]), "late"),
            number_cell(signed(found["change"]), "change"),
            number_cell(span_words(found["low"], found["high"]), "interval"),
            number_cell(f"±{found['margin']:.3g}", "margin"),
            number_cell(signed(found["slope"]), "late slope"),
            number_cell(span_words(found["slope_low"], found["slope_high"]), "interval"),
            number_cell(number(found["p_value"]), "p"),
        )
        for found in arm["metrics"]
    ]
    heads = (
        *("metric", "verdict", "#generation 1", "#late", "#change", "#90 % interval", "#margin"),
        *("#late slope × T", "#interval", "#p"),
    )
    return table(heads, rows, "flow")


# --- Origin ------------------------------------------------------------------------------------------------------


def _origin(document: Document) -> Markup:
    return fragment((facts(dict(_facts(document))), _tables(document["inputs"]), configuration(document["config"])))


def _facts(document: Document) -> Iterator[tuple[str, str]]:
    parameters = document["generator"]["parameters"]
    yield "made", document["created_at"]
    yield from plan_facts(document).items()
    if parameters:
        yield "parameters", ", ".join(f"{name}: {scalar(value)}" for name, value in parameters.items())
    yield "temperature", f"{document['generator']['temperature']:g}" + _sharpness(document["generator"]["temperature"])
    yield "every value", document["trajectories"]
    yield "versions", ", ".join(f"{name} {version}" for name, version in document["versions"].items())


def _sharpness(temperature: float) -> str:
    return " (its own law)" if temperature == 1 else " (sampling is biased)"


def _tables(inputs: Mapping[str, Row]) -> Markup:
    """Return the tables that were read."""
    if not inputs:
        return Markup()
    rows = [
        element(
            "tr",
            element("td", role, class_="name"),
            number_cell(f"{given['rows']:,}", "rows"),
            element("td", given["path"], class_="code"),
            hash_cell(given["sha256"]),
        )
        for role, given in inputs.items()
    ]
    return fragment((element("h3", "Tables"), table(("table", "#rows", "file", "SHA-256"), rows, "flow lines")))
