"""What ``refresh`` says of one run: what came of it, why, and with ``--explain`` every figure behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from synthcli.reports.terminal import plain_table
from synthcli.reports.upkeep.console import (
    BAD,
    CARE,
    GOOD,
    STYLES,
    Column,
    Fact,
    FittingTable,
    Items,
    Line,
    Row,
    facts_table,
    headline,
    indented,
    styled,
)
from synthcli.reports.upkeep.words import (
    FOLLOWED,
    LISTED,
    counted,
    event_words,
    moment_words,
    numbered,
    percent,
    some_of,
    trigger_figures,
    trigger_words,
)
from synthcli.reports.words import MARKS, MEANINGS, number, signed

#: The parts of the rows that there are.
_PARTS = {
    "rows": "in all",
    "train_rows": "to train",
    "fit_rows": "fitted",
    "inner_rows": "compared on",
    "holdout_rows": "holdout",
}
_SIDES = ("challenger", "champion")


def refresh_report(document: Row, explain: bool = False) -> RenderableType:
    """Render what came of a refresh; ``explain`` adds every trigger, the drift of each column and each seed's score."""
    parts = [*headline(_verdict(document), STYLES.get(document["outcome"], "bold"), [document.get("why")])]
    parts += [Rule(style="dim"), facts_table(_refresh_facts(document))]
    if explain:
        parts += [part for table in _explained(document) for part in (Text(), table)]
    return Group(*parts)


def _verdict(document: Row) -> str:
    outcome, version, champion = document["outcome"], document.get("version"), document.get("champion")
    stays = "there is no champion" if champion is None else f"champion {numbered(champion)} stays"
    if outcome == "promoted":
        previous = document.get("previous")
        before = "the first one" if previous is None else f"before it {numbered(previous)}"
        return f"promoted: version {numbered(champion if version is None else version)} is champion now, {before}"
    if outcome == "rejected":
        return f"rejected: challenger {numbered(version)}; {stays}"
    if outcome == "kept":
        return f"kept: {stays}, nothing calls for a new one"
    if outcome == "unchanged":
        return f"unchanged: nothing new since the last refresh; {stays}"
    if outcome == "planned":
        first = "planned: would fit a first generator"
        return first if champion is None else f"planned: would refit; {stays} until then"
    return f"{event_words(outcome)}: {stays}"


def _refresh_facts(document: Row) -> Iterator[Fact]:
    """Yield a refresh's facts, those of each kind one after the other; what is not in the document has none."""
    if document.get("at"):
        yield "at", moment_words(document["at"])
    if document.get("previous") is not None and document["outcome"] != "promoted":
        yield "previous", numbered(document["previous"])
    yield from _source_facts(document.get("source") or {})
    yield from _drift_facts(document.get("drift") or {})
    yield from _reasons(document.get("triggers") or [])
    yield from _contest_facts(document)
    yield from _gate_facts(document.get("gates") or {})
    if document.get("pruned"):
        yield "pruned", Items([numbered(version) for version in document["pruned"]])
    for name in ("report", "sampled"):
        if document.get(name):
            yield name, document[name]
    for hook in document.get("hooks") or []:
        line = f"{hook['command']}: exit {hook['exit_code']}, {hook['seconds']:.1f} s"
        yield "hook", styled(line, BAD if hook["exit_code"] else "")


def _source_facts(source: Row) -> Iterator[Fact]:
    files = [counted(source["files"], "file")] if source.get("files") is not None else []
    changes = source.get("changes") or {}
    files += [f"{name}: {some_of(changes[name])}" for name in ("new", "changed", "gone") if changes.get(name)]
    files += [f"newest row {source['newest']}"] if source.get("newest") else []
    if files:
        yield "data", Items(files, ";")
    told = [f"{source[name]:,} {words}" for name, words in _PARTS.items() if source.get(name) is not None]
    if told:
        yield "rows", Items(told)
    share = f", {percent(source['new_share'])} of those to train" if source.get("new_share") is not None else ""
    if source.get("new_rows") is not None:
        yield "new rows", f"{source['new_rows']:,}{share}"


def _drift_facts(drift: Row) -> Iterator[Fact]:
    """Yield the largest drift of a column that counts, and how well new rows are told from known ones."""
    judged = [column for column in drift.get("columns") or [] if not column["ignored"]]
    if judged:
        largest = {name: max(judged, key=lambda column: column["whole"][name]) for name in ("psi", "tvd")}
        told = [f"{name.upper()} {number(row['whole'][name])} ({row['name']})" for name, row in largest.items()]
        yield "drift", Items(["at most " + told[0], *told[1:]])
    if apart := drift.get("c2st"):
        interval = f"{number(apart['low'])} … {number(apart['high'])}"
        yield "drift", f"C2ST AUC {number(apart['auc'])} ({interval}) of new rows against known, {apart['rows']:,} rows"


def _reasons(triggers: Sequence[Row]) -> Iterator[Fact]:
    met = [trigger for trigger in triggers if trigger["met"]]
    for trigger in met[:LISTED]:
        value, limit = trigger_figures(trigger)
        figures = f" {value}" * (value != "–") + f", limit {limit}" * (limit != "–")
        note = trigger.get("note")
        yield "reasons", trigger_words(trigger) + figures + (f": {note}" if note else "")
    if len(met) > LISTED:
        yield "reasons", f"and {len(met) - LISTED} more, which --explain lists"
    if triggers and not met:
        yield "reasons", f"none of {len(triggers)} met"


def _contest_facts(document: Row) -> Iterator[Fact]:
    contest = document.get("contest")
    if not contest:
        if document.get("no_contest"):
            yield "contest", f"none: {document['no_contest']}"
        return
    sides = [f"{side} {number(contest[side]['score'])} ±{contest[side]['sd']:.3f}" for side in _SIDES]
    words, style = ("holds", GOOD) if contest["holds"] else ("does not hold", BAD)
    yield "contest", Items([*sides, Text.assemble(f"margin {number(contest['margin'])}: ", (words, style))])
    margin = "margin from the seeds" if contest.get("margin_from") == "seeds" else "margin from the configuration"
    told = f"difference {signed(contest['difference'])}", margin
    yield "contest", Items([*told, f"{contest['rows']:,} rows", counted(len(contest["seeds"]), "seed")])


def _gate_facts(gates: Row) -> Iterator[Fact]:
    """Yield the gates' verdict, what failed and what that means, and the figures that history follows."""
    if not gates:
        return
    verdict, look = gates.get("verdict") or "", gates.get("look")
    mark = (MARKS.get(verdict) or "not judged", STYLES.get(verdict, ""))
    yield "gates", Text.assemble(mark, "" if look is None else f", look {look} at the holdout")
    figures: Mapping[str, float] = gates.get("figures") or {}
    failed: Sequence[str] = gates.get("failed") or []
    for name in failed:
        value = f" {number(figures[name])}" if name in figures else ""
        yield "gates", f"{name}{value}: {MEANINGS.get(name, 'outside its limit')}"
    others = [f"{name} {number(figures[name])}" for name in FOLLOWED.values() if name in figures and name not in failed]
    if others:
        yield "gates", Items(others)


def _explained(document: Row) -> Iterator[RenderableType]:
    if document.get("triggers"):
        yield _triggers(document["triggers"])
    if (document.get("drift") or {}).get("columns"):
        yield _drift(document["drift"])
    if document.get("contest"):
        yield _contest(document["contest"])


def _triggers(triggers: Sequence[Row]) -> RenderableType:
    """Render what may call for a new generator, one line each: what is met comes first."""
    rows: list[Line] = []
    for trigger in sorted(triggers, key=lambda trigger: not trigger["met"]):
        style = CARE if trigger["met"] else ""
        figures, note = list(trigger_figures(trigger)), trigger.get("note") or ""
        if max(map(len, figures)) > 12:  # words, for which a column of figures has no room
            told = [f"{key}: {cell}" for key, cell in zip(("value", "limit"), figures, strict=True) if cell != "–"]
            note, figures = "; ".join(filter(None, [*told, note])), ["", ""]
        met = "yes" if trigger["met"] else "no"
        rows.append((styled(trigger_words(trigger), style), *map(styled, figures), Text(met, style)))
        rows += [indented(note, "dim")] if note else []
    first, last = Column("what calls for a refit", left=True), Column("met", left=True)
    return FittingTable((first, Column("value"), Column("limit"), last), rows, indent=2)


def _drift(drift: Row) -> RenderableType:
    """Render the drift of each column, of all rows and of the new ones: what exceeds its noise first, then by PSI."""
    columns = [Column("drift", left=True), Column("", left=True)]
    for place, title in enumerate(("PSI", "TVD", "missing")):
        columns += [Column(title), Column("noise", rank=1 + place, gap=1)]
    columns += [Column("new cat."), Column("expected", rank=5, gap=1), Column("noise", rank=4, gap=1)]
    rows: list[Line] = []
    for column in sorted(drift["columns"], key=_by_drift):
        kind = f"{column['kind']}, ignored" if column["ignored"] else column["kind"]
        name = styled(f"{column['name']} ({kind})", "dim" if column["ignored"] else "bold")
        rows.append((name, Text("all"), *_shift(column["whole"])))
        if column.get("new"):
            rows.append((Text(), Text("new"), *_shift(column["new"])))
    return Group(FittingTable(columns, rows, indent=2), *(Text(line, "dim") for line in _drift_legend(drift)))


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
    return Text(f"{figure}*", CARE) if above else Text(f"{figure} ")


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
        f"champion learned from; new: the {drift['new_rows']:,} ({percent(drift['new_share'])}) that it has not "
        f"seen{by}"
    )


def _contest(contest: Row) -> RenderableType:
    """Render both sides' scores seed by seed, their means, and what the scores are made of."""
    sides = [contest[side] for side in _SIDES]
    table = plain_table(
        "score", *(f"{name} {numbered(side['version'])}" for name, side in zip(_SIDES, sides, strict=True))
    )
    for seed, *scores in zip_longest(contest["seeds"], *(side["scores"] for side in sides)):
        table.add_row("seed –" if seed is None else f"seed {seed}", *map(number, scores))
    names = {"mean": "score", "deviation": "sd", "accuracy": "accuracy", "utility": "utility", "C2ST AUC": "c2st"}
    for title, name in names.items():
        style = "bold" if title == "mean" else ""
        table.add_row(Text(title, style), *(Text(number(side.get(name)), style) for side in sides))
    return table
