"""Ids made anew: unique, of the source's form, and none of the source's own."""

from __future__ import annotations

import json
import uuid
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli.errors import BadTableError
from synthcli.synthesizers.identifiers import Integers, Pattern, Strings, from_dict, learn, make, to_dict


def through_json(pattern: Pattern) -> Pattern:
    return from_dict(json.loads(json.dumps(to_dict(pattern))))


def fresh(ids: list[Any], rows: int = 50, dtype: Any = None) -> pl.Series:
    """Return new ids for a training column of ``ids``."""
    return make(through_json(learn(pl.Series(ids, dtype=dtype))), rows, seed=5)


def test_a_run_of_numbers_stays_a_run() -> None:
    assert fresh(list(range(1, 200)), rows=4).to_list() == [1, 2, 3, 4]
    assert fresh([1000 + i for i in range(200) if i % 5], rows=3).to_list() == [1000, 1001, 1002]


def test_scattered_numbers_stay_scattered_and_keep_their_count_of_digits() -> None:
    ids = fresh([100_000 + i * 7919 % 900_000 for i in range(100)], rows=2000)
    assert ids.is_unique().all()
    assert ids.min() >= 100_000  # type: ignore[operator]
    assert ids.max() <= 999_999  # type: ignore[operator]
    assert not ids.is_sorted()


def test_numbers_gain_a_digit_only_when_the_room_is_full() -> None:
    ids = fresh([11, 57, 93], rows=95)
    assert sorted(ids.head(90)) == list(range(10, 100))
    assert all(100 <= number <= 999 for number in ids.tail(5))


def test_negative_numbers_stay_negative() -> None:
    assert set(fresh([-5, -900, -77]) < 0) == {True}


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt16, pl.Int64, pl.UInt64, pl.Float64])
def test_numbers_keep_their_type(dtype: Any) -> None:
    assert fresh([1, 50, 99], rows=20, dtype=dtype).dtype == dtype


def test_a_type_without_room_is_refused() -> None:
    assert fresh([1, 50, 99], rows=127, dtype=pl.Int8).is_unique().all()
    with pytest.raises(BadTableError, match="room for 127 different ids, 128 are needed"):
        fresh([1, 50, 99], rows=128, dtype=pl.Int8)


def test_a_type_that_is_no_id_is_refused() -> None:
    with pytest.raises(BadTableError, match="column 'b' is marked as an id but stored as Boolean"):
        learn(pl.Series("b", [True, False]))


@pytest.mark.parametrize(
    ("ids", "form"),
    [
        ([f"ORD-2024-{i * 37 % 9999:06d}" for i in range(40)], r"^ORD-2024-\d{6}$"),
        ([f"{i:05d}" for i in range(40)], r"^\d{5}$"),
        ([str(i * 37) for i in range(40)], r"^[1-9]\d{0,3}$"),
        ([f"N{i * 37 % 900 + 100}{'UA'[i % 2]}{'NS'[i % 2]}" for i in range(40)], r"^N[1-9]\d\d[A-Z][A-Z]$"),
        ([f"{i:02x}:{i * 7 % 256:02X}/x" for i in range(40)], r"^[0-9a-f]{2}:[0-9A-F]{2}/[a-z]$"),
        ([f"u{i}@mail.com" for i in range(40)], r"^u\d{1,2}@[a-z]{4}\.[a-z]{3}$"),
        (["é-1", "ü-2"], r"^[a-z]-\d$"),
        ([f"kunde.{i}.de" for i in range(12)], r"^kunde\.\d{1,2}\.[a-z]{2}$"),
    ],
)
def test_textual_ids_keep_their_form(ids: list[str], form: str) -> None:
    made = fresh(ids, rows=60)
    assert made.is_unique().all()
    assert made.str.contains(form).all()


@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_uuids_come_out_as_random_uuids(spell: Any) -> None:
    made = fresh([spell(str(uuid.UUID(int=i * 7**40 % 2**128))) for i in range(30)], rows=1000)
    assert made.is_unique().all()
    assert {uuid.UUID(text).version for text in made} == {4}
    assert all(text == spell(text) for text in made)


def test_textual_ids_grow_only_when_the_room_is_full() -> None:
    made = fresh([f"A-{i:02d}" for i in range(20)], rows=103)
    assert made.is_unique().all()
    assert made.str.len_chars().to_list() == [4] * 100 + [5] * 3


def test_a_prefix_that_few_ids_share_is_not_kept() -> None:
    pattern = learn(pl.Series(["john.smith.1", "john.smith.2"]))
    assert "john" not in json.dumps(to_dict(pattern))


def test_a_prefix_that_is_itself_an_id_is_not_kept() -> None:
    pattern = learn(pl.Series(["secret-", *(f"secret-{i}" for i in range(20))]))
    assert "secret" not in json.dumps(to_dict(pattern))


def test_the_share_of_missing_ids_is_kept_and_the_others_are_unique() -> None:
    made = fresh(["a1", None, "b2", None], rows=400)
    assert made.null_count() == pytest.approx(200, abs=40)
    assert made.drop_nulls().is_unique().all()


def test_ids_that_repeat_are_made_unique() -> None:
    assert fresh([10, 10, 20, 20] * 5, rows=80).is_unique().all()


def test_a_column_without_ids_stays_without() -> None:
    for dtype in (pl.String, pl.Int32, pl.Float64):
        made = fresh([None, None], rows=5, dtype=dtype)
        assert made.dtype == dtype
        assert made.null_count() == 5


def test_nothing_asked_for_is_nothing_made() -> None:
    assert fresh(["a1", "b2"], rows=0).dtype == pl.String
    assert len(fresh([5, 900], rows=0)) == 0


def test_seeds_decide_which_ids_come_out() -> None:
    pattern = learn(pl.Series(["ab12", "xy99"]))
    assert make(pattern, 9, seed=1).equals(make(pattern, 9, seed=1))
    assert not make(pattern, 9, seed=1).equals(make(pattern, 9, seed=2))


words = st.text(alphabet="abXY019-_. é", min_size=1, max_size=8)
columns = st.one_of(
    st.lists(words, min_size=1, max_size=40),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40),
    st.lists(st.integers(0, 60), min_size=1, max_size=40),
    st.lists(st.from_regex(r"\A[A-Z]{2}-[0-9]{1,4}\Z"), min_size=1, max_size=40),
)


@settings(deadline=None)
@given(columns, st.integers(0, 300), st.integers(0, 2**40), st.integers(1, 99))
def test_ids_are_unique_however_the_output_is_cut(ids: list[Any], rows: int, seed: int, cut: int) -> None:
    pattern = through_json(learn(pl.Series(ids, dtype=pl.Int64 if isinstance(ids[0], int | None) else pl.String)))
    whole = make(pattern, rows, seed)
    present = whole.drop_nulls()
    assert present.is_unique().all()
    pieces = [make(pattern, min(cut, rows - start), seed, start) for start in range(0, rows, cut)]
    assert not pieces or pl.concat(pieces).equals(whole)


@settings(deadline=None)
@given(st.lists(st.text(min_size=4, max_size=12), min_size=1, max_size=40))
def test_no_training_id_stands_in_a_pattern(ids: list[str]) -> None:
    parts = learn(pl.Series(ids)).parts  # type: ignore[union-attr]
    kept = [part.literal for part in parts]
    assert not set(ids) & set(kept)


@settings(deadline=None)
@given(st.lists(st.integers(1000, 2**60), min_size=1, max_size=40))
def test_no_training_number_stands_in_a_pattern(ids: list[int]) -> None:
    pattern = learn(pl.Series(ids))
    assert isinstance(pattern, Integers)
    assert not {pattern.least, pattern.most} & set(ids)


@settings(deadline=None)
@given(st.lists(st.from_regex(r"\A[A-Z]{2}-[0-9]{2,4}\Z"), min_size=12, max_size=40, unique=True))
def test_new_ids_have_characters_of_the_kinds_seen(ids: list[str]) -> None:
    assert make(learn(pl.Series(ids)), 99, seed=3).str.contains(r"^[A-Z]{2}-\d{2,4}$").all()


def test_ids_of_full_width_are_made() -> None:
    pattern = Strings("String", 0.0, learn(pl.Series([uuid.UUID(int=i).hex * 4 for i in range(20)])).parts)  # type: ignore[union-attr]
    made = make(pattern, 5000, seed=1)
    assert made.is_unique().all()
    assert set(made.str.len_chars()) == {128}
