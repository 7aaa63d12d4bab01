"""The generators by name, and how a name becomes a class.

``KINDS`` is the whole list: a generator exists if it stands here. Its module is imported when its name is asked for and
not before, since some of them bring a library along that takes seconds to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from synthcli.config.suggest import nearest
from synthcli.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from synthcli.synthesizers.protocol import Distributed, Filling, Synthesizer

#: The name in a configuration -> where the class is that conforms to ``protocol.Synthesizer``.
KINDS: dict[str, str] = {
    "gaussian_copula": "synthcli.synthesizers.sdv:GaussianCopula",
    "ctgan": "synthcli.synthesizers.sdv:CTGAN",
    "tvae": "synthcli.synthesizers.sdv:TVAE",
    "copula_gan": "synthcli.synthesizers.sdv:CopulaGAN",
    "forest": "synthcli.synthesizers.forest:Forest",
    "bootstrap": "synthcli.synthesizers.baselines:Bootstrap",
    "independent": "synthcli.synthesizers.baselines:Independent",
}


def synthesizer_class(kind: str) -> type[Synthesizer]:
    """Return the class of ``kind``, importing its module.

    Raises ``ConfigError`` for a name not in ``KINDS``, and ``EngineError`` where a library that it needs is missing.
    """
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        raise ConfigError(
            f"synthesizer.kind: {kind!r} is no known synthesizer; known are {', '.join(sorted(KINDS))}",
            f"did you mean {near!r}?" if near is not None else "set synthesizer.kind to one of these",
        )
    module, _, name = KINDS[kind].partition(":")
    try:
        return cast("type[Synthesizer]", getattr(import_module(module), name))
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the kind {kind} needs {error.name}, which is not installed",
            "install synthcli with all that it requires, or name a kind of its own: --synthesizer forest",
        ) from error


def filling_class(kind: str) -> type[Filling] | None:
    """Return the class of ``kind`` where it has a way of its own to fill holes, else ``None``."""
    found = synthesizer_class(kind)
    return cast("type[Filling]", found) if hasattr(found, "fill") else None


def distributed_class(kind: str) -> type[Distributed] | None:
    """Return the class of ``kind`` where its fit is many tasks, else ``None``."""
    found = synthesizer_class(kind)
    return cast("type[Distributed]", found) if hasattr(found, "fit_by") else None
