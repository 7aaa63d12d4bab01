"""Sketches: which keys are kept, estimates by hand, laws; how often real rows are accused and synthetic ones missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from examples import MIXED, mixed_table
from hypothesis import given
from hypothesis import strategies as st

from synthcli import sketches
from synthcli.errors import BadTableError
from synthcli.rowkeys import Keys, row_keys
from synthcli.sketches import (
    EVERY,
    Bottom,
    Contamination,
    Sketch,
    Tally,
    estimate,
    examine,
    read,
    sketch,
    stored,
    tally,
)
from synthcli.splitting import Digest, SplitRule, sides, trespassers
from synthcli.tables import write_table
from synthcli.tables.source import open_table
from synthcli.tables.write import as_written

Generator = Callable[[pl.DataFrame, int, np.random.Generator], pl.DataFrame]


def keys(*numbers: int) -> Keys:
    return np.array(numbers, dtype=np.uint64)


def simple(emitted: Keys, real: Keys, base: Tally, **other: object) -> Sketch:
    whole = Sketch(
        "0" * 64, ("x",), np.sort(emitted), EVERY, len(emitted), np.sort(real), len(real), base, "holdout", 1
    )
    return replace(whole, **other)  # type: ignore[arg-type]


# Bottom


def test_the_smallest_distinct_keys_are_kept_with_the_threshold_that_they_meet() -> None:
    bottom = Bottom(3).add(keys(9, 4, 4, 7)).add(keys(1, 9, 8))
    assert bottom.keys.tolist() == [1, 4, 7]
    assert bottom.threshold == 7


def test_as_many_keys_as_fit_need_no_threshold() -> None:
    assert Bottom(3).add(keys(9, 4, 4, 7)).threshold == EVERY


@given(st.lists(st.integers(0, 60), max_size=60), st.integers(1, 8), st.integers(0, 60), st.randoms())
def test_neither_order_nor_batches_change_what_is_kept(numbers: list[int], capacity: int, cut: int, shuffle) -> None:
    at_once = Bottom(capacity).add(keys(*numbers))
    shuffle.shuffle(numbers)
    in_two = Bottom(capacity).add(keys(*numbers[:cut])).add(keys(*numbers[cut:]))
    assert in_two.keys.tolist() == at_once.keys.tolist()
    assert in_two.threshold == at_once.threshold
    assert at_once.keys.tolist() == sorted({number for number in numbers if number <= at_once.threshold})


# What a sketch holds


def test_the_threshold_is_lowered_until_the_real_rows_fit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "REAL_KEYS", 4)
    emitted = Bottom(100).add(keys(5, 15, 25, 35, 45))
    made = sketch(
        "d", ("x",), emitted, 5, depth=1, train=lambda: [keys(10, 20, 30), keys(40, 50)], holdout=lambda: [keys(5, 11)]
    )
    assert made.threshold == 40
    assert made.keys.tolist() == [5, 15, 25, 35]
    assert made.real.tolist() == [10, 20, 30, 40]
    assert made.base == Tally(1, 2, 2.0)
    assert (made.rows, made.real_rows) == (5, 5)


def test_the_base_rate_is_that_of_new_holdout_rows_below_the_threshold() -> None:
    emitted = Bottom(3).add(keys(1, 2, 3, 90))
    made = sketch("d", ("x",), emitted, 4, depth=1, train=lambda: [keys(2)], holdout=lambda: [keys(1, 2, 90, 91, 3)])
    assert made.base == Tally(2, 2, 2.0)  # 2 is known, 90 and 91 lie above
    assert made.base_from == "holdout"


def test_without_a_holdout_the_base_rate_is_that_of_the_training_rows() -> None:
    made = sketch("d", ("x",), Bottom(9).add(keys(1, 2)), 2, depth=1, train=lambda: [keys(1, 3, 4, 5)], holdout=None)
    assert (made.base, made.base_from) == (Tally(1, 4, 4.0), "train")
    alone = sketch("d", ("x",), Bottom(9).add(keys(1, 2)), 2, depth=1, train=None, holdout=None)
    assert (alone.base.looked, alone.base_from) == (0, "nothing")


def test_equal_rows_count_as_rows_but_are_worth_fewer() -> None:
    counted = tally([keys(1, 1, 1), keys(2)], keys(1), EVERY, keys())
    assert (counted.matched, counted.looked) == (3, 4)
    assert counted.effective == pytest.approx(16 / (9 + 1))


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(0, 40))
def test_a_tally_does_not_depend_on_batches(numbers: list[int], cut: int) -> None:
    whole = tally([keys(*numbers)], keys(1, 2, 3), 15, keys(3, 4))
    assert tally([keys(*numbers[:cut]), keys(*numbers[cut:])], keys(1, 2, 3), 15, keys(3, 4)) == whole
    assert whole.matched == sum(number in (1, 2) for number in numbers)
    assert whole.looked == sum(number <= 15 and number not in (3, 4) for number in numbers)
    assert 0 <= whole.effective <= whole.looked + 1e-9


# Estimates


def test_the_share_is_the_excess_over_the_base_rate() -> None:
    known, emitted = keys(*range(100, 200)), keys(*range(100))
    table = keys(*range(40), *range(1000, 1060), *range(100, 130))  # 40 of 100 new rows match, 30 are old
    found = estimate(simple(emitted, known, Tally(20, 100, 100.0)), table, error=0.01)
    assert found.found == Tally(40, 100, 100.0)
    assert found.share == pytest.approx((0.4 - 0.2) / (1 - 0.2))
    assert found.of_all == pytest.approx(found.share * 100 / 130)
    assert 0 <= found.low < found.share


def test_the_bound_is_exact_for_few_rows() -> None:
    never = Tally(0, 10**9, 1e9)  # a base rate that is known to be 0
    found = estimate(simple(keys(1, 2, 3), keys(), never), keys(1, 2, 3, 4, 5), error=0.02)
    upper_tail = sum(comb(5, k) * found.low**k * (1 - found.low) ** (5 - k) for k in (3, 4, 5))
    assert upper_tail == pytest.approx(0.01, rel=1e-4)  # half of the error


def test_a_base_rate_from_few_rows_leaves_little_to_be_said() -> None:
    table = keys(*range(50), *range(100, 150))
    many, few = (
        estimate(simple(keys(*range(50)), keys(), Tally(0, n, float(n))), table, error=0.01) for n in (1000, 4)
    )
    assert many.certain
    assert not few.certain
    assert few.low < 0.1
    assert few.doubtful
    none = estimate(simple(keys(*range(50)), keys(), Tally(0, 0, 0.0)), table, error=0.01)
    assert none.low == 0
    assert none.doubtful


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 60), st.integers(1, 60))
def test_share_and_bound_are_shares_and_the_bound_is_the_smaller(x: int, m: int, h: int, n: int) -> None:
    x, h = min(x, m), min(h, n)
    found = estimate(
        simple(keys(*range(x)), keys(), Tally(h, n, float(n))), keys(*range(x), *range(100, 100 + m - x)), error=0.01
    )
    assert 0 <= found.low <= found.share + 1e-12 <= 1 + 1e-12


def test_the_old_training_table_alone_is_beyond_suspicion() -> None:
    real = keys(*range(100))
    found = estimate(simple(real, real, Tally(0, 3, 3.0)), real, error=0.01)  # a generator that only copies
    assert not found.certain
    assert not found.doubtful


def test_where_the_generator_copies_new_rows_raise_a_doubt() -> None:
    real = keys(*range(100))
    found = estimate(simple(real, real, Tally(0, 1000, 1000.0)), keys(*range(100), *range(500, 600)), error=0.01)
    assert found.share == 0
    assert found.doubtful


def test_many_copies_of_one_row_are_no_proof() -> None:
    base, table = Tally(0, 500, 500.0), keys(*[1] * 50, *range(1000, 1050))
    assert not estimate(simple(keys(1), keys(), base), table, error=0.01).certain
    spread = keys(*range(50), *range(1000, 1050))
    assert estimate(simple(keys(*range(50)), keys(), base), spread, error=0.01).certain


def test_only_sketches_of_columns_that_the_table_has_are_asked_and_the_error_is_shared() -> None:
    table = pl.DataFrame({"x": range(200)})
    emitted = row_keys(table[:20], ["x"])
    one = simple(emitted, keys(), Tally(0, 1000, 1000.0))
    other = replace(one, columns=("x", "absent"))
    assert [found.found.matched for found in examine(table, [one, other], 2)] == [20]
    alone, among_many = next(examine(table, [one], 1)), next(examine(table, [one], 500))
    assert among_many.low < alone.low


# Files


def test_a_sketch_comes_back_as_it_was_written_and_is_private(tmp_path: Path) -> None:
    made = simple(keys(3, 1, 2**63 + 5), keys(7), Tally(1, 9, 8.5), columns=("a", "ü,b"), threshold=EVERY)
    path = sketches.write(tmp_path / "sketches", made)
    assert path.stat().st_mode & 0o777 == 0o600
    assert stored(tmp_path / "sketches") == (path,)
    back = read(path)
    for name in ("digest", "columns", "threshold", "rows", "real_rows", "base", "base_from", "depth"):
        assert getattr(back, name) == getattr(made, name)
    assert np.array_equal(back.keys, made.keys)
    assert np.array_equal(back.real, made.real)
    first = path.read_bytes()
    assert sketches.write(tmp_path / "sketches", made).read_bytes() == first


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_a_damaged_sketch_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(BadTableError, match="no sketch"):
        read(path)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, numbers=np.array([object()], dtype=object))
    with pytest.raises(BadTableError, match="no sketch"):
        read(path)


def test_no_sketches_where_nothing_was_sampled(tmp_path: Path) -> None:
    assert stored(tmp_path / "absent") == ()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_keys_survive_the_trip_through_a_file(tmp_path: Path, suffix: str) -> None:
    rows = mixed_table(2_000, 3).with_columns(pl.col("size") * 1.0000001)
    schema = replace(MIXED, columns=tuple(replace(c, decimals=3) if c.name == "size" else c for c in MIXED.columns))
    path = tmp_path / f"t.{suffix}"
    write_table(rows, schema, path)
    back = open_table(path, schema=schema).read()
    written = row_keys(as_written(rows, schema, suffix), schema.names)  # type: ignore[arg-type]
    assert np.array_equal(written, row_keys(back, schema.names))
    assert np.array_equal(written, row_keys(rows, schema.names)) == (suffix == "parquet")


# False alarms and detection


def independent(train: pl.DataFrame, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """The cheapest generator: every column resampled by itself."""
    return train.select(pl.col(name).gather(rng.integers(0, train.height, rows)) for name in train.columns)


def bootstrap(train: pl.DataFrame, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """A generator that copies training rows."""
    return train[rng.integers(0, train.height, rows)]


def audited(
    table: pl.DataFrame, seed: int, *, share: float = 0.0, cumulative: bool = False, generator: Generator = independent
) -> Contamination:
    """Split, sample, and hold a later table against the sketch, of which ``share`` of the new rows were emitted."""
    rng = np.random.default_rng(seed)
    mixed = table[rng.permutation(table.height)]
    old, fresh = mixed[: int(0.7 * table.height)], mixed[int(0.7 * table.height) :]
    rule = SplitRule("hash", 0.2, (), f"salt {seed}", tuple(table.columns))
    reserved = pl.Series(sides(Digest.of(old, rule), rule) > 0)
    train, holdout = (row_keys(part, rule.columns) for part in (old.filter(~reserved), old.filter(reserved)))
    rows = generator(old.filter(~reserved), 4_000, rng)
    emitted = Bottom(sketches.EMITTED_KEYS).add(row_keys(rows, rule.columns))
    made = sketch("d", rule.columns, emitted, rows.height, depth=1, train=lambda: [train], holdout=lambda: [holdout])
    parts = [fresh, rows[: round(share / (1 - share) * fresh.height)]]
    later = pl.concat([*parts, old.filter(~reserved)] if cumulative else parts)
    allowed = pl.Series(~trespassers(Digest.of(later, rule), rule, train))  # fit lets no other rows come this far
    return estimate(made, row_keys(later.filter(allowed), rule.columns), error=sketches.ALPHA)


@pytest.fixture(scope="module")
def flights(flights_csv: Path) -> pl.DataFrame:
    return open_table(flights_csv).read()


@pytest.fixture(scope="module")
def narrow(census_csv: Path) -> pl.DataFrame:
    """A table in which most rows equal others: four categories."""
    return pl.read_csv(census_csv, columns=["workclass", "education", "marital_status", "sex"])


@pytest.mark.parametrize("cumulative", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_clean_flights_are_never_accused(flights: pl.DataFrame, cumulative: bool) -> None:
    found = [audited(flights[seed % 6 :: 6], seed, cumulative=cumulative) for seed in range(100)]
    assert not any(each.certain or each.doubtful for each in found)


def test_clean_rows_of_few_columns_are_never_accused(narrow: pl.DataFrame) -> None:
    found = [audited(narrow[seed % 8 :: 8], seed) for seed in range(100)]
    assert np.mean([each.base for each in found]) > 0.1  # real rows do match here
    assert not any(each.certain for each in found)


def test_six_percent_of_our_own_flights_are_found(flights: pl.DataFrame) -> None:
    found = [audited(flights, seed, share=0.06, cumulative=seed % 2 == 1) for seed in range(10)]
    assert all(each.certain for each in found)
    assert np.mean([each.share for each in found]) == pytest.approx(0.06, abs=0.01)


def test_a_table_of_few_columns_that_is_mostly_ours_is_doubted_at_least(narrow: pl.DataFrame) -> None:
    assert all(
        audited(narrow, seed, share=0.4).doubtful or audited(narrow, seed, share=0.4).certain for seed in range(5)
    )


def test_copies_of_training_rows_are_doubted_and_never_counted(flights: pl.DataFrame) -> None:
    found = audited(flights, 1, share=0.06, generator=bootstrap)
    assert found.share == 0
    assert found.copied == 1
    assert found.doubtful


@pytest.mark.slow
def test_the_bound_holds_where_real_rows_match_by_nature(census_csv: Path) -> None:
    columns = ["age", "education", "occupation", "relationship", "race", "native_country"]
    table = pl.read_csv(census_csv, columns=columns)
    clean = [audited(table, seed) for seed in range(100)]
    assert not any(each.certain for each in clean)
    share = 0.3
    found = [audited(table, seed, share=share) for seed in range(20)]
    assert all(each.certain for each in found)
    assert all(each.low < each.share for each in found)
