"""The audit's speed and memory as whole processes, beside SDMetrics where it measures the same; writes a page of docs.

A million training, a million synthetic and 250,000 holdout rows of 15 columns, and UCI Adult. Times are of the machine
at hand; ratios of one run are what to compare.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import polars as pl

from benchmarks.forest import TABLES
from benchmarks.tables import wide_table

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


class Spent(NamedTuple):
    """Seconds from start to end of a process, and its largest memory in MB."""

    seconds: float
    megabytes: float


def run(words: list[str]) -> Spent:
    """Run a command line to its end."""
    started = perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit {process.returncode}: {' '.join(words)}")
    return Spent(perf_counter() - started, used.ru_maxrss / 1024)


def best(words: list[str], runs: int) -> Spent:
    """Return the fastest time and the largest memory of several runs."""
    found = [run(words) for _ in range(runs)]
    return Spent(min(one.seconds for one in found), max(one.megabytes for one in found))


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


def audits(folder: Path) -> None:
    """Measure, print, and write the page."""
    sizes = {"train": 1_000_000, "holdout": 250_000, "synthetic": 1_000_000}
    parts = {
        side: wide_table(folder / f"{side}.parquet", rows, seed=seed)
        for seed, (side, rows) in enumerate(sizes.items(), start=1)
    }
    counted = ("validate.families=[accuracy, validity, diversity]", "validate.trivariate=false", "validate.compat=true")
    quality = [sys.executable, "-c", _QUALITY, str(parts["train"]), str(parts["synthetic"])]
    cases: list[tuple[str, list[str], int]] = [
        ("SDMetrics' QualityReport, 1 + 1 million rows", quality, 2),
        (
            "counts: accuracy to pairs, validity, diversity, SDMetrics' scores",
            validate(parts, folder / "a", *counted),
            3,
        ),
        ("the same with triples", validate(parts, folder / "a", counted[0], counted[2]), 1),
        ("the whole audit without a target", validate(parts, folder / "a"), 1),
    ]
    if TABLES["census"].path.exists():
        small = census(folder)
        cases.append(
            ("UCI Adult: the whole audit, target income", validate(small, folder / "c", "data.target=income"), 2)
        )
    lines = [_HEAD]
    for name, words, runs in cases:
        spent = best(words, runs)
        lines.append(f"| {name} | {spent.seconds:.1f} | {spent.megabytes:,.0f} |")
        print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


_HEAD = f"""# How fast the audit is

Written by `python -m benchmarks audits` on {len(os.sched_getaffinity(0))} cores: whole processes, start-up and reading
included, the best of up to three runs. 1 million training, 1 million synthetic and 250,000 holdout rows of 15 columns,
and UCI Adult in halves of 24,421 rows. Where an audit looks at a draw of rows it says so in its report.

| what | seconds | MB at most |
|---|---|---|"""
