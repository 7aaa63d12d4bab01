"""Which features give the target away: they predict it almost perfectly, each by itself.

That is measured and not guessed: for each feature alone, the target's mean in its bins or categories predicts rows that
it was not taken from. Features that do so only together are not found, and no table tells whether a feature is known in
time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import Distinct, category_counts, numbers
from synthcli.encoding import MIN_CATEGORY_ROWS, equal_frequency_cuts
from synthcli.metrics.utility import MAX_CLASSES, class_auc, r2
from synthcli.profiling.guesses import FEW_CLASSES, is_classes
from synthcli.schema import Column, Schema
from synthcli.seeds import generator

#: Scores from which a feature gives the target away, and from which that is doubtful.
GIVEAWAY, SUSPECT = 0.95, 0.9
#: Rows that features are scored on at most, and at least: in fewer, some feature is perfect by chance.
MOST_ROWS, FEWEST_ROWS = 50_000, 50
_FOLDS = 5
_MOST_BINS, _BIN_ROWS = 200, 10
#: Rows of the average outcome that every bin and category is given: so few, that a copy of rare values is still found.
_SHRINKAGE = 0.5

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Predictor(NamedTuple):
    """A feature, and how well it predicts the target by itself."""

    name: str
    score: float


class Scores(NamedTuple):
    """How well single features predict the target: what the score is, on how many of the rows, and each feature's.

    Without a score, ``measure`` says why there is none.
    """

    measure: str
    rows: int = 0
    of: int = 0
    features: tuple[Predictor, ...] = ()

    def between(self, low: float, high: float = np.inf) -> tuple[Predictor, ...]:
        """Return the features with ``low <= score < high``, the best first."""
        found = (feature for feature in self.features if low <= feature.score < high)
        return tuple(sorted(found, key=lambda feature: -feature.score))


def single_feature_scores(table: pl.DataFrame, schema: Schema, target: str | None, seed: int) -> Scores:
    """Score each modelled feature alone by predictions for rows that they were not fitted on.

    Classes: ROC AUC, for more than two the mean of one against rest, 0.5 for a feature that knows nothing; classes of
    fewer than five rows are left out. Numbers and instants: R² of their ranks, 0 for such a feature. Ranks, since in a
    skewed column the few greatest values decide R² alone, and even the column's own copy in bins would seem poor.
    """
    if target is None:
        return Scores("no target")
    column = schema[target]
    known = table.filter(table[target].is_not_null())
    sample = _of_frequent_classes(_sampled(known, _most_rows(known[target], column), seed), column)
    if sample.height < FEWEST_ROWS:
        return Scores(f"fewer than {FEWEST_ROWS} rows have a target to score features on")
    classes = sample[target].n_unique()
    if classes < 2 or (is_classes(column) and classes > MAX_CLASSES):
        return Scores(f"the target has {classes:,} classes; features are scored on 2 to {MAX_CLASSES}")
    features = [feature for feature in schema.modelled if feature.name != target]
    score = _scorer(sample[target], column, seed)
    scored = tuple(Predictor(each.name, score(feature_codes(sample[each.name], each))) for each in features)
    measure = "R² of ranks" if not is_classes(column) else "ROC AUC" if classes == 2 else "macro one-against-rest AUC"
    return Scores(measure, sample.height, known.height, scored)


def feature_codes(series: pl.Series, column: Column) -> Codes:
    """Return one code a cell: 0 missing, then a numeric column's fine bins of equal frequency, or every category."""
    if is_classes(column):
        return _level_codes(series)
    values = numbers(series)
    bins = int(np.clip(len(values) // _BIN_ROWS, 1, _MOST_BINS))
    bin_of = 1 + np.searchsorted(equal_frequency_cuts(Distinct.of(values), bins), values, side="left")
    return np.where(np.isnan(values), 0, bin_of)


def cross_fitted(codes: Codes, truth: Floats, fold: Codes) -> Floats:
    """Return, for each row, the mean ``truth`` of the rows of its code in the other folds, drawn to the mean of all."""
    predicted = np.empty_like(truth)
    for k in range(_FOLDS):
        held = fold == k
        count = np.bincount(codes[~held], minlength=codes.max() + 1)
        total = np.bincount(codes[~held], weights=truth[~held], minlength=codes.max() + 1)
        predicted[held] = ((total + _SHRINKAGE * truth.mean()) / (count + _SHRINKAGE))[codes[held]]
    return predicted


def folds(labels: Codes, seed: int) -> Codes:
    """Return each row's fold, drawn so that every class is spread evenly over the folds."""
    shuffled = generator(seed, "profile", "folds").permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % _FOLDS
    return fold


def _scorer(target: pl.Series, column: Column, seed: int) -> Callable[[Codes], float]:
    """Return how a feature's codes are scored against ``target``, in the same folds for all features."""
    if not is_classes(column):
        ranks = target.rank("average").cast(pl.Float64).to_numpy()
        fold = folds(np.zeros(len(ranks), dtype=np.int64), seed)
        return lambda codes: r2(ranks, cross_fitted(codes, ranks, fold))(np.ones(len(ranks)))
    labels = _level_codes(target) - 1
    fold = folds(labels, seed)
    truths = [(labels == k).astype(np.float64) for k in range(labels.max() + 1)]

    def score(codes: Codes) -> float:
        # Fold by fold: the others have less of what the held fold has more of, so rows of one code would be ordered
        # against the truth across folds.
        scores = np.column_stack([cross_fitted(codes, truth, fold) for truth in truths])
        parts = [fold == k for k in range(_FOLDS)]
        return float(np.mean([class_auc(labels[part], scores[part])(np.ones(part.sum())) for part in parts]))

    return score


def _of_frequent_classes(table: pl.DataFrame, target: Column) -> pl.DataFrame:
    """Leave out the rows of classes that would be missing in some fold."""
    if not is_classes(target):
        return table
    tally = category_counts(table[target.name])
    frequent = tally.filter(tally["count"] >= MIN_CATEGORY_ROWS)["level"]
    return table.filter(table[target.name].is_in(frequent.implode()))


def _most_rows(target: pl.Series, column: Column) -> int:
    """Return how many rows are scored: fewer for many classes, each of which is scored apart."""
    if not is_classes(column):
        return MOST_ROWS
    return MOST_ROWS * FEW_CLASSES // min(max(target.n_unique(), FEW_CLASSES), MAX_CLASSES)


def _sampled(table: pl.DataFrame, rows: int, seed: int) -> pl.DataFrame:
    if table.height <= rows:
        return table
    return table[np.sort(generator(seed, "profile", "rows").permutation(table.height)[:rows])]


def _level_codes(series: pl.Series) -> Codes:
    levels = category_counts(series)["level"]
    lookup = pl.DataFrame({"level": levels, "code": pl.Series(range(1, len(levels) + 1), dtype=pl.Int64)})
    codes = series.to_frame("level").join(lookup, on="level", how="left", maintain_order="left")["code"]
    return codes.fill_null(0).to_numpy()
