"""Where heavy tasks run: in this process, in worker processes beside it, or on the workers of a Dask cluster.

Whoever submits knows only a ``concurrent.futures.Executor``; what a task returns depends on its arguments alone, so
that nobody can tell afterwards where it ran. Processes are spawned, so that they inherit no lock and no open file, keep
to one thread each, leave Ctrl-C to their parent, and end when it does, however it ends. A task whose worker is ended
from outside is run again, elsewhere, up to ``TRIES`` times: tasks must be such that twice is the same as once.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures import ThreadPoolExecutor as Threads
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from synthcli import parallel
from synthcli.errors import EngineError, UsageError
from synthcli.versions import versions

Key = TypeVar("Key")
Result = TypeVar("Result")
#: A task to submit: its key, the function, and its arguments.
Call = tuple[Key, Callable[..., Result], tuple[Any, ...]]
#: How often a task is begun whose worker is ended from outside each time.
TRIES = 3
#: Threads that libraries start in a worker, which they read when they are imported.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "NUMEXPR_NUM_THREADS")
#: Seconds between a worker's looks whether its parent is still there.
_LOOK = 1.0
#: Seconds after which Ctrl-C is heeded at the latest.
_HEED = 0.5
#: Seconds that a scheduler, and the first of its workers, have to answer.
_ANSWER = 10


class WorkerEnded(Exception):
    """The workers that ran a task were ended from outside, as often as its text says."""


class Unreachable(Exception):
    """The scheduler of a cluster has gone away."""


class InProcess(Executor):
    """Runs a task when it is submitted, here."""

    #: Tasks that keep it busy.
    ahead = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the task to its end and return it done; only an ``Exception`` is kept for later."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the future's to tell
            future.set_exception(error)
        return future


@dataclass(frozen=True, slots=True)
class Workplace:
    """Who works, and a private folder that all of them see; without one nothing is handed over by file."""

    pool: Executor
    folder: Path | None = None

    @classmethod
    def here(cls) -> Workplace:
        """Return this process."""
        return cls(InProcess())


class Processes(Executor):
    """Worker processes, each in a pool of its own: one that dies takes its own task with it and no other."""

    def __init__(self, workers: int) -> None:
        self.ahead = 2 * workers
        self._lock, self._ended = threading.Lock(), False
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._free: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        self._threads = Threads(workers)  # each waits for one worker at a time
        try:
            for _ in range(workers):
                self._free.put(self._started())
        except BaseException:
            self.kill()
            raise

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the task in a worker that is free, as soon as there is one."""
        return self._threads.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the tasks end, and then the workers."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        while not self._free.empty():
            self._free.get().shutdown(wait)

    def kill(self) -> None:
        """End the workers at once, whatever they are at, and wait for the threads that watch them.

        At the interpreter's end, Python would wake up those that are still there, and some have closed their ears.
        """
        with self._lock:
            self._ended = True
        for process in self._processes:
            process.kill()
        self.shutdown(cancel_futures=True)

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        worker = self._free.get()
        try:
            for _ in range(TRIES):
                try:
                    return worker.submit(fn, *args, **kwargs).result()
                except BrokenProcessPool:
                    worker.shutdown()  # its process is dead, so that this is soon
                    worker = self._started()
            raise WorkerEnded(f"each of {TRIES} times")
        finally:
            self._free.put(worker)

    def _started(self) -> ProcessPoolExecutor:
        """Return a pool of one process, which starts with the environment of this moment."""
        with self._lock:
            if self._ended:
                raise WorkerEnded
            others = multiprocessing.active_children()
            # Before Ctrl-C is held: it starts Python's resource tracker, which lets it through again.
            pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, (os.getpid(),))
            with _one_thread_each(), _signals_held():
                pool.submit(os.getpid)
                self._processes += [child for child in multiprocessing.active_children() if child not in others]
        return pool


class Cluster(Executor):
    """The workers of a Dask cluster: they see the same paths, and have the same versions, as this process.

    They are other people's: nothing here starts or ends one. Raises ``UsageError`` where Dask is not installed,
    ``EngineError`` where no scheduler answers or it has no worker.
    """

    def __init__(self, address: str) -> None:
        self._client = _client(address)
        self._executor = self._client.get_executor(pure=False)
        self._mark = tuple(sorted(versions().items()))

    @property
    def ahead(self) -> int:
        """Two tasks for every thread there is now."""
        try:
            return max(2, 2 * int(sum(self._client.nthreads().values())))
        except (OSError, TimeoutError, CancelledError) as error:
            raise Unreachable from error

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the task on some worker."""
        future: Future[Any] = Future()
        try:
            there = self._executor.submit(_there, self._mark, fn, args, kwargs)
        except (OSError, TimeoutError, RuntimeError) as error:  # a closed client raises the last
            raise Unreachable from error
        there.add_done_callback(lambda done: _pass_on(done, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the tasks end; without ``wait``, or when they are to be cancelled, those that wait never begin."""
        try:
            self._executor.shutdown(wait=wait and not cancel_futures)
        finally:
            self._client.close(timeout=_ANSWER)


def _client(address: str) -> Any:
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            f"--workers {address}: a cluster needs Dask, which is not installed", "pip install 'synthcli[dask]'"
        ) from error
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what there is to say is said once, by an error
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})
    try:
        client = Client(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise EngineError(
            f"--workers {address}: no scheduler answers there",
            "start one (dask scheduler), or take a number of processes here: --workers 2",
        ) from error
    try:
        client.wait_for_workers(1, timeout=_ANSWER)
    except TimeoutError as error:
        client.close()
        raise EngineError(
            f"--workers {address}: the scheduler has no worker", f"start some: dask worker {address}"
        ) from error
    return client


def _there(mark: tuple[tuple[str, str], ...], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
    """Run a task on a cluster's worker, which must be able to return what any other would."""
    _check_versions(mark)
    parallel.keep_to(1)
    return fn(*args, **kwargs)


@cache
def _check_versions(mark: tuple[tuple[str, str], ...]) -> None:
    wanted, here = dict(mark), versions()
    differ = sorted(name for name in wanted.keys() | here.keys() if wanted.get(name) != here.get(name))
    if differ:
        name = differ[0]
        raise EngineError(
            f"a worker of the cluster has {name} {here.get(name, 'not installed')}, this process "
            f"{wanted.get(name, 'not installed')}, and rows depend on it",
            "install the same versions everywhere: pip install -c constraints.txt 'synthcli[dask]'",
        )


def _pass_on(done: Future[Any], future: Future[Any]) -> None:
    """Give a cluster's result to whoever waits for it, in words that name no cluster."""
    if done.cancelled():
        future.set_exception(Unreachable())
        return
    error = done.exception()
    if error is None:
        future.set_result(done.result())
    elif type(error).__name__ == "KilledWorker":
        future.set_exception(WorkerEnded(f"more than {getattr(error, 'allowed_failures', TRIES)} times"))
    elif isinstance(error, CancelledError):  # and its kinds: the scheduler, or all that it knew, is gone
        future.set_exception(Unreachable())
    else:
        future.set_exception(error)


def each_done(
    pool: Executor,
    calls: Iterable[Call[Key, Result]],
    ahead: int | None = None,
    *,
    called: Callable[[Key], str] = str,
) -> Iterator[tuple[Key, Result]]:
    """Yield key and result of each call as it is done, at most ``ahead`` of them under way; raises what a call raises.

    So a pool that runs a call when it is submitted yields one result after the other too. ``ahead`` is twice the
    workers unless given. ``called`` says what a message calls the call with a key. Raises ``EngineError`` for a call
    whose worker is ended from outside each time, and where the cluster goes away.
    """
    waiting: dict[Future[Result], Key] = {}
    for key, function, arguments in calls:
        waiting[_submitted(pool, function, arguments)] = key
        if len(waiting) >= _most(pool, ahead):
            yield from _done(waiting, called)
    while waiting:
        yield from _done(waiting, called)


def in_order(
    pool: Executor,
    calls: Iterable[Call[Key, Result]],
    ahead: int | None = None,
    *,
    called: Callable[[Key], str] = str,
) -> Iterator[tuple[Key, Result]]:
    """Yield what :func:`each_done` does, in the order of the calls: sums of floats depend on their order.

    ``ahead`` bounds the calls under way and those done whose turn has not come, together.
    """
    waiting: deque[tuple[Key, Future[Result]]] = deque()
    for key, function, arguments in calls:
        waiting.append((key, _submitted(pool, function, arguments)))
        if len(waiting) >= _most(pool, ahead):
            yield _result(*waiting.popleft(), called)
    while waiting:
        yield _result(*waiting.popleft(), called)


def _most(pool: Executor, ahead: int | None) -> int:
    try:
        return ahead if ahead is not None else getattr(pool, "ahead", 1)
    except Unreachable as error:
        raise _gone() from error


def _submitted(pool: Executor, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Future[Result]:
    try:
        return pool.submit(function, *arguments)
    except Unreachable as error:
        raise _gone() from error


def _done(waiting: dict[Future[Result], Key], called: Callable[[Key], str]) -> Iterator[tuple[Key, Result]]:
    _attend(waiting)
    for future in [each for each in waiting if each.done()]:
        yield _result(waiting.pop(future), future, called)


def _attend(futures: Iterable[Future[Any]]) -> None:
    """Wait until one of them is done, and look up every now and then: some libraries hide Ctrl-C from one long wait."""
    while not wait(futures, timeout=_HEED, return_when=FIRST_COMPLETED).done:
        pass


def _result(key: Key, future: Future[Result], called: Callable[[Key], str]) -> tuple[Key, Result]:
    _attend([future])
    try:
        return key, future.result()
    except WorkerEnded as error:
        raise EngineError(
            f"{called(key)}: the worker process was ended from outside {error}, most often because memory ran out",
            "take fewer --workers, or less work for each, and run it again",
        ) from error
    except (Unreachable, CancelledError) as error:
        raise _gone() from error


def _gone() -> EngineError:
    return EngineError(
        "the scheduler of the cluster has gone away, with all that it was asked to do",
        "start it again and run the same command: what was complete stays",
    )


def as_workers(text: str | None) -> int | str | None:
    """Return what the option ``--workers`` says, as the configuration says it: a number, ``auto`` or an address."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() else text


def chosen(workers: int | str) -> int | str:
    """Return the workers that ``run.workers`` stands for: ``auto`` is one a processor."""
    return parallel.processors() if workers == "auto" else workers


def at_most(workers: int | str, tasks: int) -> int | str:
    """Return no more workers than there are tasks, and at least one; a cluster is as large as it is."""
    return workers if isinstance(workers, str) else max(1, min(workers, tasks))


def counted(workers: int | str) -> int:
    """Return how many tasks run side by side; raises what :func:`executor` raises where a cluster does not answer."""
    if isinstance(workers, int):
        return workers
    with executor(workers) as cluster:
        return _most(cluster, None) // 2


@contextmanager
def executor(workers: int | str, *, apart: bool = False) -> Iterator[Executor]:
    """Yield an executor: of ``workers`` processes, or of the cluster with that address (``tcp://scheduler:8786``).

    One worker is this process, unless it has to be ``apart``. What is still running when the block is left by an
    exception is ended, on a cluster as far as it has not begun.
    """
    if isinstance(workers, str):
        cluster = Cluster(workers)
        try:
            yield cluster
        except BaseException:
            cluster.shutdown(cancel_futures=True)
            raise
        cluster.shutdown()
        return
    if workers == 1 and not apart:
        yield InProcess()
        return
    pool = Processes(workers)
    try:
        yield pool
    except BaseException:
        pool.kill()
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


@contextmanager
def _signals_held() -> Iterator[None]:
    """Raise here what arrives meanwhile when the block ends: a process that is half started would complain of it.

    That process is spared Ctrl-C, too, until it is ready to ignore it.
    """
    came: list[int] = []
    heeded = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    ours = [number for number, handler in heeded.items() if callable(handler)]
    if threading.current_thread() is not threading.main_thread():
        ours = []  # handlers run in the main thread alone
    for number in ours:
        signal.signal(number, lambda number, _: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number in ours:
            signal.signal(number, heeded[number])
        if came:
            signal.raise_signal(came[0])


def _begin(parent: int) -> None:
    """Prepare a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parallel.keep_to(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)
