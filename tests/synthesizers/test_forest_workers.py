"""A forest is the same whoever grows its trees and draws its blocks, and nothing of the real rows is left behind."""

from __future__ import annotations

import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from synthcli import parallel
from synthcli.artifacts import sha256
from synthcli.errors import BadTableError
from synthcli.schema import Column, Kind, Schema
from synthcli.seeds import generator
from synthcli.synthesizers.assembly import fit_table
from synthcli.synthesizers.crew import AUTO_SECONDS, HERE, Apart, Crew, Job, crew
from synthcli.synthesizers.forest import Forest, filling


def table(rows: int) -> pl.DataFrame:
    """Numbers, few levels, and so many that each tree groups them by what they go with; some cells are missing."""
    draw = generator(3, "workers", rows)
    x = draw.normal(size=rows)
    town = (draw.integers(0, 45, rows) + (x > 0) * 20) % 50
    frame = pl.DataFrame(
        {
            "x": x.round(2),
            "y": (x + draw.normal(0, 0.5, rows)).round(1),
            "town": pl.Series(town).cast(pl.String),
            "other": pl.Series((town + draw.integers(0, 3, rows)) % 40).cast(pl.String),
            "flag": draw.random(rows) < 0.3,
        }
    )
    return frame.with_columns(
        pl.when(pl.Series(draw.random(rows) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("y", "town")
    )


TABLE = table(600)
FLOATS = ("x", "y")


def schema_of(frame: pl.DataFrame) -> Schema:
    kinds = {"flag": Kind.BOOLEAN} | dict.fromkeys(FLOATS, Kind.NUMERIC)
    return Schema(
        tuple(Column(name, kinds.get(name, Kind.CATEGORICAL), str(dtype)) for name, dtype in frame.schema.items())
    )


def silent(share: float, note: str) -> None:
    pass


def every(rows: pl.DataFrame) -> np.ndarray:
    return np.ones(rows.height, np.bool_)


def files(by: Crew, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a generator that ``by`` fitted."""
    folder.mkdir()
    fit_table(TABLE, schema_of(TABLE), "forest", {"trees": 2}, 7, silent, (), by).save(folder)
    return {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def completed(by: Crew) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the table with its holes filled, and with some of its cells drawn anew."""
    names = TABLE.columns
    filled = Forest.fill(TABLE, schema_of(TABLE), names, {"trees": 2}, 1, silent, every, resample=True, crew=by)
    redrawn = {name: generator(4, name).random(TABLE.height) < 0.5 for name in names}
    varied = Forest.vary(TABLE, schema_of(TABLE), redrawn, TABLE, {"trees": 2}, 2, silent, every, crew=by)
    return filled.table, varied.table


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.glob(".tasks.*")]


# --- who does the work makes no difference ---


def test_the_number_of_threads_makes_no_difference(tmp_path: Path) -> None:
    with parallel.kept_to(1):
        alone, tables = files(HERE, tmp_path / "one"), completed(HERE)
    assert files(HERE, tmp_path / "more") == alone
    assert all(one.equals(other) for one, other in zip(completed(HERE), tables, strict=True))


@pytest.mark.slow
def test_two_processes_fit_and_fill_as_this_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "BLOCK", 170)
    with crew(2, tmp_path) as hands:
        assert isinstance(hands, Apart)
        assert files(hands, tmp_path / "two") == files(HERE, tmp_path / "one")
        # A block's size is no setting: workers are handed where blocks start and end.
        assert all(one.equals(other) for one, other in zip(completed(hands), completed(HERE), strict=True))
    assert left(tmp_path) == []


@pytest.mark.slow
def test_a_cluster_fits_and_fills_as_this_process_does(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    from clusters import started

    with started(tmp_path) as cluster, crew(cluster.address, tmp_path) as hands:
        assert files(hands, tmp_path / "there") == files(HERE, tmp_path / "here")
        assert all(one.equals(other) for one, other in zip(completed(hands), completed(HERE), strict=True))
    assert left(tmp_path) == []


def test_blocks_of_rows_do_not_depend_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = completed(HERE)[1]
    monkeypatch.setattr(filling, "BLOCK", 170)
    blocks = completed(HERE)[1]
    assert not blocks.equals(whole)
    assert blocks.height == whole.height


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    expected = files(HERE, tmp_path / "here")
    with crew(2, tmp_path) as hands:
        with hands.job(1.0) as job:
            workers = set(job.run(_process, [(0.1,)] * 8))
        killer = threading.Timer(0.05, os.kill, (workers.pop(), signal.SIGKILL))
        killer.start()
        assert files(hands, tmp_path / "there") == expected
        killer.join()
    assert left(tmp_path) == []


def _process(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


# --- what is put down ---


def numbers(job: Job) -> Any:
    return job.array(np.arange(5))


def test_here_a_task_is_handed_the_thing_itself() -> None:
    array = np.arange(5)
    with HERE.job(1.0) as job:
        assert job.array(array).get() is array
        assert job.run(lambda a, b: a + b, [(1, 2), (3, 4)]) == [3, 7]


def test_results_come_in_the_order_of_the_calls() -> None:
    heard: list[int] = []
    with HERE.job(1.0) as job:
        found = job.run(lambda n: time.sleep((9 - n) / 500) or n, [(n,) for n in range(9)], heard.append)
    assert found == list(range(9))
    assert heard == list(range(1, 10))


def test_without_threads_tasks_run_one_after_the_other_in_this_thread() -> None:
    with HERE.job(1.0, threads=False) as job:
        assert job.run(threading.get_ident, [()] * 3) == [threading.get_ident()] * 3


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    with HERE.job(1.0) as here:
        reference = numbers(Job(here.pool, tmp_path, here.ahead))
    [path] = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert reference.get().tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="read-only"):
        reference.get()[0] = 1
    path.unlink()
    with pytest.raises(BadTableError, match="a worker does not see"):
        reference.get()


def test_the_scratch_folder_is_private_and_goes_with_the_crew(tmp_path: Path) -> None:
    with crew(2, tmp_path) as hands:
        assert left(tmp_path) == []  # nothing is started before there is work
        with hands.job(1.0) as job:
            numbers(job)
            [name] = left(tmp_path)
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700
    assert left(tmp_path) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_scratch_folder_goes_with_an_error_too(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> None:
        with crew(2, tmp_path) as hands, hands.job(1.0) as job:
            numbers(job)
            raise error

    with pytest.raises(error):
        interrupted()
    assert left(tmp_path) == []


def test_what_a_killed_run_left_goes_with_the_next_crew_and_a_living_ones_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "here.example")
    gone = 2**22 - 1  # no process has so high a number
    for host, process in (("here.example", gone), ("here.example", os.getpid()), ("elsewhere", gone)):
        (tmp_path / f".tasks.{host}.{process}.abc.tmp").mkdir()
    with crew(1, tmp_path):
        stays = [f".tasks.elsewhere.{gone}.abc.tmp", f".tasks.here.example.{os.getpid()}.abc.tmp"]
        assert sorted(left(tmp_path)) == stays


# --- when processes are started ---


@pytest.mark.parametrize(
    ("workers", "seconds", "threads", "apart"),
    [
        ("auto", AUTO_SECONDS / 2, False, False),
        ("auto", AUTO_SECONDS * 2, False, True),
        ("auto", AUTO_SECONDS * 2, True, False),
        (2, 0.0, True, True),
        (1, AUTO_SECONDS * 2, False, False),
    ],
)
def test_auto_starts_processes_for_much_work_that_threads_cannot_share(
    tmp_path: Path, workers: int | str, seconds: float, threads: bool, apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "processors", lambda: 2)
    with crew(workers, tmp_path) as hands, hands.job(seconds, threads=threads) as job:
        assert (job.folder is not None) == apart


def test_one_processor_starts_none(tmp_path: Path) -> None:
    with parallel.kept_to(1), crew("auto", tmp_path) as hands:
        assert hands is HERE


def test_other_kinds_ignore_the_crew(tmp_path: Path) -> None:
    class Nobody:
        def job(self, seconds: float, *, threads: bool = True) -> Any:
            raise AssertionError

    told: Callable[[float, str], None] = silent
    fit_table(TABLE, schema_of(TABLE), "independent", {}, 1, told, (), Nobody())


def _text(value: str, path: Path) -> None:
    path.write_text(value)


def test_what_a_worker_keeps_is_checked_before_it_is_read(tmp_path: Path) -> None:
    """It may be a generator, whose files are executed."""
    read: list[Path] = []
    with crew(2, tmp_path) as hands, hands.job(0.0) as job:
        kept = job.put("rows", _text, lambda path: read.append(path) or path.read_text())
        assert job.folder is not None
        [path] = job.folder.iterdir()
        path.write_text("others")
        with pytest.raises(BadTableError, match="is not what was put there"):
            kept.get()
        assert read == []
        path.write_text("rows")
        assert kept.get() == "rows"
