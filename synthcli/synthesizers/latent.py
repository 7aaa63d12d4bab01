"""Draws from a Gaussian copula given some of its columns: uniform numbers, the known ones held in intervals.

A known number pins its column's normal score to a point, up to its rounding; a known category only says in which
stretch of the ranks the score lies. So the known scores are drawn first, from a normal law truncated to their
intervals, by Gibbs sampling (Geweke 1991; Robert 1995, doi:10.1007/BF00143942), and the unknown ones from the
conditional normal law given these, exactly (Anderson 2003, theorem 2.5.1). With one known column the draw is exact
throughout; with several, the sweeps start at independent draws within the intervals and are many enough to forget them.

At a temperature T (``tempering``) the scores' covariance is T times the correlations: standard scores are drawn, within
intervals that are narrower by the root of T, and are then wider by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from synthcli.seeds import generator

Floats = NDArray[np.float64]

_SWEEPS = 25
#: Ranks are kept this far from 0 and 1, so that scores are finite; added to the correlations' diagonal to invert them.
_EDGE, _RIDGE = 1e-12, 1e-6
#: The farthest score that is drawn: about the last whose rank a float tells from 1.
_FARTHEST = 8.2


def draw_given(
    correlation: Floats,
    known: NDArray[np.intp],
    low: Floats,
    high: Floats,
    random: np.random.Generator,
    temperature: float = 1.0,
) -> Floats:
    """Return ranks (n rows × d columns, 0 to 1) of a normal copula whose ``known`` columns lie in given intervals.

    Parameters
    ----------
    correlation
        The copula's correlations, d × d.
    known
        Numbers of the columns that are known, k of them, the same for all rows.
    low, high
        The ranks (n × k) between which the known columns lie.
    temperature
        By which the scores' covariance is multiplied (> 0).
    """
    root = temperature**0.5
    unknown = np.setdiff1d(np.arange(len(correlation)), known)
    scores = np.empty((len(low), len(correlation)))
    bottom, top = _scores(low) / root, _scores(high) / root
    inner = correlation[np.ix_(known, known)] + _RIDGE * np.eye(len(known))
    scores[:, known] = _truncated(inner, bottom, top, random)
    across = correlation[np.ix_(unknown, known)]
    weights = np.linalg.solve(inner, across.T).T
    spread = correlation[np.ix_(unknown, unknown)] - weights @ across.T
    noise = random.standard_normal((len(low), len(unknown)))
    scores[:, unknown] = scores[:, known] @ weights.T + noise @ _root(spread).T
    return _ranks(np.clip(scores * root, -_FARTHEST, _FARTHEST))


def draw_given_some(
    correlation: Floats,
    names: Sequence[str],
    known: Mapping[str, NDArray[np.bool_]],
    intervals: Mapping[str, tuple[Floats, Floats]],
    rows: int,
    seed: int,
    temperature: float = 1.0,
) -> dict[str, Floats]:
    """Return ranks for ``rows`` rows that differ in what is known of them, by column.

    ``names`` are the copula's columns in the order of ``correlation``; ``known`` says, for any of them, in which rows
    it is known, and ``intervals`` where its ranks then lie (NaN, for a value without a place, leaves it unknown).
    ``temperature`` is that of :func:`draw_given`.
    """
    columns = np.array([place for place, name in enumerate(names) if name in known], dtype=np.intp)
    stacked = [(known[name], *intervals[name]) for name in names if name in known]
    there, low, high = (np.array([part[at] for part in stacked]).reshape(-1, rows).T for at in range(3))
    there = there.astype(np.bool_) & ~np.isnan(low)
    ranks = np.empty((rows, len(names)))
    patterns, group = np.unique(there, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        members = np.flatnonzero(group.ravel() == number)
        random = generator(seed, "given", "".join("01"[cell] for cell in pattern.astype(int)))
        cells = np.ix_(members, np.flatnonzero(pattern))
        ranks[members] = draw_given(correlation, columns[pattern], low[cells], high[cells], random, temperature)
    return {name: ranks[:, place] for place, name in enumerate(names)}


def _truncated(correlation: Floats, bottom: Floats, top: Floats, random: np.random.Generator) -> Floats:
    """Return normal scores between ``bottom`` and ``top``, row by row and column by column."""
    scores = _between(_ranks(bottom), _ranks(top), random)
    if correlation.shape[0] == 1:
        return np.clip(scores, bottom, top)
    precision = np.linalg.inv(correlation)
    for _ in range(_SWEEPS):
        for column in range(len(correlation)):
            width = precision[column, column] ** -0.5
            others = scores @ precision[column] - scores[:, column] * precision[column, column]
            centre = -others / precision[column, column]
            start, end = (_ranks((bound[:, column] - centre) / width) for bound in (bottom, top))
            drawn = centre + width * _between(start, end, random)
            scores[:, column] = np.clip(drawn, bottom[:, column], top[:, column])
    return scores


def _between(start: Floats, end: Floats, random: np.random.Generator) -> Floats:
    return _scores(start + (end - start) * random.random(start.shape))


def _ranks(scores: Floats) -> Floats:
    return np.asarray(ndtr(scores))


def _scores(ranks: Floats) -> Floats:
    return np.asarray(ndtri(np.clip(ranks, _EDGE, 1 - _EDGE)))


def _root(covariance: Floats) -> Floats:
    """Return a matrix whose product with its transpose is the covariance, rounding below 0 set right."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = vectors * np.sqrt(np.clip(values, 0, None))
    return root
