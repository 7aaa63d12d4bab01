"""``synthcli refresh``: is there new data, does it drift, is a challenger better; promote it, or keep the champion.

Everything that is written happens under the output directory's lock. What a refresh came to stands in
``generators/events.jsonl`` (when, why, with the figures) and in ``refresh/state.json``, which the next one starts from.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    from rich.console import RenderableType

    from synthcli.commands.incoming import Incoming
    from synthcli.commands.succession import Challenger
    from synthcli.config import Config
    from synthcli.drift import Drift, Reference
    from synthcli.registry import Version
    from synthcli.upkeep import SourceFile, State


@dataclass(frozen=True)
class Trigger:
    """A possible reason to refit: what was found, the limit that it is held against, and whether it is met."""

    name: str
    met: bool
    value: float | str | None = None
    limit: float | str | None = None
    column: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Case:
    """What a refresh starts from.

    ``files`` are the source's as they are now; ``settings`` is the part of the configuration that decides a refresh,
    ``fit_key`` a fingerprint of the part that decides a fit. ``named`` tells whether there is an alias ``champion``,
    ``champion`` is the version where its manifest can be read, ``intact`` whether its files are in order.
    """

    out: Path
    now: datetime
    state: State
    files: tuple[SourceFile, ...]
    settings: Mapping[str, Any]
    fit_key: str
    named: bool
    champion: Version | None
    intact: bool

    @property
    def stamp(self) -> str:
        """The moment of the refresh, in UTC."""
        return self.now.isoformat(timespec="seconds")


@command
def refresh(
    run: Run,
    data: Annotated[
        Path | None, typer.Argument(help="Real table: file, folder of parts or glob (default: data.path).")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Fit a challenger although nothing calls for one; overrides no guard.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show every reason, the drift of each column and each seed's score.")
    ] = False,
    allow_schema_change: Annotated[
        bool, typer.Option("--allow-schema-change", help="Accept new, missing and retyped columns.")
    ] = False,
    allow_drift: Annotated[
        bool, typer.Option("--allow-drift", help="Learn from new rows whose columns lie beyond refresh.drift.halt.")
    ] = False,
) -> Outcome:
    """Keep the generator current: refit where new data call for it, and promote what is no worse."""
    from synthcli.registry import lock

    settings = run.settings(data__path=str(data) if data else None, run__seed=run.seed)
    out = Path(settings.run.output_dir)
    if run.dry_run:
        return _refreshed(run, settings, _case(settings, out), force, explain, allow_schema_change, allow_drift)
    with lock(out), _failures_recorded(out):
        start = _case(settings, out)
        ended = _refreshed(run, settings, start, force, explain, allow_schema_change, allow_drift)
    if ended.result["outcome"] == "promoted" and settings.refresh.after_promotion:
        return _with_hooks(run, settings, ended)
    return ended


def _case(settings: Config, out: Path) -> Case:
    """Look at the source's files, the state and the champion; nothing is opened that need not be."""
    from synthcli import upkeep
    from synthcli.config import as_plain
    from synthcli.errors import SynthcliError, UsageError
    from synthcli.registry import aliases, fingerprint, intact, resolve
    from synthcli.tables.files import STANDARD_INPUT
    from synthcli.tables.files import resolve as files_of

    path = settings.data.path
    if path is None:
        raise UsageError("no table given", "name it: synthcli refresh DATA, or set data.path in the configuration")
    if STANDARD_INPUT in ([path] if isinstance(path, str) else path):
        raise UsageError(
            "standard input cannot be looked at again at the next refresh", "name a file, a glob or a folder"
        )
    now, state = datetime.now(UTC), upkeep.read(out)
    files = upkeep.look((part.path for part in files_of(path)), state.files, time.time_ns())
    plain = as_plain(settings)
    data = {key: value for key, value in plain["data"].items() if key != "path"}
    fit = {"data": data, "protection": plain["protection"], "synthesizer": plain["synthesizer"],
           "seed": settings.run.seed}  # fmt: skip
    judged = {key: value for key, value in plain["refresh"].items() if key not in ("sample", "after_promotion", "keep")}
    champion, named = None, "champion" in aliases(out)
    if named:
        with suppress(SynthcliError):
            champion = resolve(out, "champion")
    deciding = {**fit, "split": plain["split"], "validate": plain["validate"], "refresh": judged}
    return Case(
        out, now, state, files, deciding, fingerprint(fit), named, champion, champion is not None and intact(champion)
    )


def _refreshed(
    run: Run,
    settings: Config,
    start: Case,
    force: bool,
    explain: bool,
    allow_schema_change: bool,
    allow_drift: bool,
) -> Outcome:
    """Go through the steps until one of them is the last."""
    from synthcli.commands.incoming import receive
    from synthcli.drift import measure_drift, suspicious

    if not force and _unchanged(start):
        return _nothing_new(run, start, explain)
    incoming = receive(run, settings, start.out, allow_schema_change=allow_schema_change)
    reference, lacking = _reference(start, incoming)
    drift = None
    if reference is not None:
        with run.log.phase("drift") as phase:
            ignored = {*settings.refresh.drift.ignore, *([settings.data.time] if settings.data.time else [])}
            drift = measure_drift(reference, incoming.fitted, incoming.schema, settings.run.seed, ignored, phase.update)
        found = suspicious(drift, settings.refresh.drift.halt)
        if found:
            _ask_first(run, found, settings.refresh.drift.halt, allow_drift)
    triggers = _triggers(settings, start, incoming, drift, lacking, force)
    document = _document(start, incoming, triggers, drift)
    if not any(trigger.met for trigger in triggers):
        return _kept(run, start, incoming, document, explain)
    if run.dry_run:
        return _planned(run, start, document, explain)
    return _challenged(run, settings, start, incoming, document, explain)


# -- nothing to do -----------------------------------------------------------------------------------------------------


def _unchanged(start: Case) -> bool:
    """Whether data, configuration and versions are those of the last decision, and its champion is in order."""
    from synthcli.upkeep import content
    from synthcli.versions import versions

    state = start.state
    same = state.content == content(start.files) and state.settings == start.settings and state.versions == versions()
    return same and (start.intact or (not start.named and state.outcome == "rejected"))


def _nothing_new(run: Run, start: Case, explain: bool) -> Outcome:
    state = start.state
    why = (
        f"data, configuration and versions are those of {state.at}, when the outcome was: {state.outcome} ({state.why})"
    )
    document = {**_document(start, None, [], None), "outcome": "unchanged", "why": why}
    if not run.dry_run:
        _remember(start, replace(state, files=start.files).ended("unchanged", why, start.stamp))
    if state.outcome == "rejected":
        run.log.info("the last challenger was rejected; --force fits one again")
    return _outcome(run, document, explain, status="skipped")


def _kept(run: Run, start: Case, incoming: Incoming, document: dict[str, Any], explain: bool) -> Outcome:
    from synthcli.registry import record

    told = document["drift"]
    whole = [column for column in told["columns"] if not column["ignored"]] if told else []
    most = max(whole, key=lambda column: column["whole"]["psi"], default=None)
    psi = f", the largest PSI {most['whole']['psi']:.3f} ({most['name']})" if most else ""
    share = document["source"]["new_share"]
    rows = "no limit is met" if share is None else f"{share:.1%} of the training rows are new{psi}"
    document |= {"outcome": "kept", "why": rows}
    if not run.dry_run:
        record(start.out, _event(start, "kept", document))
        _decided(start, incoming, document)
    return _outcome(run, document, explain, status="skipped")


def _planned(run: Run, start: Case, document: dict[str, Any], explain: bool) -> Outcome:
    met = ", ".join(
        dict.fromkeys(trigger["name"].replace("_", " ") for trigger in document["triggers"] if trigger["met"])
    )
    document |= {"outcome": "planned", "why": f"a challenger would be fitted: {met}"}
    return _outcome(run, document, explain)


# -- reasons -----------------------------------------------------------------------------------------------------------


def _reference(start: Case, incoming: Incoming) -> tuple[Reference | None, str]:
    """Return the counts of what the champion learned from, or why there are none."""
    from synthcli.drift import Reference
    from synthcli.errors import BadTableError
    from synthcli.upkeep import reference_file

    if start.champion is None:
        return None, ""
    if incoming.renewed:
        return None, "columns that rows are told by have changed"
    try:
        return Reference.read(reference_file(start.out, start.champion.number)), ""
    except BadTableError as error:
        return None, error.message


def _ask_first(run: Run, found: Sequence[Any], limit: float | None, allowed: bool) -> None:
    """Raise ``BadTableError`` for new rows that look like another table's, unless a person says that they are right."""
    from synthcli.errors import BadTableError

    names = {"tvd": "moved by", "missing": "missing cells changed by", "new_categories": "unknown categories"}
    told = "; ".join(f"{each.column}: {names[each.effect]} {each.value:.0%}" for each in found[:5])
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    message = f"the new rows look like another table's ({told}{more}; refresh.drift.halt is {limit:g})"
    if not allowed:
        raise BadTableError(
            f"{message}; the champion stays",
            "look for swapped units, other codes or empty columns; if the rows are right, add --allow-drift",
        )
    run.log.warn(f"{message}; accepted, as --allow-drift says")


def _triggers(
    settings: Config, start: Case, incoming: Incoming, drift: Drift | None, lacking: str, force: bool
) -> list[Trigger]:
    """Return every reason that there could be for a new generator, met or not."""
    from synthcli.commands.incoming import columns_since
    from synthcli.config import duration
    from synthcli.upkeep import changed_keys
    from synthcli.versions import versions

    wanted, champion = settings.refresh, start.champion
    if champion is None:
        return [Trigger("forced", force), Trigger("no_champion", True, note="there is no champion yet")]
    manifest, columns = champion.manifest, columns_since(champion, incoming.schema)
    keys = changed_keys(start.state.settings or {}, start.settings)
    others = changed_keys(manifest.versions, versions())
    found = [
        Trigger("forced", force),
        Trigger(
            "damaged", not start.intact, note="" if start.intact else "its files are not those that were published"
        ),
        Trigger("settings", manifest.train.get("settings") != start.fit_key, note=", ".join(keys[:5])),
        Trigger("versions", bool(others), note=", ".join(others[:5])),
        Trigger("schema", bool(columns), note="; ".join(columns[:5])),
    ]
    age = start.now - datetime.fromisoformat(manifest.created)
    oldest = wanted.max_age
    found.append(
        Trigger("age", oldest is not None and age > duration(oldest), f"{age.total_seconds() / 86400:.1f}d", oldest)
    )
    if drift is None:
        return [*found, Trigger("no_reference", True, note=lacking)]
    share = drift.new_share
    found.append(Trigger("new_rows", wanted.new_rows is not None and share >= wanted.new_rows, share, wanted.new_rows))
    return found + _drift_triggers(drift, settings)


def _drift_triggers(drift: Drift, settings: Config) -> list[Trigger]:
    """Return one for each kind of drift: the column most above its limit, else the one with the largest effect."""
    from synthcli.drift import exceeded

    limits = settings.refresh.drift
    above = exceeded(drift, limits)
    found = []
    for name in ("psi", "tvd", "missing", "new_categories"):
        limit = getattr(limits, name)
        met = [each for each in above if each.effect == name]
        sizes = [(column.whole.effect(name)[0], column.name) for column in drift.columns if not column.ignored]
        value, column = (met[0].value, met[0].column) if met else max(sizes, default=(0.0, None))
        note = ", ".join(str(each.column) for each in met[1:6])
        found.append(Trigger(name, bool(met), value, limit, column, f"also {note}" if note else ""))
    told = drift.told
    met = [each for each in above if each.effect == "c2st"]
    note = "too few new or known rows" if told is None else f"low bound {told.interval.low:.3f}"
    found.append(Trigger("c2st", bool(met), None if told is None else told.auc, limits.c2st, None, note))
    return found


# -- a challenger ------------------------------------------------------------------------------------------------------


def _challenged(
    run: Run, settings: Config, start: Case, incoming: Incoming, document: dict[str, Any], explain: bool
) -> Outcome:
    """Fit a challenger, and promote it unless something speaks against it."""
    from synthcli.commands import succession
    from synthcli.commands.tidying import tidied
    from synthcli.registry import aliases, record

    out, champion = start.out, start.champion
    with succession.challenger(run, settings, out, incoming, champion, start.fit_key, start.now) as found:
        number = found.version.number
        document |= {
            "version": number,
            "kind": found.version.manifest.kind,
            "contest": succession.contest_document(found, champion),
            "no_contest": found.no_contest,
            "gates": found.gates,
        }
        wrote = succession.write_report(out, found)
        document["report"] = str(wrote["html"]) if wrote else None
        if found.objection:
            document |= {"outcome": "rejected", "why": found.objection}
        else:
            with run.log.phase("promote"):
                succession.promote(out, found, incoming, champion if start.intact else None)
            document |= {"outcome": "promoted", "why": _reason(found, champion)}
    named, promoted = aliases(out), document["outcome"] == "promoted"
    document |= {"champion": named.get("champion"), "previous": named.get("previous")}
    record(out, _event(start, document["outcome"], document))
    _decided(start, incoming, document)
    if settings.refresh.keep is not None:
        document["pruned"] = list(tidied(out, settings.refresh.keep))
    if promoted:
        wrote["generator"] = out / "generators" / f"{number:04d}"
    wrote["decision"] = succession.write_decision(out, number, document)
    if not promoted:
        return _outcome(run, document, explain, status="failed", exit_code=1, artifacts=wrote)
    if settings.refresh.sample:
        wrote |= _sampled(run, settings, out, document)
    return _outcome(run, document, explain, artifacts=wrote)


def _reason(found: Challenger, champion: Version | None) -> str:
    told = f"no comparison ({found.no_contest})"
    if found.contest is not None and champion is not None:
        ours, theirs = (fmean(side) for side in (found.contest.challenger, found.contest.champion))
        told = (
            f"no worse than champion {champion.name}: score {ours:.3f} against {theirs:.3f}, margin "
            f"{found.contest.margin:.3f}"
        )
    return f"{told}; all gates passed"


def _sampled(run: Run, settings: Config, out: Path, document: dict[str, Any]) -> dict[str, Path]:
    """Draw the synthetic table anew from the new champion, as ``sample`` would."""
    from synthcli.commands.sample import drawn_anew
    from synthcli.registry import resolve

    result, wrote = drawn_anew(run, settings, out, resolve(out, "champion"))
    document["sampled"] = str(wrote["synthetic"])
    document["sample_seed"] = result["seed"]
    return wrote


def _with_hooks(run: Run, settings: Config, ended: Outcome) -> Outcome:
    """Run the commands that follow a promotion, after the lock was given back, so that they may use the directory."""
    from synthcli.errors import EngineError
    from synthcli.registry import record

    document, out = dict(ended.result), Path(settings.run.output_dir)
    told = {
        "SYNTHCLI_VERSION": f"{document['version']:04d}",
        "SYNTHCLI_PREVIOUS": "" if document["previous"] is None else f"{document['previous']:04d}",
        "SYNTHCLI_OUT": str(out.absolute()),
        "SYNTHCLI_REPORT": str(Path(document["report"]).absolute()) if document["report"] else "",
    }
    where = run.config_file.absolute().parent if run.config_file else Path.cwd()
    for line in settings.refresh.after_promotion:
        started = time.monotonic()
        with run.log.phase(f"run {shlex.split(line)[0]}"):
            done = _followed(run, shlex.split(line), where, {**os.environ, **told})
        seconds = round(time.monotonic() - started, 3)
        document["hooks"] = [*document["hooks"], {"command": line, "exit_code": done, "seconds": seconds}]
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        record(out, {"time": moment, "event": "hook", "version": document["version"], "exit_code": done,
                     "seconds": seconds})  # fmt: skip
        if done:
            raise EngineError(
                f"refresh.after_promotion: `{line}` ended with exit code {done}; version "
                f"{document['version']:04d} is champion all the same",
                "run the command by hand; SYNTHCLI_VERSION, SYNTHCLI_OUT and SYNTHCLI_REPORT were set for it",
            )
    return replace(ended, result=document)


def _followed(run: Run, words: Sequence[str], where: Path, environment: Mapping[str, str]) -> int:
    """Run a command, log what it says line by line, and return its exit code; 127 where it cannot be started."""
    try:
        with subprocess.Popen(
            words, cwd=where, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
        ) as process:  # fmt: skip
            for line in process.stdout or ():
                run.log.info(line.rstrip())
            return process.wait()
    except OSError:
        return 127


# -- what is remembered ------------------------------------------------------------------------------------------------


@contextmanager
def _failures_recorded(out: Path) -> Iterator[None]:
    """Record a refresh that bad input or a failure ended, as far as the disk allows, and let the error go on."""
    from synthcli import upkeep
    from synthcli.errors import SynthcliError
    from synthcli.registry import record

    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        yield
    except Exception as error:
        known = error if isinstance(error, SynthcliError) else None
        if known is not None and known.exit_code == 2:
            raise  # the command line or its configuration: nothing was begun
        outcome: upkeep.Outcome = "stopped" if known is not None and known.exit_code == 3 else "failed"
        kind, why = (known.kind, known.message) if known is not None else ("engine", type(error).__name__)
        with suppress(OSError):
            record(out, {"time": stamp, "event": outcome, "kind": kind, "why": why})
            upkeep.write(out, upkeep.read(out).ended(outcome, why, stamp))
        raise


def _decided(start: Case, incoming: Incoming, document: Mapping[str, Any]) -> None:
    """Remember the data, so that the next refresh need not decide about them again."""
    from synthcli.versions import versions

    outcome, why = document["outcome"], document["why"]
    state = start.state.dealt_with(start.files, start.settings, versions(), incoming.newest, outcome, why, start.stamp)
    _remember(start, state)


def _remember(start: Case, state: State) -> None:
    from synthcli.upkeep import write

    write(start.out, state)


def _event(start: Case, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of ``events.jsonl``: when, why, with the figures that ``history`` shows."""
    source, contest, drift = document["source"], document["contest"], document["drift"]
    gates = document["gates"] or {}
    columns = [column for column in drift["columns"] if not column["ignored"]] if drift else []
    return {
        "time": start.stamp,
        "event": name,
        "version": document["version"],
        "champion": document["champion"],
        "previous": document["previous"],
        "why": document["why"],
        "triggers": [trigger["name"] for trigger in document["triggers"] if trigger["met"]],
        "files": source["files"],
        "rows": source["rows"],
        "new_rows": source["new_rows"],
        "new_share": source["new_share"],
        "newest": source["newest"],
        "psi": max((column["whole"]["psi"] for column in columns), default=None),
        "score": contest["challenger"]["score"] if contest else None,
        "champion_score": contest["champion"]["score"] if contest else None,
        "margin": contest["margin"] if contest else None,
        "failed": gates.get("failed", []),
        "figures": gates.get("figures", {}),
    }


def _document(
    start: Case, incoming: Incoming | None, triggers: Sequence[Trigger], drift: Drift | None
) -> dict[str, Any]:
    """Return the decision as plain data, as far as it is known before a challenger is fitted."""
    from synthcli.registry import aliases
    from synthcli.upkeep import changed_files

    named = aliases(start.out)
    source = None
    if incoming is not None:
        source = {
            "files": len(start.files),
            "changes": changed_files(start.state.files, start.files),
            "schema_changes": list(incoming.schema_changes),
            "rows": incoming.rows,
            "train_rows": incoming.fitted.height + incoming.inner.height,
            "fit_rows": incoming.fitted.height,
            "inner_rows": incoming.inner.height,
            "holdout_rows": incoming.holdout.height,
            "new_rows": None if drift is None else drift.new_rows,
            "new_share": None if drift is None else drift.new_share,
            "newest": incoming.newest,
        }
    return {
        "outcome": "",
        "why": "",
        "at": start.stamp,
        "version": None,
        "kind": None,
        "champion": named.get("champion"),
        "previous": named.get("previous"),
        "source": source,
        "triggers": [asdict(trigger) for trigger in triggers],
        "drift": None if drift is None else _drift(drift),
        "contest": None,
        "no_contest": "",
        "gates": None,
        "pruned": [],
        "report": None,
        "sampled": None,
        "hooks": [],
    }


def _drift(drift: Drift) -> dict[str, Any]:
    told = drift.told
    columns = [
        {
            **column._asdict(),
            "whole": column.whole._asdict(),
            "new": None if column.new is None else column.new._asdict(),
        }
        for column in drift.columns
    ]
    return {
        "rows": drift.rows,
        "reference_rows": drift.reference_rows,
        "new_rows": drift.new_rows,
        "new_share": drift.new_share,
        "c2st": None if told is None else {"auc": told.auc, **told.interval._asdict(), "rows": told.rows},
        "columns": columns,
    }


def _outcome(
    run: Run,
    document: dict[str, Any],
    explain: bool,
    status: str = "ok",
    exit_code: int = 0,
    artifacts: Mapping[str, Path] | None = None,
) -> Outcome:
    """End the command: quiet success says nothing, quiet failure one line."""
    if exit_code and (run.log.quiet or run.log.as_json):
        run.log.error(f"{document['outcome']}: {document['why']}")
    silent = run.log.quiet and not explain
    following = {"promoted": "sample", "rejected": "history"}.get(document["outcome"], "status")
    return Outcome(
        None if silent else lambda: _report(document, explain),
        document,
        artifacts or {},
        status=status,
        exit_code=exit_code,
        next_step=run.follow_up(following),
    )


def _report(document: Mapping[str, Any], explain: bool) -> RenderableType:
    from synthcli.reports.upkeep import refresh_report

    return refresh_report(document, explain)
