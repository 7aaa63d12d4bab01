"""``synthcli prune``: old generator versions are removed, never one that an alias names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthcli.commands.running import Outcome, Run, command


@command
def prune(
    run: Run,
    keep: Annotated[int, typer.Option(min=1, metavar="N", help="Versions to keep, the newest.")],
) -> Outcome:
    """Remove all but the newest versions; champion, previous and latest stay whatever their age."""
    from synthcli.commands.tidying import tidied
    from synthcli.registry import lock, numbers, prune
    from synthcli.reports.terminal import facts_report

    out = Path(run.settings().run.output_dir)
    if run.dry_run or not numbers(out):
        gone = prune(out, keep, dry_run=True)
    else:
        with lock(out):
            gone = tidied(out, keep)
    left = len(numbers(out)) - (len(gone) if run.dry_run else 0)
    facts = {
        "would remove" if run.dry_run else "removed": ", ".join(f"{number:04d}" for number in gone) or "none",
        "kept": f"{left:,} {'version' if left == 1 else 'versions'}",
    }
    return Outcome(
        None if run.log.quiet else lambda: facts_report(facts),
        {"removed": list(gone), "kept": left},
        status="ok" if gone else "skipped",
        next_step=run.follow_up("status"),
    )
