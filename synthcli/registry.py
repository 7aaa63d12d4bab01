"""Generator versions: published whole, named by numbers and aliases, checked before they are opened, guarded by a lock.

Under the output directory stand ``generators/0001/`` with a ``manifest.json`` beside the model's files, further
numbers, ``aliases.json`` (which number ``latest``, ``champion`` and ``previous`` mean) and ``events.jsonl`` (what
happened when). A version is never edited once it is published; a folder without a manifest is none.

Model files may be pickles, which are programs. :func:`verify` compares every file with the manifest first. That detects
damage, mix-ups and half-copied folders; against someone who can write the manifest too it is no defence:
``synthesizers.pickled`` says what a pickle may name.

This module knows files and names. It neither fits nor loads a generator, and it has no clock: callers say when.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, NotRequired, TypedDict, Unpack

from filelock import FileLock, Timeout

from synthcli.artifacts import move_into_place, parse_json, read_json, sha256, staging_folder, write_json
from synthcli.errors import BadTableError, LockHeldError, MissingFileError

MANIFEST = "manifest.json"
_NUMBER = re.compile(r"\d{4,}")
#: Seconds that a lock is asked for: long enough to outlast another process that only looks whether it is held.
_PATIENCE = 0.25


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version is and was made from.

    Attributes
    ----------
    created
        When, in UTC, as ISO 8601.
    train
        The training table: ``path``, ``rows``, ``sha256``, ``content_key``; ``lineage``, what it was made from;
        ``split``, the fingerprint of the rule that kept the holdout out of it (``None``: fitted without a split).
    versions
        Name -> version of Python and of each library that the result depends on.
    fingerprint
        :func:`fingerprint` of all that decides the result; equal fingerprints mean the same generator.
    files
        Path inside the folder -> ``{"sha256", "bytes"}``, for every file but the manifest.
    selection
        How the kind was chosen among several (``selection.Selection.to_dict``); ``None``: it was named.
    run
        The record of the run that fitted it, up to its publication (``commands.recording``); ``None``: from before.
    """

    schema_version: int
    version: int
    kind: str
    parameters: Mapping[str, Any]
    seed: int
    created: str
    train: Mapping[str, Any]
    versions: Mapping[str, str]
    fingerprint: str
    files: Mapping[str, Mapping[str, Any]]
    fit_seconds: float
    notes: Sequence[str]
    selection: Mapping[str, Any] | None = None
    run: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A published generator: where it is, and its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def number(self) -> int:
        """The version's number, counted from 1 in its output directory."""
        return self.manifest.version

    @property
    def name(self) -> str:
        """The number as it is written: ``0003``."""
        return f"{self.number:04d}"


class Described(TypedDict):
    """What a version says of itself beside its number and its files; see :class:`Manifest`."""

    kind: str
    parameters: Mapping[str, Any]
    seed: int
    created: str
    train: Mapping[str, Any]
    versions: Mapping[str, str]
    fingerprint: str
    fit_seconds: float
    notes: NotRequired[Sequence[str]]
    selection: NotRequired[Mapping[str, Any] | None]
    run: NotRequired[Mapping[str, Any] | None]


def publish(root: Path, write: Callable[[Path], None], **described: Unpack[Described]) -> Version:
    """Publish the files that ``write`` puts into an empty folder as the next version, and name it ``latest``.

    ``root`` is the output directory; the caller holds its :func:`lock`. If anything fails, no version appears. What a
    killed run left half-written is removed.
    """
    with staged(root, write, **described) as challenger:
        version = adopt(root, challenger)
    set_aliases(root, {"latest": version.number})
    record(root, {"time": version.manifest.created, "event": "published", "version": version.number,
                  "kind": version.manifest.kind})  # fmt: skip
    return version


@contextmanager
def staged(root: Path, write: Callable[[Path], None], **described: Unpack[Described]) -> Iterator[Version]:
    """Yield a complete version that nobody finds by number or alias; unless adopted, nothing is left of it.

    The caller holds the :func:`lock`. What a killed run left half-written is removed.
    """
    folder = _generators(root)
    folder.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(folder)
    number = next_number(root)
    with staging_folder(_folder(root, number)) as temporary:
        write(temporary)
        notes = list(described.get("notes", ()))
        known: dict[str, Any] = {**described, "notes": notes, "files": _describe_files(temporary)}
        manifest = Manifest(schema_version=1, version=number, **known)
        write_json(temporary / MANIFEST, asdict(manifest))
        yield Version(temporary, manifest)


def adopt(root: Path, version: Version) -> Version:
    """Give a staged version its place among the numbered ones; no alias names it yet."""
    final = _folder(root, version.number)
    move_into_place(version.folder, final)
    return Version(final, version.manifest)


def prune(root: Path, keep: int, *, dry_run: bool = False) -> tuple[int, ...]:
    """Remove all but the newest ``keep`` versions and those that an alias names; return the numbers removed.

    The caller holds the :func:`lock`. A version is no version any more before its first file goes.
    """
    named = set(aliases(root).values())
    known = numbers(root)
    gone = tuple(number for number in known[: max(len(known) - keep, 0)] if number not in named)
    for number in () if dry_run else gone:
        folder = _folder(root, number)
        leaving = folder.with_name(f".{folder.name}.gone.tmp")
        shutil.rmtree(leaving, ignore_errors=True)
        folder.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)
    return gone


def resolve(root: Path, reference: str | None = None) -> Version:
    """Return the version that ``reference`` names: an alias, a number, a folder, or by default the one in force.

    In force is ``champion``, else ``latest``, else the highest number. Raises ``MissingFileError`` where there is none.
    """
    if reference is None:
        return _in_force(root)
    known = aliases(root)
    if reference in known:
        return _numbered(root, known[reference], reference)
    if reference.isdecimal():
        return _numbered(root, int(reference))
    if (Path(reference) / MANIFEST).is_file():
        return read(Path(reference))
    raise MissingFileError(
        f"{reference}: no generator: neither an alias or version under {root}, nor a folder with a {MANIFEST}",
        _what_exists(root),
    )


def read(folder: Path) -> Version:
    """Return the version in ``folder``; raises ``BadTableError`` where its manifest cannot be read."""
    try:
        data = read_json(folder / MANIFEST)
        # A version from before a field with a default has none of it.
        named = [field.name for field in fields(Manifest) if field.name in data or field.default is MISSING]
        manifest = Manifest(**{name: data[name] for name in named})
        datetime.fromisoformat(manifest.created)
    except FileNotFoundError:
        raise MissingFileError(f"{folder} has no {MANIFEST}", "run `synthcli fit` to make a generator") from None
    except (ValueError, KeyError, TypeError) as error:
        raise _no_manifest(folder) from error
    if not _sound(manifest):
        raise _no_manifest(folder)
    return Version(folder, manifest)


def _sound(manifest: Manifest) -> bool:
    """Whether what others rely on is what it should be; a folder may come from anyone."""
    train, files = manifest.train, manifest.files
    return (
        manifest.schema_version == 1
        and all(type(number) is int and number >= 0 for number in (manifest.version, manifest.seed))
        and isinstance(manifest.fit_seconds, int | float)
        and isinstance(manifest.notes, list)
        and all(isinstance(word, str) for word in (manifest.kind, manifest.fingerprint, *manifest.notes))
        and all(isinstance(each, dict) for each in (manifest.parameters, manifest.versions, train, files))
        and all(isinstance(file, dict) and isinstance(file.get("sha256"), str) for file in files.values())
        and isinstance(train.get("path"), str)
        and type(train.get("rows")) is int
        and train["rows"] >= 0
        and isinstance(train.get("sha256"), str | None)
        and isinstance(train.get("lineage", {}), dict)
        and isinstance(manifest.selection, dict | None)
    )


def verify(version: Version) -> None:
    """Raise ``BadTableError`` unless the folder holds exactly the manifest's files, each with its SHA-256.

    To be called before any of them is opened.
    """
    listed = version.manifest.files
    present = set(_files(version.folder))
    for name in sorted(listed.keys() | present):
        if name not in present:
            raise _untrusted(version, f"{name} is missing")
        if name not in listed:
            raise _untrusted(version, f"{name} is not in its manifest")
        if not stat.S_ISREG((version.folder / name).lstat().st_mode):
            raise _untrusted(version, f"{name} is a link, or no file at all")
        if sha256(version.folder / name) != listed[name]["sha256"]:
            raise _untrusted(version, f"{name} is not the file that was published (its SHA-256 differs)")


def intact(version: Version) -> bool:
    """Return whether :func:`verify` has nothing to say."""
    try:
        verify(version)
    except BadTableError:
        return False
    return True


def numbers(root: Path) -> tuple[int, ...]:
    """Return the numbers of the complete versions under ``root``, in order."""
    return tuple(number for number, folder in _folders(root) if (folder / MANIFEST).is_file())


def find_same(root: Path, fingerprint: str) -> Version | None:
    """Return the newest version with this fingerprint whose files are all in order, or ``None``."""
    for number in reversed(numbers(root)):
        try:
            version = read(_folder(root, number))
            if version.manifest.fingerprint == fingerprint:
                verify(version)
                return version
        except BadTableError:
            continue
    return None


def fingerprint(parts: Mapping[str, Any]) -> str:
    """Return one SHA-256 for all of ``parts`` (JSON data: data content, configuration, seed, versions)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def aliases(root: Path) -> dict[str, int]:
    """Return alias -> version number; empty where none is set."""
    path = _generators(root) / "aliases.json"
    if not path.is_file():
        return {}
    try:
        return {str(name): int(number) for name, number in read_json(path).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise BadTableError(f"{path} is no list of aliases", "restore it, or remove it and fit again") from error


def set_aliases(root: Path, meanings: Mapping[str, int]) -> None:
    """Let each alias in ``meanings`` mean its version from now on, all at once."""
    write_json(_generators(root) / "aliases.json", {**aliases(root), **meanings})


def record(root: Path, event: Mapping[str, Any]) -> None:
    """Append ``event`` (plain data) to the log of events as one line."""
    path = _generators(root) / "events.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"
    with path.open("ab+") as file:
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line  # a killed writer left half a line
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def events(root: Path) -> list[dict[str, Any]]:
    """Return the events in their order; a line that a killed writer left half-written is passed over."""
    path = _generators(root) / "events.jsonl"
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(parse_json(line))
        except ValueError:
            continue
    return [event for event in found if isinstance(event, dict)]


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold ``root`` against every other run until the block ends; the system frees it if the process is killed.

    Raises ``LockHeldError``, naming the other process where it is known, instead of waiting.
    """
    root.mkdir(parents=True, exist_ok=True)
    holder = root / ".lock.pid"
    try:
        held = FileLock(root / ".lock").acquire(timeout=_PATIENCE)
    except Timeout:
        pid = _pid(holder)
        raise LockHeldError(
            f"another run{f' (process {pid})' if pid else ''} is working in {root}",
            "wait for it to end, or use another --out",
        ) from None
    with held:
        holder.write_text(f"{os.getpid()}\n", encoding="utf-8")
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def lock_state(root: Path) -> tuple[bool, int | None]:
    """Return whether ``root`` is held, and by which process where that is known."""
    if not (root / ".lock").exists():
        return False, None
    try:
        with FileLock(root / ".lock").acquire(blocking=False):
            return False, None
    except Timeout:
        return True, _pid(root / ".lock.pid")
    except OSError:  # a directory that may only be read: its holder says so itself
        pid = _pid(root / ".lock.pid")
        return pid is not None, pid


def _pid(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _generators(root: Path) -> Path:
    return root / "generators"


def _folder(root: Path, number: int) -> Path:
    return _generators(root) / f"{number:04d}"


def _folders(root: Path) -> list[tuple[int, Path]]:
    """Return every numbered folder, complete or not, in the numbers' order."""
    parent = _generators(root)
    named = parent.iterdir() if parent.is_dir() else ()
    return sorted((int(path.name), path) for path in named if _NUMBER.fullmatch(path.name) and path.is_dir())


def next_number(root: Path) -> int:
    """Return a number that no version ever had, also where the newest ones were deleted."""
    published = (event.get("version") for event in events(root))
    known = [number for number in published if isinstance(number, int)]
    return max([0, *(number for number, _ in _folders(root)), *known, *aliases(root).values()]) + 1


def _in_force(root: Path) -> Version:
    known = aliases(root)
    for alias in ("champion", "latest"):
        if alias in known:
            return _numbered(root, known[alias], alias)
    complete = numbers(root)
    if not complete:
        raise MissingFileError(f"{root}: there is no generator in it", "run `synthcli fit` first")
    return read(_folder(root, complete[-1]))


def _numbered(root: Path, number: int, alias: str = "") -> Version:
    if number not in numbers(root):
        named = f", which the alias {alias!r} names" if alias else ""
        raise MissingFileError(f"{root}: there is no version {number:04d}{named}", _what_exists(root))
    version = read(_folder(root, number))
    if version.number != number:
        raise BadTableError(
            f"{version.folder} holds version {version.name}", "restore it under its own number, or fit again"
        )
    return version


def _what_exists(root: Path) -> str:
    complete = numbers(root)
    if not complete:
        return "there is none yet: run `synthcli fit`"
    named = [f"{alias} is {number:04d}" for alias, number in sorted(aliases(root).items())]
    return "name one of those there are: " + ", ".join([*(f"{number:04d}" for number in complete), *named])


def _files(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in paths if path != folder / MANIFEST)


def _describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    return {name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in _files(folder)}


def _clear_leftovers(folder: Path) -> None:
    """Remove temporary folders and files of runs that were killed; the lock says that no other run is alive."""
    for path in folder.glob(".*.tmp*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _no_manifest(folder: Path) -> BadTableError:
    return BadTableError(
        f"{folder / MANIFEST} is no manifest of a generator that this version of synthcli can read",
        "restore it, or fit again with `synthcli fit`",
    )


def _untrusted(version: Version, what: str) -> BadTableError:
    return BadTableError(
        f"generator {version.folder} must not be opened: {what}",
        "fit again with `synthcli fit`, or restore the folder from a copy",
    )
