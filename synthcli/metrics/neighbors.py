"""Exact nearest neighbours of rows under Gower's distance on ranks, over all rows and with every tie.

Distances are exact integers (``encoding.Points``), so zeros and ties are compared exactly, and nothing is sampled:
public tools that search a sample of the training rows miss a verbatim copy.

The search stands on two facts about tables. Rows repeat: equal queries and equal references are collapsed first. And
rows share their categories: references are sorted into *leaves*, at most 128 rows with equal categories (and equal
missing pattern) and a box around their numbers. The number of mismatching categories and the distance to the box bound
the distance to a leaf's rows from below, so a query visits leaves in the order of mismatches, then of bounds, and stops
where the bound reaches the second smallest distance found (branch and bound, as in k-d trees: Friedman, Bentley &
Finkel 1977, doi:10.1145/355744.355745). Where boxes prune little, as with dozens of numeric columns, all references are
compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from synthcli.encoding import Points
from synthcli.executors import Workplace, in_order
from synthcli.parallel import side_by_side
from synthcli.rowkeys import mixed

Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

_CELLS = 1 << 22  # distances or bounds held at a time
_TILE = 1 << 18  # distances computed at a time: a tile stays in the processor's cache
_TILE_WIDTH = 1 << 12
_LEAF = 128
_PART = 1 << 11  # queries that one thread searches for at a time
_PAIRS = 1 << 20  # pairs of query and reference compared at a time
_MANY = 1 << 18  # references among which a search is worth handing over
_DENSE = 8  # comparing all references costs about an eighth a pair of comparing chosen ones


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest references of each query.

    Attributes
    ----------
    first
        int64, (queries,): the smallest distance.
    second
        int64, (queries,): the second smallest distinct distance; ``first`` where there is none.
    """

    first: Ints
    second: Ints
    _links: _Links

    @cached_property
    def _pairs(self) -> tuple[Indices, Indices]:
        return self._links.expanded()

    @property
    def query(self) -> Indices:
        """intp, (links,): the queries of all pairs at the smallest distance, sorted by query, then reference."""
        return self._pairs[0]

    @property
    def reference(self) -> Indices:
        """intp, (links,): the references of all pairs at the smallest distance."""
        return self._pairs[1]

    def reference_weights(self) -> npt.NDArray[np.float64]:
        """Return float64, (references,): the queries whose nearest reference this one is, ties split evenly.

        The weights sum to the number of queries. Never lists the pairs, which can be billions in tables of few columns.
        """
        return self._links.weights()


def nearest(queries: Points, references: Points, workplace: Workplace | None = None) -> Nearest:
    """Return the nearest references of every query: exact, over all references, with all ties.

    Queries are searched for in parts: among many references at ``workplace`` if there is a folder, else here.
    """
    asked, sought = _Groups.of(queries), _Groups.of(references)
    ours, theirs = _cells(queries[asked.leaders], references[sought.leaders])
    leaves = _Leaves.of(theirs)
    # Parts are of one size wherever this runs, so that sums over the pairs are the same on any number of processors.
    parts = [slice(start, start + _PART) for start in range(0, max(ours.rows, 1), _PART)]
    if workplace is None or workplace.folder is None or theirs.rows < _MANY:
        found = side_by_side(lambda part: _search(ours[part], leaves), parts)
    else:
        found = _searched_there([ours[part] for part in parts], leaves, workplace.pool, workplace.folder)
    first, second, _, reference = (np.concatenate(each) for each in zip(*found, strict=True))
    query = np.concatenate([one.query + part.start for part, one in zip(parts, found, strict=True)])
    return Nearest(first[asked.group], second[asked.group], _Links(asked, sought, query, reference))


class _Found(NamedTuple):
    """The first and second distance of each query of a part, and the pairs at the first, sorted by query."""

    first: Ints
    second: Ints
    query: Indices
    reference: Indices


def _search(queries: _Cells, leaves: _Leaves) -> _Found:
    search = _Search(queries, leaves).run()
    return _Found(*search.distances(), *search.links())


def _searched_there(parts: list[_Cells], leaves: _Leaves, pool: Executor, folder: Path) -> list[_Found]:
    """Search as tasks; the leaves are handed over in files, which processes of one machine have in memory once."""
    with TemporaryDirectory(prefix="leaves-", dir=folder) as name:
        leaves.save(Path(name))
        calls = ((number, _task, (str(Path(name).resolve()), part)) for number, part in enumerate(parts))
        return [found for _, found in in_order(pool, calls, called=lambda number: f"neighbours, part {number + 1}")]


def _task(folder: str, queries: _Cells) -> _Found:
    return _search(queries, _leaves(folder))


@lru_cache(maxsize=1)
def _leaves(folder: str) -> _Leaves:
    return _Leaves.load(Path(folder))


def distance_matrix(queries: Points, references: Points) -> Ints:
    """Return all distances, int64 of shape (queries, references); for small sets."""
    return _all_distances(*_cells(queries, references)).astype(np.int64)


def kth_distances(points: Points, k: int) -> Ints:
    """Return each row's distance to its ``k``-th nearest other row; to the farthest where there are fewer.

    Equal rows count as others at distance 0; a lone row has distance 0. For small sets: time grows with rows².
    """
    out, k = np.zeros(points.rows, dtype=np.int64), min(k, points.rows - 1)
    cells, _ = _cells(points, points[:0])
    for block in _blocks(points.rows, points.rows) if k > 0 else ():
        distances = _all_distances(cells[block], cells)
        distances[np.arange(block.stop - block.start), np.arange(block.start, block.stop)] = _none(distances)
        out[block] = _kth(distances, k)
    return out


def _kth(rows: Array, k: int) -> Array:
    """Return each row's ``k``-th smallest number, from 1: only those are sorted that the row's beginning lets in."""
    head = max(k, rows.shape[1] // 10)
    bound = np.partition(rows[:, :head], k - 1, axis=1)[:, k - 1 : k]
    row, column = np.nonzero(rows <= bound)
    values = rows[row, column]
    first = np.searchsorted(row, np.arange(len(rows)))
    smallest: Array = values[np.lexsort((values, row))][first + k - 1]
    return smallest


def covered(one: Points, radii: Ints, other: Points, other_radii: Ints) -> tuple[Mask, Mask]:
    """Return for each row of either side whether it is within the radius of some row of the other side."""
    here, there = np.zeros(one.rows, dtype=np.bool_), np.zeros(other.rows, dtype=np.bool_)
    ours, theirs = _cells(one, other)
    for block in _blocks(one.rows, other.rows):
        distances = _all_distances(ours[block], theirs)
        here[block] = (distances <= other_radii).any(axis=1)
        there |= (distances <= radii[block, None]).any(axis=0)
    return here, there


@dataclass(frozen=True, eq=False)
class _Groups:
    """Equal rows: the ``group`` of each row, and a row of each group in ``leaders``."""

    group: Indices
    leaders: Indices

    @classmethod
    def of(cls, points: Points) -> _Groups:
        return cls(*_grouped([*points.numbers.T, *points.categories.T], points.rows))

    @cached_property
    def sizes(self) -> Indices:
        return np.bincount(self.group, minlength=len(self.leaders))


def _grouped(columns: list[Ints], rows: int) -> tuple[Indices, Indices]:
    """Return each row's group of equal rows and each group's first row.

    Rows are grouped by a hash, then compared; in the odd case of a collision they are grouped by sorting instead.
    """
    keys = np.zeros(rows, dtype=np.uint64)
    for column in columns:
        keys = mixed(keys, np.ascontiguousarray(column).view(np.uint64))
    _, leaders, group = np.unique(keys, return_index=True, return_inverse=True)
    if all((column[leaders][group] == column).all() for column in columns):
        return group, leaders
    _, leaders, group = np.unique(np.stack(columns, axis=1), axis=0, return_index=True, return_inverse=True)
    return group.reshape(-1), leaders


@dataclass(frozen=True, slots=True, eq=False)
class _Links:
    """Pairs of groups at the smallest distance, sorted by query group."""

    asked: _Groups
    sought: _Groups
    query: Indices
    reference: Indices

    def expanded(self) -> tuple[Indices, Indices]:
        """Return the pairs of rows, sorted by query, then reference."""
        pairs = np.bincount(self.query, minlength=len(self.asked.leaders))
        link = _ranges((np.cumsum(pairs) - pairs)[self.asked.group], pairs[self.asked.group])
        query = np.repeat(np.arange(len(self.asked.group)), pairs[self.asked.group])
        members, sizes = np.argsort(self.sought.group, kind="stable"), self.sought.sizes
        group = self.reference[link]
        reference = members[_ranges((np.cumsum(sizes) - sizes)[group], sizes[group])]
        query = np.repeat(query, sizes[group])
        order = np.argsort(query * np.int64(max(1, len(members))) + reference)
        return query[order], reference[order]

    def weights(self) -> npt.NDArray[np.float64]:
        """Return for each reference row the sum of the queries' shares."""
        sizes = self.sought.sizes
        ties = np.bincount(self.query, sizes[self.reference], len(self.asked.leaders))
        share = (self.asked.sizes / np.maximum(ties, 1))[self.query]
        weights: npt.NDArray[np.float64] = np.bincount(self.reference, share, len(sizes)).astype(np.float64)
        return weights[self.sought.group]


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Rows column by column, in the smallest types that hold them.

    Attributes
    ----------
    numbers
        int32 or int64, (r, rows): whichever holds the largest possible distance; -1 for a missing cell.
    codes
        Unsigned, (c + number of gapped, rows): small codes of the categories, then 1 where a gapped number is missing.
    gapped
        The numeric columns that have missing cells.
    """

    numbers: Array
    codes: Array
    gapped: tuple[int, ...]
    unit: int

    def __getitem__(self, rows: Array | slice) -> _Cells:
        return _Cells(self.numbers[:, rows], self.codes[:, rows], self.gapped, self.unit)

    @property
    def rows(self) -> int:
        return int(self.numbers.shape[1])


def _cells(queries: Points, references: Points) -> tuple[_Cells, _Cells]:
    """Return both sides' cells with codes in common."""
    width = queries.numbers.shape[1]
    whole = np.int32 if queries.unit * max(1, queries.columns) < np.iinfo(np.int32).max else np.int64
    numbers = np.concatenate([queries.numbers, references.numbers]).astype(whole).T.copy()
    gapped = tuple(column for column in range(width) if (numbers[column] < 0).any())
    categories = np.concatenate([queries.categories, references.categories]).T
    codes = [np.unique(column, return_inverse=True)[1] for column in categories]
    codes += [(numbers[column] < 0).astype(np.intp) for column in gapped]
    small = np.min_scalar_type(max((int(column.max(initial=0)) for column in codes), default=0))
    coded = np.array(codes, dtype=small).reshape(len(codes), numbers.shape[1])
    both = _Cells(numbers, coded, gapped, queries.unit)
    return both[: queries.rows], both[queries.rows :]


def _all_distances(one: _Cells, other: _Cells) -> Array:
    """Return all distances, (rows of ``one``, rows of ``other``), in the numbers' type."""
    out = np.empty((one.rows, other.rows), dtype=one.numbers.dtype)
    for left in range(0, other.rows, _TILE_WIDTH):
        there = other[left : left + _TILE_WIDTH]
        height = max(1, _TILE // there.rows)
        for top in range(0, one.rows, height):
            here = one[top : top + height]
            tile = _mismatches(here.codes, there.codes).astype(out.dtype)
            tile *= one.unit
            _add_gaps(tile, here, there)
            out[top : top + height, left : left + _TILE_WIDTH] = tile
    return out


def _mismatches(one: Array, other: Array) -> Array:
    """Return the number of differing codes, (rows of ``one``, rows of ``other``)."""
    count: Array = np.zeros((one.shape[1], other.shape[1]), dtype=np.min_scalar_type(len(one)))
    differs = np.empty(count.shape, dtype=np.bool_)
    as_numbers = differs.view(np.uint8)  # adding booleans would convert them first
    for here, there in zip(one, other, strict=True):
        np.not_equal(here[:, None], there, out=differs)
        count += as_numbers
    return count


def _add_gaps(tile: Array, one: _Cells, other: _Cells) -> None:
    """Add the differences of the numbers; those with a missing cell are none (codes count them)."""
    gap = np.empty_like(tile)
    for column, (here, there) in enumerate(zip(one.numbers, other.numbers, strict=True)):
        np.subtract(here[:, None], there, out=gap)
        np.abs(gap, out=gap)
        if column in one.gapped:
            gap *= _present(here)[:, None]
            gap *= _present(there)
        tile += gap


@dataclass(frozen=True, slots=True, eq=False)
class _Leaves:
    """References in the leaves' order: equal codes within a leaf, numbers within ``low`` and ``high``.

    ``order`` gives each sorted reference's own index; ``cells`` are in sorted order; ``codes`` are the leaves'.
    """

    order: Indices
    cells: _Cells
    start: Indices
    size: Indices
    codes: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, cells: _Cells) -> _Leaves:
        group, _ = _grouped([column.astype(np.int64) for column in cells.codes], cells.rows)
        order = np.argsort(group, kind="stable")
        sizes = np.bincount(group)
        ends = np.cumsum(sizes)
        starts = [ends - sizes]
        for large in np.flatnonzero(sizes > _LEAF):
            here = slice(ends[large] - sizes[large], ends[large])
            starts.append(here.start + _halved(cells.numbers, order[here]))
        start = np.unique(np.concatenate(starts))
        sorted_cells = _Cells(
            np.ascontiguousarray(cells.numbers[:, order]),
            np.ascontiguousarray(cells.codes[:, order]),
            cells.gapped,
            cells.unit,
        )
        return cls(
            order,
            sorted_cells,
            start,
            np.diff(start, append=cells.rows),
            np.ascontiguousarray(sorted_cells.codes[:, start]),
            np.minimum.reduceat(sorted_cells.numbers, start, axis=1),
            np.maximum.reduceat(sorted_cells.numbers, start, axis=1),
        )

    def save(self, folder: Path) -> None:
        """Write the leaves to the existing ``folder``."""
        cells = self.cells
        arrays = (self.order, cells.numbers, cells.codes, self.start, self.size, self.codes, self.low, self.high)
        for name, array in zip(_ARRAYS, arrays, strict=True):
            np.save(folder / f"{name}.npy", array)
        np.save(folder / "form.npy", np.array([cells.unit, *cells.gapped]))

    @classmethod
    def load(cls, folder: Path) -> _Leaves:
        """Read what :meth:`save` wrote, as far as it is looked at; nothing in it is executed."""
        order, numbers, cell_codes, start, size, codes, low, high = (
            np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)) for name in _ARRAYS
        )
        unit, *gapped = map(int, np.load(folder / "form.npy", allow_pickle=False))
        return cls(order, _Cells(numbers, cell_codes, tuple(gapped), unit), start, size, codes, low, high)


#: The files of the leaves.
_ARRAYS = ("order", "numbers", "cell-codes", "start", "size", "codes", "low", "high")


def _halved(numbers: Array, rows: Indices) -> Indices:
    """Sort ``rows`` (in place) into leaves by halving at the median of the widest column; return the leaves' starts."""
    starts, open_parts = [], [(0, len(rows))]
    while open_parts:
        start, stop = open_parts.pop()
        part = rows[start:stop]
        if stop - start <= _LEAF or not len(numbers):
            starts.append(start)
            continue
        values = numbers[:, part]
        widest = int((values.max(axis=1) - values.min(axis=1)).argmax())
        middle = (stop - start) // 2
        rows[start:stop] = part[np.argpartition(values[widest], middle)]
        open_parts += [(start, start + middle), (start + middle, stop)]
    return np.array(starts, dtype=np.intp)


class _Search:
    """Branch and bound for some queries, a block of them at a time."""

    def __init__(self, queries: _Cells, leaves: _Leaves) -> None:
        self._queries, self._leaves = queries, leaves
        cells = leaves.cells
        self._none = _none(cells.numbers)
        self._first = np.full(queries.rows, self._none, dtype=cells.numbers.dtype)
        self._second = self._first.copy()
        self._spent = np.zeros(queries.rows, dtype=np.int64)
        self._done = np.zeros(queries.rows, dtype=np.bool_)
        self._found: list[tuple[Indices, Indices]] = []
        self._block: list[tuple[Indices, Indices, Array]] = []  # with distances, some of them undercut since

    def run(self) -> _Search:
        """Find every query's first and second distance and all references at the first; return the search itself."""
        if not self._leaves.cells.rows:
            return self
        for block in _blocks(self._queries.rows, len(self._leaves.start)):
            rows = np.arange(block.start, block.stop)
            mismatches = _mismatches(self._queries.codes[:, block], self._leaves.codes)
            for level in range(len(self._queries.codes) + 1):
                waiting = np.flatnonzero((self._second[rows] > level * self._queries.unit) & ~self._done[rows])
                if not len(waiting):
                    break
                if len(waiting) < len(rows):
                    rows, mismatches = rows[waiting], mismatches[waiting]
                chosen = mismatches == level
                dear = self._pay(rows, chosen)
                if dear.any():
                    self._compare_all(rows[dear])
                    rows, mismatches, chosen = rows[~dear], mismatches[~dear], chosen[~dear]
                rest = self._visit_level(rows, chosen, level * self._queries.unit)
                self._compare_all(rest)
            self._settle()
        return self

    def distances(self) -> tuple[Ints, Ints]:
        """Return the first and second distance of each query."""
        first = np.where(self._first == self._none, 0, self._first)
        return first.astype(np.int64), np.where(self._second == self._none, first, self._second).astype(np.int64)

    def links(self) -> tuple[Indices, Indices]:
        """Return the pairs at the first distance, sorted by query."""
        if not self._found:
            return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
        query, position = (np.concatenate(part) for part in zip(*self._found, strict=True))
        order = np.argsort(query, kind="stable")
        return query[order], self._leaves.order[position[order]]

    def _pay(self, rows: Indices, chosen: Array) -> npt.NDArray[np.bool_]:
        """Add up what bounds cost each row; return for which rows comparing all references is the cheaper way."""
        leaves = np.bitwise_count(np.packbits(chosen, axis=1)).sum(axis=1, dtype=np.uint32).astype(np.int64)
        self._spent[rows] += chosen.shape[1] if _are_many(chosen) else 2 * _DENSE * leaves
        return self._spent[rows] > self._leaves.cells.rows

    def _settle(self) -> None:
        """Drop the pairs of a finished block that a later find undercut."""
        if self._block:
            query, position, distance = (np.concatenate(part) for part in zip(*self._block, strict=True))
            nearest = distance == self._first[query]
            self._found.append((query[nearest], position[nearest]))
            self._block = []

    def _visit_level(self, rows: Indices, chosen: Array, base: int) -> Indices:
        """Visit the ``chosen`` leaves, (rows, leaves), with ``base`` of distance in codes; return rows of poor bounds.

        The nearest leaf comes first, alone; then, in the order of their bounds, 4, 12, 48 and so on of those leaves
        that may still hold a first or second distance.
        """
        if _are_many(chosen):
            row, leaf, bound = self._nearest_first_dense(rows, chosen, base)
        else:
            row, leaf, bound = self._nearest_first(rows, chosen, base)
        order = np.lexsort((bound, row))
        row, leaf, bound = row[order], leaf[order], bound[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        many, poor = 4, [np.empty(0, dtype=np.intp)]
        while len(row):
            now = rank < many
            self._visit(rows[row[now]], leaf[now], base)
            left = ~now & (bound < self._second[rows[row]])
            work = np.bincount(row[left], self._leaves.size[leaf[left]], len(rows))
            heavy = work * _DENSE > self._leaves.cells.rows
            poor.append(rows[heavy])
            left &= ~heavy[row]
            row, leaf, bound, rank = row[left], leaf[left], bound[left], rank[left]
            many *= 4
        return np.concatenate(poor)

    def _nearest_first_dense(self, rows: Indices, chosen: Array, base: int) -> tuple[Indices, Indices, Array]:
        """Visit each row's nearest chosen leaf; return the others that may matter (rows' places, leaves, bounds)."""
        bounds = _box_distances(self._queries[rows], self._leaves) + self._first.dtype.type(base)
        bounds[~chosen] = self._none
        place, best = np.arange(len(rows)), bounds.argmin(axis=1)
        useful = bounds[place, best] < self._second[rows]
        self._visit(rows[useful], best[useful], base)
        bounds[place, best] = self._none
        row, leaf = _places(bounds < self._second[rows, None])
        return row, leaf, bounds[row, leaf]

    def _nearest_first(self, rows: Indices, chosen: Array, base: int) -> tuple[Indices, Indices, Array]:
        """Do the same where few leaves are chosen."""
        row, leaf = _places(chosen)
        bound = self._bounds(rows[row], leaf, base)
        useful = bound < self._second[rows[row]]
        row, leaf, bound = row[useful], leaf[useful], bound[useful]
        if not len(row):
            return row, leaf, bound
        start = _starts(row)
        smallest = np.repeat(np.minimum.reduceat(bound, start), np.diff(start, append=len(row)))
        best = np.flatnonzero(bound == smallest)
        best = best[_starts(row[best])]
        self._visit(rows[row[best]], leaf[best], base)
        useful = bound < self._second[rows[row]]
        useful[best] = False
        return row[useful], leaf[useful], bound[useful]

    def _bounds(self, query: Indices, leaf: Indices, base: int) -> Array:
        """Return ``base`` plus the distance to the leaf's box, pair by pair."""
        bound = np.full(len(query), base, dtype=self._first.dtype)
        for column, numbers in enumerate(self._queries.numbers):
            value, low, high = numbers[query], self._leaves.low[column][leaf], self._leaves.high[column][leaf]
            gap = np.maximum(np.maximum(low - value, value - high), 0)
            if column in self._queries.gapped:
                gap[(value < 0) | (high < 0)] = 0
            bound += gap
        return bound

    def _visit(self, query: Indices, leaf: Indices, base: int) -> None:
        """Compare each query (sorted) with all rows of its leaf."""
        pairs = np.cumsum(self._leaves.size[leaf])
        chunks = pairs // _PAIRS
        for chunk in np.split(np.arange(len(leaf)), _starts(chunks)[1:]) if len(leaf) else ():
            self._compare(query[chunk], leaf[chunk], base)

    def _compare(self, query: Indices, leaf: Indices, base: int) -> None:
        sizes = self._leaves.size[leaf]
        position = _ranges(self._leaves.start[leaf], sizes)
        distance = np.full(len(position), base, dtype=self._first.dtype)
        for column, (asked, sought) in enumerate(zip(self._queries.numbers, self._leaves.cells.numbers, strict=True)):
            value, other = np.repeat(asked[query], sizes), sought[position]
            gap = np.abs(value - other)
            if column in self._queries.gapped:
                gap[(value < 0) | (other < 0)] = 0
            distance += gap
        self._learn(np.repeat(query, sizes), position, distance)

    def _learn(self, query: Indices, position: Indices, distance: Array) -> None:
        """Take in distances of pairs, sorted by query."""
        start = _starts(query)
        asked, pairs = query[start], np.diff(start, append=len(query))
        known = self._first[asked]
        first = np.minimum(known, np.minimum.reduceat(distance, start))
        tied = distance == np.repeat(first, pairs)
        beyond = np.minimum.reduceat(np.where(tied, self._none, distance), start)
        self._second[asked] = np.minimum(beyond, np.where(known > first, known, self._second[asked]))
        self._first[asked] = first
        self._block.append((query[tied], position[tied], distance[tied]))

    def _compare_all(self, rows: Indices) -> None:
        """Compare queries with every reference, and forget what was found for them before."""
        if not len(rows):
            return
        self._block = [_without(found, rows) for found in self._block]
        self._done[rows] = True
        for part in _blocks(len(rows), self._leaves.cells.rows):
            distances = _all_distances(self._queries[rows[part]], self._leaves.cells)
            first = distances.min(axis=1)
            tied = distances == first[:, None]
            place, position = _places(tied)
            distances[tied] = self._none
            self._first[rows[part]], self._second[rows[part]] = first, distances.min(axis=1)
            self._block.append((rows[part][place], position, first[place]))


def _are_many(chosen: Array) -> bool:
    return bool(np.count_nonzero(chosen) * _DENSE > chosen.size)


def _without(found: tuple[Indices, Indices, Array], rows: Indices) -> tuple[Indices, Indices, Array]:
    kept = ~np.isin(found[0], rows)
    return found[0][kept], found[1][kept], found[2][kept]


def _box_distances(queries: _Cells, leaves: _Leaves) -> Array:
    """Return the distances in the numbers from each query to each leaf's box."""
    out = np.zeros((queries.rows, len(leaves.start)), dtype=queries.numbers.dtype)
    height = max(1, _TILE // len(leaves.start))
    for top in range(0, queries.rows, height):
        tile, here = out[top : top + height], queries.numbers[:, top : top + height]
        gap, other = np.empty_like(tile), np.empty_like(tile)
        for column, value in enumerate(here):
            np.subtract(leaves.low[column], value[:, None], out=gap)
            np.subtract(value[:, None], leaves.high[column], out=other)
            np.maximum(gap, other, out=gap)
            np.maximum(gap, 0, out=gap)
            if column in queries.gapped:
                gap *= _present(value)[:, None]
                gap *= _present(leaves.high[column])
            tile += gap
    return out


def _present(numbers: Array) -> Array:
    """Return 1 where a cell is there and 0 where it is missing, in the numbers' own type (products stay fast)."""
    return (numbers >= 0).astype(numbers.dtype)


def _places(chosen: Array) -> tuple[Indices, Indices]:
    """Return ``np.nonzero`` of a matrix, several times as fast."""
    row, column = np.divmod(np.flatnonzero(chosen), max(1, chosen.shape[1]))
    return row, column


def _starts(ordered: Array) -> Indices:
    """Return where each run of equal values starts."""
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else np.arange(0)


def _ranges(starts: Indices, sizes: Indices) -> Indices:
    """Return start, start + 1, ... of each range, one range after the other."""
    ends = np.cumsum(sizes)
    return np.repeat(starts - ends + sizes, sizes) + np.arange(ends[-1] if len(ends) else 0)


def _blocks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, _CELLS // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _none(distances: Array) -> int:
    return int(np.iinfo(distances.dtype).max)
