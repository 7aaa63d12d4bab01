"""Where rows come from: what ``fit`` and ``validate`` have to ask, and what ``sample`` has to remember."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from synthcli.commands.inputs import open_file
from synthcli.commands.running import Run
from synthcli.config import Config
from synthcli.errors import BadTableError, ContaminatedError, HoldoutRowsError, SynthcliError, SyntheticInputError
from synthcli.holdout import SplitFolder, guard
from synthcli.lineage import Lineage, Origin, Parent, content_sha256, of_sample, of_source, real, with_found
from synthcli.lineage import read as read_lineage
from synthcli.registry import Version, fingerprint, numbers, resolve
from synthcli.rowkeys import Keys, row_keys
from synthcli.schema import Schema
from synthcli.sketches import EMITTED_KEYS, Bottom, Contamination, KeyStream, Sketch, examine, sketch, stored
from synthcli.sketches import read as read_sketch
from synthcli.tables.files import Part
from synthcli.tables.files import resolve as resolve_files
from synthcli.tables.write import as_written, formula_cells, formula_names

#: Rows whose keys are computed at a time.
_BATCH = 1 << 17


def split_mark(folder: SplitFolder) -> str | None:
    """Return a fingerprint of the rule that divided rows here and of how it tells them, or ``None`` without a split."""
    if not folder.exists():
        return None
    rule, schema = folder.read().rule, folder.read().schema
    types = {name: schema[name].key_type for name in rule.needs if name in schema}
    return fingerprint({**rule.to_dict(), "key_types": types})


def check_lineage(
    run: Run,
    paths: Sequence[Path],
    names: Sequence[str],
    rows: int,
    *,
    allow_synthetic: bool,
    remedy: str | None = None,
) -> Origin:
    """Return what the table to learn from was made from; raises ``SyntheticInputError`` unless that is real rows.

    ``names`` is what its files are called; ``remedy`` is its hint, for a command that can allow nothing.
    """
    origin = of_source(paths, rows, names)
    for warning in origin.warnings:
        run.log.warn(f"{warning}; it does not count as evidence")
    lineage = origin.lineage
    if not lineage.is_real:
        told = f"{names[0]}: on record as {lineage.kind}, depth {lineage.depth}, {lineage.real_share:.1%} real rows"
        if not allow_synthetic:
            raise SyntheticInputError(
                f"{told}; a generator that learns from synthetic rows decays",
                remedy or "fit on real rows, or learn from these knowingly with --allow-synthetic",
            )
        run.log.warn(f"{told}; learned from, as --allow-synthetic says")
    return origin


def check_sketches(
    run: Run, table: pl.DataFrame, folder: Path, *, where: str, allow_synthetic: bool, remedy: str | None = None
) -> Contamination | None:
    """Look for rows that were sampled here; return what was found, ``None`` where there is no sketch to look with.

    Raises ``ContaminatedError`` where there are some beyond doubt; where nobody can tell, the log says so.
    """
    found = _worst(run, table, folder)
    if found is None:
        return None
    told = (
        f"{where}: an estimated {found.share:.1%} of its new rows (at least {found.low:.1%}) are synthetic rows that "
        f"were sampled here (sketch {found.digest[:12]})"
    )
    if found.certain and not allow_synthetic:
        raise ContaminatedError(
            told,
            remedy
            or "take the synthetic rows out of its source (and split that again), or learn from them knowingly with "
            "--allow-synthetic",
        )
    if found.certain:
        run.log.warn(f"{told}; learned from, as --allow-synthetic says")
    elif found.doubtful:
        run.log.warn(
            f"{where}: it cannot be told whether rows were sampled here (sketch {found.digest[:12]}): of its new rows "
            f"{found.found.share:.0%} match, of new real rows {found.base:.0%} do by nature, and {found.copied:.0%} of "
            "what was sampled equals known real rows"
        )
    return found


def with_contamination(lineage: Lineage, found: Contamination | None, rows: int) -> Lineage:
    """Return the lineage of a table of ``rows`` rows that is learned from although sampled rows were found in it."""
    if found is None or not found.certain:
        return lineage
    emitted = round(found.of_all * rows)
    name = "rows that were sampled here"
    return with_found(lineage, Parent(found.digest, "synthetic", found.depth, 0.0, name, emitted), rows)


def _worst(run: Run, table: pl.DataFrame, folder: Path) -> Contamination | None:
    """Return what the sketch says that finds most, doubts before clearance."""
    paths = stored(folder)
    found = examine(table, _readable(run, paths), len(paths))
    return max(found, key=lambda each: (each.certain, each.doubtful, each.low, each.share), default=None)


def _readable(run: Run, paths: Iterable[Path]) -> Iterator[Sketch]:
    for path in paths:
        try:
            yield read_sketch(path)
        except BadTableError as error:
            run.log.warn(f"{error.message}; rows of that sampling are not recognised")


@dataclass
class Emission:
    """Rows on their way to a file: :meth:`noted` passes them on and remembers their keys, in bounded memory.

    ``formulas`` counts what of CSV output a spreadsheet would compute.
    """

    schema: Schema
    format: Literal["parquet", "csv", "jsonl"]
    keys: Bottom = field(default_factory=lambda: Bottom(EMITTED_KEYS))
    rows: int = 0
    formulas: int = 0

    def __post_init__(self) -> None:
        """Count the names of columns too."""
        if self.format == "csv":
            self.formulas += formula_names(self.schema)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that keys are taken over: ids are made anew each time, and text comes out empty."""
        return tuple(column.name for column in self.schema.modelled)

    def noted(self, batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Pass ``batches`` on; keys are those of the values that a reader of the file will get."""
        for batch in batches:
            self.keys = self.keys.add(row_keys(as_written(batch, self.schema, self.format), self.columns))
            self.rows += batch.height
            if self.format == "csv":
                self.formulas += formula_cells(batch, self.schema)
            yield batch


def warn_of_formulas(run: Run, found: int, remedy: str) -> None:
    """Say how much of a CSV file looks like a formula, and what ``remedy`` does about it."""
    if found:
        run.log.warn(
            f"{found:,} cells or names of columns begin as a formula does, and a spreadsheet would compute them: "
            f"{remedy} puts an apostrophe before each"
        )


def sample_lineage(version: Version, seed: int) -> Lineage:
    """Return the lineage of rows that the version draws with ``seed``."""
    manifest = version.manifest
    train = manifest.train
    try:
        learned = Lineage.from_dict(train["lineage"]) if "lineage" in train else real()
    except (KeyError, TypeError, ValueError) as error:
        raise BadTableError(
            f"generator {version.folder}: its manifest does not tell what it learned from", "fit again: synthcli fit"
        ) from error
    parent = learned.as_parent(Path(train["path"]).name, int(train["rows"]), train.get("sha256"))
    generator = {"kind": manifest.kind, "version": version.number, "fingerprint": manifest.fingerprint}
    return of_sample(parent, generator=generator, seed=seed)


def emission_sketch(
    out: Path, emission: Emission, digest: str, depth: int, learned_from: KeyStream | None = None
) -> Sketch:
    """Return the sketch of the emitted file with SHA-256 ``digest``, held against the real rows that are at hand.

    ``learned_from`` has the keys of the rows that the generator learned from, where these are not the split's.
    """
    folder, columns = SplitFolder(out / "split"), emission.columns
    streams = [_part_keys(folder.train, columns)] if folder.exists() and _has(folder.train, columns) else []
    streams += [learned_from] if learned_from is not None else []
    has_holdout = folder.exists() and _has(folder.holdout, columns)
    return sketch(
        digest,
        columns,
        emission.keys,
        emission.rows,
        depth=depth,
        train=_one_after_the_other(streams) if streams else None,
        holdout=_part_keys(folder.holdout, columns) if has_holdout else None,
    )


def _has(part: Path, columns: Sequence[str]) -> bool:
    return part.is_file() and set(columns) <= set(pl.scan_parquet(part, glob=False).collect_schema())


def _part_keys(part: Path, columns: Sequence[str]) -> KeyStream:
    """Return the keys of a part of the split, which is stored in the schema's own types."""

    def keys() -> Iterator[Keys]:
        rows = pl.scan_parquet(part, glob=False).select(columns)
        for batch in rows.collect_batches(chunk_size=_BATCH, maintain_order=True):
            yield row_keys(batch, columns)

    return keys


def training_file(run: Run, settings: Config, version: Version, emission: Emission, out: Path) -> KeyStream | None:
    """Return the keys of what the version learned from, if that is not the split's part and still as it was."""
    path, columns = _unchanged(version), emission.columns
    if path is None or Path(path).resolve() == SplitFolder(out / "split").train.resolve():
        return None
    try:
        source = open_file(path, settings, run.log, emission.schema)
    except SynthcliError:  # it was read with another configuration
        return None
    return lambda: (row_keys(batch, columns) for batch in source.batches(_BATCH))


def training_keys(run: Run, settings: Config, version: Version, schema: Schema) -> Iterator[Keys]:
    """Yield the keys, over the modelled columns, of the rows of the table that the version learned from.

    They are those of the table as it was read, before any protection. Raises ``BadTableError`` where it is not at hand
    any more, or has changed.
    """
    path = _unchanged(version)
    if path is None:
        raise BadTableError(
            f"{version.manifest.train['path']}: the table that generator {version.name} learned from has changed or is "
            "not at hand any more, so it cannot be told which rows repeat its records",
            "fit again, or leave sample.reject_training_matches out",
        )
    columns = [column.name for column in schema.modelled]
    source = open_file(path, settings, run.log, schema)
    return (row_keys(batch, columns) for batch in source.batches(_BATCH))


def _unchanged(version: Version) -> str | None:
    """Return the path or URL of the table that the version learned from, where it still has the recorded content."""
    train = version.manifest.train
    path, digest = str(train["path"]), train.get("sha256")
    if digest is None or path == "-":
        return None
    try:
        same = content_sha256([part.path for part in resolve_files(path)]) == digest
    except SynthcliError:
        return None
    return path if same else None


def _one_after_the_other(streams: Sequence[KeyStream]) -> KeyStream:
    return lambda: (keys for stream in streams for keys in stream())


def generator_of(run: Run, out: Path, synthetic: Part) -> Version | None:
    """Return the generator version under ``out`` that drew the file, as far as its lineage says."""
    known = read_lineage(synthetic.path, name=synthetic.name)
    if known is not None and known.mismatch:
        run.log.warn(f"{known.mismatch}; it does not count as evidence")
    named: Any = known.lineage.generator if known is not None and known.lineage is not None else None
    if not named or named.get("version") not in numbers(out):
        return None
    version = resolve(out, str(named["version"]))
    return version if version.manifest.fingerprint == named.get("fingerprint") else None


def check_trained_apart(run: Run, settings: Config, version: Version, folder: SplitFolder) -> None:
    """Raise ``HoldoutRowsError`` unless it is certain that the version learned from no row of the holdout.

    It is where the version was fitted under the split's own rule, or where its training table is still at hand and
    holds no reserved row.
    """
    if version.manifest.train.get("split") == split_mark(folder):
        return
    hint = "fit again (`synthcli fit`), sample from the new version and audit that"
    path = _unchanged(version)
    if path is None:
        raise HoldoutRowsError(
            f"generator {version.name} was fitted without the split in {folder.path}, and the table that it learned "
            "from is not at hand any more: it may have seen rows of the holdout",
            hint,
        )
    table = open_file(path, settings, run.log, folder.read().schema).read()
    try:
        guard(table, folder, where=path)
    except HoldoutRowsError as error:
        raise HoldoutRowsError(
            f"generator {version.name} was fitted without the split in {folder.path}: {error.message}", hint
        ) from error
