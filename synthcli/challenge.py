"""Champion and challenger: the generator in force and one that would take its place, compared on rows neither has seen.

Both are sampled with several seeds, as many rows as they are compared on, and each sample is scored as ``kind: auto``
scores its candidates (:func:`synthcli.selection.score`). The challenger holds unless its mean score lies below the
champion's by more than a margin. The measured margin is what another seed makes of one score: the two samples' standard
deviations give that of the difference of two draws, and Student's t its one-sided 95 % bound, with 2 (seeds - 1)
degrees of freedom. It is the noise of a draw, wider than the error of the means: a generator that learned newer data
is not turned away for a difference that nobody who draws one table would see.

The rows compared on are training rows that neither was fitted on. The holdout has no place here: it only vetoes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, variance
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from synthcli.encoding import CountEncoding
from synthcli.metrics.accuracy import measure_accuracy
from synthcli.metrics.estimate import LEVEL, Estimate, student_quantile
from synthcli.metrics.similarity import SYNTHETIC, measure_similarity
from synthcli.metrics.utility import measure_utility
from synthcli.schema import Schema
from synthcli.seeds import generator
from synthcli.selection import score
from synthcli.synthesizers.assembly import TableGenerator

#: Rows that a score is made from at most: of those neither has seen, and of those that the challenger learned from.
MOST_INNER, MOST_FITTED = 20_000, 50_000
#: Rows of the inner part below which nothing should be compared: it would be at the mercy of chance.
FEWEST = 50


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What scores are made from: rows learned from, rows that neither has seen, and how they are judged."""

    fitted: pl.DataFrame
    inner: pl.DataFrame
    schema: Schema
    seed: int
    target: str | None = None
    exclude_features: tuple[str, ...] = ()


class Score(NamedTuple):
    """One sample's score, 0 to 1, and the metrics that it is made of; ``None`` for what could not be measured."""

    score: float
    accuracy: float | None
    utility: float | None
    c2st: float | None


@dataclass(frozen=True, slots=True)
class Contest:
    """Both generators' scores, one a seed; ``difference`` is the challenger's mean less the champion's."""

    rows: int
    champion: tuple[Score, ...]
    challenger: tuple[Score, ...]
    difference: float
    margin: float
    measured: bool

    @property
    def holds(self) -> bool:
        """Whether the challenger is no worse by more than the margin."""
        return self.difference >= -self.margin


def case(
    fitted: pl.DataFrame,
    inner: pl.DataFrame,
    schema: Schema,
    seed: int,
    target: str | None = None,
    exclude_features: Sequence[str] = (),
) -> Case:
    """Return what scores are made from; of many rows some are drawn."""
    parts = (_drawn(fitted, MOST_FITTED, seed, "fitted"), _drawn(inner, MOST_INNER, seed, "inner"))
    return Case(*parts, schema, seed, target, tuple(exclude_features))


def scored(folder: Path, judged: Case, seed: int) -> Score | None:
    """Sample the generator in ``folder``, whose files have been verified, and score it; ``None`` where nothing can be.

    A generator that lacks a column of the case has no score.
    """
    model = TableGenerator.load(folder)
    if any(column.name not in model.schema for column in judged.schema.modelled):
        return None
    found = {estimate.name: estimate for estimate in _measured(judged, model.sample(judged.inner.height, seed))}
    whole = score(found)
    if whole is None:
        return None
    return Score(whole, *(found[name].value for name in ("accuracy.bivariate", "utility.ratio", SYNTHETIC)))


def contest(rows: int, champion: Sequence[Score], challenger: Sequence[Score], margin: float | None) -> Contest:
    """Compare the scores; ``margin`` ``None`` is the measured one. Each side has at least two scores."""
    theirs, ours = [each.score for each in champion], [each.score for each in challenger]
    difference = fmean(ours) - fmean(theirs)
    freedom = len(theirs) + len(ours) - 2
    noise = student_quantile(LEVEL, freedom) * sqrt(variance(theirs) + variance(ours))
    measured = margin is None
    return Contest(rows, tuple(champion), tuple(challenger), difference, noise if margin is None else margin, measured)


def to_dict(found: Contest) -> dict[str, Any]:
    """Return plain data for JSON."""
    sides = {"champion": found.champion, "challenger": found.challenger}
    return {
        "rows": found.rows,
        **{name: _side(scores) for name, scores in sides.items()},
        "difference": found.difference,
        "margin": found.margin,
        "margin_from": "seeds" if found.measured else "refresh.margin",
        "holds": found.holds,
    }


def _side(scores: Sequence[Score]) -> dict[str, Any]:
    means = {
        name: fmean(known) if (known := [v for each in scores if (v := getattr(each, name)) is not None]) else None
        for name in Score._fields
    }
    values = [each.score for each in scores]
    return {**means, "sd": sqrt(variance(values)), "scores": values}


def _measured(judged: Case, synthetic: pl.DataFrame) -> tuple[Estimate, ...]:
    fitted, inner, schema, seed = judged.fitted, judged.inner, judged.schema, judged.seed
    encoding = CountEncoding.fit(fitted, schema)
    known, reserved, drawn = (encoding.encode(part) for part in (fitted, inner, synthetic))
    accuracy = measure_accuracy(encoding, known, reserved, drawn, seed, trivariate=False)
    similarity = measure_similarity(inner, synthetic, schema, seed, holdout=None)
    utility = measure_utility(
        fitted, inner, synthetic, schema, target=judged.target, exclude=judged.exclude_features, seed=seed
    )
    return tuple(e for e in (*accuracy, *similarity, *utility) if not e.columns)


def _drawn(table: pl.DataFrame, limit: int, seed: int, name: str) -> pl.DataFrame:
    if table.height <= limit:
        return table
    rows = generator(seed, "contest", name).permutation(table.height)[:limit]
    return table[np.sort(rows)]
