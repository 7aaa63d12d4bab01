"""Utility: does a model trained on the synthetic rows work on real ones?

The same boosted trees are trained on the synthetic rows (TSTR) and on the training part (TRTR) and both are scored on
the holdout: ROC AUC for two classes, macro one-against-rest AUC for more, R² for a number. ``utility.ratio`` compares
skill above the floor of a model that knows nothing (.5, or 0 for R²).

Both models learn from equally many rows, drawn at random from the larger table: with more rows real data would teach
more, which is no fault of the synthetic ones. Synthetic rows that no model can learn from (no target, one class only)
score the floor; what the real rows do not allow to measure is not measured.

``utility.generalization_gap`` trains the same model on four fifths of the synthetic rows: its score on the other fifth
minus its score on the holdout. A generator that repeats itself, or that made up a rule that real rows do not follow, is
learned too well by that fifth. The reference is the same gap of the training part, real rows against the holdout.

``utility.subgroup_gap`` asks whether some group is served worse than the whole: within each level of a group column
that has at least 50 holdout rows, loss = score of the model trained on real rows - score of the one trained on
synthetic rows; the gap is the largest loss of a level minus the loss over all rows. Scores are AUCs within the level;
for a number, squared errors over the variance of the whole holdout, so that levels are on one scale. The interval is
simultaneous over the levels: its ends are the largest low and the largest high end of theirs, at the level that all of
them hold together (bootstrap of the largest studentised deviation). Its low end above 0 names a group that is worse
off beyond what the holdout's size explains; it does not name the luck of a single fit of two models.

Intervals: a paired bootstrap over the holdout's rows (and the test fifth's, on its own). They say how far the scores
depend on which rows are in the holdout, not on which rows were sampled or trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import category_counts, numbers
from synthcli.metrics.boosting import Features, Floats, Weighted, auc, learnable, settings, side_by_side
from synthcli.metrics.estimate import LEVEL, Curve, Estimate, Interval, not_measured
from synthcli.schema import Column, Kind, Schema
from synthcli.seeds import generator

FAMILY = "utility"
MAX_CLASSES = 50
RESAMPLES = 200
MIN_HOLDOUT = 20
#: A predicted or synthetic number counts as at most this many ranges of the real target away from it.
_FAR = 10.0
_NO_SPREAD = 1e-30
TEST_SHARE = 5  # one row in so many is kept from the model whose overfitting is measured
MIN_GROUP = 50
MIN_CLASS = 5  # rows of at least two classes in a level, so that nearly every resample shows both
MAX_LEVELS = 20  # of a group column, the largest
GAP, SUBGROUPS = "utility.generalization_gap", "utility.subgroup_gap"
_NAMES = ("utility.tstr", "utility.trtr", "utility.ratio")
_TRAINED_ON = ("trained on synthetic", "trained on real")
CURVE_POINTS = 60

#: (truth, predictions) -> score as a function of row weights
Score = Callable[[npt.NDArray[Any], Floats], Weighted]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is predicted and how that is scored; targets and features of the train, holdout and synthetic rows used.

    ``train_model`` takes features and targets and returns the model's prediction function. ``within`` scores a part of
    the holdout on a scale that all parts share.
    """

    targets: list[npt.NDArray[Any]]
    features: list[Floats]
    train_model: Callable[[Floats, npt.NDArray[Any]], Callable[[Floats], Floats]]
    score: Score
    within: Score
    floor: float
    score_name: str
    bounds: tuple[float | None, float | None]
    classes: bool
    holdout: pl.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One group of holdout rows: which, and by how much real training rows predict them better than synthetic ones."""

    rows: npt.NDArray[np.intp]
    loss: Weighted


def measure_utility(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema,
    *,
    target: str | None,
    exclude: Sequence[str],
    seed: int,
    groups: Sequence[str] = (),
) -> tuple[Estimate, ...]:
    """Measure ``utility.tstr``, ``.trtr``, ``.ratio``, ``.generalization_gap`` and ``.subgroup_gap`` for ``target``.

    Rows without a target are left out of all three tables (real rows with an infinite one too), and synthetic and
    holdout rows of a class that the training part lacks. ``exclude`` names columns that give the target away,
    ``groups`` columns whose levels are compared, each with an estimate of its own behind the table's. Where the real
    tables do not allow to train or score a model, all are ``not_measured`` with the reason.
    """
    if target is None:
        return _none("no target: name what is to be predicted with data.target", groups)
    column = schema[target]
    features = [c for c in schema.modelled if c.name != target and c.name not in exclude]
    if not column.modelled or not features:
        return _none(f"{target!r} cannot be predicted: it is of kind {column.kind} or no feature is left", groups)
    parts = [_with_target(part, target, real=part is not synthetic) for part in (train, holdout, synthetic)]
    encode = Features.fit(train, features)
    prepare = _classification if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN) else _regression
    task = prepare(parts, column, encode, seed)
    if isinstance(task, str):
        return _none(task, groups)
    learned = _equally_many(task, seed)
    predictions = side_by_side(lambda rows: task.train_model(*rows)(task.features[1]), learned)
    return (
        *_compare(task, predictions, seed),
        _generalization(task, learned, seed),
        *_subgroups(task, predictions, train, schema, groups, seed),
    )


def trained_score(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    learned: pl.DataFrame,
    schema: Schema,
    *,
    target: str | None,
    exclude: Sequence[str],
    seed: int,
) -> float | None:
    """Return what a model scores on the holdout that learned from all of ``learned``: the score of ``utility.tstr``.

    The training part says what classes and categories there are. ``None`` where no model can be trained or scored.
    """
    column = schema[target] if target is not None and target in schema else None
    features = [c for c in schema.modelled if c.name != target and c.name not in exclude]
    if column is None or not column.modelled or not features:
        return None
    parts = [_with_target(part, column.name, real=part is not learned) for part in (train, holdout, learned)]
    prepare = _classification if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN) else _regression
    task = prepare(parts, column, Features.fit(train, features), seed)
    if isinstance(task, str):
        return None
    if not len(task.targets[2]):
        return task.floor
    predicted = task.train_model(task.features[2], task.targets[2])(task.features[1])
    return task.score(task.targets[1], predicted)(np.ones(len(task.targets[1])))


def r2(truth: Floats, predicted: Floats) -> Weighted:
    """Return R² as a function of row weights: 1 - (squared error)/(variance of the truth); the mean scores 0.

    A truth that does not vary (by more than rounding, for numbers of about 1) scores 0 too.
    """
    squared = (truth - predicted) ** 2

    def weighted(weight: Floats) -> float:
        total = float(weight.sum())
        centre = float(weight @ truth) / total
        variance = float(weight @ (truth - centre) ** 2) / total
        return 1 - float(weight @ squared) / total / variance if variance > _NO_SPREAD else 0.0

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


def negative_error(scale: float) -> Score:
    """Return the score ``-(mean squared error)/scale``: unlike R² it is on one scale for every part of a table."""

    def score(truth: Floats, predicted: Floats) -> Weighted:
        squared = (truth - predicted) ** 2 / scale
        return lambda weight: -float(np.average(squared, weights=weight))

    return score


def _with_target(table: pl.DataFrame, target: str, *, real: bool) -> pl.DataFrame:
    known = table.filter(pl.col(target).is_not_null())
    if not known[target].dtype.is_float():
        return known
    return known.filter(pl.col(target).is_finite() if real else pl.col(target).is_not_nan())


def _classification(parts: list[pl.DataFrame], column: Column, encode: Features, seed: int) -> Task | str:
    """Return the task of telling the training part's classes, or why it cannot be set."""
    classes = category_counts(parts[0][column.name])["level"].to_list()
    if not 2 <= len(classes) <= MAX_CLASSES:
        return f"the target has {len(classes)} classes in the training part; 2 to {MAX_CLASSES} can be measured"
    code = {level: number for number, level in enumerate(classes)}
    labels = [np.array([code.get(level, -1) for level in part[column.name].to_list()], dtype=int) for part in parts]
    matrices = [encode.matrix(part)[label >= 0] for part, label in zip(parts, labels, strict=True)]
    known = parts[1].filter(pl.Series(labels[1] >= 0, dtype=pl.Boolean))
    labels = [label[label >= 0] for label in labels]
    if len(labels[1]) < MIN_HOLDOUT or len(np.unique(labels[1])) < 2:
        return f"the holdout has {len(labels[1])} rows with a known class, or one class only"

    def train_model(x: Floats, y: npt.NDArray[Any]) -> Callable[[Floats], Floats]:
        from sklearn.ensemble import HistGradientBoostingClassifier

        if len(np.unique(y)) < 2:
            return lambda rows: np.zeros((len(rows), len(classes)))
        model = HistGradientBoostingClassifier(**settings(encode, seed, FAMILY)).fit(learnable(x), y)

        def predict(rows: Floats) -> Floats:
            scores = np.zeros((len(rows), len(classes)))
            scores[:, model.classes_] = model.predict_proba(rows)
            return scores

        return predict

    name = "ROC AUC" if len(classes) == 2 else "macro one-against-rest AUC"
    return Task(labels, matrices, train_model, class_auc, class_auc, 0.5, name, (0.0, 1.0), True, known)


def _regression(parts: list[pl.DataFrame], column: Column, encode: Features, seed: int) -> Task | str:
    """Return the task of predicting a number, or why it cannot be set."""
    truths = [numbers(part[column.name]) for part in parts]
    if len(truths[1]) < MIN_HOLDOUT or min(len(np.unique(truth)) for truth in truths[:2]) < 2:
        return "the target has fewer than two values in the training part or the holdout, or too few rows"
    scale = float(np.abs(truths[0]).max())  # R² has no unit, and squares of huge numbers overflow
    truths = [truth / scale for truth in truths]
    low, high = float(truths[0].min()), float(truths[0].max())
    near = (low - _FAR * (high - low), high + _FAR * (high - low))
    truths[2] = np.clip(truths[2], *near)
    mean = float(truths[1].mean())

    def train_model(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
        from sklearn.ensemble import HistGradientBoostingRegressor

        if len(np.unique(y)) < 2:
            return lambda rows: np.full(len(rows), mean)
        model = HistGradientBoostingRegressor(**settings(encode, seed, FAMILY)).fit(learnable(x), y)
        return lambda rows: np.clip(model.predict(rows), *near)

    matrices = [encode.matrix(part) for part in parts]
    within = negative_error(float(truths[1].var()))
    return Task(truths, matrices, train_model, r2, within, 0.0, "R²", (None, 1.0), False, parts[1])


def _equally_many(task: Task, seed: int) -> list[tuple[Floats, npt.NDArray[Any]]]:
    """Return features and targets to learn from, synthetic first: as many rows of each as the smaller table has.

    Where one of them has no row at all both are returned whole.
    """
    rng = generator(seed, FAMILY, "draw")
    available = [len(task.targets[side]) for side in (0, 2)]
    rows = min(available) or max(available)
    learned = []
    for side in (2, 0):
        drawn = np.sort(rng.permutation(len(task.targets[side]))[:rows])
        learned.append((task.features[side][drawn], task.targets[side][drawn]))
    return learned


def _compare(task: Task, predictions: list[Floats], seed: int) -> tuple[Estimate, ...]:
    """Return the first three estimates from both models' predictions on the same holdout rows, synthetic first."""
    truth, floor = task.targets[1], task.floor
    rows = len(truth)
    scores = [task.score(truth, predicted) for predicted in predictions]
    tstr, trtr = (weighted(np.ones(rows)) for weighted in scores)
    rng = generator(seed, FAMILY, "bootstrap")
    draws = np.array(
        [[weighted(weight) for weighted in scores] for weight in (_resample(truth, rng) for _ in range(RESAMPLES))]
    )
    se = float(draws[:, 1].std(ddof=1))
    shared: dict[str, Any] = {"n": rows, "direction": "higher", "range": task.bounds, "floor": floor}
    detail = f"{task.score_name} on {rows:,} holdout rows"
    curves = [_roc(task, predicted, name) for predicted, name in zip(predictions, _TRAINED_ON, strict=True)]
    synthetic = Estimate(
        _NAMES[0], FAMILY, tstr, *_percentiles(draws[:, 0]), **shared,
        reference=trtr, reference_kind="trained on real rows", reference_se=se, detail=detail, curves=curves[0],
    )  # fmt: skip
    real = Estimate(_NAMES[1], FAMILY, trtr, *_percentiles(draws[:, 1]), **shared, detail=detail, curves=curves[1])
    if trtr - floor <= 3 * se:
        reason = f"real rows themselves predict the target no better than chance ({task.score_name} {trtr:.3f})"
        return synthetic, real, not_measured(_NAMES[2], FAMILY, reason, n=rows)
    ratios = (draws[:, 0] - floor) / (draws[:, 1] - floor)
    ratio = Estimate(
        _NAMES[2], FAMILY, (tstr - floor) / (trtr - floor), *_percentiles(ratios),
        n=rows, direction="higher", range=(None, None), reference=1.0, reference_kind="trained on real rows",
        floor=0.0, detail=f"skill over the floor of {floor:g}, synthetic over real training rows",
    )  # fmt: skip
    return synthetic, real, ratio


def _roc(task: Task, predicted: Floats, name: str) -> tuple[Curve, ...]:
    """Return the receiver operating characteristic of a target of two classes; of others there is none."""
    if not task.classes or predicted.shape[1] != 2:
        return ()
    return (roc_curve(task.targets[1] == 1, predicted[:, 1], name),)


def roc_curve(positive: npt.NDArray[np.bool_], score: Floats, name: str) -> Curve:
    """Return the curve from (0, 0) to (1, 1): the share of the others (x) and of the positive (y) scored as high.

    Of a long curve about ``CURVE_POINTS`` points are kept, evenly spread along it.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)  # rows of one score are told from each other by no threshold
    hits = np.concatenate([[0], np.cumsum(positive[order])[last]]) / positive.sum()
    alarms = np.concatenate([[0], np.cumsum(~positive[order])[last]]) / (~positive).sum()
    way = hits + alarms
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], CURVE_POINTS)).clip(max=len(way) - 1))
    return Curve(name, tuple(np.round(alarms[kept], 5).tolist()), tuple(np.round(hits[kept], 5).tolist()))


def _generalization(task: Task, learned: list[tuple[Floats, npt.NDArray[Any]]], seed: int) -> Estimate:
    """Return ``utility.generalization_gap``, with the training part's own gap as its reference."""
    truth = task.targets[1]
    if len(learned[0][1]) != len(learned[1][1]):
        return not_measured(GAP, FAMILY, "no synthetic row has a known target", n=len(truth), direction="lower")
    kept = generator(seed, FAMILY, "test part").permutation(len(learned[0][1])) % TEST_SHARE == 0
    tests = [y[kept] for _, y in learned]
    for own in tests:
        if len(own) < MIN_HOLDOUT or (own == own[0]).all():
            reason = f"the fifth kept from training has {len(own):,} rows, or no two different targets"
            return not_measured(GAP, FAMILY, reason, n=len(truth), direction="lower")

    def of_rows(rows: tuple[Floats, npt.NDArray[Any]]) -> tuple[Weighted, Weighted]:
        x, y = rows
        model = task.train_model(x[~kept], y[~kept])
        return task.score(y[kept], model(x[kept])), task.score(truth, model(task.features[1]))

    own_scores, real_scores = zip(*side_by_side(of_rows, learned), strict=True)

    def gaps(own_weights: Sequence[Floats], real_weight: Floats) -> list[float]:
        parts = zip(own_scores, own_weights, real_scores, strict=True)
        return [own(weight) - real(real_weight) for own, weight, real in parts]

    gap, reference = gaps([np.ones(len(own)) for own in tests], np.ones(len(truth)))
    rng = generator(seed, FAMILY, "gap")
    draws = np.array([gaps([_resample(own, rng) for own in tests], _resample(truth, rng)) for _ in range(RESAMPLES)])
    return Estimate(
        GAP, FAMILY, gap, *_percentiles(draws[:, 0]), n=len(truth), direction="lower",
        range=(-1.0, 1.0) if task.classes else (None, None),
        reference=reference, reference_kind="the training part in the place of the synthetic rows",
        reference_se=float(draws[:, 1].std(ddof=1)),
        detail=f"{task.score_name} on {len(tests[0]):,} synthetic rows kept from training minus that on {len(truth):,} "
        "holdout rows",
    )  # fmt: skip


def _subgroups(
    task: Task, predictions: list[Floats], train: pl.DataFrame, schema: Schema, groups: Sequence[str], seed: int
) -> tuple[Estimate, ...]:
    """Return ``utility.subgroup_gap`` over all group columns and then of each of them."""
    if not groups:
        return (_no_groups("no groups: name columns whose groups are to be compared with validate.groups", ()),)
    levels = {name: _levels(task, predictions, train, schema, name) for name in groups}
    every = [level for found in levels.values() for level in found]
    if not every:
        reason = (
            f"no group has {MIN_GROUP} holdout rows and {MIN_CLASS} of each of two classes"
            if task.classes
            else (f"no group has {MIN_GROUP} holdout rows")
        )
        return tuple(_no_groups(reason, key) for key in ((), *((name,) for name in groups)))
    rows = len(task.targets[1])
    overall = _loss(task, predictions, np.arange(rows))
    rng = generator(seed, FAMILY, "groups")
    weights = chain([np.ones(rows)], (_resample(task.targets[1], rng) for _ in range(RESAMPLES)))
    excess = np.array([[level.loss(weight[level.rows]) - overall(weight) for level in every] for weight in weights])
    estimates = [_largest(task, excess, (), f"{len(every)} levels of {len(groups)} columns")]
    start = 0
    for name, found in levels.items():
        if not found:
            estimates.append(
                _no_groups(f"no level of this column can be measured (at least {MIN_GROUP} rows)", (name,))
            )
            continue
        part = excess[:, start : start + len(found)]
        estimates.append(_largest(task, part, (name,), f"{len(found)} levels"))
        start += len(found)
    return tuple(estimates)


def _levels(task: Task, predictions: list[Floats], train: pl.DataFrame, schema: Schema, name: str) -> list[Level]:
    """Return the column's levels that have enough holdout rows, the largest first, at most 20."""
    codes = _group_codes(train, task.holdout, schema, name)
    number, sizes = np.unique(codes, return_counts=True)
    largest = number[np.argsort(-sizes, kind="stable")][:MAX_LEVELS]
    members = [np.flatnonzero(codes == code) for code in largest]
    return [Level(rows, _loss(task, predictions, rows)) for rows in members if _measurable(task, rows)]


def _group_codes(train: pl.DataFrame, holdout: pl.DataFrame, schema: Schema, name: str) -> npt.NDArray[np.int64]:
    """Return each holdout row's level: its value or none; of numbers and dates the quarter of the training part."""
    if schema[name].ordered:
        known = numbers(train[name])
        known = known[np.isfinite(known)]
        quarters = np.quantile(known, [0.25, 0.5, 0.75]) if len(known) else np.empty(0)
        values = numbers(holdout[name])
        return np.where(np.isnan(values), -1, np.digitize(values, np.unique(quarters), right=True)).astype(np.int64)
    return holdout[name].rank("dense").cast(pl.Int64).fill_null(0).to_numpy()


def _measurable(task: Task, rows: npt.NDArray[np.intp]) -> bool:
    if len(rows) < MIN_GROUP:
        return False
    return not task.classes or int((np.bincount(task.targets[1][rows]) >= MIN_CLASS).sum()) > 1


def _loss(task: Task, predictions: list[Floats], rows: npt.NDArray[np.intp]) -> Weighted:
    """Return by how much real training rows predict these holdout rows better than synthetic ones."""
    synthetic, real = (task.within(task.targets[1][rows], predicted[rows]) for predicted in predictions)

    def weighted(weight: Floats) -> float:
        drawn = task.targets[1][rows][weight > 0]
        if not len(drawn) or (task.classes and (drawn == drawn[0]).all()):
            return float("nan")
        return real(weight) - synthetic(weight)

    return weighted


def _largest(task: Task, excess: Floats, columns: tuple[str, ...], counted: str) -> Estimate:
    """Return the largest of the levels' excess losses with its simultaneous interval; row 0 holds the values."""
    value, draws = excess[0], excess[1:]
    deviation = np.abs(draws - value)
    se = np.sqrt(np.nanmean(deviation**2, axis=0))
    studentised = np.divide(deviation, se, out=np.zeros_like(deviation), where=se > 0)
    half = float(np.quantile(np.nanmax(studentised, axis=1), LEVEL)) * se
    return Estimate(
        SUBGROUPS, FAMILY, float(value.max()), float((value - half).max()), float((value + half).max()),
        n=len(task.targets[1]), direction="lower", range=(-2.0, 2.0) if task.classes else (None, None),
        reference=0.0, reference_kind="every level served as well as the whole", columns=columns,
        detail=f"a level's loss in {task.score_name if task.classes else 'squared error'} beyond the overall loss, "
        f"the largest of {counted} with at least {MIN_GROUP} holdout rows",
    )  # fmt: skip


def _no_groups(reason: str, columns: tuple[str, ...]) -> Estimate:
    return not_measured(SUBGROUPS, FAMILY, reason, direction="lower", columns=columns)


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


def _none(reason: str, groups: Sequence[str]) -> tuple[Estimate, ...]:
    return (
        *(not_measured(name, FAMILY, reason) for name in _NAMES),
        not_measured(GAP, FAMILY, reason, direction="lower"),
        *(_no_groups(reason, key) for key in ((), *((name,) for name in groups))),
    )
