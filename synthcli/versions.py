"""Which versions made an artifact: of Python, of this package, and of the libraries that its numbers depend on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from synthcli import __version__

LIBRARIES = ("numpy", "polars", "scikit-learn", "scipy", "sdv", "rdt", "copulas", "ctgan", "torch")


def versions() -> dict[str, str]:
    """Return the installed versions by name; a library that is not installed is left out. Imports none of them."""
    found = {"python": platform.python_version(), "synthcli": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
