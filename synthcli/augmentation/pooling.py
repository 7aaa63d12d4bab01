"""Rubin's rules: one estimate from several completed tables, and how much of its error comes from the missing cells.

D. B. Rubin, Multiple Imputation for Nonresponse in Surveys (1987); degrees of freedom of Barnard & Rubin 1999,
doi:10.1093/biomet/86.4.948.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from synthcli.columns import category_counts, numbers
from synthcli.metrics.estimate import LEVEL, student_quantile
from synthcli.schema import Kind, Schema

#: Rows behind a category whose share is told, and categories of a column, at most.
_LEAST_ROWS, _MOST_LEVELS = 50, 10


class Pooled(NamedTuple):
    """A pooled estimate.

    ``se`` is its standard error, ``low`` to ``high`` the 95 % interval by Student's t with ``df`` degrees of freedom;
    ``fmi`` in [0, 1] is the share of its variance that the missing cells are to blame for.
    """

    value: float
    se: float
    low: float
    high: float
    df: float
    fmi: float


def pooled(values: Sequence[float], variances: Sequence[float], complete_df: float = inf) -> Pooled:
    """Pool the estimates from m >= 2 completed tables and their variances within each.

    Total variance = mean variance within + (1 + 1/m) times the variance between. ``complete_df`` are the degrees of
    freedom that the estimate would have without any missing cell.
    """
    m = len(values)
    value, within = float(np.mean(values)), float(np.mean(variances))
    # The mean of equal values may differ from them by rounding.
    between = float(np.var(values, ddof=1)) * (1 + 1 / m) if np.ptp(values) else 0.0
    total = within + between
    if total == 0:
        return Pooled(value, 0.0, value, value, complete_df, 0.0)
    share = between / total
    old = (m - 1) / share**2 if share else inf
    seen = inf if complete_df == inf else (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
    # Where rows within a table do not vary, what they leave open is not known by them.
    df = old if seen in (inf, 0) else seen if old == inf else old * seen / (old + seen)
    ratio = between / within if within else inf
    fmi = 1.0 if ratio == inf else (ratio + 2 / (df + 3)) / (1 + ratio) if share else 0.0
    half = student_quantile(0.5 + LEVEL / 2, min(df, 1e9)) * sqrt(total)
    return Pooled(value, sqrt(total), value - half, value + half, df, min(fmi, 1.0))


def pool_tables(tables: Sequence[pl.DataFrame], schema: Schema, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return means of numbers and shares of frequent categories in ``columns``, pooled over completed tables."""
    found = []
    for name in columns:
        if schema[name].kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
            counts = category_counts(tables[0][name])
            for level in counts["level"][:_MOST_LEVELS]:
                hits = [(table[name].drop_nulls() == level).cast(pl.Float64) for table in tables]
                if min(float(each.sum()) for each in hits) >= _LEAST_ROWS:
                    label = str(level).lower() if isinstance(level, bool) else str(level)
                    found.append(_entry(name, f"share of {label}", hits))
        elif schema[name].kind is Kind.NUMERIC:
            known = [pl.Series(numbers(table[name])).drop_nans() for table in tables]
            found.append(_entry(name, "mean", known))
    return found


def _entry(name: str, statistic: str, samples: Sequence[pl.Series]) -> dict[str, Any]:
    rows = min(len(sample) for sample in samples)
    means = [float(np.mean(sample.to_numpy())) for sample in samples]
    variances = [float(np.var(sample.to_numpy(), ddof=1)) / len(sample) for sample in samples]
    result = pooled(means, variances, rows - 1)
    return {"column": name, "statistic": statistic, **result._asdict()}
