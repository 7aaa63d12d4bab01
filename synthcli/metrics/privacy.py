"""Privacy: do synthetic rows repeat records of real people, whole or in all columns but one?

Exact, over every row of all tables: sampling either real side is how a verbatim copy passes at scale. Columns are the
modelled ones (ids are made anew, text is left out: they would hide a copy). Four questions, from one set of keys:

``privacy.known_record_share``  how many synthetic rows equal a record that occurs exactly once among the real rows,
                                against the share that fresh real rows would have.
``privacy.exact_match_excess``  of those, do more hit training records than holdout records?
``privacy.near_match_excess``   the same for rows that agree with a record in all columns, one at most left out.
``privacy.near_match_share``    how many synthetic rows do that, whichever side the record is on.

Some hits are innocent: fresh real rows, too, repeat existing ones in tables with few columns. For the shares the
reference is the chance U of such a repeat, estimated from the real rows alone by leaving each of them out once; for
whole rows that is Good and Turing's 2 f2/N, with f_r the number of records that occur exactly r times (Good 1953,
doi:10.2307/2333344). For the excesses it is 0: training part and holdout are exchangeable, so which of the unique
records belong to the training part is a random draw, and a generator that uses none of their cells, however crude, hits
both sides alike. One that puts together anew the very values of training rows (an amount to the cent that one person
alone has) is no such generator: its near matches do exceed, the more the fewer columns there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import betainc, gammaln

from synthcli import rowkeys
from synthcli.columns import Table
from synthcli.metrics.estimate import Estimate, normal_interval, not_measured, wilson_interval
from synthcli.rowkeys import Keys, among, row_keys
from synthcli.schema import Schema

FAMILY = "privacy"
KNOWN = f"{FAMILY}.known_record_share"
EXACT = f"{FAMILY}.exact_match_excess"
NEAR = f"{FAMILY}.near_match_excess"
NEAR_SHARE = f"{FAMILY}.near_match_share"
MIN_SINGLES = 20
NOT_EXCHANGEABLE = "train and holdout are not exchangeable: a difference between them would look like a leak"
_COARSE = 20  # a table with fewer than one different record in 20 rows identifies nobody
_DOUBLED = 10  # where not one record in ten occurs once, rows may have been taken in several times
_FEW_TIMES = 3.0  # records that occur less often than this on average would show one single in six, were it by chance
_FEWEST_ODDS = 1_000  # a test whose p-value cannot get below 1/1,000 would call every table safe

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Unique(NamedTuple):
    """The keys that occur exactly once in the pool, sorted, and the row that each belongs to."""

    keys: Keys
    owner: npt.NDArray[np.int32]

    def find(self, wanted: Keys) -> tuple[Ints, Ints]:
        """Return the places in ``wanted`` whose key is here, and the row that it belongs to.

        Sorted keys are looked up in sorted ones first, the fewer in the more: far faster, and mostly few are left to
        look up unsorted.
        """
        none = np.empty(0, np.int64)
        if not (len(wanted) and len(self.keys)):
            return none, none
        ordered = np.sort(wanted)
        if len(self.keys) > len(ordered):
            place = np.minimum(np.searchsorted(self.keys, ordered), len(self.keys) - 1)
            present = np.unique(place[self.keys[place] == ordered])
        else:
            place = np.minimum(np.searchsorted(ordered, self.keys), len(ordered) - 1)
            present = np.flatnonzero(ordered[place] == self.keys)
        keys, owner = self.keys[present], self.owner[present]
        if not len(keys):
            return none, none
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = np.flatnonzero(keys[place] == wanted)
        return found, owner[place[found]].astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Numbers that add up by record: sorted ``records``, each once, and the sum of each."""

    records: Ints
    sums: Floats

    @classmethod
    def of(cls, records: Ints, weights: Floats) -> Weights:
        """Add up the weights of equal records."""
        distinct, place = np.unique(records, return_inverse=True)
        return cls(distinct, np.bincount(place, weights, len(distinct)).astype(np.float64))

    def __add__(self, other: Weights) -> Weights:
        """Return the sums of both."""
        return Weights.of(np.concatenate([self.records, other.records]), np.concatenate([self.sums, other.sums]))

    def dense(self, records: int) -> Floats:
        """Return the sum of each of so many records."""
        out = np.zeros(records)
        inside = self.records < records
        out[self.records[inside]] = self.sums[inside]
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Which unique records some synthetic rows hit; hits of different rows add up.

    Attributes
    ----------
    rows
        Synthetic rows that were looked at.
    known, near
        How many of them equal a unique record, and how many agree with one in all columns but one at most.
    exact_weights, near_weights
        For each record of training part or holdout the sum over the rows that hit it, 1/k of a row that hits k.
    """

    rows: int
    known: int
    near: int
    exact_weights: Weights
    near_weights: Weights

    def __add__(self, other: Hits) -> Hits:
        """Return the hits of both sets of rows."""
        return Hits(
            self.rows + other.rows,
            self.known + other.known,
            self.near + other.near,
            self.exact_weights + other.exact_weights,
            self.near_weights + other.near_weights,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """The keys of unique records that synthetic rows are looked up in, of whole rows and without each column.

    ``pool`` is the number of real rows, ``both`` that of training part and holdout, whose records are told apart.
    """

    whole: Unique
    projected: tuple[Unique, ...]
    both: int
    pool: int

    def hits(self, cells: Keys) -> Hits:
        """Return which records rows hit, given the keys of their cells (columns, rows) from :func:`cell_keys`."""
        whole = cells.sum(axis=0, dtype=np.uint64)
        row, record = self.whole.find(whole)
        near_row, near_record = self._near(whole, cells)
        rows = cells.shape[1]
        return Hits(
            rows,
            len(row),
            len(np.unique(near_row)),
            self._weights(row, record, rows),
            self._weights(near_row, near_record, rows),
        )

    def _near(self, whole: Keys, cells: Keys) -> tuple[Ints, Ints]:
        """Return each pair of a synthetic row and a record that agree in all columns but one at most, once."""
        links = [np.empty(0, np.int64)]
        for unique, column in zip(self.projected, cells, strict=True):
            row, record = unique.find(whole - column)
            links.append(row * self.pool + record)
        distinct = np.unique(np.concatenate(links))
        return distinct // self.pool, distinct % self.pool

    def _weights(self, row: Ints, record: Ints, rows: int) -> Weights:
        """Return the records' weights: counted whole, rows with several hits would make training look innocent."""
        inside = record < self.both
        row, record = row[inside], record[inside]
        several = np.bincount(row, minlength=rows)
        return Weights.of(record, 1 / several[row])

    def save(self, folder: Path) -> None:
        """Write the keys to the existing ``folder``, from which several processes can read them without a copy each."""
        for name, unique in self._named():
            np.save(folder / f"{name}-keys.npy", unique.keys)
            np.save(folder / f"{name}-owner.npy", unique.owner)
        np.save(folder / "sizes.npy", np.array([len(self.projected), self.both, self.pool]))

    @classmethod
    def load(cls, folder: Path) -> Sought:
        """Read what :meth:`save` wrote, as far as it is looked at; nothing in it is executed."""

        def read(name: str) -> Unique:
            keys, owner = (
                np.load(folder / f"{name}-{what}.npy", mmap_mode="r", allow_pickle=False) for what in ("keys", "owner")
            )
            return Unique(keys, owner)

        columns, both, pool = map(int, np.load(folder / "sizes.npy", allow_pickle=False))
        return cls(read("whole"), tuple(read(str(number)) for number in range(columns)), both, pool)

    def _named(self) -> Iterator[tuple[str, Unique]]:
        yield "whole", self.whole
        yield from ((str(number), unique) for number, unique in enumerate(self.projected))


class Repeats(NamedTuple):
    """What leaving each pooled row out once says of a fresh row's chance to match a unique record.

    ``matched`` of ``rows`` pooled rows match a record that is unique among the others; ``variance`` is that of
    ``matched`` minus ``rows`` times the true chance.
    """

    matched: int
    variance: int
    rows: int

    @property
    def share(self) -> float:
        """The estimated chance."""
        return self.matched / self.rows if self.rows else 0.0

    @property
    def se(self) -> float:
        """The estimate's standard error."""
        return sqrt(self.variance) / self.rows if self.rows else 0.0

    def chance_of(self, hits: int, fresh: int) -> float:
        """Return the chance of at least ``hits`` innocent hits among ``fresh`` rows.

        Given U the hits are Poisson with mean fresh·U; U is taken for gamma with the estimate's mean and variance,
        which makes them negative binomial, and one more repeat than was seen is allowed for.
        """
        shape = self.matched**2 / self.variance if self.matched else 0.0
        rate = self.rows * self.matched / self.variance if self.matched else self.rows / 2
        return float(betainc(hits, shape + 1, fresh / (rate + fresh))) if hits else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The real rows, prepared once so that many synthetic tables can be measured against them.

    Rows are numbered through training part, holdout and further reserved rows.

    Attributes
    ----------
    names
        The columns compared.
    sizes
        Rows of the training part, of the holdout, and of the further reserved ones.
    whole, projected
        Keys that occur once: of whole rows, and for each column of the rows without it.
    doubles, triples
        How many whole records occur exactly two and three times.
    near
        The same for rows without one column, of all columns together.
    eligible
        Which rows are unique without at least one column.
    entity
        For each row of training part and holdout the entity that it belongs to, numbered from 0.
    twice
        A sentence where rows seem to stand in the tables twice, so that a copy would hide behind its doubles.
    """

    names: tuple[str, ...]
    sizes: tuple[int, int, int]
    whole: Unique
    projected: tuple[Unique, ...]
    doubles: int
    triples: int
    near: Repeats
    eligible: npt.NDArray[np.bool_]
    entity: Ints | None
    twice: str | None

    @classmethod
    def fit(
        cls,
        train: pl.DataFrame,
        holdout: pl.DataFrame,
        schema: Schema,
        *,
        extra: pl.DataFrame | None = None,
        entities: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
    ) -> Records:
        """Prepare the real rows: two exchangeable parts, and further reserved rows that only have to be kept secret.

        ``entities`` are labels of the rows of train and holdout; an entity's rows stand all on one side.
        """
        parts = [train, holdout] if extra is None else [train, holdout, extra]
        cells = np.concatenate([cell_keys(part, schema) for part in parts], axis=1)
        whole = cells.sum(axis=0, dtype=np.uint64)
        once, doubles, triples = _multiplicities(whole)
        eligible = np.zeros(len(whole), dtype=np.bool_)
        projected, pairs_2, pairs_3 = [], [], []
        for column in cells:
            unique, twos, threes = _multiplicities(whole - column)
            eligible[unique.owner] = True
            projected.append(unique)
            pairs_2.append(_pairs(twos))
            pairs_3.append(_pairs(threes))
        near = _repeats(len(whole), _joined(pairs_2), _joined(pairs_3))
        sizes = (train.height, holdout.height, len(whole) - train.height - holdout.height)
        return cls(
            tuple(column.name for column in schema.modelled),
            sizes,
            once,
            tuple(projected),
            len(doubles),
            len(triples),
            near,
            eligible,
            None if entities is None else _numbered(*entities),
            _taken_in_twice(whole, sizes),
        )

    def measure(self, synthetic: pl.DataFrame, schema: Schema, *, exchangeable: bool = True) -> tuple[Estimate, ...]:
        """Measure a synthetic table; see :func:`measure_records`."""
        return self.measure_cells(cell_keys(synthetic, schema), exchangeable=exchangeable)

    def measure_cells(self, cells: Keys, *, exchangeable: bool = True) -> tuple[Estimate, ...]:
        """Measure a synthetic table by its cells' keys (columns, rows) from :func:`cell_keys`."""
        rows = cells.shape[1]
        if not len(self.names) or not rows or not sum(self.sizes):
            reason = "no modelled column" if not len(self.names) else "a table has no rows"
            return tuple(_unmeasured(name, reason, rows) for name in (KNOWN, EXACT, NEAR, NEAR_SHARE))
        return self.measure_hits(self.sought.hits(cells), exchangeable=exchangeable)

    @property
    def sought(self) -> Sought:
        """What synthetic rows are looked up in."""
        return Sought(self.whole, self.projected, self.sizes[0] + self.sizes[1], sum(self.sizes))

    def measure_hits(self, hits: Hits, *, exchangeable: bool = True) -> tuple[Estimate, ...]:
        """Measure a synthetic table by the records that its rows hit, counted in one go or in parts."""
        unique = np.zeros(sum(self.sizes), dtype=np.bool_)
        unique[self.whole.owner] = True
        return (
            self._known(hits.known, hits.rows),
            self._excess(EXACT, hits.exact_weights, unique, hits.rows, exchangeable),
            self._excess(NEAR, hits.near_weights, self.eligible, hits.rows, exchangeable),
            self._near_share(hits.near, hits.rows),
        )

    def _known(self, hits: int, rows: int) -> Estimate:
        if self.twice:
            return _unmeasured(KNOWN, self.twice, rows)
        return _known(hits, rows, sum(self.sizes), len(self.whole.keys), self.doubles, self.triples)

    def _near_share(self, hits: int, rows: int) -> Estimate:
        if self.twice:
            return _unmeasured(NEAR_SHARE, self.twice, rows)
        low, high = wilson_interval(hits, rows)
        detail = (
            f"{hits:,} of {rows:,} synthetic rows agree in all columns but one at most with one of "
            f"{int(self.eligible.sum()):,} real records that stand alone there"
        )
        return Estimate(
            NEAR_SHARE,
            FAMILY,
            hits / rows,
            low,
            high,
            n=rows,
            direction="lower",
            range=(0.0, 1.0),
            p_value=self.near.chance_of(hits, rows),
            reference=self.near.share,
            reference_kind="real rows left out one by one",
            reference_se=self.near.se,
            detail=detail,
        )

    def _excess(
        self, name: str, weights: Weights, unique: npt.NDArray[np.bool_], rows: int, exchangeable: bool
    ) -> Estimate:
        """Compare training and holdout records, the ``unique`` ones, by how often they were hit."""
        if not exchangeable:
            return _unmeasured(name, NOT_EXCHANGEABLE, rows)
        train, both = self.sizes[0], self.sizes[0] + self.sizes[1]
        weight = weights.dense(both)
        entity = np.arange(both) if self.entity is None else self.entity
        units = int(entity.max(initial=-1)) + 1
        records = _sums(entity, unique[:both], units)
        in_train = np.zeros(units, dtype=np.bool_)
        in_train[entity[:train]] = True
        kept = records > 0
        sides = Sides(_sums(entity, weight, units)[kept], records[kept], in_train[kept])
        what = "records" if self.entity is None else "entities"
        reason = sides.blind(what)
        return _unmeasured(name, reason, rows) if reason else _excess(name, sides, rows, what)


class Sides(NamedTuple):
    """Units (records or entities) that synthetic rows could hit: how often each was, its unique records, its side."""

    hits: Floats
    records: Floats
    train: npt.NDArray[np.bool_]

    def blind(self, what: str) -> str | None:
        """Say why even a full copy of the training part could not be told from chance, if so."""
        units, train = len(self.hits), int(self.train.sum())
        if units < MIN_SINGLES:
            return f"only {units:,} real {what} are unique here"
        ways = gammaln(units + 1) - gammaln(train + 1) - gammaln(units - train + 1)
        if ways < log(_FEWEST_ODDS):
            return f"of {units:,} unique {what} {train:,} are in train: too uneven for any test"
        return None

    @property
    def odds(self) -> float:
        """Unique records of the training part for each of the holdout."""
        return float(self.records[self.train].sum() / self.records[~self.train].sum())

    @property
    def p_value(self) -> float:
        """The chance of so many hit training units, each counted once, if labels were dealt at random."""
        hit = self.hits > 0
        counts = len(hit), int(hit.sum()), int(self.train.sum())
        from scipy import stats

        return float(stats.hypergeom.sf(int((hit & self.train).sum()) - 1, *counts))

    @property
    def shuffled_se(self) -> float:
        """Standard error of the training part's hits when the labels are dealt anew, in closed form."""
        units, train = len(self.hits), int(self.train.sum())
        spread = self.hits - self.records * (self.hits.sum() / self.records.sum())
        return sqrt(train * (units - train) / (units * (units - 1)) * float(spread @ spread))


def _excess(name: str, sides: Sides, rows: int, what: str) -> Estimate:
    """Return an excess estimate; hits on one unit come together, so the interval counts units and not rows."""
    train, holdout, odds = sides.hits[sides.train], sides.hits[~sides.train], sides.odds
    value = (float(train.sum()) - odds * float(holdout.sum())) / rows
    # One hit more on either side, so that no hits at all do not make a certainty.
    se = sqrt(float(train @ train) + 1 + odds**2 * (float(holdout @ holdout) + 1)) / rows
    low, high = normal_interval(value, se, (-np.inf, 1.0))
    counts = [(int((part > 0).sum()), len(part)) for part in (train, holdout)]
    return Estimate(
        name,
        FAMILY,
        value,
        low,
        high,
        n=rows,
        direction="lower",
        range=(None, 1.0),
        p_value=sides.p_value,
        reference=0.0,
        reference_kind="random labels of the unique records",
        reference_se=(1 + odds) * sides.shuffled_se / rows,
        detail=f"{rows:,} synthetic rows hit {counts[0][0]:,} of {counts[0][1]:,} unique {what} of train and "
        f"{counts[1][0]:,} of {counts[1][1]:,} of the holdout",
    )


def measure_records(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema,
    *,
    extra: pl.DataFrame | None = None,
    entities: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
    exchangeable: bool = True,
) -> tuple[Estimate, ...]:
    """Measure known_record_share, exact_match_excess, near_match_excess and near_match_share, in this order.

    All in the direction ``lower``; shares in [0, 1], excesses up to 1 with reference 0. ``extra`` are further reserved
    rows: what equals them counts in the shares, and they count when records are looked at for being unique. The
    excesses are not measured where training part and holdout are not ``exchangeable``. With ``entities`` (labels of
    train's and of holdout's rows) each entity is one unit in the tests of the excesses.
    """
    pool = Records.fit(train, holdout, schema, extra=extra, entities=entities)
    return pool.measure(synthetic, schema, exchangeable=exchangeable)


def measure_known_records(
    train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema
) -> Estimate:
    """Measure the share of synthetic rows that equal a real record which occurs exactly once; lower is better."""
    names = [column.name for column in schema.modelled]
    pool = np.concatenate([row_keys(train, names), row_keys(holdout, names)])
    return known_record_share(pool, row_keys(synthetic, names))


def known_record_share(pool: Keys, synthetic: Keys) -> Estimate:
    """Return ``privacy.known_record_share`` from the keys of all real rows and of all synthetic rows.

    Not measured where fewer than 20 records occur once although there are many different ones: the real rows then
    look as if they had been taken in several times, and a copy would hide behind its doubles.
    """
    distinct, counts = np.unique(pool, return_counts=True)
    singles = distinct[counts == 1]
    reason = _doubled(counts)
    if reason:
        return _unmeasured(KNOWN, reason, len(synthetic))
    doubles, triples = int((counts == 2).sum()), int((counts == 3).sum())
    hits = int(np.isin(synthetic, singles).sum())
    return _known(hits, len(synthetic), len(pool), len(singles), doubles, triples)


def _known(hits: int, rows: int, pool: int, singles: int, doubles: int, triples: int) -> Estimate:
    low, high = wilson_interval(hits, rows)
    return Estimate(
        KNOWN,
        FAMILY,
        hits / rows,
        low,
        high,
        n=rows,
        direction="lower",
        range=(0.0, 1.0),
        p_value=chance_of_hits(hits, rows, pool, doubles, triples),
        reference=min(1.0, 2 * doubles / pool),
        reference_kind="Good-Turing, from the real rows",
        reference_se=(4 * doubles + 6 * triples) ** 0.5 / pool,
        detail=f"{hits:,} of {rows:,} synthetic rows equal one of {singles:,} real records that occur once",
    )


def holdout_was_seen(train: Table, holdout: Table, schema: Schema) -> bool:
    """Whether holdout rows repeat records that occur once in training far more often than fresh rows would.

    Then the holdout is no holdout: part of it, or all, stands in the training table. At most one disjoint pair of
    tables in a million is accused, and none where the repeats exceed their expectation by less than 1 % of the rows.
    """
    names = [column.name for column in schema.modelled]
    distinct, counts = np.unique(train.row_keys(names), return_counts=True)
    hits = int(among(holdout.row_keys(names), distinct[counts == 1]).sum())
    doubles, triples = int((counts == 2).sum()), int((counts == 3).sum())
    excess = hits / holdout.height - 2 * doubles / train.height
    return excess > 0.01 and chance_of_hits(hits, holdout.height, train.height, doubles, triples) < 1e-6


def chance_of_hits(hits: int, rows: int, pool: int, doubles: int, triples: int) -> float:
    """Return the chance of at least ``hits`` innocent hits among ``rows`` fresh rows, from N = ``pool`` real ones.

    Given the records seen once, each fresh row hits with probability U, so hits are Poisson with mean rows·U. What is
    not known is U: its estimate 2 f2/N misses it with variance (4 f2 + 6 f3)/N² (each record with λ expected rows adds
    E(2·1[2 seen] - λ·1[1 seen])² = 2λ²e^-λ + λ³e^-λ). U is taken for gamma with that mean and variance, which makes
    hits negative binomial. With f3 = 0 this is the exact conditional test of two Poisson counts, hits against f2.
    """
    return Repeats(2 * doubles, 4 * doubles + 6 * triples, pool).chance_of(hits, rows)


def cell_keys(frame: pl.DataFrame, schema: Schema) -> Keys:
    """Return the keys of the modelled columns' cells, of shape (columns, rows)."""
    return rowkeys.cell_keys(frame, (column.name for column in schema.modelled))


def _multiplicities(keys: Keys) -> tuple[Unique, Ints, Ints]:
    """Return the keys that occur once, and the rows of those that occur twice and three times, (groups, 2 or 3)."""
    order = np.argsort(keys)
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(keys) else order
    sizes = np.diff(np.append(starts, len(keys)))
    groups = [order[starts[sizes == size][:, None] + np.arange(size)] for size in (1, 2, 3)]
    return Unique(keys[groups[0][:, 0]], groups[0][:, 0].astype(np.int32)), groups[1], groups[2]


def _pairs(groups: Ints) -> Ints:
    """Return every pair of rows that stand in one group, the smaller row first, of shape (pairs, 2)."""
    ordered = np.sort(groups, axis=1)
    size = groups.shape[1]
    picked = [ordered[:, [i, j]] for i in range(size) for j in range(i + 1, size)]
    return np.concatenate(picked)


def _joined(pairs: list[Ints]) -> Ints:
    return np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)


def _repeats(rows: int, twos: Ints, threes: Ints) -> Repeats:
    """Return the leave-one-out match count and its variance from the pairs that share a group of two or of three.

    Row x matches (g_x = 1) where it stands in a group of two without some column: the other is then unique. The
    difference between Σ g_x and its prediction is the innovation of a point process, with the variance
    E Σ g_x + E Σ_{x≠y} (g_x - g_x without y)(g_y - g_y without x) for Poisson points (Baddeley, Møller & Pakes 2008,
    doi:10.1007/s10463-007-0116-6). Without y a group of two is none, and a group of three is one of two. For whole
    rows this gives 4 f2 + 6 f3.
    """
    degree = np.bincount(twos.ravel(), minlength=rows)  # groups of two that a row is in, one for each column
    pair_2, shared = np.unique(twos[:, 0] * rows + twos[:, 1], return_counts=True)
    pair_3 = np.unique(threes[:, 0] * rows + threes[:, 1])
    lost, shared = pair_2[~(both := np.isin(pair_2, pair_3))], shared[~both]
    gained = pair_3[~np.isin(pair_3, pair_2)]
    alone = (degree[lost // rows] == shared) & (degree[lost % rows] == shared)
    new = (degree[gained // rows] == 0) & (degree[gained % rows] == 0)
    matched = int((degree > 0).sum())
    return Repeats(matched, matched + 2 * int(alone.sum()) + 2 * int(new.sum()), rows)


def _numbered(train: npt.NDArray[Any], holdout: npt.NDArray[Any]) -> Ints:
    """Return entity numbers from 0; a label of one side is another entity than the same label of the other."""
    names, numbers = np.unique(train, return_inverse=True)
    others = np.unique(holdout, return_inverse=True)[1]
    return np.concatenate([numbers, others + len(names)]).astype(np.int64)


def _sums(group: Ints, weights: npt.NDArray[Any], groups: int) -> Floats:
    sums: Floats = np.bincount(group, weights=weights, minlength=groups).astype(np.float64)
    return sums


def _taken_in_twice(whole: Keys, sizes: tuple[int, int, int]) -> str | None:
    """Say so where rows stand in the whole pool, or in a part of it, twice: a copy would hide behind its doubles."""
    ends = np.cumsum(sizes)
    for part in [whole, *np.split(whole, ends[:-1])]:
        counts = np.unique(part, return_counts=True)[1]
        few = len(counts) < MIN_SINGLES and part is not whole  # a small part may well have no record that occurs once
        reason = None if few else _doubled(counts)
        if reason:
            return reason
    return None


def _doubled(counts: npt.NDArray[np.int64]) -> str | None:
    """Say so where records that occur ``counts`` times look as if they had been taken in several times.

    Hardly any occurs once, and either nearly all occur a multiple of some number of times, or they occur so seldom on
    average that chance would have shown more singles. A table with few possible records does neither.
    """
    distinct, singles, rows = len(counts), int((counts == 1).sum()), int(counts.sum())
    if singles >= MIN_SINGLES or distinct <= max(rows / _COARSE, _DOUBLED * singles):
        return None
    multiples = any((counts % times == 0).mean() > 1 - 1 / _DOUBLED for times in range(2, 10))
    if multiples or rows / distinct < _FEW_TIMES:
        return f"only {singles} of {distinct:,} different records occur once: rows stand in the tables twice"
    return None


def _unmeasured(name: str, reason: str, rows: int) -> Estimate:
    return not_measured(name, FAMILY, reason, n=rows, direction="lower")
