"""What is asked of rows: texts to groups, groups to frames, accounts; and the command that keeps to them."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.app import run
from synthcli.commands.conditions import Account, chunks, doubts, frame, groups
from synthcli.errors import UsageError
from synthcli.schema import Column, Dialect, Kind, Schema

SCHEMA = Schema(
    (
        Column("city", Kind.CATEGORICAL, "String"),
        Column("late", Kind.BOOLEAN, "Boolean", spelling=("nein", "ja"), missing="NA"),
        Column("price", Kind.NUMERIC, "Float64", decimals=2),
        Column("stops", Kind.NUMERIC, "Int8"),
        Column("day", Kind.DATETIME, "Date", format="%d.%m.%Y"),
        Column("order", Kind.ID, "String"),
        Column("note", Kind.TEXT, "String"),
        Column("a,b=c", Kind.CATEGORICAL, "String"),
        Column("a", Kind.CATEGORICAL, "String"),
        Column("7:a", Kind.CATEGORICAL, "String"),
    ),
    Dialect(delimiter=";", decimal_comma=True),
)


def read(*texts: str, rows: int | None = None, default: int = 10) -> list[tuple[int, dict]]:
    """Return the groups as plain data."""
    return [
        (each.rows, each.cells.row(0, named=True) if each.where else {})
        for each in groups(texts, SCHEMA, rows, default)
    ]


# texts to groups


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("city=Rom", {"city": "Rom"}),
        ("city=Rom,late=ja", {"city": "Rom", "late": True}),
        ("late=nein", {"late": False}),
        ("late=false", {"late": False}),
        ("price=1,5,stops=2", {"price": 1.5, "stops": 2}),
        ("stops=-2", {"stops": -2}),
        ("day=31.12.2024", {"day": dt.date(2024, 12, 31)}),
        ("day=2024-12-31", {"day": dt.date(2024, 12, 31)}),
        ("city=Rom, Italy", {"city": "Rom, Italy"}),
        ("city=x=y", {"city": "x=y"}),
        ("city=5:x", {"city": "5:x"}),
        ("a=b=c", {"a": "b=c"}),
        ("a,b=c=d", {"a,b=c": "d"}),
        ("city=x,a,b=c=d", {"city": "x", "a,b=c": "d"}),
        ("7:a=b", {"7:a": "b"}),
    ],
)
def test_a_text_is_cut_at_known_columns_and_read_in_the_columns_form(text: str, cells: dict) -> None:
    assert read(text) == [(10, cells)]


@pytest.mark.parametrize(
    ("texts", "rows", "expected"),
    [
        ([], None, [(10, {})]),
        ([], 4, [(4, {})]),
        (["late=ja", "city=Rom"], None, [(10, {"late": True, "city": "Rom"})]),
        (["3:late=ja", "2:city=Rom"], None, [(3, {"late": True}), (2, {"city": "Rom"})]),
        (["2:city=Rom", "3:late=ja"], 9, [(2, {"city": "Rom"}), (3, {"late": True}), (4, {})]),
        (["2:city=Rom", "late=ja"], 5, [(2, {"late": True, "city": "Rom"}), (3, {"late": True})]),
        (["2:city=Rom", "2:city=Rom"], 4, [(2, {"city": "Rom"}), (2, {"city": "Rom"})]),
        (["late=ja", "late=true"], None, [(10, {"late": True})]),
        (["3:7:a=b"], None, [(3, {"7:a": "b"})]),
    ],
)
def test_counted_texts_are_groups_and_the_others_hold_everywhere(texts: list, rows: int | None, expected: list) -> None:
    assert read(*texts, rows=rows) == expected


def test_values_keep_the_types_of_their_columns() -> None:
    (group,) = groups(["stops=1", "day=01.02.2024", "price=2"], SCHEMA, None, 1)
    assert group.cells.schema == {"stops": pl.Int8, "day": pl.Date, "price": pl.Float64}
    assert group.where == {"stops": "1", "day": "01.02.2024", "price": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("late=vielleicht", "'late' (boolean), expected ja or nein"),
        ("price=1.5", "'price' (numeric), expected a number with a decimal comma and at most 2 digits after it"),
        ("price=1,505", "is finer than column 'price' (numeric) is written"),
        ("stops=1,5", "'stops' (numeric), expected a whole number of type Int8"),
        ("stops=1000", "expected a whole number of type Int8"),
        ("day=31/12/2024", "'day' (datetime), expected the form %d.%m.%Y"),
        ("late=NA", "missing cells cannot be asked for"),
        ("city=NA", "missing cells cannot be asked for"),
        ("city=", "missing cells cannot be asked for"),
        ("order=A-1", "of kind id, which is not learned"),
        ("note=hello", "of kind text, which is not learned"),
        ("0:late=ja", "a group of 0 rows"),
        ("late", "expected COL=VALUE"),
        ("5:", "expected COL=VALUE"),
        ("-5:late=ja", "no column '-5:late'"),
        ("late=ja,late=nein", "asks for late=ja and late=nein in the same rows"),
    ],
)
def test_what_cannot_be_asked_for_is_said(text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(text)
    assert message in raised.value.message


def test_an_unknown_column_meets_the_nearest_one() -> None:
    with pytest.raises(UsageError) as raised:
        read("3:citty=Rom")
    assert (raised.value.message, raised.value.hint) == (
        "--where '3:citty=Rom': the generator has no column 'citty'",
        "did you mean 'city'?",
    )


def test_a_condition_everywhere_may_not_contradict_a_group() -> None:
    with pytest.raises(UsageError, match="late=nein and late=ja"):
        read("5:late=ja", "late=nein")


def test_fewer_rows_than_the_groups_have_are_refused() -> None:
    with pytest.raises(UsageError, match="-n 4: fewer rows than the 5 that --where asks for"):
        read("3:late=ja", "2:city=Rom", rows=4)


def test_a_token_that_a_person_did_not_name_is_a_value() -> None:
    (group,) = groups(["city=NA"], SCHEMA, None, 1, missing=["-"])
    assert group.cells["city"].to_list() == ["NA"]
    with pytest.raises(UsageError, match="missing cells"):
        groups(["city=-"], SCHEMA, None, 1, missing=["-"])


def test_a_value_that_looks_like_a_misspelt_condition_is_doubted() -> None:
    (doubt,) = doubts(groups(["city=Rom,latee=ja"], SCHEMA, None, 1), SCHEMA)
    assert "is 'late' meant?" in doubt
    assert doubts(groups(["city=Rom,x=ja", "2:late=ja"], SCHEMA, None, 1), SCHEMA) == ()


# groups to frames


def test_a_frame_holds_what_is_asked_of_its_rows() -> None:
    asked = groups(["2:late=ja", "1:city=Rom"], SCHEMA, 5, 1)
    assert frame(asked, 1, 3).rows(named=True) == [
        {"late": True, "city": None},
        {"late": None, "city": "Rom"},
        {"late": None, "city": None},
    ]


def test_nothing_is_given_of_free_rows() -> None:
    asked = groups(["2:late=ja"], SCHEMA, 5, 1)
    assert frame(asked, 2, 3) is None
    assert frame(groups([], SCHEMA, 5, 1), 0, 5) is None


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 5), st.integers(1, 12))
def test_the_chunks_of_any_size_are_the_whole(counts: list[int], rest: int, size: int) -> None:
    texts = [f"{count}:stops={number}" for number, count in enumerate(counts)]
    total = sum(counts) + rest
    asked = groups(texts, SCHEMA, total, 1)
    stops = [number for number, count in enumerate(counts) for _ in range(count)] + [None] * rest
    cut = list(chunks(asked, size))
    assert [(chunk.number, chunk.start) for chunk in cut] == list(enumerate(range(0, total, size)))
    got = [[None] * chunk.rows if chunk.given is None else chunk.given["stops"].to_list() for chunk in cut]
    assert [stop for part in got for stop in part] == stops


# accounts


def test_an_account_counts_by_part_across_chunks() -> None:
    account = Account(["with late=ja", "with city=Rom"], [3, 4])
    account.add(0, np.array([True, True]))
    assert account.complete
    account.add(2, np.array([False, True, False]))
    assert (account.tried, account.made, account.lacking) == ([3, 2], [2, 1], [3, 5])
    assert account.told(100) == (
        "could make 2 of 3 rows with late=ja, 1 of 2 rows with city=Rom when 5 of 7 rows were done, "
        "with 100 tries for each at most"
    )


def test_an_account_names_the_first_rows_only() -> None:
    account = Account(["of t.csv"], [2_000])
    account.add(0, np.ones(1_000, dtype=bool))
    account.add(1_000, np.arange(1_000) >= 8)
    assert account.told(50, numbered=True) == (
        "could make 1,992 of 2,000 rows of t.csv, with 50 tries for each at most; not rows 1,001, 1,002, 1,003, 1,004, "
        "1,005 and 3 more"
    )


# the command, on a table that can be told by eye


def rows_of_shop() -> pl.DataFrame:
    """Return the shop's 80 rows; no order of Oslo is late."""
    return pl.DataFrame(
        {
            "order": [f"A-{row:04d}" for row in range(80)],
            "day": [f"{1 + row % 28:02d}.03.2024" for row in range(80)],
            "price": [f"{row % 9},{row % 10}5" for row in range(80)],
            "city": [("Rom", "Oslo", "Bern; West")[row % 3] for row in range(80)],
            "late": ["yes" if row % 3 != 1 and row % 2 else "no" for row in range(80)],
            "note": [f'said "{row} times" at noon; then left without a word' for row in range(80)],
        }
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output directory of a bootstrap that learned the shop's rows."""
    folder = tmp_path_factory.mktemp("shop")
    rows_of_shop().write_csv(folder / "shop.csv", separator=";")
    config = folder / "shop.yaml"
    config.write_text(
        "data: {path: shop.csv, target: late, columns: {city: {type: categorical}, late: {type: boolean}}}\n"
        "synthesizer: {kind: bootstrap}\nprotection: {rare_category_min_count: 0, clip_extremes: 0}\n"
        "run: {output_dir: artifacts}\n"
    )
    assert run(["fit", "-c", str(config), "--train", str(folder / "shop.csv"), "-q"]) == 0
    return folder


@pytest.fixture
def draw(call, shop: Path):
    """Return a function that samples from the shop's bootstrap."""
    return lambda *words: call("sample", "-c", shop / "shop.yaml", "-q", *words)


def table(text: str) -> pl.DataFrame:
    """Return CSV output as text cells."""
    return pl.read_csv(StringIO(text), separator=";", infer_schema=False)


def test_shares_are_exact_and_groups_come_in_the_order_given(draw) -> None:
    ended = draw("--where", "30:city=Bern; West,late=yes", "--where", "20:city=Oslo", "-n", 60, "--output", "-")
    rows = table(ended.out)
    assert rows["city"][:30].to_list() == ["Bern; West"] * 30
    assert rows["late"][:30].to_list() == ["yes"] * 30
    assert rows["city"][30:50].to_list() == ["Oslo"] * 20
    assert rows.height == 60
    assert rows["order"].n_unique() == 60


def test_conditions_hold_across_chunks(draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthcli.commands.drawing.CHUNK", 7)
    rows = table(draw("--where", "11:city=Oslo", "--where", "day=04.03.2024", "-n", 25, "--output", "-").out)
    assert rows["city"][:11].to_list() == ["Oslo"] * 11
    assert rows["day"].to_list() == ["04.03.2024"] * 25


def test_the_document_accounts_for_each_condition(draw, tmp_path: Path) -> None:
    ended = draw("--where", "5:late=yes", "--where", "4:city=Oslo", "--output", tmp_path / "t.csv", "--json")
    assert ended.document["result"]["conditions"] == [
        {"where": {"late": "yes"}, "wanted": 5, "made": 5},
        {"where": {"city": "Oslo"}, "wanted": 4, "made": 4},
    ]
    assert ended.document["result"]["rows"] == 9
    assert "conditions" not in draw("-n", 5, "--output", tmp_path / "t.csv", "--json").document["result"]


def test_the_report_tells_the_conditions(draw, tmp_path: Path) -> None:
    ended = draw("--where", "5:late=yes", "--where", "4:city=Oslo", "-n", 10, "--output", tmp_path / "t.csv")
    assert "5 with late=yes; 4 with city=Oslo" in ended.out


def test_one_seed_one_file_under_conditions_too(draw, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        draw("--where", "late=yes", "-n", 40, "--seed", 3, "--output", tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_rows_that_cannot_be_made_end_it_and_leave_no_file(draw, tmp_path: Path) -> None:
    ended = draw("--where", "6:city=Oslo,late=yes", "--where", "4:city=Rom", "--output", tmp_path / "t.csv", "--json")
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "bad_table"
    assert "could make 0 of 6 rows with city=Oslo, late=yes, with 100 tries" in ended.document["error"]["message"]
    assert "--partial" in ended.document["error"]["hint"]
    assert list(tmp_path.iterdir()) == []


def test_partial_writes_what_can_be_made_and_says_what_lacks(draw, tmp_path: Path) -> None:
    words = ("--where", "6:city=Oslo,late=yes", "--where", "4:city=Rom", "--output", tmp_path / "t.csv")
    ended = draw(*words, "--partial", "--json")
    assert ended.code == 0
    assert ended.document["result"]["rows"] == 4
    assert [part["made"] for part in ended.document["result"]["conditions"]] == [0, 4]
    assert "could make 0 of 6 rows" in ended.document["warnings"][-1]
    assert table((tmp_path / "t.csv").read_text())["city"].to_list() == ["Rom"] * 4


def test_it_ends_at_the_first_chunk_that_lacks_rows(draw, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthcli.commands.drawing.CHUNK", 10)
    sketches = shop / "artifacts" / "sketches"
    before = set(sketches.iterdir()) if sketches.exists() else set()
    ended = draw("--where", "10:city=Rom", "--where", "30:city=Oslo,late=yes", "--output", "-")
    assert ended.code == 3
    assert table(ended.out)["city"].to_list() == ["Rom"] * 10
    assert "could make 0 of 10 rows with city=Oslo, late=yes when 20 of 40 rows were done" in ended.err
    assert len(set(sketches.iterdir()) - before) == 1


def test_a_dry_run_checks_conditions_and_given_cells(draw, tmp_path: Path) -> None:
    assert draw("--where", "3:late=yes", "--dry-run").code == 0
    assert draw("--where", "late=vielleicht", "--dry-run").code == 2
    (tmp_path / "g.csv").write_text("city;price\nRom;1,005\n")
    assert draw("--given", tmp_path / "g.csv", "--output", tmp_path / "t.csv", "--dry-run").code == 3
    assert not (tmp_path / "t.csv").exists()


def test_given_excludes_rows_and_conditions(draw, tmp_path: Path) -> None:
    for words in (("-n", 5), ("--where", "late=yes")):
        ended = draw("--given", tmp_path / "g.csv", *words)
        assert ended.code == 2
        assert "exclude each other" in ended.err


# the command around a given table

GIVEN = 'late;note;price;order\nyes;"a ""b""; c";3,35;X-1\n;;;\nno;;;\n;just so;0,05;7\n'


def test_given_cells_come_out_as_they_were_and_the_rest_is_drawn(draw, tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text(GIVEN)
    ended = draw("--given", tmp_path / "g.csv", "--output", "-", "--seed", 2)
    lines = ended.out.splitlines()
    assert lines[0] == "order;day;price;city;late;note"
    assert lines[1].startswith("X-1;")
    assert ";3,35;" in lines[1]
    assert lines[1].endswith(';yes;"a ""b""; c"')
    rows = table(ended.out)
    assert rows.select("day", "price", "city", "late", "order").null_count().sum_horizontal().item() == 0
    assert rows["late"][2] == "no"
    assert rows.row(3, named=True).items() >= {"order": "7", "price": "0,05", "note": "just so"}.items()
    assert "only as private as they are" in ended.err


def test_a_table_of_stored_types_is_completed_bit_for_bit(draw, tmp_path: Path) -> None:
    known = pl.DataFrame({"price": [0.05, None, 2.25, None], "order": ["Q1", None, "", "Ä;1"]})
    known.write_parquet(tmp_path / "g.parquet")
    ended = draw("--given", tmp_path / "g.parquet", "--output", tmp_path / "t.parquet", "--json")
    rows = pl.read_parquet(tmp_path / "t.parquet")
    assert ended.document["result"]["given"] == {"rows": 4, "made": 4}
    assert rows.columns == rows_of_shop().columns
    assert rows["price"].null_count() == 0
    assert rows["order"].null_count() == 0
    for name in known.columns:
        assert rows[name].filter(known[name].is_not_null()).to_list() == known[name].drop_nulls().to_list()


def test_a_table_of_ids_alone_gets_rows_around_them(draw, tmp_path: Path) -> None:
    ids = [f"Q{row}" for row in range(9)]
    pl.DataFrame({"order": ids}).write_parquet(tmp_path / "g.parquet")
    rows = table(draw("--given", tmp_path / "g.parquet", "--output", "-").out)
    assert rows["order"].to_list() == ids
    assert rows["city"].null_count() == 0


def test_given_rows_are_cut_alike_however_they_are_read() -> None:
    from synthcli.commands.given import _rechunked

    whole = pl.DataFrame({"x": range(11)})
    for sizes in ([11], [3, 8], [1, 1, 9], [4, 4, 3], [5, 0, 6]):
        ends = np.cumsum(sizes)
        batches = (whole[end - size : end] for end, size in zip(ends.tolist(), sizes, strict=True))
        assert [batch["x"].to_list() for batch in _rechunked(batches, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


def test_rows_of_a_given_table_that_cannot_be_made_are_numbered(draw, tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("city;late\nRom;\nAtlantis;\nOslo;yes\nOslo;\n")
    ended = draw("--given", tmp_path / "g.csv", "--output", "-")
    assert ended.code == 3
    assert "could make 2 of 4 rows" in ended.err
    assert "not rows 2, 3" in ended.err
    assert "Atlantis" not in ended.err
    partial = draw("--given", tmp_path / "g.csv", "--output", "-", "--partial")
    assert partial.code == 0
    assert table(partial.out)["city"].to_list() == ["Rom", "Oslo"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("city;lat\nRom;yes\n", "1 of its 2 columns are unknown to the generator: 'lat'", "did you mean 'late'?"),
        ("Rom;ja\nOslo;nein\n", "none of its 2 columns is one of the generator's", "order, day, price"),
        ("city;price\nRom;1.5\n", "line 2, column 'price': the value is no numeric value", ""),
        ("city;price\nRom;1,505\n", "column 'price': cells finer than the column is written as csv: 1", "Parquet"),
    ],
)
def test_a_given_table_that_does_not_fit_is_refused(draw, tmp_path: Path, text: str, message: str, hint: str) -> None:
    (tmp_path / "g.csv").write_text(text)
    ended = draw("--given", tmp_path / "g.csv", "--output", "-")
    assert ended.code == 3
    assert message in ended.err
    assert hint in ended.err
    assert ended.out.splitlines()[1:] == []


def test_a_given_table_may_come_through_a_pipe(shop: Path) -> None:
    words = ["sample", "-c", str(shop / "shop.yaml"), "--given", "-", "--output", "-", "-q", "--seed", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "synthcli", *words], input=GIVEN.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0
    assert table(done.stdout.decode())["order"][0] == "X-1"
