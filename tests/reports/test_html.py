"""The page says what the document says, holds whatever a table is called, and needs nothing from anywhere."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from synthcli.reports.document import Report
from synthcli.reports.html import html_report

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style></svg><b>", "a\x00\ud800\u202eb"]
#: All that a page is made of: nothing that loads, runs or sends.
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "nav", "section", "article", "figure"),
    *("figcaption", "details", "summary", "h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "div", "span", "a", "b"),
    *("i", "pre", "table", "thead", "tbody", "tr", "th", "td", "svg", "g", "path", "rect", "circle", "text"),
}


def metric(name: str, **changes: object) -> dict:
    found = {"value": 0.5, "low": 0.4, "high": 0.6, "reference": 0.9, "floor": None, "direction": "higher", "n": 10}
    given = {"name": name, "family": name.split(".", maxsplit=1)[0], "status": "measured", "range": [0.0, 1.0]}
    return {**given, "detail": "", **found, **changes}


def gate(name: str, status: str, *columns: str, level: str = "error") -> dict:
    limits = {"rule": "min 0.7", "threshold": 0.7, "value": 0.5, "required": True, "reason": ""}
    failed = status in ("fail", "warn")
    return {"metric": name, "columns": list(columns), "level": level, "status": status, "failed": failed, **limits}


def profiled(name: str, bins: int = 3) -> dict:
    edges = [
        {
            "label": f"{i} … {i + 1}",
            "low": i,
            "high": i + 1,
            **dict.fromkeys(("train", "holdout", "synthetic"), 1 / bins),
        }
        for i in range(bins)
    ]
    return {"name": name, "kind": "numeric", "bins": edges}


def document(names: list[str], gates: list[dict] = (), metrics: list[dict] = (), **changes: object) -> dict:
    """Return a report about columns of these names, the first the worst, with all pairs."""
    behind = [{"accuracy": 0.5 + i / 1000, "reference": 0.9, "metrics": [metric("accuracy.x")]} for i in range(2000)]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    square = [[0.5, 0.5] for _ in range(2)]
    matrix = [[1.0 if i == j else 0.25 for j in range(len(names))] for i in range(len(names))]
    sides = ("train", "holdout", "synthetic")
    return {
        "schema_version": 1,
        "verdict": "fail" if any(found["failed"] and found["level"] == "error" for found in gates) else "pass",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC).isoformat(),
        "inputs": {"train": {"path": "train.csv", "rows": 1234, "sha256": "ab" * 32, "generator": None}},
        "seed": 7,
        "config": {
            "data": {"path": "a: b.csv", "columns": {"1e5": {"type": "id"}}},
            "run": {"seed": 7, "list": [1, "yes"]},
        },
        "versions": {"python": "3.11.7"},
        "metrics": list(metrics),
        "gates": list(gates),
        "columns": [{"name": name, "kind": "numeric", **row} for name, row in zip(names, behind, strict=False)],
        "pairs": [{"a": a, "b": b, **row} for (a, b), row in zip(pairs, behind, strict=False)],
        "profile": {
            "columns": [profiled(name) for name in names],
            "pairs": [
                {"a": a, "b": b, "a_labels": ["x", a], "b_labels": ["y", b], **dict.fromkeys(sides, square)}
                for a, b in pairs[:8]
            ],
            "dependence": {"columns": names, **dict.fromkeys(sides, matrix)} if len(names) > 1 else None,
        },
        **changes,
    }


def tree(page: str) -> ElementTree.Element:
    """Return the page as a tree: all that a browser makes of it, since every element is closed."""
    return ElementTree.fromstring(page.removeprefix("<!doctype html>\n"))


def words(node: ElementTree.Element) -> str:
    return re.sub(r"\s+", " ", " ".join(node.itertext()))


def section(page: str, anchor: str) -> ElementTree.Element:
    return next(part for part in tree(page).iter("section") if part[0].get("id") == anchor)


def cells(table: ElementTree.Element) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row.iter("td")] for row in table.iter("tr")][1:]


def harmless(page: str) -> None:
    """Hold that the page has no part that loads, runs or sends anything, and that every link stays on it."""
    for node in tree(page).iter():
        assert node.tag in TAGS
        assert not any(name.startswith("on") or name in ("src", "xlink:href") for name in node.attrib)
        assert node.get("href", "#").startswith("#")
    style = "".join(tree(page).find("head/style").itertext())
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(name: str) -> None:
    given = document([name, "age"], [gate("accuracy.univariate", "fail", name)])
    given["profile"]["columns"][1] = {**profiled("age"), "kind": "categorical"}
    given["profile"]["columns"][1]["bins"] = [{**profiled(name)["bins"][0], "label": name, "low": None, "high": None}]
    given["inputs"]["train"]["path"] = name
    given["config"] = {name: {name: name}}
    page = html_report(given)
    harmless(page)
    page.encode("utf-8")
    shown = re.sub("[\x00\ud800\u202e]", "\ufffd", name)
    assert "".join(section(page, "columns").find(".//h3").itertext()).removesuffix("numeric") == shown
    assert shown in words(section(page, "inputs"))
    assert name not in page


@given(st.text(min_size=1), st.text(min_size=1))
def test_whatever_columns_are_called_the_page_is_whole_and_harmless(one: str, other: str) -> None:
    page = html_report(document([one, other + "'"], [gate("accuracy.bivariate", "fail", one, other)]))
    harmless(page)
    page.encode("utf-8")


def test_the_document_is_of_the_published_form_and_gives_the_same_bytes_again() -> None:
    given = document(["a", "b"], [gate("accuracy.univariate", "pass")], [metric("accuracy.univariate")])
    stored = Report.model_validate_json(json.dumps(given)).model_dump(mode="json")
    assert html_report(stored) == html_report(json.loads(json.dumps(stored)))
    assert len(list(section(html_report(stored), "columns").iter("svg"))) == 2


# --- Verdict, gates, metrics -------------------------------------------------------------------------------------


def test_a_failure_comes_first_with_what_it_means_and_its_figures() -> None:
    gates = [
        gate("privacy.dcr_share", "pass"),
        gate("utility.ratio", "fail"),
        gate("validity.keys", "warn", level="warning"),
    ]
    header = tree(html_report(document(["a"], gates))).find("body/main/header")
    assert header.find("h1").text == "FAIL"
    assert "Not fit for release: of 3 checks 1 hold, 1 failed, 1 warn." in words(header)
    reasons = ["".join(item.itertext()) for item in header.iter("li")]
    assert reasons == [
        "FAILutility.ratio: a model trained on these rows is much worse on real ones (got 0.500, needs ≥0.700)",
        "warnvalidity.keys: ids are missing or repeated (got 0.500, needs ≥0.700)",
    ]


def test_columns_that_fail_are_named_and_marked() -> None:
    page = html_report(document(["a", "b"], [gate("accuracy.univariate", "fail", "b")]))
    assert "".join(next(tree(page).iter("li")).itertext()).startswith("FAILaccuracy.univariate (b): not distributed")
    marked = {card.find("h3").text: card.get("class") for card in section(page, "columns").iter("article")}
    assert marked == {"a": "card", "b": "card fails"}


def test_a_pass_says_that_nothing_speaks_against_a_release() -> None:
    header = tree(html_report(document(["a"], [gate("utility.ratio", "pass")]))).find("body/main/header")
    assert header.find("h1").text == "PASS"
    assert "No check speaks against a release: of 1 check 1 hold." in words(header)
    assert list(header.iter("li")) == []


def test_without_gates_the_page_does_not_call_the_table_good() -> None:
    page = html_report(document(["a"]))
    assert "nothing speaks for it either" in words(tree(page).find("body/main/header"))
    assert "Gates" not in words(tree(page).find("body/main/nav"))


def test_gates_and_metrics_are_tables_with_the_numbers_of_the_terminal() -> None:
    metrics = [
        metric(
            "privacy.known_record_share", value=0.00047, low=0.0, high=0.001, direction="lower", detail="5 of 9 rows"
        ),
        metric("utility.ratio", status="not_measured", value=None, low=None, high=None, detail="no target"),
    ]
    page = html_report(document(["a"], [gate("utility.ratio", "fail")], metrics))
    assert cells(section(page, "gates")) == [["utility.ratio", "FAIL", "0.500", "≥0.700", "min 0.7"]]
    family, numbers, detail = cells(section(page, "metrics"))
    assert family == ["privacy"]
    assert numbers[:5] == ["known_record_share ↓", "4.7e-04", "0.000 … 0.001", "0.900", "–"]
    assert detail == ["5 of 9 rows"]
    assert len(list(section(page, "metrics").iter("svg"))) == 1
    assert "Not measured: utility.ratio: no target" in words(section(page, "metrics"))


def test_inputs_show_rows_and_the_start_of_the_hash() -> None:
    assert cells(section(html_report(document(["a"])), "inputs")) == [["train", "1,234", "train.csv", "abababababab"]]


# --- Pictures ----------------------------------------------------------------------------------------------------


def test_columns_are_shown_in_the_document_s_order_and_the_better_ones_are_folded() -> None:
    page = html_report(document([f"c{i}" for i in range(30)]))
    part = section(page, "columns")
    names = [card.find("h3").text for card in part.iter("article")]
    assert names == [f"c{i}" for i in range(30)]
    (folded,) = part.iter("details")
    assert [card.find("h3").text for card in folded.iter("article")] == names[24:]
    assert folded.find("summary").text == "The other 6 columns, which are closer to the real ones"
    assert "accuracy 0.500 perfect 0.900 behind +0.400" in words(next(part.iter("article")))


def test_a_column_that_is_behind_by_nothing_has_no_sign_on_the_page() -> None:
    given = document(["a"])
    given["columns"][0] |= {"accuracy": 0.9001, "reference": 0.9}
    assert "perfect 0.900 behind 0.000" in words(section(html_report(given), "columns"))


def test_a_table_of_60_columns_stays_small_and_lists_the_worst_pairs_only() -> None:
    given = document([f"column {i}" for i in range(60)])
    given["profile"]["columns"] = [profiled(f"column {i}", 34) for i in range(60)]
    given["profile"]["pairs"] = [
        {
            **pair,
            "a_labels": ["1,200 … 1,300"] * 13,
            "b_labels": ["other"] * 13,
            **dict.fromkeys(("train", "holdout", "synthetic"), [[1 / 169] * 13] * 13),
        }
        for pair in given["profile"]["pairs"]
    ]
    page = html_report(given)
    assert len(page.encode()) < 2_000_000
    pairs = section(page, "pairs")
    (listed,) = pairs.iter("details")
    assert listed.find("summary").text == "The 50 worst of 1,770 pairs"
    assert len(cells(listed)) == 50
    assert len(list(pairs.iter("svg"))) == 8 * 3
    assert len(list(section(page, "dependence").iter("svg"))) == 3


def test_columns_that_the_matrices_leave_out_are_counted() -> None:
    names = [f"c{at}" for at in range(62)]
    given = document(names)
    assert "2 more columns are not drawn." in words(section(html_report(given), "dependence"))
    found = given["profile"]["dependence"]  # the profile has so many of them only
    found["columns"] = names[:60]
    for side in ("train", "holdout", "synthetic"):
        found[side] = [row[:60] for row in found[side][:60]]
    assert "2 more columns are not drawn." in words(section(html_report(given), "dependence"))
    assert "not drawn" not in words(section(html_report(document(names[:60])), "dependence"))


def test_without_a_profile_columns_are_a_table_and_no_picture_is_promised() -> None:
    whole = document(["a", "b"])
    for lacking in ({**whole, "profile": None}, {name: part for name, part in whole.items() if name != "profile"}):
        page = html_report(lacking)
        assert cells(section(page, "columns")) == [["a", "0.500", "0.900", "+0.400"], ["b", "0.501", "0.900", "+0.399"]]
        assert "What goes with what" not in words(tree(page))
        assert list(section(page, "pairs").iter("svg")) == []


def test_columns_of_which_nothing_was_measured_are_named() -> None:
    given = document(["a", "key"])
    given["columns"][1] = {"name": "key", "kind": "id", "accuracy": None, "reference": None, "metrics": []}
    given["profile"]["columns"] = given["profile"]["columns"][:1]
    assert "Nothing was measured of: key (id)" in words(section(html_report(given), "columns"))


def test_what_changed_most_is_listed_with_the_sign_of_the_change() -> None:
    given = document(["a", "b", "c"])
    given["profile"]["dependence"]["synthetic"] = [[1.0, 0.3, 0.25], [0.3, 1.0, 0.0], [0.25, 0.0, 1.0]]
    assert cells(section(html_report(given), "dependence")) == [
        ["b × c", "0.250", "0.250", "0.000", "-0.250"],
        ["a × b", "0.250", "0.250", "0.300", "+0.050"],
        ["a × c", "0.250", "0.250", "0.250", "0.000"],
    ]


def test_curves_of_distances_and_of_both_models_are_drawn_and_named() -> None:
    steps = {"x": [0.0, 1.0], "y": [0.0, 1.0]}
    metrics = [
        metric("privacy.dcr_p05", curves=[{"name": "synthetic", **steps}, {"name": "holdout", **steps}]),
        metric("utility.tstr", curves=[{"name": "trained on synthetic", **steps}]),
        metric("utility.trtr", curves=[{"name": "trained on real", **steps}]),
    ]
    part = section(html_report(document(["a"], [], metrics)), "distances")
    assert [[item.text or item[0].tail for item in figure.iter("li")] for figure in part.iter("figure")] == [
        ["holdout", "synthetic"],
        ["trained on real", "trained on synthetic"],
    ]
    assert [len([p for p in svg.iter("path") if "line" in p.get("class", "")]) for svg in part.iter("svg")] == [2, 2]
    assert "Distances" not in words(tree(html_report(document(["a"], [], [metric("utility.tstr")]))))


def test_the_configuration_is_folded_and_comes_back_from_its_text() -> None:
    given = document(["a"])
    part = section(html_report(given), "origin")
    assert yaml.safe_load(part.find("details/pre").text) == given["config"]
    assert "seed 7" in words(part)
    assert "python 3.11.7" in words(part)
