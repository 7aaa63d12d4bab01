"""The page of an augmentation says what its document says, at the right places, and lives without any part of it."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.reports.augmentation import augment_document
from synthcli.reports.augmentation_html import augment_html
from synthcli.reports.lift_charts import Dot, Series, apart, dot_chart, pair_bar, parts_bar, size_chart

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style></svg><b>", "a\x00\ud800\u202eb"]
TOLD = {"lift.pr_auc": "average precision", "lift.brier": "squared error"}


def estimate(name: str, value: float | None, half: float = 0.01, **changes: object) -> dict:
    """Return a value ± half, or what could not be measured."""
    known = value is not None
    return {
        "name": name,
        "value": value,
        "low": value - half if known else None,
        "high": value + half if known else None,
        "direction": "lower" if name in ("lift.brier", "tvd", "pairs", "error", "dependence") else "higher",
        "status": "measured" if known else "not_measured",
        "detail": TOLD.get(name, ""),
        **changes,
    }


def point(rows: int, arm: str, score: float | None, gain: float | None = None) -> dict:
    gains = [] if arm == "real" else [estimate("lift.pr_auc", gain), estimate("lift.brier", gain)]
    scores = [estimate("lift.pr_auc", score), estimate("lift.brier", 0.2 if score is not None else None)]
    if score is None:
        for found in (*scores, *gains):
            found["detail"] = "too few rows"
    return {"rows": rows, "arm": arm, "scores": scores, "gains": gains}


def lifted(verdict: str = "helps", gain: float = 0.05) -> dict:
    """Return the lift of three arms at two sizes."""
    points = []
    for rows in (100, 1000):
        points += [point(rows, "real", 0.3), point(rows, "SMOTE-NC", 0.28, -0.02)]
        points += [point(rows, "augmentation", 0.3 + gain, gain)]
    against = {"real": estimate("lift.pr_auc", gain), "SMOTE-NC": estimate("lift.pr_auc", gain + 0.02)}
    shared = {"primary": "lift.pr_auc", "target": "late", "repetitions": 3, "holdout_rows": 500, "reason": ""}
    return {"verdict": verdict, "points": points, "against": against, **shared}


UNMEASURED = {
    "verdict": "not measured",
    "reason": "no target: name one",
    "primary": "",
    "target": "",
    "repetitions": 0,
    "holdout_rows": 0,
    "points": [],
    "against": {},
}
CLASSES = [
    {"class": "late=true", "before": 100, "after": 300, "drawn": 200, "share": 0.5},
    {"class": "other classes", "before": 300, "after": 300, "drawn": 0, "share": 0.5},
]
PATTERN = {
    "title": "a fifth, at random",
    "methods": [
        {"method": "median", "right": None, "error": estimate("error", 1.0), "tvd": estimate("tvd", 0.3)},
        {"method": "augmentation", "right": estimate("right", 0.5), "error": None, "tvd": estimate("tvd", 0.02)},
    ],
}
for row in PATTERN["methods"]:
    row["dependence"] = estimate("dependence", None, detail="one column only")


def document(**changes: object) -> dict:
    fields = {
        "mode": "rebalance",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
        "seed": 7,
        "inputs": {"train": {"path": "train.csv", "rows": 400, "sha256": None}},
        "outputs": [{"path": "out/augmented.csv", "rows": 600, "sha256": "ab" * 32}],
        "generator": {"kind": "forest", "parameters": {"trees": 10}},
        "rows": {"real": 400, "synthetic": 200, "imputed": 0},
        "account": {"columns": ["late"], "classes": CLASSES, "without_class": 0},
        "lift": lifted(),
        "masking": None,
        "pooled": None,
        "gate": None,
        "notes": [],
        "config": {"run": {"seed": 7}},
        "versions": {"python": "3.11.7"},
        **changes,
    }
    return augment_document(**fields)


def imputed(**changes: object) -> dict:
    account = {"filled": [{"column": "age", "holes": 40, "filled": 30, "left": 10}]}
    rows = {"real": 360, "synthetic": 0, "imputed": 40}
    return document(**{"mode": "impute", "account": account, "rows": rows, "lift": UNMEASURED, **changes})


def tree(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page.removeprefix("<!doctype html>\n"))


def words(node: ElementTree.Element | None) -> str:
    assert node is not None
    return re.sub(r"\s+", " ", " ".join(node.itertext()))


def header(page: str) -> ElementTree.Element:
    found = tree(page).find("body/main/header")
    assert found is not None
    return found


def section(page: str, anchor: str) -> ElementTree.Element:
    return next(part for part in tree(page).iter("section") if part[0].get("id") == anchor)


def anchors(page: str) -> list[str | None]:
    return [part[0].get("id") for part in tree(page).iter("section")]


def cells(table: ElementTree.Element) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row.iter("td")] for row in table.iter("tr")][1:]


def tables(part: ElementTree.Element) -> list[list[list[str]]]:
    return [cells(table) for table in part.iter("table")]


def of_class(chart: str, *classes: str) -> list[ElementTree.Element]:
    nodes = ElementTree.fromstring(chart).iter()
    return [node for node in nodes if {*classes} <= {*node.get("class", "").split()}]


def harmless(page: str) -> None:
    """Hold that the page has no part that loads, runs or sends anything, and that every link stays on it."""
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    for node in tree(page).iter():
        assert node.tag not in ("script", "img", "link", "iframe", "object", "form", "input", "base")
        assert not any(name.startswith("on") or name in ("src", "xlink:href") for name in node.attrib)
        assert node.get("href", "#").startswith("#")


# --- The verdict -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "class_"),
    [("helps", "verdict helps"), ("hurts", "verdict hurts"), ("no measurable gain", "verdict level")],
)
def test_the_verdict_is_large_and_coloured_with_the_gain_and_its_interval_below(verdict: str, class_: str) -> None:
    found = header(augment_html(document(lift=lifted(verdict))))
    assert found.get("class") == class_
    assert found.findtext("h1") == verdict.upper()
    assert words(found.find("p[@class='sentence']")) == (
        "A model of late, trained after rebalancing late: PR AUC +0.050 (+0.040 … +0.060) over the rows as they "
        "are, on 500 holdout rows, 3 repetitions."
    )
    assert words(found.find("ul/li")) == "Better than SMOTE-NC (+0.070)"


def test_a_gain_that_was_not_measured_says_why() -> None:
    found = header(augment_html(imputed()))
    assert found.get("class") == "verdict unmeasured"
    assert found.findtext("h1") == "NOT MEASURED"
    assert "no target: name one" in words(found)


@pytest.mark.parametrize(
    ("mode", "title"), [("rebalance", "REBALANCED"), ("impute", "HOLES FILLED"), ("upsample", "ROWS ADDED")]
)
def test_without_a_lift_the_title_is_what_was_done(mode: str, title: str) -> None:
    found = header(augment_html(document(mode=mode, lift=None)))
    assert found.findtext("h1") == title
    assert "400 real + 200 synthetic = 600 rows. What a model gains by it was not measured." in words(found)


@pytest.mark.parametrize("lift", [lifted("hurts", -0.05), UNMEASURED, None])
def test_a_failed_gate_is_told_whatever_was_measured(lift: dict | None) -> None:
    page = augment_html(document(lift=lift, gate={"demand": "no_harm", "passed": False}, outputs=[]))
    assert "FAIL the gate demands: no harm, so no table was written" in words(header(page))
    assert header(page).findtext("h1") == ("HURTS" if lift and lift["points"] else "NOT MEASURED")
    assert "No table was written." in words(section(page, "made"))


def test_a_gate_that_holds_is_told_once_and_notes_stand_below() -> None:
    page = augment_html(document(gate={"demand": "helps", "passed": True}, notes=["cells go into the output"]))
    assert ["".join(item.itertext()) for item in header(page).iter("li")] == [
        "Better than SMOTE-NC (+0.070)",
        "passthe gate demands: helps",
        "warncells go into the output",
    ]


# --- What was made -----------------------------------------------------------------------------------------------


def test_classes_and_tables_are_listed_with_their_counts() -> None:
    classes, files = tables(section(augment_html(document()), "made"))
    assert [row[:5] for row in classes] == [
        ["late=true", "100", "300", "200", "25.0 % → 50.0 %"],
        ["other classes", "300", "300", "0", "75.0 % → 50.0 %"],
    ]
    assert files == [
        ["train", "400", "train.csv", "–"],
        ["output", "600", "out/augmented.csv", "abababababab"],
    ]


def test_more_classes_than_fit_are_folded() -> None:
    many = [{**CLASSES[0], "class": f"c{i}"} for i in range(30)]
    part = section(augment_html(document(account={"columns": ["late"], "classes": many})), "made")
    first, rest, _ = tables(part)
    assert (len(first), len(rest)) == (24, 6)
    assert part.findtext(".//summary") == "The other 6"


def test_filled_holes_are_listed_by_column() -> None:
    holes, _ = tables(section(augment_html(imputed()), "made"))
    assert [row[:4] for row in holes] == [["age", "40", "30", "10"]]


def test_variants_are_told() -> None:
    account = {"before": 400, "kept": 400, "drawn": 200, "variants_of": 1200, "vary": ["a", "b"]}
    part = section(augment_html(document(mode="upsample", account=account)), "made")
    assert "variants of 1,200 rows, a, b drawn anew" in words(part)


# --- What a model gains ------------------------------------------------------------------------------------------


def test_scores_have_their_gains_below_starred_where_chance_is_no_explanation() -> None:
    (scores,) = tables(section(augment_html(document()), "gains"))
    assert scores == [
        ["rows as they are", "0.300", "0.200"],
        ["SMOTE-NC", "0.280-0.020*", "0.200-0.020*"],
        ["this augmentation", "0.350+0.050*", "0.200+0.050*"],
    ]


def test_a_lower_brier_score_is_better_and_a_lower_average_precision_is_worse() -> None:
    part = section(augment_html(document()), "gains")
    assert [node.get("class") for node in part.iter("span")] == [
        *("gain worse", "gain better"),
        *("gain better", "gain worse"),
    ]


def test_an_arm_that_could_not_be_measured_is_named_with_the_reason() -> None:
    lift = lifted()
    lift["points"][4] = point(1000, "SMOTE-NC", None)
    page = augment_html(document(lift=lift))
    assert tables(section(page, "gains"))[0][1] == ["SMOTE-NC", "not measured"]
    assert "Not measured: SMOTE-NC: too few rows" in words(section(page, "gains"))
    picture = section(page, "gains").find(".//svg")
    assert "SMOTE-NC" not in words(picture)


def test_the_augmentation_leads_the_picture_of_gains() -> None:
    picture = section(augment_html(document()), "gains").find(".//svg")
    assert picture is not None
    names = [node.text for node in picture.iter("text") if node.text in ("this augmentation", "SMOTE-NC")]
    assert names == ["this augmentation", "SMOTE-NC"]


def test_the_curve_is_drawn_twice_and_its_points_are_listed_size_by_size() -> None:
    part = section(augment_html(document()), "sizes")
    assert [svg.get("aria-label") for svg in part.iter("svg")] == [
        "PR AUC by training rows",
        "Gain in PR AUC by training rows",
    ]
    (listed,) = tables(part)
    assert [row[0] for row in listed[:2]] == ["100 training rows", "rows as they are"]
    assert listed[3] == ["this augmentation", "0.350", "0.340 … 0.360", "+0.050", "+0.040 … +0.060"]


def test_one_size_makes_no_curve() -> None:
    lift = lifted()
    lift["points"] = lift["points"][3:]
    assert anchors(augment_html(document(lift=lift))) == ["made", "gains", "origin"]


# --- Hidden cells ------------------------------------------------------------------------------------------------


def test_methods_that_fill_hidden_cells_are_compared_in_a_table_and_a_picture() -> None:
    page = augment_html(imputed(masking={"patterns": [PATTERN], "legend": "what it means"}))
    part = section(page, "hidden")
    assert tables(part) == [
        [
            ["median", "–", "1.0000.990 … 1.010", "0.3000.290 … 0.310", "–"],
            ["this augmentation", "0.5000.490 … 0.510", "–", "0.0200.010 … 0.030", "–"],
        ]
    ]
    assert [svg.get("aria-label") for svg in part.iter("svg")] == [
        "a fifth, at random: Distance of distributions (TVD)"
    ]
    assert "Not measured: median (dependence), this augmentation (dependence): one column only" in words(part)
    assert "what it means" in words(part)


def test_what_is_perfect_is_the_reference_where_there_is_one_and_pairs_are_shown_where_they_were_measured() -> None:
    pattern = copy.deepcopy(PATTERN)
    for row in pattern["methods"]:
        row["tvd"]["reference"] = 0.012
        row["pairs"] = estimate("pairs", 0.4)
    part = section(augment_html(imputed(masking={"patterns": [pattern], "legend": ""})), "hidden")
    assert "perfect 0.012" in words(part.find(".//svg"))
    assert [head.text for head in part.iter("th")] == [
        None,
        "right ↑",
        "error/sd ↓",
        "TVD ↓",
        "pairs ↓",
        "dependence ↓",
    ]
    assert "0: perfect" in words(
        section(augment_html(imputed(masking={"patterns": [PATTERN], "legend": ""})), "hidden")
    )


def test_pooled_statistics_are_a_table() -> None:
    pooled = [
        {"column": "age", "statistic": "mean", "value": 41.2, "se": 0.5, "low": 40, "high": 42.4, "df": 9.6, "fmi": 0.2}
    ]
    pooled.append({**pooled[0], "df": float("inf"), "fmi": 0.0})
    (table,) = tables(section(augment_html(imputed(pooled=pooled)), "pooled"))
    assert table == [
        ["age", "mean", "41.200", "0.500", "40.000 … 42.400", "10", "20.0 %"],
        ["age", "mean", "41.200", "0.500", "40.000 … 42.400", "∞", "0 %"],
    ]


# --- Whole pages -------------------------------------------------------------------------------------------------


def test_nothing_is_asked_for_and_nothing_runs() -> None:
    for page in (augment_html(document()), augment_html(imputed(masking={"patterns": [PATTERN], "legend": ""}))):
        harmless(page)
        assert "<script" not in page
        assert "default-src &#x27;none&#x27;" in page


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    # The names come in afterwards: some of them are no text that a stored document could hold.
    found = imputed(masking={"patterns": [copy.deepcopy(PATTERN)], "legend": ""}, lift=lifted())
    found["account"] |= {"columns": [name], "classes": [{**CLASSES[0], "class": name}]}
    found["account"]["filled"][0]["column"] = name
    found["inputs"]["train"]["path"] = name
    found["lift"]["target"] = name
    found["lift"]["points"][1]["arm"] = found["lift"]["points"][4]["arm"] = name
    found["masking"]["patterns"][0]["title"] = name
    found["notes"] = [name]
    found["generator"]["parameters"] = {name: name}
    page = augment_html(found)
    harmless(page)
    page.encode("utf-8")
    assert name not in page
    assert re.sub("[\x00\ud800\u202e]", "\ufffd", name) in words(section(page, "gains"))


@given(st.text(min_size=1))
def test_whatever_the_target_is_called_the_page_is_whole(name: str) -> None:
    found = document()
    found["lift"]["target"] = name
    found["account"]["columns"] = [name]
    augment_html(found).encode("utf-8")
    tree(augment_html(found))


@pytest.mark.parametrize(
    "changes",
    [
        {"lift": None},
        {"lift": UNMEASURED},
        {"lift": {**lifted("not measured"), "reason": "x", "points": [point(9, "real", None)]}},
        {"lift": {**lifted("not measured"), "reason": "x", "points": [point(9, "augmentation", None)]}},
        {"outputs": [], "inputs": {}},
        {"rows": {}},
        {"mode": "upsample", "account": {}},
        {"mode": "impute", "account": {"filled": []}, "masking": {"patterns": [], "legend": ""}, "pooled": []},
        {"account": {"columns": ["a"], "classes": [{**CLASSES[0], "before": 0, "share": 0.0}]}},
        {"generator": {}, "config": {}, "versions": {}},
    ],
)
def test_any_part_may_be_absent(changes: dict) -> None:
    page = augment_html(document(**changes))
    harmless(page)
    assert anchors(page)[0] == "made"
    assert anchors(page)[-1] == "origin"


# --- Charts ------------------------------------------------------------------------------------------------------


def test_estimates_lie_on_one_axis_at_their_places() -> None:
    # Ends -0.05 and 0.05 and 5 % more on both sides: 544 units from 8 on are 0.11, so that 0 is at 280.
    dots = [
        Dot("ours", "own", {"value": 0.0275, "low": 0.0, "high": 0.05}, "+0.028"),
        Dot("theirs", "other", {"value": -0.0275, "low": -0.05, "high": 0.0}, "-0.028"),
    ]
    chart = dot_chart(dots, label="gain", x_name="gain", upright=(0.0, "as it is"))
    assert [float(node.get("cx", "")) for node in of_class(chart, "dot")] == [416, 144]
    assert [node.get("d") for node in of_class(chart, "whisker")] == ["M280 50L527.27 50", "M32.73 92L280 92"]
    assert {node.get("d", "").split("L")[0].split()[0] for node in of_class(chart, "zero")} == {"M280"}
    assert [node.text for node in of_class(chart, "own") if node.tag == "text"] == ["ours", "+0.028"]


def test_a_line_at_zero_is_on_the_axis_even_where_all_values_are_far_from_it() -> None:
    dots = [Dot("x", "own", {"value": 10.0, "low": 9.0, "high": 10.0}, "")]
    # From -0.5 to 10.5, the value 10 is at 8 + 544 · 10.5 / 11.
    (dot,) = of_class(dot_chart(dots, label="", x_name="", upright=(0.0, "none")), "dot")
    assert float(dot.get("cx", "")) == pytest.approx(8 + 544 * 10.5 / 11, abs=0.01)


def test_sizes_stand_on_a_logarithmic_axis_and_scores_at_their_heights() -> None:
    values = {100: 0.2, 1000: 0.3, 10_000: 0.4}
    estimates = {rows: {"value": v, "low": v - 0.1, "high": v + 0.1} for rows, v in values.items()}
    chart = size_chart([Series("x", "own", estimates)], label="", y_name="")
    x = [float(node.get("cx", "")) for node in of_class(chart, "dot")]
    y = [float(node.get("cy", "")) for node in of_class(chart, "dot")]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.02)
    # The axis goes from 0.08 at 284 to 0.52 at 24: 0.3 is in the middle, and 0.1 is 59.09.
    assert y == pytest.approx([154 + 59.09, 154, 154 - 59.09], abs=0.01)
    labels = [node.text for node in ElementTree.fromstring(chart).iter("text")]
    assert [name for name in ("100", "1,000", "10,000") if name in labels] == ["100", "1,000", "10,000"]


def test_one_very_long_interval_does_not_flatten_the_curve() -> None:
    values = {100: 0.2, 1000: 0.3, 10_000: 0.4}
    estimates = {rows: {"value": v, "low": v - 0.01, "high": v + 0.01} for rows, v in values.items()}
    estimates[100] = {"value": 0.2, "low": -5.0, "high": 5.0}
    chart = size_chart([Series("x", "own", estimates)], label="", y_name="")
    y = [float(node.get("cy", "")) for node in of_class(chart, "dot")]
    # From 0.2 - 0.2 to 0.4 + 0.2 with 0.03 beside: 260 units are 0.66.
    assert y[0] - y[2] == pytest.approx(260 * 0.2 / 0.66, abs=0.02)


def test_sizes_too_near_for_two_names_keep_both_marks() -> None:
    estimates = {rows: {"value": 0.5, "low": 0.4, "high": 0.6} for rows in (200, 203, 5500)}
    chart = size_chart([Series("x", "own", estimates)], label="", y_name="")
    labels = [node.text for node in ElementTree.fromstring(chart).iter("text")]
    assert "203" in labels
    assert "200" not in labels
    assert len(of_class(chart, "dot")) == 3


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8))
def test_names_at_line_ends_keep_their_order_and_never_overlap(wanted: list[float]) -> None:
    found = apart(wanted, 17, 24, 284)
    ordered = [place for _, place in sorted(zip(wanted, found, strict=True))]
    assert all(b - a >= 17 - 1e-6 for a, b in pairwise(ordered))
    assert min(found) >= 24 - 1e-6
    assert max(found) <= 284 + 1e-6


def test_bars_are_as_long_as_their_shares() -> None:
    bars = [node.get("width") for node in of_class(pair_bar(0.25, 0.5, 0.5, ""), "bar")]
    assert bars == ["110", "220"]
    parts = [(node.get("x"), node.get("width")) for node in of_class(parts_bar({"a": 300, "b": 100}, ""), "bar")]
    assert parts == [("0", "420"), ("420", "140")]
