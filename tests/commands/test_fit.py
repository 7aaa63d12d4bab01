"""``fit``: versions, the guard against holdout rows, skipping what is unchanged, engine failures."""

from __future__ import annotations

import json
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
