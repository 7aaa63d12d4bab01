"""One reading of a large synthetic table, part by part: what every family needs of all its rows, in values that add up.

Parts are stretches of the table of one size, whoever counts them, and are put together in their order, so that the
result is the same for any number of workers. No more is kept than sums, the codes of the rows that accuracy looks at,
and a draw of whole rows: memory does not grow with the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import add
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import Table
from synthcli.encoding import Codes, CountEncoding
from synthcli.executors import Call, Workplace, in_order
from synthcli.metrics.diversity import DiversityCounter, DiversityCounts
from synthcli.metrics.privacy import Hits, Sought, cell_keys
from synthcli.metrics.validity import ValidityCounter, ValidityCounts
from synthcli.schema import Schema
from synthcli.tables.columnar import readable

#: Rows of a part. A constant: sums of floats depend on it.
PART = 1 << 20
#: Parts whose sums are added at a time.
_TOGETHER = 16

Places = npt.NDArray[np.integer[Any]]
Tell = Callable[[float, str], None]


class Summed(Protocol):
    """What adds up."""

    def __add__(self, other: Self, /) -> Self: ...


Sums = TypeVar("Sums", bound=Summed)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What is to be found out of each row, as far as the families that need it are asked for.

    Attributes
    ----------
    names
        The columns that are read.
    sought
        The real records that rows are looked up in, or the folder where they are.
    """

    schema: Schema
    names: tuple[str, ...]
    encoding: CountEncoding | None = None
    validity: ValidityCounter | None = None
    diversity: DiversityCounter | None = None
    sought: Sought | Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """The sums over some rows, each ``None`` where nobody asks for it; those of two parts add up."""

    validity: ValidityCounts | None
    diversity: DiversityCounts | None
    hits: Hits | None

    def __add__(self, other: Tally) -> Tally:
        """Return the sums over both sets of rows."""
        return Tally(
            _sum(self.validity, other.validity), _sum(self.diversity, other.diversity), _sum(self.hits, other.hits)
        )


class Read(NamedTuple):
    """What was found in a stretch of the table: sums, the codes (columns, rows) of some rows, and whole rows."""

    tally: Tally
    codes: Codes | None
    rows: pl.DataFrame


class Part(NamedTuple):
    """A stretch of the table, and the places in it of the rows to code and of those to keep, in ascending order."""

    rows: pl.LazyFrame
    coded: Places
    kept: Places


def read_table(table: Table, wanted: Wanted, coded: Places, kept: Places, workplace: Workplace, tell: Tell) -> Read:
    """Read the whole ``table``, which lies on disk, once.

    ``coded`` are the places of the rows whose codes are wanted, in any order, in which they are returned; ``kept``,
    in ascending order, of those that are returned whole. ``tell`` hears the share that is done.
    """
    order = np.argsort(coded, kind="stable")
    ascending = coded[order]
    count = -(-table.height // PART)
    codes = None
    if wanted.encoding is not None:
        codes = np.empty((len(wanted.encoding.names), len(coded)), dtype=np.uint8)
    done, frames, sums = 0, [], list[Tally]()
    calls = _calls(table, _handed_over(wanted, workplace), ascending, kept)
    for number, read in in_order(workplace.pool, calls, called=lambda number: f"part {number + 1} of {count}"):
        if codes is not None and read.codes is not None:
            codes[:, order[done : done + read.codes.shape[1]]] = read.codes
            done += read.codes.shape[1]
        frames.append(read.rows)
        sums = _added([*sums, read.tally])
        tell((number + 1) / count, f"{number + 1:,} of {count:,} parts")
    return Read(reduce(add, sums), codes, pl.concat(frames))


def count_part(wanted: Wanted, part: Part) -> Read:
    """Read one part: the task of a worker."""
    with readable("the synthetic table"):
        frame = part.rows.select(wanted.names).collect()
    table = Table(frame)
    sought = _sought(wanted.sought) if isinstance(wanted.sought, Path) else wanted.sought
    tally = Tally(
        wanted.validity.count(table) if wanted.validity is not None else None,
        wanted.diversity.count(table) if wanted.diversity is not None else None,
        sought.hits(cell_keys(frame, wanted.schema)) if sought is not None else None,
    )
    codes = wanted.encoding.encode(table).take(part.coded, axis=1) if wanted.encoding is not None else None
    modelled = [column.name for column in wanted.schema.modelled]
    return Read(tally, codes, frame.select(modelled)[part.kept])


@lru_cache(maxsize=1)
def _sought(folder: Path) -> Sought:
    return Sought.load(folder)


def _handed_over(wanted: Wanted, workplace: Workplace) -> Wanted:
    """Put the records into the folder, where there is one: they are too many to be sent with every part."""
    if workplace.folder is None or not isinstance(wanted.sought, Sought):
        return wanted
    wanted.sought.save(workplace.folder)
    return replace(wanted, sought=workplace.folder.resolve())


def _calls(table: Table, wanted: Wanted, coded: Places, kept: Places) -> Iterator[Call[int, Read]]:
    for number, (start, rows) in enumerate(table.stretches(PART)):
        bounds = (start, start + PART)
        places = (_between(coded, *bounds), _between(kept, *bounds))
        yield number, count_part, (wanted, Part(rows, *places))


def _between(places: Places, start: int, stop: int) -> Places:
    first, last = np.searchsorted(places, np.array([start, stop], dtype=places.dtype))
    return places[first:last] - places.dtype.type(start)


def _added(sums: list[Tally]) -> list[Tally]:
    """Add up as soon as there are many: large sums are merged seldom."""
    return [reduce(add, sums)] if len(sums) > _TOGETHER else sums


def _sum(one: Sums | None, other: Sums | None) -> Sums | None:
    return None if one is None or other is None else one + other
