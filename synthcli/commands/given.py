"""The table behind ``sample --given``: any of the generator's columns, with cells to be filled, read in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from synthcli.commands.conditions import Chunk
from synthcli.commands.inputs import open_file
from synthcli.commands.running import Run
from synthcli.config import Config, Format
from synthcli.config.suggest import suggestion
from synthcli.errors import BadTableError
from synthcli.schema import Schema
from synthcli.tables import ReadOptions
from synthcli.tables.columnar import open_parquet
from synthcli.tables.files import Part, resolve
from synthcli.tables.footer import MAGIC
from synthcli.tables.text import open_text
from synthcli.tables.write import as_written


def open_given(
    run: Run, settings: Config, schema: Schema, given: str, format: Format, size: int
) -> tuple[int, Iterator[Chunk]]:
    """Return how many rows the table ``given`` has, and its rows in order, ``size`` at a time.

    Raises ``BadTableError`` for columns that are none of the schema's and, as the rows are read, for a cell that the
    output's format would change.
    """
    parts = resolve(given)
    names = _names(parts[0], settings)
    _check_names(names, schema, given)
    # What the configuration says of columns is in the generator's schema; the table may lack any of them.
    silent: dict[str, Any] = {"columns": {}, "primary_key": None, "target": None, "time": None, "exclude_features": []}
    plain = settings.model_copy(update={"data": settings.data.model_copy(update=silent)})
    source = open_file(parts, plain, run.log, schema.select(names))
    rows = int(source.lazy.select(pl.len()).collect().item())
    return rows, _chunks(source.batches(size), schema, format, given, size)


def _names(part: Part, settings: Config) -> list[str]:
    """Return the columns of a file that may lack some, whose schema is therefore not known yet."""
    with part.path.open("rb") as file:
        parquet = file.read(len(MAGIC)) == MAGIC
    if parquet:
        return open_parquet(part.path, part.name).lazy.collect_schema().names()
    data = settings.data
    options = ReadOptions(encoding=data.encoding, delimiter=data.delimiter, quote=data.quote)
    return list(open_text(part.path, part.name, options).names)


def _check_names(names: list[str], schema: Schema, given: str) -> None:
    """Raise ``BadTableError`` for columns that are none of the schema's; where none is, a header may be missing."""
    unknown = [name for name in names if name not in schema]
    if not unknown:
        return
    if len(unknown) == len(names):
        raise BadTableError(
            f"{given}: none of its {len(names):,} columns is one of the generator's",
            f"{suggestion(names[0], schema.names)} A header may be missing",
        )
    listed = ", ".join(repr(name) for name in unknown[:5]) + (" …" if len(unknown) > 5 else "")
    raise BadTableError(
        f"{given}: {len(unknown):,} of its {len(names):,} columns are unknown to the generator: {listed}",
        f"leave out what it did not learn from; {suggestion(unknown[0], schema.names)}",
    )


def _chunks(batches: Iterator[pl.DataFrame], schema: Schema, format: Format, given: str, size: int) -> Iterator[Chunk]:
    """Yield the rows of a table as chunks of ``size`` rows, whatever the sizes in which they are read."""
    start = 0
    for number, batch in enumerate(_rechunked(batches, size)):
        _check_form(batch, schema, format, given)
        yield Chunk(number, start, batch.height, batch)
        start += batch.height


def _rechunked(batches: Iterator[pl.DataFrame], size: int) -> Iterator[pl.DataFrame]:
    """Yield the same rows ``size`` at a time: how a reader cuts a table must not decide which cells are drawn."""
    held: list[pl.DataFrame] = []
    for batch in batches:
        table = pl.concat([*held, batch])
        whole = table.height - table.height % size
        yield from (table[start : start + size] for start in range(0, whole, size))
        held = [table[whole:]] if whole < table.height else []
    yield from held


def _check_form(batch: pl.DataFrame, schema: Schema, format: Format, given: str) -> None:
    """Raise ``BadTableError`` for a given cell that the output would change, such as a number with more digits."""
    written = as_written(batch, schema.select(batch.columns), format)
    for name in batch.columns:
        changed = int(batch[name].ne_missing(written[name]).sum())
        if changed:
            raise BadTableError(
                f"{given}, column {name!r}: cells finer than the column is written as {format}: {changed:,}",
                "round them, or write Parquet (--format parquet), which holds them as they are",
            )
