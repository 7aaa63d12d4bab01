"""Delimited text: from a path to checked UTF-8 whose every record has as many cells as the header.

What comes out still has text in every column; ``inference`` gives it types. Messages name file, line and column, and
never show a cell.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from synthcli.errors import BadTableError, ConfigError
from synthcli.inference import ReadOptions
from synthcli.schema import Dialect
from synthcli.tables.encodings import as_utf8, gunzipped
from synthcli.tables.sniffing import Sniffed, records, sniff
from synthcli.tables.spool import new_spool
from synthcli.tables.structure import Shape, check_structure

_HEAD = 1 << 18
_GZIP = b"\x1f\x8b"
#: What other files start with, and what they are.
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x28\xb5\x2f\xfd": "Zstandard data",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"ARROW1": "an Arrow (Feather) file",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b'{"': "JSON",
    b'[{"': "JSON",
}
_SIGNS = {";": "a semicolon", "\t": "a tab", "|": "a bar", " ": "a space", "\r\n": "CR LF", "\r": "CR"}
_ROWS = "give a table with a header and at least one row"
_MIXED = "a quote that neither opens nor closes a cell, or a cell that is too long"
_SPACES = "leave out the spaces behind delimiters, or double quotes inside quoted cells"
_NAMES = "give every column a name of its own in the first line"


@dataclass(frozen=True, slots=True)
class TextFile:
    """One checked text file. ``shape`` says where its records are, ``header_lines`` where they start."""

    name: str
    body: Path
    names: tuple[str, ...]
    dialect: Dialect
    shape: Shape
    header_lines: int
    notes: tuple[str, ...]

    def scan(self) -> pl.LazyFrame:
        """Return the table with text in every cell; an empty cell is ``""``."""
        return pl.scan_csv(
            self.body,
            separator=self.dialect.delimiter,
            quote_char=self.dialect.quote or None,
            new_columns=list(self.names),
            infer_schema=False,
            empty_string_is_null=False,
            skip_lines=self.shape.blank_before,
            n_rows=self.shape.rows if self.shape.blank_after else None,
            glob=False,
        )

    def line_of(self, row: int) -> int:
        """Return the physical line on which the row (from 0) starts: cells may hold line ends."""
        breaks = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True)).sum()
        within = self.scan().head(row).select(breaks).collect().item() if row else 0
        return self.shape.blank_before + self.header_lines + row + int(within or 0) + 1


def open_text(path: Path, name: str, options: ReadOptions) -> TextFile:
    """Check a text file and return it; raises ``BadTableError`` where it is no table."""
    packed = _starts_with(path, _GZIP)
    unpacked = gunzipped(path, name) if packed else path
    _refuse_foreign(unpacked, name)
    plain = as_utf8(unpacked, name, options.encoding)
    _refuse_zero_bytes(plain.path, name)
    head = _head(plain.path)
    sniffed = sniff(head, _single_byte("delimiter", options.delimiter), _single_byte("quote", options.quote))
    body = _normalised(plain.path, name, sniffed)
    header = next(records(head, sniffed.delimiter, sniffed.quote, spaced=sniffed.spaced), [])
    if not header:
        raise BadTableError(f"{name}: the file holds nothing but blank lines", _ROWS)
    shape = check_structure(body, name=name, delimiter=sniffed.delimiter, quote=sniffed.quote, width=len(header))
    header_lines = 1 + sum(cell.count("\n") for cell in header)
    check_names(header, f"{name}, line {shape.blank_before + 1:,}")
    if not shape.rows:
        raise BadTableError(f"{name}, line {shape.blank_before + 1:,}: a header and no rows", _ROWS)
    dialect = Dialect(plain.encoding, plain.bom, sniffed.delimiter, sniffed.quote, newline=sniffed.newline)
    notes = tuple(_notes(header, dialect, sniffed, shape))
    return TextFile(name, body, tuple(header), dialect, shape, header_lines, notes)


def check_names(names: Sequence[str], where: str) -> None:
    """Raise ``BadTableError`` unless every column has a name of its own, whatever the case and the spaces around it.

    The message counts columns instead of naming them: where a header is missing, the names are cells.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        key = name.strip().casefold()
        if not key:
            hint = "name it; the index that pandas or R writes has no name" if place == 1 else _NAMES
            raise BadTableError(f"{where}, column {place:,}: the name is empty", hint)
        if name.startswith("^") and name.endswith("$"):
            # The engine takes such a name for a pattern of names, and would lose its column in silence.
            raise BadTableError(f"{where}, column {place:,}: the name begins with ^ and ends with $", "rename it")
        if key in places:
            same = "the same name" if names[places[key] - 1] == name else "the same name but for case or spaces"
            raise BadTableError(f"{where}: columns {places[key]:,} and {place:,} have {same}", _NAMES)
        places[key] = place


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _refuse_foreign(path: Path, name: str) -> None:
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise BadTableError(f"{name}: the file is empty", _ROWS)
    for magic, what in _FOREIGN.items():
        if head.lstrip().startswith(magic):
            raise BadTableError(f"{name}: this is {what}, not a table as text or Parquet", "save it as CSV or Parquet")


def _refuse_zero_bytes(path: Path, name: str) -> None:
    line = 1
    with path.open("rb") as file:
        while chunk := file.read(_HEAD):
            if (at := chunk.find(0)) >= 0:
                line += chunk.count(b"\n", 0, at)
                raise BadTableError(f"{name}, line {line:,}: a zero byte, which no text holds", "write the file again")
            line += chunk.count(b"\n")


def _head(path: Path) -> str:
    """Return the first lines: 256 KiB, or more where the header alone is longer."""
    size = _HEAD
    with path.open("rb") as file:
        head = file.read(size)
        while head.count(b"\n") < 2 and (more := file.read(size)):
            head += more
    return head.decode("utf-8", "ignore")


def _single_byte(key: str, sign: str | None) -> str | None:
    if sign and (len(sign) != 1 or not sign.isascii() or sign in "\r\n"):
        raise ConfigError(f"data.{key}: one ASCII character is expected, got {len(sign)} characters", "such as ; or |")
    return sign


def _normalised(path: Path, name: str, sniffed: Sniffed) -> Path:
    """Return the text with line ends and cells as the parser takes them; a copy only where it has to differ."""
    if sniffed.newline == "\r":
        path = _with_line_feeds(path)
    return _without_spaces(path, name, sniffed) if sniffed.spaced else path


def _with_line_feeds(path: Path) -> Path:
    copy = new_spool()
    with path.open("rb") as source, copy.open("wb") as file:
        while chunk := source.read(_HEAD):
            file.write(chunk.replace(b"\r", b"\n"))
    return copy


def _without_spaces(path: Path, name: str, sniffed: Sniffed) -> Path:
    """Return a copy without the spaces behind delimiters, line for line."""
    copy, quote = new_spool(), sniffed.quote or None
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    with path.open(encoding="utf-8", newline="") as source, copy.open("w", encoding="utf-8", newline="") as file:
        reader = csv.reader(
            source, delimiter=sniffed.delimiter, quotechar=quote, quoting=quoting, skipinitialspace=True, strict=True
        )
        writer = csv.writer(file, delimiter=sniffed.delimiter, quotechar=quote, quoting=quoting, lineterminator="\n")
        try:
            for record in reader:
                writer.writerow(record)
        except csv.Error:
            raise BadTableError(f"{name}, line {reader.line_num:,}: {_MIXED}", _SPACES) from None
    return copy


def _notes(header: list[str], dialect: Dialect, sniffed: Sniffed, shape: Shape) -> Iterator[str]:
    if dialect.encoding != "utf-8" or dialect.bom:
        mark = " with a byte order mark" if dialect.bom else ""
        yield f"read as {dialect.encoding}{mark}; text is written as UTF-8"
    if sniffed.delimiter != ",":
        yield f"the delimiter is {_SIGNS.get(sniffed.delimiter, sniffed.delimiter)}"
    if sniffed.quote != '"':
        yield f"cells are quoted with {sniffed.quote}" if sniffed.quote else "quotes are ordinary characters"
    if sniffed.newline != "\n":
        yield f"lines end with {_SIGNS[sniffed.newline]}"
    if sniffed.spaced:
        yield "the space behind every delimiter is left out"
    if shape.blank_before + shape.blank_after:
        yield f"blank lines before the header and at the end are left out: {shape.blank_before + shape.blank_after:,}"
    if all(re.fullmatch(r"[-+\d.,]+", name) for name in header):
        yield "every name in the first line is a number; the header may be missing"
