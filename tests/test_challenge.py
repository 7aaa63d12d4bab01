"""The challenge: differences and margins by hand, what noise alone makes of them, and scores of saved generators."""

from __future__ import annotations

import json
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from examples import ROOT, columns
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import t as student

from synthcli import challenge
from synthcli.challenge import Case, Contest, Score, case, contest, scored, to_dict
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.assembly import fit_table
from synthcli.tables.source import open_table

ACCURACY, UTILITY, C2ST = "accuracy.bivariate", "utility.ratio", "similarity.c2st_auc"


def scores(*values: float) -> list[Score]:
    return [Score({ACCURACY: value}, {ACCURACY: value}) for value in values]


def score(**metrics: tuple[float, float]) -> Score:
    """Return a score of the metrics' values and parts."""
    names = {"accuracy": ACCURACY, "utility": UTILITY, "c2st": C2ST}
    return Score(*({names[key]: pair[place] for key, pair in metrics.items()} for place in (0, 1)))


# The contest by hand


def test_the_difference_is_the_challenger_s_mean_less_the_champion_s() -> None:
    found = contest(300, scores(0.5, 0.75), scores(0.25, 0.75, 0.875), None)
    assert found.difference == pytest.approx(0.625 - 0.625)
    assert contest(300, scores(0.5, 0.5), scores(0.75, 0.75), None).difference == 0.25
    assert (found.rows, found.measured) == (300, True)
    assert found.challenger == (0.25, 0.75, 0.875)


@pytest.mark.parametrize(
    ("champion", "challenger", "spread", "freedom"),
    [
        ((0.4, 0.6), (0.7, 0.9), 0.02 / 2 + 0.02 / 2, 2),
        ((0.5, 0.6, 0.7), (0.5, 0.5, 0.5), 0.01 / 3 + 0.0, 4),
        ((0.1, 0.2, 0.3, 0.4, 0.5), (0.4, 0.4, 0.6, 0.6, 0.5), 0.025 / 5 + 0.01 / 5, 8),
    ],
)
def test_the_measured_margin_is_what_other_seeds_make_of_the_means(
    champion: tuple[float, ...], challenger: tuple[float, ...], spread: float, freedom: int
) -> None:
    margin = contest(9, scores(*champion), scores(*challenger), None).margin
    assert margin == pytest.approx(student.ppf(0.95, freedom) * sqrt(spread))


def test_a_given_margin_is_taken_as_it_is() -> None:
    for margin in (0.0, 0.125):
        found = contest(9, scores(0.25, 0.75), scores(0.25, 0.75), margin)
        assert (found.margin, found.measured, found.holds) == (margin, False, True)


def test_a_challenger_holds_at_its_margin_and_not_below_it() -> None:
    worse = scores(0.5, 0.5)
    assert contest(9, scores(0.75, 0.75), worse, 0.25).holds
    assert not contest(9, scores(0.75, 0.75), worse, 0.2499).holds
    assert not contest(9, scores(0.75, 0.75), worse, None).holds  # without noise the margin is 0
    assert contest(9, worse, worse, None).holds


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=5),
    st.lists(st.floats(0, 1), min_size=2, max_size=5),
    st.randoms(),
)
def test_neither_sides_nor_order_change_the_size_of_the_difference_and_the_margin(
    one: list[float], other: list[float], shuffle
) -> None:
    there, back = contest(9, scores(*one), scores(*other), None), contest(9, scores(*other), scores(*one), None)
    assert there.difference == pytest.approx(-back.difference)
    assert there.margin == pytest.approx(back.margin)
    assert there.margin >= 0
    assert there.holds or back.holds  # one of the two is no worse
    shuffle.shuffle(one)
    again = contest(9, scores(*one), scores(*other), None)
    assert (again.difference, again.margin) == (pytest.approx(there.difference), pytest.approx(there.margin))


def test_a_contest_is_plain_data() -> None:
    champion = [score(accuracy=(0.8, 0.4), c2st=(0.6, 0.8)), score(accuracy=(0.9, 0.6), c2st=(0.7, 0.6))]
    challenger = [
        score(accuracy=(0.7, 0.5), c2st=(0.5, 1.0), utility=(0.9, 0.9)),
        score(accuracy=(0.7, 0.5), c2st=(0.5, 1.0)),
    ]
    found = to_dict(contest(250, champion, challenger, 0.01))
    assert json.loads(json.dumps(found)) == found
    assert found["champion"] == {
        "score": pytest.approx(0.6), "accuracy": pytest.approx(0.85), "utility": None, "c2st": pytest.approx(0.65),
        "sd": pytest.approx(0, abs=1e-12), "scores": [pytest.approx(0.6), pytest.approx(0.6)],
    }  # fmt: skip
    assert found["challenger"]["scores"] == [0.75, 0.75]
    assert (found["rows"], found["difference"], found["margin"]) == (250, pytest.approx(0.15), 0.01)
    assert found["holds"]
    assert found["margin_from"] == "refresh.margin"
    assert to_dict(contest(250, champion, challenger, None))["margin_from"] == "seeds"


def test_only_what_every_sample_of_both_sides_has_is_compared() -> None:
    champion = [score(accuracy=(0.8, 0.5), utility=(1.0, 1.0)), score(accuracy=(0.8, 0.5), utility=(1.0, 1.0))]
    challenger = [score(accuracy=(0.8, 0.5), utility=(1.0, 1.0)), score(accuracy=(0.8, 0.5))]
    found = contest(250, champion, challenger, None)
    assert found is not None
    assert (found.parts, found.difference, found.holds) == ((ACCURACY,), 0.0, True)
    assert contest(250, champion, [score(c2st=(0.5, 1.0))] * 2, None) is None


# What noise makes


def drawn(seeds: int, rng: np.random.Generator, lead: float = 0.0) -> Contest:
    """Return a contest of two generators with scores of one law, but for the champion's ``lead``."""
    sides = rng.normal(0.7, 0.02, (2, seeds))
    return contest(9, scores(*(sides[0] + lead)), scores(*sides[1]), None)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_of_two_equally_good_generators_the_challenger_fails_in_a_twentieth_of_cases(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    failed = np.mean([not drawn(seeds, rng).holds for _ in range(4_000)])
    assert failed == pytest.approx(0.05, abs=4 * sqrt(0.05 * 0.95 / 4_000))


def test_a_challenger_that_is_worse_than_noise_fails() -> None:
    rng = np.random.default_rng(8)
    assert np.mean([drawn(3, rng, lead=0.2).holds for _ in range(500)]) < 0.01
    assert all(drawn(3, rng, lead=-0.2).holds for _ in range(500))


# The case


def test_of_many_rows_some_are_drawn_in_their_order_and_the_same_for_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenge, "MOST_FITTED", 60)
    monkeypatch.setattr(challenge, "MOST_INNER", 40)
    schema, table = columns(x="numeric"), pl.DataFrame({"x": np.arange(500.0)})
    made = case(table, table + 1_000, schema, 3)
    for part, rows, low in ((made.fitted, 60, 0), (made.inner, 40, 1_000)):
        assert part.height == part["x"].n_unique() == rows
        assert part["x"].is_sorted()
        assert part["x"].is_between(low, low + 499).all()
    assert not set(made.inner["x"] - 1_000) <= set(made.fitted["x"])  # two draws, not one
    again, other = case(table, table + 1_000, schema, 3), case(table, table + 1_000, schema, 4)
    assert_frame_equal(made.fitted, again.fitted)
    assert_frame_equal(made.inner, again.inner)
    assert made.fitted["x"].to_list() != other.fitted["x"].to_list()
    assert made.inner["x"].to_list() != other.inner["x"].to_list()


def test_as_many_rows_as_are_allowed_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenge, "MOST_INNER", 40)
    table = pl.DataFrame({"x": np.arange(40.0)[::-1]})
    made = case(table, table, columns(x="numeric"), 3, "x", ["y"])
    assert_frame_equal(made.inner, table)
    assert_frame_equal(made.fitted, table)
    assert (made.seed, made.target, made.exclude_features) == (3, "x", ("y",))
    assert case(table, table, columns(x="numeric"), 3).exclude_features == ()


# Scores of saved generators

NAMES = ["carrier", "origin", "distance", "arr_delay", "air_time", "late"]


@pytest.fixture(scope="module")
def flights() -> tuple[pl.DataFrame, pl.DataFrame, Schema]:
    """Return flights to learn from, flights that nobody learned from, and their schema."""
    schema = open_table(ROOT / "sample_data" / "flights.csv").schema.select(NAMES)
    table = pl.read_parquet(ROOT / "sample_data" / "flights" / "2013-01.parquet", columns=NAMES)
    order = np.random.default_rng(1).permutation(table.height)
    return table[order[:600]], table[order[600:850]], schema


def saved(kind: str, train: pl.DataFrame, schema: Schema, folder: Path) -> Path:
    folder.mkdir()
    fit_table(train, schema, kind, {}, 1, lambda share, note: None).save(folder)
    return folder


@pytest.fixture(scope="module")
def folders(flights: tuple[pl.DataFrame, pl.DataFrame, Schema], tmp_path_factory: pytest.TempPathFactory) -> Path:
    fitted, _, schema = flights
    root = tmp_path_factory.mktemp("generators")
    for kind in ("independent", "bootstrap"):
        saved(kind, fitted, schema, root / kind)
    return root


@pytest.fixture(scope="module")
def judged(flights: tuple[pl.DataFrame, pl.DataFrame, Schema]) -> Case:
    return case(*flights, 3, "late", ["air_time"])


@pytest.mark.slow
def test_real_rows_score_higher_than_columns_without_dependence(folders: Path, judged: Case) -> None:
    copied, independent = (scored(folders / kind, judged, 5) for kind in ("bootstrap", "independent"))
    assert copied is not None
    assert independent is not None
    assert set(copied.parts) == set(independent.parts) == {ACCURACY, UTILITY, C2ST}
    assert copied.values[ACCURACY] > independent.values[ACCURACY] + 0.05
    assert copied.values[C2ST] < independent.values[C2ST]
    assert all(0 <= independent.parts[name] < copied.parts[name] <= 1 for name in (ACCURACY, UTILITY, C2ST))


@pytest.mark.slow
def test_without_a_target_there_is_no_utility_and_a_seed_makes_a_score(folders: Path, judged: Case) -> None:
    schema = judged.schema.select(["origin", "distance", "air_time"])  # the generator may know more columns
    plain = replace(judged, schema=schema, target=None, exclude_features=())
    one, again, other = (scored(folders / "bootstrap", plain, seed) for seed in (5, 5, 6))
    assert one is not None
    assert set(one.parts) == {ACCURACY, C2ST}
    assert one == again != other


def test_a_generator_that_lacks_a_column_has_no_score(
    flights: tuple[pl.DataFrame, pl.DataFrame, Schema], tmp_path: Path, judged: Case
) -> None:
    fitted, _, schema = flights
    narrow = saved("bootstrap", fitted, schema.select(["origin", "late"]), tmp_path / "narrow")
    assert scored(narrow, judged, 5) is None
    further = Schema((*schema.select(["origin", "late"]), Column("note", Kind.TEXT, "String")))
    with_text = replace(
        judged,
        schema=further,
        inner=judged.inner.with_columns(note=pl.lit("text")),
        fitted=judged.fitted.with_columns(note=pl.lit("text")),
        exclude_features=(),
    )
    assert scored(narrow, with_text, 5) is not None  # what nobody learns is not missed
