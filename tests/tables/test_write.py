"""The form of what is written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from synthcli.errors import BadTableError, UsageError
from synthcli.schema import Column, Dialect, Kind, Schema
from synthcli.tables import open_table, to_text, write_batches, write_table

FORMS = """\
n,price,ratio,zip,day,moment,late
1,1.50,0.25,00123,31.12.2020,2020-01-05T01:02:03+02:00,TRUE
NA,20.00,3,98765,01.01.2021,2020-06-05T00:00:00+02:00,FALSE
"""


def written(frame: pl.DataFrame, schema: Schema, path: Path) -> str:
    write_table(frame, schema, path)
    return path.read_bytes().decode()


def text_column(token: str) -> Schema:
    return Schema((Column("a", Kind.CATEGORICAL, "String", missing=token), Column("b", Kind.NUMERIC, "Int64")))


def test_every_form_of_the_source_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(FORMS)
    source = open_table(tmp_path / "a.csv")
    assert written(source.read(), source.schema, tmp_path / "b.csv") == FORMS
    moment = source.read()["moment"][0]
    assert moment == datetime(2020, 1, 4, 23, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "content",
    [
        "a;b\r\n1,50;x\r\n-2,25;y\r\n",
        "a\tb\n1\tx, y\n2\tz\n",
        "a|b\n1|'x|y'\n2|z\n",
        "\ufeffa,b\n1,x\n2,y\n",
        "a,b\r1,x\r2,y\r",
    ],
)
def test_dialect_of_the_source_is_kept(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode())
    source = open_table(tmp_path / "a.csv")
    assert written(source.read(), source.schema, tmp_path / "b.csv") == content


def test_text_is_written_as_utf8_whatever_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("a,b\n1,é\n".encode("utf-16"))
    source = open_table(tmp_path / "a.csv")
    assert written(source.read(), source.schema, tmp_path / "b.csv") == "\ufeffa,b\n1,é\n"


def test_missing_cell_is_told_apart_from_the_same_text(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": ["NA", None, ""], "b": [1, 2, 3]})
    assert written(frame, text_column("NA"), tmp_path / "t.csv") == 'a,b\n"NA",1\nNA,2\n"",3\n'
    assert written(frame, text_column(""), tmp_path / "t.csv") == 'a,b\nNA,1\n,2\n"",3\n'


def test_cells_are_quoted_only_where_they_must_be(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": ["x;y", "x,y", 'say "hi"', "two\nlines", " led"], "b": [1] * 5})
    expected = 'a,b\nx;y,1\n"x,y",1\n"say ""hi""",1\n"two\nlines",1\n" led",1\n'
    assert written(frame, text_column(""), tmp_path / "t.csv") == expected


def test_cell_that_would_need_quotes_in_a_file_without_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n1,5" pipe\n')
    source = open_table(tmp_path / "a.csv")
    assert written(source.read(), source.schema, tmp_path / "b.csv") == 'a,b\n1,5" pipe\n'
    with pytest.raises(BadTableError, match="column 'b'"):
        write_table(source.read().with_columns(b=pl.lit("x,y")), source.schema, tmp_path / "b.csv")


def test_numbers_are_rounded_to_the_digits_of_the_source(tmp_path: Path) -> None:
    schema = Schema(
        (
            Column("fixed", Kind.NUMERIC, "Float64", decimals=2, least_decimals=2),
            Column("most", Kind.NUMERIC, "Float64", decimals=7),
            Column("whole", Kind.NUMERIC, "Int64", decimals=0),
            Column("free", Kind.NUMERIC, "Float64"),
        )
    )
    frame = pl.DataFrame(
        {"fixed": [1.0, 2.345678], "most": [1e-7, 1e17], "whole": [1.6, 2.0], "free": [0.1 + 0.2, float("nan")]}
    )
    assert to_text(frame, schema).rows() == [
        ("1.00", "0.0000001", "2", "0.30000000000000004"),
        ("2.35", "100000000000000000", "2", ""),
    ]


def test_json_lines_hold_numbers_truth_values_and_nulls(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1, None], "x": [0.1234, 2.0], "b": [True, None], "d": [date(2020, 1, 5), None]})
    schema = Schema(
        (
            Column("n", Kind.NUMERIC, "Int64", missing="NA"),
            Column("x", Kind.NUMERIC, "Float64", decimals=2),
            Column("b", Kind.BOOLEAN, "Boolean", spelling=("no", "yes")),
            Column("d", Kind.DATETIME, "Date", format="%d.%m.%Y"),
        )
    )
    lines = written(frame, schema, tmp_path / "t.jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"n": 1, "x": 0.12, "b": True, "d": "05.01.2020"},
        {"n": None, "x": 2.0, "b": None, "d": None},
    ]


def test_equal_tables_are_equal_gzip_files(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": ["x"], "b": [1]})
    for name in ("a", "b"):
        write_table(frame, text_column(""), tmp_path / f"{name}.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    write_table(pl.DataFrame({"a": ["old"], "b": [1]}), text_column(""), path)
    before = path.read_bytes()

    def failing() -> object:
        yield pl.DataFrame({"a": ["new"], "b": [1]})
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_batches(failing(), text_column(""), path)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_batches_make_an_empty_table_with_its_columns(tmp_path: Path) -> None:
    assert write_batches([], text_column(""), tmp_path / "t.parquet") == 0
    assert pl.read_parquet(tmp_path / "t.parquet").schema == {"a": pl.String, "b": pl.Int64}
    assert write_batches([], text_column(""), tmp_path / "t.csv") == 0
    assert (tmp_path / "t.csv").read_text() == "a,b\n"


def test_suffix_without_a_format_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format has this suffix"):
        write_table(pl.DataFrame({"a": ["x"], "b": [1]}), text_column(""), tmp_path / "t.xlsx")
    write_table(pl.DataFrame({"a": ["x"], "b": [1]}), text_column(""), tmp_path / "t.xlsx", format="csv")
    assert (tmp_path / "t.xlsx").read_text() == "a,b\nx,1\n"


def test_column_that_cannot_be_stored_as_the_schema_says_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadTableError, match="column 'b' can't be stored as Int64") as caught:
        write_table(pl.DataFrame({"a": ["x"], "b": ["hidden"]}), text_column(""), tmp_path / "t.csv")
    assert "hidden" not in caught.value.message


def test_dialect_default_is_a_plain_csv(tmp_path: Path) -> None:
    assert Dialect() == open_table(_plain(tmp_path)).schema.dialect


def _plain(folder: Path) -> Path:
    path = folder / "t.csv"
    path.write_text("a,b\nx,1\n")
    return path
