"""What the pictures of a report are drawn from: columns, worst pairs and associations of the three tables, in bins.

A report is published, so it tells of no rare category and no extreme: a category that fewer training rows have than
``threshold`` counts as another one, a column's outer bins are open and hold at least as many rows, and so do all bins
of a column in a pair, whose ends are rounded. Everything is a share of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from math import ceil, floor, log10
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import Floats, Table, as_table, category_counts, numbers
from synthcli.encoding import CategoryAxis, Codes, CountEncoding, NumberAxis
from synthcli.metrics.accuracy import cramers_v
from synthcli.parallel import side_by_side
from synthcli.profile import Bin, ColumnProfile, Dependence, PairProfile, Profile, Shares
from synthcli.schema import Column, Kind, Schema

#: Categories that a picture shows by name, at most; bins between the ends of a column of numbers, about.
CATEGORIES, NUMBER_BINS = 12, 30
#: Columns whose associations are pictured, at most.
DEPENDENCE = 60
#: Rows of a table that are counted, at most.
ROWS = 100_000
#: The share of training rows that lies beyond either end of the inner bins, at least.
OUTER = 0.01
#: How far apart edges are at least, as a part of the numbers; below the smallest numbers no log is taken.
_FINEST, _TINY = 1e-9, 1e-290
MISSING, OTHER, NEW = "(missing)", "(other)", "(new)"

Pairs = Sequence[tuple[str, str]]


def profile(tables: Mapping[str, Table | pl.DataFrame], schema: Schema, pairs: Pairs, threshold: int) -> Profile:
    """Return the profile of ``tables`` (train, holdout, synthetic).

    ``pairs`` are those to picture. ``threshold`` is the least number of training rows that a bin may tell of by name.
    Of larger tables ``ROWS`` rows at even distances are counted: a picture shows no thousandth.
    """
    least = max(threshold, 1)
    names = [column.name for column in schema.modelled]
    thin = {side: as_table(table).thinned(ROWS, names) for side, table in tables.items()}
    encoding = CountEncoding.fit(thin["train"], schema)
    codes = {side: encoding.encode(frame) for side, frame in thin.items()}
    columns = side_by_side(lambda c: ColumnProfile(c.name, c.kind.value, tuple(_bins(thin, c, least))), schema.modelled)
    heat_maps = tuple(_pair(encoding, codes, *pair, least) for pair in pairs)
    return Profile(tuple(columns), heat_maps, _dependence(encoding, codes))


def _bins(tables: Mapping[str, pl.DataFrame], column: Column, least: int) -> Iterator[Bin]:
    series = {side: frame[column.name] for side, frame in tables.items()}
    if column.ordered:
        return _number_bins(series, column, least)
    return _category_bins(series, least)


def _number_bins(series: Mapping[str, pl.Series], column: Column, least: int) -> Iterator[Bin]:
    """Yield equally wide bins between two inner quantiles of the training part, and open ones beyond them."""
    values = {side: numbers(part) for side, part in series.items()}
    known = {side: part[~np.isnan(part)] for side, part in values.items()}
    edges = _edges(known["train"], column, least)
    shares = {}
    for side, part in known.items():
        counts = np.bincount(np.searchsorted(edges, part, side="right"), minlength=len(edges) + 1)
        shares[side] = counts / max(len(values[side]), 1)
    text = [_instant(edge, edges) if column.kind is Kind.DATETIME else _plain(edge) for edge in edges]
    for at in range(len(edges) + 1):
        own = {side: float(part[at]) for side, part in shares.items()}
        if not len(edges):
            label = "(any)"
        else:
            label = (
                f"< {text[0]}" if at == 0 else f"≥ {text[-1]}" if at == len(edges) else f"{text[at - 1]} … {text[at]}"
            )
        low = float(edges[at - 1]) if at else None
        high = float(edges[at]) if at < len(edges) else None
        yield Bin(label, low, high, **own)
    yield from _missing_bin({side: float(np.isnan(part).mean()) if len(part) else 0.0 for side, part in values.items()})


def _edges(train: Floats, column: Column, least: int) -> Floats:
    """Return round edges, equally far apart, with at least ``least`` training rows below and above all of them."""
    ordered = np.sort(train)
    skipped = max(least, ceil(len(ordered) * OUTER))
    if len(ordered) <= 2 * skipped:
        return np.empty(0)
    low, high = float(ordered[skipped]), float(ordered[-1 - skipped])
    whole = column.kind is Kind.NUMERIC and column.decimals == 0
    narrow = high / NUMBER_BINS - low / NUMBER_BINS
    if low == high and np.count_nonzero(ordered == low) >= least:
        # Nearly all rows share one value.
        edges = np.array([low, low + 10.0 ** -(6 if column.decimals is None else column.decimals)])
    elif narrow > _FINEST * max(abs(low), abs(high), _TINY):
        width = _round_width(narrow, whole)
        edges = (np.arange(ceil(low / width), floor(high / width) + 1) * width).astype(np.float64)
    else:  # values that differ in their last digits only
        return np.empty(0)
    below = np.searchsorted(ordered, edges, side="left")
    kept: Floats = edges[(below >= least) & (len(ordered) - below >= least)]
    return kept


def _round_width(width: float, whole: bool) -> float:
    """Return the least of 1, 2, 5 or 10 times a power of ten that is at least ``width``, 1 at least if ``whole``."""
    power = 10.0 ** floor(log10(width))
    rounded = next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= width * (1 - 1e-9))
    return max(rounded, 1.0) if whole else rounded


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"


def _instant(edge: float, edges: Floats) -> str:
    """Return an instant (microseconds) as a date, with the time of day where bins are shorter than a day."""
    apart = float(np.diff(edges).min()) if len(edges) > 1 else math.inf
    unit: Literal["D", "m", "ms"] = "D" if apart >= 86_400e6 else "m" if apart >= 60e6 else "ms"
    return str(np.datetime_as_string(np.datetime64(int(edge), "us"), unit=unit)).replace("T", " ")


def _rounded_ends(cuts: Floats) -> list[str]:
    """Return cuts, which are single values of the training part, rounded to a tenth of the smallest gap or so."""
    scale = float(np.diff(cuts).min()) if len(cuts) > 1 else abs(float(cuts[0])) / 10 if len(cuts) else 1.0
    if not (0 < scale < math.inf):
        return [_plain(float(cut)) for cut in cuts]
    unit = 10.0 ** (floor(log10(scale)) - 1)
    return [_plain(float(f"{round(float(cut) / unit) * unit:.12g}")) if unit else _plain(float(cut)) for cut in cuts]


def _category_bins(series: Mapping[str, pl.Series], least: int) -> Iterator[Bin]:
    """Yield the training part's most frequent categories, then all others, those it lacks among them."""
    tally = category_counts(series["train"]).filter(pl.col("count") >= least).head(CATEGORIES)
    found = {side: dict(category_counts(part).rows()) for side, part in series.items()}
    rows = {side: max(len(part), 1) for side, part in series.items()}
    shown = tally["level"].to_list()
    for level in shown:
        yield Bin(_text(level), None, None, **{side: found[side].get(level, 0) / rows[side] for side in found})
    rest = {
        side: max(1 - (sum(counts.get(level, 0) for level in shown) + series[side].null_count()) / rows[side], 0.0)
        for side, counts in found.items()
    }
    if any(share > 1e-12 for share in rest.values()):
        yield Bin(OTHER, None, None, **rest)
    yield from _missing_bin({side: part.null_count() / rows[side] for side, part in series.items()})


def _missing_bin(shares: Mapping[str, float]) -> Iterator[Bin]:
    if any(shares.values()):
        yield Bin(MISSING, None, None, **shares)


def _text(level: object) -> str:
    return str(level).lower() if isinstance(level, bool) else str(level)


def _pair(encoding: CountEncoding, codes: Mapping[str, Codes], a: str, b: str, least: int) -> PairProfile:
    """Return the shares of rows by the bins of two columns, on the grid that the accuracy metrics count on."""
    places = [encoding.names.index(name) for name in (a, b)]
    grids = [_grid(encoding, place, codes["train"][place], least) for place in places]
    labels = [np.array(names, dtype=object) for names, _ in grids]
    sizes = len(labels[0]), len(labels[1])
    counts = {}
    for side, coded in codes.items():
        one, other = (place_of[coded[place]] for place, (_, place_of) in zip(places, grids, strict=True))
        counts[side] = np.bincount(one * sizes[1] + other, minlength=sizes[0] * sizes[1]).reshape(sizes)
    every = np.sum(list(counts.values()), axis=0)
    filled = np.flatnonzero(every.sum(axis=1)), np.flatnonzero(every.sum(axis=0))
    found = {side: _rounded(part[np.ix_(*filled)] / max(int(part.sum()), 1)) for side, part in counts.items()}
    names = [tuple(kept[at].tolist()) for kept, at in zip(labels, filled, strict=True)]
    return PairProfile(a, b, names[0], names[1], **found)


def _rounded(shares: Floats) -> Shares:
    rounded: Shares = np.round(shares, 6).tolist()
    return rounded


def _grid(
    encoding: CountEncoding, place: int, train: Codes, least: int
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return a column's bins by label, and the bin of each code."""
    axis, column = encoding.axes[place], encoding.columns[place]
    counts = np.bincount(train, minlength=axis.cardinality)
    if isinstance(axis, NumberAxis):
        return _number_grid(axis, counts, column, least)
    assert isinstance(axis, CategoryAxis)
    return _category_grid(axis, counts, least)


def _number_grid(
    axis: NumberAxis, counts: npt.NDArray[np.int64], column: Column, least: int
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Join neighbouring bins until each has enough training rows; what lies beyond the range is in the outer bins."""
    ends, held = [], 0
    inner = counts[3:]
    for at, count in enumerate(inner):
        held += int(count)
        if held >= least and at < len(inner) - 1:
            ends.append(at)
            held = 0
    if ends and held < least:
        ends.pop()
    cuts = axis.cuts[ends]
    text = [_instant(cut, cuts) for cut in cuts] if column.kind is Kind.DATETIME else _rounded_ends(cuts)
    labels = (
        [f"≤ {text[0]}", *(f"{one} … {two}" for one, two in pairwise(text)), f"> {text[-1]}"] if text else ["(any)"]
    )
    bins = np.searchsorted(np.array(ends), np.arange(len(inner)), side="left")
    return (*labels, MISSING), np.concatenate([[len(labels), 0, len(labels) - 1], bins]).astype(np.int64)


def _category_grid(
    axis: CategoryAxis, counts: npt.NDArray[np.int64], least: int
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    shown = [at for at in range(axis.kept) if counts[3 + at] >= least]
    labels = (*(_text(axis.frequent[at]) for at in shown), OTHER, NEW, MISSING)
    bins = np.full(axis.cardinality, len(shown), np.int64)
    bins[:3] = len(shown) + 2, len(shown) + 1, len(shown)
    bins[[3 + at for at in shown]] = np.arange(len(shown))
    return labels, bins


def _dependence(encoding: CountEncoding, codes: Mapping[str, Codes]) -> Dependence | None:
    """Return Cramér's V of all pairs of the first columns."""
    names, sizes = encoding.names[:DEPENDENCE], encoding.cardinalities
    if len(names) < 2:
        return None
    found = {}
    for side, coded in codes.items():
        table = np.eye(len(names))
        for one, other in combinations(range(len(names)), 2):
            flat = coded[one].astype(np.intp) * sizes[other] + coded[other]
            counts = np.bincount(flat, minlength=sizes[one] * sizes[other]).reshape(sizes[one], sizes[other])
            table[one, other] = table[other, one] = float(cramers_v(counts))
        found[side] = _rounded(table)
    return Dependence(names, **found)
