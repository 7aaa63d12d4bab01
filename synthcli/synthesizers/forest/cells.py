"""A column as a small alphabet: every number in one of its cells, every category a cell of its own.

Trees and pools see cells only, so that a model holds no number of few training rows. A value that is common is a cell
by itself and comes out as it is. What lies between common values is cut into intervals of several rows each; a number
is drawn anew, evenly, from the whole of its interval. Edges lie half way between neighbouring values; the outermost two
are means of several extreme values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

#: Rows that share a number from which it is common; the usual least number of rows behind a category.
COMMON = 5
#: Numbers that may be common, at most; intervals, about; rows of an interval, at least.
_COMMON_AT_MOST, _INTERVALS, _LEAST = 1000, 256, 20
#: Where numbers are mostly distinct, the rows that share a common one: at least, and as a share of all rows.
_AMONG_DISTINCT, _SHARE = 20, 1 / 1000
#: Values to either side by which it is told whether numbers are mostly distinct.
_NEARBY = 8
#: How often one value counts in the mean that stands for an end of a column.
_AT_AN_END = 2
#: Values of a column that all stand alone, at most; else, how often a value occurs against the median of those nearby.
_FEW_VALUES, _OUTDOES = 32, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A number's cells in ascending order: from ``low[i]`` to ``high[i]``, a common value where both are equal.

    Cell ``len(low)`` is a missing number. ``alone[i]`` says that a common value is more frequent than those around it,
    or one of few: no number lies between it and another in more than the arithmetic.
    """

    low: Floats
    high: Floats
    alone: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.low) + 1

    @property
    def runs(self) -> Codes:
        """A number for each cell: that of its run of neighbours; -1 for values that stand alone, and for missing."""
        alone = np.append(self.alone, True)
        return np.where(alone, -1, np.cumsum(alone))

    @property
    def common(self) -> NDArray[np.bool_]:
        """Which cells are a common value, or missing, and no interval."""
        return np.append(self.low == self.high, True)

    def encode(self, numbers: Floats) -> Codes:
        """Return the cell that holds each number, or else the nearest one; NaN is missing."""
        if not len(self.low):
            return np.zeros(len(numbers), np.int64)
        after = np.searchsorted(self.low, numbers, side="right")
        left, right = np.clip(after - 1, 0, None), np.clip(after, None, len(self.low) - 1)
        nearer_right = (self.low[right] - numbers < numbers - self.high[left]) & (numbers > self.high[left])
        # An interval that ends where the next one starts, or starts at a common value, holds its low end.
        found = np.where(nearer_right, right, left)
        exact = np.searchsorted(self.low, numbers, side="left")
        exact = np.clip(exact, 0, len(self.low) - 1)
        common = (self.low[exact] == numbers) & (self.high[exact] == numbers)
        return np.where(np.isnan(numbers), len(self.low), np.where(common, exact, found)).astype(np.int64)

    def decode(self, codes: Codes, draw: np.random.Generator) -> Floats:
        """Return a number for each code: the common value, or any of its interval, all equally likely."""
        low, high = (np.append(edges, np.nan)[codes] for edges in (self.low, self.high))
        share = draw.random(len(codes))
        numbers: Floats = np.where(low == high, low, low * (1 - share) + high * share)
        return numbers


def learn(numbers: Floats, unit: float) -> tuple[Cells, Codes]:
    """Return a column's cells and the cell of each of its numbers (NaN: missing); ``unit`` is its grid, 0 for none."""
    absent = np.isnan(numbers)
    values, places, counts = np.unique(numbers[~absent], return_inverse=True, return_counts=True)
    cell_of, found = _cut(values, counts, unit)
    codes = np.full(len(numbers), len(found.low), np.int64)
    codes[~absent] = cell_of[places]
    return found, codes


def groups(codes: NDArray[Any], size: int, most: int) -> Codes:
    """Return a group for each of ``size`` ordered cells: cells that are frequent alone, the others with neighbours.

    There are about ``most`` groups; the rows of those that hold more than one cell are about equally many.
    """
    if size <= most:
        return np.arange(size)
    counts = np.bincount(codes, minlength=size)
    alone = counts * most >= counts.sum()
    width = max(counts[~alone].sum() / max(most - alone.sum(), 4), 1)
    filled = np.cumsum(np.where(alone, 0, counts))
    block = ((filled - np.where(alone, 0, counts)) // width).astype(np.int64)
    # A frequent cell ends the group before it, so that groups stay neighbours.
    starts = np.ones(size, np.bool_)
    starts[1:] = alone[1:] | alone[:-1] | (block[1:] != block[:-1])
    return np.cumsum(starts) - 1


def _cut(values: Floats, counts: Codes, unit: float) -> tuple[Codes, Cells]:
    """Return the cell of each distinct value, and the cells."""
    if not len(values):
        return np.zeros(0, np.int64), Cells(np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))
    size, before, rows = len(values), np.cumsum(counts) - counts, int(counts.sum())
    common = _common(counts, rows)
    lone = _alone(counts, common)
    first, last = _within(common, before, rows)
    values, counts = values[first:last], counts[first:last]
    common, before, lone = common[first:last], before[first:last], lone[first:last]
    starts = _starts(common, before, counts, rows)
    opens = np.flatnonzero(starts)
    ends = np.append(opens[1:], len(values)) - 1
    half = values[opens[1:]] / 2 + values[ends[:-1]] / 2
    # Next to a common value an interval reaches to the grid's next point, so that its end tells of no other value.
    low = np.concatenate([[_outer(values, counts, half)], half])
    high = np.concatenate([half, [-_outer(-values[::-1], counts[::-1], -half[::-1])]])
    alone = common[opens]
    low[1:] = np.where(alone[:-1], values[ends[:-1]] + unit / 2, low[1:])
    high[:-1] = np.where(alone[1:], values[opens[1:]] - unit / 2, high[:-1])
    low, high = np.where(alone, values[opens], low), np.where(alone, values[opens], high)
    cell_of = np.pad(np.cumsum(starts) - 1, (first, size - last), mode="edge")
    return cell_of, Cells(np.minimum(low, high), np.maximum(low, high), lone[opens])


def _within(common: NDArray[np.bool_], before: Codes, rows: int) -> tuple[int, int]:
    """Return the stretch of values without those of fewer rows than are common that lie beyond all common values.

    Any interval for these few would tell how far out they are; they count as the nearest common value.
    """
    size, places = len(common), np.flatnonzero(common)
    if not len(places):
        return 0, size
    first = places[0] if before[places[0]] < COMMON else 0
    end = places[-1] + 1
    return int(first), int(end if end < size and rows - before[end] < COMMON else size)


def _common(counts: Codes, rows: int) -> NDArray[np.bool_]:
    """Return which values are common.

    Among values that repeat, as amounts of money that a law sets, those of a few rows are. Where numbers are mostly
    distinct, a few equal ones are a coincidence, and to give them back would give training rows away.
    """
    capped = np.concatenate([[0], np.cumsum(np.minimum(counts, _AMONG_DISTINCT))])
    place = np.arange(len(counts))
    low, high = np.maximum(place - _NEARBY, 0), np.minimum(place + _NEARBY + 1, len(counts))
    repeated = (capped[high] - capped[low]) >= COMMON * (high - low)
    needed = np.where(repeated, COMMON, max(_AMONG_DISTINCT, round(rows * _SHARE)))
    common: NDArray[np.bool_] = counts >= np.maximum(needed, _threshold(counts, _COMMON_AT_MOST))
    return common


def _alone(counts: Codes, common: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which common values stand alone: all of a column of few values, else those that outdo the ones around."""
    if len(counts) <= _FEW_VALUES:
        return common
    around = np.pad(counts.astype(np.float64), _NEARBY, constant_values=np.nan)
    places = np.flatnonzero(common)
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * _NEARBY + 1)[places].copy()
    windows[:, _NEARBY] = np.nan
    alone = np.zeros(len(counts), np.bool_)
    alone[places] = counts[places] > _OUTDOES * np.nanmedian(windows, axis=1)
    return alone


def _starts(common: NDArray[np.bool_], before: Codes, counts: Codes, rows: int) -> NDArray[np.bool_]:
    """Return which values open a cell."""
    starts = common.copy()
    starts[0] = True
    starts[1:] |= common[:-1]
    widest = max(_LEAST, rows // _INTERVALS)
    held = 0
    # Where the run that a value stands in ends, in rows.
    following = np.searchsorted(np.flatnonzero(common), np.arange(len(common)))
    run_ends = np.append(before[common], before[-1] + counts[-1])[following]
    for at in np.flatnonzero(~common).tolist():
        # Tails are thin, so that intervals near the ends hold few rows.
        needed = min(widest, max(COMMON, min(before[at], rows - before[at]) // 4))
        if starts[at]:
            held = 0
        elif held >= needed and run_ends[at] - before[at] >= COMMON:
            starts[at], held = True, 0
        held += counts[at]
    return starts


def _outer(values: Floats, counts: Codes, edges: Floats) -> float:
    """Return the mean of the least few numbers of a column, each of them twice at most, but no more than halfway to
    the first of the cells' ``edges``.

    The very least may have been clipped to one and the same, which the mean of these alone would be.
    """
    least = np.repeat(values[:COMMON], np.minimum(counts[:COMMON], _AT_AN_END))[:COMMON]
    mean = float((least / len(least)).sum())
    return min(mean, float(values[0] / 2 + edges[0] / 2)) if len(edges) else mean


def _threshold(counts: Codes, most: int) -> int:
    """Return the count that at most ``most`` values have or exceed."""
    if len(counts) <= most:
        return 0
    return int(np.partition(counts, -most - 1)[-most - 1]) + 1
