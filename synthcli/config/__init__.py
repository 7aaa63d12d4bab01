"""YAML, environment and flags -> frozen, typed configuration; every error at once, with file:line:column and key."""

from __future__ import annotations

from synthcli.config.generators import KINDS, GaussianCopula, Synthesizer
from synthcli.config.load import Resolved, load
from synthcli.config.models import (
    ColumnOverride,
    Config,
    Constraint,
    DataSection,
    FailOn,
    Family,
    FixedCombinations,
    FixedIncrements,
    Format,
    GateRule,
    Inequality,
    OneHot,
    ProtectionSection,
    Range,
    RunSection,
    SampleSection,
    SplitMethod,
    SplitSection,
    ValidateSection,
    as_plain,
    schema,
)

__all__ = [
    "KINDS",
    "ColumnOverride",
    "Config",
    "Constraint",
    "DataSection",
    "FailOn",
    "Family",
    "FixedCombinations",
    "FixedIncrements",
    "Format",
    "GateRule",
    "GaussianCopula",
    "Inequality",
    "OneHot",
    "ProtectionSection",
    "Range",
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
