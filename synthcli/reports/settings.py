"""A configuration as YAML for people, each value with where it comes from beside it; a configuration again when saved.

Right at 80 columns as far as names and paths allow: a list that is too long for its line gets a line for each item, and
above any other value that is too long stands its comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from synthcli.reports.yaml_lines import key_line, printable, scalar

_WIDTH = 80
#: Where comments start at the earliest where long file names leave no room.
_NARROWEST = 40


def settings_text(values: Mapping[str, Any], origins: Mapping[str, str]) -> Text:
    """Return ``values`` as YAML.

    Parameters
    ----------
    values
        A configuration's sections, or some of them, as plain data.
    origins
        By dotted key, what the comment says; keys without one have none.
    """
    if not values:
        return Text("{}  # nothing is stated: all values are the defaults")
    comments = {key: f"# {printable(origin)}" for key, origin in origins.items()}
    room = max(_WIDTH - max((len(f"  {comment}") for comment in comments.values()), default=0), _NARROWEST)
    lines = [(line, comments.get(key, "")) for line, key in _lines(values, (), room)]
    column = max((len(line) for line, comment in lines if comment and len(line) <= room), default=0)
    return Text("\n").join(_commented(line, comment, column) for line, comment in lines)


def _commented(line: str, comment: str, column: int) -> Text:
    if not comment:
        return Text(line)
    if len(line) <= column:
        return Text.assemble(f"{line:<{column}}  ", (comment, "dim"))
    return Text.assemble(" " * (len(line) - len(line.lstrip())), (comment, "dim"), f"\n{line}")


def _lines(values: Mapping[str, Any], above: tuple[str, ...], room: int) -> Iterator[tuple[str, str]]:
    """Yield each line with the dotted key whose value starts on it; sections are set apart by an empty line."""
    indent = "  " * len(above)
    for number, (key, value) in enumerate(values.items()):
        path = (*above, key)
        if number and not above:
            yield "", ""
        start, dotted = key_line(key, len(indent)), ".".join(path)
        if isinstance(value, Mapping) and value:
            yield start, ""
            yield from _lines(value, path, room)
            continue
        items = [_plain(item) for item in value] if isinstance(value, list) else []
        whole = f"{start} {scalar(items or value)}"
        if not items or len(whole) <= room:
            yield whole, dotted
            continue
        yield start, dotted
        for item in items:
            yield from ((f"{indent}  {line}", "") for line in _item(item))


def _plain(item: Any) -> Any:
    """Return an item of a list; a null among its keys is the default of each, and says nothing."""
    return {key: below for key, below in item.items() if below is not None} if isinstance(item, Mapping) else item


def _item(item: Any) -> list[str]:
    whole = f"- {scalar(item)}"
    if not isinstance(item, Mapping) or len(whole) <= _WIDTH - 8:
        return [whole]
    kind_first = sorted(item, key=lambda key: key != "kind")
    lines = [f"{scalar(key)}: {scalar(item[key])}" for key in kind_first]
    return [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]
