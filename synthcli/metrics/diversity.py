"""Diversity: does the synthetic table still show everything that the training part shows often enough?

Rare things go first when a generator is poor or feeds on its own output, and averages hide it. Coverage is compared at
equal size: of N rows the expected number of categories in m of them follows from the counts alone (rarefaction,
Hurlbert 1971, doi:10.2307/1934145), so a large synthetic table gains nothing by its size and no row is left out.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import gammaln

from synthcli.encoding import MIN_CATEGORY_ROWS, category_counts
from synthcli.metrics.estimate import Estimate, normal_interval, not_measured
from synthcli.schema import Kind, Schema

FAMILY = "diversity"
COVERAGE = f"{FAMILY}.category_coverage"


def emission_chances(counts: npt.NDArray[np.int64], rows: int, size: int) -> npt.NDArray[np.float64]:
    """Return for each category the chance to be among ``size`` of ``rows`` rows, of which ``counts`` show it.

    1 - C(rows - count, size)/C(rows, size), drawn without replacement; 0 for a count of 0, 1 where size == rows and
    the count is positive. ``size`` lies in [0, rows].
    """
    absent = rows - counts
    possible = absent >= size
    safe = np.where(possible, absent, size)
    log_missed = gammaln(safe + 1) - gammaln(safe - size + 1) - (gammaln(rows + 1) - gammaln(rows - size + 1))
    return np.where(counts == 0, 0.0, np.where(possible, -np.expm1(np.minimum(log_missed, 0.0)), 1.0))


def measure_category_coverage(
    train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema
) -> Estimate:
    """Measure the share of the training part's categories (5 rows or more) that the synthetic rows show.

    The mean over categorical and boolean columns of the expected share in ``min(n_synthetic, n_holdout)`` rows; 1 is
    best. The reference is the same for the holdout. The interval takes the counts for Poisson: another draw of the
    synthetic rows shows a category that has count c in m rows with probability 1 - e^-c.
    """
    size = min(synthetic.height, holdout.height)
    supports = {
        column.name: category_counts(train[column.name]).filter(pl.col("count") >= MIN_CATEGORY_ROWS)["level"]
        for column in schema.modelled
        if column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN)
    }
    supports = {name: levels for name, levels in supports.items() if len(levels)}
    if not supports:
        return not_measured(COVERAGE, FAMILY, "no column has a category with 5 training rows", n=size)
    value, se = _coverage(synthetic, supports, size)
    reference, reference_se = _coverage(holdout, supports, size)
    low, high = normal_interval(value, se, (0.0, 1.0))
    levels = sum(len(support) for support in supports.values())
    return Estimate(
        COVERAGE,
        FAMILY,
        value,
        low,
        high,
        n=size,
        direction="higher",
        range=(0.0, 1.0),
        reference=reference,
        reference_kind="holdout at equal size",
        reference_se=reference_se,
        floor=0.0,
        detail=f"share of {levels:,} categories in {len(supports):,} columns that {size:,} rows show",
    )


def _coverage(table: pl.DataFrame, supports: dict[str, pl.Series], size: int) -> tuple[float, float]:
    """Return the mean coverage over columns and its standard error."""
    shares, variances = [], []
    for name, support in supports.items():
        counts = _counts_of(table[name], support)
        shares.append(float(emission_chances(counts, table.height, size).mean()))
        missed = np.exp(-counts * (size / table.height)) * (counts > 0)
        variances.append(float((missed * (1 - missed)).sum()) / len(support) ** 2)
    return float(np.mean(shares)), sqrt(sum(variances)) / len(supports)


def _counts_of(series: pl.Series, support: pl.Series) -> npt.NDArray[np.int64]:
    """Return how many rows show each category of ``support``, in its order."""
    tally = category_counts(series)
    joined = support.to_frame("level").join(tally, on="level", how="left", maintain_order="left")
    return joined["count"].fill_null(0).cast(pl.Int64).to_numpy()
