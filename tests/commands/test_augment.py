"""``augment``: three modes from flags and from YAML, the holdout left alone, lineage, the gate, and wrong input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from examples import real_table

from synthcli.lineage import read as read_lineage
from synthcli.reports.augmentation import AugmentReport

AWAY = "exclude_features: [arr_delay, arr_time, air_time, dep_delay, dep_time]"
OFF = ("--lift", "off")


@pytest.fixture(scope="session")
def split_run(flights_run: Path) -> Path:
    """The folder of a finished run, whose split is augmented."""
    return flights_run


@pytest.fixture
def augment(call, split_run: Path, tmp_path: Path):
    """Return a function that augments the flights' training part in a directory of its own."""
    shutil.copytree(split_run / "artifacts" / "split", tmp_path / "out" / "split")

    def augmented(*words: object, section: str = ""):
        config = tmp_path / "flights.yaml"
        text = (split_run / "flights.yaml").read_text()
        config.write_text(f"{text}\n{section}")
        return call("augment", "-c", config, "--out", tmp_path / "out", "-q", "--json", *words)

    return augmented


@pytest.fixture
def train(split_run: Path) -> pl.DataFrame:
    return pl.read_parquet(split_run / "artifacts" / "split" / "train.parquet")


def table(tmp_path: Path, name: str = "augmented.parquet") -> pl.DataFrame:
    return pl.read_parquet(tmp_path / "out" / "augment" / name)


def test_rebalance_from_flags_has_the_share_to_the_row(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    ended = augment("--mode", "rebalance", "--share", "true=0.4", *OFF)
    assert ended.code == 0, ended.err
    found = table(tmp_path)
    late, known = found["late"].sum(), found["late"].count()
    early = int((~train["late"]).sum())
    # The fewest rows in which six tenths hold all that are not late.
    assert known - late == early
    assert late == round(early / 0.6 * 0.4)
    assert found[: train.height].drop("_origin").equals(train)
    assert found["_origin"].to_list() == ["real"] * train.height + ["synthetic"] * (found.height - train.height)


def test_rebalance_from_yaml_is_that_from_flags(augment, tmp_path: Path) -> None:
    section = "augment: {mode: rebalance, column: late, shares: {true: 0.4}, lift: off}\n"
    assert augment(section=section.replace("off", '"off"')).code == 0
    first = (tmp_path / "out" / "augment" / "augmented.parquet").read_bytes()
    assert augment("--mode", "rebalance", "--column", "late", "--share", "true=0.4", *OFF).code == 0
    assert (tmp_path / "out" / "augment" / "augmented.parquet").read_bytes() == first


@pytest.mark.slow
def test_an_option_takes_the_place_of_what_the_file_wished(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    section = "augment: {mode: rebalance, shares: {true: 0.4}, lift: 'off'}\n"
    assert augment("--balance", section=section).code == 0
    assert table(tmp_path)["late"].drop_nulls().mean() == 0.5
    section = "augment: {mode: rebalance, balance: equal, lift: 'off'}\n"
    assert augment("--share", "true=0.25", section=section).code == 0
    assert table(tmp_path)["late"].drop_nulls().mean() == pytest.approx(0.25, abs=1e-4)


@pytest.mark.slow
def test_several_columns_bins_and_equal_shares(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    bins = ("--set", "augment.bins={distance: [500, 1000]}")
    words = ("--mode", "rebalance", "--column", "origin", "--column", "distance", "--balance", *bins, *OFF)
    ended = augment(*words)
    assert ended.code == 0, ended.err
    reached = (pl.col("distance") >= 500).cast(pl.Int8) + (pl.col("distance") >= 1000).cast(pl.Int8)
    found = table(tmp_path).with_columns(reached.alias("bin"))
    counts = found.group_by("origin", "bin").len()["len"]
    assert counts.n_unique() == 1
    assert found.height == 9 * counts[0]
    classes = ended.document["result"]["account"]["classes"]
    assert {row["class"] for row in classes} >= {"origin=JFK,distance=<500", "origin=EWR,distance=>=1000"}


def test_joint_shares_on_the_command_line(augment, tmp_path: Path) -> None:
    words = ("--column", "origin", "--column", "late", "--share", "origin=JFK,late=true=0.25")
    assert augment("--mode", "rebalance", *words, *OFF).code == 0
    found = table(tmp_path).filter(pl.col("late").is_not_null())
    share = found.filter((pl.col("origin") == "JFK") & pl.col("late")).height / found.height
    assert abs(share - 0.25) < 1 / found.height


def test_a_wholly_synthetic_table(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    ended = augment("--mode", "rebalance", "--share", "true=0.5", "--whole", "--rows", 1001, *OFF)
    assert ended.code == 0, ended.err
    found = table(tmp_path)
    assert found["_origin"].unique().to_list() == ["synthetic"]
    assert sorted(found["late"].value_counts()["count"].to_list()) == [500, 501]
    known = read_lineage(tmp_path / "out" / "augment" / "augmented.parquet")
    assert known is not None
    assert known.lineage is not None
    assert (known.lineage.kind, known.lineage.depth, known.lineage.real_share) == ("synthetic", 1, 0.0)


def test_impute_fills_every_hole_and_nothing_else(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    ended = augment("--mode", "impute", *OFF)
    assert ended.code == 0, ended.err
    found = table(tmp_path)
    for name in train.columns:
        assert found[name].null_count() == 0, name
        known = train[name].is_not_null()
        assert found[name].filter(known).equals(train[name].filter(known)), name
    holed = train.select(pl.any_horizontal(pl.all().is_null())).to_series()
    assert found["_origin"].to_list() == ["imputed" if hole else "real" for hole in holed]


def test_what_is_missing_by_nature_stays_missing(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    ended = augment("--mode", "impute", "--set", "augment.keep_missing=[arr_delay, late, air_time]", *OFF)
    assert ended.code == 0, ended.err
    found = table(tmp_path)
    for name in ("arr_delay", "late", "air_time"):
        assert found[name].equals(train[name])
    assert found["tailnum"].null_count() == 0


def test_several_completed_tables_are_pooled(augment, tmp_path: Path) -> None:
    ended = augment("--mode", "impute", "--column", "air_time", "--set", "augment.imputations=3", *OFF)
    assert ended.code == 0, ended.err
    names = ["augmented.parquet", "augmented-2.parquet", "augmented-3.parquet"]
    filled = [table(tmp_path, name)["air_time"] for name in names]
    assert not filled[0].equals(filled[1])
    (pooled,) = ended.document["result"]["pooled"]
    assert pooled["statistic"] == "mean"
    assert pooled["value"] == pytest.approx(sum(float(series.mean()) for series in filled) / 3)
    assert pooled["low"] < pooled["value"] < pooled["high"]
    assert 0 < pooled["fmi"] < 0.2  # 3 % of the cells are missing


def test_upsample_adds_rows_and_variants(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    assert augment("--mode", "upsample", "--rows", train.height + 500, *OFF).code == 0
    assert table(tmp_path).height == train.height + 500
    given = tmp_path / "given.csv"
    given.write_text("origin,distance,carrier\nJFK,2475,\nLGA,733,UA\n")
    ended = augment("--mode", "upsample", "--given", given, "--whole", "--rows", 10, *OFF)
    assert ended.code == 0, ended.err
    found = table(tmp_path)
    assert found["origin"].to_list() == ["JFK"] * 5 + ["LGA"] * 5
    assert found["carrier"][5:].unique().to_list() == ["UA"]
    assert found["distance"].to_list() == [2475] * 5 + [733] * 5


def test_csv_and_no_origin(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    section = "augment: {mode: upsample, rows: 11000, format: csv, origin: false, lift: 'off'}\n"
    assert augment(section=section).code == 0
    lines = (tmp_path / "out" / "augment" / "augmented.csv").read_text().splitlines()
    assert lines[0].split(",") == train.columns
    assert len(lines) == 11001


# --- The holdout -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_table_does_not_depend_on_the_holdout(augment, tmp_path: Path) -> None:
    assert augment("--mode", "rebalance", "--share", "true=0.3", *OFF).code == 0
    first = (tmp_path / "out" / "augment" / "augmented.parquet").read_bytes()
    holdout = tmp_path / "out" / "split" / "holdout.parquet"
    pl.read_parquet(holdout).select(pl.all().sort()).write_parquet(holdout)  # other rows of the same columns
    assert augment("--mode", "rebalance", "--share", "true=0.3", *OFF).code == 0
    assert (tmp_path / "out" / "augment" / "augmented.parquet").read_bytes() == first


@pytest.mark.parametrize("mode", ["rebalance", "impute", "upsample"])
def test_reserved_rows_are_refused(augment, tmp_path: Path, mode: str) -> None:
    holdout = tmp_path / "out" / "split" / "holdout.parquet"
    shares = ("--share", "true=0.3") if mode == "rebalance" else ()
    ended = augment("--mode", mode, *shares, "--train", holdout, *OFF)
    assert ended.code == 3
    assert "reserved" in ended.err
    assert not (tmp_path / "out" / "augment").exists()


@pytest.mark.slow
def test_the_lift_does_not_change_the_table(augment, tmp_path: Path) -> None:
    words = ("--mode", "rebalance", "--share", "true=0.3")
    assert augment(*words, *OFF).code == 0
    first = (tmp_path / "out" / "augment" / "augmented.parquet").read_bytes()
    ended = augment(*words)
    assert ended.code == 0, ended.err
    assert (tmp_path / "out" / "augment" / "augmented.parquet").read_bytes() == first
    lift = ended.document["result"]["lift"]
    assert {point["arm"] for point in lift["points"]} == {
        "real",
        "class weights",
        "random oversampling",
        "SMOTE-NC",
        "augmentation",
    }
    assert len({point["rows"] for point in lift["points"]}) == 2
    assert ended.document["result"]["verdict"] in ("helps", "no measurable gain", "hurts")
    stored = (tmp_path / "out" / "augment" / "report.json").read_text()
    assert AugmentReport.model_validate_json(stored).lift == lift
    page = (tmp_path / "out" / "augment" / "report.html").read_text()
    assert lift["verdict"].upper() in page
    assert "<script" not in page


def test_reserved_rows_are_no_rows_to_make_variants_of(augment, tmp_path: Path) -> None:
    holdout = tmp_path / "out" / "split" / "holdout.parquet"
    ended = augment("--mode", "upsample", "--given", holdout, "--set", "augment.vary=[carrier]", *OFF)
    assert ended.code == 3
    assert "reserved" in ended.err


def test_variants_of_another_tables_rows_have_no_verdict(augment, tmp_path: Path) -> None:
    given = tmp_path / "given.csv"
    given.write_text("origin,distance\nJFK,2475\n")
    ended = augment("--mode", "upsample", "--given", given, "--set", "augment.demand=no_harm")
    assert ended.code == 1
    assert ended.document["result"]["verdict"] == "not measured"


def test_a_damaged_holdout_is_told_before_any_work(augment, tmp_path: Path) -> None:
    (tmp_path / "out" / "split" / "holdout.parquet").write_bytes(b"no table")
    ended = augment("--mode", "upsample", "--rows", 11000, *OFF)
    assert ended.code == 3
    assert not (tmp_path / "out" / "augment").exists()


# --- Lineage -----------------------------------------------------------------------------------------------------


def test_the_table_says_what_it_is_and_fit_refuses_it(augment, call, tmp_path: Path) -> None:
    assert augment("--mode", "rebalance", "--share", "true=0.5", *OFF).code == 0
    path = tmp_path / "out" / "augment" / "augmented.parquet"
    known = read_lineage(path)
    assert known is not None
    assert known.lineage is not None
    found = pl.read_parquet(path)
    real = found.filter(pl.col("_origin") == "real").height / found.height
    assert (known.lineage.kind, known.lineage.depth) == ("augmented", 1)
    assert known.lineage.real_share == pytest.approx(real)
    shown = call("lineage", path)
    assert shown.code == 0, shown.err
    assert "forest, seed 7" in shown.out
    ended = call("fit", "--out", tmp_path / "elsewhere", "--train", path, "-q")
    assert ended.code == 3
    assert "augmented" in ended.err


def test_synthetic_rows_are_recognised_without_their_record(augment, call, tmp_path: Path) -> None:
    assert augment("--mode", "upsample", "--whole", "--rows", 3000, *OFF).code == 0
    bare = tmp_path / "bare.csv"
    pl.read_parquet(tmp_path / "out" / "augment" / "augmented.parquet").drop("_origin").write_csv(bare)
    ended = call("fit", "--out", tmp_path / "out", "--train", bare, "-q", "--set", "data.missing=['']")
    assert ended.code == 3


def test_synthetic_input_is_refused_unless_allowed(augment, split_run: Path, tmp_path: Path) -> None:
    synthetic = split_run / "artifacts" / "synthetic" / "synthetic.parquet"
    words = ("--mode", "upsample", "--train", synthetic, *OFF)
    assert augment(*words).code == 3
    (tmp_path / "out" / "split" / "split.json").unlink()
    ended = augment(*words, "--allow-synthetic")
    assert ended.code == 0, ended.err
    known = read_lineage(tmp_path / "out" / "augment" / "augmented.parquet")
    assert known is not None
    assert known.lineage is not None
    assert (known.lineage.depth, known.lineage.real_share) == (2, 0.0)


# --- The gate ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_gate_that_fails_writes_the_report_and_no_table(augment, tmp_path: Path) -> None:
    """Half of all flights late hurts a model of that table beyond doubt, whoever makes the rows."""
    ended = augment("--mode", "rebalance", "--share", "true=0.5", "--set", "augment.demand=helps")
    assert ended.code == 1
    assert ended.document["result"]["gate"] == {"demand": "helps", "passed": False}
    assert not (tmp_path / "out" / "augment" / "augmented.parquet").exists()
    assert json.loads((tmp_path / "out" / "augment" / "report.json").read_text())["outputs"] == []


def test_what_cannot_be_measured_passes_no_gate(augment, tmp_path: Path) -> None:
    for demand in ("helps", "no_harm"):
        ended = augment(
            "--mode", "upsample", "--set", f"augment.demand={demand}", "--set", "data.target=null", "--rows", 11000
        )
        assert ended.code == 1
        assert ended.document["result"]["verdict"] == "not measured"


@pytest.mark.slow
def test_tables_of_an_earlier_run_do_not_stay(augment, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "augment"
    assert augment("--mode", "impute", "--column", "tailnum", "--set", "augment.imputations=2", *OFF).code == 0
    assert (folder / "augmented-2.parquet").is_file()
    section = "augment: {mode: impute, column: tailnum, format: csv, lift: 'off'}\n"
    assert augment(section=section).code == 0
    assert sorted(path.name for path in folder.glob("augmented*")) == ["augmented.csv", "augmented.csv.lineage.json"]
    failing = ("--set", "data.target=null", "--set", "augment.demand=helps")
    assert augment("--mode", "upsample", "--rows", 11000, *failing).code == 1
    assert not list(folder.glob("augmented*"))


# --- Wrong input -------------------------------------------------------------------------------------------------

WRONG = [
    ((), 2, "--mode: none given"),
    (("--mode", "balance"), 2, "balance"),
    (
        ("--mode", "rebalance"),
        2,
        "synthcli augment: --share: none given, and rebalance needs the shares wanted of 'late'",
    ),
    (("--mode", "rebalance", "--column", "origin"), 2, "write --share VALUE=0.5 for one of its values, or --balance"),
    (("--mode", "rebalance", "--share", "true=50%"), 2, "expected VALUE=P"),
    (("--mode", "rebalance", "--share", "true=1.5"), 2, "expected VALUE=P"),
    (("--mode", "rebalance", "--share", "0.5"), 2, "expected VALUE=P"),
    (("--mode", "rebalance", "--share", "true=0.5", "--share", "true=0.4"), 2, "stands twice"),
    (("--mode", "rebalance", "--share", "true=0.7", "--share", "false=0.7"), 2, "add up to 1.4"),
    (("--mode", "rebalance", "--share", "perhaps=0.5"), 2, "perhaps"),
    (("--mode", "rebalance", "--column", "lat", "--share", "true=0.5"), 2, "did you mean 'late'?"),
    (("--mode", "rebalance", "--column", "distance", "--share", "100=0.5"), 2, "augment.bins"),
    (("--mode", "rebalance", "--column", "origin", "--share", "XXX=0.5"), 3, "class XXX of 'origin'"),
    (("--mode", "rebalance", "--column", "tailnum", "--balance"), 3, "at least 20 are needed"),
    (("--mode", "rebalance", "--share", "true=0.5", "--set", "augment.balance=equal", "--balance"), 2, "exclude"),
    (("--mode", "rebalance", "--share", "true=0.99999"), 3, "more than 100 times"),
    (("--mode", "upsample", "--share", "true=0.5"), 2, "--share means nothing with mode upsample"),
    (("--mode", "impute", "--rows", "100"), 2, "--rows means nothing with mode impute"),
    (("--mode", "rebalance", "--share", "true=0.5", "--rows", "100"), 3, "have no room"),
    (("--mode", "rebalance", "--share", "true=0.5", "--set", "augment.bins={late: [1]}"), 2, "no order"),
    (("--mode", "rebalance", "--share", "true=0.5", "--set", "augment.bins={distance: [1]}"), 2, "no column that is"),
    (
        (
            "--mode",
            "rebalance",
            "--column",
            "distance",
            "--share",
            "<9=0.5",
            "--set",
            "augment.bins={distance: [9, 5]}",
        ),
        2,
        "do not rise",
    ),
    (
        ("--mode", "rebalance", "--column", "distance", "--share", "<9=0.5", "--set", "augment.bins={distance: [5]}"),
        2,
        "its bins: <5, >=5",
    ),
    (("--mode", "impute", "--column", "nothing"), 2, "no column 'nothing'"),
    (("--mode", "impute", "--set", "augment.keep_missing=[nothing]"), 2, "no column 'nothing'"),
    (("--mode", "upsample", "--rows", "10"), 3, "fewer than the"),
    (("--mode", "upsample", "--set", "augment.vary=[nothing]"), 2, "no column 'nothing'"),
    (("--mode", "upsample", "--given", "nowhere.csv"), 3, "nowhere.csv"),
    (("--mode", "upsample", "--synthesizer", "auto"), 2, "augment.synthesizer"),
    (("--mode", "upsample", "--set", "augment.demand=helps"), 2, "demand needs the lift report"),
]


@pytest.mark.parametrize(("words", "code", "told"), WRONG, ids=[" ".join(words) for words, _, _ in WRONG])
def test_wrong_input_is_told_and_leaves_nothing(augment, tmp_path: Path, words, code: int, told: str) -> None:
    ended = augment(*words, *OFF)
    assert ended.code == code, ended.err
    assert told in ended.err
    assert not (tmp_path / "out" / "augment").exists()


def test_a_class_of_many_rare_values_is_refused_without_naming_them(augment, train: pl.DataFrame) -> None:
    ended = augment("--mode", "rebalance", "--column", "tailnum", "--balance", *OFF)
    assert not any(name in ended.err for name in train["tailnum"].drop_nulls().unique())


def test_a_dry_run_writes_nothing(augment, tmp_path: Path) -> None:
    ended = augment("--mode", "rebalance", "--share", "true=0.5", "--dry-run")
    assert ended.code == 0
    assert ended.document["result"]["account"]["classes"][0]["share"] == pytest.approx(0.5, abs=1e-4)
    assert not (tmp_path / "out" / "augment").exists()


def test_without_a_split_it_works_and_says_what_is_lacking(call, tmp_path: Path, flights_csv: Path) -> None:
    words = ("--train", flights_csv, "--set", "data.target=late", "--set", "data.missing=['', NA]", "--rows", 14000)
    ended = call("augment", "--mode", "upsample", *words, "--out", tmp_path / "out", "--json")
    assert ended.code == 0, ended.err
    assert "no holdout reserved" in ended.err
    assert ended.document["result"]["verdict"] == "not measured"


def test_a_table_that_has_the_column_already(call, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = "\n".join(f"{n},{n % 2}" for n in range(100))
    path.write_text(f"size,_origin\n{rows}\n")
    words = ("augment", "--mode", "upsample", "--train", path, "--out", tmp_path / "out", "--lift", "off")
    ended = call(*words)
    assert ended.code == 2
    assert "_origin" in ended.err
    assert call(*words, "--set", "augment.origin=false").code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target", "share"), [("census.csv.gz", "income", ">50K=0.5"), ("bank_marketing.csv.gz", "y", "yes=0.5")]
)
def test_every_mode_on_real_tables(call, tmp_path: Path, name: str, target: str, share: str) -> None:
    words = ("--set", f"data.path={real_table(name)}", "--set", f"data.target={target}", "--out", tmp_path, "-q")
    assert call("split", *words).code == 0
    train = pl.read_parquet(tmp_path / "split" / "train.parquet")
    for mode, more in (("rebalance", ("--share", share)), ("impute", ()), ("upsample", ("--rows", "60000"))):
        ended = call("augment", "--mode", mode, *more, *words, "--json")
        assert ended.code == 0, ended.err
        assert ended.document["result"]["verdict"] in ("helps", "no measurable gain", "hurts")
        found = pl.read_parquet(tmp_path / "augment" / "augmented.parquet")
        if mode == "rebalance":
            counts = found[target].value_counts()["count"]
            assert counts[0] == counts[1]
        for column in train.columns:
            known = train[column].is_not_null()
            assert found[column][: train.height].filter(known).equals(train[column].filter(known))


def test_a_table_that_nothing_was_added_to_is_still_real(augment, train: pl.DataFrame, tmp_path: Path) -> None:
    assert augment("--mode", "upsample", "--rows", train.height, *OFF).code == 0
    known = read_lineage(tmp_path / "out" / "augment" / "augmented.parquet")
    assert known is not None
    assert known.lineage is not None
    assert known.lineage.is_real
    assert table(tmp_path).drop("_origin").equals(train)
