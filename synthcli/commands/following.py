"""What to run next, where that depends on how a command ended or on what there is; each line runs as it is printed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthcli.commands.running import Run

if TYPE_CHECKING:
    from synthcli.config import Config


#: Training rows from which ``auto`` has enough to choose by.
ENOUGH_TO_CHOOSE = 300


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


def after_audit(run: Run, out: Path, table: Path | str, report: Path, document: Mapping[str, Any], passed: bool) -> str:
    """Return the check before a release; after a failed audit a generator that may do better.

    That is the best of several where there are rows enough to tell them apart, else a forest that keeps closer to the
    rows, unless a privacy gate has failed.
    """
    from synthcli.errors import SynthcliError
    from synthcli.registry import resolve

    audited = document["inputs"]["synthetic"]
    leaks = any(gate["metric"].startswith("privacy.") and gate["status"] == "fail" for gate in document["gates"])
    if str(table) == "-":  # which is gone
        return run.follow_up("status")
    if passed:
        elsewhere = "" if report == out / "validate" / "report.json" else f" --report {_quoted(report)}"
        return run.follow_up(f"gate {_quoted(table)}{elsewhere}")
    try:
        manifest = resolve(out, audited["generator"]).manifest if audited.get("generator") else None
    except SynthcliError:  # drawn from several, or from one that is gone
        manifest = None
    if manifest is None or manifest.selection is not None:
        return origin_of(run, table)
    if manifest.train["rows"] >= ENOUGH_TO_CHOOSE:
        return run.follow_up("fit --synthesizer auto")
    if manifest.kind == "forest" and manifest.parameters.get("privacy") != "low" and not leaks:
        return run.follow_up("fit --synthesizer forest --set synthesizer.privacy=low")
    return origin_of(run, table)


def _quoted(path: Path | str) -> str:
    return shlex.quote(str(path))
