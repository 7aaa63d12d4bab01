"""A configuration as plain data to be shown or kept: what was stated, every value in force, or what a record has of it.

All are configurations again. What is shown means the same files from wherever it is saved: paths are absolute.
Passwords and queries of URLs are left out, wherever they stand.
"""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

from synthcli.config.load import Resolved, absolute_in, leaves, with_paths
from synthcli.config.models import Config, as_plain
from synthcli.remote import shown


def in_force(resolved: Resolved) -> dict[str, Any]:
    """Return every value of the configuration, defaults too."""
    return _tellable(as_plain(resolved.config))


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


def as_stored(config: Config) -> dict[str, Any]:
    """Return the configuration as reports, manifests and records keep it, which people hand on.

    Of the commands that follow a promotion it has the programs alone: their arguments may be secret.
    """
    plain = as_plain(config)
    programs = [shlex.split(line)[0] for line in config.refresh.after_promotion]
    return without_secrets({**plain, "refresh": {**plain["refresh"], "after_promotion": programs}})


def without_secrets(plain: dict[str, Any]) -> dict[str, Any]:
    """Return plain data with every URL in it as it may be shown."""
    return {key: _bare(value) for key, value in plain.items()}


def _tellable(plain: dict[str, Any]) -> dict[str, Any]:
    return without_secrets(with_paths(plain, partial(absolute_in, Path())))


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return without_secrets(value)
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return shown(value) if isinstance(value, str) else value
