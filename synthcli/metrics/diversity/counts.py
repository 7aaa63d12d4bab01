"""What the family needs to know of a table's rows, as a sum over rows."""

from __future__ import annotations

from dataclasses import dataclass

from synthcli.counts import Counts
from synthcli.metrics.sums import Contents, added


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
