"""Opening the tables that a command works on: the configuration's words for the reader's options, notes to the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthcli.columns import Table
from synthcli.config import Config
from synthcli.config.suggest import suggestion
from synthcli.errors import ConfigError, UsageError
from synthcli.lineage import content_sha256
from synthcli.progress import Log
from synthcli.schema import Column, Kind, Schema
from synthcli.tables import ReadOptions, Source, open_table
from synthcli.tables.files import Part

#: Cells up to which a table is read as a whole; one takes 8 bytes or so.
CELLS_IN_MEMORY = 10**8


def open_data(settings: Config, log: Log, frozen: Schema | None = None) -> Source:
    """Open the configured real table; ``frozen`` is the schema of an earlier split, which the table must follow.

    What was sniffed or is doubtful is a warning the first time, when somebody is there to say otherwise.
    """
    if settings.data.path is None:
        raise UsageError(
            "DATA: no table named, and data.path is not set", "name it, or a configuration that does: -c FILE"
        )
    return open_file(settings.data.path, settings, log, frozen, tell=log.note if frozen else log.warn)


def open_file(
    where: str | Path | Sequence[str | Path | Part],
    settings: Config,
    log: Log,
    frozen: Schema | None = None,
    tell: Callable[[str], None] | None = None,
) -> Source:
    """Open one table with the configuration's options; ``tell`` (the verbose log) hears what was detected."""
    data = settings.data
    options = ReadOptions(
        missing=tuple(data.missing) if data.missing is not None else None,
        encoding=data.encoding,
        delimiter=data.delimiter,
        quote=data.quote,
        decimal_comma=data.decimal_comma,
        columns={name: override.model_dump(exclude_none=True) for name, override in data.columns.items()},
        primary_key=data.primary_key,
    )
    source = open_table(where, options, schema=frozen)
    for note in source.notes:
        (tell or log.note)(note)
    if frozen is not None:
        source = replace(source, schema=_overridden(source.schema, settings))
    _check_names(settings, source.schema)
    return source


def columns(source: Source) -> Table:
    """Return a table by its columns: in memory where it fits well, else read from disk column by column."""
    rows = source.rows()
    if rows * len(source.schema) <= CELLS_IN_MEMORY:
        return Table(source.read())
    return Table(source.on_disk(), rows, ", ".join(source.names[:3]))


def describe_source(source: Source) -> dict[str, Any]:
    """Return where a table came from and the SHA-256 of its content, as its lineage gives it.

    Standard input is gone when it has been read and has none.
    """
    more = f" and {len(source.names) - 1} more" if len(source.names) > 1 else ""
    return {"path": f"{source.names[0]}{more}", "sha256": content_sha256(source.paths)}


def measurable(schema: Schema) -> Schema:
    """Return the schema by which a table of another maker is read so that it can be measured.

    Whole numbers may come with a fraction: that is a bad value to be measured, and no reason not to read the table.
    """
    return replace(schema, columns=tuple(map(_with_fractions, schema)))


def _with_fractions(column: Column) -> Column:
    whole = column.kind is Kind.NUMERIC and column.dtype.startswith(("Int", "UInt"))
    return replace(column, dtype="Float64", decimals=None) if whole else column


def _check_names(settings: Config, schema: Schema) -> None:
    """Raise ``ConfigError`` for a column that the configuration names and the table lacks."""
    data = settings.data
    named = [("target", data.target), ("time", data.time), ("primary_key", data.primary_key)]
    named += [("exclude_features", name) for name in data.exclude_features]
    for key, name in named:
        if name is not None and name not in schema:
            raise ConfigError(f"data.{key}: the table has no column {name!r}", suggestion(name, schema.names))


def check_target(settings: Config, schema: Schema) -> None:
    """Raise ``ConfigError`` for a target that no model can predict: left alone, it would never be measured."""
    target = settings.data.target
    if target is not None and not schema[target].modelled:
        raise ConfigError(
            f"data.target: {target!r} is of kind {schema[target].kind}, which no model can predict",
            "name another target, or say with data.columns what the column is",
        )


def _overridden(schema: Schema, settings: Config) -> Schema:
    """Return a frozen schema with the kinds that the configuration now asks for, where storage stays the same."""
    wanted = {name: Kind(override.type) for name, override in settings.data.columns.items()}
    if settings.data.primary_key is not None:
        wanted[settings.data.primary_key] = Kind.ID
    return replace(schema, columns=tuple(_with_kind(column, wanted.get(column.name)) for column in schema))


def _with_kind(column: Column, kind: Kind | None) -> Column:
    if kind is None or kind == column.kind:
        return column
    numeric_storage = column.dtype.startswith(("Int", "UInt", "Float"))
    if kind in (Kind.CATEGORICAL, Kind.ID, Kind.TEXT) or (kind is Kind.NUMERIC and numeric_storage):
        return replace(column, kind=kind)
    raise ConfigError(
        f"data.columns.{column.name}.type: the split stores this column as {column.dtype}, got {kind.value!r}",
        "column types are frozen at the first split; start anew in another directory with --out DIR",
    )
