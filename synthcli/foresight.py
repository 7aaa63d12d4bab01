"""What a run will take, foretold from runs on small parts of its input: seconds, memory and disk, each with a range.

Costs are taken to be affine in the rows: a part that is always there, and one that every row adds. The likely value
follows the last two parts measured, since small ones tell little of what grows faster or slower than the rows. Where
the whole was measured it is what was measured. The range is as wide as the ways to read the measurements differ, and
wider by what machines vary from one run to the next.

The cost of work that looks at a bounded number of rows grows the less the more rows there are: an affine reading of
small parts foretells a multiple of it. It is taken for a power of the rows, with an exponent in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any, NamedTuple

from synthcli.wording import size

#: By what factor another run of the same work may be faster or slower, on a machine that does other things too.
TIME_VARIES = 1.5
#: The same of memory and of bytes written, which vary less.
SIZE_VARIES = 1.2
#: By how much an exponent may be off: two costs that are each off by a seventh, at parts of which one is the fourth.
EXPONENT_VARIES = 0.2


class Point(NamedTuple):
    """A part of the input that was worked through: its rows, and what that took."""

    rows: int
    cost: float


class Range(NamedTuple):
    """A value that is foretold: what is likely, and between which bounds it will lie."""

    likely: float
    low: float
    high: float

    @classmethod
    def about(cls, measured: float, varies: float = 1.0) -> Range:
        """Return the range of what was measured once, and may be lower or higher by a factor the next time."""
        return cls(measured, measured / varies, measured * varies)

    def plus(self, more: Range) -> Range:
        """Add what comes on top."""
        return Range(self.likely + more.likely, self.low + more.low, self.high + more.high)

    def times(self, least: float, likely: float, most: float) -> Range:
        """Multiply by a factor that is itself known between bounds only."""
        return Range(self.likely * likely, self.low * least, self.high * most)

    def at_least(self, known: float) -> Range:
        """Raise it to what was reached already."""
        return Range(*(max(each, known) for each in self))

    def rounded(self, digits: int | None) -> dict[str, float]:
        """Return it as plain data; ``None`` gives whole numbers."""
        return {name: round(value, digits) for name, value in self._asdict().items()}


@dataclass(frozen=True, slots=True)
class Line:
    """A cost that is affine in the rows."""

    fixed: float
    each: float

    @classmethod
    def through(cls, first: Point, second: Point) -> Line:
        """Return the line through two points, level where it would fall: more rows never cost less."""
        apart = second.rows - first.rows
        each = max((second.cost - first.cost) / apart, 0.0) if apart else 0.0
        return cls(second.cost - each * second.rows, each)

    def at(self, rows: int) -> float:
        """Return the cost of ``rows`` rows."""
        return self.fixed + self.each * rows


def foretold(points: Sequence[Point], rows: int, varies: float, *, bounded: bool = False) -> Range:
    """Return the cost of ``rows`` rows, foretold from at least one point, in the order of their rows.

    Where the largest part has all the rows it is the cost of that. Else the readings are the line through the last two
    points, that through the first and the last, and, where each row costs the more the more there are, the parabola
    through the last three; a single point is read as all fixed, as all by the row, and likely as in the middle of both.
    Costs that are ``bounded`` are read as a power of the rows by the last two points, its exponent a fifth off either
    way, and as no more than the line through these.
    """
    last = points[-1]
    if last.rows >= rows:
        return Range.about(last.cost, varies)
    if len(points) == 1:
        more = rows / last.rows
        return Range(last.cost * sqrt(more), last.cost / varies, last.cost * more * varies)
    likely = Line.through(points[-2], last).at(rows)
    if bounded:
        return _power(points[-2], last, rows, likely, varies)
    readings = [likely, Line.through(points[0], last).at(rows), *_bent(points[-3:], rows)]
    return Range(likely, min(readings) / varies, max(readings) * varies)


def _power(before: Point, last: Point, rows: int, most: float, varies: float) -> Range:
    """Return the cost as a power of the rows, and no more than ``most``."""
    exponent = log(max(last.cost, 1e-9) / max(before.cost, 1e-9)) / log(last.rows / before.rows)

    def read(off: float) -> float:
        power: float = (rows / last.rows) ** min(max(exponent + off, 0.0), 1.0)
        return min(last.cost * power, most)

    return Range(read(0.0), read(-EXPONENT_VARIES) / varies, read(EXPONENT_VARIES) * varies)


def _bent(points: Sequence[Point], rows: int) -> list[float]:
    """Return what a parabola through three points says, where it opens upwards."""
    if len(points) < 3:
        return []
    before, after = Line.through(*points[:2]), Line.through(*points[1:])
    bend = (after.each - before.each) / (points[2].rows - points[0].rows)
    if bend <= 0:
        return []
    return [after.at(rows) + bend * (rows - points[1].rows) * (rows - points[2].rows)]


@dataclass(frozen=True, slots=True)
class Room:
    """Memory and disk that are free, in bytes; ``None`` where nobody knows."""

    memory: int | None
    disk: int | None

    def lacking(self, memory: Range | None, disk: Range | None) -> list[str]:
        """Return in sentences what may not fit, and what to do."""
        told = []
        if memory is not None and self.memory is not None and memory.high > self.memory:
            told.append(
                f"about {size(memory.likely)} of memory are foretold (up to {size(memory.high)}), and "
                f"{size(self.memory)} are free: take fewer rows, fewer --workers, or for many synthetic rows "
                "sample --shards; see docs/scale-out.md"
            )
        if disk is not None and self.disk is not None and disk.high > self.disk:
            told.append(
                f"about {size(disk.likely)} would be written (up to {size(disk.high)}), and the disk has "
                f"room for {size(self.disk)}: make room, take fewer rows, or write elsewhere (docs/scale-out.md)"
            )
        return told


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will read, write and take.

    Attributes
    ----------
    rows_in, rows_out
        Rows by the table that they are read from or written to.
    seconds, memory, disk
        Seconds from the start of the command, bytes resident at most, bytes written; ``None``: not measured.
    paths
        Every file that will be written, and whether that replaces one. A name that ends in ``/`` stands for all in a
        folder, and ``*`` for a part that follows from the rows.
    model
        How it was foretold, in a sentence, or why it could not be.
    probe_seconds, probe_rows
        What the probe took, and the rows of its parts.
    slowness
        Seconds on the clock for each on a processor, while it was measured; ``None``: not measured.
    """

    rows_in: dict[str, int]
    rows_out: dict[str, int]
    seconds: Range | None
    memory: Range | None
    disk: Range | None
    paths: dict[str, bool]
    model: str
    probe_seconds: float
    probe_rows: tuple[int, ...]
    room: Room
    slowness: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        seconds, memory, disk = self.seconds, self.memory, self.disk
        return {
            "rows": {"in": self.rows_in, "out": self.rows_out},
            "seconds": None if seconds is None else seconds.rounded(2),
            "memory": None if memory is None else memory.rounded(None),
            "disk": None if disk is None else disk.rounded(None),
            "free": {"memory": self.room.memory, "disk": self.room.disk},
            "paths": [{"path": path, "replaces": replaces} for path, replaces in self.paths.items()],
            "probe": {
                "seconds": round(self.probe_seconds, 2),
                "rows": list(self.probe_rows),
                "slowness": None if self.slowness is None else round(self.slowness, 3),
            },
            "model": self.model,
        }

    @property
    def doubts(self) -> list[str]:
        """What may not fit, in sentences."""
        return self.room.lacking(self.memory, self.disk)
