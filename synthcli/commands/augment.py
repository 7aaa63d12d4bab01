"""``synthcli augment``: other shares, more rows or no holes, from the training part; then what a model gains by it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.completing import columns, kinds
from synthcli.commands.running import Outcome, Run, Workers, command, say_real_rows

if TYPE_CHECKING:
    import polars as pl

    from synthcli.augmentation.lift import Lift
    from synthcli.augmentation.recipe import Augmented, Recipe, Wish
    from synthcli.commands.learning import Learned
    from synthcli.config import Config
    from synthcli.lineage import Lineage
    from synthcli.schema import Schema
    from synthcli.synthesizers.crew import Crew
    from synthcli.synthesizers.protocol import Progress
    from synthcli.tables import Source

#: The column that says where a row comes from.
ORIGIN = "_origin"


class Mode(StrEnum):
    """What is done to the training part."""

    REBALANCE = "rebalance"
    IMPUTE = "impute"
    UPSAMPLE = "upsample"


class LiftEffort(StrEnum):
    """How much is measured on the holdout."""

    OFF = "off"
    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True)
class Case:
    """What is augmented, how, and what it is measured on."""

    settings: Config
    out: Path
    learned: Learned
    origin: Mapping[str, Any]
    wish: Wish
    recipe: Recipe
    holdout: Source | None

    @property
    def seed(self) -> int:
        """The seed behind every random choice."""
        return self.settings.run.seed


@command
def augment(
    run: Run,
    mode: Annotated[Mode | None, typer.Option(help="What is done.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL",
            help="Column to rebalance or fill; several times for several (default: target, or all).",
            autocompletion=columns,
        ),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE=P", help="Share that a value (or COL=VALUE,COL=VALUE) is to have, e.g. true=0.5."),
    ] = None,
    balance: Annotated[bool, typer.Option("--balance", help="Give every class the same share.")] = False,
    rows: Annotated[int | None, typer.Option("-n", "--rows", help="Rows of the output.")] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Make a wholly synthetic table, instead of adding to the real rows.")
    ] = False,
    given: Annotated[str | None, typer.Option(metavar="FILE", help="upsample: rows that variants are made of.")] = None,
    lift: Annotated[LiftEffort | None, typer.Option(help="How much is measured on the holdout.")] = None,
    synthesizer: Annotated[
        str | None, typer.Option(metavar="KIND", help="Kind of generator (default: forest).", autocompletion=kinds)
    ] = None,
    train: Annotated[str | None, typer.Option(help="Table to augment (default: the split's training part).")] = None,
    allow_synthetic: Annotated[
        bool, typer.Option("--allow-synthetic", help="Learn from synthetic rows too, and say so in the lineage.")
    ] = False,
    workers: Workers = None,
) -> Outcome:
    """Rebalance, impute or upsample the training part, and measure on the holdout what that brings."""
    from synthcli.executors import as_workers
    from synthcli.synthesizers.crew import crew

    settings = run.settings(
        run__seed=run.seed,
        run__workers=as_workers(workers),
        augment__mode=mode.value if mode else None,
        augment__column=column or None,
        augment__shares=_shares(share) if share else {} if balance else None,
        augment__balance="equal" if balance else "none" if share else None,
        augment__rows=rows,
        augment__whole=whole or None,
        augment__given=given,
        augment__lift=lift.value if lift else None,
        augment__synthesizer__kind=synthesizer,
    )
    _check_options(
        settings, {"--share": share, "--balance": balance, "--rows": rows, "--whole": whole, "--given": given}
    )
    case = _case(run, settings, train, allow_synthetic)
    account = case.wish.plan(case.learned.table)
    if run.dry_run:
        return _planned(run, case, account, ["--allow-synthetic"] if allow_synthetic else [])
    with run.log.phase("augment") as phase, crew(settings.run.workers, case.out) as hands:
        tables = [_made(case, number, hands, phase.update) for number in range(_tables_wanted(settings))]
    for note in dict.fromkeys(note for made in tables for note in made.notes):
        run.log.warn(note)
    return _written(run, case, tables, _lift(run, case), _masking(run, case))


#: The options that mean nothing in a mode.
_FOREIGN = {
    "rebalance": ("--given",),
    "impute": ("--share", "--balance", "--rows", "--whole", "--given"),
    "upsample": ("--share", "--balance"),
}


def _check_options(settings: Config, given: Mapping[str, object]) -> None:
    """Raise ``UsageError`` for an option of another mode; a configuration may hold the keys of all."""
    from synthcli.errors import UsageError

    mode = settings.augment.mode
    wrong = [option for option in _FOREIGN.get(mode or "", ()) if given[option]]
    if wrong:
        raise UsageError(f"{wrong[0]} means nothing with mode {mode}", "leave it out, or name another --mode")


def _shares(texts: list[str]) -> dict[str, float]:
    """Return shares by class from ``VALUE=P`` texts; raises ``UsageError`` for one that is none."""
    from synthcli.config.explain import number_meant
    from synthcli.errors import UsageError

    found: dict[str, float] = {}
    for text in texts:
        name, sign, share = text.rpartition("=")
        try:
            number = float(share)
        except ValueError:
            number = -1.0
        if not sign or not 0 < number < 1:
            named = name if sign else "VALUE" if number >= 0 else text
            meant = number_meant(share, "a share") or "0.5"
            raise UsageError(
                f"--share {text!r}: expected VALUE=P with a share between 0 and 1",
                f"write --share {shlex.quote(f'{named}={meant}')}",
            )
        if name in found:
            raise UsageError(f"--share: {name!r} stands twice", "give each class one share")
        found[name] = number
    return found


def _tables_wanted(settings: Config) -> int:
    """Return how many completed tables are to be made; of every other mode it is one."""
    return settings.augment.imputations if settings.augment.mode == "impute" else 1


def _made(case: Case, number: int, hands: Crew, progress: Progress) -> Augmented:
    """Return one augmented table, made by ``hands``; of several each has a seed of its own."""
    from synthcli.seeds import stage_seed

    seed = case.seed if not number else stage_seed(case.seed, "table", number)
    return case.wish.made(case.learned.table, case.learned.schema, replace(case.recipe, crew=hands), seed, progress)


# --- What is to be made ------------------------------------------------------------------------------------------


def _case(run: Run, settings: Config, train: str | None, allow_synthetic: bool) -> Case:
    """Read what is needed and say what is to be made of it; raises what is wrong with either."""
    from synthcli.augmentation.recipe import Recipe
    from synthcli.commands.inputs import check_target
    from synthcli.commands.learning import check_constraints, load, provenance, refuse_reserved
    from synthcli.config import as_plain
    from synthcli.errors import UsageError

    if settings.augment.mode is None:
        raise UsageError(
            "--mode: none given, and augment.mode is not set",
            "write --mode rebalance, --mode impute or --mode upsample",
        )
    out = Path(settings.run.output_dir)
    with run.log.phase("read"):
        learned = load(run, settings, out, train)
        _check_origin_column(settings, learned.schema)
        check_target(settings, learned.schema)
        wish = _wish(run, settings, learned)
    with run.log.phase("provenance"):
        refuse_reserved(run, out, learned, allow_synthetic)
        origin, _ = provenance(run, out, learned, allow_synthetic)
    check_constraints(settings, learned.table, learned.schema)
    section = as_plain(settings)["augment"]["synthesizer"]
    recipe = Recipe(
        section["kind"],
        {name: value for name, value in section.items() if name != "kind"},
        settings.protection,
        tuple(settings.data.constraints),
        settings.sample.max_tries,
    )
    return Case(settings, out, learned, origin, wish, recipe, _holdout(run, settings, out, learned.schema))


def _check_origin_column(settings: Config, schema: Schema) -> None:
    from synthcli.errors import ConfigError

    if settings.augment.origin and ORIGIN in schema:
        raise ConfigError(
            f"augment.origin: the table has a column {ORIGIN!r} already",
            "switch the new one off: --set augment.origin=false",
        )


def _wish(run: Run, settings: Config, learned: Learned) -> Wish:
    from synthcli.commands import wishes

    match settings.augment.mode:
        case "rebalance":
            return wishes.rebalance(settings, learned.schema, learned.table)
        case "upsample":
            return wishes.upsample(settings, learned.schema, _given(run, settings, learned.schema))
        case _:
            return wishes.impute(settings, learned.schema)


def _given(run: Run, settings: Config, schema: Schema) -> pl.DataFrame | None:
    """Return the rows that variants are made of, where a file of them is named."""
    import polars as pl

    from synthcli.commands.given import open_given
    from synthcli.remote import shown

    if settings.augment.given is None:
        return None
    rows, chunks = open_given(run, settings, schema, settings.augment.given, settings.augment.format, 1 << 17)
    parts = [chunk.given for chunk in chunks if chunk.given is not None]
    if parts:
        _refuse_reserved_given(settings, pl.concat(parts))
    named = shown(settings.augment.given)
    run.log.warn(f"cells of {named} go into the output as they are: it is only as private as they are")
    return pl.concat(parts) if rows else None


def _refuse_reserved_given(settings: Config, rows: pl.DataFrame) -> None:
    """Raise ``HoldoutRowsError`` for reserved rows to make variants of, where they have all that tells them."""
    from synthcli.holdout import SplitFolder, guard

    folder = SplitFolder(Path(settings.run.output_dir) / "split")
    if folder.exists() and set(folder.read().rule.needs) <= set(rows.columns):
        guard(rows, folder, where=str(settings.augment.given))


def _holdout(run: Run, settings: Config, out: Path, schema: Schema) -> Source | None:
    """Return the reserved part, where there is one; nothing of it is read yet."""
    from synthcli.commands.inputs import open_file
    from synthcli.holdout import SplitFolder

    folder = SplitFolder(out / "split")
    if not folder.exists() or not folder.holdout.is_file():
        return None
    return open_file(folder.holdout, settings, run.log, schema)  # a damaged one is told before any work


def _planned(run: Run, case: Case, account: Mapping[str, Any], options: Sequence[str]) -> Outcome:
    from synthcli.commands.plays import augment_play
    from synthcli.commands.rehearsing import planned

    table = case.learned.table
    facts = {
        "would": f"{case.settings.augment.mode} {table.height:,} rows × {table.width} columns",
        "with": case.recipe.kind,
        **{row["class"]: f"{row['before']:,} → {row['after']:,} rows" for row in account.get("classes", ())},
        **({"drawn": f"{account['drawn']:,} rows"} if "drawn" in account else {}),
        **{row["column"]: f"{row['holes']:,} holes" for row in account.get("filled", ()) if row["holes"]},
        "lift report": case.settings.augment.lift,
        "into": str(case.out / "augment"),
    }
    measured = None if case.settings.augment.lift == "off" else case.holdout
    rows = _rows_made(account, table.height, whole=case.settings.augment.whole)
    play = augment_play(case.settings, case.out, case.learned, measured, rows, options)
    return planned(run, case.settings, play, facts, {"account": dict(account)})


def _rows_made(account: Mapping[str, Any], height: int, *, whole: bool) -> int:
    """Return the rows of the augmented table, as its account foretells them."""
    if "classes" in account:
        return sum(int(row["after"]) for row in account["classes"]) + (0 if whole else int(account["without_class"]))
    return int(account.get("kept", height)) + int(account.get("drawn", 0))


# --- What it brings ----------------------------------------------------------------------------------------------


def _lift(run: Run, case: Case) -> Lift | None:
    """Return the lift report, ``None`` where it was switched off."""
    from synthcli.augmentation import arms
    from synthcli.augmentation.impute import Impute
    from synthcli.augmentation.lift import EFFORTS, Terms, measure_lift, unmeasured
    from synthcli.augmentation.rebalance import Rebalance
    from synthcli.augmentation.upsample import Upsample

    settings, data = case.settings, case.settings.data
    if settings.augment.lift == "off":
        return None
    if data.target is None:
        return unmeasured("no target: name what a model is to predict with data.target")
    if case.holdout is None:
        return unmeasured("no holdout reserved, or it is gone: run `synthcli split DATA` first", data.target)
    table, schema, wish = case.learned.table, case.learned.schema, case.wish
    if isinstance(wish, Upsample) and wish.given is not None:
        return unmeasured("variants of rows of another table say nothing of the training part", data.target)
    own = arms.augmented(wish, case.recipe, schema, table.height)
    if isinstance(wish, Rebalance):
        compared = arms.rebalancing(wish, own)
    elif isinstance(wish, Upsample):
        compared = arms.upsampling(wish, own, table.height)
    else:
        compared = arms.imputing(own)
    terms = Terms(data.target, tuple(data.exclude_features), settings.augment.precision, case.seed)
    with run.log.phase("lift") as phase:
        holdout = case.holdout.read()
        if isinstance(wish, Impute):  # a model that learned no hole knows nothing of one
            holdout = holdout.drop_nulls([name for name in wish.columns if name not in (data.target, *terms.exclude)])
        return measure_lift(table, holdout, schema, compared, terms, EFFORTS[settings.augment.lift], phase.update)


def _masking(run: Run, case: Case) -> dict[str, Any] | None:
    """Return how well hidden cells are filled; ``None`` for other modes, and where the lift was switched off."""
    from synthcli.augmentation.impute import Impute
    from synthcli.augmentation.masking import EFFORTS, measure_masking

    settings, wish = case.settings, case.wish
    if settings.augment.lift == "off" or not isinstance(wish, Impute):
        return None
    effort = EFFORTS[settings.augment.lift]
    with run.log.phase("masking") as phase:
        return measure_masking(
            case.learned.table, case.learned.schema, wish, case.recipe, case.seed, effort, phase.update
        )


def _passed(settings: Config, lift: Lift | None) -> bool:
    """Return whether the gate holds; what was not measured does not pass it."""
    verdict = None if lift is None else lift.verdict
    match settings.augment.demand:
        case None:
            return True
        case "helps":
            return verdict == "helps"
        case _:
            return verdict in ("helps", "no measurable gain")


# --- What is written ---------------------------------------------------------------------------------------------


def _written(
    run: Run, case: Case, tables: Sequence[Augmented], lift: Lift | None, masking: dict[str, Any] | None
) -> Outcome:
    """Write the tables, unless the gate failed, and the report; say how it ended."""
    from synthcli.artifacts import write_json, write_text
    from synthcli.augmentation.recipe import Origin
    from synthcli.commands.following import origin_of
    from synthcli.reports.augmentation import augment_report
    from synthcli.reports.augmentation_html import augment_html

    folder, passed = case.out / "augment", _passed(case.settings, lift)
    outputs: list[dict[str, Any]] = []
    artifacts: dict[str, Path] = {}
    for number, made in enumerate(tables if passed else ()):
        with run.log.phase("write"):
            output, wrote = _table(run, case, made, number)
        outputs.append(output)
        artifacts |= {name if not number else f"{name}-{number + 1}": path for name, path in wrote.items()}
    _remove_others(folder, [Path(output["path"]) for output in outputs])
    if any(made.rows_of(Origin.SYNTHETIC) < made.table.height for made in tables):
        say_real_rows(run, [Path(output["path"]) for output in outputs])
    document = _document(case, tables, outputs, lift, masking, passed)
    write_text(folder / "report.html", augment_html(document))
    write_json(folder / "report.json", document)
    artifacts |= {"report": folder / "report.json", "html": folder / "report.html"}
    keys = ("mode", "seed", "rows", "account", "lift", "masking", "pooled", "gate")
    return Outcome(
        lambda: augment_report(document),
        {**{key: document[key] for key in keys}, "verdict": None if lift is None else lift.verdict},
        artifacts,
        status="ok" if passed else "failed",
        exit_code=0 if passed else 1,
        next_step=origin_of(run, outputs[0]["path"]) if outputs else run.follow_up("status"),
        records={folder: [path for path in artifacts.values() if path.parent == folder]},
    )


def _remove_others(folder: Path, written: Sequence[Path]) -> None:
    """Remove the tables of an earlier run: beside this report they would pass for what it speaks of."""
    from synthcli.lineage import sidecar

    kept = {*written, *map(sidecar, written)}
    for path in folder.glob("augmented*"):
        if path not in kept and path.name.endswith((".parquet", ".csv", ".lineage.json")):
            path.unlink()


def _document(
    case: Case,
    tables: Sequence[Augmented],
    outputs: Sequence[Mapping[str, Any]],
    lift: Lift | None,
    masking: dict[str, Any] | None,
    passed: bool,
) -> dict[str, Any]:
    """Return the report."""
    from datetime import UTC, datetime

    from synthcli.augmentation.pooling import pool_tables
    from synthcli.augmentation.recipe import Origin
    from synthcli.commands.inputs import describe_source
    from synthcli.config.showing import as_stored
    from synthcli.reports.augmentation import augment_document
    from synthcli.versions import versions

    settings, learned, made = case.settings, case.learned, tables[0]
    inputs = {"train": {"path": learned.path, "rows": learned.table.height, "sha256": case.origin["sha256"]}}
    if case.holdout is not None and lift is not None:
        inputs["holdout"] = {**describe_source(case.holdout), "rows": case.holdout.rows()}
    filled = [row["column"] for row in made.account.get("filled", ())]
    several = [each.table for each in tables] if len(tables) > 1 else []
    demand = settings.augment.demand
    return augment_document(
        mode=settings.augment.mode,
        created_at=datetime.now(UTC).replace(microsecond=0),
        seed=case.seed,
        inputs=inputs,
        outputs=list(outputs),
        generator={"kind": case.recipe.kind, "parameters": dict(case.recipe.parameters)},
        rows={origin.value: made.rows_of(origin) for origin in Origin},
        account=dict(made.account),
        lift=None if lift is None else lift.to_dict(),
        masking=masking,
        pooled=pool_tables(several, learned.schema, filled) if several else None,
        gate=None if demand is None else {"demand": demand, "passed": passed},
        notes=list(made.notes),
        config=as_stored(settings),
        versions=versions(),
    )


def _table(run: Run, case: Case, made: Augmented, number: int) -> tuple[dict[str, Any], dict[str, Path]]:
    """Write an augmented table with its lineage and its sketch; return what the report and the user are told."""
    from synthcli.artifacts import atomic_paths, sha256
    from synthcli.augmentation.recipe import origin_column
    from synthcli.commands.provenance import warn_of_formulas
    from synthcli.lineage import sidecar, write_described
    from synthcli.tables import write_file
    from synthcli.tables.write import formula_cells, formula_names, with_formulas_escaped

    settings, schema, format = case.settings, case.learned.schema, case.settings.augment.format
    target = case.out / "augment" / f"augmented{f'-{number + 1}' if number else ''}.{format}"
    lineage = _lineage(case, made)
    table = made.table
    if settings.augment.origin:
        table, schema = table.with_columns(origin_column(made.origin, ORIGIN)), _with_origin(schema)
    schema = with_formulas_escaped(schema, settings.augment.escape_formulas)
    with atomic_paths(target, sidecar(target)) as (local, beside):
        rows = write_file(iter([table]), schema, local, format=format, metadata=lineage.metadata())
        digest = sha256(local)
        write_described(beside, target, lineage, rows, digest)
        sketch = _sketch(case, made, digest, lineage.depth)
    if format == "csv":
        warn_of_formulas(
            run, formula_cells(table, schema) + formula_names(schema), "--set augment.escape_formulas=true"
        )
    artifacts = {"augmented": target, "lineage": sidecar(target)}
    artifacts |= {} if sketch is None else {"sketch": sketch}
    return {"path": str(target), "rows": rows, "sha256": digest}, artifacts


def _sketch(case: Case, made: Augmented, digest: str, depth: int) -> Path | None:
    """Remember the rows that are not real as they are, so that they are recognised if they come back as such."""
    import polars as pl

    from synthcli.augmentation.recipe import Origin, code
    from synthcli.commands.provenance import Emission, emission_sketch
    from synthcli.holdout import SplitFolder
    from synthcli.rowkeys import row_keys
    from synthcli.sketches import write
    from synthcli.tables.write import with_formulas_escaped

    section = case.settings.augment
    emission = Emission(with_formulas_escaped(case.learned.schema, section.escape_formulas), section.format)
    for _ in emission.noted(iter([made.table.filter(pl.Series(made.origin != code(Origin.REAL)))])):
        pass
    if not emission.rows:
        return None
    table, own = case.learned.table, SplitFolder(case.out / "split").train
    elsewhere = Path(case.learned.path).resolve() != own.resolve()
    keys = (lambda: iter([row_keys(table, emission.columns)])) if elsewhere else None
    return write(case.out / "sketches", emission_sketch(case.out, emission, digest, depth, keys))


def _with_origin(schema: Schema) -> Schema:
    from synthcli.schema import Column, Kind

    return replace(schema, columns=(*schema.columns, Column(ORIGIN, Kind.CATEGORICAL, "String")))


def _lineage(case: Case, made: Augmented) -> Lineage:
    """Return what the table was made from: its training part, which it still holds or not."""
    from synthcli.augmentation.recipe import Origin
    from synthcli.lineage import Lineage as Record
    from synthcli.registry import fingerprint

    learned = Record.from_dict(case.origin["lineage"])
    parent = learned.as_parent(Path(case.learned.path).name, case.learned.table.height, case.origin["sha256"])
    recipe = {"kind": case.recipe.kind, "parameters": dict(case.recipe.parameters)}
    generator = {"kind": case.recipe.kind, "version": None, "fingerprint": fingerprint(recipe)}
    real = made.rows_of(Origin.REAL)
    if real == made.table.height:  # nothing was lacking
        return replace(learned, parents=(parent,))
    share = real / made.table.height * learned.real_share
    whole = case.settings.augment.mode != "impute" and not share
    return Record("synthetic" if whole else "augmented", learned.depth + 1, share, (parent,), generator, case.seed)
