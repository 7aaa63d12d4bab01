"""What the source brings: read by the frozen schema, asked where it comes from, and divided into its parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from synthcli.artifacts import read_json
from synthcli.commands.dividing import Divided, divide
from synthcli.commands.inputs import check_target, open_data
from synthcli.commands.learning import check_constraints
from synthcli.commands.provenance import check_lineage, check_sketches, with_contamination
from synthcli.commands.running import Run
from synthcli.config import Config
from synthcli.config.suggest import suggestion
from synthcli.errors import BadTableError, ConfigError
from synthcli.holdout import SplitFolder, SplitRecord
from synthcli.registry import Version
from synthcli.rowkeys import occurrences, row_keys
from synthcli.schema import Schema
from synthcli.splitting import Side, SplitRule
from synthcli.tables import Source

#: The share of new rows above the usual one that may repeat rows learned from.
REPEATS = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Incoming:
    """The source's rows by what they are for.

    Attributes
    ----------
    fitted, inner
        The training part: what a generator learns from, and the slot that champion and challenger are compared on.
    holdout, privacy_holdout
        The reserved parts.
    origin
        SHA-256 and lineage of the source, for a manifest.
    newest
        The day of the newest row, where ``data.time`` is a column of days or instants.
    schema_changes
        What is new about the columns, a phrase each; ``renewed``: the rule of the split does not fit them any more, so
        that the holdout is drawn anew.
    """

    source: Source
    divided: Divided
    fitted: pl.DataFrame
    inner: pl.DataFrame
    holdout: pl.DataFrame
    privacy_holdout: pl.DataFrame | None
    origin: dict[str, Any]
    newest: str | None
    schema_changes: tuple[str, ...]
    renewed: bool

    @property
    def schema(self) -> Schema:
        """The columns."""
        return self.source.schema

    @property
    def rows(self) -> int:
        """All rows of the source."""
        return len(self.divided.sides)


def receive(run: Run, settings: Config, out: Path, *, allow_schema_change: bool, allow_drift: bool) -> Incoming:
    """Read and divide the source; raises for columns that changed, and for rows that are not real or not new."""
    folder = SplitFolder(out / "split")
    earlier = folder.read() if folder.exists() else None
    if (earlier.rule.method if earlier else settings.split.method) == "time":
        raise ConfigError(
            "split.method: time reserves every row that is newer than its cutoff, so that no refresh could learn one",
            "use hash, stratified or group in another directory; accuracy on later rows is for fit and validate",
        )
    with run.log.phase("read"):
        source, changes = _opened(run, settings, earlier, allow_schema_change)
        check_target(settings, source.schema)
        _check_ignored(settings, source.schema)
    keeps = earlier is None or _fits(earlier.rule, earlier.schema, source.schema)
    with run.log.phase("split"):
        divided = divide(settings, source, folder, earlier if keeps else None, settings.refresh.inner)
        table = source.read()
        sides, inner = pl.Series(divided.sides), pl.Series(divided.inner, dtype=pl.Boolean)
        train = sides == Side.TRAIN
        if earlier is not None and keeps:
            _check_repeats(run, table, folder, earlier.rule, allow_drift)
    with run.log.phase("provenance"):
        where = source.names[0] + (f" and {len(source.names) - 1} more" if len(source.names) > 1 else "")
        sketches, remedy = (
            out / "sketches",
            "take the synthetic rows out of the source: refresh learns from real rows alone",
        )
        origin = check_lineage(run, source.paths, source.names, table.height, allow_synthetic=False, remedy=remedy)
        found = check_sketches(run, table.filter(train), sketches, where=where, allow_synthetic=False, remedy=remedy)
        lineage = with_contamination(origin.lineage, found, table.height)
    fitted = table.filter(train & ~inner)
    check_constraints(settings, fitted, source.schema)
    if fitted.is_empty():
        raise BadTableError(
            f"{where}: the {table.height:,} rows leave none to learn from beside holdout and inner slot",
            "give more rows, or a smaller refresh.inner",
        )
    newest = _newest(table, settings.data.time)
    if newest is not None and newest > datetime.now(UTC).date().isoformat():
        run.log.warn(f"data.time: the newest row is of the future ({newest}): the data's age means nothing")
    return Incoming(
        source=source,
        divided=divided,
        fitted=fitted,
        inner=table.filter(train & inner),
        holdout=table.filter(sides == Side.HOLDOUT),
        privacy_holdout=table.filter(sides == Side.PRIVACY) if divided.rule.privacy_holdout else None,
        origin={"sha256": origin.sha256, "lineage": lineage.to_dict()},
        newest=newest,
        schema_changes=changes,
        renewed=not keeps,
    )


def _opened(run: Run, settings: Config, earlier: SplitRecord | None, allowed: bool) -> tuple[Source, tuple[str, ...]]:
    """Open the source by the frozen schema; where it does not fit, refuse, or take the columns as they are now."""
    if earlier is None:
        return open_data(settings, run.log), ()
    hint = "correct the source, or accept its columns as they are now with --allow-schema-change"
    try:
        source = open_data(settings, run.log, earlier.schema)
    except BadTableError as error:
        source = open_data(settings, run.log)  # raises where it is no table at all, which nothing could allow
        if not allowed:
            raise BadTableError(f"{error.message}; the champion stays", hint) from error
    changes = schema_changes(earlier.schema, source.schema)
    if changes and not allowed:
        raise BadTableError(f"{source.names[0]}: {'; '.join(changes)}; the champion stays", hint)
    for change in changes:
        run.log.warn(f"{change}; accepted, as --allow-schema-change says")
    return source, changes


def _check_ignored(settings: Config, schema: Schema) -> None:
    for name in settings.refresh.drift.ignore:
        if name not in schema:
            hint = suggestion(name, schema.names)
            raise ConfigError(f"refresh.drift.ignore: the table has no column {name!r}", hint)


def _check_repeats(run: Run, table: pl.DataFrame, folder: SplitFolder, rule: SplitRule, allowed: bool) -> None:
    """Raise ``BadTableError`` where new rows repeat rows that were learned from far more often than reserved ones do.

    A file that is there twice, or exports that overlap, put copies of reserved rows into the training part. How often
    a real row equals one of the training part by nature is known from the holdout.
    """
    if not folder.train.is_file() or not folder.holdout.is_file():
        return
    # A split by time, which has a third part, is not refreshed.
    trained, reserved = (
        row_keys(pl.read_parquet(path, glob=False), rule.columns) for path in (folder.train, folder.holdout)
    )
    known, times = np.unique(np.concatenate([trained, reserved]), return_counts=True)
    keys = row_keys(table, rule.columns)
    slot = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    new = keys[occurrences(keys) >= np.where(known[slot] == keys, times[slot], 0)]
    if not len(new) or not len(reserved):
        return
    found, usual = float(np.isin(new, trained).mean()), float(np.isin(reserved, trained).mean())
    spread = usual * (1 - usual) * (1 / len(new) + 1 / len(reserved))
    if found - usual <= max(REPEATS, 3 * float(np.sqrt(spread))):
        return
    message = (
        f"{found:.0%} of the {len(new):,} new rows repeat rows that were learned from; of reserved rows {usual:.0%} do "
        "by nature"
    )
    if not allowed:
        raise BadTableError(
            f"{message}; the champion stays",
            "look for a file that is there twice, or exports that overlap; if the rows are right, add --allow-drift",
        )
    run.log.warn(f"{message}; accepted, as --allow-drift says")


def columns_since(version: Version, now: Schema) -> tuple[str, ...]:
    """Return what is new about the columns since the version was fitted; nothing where its schema cannot be read."""
    try:
        then = Schema.from_dict(read_json(version.folder / "schema.json"))
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return schema_changes(then, now)


def schema_changes(before: Schema, now: Schema) -> tuple[str, ...]:
    """Return what is new about the columns, a phrase each; another order is nothing new."""
    added = [f"column {name!r} is new" for name in now.names if name not in before]
    gone = [f"column {name!r} is gone" for name in before.names if name not in now]
    retyped = [
        f"column {old.name!r} was {old.kind} stored as {old.dtype}, now {new.kind} stored as {new.dtype}"
        for old in before
        if old.name in now and (old.kind, old.dtype) != ((new := now[old.name]).kind, new.dtype)
    ]
    return (*added, *gone, *retyped)


def _fits(rule: SplitRule, before: Schema, now: Schema) -> bool:
    """Whether a row that did not change has the same place under ``rule``: its columns are there, with equal keys."""
    return all(name in now and before[name].key_type == now[name].key_type for name in rule.needs)


def _newest(table: pl.DataFrame, time: str | None) -> str | None:
    """Return the day of the newest row: a day and no instant, since it is of a real row."""
    if time is None or not table[time].dtype.is_temporal():
        return None
    newest = table[time].max()
    if isinstance(newest, datetime):
        newest = (newest.astimezone(UTC) if newest.tzinfo else newest).date()
    return newest.isoformat() if isinstance(newest, date) else None
