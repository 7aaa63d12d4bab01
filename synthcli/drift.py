"""Drift: how far a table lies from the one that a generator learned from, of which only counts were kept.

Per column, as effect sizes: the population stability index Σ (q - p) ln(q/p) (Kullback's divergence made symmetric;
Siddiqi 2006, Credit Risk Scorecards, reads .1 as little and .25 as much), the total variation distance ½ Σ |p - q|, the
change of the share of missing cells, and the share of cells with a category that was not seen before, or with a number
outside the range that was. Cells of the first two are: missing, at most ten bins (numbers, instants), or the ten most
frequent categories and all other known ones, numbers of at most ten values being categories here. What was not seen
before is left out there and is a quantity of its own: in a column of many rare categories some are new in any sample.

Each effect has a noise floor, what the sizes of the samples alone make of two samples of one law, exceeded with a
chance of at most .05 over all columns together, for each kind of effect:

- the PSI over k cells is, to first order, f · χ²(k - 1), with f = 1/n + 1/m - 2 c/(n m) for n rows then, m rows now,
  of which c are the same rows (Yurdakul 2018, Statistical Properties of Population Stability Index, for c = 0);
- the total variation distance is at most ½ √(Σ (p - q)²/p) (Cauchy-Schwarz), hence at most ½ √ of that floor;
- of a share of cells, z √(p (1 - p) f);
- the mass that a law has beyond the fifth lowest and the fifth highest of n values is about a gamma variable of shape
  10 over n, with mean 10/n;
- categories not seen before are expected at the rate f₁/n, f₁ being those seen exactly once (Good 1953,
  doi:10.1093/biomet/40.3-4.237), with the variance (f₁ + 2 f₂ - f₁²/n)/n² (Esty 1983, doi:10.1214/aos/1176346259).
  A category that was seen once is known to the row that showed it and to no other: so many rows are taken off the
  reference's other categories before it is compared with rows that are not its own.

New rows are told from known ones by row keys, of which the reference keeps those at or below a threshold with their
numbers (at most 2^16 different ones): rows below it are a fair sample of all. A reference holds counts of real rows,
edges of bins and hashes of rows and categories: it is private, and no part of a generator or a release.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import chdtri, gammainccinv

from synthcli.artifacts import DAMAGED_ARRAYS, atomic_path
from synthcli.columns import Table, finite_numbers
from synthcli.config.models import DriftSection
from synthcli.encoding import BINS, MIN_CATEGORY_ROWS, equal_frequency_cuts
from synthcli.errors import BadTableError
from synthcli.metrics.estimate import normal_quantile
from synthcli.metrics.similarity import TwoSample, two_sample_test
from synthcli.rowkeys import Keys, canonical_bits, occurrences, row_keys
from synthcli.schema import Column, Schema

SCHEMA_VERSION = 1
#: Different row keys that a reference holds at most.
KEYS = 1 << 16
#: The chance that noise alone exceeds a floor, over all columns of one comparison together.
ALPHA = 0.05
#: The range of a column of numbers reaches from the so-manieth lowest to the so-manieth highest value.
OUTER = 5
#: Rows a side that the classifier looks at, and the fewest that it is asked about.
LOOKED_AT, FEWEST = 5_000, 50

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: What an effect is called, in the configuration too.
Effect = Literal["psi", "tvd", "missing", "new_categories"]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells of one column and how many rows of the reference lay in each.

    Cell 0 is missing, cell 1 not seen before: a new category, or a number outside the reference's range, which reaches
    from the fifth lowest to the fifth highest value, so that no extreme is kept. Numbers (``ordered``): bins from left
    to right follow; ``cuts`` are the range's low end, the inclusive upper ends of all bins but the last, and its high
    end. Categories, and numbers of at most ten values: all known ones without a cell of their own, then those with
    one; ``known`` are hashes, of which the first ``kept`` have one. ``once`` and ``twice`` are the numbers of
    categories that occurred so often; of a range ``once`` is ten, what is expected outside among as many rows.
    """

    name: str
    ordered: bool
    counts: Counts
    cuts: Floats
    known: Keys
    kept: int
    once: int
    twice: int

    @classmethod
    def fit(cls, table: Table, column: Column) -> Cells:
        """Choose the cells by the reference's rows, and count."""
        nothing: Keys = np.empty(0, np.uint64)
        values = table.distinct(column.name).finite if column.ordered else None
        if values is not None and len(values.values) > BINS:
            outer = min(OUTER, values.rows // 4)
            ends = [values.ranked(outer - 1), values.ranked(values.rows - outer)]
            cuts = np.array([ends[0], *equal_frequency_cuts(values, BINS), ends[1]], dtype=np.float64)
            blank = cls(column.name, True, np.empty(0, np.int64), cuts, nothing, 0, 2 * outer, 0)
        else:
            levels = table.levels(column.name)
            kept = int(np.count_nonzero(levels.counts[:BINS] >= MIN_CATEGORY_ROWS))
            once, twice = (int(np.count_nonzero(levels.counts == times)) for times in (1, 2))
            known = canonical_bits(levels.values)
            blank = cls(column.name, False, np.empty(0, np.int64), np.empty(0), known, kept, once, twice)
        return replace(blank, counts=blank.count(table[column.name]))

    @property
    def number(self) -> int:
        """How many cells there are."""
        return len(self.cuts) + 1 if self.ordered else 3 + self.kept

    def count(self, series: pl.Series) -> Counts:
        """Return how many of the values lie in each cell."""
        codes = self._of_numbers(series) if self.ordered else self._of_categories(series)
        return np.bincount(codes, minlength=self.number).astype(np.int64)

    def _of_numbers(self, series: pl.Series) -> npt.NDArray[np.int64]:
        values = finite_numbers(series)
        bins = 2 + np.searchsorted(self.cuts[1:-1], values, side="left")
        outside = (values < self.cuts[0]) | (values > self.cuts[-1])
        return np.where(np.isnan(values), 0, np.where(outside, 1, bins))

    def _of_categories(self, series: pl.Series) -> npt.NDArray[np.int64]:
        if series.dtype.is_float():
            series = series.fill_nan(None)
        bits, order = canonical_bits(series), np.argsort(self.known)
        ordered = self.known[order]
        slot = np.minimum(np.searchsorted(ordered, bits), max(len(ordered) - 1, 0))
        if not len(ordered):
            return np.where(series.is_null().to_numpy(), 0, 1)
        place = np.where(ordered[slot] == bits, order[slot], -1)
        code = np.where(place < 0, 1, np.where(place < self.kept, 3 + place, 2))
        return np.where(series.is_null().to_numpy(), 0, code)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What is kept of the rows that a generator learned from, so that later rows can be held against them.

    Attributes
    ----------
    rows
        How many they were.
    keyed
        The columns that row keys are taken over.
    keys, times
        Sorted different keys at or below ``threshold``, and how many rows had each.
    cells
        One for each modelled column.
    """

    rows: int
    keyed: tuple[str, ...]
    keys: Keys
    times: Counts
    threshold: int
    cells: tuple[Cells, ...]

    @classmethod
    def of(cls, train: pl.DataFrame, schema: Schema, keyed: Sequence[str]) -> Reference:
        """Count the rows that a generator learns from."""
        table = Table(train)
        keys, times = np.unique(row_keys(train, keyed), return_counts=True)
        threshold = int(keys[KEYS - 1]) if len(keys) > KEYS else 2**64 - 1
        few = slice(0, KEYS)
        cells = tuple(Cells.fit(table, column) for column in schema.modelled)
        return cls(train.height, tuple(keyed), keys[few], times[few].astype(np.int64), threshold, cells)

    def write(self, path: Path) -> None:
        """Write the file, atomically and for its owner alone."""
        arrays: dict[str, Any] = {
            "schema_version": np.int64(SCHEMA_VERSION),
            "rows": np.int64(self.rows),
            "keyed": np.array(self.keyed, dtype=np.str_),
            "keys": self.keys,
            "times": self.times,
            "threshold": np.uint64(self.threshold),
            "names": np.array([cell.name for cell in self.cells], dtype=np.str_),
        }
        for place, cell in enumerate(self.cells):
            arrays[f"{place}.numbers"] = np.array([cell.ordered, cell.kept, cell.once, cell.twice], dtype=np.int64)
            arrays |= {f"{place}.{part}": getattr(cell, part) for part in ("counts", "cuts", "known")}
        with atomic_path(path, mode=0o600) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def read(cls, path: Path) -> Reference:
        """Read what :meth:`write` wrote; raises ``BadTableError`` for anything else."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if int(stored["schema_version"]) != SCHEMA_VERSION:
                    raise ValueError("another version")
                cells = []
                for place, name in enumerate(stored["names"]):
                    ordered, *numbers = (int(number) for number in stored[f"{place}.numbers"])
                    counts, cuts, known = (stored[f"{place}.{part}"] for part in ("counts", "cuts", "known"))
                    kept, once, twice = numbers
                    cells.append(Cells(str(name), bool(ordered), counts, cuts, known, kept, once, twice))
                keyed = tuple(str(name) for name in stored["keyed"])
                return cls(
                    int(stored["rows"]), keyed, stored["keys"], stored["times"], int(stored["threshold"]), tuple(cells)
                )
        except DAMAGED_ARRAYS as error:
            raise BadTableError(
                f"{path}: the counts of what a generator learned from cannot be read", "refresh with --force"
            ) from error


class Shift(NamedTuple):
    """How far one column of ``rows`` rows lies from the reference; shares and distances, with their noise floors.

    ``missing`` is the share now less the share then. ``new_categories`` is the share of cells that were not seen
    before, ``expected`` the one that the reference's rare categories let expect.
    """

    rows: int
    psi: float
    psi_floor: float
    tvd: float
    tvd_floor: float
    missing: float
    missing_floor: float
    new_categories: float
    expected: float
    new_floor: float

    def effect(self, name: Effect) -> tuple[float, float]:
        """Return the effect's size, new categories above expectation, and its noise floor."""
        if name == "missing":
            return abs(self.missing), self.missing_floor
        if name == "new_categories":
            return max(self.new_categories - self.expected, 0.0), self.new_floor
        return (self.psi, self.psi_floor) if name == "psi" else (self.tvd, self.tvd_floor)


class ColumnDrift(NamedTuple):
    """One column: ``whole`` of all rows that would be learned now; ``new`` of those among them that are new, if any.

    ``ignored`` columns change by nature and decide nothing.
    """

    name: str
    kind: str
    ignored: bool
    whole: Shift
    new: Shift | None


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a table lies from the reference.

    Attributes
    ----------
    rows, reference_rows
        Of the table, and of the reference.
    new_rows, new_share
        Rows of the table that the reference has not; estimated by the keys below its threshold.
    replaced
        Whether fewer than half of the reference's rows are still there. Then equal rows are no proof of being old ones,
        and the columns' ``new`` is about all rows.
    told
        How well a classifier tells new rows from known ones; ``None`` where there are too few of either.
    """

    rows: int
    reference_rows: int
    new_rows: int
    new_share: float
    replaced: bool
    columns: tuple[ColumnDrift, ...]
    told: TwoSample | None


class Exceeded(NamedTuple):
    """An effect at or above its limit, and above its floor."""

    effect: Effect | Literal["c2st"]
    column: str | None
    value: float
    limit: float


def measure_drift(
    reference: Reference,
    train: pl.DataFrame,
    schema: Schema,
    seed: int,
    ignored: Collection[str] = (),
    tell: Callable[[float], None] = lambda share: None,
) -> Drift:
    """Hold the rows that would be learned now against the reference's.

    Columns that it lacks, or that were something else then, are passed over. The table has the columns of its row keys.
    """
    known = {cell.name: cell for cell in reference.cells}
    columns = [column for column in schema.modelled if column.name in known and _alike(known[column.name], column)]
    looked, new = _new_rows(reference, train)
    share = float(new.sum() / looked.sum()) if looked.any() else 0.0
    common = min(round((1 - share) * train.height), reference.rows)
    replaced = 2 * common < reference.rows
    fresh = train if replaced else train.filter(pl.Series(new, dtype=pl.Boolean))
    level = ALPHA / max(len(columns), 1)
    found = []
    for place, column in enumerate(columns):
        cell = known[column.name]
        whole = _shift(cell, cell.count(train[column.name]), common, level)
        of_new = _shift(cell, cell.count(fresh[column.name]), 0, level) if fresh.height else None
        found.append(ColumnDrift(column.name, column.kind.value, column.name in ignored, whole, of_new))
        tell((place + 1) / (2 * len(columns)))
    told = None
    if not replaced and min(new.sum(), (looked & ~new).sum()) >= FEWEST:
        kept = schema.select(column.name for column in columns if column.name not in ignored)
        seen = train.filter(pl.Series(looked & ~new, dtype=pl.Boolean))
        told = two_sample_test(seen, fresh, kept, seed, LOOKED_AT)
    return Drift(train.height, reference.rows, round(share * train.height), share, replaced, tuple(found), told)


def _alike(cell: Cells, column: Column) -> bool:
    return column.ordered or not cell.ordered


def exceeded(drift: Drift, limits: DriftSection) -> tuple[Exceeded, ...]:
    """Return every effect on the rows to be learned that calls for a new generator, the largest of its kind first."""
    found = [each for column in drift.columns if not column.ignored for each in _above(column, column.whole, limits)]
    found.sort(key=lambda each: -each.value / each.limit)
    told = drift.told
    if limits.c2st is not None and told is not None and told.interval.low >= limits.c2st:
        found.append(Exceeded("c2st", None, told.auc, limits.c2st))
    return tuple(found)


def suspicious(drift: Drift, halt: float | None) -> tuple[Exceeded, ...]:
    """Return the effects on new rows that are too large to be learned unseen; none where ``halt`` is ``None``."""
    if halt is None:
        return ()
    limits = DriftSection(psi=None, tvd=halt, missing=halt, new_categories=halt, c2st=None)
    judged = ((column, column.new) for column in drift.columns if not column.ignored)
    found = [each for column, new in judged if new is not None for each in _above(column, new, limits)]
    return tuple(sorted(found, key=lambda each: -each.value))


def _above(column: ColumnDrift, shift: Shift, limits: DriftSection) -> Iterator[Exceeded]:
    names: tuple[Effect, ...] = ("psi", "tvd", "missing", "new_categories")
    for name in names:
        limit: float | None = getattr(limits, name)
        value, floor = shift.effect(name)
        if limit is not None and value >= limit and value > floor:
            yield Exceeded(name, column.name, value, limit)


def _new_rows(reference: Reference, train: pl.DataFrame) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which rows the reference can tell of, and which of them it has not."""
    keys = row_keys(train, reference.keyed)
    looked = keys <= np.uint64(reference.threshold)
    if not len(reference.keys):
        return looked, looked
    slot = np.minimum(np.searchsorted(reference.keys, keys), len(reference.keys) - 1)
    times = np.where(reference.keys[slot] == keys, reference.times[slot], 0)
    return looked, looked & (occurrences(keys) >= times)


def _shift(cell: Cells, now: Counts, common: int, level: float) -> Shift:
    """Compare the counts of one column; ``common`` rows are in both."""
    rows, before = int(now.sum()), int(cell.counts.sum())
    spread = _spread(before, rows, common)
    # Categories that one row showed are known to that row alone.
    then = cell.counts.astype(np.float64)
    if not cell.ordered:  # of a range they lie in the outer bins
        then[2] -= min(cell.once * (1 - common / max(rows, 1)), then[2])
    in_either = ((then + now) > 0) & (np.arange(len(then)) != 1)
    p, q = then[in_either], now[in_either].astype(np.float64)
    psi = tvd = floor = 0.0
    if p.sum() and q.sum():
        psi, tvd = _psi(p, q), float(np.abs(p / p.sum() - q / q.sum()).sum() / 2)
        if len(p) > 1:
            floor = _spread(p.sum(), q.sum(), common) * float(chdtri(len(p) - 1, level))
    z = normal_quantile(1 - level / 2)
    pooled = (int(now[0] + cell.counts[0]) + 0.5) / (rows + before + 1)
    return Shift(
        rows=rows,
        psi=psi,
        psi_floor=floor,
        tvd=tvd,
        tvd_floor=sqrt(floor) / 2,
        missing=float(now[0] / max(rows, 1) - cell.counts[0] / max(before, 1)),
        missing_floor=z * sqrt(pooled * (1 - pooled) * spread),
        new_categories=float(now[1] / max(rows, 1)),
        expected=cell.once / max(before, 1),
        new_floor=_outside_floor(cell.once, before, rows, level)
        if cell.ordered
        else z * sqrt(_unseen_variance(cell, before, rows)),
    )


def _spread(before: float, rows: float, common: int) -> float:
    """Return the variance of the difference of two shares, in units of p (1 - p)."""
    return max(1 / max(before, 1) + 1 / max(rows, 1) - 2 * common / max(before * rows, 1), 0.0)


def _psi(then: Floats, now: Floats) -> float:
    """Return the index, half a row added to each cell so that an empty one has a logarithm (Jeffreys' prior)."""
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (then, now))
    return float(((q - p) * np.log(q / p)).sum())


def _outside_floor(outer: int, before: int, rows: int, level: float) -> float:
    """Return what the share of ``rows`` rows outside a range may exceed its mean by, with chance ``level``.

    The law's mass outside is the sum of ``outer`` of n + 1 uniform spacings: n times it is about a gamma variable.
    """
    n = max(before, 1)
    mass = min(float(gammainccinv(max(outer, 1), level / 2)) / n, 1.0)
    excess = mass + normal_quantile(1 - level / 2) * sqrt(mass * (1 - mass) / max(rows, 1)) - outer / n
    return max(excess, 0.0)


def _unseen_variance(cell: Cells, before: int, rows: int) -> float:
    """Return the variance of the share of unseen categories among ``rows`` rows less its estimate from ``before``."""
    once, n = max(cell.once, 1), max(before, 1)
    share = min(once / n, 1.0)
    return max(once + 2 * cell.twice - once**2 / n, 1.0) / n**2 + share * (1 - share) / max(rows, 1)
