"""``init``: guesses on real tables, a file that loads and gives them back, names of every kind, and refusals."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from synthcli.commands.init import division, stated_path
from synthcli.commands.inputs import open_data
from synthcli.config import Config, load
from synthcli.profiling import profile
from synthcli.progress import Log
from synthcli.schema import Schema

ODD_NAMES = (
    "yes",
    "1e5",
    "a: b",
    "#x",
    'it\'s "q"',
    "größe 😀",
    "two\nlines",
    "null",
    " lead",
    "- x",
    "{a}",
    "a\u2028b",
    "%d",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def people(path: Path, names: tuple[str, ...] = ("person", "age", "city", "told", "late"), rows: int = 400) -> Path:
    """Write a table with a key, a number, a category, a copy of the target, and the target."""
    rng = np.random.default_rng(0)
    late = rng.random(rows) < 0.4
    cells = [
        [f"P{i:05d}x" for i in range(rows)],
        rng.integers(18, 90, rows).tolist(),
        rng.choice(["Rom", "Oslo", "Bern"], rows).tolist(),
        np.where(late, "on time", "too late").tolist(),
        np.where(late, "true", "false").tolist(),
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(zip(*cells, strict=True))
    return path


def opened(file: Path) -> tuple[Config, Schema, pl.DataFrame]:
    settings = load(file).config
    source = open_data(settings, Log("test", quiet=True))
    return settings, source.schema, source.read()


def test_flights_are_guessed_as_a_person_would_and_the_arrival_gives_late_away(
    call, folder: Path, flights_csv: Path
) -> None:
    ended = call("init", flights_csv, "--json")
    assert ended.code == 0
    result = ended.document["result"]
    assert (result["target"], result["time"], result["primary_key"]) == ("late", "time_hour", None)
    assert result["missing"] == ["", "NA"]
    assert result["exclude_features"] == ["arr_delay"]
    assert list(result["suspects"]) == ["dep_delay"]
    text = Path("synthcli.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=.synthcli.schema.json\n# synthcli split -c synthcli.yaml\n")
    assert "    # - dep_delay " in text
    assert "# by: [tailnum]" in text
    assert "Missing in exactly the rows without late: arr_delay, air_time." in text
    assert set(load(Path("synthcli.yaml")).config.data.columns) == {"flight", "tailnum"}


def test_in_the_census_nothing_gives_income_away(call, folder: Path, census_csv: Path) -> None:
    result = call("init", census_csv, "--json").document["result"]
    assert result["target"] == "income"
    assert result["giveaways"] == result["suspects"] == result["stated"] == {}
    assert '"?" is a category of workclass, occupation, native_country' in Path("synthcli.yaml").read_text()


def test_at_the_bank_the_duration_is_pointed_out(call, folder: Path, bank_csv: Path) -> None:
    result = call("init", bank_csv, "--json").document["result"]
    assert result["target"] == "y"
    assert result["giveaways"] == result["suspects"] == {}
    text = Path("synthcli.yaml").read_text()
    assert 'target: "y"' in text
    assert re.search(r"Add by hand what is known only after .*duration \(0\.80", " ".join(text.split()))


@pytest.mark.parametrize("which", ["flights_csv", "census_csv", "bank_csv"])
def test_the_file_gives_back_the_guesses(call, folder: Path, which: str, request: pytest.FixtureRequest) -> None:
    result = call("init", request.getfixturevalue(which), "--json").document["result"]
    settings, schema, table = opened(Path("synthcli.yaml"))
    assert {column.name: column.kind.value for column in schema} == result["columns"]
    assert (settings.data.target, settings.data.time) == (result["target"], result["time"])
    again = profile(table, schema, settled=settings.data.columns)
    assert [again.target, again.time, again.key] == [result[key] for key in ("target", "time", "primary_key")]
    assert [feature.name for feature in again.giveaways] == result["exclude_features"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("odd", ODD_NAMES)
def test_any_name_of_a_column_comes_back(call, folder: Path, odd: str, form: str) -> None:
    names = (f"{odd} id", f"{odd} zip", f"{odd} 2", f"{odd} told", odd)
    path = people(folder / "people.csv", names)
    if form == "parquet":
        table = pl.read_csv(path, new_columns=list(names))  # polars leaves doubled quotes in a header as they are
        table.write_parquet(folder / "people.parquet")
        path = folder / "people.parquet"
    assert call("init", path.name, "--target", odd).code == 0
    settings, schema, _ = opened(folder / "synthcli.yaml")
    assert settings.data.target == odd
    assert settings.data.primary_key == names[0]
    assert settings.data.exclude_features == [names[3]]
    assert {name: override.type for name, override in settings.data.columns.items()} == {names[1]: "categorical"}
    assert schema.names == names
    assert call("split", "-c", folder / "synthcli.yaml").code == 0


def test_the_rows_say_what_is_reserved_and_how() -> None:
    # The least share of .2, .3, .4 and .5 whose rows, less two standard deviations of a hash's, are 50: at 150 rows
    # .4 * 150 - 2 * 6 = 48 and .5 * 150 - 2 * 6.1 = 62.8.
    assert [division(rows, 0.2) for rows in (150, 178, 300, 400)] == [
        (0.5, "hash"),
        (0.4, "hash"),
        (0.3, "hash"),
        (0.2, "hash"),
    ]
    assert division(123, 0.2) == (0.5, "hash")  # 61.5 - 2 * 5.55 = 50.4
    assert division(122, 0.2) == (0.5, "random")  # 61 - 2 * 5.52 = 49.96
    assert division(100, 0.2) == (0.5, "random")
    assert division(99, 0.2) == division(0, 0.2) == (0.2, "hash")


@pytest.mark.parametrize("rows", [100, 121])
def test_a_hundred_rows_are_enough_for_an_audit(call, folder: Path, rows: int) -> None:
    people(folder / "people.csv", rows=rows)
    begun = call("init", "people.csv")
    assert "an audit needs" not in begun.err
    assert "method: random " in Path("synthcli.yaml").read_text()
    assert "exact to the row" in Path("synthcli.yaml").read_text()
    assert call("split", "-c", "synthcli.yaml").code == 0
    parts = [pl.read_parquet(f"artifacts/split/{name}.parquet").height for name in ("train", "holdout")]
    assert min(parts) >= 50
    assert sum(parts) == rows


def test_a_wish_about_the_split_is_kept_for_few_rows_too(call, folder: Path) -> None:
    people(folder / "people.csv", rows=110)
    assert call("init", "people.csv", "--set", "split.method=stratified").code == 0
    settings = load(Path("synthcli.yaml")).config
    assert (settings.split.method, settings.split.holdout) == ("stratified", 0.5)
    wanted = ("split.method=random", "split.holdout=0.4")
    words = [word for setting in wanted for word in ("--set", setting)]
    assert call("init", "people.csv", "--out-config", "asked.yaml", *words).code == 0
    assert re.search(r"method: random +# by a draw that is exact to the row\n", Path("asked.yaml").read_text())


def test_who_has_too_few_rows_or_nothing_to_learn_is_told_at_once(call, folder: Path) -> None:
    people(folder / "people.csv", rows=99)
    few = call("init", "people.csv")
    assert few.code == 0
    assert "99 rows: an audit needs 50 in the training part and 50 in the holdout, so that it takes a table of 100" in (
        " ".join(few.err.split())
    )
    divided = call("split", "-c", "synthcli.yaml")
    assert "nothing made from this split can be audited; give a table of 100 rows or more" in divided.err
    pl.DataFrame({"key": [f"K{i:06d}q" for i in range(200)]}).write_csv("keys.csv")
    assert "fit would find nothing to learn" in call("init", "keys.csv", "--out-config", "keys.yaml").err
    assert "one look at 200 rows × 1 column." in Path("keys.yaml").read_text()


def test_a_split_that_spares_the_holdout_too_few_of_enough_rows_is_told_how_to_do_better(call, folder: Path) -> None:
    people(folder / "people.csv", rows=120)
    ended = call("split", "people.csv")
    assert "a split.holdout nearer to 0.5 may do, with split.method random to the row" in ended.err


def test_the_config_runs_as_it_is(call, folder: Path) -> None:
    people(folder / "people.csv")
    ended = call("init", "people.csv")
    assert ended.code == 0
    assert "next: synthcli split -c synthcli.yaml" in ended.err
    assert call("split", "-c", "synthcli.yaml").code == 0
    assert (folder / "artifacts" / "split" / "split.json").is_file()
    assert call("fit", "-c", "synthcli.yaml", "--dry-run").code == 0


def test_uncommented_hints_are_valid_too(call, folder: Path, flights_csv: Path) -> None:
    call("init", flights_csv)
    text = Path("synthcli.yaml").read_text()
    hints = re.compile(r"^( *)# (- \w+  |by:|gates_add:|  - \{)", re.MULTILINE)
    Path("bold.yaml").write_text(hints.sub(r"\1\2", text))
    settings = load(Path("bold.yaml")).config
    assert settings.data.exclude_features == ["arr_delay", "dep_delay"]
    assert settings.split.by == ["tailnum"]
    assert settings.validation.gates_add[0].metric == "utility.ratio"


def test_no_cell_of_the_table_is_told(call, folder: Path) -> None:
    rows = 300
    table = pl.DataFrame(
        {
            "id": [f"SECRET{i:04d}" for i in range(rows)],
            "salary": [9_876_543 if i == 7 else 1_000 + i % 90 for i in range(rows)],
            "town": ["Hidden" if i == 9 else f"Town{i % 40}" for i in range(rows)],
            "note": [f"a long remark with words and spaces about person number {i}" for i in range(rows)],
            "rate": [f"{i % 50} %" for i in range(rows)],
            "same": ["constant"] * rows,
            "grade": ["Topsecret" if i % 3 else "Open" for i in range(rows)],
        }
    )
    table.write_csv("people.csv")
    told = ""
    for words in (
        ["--dry-run"],
        ["--dry-run", "--json"],
        ["--force", "-v"],
        ["--force", "--json"],
        ["--target", "same"],
    ):
        ended = call("init", "people.csv", *words)
        told += ended.out + ended.err
    told += Path("synthcli.yaml").read_text()
    assert "note" in told
    for cell in (
        "SECRET0",
        "9876543",
        "9,876,543",
        "Hidden",
        "Town1",
        "remark",
        "49 %",
        'constant"',
        "Topsecret",
        "Open",
    ):
        assert cell not in told


def test_a_dry_run_prints_the_config_and_writes_nothing(call, folder: Path) -> None:
    people(folder / "people.csv")
    ended = call("init", "people.csv", "--dry-run")
    assert ended.code == 0
    assert [path.name for path in folder.iterdir()] == ["people.csv"]
    (folder / "printed.yaml").write_text(ended.out)
    assert load(folder / "printed.yaml").config.data.target == "late"
    assert call("init", "people.csv", "--dry-run", "--json").document["result"]["config"] == ended.out


def test_a_file_that_is_there_is_kept_unless_forced(call, folder: Path) -> None:
    people(folder / "people.csv")
    Path("synthcli.yaml").write_text("mine")
    ended = call("init", "people.csv")
    assert ended.code == 2
    assert "--force" in ended.err
    assert Path("synthcli.yaml").read_text() == "mine"
    assert call("init", "people.csv", "--force").code == 0
    assert load(Path("synthcli.yaml")).config.data.path == "people.csv"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-"], 2, "path"),
        (["/dev/null"], 2, "path"),
        (["absent.csv"], 3, "absent.csv"),
        (["people.csv", "--out-config", "people.csv", "--force"], 2, ".yaml"),
        (["people.csv", "--out-config", "."], 2, ".yaml"),
        (["people.csv", "-c", "old.yaml"], 2, "--out-config old.yaml"),
        (["people.csv", "--target", "nobody"], 2, "no column 'nobody'"),
        (["people.csv", "--target", "person"], 2, "it is an id"),
        (["people.csv", "--seed", "-1"], 2, "run.seed"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_way_out(
    call, folder: Path, words: list[str], code: int, said: str
) -> None:
    people(folder / "people.csv")
    ended = call("init", *words)
    assert ended.code == code
    assert said in ended.err
    assert "hint: " in ended.err
    assert not Path("synthcli.yaml").exists()


def test_paths_are_stated_as_seen_from_the_config(call, folder: Path) -> None:
    (folder / "data").mkdir()
    people(folder / "data" / "people.csv")
    ended = call("init", "data/people.csv", "--out-config", "conf/a.yml", "--out", "results")
    assert ended.code == 0
    text = Path("conf/a.yml").read_text()
    assert "path: ../data/people.csv" in text
    assert "output_dir: ../results" in text
    assert load(Path("conf/a.yml")).config.data.path == "data/people.csv"


def test_a_path_is_absolute_where_only_the_root_is_shared(folder: Path) -> None:
    assert stated_path("/somewhere/else/a.csv", folder) == "/somewhere/else/a.csv"
    assert stated_path("a/../b.csv", folder / "deep" / "er") == "../../b.csv"


def test_a_folder_and_a_glob_stay_what_they_are(call, folder: Path) -> None:
    (folder / "parts").mkdir()
    people(folder / "parts" / "a.csv")
    for given in ("parts", "parts/*.csv"):
        assert call("init", given, "--force").code == 0
        assert load(Path("synthcli.yaml")).config.data.path == given
        assert call("split", "-c", "synthcli.yaml", "--out", f"out-{len(given)}").code == 0


def test_what_is_set_is_written_and_not_guessed_again(call, folder: Path) -> None:
    people(folder / "people.csv")
    wishes = ("split.holdout=0.3", "data.columns={age: {type: categorical}}", "data.exclude_features=[city]")
    more = ("validate.families=[privacy]", "synthesizer.default_distribution=norm", "data.encoding=utf-8")
    sets = [word for wish in (*wishes, *more) for word in ("--set", wish)]
    assert call("init", "people.csv", *sets, "--seed", "7").code == 0
    settings = load(Path("synthcli.yaml")).config
    assert (settings.split.holdout, settings.run.seed, settings.data.encoding) == (0.3, 7, "utf-8")
    assert settings.data.columns["age"].type == "categorical"
    assert settings.data.exclude_features == ["city", "told"]
    assert settings.validation.families == ["privacy"]
    assert settings.synthesizer.default_distribution == "norm"


def test_a_token_that_is_a_category_elsewhere_is_not_stated(call, folder: Path) -> None:
    rows = [f"{'?' if i % 9 == 0 else i % 50},{'?' if i % 4 == 0 else 'clerk'},{i % 2}" for i in range(200)]
    (folder / "people.csv").write_text("\n".join(["age,job,y", *rows]) + "\n")
    assert call("init", "people.csv").code == 0
    settings, schema, table = opened(folder / "synthcli.yaml")
    assert settings.data.missing is None
    assert (schema["age"].kind, schema["y"].kind) == ("numeric", "categorical")
    assert table["job"].null_count() == 0


def test_doubtful_dates_are_stated_with_their_form(call, folder: Path) -> None:
    rows = [f"{1 + i % 12:02d}/{1 + i % 11:02d}/2024,{'ab'[i % 2]}" for i in range(100)]
    (folder / "visits.csv").write_text("\n".join(["day,kind", *rows]) + "\n")
    assert call("init", "visits.csv").code == 0
    before = open_data(Config.model_validate({"data": {"path": "visits.csv"}}), Log("test", quiet=True))
    settings, schema, table = opened(folder / "synthcli.yaml")
    assert settings.data.columns["day"].format == before.schema["day"].format
    assert settings.data.time == "day"
    assert table.equals(before.read())
    assert schema["day"].dtype == before.schema["day"].dtype


def test_an_unusual_text_file_is_described(call, folder: Path) -> None:
    rows = [f"{i % 7},5;{'ä' if i % 2 else 'b'}" for i in range(60)]
    (folder / "preise.csv").write_bytes("\n".join(["preis;art", *rows]).encode("cp1252"))
    assert call("init", "preise.csv").code == 0
    text = Path("synthcli.yaml").read_text()
    for hint in ("# encoding: cp1252", '# delimiter: ";"', "# decimal_comma: true"):
        assert f"  {hint}" in text


def test_a_table_without_a_target_gets_a_config_too(call, folder: Path) -> None:
    pl.DataFrame({"a": [i + 0.5 for i in range(30)], "b": [i * 0.25 for i in range(30)]}).write_parquet("t.parquet")
    ended = call("init", "t.parquet")
    assert ended.code == 0
    assert "none found" in ended.out
    assert load(Path("synthcli.yaml")).config.data.target is None
