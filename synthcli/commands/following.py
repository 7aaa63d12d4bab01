"""What to run next, where that depends on how a command ended or on what there is; each line runs as it is printed."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthcli.commands.running import Run
from synthcli.remote import has_credentials

if TYPE_CHECKING:
    from synthcli.config import Config
    from synthcli.registry import Manifest


#: Training rows from which ``auto`` has enough to choose by.
ENOUGH_TO_CHOOSE = 300
#: Of fewer rows: the kinds to try, and how each is fitted.
_OF_FEW_ROWS = {
    "forest": "fit --synthesizer forest",
    "gaussian_copula": "fit --synthesizer gaussian_copula --set synthesizer.marginals=empirical",
}


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


def can_be_audited(out: Path) -> bool:
    """Whether there is a split, and its parts have the rows that an audit needs; a record that says nothing may do."""
    import json

    from synthcli.commands.validate import MIN_ROWS

    if not is_divided(out):
        return False
    try:
        rows = json.loads((out / "split" / "split.json").read_text(encoding="utf-8"))["rows"]
        return bool(min(rows["train"], rows["holdout"]) >= MIN_ROWS)
    except (OSError, ValueError, KeyError, TypeError):  # the audit will tell what is wrong with it
        return True


def audit_of(run: Run, out: Path, table: Path | str, usual: bool) -> str:
    """Return the audit of a table, found by itself where it is the ``usual`` one; where there is none, its origin."""
    if can_be_audited(out) and is_readable(table):
        return run.follow_up("validate" if usual else f"validate --synthetic {_quoted(table)}")
    return origin_of(run, table)


def after_lineage(run: Run, settings: Config, file: str, kind: str | None) -> str:
    """Return what can be made of a file whose origin is known now, or whose ``kind`` nobody knows."""
    if kind == "real":
        return next_stage(run, settings)
    if not is_readable(file):
        return run.follow_up("status")
    if kind is None:
        return shlex.join(["synthcli", "init", file, "--dry-run"])
    out = Path(settings.run.output_dir)
    return audit_of(run, out, file, usual=False) if can_be_audited(out) else run.follow_up("status")


def is_readable(table: Path | str) -> bool:
    """Whether commands that read tables can be told of this one: JSON lines are none, and lines show no credentials."""
    return not str(table).endswith(".jsonl") and is_nameable(table)


def is_nameable(table: Path | str) -> bool:
    """Whether another command can be told of a table: not of standard input, nor of a URL that holds credentials."""
    return str(table) != "-" and not has_credentials(str(table))


def origin_of(run: Run, table: Path | str) -> str:
    """Return the look at what a file was made from; a folder has no lineage of its own."""
    known = is_nameable(table) and not Path(table).is_dir()
    return run.follow_up(f"lineage {_quoted(table)}" if known else "status")


def after_audit(run: Run, out: Path, table: Path | str, report: Path, document: Mapping[str, Any], passed: bool) -> str:
    """Return the check before a release; after a failed audit a generator that may do better.

    That is the best of several where there are rows enough to tell them apart, else the one of two kinds that was not
    fitted yet, since each is good at tables that the other is not; then a forest that keeps closer to the rows, unless
    a privacy gate has failed.
    """
    from synthcli.errors import SynthcliError
    from synthcli.registry import resolve

    audited = document["inputs"]["synthetic"]
    leaks = any(gate["metric"].startswith("privacy.") and gate["status"] == "fail" for gate in document["gates"])
    if not is_nameable(table):
        return run.follow_up("status")
    if passed:
        elsewhere = "" if report == out / "validate" / "report.json" else f" --report {_quoted(report)}"
        return run.follow_up(f"gate {_quoted(table)}{elsewhere}")
    try:
        manifest = resolve(out, audited["generator"]).manifest if audited.get("generator") else None
    except SynthcliError:  # drawn from several, or from one that is gone
        manifest = None
    better = None if manifest is None or manifest.selection is not None else _better_fit(manifest, _kinds(out), leaks)
    return origin_of(run, table) if better is None else run.follow_up(better)


def _kinds(out: Path) -> set[str]:
    """Return the kinds that were fitted; a version whose record is damaged tells of none."""
    from contextlib import suppress

    from synthcli.errors import SynthcliError
    from synthcli.registry import numbers, resolve

    kinds = set()
    for number in numbers(out):
        with suppress(SynthcliError):
            kinds.add(resolve(out, str(number)).manifest.kind)
    return kinds


def _better_fit(manifest: Manifest, tried: Collection[str], leaks: bool) -> str | None:
    """Return the fit that may do better than a generator, or ``None`` where all was tried."""
    if manifest.train["rows"] >= ENOUGH_TO_CHOOSE:
        return "fit --synthesizer auto"
    others = [fit for kind, fit in _OF_FEW_ROWS.items() if kind not in tried]
    if manifest.kind in _OF_FEW_ROWS and others:
        return others[0]
    if manifest.kind == "forest" and manifest.parameters.get("privacy") != "low" and not leaks:
        return "fit --synthesizer forest --set synthesizer.privacy=low"
    return None


def _quoted(path: Path | str) -> str:
    return shlex.quote(str(path))
