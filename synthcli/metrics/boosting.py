"""Boosted trees as a measuring device: tables to feature matrices, fixed settings, and the ROC AUC.

Used by every measure that trains a model (utility, classifier two-sample test), so that all of them look at a table in
the same way: numbers as they are, categories natively, missing cells as missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits

from synthcli import parallel
from synthcli.columns import category_counts, numbers
from synthcli.schema import Column, Kind
from synthcli.seeds import stage_seed

_LARGEST = 1e307  # the booster takes means of two values, which must not overflow; infinity is large too
MAX_LEVELS = 254  # the booster's limit for categories, less one code for all others

Floats = npt.NDArray[np.float64]
Item = TypeVar("Item")
Result = TypeVar("Result")
#: row weights -> score
Weighted = Callable[[Floats], float]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Turns tables into the booster's matrix; categories are fitted on the training part."""

    columns: tuple[Column, ...]
    levels: dict[str, pl.Series]

    @classmethod
    def fit(cls, train: pl.DataFrame, columns: Sequence[Column]) -> Features:
        """Keep each categorical column's most frequent levels."""
        levels = {c.name: category_counts(train[c.name])["level"][:MAX_LEVELS] for c in columns if _is_category(c)}
        return cls(tuple(columns), levels)

    def matrix(self, frame: pl.DataFrame) -> Floats:
        """Return float64 of shape (rows, columns): numbers as they are, categories as codes, missing as NaN."""
        return np.column_stack([self._encode(frame[column.name], column) for column in self.columns])

    def _encode(self, series: pl.Series, column: Column) -> Floats:
        if column.name not in self.levels:
            return np.clip(numbers(series), -_LARGEST, _LARGEST)
        levels = self.levels[column.name]
        lookup = pl.DataFrame({"level": levels, "code": pl.Series(range(len(levels)), dtype=pl.Float64)})
        codes = series.to_frame("level").join(lookup, on="level", how="left", maintain_order="left")["code"]
        other = pl.when(series.is_null()).then(None).otherwise(float(len(levels)))
        return numbers(codes.to_frame("code").select(pl.col("code").fill_null(other)).to_series())


def settings(features: Features, seed: int, stage: str, iterations: int = 100) -> dict[str, Any]:
    """Return the booster's parameters: a fixed number of iterations, so that equal data give equal models."""
    return {
        "max_iter": iterations,
        "early_stopping": False,
        "categorical_features": [column.name in features.levels for column in features.columns],
        "random_state": stage_seed(seed, stage, "model") % 2**32,
    }


def learnable(matrix: Floats) -> Floats:
    """Return a copy in which a feature without any value is a constant, since the booster cannot bin it."""
    filled = matrix.copy()
    filled[:, np.isnan(filled).all(axis=0)] = 0.0
    return filled


def side_by_side(fit: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return ``fit`` of each item, a model each, as many at a time as there are processors.

    A booster itself keeps to one thread: its threads wait by spinning, and on a busy machine take fifty times as long.
    OpenMP's limit is each thread's own, so that every worker sets it; it has to be loaded before.
    """
    import sklearn.ensemble  # noqa: F401

    return parallel.side_by_side(fit, items, lambda: threadpool_limits(1, "openmp"))


def auc(positive: npt.NDArray[np.bool_], score: Floats) -> Weighted:
    """Return the ROC AUC as a function of row weights: the chance that a positive row scores above a negative one.

    Ties count half. The rows are ranked once, so that a bootstrap costs two sums a resample.
    """
    distinct, rank = np.unique(score, return_inverse=True)

    def weighted(weight: Floats) -> float:
        ups = np.bincount(rank, weights=weight * positive, minlength=len(distinct))
        downs = np.bincount(rank, weights=weight * ~positive, minlength=len(distinct))
        below = np.cumsum(downs) - downs / 2
        return float((ups * below).sum() / (ups.sum() * downs.sum()))

    return weighted


def _is_category(column: Column) -> bool:
    return column.kind in (Kind.CATEGORICAL, Kind.BOOLEAN)
