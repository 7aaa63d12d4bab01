"""Which files a person means: one, several, a glob, a folder of parts, or standard input."""

from __future__ import annotations

import glob
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from synthcli.errors import BadTableError, MissingFileError
from synthcli.tables.spool import new_spool

STANDARD_INPUT = "-"
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".csv.gz", ".tsv.gz", ".txt.gz")


class Part(NamedTuple):
    """One file of a table: what messages call it, and where its bytes are."""

    name: str
    path: Path


def resolve(where: str | Path | Sequence[str | Path]) -> tuple[Part, ...]:
    """Return the files that make up the table, those of a glob or a folder in the order of their names.

    Raises ``MissingFileError`` where there is none, ``BadTableError`` where a folder holds none or one stands twice.
    """
    wanted = [where] if isinstance(where, str | Path) else list(where)
    parts = tuple(part for each in wanted for part in _resolve_one(str(each)))
    if not parts:
        raise MissingFileError("no file is named", "give a file, a folder or a glob")
    seen: set[Path] = set()
    for part in parts:
        if (real := part.path.resolve()) in seen:
            raise BadTableError(f"{part.name}: the file is named twice", "name every part of the table once")
        seen.add(real)
    return parts


def _resolve_one(where: str) -> Iterator[Part]:
    path = Path(where)
    if where == STANDARD_INPUT:
        yield Part("standard input", _spooled_input())
    elif path.is_dir():
        yield from _folder(path)
    elif path.is_file():
        yield Part(where, path)
    elif path.exists():
        yield Part(where, _spooled(path))
    elif glob.has_magic(where):
        yield from _matching(where)
    else:
        raise MissingFileError(f"{where}: no such file", _near(path))


def _folder(path: Path) -> list[Part]:
    """Return a folder's files that may be tables; hidden ones and other suffixes are none."""
    files = sorted(file for file in path.iterdir() if not file.name.startswith(".") and file.is_file())
    tables = [Part(str(file), file) for file in files if file.name.lower().endswith(SUFFIXES)]
    if not tables:
        suffixes = ", ".join(SUFFIXES[:6])
        raise BadTableError(f"{path}: a folder without tables", f"parts of a table end in {suffixes}")
    return tables


def _matching(pattern: str) -> list[Part]:
    found = sorted(Path(match) for match in glob.glob(pattern, recursive=True))
    # What stands beside a table and tells where it comes from is no part of it.
    files = [Part(str(file), file) for file in found if file.is_file() and not file.name.endswith(".lineage.json")]
    if not files:
        raise MissingFileError(f"{pattern}: no file matches", "check the pattern and the working directory")
    return files


def _near(path: Path) -> str:
    from difflib import get_close_matches

    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    near = get_close_matches(path.name, (file.name for file in path.parent.iterdir()), n=1)
    return f"did you mean {path.parent / near[0]}?" if near else "check the name and the working directory"


def _spooled_input() -> Path:
    copy = new_spool()
    with copy.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return copy


def _spooled(pipe: Path) -> Path:
    """Return a copy of what comes through a pipe, since it can be read only once."""
    copy = new_spool()
    with pipe.open("rb") as source, copy.open("wb") as file:
        shutil.copyfileobj(source, file)
    return copy
