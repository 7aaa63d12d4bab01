"""``synthcli history``: what came of each refresh, and how quality moved from version to version."""

from __future__ import annotations

from collections.abc import Mapping
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
    document = {"runs": [_run(event) for event in events(out) if event.get("event") in SHOWN]}
    return Outcome(lambda: history_report(document), document)


def _run(event: Mapping[str, Any]) -> dict[str, Any]:
    known = event.get("figures")
    figures = known if isinstance(known, Mapping) else {}
    names = ("version", "rows", "new_share", "psi", "score", "champion_score")
    return {
        "at": event.get("time"),
        "event": event["event"],
        "why": event.get("why", ""),
        **{name: event.get(name) for name in names},
        "figures": {name: figures[name] for name in FIGURES if name in figures},
    }
