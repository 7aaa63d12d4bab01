"""The arms of a lift report: what the augmentation is compared with, and the augmentation itself.

Each makes something to learn from of the same training rows. Those that change classes' shares reach the same shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.augmentation.baselines import FILLERS, Filler
from synthcli.augmentation.lift import OWN, REAL, Arm, Training
from synthcli.augmentation.rebalance import Plan, Rebalance
from synthcli.augmentation.recipe import Recipe, Wish
from synthcli.augmentation.upsample import Upsample
from synthcli.metrics.boosting import Features, Floats
from synthcli.schema import Schema
from synthcli.seeds import generator, stage_seed

#: Neighbours that SMOTE-NC interpolates between (Chawla et al. 2002, doi:10.1613/jair.953).
NEIGHBOURS = 5


def as_they_are(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
    """Return the rows as they are."""
    return Training(encoding.matrix(rows))


def augmented(wish: Wish, recipe: Recipe, schema: Schema, whole_rows: int) -> Arm:
    """Return the arm of the augmentation; a wish for a number of rows is scaled from ``whole_rows`` to what it gets."""

    def arm(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        scaled = wish.scaled(Fraction(rows.height, whole_rows))
        made = scaled.made(rows, schema, recipe, stage_seed(seed, OWN), lambda share, note: None)
        return Training(encoding.matrix(made.table))

    return arm


def rebalancing(wish: Rebalance, own: Arm) -> Mapping[str, Arm]:
    """Return the arms for other shares of classes: rows as they are, weights, copies, SMOTE-NC, and ``own``."""
    return {
        REAL: as_they_are,
        "class weights": _class_weights(wish),
        "random oversampling": _oversampling(wish),
        "SMOTE-NC": _smote(wish),
        OWN: own,
    }


def upsampling(wish: Upsample, own: Arm, whole_rows: int) -> Mapping[str, Arm]:
    """Return the arms for more rows: rows as they are, copies of them, and ``own``."""

    def copies(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        plan = wish.scaled(Fraction(rows.height, whole_rows)).plan(rows)
        more = generator(seed, "copies").integers(0, rows.height, int(plan["drawn"]))
        matrix = encoding.matrix(rows)
        return Training(matrix[more] if wish.whole else np.concatenate([matrix, matrix[more]]))

    return {REAL: as_they_are, "random oversampling": copies, OWN: own}


def imputing(own: Arm) -> Mapping[str, Arm]:
    """Return the arms for a table without holes: rows as they are, simpler ways to fill them, and ``own``.

    The model knows what to do with a missing cell, so that rows as they are is no straw man.
    """

    def filled(fill: Filler) -> Arm:
        return lambda rows, encoding, seed: Training(fill(encoding.matrix(rows), encoding, seed))

    ways = {name: filled(FILLERS[name]) for name in ("mean or mode", "5 nearest neighbours")}
    return {REAL: as_they_are, **ways, OWN: own}


def _target(wish: Rebalance, rows: pl.DataFrame) -> tuple[npt.NDArray[np.int64], dict[int, int]]:
    """Return each row's class (-1: none), and how many rows each class is to have when all real rows are kept."""
    # Weights and copies need no law of a class, and SMOTE-NC a neighbour.
    plan = Plan.of(replace(wish, whole=False, rows=None, least=2), rows)
    wanted = {number: int(count) + plan.drawn.get(number, 0) for number, count in enumerate(plan.classes.counts)}
    return plan.label, wanted


def _class_weights(wish: Rebalance) -> Arm:
    """Return the rows, each weighted so that classes weigh as much as they are to have rows."""

    def arm(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        label, wanted = _target(wish, rows)
        counts = np.bincount(label[label >= 0], minlength=len(wanted))
        ratio = np.array([wanted[number] / max(counts[number], 1) for number in range(len(wanted))])
        weight = np.where(label >= 0, ratio[label], 1.0)
        return Training(encoding.matrix(rows), weight / weight.mean())

    return arm


def _oversampling(wish: Rebalance) -> Arm:
    """Return the rows and copies of rows drawn at random of the classes that lack some."""

    def arm(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        label, wanted = _target(wish, rows)
        random = generator(seed, "oversampling")
        picked = [np.arange(len(label))]
        for number, count in wanted.items():
            own = np.flatnonzero(label == number)
            picked.append(random.choice(own, count - len(own)) if count > len(own) else own[:0])
        return Training(encoding.matrix(rows)[np.concatenate(picked)])

    return arm


def _smote(wish: Rebalance) -> Arm:
    """Return the rows, and rows of the classes that lack some between near rows of theirs.

    Missing numbers are the column's median and missing categories one of their own while neighbours are looked for;
    rows made from them have the median, or a missing category again.
    """

    def arm(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        label, wanted = _target(wish, rows)
        matrix = encoding.matrix(rows)
        known = label >= 0
        made = _interpolated(matrix[known], label[known], wanted, encoding, stage_seed(seed, "SMOTE-NC") % 2**32)
        return Training(np.concatenate([matrix, made]))

    return arm


def _interpolated(
    matrix: Floats, label: npt.NDArray[np.int64], wanted: Mapping[int, int], encoding: Features, seed: int
) -> Floats:
    """Return the rows that SMOTE-NC (or, without numbers or categories, its kin) makes."""
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    categories = [at for at, column in enumerate(encoding.columns) if column.name in encoding.levels]
    filled = matrix.copy()
    for at, column in enumerate(encoding.columns):
        holes = np.isnan(filled[:, at])
        if column.name in encoding.levels:
            filled[holes, at] = len(encoding.levels[column.name]) + 1
        else:
            filled[holes, at] = np.median(filled[~holes, at]) if not holes.all() else 0.0
    counts = np.bincount(label, minlength=len(wanted))
    fewest = min((int(counts[n]) for n, rows in wanted.items() if rows > counts[n]), default=0)
    if not fewest:
        return matrix[:0]
    shared = {
        "sampling_strategy": {n: rows for n, rows in wanted.items() if counts[n]},
        "k_neighbors": min(NEIGHBOURS, fewest - 1),
        "random_state": seed,
    }
    if not categories:
        sampler = SMOTE(**shared)
    elif len(categories) == matrix.shape[1]:
        sampler = SMOTEN(**shared)
    else:
        sampler = SMOTENC(categorical_features=categories, **shared)
    made: Floats = sampler.fit_resample(filled, label)[0][len(filled) :]
    for at in categories:
        made[made[:, at] == len(encoding.levels[encoding.columns[at].name]) + 1, at] = np.nan
    return made
