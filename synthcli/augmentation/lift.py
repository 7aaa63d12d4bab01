"""Lift: what a model gains on the holdout by an augmentation, beside what simpler means bring.

The utility model (``metrics.boosting``) is trained on what each arm makes of the same training rows: on the rows as
they are, on those with weights or copies, on SMOTE-NC's, on the augmentation's. All models are scored on the same
holdout rows. This is repeated with other seeds and, below the full size, other training rows, and at several sizes,
because augmentation pays where data are scarce, if it does.

A gain is a paired difference: the arm's score less that of the rows as they are, in the same repetition. Its interval
(Student's t) adds up two variances: that of the mean over repetitions, and that of a paired bootstrap over the
holdout's rows; degrees of freedom by Welch and Satterthwaite. At the full size all repetitions share their training
rows: the interval is then about the chance in generator, model and holdout, and not in which training rows there were.

The holdout is scored on and nothing else. Whoever chooses settings by this report, however, chooses by the holdout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.augmentation import scores
from synthcli.columns import category_counts, numbers
from synthcli.errors import BadTableError, EngineError
from synthcli.metrics.boosting import Features, Floats, learnable, settings, side_by_side
from synthcli.metrics.estimate import LEVEL, Estimate, not_measured, student_quantile
from synthcli.schema import Kind, Schema
from synthcli.seeds import generator, stage_seed
from synthcli.synthesizers.protocol import Progress

FAMILY = "lift"
MAX_CLASSES = 50
#: Numbers beyond this are no targets; infinity is among them.
_LARGEST = 1e300
MIN_HOLDOUT = 50
#: Holdout rows of the class that is scored, and of all others: of fewer an interval says nothing.
MIN_CLASS = 20
RESAMPLES = 200
#: The size of each step of the small-data curve, as a part of the next larger one, and rows of the smallest step.
STEP, LEAST_ROWS = 3, 200
#: The arms that others are compared with and that the report is about.
REAL, OWN = "real", "augmentation"
Verdict = Literal["helps", "no measurable gain", "hurts", "not measured"]


class Training(NamedTuple):
    """What a model learns from: a table with the schema's columns, or its matrix, and a weight for each row."""

    matrix: Floats
    weight: Floats | None = None


#: (training rows, encoding of all modelled columns, seed) -> what a model learns from
Arm = Callable[[pl.DataFrame, Features, int], Training]


class Effort(NamedTuple):
    """How much is measured: repetitions, steps of the curve, training rows at most (``None``: all)."""

    repetitions: int
    sizes: int
    most: int | None


EFFORTS = {"quick": Effort(3, 2, 20_000), "full": Effort(10, 5, None)}


class Terms(NamedTuple):
    """What the model predicts, from which columns not, and how that is scored."""

    target: str
    exclude: tuple[str, ...]
    precision: float
    seed: int


class Point(NamedTuple):
    """One arm at one size: its mean scores, and its gains over the rows as they are; each an estimate by metric."""

    rows: int
    arm: str
    scores: tuple[Estimate, ...]
    gains: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class Lift:
    """The report of what a model gains.

    Attributes
    ----------
    verdict
        By the gain of the augmentation at the largest size in the ``primary`` metric: ``helps`` or ``hurts`` where its
        interval leaves out 0, else ``no measurable gain``; ``not measured`` with the ``reason``.
    points
        Every arm at every size.
    against
        The gain of the augmentation over each other arm at the largest size, in the primary metric, by arm.
    positives
        Holdout rows of the class that is scored; ``None`` for a number.
    """

    verdict: Verdict
    primary: str
    target: str
    repetitions: int
    holdout_rows: int
    positives: int | None = None
    points: tuple[Point, ...] = ()
    against: Mapping[str, Estimate] | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "verdict": self.verdict,
            "primary": self.primary,
            "target": self.target,
            "repetitions": self.repetitions,
            "holdout_rows": self.holdout_rows,
            "positives": self.positives,
            "reason": self.reason,
            "points": [
                {
                    "rows": point.rows,
                    "arm": point.arm,
                    "scores": [_plain(estimate) for estimate in point.scores],
                    "gains": [_plain(estimate) for estimate in point.gains],
                }
                for point in self.points
            ],
            "against": {arm: _plain(estimate) for arm, estimate in (self.against or {}).items()},
        }


def unmeasured(reason: str, target: str = "", holdout_rows: int = 0) -> Lift:
    """Return the report of a lift that cannot be measured."""
    return Lift("not measured", "", target, 0, holdout_rows, reason=reason)


def measure_lift(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    schema: Schema,
    arms: Mapping[str, Arm],
    terms: Terms,
    effort: Effort,
    progress: Progress,
) -> Lift:
    """Measure what each of ``arms`` brings beside ``REAL``, the first of them; the last is ``OWN``.

    Rows without a target are left out, and holdout rows of a class that the training part lacks.
    """
    task = Task.of(train, holdout, schema, terms)
    if isinstance(task, str):
        return unmeasured(task, terms.target, holdout.height)
    known = train.filter(pl.col(terms.target).is_not_null())
    sizes = _sizes(known.height, effort)
    found: dict[int, dict[str, list[dict[str, Floats]]]] = {rows: {arm: [] for arm in arms} for rows in sizes}
    failed: dict[tuple[int, str], str] = {}
    for number, (repetition, rows) in enumerate((r, rows) for r in range(effort.repetitions) for rows in sizes):
        progress(number / (effort.repetitions * len(sizes)), f"repetition {repetition + 1}, {rows:,} rows")
        chosen = generator(terms.seed, FAMILY, "rows", repetition).permutation(known.height)[:rows]
        part = known[np.sort(chosen)]
        seed = stage_seed(terms.seed, FAMILY, repetition)
        results = side_by_side(partial(_scored, task, part, seed), list(arms.values()))
        for arm, result in zip(arms, results, strict=True):
            if isinstance(result, str):
                failed[rows, arm] = result
            else:
                found[rows][arm].append(result)
    points = [
        _point(rows, arm, found[rows], task, effort, failed.get((rows, arm), "")) for rows in sizes for arm in arms
    ]
    return _judged(task, points, found[sizes[-1]], effort)


def _sizes(rows: int, effort: Effort) -> list[int]:
    """Return the sizes of the training part, the largest last."""
    most = rows if effort.most is None else min(rows, effort.most)
    steps = {max(most // STEP**step, min(LEAST_ROWS, most)) for step in _steps(effort.sizes)}
    return sorted(steps)


def _steps(sizes: int) -> list[int]:
    """Return the exponents of the steps: for two sizes the full one and a ninth of it."""
    return [0, 2] if sizes == 2 else list(range(sizes))


def _scored(task: Task, rows: pl.DataFrame, seed: int, arm: Arm) -> dict[str, Floats] | str:
    """Return the scores of a model trained on what ``arm`` makes of ``rows``, or why there is none."""
    try:
        return task.scores(arm(rows, task.encoding, seed), task.prior(rows), seed)
    except (BadTableError, EngineError) as error:
        return error.message


# --- The task ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is predicted from what, and the holdout that predictions are scored on.

    ``encoding`` is that of all modelled columns; ``place`` is the target's, ``features`` those of the features.
    ``rarest`` is the target's rarest class of which the holdout has enough rows; ``None`` for a number.
    """

    encoding: Features
    place: int
    features: tuple[int, ...]
    holdout: Floats
    truth: npt.NDArray[Any]
    weights: npt.NDArray[np.uint8]
    classes: int
    rarest: int | None
    terms: Terms

    @classmethod
    def of(cls, train: pl.DataFrame, holdout: pl.DataFrame, schema: Schema, terms: Terms) -> Task | str:
        """Return the task, or why it cannot be set."""
        names = [each.name for each in schema.modelled]
        if terms.target not in names:
            return f"{terms.target!r} cannot be predicted: it is of kind {schema[terms.target].kind}"
        features = tuple(at for at, name in enumerate(names) if name != terms.target and name not in terms.exclude)
        if not features:
            return "no column is left to predict the target from"
        encoding, place = Features.fit(train, schema.modelled), names.index(terms.target)
        matrix = encoding.matrix(holdout)
        classes = 0
        if schema[terms.target].kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
            classes = category_counts(train[terms.target]).height
        known = matrix[_usable(matrix[:, place], classes)]
        rarest = _rarest(known[:, place], classes) if classes else None
        reason = (
            _unfit(known[:, place], classes, rarest) if classes else _constant(train[terms.target], known[:, place])
        )
        if reason or len(known) < MIN_HOLDOUT:
            return reason or f"the holdout has {len(known)} rows with a known target, and needs {MIN_HOLDOUT}"
        truth = known[:, place].astype(np.int64) if classes else known[:, place]
        weights = scores.weightings(len(known), RESAMPLES, generator(terms.seed, FAMILY, "bootstrap"))
        return cls(encoding, place, features, known[:, features], truth, weights, classes, rarest, terms)

    @property
    def primary(self) -> str:
        """The metric of the verdict."""
        return "lift.pr_auc" if self.classes else "lift.r2"

    def prior(self, rows: pl.DataFrame) -> Floats:
        """Return the share of each class among ``rows``; of a number there is none."""
        return self._shares(
            self.encoding.matrix(rows.select(c.name for c in self.encoding.columns))[:, self.place], None
        )

    def _shares(self, codes: Floats, weight: Floats | None) -> Floats:
        if not self.classes:
            return np.zeros(0)
        counts = np.bincount(codes.astype(np.int64), weight, minlength=self.classes)[: self.classes].astype(np.float64)
        shares: Floats = counts / counts.sum()
        return shares

    def scores(self, training: Training, prior: Floats, seed: int) -> dict[str, Floats]:
        """Train a model and return its scores on the holdout under each weighting."""
        usable = _usable(training.matrix[:, self.place], self.classes)
        matrix = training.matrix[usable]
        weight = None if training.weight is None else training.weight[usable]
        x, y = learnable(matrix[:, self.features]), matrix[:, self.place]
        columns = tuple(self.encoding.columns[at] for at in self.features)
        wanted = settings(Features(columns, self.encoding.levels), seed, FAMILY)
        if not self.classes:
            from sklearn.ensemble import HistGradientBoostingRegressor

            scale = float(np.abs(self.truth).max()) or 1.0
            fitted = HistGradientBoostingRegressor(**wanted).fit(x, y / scale, sample_weight=weight)
            return scores.regression(self.truth / scale, fitted.predict(self.holdout), self.weights)
        from sklearn.ensemble import HistGradientBoostingClassifier

        labels = y.astype(np.int64)
        if len(np.unique(labels)) < 2:
            raise BadTableError("the rows to learn from show one class of the target only")
        model = HistGradientBoostingClassifier(**wanted).fit(x, labels, sample_weight=weight)
        chance = np.zeros((len(self.truth), self.classes))
        chance[:, model.classes_] = model.predict_proba(self.holdout)
        assert self.rarest is not None
        corrected = scores.prior_corrected(chance, self._shares(y, weight), prior)
        return scores.classification(self.truth, corrected, self.rarest, self.terms.precision, self.weights)


def _usable(targets: Floats, classes: int) -> npt.NDArray[np.bool_]:
    """Return which rows have a target that can be learned and scored: a known class, or a finite number."""
    usable: npt.NDArray[np.bool_] = targets < (classes or _LARGEST)
    return usable & (targets > -_LARGEST)


def _rarest(codes: Floats, classes: int) -> int | None:
    """Return the rarest class of the training part of which the holdout has enough rows; ``None`` without one."""
    counts = np.bincount(codes.astype(np.int64), minlength=classes)
    enough = np.flatnonzero(counts >= MIN_CLASS)
    return int(enough[-1]) if len(enough) else None  # levels are coded by falling frequency


def _unfit(codes: Floats, classes: int, rarest: int | None) -> str:
    """Return why classes cannot be told apart, or nothing."""
    if not 2 <= classes <= MAX_CLASSES:
        return f"the target has {classes} classes in the training part; 2 to {MAX_CLASSES} can be measured"
    if rarest is None or int((codes != rarest).sum()) < MIN_CLASS:
        return f"the holdout has not {MIN_CLASS} rows each of one of the target's classes and of all others"
    return ""


def _constant(train: pl.Series, known: Floats) -> str:
    """Return why a number cannot be predicted, or nothing."""
    there = numbers(train)
    if len(np.unique(there[~np.isnan(there)])) < 2 or len(np.unique(known)) < 2:
        return "the target has fewer than two values in the training part or the holdout"
    return ""


# --- From scores to estimates ------------------------------------------------------------------------------------

_DETAIL = {
    "lift.roc_auc": "area under the ROC curve; of more than two classes the mean of each against the rest",
    "lift.pr_auc": "average precision of the target's rarest class",
    "lift.recall": "recall of the target's rarest class at a precision of {precision:g}",
    "lift.brier": "squared error of the chances after prior correction",
    "lift.r2": "R² of the predicted number",
}


def _point(
    rows: int, arm: str, found: Mapping[str, Sequence[Mapping[str, Floats]]], task: Task, effort: Effort, why: str
) -> Point:
    own, real = found[arm], found[REAL]
    names = list(real[0] if real else own[0] if own else {task.primary: None})
    if len(own) < effort.repetitions or len(real) < effort.repetitions:
        told = why or "it could not be measured on the real rows"
        missing = tuple(
            not_measured(name, FAMILY, told, n=len(task.truth), direction=_direction(name)) for name in names
        )
        return Point(rows, arm, missing, () if arm == REAL else missing)
    shown = tuple(_estimate(name, np.array([one[name] for one in own]), task) for name in names)
    gains = () if arm == REAL else tuple(_gain(name, own, real, task) for name in names)
    return Point(rows, arm, shown, gains)


def _gain(
    name: str, own: Sequence[Mapping[str, Floats]], other: Sequence[Mapping[str, Floats]], task: Task
) -> Estimate:
    """Return the mean paired difference in a metric."""
    return _estimate(name, np.array([a[name] - b[name] for a, b in zip(own, other, strict=True)]), task, gain=True)


def _estimate(name: str, values: Floats, task: Task, *, gain: bool = False) -> Estimate:
    """Return the estimate of a mean over repetitions; ``values`` has a row a repetition, a column a weighting."""
    value, half = _mean_and_half_width(values)
    bounds: tuple[float | None, float | None] = (
        (None, None) if name == "lift.r2" else (-1.0, 1.0) if gain else (0.0, 1.0)
    )
    low, high = value - half, value + half
    low = low if bounds[0] is None else max(low, bounds[0])
    high = high if bounds[1] is None else min(high, bounds[1])
    detail = _DETAIL[name].format(precision=task.terms.precision)
    return Estimate(
        name, FAMILY, value, low, high, len(task.truth), _direction(name), bounds,
        reference=0.0 if gain else None, reference_kind="the rows as they are" if gain else None,
        detail=f"gain in {detail}" if gain else detail, seed=task.terms.seed,
    )  # fmt: skip


def _mean_and_half_width(values: Floats) -> tuple[float, float]:
    """Return the mean of the first column and the half-width of its 95 % interval.

    The variance is that of a mean over repetitions plus that over the holdout's bootstrap samples.
    """
    repetitions = len(values)
    means = values.mean(axis=0)
    chance = float(values[:, 0].var(ddof=1)) / repetitions
    holdout = float(means[1:].var(ddof=1))
    total = chance + holdout
    if total == 0:
        return float(means[0]), 0.0
    freedom = total**2 / (chance**2 / (repetitions - 1) + holdout**2 / (values.shape[1] - 2))
    return float(means[0]), student_quantile(0.5 + LEVEL / 2, freedom) * float(np.sqrt(total))


def _direction(name: str) -> Literal["higher", "lower"]:
    return "lower" if name == "lift.brier" else "higher"


def _judged(
    task: Task, points: Sequence[Point], largest: Mapping[str, Sequence[Mapping[str, Floats]]], effort: Effort
) -> Lift:
    own = points[-1]
    gain = next((estimate for estimate in own.gains if estimate.name == task.primary), None)
    shared: dict[str, Any] = {"primary": task.primary, "target": task.terms.target, "repetitions": effort.repetitions}
    positives = None if task.rarest is None else int((task.truth == task.rarest).sum())
    shared |= {"holdout_rows": len(task.truth), "positives": positives, "points": tuple(points)}
    if gain is None or gain.status != "measured":
        return Lift("not measured", reason=gain.detail if gain else "nothing was measured", **shared)
    against = {
        arm: _gain(task.primary, largest[OWN], results, task)
        for arm, results in largest.items()
        if arm != OWN and len(results) == effort.repetitions
    }
    return Lift(verdict_of(gain), against=against, **shared)


def verdict_of(gain: Estimate) -> Verdict:
    """Return what a measured gain in a metric that should be high says."""
    assert gain.low is not None
    assert gain.high is not None
    return "helps" if gain.low > 0 else "hurts" if gain.high < 0 else "no measurable gain"


def _plain(estimate: Estimate) -> dict[str, Any]:
    return {key: value for key, value in estimate.to_dict().items() if key != "curves"}
