"""Distances: do synthetic rows lie closer to training records than to records that the generator never saw?

Distances are Gower's on ranks, exact integers, with one encoding for training part and holdout together that is blind
to the side. References are all real rows, never a sample of them. Only queries may be: a seeded draw of synthetic rows,
and of the real rows whose own distances serve as reference.

``privacy.dcr_share``       the share of synthetic rows whose nearest real record is a training record.
``privacy.dcr_p05``         5 % quantile of the distance to the nearest training record, synthetic minus holdout.
``privacy.nndr_p05``        the same for the nearest over the second nearest distinct distance.
``privacy.membership_auc``  how well distances to the synthetic rows tell training rows from holdout rows.

All four compare the training part with the holdout, so they are not measured where the two are not exchangeable.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.encoding import DistanceEncoding, Points
from synthcli.executors import Workplace
from synthcli.metrics.estimate import (
    LEVEL,
    Curve,
    Estimate,
    Interval,
    normal_interval,
    normal_quantile,
    normal_tail,
    not_measured,
)
from synthcli.metrics.neighbors import Nearest, nearest
from synthcli.metrics.privacy import FAMILY, NOT_EXCHANGEABLE
from synthcli.metrics.similarity import auc_se
from synthcli.rowkeys import mixed
from synthcli.schema import Schema
from synthcli.seeds import generator

DCR_SHARE = f"{FAMILY}.dcr_share"
DCR_P05 = f"{FAMILY}.dcr_p05"
NNDR_P05 = f"{FAMILY}.nndr_p05"
MEMBERSHIP = f"{FAMILY}.membership_auc"
NAMES = (DCR_SHARE, DCR_P05, NNDR_P05, MEMBERSHIP)
QUANTILE = 0.05
MIN_ROWS = 20
MAX_MEMBERS = 5_000

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Entities = tuple[npt.NDArray[Any], npt.NDArray[Any]]


class Distinct(NamedTuple):
    """The different rows among some points, each row's number among them, and how many rows each stands for.

    Equal rows tie always: without this a table of few columns would have more ties than fit into memory.
    """

    points: Points
    group: Ints
    sizes: Ints


class Gaps(NamedTuple):
    """Gower distances to the nearest training record, and nearest over second nearest, of some rows, both sorted.

    ``independent`` is the number of rows, or of entities where several rows belong to one.
    """

    first: Floats
    ratio: Floats
    independent: int


class Attack(NamedTuple):
    """Rows whose membership is guessed: ``members`` training rows, then as many holdout rows.

    ``to_reference`` is their distance to the reference half of the holdout, which has ``reference`` rows.
    """

    rows: Points
    members: int
    to_reference: Ints
    reference: int


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """The real rows, prepared once so that many synthetic tables can be measured against them.

    Attributes
    ----------
    encoding
        Fitted on training part and holdout together; ``None`` where there is nothing to compare.
    train, holdout
        Their points.
    entity
        The entity of each row of train, then holdout, numbered from 0; a side's entities are its own.
    holdout_gaps, attack
        What of the quantiles and of the membership attack does not depend on the synthetic rows.
    reason
        Why nothing can be measured, if so.
    """

    encoding: DistanceEncoding | None
    train: Distinct
    holdout: Distinct
    entity: Ints
    holdout_gaps: Gaps | None
    attack: Attack | None
    reason: str | None
    seed: int
    max_queries: int

    @classmethod
    def fit(
        cls,
        train: pl.DataFrame,
        holdout: pl.DataFrame,
        schema: Schema,
        seed: int,
        *,
        entities: Entities | None = None,
        max_queries: int = 20_000,
        workplace: Workplace | None = None,
    ) -> Neighbourhood:
        """Encode the real rows, and measure what does not depend on the synthetic ones.

        ``entities`` are labels of the rows of train and holdout; an entity's rows stand all on one side. Neighbours are
        searched for at ``workplace``, by default here.
        """
        entity = _entities(train.height, holdout.height, entities)
        held = entity[train.height :]
        reason = _too_small(train, holdout, schema) or _too_few(len(np.unique(held)))
        if reason:
            nothing = distinct_points(Points(np.empty((0, 0), np.int64), np.empty((0, 0), np.int64), 1))
            return cls(None, nothing, nothing, entity, None, None, reason, seed, max_queries)
        names = [column.name for column in schema.modelled]
        pool = pl.concat([train.select(names), holdout.select(names)], how="vertical_relaxed")
        encoding = DistanceEncoding.fit(pool, schema)
        ours, theirs = encoding.encode(train), encoding.encode(holdout)
        references = distinct_points(ours)
        drawn = _draw(holdout.height, max_queries, generator(seed, FAMILY, "holdout queries"))
        queries = distinct_points(theirs[drawn])
        found = nearest(queries.points, references.points, workplace)
        gaps = _gaps(found, queries, len(np.unique(held[drawn])))
        attack = _attack(ours, theirs, entity, generator(seed, FAMILY, "membership"), workplace)
        return cls(encoding, references, distinct_points(theirs), entity, gaps, attack, None, seed, max_queries)

    def measure(
        self, synthetic: pl.DataFrame, *, exchangeable: bool = True, workplace: Workplace | None = None
    ) -> tuple[Estimate, ...]:
        """Measure a synthetic table; see :func:`measure_distances`."""
        reason = NOT_EXCHANGEABLE if not exchangeable else self.reason
        if reason or self.encoding is None or self.holdout_gaps is None or self.attack is None:
            return _unmeasured(reason or "nothing to compare", synthetic.height)
        if synthetic.height < MIN_ROWS:
            return _unmeasured(f"fewer than {MIN_ROWS} synthetic rows", synthetic.height)
        points = self.encoding.encode(synthetic)
        drawn = _draw(points.rows, self.max_queries, generator(self.seed, FAMILY, "queries"))
        queries, rows = distinct_points(points[drawn]), len(drawn)
        to_train, to_holdout = (nearest(queries.points, side.points, workplace) for side in (self.train, self.holdout))
        of = f"a seeded draw of {rows:,} of" if rows < points.rows else "all"
        of = f"{of} {points.rows:,} synthetic rows"
        weight = closest_weights(to_train, to_holdout, queries.sizes, self.train, self.holdout)
        gaps = _gaps(to_train, queries, rows)
        return (
            dcr_share(weight, len(self.train.group), self.entity, of, self.seed),
            _quantile(DCR_P05, gaps.first, gaps, self.holdout_gaps.first, self.holdout_gaps, of, self.seed),
            _quantile(NNDR_P05, gaps.ratio, gaps, self.holdout_gaps.ratio, self.holdout_gaps, of, self.seed),
            _membership(self.attack, points, self.seed, workplace),
        )


def measure_distances(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema,
    seed: int,
    *,
    entities: Entities | None = None,
    exchangeable: bool = True,
    max_queries: int = 20_000,
    workplace: Workplace | None = None,
) -> tuple[Estimate, ...]:
    """Measure dcr_share, dcr_p05, nndr_p05 and membership_auc, in this order.

    ``dcr_share`` and ``membership_auc`` lie in [0, 1] with reference .5, lower is better; the quantiles are differences
    in [-1, 1] with reference 0, higher is better. Synthetic rows above ``max_queries`` are drawn from, by ``seed``.
    With ``entities`` (labels of train's and of holdout's rows) each entity is one unit of chance.
    """
    if not exchangeable:
        return _unmeasured(NOT_EXCHANGEABLE, synthetic.height)
    prepared = Neighbourhood.fit(
        train, holdout, schema, seed, entities=entities, max_queries=max_queries, workplace=workplace
    )
    return prepared.measure(synthetic, workplace=workplace)


def distinct_points(points: Points) -> Distinct:
    """Return the different rows of ``points``."""
    keys = np.zeros(points.rows, dtype=np.uint64)
    for column in (*points.numbers.T, *points.categories.T):
        keys = mixed(keys, np.ascontiguousarray(column).view(np.uint64))
    _, first, group, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return Distinct(points[first], group.astype(np.int64), count.astype(np.int64))


def closest_weights(
    to_train: Nearest, to_holdout: Nearest, queries: Ints, train: Distinct, holdout: Distinct
) -> Floats:
    """Return for each pooled record (train, then holdout) how many queries it is nearest to; t tied ones get 1/t each.

    The different queries stand for ``queries`` rows each; the weights sum to the number of all of them.
    """
    ours = to_train.first[to_train.query] <= to_holdout.first[to_train.query]
    theirs = to_holdout.first[to_holdout.query] <= to_train.first[to_holdout.query]
    query = np.concatenate([to_train.query[ours], to_holdout.query[theirs]])
    group = np.concatenate([to_train.reference[ours], to_holdout.reference[theirs] + len(train.sizes)])
    count = np.concatenate([train.sizes, holdout.sizes])
    each = queries / np.bincount(query, weights=count[group], minlength=len(queries))
    weight = np.bincount(group, weights=each[query], minlength=len(count)).astype(np.float64)
    return np.concatenate([weight[train.group], weight[len(train.sizes) + holdout.group]])


def dcr_share(weight: Floats, train: int, entity: Ints, of: str, seed: int) -> Estimate:
    """Return ``privacy.dcr_share`` from :func:`closest_weights` of ``train`` training records and the holdout's.

    The share of the weights that training records have is expected to be n_train/N =: π. It is reported as
    share·(1 - π)/(share·(1 - π) + (1 - share)·π), which is .5 where it is as expected and 1 where it is 1. Synthetic
    rows share neighbours, so chance is not binomial: the labels of the entities are permuted, in closed form, with an
    entity's weight taken less its size's part of the whole.
    """
    rows, queries = len(weight), float(weight.sum())
    expected, share = train / rows, float(weight[:train].sum()) / queries
    units = int(entity.max()) + 1
    spread = np.bincount(entity, weights=weight - queries / rows, minlength=units)
    ours = len(np.unique(entity[:train]))
    variance = ours * (units - ours) / (units * (units - 1)) * float(spread @ spread)
    se = sqrt(variance) / queries
    low, high = normal_interval(share, se, (0.0, 1.0))
    return Estimate(
        DCR_SHARE,
        FAMILY,
        even_odds(share, expected),
        even_odds(low, expected),
        even_odds(high, expected),
        n=round(queries),
        direction="lower",
        range=(0.0, 1.0),
        p_value=_upper_tail(share - expected, se),
        reference=0.5,
        reference_kind="random labels of the real records",
        reference_se=se / (4 * expected * (1 - expected)),
        detail=f"of {of}, {share:.1%} are nearest to a training record, where {expected:.1%} are expected",
        seed=seed,
    )


def even_odds(share: float, expected: float) -> float:
    """Return ``share`` on the scale where ``expected`` is one half: odds over expected odds, as a share."""
    ours, theirs = share * (1 - expected), (1 - share) * expected
    return ours / (ours + theirs)


def _upper_tail(excess: float, se: float) -> float:
    """Return the one-sided normal p-value; rounding is no excess."""
    if excess <= 1e-12:
        return 1.0 if se == 0 else normal_tail(excess / se)
    return normal_tail(excess / se) if se else 0.0


def quantile_interval(ordered: Floats, independent: int) -> Interval:
    """Return the 95 % interval of the 5 % quantile of sorted values, by order statistics (normal ranks).

    ``independent`` is how many of the values count as independent.
    """
    half = normal_quantile(0.5 + LEVEL / 2) * sqrt(QUANTILE * (1 - QUANTILE) / independent)
    return Interval(*(_at(ordered, level) for level in (QUANTILE - half, QUANTILE + half)))


def _at(ordered: Floats, level: float) -> float:
    """Return the order statistic at ``level`` (inverse of the distribution function), the ends beyond it."""
    place = int(np.ceil(np.round(level * len(ordered), 9))) - 1
    return float(ordered[min(max(place, 0), len(ordered) - 1)])


def _quantile(name: str, ours: Floats, gaps: Gaps, theirs: Floats, held: Gaps, of: str, seed: int) -> Estimate:
    """Return synthetic quantile minus the holdout's; their intervals are joined by squares.

    The low end is value - sqrt((q - low)² + (high' - q')²), the high end likewise (Zou & Donner 2008,
    doi:10.1002/sim.3095). Given the training records the two sides are independent.
    """
    mine, other = _at(ours, QUANTILE), _at(theirs, QUANTILE)
    low, high = quantile_interval(ours, gaps.independent)
    other_low, other_high = quantile_interval(theirs, held.independent)
    value = mine - other
    what = "distance to the nearest training record" if name == DCR_P05 else "nearest over second nearest distance"
    curves = tuple(_distribution(side, values) for side, values in (("synthetic", ours), ("holdout", theirs)))
    return Estimate(
        name,
        FAMILY,
        value,
        max(-1.0, value - sqrt((mine - low) ** 2 + (other_high - other) ** 2)),
        min(1.0, value + sqrt((high - mine) ** 2 + (other - other_low) ** 2)),
        n=len(ours),
        direction="higher",
        range=(-1.0, 1.0),
        reference=0.0,
        reference_kind="holdout to training part",
        reference_se=(other_high - other_low) / (2 * normal_quantile(0.5 + LEVEL / 2)),
        detail=f"5 % quantile of the {what}: {mine:.4g} for {of}, {other:.4g} for {len(theirs):,} holdout rows",
        seed=seed,
        curves=curves,
    )


def _distribution(name: str, ordered: Floats) -> Curve:
    """Return the share of sorted values (y) up to a value (x), at each hundredth of them but the outermost."""
    shares = np.arange(1, 100) / 100
    return Curve(name, tuple(round(_at(ordered, share), 6) for share in shares), tuple(shares.tolist()))


def _gaps(found: Nearest, queries: Distinct, independent: int) -> Gaps:
    """Return distances and ratios; with no second distinct distance nothing stands out, and the ratio is 1."""
    ratio = np.where(found.second > found.first, found.first / np.maximum(found.second, 1), 1.0)
    first = found.first / (queries.points.unit * queries.points.columns)
    return Gaps(np.sort(first[queries.group]), np.sort(ratio[queries.group]), independent)


def _attack(
    train: Points, holdout: Points, entity: Ints, rng: np.random.Generator, workplace: Workplace | None
) -> Attack:
    """Draw the reference half of the holdout, non-members from the other half, and as many members.

    Entities are halved, and one row of each is a non-member, one row of a training entity a member: rows of one entity
    would not be independent.
    """
    held = entity[train.rows :]
    names = rng.permutation(np.unique(held))
    reference = np.flatnonzero(np.isin(held, names[: len(names) // 2]))
    outside = _one_each(held, rng)
    outside = outside[~np.isin(outside, reference)]
    inside = _one_each(entity[: train.rows], rng)
    size = min(len(outside), len(inside), MAX_MEMBERS)
    rows = _stacked(train[inside[:size]], holdout[outside[:size]])
    to_reference = nearest(rows, distinct_points(holdout[reference]).points, workplace).first
    return Attack(rows, size, to_reference, len(reference))


def _membership(attack: Attack, synthetic: Points, seed: int, workplace: Workplace | None) -> Estimate:
    """Return ``privacy.membership_auc``: rows closer to the synthetic rows than to other real ones look like members.

    The score is log d(x, reference half) - log d(x, synthetic) in units of the integer distance, each plus one half, so
    that a distance of 0 counts as the closest. Members and non-members meet the same two tables: whatever those
    tables' sizes, .5 is what rows get that were not memorised.
    """
    to_synthetic = nearest(attack.rows, distinct_points(synthetic).points, workplace).first
    score = np.log(attack.to_reference + 0.5) - np.log(to_synthetic + 0.5)
    member = np.arange(attack.rows.rows) < attack.members
    from scipy import stats

    ranks = stats.rankdata(score)
    size = attack.members
    value = float((ranks[member].sum() - size * (size + 1) / 2) / (size * size))
    se = auc_se(member, score)
    low, high = normal_interval(value, se, (0.0, 1.0))
    return Estimate(
        MEMBERSHIP,
        FAMILY,
        value,
        low,
        high,
        n=synthetic.rows,
        direction="lower",
        range=(0.0, 1.0),
        p_value=_upper_tail(value - 0.5, se),
        reference=0.5,
        reference_kind="guessing",
        reference_se=sqrt((2 * size + 1) / (12 * size * size)),
        detail=f"{size:,} training rows told from {size:,} holdout rows by their distances to all {synthetic.rows:,} "
        f"synthetic rows and to {attack.reference:,} other holdout rows",
        seed=seed,
    )


def _one_each(entity: Ints, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return one row of every entity, all in random order."""
    order = rng.permutation(len(entity))
    return order[np.sort(np.unique(entity[order], return_index=True)[1])]


def _draw(rows: int, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    return np.sort(rng.permutation(rows)[:most]) if rows > most else np.arange(rows)


def _stacked(one: Points, other: Points) -> Points:
    numbers = np.concatenate([one.numbers, other.numbers])
    return Points(numbers, np.concatenate([one.categories, other.categories]), one.unit)


def _entities(train: int, holdout: int, labels: Entities | None) -> Ints:
    """Return entity numbers from 0; a label of one side is another entity than the same label of the other."""
    if labels is None:
        return np.arange(train + holdout)
    names, numbers = np.unique(labels[0], return_inverse=True)
    others = np.unique(labels[1], return_inverse=True)[1]
    return np.concatenate([numbers, others + len(names)]).astype(np.int64)


def _too_small(train: pl.DataFrame, holdout: pl.DataFrame, schema: Schema) -> str | None:
    if not schema.modelled:
        return "no modelled column"
    return f"fewer than {MIN_ROWS} training or holdout rows" if min(train.height, holdout.height) < MIN_ROWS else None


def _too_few(entities: int) -> str | None:
    return f"only {entities:,} entities in the holdout" if entities < MIN_ROWS else None


def _unmeasured(reason: str, rows: int) -> tuple[Estimate, ...]:
    return tuple(
        not_measured(name, FAMILY, reason, n=rows, direction="higher" if name in (DCR_P05, NNDR_P05) else "lower")
        for name in NAMES
    )
