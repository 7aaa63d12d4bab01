"""``fit`` and ``augment`` with one worker, with two, and on a cluster: the same bytes, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from clusters import started, within

from synthcli.artifacts import sha256
from synthcli.augmentation import blocks, upsample
from synthcli.synthesizers.forest import filling

FAST = ("--set", "synthesizer.kind=forest", "--set", "synthesizer.trees=2")
MODES = {
    "rebalance": ("--share", "true=0.4"),
    "impute": ("--set", "augment.imputations=2"),
    "upsample": (),
    "whole": ("--mode", "rebalance", "--share", "true=0.4", "--whole"),
    "vary": ("--mode", "upsample", "--set", "augment.vary=[origin, dep_delay]"),
    "copula": ("--mode", "impute", "--synthesizer", "independent"),
}


@pytest.fixture
def prepared(flights_run: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes an output directory with the split of some flights."""

    def made(name: str) -> Path:
        shutil.copytree(flights_run / "artifacts" / "split", tmp_path / name / "split")
        train = pl.read_parquet(flights_run / "artifacts" / "split" / "train.parquet")
        train[:1500].write_parquet(tmp_path / name / "split" / "train.parquet")
        return tmp_path / name

    return made


def config(flights_run: Path) -> tuple[str, ...]:
    return ("-c", str(flights_run / "flights.yaml"), "-q", "--json")


def files(ended) -> dict[str, str]:
    """Return the SHA-256 of each file of the generator that was fitted."""
    assert ended.code == 0, ended.err
    folder = Path(ended.document["artifacts"]["generator"])
    return {
        name: entry["sha256"] for name, entry in json.loads((folder / "manifest.json").read_text())["files"].items()
    }


def left(out: Path) -> list[str]:
    return [path.name for path in out.glob(".tasks.*")]


def fitted(call, flights_run: Path, out: Path, *workers: str) -> dict[str, str]:
    found = files(call("fit", *config(flights_run), "--out", out, *FAST, *workers))
    assert left(out) == []
    return found


def augmented(call, flights_run: Path, out: Path, mode: str, *workers: str) -> list[str]:
    """Return the SHA-256 of each table that was made."""
    words = MODES[mode] if MODES[mode][:1] == ("--mode",) else ("--mode", mode, *MODES[mode])
    trees = () if mode == "copula" else ("--set", "augment.synthesizer={kind: forest, trees: 2}")
    ended = call("augment", *config(flights_run), "--out", out, "--lift", "off", *words, *trees, *workers)
    assert ended.code == 0, ended.err
    assert left(out) == []
    return [sha256(path) for path in sorted((out / "augment").glob("augmented*.parquet"))]


@pytest.mark.slow
def test_two_processes_fit_the_same_bytes(call, flights_run: Path, prepared) -> None:
    one = fitted(call, flights_run, prepared("one"), "--workers", "1")
    assert fitted(call, flights_run, prepared("two"), "--workers", "2") == one
    assert fitted(call, flights_run, prepared("auto")) == one


@pytest.mark.slow
def test_the_candidates_of_auto_are_fitted_by_the_workers_too(call, flights_run: Path, prepared) -> None:
    words = ("fit", *config(flights_run), "--set", "synthesizer={kind: auto, candidates: [forest]}")
    one = files(call(*words, "--out", prepared("one"), "--workers", "1"))
    assert files(call(*words, "--out", prepared("two"), "--workers", "2")) == one


def test_how_many_work_is_no_other_generator(call, flights_run: Path, prepared) -> None:
    out = prepared("one")
    fitted(call, flights_run, out, "--workers", "1")
    again = call("fit", *config(flights_run), "--out", out, *FAST, "--workers", "2")
    assert again.document["status"] == "skipped"


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_two_processes_augment_the_same_bytes(
    call, flights_run: Path, prepared, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small blocks, for there to be several; where they end is told to the workers, and no setting of theirs.
    monkeypatch.setattr(filling, "BLOCK", 300)
    monkeypatch.setattr(blocks, "BLOCK", 300)
    monkeypatch.setattr(upsample, "_CHUNK", 300)
    one = augmented(call, flights_run, prepared("one"), mode, "--workers", "1")
    assert len(one) == (2 if mode == "impute" else 1)
    assert augmented(call, flights_run, prepared("two"), mode, "--workers", "2") == one


@pytest.mark.slow
def test_a_cluster_fits_and_augments_the_same_bytes(call, flights_run: Path, prepared, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "dask").mkdir()
    with started(tmp_path / "dask") as cluster:
        here, there = prepared("here"), prepared("there")
        assert fitted(call, flights_run, there, "--workers", cluster.address) == fitted(call, flights_run, here)
        for mode in ("rebalance", "impute", "upsample"):
            one = augmented(call, flights_run, here, mode, "--workers", "1")
            assert augmented(call, flights_run, there, mode, "--workers", cluster.address) == one


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_fit_leaves_no_worker_and_the_next_one_no_scratch(
    call, flights_run: Path, prepared, sign: signal.Signals
) -> None:
    out = prepared("out")
    many = ("--set", "synthesizer.kind=forest", "--set", "synthesizer.trees=400", "--workers", "2")
    words = [sys.executable, "-m", "synthcli", "fit", *config(flights_run), "--out", str(out), *many]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert within(60, lambda: list(out.glob(".tasks.*/*/*")))
    workers = children(process.pid)
    os.kill(process.pid, sign)
    process.communicate(timeout=60)
    assert within(20, lambda: not any(map(alive, workers)))
    assert bool(left(out)) == (sign == signal.SIGKILL)
    fitted(call, flights_run, out, "--workers", "1")
    assert not list(out.glob("generators/.*.tmp"))


def children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.slow
def test_an_address_without_a_scheduler_is_told(call, flights_run: Path, prepared) -> None:
    pytest.importorskip("distributed")
    out = prepared("out")
    ended = call("fit", *config(flights_run), "--out", out, *FAST, "--workers", "tcp://127.0.0.1:9")
    assert ended.code == 4
    assert "no scheduler answers" in ended.err
    assert left(out) == []
