"""``synthcli gate``: whether a file is the one that was audited, passed, and not too long ago; needs no real data."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    from synthcli.reports.document import Report

_OTHER = "it is not the table that was audited: its SHA-256 is another one"


@command
def gate(
    run: Run,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Synthetic table (file, folder or URL) to be released.")],
    report: Annotated[
        Path | None, typer.Option(metavar="REPORT", help="Its audit's report.json (default: what validate wrote).")
    ] = None,
    max_age: Annotated[str | None, typer.Option(metavar="AGE", help="Oldest audit that counts: 7d, 12h, 30m.")] = None,
) -> Outcome:
    """Check that a file passed its audit: the same bytes, verdict pass, recent enough. Exits 1 otherwise."""
    from synthcli.commands.following import audit_of, origin_of
    from synthcli.errors import UsageError
    from synthcli.lineage import content_sha256
    from synthcli.remote import shown
    from synthcli.reports.document import read_report
    from synthcli.reports.terminal import gate_report
    from synthcli.tables.files import STANDARD_INPUT, resolve

    if file == STANDARD_INPUT:
        raise UsageError("standard input cannot be told from what was audited", "name the file that is to be released")
    oldest = None if max_age is None else _age(max_age)
    out = Path(run.settings().run.output_dir)
    where = report or out / "validate" / "report.json"
    found = read_report(where)
    digest = content_sha256([part.path for part in resolve(file)])
    same = _is_audited(found, digest)
    reasons = _objections(found, datetime.now(UTC), oldest) if same else [_OTHER]
    if same and found.verdict != "pass":  # which gates failed
        following = run.follow_up(f"validate --from {shlex.quote(str(where))}")
    else:
        following = audit_of(run, out, file, usual=False) if reasons else origin_of(run, file)
    audited_at = found.created_at.isoformat()
    named = shown(file)
    result = {"file": named, "sha256": digest, "report": str(where), "audited_at": audited_at}
    return Outcome(
        lambda: gate_report(named, reasons, audited_at),
        {**result, "released": not reasons, "reasons": reasons},
        status="failed" if reasons else "ok",
        exit_code=1 if reasons else 0,
        next_step=following,
    )


def _is_audited(report: Report, digest: str | None) -> bool:
    """Whether the report is of the very bytes; what it says of others is nothing about these."""
    audited = report.inputs.get("synthetic")
    return audited is not None and digest is not None and audited.sha256 == digest


def _objections(report: Report, now: datetime, oldest: timedelta | None) -> list[str]:
    """Return every reason why the file that was audited must not be released; none is a pass."""
    made = report.created_at
    reasons = []
    if not any(metric.family == "privacy" and metric.status == "measured" for metric in report.metrics):
        reasons.append("its audit measured no privacy")
    if not report.gates:
        reasons.append("its audit had no gate to pass")
    if report.verdict != "pass":
        failed = sorted({verdict.metric for verdict in report.gates if verdict.failed})
        reasons.append(f"its audit failed: {', '.join(failed) or 'by its verdict'}")
    if made > now:
        reasons.append(f"its audit lies in the future ({made.isoformat()})")
    elif oldest is not None and now - made > oldest:
        reasons.append(f"its audit is {_told(now - made)} old, the oldest that counts is {_told(oldest)}")
    return reasons


def _age(text: str) -> timedelta:
    """Return the duration that ``text`` means; raises ``UsageError``."""
    from synthcli.config import duration
    from synthcli.errors import UsageError

    try:
        return duration(text)
    except ValueError as error:
        raise UsageError(
            f"--max-age: got {text!r}, expected a whole number and a unit", "e.g. 7d, 12h or 30m"
        ) from error


def _told(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours < 2:
        return f"{hours * 60:.0f} minutes"
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
