"""``synthcli split``: load the table, decide each row's side, write the parts and the rule that divided them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.completing import columns
from synthcli.commands.running import Outcome, Run, command, say_real_rows

if TYPE_CHECKING:
    import polars as pl

    from synthcli.config import Config
    from synthcli.holdout import SplitFolder
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
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="CSV or Parquet file, folder of parts, URL, or - for stdin.")
    ] = None,
    holdout: Annotated[float | None, typer.Option(help="Share of rows to reserve (default: 0.2).")] = None,
    method: Annotated[Method | None, typer.Option(help="How a row's side is decided (default: hash).")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Column of the groups or strata; may be repeated.", metavar="COL", autocompletion=columns),
    ] = None,
) -> Outcome:
    """Reserve a holdout that stays a holdout when the data grow."""
    from synthcli.holdout import SplitFolder
    from synthcli.registry import lock

    settings = run.settings(
        data__path=data,
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
    import polars as pl

    from synthcli.commands.dividing import divide, row_counts, write
    from synthcli.commands.inputs import open_data

    earlier = folder.read() if folder.exists() else None
    with run.log.phase("read"):
        source = open_data(settings, run.log, earlier.schema if earlier else None)
    with run.log.phase("split"):
        divided = divide(settings, source, folder, earlier)
    rule = divided.rule
    result: dict[str, Any] = {"rows": row_counts(divided, folder), "target_shares": {}}
    if run.dry_run:
        return _planned(run, settings, folder, source, rule, result)
    with run.log.phase("write"):
        write(run, source, divided, folder)
    say_real_rows(run, [*folder.parts(rule).values()])
    if len(divided.sides) <= MOST_COMPARED:
        with run.log.phase("compare"):
            train, holdout = (pl.read_parquet(part, glob=False) for part in (folder.train, folder.holdout))
            result |= _compared(settings, train, holdout, source.schema)
        for doubt in _doubts(settings, pl.concat([train, holdout])):
            run.log.warn(doubt)
    return _outcome(run, settings, folder, rule, result)


def _planned(
    run: Run, settings: Config, folder: SplitFolder, source: Source, rule: SplitRule, result: dict[str, Any]
) -> Outcome:
    from synthcli.commands.plays import split_play
    from synthcli.commands.rehearsing import planned

    ended = _outcome(run, settings, folder, rule, result)
    would = {"would reserve": f"{settings.split.holdout:.0%} of the rows, by {rule.method}"}
    return planned(run, settings, split_play(source, result["rows"], folder), would, result, ended.artifacts)


def _doubts(settings: Config, rows: pl.DataFrame) -> Iterator[str]:
    """Yield what the rows say against the columns that the configuration names."""
    key, target = settings.data.primary_key, settings.data.target
    if key is not None and (different := rows[key].n_unique()) < rows.height:
        yield (
            f"data.primary_key: {key!r} has {different:,} different values in {rows.height:,} rows, where a key has "
            "another one in each: generators make it anew, and what it says is lost"
        )
    if target is not None and rows[target].drop_nulls().n_unique() < 2:
        yield f"data.target: {target!r} has the same value in every row that has one: no model can predict it"


def _compared(settings: Config, train: pl.DataFrame, holdout: pl.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return how alike the parts are: classes of the target, shared rows, and whether a classifier tells them apart."""
    from synthcli.metrics.overlap import measure_overlap
    from synthcli.metrics.similarity import two_sample_test
    from synthcli.seeds import generator

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
        lambda: split_report(result, settings.data.target),
        result,
        artifacts,
        next_step=run.follow_up("fit"),
        records={folder.path: list(artifacts.values())},
    )


def _warn(run: Run, rule: SplitRule, result: dict[str, Any]) -> None:
    """Say what an audit on this holdout could not show."""
    from synthcli.commands.validate import MIN_ROWS
    from synthcli.metrics.estimate import rows_for_half_width, share_half_width

    rows = result["rows"]["holdout"]
    enough = rows_for_half_width(0.03)
    total = sum(result["rows"].values())
    if min(rows, result["rows"]["train"]) < MIN_ROWS:
        todo = (
            f"give a table of {2 * MIN_ROWS} rows or more"
            if total < 2 * MIN_ROWS
            else "in another --out, a split.holdout nearer to 0.5 may do, with split.method random to the row"
        )
        run.log.warn(
            f"{result['rows']['train']:,} training rows and {rows:,} in the holdout: validate needs {MIN_ROWS} of "
            f"each, so that nothing made from this split can be audited; {todo}"
        )
    elif rows < enough:
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
