"""What an upkeep says in a terminal: the verdict first, every figure of its document, whole words at any width."""

from __future__ import annotations

import copy
import io
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from test_augmentation_html import HOSTILE

from synthcli.reports.upkeep import history_report, refresh_report, sparkline, status_report

WIDTHS = (60, 80, 120, 200)
BLOCKS = "▁▂▃▄▅▆▇█"
DAY = 86_400.0


def shown(report: RenderableType, width: int = 80) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, emoji=False, no_color=True).print(report)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in line.split() if not word.startswith("─")}


def row(lines: list[str], start: str) -> list[str]:
    """Return the words of the first line that starts so."""
    return next(line for line in lines if line.strip().startswith(start)).split()


# --- Documents ---------------------------------------------------------------------------------------------------


def shift(**changes: float) -> dict:
    """Return a column's drift, all of it above its noise."""
    return {
        "rows": 12345,
        "psi": 0.3121,
        "psi_floor": 0.0123,
        "tvd": 0.1234,
        "tvd_floor": 0.0456,
        "missing": 0.0234,
        "missing_floor": 0.0041,
        "new_categories": 0.0321,
        "expected": 0.0021,
        "new_floor": 0.0052,
        **changes,
    }


def calm(**changes: float) -> dict:
    """Return a column's drift, all of it at its noise."""
    noise = {"psi": 0.0123, "tvd": 0.0456, "missing": -0.0041, "new_categories": 0.0073, "new_floor": 0.0053}
    return shift(**{**noise, **changes})


def column(name: str, whole: dict, new: dict | None = None, ignored: bool = False) -> dict:
    return {"name": name, "kind": "numeric", "ignored": ignored, "whole": whole, "new": new}


def trigger(
    name: str, met: bool, value: float | str | None = None, limit: float | str | None = None, **rest: str
) -> dict:
    return {"name": name, "column": None, "value": value, "limit": limit, "met": met, "note": "", **rest}


def drift(**changes: Any) -> dict:
    columns = [
        column("age", calm(psi_floor=0.0134), None),
        column("delay", shift(), shift(rows=1200, psi=0.8812)),
        column("day", shift(psi=4.2), shift(rows=1200), ignored=True),
    ]
    told = {"auc": 0.612, "low": 0.591, "high": 0.634, "rows": 2000}
    sizes = {"rows": 12345, "reference_rows": 11111, "new_rows": 1334, "new_share": 0.1081}
    return {**sizes, "c2st": told, "columns": columns, **changes}


def contest(**changes: Any) -> dict:
    champion = {"version": 4, "score": 0.805, "accuracy": 0.931, "utility": 0.977, "c2st": 0.622, "sd": 0.0042}
    challenger = {"version": 5, "score": 0.812, "accuracy": 0.934, "utility": None, "c2st": 0.611, "sd": 0.0053}
    return {
        "rows": 1235,
        "seeds": [11, 12],
        "champion": {**champion, "scores": [0.802, 0.808]},
        "challenger": {**challenger, "scores": [0.813, 0.811]},
        "difference": 0.007,
        "margin": 0.0101,
        "margin_from": "seeds",
        "holds": True,
        **changes,
    }


FIGURES = {
    "accuracy.bivariate": 0.934,
    "similarity.c2st_auc": 0.612,
    "privacy.dcr_share": 0.503,
    "utility.ratio": 0.981,
}


def promoted(**changes: Any) -> dict:
    return {
        "outcome": "promoted",
        "why": "PSI of delay is 0.312 and its limit 0.200; the challenger holds on rows that neither has seen.",
        "at": "2026-01-02T03:04:05+00:00",
        "version": 5,
        "champion": 5,
        "previous": 4,
        "source": {
            "files": 12,
            "changes": {"new": ["2013-10.csv"], "changed": ["2013-09.csv"], "gone": []},
            "rows": 15_000,
            "train_rows": 12_345,
            "fit_rows": 11_110,
            "inner_rows": 1_235,
            "holdout_rows": 2_655,
            "new_rows": 1_333,
            "new_share": 0.1034,
            "newest": "2013-10-31",
        },
        "triggers": [
            trigger("no_champion", False),
            trigger("settings", True, note="synthesizer.kind"),
            trigger("psi", True, 0.3121, 0.2, column="delay"),
            trigger("new_rows", False, 0.1034, 0.2),
            trigger("age", False, 3 * DAY, "7d"),
        ],
        "drift": drift(),
        "contest": contest(),
        "no_contest": "",
        "gates": {"verdict": "pass", "failed": [], "figures": FIGURES, "look": 3},
        "pruned": [1, 2],
        "report": "artifacts/refresh/0005/report.html",
        "sampled": "artifacts/synthetic.csv",
        "hooks": [{"command": "make publish", "exit_code": 0, "seconds": 1.23}],
        **changes,
    }


def rejected() -> dict:
    gates = {"verdict": "fail", "failed": ["privacy.dcr_share"], "figures": FIGURES, "look": 4}
    calm_run = {"pruned": [], "sampled": None, "hooks": [], "why": "a gate fails on the holdout"}
    return promoted(outcome="rejected", champion=4, previous=3, gates=gates, **calm_run)


def kept() -> dict:
    nothing = {"contest": None, "gates": None, "pruned": [], "sampled": None, "report": None, "hooks": []}
    triggers = [trigger("no_champion", False), trigger("psi", False, 0.0123, 0.2, column="age")]
    told = {"triggers": triggers, "why": "no limit is met", "no_contest": "no challenger was fitted"}
    return promoted(outcome="kept", version=None, champion=4, previous=3, **nothing, **told)


def unchanged() -> dict:
    nothing = {"source": None, "triggers": [], "drift": None}
    return {**kept(), **nothing, "outcome": "unchanged", "no_contest": "", "why": "the files are the same"}


def planned() -> dict:
    nothing = {"contest": None, "gates": None, "pruned": [], "sampled": None, "report": None, "hooks": []}
    return promoted(outcome="planned", version=None, champion=4, previous=3, why="PSI of delay", **nothing)


def status(**changes: Any) -> dict:
    versions = [
        {"version": number, "kind": "forest", "created": f"2025-12-{number:02d}T03:04:05Z", "rows": 11_000 + number}
        for number in range(1, 15)
    ]
    aliases = {14: ["latest"], 12: ["champion"], 11: ["previous"]}
    return {
        "champion": 12,
        "previous": 11,
        "latest": 14,
        "kind": "forest",
        "champion_created": "2025-12-12T03:04:05Z",
        "champion_age_seconds": 21 * DAY,
        "champion_rows": 11_999,
        "intact": True,
        "versions": [{**each, "aliases": aliases.get(each["version"], [])} for each in versions],
        "data": {"newest": "2013-10-31", "age_seconds": 3 * DAY, "files": 17},
        "last_check": {
            "at": "2026-01-02T01:04:05Z",
            "age_seconds": 7_300.0,
            "outcome": "kept",
            "why": "no limit is met",
        },
        "last_healthy": {"at": "2026-01-01T01:04:05Z", "age_seconds": 93_700.0},
        "lock": {"held": True, "pid": 4242},
        "max_age": "7d",
        "stale": True,
        "reasons": ["the champion is 21 days old and may be 7", "the last refresh failed"],
        **changes,
    }


def run(day: int, event: str, **changes: Any) -> dict:
    nothing = dict.fromkeys(("version", "rows", "new_share", "psi", "score", "champion_score"))
    return {"at": f"2026-01-{day:02d}T03:04:05Z", "event": event, "why": "", "figures": {}, **nothing, **changes}


def measured(day: int, event: str, score: float, **changes: Any) -> dict:
    figures = {"accuracy.bivariate": 0.9 + day / 100, "similarity.c2st_auc": 0.7 - day / 100}
    figures |= {"privacy.dcr_share": 0.5 + day / 1000, "utility.ratio": 0.97 + day / 1000}
    told = {"version": day, "rows": 11_000 + day, "new_share": 0.1 + day / 100, "psi": 0.2 + day / 100}
    return run(day, event, score=score, champion_score=score - 0.0123, figures=figures, **told, **changes)


def history() -> dict:
    return {
        "runs": [
            measured(1, "promoted", 0.7, why="no champion"),
            run(2, "kept", rows=11_002, new_share=0.0312, psi=0.0123, why="no limit is met"),
            measured(
                3, "rejected", 0.77, why="a gate fails on the holdout, and so does the margin that was set for it"
            ),
            run(4, "failed", why="the disk is full"),
            measured(5, "promoted", 0.8),
            run(6, "rolled_back", version=3),
            run(7, "stopped", why="units were swapped"),
        ]
    }


DOCUMENTS: dict[str, tuple[Callable[[dict], RenderableType], Callable[[], dict]]] = {
    **{made.__name__: (refresh_report, made) for made in (promoted, rejected, kept, unchanged, planned)},
    **{
        f"{made.__name__}, explained": (lambda document: refresh_report(document, explain=True), made)
        for made in (promoted, rejected, kept, unchanged, planned)
    },
    "stale": (status_report, status),
    "fresh": (status_report, lambda: status(stale=False, reasons=[])),
    "history": (history_report, history),
}
each_document = pytest.mark.parametrize("name", DOCUMENTS)


def leaves(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each number and each truth of a document, with the way to it."""
    if isinstance(part, dict | list):
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            yield from leaves(value, (*path, key))
    elif isinstance(part, int | float):
        yield path, part


def parts(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value that a mapping holds."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(part, dict):
            yield (*path, key)
        if isinstance(value, dict | list):
            yield from parts(value, (*path, key))


def changed(document: dict, path: tuple[Any, ...], value: Any) -> dict:
    found = copy.deepcopy(document)
    *way, last = path
    part = found
    for key in way:
        part = part[key]
    part[last] = value
    return found


# --- Any report --------------------------------------------------------------------------------------------------


@each_document
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_longer_than_the_console_and_no_word_is_cut(name: str, width: int) -> None:
    report, document = DOCUMENTS[name]
    lines = shown(report(document()), width)
    assert max(map(len, lines)) <= width
    assert words(lines) - {"…"} <= words(shown(report(document()), 1000))


@each_document
def test_without_colour_a_report_is_plain_text(name: str) -> None:
    report, document = DOCUMENTS[name]
    assert all(line.isprintable() for line in shown(report(document())))


@pytest.mark.parametrize("name", ["promoted, explained", "rejected, explained", "stale", "history"])
def test_every_figure_of_a_document_stands_in_its_report(name: str) -> None:
    report, document = DOCUMENTS[name]
    whole = document()
    if "versions" in whole:  # of older ones only the number is told
        whole["versions"] = whole["versions"][-10:]
    before = shown(report(whole), 200)
    unsaid = [
        path
        for path, value in leaves(whole)
        if shown(report(changed(whole, path, not value if isinstance(value, bool) else 2 * value + 1)), 200) == before
    ]
    # A column's rows are those of the whole comparison and told there; the version that was promoted is the champion.
    of_columns = [path for path in unsaid if path[:2] == ("drift", "columns") and path[-1] == "rows"]
    assert [path for path in unsaid if path not in of_columns and path != ("champion",)] == []
    assert ("champion",) not in unsaid or whole["outcome"] == "promoted"
    assert "explained" not in name or ("drift", "columns", 1, "new", "rows") not in of_columns


@each_document
def test_nothing_breaks_where_a_part_is_missing(name: str) -> None:
    report, document = DOCUMENTS[name]
    whole, always = document(), {"outcome", "stale", "event", "at", "age_seconds"}
    for key in whole.keys() - always:
        assert shown(report(changed(whole, (key,), None)))
        assert shown(report({other: value for other, value in whole.items() if other != key}))


@pytest.mark.parametrize(
    "path",
    [
        *(path for path in parts(promoted()) if path[0] in ("source", "gates") and len(path) == 2),
        ("source", "changes", "new"),
        ("drift", "c2st"),
        ("drift", "columns"),
        ("drift", "columns", 1, "new"),
        *(("contest", side, key) for side in ("champion", "challenger") for key in ("accuracy", "utility", "c2st")),
        *(("triggers", 2, key) for key in ("column", "value", "limit", "note")),
    ],
    ids=str,
)
def test_nothing_breaks_where_a_part_of_a_refresh_is_unknown(path: tuple[Any, ...]) -> None:
    for explain in (False, True):
        lines = shown(refresh_report(changed(promoted(), path, None), explain))
        assert "None" not in " ".join(lines)


@pytest.mark.parametrize("path", [*parts(history()), *parts(status())], ids=str)
def test_nothing_breaks_where_a_part_of_what_was_is_unknown(path: tuple[Any, ...]) -> None:
    whole, report = (history(), history_report) if path[0] == "runs" else (status(), status_report)
    if path[-1] in ("event", "outcome", "version", "created", "kind", "stale"):
        return
    assert "None" not in " ".join(shown(report(changed(whole, path, None)), 200))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("hostile", [*HOSTILE, "[bold]x[/]", "two\nlines", "x" * 300, "名前" * 40])
def test_names_and_reasons_are_text_of_one_line_at_most_as_wide_as_the_console(hostile: str, width: int) -> None:
    found = promoted(why=hostile, drift=drift(columns=[column(hostile, shift(), shift())]))
    found["triggers"] = [trigger("psi", True, 0.3, 0.2, column=hostile, note=hostile), trigger("x", True, hostile)]
    found["source"]["changes"]["new"] = [hostile] * 9
    found["hooks"] = [{"command": hostile, "exit_code": 1, "seconds": 0.1}]
    reports = [
        refresh_report(found, explain=True),
        status_report(status(reasons=[hostile], kind=hostile)),
        history_report({"runs": [run(1, "failed", why=hostile)]}),
    ]
    for report in reports:
        stream = io.StringIO()
        console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False, no_color=True)
        console.print(report)
        lines = stream.getvalue().split("\n")
        assert all(line.isprintable() for line in lines)
        assert max(console.measure(line).maximum for line in lines if line) <= width
    if hostile == "[bold]x[/]":
        assert "\n".join(shown(reports[0], 200)).count(hostile) >= 9


# --- A refresh ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (promoted(), "promoted: version 0005 is champion now, before it 0004"),
        (promoted(previous=None), "promoted: version 0005 is champion now, the first one"),
        (rejected(), "rejected: challenger 0005; champion 0004 stays"),
        ({**rejected(), "champion": None}, "rejected: challenger 0005; there is no champion"),
        (kept(), "kept: champion 0004 stays, nothing calls for a new one"),
        (unchanged(), "unchanged: nothing new since the last refresh; champion 0004 stays"),
        (planned(), "planned: would refit; champion 0004 stays until then"),
        ({**planned(), "champion": None}, "planned: would fit a first generator"),
        (promoted(outcome="stopped", champion=4), "stopped: champion 0004 stays"),
    ],
)
@pytest.mark.parametrize("explain", [False, True])
def test_the_verdict_comes_first_and_then_why(document: dict, line: str, explain: bool) -> None:
    lines = shown(refresh_report(document, explain), 120)
    assert lines[0] == line
    assert lines[1] == f"  {document['why']}"
    assert set(lines[2]) == {"─"}


def test_a_refresh_in_short() -> None:
    assert shown(refresh_report(promoted()))[4:] == [
        "at        2026-01-02 03:04 UTC",
        "data      12 files; new: 2013-10.csv; changed: 2013-09.csv;",
        "          newest row 2013-10-31",
        "rows      15,000 in all, 12,345 to train, 11,110 fitted, 1,235 compared on,",
        "          2,655 holdout",
        "new rows  1,333, 10.3% of those to train",
        "drift     at most PSI 0.312 (delay), TVD 0.123 (delay)",
        "          C2ST AUC 0.612 (0.591 … 0.634) of new rows against known, 2,000 rows",
        "reasons   settings changed: synthesizer.kind",
        "          PSI of delay 0.312, limit 0.200",
        "contest   challenger 0.812 ±0.005, champion 0.805 ±0.004, margin 0.010: holds",
        "          difference +0.007, margin from the seeds, 1,235 rows, 2 seeds",
        "gates     pass, look 3 at the holdout",
        "          accuracy.bivariate 0.934, similarity.c2st_auc 0.612,",
        "          privacy.dcr_share 0.503, utility.ratio 0.981",
        "pruned    0001, 0002",
        "report    artifacts/refresh/0005/report.html",
        "sampled   artifacts/synthetic.csv",
        "hook      make publish: exit 0, 1.2 s",
    ]


def test_what_was_not_done_is_not_told() -> None:
    assert shown(refresh_report(unchanged(), explain=True))[3:] == [
        "at        2026-01-02 03:04 UTC",
        "previous  0003",
    ]
    lines = shown(refresh_report(kept()))
    assert row(lines, "reasons") == ["reasons", "none", "of", "2", "met"]
    assert "contest   none: no challenger was fitted" in lines
    assert not [line for line in lines if line.startswith(("gates", "pruned", "hook"))]


def test_a_challenger_that_fails_says_by_what_and_what_that_means() -> None:
    found = rejected()
    found["contest"] = contest(holds=False, difference=-0.0201, margin_from="refresh.margin")
    lines = shown(refresh_report(found), 120)
    assert "gates     FAIL, look 4 at the holdout" in lines
    assert "          privacy.dcr_share 0.503: rows lie nearer to one real part than to the other" in lines
    assert "          accuracy.bivariate 0.934, similarity.c2st_auc 0.612, utility.ratio 0.981" in lines
    assert row(lines, "contest")[-4:] == ["0.010:", "does", "not", "hold"]
    assert "          difference -0.020, margin from the configuration, 1,235 rows, 2 seeds" in lines
    unknown = {"verdict": None, "failed": ["x.y"], "figures": {}, "look": None}
    lines = shown(refresh_report(promoted(gates=unknown)))
    assert "gates     not judged" in lines
    assert "          x.y: outside its limit" in lines


def test_many_names_and_reasons_are_cut_short() -> None:
    found = promoted(triggers=[trigger("psi", True, 0.3, 0.2, column=f"c{place}") for place in range(8)])
    found["source"]["changes"]["new"] = [f"{place}.csv" for place in range(9)]
    lines = shown(refresh_report(found), 120)
    assert "          and 3 more, which --explain lists" in lines
    assert "new: 0.csv, 1.csv, 2.csv, 3.csv, 4.csv and 4 more;" in " ".join(lines)
    assert "PSI of c5" not in " ".join(lines)
    assert "PSI of c7" in " ".join(shown(refresh_report(found, explain=True), 120))


def test_the_largest_drift_is_of_a_column_that_counts() -> None:
    lines = shown(refresh_report(promoted(drift=drift(c2st=None, columns=[column("day", shift(), ignored=True)]))))
    assert not [line for line in lines if line.startswith("drift")]


def test_explained_every_trigger_is_a_line_what_is_met_first() -> None:
    found = promoted()
    found["triggers"].append(trigger("versions", False, "sdv 2.0.1, torch 2.9", "sdv 2.0.2, torch 2.9"))
    lines = shown(refresh_report(found, explain=True))
    start = lines.index(next(line for line in lines if line.startswith("what calls for")))
    assert [" ".join(line.split()) for line in lines[start : start + 9]] == [
        "what calls for a refit value limit met",
        "settings changed – – yes",
        "synthesizer.kind",
        "PSI of delay 0.312 0.200 yes",
        "no champion – – no",
        "new rows 10.3% 20.0% no",
        "age of the champion 3 days 7d no",
        "library versions changed no",
        "value: sdv 2.0.1, torch 2.9; limit: sdv 2.0.2, torch 2.9",
    ]


def test_explained_each_column_shows_its_drift_and_what_is_above_noise() -> None:
    lines = shown(refresh_report(promoted(), explain=True), 120)
    start = lines.index(next(line for line in lines if line.startswith("drift  ") and "noise" in line))
    high = "0.123* 0.046 +2.3%* 0.4% 3.2%* 0.2% 0.5%"
    assert [" ".join(line.split()) for line in lines[start : start + 6]] == [
        "drift PSI noise TVD noise missing noise new cat. expected noise",
        f"delay (numeric) all 0.312* 0.012 {high}",
        f"new 0.881* 0.012 {high}",
        "age (numeric) all 0.012 0.013 0.046 0.046 -0.4% 0.4% 0.7% 0.2% 0.5%",
        f"day (numeric, ignored) all 4.200* 0.012 {high}",
        f"new 0.312* 0.012 {high}",
    ]
    told = " ".join(lines[start + 6 :])
    assert "12,345 rows that would be learned now, against the 11,111 that the champion learned from" in told
    assert "new: the 1,334 (10.8%) that it has not seen, measured by 1,200" in told


def test_columns_above_noise_come_first_and_then_the_largest() -> None:
    columns = [
        column("a", calm(psi=0.0001, psi_floor=0.0002)),
        column("b", calm(psi=0.0121)),
        column("c", calm(psi=0.0, new_categories=0.9)),
        column("d", shift(psi=0.5)),
        column("e", calm(psi=0.0), shift()),
        column("f", shift(psi=9.0), ignored=True),
    ]
    lines = shown(refresh_report(promoted(drift=drift(columns=columns)), explain=True), 120)
    names = [found.group(1) for line in lines if (found := re.match(r"(\w) \(numeric", line))]
    assert names == ["d", "c", "e", "b", "a", "f"]
    assert row(lines, "a (numeric)")[3:5] == ["<.001", "<.001"]
    assert row(lines, "c (numeric)")[3] == "0.000"


def test_on_a_narrow_console_the_drift_keeps_its_effects_and_marks() -> None:
    lines = shown(refresh_report(promoted(), explain=True), 50)
    place = lines.index("delay (numeric)")
    assert lines[place - 1].split() == ["drift", "PSI", "TVD", "missing", "new", "cat."]
    assert lines[place + 1].split() == ["all", "0.312*", "0.123*", "+2.3%*", "3.2%*"]
    assert max(map(len, lines)) <= 50


def test_explained_each_seed_shows_both_scores() -> None:
    lines = shown(refresh_report(promoted(), explain=True))
    start = lines.index(next(line for line in lines if line.startswith("score")))
    assert [" ".join(line.split()) for line in lines[start:]] == [
        "score challenger 0005 champion 0004",
        "seed 11 0.813 0.802",
        "seed 12 0.811 0.808",
        "mean 0.812 0.805",
        "deviation 0.005 0.004",
        "accuracy 0.934 0.931",
        "utility – 0.977",
        "C2ST AUC 0.611 0.622",
    ]


# --- The status --------------------------------------------------------------------------------------------------


def test_stale_says_why_and_how_old_things_are() -> None:
    lines = shown(status_report(status()))
    assert lines[:2] == ["stale: the champion is 21 days old and may be 7", "  the last refresh failed"]
    assert lines[3:13] == [
        "champion      0012, forest, 11,999 rows, intact",
        "fitted        21 days ago (2025-12-12 03:04 UTC)",
        "previous      0011",
        "latest        0014",
        "data          newest row 2013-10-31, 3 days old; 17 files",
        "last check    2 hours ago (2026-01-02 01:04 UTC), kept: no limit is met",
        "last healthy  26 hours ago (2026-01-01 01:04 UTC)",
        "stale after   7d",
        "lock          held by process 4242, which is at work",
        "",
    ]


def test_fresh_says_what_it_rests_on() -> None:
    assert shown(status_report(status(stale=False, reasons=[])))[0] == (
        "fresh: champion 0012 is in force, last found right 26 hours ago"
    )
    found = status(stale=False, reasons=[], last_healthy=None, lock={"held": False, "pid": None})
    lines = shown(status_report(found))
    assert lines[0] == "fresh: champion 0012 is in force"
    assert "lock         free" in lines


def test_without_any_version_there_is_no_table() -> None:
    nothing = dict.fromkeys(key for key in status() if key not in ("stale", "versions", "data"))
    lines = shown(status_report({**nothing, "stale": True, "versions": [], "data": {"newest": None, "files": 2}}))
    assert lines[0] == "stale: there is no champion"
    assert lines[2:] == ["champion  none", "data      2 files"]


@pytest.mark.parametrize(("intact", "told"), [(True, "intact"), (False, "damaged"), (None, "files not looked at")])
def test_a_champion_is_intact_or_damaged_or_was_not_looked_at(intact: bool | None, told: str) -> None:
    assert f"champion      0012, forest, 11,999 rows, {told}" in shown(status_report(status(intact=intact)))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5.0, "less than a minute"),
        (59.0, "less than a minute"),
        (60.0, "1 minute"),
        (100 * 60.0, "100 minutes"),
        (2 * 3600.0, "2 hours"),
        (47 * 3600.0, "47 hours"),
        (2 * DAY, "2 days"),
        (400 * DAY, "400 days"),
    ],
)
def test_ages_are_in_minutes_hours_or_days(seconds: float, told: str) -> None:
    lines = shown(status_report(status(champion_age_seconds=seconds)))
    assert f"fitted        {told} ago (2025-12-12 03:04 UTC)" in lines


def test_rows_from_tomorrow_are_in_the_future() -> None:
    found = status(data={"newest": "2030-01-01", "age_seconds": -DAY, "files": None})
    assert "data          newest row 2030-01-01, in the future" in shown(status_report(found))
    found = status(data={"newest": None, "age_seconds": DAY, "files": 1})
    assert "data          24 hours old; 1 file" in shown(status_report(found))


def test_instants_are_told_in_utc() -> None:
    lines = shown(status_report(status(champion_created="2026-01-02T03:04:05+09:00", champion_age_seconds=None)))
    assert "fitted        2026-01-01 18:04 UTC" in lines


def test_an_instant_that_is_unknown_or_none_is_no_error() -> None:
    lines = shown(history_report({"runs": [run(1, "failed", at=None), run(2, "kept", at="long ago")]}))
    assert [line.split()[0] for line in lines[-2:]] == ["–", "long"]


def test_versions_are_listed_newest_first_and_ten_at_most() -> None:
    lines = shown(status_report(status()))
    start = lines.index(next(line for line in lines if line.startswith("version")))
    assert lines[start].split() == ["version", "kind", "created", "UTC", "rows", "aliases"]
    assert lines[start + 1].split() == ["0014", "forest", "2025-12-14", "03:04", "11,014", "latest"]
    assert [line.split()[0] for line in lines[start + 1 :]] == [f"{number:04d}" for number in range(14, 4, -1)] + [
        "and"
    ]
    assert lines[-1] == "and 4 older"
    assert shown(status_report(status(versions=status()["versions"][:10])))[-1].startswith("0001")


# --- The history -------------------------------------------------------------------------------------------------


def test_no_history_is_a_sentence() -> None:
    assert shown(history_report({"runs": []})) == ["no refresh has been recorded yet"]
    assert shown(history_report({})) == ["no refresh has been recorded yet"]


def test_a_history_begins_with_how_often_what_happened_and_the_courses() -> None:
    lines = shown(history_report(history()))
    assert lines[0] == "7 runs: 2 promoted, 1 kept, 1 rejected, 1 failed, 1 rolled back, 1 stopped"
    assert lines[1] == "  last run: stopped; units were swapped"
    assert lines[3:10] == [
        "score      ▁▆█  0.700 → 0.800",
        "accuracy   ▁▅█  0.910 → 0.950",
        "C2ST AUC   █▅▁  0.690 → 0.650",
        "DCR share  ▁▅█  0.501 → 0.505",
        "utility    ▁▅█  0.971 → 0.975",
        "over the last 3 runs in which something was measured",
        "",
    ]


def test_a_figure_that_a_run_lacks_is_a_gap_in_its_course() -> None:
    runs = [measured(day, "promoted", day / 10) for day in (1, 2, 3)]
    runs[1]["figures"] = {"accuracy.bivariate": 0.5}
    lines = shown(history_report({"runs": runs}))
    assert "DCR share  ▁ █  0.501 → 0.503" in lines
    only = [{**each, "figures": {}} for each in runs]
    courses = [line.split()[0] for line in shown(history_report({"runs": only}))[3:5]]
    assert courses == ["score", "over"]


def test_of_many_runs_the_courses_show_the_last() -> None:
    lines = shown(history_report({"runs": [measured(1, "promoted", place / 100) for place in range(100)]}))
    assert row(lines, "score")[1:] == [sparkline(range(70, 100)), "0.700", "→", "0.990"]
    assert "over the last 30 runs of 100 in which something was measured" in lines


def test_nothing_measured_has_no_courses() -> None:
    lines = shown(history_report({"runs": [run(1, "failed")]}))
    assert lines[0] == "1 run: 1 failed"
    assert lines[3].startswith("date")


def test_each_run_is_one_line_oldest_first() -> None:
    for width in WIDTHS:
        lines = shown(history_report(history()), width)[-7:]
        assert [line.split()[0] for line in lines] == [f"2026-01-{day:02d}" for day in range(1, 8)]
    assert lines[0].split() == [
        *("2026-01-01", "03:04", "promoted", "0001", "11,001", "11.0%", "0.210", "0.700", "0.688"),
        *("0.910", "0.690", "0.501", "0.971", "no", "champion"),
    ]
    assert lines[1].split()[2:] == [
        *("kept", "–", "11,002", "3.1%", "0.012", "–", "–", "–", "–", "–", "–", "no", "limit", "is", "met")
    ]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (40, "date event version score"),
        (60, "date event version score accuracy C2ST"),
        (80, "date event version rows score accuracy C2ST DCR utility"),
        (120, "date event version rows new score accuracy C2ST DCR utility why"),
        (200, "date UTC event version rows new PSI score champion's accuracy C2ST DCR utility why"),
    ],
)
def test_a_narrow_console_shows_the_columns_that_matter_most(width: int, columns: str) -> None:
    lines = shown(history_report(history()), width)
    assert " ".join(row(lines, "date")) == columns
    assert max(map(len, lines)) <= width


def test_a_long_reason_ends_at_a_word() -> None:
    lines = shown(history_report(history()), 120)
    (line,) = (line for line in lines if line.startswith("2026-01-03"))
    assert line.endswith("  a gate fails on the holdout, …")
    assert row(shown(history_report(history()), 200), "2026-01-03")[-3:] == ["set", "for", "it"]


# --- Sparklines --------------------------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0.5], "▄"),
        ([2, 2, 2], "▄▄▄"),
        ([None, None], "  "),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([7, 0], "█▁"),
        # Eighths of the way from 1 to 9: 0, 1, 4, 7, 8.
        ([1.0, 2.0, 5.0, 8.0, 9.0], "▁▂▅██"),
        ([-1.0, None, 0.0, 1.0, None], "▁ ▅█ "),
        ([float("nan"), 0.0, float("inf"), 1.0], " ▁ █"),
        ([-1.7e308, 0.0, 1.7e308], "▁▅█"),
        ([0.0, 5e-324], "▁█"),
    ],
)
def test_sparklines_by_hand(values: list[float | None], line: str) -> None:
    assert sparkline(values) == line


@given(st.lists(st.none() | finite))
def test_a_sparkline_has_one_sign_a_value_and_gaps_where_there_is_none(values: list[float | None]) -> None:
    line = sparkline(values)
    assert len(line) == len(values)
    assert [sign == " " for sign in line] == [value is None for value in values]
    assert set(line) <= {*BLOCKS, " "}


@given(st.lists(finite, min_size=2, unique=True))
def test_a_larger_value_has_no_lower_block_and_both_ends_are_reached(values: list[float]) -> None:
    heights = [BLOCKS.index(sign) for sign in sparkline(sorted(values))]
    assert all(low <= high for low, high in pairwise(heights))
    assert (heights[0], heights[-1]) == (0, 7)


@given(st.lists(st.none() | finite), st.randoms())
def test_a_value_has_the_same_block_wherever_it_stands(values: list[float | None], random: Any) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    line = sparkline(values)
    assert sparkline([values[place] for place in order]) == "".join(line[place] for place in order)


def test_documents_of_these_tests_are_json() -> None:
    for _, document in DOCUMENTS.values():
        assert json.loads(json.dumps(document(), allow_nan=False)) == document()
