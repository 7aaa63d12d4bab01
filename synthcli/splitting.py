"""Which side of the split a row belongs to, so that a holdout stays a holdout when the data grow.

A side is a function of the row's content, a salt and an occurrence number, and of what a rule froze when it was made
(thresholds of strata, a cutoff in time); neither row order nor a random generator is involved. The same row falls on
the same side in next month's file. Rows that are equal in every key column get the occurrence numbers 0, 1, 2 … and so
are divided like other rows: with all duplicates on one side training part and holdout would not be exchangeable, and
every privacy number would be wrong in tables with few columns.

Rules see rows as a ``Digest``, a few numbers a row, so that a table larger than memory can be divided. This module
knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.rowkeys import Keys, TextKeys, canonical_bits, mixed, occurrences, row_keys, text_key

_STEP = np.uint64(0x9E3779B97F4A7C15)
_PRIVACY_SALT = "\x1fprivacy"
_INNER_SALT = "\x1finner"
_EVERYTHING = 2**64


class Side(IntEnum):
    """Where a row goes: to the generator, or into one of the two reserved parts."""

    TRAIN = 0
    HOLDOUT = 1
    #: A random slice of a time split's training period, reserved for the privacy measures: unlike the later rows it is
    #: exchangeable with the training part.
    PRIVACY = 2


Sides = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SplitRule:
    """A rule that says of any row on which side it is.

    Attributes
    ----------
    method
        ``hash``: by content. ``group``: by content of ``by``. ``stratified``: by content, with a threshold for each
        stratum of ``by``. ``time``: from ``cutoff`` on. ``random``: drawn once, remembered by fingerprints.
    holdout
        Share of rows (or of groups, or of each stratum) that are reserved, in (0, 1).
    by
        ``hash``, ``group``: columns whose values stay together on one side (all rows of one customer). ``stratified``:
        the columns that make up a stratum. Else empty.
    salt
        A constant that tells this split from other splits of the same rows. It is no seed: changing ``run.seed``
        moves no row.
    columns
        The columns that make up a row's content, frozen at the first split; later columns are ignored.
    time, cutoff
        ``time``: the column, and the first reserved instant in microseconds since 1970 (a number, for numeric columns).
    privacy_holdout
        ``time``: share of the rows before the cutoff that are reserved for the privacy measures, in [0, 1).
    thresholds
        ``stratified``: stratum's key in hex -> the position in [0, 2^64) below which a row is reserved, fixed at the
        first split so that the shares are exact on that file; a stratum that came later has ``holdout``'s.
    """

    method: str
    holdout: float
    by: tuple[str, ...]
    salt: str
    columns: tuple[str, ...]
    time: str | None = None
    cutoff: int | None = None
    privacy_holdout: float = 0.0
    thresholds: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; :meth:`from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SplitRule:
        """Rebuild a rule from :meth:`to_dict`'s output, also after a trip through JSON.

        Raises ``KeyError``, ``TypeError`` or ``ValueError`` where the data are none.
        """
        rule = cls(**{**data, "by": tuple(data["by"]), "columns": tuple(data["columns"])})
        words = (rule.method, rule.salt, *rule.needs)
        if not all(isinstance(word, str) for word in words) or not 0 < rule.holdout < 1 > rule.privacy_holdout >= 0:
            raise ValueError("no rule of a split")
        return rule

    @property
    def needs(self) -> tuple[str, ...]:
        """Every column without which no side can be told."""
        return tuple(dict.fromkeys((*self.columns, *self.by, *([self.time] if self.time else []))))


@dataclass(frozen=True, slots=True, eq=False)
class Digest:
    """What rules see of rows: a few numbers each, in the rows' order.

    ``content`` is the key of the frozen columns, ``group`` that of ``by`` (0 where a value is missing, see
    ``grouped``), ``moment`` the time column as int64 (the smallest one where it is missing). Arrays that a rule does
    not need are empty.
    """

    content: Keys
    group: Keys
    grouped: npt.NDArray[np.bool_]
    moment: npt.NDArray[np.int64]

    @classmethod
    def of(cls, frame: pl.DataFrame, rule: SplitRule, texts: TextKeys | None = None) -> Self:
        """Digest the rows of ``frame`` for ``rule``; batches of one table may share ``texts``."""
        nothing = np.empty(0, np.uint64)
        group, grouped = nothing, np.empty(0, np.bool_)
        if rule.by:
            grouped = frame.select(pl.all_horizontal(pl.col(rule.by).is_not_null())).to_series().to_numpy()
            group = row_keys(frame, rule.by, texts)
        moment = _moments(frame[rule.time]) if rule.time else np.empty(0, np.int64)
        return cls(row_keys(frame, rule.columns, texts), group, grouped, moment)

    @classmethod
    def concat(cls, parts: Sequence[Digest]) -> Self:
        """Return the digest of the parts' rows, one part after the other; there is at least one part."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("content", "group", "grouped", "moment")
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Fingerprints of the rows that a ``random`` split has seen: sorted content keys of either side, with repeats."""

    holdout: Keys
    train: Keys

    @classmethod
    def empty(cls) -> Self:
        """Return the memory of a split that has not been made yet."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.uint64))

    def with_rows(self, content: Keys, sides: Sides) -> Memory:
        """Return the memory after these rows were divided; rows that were known already are not counted again."""
        return Memory(
            _at_least(self.holdout, content[sides == Side.HOLDOUT]), _at_least(self.train, content[sides == Side.TRAIN])
        )


def frozen_rule(rule: SplitRule, digest: Digest, since: int | None = None) -> SplitRule:
    """Return ``rule`` with what it freezes at the first split, found from that file's ``digest``.

    ``since`` is the cutoff of a time split where one was asked for; else it is the instant from which on the share of
    rows comes closest to ``holdout`` (equal instants stay together).
    """
    if rule.method == "stratified":
        return replace(rule, thresholds=_thresholds(rule, digest))
    if rule.method == "time":
        return replace(rule, cutoff=_cutoff(digest.moment, rule.holdout) if since is None else since)
    return rule


def sides(digest: Digest, rule: SplitRule, memory: Memory | None = None) -> Sides:
    """Return the side of each row; ``memory`` is what a ``random`` rule remembers (nothing, at the first split)."""
    return _SIDES[rule.method](digest, rule, memory or Memory.empty())


def inner_slot(digest: Digest, rule: SplitRule, share: float) -> npt.NDArray[np.bool_]:
    """Return True for each row in a slot of about ``share`` of the rows, whatever their side; groups stay together.

    Like a side, a row's slot follows from its content and its occurrence number among all rows, so that it stays the
    same when the data grow. Another hash decides it: the slot is a fair sample of either side.
    """
    key, number = digest.content, occurrences(digest.content)
    if rule.by and rule.method != "stratified":
        key, number = np.where(digest.grouped, digest.group, key), np.where(digest.grouped, 0, number)
    return _below(positions(key, number, rule.salt + _INNER_SALT), share)


def trespassers(
    digest: Digest, rule: SplitRule, train_part: Keys, memory: Memory | None = None
) -> npt.NDArray[np.bool_]:
    """Return True for each row that must not be trained on: reserved, and its content nowhere in training.

    A reserved duplicate of a row that is itself in training (in these rows, or in ``train_part``, the content keys of
    the split's own training part) gives nothing away and is allowed; occurrence numbers count within a file, so the
    training part's own duplicates would else accuse themselves.
    """
    if rule.method == "random":  # only what was drawn is reserved; an unknown row is new
        reserved = np.isin(digest.content, (memory or Memory.empty()).holdout)
    else:
        reserved = sides(digest, rule) != Side.TRAIN
    allowed = np.concatenate([digest.content[~reserved], train_part])
    return reserved & ~np.isin(digest.content, allowed)


def positions(keys: Keys, number: npt.NDArray[np.int64], salt: str) -> Keys:
    """Return where each (salt, key, occurrence number) stands in [0, 2^64), as good as uniformly."""
    return mixed(mixed(keys, np.uint64(text_key(salt))) + number.astype(np.uint64) * _STEP, np.uint64(0))


def _below(place: Keys, share: float) -> npt.NDArray[np.bool_]:
    return place < np.uint64(int(share * _EVERYTHING))


def _hash_sides(digest: Digest, rule: SplitRule, memory: Memory) -> Sides:
    """Reserve by position; rows of one group share theirs, and rows with a missing value in ``by`` have no group."""
    key, number = digest.content, occurrences(digest.content)
    if rule.by:
        key = np.where(digest.grouped, digest.group, key)
        number = np.where(digest.grouped, 0, number)
    return _below(positions(key, number, rule.salt), rule.holdout).astype(np.uint8)


def _stratified_sides(digest: Digest, rule: SplitRule, memory: Memory) -> Sides:
    place = positions(digest.content, occurrences(digest.content), rule.salt)
    strata, which = np.unique(digest.group, return_inverse=True)
    usual = int(rule.holdout * _EVERYTHING)
    limits = np.array([rule.thresholds.get(f"{stratum:016x}", usual) for stratum in strata], dtype=np.uint64)
    return (place < limits[which]).astype(np.uint8)


def _time_sides(digest: Digest, rule: SplitRule, memory: Memory) -> Sides:
    """Reserve what is not before the cutoff, and the privacy slice of the rest; rows without a time are of the rest."""
    place = positions(digest.content, occurrences(digest.content), rule.salt + _PRIVACY_SALT)
    early = np.where(_below(place, rule.privacy_holdout), Side.PRIVACY, Side.TRAIN)
    return np.where(digest.moment >= _known(rule.cutoff), Side.HOLDOUT, early).astype(np.uint8)


def _random_sides(digest: Digest, rule: SplitRule, memory: Memory) -> Sides:
    """Give rows that are remembered their side, and of the new ones exactly the share to the holdout."""
    number = occurrences(digest.content)
    held, trained = _counts_in(memory.holdout, digest.content), _counts_in(memory.train, digest.content)
    chosen = number < held
    new = np.flatnonzero(number >= held + trained)
    place = positions(digest.content[new], number[new], rule.salt)
    chosen[new[np.argsort(place, kind="stable")[: round(rule.holdout * len(new))]]] = True
    return chosen.astype(np.uint8)


_SIDES = {
    "hash": _hash_sides,
    "group": _hash_sides,
    "stratified": _stratified_sides,
    "time": _time_sides,
    "random": _random_sides,
}


def _thresholds(rule: SplitRule, digest: Digest) -> dict[str, int]:
    """Return for each stratum the position below which exactly its share of rows (rounded) lies."""
    place = positions(digest.content, occurrences(digest.content), rule.salt)
    order = np.lexsort((place, digest.group))
    strata, starts = np.unique(digest.group[order], return_index=True)
    found = {}
    for stratum, own in zip(strata, np.split(place[order], starts[1:]), strict=True):
        count = round(rule.holdout * len(own))
        found[f"{stratum:016x}"] = int(own[count]) if count < len(own) else _EVERYTHING - 1
    return found


def _cutoff(moment: npt.NDArray[np.int64], share: float) -> int:
    """Return the instant from which on a share of rows lies that comes closest to ``share``, some rows before it."""
    instants, counts = np.unique(moment[moment != np.iinfo(np.int64).min], return_counts=True)
    if len(instants) < 2:
        return int(np.iinfo(np.int64).max)
    later = np.cumsum(counts[::-1])[::-1] / counts.sum()
    return int(instants[1 + np.argmin(np.abs(later[1:] - share))])


def _moments(series: pl.Series) -> npt.NDArray[np.int64]:
    """Return instants in microseconds (numbers rounded down), missing as the smallest int64."""
    if series.dtype.is_float():
        series = series.floor()
    bits = canonical_bits(series).view(np.int64)
    return np.where(series.is_null().to_numpy(), np.iinfo(np.int64).min, bits)


def _known(cutoff: int | None) -> int:
    if cutoff is None:
        raise ValueError("a time rule has no cutoff before it is frozen")
    return cutoff


def _counts_in(keys: Keys, wanted: Keys) -> npt.NDArray[np.int64]:
    """Return how often each of ``wanted`` stands in the sorted ``keys``."""
    return np.searchsorted(keys, wanted, side="right") - np.searchsorted(keys, wanted, side="left")


def _at_least(known: Keys, seen: Keys) -> Keys:
    """Return the sorted multiset in which each key stands as often as in the one of both that has more of it."""
    seen = np.sort(seen)
    return np.sort(np.concatenate([known, seen[occurrences(seen) >= _counts_in(known, seen)]]))
