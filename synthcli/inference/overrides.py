"""What a person says about a table: how its text is written, what means missing, what its columns are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from synthcli.config.suggest import suggestion
from synthcli.errors import ConfigError
from synthcli.schema import Kind

#: Kinds that a column can be only if every value can be read as one.
READABLE_KINDS = frozenset({Kind.NUMERIC, Kind.BOOLEAN, Kind.DATETIME})


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a table is to be read where a person knows better; every ``None`` is found out from the file.

    Attributes
    ----------
    missing
        The tokens that mean a missing cell, in every column; then no others do (an empty number is always missing).
    columns
        Per column ``{"type": kind, "format": strftime}``, as ``data.columns`` of the configuration.
    primary_key
        The column that is kind id whatever it looks like.
    """

    missing: tuple[str, ...] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    decimal_comma: bool | None = None
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    primary_key: str | None = None

    def only(self, names: Iterable[str]) -> ReadOptions:
        """Return the options for the named columns alone."""
        kept = set(names)
        columns = {name: wish for name, wish in self.columns.items() if name in kept}
        return replace(self, columns=columns, primary_key=self.primary_key if self.primary_key in kept else None)


def check_overrides(names: Iterable[str], options: ReadOptions) -> None:
    """Raise ``ConfigError`` where ``data.columns`` or ``data.primary_key`` names a column that is not there."""
    present = list(names)
    named = [(f"data.columns.{name}", name) for name in options.columns]
    named += [("data.primary_key", options.primary_key)] if options.primary_key else []
    for where, name in named:
        if name not in present:
            raise ConfigError(f"{where}: the table has no column {name!r}", suggestion(name, present))


def demanded_kind(name: str, options: ReadOptions) -> tuple[Kind | None, str | None]:
    """Return the kind and the datetime format that a person asked for."""
    wish = options.columns.get(name, {})
    form = wish.get("format")
    kind = wish.get("type") or ("datetime" if form else None)
    try:
        demanded = Kind(kind) if kind else None
    except ValueError:
        hint = suggestion(str(kind), [each.value for each in Kind], "the types")
        raise ConfigError(f"data.columns.{name}.type: {kind!r} is no type of column", hint) from None
    return (Kind.ID if name == options.primary_key else demanded), form
