"""Dividing a table: the rule in force, each row's side, and the parts with the record of where they come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from synthcli.commands.running import Run
from synthcli.config import Config
from synthcli.config.suggest import suggestion
from synthcli.errors import BadTableError, ConfigError
from synthcli.holdout import SplitFolder, SplitRecord, digest_of
from synthcli.lineage import Lineage, of_source, write_sidecar
from synthcli.schema import Schema
from synthcli.seeds import stage_seed
from synthcli.splitting import Memory, Side, Sides, SplitRule, frozen_rule, inner_slot, sides
from synthcli.tables import Source


class Divided(NamedTuple):
    """The rule, each row's side, what a ``random`` split remembers afterwards, and which rows lie in the inner slot."""

    rule: SplitRule
    sides: Sides
    memory: Memory
    inner: npt.NDArray[np.bool_]


def divide(
    settings: Config, source: Source, folder: SplitFolder, earlier: SplitRecord | None, inner: float = 0.0
) -> Divided:
    """Decide the side of every row of ``source``, by the earlier split's rule where there is one.

    ``inner`` is the share of the rows, on either side, that lie in the inner slot (:func:`splitting.inner_slot`).
    Raises ``ConfigError`` where the settings contradict that rule, ``BadTableError`` where a side would be empty.
    """
    rule = _rule(settings, source.schema, earlier.rule if earlier else None)
    memory = folder.memory(rule) if earlier else Memory.empty()
    digest = digest_of(source, rule)
    if earlier is None:
        rule = frozen_rule(rule, digest, _since(settings, source.schema))
    where = sides(digest, rule, memory)
    memory = memory.with_rows(digest.content, where) if rule.method == "random" else memory
    divided = Divided(rule, where, memory, inner_slot(digest, rule, inner))
    _check_sides(divided, folder)
    return divided


def row_counts(divided: Divided, folder: SplitFolder) -> dict[str, int]:
    """Return the rows of each part by its name."""
    return {Side(side).name.lower(): int((divided.sides == side).sum()) for side in folder.parts(divided.rule)}


def write(run: Run, source: Source, divided: Divided, folder: SplitFolder) -> None:
    """Write the parts, the record and the parts' lineage."""
    lineage = _lineage(run, source, len(divided.sides))
    record = SplitRecord(divided.rule, source.schema)
    described = [{"path": lineage.parents[0].name, "sha256": lineage.parents[0].sha256}]
    folder.write(record, source, divided.sides, divided.memory, sources=described, metadata=lineage.metadata())
    for side, path in folder.parts(divided.rule).items():
        write_sidecar(path, lineage, int((divided.sides == side).sum()))


def _lineage(run: Run, source: Source, rows: int) -> Lineage:
    """Return the lineage of a part: that of the table it was taken from, which is its parent."""
    origin = of_source(source.paths, rows, source.names)
    for warning in origin.warnings:
        run.log.warn(f"{warning}; it does not count as evidence")
    if not origin.lineage.is_real:
        run.log.warn(
            f"{source.names[0]} is on record as {origin.lineage.kind}, {origin.lineage.depth} generations deep: "
            "`synthcli fit` will refuse to learn from it"
        )
    parent = origin.lineage.as_parent(source.names[0], rows, origin.sha256)
    return replace(origin.lineage, parents=(parent,), generator=None, seed=None)


def _rule(settings: Config, schema: Schema, earlier: SplitRule | None) -> SplitRule:
    """Return the rule in force: the earlier split's where there is one, which the settings may not contradict."""
    wanted = _wanted(settings, schema)
    if earlier is None:
        return wanted
    for name in ("method", "holdout", "by", "salt", "time", "privacy_holdout"):
        now, then = getattr(wanted, name), getattr(earlier, name)
        if now != then:
            raise ConfigError(
                f"split.{name}: got {_said(now)}, but the holdout in {settings.run.output_dir} was reserved with "
                f"{_said(then)}; another rule would move holdout rows into the training part",
                f"keep split.{name} at {_said(then)}, or start anew in another directory with --out DIR",
            )
    since = _since(settings, schema)
    if since is not None and since != earlier.cutoff:
        raise ConfigError(
            f"split.since: the holdout in {settings.run.output_dir} was reserved with another cutoff",
            "keep split.since as it was, or start anew in another directory with --out DIR",
        )
    return earlier


def _wanted(settings: Config, schema: Schema) -> SplitRule:
    """Return the rule that the settings ask for, before it froze anything."""
    wanted, data = settings.split, settings.data
    method = wanted.method.value
    for name in wanted.by:
        if name not in schema:
            raise ConfigError(f"split.by: the table has no column {name!r}", suggestion(name, schema.names))
    rule = SplitRule(method, wanted.holdout, tuple(wanted.by), wanted.salt, schema.names)
    if method == "random":
        return replace(rule, salt=f"{wanted.salt} {stage_seed(settings.run.seed, 'split')}")
    if method == "stratified" and not wanted.by:
        if data.target is None:
            raise ConfigError("split.method: stratified needs strata", "name them with split.by, or set data.target")
        return replace(rule, by=(data.target,))
    if method == "time":
        if data.time is None or not _ordered(schema, data.time):
            raise ConfigError("split.method: time needs a column of dates, times or numbers", "name it with data.time")
        return replace(rule, time=data.time, privacy_holdout=wanted.privacy_holdout)
    return rule


def _ordered(schema: Schema, name: str) -> bool:
    return not schema[name].dtype.startswith(("String", "Boolean"))


def _since(settings: Config, schema: Schema) -> int | None:
    """Return the configured cutoff in microseconds since 1970; a time without a zone is UTC, as stored times are."""
    since, name = settings.split.since, settings.data.time
    if since is None:
        return None
    if name is None or not schema[name].dtype.startswith("Date"):
        raise ConfigError("split.since: data.time is no column of dates or times", "leave split.since out")
    moment = datetime.fromisoformat(since)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)


def _said(value: object) -> str:
    return ",".join(value) or "none" if isinstance(value, tuple) else str(value)


def _check_sides(divided: Divided, folder: SplitFolder) -> None:
    rule = divided.rule
    for name, count in row_counts(divided, folder).items():
        if not count and name != "privacy":
            total = len(divided.sides)
            rows = "the only row falls" if total == 1 else f"all {total:,} rows fall"
            raise BadTableError(
                f"split.holdout: {rows} on one side, so that the {name} part would be empty "
                f"(method {rule.method}, share {rule.holdout:g})",
                "give more rows or groups, or set another split.holdout or split.method",
            )
