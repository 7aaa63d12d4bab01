"""One column of the three tables in one chart: a histogram of numbers and instants, bars of categories.

The training part is the grey ground, the holdout blue: what a fresh real sample looks like. The synthetic rows are
orange. Bins come from the report's profile; nothing is counted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from synthcli.reports.charts import (
    SIGN,
    Scale,
    figure,
    floor_axis,
    line,
    percent,
    shortened,
    tick_labels,
    ticks,
    words,
)
from synthcli.reports.markup import Markup, element, short

WIDTH = 350
SIDES = {"train": "training", "holdout": "holdout", "synthetic": "synthetic"}
Bin = Mapping[str, Any]


def column_chart(column: Mapping[str, Any]) -> Markup:
    """Return the chart of a profiled column: a histogram where it has bins with two ends, else bars."""
    bins: Sequence[Bin] = column["bins"]
    if sum(_closed(own) for own in bins) >= 2:
        return _histogram(column["name"], bins, dated=column["kind"] == "datetime")
    return _bars(column["name"], bins)


def _closed(own: Bin) -> bool:
    return own["low"] is not None and own["high"] is not None and own["low"] < own["high"]


def _sensor(x: float, y: float, width: float, height: float, own: Bin) -> Markup:
    """Return an area that one sees only under the pointer, which then tells what the bin holds."""
    told = f"{own['label']}: " + ", ".join(f"{name} {percent(own[side])}" for side, name in SIDES.items())
    return element("rect", element("title", told), x=x, y=y, width=width, height=height, class_="sensor")


# --- Numbers and instants ----------------------------------------------------------------------------------------

_HEIGHT, _TOP, _BASE = 190, 18.0, 168.0
_LEFT, _OUTER, _GAP, _SLOT = 36.0, 18.0, 13.0, 62.0
#: How many times the third highest bar the highest may be before it is cut, and where it is cut then.
_TOWER, _CUT = 4.0, 1.6


class _Bar(NamedTuple):
    """A bin, its place on the chart, and its three shares per bin of the usual width."""

    left: float
    right: float
    heights: Mapping[str, float]
    own: Bin


def _histogram(name: str, bins: Sequence[Bin], *, dated: bool) -> Markup:
    """Return a histogram: between the ends equal areas are equal shares; open ends and missing cells stand apart."""
    inner = [own for own in bins if _closed(own)]
    across = _across(bins, inner)
    islands = list(_islands(bins, inner, across))
    bars = [bar for island in islands for bar in island]
    top = _ceiling([max(bar.heights.values()) for bar in bars])
    up = Scale(0.0, top, _BASE, _TOP)
    label = f"{name}: shares of rows by value in the training part, the holdout and the synthetic rows"
    marks = _instants(inner, across) if dated else _numbers(across)
    parts = [
        *_levels(top, up),
        *(element("path", d=_outline(islands, side, up), class_=f"step {side}") for side in SIDES),
        *floor_axis(across, _BASE, marks),
        *(
            words((bar.left + bar.right) / 2, _BASE + 16, _end_name(bar.own), anchor="middle")
            for bar in bars
            if not _closed(bar.own)
        ),
        *_cuts([bar for bar in bars if max(bar.heights.values()) > top]),
        *(_sensor(bar.left, _TOP, bar.right - bar.left, _BASE - _TOP, bar.own) for bar in bars),
    ]
    return figure(WIDTH, _HEIGHT, label, *parts)


def _across(bins: Sequence[Bin], inner: Sequence[Bin]) -> Scale:
    """Return the scale of the values between the ends; it leaves room for what stands apart."""
    opens_left = bins[0]["low"] is None and bins[0]["high"] is not None
    opens_right = any(own["high"] is None and own["low"] is not None for own in bins)
    slots = sum(own["low"] is None and own["high"] is None for own in bins)
    start = _LEFT + (_OUTER + _GAP) * opens_left
    end = WIDTH - 4 - (_OUTER + _GAP) * opens_right - _SLOT * slots
    return Scale(inner[0]["low"], inner[-1]["high"], start, end)


def _islands(bins: Sequence[Bin], inner: Sequence[Bin], across: Scale) -> Iterator[list[_Bar]]:
    """Yield the groups of bars that touch: the open lower end, the bins with two ends, the upper end, and others."""
    usual = median(own["high"] - own["low"] for own in inner)
    slot = WIDTH - 4 - _SLOT * sum(own["low"] is None and own["high"] is None for own in bins)
    yield [
        _Bar(across(own["low"]), across(own["high"]), _heights(own, usual / (own["high"] - own["low"])), own)
        for own in inner
    ]
    for own in bins:
        if _closed(own):
            continue
        if own["high"] is not None:
            left = across.start - _GAP - _OUTER
        elif own["low"] is not None:
            left = across.end + _GAP
        else:
            left, slot = slot + _SLOT - _OUTER - 16, slot + _SLOT
        yield [_Bar(left, left + _OUTER, _heights(own, 1.0), own)]


def _heights(own: Bin, factor: float) -> dict[str, float]:
    return {side: own[side] * factor for side in SIDES}


def _ceiling(heights: Sequence[float]) -> float:
    """Return where the chart ends: a tower (the zeros of a column that is mostly zero) does not flatten the rest."""
    ordered = sorted(heights, reverse=True)
    third = ordered[min(2, len(ordered) - 1)]
    return third * _CUT if third > 0 and ordered[0] > _TOWER * third else ordered[0] or 1.0


def _outline(islands: Sequence[Sequence[_Bar]], side: str, up: Scale) -> str:
    """Return the steps of one table, island by island."""
    path = ""
    for bars in islands:
        steps = "".join(f"V{short(up(bar.heights[side]))}H{short(bar.right)}" for bar in bars)
        path += f"M{short(bars[0].left)} {short(_BASE)}{steps}V{short(_BASE)}"
    return path


def _levels(top: float, up: Scale) -> Iterator[Markup]:
    """Yield the lines of the shares in percent."""
    values = ticks(0.0, 100 * top, 4)
    for value, label in zip(values, tick_labels(values), strict=True):
        y = up(value / 100)
        yield line(_LEFT, y, WIDTH - 4, y, "grid")
        yield words(_LEFT - 5, y + 4, f"{label} %", anchor="end")


def _end_name(own: Bin) -> str:
    """Return the short name of what stands apart; its whole label shows under the pointer."""
    if own["low"] is None and own["high"] is None:
        return shortened(str(own["label"]).strip("()"), 8)
    return "less" if own["low"] is None else "more"


def _cuts(towers: Sequence[_Bar]) -> Iterator[Markup]:
    """Yield the breaks of the bars that are higher than the chart, and their shares beside them, each on a line."""
    for place, bar in enumerate(towers):
        rightward = bar.left < WIDTH / 2
        x = bar.right + 4 if rightward else bar.left - 4
        told = f"{percent(bar.own['train'])} → {percent(bar.own['synthetic'])}"
        yield element(
            "path", d=f"M{short(bar.left - 2)} {short(_TOP + 8)}L{short(bar.right + 2)} {short(_TOP + 3)}", class_="cut"
        )
        yield words(x, _TOP - 6 + 13 * place, told, anchor=None if rightward else "end")


def _numbers(across: Scale) -> dict[float, str]:
    values = ticks(across.low, across.high, max(int((across.end - across.start) / 46), 2))
    return _spaced(dict(zip(values, tick_labels(values), strict=True)), across)


def _instants(inner: Sequence[Bin], across: Scale) -> dict[float, str]:
    """Return edges of bins as marks: dates, with the time of day where the bins are shorter than a day."""
    edges = [inner[0]["low"], *(own["high"] for own in inner)]
    daily = (across.high - across.low) / len(inner) >= 86_400e6
    return _spaced({edge: _instant(edge, "%Y-%m-%d" if daily else "%m-%d %H:%M") for edge in edges}, across)


def _instant(microseconds: float, form: str) -> str:
    """Return an instant of the epoch's microseconds; beyond the calendar the year alone, nearly."""
    try:
        return (datetime(1970, 1, 1) + timedelta(microseconds=microseconds)).strftime(form)
    except OverflowError:
        return f"{1970 + microseconds / 31_556_952e6:.0f}"


def _spaced(marks: Mapping[float, str], across: Scale) -> dict[float, str]:
    """Return every first, second, third … mark: as many as have room for their labels, between the ends too."""
    widest = SIGN * 11 * max(map(len, marks.values()), default=0) + 10
    beyond = across.start - 5, across.end + 5
    values = [
        value
        for value, label in marks.items()
        if beyond[0] <= across(value) - SIGN * 5.5 * len(label) and across(value) + SIGN * 5.5 * len(label) <= beyond[1]
    ]
    nearest = min((across(b) - across(a) for a, b in pairwise(values)), default=widest) or widest
    stride = max(int(-(-widest // nearest)), 1)
    return {value: marks[value] for value in values[::stride]}


# --- Categories --------------------------------------------------------------------------------------------------

_ROW, _HEAD = 18.0, 20.0
_NAMES, _TRAIN, _SYNTHETIC = 108.0, 298.0, float(WIDTH - 2)


def _bars(name: str, bins: Sequence[Bin]) -> Markup:
    """Return a row a category: the training share as a grey bar, the holdout's as a tick, the synthetic one on top."""
    scale = Scale(0.0, _longest(bins), _NAMES + 6, _TRAIN - 42)
    height = _HEAD + _ROW * len(bins) + 2
    label = f"{name}: shares of rows by category in the training part, the holdout and the synthetic rows"
    parts = [
        words(_TRAIN, 11, "training %", anchor="end", class_="small"),
        words(_SYNTHETIC, 11, "synth. %", anchor="end", class_="small"),
        *(mark for place, own in enumerate(bins) for mark in _row(own, _HEAD + _ROW * place, scale)),
        line(scale.start, _HEAD - 2, scale.start, height - 2, "axis"),
    ]
    return figure(WIDTH, height, label, *parts)


def _longest(bins: Sequence[Bin]) -> float:
    """Return the share of the longest bar; what is no category of its own may be cut short, not the others flat."""
    shares = [(str(own["label"]).startswith("("), max(own[side] for side in SIDES)) for own in bins]
    named = max((share for other, share in shares if not other), default=0.0)
    largest = max((share for _, share in shares), default=0.0)
    return (named * _CUT if 0 < named * _TOWER < largest else largest) or 1.0


def _row(own: Bin, y: float, scale: Scale) -> Iterator[Markup]:
    middle, start = y + _ROW / 2 - 1, scale.start
    tick = scale(own["holdout"])
    yield words(_NAMES, middle + 4, shortened(str(own["label"]), 17), anchor="end")
    yield element("rect", x=start, y=middle - 6.5, width=scale(own["train"]) - start, height=13, class_="bar train")
    yield element(
        "rect", x=start, y=middle - 3, width=scale(own["synthetic"]) - start, height=6, class_="bar synthetic"
    )
    if max(own[side] for side in SIDES) > scale.high:
        x = short(scale.end - 12)
        yield element("path", d=f"M{x} {short(middle + 8)}l5 -16", class_="cut")
    yield line(tick, middle - 7.5, tick, middle + 7.5, "tick holdout")
    yield words(_TRAIN, middle + 4, f"{100 * own['train']:.1f}", anchor="end", class_="figure")
    yield words(_SYNTHETIC, middle + 4, f"{100 * own['synthetic']:.1f}", anchor="end", class_="figure")
    yield _sensor(0, y, WIDTH, _ROW - 2, own)
