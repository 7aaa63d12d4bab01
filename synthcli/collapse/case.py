"""The case: all that a chain needs, so that any process can run any chain of it from files.

A case lies in a folder as long as its simulation lasts; the training rows and the holdout are in it as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import polars as pl

from synthcli.artifacts import atomic_path, read_json, write_json
from synthcli.collapse.ruler import Ruler
from synthcli.config import Constraint, ProtectionSection
from synthcli.config.models import CONSTRAINTS
from synthcli.protection import protect
from synthcli.schema import Schema
from synthcli.seeds import stage_seed
from synthcli.synthesizers.assembly import fit_table


@dataclass(frozen=True, eq=False)
class Case:
    """Real rows, a recipe for generators, and what is measured; the columns are the modelled ones alone.

    Attributes
    ----------
    kind, parameters, temperature
        The generator, and the bias of its draws (1: none).
    rows
        n, the rows of a generation.
    metrics
        Names of ``measures.MEASURES``.
    """

    train: pl.DataFrame
    holdout: pl.DataFrame
    schema: Schema
    kind: str
    parameters: Mapping[str, Any]
    temperature: float
    protection: ProtectionSection
    constraints: tuple[Constraint, ...]
    rows: int
    metrics: tuple[str, ...]
    target: str | None
    exclude: tuple[str, ...]
    seed: int

    @cached_property
    def ruler(self) -> Ruler:
        """What outputs are measured with."""
        return Ruler(
            self.train,
            self.holdout,
            self.schema,
            self.rows,
            self.metrics,
            self.protection.rare_category_min_count,
            self.target,
            self.exclude,
            self.seed,
            self.protection.clip_extremes,
        )

    def output(self, learned: pl.DataFrame, *stage: str | int) -> pl.DataFrame:
        """Return n rows of a generator that learned from ``learned``, protected as ``fit`` does it.

        ``stage`` names the seeds. Raises what fitting and drawing raise.
        """
        protected = protect(
            learned, self.schema, self.protection, self.constraints, stage_seed(self.seed, *stage, "protect")
        ).table
        seed = stage_seed(self.seed, *stage, "fit")
        fitted = fit_table(protected, self.schema, self.kind, self.parameters, seed, _silent, self.constraints)
        return fitted.tempered(self.temperature).sample(self.rows, stage_seed(self.seed, *stage, "sample"))

    def save(self, folder: Path) -> None:
        """Write the case into ``folder``; what is there already is left alone, since cases are named by content."""
        for name, table in (("train", self.train), ("holdout", self.holdout)):
            if not (folder / f"{name}.arrow").is_file():
                with atomic_path(folder / f"{name}.arrow") as path:
                    table.write_ipc(path)
        write_json(folder / "case.json", self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return all but the two tables as plain data for JSON."""
        return {
            "schema": self.schema.to_dict(),
            "kind": self.kind,
            "parameters": dict(self.parameters),
            "temperature": self.temperature,
            "protection": self.protection.model_dump(mode="json"),
            "constraints": [rule.model_dump(mode="json") for rule in self.constraints],
            "rows": self.rows,
            "metrics": list(self.metrics),
            "target": self.target,
            "exclude": list(self.exclude),
            "seed": self.seed,
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        document = read_json(folder / "case.json")
        return cls(
            pl.scan_ipc(folder / "train.arrow", glob=False).collect(),
            pl.scan_ipc(folder / "holdout.arrow", glob=False).collect(),
            Schema.from_dict(document["schema"]),
            document["kind"],
            document["parameters"],
            document["temperature"],
            ProtectionSection.model_validate(document["protection"]),
            constraints_of(document["constraints"]),
            document["rows"],
            tuple(document["metrics"]),
            document["target"],
            tuple(document["exclude"]),
            document["seed"],
        )


@lru_cache(maxsize=1)
def loaded(folder: str) -> Case:
    """Return the case of a folder; a process reads it once for all its chains."""
    return Case.load(Path(folder))


def constraints_of(rules: Sequence[Mapping[str, Any]]) -> tuple[Constraint, ...]:
    """Return constraints from plain data."""
    return tuple(CONSTRAINTS[rule["kind"]].model_validate(rule) for rule in rules)  # type: ignore[misc]


def _silent(share: float, note: str) -> None:
    """Hear a fit's progress and say nothing."""
