"""Diversity: does the synthetic table still show everything that the training part shows often enough?

Rare things go first when a generator is poor or feeds on its own output, and averages hide it. So there are averages
(coverage of categories, different rows, mass in the tails, recall), and beside them the one thing that an average over
hundreds of categories hides: the largest category that is gone.

Numbers of things are compared at equal size: of N rows the expected number of different ones in m of them follows from
the counts alone (rarefaction, Hurlbert 1971, doi:10.2307/1934145), so a large synthetic table gains nothing by its size
and no row is left out. Only recall and precision sample rows, and say how many.

Categories with fewer than five training rows are left out throughout: a generator is asked to protect them. A missing
cell is no category.

What the training part shows is fitted once. Of the other tables only sums over rows are needed, so that they can be
counted part by part, and the few rows that recall and precision draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, hypot, log, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import betaln

from synthcli.columns import Distinct, Floats, Levels, Table, as_table, each_column, places
from synthcli.counts import Counts
from synthcli.encoding import MIN_CATEGORY_ROWS, DistanceEncoding, Points
from synthcli.metrics.estimate import (
    LEVEL,
    Direction,
    Estimate,
    Interval,
    normal_interval,
    normal_quantile,
    not_measured,
    wilson_interval,
)
from synthcli.metrics.neighbors import covered, kth_distances
from synthcli.metrics.sums import SAMPLE_ROWS, Bits, Contents, added, highest_key, joint_counts, packed
from synthcli.parallel import side_by_side
from synthcli.schema import Kind, Schema
from synthcli.seeds import generator, random_places

FAMILY = "diversity"
COVERAGE = f"{FAMILY}.category_coverage"
RARE_COVERAGE = f"{FAMILY}.rare_category_coverage"
LOST = f"{FAMILY}.lost_category"
DISTINCT = f"{FAMILY}.distinct_rows"
TAILS = f"{FAMILY}.tail_coverage"
RECALL = f"{FAMILY}.recall"
PRECISION = f"{FAMILY}.precision"
MINORITY = f"{FAMILY}.minority_share"

#: Every metric of the family with its direction, in the order of the report.
METRICS: dict[str, Direction] = {
    COVERAGE: "higher",
    RARE_COVERAGE: "higher",
    LOST: "lower",
    DISTINCT: "higher",
    TAILS: "target",
    RECALL: "higher",
    PRECISION: "higher",
    MINORITY: "target",
}

RARE_SHARE = 0.01
TAIL_SHARE = 0.005
MIN_TAIL_ROWS = 200  # so that at least one training row lies beyond each quantile
MIN_TAIL_VALUES = 20
NEIGHBORS = 5
MAX_POINTS = 5_000
MIN_POINTS = 20  # of fewer rows the fifth neighbour is no neighbour
MIN_BLOCK = 25
MAX_BLOCKS = 20
MAX_CLASSES = 50
DESIGN_EFFECT = 2.0
_ROUNDING = 1e-13  # below which share of its terms a sum of floats is nought


def measure_diversity(
    train: Table | pl.DataFrame,
    holdout: Table | pl.DataFrame,
    synthetic: Table | pl.DataFrame,
    schema: Schema,
    *,
    target: str | None,
    seed: int,
    encoding: DistanceEncoding | None = None,
) -> tuple[Estimate, ...]:
    """Measure every metric of the family; of each, the table's own estimate first, then those of its columns.

    ``encoding`` is the distance encoding of train and holdout pooled; without one it is fitted here.
    """
    train, holdout, synthetic = as_table(train), as_table(holdout), as_table(synthetic)
    counter = DiversityCounter.fit(train, schema, target=target, rows=synthetic.height)
    drawn = Drawn.of(train, holdout, synthetic, schema, seed=seed, encoding=encoding)
    return counter.conclude(counter.sized(holdout.height).count(holdout), counter.count(synthetic), drawn)


@dataclass(frozen=True, slots=True, eq=False)
class DiversityCounter:
    """What the training part shows, and the counting of tables by it.

    Attributes
    ----------
    train_rows
        Number of training rows.
    categories
        Of each categorical and boolean column what five training rows or more show.
    ends
        Of each numeric and datetime column where its tails begin, or why that cannot be said.
    smallest
        The smallest class of the target, or why there is none.
    highest
        Rows are counted whose key lies at or below this one.
    """

    schema: Schema
    train_rows: int
    categories: tuple[Categories, ...]
    ends: dict[str, tuple[float, float] | str]
    smallest: Class | str
    highest: int

    @classmethod
    def fit(
        cls, train: Table, schema: Schema, *, target: str | None, rows: int, limit: int = SAMPLE_ROWS
    ) -> DiversityCounter:
        """Learn what there is, to count a table of ``rows`` rows in whole or in parts.

        Of more than ``limit`` rows the different ones among about ``limit`` are looked at.
        """
        ordered = [column.name for column in schema.modelled if column.ordered]
        ends = each_column(lambda name: tail_ends(train.distinct(name).finite), ordered, (train,))
        return cls(
            schema,
            train.height,
            frequent_categories(train, schema),
            dict(zip(ordered, ends, strict=True)),
            smallest_class(train, schema, target),
            highest_key(rows, limit),
        )

    def sized(self, rows: int, limit: int = SAMPLE_ROWS) -> DiversityCounter:
        """Return the same counter for a table of another number of rows."""
        return replace(self, highest=highest_key(rows, limit))

    def count(self, part: Table) -> DiversityCounts:
        """Count a table, or some of its rows."""
        tailed = self.tailed
        beyond = each_column(lambda name: _beyond(part.numbers(name), *tailed[name]), list(tailed), (part,))
        return DiversityCounts(
            part.height,
            rows_of_each(part, self.categories),
            joint_counts([known for known, _ in beyond] + [outer for _, outer in beyond]),
            Contents.of(part.row_keys(column.name for column in self.schema.modelled), self.highest),
            _class_rows(part, self.smallest),
        )

    def conclude(self, holdout: DiversityCounts, synthetic: DiversityCounts, drawn: Drawn) -> tuple[Estimate, ...]:
        """Return the estimates of the whole family from the counts of both tables, and rows of all three."""
        rows = (self.train_rows, holdout.rows, synthetic.rows)
        if not min(rows):
            return tuple(_missing(name, "a table has no rows") for name in METRICS)
        supports = Supports.of(self.categories, rows, holdout.categories, synthetic.categories)
        return (
            *category_coverage(supports),
            *rare_category_coverage(supports),
            *lost_category(supports),
            *different_rows(holdout.contents, synthetic.contents, self.schema),
            *tail_coverage(self, holdout, synthetic),
            *recall_and_precision(drawn, self.schema, (self.train_rows, synthetic.rows)),
            *minority_share(self, holdout, synthetic),
        )

    @property
    def tailed(self) -> dict[str, tuple[float, float]]:
        """The columns that have tails, and where these begin."""
        return {name: ends for name, ends in self.ends.items() if not isinstance(ends, str)}


@dataclass(frozen=True, slots=True, eq=False)
class DiversityCounts:
    """What the family needs to know of a table's rows; counts of two parts add up to those of both.

    Attributes
    ----------
    rows
        Number of rows.
    categories
        For each categorical and boolean column the rows of each category that the counter knows.
    tails
        Of the columns with tails, rows in which two things are so together: first that each has a value, then that this
        lies beyond the ends; of shape (2 columns, 2 columns), on the diagonal each by itself.
    contents
        The different rows.
    target
        Rows of the smallest class, and rows with a class.
    """

    rows: int
    categories: tuple[Counts, ...]
    tails: Counts
    contents: Contents
    target: Counts

    def __add__(self, other: DiversityCounts) -> DiversityCounts:
        """Return the counts of both sets of rows."""
        return DiversityCounts(
            self.rows + other.rows,
            tuple(added(one, another) for one, another in zip(self.categories, other.categories, strict=True)),
            added(self.tails, other.tails),
            self.contents + other.contents,
            added(self.target, other.target),
        )


# --- categories ---


class Categories(NamedTuple):
    """The categories of one column that five training rows or more show, and how many show each."""

    column: str
    values: pl.Series
    rows: Counts


def frequent_categories(train: Table, schema: Schema) -> tuple[Categories, ...]:
    """Return what five training rows or more show of every categorical and boolean column."""

    def frequent(name: str) -> Categories:
        levels = train.levels(name)
        enough = levels.counts >= MIN_CATEGORY_ROWS
        return Categories(name, levels.values.filter(pl.Series(enough)), levels.counts[enough])

    names = [column.name for column in schema.modelled if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN)]
    return tuple(each_column(frequent, names, (train,)))


def rows_of_each(part: Table, categories: Sequence[Categories]) -> tuple[Counts, ...]:
    """Return for each column how many rows show each of its categories."""
    values = {each.column: each.values for each in categories}
    return tuple(each_column(lambda name: rows_of(part.levels(name), values[name]), list(values), (part,)))


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """The categories of one column that five training rows or more show: their rows in each table, in one order."""

    column: str
    train: Counts
    holdout: Counts
    synthetic: Counts

    def where(self, kept: npt.NDArray[np.bool_]) -> Support:
        """Return the support of the categories marked in ``kept``."""
        return Support(self.column, self.train[kept], self.holdout[kept], self.synthetic[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Supports:
    """The supports of all categorical and boolean columns, and the numbers of rows behind them."""

    columns: tuple[Support, ...]
    train_rows: int
    holdout_rows: int
    synthetic_rows: int

    @classmethod
    def of(cls, known: Sequence[Categories], rows: tuple[int, int, int], *sides: Sequence[Counts]) -> Supports:
        """Put the counts of holdout and synthetic rows beside the training part's; ``rows`` are those of all three."""
        pairs = zip(known, *sides, strict=True)
        return cls(tuple(Support(each.column, each.rows, fresh, made) for each, fresh, made in pairs), *rows)

    @property
    def size(self) -> int:
        """The number of rows at which synthetic and holdout rows are compared."""
        return min(self.synthetic_rows, self.holdout_rows)

    @property
    def levels(self) -> int:
        """The number of categories in all columns together."""
        return sum(len(support.train) for support in self.columns)


def count_categories(train: Table, holdout: Table, synthetic: Table, schema: Schema) -> Supports:
    """Count in each table the rows of every category that the training part shows in five rows or more."""
    known, rows = frequent_categories(train, schema), (train.height, holdout.height, synthetic.height)
    return Supports.of(known, rows, rows_of_each(holdout, known), rows_of_each(synthetic, known))


def category_coverage(supports: Supports) -> tuple[Estimate, ...]:
    """Measure the share of the training part's categories (5 rows or more) that the synthetic rows show.

    The expected share in ``min(n_synthetic, n_holdout)`` rows, of every categorical and boolean column and as their
    mean; 0 to 1, 1 is best. The reference is the same for the holdout. The interval takes the counts for Poisson:
    another draw of the synthetic rows shows a category that has count c in m rows with probability 1 - e^-c.
    """
    return _coverages(COVERAGE, supports, "with 5 training rows")


def rare_category_coverage(supports: Supports) -> tuple[Estimate, ...]:
    """Measure :func:`category_coverage` over the categories with less than 1 % of the training rows."""
    limit = RARE_SHARE * supports.train_rows
    rare = tuple(support.where(support.train < limit) for support in supports.columns)
    found = Supports(rare, supports.train_rows, supports.holdout_rows, supports.synthetic_rows)
    return _coverages(RARE_COVERAGE, found, "with 5 training rows and less than 1 % of them")


def lost_category(supports: Supports) -> tuple[Estimate, ...]:
    """Measure the largest share of training rows in one category that the synthetic table never shows.

    0 where none is lost, which is best, and the reference. The p-value is exact: if c of n training and none of m
    synthetic rows show a category, then under one law for all n + m rows the c fall among the n with probability
    C(n, c)/C(n + m, c). It is multiplied by the number of categories looked at (Bonferroni), those of all columns also
    where one column is meant, so that a rule over all columns keeps its level. The interval is Wilson's, of the
    category's share of training rows; where none is lost, it leaves open what n training rows may never have shown.
    """
    if not supports.levels:
        return _unsupported(LOST, supports, "with 5 training rows")
    measured = [support for support in supports.columns if len(support.train)]
    worst = [int(support.train[support.synthetic == 0].max(initial=0)) for support in measured]
    found = [_lost(supports, max(worst), supports.levels, ())]
    found += [
        _lost(supports, count, len(support.train), (support.column,))
        for support, count in zip(measured, worst, strict=True)
    ]
    return (*found, *_without_support(LOST, supports, "with 5 training rows"))


def emission_chances(counts: Counts, rows: int, size: int) -> Floats:
    """Return for each category the chance to be among ``size`` of ``rows`` rows, of which ``counts`` show it.

    1 - C(rows - count, size)/C(rows, size), drawn without replacement; 0 for a count of 0, 1 where size == rows and
    the count is positive. ``size`` lies in [0, rows].
    """
    return np.where(counts == 0, 0.0, -np.expm1(_log_missed(counts, rows, size)))


def chance_of_loss(count: int, train_rows: int, synthetic_rows: int) -> float:
    """Return the chance that all ``count`` rows of a category fall among the training rows, one law given for all."""
    return float(np.exp(_log_missed(np.array([count]), train_rows + synthetic_rows, synthetic_rows))[0])


def _log_missed(counts: Counts, rows: int, size: int) -> Floats:
    """Return log C(rows - count, size)/C(rows, size); -inf where no draw can miss.

    As a ratio of beta functions: of 10^8 rows, factorials would leave of a small chance no more than three digits.
    """
    possible = (counts > 0) & (rows - counts >= size)
    safe = np.where(possible, counts, 1)
    log_missed = betaln(rows - safe + 1, safe) - betaln(np.maximum(rows - size - safe + 1, 1), safe)
    return np.where(possible, np.minimum(log_missed, 0.0), np.where(counts > 0, -np.inf, 0.0))


def rows_of(levels: Levels, values: pl.Series) -> Counts:
    """Return how many rows show each of ``values``."""
    place = places(values, levels.values)
    return np.where(place < 0, 0, np.append(levels.counts, 0)[place])


def _coverages(name: str, supports: Supports, which: str) -> tuple[Estimate, ...]:
    measured = [support for support in supports.columns if len(support.train)]
    if not measured:
        return _unsupported(name, supports, which)
    size, many = supports.size, len(measured)
    value, reference = (
        [_covered_share(getattr(support, side), rows, size) for support in measured]
        for side, rows in (("synthetic", supports.synthetic_rows), ("holdout", supports.holdout_rows))
    )
    detail = (
        f"share of {_plural(supports.levels, 'category')} {which} in {_plural(many, 'column')} that {size:,} rows show"
    )
    found = [_coverage(name, size, _mean(value), _mean(reference), detail, ())]
    for support, own, rival in zip(measured, value, reference, strict=True):
        detail = f"share of {_plural(len(support.train), 'category')} {which} that {size:,} rows show"
        found.append(_coverage(name, size, own, rival, detail, (support.column,)))
    return (*found, *_without_support(name, supports, which))


class _Share(NamedTuple):
    value: float
    se: float


def _covered_share(counts: Counts, rows: int, size: int) -> _Share:
    """Return one column's expected coverage in ``size`` of the ``rows`` rows, and its standard error."""
    missed = np.exp(-counts * (size / rows)) * (counts > 0)
    share = float(emission_chances(counts, rows, size).mean())
    return _Share(share, sqrt(float((missed * (1 - missed)).sum())) / len(counts))


def _mean(shares: Sequence[_Share]) -> _Share:
    """Return the mean of independent shares."""
    values, errors = np.array(shares).T
    return _Share(float(values.mean()), float(np.linalg.norm(errors)) / len(shares))


def _coverage(name: str, size: int, own: _Share, rival: _Share, detail: str, columns: tuple[str, ...]) -> Estimate:
    """Return an estimate of something whose floor is 0 and whose reference is the holdout's."""
    low, high = normal_interval(own.value, own.se, (0.0, 1.0))
    return Estimate(
        name,
        FAMILY,
        own.value,
        low,
        high,
        n=size,
        direction="higher",
        range=(0.0, 1.0),
        reference=rival.value,
        reference_kind="holdout at equal size",
        reference_se=rival.se,
        floor=0.0,
        gap_se=rival.se,
        detail=detail,
        columns=columns,
    )


def _lost(supports: Supports, count: int, levels: int, columns: tuple[str, ...]) -> Estimate:
    """Return the loss of a category with ``count`` training rows, the largest of ``levels`` (0: none is lost)."""
    rows = supports.train_rows
    chance = chance_of_loss(count, rows, supports.synthetic_rows) if count else 1.0
    low, high = wilson_interval(count, rows)
    lost = f"the largest category never shown has {count:,} of {rows:,} training rows" if count else "none is lost"
    return Estimate(
        LOST,
        FAMILY,
        count / rows,
        low,
        high,
        n=supports.synthetic_rows,
        direction="lower",
        range=(0.0, 1.0),
        p_value=min(1.0, chance * supports.levels),
        reference=0.0,
        reference_kind="no category lost",
        detail=f"of {_plural(levels, 'category')} with 5 training rows {lost}",
        columns=columns,
    )


def _unsupported(name: str, supports: Supports, which: str) -> tuple[Estimate, ...]:
    reason = f"no column has a category {which}"
    return (_missing(name, reason, n=supports.size), *_without_support(name, supports, which))


def _without_support(name: str, supports: Supports, which: str) -> list[Estimate]:
    reason, bare = f"no category {which}", [support for support in supports.columns if not len(support.train)]
    return [_missing(name, reason, columns=(support.column,)) for support in bare]


def _missing(name: str, reason: str, *, n: int = 0, columns: tuple[str, ...] = ()) -> Estimate:
    return not_measured(name, FAMILY, reason, n=n, direction=METRICS[name], columns=columns)


def _plural(count: int, noun: str) -> str:
    many = {"category": "categories", "class": "classes"}.get(noun, f"{noun}s")
    return f"{count:,} {noun if count == 1 else many}"


# --- rows ---


def distinct_rows(holdout: Table, synthetic: Table, schema: Schema) -> tuple[Estimate, ...]:
    """Measure :func:`different_rows` of two tables."""
    names = [column.name for column in schema.modelled]
    fresh, made = (Contents.of(table.row_keys(names)) for table in (holdout, synthetic))
    return different_rows(fresh, made, schema)


def different_rows(holdout: Contents, synthetic: Contents, schema: Schema) -> tuple[Estimate, ...]:
    """Measure the expected share of different rows among ``m = min(n_synthetic, n_holdout)`` rows.

    Over all modelled columns and from all rows, by rarefaction; above 0 to 1. The reference is the same for the
    holdout, and a few rows repeated many times lie far below it. Standard errors: the delete-one jackknife in closed
    form, at least what "no repeat was seen" leaves open (rule of three), and that of a sample of the contents.
    """
    if not schema.modelled:
        return (_missing(DISTINCT, "the table has no column to measure"),)
    size = min(holdout.rows, synthetic.rows)
    own, rival = distinct_share(synthetic, size), distinct_share(holdout, size)
    detail = f"share of {size:,} rows that are different ones{synthetic.source}"
    return (_coverage(DISTINCT, size, own, rival, detail, ()),)


def distinct_share(contents: Contents, size: int) -> _Share:
    """Return the expected share of different ones among ``size`` of all rows, and its standard error.

    Of a sample the sum is divided by its chance; each content being drawn by itself, that adds the variance
    Σ chance(c)² (1 - p)/p² (Horvitz and Thompson 1952). "No repeat was seen" is then said of the sample alone.
    """
    rows, chance = contents.rows, contents.chance
    counts, kinds = np.unique(contents.counts, return_counts=True)
    shown = emission_chances(counts, rows, size)
    share = min(1.0, float(kinds @ shown) / chance / size)  # rounding may pass 1, and so may a sample
    drawn = sqrt(float(kinds @ shown**2) * (1 - chance)) / chance / size
    return _Share(share, max(hypot(_distinct_se(counts, kinds, rows, size), drawn), 1.5 / chance / size))


def _distinct_se(counts: Counts, kinds: Counts, rows: int, size: int) -> float:
    """Return the jackknife's standard error; ``kinds`` different rows occur ``counts`` times each.

    Without one row that occurs c times the expected number changes by chance(c) - chance(c - 1), at one row less. Of a
    sample the rows in it stand for all.
    """
    if rows < 2 or not len(counts):
        return 0.0
    smaller = min(size, rows - 1)
    loss = emission_chances(counts, rows - 1, smaller) - emission_chances(counts - 1, rows - 1, smaller)
    weights = counts * kinds / int(counts @ kinds)
    spread = float(weights @ (loss - weights @ loss) ** 2)
    return sqrt((rows - 1) * spread) / smaller


# --- tails ---


def tail_coverage(
    counter: DiversityCounter, holdout: DiversityCounts, synthetic: DiversityCounts
) -> tuple[Estimate, ...]:
    """Measure the mass of synthetic values beyond the training part's .5 % and 99.5 % quantiles less the holdout's.

    -1 to 1, 0 is right, below it the tails are lost: of each numeric and datetime column's non-missing values, and as
    the mean over columns. Strictly beyond: where a heap of equal values lies at an end, nothing lies beyond it in
    either real table and that end counts only what the synthetic rows invent; a column with heaps at both ends is not
    measured. Intervals: Newcombe's difference of two score intervals (1998, Stat. Med. 17:873), for the mean with as
    many rows as its variance over rows stands for.
    """
    own, rival = (_Mass(side.tails, side.rows, ()) for side in (synthetic, holdout))
    found: list[Estimate] = []
    tailed = list(counter.tailed)
    for name, ends in counter.ends.items():
        if isinstance(ends, str):
            found.append(_missing(TAILS, ends, columns=(name,)))
            continue
        made, fresh = own.of(tailed.index(name)), rival.of(tailed.index(name))
        if not (made.known and fresh.known):
            found.append(_missing(TAILS, "a table has no value in this column", columns=(name,)))
            continue
        found.append(_tail_estimate(made, fresh, columns=(name,)))
        own, rival = own.plus(made), rival.plus(fresh)
    if not own.columns:
        return (_missing(TAILS, "no numeric or datetime column has enough different values"), *found)
    return (_tail_estimate(own, rival, columns=()), *found)


def tail_ends(column: Distinct) -> tuple[float, float] | str:
    """Return the training values at the .5 % and 99.5 % quantiles, or why they tell nothing."""
    rows = column.rows
    if rows < MIN_TAIL_ROWS:
        return f"fewer than {MIN_TAIL_ROWS} training values"
    if len(column.values) < MIN_TAIL_VALUES:
        return f"fewer than {MIN_TAIL_VALUES} different training values"
    beyond = int(np.ceil(TAIL_SHARE * (rows - 1)))
    low, high = column.ranked(beyond), column.ranked(rows - 1 - beyond)
    if low == column.values[0] and high == column.values[-1]:
        return "no training value beyond the quantiles: equal values lie in heaps at both ends"
    return low, high


def _beyond(values: Floats, low: float, high: float) -> tuple[Bits, Bits]:
    """Return which values are known, which is finite, and which of these lie beyond the ends."""
    known = np.isfinite(values)
    return packed(known), packed(known & ((values < low) | (values > high)))


class _Mass(NamedTuple):
    """The mass beyond two ends, as the mean over some of the columns that ``tails`` counts in ``rows`` rows."""

    tails: Counts
    rows: int
    columns: tuple[int, ...]

    def of(self, column: int) -> _Mass:
        """Return the mass of one column."""
        return self._replace(columns=(column,))

    def plus(self, other: _Mass) -> _Mass:
        """Return the mean over both's columns."""
        return self._replace(columns=self.columns + other.columns)

    @property
    def known(self) -> int:
        """The smallest number of known values in a column."""
        return int(np.diagonal(self.tails)[list(self.columns)].min())

    @property
    def masses(self) -> Floats:
        """The mass of each column."""
        both, columns = np.diagonal(self.tails), np.array(self.columns)
        masses: Floats = both[columns + len(both) // 2] / both[columns]
        return masses

    @property
    def mean(self) -> float:
        return float(self.masses.mean())

    @property
    def variance(self) -> float:
        """The mean's variance over rows, which may hold several columns' values beyond their ends.

        A row's influence on the mean is Σ (beyond - mass · known)/n over columns with n known values each, divided by
        their number. The sum of its squares is a quadratic form in the counts of what is so together.
        """
        columns = np.array(self.columns)
        known = np.diagonal(self.tails)[columns]
        weights = np.concatenate([-self.masses / known, 1 / known]) / len(columns)
        chosen = np.concatenate([columns, columns + len(self.tails) // 2])
        terms = weights[:, None] * self.tails[np.ix_(chosen, chosen)] * weights
        total = float(terms.sum())
        return total if total > _ROUNDING * float(np.abs(terms).sum()) else 0.0

    @property
    def interval(self) -> Interval:
        """The score interval of as many independent rows as the mean's variance stands for."""
        binomial, variance = self.mean * (1 - self.mean), self.variance
        return _score_interval(self.mean, binomial / variance if binomial > 0 and variance else self.known)


def _tail_estimate(own: _Mass, rival: _Mass, *, columns: tuple[str, ...]) -> Estimate:
    value, mine, theirs = own.mean - rival.mean, own.interval, rival.interval
    below = sqrt((own.mean - mine.low) ** 2 + (theirs.high - rival.mean) ** 2)
    above = sqrt((mine.high - own.mean) ** 2 + (rival.mean - theirs.low) ** 2)
    where = "" if columns else f", mean over {_plural(len(own.columns), 'column')}"
    return Estimate(
        TAILS,
        FAMILY,
        value,
        max(-1.0, value - below),
        min(1.0, value + above),
        n=own.known if columns else own.rows,
        direction="target",
        range=(-1.0, 1.0),
        reference=0.0,
        reference_kind="the mass of the holdout",
        detail=f"{own.mean:.3%} of synthetic and {rival.mean:.3%} of holdout values beyond train's .5 and 99.5 % "
        f"quantiles{where}",
        columns=columns,
    )


def _score_interval(share: float, trials: float) -> Interval:
    """Return Wilson's interval of a share whose variance is that of ``trials`` independent rows, not always whole."""
    z = normal_quantile(0.5 + LEVEL / 2)
    z2n = z * z / trials
    centre = (share + z2n / 2) / (1 + z2n)
    half = z * sqrt(share * (1 - share) / trials + z2n / (4 * trials)) / (1 + z2n)
    return Interval(min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


# --- neighbours ---


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Random rows of each side, equally many and in random order, with what measures their distances.

    The modelled columns of ``size`` rows a side, at most 5,000.
    """

    size: int
    train: pl.DataFrame
    holdout: pl.DataFrame
    synthetic: pl.DataFrame
    encoding: DistanceEncoding
    seed: int

    @classmethod
    def of(
        cls,
        train: Table,
        holdout: Table,
        synthetic: Table,
        schema: Schema,
        *,
        seed: int,
        encoding: DistanceEncoding | None = None,
    ) -> Drawn:
        """Draw from tables at hand, of which the synthetic one may be a random part of all synthetic rows."""
        names = [column.name for column in schema.modelled]
        size = min(train.height, holdout.height, synthetic.height, MAX_POINTS)
        sides = (("train", train), ("holdout", holdout), ("synthetic", synthetic))
        real, fresh, made = (
            table.take(random_places(table.height, size, generator(seed, FAMILY, side)), names) for side, table in sides
        )
        return cls(size, real, fresh, made, encoding or DistanceEncoding.over((train, holdout), schema), seed)


def recall_and_precision(drawn: Drawn, schema: Schema, rows: tuple[int, int]) -> tuple[Estimate, ...]:
    """Measure recall and precision by nearest neighbours, 0 to 1, higher is better; a holdout's are the reference.

    Precision is the share of synthetic rows that lie within the distance from some training row to its fifth
    neighbour; recall is the share of training rows that lie so near to some synthetic row (Kynkäänniemi et al. 2019,
    arXiv:1904.06991). All sides are cut to one size, at most 5,000 seeded rows, as both shares depend on it; ``rows``
    are the numbers of all training and synthetic rows. Distances are between ranks: a value beyond the real range is as
    far out as its end, so precision does not see it.

    Rows share neighbours, so their hits are not independent: score interval with the variance of a binomial one times
    a design effect (:func:`_design_effect`).
    """
    size = drawn.size
    if not schema.modelled or size < MIN_POINTS:
        reason = f"fewer than {MIN_POINTS} rows on a side" if schema.modelled else "the table has no column to measure"
        return tuple(_missing(name, reason, n=size) for name in (RECALL, PRECISION))
    samples = (drawn.train, drawn.holdout, drawn.synthetic)
    points = drawn.encoding.encode(pl.concat(samples, how="vertical_relaxed"))
    real, fresh, made = side_by_side(
        _Balls.around, [points[start : start + size] for start in range(0, 3 * size, size)]
    )
    (near_made, made_near), (near_fresh, fresh_near) = side_by_side(real.and_cover, (made, fresh))
    sizes = f"{size:,} of {rows[0]:,} training and of {rows[1]:,} synthetic rows, k = {NEIGHBORS}"
    shares = {
        RECALL: (near_made, near_fresh, f"training rows near a synthetic row; {sizes}"),
        PRECISION: (made_near, fresh_near, f"synthetic rows near a training row; {sizes}"),
    }
    return tuple(_neighbor_estimate(name, size, *found, drawn.seed) for name, found in shares.items())


class _Cover(NamedTuple):
    """A covered share, and the number of independent rows that its variance stands for."""

    share: float
    rows: float

    @property
    def se(self) -> float:
        """The standard error; where no row or every row is covered, that of one row among them."""
        share = min(max(self.share, 1 / self.rows), 1 - 1 / self.rows)
        return sqrt(share * (1 - share) / self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Balls:
    """Points, each with the distance to its fifth neighbour among them as a radius."""

    points: Points
    radii: Counts

    @classmethod
    def around(cls, points: Points) -> _Balls:
        return cls(points, kth_distances(points, NEIGHBORS))

    def shares(self, other: _Balls) -> tuple[float, float]:
        """Return the share of these points that lie in some ball of the others, and of theirs in one of these."""
        here, there = covered(self.points, self.radii, other.points, other.radii)
        return float(here.mean()), float(there.mean())

    def and_cover(self, other: _Balls) -> tuple[_Cover, _Cover]:
        """Return :meth:`shares` with the rows that they are worth."""
        effects = _design_effects(self.points, other.points)
        found = zip(self.shares(other), (self.points, other.points), effects, strict=True)
        one, another = (_Cover(share, points.rows / effect) for share, points, effect in found)
        return one, another


def _design_effects(one: Points, other: Points) -> list[float]:
    """Return by how much either covered share varies more than a binomial share of as many rows; at least 2.

    Both sides are cut into disjoint blocks, up to 20 of at least 25 rows, and the share is measured within each pair
    of blocks: their variance over the binomial one of a block (Politis & Romano 1994, doi:10.1214/aos/1176325770).
    Between samples of one law it was 1 to 2.2 for 2 to 50 continuous columns and 30 to 1,600 rows, up to 3 for mixed
    columns at shares above .99; intervals then held the mean of 150 sets in 93 to 99 % of them.
    """
    blocks = min(MAX_BLOCKS, one.rows // MIN_BLOCK)
    if blocks < 2:
        return [DESIGN_EFFECT, DESIGN_EFFECT]
    parts = np.array_split(np.arange(one.rows), blocks)
    shares = np.array([_Balls.around(one[part]).shares(_Balls.around(other[part])) for part in parts])
    means = shares.mean(axis=0)
    binomial = means * (1 - means) * blocks / one.rows
    spread = shares.var(axis=0, ddof=1)
    return [max(DESIGN_EFFECT, s / b) if b else DESIGN_EFFECT for s, b in zip(spread, binomial, strict=True)]


def _neighbor_estimate(name: str, size: int, own: _Cover, rival: _Cover, detail: str, seed: int) -> Estimate:
    low, high = _score_interval(own.share, own.rows)
    return Estimate(
        name,
        FAMILY,
        own.share,
        low,
        high,
        n=size,
        direction="higher",
        range=(0.0, 1.0),
        reference=rival.share,
        reference_kind="holdout at equal size",
        reference_se=rival.se,
        detail=detail,
        seed=seed,
    )


# --- the smallest class ---


class Class(NamedTuple):
    """The target's smallest class: its value, alone in a series, its training rows, and those that have a class."""

    column: str
    value: pl.Series
    rows: int
    known: int


def smallest_class(train: Table, schema: Schema, target: str | None) -> Class | str:
    """Return the smallest of the target's classes with five training rows or more, or why there is none to measure."""
    column = schema[target] if target in schema and target is not None else None
    if column is None or column.kind not in (Kind.CATEGORICAL, Kind.BOOLEAN):
        return "no target is set" if target is None else "the target is not a class"
    levels = train.levels(column.name)
    classes, kept = len(levels.values), int(np.count_nonzero(levels.counts >= MIN_CATEGORY_ROWS))
    if not 2 <= classes <= MAX_CLASSES or kept < 2:
        reason = f"the target has {_plural(classes, 'class')}, {kept:,} with {MIN_CATEGORY_ROWS} training rows"
        return f"{reason}; 2 are needed, and at most {MAX_CLASSES}"
    fewest = levels.counts[kept - 1]
    value = levels.values.filter(pl.Series(levels.counts == fewest)).head(1)
    return Class(column.name, value, int(fewest), int(levels.counts.sum()))


def _class_rows(part: Table, smallest: Class | str) -> Counts:
    """Return how many rows are of the class, and how many have a class."""
    if isinstance(smallest, str):
        return np.zeros(2, dtype=np.int64)
    levels = part.levels(smallest.column)
    return np.array([rows_of(levels, smallest.value)[0], levels.counts.sum()], dtype=np.int64)


def minority_share(
    counter: DiversityCounter, holdout: DiversityCounts, synthetic: DiversityCounts
) -> tuple[Estimate, ...]:
    """Measure the smallest target class's share of synthetic rows over its share of training rows; 1 is right.

    At least 0; of the rows whose target is not missing, and of the classes with five training rows or more. Interval:
    the delta method on the log of the ratio, with half a row added to every count where no synthetic row shows the
    class (Walter 1975, doi:10.1093/biomet/62.2.371); its low end is then 0.
    """
    smallest = counter.smallest
    if isinstance(smallest, str):
        return (_missing(MINORITY, smallest),)
    (fresh, fresh_known), (made, known) = holdout.target.tolist(), synthetic.target.tolist()
    if not known:
        return (_missing(MINORITY, "every synthetic row lacks the target"),)
    return (_ratio_estimate([smallest.rows, fresh, made], [smallest.known, fresh_known, known]),)


def _ratio_estimate(shows: list[int], known: list[int]) -> Estimate:
    """Return the estimate from rows with the class and rows with a known target in train, holdout and synthetic."""
    base = shows[0] / known[0]
    value = shows[2] / known[2] / base
    low, high = ratio_interval(shows[2], known[2], shows[0], known[0])
    fresh = f"; the holdout's ratio is {shows[1] / known[1] / base:.3f}" if known[1] else ""
    return Estimate(
        MINORITY,
        FAMILY,
        value,
        low,
        high,
        n=known[2],
        direction="target",
        range=(0.0, None),
        reference=1.0,
        reference_kind="its share of training rows",
        detail=f"the smallest class has {shows[2]:,} of {known[2]:,} synthetic and {shows[0]:,} of {known[0]:,} "
        f"training rows{fresh}",
    )


def ratio_interval(count: int, rows: int, base_count: int, base_rows: int) -> Interval:
    """Return the interval of the ratio of two shares, count/rows over base_count/base_rows; ``base_count`` > 0."""
    added = 0.0 if count else 0.5
    a, m, c, n = count + added, rows + added, base_count + added, base_rows + added
    ratio = log(a / m) - log(c / n)
    half = normal_quantile(0.5 + LEVEL / 2) * sqrt(max(0.0, 1 / a - 1 / m + 1 / c - 1 / n))
    return Interval(exp(ratio - half) if count else 0.0, exp(ratio + half))
