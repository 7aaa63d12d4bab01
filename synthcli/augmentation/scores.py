"""What a model's predictions on the holdout are worth, for many weightings of its rows at once.

Weightings are the rows of a matrix: the first one counts each row once, the others are bootstrap samples, so that one
pass gives a score and how far it depends on which rows are in the holdout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

#: A variance up to this is none, for numbers of about 1.
_NO_SPREAD = 1e-24
#: Cells of a block of weightings that are worked on at once.
_BLOCK = 1 << 22


def weightings(rows: int, resamples: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return 1 + ``resamples`` weightings of ``rows`` rows: each row once, then bootstrap samples."""
    found = np.ones((resamples + 1, rows), np.uint8)
    for place in range(1, resamples + 1):
        found[place] = np.minimum(np.bincount(random.integers(0, rows, rows), minlength=rows), 255)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Rows of one class and the others, ranked by a score: what thresholds can tell apart.

    Attributes
    ----------
    order
        The rows, the highest score first.
    own
        Whether each row in that order belongs to the class.
    last
        Places in the order at which a group of equal scores ends; no threshold parts a group.
    """

    order: Codes
    own: Floats
    last: Codes

    @classmethod
    def of(cls, own: npt.NDArray[np.bool_], score: Floats) -> Ranked:
        """Rank rows by ``score``, of which those that are ``own`` should be high."""
        order = np.argsort(-score, kind="stable")
        ranked = score[order]
        return cls(order, own[order].astype(np.float64), np.flatnonzero(np.append(np.diff(ranked) != 0, True)))

    def _counted(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return the weighted rows at or above each threshold: of the class, and others."""
        ranked = weights[:, self.order]
        own = np.cumsum(ranked * self.own, axis=1)[:, self.last]
        every = np.cumsum(ranked, axis=1)[:, self.last]
        return own, every - own

    def roc_auc(self, weights: Floats) -> Floats:
        """Return the chance that a row of the class scores above another one, ties counting half; .5 without both."""
        own, others = self._counted(weights)
        below = others - np.diff(others, axis=1, prepend=0) / 2
        pairs = own[:, -1] * others[:, -1]
        above = pairs - (np.diff(own, axis=1, prepend=0) * below).sum(axis=1)
        found: Floats = np.divide(above, pairs, out=np.full(len(pairs), 0.5), where=pairs > 0)
        return found

    def average_precision(self, weights: Floats) -> Floats:
        """Return the area under precision over recall as a sum of steps, without interpolation."""
        own, others = self._counted(weights)
        steps = np.diff(own, axis=1, prepend=0) / np.maximum(own[:, -1:], 1e-300)
        area: Floats = (steps * _precision(own, others)).sum(axis=1)
        return area

    def recall_at(self, precision: float, weights: Floats) -> Floats:
        """Return the largest share of the class that some threshold finds with at least this precision; 0: none."""
        own, others = self._counted(weights)
        recall = own / np.maximum(own[:, -1:], 1e-300)
        best: Floats = np.where(_precision(own, others) >= precision, recall, 0.0).max(axis=1)
        return best


def _precision(own: Floats, others: Floats) -> Floats:
    found = own + others
    return np.divide(own, found, out=np.zeros_like(own), where=found > 0)


def classification(
    truth: Codes, chance: Floats, rarest: int, precision: float, weights: npt.NDArray[np.uint8]
) -> dict[str, Floats]:
    """Return by metric its value under each weighting, for ``chance`` (rows x classes) of the classes ``truth``.

    ``lift.roc_auc`` is that of two classes, or the mean over more of each against the rest; ``lift.pr_auc`` (average
    precision) and ``lift.recall`` (at ``precision``) are those of the class ``rarest`` against the rest; ``lift.brier``
    is the squared error of the chances summed over classes, half of it, so that of two classes it is that of either.
    """
    kinds = [rarest] if chance.shape[1] == 2 else sorted(set(truth.tolist()))
    ranked = {kind: Ranked.of(truth == kind, chance[:, kind]) for kind in {*kinds, rarest}}
    hit = np.zeros_like(chance)
    hit[np.arange(len(truth)), truth] = 1.0
    error = ((chance - hit) ** 2).sum(axis=1) / 2
    parts: list[dict[str, Floats]] = []
    for block in _blocks(weights):
        parts.append(
            {
                "lift.roc_auc": np.mean([ranked[kind].roc_auc(block) for kind in kinds], axis=0),
                "lift.pr_auc": ranked[rarest].average_precision(block),
                "lift.recall": ranked[rarest].recall_at(precision, block),
                "lift.brier": block @ error / block.sum(axis=1),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def regression(truth: Floats, predicted: Floats, weights: npt.NDArray[np.uint8]) -> dict[str, Floats]:
    """Return R² (``lift.r2``) under each weighting: 1 - squared error over variance; the mean scores 0.

    So does everything under a weighting in which the truth does not vary.
    """
    squared, centred = (truth - predicted) ** 2, truth - truth.mean()
    parts = []
    for block in _blocks(weights):
        total = block.sum(axis=1)
        variance = block @ centred**2 / total - (block @ centred / total) ** 2
        error = np.divide(block @ squared / total, variance, out=np.ones(len(block)), where=variance > _NO_SPREAD)
        parts.append(1 - error)
    return {"lift.r2": np.concatenate(parts)}


def _blocks(weights: npt.NDArray[np.uint8]) -> Iterator[Floats]:
    size = max(_BLOCK // max(weights.shape[1], 1), 1)
    for start in range(0, len(weights), size):
        yield weights[start : start + size].astype(np.float64)


def prior_corrected(chance: Floats, learned: Floats, real: Floats) -> Floats:
    """Return chances of classes for data in which they have the shares ``real``, from a model that ``learned`` others.

    Bayes' rule: each chance times the ratio of the two shares, then made to add up to 1 (Saerens, Latinne &
    Decaestecker 2002, doi:10.1162/089976602753284446). A class that the model never saw has no chance.
    """
    ratio = np.divide(real, learned, out=np.zeros_like(real), where=learned > 0)
    corrected = chance * ratio
    total = corrected.sum(axis=1, keepdims=True)
    return np.where(total > 0, corrected / np.maximum(total, 1e-300), real)
