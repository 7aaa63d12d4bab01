"""What ``refresh``, ``status`` and ``history`` say in a terminal: the verdict first, then why, then the figures.

All three are rendered from plain documents, and nothing is computed here: what exceeds its noise is marked, what is
largest comes first, and a date is a date. Tables leave out their least columns where a console is narrow, so that no
line is longer than it and no word is cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import zip_longest
from math import isfinite
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from synthcli.progress import visible
from synthcli.reports.terminal import plain_table
from synthcli.reports.words import MARKS, MEANINGS, number, signed

Row = Mapping[str, Any]
_GOOD, _BAD, _CARE = "bold green", "bold red", "bold yellow"
_STYLES = {
    "promoted": _GOOD,
    "kept": _GOOD,
    "unchanged": _GOOD,
    "rejected": _CARE,
    "planned": _CARE,
    "stopped": _CARE,
    "rolled_back": _CARE,
    "failed": _BAD,
    "pass": _GOOD,
    "fail": _BAD,
}
#: What may call for a new generator.
_TRIGGERS = {
    "no_champion": "no champion",
    "damaged": "champion damaged",
    "forced": "asked for",
    "settings": "settings changed",
    "versions": "library versions changed",
    "schema": "columns changed",
    "no_reference": "no counts of what the champion learned from",
    "psi": "PSI",
    "tvd": "TVD",
    "missing": "missing cells",
    "new_categories": "new categories",
    "c2st": "C2ST AUC",
    "new_rows": "new rows",
    "age": "age of the champion",
}
#: Triggers whose figures are shares.
_SHARES = ("missing", "new_categories", "new_rows")
#: The figures of a run that ``history`` follows: title, name among the run's figures.
_FOLLOWED = {
    "accuracy": "accuracy.bivariate",
    "C2ST AUC": "similarity.c2st_auc",
    "DCR share": "privacy.dcr_share",
    "utility": "utility.ratio",
}
#: The parts of the rows that there are.
_PARTS = {
    "rows": "in all",
    "train_rows": "to train",
    "fit_rows": "fitted",
    "inner_rows": "compared on",
    "holdout_rows": "holdout",
}
_SIDES = ("challenger", "champion")
_BLOCKS = "▁▂▃▄▅▆▇█"
#: How many names or reasons are listed, how many versions, and how many runs a sparkline shows.
_LISTED, _VERSIONS, _RECENT = 5, 10, 30


# --- One refresh -------------------------------------------------------------------------------------------------


def refresh_report(document: Row, explain: bool = False) -> RenderableType:
    """Render what came of a refresh; ``explain`` adds every trigger, the drift of each column and each seed's score."""
    parts = [*_headline(_verdict(document), _STYLES.get(document["outcome"], "bold"), [document.get("why")])]
    parts += [Rule(style="dim"), _facts(_refresh_facts(document))]
    if explain:
        parts += [part for table in _explained(document) for part in (Text(), table)]
    return Group(*parts)


def _verdict(document: Row) -> str:
    outcome, version, champion = document["outcome"], document.get("version"), document.get("champion")
    stays = "there is no champion" if champion is None else f"champion {_numbered(champion)} stays"
    if outcome == "promoted":
        previous = document.get("previous")
        before = "the first one" if previous is None else f"before it {_numbered(previous)}"
        return f"promoted: version {_numbered(champion if version is None else version)} is champion now, {before}"
    if outcome == "rejected":
        return f"rejected: challenger {_numbered(version)}; {stays}"
    if outcome == "kept":
        return f"kept: {stays}, nothing calls for a new one"
    if outcome == "unchanged":
        return f"unchanged: nothing new since the last refresh; {stays}"
    if outcome == "planned":
        first = "planned: would fit a first generator"
        return first if champion is None else f"planned: would refit; {stays} until then"
    return f"{_event(outcome)}: {stays}"


def _refresh_facts(document: Row) -> Iterator[_Fact]:
    """Yield a refresh's facts, those of each kind one after the other; what is not in the document has none."""
    if document.get("at"):
        yield "at", _moment(document["at"])
    if document.get("previous") is not None and document["outcome"] != "promoted":
        yield "previous", _numbered(document["previous"])
    yield from _source_facts(document.get("source") or {})
    yield from _drift_facts(document.get("drift") or {})
    yield from _reasons(document.get("triggers") or [])
    yield from _contest_facts(document)
    yield from _gate_facts(document.get("gates") or {})
    if document.get("pruned"):
        yield "pruned", _Items([_numbered(version) for version in document["pruned"]])
    for name in ("report", "sampled"):
        if document.get(name):
            yield name, document[name]
    for hook in document.get("hooks") or []:
        line = f"{hook['command']}: exit {hook['exit_code']}, {hook['seconds']:.1f} s"
        yield "hook", _text(line, _BAD if hook["exit_code"] else "")


def _source_facts(source: Row) -> Iterator[_Fact]:
    files = [_counted(source["files"], "file")] if source.get("files") is not None else []
    changes = source.get("changes") or {}
    files += [f"{name}: {_some(changes[name])}" for name in ("new", "changed", "gone") if changes.get(name)]
    files += [f"newest row {source['newest']}"] if source.get("newest") else []
    if files:
        yield "data", _Items(files, ";")
    told = [f"{source[name]:,} {words}" for name, words in _PARTS.items() if source.get(name) is not None]
    if told:
        yield "rows", _Items(told)
    share = f", {_percent(source['new_share'])} of those to train" if source.get("new_share") is not None else ""
    if source.get("new_rows") is not None:
        yield "new rows", f"{source['new_rows']:,}{share}"


def _drift_facts(drift: Row) -> Iterator[_Fact]:
    """Yield the largest drift of a column that counts, and how well new rows are told from known ones."""
    judged = [column for column in drift.get("columns") or [] if not column["ignored"]]
    if judged:
        largest = {name: max(judged, key=lambda column: column["whole"][name]) for name in ("psi", "tvd")}
        told = [f"{name.upper()} {number(row['whole'][name])} ({row['name']})" for name, row in largest.items()]
        yield "drift", _Items(["at most " + told[0], *told[1:]])
    if apart := drift.get("c2st"):
        interval = f"{number(apart['low'])} … {number(apart['high'])}"
        yield "drift", f"C2ST AUC {number(apart['auc'])} ({interval}) of new rows against known, {apart['rows']:,} rows"


def _reasons(triggers: Sequence[Row]) -> Iterator[_Fact]:
    met = [trigger for trigger in triggers if trigger["met"]]
    for trigger in met[:_LISTED]:
        value, limit = _trigger_figures(trigger)
        figures = f" {value}" * (value != "–") + f", limit {limit}" * (limit != "–")
        note = trigger.get("note")
        yield "reasons", _trigger_words(trigger) + figures + (f": {note}" if note else "")
    if len(met) > _LISTED:
        yield "reasons", f"and {len(met) - _LISTED} more, which --explain lists"
    if triggers and not met:
        yield "reasons", f"none of {len(triggers)} met"


def _contest_facts(document: Row) -> Iterator[_Fact]:
    contest = document.get("contest")
    if not contest:
        if document.get("no_contest"):
            yield "contest", f"none: {document['no_contest']}"
        return
    sides = [f"{side} {number(contest[side]['score'])} ±{contest[side]['sd']:.3f}" for side in _SIDES]
    words, style = ("holds", _GOOD) if contest["holds"] else ("does not hold", _BAD)
    yield "contest", _Items([*sides, Text.assemble(f"margin {number(contest['margin'])}: ", (words, style))])
    margin = "margin from the seeds" if contest.get("margin_from") == "seeds" else "margin from the configuration"
    told = f"difference {signed(contest['difference'])}", margin
    yield "contest", _Items([*told, f"{contest['rows']:,} rows", _counted(len(contest["seeds"]), "seed")])


def _gate_facts(gates: Row) -> Iterator[_Fact]:
    """Yield the gates' verdict, what failed and what that means, and the figures that history follows."""
    if not gates:
        return
    verdict, look = gates.get("verdict") or "", gates.get("look")
    mark = (MARKS.get(verdict) or "not judged", _STYLES.get(verdict, ""))
    yield "gates", Text.assemble(mark, "" if look is None else f", look {look} at the holdout")
    figures: Mapping[str, float] = gates.get("figures") or {}
    failed: Sequence[str] = gates.get("failed") or []
    for name in failed:
        value = f" {number(figures[name])}" if name in figures else ""
        yield "gates", f"{name}{value}: {MEANINGS.get(name, 'outside its limit')}"
    others = [
        f"{name} {number(figures[name])}" for name in _FOLLOWED.values() if name in figures and name not in failed
    ]
    if others:
        yield "gates", _Items(others)


# --- One refresh, explained --------------------------------------------------------------------------------------


def _explained(document: Row) -> Iterator[RenderableType]:
    if document.get("triggers"):
        yield _triggers(document["triggers"])
    if (document.get("drift") or {}).get("columns"):
        yield _drift(document["drift"])
    if document.get("contest"):
        yield _contest(document["contest"])


def _triggers(triggers: Sequence[Row]) -> RenderableType:
    """Render what may call for a new generator, one line each: what is met comes first."""
    rows: list[_Line] = []
    for trigger in sorted(triggers, key=lambda trigger: not trigger["met"]):
        style = _CARE if trigger["met"] else ""
        figures, note = list(_trigger_figures(trigger)), trigger.get("note") or ""
        if max(map(len, figures)) > 12:  # words, for which a column of figures has no room
            told = [f"{key}: {cell}" for key, cell in zip(("value", "limit"), figures, strict=True) if cell != "–"]
            note, figures = "; ".join(filter(None, [*told, note])), ["", ""]
        met = "yes" if trigger["met"] else "no"
        rows.append((_text(_trigger_words(trigger), style), *map(_text, figures), Text(met, style)))
        rows += [_indented(note, "dim")] if note else []
    first, last = _Column("what calls for a refit", left=True), _Column("met", left=True)
    return _Grid((first, _Column("value"), _Column("limit"), last), rows, indent=2)


def _drift(drift: Row) -> RenderableType:
    """Render the drift of each column, of all rows and of the new ones: what exceeds its noise first, then by PSI."""
    columns = [_Column("drift", left=True), _Column("", left=True)]
    for place, title in enumerate(("PSI", "TVD", "missing")):
        columns += [_Column(title), _Column("noise", rank=1 + place, gap=1)]
    columns += [_Column("new cat."), _Column("expected", rank=5, gap=1), _Column("noise", rank=4, gap=1)]
    rows: list[_Line] = []
    for column in sorted(drift["columns"], key=_by_drift):
        kind = f"{column['kind']}, ignored" if column["ignored"] else column["kind"]
        name = _text(f"{column['name']} ({kind})", "dim" if column["ignored"] else "bold")
        rows.append((name, Text("all"), *_shift(column["whole"])))
        if column.get("new"):
            rows.append((Text(), Text("new"), *_shift(column["new"])))
    return Group(_Grid(columns, rows, indent=2), *(Text(line, "dim") for line in _drift_legend(drift)))


def _by_drift(column: Row) -> tuple[bool, bool, float]:
    shifts = [shift for shift in (column["whole"], column.get("new")) if shift]
    return column["ignored"], not any(map(any, map(_above_noise, shifts))), -column["whole"]["psi"]


def _above_noise(shift: Row) -> tuple[bool, bool, bool, bool]:
    """Return whether PSI, TVD, missing cells and new categories exceed what so many rows make of one law."""
    return (
        shift["psi"] > shift["psi_floor"],
        shift["tvd"] > shift["tvd_floor"],
        abs(shift["missing"]) > shift["missing_floor"],
        shift["new_categories"] - shift["expected"] > shift["new_floor"],
    )


def _shift(shift: Row) -> Iterator[Text]:
    """Yield a line's cells: each effect, marked where it exceeds its noise, and the noise."""
    psi, tvd, missing, new = _above_noise(shift)
    yield from (_marked(_brief(shift["psi"]), psi), Text(_brief(shift["psi_floor"]), "dim"))
    yield from (_marked(_brief(shift["tvd"]), tvd), Text(_brief(shift["tvd_floor"]), "dim"))
    yield _marked(_brief(shift["missing"], share=True, sign="+"), missing)
    yield Text(_brief(shift["missing_floor"], share=True), "dim")
    yield _marked(_brief(shift["new_categories"], share=True), new)
    yield from (Text(_brief(shift[name], share=True), "dim") for name in ("expected", "new_floor"))


def _marked(figure: str, above: bool) -> Text:
    return Text(f"{figure}*", _CARE) if above else Text(f"{figure} ")


def _brief(value: float, share: bool = False, sign: str = "") -> str:
    """Return three decimals, or a share in percent with one; what would read as zero is told from none at all.

    >>> _brief(0.1234), _brief(0.0001), _brief(0.0), _brief(0.0123, share=True, sign="+"), _brief(-0.0001, share=True)
    ('0.123', '<.001', '0.000', '+1.2%', '<.1%')
    """
    if share:
        told = f"{100 * value:{sign}.1f}%" if abs(value) >= 0.0005 else "<.1%"
        return told if value else "0.0%"
    return f"{value:{sign}.3f}" if abs(value) >= 0.0005 or not value else "<.001"


def _drift_legend(drift: Row) -> Iterator[str]:
    yield "* above noise, which is what chance makes of so many rows; new cat.: cells with a category not seen before"
    looked = next((column["new"]["rows"] for column in drift["columns"] if column.get("new")), None)
    by = "" if looked in (None, drift["new_rows"]) else f", measured by {looked:,}"
    yield (
        f"all: {drift['rows']:,} rows that would be learned now, against the {drift['reference_rows']:,} that the "
        f"champion learned from; new: the {drift['new_rows']:,} ({_percent(drift['new_share'])}) that it has not "
        f"seen{by}"
    )


def _contest(contest: Row) -> RenderableType:
    """Render both sides' scores seed by seed, their means, and what the scores are made of."""
    sides = [contest[side] for side in _SIDES]
    table = plain_table(
        "score", *(f"{name} {_numbered(side['version'])}" for name, side in zip(_SIDES, sides, strict=True))
    )
    for seed, *scores in zip_longest(contest["seeds"], *(side["scores"] for side in sides)):
        table.add_row("seed –" if seed is None else f"seed {seed}", *map(number, scores))
    names = {"mean": "score", "deviation": "sd", "accuracy": "accuracy", "utility": "utility", "C2ST AUC": "c2st"}
    for title, name in names.items():
        style = "bold" if title == "mean" else ""
        table.add_row(Text(title, style), *(Text(number(side.get(name)), style) for side in sides))
    return table


def _trigger_words(trigger: Row) -> str:
    words = _TRIGGERS.get(trigger["name"], trigger["name"].replace("_", " "))
    return f"{words} of {trigger['column']}" if trigger.get("column") else words


def _trigger_figures(trigger: Row) -> tuple[str, str]:
    value, limit = (_trigger_figure(trigger["name"], trigger.get(key)) for key in ("value", "limit"))
    return value, limit


def _trigger_figure(name: str, value: float | str | None) -> str:
    """Return a trigger's value or limit in its unit; a number that is an age is one of seconds."""
    if value is None or isinstance(value, str):
        return value or "–"
    if name == "age":
        return _age(value)
    return _percent(value) if name in _SHARES else number(value)


# --- How things stand --------------------------------------------------------------------------------------------


def status_report(document: Row) -> RenderableType:
    """Render whether the generator is fresh or stale and why, what there is and how old it is, and the versions."""
    stale, reasons = document["stale"], document.get("reasons") or []
    first, *others = reasons or [_state(document)]
    parts = [*_headline(f"{'stale' if stale else 'fresh'}: {first}", _CARE if stale else _GOOD, others)]
    parts += [Rule(style="dim"), _facts(_status_facts(document))]
    if document.get("versions"):
        parts += [Text(), *_versions(document["versions"])]
    return Group(*parts)


def _state(document: Row) -> str:
    """Return what the verdict rests on where no reason is given."""
    champion, healthy = document.get("champion"), document.get("last_healthy")
    state = "there is no champion" if champion is None else f"champion {_numbered(champion)} is in force"
    age = (healthy or {}).get("age_seconds")
    return state if age is None else f"{state}, last found right {_age(age)} ago"


def _status_facts(document: Row) -> Iterator[_Fact]:
    yield "champion", _champion(document)
    if document.get("champion_created"):
        yield "fitted", _ago(document.get("champion_age_seconds"), document["champion_created"])
    for name in ("previous", "latest"):
        if document.get(name) is not None:
            yield name, _numbered(document[name])
    yield from _data_facts(document.get("data") or {})
    if check := document.get("last_check"):
        why = f": {check['why']}" if check.get("why") else ""
        yield "last check", f"{_ago(check['age_seconds'], check['at'])}, {_event(check['outcome'])}{why}"
    if healthy := document.get("last_healthy"):
        yield "last healthy", _ago(healthy["age_seconds"], healthy["at"])
    if document.get("max_age"):
        yield "stale after", document["max_age"]
    if lock := document.get("lock"):
        by = "" if lock.get("pid") is None else f" by process {lock['pid']}"
        yield "lock", Text(f"held{by}, which is at work", _CARE) if lock["held"] else "free"


def _champion(document: Row) -> Text:
    if document.get("champion") is None:
        return Text("none", _CARE)
    rows = document.get("champion_rows")
    facts = [_numbered(document["champion"]), document.get("kind"), None if rows is None else f"{rows:,} rows"]
    told = _text(", ".join(fact for fact in facts if fact))
    if document.get("intact") is None:
        return told.append(", files not looked at", "dim")
    return told.append(", ").append(*("intact", "") if document["intact"] else ("damaged", _BAD))


def _data_facts(data: Row) -> Iterator[_Fact]:
    told, age = [], data.get("age_seconds")
    if data.get("newest"):
        old = "" if age is None else ", in the future" if age < 0 else f", {_age(age)} old"
        told.append(f"newest row {data['newest']}{old}")
    elif age is not None:
        told.append(f"{_age(age)} old")
    told += [_counted(data["files"], "file")] if data.get("files") is not None else []
    if told:
        yield "data", _Items(told, ";")


def _versions(versions: Sequence[Row]) -> Iterator[RenderableType]:
    """Yield a table of the newest versions, newest first, and how many are older."""
    newest = sorted(versions, key=lambda version: -version["version"])
    columns = (
        _Column("version", left=True),
        _Column("kind", left=True),
        _Column("created", left=True, rank=1),
        _Column("UTC", left=True, rank=3, gap=1),
        _Column("rows", rank=2),
        _Column("aliases", left=True),
    )
    rows = []
    for version in newest[:_VERSIONS]:
        aliases = ", ".join(version.get("aliases") or [])
        count = "–" if version.get("rows") is None else f"{version['rows']:,}"
        cells = (_numbered(version["version"]), version["kind"], *_day_and_time(version["created"]), count, aliases)
        rows.append(tuple(_text(cell, "bold" if "champion" in aliases else "") for cell in cells))
    yield _Grid(columns, rows)
    if len(newest) > _VERSIONS:
        yield Text(f"and {len(newest) - _VERSIONS} older", "dim")


# --- What was before ---------------------------------------------------------------------------------------------


def history_report(document: Row) -> RenderableType:
    """Render the runs, one line each and oldest first, below the courses of what the challengers scored."""
    runs: Sequence[Row] = document.get("runs") or []
    if not runs:
        return Text("no refresh has been recorded yet")
    counts = Counter(_event(run["event"]) for run in runs)
    told = ", ".join(f"{count} {event}" for event, count in counts.items())
    last = f"last run: {_event(runs[-1]['event'])}"
    why = f"; {runs[-1]['why']}" if runs[-1].get("why") else ""
    parts = [*_headline(f"{_counted(len(runs), 'run')}: {told}", "bold", [last + why])]
    return Group(*parts, Rule(style="dim"), *_courses(runs), _runs(runs))


def sparkline(values: Sequence[float | None]) -> str:
    """Return one block a value, the higher the larger, from the least value to the largest; a gap where there is none.

    >>> sparkline([0, 1, None, 7]), sparkline([0.5, 0.5])
    ('▁▂ █', '▄▄')
    """
    known = [Fraction(value) for value in values if value is not None and isfinite(value)]
    low, span = (min(known), max(known) - min(known)) if known else (Fraction(), Fraction())

    def block(value: float | None) -> str:
        if value is None or not isfinite(value):
            return " "
        # Exact, so that no two values change places and no span is lost to rounding.
        return _BLOCKS[min(int(8 * (Fraction(value) - low) / span), 7)] if span else _BLOCKS[3]

    return "".join(map(block, values))


def _courses(runs: Sequence[Row]) -> Iterator[RenderableType]:
    """Yield a sparkline for each figure that is followed, over the same runs: the last ones that have any."""
    measured = [figures for figures in map(_followed, runs) if any(value is not None for value in figures.values())]
    grid = _grid()
    for title in ("score", *_FOLLOWED):
        course = [figures[title] for figures in measured[-_RECENT:]]
        known = [value for value in course if value is not None]
        if known:
            grid.add_row(Text(title, "bold"), Text(sparkline(course)), f"{number(known[0])} → {number(known[-1])}")
    if grid.row_count:
        older = f" of {len(measured)}" if len(measured) > _RECENT else ""
        told = f"over the last {_counted(min(len(measured), _RECENT), 'run')}{older} in which something was measured"
        yield from (grid, Text(told, "dim"), Text())


def _followed(run: Row) -> dict[str, float | None]:
    figures = run.get("figures") or {}
    return {"score": run.get("score"), **{title: figures.get(name) for title, name in _FOLLOWED.items()}}


def _runs(runs: Sequence[Row]) -> RenderableType:
    columns = (
        _Column("date", left=True),
        _Column("UTC", left=True, rank=9, gap=1),
        _Column("event", left=True),
        _Column("version"),
        _Column("rows", rank=5),
        _Column("new", rank=6),
        _Column("PSI", rank=7),
        _Column("score"),
        _Column("champion's", rank=8),
        _Column("accuracy", rank=1),
        _Column("C2ST", rank=2),
        _Column("DCR", rank=3),
        _Column("utility", rank=4),
        _Column("why", left=True, rank=6, flexible=True),
    )
    rows = []
    for run in runs:
        score, *figures = (number(value) for value in _followed(run).values())
        share = run.get("new_share")
        before = (
            "–" if run.get("version") is None else _numbered(run["version"]),
            "–" if run.get("rows") is None else f"{run['rows']:,}",
            "–" if share is None else _percent(share),
            number(run.get("psi")),
        )
        cells = (*before, score, number(run.get("champion_score")), *figures, run.get("why") or "")
        day, time = map(_text, _day_and_time(run.get("at")))
        rows.append((day, time, _text(_event(run["event"]), _STYLES.get(run["event"], "")), *map(_text, cells)))
    return _Grid(columns, rows)


# --- In words ----------------------------------------------------------------------------------------------------


def _numbered(version: int | None) -> str:
    """Return a version's number as its folder is called."""
    return "–" if version is None else f"{version:04d}"


def _event(name: str) -> str:
    return name.replace("_", " ")


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    """Return the first names, and how many there are beside them."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _percent(share: float) -> str:
    """Return a share in percent with one decimal; below one percent with two significant digits.

    >>> _percent(0.1034), _percent(0.00421), _percent(0.0)
    ('10.3%', '0.42%', '0.0%')
    """
    return f"{100 * share:.1f}%" if not share or abs(share) >= 0.01 else f"{100 * share:.2g}%"


def _age(seconds: float) -> str:
    """Return a span of time in the unit that people would use.

    >>> _age(20), _age(60), _age(5400), _age(7200), _age(86_400 * 9)
    ('less than a minute', '1 minute', '90 minutes', '2 hours', '9 days')
    """
    if seconds < 60:
        return "less than a minute"
    for unit, length, most in (("minute", 60, 120), ("hour", 3600, 48)):
        if seconds < most * length:
            return _counted(round(seconds / length), unit)
    return _counted(round(seconds / 86_400), "day")


def _ago(seconds: float | None, at: str | None) -> str:
    return _moment(at) if seconds is None else f"{_age(seconds)} ago ({_moment(at)})"


def _moment(at: str | None) -> str:
    day, time = _day_and_time(at)
    return f"{day} {time} UTC" if time else day


def _day_and_time(at: str | None) -> tuple[str, str]:
    """Return the day and the time of an instant in UTC, a dash where there is none; another text stays as it is."""
    if at is None:
        return "–", ""
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return at, ""
    instant = instant if instant.tzinfo is None else instant.astimezone(UTC)
    return f"{instant:%Y-%m-%d}", f"{instant:%H:%M}"


# --- On the console ----------------------------------------------------------------------------------------------


def _headline(line: str, style: str, others: Sequence[str | None]) -> Iterator[RenderableType]:
    """Yield the verdict, and below it what else is to be said, a line each."""
    yield _text(line, style)
    yield from (_indented(other) for other in others if other)


def _text(text: str, style: str = "") -> Text:
    return Text(visible(text), style)


def _indented(text: str, style: str = "") -> RenderableType:
    return Padding(_text(text, style), (0, 0, 0, 2), expand=False)


def _grid() -> Table:
    """Return an empty table of names and facts, of which only the facts wrap."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    return grid


def _facts(facts: Iterable[_Fact]) -> RenderableType:
    """Render facts as two columns; a name stands once, however many facts it has."""
    grid, before = _grid(), ""
    for name, fact in facts:
        grid.add_row(Text("" if name == before else name, "bold"), _text(fact) if isinstance(fact, str) else fact)
        before = name
    return grid


@dataclass(frozen=True, slots=True)
class _Items:
    """A list on as many lines as it needs, which end between two of its items."""

    items: Sequence[str | Text]
    mark: str = ","

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widths = [item.cell_len for item in self._marked()]
        return Measurement(max(widths), sum(widths) + len(widths) - 1).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text()
        for item in self._marked():
            if line and line.cell_len + 1 + item.cell_len > options.max_width:
                yield line
                line = Text()
            line.append(" " if line else "").append_text(item)
        yield line

    def _marked(self) -> list[Text]:
        texts = [_text(item) if isinstance(item, str) else item.copy() for item in self.items]
        return [*(text.append(self.mark) for text in texts[:-1]), *texts[-1:]]


#: A fact's name, and what it is.
_Fact = tuple[str, str | Text | _Items]


class _Column(NamedTuple):
    """A column of a grid.

    Columns of rank 0 are always shown; of the others the highest rank is the first to be left out, and of equal ranks
    the last column. ``gap`` blanks stand before it. A flexible column takes what room is left, at least ``_LEAST``.
    """

    title: str
    rank: int = 0
    left: bool = False
    gap: int = 2
    flexible: bool = False


#: Either one cell a column, or something as wide as the console.
_Line = tuple[Text, ...] | RenderableType
#: The room that a flexible column needs.
_LEAST = 30


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table that leaves out columns on a narrow console, never a part of a cell.

    The first cell of a row that is wider than its column stands on a line of its own, where ``indent`` says how narrow
    the column may become for the others' sake; ``None``: as its widest cell. What does not fit a flexible column is
    left out from a word on.
    """

    columns: Sequence[_Column]
    rows: Sequence[_Line]
    indent: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._widths(options.max_width)
        yield self._line([Text(column.title, "bold") for column in self.columns], widths)
        for row in self.rows:
            if not isinstance(row, tuple):
                yield row
            elif row[0].cell_len > widths[0]:
                yield row[0]
                yield self._line([Text(), *row[1:]], widths)
            else:
                yield self._line(row, widths)

    def _widths(self, room: int) -> dict[int, int]:
        """Return the widths of the columns that are shown in so much room."""
        cells = [row for row in self.rows if isinstance(row, tuple)]
        natural = [
            max([len(column.title), *(row[place].cell_len for row in cells)])
            for place, column in enumerate(self.columns)
        ]
        least = [min(width, _LEAST) if c.flexible else width for c, width in zip(self.columns, natural, strict=True)]
        if self.indent is not None:
            least[0] = min(least[0], max(self.indent, len(self.columns[0].title)))
        widths = dict(enumerate(least))
        while self._taken(widths) > room and any(self.columns[place].rank for place in widths):
            del widths[max(widths, key=lambda place: (self.columns[place].rank, place))]
        spare = max(room - self._taken(widths), 0)
        for place, width in widths.items():
            widths[place] = min(natural[place], width + spare)
            spare -= widths[place] - width
        return widths

    def _taken(self, widths: Mapping[int, int]) -> int:
        return sum(width + (self.columns[place].gap if place else 0) for place, width in widths.items())

    def _line(self, cells: Sequence[Text], widths: Mapping[int, int]) -> Text:
        line = Text()
        for place, width in widths.items():
            column, cell = self.columns[place], cells[place]
            cell = _shortened(cell, width) if column.flexible else cell
            blanks = " " * (width - cell.cell_len)
            line.append(" " * (column.gap if place else 0) + ("" if column.left else blanks))
            line.append_text(cell).append(blanks if column.left else "")
        line.rstrip()
        return line


def _shortened(text: Text, width: int) -> Text:
    """Return the text, without its last words where it is wider."""
    words = text.plain.split()
    while text.cell_len > width and words:
        words.pop()
        text = Text(" ".join([*words, "…"]), text.style)
    return text
