"""What can go wrong, and the exit code that each kind of trouble has.

Every message is one sentence that says what, where, got and expected; the hint says what to do next. No message
holds a cell's value of a real table. Nothing below ``commands`` catches these: they travel up to ``app``, which prints
them and exits.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class SynthcliError(Exception):
    """An error that the user can act on: a message, a hint, a kind (part of the JSON contract), an exit code."""

    kind: ClassVar[str] = "engine"
    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NoCandidateError(SynthcliError):
    """Every kind of generator that was tried failed a privacy gate, so that none is published."""

    kind = "gate"
    exit_code = 1


class UsageError(SynthcliError):
    """The command line itself is wrong."""

    kind = "usage"
    exit_code = 2


class ConfigError(SynthcliError):
    """A configuration file, ``--set`` or ``SYNTHCLI_…`` variable holds something that cannot be used."""

    kind = "config"
    exit_code = 2


class MissingFileError(SynthcliError):
    """A file that is needed is not there."""

    kind = "missing_file"
    exit_code = 3


class BadTableError(SynthcliError):
    """A file is there but is no table that can be trusted, or not the table that is needed."""

    kind = "bad_table"
    exit_code = 3


class HoldoutRowsError(SynthcliError):
    """Rows that are reserved for the audit stand in data that a generator would learn from."""

    kind = "holdout_rows"
    exit_code = 3


class SyntheticInputError(SynthcliError):
    """A table that is to be learned from as real is on record as synthetic, wholly or in part."""

    kind = "synthetic_input"
    exit_code = 3


class ContaminatedError(SynthcliError):
    """A table that is to be learned from as real holds rows that this tool emitted itself."""

    kind = "contaminated"
    exit_code = 3


class LockHeldError(SynthcliError):
    """Another run is working on the same output directory."""

    kind = "lock"
    exit_code = 75


class EngineError(SynthcliError):
    """A generator or library failed for a reason that is neither the user's input nor their configuration."""


def no_room(error: BaseException) -> bool:
    """Whether a disk is full; a library that writes by itself tells the system's number in words only."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in full or any(f"os error {number})" in str(error) for number in full)
