"""A resolved configuration as plain data to be shown: what was stated, or every value in force.

Both are configurations again, which mean the same files from wherever they are saved: paths are absolute. Passwords
and queries of URLs are left out, wherever they stand.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from synthcli.config.load import Resolved, absolute_in, leaves, with_paths
from synthcli.remote import shown

#: A word of a command or the whole of a path; quotes end it, since a command may quote a URL.
_WORD = re.compile(r"""[^\s"']+""")


def in_force(resolved: Resolved) -> dict[str, Any]:
    """Return every value of the configuration, defaults too."""
    return _tellable(resolved.config.model_dump(mode="json", by_alias=True))


def stated(resolved: Resolved) -> dict[str, Any]:
    """Return the values that somebody stated: file, environment, ``--set`` or flag."""
    found: dict[str, Any] = {}
    for path, value in leaves(resolved.config.model_dump(mode="json", by_alias=True, exclude_unset=True)):
        if resolved.origins.get(".".join(path), "default") != "default":
            section = found
            for key in path[:-1]:
                section = section.setdefault(key, {})
            section[path[-1]] = value
    return _tellable(found)


def _tellable(plain: dict[str, Any]) -> dict[str, Any]:
    return dict(_without_secrets(with_paths(plain, partial(absolute_in, Path()))))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return _WORD.sub(lambda word: shown(word[0]), value) if isinstance(value, str) else value
