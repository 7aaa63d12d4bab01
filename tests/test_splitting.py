"""The split: every row keeps its side, duplicates are divided like other rows, and the guard knows trespassers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from examples import mixed_table
from hypothesis import given
from hypothesis import strategies as st

from synthcli.rowkeys import row_keys
from synthcli.splitting import SplitRule, holdout_sides, trespassers

RULE = SplitRule("hash", 0.2, (), "salt", ("size", "grade", "city", "late"))


def with_sides(frame: pl.DataFrame, rule: SplitRule) -> pl.DataFrame:
    return frame.with_columns(pl.Series("holdout", holdout_sides(frame, rule)))


def test_the_share_is_met_within_its_sampling_error() -> None:
    sides = holdout_sides(mixed_table(20_000, 1), RULE)
    assert sides.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / 20_000))


def test_no_row_changes_sides_when_rows_are_shuffled_and_added() -> None:
    old, new = mixed_table(4_000, 1), mixed_table(800, 2)
    grown = pl.concat([new, old]).sample(fraction=1, shuffle=True, seed=3)
    columns = list(RULE.columns)
    before, after = (
        with_sides(frame, RULE).group_by(columns).agg(pl.len().alias("rows"), pl.col("holdout").first())
        for frame in (old, grown)
    )
    once = pl.col("rows") == 1  # equal rows cannot be told apart
    both = before.filter(once).join(after.filter(once), on=columns, nulls_equal=True)
    assert both.height > 3_000
    assert both.filter(pl.col("holdout") != pl.col("holdout_right")).height == 0


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.randoms())
def test_each_content_has_the_same_number_of_rows_on_each_side_in_any_order(values: list[str], shuffle: object) -> None:
    rule = replace(RULE, columns=("x",), holdout=0.5)
    frame = pl.DataFrame({"x": values})
    order = list(range(len(values)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    tally = [
        with_sides(part, rule).group_by("x", "holdout").len().sort("x", "holdout").rows()
        for part in (frame, frame[order])
    ]
    assert tally[0] == tally[1]


@given(st.lists(st.sampled_from("abc"), max_size=40), st.lists(st.sampled_from("abc"), max_size=20))
def test_growing_a_table_of_duplicates_only_adds_rows_to_each_side(old: list[str], new: list[str]) -> None:
    rule = replace(RULE, columns=("x",), holdout=0.5)

    def tally(values: list[str]) -> dict[tuple, int]:
        frame = with_sides(pl.DataFrame({"x": values}, schema={"x": pl.String}), rule)
        return {(x, side): count for x, side, count in frame.group_by("x", "holdout").len().rows()}

    before, after = tally(old), tally(old + new)
    assert all(after[group] >= count for group, count in before.items())


def test_duplicates_are_divided_like_other_rows() -> None:
    sides = holdout_sides(pl.DataFrame({"x": ["same"] * 10_000}), replace(RULE, columns=("x",)))
    assert sides.mean() == pytest.approx(0.2, abs=0.016)


def test_rows_of_one_group_stay_together_and_rows_without_one_are_divided() -> None:
    rng = np.random.default_rng(5)
    person = [f"p{i}" for i in rng.integers(0, 300, 3_000)]
    frame = pl.DataFrame({"person": person, "x": rng.normal(size=3_000)}).with_columns(
        pl.when(pl.int_range(3_000) < 1_000).then(None).otherwise("person").alias("person")
    )
    frame = frame.with_columns(pl.Series("person", [None] * 1_000 + person[1_000:]))
    split = with_sides(frame, replace(RULE, by=("person",), columns=("person", "x")))
    grouped = split.filter(pl.col("person").is_not_null()).group_by("person").agg(pl.col("holdout").n_unique())
    assert grouped["holdout"].max() == 1
    assert 0.1 < split.filter(pl.col("person").is_null())["holdout"].mean() < 0.3


def test_another_salt_gives_another_split() -> None:
    frame = mixed_table(4_000, 1)
    same = holdout_sides(frame, RULE) == holdout_sides(frame, replace(RULE, salt="other"))
    assert same.mean() == pytest.approx(0.8**2 + 0.2**2, abs=0.03)


def test_later_columns_are_ignored() -> None:
    frame = mixed_table(500, 1)
    wider = frame.with_columns(pl.lit("new").alias("later"))
    assert (holdout_sides(frame, RULE) == holdout_sides(wider, RULE)).all()


def test_a_rule_survives_json() -> None:
    assert SplitRule.from_dict(RULE.to_dict()) == RULE


def test_the_training_part_has_no_trespassers_though_its_duplicates_renumber() -> None:
    frame = pl.DataFrame({"x": [f"v{i % 50}" for i in range(1_000)]})
    rule = replace(RULE, columns=("x",))
    train = frame.filter(~holdout_sides(frame, rule))
    assert not trespassers(train, rule, train).any()


def test_every_holdout_row_whose_content_is_not_in_training_is_a_trespasser() -> None:
    frame = mixed_table(2_000, 1)
    sides = holdout_sides(frame, RULE)
    train, holdout = frame.filter(~sides), frame.filter(sides)
    known = set(row_keys(train, RULE.columns).tolist())
    expected = [key not in known for key in row_keys(holdout, RULE.columns).tolist()]
    assert trespassers(pl.concat([train, holdout]), RULE, train)[train.height :].tolist() == expected
    assert sum(expected) > 300
