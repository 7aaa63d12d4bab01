"""The record of a run: what it was asked, by which versions it worked, how it ended, and what it took.

Reports and tables are the same bytes whoever makes them and whenever; what differs from run to run has a file of its
own beside them, ``run.json``. A generator's version is never edited once it is published, and has it in its manifest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from synthcli.artifacts import RUN_RECORD, write_json
from synthcli.commands.machine import peak_memory
from synthcli.commands.running import Outcome, Run
from synthcli.config import Config
from synthcli.config.showing import as_stored
from synthcli.remote import shown
from synthcli.versions import versions

SCHEMA_VERSION = 1


def run_record(run: Run, settings: Config, *, seed: int, status: str = "ok", exit_code: int = 0) -> dict[str, Any]:
    """Return the record of a run that ends now.

    ``seconds`` are from the moment the options were read to now, ``phases`` those of each phase, and ``peak_memory`` is
    in bytes, of this process without its workers.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "command": run.command,
        "status": status,
        "exit_code": exit_code,
        "started": run.course.started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - run.course.clock, 3),
        "phases": dict(run.log.seconds),
        "peak_memory": peak_memory(),
        "seed": seed,
        "config": as_stored(settings),
        "versions": versions(),
    }


def write_records(run: Run, outcome: Outcome) -> None:
    """Write ``run.json`` into each folder that the command has made or renewed."""
    settings = run.course.settings
    if settings is None:
        return
    seed = outcome.result.get("seed", settings.run.seed)
    for folder, files in outcome.records.items():
        record = run_record(run, settings, seed=seed, status=outcome.status, exit_code=outcome.exit_code)
        write_json(folder / RUN_RECORD, {**record, "files": _names(folder, files)})


def _names(folder: Path, files: Sequence[Path | str]) -> list[str]:
    """Return what the record calls the files that it describes: by name those beside it, in full the others."""
    return sorted(
        shown(file) if isinstance(file, str) else file.name if file.parent == folder else str(file) for file in files
    )


def is_recorded(target: Path | str, out: Path, *, shards: bool = False) -> bool:
    """Whether a synthetic table, or a folder of ``shards``, gets a record; in a person's own folder it gets none."""
    above = list(target.resolve().parents) if isinstance(target, Path) else []
    return (out / "synthetic").resolve() in (above if shards else above[:1])
