"""Imputation: holes are filled and nothing else changes, with every kind; what cannot be filled is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table

from synthcli.augmentation.impute import Impute
from synthcli.augmentation.recipe import Augmented, Origin, Recipe, code
from synthcli.config.models import Constraint, Inequality, ProtectionSection
from synthcli.errors import BadTableError
from synthcli.schema import Schema

TINY = {"epochs": 3, "batch_size": 50, "embedding_dim": 8}
PARAMETERS: dict[str, dict[str, Any]] = {
    "gaussian_copula": {"default_distribution": "norm"},
    "tvae": {**TINY, "compress_dims": [16], "decompress_dims": [16]},
}
KINDS = [
    "forest",
    "gaussian_copula",
    "independent",
    "bootstrap",
    pytest.param("tvae", marks=pytest.mark.slow),
]
#: Only whole training rows come out of it, so that a row with a number of its own and a hole meets none but itself.
WHOLE_ROWS_ONLY = frozenset({"bootstrap"})
REAL, IMPUTED = code(Origin.REAL), code(Origin.IMPUTED)


def recipe(kind: str, *rules: Constraint, **protection: int) -> Recipe:
    return Recipe(kind, PARAMETERS.get(kind, {}), ProtectionSection(**protection), rules)


def impute(
    table: pl.DataFrame, schema: Schema, kind: str = "forest", *rules: Constraint, seed: int = 1, **wish: Any
) -> Augmented:
    wish = {"columns": tuple(column.name for column in schema.modelled), **wish}
    return Impute(**wish).made(table, schema, recipe(kind, *rules), seed, lambda share, note: None)


def gappy(rows: int = 300) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the mixed table without holes, and the same with a hole in every sixth cell, each column's elsewhere."""
    whole = mixed_table(2 * rows, 1).drop_nulls().head(rows)
    holes = np.random.default_rng(2).random((rows, whole.width)) < 1 / 6
    cells = [pl.when(~pl.Series(holes[:, at])).then(name).alias(name) for at, name in enumerate(whole.columns)]
    return whole, whole.with_columns(cells)


def observed_cells_stay(before: pl.DataFrame, after: pl.DataFrame) -> bool:
    """Return whether every cell of ``before`` that is not missing stands in ``after``, bit for bit."""
    for name in before.columns:
        known = before[name].is_not_null() & (before[name].is_not_nan() if before[name].dtype.is_float() else True)
        one, other = (table[name].filter(known) for table in (before, after))
        if one.dtype.is_float():
            one, other = (series.reinterpret(signed=True) for series in (one, other))
        if not one.equals(other):
            return False
    return before.columns == after.columns and before.height == after.height


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_fills_holes_and_nothing_else(kind: str) -> None:
    _, table = gappy()
    table, schema = (
        (table.drop("size"), MIXED.select(["grade", "city", "late"])) if kind in WHOLE_ROWS_ONLY else (table, MIXED)
    )
    made = impute(table, schema, kind)
    assert made.table.schema == table.schema
    assert made.table.null_count().row(0) == (0,) * table.width
    assert observed_cells_stay(table, made.table)
    had_hole = table.select(pl.any_horizontal(pl.all().is_null())).to_series()
    assert made.origin.tolist() == [IMPUTED if hole else REAL for hole in had_hole]
    holes = [{"column": name, "holes": table[name].null_count()} for name in table.columns]
    assert made.account["filled"] == [{**each, "filled": each["holes"], "left": 0} for each in holes]
    assert made.notes == ()
    assert not made.table.equals(impute(table, schema, kind, seed=2).table)
    assert made.table.equals(impute(table, schema, kind).table)


def decided() -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """Return two columns of which one decides the other, the same with holes in one row of four, and which."""
    draw = np.random.default_rng(3)
    code = draw.integers(0, 3, 600)
    frame = pl.DataFrame({"code": code, "name": code}).cast(pl.String)
    gaps = pl.Series(draw.random(600) < 0.25)
    return frame, frame.with_columns(pl.when(~gaps).then("name").alias("name")), gaps


PAIR = columns(code="categorical", name="categorical")


@pytest.mark.parametrize("kind", ["forest", "bootstrap"])
def test_holes_follow_the_rest_of_their_row(kind: str) -> None:
    frame, table, gaps = decided()
    filled = impute(table, PAIR, kind).table
    assert (filled["name"] == frame["name"]).filter(gaps).mean() > 0.98  # type: ignore[operator]


def test_the_copula_follows_the_rest_of_the_row_too_and_independent_columns_do_not() -> None:
    frame, table, gaps = decided()
    hits = {
        kind: (impute(table, PAIR, kind).table["name"] == frame["name"]).filter(gaps).mean()
        for kind in ("gaussian_copula", "independent")
    }
    assert hits["independent"] == pytest.approx(1 / 3, abs=0.12)
    assert hits["gaussian_copula"] > 0.6


@pytest.mark.slow
def test_the_law_of_a_kind_without_conditions_is_read_off_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, table, gaps = decided()
    monkeypatch.setitem(PARAMETERS, "tvae", {**PARAMETERS["tvae"], "epochs": 60})
    filled = impute(table, PAIR, "tvae").table
    assert observed_cells_stay(table, filled)
    assert (filled["name"] == frame["name"]).filter(gaps).mean() > 0.6  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["forest", "gaussian_copula"])
def test_columns_that_keep_their_holes_are_not_touched(kind: str) -> None:
    _, table = gappy()
    made = impute(table, MIXED, kind, columns=("grade", "city"), keep=("size", "late"))
    assert made.table.select("size", "late").equals(table.select("size", "late"))
    assert made.table.select("grade", "city").null_count().row(0) == (0, 0)
    assert made.account["kept_missing"] == ["size", "late"]
    assert [each["column"] for each in made.account["filled"]] == ["grade", "city"]
    filled = table.select(pl.any_horizontal(pl.col("grade", "city").is_null())).to_series()
    assert made.origin.tolist() == [IMPUTED if hole else REAL for hole in filled]
    assert (~filled & table["size"].is_null()).any(), "some row has a hole that stays, and is real"


def test_ids_text_and_order_stay() -> None:
    _, table = gappy(100)
    draw = np.random.default_rng(1)
    more = table.with_columns(
        id=pl.Series(draw.permutation(100)), said=pl.Series([None if at % 3 else f"word {at}" for at in range(100)])
    ).select("id", "size", "said", "grade", "city", "late")
    schema = Schema((*columns(id="id", said="text").columns, *MIXED.columns)).select(more.columns)
    made = impute(more, schema)
    assert made.table.select("id", "said").equals(more.select("id", "said"))
    assert made.table.drop("id", "said").null_count().row(0) == (0,) * 4
    assert observed_cells_stay(more, made.table)


def test_nan_counts_as_a_hole_and_a_kept_one_stays() -> None:
    frame = pl.DataFrame(
        {"x": [1.0, float("nan"), None, 4.0] * 20, "kept": [float("nan"), 2.0, 3.0, 4.0] * 20, "c": ["a", "b"] * 40}
    )
    schema = columns(x="numeric", kept="numeric", c="categorical")
    for kind in ("forest", "independent"):
        made = impute(frame, schema, kind, columns=("x", "c"), keep=("kept",))
        assert made.account["filled"] == [{"column": "x", "holes": 40, "filled": 40, "left": 0}]
        assert made.table["x"].is_finite().all()
        assert made.table["x"].null_count() == 0
        assert made.table["kept"].is_nan().to_list() == [True, False, False, False] * 20
        assert made.origin.tolist() == [REAL, IMPUTED, IMPUTED, REAL] * 20


def test_what_cannot_be_filled_stays_and_is_told() -> None:
    # Nothing known lies above 9: the second row's `high` cannot be. The third row's can.
    table = pl.DataFrame(
        {"low": [1.0, 2.0, 9.0, 1.5] * 10 + [99.0, 1.0], "high": [2.0, 3.0, 9.5, 2.0] * 10 + [None] * 2}
    )
    rule = Inequality(kind="inequality", low_column_name="low", high_column_name="high", strict_boundaries=False)
    made = impute(table, columns(low="numeric", high="numeric"), "forest", rule)
    assert made.account["filled"] == [{"column": "high", "holes": 2, "filled": 1, "left": 1}]
    assert made.table["high"].is_null().to_list() == [False] * 40 + [True, False]
    assert made.origin.tolist() == [REAL] * 41 + [IMPUTED]
    assert len(made.notes) == 1
    assert made.notes[0].startswith("1 hole")
    assert (made.table["low"] <= made.table["high"]).drop_nulls().all()


def test_a_row_that_no_training_row_is_like_keeps_its_hole_with_the_bootstrap() -> None:
    table = pl.DataFrame({"a": ["x", "x", "y", "z"], "b": ["p", None, "q", None]})
    made = impute(table, columns(a="categorical", b="categorical"), "bootstrap")
    assert made.table["b"].to_list() == ["p", "p", "q", None]
    assert made.account["filled"] == [{"column": "b", "holes": 2, "filled": 1, "left": 1}]
    assert made.origin.tolist() == [REAL, IMPUTED, REAL, REAL]


@pytest.mark.parametrize("kind", ["forest", "gaussian_copula", "bootstrap"])
def test_filled_rows_keep_the_rules(kind: str) -> None:
    draw = np.random.default_rng(7)
    low = draw.integers(0, 5, 200)
    table = pl.DataFrame({"low": low, "high": low + draw.integers(0, 3, 200)}).cast(pl.Float64)
    gaps = draw.random((200, 2)) < 0.2
    table = table.with_columns(
        pl.when(~pl.Series(gaps[:, at])).then(name).alias(name) for at, name in enumerate(table.columns)
    )
    rule = Inequality(kind="inequality", low_column_name="low", high_column_name="high", strict_boundaries=False)
    made = impute(table, columns(low="numeric", high="numeric"), kind, rule)
    assert observed_cells_stay(table, made.table)
    both = made.table.drop_nulls()
    assert both.height > 190
    assert (both["low"] <= both["high"]).all()


def test_a_column_without_a_known_cell_is_refused_by_name() -> None:
    table = pl.DataFrame({"a": ["x", "y"], "empty": [None, float("nan")]}, schema_overrides={"empty": pl.Float64})
    schema = columns(a="categorical", empty="numeric")
    with pytest.raises(BadTableError, match="column 'empty' has no known cell") as caught:
        impute(table, schema)
    assert "augment.keep_missing=[empty]" in str(caught.value.hint)
    made = impute(table, schema, columns=("a",), keep=("empty",))
    assert made.table.equals(table)
    assert made.origin.tolist() == [REAL, REAL]


def test_a_table_without_holes_comes_back_and_fits_nothing() -> None:
    whole, _ = gappy(50)

    def never(share: float, note: str) -> None:
        raise AssertionError(note)

    made = Impute(tuple(whole.columns)).made(whole, MIXED, recipe("forest"), 1, never)
    assert made.table.equals(whole)
    assert made.account["filled"] == []
    assert made.rows_of(Origin.REAL) == 50


def test_the_plan_counts_holes_before_anything_is_filled() -> None:
    _, table = gappy(60)
    plan = Impute(("size", "late")).plan(table)
    assert plan["filled"] == [
        {"column": name, "holes": table[name].null_count(), "filled": 0, "left": table[name].null_count()}
        for name in ("size", "late")
    ]


@pytest.mark.parametrize("kind", ["forest", "independent"])
def test_resampled_tables_are_other_ones_and_keep_every_known_cell(kind: str) -> None:
    _, table = gappy()
    made = impute(table, MIXED, kind, resample=True)
    assert not made.table.equals(impute(table, MIXED, kind).table)
    assert made.table.null_count().row(0) == (0,) * table.width
    assert observed_cells_stay(table, made.table)


def test_rare_categories_are_filled_in_too_since_nothing_is_protected() -> None:
    table = pl.DataFrame({"key": ["a"] * 97 + ["b"] * 3, "value": ["common"] * 97 + ["rare", "rare", None]})
    filled = [impute(table, columns(key="categorical", value="categorical"), "bootstrap", seed=s).table for s in (1, 2)]
    assert [each["value"][-1] for each in filled] == ["rare", "rare"]
