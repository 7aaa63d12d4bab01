"""HTML and SVG as values: a text is escaped where it enters a tree, so no caller can forget it.

Names of columns and categories come from tables of anyone. Only ``element`` and ``fragment`` make ``Markup``, and they
take everything else for text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

#: Characters that no page can hold, and those that turn the direction of the text around them.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Return ``value`` as markup that shows it, whatever it holds; control characters are shown as ``\ufffd``.

    >>> text('<b>"')
    '&lt;b&gt;&quot;'
    """
    return value if isinstance(value, Markup) else Markup(escape(_UNFIT.sub("\ufffd", value)))


def fragment(parts: Iterable[str]) -> Markup:
    """Return the parts one after the other."""
    return Markup("".join(map(text, parts)))


def element(tag: str, *content: str, **attributes: str | float | None) -> Markup:
    """Return an element; ``class_`` is written ``class``, ``stroke_width`` is ``stroke-width``, ``None`` is left out.

    >>> element("td", "a < b", class_="name", colspan=2)
    '<td class="name" colspan="2">a &lt; b</td>'
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items() if value is not None)
    if tag in ("meta", "rect", "path", "line", "circle") and not content:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{fragment(content)}</{tag}>")


def _attribute(name: str, value: str | float) -> str:
    shown = text(value) if isinstance(value, str) else short(value)
    return f' {name.rstrip("_").replace("_", "-")}="{shown}"'


def short(value: float) -> str:
    """Return a number with two decimals at most, and no more signs than it needs.

    >>> [short(number) for number in (12, 0.5, -0.001, 3.14159)]
    ['12', '0.5', '0', '3.14']
    """
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown
