"""Charts as inline SVG: numbers in, markup out. Lines, ranges, and the frame and scales that all charts share.

Colours are classes of the page's style sheet (``train``, ``holdout``, ``synthetic`` …), so that one chart serves light
and dark pages and paper. Every chart says in words what it shows, and its marks name their values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import Any

from synthcli.reports.markup import Markup, element, short
from synthcli.reports.words import number

#: How wide a sign of a chart's small text is, about, in units of the text's size.
SIGN = 0.58


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map of values from ``low`` to ``high`` to places on a chart from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of ``value``; values beyond the ends stay at the ends."""
        if self.high <= self.low:
            return self.start
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round values from ``low`` to ``high``, ``most`` at most, equally far from each other.

    >>> ticks(0, 97, 5)
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    if not (isfinite(high - low) and high > low):
        return [low]
    power = 10.0 ** floor(log10((high - low) / most))
    steps = (factor * power for factor in (1, 2, 2.5, 5, 10, 20))
    step = next(step for step in steps if floor(high / step + 1e-9) - ceil(low / step - 1e-9) < most)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def tick_labels(values: Sequence[float]) -> list[str]:
    """Return the values with as many decimals as tell them apart, large ones in thousands, millions or billions.

    >>> tick_labels([0.0, 2.5, 5.0]), tick_labels([0.0, 200000.0])
    (['0', '2.5', '5'], ['0', '200k'])
    """
    labels = _brief(values)
    return labels if len({*labels}) == len(values) else [f"{value:,.15g}" for value in values]


def _brief(values: Sequence[float]) -> list[str]:
    largest = max(map(abs, values), default=0.0)
    if largest >= 1e15 or 0 < largest < 1e-4:
        return [f"{value:.3g}" for value in values]
    units = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
    size, sign = next(((s, name) for s, name in units if largest >= s and largest >= 1e5), (1.0, ""))
    form = ",.6f" if largest >= 1e4 else ".6f"
    return [f"{value / size:{form}}".rstrip("0").rstrip(".") + (sign if value else "") for value in values]


def percent(share: float) -> str:
    """Return a share of rows in percent; one that would read as none says that it is less.

    >>> percent(0.1234), percent(0.00001), percent(0.0)
    ('12.3 %', '< 0.1 %', '0 %')
    """
    if share == 0:
        return "0 %"
    return f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %"


def shortened(label: str, signs: int) -> str:
    """Return a label of at most ``signs`` signs."""
    return label if len(label) <= signs else label[: max(signs - 1, 1)] + "…"


def figure(width: float, height: float, label: str, *content: str, class_: str = "chart") -> Markup:
    """Return a chart of its own coordinates that says in words what it shows."""
    box = f"0 0 {short(width)} {short(height)}"
    return element("svg", element("title", label), *content, class_=class_, viewBox=box, role="img", aria_label=label)


def words(
    x: float, y: float, label: str, *, anchor: str | None = None, class_: str | None = None, **more: Any
) -> Markup:
    """Return a label at a place; ``anchor`` is ``middle`` or ``end`` where it does not start there."""
    return element("text", label, x=x, y=y, text_anchor=anchor, class_=class_, **more)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return element("path", d=f"M{short(x1)} {short(y1)}L{short(x2)} {short(y2)}", class_=class_)


def floor_axis(scale: Scale, y: float, marks: Mapping[float, str]) -> Iterator[Markup]:
    """Yield the horizontal axis of a chart with its marks below."""
    yield line(scale.start, y, scale.end, y, "axis")
    for value, label in marks.items():
        yield line(scale(value), y, scale(value), y + 4, "axis")
        yield words(scale(value), y + 16, label, anchor="middle")


# --- One estimate on a line --------------------------------------------------------------------------------------

RANGE_WIDTH, RANGE_HEIGHT = 220, 34
_LEAST_SPAN = 0.02


def range_chart(estimate: Mapping[str, Any]) -> Markup:
    """Return a measured estimate as a line: its interval, its value, and ticks at its reference and its floor.

    Each chart has its own ends, written below it, since 0 to 1 would hide most differences that matter.
    """
    low, high = _ends(estimate)
    scale, y = Scale(low, high, 4, RANGE_WIDTH - 4), 11.0
    told = {"value": "value", "reference": "perfect", "floor": "floor"}
    said = ", ".join(
        f"{name} {number(estimate.get(key))}" for key, name in told.items() if estimate.get(key) is not None
    )
    interval = f"interval {number(estimate['low'])} to {number(estimate['high'])}"
    start, end = scale(estimate["low"]), scale(estimate["high"])
    marks = [
        line(scale.start, y, scale.end, y, "axis"),
        element("rect", x=start - 0.5, y=y - 4, width=max(end - start, 0) + 1, height=8, rx=2, class_="interval"),
        *(_tick(scale(estimate[key]), y, key) for key in ("floor", "reference") if estimate.get(key) is not None),
        element("circle", cx=scale(estimate["value"]), cy=y, r=3.5, class_="value"),
    ]
    first, last = tick_labels([low, high])
    names = [words(2, 31, first), words(RANGE_WIDTH - 2, 31, last, anchor="end")]
    label = f"{estimate['name']}: {said}, {interval}"
    return figure(RANGE_WIDTH, RANGE_HEIGHT, label, *marks, *names, class_="chart range")


def _tick(x: float, y: float, class_: str) -> Markup:
    reach = 9 if class_ == "reference" else 6
    return line(x, y - reach, x, y + reach, class_)


def _ends(estimate: Mapping[str, Any]) -> tuple[float, float]:
    """Return round ends that hold all of an estimate's numbers, within the metric's range."""
    keys = ("value", "low", "high", "reference", "floor")
    shown = [float(estimate[key]) for key in keys if estimate.get(key) is not None]
    low, high = min(shown), max(shown)
    margin = max((high - low) * 0.06, (_LEAST_SPAN - (high - low)) / 2)
    span = high - low + 2 * margin
    power = 10.0 ** floor(log10(span))
    step = power / (5 if span < 2 * power else 2)
    low, high = floor((low - margin) / step) * step, ceil((high + margin) / step) * step
    lowest, highest = estimate.get("range") or (None, None)
    low = low if lowest is None or min(shown) < lowest else max(low, lowest)
    high = high if highest is None or max(shown) > highest else min(high, highest)
    return low, high


# --- Curves ------------------------------------------------------------------------------------------------------

_CURVE_WIDTH, _CURVE_HEIGHT = 440, 300


def curve_chart(
    curves: Mapping[str, Mapping[str, Any]], *, label: str, x_name: str, y_name: str, diagonal: bool = False
) -> Markup:
    """Return curves over [0, largest x] × [0, 1]; ``curves`` gives by class of the style sheet a curve's x and y.

    ``diagonal`` draws the line of guessing.
    """
    largest = max((max(curve["x"], default=0.0) for curve in curves.values()), default=0.0) or 1.0
    across = Scale(0.0, largest, 40, _CURVE_WIDTH - 12)
    up = Scale(0.0, 1.0, _CURVE_HEIGHT - 46, 12)
    values = ticks(0.0, largest, 6)
    parts: list[Markup] = []
    for value, name in zip((0.0, 0.25, 0.5, 0.75, 1.0), ("0", ".25", ".5", ".75", "1"), strict=True):
        parts += [line(across.start, up(value), across.end, up(value), "grid")]
        parts += [words(across.start - 7, up(value) + 4, name, anchor="end")]
    if diagonal:
        parts.append(line(across(0), up(0), across(largest), up(1), "guess"))
    parts += floor_axis(across, up(0), dict(zip(values, tick_labels(values), strict=True)))
    parts += [element("path", d=_polyline(curve, across, up), class_=f"line {name}") for name, curve in curves.items()]
    parts.append(words((across.start + across.end) / 2, _CURVE_HEIGHT - 8, x_name, anchor="middle"))
    parts.append(words(across.start + 5, 9, y_name))
    return figure(_CURVE_WIDTH, _CURVE_HEIGHT, label, *parts)


def _polyline(curve: Mapping[str, Any], across: Scale, up: Scale) -> str:
    """Return the path of a curve, without points that fall on the one before."""
    places = dict.fromkeys(f"{across(x):.1f} {up(y):.1f}" for x, y in zip(curve["x"], curve["y"], strict=True))
    return "M" + "L".join(places) if places else ""
