"""pydantic's errors -> lines that say where, which key, what was got and what is expected."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from synthcli.config.document import KeyPath, key_text
from synthcli.config.keys import CANDIDATE, advice
from synthcli.config.layers import Layered, Place, Problem
from synthcli.config.suggest import one_of

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
_SHOWN = 60


def problems(error: ValidationError, layered: Layered) -> list[Problem]:
    """Return one problem per mistake in ``layered``, which ``error`` is about."""
    return [_problem(details, layered) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, layered: Layered) -> Problem:
    about_key = details["type"] in _UNKNOWN_KEY or "[key]" in details["loc"]
    path = _path(layered.data, details["loc"])
    place = _place(path, layered)
    label, dotted = (place.key if about_key else place.value), ".".join(path)
    stated = label if label == f"--set {dotted}" else f"{label}: {dotted}"
    return Problem(place.order, f"{stated}: {_said(details, path, layered.data)}")


def _said(details: ErrorDetails, path: KeyPath, data: dict[Any, Any]) -> str:
    """Return the part of the line that says what is wrong."""
    kind, got, context = details["type"], details["input"], details.get("ctx", {})
    if kind in _UNKNOWN_KEY:
        return f"unknown key; {advice(path, _kind(data, path))}"
    if kind == "missing":
        return "this key is required"
    if kind == "refused":
        return str(context["reason"])
    if kind in {"literal_error", "enum"}:
        options = re.findall(r"'([^']*)'", context["expected"])
        return f"got {_shown(got)}, expected {one_of(got, options)}"
    if kind == "string_type" and isinstance(got, bool | int | float):
        noun = "a key that is text" if "[key]" in details["loc"] else "text"
        return f'got {_shown(got)}, expected {noun}: write it as "{key_text(got)}"'
    return f"got {_shown(got)}, expected {context.get('expected') or _EXPECTED.get(kind) or details['msg']}"


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
