"""Which keys exist where: the models read as a tree, for messages and for the names of environment variables."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from synthcli.config.document import KeyPath
from synthcli.config.generators import DEFAULT_KIND, KINDS
from synthcli.config.models import Config
from synthcli.config.suggest import nearest

#: Where the candidates of ``auto`` stand, each with its own kind.
CANDIDATE = ("synthesizer", "candidates")


def known_at(path: KeyPath, kind: object = DEFAULT_KIND) -> list[str]:
    """Return the keys that may stand at ``path``; none where keys are free (column names) or ``path`` is unknown.

    ``kind`` is the kind of generator whose parameters stand under ``synthesizer``, or in a candidate of ``auto``.
    """
    start: list[Any] = [Config]
    if path[:2] == CANDIDATE and len(path) > len(CANDIDATE):
        start, path = [KINDS.get(str(kind), KINDS[DEFAULT_KIND])], path[3:]
    elif path[:1] == ("synthesizer",):
        start, path = [KINDS.get(str(kind), KINDS[DEFAULT_KIND])], path[1:]
    return [key for model in _models(_descend(start, path)) for key in _fields(model)]


def advice(path: KeyPath, kind: object = DEFAULT_KIND, *, whole: bool = False) -> tuple[str, str]:
    """Return what is known of the unknown key at the end of ``path``, and what to do about it.

    ``whole``: the key was written with all that it stands under, as outside a file, and so is the right one.

    A parameter of another kind of generator is told from a slip. A key that exists in another section is named with its
    place, since that is more often a slip of the indentation than a misspelling; else the nearest key beside it, else
    the nearest anywhere, else all that may stand there.
    """
    *above, key = path
    siblings = known_at(tuple(above), kind)
    kinds = [name for name, model in KINDS.items() if key in _fields(model)] if "synthesizer" in above else []
    if kinds:
        return f"only {', '.join(kinds)} have it", f"leave it out, or set {'.'.join(above)}.kind to one that has it"
    elsewhere = places_of(key)
    if elsewhere:
        told = " or ".join(repr(place) for place in elsewhere)
        return f"it belongs at {told}", f"move it to {' or '.join(elsewhere)}"
    beside = nearest(key, siblings)
    guess = ".".join((*above, beside)) if beside and whole else beside or _nearest_anywhere(key)
    if guess:
        return f"did you mean '{guess}'?", f"write {guess} in its place"
    return f"known here: {', '.join(siblings)}", "take one of these, or leave it out"


def places_of(key: str) -> list[str]:
    """Return the dotted keys that end in ``key``, parameters of generators apart.

    >>> places_of("holdout")
    ['split.holdout']
    """
    found = (known for known in _places(Config, ()) if known[-1] == key)
    return [".".join(known) for known in found if "synthesizer" not in known[:-1]]


class Settable(NamedTuple):
    """A key that ``--set`` takes: what it means, and its values where there are few."""

    description: str
    choices: tuple[str, ...]


def settable(model: type[BaseModel] = Config, above: str = "") -> dict[str, Settable]:
    """Return every key that has one place by its dotted name; of generators, the keys of all kinds."""
    found: dict[str, Settable] = {}
    for name, field in model.model_fields.items():
        key = f"{above}{field.alias or name}"
        sections = _models(_members(field.annotation))
        if not sections:
            found[key] = Settable(field.description or "", tuple(_choices(field.annotation)))
        for below, each in (item for section in sections for item in settable(section, f"{key}.").items()):
            earlier = found[below].choices if below in found else ()
            found[below] = each._replace(choices=tuple(dict.fromkeys((*earlier, *each.choices))))
    return found


def spelled(names: list[str]) -> KeyPath:
    """Return the path that ``names`` mean where case carries no meaning: only column names keep theirs.

    >>> spelled(["DATA", "COLUMNS", "TailNum", "TYPE"])
    ('data', 'columns', 'TailNum', 'type')
    """
    path: KeyPath = ()
    for name in names:
        free = any(get_origin(annotation) is dict for annotation in _descend([Config], path))
        path = (*path, name if free else name.lower())
    return path


def _nearest_anywhere(key: str) -> str | None:
    places = {known[-1]: ".".join(known) for known in _places(Config, ())}
    found = nearest(key, places)
    return places[found] if found else None


def _places(model: type[BaseModel], above: KeyPath) -> Iterator[KeyPath]:
    """Yield the path of every key that has one place, which those of columns and of rules have not."""
    for key, annotation in _fields(model).items():
        yield (*above, key)
        for below in _models(_members(annotation)):
            yield from _places(below, (*above, key))


def _descend(annotations: list[Any], path: KeyPath) -> list[Any]:
    for key in path:
        annotations = [below for annotation in annotations for below in _below(annotation, key)]
    return annotations


def _below(annotation: Any, key: str) -> list[Any]:
    """Return the types that may stand under ``key`` of a value of type ``annotation``."""
    if get_origin(annotation) in {dict, list}:
        return _members(get_args(annotation)[-1])
    return [found for model in _models([annotation]) for found in _members(_fields(model).get(key))]


def _members(annotation: Any) -> list[Any]:
    """Return the alternatives of a union, or the type itself; constraints are left out."""
    if isinstance(annotation, type) or get_origin(annotation) in {dict, list}:
        return [annotation]
    if hasattr(annotation, "__metadata__"):
        return _members(annotation.__origin__)
    return [found for member in get_args(annotation) for found in _members(member)]


def _choices(annotation: Any) -> Iterator[str]:
    if annotation is bool:
        yield from ("true", "false")
    elif isinstance(annotation, type):
        yield from (str(member.value) for member in annotation) if issubclass(annotation, Enum) else ()
    elif get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    elif get_origin(annotation) not in {dict, list}:
        alternatives = (annotation.__origin__,) if hasattr(annotation, "__metadata__") else get_args(annotation)
        yield from (choice for each in alternatives for choice in _choices(each))


def _models(annotations: list[Any]) -> list[type[BaseModel]]:
    return [known for known in annotations if isinstance(known, type) and issubclass(known, BaseModel)]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
