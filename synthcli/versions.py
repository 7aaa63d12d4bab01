"""Which versions made an artifact: of Python, of this package, and of the libraries that its numbers depend on.

And which versions of all packages the tests run with, whose list goes into the wheel.
"""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from synthcli import __version__

LIBRARIES = ("numpy", "polars", "scikit-learn", "scipy", "sdv", "rdt", "copulas", "ctgan", "torch")
_TESTED = "constraints.txt"


def versions() -> dict[str, str]:
    """Return the installed versions by name; a library that is not installed is left out. Imports none of them."""
    found = {"python": platform.python_version(), "synthcli": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def pins_file() -> Path | None:
    """Return the list of the tested versions: in a wheel among the modules, in the sources beside the package."""
    package = Path(__file__).resolve().parent
    return next((path for folder in (package, package.parent) if (path := folder / _TESTED).is_file()), None)


def pins() -> dict[str, str]:
    """Return the tested versions by normal name; empty where the list is not there."""
    path = pins_file()
    lines = [] if path is None else path.read_text(encoding="utf-8").splitlines()
    pins = (line.partition("==") for line in lines if not line.startswith("#"))
    return {normal_name(name): pinned.strip() for name, mark, pinned in pins if mark}


def normal_name(name: str) -> str:
    """Return a package's name as all its spellings compare equal.

    >>> normal_name("types_PyYAML")
    'types-pyyaml'
    """
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
