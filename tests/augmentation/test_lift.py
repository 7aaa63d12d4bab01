"""The lift report: its interval by hand and in the long run, its verdict on arms whose worth is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import columns
from scipy.stats import t as student

from synthcli.augmentation.lift import (
    LEAST_ROWS,
    MAX_CLASSES,
    MIN_HOLDOUT,
    OWN,
    REAL,
    Arm,
    Effort,
    Lift,
    Task,
    Terms,
    Training,
    _mean_and_half_width,
    _sizes,
    measure_lift,
    unmeasured,
    verdict_of,
)
from synthcli.augmentation.scores import weightings
from synthcli.errors import BadTableError
from synthcli.metrics.boosting import Features, Floats, side_by_side
from synthcli.metrics.estimate import Estimate
from synthcli.schema import Schema
from synthcli.seeds import generator

SMALL = Effort(3, 1, None)
SCHEMA = columns(first="numeric", second="numeric", city="categorical", sick="boolean")
LAW_SEED = 7


def drawn(rows: int, seed: int, rarity: float = 2.0) -> pl.DataFrame:
    """Return rows of one law, which takes many to learn: a chessboard of both numbers, and the city."""
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(2, rows))
    city = random.choice(["Rom", "Oslo"], rows)
    odds = 6 * np.sin(2 * first) * np.sin(2 * second) + 2 * (city == "Rom") - rarity
    sick = random.random(rows) < 1 / (1 + np.exp(-odds))
    return pl.DataFrame({"first": first, "second": second, "city": city, "sick": sick})


HOLDOUT = drawn(600, LAW_SEED)
TERMS = Terms("sick", (), 0.5, 1)


def as_they_are(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
    return Training(encoding.matrix(rows))


def with_more(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
    """Add 1,200 real rows of the same law."""
    return Training(encoding.matrix(pl.concat([rows, drawn(1_200, LAW_SEED + 1)])))


def shuffled(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
    """Put the target's cells into other rows."""
    target = rows["sick"].sample(fraction=1, shuffle=True, seed=seed % 2**32)
    return Training(encoding.matrix(rows.with_columns(sick=target)))


def failing(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
    raise BadTableError("no rows can be made of it")


def measured(
    arms: Mapping[str, Arm],
    train: pl.DataFrame,
    effort: Effort = SMALL,
    terms: Terms = TERMS,
    holdout: pl.DataFrame = HOLDOUT,
    schema: Schema = SCHEMA,
) -> Lift:
    found = measure_lift(train, holdout, schema, arms, terms, effort, lambda share, note: None)
    json.dumps(found.to_dict(), allow_nan=False)
    return found


def gain_of(found: Lift, arm: str, metric: str = "lift.pr_auc") -> Estimate:
    """Return an arm's gain at the largest size."""
    point = [each for each in found.points if each.arm == arm][-1]
    return next(each for each in point.gains if each.name == metric)


def scored(task: Task | str, *trained: tuple[Training, Floats]) -> list[dict[str, float]]:
    """Return the scores of models that are trained on something and corrected to some shares."""
    assert isinstance(task, Task)
    found = side_by_side(lambda each: task.scores(*each, 1), trained)
    return [{name: float(values[0]) for name, values in scores.items()} for scores in found]


# --- The interval ------------------------------------------------------------------------------------------------


def test_the_interval_by_hand() -> None:
    values = np.array([[0.10, 0.08, 0.12, 0.10], [0.14, 0.12, 0.16, 0.20]])
    # Repetitions: mean .12, variance .0008, of their mean .0004. Samples: means .10, .14, .15 with variance .0007.
    # Welch and Satterthwaite: .0011² / (.0004²/1 + .0007²/2) degrees of freedom.
    df = 0.0011**2 / (0.0004**2 + 0.0007**2 / 2)
    assert df == pytest.approx(2.9877, abs=1e-4)
    assert _mean_and_half_width(values) == pytest.approx((0.12, student.ppf(0.975, df) * sqrt(0.0011)))


def test_one_source_of_chance_keeps_its_degrees_of_freedom() -> None:
    # Two repetitions of a holdout that does not matter; one result for all repetitions and four samples.
    repetitions = np.array([[0.0] * 5, [2.0] * 5, [4.0] * 5])
    assert _mean_and_half_width(repetitions) == pytest.approx((2.0, student.ppf(0.975, 2) * sqrt(4 / 3)))
    samples = np.array([[5.0, 0.0, 2.0, 4.0, 6.0]] * 3)
    assert _mean_and_half_width(samples) == pytest.approx((5.0, student.ppf(0.975, 3) * sqrt(20 / 3)))


def test_no_difference_has_no_width() -> None:
    assert _mean_and_half_width(np.zeros((3, 201))) == (0.0, 0.0)


def test_the_interval_covers_the_truth_and_needs_both_variances() -> None:
    """A gain of 1 on average, which differs from holdout row to holdout row and from repetition to repetition."""
    rows, repetitions, draws = 80, 5, 400
    hits = without_holdout = without_repetitions = 0
    for draw in range(draws):
        random = np.random.default_rng(draw)
        weights = weightings(rows, 100, random).astype(float)
        samples = weights @ random.normal(1, 1, rows) / rows
        values = samples + random.normal(0, 0.2, (repetitions, 1))
        value, half = _mean_and_half_width(values)
        hits += abs(value - 1) <= half
        without_holdout += abs(value - 1) <= _mean_and_half_width(np.repeat(values[:, :1], 101, axis=1))[1]
        without_repetitions += abs(value - 1) <= _mean_and_half_width(np.tile(values.mean(axis=0), (5, 1)))[1]
    assert 0.92 <= hits / draws <= 0.98
    assert max(without_holdout, without_repetitions) / draws < 0.91


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.02, "helps"),
        (-0.02, -0.01, "hurts"),
        (-0.01, 0.02, "no measurable gain"),
        (0.0, 0.02, "no measurable gain"),
        (-0.02, 0.0, "no measurable gain"),
        (0.0, 0.0, "no measurable gain"),
    ],
)
def test_the_verdict_goes_by_whether_0_is_left_out(low: float, high: float, verdict: str) -> None:
    gain = Estimate("lift.pr_auc", "lift", (low + high) / 2, low, high, 100, "higher", (-1.0, 1.0))
    assert verdict_of(gain) == verdict


@pytest.mark.parametrize(
    ("rows", "effort", "sizes"),
    [
        (9_000, Effort(3, 2, 20_000), [1_000, 9_000]),
        (45_000, Effort(3, 2, 18_000), [2_000, 18_000]),
        (9_000, Effort(3, 5, None), [LEAST_ROWS, 333, 1_000, 3_000, 9_000]),
        (150, Effort(3, 5, None), [150]),
        (1_000, Effort(3, 1, None), [1_000]),
    ],
)
def test_sizes_are_thirds_down_to_the_fewest_rows(rows: int, effort: Effort, sizes: list[int]) -> None:
    assert _sizes(rows, effort) == sizes


# --- Verdicts on what is known -----------------------------------------------------------------------------------

ARMS = {REAL: as_they_are, "the same": as_they_are, "shuffled": shuffled, OWN: with_more}


@pytest.fixture(scope="module")
def known() -> Lift:
    """Arms of known worth."""
    return measured(ARMS, drawn(210, LAW_SEED + 2))


def test_more_rows_of_the_same_law_help(known: Lift) -> None:
    assert (known.verdict, known.primary, known.reason) == ("helps", "lift.pr_auc", "")
    assert [(point.rows, point.arm) for point in known.points] == [(210, arm) for arm in ARMS]
    for metric in ("lift.pr_auc", "lift.roc_auc"):
        gain = gain_of(known, OWN, metric)
        assert (gain.low or 0) > 0.02
        assert (gain.reference, gain.direction) == (0.0, "higher")
    brier = gain_of(known, OWN, "lift.brier")
    assert (brier.high or 0) < 0, "of which less is better"
    assert brier.direction == "lower"


def test_a_shuffled_target_hurts(known: Lift) -> None:
    assert verdict_of(gain_of(known, "shuffled")) == "hurts"
    point = next(each for each in known.points if each.arm == "shuffled")
    share = float(HOLDOUT["sick"].mean() or 0)
    scores = {each.name: each.value for each in point.scores}
    assert scores["lift.roc_auc"] == pytest.approx(0.5, abs=0.08)
    assert scores["lift.pr_auc"] == pytest.approx(min(share, 1 - share), abs=0.08)


def test_an_equal_arm_gains_exactly_nothing(known: Lift) -> None:
    for point in known.points:
        if point.arm == "the same":
            assert {(each.value, each.low, each.high) for each in point.gains} == {(0.0, 0.0, 0.0)}
            assert verdict_of(point.gains[0]) == "no measurable gain"
    real, same = (next(each for each in known.points if each.arm == arm) for arm in (REAL, "the same"))
    assert (real.scores, real.gains) == (same.scores, ())


def test_the_augmentation_is_held_against_every_other_arm(known: Lift) -> None:
    assert known.against is not None
    assert list(known.against) == [REAL, "the same", "shuffled"]
    own = gain_of(known, OWN)
    assert known.against[REAL] == known.against["the same"] == own
    assert own.value is not None
    lost = gain_of(known, "shuffled").value
    assert lost is not None
    assert known.against["shuffled"].value == pytest.approx(own.value - lost)


def test_a_gain_is_the_difference_of_mean_scores_within_its_interval(known: Lift) -> None:
    scores = {(point.arm, each.name): each.value for point in known.points for each in point.scores}
    for point in known.points[1:]:
        assert len(point.gains) == 4
        for gain in point.gains:
            difference = (scores[point.arm, gain.name] or 0) - (scores[REAL, gain.name] or 0)
            assert gain.value == pytest.approx(difference)
            assert (gain.low or 0) <= (gain.value or 0) <= (gain.high or 0)


def test_shuffling_is_the_verdict_where_it_is_the_augmentation() -> None:
    found = measured({REAL: as_they_are, OWN: shuffled}, drawn(300, LAW_SEED + 3))
    assert found.verdict == "hurts"


def test_equal_seeds_tell_the_same_and_others_do_not() -> None:
    train = drawn(100, LAW_SEED + 4)
    arms = {REAL: as_they_are, OWN: shuffled}
    one, again = (measured(arms, train, Effort(2, 1, None)).to_dict() for _ in range(2))
    assert one == again
    other = measured(arms, train, Effort(2, 1, None), TERMS._replace(seed=2)).to_dict()
    assert one["points"] != other["points"]


def test_numbers_are_told_by_r2() -> None:
    train = drawn(250, LAW_SEED + 5)
    terms = Terms("second", (), 0.5, 1)

    def line(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(second=pl.col("first").sin() * 1e6 + pl.col("second") * 1e5)

    def noised(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        lost = rows["second"].sample(fraction=1, shuffle=True, seed=seed % 2**32)
        return Training(encoding.matrix(rows.with_columns(second=lost)))

    found = measured({REAL: as_they_are, OWN: noised}, line(train), SMALL, terms, line(HOLDOUT))
    assert (found.verdict, found.primary) == ("hurts", "lift.r2")
    assert [each.name for each in found.points[0].scores] == ["lift.r2"]
    # The line explains var(sin x) of var(sin x) + .01, and a booster of 250 rows nearly finds it.
    explained = (1 - np.exp(-2)) / 2
    assert found.points[0].scores[0].value == pytest.approx(explained / (explained + 0.01), abs=0.05)


# --- What is learned from, and what is scored on -----------------------------------------------------------------


def test_all_arms_learn_from_the_same_rows_and_repetitions_from_others() -> None:
    train = drawn(270, LAW_SEED).with_row_index("row").with_columns(pl.col("row").cast(pl.Float64))
    schema = columns(row="numeric", first="numeric", second="numeric", city="categorical", sick="boolean")
    seen: dict[str, list[tuple[int, int, tuple[float, ...]]]] = {REAL: [], OWN: []}

    def seeing(name: str) -> Arm:
        def arm(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
            seen[name].append((seed, rows.height, tuple(rows["row"])))
            return as_they_are(rows, encoding, seed)

        return arm

    holdout = HOLDOUT.with_columns(row=pl.lit(0.0))
    found = measured({REAL: seeing(REAL), OWN: seeing(OWN)}, train, Effort(2, 2, None), TERMS, holdout, schema)
    assert [(point.rows, point.arm) for point in found.points] == [(200, REAL), (200, OWN), (270, REAL), (270, OWN)]
    assert seen[REAL] == seen[OWN]
    assert [height for _, height, _ in seen[OWN]] == [200, 270, 200, 270]
    small, whole, other, again = (set(rows) for _, _, rows in seen[OWN])
    assert whole == again == set(range(270))
    assert small != other
    assert len(small) == len(other) == 200
    assert len({seed for seed, _, _ in seen[OWN]}) == 2, "one seed for a repetition"


def test_rows_without_a_target_are_left_out_of_both_parts() -> None:
    heights = set()

    def seeing(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        heights.add((rows.height, rows["sick"].null_count()))
        return as_they_are(rows, encoding, seed)

    train = drawn(260, LAW_SEED).with_row_index("row")
    lost = train.with_columns(pl.when(pl.col("row") >= 40).then("sick").alias("sick")).drop("row")
    holdout = pl.concat([HOLDOUT[:100], HOLDOUT[100:120].with_columns(sick=pl.lit(None, pl.Boolean))])
    found = measured({REAL: seeing, OWN: as_they_are}, lost, Effort(2, 1, None), TERMS, holdout)
    assert heights == {(220, 0)}
    assert found.holdout_rows == 100


def test_holdout_rows_of_a_class_that_was_never_seen_are_left_out() -> None:
    schema = columns(first="numeric", city="categorical")
    train = drawn(250, LAW_SEED).select("first", "city")
    holdout = pl.concat([HOLDOUT[:100], HOLDOUT[100:130].with_columns(city=pl.lit("Bern"))]).select("first", "city")
    task = Task.of(train, holdout, schema, Terms("city", (), 0.5, 1))
    assert isinstance(task, Task)
    assert (len(task.truth), task.classes) == (100, 2)


def test_excluded_columns_and_the_target_are_no_features() -> None:
    train = drawn(300, LAW_SEED + 6)
    leak = columns(copy="boolean", first="numeric", second="numeric", city="categorical", sick="boolean")
    both = [table.with_columns(copy=pl.col("sick")) for table in (train, HOLDOUT)]
    arms = {REAL: as_they_are, OWN: as_they_are}
    told, untold = (
        measured(arms, both[0], Effort(2, 1, None), TERMS._replace(exclude=exclude), both[1], leak).points[0].scores
        for exclude in ((), ("copy",))
    )
    auc = [next(each.value for each in scores if each.name == "lift.roc_auc") for scores in (told, untold)]
    assert auc[0] == 1.0
    assert (auc[1] or 1) < 0.95


def test_chances_learned_from_other_shares_are_corrected() -> None:
    """A model of rows in which the sick are copied fivefold is right about how many there are."""
    train = drawn(600, LAW_SEED + 7, 4.0)
    task = Task.of(train, drawn(600, LAW_SEED + 8, 4.0), SCHEMA, TERMS._replace(exclude=("first",)))
    assert isinstance(task, Task)
    matrix = task.encoding.matrix(train)
    sick = matrix[:, 3] == task.rarest
    copied = Training(np.concatenate([matrix, *[matrix[sick]] * 4]))
    weighted = Training(matrix, np.where(sick, 5.0, 1.0))
    prior = task.prior(train)
    assert prior.tolist() == pytest.approx([1 - sick.mean(), sick.mean()])
    learned = np.array([(~sick).sum(), 5 * sick.sum()]) / ((~sick).sum() + 5 * sick.sum())
    pairs = [(Training(matrix), prior), *((each, shares) for each in (copied, weighted) for shares in (prior, learned))]
    plain, *others = scored(task, *pairs)
    for right, uncorrected in (others[:2], others[2:]):
        assert right["lift.brier"] == pytest.approx(plain["lift.brier"], abs=0.02)
        assert uncorrected["lift.brier"] > right["lift.brier"] + 0.03
        # Only the shares are put right: the order of rows by the chance of one of two classes stays.
        assert right["lift.roc_auc"] == pytest.approx(uncorrected["lift.roc_auc"], abs=1e-3)


def test_the_rarest_class_is_the_one_that_is_looked_for() -> None:
    schema = columns(first="numeric", second="numeric", grade="categorical")

    def graded(table: pl.DataFrame) -> pl.DataFrame:
        """Only a number tells the rare class, only the other one the two frequent ones."""
        grade = pl.when(pl.col("first") > 1).then(pl.lit("a")).when(pl.col("second") > 0).then(pl.lit("b"))
        return table.select("first", "second", grade=grade.otherwise(pl.lit("c")))

    train, shares = graded(drawn(300, 1)), np.ones(3) / 3
    found = {}
    for left_out in ("second", "first"):
        task = Task.of(train, graded(HOLDOUT), schema, Terms("grade", (left_out,), 0.5, 1))
        assert isinstance(task, Task)
        assert task.encoding.levels["grade"][task.rarest] == "a"
        found[left_out] = scored(task, (Training(task.encoding.matrix(train)), shares))[0]
    assert found["second"]["lift.pr_auc"] > 0.95
    assert found["first"]["lift.pr_auc"] < 0.3


# --- What cannot be measured -------------------------------------------------------------------------------------


def told(train: pl.DataFrame, holdout: pl.DataFrame, schema: Schema, target: str, *exclude: str) -> str:
    """Return why there is no lift; no arm is asked for anything."""
    arms = {REAL: failing, OWN: failing}
    found = measure_lift(train, holdout, schema, arms, Terms(target, exclude, 0.5, 1), SMALL, lambda share, note: None)
    assert (found.verdict, found.points, found.holdout_rows) == ("not measured", (), holdout.height)
    return found.reason


@pytest.mark.parametrize("kind", ["id", "text"])
def test_an_id_or_a_text_cannot_be_predicted(kind: str) -> None:
    schema = columns(first="numeric", second="numeric", city=kind, sick="boolean")
    assert told(drawn(100, 1), HOLDOUT, schema, "city") == f"'city' cannot be predicted: it is of kind {kind}"


def test_something_must_be_left_to_predict_from() -> None:
    reason = told(drawn(100, 1), HOLDOUT, SCHEMA, "sick", "first", "second", "city")
    assert reason == "no column is left to predict the target from"
    schema = columns(first="id", second="text", city="id", sick="boolean")
    assert told(drawn(100, 1), HOLDOUT, schema, "sick") == reason


@pytest.mark.parametrize("classes", [1, MAX_CLASSES + 1])
def test_one_class_or_too_many(classes: int) -> None:
    schema = columns(x="numeric", c="categorical")
    table = pl.DataFrame({"x": np.arange(600.0), "c": [f"level {at % classes}" for at in range(600)]})
    assert f"the target has {classes} classes in the training part" in told(table, table, schema, "c")


def test_a_class_that_the_holdout_lacks_and_one_that_is_all_of_it() -> None:
    reason = "the holdout has not 20 rows each of one of the target's classes and of all others"
    train = pl.concat([HOLDOUT.filter(pl.col("sick"))[:60], HOLDOUT.filter(~pl.col("sick"))[:30]])
    for sick in (True, False):
        assert told(train, HOLDOUT.filter(pl.col("sick") == sick), SCHEMA, "sick") == reason


def test_the_rarest_class_of_which_the_holdout_has_20_rows_is_scored() -> None:
    few = drawn(400, 3).filter(pl.col("sick"))[:19]
    many = drawn(400, 3).filter(~pl.col("sick"))
    assert "20 rows each" in told(drawn(400, 4), pl.concat([few, many]), SCHEMA, "sick")


def test_a_number_that_is_constant_on_either_side() -> None:
    reason = "the target has fewer than two values in the training part or the holdout"
    constant = drawn(100, 1).with_columns(first=pl.lit(3.0))
    assert told(constant, HOLDOUT, SCHEMA, "first") == reason
    assert told(HOLDOUT, constant, SCHEMA, "first") == reason


def test_a_number_that_is_constant_where_it_is_known() -> None:
    constant = drawn(100, 1).with_columns(first=pl.Series([3.0] * 50 + [None] * 50))
    assert "fewer than two values" in told(constant, HOLDOUT, SCHEMA, "first")


@pytest.mark.parametrize("target", ["sick", "second"])
def test_a_holdout_of_too_few_rows(target: str) -> None:
    few = HOLDOUT[: MIN_HOLDOUT - 1]
    reason = f"the holdout has {MIN_HOLDOUT - 1} rows with a known target, and needs {MIN_HOLDOUT}"
    assert told(drawn(100, 1), few, SCHEMA, target) == reason
    assert isinstance(Task.of(drawn(100, 1), HOLDOUT[:MIN_HOLDOUT], SCHEMA, TERMS._replace(target=target)), Task)


def test_a_lift_that_nobody_could_measure_is_plain_data_too() -> None:
    found = unmeasured("no target", "sick").to_dict()
    assert (found["verdict"], found["reason"], found["points"], found["against"]) == (
        "not measured",
        "no target",
        [],
        {},
    )


def one_class(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
    return Training(encoding.matrix(rows.filter(~pl.col("sick"))))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [(failing, "no rows can be made of it"), (one_class, "the rows to learn from show one class of the target only")],
)
def test_an_arm_that_fails_says_why_and_leaves_the_others(broken: Arm, reason: str) -> None:
    arms: dict[str, Arm] = {REAL: as_they_are, "broken": broken, OWN: as_they_are}
    found = measured(arms, drawn(200, 3), Effort(2, 1, None))
    assert found.verdict == "no measurable gain"
    assert [point.scores[0].status for point in found.points] == ["measured", "not_measured", "measured"]
    lost = found.points[1]
    assert {each.detail for each in (*lost.scores, *lost.gains)} == {reason}
    assert len(lost.gains) == len(found.points[2].gains) == 4
    assert found.against is not None
    assert list(found.against) == [REAL]


def test_an_augmentation_that_fails_is_not_measured_and_the_others_are() -> None:
    found = measured({REAL: as_they_are, "the same": as_they_are, OWN: failing}, drawn(200, 3), Effort(2, 1, None))
    assert (found.verdict, found.reason, found.against) == ("not measured", "no rows can be made of it", None)
    assert gain_of(found, "the same").status == "measured"


def test_an_arm_that_fails_in_one_repetition_of_two_is_not_measured() -> None:
    seeds: set[int] = set()

    def once(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        seeds.add(seed)
        return failing(rows, encoding, seed) if len(seeds) == 1 else as_they_are(rows, encoding, seed)

    found = measured({REAL: as_they_are, OWN: once}, drawn(200, 3), Effort(2, 1, None))
    assert len(seeds) == 2
    assert (found.verdict, found.reason) == ("not measured", "no rows can be made of it")


def test_no_gain_without_the_rows_as_they_are() -> None:
    found = measured({REAL: failing, OWN: as_they_are}, drawn(200, 3), Effort(2, 1, None))
    assert (found.verdict, found.reason) == ("not measured", "it could not be measured on the real rows")
    assert found.points[0].scores[0].detail == "no rows can be made of it"


def test_errors_of_our_own_are_not_hidden() -> None:
    def broken(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measured({REAL: as_they_are, OWN: broken}, drawn(200, 3))


def test_a_number_that_hardly_ever_differs_is_measured() -> None:
    schema = columns(first="numeric", fine="numeric")
    random = generator(1, "fines")

    def fined(rows: int) -> pl.DataFrame:
        return pl.DataFrame({"first": random.normal(size=rows), "fine": np.append(np.zeros(rows - 1), 1.0)})

    def half(rows: pl.DataFrame, encoding: Features, seed: int) -> Training:
        return Training(encoding.matrix(rows)[::2])

    found = measured({REAL: as_they_are, OWN: half}, fined(300), SMALL, Terms("fine", (), 0.5, 1), fined(60), schema)
    gain = gain_of(found, OWN, "lift.r2")
    # A third of the bootstrap samples lack the one row that differs: nothing can be told there, and nothing is lost.
    assert -1 < (gain.low or 0) <= (gain.value or 0) <= (gain.high or 0) < 1


def test_progress_rises_over_repetitions_and_sizes() -> None:
    shares: list[tuple[float, str]] = []

    def progress(share: float, note: str) -> None:
        shares.append((share, note))

    arms: dict[str, Any] = {REAL: failing, OWN: failing}
    measure_lift(drawn(270, 1), HOLDOUT, SCHEMA, arms, TERMS, Effort(2, 2, None), progress)
    assert shares == [
        (0.0, "repetition 1, 200 rows"),
        (0.25, "repetition 1, 270 rows"),
        (0.5, "repetition 2, 200 rows"),
        (0.75, "repetition 2, 270 rows"),
    ]
