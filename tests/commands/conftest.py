"""A finished run that several tests look at, and a small disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synthcli.commands.rehearsing import _Rehearsed


@pytest.fixture(autouse=True)
def rehearsals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let dry runs rehearse nothing, which takes seconds; test_dry_run.py does without this."""
    monkeypatch.setattr("synthcli.commands.rehearsing._rehearsed", lambda *_: _Rehearsed(why="not in tests"))


@pytest.fixture(scope="session")
def flights_run(tmp_path_factory: pytest.TempPathFactory, flights_csv: Path) -> Path:
    """Return the output directory of split, fit and sample on the sample flights, made by the command line."""
    folder = tmp_path_factory.mktemp("flights")
    config = folder / "flights.yaml"
    config.write_text(
        f"data:\n  path: {flights_csv}\n  target: late\n  missing: ['', NA]\n"
        "  exclude_features: [arr_delay, arr_time, air_time, dep_delay, dep_time]\n"
        "synthesizer: {default_distribution: norm}\nrun: {seed: 7, output_dir: artifacts}\n"
    )
    for words in (["split"], ["fit"], ["sample", "--seed", "7"]):
        subprocess.run([sys.executable, "-m", "synthcli", *words, "-c", str(config), "-q"], check=True)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of its own with little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
