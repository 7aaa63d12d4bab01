"""The ruler: every metric by hand on tables of a few rows, and what odd columns come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import isnan, log, sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from synthcli.collapse.measures import BY_NAME, MAX_POINTS
from synthcli.collapse.ruler import TABLE, Observation, Ruler
from synthcli.metrics.similarity import null_se
from synthcli.schema import Schema

LETTERS = columns(c="categorical")
NUMBER = columns(x="numeric")
BOTH = columns(c="categorical", x="numeric")
ALL = tuple(BY_NAME)


def letters(**counts: int) -> pl.DataFrame:
    """Return one column ``c``; ``_`` stands for missing cells."""
    cells = [None if letter == "_" else letter for letter, count in counts.items() for _ in range(count)]
    return pl.DataFrame({"c": cells}, schema={"c": pl.String})


def numbers(*values: float | None, times: int = 1) -> pl.DataFrame:
    return pl.DataFrame({"x": values * times}, schema={"x": pl.Float64})


def ruler(train: pl.DataFrame, holdout: pl.DataFrame | None, schema: Schema, *metrics: str, **settings: Any) -> Ruler:
    chosen = {"rows": train.height, "threshold": 0, "target": None, "exclude": (), "seed": 3, **settings}
    return Ruler(
        train, train if holdout is None else holdout, schema, chosen["rows"], metrics or ALL, chosen["threshold"],
        chosen["target"], chosen["exclude"], chosen["seed"],
    )  # fmt: skip


def found(one: Ruler, output: pl.DataFrame, *wanted: str) -> dict[tuple[str, str], float]:
    seen = one.measure(output, wanted or one.measurable, "0/1")
    return dict(zip(one.names, seen.values.tolist(), strict=True))


def value(one: Ruler, output: pl.DataFrame, metric: str, column: str = TABLE) -> float:
    return found(one, output, metric)[metric, column]


# --- distance and dependence ---


def test_tvd_by_hand() -> None:
    one = ruler(letters(a=5, b=5), None, LETTERS, "tvd")
    assert value(one, letters(a=5, b=5), "tvd") == 0
    assert value(one, letters(a=8, b=2), "tvd") == pytest.approx(0.3)
    assert value(one, letters(a=5, z=3, _=2), "tvd") == pytest.approx(0.5)  # neither unseen nor missing is b
    assert value(one, letters(_=10), "tvd") == 1


def test_tvd_is_a_mean_over_columns_and_the_holdout_is_the_other_side() -> None:
    """Bins are the training part's, shares the holdout's: b is .2 of these and .5 of those."""
    train = letters(a=5, b=5).with_columns(x=pl.Series([1.0] * 5 + [2.0] * 5))
    holdout = letters(a=8, b=2).with_columns(x=pl.Series([1.0, 2.0] * 5))
    output = letters(a=5, b=5).with_columns(x=pl.Series([1.0] * 10))
    values = found(ruler(train, holdout, BOTH, "tvd"), output)
    assert values["tvd", "c"] == pytest.approx(0.3)
    assert values["tvd", "x"] == pytest.approx(0.5)
    assert values["tvd", TABLE] == pytest.approx(0.4)


def test_a_number_beyond_the_training_range_is_in_no_bin_of_it() -> None:
    one = ruler(numbers(1.0, 2.0, times=5), None, NUMBER, "tvd")
    assert value(one, numbers(0.0, 3.0, times=5), "tvd") == 1
    assert value(one, numbers(1.0, 3.0, times=5), "tvd") == pytest.approx(0.5)


def pairs(*counts: int) -> pl.DataFrame:
    """Return two columns of letters by the counts of aa, ab, ba and bb."""
    cells = [cell for cell, count in zip(("aa", "ab", "ba", "bb"), counts, strict=True) for _ in range(count)]
    return pl.DataFrame({"c": [cell[0] for cell in cells], "d": [cell[1] for cell in cells]})


def test_dependence_by_hand() -> None:
    """Of 4 1 / 1 4: φ² = .36, less 1/9, over 1 - 1/9 is .28, and its root the bias-corrected V."""
    schema = columns(c="categorical", d="categorical")
    bound, loose, weak = pairs(5, 0, 0, 5), pairs(5, 5, 5, 5), pairs(4, 1, 1, 4)
    against_loose = ruler(loose, None, schema, "dependence")
    assert value(against_loose, loose, "dependence") == 0
    assert value(against_loose, bound, "dependence") == pytest.approx(1)
    assert value(against_loose, weak, "dependence") == pytest.approx(sqrt(0.28))
    against_bound = ruler(bound, None, schema, "dependence")
    assert value(against_bound, weak, "dependence") == pytest.approx(1 - sqrt(0.28))
    assert against_bound.names == (("dependence", TABLE),)


def test_dependence_is_a_mean_over_pairs() -> None:
    """Of c, d and e = c to c, d and e = d: one pair is loosened, one is bound, and the third stays as it is."""
    loose = pairs(5, 5, 5, 5)
    one = ruler(
        loose.with_columns(e="c"), None, columns(c="categorical", d="categorical", e="categorical"), "dependence"
    )
    assert one.pairs == ((0, 1), (0, 2), (1, 2))
    assert value(one, loose.with_columns(e="d"), "dependence") == pytest.approx(2 / 3)


# --- categories ---

TRAIN = letters(a=882, b=100, e=8, c=6, d=4)


def test_survival_by_hand() -> None:
    """Four categories are counted, d with its four rows is not; e and c are rare."""
    one = ruler(TRAIN, None, LETTERS, "category_survival", "rare_category_survival", rows=500)
    assert one.categories["c"][0].to_list() == ["a", "b", "e", "c"]
    assert one.rare_shares.tolist() == [0.008, 0.006]
    for output, every, rare in (
        (letters(a=490, b=8, e=1, c=1), 1.0, 1.0),
        (letters(a=400, b=99, c=1), 0.75, 0.5),
        (letters(a=499, d=1), 0.25, 0.0),  # d counts for nothing
        (letters(z=400, _=100), 0.0, 0.0),
    ):
        assert value(one, output, "category_survival") == every
        assert value(one, output, "rare_category_survival") == rare


def test_a_category_that_protection_hides_is_not_counted() -> None:
    """Of 500 rows 4 are expected of e and 3 of c: it is counted from its threshold on, and not below."""
    for threshold, kept in ((3, "abec"), (4, "abe"), (5, "ab"), (51, "a"), (442, "")):
        one = ruler(TRAIN, None, LETTERS, rows=500, threshold=threshold)
        assert "".join(one.categories["c"][0] if one.categories else ()) == kept


@pytest.mark.parametrize(("height", "rows", "count"), [(154, 77, 10), (231, 77, 15), (308, 154, 10)])
def test_a_category_at_the_threshold_is_counted_whatever_its_share_rounds_to(
    height: int, rows: int, count: int
) -> None:
    """The share times n is a little less than 5 in floats."""
    assert count / height * rows < 5 == count * rows / height
    one = ruler(letters(a=height - count, b=count), None, LETTERS, rows=rows, threshold=5)
    assert one.categories["c"][0].to_list() == ["a", "b"]


def test_a_category_of_one_percent_is_not_rare() -> None:
    one = ruler(letters(a=985, b=10, c=5), None, LETTERS, "rare_category_survival")
    assert one.rare_shares.tolist() == [0.005]


def test_survival_is_a_mean_over_columns() -> None:
    schema = columns(c="categorical", d="categorical")
    train = pl.DataFrame({"c": list("ab") * 10, "d": list("wxyz") * 5})
    values = found(
        ruler(train, None, schema, "category_survival"), pl.DataFrame({"c": ["a"] * 20, "d": ["w", "x"] * 10})
    )
    assert list(values.values()) == [0.5, 0.5, 0.5]
    assert list(values) == [("category_survival", TABLE), ("category_survival", "c"), ("category_survival", "d")]
    lone = found(ruler(train, None, schema, "category_survival"), pl.DataFrame({"c": list("ab") * 10, "d": ["w"] * 20}))
    assert list(lone.values()) == [0.625, 1.0, 0.25]


def test_entropy_is_a_share_of_the_holdouts() -> None:
    one = ruler(letters(a=5, b=5), None, LETTERS, "entropy")
    assert value(one, letters(a=5, b=5), "entropy") == pytest.approx(1)
    assert value(one, letters(a=8, b=2), "entropy") == pytest.approx(0.721928, abs=1e-6)  # bits of .8 and .2
    assert value(one, letters(a=10), "entropy") == 0
    assert value(one, letters(a=5, b=3, z=2), "entropy") > 1  # made-up categories inflate it


def test_a_column_that_is_constant_in_the_holdout_has_no_entropy_to_lose() -> None:
    train = letters(a=5, b=5).with_columns(x=pl.Series([1.0] * 10))
    one = ruler(train, None, BOTH, "entropy")
    assert one.names == (("entropy", TABLE), ("entropy", "c"))


def test_heterozygosity_by_hand() -> None:
    one = ruler(letters(a=5, b=5), None, LETTERS, "heterozygosity")
    for output, expected in (
        (letters(a=5, b=5), 0.5),
        (letters(a=8, b=2), 1 - 0.64 - 0.04),
        (letters(a=4, b=1, _=5), 1 - 0.64 - 0.04),  # missing is no category
        (letters(a=5, z=5), 0.5),
        (letters(a=10), 0.0),
        (letters(_=10), 0.0),  # no two rows differ where none has a category
    ):
        assert value(one, output, "heterozygosity") == pytest.approx(expected)


# --- numbers ---

ONE_TWO_THREE = numbers(1.0, 2.0, 3.0)  # mean 2, variance 1


def test_variances_and_means_by_hand() -> None:
    one = ruler(ONE_TWO_THREE, None, NUMBER, "log_variance_ratio", "mean_shift")
    for output, ratio, shift in (
        ((1.0, 2.0, 3.0), 1.0, 0.0),
        ((0.0, 2.0, 4.0), 4.0, 0.0),
        ((1.5, 2.0, 2.5), 0.25, 0.0),
        ((2.0, 3.0, 4.0), 1.0, 1.0),
        ((0.5, 1.5, None), 0.5, -1.0),
        ((-1.0, 2.0, 5.0), 9.0, 0.0),
    ):
        assert value(one, numbers(*output), "log_variance_ratio") == pytest.approx(log(ratio))
        assert value(one, numbers(*output), "mean_shift") == pytest.approx(abs(shift))
        assert value(one, numbers(*output), "mean_shift", "x") == pytest.approx(shift)


def test_shifts_of_columns_are_signed_and_do_not_cancel_in_the_tables() -> None:
    schema = columns(x="numeric", y="numeric")
    train = pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": [10.0, 20.0, 30.0]})
    output = pl.DataFrame({"x": [2.0, 3.0, 4.0], "y": [5.0, 15.0, 25.0]})
    values = found(ruler(train, None, schema, "mean_shift"), output)
    assert list(values.values()) == pytest.approx([0.75, 1.0, -0.5])


def test_wasserstein_distance_by_hand() -> None:
    one = ruler(numbers(0.0, 2.0, 4.0), None, NUMBER, "w1")  # standard deviation 2
    for output, distance in (
        ((0.0, 2.0, 4.0), 0.0),
        ((4.0, 0.0, 2.0), 0.0),
        ((1.0, 3.0, 5.0), 0.5),
        ((2.0, 2.0, 2.0), 2 / 3),
        ((None, None, 2.0), 2 / 3),
        ((None, None, None), 2 / 3),  # as a column that always has the median
    ):
        assert value(one, numbers(*output), "w1") == pytest.approx(distance)


NUMBERS = st.integers(-1000, 1000).map(lambda number: number / 8)


@given(st.integers(2, 12), st.integers(1, 3), st.data())
def test_wasserstein_distance_is_scipys_over_the_standard_deviation(size: int, times: int, data: st.DataObject) -> None:
    real = data.draw(st.lists(NUMBERS, min_size=size, max_size=size).filter(lambda values: len(set(values)) > 1))
    own = data.draw(st.lists(NUMBERS, min_size=size * times, max_size=size * times))
    measured = value(ruler(numbers(*real), None, NUMBER, "w1"), numbers(*own), "w1")
    assert measured == pytest.approx(wasserstein_distance(own, real) / np.std(real, ddof=1), abs=1e-9)


def test_tails_by_hand() -> None:
    """0 to 999: .5 % of the rows lie below 5, .5 % above 994."""
    one = ruler(numbers(*map(float, range(1000))), None, NUMBER, "tails", rows=100)
    assert one.ends == {"x": (5.0, 994.0)}
    assert value(one, numbers(*[500.0] * 100), "tails") == pytest.approx(-0.01)
    assert value(one, numbers(*[500.0] * 95, 5.0, 994.0, 4.0, 995.0, -7.0), "tails") == pytest.approx(0.02)
    assert value(one, numbers(*[500.0] * 48, 4.0, 995.0, *[None] * 50), "tails") == pytest.approx(0.03)


# --- whole rows ---


def test_recall_and_precision_of_identical_rows_are_one() -> None:
    rows = mixed_table(60, 1)
    one = ruler(mixed_table(60, 2), rows, MIXED, "recall", "precision")
    assert found(one, rows.sample(fraction=1, shuffle=True, seed=1)) == {("recall", TABLE): 1, ("precision", TABLE): 1}


def test_one_row_over_and_over_is_precise_and_recalls_itself_alone() -> None:
    real = numbers(*map(float, range(25)))
    one = ruler(real, None, NUMBER, "recall", "precision")
    assert found(one, numbers(*[10.0] * 25)) == {("recall", TABLE): 1 / 25, ("precision", TABLE): 1}


def test_rows_of_no_known_category_are_near_to_nothing() -> None:
    real = letters(a=25).with_columns(x=pl.Series(range(25), dtype=pl.Float64))
    one = ruler(real, None, BOTH, "recall", "precision")
    assert found(one, real.with_columns(c=pl.lit("z"))) == {("recall", TABLE): 0, ("precision", TABLE): 0}


def test_neighbours_are_sought_among_equally_many_rows_and_no_more_than_can_be_afforded() -> None:
    many, few = numbers(*map(float, range(2500))), numbers(*map(float, range(300)))
    assert ruler(many, many, NUMBER).near == MAX_POINTS
    assert ruler(many, few, NUMBER).near == 300
    assert ruler(many, many, NUMBER, rows=70).near == 70
    assert ruler(many, many, NUMBER, rows=70).points[1].rows == 70


def test_trees_tell_another_law_and_not_the_same() -> None:
    real, same = mixed_table(200, 1), mixed_table(200, 2)
    one = ruler(mixed_table(200, 3), real, MIXED, "c2st_auc")
    assert abs(value(one, same, "c2st_auc") - 0.5) < 2 * null_se(200)
    assert value(one, same.with_columns(size=pl.col("size") + 500), "c2st_auc") > 0.95


def test_trees_that_learn_from_shuffled_labels_predict_nothing() -> None:
    train, holdout = mixed_table(800, 1), mixed_table(400, 2)
    one = ruler(train, holdout, MIXED, "tstr", rows=400, target="late")
    assert abs(value(one, mixed_table(400, 3), "tstr")) < 0.06
    shuffled = mixed_table(400, 3).with_columns(pl.col("late").shuffle(seed=1))
    assert value(one, shuffled, "tstr") > 0.15
    assert value(one, mixed_table(400, 3).with_columns(late=True), "tstr") == pytest.approx(one.real_score - 0.5)  # type: ignore[operator]


def test_columns_that_give_the_target_away_are_left_out() -> None:
    real = mixed_table(400, 1).with_columns(city=pl.col("late").cast(pl.String))
    known, hidden = (
        ruler(real, None, MIXED, "tstr", target="late", exclude=exclude).real_score for exclude in ((), ("city",))
    )
    assert known == 1.0
    assert hidden is not None
    assert hidden < 0.95


# --- the whole ---

REAL = mixed_table(1200, 1)
ROWS = 300
WHOLE = ruler(REAL, mixed_table(600, 2), MIXED, rows=ROWS, threshold=2, target="late")
SAMPLE = mixed_table(ROWS, 4)


def test_a_real_sample_scores_near_the_real_reference() -> None:
    values = found(WHOLE, SAMPLE)
    assert all(np.isfinite(list(values.values())))
    near = {
        "tvd": (0, 0.08), "dependence": (0, 0.08), "category_survival": (1, 0), "entropy": (1, 0.05),
        "heterozygosity": (0.57, 0.05), "log_variance_ratio": (0, 0.3), "mean_shift": (0, 0.15), "w1": (0, 0.15),
        "tails": (0, 0.02), "recall": (1, 0.06), "precision": (1, 0.06), "c2st_auc": (0.5, 0.08),
        "tstr": (0, 0.08),
    }  # fmt: skip
    assert set(near) == {metric for metric, _ in WHOLE.names}  # no category of this law is rare
    collapsed = found(WHOLE, mixed_table(3, 4).sample(ROWS, with_replacement=True, seed=1))
    for metric, (expected, tolerance) in near.items():
        assert abs(values[metric, TABLE] - expected) <= tolerance, metric
        if metric not in ("precision", "tails"):  # three real rows over and over are precise, and lie in no tail
            assert abs(collapsed[metric, TABLE] - expected) > tolerance, metric


@pytest.mark.parametrize("odd", ["emptied", "constant", "infinite"])
def test_a_column_that_came_to_nothing_gives_finite_numbers(odd: str) -> None:
    spoilt = {
        "emptied": SAMPLE.select(pl.lit(None, dtype).alias(name) for name, dtype in SAMPLE.schema.items()).head(1),
        "constant": SAMPLE.head(1),
        "infinite": SAMPLE.with_columns(size=pl.lit(float("inf"))),
    }[odd]
    output = spoilt if spoilt.height == ROWS else pl.concat([spoilt] * ROWS)
    seen = WHOLE.measure(output, WHOLE.measurable, "0/1")
    assert np.isfinite(seen.values).all()
    assert np.isfinite(seen.densities).all()
    values = dict(zip(WHOLE.names, seen.values.tolist(), strict=True))
    if odd == "infinite":
        assert values["tvd", "size"] > 0.9
        return
    assert values["tvd", TABLE] > 0.4
    assert values["entropy", TABLE] == 0
    assert values["heterozygosity", TABLE] == 0
    assert values["log_variance_ratio", "size"] == pytest.approx(log(1e-6))
    assert values["c2st_auc", TABLE] > 0.9
    assert not seen.shown.all()


def test_a_column_that_is_missing_in_one_part_alone_can_be_measured() -> None:
    """A split can put the few cells that a column has on one side."""
    known, empty = numbers(1.0, 2.0, 3.0, times=20), numbers(None, times=60)
    for train, holdout in ((empty, known), (known, empty)):
        one = ruler(train, holdout, NUMBER)
        seen = one.measure(known, one.measurable, "0/1")
        assert np.isfinite(seen.values).all()


def test_what_is_not_wanted_is_nan() -> None:
    values = found(WHOLE, SAMPLE, "tvd", "w1")
    assert {metric for (metric, _), number in values.items() if not isnan(number)} == {"tvd", "w1"}
    assert len(values) == len(WHOLE.names)


def test_names_are_in_the_order_asked_for_the_tables_first() -> None:
    names = ruler(REAL, None, MIXED, "mean_shift", "category_survival", "recall", "tvd").names
    assert names == (
        ("mean_shift", TABLE), ("mean_shift", "size"),
        ("category_survival", TABLE), *(("category_survival", name) for name in ("grade", "city", "late")),
        ("recall", TABLE),
        ("tvd", TABLE), *(("tvd", name) for name in ("size", "grade", "city", "late")),
    )  # fmt: skip


def test_what_is_drawn_at_random_depends_on_seed_and_stage_alone() -> None:
    real, made = mixed_table(60, 1), mixed_table(60, 2)

    def auc(stage: str, *metrics: str, **settings: int) -> float:
        one = ruler(real, None, MIXED, *metrics, **settings)
        seen = one.measure(made, one.measurable, stage)
        return float(seen.values[one.names.index(("c2st_auc", TABLE))])

    assert auc("0/1", "c2st_auc") == auc("0/1", "tvd", "c2st_auc", "precision")
    assert len({auc("0/1", "c2st_auc"), auc("1/1", "c2st_auc"), auc("0/1", "c2st_auc", seed=4)}) == 3


# --- why not ---


@pytest.mark.parametrize(
    ("one", "metric", "reason"),
    [
        (ruler(letters(a=30), None, LETTERS), "dependence", "one column"),
        (ruler(letters(a=30), None, LETTERS), "log_variance_ratio", "no column of numbers varies"),
        (ruler(numbers(1.0, times=30), None, NUMBER), "w1", "no column of numbers varies"),
        (ruler(numbers(1.0, times=30), None, NUMBER), "entropy", "no column varies"),
        (ruler(numbers(1.0, 2.0, times=15), None, NUMBER), "category_survival", "no category is frequent enough"),
        (ruler(letters(a=4, b=4), None, LETTERS), "heterozygosity", "no category is frequent enough"),
        (ruler(letters(a=30, b=30), None, LETTERS), "rare_category_survival", "no category under 1 %"),
        (ruler(numbers(1.0, 2.0, times=50), None, NUMBER), "tails", "tails"),
        (ruler(numbers(1.0, 2.0, times=50), None, NUMBER, rows=19), "recall", "fewer than 20 rows"),
        (ruler(numbers(1.0, 2.0, times=50), numbers(1.0, times=19), NUMBER), "c2st_auc", "fewer than 20 rows"),
        (ruler(REAL, None, MIXED), "tstr", "data.target"),
        (ruler(REAL.with_columns(late=True), None, MIXED, target="late"), "tstr", "no model can be trained"),
    ],
)
def test_what_a_table_does_not_allow_has_a_reason(one: Ruler, metric: str, reason: str) -> None:
    told = one.reason(metric)
    assert told is not None
    assert reason in told
    assert metric not in one.measurable
    assert metric not in {name for name, _ in one.names}


def test_what_a_table_allows_has_none() -> None:
    assert WHOLE.measurable == tuple(name for name in ALL if name != "rare_category_survival")
    assert all(WHOLE.reason(name) is None for name in WHOLE.measurable)
    assert ruler(numbers(1.0, 2.0, times=50), None, NUMBER, rows=20).reason("recall") is None


# --- pictures ---


def test_tracked_categories_are_the_rarest_first_and_none_of_few_rows() -> None:
    one = ruler(TRAIN, None, LETTERS, rows=500, threshold=4)
    assert [(category.text, category.share) for category in one.tracked] == [("e", 0.008), ("b", 0.1), ("a", 0.882)]
    assert one.measure(letters(a=499, b=1), (), "0/1").shown.tolist() == [False, True, True]


def test_of_many_categories_the_eight_rarest_of_a_column_are_tracked() -> None:
    one = ruler(letters(**{letter: 10 + place for place, letter in enumerate("abcdefghijk")}), None, LETTERS)
    assert "".join(category.text for category in one.tracked) == "abcdefgh"


@given(st.lists(st.integers(1, 60), min_size=1, max_size=14), st.integers(0, 9), st.integers(1, 100))
def test_no_category_of_few_rows_is_tracked(counts: list[int], threshold: int, percent: int) -> None:
    by_name = {f"c{place}": count for place, count in enumerate(counts)}
    train = letters(**by_name)
    rows = max(1, train.height * percent // 100)
    one = ruler(train, None, LETTERS, rows=rows, threshold=threshold)
    assert len(one.tracked) <= 8
    for category in one.tracked:
        count = by_name[category.text]
        assert count >= 5
        assert count * rows >= threshold * train.height
        assert category.share == count / train.height
    assert [category.share for category in one.tracked] == sorted(category.share for category in one.tracked)


def test_truth_values_are_categories_too() -> None:
    schema = columns(late="boolean")
    train = pl.DataFrame({"late": [True] * 30 + [False] * 10})
    one = ruler(train, None, schema)
    assert [(category.column, category.text) for category in one.tracked] == [("late", "False"), ("late", "True")]
    assert one.measure(train.head(20), (), "0/1").shown.tolist() == [False, True]


def test_outlines_are_shares_between_values_that_enough_others_lie_beyond() -> None:
    """0 to 100, of which five lie beyond either end: 24 bins from 5 to 95 of 3.75 each, and one beyond."""
    one = ruler(numbers(*map(float, range(101))), None, NUMBER)
    edges = one.outlined["x"]
    assert (edges[0], edges[-1], len(edges)) == (5.0, 95.0, 25)

    def outline(*values: float | None) -> list[float]:
        shares: list[float] = seen(one, numbers(*values)).densities[0].tolist()
        return shares

    inside = outline(51.0, 51.0, 52.0, None)
    assert (inside[13], sum(inside)) == (1.0, 1.0)
    ends = outline(-400.0, 0.5, 99.5, 7e9)
    assert (ends[0], ends[25]) == (0.5, 0.5)
    assert outline(None, None) == [0.0] * 26


def test_instants_have_outlines_and_moments() -> None:
    start = datetime(2020, 1, 1)
    train = pl.DataFrame({"when": [start + timedelta(days=day) for day in range(101)]})
    one = ruler(train, None, columns(when="datetime"), "mean_shift", "log_variance_ratio")
    later = train.with_columns(pl.col("when") + timedelta(days=10))
    values = found(one, later)
    assert values["mean_shift", TABLE] == pytest.approx(10 / np.std(np.arange(101), ddof=1))
    assert values["log_variance_ratio", TABLE] == pytest.approx(0)
    assert seen(one, later).densities.shape == (1, 26)
    assert seen(one, later).densities[0, 0] == 0


def seen(one: Ruler, output: pl.DataFrame) -> Observation:
    return one.measure(output, (), "0/1")


def test_survival_of_few_categories_is_known_to_no_more_than_a_share() -> None:
    """Two columns with 2 and 4 rare categories stand for 4/(1/2 + 1/4) = 5.33; over 10 chains, at a loss of a tenth."""
    train = pl.DataFrame(
        {"a": ["m"] * 984 + ["p"] * 8 + ["q"] * 8, "b": ["m"] * 968 + ["r"] * 8 + ["s"] * 8 + ["t"] * 8 + ["u"] * 8}
    )
    one = ruler(train, None, columns(a="categorical", b="categorical"), "rare_category_survival", "tvd")
    assert {name: int(flag.sum()) for name, flag in one.rare.items()} == {"a": 2, "b": 4}
    assert one.least_se("rare_category_survival", 0.1, 10) == pytest.approx((0.09 / (16 / 3 * 10)) ** 0.5)
    assert one.least_se("tvd", 0.1, 10) == 0.0


@pytest.mark.parametrize("hidden", [5, 12])
def test_no_outline_ends_at_a_value_that_the_protection_moves(hidden: int) -> None:
    values = [*map(float, range(100)), 987654.0]
    one = replace(ruler(numbers(*values), None, NUMBER), hidden=hidden)
    assert (one.outlined["x"][0], one.outlined["x"][-1]) == (hidden, 100 - hidden)
    assert replace(one, hidden=30).outlined == {}
