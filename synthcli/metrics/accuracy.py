"""Accuracy: are columns, pairs and triples of them distributed, and pairs associated, as in the training part?

``accuracy.univariate``, ``.bivariate`` and ``.trivariate`` are ``1 - TVD`` on the counted grid, TVD(p, q) =
1/2 Σ|p - q|, averaged over columns, pairs or triples. ``accuracy.dependence`` is 1 less the mean difference of the
pairs' bias-corrected Cramér's V; it also sees dependence that was invented. Of pairs and of triples 10,000 drawn ones
are looked at where there are more: of pairs from 142 columns on, of triples from 41.

A finite sample of the very same law does not score 1, so the reference is the holdout in the place of the synthetic
rows, at equal size: both are cut to ``m = min(n_synthetic, n_holdout)`` rows, and where one side has several times m
rows the scores of its blocks of m are averaged. Value and reference so carry the same bias and can be compared.

The floor, of all but the first, is what the holdout scores with every column shuffled by itself: the right columns
without any dependence. A high score is worth nothing unless it lies well above it. (Shuffled training rows would not
do: their columns agree with the training part's better than any fresh sample can.) A single column has no such rival;
its floor is 0.

Intervals: delete-a-group jackknife over 20 random groups of synthetic and training rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, groupby, pairwise
from math import comb, prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from synthcli.counts import Counts, combined_codes
from synthcli.encoding import Codes, CountEncoding
from synthcli.metrics.estimate import LEVEL, Estimate, not_measured, student_quantile
from synthcli.seeds import generator, random_places

FAMILY = "accuracy"
UNITS = {"univariate": "column", "bivariate": "pair", "trivariate": "triple", "dependence": "pair"}
_ORDERS = {"column": 1, "pair": 2, "triple": 3}
GROUPS = 20
MAX_BLOCKS = 20
MAX_PAIRS = 10_000  # each costs time, and two kilobytes of the report
MAX_TRIPLES = 10_000
SHUFFLED_ROWS = 20_000  # a small table's floor is averaged over many shuffles, so that it adds no noise
SLICE = 2_000  # rows of a group from which it is counted by itself
KEPT_BYTES = 2**28  # of training counts kept between measurements; what does not fit is counted anew each time

Scores = npt.NDArray[np.float64]
#: Counts and their products: whole numbers, in the type that is fastest and holds them.
Whole = npt.NDArray[Any]
Cells = npt.NDArray[np.integer[Any]]
Subsets = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class GroupedCodes:
    """Codes of some rows, divided at random into ``blocks`` of equal size with ``groups`` each.

    ``codes`` has shape (columns, rows); ``group`` gives each row's number in [0, blocks · groups), block first, in
    ascending order. Row r of one block is in the same group as row r of any other.
    """

    codes: Codes
    group: npt.NDArray[np.uint16]
    blocks: int
    groups: int

    @property
    def sizes(self) -> Scores:
        """Rows of one block: all, then without each group; shape (1 + groups,), or (1,) where there is one group."""
        first = np.diff(self._starts(self.groups))
        return _leave_one_out(first.reshape(1, self.groups, 1))[0, :, 0]

    def count(self, cells: npt.NDArray[Any], number: int) -> Counts:
        """Count rows by block, group and cell, given each row's cell in [0, number): (blocks, groups, number)."""
        parts = self.blocks * self.groups
        if len(cells) < parts * SLICE:
            group = self.group.astype(np.min_scalar_type(parts * number))
            counts = np.bincount(combined_codes(group, cells, number), minlength=parts * number)
        else:  # each group by itself, which stays in the processor's cache
            starts = self._starts(parts)
            counts = np.stack([np.bincount(cells[a:b], minlength=number) for a, b in pairwise(starts)])
        return counts.reshape(self.blocks, self.groups, number)

    def count_blocks(self, cells: npt.NDArray[Any], number: int) -> Iterator[Counts]:
        """Yield what :meth:`count` returns, one block after the other, each of which stays in the processor's cache."""
        size = len(cells) // self.blocks
        first = GroupedCodes(self.codes[:, :size], self.group[:size], 1, self.groups)
        for block in range(self.blocks):
            yield first.count(cells[block * size : (block + 1) * size], number)[0]

    def _starts(self, parts: int) -> npt.NDArray[np.intp]:
        """Return at which row each of the first groups begins, and where the last one ends."""
        return np.searchsorted(self.group, np.arange(parts + 1, dtype=np.uint16))  # in its own type: no copy


class Target(NamedTuple):
    """The training part's counts over one subset, of shape (1, 1 + groups, cells): whole, then groups left out.

    For triples ``numbers`` maps a cell of the grid to its place in ``counts``: all cells that the training part does
    not show share the last one. There the smaller of both shares is 0, so 1 - TVD = Σ min(p, q) does not change, and
    most of the grid need not be counted. Pairs keep the whole grid, which Cramér's V needs.
    """

    counts: Whole
    numbers: npt.NDArray[np.uint32] | None

    @classmethod
    def of(cls, train: GroupedCodes, cells: Cells, grid: tuple[int, ...]) -> Target:
        """Count the training part, given each row's cell of the grid."""
        if len(grid) < 3:
            return cls(_leave_one_out(train.count(cells, prod(grid))), None)
        shown = np.bincount(cells, minlength=prod(grid)) > 0
        numbers = np.where(shown, np.cumsum(shown) - 1, int(shown.sum())).astype(np.uint32)
        (counts,) = _renumbered(train, cells, numbers)
        return cls(_leave_one_out(counts[None], np.int32), numbers)

    def counts_of(self, side: GroupedCodes, cells: Cells, holds: npt.DTypeLike) -> Iterator[Whole]:
        """Yield counts of another side on the same cells, of shape (blocks, 1 + groups, cells), some blocks at a time.

        Those of pairs come all at once, as floats; those of triples, which are many, block by block in a type that
        ``holds`` their products.
        """
        if self.numbers is None:
            yield _leave_one_out(side.count(cells, self.counts.shape[2]))
        else:
            for counts in _renumbered(side, cells, self.numbers):
                yield _leave_one_out(counts[None], holds)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.counts.nbytes + (0 if self.numbers is None else self.numbers.nbytes)


def _renumbered(side: GroupedCodes, cells: Cells, numbers: npt.NDArray[np.uint32]) -> Iterator[Counts]:
    """Yield each block's counts by ``numbers`` of the cells, the last of which stands for all that are not told apart.

    Many rows are counted cell by cell, and the counts are put together; of few rows the cells are.
    """
    last, parts = int(numbers.max()), side.blocks * side.groups
    if len(cells) < 4 * parts * len(numbers):
        yield from side.count_blocks(numbers[cells], last + 1)
        return
    apart = numbers < last
    for whole in side.count_blocks(cells, len(numbers)):
        yield np.concatenate([whole[..., apart], whole[..., ~apart].sum(axis=-1, keepdims=True)], axis=-1)


class Panel(NamedTuple):
    """The training part's counts over subsets of columns, beside which other rows are scored.

    ``kept`` holds those of the first subsets, as many as fit into ``KEPT_BYTES``; ``axes`` are the numbers of codes.
    """

    train: GroupedCodes
    axes: tuple[int, ...]
    subsets: Subsets
    kept: tuple[Target, ...]

    @classmethod
    def of(cls, train: GroupedCodes, axes: tuple[int, ...], subsets: Subsets) -> Panel:
        """Count the training part."""
        empty = cls(train, axes, subsets, ())
        kept, spent = [], 0
        for target in empty.targets():
            spent += target.nbytes
            if spent > KEPT_BYTES:
                break
            kept.append(target)
        return empty._replace(kept=tuple(kept))

    def targets(self) -> Iterator[Target]:
        """Yield the counts of each subset in turn."""
        yield from self.kept
        rest = self.subsets[len(self.kept) :]
        for subset, cells in zip(rest, subset_cells(self.train.codes, self.axes, rest), strict=True):
            yield Target.of(self.train, cells, self.grid(subset))

    def grid(self, subset: tuple[int, ...]) -> tuple[int, ...]:
        """Return the numbers of codes of a subset's columns."""
        return tuple(self.axes[i] for i in subset)


class Scored(NamedTuple):
    """One side's scores beside the training part, each of shape (subsets, 1 + groups): whole, then groups left out.

    ``dependence`` and ``associations`` (shape (subsets, 2): Cramér's V of the training part and of the side) are
    empty but for pairs.
    """

    overlap: Scores
    dependence: Scores
    associations: Scores


class Measured(NamedTuple):
    """A panel with the scores of the holdout and of the shuffled holdout, which no synthetic table changes."""

    panel: Panel
    holdout: Scored
    shuffled: Scored


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyBaseline:
    """All that training part and holdout say alone, for synthetic tables of at least ``size`` rows; reusable.

    ``panels`` holds the columns, the pairs and, unless they were left out, the triples, in this order.
    """

    encoding: CountEncoding
    panels: tuple[Measured, ...]
    size: int
    groups: int
    seed: int

    def measure(self, synthetic: Codes) -> tuple[Estimate, ...]:
        """Measure ``synthetic``, codes of the same encoding of shape (columns, rows), with at least ``size`` rows.

        Returns the table's estimates, then those of single columns and of pairs, the worst against the reference
        first. ``size`` rows are one block: several of them are averaged.
        """
        if synthetic.shape[1] < self.size:
            raise ValueError(f"the baseline is for {self.size:,} rows or more")
        return self.measure_drawn(synthetic.take(self.draw(synthetic.shape[1]), axis=1))

    def draw(self, rows: int) -> npt.NDArray[np.int64]:
        """Return which of a synthetic table's rows are looked at, in the order in which they are: whole blocks."""
        return draw_blocks(rows, self.size, generator(self.seed, FAMILY, "synthetic"))

    def measure_drawn(self, synthetic: Codes) -> tuple[Estimate, ...]:
        """Do what :meth:`measure` does, given the codes of the rows of :meth:`draw` alone."""
        side = grouped(synthetic, self.size, self.groups)
        found = [(score(measured.panel, [side])[0], measured) for measured in self.panels]
        singles, pairs, *triples = [(one.overlap, m.holdout.overlap, m.shuffled.overlap) for one, m in found]
        links = (found[1][0].dependence, found[1][1].holdout.dependence, found[1][1].shuffled.dependence)
        return (
            self._of_table("univariate", *singles),
            self._of_table("bivariate", *pairs),
            *(self._of_table("trivariate", *scores) for scores in triples),
            self._of_table("dependence", *links),
            *self._of_members("univariate", *singles),
            *self._of_members("bivariate", *pairs),
            *self._of_members("dependence", *links, associations=found[1][0].associations),
        )

    def _of_table(self, name: str, synthetic: Scores, holdout: Scores, shuffled: Scores) -> Estimate:
        """Return the mean over all subsets."""
        count = len(synthetic)
        if not count:
            return not_measured(f"{FAMILY}.{name}", FAMILY, f"the table has no {UNITS[name]} of columns to measure")
        means = [scores.mean(axis=0, keepdims=True) for scores in (synthetic, holdout, shuffled)]
        total = comb(len(self.encoding.names), _ORDERS[UNITS[name]])
        drawn = f" drawn from {total:,}" if total > count else ""
        detail = f"{_formula(name)}, mean over {_plural(count, UNITS[name])}{drawn}, {_plural(self.size, 'row')} a side"
        return self._estimates(name, [()], means[0], means[1], means[2], [detail])[0]

    def _of_members(
        self, name: str, synthetic: Scores, holdout: Scores, shuffled: Scores, associations: Scores | None = None
    ) -> list[Estimate]:
        """Return an estimate for each column or pair, the worst against the reference first."""
        if not len(synthetic):
            return []
        names, subsets = self.encoding.names, self.panels[_ORDERS[UNITS[name]] - 1].panel.subsets
        columns = [tuple(names[i] for i in subset) for subset in subsets]
        details = [f"{_formula(name)}, {_plural(self.size, 'row')} a side"] * len(columns)
        if associations is not None:
            details = [f"Cramér's V {theirs:.3f}, {own:.3f} in the training part" for own, theirs in associations]
        found = self._estimates(name, columns, synthetic, holdout, shuffled, details)
        return [found[i] for i in np.argsort(synthetic[:, 0] - holdout[:, 0], kind="stable")]

    def _estimates(
        self,
        name: str,
        columns: Sequence[tuple[str, ...]],
        synthetic: Scores,
        holdout: Scores,
        shuffled: Scores,
        details: Sequence[str],
    ) -> list[Estimate]:
        """Return one estimate a row of the scores; the floor is 0 for single columns."""
        floors = np.zeros_like(shuffled) if name == "univariate" else shuffled
        values, half = synthetic[:, 0], interval_half_widths(synthetic[:, 1:])
        low, high = np.maximum(values - half, 0.0), np.minimum(values + half, 1.0)
        errors, gap_errors = jackknife_ses(holdout[:, 1:]), jackknife_ses((holdout - floors)[:, 1:])
        return [
            Estimate(
                f"{FAMILY}.{name}",
                FAMILY,
                float(values[i]),
                float(low[i]),
                float(high[i]),
                n=self.size,
                direction="higher",
                range=(0.0, 1.0),
                reference=float(holdout[i, 0]),
                reference_kind="holdout at equal size",
                reference_se=None if errors is None else float(errors[i]),
                floor=float(floors[i, 0]),
                gap_se=None if gap_errors is None else float(gap_errors[i]),
                detail=details[i],
                columns=columns[i],
                seed=self.seed,
            )
            for i in range(len(values))
        ]


def measure_accuracy(
    encoding: CountEncoding, train: Codes, holdout: Codes, synthetic: Codes, seed: int, *, trivariate: bool = True
) -> tuple[Estimate, ...]:
    """Measure ``accuracy.univariate``, ``.bivariate``, ``.trivariate`` and ``.dependence`` of ``synthetic``.

    All three are codes of ``encoding``, of shape (columns, rows). Returns what :meth:`AccuracyBaseline.measure`
    returns; to measure many tables of one size, prepare the baseline once.
    """
    size = min(synthetic.shape[1], holdout.shape[1])
    if not size or not train.shape[1]:
        names = [f"{FAMILY}.{name}" for name in UNITS if trivariate or name != "trivariate"]
        return tuple(not_measured(name, FAMILY, "one of the three tables has no rows") for name in names)
    return prepare_accuracy(encoding, train, holdout, size, seed, trivariate=trivariate).measure(synthetic)


def prepare_accuracy(
    encoding: CountEncoding, train: Codes, holdout: Codes, size: int, seed: int, *, trivariate: bool = True
) -> AccuracyBaseline:
    """Count training part and holdout and score the holdout, for synthetic tables cut to ``size`` rows.

    ``size`` lies in [1, holdout rows]; the training part has at least one row.
    """
    if not 1 <= size <= holdout.shape[1] or not train.shape[1]:
        raise ValueError("a baseline needs training rows, and a size from 1 to the holdout's rows")
    groups = min(GROUPS, size, train.shape[1])
    own = divide(train, train.shape[1], generator(seed, FAMILY, "train"), groups)
    mixed = shuffled(holdout, max(holdout.shape[1], SHUFFLED_ROWS), generator(seed, FAMILY, "shuffle"))
    rivals = (
        divide(holdout, size, generator(seed, FAMILY, "holdout"), groups),
        divide(mixed, size, generator(seed, FAMILY, "shuffled"), groups),
    )
    columns = range(len(encoding.names))
    families = [
        tuple(combinations(columns, 1)),
        choose_pairs(len(columns), MAX_PAIRS, generator(0, FAMILY, "pairs")),  # each has estimates to be compared
    ]
    if trivariate:
        families.append(choose_triples(len(columns), MAX_TRIPLES, generator(seed, FAMILY, "triples")))
    panels = (Panel.of(own, encoding.cardinalities, subsets) for subsets in families)
    measured = tuple(Measured(panel, *score(panel, rivals)) for panel in panels)
    return AccuracyBaseline(encoding, measured, size, groups, seed)


def total_variation(p: Scores, q: Scores) -> Scores:
    """Return 1/2 Σ|p - q| over the last axis, of distributions on the same cells: 0 for equal, 1 for disjoint ones."""
    distances: Scores = np.abs(p - q).sum(axis=-1) / 2
    return distances


def cramers_v(counts: npt.NDArray[np.float64] | Counts) -> Scores:
    """Return the bias-corrected Cramér's V of contingency tables in the last two axes (Bergsma 2013).

    With φ² = χ²/n, r rows and c columns that hold any count: sqrt(max(0, φ² - (r-1)(c-1)/(n-1)) / (min(r̃, c̃) - 1)),
    r̃ = r - (r-1)²/(n-1), c̃ alike (doi:10.1016/j.jkss.2012.10.002). 0 where columns show no association, 1 where one
    determines the other; 0 also where it is undefined: a constant column, a value of its own in every row, no rows.
    """
    cells = np.asarray(counts, dtype=np.float64)
    across, down = cells.sum(axis=-1), cells.sum(axis=-2)
    r, c, n = (across > 0).sum(axis=-1), (down > 0).sum(axis=-1), across.sum(axis=-1)
    # Σ n_ij²/(n_i n_j) = 1 + φ²; an empty row or column has only empty cells, whatever they are divided by.
    ratios = ((cells * cells) @ (1 / np.maximum(down, 1.0))[..., None])[..., 0] / np.maximum(across, 1.0)
    spare = np.maximum(n - 1, 1.0)
    excess = np.maximum(ratios.sum(axis=-1) - 1 - (r - 1) * (c - 1) / spare, 0.0)
    widest = np.minimum(r - 1 - (r - 1) ** 2 / spare, c - 1 - (c - 1) ** 2 / spare)
    defined = widest > 0  # neither of a constant column nor of one whose values all differ
    shares = np.where(defined, excess / np.where(defined, widest, 1.0), 0.0)
    association: Scores = np.sqrt(np.minimum(shares, 1.0))
    return association


def divide(codes: Codes, size: int, rng: np.random.Generator, groups: int) -> GroupedCodes:
    """Divide rows at random into as many whole blocks of ``size`` as there are (at most 20), the rest left out."""
    return grouped(codes.take(draw_blocks(codes.shape[1], size, rng), axis=1), size, groups)


def draw_blocks(rows: int, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the rows of as many whole blocks of ``size`` as there are (at most 20), in random order."""
    blocks = max(1, min(MAX_BLOCKS, rows // size))
    return random_places(rows, blocks * size, rng)


def grouped(codes: Codes, size: int, groups: int) -> GroupedCodes:
    """Return rows in random order as blocks of ``size``, each in as many groups."""
    blocks = codes.shape[1] // size
    within = np.arange(size) * groups // size
    group = np.concatenate([(block * groups + within).astype(np.uint16) for block in range(blocks)])
    return GroupedCodes(codes, group, blocks, groups)


def shuffled(codes: Codes, rows: int, rng: np.random.Generator) -> Codes:
    """Return at least ``rows`` rows of codes with every column permuted by itself: its own law, and no dependence.

    A table with fewer rows is permuted anew as often as it takes.
    """
    times = -(-rows // codes.shape[1])
    columns = [np.concatenate([rng.permutation(column) for _ in range(times)]) for column in codes]
    return np.stack(columns) if columns else np.empty((0, times * codes.shape[1]), dtype=np.uint8)


def choose_pairs(columns: int, limit: int, rng: np.random.Generator) -> Subsets:
    """Return all pairs of ``columns`` columns, or ``limit`` different ones drawn at random, in order."""
    total = comb(columns, 2)
    if total <= limit:
        return tuple(combinations(range(columns), 2))
    # The n-th pair a < b in the order of b, then a: n = C(b, 2) + a.
    rank, seconds = rng.choice(total, limit, replace=False), np.array([comb(i, 2) for i in range(columns)])
    b = np.searchsorted(seconds, rank, side="right") - 1
    return tuple(sorted(zip((rank - seconds[b]).tolist(), b.tolist(), strict=True)))


def choose_triples(columns: int, limit: int, rng: np.random.Generator) -> Subsets:
    """Return all triples of ``columns`` columns, or ``limit`` different ones drawn at random, in order."""
    total = comb(columns, 3)
    if total <= limit:
        return tuple(combinations(range(columns), 3))
    # The n-th triple a < b < c in the order of c, then b, then a: n = C(c, 3) + C(b, 2) + a.
    rank = rng.choice(total, limit, replace=False)
    thirds, seconds = (np.array([comb(i, order) for i in range(columns)]) for order in (3, 2))
    c = np.searchsorted(thirds, rank, side="right") - 1
    b = np.searchsorted(seconds, rank - thirds[c], side="right") - 1
    a = rank - thirds[c] - seconds[b]
    return tuple(sorted(zip(a.tolist(), b.tolist(), c.tolist(), strict=True)))


def subset_cells(codes: Codes, axes: Sequence[int], subsets: Sequence[tuple[int, ...]]) -> Iterator[Cells]:
    """Yield for each subset of columns the number of every row's cell, in the order of the columns' codes.

    Neighbours that differ in their last column alone share the work for the others.
    """
    largest = max((prod(axes[i] for i in subset) for subset in subsets), default=1)
    for prefix, members in groupby(subsets, key=lambda subset: subset[:-1]):
        start = np.zeros(codes.shape[1], dtype=np.min_scalar_type(largest))
        for i in prefix:
            start = combined_codes(start, codes[i], axes[i])
        for *_, last in members:
            yield combined_codes(start, codes[last], axes[last])


def score(panel: Panel, sides: Sequence[GroupedCodes]) -> list[Scored]:
    """Score each side, with as many groups and the same columns, beside the panel's training part."""
    paired = bool(panel.subsets) and len(panel.subsets[0]) == 2
    overlaps: list[list[Scores]] = [[] for _ in sides]
    links: list[list[tuple[Scores, Scores]]] = [[] for _ in sides]
    train_sizes, sizes = panel.train.sizes, [side.sizes for side in sides]
    types = [_holding(own[0] * train_sizes[0]) for own in sizes]
    cells_of = zip(*(subset_cells(side.codes, panel.axes, panel.subsets) for side in sides), strict=True)
    for subset, target, cells in zip(panel.subsets, panel.targets(), cells_of, strict=True):
        own = _associations(target.counts, panel.grid(subset)) if paired else None
        for k, side in enumerate(sides):
            scaled = _scaled(target.counts[0], sizes[k], np.float64 if target.numbers is None else types[k])
            shared = np.zeros(len(sizes[k]))
            for rivals in target.counts_of(side, cells[k], types[k]):
                if own is not None:
                    links[k].append(_agreement(_associations(rivals, panel.grid(subset)), own))
                shared += _shared(rivals, scaled, train_sizes)
            overlaps[k].append(shared / (side.blocks * sizes[k] * train_sizes))
    return [_scored(overlap, link) for overlap, link in zip(overlaps, links, strict=True)]


def jackknife_ses(left_out: Scores) -> Scores | None:
    """Return :func:`~synthcli.metrics.estimate.jackknife_se` of every row; ``None`` with fewer than 2 groups."""
    groups = left_out.shape[1]
    if groups < 2:
        return None
    spread = left_out - left_out.mean(axis=1, keepdims=True)
    errors: Scores = np.sqrt((groups - 1) / groups * (spread * spread).sum(axis=1))
    return errors


def interval_half_widths(left_out: Scores) -> Scores:
    """Return half of every row's jackknife interval; with fewer than 2 groups one that covers [0, 1] from anywhere."""
    errors = jackknife_ses(left_out)
    return np.ones(len(left_out)) if errors is None else _quantile(left_out.shape[1] - 1) * errors


@cache
def _quantile(freedom: int) -> float:
    return student_quantile(0.5 + LEVEL / 2, freedom)


def _leave_one_out(counts: Counts, dtype: npt.DTypeLike = np.float64) -> Whole:
    """Return counts of shape (blocks, 1 + groups, cells): of the whole block, then with each group left out."""
    blocks, groups, cells = counts.shape
    if groups == 1:
        return counts.astype(dtype)
    parts = np.empty((blocks, 1 + groups, cells), dtype=dtype)
    parts[:, 0], parts[:, 1:] = counts.sum(axis=1), counts
    np.subtract(parts[:, :1], parts[:, 1:], out=parts[:, 1:])
    return parts


def _holding(most: float) -> npt.DTypeLike:
    """Return the fastest type that holds whole numbers, and sums of them, up to ``most``: float64 does up to 9e15."""
    return np.int32 if most < 2**31 else np.float64


def _scaled(target: Whole, sizes: Scores, holds: npt.DTypeLike) -> Whole:
    """Return the training part's counts times the rows of the other side."""
    scaled: Whole = target.astype(holds, copy=False) * sizes.astype(holds)[:, None]
    return scaled


def _shared(rivals: Whole, target: Whole, train_sizes: Scores) -> Scores:
    """Return what rivals share with the training part, for the whole and with each group left out, over all blocks.

    Σ min(p, q) = 1 - TVD of each, times the product of both sizes: whole numbers, which are added without rounding.
    ``target`` is scaled already; ``rivals`` are used up.
    """
    rivals *= train_sizes.astype(rivals.dtype)[:, None]
    np.minimum(rivals, target, out=rivals)
    shared: Scores = rivals.sum(axis=-1, dtype=rivals.dtype).sum(axis=0, dtype=np.float64)
    return shared


def _associations(parts: Scores, grid: tuple[int, ...]) -> Scores:
    """Return Cramér's V of counts of shape (blocks, 1 + groups, cells)."""
    return cramers_v(parts.reshape(*parts.shape[:2], *grid))


def _agreement(theirs: Scores, own: Scores) -> tuple[Scores, Scores]:
    """Return 1 - |difference of V| averaged over blocks, of shape (1 + groups,), and V of both sides."""
    return 1 - np.abs(theirs - own).mean(axis=0), np.array([own[0, 0], theirs[:, 0].mean()])


def _scored(overlaps: list[Scores], links: list[tuple[Scores, Scores]]) -> Scored:
    dependence, associations = zip(*links, strict=True) if links else ((), ())
    return Scored(np.array(overlaps), np.array(dependence), np.array(associations))


def _formula(name: str) -> str:
    return "1 - difference of Cramér's V" if name == "dependence" else "1 - TVD"


def _plural(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
