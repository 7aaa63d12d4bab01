"""The selection: how a score is made, who is out, what the clock ends, and that a leaking kind never wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table

from synthcli import selection
from synthcli.audit import Questions, Tables
from synthcli.config.models import ProtectionSection
from synthcli.errors import BadTableError, ConfigError, EngineError, NoCandidateError
from synthcli.metrics.estimate import Estimate, not_measured
from synthcli.selection import RULE, Candidate, Contender, Terms, choose, inner_parts, names, score, select
from synthcli.synthesizers import KINDS
from synthcli.synthesizers.protocol import Progress

OFF = ProtectionSection(rare_category_min_count=0, clip_extremes=0)
TERMS = Terms(seed=3, minutes=1.0, protection=OFF, target="late")
TRAIN = mixed_table(400, seed=1)


def measured(name: str, value: float, **more: Any) -> Estimate:
    return Estimate(name, name.partition(".")[0], value, value, value, 100, "higher", (0, 1), **more)


def marks(accuracy: float, ratio: float, auc: float) -> list[Estimate]:
    """Estimates on a floor of .8 and a reference of .9, with a harmless DCR share and no known record."""
    return [
        measured("accuracy.bivariate", accuracy, floor=0.8, reference=0.9),
        measured("similarity.c2st_auc", auc),
        measured("privacy.known_record_share", 0.01, reference=0.01, p_value=0.5),
        measured("privacy.dcr_share", 0.51),
        measured("utility.ratio", ratio),
    ]


def scored(estimates: Sequence[Estimate]) -> float | None:
    return score({estimate.name: estimate for estimate in estimates})


# the score


@pytest.mark.parametrize(
    ("accuracy", "ratio", "auc", "expected"),
    [
        (0.85, 0.9, 0.6, (0.5 + 0.9 + 0.8) / 3),
        (0.95, 1.2, 0.4, 1.0),  # better than perfect is no more than perfect
        (0.7, -0.5, 1.0, 0.0),
        (0.9, 0.0, 0.75, (1 + 0 + 0.5) / 3),
    ],
)
def test_the_score_is_the_mean_of_its_parts(accuracy: float, ratio: float, auc: float, expected: float) -> None:
    assert scored(marks(accuracy, ratio, auc)) == pytest.approx(expected)


def test_what_is_not_measured_is_no_part_of_the_score() -> None:
    accuracy, auc, *_, ratio = marks(0.85, 0.9, 0.6)
    assert scored([accuracy, auc]) == pytest.approx((0.5 + 0.8) / 2)
    assert scored([not_measured("utility.ratio", "utility", "no signal"), auc]) == pytest.approx(0.8)
    assert scored([replace(accuracy, reference=0.8), ratio]) == pytest.approx(0.9)  # no way from floor to reference
    assert scored([]) is None


def row(name: str, score: float | None, status: selection.Status = "scored") -> Candidate:
    return Candidate(name, name, {}, status, score=score)


def test_the_highest_score_is_best_and_the_first_of_equal_ones() -> None:
    rows = [row("a", 0.4), row("b", 0.6), row("c", 0.6), row("d", 0.9, "out"), row("e", None), row("f", None, "failed")]
    assert choose(rows) is rows[1]
    assert choose(rows[3:]) is rows[4]
    assert choose([rows[3], rows[5]]) is None


def test_candidates_of_one_kind_are_called_by_what_sets_them_apart() -> None:
    forests = [Contender("forest", {"privacy": privacy, "trees": 8}) for privacy in ("low", "high")]
    assert names([*forests, Contender("ctgan", {"epochs": 3})]) == [
        "forest (privacy low)",
        "forest (privacy high)",
        "ctgan",
    ]


# the inner parts


def test_a_quarter_of_the_rows_is_for_validation_and_each_row_is_on_one_side() -> None:
    table = pl.DataFrame({"n": range(400)})
    fitting, validation = inner_parts(table, (), 5)
    assert (fitting.height, validation.height) == (300, 100)
    assert sorted([*fitting["n"], *validation["n"]]) == list(range(400))
    assert validation["n"].to_list() == inner_parts(table, (), 5)[1]["n"].to_list()
    assert validation["n"].to_list() != inner_parts(table, (), 6)[1]["n"].to_list()


def test_rows_of_one_entity_stay_together_and_rows_without_one_do_not() -> None:
    table = pl.DataFrame({"person": [*np.repeat([f"p{i}" for i in range(50)], 8), *[None] * 400]})
    fitting, validation = inner_parts(table, ("person",), 5)
    assert not set(fitting["person"].drop_nulls()) & set(validation["person"].drop_nulls())
    assert fitting["person"].null_count()
    assert validation["person"].null_count()


@pytest.mark.parametrize("rows", [0, 1, 190])
def test_too_few_rows_are_refused(rows: int) -> None:
    with pytest.raises(BadTableError, match=r"expected at least 50 of each"):
        inner_parts(pl.DataFrame({"n": range(rows)}), (), 0)


# candidates, with a clock that only they move


class Clock:
    """Seconds that pass only when somebody says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class Shuffled:
    """Draws training rows, and takes ``seconds`` for each of ``steps`` of the fit."""

    notes = ()

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    @classmethod
    def fit(cls, train: pl.DataFrame, _: object, parameters: Mapping[str, Any], seed: int, progress: Progress) -> Self:
        for step in range(parameters["steps"]):
            progress(step / parameters["steps"], "step")
            CLOCK.now += parameters["seconds"]
        progress(1.0, "done")
        return cls(train)

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        return self.rows.sample(rows, with_replacement=True, seed=seed % 1000)


class Wrapping(Shuffled):
    """Makes an error of its own of whatever is raised inside its fit, as a library does."""

    @classmethod
    def fit(cls, *given: Any) -> Self:
        try:
            return super().fit(*given)
        except Exception as error:
            raise EngineError("the library failed") from error


class Fresh(Shuffled):
    """Knows the law of ``mixed_table``: a perfect generator."""

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        return mixed_table(rows, seed % 1000)


class Broken(Shuffled):
    """Cannot be fitted."""

    @classmethod
    def fit(cls, *_: Any) -> Self:
        raise EngineError("no such luck", "try another table")


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    CLOCK.now = 0.0
    for kind in (Shuffled, Wrapping, Fresh, Broken):
        monkeypatch.setitem(KINDS, kind.__name__.lower(), f"{__name__}:{kind.__name__}")


@pytest.fixture
def audits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[Tables, Questions]]]:
    """Return a function that gives the audits of a test their results, in order, and notes what they were asked."""

    def given(*results: list[Estimate]) -> list[tuple[Tables, Questions]]:
        asked: list[tuple[Tables, Questions]] = []

        def audit(tables: Tables, questions: Questions, phase: Any) -> tuple[Estimate, ...]:
            with phase("accuracy"):
                asked.append((tables, questions))
            return tuple(results[len(asked) - 1])

        monkeypatch.setattr(selection, "audit", audit)
        return asked

    return given


def quick(kind: str = "shuffled", steps: int = 1, seconds: float = 1.0) -> Contender:
    return Contender(kind, {"steps": steps, "seconds": seconds})


def selected(*contenders: Contender, terms: Terms = TERMS, tell: Any = lambda *_: None) -> selection.Selection:
    return select(TRAIN, MIXED, contenders, terms, tell, CLOCK)


def test_candidates_learn_from_one_part_and_are_judged_by_both(audits) -> None:
    asked = audits(marks(0.85, 0.9, 0.6), marks(0.89, 0.9, 0.6))
    found = selected(quick(seconds=1.0), quick(seconds=2.0))
    assert [candidate.name for candidate in found.leaderboard] == ["shuffled (seconds 1.0)", "shuffled (seconds 2.0)"]
    assert [candidate.seconds for candidate in found.leaderboard] == [1.0, 2.0]
    assert found.best is found.leaderboard[1]
    fitting, validation = inner_parts(TRAIN, (), TERMS.seed)
    for tables, questions in asked:
        assert tables.train.select(fitting.columns).equals(fitting)
        assert tables.holdout.select(validation.columns).equals(validation)
        assert tables.synthetic.height == fitting.height
        assert questions.families == ("accuracy", "similarity", "privacy", "utility")
    plain = found.to_dict()
    assert (plain["fitting_rows"], plain["validation_rows"], plain["rule"]) == (300, 100, RULE)
    assert [line["best"] for line in plain["leaderboard"]] == [False, True]


def test_without_a_target_utility_is_not_asked_for(audits) -> None:
    asked = audits(marks(0.85, 0.9, 0.6))
    selected(quick(), terms=replace(TERMS, target=None))
    assert asked[0][1].families == ("accuracy", "similarity", "privacy")


def test_the_audit_sees_the_rows_as_they_are_and_the_generator_the_protected_ones(audits) -> None:
    asked = audits(marks(0.85, 0.9, 0.6))
    selected(quick(), terms=replace(TERMS, protection=ProtectionSection(clip_extremes=20)))
    tables = asked[0][0]
    assert tables.synthetic["size"].max() < tables.train["size"].max()  # type: ignore[operator]


def test_a_candidate_whose_privacy_gate_fails_is_out_whatever_its_score(audits) -> None:
    leaks = [*marks(0.9, 1.0, 0.5)[:3], measured("privacy.dcr_share", 0.8)]
    audits(leaks, marks(0.81, 0.1, 0.9))
    found = selected(quick(), quick(seconds=2.0))
    assert [candidate.status for candidate in found.leaderboard] == ["out", "scored"]
    assert found.leaderboard[0].reason == "privacy.dcr_share"
    assert found.best is found.leaderboard[1]


def test_privacy_that_cannot_be_measured_is_told_and_does_not_put_out(audits) -> None:
    audits([estimate for estimate in marks(0.85, 0.9, 0.6) if estimate.family != "privacy"])
    assert selected(quick()).best.reason == "privacy could not be measured"
    audits([estimate for estimate in marks(0.85, 0.9, 0.6) if estimate.name != "privacy.dcr_share"])
    assert selected(quick()).best.reason == "privacy.dcr_share could not be measured"


def test_where_all_are_out_the_error_has_their_numbers(audits) -> None:
    audits([*marks(0.9, 1.0, 0.5)[:3], measured("privacy.dcr_share", 0.8)])
    with pytest.raises(NoCandidateError, match=r"shuffled: out \(privacy.dcr_share\), score 1.000") as caught:
        selected(quick())
    assert caught.value.exit_code == 1
    assert "DCR share 0.800" in caught.value.message


@pytest.mark.parametrize("kind", ["shuffled", "wrapping"])
def test_a_fit_that_is_under_way_when_the_time_is_over_is_given_up(audits, kind: str) -> None:
    audits(marks(0.85, 0.9, 0.6))
    found = selected(quick(seconds=30), quick(kind, steps=5, seconds=20), quick(seconds=2))
    assert [candidate.status for candidate in found.leaderboard] == ["scored", "out_of_time", "out_of_time"]
    assert [candidate.seconds for candidate in found.leaderboard] == [30, 40, None]  # its third step was not begun
    assert found.best is found.leaderboard[0]


def test_a_fit_that_is_done_when_the_time_is_over_is_judged(audits) -> None:
    audits(marks(0.85, 0.9, 0.6))
    assert selected(quick(seconds=90)).best.status == "scored"


def test_where_not_even_the_first_is_done_in_time_more_time_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"synthesizer.max_minutes: 1 minutes were over") as caught:
        selected(quick(steps=9, seconds=50), quick())
    assert "raise synthesizer.max_minutes" in caught.value.hint


def test_a_candidate_that_fails_is_told_and_the_others_go_on(audits) -> None:
    audits(marks(0.85, 0.9, 0.6))
    found = selected(quick("broken"), quick())
    assert [candidate.status for candidate in found.leaderboard] == ["failed", "scored"]
    assert found.leaderboard[0].reason == "no such luck"


def test_where_all_fail_the_error_is_the_first_ones() -> None:
    with pytest.raises(EngineError, match="broken: failed") as caught:
        selected(quick("broken"))
    assert caught.value.hint == "try another table"


def test_the_progress_rises_from_candidate_to_candidate(audits) -> None:
    audits(marks(0.85, 0.9, 0.6), marks(0.85, 0.9, 0.6))
    heard: list[tuple[float, str]] = []
    selected(quick(steps=4), quick(steps=4, seconds=2.0), tell=lambda *said: heard.append(said))
    shares = [share for share, _ in heard]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.5 in shares
    assert shares[-1] < 1
    assert heard[-1][1].endswith("accuracy")


# with real audits


@pytest.mark.slow
def test_a_leaking_kind_is_thrown_out_although_it_is_the_most_accurate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "leak", "synthcli.synthesizers.baselines:Bootstrap")
    table = mixed_table(1200, seed=2)
    contenders = [Contender("leak", {}), quick("fresh")]
    found = select(table, MIXED, contenders, TERMS, lambda *_: None, CLOCK)
    leak, honest = found.leaderboard
    assert leak.accuracy > honest.accuracy  # type: ignore[operator]
    assert leak.score == pytest.approx(1.0, abs=0.05)
    assert leak.status == "out"
    assert "privacy.exact_match_excess" in leak.reason
    assert found.best is honest
    with pytest.raises(NoCandidateError, match="nothing is published"):
        select(table, MIXED, contenders[:1], TERMS, lambda *_: None, CLOCK)


@pytest.mark.slow
def test_a_candidate_is_judged_the_same_whoever_else_is_tried() -> None:
    alone = selected(quick("fresh")).leaderboard[0]
    beside = selected(quick(), quick("fresh")).leaderboard[1]
    assert alone == beside


def test_a_table_of_one_column_is_chosen_for_too() -> None:
    table, schema = TRAIN.select("city"), columns(city="categorical")
    found = select(table, schema, [Contender("independent", {})], replace(TERMS, target=None), lambda *_: None, CLOCK)
    assert found.best.accuracy is None
