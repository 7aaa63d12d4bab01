"""Privacy: do synthetic rows repeat records of real people?

``privacy.known_record_share`` is exact and uses every row of all three tables: sampling either real side is how a
verbatim copy passes at scale. A synthetic row is a hit where it equals a record that occurs exactly once in training
part and holdout together, in every modelled column (ids are made anew, text is left out: they would hide a copy).

Some hits are innocent: fresh real rows, too, repeat existing ones in tables with few columns. The reference is the
share of such repeats among fresh real rows, estimated from the real rows alone. The chance that a new row equals a
record seen once in N is the total mass of those records, which Good and Turing estimate by 2 f2/N, with f2 the number
of records that occur exactly twice (Good 1953, doi:10.2307/2333344).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import stats

from synthcli.metrics.estimate import Estimate, wilson_interval
from synthcli.rowkeys import Keys, row_keys
from synthcli.schema import Schema

FAMILY = "privacy"


def measure_known_records(
    train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema
) -> Estimate:
    """Measure the share of synthetic rows that equal a real record which occurs exactly once; lower is better."""
    names = [column.name for column in schema.modelled]
    pool = np.concatenate([row_keys(train, names), row_keys(holdout, names)])
    return known_record_share(pool, row_keys(synthetic, names))


def known_record_share(pool: Keys, synthetic: Keys) -> Estimate:
    """Return ``privacy.known_record_share`` from the keys of all real rows and of all synthetic rows.

    The p-value is one-sided and exact given the total: under innocence f2 and the hits are independent Poisson counts
    with means N·U/2 and m·U (U the mass of records seen once), so hits given f2 + hits is binomial with share
    m/(m + N/2).
    """
    distinct, counts = np.unique(pool, return_counts=True)
    singles, doubles = distinct[counts == 1], int((counts == 2).sum())
    hits, rows = int(np.isin(synthetic, singles).sum()), len(synthetic)
    chance = rows / (rows + len(pool) / 2)
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
        p_value=float(stats.binom.sf(hits - 1, hits + doubles, chance)),
        reference=min(1.0, 2 * doubles / len(pool)),
        reference_kind="Good-Turing, from the real rows",
        reference_se=2 * doubles**0.5 / len(pool),
        detail=f"{hits:,} of {rows:,} synthetic rows equal one of {len(singles):,} real records that occur once",
    )
