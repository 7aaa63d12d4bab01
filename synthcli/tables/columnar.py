"""Parquet: from a path to a lazy table of types that a schema can name, missing cells null.

Categories become text, decimals become floats, NaN becomes null. Nested types, bytes, durations and times of day are
refused with the column's name, since no generator here could make them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from synthcli.errors import BadTableError, no_room
from synthcli.forms import dtype_name
from synthcli.tables.footer import MAGIC
from synthcli.tables.text import check_names

_ADVICE = {
    pl.List: "explode it, keep one column per element, or leave it out",
    pl.Array: "keep one column per element, or leave it out",
    pl.Struct: "unnest it into columns of its own, or leave it out",
    pl.Binary: "leave it out, or store it as text",
    pl.Duration: "store it as a number of seconds",
    pl.Time: "store it as text or as a number of seconds since midnight",
}


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """One checked Parquet file; ``scale`` holds the digits after the point of columns that were decimals."""

    name: str
    path: Path
    lazy: pl.LazyFrame
    rows: int
    scale: dict[str, tuple[int, int]]


def open_parquet(path: Path, name: str) -> ParquetFile:
    """Check a Parquet file and return it; raises ``BadTableError`` where it is damaged or holds no table."""
    _check_ends(path, name)
    with readable(name):
        stored = pl.scan_parquet(path.absolute(), glob=False)  # a worker may have another working directory
        dtypes = stored.collect_schema()
        rows = int(stored.select(pl.len()).collect().item()) if len(dtypes) else 0
    if not rows:
        raise BadTableError(f"{name}: the table has no rows", "give a table with at least one row")
    check_names(dtypes.names(), name)
    lazy = stored.select(_storable(column, dtype, name) for column, dtype in dtypes.items())
    decimals = {column: dtype for column, dtype in dtypes.items() if isinstance(dtype, pl.Decimal)}
    return ParquetFile(name, path, lazy, rows, {column: (d.precision or 38, d.scale) for column, d in decimals.items()})


def together(files: Sequence[ParquetFile]) -> pl.LazyFrame:
    """Return the rows of files with the same columns one after the other.

    Files that store them alike are scanned as one, of which any stretch of rows is read without those before it.
    """
    stored = [pl.scan_parquet(file.path, glob=False).collect_schema() for file in files]
    if any(list(each.items()) != list(stored[0].items()) for each in stored):
        names = files[0].lazy.collect_schema().names()
        return pl.concat([file.lazy.select(names) for file in files])
    scanned = pl.scan_parquet([file.path.absolute() for file in files], glob=False)
    return scanned.select(_storable(column, dtype, files[0].name) for column, dtype in stored[0].items())


@contextmanager
def readable(name: str, onto: Path | None = None) -> Iterator[None]:
    """Turn the engine's errors, which may quote cells, into one ``BadTableError`` that does not.

    Where rows go to a file at once, ``onto`` is its folder, and a lack of room there is an ``OSError`` about that.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        if onto is not None and no_room(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(onto)) from None
        raise BadTableError(
            f"{name}: the file is damaged or changes while it is read", "write the file again"
        ) from None


def readable_batches(batches: Iterator[pl.DataFrame], name: str) -> Iterator[pl.DataFrame]:
    """Pass batches on, the engine's errors as ``BadTableError``."""
    while True:
        with readable(name):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _check_ends(path: Path, name: str) -> None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 4, 0))
        if size < 12 or file.read(4) != MAGIC:
            raise BadTableError(f"{name}: the Parquet file is cut off or damaged", "copy or write the file again")


def _storable(column: str, dtype: pl.DataType, name: str) -> pl.Expr:
    """Return the column with a type that a schema can name."""
    cell = pl.col(column)
    if dtype.is_float():
        wide = cell if dtype_name(dtype) else cell.cast(pl.Float32)
        return wide.fill_nan(None)
    if dtype.is_decimal():
        return cell.cast(pl.Float64)
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Null):
        return cell.cast(pl.String)
    if dtype_name(dtype) is None:
        advice = _ADVICE.get(dtype.base_type(), "store it as a number, text, truth value or date")
        raise BadTableError(f"{name}, column {column!r}: the type {dtype.base_type()} can't be used", advice)
    return cell
