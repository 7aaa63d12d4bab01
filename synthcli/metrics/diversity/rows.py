"""Rows: how many of them are different, at equal size."""

from __future__ import annotations

from math import hypot, sqrt

import numpy as np

from synthcli.columns import Table
from synthcli.counts import Counts
from synthcli.metrics.diversity.categories import emission_chances
from synthcli.metrics.diversity.family import DISTINCT, Share, coverage_estimate, missing_estimate
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.sums import Contents
from synthcli.schema import Schema


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
        return (missing_estimate(DISTINCT, "the table has no column to measure"),)
    size = min(holdout.rows, synthetic.rows)
    own, rival = distinct_share(synthetic, size), distinct_share(holdout, size)
    detail = f"share of {size:,} rows that are different ones{synthetic.source}"
    return (coverage_estimate(DISTINCT, size, own, rival, detail, ()),)


def distinct_share(contents: Contents, size: int) -> Share:
    """Return the expected share of different ones among ``size`` of all rows, and its standard error.

    Of a sample the sum is divided by its chance; each content being drawn by itself, that adds the variance
    Σ chance(c)² (1 - p)/p² (Horvitz and Thompson 1952). "No repeat was seen" is then said of the sample alone.
    """
    rows, chance = contents.rows, contents.chance
    counts, kinds = np.unique(contents.counts, return_counts=True)
    shown = emission_chances(counts, rows, size)
    share = min(1.0, float(kinds @ shown) / chance / size)  # rounding may pass 1, and so may a sample
    drawn = sqrt(float(kinds @ shown**2) * (1 - chance)) / chance / size
    return Share(share, max(hypot(_distinct_se(counts, kinds, rows, size), drawn), 1.5 / chance / size))


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
