"""What a refresh leaves when it is killed at any moment, when the disk is full, and when two start together."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clusters import alive
from growing import Place, started, tree

from synthcli import registry
from synthcli.app import run
from synthcli.synthesizers.assembly import TableGenerator

MOMENTS = 20


def refresh(place: Place, *words: str) -> subprocess.Popen[str]:
    """Start a refresh as cron does, in a session of its own."""
    command = [sys.executable, "-m", "synthcli", "refresh", "-c", str(place.config), "-q", *words]
    return subprocess.Popen(
        command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def seconds(place: Place, workers: int) -> float:
    """Return how long a refresh of a copy takes that is left alone."""
    begun = time.monotonic()
    process = refresh(place, "--set", f"run.workers={workers}")
    process.communicate()
    assert process.returncode == 0
    return time.monotonic() - begun


def drawn(place: Place) -> str:
    """Check the champion's files, load it, and return what it draws."""
    champion = registry.resolve(place.out, "champion")
    registry.verify(champion)
    return TableGenerator.load(champion.folder).sample(20, 1).write_csv()


def gone(session: int, patience: float = 10.0) -> bool:
    """Wait until no process of the session is left; tell whether that came to pass."""
    end = time.monotonic() + patience
    while alive(session):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place with a champion, and a month more than it learned from."""
    place = started(tmp_path_factory.mktemp("killed"), inner=0.1).refreshed()
    place.add(4)
    return place


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_refresh_that_is_killed_leaves_a_champion_and_the_next_one_is_healthy(
    grown: Place, tmp_path: Path, workers: int
) -> None:
    whole = seconds(grown.copy(tmp_path / "whole"), workers)
    before, moments = drawn(grown), random.Random(workers)
    promoted = 0
    for number in range(MOMENTS):
        place = grown.copy(tmp_path / str(number))
        process = refresh(place, "--set", f"run.workers={workers}")
        time.sleep(moments.uniform(0.0, whole))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert gone(process.pid), "workers end with their parent"
        champion = place.aliases()["champion"]
        assert champion in (1, 2)
        assert champion == 2 or drawn(place) == before
        promoted += champion == 2
        drawn(place)
        assert run(["refresh", "-c", str(place.config), "-q"]) == 0
        assert place.aliases() == {"champion": place.aliases()["champion"], "previous": 1}
        drawn(place)
        assert not [path for path in place.out.rglob("*") if ".tmp" in path.name]
        events = place.events()
        assert all("event" in event for event in events)
        shutil.rmtree(place.folder)
    assert promoted < MOMENTS, "no moment came before the promotion: the test proves nothing"


@pytest.mark.slow
def test_of_two_refreshes_that_start_together_one_works_and_one_is_told_so(grown: Place, tmp_path: Path) -> None:
    place = grown.copy(tmp_path)
    both = [refresh(place), refresh(place)]
    outputs = [process.communicate() for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) == [0, 75]
    refused = outputs[codes.index(75)]
    assert refused[0] == ""
    assert "another run" in refused[1]
    assert place.aliases() == {"champion": 2, "previous": 1}


@pytest.mark.slow
def test_a_full_disk_leaves_the_champion_and_the_next_refresh_is_healthy(grown: Place, small_disk: Path) -> None:
    place = Place(Path(shutil.copytree(grown.folder, small_disk / "place")))
    before, named = drawn(place), place.aliases()
    ballast = place.folder / "ballast"
    codes = set()
    for left in (0, 4, 16, 64, 128, 256, 512):
        room = os.statvfs(place.folder)
        free = room.f_bavail * room.f_frsize
        ballast.write_bytes(b"x" * max(free - left * 1024, 0))
        process = refresh(place)
        _, errors = process.communicate()
        codes.add(process.returncode)
        ballast.unlink()
        assert "Traceback" not in errors
        if process.returncode == 0:
            break
        assert process.returncode == 4, errors
        assert len(errors.splitlines()) <= 2, errors
        assert place.aliases() == named
        assert drawn(place) == before
        assert not [path for path in place.generators.iterdir() if ".tmp" in path.name and path.is_dir()]
    assert 4 in codes, "the disk was never full: the test proves nothing"
    assert run(["refresh", "-c", str(place.config), "-q"]) == 0
    assert place.aliases() == {"champion": place.aliases()["champion"], "previous": 1}
    drawn(place)


@pytest.mark.slow
def test_a_refresh_that_is_interrupted_says_so_and_leaves_nothing_behind(grown: Place, tmp_path: Path) -> None:
    for number, (sent, code) in enumerate([(signal.SIGINT, 130), (signal.SIGTERM, 143)]):
        place = grown.copy(tmp_path / str(number))
        process = refresh(place, "--set", "run.workers=2")
        deadline = time.monotonic() + 60
        while not list(place.generators.glob(".*.tmp")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(sent)
        _, errors = process.communicate()
        assert process.returncode == code
        assert "Traceback" not in errors
        assert gone(process.pid)
        assert place.aliases() == {"champion": 1}
        assert not [path for path in place.out.rglob("*") if ".tmp" in path.name]
        assert json.loads((place.out / "refresh" / "state.json").read_text())["checked_outcome"] == "promoted"


@pytest.mark.slow
def test_a_copy_of_a_place_is_the_place(grown: Place, tmp_path: Path) -> None:
    assert tree(grown.copy(tmp_path).folder) == tree(grown.folder)
