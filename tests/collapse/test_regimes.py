"""Regimes: what each generation learns from, row by row, and what holds whatever the numbers are."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.collapse.regimes import Arm, Reality, Regime, recycled_from, reservoir, rows_learned, rows_to_learn

#: Six real rows, 0 to 5, in this order: two of them generation 0, four the reservoir.
REAL = Reality(pl.DataFrame({"row": range(6)}), np.array([3, 1, 4, 0, 5, 2]), 2)
#: Generation t puts out rows 10 t and 10 t + 1.
OUTPUTS = [pl.DataFrame({"row": [10 * t, 10 * t + 1]}) for t in (1, 2, 3, 4)]
REGIMES: tuple[Regime, ...] = ("control", "replace", "augment", "fresh", "accumulate", "accumulate-subsample")


def arm(regime: Regime, real_rows: int = 0, rows: int = 2, generations: int = 5) -> Arm:
    return Arm(regime, rows, real_rows, generations)


def learned(one: Arm, generation: int, random: int = 0) -> list[int]:
    found = rows_to_learn(one, generation, REAL, OUTPUTS[: generation - 1], np.random.default_rng(random))
    return found["row"].to_list()


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (arm("control", 2), [[4, 0], [5, 2], [4, 0], [5, 2]]),
        (arm("replace"), [[10, 11], [20, 21], [30, 31], [40, 41]]),
        (arm("augment", 1), [[3, 10], [3, 20], [3, 30], [3, 40]]),
        (arm("fresh", 1), [[4, 10], [0, 20], [5, 30], [2, 40]]),
        (arm("fresh", 2), [[4, 0], [5, 2], [4, 0], [5, 2]]),
        (arm("accumulate"), [[3, 1, *range(10, 12), *range(20, 22), *range(30, 32), *range(40, 42)][: 2 * t]
                             for t in range(2, 6)]),
    ],
    ids=lambda value: value.name if isinstance(value, Arm) else "",
)  # fmt: skip
def test_what_a_generation_learns_from_row_by_row(one: Arm, expected: list[list[int]]) -> None:
    assert [learned(one, generation) for generation in range(1, 6)] == [[3, 1], *expected]


def test_a_subsample_is_as_many_rows_of_everything_so_far_each_as_likely() -> None:
    one, draws = arm("accumulate-subsample"), 1_000
    found = [learned(one, 3, random) for random in range(draws)]
    assert {len(rows) for rows in found} == {2}
    assert {len(set(rows)) for rows in found} == {2}  # without replacement
    counts = {row: sum(row in rows for rows in found) for row in (3, 1, 10, 11, 20, 21)}
    assert sum(counts.values()) == 2 * draws  # no other row
    error = np.sqrt(draws * (1 / 3) * (2 / 3))
    assert all(abs(found - draws / 3) < 3.5 * error for found in counts.values())


def test_a_subsample_keeps_the_budget_from_the_first_generation_to_the_last() -> None:
    assert [len(learned(arm("accumulate-subsample"), t)) for t in range(1, 6)] == [2] * 5
    assert [len(learned(arm("accumulate"), t)) for t in range(1, 6)] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize("regime", REGIMES)
def test_rows_learned_are_those_of_all_generations(regime: Regime) -> None:
    one = arm(regime, {"control": 2, "augment": 1, "fresh": 1}.get(regime, 0))
    assert rows_learned(one) == sum(len(learned(one, generation)) for generation in range(1, one.generations + 1))


def test_a_row_is_drawn_from_the_reservoir_a_second_time_when_it_is_used_up() -> None:
    assert reservoir(REAL) == 4
    assert recycled_from(arm("control", 2), 4) == 4  # two new rows in generations 2 and 3
    assert recycled_from(arm("fresh", 1, generations=6), 4) == 6
    assert recycled_from(arm("fresh", 1, generations=5), 4) is None  # the last row in the last generation
    assert recycled_from(arm("fresh", 3, rows=4), 4) == 3  # one new row is left, three are needed
    for regime in ("replace", "augment", "accumulate", "accumulate-subsample"):
        assert recycled_from(arm(regime, 1 if regime == "augment" else 0, generations=99), 4) is None


@given(st.integers(1, 9), st.data())
def test_recycling_begins_where_a_row_comes_back(size: int, data: st.DataObject) -> None:
    drawn, generations = data.draw(st.integers(1, size)), data.draw(st.integers(2, 12))
    one = Arm("fresh", size, drawn, generations)
    real = Reality.of(pl.DataFrame({"row": range(2 * size)}), size, 5, 0)
    seen: set[int] = set()
    found = None
    for generation in range(2, generations + 1):
        rows = real.fresh(drawn, generation)["row"].to_list()
        assert len(set(rows)) == drawn  # no row twice in one generation
        assert not set(rows) & set(real.zero["row"])  # the first generation's are not among them
        if found is None and seen & set(rows):
            found = generation
        seen.update(rows)
    assert recycled_from(one, reservoir(real)) == found


def test_arms_of_a_chain_have_the_same_real_rows_in_the_same_order() -> None:
    table = pl.DataFrame({"row": range(100)})
    real = Reality.of(table, 20, seed=1, chain=0)
    assert np.array_equal(real.order, Reality.of(table, 20, seed=1, chain=0).order)
    assert sorted(real.order) == list(range(100))
    assert real.zero["row"].to_list() == real.order[:20].tolist()
    few, many = real.fresh(5, 2)["row"].to_list(), real.fresh(20, 2)["row"].to_list()
    assert few == many[:5] == real.order[20:25].tolist()
    for other in (Reality.of(table, 20, seed=1, chain=1), Reality.of(table, 20, seed=2, chain=0)):
        assert not np.array_equal(real.order, other.order)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=3), min_size=1, max_size=6))
def test_accumulation_never_loses_a_category_that_was_observed(made: list[list[str]]) -> None:
    real = Reality(pl.DataFrame({"c": list("xyzxyz")}), np.arange(6), 3)
    outputs = [pl.DataFrame({"c": cells}) for cells in made]
    before: set[str] = set()
    for generation in range(1, len(outputs) + 2):
        whole = rows_to_learn(
            arm("accumulate", rows=3), generation, real, outputs[: generation - 1], np.random.default_rng(0)
        )
        now = set(whole["c"])
        assert now >= before | set(chain.from_iterable(made[: generation - 1]))
        before = now


def test_names_shares_and_draws_of_arms() -> None:
    fresh = Arm("fresh", 2000, 620, 10)
    assert (fresh.name, fresh.fresh_share, fresh.drawn) == ("fresh 0.31", 0.31, 620)
    assert replace(fresh, named_rows=True).name == "fresh 620 rows"
    control, alone = Arm("control", 50, 50, 10), Arm("replace", 50, 0, 10)
    assert (control.name, control.fresh_share, control.drawn) == ("control", 1.0, 50)
    assert (alone.name, alone.fresh_share, alone.drawn) == ("replace", 0.0, 0)
    for regime, real_rows in zip(("augment", "accumulate", "accumulate-subsample"), (25, 0, 0), strict=True):
        one = Arm(regime, 50, real_rows, 10)
        assert (one.name, one.fresh_share, one.drawn) == (regime, None, 0)


def test_only_the_last_output_matters_but_for_accumulation() -> None:
    """A chain forgets the others, so that no regime may look at them."""
    for regime, real_rows in zip(REGIMES[:4], (2, 0, 1, 1), strict=True):
        one = arm(regime, real_rows)
        alone = rows_to_learn(one, 4, REAL, OUTPUTS[2:3], np.random.default_rng(0))
        assert alone["row"].to_list() == learned(one, 4)
