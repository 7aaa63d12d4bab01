"""The reference generators on tables that can be counted by eye."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthcli.errors import BadTableError
from synthcli.forms import dtype_name
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.baselines import Bootstrap, Independent
from synthcli.synthesizers.protocol import Conditional

BASELINES = [Bootstrap, Independent]
Baseline = Bootstrap | Independent

PETS = pl.DataFrame(
    {
        "pet": ["cat", "cat", "cat", "dog", "dog", None],
        "legs": [4, 4, 3, 4, 4, 0],
        "weight": [3.5, 4.5, 4.5, 20.0, None, None],
    }
)


def schema_of(frame: pl.DataFrame, **kinds: Kind) -> Schema:
    guessed = {pl.String: Kind.CATEGORICAL, pl.Boolean: Kind.BOOLEAN, pl.Datetime: Kind.DATETIME}
    return Schema(
        tuple(
            Column(name, kinds.get(name, guessed.get(dtype.base_type(), Kind.NUMERIC)), dtype_name(dtype) or "")
            for name, dtype in frame.schema.items()
        )
    )


def fit(kind: type[Baseline], frame: pl.DataFrame = PETS, **kinds: Kind) -> Baseline:
    return kind.fit(frame, schema_of(frame, **kinds), {}, 7, lambda share, note: None)


def is_drawn_by(counts: dict[str | None, int], law: dict[str | None, float]) -> bool:
    """Say whether counts agree with a law at a level that a right generator fails once in a million seeds."""
    total = sum(counts.values())
    observed = [counts.get(value, 0) for value in law]
    return sum(observed) == total and stats.chisquare(observed, [p * total for p in law.values()]).pvalue > 1e-6


def counts_of(series: pl.Series) -> dict[str | None, int]:
    return dict(series.value_counts().iter_rows())


@pytest.mark.parametrize("kind", BASELINES)
def test_a_baseline_knows_its_conditional_law_and_has_nothing_to_say(kind: type[Baseline]) -> None:
    assert isinstance(fit(kind), Conditional)
    assert fit(kind).notes == ()


@pytest.mark.parametrize("kind", BASELINES)
def test_cells_are_drawn_as_often_as_they_occur_missing_ones_too(kind: type[Baseline]) -> None:
    pets = counts_of(fit(kind).sample(6_000, seed=1)["pet"])
    assert is_drawn_by(pets, {"cat": 1 / 2, "dog": 1 / 3, None: 1 / 6})


def test_the_bootstrap_draws_whole_training_rows() -> None:
    sampled = fit(Bootstrap).sample(500, seed=1)
    assert set(sampled.iter_rows()) == set(PETS.iter_rows())


def test_independent_columns_meet_in_ways_that_the_training_table_has_not() -> None:
    sampled = fit(Independent).sample(6_000, seed=1)
    without_legs = sampled.filter(pl.col("legs") == 0)["pet"]
    assert is_drawn_by(counts_of(without_legs), {"cat": 1 / 2, "dog": 1 / 3, None: 1 / 6})


@pytest.mark.parametrize("kind", BASELINES)
def test_nan_is_a_missing_cell_and_the_dtype_stays(kind: type[Baseline]) -> None:
    frame = pl.DataFrame({"x": pl.Series([float("nan"), 1.5], dtype=pl.Float32)})
    cells = fit(kind, frame).sample(40, seed=1)["x"]
    assert cells.dtype == pl.Float32
    assert set(cells) == {None, 1.5}


@pytest.mark.parametrize("kind", BASELINES)
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"x": [1.0, float("-inf")]}), "column 'x' holds infinite values"),
        (pl.DataFrame(schema={"x": pl.Int64}), "the training table has no rows"),
    ],
)
def test_what_no_generator_can_learn_is_refused(kind: type[Baseline], frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(BadTableError, match=message):
        fit(kind, frame)


def test_the_bootstraps_folder_is_the_training_table(tmp_path: Path) -> None:
    fit(Bootstrap).save(tmp_path)
    assert pl.read_parquet(tmp_path / "rows.parquet").equals(PETS)


def test_the_independent_folder_does_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    for name, frame in (("one", PETS), ("other", PETS.reverse())):
        (tmp_path / name).mkdir()
        fit(Independent, frame).save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


@pytest.mark.parametrize("kind", BASELINES)
def test_files_do_not_depend_on_how_the_table_lies_in_memory(kind: type[Baseline], tmp_path: Path) -> None:
    pieces = pl.concat([PETS[:2], PETS[[2, 3, 4, 5]]], rechunk=False)
    for name, frame in (("one", PETS), ("other", pieces)):
        (tmp_path / name).mkdir()
        fit(kind, frame).save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


@pytest.mark.parametrize("kind", BASELINES)
def test_every_type_comes_back_from_the_folder(kind: type[Baseline], tmp_path: Path) -> None:
    stamps = pl.Series([datetime(2020, 1, 1), None]).cast(pl.Datetime("ns")).dt.replace_time_zone("Europe/Berlin")
    frame = pl.DataFrame(
        {"": stamps, "a.b*": pl.Series([1, 2], dtype=pl.UInt8), "no": pl.Series([None] * 2, dtype=pl.Int8)}
    )
    model = fit(kind, frame)
    model.save(tmp_path)
    loaded = kind.load(tmp_path)
    assert loaded.sample(20, seed=1).equals(model.sample(20, seed=1))
    assert loaded.sample(20, seed=1).schema == frame.schema
    asked = frame.select(pl.all().reverse())
    assert loaded.complete(asked, seed=1).table.equals(model.complete(asked, seed=1).table)


def test_the_bootstrap_completes_from_the_rows_that_agree() -> None:
    asked = pl.DataFrame({"pet": ["cat"] * 3_000})
    completed = fit(Bootstrap).complete(asked, seed=1)
    assert completed.made.all()
    assert set(completed.table["pet"]) == {"cat"}
    pairs = counts_of(completed.table.select(pl.format("{} {}", "legs", "weight")).to_series())
    assert is_drawn_by(pairs, dict.fromkeys(("4 3.5", "4 4.5", "3 4.5"), 1 / 3))


def test_the_bootstrap_completes_rows_with_different_cells_known_each_from_its_own() -> None:
    asked = pl.DataFrame(
        {"weight": [20.0, None, 4.5, None], "pet": [None, None, "cat", "dog"], "legs": [4, 0, 3, None]}
    )
    completed = fit(Bootstrap).complete(asked, seed=1)
    assert completed.made.tolist() == [True] * 4
    assert completed.table.columns == PETS.columns
    assert completed.table[:3].rows() == [("dog", 4, 20.0), (None, 0, None), ("cat", 3, 4.5)]
    assert completed.table.row(3) in {("dog", 4, 20.0), ("dog", 4, None)}


def test_the_bootstrap_makes_no_row_that_agrees_with_none() -> None:
    asked = pl.DataFrame({"pet": ["cat", "emu", "cat"], "legs": [3, None, 0]})
    completed = fit(Bootstrap).complete(asked, seed=1)
    assert completed.made.tolist() == [True, False, False]
    assert completed.table.rows() == [("cat", 3, 4.5), (None, None, None), (None, None, None)]


def test_the_bootstrap_draws_a_row_without_known_cells_from_all() -> None:
    completed = fit(Bootstrap).complete(pl.DataFrame({"pet": pl.Series([None] * 600, dtype=pl.String)}), seed=1)
    assert completed.made.all()
    assert set(completed.table.iter_rows()) == set(PETS.iter_rows())


def test_independent_cells_are_completed_whatever_is_known() -> None:
    completed = fit(Independent).complete(pl.DataFrame({"weight": [99.5] * 6_000}), seed=1)
    assert completed.made.all()
    assert set(completed.table["weight"]) == {99.5}
    assert is_drawn_by(counts_of(completed.table["pet"]), {"cat": 1 / 2, "dog": 1 / 3, None: 1 / 6})


def test_independent_makes_no_row_with_a_category_that_it_never_saw() -> None:
    frame = pl.DataFrame({"pet": ["cat", "dog"], "flag": [True, None], "code": [1, 2], "x": [0.5, 1.0]})
    asked = pl.DataFrame({"pet": ["emu", "dog", None, None], "flag": [None, None, False, True], "code": [1, 3, 2, 2]})
    completed = fit(Independent, frame, code=Kind.CATEGORICAL).complete(asked, seed=1)
    assert completed.made.tolist() == [False, False, False, True]
    assert completed.table[:3].null_count().row(0) == (3, 3, 3, 3)
    assert completed.table["code"][3] == 2


@pytest.mark.parametrize("kind", BASELINES)
def test_no_rows_are_completed_to_no_rows(kind: type[Baseline]) -> None:
    completed = fit(kind).complete(PETS.select("legs").clear(), seed=1)
    assert completed.table.equals(PETS.clear())
    assert completed.made.tolist() == []


@settings(max_examples=60)
@given(
    cells=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.booleans()), min_size=1, max_size=12),
    asked=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([0, 1, 2, None])), min_size=1, max_size=12
    ),
)
def test_the_bootstrap_makes_a_row_exactly_where_a_training_row_agrees(
    cells: list[tuple[str, int, bool]], asked: list[tuple[str | None, int | None]]
) -> None:
    train = pl.DataFrame(cells, schema={"c": pl.String, "n": pl.Int64, "b": pl.Boolean}, orient="row")
    known = pl.DataFrame(asked, schema={"c": pl.String, "n": pl.Int64}, orient="row")
    completed = fit(Bootstrap, train).complete(known, seed=3)
    agree = [[row for row in cells if c in {None, row[0]} and n in {None, row[1]}] for c, n in asked]
    assert completed.made.tolist() == [bool(rows) for rows in agree]
    for row, rows in zip(completed.table.iter_rows(), agree, strict=True):
        assert row in rows or row == (None, None, None)


def test_zero_meets_minus_zero_and_the_known_sign_stays() -> None:
    frame = pl.DataFrame({"x": [0.0, 1.0], "c": ["zero", "one"]})
    completed = fit(Bootstrap, frame).complete(pl.DataFrame({"x": [-0.0]}), seed=1)
    assert completed.table["c"].to_list() == ["zero"]
    assert np.signbit(completed.table["x"].to_numpy()).tolist() == [True]
