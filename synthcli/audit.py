"""The audit: training part, holdout and synthetic rows in, estimates out.

Encodes once, counts once, and runs the families that are asked for. It reads no file and prints nothing; what the
estimates mean for a release is ``gate``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import polars as pl

from synthcli.encoding import CountEncoding
from synthcli.metrics.accuracy import ColumnScore, PairScore, measure_accuracy
from synthcli.metrics.diversity import measure_category_coverage
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.privacy import measure_known_records
from synthcli.metrics.utility import measure_utility
from synthcli.schema import Schema

#: Every metric by family, in the order of the report.
METRICS: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy.univariate", "accuracy.bivariate"),
    "validity": (),
    "diversity": ("diversity.category_coverage",),
    "similarity": (),
    "privacy": ("privacy.known_record_share",),
    "utility": ("utility.tstr", "utility.trtr", "utility.ratio"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The tables of an audit, with the same modelled columns, each with at least one row.

    ``privacy_holdout`` is the slice of a time split's training period that was reserved for the privacy measures; else
    it is ``None``, and the holdout serves for them too.
    """

    train: pl.DataFrame
    holdout: pl.DataFrame
    synthetic: pl.DataFrame
    schema: Schema
    privacy_holdout: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What was measured: estimates in the report's order, and the scores of single columns and pairs."""

    estimates: tuple[Estimate, ...]
    columns: tuple[ColumnScore, ...]
    pairs: tuple[PairScore, ...]


def audit(
    tables: Tables,
    families: Sequence[str],
    *,
    target: str | None,
    exclude_features: Sequence[str],
    seed: int,
    phase: Callable[[str], AbstractContextManager[object]],
) -> AuditResult:
    """Measure the named ``families``; each runs inside ``phase(name)``, which may time it."""
    train, holdout, synthetic, schema = tables.train, tables.holdout, tables.synthetic, tables.schema
    estimates: list[Estimate] = []
    columns: tuple[ColumnScore, ...] = ()
    pairs: tuple[PairScore, ...] = ()
    if "accuracy" in families:
        with phase("accuracy"):
            encoding = CountEncoding.fit(train, schema)
            accuracy = measure_accuracy(
                encoding, encoding.encode(train), encoding.encode(holdout), encoding.encode(synthetic), seed
            )
        estimates += accuracy.estimates
        columns, pairs = accuracy.columns, accuracy.pairs
    if "diversity" in families:
        with phase("diversity"):
            estimates.append(measure_category_coverage(train, holdout, synthetic, schema))
    if "privacy" in families:
        with phase("privacy"):
            reserved = [holdout] if tables.privacy_holdout is None else [holdout, tables.privacy_holdout]
            estimates.append(measure_known_records(train, pl.concat(reserved), synthetic, schema))
    if "utility" in families:
        with phase("utility"):
            estimates += measure_utility(
                train, holdout, synthetic, schema, target=target, exclude=exclude_features, seed=seed
            )
    return AuditResult(tuple(estimates), columns, pairs)
