"""The page of a simulated collapse says what its document says, and its charts stand where the numbers say."""

from __future__ import annotations

import copy
import re
from itertools import pairwise
from xml.etree import ElementTree

import collapse_example as example
import pytest
from collapse_example import arms, document, judged, with_arms
from hypothesis import given
from hypothesis import strategies as st
from test_augmentation_html import HOSTILE, anchors, harmless, header, of_class, section, tables, tree, words

from synthcli.reports.collapse_charts import (
    CONTROL,
    Course,
    Look,
    Survival,
    Way,
    generation_ticks,
    looks,
    loss_chart,
    plane_chart,
    ridge_chart,
    survival_map,
    swatch,
    trajectory_chart,
)
from synthcli.reports.collapse_html import collapse_html
from synthcli.reports.collapse_words import answer

SECTIONS = ["arms", "courses", "minimum", "categories", "spread", "plane", "mechanisms", "metrics", "origin"]
PLAIN = Look("hue-1 dash-1", "circle")


def charts(page: str, anchor: str) -> list[str]:
    """Return what the charts of a section say they show."""
    return [svg.get("aria-label", "") for svg in section(page, anchor).iter("svg") if svg.get("role") == "img"]


def paths(chart: str, *classes: str) -> list[str]:
    return [node.get("d", "") for node in of_class(chart, *classes)]


def titles(nodes: list[ElementTree.Element]) -> list[str]:
    return [node.findtext("title", "") for node in nodes]


def texts(chart: str) -> list[str]:
    return [node.text or "".join(node.itertext()) for node in ElementTree.fromstring(chart).iter("text")]


def place(chart: str, name: str) -> tuple[float, float]:
    """Return where the last text of that name stands."""
    found = [node for node in ElementTree.fromstring(chart).iter("text") if node.text == name][-1]
    return float(found.get("x", "")), float(found.get("y", ""))


# --- The answer --------------------------------------------------------------------------------------------------


def test_the_answer_stands_at_the_head_with_the_verdict_of_each_arm_that_was_asked_for() -> None:
    found = document()
    top = header(collapse_html(found))
    assert top.get("class") == "verdict collapsing"
    assert top.findtext("h1") == "collapsing"
    assert words(top.find("p[@class='sentence']")).replace("\u00a0", " ") == answer(found)
    lines = ["".join(item.itertext()) for item in top.iter("li")]
    assert lines[0] == (
        "collapsingreplace: Distance of columns +0.146 TVD, Rare categories -34 points, Dependence of pairs +0.057 "
        "Cramér's V"
    )
    assert [re.split("[: ]", line)[0] for line in lines[:5]] == [
        *("collapsingreplace", "degraded-plateauaugment", "stablefresh", "stableaccumulate"),
        "inconclusiveaccumulate-subsample",
    ]


def test_gate_settling_recycling_and_notes_stand_below() -> None:
    lines = ["".join(item.itertext()) for item in header(collapse_html(document())).iter("li")][5:]
    assert lines == [
        "FAILthe gate: max_verdict degraded-plateau: collapsing; replace: collapsing",
        "passthe gate: min_fresh_at_most 30 %: 23 %",
        "warnaccumulate-subsample: inconclusive; 24 chains would settle it",
        "warnfresh 0.5: the real rows ran out: from generation 7 on some were used again, which is the augment regime "
        "and no longer fresh data",
        "warneach generation is protected as fit does it",
    ]


@pytest.mark.parametrize("verdict", ["stable", "degraded-plateau", "collapsing", "inconclusive"])
def test_verdicts_keep_their_names(verdict: str) -> None:
    page = collapse_html(with_arms(judged("replace", verdict)))
    assert header(page).get("class") == f"verdict {verdict}"
    assert header(page).findtext("h1") == verdict
    assert verdict in {node.text for node in section(page, "arms").iter("span")}


def test_the_control_alone_answers_nothing() -> None:
    page = collapse_html(with_arms())
    assert header(page).findtext("h1") == "not asked"
    assert header(page).get("class") == "verdict unmeasured"


# --- Arms --------------------------------------------------------------------------------------------------------


def test_arms_are_listed_with_what_they_learn_from_and_their_primary_changes() -> None:
    (rows,) = tables(section(collapse_html(document()), "arms"))
    assert len(rows) == 6 * 4
    assert rows[4] == ["replace", "collapsing", "the last output alone; 12 generations, 10 chains"]
    assert rows[6] == ["Rare categoriesshare of categories", "collapsing", "-0.340", "-0.361 … -0.319", "±0.1"]
    assert [row[2].split(";")[0] for row in rows if len(row) == 3] == [
        "2,000 new real rows each time: what refitting alone does",
        "the last output alone",
        "the last output and the same real rows each time, which weigh 30 %",
        "the last output, 31 % of it replaced by new real ones",
        "everything so far: the first real rows and all outputs",
        "2,000 rows out of everything so far",
    ]


def test_fresh_rows_that_were_asked_for_as_a_number_are_told_as_one() -> None:
    named = {**judged("fresh 0.05", "stable"), "name": "fresh 100 rows", "fresh_share": None}
    (rows,) = tables(section(collapse_html(with_arms(named)), "arms"))
    assert rows[4][2].startswith("the last output, 100 rows replaced by new real ones")


# --- Over the generations ----------------------------------------------------------------------------------------


def test_each_measured_metric_has_a_panel_the_primary_ones_first() -> None:
    page = collapse_html(document())
    assert charts(page, "courses") == [
        f"{title} over the generations"
        for title in (
            *("Distance of columns", "Rare categories", "Dependence of pairs"),
            *("Entropy", "Variance", "Recall", "Precision", "Told apart"),
        )
    ]
    assert [head.text for head in section(page, "courses").iter("h3")][:2] == [
        "The metrics that the verdict rests on",
        "Distance of columns",
    ]
    captions = [words(node) for node in section(page, "courses").iter("figcaption")]
    assert captions[0] == "Distance of columns of the output against the holdout, mean over columns (TVD)"
    assert captions[-1].endswith("(ROC AUC); every 3 generations")
    kinds = [node.text for node in section(page, "courses").iter("span") if node.get("class") == "kind"]
    assert kinds == ["drift ↓", "diversity ↑", "drift ↓", "diversity", "diversity", "diversity ↑", "drift", "drift ↓"]


def test_panels_show_the_arms_that_were_asked_for_and_not_those_of_the_search() -> None:
    part = section(collapse_html(document()), "courses")
    panel = next(svg for svg in part.iter("svg") if svg.get("role") == "img")
    assert len([node for node in panel.iter("path") if "course" in node.get("class", "").split()]) == 6
    assert len([node for node in panel.iter("path") if "band" in node.get("class", "").split()]) == 6
    assert len([node for node in panel.iter("path") if node.get("class") == "limit"]) == 2
    assert "fresh 0.05" not in words(part)
    named = ["".join(item.itertext()) for item in part.iter("li")]
    uncontrolled = section(collapse_html(document(arms=arms()[1:])), "courses")
    assert "".join(next(uncontrolled.iter("li")).itertext()) == "replace"
    assert named == [
        *("control", "replace", "augment", "fresh 0.31", "accumulate", "accumulate-subsample"),
        "the margin around the control's generation 1",
    ]


def test_margins_lie_around_the_control_at_generation_1() -> None:
    whole = document()
    first = next(own for own in whole["arms"][0]["metrics"] if own["name"] == "tvd")
    first["first"] = 0.5
    page = collapse_html(whole)
    assert "margin: 0.450" in page
    assert "margin: 0.550" in page
    # Without a figure of the verdict's, the control's course says it.
    first["first"] = None
    mean = whole["arms"][0]["trajectory"]["tvd"]["mean"][1]
    assert f"margin: {mean + 0.05:.3f}" in collapse_html(whole)
    whole["arms"][0]["trajectory"].pop("tvd")
    whole["metrics"] = whole["metrics"][:1]
    assert 'class="limit"' not in re.split('id="minimum"', collapse_html(whole))[0]


def test_a_metric_without_values_has_no_panel() -> None:
    whole = document()
    for arm in whole["arms"]:
        arm["trajectory"]["entropy"]["mean"] = [None] * 13
        arm["trajectory"].pop("recall")
    shown = charts(collapse_html(whole), "courses")
    assert not [label for label in shown if label.startswith(("Entropy", "Recall"))]
    assert len(shown) == 6


def test_one_chain_has_lines_and_no_bands() -> None:
    whole = document()
    for arm in whole["arms"]:
        for course in arm["trajectory"].values():
            course["low"] = course["high"] = None
    part = section(collapse_html(whole), "courses")
    classes = [node.get("class", "").split() for node in part.iter("path")]
    assert not [found for found in classes if "band" in found]
    assert len([found for found in classes if "course" in found]) == 8 * 6 + 6


def test_courses_bands_and_margins_stand_where_the_numbers_say() -> None:
    # From -1.1 to 1.1 there are 176 units, 80 each; 284 for two generations from 50 on.
    ours = Course("ours", PLAIN, [0, 1, 2], [0.0, 0.5, 1.0], [-0.25, 0.25, 0.75], [0.25, 0.75, 1.0])
    control = Course("control", CONTROL, [0, 1, 2], [0.0, None, 0.0], [None] * 3, [None] * 3)
    chart = trajectory_chart([control, ours], label="x", level=0.0, margin=1.0)
    assert paths(chart, "course", "hue-1") == ["M50 96L192 56L334 16"]
    assert paths(chart, "course", "control") == ["M50 96L334 96"]
    assert paths(chart, "band") == ["M50 116L192 76L334 36L334 16L192 36L50 76z"]
    assert paths(chart, "limit") == ["M46 176L340 176", "M46 16L340 16"]
    assert [place(chart, str(value)) for value in (0, 1, 2)] == [(50, 200), (192, 200), (334, 200)]
    assert [place(chart, value) for value in ("-0.5", "0.5")] == [(40, 140), (40, 60)]
    dots = of_class(chart, "spot", "hue-1")
    assert [(node.get("cx"), node.get("cy")) for node in dots] == [("50", "96"), ("192", "56")]
    assert titles(dots)[1] == "ours, generation 1: 0.500 (0.250 … 0.750)"
    assert titles(of_class(chart, "mark-end")) == [
        "control, generation 2: 0.000",
        "ours, generation 2: 1.000 (0.750 … 1.000)",
    ]


def test_the_control_lies_below_the_others() -> None:
    chart = trajectory_chart(
        [Course(name, look, [0, 1], [0.0, 1.0], [0.0, 0.9], [0.1, 1.0]) for name, look in looks(["a"], "c").items()],
        label="x",
        level=None,
        margin=1.0,
    )
    order = [node.get("class", "").split() for node in ElementTree.fromstring(chart).iter("path")]
    drawn = [(found[0], found[1]) for found in order if found[0] in ("band", "course")]
    assert drawn == [("band", "control"), ("band", "hue-1"), ("course", "control"), ("course", "hue-1")]
    assert not of_class(chart, "limit")


def test_a_very_long_interval_does_not_flatten_the_courses() -> None:
    course = Course("x", PLAIN, [0, 1], [0.0, 1.0], [-50.0, 0.9], [50.0, 1.1])
    chart = trajectory_chart([course], label="x", level=None, margin=1.0)
    # From -1 to 2 and 5 % on both sides: 176 units are 3.3.
    y = [float(place.split()[1]) for place in paths(chart, "course")[0][1:].split("L")]
    assert y[0] - y[1] == pytest.approx(176 / 3.3, abs=0.02)


@given(st.integers(0, 100_000))
def test_generations_are_marked_at_whole_numbers_equally_far_from_each_other(last: int) -> None:
    marks = generation_ticks(last)
    assert marks[0] == 0
    assert len(marks) <= 7
    assert last - marks[-1] < max((b - a for a, b in pairwise(marks)), default=1)
    assert len({b - a for a, b in pairwise(marks)}) <= 1


def test_no_two_of_thirty_arms_look_alike_and_neighbours_differ_in_more_than_their_colour() -> None:
    found = looks(["control", *(f"arm {place}" for place in range(30))], "control")
    assert found["control"] == CONTROL
    assert len({look.classes for look in found.values()}) == 31
    others = [look for name, look in found.items() if name != "control"]
    for one, other in pairwise(others[:6]):
        assert one.classes.split()[1] != other.classes.split()[1]
    assert len({look.shape for look in others[:6]}) == 6
    assert len({swatch(look) for look in others[:6]}) == 6


# --- The minimum of fresh rows -----------------------------------------------------------------------------------


def loss(**changes: object) -> dict:
    return {
        "name": "tvd",
        "found": True,
        "share": 0.1,
        "low": 10**-1.5,
        "high": 10**-0.5,
        "at_most": False,
        "margin": 0.5,
        "predicted": 0.01,
        "shares": [0.01, 0.1, 1.0],
        "losses": [1.0, 0.5, 0.0],
        "loss_low": [0.8, None, 0.0],
        "loss_high": [1.0, None, 0.2],
        "fitted": [1.0, 0.5, 0.0],
        **changes,
    }


def test_losses_fit_margin_and_crossing_stand_where_the_numbers_say() -> None:
    # Two decades and .1 beside on 294 units from 46 on: .1 is in the middle; 164 units are 1.1, the margin at 124.
    chart = loss_chart(loss(), label="x")
    assert paths(chart, "fit") == ["M59.36 49.45L193 124L326.64 198.55"]
    assert paths(chart, "limit") == ["M46 124L340 124"]
    assert paths(chart, "crossing") == ["M193 38L193 206"]
    (span,) = of_class(chart, "span")
    assert (span.get("x"), span.get("width"), span.get("y"), span.get("height")) == ("126.18", "133.64", "42", "164")
    assert titles([span]) == ["interval of the share that is needed: 3.2 % … 32 %"]
    points = of_class(chart, "point")
    assert [(node.get("cx"), node.get("cy")) for node in points] == [
        ("59.36", "49.45"),
        ("193", "124"),
        ("326.64", "198.55"),
    ]
    assert titles(points)[:2] == ["1 % fresh real rows: loss 1.000 (0.800 … 1.000)", "10 % fresh real rows: loss 0.500"]
    assert paths(chart, "reach") == ["M59.36 79.27L59.36 49.45", "M326.64 198.55L326.64 168.73"]
    assert {"needed 10 %", "predicted 1 %", "margin 0.5", "1 %", "10 %", "100 %"} <= {*texts(chart)}
    assert [place(chart, name) for name in ("1 %", "10 %", "100 %")] == [(59.36, 224), (193, 224), (326.64, 224)]
    (predicted,) = of_class(chart, "predicted")
    assert predicted.get("d", "").split("L")[0] == "M59.36 13.85"


def test_a_share_of_none_at_all_has_a_place_of_its_own() -> None:
    chart = loss_chart(loss(shares=[0.0, 0.1, 1.0], predicted=None, low=0.0), label="x")
    assert of_class(chart, "point")[0].get("cx") == "61"
    (span,) = of_class(chart, "span")
    assert span.get("x") == "61"
    assert not of_class(chart, "predicted")
    assert place(chart, "0 %") == (61, 224)
    # The place is named also where nothing was tried there.
    assert place(loss_chart(loss(low=0.0), label="x"), "0 %") == (61, 224)
    assert "0 %" not in texts(loss_chart(loss(), label="x"))


def test_an_end_that_is_not_known_lies_at_the_edge() -> None:
    (span,) = of_class(loss_chart(loss(low=None), label="x"), "span")
    assert (span.get("x"), span.get("width")) == ("46", "213.82")
    assert titles([span]) == ["interval of the share that is needed: ? … 32 %"]
    (span,) = of_class(loss_chart(loss(high=None), label="x"), "span")
    assert float(span.get("x", "")) + float(span.get("width", "")) == pytest.approx(340)


def test_an_interval_below_all_shares_that_were_tried_is_not_drawn() -> None:
    chart = loss_chart(loss(at_most=True, share=0.01, low=0.0, high=0.0), label="x")
    assert not of_class(chart, "span")
    assert [node.get("cx") for node in of_class(chart, "point")] == ["59.36", "193", "326.64"]


def test_a_minimum_that_was_not_found_has_no_crossing() -> None:
    chart = loss_chart(loss(found=False, share=None, low=None, high=None), label="x")
    assert not of_class(chart, "crossing")
    assert not of_class(chart, "span")
    assert "needed: not found in the grid" in texts(chart)
    assert "needed ≤ 10 %" in texts(loss_chart(loss(at_most=True), label="x"))


def test_a_name_at_the_right_edge_turns_to_the_left() -> None:
    chart = loss_chart(loss(predicted=1.0), label="x")
    node = next(node for node in ElementTree.fromstring(chart).iter("text") if node.text == "predicted 100 %")
    assert node.get("text-anchor") == "end"
    assert float(node.get("x", "")) == pytest.approx(326.64 - 10, abs=0.01)


def test_shares_too_near_for_two_names_keep_both_marks() -> None:
    chart = loss_chart(loss(shares=[0.01, 0.98, 1.0]), label="x")
    assert "100 %" in texts(chart)
    assert "98 %" not in texts(chart)
    assert len(of_class(chart, "point")) == 3


def test_the_minimum_is_drawn_and_listed_metric_by_metric() -> None:
    part = section(collapse_html(document()), "minimum")
    labels = [svg.get("aria-label") for svg in part.iter("svg")]
    assert labels == [
        f"{title}: loss by the share of fresh real rows"
        for title in ("Distance of columns", "Rare categories", "Dependence of pairs", "Recall")
    ]
    needs, grid = tables(part)
    assert needs == [
        ["all primary metrics", "23 %", "19 % … 28 %", "31 %", "21 %"],
        ["Distance of columns", "19 %", "15 % … 25 %", "–", "17 %"],
        ["Rare categories", "23 %", "18 % … 30 %", "–", "21 %"],
        ["Dependence of pairs", "21 %", "17 % … 27 %", "–", "19 %"],
        ["Recall", "25 %", "20 % … 32 %", "–", "22 %"],
    ]
    assert grid[0] == ["5 %", "100", "60", "collapsing"]
    assert grid[3] == ["23 %", "460", "13", "inconclusive"]
    assert "Of 2,000 rows in each generation: 460 rows needed, 620 measured stable." in words(part)
    folds = [words(node) for node in part.iter("summary")]
    assert folds == ["The other metrics, drawn", "The shares that were tried"]


# --- What is lost ------------------------------------------------------------------------------------------------


def test_a_map_is_the_darker_the_more_chains_show_the_category() -> None:
    # Four generations on 164 units from 146 on.
    chart = survival_map([Survival("a: b", 0.01, [1.0, 1.0, 0.5, 0.0]), Survival("a: c", 0.2, [1.0, None])], label="x")
    squares = [
        tuple(float(node.get(key, "")) for key in ("x", "y", "width", "fill-opacity"))
        for node in of_class(chart, "cell")
    ]
    assert squares == [(146, 0.5, 82, 1.0), (228, 0.5, 41, 0.5), (269, 0.5, 41, 0.0), (146, 15.5, 41, 1.0)]
    assert titles(of_class(chart, "cell"))[:2] == [
        "a: b, 1.0 % of the real rows: in 100 % of the chains, generations 0 to 1",
        "a: b, 1.0 % of the real rows: in 50 % of the chains, generation 2",
    ]
    assert [node.text for node in of_class(chart, "figure")] == ["0 %", "–"]
    assert [place(chart, str(value)) for value in range(4)] == [(166.5 + 41 * value, 46) for value in range(4)]


def test_each_arm_that_was_asked_for_has_a_map_with_the_rarest_on_top() -> None:
    part = section(collapse_html(document()), "categories")
    assert [head.text for head in part.iter("h3")] == [
        *("control", "replace", "augment", "fresh 0.31", "accumulate", "accumulate-subsample")
    ]
    first = next(part.iter("svg"))
    names = [
        words(node)
        for node in first.iter("text")
        if node.get("text-anchor") == "end" and node.find("title") is not None
    ]
    assert names[0].endswith("dest: CODE 1, 0.1 %")
    assert len(names) == 24
    assert "Shown are" not in words(part)


def test_more_categories_than_fit_are_counted() -> None:
    pictures = {"categories": example.categories(45), "densities": []}
    part = section(collapse_html(document(pictures=pictures)), "categories")
    assert "Shown are the 40 rarest of 45." in words(part)
    assert "CODE 40" in words(part)
    assert "CODE 41" not in words(part)


def test_ridges_are_as_high_as_their_shares_before_the_outline_of_the_real_rows() -> None:
    # The edges are at 30, 175 and 320, a share of 1 is 48 units high, a generation takes 66.
    picture = {"column": "a", "edges": [0.0, 1.0, 2.0], "labels": ["0", "1", "2"]}
    chart = ridge_chart(picture, {0: [0.25, 0.25, 0.5, 0.0], 4: [0.0, 1.0, 0.0, 0.0]}, label="x")
    real = "M8 {0}V{1}h16V{0}zM30 {0}V{1}H175V{2}H320V{0}zM326 {0}V{0}h16V{0}z"
    assert paths(chart, "ridge") == [
        real.format(64, 52, 40),
        "M8 130V130h16V130zM30 130V82H175V130H320V130zM326 130V130h16V130z",
    ]
    assert paths(chart, "origin") == [real.format(130, 118, 106)]
    assert texts(chart) == ["generation 0: the real rows", "generation 4", "0", "1", "2"]
    assert [place(chart, name) for name in "012"] == [(30, 146), (175, 146), (320, 146)]
    assert titles(of_class(chart, "ridge"))[0] == (
        "generation 0: 25.0 % below 0, 0 % from 2 on; 50.0 % in the fullest bin"
    )
    assert not of_class(chart, "cut")


def test_areas_between_the_edges_are_shares() -> None:
    picture = {"column": "a", "edges": [0.0, 1.0, 3.0], "labels": ["0", "1", "3"]}
    chart = ridge_chart(picture, {0: [0.0, 0.5, 0.5, 0.0]}, label="x")
    # Bins of 1 and 2, the usual width is 1.5: .75 and .375, the higher one as high as the chart.
    assert "V16H126.67V40H320" in paths(chart, "ridge")[0]


def test_a_tower_of_the_real_rows_is_cut_and_one_that_a_collapse_makes_is_not() -> None:
    picture = {"column": "a", "edges": [0.0, 1.0, 2.0, 3.0], "labels": ["0", "1", "2", "3"]}
    tower, flat = [0.0, 0.94, 0.03, 0.02, 0.01], [0.2] * 5
    chart = ridge_chart(picture, {0: tower, 1: tower}, label="x")
    # The first bin is from 30 to 126.67; bars end at 1.6 times .02.
    assert paths(chart, "cut") == ["M69.33 25l18 -5", "M69.33 91l18 -5"]
    assert "V19H223.33" in paths(chart, "ridge")[0]
    assert not of_class(ridge_chart(picture, {0: flat, 1: tower}, label="x"), "cut")


def test_labels_of_edges_are_those_given_as_many_as_there_is_room_for() -> None:
    days = example.densities()[1]
    chart = ridge_chart(days, {0: days["shares"]["replace"][0]}, label="x")
    shown = [name for name in texts(chart) if name.startswith("20")]
    steps = {days["labels"].index(b) - days["labels"].index(a) for a, b in pairwise(shown)}
    assert shown[0] == days["labels"][0]
    assert len(shown) >= 3
    assert len(steps) == 1
    # A date has 10 signs of 6.38 units.
    assert all(place(chart, b)[0] - place(chart, a)[0] >= 63.8 for a, b in pairwise(shown))


def test_columns_are_drawn_at_the_start_in_the_middle_and_at_the_end_of_replace() -> None:
    page = collapse_html(document())
    assert charts(page, "spread") == [
        f"{column}: shares of rows by value in generations 0, 1, 6, 12 of replace"
        for column in ("distance <miles>", "day", "gain")
    ]
    assert "Columns of the regime replace" in words(section(page, "spread"))


def test_without_replace_columns_are_those_of_the_worst_arm_that_has_some() -> None:
    pictures = {"categories": [], "densities": example.densities()}
    for picture in pictures["densities"]:
        picture["shares"] = dict.fromkeys(("control", "augment", "accumulate"), picture["shares"]["control"])
    known = (judged("accumulate", "stable"), judged("augment", "degraded-plateau"), judged("fresh 0.31", "collapsing"))
    page = collapse_html(with_arms(*known, pictures=pictures))
    assert "Columns of the regime augment" in words(section(page, "spread"))


def test_precision_and_recall_make_a_path_from_a_ring_to_the_arms_mark() -> None:
    # Both axes hold 0 to 1 and .05 beside; a name of one sign leaves 473.88 units across, 304 up.
    chart = plane_chart(
        [Way("a", PLAIN, [(0, 0.0, 1.0), (1, 0.5, 0.5), (2, 1.0, 0.0)])], label="x", x_name="precision", y_name="recall"
    )
    (ring,) = of_class(chart, "ring")
    assert float(ring.get("cx", "")) == pytest.approx(52 + 473.88 * 0.05 / 1.1, abs=0.01)
    assert float(ring.get("cy", "")) == pytest.approx(330 - 304 * 1.05 / 1.1, abs=0.01)
    (middle,) = of_class(chart, "spot")
    assert float(middle.get("cx", "")) == pytest.approx(52 + 473.88 / 2, abs=0.01)
    assert float(middle.get("cy", "")) == pytest.approx(178)
    assert paths(chart, "course") == ["M73.54 39.82L288.94 178L504.34 316.18"]
    assert titles(of_class(chart, "mark-end")) == ["a, generation 2: 1.000, 0.000"]
    assert [place(chart, name) for name in ("0", "1")] == [(73.54, 348), (504.34, 348)]
    assert {"precision", "recall", "a"} <= {*texts(chart)}


def test_the_path_takes_the_generations_in_which_both_were_measured() -> None:
    whole = document()
    for arm in whole["arms"]:
        arm["trajectory"]["recall"] = {"generation": [0, 6, 12], "mean": [0.9, None, 0.5], "low": None, "high": None}
    part = section(collapse_html(whole), "plane")
    assert [svg.get("aria-label") for svg in part.iter("svg") if svg.get("role")] == [
        "Recall against precision over the generations"
    ]
    lines = [node for node in part.iter("path") if node.get("class", "").startswith("course hue-1")]
    assert lines[-1].get("d", "").count("L") == 1


# --- Everything --------------------------------------------------------------------------------------------------


def test_every_metric_is_listed_arm_by_arm() -> None:
    part = section(collapse_html(document()), "metrics")
    meanings, *listed = tables(part)
    assert meanings[1] == [
        "Rare categories ↑",
        "diversity, primary",
        "rare categories of the output against the holdout, mean over columns",
        "0.970",
        "±0.1",
        "share of categories",
    ]
    assert meanings[-1][2:4] == ["not measured: no target is known", "–"]
    assert [words(node) for node in part.iter("summary")][1:] == [
        "replace: collapsing",
        "augment: degraded-plateau",
        "fresh 0.31: stable",
        "accumulate: stable",
        "accumulate-subsample: inconclusive",
        *(
            f"fresh {share:g}: {verdict}, run for the search or the prediction alone"
            for share, verdict in ((0.05, "collapsing"), (0.1, "collapsing"), (0.17, "collapsing"))
        ),
        "fresh 0.23: stable, run for the search or the prediction alone",
        "fresh 0.5: stable, run for the search or the prediction alone",
    ]
    assert listed[1][1] == [
        *("Rare categories", "collapsing", "0.920", "0.580", "-0.340", "-0.361 … -0.319", "±0.1"),
        *("-0.170", "-0.191 … -0.149", "0.001"),
    ]
    assert {len(rows) for rows in listed} == {8}
    heads = [node.text for node in next(part.iter("details")).iter("th")]
    assert heads == [
        *("metric", "verdict", "generation 1", "late", "change", "90 % interval", "margin"),
        *("late slope × T", "interval", "p"),
    ]


def test_the_run_the_mechanisms_and_the_configuration_are_told() -> None:
    page = collapse_html(document())
    told = words(section(page, "origin"))
    for part in (
        "2,000 rows; 12 generations, 10 chains",
        "20,000; 18,000 beside generation 0 for each chain",
        "forest, seed 7",
        "trees: 10",
        "temperature 1 (its own law)",
        "collapse-sim/trajectories.parquet",
        "synthcli 1.0, python 3.11.7",
        "Configuration in force",
        "data/train.parquet",
    ):
        assert part in told
    assert "a share of fresh real rows cures that." in words(section(page, "mechanisms"))
    biased = document(generator={"kind": "forest", "parameters": {}, "temperature": 0.8})
    assert "temperature 0.8 (sampling is biased)" in words(section(collapse_html(biased), "origin"))


def test_a_page_has_each_part_or_leaves_it_out_without_data() -> None:
    assert anchors(collapse_html(document())) == SECTIONS
    lacking = {
        "categories plane": example.no_categories(),
        "minimum": example.not_searched(),
        "spread": document(pictures={"categories": example.categories(), "densities": []}),
        "mechanisms": document(mechanisms=None),
    }
    for names, found in lacking.items():
        assert anchors(collapse_html(found)) == [name for name in SECTIONS if name not in names.split()]


BARE = {**arms()[0], "metrics": [], "trajectory": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {"arms": [BARE]},
        {"arms": [BARE, {**arms()[1], "metrics": [], "trajectory": {}}]},
        {"arms": arms()[1:]},
        {"arms": []},
        {"metrics": []},
        {"pictures": {"categories": [], "densities": []}},
        {
            "pictures": {
                "categories": [],
                "densities": [{"column": "a", "edges": [], "labels": [], "shares": {"replace": [[1.0]]}}],
            }
        },
        {
            "pictures": {
                "categories": [],
                "densities": [{"column": "a", "edges": [1.0], "labels": ["1"], "shares": {"replace": [[0, 1]]}}],
            }
        },
        {"minimum_fresh": example.minimum(metrics=[], grid=[])},
        {"inputs": {}, "config": {}, "versions": {}, "gate": [], "notes": []},
    ],
)
def test_any_part_may_be_absent(changes: dict) -> None:
    page = collapse_html(document(**changes))
    harmless(page)
    assert anchors(page)[-1] == "origin"


# --- Whole pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "build", [document, example.no_categories, example.not_searched, example.inconclusive, example.not_found]
)
def test_nothing_is_asked_for_and_nothing_runs(build) -> None:
    page = collapse_html(build())
    harmless(page)
    assert "<script" not in page
    assert "default-src &#x27;none&#x27;" in page


def test_whatever_the_page_is_built_of_has_a_look() -> None:
    plain = {"dash-1", "train", "holdout", "chart", "flow"}
    for page in (collapse_html(document()), collapse_html(example.not_found())):
        style = tree(page).findtext("head/style", "")
        used = {name for node in tree(page).iter() for name in node.get("class", "").split()}
        assert {name for name in used - plain if f".{name}" not in style} == set()


def test_sections_have_titles_that_the_page_links_to() -> None:
    page = tree(collapse_html(document()))
    titles = [
        "What becomes of each regime",
        "Generation by generation",
        "How many fresh real rows are enough",
        "Which categories die out",
        "How columns narrow",
        "Precision and recall",
        "Why: bias and chance",
        "Every metric",
        "How this was made",
    ]
    assert [node.text for node in page.iter("h2")] == titles
    assert [(node.text, node.get("href")) for node in page.iter("a")] == [
        (title, f"#{anchor}") for title, anchor in zip(titles, SECTIONS, strict=True)
    ]


def test_charts_have_legends() -> None:
    page = collapse_html(document())
    legends = {
        anchor: [words(item) for node in section(page, anchor).iter("ul") for item in node.iter("li")]
        for anchor in ("minimum", "categories", "spread", "plane")
    }
    assert legends == {
        "minimum": [
            *("loss with its interval", "isotonic fit", "margin", "share that is needed", "its interval"),
            "share that was predicted",
        ],
        "categories": ["share of the chains that show the category, none to all"],
        "spread": ["the generation", "generation 0: the real rows"],
        "plane": ["control", "replace", "augment", "fresh 0.31", "accumulate", "accumulate-subsample"],
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    # The names come in afterwards: some of them are no text that a stored document could hold.
    found = copy.deepcopy(document())
    found["generator"] |= {"kind": name, "parameters": {name: name}}
    found["inputs"]["train"]["path"] = found["trajectories"] = found["gate"][0]["detail"] = name
    for metric in found["metrics"]:
        metric |= {"title": name, "detail": name, "unit": name, "reason": name}
    for arm in found["arms"][2:]:
        arm |= {"name": name, "regime": name, "broken": 1}
    for picture in found["pictures"]["categories"]:
        picture |= {"column": name, "category": name, "shown": {name: [1.0, 0.5]}}
    for picture in found["pictures"]["densities"]:
        picture |= {"column": name, "labels": [name] * len(picture["edges"])}
    found["notes"] = [name]
    page = collapse_html(found)
    harmless(page)
    page.encode("utf-8")
    assert name not in page
    shown = re.sub("[\x00\ud800\u202e]", "\ufffd", name)
    for anchor in ("arms", "courses", "minimum", "categories", "spread", "plane", "metrics", "origin"):
        assert shown in words(section(page, anchor)), anchor


@given(st.text(min_size=1))
def test_whatever_a_column_is_called_the_page_is_whole(name: str) -> None:
    pictures = {"categories": example.categories(1), "densities": example.densities()[:1]}
    found = with_arms(judged("replace", "collapsing"), pictures=pictures)
    found["pictures"]["categories"][0]["column"] = found["pictures"]["densities"][0]["column"] = name
    page = collapse_html(found)
    page.encode("utf-8")
    tree(page)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sex: F", "sex: F"),
        ("native_country: Peru", "native_co…: Peru"),
        ("native_country: Holand-Netherlands", "nat…: Holand-Ne…"),
    ],
)
def test_a_long_column_gives_way_to_its_category(name: str, told: str) -> None:
    chart = survival_map([Survival(name, 0.01, [1.0, 0.5])], label="x")
    assert f">{told}, " in chart
    assert f"{name}, 1" in chart  # whole under the pointer
