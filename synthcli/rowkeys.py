"""Row keys: a stable 64-bit number for a row's content, the same today, next month and on another machine.

A key depends on the values of the named columns and on nothing else: not on the row's place, the file's format, the
storage type (1, 1.0 and an 8-bit 1 are one value) or the versions of the libraries. The split, the guard against
holdout rows and the search for copied records all compare rows through it. Two different rows share a key with a
probability of 2^-64; the keys are no protection against someone who constructs collisions.

polars' own ``hash_rows`` is not used: it makes no promise across versions, and its string hashes did change.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

Keys = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
#: The bits of a missing cell.
NULL_BITS = np.uint64(0xD6E8FEB86659FD93)
_SLOTS = 1 << 16
_BLOCK = 1 << 15  # rows mixed at a time: a block of keys stays in the processor's cache


def splitmix64(values: Keys) -> Keys:
    """Return the SplitMix64 finaliser of each value (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195)."""
    mixed = values + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


def text_key(text: str) -> int:
    """Return the 64-bit xxh3 of ``text`` in UTF-8."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8"))


def text_keys(texts: pl.Series) -> Keys:
    """Return the :func:`text_key` of each text; none is missing."""
    return np.fromiter((text_key(text) for text in texts), dtype=np.uint64, count=len(texts))


class TextKeys:
    """The keys of texts, each hashed once, also where a table comes in batches.

    A table of 65,536 slots remembers texts by polars' own 64-bit hash, which is fast and holds within a process; texts
    that share a slot with another one are looked up the slow way. Threads may share it: a new table takes the old one's
    place as a whole.
    """

    def __init__(self) -> None:
        self._slots = (np.zeros(_SLOTS, dtype=np.uint64), np.zeros(_SLOTS, dtype=np.uint64))

    def bits(self, texts: pl.Series) -> Keys:
        """Return the xxh3 of each text; what stands for a missing one means nothing."""
        marks, keys = self._slots
        mark = texts.hash().to_numpy()
        slot = (mark >> np.uint64(48)).astype(np.intp)
        bits: Keys = keys[slot]
        unknown = np.flatnonzero(marks[slot] != mark)
        if len(unknown):
            bits[unknown] = _hashed(texts[unknown])
            marks, keys = marks.copy(), keys.copy()
            free = unknown[marks[slot[unknown]] == 0]
            marks[slot[free]], keys[slot[free]] = mark[free], bits[free]
            self._slots = (marks, keys)
        return bits


def _hashed(texts: pl.Series) -> Keys:
    """Return the xxh3 of each text, hashed once a distinct one; 0 for a missing one."""
    distinct = texts.drop_nulls().unique()
    lookup = pl.DataFrame(
        {"value": distinct, "bits": text_keys(distinct)}, schema={"value": pl.String, "bits": pl.UInt64}
    )
    joined = texts.to_frame("value").join(lookup, on="value", how="left", maintain_order="left")
    return joined["bits"].fill_null(0).to_numpy()


def row_keys(frame: pl.DataFrame, columns: Iterable[str], texts: TextKeys | None = None) -> Keys:
    """Return one key a row over ``columns``, in the order given (another order gives other keys).

    ``texts`` spares hashing again what an earlier batch of the same table had; it changes no key.
    """
    keys = np.zeros(frame.height, dtype=np.uint64)
    texts = texts or TextKeys()
    for name in columns:
        keys = mixed(keys, canonical_bits(frame[name], texts))
    return keys


def cell_keys(frame: pl.DataFrame, columns: Iterable[str]) -> Keys:
    """Return a key for each cell, of shape (columns, rows), that also depends on the column's name.

    Their sum is a key of the row from which one cell can be taken out again.
    """
    names = list(columns)
    keys = np.empty((len(names), frame.height), dtype=np.uint64)
    for place, name in enumerate(names):
        keys[place] = splitmix64(canonical_bits(frame[name]) ^ np.uint64(text_key(name)))
    return keys


def mixed(keys: Keys, values: Keys | np.uint64) -> Keys:
    """Return splitmix64(keys ^ values), block by block, so that a block stays in the processor's cache."""
    out = np.empty_like(keys)
    for start in range(0, len(keys), _BLOCK):
        block = slice(start, start + _BLOCK)
        out[block] = splitmix64(keys[block] ^ (values if isinstance(values, np.uint64) else values[block]))
    return out


def canonical_bits(series: pl.Series, texts: TextKeys | None = None) -> Keys:
    """Return 64 bits a cell that are equal exactly where the values are (strings: up to a hash collision).

    Whole numbers, booleans and instants (microseconds since 1970, UTC) are their int64; other numbers their float64;
    strings their xxh3, computed once a distinct value. Null and NaN are one value of their own.
    """
    dtype = series.dtype
    if dtype == pl.Boolean:
        bits = series.cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64)
    elif dtype.is_temporal():
        bits = series.cast(pl.Datetime("us")).to_physical().fill_null(0).to_numpy().view(np.uint64)
    elif dtype.is_float() or dtype == pl.UInt64 or dtype.is_decimal():
        series = series.cast(pl.Float64).fill_nan(None) if dtype != pl.UInt64 else series
        bits = _number_bits(series)
    elif dtype.is_integer():
        bits = series.cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64)
    else:
        bits = (texts or TextKeys()).bits(series.cast(pl.String))
    return np.where(series.is_null().to_numpy(), NULL_BITS, bits) if series.null_count() else bits


def occurrences(keys: Keys) -> npt.NDArray[np.int64]:
    """Return for each key how many equal ones stand before it: 0, 1, 2 … within each group of equal keys."""
    numbers = np.zeros(len(keys), dtype=np.int64)
    repeated = np.flatnonzero(among(keys, _repeated(keys)))
    order = np.argsort(keys[repeated], kind="stable")
    ordered = keys[repeated][order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else order
    sizes = np.diff(np.append(starts, len(ordered)))
    numbers[repeated[order]] = np.arange(len(ordered)) - np.repeat(starts, sizes)
    return numbers


def _repeated(keys: Keys) -> Keys:
    """Return the keys that stand more than once, sorted. A plain sort is ten times as fast as one with positions."""
    ordered = np.sort(keys)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _number_bits(series: pl.Series) -> Keys:
    numbers = series.cast(pl.Float64).fill_null(0.0).to_numpy()
    whole = (numbers == np.floor(numbers)) & (np.abs(numbers) < 2.0**63)
    integers = np.where(whole, numbers, 0.0).astype(np.int64)
    if series.dtype == pl.UInt64:  # above 2^53 a float would merge neighbours
        exact = series.fill_null(0).to_numpy()
        integers = np.where(whole, exact.astype(np.int64), 0)
    return np.where(whole, integers.view(np.uint64), numbers.view(np.uint64))


def table_key(frame: pl.DataFrame, columns: Iterable[str]) -> str:
    """Return one key, in hex, for the content of a table: its rows in any order, duplicates counted."""
    keys = np.sort(row_keys(frame, columns))
    return xxhash.xxh3_128_hexdigest(keys.tobytes())


def among(keys: Keys, ordered: Keys) -> npt.NDArray[np.bool_]:
    """Return True for each key that stands in the sorted ``ordered``."""
    if not len(ordered):
        return np.zeros(len(keys), dtype=np.bool_)
    place = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.asarray(ordered[place] == keys)
