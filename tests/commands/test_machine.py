"""What a machine has, read from folders that are made up: control groups of both generations, disks, GPUs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from synthcli.commands import machine
from synthcli.diagnosis import Device, Memory
from synthcli.progress import Log

KB = 1024
UNLIMITED = "9223372036854771712"


def system(root: Path, groups: str, files: dict[str, str], total: int = 8000, available: int = 4000) -> Path:
    """Write a Linux with so many KB of memory, and the files of its control groups."""
    text = f"MemTotal: {total} kB\nMemFree: 1 kB\nMemAvailable: {available} kB\nHugePages_Total: 0\n"
    for name, content in {"proc/meminfo": text, "proc/self/cgroup": groups, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


def group(folder: str, limit: object, used: int, cached: int) -> dict[str, str]:
    """Return the files of a group of the second generation; figures in KB."""
    return {
        f"sys/fs/cgroup{folder}/memory.max": f"{limit * KB if isinstance(limit, int) else limit}\n",
        f"sys/fs/cgroup{folder}/memory.current": f"{used * KB}\n",
        f"sys/fs/cgroup{folder}/memory.stat": f"anon 1\ninactive_file {cached * KB}\n",
    }


def test_without_control_groups_memory_is_the_machines(tmp_path: Path) -> None:
    assert machine.memory(system(tmp_path, "", {})) == Memory(8000 * KB, 4000 * KB)


def test_the_limit_of_a_control_group_is_what_there_is_and_cached_files_are_free(tmp_path: Path) -> None:
    root = system(tmp_path, "0::/job\n", group("/job", 2000, 1500, 400))
    assert machine.memory(root) == Memory(2000 * KB, 900 * KB, True)


def test_the_tightest_group_on_the_way_up_counts(tmp_path: Path) -> None:
    inner, outer = group("/a/b", "max", 100, 0), group("/a", 1000, 700, 100)
    assert machine.memory(system(tmp_path, "0::/a/b\n", {**inner, **outer})) == Memory(1000 * KB, 400 * KB, True)


def test_in_a_container_its_own_root_is_its_group(tmp_path: Path) -> None:
    assert machine.memory(system(tmp_path, "0::/\n", group("", 1000, 200, 0))) == Memory(1000 * KB, 800 * KB, True)
    elsewhere = system(tmp_path / "other", "0::/../not/here\n", group("", 1000, 200, 0))
    assert machine.memory(elsewhere) == Memory(1000 * KB, 800 * KB, True)


def test_a_limit_is_no_promise_where_the_machine_has_less_free(tmp_path: Path) -> None:
    root = system(tmp_path, "0::/\n", group("", 6000, 100, 0), available=300)
    assert machine.memory(root) == Memory(6000 * KB, 300 * KB, True)


@pytest.mark.parametrize(
    ("limit", "expected"), [(str(3000 * KB), (3000, 2500, True)), (UNLIMITED, (8000, 4000, False))]
)
def test_the_first_generation_of_control_groups(tmp_path: Path, limit: str, expected: tuple[int, int, bool]) -> None:
    place = "sys/fs/cgroup/memory/job/memory"
    files = {
        f"{place}.limit_in_bytes": limit,
        f"{place}.usage_in_bytes": str(1000 * KB),
        f"{place}.stat": f"inactive_file 0\ntotal_inactive_file {500 * KB}\n",
    }
    groups = "9:name=systemd:/\n4:cpu,memory:/job\n1:cpuset:/\n0::/\n"
    total, available, limited = expected
    assert machine.memory(system(tmp_path, groups, files)) == Memory(total * KB, available * KB, limited)


def test_where_the_system_does_not_say_what_is_free_that_is_unknown(tmp_path: Path) -> None:
    found = machine.memory(tmp_path)
    assert found == Memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None)


def test_a_folder_is_tried_and_nothing_stays(tmp_path: Path) -> None:
    found = machine.folder(tmp_path, write=True, make=True)
    assert (found.exists, found.trouble, found.tried) == (True, "", True)
    assert found.free is not None
    assert found.free > 0
    assert os.listdir(tmp_path) == []


def test_the_nearest_folder_above_answers_for_one_that_can_be_made(tmp_path: Path) -> None:
    found = machine.folder(tmp_path / "a" / "b", write=True, make=True)
    assert (found.path, found.exists, found.trouble) == (str(tmp_path / "a" / "b"), False, "")
    assert os.listdir(tmp_path) == []
    assert machine.folder(tmp_path / "a", write=True, make=False).trouble == "no such folder"


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        assert machine.folder(path, write=True, make=True).trouble == "a file stands there"


def test_a_full_disk_is_told(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        (small_disk / "big").write_bytes(bytes(3 << 20))
    found = machine.folder(small_disk, write=True, make=True)
    assert (found.trouble, found.free) == ("no space left on device", 0)
    assert os.listdir(small_disk) == ["big"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"TMPDIR": "/a", "TMP": "/b"}, "/a"), ({"TMPDIR": "", "TMP": "/b"}, "/b"), ({}, "/tmp")],
)
def test_temporary_files_go_where_python_puts_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine.temporary_folder() == Path(expected)


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let processes that are started find another torch, whose code the test writes to the path."""
    package = tmp_path / "torch" / "__init__.py"
    package.parent.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    return package


def with_a_gpu(root: Path) -> Path:
    (root / "dev").mkdir()
    (root / "dev" / "nvidiactl").touch()
    return root


def test_torch_is_not_asked_where_it_has_no_choice(tmp_path: Path, torch: Path) -> None:
    torch.write_text("raise SystemExit(9)")
    log = Log("doctor", quiet=True)
    assert machine.device("2.13.0", log, tmp_path) == Device("cpu")
    assert machine.device(None, log, tmp_path) == Device("")
    assert machine.device("2.13.0+cpu", log, with_a_gpu(tmp_path)) == Device("cpu", True)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("class cuda: is_available = staticmethod(lambda: True)", Device("cuda", True)),
        ("raise ImportError('libcudart.so.12: no such file')", "ImportError: libcudart.so.12: no such file"),
        ("import os; os._exit(7)", "exit 7"),
    ],
)
def test_where_there_is_a_gpu_torch_is_asked_and_may_fail(
    tmp_path: Path, torch: Path, code: str, expected: Device | str
) -> None:
    torch.write_text(code)
    found = machine.device("2.13.0", Log("doctor", quiet=True), with_a_gpu(tmp_path))
    assert found == (Device("", True, expected) if isinstance(expected, str) else expected)


def test_a_file_of_the_working_directory_is_no_torch(
    tmp_path: Path, torch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.write_text("class cuda: is_available = staticmethod(lambda: True)")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "torch.py").write_text("raise ImportError('not this one')")
    monkeypatch.chdir(elsewhere)
    assert machine.device("2.13.0", Log("doctor", quiet=True), with_a_gpu(tmp_path)) == Device("cuda", True)


def test_a_torch_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, torch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(machine, "_PATIENCE", 0.2)
    found = machine.device("2.13.0", Log("doctor", quiet=True), with_a_gpu(tmp_path))
    assert found == Device("", True, "no answer within 0.2 s")


def test_the_peak_grows_with_what_is_held() -> None:
    before = machine.peak_memory()
    held = bytearray(before)
    held[::4096] = b"x" * len(held[::4096])
    assert machine.peak_memory() > before > 5_000_000


def test_without_the_system_s_files_the_peak_is_asked_elsewhere(tmp_path: Path) -> None:
    assert machine.peak_memory(tmp_path) > 5_000_000
