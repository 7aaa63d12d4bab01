"""Executors: all results come, no more are under way than asked for, and no process is left behind."""

from __future__ import annotations

import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from synthcli import parallel
from synthcli.executors import InProcess, each_done, executor

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "NUMEXPR_NUM_THREADS")


def squares(numbers: range) -> Iterator[tuple[int, Callable[..., int], tuple[int, int]]]:
    return ((number, operator.mul, (number, number)) for number in numbers)


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Wait until a condition holds; say whether it did in this time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


# --- results ---


class Later(Executor):
    """Finishes tasks when it is told to, the last submitted first, and counts how many it has at most."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []
        self.most = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        self.most = max(self.most, len(self.waiting))
        if len(self.waiting) == 3:
            self.finish()
        return future

    def finish(self) -> None:
        future, work = self.waiting.pop()
        future.set_result(work())


def test_results_come_with_their_keys_whatever_order_they_are_done_in() -> None:
    pool, found = Later(), dict[int, int]()
    for key, result in each_done(pool, squares(range(9)), 3):
        found[key] = result
        if len(found) >= 7 and pool.waiting:  # all are submitted
            pool.finish()
    assert list(found) != sorted(found)
    assert found == {number: number * number for number in range(9)}
    assert pool.most == 3


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_no_more_are_under_way_than_asked_for(ahead: int) -> None:
    lock, running, most, started = Lock(), [0], [0], []

    def work(number: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.005)
        with lock:
            running[0] -= 1
        return number

    def calls() -> Iterator[tuple[int, Callable[[int], int], tuple[int]]]:
        for number in range(20):
            started.append(number)
            yield number, work, (number,)

    with ThreadPoolExecutor(10) as pool:
        done = each_done(pool, calls(), ahead)
        first = next(done)
        assert len(started) == ahead  # calls are made as others are done: none is made up beforehand
        assert sorted([first, *done]) == [(number, number) for number in range(20)]
    assert most[0] <= ahead


def test_a_pool_that_works_when_asked_yields_one_result_after_the_other() -> None:
    order: list[str] = []

    def work(number: int) -> int:
        order.append(f"work {number}")
        return number

    for key, _ in each_done(InProcess(), ((number, work, (number,)) for number in range(3)), 1):
        order.append(f"told {key}")
    assert order == ["work 0", "told 0", "work 1", "told 1", "work 2", "told 2"]


def test_nothing_to_do_yields_nothing() -> None:
    assert list(each_done(InProcess(), (), 4)) == []


def test_one_worker_is_this_process() -> None:
    with executor(1) as pool:
        assert pool.submit(os.getpid).result() == os.getpid()
        assert multiprocessing.active_children() == []


def test_an_error_here_is_the_futures_to_tell_and_an_interrupt_is_not() -> None:
    future = InProcess().submit(operator.truediv, 1, 0)
    assert isinstance(future.exception(), ZeroDivisionError)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InProcess().submit(interrupted)


def test_an_error_comes_after_the_results_before_it() -> None:
    calls = [(number, operator.truediv, (1, 1 - number)) for number in range(3)]
    done = each_done(InProcess(), calls, 1)
    assert next(done) == (0, 1.0)
    with pytest.raises(ZeroDivisionError):
        next(done)


# --- processes ---


def test_workers_are_other_processes_with_one_thread_that_leave_ctrl_c_to_their_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before, threads = dict(os.environ), parallel.processors()
    with executor(2) as pool:
        assert dict(os.environ) == before
        assert len(multiprocessing.active_children()) == 2
        for name in THREADS:
            assert {pool.submit(os.getenv, name).result() for _ in range(4)} == {"1"}
        assert pool.submit(os.getpid).result() != os.getpid()
        assert pool.submit(parallel.processors).result() == 1
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
        assert dict(each_done(pool, squares(range(12)), 4)) == {number: number**2 for number in range(12)}
    assert multiprocessing.active_children() == []
    assert dict(os.environ) == before
    assert parallel.processors() == threads  # the limit is the workers' own


def test_an_error_in_a_worker_is_raised_and_no_process_is_left() -> None:
    """The other worker is in the middle of a task that would take a minute."""
    calls: list[tuple[int, Callable[..., object], tuple[Any, ...]]] = [
        (0, time.sleep, (60,)), (1, operator.truediv, (1, 0)), (2, time.sleep, (60,))
    ]  # fmt: skip
    workers = []

    def run() -> None:
        with executor(2) as pool:
            workers.extend(multiprocessing.active_children())
            list(each_done(pool, calls, 4))

    started = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        run()
    assert within(10, lambda: multiprocessing.active_children() == [])
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL] * 2
    assert time.monotonic() - started < 40


def test_an_interrupt_here_ends_the_workers_and_no_other_process() -> None:
    """A process that somebody else started goes on."""

    def run() -> None:
        with executor(2) as pool:
            pool.submit(time.sleep, 60)
            raise KeyboardInterrupt

    other = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run()
        assert within(10, lambda: len(multiprocessing.active_children()) <= 1)
        assert multiprocessing.active_children() == [other]
    finally:
        other.terminate()
        other.join(20)
    assert other.exitcode == -signal.SIGTERM


SCRIPT = """
import multiprocessing, time
from synthcli.executors import executor

with executor(2) as pool:
    tasks = [pool.submit(time.sleep, 60) for _ in range(4)]
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(60)
"""


def is_running(pid: int) -> bool:
    """Say whether a process is there and no zombie, which nobody has to collect."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    try:
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_end_when_their_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    workers: list[int] = []
    try:
        assert parent.stdout is not None
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2
        assert all(is_running(worker) for worker in workers)
        parent.kill()
        parent.wait(10)
        assert within(10, lambda: not any(is_running(worker) for worker in workers))
    finally:
        parent.kill()
        parent.wait(10)
        parent.stdout.close()
        for worker in workers:
            if is_running(worker):
                os.kill(worker, signal.SIGKILL)
