"""The split's folder: training part, holdout, and the rule that divided them; and the guard that keeps them apart.

``split.json`` is written last: a folder without it is no split, whatever else lies there. The rule stays the same for
as long as the folder lives, so parts written at different times still share no row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from synthcli.artifacts import write_json
from synthcli.errors import BadTableError, HoldoutRowsError, MissingFileError
from synthcli.schema import Schema
from synthcli.splitting import SplitRule, trespassers
from synthcli.tables import write_table

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class SplitRecord:
    """What ``split.json`` says: the rule and the schema, both frozen at the first split."""

    rule: SplitRule
    schema: Schema


@dataclass(frozen=True, slots=True)
class SplitFolder:
    """The folder ``split`` of an output directory."""

    path: Path

    @property
    def train(self) -> Path:
        """The training part."""
        return self.path / "train.parquet"

    @property
    def holdout(self) -> Path:
        """The reserved part."""
        return self.path / "holdout.parquet"

    @property
    def record(self) -> Path:
        """The rule and the schema."""
        return self.path / "split.json"

    def exists(self) -> bool:
        """Whether a split was completed here."""
        return self.record.is_file()

    def read(self) -> SplitRecord:
        """Read the record; raises ``MissingFileError`` without a split, ``BadTableError`` for a broken record."""
        if not self.exists():
            raise MissingFileError(f"{self.record}: no split here", "run: synthcli split DATA")
        try:
            data = json.loads(self.record.read_text(encoding="utf-8"))
            return SplitRecord(SplitRule.from_dict(data["rule"]), Schema.from_dict(data["schema"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BadTableError(
                f"{self.record}: is no record of a split, or of another version of synthcli",
                "restore it from a backup; without it nobody can say which rows are reserved",
            ) from error

    def write(
        self,
        rule: SplitRule,
        schema: Schema,
        parts: Mapping[str, pl.DataFrame],
        *,
        sources: Sequence[Mapping[str, Any]],
    ) -> None:
        """Write both parts and then the record; ``sources`` describes the files that the rows came from."""
        write_table(parts["train"], schema, self.train)
        write_table(parts["holdout"], schema, self.holdout)
        document = {
            "schema_version": SCHEMA_VERSION,
            "rule": rule.to_dict(),
            "rows": {name: part.height for name, part in parts.items()},
            "sources": list(sources),
            "schema": schema.to_dict(),
        }
        write_json(self.record, document)


def guard(train: pl.DataFrame, folder: SplitFolder, *, where: str) -> None:
    """Raise ``HoldoutRowsError`` if ``train`` (read from ``where``) has a row that the split reserves."""
    rule = folder.read().rule
    absent = [name for name in (*rule.columns, *rule.by) if name not in train.columns]
    if absent:
        raise BadTableError(
            f"{where}: column {absent[0]!r} missing, without which nobody can say whether rows are reserved",
            f"give a table with the columns of {folder.record}",
        )
    part = pl.read_parquet(folder.train) if folder.train.is_file() else None
    count = int(trespassers(train, rule, part).sum())
    if count:
        raise HoldoutRowsError(
            f"{where}: {count:,} of {train.height:,} rows are reserved for the audit and must not be learned from",
            f"run `synthcli split {where}` and fit on {folder.train}",
        )
