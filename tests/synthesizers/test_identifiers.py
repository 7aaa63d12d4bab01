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
from synthcli.synthesizers import identifiers
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


def beside(ids: list[Any], rows: int, dtype: Any = None, seed: int = 5) -> pl.Series:
    """Return ids for rows that stand beside those of ``ids``."""
    taken = pl.Series(ids, dtype=dtype)
    return identifiers.fresh(learn(taken), rows, seed, taken)


def test_ids_beside_a_run_go_on_after_its_last_and_leave_its_gaps() -> None:
    assert beside([7, 3, 5, 4], rows=3).to_list() == [8, 9, 10]
    assert beside([-1, -2, -4], rows=2).to_list() == [-5, -6]
    assert beside([98, 99], rows=2).to_list() == [100, 101], "a digit more than any"
    assert beside([0, 1, 2], rows=2).to_list() == [3, 4]
    assert beside([1.0, 2.0, 3.0, None], rows=40, dtype=pl.Float64).drop_nulls().head(2).to_list() == [4.0, 5.0]
    # The same ids with no heed to those taken are these very ones: the canary.
    assert make(learn(pl.Series([1, 2, 3])), 3, seed=5).to_list() == [1, 2, 3]


def test_scattered_numbers_beside_others_are_none_of_them() -> None:
    # 45 of the 90 numbers of two digits, no run: the other 45 are left, and then three digits begin.
    taken = [10, 99, *range(11, 98, 8)]
    new = beside(taken, rows=90 - len(taken))
    assert sorted([*taken, *new]) == list(range(10, 100))
    more = beside(taken, rows=90 - len(taken) + 5)
    assert sorted(more)[:-5] == sorted(new)
    assert all(100 <= number <= 999 for number in sorted(more)[-5:])


def test_ids_beside_others_share_of_missing_cells_is_kept() -> None:
    new = beside([f"K{at:03d}" if at % 2 else None for at in range(400)], rows=400)
    assert len(new) == 400
    assert new.null_count() == pytest.approx(200, abs=40)
    assert new.drop_nulls().is_unique().all()


def test_a_type_without_room_beside_its_ids_is_refused() -> None:
    assert sorted(beside([1, 50, 99], rows=124, dtype=pl.Int8)) == sorted(set(range(1, 128)) - {1, 50, 99})
    with pytest.raises(BadTableError, match="room for 127 different ids"):
        beside([1, 50, 99], rows=125, dtype=pl.Int8)


def test_infinite_numbers_are_no_end_of_a_run() -> None:
    assert beside([1.0, 2.0, 3.0, float("inf"), float("nan")], rows=2).to_list() == [4.0, 5.0]


def test_no_rows_beside_others_and_rows_beside_none() -> None:
    assert beside(["a1", "b2"], rows=0).dtype == pl.String
    assert len(beside([3, 4], rows=0)) == 0
    assert beside([None, None], rows=3, dtype=pl.Int32).null_count() == 3


@given(columns, st.integers(0, 120), st.integers(0, 2**40))
def test_ids_beside_others_are_unique_and_none_of_them(ids: list[Any], rows: int, seed: int) -> None:
    taken = pl.Series(ids, dtype=pl.Int64 if isinstance(ids[0], int | None) else pl.String)
    # A run that ends where its type ends has no room after it, and is refused; such are too few to look for here.
    pattern = learn(taken)
    new = identifiers.fresh(pattern, rows, seed, taken)
    present = new.drop_nulls()
    assert len(new) == rows
    assert new.dtype == taken.dtype
    assert present.is_unique().all()
    assert not set(present) & set(taken.drop_nulls())
    assert new.equals(identifiers.fresh(pattern, rows, seed, taken))
