"""Identifiers made anew: what an id column looks like, and fresh ids that look alike.

An id says nothing about its row, so no generator learns it. What is kept of a column of ids is its pattern: how many
digits, which kinds of characters stand where, the separators, the share of missing cells. No id of the training table
is stored, and characters other than separators are kept as they are only where all ids share them and none ends there.

An id is a function of the pattern, the seed and its position in the whole output, one to one: chunks that are made
apart, in any order and on any machine, hold no id twice. Where a column runs out of room, ids grow by one character;
they are never longer than that needs. A fresh id may happen to equal one of the training table, as a run of numbers
must.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import count, takewhile
from math import prod
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.errors import BadTableError
from synthcli.forms import polars_dtype
from synthcli.seeds import stage_seed
from synthcli.synthesizers.permutation import Index, derive, mix, permute

#: What may stand at a place of a textual id. ``1`` is a first digit, ``v`` the place of a UUID's variant.
_ALPHABETS = {
    "0": string.digits,
    "1": string.digits[1:],
    "A": string.ascii_uppercase,
    "a": string.ascii_lowercase,
    "f": string.digits + "abcdef",
    "F": string.digits + "ABCDEF",
    "v": "89ab",
    "V": "89AB",
    "0A": string.digits + string.ascii_uppercase,
    "0a": string.digits + string.ascii_lowercase,
    "Aa": string.ascii_letters,
    "0Aa": string.digits + string.ascii_letters,
}
_WORD = r"[\p{L}\p{N}]+"
_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
#: Ids that must share a prefix, or lack a character, before that counts as the column's form and not as chance.
_ENOUGH = 10
#: Distinct values that the kinds of characters are read from; separators and prefixes are checked on all.
_LOOKED_AT = 100_000
#: Characters between two separators beyond which ids are cut short.
_LONGEST = 128
#: Ids of one length that are numbered apart; the characters beyond that many combinations are drawn.
_CAPACITY = 2**52
#: Integers that are dense in their range by this much are a run (some are in the holdout).
_DENSE = 0.5


@dataclass(frozen=True, slots=True)
class Integers:
    """Whole numbers of ``least`` to ``most`` digits: a run from the least such number on, or scattered.

    ``dtype`` is the column's and may be a float type, in which other tools store whole numbers with missing cells.
    """

    form: ClassVar[str] = "integers"
    dtype: str
    missing: float
    run: bool
    least: int
    most: int
    negative: bool

    def make(self, index: Index, key: int) -> pl.Series:
        """Return the id at each position of ``index``; ``BadTableError`` where the dtype has no room for them."""
        values = np.empty(len(index), dtype=np.uint64)
        for level, inside, place in _by_level(index, self._sizes()):
            start = self._bounds(level)[0]
            size = self._bounds(level)[1] - start + 1
            values[inside] = np.uint64(start) + (place if self.run else permute(place, size, key + level))
        whole = pl.Series(values).cast(pl.Int64) * -1 if self.negative else pl.Series(values)
        return whole.cast(polars_dtype(self.dtype))

    def _bounds(self, level: int) -> tuple[int, int]:
        digits = self.most + level
        first = 10 ** (self.least - 1) if level == 0 else 10 ** (digits - 1)
        return first, min(10**digits - 1, _greatest(self.dtype))

    def _sizes(self) -> Iterator[int]:
        bounds = (self._bounds(level) for level in count())
        return (last - first + 1 for first, last in takewhile(lambda pair: pair[0] <= pair[1], bounds))


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a textual id: ``literal`` characters, then one of each of ``classes``, of which the first ``least``
    always stand and the others may be cut off."""

    literal: str
    classes: tuple[str, ...]
    least: int


@dataclass(frozen=True, slots=True)
class Strings:
    """Textual ids, part by part. Lengths go from all parts shortest to all parts longest, one character at a time."""

    form: ClassVar[str] = "strings"
    dtype: str
    missing: float
    parts: tuple[Part, ...]

    def make(self, index: Index, key: int) -> pl.Series:
        """Return the id at each position of ``index``."""
        rows = np.arange(len(index))
        pieces: list[pl.DataFrame] = []
        for level, inside, place in _by_level(index, self._sizes()):
            shapes = self._shapes(level)
            starts = np.cumsum([0, *(_capacity(shape) for shape in shapes)]).astype(np.uint64)
            spot = permute(place, int(starts[-1]), key + level)
            chosen = np.searchsorted(starts, spot, side="right") - 1
            for number in np.unique(chosen):
                here = chosen == number
                text = self._spell(shapes[number], spot[here] - starts[number], key)
                pieces.append(pl.DataFrame({"row": rows[inside][here], "id": text}))
        ids = pl.concat(pieces).sort("row")["id"] if pieces else pl.Series([], dtype=pl.String)
        return ids.cast(polars_dtype(self.dtype))

    def _spread(self) -> int:
        return max(len(part.classes) - part.least for part in self.parts)

    def _shapes(self, level: int) -> list[list[tuple[str, ...]]]:
        """Return the classes part by part, for each length that belongs to ``level``; above 0 it is one, longer."""
        if level == 0:
            return [[part.classes[: part.least + cut] for part in self.parts] for cut in range(self._spread() + 1)]
        last = max(number for number, part in enumerate(self.parts) if part.classes)
        shape = [part.classes for part in self.parts]
        shape[last] += (shape[last][-1],) * level
        return [shape]

    def _sizes(self) -> Iterator[int]:
        return (sum(_capacity(shape) for shape in self._shapes(level)) for level in count())

    def _spell(self, shape: list[tuple[str, ...]], place: Index, key: int) -> pl.Series:
        """Return the ids at ``place`` among those of one shape."""
        columns: list[NDArray[np.uint8]] = []
        numbered = len(_numbered(shape))
        classes = [name for part in shape for name in part]
        rest = place.copy()
        for back, name in enumerate(reversed(classes)):
            alphabet = np.frombuffer(_ALPHABETS[name].encode(), dtype=np.uint8)
            size = np.uint64(len(alphabet))
            drawn = rest % size if back < numbered else mix(place ^ np.uint64(derive(key, back))) % size
            rest //= size
            columns.append(alphabet[drawn])
        return self._join(shape, columns[::-1], len(place))

    def _join(self, shape: list[tuple[str, ...]], columns: list[NDArray[np.uint8]], rows: int) -> pl.Series:
        pieces: list[pl.Expr] = []
        used = 0
        for part, classes in zip(self.parts, shape, strict=True):
            pieces.append(pl.lit(part.literal))
            if classes:
                letters = np.ascontiguousarray(np.column_stack(columns[used : used + len(classes)]))
                words = letters.view(f"S{len(classes)}").ravel().astype(f"U{len(classes)}")
                pieces.append(pl.lit(pl.Series(words)))
                used += len(classes)
        return pl.select(pl.concat_str(pieces).alias("id"))["id"].head(rows)


Pattern = Integers | Strings


def learn(ids: pl.Series) -> Pattern:
    """Return the pattern of a training column of ids; raises ``BadTableError`` for a type that cannot be one."""
    missing = ids.null_count() / max(len(ids), 1)
    values = ids.drop_nulls().unique()
    if ids.dtype.is_integer() or ids.dtype.is_float():
        return _learn_integers(values, missing)
    if ids.dtype == pl.String:
        return Strings("String", missing, _learn_parts(values))
    raise BadTableError(
        f"column {ids.name!r} is marked as an id but stored as {ids.dtype}, expected whole numbers or text",
        f"set data.columns.{ids.name}.type to another kind",
    )


def make(pattern: Pattern, rows: int, seed: int, start: int = 0) -> pl.Series:
    """Return the ids at the positions ``start`` to ``start + rows - 1``; none stands at two positions of one seed.

    The pattern's share of cells is missing. Raises ``BadTableError`` where the column's type has no room.
    """
    index = np.arange(start, start + rows, dtype=np.uint64)
    ids = pattern.make(index, stage_seed(seed, "id"))
    if not pattern.missing:
        return ids
    draws = mix(index ^ np.uint64(stage_seed(seed, "missing"))) / 2.0**64
    return pl.select(pl.when(pl.lit(pl.Series(draws >= pattern.missing))).then(pl.lit(ids)).alias("id"))["id"]


def fresh(pattern: Pattern, rows: int, seed: int, taken: pl.Series) -> pl.Series:
    """Return ``rows`` ids, none twice and none of those ``taken``; the pattern's share of cells is missing.

    A run goes on after its last number: the gaps in it may be ids of rows that are not at hand.
    """
    used, after = taken.drop_nulls(), _after(pattern, taken)
    try:
        return _beside(pattern, rows, seed, used, after)
    except BadTableError:
        if not after:
            raise
        return _beside(pattern, rows, seed, used, 0)  # a run that ends where its type ends has room before it


def _beside(pattern: Pattern, rows: int, seed: int, used: pl.Series, start: int) -> pl.Series:
    """Return ``rows`` ids at positions from ``start`` on, without those ``used``."""
    found, lacking = [make(pattern, 0, seed)], rows
    while lacking:
        ids = make(pattern, lacking, seed, start)
        free = ids.filter(ids.is_null() | ~ids.is_in(used.implode()))
        found.append(free)
        start, lacking = start + lacking, lacking - len(free)
    return pl.concat(found)


def _after(pattern: Pattern, taken: pl.Series) -> int:
    """Return the position after the last of the ids ``taken`` in a run; 0 where ids are no run."""
    if not isinstance(pattern, Integers) or not pattern.run or not taken.count():
        return 0
    known = taken.filter(taken.is_finite()) if taken.dtype.is_float() else taken
    last = int(known.abs().max() or 0)  # type: ignore[arg-type]
    first: int = 10 ** (pattern.least - 1)
    return max(last - first + 1, 0)


def to_dict(pattern: Pattern) -> dict[str, Any]:
    """Return plain data for JSON; :func:`from_dict` is its inverse."""
    return {"form": pattern.form, **asdict(pattern)}


def from_dict(data: Mapping[str, Any]) -> Pattern:
    """Rebuild a pattern from :func:`to_dict`'s output, also after a trip through JSON."""
    fields = {name: value for name, value in data.items() if name != "form"}
    if data["form"] == Integers.form:
        return Integers(**fields)
    parts = tuple(Part(part["literal"], tuple(part["classes"]), part["least"]) for part in fields.pop("parts"))
    return Strings(**fields, parts=parts)


def _learn_integers(values: pl.Series, missing: float) -> Integers:
    dtype = str(values.dtype)
    if values.dtype.is_float():
        values = values.filter(values.is_finite()).round(0).cast(pl.Int128)
    least, most = (int(values.min()), int(values.max())) if len(values) else (1, 1)  # type: ignore[arg-type]
    negative = most < 0
    if negative:
        least, most = -most, -least
    dense = len(values) >= _DENSE * (most - least + 1)
    return Integers(dtype, missing, dense, len(str(max(least, 1))), len(str(max(most, 1))), negative)


def _learn_parts(values: pl.Series) -> tuple[Part, ...]:
    if len(values) and values.str.contains(_UUID).all():
        return _uuid_parts(upper=bool(values.str.contains("[A-F]").any()))
    prefix = _common_prefix(values)
    rest = values.str.slice(len(prefix))
    frames = rest.str.replace_all(_WORD, "a").unique()
    if len(frames) == 1 and "a" in frames[0]:
        literals = frames[0].split("a")
        words = rest.str.extract_all(_WORD)
        parts = [_learn_part(words.list.get(number), literal) for number, literal in enumerate(literals[:-1])] + [
            Part(literals[-1], (), 0)
        ]
    else:
        parts = [_learn_part(rest, "")]
    parts[0] = Part(prefix + parts[0].literal, parts[0].classes, parts[0].least)
    if not any(part.classes for part in parts):
        parts.append(Part("", ("0",), 1))
    return tuple(part for part in parts if part.literal or part.classes)


def _learn_part(words: pl.Series, literal: str) -> Part:
    lengths = words.str.len_chars()
    least, most = (min(int(length or 0), _LONGEST) for length in (lengths.min(), lengths.max()))  # type: ignore[arg-type]
    seen = words.gather_every(-(-len(words) // _LOOKED_AT) or 1)
    characters = ["".join(seen.str.slice(place, 1).unique().drop_nulls()) for place in range(most)]
    hexadecimal = _hexadecimal("".join(characters))
    classes = [hexadecimal or _class_of(found) for found in characters]
    if classes and classes[0] == "0" and len(seen) >= _ENOUGH and not seen.str.contains("^0.").any():
        classes[0] = "1"
    return Part(literal, tuple(classes), least)


def _uuid_parts(*, upper: bool) -> tuple[Part, ...]:
    """Return the parts of a random (version 4) UUID, RFC 9562 section 5.4."""
    f, v = ("F", "V") if upper else ("f", "v")
    shape = [("", (f,) * 8), ("-", (f,) * 4), ("-4", (f,) * 3), ("-", (v, f, f, f)), ("-", (f,) * 12)]
    return tuple(Part(literal, classes, len(classes)) for literal, classes in shape)


def _common_prefix(values: pl.Series) -> str:
    """Return what all ids begin with, cut back to where a kind of character ends; empty where an id is all of it."""
    if len(values) < _ENOUGH:
        return ""
    first, last = str(values.min()), str(values.max())
    shared = "".join(a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    if (values == shared).any():
        return ""
    following = "".join(values.str.slice(len(shared), 1).unique())
    while shared and shared[-1].isalnum() and _class_of(shared[-1]) in map(_class_of, following):
        following = shared[-1]
        shared = shared[:-1]
    return shared


def _class_of(characters: str) -> str:
    """Return the narrowest of digits, upper and lower case and their unions; a foreign letter counts as its case."""
    kinds = {"0" if c.isdigit() else "A" if c.isupper() else "a" for c in characters if c.isalnum()}
    return "".join(kind for kind in "0Aa" if kind in kinds) or "0Aa"


def _hexadecimal(characters: str) -> str:
    """Return the class of hexadecimal digits of one case if ``characters`` are such and show nearly all letters."""
    found = set(characters)
    for name, letters in (("f", "abcdef"), ("F", "ABCDEF")):
        if found <= set(string.digits + letters) and found & set(string.digits) and len(found & set(letters)) >= 5:
            return name
    return ""


def _numbered(shape: list[tuple[str, ...]]) -> list[int]:
    """Return the alphabet sizes of the last characters of a shape, as many as there are numbers for."""
    sizes = [len(_ALPHABETS[name]) for part in shape for name in part][::-1]
    return [size for end, size in enumerate(sizes) if prod(sizes[: end + 1]) <= _CAPACITY]


def _capacity(shape: list[tuple[str, ...]]) -> int:
    return prod(_numbered(shape))


def _greatest(dtype: str) -> int:
    """Return the greatest whole number that ``dtype`` holds exactly, together with all smaller ones."""
    if dtype.startswith("Float"):
        return int(2 ** (np.finfo(dtype.lower()).nmant + 1))
    return int(np.iinfo(dtype.lower()).max)


def _by_level(index: Index, sizes: Iterator[int]) -> Iterator[tuple[int, NDArray[np.bool_], Index]]:
    """Yield, for each room that positions fall in: its number, which positions, and their places in that room."""
    if not len(index):
        return
    first, last, start = int(index[0]), int(index[-1]), 0
    for level, size in enumerate(sizes):
        if first < start + size:
            inside = (index >= np.uint64(start)) & (index <= np.uint64(start + size - 1))
            yield level, inside, index[inside] - np.uint64(start)
        start += size
        if last < start:
            return
    raise BadTableError(
        f"an id column's type has room for {start:,} different ids, {last + 1:,} are needed",
        "store the column in a wider type, or give it another kind under data.columns",
    )
