"""Laws of writing and reading back: the same cells, the same types, the same schema, the same bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthcli.inference import infer_typed
from synthcli.schema import Dialect, Schema
from synthcli.tables import ReadOptions, open_table, to_text, write_batches, write_table

LAW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

AWKWARD = st.sampled_from(
    [",", ";", "\t", "|", '"', "'", "\n", "\r", "\r\n", " ", "é", "漢", "🙂", "\ufeff", "NA", "-", "0"]
)
TEXTS = st.lists(
    AWKWARD | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3), max_size=4
)
CELLS: dict[str, tuple[st.SearchStrategy[object], pl.DataType]] = {
    "text": (TEXTS.map("".join).filter(bool), pl.String()),
    "whole": (st.integers(-(2**63), 2**63 - 1), pl.Int64()),
    "small": (st.integers(0, 255), pl.UInt8()),
    "real": (st.floats(allow_nan=False, allow_infinity=False), pl.Float64()),
    "cents": (st.integers(-(10**9), 10**9).map(lambda n: n / 100), pl.Float64()),
    "truth": (st.booleans(), pl.Boolean()),
    "day": (st.dates(date(1, 1, 1), date(9999, 12, 31)), pl.Date()),
    "moment": (st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), pl.Datetime("us")),
}


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    rows = draw(st.integers(1, 5))
    series = []
    for i, kind in enumerate(kinds):
        cells, dtype = CELLS[kind]
        values = draw(st.lists(st.none() | cells, min_size=rows, max_size=rows))
        series.append(pl.Series(f"c{i}", values, dtype=dtype))
    return pl.DataFrame(series)


DIALECTS = st.builds(
    Dialect,
    bom=st.booleans(),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(['"', "'"]),
    decimal_comma=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
)


def with_token(schema: Schema, token: str) -> Schema:
    return replace(schema, columns=tuple(replace(column, missing=token) for column in schema))


@LAW
@given(frame=tables(), dialect=DIALECTS)
def test_csv_read_with_its_schema_is_the_written_table(tmp_path: Path, frame: pl.DataFrame, dialect: Dialect) -> None:
    schema = replace(infer_typed(frame).schema, dialect=dialect)
    write_table(frame, schema, tmp_path / "t.csv")
    options = ReadOptions(delimiter=dialect.delimiter, quote=dialect.quote)
    source = open_table(tmp_path / "t.csv", options, schema=schema)
    assert source.read().equals(frame)
    assert source.schema == schema


@LAW
@given(frame=tables())
def test_sniffing_finds_the_dialect_that_was_written(tmp_path: Path, frame: pl.DataFrame) -> None:
    schema = infer_typed(frame).schema
    write_table(frame, schema, tmp_path / "t.csv")
    assert open_table(tmp_path / "t.csv", schema=schema).read().equals(frame)


@LAW
@given(frame=tables())
def test_parquet_is_the_written_table_with_its_schema(tmp_path: Path, frame: pl.DataFrame) -> None:
    schema = infer_typed(frame).schema
    write_table(frame, schema, tmp_path / "t.parquet")
    source = open_table(tmp_path / "t.parquet")
    assert source.read().equals(frame)
    assert source.schema == schema


@LAW
@given(frame=tables(), token=st.sampled_from(["", "NA"]))
def test_reading_and_writing_again_changes_nothing(tmp_path: Path, frame: pl.DataFrame, token: str) -> None:
    write_table(frame, with_token(infer_typed(frame).schema, token), tmp_path / "a.csv")
    first = open_table(tmp_path / "a.csv")
    write_table(first.read(), first.schema, tmp_path / "b.csv")
    second = open_table(tmp_path / "b.csv")
    assert second.read().equals(first.read())
    assert to_text(second.read(), second.schema).equals(to_text(first.read(), first.schema))


@LAW
@given(frame=tables(), rows=st.integers(1, 3))
def test_batches_make_the_same_file_as_the_whole(tmp_path: Path, frame: pl.DataFrame, rows: int) -> None:
    schema = infer_typed(frame).schema
    for suffix in (".csv", ".jsonl", ".csv.gz"):
        write_table(frame, schema, tmp_path / f"a{suffix}")
        written = write_batches(frame.iter_slices(rows), schema, tmp_path / f"b{suffix}")
        assert written == frame.height
        if suffix != ".csv.gz":
            assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert open_table(tmp_path / "b.csv.gz", schema=schema).read().equals(frame)


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_batches_of_a_source_are_the_whole_in_order(tmp_path: Path, rows: int) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i},x{i % 3}\n" for i in range(11)))
    source = open_table(tmp_path / "t.csv")
    assert pl.concat(source.batches(rows)).equals(source.read())
