"""``synthcli fit``: load the training part, make sure that no holdout row is in it, fit, publish a new version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    import polars as pl

    from synthcli.commands.learning import Learned
    from synthcli.config import Config
    from synthcli.progress import Phase
    from synthcli.registry import Version
    from synthcli.schema import Schema
    from synthcli.selection import Contender, Selection, Terms
    from synthcli.sketches import Contamination


@command
def fit(
    run: Run,
    train: Annotated[
        Path | None, typer.Option(help="Table to learn from (default: the split's training part).")
    ] = None,
    synthesizer: Annotated[
        str | None, typer.Option(metavar="KIND", help="Kind of generator, e.g. gaussian_copula, forest, auto.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fit again although nothing changed.")] = False,
    allow_synthetic: Annotated[
        bool, typer.Option("--allow-synthetic", help="Learn from synthetic rows too, and say so in the lineage.")
    ] = False,
) -> Outcome:
    """Train a generator on the training part only."""
    from synthcli.commands.learning import check_constraints, load, provenance, refuse_reserved
    from synthcli.config import as_plain
    from synthcli.registry import aliases, find_same, fingerprint, lock, set_alias
    from synthcli.rowkeys import table_key
    from synthcli.versions import versions

    settings = run.settings(run__seed=run.seed, synthesizer__kind=synthesizer)
    out = Path(settings.run.output_dir)
    with run.log.phase("read"):
        learned = load(run, settings, out, train)
    with run.log.phase("provenance"):
        refuse_reserved(run, out, learned, allow_synthetic)
        origin, found = provenance(run, out, learned, allow_synthetic)
    table, schema = learned.table, learned.schema
    check_constraints(settings, table, schema)
    terms = _terms(settings, out, schema)
    plain = as_plain(settings)
    content_key = table_key(table, schema.names)
    learned_from = {"path": str(learned.path), "rows": table.height, "content_key": content_key, **origin}
    identity = {
        "content_key": content_key,
        "split": origin["split"],
        "lineage": _in_short(origin),
        "schema": schema.to_dict(),
        "protection": plain["protection"],
        "constraints": plain["data"]["constraints"],
        "synthesizer": plain["synthesizer"],
        "seed": settings.run.seed,
        "versions": versions(),
    }
    if terms is not None:  # what the choice depends on beside all this
        identity["selection"] = {
            "target": terms.target,
            "exclude_features": terms.exclude_features,
            "secrets": terms.secrets,
            "by": terms.by,
        }
    mark = fingerprint(identity)
    if run.dry_run:
        return _planned(run, settings, table, out)
    with lock(out):
        same = None if force else find_same(out, mark)
        if same is not None:
            if aliases(out).get("latest") != same.number:  # the data are those of an older version again
                set_alias(out, "latest", same.number)
            run.log.info(f"version {same.name} was fitted on the same data with the same settings (--force fits again)")
            return _outcome(run, same, found, "skipped")
        version = _fit(run, settings, out, learned, terms, learned_from, mark)
        champion = aliases(out).get("champion")
    if champion is not None and champion != version.number:
        run.log.warn(f"champion is version {champion:04d}: sample and validate use it unless told --generator latest")
    return _outcome(run, version, found, "ok")


def _terms(settings: Config, out: Path, schema: Schema) -> Terms | None:
    """Return what candidates are judged under, as ``validate`` would judge; ``None`` where one kind is named."""
    from synthcli.commands.inputs import check_target
    from synthcli.config import Auto
    from synthcli.holdout import SplitFolder
    from synthcli.selection import Terms

    if not isinstance(settings.synthesizer, Auto):
        return None
    check_target(settings, schema)
    folder, data = SplitFolder(out / "split"), settings.data
    rule = folder.read().rule if folder.exists() else settings.split
    modelled = {column.name for column in schema.modelled}
    return Terms(
        seed=settings.run.seed,
        minutes=settings.synthesizer.max_minutes,
        protection=settings.protection,
        constraints=tuple(data.constraints),
        target=data.target,
        exclude_features=tuple(data.exclude_features),
        # A secret that cannot be measured is refused by ``validate``, where it is asked for.
        secrets=tuple(name for name in settings.validation.secrets if name in modelled),
        by=() if rule.method == "stratified" else tuple(name for name in rule.by if name in schema),
    )


def _contenders(settings: Config) -> list[Contender]:
    """Return what is to be fitted: the candidates of ``auto``, else the one kind that is named."""
    from synthcli.config import as_plain
    from synthcli.selection import Contender

    plain = as_plain(settings)["synthesizer"]
    sections = plain["candidates"] if plain["kind"] == "auto" else [plain]
    return [
        Contender(section["kind"], {name: value for name, value in section.items() if name != "kind"})
        for section in sections
    ]


def _selected(run: Run, settings: Config, learned: Learned, terms: Terms) -> Selection:
    """Try the candidates, and say so when one failed or was given up."""
    from synthcli.selection import select

    with run.log.phase("select") as phase:
        chosen = select(learned.table, learned.schema, _contenders(settings), terms, phase.update, monotonic)
    for candidate in chosen.leaderboard:
        if candidate.status in ("failed", "out_of_time"):
            why = candidate.reason or f"the {terms.minutes:g} minutes of synthesizer.max_minutes were over"
            run.log.warn(f"{candidate.name} was not judged: {why}")
    return chosen


def _in_short(learned_from: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lineage in a training table's description, without what it was made from."""
    lineage = learned_from.get("lineage") or {}
    return {name: lineage.get(name) for name in ("kind", "depth", "real_share")}


def _fit(
    run: Run,
    settings: Config,
    out: Path,
    learned: Learned,
    terms: Terms | None,
    learned_from: dict[str, Any],
    mark: str,
) -> Version:
    """Choose the kind where that is asked for, fit it on all training rows, and publish it."""
    from synthcli.errors import BadTableError
    from synthcli.protection import protect
    from synthcli.registry import publish
    from synthcli.synthesizers.assembly import fit_table
    from synthcli.versions import versions

    table, schema = learned.table, learned.schema
    seed, constraints = settings.run.seed, settings.data.constraints
    chosen = None if terms is None else _selected(run, settings, learned, terms)
    kind, parameters = _contenders(settings)[0] if chosen is None else (chosen.best.kind, chosen.best.parameters)
    started = monotonic()
    with run.log.phase("protect"):
        protected = protect(table, schema, settings.protection, constraints, seed)
    for note in protected.notes:
        (run.log.warn if protected.loses else run.log.note)(note)
    if table.height and protected.table.is_empty():
        raise BadTableError(
            "the protection leaves no training row to learn from",
            "lower protection.rare_category_min_count and clip_extremes, or leave out constraints",
        )
    with run.log.phase("fit") as phase:
        told = _logged(run, phase) if parameters.get("verbose") else phase.update
        generator = fit_table(protected.table, schema, kind, parameters, seed, told, constraints)
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
            train={**learned_from, "protection": protected.to_dict()},
            versions=versions(),
            fingerprint=mark,
            fit_seconds=seconds,
            notes=(*protected.notes, *generator.notes),
            selection=None if chosen is None else chosen.to_dict(),
        )


def _logged(run: Run, phase: Phase) -> Callable[[float, str], None]:
    """Return a listener that also logs each note, an epoch's losses for one."""

    def told(share: float, note: str) -> None:
        phase.update(share, note)
        run.log.info(f"fit {share:4.0%} {note}")

    return told


def _planned(run: Run, settings: Config, table: pl.DataFrame, out: Path) -> Outcome:
    from synthcli.config import Auto
    from synthcli.reports.terminal import facts_report
    from synthcli.selection import names

    told, wanted = ", ".join(names(_contenders(settings))), settings.synthesizer
    kind = f"the best of {told}, tried for at most {wanted.max_minutes:g} minutes" if isinstance(wanted, Auto) else told
    facts = {"would fit": kind, "on": f"{table.height:,} rows × {table.width} columns", "into": str(out / "generators")}
    return Outcome(lambda: facts_report(facts), {"plan": facts}, next_step=run.follow_up("fit"))


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
            "lineage": _in_short(manifest.train),
            "contamination": None
            if found is None
            else {"share": found.share, "low": found.low, "sketch": found.digest},
        },
        {"generator": version.folder},
        status=status,
        next_step=run.follow_up("sample"),
    )
