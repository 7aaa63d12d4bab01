"""Accuracy: are single columns, and pairs of columns, distributed as in the training part?

``1 - TVD`` on the counted grid, TVD(p, q) = 1/2 Σ|p - q|, averaged over columns or pairs. A finite sample of the very
same law does not score 1, so the reference is the holdout in the place of the synthetic rows, at equal size: both are
cut to ``m = min(n_synthetic, n_holdout)`` rows, and where one side has several times m rows the scores of its blocks
of m are averaged. Value and reference so carry the same upward bias of the TVD and can be compared.

The floor of ``accuracy.bivariate`` is what the holdout scores with every column shuffled by itself: the right columns
without any dependence. A high score for pairs is worth nothing unless it lies well above it. (Shuffled training rows
would not do: their columns agree with the training part's better than any fresh sample can.) A single column has no
such rival; its floor is 0.

Intervals: delete-a-group jackknife over 20 random groups of synthetic and training rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from synthcli.counts import CountTable
from synthcli.encoding import Codes, CountEncoding
from synthcli.metrics.estimate import Estimate, jackknife_interval, jackknife_se, not_measured
from synthcli.seeds import generator

FAMILY = "accuracy"
GROUPS = 20
MAX_BLOCKS = 20
SHUFFLED_ROWS = 20_000  # a small table's floor is averaged over many shuffles, so that it adds no noise
_GROUP = "#group"

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ColumnScore:
    """Accuracy of one column beside what the holdout scores."""

    name: str
    kind: str
    accuracy: float
    reference: float


@dataclass(frozen=True, slots=True)
class PairScore:
    """Accuracy of one pair of columns beside what the holdout scores."""

    a: str
    b: str
    accuracy: float
    reference: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The family's estimates, and the scores behind them, worst against the reference first."""

    estimates: tuple[Estimate, ...]
    columns: tuple[ColumnScore, ...]
    pairs: tuple[PairScore, ...]


@dataclass(frozen=True, slots=True, eq=False)
class GroupedCodes:
    """Codes of some rows, divided at random into ``blocks`` of equal size with ``groups`` each.

    ``codes`` has shape (columns, rows); ``group`` gives each row's number in [0, blocks · groups), block first.
    """

    codes: Codes
    group: npt.NDArray[np.intp]
    blocks: int
    groups: int


def total_variation(p: Scores, q: Scores) -> Scores:
    """Return 1/2 Σ|p - q| over the last axis, of distributions on the same cells: 0 for equal, 1 for disjoint ones."""
    distances: Scores = np.abs(p - q).sum(axis=-1) / 2
    return distances


def measure_accuracy(encoding: CountEncoding, train: Codes, holdout: Codes, synthetic: Codes, seed: int) -> Accuracy:
    """Measure ``accuracy.univariate`` and ``accuracy.bivariate`` of ``synthetic`` against ``train``.

    All three are codes of ``encoding``, of shape (columns, rows), with at least one row each.
    """
    size = min(synthetic.shape[1], holdout.shape[1])
    sides = {
        "train": divide(train, train.shape[1], generator(seed, FAMILY, "train"), min(GROUPS, size)),
        "synthetic": divide(synthetic, size, generator(seed, FAMILY, "synthetic"), min(GROUPS, size)),
        "holdout": divide(holdout, size, generator(seed, FAMILY, "holdout"), min(GROUPS, size)),
        "shuffled": divide(
            shuffled(holdout, max(holdout.shape[1], SHUFFLED_ROWS), generator(seed, FAMILY, "shuffle")),
            size,
            generator(seed, FAMILY, "shuffled"),
            min(GROUPS, size),
        ),
    }
    singles = _score_all(sides, encoding, [(i,) for i in range(len(encoding.names))])
    pairs = _score_all(sides, encoding, list(combinations(range(len(encoding.names)), 2)))
    univariate = _estimate("univariate", "column", singles, size)
    univariate = replace(univariate, floor=0.0, gap_se=univariate.reference_se)
    return Accuracy(
        (univariate, _estimate("bivariate", "pair", pairs, size)),
        _column_scores(encoding, singles),
        _pair_scores(encoding, pairs),
    )


def divide(codes: Codes, size: int, rng: np.random.Generator, groups: int) -> GroupedCodes:
    """Divide rows at random into as many whole blocks of ``size`` as there are (at most 20), the rest left out."""
    rows = codes.shape[1]
    blocks = max(1, min(MAX_BLOCKS, rows // size))
    kept = rng.permutation(rows)[: blocks * size]
    number = np.arange(len(kept))
    group = number // size * groups + number % size * groups // size
    return GroupedCodes(codes[:, kept], group, blocks, groups)


def shuffled(codes: Codes, rows: int, rng: np.random.Generator) -> Codes:
    """Return at least ``rows`` rows of codes with every column permuted by itself: its own law, and no dependence.

    A table with fewer rows is permuted anew as often as it takes.
    """
    times = -(-rows // codes.shape[1])
    return np.stack([np.concatenate([rng.permutation(column) for _ in range(times)]) for column in codes])


def _score_all(
    sides: dict[str, GroupedCodes], encoding: CountEncoding, subsets: list[tuple[int, ...]]
) -> dict[str, Scores]:
    """Return for each compared side an array (subsets, 1 + groups): the score, then with each group left out."""
    names, cardinalities = encoding.names, encoding.cardinalities
    scores: dict[str, list[Scores]] = {"synthetic": [], "holdout": [], "shuffled": []}
    for subset in subsets:
        target = _leave_one_out(_count(sides["train"], names, cardinalities, subset))
        for side, found in scores.items():
            rivals = _leave_one_out(_count(sides[side], names, cardinalities, subset))
            found.append(_block_scores(rivals, target))
    return {side: np.array(found) for side, found in scores.items()}


def _count(
    side: GroupedCodes, names: tuple[str, ...], cardinalities: tuple[int, ...], subset: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Return counts of shape (blocks, groups, cells) over the columns of ``subset``."""
    table = CountTable.from_codes(
        (_GROUP, *(names[i] for i in subset)),
        [side.group, *(side.codes[i] for i in subset)],
        (side.blocks * side.groups, *(cardinalities[i] for i in subset)),
    )
    return table.counts.reshape(side.blocks, side.groups, -1)


def _leave_one_out(counts: npt.NDArray[np.int64]) -> Scores:
    """Return frequencies of shape (blocks, 1 + groups, cells): of the whole block, then with each group left out."""
    whole = counts.sum(axis=1, keepdims=True)
    parts = np.concatenate([whole, whole - counts], axis=1) if counts.shape[1] > 1 else whole
    shares: Scores = parts / parts.sum(axis=2, keepdims=True)
    return shares


def _block_scores(rivals: Scores, target: Scores) -> Scores:
    """Return 1 - TVD averaged over the rivals' blocks, for the whole and with each group left out on both sides.

    With fewer groups than the training part has (tiny samples) only the synthetic side leaves groups out.
    """
    matched = target if rivals.shape[1] == target.shape[1] else target[:, :1]
    scores: Scores = 1 - total_variation(rivals, matched).mean(axis=0)
    return scores


def _estimate(name: str, unit: str, scores: dict[str, Scores], size: int) -> Estimate:
    full_name = f"{FAMILY}.{name}"
    if not len(scores["synthetic"]):
        return not_measured(full_name, FAMILY, f"the table has no {unit} to measure")
    value, *left_out = scores["synthetic"].mean(axis=0)
    reference, *reference_out = scores["holdout"].mean(axis=0)
    floor, *floor_out = scores["shuffled"].mean(axis=0)
    gap_out = [above - below for above, below in zip(reference_out, floor_out, strict=True)]
    low, high = jackknife_interval(float(value), np.array(left_out), (0.0, 1.0))
    return Estimate(
        full_name,
        FAMILY,
        float(value),
        low,
        high,
        n=size,
        direction="higher",
        range=(0.0, 1.0),
        reference=float(reference),
        reference_kind="holdout at equal size",
        reference_se=_se(reference_out),
        floor=float(floor),
        gap_se=_se(gap_out),
        detail=f"1 - TVD, mean over {_plural(len(scores['synthetic']), unit)}, {size:,} rows a side",
    )


def _se(left_out: list[float]) -> float | None:
    return jackknife_se(np.array(left_out)) if len(left_out) > 1 else None


def _plural(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def _column_scores(encoding: CountEncoding, scores: dict[str, Scores]) -> tuple[ColumnScore, ...]:
    found = [
        ColumnScore(column.name, column.kind.value, float(synthetic), float(reference))
        for column, synthetic, reference in zip(
            encoding.columns, scores["synthetic"][:, 0], scores["holdout"][:, 0], strict=True
        )
    ]
    return tuple(sorted(found, key=lambda score: score.accuracy - score.reference))


def _pair_scores(encoding: CountEncoding, scores: dict[str, Scores]) -> tuple[PairScore, ...]:
    if not len(scores["synthetic"]):
        return ()
    found = [
        PairScore(a, b, float(synthetic), float(reference))
        for (a, b), synthetic, reference in zip(
            combinations(encoding.names, 2), scores["synthetic"][:, 0], scores["holdout"][:, 0], strict=True
        )
    ]
    return tuple(sorted(found, key=lambda score: score.accuracy - score.reference))
