"""``synthcli rollback``: an earlier version becomes the champion again, once its files are known to be unharmed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.completing import generators
from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    from synthcli.registry import Version
    from synthcli.reports.document import Report


@command
def rollback(
    run: Run,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="VERSION", help="Version number or alias (default: previous).", autocompletion=generators
        ),
    ] = None,
) -> Outcome:
    """Make an earlier version the champion; the one that was is ``previous`` from then on."""
    from synthcli.errors import MissingFileError
    from synthcli.registry import aliases, lock, record, resolve, set_aliases, verify

    out = Path(run.settings().run.output_dir)

    def chosen() -> tuple[Version, int | None]:
        known = aliases(out)
        if version is None and "previous" not in known:
            raise MissingFileError(
                f"{out}: there is no previous champion", "name a version: `synthcli status` lists them"
            )
        found = resolve(out, version or "previous")
        if found.folder.parent.resolve() != (out / "generators").resolve():
            raise MissingFileError(
                f"{version}: no version under {out}", "name its number: `synthcli status` lists them"
            )
        verify(found)
        return found, known.get("champion")

    found, before = chosen()  # what is not there leaves no directory behind
    if run.dry_run:
        _say_judged(run, out, found)
        return _outcome(run, found, before)
    with lock(out):
        found, before = chosen()
        _say_judged(run, out, found)
        if found.number != before:
            set_aliases(out, {"champion": found.number} | ({} if before is None else {"previous": before}))
            moment = datetime.now(UTC).isoformat(timespec="seconds")
            record(out, {"time": moment, "event": "rolled_back", "version": found.number, "champion": found.number,
                         "previous": before, "why": f"from {before:04d}" if before else ""})  # fmt: skip
    return _outcome(run, found, before)


def _say_judged(run: Run, out: Path, found: Version) -> None:
    """Say how the version was judged, as far as is known: by a refresh, and by the audit that lies in ``out``."""
    from synthcli.registry import events

    promoted = any(each.get("event") == "promoted" and each.get("version") == found.number for each in events(out))
    where = out / "validate" / "report.json"
    audit = _audit(where, found)
    said = [] if promoted else ["no refresh promoted it"]
    if audit is None:
        said += [f"and {where} tells of no audit of it"] if said else []
    elif audit.verdict == "pass":
        said.append(f"its audit passed ({where})")
    else:
        failed = sorted({gate.metric for gate in audit.gates if gate.failed})
        said.insert(0, f"its audit failed: {', '.join(failed) or 'by its verdict'} ({where})")
    if said:
        say = run.log.info if audit is not None and audit.verdict == "pass" else run.log.warn
        say(f"version {found.name}: {', '.join(said)}")


def _audit(where: Path, version: Version) -> Report | None:
    """Return the stored audit of what the version drew; nothing where it is of another one."""
    from synthcli.errors import SynthcliError
    from synthcli.reports.document import read_report

    try:
        report = read_report(where)
    except SynthcliError:
        return None
    audited = report.inputs.get("synthetic")
    own = audited is not None and audited.generator == version.name
    return report if own and report.created_at >= datetime.fromisoformat(version.manifest.created) else None


def _outcome(run: Run, found: Version, before: int | None) -> Outcome:
    from synthcli.reports.terminal import facts_report

    same = found.number == before
    facts = {
        "champion": f"version {found.name}" + (", as it was" if same else f" of {found.manifest.created}"),
        "learned from": f"{found.manifest.train['rows']:,} rows",
        "previous": "none" if before is None else f"version {before:04d}",
    }
    if same:
        del facts["previous"]
    result: dict[str, Any] = {"champion": found.number, "previous": before}
    return Outcome(
        None if run.log.quiet else lambda: facts_report(facts),
        result,
        {} if same else {"generator": found.folder},
        status="skipped" if same else "ok",
        next_step=run.follow_up("sample"),
    )
