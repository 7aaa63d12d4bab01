"""SDMetrics' quality score, computed anew: for readers who know that number and want to compare with it.

The definitions are those of the single-table ``QualityReport`` of SDMetrics 0.32 (docs.sdv.dev/sdmetrics), with their
peculiarities: a column's missing cells are left out of its shape; a pair counts only where the training part itself
shows a dependence (|r| > .5, Cramér's V > .3), so what a generator invents goes unseen; a constant synthetic number
takes its pairs out of the mean; beside a category, numbers are cut into ten equal widths *of each table's own range*,
the largest value and missing cells together in a bin of their own. Strings and booleans are categories, numbers
numbers, dates dates, by the frame's own types; ids and text are left out. Where SDMetrics draws 50,000 rows for a pair
of categories, this looks at all.

Intervals, which SDMetrics has none of: 1 - KS and 1 - TVD are both ``1 - |P(A) - Q(A)|`` for the one event A that
tells the tables apart best, and a correlation is smooth; so every score has a plain influence function with A held
fixed (the delta method), and rows' influences add up over columns and pairs, whose errors are not independent. Between
equal laws, where A is an accident, these intervals are too wide. Of large tables the influences of rows at even
distances stand for all (``INFLUENCE_ROWS``), which tells a standard error to about half a percent; scores are of all
rows. Held fixed as well are which pairs count and where bins begin; since each table's own extremes move its bins, the
score of a number beside a category can vary twice as much as its interval says. That is a weakness of the score: to
compare generators by pairs use ``accuracy.bivariate``.

Tables of one law score below 1 by an amount that shrinks with their size: the reference shows how much, from a holdout
that is usually smaller than the synthetic table and therefore scores a little lower.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.metrics.estimate import Estimate, normal_interval, not_measured
from synthcli.schema import Schema

FAMILY = "compat"
QUALITY = "compat.sdmetrics_quality"
SHAPES = "compat.sdmetrics_shapes"
PAIR_TRENDS = "compat.sdmetrics_pair_trends"

CORRELATION_THRESHOLD = 0.5
ASSOCIATION_THRESHOLD = 0.3
DECIMALS = sys.float_info.dig - 1  # numbers are rounded to these before their shapes are compared
BINS = 10
UNSEEN = 1e-6  # rows that SDMetrics credits the real table with for each category of the synthetic one only
DENSE_CELLS = 2**16
INFLUENCE_ROWS = 100_000

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A numeric or datetime column of one table: values with NaN for missing, and their bins beside categories.

    ``distinct`` are the rounded values that occur, in order, ``cumulative`` how many rows have at most each; ``bins``
    are codes below ``cardinality``, and ``None`` where the range is infinite or has no width. ``standard`` are the
    values with mean 0 and length 1, where none is missing.
    """

    values: npt.NDArray[Any]
    rounded: npt.NDArray[Any]
    distinct: npt.NDArray[Any]
    cumulative: npt.NDArray[np.intp]
    bins: Codes | None
    standard: Floats | None = None
    cardinality: int = BINS + 2


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """A categorical column of one table: codes shared by all tables, the last one for missing cells."""

    bins: Codes
    cardinality: int


class Summary(NamedTuple):
    """A score's value and standard error, or why there is none."""

    value: float | None
    se: float
    reason: str


class Score(NamedTuple):
    """A score in [0, 1] and rows' influence on it, of the real table and of the other; or the ``reason`` of none.

    The influences' squares add up to the score's variance; influences of several scores are averaged as these are.
    They are those of :func:`_seen` rows.
    """

    value: float | None
    real: Floats | None = None
    other: Floats | None = None
    reason: str = ""

    @property
    def summary(self) -> Summary:
        """The value with its standard error, without the rows."""
        variance = sum(_dot(side, side) for side in (self.real, self.other) if side is not None)
        return Summary(self.value, float(np.sqrt(variance)), self.reason)


class Part(NamedTuple):
    """What one column or one pair scores."""

    columns: tuple[str, ...]
    summary: Summary
    detail: str


class Correlation(NamedTuple):
    """Pearson's r, and its columns with mean 0 and length 1 over the rows ``both`` that have both values.

    ``both`` is ``None`` where all rows have them.
    """

    r: float
    u: Floats
    v: Floats
    both: npt.NDArray[np.bool_] | None

    @property
    def influence(self) -> Floats:
        """The seen rows' influence on r."""
        if self.both is None:
            return self._of(*(_seen(side) for side in (self.u, self.v))) * _weight(len(self.u))
        influence = np.zeros(len(self.both))
        influence[self.both] = self._of(self.u, self.v)
        return _seen(influence) * _weight(len(influence))

    def _of(self, u: Floats, v: Floats) -> Floats:
        influence: Floats = u * v - self.r / 2 * (u * u + v * v)
        return influence


@dataclass(slots=True, eq=False)
class Mean:
    """A mean in the making: its scores' summaries, and the sum of what each row does to all of them."""

    real: Floats
    other: Floats
    total: float = 0.0
    count: int = 0
    parts: list[Part] = field(default_factory=list)

    def add(self, columns: tuple[str, ...], score: Score, detail: str = "") -> None:
        """Take in one score; one without a value is listed and does not count."""
        self.parts.append(Part(columns, score.summary, detail))
        if score.value is None or score.real is None or score.other is None:
            return
        self.total += score.value
        self.count += 1
        self.real += score.real
        self.other += score.other

    def score(self, reason: str) -> Score:
        """Return the mean, or ``reason`` where nothing counted."""
        if not self.count:
            return Score(None, reason=reason)
        return Score(self.total / self.count, self.real / self.count, self.other / self.count)


def measure_compat(
    train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema
) -> tuple[Estimate, ...]:
    """Measure ``compat.sdmetrics_quality``, ``.sdmetrics_shapes`` and ``.sdmetrics_pair_trends``: in [0, 1], 1 is best.

    The table's three come first, then ``sdmetrics_shapes`` of every column (KSComplement or TVComplement) and
    ``sdmetrics_pair_trends`` of every pair (CorrelationSimilarity or ContingencySimilarity). The reference is the
    holdout in the place of the synthetic rows, cut to as many rows as these where it has more.
    """
    names = tuple(column.name for column in schema.modelled)
    if not names or not train.height or not synthetic.height:
        reason = "the table has no column to compare" if not names else "one of the tables has no rows"
        return tuple(not_measured(name, FAMILY, reason) for name in (QUALITY, SHAPES, PAIR_TRENDS))
    others = [synthetic, *([_cut(holdout, synthetic.height)] if holdout.height else [])]
    sides = _read([train, *others], names)
    shapes = [_nothing(train, other) for other in others]
    trends = [_nothing(train, other) for other in others]
    for name in names:
        detail = "1 - KS, missing cells left out" if isinstance(sides[0][name], Numbers) else "1 - TVD of categories"
        for mean, side in zip(shapes, sides[1:], strict=True):
            mean.add((name,), _shape(sides[0][name], side[name]), detail)
    for pair in combinations(names, 2):
        numeric = all(isinstance(sides[0][name], Numbers) for name in pair)
        detail = (
            "1 - half the difference of Pearson's r"
            if numeric
            else "1 - TVD of the joint table; the interval takes the bins as given"
        )
        for mean, score in zip(trends, _trends(pair, sides), strict=True):
            mean.add(pair, score, detail)
    return _report(shapes, trends, [other.height for other in others])


def ks_score(real: Numbers, other: Numbers) -> Score:
    """Return 1 - the largest distance of the two distribution functions (two-sample Kolmogorov-Smirnov)."""
    if not len(real.distinct) or not len(other.distinct):
        return Score(None, reason="one of the tables has no value in this column")
    above, at_above = _largest_excess(real, other)
    below, at_below = _largest_excess(other, real)
    distance, cut, sign = (above, at_above, 1) if above >= below else (below, at_below, -1)
    influences = [_value_influence(side, cut) for side in (real, other)]
    return Score(1 - distance, -sign * influences[0], sign * influences[1])


def tv_score(real: Categories, other: Categories) -> Score:
    """Return 1 - TVD of the categories' shares among non-missing cells, with SDMetrics' credit for unseen ones."""
    missing = real.cardinality - 1
    counts = [np.bincount(side.bins, minlength=real.cardinality)[:missing] for side in (real, other)]
    if not counts[0].sum() or not counts[1].sum():
        return Score(None, reason="one of the tables has no value in this column")
    credited = counts[0] + UNSEEN * ((counts[0] == 0) & (counts[1] > 0))
    p, q = credited / credited.sum(), counts[1] / counts[1].sum()
    event = p > q
    influences = [
        np.append(_cell_influence(event, shares, int(count.sum())), 0.0)[_seen(side.bins)] * _weight(len(side.bins))
        for side, shares, count in zip((real, other), (p, q), counts, strict=True)
    ]
    return Score(1 - float(np.abs(p - q).sum()) / 2, -influences[0], influences[1])


def cramers_v(counts: npt.NDArray[Any], rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> float | None:
    """Return Cramér's V (not bias-corrected) of occupied cells' counts at codes ``rows`` x ``columns``.

    ``None`` where either side has fewer than two codes.
    """
    totals = [np.bincount(codes, weights=counts) for codes in (rows, columns)]
    least = min(int((total > 0).sum()) for total in totals)
    if least < 2:
        return None
    phi2 = float((counts / totals[0][rows] * (counts / totals[1][columns])).sum()) - 1
    return float(np.sqrt(max(phi2, 0.0) / (least - 1)))


def correlation(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Correlation | None:
    """Return Pearson's r over the rows that have both values, or ``None`` where it is undefined."""
    both = ~(np.isnan(x) | np.isnan(y))
    a, b = x[both], y[both]
    if len(a) < 2:
        return None
    u, v = _standardised(a), _standardised(b)
    if u is None or v is None:
        return None
    return Correlation(float(np.clip(_dot(u, v), -1.0, 1.0)), u, v, both)


def _cut(holdout: pl.DataFrame, rows: int) -> pl.DataFrame:
    """Return at most ``rows`` rows, evenly spaced: a holdout is often sorted."""
    if holdout.height <= rows:
        return holdout
    return holdout[np.arange(rows) * holdout.height // rows]


def _nothing(real: pl.DataFrame, other: pl.DataFrame) -> Mean:
    return Mean(np.zeros(_seen_rows(real.height)), np.zeros(_seen_rows(other.height)))


def _read(tables: Sequence[pl.DataFrame], names: Sequence[str]) -> list[dict[str, Numbers | Categories]]:
    """Return each table's columns; the first table's types decide what a column is."""
    sides: list[dict[str, Numbers | Categories]] = [{} for _ in tables]
    for name in names:
        columns = [table[name] for table in tables]
        found: Sequence[Numbers | Categories]
        if columns[0].dtype.is_numeric() or columns[0].dtype in (pl.Date, pl.Datetime):
            found = [_numbers(column, columns[0].dtype) for column in columns]
        else:
            found = _categories(columns)
        for side, column in zip(sides, found, strict=True):
            side[name] = column
    return sides


def _numbers(column: pl.Series, dtype: pl.DataType) -> Numbers:
    """Read a column in the unit in which pandas holds it: equal widths in another fall on other sides of a value."""
    if dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("ms") if dtype == pl.Date else dtype, strict=False).to_physical()
    wanted = pl.Float32 if dtype == pl.Float32 else pl.Float64
    values = column.cast(wanted, strict=False).fill_null(float("nan")).to_numpy()
    rounded = values
    if column.dtype.is_float():
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = np.round(values, DECIMALS)
        rounded = np.where(np.isinf(rounded), values, rounded)
    present = rounded[~np.isnan(rounded)]
    distinct, counts = np.unique(present, return_counts=True)
    standard = _standardised(values) if len(present) == len(values) else None
    return Numbers(values, rounded, distinct, np.cumsum(counts), _equal_widths(values), standard)


def _equal_widths(values: npt.NDArray[Any]) -> Codes | None:
    """Return which of ten equal widths each value lies in, 1 to 10; the largest one and missing cells get 11."""
    present = values[~np.isnan(values)]
    try:
        with np.errstate(over="ignore"):
            edges = np.histogram_bin_edges(present, BINS)
    except ValueError:
        return None
    codes = np.zeros(len(values), dtype=np.int32)
    for edge in edges:  # several times as fast as a binary search for each value
        codes += values >= edge
    codes[np.isnan(values)] = len(edges)
    return codes


def _categories(columns: Sequence[pl.Series]) -> list[Categories]:
    texts = [column.cast(pl.String) for column in columns]
    levels = pl.concat(texts).drop_nulls().unique()
    coding = pl.Enum(levels)
    codes = [text.cast(coding).to_physical().cast(pl.Int32).fill_null(len(levels)).to_numpy() for text in texts]
    return [Categories(code, len(levels) + 1) for code in codes]


def _shape(real: Numbers | Categories, other: Numbers | Categories) -> Score:
    if isinstance(real, Numbers) and isinstance(other, Numbers):
        return ks_score(real, other)
    assert isinstance(real, Categories)
    assert isinstance(other, Categories)
    return tv_score(real, other)


def _largest_excess(one: Numbers, other: Numbers) -> tuple[float, Any]:
    """Return the largest F_one - F_other, and where: it can only lie at a value of the first."""
    below = np.searchsorted(other.distinct, one.distinct, side="right")
    behind = np.concatenate([[0], other.cumulative])[below] / other.cumulative[-1]
    excess = one.cumulative / one.cumulative[-1] - behind
    at = int(np.argmax(excess))
    return max(float(excess[at]), 0.0), one.distinct[at]


def _value_influence(side: Numbers, cut: Any) -> Floats:
    """Return the seen rows' influence on the share of values up to ``cut`` among those that are there."""
    seen, rows = _seen(side.rounded), int(side.cumulative[-1])
    share = np.append(0, side.cumulative)[np.searchsorted(side.distinct, cut, side="right")] / rows
    influence: Floats = ((seen <= cut) - share) * ~np.isnan(seen) / rows * _weight(len(side.rounded))
    return influence


def _seen(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return rows at even distances, about ``INFLUENCE_ROWS``; all of a small table."""
    return rows[:: _step(len(rows))]


def _step(rows: int) -> int:
    return max(1, rows // INFLUENCE_ROWS)


def _seen_rows(rows: int) -> int:
    return -(-rows // _step(rows))


def _weight(rows: int) -> float:
    """Return by how much a seen row's influence is larger, so that its square stands for those of all it stands for."""
    return float(np.sqrt(rows / _seen_rows(rows))) if rows else 1.0


def _cell_influence(event: npt.NDArray[np.bool_], shares: Floats, rows: int) -> Floats:
    """Return a row's influence on the share of the cells in ``event``, by the cell that it lies in."""
    influence: Floats = (event - float(shares @ event)) / rows
    return influence


def _trends(pair: tuple[str, str], sides: Sequence[dict[str, Numbers | Categories]]) -> list[Score]:
    """Return the pair's score for each table but the first, the real one."""
    columns = [(side[pair[0]], side[pair[1]]) for side in sides]
    numbers = [(a, b) for a, b in columns if isinstance(a, Numbers) and isinstance(b, Numbers)]
    if numbers:
        return _correlation_scores(numbers)
    return _contingency_scores(columns)


def _correlation(a: Numbers, b: Numbers) -> Correlation | None:
    if a.standard is None or b.standard is None:
        return correlation(a.values, b.values)
    return Correlation(float(np.clip(_dot(a.standard, b.standard), -1.0, 1.0)), a.standard, b.standard, None)


def _dot(a: Floats, b: Floats) -> float:
    """Return the scalar product in this thread: a linear algebra library's threads wait by spinning."""
    return float(np.einsum("i,i", a, b))


def _correlation_scores(pairs: Sequence[tuple[Numbers, Numbers]]) -> list[Score]:
    real = _correlation(*pairs[0])
    if real is None:
        return [Score(None, reason="the training part's correlation is undefined") for _ in pairs[1:]]
    if abs(real.r) <= CORRELATION_THRESHOLD:
        reason = f"not counted: the training part's |r| is not above {CORRELATION_THRESHOLD:g}"
        return [Score(None, reason=reason) for _ in pairs[1:]]
    influence = real.influence
    return [_correlation_score(real.r, influence, _correlation(*pair)) for pair in pairs[1:]]


def _correlation_score(r: float, influence: Floats, other: Correlation | None) -> Score:
    if other is None:
        return Score(None, reason="the compared table's correlation is undefined")
    half = 0.5 if r >= other.r else -0.5
    return Score(1 - abs(r - other.r) / 2, -half * influence, half * other.influence)


def _contingency_scores(columns: Sequence[tuple[Numbers | Categories, Numbers | Categories]]) -> list[Score]:
    """Return 1 - TVD of the pair's joint codes, missing cells among them, for each table but the first."""
    if any(side.bins is None for side in columns[0]):
        return [Score(None, reason="a column's range cannot be divided into equal widths") for _ in columns[1:]]
    width = columns[0][1].cardinality
    cells = columns[0][0].cardinality * width
    real = _joint(columns[0], width)
    assert real is not None
    if cells <= max(DENSE_CELLS, 2 * len(real)):
        counts = np.bincount(real, minlength=cells)
        occupied = np.flatnonzero(counts)
        association = cramers_v(counts[occupied], occupied // width, occupied % width)
    else:
        occupied, counts = np.unique(real, return_counts=True)
        association = cramers_v(counts, occupied // width, occupied % width)
    if association is None or association <= ASSOCIATION_THRESHOLD:
        reason = f"not counted: the training part's Cramér's V is not above {ASSOCIATION_THRESHOLD:g}"
        return [Score(None, reason=reason) for _ in columns[1:]]
    return [_contingency_score(real, _joint(other, width), cells) for other in columns[1:]]


def _joint(pair: tuple[Numbers | Categories, Numbers | Categories], width: int) -> npt.NDArray[np.intp] | None:
    """Return the code of each row in both columns, the second of which has ``width`` codes."""
    one, other = (column.bins for column in pair)
    if one is None or other is None:
        return None
    codes = one.astype(np.intp)
    codes *= width
    codes += other
    return codes


def _contingency_score(real: npt.NDArray[np.intp], other: npt.NDArray[np.intp] | None, cells: int) -> Score:
    if other is None:
        return Score(None, reason="a column's range cannot be divided into equal widths")
    if cells > max(DENSE_CELLS, 2 * len(real)):
        occupied, compact = np.unique(np.concatenate([real, other]), return_inverse=True)
        real, other, cells = compact[: len(real)], compact[len(real) :], len(occupied)
    p, q = (np.bincount(keys, minlength=cells) / len(keys) for keys in (real, other))
    event = p > q
    distance = float(np.abs(p - q).sum()) / 2
    return Score(
        1 - distance,
        -_cell_influence(event, p, len(real))[_seen(real)] * _weight(len(real)),
        _cell_influence(event, q, len(other))[_seen(other)] * _weight(len(other)),
    )


def _standardised(values: npt.NDArray[Any]) -> Floats | None:
    """Return values with mean 0 and length 1, or ``None`` where all are equal or one is infinite."""
    low, high = values.min(), values.max()
    if low == high or not (np.isfinite(low) and np.isfinite(high)):
        return None
    scaled = values.astype(np.float64) / max(abs(low), abs(high))  # squares of huge numbers overflow
    centred = scaled - scaled.mean()
    length = float(np.sqrt(_dot(centred, centred)))
    return centred / length if length > 0 else None


def _report(shapes: Sequence[Mean], trends: Sequence[Mean], rows: Sequence[int]) -> tuple[Estimate, ...]:
    """Return all estimates; the first of each sequence is the synthetic table's, the second, if any, the holdout's."""
    tables = []
    for shape, trend in zip(shapes, trends, strict=True):
        both = (
            shape.score("no column can be compared"),
            trend.score("no pair depends strongly enough in the training part, or none can be compared"),
        )
        tables.append({SHAPES: both[0], PAIR_TRENDS: both[1], QUALITY: _quality(*both)})
    details = {
        QUALITY: "mean of column shapes and pair trends, as far as they are measured",
        SHAPES: f"1 - KS or 1 - TVD, mean over {shapes[0].count:,} of {len(shapes[0].parts):,} columns",
        PAIR_TRENDS: f"mean over the {trends[0].count:,} of {len(trends[0].parts):,} pairs that SDMetrics counts; "
        "the interval takes pairs and bins as given",
    }
    estimates = [
        _estimate(name, (), [table[name].summary for table in tables], rows, details[name])
        for name in (QUALITY, SHAPES, PAIR_TRENDS)
    ]
    for name, means in ((SHAPES, shapes), (PAIR_TRENDS, trends)):
        for parts in zip(*(mean.parts for mean in means), strict=True):
            summaries = [part.summary for part in parts]
            estimates.append(_estimate(name, parts[0].columns, summaries, rows, parts[0].detail))
    return tuple(estimates)


def _quality(shapes: Score, trends: Score) -> Score:
    measured = [score for score in (shapes, trends) if score.value is not None]
    if len(measured) < 2:
        return measured[0] if measured else shapes
    mean = Mean(np.zeros_like(shapes.real), np.zeros_like(shapes.other))
    for score in measured:
        mean.add((), score)
    return mean.score("")


def _estimate(
    name: str, columns: tuple[str, ...], found: Sequence[Summary], rows: Sequence[int], detail: str
) -> Estimate:
    value, se, reason = found[0]
    if value is None:
        return not_measured(name, FAMILY, reason, n=rows[0], columns=columns)
    value = min(max(value, 0.0), 1.0)  # sums of shares miss the ends by 1e-16
    low, high = normal_interval(value, se, (0.0, 1.0))
    perfect: dict[str, Any] = {}
    if len(found) > 1 and found[1].value is not None:
        perfect = {
            "reference": found[1].value,
            "reference_kind": f"holdout in the place of the synthetic data, {rows[1]:,} rows",
            "reference_se": found[1].se,
        }
    return Estimate(
        name, FAMILY, value, low, high, n=rows[0], direction="higher", range=(0.0, 1.0),
        detail=detail, columns=columns, **perfect,
    )  # fmt: skip
