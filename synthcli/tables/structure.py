"""Whether delimited text is a table: quotes open and close cells, and every record has as many cells as the header.

One pass over the bytes in chunks, in constant memory and at about the speed of the parser, which has to be kept from
such files: it fills short rows with nulls and merges lines around a stray quote without a word. The grammar is RFC 4180
with any delimiter: seen from the start of the file, every odd quote stands behind a delimiter, a line end or another
quote, and every even quote in front of one. A line number counts physical lines, also those inside quoted cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from synthcli.errors import BadTableError

_CHUNK = 1 << 22
_NEWLINE, _RETURN = 10, 13

Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_QUOTES = "close the quote, or double it inside a quoted cell; data.quote names another quote character"
_CELLS = "give every row as many cells as the header, and quote cells that hold the delimiter"


class Shape(NamedTuple):
    """How many records follow the header, and how many blank lines stand before it and at the end."""

    rows: int
    blank_before: int
    blank_after: int


def check_structure(path: Path, *, name: str, delimiter: str, quote: str, width: int) -> Shape:
    """Return the shape of a UTF-8 text file (no byte order mark) with ``width`` columns.

    Raises ``BadTableError`` that names file and line for a short or long record, a blank line in between, a quote in
    the middle of a cell, or one that is never closed. In a single column a blank line in between is an empty cell.
    """
    scan = _Scan(name, ord(delimiter), ord(quote) if quote else -1, width)
    with path.open("rb") as file:
        held = file.read(1)
        while chunk := file.read(_CHUNK):
            data = held + chunk
            scan.feed(data[:-1], following=data[-1])
            held = data[-1:]
    scan.feed(held, following=_NEWLINE)
    if scan.pending or scan.cells:
        scan.feed(b"\n", following=_NEWLINE)
    return scan.finish()


@dataclass(slots=True)
class _Scan:
    """What is known at the end of a chunk."""

    name: str
    delimiter: int
    quote: int
    width: int
    previous: int = _NEWLINE
    quoted: bool = False
    opened_line: int = 1  # where the last quote was opened
    lines: int = 0  # physical line ends so far
    started_line: int = 1  # where the current record starts
    pending: bytes = b""  # the current record's first bytes, as far as they tell a blank line
    cells: int = 0  # of the current record that have ended so far
    records: int = 0
    blank_before: int = 0
    blank_after: int = 0  # blank lines since the last record
    blank_line: int = 0  # the first of these

    def feed(self, data: bytes, following: int) -> None:
        """Take the next bytes; ``following`` is the byte after them."""
        around = np.frombuffer(bytes([self.previous]) + data + bytes([following]), dtype=np.uint8)
        body = around[1:-1]
        at = np.flatnonzero((body == self.delimiter) | (body == _NEWLINE) | (body == self.quote))
        sign = body[at]
        outside = self._outside_quotes(around, at, sign)
        self._take_records(data, at, sign, outside)
        self.lines += int(np.count_nonzero(sign == _NEWLINE))
        self.previous = data[-1] if data else self.previous

    def _line(self, sign: Bytes, k: int) -> int:
        """Return the physical line of the chunk's ``k``-th sign."""
        return self.lines + int(np.count_nonzero(sign[:k] == _NEWLINE)) + 1

    def _outside_quotes(self, around: Bytes, at: Positions, sign: Bytes) -> Positions:
        """Return which delimiters and line ends stand outside quotes; raises where a quote is out of place."""
        is_quote = sign == self.quote
        quotes = np.flatnonzero(is_quote)
        inside = int(self.quoted)
        if not quotes.size:
            return np.arange(0 if inside else at.size)
        opening, closing = quotes[inside::2], quotes[1 - inside :: 2]
        left, right = around[at[opening]], around[at[closing] + 2]
        alone = opening[~((left == self.delimiter) | (left == _NEWLINE) | (left == self.quote))]
        ends = (right == self.delimiter) | (right == _NEWLINE) | (right == _RETURN) | (right == self.quote)
        self._check_quotes(sign, opening, alone, closing[~ends])
        self.quoted = bool((quotes.size + inside) % 2)
        parity = (np.cumsum(is_quote, dtype=np.uint8) + np.uint8(inside)) & 1
        return np.flatnonzero((parity == 0) & ~is_quote)

    def _check_quotes(self, sign: Bytes, opening: Positions, alone: Positions, unended: Positions) -> None:
        """Raise for the first quote that opens or closes in the middle of a cell; else note where the last opened."""
        wrong = min((int(found[0]) for found in (alone, unended) if found.size), default=-1)
        opened = opening[opening < wrong] if wrong >= 0 else opening
        if opened.size:
            self.opened_line = self._line(sign, int(opened[-1]))
        if wrong < 0:
            return
        line = self._line(sign, wrong)
        if unended.size and wrong == unended[0] and line != self.opened_line:
            self._refuse(self.opened_line, f"a quote is opened here and meets text after it in line {line:,}", _QUOTES)
        self._refuse(line, "a quote stands in the middle of a cell", _QUOTES)

    def _take_records(self, data: bytes, at: Positions, sign: Bytes, outside: Positions) -> None:
        """Check every record that ends in this chunk, and keep what is known of the one that goes on."""
        data, carried = self.pending + data, len(self.pending)
        end = np.flatnonzero(sign[outside] == _NEWLINE)
        if not end.size:
            self.cells += outside.size
            self.pending = _summary(data)
            return
        stop = at[outside[end]] + carried
        start = np.concatenate(([0], stop[:-1] + 1))
        cells = np.diff(end, prepend=-1)
        cells[0] += self.cells

        def line_of(record: int) -> int:
            return self.started_line if record == 0 else self._line(sign, int(outside[end[record - 1]])) + 1

        self._check_records(cells, line_of, self._blank(data, start, stop, cells))
        self.cells = int(outside.size - 1 - end[-1])
        self.started_line = self._line(sign, int(outside[end[-1]])) + 1
        self.pending = _summary(data[int(stop[-1]) + 1 :])

    def _blank(self, data: bytes, start: Positions, stop: Positions, cells: Positions) -> Mask:
        """Tell which records are blank lines: nothing, or only white space where more than one cell is expected."""
        length = stop - start
        blank: Mask = length == 0
        if self.width == 1:
            short = np.flatnonzero(length == 1)
            blank[short] = np.frombuffer(data, dtype=np.uint8)[start[short]] == _RETURN
            return blank
        for k in np.flatnonzero((cells == 1) & ~blank):
            if data[start[k] : stop[k]].strip():
                break
            blank[k] = True
        return blank

    def _check_records(self, cells: Positions, line_of: Callable[[int], int], blank: Mask) -> None:
        filled = np.flatnonzero(~blank)
        first, last = (int(filled[0]), int(filled[-1])) if filled.size else (0, -1)
        if filled.size:
            if self.records == 0:
                self.blank_before, self.blank_after = self.blank_after + first, 0
            else:
                first = 0
            if self.blank_after and self.width > 1:
                self._refuse(self.blank_line, *self._blank_line_rule())
            self._check_widths(cells, line_of, blank, first, last)
            self.records += self.blank_after + last - first + 1
            self.blank_after = 0
        if last + 1 < cells.size:
            self.blank_line = self.blank_line if self.blank_after else line_of(last + 1)
            self.blank_after += cells.size - last - 1

    def _check_widths(
        self, cells: Positions, line_of: Callable[[int], int], blank: Mask, first: int, last: int
    ) -> None:
        wrong = np.flatnonzero(cells[first : last + 1] != self.width)
        if not wrong.size:
            return
        record = first + int(wrong[0])
        if blank[record]:
            self._refuse(line_of(record), *self._blank_line_rule())
        self._refuse(line_of(record), f"{cells[record]:,} cells where the header has {self.width:,}", _CELLS)

    def _blank_line_rule(self) -> tuple[str, str]:
        return f"a blank line where {self.width:,} cells are expected", "remove the line"

    def _refuse(self, line: int, rule: str, hint: str) -> NoReturn:
        raise BadTableError(f"{self.name}, line {line:,}: {rule}", hint)

    def finish(self) -> Shape:
        """Return the shape once the last byte is taken; a last record without a line end was given one."""
        if self.quoted:
            self._refuse(self.opened_line, "a quote is opened here and never closed", _QUOTES)
        return Shape(max(self.records - 1, 0), self.blank_before, self.blank_after)


def _summary(record: bytes) -> bytes:
    """Return a stand-in for the start of a record that tells as well whether the line is blank."""
    if len(record) < 2:
        return record
    return b"xx" if record.strip() else b"  "
