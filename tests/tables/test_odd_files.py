"""A corpus of broken and odd files: each is refused with its place and rule, or read with the right content."""

from __future__ import annotations

import gzip
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from synthcli.errors import BadTableError, ConfigError, MissingFileError, SynthcliError
from synthcli.tables import ReadOptions, open_table

#: Stands in cells of refused files; no message may show it.
SECRET = "Zaphod-Beeblebrox-42"


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def one(value: object, dtype: Any = None) -> bytes:
    return parquet(pl.DataFrame({"fine": [1], "odd": [value]}, schema_overrides={"odd": dtype} if dtype else None))


LONG = parquet(pl.DataFrame({"n": range(50_000), "s": [f"{SECRET}{i}" for i in range(50_000)]}))

REFUSED: dict[str, tuple[bytes | str, str, str]] = {
    # name: (content, file name, what the message says)
    "short row": (f"a,b,c\n1,2,3\n{SECRET},2\n", "t.csv", "line 3: 2 cells where the header has 3"),
    "short row at the end without a line end": (f"a,b\n1,2\n{SECRET}", "t.csv", "line 3: 1 cells"),
    "short row below quoted line ends": (f'a,b\n"x\n\ny",2\n{SECRET}\n', "t.csv", "line 5: 1 cells"),
    "short row far below": ("a,b\n" + "1,2\n" * 300_000 + f"{SECRET}\n1,2\n", "t.csv", "line 300,002: 1 cells"),
    "long row": (f"a,b\n1,2\n1,2,{SECRET}\n", "t.csv", "line 3: 3 cells where the header has 2"),
    "comma in a single column": (f"a\n1\n{SECRET},b\n", "t.csv", "line 3: 2 cells where the header has 1"),
    "blank line in between": (f"a,b\n1,2\n\n{SECRET},4\n", "t.csv", "line 3: a blank line where 2 cells"),
    "unclosed quote": (f'a,b\n1,"{SECRET}\n2,y\n', "t.csv", "line 2: a quote is opened here and never closed"),
    "unclosed quote meets another": (f'a,b\n1,"{SECRET}\n3,"z"\n', "t.csv", "line 2: a quote is opened here and meets"),
    "quote in the middle": (f'a,b\n"1",2\n3,{SECRET}"\n', "t.csv", "line 3: a quote stands in the middle"),
    "text behind a quote": (f'a,b\n1,"{SECRET}"y\n', "t.csv", "line 2: a quote stands in the middle"),
    "unclosed quote in the header": (f'"a,b\n1,{SECRET}\n', "t.csv", "line 1: a quote is opened here and never"),
    "duplicate name": (f"a,b,a\n1,2,{SECRET}\n", "t.csv", "line 1: columns 1 and 3 have the same name"),
    "name that differs by case": (
        f"Age,age\n1,{SECRET}\n",
        "t.csv",
        "line 1: columns 1 and 2 have the same name but for",
    ),
    "name that differs by spaces": (f"a,a \n1,{SECRET}\n", "t.csv", "columns 1 and 2 have the same name but for"),
    "no header, equal cells": (f"{SECRET},{SECRET}\n1,2\n", "t.csv", "line 1: columns 1 and 2"),
    "empty name": (f"a,,c\n1,{SECRET},3\n", "t.csv", "line 1, column 2: the name is empty"),
    "name of spaces": (f"a,  \n1,{SECRET}\n", "t.csv", "line 1, column 2: the name is empty"),
    "index without a name": (f",a\n0,{SECRET}\n", "t.csv", "line 1, column 1: the name is empty"),
    "header only": ("a,b\n", "t.csv", "line 1: a header and no rows"),
    "header only without a line end": ("a,b", "t.csv", "line 1: a header and no rows"),
    "header and blank lines": ("a,b\n\n\n", "t.csv", "line 1: a header and no rows"),
    "empty": ("", "t.csv", "the file is empty"),
    "blank lines only": ("\n\n \n", "t.csv", "nothing but blank lines"),
    "empty gzip": (gzip.compress(b""), "t.csv.gz", "the file is empty"),
    "gzip that is cut off": (gzip.compress(f"a,b\n1,{SECRET}\n".encode())[:-9], "t.csv.gz", "cut off or damaged"),
    "zero byte": (f"a,b\n1,2\n{SECRET}\0,3\n", "t.csv", "line 3: a zero byte"),
    "UTF-8 with a stray byte": (
        "a,b\n1,größer\nü,ö\n".encode() + b"\xff,1\n",
        "t.csv",
        "line 4: the bytes are no valid UTF-8",
    ),
    "Cyrillic of one byte": (f"имя,b\nИван Петрович,{SECRET}\n".encode("cp1251"), "t.csv", "line 1: the bytes are no"),
    "UTF-16 that is cut off": (f"a,b\n1,{SECRET}\n".encode("utf-16")[:-1], "t.csv", "no valid utf-16-le"),
    "noise": (bytes(range(256)) * 8, "t.csv", "the bytes are no valid UTF-8"),
    "workbook": (b"PK\x03\x04" + bytes(40), "t.csv", "an Excel workbook"),
    "JSON lines": (f'{{"a": "{SECRET}"}}\n', "t.jsonl", "this is JSON"),
    "text named Parquet": (f"a,b\n1,{SECRET}\n", "t.parquet", "cut off or damaged"),
    "Parquet without its end": (LONG[:-100], "t.parquet", "cut off or damaged"),
    "Parquet with a broken page": (
        LONG[: len(LONG) // 2] + b"\xff" * 3_000 + LONG[len(LONG) // 2 + 3_000 :],
        "t.parquet",
        "damaged",
    ),
    "Parquet with a broken footer": (LONG[:-300] + b"\x01" * 200 + LONG[-100:], "t.parquet", "damaged"),
    "Parquet of magic alone": (b"PAR1" * 3, "t.parquet", "damaged"),
    "Parquet without rows": (parquet(pl.DataFrame({"a": []}, schema={"a": pl.Int8})), "t.parquet", "no rows"),
    "Parquet without columns": (parquet(pl.DataFrame()), "t.parquet", "no rows"),
    "Parquet names by case": (parquet(pl.DataFrame({"a": [1], "A": [SECRET]})), "t.parquet", "columns 1 and 2"),
    "list": (one([SECRET]), "t.parquet", "column 'odd': the type List"),
    "struct": (one({"x": SECRET}), "t.parquet", "column 'odd': the type Struct"),
    "bytes": (one(SECRET.encode()), "t.parquet", "column 'odd': the type Binary"),
    "duration": (one(timedelta(1)), "t.parquet", "column 'odd': the type Duration"),
    "time of day": (one(time(1)), "t.parquet", "column 'odd': the type Time"),
    "128 bits": (one(1, pl.Int128), "t.parquet", "column 'odd': the type Int128"),
    "infinity": (one(float("inf")), "t.parquet", "column 'odd': an infinite number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_broken_file_is_refused_with_place_and_rule_and_no_cell(tmp_path: Path, name: str) -> None:
    content, file_name, says = REFUSED[name]
    path = tmp_path / file_name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadTableError) as caught:
        open_table(path)
    assert says in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert SECRET not in caught.value.message + caught.value.hint


A_B = [(1, "x"), (2, "y")]
READ: dict[str, tuple[bytes | str, ReadOptions | None, list[tuple[object, ...]], str]] = {
    # name: (content, options, rows, what the notes say)
    "semicolon": ("a;b\n1;x\n2;y\n", None, A_B, "delimiter is a semicolon"),
    "tab": ("a\tb\n1\tx\n2\ty\n", None, A_B, "delimiter is a tab"),
    "bar": ("a|b\n1|x\n2|y\n", None, A_B, "delimiter is a bar"),
    "a delimiter that has to be named": ("a:b\n1:x\n2:y\n", ReadOptions(delimiter=":"), A_B, "delimiter is :"),
    "CR LF": ("a,b\r\n1,x\r\n2,y\r\n", None, A_B, "CR LF"),
    "CR": ("a,b\r1,x\r2,y\r", None, A_B, "lines end with CR"),
    "mixed line ends": ("a,b\n1,x\r\n2,y\n", None, A_B, ""),
    "no last line end": ("a,b\n1,x\n2,y", None, A_B, ""),
    "blank lines at the edges": (" \n\na,b\n1,x\n2,y\n\n  \n", None, A_B, "blank lines"),
    "byte order mark": ("\ufeffa,b\n1,x\n2,y\n", None, A_B, "byte order mark"),
    "UTF-16": ("a,b\n1,é\n".encode("utf-16"), None, [(1, "é")], "utf-16-le with a byte order mark"),
    "UTF-16, little end first": ("a,b\n1,é\n".encode("utf-16-le"), None, [(1, "é")], "read as utf-16-le"),
    "UTF-16, big end first": ("a,b\n1,é\n".encode("utf-16-be"), None, [(1, "é")], "read as utf-16-be"),
    "Windows-1252": ("a,b\n1,Müller €\n".encode("cp1252"), None, [(1, "Müller €")], "read as cp1252"),
    "a named encoding": ("a,b\n1,Иван\n".encode("cp1251"), ReadOptions(encoding="cp1251"), [(1, "Иван")], "cp1251"),
    "quoted line ends and quotes": ('a,b\n1,"x\n""y"""\n', None, [(1, 'x\n"y"')], ""),
    "quoted header": ('"a","b ""c"""\n1,x\n', None, [(1, "x")], ""),
    "single quotes": ("a,b\n1,'x,y'\n2,'it''s'\n", None, [(1, "x,y"), (2, "it's")], "quoted with '"),
    "inches": ('a,b\n1,5" pipe\n2,6" pipe\n', None, [(1, '5" pipe'), (2, '6" pipe')], "ordinary characters"),
    "spaces behind delimiters": ('a, b\n1, x\n2, "y, z"\n', None, [(1, "x"), (2, "y, z")], "the space behind"),
    "single column": ("a\n1\n2\n", None, [(1,), (2,)], ""),
    "single column with gaps": ("a\n1\n\n2\n\n", None, [(1,), (None,), (2,)], ""),
    "single column, quoted gap": ('a\n1\n""\n', None, [(1,), (None,)], ""),
    "empty cells": ('a,b\n1,\n,""\n2,y\n', None, [(1, None), (None, None), (2, "y")], ""),
    "decimal comma": ("a;b\n1,5;x\n-2,25;y\n", None, [(1.5, "x"), (-2.25, "y")], "semicolon"),
    "comma that may be of thousands": ("a;b\n1,234;x\n", None, [("1,234", "x")], "thousands"),
    "comma and point": ("a;b\n1,5;1.5\n", None, [("1,5", 1.5)], "decimal commas"),
    "points of thousands": ("a;b\n1,5;1.234\n", None, [(1.5, "1.234")], "thousands"),
    "told that commas are decimal": ("a;b\n1,234;x\n", ReadOptions(decimal_comma=True), [(1.234, "x")], "decimals"),
    "leading zeros": ("a\n007\n010\n", None, [("007",), ("010",)], "leading zeros"),
    "beyond 64 bits": ("a\n9223372036854775808\n1\n", None, [("9223372036854775808",), ("1",)], "64 bits"),
    "the ends of 64 bits": ("a\n9223372036854775807\n-9223372036854775808\n", None, [(2**63 - 1,), (-(2**63),)], ""),
    "more digits than a float": ("a\n12345678901234567.5\n", None, [("12345678901234567.5",)], "more digits"),
    "beyond a float": ("a\n1e400\n2\n", None, [("1e400",), ("2",)], ""),
    "spelled infinity": ("a\ninf\n2\n", None, [("inf",), ("2",)], ""),
    "hexadecimal": ("a\n0x10\n2\n", None, [("0x10",), ("2",)], ""),
    "underscores": ("a\n1_000\n2\n", None, [("1_000",), ("2",)], ""),
    "plus sign": ("a\n+1\n-2\n", None, [("+1",), ("-2",)], "plus sign"),
    "per cent": ("a\n5%\n10.5%\n", None, [("5%",), ("10.5%",)], "percentages"),
    "money": ("a\n$5\n$10.50\n", None, [("$5",), ("$10.50",)], "money"),
    "thousands": ('a,b\n"1,234",x\n', None, [("1,234", "x")], "thousands"),
    "spaces around numbers": ("a,b\n 1,x\n 2,y\n", None, [(" 1", "x"), (" 2", "y")], "spaces around"),
    "all null": ("a,b\n1,\n2,\n", None, [(1, None), (2, None)], "column 'b': has no value"),
    "constant": ("a,b\n1,x\n2,x\n", None, [(1, "x"), (2, "x")], "column 'b': has the same value"),
    "dates that cannot be": ("a\n2020-02-30\n2020-01-01\n", None, [("2020-02-30",), ("2020-01-01",)], "dates"),
    "dates in two formats": (
        "a\n2020-01-05\n05.01.2020\n",
        None,
        [("2020-01-05",), ("05.01.2020",)],
        "several formats",
    ),
    "day or month": ("a\n01/02/2020\n", None, [(date(2020, 1, 2),)], "each other's place"),
    "a leap second": ("a\n2020-01-05 00:00:60\n", None, [("2020-01-05 00:00:60",)], "dates"),
    "offsets that vary": (
        "a\n2020-01-05T01:00:00+01:00\n2020-01-05T01:00:00+02:00\n",
        None,
        [("2020-01-05T01:00:00+01:00",), ("2020-01-05T01:00:00+02:00",)],
        "time zones",
    ),
    "eight digits": ("a\n20200105\n", None, [(20200105,)], "yyyymmdd"),
    "NA among numbers counts in text too": ("a,b\n1,NA\nNA,x\n", None, [(1, None), (None, "x")], "'NA' is taken"),
    "NA among texts alone": ("a,b\n1,NA\n2,x\n", None, [(1, "NA"), (2, "x")], ""),
    "question marks count in their own column": ("a,b\n1,?\n?,x\n", None, [(1, "?"), (None, "x")], ""),
    "named missing tokens": ("a,b\n1,-9\n-9,x\n", ReadOptions(missing=("-9",)), [(1, None), (None, "x")], ""),
    "named tokens are the only ones": ("a,b\n1,NA\n-9,\n", ReadOptions(missing=("-9",)), [(1, "NA"), (None, "")], ""),
}


@pytest.mark.parametrize("name", READ)
def test_odd_file_is_read_with_right_content(tmp_path: Path, name: str) -> None:
    content, options, rows, says = READ[name]
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    source = open_table(path, options)
    assert source.read().rows() == rows
    assert says in " ".join(source.notes)


def test_type_that_changes_far_below_makes_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "".join(f"{i}\n" for i in range(5_000)) + f"{SECRET}\n")
    source = open_table(path)
    assert source.read()["a"].to_list() == [*map(str, range(5_000)), SECRET]
    assert any("5,000 of 5,001 values are numbers" in note for note in source.notes)


DEMANDS: dict[str, tuple[str, dict[str, str], str]] = {
    "number": (f'a,b\n1,"x\ny"\n{SECRET},2\n', {"type": "numeric"}, "line 4, column 'a': the value is no numeric"),
    "truth": (f"a,b\nyes,1\nno,1\n{SECRET},1\n", {"type": "boolean"}, "line 4, column 'a': the value is no boolean"),
    "date": (f"a,b\n01/02/2020,1\n{SECRET},1\n", {"type": "datetime", "format": "%d/%m/%Y"}, "line 3, column 'a'"),
    "any date": (f"a,b\n2020-01-01,1\n{SECRET},1\n", {"type": "datetime"}, "line 3, column 'a'"),
    "thousands": (f"a;b\n1,234;{SECRET}\n", {"type": "numeric"}, "line 2, column 'a': the separator may be"),
}


@pytest.mark.parametrize("name", DEMANDS)
def test_value_that_is_not_of_the_demanded_type_is_named_by_its_place(tmp_path: Path, name: str) -> None:
    content, wish, says = DEMANDS[name]
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(BadTableError) as caught:
        open_table(path, ReadOptions(columns={"a": wish}))
    assert f"{path}, {says}" in caught.value.message
    assert SECRET not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (ReadOptions(columns={"agee": {"type": "id"}}), ConfigError, "did you mean 'age'?"),
        (ReadOptions(primary_key="zzz"), ConfigError, "its columns: age, city"),
        (ReadOptions(columns={"age": {"type": "numerical"}}), ConfigError, "did you mean 'numeric'?"),
        (ReadOptions(encoding="utf-99"), ConfigError, "utf-8 or cp1252"),
        (ReadOptions(delimiter="::"), ConfigError, "such as ; or |"),
    ],
)
def test_option_that_cannot_be_used_is_refused_with_a_way_out(
    tmp_path: Path, options: ReadOptions, error: type[SynthcliError], says: str
) -> None:
    (tmp_path / "t.csv").write_text("age,city\n1,x\n")
    with pytest.raises(error) as caught:
        open_table(tmp_path / "t.csv", options)
    assert says in caught.value.hint


def test_missing_file_is_told_apart_and_the_nearest_name_is_given(tmp_path: Path) -> None:
    (tmp_path / "flights.csv").write_text("a\n1\n")
    with pytest.raises(MissingFileError) as caught:
        open_table(tmp_path / "flight.csv")
    assert caught.value.hint.endswith("flights.csv?")
    with pytest.raises(MissingFileError, match="no file matches"):
        open_table(str(tmp_path / "*.parquet"))


def test_stored_types_are_taken_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    frame = pl.DataFrame(
        {
            "decimal": pl.Series(["1.50", "2.25"]).cast(pl.Decimal(10, 2)),
            "category": pl.Series(["x", "y"], dtype=pl.Categorical),
            "enum": pl.Series(["x", "y"], dtype=pl.Enum(["y", "x"])),
            "nan": [1.5, float("nan")],
            "null": [None, None],
            "digits": ["1", "2"],
            "moment": [datetime(2020, 1, 1)] * 2,
        }
    )
    frame.write_parquet(path)
    source = open_table(path)
    assert source.read().rows()[1] == (2.25, "y", "y", None, None, "2", datetime(2020, 1, 1))
    assert (source.schema["decimal"].decimals, source.schema["decimal"].least_decimals) == (2, 2)
