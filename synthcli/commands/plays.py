"""What each command rehearses for ``--dry-run``: how its input is cut to a part, and where its files would stand.

A part has rows at even distances, so that what is sorted is cut evenly; real rows of it lie in a private temporary
folder for as long as the rehearsal takes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from synthcli.artifacts import RUN_RECORD
from synthcli.commands.drawing import CHUNK
from synthcli.commands.recording import is_recorded
from synthcli.commands.rehearsing import LEAST, WARM, Part, Play
from synthcli.config import Config, as_plain
from synthcli.holdout import SplitFolder
from synthcli.registry import next_number
from synthcli.remote import shown
from synthcli.tables import Source, write_batches

if TYPE_CHECKING:
    from synthcli.audit import Tables
    from synthcli.columns import Table
    from synthcli.commands.drawing import Asked
    from synthcli.commands.incoming import Incoming
    from synthcli.commands.learning import Learned
    from synthcli.registry import Version

Place = Callable[[str], str | Sequence[str] | None]
#: What a part that we write ourselves needs not be told.
_OWN_FORM: Mapping[str, Any] = {"data.encoding": None, "data.delimiter": None, "data.quote": None}
#: A file of reserved rows has at least this many in a part, where there are as many: of fewer little can be measured.
_RESERVED = 250
#: The rows that each table of an audit's part has at least: an audit takes long on any, and only the growth matters.
_FEWEST = 100
#: Bytes that an audit keeps for a cell, with keys, codes and draws: 46 were measured of 270 million, 43 of 34 million.
_CELL = 45


def split_play(source: Source, rows: Mapping[str, int], folder: SplitFolder) -> Play:
    """Return how a split is rehearsed, of whose parts the rows are known."""
    total = sum(rows.values())

    def prepare(part: Part) -> tuple[list[str], Mapping[str, Any]]:
        path = _copied(source, part)
        _rule(folder, part.out)
        return ["split", str(path)], _OWN_FORM

    # The parts are compared on so many rows at most, which small parts know nothing of.
    return Play(total, prepare, {"table": total}, dict(rows), _placed(folder.path.parent), least=4 * LEAST)


def fit_play(settings: Config, out: Path, learned: Learned, *, given: bool, allowed: bool) -> Play:
    """Return how a fit is rehearsed on a part of the rows to learn from; ``given``: they are not the split's own."""
    own = SplitFolder(out / "split")
    section = as_plain(settings)["synthesizer"]
    best = section["kind"] == "auto"
    number = f"generators/{next_number(out):04d}/"

    def prepare(part: Part) -> tuple[list[str], Mapping[str, Any]]:
        path = _training(learned.table, own, part)
        words = ["fit", "--force", *(["--train", str(path)] if given or not own.exists() else [])]
        words += ["--allow-synthetic"] if allowed else []
        return words, {"synthesizer": _shortened(section, part.epochs)}

    def place(file: str) -> str | None:
        if file.startswith("generators/0001/"):  # which files the best of several has nobody knows
            return f"{out / number}/" if best else str(out / file.replace("generators/0001/", number))
        return str(out / file)

    rows = learned.table.height
    return Play(rows, prepare, {"train": rows}, {}, place, _epochs(section))


def sample_play(
    out: Path,
    version: Version,
    asked: Asked,
    target: Path | str | None,
    format: str,
    *,
    where: Sequence[str],
    given: pl.DataFrame | None,
    partial: bool,
    parts: Sequence[str] = (),
    workers: int = 1,
) -> Play:
    """Return how sampling is rehearsed; ``given`` are the first rows of a table to complete.

    ``parts`` are the files of a data set in the folder ``target``, which so many ``workers`` draw.
    """
    beside = ".lineage.json"
    packed = target is not None and not parts and shown(target).endswith(".gz")
    drawn = f"synthetic.{format}{'.gz' if packed else ''}"

    def prepare(part: Part) -> tuple[list[str], Mapping[str, Any]]:
        words = ["sample", "--generator", str(version.folder.absolute()), "--format", format, "--seed", "0"]
        words += ["--output", str(part.out / "synthetic" / drawn), *(["--partial"] if partial else [])]
        if given is not None:
            given.head(part.rows).write_parquet(part.folder / "given.parquet")
            return [*words, "--given", str(part.folder / "given.parquet")], {}
        wishes = [each for text in _scaled(where, asked, part.rows) for each in ("--where", text)]
        return [*words, "--rows", str(part.rows), *wishes], {}

    def place(file: str) -> str | Sequence[str] | None:
        if file.startswith("sketches/"):
            return _placed(out)(file)
        if target is None:
            return None
        if Path(file).name == RUN_RECORD:
            folder = target if parts else out / "synthetic"
            return _joined(folder, RUN_RECORD) if is_recorded(target, out, shards=bool(parts)) else None
        if parts:
            files = [_joined(target, name) for name in parts]
            return [f"{name}{beside}" for name in files] if file.endswith(beside) else files
        if file == f"synthetic/{drawn}":
            return shown(target)
        return f"{shown(target)}{beside}" if file.endswith(beside) else str(out / file)

    read = {} if given is None else {"given": asked.rows}
    most = None if given is None else given.height
    # To draw some thousand rows takes less than clocks tell.
    return Play(
        asked.rows,
        prepare,
        read,
        {"synthetic": asked.rows},
        place,
        side_by_side=workers,
        least=16 * LEAST,
        most=most,
        held=CHUNK,
    )


def validate_play(out: Path, tables: Tables, *, train: bool, holdout: bool, junit: Path | None) -> Play:
    """Return how an audit is rehearsed on the same share of each table; ``train``, ``holdout``: they were named."""
    own = SplitFolder(out / "split")
    named: dict[str, Table] = {"train": tables.train, "holdout": tables.holdout, "synthetic": tables.synthetic}
    more = {} if tables.privacy_holdout is None else {"privacy_holdout": tables.privacy_holdout}
    total = sum(table.height for table in named.values())

    def prepare(part: Part) -> tuple[list[str], Mapping[str, Any]]:
        _rule(own, part.out)
        split = SplitFolder(part.out / "split")
        split.path.mkdir(parents=True, exist_ok=True)
        for name, table in {**named, **more}.items():
            rows = max(table.height * part.rows // total, min(_FEWEST, table.height))
            table.thinned(rows, table.columns).write_parquet(split.path / f"{name}.parquet")
        words = ["validate", "--synthetic", str(split.path / "synthetic.parquet")]
        words += ["--train", str(split.train)] if train else []
        return [*words, *(["--holdout", str(split.holdout)] if holdout else [])], {}

    def place(file: str) -> str:
        return str(junit) if junit is not None and file == "validate/junit.xml" else str(out / file)

    rows = {name: table.height for name, table in named.items()}
    # Families that compare whole rows look at so many of them at most, and all train models.
    loads = ("sklearn.ensemble",)
    least = min(3 * WARM * _FEWEST, total)
    drawn = tables.synthetic.height if tables.synthetic.in_memory else min(tables.synthetic.height, rows["train"])
    cells = (rows["train"] + rows["holdout"] + drawn) * len(tables.schema.modelled)
    return Play(total, prepare, rows, {}, place, least=least, loads=loads, bounded=True, kept=_CELL * cells)


def augment_play(
    settings: Config, out: Path, learned: Learned, holdout: Source | None, rows: int, options: Sequence[str]
) -> Play:
    """Return how augmenting is rehearsed, on the same share of the training part and of the reserved rows."""
    own, total = SplitFolder(out / "split"), learned.table.height
    section = as_plain(settings)["augment"]["synthesizer"]

    def prepare(part: Part) -> tuple[list[str], Mapping[str, Any]]:
        path = _training(learned.table, own, part)
        if holdout is not None:
            reserved = holdout.rows()
            kept = max(reserved * part.rows // total, min(_RESERVED, reserved))
            _even(holdout.lazy, reserved, kept).write_parquet(SplitFolder(part.out / "split").holdout)
        wanted = settings.augment.rows
        fewer = {} if wanted is None else {"augment.rows": max(1, wanted * part.rows // total)}
        words = ["augment", *([] if own.exists() else ["--train", str(path)]), *options]
        return words, {**fewer, "augment.synthesizer": _shortened(section, part.epochs)}

    read = {"train": total, **({} if holdout is None else {"holdout": holdout.rows()})}
    return Play(total, prepare, read, {"augmented": rows}, _placed(out), _epochs(section))


def refresh_play(
    settings: Config, out: Path, incoming: Incoming, champion: Version | None, options: Sequence[str]
) -> Play:
    """Return how a challenger is rehearsed: fitted, held against a copy of the champion, and audited, on a part."""
    own, number = SplitFolder(out / "split"), next_number(out)
    section = as_plain(settings)["synthesizer"]

    def prepare(part: Part) -> tuple[list[str], Mapping[str, Any]]:
        path = _copied(incoming.source, part)
        if not incoming.renewed:
            _rule(own, part.out)
        if champion is not None:
            place = part.out / "generators" / champion.folder.name
            shutil.copytree(champion.folder, place)
            shutil.copy(out / "generators" / "aliases.json", place.parent)
        wanted = settings.sample.rows
        fewer = {} if wanted is None else {"sample.rows": max(1, wanted * part.rows // incoming.rows)}
        shorter = {"synthesizer": _shortened(section, part.epochs)}
        return ["refresh", str(path), "--force", *options], {**_OWN_FORM, **fewer, **shorter}

    def place(file: str) -> str | None:
        folder, _, rest = file.partition("/")
        inside = rest.partition("/")[0]
        if (folder == "generators" and inside.isdecimal()) or (folder == "refresh" and inside.isdecimal()):
            return f"{out / folder / f'{number:04d}'}/"
        if rest.startswith("references/"):
            return str(out / "refresh" / "references" / f"{number:04d}.npz")
        return _placed(out)(file)

    parts = {"train": incoming.fitted.height + incoming.inner.height, "holdout": incoming.holdout.height}
    return Play(incoming.rows, prepare, {"table": incoming.rows}, parts, place, _epochs(section))


# --- Parts -------------------------------------------------------------------------------------------------------


def _even(rows: pl.LazyFrame, total: int, wanted: int) -> pl.DataFrame:
    """Return ``wanted`` of ``total`` rows at even distances."""
    return rows.gather_every(max(1, total // max(wanted, 1))).head(wanted).collect()


def _copied(source: Source, part: Part) -> Path:
    """Write a part of a table in its own form: text is slower to read than what is stored by column."""
    packed = any(str(name).lower().endswith(".gz") for name in source.names)
    path = part.folder / ("part.parquet" if source.columnar else "part.csv.gz" if packed else "part.csv")
    rows = _even(source.lazy, source.rows(), part.rows)
    write_batches(iter([rows]), source.schema, path, format="parquet" if source.columnar else "csv")
    return path


def _training(table: pl.DataFrame, own: SplitFolder, part: Part) -> Path:
    """Write a part of the training rows where the split would have them, with the split's rule if there is one."""
    split = SplitFolder(part.out / "split")
    _rule(own, part.out)
    split.path.mkdir(parents=True, exist_ok=True)
    _even(table.lazy(), table.height, part.rows).write_parquet(split.train)
    return split.train


def _rule(own: SplitFolder, out: Path) -> None:
    """Copy the rule of the split, and what it remembers of rows that have none."""
    if own.exists():
        (out / "split").mkdir(parents=True, exist_ok=True)
        for path in (own.record, own.keys):
            if path.is_file():
                shutil.copy(path, out / "split" / path.name)


def _scaled(where: Sequence[str], asked: Asked, rows: int) -> list[str]:
    """Return the conditions with their counts cut to a part."""
    found = []
    groups = iter(asked.groups)
    for text in where:
        count, colon, rest = text.partition(":")
        if not (colon and count.isdecimal()):
            found.append(text)
            continue
        found.append(f"{max(1, next(groups).rows * rows // asked.rows)}:{rest}")
    return found


def _epochs(section: Mapping[str, Any]) -> int:
    """Return the epochs of the longest training that a generator's section asks for; 1 where no network is trained."""
    return max(int(each.get("epochs", 1)) for each in (section, *section.get("candidates", ())))


def _shortened(section: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """Return a generator's section with networks that train for so many epochs."""
    fewer = {"epochs": min(epochs, section["epochs"])} if "epochs" in section else {}
    candidates = [_shortened(each, epochs) for each in section.get("candidates", ())]
    return {**section, **fewer, **({"candidates": candidates} if candidates else {})}


# --- Places ------------------------------------------------------------------------------------------------------


def _placed(out: Path) -> Callable[[str], str]:
    """Return where a file stands under ``out``; a sketch is named by what the rows turn out to be."""
    return lambda file: str(out / ("sketches/*.npz" if file.startswith("sketches/") else file))


def _joined(target: Path | str, name: str) -> str:
    from synthcli.remote import joined

    return shown(joined(target, name)) if isinstance(target, str) else str(target / name)
