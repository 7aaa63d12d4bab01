"""The target's smallest class: its share of synthetic rows over its share of training rows."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np
import polars as pl

from synthcli.columns import Table
from synthcli.counts import Counts
from synthcli.encoding import MIN_CATEGORY_ROWS
from synthcli.metrics.diversity.categories import rows_of
from synthcli.metrics.diversity.counts import DiversityCounts
from synthcli.metrics.diversity.family import FAMILY, MINORITY, missing_estimate, plural
from synthcli.metrics.estimate import LEVEL, Estimate, Interval, normal_quantile
from synthcli.schema import Kind, Schema

MAX_CLASSES = 50


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
        reason = f"the target has {plural(classes, 'class')}, {kept:,} with {MIN_CATEGORY_ROWS} training rows"
        return f"{reason}; 2 are needed, and at most {MAX_CLASSES}"
    fewest = levels.counts[kept - 1]
    value = levels.values.filter(pl.Series(levels.counts == fewest)).head(1)
    return Class(column.name, value, int(fewest), int(levels.counts.sum()))


def class_rows(part: Table, smallest: Class | str) -> Counts:
    """Return how many rows are of the class, and how many have a class."""
    if isinstance(smallest, str):
        return np.zeros(2, dtype=np.int64)
    levels = part.levels(smallest.column)
    return np.array([rows_of(levels, smallest.value)[0], levels.counts.sum()], dtype=np.int64)


def minority_share(smallest: Class | str, holdout: DiversityCounts, synthetic: DiversityCounts) -> tuple[Estimate, ...]:
    """Measure the smallest target class's share of synthetic rows over its share of training rows; 1 is right.

    At least 0; of the rows whose target is not missing, and of the classes with five training rows or more. Interval:
    the delta method on the log of the ratio, with half a row added to every count where no synthetic row shows the
    class (Walter 1975, doi:10.1093/biomet/62.2.371); its low end is then 0.
    """
    if isinstance(smallest, str):
        return (missing_estimate(MINORITY, smallest),)
    (fresh, fresh_known), (made, known) = holdout.target.tolist(), synthetic.target.tolist()
    if not known:
        return (missing_estimate(MINORITY, "every synthetic row lacks the target"),)
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
