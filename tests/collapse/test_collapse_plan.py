"""The plan: arms, seconds and doubts by hand."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import columns

from synthcli.collapse.plan import (
    Cost,
    doubts,
    first_arms,
    half_widths,
    planned_search,
    rows_of,
    search_arms,
    searches,
    seconds,
)
from synthcli.collapse.regimes import Arm
from synthcli.collapse.ruler import TABLE, Ruler
from synthcli.config.models import CollapseSection
from synthcli.metrics.estimate import student_quantile
from synthcli.seeds import generator


def section(**settings: Any) -> CollapseSection:
    return CollapseSection.model_validate(settings)


@pytest.mark.parametrize(
    ("asked", "training_rows", "rows"), [(None, 100, 50), (None, 101, 50), (None, 9000, 2000), (70, 9000, 70)]
)
def test_half_of_the_real_rows_are_left_to_be_fresh(asked: int | None, training_rows: int, rows: int) -> None:
    assert rows_of(section(rows=asked), training_rows) == rows


def test_the_control_stands_first_and_the_arms_follow_as_they_were_asked_for() -> None:
    asked = section(
        regimes=["accumulate-subsample", "fresh", "augment", "replace", "accumulate"],
        fresh=[0.5, 0.1], fresh_rows=[30], real_weight=0.25, generations=12,
    )  # fmt: skip
    assert first_arms(asked, 200) == (
        Arm("control", 200, 200, 12),
        Arm("accumulate-subsample", 200, 0, 12),
        Arm("fresh", 200, 100, 12),
        Arm("fresh", 200, 20, 12),
        Arm("fresh", 200, 30, 12, named_rows=True),
        Arm("augment", 200, 50, 12),
        Arm("replace", 200, 0, 12),
        Arm("accumulate", 200, 0, 12),
    )


def test_a_search_needs_replace_to_be_predicted_and_nobody_asked_for_it() -> None:
    assert first_arms(section(regimes=["fresh", "accumulate"]), 50) == (
        Arm("control", 50, 50, 10),
        Arm("replace", 50, 0, 10, asked=False),
        Arm("accumulate", 50, 0, 10),
    )
    assert all(arm.asked for arm in first_arms(section(regimes=["accumulate"]), 50))


def test_every_arm_has_a_real_row_and_one_that_is_not() -> None:
    few = first_arms(section(regimes=["fresh", "augment"], fresh=[0.001], real_weight=0.001), 10)
    assert [arm.real_rows for arm in few if arm.regime in ("fresh", "augment")] == [1, 1]
    many = first_arms(section(regimes=["augment"], real_weight=0.999), 10)
    assert [arm.real_rows for arm in many if arm.regime == "augment"] == [9]


def test_shares_are_searched_for_where_none_is_named() -> None:
    assert searches(section())
    assert not searches(section(regimes=["replace"]))
    assert not searches(section(fresh=[0.1]))
    assert not searches(section(fresh_rows=[10]))


def test_a_search_gives_every_share_the_generations_it_needs() -> None:
    arms = search_arms(section(generations=10, search_generations=40), 1000, 0.3)
    assert [arm.real_rows for arm in arms] == [75, 113, 172, 260, 393, 595, 900]  # from 3/40, as .3/5 is less
    assert [arm.generations for arm in arms] == [40, 27, 18, 12, 10, 10, 10]
    assert all((arm.regime, arm.rows, arm.asked) == ("fresh", 1000, False) for arm in arms)
    assert planned_search(section(generations=10, search_generations=40), 1000) == arms
    assert planned_search(section(fresh=[0.1]), 1000) == ()


def test_a_search_is_no_shorter_than_the_generations_asked_for() -> None:
    arms = search_arms(section(generations=80, search_generations=40), 1000, 0.1)
    assert {arm.generations for arm in arms} == {80}
    assert arms[0].real_rows == 38  # 3/80 of 1000 are 37.5 rows, and 37 would need 82 generations


def test_seconds_by_hand() -> None:
    """Replace: 4 fits of n rows; accumulate: 1 + 2 + 3 + 4 of them; each 4 times all else."""
    replace, accumulate = Arm("replace", 50, 0, 4), Arm("accumulate", 50, 0, 4)
    cost = Cost(fitting=2.0, other=0.5)
    assert seconds([replace], 10, cost, 1) == 10 * (4 * 2 + 4 * 0.5)
    assert seconds([accumulate], 10, cost, 1) == 10 * (10 * 2 + 4 * 0.5)
    assert seconds([replace, accumulate], 10, cost, 4) == 10 * (14 * 2 + 8 * 0.5) / 4
    assert seconds([replace], 2, cost, 64) == 4 * 2 + 4 * 0.5  # no more workers than chains


# --- can it decide anything? ---


@pytest.fixture(scope="module")
def ruler() -> Ruler:
    random = np.random.default_rng(1)
    table = pl.DataFrame({"c": random.choice(list("abcd"), 300), "d": random.choice(list("xyz"), 300)})
    schema = columns(c="categorical", d="categorical")
    return Ruler(table.head(200), table.tail(100), schema, 60, ("tvd", "entropy", "dependence"), 0, None, (), 9)


def test_half_widths_are_the_noise_of_real_rows_over_chains_and_generations(ruler: Ruler) -> None:
    """Mean of the last three of ten generations less the first, less the nine and the first of the control."""
    random = generator(9, "collapse", "noise")
    samples = [ruler.train[np.sort(random.permutation(200)[:60])] for _ in range(8)]
    place = ruler.names.index(("tvd", TABLE))
    noise = np.std([ruler.measure(one, ["tvd"], "any").values[place] for one in samples], ddof=1)
    widths = half_widths(ruler, 10, 6)
    assert list(widths) == ["tvd", "dependence"]  # primary and measured
    assert widths["tvd"] == pytest.approx(student_quantile(0.95, 5) * noise * sqrt(1 / 3 + 1 / 9) / sqrt(6))


def test_more_chains_and_more_generations_narrow_the_bounds(ruler: Ruler) -> None:
    few = half_widths(ruler, 10, 6)
    chains = student_quantile(0.95, 23) / student_quantile(0.95, 5) / 2
    for name, wide in half_widths(ruler, 10, 24).items():
        assert wide == pytest.approx(few[name] * chains)
    times = sqrt((1 / 10 + 1 / 39) / (1 / 3 + 1 / 9))
    for name, wide in half_widths(ruler, 40, 6).items():
        assert wide == pytest.approx(few[name] * times)


def test_a_plan_that_can_decide_raises_no_doubt() -> None:
    assert doubts(section(generations=10, chains=5, fresh=[0.3]), {"tvd": 0.05, "dependence": 0.001}, 100) == []


@pytest.mark.parametrize(
    ("settings", "widths", "words"),
    [
        ({"generations": 3}, {}, "3 generations are too few"),
        ({"chains": 2}, {}, "2 chains are too few"),
        ({}, {"tvd": 0.0501}, "distance of columns to ± 0.050 at best, more than the margin of 0.05"),
        ({"margins": {"tvd": 0.01}}, {"tvd": 0.02}, "margin of 0.01"),
        ({"fresh": [0.25], "generations": 11}, {}, "0.25 needs about 12 generations"),
        ({"fresh_rows": [25], "generations": 11}, {}, "0.25 needs about 12 generations"),
    ],
)
def test_what_speaks_against_a_plan(settings: dict[str, Any], widths: dict[str, float], words: str) -> None:
    (doubt,) = doubts(section(**settings), widths, 100)
    assert words in doubt


def test_a_wider_margin_takes_a_doubt_away() -> None:
    assert doubts(section(margins={"tvd": 0.3}), {"tvd": 0.2}, 100) == []


def test_shares_of_the_same_rows_are_one_arm() -> None:
    arms = first_arms(section(regimes=["fresh"], fresh=[0.101, 0.099, 0.2]), 50)
    assert [arm.name for arm in arms] == ["control", "fresh 0.1", "fresh 0.2"]
    named = first_arms(section(regimes=["fresh"], fresh=[0.1], fresh_rows=[5]), 50)
    assert [arm.name for arm in named] == ["control", "fresh 0.1"]
