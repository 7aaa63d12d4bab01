"""Executors: all results come, also where workers are ended from outside; no more are under way than asked for, and no
process is left behind.
"""

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
from threading import Event, Lock
from typing import Any

import pytest
import tasks
from clusters import within

from synthcli import parallel
from synthcli.errors import EngineError
from synthcli.executors import TRIES, InProcess, as_workers, at_most, chosen, counted, each_done, executor, in_order

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "NUMEXPR_NUM_THREADS")


def squares(numbers: range) -> Iterator[tuple[int, Callable[..., int], tuple[int, int]]]:
    return ((number, operator.mul, (number, number)) for number in numbers)


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


def test_results_in_the_order_of_the_calls_whatever_order_they_are_done_in() -> None:
    done, others = [], Event()

    def work(number: int) -> int:
        if number == 0:
            assert others.wait(20)
        done.append(number)
        if {1, 2} <= set(done):
            others.set()
        return number * number

    with ThreadPoolExecutor(3) as pool:
        found = list(in_order(pool, ((number, work, (number,)) for number in range(9)), 3))
    assert found == [(number, number * number) for number in range(9)]
    assert done.index(0) > 1


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_what_waits_for_its_turn_counts_among_those_under_way(ahead: int) -> None:
    """The first call is the last to be done: meanwhile others are done, and none is made up beyond the bound."""
    made, told, most = 0, 0, 0
    first = Event()

    def calls() -> Iterator[tuple[int, Callable[..., object], tuple[object, ...]]]:
        nonlocal made, most
        for number in range(20):
            made += 1
            most = max(most, made - told)
            if made == ahead:
                first.set()
            yield number, (first.wait if number == 0 else abs), (20 if number == 0 else number,)

    with ThreadPoolExecutor(10) as pool:
        for key, _ in in_order(pool, calls(), ahead):
            assert key == told
            told += 1
    assert (made, told, most) == (20, 20, ahead)


def test_an_error_comes_at_its_place_although_it_was_there_before() -> None:
    failed = Event()

    def work(number: int) -> int:
        if number == 2:
            failed.set()
            raise ZeroDivisionError
        assert failed.wait(20)
        return number

    with ThreadPoolExecutor(4) as pool:
        done = in_order(pool, ((number, work, (number,)) for number in range(4)), 4)
        assert [next(done), next(done)] == [(0, 0), (1, 1)]
        with pytest.raises(ZeroDivisionError):
            next(done)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (None, None),
        ("1", 1),
        ("12", 12),
        ("0", 0),
        ("auto", "auto"),
        ("tcp://host:8786", "tcp://host:8786"),
        ("-1", "-1"),
        ("2.0", "2.0"),
        ("٣", "٣"),
        ("²", "²"),
        ("", ""),
    ],
)
def test_what_the_option_says(text: str | None, meant: int | str | None) -> None:
    assert as_workers(text) == meant


def test_auto_is_one_a_processor_and_no_worker_is_without_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "processors", lambda: 7)
    assert [chosen("auto"), chosen(3), chosen("tcp://host:1")] == [7, 3, "tcp://host:1"]
    assert [at_most(4, tasks) for tasks in (0, 1, 3, 4, 9)] == [1, 1, 3, 4, 4]
    assert at_most("tcp://host:1", 1) == "tcp://host:1"
    assert counted(5) == 5


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


def named(key: int) -> str:
    return f"the square of {key}"


def test_a_task_whose_worker_is_ended_is_run_again_and_no_other(tmp_path: Path) -> None:
    """Task 0 is under way in the other worker all the time: it is not disturbed."""
    folder = str(tmp_path)
    calls: list[tuple[int, Callable[..., int], tuple[Any, ...]]] = [
        (0, tasks.square, (folder, 0, 1.5)),
        (1, tasks.ended, (folder, 1, 1)),
        (2, tasks.square, (folder, 2)),
        (3, tasks.ended, (folder, 3, TRIES - 1)),
        (4, tasks.square, (folder, 4)),
    ]
    with executor(2) as pool:
        found = list(each_done(pool, calls))
    assert sorted(found) == [(key, key * key) for key in range(5)]
    assert [len(tasks.processes(folder, key)) for key in range(5)] == [1, 2, 1, TRIES, 1]
    assert tasks.processes(folder, 1)[0] != tasks.processes(folder, 1)[1]
    assert multiprocessing.active_children() == []


def test_results_in_order_whose_worker_is_ended(tmp_path: Path) -> None:
    calls = [(key, tasks.ended, (str(tmp_path), key, key == 1)) for key in range(4)]
    with executor(2) as pool:
        assert list(in_order(pool, calls)) == [(key, key * key) for key in range(4)]


def test_a_worker_that_is_ended_while_it_has_no_task_is_replaced(tmp_path: Path) -> None:
    with executor(1, apart=True) as pool:
        assert pool.submit(tasks.square, str(tmp_path), 2).result() == 4
        (worker,) = tasks.processes(tmp_path, 2)
        assert worker != os.getpid()
        os.kill(worker, signal.SIGKILL)
        assert within(10, lambda: not is_running(worker))
        assert pool.submit(tasks.square, str(tmp_path), 3).result() == 9
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("yielding", [each_done, in_order])
def test_a_task_that_ends_its_worker_each_time_is_named(yielding: Callable[..., Any], tmp_path: Path) -> None:
    folder = str(tmp_path)
    calls: list[tuple[int, Callable[..., int], tuple[Any, ...]]] = [
        (7, tasks.ended, (folder, 7, 99)),
        (8, tasks.square, (folder, 8, 60.0)),
    ]

    def run() -> None:
        with executor(2) as pool:
            list(yielding(pool, calls, called=named))

    with pytest.raises(EngineError, match=r"^the square of 7: .* ended from outside") as raised:
        run()
    assert raised.value.exit_code == 4
    assert f"{TRIES} times" in raised.value.message
    assert "--workers" in raised.value.hint
    assert len(tasks.processes(folder, 7)) == TRIES
    assert within(10, lambda: multiprocessing.active_children() == [])
    assert not any(is_running(pid) for key in (7, 8) for pid in tasks.processes(folder, key))


def test_an_error_of_a_task_is_not_taken_for_the_end_of_its_worker(tmp_path: Path) -> None:
    def run() -> None:
        with executor(1, apart=True) as pool:
            list(each_done(pool, [(5, tasks.failing, (str(tmp_path), 5))], called=named))

    with pytest.raises(ZeroDivisionError, match="task 5"):
        run()
    assert len(tasks.processes(tmp_path, 5)) == 1
    assert within(10, lambda: multiprocessing.active_children() == [])


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


HEEDS = """
import time, polars
from synthcli.executors import each_done, executor

if __name__ == "__main__":
    with executor(2) as pool:
        print("ready", flush=True)
        list(each_done(pool, [(number, time.sleep, (60,)) for number in range(2)]))
"""


def test_ctrl_c_is_heeded_in_the_middle_of_a_long_task(tmp_path: Path) -> None:
    """Also where a library has taken over the signal, so that one long wait would not end."""
    (tmp_path / "heeds.py").write_text(HEEDS)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "heeds.py")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert within(20, lambda: process.poll() is not None)
        process.kill()
    assert process.returncode not in (0, -signal.SIGKILL)
