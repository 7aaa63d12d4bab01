"""Privacy: do synthetic rows repeat records of real people?

``privacy.known_record_share`` is exact and uses every row of all three tables: sampling either real side is how a
verbatim copy passes at scale. A synthetic row is a hit where it equals a record that occurs exactly once in training
part and holdout together, in every modelled column (ids are made anew, text is left out: they would hide a copy).

Some hits are innocent: fresh real rows, too, repeat existing ones in tables with few columns. The reference is the
share of such repeats among fresh real rows, estimated from the real rows alone. The chance U that a new row equals a
record seen once in N is the total mass of those records, which Good and Turing estimate by 2 f2/N, with f_r the number
of records that occur exactly r times (Good 1953, doi:10.2307/2333344).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import stats

from synthcli.metrics.estimate import Estimate, not_measured, wilson_interval
from synthcli.rowkeys import Keys, row_keys
from synthcli.schema import Schema

FAMILY = "privacy"
MIN_SINGLES = 20
_COARSE = 20  # a table with fewer than one different record in 20 rows identifies nobody
_DOUBLED = 10  # where not one record in ten occurs once, rows were taken in several times


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
    if len(singles) < MIN_SINGLES and len(distinct) > max(len(pool) / _COARSE, _DOUBLED * len(singles)):
        reason = (
            f"only {len(singles)} of {len(distinct):,} different records occur once: rows stand in the tables twice"
        )
        return not_measured(f"{FAMILY}.known_record_share", FAMILY, reason, n=len(synthetic), direction="lower")
    doubles, triples = int((counts == 2).sum()), int((counts == 3).sum())
    hits, rows = int(np.isin(synthetic, singles).sum()), len(synthetic)
    low, high = wilson_interval(hits, rows)
    return Estimate(
        f"{FAMILY}.known_record_share",
        FAMILY,
        hits / rows,
        low,
        high,
        n=rows,
        direction="lower",
        range=(0.0, 1.0),
        p_value=chance_of_hits(hits, rows, len(pool), doubles, triples),
        reference=min(1.0, 2 * doubles / len(pool)),
        reference_kind="Good-Turing, from the real rows",
        reference_se=(4 * doubles + 6 * triples) ** 0.5 / len(pool),
        detail=f"{hits:,} of {rows:,} synthetic rows equal one of {len(singles):,} real records that occur once",
    )


def holdout_was_seen(train: pl.DataFrame, holdout: pl.DataFrame, schema: Schema) -> bool:
    """Whether holdout rows repeat records that occur once in training far more often than fresh rows would.

    Then the holdout is no holdout: part of it, or all, stands in the training table. At most one disjoint pair of
    tables in a million is accused, and none where the repeats exceed their expectation by less than 1 % of the rows.
    """
    names = [column.name for column in schema.modelled]
    distinct, counts = np.unique(row_keys(train, names), return_counts=True)
    hits = int(np.isin(row_keys(holdout, names), distinct[counts == 1]).sum())
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
    effective = doubles * 2 * doubles / (2 * doubles + 3 * triples) if doubles else 0.0
    rate = pool / 2 * (effective / doubles if doubles else 1.0)
    return float(stats.nbinom.sf(hits - 1, effective + 1, rate / (rate + rows)))
