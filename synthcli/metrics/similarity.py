"""Similarity: can a classifier tell two tables apart?

The classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv 1610.06545) with boosted trees: each row is scored by a
model that did not see it (5 folds), and the score is the ROC AUC of telling the tables apart. .5 is what two samples of
one law get; 1 means that every row gives its table away.

The folds' models share most of their training rows, so the scores of rows are not independent and the error of a single
model's AUC is too small: over repeated samples of one law (400 rows a side, three tables) the AUC spread 1.25 to 1.5
times as far, and a 95 % interval held .5 in 80 to 88 % of them. The error is therefore multiplied by 1.5, the
correction of Nadeau & Bengio 2003 (doi:10.1023/A:1024068626366) for 5 folds, which held .5 in at least 95 %. Where the
tables do differ it errs on the wide side.

The reference is .5, two samples of one law. ``similarity.c2st_real`` shows what the holdout scores in the place of the
synthetic rows: where even that can be told from the training part (drift, a split by time), the two are not
exchangeable, and no share of records that lie nearer to one than to the other says anything about memorising.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.metrics.boosting import Features, Floats, auc, learnable, settings, side_by_side
from synthcli.metrics.estimate import Direction, Estimate, Interval, normal_interval, normal_tail, not_measured
from synthcli.schema import Schema
from synthcli.seeds import generator

FAMILY = "similarity"
FOLDS = 5
ITERATIONS = 200
MAX_ROWS = 20_000
#: Cells of a side that are looked at, at most (20,000 rows of 60 columns), but never fewer than so many rows.
MAX_CELLS, LEAST_ROWS = 1_200_000, 1_000
#: Between train and holdout, an AUC that is surely above this means that they are not exchangeable.
EXCHANGEABLE = 0.55
#: sqrt((1/k + 1/(k - 1))/(1/k)): the variance of a mean over k folds when their shared training rows are counted.
SHARED_ROWS = sqrt(1 + FOLDS / (FOLDS - 1))
SYNTHETIC, REAL = "similarity.c2st_auc", "similarity.c2st_real"


class TwoSample(NamedTuple):
    """The AUC of telling two tables apart, its standard error, and how many rows of each were looked at."""

    auc: float
    se: float
    rows: int

    @property
    def interval(self) -> Interval:
        """The 95 % interval."""
        return normal_interval(self.auc, self.se, (0.0, 1.0))

    @property
    def p_value(self) -> float:
        """One-sided against .5."""
        return normal_tail((self.auc - 0.5) / null_se(self.rows))


def measure_similarity(
    train: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema,
    seed: int,
    *,
    holdout: pl.DataFrame | TwoSample | None,
) -> tuple[Estimate, ...]:
    """Measure ``similarity.c2st_auc``, synthetic against training rows, and ``similarity.c2st_real``, the holdout's.

    In [0, 1]; .5 is best. Copies of training rows score below it (a row's twin on the other side is what the model
    learned from): this is no test for them, the privacy family is. ``holdout`` may be what :func:`exchangeable` found,
    which is then not measured again. At most 20,000 rows a side are looked at, and 1.2 million cells.
    """
    told = two_sample_test(train, synthetic, schema, seed, MAX_ROWS, ITERATIONS)
    real = exchangeable(train, holdout, schema, seed) if isinstance(holdout, pl.DataFrame) else holdout
    return (
        _estimate(SYNTHETIC, told, "synthetic", "lower", seed),
        _estimate(REAL, real, "holdout", "target", seed),
    )


def exchangeable(train: pl.DataFrame, holdout: pl.DataFrame, schema: Schema, seed: int) -> TwoSample | None:
    """Tell the holdout from the training part; ``None`` where there is too little to look at."""
    return two_sample_test(train, holdout, schema, seed, MAX_ROWS, ITERATIONS)


def not_exchangeable(found: TwoSample | None) -> bool:
    """Return whether the two parts are surely of different laws: the AUC's low bound lies above .55."""
    return found is not None and found.interval.low > EXCHANGEABLE


def two_sample_test(
    one: pl.DataFrame, other: pl.DataFrame, schema: Schema, seed: int, max_rows: int, iterations: int = 100
) -> TwoSample | None:
    """Tell the rows of ``one`` from those of ``other`` by their modelled columns.

    Equally many rows of both, at most ``max_rows``, and of a wide table as many as :func:`looked_at` says, drawn at
    random. ``None`` where there are fewer than two a fold or nothing to look at.
    """
    rng = generator(seed, FAMILY, "draw")
    rows = min(one.height, other.height, looked_at(max_rows, len(schema.modelled)))
    if rows < 2 * FOLDS or not schema.modelled:
        return None
    pooled = pl.concat([_draw(part.select(c.name for c in schema.modelled), rows, rng) for part in (one, other)])
    features = Features.fit(pooled, schema.modelled)
    is_other = np.repeat([False, True], rows)
    scores = _out_of_fold(features.matrix(pooled), is_other, settings(features, seed, FAMILY, iterations), rng)
    value = auc(is_other, scores)(np.ones(2 * rows))
    told = scores.min() < scores.max()  # a model that says the same of every row knows nothing, not everything
    return TwoSample(value, SHARED_ROWS * auc_se(is_other, scores) if told else null_se(rows), rows)


def looked_at(max_rows: int, columns: int) -> int:
    """Return how many rows a side are looked at, at most, in a table of so many columns: ``max_rows`` up to 60."""
    return min(max_rows, max(MAX_CELLS // max(columns, 1), LEAST_ROWS))


def null_se(rows: int) -> float:
    """Return the AUC's standard error between two samples of one law, (2n + 1)/(12 n²) for ranks, the factor added."""
    return SHARED_ROWS * sqrt((2 * rows + 1) / 12) / rows


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
    matrix: Floats, is_other: npt.NDArray[np.bool_], parameters: dict[str, Any], rng: np.random.Generator
) -> Floats:
    """Return each row's score by the model of the fold that left it out."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = len(is_other) // 2
    fold = np.concatenate([rng.permutation(rows) % FOLDS, rng.permutation(rows) % FOLDS])

    def of_fold(number: int) -> Floats:
        model = HistGradientBoostingClassifier(**parameters)
        model.fit(learnable(matrix[fold != number]), is_other[fold != number])
        found: Floats = model.predict_proba(matrix[fold == number])[:, 1]
        return found

    scores = np.empty(len(is_other))
    for number, found in enumerate(side_by_side(of_fold, range(FOLDS))):
        scores[fold == number] = found
    return scores


def _estimate(name: str, told: TwoSample | None, side: str, direction: Direction, seed: int) -> Estimate:
    if told is None:
        reason = f"no {side} rows to compare: fewer than {2 * FOLDS} on a side, or no column that is measured"
        return not_measured(name, FAMILY, reason, direction=direction)
    return Estimate(
        name, FAMILY, told.auc, *told.interval, n=told.rows, direction=direction, range=(0.0, 1.0),
        p_value=told.p_value, reference=0.5, reference_kind="two samples of one law", seed=seed,
        detail=f"ROC AUC of telling {told.rows:,} {side} rows from as many training rows, drawn at random "
        f"where there are more; {FOLDS} folds, {ITERATIONS} iterations",
    )  # fmt: skip
