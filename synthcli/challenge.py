"""Champion and challenger: the generator in force and one that would take its place, compared on rows neither has seen.

Both are sampled with several seeds, as many rows as the challenger learned from, and each sample is scored as ``kind:
auto`` scores its candidates (:func:`synthcli.selection.score`). The challenger holds unless its mean score lies below
the champion's by more than a margin. The measured margin is what other seeds make of the difference of the means:
Student's t at .95 (one-sided) times its standard error, √(s₁²/n + s₂²/n) from n seeds a side, with 2 (n - 1) degrees of
freedom. A narrower one would turn challengers away by chance; a wider one would let quality slip a little at each turn.

The rows compared on are training rows that neither was fitted on. The holdout has no place here: it only vetoes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from synthcli.selection import parts
from synthcli.synthesizers.assembly import TableGenerator

#: Rows that a score is made from at most: of those neither has seen, and of those that the challenger learned from.
MOST_INNER, MOST_FITTED = 20_000, 20_000
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
    """What one sample scored: by metric that was measured, its value, and its part of the score in 0 … 1."""

    values: Mapping[str, float]
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Contest:
    """Both generators' scores, one a seed; ``difference`` is the challenger's mean less the champion's.

    A score is the mean of the parts that all samples of both sides have, which ``parts`` names.
    """

    rows: int
    parts: tuple[str, ...]
    champion: tuple[float, ...]
    challenger: tuple[float, ...]
    values: Mapping[str, Mapping[str, float]]
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
    synthetic = model.sample(max(judged.fitted.height, judged.inner.height), seed)
    found = {estimate.name: estimate for estimate in _measured(judged, synthetic)}
    measured = parts(found)
    return Score({name: value for name in measured if (value := found[name].value) is not None}, measured)


def contest(rows: int, champion: Sequence[Score], challenger: Sequence[Score], margin: float | None) -> Contest | None:
    """Compare the scores; ``margin`` ``None`` is the measured one. Each side has at least two scores.

    ``None`` where no part was measured in every sample.
    """
    everything = [*champion, *challenger]
    shared = tuple(name for name in everything[0].parts if all(name in each.parts for each in everything))
    if not shared:
        return None
    theirs, ours = ([fmean(each.parts[name] for name in shared) for each in side] for side in (champion, challenger))
    values = {
        side: {name: fmean(each.values[name] for each in scores) for name in shared}
        for side, scores in (("champion", champion), ("challenger", challenger))
    }
    freedom = len(theirs) + len(ours) - 2
    noise = student_quantile(LEVEL, freedom) * sqrt(variance(theirs) / len(theirs) + variance(ours) / len(ours))
    return Contest(
        rows, shared, tuple(theirs), tuple(ours), values, fmean(ours) - fmean(theirs),
        noise if margin is None else margin, margin is None,
    )  # fmt: skip


def to_dict(found: Contest) -> dict[str, Any]:
    """Return plain data for JSON."""
    return {
        "rows": found.rows,
        "parts": list(found.parts),
        **{side: _side(getattr(found, side), found.values[side]) for side in ("champion", "challenger")},
        "difference": found.difference,
        "margin": found.margin,
        "margin_from": "seeds" if found.measured else "refresh.margin",
        "holds": found.holds,
    }


def _side(scores: Sequence[float], values: Mapping[str, float]) -> dict[str, Any]:
    names = {"accuracy": "accuracy.bivariate", "utility": "utility.ratio", "c2st": SYNTHETIC}
    means = {short: values.get(name) for short, name in names.items()}
    return {"score": fmean(scores), **means, "sd": sqrt(variance(scores)), "scores": list(scores)}


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
