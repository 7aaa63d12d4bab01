"""Completing rows, with generators whose conditional law can be counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthcli.schema import Schema
from synthcli.seeds import generator
from synthcli.synthesizers.conditioning import MOST, complete, known_patterns, with_known_cells
from synthcli.synthesizers.protocol import Completed, Conditional, Progress


@dataclass(frozen=True)
class Urn:
    """Draws the rows of a table with replacement and can do nothing else; remembers how many were asked for."""

    rows: pl.DataFrame
    drawn: list[int] = field(default_factory=list)

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        return cls(train)

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        self.drawn.append(rows)
        return self.rows[generator(seed, "urn").integers(0, self.rows.height, rows)]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise NotImplementedError


class Lawful(Urn):
    """An urn that claims to know its conditional law, and makes nothing."""

    def complete(self, given: pl.DataFrame, seed: int) -> Completed:
        return with_known_cells(given, self.rows, np.full(given.height, -1))


#: Given "cat": legs 4, 4, 3; given "dog": 4, 4; given nothing: "cat" in three of six.
PETS = pl.DataFrame(
    {
        "pet": ["cat", "cat", "cat", "dog", "dog", None],
        "legs": pl.Series([4, 4, 3, 4, 4, 0], dtype=pl.UInt8),
        "tame": [True, False, True, True, None, None],
    }
)


def follows(cells: pl.Series, law: dict[Any, float]) -> bool:
    """Say whether cells agree with a law at a level that a right generator fails once in a million seeds."""
    observed = [cells.to_list().count(value) for value in law]
    expected = [share * len(cells) for share in law.values()]
    return sum(observed) == len(cells) and bool(stats.chisquare(observed, expected).pvalue > 1e-6)


def test_a_generator_with_a_law_of_its_own_is_asked_for_it() -> None:
    model = Lawful(PETS)
    assert isinstance(model, Conditional)
    assert not isinstance(Urn(PETS), Conditional)
    assert not complete(model, PETS.select("pet"), seed=1, tries=9).made.any()
    assert model.drawn == []


def test_each_condition_is_completed_by_its_own_law() -> None:
    asked = pl.DataFrame({"pet": ["cat", "dog"] * 2_000})
    completed = complete(Urn(PETS), asked, seed=1, tries=100)
    assert completed.made.all()
    assert completed.table["pet"].equals(asked["pet"])
    cats, dogs = (completed.table.filter(pl.col("pet") == pet) for pet in ("cat", "dog"))
    assert follows(cats["legs"], {4: 2 / 3, 3: 1 / 3})
    assert follows(cats["tame"], {True: 2 / 3, False: 1 / 3})
    assert follows(dogs["tame"], {True: 1 / 2, None: 1 / 2})


def test_rows_with_other_cells_known_do_not_take_away_from_each_others_law() -> None:
    # Three in four of the rows with four legs are asked for by name, which must leave the others' law as it is.
    asked = pl.DataFrame({"pet": ["cat"] * 3_000 + [None] * 1_000, "legs": [None] * 3_000 + [4] * 1_000})
    completed = complete(Urn(PETS), asked.cast({"legs": pl.UInt8}), seed=2, tries=100)
    assert completed.made.all()
    assert follows(completed.table["legs"][:3_000], {4: 2 / 3, 3: 1 / 3})
    assert follows(completed.table["pet"][3_000:], {"cat": 1 / 2, "dog": 1 / 2})


def test_rows_without_known_cells_are_drawn_even_beside_rows_that_cannot_be_made() -> None:
    asked = pl.DataFrame({"pet": ["emu"] * 500 + [None] * 3_000})
    completed = complete(Urn(PETS), asked, seed=1, tries=1)
    assert completed.made.tolist() == [False] * 500 + [True] * 3_000
    assert completed.table[:500].null_count().row(0) == (500, 500, 500)
    assert follows(completed.table["pet"][500:], {"cat": 1 / 2, "dog": 1 / 3, None: 1 / 6})


def test_a_missing_cell_is_no_value_that_a_condition_meets() -> None:
    only_missing = Urn(pl.DataFrame({"pet": pl.Series([None], dtype=pl.String), "x": [1]}))
    assert not complete(only_missing, pl.DataFrame({"pet": ["cat"]}), seed=1, tries=1).made.any()


def test_known_cells_stand_in_any_order_and_absent_columns_are_empty() -> None:
    asked = pl.DataFrame({"tame": [True, None, False], "pet": ["cat", "dog", None]})
    completed = complete(Urn(PETS), asked, seed=1, tries=100)
    assert completed.table.schema == PETS.schema
    assert completed.table.rows()[1][:2] == ("dog", 4)
    assert completed.table.row(2) == ("cat", 4, False)
    assert completed.table["legs"][0] in (3, 4)


@pytest.mark.parametrize("tries", [1, 3, 40])
def test_no_more_rows_are_drawn_than_the_bound(tries: int) -> None:
    model = Urn(PETS)
    complete(model, pl.DataFrame({"pet": ["emu"] * 2_500 + ["cat"] * 500}), seed=1, tries=tries)
    assert sum(model.drawn) == max(3_000 * tries, MOST)
    assert max(model.drawn) <= MOST


def test_a_few_rows_are_given_the_least_number_of_tries() -> None:
    model = Urn(PETS)
    complete(model, pl.DataFrame({"pet": ["emu"]}), seed=1, tries=1)
    assert sum(model.drawn) == MOST


def test_a_common_condition_takes_few_rounds_and_few_rows() -> None:
    model = Urn(PETS)
    assert complete(model, pl.DataFrame({"pet": ["cat"] * 10_000}), seed=1, tries=1_000).made.all()
    assert sum(model.drawn) < 30_000


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    asked = pl.DataFrame({"pet": ["cat", None, "emu", "dog"] * 50})
    first, again, other = (complete(Urn(PETS), asked, seed, tries=5) for seed in (1, 1, 2))
    assert first.table.equals(again.table)
    assert first.made.tolist() == again.made.tolist()
    assert not first.table.equals(other.table)


#: x spreads evenly over 0 … 1000, its 5 % and 95 % quantiles 900 apart; y is the half of x.
LINE = pl.DataFrame({"x": np.arange(0, 1000.5, 0.5)}).with_columns(y=pl.col("x") / 2)


def test_numbers_are_met_within_a_hundredth_of_the_spread_and_stay_as_given() -> None:
    asked = pl.DataFrame({"x": [0.0, 1 / 3, 777.123456789, 999.99] * 5})
    completed = complete(Urn(LINE), asked, seed=1, tries=2_000)
    assert completed.made.all()
    assert completed.table["x"].equals(asked["x"])
    assert (completed.table["y"] * 2 - asked["x"]).abs().max() < 10  # type: ignore[operator]


def test_a_number_beyond_what_is_drawn_is_not_made() -> None:
    assert complete(Urn(LINE), pl.DataFrame({"x": [1020.0, 500.0]}), seed=1, tries=2_000).made.tolist() == [False, True]


def test_moments_are_met_within_a_hundredth_of_the_spread() -> None:
    hours = pl.datetime_range(datetime(2020, 1, 1), datetime(2020, 12, 31), "1h", time_unit="ns", eager=True)
    model = Urn(pl.DataFrame({"at": hours, "hour": pl.int_range(len(hours), eager=True)}))
    asked = pl.DataFrame({"at": pl.Series([datetime(2020, 7, 1, 3, 20, 7)] * 3, dtype=pl.Datetime("ns"))})
    completed = complete(model, asked, seed=1, tries=1_000)
    assert completed.made.all()
    assert completed.table["at"].equals(asked["at"])
    assert (completed.table["hour"] - 182 * 24 - 3).abs().max() < 88  # type: ignore[operator]  a hundredth of a year


def test_neighbouring_whole_numbers_of_a_small_range_are_not_confused() -> None:
    digits = Urn(pl.DataFrame({"digit": list(range(10)), "twice": list(range(0, 20, 2))}))
    completed = complete(digits, pl.DataFrame({"digit": list(range(10)) * 20}), seed=1, tries=100)
    assert (completed.table["twice"] == 2 * completed.table["digit"]).all()


def test_numbers_that_are_categories_by_decree_must_be_equal() -> None:
    model = Urn(pl.DataFrame({"zip": [10_001, 10_002, 99_950], "city": ["a", "b", "c"]}))
    asked = pl.DataFrame({"zip": [10_001, 10_002, 10_003]})
    completed = complete(model, asked, seed=1, tries=100, discrete=["zip"])
    assert completed.made.tolist() == [True, True, False]
    assert completed.table["city"].to_list() == ["a", "b", None]


def test_a_column_that_is_nearly_constant_is_met_within_a_hundredth_of_its_range() -> None:
    model = Urn(pl.DataFrame({"gain": [0.0] * 99 + [5_000.0], "rich": [False] * 99 + [True]}))
    completed = complete(model, pl.DataFrame({"gain": [0.0, 5_001.0, 2_500.0]}), seed=1, tries=1_000)
    assert completed.table["rich"].to_list() == [False, True, None]
    assert completed.table["gain"].to_list() == [0.0, 5_001.0, None]


def test_a_constant_or_empty_column_meets_its_own_value_only() -> None:
    model = Urn(pl.DataFrame({"five": [5], "never": pl.Series([None], dtype=pl.Float64), "day": [date(2020, 1, 1)]}))
    asked = pl.DataFrame({"five": [5, 6, None], "never": [None, None, 1.0], "day": [date(2020, 1, 1), None, None]})
    assert complete(model, asked, seed=1, tries=1).made.tolist() == [True, False, False]


def test_nan_is_an_empty_cell() -> None:
    completed = complete(Urn(LINE), pl.DataFrame({"x": [float("nan")]}), seed=1, tries=1)
    assert completed.made.all()
    assert completed.table["x"].is_not_nan().all()


def test_no_rows_are_completed_to_no_rows() -> None:
    completed = complete(Urn(PETS), PETS.select("pet").clear(), seed=1, tries=100)
    assert completed.table.equals(PETS.clear())
    assert completed.made.tolist() == []


def test_the_sets_of_known_columns_are_told_apart() -> None:
    patterns, pattern_of = known_patterns(
        pl.DataFrame({"a": [1, None, 3], "b": ["x", None, "y"], "c": [None, 1, None]})
    )
    assert patterns.tolist() == [[False, False, True], [True, True, False]]
    assert pattern_of.tolist() == [1, 0, 1]


def test_a_row_without_a_place_comes_out_empty() -> None:
    drawn = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    completed = with_known_cells(pl.DataFrame({"b": ["z", "w", None]}), drawn, np.array([1, -1, 0]))
    assert completed.table.rows() == [(2, "z"), (None, None), (1, "x")]
    assert completed.made.tolist() == [True, False, True]


@settings(max_examples=60)
@given(
    cells=st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(0, 2)), min_size=1, max_size=8),
    asked=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([True, False, None])), min_size=1, max_size=12
    ),
)
def test_a_row_is_made_exactly_where_the_generator_can_meet_it(
    cells: list[tuple[str, bool, int]], asked: list[tuple[str | None, bool | None]]
) -> None:
    rows = pl.DataFrame(cells, schema={"c": pl.String, "b": pl.Boolean, "n": pl.Int64}, orient="row")
    known = pl.DataFrame(asked, schema={"c": pl.String, "b": pl.Boolean}, orient="row")
    completed = complete(Urn(rows), known.select("b", "c"), seed=3, tries=1_000)
    agree = [[row for row in cells if c in {None, row[0]} and b in {None, row[1]}] for c, b in asked]
    assert completed.made.tolist() == [bool(fitting) for fitting in agree]
    for row, fitting in zip(completed.table.iter_rows(), agree, strict=True):
        assert row in fitting or row == (None, None, None)
