"""The ruler: one output of n rows held against the real holdout.

Every output has the same number of rows, and so have the real rows that are measured as generation 0, so that what a
finite sample costs is in all of them alike and cancels where generations are compared. The holdout is the other side
throughout; bins, tail ends and the list of categories come from the training part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import ceil, log, sqrt
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.collapse.measures import MAX_POINTS
from synthcli.columns import Table
from synthcli.counts import combined_codes
from synthcli.encoding import MIN_CATEGORY_ROWS, Codes, CountEncoding, DistanceEncoding, Points
from synthcli.metrics.accuracy import cramers_v, total_variation
from synthcli.metrics.boosting import side_by_side
from synthcli.metrics.diversity import NEIGHBORS, RARE_SHARE, rows_of, tail_ends
from synthcli.metrics.neighbors import covered, kth_distances
from synthcli.metrics.similarity import two_sample_test
from synthcli.metrics.utility import trained_score
from synthcli.schema import Kind, Schema
from synthcli.seeds import generator, stage_seed

Floats = NDArray[np.float64]
#: By column, a value; that of the table stands under no name.
Found = Mapping[str, float]

TABLE = ""
#: The smallest variance ratio that is told: a constant column has none at all.
_LEAST_RATIO = 1e-6
_MAX_PAIRS = 2_000  # of columns whose dependence is measured, drawn at random where there are more
_MIN_POINTS = 20
_TREES = 50  # iterations of the classifier that tells output from holdout
#: Categories whose survival is drawn: of all columns, and of each; columns whose density is, and its bins.
_TRACKED, _TRACKED_EACH = 40, 8
_OUTLINED, _OUTLINE_BINS, _OUTLINE_TAIL = 4, 26, 0.01


class Observation(NamedTuple):
    """What was found in one output: metrics in the order of ``Ruler.names``, and what pictures show.

    ``shown`` says of each of the ruler's tracked categories whether the output shows it; ``densities`` are the shares
    of values in the ruler's outline bins, one row a column.
    """

    values: Floats
    shown: NDArray[np.bool_]
    densities: Floats


@dataclass(frozen=True, slots=True)
class Category:
    """A category whose survival is drawn: its column, its value as text, and its share of training rows."""

    column: str
    text: str
    share: float


@dataclass(frozen=True, eq=False)
class _Output:
    """One output, by what several metrics read of it."""

    table: Table
    ruler: Ruler

    @cached_property
    def codes(self) -> Codes:
        return self.ruler.encoding.encode(self.table)

    @cached_property
    def near(self) -> tuple[float, float]:
        """The share of holdout rows near to an output row, and of output rows near to a holdout row."""
        encoding, real, radii = self.ruler.points
        # An output's rows come in no order, so that the first ones are a sample.
        made = encoding.encode(self.table.take(np.arange(self.ruler.near), encoding.names))
        here, there = covered(real, radii, made, kth_distances(made, NEIGHBORS))
        return float(here.mean()), float(there.mean())

    def known(self, name: str) -> Floats:
        """Return a column's finite numbers."""
        values = self.table.numbers(name)
        return values[np.isfinite(values)]


@dataclass(frozen=True, eq=False)
class Ruler:
    """Holds outputs of n rows against the holdout; what depends on the real rows alone is worked out once.

    Attributes
    ----------
    threshold
        Rows that a category must be expected to have among n real ones to be counted: generators are asked to hide
        categories of fewer rows than the protection says. In all the training part it has five rows at least.
    metrics
        Names of ``MEASURES`` to measure.
    hidden
        Values at either end of a column that no picture shows: as many as the protection moves.
    """

    train: pl.DataFrame
    holdout: pl.DataFrame
    schema: Schema
    rows: int
    metrics: tuple[str, ...]
    threshold: int
    target: str | None
    exclude: tuple[str, ...]
    seed: int
    hidden: int = 5

    def measure(self, output: pl.DataFrame, wanted: Sequence[str], stage: str) -> Observation:
        """Measure ``wanted`` of the ruler's metrics; the others are NaN. ``stage`` names what is drawn at random."""
        seen = _Output(Table(output), self)
        found = {name: _MEASURED[name](self, seen, stage_seed(self.seed, stage, name)) for name in wanted}
        values = [found.get(metric, {}).get(column, np.nan) for metric, column in self.names]
        return Observation(np.array(values), self._shown(seen), self._densities(seen))

    @cached_property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Metric and column of each value; the table's own stands before those of its columns."""
        return tuple((metric, column) for metric in self.measurable for column in (TABLE, *_COLUMNS[metric](self)))

    @cached_property
    def measurable(self) -> tuple[str, ...]:
        """The metrics that this table allows to measure."""
        return tuple(metric for metric in self.metrics if self.reason(metric) is None)

    def reason(self, metric: str) -> str | None:
        """Return why a metric cannot be measured of this table, ``None`` where it can."""
        return _REASONS[metric](self)

    # --- what is known of the real rows ---

    @cached_property
    def encoding(self) -> CountEncoding:
        return CountEncoding.fit(self._train, self.schema)

    @cached_property
    def _train(self) -> Table:
        return Table(self.train)

    @cached_property
    def _holdout(self) -> _Output:
        return _Output(Table(self.holdout), self)

    @cached_property
    def shares(self) -> tuple[Floats, ...]:
        """Of each column, the holdout's shares of its codes."""
        return tuple(_shares(*one) for one in zip(self._holdout.codes, self.encoding.cardinalities, strict=True))

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs of columns whose dependence is measured."""
        every = list(combinations(range(len(self.encoding.names)), 2))
        if len(every) <= _MAX_PAIRS:
            return tuple(every)
        drawn = generator(self.seed, "collapse", "pairs").permutation(len(every))[:_MAX_PAIRS]
        return tuple(every[place] for place in np.sort(drawn))

    @cached_property
    def associations(self) -> Floats:
        """Cramér's V of each pair in the holdout."""
        return _associations(self._holdout.codes, self.encoding.cardinalities, self.pairs)

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """Columns of numbers and instants that vary in the holdout."""
        names = [column.name for column in self.schema.modelled if column.ordered]
        return tuple(name for name in names if len(np.unique(self._holdout.known(name))) > 1)

    @cached_property
    def moments(self) -> dict[str, tuple[float, float]]:
        """Of each numeric column, the holdout's mean and standard deviation."""
        found = {name: self._holdout.known(name) for name in self.numeric}
        return {name: (float(values.mean()), float(values.std(ddof=1))) for name, values in found.items()}

    @cached_property
    def ordered(self) -> dict[str, Floats]:
        """Of each numeric column, the holdout's values in ascending order."""
        return {name: np.sort(self._holdout.known(name)) for name in self.numeric}

    @cached_property
    def ends(self) -> dict[str, tuple[float, float]]:
        """Of each numeric column that has them, the training part's ends before the tails."""
        found = {name: tail_ends(self._train.distinct(name).finite) for name in self.numeric}
        return {name: ends for name, ends in found.items() if not isinstance(ends, str)}

    @cached_property
    def beyond(self) -> dict[str, float]:
        """The holdout's mass beyond these."""
        return {name: _beyond(self._holdout.known(name), *ends) for name, ends in self.ends.items()}

    @cached_property
    def categories(self) -> dict[str, tuple[pl.Series, Floats]]:
        """Of each column of categories that has any to count, these and their shares of training rows."""
        found = {}
        for column in self.schema.modelled:
            if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
                levels = self._train.levels(column.name)
                share = levels.counts / max(self.train.height, 1)
                # In whole numbers: a share's rounding must not take a category that lies at the threshold.
                expected = levels.counts * self.rows >= self.threshold * self.train.height
                kept = (levels.counts >= MIN_CATEGORY_ROWS) & expected
                if kept.any():
                    found[column.name] = (levels.values.filter(pl.Series(kept)), share[kept])
        return found

    @cached_property
    def rare(self) -> dict[str, NDArray[np.bool_]]:
        """Of each column that has any, which of its categories are rare."""
        flags = {name: share < RARE_SHARE for name, (_, share) in self.categories.items()}
        return {name: flag for name, flag in flags.items() if flag.any()}

    def least_se(self, metric: str, margin: float, chains: int) -> float:
        """Return the standard error over ``chains`` that a survival would have where just the margin is lost.

        That of a share, over as many categories as stand behind the mean over columns; of other metrics 0. A few
        categories that all chains still show are no proof that a tenth of them would not be lost.
        """
        kept = {
            "category_survival": [len(shares) for _, shares in self.categories.values()],
            "rare_category_survival": [int(flag.sum()) for flag in self.rare.values()],
        }.get(metric)
        if not kept or margin >= 1:
            return 0.0
        behind = len(kept) ** 2 / sum(1 / count for count in kept)
        return sqrt(margin * (1 - margin) / (behind * chains))

    @cached_property
    def rare_shares(self) -> Floats:
        """The shares of all rare categories, one after the other."""
        return np.concatenate([self.categories[name][1][flag] for name, flag in self.rare.items()] or [np.empty(0)])

    @cached_property
    def points(self) -> tuple[DistanceEncoding, Points, NDArray[np.int64]]:
        """The encoding of distances, the holdout's points, and the distance of each to its fifth neighbour."""
        encoding = DistanceEncoding.over((self._train, self._holdout.table), self.schema)
        drawn = generator(self.seed, "collapse", "points").permutation(self.holdout.height)[: self.near]
        points = encoding.encode(self.holdout[np.sort(drawn)])
        return encoding, points, kth_distances(points, NEIGHBORS)

    @property
    def near(self) -> int:
        """Rows of either side among which neighbours are sought."""
        return min(self.rows, self.holdout.height, MAX_POINTS)

    @cached_property
    def real_score(self) -> float | None:
        """What a model scores on the holdout that learned from n real rows; ``None`` where none can be trained."""
        drawn = generator(self.seed, "collapse", "real rows").permutation(self.train.height)[: self.rows]
        return self.score(self.train[np.sort(drawn)], stage_seed(self.seed, "collapse", "real score"))

    def score(self, learned: pl.DataFrame, seed: int) -> float | None:
        """Return what a model scores on the holdout that learned from these rows."""

        def of_rows(rows: pl.DataFrame) -> float | None:
            parts = (self.train, self.holdout, rows, self.schema)
            return trained_score(*parts, target=self.target, exclude=self.exclude, seed=seed)

        return side_by_side(of_rows, [learned])[0]  # in a thread that keeps the booster to one

    # --- what pictures show ---

    @cached_property
    def tracked(self) -> tuple[Category, ...]:
        """Categories whose survival is drawn, the rarest first: a few of each column."""
        found = [
            Category(name, str(value), float(share))
            for name, (values, shares) in self.categories.items()
            for value, share in list(zip(values.to_list(), shares, strict=True))[-_TRACKED_EACH:]
        ]
        return tuple(sorted(found, key=lambda one: (one.share, one.column, one.text))[:_TRACKED])

    def _shown(self, seen: _Output) -> NDArray[np.bool_]:
        names = {category.column for category in self.tracked}
        shown = {
            (name, str(value))
            for name in names
            for value, count in zip(self.categories[name][0], _counts(self, seen, name), strict=True)
            if count
        }
        return np.array([(category.column, category.text) in shown for category in self.tracked], dtype=np.bool_)

    @cached_property
    def outlined(self) -> dict[str, Floats]:
        """Columns whose density is drawn, with the inner edges of its bins: none is an extreme value."""
        found = {}
        for name in self.numeric[:_OUTLINED]:
            known = np.sort(self._train.numbers(name))
            known = known[np.isfinite(known)]
            beyond = max(self.hidden, MIN_CATEGORY_ROWS, ceil(_OUTLINE_TAIL * len(known)))
            if len(known) > 4 * beyond and known[beyond] < known[-1 - beyond]:
                found[name] = np.linspace(known[beyond], known[-1 - beyond], _OUTLINE_BINS - 1)
        return found

    def _densities(self, seen: _Output) -> Floats:
        found = np.zeros((len(self.outlined), _OUTLINE_BINS))
        for place, (name, edges) in enumerate(self.outlined.items()):
            known = seen.known(name)
            counted = np.bincount(np.searchsorted(edges, known, side="right"), minlength=_OUTLINE_BINS)
            found[place] = counted / max(len(known), 1)
        return found


# --- the metrics -------------------------------------------------------------------------------------------------


def _with_mean(found: Mapping[str, float], of: Callable[[float], float] = float) -> Found:
    """Return the columns' values, and their mean as the table's."""
    return {TABLE: float(np.mean([of(value) for value in found.values()])), **found}


def _tvd(ruler: Ruler, seen: _Output, seed: int) -> Found:
    sides = zip(ruler.encoding.names, seen.codes, ruler.encoding.cardinalities, ruler.shares, strict=True)
    return _with_mean({name: float(total_variation(_shares(codes, size), real)) for name, codes, size, real in sides})


def _dependence(ruler: Ruler, seen: _Output, seed: int) -> Found:
    own = _associations(seen.codes, ruler.encoding.cardinalities, ruler.pairs)
    return {TABLE: float(np.abs(own - ruler.associations).mean())}


def _category_survival(ruler: Ruler, seen: _Output, seed: int) -> Found:
    return _with_mean({name: float((_counts(ruler, seen, name) > 0).mean()) for name in ruler.categories})


def _rare_category_survival(ruler: Ruler, seen: _Output, seed: int) -> Found:
    counts = {name: _counts(ruler, seen, name)[flag] for name, flag in ruler.rare.items()}
    return _with_mean({name: float((found > 0).mean()) for name, found in counts.items()})


def _entropy(ruler: Ruler, seen: _Output, seed: int) -> Found:
    sides = zip(ruler.encoding.names, seen.codes, ruler.encoding.cardinalities, ruler.shares, strict=True)
    found = {name: (_entropy_of(_shares(codes, size)), _entropy_of(real)) for name, codes, size, real in sides}
    return _with_mean({name: own / real for name, (own, real) in found.items() if real > 0})


def _heterozygosity(ruler: Ruler, seen: _Output, seed: int) -> Found:
    """Return each column's chance; where no row has a category, no two rows differ in one."""
    counts = {name: seen.table.levels(name).counts for name in ruler.categories}
    shares = {name: found / found.sum() for name, found in counts.items()}
    return _with_mean({name: float(1 - (share**2).sum()) if len(share) else 0.0 for name, share in shares.items()})


def _log_variance_ratio(ruler: Ruler, seen: _Output, seed: int) -> Found:
    found = {}
    for name in ruler.numeric:
        known = seen.known(name)
        variance = float(known.var(ddof=1)) if len(known) > 1 else 0.0
        found[name] = log(max(variance / ruler.moments[name][1] ** 2, _LEAST_RATIO))
    return _with_mean(found)


def _mean_shift(ruler: Ruler, seen: _Output, seed: int) -> Found:
    """Return the signed shift of each column; the table's is the mean of their sizes."""
    moments = ruler.moments
    return _with_mean(
        {name: (float(_some(ruler, seen, name).mean()) - mean) / sd for name, (mean, sd) in moments.items()}, abs
    )


def _w1(ruler: Ruler, seen: _Output, seed: int) -> Found:
    found = {}
    for name, real in ruler.ordered.items():
        known = np.sort(_some(ruler, seen, name))
        grid = (np.arange(max(len(known), len(real))) + 0.5) / max(len(known), len(real))
        own, theirs = (side[(grid * len(side)).astype(np.int64)] for side in (known, real))
        found[name] = float(np.abs(own - theirs).mean()) / ruler.moments[name][1]
    return _with_mean(found)


def _tails(ruler: Ruler, seen: _Output, seed: int) -> Found:
    return _with_mean(
        {name: _beyond(seen.known(name), *ends) - ruler.beyond[name] for name, ends in ruler.ends.items()}
    )


def _recall(ruler: Ruler, seen: _Output, seed: int) -> Found:
    return {TABLE: seen.near[0]}


def _precision(ruler: Ruler, seen: _Output, seed: int) -> Found:
    return {TABLE: seen.near[1]}


def _c2st(ruler: Ruler, seen: _Output, seed: int) -> Found:
    names = [column.name for column in ruler.schema.modelled]
    told = two_sample_test(ruler.holdout, seen.table.select(names), ruler.schema, seed, ruler.rows, _TREES)
    return {} if told is None else {TABLE: told.auc}


def _tstr(ruler: Ruler, seen: _Output, seed: int) -> Found:
    names = [column.name for column in ruler.schema.modelled]
    own, real = ruler.score(seen.table.select(names), seed), ruler.real_score
    return {} if own is None or real is None else {TABLE: real - own}


_MEASURED: dict[str, Callable[[Ruler, _Output, int], Found]] = {
    "tvd": _tvd,
    "rare_category_survival": _rare_category_survival,
    "dependence": _dependence,
    "category_survival": _category_survival,
    "entropy": _entropy,
    "heterozygosity": _heterozygosity,
    "log_variance_ratio": _log_variance_ratio,
    "mean_shift": _mean_shift,
    "w1": _w1,
    "tails": _tails,
    "recall": _recall,
    "precision": _precision,
    "c2st_auc": _c2st,
    "tstr": _tstr,
}


# --- what a table allows -----------------------------------------------------------------------------------------


def _none(ruler: Ruler) -> Sequence[str]:
    return ()


def _varying(ruler: Ruler) -> Sequence[str]:
    found = zip(ruler.encoding.names, ruler.shares, strict=True)
    return [name for name, real in found if _entropy_of(real) > 0]


#: The columns that a metric has a value of, in order.
_COLUMNS: dict[str, Callable[[Ruler], Sequence[str]]] = {
    "tvd": lambda ruler: ruler.encoding.names,
    "rare_category_survival": lambda ruler: tuple(ruler.rare),
    "dependence": _none,
    "category_survival": lambda ruler: tuple(ruler.categories),
    "entropy": _varying,
    "heterozygosity": lambda ruler: tuple(ruler.categories),
    "log_variance_ratio": lambda ruler: ruler.numeric,
    "mean_shift": lambda ruler: ruler.numeric,
    "w1": lambda ruler: ruler.numeric,
    "tails": lambda ruler: tuple(ruler.ends),
    "recall": _none,
    "precision": _none,
    "c2st_auc": _none,
    "tstr": _none,
}


def _unless(condition: Callable[[Ruler], object], reason: str) -> Callable[[Ruler], str | None]:
    return lambda ruler: None if condition(ruler) else reason


_NUMBERS = _unless(lambda ruler: ruler.numeric, "no column of numbers varies")
_CATEGORIES = _unless(lambda ruler: ruler.categories, "no category is frequent enough to be counted")
_POINTS = _unless(lambda ruler: ruler.near >= _MIN_POINTS, f"fewer than {_MIN_POINTS} rows on a side")


def _no_target(ruler: Ruler) -> str | None:
    if ruler.target is None:
        return "no target: name what a model is to predict with data.target"
    return None if ruler.real_score is not None else "no model can be trained on real rows to predict the target"


#: Why a table does not allow a metric, or ``None``.
_REASONS: dict[str, Callable[[Ruler], str | None]] = {
    "tvd": lambda ruler: None,
    "rare_category_survival": _unless(
        lambda ruler: ruler.rare, "no category under 1 % of training rows is frequent enough to be counted"
    ),
    "dependence": _unless(lambda ruler: ruler.pairs, "the table has one column"),
    "category_survival": _CATEGORIES,
    "entropy": _unless(_varying, "no column varies"),
    "heterozygosity": _CATEGORIES,
    "log_variance_ratio": _NUMBERS,
    "mean_shift": _NUMBERS,
    "w1": _NUMBERS,
    "tails": _unless(lambda ruler: ruler.ends, "no column of numbers has tails to measure"),
    "recall": _POINTS,
    "precision": _POINTS,
    "c2st_auc": _POINTS,
    "tstr": _no_target,
}


# --- numbers -----------------------------------------------------------------------------------------------------


def _shares(codes: Codes, size: int) -> Floats:
    found: Floats = np.bincount(codes, minlength=size) / max(len(codes), 1)
    return found


def _entropy_of(shares: Floats) -> float:
    """Return the entropy in nats."""
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())


def _associations(codes: Codes, sizes: Sequence[int], pairs: Sequence[tuple[int, int]]) -> Floats:
    """Return Cramér's V of each pair of columns."""
    wide = codes.astype(np.int64)
    found = [
        cramers_v(np.bincount(combined_codes(wide[a], codes[b], sizes[b]), minlength=sizes[a] * sizes[b])
                  .reshape(sizes[a], sizes[b]))
        for a, b in pairs
    ]  # fmt: skip
    return np.array(found, dtype=np.float64)


def _some(ruler: Ruler, seen: _Output, name: str) -> Floats:
    """Return a column's numbers; one without any counts as one that always has the holdout's median."""
    known = seen.known(name)
    return known if len(known) else np.array([np.median(ruler.ordered[name])])


def _counts(ruler: Ruler, seen: _Output, name: str) -> NDArray[np.int64]:
    return rows_of(seen.table.levels(name), ruler.categories[name][0])


def _beyond(known: Floats, low: float, high: float) -> float:
    return float(((known < low) | (known > high)).mean()) if len(known) else 0.0
