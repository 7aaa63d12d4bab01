"""``split``: both parts, the frozen rule, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

COLUMNS = ("age", "city", "late")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    rows = [f"{20 + i % 50},{'Rom' if i % 3 else 'Bern'},{'true' if i % 7 == 0 else 'false'}" for i in range(400)]
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    return path


def parts(out: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    return pl.read_parquet(out / "split" / "train.parquet"), pl.read_parquet(out / "split" / "holdout.parquet")


def test_every_row_is_on_exactly_one_side(call, table: Path, tmp_path: Path) -> None:
    ended = call("split", table, "--out", tmp_path / "out", "--json")
    assert ended.code == 0
    train, holdout = parts(tmp_path / "out")
    assert ended.document["result"]["rows"] == {"train": train.height, "holdout": holdout.height}
    source = pl.read_csv(table)
    assert pl.concat([train, holdout]).sort(COLUMNS).equals(source.sort(COLUMNS))


def test_the_rule_and_the_schema_are_on_record(call, table: Path, tmp_path: Path) -> None:
    call("split", table, "--out", tmp_path / "out", "--by", "age", "--holdout", "0.5", "--set", "split.salt=s")
    record = json.loads((tmp_path / "out" / "split" / "split.json").read_text())
    assert record["rule"] == {"method": "hash", "holdout": 0.5, "by": ["age"], "salt": "s", "columns": list(COLUMNS)}
    assert [column["name"] for column in record["schema"]["columns"]] == list(COLUMNS)
    assert record["sources"][0]["path"] == str(table)


def test_next_months_file_moves_no_row(call, table: Path, tmp_path: Path) -> None:
    call("split", table, "--out", tmp_path / "out")
    before = parts(tmp_path / "out")
    header, *lines = table.read_text().splitlines()
    grown = tmp_path / "grown.csv"
    grown.write_text("\n".join([header, *(f"{90 + i % 9},Oslo,false" for i in range(80)), *reversed(lines)]) + "\n")
    assert call("split", grown, "--out", tmp_path / "out").code == 0
    for old, new in zip(before, parts(tmp_path / "out"), strict=True):
        assert new.filter(pl.col("city") != "Oslo").sort(COLUMNS).equals(old.sort(COLUMNS))


@pytest.mark.parametrize(
    "words", [["--holdout", "0.3"], ["--by", "city"], ["--set", "split.salt=other"]], ids=["share", "by", "salt"]
)
def test_another_rule_in_the_same_directory_is_refused(call, table: Path, tmp_path: Path, words: list[str]) -> None:
    call("split", table, "--out", tmp_path / "out")
    before = parts(tmp_path / "out")
    ended = call("split", table, "--out", tmp_path / "out", *words)
    assert ended.code == 2
    assert "--out" in ended.err
    assert all(new.equals(old) for old, new in zip(before, parts(tmp_path / "out"), strict=True))


def test_a_column_that_is_not_there_is_named_with_those_that_are(call, table: Path, tmp_path: Path) -> None:
    for words in (["--by", "town"], ["--set", "data.target=lat"]):
        ended = call("split", table, "--out", tmp_path / "out", *words)
        assert ended.code == 2
        assert "city" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_later_table_without_a_key_column_is_refused(call, table: Path, tmp_path: Path) -> None:
    call("split", table, "--out", tmp_path / "out")
    narrow = tmp_path / "narrow.csv"
    narrow.write_text("age,late\n30,true\n31,false\n")
    ended = call("split", narrow, "--out", tmp_path / "out")
    assert ended.code == 3
    assert "city" in ended.err


def test_too_few_rows_for_two_sides_are_refused(call, tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.csv"
    tiny.write_text("a,b\n1,x\n")
    ended = call("split", tiny, "--out", tmp_path / "out")
    assert ended.code == 3
    assert "one side" in ended.err


def test_a_dry_run_writes_nothing(call, table: Path, tmp_path: Path) -> None:
    assert call("split", table, "--out", tmp_path / "out", "--dry-run").code == 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("content", "code"), [(None, 3), (b"", 3), (b"a,b\n", 3)], ids=["absent", "empty", "header"])
def test_no_table_no_split(call, tmp_path: Path, content: bytes | None, code: int) -> None:
    path = tmp_path / "data.csv"
    if content is not None:
        path.write_bytes(content)
    ended = call("split", path, "--out", tmp_path / "out")
    assert ended.code == code
    assert "hint: " in ended.err


def test_classes_of_the_target_are_shown_unless_they_are_rare(call, table: Path, tmp_path: Path) -> None:
    ended = call("split", table, "--out", tmp_path / "a", "--set", "data.target=late", "--json")
    assert set(ended.document["result"]["target_shares"]["train"]) == {"true", "false"}
    with table.open("a") as file:
        file.write("33,Secret,false\n")
    ended = call("split", table, "--out", tmp_path / "b", "--set", "data.target=city")
    assert ended.code == 0
    assert "Secret" not in ended.out + ended.err
