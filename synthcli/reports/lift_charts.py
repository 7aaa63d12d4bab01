"""Charts of what an augmentation brings: estimates on one axis, scores over the number of training rows, shares.

The augmentation is orange and set off, the rows as they are blue and dashed, simpler means grey. Whose line is whose
stands at its end or above it, so that no colour has to be looked up. Numbers in, markup out, as in ``charts``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf, log10
from statistics import median
from typing import Any, Literal, NamedTuple

from synthcli.reports.charts import SIGN, Scale, figure, floor_axis, line, shortened, tick_labels, ticks, words
from synthcli.reports.markup import Markup, element, short
from synthcli.reports.words import number

Estimate = Mapping[str, Any]
#: Whose an estimate is; the class that draws it.
Role = Literal["own", "real", "other"]
#: Width of the large charts, and of their text where it is largest, on narrow pages, in their own units.
WIDTH, _TEXT = 560.0, 14
#: Least difference that an axis shows across, so that equal values do not fill a chart with noise.
_LEAST = 0.01


class Dot(NamedTuple):
    """An estimate with the name that it goes by and its figures in words."""

    name: str
    role: Role
    estimate: Estimate
    told: str


class Series(NamedTuple):
    """Estimates by number of training rows."""

    name: str
    role: Role
    estimates: Mapping[int, Estimate]


def measured(estimate: Estimate | None) -> bool:
    """Return whether there is an estimate with a value."""
    return estimate is not None and estimate["value"] is not None


def _interval(estimate: Estimate) -> tuple[float, float]:
    """Return an estimate's interval; the value alone where it has none."""
    low, high = estimate.get("low"), estimate.get("high")
    value = estimate["value"]
    return (value if low is None else low), (value if high is None else high)


# --- Estimates on one axis ---------------------------------------------------------------------------------------

_ROW, _HEAD, _MARGIN = 42.0, 20.0, 8.0


def dot_chart(
    dots: Sequence[Dot],
    *,
    label: str,
    x_name: str,
    upright: tuple[float, str] | None = None,
    ways: tuple[str, str] = ("", ""),
) -> Markup:
    """Return a line for each measured estimate: name and figures above, below them its interval and its value.

    All have one axis, which holds every interval whole. ``upright`` is a value with its name, which is then on the axis
    as an upright line, and ``ways`` is what it means to lie to the left and to the right.
    """
    ends = [end for dot in dots for end in _interval(dot.estimate)] + ([upright[0]] if upright else [])
    low, high = _widened(min(ends), max(ends))
    across = Scale(low, high, _MARGIN, WIDTH - _MARGIN)
    head, at = (_HEAD, across(upright[0])) if upright else (0.0, None)
    base = head + _ROW * len(dots) + 4
    marks = ticks(low, high, 6)
    parts = [mark for place, dot in enumerate(dots) for mark in _dot(dot, head + _ROW * place, across, at)]
    parts += floor_axis(across, base, dict(zip(marks, tick_labels(marks), strict=True)))
    if upright:
        x = across(upright[0])
        parts += [_above(x, upright[1]), line(x, head - 5, x, head, "zero")]
    names = ((_MARGIN, ways[0], None), (WIDTH / 2, x_name, "middle"), (WIDTH - _MARGIN, ways[1], "end"))
    parts += [words(x, base + 38, name, anchor=anchor) for x, name, anchor in names if name]
    return figure(WIDTH, base + 44, label, *parts, class_="chart large")


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis that holds ``low`` and ``high`` with some room beside them."""
    room = max(0.05 * (high - low), (_LEAST - (high - low)) / 2)
    return low - room, high + room


def _above(x: float, name: str) -> Markup:
    """Return the name of an upright line, at its head and within the chart."""
    half = SIGN * _TEXT * len(name) / 2
    return words(min(max(x, half), WIDTH - half), 11, name, anchor="middle")


def _dot(dot: Dot, y: float, across: Scale, upright: float | None) -> Iterator[Markup]:
    """Yield one estimate; the upright line leaves out what is written."""
    if dot.role == "own":
        yield element("rect", x=0, y=y, width=WIDTH, height=_ROW, rx=3, class_="ground")
    if upright is not None:
        yield line(upright, y + 20, upright, y + _ROW, "zero")
    start, end = map(across, _interval(dot.estimate))
    yield words(_MARGIN, y + 15, shortened(dot.name, 32), class_=dot.role)
    yield words(WIDTH - _MARGIN, y + 15, dot.told, anchor="end", class_=dot.role)
    yield line(start, y + 30, end, y + 30, f"whisker {dot.role}")
    yield element("circle", cx=across(dot.estimate["value"]), cy=y + 30, r=4.5, class_=f"dot {dot.role}")


# --- Scores over the number of training rows ---------------------------------------------------------------------

_HEIGHT, _TOP, _BASE, _LEFT = 330.0, 24.0, 284.0, 52.0
#: Room between names at the ends of lines, between the marks of one size, and between a line's end and its name.
_APART, _ASIDE, _LEAD = 17.0, 5.0, 18.0


def size_chart(series: Sequence[Series], *, label: str, y_name: str, zero: str | None = None) -> Markup:
    """Return a line for each series over the number of training rows (logarithmic), with intervals as whiskers.

    Marks of one size stand a little beside each other. An interval much longer than the values are apart is cut at the
    chart's edge. ``zero`` names a level line at 0.
    """
    sizes = sorted({rows for each in series for rows in each.estimates})
    names = [shortened(each.name, 22) for each in series] + ([zero] if zero else [])
    aside = _ASIDE * (len(series) - 1) / 2
    room = max(_LEAD + SIGN * _TEXT * max(map(len, names)), SIGN * _TEXT * len(f"{sizes[-1]:,}") / 2)
    across = Scale(log10(sizes[0]), log10(sizes[-1]), _LEFT + 12 + aside, WIDTH - room - aside)
    low, high = _reach([found for each in series for found in each.estimates.values()], zero is not None)
    up, end = Scale(low, high, _BASE, _TOP), WIDTH - room
    parts = [words(_LEFT, 11, y_name), *_levels(low, high, up, end), *_floor(sizes, across, end)]
    tails: list[_Tail] = []
    if zero:
        parts.append(line(_LEFT, up(0), end, up(0), "zero"))
        tails.append(_Tail(zero, "real", end, up(0)))
    # What is drawn last lies on top: the augmentation.
    for place, each in sorted(enumerate(series), key=lambda pair: pair[1].role == "own"):
        x = {rows: across(log10(rows)) - aside + _ASIDE * place for rows in each.estimates}
        parts += _drawn(each, x, up)
        last = max(each.estimates)
        tails.append(_Tail(names[place], each.role, x[last], up(each.estimates[last]["value"])))
    parts += _ends(tails, end + _LEAD)
    return figure(WIDTH, _HEIGHT, label, *parts, class_="chart large")


class _Tail(NamedTuple):
    """The end of a line, and the name that belongs there."""

    name: str
    role: Role
    x: float
    y: float


def _reach(estimates: Sequence[Estimate], zero: bool) -> tuple[float, float]:
    """Return the ends of an axis for values and their intervals.

    An interval reaches at most as far beyond the values as they are apart, or as half of the intervals are long.
    """
    values = [found["value"] for found in estimates] + ([0.0] if zero else [])
    intervals = [_interval(found) for found in estimates]
    room = max(max(values) - min(values), median(high - low for low, high in intervals))
    low = max(min(low for low, _ in intervals), min(values) - room)
    high = min(max(high for _, high in intervals), max(values) + room)
    return _widened(min(low, *values), max(high, *values))


def _levels(low: float, high: float, up: Scale, end: float) -> Iterator[Markup]:
    values = ticks(low, high, 6)
    for value, name in zip(values, tick_labels(values), strict=True):
        yield line(_LEFT, up(value), end, up(value), "grid")
        yield words(_LEFT - 6, up(value) + 4, name, anchor="end")


def _floor(sizes: Sequence[int], across: Scale, end: float) -> Iterator[Markup]:
    """Yield the axis of sizes: each has a mark, and a name unless that would run into a larger one's."""
    yield line(_LEFT, _BASE, end, _BASE, "axis")
    yield words((_LEFT + end) / 2, _BASE + 38, "training rows (logarithmic)", anchor="middle")
    left = inf
    for rows in reversed(sizes):
        x, name = across(log10(rows)), f"{rows:,}"
        half = SIGN * _TEXT * len(name) / 2
        yield line(x, _BASE, x, _BASE + 4, "axis")
        if x + half + 4 <= left:
            yield words(x, _BASE + 18, name, anchor="middle")
            left = x - half


def _drawn(series: Series, x: Mapping[int, float], up: Scale) -> Iterator[Markup]:
    places = [(x[rows], found) for rows, found in sorted(series.estimates.items())]
    for at, found in places:
        low, high = _interval(found)
        yield line(at, up(low), at, up(high), f"whisker thin {series.role}")
    path = "L".join(f"{short(at)} {short(up(found['value']))}" for at, found in places)
    yield element("path", d=f"M{path}", class_=f"arm {series.role}")
    for rows, found in sorted(series.estimates.items()):
        low, high = _interval(found)
        told = f"{series.name}, {rows:,} rows: {number(found['value'])} ({number(low)} … {number(high)})"
        y = up(found["value"])
        yield element("circle", element("title", told), cx=x[rows], cy=y, r=3.2, class_=f"dot {series.role}")


def _ends(tails: Sequence[_Tail], x: float) -> Iterator[Markup]:
    """Yield the names at the ends of lines, moved apart where they would overlap, and lines that lead to them."""
    places = apart([tail.y for tail in tails], _APART, _TOP, _BASE)
    for tail, place in zip(tails, places, strict=True):
        yield line(tail.x + 5, tail.y, x - 3, place, "lead-line")
        yield words(x, place + 4, tail.name, class_=tail.role)


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places at least ``gap`` apart, as near to the wanted ones as that allows (least squares), in their order.

    They lie from ``low`` to ``high`` where there is room for all.

    >>> apart([10, 10, 50], 4, 0, 60)
    [8.0, 12.0, 50.0]
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    blocks: list[list[float]] = []
    for rank, which in enumerate(order):
        blocks.append([wanted[which] - rank * gap])
        while len(blocks) > 1 and sum(blocks[-2]) / len(blocks[-2]) >= sum(blocks[-1]) / len(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    level = [sum(block) / len(block) for block in blocks for _ in block]
    most = high - gap * (len(wanted) - 1)
    found = [0.0] * len(wanted)
    for rank, which in enumerate(order):
        found[which] = max(min(level[rank], most), low) + rank * gap
    return found


# --- Shares and amounts ------------------------------------------------------------------------------------------

BAR_WIDTH, _BAR_HEIGHT = 220.0, 20.0


def pair_bar(before: float, after: float, most: float, label: str) -> Markup:
    """Return two amounts as bars on a scale from 0 to ``most``: what was is grey, what is lies on it in orange."""
    scale = Scale(0.0, most, 0.0, BAR_WIDTH)
    parts = (
        element("rect", x=0, y=2, width=scale(before), height=16, class_="bar train"),
        element("rect", x=0, y=6, width=scale(after), height=8, class_="bar synthetic"),
    )
    return figure(BAR_WIDTH, _BAR_HEIGHT, label, *parts, class_="chart range")


def parts_bar(amounts: Mapping[str, int], label: str) -> Markup:
    """Return amounts, by the classes that draw them, as parts of one bar in their order."""
    total = sum(amounts.values())
    ends = [0.0]
    for amount in amounts.values():
        ends.append(ends[-1] + amount)
    scale = Scale(0.0, total, 0.0, WIDTH)
    parts = [
        element("rect", x=scale(start), y=0, width=scale(end) - scale(start), height=18, class_=f"bar {name}")
        for name, (start, end) in zip(amounts, pairwise(ends), strict=True)
    ]
    return figure(WIDTH, 18, label, *parts, class_="chart large")
