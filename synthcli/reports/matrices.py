"""Tables of shares and of associations as coloured squares: blue the more, and for differences blue and orange.

Depth of colour is opacity, from none to the whole colour, on one scale for all matrices that are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Literal

from synthcli.reports.charts import SIGN, figure, shortened, words
from synthcli.reports.markup import Markup, element, short

Cells = Sequence[Sequence[float]]
#: What a matrix shows: amounts from 0 on, or what one table has more (orange) or less (blue) than the other.
Mode = Literal["amount", "difference"]
#: Steps of a colour in matrices whose squares have no names of their own.
_STEPS = 20


def difference(first: Cells, second: Cells) -> list[list[float]]:
    """Return the first matrix less the second."""
    return [[a - b for a, b in zip(own, other, strict=True)] for own, other in zip(first, second, strict=True)]


def largest(*matrices: Cells) -> float:
    """Return the largest absolute value of all cells, 0 without any."""
    return max((abs(value) for cells in matrices for row in cells for value in row), default=0.0)


# --- Two columns -------------------------------------------------------------------------------------------------

_WIDTH, _LETTER, _SIGNS = 330.0, 10.0, 15


def heat_map(
    rows: Sequence[str], columns: Sequence[str], cells: Cells, *, label: str, most: float, mode: Mode = "amount"
) -> Markup:
    """Return shares of rows by the bins of two columns; ``most`` is the value of the deepest colour.

    Every square names its bins and its share. ``rows`` run down, ``columns`` from left to right.
    """
    down, across = ([shortened(name, _SIGNS) for name in names] for names in (rows, columns))
    left, foot = _room(down), _room(across)
    width = (_WIDTH - left - 2) / max(len(across), 1)
    height = min(max(width, 16.0), 24.0)
    squares = (
        element(
            "rect",
            element("title", f"{shortened(rows[i], 60)} × {shortened(columns[j], 60)}: {_signed(cells[i][j], mode)}"),
            x=left + j * width,
            y=i * height,
            width=width - 1,
            height=height - 1,
            **_colour(cells[i][j], most, mode),
        )
        for i, j in product(range(len(rows)), range(len(columns)))
    )
    base = len(rows) * height
    return figure(
        _WIDTH,
        base + foot + 4,
        label,
        *squares,
        *(words(left - 5, (i + 0.5) * height + 3.5, name, anchor="end", class_="small") for i, name in enumerate(down)),
        *_hanging(across, left, width, base + 5, "small"),
        class_="chart heat",
    )


def _room(names: Sequence[str]) -> float:
    return max(map(len, names), default=0) * _LETTER * SIGN + 8


def _hanging(names: Sequence[str], left: float, width: float, y: float, class_: str) -> Iterator[Markup]:
    """Yield names below their columns, each turned to end at the top."""
    for place, name in enumerate(names):
        x = left + (place + 0.5) * width + 3
        yield words(x, y, name, anchor="end", class_=class_, transform=f"rotate(-90 {short(x)} {short(y)})")


def _colour(value: float, most: float, mode: Mode) -> dict[str, str | float]:
    """Return the class and the depth of a square."""
    depth = min(abs(value) / most, 1.0) if most > 0 else 0.0
    return {"class_": "cell more" if mode == "difference" and value > 0 else "cell", "fill_opacity": round(depth, 2)}


def _signed(value: float, mode: Mode) -> str:
    return f"{100 * value:+.2f} points" if mode == "difference" else f"{100 * value:.2f} % of rows"


# --- All columns -------------------------------------------------------------------------------------------------


def dependence_matrix(
    names: Sequence[str], cells: Cells, *, label: str, most: float = 1.0, mode: Mode = "amount"
) -> Markup:
    """Return associations in [0, 1], or their differences, of all pairs of columns; small, so squares have no names.

    ``most`` is the value of the deepest colour. The width grows with the number of columns: a page lets it scroll in a
    box of its own.
    """
    count = max(len(names), 1)
    size = min(max(420.0 / count, 9.0), 56.0)
    letter = min(size, 11.0)
    signs = 16
    shown = [shortened(name, signs) for name in names]
    room = max(map(len, shown), default=0) * letter * SIGN + 8
    width = room + size * count
    style = f"font-size:{short(letter)}px"
    return figure(
        width,
        size * count + room + 4,
        label,
        *_painted(cells, room, size, most, mode),
        element(
            "g",
            *(words(room - 4, (i + 0.5) * size + letter * 0.35, name, anchor="end") for i, name in enumerate(shown)),
            *_hanging(shown, room, size, size * count + 4, ""),
            style=style,
        ),
        class_=f"chart matrix{' wide' if count > 24 else ''}",
    )


def _painted(cells: Cells, left: float, size: float, most: float, mode: Mode) -> Iterator[Markup]:
    """Yield one path for all squares of the same colour: a table of 60 columns has 3,600 squares."""
    square = short(size - 0.5)
    places: dict[int, list[str]] = {}
    for i, row in enumerate(cells):
        for j, value in enumerate(row):
            step = round(_STEPS * max(-1.0, min(value / most, 1.0))) if most > 0 else 0
            places.setdefault(step, []).append(
                f"M{short(left + j * size)} {short(i * size)}h{square}v{square}h-{square}z"
            )
    for step in sorted(places):
        colour = _colour(step / _STEPS, 1.0, mode)
        yield element("path", d="".join(places[step]), **colour)
