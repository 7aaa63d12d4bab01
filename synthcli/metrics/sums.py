"""Sums over rows: what a measure needs of a table, in values that add up over parts of the table's rows.

As for count tables, ``of(a ++ b) == of(a) + of(b)``, so that a table can be read part by part, by several processes,
and no value grows with the number of rows. Three kinds of them are here: how many rows have two flags together;
contents, how often each different row occurs; and ids, which should occur once. Of the latter two a great many rows are
looked at in part, by a rule that all parts share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import sqrt
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import Floats, Table, comparable
from synthcli.constraints import Flags
from synthcli.counts import Counts
from synthcli.rowkeys import Keys, among, canonical_bits, mixed, text_key, text_keys

#: Rows up to which contents are kept of all, and about the number that is looked at of more.
SAMPLE_ROWS = 2**24
_BLOCK = 2**16  # rows, a multiple of 64, of which the sums stay in the processor's cache
_KEYS = 2**64
#: Standard errors by which the rows that a sample of ids stands for may miss the number that there is.
_CERTAIN = 4

#: One bit a row in words of 64 rows; ``None`` stands for a flag that no row has.
Bits = npt.NDArray[np.uint64] | None


def added(one: Counts, other: Counts) -> Counts:
    """Return the sum of counts of the same things; raises ``ValueError`` where their shapes differ."""
    if one.shape != other.shape:
        raise ValueError(f"counts of the shapes {one.shape} and {other.shape} do not add up")
    return one + other


# Flags


def packed(flags: Flags) -> Bits:
    """Return a flag a row as a bit a row."""
    if not flags.any():
        return None
    octets = np.zeros(-(-len(flags) // 64) * 8, dtype=np.uint8)
    octets[: -(-len(flags) // 8)] = np.packbits(flags)
    return octets.view(np.uint64)


def rows_with(bits: Bits) -> int:
    """Return how many rows have the flag."""
    return 0 if bits is None else int(np.bitwise_count(bits).sum(dtype=np.int64))


def joint_counts(flags: Sequence[Bits]) -> Counts:
    """Return how many rows have both of each two flags, of shape (flags, flags); on the diagonal, how many have one."""
    joint = np.zeros((len(flags), len(flags)), dtype=np.int64)
    shown = [(i, bits) for i, bits in enumerate(flags) if bits is not None]
    for (i, one), (j, other) in combinations_with_replacement(shown, 2):
        joint[i, j] = joint[j, i] = rows_with(one & other)
    return joint


def flags_by_row(flags: Sequence[Bits], rows: int) -> Iterator[Floats]:
    """Yield how many of the flags each row has, block by block of the rows."""
    for start in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - start)
        found = np.zeros(size)
        for bits in flags:
            if bits is not None:
                words = bits[start // 64 : (start + _BLOCK) // 64]
                found += np.unpackbits(words.view(np.uint8), count=size)
        yield found


# Contents


def highest_key(rows: int, limit: int = SAMPLE_ROWS) -> int:
    """Return the key at or below which about ``limit`` of ``rows`` rows lie: the highest there is for up to ``limit``.

    Keys are spread evenly over [0, 2^64), so the share of them that lies there is a chance.
    """
    return limit * _KEYS // max(rows, limit) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """How often each different key occurs, of those that lie at or below a threshold.

    All occurrences of a key are counted or none, so the counts are exact, and the keys below the threshold are a fair
    sample of all (distinct sampling, Gibbons 2001, VLDB 27:541): each is among them with :attr:`chance`, and a sum over
    them, divided by that, is an unbiased estimate of the sum over all (Horvitz and Thompson 1952).

    Attributes
    ----------
    keys, counts
        Different keys in ascending order, and in how many rows each occurs.
    rows
        Number of all rows, those with a higher key too.
    highest
        The threshold, in [0, 2^64).
    """

    keys: Keys
    counts: Counts
    rows: int
    highest: int = _KEYS - 1

    @classmethod
    def of(cls, keys: Keys, highest: int = _KEYS - 1) -> Self:
        """Count the rows whose keys these are."""
        ordered = np.sort(keys if highest == _KEYS - 1 else keys[keys <= np.uint64(highest)])
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, np.intp)
        return cls(ordered[starts], np.diff(starts, append=len(ordered)), len(keys), highest)

    def __add__(self, other: Contents) -> Contents:
        """Return the contents of both sets of rows; raises ``ValueError`` where the thresholds differ."""
        if self.highest != other.highest:
            raise ValueError("contents below different thresholds do not add up")
        few, many = (self, other) if len(self.keys) < len(other.keys) else (other, self)
        place, known = np.searchsorted(many.keys, few.keys), among(few.keys, many.keys)
        counts = many.counts.copy()
        counts[place[known]] += few.counts[known]
        return Contents(
            np.insert(many.keys, place[~known], few.keys[~known]),
            np.insert(counts, place[~known], few.counts[~known]),
            self.rows + other.rows,
            self.highest,
        )

    @property
    def chance(self) -> float:
        """The chance of a key to lie at or below the threshold; 1 where none can lie above."""
        return (self.highest + 1) / _KEYS

    @property
    def seen(self) -> int:
        """Number of rows whose key lies there."""
        return int(self.counts.sum())

    @property
    def source(self) -> str:
        """What to say of an estimate from a sample; nothing where all rows are looked at."""
        return "" if self.chance == 1 else f", from the rows whose key falls into the lowest {100 * self.chance:.3g} %"

    def occurrences(self, keys: Keys) -> Counts:
        """Return how often each of some keys occurs, all of which are among these."""
        return self.counts[np.searchsorted(self.keys, keys)]


# Ids


@dataclass(frozen=True, slots=True, eq=False)
class KeyCounts:
    """The ids of a table's rows, those below a threshold; counts of two parts add up to those of both.

    Attributes
    ----------
    columns
        The id columns that are keys and that the table has.
    contents
        Of each column, over the rows with an id.
    complete
        Number of rows with every id.
    together
        The keys of all columns in the rows of which every one lies below the threshold, of shape (columns, rows), in
        any order: which of several ids belong to one row. Of a single column none, its contents say it all.
    """

    columns: tuple[str, ...]
    contents: tuple[Contents, ...]
    complete: int
    together: Keys

    @classmethod
    def of(cls, part: Table, names: Sequence[str], highest: int) -> Self:
        """Count those of the columns that the table has."""
        columns = tuple(name for name in names if name in part.columns)
        ids = [_ids(part[name]) for name in columns]
        there = np.logical_and.reduce([there for _, there in ids]) if ids else np.zeros(part.height, dtype=np.bool_)
        together = np.zeros((len(columns), 0), dtype=np.uint64)
        if len(columns) > 1:
            rows = np.stack([keys[there] for keys, _ in ids])
            together = rows[:, (rows <= np.uint64(highest)).all(axis=0)]
        contents = tuple(Contents.of(keys[known], highest) for keys, known in ids)
        return cls(columns, contents, int(np.count_nonzero(there)), together)

    def __add__(self, other: KeyCounts) -> KeyCounts:
        """Return the counts of both sets of rows; raises ``ValueError`` where they are of different columns."""
        if self.columns != other.columns:
            raise ValueError(f"ids of {self.columns} and {other.columns} do not add up")
        contents = tuple(one + another for one, another in zip(self.contents, other.contents, strict=True))
        together = np.concatenate([self.together, other.together], axis=1)
        return KeyCounts(self.columns, contents, self.complete + other.complete, together)

    def single(self, column: int) -> Own:
        """Return how many rows have an id of their own in one column."""
        contents = self.contents[column]
        good = int(np.count_nonzero(contents.counts == 1))
        return Own(good, contents.seen, contents.rows, contents.chance)

    def every(self) -> Own:
        """Return how many rows have an id of their own in every column."""
        if len(self.columns) == 1:
            return self.single(0)
        pairs = zip(self.contents, self.together, strict=True)
        own = np.logical_and.reduce([contents.occurrences(keys) == 1 for contents, keys in pairs])
        chance = self.contents[0].chance ** len(self.columns)
        return Own(int(np.count_nonzero(own)), self.together.shape[1], self.complete, chance)


class Own(NamedTuple):
    """Rows that have an id of their own: ``good`` of the ``seen`` ones.

    A good row is seen with ``chance``, each independently of the others; ``there`` is the number of all rows with an
    id, seen or not.
    """

    good: int
    seen: int
    there: int
    chance: float

    @property
    def error(self) -> float:
        """The standard error, from what is not seen, of the number of good rows that the sample stands for."""
        return sqrt(max(self.good, 1) * (1 - self.chance)) / self.chance

    @property
    def kept(self) -> int:
        """The estimated number of good rows among all.

        That no bad one was seen says little by itself: an id that half of the rows share is seen wholly or not at all.
        Yet then the good rows would stand for too few; where they do not, all are taken for good.
        """
        stood_for = self.good / self.chance
        if self.good == self.seen and abs(stood_for - self.there) <= _CERTAIN * self.error:
            return self.there
        return min(round(stood_for), self.there - (self.seen - self.good))


def _ids(series: pl.Series) -> tuple[Keys, Flags]:
    """Return a key for each id, and which ids are there; the key of a missing one means nothing.

    The keys also depend on the column's name, so that equal ids of two columns are no more often seen together.
    """
    series = comparable(series)
    there: Flags = series.is_not_null().to_numpy()
    known = series.drop_nulls()
    bits = text_keys(known) if known.dtype == pl.String else canonical_bits(known)  # most texts differ: each is hashed
    keys = np.zeros(len(series), dtype=np.uint64)
    keys[there] = mixed(bits, np.uint64(text_key(series.name)))
    return keys, there
