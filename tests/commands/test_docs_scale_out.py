"""docs/scale-out.md is true: its blocks run, on this machine and on a cluster that they start."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from examples import ROOT
from stores import PIPELINE

from synthcli.executors import TRIES

TEXT = (ROOT / "docs" / "scale-out.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)
BIN = Path(sys.executable).parent


def block(holding: str) -> str:
    """Return the text of the one block that holds this."""
    [found] = [each for each in BLOCKS if holding in each]
    return found


def flights(folder: Path) -> Path:
    """Return a folder with the configuration and the data that the page's example names, a generator fitted."""
    for name in ("configs", "sample_data"):
        shutil.copytree(ROOT / name, folder / name)
    run("synthcli split -c configs/flights.yaml -q", folder)
    run("synthcli fit -c configs/flights.yaml --synthesizer independent -q", folder)
    return folder


def run(line: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(shlex.split(line), cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_a_data_set_in_shards(tmp_path: Path) -> None:
    folder = flights(tmp_path)
    sample, validate, gate = block("--shards 4").splitlines()
    run(sample, folder)
    assert [path.name for path in sorted((folder / "shards").glob("*.parquet"))] == [
        f"part-0000{number}.parquet" for number in range(4)
    ]
    # A crude generator: what is looked at is that the commands go together.
    run(f"{validate} --set validate.gates=[] --set validate.families=[privacy]", folder)
    words = [str(BIN / "synthcli"), *shlex.split(gate)[1:]]
    failed = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "its audit had no gate to pass" in failed.stdout


@pytest.mark.slow
def test_the_cluster_that_the_page_starts(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    folder = flights(tmp_path)
    shutil.copy(folder / "configs" / "flights.yaml", folder / "configs" / "synthcli.yaml")
    scheduler, worker, sample = block("dask scheduler").splitlines()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def here(line: str) -> str:
        return line.replace("tcp://scheduler:8786", f"tcp://127.0.0.1:{port}").replace("8786", port)

    started = []
    try:
        for line in (f"{scheduler} --host 127.0.0.1 --no-dashboard", f"{worker} --no-dashboard"):
            words = shlex.split(here(line).replace("--nworkers 16", "--nworkers 2"))
            own = dict(word.split("=") for word in words if re.fullmatch(r"[A-Z_]+=\w+", word))
            words = [word for word in words if "=" not in word]
            process = subprocess.Popen(
                [BIN / words[0], *words[1:]],
                cwd=folder,
                env={**os.environ, **own},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            started.append(process)
            time.sleep(3)
        line = here(sample).replace("1000000000", "20000").replace("--shards 1000", "--shards 4")
        line = line.replace("synthcli.yaml", "configs/synthcli.yaml").replace("/shared/synthetic", "shared")
        run(f"{line} --seed 1", folder)
        run(f"{line.replace('shared', 'own').replace(f'tcp://127.0.0.1:{port}', '1')} --seed 1", folder)
    finally:
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    names = sorted(path.name for path in (folder / "own").iterdir())
    assert len(names) == 8
    assert sorted(path.name for path in (folder / "shared").iterdir()) == names
    assert all((folder / "own" / name).read_bytes() == (folder / "shared" / name).read_bytes() for name in names)


def test_the_commands_of_a_bucket_are_those_that_are_tested() -> None:
    assert block("s3://lake/flights.csv") == PIPELINE.lstrip()


def test_every_block_is_looked_at() -> None:
    assert len(BLOCKS) == 3


def test_what_the_page_says_of_packages_and_numbers() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"synthcli\[(\w+)\]", TEXT)) == {"dask", "s3"} <= set(extras)
    assert TRIES == 3
    assert "each of three times" in TEXT


def test_what_the_page_says_of_dask() -> None:
    pytest.importorskip("distributed")
    import distributed

    defaults = yaml.safe_load((Path(distributed.__file__).parent / "distributed.yaml").read_text())
    assert defaults["distributed"]["scheduler"]["allowed-failures"] == 3
