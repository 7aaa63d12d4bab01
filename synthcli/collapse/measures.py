"""The metrics of a generation: what each is called, whether it tells drift or diversity, and what change is tolerated.

``drift`` says how far an output is from real rows, ``diversity`` how much of what they show is still there. How they
are measured is ``ruler``'s business.
"""

from __future__ import annotations

from math import log
from typing import Literal, NamedTuple

from synthcli.metrics.diversity import NEIGHBORS

Direction = Literal["lower", "higher", "target"]
#: Rows a side among which neighbours are sought, whose time grows with their square.
MAX_POINTS = 1_000


class Measure(NamedTuple):
    """A metric of a generation.

    ``margin`` is the change that is tolerated, in the metric's own unit; ``every`` says that it is measured in each
    generation or in every third one, the first and the last among them.
    """

    name: str
    title: str
    label: Literal["drift", "diversity"]
    direction: Direction
    margin: float
    unit: str
    detail: str
    every: int = 1


MEASURES: tuple[Measure, ...] = (
    Measure(
        "tvd", "Distance of columns", "drift", "lower", 0.05, "TVD",
        "total variation distance of a column's bins and categories to the holdout's, mean over columns",
    ),
    Measure(
        "rare_category_survival", "Rare categories", "diversity", "higher", 0.1, "share of categories",
        "share of the categories under 1 % of training rows that the output shows, mean over columns",
    ),
    Measure(
        "dependence", "Dependence of pairs", "drift", "lower", 0.05, "Cramér's V",
        "difference of a pair's bias-corrected Cramér's V to the holdout's, mean over pairs of columns",
    ),
    Measure(
        "category_survival", "Categories", "diversity", "higher", 0.1, "share of categories",
        "share of the training part's categories that the output shows, mean over columns",
    ),
    Measure(
        "entropy", "Entropy", "diversity", "target", 0.1, "share of the entropy",
        "entropy of a column's bins and categories over the holdout's, mean over columns",
    ),
    Measure(
        "heterozygosity", "Heterozygosity", "diversity", "target", 0.1, "chance",
        "chance that two rows differ in a category (Gini-Simpson), mean over columns of categories",
    ),
    Measure(
        "log_variance_ratio", "Variance", "diversity", "target", -log(0.9), "log ratio",
        "logarithm of a number's variance over the holdout's, mean over columns",
    ),
    Measure(
        "mean_shift", "Means", "drift", "lower", 0.1, "standard deviations",
        "distance of a number's mean to the holdout's, in its standard deviations there, mean over columns",
    ),
    Measure(
        "w1", "Wasserstein distance", "drift", "lower", 0.1, "standard deviations",
        "Wasserstein-1 distance of a number's values to the holdout's, in its standard deviations there, mean over "
        "columns",
    ),
    Measure(
        "tails", "Tails", "diversity", "target", 0.005, "share of rows",
        "mass beyond the training part's .5 % and 99.5 % quantiles less the holdout's, mean over columns",
    ),
    Measure(
        "recall", "Recall", "diversity", "higher", 0.1, "share of rows",
        f"share of holdout rows that lie nearer to an output row than its {NEIGHBORS}th neighbour does, at most "
        f"{MAX_POINTS:,} rows a side",
    ),
    Measure(
        "precision", "Precision", "drift", "target", 0.1, "share of rows",
        f"share of output rows that lie nearer to a holdout row than its {NEIGHBORS}th neighbour does; it can rise "
        "during a collapse",
    ),
    Measure(
        "c2st_auc", "Told apart", "drift", "lower", 0.02, "ROC AUC",
        "ROC AUC of boosted trees that tell output from holdout; .5: they cannot", every=3,
    ),
    Measure(
        "tstr", "Use", "drift", "lower", 0.02, "score lost",
        "score on the holdout that is lost by boosted trees that learned from the output and not from real rows (ROC "
        "AUC, or R² for a number)", every=3,
    ),
)  # fmt: skip
BY_NAME = {measure.name: measure for measure in MEASURES}
#: What the verdict on a regime rests on.
PRIMARY = ("tvd", "rare_category_survival", "dependence")
