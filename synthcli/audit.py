"""The audit: training part, holdout and synthetic rows in, estimates out.

Runs the families that are asked for. It reads no file and prints nothing; what the estimates mean for a release is
``gate``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import Table
from synthcli.config.models import Constraint
from synthcli.encoding import CountEncoding
from synthcli.metrics.accuracy import measure_accuracy
from synthcli.metrics.attacks import measure_attacks
from synthcli.metrics.compat import measure_compat
from synthcli.metrics.distances import measure_distances
from synthcli.metrics.diversity import measure_diversity
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.privacy import measure_records
from synthcli.metrics.similarity import TwoSample, exchangeable, measure_similarity, not_exchangeable
from synthcli.metrics.utility import measure_utility
from synthcli.metrics.validity import measure_validity
from synthcli.rowkeys import row_keys
from synthcli.schema import Schema

#: Every metric by family, in the order of the report.
METRICS: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy.univariate", "accuracy.bivariate", "accuracy.trivariate", "accuracy.dependence"),
    "validity": (
        "validity.schema",
        "validity.ranges",
        "validity.categories",
        "validity.keys",
        "validity.missing",
        "validity.constraints",
    ),
    "diversity": (
        "diversity.category_coverage",
        "diversity.rare_category_coverage",
        "diversity.lost_category",
        "diversity.distinct_rows",
        "diversity.tail_coverage",
        "diversity.recall",
        "diversity.precision",
        "diversity.minority_share",
    ),
    "similarity": ("similarity.c2st_auc", "similarity.c2st_real"),
    "privacy": (
        "privacy.known_record_share",
        "privacy.exact_match_excess",
        "privacy.near_match_excess",
        "privacy.near_match_share",
        "privacy.dcr_share",
        "privacy.dcr_p05",
        "privacy.nndr_p05",
        "privacy.membership_auc",
        "privacy.singling_out_risk",
        "privacy.linkability_risk",
        "privacy.inference_risk",
    ),
    "utility": (
        "utility.tstr",
        "utility.trtr",
        "utility.ratio",
        "utility.generalization_gap",
        "utility.subgroup_gap",
    ),
    "compat": ("compat.sdmetrics_quality", "compat.sdmetrics_shapes", "compat.sdmetrics_pair_trends"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The tables of an audit, with the same columns, each with at least one row.

    ``privacy_holdout`` is the slice of a time split's training period that was reserved for the privacy measures; else
    it is ``None``, and the holdout serves for them too. Rows with equal values in the columns ``by`` belong to one
    entity, which lies wholly on one side of the split.
    """

    train: Table
    holdout: Table
    synthetic: Table
    schema: Schema
    privacy_holdout: Table | None = None
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Questions:
    """What an audit is asked: families of metrics, and the settings that some of them need.

    ``families`` are keys of ``METRICS``. ``exclude_features`` give the target away and are no features. Accuracy leaves
    the triples out unless ``trivariate``.
    """

    families: tuple[str, ...]
    seed: int
    target: str | None = None
    exclude_features: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    trivariate: bool = True


Phase = Callable[[str], AbstractContextManager[object]]


def audit(tables: Tables, questions: Questions, phase: Phase) -> tuple[Estimate, ...]:
    """Measure each family that is asked for, inside ``phase(name)``, which may time it.

    Returns estimates in the report's order: those of the table in the order of ``METRICS``, then those of columns and
    pairs. Each carries the seed.
    """
    case = _Case(tables, questions)
    found: list[Estimate] = []
    for family in METRICS:
        if family in questions.families:
            with phase(family):
                found += _MEASURES[family](case)
    order = {name: number for number, name in enumerate(chain.from_iterable(METRICS.values()))}
    found.sort(key=lambda estimate: (len(estimate.columns), order[estimate.name]))
    return tuple(replace(estimate, seed=questions.seed) for estimate in found)


@dataclass(frozen=True, eq=False)
class _Case:
    """Tables and questions, and what more than one family has to know of them.

    Families that count read the tables' columns; those that look at whole rows have what is measured in memory.
    """

    tables: Tables
    questions: Questions

    @cached_property
    def train(self) -> pl.DataFrame:
        return self._rows(self.tables.train)

    @cached_property
    def holdout(self) -> pl.DataFrame:
        return self._rows(self.tables.holdout)

    @cached_property
    def synthetic(self) -> pl.DataFrame:
        return self._rows(self.tables.synthetic)

    @cached_property
    def reserved(self) -> pl.DataFrame:
        """The reserved rows that privacy is measured against."""
        apart = self.tables.privacy_holdout
        return self.holdout if apart is None else self._rows(apart)

    def _rows(self, table: Table) -> pl.DataFrame:
        """Return the measured columns of all rows, and those that tell entities apart."""
        names = [column.name for column in self.tables.schema.modelled]
        return table.select(dict.fromkeys([*names, *(name for name in self.tables.by if name in table.columns)]))

    @cached_property
    def holdout_told(self) -> TwoSample | None:
        """How well the holdout can be told from the training part."""
        return exchangeable(self.train, self.holdout, self.tables.schema, self.questions.seed)

    @cached_property
    def reserved_told(self) -> TwoSample | None:
        """The same for the rows that privacy is measured against."""
        if self.tables.privacy_holdout is None:
            return self.holdout_told
        return exchangeable(self.train, self.reserved, self.tables.schema, self.questions.seed)


def _accuracy(case: _Case) -> tuple[Estimate, ...]:
    tables, questions = case.tables, case.questions
    encoding = CountEncoding.fit(tables.train, tables.schema)
    train, holdout, synthetic = (encoding.encode(part) for part in (tables.train, tables.holdout, tables.synthetic))
    return measure_accuracy(encoding, train, holdout, synthetic, questions.seed, trivariate=questions.trivariate)


def _validity(case: _Case) -> tuple[Estimate, ...]:
    tables, questions = case.tables, case.questions
    return measure_validity(tables.train, tables.holdout, tables.synthetic, tables.schema, questions.constraints)


def _diversity(case: _Case) -> tuple[Estimate, ...]:
    tables, questions = case.tables, case.questions
    parts = (tables.train, tables.holdout, tables.synthetic)
    return measure_diversity(*parts, tables.schema, target=questions.target, seed=questions.seed)


def _similarity(case: _Case) -> tuple[Estimate, ...]:
    seed = case.questions.seed
    return measure_similarity(case.train, case.synthetic, case.tables.schema, seed, holdout=case.holdout_told)


def _privacy(case: _Case) -> tuple[Estimate, ...]:
    """Measure privacy against reserved rows that are exchangeable with the training part, or say that none are."""
    tables, questions, reserved = case.tables, case.questions, case.reserved
    parts = (case.train, reserved, case.synthetic, tables.schema)
    alike = not not_exchangeable(case.reserved_told)
    extra = case.holdout if tables.privacy_holdout is not None else None
    entities = _entities(case.train, reserved, tables.by)
    return (
        *measure_records(*parts, extra=extra, entities=entities, exchangeable=alike),
        *measure_distances(*parts, questions.seed, entities=entities, exchangeable=alike),
        *measure_attacks(*parts, questions.secrets, questions.seed, exchangeable=alike),
    )


def _entities(
    train: pl.DataFrame, holdout: pl.DataFrame, by: Sequence[str]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None:
    """Return the entity's number of each row of both parts, or ``None`` where each row is an entity."""
    if not by:
        return None
    keys = np.concatenate([row_keys(train, by), row_keys(holdout, by)])
    _, labels = np.unique(keys, return_inverse=True)
    return labels[: train.height], labels[train.height :]


def _utility(case: _Case) -> tuple[Estimate, ...]:
    questions = case.questions
    return measure_utility(
        case.train,
        case.holdout,
        case.synthetic,
        case.tables.schema,
        target=questions.target,
        exclude=questions.exclude_features,
        seed=questions.seed,
        groups=questions.groups,
    )


def _compat(case: _Case) -> tuple[Estimate, ...]:
    tables = case.tables
    return measure_compat(tables.train, tables.holdout, tables.synthetic, tables.schema)


_MEASURES: dict[str, Callable[[_Case], tuple[Estimate, ...]]] = {
    "accuracy": _accuracy,
    "validity": _validity,
    "diversity": _diversity,
    "similarity": _similarity,
    "privacy": _privacy,
    "utility": _utility,
    "compat": _compat,
}
