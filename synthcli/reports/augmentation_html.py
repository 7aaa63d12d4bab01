"""The report of ``augment`` as one page of HTML, of the make of the audit's page.

It reads top to bottom as a user decides whether to keep the table: the verdict and what speaks for it, what was made,
what a model gains, how that depends on the number of training rows, how well hidden cells are filled, and how all of
this was made. Everything comes from the document of ``reports.augmentation``. Parts that it lacks are not on the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from synthcli.reports.augmentation import (
    METRICS,
    arm_name,
    at_largest,
    headline,
    legend,
    reasons,
)
from synthcli.reports.charts import percent
from synthcli.reports.lift_charts import Dot, Role, Series, dot_chart, measured, pair_bar, parts_bar, size_chart
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
from synthcli.reports.stylesheet import GAINS
from synthcli.reports.words import ARROWS, names_by_reason, number, signed
from synthcli.reports.yaml_lines import scalar

Document = Mapping[str, Any]
Row = Mapping[str, Any]
#: The classes of the verdicts' colours.
_COLOURS = {"helps": "helps", "hurts": "hurts", "no measurable gain": "level", "not measured": "unmeasured"}
_DEEDS = {"rebalance": "Rebalanced", "impute": "Holes filled", "upsample": "Rows added"}
#: Origins of rows, and the classes of their bars.
_ORIGINS = {"real": "train", "imputed": "imputed", "synthetic": "synthetic"}
#: Rows of a table of classes or columns that show at once.
_ROWS = 24
#: The two arms that a picture tells from all others.
_ROLES: Mapping[str, Role] = {"augmentation": "own", "real": "real"}


def augment_html(document: Document) -> str:
    """Return the page of an augmentation's report document, as ``augment_document`` gives it."""
    title = f"{_title(document)}: augmentation of a table"
    return page(title, _header(document), _sections(document), GAINS)


def _sections(document: Document) -> Iterator[tuple[str, str, Markup]]:
    """Yield the sections as (anchor, title, content); those without content are not on the page."""
    lift = document["lift"]
    points = (lift or {}).get("points")
    yield "made", "What was made", _made(document)
    yield "gains", "What a model gains", _gains(lift) if points else Markup()
    yield "sizes", "With fewer training rows", _sizes(lift) if points else Markup()
    yield "hidden", "How well hidden cells are filled", _hidden(document["masking"])
    yield "pooled", "Statistics over the completed tables", _pooled(document["pooled"])
    yield "origin", "How this was made", _origin(document)


# --- The verdict -------------------------------------------------------------------------------------------------


def _title(document: Document) -> str:
    """Return the verdict in capitals; where the lift was switched off, what was done, unless a gate forbade that."""
    lift, gate = document["lift"], document["gate"]
    if lift is not None:
        return str(lift["verdict"]).upper()
    return "NOT MEASURED" if gate and not gate["passed"] else _DEEDS[document["mode"]].upper()


def _header(document: Document) -> Markup:
    lift = document["lift"]
    verdict = None if lift is None else lift["verdict"]
    # The gate has a line of its own below, which stands there whatever was measured.
    sentence, *told = _told({**document, "gate": None})
    lines = [element("li", line) for line in told]
    lines += _gate(document["gate"])
    lines += [element("li", mark("warn"), note) for note in document["notes"]]
    about = f"{_DEEDS[document['mode']]}: " + ("not held against a holdout" if not verdict else "what a model gains")
    colour = _COLOURS[verdict] if verdict else "unmeasured" if _title(document) == "NOT MEASURED" else "made"
    return verdict_header(about, _title(document), sentence, lines, colour)


def _told(document: Document) -> Iterator[str]:
    """Yield the sentence below the verdict, then what else speaks for it."""
    lift = document["lift"]
    if lift is None:
        yield f"{_counts(document)}. What a model gains by it was not measured."
        return
    _, _, what = headline(document).partition("  ")
    gain, *others = [*reasons(document), ""]
    # No line ends within an interval.
    yield _capital(what) + (f": {gain}.".replace(" … ", "\u00a0…\u00a0") if gain else ".")
    yield from (_capital(other) for other in others if other)


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]


def _gate(gate: Row | None) -> Iterator[Markup]:
    if gate is not None:
        wanted = gate["demand"].replace("_", " ")
        outcome = "" if gate["passed"] else ", so no table was written"
        yield element("li", mark("pass" if gate["passed"] else "fail"), f"the gate demands: {wanted}{outcome}")


# --- What was made -----------------------------------------------------------------------------------------------


def _counts(document: Document) -> str:
    """Return the output's rows by origin and their sum in words."""
    rows = {origin: count for origin, count in document["rows"].items() if count}
    return " + ".join(f"{count:,} {origin}" for origin, count in rows.items()) + f" = {sum(rows.values()):,} rows"


def _made(document: Document) -> Markup:
    account = document["account"]
    rows = {_ORIGINS[origin]: document["rows"].get(origin, 0) for origin in _ORIGINS if document["rows"].get(origin)}
    told = {_ORIGINS[origin]: f"{count:,} {origin}" for origin, count in document["rows"].items() if count}
    known = dict(_account(account))
    return fragment(
        (
            element("p", f"{_counts(document)}.", class_="lead"),
            fragment((parts_bar(rows, _counts(document)), chart_legend(told))) if rows else "",
            facts(known) if known else "",
            _classes(account.get("classes") or ()),
            _filled(account.get("filled") or ()),
            element("h3", "Tables"),
            _tables(document),
        )
    )


def _account(account: Row) -> Iterator[tuple[str, str]]:
    """Yield what else is told of what was done."""
    if account.get("without_class"):
        yield "without a class", f"{account['without_class']:,} real rows miss a cell that makes their class; kept"
    if account.get("kept_missing"):
        yield "left missing", ", ".join(account["kept_missing"])
    if "variants_of" in account:
        anew = account.get("vary")
        yield "variants of", f"{account['variants_of']:,} rows" + (f", {', '.join(anew)} drawn anew" if anew else "")


def _classes(classes: Sequence[Row]) -> Markup:
    """Return the classes before and after, with a picture of their shares."""
    if not classes:
        return Markup()
    total = sum(row["before"] for row in classes)
    before = [row["before"] / total if total else 0.0 for row in classes]
    most = max([*before, *(row["share"] for row in classes)])
    rows = [
        element(
            "tr",
            element("td", row["class"], class_="name"),
            number_cell(f"{row['before']:,}", "before"),
            number_cell(f"{row['after']:,}", "after"),
            number_cell(f"{row['drawn']:,}", "drawn"),
            number_cell(f"{percent(share)} → {percent(row['share'])}", "share"),
            element(
                "td",
                pair_bar(
                    share, row["share"], most, f"{row['class']}: {percent(share)} before, now {percent(row['share'])}"
                ),
                class_="picture",
            ),
        )
        for row, share in zip(classes, before, strict=True)
    ]
    heads = ("class", "#rows before", "#after", "#drawn", "#share", "")
    return _bars("Classes", {"train": "share before", "synthetic": "share after"}, heads, rows)


def _filled(columns: Sequence[Row]) -> Markup:
    """Return the columns whose holes were filled, with a picture of how many."""
    if not columns:
        return Markup()
    most = max(row["holes"] for row in columns)
    rows = [
        element(
            "tr",
            element("td", row["column"], class_="name"),
            number_cell(f"{row['holes']:,}", "holes"),
            number_cell(f"{row['filled']:,}", "filled"),
            number_cell(f"{row['left']:,}" if row["left"] else "–", "left"),
            element(
                "td",
                pair_bar(
                    row["holes"], row["filled"], most, f"{row['column']}: {row['filled']:,} of {row['holes']:,} holes"
                ),
                class_="picture",
            ),
        )
        for row in columns
    ]
    return _bars("Holes", {"train": "holes", "synthetic": "filled"}, ("column", "#holes", "#filled", "#left", ""), rows)


def _bars(title: str, marks: Mapping[str, str], heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    """Return a table with bars, the rows beyond the first ones folded."""
    more = len(rows) - _ROWS
    return fragment(
        (
            element("h3", title),
            chart_legend(marks),
            table(heads, rows[:_ROWS], "flow lines"),
            folded(f"The other {more:,}", table(heads, rows[_ROWS:], "flow lines")) if more > 0 else "",
        )
    )


def _tables(document: Document) -> Markup:
    """Return the tables that were read and written."""
    outputs = document["outputs"]
    named = dict(document["inputs"])
    named |= {f"output {place}" if len(outputs) > 1 else "output": row for place, row in enumerate(outputs, 1)}
    rows = [
        element(
            "tr",
            element("td", role, class_="name"),
            number_cell(f"{given['rows']:,}", "rows"),
            element("td", given["path"], class_="code"),
            hash_cell(given.get("sha256")),
        )
        for role, given in named.items()
    ]
    return fragment(
        (
            table(("table", "#rows", "file", "SHA-256"), rows, "flow lines"),
            "" if outputs else element("p", "No table was written.", class_="note"),
        )
    )


# --- What a model gains ------------------------------------------------------------------------------------------


def _find(estimates: Sequence[Row], name: str) -> Row | None:
    return next((estimate for estimate in estimates if estimate["name"] == name), None)


def _metric(name: str) -> str:
    return METRICS.get(name, name)


def _gain_words(gain: Row) -> str:
    return f"{signed(gain['value'])} ({signed(gain['low'])} … {signed(gain['high'])})"


def _gains(lift: Row) -> Markup:
    """Return the gains of all arms at the largest size on one axis, and their scores as a table."""
    points = at_largest(lift)
    primary = lift["primary"]
    gains = [(point["arm"], _find(point["gains"], primary)) for point in points]
    # The augmentation comes first: it is what the page is about.
    dots = [
        Dot(arm_name(arm), _ROLES.get(arm, "other"), gain, _gain_words(gain))
        for arm, gain in sorted(gains, key=lambda pair: pair[0] != "augmentation")
        if gain is not None and measured(gain)
    ]
    missing = [
        {"name": arm_name(point["arm"]), "detail": score["detail"] or "no reason is known"}
        for point in points
        if (score := _find(point["scores"], primary)) is not None and not measured(score)
    ]
    lead = (
        f"A model that predicts {lift['target']} is trained on what each means makes of the same "
        f"{points[0]['rows']:,} training rows, and tried on the same {lift['holdout_rows']:,} holdout rows. A gain is "
        "the difference to the rows as they are, with its 95 % interval; one that leaves out 0 (*) is more than chance."
    )
    name = _metric(primary)
    chart = dot_chart(
        dots,
        label=f"Gain in {name} over the rows as they are, from {points[0]['rows']:,} training rows",
        x_name=f"gain in {name}",
            ways=("← worse", "better →"),
        upright=(0.0, arm_name("real")),
    ) if dots else Markup()  # fmt: skip
    return fragment(
        (
            element("p", lead, class_="lead"),
            element(
                "div",
                element("figure", element("h3", f"Gain in {name}"), chart) if chart else "",
                element("div", element("h3", "All metrics, with gains"), _scores(points)),
                class_="duo",
            ),
            *(
                element("p", f"Not measured: {arms}: {reason}", class_="note")
                for reason, arms in names_by_reason(missing).items()
            ),
            *(element("p", line, class_="note") for line in legend(lift) if line),
        )
    )


def _scores(points: Sequence[Row]) -> Markup:
    """Return a line an arm, a column a metric: the score, and below it what it gains."""
    found: dict[str, Row] = {}
    for point in points:
        for score in point["scores"]:
            found.setdefault(score["name"], score)
    shown = [name for name in METRICS if name in found] + [name for name in found if name not in METRICS]
    heads = [f"#{_metric(name)}{ARROWS.get(found[name].get('direction', ''), '')}" for name in shown]
    rows = [
        element(
            "tr",
            element("td", arm_name(point["arm"]), class_="name"),
            *_scores_of(point, shown),
            class_="own" if point["arm"] == "augmentation" else None,
        )
        for point in points
    ]
    return table(("", *heads), rows, "flow lines")


def _scores_of(point: Row, shown: Sequence[str]) -> Sequence[Markup]:
    if not any(map(measured, point["scores"])):
        return [element("td", "not measured", class_="number quiet", colspan=len(shown))]
    return [_score(_find(point["scores"], name), _find(point["gains"], name), _metric(name)) for name in shown]


def _score(score: Row | None, gain: Row | None, name: str) -> Markup:
    if score is None or not measured(score):
        return number_cell("–", name)
    if gain is None or not measured(gain):
        return element("td", number(score["value"]), class_="number", data_name=name)
    return element("td", number(score["value"]), _gain(gain), class_="number", data_name=name)


def _gain(gain: Row) -> Markup:
    """Return a gain that says by a star, and by its colour, whether its interval leaves out 0."""
    sure = gain["low"] > 0 or gain["high"] < 0
    better = (gain["value"] > 0) == (gain.get("direction") != "lower")
    class_ = ("gain better" if better else "gain worse") if sure else "gain"
    return element("span", signed(gain["value"]) + "*" * sure, class_=class_, title=_gain_words(gain))


# --- The small-data curve ----------------------------------------------------------------------------------------


def _sizes(lift: Row) -> Markup:
    """Return the scores and the gains over the number of training rows; nothing where there is one size only."""
    sizes = sorted({point["rows"] for point in lift["points"]})
    if len(sizes) < 2:
        return Markup()
    name = _metric(lift["primary"])
    lead = (
        "Augmentation pays where rows are scarce, if it does: the same at each number of training rows, with 95 % "
        "intervals. Gains are differences in the same repetition, which makes them surer than the scores are."
    )
    scores, gains = _series(lift, "scores"), _series(lift, "gains")
    return fragment(
        (
            element("p", lead, class_="lead"),
            element(
                "div",
                _curve(f"{name} by training rows", scores, name),
                _curve(f"Gain in {name} by training rows", gains, f"gain in {name}", arm_name("real")),
                class_="duo",
            ),
            folded("The curves as a table", _points(lift, sizes)),
        )
    )


def _series(lift: Row, kind: str) -> list[Series]:
    """Return an arm's estimates of a kind (``scores``, ``gains``) in the primary metric, by size."""
    found: dict[str, dict[int, Row]] = {}
    for point in lift["points"]:
        estimate = _find(point[kind], lift["primary"])
        if estimate is not None and measured(estimate):
            found.setdefault(point["arm"], {})[point["rows"]] = estimate
    return [Series(arm_name(arm), _ROLES.get(arm, "other"), estimates) for arm, estimates in found.items()]


def _curve(title: str, series: Sequence[Series], y_name: str, zero: str | None = None) -> Markup:
    if not series:
        return Markup()
    chart = size_chart(series, label=title, y_name=y_name, zero=zero)
    return element("figure", element("h3", title), chart)


def _points(lift: Row, sizes: Sequence[int]) -> Markup:
    """Return all points as a table, size by size."""
    rows: list[Markup] = []
    for size in sizes:
        rows.append(element("tr", element("td", f"{size:,} training rows", colspan=5), class_="size"))
        rows += [_point(point, lift["primary"]) for point in lift["points"] if point["rows"] == size]
    name = _metric(lift["primary"])
    return table(("", f"#{name}", "#95 % interval", "#gain", "#95 % interval"), rows, "flow")


def _point(point: Row, primary: str) -> Markup:
    score, gain = _find(point["scores"], primary), _find(point["gains"], primary)
    return element(
        "tr",
        element("td", arm_name(point["arm"]), class_="name"),
        *_estimate_cells(score, _metric(primary)),
        *_estimate_cells(gain, "gain", sign=True),
        class_="own" if point["arm"] == "augmentation" else None,
    )


def _estimate_cells(estimate: Row | None, name: str, *, sign: bool = False) -> tuple[Markup, Markup]:
    """Return the cells of a value and its interval."""
    if estimate is None or not measured(estimate):
        return number_cell("–", name), number_cell("–", "interval")
    told = signed if sign else number
    interval = f"{told(estimate['low'])} … {told(estimate['high'])}"
    return number_cell(told(estimate["value"]), name), number_cell(interval, "interval")


# --- Hidden cells ------------------------------------------------------------------------------------------------

#: What is measured of hidden cells: its name in a table's head, and the title of its picture where it has one.
_HIDDEN = {
    "right": ("right", ""),
    "error": ("error/sd", ""),
    "tvd": ("TVD", "Distance of distributions (TVD)"),
    "pairs": ("pairs", ""),
    "dependence": ("dependence", "Dependence"),
}


def _hidden(masking: Row | None) -> Markup:
    """Return a table and two pictures for each pattern in which known cells were hidden."""
    if not masking or not masking["patterns"]:
        return Markup()
    lead = "Known cells are hidden, filled, and held against what they were; each value with its 95 % interval."
    return fragment(
        (
            element("p", lead, class_="lead"),
            *(part for pattern in masking["patterns"] for part in _pattern(pattern)),
            element("p", masking["legend"], class_="note") if masking["legend"] else "",
        )
    )


def _pattern(pattern: Row) -> Iterator[Markup]:
    methods = pattern["methods"]
    shown = [key for key in _HIDDEN if any(key in row for row in methods)]
    yield element("h3", pattern["title"])
    rows = [
        element(
            "tr",
            element("td", arm_name(row["method"]), class_="name"),
            *(_hidden_cell(row.get(key), _HIDDEN[key][0]) for key in shown),
            class_="own" if row["method"] == "augmentation" else None,
        )
        for row in methods
    ]
    heads = [f"#{_HIDDEN[key][0]}{_arrow(methods, key)}" for key in shown]
    yield table(("", *heads), rows, "flow lines")
    pictures = [_hidden_figure(pattern, key, title) for key, (_, title) in _HIDDEN.items() if title]
    if any(pictures):
        yield element("div", *pictures, class_="duo")
    yield from _unfilled(methods)


def _unfilled(methods: Sequence[Row]) -> Iterator[Markup]:
    """Yield what could not be measured of which method, and why."""
    missing = [
        {"name": f"{arm_name(row['method'])} ({name})", "detail": estimate["detail"]}
        for row in methods
        for key, (name, _) in _HIDDEN.items()
        if (estimate := row.get(key)) is not None and not measured(estimate) and estimate.get("detail")
    ]
    for reason, names in names_by_reason(missing).items():
        yield element("p", f"Not measured: {names}: {reason}", class_="note")


def _arrow(methods: Sequence[Row], key: str) -> str:
    """Return which way is better, as the estimates say."""
    known = (estimate.get("direction", "") for row in methods if (estimate := row.get(key)) is not None)
    return ARROWS.get(next(known, ""), "")


def _hidden_cell(estimate: Row | None, name: str) -> Markup:
    if estimate is None or not measured(estimate):
        return number_cell("–", name)
    if estimate.get("low") is None:
        return number_cell(number(estimate["value"]), name)
    interval = f"{number(estimate['low'])} … {number(estimate['high'])}"
    return element(
        "td", number(estimate["value"]), element("span", interval, class_="gain"), class_="number", data_name=name
    )


def _hidden_figure(pattern: Row, key: str, title: str) -> Markup:
    """Return the methods' values of one measure on one axis; nothing where no method has one."""
    dots = [
        Dot(arm_name(row["method"]), _ROLES.get(row["method"], "other"), estimate, number(estimate["value"]))
        for row in pattern["methods"]
        if (estimate := row.get(key)) is not None and measured(estimate)
    ]
    if not dots:
        return Markup()
    lower = _arrow(pattern["methods"], key) == ARROWS["lower"]
    chart = dot_chart(
        dots,
        label=f"{pattern['title']}: {title}",
        x_name=_HIDDEN[key][0],
        upright=_perfect(dots) if lower else None,
        ways=("← better", "worse →") if lower else ("", ""),
    )
    return element("figure", element("h3", title), chart)


def _perfect(dots: Sequence[Dot]) -> tuple[float, str]:
    """Return what is perfect where less is better: the reference, as far as there is one, else 0."""
    known = [dot.estimate["reference"] for dot in dots if dot.estimate.get("reference") is not None]
    return (known[0], f"perfect {number(known[0])}") if known else (0.0, "0: perfect")


def _pooled(pooled: Sequence[Row] | None) -> Markup:
    """Return the statistics that Rubin's rules give over several completed tables."""
    if not pooled:
        return Markup()
    lead = (
        "Pooled by Rubin's rules: the standard error adds what differs between the completed tables to what chance "
        "makes within each. FMI is the share of information that the holes cost."
    )
    rows = [
        element(
            "tr",
            element("td", row["column"], class_="name"),
            element("td", row["statistic"], data_name="statistic"),
            number_cell(number(row["value"]), "value"),
            number_cell(number(row["se"]), "SE"),
            number_cell(f"{number(row['low'])} … {number(row['high'])}", "interval"),
            number_cell(_freedom(row["df"]), "df"),
            number_cell("–" if row["fmi"] is None else percent(row["fmi"]), "FMI"),
        )
        for row in pooled
    ]
    heads = ("column", "statistic", "#value", "#SE", "#95 % interval", "#df", "#FMI")
    return fragment((element("p", lead, class_="lead"), table(heads, rows, "flow")))


def _freedom(df: float | None) -> str:
    """Return degrees of freedom; a document in JSON has nothing where they are infinite."""
    return "∞" if df is None or df == inf else f"{df:,.0f}"


# --- Origin ------------------------------------------------------------------------------------------------------


def _origin(document: Document) -> Markup:
    generator = document["generator"]
    set_by_hand = generator.get("parameters") or {}
    told = {
        "made": document["created_at"],
        "seed": str(document["seed"]),
        "generator": str(generator.get("kind", "")),
        **(
            {"parameters": ", ".join(f"{name}: {scalar(value)}" for name, value in set_by_hand.items())}
            if set_by_hand
            else {}
        ),
        "versions": ", ".join(f"{name} {version}" for name, version in document["versions"].items()),
    }
    return fragment((facts(told), configuration(document["config"])))
