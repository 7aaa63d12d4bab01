"""``synthcli split``: load the table, decide each row's side, write both parts and the rule that divided them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    import polars as pl

    from synthcli.config import Config
    from synthcli.schema import Schema
    from synthcli.splitting import SplitRule


@command
def split(
    run: Run,
    data: Annotated[Path | None, typer.Argument(help="CSV or Parquet file, folder of parts, or - for stdin.")] = None,
    holdout: Annotated[float | None, typer.Option(help="Share of rows to reserve (default: 0.2).")] = None,
    method: Annotated[str | None, typer.Option(help="How a row's side is decided: hash.")] = None,
    by: Annotated[list[str] | None, typer.Option(help="Column whose rows stay together; may be repeated.")] = None,
) -> Outcome:
    """Reserve a holdout that stays a holdout when the data grow."""
    from synthcli.commands.inputs import describe_file, open_data
    from synthcli.holdout import SplitFolder
    from synthcli.splitting import holdout_sides

    settings = run.settings(
        data__path=str(data) if data else None, split__holdout=holdout, split__method=method, split__by=by or None
    )
    folder = SplitFolder(Path(settings.run.output_dir) / "split")
    earlier = folder.read() if folder.exists() else None
    with run.log.phase("read"):
        source = open_data(settings, run.log, earlier.schema if earlier else None)
        table = source.read()
    rule = _rule(settings, source.schema, earlier.rule if earlier else None)
    with run.log.phase("split"):
        sides = holdout_sides(table, rule)
    parts = {"train": table.filter(~sides), "holdout": table.filter(sides)}
    _check_parts(parts, rule)
    if not run.dry_run:
        with run.log.phase("write"):
            folder.write(rule, source.schema, parts, sources=[describe_file(path) for path in source.paths])
    return _outcome(run, settings, folder, parts)


def _rule(settings: Config, schema: Schema, earlier: SplitRule | None) -> SplitRule:
    """Return the rule in force: the earlier split's where there is one, which the settings may not contradict."""
    from synthcli.errors import ConfigError
    from synthcli.splitting import SplitRule

    wanted = settings.split
    for name in wanted.by:
        if name not in schema:
            raise ConfigError(f"split.by: the table has no column {name!r}", f"its columns: {', '.join(schema.names)}")
    if earlier is None:
        return SplitRule(wanted.method.value, wanted.holdout, tuple(wanted.by), wanted.salt, schema.names)
    for name, now, then in (
        ("method", wanted.method.value, earlier.method),
        ("holdout", wanted.holdout, earlier.holdout),
        ("by", tuple(wanted.by), earlier.by),
        ("salt", wanted.salt, earlier.salt),
    ):
        if now != then:
            raise ConfigError(
                f"split.{name}: got {_said(now)}, but the holdout in {settings.run.output_dir} was reserved with "
                f"{_said(then)}; another rule would move holdout rows into the training part",
                f"keep split.{name} at {_said(then)}, or start anew in another directory with --out DIR",
            )
    return earlier


def _said(value: object) -> str:
    return ",".join(value) or "none" if isinstance(value, tuple) else str(value)


def _check_parts(parts: dict[str, pl.DataFrame], rule: SplitRule) -> None:
    from synthcli.errors import BadTableError

    rows = sum(part.height for part in parts.values())
    for name, part in parts.items():
        if not part.height:
            raise BadTableError(
                f"all {rows:,} rows fall on one side: the {name} part would be empty (holdout share {rule.holdout:g})",
                "give more rows or groups, or another split.holdout",
            )


def _outcome(run: Run, settings: Config, folder: Any, parts: dict[str, pl.DataFrame]) -> Outcome:
    from synthcli.reports.terminal import split_report

    target = settings.data.target
    result = {
        "rows": {name: part.height for name, part in parts.items()},
        "target_shares": {
            name: _shares(part, target) for name, part in parts.items() if target is not None and target in part.columns
        },
    }
    artifacts = {} if run.dry_run else {"train": folder.train, "holdout": folder.holdout, "split": folder.record}
    return Outcome(lambda: split_report(result, target), result, artifacts, next_step=run.follow_up("fit"))


def _shares(part: pl.DataFrame, target: str) -> dict[str, float]:
    """Return the share of each class of a target with few, frequent classes; nothing for any other target."""
    from synthcli.encoding import MIN_CATEGORY_ROWS, category_counts

    tally = category_counts(part[target])
    if tally.height > 10 or (tally["count"] < MIN_CATEGORY_ROWS).any():
        return {}
    total = int(tally["count"].sum())
    return {
        str(level).lower() if isinstance(level, bool) else str(level): count / total
        for level, count in tally.sort("level").iter_rows()
    }
