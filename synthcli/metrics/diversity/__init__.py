"""Diversity: does the synthetic table still show everything that the training part shows often enough?

Rare things go first when a generator is poor or feeds on its own output, and averages hide it. So there are averages
(coverage of ``categories``, different ``rows``, mass in the ``tails``, recall among ``neighbours``), and beside them
the one thing that an average over hundreds of categories hides: the largest category that is gone.

Numbers of things are compared at equal size: of N rows the expected number of different ones in m of them follows from
the counts alone (rarefaction, Hurlbert 1971, doi:10.2307/1934145), so a large synthetic table gains nothing by its size
and no row is left out. Only recall and precision sample rows, and say how many.

Categories with fewer than five training rows are left out throughout: a generator is asked to protect them. A missing
cell is no category.

What the training part shows is fitted once (``counter``). Of the other tables only sums over rows are needed
(``counts``), so that they can be counted part by part, and the few rows that recall and precision draw.
"""

from synthcli.metrics.diversity.categories import (
    RARE_SHARE,
    category_coverage,
    chance_of_loss,
    count_categories,
    emission_chances,
    lost_category,
    rare_category_coverage,
    rows_of,
)
from synthcli.metrics.diversity.classes import minority_share, ratio_interval
from synthcli.metrics.diversity.counter import DiversityCounter, measure_diversity
from synthcli.metrics.diversity.counts import DiversityCounts
from synthcli.metrics.diversity.family import METRICS
from synthcli.metrics.diversity.neighbours import MAX_POINTS, NEIGHBORS, Drawn, recall_and_precision
from synthcli.metrics.diversity.rows import distinct_rows, distinct_share
from synthcli.metrics.diversity.tails import tail_coverage, tail_ends

__all__ = [
    "MAX_POINTS",
    "METRICS",
    "NEIGHBORS",
    "RARE_SHARE",
    "DiversityCounter",
    "DiversityCounts",
    "Drawn",
    "category_coverage",
    "chance_of_loss",
    "count_categories",
    "distinct_rows",
    "distinct_share",
    "emission_chances",
    "lost_category",
    "measure_diversity",
    "minority_share",
    "rare_category_coverage",
    "ratio_interval",
    "recall_and_precision",
    "rows_of",
    "tail_coverage",
    "tail_ends",
]
