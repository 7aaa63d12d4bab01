"""The audit itself is tested: fresh real rows pass the default gates, and every canary fails them.

On flights, census and bank_marketing, on cuts of census to 4 and 5 columns and on a widening of it to 56, with 80/20
sizes; the measures are prepared once a table, as in the calibration.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from examples import ROOT, columns, real_table

from benchmarks.calibration import FIVE, Bench, Case, load
from benchmarks.canaries import FLAWS, LEAKS, Parts, fresh
from synthcli.gate import default_rules, judge
from synthcli.metrics.privacy import Records
from synthcli.schema import Schema

#: Below what a table of 4 or 5 columns lets anybody see: most of its rows repeat by nature (docs/calibration.md).
FAINT = {"1 % copies", "5 % with one cell changed"}
FOUR = FIVE[:4]

#: Table -> file, target, columns kept, rows of the synthetic table. The 56 columns are four people side by side.
TABLES: dict[str, tuple[str, str | None, tuple[str, ...], int]] = {
    "flights": ("flights.csv", "late", (), 6_000),
    "census": ("census.csv.gz", "income", (), 10_000),
    "bank_marketing": ("bank_marketing.csv.gz", "y", (), 10_000),
    "census, 5 columns": ("census.csv.gz", "income", FIVE, 10_000),
    "census, 4 columns": ("census.csv.gz", None, FOUR, 10_000),
    "census, 56 columns": ("census.csv.gz", None, (), 5_000),
}
LONG = {"bank_marketing", "census, 4 columns", "census, 56 columns"}


def found(name: str) -> Path:
    return ROOT / "sample_data" / name if name == "flights.csv" else real_table(name)


@cache
def bench(name: str) -> Bench:
    file, target, keep, rows = TABLES[name]
    table, schema = load(Case(name, found(file), target or "", keep, rows))
    if name == "census, 56 columns":
        table, schema = side_by_side(table.drop("fnlwgt"), schema.select([n for n in schema.names if n != "fnlwgt"]))
    sizes = (round(0.8 * rows), round(0.2 * rows), round(0.8 * rows))
    return Bench(Parts.divide(table, schema, target, sizes, seed=5), seed=5)


def side_by_side(table: pl.DataFrame, schema: Schema, people: int = 4) -> tuple[pl.DataFrame, Schema]:
    """Return rows of four different people each: real cells in 56 columns, dependent in blocks of 14."""
    rows = table.height // people
    parts = [table[i * rows : (i + 1) * rows].rename(lambda name, i=i: f"{name}_{i}") for i in range(people)]
    named = [replace(c, name=f"{c.name}_{i}") for i in range(people) for c in schema]
    return pl.concat(parts, how="horizontal"), replace(schema, columns=tuple(named))


def cases(names: dict) -> list:
    return [
        pytest.param(table, canary, id=f"{table}: {canary}", marks=[pytest.mark.slow] if table in LONG else [])
        for table in TABLES
        for canary in names
        if not (canary == "minority dropped" and TABLES[table][1] is None)
        if not (canary in FAINT and TABLES[table][2])
    ]


@pytest.mark.parametrize(("table", "canary"), cases({"fresh": fresh}))
def test_fresh_real_rows_pass(table: str, canary: str) -> None:
    assert bench(table).accusers(bench(table).parts.fresh) == []


@pytest.mark.parametrize(("table", "canary"), cases(LEAKS))
def test_a_leak_fails_on_privacy(table: str, canary: str) -> None:
    accused = bench(table).accusers(LEAKS[canary](bench(table).parts, np.random.default_rng(1)))
    assert any(gate.startswith("privacy.") for gate in accused)


@pytest.mark.parametrize(("table", "canary"), cases(FLAWS))
def test_a_flaw_fails(table: str, canary: str) -> None:
    accused = bench(table).accusers(FLAWS[canary](bench(table).parts, np.random.default_rng(2)))
    assert [gate for gate in accused if not gate.startswith("privacy.")]


@pytest.mark.slow
def test_a_million_rows_hide_no_copy() -> None:
    """No real row is sampled: a verbatim copy and 1 % of copied rows are seen among a million."""
    schema = columns(**dict.fromkeys("abc", "numeric"), **dict.fromkeys("defgh", "categorical"))

    def drawn(rows: int, seed: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        codes = {name: pl.Series(rng.integers(0, 9, rows)).cast(pl.String) for name in "defgh"}
        return pl.DataFrame({name: rng.gamma(2.0, 100.0, rows).round() for name in "abc"} | codes)

    train, holdout, perfect = drawn(1_000_000, 1), drawn(250_000, 2), drawn(1_000_000, 3)
    records = Records.fit(train, holdout, schema)

    def accused(synthetic: pl.DataFrame) -> set[str]:
        rules = default_rules(["privacy"], None)
        verdicts = judge(records.measure(synthetic, schema), [], [rule for rule in rules if "_match_" in rule.metric])
        return {verdict.metric.removeprefix("privacy.") for verdict in verdicts if verdict.failed}

    assert accused(perfect) == set()
    assert "exact_match_excess" in accused(train)
    assert "exact_match_excess" in accused(pl.concat([perfect[:990_000], train[:10_000]]))
