"""How often the default gates accuse a perfect generator, and how often they catch one that leaks or fails.

Each real table is divided at random into training part, holdout and fresh rows, anew for every perfect set, so that all
sets are as independent as one table allows. The measures that the privacy, accuracy and diversity gates need are
prepared once a division and applied to each synthetic table. Utility is left out (it trains models, and its gate is
lax), and so is the check that train and holdout are exchangeable, which random parts are by construction.

``python -m benchmarks.calibration`` prints a Markdown table and writes it into ``docs/calibration.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import polars as pl
from scipy import stats

from benchmarks.canaries import FLAWS, LEAKS, Parts, fresh
from synthcli.columns import Table
from synthcli.encoding import CountEncoding
from synthcli.gate import default_rules, judge
from synthcli.metrics.accuracy import AccuracyBaseline, prepare_accuracy
from synthcli.metrics.distances import Neighbourhood
from synthcli.metrics.diversity import category_coverage, count_categories, distinct_rows, lost_category
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.privacy import Records
from synthcli.schema import Schema
from synthcli.tables import ReadOptions, open_table

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
ROWS = 10_000
#: Holdout rows for each training row: 80/20, as `split` reserves by default.
HOLDOUT = 0.25
SETS, GUILTY_SETS = 200, 60
PERFECT = "fresh rows"
#: The others are only more of the same (tests/test_canaries.py has them all).
SPARED = {"10 % copies", "half and half", "independent columns"}
GUILTY = {name: canary for name, canary in {**LEAKS, **FLAWS}.items() if name not in SPARED}
FIVE = ("age", "education", "occupation", "hours_per_week", "income")
DOCS = ROOT / "docs" / "calibration.md"
BEGIN, END = "<!-- calibration -->", "<!-- end of calibration -->"
FAMILIES = ("accuracy", "diversity", "privacy")


@dataclass(frozen=True)
class Case:
    """A real table: where it is, its target, the columns that a cut of it keeps (none: all), and how many rows.

    ``rows`` is the number of training rows, and of synthetic ones; ``holdout`` that of reserved rows for each.
    """

    name: str
    path: Path
    target: str
    keep: tuple[str, ...] = ()
    rows: int = ROWS
    holdout: float = HOLDOUT

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Rows of train, holdout and fresh."""
        return self.rows, round(self.holdout * self.rows), self.rows


def cases(data: Path) -> tuple[Case, ...]:
    """Return the tables of the calibration."""
    census, bank = data / "census.csv.gz", data / "bank_marketing.csv.gz"
    return (
        Case("flights", ROOT / "sample_data" / "flights.csv", "late", rows=6_000),
        Case("census", census, "income"),
        Case("bank_marketing", bank, "y"),
        Case("census, 5 columns", census, "income", FIVE),
        Case("census, 5 columns, equal sizes", census, "income", FIVE, holdout=1.0),
        Case("census, 5 coarse columns", census, "income", ("age", "education", "marital_status", "sex", "income")),
    )


@cache
def load(case: Case) -> tuple[pl.DataFrame, Schema]:
    """Return the table and its schema."""
    source = open_table(case.path, ReadOptions(missing=("", "NA", "?")))
    names = case.keep or source.schema.names
    return source.read().select(names), source.schema.select(names)


class Bench:
    """What one division of a table prepares once: the measures of its real rows."""

    def __init__(self, parts: Parts, seed: int) -> None:
        train, holdout, schema = parts.train, parts.holdout, parts.schema
        self.parts, self.seed = parts, seed
        self.real = Table(train), Table(holdout)
        self.encoding = CountEncoding.fit(self.real[0], schema)
        self.codes = [self.encoding.encode(part) for part in self.real]
        self.accuracy = self.prepared(holdout.height)
        self.records = Records.fit(train, holdout, schema)
        self.neighbours = Neighbourhood.fit(train, holdout, schema, seed)

    def prepared(self, size: int) -> AccuracyBaseline:
        """Count the real rows for synthetic tables that are cut to ``size`` rows."""
        return prepare_accuracy(self.encoding, *self.codes, size, self.seed, trivariate=False)

    def estimates(self, synthetic: pl.DataFrame) -> list[Estimate]:
        """Measure everything that a default gate of the three families looks at."""
        schema, made = self.parts.schema, Table(synthetic)
        train, holdout = self.real
        supports = count_categories(train, holdout, made, schema)
        size = min(made.height, holdout.height)
        baseline = self.accuracy if size == holdout.height else self.prepared(size)
        return [
            *baseline.measure(self.encoding.encode(made)),
            *category_coverage(supports),
            *lost_category(supports),
            *distinct_rows(holdout, made, schema),
            *self.records.measure(synthetic, schema),
            *self.neighbours.measure(synthetic),
        ]

    def accusers(self, synthetic: pl.DataFrame) -> list[str]:
        """Return the gates that fail, by metric (with a star where it is about single columns)."""
        verdicts = judge(self.estimates(synthetic), [], default_rules(FAMILIES, self.parts.target))
        failed = [verdict for verdict in verdicts if verdict.failed and verdict.level == "error"]
        return sorted({verdict.metric + (" *" if verdict.columns else "") for verdict in failed})


def run_division(case: Case, number: int, guilty: bool) -> dict[str, list[str]]:
    """Audit the perfect set of one division and, if asked, its canaries; returns the gates that failed, by set."""
    table, schema = load(case)
    bench = Bench(Parts.divide(table, schema, case.target, case.sizes, seed=1_000 + number), seed=number)
    made = {PERFECT: fresh, **(GUILTY if guilty else {})}
    rng = np.random.default_rng([7, number])
    return {name: bench.accusers(canary(bench.parts, rng)) for name, canary in made.items()}


@dataclass(frozen=True)
class Tally:
    """Of ``sets`` synthetic tables of one sort, how many failed, and how often each gate did."""

    sets: int
    failed: int
    gates: Mapping[str, int]

    @classmethod
    def of(cls, found: Sequence[Sequence[str]]) -> Tally:
        """Count the gates that failed, a list a set."""
        return cls(len(found), sum(bool(gates) for gates in found), Counter(gate for gates in found for gate in gates))

    def upper(self, count: int) -> float:
        """Return the one-sided upper 95 % bound of the chance behind ``count`` (Clopper & Pearson 1934)."""
        return float(stats.beta.ppf(0.95, count + 1, self.sets - count)) if count < self.sets else 1.0


def run(case: Case, sets: int, leaks: int, pool: ProcessPoolExecutor) -> dict[str, Tally]:
    """Return what became of each sort of table."""
    waiting = [pool.submit(run_division, case, number, number < leaks) for number in range(max(sets, leaks))]
    found: dict[str, list[list[str]]] = {}
    for done, future in enumerate(waiting, start=1):
        for name, gates in future.result().items():
            found.setdefault(name, []).append(gates)
        if done % 20 == 0:
            print(f"{case.name}: {done} of {len(waiting)} divisions", file=sys.stderr, flush=True)
    return {name: Tally.of(gates) for name, gates in found.items()}


def rendered(tallies: Mapping[str, Mapping[str, Tally]], seconds: float) -> Iterator[str]:
    """Yield the lines of the Markdown tables: perfect sets that were accused, then guilty ones that got away."""
    names = list(tallies)
    yield "| perfect sets accused by | " + " | ".join(names) + " |"
    yield "|---|" + "---|" * len(names)
    perfect = {name: tally[PERFECT] for name, tally in tallies.items()}
    yield _row("**any gate**", [_told(t.failed, t) for t in perfect.values()])
    for gate in sorted({gate for tally in perfect.values() for gate in tally.gates}):
        yield _row(f"`{gate}`", [_told(t.gates.get(gate, 0), t) for t in perfect.values()])
    yield ""
    yield "| guilty sets that passed | " + " | ".join(names) + " | caught by |"
    yield "|---|" + "---|" * (len(names) + 1)
    for sort in GUILTY:
        found = [tally[sort] for tally in tallies.values()]
        by = sum((Counter(t.gates) for t in found), Counter[str]()).most_common(3)
        told = ", ".join(f"`{gate}` {count / sum(t.sets for t in found):.0%}" for gate, count in by)
        yield _row(sort, [*(_told(t.sets - t.failed, t) for t in found), told])
    yield ""
    yield f"{seconds / 60:.0f} minutes on two cores."


def _told(count: int, tally: Tally) -> str:
    return f"{count} of {tally.sets} (≤ {tally.upper(count):.1%})"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def write(lines: Sequence[str]) -> None:
    """Put the tables into their place in the docs."""
    before, rest = DOCS.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    DOCS.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


def main() -> None:
    """Run the calibration, print its tables and, unless it was cut short, write them into the docs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sets", type=int, default=SETS, help="perfect sets a table")
    options.add_argument("--leaks", type=int, default=GUILTY_SETS, help="guilty sets of each sort a table")
    options.add_argument("--only", help="one table only")
    options.add_argument("--data", type=Path, default=Path(os.environ.get("SYNTHCLI_TEST_DATA", DATA)))
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    started = perf_counter()
    wanted = [case for case in cases(given.data) if given.only in (None, case.name) and case.path.is_file()]
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        tallies = {case.name: run(case, given.sets, given.leaks, pool) for case in wanted}
    lines = list(rendered(tallies, perf_counter() - started))
    print("\n".join(lines))
    if (given.sets, given.leaks, given.only) == (SETS, GUILTY_SETS, None):
        write(lines)


if __name__ == "__main__":
    main()
