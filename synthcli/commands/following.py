"""What to run next, where that depends on how a command ended or on what there is; each line runs as it is printed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthcli.commands.running import Run

if TYPE_CHECKING:
    from synthcli.config import Config


def next_stage(run: Run, settings: Config) -> str:
    """Return the first command of the pipeline that has not been run in the output directory."""
    from synthcli.registry import numbers

    out = Path(settings.run.output_dir)
    if numbers(out):
        return run.follow_up("sample")
    if is_divided(out):
        return run.follow_up("fit")
    return "synthcli init --help" if settings.data.path is None else run.follow_up("split")


def is_divided(out: Path) -> bool:
    """Whether there is a split, without which no audit of the default files can be made."""
    return (out / "split" / "split.json").is_file()


def audit_of(run: Run, out: Path, table: Path | str, usual: bool) -> str:
    """Return the audit of a table, found by itself where it is the ``usual`` one; without a split, where it is from."""
    readable = not str(table).endswith(".jsonl")
    if is_divided(out) and readable:
        return run.follow_up("validate" if usual else f"validate --synthetic {_quoted(table)}")
    return origin_of(run, table)


def origin_of(run: Run, table: Path | str) -> str:
    """Return the look at what a file was made from; a folder has no lineage of its own."""
    return run.follow_up("status" if Path(table).is_dir() else f"lineage {_quoted(table)}")


def after_audit(run: Run, out: Path, table: Path | str, report: Path, audited: Mapping[str, Any], passed: bool) -> str:
    """Return the check before a release or, of a generator that a person named, the choice among several."""
    from synthcli.errors import SynthcliError
    from synthcli.registry import resolve

    if str(table) == "-":  # which is gone
        return run.follow_up("status")
    if passed:
        elsewhere = "" if report == out / "validate" / "report.json" else f" --report {_quoted(report)}"
        return run.follow_up(f"gate {_quoted(table)}{elsewhere}")
    try:
        named = audited.get("generator") and resolve(out, audited["generator"]).manifest.selection is None
    except SynthcliError:  # drawn from several, or from one that is gone
        named = False
    return run.follow_up("fit --synthesizer auto") if named else origin_of(run, table)


def _quoted(path: Path | str) -> str:
    return shlex.quote(str(path))
