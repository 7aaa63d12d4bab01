"""Commands that are told to end: exit code, one line, no temporary file, what was there whole, and the next run works.

What a killed refresh or data set leaves, and what becomes of workers, is told in ``test_refresh_killed`` and
``test_shards``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clusters import alive, within
from examples import mixed_table

from synthcli.app import Terminated, run

STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
#: Command lines that write, on a run that has everything already; another seed, so that what they write differs.
WRITERS = {
    "split": "split --set split.salt=other --out other",
    "split again": "split",
    "fit": "fit --seed 4",
    "sample": "sample --seed 4",
    "csv": "sample --seed 4 --format csv --output drawn.csv",
    "given": "sample --seed 4 --given real.csv --output filled.parquet",
    "shards": "sample --seed 4 --shards 3 -n 300",
    "augment": "augment --mode impute --seed 4",
    "validate": "validate --seed 4 --junit own.xml",
    "collapse-sim": "collapse-sim --seed 4",
    "refresh": "refresh --force --seed 4",
    "prune": "prune --keep 1",
    "init": "init real.csv --out-config other.yaml --force",
    "dry": "fit --seed 4 --dry-run",
}
#: Moments of a run at which it is told to end.
MOMENTS = 9
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small table and everything that the commands make of it."""
    folder = tmp_path_factory.mktemp("finished")
    mixed_table(300, 1).write_csv(folder / "real.csv")
    (folder / "c.yaml").write_text(
        "data: {path: real.csv, target: late}\nsynthesizer: {kind: independent}\n"
        "augment: {lift: 'off'}\nvalidate: {families: [accuracy], gates: []}\n"
        "collapse_sim: {generations: 2, chains: 2, regimes: [replace], rows: 100}\n"
        "run: {output_dir: out, workers: 1, seed: 3}\n"
    )
    for line in ("split", "fit", "fit --seed 5", "sample --seed 3", "sample --shards 2 -n 100 --seed 3", "validate"):
        assert run([*line.split(), "-q", "-c", str(folder / "c.yaml")]) == 0
    return folder


@pytest.fixture
def anew(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Path]]:
    """Return a function that makes a copy of it the working directory, beside a folder for temporary files."""
    folder, temporary = tmp_path / "place", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))

    def copied() -> Path:
        assert list(temporary.iterdir()) == []
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(finished, folder)
        monkeypatch.chdir(folder)
        return folder

    yield copied
    assert list(temporary.iterdir()) == []


def words(name: str) -> list[str]:
    """Return the command line of a writer."""
    line = WRITERS[name].split()
    return [*line, "-q", *([] if line[0] == "init" else ["-c", "c.yaml"])]


def files(folder: Path) -> Files:
    """Return every file's content by its path; locks hold none."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".lock"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def check_whole(folder: Path, before: Files) -> None:
    """Check that nothing is half-written: no temporary name, and what is new or other can be read."""
    after = files(folder)
    assert [name for name in after if ".tmp" in name] == []
    assert [path for path in folder.rglob("*.tmp") if path.is_dir()] == []
    for name in after:
        if after[name] != before.get(name):
            if name.endswith(".parquet"):
                pl.read_parquet(folder / name)
            elif name.endswith(".json"):
                json.loads(after[name])


class Telling:
    """Sends this process a signal at the n-th call that makes, syncs or renames a file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, at: int) -> None:
        self.calls, self.number, self.at = 0, number, at
        for module, name in ((os, "fsync"), (os, "replace"), (os, "rename"), (tempfile, "mkstemp")):
            monkeypatch.setattr(module, name, self.counted(getattr(module, name)))

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                signal.raise_signal(self.number)
            return function(*arguments, **named)

        return called


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Under nohup a hang-up is ignored, by the commands too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


LONGER = ("augment", "collapse-sim", "refresh", "validate")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONGER)) for n in WRITERS if n != "dry"]
)
def test_a_command_that_is_stopped_while_it_writes(
    name: str, anew: Callable[[], Path], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(anew())
    with monkeypatch.context() as patch:
        whole = Telling(patch, signal.SIGTERM, 0)
        assert call(*words(name)).code in (0, 1)
    calls = list(range(1, whole.calls + 1))
    for (sent, code), at in zip(cycle(STOPS.items()), calls[:: max(1, len(calls) // 6)], strict=False):
        place = anew()
        with monkeypatch.context() as patch:
            Telling(patch, sent, at)
            ended = call(*words(name))
        assert (ended.code, ended.out) == (code, "")
        assert ended.err.splitlines()[-1].endswith("nothing half-written was left behind")
        assert "Traceback" not in ended.err
        check_whole(place, before)
        assert call("lineage", "out/synthetic/synthetic.parquet").code == 0
    assert calls
    assert call(*words(name)).code in (0, 1)


def test_a_signal_of_which_compiled_code_makes_an_error_is_a_signal(
    anew: Callable[[], Path], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*_: Any) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Terminated:
            raise ValueError("as pydantic does where it builds a model") from None

    anew()
    monkeypatch.setattr("synthcli.commands.plays.split_play", told)
    ended = call("split", "-c", "c.yaml", "--dry-run")
    assert (ended.code, ended.err.splitlines()[-1]) == (
        143,
        "synthcli: terminated; nothing half-written was left behind",
    )


@pytest.mark.parametrize(("number", "code"), STOPS.items())
def test_a_signal_that_comes_where_nothing_can_be_raised_is_heard_all_the_same(
    number: signal.Signals, code: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def works(*_: Any) -> int:
        Gone()
        time.sleep(5)
        return 0

    before = sys.unraisablehook, signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr("synthcli.app._run", works)
    assert run([]) == code
    assert "Traceback" not in capfd.readouterr().err
    assert (sys.unraisablehook, signal.getsignal(signal.SIGALRM)) == before


@pytest.mark.parametrize("where", ["_flush", "_report"])
@pytest.mark.parametrize(("number", "code"), STOPS.items())
def test_a_signal_that_comes_as_a_command_ends_or_tells_an_error_is_a_signal(
    number: signal.Signals, code: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def meanwhile(*_: Any) -> int:
        if not told:  # once
            told.append(number)
            signal.raise_signal(number)
        return 4

    def fails(*_: Any) -> int:
        raise ValueError

    monkeypatch.setattr(f"synthcli.app.{where}", meanwhile)
    monkeypatch.setattr("synthcli.app._run", fails)
    assert run([]) == code


def test_what_else_goes_wrong_in_a_finaliser_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def __del__(self) -> None:
            raise ValueError

    def works(*_: Any) -> int:
        Gone()
        return 0

    heard: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: heard.append(what.exc_type))
    monkeypatch.setattr("synthcli.app._run", works)
    assert (run([]), heard) == (0, [ValueError])


def started(name: str, *more: str) -> subprocess.Popen[str]:
    """Start a command in a session of its own; return when it heeds signals."""
    process = subprocess.Popen(
        [sys.executable, "-m", "synthcli", *words(name), *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    status = Path("/proc") / str(process.pid) / "status"
    assert within(60, lambda: int(status.read_text().split("SigCgt:")[1].split()[0], 16) >> (signal.SIGHUP - 1) & 1)
    return process


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    "name", ["split", "fit", "sample", "shards", "augment", "validate", "collapse-sim", "refresh", "dry"]
)
def test_a_command_that_is_stopped_at_any_moment(name: str, anew: Callable[[], Path]) -> None:
    """Imports and computations too, which no function of ours stands for; sent to the whole group every other time."""
    more = ("--workers", "2") if name in ("shards", "collapse-sim") else ()
    before = files(anew())
    process = started(name, *more)
    ready = time.monotonic()
    process.communicate()
    whole = time.monotonic() - ready
    assert process.returncode in (0, 1)
    ends = set()
    for round, (sent, code) in zip(range(MOMENTS), cycle(STOPS.items()), strict=False):
        place = anew()
        process = started(name, *more)
        time.sleep(whole * round / MOMENTS)
        # A terminal that closes tells the keeper of Python's semaphores too, whose complaints nobody hears.
        (os.killpg if round % 2 and sent != signal.SIGHUP else os.kill)(process.pid, sent)
        _, errors = process.communicate()
        # At the very end, as the interpreter shuts down, the system ends it: to a shell the same code.
        assert process.returncode in (code, 0, 1, -sent), errors
        ends.add(code if process.returncode == -sent else process.returncode)
        assert "Traceback" not in errors, errors
        assert "Exception ignored" not in errors, errors
        assert within(10, lambda process=process: alive(process.pid) == [])
        check_whole(place, before)
    assert len(ends & set(STOPS.values())) > 1, "no signal came before the end: the test proves nothing"
    assert run(words(name)) in (0, 1)
