"""Simpler ways to fill holes, as many people do it: means and modes, nearest neighbours, scikit-learn's rounds.

They work on the measuring model's matrix (``metrics.boosting.Features``): numbers, and codes of categories by falling
frequency. Neighbours and rounds see numbers in units of their spread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from synthcli.metrics.boosting import Features, Floats

#: Levels of a category that have an indicator column, and rows that neighbours are looked for among, at most.
INDICATORS, DONORS = 20, 5_000
#: Neighbours that a number is the mean of, and rounds of regressions.
_NEIGHBOURS, _ROUNDS = 5, 10

#: (matrix with NaN for holes, its encoding, seed) -> the matrix without holes
Filler = Callable[[Floats, Features, int], Floats]


def mean_mode(matrix: Floats, encoding: Features, seed: int) -> Floats:
    """Fill numbers with the column's mean and categories with its most frequent level."""
    filled = matrix.copy()
    for at, column in enumerate(encoding.columns):
        holes = np.isnan(matrix[:, at])
        known = matrix[~holes, at]
        if len(known):
            filled[holes, at] = _mode(known) if column.name in encoding.levels else known.mean()
    return filled


def any_cell(matrix: Floats, encoding: Features, seed: int) -> Floats:
    """Fill each hole with a known cell of its column, drawn at random: the right marginal and no dependence."""
    random = np.random.default_rng(seed)
    filled = matrix.copy()
    for at in range(matrix.shape[1]):
        holes = np.isnan(matrix[:, at])
        known = matrix[~holes, at]
        if len(known):
            filled[holes, at] = random.choice(known, int(holes.sum()))
    return filled


def neighbours(matrix: Floats, encoding: Features, seed: int) -> Floats:
    """Fill holes with the mean, or the most frequent level, among the nearest rows (``sklearn``'s ``KNNImputer``)."""
    from sklearn.impute import KNNImputer

    def imputed(wide: Floats) -> Floats:
        donors = np.random.default_rng(seed).permutation(len(wide))[:DONORS]
        found: Floats = KNNImputer(n_neighbors=_NEIGHBOURS, keep_empty_features=True).fit(wide[donors]).transform(wide)
        return found

    return through_indicators(matrix, encoding, imputed)


def rounds(matrix: Floats, encoding: Features, seed: int) -> Floats:
    """Fill holes by rounds of regressions of each column on the others (``sklearn``'s ``IterativeImputer``).

    Categories are the ranks of their levels by frequency, rounded back. Indicator columns of one missing category would
    predict each other, and stay where they began.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    usable = ~np.isnan(matrix).all(axis=0)
    known = matrix[:, usable]
    mean, spread = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    spread[spread == 0] = 1.0
    model = IterativeImputer(max_iter=_ROUNDS, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        wide = model.fit_transform((known - mean) / spread) * spread + mean
    filled = matrix.copy()
    filled[:, usable] = np.clip(wide, np.nanmin(known, axis=0), np.nanmax(known, axis=0))
    for at, column in enumerate(encoding.columns):
        if column.name in encoding.levels:
            filled[:, at] = np.round(filled[:, at])
    return np.where(np.isnan(matrix), filled, matrix)


#: The ways by the name that a report gives them.
FILLERS: dict[str, Filler] = {
    "mean or mode": mean_mode,
    "5 nearest neighbours": neighbours,
    "IterativeImputer": rounds,
    "any known cell": any_cell,
}


def through_indicators(matrix: Floats, encoding: Features, impute: Callable[[Floats], Floats]) -> Floats:
    """Return the matrix filled by ``impute``, which sees numbers in units of their spread and indicator columns."""
    filled = mean_mode(matrix, encoding, 0)
    usable = [at for at in range(matrix.shape[1]) if not np.isnan(matrix[:, at]).all()]
    blocks: list[Floats] = []
    ways: list[Any] = []
    for at in usable:
        column = matrix[:, at]
        holes = np.isnan(column)
        if encoding.columns[at].name in encoding.levels:
            levels, counts = np.unique(column[~holes], return_counts=True)
            kept = levels[np.argsort(-counts, kind="stable")[:INDICATORS]]
            block = (column[:, None] == kept).astype(np.float64)
            block[holes] = np.nan
            ways.append(kept)
        else:
            mean, spread = float(column[~holes].mean()), float(column[~holes].std()) or 1.0
            block = ((column - mean) / spread)[:, None]
            ways.append((mean, spread))
        blocks.append(block)
    wide = impute(np.hstack(blocks))
    start = 0
    for at, way, block in zip(usable, ways, blocks, strict=True):
        part = wide[:, start : start + block.shape[1]]
        start += block.shape[1]
        holes = np.isnan(matrix[:, at])
        values = way[np.argmax(part, axis=1)] if isinstance(way, np.ndarray) else part[:, 0] * way[1] + way[0]
        filled[holes, at] = values[holes]
    return filled


def _mode(values: npt.NDArray[np.float64]) -> float:
    levels, counts = np.unique(values, return_counts=True)
    return float(levels[np.argmax(counts)])
