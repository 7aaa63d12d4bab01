"""The audit's speed and memory as whole processes, beside other auditors on the same files; writes a page of docs.

A million training, a million synthetic and 250,000 holdout rows of 15 columns, twenty million rows, and UCI Adult.
Times are of the machine at hand; ratios of one run are what to compare. SDMetrics comes with SDV; how the others are
found says ``peers``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Timer
from time import perf_counter
from typing import NamedTuple

import numpy as np
import polars as pl

from benchmarks.forest import TABLES
from benchmarks.peers import peers
from benchmarks.tables import wide_table
from synthcli.parallel import processors

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "speed.md"

#: SDMetrics' report on the same files: read by pandas, training part against synthetic rows, as its documentation does.
_QUALITY = """
import sys
import pandas as pd
from sdmetrics.reports.single_table import QualityReport
real, synthetic = (pd.read_parquet(path) for path in sys.argv[1:])
kinds = {name: {"sdtype": "numerical" if pd.api.types.is_numeric_dtype(real[name]) else "categorical"} for name in real}
report = QualityReport()
report.generate(real, synthetic, {"columns": kinds}, verbose=False)
"""


#: The exact nearest neighbours of the synthetic table's first rows among all training rows, by some of the columns.
_NEIGHBOURS = """
import sys
import polars as pl
from synthcli.encoding import DistanceEncoding
from synthcli.metrics.neighbors import nearest
from synthcli.tables import open_table
train, synthetic, rows, *names = sys.argv[1:]
real = open_table(train)
schema, table = real.schema.select(names), pl.read_parquet(train, columns=names)
encoding = DistanceEncoding.fit(table, schema)
nearest(encoding.encode(pl.read_parquet(synthetic, columns=names).head(int(rows))), encoding.encode(table))
"""

#: After so many seconds a peer is stopped.
PATIENCE = 600


class Spent(NamedTuple):
    """Seconds from start to end of a process, and its largest memory in MB; ``ended`` unless it was stopped."""

    seconds: float
    megabytes: float
    ended: bool = True


def run(words: list[str]) -> Spent:
    """Run a command line to its end, or until patience does."""
    started = perf_counter()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, stdout=quiet, stderr=quiet, cwd=ROOT, start_new_session=True)
    stop = Timer(PATIENCE, lambda: os.killpg(process.pid, signal.SIGKILL))  # with all that it started
    stop.start()
    _, status, used = os.wait4(process.pid, 0)
    stop.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = perf_counter() - started
    spent = Spent(seconds, used.ru_maxrss / 1024, seconds < PATIENCE)
    if process.returncode and spent.ended:
        raise RuntimeError(f"exit {process.returncode}: {' '.join(words)}")
    return spent


def best(words: list[str], runs: int) -> Spent:
    """Return the fastest time and the largest memory of several runs."""
    found = [run(words) for _ in range(runs)]
    return Spent(
        min(one.seconds for one in found), max(one.megabytes for one in found), all(one.ended for one in found)
    )


def validate(parts: dict[str, Path], out: Path, *settings: str) -> list[str]:
    """Return the command line of an audit."""
    words = [sys.executable, "-m", "synthcli", "validate", "--out", str(out), "--fail-on", "never", "-q"]
    words += [word for side, path in parts.items() for word in (f"--{side}", str(path))]
    return words + [word for setting in settings for word in ("--set", setting)]


def census(folder: Path) -> dict[str, Path]:
    """Write UCI Adult as two halves and a resample of the first."""
    table = pl.read_csv(TABLES["census"].path, null_values=[""])
    order = np.random.default_rng(1).permutation(table.height)
    half = table.height // 2
    parts = {"train": table[order[:half]], "holdout": table[order[half : 2 * half]]}
    drawn = np.random.default_rng(2).integers(0, half, half)
    parts["synthetic"] = parts["holdout"][drawn]
    paths = {side: folder / f"census_{side}.parquet" for side in parts}
    for side, frame in parts.items():
        frame.write_parquet(paths[side])
    return paths


def millions(folder: Path, prefix: str, sizes: dict[str, int]) -> dict[str, Path]:
    """Write tables of so many million rows, a million at a time."""
    seed, paths = 0, {}
    for side, count in sizes.items():
        parts = [
            wide_table(folder / f"part{seed + number}.parquet", 1_000_000, seed + number) for number in range(count)
        ]
        seed += count
        paths[side] = folder / f"{prefix}_{side}.parquet"
        pl.scan_parquet(parts).sink_parquet(paths[side])
        for part in parts:
            part.unlink()
    return paths


#: A line of the page: its name, a command line, and how often that is run.
Case = tuple[str, list[str], int]

#: The families that count every row.
COUNTS = ("validate.families=[accuracy, validity, diversity]", "validate.compat=true")


def apart(make: Callable[..., dict[str, Path]], *settings: object) -> dict[str, Path]:
    """Make tables in a process of its own: what a process held when it started another counts as that one's memory."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(make, *settings).result()


def audits(folder: Path) -> None:
    """Measure, print, and write the page."""
    lines = [_HEAD]
    for title, cases in (
        ("1 million training, 1 million synthetic and 250,000 holdout rows of 15 columns", _million(folder)),
        ("8 million training, 10 million synthetic and 2 million holdout rows of 15 columns", _twenty_millions(folder)),
        ("UCI Adult, 24,421 training, synthetic and holdout rows of 15 columns", _adult(folder)),
        ("Nearest neighbours: 20,000 queries against 1 million rows, exact", _neighbours(folder)),
    ):
        lines += _table(title, cases)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(title: str, cases: list[Case]) -> list[str]:
    lines = ["", f"## {title}", "", "| what | seconds | MB at most |", "|---|---|---|"] if cases else []
    for name, words, runs in cases:
        spent = best(words, runs)
        seconds = f"{spent.seconds:.1f}" if spent.ended else f"stopped after {PATIENCE}"
        lines.append(f"| {name} | {seconds} | {spent.megabytes:,.0f} |")
        print(lines[-1], flush=True)
    return lines


def million(folder: Path) -> dict[str, Path]:
    """Write a million training and synthetic rows, and a quarter of that as a holdout."""
    sizes = {"train": 1_000_000, "holdout": 250_000, "synthetic": 1_000_000}
    return {
        side: wide_table(folder / f"{side}.parquet", rows, seed=seed)
        for seed, (side, rows) in enumerate(sizes.items(), start=1)
    }


def _million(folder: Path) -> list[Case]:
    parts = apart(million, folder)
    quality = [sys.executable, "-c", _QUALITY, str(parts["train"]), str(parts["synthetic"])]
    return [
        ("SDMetrics 0.32, QualityReport", quality, 3),
        (
            "counts: accuracy to pairs, validity, diversity, SDMetrics' scores",
            validate(parts, folder / "a", *COUNTS, "validate.trivariate=false"),
            3,
        ),
        ("the same with triples", validate(parts, folder / "a", *COUNTS), 1),
        ("the whole audit without a target", validate(parts, folder / "a"), 1),
        *((f"{peer.name}, its report", peer.words(parts), 1) for peer in peers()),
    ]


def _twenty_millions(folder: Path) -> list[Case]:
    parts = apart(millions, folder, "large", {"train": 8, "holdout": 2, "synthetic": 10})
    words = validate(parts, folder / "b", *COUNTS, "validate.trivariate=false")
    return [("counts: accuracy to pairs, validity, diversity, SDMetrics' scores", words, 1)]


def _adult(folder: Path) -> list[Case]:
    if not TABLES["census"].path.exists():
        return []
    parts = apart(census, folder)
    return [
        ("the whole audit, target income", validate(parts, folder / "c", "data.target=income"), 2),
        *((f"{peer.name}, its report", peer.words(parts), 1) for peer in peers()),
    ]


def _neighbours(folder: Path) -> list[Case]:
    tables = [str(folder / f"{side}.parquet") for side in ("train", "synthetic")]
    numbers = [f"{name}_{number}" for name in ("amount", "count") for number in range(3)]
    categories = [f"category_{number}" for number in range(9)]
    chosen = [(6, 9), (6, 4), (6, 2), (6, 0), (0, 9)]
    return [
        (
            f"{several} numeric and {others} categorical columns",
            [sys.executable, "-c", _NEIGHBOURS, *tables, "20000", *numbers[:several], *categories[:others]],
            1,
        )
        for several, others in chosen
    ]


_HEAD = f"""# How fast the audit is

Written by `python -m benchmarks audits` on {processors()} cores, other auditors on the same files in the same run:
whole processes, start-up and reading included, the best of up to three runs. Times of another run or machine differ;
ratios are what to compare. Where an audit looks at a draw of rows it says so in its report. The others' reports hold
other measures than ours, and fewer."""
