"""The three attacks of Giomi et al. 2023: can somebody who holds the synthetic rows single out, link or infer people?

Each attack (PoPETs 2023(2), arXiv 2211.10459; the risks are those of the Article 29 Working Party's opinion 05/2014) is
run on training records and, as control, on holdout records, which no generator has seen. What works on both is
knowledge about the population; risk = (attack - control)/(1 - control) is what training records suffer on top: 0 for a
perfect generator, 1 for a verbatim copy, below 0 where the control does better (cut at -1, not at 0: a cut at 0 would
make a perfect generator's mean risk positive).

Singling out: a guess is a predicate that fits exactly one different synthetic row. The chance to fit exactly one record
depends on the number of records, so all guesses are judged in one table, the pool of all real records. A guess that
fits several of them is set aside; one that fits a single record succeeds, as attack if that is a training record, as
control if it is a holdout record; each record counts once. Which guesses and records these are does not depend on which
side a record is from, so the number of training records among them is hypergeometric where nothing was memorised.
(Parts of the training table as large as the holdout would hold the original of a copied row only in one case of K, and
show a verbatim copy a risk near 1/K.)

Linkability: two halves of a record's columns are linked if their nearest synthetic rows are the same row.
Inference: a secret is guessed from the nearest synthetic row by all other columns. Ties are broken by a seeded draw
with the exact chance: outcomes are whole numbers and independent between records, as Fisher's test needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import numbers
from synthcli.encoding import DistanceEncoding, Points
from synthcli.metrics.estimate import LEVEL, Estimate, Interval, normal_quantile, not_measured, wilson_interval
from synthcli.metrics.neighbors import nearest
from synthcli.rowkeys import row_keys
from synthcli.schema import Column, Kind, Schema
from synthcli.seeds import generator

FAMILY = "privacy"
SINGLING_OUT, LINKABILITY, INFERENCE = (
    f"{FAMILY}.{risk}_risk" for risk in ("singling_out", "linkability", "inference")
)
TOLERANCE = 0.05
MIN_RECORDS = 10  # on each side: fewer show nothing

_RANGE = (-1.0, 1.0)
_ROUNDS = 10  # of as many candidate predicates as there are attacks
_FIRST_CHUNK, _CHUNK = 2**11, 2**17  # rows that a predicate looks at in one step, twice as many in the next, at most
_LINKS = 5_000_000  # ties that are held in memory at once, about

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Ints = npt.NDArray[np.int64]


def measure_attacks(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema,
    secrets: Sequence[str],
    seed: int,
    *,
    exchangeable: bool = True,
    attacks: int = 2_000,
    max_synthetic: int = 100_000,
) -> tuple[Estimate, ...]:
    """Measure the risks of singling out, linking and inferring; each in [-1, 1], lower is better, 0 is perfect.

    ``attacks`` guesses, or records on each side where there are as many; at most ``max_synthetic`` synthetic rows,
    drawn at random, stand for all. Inference has an estimate for each of ``secrets`` and, for the table, that of the
    secret with the largest low bound; its intervals hold for all secrets at once (Bonferroni), its p-values are Holm's.
    """
    named = tuple(dict.fromkeys(secrets))
    reason = _obstacle(train, holdout, synthetic, exchangeable)
    if reason:
        return (_none(SINGLING_OUT, reason), _none(LINKABILITY, reason), *_no_inference(reason, named))
    columns = [column.name for column in schema.modelled]
    train, holdout, synthetic = (part.select(columns) for part in (train, holdout, synthetic))
    singled = _singling_out(train, holdout, synthetic, schema, seed, attacks, max_synthetic)
    if len(columns) < 2:
        reason = "one column alone: there is nothing to link or to infer from"
        return (singled, _none(LINKABILITY, reason), *_no_inference(reason, named))
    scene = Scene.draw(train, holdout, synthetic, schema, seed, attacks, max_synthetic)
    return (singled, _linkability(scene, seed), *_inference(scene, named, train, seed))


def _obstacle(train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, exchangeable: bool) -> str | None:
    """Return why no attack can be measured, or ``None``."""
    if not exchangeable:
        return "not exchangeable: training part and holdout differ, so the holdout is no control"
    if min(train.height, holdout.height) < MIN_RECORDS:
        return f"an attack needs at least {MIN_RECORDS} training records and as many of the holdout"
    return None if synthetic.height else "there are no synthetic rows to attack with"


# From successes to a risk


def excess_risk(attack: float, control: float) -> float:
    """Return (attack - control)/(1 - control), cut at -1; where no control fails there is nothing left to gain: 0."""
    if control >= 1:
        return 0.0 if attack == control else -1.0
    return max(-1.0, (attack - control) / (1 - control))


def risk_interval(attack: int, control: int, trials: int, level: float = LEVEL) -> Interval:
    """Return the risk's interval from two numbers of successes, each among ``trials`` records.

    As published: the Wilson interval of each rate (Wilson 1927, doi:10.2307/2276774) is taken as centre ± error, and
    both errors are propagated to first order. That is approximate where the control rate is near 1 or ``trials`` is
    small; the p-value is exact there. The interval always contains the risk itself.
    """
    z = normal_quantile(0.5 + level / 2)
    (a, a_error), (c, c_error) = (_wilson(successes, trials, z) for successes in (attack, control))
    centre = (a - c) / (1 - c)
    error = sqrt(a_error**2 + (c_error * (1 - a) / (1 - c)) ** 2) / (1 - c)
    risk = excess_risk(attack / trials, control / trials)
    return Interval(max(-1.0, min(risk, centre - error)), min(1.0, max(risk, centre + error)))


def _wilson(successes: int, trials: int, z: float) -> tuple[float, float]:
    """Return centre and half-width of the Wilson interval; the centre is never 0 or 1."""
    share, z2n = successes / trials, z * z / trials
    half = z * sqrt(share * (1 - share) / trials + z2n / (4 * trials)) / (1 + z2n)
    return (share + z2n / 2) / (1 + z2n), half


def _against_control(
    name: str, attack: int, control: int, trials: int, baseline: float, detail: str, level: float = LEVEL
) -> Estimate:
    """Return the estimate of a risk from ``trials`` training records and as many of the holdout."""
    low, high = risk_interval(attack, control, trials, level)
    return Estimate(
        name,
        FAMILY,
        excess_risk(attack / trials, control / trials),
        low,
        high,
        n=trials,
        direction="lower",
        range=_RANGE,
        p_value=_at_least(attack, attack + control, trials, trials),
        reference=0.0,
        reference_kind="attack no better than control",
        detail=f"{detail}: attack {attack / trials:.3f}, control {control / trials:.3f}, "
        f"{trials:,} records each; random guesses {baseline:.3g}",
    )


def _at_least(hits: int, total: int, train: int, holdout: int) -> float:
    """Return Fisher's chance that at least ``hits`` of ``total`` successes fall on the training records."""
    from scipy import stats  # here, for it takes most of a second to import and few audits ask for it

    return min(1.0, float(stats.hypergeom.sf(hits - 1, train + holdout, train, total)))


def _none(name: str, reason: str, *columns: str) -> Estimate:
    return not_measured(name, FAMILY, reason, direction="lower", columns=columns)


def _no_inference(reason: str, secrets: Iterable[str]) -> tuple[Estimate, ...]:
    return (_none(INFERENCE, reason), *(_none(INFERENCE, reason, secret) for secret in secrets))


# Singling out


class Guess(NamedTuple):
    """A predicate: each named column's code lies in [low, high]; the column that fits the fewest rows comes first."""

    columns: tuple[int, ...]
    lows: tuple[int, ...]
    highs: tuple[int, ...]


class Isolated(NamedTuple):
    """What guesses do in the pool of all real records.

    ``train`` and ``holdout`` records are each the only one that some guess fits; ``guesses`` fit one record or none,
    those that fit the same record counted once; ``several`` fit more than one.
    """

    train: int
    holdout: int
    guesses: int
    several: int


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The attacker's table: codes (columns, rows) of different synthetic rows, and what he knows about each column.

    ``tops`` are the columns' largest codes and ``medians`` those of the (lower) median; ``below[c][k]`` is the number
    of rows with a code below k in column c. Code 0 is a missing cell; codes of an ``ordered`` column keep its order.
    """

    codes: Codes
    ordered: Bools
    tops: Ints
    medians: Ints
    below: tuple[Ints, ...]

    @classmethod
    def of(cls, codes: Codes, ordered: Sequence[bool], tops: Sequence[int]) -> Grid:
        """Count the columns' codes."""
        counts = [np.bincount(column, minlength=top + 1) for column, top in zip(codes, tops, strict=True)]
        below = tuple(np.concatenate([[0], np.cumsum(count)]) for count in counts)
        return cls(
            codes, np.array(ordered), np.array(tops), np.array([_lower_median(count) for count in counts]), below
        )


def exact_codes(parts: Sequence[pl.DataFrame], columns: Sequence[Column]) -> list[Codes]:
    """Return for each part codes of shape (columns, rows): 0 missing, then whole numbers, equal where values are equal.

    Numeric and datetime codes keep the values' order over all parts together: comparing codes is comparing values.
    """
    coded = [_column_codes([part[column.name] for part in parts], column) for column in columns]
    return [np.stack([column[i] for column in coded]) for i in range(len(parts))]


def _column_codes(series: Sequence[pl.Series], column: Column) -> list[Codes]:
    if column.ordered:
        values = pl.Series(np.concatenate([numbers(part) for part in series])).fill_nan(None).rank("dense")
    else:
        texts = pl.concat([part.cast(pl.String).alias("") for part in series])
        values = texts.cast(pl.Categorical).to_physical().rank("dense")
    codes = values.fill_null(0).cast(pl.Int32).to_numpy()
    return np.split(codes, np.cumsum([len(part) for part in series])[:-1])


def multivariate_guesses(grid: Grid, size: int, rng: np.random.Generator) -> list[Guess]:
    """Return ``size`` candidates, each from one synthetic row and a random set of two or more of its columns.

    Numbers and instants: at least the row's value where that lies above the column's median, else at most it; the
    other kinds: equal to it; a missing cell: missing. Set sizes are equally likely, so that guesses of every weight
    occur whatever the number of records.
    """
    values = grid.codes[:, rng.integers(grid.codes.shape[1], size=size)]
    return _guesses(grid, values, values > grid.medians[:, None], rng, least=2)


def random_guesses(grid: Grid, size: int, rng: np.random.Generator) -> list[Guess]:
    """Return the naive baseline: each column's value comes from a row of its own, each direction from a coin."""
    columns, rows = grid.codes.shape
    values = np.take_along_axis(grid.codes, rng.integers(rows, size=(columns, size)), axis=1)
    return _guesses(grid, values, rng.random((columns, size)) < 0.5, rng, least=1)


def univariate_guesses(grid: Grid, size: int, rng: np.random.Generator) -> list[Guess]:
    """Return at most ``size`` guesses about one column that fit one synthetic row: a value that occurs once, an end."""
    found = []
    for column, (below, ordered) in enumerate(zip(grid.below, grid.ordered, strict=True)):
        counts = np.diff(below)
        found += [(column, code, code) for code in np.flatnonzero(counts == 1).tolist()]
        used = 1 + np.flatnonzero(counts[1:])
        if ordered and len(used):
            ends = ((column, 1, int(used[0])), (column, int(used[-1]), int(grid.tops[column])))
            found += [end for end, code in zip(ends, used[[0, -1]], strict=True) if counts[code] == 1]
    kept = rng.permutation(len(found))[:size]
    return [Guess((column,), (low,), (high,)) for column, low, high in (found[i] for i in kept)]


def _guesses(grid: Grid, values: Codes, upward: Bools, rng: np.random.Generator, least: int) -> list[Guess]:
    """Turn values of shape (columns, guesses) into predicates over at least ``least`` random columns each."""
    columns, size = values.shape
    ranged = grid.ordered[:, None] & (values > 0)
    lows = np.where(ranged & ~upward, 1, values)
    highs = np.where(ranged & upward, grid.tops[:, None], values)
    fits = np.stack([below[high + 1] - below[low] for below, low, high in zip(grid.below, lows, highs, strict=True)])
    sizes = rng.integers(min(least, columns), columns + 1, size)
    chosen = rng.random((size, columns)).argsort(axis=1)
    guesses = []
    for i in range(size):
        picked = np.sort(chosen[i, : sizes[i]])
        order = picked[np.argsort(fits[picked, i], kind="stable")]
        guesses.append(Guess(*(tuple(part.tolist()) for part in (order, lows[order, i], highs[order, i]))))
    return guesses


def matches(guesses: Sequence[Guess], codes: Codes) -> tuple[Ints, Ints]:
    """Return how many rows each guess fits (0, 1, or 2 for any more) and the first of them (-1 for none)."""
    counts, first = np.zeros(len(guesses), dtype=np.int64), np.full(len(guesses), -1)
    start, size = 0, min(_FIRST_CHUNK, _CHUNK)
    while start < codes.shape[1]:  # most guesses that fit several rows are known after a few of them
        chunk = codes[:, start : start + size]
        for i in np.flatnonzero(counts < 2).tolist():
            rows = _fitting_rows(guesses[i], chunk)
            if len(rows):
                first[i] = start + rows[0] if first[i] < 0 else first[i]
                counts[i] = min(2, counts[i] + len(rows))
        start, size = start + size, min(2 * size, _CHUNK)
    return counts, first


def _fitting_rows(guess: Guess, codes: Codes) -> Indices:
    (column, *columns), (low, *lows), (high, *highs) = guess
    rows = np.flatnonzero(_between(codes[column], low, high))
    for column, low, high in zip(columns, lows, highs, strict=True):
        if not len(rows):
            break
        rows = rows[_between(codes[column][rows], low, high)]
    return rows


def _between(codes: Codes, low: int, high: int) -> Bools:
    return codes == low if low == high else (codes >= low) & (codes <= high)


def isolated(guesses: Sequence[Guess], pool: Codes, train_rows: int) -> Isolated:
    """Judge guesses in the pool of all real records, whose first ``train_rows`` are the training part."""
    counts, first = matches(guesses, pool)
    records = np.unique(first[counts == 1])
    train = int((records < train_rows).sum())
    return Isolated(train, len(records) - train, len(records) + int((counts == 0).sum()), int((counts > 1).sum()))


def singling_out_guesses(grid: Grid, attacks: int, rng: np.random.Generator) -> list[Guess]:
    """Return at most ``attacks`` different guesses that fit exactly one synthetic row.

    A quarter are univariate, more only where too few multivariate ones are found.
    """
    rare = univariate_guesses(grid, attacks, rng)
    kept = dict.fromkeys(rare[: attacks // 4])
    for _ in range(_ROUNDS):
        before = len(kept)
        candidates = list(dict.fromkeys(multivariate_guesses(grid, attacks, rng)))
        counts, _ = matches(candidates, grid.codes)
        kept |= dict.fromkeys(guess for guess, count in zip(candidates, counts, strict=True) if count == 1)
        if len(kept) >= attacks or len(kept) < before + attacks / 100:  # enough, or hardly any more to be found
            break
    return list(kept | dict.fromkeys(rare))[:attacks]


def _singling_out(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    synthetic: pl.DataFrame,
    schema: Schema,
    seed: int,
    attacks: int,
    max_synthetic: int,
) -> Estimate:
    columns = schema.modelled
    if not columns:
        return _none(SINGLING_OUT, "the table has no column to measure")
    different = np.unique(row_keys(synthetic, synthetic.columns), return_index=True)[1]
    rows = different[_draw(len(different), max_synthetic, seed, "singling_out", "synthetic")]
    *real, codes = exact_codes([train, holdout, synthetic[np.sort(rows)]], columns)
    pool = np.concatenate(real, axis=1)
    tops = np.maximum(pool.max(axis=1), codes.max(axis=1)).tolist()
    grid = Grid.of(codes, [column.ordered for column in columns], tops)
    guesses = singling_out_guesses(grid, attacks, generator(seed, "attacks", "singling_out", "guesses"))
    if not guesses:
        return _none(SINGLING_OUT, "no predicate fits exactly one different synthetic row")
    naive = random_guesses(grid, len(guesses), generator(seed, "attacks", "singling_out", "baseline"))
    found = isolated(guesses, pool, train.height)
    if not found.guesses:
        return _none(SINGLING_OUT, f"each of {found.several:,} guesses fits several real records")
    baseline = isolated(naive, pool, train.height).train / len(naive)
    estimate = singling_out_risk(found, train.height, holdout.height, baseline)
    return replace(estimate, detail=estimate.detail + _sampled(len(rows), len(different)))


def singling_out_risk(found: Isolated, train_rows: int, holdout_rows: int, baseline: float) -> Estimate:
    """Return the estimate; the control rate is scaled to as many holdout records as there are training records.

    Given the isolated records, only the share that are training records is random: its Wilson interval gives the
    risk's, which grows with it.
    """
    records, scale = found.train + found.holdout, train_rows / holdout_rows

    def risk(share: float) -> float:
        return excess_risk(share * records / found.guesses, (1 - share) * records / found.guesses * scale)

    attack, control = found.train / found.guesses, found.holdout / found.guesses * scale
    if records:
        low, high = (risk(share) for share in wilson_interval(found.train, records))
    else:
        high = wilson_interval(0, found.guesses).high
        low = -high
    return Estimate(
        SINGLING_OUT,
        FAMILY,
        excess_risk(attack, control),
        low,
        high,
        n=found.guesses,
        direction="lower",
        range=_RANGE,
        p_value=_at_least(found.train, records, train_rows, holdout_rows),
        reference=0.0,
        reference_kind="attack no better than control",
        detail=f"{found.train:,} training and {found.holdout:,} holdout records singled out of all real ones: attack "
        f"{attack:.3f}, control {min(1.0, control):.3f} at equal numbers, {found.guesses:,} guesses; {found.several:,} "
        f"that fit several set aside; random guesses {baseline:.3g}",
    )


def _lower_median(counts: Ints) -> int:
    """Return the lower median code of the rows that are not missing; 0 where all are."""
    cumulative = np.cumsum(counts[1:])
    if not len(cumulative) or not cumulative[-1]:
        return 0
    return 1 + int(np.searchsorted(cumulative, (cumulative[-1] + 1) // 2))


# Linkability and inference


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What both attacks by neighbours share: the attacked records, training ones first, and the rows to attack with.

    ``synthetic`` are some of ``synthetic_rows``, or all.
    """

    columns: tuple[Column, ...]
    encoding: DistanceEncoding
    attacked: pl.DataFrame
    synthetic: pl.DataFrame
    synthetic_rows: int

    @classmethod
    def draw(
        cls,
        train: pl.DataFrame,
        holdout: pl.DataFrame,
        synthetic: pl.DataFrame,
        schema: Schema,
        seed: int,
        attacks: int,
        max_synthetic: int,
    ) -> Scene:
        """Draw equally many records of both sides at random, and the synthetic rows where there are too many."""
        size = min(attacks, train.height, holdout.height)
        sides = [train[_draw(train.height, size, seed, "train")], holdout[_draw(holdout.height, size, seed, "holdout")]]
        rows = synthetic[_draw(synthetic.height, max_synthetic, seed, "synthetic")]
        encoding = DistanceEncoding.fit(pl.concat([train, holdout]), schema)
        return cls(schema.modelled, encoding, pl.concat(sides), rows, synthetic.height)

    @property
    def records(self) -> int:
        """Number of attacked records on each side."""
        return self.attacked.height // 2

    @property
    def sampled(self) -> str:
        """The end of a sentence that says how many synthetic rows were looked at, where that is not all."""
        return _sampled(self.synthetic.height, self.synthetic_rows)

    def points(self, names: Sequence[str]) -> tuple[Points, Points]:
        """Return the attacked records and the synthetic rows by the named columns."""
        encoding = self.encoding.select(names)
        return encoding.encode(self.attacked), encoding.encode(self.synthetic)

    def successes(self, chances: Floats, rng: np.random.Generator) -> tuple[int, int]:
        """Draw each record's success with its chance; return how many training and holdout records succeed."""
        success = rng.random(len(chances)) < chances
        return int(success[: self.records].sum()), int(success[self.records :].sum())


def balanced_halves(columns: Sequence[Column], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Divide columns at random into halves that differ by at most one column, in all and of each kind."""
    by_kind = sorted((columns[i] for i in rng.permutation(len(columns))), key=lambda column: column.kind)
    return [column.name for column in by_kind[::2]], [column.name for column in by_kind[1::2]]


def link_chances(one: tuple[Points, Points], other: tuple[Points, Points]) -> Floats:
    """Return each record's chance that both halves choose the same nearest synthetic row.

    Each half is (records, synthetic rows). With sets A and B of equally near rows and one random order of the synthetic
    rows, in which each half takes its first, the chance is |A ∩ B|/|A ∪ B|: 1 or 0 where there are no ties.
    """
    references = one[1].rows

    def chance(rows: Indices) -> tuple[Floats, int]:
        found = [nearest(queries[rows], synthetic) for queries, synthetic in (one, other)]
        a, b = (links.query.astype(np.int64) * references + links.reference for links in found)
        common = b[a[np.minimum(np.searchsorted(a, b), len(a) - 1)] == b] // references
        sizes = [np.bincount(links.query, minlength=len(rows)) for links in found]
        both = np.bincount(common, minlength=len(rows))
        return both / (sizes[0] + sizes[1] - both), len(a) + len(b)

    return _in_batches(one[0].rows, chance)


def guess_chances(queries: Points, references: Points, right: Callable[[Indices, Indices], Bools]) -> Floats:
    """Return each record's chance that a random one of its nearest synthetic rows gives a right guess.

    ``right(query, reference)`` says for pairs of rows whether the reference's secret is a right guess.
    """

    def chance(rows: Indices) -> tuple[Floats, int]:
        links = nearest(queries[rows], references)
        good = right(rows[links.query], links.reference)
        ties = np.bincount(links.query, minlength=len(rows))
        return np.bincount(links.query[good], minlength=len(rows)) / ties, len(good)

    return _in_batches(queries.rows, chance)


def _in_batches(rows: int, chance: Callable[[Indices], tuple[Floats, int]]) -> Floats:
    """Return ``chance`` of all rows, in batches as large as the ties of the batch before let expect that they fit."""
    found, start, size = [], 0, 64
    while start < rows:
        batch = np.arange(start, min(start + size, rows))
        chances, links = chance(batch)
        found.append(chances)
        start, size = start + len(batch), max(16, _LINKS * len(batch) // max(links, 1))
    return np.concatenate(found)


def right_numbers(truth: Floats, guess: Floats, tolerance: Floats) -> Bools:
    """Whether guesses lie within ``tolerance`` of the truth; a missing secret (NaN) is guessed by a missing one."""
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf; two equal infinities are equal all the same
        near = np.abs(guess - truth) <= tolerance
    right: Bools = (near & np.isfinite(truth)) | (guess == truth) | (np.isnan(guess) & np.isnan(truth))
    return right


def _linkability(scene: Scene, seed: int) -> Estimate:
    halves = balanced_halves(scene.columns, generator(seed, "attacks", "linkability", "halves"))
    chances = link_chances(scene.points(halves[0]), scene.points(halves[1]))
    attack, control = scene.successes(chances, generator(seed, "attacks", "linkability", "ties"))
    detail = f"{len(halves[0])} columns linked to {len(halves[1])} others{scene.sampled}"
    return _against_control(LINKABILITY, attack, control, scene.records, 1 / scene.synthetic.height, detail)


def _inference(scene: Scene, secrets: Sequence[str], train: pl.DataFrame, seed: int) -> tuple[Estimate, ...]:
    if not secrets:
        return (_none(INFERENCE, "no secret is named: set validate.secrets to the columns nobody should infer"),)
    known = {column.name: column for column in scene.columns}
    measurable = [secret for secret in secrets if secret in known]
    level = 1 - (1 - LEVEL) / max(1, len(measurable))
    singles = _holm([_infer(scene, known[secret], train, seed, level) for secret in measurable])
    strange = "the secret is not a numeric, categorical, boolean or datetime column of this table"
    others = [_none(INFERENCE, strange, secret) for secret in secrets if secret not in known]
    if not singles:
        return (_none(INFERENCE, "none of the secrets is a column that is measured"), *others)
    worst = max(singles, key=lambda estimate: estimate.low or 0.0)
    detail = f"{worst.columns[0]}, the worst of {len(singles)}: {worst.detail}" if len(singles) > 1 else worst.detail
    return (replace(worst, columns=(), detail=detail), *singles, *others)


def _infer(scene: Scene, column: Column, train: pl.DataFrame, seed: int, level: float) -> Estimate:
    """Return the estimate for one secret, guessed by all other columns."""
    others = [other.name for other in scene.columns if other is not column]
    right, baseline = _judge(scene, column, train)
    chances = guess_chances(*scene.points(others), right)
    attack, control = scene.successes(chances, generator(seed, "attacks", "inference", column.name))
    detail = f"guessed from {len(others)} other column{'s' * (len(others) > 1)}{scene.sampled}"
    estimate = _against_control(INFERENCE, attack, control, scene.records, baseline, detail, level)
    return replace(estimate, columns=(column.name,))


def _judge(scene: Scene, column: Column, train: pl.DataFrame) -> tuple[Callable[[Indices, Indices], Bools], float]:
    """Return what tells right guesses of a secret, and the rate at which random synthetic rows' secrets are right.

    Numbers: within 5 % of the true value's size. Instants have no size: within 5 % of the training part's interquartile
    range. The other kinds: equal.
    """
    sides = scene.attacked[column.name], scene.synthetic[column.name]
    if not column.ordered:
        ((truth,), (guess,)) = exact_codes([side.to_frame() for side in sides], [column])
        return lambda q, r: truth[q] == guess[r], _equal_share(truth, guess)
    true, guessed = (numbers(side) for side in sides)
    tolerance = TOLERANCE * np.abs(true)
    if column.kind is Kind.DATETIME:
        tolerance = np.full(len(true), TOLERANCE * _interquartile_range(numbers(train[column.name])))

    def right(q: Indices, r: Indices) -> Bools:
        return right_numbers(true[q], guessed[r], tolerance[q])

    return right, _near_share(true, guessed, tolerance)


def _equal_share(truth: Codes, guess: Codes) -> float:
    counts = np.bincount(guess, minlength=int(truth.max()) + 1)
    return float(counts[truth].mean() / len(guess))


def _near_share(truth: Floats, guess: Floats, tolerance: Floats) -> float:
    """Return the share of pairs of a record and a synthetic row whose guess is right."""
    missing = np.isnan(truth)
    reach = np.where(np.isfinite(truth), tolerance, 0.0)
    ordered = np.sort(guess[~np.isnan(guess)])
    with np.errstate(over="ignore"):
        low, high = truth - reach, truth + reach
    inside = np.searchsorted(ordered, high, "right") - np.searchsorted(ordered, low, "left")
    return float(np.where(missing, np.isnan(guess).sum(), inside).mean() / len(guess))


def _interquartile_range(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.subtract(*np.quantile(known, [0.75, 0.25]))) if len(known) else 0.0


def _holm(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Return the estimates with p-values that hold for all of them at once (Holm 1979, Scand. J. Statist. 6:65)."""
    p_values = np.array([estimate.p_value for estimate in estimates], dtype=float)
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1)))
    return [replace(estimate, p_value=float(p)) for estimate, p in zip(estimates, adjusted, strict=True)]


def _draw(rows: int, size: int, seed: int, *stage: str) -> Indices:
    """Return all row numbers, or ``size`` of them drawn at random, in order."""
    if rows <= size:
        return np.arange(rows)
    return np.sort(generator(seed, "attacks", *stage).permutation(rows)[:size])


def _sampled(rows: int, of: int) -> str:
    return f", by {rows:,} random ones of {of:,} synthetic rows" if rows < of else ""
