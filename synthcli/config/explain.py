"""pydantic's errors -> lines that say where, which key, what was got and what is expected."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from synthcli.config.document import KeyPath, key_text
from synthcli.config.generators import KINDS
from synthcli.config.keys import CANDIDATE, advice, known_at
from synthcli.config.layers import Layered, Place, Problem
from synthcli.config.suggest import nearest, one_of

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list, e.g. [a, b]",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "too_short": "a list with at least one entry",
}
_UNKNOWN_KEY = {"extra_forbidden", "invalid_key"}
#: Text that is text in a list too, of one entry or of several.
_PLAIN = re.compile(r"[^\W\d][\w .,-]*")
_SHOWN = 60
_YES_NO = dict.fromkeys(("yes", "y", "on", "1"), "true") | dict.fromkeys(("no", "n", "off", "0"), "false")


def problems(error: ValidationError, layered: Layered) -> list[Problem]:
    """Return one problem per mistake in ``layered``, which ``error`` is about."""
    return [_problem(details, layered) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, layered: Layered) -> Problem:
    about_key = details["type"] in _UNKNOWN_KEY or "[key]" in details["loc"]
    path = _path(layered.data, details["loc"])
    place = _place(path, layered)
    label, dotted = (place.key if about_key else place.value), ".".join(path)
    stated = label if label == f"--set {dotted}" else f"{label}: {dotted}"
    if details["type"] in _UNKNOWN_KEY:
        known, hint = advice(path, _kind(layered.data, path), whole=place.order[0] > 0)
        return Problem(place.order, f"{stated}: unknown key; {known}", hint)
    return Problem(place.order, f"{stated}: {_said(details)}", _remedy(details, path, place))


def _said(details: ErrorDetails) -> str:
    """Return the part of the line that says what is wrong with a value."""
    kind, got, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "missing":
        return "this key is required"
    if kind == "refused":
        return str(context["reason"])
    if kind in {"literal_error", "enum"}:
        return f"got {_shown(got)}, expected {one_of(got, _options(details))}"
    if kind == "string_type" and isinstance(got, bool | int | float):
        noun = "a key that is text" if "[key]" in details["loc"] else "text"
        return f'got {_shown(got)}, expected {noun}: write it as "{key_text(got)}"'
    return f"got {_shown(got)}, expected {_expected(details)}"


def _expected(details: ErrorDetails) -> str:
    told = details.get("ctx", {}).get("expected")
    return str(told or _EXPECTED.get(details["type"]) or details["msg"])


def _options(details: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", details.get("ctx", {})["expected"])


def _remedy(details: ErrorDetails, path: KeyPath, place: Place) -> str:
    """Return what to write where the value was given; nothing where values contradict each other."""
    kind, dotted, layer = details["type"], ".".join(path), place.order[0]
    if kind in {"missing", "refused"}:
        return f"add {dotted}" if kind == "missing" else ""
    within = layer > 0 and path[-1].isdigit()  # of a list that was given as one value
    meant = None if within else _meant(details, path)
    if meant is not None:
        return f"write {_written(dotted, meant, place)}"
    if kind in {"model_type", "dict_type"} and (keys := known_at(path)):
        return f"write the keys of {dotted} indented under it, e.g. {keys[0]}"
    return f"set {dotted} to {_expected(details)}"


def _written(dotted: str, value: str, place: Place) -> str:
    """Return the value with its key, as it is written where the wrong one stands: in the file, or for a shell."""
    match place.order[0]:
        case 0:
            return f"{dotted}: {value}"
        case 1:
            return f"{place.key}={shlex.quote(value)}"
        case 2:
            return f"--set {shlex.quote(f'{dotted}={value}')}"
        case _:
            return f"{place.key} {value}"


def _meant(details: ErrorDetails, path: KeyPath) -> str | None:
    """Return what a wrong value probably stands for: 20% for 0.2, yes for true, a name that is nearly right.

    One entry stands for a list of it, and a kind of generator for the section that names it.
    """
    kind, got = details["type"], details["input"]
    if kind == "list_type" and isinstance(got, str) and _PLAIN.fullmatch(got) and not known_at((*path, "0")):
        return f"[{got}]"
    if kind == "model_type" and isinstance(got, str) and path[-1] == "synthesizer" and (near := nearest(got, KINDS)):
        return f"{{kind: {near}}}"
    if kind in {"literal_error", "enum"}:
        return nearest(got, _options(details))
    if kind == "bool_type":
        return _YES_NO.get(key_text(got).lower())
    if kind == "string_type" and isinstance(got, bool | int | float):
        return f'"{key_text(got)}"'
    said = re.search("did you mean '([^']+)'", _expected(details))
    return said[1] if said else number_meant(got, _expected(details))


def number_meant(got: object, expected: str) -> str | None:
    """Return the number that a text or a percentage means where ``expected`` asks for one, as it is to be written.

    >>> number_meant("20%", "a share"), number_meant(20, "a share"), number_meant("1e6", "a whole number")
    ('0.2', '0.2', '1000000')
    """
    share = "share" in expected or "probability" in expected
    if isinstance(got, bool) or not (share or "number" in expected):
        return None
    text = re.sub(r"(?<=\d),(?=\d)", ".", str(got).replace("_", "").replace(" ", ""))
    found = re.fullmatch(r"\+?(\d*\.?\d+(?:[eE][+-]?\d+)?)(%?)", text)
    if found is None:
        return None
    number = float(found[1]) / (100 if found[2] or (share and 1 < float(found[1]) <= 100) else 1)
    whole = "whole" in expected
    if not number or (share and number > 1) or (whole and not number.is_integer()) or (number == got and not whole):
        return None
    return f"{number:.0f}" if number.is_integer() else f"{number:.10g}"


def _path(data: Any, location: Sequence[int | str]) -> KeyPath:
    """Return pydantic's ``location`` as keys are written; it spells a key true as 1, for one."""
    path: KeyPath = ()
    for part in location:
        if part == "[key]":
            break
        if isinstance(data, dict):
            key = next((known for known in data if known == part or str(known) == part), part)
            path, data = (*path, key_text(key)), data.get(key)
        else:
            path, data = (*path, str(part)), data[part] if _holds(data, part) else None
    return path


def _holds(data: Any, index: int | str) -> bool:
    return isinstance(data, list) and isinstance(index, int) and index < len(data)


def _place(path: KeyPath, layered: Layered) -> Place:
    """Return the place of ``path`` or, for a key that is missing, of what it is missing from."""
    return next(layered.places[path[:n]] for n in range(len(path), -1, -1) if path[:n] in layered.places)


def _kind(data: dict[Any, Any], path: KeyPath) -> object:
    """Return the kind of generator that ``path`` is about: a candidate's own, else the section's."""
    section = data.get("synthesizer")
    if path[:2] == CANDIDATE and len(path) > len(CANDIDATE) + 1:
        section = section["candidates"][int(path[2])] if isinstance(section, dict) else None
    return section.get("kind") if isinstance(section, dict) else None


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
