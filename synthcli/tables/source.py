"""An opened table: resolved, checked and typed, not yet in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from synthcli.errors import BadTableError
from synthcli.inference import Inferred, ReadOptions, fit_text, fit_typed, infer_text, infer_typed, typed
from synthcli.inference.detection import Locate, typed_columns
from synthcli.inference.overrides import check_overrides, demanded_kind
from synthcli.schema import Column, Kind, Schema, check_columns
from synthcli.tables.columnar import ParquetFile, open_parquet, readable, readable_batches, together
from synthcli.tables.files import Part, resolve
from synthcli.tables.footer import MAGIC
from synthcli.tables.spool import new_spool
from synthcli.tables.text import TextFile, open_text

_ROW = "synthcli: row"


@dataclass(frozen=True, slots=True)
class Source:
    """A table that can be read: every column typed, missing cells null.

    Attributes
    ----------
    paths
        The files that hold the bytes, in order: those that were named, copies of remote ones; ``-`` for standard input.
    notes
        What was found out about the files, and what is doubtful about columns, a sentence each, without cells.
    columnar
        Whether the files hold each column by itself.
    names
        What messages, reports and lineage call the files: their paths, or the URLs of remote ones.
    """

    paths: tuple[Path, ...]
    lazy: pl.LazyFrame
    schema: Schema
    notes: tuple[str, ...]
    columnar: bool = False
    names: tuple[str, ...] = ()

    def read(self) -> pl.DataFrame:
        """Return the whole table."""
        with readable(_called(self.names)):
            return self.lazy.collect()

    def rows(self) -> int:
        """Count the rows."""
        with readable(_called(self.names)):
            return int(self.lazy.select(pl.len()).collect().item())

    def on_disk(self) -> pl.LazyFrame:
        """Return the table as one whose columns can be read each by itself: Parquet as it is, text as a typed copy."""
        if self.columnar:
            return self.lazy
        copy = new_spool("parquet")
        try:
            self.lazy.sink_parquet(copy, compression="lz4", maintain_order=True)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            raise BadTableError(
                f"{_called(self.names)}: could not be copied to {copy.parent}, which a text file of this size needs: "
                "the folder has no room, or the file is damaged or changes while it is read",
                "make room there, or set TMPDIR to a folder that has room",
            ) from None
        return pl.scan_parquet(copy, glob=False)

    def batches(self, rows: int) -> Iterator[pl.DataFrame]:
        """Yield the table in order, ``rows`` rows at a time, the last batch maybe fewer."""
        batches = self.lazy.collect_batches(chunk_size=rows, maintain_order=True)
        return readable_batches(batches, _called(self.names))


def open_table(
    where: str | Path | Sequence[str | Path | Part],
    options: ReadOptions | None = None,
    *,
    schema: Schema | None = None,
) -> Source:
    """Open the table that ``where`` names: a file, several, a glob, a folder of parts, or ``-`` for standard input.

    Each of them may be a URL.

    Without ``schema`` it is inferred from all rows. With one, columns are read as it says, and columns that it does
    not know come after them, inferred. Raises ``MissingFileError`` or ``BadTableError``; neither shows a cell.
    """
    options = options or ReadOptions()
    parts = resolve(where)
    formats = {_is_parquet(part) for part in parts}
    if len(formats) > 1:
        raise BadTableError(f"{_called(parts)}: some parts are text and some are Parquet", "give parts of one format")
    opened = _open_parquets(parts, options, schema) if formats.pop() else _open_texts(parts, options, schema)
    streamed = [part.name == "standard input" for part in parts]
    return replace(
        opened,
        paths=tuple(Path("-") if stream else part.path for part, stream in zip(parts, streamed, strict=True)),
        names=tuple("-" if stream else part.name for part, stream in zip(parts, streamed, strict=True)),
    )


def _called(parts: Sequence[Part | str]) -> str:
    """Return what messages call the table as a whole."""
    first = parts[0].name if isinstance(parts[0], Part) else parts[0]
    return first if len(parts) == 1 else f"{first} and {len(parts) - 1:,} more"


def _is_parquet(part: Part) -> bool:
    """Tell the format by the file's first bytes; a name that promises Parquet is held to it."""
    try:
        with part.path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC or part.name.lower().endswith((".parquet", ".pq"))
    except OSError as error:
        raise BadTableError(f"{part.name}: the file can't be read: {error.strerror}", "check its permissions") from None


def _open_texts(parts: Sequence[Part], options: ReadOptions, schema: Schema | None) -> Source:
    files = [open_text(part.path, part.name, options) for part in parts]
    for file in files[1:]:
        _check_same_names(files[0].names, file.names, file.name)
    names, where, locate = files[0].names, _called(parts), _line_in(files)
    strings = pl.concat([file.scan().select(names) for file in files])
    with readable(where):
        if schema is None:
            inferred = infer_text(strings, options, files[0].dialect, locate=locate)
        else:
            check_columns(strings, schema, where=where)
            inferred = fit_text(strings, schema, options, locate=locate)
    notes = [f"{where}: {note}" for note in dict.fromkeys(note for file in files for note in file.notes)]
    return Source((), typed(strings, inferred), inferred.schema, (*notes, *_doubts(inferred.schema, schema, options)))


def _open_parquets(parts: Sequence[Part], options: ReadOptions, schema: Schema | None) -> Source:
    files = [open_parquet(part.path, part.name) for part in parts]
    for file in files[1:]:
        _check_same_types(files[0], file)
    where, locate = _called(parts), _row_in(files)
    frame = together(files)
    with readable(where):
        if schema is not None:
            check_columns(frame, schema, where=where)
            frame, inferred = fit_typed(frame, schema, options, where=where, locate=locate)
        else:
            frame, inferred = _infer_stored(frame, options, where, locate)
    found = _with_scale(inferred.schema, files[0].scale if schema is None else {})
    return Source((), frame, found, tuple(_doubts(found, schema, options)), columnar=True)


def _check_same_names(first: Sequence[str], names: Sequence[str], name: str) -> None:
    """Raise ``BadTableError`` unless a further part has the first one's columns, in whatever order.

    Only names of the first part are shown: where a part has no header, its names are cells.
    """
    absent = [column for column in first if column not in names]
    more = len(set(names) - set(first))
    if absent or more:
        shown = ", ".join(repr(column) for column in absent[:5]) + (" …" if len(absent) > 5 else "")
        lacks = f"lacks {shown}" if absent else "lacks none"
        raise BadTableError(
            f"{name}, line 1: not the columns of the first part: {lacks}, has {more:,} others",
            "all parts of a table have the same columns, each with a header",
        )


def _check_same_types(first: ParquetFile, file: ParquetFile) -> None:
    expected, found = first.lazy.collect_schema(), file.lazy.collect_schema()
    _check_same_names(expected.names(), found.names(), file.name)
    for column, dtype in expected.items():
        if found[column] != dtype:
            raise BadTableError(
                f"{file.name}, column {column!r}: stored as {found[column]}, in the first part as {dtype}",
                "store the column alike in all parts",
            )


def _line_in(files: Sequence[TextFile]) -> Locate:
    def locate(where: pl.Expr) -> str:
        for file in files:
            rows = file.scan().with_row_index(_ROW).filter(where).select(_ROW).head(1).collect()
            if rows.height:
                return f"{file.name}, line {file.line_of(rows.item()):,}"
        return files[0].name

    return locate


def _row_in(files: Sequence[ParquetFile]) -> Locate:
    def locate(where: pl.Expr) -> str:
        for file in files:
            rows = file.lazy.with_row_index(_ROW).filter(where).select(_ROW).head(1).collect()
            if rows.height:
                return f"{file.name}, row {rows.item() + 1:,}"
        return files[0].name

    return locate


def _infer_stored(
    frame: pl.LazyFrame, options: ReadOptions, where: str, locate: Locate
) -> tuple[pl.LazyFrame, Inferred]:
    """Infer a table of stored types; text that a person wants as another type is read as a text file's would be."""
    check_overrides(frame.collect_schema().names(), options)
    parsed = _to_parse(frame, options, where)
    if not parsed:
        return frame, infer_typed(frame, options, where=where)
    texts = frame.with_columns(pl.col(name).cast(pl.String).fill_null("") for name in parsed)
    read = infer_text(texts.select(parsed), options.only(parsed), locate=locate)
    frame = texts.with_columns(typed_columns(read))
    inferred = infer_typed(frame, options, where=where)
    columns = (read.schema[column.name] if column.name in parsed else column for column in inferred.schema)
    return frame, inferred._replace(schema=replace(inferred.schema, columns=tuple(columns)))


def _to_parse(frame: pl.LazyFrame, options: ReadOptions, where: str) -> list[str]:
    """Return the columns whose stored type is not the one that a person asks for, but may be read as it."""
    parsed = []
    for name, dtype in frame.collect_schema().items():
        kind, _ = demanded_kind(name, options)
        fitting = {
            Kind.NUMERIC: dtype.is_numeric(),
            Kind.BOOLEAN: dtype == pl.Boolean,
            Kind.DATETIME: dtype.is_temporal(),
        }
        if kind is None or fitting.get(kind, True):
            continue
        if not (dtype == pl.String or dtype.is_integer()):
            raise BadTableError(f"{where}, column {name!r}: stored as {dtype}, which can't be read as {kind}")
        parsed.append(name)
    return parsed


def _with_scale(schema: Schema, scale: dict[str, tuple[int, int]]) -> Schema:
    """Give columns that were stored as decimals their digits; a float holds 15 of them."""
    columns = (_as_decimals(column, *scale[column.name]) if column.name in scale else column for column in schema)
    return replace(schema, columns=tuple(columns))


def _as_decimals(column: Column, precision: int, digits: int) -> Column:
    doubts = ("is stored as decimals of more than 15 digits; taken as floats",) if precision > 15 else ()
    return replace(column, decimals=digits, least_decimals=digits, doubts=column.doubts + doubts)


def _doubts(schema: Schema, known: Schema | None, options: ReadOptions) -> Iterator[str]:
    """Yield the doubts about columns that neither an earlier schema nor a person has settled."""
    for column in schema:
        if (known is None or column.name not in known) and "type" not in options.columns.get(column.name, {}):
            yield from (f"column {column.name!r}: {doubt}" for doubt in column.doubts)
