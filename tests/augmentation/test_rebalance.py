"""Rebalancing: shares exact to the row, real rows first and unchanged, added rows of their class and by its law."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import columns

from synthcli.augmentation.classes import Axis
from synthcli.augmentation.rebalance import Rebalance
from synthcli.augmentation.recipe import Augmented, Origin, Recipe, code
from synthcli.config.models import Constraint, FixedCombinations, Inequality, ProtectionSection
from synthcli.errors import BadTableError
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.forest import Forest

TINY = {"epochs": 1, "batch_size": 20, "embedding_dim": 8}
ADVERSARIAL = {**TINY, "pac": 2, "generator_dim": [16], "discriminator_dim": [16]}
PARAMETERS: dict[str, dict[str, Any]] = {
    "gaussian_copula": {"default_distribution": "norm"},
    "ctgan": ADVERSARIAL,
    "copula_gan": {**ADVERSARIAL, "default_distribution": "norm"},
    "tvae": {**TINY, "compress_dims": [16], "decompress_dims": [16]},
}
QUICK = ["forest", "gaussian_copula", "bootstrap", "independent"]
KINDS = [*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("ctgan", "copula_gan", "tvae"))]
REAL, SYNTHETIC = code(Origin.REAL), code(Origin.SYNTHETIC)
HALF = Fraction(1, 2)

SCHEMA = Schema(
    (
        *columns(id="id", late="boolean", city="categorical", size="numeric").columns,
        Column("day", Kind.DATETIME, "Date"),
        *columns(said="text").columns,
    )
)


def table() -> pl.DataFrame:
    """Return 300 rows: 60 are late; 150 of A, 100 of B, 50 of C; 75 of a size below 10; 100 of 2021."""
    place = np.arange(300)
    draw = np.random.default_rng(3)
    days = [date(2021 if at % 3 == 0 else 2022, 1, 1) + timedelta(days=int(at)) for at in place]
    return pl.DataFrame(
        {
            "id": [f"R-{at:04d}" for at in draw.permutation(300)],
            "late": place % 5 == 0,
            "city": np.repeat(["A", "B", "C"], [150, 100, 50]),
            "size": np.where(place % 4 == 0, draw.uniform(0, 9.9, 300), draw.uniform(10, 50, 300)),
            "day": days,
            "said": ["something"] * 300,
        }
    )


def wish(axes: Sequence[Axis | str], asked: Sequence[tuple[Any, ...]], *shares: Fraction, **more: Any) -> Rebalance:
    """Return the wish for shares of classes, which are given by a value or number of a bin of each axis."""
    along = tuple(Axis(axis) if isinstance(axis, str) else axis for axis in axes)
    names = [axis.name for axis in along]
    members = pl.DataFrame([list(each) for each in asked], schema=names, orient="row") if asked else pl.DataFrame()
    return Rebalance(along, members, shares, **more)


def equal(*axes: Axis | str, **more: Any) -> Rebalance:
    return wish(axes, [], equal=True, **more)


def made(
    asked: Rebalance,
    frame: pl.DataFrame | None = None,
    schema: Schema = SCHEMA,
    kind: str = "forest",
    rules: tuple[Constraint, ...] = (),
    seed: int = 1,
) -> Augmented:
    recipe = Recipe(kind, PARAMETERS.get(kind, {}), ProtectionSection(), rules)
    return asked.made(table() if frame is None else frame, schema, recipe, seed, lambda share, note: None)


def counts(series: pl.Series) -> dict[Any, int]:
    return dict(series.value_counts().rows())


def real_rows_are_first(found: Augmented, frame: pl.DataFrame) -> bool:
    rows = frame.height
    origin = [REAL] * rows + [SYNTHETIC] * (found.table.height - rows)
    return bool(found.table.head(rows).equals(frame) and found.origin.tolist() == origin)


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_is_met_to_the_row_by_every_kind(kind: str) -> None:
    # 240 rows are not late, and they are to be half of all: 240 late ones, 180 of them new.
    found = made(wish(["late"], [(True,)], HALF), kind=kind)
    assert counts(found.table["late"]) == {True: 240, False: 240}
    assert real_rows_are_first(found, table())
    added = found.table.tail(180)
    assert added["late"].all()
    assert added["said"].null_count() == 180
    assert found.table["id"].n_unique() == 480
    assert found.table["id"].str.contains(r"^R-\d{4}$").all()
    assert found.table.schema == table().schema
    assert found.account["classes"] == [
        {"class": "true", "before": 60, "after": 240, "drawn": 180, "share": 0.5},
        {"class": "other classes", "before": 240, "after": 240, "drawn": 0, "share": 0.5},
    ]


@pytest.mark.parametrize("kind", QUICK)
def test_a_wholly_synthetic_table_has_exact_shares_and_no_real_id(kind: str) -> None:
    found = made(wish(["late"], [(True,), (False,)], Fraction(1, 3), Fraction(2, 3), whole=True), kind=kind)
    assert counts(found.table["late"]) == {True: 100, False: 200}
    assert set(found.origin.tolist()) == {SYNTHETIC}
    assert found.table["id"].is_unique().all()
    assert not set(found.table["id"]) & set(table()["id"])
    assert found.table["said"].null_count() == 300


def test_equal_shares_of_three_classes() -> None:
    found = made(equal("city"))
    assert counts(found.table["city"]) == {"A": 150, "B": 150, "C": 150}
    assert real_rows_are_first(found, table())


def test_combinations_of_two_columns_are_classes() -> None:
    # Late rows: 30 of A, 20 of B, 10 of C; not late: 120, 80, 40. The 270 others are three quarters of 360.
    found = made(wish(["city", "late"], [("A", True)], Fraction(1, 4)))
    assert found.table.height == 360
    shares = found.table.group_by("city", "late").len().sort("city", "late").rows()
    assert shares == [
        ("A", False, 120),
        ("A", True, 90),
        ("B", False, 80),
        ("B", True, 20),
        ("C", False, 40),
        ("C", True, 10),
    ]


@pytest.mark.parametrize("kind", ["forest", "gaussian_copula"])
@pytest.mark.parametrize("whole", [False, True])
def test_bins_of_numbers_are_classes(kind: str, whole: bool) -> None:
    axis = Axis("size", pl.Series([10.0]), ("10",))
    found = made(wish([axis], [(0,)], HALF, whole=whole), kind=kind)
    # 75 rows are below 10 and 225 are not.
    each = 150 if whole else 225
    assert counts(found.table["size"] < 10) == {True: each, False: each}
    if not whole:
        assert real_rows_are_first(found, table())
        assert (found.table.tail(150)["size"] < 10).all()
    assert found.account["classes"][0] == {
        "class": "<10",
        "before": 75,
        "after": each,
        "drawn": each - (not whole) * 75,
        "share": 0.5,
    }


def test_bins_of_dates_are_classes() -> None:
    axis = Axis("day", pl.Series([date(2022, 1, 1)]), ("2022-01-01",))
    found = made(equal(axis))
    assert table().filter(pl.col("day") < date(2022, 1, 1)).height == 100
    assert counts(found.table["day"] < date(2022, 1, 1)) == {True: 200, False: 200}


def test_a_value_and_a_bin_make_a_class_together() -> None:
    axis = Axis("size", pl.Series([10.0]), ("10",))
    before = table().filter((pl.col("city") == "A") & (pl.col("size") < 10)).height
    found = made(wish(["city", axis], [("A", 0)], HALF))
    assert found.table.height == 2 * (300 - before)
    mine = (found.table["city"] == "A") & (found.table["size"] < 10)
    assert mine.sum() == 300 - before


def test_classes_that_are_not_named_keep_their_proportions() -> None:
    # Half of 1,000 rows are to be of C; of the other 500, A has 3 parts and B has 2.
    found = made(wish(["city"], [("C",)], HALF, rows=1000))
    assert counts(found.table["city"]) == {"A": 300, "B": 200, "C": 500}


def test_rows_without_a_class_are_kept_and_count_for_none() -> None:
    frame = table().with_columns(pl.when(pl.int_range(300) >= 10).then("late").alias("late"))
    # 2 of the 10 rows without a class were late: 58 late ones and 232 others.
    found = made(wish(["late"], [(True,)], HALF), frame)
    assert counts(found.table["late"]) == {True: 232, False: 232, None: 10}
    assert real_rows_are_first(found, frame)
    assert found.account["without_class"] == 10
    found = made(wish(["late"], [(True,)], HALF, rows=610), frame)
    assert counts(found.table["late"]) == {True: 300, False: 300, None: 10}


def test_rows_asked_for_are_the_rows_of_the_output() -> None:
    found = made(equal("late", rows=501))
    assert counts(found.table["late"]) == {False: 251, True: 250}
    with pytest.raises(BadTableError, match="479 rows have no room"):
        equal("late", rows=479).plan(table())


def rare(rows: int) -> pl.DataFrame:
    """Return a table with ``rows`` rows of a city and 200 of two others."""
    return pl.DataFrame({"city": ["Secret"] * rows + ["A", "B"] * 100, "x": np.arange(200.0 + rows)})


CITY = columns(city="categorical", x="numeric")


def test_a_class_of_too_few_rows_is_refused_with_its_name_where_a_person_named_it() -> None:
    asked = wish(["city"], [("Secret",)], HALF)
    with pytest.raises(BadTableError, match=r"in a class of 'city': Secret has 19; at least 20 are needed"):
        made(asked, rare(19), CITY)
    assert counts(made(asked, rare(20), CITY).table["city"]) == {"Secret": 200, "A": 100, "B": 100}


def test_a_class_that_no_row_is_of_is_a_slip_and_only_a_frequent_one_is_told_as_near() -> None:
    for rows, typed, hint in (
        (20, "Sceret", "did you mean 'Secret'?"),
        (19, "Sceret", "check how it is written"),
        (20, "Nowhere", "check how it is written"),
    ):
        with pytest.raises(BadTableError, match=f"no training row is of the class {typed} of 'city'") as told:
            made(wish(["city"], [(typed,)], HALF), rare(rows), CITY)
        assert hint in told.value.hint
        assert ("Secret" in f"{told.value}{told.value.hint}") == ("did you mean" in hint)
    both = wish(["city"], [("Sceret",), ("A",)], HALF, HALF)  # before it is said that nothing is left for others
    with pytest.raises(BadTableError, match="class Sceret"):
        made(both, rare(20), CITY)


def test_a_class_of_too_few_rows_is_refused_without_its_name_where_nobody_named_it() -> None:
    with pytest.raises(
        BadTableError, match=r"1 of 3 classes of 'city' .*\(the smallest has 19\); at least 20"
    ) as caught:
        made(equal("city"), rare(19), CITY)
    assert "Secret" not in f"{caught.value}{caught.value.hint}"


def test_a_small_class_that_needs_no_row_is_no_trouble() -> None:
    found = made(wish(["city"], [("A",)], HALF), rare(3), CITY)
    assert counts(found.table["city"]) == {"Secret": 3, "A": 103, "B": 100}


@pytest.mark.parametrize(
    ("cells", "told"), [(["A"] * 40, "has one class only in 'city'"), ([None] * 40, "no row that belongs to a class")]
)
def test_one_class_cannot_be_balanced(cells: list[Any], told: str) -> None:
    frame = pl.DataFrame({"city": cells, "x": np.arange(40.0)}, schema_overrides={"city": pl.String})
    with pytest.raises(BadTableError, match=told):
        equal("city").plan(frame)


def test_the_rest_cannot_be_drawn_where_all_its_classes_are_too_small() -> None:
    # 100 of 400 rows are those of A; 300 are for B and C, which have 30.
    frame = pl.DataFrame({"city": ["A"] * 100 + ["B"] * 15 + ["C"] * 15, "x": np.arange(130.0)})
    with pytest.raises(BadTableError, match="270 rows are to be drawn of classes that no share was asked for"):
        made(wish(["city"], [("A",)], Fraction(1, 4), rows=400), frame, CITY)


def test_numbered_ids_go_on_after_the_last() -> None:
    frame = table().with_columns(id=pl.Series(np.random.default_rng(1).permutation(300) + 7))
    schema = Schema((Column("id", Kind.ID, "Int64"), *SCHEMA.columns[1:]))
    added = made(equal("late"), frame, schema).table.tail(180)
    assert added["id"].to_list() == list(range(307, 487))


RULES = (
    Inequality(kind="inequality", low_column_name="low", high_column_name="high", strict_boundaries=False),
    FixedCombinations(kind="fixed_combinations", column_names=["city", "land"]),
)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", ["forest", "gaussian_copula", "bootstrap"])
def test_added_rows_keep_every_rule(kind: str, whole: bool) -> None:
    draw = np.random.default_rng(5)
    low, city = draw.normal(0, 1, 200), draw.integers(0, 6, 200)
    frame = pl.DataFrame({"low": low, "high": low + draw.exponential(0.1, 200), "city": city, "land": city // 2})
    frame = frame.with_columns(pl.col("city", "land").cast(pl.String), late=draw.random(200) < 0.2)
    schema = columns(low="numeric", high="numeric", city="categorical", land="categorical", late="boolean")
    found = made(equal("late", whole=whole), frame, schema, kind, RULES).table
    assert (found["late"].sum() * 2 == found.height) or whole
    assert (found["low"] <= found["high"]).all()
    assert (found["city"].cast(pl.Int64) // 2 == found["land"].cast(pl.Int64)).all()


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", ["forest", "gaussian_copula", "bootstrap"])
def test_a_class_may_be_made_by_columns_of_a_rule(kind: str, whole: bool) -> None:
    draw = np.random.default_rng(5)
    city = np.repeat(np.arange(4), [100, 50, 30, 20])
    frame = pl.DataFrame({"city": city, "land": city // 2, "x": draw.normal(size=200)})
    frame = frame.with_columns(pl.col("city", "land").cast(pl.String))
    schema = columns(city="categorical", land="categorical", x="numeric")
    found = made(equal("land", whole=whole), frame, schema, kind, RULES[1:]).table
    # 150 rows are of the first two cities' land.
    assert counts(found["land"]) == dict.fromkeys(["0", "1"], 100 if whole else 150)
    assert (found["city"].cast(pl.Int64) // 2 == found["land"].cast(pl.Int64)).all()


def two_laws(rows: int = 400) -> pl.DataFrame:
    """Return 100 rows of a class with another law than the rest: numbers about 3, one of them twice the other."""
    draw = np.random.default_rng(6)
    rare = np.arange(rows) < 100
    x = draw.normal(np.where(rare, 3, 0), 1)
    return pl.DataFrame(
        {
            "kind": np.where(rare, "rare", "usual"),
            "x": x,
            "y": np.where(rare, 2, -1) * x + draw.normal(0, 0.2, rows),
            "z": draw.normal(size=rows),
        }
    )


NUMBERS = columns(kind="categorical", x="numeric", y="numeric", z="numeric")


@pytest.mark.parametrize("whole", [False, True])
def test_added_rows_of_a_forest_follow_the_law_of_their_class(whole: bool) -> None:
    frame = two_laws()
    found = made(wish(["kind"], [("rare",)], HALF, rows=1000, whole=whole), frame, NUMBERS)
    added = found.table.filter(pl.Series(found.origin == SYNTHETIC) & (pl.col("kind") == "rare"))
    own = frame.filter(pl.col("kind") == "rare")
    assert added.height == (500 if whole else 400)
    for name in ("x", "y", "z"):
        # The mean of 100 rows is known to a tenth of their spread.
        spread = float(own[name].std())  # type: ignore[arg-type]
        assert added[name].mean() == pytest.approx(own[name].mean(), abs=0.35 * spread)
        assert added[name].std() == pytest.approx(spread, rel=0.3)
        assert abs(float(frame[name].mean()) - float(own[name].mean())) > 0.8 * spread or name == "z"  # type: ignore[arg-type]
    assert added.select(pl.corr("x", "y")).item() > (0.3 if whole else 0.7), "in the other class it is about -1"


def test_no_added_row_of_a_forest_is_a_real_one() -> None:
    frame = two_laws()
    found = made(wish(["kind"], [("rare",)], HALF, rows=1000), frame, NUMBERS)
    added = found.table.tail(600)
    assert added.join(frame, on=["x", "y", "z"], how="semi").height == 0
    kept = {name: added[name].is_in(frame[name].implode()).mean() for name in ("x", "y", "z")}
    assert all(0.3 < share < 0.6 for share in kept.values()), "a cell is kept with a chance of about one half"


def test_added_rows_of_the_bootstrap_are_rows_of_their_class() -> None:
    frame = two_laws()
    recipe = Recipe("bootstrap", {}, ProtectionSection(rare_category_min_count=0, clip_extremes=0))
    asked = wish(["kind"], [("rare",)], HALF)
    added = asked.made(frame, NUMBERS, recipe, 1, lambda share, note: None).table.tail(200)
    assert added.join(frame.head(100), on=added.columns, how="semi").height == 200


@pytest.mark.parametrize("lacking", [60, 100, 250])
def test_every_row_of_a_class_is_used_equally_often_up_to_one(lacking: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, given = two_laws(), list[pl.DataFrame]()
    law = Forest.vary

    def seen(rows: pl.DataFrame, *arguments: Any) -> Any:
        given.append(rows)
        return law(rows, *arguments)

    monkeypatch.setattr(Forest, "vary", staticmethod(seen))
    made(wish(["kind"], [("rare",)], Fraction(100 + lacking, 400 + lacking)), frame, NUMBERS)
    assert given[0].height == lacking
    used = given[0].join(frame.head(100).with_row_index("place"), on=["x", "y", "z"], how="inner")["place"]
    times = np.bincount(used.to_numpy(), minlength=100)
    assert times.sum() == lacking
    assert times.max() - times.min() <= 1


@pytest.mark.parametrize("kind", ["forest", "gaussian_copula", "bootstrap"])
def test_the_seed_decides(kind: str) -> None:
    first = made(equal("late"), kind=kind).table
    assert first.equals(made(equal("late"), kind=kind).table)
    assert not first.equals(made(equal("late"), kind=kind, seed=2).table)


def test_a_wish_for_a_part_of_the_table_has_that_part_of_the_rows() -> None:
    assert equal("late", rows=501).scaled(HALF).rows == 250
    assert equal("late").scaled(HALF).rows is None


def test_a_table_of_the_class_alone_has_rows_added_all_the_same() -> None:
    frame = table().select("late")
    found = made(equal("late"), frame, SCHEMA.select(["late"])).table
    assert counts(found["late"]) == {True: 240, False: 240}
