"""A Dask cluster on this machine: scheduler and workers, in processes of their own, whose nannies replace the dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Wait until a condition holds; say whether it did in this time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def alive(session: int) -> list[int]:
    """Return the processes of a session that are there and no zombies, as /proc tells."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


@dataclass
class Cluster:
    """A scheduler with its workers."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    address: str
    nannies: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def workers(self, count: int = 2) -> dict[str, int]:
        """Wait until there are ``count`` workers; return the process of each that runs tasks, by its address."""
        from distributed import Client

        with Client(self.address, timeout=10, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
            return client.run(os.getpid)

    def log(self) -> str:
        """Return what all of them said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


def _started(folder: Path, name: str, *words: str) -> subprocess.Popen[bytes]:
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _ended(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@contextmanager
def started(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Yield a cluster whose workers run one task at a time and can import what lies in this folder."""
    known = folder / "scheduler.json"
    words = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    scheduler = _started(folder, "scheduler", *words, "--scheduler-file", str(known))
    nannies: list[subprocess.Popen[bytes]] = []
    try:
        assert within(60, lambda: _address(known)), (folder / "scheduler.log").read_text()
        cluster = Cluster(folder, scheduler, str(_address(known)), nannies)
        for number in range(workers):
            words = ["distributed.cli.dask_worker", cluster.address, "--nthreads", "1", "--no-dashboard"]
            place = ["--host", "127.0.0.1", "--local-directory", str(folder / "scratch")]
            nannies.append(_started(folder, f"worker-{number}", *words, *place))
        if workers:
            cluster.workers(workers)
        yield cluster
    finally:
        for process in [*nannies, scheduler]:
            _ended(process)


def _address(known: Path) -> Any:
    try:
        return json.loads(known.read_text())["address"]
    except (OSError, ValueError):
        return None
