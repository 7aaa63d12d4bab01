"""What a person may point at, and tables read as an earlier schema says."""

from __future__ import annotations

import io
import os
import threading
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from synthcli.errors import BadTableError
from synthcli.schema import Kind, Schema
from synthcli.tables import ReadOptions, open_table, to_text, write_table


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_folder_is_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    text(tmp_path / "part-2.csv", "a,b\n3,z\n")
    text(tmp_path / "part-1.csv", "b,a\nx,1\ny,2\n")
    text(tmp_path / ".hidden.csv", "other\n")
    text(tmp_path / "part-1.csv.lineage.json", "{}")
    source = open_table(tmp_path)
    assert [path.name for path in source.paths] == ["part-1.csv", "part-2.csv"]
    assert source.read().rows() == [("x", 1), ("y", 2), ("z", 3)]


def test_glob_and_list_name_several_files(tmp_path: Path) -> None:
    for name in ("b", "a"):
        text(tmp_path / f"{name}.csv", f"name\n{name}\n")
    assert open_table(str(tmp_path / "*.csv")).read()["name"].to_list() == ["a", "b"]
    listed = open_table([tmp_path / "b.csv", str(tmp_path / "a.csv")])
    assert listed.read()["name"].to_list() == ["b", "a"]


def test_standard_input_is_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a;b\n1,5;x\n")))
    source = open_table("-")
    assert source.paths == (Path("-"),)
    assert source.read().rows() == source.read().rows() == [(1.5, "x")]


def test_pipe_is_a_file_like_any_other(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("a\n1\n",))
    writer.start()
    assert open_table(pipe).read()["a"].to_list() == [1]
    writer.join()


@pytest.mark.parametrize("folder", ["empty", "looks_like_a_file.csv"])
def test_folder_without_tables_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    text(tmp_path / folder / "notes.md", "nothing")
    with pytest.raises(BadTableError, match="a folder without tables"):
        open_table(tmp_path / folder)


def test_parts_must_have_the_same_columns(tmp_path: Path) -> None:
    text(tmp_path / "1.csv", "a,b\n1,2\n")
    text(tmp_path / "2.csv", "a,secret\n3,4\n")
    with pytest.raises(BadTableError, match=r"2\.csv, line 1: .* lacks 'b', has 1 others") as caught:
        open_table(tmp_path)
    assert "secret" not in caught.value.message


def test_parts_must_have_the_same_stored_types(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"a": ["1"]}).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(BadTableError, match=r"2\.parquet, column 'a': stored as String, in the first part as Int64"):
        open_table(tmp_path)


def test_parts_of_both_formats_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "1.parquet")
    text(tmp_path / "2.csv", "a\n1\n")
    with pytest.raises(BadTableError, match="some parts are text and some are Parquet"):
        open_table(tmp_path)


def test_file_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    path = text(tmp_path / "1.csv", "a\n1\n")
    with pytest.raises(BadTableError, match="named twice"):
        open_table([path, tmp_path / "." / "1.csv"])


def test_content_rules_over_the_suffix(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "t.csv")
    assert open_table(tmp_path / "t.csv").read().rows() == [(1,)]


def test_place_of_a_value_is_in_its_own_part(tmp_path: Path) -> None:
    text(tmp_path / "1.csv", "a\n1\n2\n")
    text(tmp_path / "2.csv", "a\n3\nhidden\n")
    with pytest.raises(BadTableError, match=r"2\.csv, line 3, column 'a'"):
        open_table(tmp_path, ReadOptions(columns={"a": {"type": "numeric"}}))


@pytest.fixture
def frozen(tmp_path: Path) -> Schema:
    content = "n,x,day,city,late\n1,1.5,31/12/2020,Rom,true\nNA,2.25,01/01/2021,NA,false\n"
    return open_table(text(tmp_path / "first.csv", content)).schema


def test_table_is_read_as_an_earlier_schema_says(tmp_path: Path, frozen: Schema) -> None:
    content = "late,n,x,day,city\ntrue,007,2,05/06/2021,123\nfalse,NA,NA,NA,NA\n"
    source = open_table(text(tmp_path / "next.csv", content), schema=frozen)
    assert source.schema == frozen
    assert source.read().rows() == [(7, 2.0, date(2021, 6, 5), "123", True), (None, None, None, None, False)]


def test_columns_that_the_schema_does_not_know_follow(tmp_path: Path, frozen: Schema) -> None:
    content = "new,n,x,day,city,late\n3.25,1,1,05/06/2021,x,true\n"
    source = open_table(text(tmp_path / "next.csv", content), schema=frozen)
    assert source.schema.names == (*frozen.names, "new")
    assert source.schema["new"].decimals == 2
    assert source.read().row(0)[-1] == 3.25


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("1.5,1,05/06/2021,x,true", "n"),
        ("1,hidden,05/06/2021,x,true", "x"),
        ("1,1,13/13/2021,x,true", "day"),
        ("1,1,05/06/2021,x,maybe", "late"),
    ],
)
def test_value_that_does_not_fit_the_schema_is_refused(tmp_path: Path, frozen: Schema, row: str, column: str) -> None:
    path = text(tmp_path / "next.csv", f"n,x,day,city,late\n2,2,05/06/2021,y,true\n{row}\n")
    with pytest.raises(BadTableError, match=rf"next\.csv, line 3, column '{column}': the value is no") as caught:
        open_table(path, schema=frozen)
    assert "hidden" not in caught.value.message


def test_column_that_the_schema_expects_must_be_there(tmp_path: Path, frozen: Schema) -> None:
    path = text(tmp_path / "next.csv", "n,x,day,city\n1,1,05/06/2021,x\n")
    with pytest.raises(BadTableError, match="1 of the 5 expected columns missing: 'late'"):
        open_table(path, schema=frozen)


def test_stored_table_is_read_as_an_earlier_schema_says(tmp_path: Path, frozen: Schema) -> None:
    frame = pl.DataFrame(
        {"city": ["x"], "n": [3.0], "x": [2], "day": ["05/06/2021"], "late": [True], "more": [1]},
        schema_overrides={"x": pl.Int16},
    )
    frame.write_parquet(tmp_path / "next.parquet")
    source = open_table(tmp_path / "next.parquet", schema=frozen)
    assert source.read().rows() == [(3, 2.0, date(2021, 6, 5), "x", True, 1)]
    assert source.schema.names == (*frozen.names, "more")


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [("n", 1.5, "row 1, column 'n': the value is no"), ("city", 5, "column 'city': stored as Int64, expected String")],
)
def test_stored_value_that_would_change_is_refused(
    tmp_path: Path, frozen: Schema, column: str, value: object, says: str
) -> None:
    fitting = {"n": 1, "x": 1.0, "day": date(2021, 1, 1), "city": "x", "late": True}
    pl.DataFrame({name: [cell] for name, cell in (fitting | {column: value}).items()}).write_parquet(tmp_path / "p")
    with pytest.raises(BadTableError, match=says):
        open_table(tmp_path / "p", schema=frozen)


def test_stored_text_is_read_as_another_type_only_on_demand(tmp_path: Path) -> None:
    pl.DataFrame({"n": ["1", None], "day": ["2020-01-05", ""], "flag": [0, 1]}).write_parquet(tmp_path / "p")
    assert open_table(tmp_path / "p").schema["n"].dtype == "String"
    wishes = {"n": {"type": "numeric"}, "day": {"type": "datetime"}, "flag": {"type": "boolean"}}
    source = open_table(tmp_path / "p", ReadOptions(columns=wishes))
    assert source.read().rows() == [(1, date(2020, 1, 5), False), (None, None, True)]
    assert [column.kind for column in source.schema] == [Kind.NUMERIC, Kind.DATETIME, Kind.BOOLEAN]


def test_census_has_the_kinds_that_its_description_has(census_csv: Path) -> None:
    source = open_table(census_csv)
    numeric = {"age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"}
    assert {column.name for column in source.schema if column.kind is Kind.NUMERIC} == numeric
    assert {column.kind for column in source.schema if column.name not in numeric} == {Kind.CATEGORICAL}
    frame = source.read()
    assert frame.shape == (48_842, 15)
    assert frame.null_count().row(0) == (0,) * 15
    assert frame["workclass"].is_in(["?"]).sum() > 2_000
    assert source.notes == ()


@pytest.mark.parametrize("table", ["census_csv", "bank_csv"])
def test_real_table_comes_out_as_it_went_in(table: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(table)
    source = open_table(path)
    cells = pl.read_csv(path, infer_schema=False)
    assert to_text(source.read(), source.schema).equals(cells)
    write_table(source.read(), source.schema, tmp_path / "again.csv")
    again = open_table(tmp_path / "again.csv")
    assert again.schema == source.schema
    assert again.read().equals(source.read())


def test_a_glob_passes_over_what_only_tells_where_a_table_comes_from(tmp_path: Path) -> None:
    text(tmp_path / "a.csv", "n\n1\n2\n")
    text(tmp_path / "a.csv.lineage.json", "{}")
    assert open_table(str(tmp_path / "*")).read()["n"].to_list() == [1, 2]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_column_name_that_is_a_pattern_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    frame = pl.DataFrame({"^x$": [1, 2], "y": [3, 4]})
    frame.write_csv(path) if suffix == ".csv" else frame.write_parquet(path)
    with pytest.raises(BadTableError, match=r"column 1: the name begins with \^"):
        open_table(path)


def test_a_type_that_a_person_states_leaves_no_doubt(tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    file.write_text("zip,n\n01234,1\n56789,2\n")
    stated = ReadOptions(columns={"zip": {"type": "categorical"}})
    assert open_table(str(file), ReadOptions()).notes == (
        "column 'zip': looks like whole numbers with leading zeros; kept as text",
    )
    assert open_table(str(file), stated).notes == ()
