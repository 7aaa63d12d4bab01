"""What a refresh remembers: the files that it saw and what came of them, in ``refresh/`` of the output directory.

``state.json`` is what the next run compares with, so that a run that finds nothing new reads and writes next to
nothing. Files are known by their SHA-256. A file whose size, inode and times of change are those of the last look is
not read again, unless it was changed so shortly before that look that the clock could not have told.

The folder holds no cell of a real table, but for ``references/``: counts and hashes, private to their owner.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from synthcli.artifacts import read_json, sha256, write_json
from synthcli.registry import fingerprint

if TYPE_CHECKING:  # who only asks how things stand reads no table
    from synthcli.tables.files import Part

SCHEMA_VERSION = 1
#: Nanoseconds between a change and a look within which another change could have gone unseen.
_TICK = 2_000_000_000

#: What became of a refresh: a new champion; the champion stays since the challenger was turned away, since nothing
#: called for one, or since nothing had changed; a person has to look first; it failed.
Outcome = Literal["promoted", "rejected", "kept", "unchanged", "stopped", "failed"]
#: Outcomes after which the generator in force is known to be the right one; ``unchanged`` is what came before it.
HEALTHY: frozenset[str] = frozenset({"promoted", "kept"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was seen: what the system says of it, its SHA-256, and when that was taken (all in ns)."""

    path: str
    size: int
    inode: int
    modified: int
    changed: int
    looked: int
    sha256: str


@dataclass(frozen=True, slots=True)
class State:
    """What the last refreshes left.

    Attributes
    ----------
    files
        The source's files when they were last dealt with.
    settings, versions
        The parts of the configuration that decide a refresh, and the library versions, of that time.
    newest
        The day of the newest row, in ISO 8601, where the table has a column for it.
    outcome, why, at
        What came of the last refresh that dealt with data; ``unchanged`` never stands here.
    checked, checked_outcome, checked_why
        The last refresh of all, also one that was stopped or failed.
    healthy
        When a refresh last ended with the right generator in force.
    """

    files: tuple[SourceFile, ...] = ()
    settings: Mapping[str, Any] | None = None
    versions: Mapping[str, str] | None = None
    newest: str | None = None
    outcome: str | None = None
    why: str = ""
    at: str | None = None
    checked: str | None = None
    checked_outcome: str | None = None
    checked_why: str = ""
    healthy: str | None = None

    @property
    def content(self) -> str | None:
        """One SHA-256 for the content of all files, whatever they are called; ``None`` where none was dealt with."""
        return content(self.files) if self.files else None

    def ended(self, outcome: Outcome, why: str, at: str) -> State:
        """Return the state after a refresh that ended at ``at`` (UTC, ISO 8601)."""
        settled = outcome if outcome != "unchanged" else self.outcome
        healthy = at if settled in HEALTHY else self.healthy
        return replace(self, checked=at, checked_outcome=outcome, checked_why=why, healthy=healthy)

    def dealt_with(
        self,
        files: Sequence[SourceFile],
        settings: Mapping[str, Any],
        versions: Mapping[str, str],
        newest: str | None,
        outcome: Outcome,
        why: str,
        at: str,
    ) -> State:
        """Return the state after a refresh that came to a decision about these files."""
        ended = self.ended(outcome, why, at)
        return replace(
            ended,
            files=tuple(files),
            settings=settings,
            versions=versions,
            newest=newest,
            outcome=outcome,
            why=why,
            at=at,
        )


def folder(root: Path) -> Path:
    """Return where refreshes keep their own, under the output directory ``root``."""
    return root / "refresh"


def report_folder(root: Path, number: int) -> Path:
    """Return where the report on challenger ``number`` stands."""
    return folder(root) / f"{number:04d}"


def reference_file(root: Path, number: int) -> Path:
    """Return where the counts of what version ``number`` learned from stand."""
    return folder(root) / "references" / f"{number:04d}.npz"


def read(root: Path) -> State:
    """Return the state; an empty one where there is none or it cannot be read, so that everything is looked at anew."""
    try:
        data = read_json(folder(root) / "state.json")
        if data.pop("schema_version") != SCHEMA_VERSION:
            return State()
        state = State(**{**data, "files": tuple(SourceFile(**file) for file in data["files"])})
        return state if _sound(state) else State()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return State()


def _sound(state: State) -> bool:
    """Whether what others rely on is what it should be; raises what reading a wrong one raises."""
    for moment in (state.at, state.checked, state.healthy, state.newest):
        if moment is not None:
            datetime.fromisoformat(moment)
    mappings = all(isinstance(each, Mapping | None) for each in (state.settings, state.versions))
    words = (state.outcome, state.checked_outcome, state.why, state.checked_why)
    return mappings and all(isinstance(each, str | None) for each in words)


def write(root: Path, state: State) -> None:
    """Write the state, atomically."""
    write_json(folder(root) / "state.json", {"schema_version": SCHEMA_VERSION, **asdict(state)})


def look(files: Iterable[Path | Part], known: Sequence[SourceFile], now: int) -> tuple[SourceFile, ...]:
    """Return the files as they are at ``now`` (ns since 1970), read only where ``known`` does not settle it.

    A ``Part`` is a remote file's copy, of whose SHA-256 alone anything can be told.
    """
    before = {file.path: file for file in known}
    return tuple(
        _looked(file, before.get(str(file.absolute())), now)
        if isinstance(file, Path)
        else SourceFile(file.name, file.path.stat().st_size, 0, 0, 0, now, sha256(file.path))
        for file in files
    )


def content(files: Iterable[SourceFile]) -> str:
    """Return one SHA-256 for the content of the files, whatever their names and order."""
    return fingerprint({"files": sorted(file.sha256 for file in files)})


def changed_files(before: Sequence[SourceFile], now: Sequence[SourceFile]) -> dict[str, list[str]]:
    """Return the names of files that are new, changed and gone; renamed ones are none of these."""
    then = {file.path: file.sha256 for file in before}
    contents = {file.sha256 for file in before}
    present = {file.sha256 for file in now}
    paths = {file.path for file in now}
    return {
        "new": [Path(f.path).name for f in now if f.path not in then and f.sha256 not in contents],
        "changed": [Path(f.path).name for f in now if f.path in then and f.sha256 not in contents],
        "gone": [Path(f.path).name for f in before if f.path not in paths and f.sha256 not in present],
    }


def changed_keys(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of what differs between two nested mappings."""
    found = []
    for key in sorted({*before, *now}):
        old, new, name = before.get(key), now.get(key), f"{prefix}{key}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += changed_keys(old, new, f"{name}.")
        elif old != new:
            found.append(name)
    return found


def _looked(path: Path, before: SourceFile | None, now: int) -> SourceFile:
    seen = os.stat(path)
    stamp = (seen.st_size, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns)
    settled = before is not None and stamp == (before.size, before.inode, before.modified, before.changed)
    if before is not None and settled and max(before.modified, before.changed) + _TICK < before.looked:
        return before
    return SourceFile(str(path.absolute()), *stamp, now, sha256(path))
