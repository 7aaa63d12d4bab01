"""``sample --shards`` and ``collapse-sim``: the same files here, in processes and on a Dask cluster, whoever dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clusters
import numpy as np
import polars as pl
import pytest
import yaml
from clusters import Cluster, alive, within

from synthcli.app import run

Files = dict[str, bytes]
Answer = dict[str, Any]
SHARDS = ["sample", "--shards", "6", "-n", "90000", "--seed", "5"]
SIMULATION = ["collapse-sim", "--generations", "3", "--chains", "3"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster of two workers."""
    pytest.importorskip("distributed")
    with clusters.started(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the configuration of a small table that was divided and of a forest that learned it."""
    folder = tmp_path_factory.mktemp("commands")
    random, rows = np.random.default_rng(4), 900
    x = random.standard_normal(rows)
    pl.DataFrame(
        {
            "x": x.round(3),
            "y": (0.7 * x + random.standard_normal(rows)).round(3),
            "kind": random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
            "good": random.random(rows) < 1 / (1 + np.exp(-2 * x)),
        }
    ).write_parquet(folder / "real.parquet")
    document = {
        "data": {"path": "real.parquet", "target": "good"},
        "protection": {"rare_category_min_count": 0, "clip_extremes": 0},
        "synthesizer": {"kind": "forest"},
        "collapse_sim": {"rows": 150, "regimes": ["replace"], "metrics": ["tvd", "dependence"]},
        "run": {"output_dir": "out", "seed": 3},
    }
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(document))
    for command in ("split", "fit"):
        assert run([command, "-c", str(path), "-q"]) == 0
    return path


def emptied(config: Path) -> Path:
    """Remove what commands made; return the configuration."""
    for name in ("synthetic", "sketches", "collapse-sim"):
        shutil.rmtree(config.parent / "out" / name, ignore_errors=True)
    return config


def started(words: list[str], config: Path, workers: int | str) -> subprocess.Popen[str]:
    """Start a command in a session of its own, as its configuration's neighbour."""
    command = [sys.executable, "-m", "synthcli", *words, "-c", config.name, "--workers", str(workers), "-q", "--json"]
    return subprocess.Popen(
        command,
        cwd=config.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> Answer:
    """Return the answer of a command that has to end well, to say nothing else, and to leave no process."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    warned = [line for line in errors.splitlines() if not line.startswith("warning: ")]
    assert warned == []
    assert within(10, lambda: alive(process.pid) == [])
    return json.loads(out)["result"]


def made(config: Path) -> Files:
    """Return what a command made: shards, lineages and sketch, or the report, the values and the chains."""
    out, found = config.parent / "out", {}
    for path in sorted([*out.glob("synthetic/**/*"), *out.glob("sketches/*"), *out.glob("collapse-sim/**/*")]):
        name = str(path.relative_to(out))
        if path.name == "report.json":
            report = json.loads(path.read_text())
            del report["created_at"], report["config"]["run"]["workers"]
            found[name] = json.dumps(report).encode()
        elif path.is_file() and path.name not in (".lock", "report.html", "run.json"):  # whose times differ
            found[name] = path.read_bytes()
    return found


def complete(config: Path) -> int:
    """Return how many shards or chains are complete."""
    out = config.parent / "out"
    found = [*out.glob("synthetic/.shards.*.shards/part-*.parquet"), *out.glob("collapse-sim/chains/*/[!.]*.npz")]
    return len(found)


@pytest.fixture(scope="module")
def alone(config: Path) -> dict[str, Files]:
    """Return what each command makes in one process."""
    found = {}
    for words in (SHARDS, SIMULATION):
        ended(started(words, config, 1))
        found[words[0]] = made(config)
        emptied(config)
    assert len([name for name in found["sample"] if name.endswith(".parquet")]) == 6
    assert {"collapse-sim/report.json", "collapse-sim/trajectories.parquet"} <= set(found["collapse-sim"])
    return found


@pytest.fixture
def own(config: Path, alone: dict[str, Files]) -> Path:
    """Return the configuration where nothing was made yet."""
    return emptied(config)


@pytest.mark.parametrize("words", [SHARDS, SIMULATION], ids=["sample", "collapse-sim"])
def test_two_processes_make_the_same_files(words: list[str], own: Path, alone: dict[str, Files]) -> None:
    ended(started(words, own, 2))
    assert made(own) == alone[words[0]]


@pytest.mark.parametrize("words", [SHARDS, SIMULATION], ids=["sample", "collapse-sim"])
def test_a_cluster_makes_the_same_files(words: list[str], own: Path, alone: dict[str, Files], cluster: Cluster) -> None:
    before = cluster.workers()
    ended(started(words, own, cluster.address))
    assert made(own) == alone[words[0]]
    assert cluster.workers() == before


def halfway(process: subprocess.Popen[str], config: Path) -> None:
    """Wait until the first shard or chain is there."""
    assert within(60, lambda: complete(config) >= 1 or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    assert complete(config) < 6


@pytest.mark.parametrize("words", [SHARDS, SIMULATION], ids=["sample", "collapse-sim"])
def test_a_process_that_is_killed_changes_nothing(words: list[str], own: Path, alone: dict[str, Files]) -> None:
    process = started(words, own, 2)
    halfway(process, own)
    children = [pid for pid in alive(process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(children) == 2
    os.kill(children[1], signal.SIGKILL)
    ended(process)
    assert made(own) == alone[words[0]]


@pytest.mark.parametrize("words", [SHARDS, SIMULATION], ids=["sample", "collapse-sim"])
def test_a_worker_of_the_cluster_that_is_killed_changes_nothing(
    words: list[str], own: Path, alone: dict[str, Files], cluster: Cluster
) -> None:
    before = cluster.workers()
    process = started(words, own, cluster.address)
    halfway(process, own)
    os.kill(next(iter(before.values())), signal.SIGKILL)
    ended(process)
    assert made(own) == alone[words[0]]
    assert len(set(cluster.workers().values()) & set(before.values())) == 1


def test_a_scheduler_that_goes_away_is_told_and_the_next_run_goes_on(
    own: Path, alone: dict[str, Files], tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    folder = tmp_path / "dask"
    folder.mkdir()
    with clusters.started(folder) as short:
        process = started(SHARDS, own, short.address)
        halfway(process, own)
        short.scheduler.kill()
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 4
    assert len(errors.splitlines()) == 1, errors
    assert "the scheduler of the cluster has gone away" in errors
    assert json.loads(out)["error"]["kind"] == "engine"
    left = complete(own)
    assert left >= 1
    assert not (own.parent / "out" / "synthetic" / "shards").exists()
    assert ended(started(SHARDS, own, 1))["kept"] in (left, left - 1)
    assert made(own) == alone["sample"]


def test_where_nobody_answers_the_command_ends_with_4(own: Path) -> None:
    begun = time.monotonic()
    process = started(SHARDS, own, "tcp://127.0.0.1:1")
    out, errors = process.communicate(timeout=60)
    assert time.monotonic() - begun < 30
    assert process.returncode == 4
    assert len(errors.splitlines()) == 1, errors
    assert "tcp://127.0.0.1:1: no scheduler answers there" in errors
    assert json.loads(out)["error"]["kind"] == "engine"


WITHOUT_DASK = """
import sys
sys.modules["distributed"] = None
from synthcli.__main__ import main
main()
"""


@pytest.mark.parametrize("words", [SHARDS, SIMULATION], ids=["sample", "collapse-sim"])
def test_without_dask_the_command_names_the_extra(words: list[str], own: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_DASK, *words, "-c", own.name, "--workers", "tcp://x:1", "-q"]
    done = subprocess.run(command, cwd=own.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'synthcli[dask]'" in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith("warning: ")]) == 1
    assert done.stdout == ""
    assert not (own.parent / "out" / "synthetic" / "shards").exists()
