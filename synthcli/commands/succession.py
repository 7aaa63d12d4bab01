"""From training rows to a new champion: a challenger is fitted, compared, judged, loaded again elsewhere, promoted.

Until it is promoted it stands in a folder that no number or alias finds, and which goes with the block that made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from synthcli import registry, upkeep
from synthcli.artifacts import write_json
from synthcli.audit import METRICS, Tables, audit
from synthcli.challenge import FEWEST, Case, Contest, Score, case, contest, scored, to_dict
from synthcli.columns import Table
from synthcli.commands.auditing import check_columns, families, gates, pictured, questions, written
from synthcli.commands.dividing import write as write_split
from synthcli.commands.fitting import described, identity, make, terms
from synthcli.commands.incoming import Incoming, columns_since
from synthcli.commands.provenance import split_mark
from synthcli.commands.running import Run
from synthcli.config import Config
from synthcli.config.showing import as_stored
from synthcli.drift import Reference
from synthcli.errors import EngineError, SynthcliError
from synthcli.executors import at_most, chosen, each_done, executor
from synthcli.gate import Verdict, judge, passes
from synthcli.holdout import SplitFolder
from synthcli.lineage import content_sha256
from synthcli.metrics.estimate import Estimate
from synthcli.progress import Phase
from synthcli.registry import Version, fingerprint
from synthcli.reports.document import report_document
from synthcli.rowkeys import table_key
from synthcli.seeds import stage_seed
from synthcli.synthesizers.assembly import TableGenerator
from synthcli.versions import versions

#: Rows that are drawn to see whether the challenger, loaded in another process, is the one that was fitted.
RELOADED = 200


@dataclass(frozen=True)
class Challenger:
    """A challenger and what was found out about it; ``objection`` is empty where it may be promoted."""

    version: Version
    contest: Contest | None
    no_contest: str
    objection: str
    gates: dict[str, Any] | None
    document: dict[str, Any] | None
    seeds: tuple[int, ...] = ()


class Judged(NamedTuple):
    """An audit on the holdout: what was measured, what the gates say, and which of them turned the challenger away."""

    estimates: tuple[Estimate, ...]
    verdicts: tuple[Verdict, ...]
    failed: tuple[str, ...]


@contextmanager
def challenger(
    run: Run, settings: Config, out: Path, incoming: Incoming, champion: Version | None, fit_key: str, now: datetime
) -> Iterator[Challenger]:
    """Yield a challenger, compared and judged. The caller holds the lock, and promotes it inside the block or not."""
    folder = SplitFolder(out / "split")
    check_columns(settings, incoming.schema)
    with run.log.phase("write split"):
        write_split(run, incoming.source, incoming.divided, folder)
    schema, fitted = incoming.schema, incoming.fitted
    if champion is not None and champion.manifest.train.get("split") not in (None, split_mark(folder)):
        run.log.warn(
            "the holdout is drawn anew since the champion was fitted: earlier versions may have learned from its "
            "rows, and cannot be audited any more"
        )
    judged_by = terms(settings, out, schema)
    # What a person heard at the first refresh stands in the manifest; cron need not say it each time.
    made = make(run, settings, fitted, schema, judged_by, None if champion is None else run.log.note)
    content_key = table_key(fitted, schema.names)
    origin = {**incoming.origin, "sha256": content_sha256([folder.train]), "split": split_mark(folder)}
    learned_from = {
        "path": str(folder.train),
        "rows": fitted.height,
        "content_key": content_key,
        **origin,
        "inner": settings.refresh.inner,
        "settings": fit_key,
    }
    mark = fingerprint({**identity(settings, schema, origin, content_key, judged_by), "inner": settings.refresh.inner})
    told = described(run, settings, made, learned_from, mark, now)
    with registry.staged(out, made.generator.save, **told) as version:
        found = _compared(run, settings, incoming, version, champion)
        if not found.objection:
            found = _judged(run, settings, out, incoming, found, made.generator, now)
        if not found.objection:
            with run.log.phase("load again"):
                _check_reload(settings, version, made.generator)
        yield found


def promote(out: Path, found: Challenger, incoming: Incoming, before: Version | None) -> Version:
    """Make the challenger the champion and ``before``, the champion if it is in order, the previous one, at once."""
    number = found.version.number
    Reference.of(incoming.fitted, incoming.schema, incoming.divided.rule.columns).write(
        upkeep.reference_file(out, number)
    )
    version = registry.adopt(out, found.version)
    registry.set_aliases(out, {"champion": number} | ({} if before is None else {"previous": before.number}))
    return version


# -- the comparison with the champion ----------------------------------------------------------------------------------


def _compared(run: Run, settings: Config, incoming: Incoming, version: Version, champion: Version | None) -> Challenger:
    """Return the challenger with the outcome of the contest, or why there was none."""
    reason = _no_contest(settings, incoming, version, champion)
    if reason or champion is None:
        return Challenger(version, None, reason, "", None, None)
    data, seed = settings.data, settings.run.seed
    judged = case(incoming.fitted, incoming.inner, incoming.schema, seed, data.target, data.exclude_features)
    seeds = tuple(stage_seed(seed, "contest", number) for number in range(settings.refresh.seeds))
    with run.log.phase("compare") as phase:
        scores = _scores(settings, judged, {"champion": champion.folder, "challenger": version.folder}, seeds, phase)
    ours = [score for score in scores["challenger"] if isinstance(score, Score)]
    theirs = [score for score in scores["champion"] if isinstance(score, Score)]
    if len(ours) < len(seeds):
        broken = next(score for score in scores["challenger"] if not isinstance(score, Score))
        raise EngineError(
            f"the challenger cannot be scored: {broken}", "the champion stays; fit it with `synthcli fit` to see why"
        )
    if len(theirs) < len(seeds):
        broken = next(score for score in scores["champion"] if not isinstance(score, Score))
        return Challenger(version, None, f"the champion could not be scored: {broken}", "", None, None)
    margin = settings.refresh.margin
    found = contest(judged.inner.height, theirs, ours, None if margin == "auto" else float(margin))
    if found is None:
        return Challenger(version, None, "no part of the score could be measured in every sample", "", None, None)
    objection = ""
    if not found.holds:
        objection = (
            f"it is worse than champion {champion.name} on rows that neither has seen: its score lies "
            f"{-found.difference:.3f} lower, the margin is {found.margin:.3f}"
        )
    return Challenger(version, found, "", objection, None, None, seeds)


def _no_contest(settings: Config, incoming: Incoming, version: Version, champion: Version | None) -> str:
    """Return why champion and challenger cannot be compared; empty where they can."""
    if champion is None:
        return "there is no champion"
    if not registry.intact(champion):
        return f"the files of champion {champion.name} are not those that were published"
    then, now = champion.manifest.train, version.manifest.train
    if then.get("inner") != settings.refresh.inner or then.get("split") != now["split"]:
        return f"champion {champion.name} was fitted without this inner slot, and may have learned from it"
    if columns_since(champion, incoming.schema):
        return "the columns are others than the champion's"
    if incoming.inner.height < FEWEST:
        return f"the inner slot has {incoming.inner.height:,} rows, fewer than {FEWEST}"
    return ""


def _scores(
    settings: Config, judged: Case, folders: Mapping[str, Path], seeds: tuple[int, ...], phase: Phase
) -> dict[str, list[Score | str]]:
    """Return each side's scores in the seeds' order; in the place of a score that could not be made stands why."""
    calls = [((side, place), _score, (folder.resolve(), judged, seed))
             for place, seed in enumerate(seeds) for side, folder in folders.items()]  # fmt: skip
    found: dict[tuple[str, int], Score | str] = {}
    with executor(at_most(chosen(settings.run.workers), len(calls))) as pool:
        for key, score in each_done(pool, calls, called=lambda key: f"sample {key[1] + 1} of the {key[0]}"):
            found[key] = score
            phase.update(len(found) / len(calls), f"{len(found)} of {len(calls)} samples scored")
    return {side: [found[side, place] for place in range(len(seeds))] for side in folders}


def _score(folder: Path, judged: Case, seed: int) -> Score | str:
    try:
        found = scored(folder, judged, seed)
    except Exception as error:  # noqa: BLE001 - a champion that cannot be used is no reason to keep it
        return error.message if isinstance(error, SynthcliError) else type(error).__name__
    return "it lacks a column of the table" if found is None else found


# -- the audit on the holdout ------------------------------------------------------------------------------------------


def _judged(
    run: Run,
    settings: Config,
    out: Path,
    incoming: Incoming,
    found: Challenger,
    generator: TableGenerator,
    now: datetime,
) -> Challenger:
    """Return the challenger after a look at the holdout, which is recorded before it is taken."""
    look = 1 + sum(event.get("event") == "look" for event in registry.events(out))
    stamp = now.isoformat(timespec="seconds")
    registry.record(out, {"time": stamp, "event": "look", "version": found.version.number, "look": look})
    seed = stage_seed(settings.run.seed, "refresh", "sample", found.version.number)
    with run.log.phase("sample"):
        synthetic = generator.sample(settings.sample.rows or incoming.fitted.height, seed)
    rule = incoming.divided.rule
    apart = incoming.privacy_holdout
    tables = Tables(
        Table(incoming.fitted),
        Table(incoming.holdout),
        Table(synthetic),
        incoming.schema,
        None if apart is None else Table(apart),
        () if rule.method == "stratified" else tuple(name for name in rule.by if name in incoming.schema),
    )
    judged = _audited(run, settings, tables)
    with run.log.phase("pictures"):
        profile = pictured(tables, judged.estimates, settings.protection.rare_category_min_count)
    folder = SplitFolder(out / "split")
    document = report_document(
        judged.estimates,
        judged.verdicts,
        kinds={column.name: column.kind.value for column in incoming.schema},
        inputs={
            "train": {"path": f"{folder.train}, less its inner slot", "rows": incoming.fitted.height,
                      "sha256": found.version.manifest.train["sha256"]},
            "holdout": {"path": str(folder.holdout), "rows": incoming.holdout.height,
                        "sha256": content_sha256([folder.holdout])},
            "synthetic": {"path": f"{synthetic.height:,} rows of challenger {found.version.name}, not written",
                          "rows": synthetic.height, "sha256": None, "generator": found.version.name},
        },
        seed=settings.run.seed,
        config=as_stored(settings),
        versions=versions(),
        created_at=now.replace(microsecond=0),
        fail_on=settings.validation.fail_on,
        profile=profile,
    )  # fmt: skip
    figures = {e.name: e.value for e in judged.estimates if not e.columns and e.value is not None}
    verdict = "fail" if judged.failed else "pass"
    gated = {"verdict": verdict, "failed": list(judged.failed), "figures": figures, "look": look}
    objection = f"gates failed on the holdout: {', '.join(judged.failed)}" if judged.failed else ""
    return replace(found, objection=objection, gates=gated, document=document)


def _audited(run: Run, settings: Config, tables: Tables) -> Judged:
    """Measure privacy first; a challenger that fails there is not looked at further."""
    asked, level = questions(settings), settings.validation.fail_on
    rules, default, earlier = gates(settings, settings.validation, families(settings))
    at = "error" if level == "never" else level
    private = tuple(name for name in asked.families if name == "privacy")
    others = tuple(name for name in asked.families if name != "privacy")
    estimates = audit(tables, replace(asked, families=private), run.log.phase) if private else ()
    about = [rule for rule in rules if rule.metric.startswith("privacy.")]
    verdicts = judge(estimates, about, [rule for rule in default if rule.metric.startswith("privacy.")], earlier)
    if private and not passes(verdicts, at):
        return Judged(estimates, verdicts, _failed(verdicts, at))
    if others:
        estimates = (*estimates, *audit(tables, replace(asked, families=others), run.log.phase))
    order = {name: place for place, name in enumerate(name for names in METRICS.values() for name in names)}
    estimates = tuple(sorted(estimates, key=lambda each: (len(each.columns), order[each.name])))
    verdicts = judge(estimates, rules, default, earlier)
    return Judged(estimates, verdicts, () if passes(verdicts, at) else _failed(verdicts, at))


def _failed(verdicts: tuple[Verdict, ...], level: str) -> tuple[str, ...]:
    counted = {"error"} if level == "error" else {"error", "warning"}
    return tuple(dict.fromkeys(verdict.metric for verdict in verdicts if verdict.failed and verdict.level in counted))


# -- the last test -----------------------------------------------------------------------------------------------------


def _check_reload(settings: Config, version: Version, generator: TableGenerator) -> None:
    """Raise ``EngineError`` unless another process, from the files alone, draws the rows that this one draws."""
    seed = stage_seed(settings.run.seed, "refresh", "reload")
    with executor(1, apart=True) as pool:
        [(_, there)] = each_done(pool, [("there", _drawn, (version.folder, seed))], 1)
    here = table_key(generator.sample(RELOADED, seed), generator.schema.names)
    if there != here:
        raise EngineError(
            "the challenger draws other rows when it is loaded in another process; the champion stays",
            "please report it, with the kind of generator and the versions that `synthcli fit --json` names",
        )


def _drawn(folder: Path, seed: int) -> str:
    version = registry.read(folder)
    registry.verify(version)
    model = TableGenerator.load(folder)
    return table_key(model.sample(RELOADED, seed), model.schema.names)


def write_report(out: Path, found: Challenger) -> dict[str, Path]:
    """Write the audit's report, where there is one; return its files by name."""
    if found.document is None:
        return {}
    paths = written(upkeep.report_folder(out, found.version.number), found.document, None)
    return {name: paths[name] for name in ("report", "html")}


def write_decision(out: Path, number: int, decision: Mapping[str, Any]) -> Path:
    """Write what was decided about challenger ``number``, and by what."""
    path = upkeep.report_folder(out, number) / "decision.json"
    write_json(path, {"schema_version": 1, **decision})
    return path


def contest_document(found: Challenger, champion: Version | None) -> dict[str, Any] | None:
    """Return the contest as plain data, each side with its version."""
    if found.contest is None or champion is None:
        return None
    told = to_dict(found.contest)
    numbers = {"champion": champion.number, "challenger": found.version.number}
    return {**told, **{side: {"version": number, **told[side]} for side, number in numbers.items()},
            "seeds": list(found.seeds)}  # fmt: skip
