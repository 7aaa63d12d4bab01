"""The audit's report as plain data: what ``validate/report.json`` holds and every rendering starts from.

It names columns, figures and categories of many rows: no rare category, no extreme and no row of a real table.
``Report`` is the form, from which the published JSON Schema follows (``docs/report.schema.json``), so that a report
written long ago or by hand is checked before anything is read out of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_serializer, model_validator

from synthcli.config.models import FailOn
from synthcli.errors import BadTableError, MissingFileError
from synthcli.gate import Verdict, passes
from synthcli.metrics.estimate import Estimate
from synthcli.profile import Profile

SCHEMA_VERSION = 1
#: The metrics whose value for single columns, and for pairs, stand in the report's own fields.
COLUMN_ACCURACY, PAIR_ACCURACY = "accuracy.univariate", "accuracy.bivariate"
#: What every stored estimate of a column or pair has, whatever its value.
_ALWAYS = frozenset({"name", "family", "value", "low", "high", "n", "direction", "range"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Part):
    """One table that was audited."""

    path: str = Field(description="Where it was read.")
    rows: int = Field(ge=1, description="How many rows it has.")
    sha256: str | None = Field(description="SHA-256 of its content; null for standard input.")
    generator: str | None = Field(default=None, description="The generator version that made it, where known.")


class Gate(_Part):
    """What one limit of a gate said of one estimate."""

    metric: str = Field(description="The metric's name.")
    columns: list[str] = Field(description="The columns that the estimate is about; none: the table.")
    rule: str = Field(description="The limit.")
    level: Literal["error", "warning"] = Field(description="Whether a failure stops the release.")
    status: Literal["pass", "fail", "warn", "not_measured"] = Field(description="The outcome.")
    value: float | None = Field(description="What was compared.")
    threshold: float | None = Field(description="What it was compared with.")
    required: bool = Field(description="Whether it counts as a failure when it cannot be measured.")
    reason: str = Field(description="Why it could not be measured.")
    failed: bool = Field(description="Whether it speaks against the release at its level.")


class _Measured(_Part):
    """Estimates of a part of the table. Their empty fields are not stored: a table of 56 columns has 1,540 pairs."""

    accuracy: float | None = Field(description="1 - TVD to the training part.")
    reference: float | None = Field(description="What the holdout scores in its place.")
    metrics: list[Estimate] = Field(description="What was measured; fields without a value may be absent.")

    @field_serializer("metrics")
    def _lean(self, estimates: list[Estimate]) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in estimate.to_dict().items() if key in _ALWAYS or value not in (None, "", [])}
            for estimate in estimates
        ]


class ColumnPart(_Measured):
    """What was measured of one column."""

    name: str = Field(description="The column's name.")
    kind: str = Field(description="numeric, categorical, boolean, datetime, id or text.")


class PairPart(_Measured):
    """What was measured of one pair of columns."""

    a: str = Field(description="The first column's name.")
    b: str = Field(description="The second column's name.")


class Report(_Part):
    """An audit's report."""

    schema_version: Literal[1] = Field(description="The version of this form.")
    verdict: Literal["pass", "fail"] = Field(description="pass: no gate failed at the level that counts.")
    created_at: AwareDatetime = Field(description="When the audit was made.")
    inputs: dict[str, Input] = Field(description="By role (train, holdout, synthetic …), the tables.")
    seed: int = Field(description="The seed behind every random choice.")
    config: dict[str, Any] = Field(description="The configuration in force.")
    versions: dict[str, str] = Field(description="By package, the version in use.")
    metrics: list[Estimate] = Field(description="What was measured of the whole table.")
    gates: list[Gate] = Field(description="What the gates said.")
    columns: list[ColumnPart] = Field(
        description="By column, the worst against its reference first; those that were not measured come last."
    )
    pairs: list[PairPart] = Field(description="By pair of columns, the worst against its reference first.")
    profile: Profile | None = Field(default=None, description="What pictures are drawn from.")

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        """Refuse a verdict that the gates contradict: somebody would rely on one of the two."""
        failed = any(gate.failed and gate.level == "error" for gate in self.gates)
        if self.verdict == "pass" and failed:
            raise ValueError("the verdict is pass although a gate of level error failed")
        return self

    def estimates(self) -> tuple[Estimate, ...]:
        """Return all estimates, the table's own first."""
        parts: list[_Measured] = [*self.columns, *self.pairs]
        return (*self.metrics, *(estimate for part in parts for estimate in part.metrics))


def report_document(
    estimates: Sequence[Estimate],
    verdicts: Sequence[Verdict],
    *,
    kinds: Mapping[str, str],
    inputs: Mapping[str, Mapping[str, Any]],
    seed: int,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    created_at: datetime,
    fail_on: FailOn = "error",
    profile: Profile | None = None,
) -> dict[str, Any]:
    """Return the report; its verdict is ``pass`` where no gate failed at the level that counts.

    ``kinds`` gives each measured column's kind. ``fail_on: never`` changes the exit code only: the verdict is then that
    of ``error``.
    """
    report = Report(
        schema_version=1,
        verdict="pass" if passes(verdicts, "error" if fail_on == "never" else fail_on) else "fail",
        created_at=created_at,
        inputs={name: Input(**given) for name, given in inputs.items()},
        seed=seed,
        config=dict(config),
        versions=dict(versions),
        metrics=[estimate for estimate in estimates if not estimate.columns],
        gates=[_gate(verdict) for verdict in verdicts],
        columns=_columns(estimates, kinds),
        pairs=_pairs(estimates),
        profile=profile,
    )
    return report.model_dump(mode="json")


def judged_again(document: Mapping[str, Any], verdicts: Sequence[Verdict], fail_on: FailOn = "error") -> dict[str, Any]:
    """Return the report with other gates' verdicts."""
    verdict = "pass" if passes(verdicts, "error" if fail_on == "never" else fail_on) else "fail"
    return {**document, "verdict": verdict, "gates": [_gate(found).model_dump(mode="json") for found in verdicts]}


def read_report(path: Path) -> Report:
    """Read and check a stored report.

    Raises ``MissingFileError`` where there is none and ``BadTableError`` for a file that is no report, or none of this
    version.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise MissingFileError(f"{path}: no report there", "make one with `synthcli validate`") from error
    except UnicodeDecodeError as error:
        raise BadTableError(
            f"{path}: not a report: it is no text", "name a report.json of synthcli validate"
        ) from error
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise BadTableError(
            f"{path}: not a whole report of version {SCHEMA_VERSION}: {where}: {first['msg']}",
            "name a report.json of synthcli validate, or make it again",
        ) from error


def json_schema() -> str:
    """Return the published JSON Schema of a report, as text."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Report.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def _gate(verdict: Verdict) -> Gate:
    return Gate(**{**asdict(verdict), "columns": list(verdict.columns), "failed": verdict.failed})


def _columns(estimates: Sequence[Estimate], kinds: Mapping[str, str]) -> list[ColumnPart]:
    found = _by_columns(estimates, 1)
    parts = [
        ColumnPart(name=name, kind=kinds.get(name, "unknown"), **_accuracy(own, COLUMN_ACCURACY), metrics=own)
        for (name,), own in found.items()
    ]
    left_out = [
        ColumnPart(name=name, kind=kind, accuracy=None, reference=None, metrics=[])
        for name, kind in kinds.items()
        if (name,) not in found
    ]
    return [*sorted(parts, key=_behind), *left_out]


def _pairs(estimates: Sequence[Estimate]) -> list[PairPart]:
    found = _by_columns(estimates, 2)
    parts = [PairPart(a=a, b=b, **_accuracy(own, PAIR_ACCURACY), metrics=own) for (a, b), own in found.items()]
    return sorted(parts, key=_behind)


def _by_columns(estimates: Sequence[Estimate], count: int) -> dict[tuple[str, ...], list[Estimate]]:
    found: dict[tuple[str, ...], list[Estimate]] = {}
    for estimate in estimates:
        if len(estimate.columns) == count:
            found.setdefault(estimate.columns, []).append(estimate)
    return found


def _accuracy(estimates: Iterable[Estimate], metric: str) -> dict[str, float | None]:
    own = next((estimate for estimate in estimates if estimate.name == metric), None)
    return {"accuracy": own.value, "reference": own.reference} if own else {"accuracy": None, "reference": None}


def _behind(part: ColumnPart | PairPart) -> float:
    """How far a part is behind its reference, negated, for sorting; what has no accuracy comes last."""
    if part.accuracy is None or part.reference is None:
        return 2.0
    return part.accuracy - part.reference
