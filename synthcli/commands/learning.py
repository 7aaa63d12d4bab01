"""The rows to learn from: read, held against the split, and asked where they come from.

Every command that fits a generator takes its rows through here, so that none learns from a reserved row, and none from
synthetic rows without being told to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from synthcli.commands.inputs import open_file
from synthcli.commands.provenance import check_lineage, check_sketches, split_mark, with_contamination
from synthcli.commands.running import Run
from synthcli.config import Config
from synthcli.constraints import check_columns, describe, holds
from synthcli.errors import BadTableError, HoldoutRowsError, MissingFileError
from synthcli.holdout import SplitFolder, guard
from synthcli.remote import is_url, plain, shown
from synthcli.schema import Schema
from synthcli.sketches import Contamination
from synthcli.tables import Source


class Learned(NamedTuple):
    """The table to learn from, its schema, the path or URL that names it, and the files that it was read from.

    ``names`` is what these are called.
    """

    table: pl.DataFrame
    schema: Schema
    path: str
    files: tuple[Path, ...]
    names: tuple[str, ...]


def load(run: Run, settings: Config, out: Path, train: str | None) -> Learned:
    """Return the table to learn from: the one that was named, else the split's training part."""
    folder = SplitFolder(out / "split")
    if not folder.exists():
        if train is None:
            raise MissingFileError(f"{folder.path}: no split to learn from", "run `synthcli split DATA` first")
        run.log.warn("no holdout reserved: without one nobody can prove whether the synthetic rows are safe and useful")
        source = open_file(train, settings, run.log)
        return _read(source, train)
    path = train or str(folder.train)
    return _read(open_file(path, settings, run.log, folder.read().schema), path)


def _read(source: Source, path: str) -> Learned:
    named = shown(path) if is_url(plain(path)) else str(Path(plain(path)))
    return Learned(source.read(), source.schema, named, source.paths, source.names)


def refuse_reserved(run: Run, out: Path, learned: Learned, allow_synthetic: bool) -> None:
    """Raise ``HoldoutRowsError`` for rows that the split reserves, whatever was allowed."""
    folder = SplitFolder(out / "split")
    if not folder.exists():
        return
    try:
        guard(learned.table, folder, where=learned.path)
    except HoldoutRowsError:
        # Synthetic rows fall on the reserved side as real ones do: that they are synthetic is the better reason.
        check_lineage(run, learned.files, learned.names, learned.table.height, allow_synthetic=allow_synthetic)
        raise


def provenance(
    run: Run, out: Path, learned: Learned, allow_synthetic: bool
) -> tuple[dict[str, Any], Contamination | None]:
    """Return where the table comes from, for the manifest; refuses synthetic rows unless they are allowed."""
    table, where = learned.table, learned.path
    origin = check_lineage(run, learned.files, learned.names, table.height, allow_synthetic=allow_synthetic)
    found = check_sketches(run, table, out / "sketches", where=where, allow_synthetic=allow_synthetic)
    lineage = with_contamination(origin.lineage, found, table.height)
    split = split_mark(SplitFolder(out / "split"))
    return {"sha256": origin.sha256, "split": split, "lineage": lineage.to_dict()}, found


def check_constraints(settings: Config, table: pl.DataFrame, schema: Schema) -> None:
    """Raise ``BadTableError`` where rows of the training table break a rule, with the number for each rule."""
    broken = {}
    for constraint in settings.data.constraints:
        check_columns(constraint, schema)
        rows = int((~holds(constraint, table, table)).sum())
        if rows:
            broken[f"{constraint.kind}, {describe(constraint)}: {rows:,} rows break it"] = rows
    if broken:
        raise BadTableError(
            f"data.constraints: not every one of the {table.height:,} training rows keeps them\n" + "\n".join(broken),
            "correct the rows, or the rule under data.constraints (strict_boundaries: false lets equal values pass)",
        )
