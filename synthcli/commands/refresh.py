"""``synthcli refresh``: is there new data, does it drift, is a challenger better; promote it, or keep the champion.

Everything that is written happens under the output directory's lock. What a refresh came to stands in
``generators/events.jsonl`` (when, why, with the figures) and in ``refresh/state.json``, which the next one starts from.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    from rich.console import RenderableType

    from synthcli.commands.incoming import Incoming
    from synthcli.commands.reasons import Case
    from synthcli.commands.succession import Challenger
    from synthcli.config import Config
    from synthcli.registry import Version
    from synthcli.tables.files import Part
    from synthcli.upkeep import SourceFile


@command
def refresh(
    run: Run,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Real table: file, folder of parts, glob or URL (default: data.path)."),
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
    from synthcli.commands.hooks import with_hooks
    from synthcli.commands.recording import write_records
    from synthcli.commands.remembering import failures_recorded
    from synthcli.registry import lock

    settings = run.settings(data__path=data, run__seed=run.seed)
    out = Path(settings.run.output_dir)
    if not out.exists():
        _source(settings)  # a mistyped name leaves no directory behind
    if run.dry_run:
        return _refreshed(run, settings, _case(settings, out), force, explain, allow_schema_change, allow_drift)
    with lock(out), failures_recorded(out):
        start = _case(settings, out)
        ended = _refreshed(run, settings, start, force, explain, allow_schema_change, allow_drift)
    if ended.result["outcome"] == "promoted" and settings.refresh.after_promotion:
        write_records(run, ended)  # first: a command that follows may fail, or renew a folder itself
        return with_hooks(run, settings, replace(ended, records={}))
    return ended


def _case(settings: Config, out: Path) -> Case:
    """Look at the source's files, the state and the champion; nothing is opened that need not be."""
    from synthcli import upkeep
    from synthcli.commands.reasons import Case
    from synthcli.config import as_plain
    from synthcli.errors import SynthcliError
    from synthcli.registry import aliases, fingerprint, intact, resolve

    now, state = datetime.now(UTC), upkeep.read(out)
    files = _distinct(upkeep.look(_source(settings), state.files, time.time_ns()))
    plain = as_plain(settings)
    data = {key: value for key, value in plain["data"].items() if key != "path"}
    fit = {"data": data, "protection": plain["protection"], "synthesizer": plain["synthesizer"],
           "seed": settings.run.seed}  # fmt: skip
    judged = {key: value for key, value in plain["refresh"].items() if key not in ("sample", "after_promotion", "keep")}
    champion, named = None, "champion" in aliases(out)
    if named:
        with suppress(SynthcliError):
            champion = resolve(out, "champion")
    deciding = {**fit, "split": plain["split"], "validate": plain["validate"], "refresh": judged,
                "rows": settings.sample.rows}  # fmt: skip
    return Case(
        out, now, state, files, deciding, fingerprint(fit), named, champion, champion is not None and intact(champion)
    )


def _source(settings: Config) -> tuple[Path | Part, ...]:
    """Return the files of the real table, of remote ones the copies.

    Raises ``UsageError`` where none is named or it cannot be read again.
    """
    from synthcli.errors import UsageError
    from synthcli.remote import is_url
    from synthcli.tables.files import STANDARD_INPUT, resolve

    path = settings.data.path
    if path is None:
        raise UsageError(
            "DATA: no table named, and data.path is not set", "name it, or a configuration that does: -c FILE"
        )
    if STANDARD_INPUT in ([path] if isinstance(path, str) else path):
        raise UsageError(
            "standard input cannot be looked at again at the next refresh", "name a file, a glob or a folder"
        )
    return tuple(part if is_url(part.name) else part.path for part in resolve(path))


def _distinct(files: tuple[SourceFile, ...]) -> tuple[SourceFile, ...]:
    """Return the files; raises ``BadTableError`` for one that is there twice, of whose rows some would be learned."""
    from synthcli.errors import BadTableError

    seen: dict[str, str] = {}
    for file in files:
        if file.sha256 in seen:
            raise BadTableError(
                f"{Path(file.path).name} has the same content as {Path(seen[file.sha256]).name}; the champion stays",
                "remove one of the two",
            )
        seen[file.sha256] = file.path
    return files


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
    if not force and _unchanged(start):
        return _nothing_new(run, start, explain)
    # A refresh with nothing to do ends above and imports nothing that is heavy.
    from synthcli.commands.incoming import receive
    from synthcli.commands.reasons import ask_first, reference, triggers
    from synthcli.commands.remembering import decision
    from synthcli.drift import measure_drift, suspicious

    incoming = receive(run, settings, start.out, allow_schema_change=allow_schema_change, allow_drift=allow_drift)
    if start.named and not start.intact:
        run.log.warn("the champion is lost, or its files are not those that were published: it is replaced")
    known, lacking = reference(start, incoming)
    drift = None
    if known is not None:
        with run.log.phase("drift") as phase:
            ignored = {*settings.refresh.drift.ignore, *([settings.data.time] if settings.data.time else [])}
            drift = measure_drift(known, incoming.fitted, incoming.schema, settings.run.seed, ignored, phase.update)
        if drift.replaced and not incoming.divided.rule.by:
            run.log.warn(
                "most known rows are gone or changed: where rows of the same person or thing are updated, name what "
                "tells them apart in split.by, else one version's training rows are another one's holdout"
            )
        found = suspicious(drift, settings.refresh.drift.halt)
        if found:
            ask_first(run, found, settings.refresh.drift.halt, allow_drift)
    found_reasons = triggers(settings, start, incoming, drift, lacking, force)
    document = decision(start, incoming, found_reasons, drift)
    if not any(reason.met for reason in found_reasons):
        return _kept(run, start, incoming, document, explain)
    if run.dry_run:
        allowances = {"--allow-schema-change": allow_schema_change, "--allow-drift": allow_drift}
        allowed = [option for option, given in allowances.items() if given]
        return _planned(run, settings, start, incoming, document, explain, allowed)
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
    from synthcli.commands.remembering import decision, remember

    state = start.state
    why = (
        f"data, configuration and versions are those of {state.at}, when the outcome was: {state.outcome} ({state.why})"
    )
    document = {**decision(start, None, [], None), "outcome": "unchanged", "why": why}
    if not run.dry_run:
        remember(start, replace(state, files=start.files).ended("unchanged", why, start.stamp))
    if state.outcome == "rejected":
        run.log.info("the last challenger was rejected; --force fits one again")
    return _outcome(run, document, explain, status="skipped")


def _kept(run: Run, start: Case, incoming: Incoming, document: dict[str, Any], explain: bool) -> Outcome:
    from synthcli.commands.remembering import decided, event
    from synthcli.registry import record

    told = document["drift"]
    whole = [column for column in told["columns"] if not column["ignored"]] if told else []
    most = max(whole, key=lambda column: column["whole"]["psi"], default=None)
    psi = f", the largest PSI {most['whole']['psi']:.3f} ({most['name']})" if most else ""
    share = document["source"]["new_share"]
    rows = "no limit is met" if share is None else f"{share:.1%} of the training rows are new{psi}"
    document |= {"outcome": "kept", "why": rows}
    if not run.dry_run:
        record(start.out, event(start, "kept", document))
        decided(start, incoming, document)
    return _outcome(run, document, explain, status="skipped")


def _planned(
    run: Run,
    settings: Config,
    start: Case,
    incoming: Incoming,
    document: dict[str, Any],
    explain: bool,
    allowed: Sequence[str],
) -> Outcome:
    from rich.console import Group
    from rich.text import Text

    from synthcli.commands.plays import refresh_play
    from synthcli.commands.rehearsing import forecast
    from synthcli.reports.terminal import forecast_report

    met = ", ".join(
        dict.fromkeys(trigger["name"].replace("_", " ") for trigger in document["triggers"] if trigger["met"])
    )
    told = forecast(run, settings, refresh_play(settings, start.out, incoming, start.champion, allowed))
    document |= {"outcome": "planned", "why": f"a challenger would be fitted: {met}", "plan": told.to_dict()}
    ended = _outcome(run, document, explain)
    if ended.report is None:
        return ended
    return replace(ended, report=lambda: Group(_report(document, explain), Text(), forecast_report({}, told)))


# -- a challenger ------------------------------------------------------------------------------------------------------


def _challenged(
    run: Run, settings: Config, start: Case, incoming: Incoming, document: dict[str, Any], explain: bool
) -> Outcome:
    """Fit a challenger, and promote it unless something speaks against it."""
    from synthcli.commands import succession
    from synthcli.commands.remembering import decided, event
    from synthcli.commands.sample import drawn_records
    from synthcli.commands.tidying import tidied
    from synthcli.holdout import SplitFolder
    from synthcli.registry import aliases, record
    from synthcli.upkeep import report_folder

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
        wrote: dict[str, Path | str] = {**succession.write_report(out, found)}
        document["report"] = str(wrote["html"]) if wrote else None
        if found.objection:
            document |= {"outcome": "rejected", "why": found.objection}
        else:
            with run.log.phase("promote"):
                succession.promote(out, found, incoming, champion if start.intact else None)
            document |= {"outcome": "promoted", "why": _reason(found, champion)}
    named, promoted = aliases(out), document["outcome"] == "promoted"
    document |= {"champion": named.get("champion"), "previous": named.get("previous")}
    record(out, event(start, document["outcome"], document))
    decided(start, incoming, document)
    if settings.refresh.keep is not None:
        document["pruned"] = list(tidied(out, settings.refresh.keep))
    if promoted:
        wrote["generator"] = out / "generators" / f"{number:04d}"
    wrote["decision"] = succession.write_decision(out, number, document)
    parts = SplitFolder(out / "split")
    split = [*parts.parts(incoming.divided.rule).values(), parts.record]
    records: dict[Path, list[Path | str]] = {parts.path: [*split], report_folder(out, number): [
        path for name, path in wrote.items() if name != "generator"]}  # fmt: skip
    if not promoted:
        ended = _outcome(run, document, explain, status="failed", exit_code=1, artifacts=wrote)
        return replace(ended, records=records)
    if settings.refresh.sample:
        drawn = _sampled(run, settings, out, document)
        wrote, records = {**wrote, **drawn}, {**records, **drawn_records(out, drawn)}
    return replace(_outcome(run, document, explain, artifacts=wrote), records=records)


def _reason(found: Challenger, champion: Version | None) -> str:
    told = f"no comparison ({found.no_contest})"
    if found.contest is not None and champion is not None:
        ours, theirs = (fmean(side) for side in (found.contest.challenger, found.contest.champion))
        told = (
            f"no worse than champion {champion.name}: score {ours:.3f} against {theirs:.3f}, margin "
            f"{found.contest.margin:.3f}"
        )
    return f"{told}; all gates passed"


def _sampled(run: Run, settings: Config, out: Path, document: dict[str, Any]) -> dict[str, Path | str]:
    """Draw the synthetic table anew from the new champion, as ``sample`` would."""
    from synthcli.commands.sample import drawn_anew
    from synthcli.registry import resolve

    result, wrote = drawn_anew(run, settings, out, resolve(out, "champion"))
    document["sampled"] = str(wrote["synthetic"])
    document["sample_seed"] = result["seed"]
    return wrote


def _outcome(
    run: Run,
    document: dict[str, Any],
    explain: bool,
    status: str = "ok",
    exit_code: int = 0,
    artifacts: Mapping[str, Path | str] | None = None,
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
