"""What goes when versions go: their files, the private counts of what they learned from, and old reports."""

from __future__ import annotations

import shutil
from pathlib import Path

from synthcli.registry import numbers, prune
from synthcli.upkeep import folder, reference_file


def tidied(out: Path, keep: int) -> tuple[int, ...]:
    """Remove all but the newest ``keep`` versions and those with an alias; return the numbers removed.

    Reports go too, but for the newest ``keep`` and those of versions that stay; what came of every refresh stands in
    ``events.jsonl``. The caller holds the lock.
    """
    gone = prune(out, keep)
    left = numbers(out)
    counted = {reference_file(out, number) for number in left}
    for path in reference_file(out, 0).parent.glob("*.npz"):
        if path not in counted:
            path.unlink(missing_ok=True)
    reports = sorted(path for path in folder(out).glob("[0-9]*") if path.is_dir() and path.name.isdecimal())
    for path in reports[: max(len(reports) - keep, 0)]:
        if int(path.name) not in left:
            shutil.rmtree(path, ignore_errors=True)
    return gone
