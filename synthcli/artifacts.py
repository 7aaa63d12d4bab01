"""Files that are complete or absent: temporary name in the same directory, fsync, then one rename.

A reader never sees half of a file or of a generator's folder under its final name, whatever stops the writer.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import math
import os
import re
import shutil
import socket
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synthcli import remote
from synthcli.errors import UsageError, no_room

#: The record of the run that made a folder's files, beside them.
RUN_RECORD = "run.json"
_CHUNK = 1 << 20
#: What numpy and zipfile raise for a file of arrays that is damaged somewhere.
DAMAGED_ARRAYS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
#: Temporary names that tell whose they are: a file beside its final name, a folder of tasks, one in ``TMPDIR``.
_OWNED = re.compile(
    r"\..*\.(?P<file>\d+)-\w+\.tmp.*|\.tasks\.(?P<host>.*)\.(?P<tasks>\d+)\.\w+\.tmp|synthcli-(?P<folder>\d+)-\w+"
)


@contextmanager
def atomic_path(final: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``final``; on a clean exit it replaces ``final``, else it is removed.

    ``mode`` sets the permission bits; without it the user's umask rules, as for any file that they write. A device or a
    pipe, such as ``/dev/null``, is a ``UsageError``: a file that took its place would break the machine.
    """
    with atomic_paths(final, mode=mode) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(*finals: Path, mode: int | None = None) -> Iterator[tuple[Path, ...]]:
    """Yield temporary paths for files that belong together, each as :func:`atomic_path` does; all replace or none."""
    temporaries: list[Path] = []
    try:
        for final in finals:
            temporaries.append(_temporary(final))
            temporaries[-1].chmod(_umask_mode(0o666) if mode is None else mode)
        yield tuple(temporaries)
        for temporary in temporaries:
            _sync(temporary)
        _replace(list(zip(temporaries, finals, strict=True)))
        for folder in {final.parent for final in finals}:
            _sync(folder)
    except OSError as error:
        if no_room(error):  # said of a file that a person knows; most writers name none
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(finals[0])) from error
        raise
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


def _temporary(final: Path) -> Path:
    linked = final.is_symlink() and os.readlink(final).startswith("/proc/")  # as /dev/stdout, whatever it leads to
    if linked or (final.exists() and not final.is_file() and not final.is_dir()):
        raise UsageError(f"{final}: got a device or a pipe, expected a file", "name a file; - is stdout")
    final.parent.mkdir(parents=True, exist_ok=True)
    _clear_stale(final)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{final.name}.{os.getpid()}-", suffix=f".tmp{final.suffix}", dir=final.parent
        )
    except OSError as error:
        error.filename = str(final)  # what the user knows of
        raise
    os.close(handle)
    return Path(name)


def _replace(moves: Sequence[tuple[Path, Path]]) -> None:
    """Rename all or none: who is told to end in between finishes first."""
    try:
        for temporary, final in moves:
            os.replace(temporary, final)
    except BaseException:
        left = [move for move in moves if move[0].exists()]
        for temporary, final in left if len(left) < len(moves) else ():
            os.replace(temporary, final)
        raise


@contextmanager
def delivered(target: Path | str) -> Iterator[Path]:
    """Yield the path to write to: ``target``, or where that is a URL a temporary file, put there on a clean exit."""
    if isinstance(target, Path):
        yield target
        return
    with tempfile.TemporaryDirectory(prefix=own_prefix()) as folder:
        local = Path(folder) / remote.name(target)[-40:]  # a key may be longer than a file's name
        yield local
        remote.put(local, target)


@contextmanager
def staging_folder(final: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``final``; what :func:`move_into_place` did not take from there is removed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent))
    try:
        temporary.chmod(_umask_mode(0o777))
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def move_into_place(temporary: Path, final: Path) -> None:
    """Rename a finished folder, its files safe on disk first; ``final`` must not exist."""
    for path in sorted(temporary.rglob("*")):
        _sync(path)
    os.rename(temporary, final)
    _sync(final.parent)


def write_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path, mode=mode) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """Write ``document`` as :func:`json_text`, atomically."""
    write_text(path, json_text(document))


def json_text(document: Any) -> str:
    """Return ``document`` as indented JSON with a final newline; NaN is refused, since JSON has none."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Return what the JSON file says; raises as :func:`parse_json`, and ``OSError`` where there is none to be read."""
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str | bytes) -> Any:
    """Return what JSON says; raises ``ValueError`` for all else: NaN and numbers beyond a float, endless nesting too.

    The files come from anyone, and whoever reads them foresees a ``ValueError`` and no ``RecursionError``.
    """
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError("a number that JSON has not")
    return value


def sha256(path: Path) -> str:
    """Return the file's SHA-256 in hex, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _clear_stale(final: Path) -> None:
    """Remove temporary files for ``final`` of processes that are gone (killed, or the machine went down)."""
    for path in final.parent.glob(f".{glob.escape(final.name)}.*-*.tmp*"):
        if left_behind(path):
            path.unlink(missing_ok=True)


def own_prefix() -> str:
    """Return how this process's folders in ``TMPDIR`` begin."""
    return f"synthcli-{os.getpid()}-"


def left_behind(path: Path) -> bool | None:
    """Whether the process of this machine that a temporary file or folder belongs to is gone.

    ``None`` where its name does not tell, or is another machine's.
    """
    found = _OWNED.fullmatch(path.name)
    if found is None or found["host"] not in (None, socket.gethostname()):
        return None
    return not alive(int(found["file"] or found["tasks"] or found["folder"]))


def alive(pid: int) -> bool:
    """Whether a process of this machine is there, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _umask_mode(full: int) -> int:
    """Return ``full`` less the process's umask (mkstemp and mkdtemp ignore the umask and are always private)."""
    mask = os.umask(0o077)
    os.umask(mask)
    return full & ~mask


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
