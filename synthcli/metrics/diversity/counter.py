"""The family as a whole: what the training part shows, the counting of tables by it, and every estimate from that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from synthcli.columns import Table, as_table, each_column
from synthcli.encoding import DistanceEncoding
from synthcli.metrics.diversity.categories import (
    Categories,
    Supports,
    category_coverage,
    frequent_categories,
    lost_category,
    rare_category_coverage,
    rows_of_each,
)
from synthcli.metrics.diversity.classes import Class, class_rows, minority_share, smallest_class
from synthcli.metrics.diversity.counts import DiversityCounts
from synthcli.metrics.diversity.family import METRICS, missing_estimate
from synthcli.metrics.diversity.neighbours import Drawn, recall_and_precision
from synthcli.metrics.diversity.rows import different_rows
from synthcli.metrics.diversity.tails import Ends, beyond_ends, tail_coverage, tail_ends, with_tails
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.sums import SAMPLE_ROWS, Contents, highest_key, joint_counts
from synthcli.schema import Schema


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
    ends: Ends
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
        tailed = with_tails(self.ends)
        beyond = each_column(lambda name: beyond_ends(part.numbers(name), *tailed[name]), list(tailed), (part,))
        return DiversityCounts(
            part.height,
            rows_of_each(part, self.categories),
            joint_counts([known for known, _ in beyond] + [outer for _, outer in beyond]),
            Contents.of(part.row_keys(column.name for column in self.schema.modelled), self.highest),
            class_rows(part, self.smallest),
        )

    def conclude(self, holdout: DiversityCounts, synthetic: DiversityCounts, drawn: Drawn) -> tuple[Estimate, ...]:
        """Return the estimates of the whole family from the counts of both tables, and rows of all three."""
        rows = (self.train_rows, holdout.rows, synthetic.rows)
        if not min(rows):
            return tuple(missing_estimate(name, "a table has no rows") for name in METRICS)
        supports = Supports.of(self.categories, rows, holdout.categories, synthetic.categories)
        return (
            *category_coverage(supports),
            *rare_category_coverage(supports),
            *lost_category(supports),
            *different_rows(holdout.contents, synthetic.contents, self.schema),
            *tail_coverage(self.ends, holdout, synthetic),
            *recall_and_precision(drawn, self.schema, (self.train_rows, synthetic.rows)),
            *minority_share(self.smallest, holdout, synthetic),
        )
