"""The audit: training part, holdout and synthetic rows in, estimates out.

Runs the families that are asked for. It prints nothing; what the estimates mean for a release is ``gate``'s business.

A synthetic table in memory is measured as it is. One that lies on disk is read once (``tally``): what is a function of
counts, and privacy's search for known records, sees every row of it; families that compare whole rows see a draw of as
many rows as the training part has, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import Table
from synthcli.config.models import Constraint
from synthcli.constraints import columns_of
from synthcli.encoding import CountEncoding
from synthcli.executors import Workplace
from synthcli.metrics.accuracy import FAMILY as ACCURACY
from synthcli.metrics.accuracy import draw_blocks, measure_accuracy, prepare_accuracy
from synthcli.metrics.attacks import measure_attacks
from synthcli.metrics.compat import measure_compat
from synthcli.metrics.distances import measure_distances
from synthcli.metrics.diversity import MAX_POINTS, DiversityCounter, Drawn, measure_diversity
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.privacy import Records
from synthcli.metrics.similarity import TwoSample, exchangeable, measure_similarity, not_exchangeable
from synthcli.metrics.utility import measure_utility
from synthcli.metrics.validity import ValidityCounter
from synthcli.progress import Phase as Told
from synthcli.rowkeys import row_keys
from synthcli.schema import Schema
from synthcli.seeds import drawn_places, generator
from synthcli.tally import Read, Wanted, read_table

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


#: Families that compare whole rows; diversity looks at a few of them.
OF_WHOLE_ROWS = ("similarity", "privacy", "utility", "compat")
#: Metrics that look at no synthetic row.
OF_REAL_ROWS = ("similarity.c2st_real", "utility.trtr")


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


def audit(
    tables: Tables, questions: Questions, phase: Phase, workplace: Workplace | None = None
) -> tuple[Estimate, ...]:
    """Measure each family that is asked for, inside ``phase(name)``, which may time it.

    Parts of a synthetic table on disk are read at ``workplace``, by default here. Returns estimates in the report's
    order: those of the table in the order of ``METRICS``, then those of columns and pairs. Each carries the seed.
    """
    workplace = workplace or Workplace.here()
    case = Case(tables, questions, workplace)
    if not tables.synthetic.in_memory:
        with phase("synthetic rows") as told:
            case.read = _read(case, told)
    found: list[Estimate] = []
    for family in METRICS:
        if family in questions.families:
            with phase(family):
                found += MEASURES[family](case)
    order = {name: number for number, name in enumerate(chain.from_iterable(METRICS.values()))}
    found.sort(key=lambda estimate: (len(estimate.columns), order[estimate.name]))
    return tuple(replace(estimate, seed=questions.seed) for estimate in found)


@dataclass(eq=False)
class Case:
    """Tables and questions, and what more than one family has to know of them.

    Families that count read the columns of ``tables``; those that look at whole rows have ``train``, ``holdout`` and
    ``synthetic`` in memory.
    ``read`` is what was found in a synthetic table on disk.
    """

    tables: Tables
    questions: Questions
    workplace: Workplace
    read: Read | None = None

    @cached_property
    def train(self) -> pl.DataFrame:
        return self._rows(self.tables.train)

    @cached_property
    def holdout(self) -> pl.DataFrame:
        return self._rows(self.tables.holdout)

    @cached_property
    def synthetic(self) -> pl.DataFrame:
        """The synthetic rows, or those that stand for them."""
        return self._rows(self.tables.synthetic) if self.read is None else self.read.rows

    @cached_property
    def encoding(self) -> CountEncoding:
        return CountEncoding.fit(self.tables.train, self.tables.schema)

    @cached_property
    def validity(self) -> ValidityCounter:
        tables, constraints = self.tables, self.questions.constraints
        return ValidityCounter.fit(tables.train, tables.schema, constraints, rows=tables.synthetic.height)

    @cached_property
    def diversity(self) -> DiversityCounter:
        tables, target = self.tables, self.questions.target
        return DiversityCounter.fit(tables.train, tables.schema, target=target, rows=tables.synthetic.height)

    @cached_property
    def records(self) -> Records:
        extra = self.holdout if self.tables.privacy_holdout is not None else None
        return Records.fit(self.train, self.reserved, self.tables.schema, extra=extra, entities=self.entities)

    @cached_property
    def entities(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None:
        return _entities(self.train, self.reserved, self.tables.by)

    def as_drawn(self, estimates: Iterable[Estimate]) -> tuple[Estimate, ...]:
        """Say of estimates from whole rows which rows these were, if not all."""
        rows, drawn = self.tables.synthetic.height, self.synthetic.height
        if drawn == rows:
            return tuple(estimates)
        told = f"; the synthetic rows are {drawn:,} drawn at random from {rows:,}"
        return tuple(
            replace(each, detail=each.detail.replace(f"all {drawn:,} ", f"{drawn:,} ") + told)
            if each.value is not None and each.name not in OF_REAL_ROWS
            else each
            for each in estimates
        )

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


def _read(case: Case, told: object) -> Read:
    """Read the synthetic table once, for all families that are asked for."""
    tables, questions, synthetic = case.tables, case.questions, case.tables.synthetic
    asked, rows, seed = set(questions.families), case.tables.synthetic.height, questions.seed
    names = {column.name for column in tables.schema.modelled}
    validity = case.validity if "validity" in asked else None
    if validity is not None:
        names |= {name for name, is_key in validity.keys.items() if is_key}
        names |= {name for constraint in validity.constraints for name in columns_of(constraint)}
    wanted = Wanted(
        tables.schema,
        tuple(name for name in synthetic.columns if name in names),
        case.encoding if "accuracy" in asked else None,
        validity,
        case.diversity if "diversity" in asked else None,
        case.records.sought if "privacy" in asked and case.records.names else None,
    )
    size = min(rows, tables.holdout.height)
    coded = np.empty(0, dtype=np.int64)
    if "accuracy" in asked:
        coded = draw_blocks(rows, size, generator(seed, ACCURACY, "synthetic"))
    compared = asked & set(OF_WHOLE_ROWS)
    kept = drawn_places(rows, tables.train.height if compared else MAX_POINTS, generator(seed, "audit", "rows"))
    tell = told.update if isinstance(told, Told) else lambda share, note: None
    return read_table(synthetic, wanted, coded, kept, case.workplace, tell)


def _accuracy(case: Case) -> tuple[Estimate, ...]:
    tables, questions, encoding = case.tables, case.questions, case.encoding
    train, holdout = (encoding.encode(part) for part in (tables.train, tables.holdout))
    if case.read is None or case.read.codes is None:
        synthetic = encoding.encode(tables.synthetic)
        return measure_accuracy(encoding, train, holdout, synthetic, questions.seed, trivariate=questions.trivariate)
    size = min(tables.synthetic.height, tables.holdout.height)
    baseline = prepare_accuracy(encoding, train, holdout, size, questions.seed, trivariate=questions.trivariate)
    return baseline.measure_drawn(case.read.codes)


def _validity(case: Case) -> tuple[Estimate, ...]:
    tables, counter = case.tables, case.validity
    counts = case.read.tally.validity if case.read is not None else None
    return counter.conclude(counter.count(tables.holdout, keys=False), counts or counter.count(tables.synthetic))


def _diversity(case: Case) -> tuple[Estimate, ...]:
    tables, questions = case.tables, case.questions
    if case.read is None or case.read.tally.diversity is None:
        parts = (tables.train, tables.holdout, tables.synthetic)
        return measure_diversity(*parts, tables.schema, target=questions.target, seed=questions.seed)
    counter, rows = case.diversity, Table(case.synthetic)
    drawn = Drawn.of(tables.train, tables.holdout, rows, tables.schema, seed=questions.seed)
    fresh = counter.sized(tables.holdout.height).count(tables.holdout)
    return counter.conclude(fresh, case.read.tally.diversity, drawn)


def _similarity(case: Case) -> tuple[Estimate, ...]:
    seed = case.questions.seed
    return case.as_drawn(
        measure_similarity(case.train, case.synthetic, case.tables.schema, seed, holdout=case.holdout_told)
    )


def _privacy(case: Case) -> tuple[Estimate, ...]:
    """Measure privacy against reserved rows that are exchangeable with the training part, or say that none are."""
    questions, schema = case.questions, case.tables.schema
    parts = (case.train, case.reserved, case.synthetic, schema)
    alike = not not_exchangeable(case.reserved_told)
    hits = case.read.tally.hits if case.read is not None else None
    if hits is not None:
        known = case.records.measure_hits(hits, exchangeable=alike)
    else:
        known = case.records.measure(case.synthetic, schema, exchangeable=alike)
    del case.records  # as large as the real rows
    rows = (
        *measure_distances(
            *parts, questions.seed, entities=case.entities, exchangeable=alike, workplace=case.workplace
        ),
        *measure_attacks(*parts, questions.secrets, questions.seed, exchangeable=alike),
    )
    return (*known, *case.as_drawn(rows))


def _entities(
    train: pl.DataFrame, holdout: pl.DataFrame, by: Sequence[str]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None:
    """Return the entity's number of each row of both parts, or ``None`` where each row is an entity."""
    if not by:
        return None
    keys = np.concatenate([row_keys(train, by), row_keys(holdout, by)])
    _, labels = np.unique(keys, return_inverse=True)
    return labels[: train.height], labels[train.height :]


def _utility(case: Case) -> tuple[Estimate, ...]:
    questions = case.questions
    return case.as_drawn(
        measure_utility(
            case.train,
            case.holdout,
            case.synthetic,
            case.tables.schema,
            target=questions.target,
            exclude=questions.exclude_features,
            seed=questions.seed,
            groups=questions.groups,
        )
    )


def _compat(case: Case) -> tuple[Estimate, ...]:
    tables = case.tables
    synthetic = tables.synthetic if case.read is None else Table(case.synthetic)
    return case.as_drawn(measure_compat(tables.train, tables.holdout, synthetic, tables.schema))


#: What measures a family; it names its estimates as ``METRICS`` lists them.
MEASURES: dict[str, Callable[[Case], tuple[Estimate, ...]]] = {
    "accuracy": _accuracy,
    "validity": _validity,
    "diversity": _diversity,
    "similarity": _similarity,
    "privacy": _privacy,
    "utility": _utility,
    "compat": _compat,
}
