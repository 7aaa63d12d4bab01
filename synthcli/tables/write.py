"""Tables to files, atomically, in the form that the schema says: order, types, digits, dates, tokens, dialect.

Text is always UTF-8, whatever the source's encoding was. A missing cell is written as its column's token without
quotes; a value that is the same text, or empty, is quoted, so that other programs can tell them apart. Spreadsheets
compute what looks like a formula, quoted or not: on demand (``Dialect.escape_formulas``) an apostrophe goes before it.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

import polars as pl

from synthcli.artifacts import atomic_path
from synthcli.errors import BadTableError, UsageError
from synthcli.forms import PLAIN_DTYPES, polars_dtype, reading, writing
from synthcli.schema import Column, Dialect, Kind, Schema, check_columns
from synthcli.tables.sniffing import DELIMITERS

Format = Literal["parquet", "csv", "jsonl"]

#: What a cell begins with that a spreadsheet takes for a formula, alone or when it has trimmed it (OWASP's list).
FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
#: Types whose text never holds a sign of any dialect.
_NEVER_QUOTED = frozenset(name for name in PLAIN_DTYPES if "Int" in name)

_SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


def write_table(
    frame: pl.DataFrame,
    schema: Schema,
    path: Path,
    *,
    format: Format | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write ``frame`` to ``path``, complete or not at all; the format is the suffix's unless given."""
    write_batches([frame], schema, path, format=format, metadata=metadata)


def write_batches(
    batches: Iterable[pl.DataFrame],
    schema: Schema,
    path: Path,
    *,
    format: Format | None = None,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write batches of rows to one file, holding one batch at a time; return how many rows were written.

    ``metadata`` goes into a Parquet file's footer; text has no place for it.
    """
    chosen = format or format_of(path)
    with atomic_path(path) as temporary:
        return write_file(batches, schema, temporary, format=chosen, metadata=metadata)


def write_file(
    batches: Iterable[pl.DataFrame],
    schema: Schema,
    path: Path,
    *,
    format: Format,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write batches of rows to a file that somebody else gives its place; return how many rows were written."""
    with _opened(path, path.suffix == ".gz") as file:
        return write_stream(batches, schema, file, format=format, metadata=metadata)


def write_stream(
    batches: Iterable[pl.DataFrame],
    schema: Schema,
    stream: IO[bytes],
    *,
    format: Format,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write batches of rows to an open stream, such as standard output; return how many rows were written."""
    rows = 0
    with _WRITERS[format](stream, schema, metadata or {}) as write:
        for batch in batches:
            write(_stored(batch, schema))
            rows += batch.height
    return rows


def to_text(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return every cell's text as CSV output writes it, missing cells as their column's token, nothing quoted."""
    stored = _stored(frame, schema)
    comma = schema.dialect.decimal_comma
    return stored.select(writing(column, decimal_comma=comma).fill_null(column.missing) for column in schema)


def as_written(frame: pl.DataFrame, schema: Schema, format: Format) -> pl.DataFrame:
    """Return the values that a reader of the written table gets: text keeps so many digits and no finer instants."""
    stored = _stored(frame, schema)
    if format == "parquet":
        return stored
    rounded = [column for column in schema if polars_dtype(column.dtype).is_float() or column.dtype.startswith("Date")]
    escaped = format == "csv" and schema.dialect.escape_formulas
    texts = [column for column in schema if column.dtype == "String"] if escaped else []
    return stored.with_columns(
        *(reading(column, writing(column)).alias(column.name) for column in rounded),
        *(_escaped(pl.col(column.name)).alias(column.name) for column in texts),
    )


def with_formulas_escaped(schema: Schema, wanted: bool) -> Schema:
    """Return the schema of output in which text that looks like a formula is escaped, or not."""
    return replace(schema, dialect=replace(schema.dialect, escape_formulas=wanted))


def formula_cells(frame: pl.DataFrame, schema: Schema) -> int:
    """Return how many cells of CSV output a spreadsheet would compute; none where they are escaped.

    Numbers are what they are.
    """
    if schema.dialect.escape_formulas:
        return 0
    texts = [writing(column).str.contains(FORMULA).sum() for column in schema if _is_text(column)]
    return int(frame.select(pl.sum_horizontal(texts)).item()) if texts and frame.height else 0


def formula_names(schema: Schema) -> int:
    """Return how many names of columns a spreadsheet would compute; none where they are escaped."""
    if schema.dialect.escape_formulas:
        return 0
    return int(pl.Series(schema.names, dtype=pl.String).str.contains(FORMULA).sum())


def _is_text(column: Column) -> bool:
    return column.dtype in ("String", "Boolean")  # no form of an instant begins so


def _escaped(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(FORMULA)).then(pl.lit("'") + text).otherwise(text)


def format_of(path: Path) -> Format:
    """Return the format that the path's suffix names; raises ``UsageError`` where it names none."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise UsageError(
            f"{path.name}: no format has this suffix", "use .parquet, .csv, .csv.gz or .jsonl, or --format"
        )
    return found


def _stored(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the schema's columns in its order and with its types; whole numbers are rounded to, NaN is null."""
    check_columns(frame, schema, where="the table to write")
    columns = []
    for column in schema:
        series, dtype = frame[column.name], polars_dtype(column.dtype)
        if series.dtype.is_float():
            series = series.round() if dtype.is_integer() else series.fill_nan(None)
        columns.append(_cast(series, dtype))
    return pl.DataFrame(columns)


def _cast(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    try:
        return series.cast(dtype)
    except pl.exceptions.PolarsError:
        raise BadTableError(f"column {series.name!r} can't be stored as {dtype}: it is {series.dtype}") from None


@contextmanager
def _parquet(file: IO[bytes], schema: Schema, metadata: Mapping[str, str]) -> Iterator[Callable[[pl.DataFrame], None]]:
    import pyarrow.parquet as pq

    empty = pl.DataFrame(schema={column.name: polars_dtype(column.dtype) for column in schema})
    arrow = empty.to_arrow().schema.with_metadata(dict(metadata) or None)
    with pq.ParquetWriter(file, arrow, compression="zstd") as writer:
        yield lambda batch: writer.write_table(batch.to_arrow().cast(arrow))


@contextmanager
def _csv(file: IO[bytes], schema: Schema, metadata: Mapping[str, str]) -> Iterator[Callable[[pl.DataFrame], None]]:
    file.write(b"\xef\xbb\xbf" if schema.dialect.bom else b"")
    file.write(_header(schema).encode())
    yield lambda batch: _write_csv(batch, schema, file)


@contextmanager
def _jsonl(file: IO[bytes], schema: Schema, metadata: Mapping[str, str]) -> Iterator[Callable[[pl.DataFrame], None]]:
    yield lambda batch: _write_jsonl(batch, schema, file)


_WRITERS: dict[Format, Any] = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}


@contextmanager
def _opened(path: Path, gz: bool) -> Iterator[IO[bytes]]:
    """Open for writing bytes; a gzip file gets neither name nor time, so that equal tables are equal files."""
    with path.open("wb") as file:
        if not gz:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
            yield packed  # type: ignore[misc]


def _header(schema: Schema) -> str:
    name = Column("name", Kind.CATEGORICAL, "String")
    cells = pl.DataFrame({"name": schema.names}).select(_cell(name, schema.dialect, alone=len(schema) == 1))
    return schema.dialect.delimiter.join(cells.to_series()) + schema.dialect.newline


def _write_csv(batch: pl.DataFrame, schema: Schema, file: IO[bytes]) -> None:
    dialect, alone = schema.dialect, len(schema) == 1
    lines = batch.select(_cell(column, dialect, alone=alone) for column in schema)
    if not dialect.quote:
        _check_plain(lines, dialect)
    buffer = BytesIO()  # polars would write past Python's file object and lose the kind of an error, such as EPIPE
    lines.write_csv(
        buffer,
        include_header=False,
        separator=dialect.delimiter,
        line_terminator=dialect.newline,
        quote_style="never",
    )
    file.write(buffer.getbuffer())


def _cell(column: Column, dialect: Dialect, *, alone: bool) -> pl.Expr:
    """Return a column's cells as they stand in the file, quoted where they need it.

    In a table of one column an empty cell is quoted as well, or it would be a blank line.
    """
    text = writing(column, decimal_comma=dialect.decimal_comma)
    if dialect.escape_formulas and _is_text(column):
        text = _escaped(text)
    if column.dtype not in _NEVER_QUOTED:
        text = _quoted(text, column.missing, dialect, alone=alone)
    missing = 2 * dialect.quote if alone and not column.missing else column.missing
    return text.fill_null(missing).alias(column.name)


def _quoted(text: pl.Expr, missing: str, dialect: Dialect, *, alone: bool) -> pl.Expr:
    """Quote the texts that would else be read as something different: those with a sign of the dialect in them, empty
    ones, the missing token, and such with a space in front.
    """
    if not dialect.quote:
        return text
    signs = [dialect.delimiter, dialect.quote, "\n", "\r", *(DELIMITERS if alone else ())]
    special = text.str.contains_any(signs) | text.str.starts_with(" ") | text.is_in(["", missing])
    doubled = text.str.replace_all(dialect.quote, 2 * dialect.quote, literal=True)
    return pl.when(special).then(pl.concat_str(pl.lit(dialect.quote), doubled, pl.lit(dialect.quote))).otherwise(text)


def _check_plain(lines: pl.DataFrame, dialect: Dialect) -> None:
    """Raise ``BadTableError`` where a cell would have to be quoted and the source has no quotes."""
    for column in lines:
        if column.str.contains_any([dialect.delimiter, "\n", "\r"]).any():
            raise BadTableError(
                f"column {column.name!r}: a value holds a delimiter or a line end, and the source has no quotes",
                "write Parquet, or set data.quote",
            )


def _write_jsonl(batch: pl.DataFrame, schema: Schema, file: IO[bytes]) -> None:
    buffer = BytesIO()
    batch.select(_json_value(column) for column in schema).write_ndjson(buffer)
    file.write(buffer.getvalue())


def _json_value(column: Column) -> pl.Expr:
    """Return what JSON can hold: numbers with the column's digits, truth values, and text for all else."""
    dtype = polars_dtype(column.dtype)
    if dtype.is_float() and column.decimals is not None:
        return pl.col(column.name).round(column.decimals)
    return writing(column) if dtype.is_temporal() else pl.col(column.name)
