"""Sums over rows: flags together by hand, contents and ids whole and sampled, and that parts of tables add up."""

from __future__ import annotations

import pickle
from dataclasses import fields, is_dataclass
from functools import reduce
from itertools import pairwise
from math import sqrt
from operator import add
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.columns import Table
from synthcli.config.models import FixedCombinations, FixedIncrements, Inequality
from synthcli.metrics.diversity import DiversityCounter, Drawn, distinct_share, measure_diversity
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.sums import (
    SAMPLE_ROWS,
    Contents,
    KeyCounts,
    added,
    flags_by_row,
    highest_key,
    joint_counts,
    packed,
    rows_with,
)
from synthcli.metrics.validity import ValidityCounter, measure_validity
from synthcli.rowkeys import splitmix64
from synthcli.schema import Column, Kind, Schema

ALL = highest_key(1)


def plain(value: Any) -> Any:
    """Return counts as plain data that can be compared; rows of ids, which have no order, are sorted."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return sorted(value.T.tolist()) if value.dtype == np.uint64 and value.ndim == 2 else value.tolist()
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def hashed(numbers: Any) -> Any:
    return splitmix64(np.asarray(numbers, dtype=np.uint64))


# Flags


def test_rows_that_have_two_flags_by_hand() -> None:
    one, other, none = np.array([1, 1, 0, 1, 0]) > 0, np.array([0, 1, 1, 1, 0]) > 0, np.zeros(5) > 0
    bits = [packed(each) for each in (one, other, none)]
    assert joint_counts(bits).tolist() == [[3, 2, 0], [2, 3, 0], [0, 0, 0]]
    assert bits[2] is None
    assert np.concatenate(list(flags_by_row(bits, 5))).tolist() == [1, 2, 1, 2, 0]


@given(st.integers(0, 200), st.integers(0, 4), st.integers(0, 9))
def test_packed_flags_count_as_the_flags_do(rows: int, width: int, seed: int) -> None:
    flags = np.random.default_rng(seed).random((width, rows)) < 0.3
    bits = [packed(each) for each in flags]
    assert joint_counts(bits).tolist() == (flags.astype(int) @ flags.T.astype(int)).tolist()
    assert [rows_with(each) for each in bits] == flags.sum(axis=1).tolist()
    assert np.concatenate([np.zeros(0), *flags_by_row(bits, rows)]).tolist() == flags.sum(axis=0).tolist()


def test_flags_of_several_blocks_of_rows_keep_their_place() -> None:
    flags = np.arange(200_000) % 3 == 0
    assert np.concatenate(list(flags_by_row([packed(flags), packed(~flags)], 200_000))).tolist() == [1.0] * 200_000
    assert (np.concatenate(list(flags_by_row([packed(flags), None], 200_000))) == flags).all()


def test_counts_of_different_things_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        added(np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64))
    with pytest.raises(ValueError, match="thresholds"):
        Contents.of(hashed([1]), 5) + Contents.of(hashed([1]), 6)
    one, other = Table(pl.DataFrame({"a": [1]})), Table(pl.DataFrame({"b": [1]}))
    with pytest.raises(ValueError, match="do not add up"):
        KeyCounts.of(one, ["a", "b"], ALL) + KeyCounts.of(other, ["a", "b"], ALL)


# Contents


def test_all_keys_count_up_to_the_limit_and_a_share_of_more_rows() -> None:
    assert highest_key(0) == highest_key(SAMPLE_ROWS) == 2**64 - 1
    assert highest_key(2 * SAMPLE_ROWS) == 2**63 - 1
    assert highest_key(30, limit=10) == 2**64 // 3 - 1


def test_contents_by_hand() -> None:
    keys = np.array([7, 3, 7, 7, 9], dtype=np.uint64)
    whole, low = Contents.of(keys), Contents.of(keys, 7)
    assert (whole.keys.tolist(), whole.counts.tolist(), whole.rows, whole.chance) == ([3, 7, 9], [1, 3, 1], 5, 1.0)
    assert (low.keys.tolist(), low.counts.tolist(), low.rows, low.seen) == ([3, 7], [1, 3], 5, 4)
    assert low.occurrences(np.array([7, 3, 7], dtype=np.uint64)).tolist() == [3, 1, 3]
    assert whole.source == ""
    assert Contents.of(keys, highest_key(1000, 168)).source == ", from the rows whose key falls into the lowest 16.8 %"


ROWS = st.lists(st.integers(0, 12), max_size=30)


@given(ROWS, ROWS, ROWS, st.sampled_from([1, 4, 1000]))
def test_contents_add_up_in_any_order(a: list[int], b: list[int], c: list[int], limit: int) -> None:
    highest = highest_key(12, limit)
    one, two, three = (Contents.of(hashed(rows), highest) for rows in (a, b, c))
    whole = plain(Contents.of(hashed(a + b + c), highest))
    assert plain((one + two) + three) == plain(one + (two + three)) == plain(three + (two + one)) == whole
    assert plain(one + Contents.of(hashed([]), highest)) == plain(one)
    assert plain(pickle.loads(pickle.dumps(one))) == plain(one)


@pytest.mark.parametrize(
    "repeats", [np.ones(600, dtype=np.int64), np.arange(1, 31).repeat(3), np.array([400, *[1] * 200])]
)
def test_a_sample_of_the_contents_is_unbiased_and_knows_its_error(repeats: Any) -> None:
    rows = int(repeats.sum())
    size, shares = rows // 4, []
    for seed in range(400):
        keys = hashed(np.repeat(np.arange(len(repeats)) + 10_000 * seed, repeats))
        shares.append(distinct_share(Contents.of(keys, highest_key(rows, rows // 3)), size))
    whole = distinct_share(Contents.of(keys), size)
    values = np.array([share.value for share in shares])
    from_sample = np.array([sqrt(max(share.se**2 - whole.se**2, 0.0)) for share in shares])
    assert all(value <= 1.0 for value in values)
    if whole.value < 0.9:  # what passes 1 is cut
        assert abs(values.mean() - whole.value) < 3.5 * values.std() / sqrt(400)
        assert from_sample.mean() == pytest.approx(values.std(), rel=0.25)
    assert np.mean([abs(share.value - whole.value) <= 1.96 * share.se for share in shares]) > 0.93


def test_a_sample_says_less_than_all_rows_do() -> None:
    keys = hashed(np.arange(5_000) // 2)
    whole, part = Contents.of(keys), Contents.of(keys, highest_key(5_000, 500))
    assert distinct_share(part, 1_000).se > 2 * distinct_share(whole, 1_000).se


# Ids


def ids(**cells: Any) -> pl.DataFrame:
    return pl.DataFrame(cells)


def own(frame: pl.DataFrame, limit: int) -> Any:
    return KeyCounts.of(Table(frame), frame.columns, highest_key(frame.height, limit)).every()


def test_ids_by_hand() -> None:
    found = KeyCounts.of(Table(ids(a=["p", "p", None, "q", "r"], b=[1.0, 2.0, 3.0, 4.0, None])), ["a", "b", "c"], ALL)
    assert found.columns == ("a", "b")
    assert found.single(0)[:3] == (2, 4, 4)  # q and r
    assert found.single(1)[:3] == (4, 4, 4)
    assert found.every()[:3] == (1, 3, 3)  # q and 4
    assert found.every().kept == 1


@given(st.lists(st.tuples(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)), max_size=30), st.data())
def test_ids_add_up(rows: list[tuple[int | None, int | None]], data: st.DataObject) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    cut, highest = data.draw(st.integers(0, len(rows))), highest_key(10, data.draw(st.integers(1, 10)))
    parts = [KeyCounts.of(Table(part), ["a", "b"], highest) for part in (frame[:cut], frame[cut:], frame[:0])]
    whole = KeyCounts.of(Table(frame), ["a", "b"], highest)
    assert plain(reduce(add, parts)) == plain(reduce(add, parts[::-1])) == plain(whole)
    assert reduce(add, parts).every() == whole.every()


@pytest.mark.parametrize("kind", [pl.Int64, pl.String, pl.Float64, pl.Datetime("us"), pl.Categorical])
def test_ids_of_any_type_are_told_apart(kind: Any) -> None:
    cells = pl.Series("a", [1, 2, 2, None, 5]).cast(pl.String if kind == pl.Categorical else pl.Int64).cast(kind)
    assert own(cells.to_frame(), 10)[:3] == (2, 4, 4)


@pytest.mark.parametrize("width", [1, 2])
def test_ids_that_never_repeat_are_all_good_in_a_sample_too(width: int) -> None:
    for start in range(0, 100_000, 5_000):
        frame = ids(**{f"c{i}": np.arange(start, start + 5_000) for i in range(width)})  # equal ids in both columns
        found = own(frame, 1_500)
        assert found.kept == 5_000
        assert found.good == pytest.approx(5_000 * 0.3**width, rel=0.25)


def test_an_id_that_many_rows_share_is_noticed_whether_it_is_in_the_sample_or_not() -> None:
    for shared in range(40):
        frame = ids(a=np.concatenate([np.full(2_000, shared), np.arange(100, 3_100)]))
        found = own(frame, 1_000)
        assert found.kept == pytest.approx(3_000, abs=4 * found.error)
        assert found.kept < 5_000


def test_the_number_of_ids_that_repeat_is_estimated_without_bias() -> None:
    found = [own(ids(a=np.repeat(np.arange(1_000), [1, 1, 1, 2] * 250) + 10_000 * i), 250) for i in range(300)]
    kept = np.array([each.kept for each in found])
    assert abs(kept.mean() - 750) < 3.5 * kept.std() / sqrt(300)
    assert np.mean([each.error for each in found]) == pytest.approx(kept.std(), rel=0.2)


# The families

ODD = Schema(
    (
        Column("x", Kind.NUMERIC, "Float64", 2),
        Column("y", Kind.NUMERIC, "Float64"),
        Column("n", Kind.NUMERIC, "Int64", 0),
        Column("c", Kind.CATEGORICAL, "String"),
        Column("f", Kind.CATEGORICAL, "Float64"),
        Column("late", Kind.BOOLEAN, "Boolean"),
        Column("day", Kind.DATETIME, "Datetime[us]"),
        Column("key", Kind.ID, "String"),
        Column("number", Kind.ID, "Int64"),
    )
)
RULES = (
    Inequality(kind="inequality", low_column_name="x", high_column_name="y"),
    FixedIncrements(kind="fixed_increments", column_name="n", increment_value=2.0),
    FixedCombinations(kind="fixed_combinations", column_names=["c", "late"]),
)


def odd(rows: int, seed: int) -> pl.DataFrame:
    """Return rows with missing cells, some not finite, some categories that others lack, and few repeated ids."""
    rng = np.random.default_rng(seed)
    table = pl.DataFrame(
        {
            "x": rng.normal(0, 3, rows).round(2 + seed % 2),
            "y": rng.choice([np.nan, np.inf, 1.0, 2.0, -7.5], rows) * rng.random(rows),
            "n": rng.integers(0, 40, rows).astype(float),
            "c": "l" + pl.Series(rng.integers(0, 6 + seed % 5, rows)).cast(pl.String),
            "f": rng.choice([np.nan, 1.0, 2.0], rows),
            "late": rng.random(rows) < 0.2,
            "day": pl.Series(rng.integers(0, 10**15, rows)).cast(pl.Datetime("us")),
            "key": "k" + pl.Series(rng.permutation(3 * rows)[:rows] // (1 + seed % 2)).cast(pl.String),
            "number": rng.permutation(rows),
        }
    )
    gaps = [
        pl.when(pl.Series(rng.random(rows) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        for name in table.columns[:7]
    ]
    return table.with_columns(gaps)


TRAIN, HOLDOUT, MADE = odd(400, 0), odd(90, 2), odd(300, 3)
Counter = ValidityCounter | DiversityCounter


def counter_of(family: str, rows: int, limit: int = SAMPLE_ROWS) -> Counter:
    if family == "validity":
        return ValidityCounter.fit(Table(TRAIN), ODD, RULES, rows=rows, limit=limit)
    return DiversityCounter.fit(Table(TRAIN), ODD, target="late", rows=rows, limit=limit)


def concluded(counter: Any, holdout: Any, synthetic: Any) -> tuple[Estimate, ...]:
    if isinstance(counter, ValidityCounter):
        return counter.conclude(holdout, synthetic)
    drawn = Drawn.of(Table(TRAIN), Table(HOLDOUT), Table(MADE), ODD, seed=1)
    return counter.conclude(holdout, synthetic, drawn)


@pytest.mark.parametrize("family", ["validity", "diversity"])
@given(st.lists(st.integers(0, 60), max_size=3), st.integers(0, 3), st.sampled_from([20, SAMPLE_ROWS]))
def test_counts_of_a_concatenation_are_the_sum_of_the_counts(
    family: str, sizes: list[int], seed: int, limit: int
) -> None:
    parts = [odd(size, seed + i) for i, size in enumerate(sizes)] + [MADE[:0]]
    counter = counter_of(family, sum(sizes), limit)
    counted = [counter.count(Table(part)) for part in parts]
    whole = plain(counter.count(Table(pl.concat(parts))))
    assert plain(reduce(add, counted)) == plain(reduce(add, counted[::-1])) == whole


@pytest.mark.parametrize("family", ["validity", "diversity"])
@pytest.mark.parametrize("limit", [100, SAMPLE_ROWS])
def test_one_two_and_seven_parts_give_the_same_estimates(family: str, limit: int) -> None:
    counter = counter_of(family, MADE.height, limit)
    holdout, found = counter.count(Table(HOLDOUT)), []
    for number in (1, 2, 7):
        edges = np.linspace(0, MADE.height, number + 1).astype(int)
        parts = [MADE[a:b] for a, b in pairwise(edges)]
        found.append(concluded(counter, holdout, reduce(add, [counter.count(Table(part)) for part in parts])))
    assert found[0] == found[1] == found[2]
    assert len({(each.name, each.columns) for each in found[0]}) == len(found[0])


def test_the_measures_are_what_the_counters_conclude() -> None:
    parts = [TRAIN, HOLDOUT, MADE]
    measured = {
        "validity": measure_validity(*parts, ODD, RULES),
        "diversity": measure_diversity(*parts, ODD, target="late", seed=1),
    }
    for family, estimates in measured.items():
        counter = counter_of(family, MADE.height)
        assert concluded(counter, counter.count(Table(HOLDOUT)), counter.count(Table(MADE))) == estimates


@pytest.mark.parametrize("family", ["validity", "diversity"])
def test_a_counter_and_its_counts_travel_to_other_processes(family: str) -> None:
    counter = counter_of(family, MADE.height)
    sent = pickle.loads(pickle.dumps(counter))
    counts = pickle.loads(pickle.dumps(sent.count(Table(MADE))))
    assert plain(counts) == plain(counter.count(Table(MADE)))
    holdout = counter.count(Table(HOLDOUT))
    assert concluded(sent, holdout, counts) == concluded(counter, holdout, counts)


@pytest.mark.parametrize("family", ["validity", "diversity"])
def test_a_part_on_disk_counts_as_one_in_memory(family: str) -> None:
    counter = counter_of(family, MADE.height)
    assert plain(counter.count(Table(MADE.lazy()))) == plain(counter.count(Table(MADE)))


@pytest.mark.parametrize("family", ["validity", "diversity"])
def test_counts_do_not_grow_with_the_rows(family: str) -> None:
    counter = counter_of(family, 10**9, limit=1000)  # of whose rows none of these should be seen
    small, large = (len(pickle.dumps(counter.count(Table(odd(rows, 1))))) for rows in (200, 20_000))
    assert large < small + 100


def test_an_estimate_from_a_sample_says_so_and_is_less_certain() -> None:
    whole, part = (
        {
            (each.name, each.columns): each
            for family in ("validity", "diversity")
            for each in estimates_of(family, limit)
        }
        for limit in (SAMPLE_ROWS, 100)
    )
    sampled = {key for key in whole if "whose key falls into the lowest 33.3 %" in part[key].detail}
    assert sampled == {
        ("diversity.distinct_rows", ()),
        ("validity.keys", ()),
        ("validity.keys", ("key",)),
        ("validity.keys", ("number",)),
    }
    for key, estimate in whole.items():
        assert "lowest" not in estimate.detail or estimate.name == "validity.constraints"
        if key in sampled:
            assert part[key].high - part[key].low > estimate.high - estimate.low
            assert part[key].low <= estimate.value <= part[key].high
        else:
            assert part[key] == estimate


def estimates_of(family: str, limit: int) -> tuple[Estimate, ...]:
    counter = counter_of(family, MADE.height, limit)
    reserved = counter.sized(HOLDOUT.height) if isinstance(counter, DiversityCounter) else counter
    return concluded(counter, reserved.count(Table(HOLDOUT)), counter.count(Table(MADE)))
