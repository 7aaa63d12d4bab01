"""What a report's pictures are drawn from, as values: the shares of rows by bin; ``counting`` makes them of tables.

Whoever only reads a report needs these and no table, so that this module imports no library.
"""

from __future__ import annotations

from dataclasses import dataclass

Shares = list[list[float]]


@dataclass(frozen=True, slots=True)
class Bin:
    """The shares of rows of the three tables in one bin, from ``low`` to ``high`` (``None``: open, or no number)."""

    label: str
    low: float | None
    high: float | None
    train: float
    holdout: float
    synthetic: float


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column's bins, from left to right or the most frequent category first."""

    name: str
    kind: str
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class PairProfile:
    """Shares of rows by the bins of two columns: ``train[i][j]`` of a's bin i and b's bin j."""

    a: str
    b: str
    a_labels: tuple[str, ...]
    b_labels: tuple[str, ...]
    train: Shares
    holdout: Shares
    synthetic: Shares


@dataclass(frozen=True, slots=True)
class Dependence:
    """Cramér's V of every pair of columns on the grid of the accuracy metrics; 1 with itself."""

    columns: tuple[str, ...]
    train: Shares
    holdout: Shares
    synthetic: Shares


@dataclass(frozen=True, slots=True)
class Profile:
    """All that a report's pictures show beside its estimates."""

    columns: tuple[ColumnProfile, ...]
    pairs: tuple[PairProfile, ...]
    dependence: Dependence | None
