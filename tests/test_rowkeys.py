"""Row keys: known values, what counts as equal, and the numbering of duplicates."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.rowkeys import TextKeys, canonical_bits, occurrences, row_keys, splitmix64, text_key

KNOWN_KEYS = [6497480935216655655, 17610752711778148408, 4620966899246466254]


def test_splitmix64_gives_the_published_sequence() -> None:
    # The first outputs of the reference generator with seed 1234567 (Vigna, splitmix64.c).
    golden = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + k * golden) % 2**64 for k in range(3)], dtype=np.uint64)
    assert splitmix64(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_text_key_is_xxh3_with_seed_0() -> None:
    assert text_key("") == 0x2D06800538D394C2


def test_keys_of_a_known_table_never_change() -> None:
    frame = pl.DataFrame(
        {
            "a": [1, None, -3],
            "b": ["x", "ä", None],
            "c": [0.5, 2.0, None],
            "d": [date(2013, 1, 1), None, date(1969, 1, 1)],
        }
    )
    assert row_keys(frame, frame.columns).tolist() == KNOWN_KEYS


def test_a_number_has_one_key_whatever_stores_it() -> None:
    stored = [pl.Series([1], dtype=dtype) for dtype in (pl.Int8, pl.UInt8, pl.Int64, pl.UInt64, pl.Float32, pl.Float64)]
    assert len({int(canonical_bits(series)[0]) for series in stored}) == 1


def test_neighbouring_large_integers_have_different_keys() -> None:
    for dtype in (pl.Int64, pl.UInt64):
        bits = canonical_bits(pl.Series([2**53, 2**53 + 1], dtype=dtype))
        assert bits[0] != bits[1]


def test_minus_zero_is_zero_and_nan_is_missing() -> None:
    assert len(set(canonical_bits(pl.Series([0.0, -0.0])).tolist())) == 1
    assert len(set(canonical_bits(pl.Series([float("nan"), None])).tolist())) == 1


def test_missing_differs_from_zero_and_from_empty_text() -> None:
    numbers = canonical_bits(pl.Series([0, None]))
    texts = canonical_bits(pl.Series(["", None]))
    assert numbers[0] != numbers[1]
    assert texts[0] != texts[1]


def test_an_instant_has_one_key_in_every_unit() -> None:
    moment = datetime(2013, 1, 1, 5, tzinfo=UTC)
    stored = [pl.Series([moment], dtype=pl.Datetime(unit, "UTC")) for unit in ("ms", "us", "ns")]
    assert len({int(canonical_bits(series)[0]) for series in stored}) == 1


def test_a_cell_counts_in_its_own_column_only() -> None:
    frame = pl.DataFrame({"a": ["x", "y"], "b": ["y", "x"]})
    keys = row_keys(frame, ["a", "b"])
    assert keys[0] != keys[1]


@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from(["", "a", "b", None])), max_size=30), st.randoms())
def test_keys_are_equal_exactly_where_rows_are_and_ignore_their_order(rows: list[tuple], shuffle: object) -> None:
    frame = pl.DataFrame(rows, schema={"n": pl.Int64, "s": pl.String}, orient="row")
    keys = row_keys(frame, ["n", "s"]).tolist()
    assert len(set(keys)) == len(set(rows))
    order = list(range(len(rows)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    assert row_keys(frame[order], ["n", "s"]).tolist() == [keys[i] for i in order]


@given(st.lists(st.integers(0, 4), max_size=40))
def test_occurrences_count_the_equal_keys_before(values: list[int]) -> None:
    expected = [values[:i].count(value) for i, value in enumerate(values)]
    assert occurrences(np.array(values, dtype=np.uint64)).tolist() == expected


def test_an_unknown_column_is_an_error() -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        row_keys(pl.DataFrame({"a": [1]}), ["b"])


@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "c", None]), min_size=1, max_size=8), min_size=1, max_size=5))
def test_shared_texts_change_no_key(batches: list[list[str | None]]) -> None:
    texts = TextKeys()
    for batch in batches:
        frame = pl.DataFrame({"s": batch}, schema={"s": pl.String})
        assert row_keys(frame, ["s"], texts).tolist() == row_keys(frame, ["s"]).tolist()


def test_texts_that_share_a_slot_are_hashed_all_the_same() -> None:
    texts, frame = TextKeys(), pl.DataFrame({"s": [f"{i}" for i in range(70_000)]})  # more texts than slots
    for _ in range(2):
        assert row_keys(frame, ["s"], texts).tolist() == row_keys(frame, ["s"]).tolist()


def test_threads_may_share_texts() -> None:
    frames = [pl.DataFrame({"s": [f"{i % (7 + k)}" for i in range(20_000)]}) for k in range(12)]
    alone = [row_keys(frame, ["s"]).tolist() for frame in frames]
    texts = TextKeys()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda frame: row_keys(frame, ["s"], texts).tolist(), frames))
    assert together == alone
