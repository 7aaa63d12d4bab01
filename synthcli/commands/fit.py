"""``synthcli fit``: load the training part, make sure that no holdout row is in it, fit, publish a new version."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    import polars as pl

    from synthcli.config import Config
    from synthcli.registry import Version
    from synthcli.schema import Schema


@command
def fit(
    run: Run,
    train: Annotated[
        Path | None, typer.Option(help="Table to learn from (default: the split's training part).")
    ] = None,
    synthesizer: Annotated[str | None, typer.Option(help="Kind of generator: gaussian_copula.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Fit again although nothing changed.")] = False,
) -> Outcome:
    """Train a generator on the training part only."""
    from synthcli.config import as_plain
    from synthcli.registry import aliases, find_same, fingerprint, lock, set_alias
    from synthcli.rowkeys import table_key
    from synthcli.versions import versions

    settings = run.settings(run__seed=run.seed, synthesizer__kind=synthesizer)
    out = Path(settings.run.output_dir)
    with run.log.phase("read"):
        table, schema, path = _load(run, settings, out, train)
    section = as_plain(settings)["synthesizer"]
    parameters = {name: value for name, value in section.items() if name != "kind"}
    learned_from = {"path": str(path), "rows": table.height, "content_key": table_key(table, schema.names)}
    identity = {
        "content_key": learned_from["content_key"],
        "schema": schema.to_dict(),
        "synthesizer": section,
        "seed": settings.run.seed,
        "versions": versions(),
    }
    mark = fingerprint(identity)
    if run.dry_run:
        return _planned(run, section["kind"], table, out)
    with lock(out):
        same = None if force else find_same(out, mark)
        if same is not None:
            if aliases(out).get("latest") != same.number:  # the data are those of an older version again
                set_alias(out, "latest", same.number)
            run.log.info(f"version {same.name} was fitted on the same data with the same settings (--force fits again)")
            return _outcome(run, same, "skipped")
        version = _fit(run, settings, out, table, schema, parameters, learned_from, mark)
        champion = aliases(out).get("champion")
    if champion is not None and champion != version.number:
        run.log.warn(f"champion is version {champion:04d}: sample and validate use it unless told --generator latest")
    return _outcome(run, version, "ok")


def _load(run: Run, settings: Config, out: Path, train: Path | None) -> tuple[pl.DataFrame, Schema, Path]:
    """Return the table to learn from, its schema and its path; refuses rows that the split reserves."""
    from synthcli.commands.inputs import open_file
    from synthcli.errors import MissingFileError
    from synthcli.holdout import SplitFolder, guard

    folder = SplitFolder(out / "split")
    if not folder.exists():
        if train is None:
            raise MissingFileError(f"{folder.path}: no split to learn from", "run `synthcli split DATA` first")
        run.log.warn("no holdout reserved: without one nobody can prove whether the synthetic rows are safe and useful")
        source = open_file(train, settings, run.log)
        return source.read(), source.schema, train
    path = train or folder.train
    source = open_file(path, settings, run.log, folder.read().schema)
    table = source.read()
    guard(table, folder, where=str(path))
    return table, source.schema, path


def _fit(
    run: Run,
    settings: Config,
    out: Path,
    table: pl.DataFrame,
    schema: Schema,
    parameters: dict[str, Any],
    learned_from: dict[str, Any],
    mark: str,
) -> Version:
    from synthcli.registry import publish
    from synthcli.synthesizers.assembly import fit_table
    from synthcli.versions import versions

    kind, seed = settings.synthesizer.kind, settings.run.seed
    started = monotonic()
    with run.log.phase("fit") as phase:
        generator = fit_table(table, schema, kind, parameters, seed, phase.update)
    seconds = round(monotonic() - started, 3)
    for note in generator.notes:
        run.log.warn(note)
    with run.log.phase("publish"):
        return publish(
            out,
            generator.save,
            kind=kind,
            parameters=parameters,
            seed=seed,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            train=learned_from,
            versions=versions(),
            fingerprint=mark,
            fit_seconds=seconds,
            notes=generator.notes,
        )


def _planned(run: Run, kind: str, table: pl.DataFrame, out: Path) -> Outcome:
    from synthcli.reports.terminal import facts_report

    facts = {"would fit": kind, "on": f"{table.height:,} rows × {table.width} columns", "into": str(out / "generators")}
    return Outcome(lambda: facts_report(facts), {"plan": facts}, next_step=run.follow_up("fit"))


def _outcome(run: Run, version: Version, status: str) -> Outcome:
    from synthcli.reports.terminal import facts_report

    manifest = version.manifest
    facts = {
        "generator": f"{manifest.kind}, version {version.name}",
        "learned from": f"{manifest.train['rows']:,} rows of {manifest.train['path']}",
        "fit": f"{manifest.fit_seconds:.1f} s, seed {manifest.seed}",
    }
    result = {"version": version.number, "kind": manifest.kind, "rows": manifest.train["rows"], "seed": manifest.seed}
    return Outcome(
        lambda: facts_report(facts),
        {**result, "fit_seconds": manifest.fit_seconds},
        {"generator": version.folder},
        status=status,
        next_step=run.follow_up("sample"),
    )
