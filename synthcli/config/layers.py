"""Who says what: single settings from outside a file, laid over the file's content one by one.

Every value keeps the place that it was given at, so that errors and ``synthcli config show`` can name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from synthcli.config.document import Document, KeyPath, key_text, parse_value
from synthcli.config.keys import spelled
from synthcli.errors import ConfigError

PREFIX = "SYNTHCLI_"
_FORM = "expected KEY=VALUE with a dotted key, e.g. split.holdout=0.3"


class Place(NamedTuple):
    """Where a value was given.

    ``origin`` is what the resolved configuration says of it; ``key`` and ``value`` stand in front of messages
    about the one or the other; ``order`` sorts messages: file, environment, ``--set``, flags, and by position
    within.
    """

    origin: str
    key: str
    value: str
    order: tuple[int, int, int]


class Setting(NamedTuple):
    """One value from outside the file, and the key that it is for."""

    path: KeyPath
    value: Any
    place: Place


class Problem(NamedTuple):
    """One line of the message about a configuration that cannot be used; problems sort in reading order."""

    order: tuple[int, int, int]
    line: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Layered:
    """Plain data, and the place of every key, item and value in it."""

    data: dict[Any, Any]
    places: Mapping[KeyPath, Place]


def from_document(document: Document, name: str) -> Layered:
    """Return a file's content with its marks as places; ``name`` is the file as the user gave it."""
    places = {
        path: Place(
            origin=f"{name}:{marks.key.line}:{marks.key.column}",
            key=f"{name}:{marks.key.line}:{marks.key.column}",
            value=f"{name}:{marks.value.line}:{marks.value.column}",
            order=(0, *marks.key),
        )
        for path, marks in document.marks.items()
    }
    return Layered(document.data, places)


def from_variable(name: str, text: str, number: int) -> Setting:
    """Return what the variable ``SYNTHCLI_SPLIT__HOLDOUT=0.3`` sets; raise ``ConfigError`` where it cannot be read."""
    place = Place(name, name, name, (1, number, 0))
    return Setting(spelled(name.removeprefix(PREFIX).split("__")), parse_value(text, name), place)


def from_set(text: str, number: int) -> Setting:
    """Return what ``--set a.b=value`` sets; raise ``ConfigError`` where it cannot be read."""
    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        raise ConfigError(f"--set {text}: {_FORM}", f"write --set {key.strip()}=VALUE" if key.strip(". ") else "")
    label = f"--set {'.'.join(path)}"
    return Setting(path, parse_value(value, label), Place("--set", label, label, (2, number, 0)))


def from_flag(key: str, value: Any, number: int, option: str) -> Setting:
    """Return what a command's own ``option`` sets; paths, enums and tuples become the plain data that files hold."""
    return Setting(tuple(key.split(".")), _plain(value), Place("flag", option, option, (3, number, 0)))


def put(layered: Layered, setting: Setting) -> Layered:
    """Lay ``setting`` over ``layered``: it replaces what stood there, lists and mappings too.

    Raises ``ConfigError`` where a value without keys of its own stands above the setting's key: to replace
    that unasked would hide a mistake in whichever of the two is wrong.
    """
    data = _put(layered.data, setting, 0, layered.places)
    kept = {path: place for path, place in layered.places.items() if path[: len(setting.path)] != setting.path}
    above = {setting.path[:depth]: setting.place for depth in range(len(setting.path))}
    below = {setting.path + path: setting.place for path in _paths(setting.value)}
    return Layered(data, {**above, **kept, **below})


def _put(data: dict[Any, Any], setting: Setting, depth: int, places: Mapping[KeyPath, Place]) -> dict[Any, Any]:
    name = setting.path[depth]
    key = next((known for known in data if key_text(known) == name), name)
    if depth + 1 == len(setting.path):
        return {**data, key: setting.value}
    below = data.get(key)
    if below is not None and not isinstance(below, dict):
        above = setting.path[: depth + 1]
        dotted, place = ".".join(above), places[above].value
        raise ConfigError(
            f"{setting.place.key}: '{dotted}' has no keys to set, since {place} gives it a value of its own"
        )
    return {**data, key: _put(below or {}, setting, depth + 1, places)}


def _paths(value: Any) -> list[KeyPath]:
    """Return the path of ``value`` itself, which is empty, and of everything in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key_text(key), *path) for key, below in items for path in _paths(below))]


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(below) for key, below in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
