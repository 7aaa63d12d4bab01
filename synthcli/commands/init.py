"""``synthcli init``: look at a table once, and write down as a configuration what was found and guessed."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from synthcli.commands.running import DEFAULT_CONFIG, Outcome, Run, command
from synthcli.remote import is_url

if TYPE_CHECKING:
    import polars as pl

    from synthcli.config import Config
    from synthcli.profiling import TableProfile
    from synthcli.schema import Schema

#: The commands that run with the file, in the pipeline's order.
PIPELINE = ("split", "fit", "sample", "validate")


@command
def init(
    run: Run,
    data: Annotated[str, typer.Argument(metavar="DATA", help="CSV or Parquet file, glob, or folder of parts.")],
    target: Annotated[str | None, typer.Option(help="Column to predict (default: guessed).")] = None,
    out_config: Annotated[Path, typer.Option(metavar="FILE", help="Configuration file to write.")] = Path(
        DEFAULT_CONFIG
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace the file where there is one.")] = False,
) -> Outcome:
    """Look at a table and write a commented configuration for it."""
    from synthcli.artifacts import write_text
    from synthcli.config import Config, as_plain
    from synthcli.config.json_schema import FILE_NAME, schema_text
    from synthcli.profiling import profile
    from synthcli.reports.config_text import config_text

    _check_paths(run, data, out_config, force)
    resolved = run.resolved(data__path=data, data__target=target, run__seed=run.seed)
    settings = resolved.config
    _check_secrets(settings)
    with run.log.phase("read"):
        table, schema, settings = _read(run, settings)
    with run.log.phase("profile"):
        found = profile(
            table, schema, target=settings.data.target, settled=settings.data.columns, seed=settings.run.seed
        )
    config = _guessed(as_plain(settings), found)
    if all(origin == "default" for key, origin in resolved.origins.items() if key.startswith("synthesizer.")):
        config["synthesizer"] = {"kind": "forest"}
    config["data"]["path"] = stated_path(data, out_config.parent)
    default = as_plain(Config())
    if run.out or config["run"]["output_dir"] != default["run"]["output_dir"]:
        config["run"]["output_dir"] = stated_path(config["run"]["output_dir"], out_config.parent)
    if config["split"]["salt"] == default["split"]["salt"]:
        config["split"]["salt"] = _called(data).split(".")[0] or default["split"]["salt"]
    if resolved.origins["split.holdout"] == "default":
        config["split"]["holdout"], method = division(found.rows, config["split"]["holdout"])
        if resolved.origins["split.method"] == resolved.origins["split.by"] == "default":
            config["split"]["method"] = method
    _warn(run, found)
    commands = [f"synthcli {name} -c {shlex.quote(str(out_config))}" for name in PIPELINE]
    text = config_text(config, default, found, commands=commands)
    schema_file = out_config.with_name(FILE_NAME)
    if not run.dry_run:
        write_text(schema_file, schema_text())
        write_text(out_config, text)
    elif not run.json:
        sys.stdout.write(text)
    written = {"config": out_config, "schema": schema_file}
    return _outcome(run, config, found, written, text, commands[0])


def division(rows: int, usual: float) -> tuple[float, Literal["hash", "random"]]:
    """Return the least share, from ``usual`` on, that leaves both parts the rows that an audit needs, and a method.

    How many rows a hash puts on one side varies; two standard deviations are allowed for. Where that takes too many,
    halves that are exact to the row may do. For a table that has too few whatever is done, all is as usual.
    """
    from synthcli.commands.validate import MIN_ROWS

    for share in (usual, 0.3, 0.4, 0.5):
        if share * rows - 2 * (rows * share * (1 - share)) ** 0.5 >= MIN_ROWS:
            return share, "hash"
    return (0.5, "random") if rows >= 2 * MIN_ROWS else (usual, "hash")


def _warn(run: Run, found: TableProfile) -> None:
    """Say at once what a later command could not do with the table."""
    from synthcli.commands.validate import MIN_ROWS

    rows = found.rows
    if rows < 2 * MIN_ROWS:
        run.log.warn(
            f"{rows:,} {'row' if rows == 1 else 'rows'}: an audit needs {MIN_ROWS} in the training part and {MIN_ROWS} "
            f"in the holdout, so that it takes a table of {2 * MIN_ROWS}; from fewer, rows can be drawn, but nothing "
            "tells whether they are safe or useful"
        )
    if not found.schema.modelled:
        run.log.warn(
            "every column was taken for an id or free text, so that fit would find nothing to learn; "
            "data.columns in the file can say what they are"
        )


def _called(data: str) -> str:
    """Return the name of the table's file or folder; nothing where it has none, as a glob."""
    from glob import has_magic

    from synthcli import remote

    if remote.is_url(remote.plain(data)):
        return "" if has_magic(data) else remote.name(data)
    path = Path(remote.plain(data))
    return path.resolve().name if path.exists() else ""


def _check_paths(run: Run, data: str, out_config: Path, force: bool) -> None:
    """Refuse what no configuration can name, a table that is not there, and a file that would be lost."""
    from synthcli import remote
    from synthcli.errors import UsageError
    from synthcli.tables.files import resolve

    given = Path(data)
    if run.config_file is not None:
        raise UsageError("init writes a configuration and reads none", f"to write it: --out-config {run.config_file}")
    if data == "-" or (given.exists() and not given.is_file() and not given.is_dir()):
        raise UsageError("init needs a table with a path, which the configuration can name", "save the table to a file")
    if not is_url(remote.plain(data)):
        resolve(data)  # a name mistyped is told before a file that stands in the way
    if out_config.suffix not in (".yaml", ".yml") or out_config.is_dir():
        # Whatever is named here is replaced under --force, and it may be one of the table's parts.
        raise UsageError(f"--out-config: got {out_config}, expected a file that ends in .yaml", "try synthcli.yaml")
    if out_config.exists() and not force and not run.dry_run:
        raise UsageError(f"{out_config}: the file exists", "--force replaces it, --out-config FILE names another one")


def _check_secrets(settings: Config) -> None:
    """Refuse to write down what no file should keep."""
    from synthcli.config import as_plain
    from synthcli.config.load import leaves
    from synthcli.config.showing import without_secrets
    from synthcli.errors import UsageError

    plain = as_plain(settings)
    kept = dict(leaves(without_secrets(plain)))
    for path, value in leaves(plain):
        if kept[path] != value:
            raise UsageError(
                f"{'.'.join(path)}: got {kept[path]}, where *** is a password or a query, which no file should keep",
                "give credentials as the store's own tools want them, in the environment",
            )


def _read(run: Run, settings: Config) -> tuple[pl.DataFrame, Schema, Config]:
    """Return the table, its schema, and the settings, with missing tokens stated where that reads the same table.

    Stated tokens count in every column, found ones only where they are meant: a ``?`` that is a category of one column
    and a missing number of another has to be left to the detection.
    """
    from synthcli.commands.inputs import open_data

    source = open_data(settings, run.log)
    table, kinds = source.read(), _kinds(source.schema)
    tokens = sorted({column.missing for column in source.schema} - {""})
    if tokens and settings.data.missing is None:
        stated = settings.model_copy(update={"data": settings.data.model_copy(update={"missing": ["", *tokens]})})
        again = open_data(stated, replace(run.log, verbose=False))
        if _kinds(again.schema) == kinds and again.read().equals(table):
            return table, again.schema, stated
    return table, source.schema, settings


def _kinds(schema: Schema) -> list[tuple[str, str]]:
    return [(column.kind, column.dtype) for column in schema]


def _guessed(config: dict[str, Any], found: TableProfile) -> dict[str, Any]:
    """Return the configuration with what was guessed in the places that a person left open."""
    data = config["data"]
    kinds = {name: {"type": found.schema[name].kind.value, "format": _format(found, name)} for name in found.stated}
    giveaways = [feature.name for feature in found.giveaways if feature.name not in data["exclude_features"]]
    guesses = {
        "target": found.target,
        "time": data["time"] or found.time,
        "primary_key": data["primary_key"] or found.key,
        "exclude_features": [*data["exclude_features"], *giveaways],
        "columns": {**kinds, **data["columns"]},
    }
    return {**config, "data": {**data, **guesses}}


def _format(found: TableProfile, name: str) -> str | None:
    column = found.schema[name]
    return column.format if column.kind == "datetime" else None


def stated_path(path: str, folder: Path) -> str:
    """Return ``path`` as a configuration in ``folder`` states it: relative, unless nothing but the root is shared.

    A URL stays as it is.
    """
    if is_url(path):
        return path
    absolute, home = os.path.abspath(path), os.path.realpath(folder)
    if os.path.commonpath([absolute, home]) == os.path.sep:
        return absolute
    return Path(os.path.relpath(absolute, home)).as_posix()


def _outcome(
    run: Run, config: dict[str, Any], found: TableProfile, written: dict[str, Path], text: str, next_step: str
) -> Outcome:
    from synthcli.reports.terminal import facts_report

    data = config["data"]
    result = {
        "rows": found.rows,
        "columns": {column.name: column.kind.value for column in found.schema},
        **{key: data[key] for key in ("target", "time", "primary_key", "missing", "exclude_features")},
        "score": found.scores.measure,
        "giveaways": {feature.name: round(feature.score, 4) for feature in found.giveaways},
        "suspects": {feature.name: round(feature.score, 4) for feature in found.suspects},
        "stated": dict(found.stated),
        "doubts": dict(found.doubts),
        **({"config": text} if run.dry_run else {}),
    }
    if run.dry_run:
        return Outcome(None, result)
    return Outcome(lambda: facts_report(_facts(result)), result, written, next_step=next_step)


def _facts(result: dict[str, Any]) -> dict[str, str]:
    """Return what a person should see at once; everything else stands in the file."""
    from synthcli.reports.yaml_lines import scalar

    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(result["columns"].values()).most_common())
    width = len(result["columns"])
    rows = f"{result['rows']:,} {'row' if result['rows'] == 1 else 'rows'}"
    facts = {"table": f"{rows} × {width:,} {'column' if width == 1 else 'columns'}: {kinds}"}
    for name, key in (("target", "target"), ("time", "time"), ("key", "primary_key")):
        facts[name] = scalar(result[key]) if result[key] is not None else "none found"
    if result["missing"]:
        facts["missing cells"] = ", ".join(map(scalar, result["missing"]))
    for name, key in (("gives target away", "giveaways"), ("may give it away", "suspects")):
        listed = [f"{scalar(feature)} ({result['score']} {score:.3f})" for feature, score in result[key].items()]
        facts |= {name: ", ".join(listed)} if listed else {}
    doubts = [f"{scalar(name)}: {doubt}" for name, doubt in (result["stated"] | result["doubts"]).items()]
    return facts | ({"please check": "\n".join(doubts)} if doubts else {})
