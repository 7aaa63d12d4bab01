"""The audit's report as plain data: what ``validate/report.json`` holds and every rendering starts from.

It names columns and figures only: no category, no extreme and no row of a real table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from synthcli.audit import AuditResult
from synthcli.config.models import FailOn
from synthcli.gate import Verdict, passes

SCHEMA_VERSION = 1


def report_document(
    result: AuditResult,
    verdicts: Sequence[Verdict],
    *,
    inputs: Mapping[str, Mapping[str, Any]],
    seed: int,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    fail_on: FailOn = "error",
) -> dict[str, Any]:
    """Return the report; its verdict is ``pass`` where no gate failed at the level that counts.

    ``fail_on: never`` changes the exit code only: the verdict is then that of ``error``.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": "pass" if passes(verdicts, "error" if fail_on == "never" else fail_on) else "fail",
        "inputs": dict(inputs),
        "seed": seed,
        "config": dict(config),
        "versions": dict(versions),
        "metrics": [estimate.to_dict() for estimate in result.estimates],
        "gates": [{**asdict(verdict), "failed": verdict.failed} for verdict in verdicts],
        "columns": [asdict(column) for column in result.columns],
        "pairs": [asdict(pair) for pair in result.pairs],
    }
