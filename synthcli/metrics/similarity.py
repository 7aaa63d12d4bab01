"""Similarity: can a classifier tell two tables apart?

The classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv 1610.06545) with boosted trees: each row is scored by a
model that did not see it (5 folds), and the score is the ROC AUC of telling the tables apart. .5 is what two samples of
one law get; 1 means that every row gives its table away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.metrics.boosting import Features, Floats, auc, one_thread, settings
from synthcli.metrics.estimate import Interval, normal_interval
from synthcli.schema import Schema
from synthcli.seeds import generator

FAMILY = "similarity"
FOLDS = 5


class TwoSample(NamedTuple):
    """The AUC of telling two tables apart, its standard error, and how many rows of each were looked at."""

    auc: float
    se: float
    rows: int

    @property
    def interval(self) -> Interval:
        """The 95 % interval."""
        return normal_interval(self.auc, self.se, (0.0, 1.0))


def two_sample_test(
    one: pl.DataFrame, other: pl.DataFrame, schema: Schema, seed: int, max_rows: int
) -> TwoSample | None:
    """Tell the rows of ``one`` from those of ``other`` by their modelled columns.

    Equally many rows of both, at most ``max_rows``, drawn at random. ``None`` where there are fewer than two a fold or
    nothing to look at.
    """
    rng = generator(seed, FAMILY, "draw")
    rows = min(one.height, other.height, max_rows)
    if rows < 2 * FOLDS or not schema.modelled:
        return None
    pooled = pl.concat([_draw(part.select(c.name for c in schema.modelled), rows, rng) for part in (one, other)])
    features = Features.fit(pooled, schema.modelled)
    is_other = np.repeat([False, True], rows)
    scores = _out_of_fold(features.matrix(pooled), is_other, features, seed, rng)
    value = auc(is_other, scores)(np.ones(2 * rows))
    return TwoSample(value, auc_se(is_other, scores), rows)


def auc_se(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    """Return the standard error of a ROC AUC (DeLong, DeLong & Clarke-Pearson 1988, doi:10.2307/2531595).

    Each positive row's placement is the share of negative rows below it, ties half, and the other way round; the
    variance is the sum of both placements' variances over their numbers of rows (at least two each).
    """
    ups, downs = np.sort(score[positive]), np.sort(score[~positive])
    of_ups = _placements(ups, downs)
    of_downs = _placements(downs, ups)
    return float(np.sqrt(of_ups.var(ddof=1) / len(ups) + of_downs.var(ddof=1) / len(downs)))


def _placements(values: Floats, others: Floats) -> Floats:
    below = np.searchsorted(others, values, side="left") + np.searchsorted(others, values, side="right")
    placements: Floats = below / (2 * len(others))
    return placements


def _draw(table: pl.DataFrame, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    return table[np.sort(rng.permutation(table.height)[:rows])]


def _out_of_fold(
    matrix: Floats, is_other: npt.NDArray[np.bool_], features: Features, seed: int, rng: np.random.Generator
) -> Floats:
    """Return each row's score by the model of the fold that left it out."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = len(is_other) // 2
    fold = np.concatenate([rng.permutation(rows) % FOLDS, rng.permutation(rows) % FOLDS])
    scores = np.empty(len(is_other))
    with one_thread():
        for number in range(FOLDS):
            model = HistGradientBoostingClassifier(**settings(features, seed, FAMILY))
            model.fit(matrix[fold != number], is_other[fold != number])
            scores[fold == number] = model.predict_proba(matrix[fold == number])[:, 1]
    return scores
