"""The selection behind ``kind: auto``: several kinds fitted on a part of the training rows, judged on the rest, ranked.

The training rows are divided once more, into a fitting part and a validation part. Every candidate learns from the
fitting part, protected as it would be for a release, and is audited against both parts as they are. The holdout is not
an argument of anything here: what it later says of the chosen kind is no part of the choice. What is published is
fitted anew, on all training rows, by ``commands.fit``; no generator of the selection outlives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from synthcli.audit import Questions, Tables, audit
from synthcli.columns import Table
from synthcli.config.models import Constraint, ProtectionSection
from synthcli.errors import BadTableError, ConfigError, NoCandidateError, SynthcliError
from synthcli.gate import default_rules, judge
from synthcli.metrics.estimate import Estimate
from synthcli.protection import protect
from synthcli.rowkeys import row_keys
from synthcli.schema import Schema
from synthcli.seeds import generator, stage_seed
from synthcli.synthesizers.assembly import fit_table
from synthcli.synthesizers.crew import HERE, Crew

#: The share of the training rows (of the entities, where rows belong together) that candidates are judged by.
VALIDATION = 0.25
#: Rows of either part below which nothing can be chosen: every score would be at the mercy of chance.
MIN_ROWS = 50
#: How the choice is made, for people.
RULE = (
    "best: the highest score of those whose privacy gates hold; score: the mean of accuracy between floor and "
    "reference, utility ratio and 2 (1 - C2ST AUC), each cut to 0 … 1"
)
#: The families that candidates are measured by; utility needs a target.
_FAMILIES = ("accuracy", "similarity", "privacy")
#: The share of a candidate's progress that is told for its fit; the audit has the rest.
_FIT = 0.5

Status = Literal["scored", "out", "failed", "out_of_time"]
#: Told how far the selection is: the share done (0 to 1) and a short note.
Tell = Callable[[float, str], None]
#: Seconds from any fixed moment, never falling.
Clock = Callable[[], float]


class Contender(NamedTuple):
    """What is to be tried: a kind of ``synthesizers.KINDS`` and its validated parameters."""

    kind: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """What candidates are fitted and judged under; all but ``minutes`` as in ``fit`` and ``validate``.

    ``minutes`` is the time after which no candidate is begun and a fit under way is given up. Rows with equal values
    in the columns ``by`` belong to one entity, which lies wholly on one side.
    """

    seed: int
    minutes: float
    protection: ProtectionSection
    constraints: tuple[Constraint, ...] = ()
    target: str | None = None
    exclude_features: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the leaderboard.

    Attributes
    ----------
    status
        ``scored``; ``out``: measured, and a privacy gate fails; ``failed``: it could not be fitted, sampled from or
        measured; ``out_of_time``: not begun, or given up.
    seconds
        For fit, rows and audit together; ``None`` where it was not begun.
    accuracy, accuracy_reference, accuracy_floor
        ``accuracy.bivariate`` on the validation part.
    dcr_share, c2st_auc, utility_ratio
        The metrics of these names; ``None`` where they could not be measured.
    score
        See :func:`score`; ``None`` where nothing that it is made of could be measured.
    reason
        Why it is out or failed, or what could not be measured of its privacy; empty where there is nothing to say.
    """

    name: str
    kind: str
    parameters: Mapping[str, Any]
    status: Status
    seconds: float | None = None
    accuracy: float | None = None
    accuracy_reference: float | None = None
    accuracy_floor: float | None = None
    dcr_share: float | None = None
    c2st_auc: float | None = None
    utility_ratio: float | None = None
    score: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidates in their order, the best of them, and the rows of both parts."""

    leaderboard: tuple[Candidate, ...]
    best: Candidate
    fitting_rows: int
    validation_rows: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; the best candidate is the one with ``best`` true."""
        return {
            "rule": RULE,
            "fitting_rows": self.fitting_rows,
            "validation_rows": self.validation_rows,
            "leaderboard": [{**asdict(candidate), "best": candidate is self.best} for candidate in self.leaderboard],
        }


def select(
    train: pl.DataFrame,
    schema: Schema,
    contenders: Sequence[Contender],
    terms: Terms,
    tell: Tell,
    clock: Clock,
    crew: Crew = HERE,
) -> Selection:
    """Try ``contenders`` in their order within ``terms.minutes``, and choose by the rule.

    The rule: out is a candidate for which a default gate of the family privacy, of level error, fails on the inner
    parts; a gate that cannot be measured there does not speak against it, and the candidate says so. Of the others the
    highest :func:`score` is best, of equal ones the first.

    Parameters
    ----------
    train
        All training rows, not protected; the holdout has no place here.
    tell
        Told the progress of the whole, often.
    crew
        Fits the candidates, one after the other.

    Raises
    ------
    BadTableError
        There are too few rows to divide.
    NoCandidateError
        All candidates that were measured are out.
    ConfigError
        The time was over before one of them was measured.
    SynthcliError
        All of them failed; the error has the class of the first one's.
    """
    fitting, validation = inner_parts(train, terms.by, terms.seed)
    protected = protect(fitting, schema, terms.protection, terms.constraints, terms.seed).table
    trial = _Trial(fitting, validation, protected, schema, terms, clock, clock() + 60 * terms.minutes, crew)
    tried = []
    for place, (name, contender) in enumerate(zip(names(contenders), contenders, strict=True)):
        tried.append(trial.candidate(name, contender, _part(tell, place, len(contenders))))
    leaderboard = tuple(candidate for candidate, _ in tried)
    best = choose(leaderboard)
    if best is None:
        raise _nothing_chosen(leaderboard, [error for _, error in tried if error is not None], terms.minutes)
    return Selection(leaderboard, best, fitting.height, validation.height)


def inner_parts(train: pl.DataFrame, by: Sequence[str], seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the fitting and the validation part of ``train``, each in the rows' order.

    ``VALIDATION`` of the entities, drawn at random, are the validation part; a row with a missing value in ``by`` is
    an entity of its own. Raises ``BadTableError`` where either part has fewer than ``MIN_ROWS`` rows.
    """
    entities = np.arange(train.height)
    if by:
        known = train.select(pl.all_horizontal(pl.col(by).is_not_null())).to_series().to_numpy()
        shared = np.unique(row_keys(train, by), return_inverse=True)[1]
        entities = np.unique(np.where(known, shared, train.height + entities), return_inverse=True)[1]
    count = int(entities.max()) + 1 if train.height else 0
    drawn = np.zeros(count, dtype=np.bool_)
    drawn[generator(seed, "select", "split").permutation(count)[: round(VALIDATION * count)]] = True
    reserved = pl.Series(drawn[entities], dtype=pl.Boolean)
    fitting, validation = train.filter(~reserved), train.filter(reserved)
    if min(fitting.height, validation.height) < MIN_ROWS:
        raise BadTableError(
            f"synthesizer.kind: auto divides the {train.height:,} training rows into {fitting.height:,} to learn from "
            f"and {validation.height:,} to judge by, expected at least {MIN_ROWS} of each",
            "name one kind of generator with synthesizer.kind",
        )
    return fitting, validation


def score(estimates: Mapping[str, Estimate]) -> float | None:
    """Return the mean, 0 to 1, of those that are measured of three parts; higher is better, ``None`` without any.

    The parts, each cut to 0 … 1: bivariate accuracy on the way from its floor (0) to its reference (1), the ratio of
    utility, and 2 (1 - AUC) of the classifier two-sample test, which is 1 where it cannot tell the rows apart.
    ``estimates`` are the table's own, by name.
    """
    found = parts(estimates)
    return float(np.mean(list(found.values()))) if found else None


def parts(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """Return the parts of :func:`score` that are measured, by the metrics' names, each in 0 … 1; higher is better."""
    found = {}
    accuracy, ratio, auc = (_value(estimates, name) for name in _SCORED)
    if accuracy is not None:
        estimate = estimates[_SCORED[0]]
        floor, reference = estimate.floor or 0.0, estimate.reference
        if reference is not None and reference > floor:
            found[_SCORED[0]] = (accuracy - floor) / (reference - floor)
    if ratio is not None:
        found[_SCORED[1]] = ratio
    if auc is not None:
        found[_SCORED[2]] = 2 * (1 - auc)
    return {name: min(max(float(value), 0.0), 1.0) for name, value in found.items()}


_SCORED = ("accuracy.bivariate", "utility.ratio", "similarity.c2st_auc")


def choose(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the scored candidate with the highest score, of equal ones the first; ``None`` where none is scored."""
    scored = [candidate for candidate in candidates if candidate.status == "scored"]
    return max(scored, key=lambda candidate: -1.0 if candidate.score is None else candidate.score, default=None)


def names(contenders: Sequence[Contender]) -> list[str]:
    """Return what each is called: its kind and, where that is tried more than once, what sets it apart."""
    kinds = [contender.kind for contender in contenders]
    found = []
    for kind, parameters in contenders:
        others = [other.parameters for other in contenders if other.kind == kind]
        varied = [key for key in parameters if any(other.get(key) != parameters[key] for other in others)]
        told = ", ".join(f"{key} {_in_word(parameters[key])}" for key in varied)
        found.append(f"{kind} ({told})" if kinds.count(kind) > 1 and told else kind)
    return found


def _in_word(value: Any) -> str:
    return "unset" if value is None else str(value)


class _OutOfTimeError(Exception):
    """Raised in a fit's own progress call, the only place where it can be ended from outside."""


@dataclass(frozen=True, eq=False)
class _Trial:
    """The parts that every candidate is fitted and judged on, and the moment when the time is over."""

    fitting: pl.DataFrame
    validation: pl.DataFrame
    protected: pl.DataFrame
    schema: Schema
    terms: Terms
    clock: Clock
    deadline: float
    crew: Crew

    def candidate(self, name: str, contender: Contender, tell: Tell) -> tuple[Candidate, SynthcliError | None]:
        """Fit and judge one; the error is why it failed."""
        blank = Candidate(name, contender.kind, dict(contender.parameters), "out_of_time")
        started = self.clock()
        if started >= self.deadline:
            return blank, None
        tell(0.0, name)
        over = False

        def told(share: float, note: str) -> None:
            nonlocal over
            over = self.clock() >= self.deadline
            # A fit that is done is not given up for what was left of its time.
            if over and share < 1:
                raise _OutOfTimeError
            over = False
            tell(_FIT * share, f"{name}: {note}")

        try:
            synthetic = self._synthetic(contender, told)
            judged = self._judged(blank, synthetic, lambda share, family: tell(share, f"{name}: {family}"))
            return replace(judged, seconds=round(self.clock() - started, 3)), None
        except _OutOfTimeError:
            return replace(blank, seconds=round(self.clock() - started, 3)), None
        except SynthcliError as error:
            seconds = round(self.clock() - started, 3)
            if over:  # a library made an error of its own of the call that ended it
                return replace(blank, seconds=seconds), None
            return replace(blank, status="failed", seconds=seconds, reason=error.message), error

    def _synthetic(self, contender: Contender, told: Tell) -> pl.DataFrame:
        """Fit as ``commands.fit`` does, and draw as many rows as there are to learn from."""
        terms = self.terms
        fitted = fit_table(
            self.protected,
            self.schema,
            contender.kind,
            contender.parameters,
            terms.seed,
            told,
            terms.constraints,
            self.crew,
        )
        return fitted.sample(self.fitting.height, stage_seed(terms.seed, "select", "sample"))

    def _judged(self, blank: Candidate, synthetic: pl.DataFrame, tell: Tell) -> Candidate:
        terms = self.terms
        families = (*_FAMILIES, *(["utility"] if terms.target else []))
        tables = Tables(Table(self.fitting), Table(self.validation), Table(synthetic), self.schema, by=terms.by)
        questions = Questions(
            families, terms.seed, target=terms.target, exclude_features=terms.exclude_features, secrets=terms.secrets
        )

        @contextmanager
        def phase(family: str) -> Iterator[None]:
            tell(_FIT + (1 - _FIT) * families.index(family) / len(families), family)
            yield

        estimates = audit(tables, questions, phase)
        failed, unknown = _privacy(estimates, terms)
        whole = {estimate.name: estimate for estimate in estimates if not estimate.columns}
        accuracy = whole.get(_SCORED[0])
        return replace(
            blank,
            status="out" if failed else "scored",
            accuracy=_value(whole, _SCORED[0]),
            accuracy_reference=accuracy.reference if accuracy else None,
            accuracy_floor=accuracy.floor if accuracy else None,
            dcr_share=_value(whole, "privacy.dcr_share"),
            c2st_auc=_value(whole, "similarity.c2st_auc"),
            utility_ratio=_value(whole, "utility.ratio"),
            score=score(whole),
            reason=", ".join(failed) if failed else unknown,
        )


def _privacy(estimates: Sequence[Estimate], terms: Terms) -> tuple[list[str], str]:
    """Return the metrics whose privacy gates fail, and what could not be measured where none does."""
    rules = [rule for rule in default_rules(("privacy",), terms.target, terms.secrets) if rule.level == "error"]
    verdicts = judge(estimates, (), rules)
    failed = list(dict.fromkeys(verdict.metric for verdict in verdicts if verdict.status == "fail"))
    unknown = [v.metric for v in verdicts if v.status == "not_measured" and v.required]
    if all(verdict.status == "not_measured" for verdict in verdicts):
        return failed, "privacy could not be measured"
    return failed, f"{', '.join(dict.fromkeys(unknown))} could not be measured" if unknown else ""


def _value(estimates: Mapping[str, Estimate], name: str) -> float | None:
    return estimates[name].value if name in estimates else None


def _part(tell: Tell, place: int, number: int) -> Tell:
    """Return a listener to one of ``number`` equal parts of the whole."""
    return lambda share, note: tell((place + share) / number, note)


def _nothing_chosen(leaderboard: Sequence[Candidate], errors: Sequence[SynthcliError], minutes: float) -> SynthcliError:
    lines = "\n".join(f"{candidate.name}: {told(candidate)}" for candidate in leaderboard)
    if any(candidate.status == "out" for candidate in leaderboard):
        return NoCandidateError(
            f"synthesizer.kind: auto found no candidate whose privacy gates hold; nothing is published\n{lines}",
            "name other candidates, e.g. {kind: forest, privacy: high}, or raise protection.rare_category_min_count",
        )
    if any(candidate.status == "out_of_time" for candidate in leaderboard):
        return ConfigError(
            f"synthesizer.max_minutes: {minutes:g} minutes were over before a candidate was measured\n{lines}",
            "raise synthesizer.max_minutes, or name a faster candidate first",
        )
    return type(errors[0])(f"synthesizer.candidates: none could be fitted\n{lines}", errors[0].hint)


def told(candidate: Candidate) -> str:
    """Return one candidate's status, its numbers and why, in a line."""
    numbers = {
        "score": candidate.score,
        "accuracy": candidate.accuracy,
        "DCR share": candidate.dcr_share,
        "C2ST AUC": candidate.c2st_auc,
        "utility ratio": candidate.utility_ratio,
    }
    figures = [f"{name} {number:.3f}" for name, number in numbers.items() if number is not None]
    status = candidate.status.replace("_", " ")
    return ", ".join([f"{status} ({candidate.reason})" if candidate.reason else status, *figures])
