"""What this machine has for a process: memory within its limits, room to write, and the device that torch finds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from synthcli.diagnosis import Device, Folder, Memory
from synthcli.progress import Log

#: Where Linux shows GPUs: NVIDIA's, AMD's, and those of a Windows below.
_GPUS = ("dev/nvidiactl", "dev/kfd", "dev/dxg")
_PROBE = (
    "import torch\n"
    "print('cuda' if torch.cuda.is_available() else 'mps' if torch.backends.mps.is_available() else 'cpu')"
)
#: Seconds that torch may take to say so.
_PATIENCE = 120


def memory(root: Path = Path("/")) -> Memory:
    """Return the memory that this process may have: the machine's, or less where its control groups limit it.

    ``root`` is where the system's folders are looked for. Pages that only cache files count as free.
    """
    said = _meminfo(root / "proc" / "meminfo")
    total = said.get("MemTotal") or _installed()
    available = said.get("MemAvailable")
    limits = [(limit, used) for limit, used in _limits(root) if total is None or limit < total]
    if not limits:
        return Memory(total, available)
    free = [max(limit - used, 0) for limit, used in limits]
    return Memory(min(limit for limit, _ in limits), min([*free, *([] if available is None else [available])]), True)


def peak_memory(root: Path = Path("/")) -> int:
    """Return the bytes that this process has had resident at most, its workers apart.

    Linux counts what the program that started this one had into ``getrusage``, and so is asked elsewhere.
    """
    with suppress(OSError):
        for line in (root / "proc" / "self" / "status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def folder(path: Path, *, write: bool, make: bool) -> Folder:
    """Return whether a file can be written in the folder, and the room there; ``write`` tries it, and leaves nothing.

    Where it may be made (``make``) and is not there yet, the nearest folder above answers for it.
    """
    place = path.absolute()
    while make and not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return Folder(str(path), False, None, "no such folder" if not os.path.exists(place) else "a file stands there")
    trouble = _write(place) if write else "" if os.access(place, os.W_OK | os.X_OK) else "permission denied"
    free = None
    with suppress(OSError):
        free = shutil.disk_usage(place).free
    return Folder(str(path), place == path.absolute(), free, trouble, write)


def temporary_folder() -> Path:
    """Return where temporary files go; Python takes another one where that cannot be written to."""
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return Path(next(filter(None, named), "/tmp"))


def device(version: str | None, log: Log, root: Path = Path("/")) -> Device:
    """Return what the installed torch of this version computes on; it is loaded only where that is not plain.

    In a process of its own: a torch that does not fit the driver can take its process with it.
    """
    gpu = any((root / path).exists() for path in _GPUS)
    if version is None:
        return Device("", gpu)
    if version.endswith("+cpu") or not (gpu or sys.platform == "darwin"):
        return Device("cpu", gpu)
    with log.phase("ask torch for its device"):
        name, trouble = _asked()
    return Device(name, gpu, trouble)


def _asked() -> tuple[str, str]:
    """Return the device that torch finds, or why it does not say."""
    try:
        done = subprocess.run(
            # Without -P a file torch.py of the working directory would be run.
            [sys.executable, "-P", "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {_PATIENCE} s"
    last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    return (done.stdout.split()[-1], "") if done.returncode == 0 and done.stdout.split() else ("", last)


def _write(place: Path) -> str:
    """Write a file of some bytes to the folder and remove it; return why that fails, empty where it does not."""
    try:
        with tempfile.NamedTemporaryFile(prefix=f".doctor.{os.getpid()}-", suffix=".tmp", dir=place) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return (error.strerror or "cannot be written to").lower()
    return ""


def _meminfo(path: Path) -> dict[str, int]:
    """Return Linux's figures in bytes by name; empty elsewhere."""
    with suppress(OSError):
        lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
        return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3}
    return {}


def _installed() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and use in bytes of each control group that this process is in, the two generations of them."""
    for base, group, names in _groups(root):
        own = PurePosixPath(os.path.normpath(f"/{group}"))
        for each in (own, *own.parents):
            place = base / str(each).lstrip("/")
            with suppress(OSError, ValueError):  # no such group in this container, or "max"
                limit, used = (int((place / name).read_text(encoding="ascii")) for name in names[:2])
                yield limit, used - _cached(place, names[2])


def _groups(root: Path) -> Iterator[tuple[Path, str, tuple[str, str, str]]]:
    mounted = root / "sys" / "fs" / "cgroup"
    with suppress(OSError):
        for line in (root / "proc" / "self" / "cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                yield mounted, group, ("memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                yield mounted / "memory", group, names


def _cached(place: Path, name: str) -> int:
    """Return the bytes of a group's files in memory that it can do without."""
    with suppress(OSError):
        for line in (place / "memory.stat").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    return 0
