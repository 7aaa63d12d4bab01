"""Charts show the numbers they were given: places, heights and colours worked out by hand, and laws of scales."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.reports.charts import Scale, curve_chart, percent, range_chart, tick_labels, ticks
from synthcli.reports.distributions import column_chart
from synthcli.reports.markup import Markup, element, fragment, text
from synthcli.reports.matrices import dependence_matrix, difference, heat_map, largest

NUMBERS = st.floats(-1e300, 1e300, allow_nan=False)


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def of_class(chart: str, class_: str) -> list[ElementTree.Element]:
    return [node for node in parsed(chart).iter() if class_ in node.get("class", "").split()]


def labels(chart: str) -> list[str]:
    return [node.text or "" for node in parsed(chart).iter("text")]


def one_bin(label: str, low: float | None, high: float | None, train: float, *others: float) -> dict:
    holdout, synthetic = others or (train, train)
    return {"label": label, "low": low, "high": high, "train": train, "holdout": holdout, "synthetic": synthetic}


def column(*bins: dict, kind: str = "numeric") -> dict:
    return {"name": "age", "kind": kind, "bins": list(bins)}


# --- Markup ------------------------------------------------------------------------------------------------------


@given(st.text())
def test_any_text_and_any_attribute_come_back_from_the_markup_or_are_replaced(value: str) -> None:
    node = parsed(element("td", value, title=value))
    unfit = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
    assert (node.text or "") == unfit.sub("\ufffd", value)
    assert list(node) == []
    assert set(node.attrib) == {"title"}


def test_markup_is_escaped_once_and_plain_parts_of_a_fragment_are_too() -> None:
    assert text(text("<")) == "&lt;"
    assert fragment(["<", Markup("<b/>")]) == "&lt;<b/>"
    assert element("p", element("b", "a & b"), class_="x", stroke_width=1.50, title=None) == (
        '<p class="x" stroke-width="1.5"><b>a &amp; b</b></p>'
    )


# --- Scales ------------------------------------------------------------------------------------------------------


def test_a_scale_maps_its_ends_and_keeps_what_is_beyond_at_them() -> None:
    scale = Scale(10, 20, 100, 0)
    assert [scale(value) for value in (10, 15, 20, 5, 99)] == [100, 50, 0, 100, 0]
    assert Scale(3, 3, 7, 9)(3) == 7


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [(0, 97, 5, [0, 20, 40, 60, 80]), (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 3, 4, [-2, 0, 2]), (2, 2, 4, [2])],
)
def test_ticks_are_round_and_within_the_ends(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(expected)


@given(NUMBERS, st.floats(1e-6, 1e6), st.integers(2, 9))
def test_there_are_never_more_ticks_than_asked_for_and_each_has_a_label_of_its_own(
    low: float, width: float, most: int
) -> None:
    found = ticks(low, low + width * max(abs(low), 1) * 1e-3, most)
    assert len(found) <= most
    assert len({*tick_labels(found)}) == len(found)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 2.5, 5.0], ["0", "2.5", "5"]),
        ([1990.0, 2000.0], ["1990", "2000"]),  # years have no comma
        ([0.0, 20_000.0], ["0", "20,000"]),
        ([0.0, 500_000.0, 1_000_000.0], ["0", "0.5M", "1M"]),
        ([1e9, 1e9 + 1], ["1,000,000,000", "1,000,000,001"]),  # units would make them equal
        ([2e-05], ["2e-05"]),
    ],
)
def test_labels_of_ticks(values: list[float], expected: list[str]) -> None:
    assert tick_labels(values) == expected


def test_a_share_that_is_not_zero_never_reads_as_zero() -> None:
    assert [percent(share) for share in (0.0, 0.0004, 0.0006, 0.25)] == ["0 %", "< 0.1 %", "0.1 %", "25.0 %"]


# --- Ranges and curves -------------------------------------------------------------------------------------------


def estimate(**changes: object) -> dict:
    found = {"value": 0.5, "low": 0.4, "high": 0.6, "reference": 0.9, "floor": 0.1, "range": [0.0, 1.0]}
    return {"name": "accuracy.bivariate", **found, **changes}


def test_a_range_shows_value_interval_reference_and_floor_at_their_places() -> None:
    chart = range_chart(estimate())
    assert labels(chart) == ["0.05", "0.95"]
    (value,) = of_class(chart, "value")
    assert value.get("cx") == "110"  # 0.5 is in the middle of 4 to 216
    (interval,) = of_class(chart, "interval")
    assert float(interval.get("x", 0)) == pytest.approx(4 + 212 * 0.35 / 0.9 - 0.5, abs=0.01)
    assert float(interval.get("width", 0)) == pytest.approx(212 * 0.2 / 0.9 + 1, abs=0.01)
    places = {name: of_class(chart, name)[0].get("d", "").split()[0] for name in ("floor", "reference")}
    assert places == {"floor": "M15.78", "reference": "M204.22"}
    assert parsed(chart).get("aria-label") == (
        "accuracy.bivariate: value 0.500, perfect 0.900, floor 0.100, interval 0.400 to 0.600"
    )


def test_a_range_stays_within_the_metric_s_own_and_draws_no_tick_that_is_not_there() -> None:
    chart = range_chart(estimate(value=1.0, low=0.999, high=1.0, reference=1.0, floor=None))
    assert labels(chart)[1] == "1"
    assert of_class(chart, "floor") == []
    assert len(of_class(chart, "reference")) == 1


def test_a_curve_goes_through_its_points_and_leaves_out_those_that_fall_on_one_another() -> None:
    curves = {"synthetic": {"x": [0.0, 0.5, 0.5000001, 2.0], "y": [0.0, 0.5, 0.5, 1.0]}}
    chart = curve_chart(curves, label="all", x_name="distance", y_name="share", diagonal=True)
    (line,) = of_class(chart, "synthetic")
    assert line.get("d") == "M40.0 254.0L137.0 133.0L428.0 12.0"
    (guess,) = of_class(chart, "guess")
    assert guess.get("d") == "M40 254L428 12"
    assert {"distance", "share", "0", ".5", "1", "2"} <= set(labels(chart))


# --- Distributions -----------------------------------------------------------------------------------------------


def heights(chart: str, side: str) -> list[list[float]]:
    """Return for each island of a histogram the vertical places of its steps, the base at the end."""
    (path,) = of_class(chart, side)
    return [[float(y) for y in re.findall(r"V([\d.]+)", part)] for part in path.get("d", "").split("M")[1:]]


def test_equal_areas_of_a_histogram_are_equal_shares() -> None:
    # The bin twice as wide as usual has half the height of its neighbour with the same share.
    chart = column_chart(column(one_bin("a", 0, 1, 0.5), one_bin("b", 1, 2, 0.25), one_bin("c", 2, 4, 0.25)))
    assert heights(chart, "train") == [[18, 93, 130.5, 168]]


def test_open_ends_and_missing_cells_stand_apart_from_the_numbers() -> None:
    bins = (
        one_bin("< 1", None, 1, 0.2),
        one_bin("1 … 2", 1, 2, 0.4, 0.2, 0.1),
        one_bin("2 … 3", 2, 3, 0.2),
        one_bin("≥ 3", 3, None, 0.1),
        one_bin("(missing)", None, None, 0.1),
    )
    chart = column_chart(column(*bins))
    assert sorted(heights(chart, "train")) == [[18, 93, 168], [93, 168], [130.5, 168], [130.5, 168]]
    assert [30.0, 168.0] not in heights(chart, "synthetic")
    assert heights(chart, "synthetic")[0] == [130.5, 93, 168]
    assert {"less", "more", "missing"} <= set(labels(chart))
    told = [node[0].text for node in of_class(chart, "sensor")]
    assert "1 … 2: training 40.0 %, holdout 20.0 %, synthetic 10.0 %" in told
    assert len(told) == len(bins)


def test_a_tower_is_cut_and_its_shares_are_written_beside_it() -> None:
    low = [one_bin(f"{i}", i, i + 1, 0.02) for i in range(1, 6)]
    chart = column_chart(column(one_bin("0", 0, 1, 0.9, 0.9, 0.8), *low))
    assert len(of_class(chart, "cut")) == 1
    assert "90.0 % → 80.0 %" in labels(chart)
    assert heights(chart, "train")[0][:2] == [18, pytest.approx(168 - 150 / 1.6)]
    assert of_class(column_chart(column(*low)), "cut") == []


def test_instants_are_labelled_with_dates_or_with_times_where_bins_are_short() -> None:
    day = 86_400e6
    days = [one_bin(f"{i}", i * day, (i + 1) * day, 0.1) for i in range(10)]
    assert labels(column_chart(column(*days, kind="datetime")))[-3:] == ["1970-01-02", "1970-01-05", "1970-01-08"]
    hours = [one_bin(f"{i}", i * day / 24, (i + 1) * day / 24, 0.1) for i in range(10)]
    assert any(re.fullmatch(r"01-01 0\d:00", label) for label in labels(column_chart(column(*hours, kind="datetime"))))
    beyond = [one_bin(f"{i}", (i + 9e3) * 365 * day, (i + 9001) * 365 * day, 0.1) for i in range(10)]
    assert any(re.fullmatch(r"\d{5}", label) for label in labels(column_chart(column(*beyond, kind="datetime"))))


def test_categories_are_bars_as_long_as_their_shares() -> None:
    chart = column_chart(column(one_bin("yes", None, None, 0.8, 0.8, 0.4), one_bin("no", None, None, 0.2, 0.2, 0.6)))
    widths = {side: [float(bar.get("width", 0)) for bar in of_class(chart, side)] for side in ("train", "synthetic")}
    full = widths["train"][0]
    assert widths["train"] == [full, pytest.approx(full / 4)]
    assert widths["synthetic"] == [pytest.approx(full / 2), pytest.approx(full * 3 / 4)]
    assert labels(chart)[2:] == ["yes", "80.0", "40.0", "no", "20.0", "60.0"]


def test_the_rest_of_a_column_of_many_categories_does_not_flatten_them() -> None:
    chart = column_chart(column(one_bin("a", None, None, 0.02), one_bin("(other)", None, None, 0.98)))
    first, rest = (float(bar.get("width", 0)) for bar in of_class(chart, "train"))
    assert first == pytest.approx(rest / 1.6)
    assert len(of_class(chart, "cut")) == 1


def test_a_column_of_one_value_is_a_bar_and_one_without_bins_is_empty() -> None:
    assert labels(column_chart(column(one_bin("< 0", None, 0, 0.5), one_bin("≥ 0", 0, None, 0.5))))[2] == "< 0"
    assert of_class(column_chart(column()), "train") == []


# --- Matrices ----------------------------------------------------------------------------------------------------


def test_differences_and_the_largest_value() -> None:
    assert difference([[0.5, 0.25]], [[0.25, 0.5]]) == [[0.25, -0.25]]
    assert largest([[0.1, -0.7]], [[0.3]]) == 0.7
    assert largest([]) == 0


def test_a_square_is_as_deep_as_its_share_and_names_it() -> None:
    chart = heat_map(["low", "high"], ["x"], [[0.2], [0.05]], label="a × b", most=0.2)
    squares = of_class(chart, "cell")
    assert [square.get("fill-opacity") for square in squares] == ["1", "0.25"]
    assert [square[0].text for square in squares] == ["low × x: 20.00 % of rows", "high × x: 5.00 % of rows"]


def test_too_many_is_orange_and_too_few_is_blue() -> None:
    chart = heat_map(["r"], ["x", "y"], [[0.02, -0.01]], label="a × b", most=0.02, mode="difference")
    assert [(s.get("class"), s.get("fill-opacity"), s[0].text) for s in of_class(chart, "cell")] == [
        ("cell more", "1", "r × x: +2.00 points"),
        ("cell", "0.5", "r × y: -1.00 points"),
    ]
    nothing = heat_map(["r"], ["x"], [[0.0]], label="a × b", most=0.0, mode="difference")
    assert of_class(nothing, "cell")[0].get("fill-opacity") == "0"


def test_a_matrix_draws_every_pair_once_in_few_paths() -> None:
    count = 30
    cells = [[1.0 if i == j else (i * j % 7) / 10 for j in range(count)] for i in range(count)]
    chart = dependence_matrix([f"column {i}" for i in range(count)], cells, label="V")
    paths = of_class(chart, "cell")
    assert sum(path.get("d", "").count("M") for path in paths) == count * count
    assert {path.get("fill-opacity") for path in paths} == {"0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "1"}
