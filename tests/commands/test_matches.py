"""Rows that repeat a training record: keys, counts, further draws and their bound; and the command that wants none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthcli.app import run
from synthcli.commands.matches import ROUNDS, Matches, occurring_once
from synthcli.rowkeys import among, row_keys
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.protocol import Completed

SCHEMA = Schema(
    (
        Column("id", Kind.ID, "String"),
        Column("x", Kind.NUMERIC, "Float64", decimals=1, least_decimals=1),
        Column("c", Kind.CATEGORICAL, "String"),
    )
)
TRAIN = pl.DataFrame({"x": [1.5, 2.5, 2.5, None], "c": ["a", "b", "b", "c"]})


def completed(x: list, c: list, made: list[bool] | None = None) -> Completed:
    """Return drawn rows, numbered by their ids."""
    table = pl.DataFrame(
        {"id": [str(row) for row in range(len(x))], "x": x, "c": c}, schema_overrides={"x": pl.Float64}
    )
    return Completed(table, np.array(made if made is not None else [True] * len(x)))


def never(rows: NDArray[np.intp], number: int) -> Completed:
    raise AssertionError("nothing is to be drawn again")


def looking(format: str = "parquet") -> Matches:
    return Matches(occurring_once([row_keys(TRAIN, ["x", "c"])]), SCHEMA, format)


@given(st.lists(st.lists(st.integers(0, 8), max_size=6), max_size=4))
def test_a_key_counts_that_occurs_once_in_all_batches(batches: list[list[int]]) -> None:
    counts = Counter(key for batch in batches for key in batch)
    once = occurring_once(np.array(batch, dtype=np.uint64) for batch in batches)
    assert once.tolist() == sorted(key for key, count in counts.items() if count == 1)
    assert among(np.arange(9, dtype=np.uint64), once).tolist() == [counts[key] == 1 for key in range(9)]


def test_rows_that_repeat_no_record_stay_as_they_are() -> None:
    matches = looking()
    first = completed([1.5, 2.5, None], ["b", "b", "a"])
    kept = matches.replaced(first, never)
    assert kept.table.equals(first.table)
    assert kept.made.all()
    assert matches.result() == {"rows": 0, "drawn": 3, "share": 0.0}


def test_rows_that_repeat_a_record_are_drawn_again_in_their_places() -> None:
    asked = []

    def redraw(rows: NDArray[np.intp], number: int) -> Completed:
        asked.append((rows.tolist(), number))
        return completed([1.5, 9.0], ["a", "z"]) if number == 1 else completed([8.0], ["y"])

    matches = looking()
    kept = matches.replaced(completed([1.5, 2.5, None], ["a", "b", "c"]), redraw)
    assert kept.table.rows() == [("0", 8.0, "y"), ("1", 2.5, "b"), ("2", 9.0, "z")]
    assert asked == [([0, 2], 1), ([0], 2)]
    assert matches.result() == {"rows": 3, "drawn": 6, "share": 0.5}


@pytest.mark.parametrize(("format", "drawn"), [("csv", 6), ("parquet", 3)])
def test_rows_are_compared_as_they_will_be_written(format: str, drawn: int) -> None:
    matches = looking(format)
    kept = matches.replaced(
        completed([1.5000001, 1.5000001, 1.5000001], ["a"] * 3), lambda rows, number: completed([7.0] * 3, ["a"] * 3)
    )
    assert matches.drawn == drawn
    assert kept.made.all()


def test_a_row_that_always_repeats_a_record_is_not_made() -> None:
    rounds = []

    def redraw(rows: NDArray[np.intp], number: int) -> Completed:
        rounds.append(number)
        return completed([1.5], ["a"])

    matches = looking()
    kept = matches.replaced(completed([1.5, 3.0], ["a", "a"]), redraw)
    assert rounds == list(range(1, ROUNDS + 1))
    assert kept.made.tolist() == [False, True]
    assert kept.table.rows() == [(None, None, None), ("1", 3.0, "a")]
    assert (matches.given_up, matches.rows, matches.drawn) == (1, ROUNDS + 1, ROUNDS + 2)


def test_rows_that_could_not_be_made_are_neither_drawn_again_nor_counted() -> None:
    matches = looking()
    kept = matches.replaced(completed([None, 3.0], ["c", "a"], [False, True]), never)
    assert kept.made.tolist() == [False, True]
    assert (matches.rows, matches.drawn) == (0, 1)


# the command

LEVELS = ["a"] * 50 + ["b"] * 40 + ["z"]


def fitted(folder: Path, levels: list[str], *more: str) -> Path:
    """Return the folder of a generator that learned one column."""
    text = "\n".join(f'"{level}"' for level in ["c", *levels])
    (folder / "train.csv").write_text(f"{text}\n")
    words = ["--train", str(folder / "train.csv"), "--out", str(folder / "out"), "-q"]
    off = ["--set", "protection.rare_category_min_count=0", "--set", "protection.clip_extremes=0"]
    types = ["--set", "data.columns={c: {type: categorical}}"]
    assert run(["fit", *words, *off, *types, *more]) == 0
    return folder


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generator of three levels, one of which occurs once."""
    return fitted(tmp_path_factory.mktemp("some"), LEVELS)


@pytest.fixture
def draw(call):
    """Return a function that samples from a folder's generator and wants no training record."""

    def drawn(folder: Path, *words: object):
        wanted = ("--set", "sample.reject_training_matches=true")
        return call("sample", "--out", folder / "out", "-q", *wanted, *words)

    return drawn


def test_unique_records_are_replaced_and_counted(draw, call, some: Path, tmp_path: Path) -> None:
    call("sample", "--out", some / "out", "-q", "-n", 3000, "--seed", 1, "--output", tmp_path / "free.csv")
    ended = draw(some, "-n", 3000, "--seed", 1, "--output", tmp_path / "t.csv", "--json")
    free, rows = (pl.read_csv(tmp_path / name)["c"] for name in ("free.csv", "t.csv"))
    found = ended.document["result"]["training_matches"]
    assert set(free) == {"a", "b", "z"}
    assert set(rows) == {"a", "b"}
    assert rows.filter(free != "z").to_list() == free.filter(free != "z").to_list()
    assert found["drawn"] == 3000 + found["rows"]
    assert found["share"] == found["rows"] / found["drawn"]
    assert found["rows"] >= (free == "z").sum() > 0


def test_the_report_tells_the_estimate_and_one_seed_gives_one_file(draw, some: Path, tmp_path: Path) -> None:
    told = [draw(some, "-n", 3000, "--seed", 1, "--output", tmp_path / name).out for name in ("a.csv", "b.csv")]
    assert "repeated a training record" in told[0]
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_conditions_that_only_a_unique_record_meets_cannot_be_met(draw, some: Path, tmp_path: Path) -> None:
    ended = draw(some, "--where", "5:c=z", "--where", "5:c=a", "--output", tmp_path / "t.csv")
    assert ended.code == 3
    assert "could make 0 of 5 rows with c=z" in ended.err
    assert f"5 of them repeated a training record in {ROUNDS} further draws" in ended.err
    assert not (tmp_path / "t.csv").exists()
    partial = draw(some, "--where", "5:c=z", "--where", "5:c=a", "--output", tmp_path / "t.csv", "--partial", "--json")
    assert partial.document["result"]["rows"] == 5
    assert pl.read_csv(tmp_path / "t.csv")["c"].to_list() == ["a"] * 5


def test_where_every_record_is_unique_the_bound_ends_it(draw, tmp_path: Path) -> None:
    folder = fitted(tmp_path, ["a", "b", "d"])
    ended = draw(folder, "-n", 4, "--output", tmp_path / "t.csv")
    assert ended.code == 3
    assert "could make 0 of 4 rows" in ended.err


def test_a_training_table_that_changed_is_not_compared_with(draw, tmp_path: Path) -> None:
    folder = fitted(tmp_path, LEVELS)
    with (folder / "train.csv").open("a") as file:
        file.write("a\n")
    ended = draw(folder, "-n", 4, "--output", tmp_path / "t.csv")
    assert ended.code == 3
    assert "has changed or is not at hand" in ended.err


@pytest.mark.parametrize("kind", ["bootstrap", "independent"])
def test_baselines_repeat_records_by_design(draw, tmp_path: Path, kind: str) -> None:
    folder = fitted(tmp_path, LEVELS, "--synthesizer", kind)
    ended = draw(folder, "-n", 4)
    assert ended.code == 2
    assert f"of kind {kind}, a baseline" in ended.err


def test_off_nothing_is_read_of_the_training_table(call, tmp_path: Path) -> None:
    folder = fitted(tmp_path, LEVELS, "--synthesizer", "bootstrap")
    (folder / "train.csv").unlink()
    ended = call("sample", "--out", folder / "out", "-q", "-n", 4, "--output", tmp_path / "t.csv", "--json")
    assert ended.code == 0
    assert "training_matches" not in ended.document["result"]
