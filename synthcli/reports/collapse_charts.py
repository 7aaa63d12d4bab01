"""Charts of a simulated collapse: metrics over the generations, losses over the share of fresh real rows, categories
that die out, columns that narrow, and the path between precision and recall.

An arm has a colour, a kind of dashes and a mark at the end of its line, so that no two are told apart by colour alone;
the control is grey. Numbers in, markup out, as in ``charts``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from math import log10
from statistics import median
from typing import Any, NamedTuple

from synthcli.reports.charts import SIGN, Scale, figure, line, percent, shortened, tick_labels, ticks, words
from synthcli.reports.collapse_words import needed_span, share_words
from synthcli.reports.lift_charts import apart
from synthcli.reports.markup import Markup, element, short
from synthcli.reports.words import number

Row = Mapping[str, Any]
Values = Sequence[float | None]
#: Size of the text in a chart, in its own units.
_TEXT = 11


# --- Arms --------------------------------------------------------------------------------------------------------

_HUES, _DASHES = 6, 5
#: Marks as corners around their place, in their size; the circle has none.
_SHAPES: Mapping[str, Sequence[tuple[float, float]]] = {
    "circle": (),
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "triangle": ((0, -1.3), (1.2, 0.9), (-1.2, 0.9)),
    "diamond": ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)),
    "fall": ((0, 1.3), (1.2, -0.9), (-1.2, -0.9)),
    "bar": ((-1.5, -0.6), (1.5, -0.6), (1.5, 0.6), (-1.5, 0.6)),
}


class Look(NamedTuple):
    """How an arm is drawn: the classes of its colour and its dashes, and the shape of its mark."""

    classes: str
    shape: str


CONTROL = Look("control", "circle")


def looks(names: Sequence[str], control: str) -> dict[str, Look]:
    """Return a look for each arm in its order; colours, dashes and marks repeat after different numbers of arms."""
    found = {control: CONTROL}
    for place, name in enumerate(name for name in names if name != control):
        classes = f"hue-{place % _HUES + 1} dash-{place % _DASHES + 1}"
        found[name] = Look(classes, [*_SHAPES][place % len(_SHAPES)])
    return found


def sign(look: Look, x: float, y: float, told: str = "", size: float = 4.0) -> Markup:
    """Return the mark of an arm at a place, which says what it is under the pointer."""
    title = [element("title", told)] if told else []
    return element("path", *title, d=_outline(look.shape, x, y, size), class_=f"mark-end {look.classes}")


def _outline(shape: str, x: float, y: float, size: float) -> str:
    """Return the path of a mark."""
    if corners := _SHAPES[shape]:
        return f"M{'L'.join(f'{short(x + size * dx)} {short(y + size * dy)}' for dx, dy in corners)}z"
    radius, across = short(size), short(2 * size)
    return f"M{short(x - size)} {short(y)}a{radius} {radius} 0 1 0 {across} 0a{radius} {radius} 0 1 0 -{across} 0z"


def swatch(look: Look) -> Markup:
    """Return a piece of an arm's line with its mark, for a legend."""
    parts = (line(1, 7, 33, 7, f"course {look.classes}"), sign(look, 17, 7))
    return element("svg", *parts, class_="swatch", viewBox="0 0 34 14", aria_hidden="true")


# --- Axes --------------------------------------------------------------------------------------------------------


def _extent(values: Sequence[float], ends: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis with all values on it, and of intervals as much as the values are apart."""
    span = max(values) - min(values)
    low = max(min([*values, *ends]), min(values) - span)
    high = min(max([*values, *ends]), max(values) + span)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.01
    return low - room, high + room


def _levels(up: Scale, left: float, right: float) -> Iterator[Markup]:
    values = ticks(up.low, up.high, 6)
    for value, name in zip(values, tick_labels(values), strict=True):
        yield line(left, up(value), right, up(value), "grid")
        yield words(left - 6, up(value) + 4, name, anchor="end")


def generation_ticks(last: int) -> list[int]:
    """Return generations from 0 on, seven at most, equally far from each other.

    >>> generation_ticks(12), generation_ticks(3)
    ([0, 2, 4, 6, 8, 10, 12], [0, 1, 2, 3])
    """
    step = next(base * 10**power for power in range(12) for base in (1, 2, 5) if last // (base * 10**power) <= 6)
    return list(range(0, last + 1, step))


def _generations(across: Scale, y: float) -> Iterator[Markup]:
    """Yield the axis of generations."""
    yield line(across.start, y, across.end, y, "axis")
    for value in generation_ticks(int(across.high)):
        yield line(across(value), y, across(value), y + 4, "axis")
        yield words(across(value), y + 16, str(value), anchor="middle")


def _clamped(x: float, name: str, low: float, high: float) -> float:
    """Return the middle of a label that is to lie from ``low`` to ``high``."""
    half = SIGN * _TEXT * len(name) / 2
    return min(max(x, low + half), high - half)


# --- Metrics over the generations --------------------------------------------------------------------------------

WIDTH, _LEFT, _RIGHT = 350.0, 46.0, 340.0
_HEIGHT, _TOP, _BASE = 226.0, 8.0, 184.0


class Course(NamedTuple):
    """A metric over an arm's generations: means over chains, and the ends of their intervals where there are any."""

    name: str
    look: Look
    generation: Sequence[int]
    mean: Values
    low: Values
    high: Values


class _Spot(NamedTuple):
    generation: int
    mean: float
    low: float | None
    high: float | None

    def told(self) -> str:
        interval = "" if self.low is None or self.high is None else f" ({number(self.low)} … {number(self.high)})"
        return f"generation {self.generation}: {number(self.mean)}{interval}"


def trajectory_chart(courses: Sequence[Course], *, label: str, level: float | None, margin: float) -> Markup:
    """Return a line with its band for each course, each of one mean at least; what comes first lies below.

    Two dashed lines lie a ``margin`` above and below ``level``; without a level there are none.
    """
    spots = [_spots(course) for course in courses]
    limits = [] if level is None else [level - margin, level + margin]
    values = [spot.mean for own in spots for spot in own] + limits
    ends = [end for own in spots for spot in own for end in (spot.low, spot.high) if end is not None]
    low, high = _extent(values, ends)
    last = max(spot.generation for own in spots for spot in own)
    across, up = Scale(0.0, max(last, 1), _LEFT + 4, _RIGHT - 6), Scale(low, high, _BASE, _TOP)
    parts = [*_levels(up, _LEFT, _RIGHT), *_generations(across, _BASE)]
    parts.append(words((_LEFT + _RIGHT) / 2, _BASE + 34, "generation", anchor="middle"))
    parts += [_band(own, across, up, course.look) for course, own in zip(courses, spots, strict=True)]
    parts += [_limit(_LEFT, _RIGHT, up(value), f"margin: {number(value)}") for value in limits]
    for course, own in zip(courses, spots, strict=True):
        parts += _course(course, own, across, up)
    return figure(WIDTH, _HEIGHT, label, *parts)


def _spots(course: Course) -> list[_Spot]:
    """Return the measured generations of a course."""
    rows = zip(course.generation, course.mean, course.low, course.high, strict=True)
    return [_Spot(generation, mean, low, high) for generation, mean, low, high in rows if mean is not None]


def _band(spots: Sequence[_Spot], across: Scale, up: Scale, look: Look) -> Markup:
    """Return the area of the intervals; nothing where fewer than two means have one."""
    known = [
        (across(spot.generation), up(spot.low), up(spot.high))
        for spot in spots
        if spot.low is not None and spot.high is not None
    ]
    if len(known) < 2:
        return Markup()
    there = [f"{short(x)} {short(low)}" for x, low, _ in known]
    back = [f"{short(x)} {short(high)}" for x, _, high in reversed(known)]
    return element("path", d=f"M{'L'.join([*there, *back])}z", class_=f"band {look.classes}")


def _limit(left: float, right: float, y: float, told: str) -> Markup:
    path = f"M{short(left)} {short(y)}L{short(right)} {short(y)}"
    return element("path", element("title", told), d=path, class_="limit")


def _course(course: Course, spots: Sequence[_Spot], across: Scale, up: Scale) -> Iterator[Markup]:
    """Yield a course's line, a dot for each generation, and the arm's mark at the last."""
    path = "L".join(f"{short(across(spot.generation))} {short(up(spot.mean))}" for spot in spots)
    yield element("path", d=f"M{path}", class_=f"course {course.look.classes}")
    for spot in spots[:-1]:
        x, y, title = across(spot.generation), up(spot.mean), element("title", f"{course.name}, {spot.told()}")
        yield element("circle", title, cx=x, cy=y, r=1.8, class_=f"spot {course.look.classes}")
    last = spots[-1]
    yield sign(course.look, across(last.generation), up(last.mean), f"{course.name}, {last.told()}")


# --- Losses over the share of fresh rows -------------------------------------------------------------------------

_LOSS_TOP, _LOSS_BASE, _LOSS_HEIGHT, _SLOT = 42.0, 206.0, 248.0, 30.0


class _Shares(NamedTuple):
    """The logarithmic axis of shares; none at all, which has no logarithm, has a place of its own on the left."""

    across: Scale

    def __call__(self, share: float) -> float:
        return self.across(log10(share)) if share > 0 else _LEFT + _SLOT / 2


def loss_chart(found: Row, *, label: str) -> Markup:
    """Return one metric's losses by the share of fresh rows: points with intervals, the fit, the margin, and where
    the fit crosses it, with its interval shaded; the predicted share is a mark at the head.

    ``found`` is an entry of the document's ``minimum_fresh.metrics``.
    """
    shares, losses, margin = found["shares"], found["losses"], found["margin"]
    place = _share_axis(found)
    values = [value for value in (*losses, *found["fitted"], margin, 0.0) if value is not None]
    up = Scale(
        *_extent(values, [e for e in (*found["loss_low"], *found["loss_high"]) if e is not None]), _LOSS_BASE, _LOSS_TOP
    )
    parts = [*_levels(up, _LEFT, _RIGHT), *_floor(shares, place)]
    parts += _crossing_span(found, place)
    parts.append(_limit(_LEFT, _RIGHT, up(margin), f"margin: {number(margin)}"))
    parts += _fit(shares, found["fitted"], place, up)
    points = zip(shares, losses, found["loss_low"], found["loss_high"], strict=True)
    parts += [mark for point in points if point[1] is not None for mark in _loss(*point, place, up)]
    parts += [*_crossing(found, place), *_predicted(found, place)]
    parts.append(words(_RIGHT, up(margin) - 5, f"margin {margin:.3g}", anchor="end", class_="on-top"))
    return figure(WIDTH, _LOSS_HEIGHT, label, *parts)


def _share_axis(found: Row) -> _Shares:
    """Return an axis that holds the shares that were tried, the crossing with its interval, and the prediction."""
    marks = (found["share"], found["predicted"], *needed_span(found))
    known = [*found["shares"], *(share for share in marks if share is not None)]
    above = [log10(share) for share in known if share > 0] or [-2.0, 0.0]
    room = 0.05 * (max(above) - min(above)) or 0.1
    start = _LEFT + (_SLOT if min(known, default=1.0) <= 0 else 0.0)
    return _Shares(Scale(min(above) - room, max(above) + room, start, _RIGHT))


def _floor(shares: Sequence[float], place: _Shares) -> Iterator[Markup]:
    """Yield the axis of shares: each has a mark, and a name unless that would run into a larger one's."""
    yield line(_LEFT, _LOSS_BASE, _RIGHT, _LOSS_BASE, "axis")
    yield words((_LEFT + _RIGHT) / 2, _LOSS_BASE + 36, "fresh real rows (logarithmic)", anchor="middle")
    left = WIDTH + _TEXT
    for share in sorted({*shares, 0.0} if place.across.start > _LEFT else shares, reverse=True):
        x, name = place(share), share_words(share)
        half = SIGN * _TEXT * len(name) / 2
        yield line(x, _LOSS_BASE, x, _LOSS_BASE + 4, "axis")
        if x + half + 4 <= left:
            yield words(x, _LOSS_BASE + 18, name, anchor="middle")
            left = x - half


def _crossing_span(found: Row, place: _Shares) -> Iterator[Markup]:
    """Yield the shaded interval of the crossing; an end that is not known lies at the chart's."""
    low, high = needed_span(found)
    if low is None and high is None:
        return
    start, end = _LEFT if low is None else place(low), _RIGHT if high is None else place(high)
    ends = ("?" if end is None else share_words(end) for end in (low, high))
    title = element("title", f"interval of the share that is needed: {' … '.join(ends)}")
    yield element(
        "rect", title, x=start, y=_LOSS_TOP, width=max(end - start, 1.0), height=_LOSS_BASE - _LOSS_TOP, class_="span"
    )


def _fit(shares: Sequence[float], fitted: Values, place: _Shares, up: Scale) -> Iterator[Markup]:
    """Yield the isotonic fit, straight from share to share."""
    known = sorted((share, value) for share, value in zip(shares, fitted, strict=True) if value is not None)
    if known:
        path = "L".join(f"{short(place(share))} {short(up(value))}" for share, value in known)
        yield element("path", d=f"M{path}", class_="fit")


def _loss(
    share: float, loss: float, low: float | None, high: float | None, place: _Shares, up: Scale
) -> Iterator[Markup]:
    interval = "" if low is None or high is None else f" ({number(low)} … {number(high)})"
    title = element("title", f"{share_words(share)} fresh real rows: loss {number(loss)}{interval}")
    if low is not None and high is not None:
        yield line(place(share), up(low), place(share), up(high), "reach")
    yield element("circle", title, cx=place(share), cy=up(loss), r=3.2, class_="point")


def _crossing(found: Row, place: _Shares) -> Iterator[Markup]:
    """Yield the share that is needed, as an upright line with its name above."""
    if not found["found"] or found["share"] is None:
        yield words(_LEFT, _LOSS_TOP - 8, "needed: not found in the grid", class_="needed")
        return
    x, name = place(found["share"]), f"needed {'≤ ' if found['at_most'] else ''}{share_words(found['share'])}"
    yield line(x, _LOSS_TOP - 4, x, _LOSS_BASE, "crossing")
    yield words(_clamped(x, name, _LEFT, _RIGHT), _LOSS_TOP - 8, name, anchor="middle", class_="needed")


def _predicted(found: Row, place: _Shares) -> Iterator[Markup]:
    """Yield the predicted share as a mark at the chart's head, with its name on the side that has room."""
    if found["predicted"] is None:
        return
    x, name = place(found["predicted"]), f"predicted {share_words(found['predicted'])}"
    yield element("path", element("title", name), d=_outline("fall", x, 8, 4.5), class_="predicted")
    fits = x + 10 + SIGN * _TEXT * len(name) <= _RIGHT
    yield words(x + 10 if fits else x - 10, 12, name, anchor=None if fits else "end")


# --- Categories over the generations -----------------------------------------------------------------------------

_NAMES, _CELLS, _SQUARE = 146.0, 310.0, 15.0


class Survival(NamedTuple):
    """A category, its share of the real rows, and the share of chains that show it, by generation from 0."""

    name: str
    share: float
    shown: Values


def survival_map(rows: Sequence[Survival], *, label: str) -> Markup:
    """Return a line of cells for each category, the darker the more chains still show it; at its end the last share.

    Equal neighbours are one cell.
    """
    generations = max(len(row.shown) for row in rows)
    across = Scale(0.0, generations, _NAMES, _CELLS)
    base = _SQUARE * len(rows)
    parts = [mark for place, row in enumerate(rows) for mark in _survival(row, _SQUARE * place, across)]
    for value in generation_ticks(max(generations - 1, 1)):
        if value < generations:
            x = across(value + 0.5)
            parts += [line(x, base, x, base + 4, "axis"), words(x, base + 16, str(value), anchor="middle")]
    parts.append(words((_NAMES + _CELLS) / 2, base + 32, "generation", anchor="middle"))
    parts.append(words(WIDTH - 2, base + 16, "last", anchor="end"))
    return figure(WIDTH, base + 36, label, *parts)


def _survival(row: Survival, y: float, across: Scale) -> Iterator[Markup]:
    name = f"{_tight(row.name, 16)}, {percent(row.share)}"
    full = f"{row.name}, {percent(row.share)} of the real rows"
    yield element("text", element("title", full), name, x=_NAMES - 6, y=y + 11, text_anchor="end", class_="small")
    start = 0
    for shown, run in groupby(row.shown):
        end = start + len([*run])
        if shown is not None:
            yield _run(full, shown, start, end, y, across)
        start = end
    last = row.shown[-1] if row.shown else None
    yield words(WIDTH - 2, y + 11, "–" if last is None else f"{100 * last:.0f} %", anchor="end", class_="small figure")


def _tight(name: str, signs: int) -> str:
    """Return ``column: category`` in about so many signs, at the cost of the column's, which many rows share.

    >>> _tight("native_country: Peru", 16), _tight("native_country: Holand-Netherlands", 16)
    ('native_co…: Peru', 'nat…: Holand-Ne…')
    """
    column, _, category = name.partition(": ")
    category = shortened(category, signs - 6)
    return name if len(name) <= signs else f"{shortened(column, max(4, signs - 2 - len(category)))}: {category}"


def _run(name: str, shown: float, start: int, end: int, y: float, across: Scale) -> Markup:
    """Return one cell of equal neighbours, from generation ``start`` to the one before ``end``."""
    told = f"generation {start}" if end == start + 1 else f"generations {start} to {end - 1}"
    return element(
        "rect",
        element("title", f"{name}: in {100 * shown:.0f} % of the chains, {told}"),
        x=across(start),
        y=y + 0.5,
        width=across(end) - across(start),
        height=_SQUARE - 1.5,
        class_="cell",
        fill_opacity=round(shown, 2),
    )


# --- A column's spread over the generations ----------------------------------------------------------------------

_RIDGE, _NAME, _OPEN, _GAP = 66.0, 18.0, 16.0, 6.0
#: How many times the third highest bar of the real rows the highest may be before bars are cut, and where that is.
_TOWER, _CUT = 4.0, 1.6


def ridge_chart(picture: Row, ridges: Mapping[int, Values], *, label: str) -> Markup:
    """Return one histogram below the other, generation by generation, each before the outline of the first.

    ``picture`` is an entry of the document's ``pictures.densities`` and has an edge at least; ``ridges`` gives by
    generation the shares of its bins. Areas between the edges are shares, the open ends are boxes apart.
    """
    edges = picture["edges"]
    across = Scale(edges[0], edges[-1], 8 + _OPEN + _GAP, WIDTH - 8 - _OPEN - _GAP)
    heights = {generation: _heights(edges, shares) for generation, shares in ridges.items()}
    top = _ceiling([*heights.values()])
    first = next(iter(heights.values()))
    parts = []
    for place, (generation, own) in enumerate(heights.items()):
        base = _RIDGE * (place + 1) - 2
        up = Scale(0.0, top, base, base - _RIDGE + _NAME)
        title = element("title", _ridge_told(picture["labels"], generation, ridges[generation]))
        parts.append(element("path", title, d=_steps(own, edges, across, up), class_="ridge"))
        if place:
            parts.append(element("path", d=_steps(first, edges, across, up), class_="origin"))
        parts += [_cut(x, up.end) for x in _towers(own, edges, across, top)]
        name = "generation 0: the real rows" if generation == 0 else f"generation {generation}"
        parts.append(words(8, base - _RIDGE + 13, name, class_="figure"))
    foot = _RIDGE * len(heights)
    return figure(WIDTH, foot + 20, label, *parts, *_edges(edges, picture["labels"], across, foot))


def _heights(edges: Sequence[float], shares: Values) -> list[float]:
    """Return the bars' heights: shares for each bin of the usual width; the open ends have that width."""
    widths = [high - low for low, high in pairwise(edges)]
    usual = median(widths) if widths else 1.0
    factors = [1.0, *(usual / width if width > 0 else 0.0 for width in widths), 1.0]
    return [(share or 0.0) * factor for share, factor in zip(shares, factors, strict=True)]


def _steps(heights: Sequence[float], edges: Sequence[float], across: Scale, up: Scale) -> str:
    """Return the outline of a histogram: the box of the lower end, the bins between, the box of the upper end."""
    base = short(up(0.0))
    below, *inner, above = (short(up(height)) for height in heights)
    steps = "".join(f"V{y}H{short(across(edge))}" for y, edge in zip(inner, edges[1:], strict=True))
    left, right = across.start - _GAP - _OPEN, across.end + _GAP
    return (
        f"M{short(left)} {base}V{below}h{short(_OPEN)}V{base}z"
        f"M{short(across.start)} {base}{steps}V{base}z"
        f"M{short(right)} {base}V{above}h{short(_OPEN)}V{base}z"
    )


def _ceiling(ridges: Sequence[Sequence[float]]) -> float:
    """Return where the bars end: at the highest, unless a tower of the real rows (all zeros) would flatten the rest."""
    third = [sorted(own, reverse=True)[min(2, len(own) - 1)] for own in ridges]
    towering = third[0] > 0 and max(ridges[0]) > _TOWER * third[0]
    return _CUT * max(third) if towering else max(max(own) for own in ridges) or 1.0


def _towers(heights: Sequence[float], edges: Sequence[float], across: Scale, top: float) -> Iterator[float]:
    """Yield the middles of the bars that are higher than the chart."""
    inner = [(across(low) + across(high)) / 2 for low, high in pairwise(edges)]
    middles = [across.start - _GAP - _OPEN / 2, *inner, across.end + _GAP + _OPEN / 2]
    yield from (x for x, height in zip(middles, heights, strict=True) if height > top)


def _cut(x: float, y: float) -> Markup:
    """Return the gap in a bar that is higher than the chart."""
    return element("path", d=f"M{short(x - 9)} {short(y + 9)}l18 -5", class_="cut")


def _ridge_told(labels: Sequence[str], generation: int, shares: Values) -> str:
    below, above = percent(shares[0] or 0.0), percent(shares[-1] or 0.0)
    most = percent(max(share or 0.0 for share in shares))
    return (
        f"generation {generation}: {below} below {labels[0]}, {above} from {labels[-1]} on; {most} in the fullest bin"
    )


def _edges(edges: Sequence[float], labels: Sequence[str], across: Scale, y: float) -> Iterator[Markup]:
    """Yield the axis with the names of as many edges, equally many apart, as there is room for."""
    yield line(across.start, y - 2, across.end, y - 2, "axis")
    names = [shortened(name, 19) for name in labels]
    middles = [_clamped(across(edge), name, 0.0, WIDTH) for edge, name in zip(edges, names, strict=True)]
    for place in _roomy(middles, [SIGN * _TEXT * len(name) / 2 + 5 for name in names]):
        x = across(edges[place])
        yield line(x, y - 2, x, y + 2, "axis")
        yield words(middles[place], y + 14, names[place], anchor="middle")


def _roomy(middles: Sequence[float], halves: Sequence[float]) -> range:
    """Return every, every second, every third … place, as soon as no two of them touch."""
    steps = (range(0, len(middles), step) for step in range(1, len(middles) + 1))
    return next(
        chosen for chosen in steps if all(middles[a] + halves[a] <= middles[b] - halves[b] for a, b in pairwise(chosen))
    )


# --- From generation to generation in a plane --------------------------------------------------------------------

_PLANE, _PLANE_HEIGHT, _PLANE_BASE, _APART = 560.0, 380.0, 330.0, 16.0


class Way(NamedTuple):
    """An arm's path: generation, place across and place up."""

    name: str
    look: Look
    steps: Sequence[tuple[int, float, float]]


def plane_chart(ways: Sequence[Way], *, label: str, x_name: str, y_name: str) -> Markup:
    """Return the path of each arm, from a ring at its start to the arm's mark at its end, where its name stands."""
    names = [shortened(way.name, 22) for way in ways]
    right = _PLANE - 26 - 14 * SIGN * max(map(len, names))
    across = Scale(*_extent([x for way in ways for _, x, _ in way.steps], []), _LEFT + 6, right)
    up = Scale(*_extent([y for way in ways for _, _, y in way.steps], []), _PLANE_BASE, 26.0)
    values = ticks(across.low, across.high, 6)
    parts = [words(_LEFT, 12, y_name), *_levels(up, _LEFT, right), line(_LEFT, _PLANE_BASE, right, _PLANE_BASE, "axis")]
    for value, name in zip(values, tick_labels(values), strict=True):
        parts.append(line(across(value), _PLANE_BASE, across(value), _PLANE_BASE + 4, "axis"))
        parts.append(words(across(value), _PLANE_BASE + 18, name, anchor="middle"))
    parts.append(words((_LEFT + right) / 2, _PLANE_BASE + 38, x_name, anchor="middle"))
    parts += [mark for way in ways for mark in _way(way, across, up)]
    ends = [(across(way.steps[-1][1]), up(way.steps[-1][2])) for way in ways]
    places = apart([y for _, y in ends], _APART, 26.0, _PLANE_BASE)
    for way, name, (x, y), place in zip(ways, names, ends, places, strict=True):
        parts.append(line(x + 6, y, right + 14, place, "leader"))
        parts.append(words(right + 18, place + 4, name, class_=f"own {way.look.classes}"))
    return figure(_PLANE, _PLANE_HEIGHT, label, *parts, class_="chart large")


def _way(way: Way, across: Scale, up: Scale) -> Iterator[Markup]:
    places = [(generation, across(x), up(y)) for generation, x, y in way.steps]
    path = "L".join(f"{short(x)} {short(y)}" for _, x, y in places)
    yield element("path", d=f"M{path}", class_=f"course {way.look.classes}")
    told = [f"{way.name}, generation {generation}: {number(x)}, {number(y)}" for generation, x, y in way.steps]
    for (_, x, y), title in zip(places[1:-1], told[1:-1], strict=True):
        yield element("circle", element("title", title), cx=x, cy=y, r=2, class_=f"spot {way.look.classes}")
    _, x, y = places[0]
    yield element("circle", element("title", told[0]), cx=x, cy=y, r=4.5, class_=f"ring {way.look.classes}")
    yield sign(way.look, places[-1][1], places[-1][2], told[-1], 5.0)
