"""A data set of shards: what is missing is drawn side by side, then the whole takes its place and is remembered."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synthcli.commands.drawing import CHUNK
from synthcli.commands.emitting import Draw
from synthcli.commands.provenance import Emission, sample_lineage
from synthcli.commands.running import Run
from synthcli.commands.sharding import (
    Folder,
    Job,
    Prefix,
    Shard,
    State,
    calls,
    divided,
    missing,
    part_name,
    plan_of,
    together,
)
from synthcli.executors import at_most, chosen, each_done, executor
from synthcli.lineage import joined_sha256
from synthcli.progress import Phase
from synthcli.registry import lock


@dataclass(frozen=True, slots=True)
class DataSet:
    """Where a data set of ``count`` shards goes, and where the state of a run that writes it is kept."""

    place: Folder | Prefix
    state: State
    count: int

    @classmethod
    def at(cls, target: Path | str, out: Path, count: int) -> DataSet:
        """Take a folder, or the URL of one; raise ``UsageError`` where something else lies there."""
        named = target if isinstance(target, str) else target.resolve()
        mark = hashlib.sha256(f"{out.resolve()}\n{named}".encode()).hexdigest()[:12]
        place = Prefix(target) if isinstance(target, str) else Folder.at(target, mark)
        place.check()
        return cls(place, State(out / "synthetic" / f".shards-{mark}"), count)

    @property
    def names(self) -> list[str]:
        """The shards' file names."""
        return [part_name(number, self.count) for number in range(self.count)]


def emitted_in_shards(run: Run, draw: Draw, to: DataSet) -> tuple[dict[str, Any], dict[str, Path]]:
    """Draw a data set; what an earlier run left complete of the same one is kept.

    Returns the result and the sketch's file. A run that goes on takes the seed that it had begun with, unless another
    one is asked for.
    """
    plan = plan_of(draw.settings, draw.version, draw.asked, to.count, CHUNK, draw.partial)
    with lock(to.state.folder.parent):
        to.place.restore()
        before = to.state.begun() or {}
        known = before.get("plan") == plan
        if known and draw.settings.sample.seed is None:
            draw = replace(draw, seed=int(before["seed"]))
        goes_on = known and before["seed"] == draw.seed and to.place.begun()
        return _drawn(run, draw, to, None if goes_on else {"plan": plan, "seed": draw.seed})


def _drawn(
    run: Run, draw: Draw, to: DataSet, begun: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Draw the shards that are missing, put the data set into place, and keep the sketch of its rows.

    ``begun`` is put on record by a run that begins anew, when everything that it needs is at hand: on a store that
    removes the older data set.
    """
    settings, version, asked, place, state = draw.settings, draw.version, draw.asked, to.place, to.state
    wanted, names, lineage = divided(asked.rows, to.count, CHUNK), to.names, sample_lineage(version, draw.seed)
    matches = draw.matches(run, "parquet")
    workers = at_most(chosen(settings.run.workers), to.count)
    with run.log.phase("sample") as phase, _tidied(place), executor(workers) as pool:
        if begun is not None:
            state.end()  # first: a run that is killed in between begins anew
            place.begin()
            state.begin(begun)
        once = state.remember(matches.once) if matches is not None else None
        folder, tries = version.folder.resolve(), settings.sample.max_tries
        job = Job(folder, version.manifest.fingerprint, asked.groups, CHUNK, draw.seed, tries, draw.partial,
                  place.work, lineage.metadata(), once)  # fmt: skip
        found, left = missing(state, place, wanted)
        kept = len(found)
        if found:
            run.log.info(f"{kept:,} of {to.count:,} shards were complete already")
        told = _told(phase, wanted, left)
        for shard, (path, done) in each_done(pool, calls(job, left), called=lambda shard: _called(shard, names)):
            place.take(path, names[shard.number], lineage, done)
            state.keep(names[shard.number], done)
            found[shard.number] = done
            told(shard)
    shards = [found[shard.number] for shard in wanted]
    emission = Emission(draw.schema, "parquet", together(shards, asked, matches), sum(each.rows for each in shards))
    with run.log.phase("sketch"):
        sketch = draw.sketch(run, emission, joined_sha256([each.sha256 for each in shards]), lineage)
    place.finish(names)
    state.end()
    draw.warn_of_lacking(run, matches)
    return draw.result("parquet", emission.rows, matches, shards=to.count, kept=kept), {"sketch": sketch}


@contextmanager
def _tidied(place: Folder | Prefix) -> Iterator[None]:
    """Remove the halves of shards that are left where the block is left by an exception, when its workers are gone."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what went wrong is what is told
            place.tidy()
        raise


def _called(shard: Shard, names: Sequence[str]) -> str:
    return f"shard {shard.number} ({names[shard.number]}, {shard.rows:,} rows)"


def _told(phase: Phase, wanted: Sequence[Shard], left: Sequence[Shard]) -> Callable[[Shard], None]:
    """Return what is told of each shard that is done, and tells how many are, and how fast."""
    started, done, rows = time.monotonic(), len(wanted) - len(left), 0

    def tell(shard: Shard) -> None:
        nonlocal done, rows
        done, rows = done + 1, rows + shard.rows
        speed = rows / max(time.monotonic() - started, 1e-3)
        phase.update(done / len(wanted), f"{done:,} of {len(wanted):,} shards, {speed:,.0f} rows/s")

    return tell
