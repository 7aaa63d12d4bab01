"""Findings: plain data from trajectories that were made up, so that every number is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from math import exp, log, nan, sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import columns
from numpy.typing import NDArray

from synthcli.collapse.chains import Trajectory
from synthcli.collapse.findings import (
    Chains,
    arm_findings,
    mechanism_findings,
    metric_findings,
    minimum_findings,
    pictures,
    predicted_share,
    predictions,
    trajectories,
)
from synthcli.collapse.measures import BY_NAME
from synthcli.collapse.minimum import against_bias, against_extinction
from synthcli.collapse.regimes import Arm
from synthcli.collapse.ruler import TABLE, Ruler

Floats = NDArray[np.float64]
#: Metric and column -> its value in each generation, the same in every chain but for the chain's own luck.
Courses = dict[tuple[str, str], Callable[[int], float]]

ROWS, TIMES = 100, 8
NOISE = (-0.001, 0.0, 0.001)
TRAIN = pl.DataFrame(
    {
        "c": ["a"] * 180 + ["b"] * 13 + ["r"] * 7,
        "x": [float(number) for number in range(200)],
        "when": [datetime(2024, 1, 1) + timedelta(days=number) for number in range(200)],
    }
)
METRICS = ("tvd", "dependence", "entropy", "log_variance_ratio")
CONTROL = Arm("control", ROWS, ROWS, TIMES)
REPLACE = Arm("replace", ROWS, 0, TIMES)
ACCUMULATE = Arm("accumulate", ROWS, 0, TIMES)


def ruler(metrics: Sequence[str] = METRICS, train: pl.DataFrame = TRAIN, **settings: Any) -> Ruler:
    schema = columns(c="categorical", x="numeric", when="datetime")
    return Ruler(train, train, schema, settings.get("rows", ROWS), tuple(metrics), 0, None, (), 3)


def run(one: Ruler, arm: Arm, courses: Courses, luck: float, broken: int = 0) -> Trajectory:
    """Return a chain; a value without a course is 0 throughout."""
    values = np.zeros((arm.generations + 1, len(one.names)))
    for key, course in courses.items():
        values[:, one.names.index(key)] = [course(t) + luck * (t > 1) for t in range(arm.generations + 1)]
    shown = np.tile(np.arange(arm.generations + 1)[:, None] < 3, (1, len(one.tracked)))
    densities = np.full((arm.generations + 1, len(one.outlined), 26), 1 / 26)
    return Trajectory(values, shown, densities, broken)


def chains(arms: dict[Arm, Courses], margins: dict[str, float] | None = None, one: Ruler | None = None) -> Chains:
    known = one or ruler()
    runs = {arm: [run(known, arm, courses, luck) for luck in NOISE] for arm, courses in arms.items()}
    return Chains(known, runs, margins or {})


def line(pace: float, start: float = 0.0) -> Callable[[int], float]:
    return lambda t: start + pace * max(t - 1, 0)


RISING: Courses = {("tvd", TABLE): line(0.02), ("entropy", TABLE): lambda t: 1 - 0.01 * t}
BASIC = chains({CONTROL: {}, REPLACE: RISING, ACCUMULATE: {}})


def as_json(document: object) -> None:
    """Assert that JSON can hold it: no NaN, no infinity, no numpy."""
    json.dumps(document, allow_nan=False)


# --- arms and metrics ---


def test_values_are_found_by_arm_metric_and_column() -> None:
    values = BASIC.values(REPLACE, "tvd")
    assert values.shape == (3, 9)
    assert values[1] == pytest.approx([0, 0, *(0.02 * t for t in range(1, 8))])
    assert values[2, 1:3] == pytest.approx([0, 0.021])
    assert (BASIC.values(REPLACE, "tvd", "c") == 0).all()
    assert BASIC.control is CONTROL
    assert BASIC.arm("accumulate") is ACCUMULATE


def test_an_arm_is_told_with_verdict_change_and_course() -> None:
    """Late are generations 7 and 8, on average .13 above the first; the second half rises by .02 in each of eight."""
    told = arm_findings(BASIC, REPLACE, reservoir=100)
    assert (told["name"], told["regime"], told["fresh_share"], told["fresh_rows"]) == ("replace", "replace", 0.0, None)
    assert (told["verdict"], told["settles"], told["broken"], told["recycled_from"]) == ("collapsing", None, 0, None)
    assert (told["generations"], told["chains"], told["asked"]) == (8, 3, True)
    assert [metric["name"] for metric in told["metrics"]] == list(METRICS)
    tvd = told["metrics"][0]
    half = 2.919986 * 0.001 / sqrt(3)  # Student's t with two degrees of freedom
    assert (tvd.pop("name"), tvd.pop("verdict")) == ("tvd", "collapsing")
    assert tvd.pop("p_value") < 1e-3
    assert tvd == pytest.approx(
        {
            "change": 0.13, "low": 0.13 - half, "high": 0.13 + half, "margin": 0.05,
            "slope": 0.16, "slope_low": 0.16, "slope_high": 0.16, "first": 0.0, "late": 0.13,
        },
        rel=1e-5, abs=1e-9,
    )  # fmt: skip
    course = told["trajectory"]["tvd"]
    assert course["generation"] == list(range(9))
    assert course["mean"] == pytest.approx([0, 0, *(0.02 * t for t in range(1, 8))])
    assert course["high"][2] - course["mean"][2] == pytest.approx(half, rel=1e-5)
    as_json(told)


def test_a_fresh_arm_says_how_many_rows_and_from_when_they_come_again() -> None:
    fresh = Arm("fresh", ROWS, 30, TIMES, asked=False)
    told = arm_findings(chains({CONTROL: {}, fresh: {}}), fresh, reservoir=100)
    assert (told["fresh_rows"], told["fresh_share"], told["recycled_from"], told["asked"]) == (30, 0.3, 5, False)
    assert told["verdict"] == "stable"


def test_broken_chains_are_counted() -> None:
    one = ruler()
    runs = {
        CONTROL: [run(one, CONTROL, {}, luck) for luck in NOISE],
        REPLACE: [run(one, REPLACE, {}, luck, broken) for luck, broken in zip(NOISE, (0, 4, 2), strict=True)],
    }
    assert arm_findings(Chains(one, runs, {}), REPLACE, 100)["broken"] == 2


def test_margins_that_were_set_are_in_force() -> None:
    wide = chains({CONTROL: {}, REPLACE: RISING}, {"tvd": 0.5})
    assert (wide.margin("tvd"), wide.margin("entropy")) == (0.5, BY_NAME["entropy"].margin)
    assert wide.judged(REPLACE)["tvd"].verdict == "stable"
    assert wide.verdict(REPLACE)[0] == "stable"
    assert metric_findings(wide, ["tvd"])[0]["margin"] == 0.5


def test_the_control_is_not_taken_from_itself() -> None:
    drifting = chains({CONTROL: RISING, REPLACE: RISING})
    assert drifting.judged(CONTROL)["tvd"].verdict == "collapsing"
    # Of .13 the control has had .08 by itself: the mean of all its generations after the first.
    assert drifting.judged(REPLACE)["tvd"].change.value == pytest.approx(0.13 - 0.08)


def test_what_is_measured_in_some_generations_has_a_course_of_these() -> None:
    one = ruler()
    trajectory = run(one, REPLACE, RISING, 0.0)
    trajectory.values[[2, 3, 4, 6, 7], one.names.index(("tvd", TABLE))] = nan
    told = arm_findings(
        Chains(one, {CONTROL: [run(one, CONTROL, {}, 0.0)] * 2, REPLACE: [trajectory] * 2}, {}), REPLACE, 9
    )
    assert told["trajectory"]["tvd"]["generation"] == [0, 1, 5, 8]
    as_json(told)


def test_metrics_say_what_real_rows_score_and_why_some_were_not_measured() -> None:
    real = chains({CONTROL: {("tvd", TABLE): lambda t: 0.04 if t == 0 else 9.0}})
    told = {metric["name"]: metric for metric in metric_findings(real, ["tvd", "rare_category_survival", "tstr"])}
    assert (told["tvd"]["status"], told["tvd"]["real"], told["tvd"]["reason"]) == ("measured", pytest.approx(0.04), "")
    assert (told["tvd"]["primary"], told["tvd"]["every"], told["tvd"]["direction"]) == (True, 1, "lower")
    for name, words in (("rare_category_survival", "under 1 %"), ("tstr", "data.target")):
        assert (told[name]["status"], told[name]["real"]) == ("not_measured", None)
        assert words in told[name]["reason"]
    as_json(list(told.values()))


# --- mechanisms ---


def test_mechanisms_are_read_from_the_variances_of_replace() -> None:
    """Halved in every generation, without any luck: all bias."""
    halving: Courses = {("log_variance_ratio", column): line(-0.5) for column in ("x", "when")}
    one = ruler()
    both = Chains(one, {CONTROL: [run(one, CONTROL, {}, 0.0)] * 3, REPLACE: [run(one, REPLACE, halving, 0.0)] * 3}, {})
    told = mechanism_findings(both)
    assert told is not None
    assert told["measured_on"] == "variance"
    assert told["bias"]["contraction"] == pytest.approx(exp(-0.5))
    assert told["bias"]["half_life"] == pytest.approx(2 * log(2))
    assert told["drift"] == {"half_life": None, "low": None, "high": None}
    as_json(told)


def test_without_replace_or_without_either_there_are_none() -> None:
    assert mechanism_findings(chains({CONTROL: {}, ACCUMULATE: {}})) is None
    assert mechanism_findings(chains({CONTROL: {}, REPLACE: {}}, one=ruler(["tvd", "heterozygosity"]))) is None


# --- the least fresh data ---


def test_predictions_by_hand() -> None:
    """TVD grows by .02 a generation, which a margin of .05 allows with .02/.07; entropy falls by .01, margin .1."""
    found = predictions(chains({CONTROL: {}, REPLACE: RISING}))
    assert list(found) == list(METRICS)
    assert found["tvd"] == pytest.approx(0.02 / 0.07, rel=0.02)
    assert found["entropy"] == pytest.approx(0.01 / 0.11, rel=0.05)
    assert found["dependence"] == pytest.approx(0, abs=1e-9)
    assert predicted_share(chains({CONTROL: {}, REPLACE: RISING})) == found["tvd"]


def test_a_metric_that_gets_better_by_itself_needs_nothing() -> None:
    better = chains({CONTROL: {}, REPLACE: {("tvd", TABLE): line(-0.02)}})
    assert predictions(better)["tvd"] == 0.0
    assert predicted_share(better) == 0.0


def test_of_a_variance_bias_and_chance_are_both_reckoned_with() -> None:
    halving: Courses = {("log_variance_ratio", column): line(log(0.95)) for column in ("x", "when")}
    one = ruler()

    def with_courses(courses: Courses) -> float:
        runs = {CONTROL: [run(one, CONTROL, {}, 0.0)] * 3, REPLACE: [run(one, REPLACE, courses, 0.0)] * 3}
        return predictions(Chains(one, runs, {}))["log_variance_ratio"]

    assert with_courses(halving) == pytest.approx(against_bias(0.95, 0.1))
    slight: Courses = {("log_variance_ratio", column): line(log(0.9999)) for column in ("x", "when")}
    assert with_courses(slight) == pytest.approx(4.5 / ROWS)  # .9/.2 fresh rows, whatever n is


def test_of_rare_categories_their_extinction_is_reckoned_with() -> None:
    train = pl.concat([TRAIN] * 5).with_columns(c=pl.Series(["a"] * 975 + ["b"] * 9 + ["d"] * 8 + ["e"] * 8))
    one = ruler(["rare_category_survival"], train, rows=400)
    arms = {Arm("control", 400, 400, 20): {}, Arm("replace", 400, 0, 20): {}}
    expected = against_extinction(np.array([0.009, 0.008, 0.008]), 400, 0.1, 20)
    assert expected > 0.01
    assert predictions(chains(arms, one=one))["rare_category_survival"] == pytest.approx(expected)


def test_what_is_not_measured_early_is_not_predicted() -> None:
    one = ruler()
    values = run(one, REPLACE, RISING, 0.0)
    values.values[2:5] = nan
    both = Chains(one, {CONTROL: [run(one, CONTROL, {}, 0.0)] * 2, REPLACE: [values] * 2}, {})
    assert set(predictions(both).values()) == {0.0}


def test_two_generations_are_predicted_from_what_they_have() -> None:
    short = chains({Arm("control", ROWS, ROWS, 2): {}, Arm("replace", ROWS, 0, 2): RISING})
    assert predictions(short)["tvd"] == pytest.approx(0.02 / 0.07)


def searched(*losses: float, replace: Courses | None = None) -> dict[str, Any]:
    """Return the least share where the shares .1, .2, .4 and .8 lose so much of the TVD by the second generation."""
    arms: dict[Arm, Courses] = {CONTROL: {}}
    if replace is not None:
        arms[REPLACE] = replace
    for share, loss in zip((80, 40, 20, 10), reversed(losses), strict=True):  # in any order
        arms[Arm("fresh", ROWS, share, TIMES, asked=False)] = {("tvd", TABLE): lambda t, loss=loss: loss * (t > 1)}
    found = minimum_findings(chains(arms))
    assert found is not None
    as_json(found)
    return found


def test_the_least_share_is_where_the_loss_crosses_the_margin() -> None:
    """Halfway from .07 to .03, so sqrt(.2 · .4) = .283: 29 whole rows of a hundred."""
    found = searched(0.2, 0.07, 0.03, 0.0, replace=RISING)
    assert found["found"]
    assert found["share"] == pytest.approx(sqrt(0.08), rel=0.01)
    assert found["low"] <= found["share"] <= found["high"]
    assert found["rows_per_generation"] == 29
    assert (found["share_safe"], found["rows_safe"]) == (0.4, 40)
    assert (found["limited_by"], found["at_most"]) == ("tvd", False)
    assert found["predicted"] == pytest.approx(0.02 / 0.07, rel=0.02)
    assert [(one["share"], one["rows"], one["verdict"]) for one in found["grid"]] == [
        (0.1, 10, "degraded-plateau"), (0.2, 20, "degraded-plateau"), (0.4, 40, "stable"), (0.8, 80, "stable")
    ]  # fmt: skip
    curve = found["metrics"][0]
    assert (curve["name"], curve["margin"], curve["found"]) == ("tvd", 0.05, True)
    assert curve["shares"] == [0.1, 0.2, 0.4, 0.8]
    assert curve["losses"] == curve["fitted"] == pytest.approx([0.2, 0.07, 0.03, 0.0], abs=1e-9)


def test_a_share_that_is_not_found_is_said_to_be_so() -> None:
    found = searched(0.4, 0.3, 0.2, 0.1)
    assert (found["found"], found["share"], found["rows_per_generation"]) == (False, None, None)
    assert (found["share_safe"], found["rows_safe"], found["predicted"]) == (None, None, None)
    assert (found["limited_by"], found["high"]) == ("tvd", 1.0)


def test_where_the_smallest_share_is_enough_it_is_at_most_that() -> None:
    found = searched(0.01, 0.01, 0.0, 0.0, replace=RISING)
    assert (found["share"], found["at_most"], found["limited_by"], found["share_safe"]) == (0.1, True, None, 0.1)


def test_where_no_fresh_row_is_needed_none_is_asked_for() -> None:
    found = searched(0.01, 0.01, 0.0, 0.0, replace={})
    assert (found["found"], found["share"], found["rows_per_generation"], found["rows_safe"]) == (True, 0.0, 0, 0)
    assert (found["low"], found["high"], found["share_safe"]) == (0.0, 0.0, 0.0)


def test_a_loss_of_what_should_be_high_counts_as_a_loss() -> None:
    arms: dict[Arm, Courses] = {CONTROL: {}}
    for share, loss in ((20, 0.3), (80, 0.05)):
        arms[Arm("fresh", ROWS, share, TIMES)] = {("entropy", TABLE): lambda t, loss=loss: 1 - loss * (t > 1)}
    found = minimum_findings(chains(arms))
    assert found is not None
    curve = next(one for one in found["metrics"] if one["name"] == "entropy")
    assert curve["losses"] == pytest.approx([0.3, 0.05])


def test_without_fresh_arms_there_is_no_least_share() -> None:
    assert minimum_findings(BASIC) is None


# --- pictures and trajectories ---


def test_pictures_are_means_over_chains_of_the_arms_asked_for() -> None:
    one = ruler()
    silent = Arm("fresh", ROWS, 10, TIMES, asked=False)
    runs = {arm: [run(one, arm, {}, luck) for luck in NOISE] for arm in (CONTROL, REPLACE, silent)}
    runs[REPLACE][0].shown[:] = True
    runs[REPLACE][0].densities[:] = 0
    told = pictures(Chains(one, runs, {}))
    assert [(row["column"], row["category"], row["share"]) for row in told["categories"]] == [
        ("c", "r", 0.035), ("c", "b", 0.065), ("c", "a", 0.9)
    ]  # fmt: skip
    rare = told["categories"][0]["shown"]
    assert rare == {"control": [1, 1, 1, *[0] * 6], "replace": [1, 1, 1, *[0.333333] * 6]}
    outline = told["densities"][0]
    assert set(outline["shares"]) == {"control", "replace"}
    assert outline["shares"]["replace"][8] == [round(2 / 3 / 26, 6)] * 26
    as_json(told)


def test_edges_of_outlines_are_numbers_or_dates() -> None:
    told = pictures(chains({CONTROL: {}}))["densities"]
    assert [(one["column"], len(one["edges"]), len(one["labels"])) for one in told] == [("x", 25, 25), ("when", 25, 25)]
    # Five values at either end are shown by none: 0 to 4, and 195 to 199.
    assert (told[0]["labels"][0], told[0]["labels"][-1]) == ("5", "194")
    assert (told[1]["labels"][0], told[1]["labels"][-1]) == ("2024-01-06", "2024-07-13")  # days 5 and 194


def test_trajectories_are_in_long_form_without_what_was_not_measured() -> None:
    one = ruler(["tvd"])
    fresh = Arm("fresh", ROWS, 30, 2)
    runs = {arm: [run(one, arm, {}, luck) for luck in (0.0, 0.5)] for arm in (Arm("accumulate", ROWS, 0, 2), fresh)}
    runs[fresh][1].values[1, 0] = nan
    table = trajectories(Chains(one, runs, {}))
    assert table.schema == {
        "regime": pl.String, "fresh_share": pl.Float64, "chain": pl.Int32, "generation": pl.Int32,
        "metric": pl.String, "column": pl.String, "value": pl.Float64,
    }  # fmt: skip
    assert table.height == 2 * 2 * 3 * 4 - 1  # arms, chains, generations, the table and its three columns
    assert table.filter(pl.col("regime") == "accumulate")["fresh_share"].null_count() == 24
    assert table.filter(pl.col("regime") == "fresh")["fresh_share"].unique().to_list() == [0.3]
    missing = table.filter(regime="fresh", chain=2, generation=1)
    assert sorted(missing["column"].to_list()) == ["c", "when", "x"]
    assert table.filter(pl.col("column").is_null(), chain=1)["value"].to_list() == [0.0] * 6


def test_where_nothing_could_be_measured_the_table_is_empty() -> None:
    one = Ruler(TRAIN, TRAIN, columns(c="categorical", x="numeric"), ROWS, ("tstr",), 0, None, (), 3)
    assert one.names == ()
    nothing = chains({CONTROL: {}, REPLACE: {}}, one=one)
    table = trajectories(nothing)
    assert table.height == 0
    assert table.columns == ["regime", "fresh_share", "chain", "generation", "metric", "column", "value"]
    assert arm_findings(nothing, REPLACE, 100)["verdict"] == "inconclusive"
    assert predicted_share(nothing) == 0.0


@pytest.mark.parametrize(
    ("broken", "course", "verdict"),
    [
        ((0, 0, 0), 0.0, "stable"),
        ((0, 5, 0), 0.0, "inconclusive"),  # what was measured last is no proof of what would have come
        ((2, 5, 0), 0.0, "collapsing"),
        ((0, 5, 0), 0.02, "collapsing"),
    ],
)
def test_chains_that_broke_are_never_stable(broken: tuple[int, ...], course: float, verdict: str) -> None:
    one = ruler(["tvd"])
    courses = {("tvd", TABLE): line(course)}
    runs = {
        CONTROL: [run(one, CONTROL, {}, luck) for luck in NOISE],
        REPLACE: [run(one, REPLACE, courses, luck, at) for luck, at in zip(NOISE, broken, strict=True)],
    }
    found = Chains(one, runs, {})
    assert found.verdict(REPLACE)[0] == verdict
    assert arm_findings(found, REPLACE, 100)["broken"] == sum(at > 0 for at in broken)


def test_a_two_sided_loss_is_read_on_the_side_that_needs_more() -> None:
    """Entropy rises by .01 with the least share and falls by .3 with the next: both ways are harm."""
    shares = {10: 0.01, 30: -0.3, 60: -0.04}
    arms: dict[Arm, Courses] = {
        Arm("fresh", ROWS, rows, TIMES): {("entropy", TABLE): lambda t, c=change: c * (t > 1)}
        for rows, change in shares.items()
    }
    told = minimum_findings(chains({CONTROL: {}, **arms}, one=ruler(["entropy"])))
    assert told is not None
    assert not told["at_most"]
    assert 0.3 < told["share"] < 0.6


def test_shares_whose_chains_broke_are_no_solution() -> None:
    one = ruler(["tvd"])
    arms = [Arm("fresh", ROWS, rows, TIMES) for rows in (30, 60, 90)]
    runs = {arm: [run(one, arm, {}, luck, broken=2) for luck in NOISE] for arm in arms}
    control = {CONTROL: [run(one, CONTROL, {}, luck) for luck in NOISE]}
    told = minimum_findings(Chains(one, control | runs, {}))
    assert told is not None
    assert (told["found"], told["share"], told["share_safe"]) == (False, None, None)
