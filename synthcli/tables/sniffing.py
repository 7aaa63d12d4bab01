"""The dialect of delimited text, from its first lines: delimiter, quote, line end, and whether a space follows each
delimiter. Whatever is given is not sniffed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

DELIMITERS = (",", ";", "\t", "|")
_RECORDS = 200


class Sniffed(NamedTuple):
    """What the first lines show. ``quote`` is empty where quotes are ordinary characters."""

    delimiter: str
    quote: str
    newline: str
    spaced: bool


def sniff(head: str, delimiter: str | None, quote: str | None) -> Sniffed:
    """Return the dialect of a text that starts with ``head``."""
    newline = _newline(head)
    quote = _quote(head, delimiter) if quote is None else quote
    delimiter = _delimiter(head, quote) if delimiter is None else delimiter
    return Sniffed(delimiter, quote, newline, _is_spaced(head, delimiter, quote))


def records(head: str, delimiter: str, quote: str, *, spaced: bool = False) -> Iterator[list[str]]:
    """Yield the records of the first lines that are not blank; the last one may be cut off. Malformed text ends it."""
    reader = csv.reader(
        io.StringIO(head, newline=""),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        skipinitialspace=spaced,
    )
    try:
        for record in reader:
            if len(record) > 1 or any(cell.strip() for cell in record):
                yield record
    except csv.Error:
        return


def _newline(head: str) -> str:
    at = re.search(r"\r\n|\n", head) or re.search(r"\r", head)
    return at[0] if at else "\n"


def _quote(head: str, delimiter: str | None) -> str:
    """Return the character that wraps cells; none where double quotes only ever stand inside of cells."""
    edges = re.escape(delimiter) if delimiter else r",;\t|"
    if re.search(rf'(?:^|[{edges}]) ?"', head, re.MULTILINE):
        return '"'
    wrapped = re.findall(rf"(?:^|(?<=[{edges}]))'(?:[^'\n]|'')*'(?=[{edges}\r\n]|\Z)", head, re.MULTILINE)
    if wrapped and head.count("'") == sum(cell.count("'") for cell in wrapped):
        return "'"
    return "" if '"' in head else '"'


def _delimiter(head: str, quote: str) -> str:
    """Return the delimiter by which most lines have as many cells as the header, more cells being better."""
    best, found = (0.0, 0), ","
    for delimiter in DELIMITERS:
        widths = [len(record) for record, _ in zip(records(head, delimiter, quote), range(_RECORDS), strict=False)]
        if widths and widths[0] > 1:
            score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
            best, found = max((best, found), (score, delimiter), key=lambda pair: pair[0])
    return found


def _is_spaced(head: str, delimiter: str, quote: str) -> bool:
    """Whether every cell behind a delimiter starts with a space: in two lines at least, the header not counted."""
    if f"{delimiter} " not in head:
        return False
    seen = [record for record, _ in zip(records(head, delimiter, quote), range(_RECORDS), strict=False)][1:]
    return len(seen) > 1 and len(seen[0]) > 1 and all(cell.startswith(" ") for record in seen for cell in record[1:])
