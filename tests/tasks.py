"""Tasks for workers of any kind, which import this file by its name: some end their own process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def begin(folder: str, key: object) -> int:
    """Note that a process begins the task with a key; return how often it was begun, this time included."""
    with (Path(folder) / str(key)).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(processes(folder, key))


def processes(folder: str | Path, key: object) -> list[int]:
    """Return the processes that began the task with a key, the earliest first."""
    path = Path(folder) / str(key)
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def square(folder: str, key: int, seconds: float = 0.0) -> int:
    """Return the key's square after a while."""
    begin(folder, key)
    time.sleep(seconds)
    return key * key


def ended(folder: str, key: int, times: int) -> int:
    """End the own process the first ``times`` times, as a system without memory does; then return the key's square."""
    if begin(folder, key) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return key * key


def failing(folder: str, key: int) -> int:
    """Raise an error of a kind of its own."""
    begin(folder, key)
    raise ZeroDivisionError(f"task {key}")
