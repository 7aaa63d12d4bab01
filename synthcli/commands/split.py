"""``synthcli split``: load the table, decide each row's side, write the parts and the rule that divided them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    import polars as pl

    from synthcli.config import Config
    from synthcli.holdout import SplitFolder
    from synthcli.lineage import Lineage
    from synthcli.schema import Schema
    from synthcli.splitting import SplitRule
    from synthcli.tables import Source

#: Rows a side that the comparison of the parts looks at; enough for an AUC to within .02.
COMPARED = 5_000
#: Tables with more rows are divided without a comparison, which needs a part in memory; ``validate`` makes its own.
MOST_COMPARED = 2_000_000


class Method(StrEnum):
    """How a row's side is decided."""

    HASH = "hash"
    GROUP = "group"
    STRATIFIED = "stratified"
    TIME = "time"
    RANDOM = "random"


@command
def split(
    run: Run,
    data: Annotated[Path | None, typer.Argument(help="CSV or Parquet file, folder of parts, or - for stdin.")] = None,
    holdout: Annotated[float | None, typer.Option(help="Share of rows to reserve (default: 0.2).")] = None,
    method: Annotated[Method | None, typer.Option(help="How a row's side is decided (default: hash).")] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="Column of the groups or strata; may be repeated.", metavar="COL")
    ] = None,
) -> Outcome:
    """Reserve a holdout that stays a holdout when the data grow."""
    from synthcli.holdout import SplitFolder
    from synthcli.registry import lock

    settings = run.settings(
        data__path=str(data) if data else None,
        split__holdout=holdout,
        split__method=method.value if method else None,
        split__by=by or None,
    )
    out = Path(settings.run.output_dir)
    if run.dry_run:
        return _split(run, settings, SplitFolder(out / "split"))
    with lock(out):
        return _split(run, settings, SplitFolder(out / "split"))


def _split(run: Run, settings: Config, folder: SplitFolder) -> Outcome:
    """Divide the table; the caller holds the output directory's lock, unless nothing is to be written."""
    from synthcli.commands.inputs import open_data
    from synthcli.holdout import SplitRecord, digest_of
    from synthcli.lineage import write_sidecar
    from synthcli.splitting import Memory, frozen_rule, sides

    earlier = folder.read() if folder.exists() else None
    with run.log.phase("read"):
        source = open_data(settings, run.log, earlier.schema if earlier else None)
    rule = _rule(settings, source.schema, earlier.rule if earlier else None)
    memory = folder.memory(rule) if earlier else Memory.empty()
    with run.log.phase("split"):
        digest = digest_of(source, rule)
        if earlier is None:
            rule = frozen_rule(rule, digest, _since(settings, source.schema))
        where = sides(digest, rule, memory)
        memory = memory.with_rows(digest.content, where) if rule.method == "random" else memory
        del digest  # several numbers a row, which the writing of a large table can do without
    _check_sides(where, folder, rule)
    result: dict[str, Any] = {"rows": _rows(where, folder, rule), "target_shares": {}}
    if run.dry_run:
        return _outcome(run, settings, folder, rule, result)
    with run.log.phase("write"):
        lineage = _lineage(run, source, len(where))
        record = SplitRecord(rule, source.schema)
        described = [{"path": lineage.parents[0].name, "sha256": lineage.parents[0].sha256}]
        folder.write(record, source, where, memory, sources=described, metadata=lineage.metadata())
        for side, path in folder.parts(rule).items():
            write_sidecar(path, lineage, int((where == side).sum()))
    if len(where) <= MOST_COMPARED:
        with run.log.phase("compare"):
            result |= _compared(settings, folder, rule, source.schema)
    return _outcome(run, settings, folder, rule, result)


def _lineage(run: Run, source: Source, rows: int) -> Lineage:
    """Return the lineage of a part: that of the table it was taken from, which is its parent."""
    from synthcli.lineage import of_source

    origin = of_source(source.paths, rows)
    for warning in origin.warnings:
        run.log.warn(f"{warning}; it does not count as evidence")
    if not origin.lineage.is_real:
        run.log.warn(
            f"{source.paths[0]} is on record as {origin.lineage.kind}, {origin.lineage.depth} generations deep: "
            "`synthcli fit` will refuse to learn from it"
        )
    parent = origin.lineage.as_parent(str(source.paths[0]), rows, origin.sha256)
    return replace(origin.lineage, parents=(parent,), generator=None, seed=None)


def _rule(settings: Config, schema: Schema, earlier: SplitRule | None) -> SplitRule:
    """Return the rule in force: the earlier split's where there is one, which the settings may not contradict."""
    from synthcli.errors import ConfigError

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
    from synthcli.errors import ConfigError
    from synthcli.seeds import stage_seed
    from synthcli.splitting import SplitRule

    wanted, data = settings.split, settings.data
    method = wanted.method.value
    for name in wanted.by:
        if name not in schema:
            raise ConfigError(f"split.by: the table has no column {name!r}", f"its columns: {', '.join(schema.names)}")
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
    from synthcli.errors import ConfigError

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


def _rows(where: Any, folder: SplitFolder, rule: SplitRule) -> dict[str, int]:
    from synthcli.splitting import Side

    return {Side(side).name.lower(): int((where == side).sum()) for side in folder.parts(rule)}


def _check_sides(where: Any, folder: SplitFolder, rule: SplitRule) -> None:
    from synthcli.errors import BadTableError

    for name, count in _rows(where, folder, rule).items():
        if not count and name != "privacy":
            raise BadTableError(
                f"all {len(where):,} rows fall on one side: the {name} part would be empty "
                f"(method {rule.method}, holdout share {rule.holdout:g})",
                "give more rows or groups, or another split.holdout or split.method",
            )


def _compared(settings: Config, folder: SplitFolder, rule: SplitRule, schema: Schema) -> dict[str, Any]:
    """Return how alike the parts are: classes of the target, shared rows, and whether a classifier tells them apart."""
    import polars as pl

    from synthcli.metrics.overlap import measure_overlap
    from synthcli.metrics.similarity import two_sample_test
    from synthcli.seeds import generator

    train, holdout = pl.read_parquet(folder.train), pl.read_parquet(folder.holdout)
    target, seed = settings.data.target, settings.run.seed
    names = [column.name for column in schema.modelled]
    overlap = measure_overlap(holdout, train, names, COMPARED, generator(seed, "split", "overlap"))
    told = two_sample_test(train, holdout, schema, seed, COMPARED)
    shares = {
        name: _shares(part, target)
        for name, part in (("train", train), ("holdout", holdout))
        if target is not None and target in part.columns
    }
    return {
        "target_shares": shares,
        "overlap": overlap._asdict(),
        "c2st": None if told is None else {**told._asdict(), "low": told.interval.low, "high": told.interval.high},
    }


def _shares(part: pl.DataFrame, target: str) -> dict[str, float]:
    """Return the share of each class of a target with few, frequent classes; nothing for any other target."""
    from synthcli.columns import category_counts
    from synthcli.encoding import MIN_CATEGORY_ROWS

    tally = category_counts(part[target])
    if tally.height > 10 or (tally["count"] < MIN_CATEGORY_ROWS).any():
        return {}
    total = int(tally["count"].sum())
    return {
        str(level).lower() if isinstance(level, bool) else str(level): count / total
        for level, count in tally.sort("level").iter_rows()
    }


def _outcome(run: Run, settings: Config, folder: SplitFolder, rule: SplitRule, result: dict[str, Any]) -> Outcome:
    from synthcli.reports.terminal import split_report

    _warn(run, rule, result)
    artifacts = {path.stem: path for path in (*folder.parts(rule).values(), folder.record)}
    return Outcome(
        lambda: split_report(result, settings.data.target), result, artifacts, next_step=run.follow_up("fit")
    )


def _warn(run: Run, rule: SplitRule, result: dict[str, Any]) -> None:
    """Say what an audit on this holdout could not show."""
    from synthcli.metrics.estimate import rows_for_half_width, share_half_width

    rows = result["rows"]["holdout"]
    enough = rows_for_half_width(0.03)
    if rows < enough:
        total = sum(result["rows"].values())
        run.log.warn(
            f"the holdout has {rows:,} rows: shares will be known to ±{share_half_width(rows):.1%} at best; "
            f"{enough:,} rows (a table of about {-(-enough * total // rows // 100) * 100:,}) would give ±3.0%"
        )
    told = result.get("c2st")
    if told is not None and told["low"] > 0.55 and rule.method != "time":
        run.log.warn(
            f"a classifier tells training part and holdout apart (AUC {told['auc']:.3f}): they are not exchangeable, "
            "and privacy measures that compare them mean little"
        )
