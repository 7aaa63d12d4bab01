"""Guesses from names and counts, and the measurement of features that give the target away."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table

from synthcli.errors import ConfigError
from synthcli.profiling import Facts, TableProfile, profile
from synthcli.profiling.giveaways import MOST_ROWS, cross_fitted, feature_codes, folds, single_feature_scores
from synthcli.profiling.guesses import guess_key, guess_target, guess_time, kind_worth_stating, unpredictable
from synthcli.profiling.table import column_facts
from synthcli.schema import Column, Kind, Schema

INTEGERS = {"dtype": "Int64", "decimals": 0}


def profiled(data: dict[str, object], target: str | None = None, **kinds: str) -> TableProfile:
    return profile(pl.DataFrame(data), columns(**kinds), target=target)


def scores(data: dict[str, object], target: str, **kinds: str) -> dict[str, float]:
    return dict(single_feature_scores(pl.DataFrame(data), columns(**kinds), target, seed=0).features)


# --- giveaways


def test_a_row_is_predicted_from_the_other_folds_alone_drawn_to_the_mean_of_all() -> None:
    # Code 0 holds the truths 1, 1, 0 in three folds; the mean of all five rows is .4, and counts for half a row.
    codes, truth = np.array([0, 0, 0, 1, 1]), np.array([1.0, 1.0, 0.0, 0.0, 0.0])
    predicted = cross_fitted(codes, truth, np.arange(5))
    others = np.array([1.0, 1.0, 2.0, 0.0, 0.0])
    assert predicted == pytest.approx((others + 0.5 * 0.4) / np.array([2.5, 2.5, 2.5, 1.5, 1.5]))


def test_every_class_is_spread_evenly_over_the_folds() -> None:
    labels = np.array([0] * 50 + [1] * 5)
    fold = folds(labels, seed=0)
    assert np.bincount(fold[labels == 0]).tolist() == [10] * 5
    assert sorted(fold[labels == 1]) == [0, 1, 2, 3, 4]


def test_a_code_that_only_its_own_fold_holds_is_predicted_by_the_mean_of_all() -> None:
    predicted = cross_fitted(np.array([0, 1, 2]), np.array([0.0, 0.0, 9.0]), np.array([0, 1, 2]))
    assert predicted.tolist() == [3.0, 3.0, 3.0]


def test_missing_cells_have_a_code_of_their_own_and_bins_are_finer_than_ten() -> None:
    numeric = feature_codes(
        pl.Series("a", [None, *range(1_999)], dtype=pl.Float64), Column("a", Kind.NUMERIC, "Float64")
    )
    assert numeric[0] == 0
    assert set(numeric[1:].tolist()) == set(range(1, 201))
    levels = feature_codes(pl.Series("a", ["x", None, "y", "x"]), Column("a", Kind.CATEGORICAL, "String"))
    assert levels.tolist() == [1, 0, 2, 1]


def test_a_copy_of_the_target_is_perfect_and_noise_is_a_coin() -> None:
    rng = np.random.default_rng(0)
    late = rng.random(2_000) < 0.3
    found = scores(
        {
            "late": late,
            "word": np.where(late, "no", "yes"),
            "minutes": np.where(late, 31, 30) + 0.0,
            "noise": rng.random(2_000),
        },
        "late",
        late="boolean",
        word="categorical",
        minutes="numeric",
        noise="numeric",
    )
    assert found["word"] == found["minutes"] == 1.0
    assert abs(found["noise"] - 0.5) < 0.05


def test_the_score_of_a_copy_with_errors_is_the_one_worked_out_by_hand() -> None:
    # Of 500 late rows 40 are told as not late, of 500 others 40 as late: AUC = .92² + .92 * .08 = .92.
    late = np.arange(1_000) < 500
    told = np.where(np.isin(np.arange(1_000) % 500, range(40)), ~late, late)
    found = profiled({"told": told, "late": late}, told="boolean", late="boolean")
    assert dict(found.suspects)["told"] == pytest.approx(0.92, abs=0.002)
    assert found.giveaways == ()


def test_values_that_are_all_different_promise_nothing() -> None:
    late = np.random.default_rng(1).random(500) < 0.5
    names = [f"name {i}" for i in range(500)]
    assert scores({"name": names, "late": late}, "late", name="categorical", late="boolean") == {"name": 0.5}


def test_where_a_feature_is_missing_may_give_the_target_away() -> None:
    late = np.arange(200) % 4 == 0
    reason = pl.Series([1.0 if each else None for each in late])
    assert scores({"reason": reason, "late": late}, "late", reason="numeric", late="boolean") == {"reason": 1.0}


def test_a_copy_of_a_skewed_number_is_found_in_other_units_too() -> None:
    price = np.random.default_rng(2).lognormal(10, 2, 3_000)
    found = scores(
        {"price": price, "euros": price * 0.9, "log": -np.log(price), "noise": price[::-1].copy()},
        "price",
        price="numeric",
        euros="numeric",
        log="numeric",
        noise="numeric",
    )
    assert min(found["euros"], found["log"]) > 0.99
    assert found["noise"] < 0.05


def test_several_classes_are_scored_one_against_the_rest() -> None:
    kind = np.array(["a", "b", "c"])[np.arange(300) % 3]
    measured = single_feature_scores(
        pl.DataFrame({"code": np.arange(300) % 3 + 0.0, "half": kind == "a", "kind": kind}),
        columns(code="numeric", half="boolean", kind="categorical"),
        "kind",
        seed=0,
    )
    assert measured.measure == "macro one-against-rest AUC"
    found = dict(measured.features)
    assert found["code"] == 1.0
    assert found["half"] == pytest.approx((1 + 0.75 + 0.75) / 3, abs=0.05)


def test_classes_of_less_than_five_rows_are_left_out_of_the_score() -> None:
    kind = ["a", "b"] * 100 + ["rare"] * 4
    measured = single_feature_scores(
        pl.DataFrame({"x": kind, "kind": kind}), columns(x="categorical", kind="categorical"), "kind", seed=0
    )
    assert (measured.measure, measured.rows) == ("ROC AUC", 200)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (["a", "b"] * 10, "fewer than 50 rows"),
        (["a"] * 100 + ["b"] * 3, "1 classes"),
        ([str(i % 60) for i in range(600)], "60"),
    ],
    ids=["rows", "class", "classes"],
)
def test_what_cannot_be_scored_says_why(kind: list[str], said: str) -> None:
    table = pl.DataFrame({"x": kind, "kind": kind})
    measured = single_feature_scores(table, columns(x="categorical", kind="categorical"), "kind", seed=0)
    assert measured.features == ()
    assert said in measured.measure


def test_a_long_table_is_scored_on_a_sample_that_is_stated() -> None:
    late = np.arange(60_000) % 3 == 0
    table = pl.DataFrame({"x": late + 0.0, "late": late})
    measured = single_feature_scores(table, columns(x="numeric", late="boolean"), "late", seed=0)
    assert (measured.rows, measured.of) == (MOST_ROWS, 60_000)
    assert dict(measured.features) == {"x": 1.0}


def test_many_classes_are_scored_on_fewer_rows() -> None:
    kind = [f"k{i % 40}" for i in range(20_000)]
    table = pl.DataFrame({"x": [f"{i % 2}" for i in range(20_000)], "kind": kind})
    measured = single_feature_scores(table, columns(x="categorical", kind="categorical"), "kind", seed=0)
    assert (measured.rows, measured.of) == (MOST_ROWS * 10 // 40, 20_000)


def test_the_same_seed_gives_the_same_scores_whatever_other_columns_there_are() -> None:
    table = mixed_table(800, seed=3)
    whole = single_feature_scores(table, MIXED, "late", seed=5)
    assert whole == single_feature_scores(table, MIXED, "late", seed=5)
    part = single_feature_scores(table, MIXED.select(["city", "late"]), "late", seed=5)
    assert part.features[0] == next(feature for feature in whole.features if feature.name == "city")


def test_the_best_features_come_first() -> None:
    found = profile(mixed_table(2_000, seed=4), MIXED)
    values = [feature.score for feature in found.scores.between(0)]
    assert values == sorted(values, reverse=True)
    assert found.giveaways == found.suspects == ()


# --- guesses


def guessed(*described: tuple[str, str, int]) -> str | None:
    """Return the target guessed for columns of (name, kind, number of different values) in 100 rows."""
    schema = Schema(tuple(Column(name, Kind(kind), "String") for name, kind, _ in described))
    return guess_target(schema, {name: Facts(100, distinct) for name, _, distinct in described})[0]


def test_a_usual_name_is_the_target_and_of_two_the_last() -> None:
    assert guessed(("Income", "categorical", 2), ("age", "numeric", 50)) == "Income"
    assert guessed(("default", "boolean", 2), ("y", "boolean", 2), ("age", "numeric", 50)) == "y"


def test_without_a_usual_name_it_is_the_last_column_if_that_has_two_to_ten_classes() -> None:
    assert guessed(("age", "numeric", 50), ("grade", "categorical", 10)) == "grade"
    assert guessed(("age", "numeric", 50), ("grade", "categorical", 11)) is None
    assert guessed(("grade", "categorical", 3), ("age", "numeric", 50)) is None


def test_a_usual_name_that_cannot_be_predicted_is_passed_over() -> None:
    assert guessed(("late", "boolean", 2), ("target", "categorical", 1)) == "late"
    assert guessed(("age", "numeric", 50), ("label", "text", 100)) is None


@pytest.mark.parametrize(
    ("kind", "facts", "said"),
    [
        ("numeric", Facts(0, 0), "no value"),
        ("id", Facts(100, 100), "id"),
        ("text", Facts(100, 90), "text"),
        ("categorical", Facts(90, 1), "same value"),
        ("categorical", Facts(15, 15), "different value in every row"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused_with_the_reason(kind: str, facts: Facts, said: str) -> None:
    assert said in unpredictable(Column("a", Kind(kind), "String"), facts)


def test_numbers_that_are_all_different_can_be_predicted() -> None:
    assert unpredictable(Column("price", Kind.NUMERIC, "Float64"), Facts(100, 100)) == ""


def test_a_named_target_that_cannot_be_predicted_raises() -> None:
    with pytest.raises(ConfigError, match=r"data\.target: column 'a' .*same value"):
        profiled({"a": ["x"] * 5, "b": [1.0] * 5}, "a", a="categorical", b="numeric")


def test_the_key_is_an_id_that_no_row_lacks_or_shares_and_best_one_named_so() -> None:
    ids = columns(label="id", order_id="id", code="id", holey_id="id", size="numeric")
    facts = {"label": (9, 9), "order_id": (9, 9), "code": (9, 8), "holey_id": (8, 8), "size": (9, 9)}
    known = {name: Facts(*each) for name, each in facts.items()}
    assert guess_key(ids, known, 9) == "order_id"
    assert guess_key(ids.select(["code", "label"]), known, 9) == "label"
    assert guess_key(ids.select(["code", "holey_id", "size"]), known, 9) is None


def test_the_time_is_a_datetime_column_but_no_date_of_birth() -> None:
    schema = columns(birth_date="datetime", shipped="datetime", created_at="datetime", age="numeric")
    assert guess_time(schema, None) == "created_at"
    assert guess_time(schema, "created_at") == "shipped"
    assert guess_time(schema.select(["birth_date", "age"]), None) is None


@pytest.mark.parametrize(
    ("column", "facts", "is_target", "kind"),
    [
        (Column("y", Kind.NUMERIC, **INTEGERS), Facts(100, 2), True, Kind.CATEGORICAL),
        (Column("y", Kind.NUMERIC, **INTEGERS), Facts(100, 2), False, None),
        (Column("y", Kind.NUMERIC, **INTEGERS), Facts(100, 3), True, Kind.CATEGORICAL),
        (Column("y", Kind.NUMERIC, **INTEGERS), Facts(200, 11), True, None),
        (Column("y", Kind.NUMERIC, **INTEGERS), Facts(20, 3), True, None),
        (Column("rooms", Kind.NUMERIC, **INTEGERS), Facts(100, 3), True, None),
        (Column("zip_code", Kind.NUMERIC, **INTEGERS), Facts(100, 40), False, Kind.CATEGORICAL),
        (Column("decode", Kind.NUMERIC, **INTEGERS), Facts(100, 40), False, None),
        (Column("customer_id", Kind.NUMERIC, **INTEGERS), Facts(100, 40), False, Kind.ID),
        (Column("customerId", Kind.CATEGORICAL, "String"), Facts(100, 40), False, Kind.ID),
        (Column("paid", Kind.NUMERIC, **INTEGERS), Facts(100, 40), False, None),
        (Column("rate", Kind.CATEGORICAL, "String", doubts=("percentages",)), Facts(100, 40), False, Kind.CATEGORICAL),
        (Column("rate", Kind.CATEGORICAL, "String", doubts=("percentages",)), Facts(100, 1), False, None),
    ],
)
def test_a_kind_is_stated_where_it_is_doubtful(
    column: Column, facts: Facts, is_target: bool, kind: Kind | None
) -> None:
    worth = kind_worth_stating(column, facts, is_target=is_target)
    assert (worth[0] if worth else None) == kind


def test_doubtful_texts_that_hardly_repeat_are_no_categories() -> None:
    """Amounts of money that could not be read: as categories nearly all would be rare, and be replaced."""
    money = Column("money", Kind.CATEGORICAL, "String", doubts=("looks like amounts of money; kept as text",))
    assert kind_worth_stating(money, Facts(1_000, 990), is_target=False)[0] is Kind.TEXT
    assert kind_worth_stating(money, Facts(1_000, 200), is_target=False)[0] is Kind.CATEGORICAL
    assert kind_worth_stating(money, Facts(1_000, 990), is_target=True)[0] is Kind.CATEGORICAL


def test_what_a_person_stated_is_not_doubted_again() -> None:
    schema = Schema((Column("zip", Kind.NUMERIC, **INTEGERS), Column("late", Kind.BOOLEAN, "Boolean")))
    table = pl.DataFrame({"zip": [10, 20, 10, 30], "late": [True, False, True, False]})
    assert profile(table, schema).schema["zip"].kind is Kind.CATEGORICAL
    found = profile(table, schema, settled={"zip"})
    assert (found.schema["zip"].kind, dict(found.stated)) == (Kind.NUMERIC, {})


def test_a_column_of_many_repeated_texts_may_name_what_rows_belong_to() -> None:
    rows = range(400)
    found = profiled(
        {"plane": [f"N{i % 80}" for i in rows], "city": [f"C{i % 25}" for i in rows], "size": [i + 0.5 for i in rows]},
        plane="categorical",
        city="categorical",
        size="numeric",
    )
    assert found.entities == ("plane",)


def test_features_that_are_missing_where_the_target_is_are_named() -> None:
    late = [True, None, False, None]
    found = profiled(
        {"arrival": [1.0, None, 2.0, None], "delay": [1.0, None, None, None], "late": late},
        arrival="numeric",
        delay="numeric",
        late="boolean",
    )
    assert found.missing_alike == ("arrival",)


def test_tokens_that_often_mean_missing_are_named_where_they_are_categories() -> None:
    found = profiled({"job": ["?", "clerk", None], "note": ["a", "?", "NA"]}, job="categorical", note="categorical")
    assert dict(found.kept_tokens) == {"NA": ("note",), "?": ("job", "note")}


def test_facts_count_values_and_leave_missing_cells_out() -> None:
    moment = datetime(2024, 1, 1)
    table = pl.DataFrame({"a": [1, None, 1], "b": [None, None, None], "c": [moment, moment, moment + timedelta(1)]})
    assert column_facts(table) == {"a": Facts(2, 1), "b": Facts(0, 0), "c": Facts(3, 2)}


def test_a_target_of_few_whole_numbers_is_doubted() -> None:
    schema = Schema((Column("x", Kind.NUMERIC, "Float64"), Column("label", Kind.NUMERIC, **INTEGERS)))
    found = profile(pl.DataFrame({"x": [0.5] * 6, "label": [1, 2, 3] * 2}), schema)
    assert "categorical" in found.doubts["label"]
