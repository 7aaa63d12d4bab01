"""File, environment, ``--set`` and flags -> one resolved configuration that knows where each value comes from.

The only place where a configuration is put together. Everything wrong with it is said at once, each line with
its place and key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from synthcli.config.document import Document, KeyPath, key_text, read
from synthcli.config.explain import problems
from synthcli.config.generators import DEFAULT_KIND, KINDS
from synthcli.config.keys import settable
from synthcli.config.layers import (
    PREFIX,
    Layered,
    Problem,
    Setting,
    from_document,
    from_flag,
    from_set,
    from_variable,
    put,
)
from synthcli.config.models import Config, as_plain
from synthcli.errors import ConfigError
from synthcli.remote import is_url

#: Keys that hold paths, which a file states relative to itself.
PATH_KEYS = (("data", "path"), ("augment", "given"), ("run", "output_dir"))

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_HINT = "correct the above and run again"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A configuration in force, and how it came about.

    Attributes
    ----------
    origins
        By dotted key, for every key of the configuration: ``flag``, ``--set``, the name of a ``SYNTHCLI_…``
        variable, ``file:line:column`` or ``default``. A list has one origin; so has an empty mapping.
    file
        The file that was read, ``None`` without one.
    set_aside
        By dotted key, the place of parameters in the file that were left out, since they belong to
        another kind of generator than the one chosen outside the file.
    """

    config: Config
    origins: Mapping[str, str]
    file: Path | None
    set_aside: Mapping[str, str]


def load(
    file: Path | None = None,
    sets: Sequence[str] = (),
    environment: Mapping[str, str] = _NOTHING,
    flags: Mapping[str, Any] = _NOTHING,
    options: Mapping[str, str] = _NOTHING,
) -> Resolved:
    """Return the configuration in force: flag over ``--set`` over environment over file over default.

    Parameters
    ----------
    sets
        ``a.b=value`` each, the value in YAML; of two for one key the later counts.
    environment
        The process's variables. ``SYNTHCLI_A__B`` sets ``a.b``; ``SYNTHCLI_`` names without ``__`` are not
        settings, but ``SYNTHCLI_A_B`` is an error, and so is one with ``__`` that names no key.
    flags
        Values of a command's own options by dotted key; ``None`` is an option that was not given.
    options
        What messages call these options, by dotted key: ``--holdout`` for split.holdout.

    Paths in the file are relative to it and come back relative to the working directory, or absolute where
    that is shorter; all others are relative to the working directory as they stand.

    Where the kind of generator is chosen outside the file, parameters in the file that only the file's kind
    has are set aside and noted: they were written for that kind, and one file has to serve ``--synthesizer``
    for a try of another. A key that neither kind knows is still an error, and so is a parameter of the wrong
    kind that was given in the same call as the kind, or in a file that names the kind itself.

    Raises
    ------
    MissingFileError
        There is no ``file``.
    ConfigError
        Anything else that is wrong, all of it in one message of one line each.
    """
    stated = _from_file(file)
    settings, found = _settings(sets, environment, flags, options)
    layered, clashes = _lay(stated, settings)
    layered, set_aside = without_other_kind(layered, stated.data, KINDS)
    config, refused = _validate(layered)
    if config is None or found or clashes:
        lines = {problem.line: problem.hint for problem in sorted([*found, *clashes, *refused])}
        only = next(iter(lines.values())) if len(lines) == 1 else ""
        raise ConfigError("\n".join(lines), only or _HINT)
    return Resolved(config, dict(_origins(config, layered)), file, set_aside)


def without_other_kind(
    layered: Layered, stated: dict[Any, Any], kinds: Mapping[str, type[BaseModel]]
) -> tuple[Layered, dict[str, str]]:
    """Leave out the file's parameters of a generator that was not chosen; return their places by dotted key.

    ``stated`` is the file's own data. Only keys that the file's kind has and the chosen one has not are left
    out.
    """
    section = layered.data.get("synthesizer")
    own = _kind(stated.get("synthesizer"), kinds)
    chosen = _kind(section, kinds)
    if own is None or chosen is None or own is chosen or not isinstance(section, dict):
        return layered, {}
    foreign = own.model_fields.keys() - chosen.model_fields.keys()
    places = {key: layered.places["synthesizer", key] for key in section if key in foreign}
    aside = {f"synthesizer.{key}": place.origin for key, place in places.items() if place.order[0] == 0}
    kept = {key: value for key, value in section.items() if f"synthesizer.{key}" not in aside}
    return Layered({**layered.data, "synthesizer": kept}, layered.places), aside


def relative_to(folder: Path, path: str) -> str:
    """Return ``path``, stated relative to ``folder``, as seen from the working directory.

    Standard input (``-``), absolute paths, URLs and the empty text stay as they are. The folder's links are
    followed first, so that ``..`` means what it means to the system.
    """
    absolute = absolute_in(folder, path)
    return path if absolute == path else min(os.path.relpath(absolute), absolute, key=len)


def absolute_in(folder: Path, path: str) -> str:
    """Return ``path``, stated relative to ``folder``, from the root on; the exceptions are those of `relative_to`."""
    if path in {"", "-"} or os.path.isabs(path) or is_url(path):
        return path
    return os.path.normpath(os.path.join(os.path.realpath(folder), path))


def _from_file(file: Path | None) -> Layered:
    if file is None:
        return Layered({}, {})
    document = read(file)
    data = with_paths(document.data, partial(relative_to, file.parent))
    return from_document(Document(data, document.marks), str(file))


def with_paths(data: dict[Any, Any], moved: Callable[[str], str]) -> dict[Any, Any]:
    """Return a configuration's plain data with every path in it as ``moved`` states it."""
    for section, key in PATH_KEYS:
        if isinstance(data.get(section), dict) and key in data[section]:
            data = {**data, section: {**data[section], key: _moved(data[section][key], moved)}}
    if isinstance(data.get("validate"), dict):
        data = {**data, "validate": {key: _with_reports(value, moved) for key, value in data["validate"].items()}}
    return data


def _with_reports(rules: Any, moved: Callable[[str], str]) -> Any:
    """Move the paths of earlier reports in a list of gates; anything else stays as it is."""
    if not isinstance(rules, list):
        return rules
    key = "max_drop_from"
    return [
        {**rule, key: _moved(rule[key], moved)} if isinstance(rule, dict) and key in rule else rule for rule in rules
    ]


def _moved(value: Any, moved: Callable[[str], str]) -> Any:
    """Apply ``moved`` to a path or to each of a list; anything else is left for the models to refuse."""
    if isinstance(value, list):
        return [_moved(item, moved) for item in value]
    return moved(value) if isinstance(value, str) else value


def _settings(
    sets: Sequence[str], environment: Mapping[str, str], flags: Mapping[str, Any], options: Mapping[str, str]
) -> tuple[list[Setting], list[Problem]]:
    """Return all settings from outside the file, the weakest first, and what is wrong with their form."""
    variables = sorted(name for name in environment if name.startswith(PREFIX) and "__" in name)
    given = [key for key, value in flags.items() if value is not None]
    readers: list[Callable[[], Setting]] = [
        *(partial(from_variable, name, environment[name], n) for n, name in enumerate(variables)),
        *(partial(from_set, text, n) for n, text in enumerate(sets)),
        *(partial(from_flag, key, flags[key], n, options.get(key, "command line")) for n, key in enumerate(given)),
    ]
    settings: list[Setting] = []
    found: list[Problem] = []
    for number, reader in enumerate(readers):
        try:
            settings.append(reader())
        except ConfigError as error:
            found.append(Problem((1, number, 0), error.message, error.hint))
    return settings, [*found, *_with_one_underscore(environment)]


def _with_one_underscore(environment: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with variables that would set a key if they had one underscore more."""
    names = [name for name in environment if name.startswith(PREFIX) and "__" not in name]
    keys = {key.replace(".", "_"): key for key in settable() if key.count(".") == 1} if names else {}
    for number, name in enumerate(sorted(names)):
        key = keys.get(name.removeprefix(PREFIX).lower())
        if key is not None:
            meant = PREFIX + key.replace(".", "__").upper()
            yield Problem((1, number, 1), f"{name}: sets nothing, expected two underscores after the section",
                          f"write {meant}, which sets {key}")  # fmt: skip


def _lay(layered: Layered, settings: Sequence[Setting]) -> tuple[Layered, list[Problem]]:
    clashes = []
    for setting in settings:
        try:
            layered = put(layered, setting)
        except ConfigError as error:
            clashes.append(Problem(setting.place.order, error.message, error.hint))
    return layered, clashes


def _validate(layered: Layered) -> tuple[Config | None, list[Problem]]:
    # A section whose keys are all commented out is null in YAML; it means the defaults.
    sections = {key: value for key, value in layered.data.items() if value is not None or key not in _SECTIONS}
    try:
        return Config.model_validate(sections), []
    except ValidationError as error:
        return None, problems(error, layered)


_SECTIONS = frozenset(field.alias or name for name, field in Config.model_fields.items())


def _kind(section: Any, kinds: Mapping[str, type[BaseModel]]) -> type[BaseModel] | None:
    """Return the model of the kind that ``section`` names; without a section that is the default's."""
    kind = section.get("kind", DEFAULT_KIND) if isinstance(section, dict) else DEFAULT_KIND
    return kinds.get(kind) if isinstance(kind, str) else None


def _origins(config: Config, layered: Layered) -> Iterator[tuple[str, str]]:
    for path, _ in leaves(as_plain(config)):
        place = layered.places.get(path)
        yield ".".join(path), place.origin if place else "default"


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the path and value of everything in plain data that has no keys of its own; lists are whole."""
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, below in value.items():
        yield from leaves(below, (*path, key_text(key)))
