"""Sketches of what was emitted: proof that survives when a synthetic file loses its name, its format and its sidecar.

A sketch holds the row keys that one sampling emitted, as far as they lie at or below a threshold: a bottom-k sample
(Cohen & Kaplan 2007, doi:10.1145/1281100.1281133), at most 2^16 keys however many rows were drawn. Beside them stand
the keys of the real training rows below the same threshold, and how often rows of the holdout match by nature. From
these three :func:`estimate` says of any later table what share of its new rows is our own output.

A key depends on a row's content alone, so the keys below a threshold are the same rows in every file, and a comparison
of the few is a fair sample of all. A sketch holds hashes of real rows: it is private, and no part of any release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import polars as pl

from synthcli.artifacts import DAMAGED_ARRAYS, atomic_path
from synthcli.errors import BadTableError
from synthcli.rowkeys import Keys, among, row_keys

SCHEMA_VERSION = 1
#: Keys that a sketch holds at most: of what was emitted, and of the known real rows.
EMITTED_KEYS, REAL_KEYS = 1 << 16, 1 << 18
#: The threshold that every key meets.
EVERY = 2**64 - 1
#: A share of emitted rows that is let pass.
LIMIT = 0.02
#: One-sided error of the lower bounds, for all sketches together.
ALPHA = 0.01
#: Little can be told where more real rows match by nature, or more emitted rows are copies of real ones, than this.
BLIND, COPIED = 0.2, 0.5

#: The keys of a table's rows, batch by batch; called anew for each pass.
KeyStream = Callable[[], Iterable[Keys]]
BaseFrom = Literal["holdout", "train", "nothing"]


@dataclass(frozen=True, slots=True, eq=False)
class Bottom:
    """The smallest distinct keys of a stream, at most ``capacity``: those at or below ``threshold``, all of them.

    Neither the order of the rows nor the batches they came in make a difference.
    """

    capacity: int
    threshold: int = EVERY
    keys: Keys = field(default_factory=lambda: np.empty(0, dtype=np.uint64))

    def add(self, keys: Keys) -> Self:
        """Return the sketch of the stream so far and ``keys`` after it."""
        merged = np.union1d(self.keys, _up_to(keys, self.threshold))
        if len(merged) <= self.capacity:
            return replace(self, keys=merged)
        kept = merged[: self.capacity].copy()
        return replace(self, threshold=int(kept[-1]), keys=kept)

    def merged(self, other: Bottom) -> Self:
        """Return the sketch of both streams together."""
        threshold = min(self.threshold, other.threshold)
        return replace(self, threshold=threshold, keys=_up_to(self.keys, threshold)).add(other.keys)


class Tally(NamedTuple):
    """Rows that were looked at, those among them that match, and how many independent rows they are worth.

    Equal rows match together, so ``effective`` = (Σ n)²/Σ n² over the row contents, each occurring n times (Kish 1965).
    """

    matched: int
    looked: int
    effective: float

    @property
    def share(self) -> float:
        """Matched over looked at; 0 where nothing was."""
        return self.matched / self.looked if self.looked else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What is kept of one sampling.

    Attributes
    ----------
    digest
        SHA-256 of the file that was written; the sketch's own name.
    columns
        The columns that the keys were taken over, in order.
    keys
        Sorted distinct keys of emitted rows, at or below ``threshold``.
    rows
        Rows that were emitted.
    real
        Sorted distinct keys of the real rows known at the time, at or below ``threshold``.
    real_rows
        Rows that those were taken from.
    base, base_from
        How often real rows match: rows of the holdout whose content is not in ``real``, or, without a holdout, rows of
        the training table, which match too often if the generator copies; ``nothing`` where no real row was at hand.
    depth
        Depth of the rows emitted, as in ``lineage``.
    """

    digest: str
    columns: tuple[str, ...]
    keys: Keys
    threshold: int
    rows: int
    real: Keys
    real_rows: int
    base: Tally
    base_from: BaseFrom
    depth: int

    @property
    def copied(self) -> float:
        """Share of the distinct emitted rows that equal a known real one."""
        return float(among(self.keys, self.real).mean()) if len(self.keys) else 0.0


@dataclass(frozen=True, slots=True)
class Contamination:
    """What one sketch says about a table.

    Attributes
    ----------
    share, low
        Estimated share of the table's new rows that the sampling emitted, and its lower bound.
    of_all
        The estimate as a share of all the table's rows, the known real ones included.
    found
        The table's new rows at or below the threshold, and those among them in the sketch.
    base, copied
        Share of new real rows that match by nature, and share of what was emitted that equals a known real row.
    blind
        Whether a low bound proves nothing, since what was emitted looks much like real rows here.
    """

    digest: str
    depth: int
    share: float
    low: float
    of_all: float
    found: Tally
    base: float
    copied: float
    blind: bool

    @property
    def certain(self) -> bool:
        """Whether emitted rows are in the table beyond doubt.

        The bound takes real rows to match as often as in the holdout. Where they match at all, a drift of the data
        changes how often: by up to a half between months and age groups of real tables (docs/lineage.md). So the share
        has to exceed the base rate too.
        """
        return self.low > max(LIMIT, self.base)

    @property
    def doubtful(self) -> bool:
        """Whether nobody can say that the table is free of emitted rows, or that it is not."""
        return not self.certain and (self.low > LIMIT or self.blind)


def sketch(
    digest: str,
    columns: tuple[str, ...],
    emitted: Bottom,
    rows: int,
    *,
    depth: int,
    train: KeyStream | None,
    holdout: KeyStream | None,
) -> Sketch:
    """Return the sketch of ``rows`` emitted rows, held against the real rows that are at hand."""
    real, real_rows = Bottom(REAL_KEYS), 0
    for batch in train() if train else ():
        real, real_rows = real.add(batch), real_rows + len(batch)
    threshold = min(emitted.threshold, real.threshold)
    keys, known = _up_to(emitted.keys, threshold), _up_to(real.keys, threshold)
    base, base_from = _base(keys, threshold, known, train, holdout)
    return Sketch(digest, columns, keys, threshold, rows, known, real_rows, base, base_from, depth)


def _base(
    keys: Keys, threshold: int, known: Keys, train: KeyStream | None, holdout: KeyStream | None
) -> tuple[Tally, BaseFrom]:
    if holdout is not None:
        return tally(holdout(), keys, threshold, known), "holdout"
    if train is not None:
        return tally(train(), keys, threshold, known[:0]), "train"
    return Tally(0, 0, 0.0), "nothing"


def tally(batches: Iterable[Keys], keys: Keys, threshold: int, known: Keys) -> Tally:
    """Count the rows at or below ``threshold`` whose content is not ``known``, and those among ``keys``."""
    below = (_up_to(batch, threshold) for batch in batches)
    new = [batch[~among(batch, known)] for batch in below]
    content, times = np.unique(np.concatenate(new), return_counts=True) if new else (known[:0], known[:0])
    looked = int(times.sum())
    effective = looked**2 / float((times.astype(float) ** 2).sum()) if looked else 0.0
    return Tally(int(times[among(content, keys)].sum()), looked, effective)


def estimate(sketch: Sketch, keys: Keys, *, error: float) -> Contamination:
    """Say what share of a table's new rows was emitted; ``keys`` are its rows', ``error`` the bound's (one-sided).

    Of new rows a share p matches, of real ones a share b; c = (p - b)/(1 - b). The bound takes p at its lower and b at
    its upper exact limit (Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404), half of the error each.
    """
    found, base = tally([keys], sketch.keys, sketch.threshold, sketch.real), sketch.base.share
    at_most = _upper(sketch.base, error / 2)
    share, low = _excess(found.share, base), _excess(_lower(found, error / 2), at_most)
    below = len(_up_to(keys, sketch.threshold))
    nothing_new = not found.looked and len(keys) <= sketch.real_rows
    return Contamination(
        digest=sketch.digest,
        depth=sketch.depth,
        share=share,
        low=low,
        of_all=share * found.looked / max(below, 1),
        found=found,
        base=base,
        copied=sketch.copied,
        blind=not nothing_new and (base > BLIND or at_most > 0.5 or sketch.copied > COPIED),
    )


def examine(table: pl.DataFrame, sketches: Iterable[Sketch], number: int) -> Iterator[Contamination]:
    """Hold ``table`` against each of the ``number`` sketches whose columns it has; their bounds hold together."""
    keys: dict[tuple[str, ...], Keys] = {}
    for each in sketches:
        if set(each.columns) <= set(table.columns):
            if each.columns not in keys:
                keys[each.columns] = row_keys(table, each.columns)
            yield estimate(each, keys[each.columns], error=ALPHA / max(number, 1))


def stored(folder: Path) -> tuple[Path, ...]:
    """Return the files of the sketches that ``folder`` holds, in the order of their names."""
    return tuple(sorted(folder.glob("[!.]*.npz")))


def write(folder: Path, sketch: Sketch) -> Path:
    """Write the sketch to ``folder`` under its digest, readable by its owner only; return its path."""
    path = folder / f"{sketch.digest}.npz"
    base = np.array([sketch.base.matched, sketch.base.looked, sketch.base.effective], dtype=np.float64)
    numbers = [SCHEMA_VERSION, sketch.threshold, sketch.rows, sketch.real_rows, sketch.depth]
    with atomic_path(path, mode=0o600) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            numbers=np.array(numbers, dtype=np.uint64),
            columns=np.array(sketch.columns),
            keys=sketch.keys,
            real=sketch.real,
            base=base,
            base_from=np.array(sketch.base_from),
        )
    return path


def read(path: Path) -> Sketch:
    """Read what :func:`write` wrote; raises ``BadTableError`` for a file that is no sketch, or a damaged one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            version, threshold, rows, real_rows, depth = (int(number) for number in data["numbers"])
            if version != SCHEMA_VERSION:
                raise ValueError(version)
            matched, looked, effective = (float(number) for number in data["base"])
            return Sketch(
                path.stem,
                tuple(str(name) for name in data["columns"]),
                data["keys"],
                threshold,
                rows,
                data["real"],
                real_rows,
                Tally(int(matched), int(looked), effective),
                str(data["base_from"]),  # type: ignore[arg-type]
                depth,
            )
    except DAMAGED_ARRAYS as error:
        raise BadTableError(
            f"{path}: is no sketch that this version of synthcli can read",
            "restore it from a copy; without it, rows of that sampling are not recognised",
        ) from error


def _excess(matching: float, base: float) -> float:
    """Return the share of rows that match beyond what real rows do by nature, in [0, 1]."""
    return max(0.0, (matching - base) / (1 - base)) if base < 1 else 0.0


def _lower(found: Tally, error: float) -> float:
    from scipy.special import betaincinv  # whoever only draws compares nothing

    hits = found.share * found.effective
    return float(betaincinv(hits, found.effective - hits + 1, error)) if found.matched else 0.0


def _upper(base: Tally, error: float) -> float:
    from scipy.special import betaincinv

    hits = base.share * base.effective
    return float(betaincinv(hits + 1, base.effective - hits, 1 - error)) if base.matched < base.looked else 1.0


def _up_to(keys: Keys, threshold: int) -> Keys:
    return keys[keys <= np.uint64(threshold)] if threshold < EVERY else keys
