"""Utility: does a model trained on the synthetic rows work on real ones?

The same boosted trees are trained on the synthetic rows (TSTR) and on the training part (TRTR) and both are scored on
the holdout: ROC AUC for two classes, macro one-against-rest AUC for more, R² for a number. ``utility.ratio`` compares
skill above the floor of a model that knows nothing (.5, or 0 for R²).

Both models learn from equally many rows, drawn at random from the larger table: with more rows real data would teach
more, which is no fault of the synthetic ones. Synthetic rows that no model can learn from (no target, one class only)
score the floor; what the real rows do not allow to measure is not measured.

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
MIN_HOLDOUT = 20
#: A predicted or synthetic number counts as at most this many ranges of the real target away from it.
_FAR = 10.0
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

    Rows without a target are left out of all three tables, and synthetic and holdout rows of a class that the training
    part lacks. ``exclude`` names columns that give the target away. Where the real tables do not allow to train or
    score a model, all three are ``not_measured`` with the reason.
    """
    if target is None:
        return _none("no target: name what is to be predicted with data.target")
    column = schema[target]
    features = [c for c in schema.modelled if c.name != target and c.name not in exclude]
    if not column.modelled or not features:
        return _none(f"{target!r} cannot be predicted: it is of kind {column.kind} or no feature is left")
    parts = [part.filter(pl.col(target).is_not_null()) for part in (train, holdout, synthetic)]
    encode = Features.fit(train, features)
    if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
        return _classify(parts, column, encode, seed)
    return _regress(parts, column, encode, seed)


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


def _classify(parts: list[pl.DataFrame], column: Column, encode: Features, seed: int) -> tuple[Estimate, ...]:
    classes = category_counts(parts[0][column.name])["level"].to_list()
    if not 2 <= len(classes) <= MAX_CLASSES:
        return _none(f"the target has {len(classes)} classes in the training part; 2 to {MAX_CLASSES} can be measured")
    code = {level: number for number, level in enumerate(classes)}
    labels = [np.array([code.get(level, -1) for level in part[column.name].to_list()], dtype=int) for part in parts]
    matrices = [encode.matrix(part)[label >= 0] for part, label in zip(parts, labels, strict=True)]
    labels = [label[label >= 0] for label in labels]
    if len(labels[1]) < MIN_HOLDOUT or len(np.unique(labels[1])) < 2:
        return _none(f"the holdout has {len(labels[1])} rows with a known class, or one class only")

    def predict(x: Floats, y: npt.NDArray[Any]) -> Floats:
        from sklearn.ensemble import HistGradientBoostingClassifier

        scores = np.zeros((len(matrices[1]), len(classes)))
        if len(np.unique(y)) < 2:
            return scores
        model = HistGradientBoostingClassifier(**settings(encode, seed, FAMILY))
        with one_thread():
            model.fit(x, y)
            scores[:, model.classes_] = model.predict_proba(matrices[1])
        return scores

    predictions = [predict(*learned) for learned in _equally_many(matrices, labels, seed)]
    name = "ROC AUC" if len(classes) == 2 else "macro one-against-rest AUC"
    return _compare(labels[1], predictions, class_auc, 0.5, name, (0.0, 1.0), seed)


def _regress(parts: list[pl.DataFrame], column: Column, encode: Features, seed: int) -> tuple[Estimate, ...]:
    truths = [numbers(part[column.name]) for part in parts]
    if len(truths[1]) < MIN_HOLDOUT or min(len(np.unique(truth)) for truth in truths[:2]) < 2:
        return _none("the target has fewer than two values in the training part or the holdout, or too few rows")
    scale = float(np.abs(truths[0]).max())  # R² has no unit, and squares of huge numbers overflow
    truths = [truth / scale for truth in truths]
    low, high = float(truths[0].min()), float(truths[0].max())
    near = (low - _FAR * (high - low), high + _FAR * (high - low))
    matrices = [encode.matrix(part) for part in parts]

    def predict(x: Floats, y: Floats) -> Floats:
        from sklearn.ensemble import HistGradientBoostingRegressor

        if len(np.unique(y)) < 2:
            return np.full(len(truths[1]), truths[1].mean())
        model = HistGradientBoostingRegressor(**settings(encode, seed, FAMILY))
        with one_thread():
            predicted: Floats = model.fit(x, np.clip(y, *near)).predict(matrices[1])
        return np.clip(predicted, *near)

    predictions = [predict(*learned) for learned in _equally_many(matrices, truths, seed)]
    return _compare(truths[1], predictions, r2, 0.0, "R²", (None, 1.0), seed)


def _equally_many(
    matrices: list[Floats], targets: list[npt.NDArray[Any]], seed: int
) -> list[tuple[Floats, npt.NDArray[Any]]]:
    """Return features and targets to learn from, synthetic first: as many rows of each as the smaller table has.

    Where one of them has no row at all both are returned whole. A feature without any value becomes a constant, since
    the booster cannot bin it.
    """
    rng = generator(seed, FAMILY, "draw")
    rows = min(len(targets[0]), len(targets[2])) or max(len(targets[0]), len(targets[2]))
    learned = []
    for side in (2, 0):
        drawn = np.sort(rng.permutation(len(targets[side]))[:rows])
        x = matrices[side][drawn]
        x[:, np.isnan(x).all(axis=0)] = 0.0
        learned.append((x, targets[side][drawn]))
    return learned


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
    if trtr - floor <= 3 * se:
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
