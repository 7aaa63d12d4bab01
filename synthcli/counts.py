"""CountTable: how often each combination of codes occurs in some columns.

Tables over the same columns add up: ``counts(a ++ b) == counts(a) + counts(b)``, with ``CountTable.empty`` as the
neutral element. From that law follow reading in chunks, work in parallel, the delete-a-group jackknife (the group is
one more column of codes) and exact tests. What is no function of counts (distances, classifiers) does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Frequencies = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CountTable:
    """Counts over ``columns``: an int64 array with one axis a column, as long as the column has codes."""

    columns: tuple[str, ...]
    counts: Counts

    @classmethod
    def empty(cls, columns: Sequence[str], cardinalities: Sequence[int]) -> Self:
        """Return the table of no rows."""
        return cls(tuple(columns), np.zeros(tuple(cardinalities), dtype=np.int64))

    @classmethod
    def from_codes(
        cls, columns: Sequence[str], codes: Sequence[npt.NDArray[Any]], cardinalities: Sequence[int]
    ) -> Self:
        """Count rows whose codes stand in one integer array a column, each code in [0, cardinality)."""
        flat = np.zeros(len(codes[0]), dtype=np.intp)
        for values, cardinality in zip(codes, cardinalities, strict=True):
            flat = combined_codes(flat, values, cardinality)
        counts = np.bincount(flat, minlength=prod(cardinalities)).reshape(tuple(cardinalities))
        return cls(tuple(columns), counts.astype(np.int64, copy=False))

    def __add__(self, other: CountTable) -> CountTable:
        """Return the table of both sets of rows; raises ``ValueError`` where columns or codes differ."""
        if self.columns != other.columns or self.counts.shape != other.counts.shape:
            raise ValueError(f"count tables over {self.columns} and {other.columns} do not add up")
        return CountTable(self.columns, self.counts + other.counts)

    def project(self, columns: Sequence[str]) -> CountTable:
        """Sum out every column that is not named; the result's axes are in the order of ``columns``."""
        positions = [self.columns.index(name) for name in columns]
        others = tuple(axis for axis in range(len(self.columns)) if axis not in positions)
        summed = self.counts.sum(axis=others)
        return CountTable(tuple(columns), np.transpose(summed, np.argsort(np.argsort(positions))))

    @property
    def total(self) -> int:
        """Number of rows counted."""
        return int(self.counts.sum())

    @property
    def frequencies(self) -> Frequencies:
        """Shares of rows, which sum to 1; raises ``ValueError`` for the table of no rows."""
        if not self.total:
            raise ValueError("a table of no rows has no frequencies")
        return self.counts / self.total


def combined_codes(codes: npt.NDArray[Any], values: npt.NDArray[Any], cardinality: int) -> npt.NDArray[Any]:
    """Return one code for both: ``codes`` · ``cardinality`` + ``values``, each value in [0, ``cardinality``)."""
    combined = codes * cardinality
    combined += values
    return combined
