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
    rule = json.loads((out / "split" / "split.json").read_text())["rule"]
    assert train["split"] == fingerprint(rule)
    assert train["sha256"] == sha256(out / "split" / "train.parquet")
    assert (train["lineage"]["kind"], train["lineage"]["depth"]) == ("real", 0)
