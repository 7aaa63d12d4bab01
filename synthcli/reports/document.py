"""The audit's report as plain data: what ``validate/report.json`` holds and every rendering starts from.

It names columns and figures only: no category, no extreme and no row of a real table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from synthcli.audit import AuditResult
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
) -> dict[str, Any]:
    """Return the report; its verdict is ``pass`` where no gate of level ``error`` failed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": "pass" if passes(verdicts) else "fail",
        "inputs": dict(inputs),
        "seed": seed,
        "config": dict(config),
        "versions": dict(versions),
        "metrics": [estimate.to_dict() for estimate in result.estimates],
        "gates": [{**asdict(verdict), "failed": verdict.failed} for verdict in verdicts],
        "columns": [asdict(column) for column in result.columns],
        "pairs": [asdict(pair) for pair in result.pairs],
    }
