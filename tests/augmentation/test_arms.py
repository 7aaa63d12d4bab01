"""The arms of a lift report: each reaches the shares that were asked for, in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table

from synthcli.augmentation.arms import as_they_are, augmented, imputing, rebalancing, upsampling
from synthcli.augmentation.classes import Axis
from synthcli.augmentation.lift import OWN, REAL, Training
from synthcli.augmentation.rebalance import Rebalance
from synthcli.augmentation.recipe import Augmented, Recipe, Wish
from synthcli.augmentation.upsample import Upsample
from synthcli.config.models import ProtectionSection
from synthcli.errors import BadTableError
from synthcli.metrics.boosting import Features, Floats
from synthcli.schema import Schema
from synthcli.synthesizers.protocol import Progress

HALF = Fraction(1, 2)
RECIPE = Recipe("forest", {}, ProtectionSection())
SEVERAL = ("class weights", "random oversampling", "SMOTE-NC")
#: Rows of each class of ``grade``, and rows without one.
LOW, HIGH, NONE = 90, 30, 5


def graded() -> pl.DataFrame:
    """Return rows of every kind of column in a random order; all high ones come from Oslo or Bern."""
    random = np.random.default_rng(1)
    rows = LOW + HIGH + NONE
    grade = np.array(["low"] * LOW + ["high"] * HIGH + [None] * NONE, object)
    city = np.where(grade == "high", random.choice(["Oslo", "Bern"], rows), random.choice(["Rom", "Wien"], rows))
    size = np.where(grade == "high", 100 + random.gamma(2.0, 10.0, rows), random.gamma(2.0, 10.0, rows))
    table = pl.DataFrame({"size": size, "grade": grade.tolist(), "city": city, "late": random.random(rows) < 0.4})
    return table[random.permutation(rows)]


TABLE = graded()
ENCODING = Features.fit(TABLE, MIXED.modelled)
MATRIX = ENCODING.matrix(TABLE)
GRADE, CITY = 1, 2


def wish(column: str = "grade", **shares: Fraction) -> Rebalance:
    """Return the wish for shares of a column's levels."""
    return Rebalance((Axis(column),), pl.DataFrame({column: list(shares)}), tuple(shares.values()))


def arm(name: str, of: Rebalance, table: pl.DataFrame = TABLE, schema: Schema = MIXED, seed: int = 1) -> Training:
    """Return what an arm for other shares makes of a table."""
    return rebalancing(of, as_they_are)[name](table, Features.fit(table, schema.modelled), seed)


def weights_of(training: Training) -> Floats:
    return np.ones(len(training.matrix)) if training.weight is None else training.weight


def shares_of(training: Training, at: int = GRADE) -> dict[str, float]:
    """Return the weighted share of each grade among rows that have one."""
    codes, weights = training.matrix[:, at], weights_of(training)
    levels = ENCODING.levels["grade"]
    total = weights[~np.isnan(codes)].sum()
    return {level: weights[codes == code].sum() / total for code, level in enumerate(levels)}


def same(one: Floats, other: Floats) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def rows_in(rows: Floats, among: Floats) -> bool:
    """Return whether every row occurs among others."""
    known = {row.tobytes() for row in among}
    return all(row.tobytes() in known for row in rows)


# --- Other shares ------------------------------------------------------------------------------------------------


def test_rows_as_they_are_come_first_and_the_augmentation_last() -> None:
    arms = rebalancing(wish(low=HALF, high=HALF), as_they_are)
    assert list(arms) == [REAL, *SEVERAL, OWN]
    found = arms[REAL](TABLE, ENCODING, 1)
    assert same(found.matrix, MATRIX)
    assert found.weight is None


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (HALF, HALF),
        (Fraction(3, 5), Fraction(2, 5)),
        (Fraction(1, 4), Fraction(3, 4)),
        (Fraction(9, 10), Fraction(1, 10)),
    ],
)
def test_every_way_reaches_exactly_the_shares_that_were_asked_for(name: str, low: Fraction, high: Fraction) -> None:
    assert shares_of(Training(MATRIX)) == {"low": 0.75, "high": 0.25}
    found = arm(name, wish(low=low, high=high))
    assert shares_of(found) == pytest.approx({"low": float(low), "high": float(high)}, abs=1e-12)


@pytest.mark.parametrize("name", SEVERAL)
def test_real_rows_come_first_and_those_without_a_class_are_kept(name: str) -> None:
    found = arm(name, wish(low=HALF, high=HALF))
    assert same(found.matrix[: TABLE.height], MATRIX)
    assert np.isnan(found.matrix[:, GRADE]).sum() == NONE
    assert len(found.matrix) == TABLE.height + (0 if name == "class weights" else LOW - HIGH)


def test_class_weights_are_those_of_repeated_rows_and_one_on_average() -> None:
    found = arm("class weights", wish(low=Fraction(1, 4), high=Fraction(3, 4)))
    # 90 rows at a quarter need 270 of the other 30: nine for each.
    weight = weights_of(found)
    assert weight.mean() == pytest.approx(1.0)
    grade = TABLE["grade"].to_numpy()
    assert set(weight[grade == "low"]) | set(weight[TABLE["grade"].is_null().to_numpy()]) == {weight.min()}
    assert weight[grade == "high"] / weight.min() == pytest.approx(np.full(HIGH, 9.0))


def test_oversampling_copies_rows_of_the_class_that_lacks_some() -> None:
    added = arm("random oversampling", wish(low=HALF, high=HALF)).matrix[TABLE.height :]
    own = MATRIX[(TABLE["grade"] == "high").fill_null(False).to_numpy()]
    assert rows_in(added, own)
    assert 15 < len(np.unique(added, axis=0)) <= HIGH, "of 60 draws from 30 rows some are repeated"
    other = arm("random oversampling", wish(low=HALF, high=HALF), seed=2).matrix[TABLE.height :]
    assert not same(added, other)


@pytest.mark.parametrize("name", SEVERAL)
def test_a_combination_of_columns_and_equal_shares(name: str) -> None:
    table = mixed_table(400, 3)
    axes = (Axis("grade"), Axis("late"))
    found = arm(name, Rebalance(axes, pl.DataFrame(), (), equal=True), table)
    weight = weights_of(found)
    weighed = [
        weight[(found.matrix[:, 1] == one) & (found.matrix[:, 3] == other)].sum() for one in (0, 1) for other in (0, 1)
    ]
    assert weighed == pytest.approx([sum(weighed) / 4] * 4)


@pytest.mark.parametrize("name", SEVERAL)
def test_the_size_of_the_output_is_no_matter_of_the_other_ways(name: str) -> None:
    """They show what the shares bring; rows of the augmentation's own number would be copies of copies."""
    asked = wish(low=HALF, high=HALF)
    larger = Rebalance(asked.axes, asked.asked, asked.shares, whole=True, rows=5_000)
    assert same(arm(name, asked).matrix, arm(name, larger).matrix)


@pytest.mark.parametrize("name", SEVERAL)
def test_a_class_needs_two_rows_and_no_law(name: str) -> None:
    low, high = (TABLE.filter(pl.col("grade") == grade) for grade in ("low", "high"))
    assert len(arm(name, wish(low=HALF, high=HALF), low.vstack(high[:2])).matrix) >= low.height + 2
    with pytest.raises(BadTableError, match="high has 1"):
        arm(name, wish(low=HALF, high=HALF), low.vstack(high[:1]))


# --- SMOTE-NC ----------------------------------------------------------------------------------------------------


def test_smote_makes_rows_between_members_of_the_class() -> None:
    made = arm("SMOTE-NC", wish(low=HALF, high=HALF)).matrix[TABLE.height :]
    own = MATRIX[(TABLE["grade"] == "high").fill_null(False).to_numpy()]
    assert len(made) == LOW - HIGH
    assert (made[:, GRADE] == list(ENCODING.levels["grade"]).index("high")).all()
    assert own[:, 0].min() <= made[:, 0].min() < made[:, 0].max() <= own[:, 0].max()
    assert not np.isin(made[:, 0], own[:, 0]).all(), "they are no copies"
    assert set(made[:, CITY]) <= set(own[:, CITY]), "no city that only others have"
    assert set(made[:, 3]) <= {0.0, 1.0}


def test_smote_draws_a_line_between_two_rows() -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=120)
    table = pl.DataFrame({"x": x, "y": np.where(np.arange(120) < 30, 2 * x + 50, random.normal(size=120))})
    schema = columns(x="numeric", y="numeric")
    high = Rebalance((Axis("y", pl.Series([20.0]), ("20",)),), pl.DataFrame({"y": [1]}), (HALF,))
    made = arm("SMOTE-NC", high, table, schema).matrix[120:]
    assert len(made) == 60, "a table of numbers only"
    assert made[:, 1] == pytest.approx(2 * made[:, 0] + 50)
    assert x[:30].min() <= made[:, 0].min() < made[:, 0].max() <= x[:30].max()
    assert not np.isin(made[:, 0], x).any()


def test_smote_takes_a_table_of_categories_only() -> None:
    schema = MIXED.select(["grade", "city", "late"])
    table = TABLE.select(schema.names)
    found = arm("SMOTE-NC", wish(low=HALF, high=HALF), table, schema).matrix
    own = MATRIX[(TABLE["grade"] == "high").fill_null(False).to_numpy()]
    made = found[table.height :]
    assert len(made) == LOW - HIGH
    assert (made[:, 0] == own[0, GRADE]).all()
    assert set(made[:, 1]) <= set(own[:, CITY])
    assert set(made[:, 2]) <= {0.0, 1.0}


@pytest.mark.parametrize("names", [("grade", "city"), ("size", "grade", "city")])
def test_a_missing_category_is_one_of_its_own_and_comes_out_missing(names: tuple[str, ...]) -> None:
    lost = TABLE.with_columns(pl.when(pl.col("grade") == "low").then("city").alias("city")).select(names)
    found = arm("SMOTE-NC", wish(low=HALF, high=HALF), lost, MIXED.select(names)).matrix
    place = names.index("city")
    assert same(found[: TABLE.height, place], Features.fit(lost, MIXED.select(names).modelled).matrix(lost)[:, place])
    assert len(found) == TABLE.height + LOW - HIGH
    assert np.isnan(found[TABLE.height :, place]).all(), "no row of the class has a city"


def test_a_missing_number_is_the_median_in_rows_that_are_made_and_stays_missing_in_real_ones() -> None:
    lost = TABLE.with_columns(pl.when(pl.col("grade") == "low").then("size").alias("size"))
    found = arm("SMOTE-NC", wish(low=HALF, high=HALF), lost).matrix
    assert np.isnan(found[: TABLE.height, 0]).sum() == HIGH + NONE
    median = lost.filter(pl.col("grade").is_not_null())["size"].median()
    assert found[TABLE.height :, 0] == pytest.approx(np.full(LOW - HIGH, median))


def test_smote_takes_the_only_neighbour_where_a_class_has_two_rows() -> None:
    few = TABLE.filter(pl.col("grade") == "low").vstack(TABLE.filter(pl.col("grade") == "high")[:2])
    asked = wish(low=HALF, high=HALF)
    found = arm("SMOTE-NC", Rebalance(asked.axes, asked.asked, asked.shares, least=2), few).matrix
    low, high = sorted(few["size"][-2:])
    assert len(found) == 2 * LOW
    assert low <= found[LOW + 2 :, 0].min() < found[LOW + 2 :, 0].max() <= high


def test_nothing_is_made_where_no_class_lacks_rows() -> None:
    assert same(arm("SMOTE-NC", wish(low=Fraction(3, 4), high=Fraction(1, 4))).matrix, MATRIX)


@pytest.mark.parametrize("name", SEVERAL)
def test_equal_seeds_make_equal_rows(name: str) -> None:
    one, other = (arm(name, wish(low=HALF, high=HALF), seed=2**62) for _ in range(2))
    assert same(one.matrix, other.matrix)
    assert same(weights_of(one), weights_of(other))


# --- More rows, no holes, and the augmentation -------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "added"), [(None, 125), (300, 175), (125, 0)])
def test_copies_are_as_many_as_the_rows_that_are_drawn(rows: int | None, added: int) -> None:
    arms = upsampling(Upsample(rows), as_they_are, TABLE.height)
    assert list(arms) == [REAL, "random oversampling", OWN]
    found = arms["random oversampling"](TABLE, ENCODING, 1).matrix
    assert len(found) == TABLE.height + added
    assert same(found[: TABLE.height], MATRIX)
    assert rows_in(found[TABLE.height :], MATRIX)


def test_a_part_of_the_rows_gets_a_part_of_the_copies() -> None:
    copies = upsampling(Upsample(500), as_they_are, 125)["random oversampling"]
    assert len(copies(TABLE[:25], ENCODING, 1).matrix) == 100
    assert len(upsampling(Upsample(), as_they_are, 125)["random oversampling"](TABLE[:25], ENCODING, 1).matrix) == 50


def test_simpler_ways_fill_all_holes_and_rows_as_they_are_keep_theirs() -> None:
    arms = imputing(as_they_are)
    assert list(arms) == [REAL, "mean or mode", "5 nearest neighbours", OWN]
    lost = TABLE.with_columns(pl.when(pl.col("size") > 100).then("size").alias("size"))
    assert np.isnan(arms[REAL](lost, ENCODING, 1).matrix[:, 0]).sum() == lost["size"].null_count()
    for name in ("mean or mode", "5 nearest neighbours"):
        filled = arms[name](lost, ENCODING, 1)
        assert filled.weight is None
        assert filled.matrix.shape == MATRIX.shape
        assert not np.isnan(filled.matrix).any()


@dataclass(frozen=True)
class Doubled:
    """A wish that remembers what it was asked, and returns the rows twice."""

    asked: list[Any] = field(default_factory=list)

    def scaled(self, part: Fraction) -> Wish:
        self.asked.append(part)
        return self

    def plan(self, table: pl.DataFrame) -> Mapping[str, Any]:
        return {}

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        self.asked.append(seed)
        return Augmented(pl.concat([table, table]), np.zeros(2 * table.height, np.int8), {})


def test_the_augmentation_is_made_of_the_rows_at_hand_and_scaled_to_their_number() -> None:
    doubled = Doubled()
    own = augmented(doubled, RECIPE, MIXED, 500)
    found = own(TABLE, ENCODING, 1)
    own(TABLE, ENCODING, 2)
    part, seed, _, other = doubled.asked
    assert part == Fraction(1, 4)
    assert seed != other
    assert found.weight is None
    assert same(found.matrix, np.concatenate([MATRIX, MATRIX]))


def test_a_part_of_the_rows_has_room_for_the_shares_too() -> None:
    """Of 90 and 30 rows, 180 are the fewest with equal shares; of 80 and 20 rows, 150 have no room."""
    asked = wish(low=HALF, high=HALF)
    exact = Rebalance(asked.axes, asked.asked, asked.shares, rows=2 * LOW)
    own = augmented(exact, Recipe("independent", {}, ProtectionSection()), MIXED, LOW + HIGH)
    low, high = (TABLE.filter(pl.col("grade") == level) for level in ("low", "high"))
    assert shares_of(own(low[:80].vstack(high[:20]), ENCODING, 1)) == {"low": 0.5, "high": 0.5}
