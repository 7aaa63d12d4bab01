"""Empirical marginals: each column through its own distribution function to uniform numbers, and back.

A copula models how columns hang together and needs every column uniform. Here a column's own cells say how it is
distributed, so that no family of distributions has to fit: a value's rank on the way in, the quantile on the way out.

A normal copula can only say "the more, the more (or the less)", so the order of a category's levels along the ranks
matters: it is that of the first axis of multiple correspondence analysis, on which levels that occur together lie
together (Benzécri 1973; found by reciprocal averaging, Hirschfeld 1935, doi:10.1017/S0305004100013517).

Two things keep the way back from repeating training records. A value is emitted as it is only where it is common;
between common values the quantile function runs straight through points half way between neighbouring blocks of
values. And cells of equal value share one interval of ranks, in which each is placed at random, so that a category or
a common number covers exactly its share. That a number is missing is a column of its own, beside the number's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthcli import seeds

Floats = NDArray[np.float64]

#: Cells that share a value from which it is emitted as it is; the usual least number of rows behind a category.
_COMMON = 5
#: Cells between two points of a quantile function at least, and points between two common values at most.
_BLOCK, _POINTS = 5, 1000
#: Reciprocal averaging: rows looked at, turns, bins of a number.
_LOOKED_AT, _TURNS, _BINS = 100_000, 50, 10


class Interval(NamedTuple):
    """For each cell, the ranks (0 to 1) that belong to its value; a value without a place has NaN."""

    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A number's quantile function: straight from (``ranks[i]``, ``values[i]``) to the next, both non-decreasing."""

    form: ClassVar[str] = "quantiles"
    ranks: tuple[float, ...]
    values: tuple[float, ...]

    def decode(self, uniform: Floats) -> Floats:
        """Return the value at each rank."""
        return np.interp(uniform, self.ranks, self.values)

    def interval(self, cells: Floats, unit: float) -> Interval:
        """Return the ranks whose value is rounded to each of ``cells``, on a grid of ``unit`` (0: no grid)."""
        return Interval(self._rank(cells - unit / 2, "left"), self._rank(cells + unit / 2, "right"))

    def _rank(self, cells: Floats, side: Any) -> Floats:
        values, ranks = np.array(self.values), np.array(self.ranks)
        after = np.searchsorted(values, cells, side=side)
        right = np.clip(after, 1, len(values) - 1)
        width = values[right] - values[right - 1]
        share = np.divide(cells - values[right - 1], width, out=np.zeros_like(cells), where=width > 0)
        inside = ranks[right - 1] + share * (ranks[right] - ranks[right - 1])
        return np.where(after == 0, 0.0, np.where(after == len(values), 1.0, inside))


@dataclass(frozen=True, slots=True)
class Bands:
    """A category's stretch of the ranks: level ``order[i]`` covers those from ``edges[i]`` to ``edges[i + 1]``."""

    form: ClassVar[str] = "bands"
    order: tuple[int, ...]
    edges: tuple[float, ...]

    def decode(self, uniform: Floats) -> NDArray[np.int64]:
        """Return the level at each rank."""
        places = np.searchsorted(self.edges[1:-1], uniform, side="right")
        return np.array(self.order, dtype=np.int64)[places]

    def interval(self, levels: NDArray[np.int64], unit: float = 0.0) -> Interval:
        """Return the ranks of each level; NaN for one that no training cell has, and for -1."""
        place = np.full(max(*self.order, int(levels.max(initial=0))) + 2, -1)  # the last one is that of level -1
        place[list(self.order)] = np.arange(len(self.order))
        found = place[levels]
        edges = np.array(self.edges)
        low, high = edges[found], edges[found + 1]
        return Interval(np.where(found < 0, np.nan, low), np.where(found < 0, np.nan, high))


Margin = Quantiles | Bands


@dataclass(frozen=True, slots=True)
class Marginals:
    """How each column becomes uniform. ``missing`` names, for a number with missing cells, the column that says so."""

    margins: Mapping[str, Margin]
    missing: Mapping[str, str]

    def decode(self, uniform: Mapping[str, Floats]) -> dict[str, NDArray[Any]]:
        """Return the numbers and levels at the ranks of each column, NaN where a number is missing."""
        decoded: dict[str, NDArray[Any]] = {}
        for name in self.margins.keys() - set(self.missing.values()):
            cells = self.margins[name].decode(uniform[name])
            if name in self.missing:
                flag = self.missing[name]
                cells = np.where(self.margins[flag].decode(uniform[flag]) == 1, np.nan, cells)
            decoded[name] = cells
        return decoded

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; :meth:`from_dict` is its inverse."""
        margins = {name: {"form": margin.form, **asdict(margin)} for name, margin in self.margins.items()}
        return {"margins": margins, "missing": dict(self.missing)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Marginals:
        """Rebuild marginals from :meth:`to_dict`'s output, also after a trip through JSON."""
        return cls({name: _margin_from(dict(fields)) for name, fields in data["margins"].items()}, data["missing"])


def learn(numbers: Mapping[str, NDArray[Any]], seed: int) -> tuple[Marginals, dict[str, Floats]]:
    """Return the marginals of columns that crossed (``boundary.learn``), and the columns as uniform numbers.

    Integer arrays are levels, float arrays are numbers with NaN for missing; each has a value at least.
    """
    missing = {
        name: _unused(f"{name} is missing", numbers)
        for name, cells in numbers.items()
        if cells.dtype.kind == "f" and np.isnan(cells).any()
    }
    flags = {flag: np.isnan(numbers[name]).astype(np.int64) for name, flag in missing.items()}
    columns = {**numbers, **flags}
    scores = _first_axis(columns, seeds.generator(seed, "axis"))
    margins: dict[str, Margin] = {}
    uniform: dict[str, Floats] = {}
    for name, cells in columns.items():
        draw = seeds.generator(seed, "marginal", name)
        if cells.dtype.kind == "f":
            margins[name], uniform[name] = _learn_quantiles(cells, draw)
        else:
            margins[name] = bands = _learn_bands(cells, scores[name])
            uniform[name] = _between(*bands.interval(cells), draw)
    return Marginals(margins, missing), uniform


def _learn_bands(levels: NDArray[Any], scores: Floats) -> Bands:
    counts = np.bincount(levels)
    order = np.argsort(scores, kind="stable")
    order = order[counts[order] > 0]
    edges = np.concatenate([[0], np.cumsum(counts[order])]) / len(levels)
    return Bands(tuple(order.tolist()), tuple(edges.tolist()))


def _first_axis(columns: Mapping[str, NDArray[Any]], draw: np.random.Generator) -> dict[str, Floats]:
    """Return a score for each level of each column: rows and levels are, in turn, the mean of one another's scores."""
    levels = {name: _levels(cells) for name, cells in columns.items()}
    step = -(-len(next(iter(levels.values()))) // _LOOKED_AT)
    looked_at = {name: codes[::step] for name, codes in levels.items()}
    counts = {name: np.bincount(codes, minlength=levels[name].max() + 1) for name, codes in looked_at.items()}
    rows = draw.standard_normal(len(next(iter(looked_at.values()))))
    for _ in range(_TURNS):
        rows = (rows - rows.mean()) / (rows.std() or 1.0)
        scores = {name: _means(codes, rows, counts[name]) for name, codes in looked_at.items()}
        rows = np.mean([scores[name][codes] for name, codes in looked_at.items()], axis=0)
    return scores


def _levels(cells: NDArray[Any]) -> NDArray[np.int64]:
    """Return levels as they are, and numbers as bins of about equal counts; missing is a bin."""
    if cells.dtype.kind != "f":
        return cells.astype(np.int64)
    cuts = np.unique(np.nanquantile(cells, np.arange(1, _BINS) / _BINS))
    return np.where(np.isnan(cells), len(cuts) + 1, np.searchsorted(cuts, cells, side="right"))


def _means(codes: NDArray[np.int64], rows: Floats, counts: NDArray[np.int64]) -> Floats:
    return np.bincount(codes, weights=rows, minlength=len(counts)) / np.maximum(counts, 1)


def _learn_quantiles(cells: Floats, draw: np.random.Generator) -> tuple[Quantiles, Floats]:
    """Return the quantile function and the cells' ranks; a missing cell has a rank at random, which says nothing."""
    absent = np.isnan(cells)
    values, places, counts = np.unique(cells[~absent], return_inverse=True, return_counts=True)
    edges = np.concatenate([[0], np.cumsum(counts)])
    uniform = draw.random(len(cells))
    low, high = edges[:-1][places] / edges[-1], edges[1:][places] / edges[-1]
    uniform[~absent] = _between(low, high, draw)
    ranks, points = _quantile_points(values, counts, edges)
    return Quantiles(tuple((ranks / edges[-1]).tolist()), tuple(points.tolist())), uniform


def _quantile_points(values: Floats, counts: NDArray[np.int64], edges: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the points of the quantile function; ranks count cells.

    A common value is a flat stretch. Of the others, the points are half way between a block's last value and the next.
    """
    common = counts >= _COMMON
    half = (values[:-1] + values[1:]) / 2
    between = _block_ends(edges, common)
    ranks = np.concatenate([[0], edges[1:-1][between], [edges[-1]], edges[:-1][common], edges[1:][common]])
    points = np.concatenate([values[:1], half[between], values[-1:], values[common], values[common]])
    inner = np.lexsort((points, ranks))
    return ranks[inner].astype(np.float64), points[inner]


def _block_ends(edges: NDArray[np.int64], common: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the gaps between neighbouring uncommon values, every so many cells; gap i follows value i."""
    block = max(_BLOCK, -(-int(edges[-1]) // _POINTS))
    full = edges[1:-1] // block != edges[:-2] // block
    return np.flatnonzero(full & ~common[:-1] & ~common[1:])


def _between(low: Floats, high: Floats, draw: np.random.Generator) -> Floats:
    return low + (high - low) * draw.random(len(low))


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    while name in taken:
        name += "?"
    return name


def _margin_from(fields: dict[str, Any]) -> Margin:
    form = fields.pop("form")
    fields = {key: tuple(values) for key, values in fields.items()}
    return Quantiles(**fields) if form == Quantiles.form else Bands(**fields)
