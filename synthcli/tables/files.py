"""Which files a person means: one, several, a glob, a folder of parts, or standard input; here or behind URLs.

What can be read only once, or only from afar, is copied into the spool first, so that everything that is ever said of a
table (its SHA-256, its lineage, its rows) is about the same bytes.
"""

from __future__ import annotations

import glob
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from synthcli import remote
from synthcli.artifacts import RUN_RECORD
from synthcli.config.suggest import nearest
from synthcli.errors import BadTableError, MissingFileError
from synthcli.tables.spool import new_spool

STANDARD_INPUT = "-"
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".csv.gz", ".tsv.gz", ".txt.gz")


#: What the name of a file's lineage ends in, after the file's own.
_SIDECAR = ".lineage.json"
#: By URL and state of a remote file, the copy that is in the spool.
_copies: dict[tuple[str, str], Path] = {}


class Part(NamedTuple):
    """One file of a table: what messages, reports and lineage call it, and where its bytes are."""

    name: str
    path: Path


def resolve(where: str | Path | Sequence[str | Path | Part]) -> tuple[Part, ...]:
    """Return the files that make up the table, those of a glob or a folder in the order of their names.

    A ``Part`` stands for itself. Remote files are copied into the spool, with the lineage beside them.

    Raises ``MissingFileError`` where there is none, ``BadTableError`` where a folder holds none or one stands twice.
    """
    wanted = [where] if isinstance(where, str | Path) else list(where)
    parts = tuple(part for each in wanted for part in ([each] if isinstance(each, Part) else _resolve_one(str(each))))
    if not parts:
        raise MissingFileError("no file is named", "give a file, a folder or a glob")
    seen: set[Path] = set()
    for part in parts:
        if (real := part.path.resolve()) in seen:
            raise BadTableError(f"{part.name}: the file is named twice", "name every part of the table once")
        seen.add(real)
    return parts


def _resolve_one(where: str) -> Iterator[Part]:
    where = remote.plain(where)
    path = Path(where)
    if remote.is_url(where):
        yield from _remote(where)
    elif where == STANDARD_INPUT:
        yield Part("standard input", _spooled_input())
    elif path.is_dir():
        yield from _folder(path)
    elif path.is_file():
        yield Part(str(path), path)
    elif path.exists():
        yield Part(where, _spooled(path))
    elif glob.has_magic(where):
        yield from _matching(where)
    else:
        raise MissingFileError(f"{where}: no such file", _near(path))


def _folder(path: Path) -> list[Part]:
    """Return a folder's files that may be tables; hidden ones and other suffixes are none."""
    names = _tables(str(path), [file.name for file in path.iterdir() if file.is_file()])
    return [Part(str(path / name), path / name) for name in names]


def _tables(folder: str, names: Iterable[str]) -> list[str]:
    tables = sorted(name for name in names if not name.startswith(".") and name.lower().endswith(SUFFIXES))
    if not tables:
        suffixes = ", ".join(SUFFIXES[:6])
        raise BadTableError(f"{folder}: a folder without tables", f"parts of a table end in {suffixes}")
    return tables


def _matching(pattern: str) -> list[Part]:
    found = sorted(Path(match) for match in glob.glob(pattern, recursive=True))
    # What stands beside a table and tells where it comes from is no part of it.
    files = [Part(str(file), file) for file in found if file.is_file() and not _beside(file.name)]
    if not files:
        raise MissingFileError(f"{pattern}: no file matches", "check the pattern and the working directory")
    return files


def _beside(name: str) -> bool:
    """Whether a file is no table but tells where the tables beside it come from."""
    return name.endswith(_SIDECAR) or name == RUN_RECORD


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    near = _nearest(path.name, [file.name for file in path.parent.iterdir()])
    return f"did you mean {path.parent / near}?" if near else "check the name and the working directory"


def _nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the file of nearly the same stem, since a suffix in common says nothing; of several the most alike."""
    from difflib import get_close_matches

    stem = nearest(_stem(name), [_stem(known) for known in names if not known.endswith(_SIDECAR)])
    alike = [known for known in names if _stem(known) == stem and not known.endswith(_SIDECAR)]
    return next(iter(get_close_matches(name, alike, n=1, cutoff=0)), None)


def _stem(name: str) -> str:
    return name[:1] + name[1:].partition(".")[0]


def _remote(url: str) -> Iterator[Part]:
    """Yield copies of what a URL names, by the rules for local files."""
    found = remote.kind(url)
    if found == "file":
        yield _fetched(url)
    elif found == "folder":
        names = remote.names(url)
        for name in _tables(remote.shown(url), names):
            yield _fetched(remote.joined(url, name), told=f"{name}{_SIDECAR}" in names)
    elif glob.has_magic(url):
        files = [file for file in remote.matching(url) if not _beside(remote.name(file))]
        if not files:
            raise MissingFileError(f"{remote.shown(url)}: no file matches", "check the pattern")
        yield from map(_fetched, files)
    else:
        raise MissingFileError(f"{remote.shown(url)}: no such file", _near_remote(url))


def _fetched(url: str, told: bool = True) -> Part:
    """Return a copy of a remote file, and of the lineage beside it where there may be one (``told``).

    It is copied once, unless it changes: what looks at it again in this process sees the same bytes.
    """
    key = (url, remote.version(url))
    if key not in _copies:
        copy = new_spool(remote.name(url)[-40:])  # a key may be longer than a file's name
        remote.get(url, copy)
        if told:
            _fetch_sidecar(f"{url}{_SIDECAR}", copy.with_name(f"{copy.name}{_SIDECAR}"))
        _copies[key] = copy
    return Part(remote.shown(url), _copies[key])


def _fetch_sidecar(url: str, copy: Path) -> None:
    try:
        remote.get(url, copy)
    except MissingFileError:
        return
    except BadTableError:  # one that may not be read is no evidence, and a person is told so as of any damaged one
        copy.touch()


def _near_remote(url: str) -> str:
    folder = remote.parent(url)
    if not remote.exists(folder):
        return f"{remote.shown(folder)} does not exist either"
    near = _nearest(remote.name(url), remote.names(folder))
    return f"did you mean {remote.shown(remote.joined(folder, near))}?" if near else "check the name"


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
