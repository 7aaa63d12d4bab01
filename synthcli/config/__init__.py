"""YAML, environment and flags -> frozen, typed configuration; every error at once, with file:line:column and key."""

from __future__ import annotations

from synthcli.config.load import Resolved, load
from synthcli.config.models import (
    KINDS,
    ColumnOverride,
    Config,
    DataSection,
    FailOn,
    Family,
    Format,
    GateRule,
    GaussianCopula,
    RunSection,
    SampleSection,
    SplitMethod,
    SplitSection,
    Synthesizer,
    ValidateSection,
    as_plain,
    schema,
)

__all__ = [
    "KINDS",
    "ColumnOverride",
    "Config",
    "DataSection",
    "FailOn",
    "Family",
    "Format",
    "GateRule",
    "GaussianCopula",
    "Resolved",
    "RunSection",
    "SampleSection",
    "SplitMethod",
    "SplitSection",
    "Synthesizer",
    "ValidateSection",
    "as_plain",
    "load",
    "schema",
]
