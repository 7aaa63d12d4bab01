"""Upsampling: as many rows as asked for, real ones first; variants that keep every cell that was given."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table

from synthcli.augmentation.recipe import Augmented, Origin, Recipe, code
from synthcli.augmentation.upsample import Upsample
from synthcli.config.models import Constraint, Inequality, ProtectionSection
from synthcli.errors import BadTableError
from synthcli.schema import Schema

PARAMETERS: dict[str, dict[str, Any]] = {"gaussian_copula": {"default_distribution": "norm"}}
KINDS = ["forest", "gaussian_copula", "bootstrap", "independent"]
REAL, SYNTHETIC = code(Origin.REAL), code(Origin.SYNTHETIC)
SCHEMA = Schema((*columns(id="id").columns, *MIXED.columns, *columns(said="text").columns))


def table(rows: int = 200) -> pl.DataFrame:
    ids = [f"R-{at:05d}" for at in np.random.default_rng(1).permutation(rows)]
    said = pl.lit("something").alias("said")
    return mixed_table(rows, 1).with_columns(said, pl.Series("id", ids)).select(SCHEMA.names)


def made(
    wish: Upsample,
    frame: pl.DataFrame | None = None,
    schema: Schema = SCHEMA,
    kind: str = "forest",
    rules: tuple[Constraint, ...] = (),
    seed: int = 1,
    **protection: int,
) -> Augmented:
    recipe = Recipe(kind, PARAMETERS.get(kind, {}), ProtectionSection(**protection), rules)
    return wish.made(table() if frame is None else frame, schema, recipe, seed, lambda share, note: None)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_added_behind_the_real_ones(kind: str) -> None:
    found = made(Upsample(rows=270), kind=kind)
    assert found.table.head(200).equals(table())
    assert found.origin.tolist() == [REAL] * 200 + [SYNTHETIC] * 70
    added = found.table.tail(70)
    assert added.schema == table().schema
    assert added["said"].null_count() == 70
    assert found.table["id"].n_unique() == 270
    assert found.account == {"before": 200, "kept": 200, "drawn": 70}


def test_twice_as_many_rows_unless_told_otherwise_and_only_new_ones_where_all_is_to_be_synthetic() -> None:
    assert made(Upsample()).table.height == 400
    found = made(Upsample(whole=True))
    assert found.table.height == 200
    assert set(found.origin.tolist()) == {SYNTHETIC}
    assert not set(found.table["id"]) & set(table()["id"])
    assert made(Upsample(rows=7, whole=True)).table.height == 7
    assert made(Upsample(rows=200)).table.equals(table())


def test_fewer_rows_than_are_kept_are_refused() -> None:
    with pytest.raises(BadTableError, match="199 rows are fewer than the 200 real ones"):
        made(Upsample(rows=199))
    with pytest.raises(BadTableError, match="no rows to make more of"):
        made(Upsample(given=table().clear()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind: str) -> None:
    first = made(Upsample(rows=230), kind=kind).table
    assert first.equals(made(Upsample(rows=230), kind=kind).table)
    assert not first.equals(made(Upsample(rows=230), kind=kind, seed=2).table)


@pytest.mark.parametrize("kind", ["forest", "gaussian_copula", "independent"])
def test_variants_of_the_tables_own_rows_change_in_the_named_columns_only(kind: str) -> None:
    frame = table().filter(pl.col("size").is_not_null())
    found = made(Upsample(vary=("grade", "late"), whole=True), frame, kind=kind)
    assert found.table.height == frame.height
    assert found.table["city"].equals(frame["city"])
    one, other = (each["size"].reinterpret(signed=True) for each in (found.table, frame))
    assert one.equals(other)
    for name in ("grade", "late"):
        assert 0.05 < (found.table[name] != frame[name]).mean() < 0.95  # type: ignore[operator]
    assert not set(found.table["id"]) & set(frame["id"])
    assert found.account["variants_of"] == frame.height
    assert found.account["vary"] == ["grade", "late"]


def test_varied_cells_follow_the_ones_that_stay() -> None:
    code = pl.Series(np.random.default_rng(3).integers(0, 3, 600))
    frame = pl.DataFrame({"code": code, "name": code, "x": np.arange(600.0)}).with_columns(
        pl.col("code", "name").cast(pl.String)
    )
    schema = columns(code="categorical", name="categorical", x="numeric")
    varied = made(Upsample(vary=("name", "x"), whole=True), frame, schema).table
    assert (varied["code"] == varied["name"]).mean() > 0.95
    assert (varied["x"] == frame["x"]).mean() < 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [5, 6, 14])
def test_each_given_row_is_used_equally_often_up_to_one_in_their_order(kind: str, rows: int) -> None:
    given = pl.DataFrame({"city": ["Rom", "Oslo", "Rom"], "grade": ["low", "high", None]})
    found = made(Upsample(rows=rows, whole=True, given=given), kind=kind).table
    times = [rows // 3 + (at < rows % 3) for at in range(3)]
    assert found["city"].to_list() == ["Rom"] * times[0] + ["Oslo"] * times[1] + ["Rom"] * times[2]
    assert found["grade"].head(times[0] + times[1]).to_list() == ["low"] * times[0] + ["high"] * times[1]
    assert found["grade"].null_count() == 0


@pytest.mark.parametrize("kind", ["forest", "gaussian_copula", "independent"])
def test_a_rare_category_that_protection_takes_away_is_given_back(kind: str) -> None:
    frame = table().with_columns(city=pl.when(pl.int_range(200) < 2).then(pl.lit("Rare")).otherwise("city"))
    found = made(Upsample(rows=4, whole=True, given=frame.select("city").head(4)), frame, kind=kind)
    assert found.table["city"].to_list() == frame["city"].head(4).to_list()
    assert found.table["city"][0] == "Rare"
    drawn = made(Upsample(rows=2000, whole=True), frame, kind=kind).table
    assert "Rare" not in set(drawn["city"]), "protection takes it away where it is not given"
    varied = made(Upsample(vary=("grade",), whole=True), frame, kind=kind).table
    assert varied["city"].equals(frame["city"])


@pytest.mark.parametrize("kind", ["forest", "gaussian_copula", "independent"])
def test_empty_given_cells_are_drawn_and_nan_is_empty(kind: str) -> None:
    frame = table().filter(pl.col("size").is_not_null())
    given = pl.DataFrame({"size": [None, float("nan"), 12.5], "grade": ["low"] * 3})
    found = made(Upsample(rows=3, whole=True, given=given), frame, kind=kind).table
    assert found["size"].is_finite().all()
    assert found["size"].null_count() == 0
    assert found["size"][2] == 12.5


def test_given_cells_that_go_together_in_no_row_are_refused_with_their_number() -> None:
    frame = pl.DataFrame({"a": ["x", "y"] * 50, "b": ["p", "q"] * 50})
    schema = columns(a="categorical", b="categorical")
    given = pl.DataFrame({"a": ["x", "x", "y"], "b": ["p", "q", "p"]})
    with pytest.raises(BadTableError, match="could not make 2 of 3 variants"):
        made(Upsample(rows=3, whole=True, given=given), frame, schema, "bootstrap")
    found = made(Upsample(rows=3, whole=True, given=given), frame, schema, "independent").table
    assert found.equals(given)


@pytest.mark.parametrize("kind", ["forest", "gaussian_copula"])
def test_variants_keep_the_rules_and_given_cells_that_break_one_are_refused(kind: str) -> None:
    draw = np.random.default_rng(4)
    low = draw.normal(0, 1, 200)
    frame = pl.DataFrame({"low": low, "high": low + draw.exponential(1, 200), "late": draw.random(200) < 0.4})
    schema = columns(low="numeric", high="numeric", late="boolean")
    rule = Inequality(kind="inequality", low_column_name="low", high_column_name="high", strict_boundaries=False)
    given = pl.DataFrame({"late": [True, False] * 10})
    found = made(Upsample(rows=40, whole=True, given=given), frame, schema, kind, (rule,)).table
    assert (found["low"] <= found["high"]).all()
    assert found["late"].sum() == 20
    broken = pl.DataFrame({"low": [0.5, 0.1], "high": [0.0, 0.5]})
    with pytest.raises(BadTableError, match=r"could not make [12] of 2 variants"):
        made(Upsample(rows=2, whole=True, given=broken), frame, schema, kind, (rule,))


def test_a_wish_for_a_part_of_the_table_has_that_part_of_the_rows() -> None:
    assert Upsample(rows=501).scaled(Fraction(1, 2)).rows == 250
    assert Upsample(vary=("late",)).scaled(Fraction(1, 2)).vary == ("late",)
