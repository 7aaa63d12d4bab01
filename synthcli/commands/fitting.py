"""From training rows to a generator: choose the kind where that is asked for, protect, fit, and say what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import polars as pl

from synthcli.commands.inputs import check_target
from synthcli.commands.recording import run_record
from synthcli.commands.running import Run
from synthcli.config import Auto, Config, as_plain
from synthcli.errors import BadTableError
from synthcli.holdout import SplitFolder
from synthcli.progress import Phase
from synthcli.protection import Protected, protect
from synthcli.registry import Described
from synthcli.schema import Schema
from synthcli.selection import Contender, Selection, Terms, select
from synthcli.synthesizers.assembly import TableGenerator, fit_table
from synthcli.synthesizers.crew import Crew, crew
from synthcli.versions import versions


class Fitted(NamedTuple):
    """A generator, what it is, the protected rows that it learned from, and how its kind was chosen."""

    generator: TableGenerator
    kind: str
    parameters: Mapping[str, Any]
    protected: Protected
    selection: Selection | None
    seconds: float


def make(
    run: Run,
    settings: Config,
    table: pl.DataFrame,
    schema: Schema,
    judged_by: Terms | None,
    tell: Callable[[str], None] | None = None,
) -> Fitted:
    """Choose the kind by ``judged_by`` (``None``: one is named), and fit it on all rows of ``table``, protected.

    ``run.workers`` do the work, where the kind has tasks for several. ``tell`` hears what the protection loses and what
    the generator notes, which are warnings by default.
    """
    with crew(settings.run.workers, Path(settings.run.output_dir)) as hands:
        return _made(run, settings, table, schema, judged_by, tell or run.log.warn, hands)


def _made(
    run: Run,
    settings: Config,
    table: pl.DataFrame,
    schema: Schema,
    judged_by: Terms | None,
    tell: Callable[[str], None],
    hands: Crew,
) -> Fitted:
    seed, constraints = settings.run.seed, settings.data.constraints
    chosen = None if judged_by is None else _selected(run, settings, table, schema, judged_by, hands)
    kind, parameters = contenders(settings)[0] if chosen is None else (chosen.best.kind, chosen.best.parameters)
    started = monotonic()
    with run.log.phase("protect"):
        protected = protect(table, schema, settings.protection, constraints, seed)
    for note in protected.notes:
        (tell if protected.loses else run.log.note)(note)
    if table.height and protected.table.is_empty():
        raise BadTableError(
            "the protection leaves no training row to learn from",
            "lower protection.rare_category_min_count and clip_extremes, or leave out constraints",
        )
    with run.log.phase("fit") as phase:
        told = _logged(run, phase) if parameters.get("verbose") else phase.update
        generator = fit_table(protected.table, schema, kind, parameters, seed, told, constraints, hands)
    for note in generator.notes:
        tell(note)
    return Fitted(generator, kind, parameters, protected, chosen, round(monotonic() - started, 3))


def identity(
    settings: Config, schema: Schema, origin: Mapping[str, Any], content_key: str, judged_by: Terms | None
) -> dict[str, Any]:
    """Return all that decides the result of a fit; what is equal in it is the same generator."""
    plain = as_plain(settings)
    found = {
        "content_key": content_key,
        "split": origin["split"],
        "lineage": in_short(origin),
        "schema": schema.to_dict(),
        "protection": plain["protection"],
        "constraints": plain["data"]["constraints"],
        "synthesizer": plain["synthesizer"],
        "seed": settings.run.seed,
        "versions": versions(),
    }
    if judged_by is not None:  # what the choice depends on beside all this
        found["selection"] = {
            "target": judged_by.target,
            "exclude_features": judged_by.exclude_features,
            "secrets": judged_by.secrets,
            "by": judged_by.by,
        }
    return found


def described(
    run: Run, settings: Config, fitted: Fitted, learned_from: Mapping[str, Any], mark: str, created: datetime
) -> Described:
    """Return what the version's manifest says of the generator; ``mark`` is the fingerprint of its identity."""
    return {
        "kind": fitted.kind,
        "parameters": fitted.parameters,
        "seed": settings.run.seed,
        "created": created.isoformat(timespec="seconds"),
        "train": {**learned_from, "protection": fitted.protected.to_dict()},
        "versions": versions(),
        "fingerprint": mark,
        "fit_seconds": fitted.seconds,
        "notes": (*fitted.protected.notes, *fitted.generator.notes),
        "selection": None if fitted.selection is None else fitted.selection.to_dict(),
        "run": run_record(run, settings, seed=settings.run.seed),
    }


def terms(settings: Config, out: Path, schema: Schema) -> Terms | None:
    """Return what candidates are judged under, as ``validate`` would judge; ``None`` where one kind is named."""
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


def contenders(settings: Config) -> list[Contender]:
    """Return what is to be fitted: the candidates of ``auto``, else the one kind that is named."""
    plain = as_plain(settings)["synthesizer"]
    sections = plain["candidates"] if plain["kind"] == "auto" else [plain]
    return [
        Contender(section["kind"], {name: value for name, value in section.items() if name != "kind"})
        for section in sections
    ]


def in_short(learned_from: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lineage in a training table's description, without what it was made from."""
    lineage = learned_from.get("lineage") or {}
    return {name: lineage.get(name) for name in ("kind", "depth", "real_share")}


def _selected(
    run: Run, settings: Config, table: pl.DataFrame, schema: Schema, judged_by: Terms, hands: Crew
) -> Selection:
    """Try the candidates, and say so when one failed or was given up."""
    with run.log.phase("select") as phase:
        chosen = select(table, schema, contenders(settings), judged_by, phase.update, monotonic, hands)
    for candidate in chosen.leaderboard:
        if candidate.status in ("failed", "out_of_time"):
            why = candidate.reason or f"the {judged_by.minutes:g} minutes of synthesizer.max_minutes were over"
            run.log.warn(f"{candidate.name} was not judged: {why}")
    return chosen


def _logged(run: Run, phase: Phase) -> Callable[[float, str], None]:
    """Return a listener that also logs each note, an epoch's losses for one."""

    def told(share: float, note: str) -> None:
        phase.update(share, note)
        run.log.info(f"fit {share:4.0%} {note}")

    return told
