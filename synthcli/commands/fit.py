"""``synthcli fit``: load the training part, make sure that no holdout row is in it, fit, publish a new version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.completing import kinds
from synthcli.commands.running import Outcome, Run, Workers, command

if TYPE_CHECKING:
    from synthcli.commands.learning import Learned
    from synthcli.config import Config
    from synthcli.registry import Version
    from synthcli.sketches import Contamination


@command
def fit(
    run: Run,
    train: Annotated[
        str | None, typer.Option(help="Table or URL to learn from (default: the split's training part).")
    ] = None,
    synthesizer: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="Kind of generator, e.g. gaussian_copula, forest, auto.", autocompletion=kinds
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fit again although nothing changed.")] = False,
    allow_synthetic: Annotated[
        bool, typer.Option("--allow-synthetic", help="Learn from synthetic rows too, and say so in the lineage.")
    ] = False,
    workers: Workers = None,
) -> Outcome:
    """Train a generator on the training part only."""
    from synthcli.commands.fitting import described, identity, make, terms
    from synthcli.commands.learning import check_constraints, load, provenance, refuse_reserved
    from synthcli.executors import as_workers
    from synthcli.registry import aliases, find_same, fingerprint, lock, publish, set_aliases
    from synthcli.rowkeys import table_key

    settings = run.settings(run__seed=run.seed, run__workers=as_workers(workers), synthesizer__kind=synthesizer)
    out = Path(settings.run.output_dir)
    with run.log.phase("read"):
        learned = load(run, settings, out, train)
    with run.log.phase("provenance"):
        refuse_reserved(run, out, learned, allow_synthetic)
        origin, found = provenance(run, out, learned, allow_synthetic)
    table, schema = learned.table, learned.schema
    check_constraints(settings, table, schema)
    judged_by = terms(settings, out, schema)
    content_key = table_key(table, schema.names)
    learned_from = {"path": learned.path, "rows": table.height, "content_key": content_key, **origin}
    mark = fingerprint(identity(settings, schema, origin, content_key, judged_by))
    if run.dry_run:
        known = None if force else find_same(out, mark)
        return _planned(run, settings, learned, out, known, given=train is not None, allowed=allow_synthetic)
    with lock(out):
        same = None if force else find_same(out, mark)
        if same is not None:
            if aliases(out).get("latest") != same.number:  # the data are those of an older version again
                set_aliases(out, {"latest": same.number})
            run.log.info(f"version {same.name} was fitted on the same data with the same settings (--force fits again)")
            return _outcome(run, same, found, "skipped")
        fitted = make(run, settings, table, schema, judged_by)
        told = described(run, settings, fitted, learned_from, mark, datetime.now(UTC))
        with run.log.phase("publish"):
            version = publish(out, fitted.generator.save, **told)
        champion = aliases(out).get("champion")
    if champion is not None and champion != version.number:
        run.log.warn(f"champion is version {champion:04d}: sample and validate use it unless told --generator latest")
    return _outcome(run, version, found, "ok")


def _planned(
    run: Run, settings: Config, learned: Learned, out: Path, same: Version | None, *, given: bool, allowed: bool
) -> Outcome:
    from synthcli.commands.fitting import contenders
    from synthcli.commands.plays import fit_play
    from synthcli.commands.rehearsing import nothing, planned
    from synthcli.config import Auto
    from synthcli.selection import names

    table = learned.table
    told, wanted = ", ".join(names(contenders(settings))), settings.synthesizer
    kind = f"the best of {told}, tried for at most {wanted.max_minutes:g} minutes" if isinstance(wanted, Auto) else told
    facts = {"would fit": kind, "on": f"{table.height:,} rows × {table.width} columns", "into": str(out / "generators")}
    if same is not None:
        return nothing(run, settings, {**facts, "would fit": f"nothing: version {same.name} is this generator already"})
    return planned(run, settings, fit_play(settings, out, learned, given=given, allowed=allowed), facts)


def _protected(account: Mapping[str, Any] | None) -> str:
    """Return in a line what the protection did, from its account in the manifest."""
    if account is None:
        return "no"
    columns = account["columns"].values()
    categories, cells = (sum(column[key] for column in columns) for key in ("rare_categories", "rare_rows"))
    moved = sum(column["clipped_low"] + column["clipped_high"] for column in columns)
    emptied = sum(column["emptied"] for column in columns)
    rare = "category" if categories == 1 else "categories"
    told = [f"{categories:,} rare {rare} replaced ({cells:,} cells)", f"{moved:,} extreme values moved inside"]
    told += [f"{emptied:,} cells emptied"] if emptied else []
    told += [f"{account['dropped_rows']:,} rows left out"] if account["dropped_rows"] else []
    return ", ".join(told)


def _outcome(run: Run, version: Version, found: Contamination | None, status: str) -> Outcome:
    from synthcli.commands.fitting import in_short
    from synthcli.reports.terminal import facts_report, selection_report

    manifest = version.manifest
    selection = manifest.selection
    facts = {
        "generator": f"{manifest.kind}, version {version.name}",
        "learned from": f"{manifest.train['rows']:,} rows of {manifest.train['path']}",
        "protected": _protected(manifest.train.get("protection")),
        "fit": f"{manifest.fit_seconds:.1f} s, seed {manifest.seed}",
    }
    result = {"version": version.number, "kind": manifest.kind, "rows": manifest.train["rows"], "seed": manifest.seed}
    return Outcome(
        lambda: facts_report(facts) if selection is None else selection_report(facts, selection),
        {
            **result,
            **({} if selection is None else {"leaderboard": selection["leaderboard"]}),
            "protection": manifest.train.get("protection"),
            "fit_seconds": manifest.fit_seconds,
            "lineage": in_short(manifest.train),
            "contamination": None
            if found is None
            else {"share": found.share, "low": found.low, "sketch": found.digest},
        },
        {"generator": version.folder},
        status=status,
        next_step=run.follow_up("sample"),
    )
