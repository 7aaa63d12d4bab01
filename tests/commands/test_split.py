"""``split``: both parts, the frozen rule, and refusals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from synthcli.registry import lock

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
    asked = {"method": "hash", "holdout": 0.5, "by": ["age"], "salt": "s", "columns": list(COLUMNS)}
    assert asked.items() <= record["rule"].items()
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
        assert "hint: its columns: age, " in ended.err if "town" in words else "hint: did you mean 'late'?" in ended.err
    assert not (tmp_path / "out" / "split").exists()


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


# other methods


def test_a_stratified_split_has_the_targets_shares_to_the_row(call, table: Path, tmp_path: Path) -> None:
    words = ["--method", "stratified", "--holdout", "0.25", "--set", "data.target=late"]
    assert call("split", table, "--out", tmp_path / "out", *words).code == 0
    source = pl.read_csv(table)
    _, holdout = parts(tmp_path / "out")
    for value in (True, False):
        assert (holdout["late"] == value).sum() == round(0.25 * (source["late"] == value).sum())


def test_a_time_split_reserves_the_latest_rows_and_a_slice_of_the_earlier_ones(
    call, flights_csv: Path, tmp_path
) -> None:
    words = ["--method", "time", "--set", "data.time=time_hour", "--json"]
    ended = call("split", flights_csv, "--out", tmp_path / "out", *words)
    assert ended.code == 0
    train, holdout = parts(tmp_path / "out")
    slice_ = pl.read_parquet(tmp_path / "out" / "split" / "privacy_holdout.parquet")
    assert train["time_hour"].max() < holdout["time_hour"].min()
    assert slice_["time_hour"].max() < holdout["time_hour"].min()
    assert slice_.height / (slice_.height + train.height) == pytest.approx(0.1, abs=0.015)
    assert ended.document["result"]["c2st"]["auc"] > 0.9


def test_a_random_split_keeps_its_fingerprints_to_itself(call, table: Path, tmp_path: Path) -> None:
    assert call("split", table, "--out", tmp_path / "out", "--method", "random").code == 0
    keys = tmp_path / "out" / "split" / "holdout.keys"
    assert keys.stat().st_mode & 0o777 == 0o600
    before = parts(tmp_path / "out")
    assert call("split", table, "--out", tmp_path / "out", "--method", "random").code == 0
    for old, new in zip(before, parts(tmp_path / "out"), strict=True):
        assert new.sort(COLUMNS).equals(old.sort(COLUMNS))
    keys.unlink()
    ended = call("split", table, "--out", tmp_path / "out", "--method", "random")
    assert ended.code == 3
    assert "holdout.keys" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "group"], "split.by"),
        (["--method", "time"], "data.time"),
        (["--method", "time", "--set", "data.time=city"], "data.time"),
        (["--method", "stratified"], "data.target"),
        (["--method", "random", "--by", "age"], "split.by"),
        (["--set", "split.since=2013-01-01"], "time"),
        (["--method", "time", "--set", "split.since=soon"], "ISO 8601"),
        (["--method", "time", "--set", "data.time=age", "--set", "split.since=2013-01-01"], "no column of dates"),
    ],
)
def test_a_method_without_what_it_needs_is_refused(
    call, table: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    ended = call("split", table, "--out", tmp_path / "out", *words)
    assert ended.code == 2
    assert said in ended.err


# how alike the parts are


def test_rows_that_both_parts_share_are_counted(call, table: Path, tmp_path: Path) -> None:
    ended = call("split", table, "--out", tmp_path / "out", "--json")
    train, holdout = parts(tmp_path / "out")
    shared = holdout.join(train.unique(), on=list(COLUMNS), how="semi").height
    assert ended.document["result"]["overlap"]["equal"] == shared > 0


def test_a_holdout_too_small_for_the_audit_is_named_with_the_size_that_would_do(call, table: Path, tmp_path) -> None:
    ended = call("split", table, "--out", tmp_path / "out", "--json")
    (warning,) = ended.document["warnings"]
    assert "1,068 rows" in warning


def test_each_part_says_what_it_was_taken_from(call, table: Path, tmp_path: Path) -> None:
    call("split", table, "--out", tmp_path / "out")
    source = hashlib.sha256(table.read_bytes()).hexdigest()
    for name in ("train", "holdout"):
        part = tmp_path / "out" / "split" / f"{name}.parquet"
        sidecar = json.loads(part.with_name(f"{name}.parquet.lineage.json").read_text())
        assert (sidecar["kind"], sidecar["depth"], sidecar["real_share"]) == ("real", 0, 1.0)
        assert sidecar["parents"][0]["sha256"] == source
        assert pl.read_parquet_metadata(part)["synthcli.depth"] == "0"


def test_a_second_split_waits_for_no_other_run(call, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with lock(out):
        ended = call("split", table, "--out", out)
    assert ended.code == 75


def test_what_was_sniffed_is_a_warning_the_first_time(call, tmp_path: Path) -> None:
    path = tmp_path / "semi.csv"
    path.write_text("a;b\r\n" + "".join(f"{i},5;x\r\n" for i in range(80)), newline="")
    first, second = (call("split", path, "--out", tmp_path / "out", "--json").document["warnings"] for _ in range(2))
    assert any("semicolon" in warning for warning in first)
    assert not any("semicolon" in warning for warning in second)


def test_a_key_that_is_none_and_a_target_with_one_value_are_doubted(call, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("device,same,key\n" + "".join(f"d{row % 7},x,{row}\n" for row in range(300)))
    words = ["split", path, "--out", tmp_path / "out", "--set", "data.target=same", "--json"]
    told = call(*words, "--set", "data.primary_key=device").document["warnings"]
    assert [line.split(",")[0] for line in told if line.startswith("data.")] == [
        "data.primary_key: 'device' has 7 different values in 300 rows",
        "data.target: 'same' has the same value in every row that has one: no model can predict it",
    ]
    whole = ["split", path, "--out", tmp_path / "other", "--json", "--set", "data.primary_key=key"]
    assert not [line for line in call(*whole).document["warnings"] if line.startswith("data.")]


def test_a_configuration_that_lies_there_unread_is_mentioned(
    call, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("synthcli.yaml").write_text("run: {seed: 1}\n")
    told = "synthcli.yaml lies here and is not read: -c synthcli.yaml reads it"
    assert call("split", table, "--out", "a", "--json").document["warnings"].count(told) == 1
    assert told not in call("split", table, "--out", "b", "-c", "synthcli.yaml", "--json").document["warnings"]
    assert told not in call("config", "show").err
