"""``fit``: versions, the guard against holdout rows, skipping what is unchanged, engine failures."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest


@pytest.fixture
def out(flights_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run's directory that a test may change."""
    return Path(shutil.copytree(flights_run / "artifacts", tmp_path / "artifacts"))


def test_the_manifest_says_what_was_learned_from(flights_run: Path) -> None:
    manifest = json.loads((flights_run / "artifacts" / "generators" / "0001" / "manifest.json").read_text())
    train = pl.read_parquet(flights_run / "artifacts" / "split" / "train.parquet")
    assert manifest["train"]["rows"] == train.height
    assert manifest["kind"] == "gaussian_copula"
    assert manifest["parameters"]["default_distribution"] == "norm"
    assert set(manifest["versions"]) >= {"python", "synthcli", "sdv", "torch", "polars"}
    assert json.loads((flights_run / "artifacts" / "generators" / "aliases.json").read_text()) == {"latest": 1}


def test_unchanged_data_and_settings_are_skipped(call, flights_run: Path) -> None:
    ended = call("fit", "-c", flights_run / "flights.yaml", "--json")
    assert ended.code == 0
    assert ended.document["status"] == "skipped"
    assert not (flights_run / "artifacts" / "generators" / "0002").exists()


def test_one_holdout_row_in_the_training_file_is_refused(call, out: Path, tmp_path: Path) -> None:
    train = pl.read_parquet(out / "split" / "train.parquet")
    holdout = pl.read_parquet(out / "split" / "holdout.parquet")
    pl.concat([train, holdout[5:6]]).write_parquet(tmp_path / "mixed.parquet")
    ended = call("fit", "--train", tmp_path / "mixed.parquet", "--out", out, "--json")
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "holdout_rows"
    assert "1 of" in ended.document["error"]["message"]
    assert "synthcli split" in ended.document["error"]["hint"]


def test_force_overrides_no_guard(call, out: Path) -> None:
    ended = call("fit", "--train", out / "split" / "holdout.parquet", "--out", out, "--force")
    assert ended.code == 3
    assert not (out / "generators" / "0002").exists()


def test_without_a_split_there_is_nothing_to_learn_from(call, tmp_path: Path) -> None:
    ended = call("fit", "--out", tmp_path / "nothing")
    assert ended.code == 3
    assert "synthcli split" in ended.err


def test_a_table_without_a_holdout_is_learned_from_with_a_warning(call, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "".join(f"{i % 9},{'x' if i % 2 else 'y'}\n" for i in range(60)))
    ended = call(
        "fit", "--train", table, "--out", tmp_path / "out", "--json", "--set", "synthesizer.default_distribution=norm"
    )
    assert ended.code == 0
    assert any("no holdout reserved" in warning for warning in ended.document["warnings"])


def test_a_crash_inside_the_engine_exits_4_without_its_text(call, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from synthcli.synthesizers.sdv import GaussianCopula

    def crash(*_: object) -> None:
        raise RuntimeError("a secret cell")

    monkeypatch.setattr(GaussianCopula, "fit", crash)
    ended = call("fit", "--out", out, "--seed", "9")
    assert ended.code == 4
    assert "secret" not in ended.err
    assert "hint: " in ended.err


def test_a_held_lock_exits_75(call, out: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from synthcli.registry import lock\n"
        "with lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdin is not None
    holder.stdout.readline()
    try:
        ended = call("fit", "--out", out, "--seed", "9", "--json")
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()
    assert ended.code == 75
    assert ended.document["error"]["kind"] == "lock"
    assert str(holder.pid) in ended.document["error"]["message"]


def test_a_dry_run_fits_nothing(call, out: Path) -> None:
    assert call("fit", "--out", out, "--seed", "9", "--dry-run").code == 0
    assert not (out / "generators" / "0002").exists()


# synthetic rows


@pytest.fixture(scope="session")
def fresh(flights_run: Path) -> pl.DataFrame:
    """Flights of later months, those of them that the split's rule does not reserve."""
    from examples import ROOT

    from synthcli.tables import open_table

    months = [str(ROOT / "sample_data" / "flights" / f"2013-{month}.parquet") for month in (10, 11, 12)]
    return unreserved(flights_run, open_table(months, schema=schema_of(flights_run)).read())


def schema_of(flights_run: Path):
    from synthcli.holdout import SplitFolder

    return SplitFolder(flights_run / "artifacts" / "split").read().schema


def unreserved(flights_run: Path, rows: pl.DataFrame) -> pl.DataFrame:
    from synthcli.holdout import SplitFolder
    from synthcli.splitting import Digest, sides

    rule = SplitFolder(flights_run / "artifacts" / "split").read().rule
    return rows.filter(pl.Series(sides(Digest.of(rows, rule), rule) == 0))


@pytest.fixture
def batch(flights_run: Path, out: Path, fresh: pl.DataFrame, tmp_path: Path, call):
    """Return a function that writes a later batch as CSV, a share of it sampled rows, with no record of that."""
    from synthcli.tables import ReadOptions, open_table, write_table

    def written(share: float) -> Path:
        emitted = tmp_path / "emitted.csv"
        call("sample", "--out", out, "-n", 3000, "--seed", 11, "--output", emitted, "-q")
        schema = schema_of(flights_run)
        rows = open_table(emitted, ReadOptions(missing=("", "NA")), schema=schema).read()
        ours = unreserved(flights_run, rows)[: round(share / (1 - share) * fresh.height)]
        path = tmp_path / f"batch-{share}.csv"
        write_table(pl.concat([fresh, ours]).sample(fraction=1, shuffle=True, seed=1), schema, path)
        return path

    return written


def test_six_percent_of_our_own_rows_in_a_fresh_batch_are_refused(call, flights_run: Path, out: Path, batch) -> None:
    words = ["fit", "-c", flights_run / "flights.yaml", "--out", out, "--json", "--dry-run"]
    ended = call(*words, "--train", batch(0.06))
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "contaminated"
    assert re.search(
        r"an estimated [567]\.\d% of its new rows \(at least [2-6]\.\d%\)", ended.document["error"]["message"]
    )
    assert "--allow-synthetic" in ended.document["error"]["hint"]
    allowed = call(*words, "--train", batch(0.06), "--allow-synthetic")
    assert allowed.code == 0
    assert any("an estimated" in warning for warning in allowed.document["warnings"])


def test_a_clean_batch_is_not_refused(call, flights_run: Path, out: Path, batch) -> None:
    words = ["fit", "-c", flights_run / "flights.yaml", "--out", out, "--json", "--dry-run"]
    ended = call(*words, "--train", batch(0.0))
    assert ended.code == 0
    assert ended.document["warnings"] == []


@pytest.mark.parametrize(("share", "kind"), [(0.06, "contaminated"), pytest.param(0.0, None, marks=pytest.mark.slow)])
def test_a_cumulative_batch_is_told_from_the_rows_that_were_learned_from(
    call, flights_run: Path, out: Path, batch, tmp_path: Path, share: float, kind: str | None
) -> None:
    """All old rows and new ones in one growing CSV file, split and fitted on as a person would."""
    grown = tmp_path / "grown.csv"
    config = flights_run / "flights.yaml"
    old = Path(re.search(r"path: (.*)", config.read_text())[1]).read_text()  # type: ignore[index]
    grown.write_text(old + batch(share).read_text().split("\n", 1)[1])
    assert call("split", grown, "-c", config, "--out", out, "-q").code == 0
    ended = call("fit", "-c", config, "--out", out, "--json", "--dry-run")
    assert ended.document.get("error", {}).get("kind") == kind
    assert ended.code == (3 if kind else 0)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_on_record_as_synthetic_is_refused(call, out: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    call("sample", "--out", out, "-n", 100, "--output", path, "-q")
    if suffix == "parquet":  # its footer speaks without the sidecar
        path.with_name("t.parquet.lineage.json").unlink()
    for words in (["--out", out], ["--out", tmp_path / "elsewhere"]):
        ended = call("fit", "--train", path, *words, "--json", "--set", "data.missing=['', NA]")
        assert ended.code == 3
        assert ended.document["error"]["kind"] == "synthetic_input"
        assert "depth 1" in ended.document["error"]["message"]


def test_a_folder_with_one_synthetic_part_is_refused(call, out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    call("sample", "--out", out, "-n", 100, "--output", folder / "b.parquet", "-q")
    pl.read_parquet(out / "split" / "train.parquet")[:300].write_parquet(folder / "a.parquet")
    ended = call("fit", "--train", folder, "--out", tmp_path / "elsewhere", "--json")
    assert ended.code == 3
    assert "augmented, depth 1, 75.0% real" in ended.document["error"]["message"]


def test_what_is_learned_from_synthetic_rows_is_two_generations_deep(call, flights_run: Path, tmp_path: Path) -> None:
    from synthcli.lineage import read

    first, second, out = tmp_path / "first.csv", tmp_path / "second.csv", tmp_path / "out"
    call("sample", "--out", flights_run / "artifacts", "-n", 400, "--seed", 1, "--output", first, "-q")
    words = ["fit", "-c", flights_run / "flights.yaml", "--train", first, "--out", out, "--allow-synthetic", "--json"]
    ended = call(*words)
    assert ended.code == 0
    assert any("--allow-synthetic" in warning for warning in ended.document["warnings"])
    assert ended.document["result"]["lineage"] == {"kind": "synthetic", "depth": 1, "real_share": 0.0}
    manifest = json.loads((out / "generators" / "0001" / "manifest.json").read_text())
    assert manifest["train"]["lineage"]["depth"] == 1
    assert manifest["train"]["split"] is None
    call("sample", "--out", out, "-n", 10, "--seed", 2, "--output", second, "-q")
    known = read(second)
    assert known is not None
    assert known.lineage is not None
    assert (known.lineage.kind, known.lineage.depth) == ("synthetic", 2)
    assert known.lineage.parents[0].name == "first.csv"
    tree = call("lineage", second, "--out", out, "--json").document["result"]["tree"]
    assert [tree["depth"], tree["parents"][0]["depth"], tree["parents"][0]["parents"][0]["depth"]] == [2, 1, 0]


def test_recognised_rows_are_part_of_the_lineage_where_they_are_allowed(
    call, flights_run: Path, out: Path, batch
) -> None:
    words = ["fit", "-c", flights_run / "flights.yaml", "--out", out, "--json", "--allow-synthetic"]
    ended = call(*words, "--train", batch(0.2))
    assert ended.code == 0
    lineage = ended.document["result"]["lineage"]
    assert (lineage["kind"], lineage["depth"]) == ("augmented", 1)
    assert lineage["real_share"] == pytest.approx(0.8, abs=0.02)


def test_allowing_synthetic_rows_lifts_no_guard(call, out: Path) -> None:
    ended = call("fit", "--train", out / "split" / "holdout.parquet", "--out", out, "--allow-synthetic", "--json")
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "holdout_rows"


def test_a_sidecar_of_other_bytes_is_warned_of_and_not_believed(call, out: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    call("sample", "--out", out, "-n", 100, "--output", path, "-q")
    shutil.copy(out / "split" / "train.parquet", path)
    ended = call("fit", "--train", path, "--out", out, "--json", "--dry-run")
    assert ended.code == 0
    assert any("does not count as evidence" in warning for warning in ended.document["warnings"])


def test_a_damaged_sketch_is_warned_of(call, out: Path) -> None:
    (out / "sketches" / "00.npz").write_bytes(b"damaged")
    ended = call("fit", "--out", out, "--json", "--dry-run")
    assert ended.code == 0
    assert any("00.npz" in warning for warning in ended.document["warnings"])


def test_the_manifest_names_the_split_and_the_bytes(flights_run: Path) -> None:
    from synthcli.artifacts import sha256
    from synthcli.registry import fingerprint

    out = flights_run / "artifacts"
    train = json.loads((out / "generators" / "0001" / "manifest.json").read_text())["train"]
    record = json.loads((out / "split" / "split.json").read_text())
    numbers = ("Int", "UInt", "Float")
    types = {c["name"]: "number" if c["dtype"].startswith(numbers) else c["dtype"] for c in record["schema"]["columns"]}
    assert train["split"] == fingerprint({**record["rule"], "key_types": types})
    assert train["sha256"] == sha256(out / "split" / "train.parquet")
    assert (train["lineage"]["kind"], train["lineage"]["depth"]) == ("real", 0)


RULED = "data.constraints=[{kind: inequality, low_column_name: a, high_column_name: b}]"


def ruled_csv(folder: Path, broken: int) -> Path:
    low = [place % 50 for place in range(200)]
    high = [a + (-1 if place < broken else 5 + place % 7) for place, a in enumerate(low)]
    pl.DataFrame({"a": low, "b": high}).write_csv(folder / "ruled.csv")
    return folder / "ruled.csv"


def test_rows_that_break_a_constraint_are_counted_before_the_fit(call, tmp_path: Path) -> None:
    rule = f"{RULED[:-1]}, {{kind: fixed_increments, column_name: a, increment_value: 2}}]"
    ended = call("fit", "--train", ruled_csv(tmp_path, 3), "--out", tmp_path / "out", "--set", rule, "--json")
    assert ended.code == 3
    message = ended.document["error"]["message"]
    assert "inequality, 'a' is not above 'b': 3 rows break it" in message
    assert "fixed_increments, 'a' is a multiple of its increment: 100 rows break it" in message
    assert not (tmp_path / "out" / "generators").exists()


def test_synthetic_rows_keep_the_constraints(call, tmp_path: Path) -> None:
    words = ["--out", tmp_path / "out", "--set", RULED, "--set", "synthesizer.marginals=empirical", "-q"]
    assert call("fit", "--train", ruled_csv(tmp_path, 0), *words).code == 0
    assert call("sample", "-n", "2000", *words).code == 0
    drawn = pl.read_parquet(tmp_path / "out" / "synthetic" / "synthetic.parquet")
    assert (drawn["a"] <= drawn["b"]).all()


def test_a_constraint_on_a_column_that_is_not_there_is_a_mistake_in_the_configuration(call, tmp_path: Path) -> None:
    wrong = RULED.replace("b}", "bb}")
    ended = call("fit", "--train", ruled_csv(tmp_path, 0), "--out", tmp_path / "out", "--set", wrong)
    assert ended.code == 2
    assert "no column 'bb'" in ended.err


def test_the_protection_is_told_in_counts_and_kept_in_the_manifest(call, tmp_path: Path) -> None:
    cities = ["Rom"] * 100 + ["Oslo"] * 97 + ["Secretville"] * 3
    pl.DataFrame({"city": cities, "size": [place / 2 for place in range(200)]}).write_csv(tmp_path / "t.csv")
    words = ["--train", tmp_path / "t.csv", "--out", tmp_path / "out", "--set", "synthesizer.marginals=empirical"]
    ended = call("fit", *words, "--json")
    assert ended.code == 0
    account = ended.document["result"]["protection"]
    assert account["columns"]["city"]["rare_categories"] == 1
    assert account["columns"]["city"]["rare_rows"] == 3
    assert account["columns"]["size"]["clipped_low"] == account["columns"]["size"]["clipped_high"] == 4
    manifest = json.loads((tmp_path / "out" / "generators" / "0001" / "manifest.json").read_text())
    assert manifest["train"]["protection"] == account
    shown = call("fit", *words)
    assert "1 rare category replaced (3 cells), 8 extreme values moved inside" in " ".join(shown.out.split())


def test_a_change_of_the_protection_is_a_new_generator(call, tmp_path: Path) -> None:
    words = ["fit", "--train", ruled_csv(tmp_path, 0), "--out", tmp_path / "out", "--json"]
    words += ["--set", "synthesizer.marginals=empirical"]
    assert call(*words).document["status"] == "ok"
    assert call(*words).document["status"] == "skipped"
    assert call(*words, "--set", "protection.clip_extremes=0").document["status"] == "ok"


def test_a_table_that_protection_empties_is_refused(call, tmp_path: Path) -> None:
    pl.DataFrame({"a": ["u", "v", "w"] * 2, "b": ["x", "y", "z"] * 2}).write_csv(tmp_path / "t.csv")
    rule = "data.constraints=[{kind: fixed_combinations, column_names: [a, b]}]"
    ended = call("fit", "--train", tmp_path / "t.csv", "--out", tmp_path / "out", "--set", rule)
    assert ended.code == 3
    assert "leaves no training row" in ended.err
