"""``synthcli history``: what came of each refresh, and how quality moved from version to version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from synthcli.commands.running import Outcome, Run, command

#: The events that stand for a refresh or a decision of a person.
SHOWN = ("promoted", "rejected", "kept", "stopped", "failed", "rolled_back")
#: The figures of the audit that are shown, where it measured them.
FIGURES = ("accuracy.bivariate", "similarity.c2st_auc", "privacy.dcr_share", "utility.ratio")


@command
def history(run: Run) -> Outcome:
    """Show the refreshes with their figures, the oldest first. Reads the log of events alone."""
    from synthcli.registry import events
    from synthcli.reports.upkeep import history_report

    out = Path(run.settings().run.output_dir)
    known = [event for event in events(out) if isinstance(event.get("event"), str) and event["event"] in SHOWN]
    document = {"runs": [_run(event) for event in known]}
    return Outcome(lambda: history_report(document), document, next_step=run.follow_up("status"))


def _run(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of an event; a value of a type that was never written is none."""
    known = event.get("figures")
    figures = known if isinstance(known, Mapping) else {}
    names = ("version", "rows", "new_share", "psi", "score", "champion_score")
    at, why = event.get("time"), event.get("why")
    return {
        "at": at if isinstance(at, str) and _is_moment(at) else None,
        "event": event["event"],
        "why": why if isinstance(why, str) else "",
        **{name: _number(event.get(name)) for name in names},
        "figures": {name: value for name in FIGURES if (value := _number(figures.get(name))) is not None},
    }


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
