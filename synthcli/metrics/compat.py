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
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import Distinct, Floats, Table, as_table, each_column, places
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
CHUNK = 1 << 16  # rows whose products, and pairs of codes, are added up at a time
#: A part of a column's mean square below which its variance, found by subtraction, is worked out anew.
NEARLY_CONSTANT = 1e-9

Codes = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A numeric or datetime column of one table: its values, and their bins beside categories.

    ``distinct`` are the rounded values; ``bins`` are codes below ``cardinality``, and ``None`` where the range is
    infinite or has no width. ``seen`` are the values of the rows whose influence is looked at, NaN for missing, and
    ``rounded`` these rounded. ``ends`` are the smallest and the largest value, zeros where there is none.
    """

    distinct: Distinct
    bins: Codes | None
    seen: npt.NDArray[Any]
    rounded: npt.NDArray[Any]
    ends: npt.NDArray[Any]
    cardinality: int = BINS + 2

    @property
    def slim(self) -> Numbers:
        """The same without what a shape alone needs."""
        return replace(self, distinct=Distinct.of(np.empty(0)), rounded=self.rounded[:0])


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """A categorical column of one table: codes shared by all tables, the last one for missing cells."""

    bins: Codes
    counts: npt.NDArray[np.int64]

    @property
    def cardinality(self) -> int:
        """Number of codes."""
        return len(self.counts)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One table's columns, and the products of its numeric ones over all rows."""

    rows: int
    columns: dict[str, Numbers | Categories]
    moments: Moments


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
    """Pearson's r over the rows that have both values, and each seen row's influence on it (0 where one is missing)."""

    r: float
    influence: Floats


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
    train: Table | pl.DataFrame, holdout: Table | pl.DataFrame, synthetic: Table | pl.DataFrame, schema: Schema
) -> tuple[Estimate, ...]:
    """Measure ``compat.sdmetrics_quality``, ``.sdmetrics_shapes`` and ``.sdmetrics_pair_trends``: in [0, 1], 1 is best.

    The table's three come first, then ``sdmetrics_shapes`` of every column (KSComplement or TVComplement) and
    ``sdmetrics_pair_trends`` of every pair (CorrelationSimilarity or ContingencySimilarity). The reference is the
    holdout in the place of the synthetic rows, cut to as many rows as these where it has more.
    """
    train, holdout, synthetic = as_table(train), as_table(holdout), as_table(synthetic)
    names = tuple(column.name for column in schema.modelled)
    if not names or not train.height or not synthetic.height:
        reason = "the table has no column to compare" if not names else "one of the tables has no rows"
        return tuple(not_measured(name, FAMILY, reason) for name in (QUALITY, SHAPES, PAIR_TRENDS))
    others = [synthetic, *([_cut(holdout, synthetic.height, names)] if holdout.height else [])]
    sides, scores = _read([train, *others], names)
    shapes = [_nothing(sides[0], side) for side in sides[1:]]
    trends = [_nothing(sides[0], side) for side in sides[1:]]
    for name, found in zip(names, scores, strict=True):
        numeric = isinstance(sides[0].columns[name], Numbers)
        detail = "1 - KS, missing cells left out" if numeric else "1 - TVD of categories"
        for mean, score in zip(shapes, found, strict=True):
            mean.add((name,), score, detail)
    for pair in combinations(names, 2):
        numeric = all(isinstance(sides[0].columns[name], Numbers) for name in pair)
        detail = (
            "1 - half the difference of Pearson's r"
            if numeric
            else "1 - TVD of the joint table; the interval takes the bins as given"
        )
        for mean, score in zip(trends, _trends(pair, sides, numeric=numeric), strict=True):
            mean.add(pair, score, detail)
    return _report(shapes, trends, [other.height for other in others])


def ks_score(real: Numbers, other: Numbers, rows: tuple[int, int]) -> Score:
    """Return 1 - the largest distance of the two distribution functions (two-sample Kolmogorov-Smirnov)."""
    if not real.distinct.rows or not other.distinct.rows:
        return Score(None, reason="one of the tables has no value in this column")
    above, at_above = _largest_excess(real.distinct, other.distinct)
    below, at_below = _largest_excess(other.distinct, real.distinct)
    distance, cut, sign = (above, at_above, 1) if above >= below else (below, at_below, -1)
    influences = [_value_influence(side, cut, n) for side, n in zip((real, other), rows, strict=True)]
    return Score(1 - distance, -sign * influences[0], sign * influences[1])


def tv_score(real: Categories, other: Categories, rows: tuple[int, int]) -> Score:
    """Return 1 - TVD of the categories' shares among non-missing cells, with SDMetrics' credit for unseen ones."""
    counts = [side.counts[:-1] for side in (real, other)]
    if not counts[0].sum() or not counts[1].sum():
        return Score(None, reason="one of the tables has no value in this column")
    credited = counts[0] + UNSEEN * ((counts[0] == 0) & (counts[1] > 0))
    p, q = credited / credited.sum(), counts[1] / counts[1].sum()
    event = p > q
    influences = [
        np.append(_cell_influence(event, shares, int(count.sum())), 0.0)[_seen(side.bins)] * _weight(n)
        for side, shares, count, n in zip((real, other), (p, q), counts, rows, strict=True)
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


def _cut(holdout: Table, rows: int, names: Sequence[str]) -> Table:
    """Return at most ``rows`` rows, evenly spaced: a holdout is often sorted."""
    if holdout.height <= rows:
        return holdout
    return as_table(holdout.take(np.arange(rows) * holdout.height // rows, names))


def _nothing(real: Side, other: Side) -> Mean:
    return Mean(np.zeros(_seen_rows(real.rows)), np.zeros(_seen_rows(other.rows)))


# --- reading ---


def _read(tables: Sequence[Table], names: Sequence[str]) -> tuple[list[Side], list[list[Score]]]:
    """Read each table's columns, whose types the first table decides, and score their shapes.

    Of a column's values nothing stays but what pairs need, a byte or so a row.
    """
    dtypes = tables[0].schema
    numeric = [name for name in names if dtypes[name].is_numeric() or dtypes[name] in (pl.Date, pl.Datetime)]

    heights = [table.height for table in tables]

    def column(name: str) -> tuple[list[Numbers | Categories], list[Score]]:
        found: Sequence[Numbers | Categories]
        if name in numeric:
            found = [_numbers(table, name, dtypes[name]) for table in tables]
        else:
            found = _categories(tables, name)
        real, *others = found
        scores = [_shape(real, other, (heights[0], rows)) for other, rows in zip(others, heights[1:], strict=True)]
        return [each.slim if isinstance(each, Numbers) else each for each in found], scores

    read = each_column(column, names, tables)
    columns = [dict(zip(names, side, strict=True)) for side in zip(*(found for found, _ in read), strict=True)]
    sides = [
        Side(table.height, found, Moments.of(table, numeric, found, dtypes))
        for table, found in zip(tables, columns, strict=True)
    ]
    return sides, [scores for _, scores in read]


def _numbers(table: Table, name: str, dtype: pl.DataType) -> Numbers:
    """Read a column, a table's own numbers where these are in the unit in which pandas holds them."""
    own, is_float = table.schema[name], table.schema[name].is_float()
    if own == dtype and (own.is_integer() or own in (pl.Float64, pl.Datetime("us"))):
        values, distinct = table.numbers(name), table.distinct(name)
    else:
        values = _values(table[name], dtype)
        distinct = Distinct.of(values)
    ends = distinct.values[[0, -1]] if distinct.rows else np.zeros(2)
    if is_float:
        distinct = Distinct.of_sorted(_rounded(distinct.values), distinct.cumulative)
    seen = _seen(values).copy()
    return Numbers(distinct, _equal_widths(values), seen, _rounded(seen) if is_float else seen, ends)


def _values(column: pl.Series, dtype: pl.DataType) -> npt.NDArray[Any]:
    """Return numbers in the unit in which pandas holds them: equal widths in another fall on other sides of a value."""
    if dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("ms") if dtype == pl.Date else dtype, strict=False).to_physical()
    wanted = pl.Float32 if dtype == pl.Float32 else pl.Float64
    return column.cast(wanted, strict=False).fill_null(float("nan")).to_numpy()


def _rounded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.round(values, DECIMALS)
    return np.where(np.isinf(rounded), values, rounded)


def _equal_widths(values: npt.NDArray[Any]) -> Codes | None:
    """Return which of ten equal widths each value lies in, 1 to 10; the largest one and missing cells get 11."""
    low, high = (
        float(end(values, initial=limit)) for end, limit in ((np.fmin.reduce, np.inf), (np.fmax.reduce, -np.inf))
    )
    present = np.array([low, high] if low <= high else [], dtype=values.dtype)
    try:
        with np.errstate(over="ignore"):
            edges = np.histogram_bin_edges(present, BINS)
    except ValueError:
        return None
    codes = np.zeros(len(values), dtype=np.uint8)
    for edge in edges:  # several times as fast as a binary search for each value
        codes += values >= edge
    codes[np.isnan(values)] = len(edges)
    return codes


def _categories(tables: Sequence[Table], name: str) -> list[Categories]:
    levels = [table.levels(name) for table in tables]
    every = pl.concat([each.values.cast(pl.String) for each in levels]).unique(maintain_order=True)
    small = np.min_scalar_type(len(every))
    found = []
    for each in levels:
        place = places(each.values.cast(pl.String), every)
        counts = np.zeros(len(every) + 1, dtype=np.int64)
        counts[place] = each.counts
        counts[-1] = len(each.codes) - each.counts.sum()
        found.append(Categories(each.spread(place.astype(small), len(every)), counts))
    return found


# --- shapes ---


def _shape(real: Numbers | Categories, other: Numbers | Categories, rows: tuple[int, int]) -> Score:
    if isinstance(real, Numbers) and isinstance(other, Numbers):
        return ks_score(real, other, rows)
    assert isinstance(real, Categories)
    assert isinstance(other, Categories)
    return tv_score(real, other, rows)


def _largest_excess(one: Distinct, other: Distinct) -> tuple[float, Any]:
    """Return the largest F_one - F_other, and where: it can only lie at a value of the first."""
    excess = one.cumulative / one.rows - other.at_most(one.values) / other.rows
    at = int(np.argmax(excess))
    return max(float(excess[at]), 0.0), one.values[at]


def _value_influence(side: Numbers, cut: Any, rows: int) -> Floats:
    """Return the seen rows' influence on the share of values up to ``cut`` among those that are there."""
    known = side.distinct.rows
    share = float(side.distinct.at_most(cut)) / known
    influence: Floats = ((side.rounded <= cut) - share) * ~np.isnan(side.rounded) / known * _weight(rows)
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


def _trends(pair: tuple[str, str], sides: Sequence[Side], *, numeric: bool) -> list[Score]:
    """Return the pair's score for each table but the first, the real one."""
    if numeric:
        return _correlation_scores(pair, [side.moments for side in sides])
    return _contingency_scores([(side.columns[pair[0]], side.columns[pair[1]]) for side in sides])


# --- correlations ---


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over all rows of products of numeric columns, each of shape (columns, columns).

    The numbers are centred at their column's mean and divided by its largest value. For columns i and j, over the rows
    that have both: ``rows``, ``sums`` of i, ``squares`` of i, ``products`` of i and j. ``seen`` are the seen rows'
    numbers, (columns, seen rows). ``constant`` are the columns of fewer than two values, ``finite`` those whose values
    all are. What sums cannot tell is worked out from the columns of ``table``, read as the training part's ``dtypes``.
    """

    table: Table
    dtypes: pl.Schema
    names: tuple[str, ...]
    finite: dict[str, bool]
    constant: npt.NDArray[np.bool_]
    seen: Floats
    rows: Floats
    sums: Floats
    squares: Floats
    products: Floats

    @classmethod
    def of(
        cls, table: Table, names: Sequence[str], columns: dict[str, Numbers | Categories], dtypes: pl.Schema
    ) -> Moments:
        """Add up the rows, some at a time."""
        found = [column for name in names if isinstance(column := columns[name], Numbers)]
        ends = [column.ends for column in found]
        constant = np.array([low == high for low, high in ends], dtype=np.bool_)
        scale = np.array([max(float(np.abs(end).max()), 1e-300) for end in ends])
        finite = np.isfinite(scale)
        centre = np.array([_centre(column.seen, each) for column, each in zip(found, scale, strict=True)])
        rows, sums, squares, products = np.zeros((4, len(names), len(names)))

        def standard(columns: Sequence[npt.NDArray[Any]]) -> Floats:
            raw = np.array(columns, dtype=np.float64).reshape(len(names), len(columns[0]) if columns else 0)
            raw[~finite] = np.nan
            scaled: Floats = raw / scale[:, None] - centre[:, None]
            return scaled

        for chunk in table.chunks(names, CHUNK) if names else ():
            cells = standard([_values(chunk[name], dtypes[name]) for name in names])
            missing = np.isnan(cells)
            cells[missing], there = 0.0, (~missing).astype(np.float64)
            rows += there @ there.T
            sums += cells @ there.T
            squares += (cells * cells) @ there.T
            products += cells @ cells.T
        told = dict(zip(names, finite.tolist(), strict=True))
        seen = standard([column.seen for column in found])
        return cls(table, dtypes, tuple(names), told, constant, seen, rows, sums, squares, products)

    def correlation(self, one: str, other: str) -> Correlation | None:
        """Return the correlation of two columns, or ``None`` where it is undefined."""
        i, j = self.names.index(one), self.names.index(other)
        rows = self.rows[i, j]
        if self.constant[i] or self.constant[j]:
            return None
        if not (self.finite[one] and self.finite[other]):
            return self._exact(one, other)
        if rows < 2:
            return None
        means = self.sums[i, j] / rows, self.sums[j, i] / rows
        spreads = [
            max(float(self.squares[at] - rows * mean**2), 0.0) for at, mean in zip(((i, j), (j, i)), means, strict=True)
        ]
        if any(
            spread <= NEARLY_CONSTANT * max(self.squares[at], rows * NEARLY_CONSTANT)
            for at, spread in zip(((i, j), (j, i)), spreads, strict=True)
        ):
            return self._exact(one, other)
        lengths = [float(np.sqrt(spread)) for spread in spreads]
        r = float(np.clip((self.products[i, j] - rows * means[0] * means[1]) / (lengths[0] * lengths[1]), -1.0, 1.0))
        u, v = ((self.seen[at] - mean) / length for at, mean, length in zip((i, j), means, lengths, strict=True))
        return Correlation(r, np.nan_to_num(_influence(r, u, v)) * _weight(self.table.height))

    def _exact(self, one: str, other: str) -> Correlation | None:
        """Return the same from all rows at once: no column is constant by rounding, or infinite by one row."""
        x, y = (_values(self.table[name], self.dtypes[name]) for name in (one, other))
        both = ~(np.isnan(x) | np.isnan(y))
        if np.count_nonzero(both) < 2:
            return None
        u, v = _standardised(x[both]), _standardised(y[both])
        if u is None or v is None:
            return None
        r = float(np.clip(_dot(u, v), -1.0, 1.0))
        influence = np.zeros(len(both))
        influence[both] = _influence(r, u, v)
        return Correlation(r, _seen(influence) * _weight(len(both)))


def _centre(values: Floats, scale: float) -> float:
    """Return about the mean over ``scale``, from which numbers are counted so that no digits are lost; else 0."""
    known = values[~np.isnan(values)]
    return float((known / scale).mean()) if len(known) and np.isfinite(scale) else 0.0


def _influence(r: float, u: Floats, v: Floats) -> Floats:
    """Return rows' influence on r, given the two columns with mean 0 and length 1."""
    influence: Floats = u * v - r / 2 * (u * u + v * v)
    return influence


def _dot(a: Floats, b: Floats) -> float:
    """Return the scalar product in this thread: a linear algebra library's threads wait by spinning."""
    return float(np.einsum("i,i", a, b))


def _correlation_scores(pair: tuple[str, str], sides: Sequence[Moments]) -> list[Score]:
    """Return the pair's score for each table but the first; the others are not asked where the first does not count."""
    others = sides[1:]
    real = sides[0].correlation(*pair)
    if real is None:
        return [Score(None, reason="the training part's correlation is undefined") for _ in others]
    if abs(real.r) <= CORRELATION_THRESHOLD:
        reason = f"not counted: the training part's |r| is not above {CORRELATION_THRESHOLD:g}"
        return [Score(None, reason=reason) for _ in others]
    return [_correlation_score(real, other.correlation(*pair)) for other in others]


def _correlation_score(real: Correlation, other: Correlation | None) -> Score:
    if other is None:
        return Score(None, reason="the compared table's correlation is undefined")
    half = 0.5 if real.r >= other.r else -0.5
    return Score(1 - abs(real.r - other.r) / 2, -half * real.influence, half * other.influence)


def _standardised(values: npt.NDArray[Any]) -> Floats | None:
    """Return values with mean 0 and length 1, or ``None`` where all are equal or one is infinite."""
    low, high = values.min(), values.max()
    if low == high or not (np.isfinite(low) and np.isfinite(high)):
        return None
    scaled = values.astype(np.float64) / max(abs(low), abs(high))  # squares of huge numbers overflow
    centred = scaled - scaled.mean()
    length = float(np.sqrt(_dot(centred, centred)))
    return centred / length if length > 0 else None


# --- joint tables ---


class Joint(NamedTuple):
    """The codes of two columns of one table, of which the second has ``width``."""

    one: Codes
    other: Codes
    width: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.one)

    def cells(self, rows: slice) -> npt.NDArray[np.intp]:
        """Return the joint code of some rows."""
        codes = self.one[rows].astype(np.intp)
        codes *= self.width
        codes += self.other[rows]
        return codes

    def counts(self, cells: int) -> npt.NDArray[np.int64]:
        """Count all joint codes, some rows at a time."""
        counts, rows = np.zeros(cells, dtype=np.int64), max(CHUNK, cells)
        for start in range(0, self.rows, rows):
            counts += np.bincount(self.cells(slice(start, start + rows)), minlength=cells)
        return counts

    @property
    def seen(self) -> npt.NDArray[np.intp]:
        """The seen rows' joint codes."""
        return self.cells(slice(None, None, _step(self.rows)))


def _contingency_scores(columns: Sequence[tuple[Numbers | Categories, Numbers | Categories]]) -> list[Score]:
    """Return 1 - TVD of the pair's joint codes, missing cells among them, for each table but the first."""
    real, *others = (_joint(*pair) for pair in columns)
    if real is None:
        return [Score(None, reason="a column's range cannot be divided into equal widths") for _ in others]
    cells = columns[0][0].cardinality * real.width
    dense = cells <= max(DENSE_CELLS, 2 * real.rows)
    if dense:
        counts = real.counts(cells)
        occupied = np.flatnonzero(counts)
        held = counts[occupied]
    else:
        counts = np.empty(0, dtype=np.int64)
        occupied, held = np.unique(real.cells(slice(None)), return_counts=True)
    association = cramers_v(held, occupied // real.width, occupied % real.width)
    if association is None or association <= ASSOCIATION_THRESHOLD:
        reason = f"not counted: the training part's Cramér's V is not above {ASSOCIATION_THRESHOLD:g}"
        return [Score(None, reason=reason) for _ in others]
    return [_contingency_score(real, other, counts) if dense else _sparse_score(real, other) for other in others]


def _joint(one: Numbers | Categories, other: Numbers | Categories) -> Joint | None:
    """Return the joint codes, ``None`` where a column has none."""
    return None if one.bins is None or other.bins is None else Joint(one.bins, other.bins, other.cardinality)


def _contingency_score(real: Joint, other: Joint | None, counts: npt.NDArray[np.int64]) -> Score:
    """Return the score of few joint codes, given the counts of the real table's."""
    if other is None:
        return Score(None, reason="a column's range cannot be divided into equal widths")
    tables = (real, counts), (other, other.counts(len(counts)))
    return _joint_score([(joint.seen, held / joint.rows, joint.rows) for joint, held in tables])


def _sparse_score(real: Joint, other: Joint | None) -> Score:
    """Return the score of so many joint codes that only those that occur are told apart."""
    if other is None:
        return Score(None, reason="a column's range cannot be divided into equal widths")
    codes = np.concatenate([joint.cells(slice(None)) for joint in (real, other)])
    occupied, compact = np.unique(codes, return_inverse=True)
    parts = compact[: real.rows], compact[real.rows :]
    return _joint_score(
        [(_seen(part), np.bincount(part, minlength=len(occupied)) / len(part), len(part)) for part in parts]
    )


def _joint_score(sides: Sequence[tuple[npt.NDArray[np.intp], Floats, int]]) -> Score:
    """Return 1 - TVD, given the seen rows' cells, all cells' shares and the number of rows of both tables."""
    (_, p, _), (_, q, _) = sides
    event = p > q
    influences = [_cell_influence(event, shares, rows)[seen] * _weight(rows) for seen, shares, rows in sides]
    return Score(1 - float(np.abs(p - q).sum()) / 2, -influences[0], influences[1])


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
