"""A small real table that grows by parts, with a configuration that keeps a generator current on it in seconds."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from synthcli.app import run

CITIES = ("Rom", "Oslo", "Bern", "Wien")
#: So few rows lie in the inner slot that nothing is compared on it, which takes most of a refresh's time.
NO_CONTEST = 0.02

_CONFIG = """\
data: {{path: parts, target: late, time: day}}
synthesizer: {{kind: independent}}
validate:
  families: [accuracy]
  trivariate: false
  gates: [{{metric: accuracy.univariate, min: 0.5}}]
refresh: {{seeds: 2, inner: {inner}, margin: 0.3}}
run: {{workers: 1, output_dir: artifacts}}
"""


def month(number: int, rows: int = 500) -> pl.DataFrame:
    """Return rows of one law, all of them different, with the days of a month of 2025."""
    rng = np.random.default_rng(number)
    size = rng.gamma(3.0, 10.0, rows).round(3)
    return pl.DataFrame(
        {
            "size": size,
            "weight": (size / 2 + rng.normal(20.0, 3.0, rows)).round(3),
            "city": rng.choice(CITIES, rows, p=[0.4, 0.3, 0.2, 0.1]),
            "late": rng.random(rows) < np.where(size > 30, 0.7, 0.2),
            "day": [date(2025, number, 1) + timedelta(days=int(day)) for day in rng.integers(0, 28, rows)],
        }
    )


@dataclass(frozen=True)
class Place:
    """A folder with the parts of a table, a configuration, and what refreshes made of them."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "refresh.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "artifacts"

    @property
    def generators(self) -> Path:
        return self.out / "generators"

    def part(self, number: int) -> Path:
        """Return where the part of a month stands."""
        return self.folder / "parts" / f"2025-{number:02d}.csv"

    def write(self, number: int, rows: pl.DataFrame) -> Path:
        """Write the rows as the part of a month; return its path."""
        rows.write_csv(self.part(number))
        return self.part(number)

    def add(self, number: int, rows: int = 500) -> Path:
        """Write a month of the usual law; return its path."""
        return self.write(number, month(number, rows))

    def configure(self, old: str, new: str) -> None:
        """Change the configuration's text."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    def copy(self, folder: Path) -> Place:
        """Return a copy that a test may change."""
        return Place(Path(shutil.copytree(self.folder, folder / "copy")))

    def refreshed(self, *words: str) -> Place:
        """Run a refresh that has to end well."""
        assert run(["refresh", "-c", str(self.config), "-q", *words]) == 0
        return self

    def aliases(self) -> dict[str, int]:
        return json.loads((self.generators / "aliases.json").read_text(encoding="utf-8"))

    def events(self) -> list[dict[str, Any]]:
        path = self.generators / "events.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines]

    def manifest(self, number: int) -> dict[str, Any]:
        path = self.generators / f"{number:04d}" / "manifest.json"
        return json.loads(path.read_text(encoding="utf-8"))

    def state(self, **changes: Any) -> dict[str, Any]:
        """Return the state, after these changes to it."""
        path = self.out / "refresh" / "state.json"
        state = {**json.loads(path.read_text(encoding="utf-8")), **changes}
        if changes:
            path.write_text(json.dumps(state), encoding="utf-8")
        return state


def started(folder: Path, inner: float = NO_CONTEST) -> Place:
    """Write three months and the configuration to a folder."""
    (folder / "parts").mkdir(parents=True)
    place = Place(folder)
    place.config.write_text(_CONFIG.format(inner=inner), encoding="utf-8")
    for number in (1, 2, 3):
        place.add(number)
    return place


def tree(folder: Path, *but: str) -> dict[str, str]:
    """Return path -> SHA-256 of all files under a folder, but those named, and path -> "" of folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in but:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return found


@contextmanager
def held(out: Path) -> Iterator[int]:
    """Hold an output directory's lock in another process; yield its id."""
    code = (
        "import sys; from pathlib import Path; from synthcli.registry import lock\n"
        "with lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(out)], stdin=-1, stdout=-1) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder.pid
        holder.stdin.close()
