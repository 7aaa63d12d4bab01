"""The split on real tables: next month's file moves no row, and few columns leave the sides exchangeable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from examples import ROOT
from scipy import stats

from synthcli.metrics.similarity import two_sample_test
from synthcli.schema import Schema
from synthcli.splitting import Digest, SplitRule, sides
from synthcli.tables import open_table

FOUR = ["workclass", "education", "marital_status", "sex"]


def rule_for(frame: pl.DataFrame) -> SplitRule:
    return SplitRule("hash", 0.2, (), "salt", tuple(frame.columns))


def with_sides(frame: pl.DataFrame, rule: SplitRule) -> pl.DataFrame:
    return frame.with_columns(pl.Series("side", sides(Digest.of(frame, rule), rule)))


@pytest.fixture(params=["flights", "census", "census, 4 columns"])
def table(request: pytest.FixtureRequest) -> tuple[pl.DataFrame, pl.DataFrame, Schema]:
    """A real table, and 20 % further rows of the same kind."""
    if request.param == "flights":
        source = open_table(request.getfixturevalue("flights_csv"))
        later = open_table(ROOT / "sample_data" / "flights" / "2013-10.parquet", schema=source.schema)
        old = source.read()
        return old, pl.concat([later.read(), later.read()[: old.height // 5 - 1_500]]), source.schema
    source = open_table(request.getfixturevalue("census_csv"))
    names = FOUR if "4" in request.param else list(source.schema.names)
    rows = source.read().select(names).sample(fraction=1, shuffle=True, seed=5)
    return rows[:40_000], rows[40_000:48_000], source.schema.select(names)


def test_the_same_file_shuffled_and_with_new_rows_moves_no_row(table: tuple) -> None:
    old, new, _ = table
    rule = rule_for(old)
    grown = pl.concat([new, old]).sample(fraction=1, shuffle=True, seed=3)
    tally = [
        with_sides(frame, rule).group_by([*old.columns, "side"]).agg(pl.len().alias("rows")) for frame in (old, grown)
    ]
    both = tally[0].join(tally[1], on=[*old.columns, "side"], how="left", nulls_equal=True)
    # Of every content at least as many rows are on each side as before: not one has left its side.
    assert both["rows_right"].null_count() == 0
    assert (both["rows_right"] >= both["rows"]).all()


def test_the_share_is_kept_and_the_sides_are_exchangeable(table: tuple) -> None:
    old, _, schema = table
    split = with_sides(old, rule_for(old))
    assert split["side"].mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / old.height))
    parts = [split.filter(pl.col("side") == side).drop("side") for side in (0, 1)]
    told = two_sample_test(*parts, schema, seed=0, max_rows=4_000)
    assert told is not None
    assert abs(told.auc - 0.5) < 4 * told.se


def spread(frame: pl.DataFrame, rule: SplitRule) -> float:
    """Return the p-value of equal holdout shares among contents that occur at least 50 times."""
    tally = with_sides(frame, rule).group_by(list(rule.columns)).agg(pl.len().alias("rows"), pl.col("side").sum())
    often = tally.filter(pl.col("rows") >= 50)
    held, rows = often["side"].to_numpy(), often["rows"].to_numpy()
    return float(stats.chi2.sf(((held - 0.2 * rows) ** 2 / (0.16 * rows)).sum(), len(rows)))


def test_duplicates_are_divided_like_other_rows_and_would_not_be_without_their_number(census_csv: Path) -> None:
    frame = open_table(census_csv).read().select(FOUR)
    rule = rule_for(frame)
    assert spread(frame, rule) > 1e-4
    assert spread(frame, replace(rule, by=tuple(FOUR))) < 1e-100  # all duplicates on one side
