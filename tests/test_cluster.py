"""Executors on a Dask cluster: results as here, workers that are killed, and schedulers that are not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clusters
import pytest
import tasks
from clusters import Cluster, within

from synthcli import executors
from synthcli.errors import EngineError, UsageError
from synthcli.executors import InProcess, each_done, executor, in_order

#: Nobody listens there: the port is not handed out by any system.
NOWHERE = "tcp://127.0.0.1:1"

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster of two workers, which stay the same unless a test kills one."""
    pytest.importorskip("distributed")
    with clusters.started(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def calls(folder: Path, count: int, seconds: float = 0.0) -> list[tuple[int, Callable[..., int], tuple[Any, ...]]]:
    return [(key, tasks.square, (str(folder), key, seconds)) for key in range(count)]


def named(key: int) -> str:
    return f"the square of {key}"


# --- without a cluster ---


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="tcp://x:1: a cluster needs Dask") as raised, executor("tcp://x:1"):
        pass
    assert raised.value.exit_code == 2
    assert "pip install 'synthcli[dask]'" in raised.value.hint


@pytest.mark.parametrize("address", [NOWHERE, "tcp://nowhere.invalid:8786"])
def test_where_no_scheduler_answers_that_is_said(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "_ANSWER", 0.5)
    with pytest.raises(EngineError, match=f"{address}: no scheduler answers there") as raised, executor(address):
        pass
    assert raised.value.exit_code == 4
    assert "dask scheduler" in raised.value.hint


@slow
def test_a_scheduler_without_workers_is_told_from_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "_ANSWER", 2)
    with clusters.started(tmp_path, workers=0) as empty:
        with pytest.raises(EngineError, match="the scheduler has no worker") as raised, executor(empty.address):
            pass
        assert f"dask worker {empty.address}" in raised.value.hint
        assert raised.value.exit_code == 4


# --- results ---


@slow
def test_results_are_those_of_this_process(cluster: Cluster, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    wanted = list(each_done(InProcess(), calls(here, 20)))
    threads = set(threading.enumerate())
    with executor(cluster.address) as pool:
        assert sorted(each_done(pool, calls(there, 20))) == wanted
        assert list(in_order(pool, calls(there, 20))) == wanted
    assert within(5, lambda: {each.name for each in set(threading.enumerate()) - threads} <= {"Dask-Offload_0"})
    by = {pid for key in range(20) for pid in tasks.processes(there, key)}
    assert by == set(cluster.workers().values())


@slow
def test_equal_calls_are_run_each_time(cluster: Cluster, tmp_path: Path) -> None:
    """Dask would hand out the result of the first to all of them."""
    call = (tasks.square, (str(tmp_path), 3))
    with executor(cluster.address) as pool:
        assert dict(each_done(pool, [(key, *call) for key in "abc"])) == dict.fromkeys("abc", 9)
    assert len(tasks.processes(tmp_path, 3)) == 3


@slow
def test_a_cluster_counts_as_its_threads_and_keeps_tasks_to_one(cluster: Cluster) -> None:
    from synthcli import parallel

    assert executors.counted(cluster.address) == 2
    with executor(cluster.address) as pool:
        assert pool.ahead == 4
        assert pool.submit(parallel.processors).result() == 1
    assert parallel.processors() == parallel._available()  # the limit is the workers' own


@slow
def test_no_more_are_under_way_than_asked_for(cluster: Cluster, tmp_path: Path) -> None:
    made, told, most = 0, 0, 0

    def counted() -> Iterator[tuple[int, Callable[..., int], tuple[Any, ...]]]:
        nonlocal made, most
        for call in calls(tmp_path, 20):
            made += 1
            most = max(most, made - told)
            yield call

    with executor(cluster.address) as pool:
        for _ in in_order(pool, counted()):
            told += 1
    assert (made, told, most) == (20, 20, 4)


@slow
def test_an_error_of_a_task_is_its_own_and_those_that_wait_never_begin(cluster: Cluster, tmp_path: Path) -> None:
    folder = str(tmp_path)
    failing = [(0, tasks.failing, (folder, 0)), *[(key, tasks.square, (folder, key, 1.0)) for key in range(1, 9)]]

    def run() -> None:
        with executor(cluster.address) as pool:
            list(each_done(pool, failing, 9, called=named))

    with pytest.raises(ZeroDivisionError, match="task 0"):
        run()
    time.sleep(1.5)
    assert sum(bool(tasks.processes(folder, key)) for key in range(1, 9)) <= 3


@slow
def test_a_worker_of_other_versions_is_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = executors.versions()
    monkeypatch.setattr(executors, "versions", lambda: {**here, "polars": "0.1"})

    def run() -> None:
        with executor(cluster.address) as pool:
            list(each_done(pool, calls(tmp_path, 2)))

    told = f"a worker of the cluster has polars {here['polars']}, this process 0.1"
    with pytest.raises(EngineError, match=told) as raised:
        run()
    assert raised.value.exit_code == 4
    assert "pip install" in raised.value.hint
    assert list(tmp_path.iterdir()) == []


# --- workers and schedulers that are killed ---


@slow
def test_a_killed_worker_costs_its_task_and_nothing_else(cluster: Cluster, tmp_path: Path) -> None:
    """It is killed from outside, in the middle of a task, with others done, under way and waiting."""
    found = []
    before = set(cluster.workers().values())
    with executor(cluster.address) as pool:
        for key, result in each_done(pool, calls(tmp_path, 12, 0.2)):
            found.append((key, result))
            if len(found) == 4:
                under_way = next(key for key in range(12) if tasks.processes(tmp_path, key) and key not in dict(found))
                os.kill(tasks.processes(tmp_path, under_way)[-1], signal.SIGKILL)
    assert sorted(found) == [(key, key * key) for key in range(12)]
    assert len(tasks.processes(tmp_path, under_way)) >= 2
    assert len(before & set(cluster.workers().values())) == 1  # the nanny started another one


@slow
def test_a_task_that_ends_its_worker_each_time_is_named(cluster: Cluster, tmp_path: Path) -> None:
    bad = [(7, tasks.ended, (str(tmp_path), 7, 99))]

    def run() -> None:
        with executor(cluster.address) as pool:
            list(each_done(pool, bad, called=named))

    with pytest.raises(EngineError, match=r"^the square of 7: .* ended from outside more than 3 times") as raised:
        run()
    assert raised.value.exit_code == 4
    assert len(tasks.processes(tmp_path, 7)) > 3
    assert len(cluster.workers()) == 2


SCRIPT = """
import sys
from synthcli.errors import EngineError
from synthcli.executors import each_done, executor, in_order
import tasks

address, folder, yielding = sys.argv[1:]
try:
    with executor(address) as pool:
        calls = ((key, tasks.square, (folder, key, 0.2)) for key in range(200))
        for key, result in {"each_done": each_done, "in_order": in_order}[yielding](pool, calls):
            print(key, flush=True)
except EngineError as error:
    print(error.message)
    print(error.hint)
    sys.exit(error.exit_code)
"""


@slow
@pytest.mark.parametrize("yielding", ["each_done", "in_order"])
def test_a_scheduler_that_goes_away_is_told_once_and_clearly(yielding: str, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    folder = tmp_path / "tasks"
    folder.mkdir()
    with clusters.started(tmp_path) as cluster:
        command = [sys.executable, "-W", "error", "-c", SCRIPT, cluster.address, str(folder), yielding]
        environment = {**os.environ, "PYTHONPATH": str(clusters.TESTS)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                assert process.stdout is not None
                first = [process.stdout.readline() for _ in range(6)]
                cluster.scheduler.kill()
                begun = time.monotonic()
                out, errors = process.communicate(timeout=60)
            finally:
                process.kill()
    assert time.monotonic() - begun < 30
    assert process.returncode == 4
    assert sorted(first) != [""] * 6
    *_, message, hint = out.splitlines()
    assert message == "the scheduler of the cluster has gone away, with all that it was asked to do"
    assert hint.startswith("start it again")
    assert errors == ""
