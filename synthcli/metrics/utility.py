"""Utility: does a model trained on the synthetic rows work on real ones?

The same boosted trees are trained on the synthetic rows (TSTR) and on the training part (TRTR) and both are scored on
the holdout: ROC AUC for two classes, macro one-against-rest AUC for more, R² for a number. ``utility.ratio`` compares
skill above the floor of a model that knows nothing (.5, or 0 for R²).

Intervals: a paired bootstrap over the holdout's rows. They say how far the scores depend on which rows are in the
holdout, not on which rows were sampled or trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.encoding import category_counts, numbers
from synthcli.metrics.boosting import Features, Floats, Weighted, auc, one_thread, settings
from synthcli.metrics.estimate import LEVEL, Estimate, Interval, not_measured
from synthcli.schema import Column, Kind, Schema
from synthcli.seeds import generator

FAMILY = "utility"
MAX_CLASSES = 50
RESAMPLES = 200
MIN_CLASS_ROWS = 2
_NAMES = ("utility.tstr", "utility.trtr", "utility.ratio")

#: (truth, predictions) -> score as a function of row weights
Score = Callable[[npt.NDArray[Any], Floats], Weighted]


def measure_utility(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema,
    *,
    target: str | None,
    exclude: Sequence[str],
    seed: int,
) -> tuple[Estimate, ...]:
    """Measure ``utility.tstr``, ``utility.trtr`` and ``utility.ratio`` of predicting ``target``.

    Rows without a target are left out of all three tables. ``exclude`` names columns that give the target away. Where a
    model cannot be trained or scored, all three are ``not_measured`` with the reason.
    """
    if target is None:
        return _none("no target: name what is to be predicted with data.target")
    column = schema[target]
    features = [c for c in schema.modelled if c.name != target and c.name not in exclude]
    if not column.modelled or not features:
        return _none(f"{target!r} cannot be predicted: it is of kind {column.kind} or no feature is left")
    parts = [part.filter(pl.col(target).is_not_null()) for part in (train, holdout, synthetic)]
    if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
        return _classify(parts, column, features, seed)
    return _regress(parts, column, features, seed)


def r2(truth: Floats, predicted: Floats) -> Weighted:
    """Return R² as a function of row weights: 1 - (squared error)/(variance of the truth); the mean scores 0."""
    squared = (truth - predicted) ** 2

    def weighted(weight: Floats) -> float:
        centre = float(np.average(truth, weights=weight))
        return 1 - float((weight * squared).sum() / (weight * (truth - centre) ** 2).sum())

    return weighted


def class_auc(labels: npt.NDArray[np.int64], scores: Floats) -> Weighted:
    """Return the AUC of two classes, or the mean over more of the one-against-rest AUC, as a function of row weights.

    ``scores`` has one column a class; labels count up from 0. A class without a weighted row is left out of the mean.
    """
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    parts = [(labels == k, auc(labels == k, scores[:, k])) for k in classes]

    def weighted(weight: Floats) -> float:
        total = weight.sum()
        return float(np.mean([part(weight) for own, part in parts if 0 < weight[own].sum() < total]))

    return weighted


def _classify(parts: list[pl.DataFrame], column: Column, features: list[Column], seed: int) -> tuple[Estimate, ...]:
    train, holdout, synthetic = parts
    classes = category_counts(train[column.name])["level"].to_list()
    if not 2 <= len(classes) <= MAX_CLASSES:
        return _none(f"the target has {len(classes)} classes in the training part; 2 to {MAX_CLASSES} can be measured")
    if min(part[column.name].n_unique() for part in parts) < MIN_CLASS_ROWS:
        return _none("the target has one class only in the synthetic rows or in the holdout")
    code = {level: number for number, level in enumerate(classes)}
    labels = [np.array([code.get(level, -1) for level in part[column.name].to_list()]) for part in parts]
    encode = Features.fit(train, features)
    x_test, y_test = encode.matrix(holdout)[labels[1] >= 0], labels[1][labels[1] >= 0]

    def predict(part: pl.DataFrame, y: npt.NDArray[Any]) -> Floats:
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(**settings(encode, seed, FAMILY))
        scores = np.zeros((len(x_test), len(classes)))
        with one_thread():
            model.fit(encode.matrix(part)[y >= 0], y[y >= 0])
            scores[:, model.classes_] = model.predict_proba(x_test)
        return scores

    predictions = [predict(synthetic, labels[2]), predict(train, labels[0])]
    name = "ROC AUC" if len(classes) == 2 else "macro one-against-rest AUC"
    return _compare(y_test, predictions, class_auc, 0.5, name, (0.0, 1.0), seed)


def _regress(parts: list[pl.DataFrame], column: Column, features: list[Column], seed: int) -> tuple[Estimate, ...]:
    train, holdout, synthetic = parts
    truth = [numbers(part[column.name]) for part in parts]
    if min(len(values) for values in truth) < 2 or not float(truth[1].std()) > 0:
        return _none("the target has fewer than two values in one of the tables")
    encode = Features.fit(train, features)
    x_test = encode.matrix(holdout)

    def predict(part: pl.DataFrame, y: Floats) -> Floats:
        from sklearn.ensemble import HistGradientBoostingRegressor

        model = HistGradientBoostingRegressor(**settings(encode, seed, FAMILY))
        with one_thread():
            return np.asarray(model.fit(encode.matrix(part), y).predict(x_test), dtype=np.float64)

    predictions = [predict(synthetic, truth[2]), predict(train, truth[0])]
    return _compare(truth[1], predictions, r2, 0.0, "R²", (None, 1.0), seed)


def _compare(
    truth: npt.NDArray[Any],
    predictions: list[Floats],
    score: Score,
    floor: float,
    score_name: str,
    bounds: tuple[float | None, float | None],
    seed: int,
) -> tuple[Estimate, ...]:
    """Return the three estimates from both models' predictions on the same holdout rows, synthetic first."""
    rows = len(truth)
    scores = [score(truth, predicted) for predicted in predictions]
    tstr, trtr = (weighted(np.ones(rows)) for weighted in scores)
    rng = generator(seed, FAMILY, "bootstrap")
    draws = np.array(
        [[weighted(weight) for weighted in scores] for weight in (_resample(truth, rng) for _ in range(RESAMPLES))]
    )
    se = float(draws[:, 1].std(ddof=1))
    shared: dict[str, Any] = {"n": rows, "direction": "higher", "range": bounds, "floor": floor}
    detail = f"{score_name} on {rows:,} holdout rows"
    synthetic = Estimate(
        _NAMES[0], FAMILY, tstr, *_percentiles(draws[:, 0]), **shared,
        reference=trtr, reference_kind="trained on real rows", reference_se=se, detail=detail,
    )  # fmt: skip
    real = Estimate(_NAMES[1], FAMILY, trtr, *_percentiles(draws[:, 1]), **shared, detail=detail)
    if trtr - floor < 3 * se:
        reason = f"real rows themselves predict the target no better than chance ({score_name} {trtr:.3f})"
        return synthetic, real, not_measured(_NAMES[2], FAMILY, reason, n=rows)
    ratios = (draws[:, 0] - floor) / (draws[:, 1] - floor)
    ratio = Estimate(
        _NAMES[2], FAMILY, (tstr - floor) / (trtr - floor), *_percentiles(ratios),
        n=rows, direction="higher", range=(None, None), reference=1.0, reference_kind="trained on real rows",
        floor=0.0, detail=f"skill over the floor of {floor:g}, synthetic over real training rows",
    )  # fmt: skip
    return synthetic, real, ratio


def _resample(truth: npt.NDArray[Any], rng: np.random.Generator) -> Floats:
    """Return how often each row is drawn in a bootstrap sample that shows at least two different truths."""
    while True:
        weight = np.bincount(rng.integers(0, len(truth), len(truth)), minlength=len(truth)).astype(np.float64)
        drawn = truth[weight > 0]
        if (drawn != drawn[0]).any():
            return weight


def _percentiles(draws: Floats) -> Interval:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _none(reason: str) -> tuple[Estimate, ...]:
    return tuple(not_measured(name, FAMILY, reason) for name in _NAMES)
