"""Lines of YAML with comments, which a YAML library would drop.

Text that any YAML reader could take for something else is quoted, and so are names inside comments: no line can end
before its time, whatever a column is called.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH = 116
_COMMENT = 32
#: Longest key that YAML takes without a question mark in front.
_LONGEST_KEY = 1_000
#: YAML 1.1 readers take some of these for truth values.
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_PLAIN = re.compile(r"(?:\.{0,2}/)*[^\W\d][\w./-]*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Stands for a space at which no line may break; quoted names never hold it, since it is not printable.
_GLUE = "\xa0"


def scalar(value: Any) -> str:
    """Return a value as YAML on one line.

    >>> scalar(["late", "yes", "1e5", None, 0.2, {"a: b": True}])
    '[late, "yes", "1e5", null, 0.2, {"a: b": true}]'
    """
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _RESERVED
        return value if plain else '"' + "".join(_escaped(sign) for sign in value) + '"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {scalar(below)}" for key, below in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def _escaped(sign: str) -> str:
    if sign in _ESCAPES or sign.isprintable():
        return _ESCAPES.get(sign, sign)
    number = ord(sign)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def printable(text: str) -> str:
    """Return ``text`` fit for a comment: whatever a reader could take for the end of the line is escaped."""
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def entry(key: str, value: Any, comment: str = "", indent: int = 2) -> str:
    """Return the line of a key, with its comment beside it, or above it where the line would grow long."""
    return beside(f"{key_line(key, indent)} {scalar(value)}", comment, indent)


def key_line(key: str, indent: int) -> str:
    """Return a key up to its colon."""
    name, start = scalar(key), " " * indent
    return f"{start}{name}:" if len(name) <= _LONGEST_KEY else f"{start}? {name}\n{start}:"


def beside(line: str, comment: str, indent: int) -> str:
    """Return ``line`` with a comment to its right, or above it where the two would be too long."""
    if not comment:
        return line
    aligned = f"{line:<{_COMMENT}}  # {printable(comment)}"
    return aligned if len(aligned) <= WIDTH else "\n".join([*remark(printable(comment), indent), line])


def remark(text: str, indent: int = 2) -> list[str]:
    """Return a comment of one or more lines; ``text`` is printable."""
    start = " " * indent + "# "
    return wrapped(text, start, start)


def wrapped(text: str, first: str, following: str) -> list[str]:
    """Return lines of printable ``text``, each with its start."""
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=following, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_GLUE, " ") for line in lines]


def joined(items: Iterable[str]) -> str:
    """Return the items with commas between them; no line breaks within one."""
    return ", ".join(item.replace(" ", _GLUE) for item in items)
