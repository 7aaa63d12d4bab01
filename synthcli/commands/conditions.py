"""What is asked of the rows to draw: ``--where`` texts read into groups of rows, and an account of the rows made.

A text is ``[COUNT:]COL=VALUE[,COL=VALUE ...]``. With a count it asks for a group of exactly so many rows; without one
it holds for every row, those of the groups too. Column names may hold any sign, so a text is cut only where the name of
a known column and ``=`` stand, the longest such name first; values are read in the form in which the source writes
them. Groups come in the order given and the rest of the rows after them, so what is asked of a row follows from its
place in the output, and chunks can be made apart.

Nothing here draws, reads a file or knows a generator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.config.suggest import nearest, suggestion
from synthcli.errors import UsageError
from synthcli.forms import DEFAULT_SPELLING, polars_dtype, reading, tolerant_reading, writing
from synthcli.inference import ReadOptions
from synthcli.inference.missing import known_tokens
from synthcli.schema import Column, Schema

_COUNTED = re.compile(r"([0-9]+):(.*)", re.DOTALL)
_EXAMPLE = "such as --where late=true or --where 300:late=true,carrier=UA"
#: Names of columns, or numbers of rows, that a message lists at most.
_LISTED = 5
#: What ends an instant that says its distance from UTC.
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?(?:\d\d)?)$")


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Rows that stand together in the output and of which the same is asked.

    Attributes
    ----------
    rows
        How many they are, at least 1.
    where
        Column name -> the value as it was typed.
    cells
        The values in one row, with the schema's types; no columns where nothing is asked.
    """

    rows: int
    where: Mapping[str, str]
    cells: pl.DataFrame

    @property
    def label(self) -> str:
        """The conditions as a message calls them; empty where there are none."""
        return f"with {', '.join(f'{name}={value}' for name, value in self.where.items())}" if self.where else ""


class Chunk(NamedTuple):
    """A stretch of the output: its number, the place of its first row, and what is given of its rows.

    ``given`` has ``rows`` rows of any of the schema's columns, null for a cell to be drawn; ``None``: nothing is given.
    """

    number: int
    start: int
    rows: int
    given: pl.DataFrame | None


class _Wish(NamedTuple):
    """One ``COL=VALUE``: the value as typed and as read."""

    name: str
    typed: str
    cell: pl.Series


def groups(
    texts: Sequence[str], schema: Schema, rows: int | None, default: int, missing: Sequence[str] | None = None
) -> tuple[Group, ...]:
    """Return the groups that ``texts`` ask for, and after them the rest of the rows.

    There are ``rows`` rows; where that is ``None`` as many as are counted in ``texts``, else ``default``. ``missing``
    are the tokens that mean a missing cell as far as a person named them (``data.missing``).

    Raises ``UsageError`` for a text that cannot be read, for values that contradict each other, and where ``rows`` has
    no room for the groups.
    """
    tokens = known_tokens(schema, ReadOptions(missing=None if missing is None else tuple(missing)))
    conditions = [_condition(text, schema, tokens) for text in texts]
    everywhere = [wish for count, wishes in conditions if count is None for wish in wishes]
    counted = [(count, wishes) for count, wishes in conditions if count is not None]
    asked = sum(count for count, _ in counted)
    total = rows if rows is not None else asked or default
    if total < asked:
        raise UsageError(
            f"-n {total}: fewer rows than the {asked:,} that --where asks for", "raise -n, or leave it out"
        )
    found = [_group(count, [*everywhere, *wishes]) for count, wishes in counted]
    return (*found, _group(total - asked, everywhere)) if total > asked else tuple(found)


def doubts(texts: Iterable[Group], schema: Schema) -> tuple[str, ...]:
    """Return a sentence for each value that looks as if it held a further condition on a misspelt column."""
    told = []
    for group in texts:
        for name, value in group.where.items():
            near = [(word, nearest(word, schema.names)) for word in re.findall(r",([^,=]+)=", value)]
            told += [
                f"--where: {value!r} is taken as a value of {name!r}, since {word!r} is no column; is {right!r} meant?"
                for word, right in near
                if right is not None
            ]
    return tuple(dict.fromkeys(told))


def _condition(text: str, schema: Schema, tokens: Mapping[str, tuple[str, ...]]) -> tuple[int | None, list[_Wish]]:
    """Return a text's count and its wishes. A column whose own name looks like a count goes first."""
    counted = None if _name_at(text, schema.names) else _COUNTED.fullmatch(text)
    if counted is None:
        return None, list(_wishes(text, text, schema, tokens))
    count = int(counted[1])
    if not count:
        raise UsageError(f"--where {text!r}: a group of 0 rows", "give a count of at least 1, or leave the text out")
    return count, list(_wishes(counted[2], text, schema, tokens))


def values(text: str, schema: Schema, option: str) -> dict[str, str]:
    """Return the values that ``COL=VALUE[,COL=VALUE ...]`` names, as typed; errors name ``option``."""
    found: dict[str, str] = {}
    for name, typed in _parts(text, text, schema.names, option):
        if name in found:
            raise UsageError(f"{option} {text!r}: {name} stands twice", "name each column once")
        found[name] = typed
    return found


def _wishes(rest: str, whole: str, schema: Schema, tokens: Mapping[str, tuple[str, ...]]) -> Iterator[_Wish]:
    for name, typed in _parts(rest, whole, schema.names, "--where"):
        yield _Wish(name, typed, cell(schema[name], typed, schema, tokens[name]))


def _parts(rest: str, whole: str, names: Sequence[str], option: str) -> Iterator[tuple[str, str]]:
    """Yield column names and what is typed for them."""
    while True:
        name = _name_at(rest, names)
        if name is None:
            raise _unknown(rest, whole, names, option)
        rest = rest[len(name) + 1 :]
        ends = (at for at, sign in enumerate(rest) if sign == "," and _name_at(rest[at + 1 :], names))
        end = next(ends, len(rest))
        yield name, rest[:end]
        if end == len(rest):
            return
        rest = rest[end + 1 :]


def _name_at(text: str, names: Sequence[str]) -> str | None:
    """Return the longest column name that ``text`` starts with and ``=`` follows."""
    return max((name for name in names if text.startswith(f"{name}=")), key=len, default=None)


def _unknown(rest: str, whole: str, names: Sequence[str], option: str) -> UsageError:
    name, sign, _ = rest.partition("=")
    if not sign:
        return UsageError(f"{option} {whole!r}: no condition, expected COL=VALUE", _EXAMPLE)
    return UsageError(f"{option} {whole!r}: the generator has no column {name!r}", suggestion(name, names))


def cell(column: Column, text: str, schema: Schema, tokens: Sequence[str], option: str = "--where") -> pl.Series:
    """Return the value that ``text`` means in the column, in a series of one with the column's type.

    Raises ``UsageError``, which names ``option``, for what means no value of the column.
    """
    asked = f"{option} {column.name}={text}"
    if not column.modelled:
        raise UsageError(
            f"{asked}: column {column.name!r} is of kind {column.kind}, which is not learned",
            "set conditions on learned columns; --given FILE takes such cells over as they are",
        )
    if _zoned(column) and not _OFFSET.search(text):
        raise UsageError(f"{asked}: the column has a time zone, and the value none", f"add it, e.g. {text}Z for UTC")
    if not text or text in tokens:
        raise UsageError(f"{asked}: this means a missing cell, and missing cells cannot be asked for", "name a value")
    typed = pl.DataFrame({column.name: [text]})
    comma = schema.dialect.decimal_comma
    value = typed.select(tolerant_reading(column, decimal_comma=comma).alias(column.name))
    if value.to_series().null_count():
        raise UsageError(
            f"{asked}: {text!r} is no value of column {column.name!r} ({column.kind}), expected {_form(column, comma)}",
            "write the value in that form",
        )
    if not value.equals(value.select(reading(column, writing(column)).alias(column.name))):
        raise UsageError(
            f"{asked}: {text!r} is finer than column {column.name!r} ({column.kind}) is written, "
            f"expected {_form(column, comma)}",
            "write the value in that form",
        )
    return value.to_series()


def _zoned(column: Column) -> bool:
    dtype = polars_dtype(column.dtype)
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None


def _form(column: Column, comma: bool) -> str:
    """Return in words what the column's values look like."""
    dtype = polars_dtype(column.dtype)
    if dtype == pl.Boolean:
        false, true = column.spelling or DEFAULT_SPELLING
        return f"{true} or {false}"
    if dtype.is_temporal():
        return f"the form {column.format}" if column.format else "the form of ISO 8601, such as 2024-12-31"
    if dtype.is_integer():
        return f"a whole number of type {column.dtype}"
    digits = "" if column.decimals is None else f" and at most {column.decimals} digits after it"
    return f"a number with a decimal {'comma' if comma else 'point'}{digits}"


def _group(rows: int, wishes: Iterable[_Wish]) -> Group:
    found: dict[str, _Wish] = {}
    for wish in wishes:
        known = found.setdefault(wish.name, wish)
        if not known.cell.equals(wish.cell):
            raise UsageError(
                f"--where asks for {wish.name}={known.typed} and {wish.name}={wish.typed} in the same rows",
                "give each its own rows: --where 300:COL=VALUE --where 200:COL=OTHER",
            )
    where = {name: wish.typed for name, wish in found.items()}
    return Group(rows, where, pl.DataFrame([wish.cell for wish in found.values()]))


def spans(sizes: Sequence[int], start: int, rows: int) -> Iterator[tuple[int, int]]:
    """Yield (which part, how many of its rows) for the rows from ``start`` on, where parts of ``sizes`` rows stand in
    a row.
    """
    for part, end in enumerate(accumulate(sizes)):
        common = min(end, start + rows) - max(end - sizes[part], start)
        if common > 0:
            yield part, common


def frame(asked: Sequence[Group], start: int, rows: int) -> pl.DataFrame | None:
    """Return what is given of the rows from ``start`` on; ``None`` where nothing is."""
    parts = [(asked[part].cells, count) for part, count in spans([group.rows for group in asked], start, rows)]
    dtypes = {name: dtype for cells, _ in parts for name, dtype in cells.schema.items()}
    if not dtypes:
        return None
    return pl.DataFrame(
        {name: pl.concat([_repeated(cells, name, dtype, n) for cells, n in parts]) for name, dtype in dtypes.items()}
    )


def _repeated(cells: pl.DataFrame, name: str, dtype: pl.DataType, rows: int) -> pl.Series:
    known = cells[name] if name in cells.columns else pl.Series(name, [None], dtype)
    return known.new_from_index(0, rows)


def chunks(
    asked: Sequence[Group], size: int, *, start: int = 0, rows: int | None = None, number: int = 0
) -> Iterator[Chunk]:
    """Yield the output's chunks of ``size`` rows, the last one maybe fewer.

    A stretch of the output of ``rows`` rows (default: all) begins at row ``start`` with the chunk ``number``.
    """
    end = sum(group.rows for group in asked) if rows is None else start + rows
    for place, at in enumerate(range(start, end, size), number):
        here = min(size, end - at)
        yield Chunk(place, at, here, frame(asked, at, here))


@dataclass
class Account:
    """How many rows of each part of the output were tried so far, and how many could be made.

    Attributes
    ----------
    labels, sizes
        What messages call each part (``with late=true``), and how many rows it is to have.
    tried, made
        Rows of each part so far.
    lacking
        Numbers, from 1, of the first rows that could not be made.
    """

    labels: Sequence[str]
    sizes: Sequence[int]
    tried: list[int] = field(init=False)
    made: list[int] = field(init=False)
    lacking: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.tried, self.made = [0] * len(self.sizes), [0] * len(self.sizes)

    def add(self, start: int, made: NDArray[np.bool_]) -> None:
        """Count the rows from ``start`` on."""
        at = 0
        for part, rows in spans(self.sizes, start, len(made)):
            self.tried[part] += rows
            self.made[part] += int(np.count_nonzero(made[at : at + rows]))
            at += rows
        lacking = np.flatnonzero(~made)[: _LISTED - len(self.lacking)]
        self.lacking += (start + 1 + lacking).tolist()

    @property
    def complete(self) -> bool:
        """Whether every row so far could be made."""
        return self.made == self.tried

    def told(self, tries: int, *, numbered: bool = False) -> str:
        """Return the account in words; ``numbered`` names the first rows that lack, where their numbers mean a thing.

        ``tries`` is the bound on the draws for each row.
        """
        each = [
            f"{made:,} of {tried:,} rows {label}".rstrip()
            for label, tried, made in zip(self.labels, self.tried, self.made, strict=True)
            if made < tried
        ]
        total, sofar = sum(self.sizes), sum(self.tried)
        seen = f" when {sofar:,} of {total:,} rows were done" if sofar < total else ""
        others = f" (and {len(each) - _LISTED:,} more groups)" if len(each) > _LISTED else ""
        told = f"could make {', '.join(each[:_LISTED])}{others}{seen}, with {tries:,} tries for each at most"
        if not numbered:
            return told
        more = sum(self.tried) - sum(self.made) - len(self.lacking)
        listed = ", ".join(f"{row:,}" for row in self.lacking) + (f" and {more:,} more" if more else "")
        return f"{told}; not row{'s' if len(self.lacking) > 1 else ''} {listed}"
