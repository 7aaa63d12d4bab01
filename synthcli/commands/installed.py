"""What is installed here, read from the packages' metadata: none is imported, so that a broken one is told too."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from synthcli import __version__
from synthcli.diagnosis import Installation, Package, Requirement, bounds, requirement
from synthcli.versions import normal_name, pins, pins_file

#: Not for users: what the tests need.
_DEVELOPMENT = "dev"
#: Judged by itself: it is needed for some kinds of generators alone, and comes in builds for many devices.
_TORCH = "torch"


def installation() -> Installation:
    """Return synthcli, Python and all packages that are needed, each with its version and the tested one."""
    own, listed, pinned = _distribution("synthcli"), pins_file(), pins()

    def package(name: str, allowed: str = "") -> Package:
        found = _distribution(name)
        return Package(name, None if found is None else found.version, allowed, pinned.get(normal_name(name)))

    needed = list(_requirements("synthcli"))
    direct = [each for each in needed if not each.extra]
    extras: dict[str, list[Package]] = {}
    for each in needed:
        if each.extra and each.extra != _DEVELOPMENT:
            extras.setdefault(each.extra, []).append(package(each.name, each.allowed))
    names = {normal_name(each.name) for each in direct} | {_TORCH}
    others = dict.fromkeys(name for each in direct for name in _below(each.name, set()) if name not in names)
    return Installation(
        code=__version__,
        installed=None if own is None else own.version,
        python=platform.python_version(),
        python_allowed="" if own is None else bounds(own.metadata["Requires-Python"] or ""),
        direct=[package(each.name, each.allowed) for each in direct],
        others=[package(name) for name in others],
        torch=package(_TORCH),
        extras=extras,
        tested_file=None if listed is None else str(listed),
    )


def _below(name: str, seen: set[str]) -> Iterator[str]:
    """Yield the normal names of all packages that ``name`` needs, and that these need."""
    for each in _requirements(name):
        other = normal_name(each.name)
        if not each.extra and other not in seen:
            seen.add(other)
            yield other
            yield from _below(other, seen)


def _requirements(name: str) -> Iterator[Requirement]:
    found = _distribution(name)
    for line in (found.requires if found else None) or ():
        if needed := requirement(line, platform.python_version()):
            yield needed


def _distribution(name: str) -> metadata.Distribution | None:
    """Return an installed package; one whose metadata an interrupted installation left without a version is none."""
    try:
        found = metadata.distribution(name)
        return found if found.version else None
    except (metadata.PackageNotFoundError, KeyError, TypeError):
        return None
