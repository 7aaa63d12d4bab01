"""Sampling in shards: a data set of Parquet files that workers draw apart, each of them complete or absent.

A shard is a run of chunks, cut at the shard's ends: its rows depend on the seed, the numbers of its chunks and the
place of its first row, so any worker draws the same, at any time. Where shards end at whole chunks, all of them one
after the other are the rows that one file would have.

A worker writes under a name of its own; only the process that submitted the task gives a file its place. So a task that
is run twice doubles nothing, and one that a killed run left on a cluster can spoil nothing. What is complete is on
record in a state folder, from which a run that was killed goes on; the data set takes its place when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from synthcli import remote
from synthcli.artifacts import (
    DAMAGED_ARRAYS,
    RUN_RECORD,
    atomic_path,
    own_prefix,
    parse_json,
    read_json,
    sha256,
    write_json,
)
from synthcli.commands.conditions import Account, Group, chunks
from synthcli.commands.drawing import Asked, drawn
from synthcli.commands.matches import Matches
from synthcli.commands.provenance import Emission
from synthcli.config import Config
from synthcli.errors import BadTableError, MissingFileError, UsageError
from synthcli.executors import Call
from synthcli.lineage import SIDECAR, Lineage, put_sidecar, write_sidecar
from synthcli.lineage import read as read_lineage
from synthcli.registry import Version, read, verify
from synthcli.rowkeys import Keys
from synthcli.sketches import EMITTED_KEYS, Bottom
from synthcli.synthesizers.assembly import TableGenerator
from synthcli.tables import write_batches
from synthcli.versions import versions

_PLAN = "plan.json"
_PART = re.compile(r"part-\d{5,}\.parquet")
_UNDER_WAY = re.compile(r"\.\d+-[0-9a-f]{32}\.parquet")
#: What says on a store that a data set is whole.
_WHOLE = "_SUCCESS"


class Shard(NamedTuple):
    """A shard: its number, the place of its first row, its rows, and the number of its first chunk."""

    number: int
    start: int
    rows: int
    chunk: int


def divided(rows: int, count: int, size: int) -> tuple[Shard, ...]:
    """Divide ``rows`` as evenly as can be into ``count`` shards (at most ``rows``) of chunks of ``size`` rows."""
    sizes = [rows // count + (number < rows % count) for number in range(count)]
    starts = accumulate(sizes, initial=0)
    first = accumulate((-(-each // size) for each in sizes), initial=0)
    return tuple(Shard(*found) for found in zip(range(count), starts, sizes, first, strict=False))


def part_name(number: int, count: int) -> str:
    """Return the name of a shard's file, so that names are in the order of the numbers."""
    return f"part-{number:0{max(5, len(str(count - 1)))}d}.parquet"


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker has to know, the shard apart.

    Attributes
    ----------
    version, fingerprint
        The generator's folder, and which generator that has to be.
    groups
        What is asked of the rows.
    size
        Rows of a chunk.
    folder
        Where files are put together, seen by all workers: a folder, or the URL of one.
    metadata
        Goes into the footer of each file.
    once
        A file of the sorted keys of training records that occur once, where rows must not repeat one.
    """

    version: Path
    fingerprint: str
    groups: tuple[Group, ...]
    size: int
    seed: int
    tries: int
    partial: bool
    folder: Path | str
    metadata: Mapping[str, str]
    once: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A shard that was drawn: its file's SHA-256 and rows, their keys, and the account of what was asked.

    ``tried`` and ``made`` are rows of each group; ``matches`` counts rows drawn, those that repeated a training
    record, and those given up.
    """

    sha256: str
    rows: int
    keys: Bottom
    tried: tuple[int, ...]
    made: tuple[int, ...]
    matches: tuple[int, int, int] = (0, 0, 0)

    def save(self, path: Path) -> None:
        """Write it, atomically and for its owner alone: the keys may be those of real rows."""
        with atomic_path(path, mode=0o600) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                keys=self.keys.keys,
                threshold=np.array(self.keys.threshold, np.uint64),
                sha256=np.array(self.sha256),
                rows=np.array(self.rows),
                account=np.array([self.tried, self.made]),
                matches=np.array(self.matches),
            )

    @classmethod
    def load(cls, path: Path) -> Drawn:
        """Read what :meth:`save` wrote; raises one of ``DAMAGED_ARRAYS`` where it is damaged."""
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            tried, made = (tuple(map(int, row)) for row in found["account"])
            keys = Bottom(EMITTED_KEYS, int(found["threshold"]), found["keys"])
            drawn, rows, given_up = map(int, found["matches"])
            return cls(str(found["sha256"]), int(found["rows"]), keys, tried, made, (drawn, rows, given_up))


class Written(NamedTuple):
    """A shard in a file under a name of its own."""

    path: Path | str
    drawn: Drawn


def draw(job: Job, shard: Shard) -> Written:
    """Draw a shard and write it: the task of a worker."""
    model = _model(job.version, job.fingerprint)
    account = Account([group.label for group in job.groups], [group.rows for group in job.groups])
    stretch = chunks(job.groups, job.size, start=shard.start, rows=shard.rows, number=shard.chunk)
    asked = Asked(shard.rows, stretch, account, job.groups)
    matches = Matches(_known(job.once), model.schema, "parquet") if job.once is not None else None
    emission = Emission(model.schema, "parquet")
    rows = drawn(model, asked, matches, job.seed, job.tries, job.partial)
    name = f".{shard.number}-{uuid4().hex}.parquet"  # no other attempt has it
    with _local(job.folder) as folder:
        path = folder / name
        write_batches(emission.noted(rows), model.schema, path, format="parquet", metadata=job.metadata)
        digest = sha256(path)
        place = path if isinstance(job.folder, Path) else remote.joined(job.folder, name)
        if isinstance(place, str):
            remote.put(path, place)
    counts = (0, 0, 0) if matches is None else (matches.drawn, matches.rows, matches.given_up)
    return Written(
        place, Drawn(digest, emission.rows, emission.keys, tuple(account.tried), tuple(account.made), counts)
    )


@contextmanager
def _local(folder: Path | str) -> Iterator[Path]:
    """Yield a folder of this machine to write to: a temporary one where the files go to a store."""
    if isinstance(folder, Path):
        yield folder
        return
    with TemporaryDirectory(prefix=own_prefix()) as name:
        yield Path(name)


@lru_cache(maxsize=1)
def _model(folder: Path, fingerprint: str) -> TableGenerator:
    """Return the generator, its files checked in this process too: a worker may run elsewhere."""
    try:
        version = read(folder)
    except MissingFileError as error:
        raise BadTableError(
            f"a worker does not see the generator {folder}", "give workers the same file system, under the same paths"
        ) from error
    if version.manifest.fingerprint != fingerprint:
        raise BadTableError(
            f"{folder}: another generator than the one that is sampled", "give workers the same file system"
        )
    verify(version)
    return TableGenerator.load(folder)


@lru_cache(maxsize=1)
def _known(path: Path) -> Keys:
    known: Keys = np.load(path, mmap_mode="r", allow_pickle=False)
    return known


@dataclass(frozen=True, slots=True)
class State:
    """What is on record of a data set that is being made: its plan, and what is complete of it."""

    folder: Path

    def begun(self) -> Mapping[str, Any] | None:
        """Return the plan of the run that was here before, ``None`` where there was none."""
        try:
            plan = read_json(self.folder / _PLAN)
            return plan if isinstance(plan, dict) else None
        except (OSError, ValueError):
            return None

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Start anew with this plan: what was there before is removed."""
        self.end()
        self.folder.mkdir(parents=True)
        write_json(self.folder / _PLAN, dict(plan))

    def end(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, name: str, drawn: Drawn) -> None:
        """Put on record that the part is complete."""
        drawn.save(self.folder / f"{name}.npz")

    def kept(self, name: str, has: Callable[[str, str], bool]) -> Drawn | None:
        """Return the record of a part of which ``has`` says that it is there with its SHA-256."""
        try:
            drawn = Drawn.load(self.folder / f"{name}.npz")
        except DAMAGED_ARRAYS:
            return None
        return drawn if has(name, drawn.sha256) else None

    def remember(self, once: Keys) -> Path:
        """Keep the keys that rows must not repeat where workers find them, for their owner alone.

        Other keys get another name: a cluster's worker remembers by it what it has read, from one run to the next.
        """
        path = (self.folder / f"once-{hashlib.sha256(once.tobytes()).hexdigest()[:16]}.npy").resolve()
        with atomic_path(path, mode=0o600) as temporary, temporary.open("wb") as file:
            np.save(file, once)
        return path


@dataclass(frozen=True, slots=True)
class Folder:
    """A data set in a folder: put together in a hidden folder beside it, and moved into place when it is whole."""

    final: Path
    staging: Path

    @classmethod
    def at(cls, final: Path, mark: str) -> Folder:
        """Return the data set ``final``; ``mark`` tells those who make it apart."""
        final = final.resolve()
        return cls(final, final.with_name(f".{final.name}.{mark}.shards"))

    @property
    def work(self) -> Path:
        """Where workers write."""
        return self.staging

    def begin(self) -> None:
        """Make room for a new data set; the one in place stays."""
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir(parents=True)

    def has(self, name: str, digest: str) -> bool:
        """Whether a part is there with this SHA-256."""
        path = self.staging / name
        return path.is_file() and sha256(path) == digest

    def begun(self) -> bool:
        """Whether an earlier run may have left parts."""
        return self.staging.is_dir()

    def take(self, written: Path | str, name: str, lineage: Lineage, drawn: Drawn) -> None:
        """Give a finished file its name, and its lineage beside it."""
        Path(written).replace(self.staging / name)
        write_sidecar(self.staging / name, lineage, drawn.rows, drawn.sha256)

    def tidy(self) -> None:
        """Remove the halves of parts that workers left which were ended."""
        for path in self.staging.glob(".*"):
            path.unlink()

    def finish(self, names: Sequence[str]) -> None:
        """Put the data set in the place of an older one."""
        wanted = _files_of(names)
        for path in self.staging.iterdir():
            if path.name not in wanted:
                path.unlink()
        shutil.rmtree(self._older, ignore_errors=True)
        if self.final.exists():
            shutil.copymode(self.final, self.staging)
            self.final.rename(self._older)
        self.staging.rename(self.final)
        shutil.rmtree(self._older, ignore_errors=True)

    def restore(self) -> None:
        """Put an older data set back that a run killed in the middle of :meth:`finish` had moved away."""
        if self._older.is_dir() and not self.final.exists():
            self._older.rename(self.final)

    @property
    def _older(self) -> Path:
        return self.final.with_name(f"{self.staging.name}.older")

    def check(self) -> None:
        """Raise ``UsageError`` where something else than an older data set would be replaced."""
        if self.final.is_file():
            raise UsageError(
                f"--output {self.final}: is a file, and shards go into a folder", "name another, or leave --shards out"
            )
        if os.path.ismount(self.final):
            raise UsageError(
                f"--output {self.final}: is where a disk is mounted, and another folder takes the output's place",
                f"name a folder in it: {self.final / 'shards'}",
            )
        others = [path for path in self.final.iterdir() if not _ours(path)] if self.final.is_dir() else []
        if others:
            raise UsageError(
                f"--output {self.final}: the folder holds {others[0].name!r}, which is no shard and would be lost",
                "name a folder of their own for the shards",
            )


@dataclass(frozen=True, slots=True)
class Prefix:
    """A data set on a store, under the URL of a folder: no folder can be moved into place there.

    Each part is whole when it has its name. An older data set is removed before the first part of a new one, and
    ``_SUCCESS`` is put last, so that whoever waits for it never reads half of one.
    """

    url: str

    @property
    def work(self) -> str:
        """Where workers write, under hidden names."""
        return self.url

    @property
    def final(self) -> str:
        """The URL as it may be shown."""
        return remote.shown(self.url)

    def begin(self) -> None:
        """Remove the older data set, its mark first."""
        for name in [_WHOLE, *self._names()]:
            remote.remove(remote.joined(self.url, name))

    def begun(self) -> bool:
        """Whether an earlier run may have left parts: what is there says it."""
        return True

    def has(self, name: str, digest: str) -> bool:
        """Whether a part is there with this SHA-256, as the lineage beside it says."""
        url = remote.joined(self.url, name)
        try:
            said = parse_json(remote.read_bytes(f"{url}{SIDECAR}"))["sha256"]
        except (MissingFileError, ValueError, KeyError, TypeError):
            return False
        return bool(said == digest) and remote.exists(url)

    def restore(self) -> None:
        """Do nothing: nothing is moved away here."""

    def take(self, written: Path | str, name: str, lineage: Lineage, drawn: Drawn) -> None:
        """Give a finished file its name, its lineage first: a part without one is somebody else's."""
        put_sidecar(remote.joined(self.url, name), lineage, drawn.rows, drawn.sha256)
        remote.move(str(written), remote.joined(self.url, name))

    def tidy(self) -> None:
        """Remove parts that have no name yet."""
        for name in self._names():
            if _UNDER_WAY.fullmatch(name):
                remote.remove(remote.joined(self.url, name))

    def finish(self, names: Sequence[str]) -> None:
        """Remove what is no part, and say that the data set is whole."""
        wanted = _files_of(names)
        for name in self._names():
            if name not in wanted:
                remote.remove(remote.joined(self.url, name))
        with TemporaryDirectory(prefix=own_prefix()) as folder:
            mark = Path(folder) / _WHOLE
            mark.touch()
            remote.put(mark, remote.joined(self.url, _WHOLE))

    def check(self) -> None:
        """Raise ``UsageError`` where something else than an older data set lies there."""
        remote.check_target(remote.joined(self.url, part_name(0, 1)))
        names = remote.names(self.url)
        # A part that nobody said to be synthetic may be somebody's real one.
        others = [
            name for name in names if not _is_ours(name) or (_PART.fullmatch(name) and f"{name}{SIDECAR}" not in names)
        ]
        if others:
            raise UsageError(
                f"--output {self.final}: holds {others[0]!r}, which is no shard", "name a folder of their own"
            )

    def _names(self) -> list[str]:
        return [name for name in remote.names(self.url) if _is_ours(name)]


def _files_of(names: Iterable[str]) -> set[str]:
    """Return the names of parts and of what is said of them."""
    return {each for name in names for each in (name, f"{name}{SIDECAR}")}


def _ours(path: Path) -> bool:
    """Whether a file is a part that is known to be synthetic, or what is said of one or of the run that made it."""
    if path.name == RUN_RECORD:
        return _is_record(path)
    if not path.is_file() or _PART.fullmatch(path.name.removesuffix(SIDECAR)) is None:
        return False
    if path.name.endswith(SIDECAR):
        return True
    known = read_lineage(path)
    return known is not None and known.lineage is not None and not known.lineage.is_real


def _is_record(path: Path) -> bool:
    try:
        told = read_json(path)
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("command") == "sample" and "files" in told


def _is_ours(name: str) -> bool:
    """Whether a name on a store is that of a part, of its sidecar, of the mark, or of a part under way."""
    plain = name.removesuffix(SIDECAR)
    return name == _WHOLE or _PART.fullmatch(plain) is not None or _UNDER_WAY.fullmatch(plain) is not None


def plan_of(settings: Config, version: Version, asked: Asked, count: int, size: int, partial: bool) -> dict[str, Any]:
    """Return all that the shards depend on, the seed apart."""
    return {
        "fingerprint": version.manifest.fingerprint,
        "rows": asked.rows,
        "shards": count,
        "chunk": size,
        "groups": [[group.rows, dict(group.where)] for group in asked.groups],
        "tries": settings.sample.max_tries,
        "partial": partial,
        "reject_training_matches": settings.sample.reject_training_matches,
        "versions": versions(),
    }


def missing(state: State, place: Folder | Prefix, wanted: Sequence[Shard]) -> tuple[dict[int, Drawn], list[Shard]]:
    """Return what an earlier run left complete, by number, and the shards that are to be drawn."""
    found = {}
    for shard in wanted:
        drawn = state.kept(part_name(shard.number, len(wanted)), place.has)
        if drawn is not None:
            found[shard.number] = drawn
    return found, [shard for shard in wanted if shard.number not in found]


def calls(job: Job, wanted: Sequence[Shard]) -> Iterator[Call[Shard, Written]]:
    """Yield the tasks."""
    return ((shard, draw, (job, shard)) for shard in wanted)


def together(found: Sequence[Drawn], asked: Asked, matches: Matches | None) -> Bottom:
    """Add the shards' accounts to the whole's, and return the keys of all their rows."""
    keys = Bottom(EMITTED_KEYS)
    for each in found:
        keys = keys.merged(each.keys)
        for part, (tried, made) in enumerate(zip(each.tried, each.made, strict=True)):
            asked.account.tried[part] += tried
            asked.account.made[part] += made
        if matches is not None:
            matches.drawn += each.matches[0]
            matches.rows += each.matches[1]
            matches.given_up += each.matches[2]
    return keys
