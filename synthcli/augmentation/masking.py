"""The masking test: known cells are hidden, filled, and held against what they were.

Cells are hidden in training rows, so that the holdout stays out of it: once at random, and once so that a cell is the
likelier hidden the higher its value (a category: by its level), which no method can know about from the rest. Each
method sees the same holes. Two questions are asked of what it filled in. How near is it to the truth, cell by cell: a
mean does well there. And are the filled cells distributed as the true ones, alone and with the other columns: there a
mean does badly, and whatever is computed from the table with it.

``right``
    share of hidden categories that are hit, mean over columns
``error``
    root of the mean squared error of hidden numbers in standard deviations of the column, mean over columns
``tvd``
    total variation distance between hidden cells' values and what was filled in, numbers in 20 bins of equally many
    true values, mean over columns; its reference is what a second sample of the true law would score: the sum of
    sqrt(p(1 - p)/(π n)) over levels
``pairs``
    the same for pairs of columns (10 bins), over rows in which one of the two was hidden, mean over pairs
``dependence``
    difference of Cramér's V between the completed and the true table over the same rows, absolute, mean over pairs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.augmentation.baselines import FILLERS, Filler
from synthcli.augmentation.impute import Impute
from synthcli.augmentation.recipe import Recipe
from synthcli.errors import BadTableError, EngineError
from synthcli.metrics.boosting import Features, Floats
from synthcli.metrics.estimate import LEVEL, Estimate, student_quantile
from synthcli.schema import Schema
from synthcli.seeds import generator, stage_seed
from synthcli.synthesizers.protocol import Progress

FAMILY = "masking"
OWN = "augmentation"
#: The part of the known cells that is hidden.
HIDDEN = 0.2
#: How much the log-odds of being hidden rise from the lowest to the highest value, or lie apart between levels.
_SLOPE = 4.0
#: Bins of a number alone and in pairs; levels of a category that are told apart in pairs.
_BINS, _PAIR_BINS, _LEVELS = 20, 10, 20

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

PATTERNS = {
    "random": "hidden at random",
    "not_random": "hidden the likelier the higher the value (no method can see that)",
}
#: Smallest and largest possible value of a figure; of the others 0 and 1.
_RANGES: dict[str, tuple[float, float | None]] = {"error": (0.0, None)}


class Effort(NamedTuple):
    """Repetitions, each with other rows and holes, and rows of each."""

    repetitions: int
    rows: int


EFFORTS = {"quick": Effort(3, 2_000), "full": Effort(3, 10_000)}


def measure_masking(
    table: pl.DataFrame,
    schema: Schema,
    wish: Impute,
    recipe: Recipe,
    seed: int,
    effort: Effort,
    progress: Progress,
    fillers: Mapping[str, Filler] = FILLERS,
) -> dict[str, Any]:
    """Return by pattern and method how well hidden cells are filled, as plain data for the report."""
    methods = (*fillers, OWN)
    columns = [name for name in wish.columns if table[name].drop_nulls().n_unique() > 1]
    encoding = Features.fit(table, schema.modelled)
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    references: dict[str, list[float]] = {pattern: [] for pattern in PATTERNS}
    steps = [(r, pattern, method) for r in range(effort.repetitions) for pattern in PATTERNS for method in methods]
    for number, (repetition, pattern, method) in enumerate(steps):
        progress(number / len(steps), f"{PATTERNS[pattern].split(' (')[0]}: {method}")
        own = stage_seed(seed, FAMILY, repetition)
        part = table[np.sort(generator(own, "rows").permutation(table.height)[: effort.rows])]
        truth = encoding.matrix(part)
        hidden = _hidden(truth, encoding, columns, pattern, generator(own, "hidden", pattern))
        filled = (
            _own(part, hidden, encoding, schema, wish, recipe, stage_seed(own, method, pattern))
            if method == OWN
            else fillers[method](np.where(hidden, np.nan, truth), encoding, stage_seed(own, method, pattern))
        )
        if filled is None:
            continue
        scores = _scores(truth, filled, hidden, encoding)
        found.setdefault((pattern, method), []).append(scores)
        if method == methods[0]:
            references[pattern].append(_reference(truth, hidden, encoding))
    return {
        "rows": min(effort.rows, table.height),
        "repetitions": effort.repetitions,
        "hidden": HIDDEN,
        "patterns": [
            {
                "pattern": pattern,
                "title": title,
                "methods": [
                    _method(method, found.get((pattern, method), []), references[pattern], effort, seed)
                    for method in methods
                ],
            }
            for pattern, title in PATTERNS.items()
        ],
        "legend": "right: categories hit; error: of numbers, in standard deviations; TVD: distance from the true "
        "cells' distribution; pairs: the same for two columns; dependence: difference in Cramér's V",
    }


def _hidden(
    truth: Floats, encoding: Features, columns: Sequence[str], pattern: str, random: np.random.Generator
) -> Flags:
    """Return which cells are hidden: known ones, of ``columns``."""
    hidden = np.zeros(truth.shape, np.bool_)
    for at, column in enumerate(encoding.columns):
        known = ~np.isnan(truth[:, at])
        chance = np.full(int(known.sum()), HIDDEN)
        if pattern == "not_random" and known.any():
            chance = _chances(truth[known, at], column.name in encoding.levels, random)
        drawn = random.random(len(chance)) < chance
        if column.name in columns:  # the others are drawn too, so that which are named does not matter
            hidden[known, at] = drawn
    return hidden


def _chances(values: Floats, categories: bool, random: np.random.Generator) -> Floats:
    """Return the chance of each value of being hidden: logistic in its rank, or by its level, ``HIDDEN`` on average."""
    levels, place = np.unique(values, return_inverse=True)
    if categories:
        odds = np.where(random.permutation(len(levels)) % 2 == 0, -0.25, 0.25)[place] * _SLOPE
    else:
        odds = _SLOPE * ((np.argsort(np.argsort(values, kind="stable")) + 0.5) / len(values) - 0.5)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(_logistic(odds + middle)) < HIDDEN else (low, middle)
    return _logistic(odds + low)


def _logistic(odds: Floats) -> Floats:
    chances: Floats = 1 / (1 + np.exp(-odds))
    return chances


def _own(
    part: pl.DataFrame, hidden: Flags, encoding: Features, schema: Schema, wish: Impute, recipe: Recipe, seed: int
) -> Floats | None:
    """Return the matrix with the hidden cells filled by the augmentation; ``None`` where it could not fill all."""
    holed = part.with_columns(
        pl.when(pl.Series(hidden[:, at])).then(None).otherwise(pl.col(column.name)).alias(column.name)
        for at, column in enumerate(encoding.columns)
    )
    try:
        made = wish.made(holed, schema, recipe, seed, lambda share, note: None)
    except (BadTableError, EngineError):
        return None
    matrix = encoding.matrix(made.table)
    return None if np.isnan(matrix[hidden]).any() else matrix


# --- Scores ------------------------------------------------------------------------------------------------------


def _scores(truth: Floats, filled: Floats, hidden: Flags, encoding: Features) -> dict[str, float]:
    """Return the five figures, over columns and pairs with hidden cells."""
    right, error, tvd = [], [], []
    for at, column in enumerate(encoding.columns):
        here = hidden[:, at]
        if not here.any():
            continue
        true, drawn = truth[here, at], filled[here, at]
        if column.name in encoding.levels:
            right.append(float(np.mean(true == drawn)))
        else:
            spread = float(np.nanstd(truth[:, at])) or 1.0
            error.append(float(np.sqrt(np.mean(((true - drawn) / spread) ** 2))))
        codes, size = _binned(np.concatenate([true, drawn]), true, column.name in encoding.levels, _BINS, None)
        tvd.append(_distance(codes[: len(true)], codes[len(true) :], size))
    pairs, dependence = _of_pairs(truth, filled, hidden, encoding)
    means = {"right": right, "error": error, "tvd": tvd, "pairs": pairs, "dependence": dependence}
    return {name: float(np.mean(values)) for name, values in means.items() if values}


def _of_pairs(truth: Floats, filled: Floats, hidden: Flags, encoding: Features) -> tuple[list[float], list[float]]:
    """Return for each pair of columns the distance of its two-way tables and the difference of Cramér's V."""
    rows = len(truth)
    coded = []
    for at, column in enumerate(encoding.columns):
        both = np.concatenate([truth[:, at], filled[:, at]])
        coded.append(_binned(both, truth[:, at], column.name in encoding.levels, _PAIR_BINS, _LEVELS))
    distances, differences = [], []
    for one, other in combinations(range(len(coded)), 2):
        seen = np.flatnonzero(hidden[:, one] | hidden[:, other])
        if not len(seen):
            continue
        (a, wide), (b, high) = coded[one], coded[other]
        joint = a * high + b
        true, drawn = joint[:rows][seen], joint[rows:][seen]
        distances.append(_distance(true, drawn, wide * high))
        tables = (np.bincount(cells, minlength=wide * high).reshape(wide, high) for cells in (true, drawn))
        first, second = (cramers_v(table) for table in tables)
        differences.append(abs(first - second))
    return distances, differences


def _binned(values: Floats, truth: Floats, categories: bool, bins: int, most: int | None) -> tuple[Codes, int]:
    """Return codes of ``values`` and how many there may be: levels, or bins of equally many true numbers; missing last.

    Of more than ``most`` levels the most frequent true ones keep a code of their own.
    """
    known = truth[~np.isnan(truth)]
    if not categories:
        edges = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else np.zeros(0)
        found = np.searchsorted(edges, values, side="left")
        return np.where(np.isnan(values), len(edges) + 1, found).astype(np.int64), len(edges) + 2
    levels, counts = np.unique(known, return_counts=True)
    kept = np.sort(levels[np.argsort(-counts, kind="stable")[:most]])
    place = np.minimum(np.searchsorted(kept, values), max(len(kept) - 1, 0))
    other = np.where(np.isnan(values), len(kept) + 1, len(kept))
    return (np.where(kept[place] == values, place, other) if len(kept) else other).astype(np.int64), len(kept) + 2


def _distance(one: Codes, other: Codes, size: int) -> float:
    counts = [np.bincount(cells, minlength=size) / max(len(cells), 1) for cells in (one, other)]
    return float(np.abs(counts[0] - counts[1]).sum() / 2)


def cramers_v(table: npt.NDArray[np.int64]) -> float:
    """Return Cramér's V of a two-way table of counts, in [0, 1]: chi-square's share of its greatest value.

    0 where a margin has one level only.
    """
    kept = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0].astype(np.float64)
    least = min(kept.shape) - 1
    if least < 1:
        return 0.0
    expected = kept.sum(axis=1, keepdims=True) * kept.sum(axis=0) / kept.sum()
    return float(np.sqrt(((kept - expected) ** 2 / expected).sum() / kept.sum() / least))


def _reference(truth: Floats, hidden: Flags, encoding: Features) -> float:
    """Return the TVD that a second sample of the true law would score, mean over columns."""
    found = []
    for at, column in enumerate(encoding.columns):
        true = truth[hidden[:, at], at]
        if len(true):
            codes, size = _binned(true, true, column.name in encoding.levels, _BINS, None)
            share = np.bincount(codes, minlength=size) / len(true)
            found.append(float(np.sqrt(share * (1 - share) / (np.pi * len(true))).sum()))
    return float(np.mean(found)) if found else 0.0


def _method(
    method: str, scores: Sequence[Mapping[str, float]], references: Sequence[float], effort: Effort, seed: int
) -> dict[str, Any]:
    """Return a method's figures as estimates, ``None`` for those that could not be measured."""
    keys = ("right", "error", "tvd", "pairs", "dependence")
    reference = float(np.mean(references)) if references else None
    found = {}
    for key in keys:
        values = [score[key] for score in scores if key in score]
        whole = len(values) == effort.repetitions
        found[key] = _plain(key, values, reference if key == "tvd" else None, seed) if whole else None
    return {"method": method, **found}


def _plain(key: str, values: Sequence[float], reference: float | None, seed: int) -> dict[str, Any]:
    mean = float(np.mean(values))
    half = student_quantile(0.5 + LEVEL / 2, len(values) - 1) * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    low, high = _RANGES.get(key, (0.0, 1.0))
    ends = (
        mean - half if low is None else max(mean - half, low),
        mean + half if high is None else min(mean + half, high),
    )
    estimate = Estimate(
        f"{FAMILY}.{key}", FAMILY, mean, float(ends[0]), float(ends[1]), len(values),
        "higher" if key == "right" else "lower", (low, high), reference=reference,
        reference_kind=None if reference is None else "a second sample of the true law", seed=seed,
    )  # fmt: skip
    return {name: value for name, value in estimate.to_dict().items() if name != "curves"}
