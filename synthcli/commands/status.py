"""``synthcli status``: which version is champion, how old it and its data are, when it was last checked, the lock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    from synthcli.registry import Version
    from synthcli.upkeep import State


@command
def status(
    run: Run,
    max_age: Annotated[
        str | None, typer.Option(metavar="AGE", help="Oldest champion that is fresh: 7d, 12h, 30m.")
    ] = None,
    fail_stale: Annotated[
        bool, typer.Option("--fail-stale", help="Exit 1 where the champion is stale, damaged or missing.")
    ] = False,
) -> Outcome:
    """Show the state of the generators. Reads no table and fits nothing."""
    from synthcli import upkeep
    from synthcli.commands.following import next_stage
    from synthcli.registry import aliases, intact, lock_state
    from synthcli.reports.upkeep import status_report

    settings = run.settings(refresh__max_age=max_age)
    out, now = Path(settings.run.output_dir), datetime.now(UTC)
    known, state = aliases(out), upkeep.read(out)
    versions = _versions(out)
    champion = next((version for version in versions if version.number == known.get("champion")), None)
    unharmed = None if champion is None else intact(champion)
    oldest = settings.refresh.max_age
    reasons = _reasons(known.get("champion"), champion, unharmed, oldest, now)
    held, pid = lock_state(out)
    document: dict[str, Any] = {
        "champion": known.get("champion"),
        "previous": known.get("previous"),
        "latest": known.get("latest"),
        **_facts(champion, unharmed, now),
        "versions": [_described(version, known) for version in versions],
        "data": _data(state, now),
        "last_check": _moment(state.checked, now, outcome=state.checked_outcome, why=state.checked_why),
        "last_healthy": _moment(state.healthy, now),
        "lock": {"held": held, "pid": pid},
        "max_age": oldest,
        "stale": bool(reasons),
        "reasons": reasons,
    }
    failed = bool(reasons) and fail_stale
    if failed and run.log.quiet:
        run.log.error("; ".join(reasons))
    return Outcome(
        None if run.log.quiet else lambda: status_report(document),
        document,
        status="failed" if failed else "ok",
        exit_code=1 if failed else 0,
        next_step=run.follow_up("refresh") if reasons and settings.data.path else next_stage(run, settings),
    )


def _versions(out: Path) -> list[Version]:
    """Return the versions whose manifest can be read, the newest first."""
    from synthcli.errors import SynthcliError
    from synthcli.registry import numbers, resolve

    found = []
    for number in reversed(numbers(out)):
        try:
            found.append(resolve(out, str(number)))
        except SynthcliError:
            continue
    return found


def _reasons(
    named: int | None, champion: Version | None, unharmed: bool | None, oldest: str | None, now: datetime
) -> list[str]:
    """Return every reason why the champion is not to be relied on; without a limit no age is one."""
    from synthcli.config import duration

    if named is None:
        return ["there is no champion: no refresh has promoted a version yet"]
    if champion is None:
        return [f"champion {named:04d} is not there, or its manifest cannot be read"]
    found = [] if unharmed else [f"the files of champion {champion.name} are not those that were published"]
    age = now - datetime.fromisoformat(champion.manifest.created)
    if oldest is not None and age > duration(oldest):
        found.append(f"champion {champion.name} is {age / timedelta(days=1):.1f} days old, the limit is {oldest}")
    if age < timedelta(0):
        found.append(f"champion {champion.name} is of the future: the clock was changed")
    return found


def _facts(champion: Version | None, unharmed: bool | None, now: datetime) -> dict[str, Any]:
    if champion is None:
        return dict.fromkeys(("kind", "champion_created", "champion_age_seconds", "champion_rows", "intact"))
    manifest = champion.manifest
    return {
        "kind": manifest.kind,
        "champion_created": manifest.created,
        "champion_age_seconds": (now - datetime.fromisoformat(manifest.created)).total_seconds(),
        "champion_rows": manifest.train["rows"],
        "intact": unharmed,
    }


def _described(version: Version, known: dict[str, int]) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "version": version.number,
        "kind": manifest.kind,
        "created": manifest.created,
        "rows": manifest.train["rows"],
        "aliases": sorted(name for name, number in known.items() if number == version.number),
    }


def _data(state: State, now: datetime) -> dict[str, Any]:
    """Return the day of the newest row and how long ago it ended, both unknown before a refresh has seen data."""
    newest = state.newest
    age = None if newest is None else (now - datetime.fromisoformat(newest).replace(tzinfo=UTC)).total_seconds()
    return {"newest": newest, "age_seconds": age, "files": len(state.files) or None}


def _moment(at: str | None, now: datetime, **more: Any) -> dict[str, Any] | None:
    if at is None:
        return None
    return {"at": at, "age_seconds": (now - datetime.fromisoformat(at)).total_seconds(), **more}
