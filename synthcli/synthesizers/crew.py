"""Who does a generator's heavy work: threads of this process, worker processes, or the workers of a Dask cluster.

A task is a pure function of small arguments and of what many tasks share, the columns of a table say. What is shared is
put down once, and each task gets a reference to it: in this process the thing itself, elsewhere a file in a scratch
folder that all workers see. Such files hold real rows: folder and files are for their owner alone and go with the
job, however it ends; what a killed run left behind goes with the next crew. Results come in the order of the calls, and
depend on nothing else, so that nobody can tell afterwards who did the work.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from concurrent.futures import ThreadPoolExecutor as Threads
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from synthcli.artifacts import left_behind, sha256
from synthcli.errors import BadTableError
from synthcli.executors import InProcess, chosen, each_done, executor
from synthcli.parallel import processors

Value = TypeVar("Value")
Shared_co = TypeVar("Shared_co", covariant=True)
Result = TypeVar("Result")

#: Seconds of work that threads cannot share, on one processor, from which ``auto`` starts processes: to start them and
#: to hand them a generator takes some. Work that threads can share it leaves to them: on two processors they grow the
#: trees of a million rows in two thirds of the time that processes take.
AUTO_SECONDS = 60.0


class Ref(Protocol[Shared_co]):
    """What a task is handed in the place of something large."""

    def get(self) -> Shared_co:
        """Return it; it is to be read and not written."""


@dataclass(frozen=True, slots=True, eq=False)
class Held(Generic[Value]):
    """A thing in this process's memory."""

    value: Value

    def get(self) -> Value:
        """Return it."""
        return self.value


@dataclass(frozen=True, slots=True)
class Stored(Generic[Value]):
    """A thing in a file or folder, how it is read, and its SHA-256 if a worker keeps it for its next task, else none.

    What is kept may be a generator, whose files are executed when they are read: it is checked first.
    """

    path: str
    read: Callable[[Path], Value]
    digest: str

    def get(self) -> Value:
        """Return it; raises ``BadTableError`` where this worker does not see the file."""
        try:
            return _kept(self.path, self.read, self.digest) if self.digest else self.read(Path(self.path))
        except FileNotFoundError as error:
            raise BadTableError(
                f"a worker does not see {self.path}", "give workers the same file system, under the same paths"
            ) from error


@lru_cache(maxsize=1)
def _kept(path: str, read: Callable[[Path], Any], digest: str) -> Any:
    if _digest(Path(path)) != digest:
        raise BadTableError(f"{path}: is not what was put there", "run it again")
    return read(Path(path))


def _digest(path: Path) -> str:
    """Return one SHA-256 for a file, or for all files of a folder by their names."""
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    if not files:
        raise FileNotFoundError(path)
    told = "".join(f"{file.relative_to(path.parent)} {sha256(file)}\n" for file in files)
    return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Job:
    """Work that shares something: put it down, run the tasks.

    Attributes
    ----------
    pool
        Who runs them.
    folder
        Where shared things are put down for other processes; ``None``: all tasks run in this one.
    ahead
        Tasks under way at most; ``None``: as the pool says.
    """

    pool: Executor
    folder: Path | None = None
    ahead: int | None = None

    def array(self, array: NDArray[Any]) -> Ref[NDArray[Any]]:
        """Put an array down. A worker maps its file into memory and reads of it what it needs."""
        return self.put(array, _write_array, _read_array, keep=False)

    def put(
        self, value: Value, write: Callable[[Value, Path], None], read: Callable[[Path], Value], *, keep: bool = True
    ) -> Ref[Value]:
        """Put a thing down that ``write`` and ``read`` know how to; with ``keep`` a worker reads it once."""
        if self.folder is None:
            return Held(value)
        path = self.folder / uuid4().hex
        write(value, path)
        _make_private(path)
        return Stored(str(path), read, _digest(path) if keep else "")

    def run(
        self,
        function: Callable[..., Result],
        calls: Sequence[tuple[Any, ...]],
        tell: Callable[[int], None] = lambda done: None,
    ) -> list[Result]:
        """Return the results of all ``calls``, in their order; ``tell`` hears how many are done."""
        found: dict[int, Result] = {}
        numbered = ((number, function, arguments) for number, arguments in enumerate(calls))
        for number, result in each_done(self.pool, numbered, self.ahead, called=lambda n: f"task {n + 1}"):
            found[number] = result
            tell(len(found))
        return [found[number] for number in range(len(calls))]


class Crew(Protocol):
    """Whoever can be given a job."""

    def job(self, seconds: float, *, threads: bool = True) -> AbstractContextManager[Job]:
        """Take on work of about ``seconds`` on one processor; without ``threads`` no two tasks run in one process."""


class Here:
    """This process: as many threads as there are processors."""

    @contextmanager
    def job(self, seconds: float, *, threads: bool = True) -> Iterator[Job]:
        """Take on any work."""
        if not threads or processors() == 1:
            yield Job(InProcess())
            return
        with Threads(processors()) as pool:
            try:
                yield Job(pool, ahead=2 * processors())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


#: The crew of whoever has none.
HERE: Crew = Here()


class Apart:
    """Other processes, started (or asked) when the first job comes that is for them.

    ``opened`` closes them, and removes the scratch folder under ``root``.
    """

    def __init__(self, workers: int | str, root: Path, opened: ExitStack, auto: bool) -> None:
        self._workers, self._root, self._opened, self._auto = workers, root, opened, auto
        self._pool: Executor | None = None
        self._scratch = Path()

    @contextmanager
    def job(self, seconds: float, *, threads: bool = True) -> Iterator[Job]:
        """Take on the work, or leave it to this process where ``auto`` says that it is done sooner there."""
        if self._auto and (threads or seconds < AUTO_SECONDS):
            with HERE.job(seconds, threads=threads) as job:
                yield job
            return
        if self._pool is None:
            self._scratch = self._opened.enter_context(scratch(self._root))
            self._pool = self._opened.enter_context(executor(self._workers))
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        try:
            yield Job(self._pool, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def crew(workers: int | str, root: Path) -> Iterator[Crew]:
    """Yield the crew that ``run.workers`` stands for; its scratch folder lies under ``root``, the output directory.

    ``auto`` starts one process a processor, but only for much work that threads cannot share; a number means that many
    processes for any work, 1 this process; an address means that cluster.
    """
    clear_stale(root)
    if chosen(workers) == 1:
        yield HERE
        return
    with ExitStack() as opened:
        yield Apart(chosen(workers), root, opened, workers == "auto")


# --- Files of a job ----------------------------------------------------------------------------------------------


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """Yield a folder for this process's owner alone; it goes with the block."""
    root.mkdir(parents=True, exist_ok=True)
    # A worker may have another working directory.
    folder = Path(tempfile.mkdtemp(prefix=f".tasks.{socket.gethostname()}.{os.getpid()}.", suffix=".tmp", dir=root))
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_stale(root: Path) -> None:
    """Remove the scratch folders of this machine's processes that are gone: of another's nobody can tell here."""
    for path in root.glob(".tasks.*.tmp"):
        if left_behind(path):
            shutil.rmtree(path, ignore_errors=True)


def _make_private(path: Path) -> None:
    for each in (path, *path.rglob("*")):
        each.chmod(0o700 if each.is_dir() else 0o600)


def _write_array(array: NDArray[Any], path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _read_array(path: Path) -> NDArray[Any]:
    # Mapped anew for each task, which takes less than a millisecond: a mapping kept would keep the rows too.
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
