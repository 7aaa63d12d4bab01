"""The split: every row keeps its side, duplicates are divided like other rows, and the guard knows trespassers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from examples import mixed_table
from hypothesis import given
from hypothesis import strategies as st

from synthcli.rowkeys import row_keys
from synthcli.splitting import Digest, Memory, Side, SplitRule, frozen_rule, inner_slot, sides, trespassers

RULE = SplitRule("hash", 0.2, (), "salt", ("size", "grade", "city", "late"))
ONE = SplitRule("hash", 0.5, (), "salt", ("x",))


def divide(frame: pl.DataFrame, rule: SplitRule, memory: Memory | None = None) -> np.ndarray:
    return sides(Digest.of(frame, rule), rule, memory)


def with_sides(frame: pl.DataFrame, rule: SplitRule, memory: Memory | None = None) -> pl.DataFrame:
    return frame.with_columns(pl.Series("side", divide(frame, rule, memory)))


def moved(old: pl.DataFrame, grown: pl.DataFrame, columns: list[str]) -> tuple[int, int]:
    """Return how many contents that stand once in both are on another side, and how many such contents there are."""
    once = [
        frame.group_by(columns).agg(pl.len().alias("rows"), pl.col("side").first()).filter(pl.col("rows") == 1)
        for frame in (old, grown)
    ]
    both = once[0].join(once[1], on=columns, nulls_equal=True)
    return both.filter(pl.col("side") != pl.col("side_right")).height, both.height


def with_memory(frame: pl.DataFrame, rule: SplitRule) -> tuple[np.ndarray, Memory]:
    digest = Digest.of(frame, rule)
    found = sides(digest, rule)
    return found, Memory.empty().with_rows(digest.content, found)


# by content


def test_the_share_is_met_within_its_sampling_error() -> None:
    found = divide(mixed_table(20_000, 1), RULE)
    assert found.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / 20_000))


@pytest.mark.parametrize("method", ["hash", "stratified", "random"])
def test_no_row_changes_sides_when_rows_are_shuffled_and_added(method: str) -> None:
    old, new = mixed_table(4_000, 1), mixed_table(800, 2)
    rule = replace(RULE, method=method, by=("grade",) if method == "stratified" else ())
    rule = frozen_rule(rule, Digest.of(old, rule))
    first, memory = with_memory(old, rule)
    grown = with_sides(pl.concat([new, old]).sample(fraction=1, shuffle=True, seed=3), rule, memory)
    changed, compared = moved(old.with_columns(pl.Series("side", first)), grown, list(RULE.columns))
    assert compared > 3_000
    assert changed == 0


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.randoms())
def test_each_content_has_the_same_number_of_rows_on_each_side_in_any_order(values: list[str], shuffle: object) -> None:
    frame = pl.DataFrame({"x": values})
    order = list(range(len(values)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    tally = [
        with_sides(part, ONE).group_by("x", "side").len().sort("x", "side").rows() for part in (frame, frame[order])
    ]
    assert tally[0] == tally[1]


@pytest.mark.parametrize("method", ["hash", "random"])
@given(
    old=st.lists(st.sampled_from("abc"), min_size=1, max_size=40), new=st.lists(st.sampled_from("abcd"), max_size=20)
)
def test_growing_a_table_of_duplicates_only_adds_rows_to_each_side(method: str, old: list[str], new: list[str]) -> None:
    rule = replace(ONE, method=method)
    _, memory = with_memory(pl.DataFrame({"x": old}), rule)

    def tally(values: list[str], known: Memory | None) -> dict[tuple, int]:
        frame = with_sides(pl.DataFrame({"x": values}), rule, known)
        return {(x, side): count for x, side, count in frame.group_by("x", "side").len().rows()}

    before, after = tally(old, None), tally(old + new, memory)
    assert all(after.get(group, 0) >= count for group, count in before.items())


def test_duplicates_are_divided_like_other_rows() -> None:
    found = divide(pl.DataFrame({"x": ["same"] * 10_000}), replace(ONE, holdout=0.2))
    assert found.mean() == pytest.approx(0.2, abs=0.016)


def test_another_salt_gives_another_split() -> None:
    frame = mixed_table(4_000, 1)
    same = divide(frame, RULE) == divide(frame, replace(RULE, salt="other"))
    assert same.mean() == pytest.approx(0.8**2 + 0.2**2, abs=0.03)


def test_later_columns_are_ignored() -> None:
    frame = mixed_table(500, 1)
    wider = frame.with_columns(pl.lit("new").alias("later"))
    assert (divide(frame, RULE) == divide(wider, RULE)).all()


@given(st.lists(st.integers(0, 9), min_size=2, max_size=50), st.integers(1, 49))
def test_a_digest_in_parts_is_the_digest_of_the_whole(values: list[int], cut: int) -> None:
    frame = pl.DataFrame({"x": values})
    parts = [frame[: cut % len(values)], frame[cut % len(values) :]]
    together = Digest.concat([Digest.of(part, ONE) for part in parts if part.height])
    assert (sides(together, ONE) == divide(frame, ONE)).all()


# by group


def test_rows_of_one_group_stay_together_and_rows_without_one_are_divided() -> None:
    rng = np.random.default_rng(5)
    person = [None] * 1_000 + [f"p{i}" for i in rng.integers(0, 300, 2_000)]
    frame = pl.DataFrame({"person": person, "x": rng.normal(size=3_000)})
    split = with_sides(frame, replace(RULE, method="group", by=("person",), columns=("person", "x")))
    grouped = split.filter(pl.col("person").is_not_null()).group_by("person").agg(pl.col("side").n_unique())
    assert grouped["side"].max() == 1
    assert 0.1 < split.filter(pl.col("person").is_null())["side"].mean() < 0.3


# by stratum


def test_shares_are_exact_in_each_stratum_on_the_first_file() -> None:
    frame = pl.DataFrame({"x": range(1_130), "c": ["a"] * 1_000 + ["b"] * 100 + [None] * 30})
    rule = SplitRule("stratified", 0.2, ("c",), "salt", ("x", "c"))
    rule = frozen_rule(rule, Digest.of(frame, rule))
    held = with_sides(frame, rule).group_by("c").agg(pl.col("side").sum())
    assert dict(held.rows()) == {"a": 200, "b": 20, None: 6}


def test_a_stratum_that_comes_later_has_the_usual_share() -> None:
    first = pl.DataFrame({"x": range(100), "c": ["a"] * 100})
    rule = SplitRule("stratified", 0.2, ("c",), "salt", ("x", "c"))
    rule = frozen_rule(rule, Digest.of(first, rule))
    later = pl.DataFrame({"x": range(5_000), "c": ["new"] * 5_000})
    assert divide(later, rule).mean() == pytest.approx(0.2, abs=0.025)


def test_the_record_names_no_stratum() -> None:
    frame = pl.DataFrame({"x": range(50), "c": ["secret"] * 50})
    rule = SplitRule("stratified", 0.2, ("c",), "salt", ("x", "c"))
    assert "secret" not in json.dumps(frozen_rule(rule, Digest.of(frame, rule)).to_dict())


# by time


def days(*numbers: int | None) -> pl.DataFrame:
    start = datetime(2013, 1, 1)
    moments = [None if day is None else start + timedelta(days=day) for day in numbers]
    return pl.DataFrame({"when": moments, "x": range(len(numbers))}, schema={"when": pl.Datetime("us"), "x": pl.Int64})


def time_rule(frame: pl.DataFrame, share: float, privacy: float = 0.0, since: int | None = None) -> SplitRule:
    rule = SplitRule("time", share, (), "salt", ("when", "x"), time="when", privacy_holdout=privacy)
    return frozen_rule(rule, Digest.of(frame, rule), since)


def test_the_latest_rows_are_reserved_and_equal_instants_stay_together() -> None:
    frame = days(5, 1, 4, 2, 3, 5, 5, 1, 2, 4)
    assert divide(frame, time_rule(frame, 0.3)).tolist() == [1, 0, 0, 0, 0, 1, 1, 0, 0, 0]
    assert divide(frame, time_rule(frame, 0.35)).tolist() == [1, 0, 0, 0, 0, 1, 1, 0, 0, 0]
    assert divide(frame, time_rule(frame, 0.45)).tolist() == [1, 0, 1, 0, 0, 1, 1, 0, 0, 1]


def test_a_date_can_be_the_cutoff_and_stays_it() -> None:
    frame = days(1, 2, 3, 4)
    rule = time_rule(frame, 0.2, since=int(datetime(2013, 1, 4).timestamp() * 1e6))
    later = days(0, 9)
    assert divide(frame, rule).tolist() == [0, 0, 1, 1]
    assert divide(later, rule).tolist() == [0, 1]


def test_rows_without_a_time_belong_to_the_training_period() -> None:
    frame = days(1, None, 2, 3, None)
    assert divide(frame, time_rule(frame, 0.4)).tolist() == [0, 0, 0, 1, 0]


def test_a_random_slice_of_the_training_period_is_reserved_for_privacy() -> None:
    frame = days(*range(4_000))
    found = divide(frame, time_rule(frame, 0.25, privacy=0.1))
    assert (found[3_000:] == Side.HOLDOUT).all()
    assert (found[:3_000] == Side.PRIVACY).mean() == pytest.approx(0.1, abs=0.02)
    assert not (found[:3_000] == Side.HOLDOUT).any()


def test_one_instant_cannot_be_divided_by_time() -> None:
    frame = days(1, 1, 1)
    assert divide(frame, time_rule(frame, 0.5)).tolist() == [0, 0, 0]


# at random


def test_random_reserves_exactly_the_share_of_new_rows_each_time() -> None:
    rule = replace(RULE, method="random", columns=("x",))
    first, memory = with_memory(pl.DataFrame({"x": range(1_000)}), rule)
    assert first.sum() == 200
    assert divide(pl.DataFrame({"x": range(1_500)}), rule, memory).sum() == 300


def test_the_memory_keeps_rows_that_a_later_file_lacks() -> None:
    rule = replace(RULE, method="random", columns=("x",))
    first, memory = with_memory(pl.DataFrame({"x": range(100)}), rule)
    gap = Digest.of(pl.DataFrame({"x": range(100, 150)}), rule)
    memory = memory.with_rows(gap.content, sides(gap, rule, memory))
    assert (divide(pl.DataFrame({"x": range(100)}), rule, memory) == first).all()


# the inner slot


def slot(frame: pl.DataFrame, rule: SplitRule, share: float) -> np.ndarray:
    return inner_slot(Digest.of(frame, rule), rule, share)


def within(share: float, rows: int) -> object:
    return pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / rows))


@pytest.mark.parametrize("method", ["hash", "stratified", "time", "random"])
def test_the_slot_has_its_share_of_either_side(method: str) -> None:
    frame = mixed_table(20_000, 1)
    rule = replace(RULE, method=method, by=("grade",) if method == "stratified" else (), time="size")
    rule = frozen_rule(rule, Digest.of(frame, rule))
    inner, side = slot(frame, rule, 0.1), divide(frame, rule)
    assert inner.mean() == within(0.1, 20_000)
    for each in (Side.TRAIN, Side.HOLDOUT):
        assert inner[side == each].mean() == within(0.1, int((side == each).sum()))


def test_the_slot_is_no_copy_of_the_side_where_shares_are_equal() -> None:
    frame = mixed_table(20_000, 1)
    both = slot(frame, RULE, 0.2) & (divide(frame, RULE) == Side.HOLDOUT)
    assert both.mean() == within(0.04, 20_000)


def test_nothing_and_everything_are_slots_too_and_a_larger_one_holds_a_smaller_one() -> None:
    frame = mixed_table(2_000, 1)
    small, large = slot(frame, RULE, 0.1), slot(frame, RULE, 0.3)
    assert not slot(frame, RULE, 0.0).any()
    assert large[small].all()
    assert large.sum() > small.sum() > 0


@pytest.mark.parametrize("method", ["hash", "stratified"])
def test_no_row_changes_its_slot_when_rows_are_shuffled_and_added(method: str) -> None:
    old, new = mixed_table(4_000, 1), mixed_table(800, 2)
    rule = replace(RULE, method=method, by=("grade",) if method == "stratified" else ())
    first, grown = (
        frame.with_columns(pl.Series("side", slot(frame, rule, 0.1)))
        for frame in (old, pl.concat([new, old]).sample(fraction=1, shuffle=True, seed=3))
    )
    changed, compared = moved(first, grown, list(RULE.columns))
    assert compared > 3_000
    assert changed == 0


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.lists(st.sampled_from("abcd"), max_size=20))
def test_equal_rows_have_their_slot_by_their_occurrence_number(old: list[str], new: list[str]) -> None:
    def by_number(values: list[str]) -> dict[str, list[bool]]:
        inner = slot(pl.DataFrame({"x": values}), ONE, 0.5).tolist()
        return {each: [own for value, own in zip(values, inner, strict=True) if value == each] for each in set(values)}

    before, after, turned = by_number(old), by_number(old + new), by_number(old[::-1])
    assert all(after[value][: len(own)] == own for value, own in before.items())
    assert turned == before


def test_equal_rows_are_on_either_side_of_the_slot() -> None:
    assert slot(pl.DataFrame({"x": ["same"] * 10_000}), ONE, 0.2).mean() == within(0.2, 10_000)


@pytest.mark.parametrize("method", ["hash", "group"])
def test_groups_stay_together_in_the_slot_and_rows_without_one_do_not(method: str) -> None:
    rng = np.random.default_rng(5)
    person = [None] * 1_000 + [f"p{i}" for i in rng.integers(0, 300, 2_000)]
    frame = pl.DataFrame({"person": person, "x": rng.normal(size=3_000)})
    rule = replace(RULE, method=method, by=("person",), columns=("person", "x"))
    found = frame.with_columns(pl.Series("inner", slot(frame, rule, 0.2)))
    grouped = (
        found.drop_nulls("person").group_by("person").agg(pl.col("inner").n_unique(), pl.col("inner").any().alias("in"))
    )
    assert grouped["inner"].max() == 1
    assert grouped["in"].mean() == within(0.2, grouped.height)
    assert found.filter(pl.col("person").is_null())["inner"].mean() == within(0.2, 1_000)


def test_a_stratum_does_not_stay_together_in_the_slot() -> None:
    frame = mixed_table(4_000, 1)
    by_content = slot(frame, RULE, 0.2)
    assert (slot(frame, replace(RULE, method="stratified", by=("grade",)), 0.2) == by_content).all()
    for part in frame.with_columns(pl.Series("inner", by_content)).partition_by("grade"):
        assert part["inner"].mean() == within(0.2, part.height)


def test_another_salt_gives_another_slot() -> None:
    frame = mixed_table(4_000, 1)
    same = slot(frame, RULE, 0.2) == slot(frame, replace(RULE, salt="other"), 0.2)
    assert same.mean() == within(0.8**2 + 0.2**2, 4_000)


# the guard


def trespassing(frame: pl.DataFrame, rule: SplitRule, train: pl.DataFrame, memory: Memory | None = None) -> list[bool]:
    return trespassers(Digest.of(frame, rule), rule, row_keys(train, rule.columns), memory).tolist()


def test_the_training_part_has_no_trespassers_though_its_duplicates_renumber() -> None:
    frame = pl.DataFrame({"x": [f"v{i % 50}" for i in range(1_000)]})
    train = frame.filter(pl.Series(divide(frame, ONE) == Side.TRAIN))
    assert not any(trespassing(train, ONE, train))


@pytest.mark.parametrize("method", ["hash", "random", "time"])
def test_every_reserved_row_whose_content_is_not_in_training_is_a_trespasser(method: str) -> None:
    frame = mixed_table(2_000, 1)
    rule = replace(RULE, method=method)
    if method == "time":
        rule = replace(rule, time="size", privacy_holdout=0.2)
    rule = frozen_rule(rule, Digest.of(frame, rule))
    found, memory = with_memory(frame, rule)
    train, held = frame.filter(pl.Series(found == 0)), frame.filter(pl.Series(found != 0))
    known = set(row_keys(train, rule.columns).tolist())
    expected = [key not in known for key in row_keys(held, rule.columns).tolist()]
    assert trespassing(pl.concat([train, held]), rule, train, memory)[train.height :] == expected
    assert sum(expected) > 300


def test_new_rows_are_no_trespassers_of_a_random_split() -> None:
    rule = replace(ONE, method="random")
    frame = pl.DataFrame({"x": ["a", "b", "c", "d"]})
    _, memory = with_memory(frame, rule)
    assert not any(trespassing(pl.DataFrame({"x": ["e", "f"]}), rule, frame[:0], memory))


def test_a_rule_survives_json() -> None:
    frame = pl.DataFrame({"x": range(50), "c": ["a", "b"] * 25})
    rule = SplitRule("stratified", 0.2, ("c",), "salt", ("x", "c"))
    rule = frozen_rule(rule, Digest.of(frame, rule))
    assert SplitRule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule
