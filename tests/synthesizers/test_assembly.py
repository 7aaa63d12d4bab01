"""The whole table around a generator: order, types, ids, text, chunks, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest

from synthcli.config import Inequality
from synthcli.errors import BadTableError
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers import KINDS
from synthcli.synthesizers.assembly import TableGenerator, fit_table
from synthcli.synthesizers.protocol import Progress

TRAIN = pl.DataFrame(
    {
        "order": [f"A-{i:04d}" for i in range(60)],
        "amount": [float(i % 9) for i in range(60)],
        "comment": ["call me at 555-1234"] * 60,
        "shop": ["north", "south", "south"] * 20,
        "row": pl.Series([i * 104_729 % 7_000_000 + 10**6 if i % 4 else None for i in range(60)], dtype=pl.Int32),
        "unused": [0] * 60,
    }
)
SCHEMA = Schema(
    (
        Column("order", Kind.ID, "String"),
        Column("amount", Kind.NUMERIC, "Float64"),
        Column("comment", Kind.TEXT, "String"),
        Column("shop", Kind.CATEGORICAL, "String"),
        Column("row", Kind.ID, "Int32"),
    )
)


class Cycle:
    """A generator that learns rows and repeats them from a place that the seed picks; its draws can be told by eye."""

    def __init__(self, train: pl.DataFrame) -> None:
        self.train = train

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        assert train.columns == list(schema.names)
        return cls(train)

    @property
    def notes(self) -> tuple[str, ...]:
        return ("it goes round",)

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        return self.train[[(seed + row) % self.train.height for row in range(rows)]]

    def save(self, folder: Path) -> None:
        self.train.write_parquet(folder / "rows.parquet")

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(pl.read_parquet(folder / "rows.parquet"))


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> TableGenerator:
    monkeypatch.setitem(KINDS, "cycle", f"{__name__}:Cycle")
    return fit_table(TRAIN, SCHEMA, "cycle", {}, 7, lambda share, note: None)


def test_a_sample_has_the_schema_s_columns_in_their_order_and_types(generator: TableGenerator) -> None:
    for rows in (0, 1, 100):
        sampled = generator.sample(rows, seed=1)
        assert sampled.schema == TRAIN.select(SCHEMA.names).schema
        assert sampled.height == rows


def test_ids_are_new_unique_and_missing_as_often_and_text_is_empty(generator: TableGenerator) -> None:
    sampled = generator.sample(4000, seed=1)
    assert sampled["order"].is_unique().all()
    assert sampled["order"].str.contains(r"^A-\d{4}$").all()
    assert sampled["row"].drop_nulls().is_unique().all()
    assert sampled["row"].null_count() == pytest.approx(1000, abs=120)
    assert sampled["comment"].null_count() == 4000


def test_only_modelled_columns_reach_the_synthesizer(generator: TableGenerator) -> None:
    assert isinstance(generator.synthesizer, Cycle)
    assert generator.synthesizer.train.columns == ["amount", "shop"]


def test_seeds_decide_the_rows(generator: TableGenerator) -> None:
    assert generator.sample(20, seed=1).equals(generator.sample(20, seed=1))
    assert not generator.sample(20, seed=1).equals(generator.sample(20, seed=2))


@pytest.mark.parametrize(("rows", "size", "heights"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 9, [3]), (0, 4, [0])])
def test_batches_are_as_large_as_asked_for(generator: TableGenerator, rows: int, size: int, heights: list[int]) -> None:
    assert [batch.height for batch in generator.batches(rows, 1, size)] == heights


def test_batches_share_no_id_and_no_stream(generator: TableGenerator) -> None:
    one, two = generator.batches(1000, seed=2, size=500)
    together = pl.concat([one, two])
    assert together["order"].is_unique().all()
    assert together["row"].drop_nulls().is_unique().all()
    assert not one.select("amount", "shop").equals(two.select("amount", "shop"))


def test_one_batch_is_the_sample_and_any_chunk_can_be_drawn_alone(generator: TableGenerator) -> None:
    assert next(generator.batches(30, seed=1, size=100)).equals(generator.sample(30, seed=1))
    assert list(generator.batches(30, 1, 10))[2].equals(generator.chunk(10, 1, number=2, start=20))


def test_notes_name_the_columns_that_were_not_learned_and_no_cell(generator: TableGenerator) -> None:
    assert generator.notes == (
        "column 'order' is an id: made anew in the same form",
        "column 'row' is an id: made anew in the same form",
        "column 'comment' is free text: comes out empty",
        "it goes round",
    )


def test_a_saved_generator_is_the_same_after_loading(generator: TableGenerator, tmp_path: Path) -> None:
    generator.save(tmp_path)
    loaded = TableGenerator.load(tmp_path)
    assert loaded.sample(50, seed=3).equals(generator.sample(50, seed=3))
    assert (loaded.schema, loaded.kind, loaded.patterns) == (generator.schema, generator.kind, generator.patterns)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
        "generator.json",
        "model/rows.parquet",
        "schema.json",
    ]


def test_a_table_of_ids_and_text_is_refused() -> None:
    with pytest.raises(BadTableError, match="none of the 2 columns can be learned"):
        fit_table(TRAIN, SCHEMA.select(["order", "comment"]), "gaussian_copula", {}, 7, lambda share, note: None)


def test_an_absent_column_is_refused(generator: TableGenerator) -> None:
    with pytest.raises(BadTableError, match="the training table: 1 of the 5 expected columns missing: 'shop'"):
        fit_table(TRAIN.drop("shop"), SCHEMA, "cycle", {}, 7, lambda share, note: None)


def test_a_column_of_another_type_is_refused(generator: TableGenerator) -> None:
    other = Schema((replace(SCHEMA["amount"], dtype="Int64"),))
    with pytest.raises(BadTableError, match="column 'amount' is stored as Float64, expected Int64"):
        fit_table(TRAIN, other, "cycle", {}, 7, lambda share, note: None)


def test_a_copula_is_fitted_saved_loaded_and_sampled_end_to_end(tmp_path: Path) -> None:
    fitted = fit_table(TRAIN, SCHEMA, "gaussian_copula", {"default_distribution": "norm"}, 7, lambda share, note: None)
    fitted.save(tmp_path)
    sampled = TableGenerator.load(tmp_path).sample(500, seed=1)
    assert sampled.equals(fitted.sample(500, seed=1))
    assert set(sampled["shop"]) == {"north", "south"}


ORDERED = pl.DataFrame({"low": [1, 2, 3, 4] * 10, "high": [5, 2, 9, 6] * 10, "shop": ["a", "b", "c", "a"] * 10})
RULES = (Inequality(kind="inequality", low_column_name="low", high_column_name="high"),)


@pytest.fixture
def ruled(monkeypatch: pytest.MonkeyPatch) -> TableGenerator:
    monkeypatch.setitem(KINDS, "cycle", f"{__name__}:Cycle")
    schema = Schema(
        (
            Column("low", Kind.NUMERIC, "Int64"),
            Column("high", Kind.NUMERIC, "Int64"),
            Column("shop", Kind.CATEGORICAL, "String"),
        )
    )
    return fit_table(ORDERED, schema, "cycle", {}, 7, lambda share, note: None, RULES)


def test_the_synthesizer_learns_columns_in_which_everything_is_allowed(ruled: TableGenerator) -> None:
    assert isinstance(ruled.synthesizer, Cycle)
    assert ruled.synthesizer.train.columns[0::2] == ["low", "shop"]
    assert ruled.synthesizer.train.to_series(1).to_list()[:4] == [4, 0, 6, 2]
    assert ruled.sample(4, seed=0).sort("low").rows() == ORDERED[:4].rows()


def test_constraints_survive_a_file(ruled: TableGenerator, tmp_path: Path) -> None:
    ruled.save(tmp_path)
    loaded = TableGenerator.load(tmp_path)
    assert loaded.coordinates == ruled.coordinates
    assert loaded.sample(20, seed=3).equals(ruled.sample(20, seed=3))


def test_a_condition_on_a_tied_column_is_met_and_the_rules_are_kept(ruled: TableGenerator) -> None:
    completed = ruled.complete(pl.DataFrame({"high": [9, 6, None]}), seed=1)
    assert completed.made.all()
    assert completed.table["high"].to_list()[:2] == [9, 6]
    assert completed.table["low"].to_list()[:2] == [3, 4]


def test_a_row_whose_given_cells_break_a_rule_is_not_made(ruled: TableGenerator) -> None:
    completed = ruled.complete(pl.DataFrame({"low": [9, 1], "high": [5, None]}), seed=1)
    assert completed.made.tolist() == [False, True]
    assert completed.table.row(0) == (None, None, None)


def test_given_ids_and_text_stay_and_empty_ones_are_made(generator: TableGenerator) -> None:
    given = pl.DataFrame({"order": ["X-1", None], "comment": [None, "as it was"], "shop": [TRAIN["shop"][0]] * 2})
    completed = generator.complete(given, seed=1)
    assert completed.made.all()
    assert completed.table["order"].to_list()[0] == "X-1"
    assert completed.table["order"].str.contains(r"^A-\d{4}$").to_list() == [False, True]
    assert completed.table["comment"].to_list() == [None, "as it was"]
    assert completed.table.columns == list(SCHEMA.names)


def test_rows_of_which_only_an_id_is_given_are_made_too(generator: TableGenerator) -> None:
    completed = generator.complete(pl.DataFrame({"order": ["X-1", "X-2", "X-3"]}), seed=1)
    assert completed.made.tolist() == [True] * 3
    assert completed.table["shop"].null_count() == 0


def test_a_row_is_drawn_again_where_the_given_number_breaks_a_rule_that_the_drawn_one_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KINDS, "cycle", f"{__name__}:Cycle")
    # Of the rows within a hundredth of high = 500, half have a low between 500 and the drawn high.
    rows = pl.DataFrame({"low": [500, 0] * 500, "high": [501, 501] * 500}).with_columns(
        high=pl.when(pl.int_range(1000) < 900).then(pl.int_range(500, 1500)).otherwise("high")
    )
    rows = rows.filter(pl.col("low") <= pl.col("high"))
    schema = Schema((Column("low", Kind.NUMERIC, "Int64"), Column("high", Kind.NUMERIC, "Int64")))
    model = fit_table(rows, schema, "cycle", {}, 7, lambda share, note: None, RULES)
    completed = model.complete(pl.DataFrame({"high": [499] * 50}), seed=1)
    assert completed.made.all()
    assert set(completed.table["low"]) == {0}
