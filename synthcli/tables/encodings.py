"""From the bytes of a text file to UTF-8 without a byte order mark, copied to a spool file only where they aren't that.

Everything is done in chunks. An encoding is taken from the byte order mark, from the pattern of zero bytes in UTF-16
without one, or because all bytes are valid UTF-8. Windows-1252 (Latin-1 with printable signs) is the last resort, and
only where the bytes look like Western text; others have to be named.
"""

from __future__ import annotations

import codecs
import gzip
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from synthcli.errors import BadTableError, ConfigError
from synthcli.tables.spool import new_spool

_CHUNK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAME_IT = "name the encoding in data.encoding, or save the file as UTF-8"


class Plain(NamedTuple):
    """A UTF-8 file without a byte order mark that holds the text, and what the source's bytes were."""

    path: Path
    encoding: str
    bom: bool


def gunzipped(path: Path, name: str) -> Path:
    """Return the unpacked copy of a gzip file; raises ``BadTableError`` where it is cut off or damaged."""
    copy = new_spool()
    try:
        with gzip.open(path, "rb") as packed, copy.open("wb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise BadTableError(f"{name}: the gzip data is cut off or damaged", "copy or compress the file again") from None
    return copy


def as_utf8(path: Path, name: str, encoding: str | None) -> Plain:
    """Return the file as UTF-8; raises ``BadTableError`` with the line where the bytes are no text."""
    with path.open("rb") as file:
        head = file.read(4096)
    mark, marked = next(((mark, codec) for mark, codec in _MARKS if head.startswith(mark)), (b"", None))
    codec = _named(encoding) or marked or _utf16_without_mark(head)
    skip = len(mark) if marked == codec or codec in ("utf-16", "utf-32", "utf-8-sig") else 0
    if codec in (None, "utf-8", "ascii"):
        problem = _first_invalid(path)
        if problem is None and not skip:
            return Plain(path, "utf-8", False)
        codec = "utf-8" if problem is None else _last_resort(path, name, problem, codec)
    codec = marked if skip and marked else codec
    return Plain(_transcoded(path, name, codec, skip), codec, skip > 0)


def _named(encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError(
            f"data.encoding: {encoding!r} is no encoding that Python knows", "try utf-8 or cp1252"
        ) from None


def _utf16_without_mark(head: bytes) -> str | None:
    """Tell UTF-16 by the zero bytes of its ASCII signs: every second byte, on one side only."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if odd > 0.3 * half and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even > 0.3 * half and odd == 0 else None


def _first_invalid(path: Path) -> int | None:
    """Return the number of the first line that is no UTF-8, or ``None``."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    for chunk in _chunks(path):
        if chunk.isascii() and not decoder.getstate()[0]:
            line += chunk.count(b"\n")
            continue
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            return line + chunk.count(b"\n", 0, max(error.start, 0))
        line += chunk.count(b"\n")
    return line if decoder.getstate()[0] else None


def _chunks(path: Path, skip: int = 0) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(skip)
        while chunk := file.read(_CHUNK):
            yield chunk


def _last_resort(path: Path, name: str, line: int, named: str | None) -> str:
    """Return Windows-1252 where the whole file looks like it; ``line`` is where UTF-8 ends."""
    if named is None and _looks_western(path):
        return "cp1252"
    what = "no valid UTF-8" if named is None else f"no valid {named}"
    raise BadTableError(f"{name}, line {line:,}: the bytes are {what}", _NAME_IT)


def _looks_western(path: Path) -> bool:
    """Whether single high bytes stand between ASCII letters, none of them undefined, nearly none of them UTF-8."""
    counts = np.zeros(256, dtype=np.int64)
    valid = together = 0
    for chunk in _chunks(path):
        data = np.frombuffer(chunk, dtype=np.uint8)
        counts += np.bincount(data, minlength=256)
        high = data >= 0x80
        together += int(np.count_nonzero(high[2:] & high[1:-1] & high[:-2]))
        valid += sum(not sign.isascii() for sign in chunk.decode("utf-8", "ignore"))
    high_bytes = int(counts[0x80:].sum())
    controls = int(counts[:32].sum() - counts[[9, 10, 13]].sum() + counts[127])
    undefined = int(counts[[0x81, 0x8D, 0x8F, 0x90, 0x9D]].sum())
    plain = controls == 0 and undefined == 0 and high_bytes < 0.3 * counts.sum()
    return plain and valid * 4 <= high_bytes and together * 20 <= high_bytes


def _transcoded(path: Path, name: str, codec: str, skip: int) -> Path:
    """Return a UTF-8 copy of the text behind the first ``skip`` bytes."""
    copy, line = new_spool(), 1
    decoder = codecs.getincrementaldecoder(codec)()
    with copy.open("wb") as file:
        try:
            for chunk in _chunks(path, skip):
                line += _write(file, decoder.decode(chunk))
            line += _write(file, decoder.decode(b"", final=True))
        except UnicodeDecodeError as error:
            line += error.object[: error.start].decode(codec, "ignore").count("\n")
            raise BadTableError(f"{name}, line {line:,}: the bytes are no valid {codec}", _NAME_IT) from None
        except UnicodeError:  # UTF-16 and UTF-32 that do not say in which order their bytes stand
            raise BadTableError(f"{name}, line 1: the bytes are no valid {codec}", _NAME_IT) from None
    return copy


def _write(file: IO[bytes], text: str) -> int:
    file.write(text.encode())
    return text.count("\n")
