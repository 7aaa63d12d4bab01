"""The one JSON document that ``--json`` prints, for a result and for an error (CONTRACT: ``schema_version`` 1)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthcli.errors import SynthcliError
from synthcli.progress import visible_json

SCHEMA_VERSION = 1


def document(
    command: str,
    *,
    status: str,
    exit_code: int,
    artifacts: Mapping[str, Path | str],
    warnings: Sequence[str],
    result: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the document of a command that came to an end; ``status`` is ``ok``, ``failed`` or ``skipped``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "status": status,
        "exit_code": exit_code,
        "artifacts": {name: str(path) for name, path in artifacts.items()},
        "warnings": list(warnings),
        "result": dict(result),
    }


def error_document(command: str, error: SynthcliError) -> dict[str, Any]:
    """Return the document of a command that stopped with ``error``."""
    ended = document(command, status="error", exit_code=error.exit_code, artifacts={}, warnings=[], result={})
    return {**ended, "error": {"kind": error.kind, "message": error.message, "hint": error.hint}}


def print_document(content: Mapping[str, Any]) -> None:
    """Print the document to stdout as one line-broken JSON text."""
    sys.stdout.write(visible_json(content, indent=2) + "\n")
