"""Artifacts are complete or absent."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from synthcli.artifacts import (
    atomic_path,
    left_behind,
    move_into_place,
    own_prefix,
    sha256,
    staging_folder,
    write_json,
    write_text,
)
from synthcli.errors import UsageError


def write_half(target: AbstractContextManager[Path]) -> None:
    """Begin to write and fail."""
    with target as temporary:
        half = temporary / "model" if temporary.is_dir() else temporary
        half.write_text("half")
        raise RuntimeError


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(atomic_path(target))
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_what_a_killed_writer_left_is_cleared_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / f".report.json.{dead.pid}-abc.tmp.json").write_text("half")
    (tmp_path / f".report.json.{os.getppid()}-abc.tmp.json").write_text("half")
    write_json(tmp_path / "report.json", {})
    assert sorted(os.listdir(tmp_path)) == [f".report.json.{os.getppid()}-abc.tmp.json", "report.json"]


def test_a_finished_write_replaces_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.json"
    write_json(target, {"a": 1})
    write_json(target, {"a": 2})
    assert json.loads(target.read_text()) == {"a": 2}
    assert os.listdir(target.parent) == ["report.json"]


def test_a_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write_half(staging_folder(tmp_path / "0001"))
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_moved_into_place_is_none(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "0001") as staging:
        (staging / "model").write_text("m")
    assert os.listdir(tmp_path) == []
    with staging_folder(tmp_path / "0001") as staging:
        (staging / "model").write_text("m")
        move_into_place(staging, tmp_path / "0001")
    assert (tmp_path / "0001" / "model").read_text() == "m"
    assert os.listdir(tmp_path) == ["0001"]


def test_files_get_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {})
        with staging_folder(tmp_path / "folder") as staging:
            move_into_place(staging, tmp_path / "folder")
    finally:
        os.umask(old)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_a_mode_that_is_asked_for_is_given(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "keys", mode=0o600) as temporary:
        temporary.write_text("k")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert os.listdir(tmp_path) == []


def test_sha256_of_the_published_example(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    """As root a rename would put a file in the place of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="device or a pipe"):
        write_text(pipe, "text")
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_names_tell_whose_process_is_gone() -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    assert left_behind(Path(own_prefix() + "abc")) is False
    assert left_behind(Path(f"synthcli-{dead.pid}-a_c")) is True
    assert left_behind(Path(f".part.parquet.{dead.pid}-abc.tmp.parquet")) is True
    assert left_behind(Path(f".tasks.{socket.gethostname()}.{dead.pid}.abc.tmp")) is True
    assert left_behind(Path(f".tasks.another.machine.{dead.pid}.abc.tmp")) is None
    assert left_behind(Path(".0001.abc.tmp")) is None
