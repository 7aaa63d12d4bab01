"""Several workers against one, and a data set of 100 shards: as whole commands, with the memory of all processes.

Each comparison runs in turn on one machine, so that ratios are what to compare. Memory is the sum over the command's
processes of their proportional share (PSS), so that pages which several of them map count once.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import NamedTuple

import polars as pl

from benchmarks.tables import wide_table

#: Seconds between two looks at the memory.
LOOK = 0.25
SAMPLE_ROWS, SHARDS = 10_000_000, 20
LARGE_ROWS, LARGE_SHARDS = 100_000_000, 100
MILLION = 1_000_000


class Spent(NamedTuple):
    """Seconds from start to end of a command, and the memory of all its processes together in MB at most."""

    seconds: float
    megabytes: float


def command(*words: str | Path) -> list[str]:
    """Return the command line of synthcli."""
    return [sys.executable, "-m", "synthcli", *map(str, words), "-q"]


def spend(words: Sequence[str]) -> Spent:
    """Run a command line and watch it."""
    started = perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    most, ended = [0.0], Event()

    def watch() -> None:
        while not ended.wait(LOOK):
            most[0] = max(most[0], sum(map(_share, _family(process.pid))))

    watcher = Thread(target=watch)
    watcher.start()
    code = process.wait()
    ended.set()
    watcher.join()
    if code:
        raise RuntimeError(f"exit {code}: {' '.join(words)}")
    return Spent(perf_counter() - started, most[0])


def _family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


def _share(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Yield the address of a Dask cluster of so many workers here."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "distributed.cli"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = [f"{dask[2]}.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = [f"{dask[2]}.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    one_thread = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen([*dask[:2], *words], env=one_thread, **quiet)  # type: ignore[call-overload]
               for words in (scheduler, *[worker] * workers)]  # fmt: skip
    try:
        time.sleep(5)
        yield address
    finally:
        for process in reversed(started):  # asked kindly, a worker would look for its scheduler
            process.kill()
            process.wait()


def fitted(folder: Path) -> Path:
    """Fit a forest on a million rows of 15 columns; return the output directory."""
    out = folder / "run"
    if not (out / "generators").exists():
        table = wide_table(folder / "million.parquet", MILLION, seed=99)
        subprocess.run(command("fit", "--train", table, "--synthesizer", "forest", "--out", out), check=True)
    return out


def sampling(folder: Path, rows: int = SAMPLE_ROWS, shards: int = SHARDS) -> None:
    """Print the seconds of sampling in shards by one worker, two, and a cluster of two."""
    out = fitted(folder)
    words = ["sample", "--out", out, "-n", str(rows), "--shards", str(shards), "--seed", "1", "--output"]
    print(f"sample {rows:,} rows in {shards} shards", flush=True)
    with cluster(2) as address:
        _compare([*words, folder / "shards"], address)


def simulating(folder: Path, table: Path) -> None:
    """Print the seconds of a simulation of collapse by one worker, two, and a cluster of two."""
    settings = ["--set", "collapse_sim.regimes=[replace, accumulate]", "--set", "data.missing=['', NA]"]
    subprocess.run(command("split", table, "--out", folder / "sim", *settings), check=True)
    words = ["collapse-sim", "--out", folder / "sim", "--synthesizer", "forest", "--generations", "5", "--chains", "8"]
    print("collapse-sim: 5 generations, 8 chains, 2 regimes", flush=True)
    with cluster(2) as address:
        _compare([*words, *settings], address, folder / "sim" / "collapse-sim")


def _compare(words: list[str | Path], address: str, kept: Path | None = None) -> None:
    """Run by one, two, and the cluster, each twice in turn, with nothing left of the run before."""
    found: dict[str, list[Spent]] = {}
    for _ in range(2):
        for workers in ("1", "2", address):
            if kept is not None:
                subprocess.run(["rm", "-rf", str(kept)], check=True)
            found.setdefault(workers, []).append(spend(command(*words, "--workers", workers)))
    best = {name: min(found[name]) for name in found}
    for name, spent in best.items():
        label = name if name.isdecimal() else "Dask of 2"
        ratio = best["1"].seconds / spent.seconds
        print(f"  {label:>10} workers {spent.seconds:8.1f} s, {spent.megabytes:7,.0f} MB, {ratio:.2f} times one")
    print(f"  Dask over processes: {best[address].seconds / best['2'].seconds - 1:+.1%}", flush=True)


def real_parts(folder: Path) -> dict[str, Path]:
    """Write 8 million training and 2 million holdout rows in files of a million."""
    for side, seeds in (("train", range(8)), ("holdout", range(8, 10))):
        (folder / side).mkdir(exist_ok=True)
        for seed in seeds:
            wide_table(folder / side / f"part-{seed}.parquet", MILLION, seed)
    return {side: folder / side for side in ("train", "holdout")}


def large(folder: Path, rows: int = LARGE_ROWS, shards: int = LARGE_SHARDS) -> None:
    """Print what sampling and auditing a large data set takes."""
    out = fitted(folder)
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:  # what it held would count as a command's memory
        parts = apart.submit(real_parts, folder).result()
    target = folder / "large"
    words = ["sample", "--out", out, "-n", str(rows), "--shards", str(shards), "--seed", "2", "--output", target]
    _told(f"sample {rows:,} rows in {shards} shards, 2 workers", spend(command(*words, "--workers", "2")))
    size = sum(path.stat().st_size for path in target.glob("*.parquet"))
    print(f"  {size / 2**30:.2f} GiB, {size / rows:.1f} bytes a row", flush=True)
    audit = ["validate", "--out", folder / "audit", "--synthetic", target, "--fail-on", "never"]
    audit += [word for side, path in parts.items() for word in (f"--{side}", path)]
    counted = ["--set", "validate.families=[accuracy, validity, diversity]", "--set", "validate.trivariate=false"]
    _told("audit, counts to pairs, 2 workers", spend(command(*audit, *counted, "--workers", "2")))
    _told("audit, every family without a target, 2 workers", spend(command(*audit, "--workers", "2")))
    print(pl.read_json(folder / "audit" / "validate" / "report.json").select("verdict").item(), flush=True)


def _told(what: str, spent: Spent) -> None:
    print(f"{what}: {spent.seconds:,.1f} s, {spent.megabytes:,.0f} MB at most", flush=True)
