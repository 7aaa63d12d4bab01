"""The split's folder: training part, reserved parts, the rule that divided them, and the guard that keeps them apart.

``split.json`` is written last: a folder without it is no split, whatever else lies there. The rule stays the same for
as long as the folder lives, so parts written at different times still share no row.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from synthcli.artifacts import atomic_path, read_json, write_json
from synthcli.errors import BadTableError, HoldoutRowsError, MissingFileError
from synthcli.forms import polars_dtype
from synthcli.rowkeys import Keys, TextKeys, row_keys
from synthcli.schema import Schema
from synthcli.splitting import Digest, Memory, Side, Sides, SplitRule, trespassers
from synthcli.tables import Source, write_parts

SCHEMA_VERSION = 1
_BATCH = 1 << 18
_THREADS = 2


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
    def privacy_holdout(self) -> Path:
        """The slice of a time split's training period that is reserved for the privacy measures."""
        return self.path / "privacy_holdout.parquet"

    @property
    def record(self) -> Path:
        """The rule and the schema."""
        return self.path / "split.json"

    @property
    def keys(self) -> Path:
        """The fingerprints of rows that a method without a rule has divided."""
        return self.path / "holdout.keys"

    def parts(self, rule: SplitRule) -> dict[int, Path]:
        """Return the files of the sides that ``rule`` knows."""
        both: dict[int, Path] = {Side.TRAIN: self.train, Side.HOLDOUT: self.holdout}
        return {**both, Side.PRIVACY: self.privacy_holdout} if rule.method == "time" and rule.privacy_holdout else both

    def exists(self) -> bool:
        """Whether a split was completed here."""
        return self.record.is_file()

    def read(self) -> SplitRecord:
        """Read the record; raises ``MissingFileError`` without a split, ``BadTableError`` for a broken record."""
        if not self.exists():
            raise MissingFileError(f"{self.record}: no split here", "run `synthcli split DATA` first")
        try:
            data = read_json(self.record)
            record = SplitRecord(SplitRule.from_dict(data["rule"]), Schema.from_dict(data["schema"]))
            for column in record.schema:
                polars_dtype(column.dtype)
            for name in record.rule.needs:
                record.schema[name]
            return record
        except (ValueError, KeyError, TypeError) as error:
            raise BadTableError(
                f"{self.record}: is no record of a split, or of another version of synthcli",
                "restore it from a backup; without it nobody can say which rows are reserved",
            ) from error

    def memory(self, rule: SplitRule) -> Memory:
        """Return what a ``random`` split remembers; raises ``BadTableError`` where its fingerprints are lost."""
        if rule.method != "random":
            return Memory.empty()
        try:
            with np.load(self.keys, allow_pickle=False) as stored:
                return Memory(stored["holdout"], stored["train"])
        except (OSError, ValueError, KeyError) as error:
            raise BadTableError(
                f"{self.keys}: the fingerprints of the reserved rows cannot be read",
                "restore the file from a backup; without it nobody can say which rows are reserved",
            ) from error

    def write(
        self,
        record: SplitRecord,
        source: Source,
        sides: Sides,
        memory: Memory,
        *,
        sources: Sequence[Mapping[str, Any]],
        metadata: Mapping[str, str],
    ) -> None:
        """Write the parts, then the fingerprints (``random``), then the record.

        ``sources`` describes the files that the rows came from; ``metadata`` goes into the Parquet files.
        """
        parts = self.parts(record.rule)
        if record.rule.method == "random":
            with atomic_path(self.keys, mode=0o600) as temporary, temporary.open("wb") as file:
                np.savez(file, holdout=memory.holdout, train=memory.train)
        write_parts(source, sides, parts, metadata)
        document = {
            "schema_version": SCHEMA_VERSION,
            "rule": record.rule.to_dict(),
            "rows": {Side(side).name.lower(): int((sides == side).sum()) for side in parts},
            "sources": list(sources),
            "schema": record.schema.to_dict(),
        }
        write_json(self.record, document)


def digest_of(source: Source, rule: SplitRule) -> Digest:
    """Digest a table batch by batch, on two threads (hashing releases the interpreter's lock)."""
    with ThreadPoolExecutor(_THREADS) as pool:
        digests = list(_bounded(pool, source, rule))
    return Digest.concat(digests) if digests else Digest.of(source.read(), rule)


def guard(train: pl.DataFrame, folder: SplitFolder, *, where: str) -> None:
    """Raise ``HoldoutRowsError`` if ``train`` (read from ``where``) has a row that the split reserves."""
    rule = folder.read().rule
    absent = [name for name in rule.needs if name not in train.columns]
    if absent:
        raise BadTableError(
            f"{where}: column {absent[0]!r} missing, without which nobody can say whether rows are reserved",
            f"give a table with the columns of {folder.record}",
        )
    found = trespassers(Digest.of(train, rule), rule, _content(folder.train, rule), folder.memory(rule))
    count = int(found.sum())
    if count:
        raise HoldoutRowsError(
            f"{where}: {count:,} of {train.height:,} rows are reserved for the audit and must not be learned from",
            f"learn from {folder.train}" + _divided_again(where, folder),
        )


def _divided_again(where: str, folder: SplitFolder) -> str:
    """Return what to do with a table that is no part of the split itself."""
    if Path(where).resolve().parent == folder.path.resolve():
        return ""
    return f"; if {where} has new rows, divide it first with `synthcli split {shlex.quote(where)}`"


def _content(part: Path, rule: SplitRule) -> Keys:
    """Return the content keys of a part that was written earlier; none where it is gone."""
    return row_keys(pl.read_parquet(part, glob=False), rule.columns) if part.is_file() else np.empty(0, np.uint64)


def _bounded(pool: ThreadPoolExecutor, source: Source, rule: SplitRule) -> Iterator[Digest]:
    """Yield digests in order while at most a few batches are in memory."""
    waiting, texts = [], TextKeys()
    for batch in source.batches(_BATCH):
        waiting.append(pool.submit(Digest.of, batch, rule, texts))
        if len(waiting) > 2 * _THREADS:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()
