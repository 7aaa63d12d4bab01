"""Where heavy tasks run: in this process, or in worker processes beside it.

Whoever submits knows only a ``concurrent.futures.Executor``. Workers are spawned, so that they inherit no lock and no
open file, keep to one thread each, leave Ctrl-C to their parent, and end when it does, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from synthcli import parallel
from synthcli.errors import EngineError

Key = TypeVar("Key")
Result = TypeVar("Result")
#: Threads that libraries start in a worker, which they read when they are imported.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "NUMEXPR_NUM_THREADS")
#: Seconds between a worker's looks whether its parent is still there.
_LOOK = 1.0


class InProcess(Executor):
    """Runs a task when it is submitted, here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the task to its end and return it done; only an ``Exception`` is kept for later."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the future's to tell
            future.set_exception(error)
        return future


def each_done(
    pool: Executor, calls: Iterable[tuple[Key, Callable[..., Result], tuple[Any, ...]]], ahead: int
) -> Iterator[tuple[Key, Result]]:
    """Yield key and result of each call as it is done, at most ``ahead`` of them under way; raises what a call raises.

    So a pool that runs a call when it is submitted yields one result after the other too.
    """
    waiting: dict[Future[Result], Key] = {}
    for key, function, arguments in calls:
        waiting[pool.submit(function, *arguments)] = key
        if len(waiting) >= ahead:
            yield from _done(waiting)
    while waiting:
        yield from _done(waiting)


def _done(waiting: dict[Future[Result], Key]) -> Iterator[tuple[Key, Result]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        key = waiting.pop(future)
        try:
            result = future.result()
        except BrokenProcessPool as error:
            raise EngineError(
                "a worker process was ended from outside, most often because memory ran out",
                "take fewer --workers, or less work for each, and run it again",
            ) from error
        yield key, result


@contextmanager
def executor(workers: int, *, apart: bool = False) -> Iterator[Executor]:
    """Yield an executor with ``workers`` processes; one worker is this process, unless it has to be ``apart``.

    What is still running when the block is left by an exception is ended.
    """
    if workers == 1 and not apart:
        yield InProcess()
        return
    others = multiprocessing.active_children()
    with _one_thread_each():
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (os.getpid(),))
        # Processes start as tasks come, with the environment of that moment.
        list(pool.map(_ready, range(workers)))
    processes = [process for process in multiprocessing.active_children() if process not in others]
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        raise
    pool.shutdown()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(parent: int) -> None:
    """Prepare a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parallel.keep_to(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)


def _ready(number: int) -> int:
    """Do nothing for long enough that every worker gets one."""
    time.sleep(0.05)
    return number
