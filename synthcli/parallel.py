"""Work side by side, in as many threads as there are processors for this process.

Worth it where the work is numpy's or polars' on large arrays, during which Python lets other threads run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


_limit: list[int] = []


def keep_to(threads: int) -> None:
    """Let this process use no more than ``threads`` threads: one of several workers on a machine."""
    _limit[:] = [threads]


@contextmanager
def kept_to(threads: int) -> Iterator[None]:
    """Let this process use no more than ``threads`` threads while the block runs."""
    before = list(_limit)
    keep_to(threads)
    try:
        yield
    finally:
        _limit[:] = before


def processors() -> int:
    """Return how many processors this process may use, at least 1; where the system does not say, all there are."""
    return min([_available(), *_limit])


def _available() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], prepare: Callable[[], object] | None = None
) -> list[Result]:
    """Return ``work`` of each item, in order; ``prepare`` is called first in each thread.

    With one processor there is no other thread: to start one would cost more than small work does.
    """
    if processors() == 1:
        if prepare is not None:
            prepare()
        return [work(item) for item in items]
    with ThreadPoolExecutor(processors(), initializer=prepare) as pool:
        return list(pool.map(work, items))
