"""``synthcli collapse-sim``: does the generator decay on its own output, and how much fresh real data prevents that?"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.completing import kinds
from synthcli.commands.running import Outcome, Run, Workers, command

if TYPE_CHECKING:
    import polars as pl

    from synthcli.collapse.case import Case
    from synthcli.collapse.chains import Trajectory
    from synthcli.collapse.findings import Chains
    from synthcli.collapse.plan import Cost
    from synthcli.collapse.regimes import Arm
    from synthcli.commands.learning import Learned
    from synthcli.config import CollapseSection, Config
    from synthcli.foresight import Forecast
    from synthcli.tables import Source

    Runs = dict[Arm, list[Trajectory]]

#: How many times its own size a table takes while a generator learns it, about.
_COPIES = 10


class RegimeName(StrEnum):
    """What a generation learns from."""

    REPLACE = "replace"
    AUGMENT = "augment"
    FRESH = "fresh"
    ACCUMULATE = "accumulate"
    ACCUMULATE_SUBSAMPLE = "accumulate-subsample"


@dataclass(frozen=True)
class Simulation:
    """A simulation that is about to run: its case, where its chains are kept, and how many work side by side."""

    settings: Config
    out: Path
    learned: Learned
    origin: Mapping[str, Any]
    holdout: Source
    case: Case
    mark: str
    workers: int | str

    @property
    def section(self) -> CollapseSection:
        """What is asked for."""
        return self.settings.collapse_sim

    @property
    def folder(self) -> Path:
        """Where reports go."""
        return self.out / "collapse-sim"

    @property
    def chains(self) -> Path:
        """Where the chains that are complete lie, and while others run the case itself."""
        return self.folder / "chains" / self.mark[:16]

    @property
    def reservoir(self) -> int:
        """Fresh rows of a chain."""
        return self.case.train.height - self.case.rows


@command
def collapse_sim(
    run: Run,
    generations: Annotated[int | None, typer.Option(help="Generators that learn one after the other.")] = None,
    chains: Annotated[int | None, typer.Option(help="Independent repetitions of every regime.")] = None,
    rows: Annotated[int | None, typer.Option("-n", "--rows", help="Rows of a generation.")] = None,
    regime: Annotated[
        list[RegimeName] | None, typer.Option(help="What a generation learns from; several times for several.")
    ] = None,
    fresh: Annotated[
        list[float] | None,
        typer.Option(metavar="SHARE", help="Share of new real rows to try, instead of a search; may be repeated."),
    ] = None,
    fresh_rows: Annotated[
        list[int] | None, typer.Option(metavar="N", help="Number of new real rows to try; may be repeated.")
    ] = None,
    synthesizer: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Kind of generator, e.g. gaussian_copula, forest.", autocompletion=kinds),
    ] = None,
    workers: Workers = None,
    train: Annotated[str | None, typer.Option(help="Real table (default: the split's training part).")] = None,
    allow_synthetic: Annotated[
        bool, typer.Option("--allow-synthetic", help="Take synthetic rows for real ones, and say so.")
    ] = False,
) -> Outcome:
    """Iterate the generator on its own output: does it collapse, and how much fresh data prevents that?"""
    from synthcli.executors import as_workers
    from synthcli.registry import lock

    settings = run.settings(
        run__seed=run.seed,
        run__workers=as_workers(workers),
        synthesizer__kind=synthesizer,
        collapse_sim__generations=generations,
        collapse_sim__chains=chains,
        collapse_sim__rows=rows,
        collapse_sim__regimes=[one.value for one in regime] if regime else None,
        collapse_sim__fresh=fresh or None,
        collapse_sim__fresh_rows=fresh_rows or None,
    )
    simulation = _simulation(run, settings, train, allow_synthetic)
    if run.dry_run:
        return _planned(run, simulation)
    with lock(simulation.folder):
        return _written(run, simulation, _simulated(run, simulation))


# --- What is to be simulated -------------------------------------------------------------------------------------


def _simulation(run: Run, settings: Config, train: str | None, allow_synthetic: bool) -> Simulation:
    """Read real rows and holdout and say what is to be made of them; raises what is wrong with either."""
    from synthcli.collapse.plan import rows_of
    from synthcli.columns import Table
    from synthcli.commands.inputs import check_target
    from synthcli.commands.learning import check_constraints, load, provenance, refuse_reserved
    from synthcli.errors import HoldoutRowsError
    from synthcli.executors import chosen
    from synthcli.metrics.privacy import holdout_was_seen
    from synthcli.versions import versions

    out = Path(settings.run.output_dir)
    metrics = _metrics(settings)
    with run.log.phase("read"):
        holdout = _holdout(run, settings, out)
        learned = load(run, settings, out, train)
        check_target(settings, learned.schema)
    with run.log.phase("provenance"):
        refuse_reserved(run, out, learned, allow_synthetic)
        origin, _ = provenance(run, out, learned, allow_synthetic)
    check_constraints(settings, learned.table, learned.schema)
    rows = rows_of(settings.collapse_sim, learned.table.height)
    _check_rows(settings, learned.table.height, rows)
    reserved = holdout.read()
    if holdout_was_seen(Table(learned.table), Table(reserved), learned.schema):
        raise HoldoutRowsError(
            f"{holdout.names[0]}: rows of it stand in {learned.path}, so it is no holdout of that table",
            "reserve one that no generator has seen: `synthcli split DATA`",
        )
    case = _case(run, settings, learned, reserved, rows, metrics)
    _check_temperature(case)
    _check_metrics(case)
    mark = _mark(case, versions())
    return Simulation(settings, out, learned, origin, holdout, case, mark, chosen(settings.run.workers))


def _case(
    run: Run, settings: Config, learned: Learned, holdout: pl.DataFrame, rows: int, metrics: tuple[str, ...]
) -> Case:
    from synthcli.collapse.case import Case
    from synthcli.errors import BadTableError

    modelled = [column.name for column in learned.schema.modelled]
    if not modelled:
        raise BadTableError(
            f"none of the {len(learned.schema)} columns can be learned: all are ids or free text",
            "set the kind of at least one under data.columns",
        )
    kind, parameters = _recipe(run, settings)
    features = tuple(name for name in settings.data.exclude_features if name in modelled)
    return Case(
        learned.table.select(modelled),
        holdout.select(modelled),
        learned.schema.select(modelled),
        kind,
        parameters,
        settings.collapse_sim.temperature,
        settings.protection,
        tuple(settings.data.constraints),
        rows,
        metrics,
        settings.data.target,
        features,
        settings.run.seed,
    )


def _recipe(run: Run, settings: Config) -> tuple[str, dict[str, Any]]:
    """Return kind and parameters of the generator; of ``auto``, those of the version that it chose."""
    from synthcli.config import Auto, as_plain
    from synthcli.errors import ConfigError, SynthcliError
    from synthcli.registry import resolve

    section = as_plain(settings)["synthesizer"]
    if isinstance(settings.synthesizer, Auto):
        try:
            version = resolve(Path(settings.run.output_dir))
        except SynthcliError as error:
            raise ConfigError(
                "synthesizer.kind: auto has chosen no generator yet in this directory",
                "run `synthcli fit` first, or name one: --synthesizer forest",
            ) from error
        run.log.info(f"synthesizer.kind is auto: taking {version.manifest.kind}, chosen for version {version.name}")
        section = {"kind": version.manifest.kind, **version.manifest.parameters}
    return section["kind"], {name: value for name, value in section.items() if name != "kind"}


def _metrics(settings: Config) -> tuple[str, ...]:
    """Return the metrics to measure, in their order; raises ``ConfigError`` for one that does not exist."""
    from synthcli.collapse.measures import BY_NAME
    from synthcli.config.suggest import nearest
    from synthcli.errors import ConfigError

    section = settings.collapse_sim
    for key, names in (("metrics", section.metrics), ("margins", section.margins)):
        for name in () if names == "default" else names:
            if name not in BY_NAME:
                near = nearest(name, BY_NAME)
                raise ConfigError(
                    f"collapse_sim.{key}: {name!r} is no metric of a generation; known are {', '.join(BY_NAME)}",
                    f"did you mean {near!r}?" if near is not None else "name some of these, or leave the key out",
                )
    if section.metrics == "default":
        return tuple(BY_NAME)
    return tuple(name for name in BY_NAME if name in section.metrics)


def _check_rows(settings: Config, training_rows: int, rows: int) -> None:
    """Raise ``BadTableError`` where there are not as many rows left to be fresh as a generation learns from."""
    from synthcli.errors import BadTableError, UsageError

    asked = settings.collapse_sim.rows
    if asked is not None and 2 * asked > training_rows:
        raise UsageError(
            f"collapse_sim.rows: {asked:,} rows a generation need {2 * asked:,} real ones, the training part has "
            f"{training_rows:,}",
            f"take at most --rows {training_rows // 2}",
        )
    if rows < 10:
        raise BadTableError(
            f"the training part has {training_rows:,} rows, expected at least 20 to simulate generations with",
            "give a larger table",
        )
    for count in settings.collapse_sim.fresh_rows:
        if count > rows:
            raise UsageError(
                f"collapse_sim.fresh_rows: {count:,} fresh rows are more than the {rows:,} of a generation",
                f"take at most {rows}, or raise collapse_sim.rows",
            )


def _check_temperature(case: Case) -> None:
    """Raise ``ConfigError`` where a bias is asked of a generator that has none, before anything is fitted."""
    from synthcli.errors import ConfigError
    from synthcli.synthesizers import synthesizer_class

    if case.temperature != 1 and not hasattr(synthesizer_class(case.kind), "tempered"):
        raise ConfigError(
            f"collapse_sim.temperature: the kind {case.kind} has no sampling bias",
            "leave it at 1, or name another kind, e.g. --synthesizer gaussian_copula",
        )


def _check_metrics(case: Case) -> None:
    """Raise ``ConfigError`` where none of the metrics can be measured of this table."""
    from synthcli.errors import ConfigError

    if not case.ruler.measurable:
        reasons = dict.fromkeys(f"{name}: {case.ruler.reason(name)}" for name in case.metrics)
        raise ConfigError(
            "collapse_sim.metrics: none can be measured of this table\n" + "\n".join(reasons),
            "name others, or leave the key out",
        )


def _holdout(run: Run, settings: Config, out: Path) -> Source:
    from synthcli.commands.inputs import open_file
    from synthcli.errors import MissingFileError
    from synthcli.holdout import SplitFolder

    folder = SplitFolder(out / "split")
    if not folder.exists() or not folder.holdout.is_file():
        raise MissingFileError(
            f"{folder.holdout}: no holdout, and generations are measured against real rows that none has learned",
            "run `synthcli split DATA` first",
        )
    return open_file(folder.holdout, settings, run.log, folder.read().schema)


def _mark(case: Case, versions: Mapping[str, str]) -> str:
    """Return the fingerprint of all that a chain depends on, regime and number apart."""
    from synthcli.registry import fingerprint
    from synthcli.rowkeys import table_key

    names = case.schema.names
    return fingerprint(
        {
            "train": table_key(case.train, names),
            "holdout": table_key(case.holdout, names),
            "case": case.to_dict(),
            "versions": dict(versions),
        }
    )


# --- Chains ------------------------------------------------------------------------------------------------------


def _simulated(run: Run, simulation: Simulation) -> Chains:
    """Run all chains: those of the regimes first, which say around which shares to search."""
    from synthcli.collapse.findings import Chains, predicted_share
    from synthcli.collapse.plan import doubts, first_arms, half_widths, search_arms, searches

    section, case = simulation.section, simulation.case
    for name in case.metrics:
        if (reason := case.ruler.reason(name)) is not None:
            run.log.note(f"{name} is not measured: {reason}")
    for doubt in doubts(section, half_widths(case.ruler, section.generations, section.chains), case.rows):
        run.log.warn(doubt)
    margins = section.margins
    simulation.chains.mkdir(parents=True, exist_ok=True)
    _remove_rows(simulation)  # of a run that was killed
    try:
        runs = _run_all(run, simulation, first_arms(section, case.rows), "regimes")
        if searches(section):
            share = predicted_share(Chains(case.ruler, runs, margins))
            runs |= _run_all(run, simulation, search_arms(section, case.rows, share), "search")
    finally:
        _remove_rows(simulation)
    return Chains(case.ruler, runs, margins)


def _remove_rows(simulation: Simulation) -> None:
    """Remove the real rows of cases: they lie there no longer than workers need them."""
    for path in simulation.chains.parent.glob("*/*.arrow"):
        path.unlink(missing_ok=True)


def _run_all(run: Run, simulation: Simulation, arms: Sequence[Arm], phase_name: str) -> Runs:
    """Return the trajectories of the arms by chain; those of an earlier run are read, the others run and kept."""
    from synthcli.collapse.regimes import rows_learned

    wanted = [(arm, chain) for arm in arms for chain in range(simulation.section.chains)]
    kept = {key: simulation.chains / _file(*key) for key in wanted}
    found = {key: run_before for key, path in kept.items() if (run_before := _kept(run, path)) is not None}
    missing = sorted((key for key in wanted if key not in found), key=lambda key: -rows_learned(key[0]))
    if found:
        run.log.info(f"{len(found):,} of {len(wanted):,} chains were complete already")
    with run.log.phase(phase_name) as phase:
        for key, trajectory in _running(simulation, missing, _countdown(missing, phase.update)):
            trajectory.save(kept[key])
            found[key] = trajectory
    return {arm: [found[arm, chain] for chain in range(simulation.section.chains)] for arm in arms}


def _kept(run: Run, path: Path) -> Trajectory | None:
    """Return the chain of an earlier run, ``None`` where there is none or its file is damaged."""
    from zipfile import BadZipFile

    from synthcli.collapse.chains import Trajectory

    if not path.is_file():
        return None
    try:
        return Trajectory.load(path)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        run.log.warn(f"{path}: a damaged chain of an earlier run; it is run again")
        return None


def _running(
    simulation: Simulation, missing: Sequence[tuple[Arm, int]], tell: Callable[[tuple[Arm, int]], None]
) -> Iterator[tuple[tuple[Arm, int], Trajectory]]:
    """Yield the missing chains as they are done, from as many processes as there are workers."""
    from synthcli.collapse.chains import run_task
    from synthcli.executors import at_most, each_done, executor

    if not missing:
        return
    simulation.case.save(simulation.chains)
    folder = str(simulation.chains.resolve())  # a worker may have another working directory
    calls = (((arm, chain), run_task, (folder, arm, chain)) for arm, chain in missing)
    with executor(at_most(simulation.workers, len(missing))) as pool:
        for key, trajectory in each_done(pool, calls, called=_called):
            tell(key)
            yield key, trajectory


def _called(key: tuple[Arm, int]) -> str:
    arm, chain = key
    return f"chain {chain} of {arm.name}"


def _file(arm: Arm, chain: int) -> str:
    """Return the name of a chain's file: all that it depends on beside the case."""
    return f"{arm.regime}-{arm.real_rows}-{arm.generations}-{chain:04d}.npz"


def _countdown(
    missing: Sequence[tuple[Arm, int]], update: Callable[[float, str], None]
) -> Callable[[tuple[Arm, int]], None]:
    """Return what is told of each chain that is done, and tells how far it is and how long it will take."""
    from synthcli.collapse.regimes import rows_learned
    from synthcli.wording import span

    started, done = monotonic(), 0.0
    work = {key: rows_learned(key[0]) / key[0].rows + key[0].generations for key in missing}
    total, count = sum(work.values()), 0

    def tell(key: tuple[Arm, int]) -> None:
        nonlocal done, count
        done, count = done + work[key], count + 1
        left = (monotonic() - started) / done * (total - done)
        update(done / total, f"{count} of {len(missing)} chains, about {span(left)} left")

    return tell


# --- A dry run ---------------------------------------------------------------------------------------------------


def _planned(run: Run, simulation: Simulation) -> Outcome:
    """Measure one generation and say what the whole would take, and whether it could decide anything."""
    from synthcli.collapse.plan import doubts, first_arms, half_widths, planned_search, seconds
    from synthcli.collapse.regimes import rows_learned
    from synthcli.executors import counted
    from synthcli.reports.terminal import forecast_report

    section, case = simulation.section, simulation.case
    before, began = monotonic() - run.course.clock, monotonic()
    arms = first_arms(section, case.rows)
    search = planned_search(section, case.rows)
    with run.log.phase("probe"):
        cost, resident = _probe(case)
    workers = min(counted(simulation.workers), section.chains * len(arms))
    first, more = (seconds(some, section.chains, cost, workers) if some else 0.0 for some in (arms, search))
    # The probe learned n rows; the last generation of a growing regime learns more.
    most = max(rows_learned(arm) - rows_learned(replace(arm, generations=arm.generations - 1)) for arm in arms)
    grown = (most / case.rows - 1) * case.train.head(case.rows).estimated_size() * _COPIES
    memory = (resident + grown) * workers + (resident if workers > 1 else 0)
    wrong = doubts(section, half_widths(case.ruler, section.generations, section.chains), case.rows)
    for doubt in wrong:
        run.log.warn(doubt)
    would = {
        "would simulate": f"{section.generations} generations of {case.rows:,} rows × {len(case.schema)} columns, "
        f"{section.chains} chains",
        "with": case.kind,
        "regimes": ", ".join(arm.name for arm in arms),
        **({"search": f"{len(search)} shares of fresh rows, 3 over the share generations each"} if search else {}),
        "one generation": f"{cost.fitting + cost.other:.2f} s",
        "into": str(simulation.folder),
    }
    told = _foretold(simulation, [*arms, *search], before, first, more, memory, monotonic() - began, workers)
    for doubt in told.doubts:
        run.log.warn(doubt)
    result = {
        "seconds_a_generation": round(cost.fitting + cost.other, 4),
        "search_seconds": round(more, 1),
        "workers": workers,
        "arms": [arm.name for arm in arms],
        "search": [arm.name for arm in search],
        "doubts": wrong,
    }
    return Outcome(
        lambda: forecast_report(would, told),
        {"plan": {**would, **result, **told.to_dict()}},
        next_step=run.follow_up("collapse-sim"),
    )


def _foretold(
    simulation: Simulation,
    arms: Sequence[Arm],
    before: float,
    first: float,
    more: float,
    memory: float,
    took: float,
    workers: int,
) -> Forecast:
    """Return the plan in every command's form; ``first`` are seconds of the regimes, ``more`` of the search."""
    from synthcli.artifacts import RUN_RECORD
    from synthcli.commands.rehearsing import room
    from synthcli.foresight import SIZE_VARIES, TIME_VARIES, Forecast, Range

    section, case, folder = simulation.section, simulation.case, simulation.folder
    names = ["report.html", "report.json", RUN_RECORD, "trajectories.parquet"]
    paths = [*(str(folder / name) for name in names), f"{simulation.chains}/"]
    # A generation's figures stand in a chain's file and in the table; the pictures are as large as a few chains.
    figures = sum(arm.generations for arm in arms) * section.chains * len(case.ruler.names) * 8.0
    return Forecast(
        {"train": case.train.height, "holdout": case.holdout.height},
        {},
        Range(first + more, first / TIME_VARIES, (first + more) * TIME_VARIES).plus(Range.about(before, TIME_VARIES)),
        Range.about(memory, SIZE_VARIES),
        Range(figures + 2e5, figures / 2, 4 * figures + 1e6),
        {path: Path(path).exists() for path in paths},
        f"one generation, for each that is learned and measured, on {workers} workers",
        took,
        (case.rows,),
        room(simulation.out),
    )


def _probe(case: Case) -> tuple[Cost, float]:
    """Return the seconds of one generation, and the most bytes of this process."""
    from threadpoolctl import threadpool_limits

    from synthcli import parallel
    from synthcli.collapse.chains import measured_at
    from synthcli.collapse.measures import BY_NAME
    from synthcli.collapse.plan import Cost
    from synthcli.collapse.regimes import Reality
    from synthcli.commands.machine import peak_memory

    zero = Reality.of(case.train, case.rows, case.seed, 0).zero
    often = [name for name in case.ruler.measurable if measured_at(BY_NAME[name].every, 2, 4)]
    rare = [name for name in case.ruler.measurable if name not in often]
    with threadpool_limits(1), parallel.kept_to(1):
        case.output(zero.head(case.rows), "probe", "warm")  # libraries load at the first fit
        case.ruler.measure(zero, case.ruler.measurable, "probe/warm")
        started = monotonic()
        output = case.output(zero, "probe")
        fitted = monotonic()
        case.ruler.measure(output, often, "probe")
        measured = monotonic()
        case.ruler.measure(output, rare, "probe")
        ended = monotonic()
    return Cost(fitted - started, measured - fitted + (ended - measured) / 3), float(peak_memory())


# --- What is written ---------------------------------------------------------------------------------------------


def _written(run: Run, simulation: Simulation, chains: Chains) -> Outcome:
    """Write report and trajectories; say how it ended."""
    from synthcli.artifacts import atomic_path, write_json, write_text
    from synthcli.collapse.findings import trajectories
    from synthcli.reports.collapse import collapse_report
    from synthcli.reports.collapse_html import collapse_html
    from synthcli.reports.collapse_words import answer

    folder = simulation.folder
    table = folder / "trajectories.parquet"
    document = _document(simulation, chains, table)
    with atomic_path(table) as path:
        trajectories(chains).write_parquet(path)
    write_text(folder / "report.html", collapse_html(document))
    write_json(folder / "report.json", document)
    _remove_others(simulation)
    wrote = {"report": folder / "report.json", "html": folder / "report.html", "trajectories": table}
    passed = all(gate["status"] == "pass" for gate in document["gate"])
    arms = [
        {key: arm[key] for key in ("name", "regime", "fresh_share", "asked", "verdict")} for arm in document["arms"]
    ]
    return Outcome(
        lambda: collapse_report(document),
        {
            "answer": answer(document),
            "arms": arms,
            "minimum_fresh": document["minimum_fresh"],
            "mechanisms": document["mechanisms"],
            "gate": document["gate"],
        },
        wrote,
        status="ok" if passed else "failed",
        exit_code=0 if passed else 1,
        next_step=_next_step(run, document),
        records={folder: list(wrote.values())},
    )


def _next_step(run: Run, document: Mapping[str, Any]) -> str:
    """Return the command that would settle what is open: the chains that are there stay, and cost nothing."""
    open_arms = [arm["settles"] for arm in document["arms"] if arm["asked"] and arm["settles"]]
    chains = [settles["chains"] for settles in open_arms if settles["chains"] is not None]
    if not chains:
        return run.follow_up("status")
    return run.follow_up(shlex.join(["collapse-sim", "--chains", str(max(chains)), *_given(run)]))


def _given(run: Run) -> list[str]:
    """Return the options that make this simulation another one, as they were given."""
    from synthcli.config import as_plain

    resolved, words = run.known[-1], []
    for key, origin in resolved.origins.items():
        if origin == "flag" and key not in ("collapse_sim.chains", "run.workers", "run.output_dir"):
            section, _, name = key.partition(".")
            value = as_plain(resolved.config)[section][name]
            for each in value if isinstance(value, list) else [value]:
                words += [run.option(key), str(each)]
    return words


def _remove_others(simulation: Simulation) -> None:
    """Remove the chains of other simulations: this one's stay, for more chains or another look."""
    import shutil

    for folder in simulation.chains.parent.iterdir():
        if folder != simulation.chains and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)


def _document(simulation: Simulation, chains: Chains, table: Path) -> dict[str, Any]:
    """Return the report."""
    from datetime import UTC, datetime

    from synthcli.collapse import findings
    from synthcli.commands.inputs import describe_source
    from synthcli.config.showing import as_stored
    from synthcli.reports.collapse import collapse_document
    from synthcli.versions import versions

    settings, case, learned = simulation.settings, simulation.case, simulation.learned
    arms = [findings.arm_findings(chains, arm, simulation.reservoir) for arm in chains.runs]
    least = findings.minimum_findings(chains)
    return collapse_document(
        created_at=datetime.now(UTC).replace(microsecond=0),
        seed=case.seed,
        inputs={
            "train": {"path": learned.path, "rows": learned.table.height, "sha256": simulation.origin["sha256"]},
            "holdout": {**describe_source(simulation.holdout), "rows": case.holdout.height},
        },
        generator={"kind": case.kind, "parameters": dict(case.parameters), "temperature": case.temperature},
        plan={
            "rows": case.rows,
            "generations": simulation.section.generations,
            "chains": simulation.section.chains,
            "real_weight": simulation.section.real_weight,
            "training_rows": case.train.height,
            "reservoir": simulation.reservoir,
        },
        metrics=findings.metric_findings(chains, case.metrics),
        arms=arms,
        mechanisms=findings.mechanism_findings(chains),
        minimum_fresh=least,
        pictures=findings.pictures(chains),
        gate=_gates(simulation.section, arms, least),
        trajectories=str(table),
        notes=_notes(case),
        config=as_stored(settings),
        versions=versions(),
    )


def _notes(case: Case) -> list[str]:
    """Return what a person should know beside the figures."""
    if not (case.protection.rare_category_min_count or case.protection.clip_extremes):
        return []
    return [
        "each generation is protected as `fit` does it (section protection), which takes rare categories and extremes "
        "by itself"
    ]


_ORDER = ("stable", "degraded-plateau", "collapsing")


def _gates(
    section: CollapseSection, arms: Sequence[Mapping[str, Any]], least: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the gates and their outcomes; what is undecided or was not found does not pass."""
    found: list[dict[str, Any]] = []
    if section.max_verdict is not None:
        allowed = _ORDER[: _ORDER.index(section.max_verdict) + 1]
        judged = [arm for arm in arms if arm["asked"] and arm["regime"] != "control"]
        bad = [arm for arm in judged if arm["verdict"] not in allowed]
        told = ", ".join(f"{arm['name']}: {arm['verdict']}" for arm in bad)
        worst = "inconclusive" if bad and all(arm["verdict"] not in _ORDER for arm in bad) else None
        known = [arm["verdict"] for arm in judged if arm["verdict"] in _ORDER]
        found.append(
            {
                "rule": "max_verdict",
                "threshold": section.max_verdict,
                "value": worst or (max(known, key=_ORDER.index) if known else "inconclusive"),
                "status": "fail" if bad or not judged else "pass",
                "detail": told or ("no regime was judged" if not judged else "every regime asked for"),
            }
        )
    if section.min_fresh_at_most is not None:
        share, safe = (None, None) if least is None else (least["share"], least["share_safe"])
        # A curve may cross the margin although no share was shown to be stable.
        passes = share is not None and safe is not None and share <= section.min_fresh_at_most
        detail = "the least share of fresh rows" if safe is not None else "no share was measured stable"
        found.append(
            {
                "rule": "min_fresh_at_most",
                "threshold": section.min_fresh_at_most,
                "value": share,
                "status": "pass" if passes else "fail",
                "detail": detail if share is not None else "no least share was found",
            }
        )
    return found
