"""What ``--dry-run`` foretells beside what the command then takes: writes the table of docs/dry-run.md.

Each command is run dry and then in earnest, as whole processes of the command line. Beside seconds on the clock, which
follow from what else the machine does, stand seconds on processors, which do not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "dry-run.md"
DATA = Path(os.environ.get("SYNTHCLI_TEST_DATA", ROOT.parent / "shared" / "data"))
_BEGIN, _END = "<!-- measured -->", "<!-- /measured -->"


class Row(NamedTuple):
    """One command: what was foretold, what it took, and what the dry run took."""

    what: str
    plan: dict[str, Any]
    seconds: float
    work: float
    memory: float
    dry: float


def steps(table: Path) -> list[tuple[str, list[str]]]:
    """Return the commands in order, each as what it is called and its words."""
    return [
        ("split", ["split", str(table)]),
        ("fit gaussian_copula", ["fit", "--synthesizer", "gaussian_copula"]),
        ("fit forest", ["fit", "--synthesizer", "forest"]),
        ("sample 1 million", ["sample", "-n", "1000000", "--output", "{}/million.parquet"]),
        ("sample", ["sample"]),
        ("validate", ["validate", "--fail-on", "never"]),
    ]


def measured(name: str, table: Path, folder: Path) -> Iterator[Row]:
    """Run every command on the table, dry and in earnest."""
    for what, words in steps(table):
        full = [word.format(folder) for word in words] + ["--out", str(folder / name), "--seed", "1", "--json", "-q"]
        began = monotonic()
        plan = json.loads(_output([*full, "--dry-run"])[0])["result"]["plan"]
        dry = monotonic() - began
        began = monotonic()
        _, work, memory = _output(full)
        yield Row(f"{name}: {what}", plan, monotonic() - began, work, memory, dry)


def page(folder: Path) -> None:
    """Write the table into the page, row by row."""
    tables = {"census": DATA / "census.csv.gz", "flights": ROOT / "sample_data" / "flights.csv"}
    lines = ["| what | foretold, s | took, s | of a processor | took | foretold, MB | took, MB | the dry run, s |"]
    lines += ["|---" * 8 + "|"]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    for row in chain.from_iterable(measured(name, table, folder) for name, table in tables.items()):
        lines.append(_line(row))
        print(lines[-1], flush=True)
        PAGE.write_text(before + "\n".join([_BEGIN, "", *lines, "", _END]) + after, encoding="utf-8")


def _output(words: list[str]) -> tuple[str, float, float]:
    """Run a command line; return what it printed, its seconds on processors and its largest memory in MB."""
    with subprocess.Popen([sys.executable, "-m", "synthcli", *words], stdout=subprocess.PIPE, text=True) as process:
        text = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words[0]} ended with {process.returncode}")
    return text, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


def _line(row: Row) -> str:
    def told(found: dict[str, float] | None, unit: float, digits: int) -> str:
        if found is None:
            return "–"
        likely, low, high = (f"{found[name] / unit:,.{digits}f}" for name in ("likely", "low", "high"))
        return f"{likely} ({low} … {high})"

    seconds, memory = told(row.plan["seconds"], 1, 1), told(row.plan["memory"], 1e6, 0)
    slowness = row.plan["probe"]["slowness"]
    work = "–" if slowness is None else f"{row.plan['seconds']['likely'] / slowness:.1f}"
    return (
        f"| {row.what} | {seconds} | {row.seconds:.1f} | {work} | {row.work:.1f} | {memory} | {row.memory:,.0f} "
        f"| {row.dry:.1f} |"
    )
