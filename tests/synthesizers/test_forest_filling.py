"""Filling by trees: known cells stay, holes follow the law given their row, rules hold; cells are drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthcli.augmentation.recipe import Recipe
from synthcli.config.models import Constraint, FixedCombinations, Inequality, ProtectionSection
from synthcli.errors import BadTableError
from synthcli.forms import dtype_name
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers import crew
from synthcli.synthesizers.forest import Forest
from synthcli.synthesizers.protocol import Completed, Keeps

Flags = NDArray[np.bool_]


def schema_of(frame: pl.DataFrame) -> Schema:
    def kind(dtype: pl.DataType) -> Kind:
        if dtype == pl.Boolean:
            return Kind.BOOLEAN
        return Kind.NUMERIC if dtype.is_numeric() else Kind.DATETIME if dtype.is_temporal() else Kind.CATEGORICAL

    decimals = {"money": 2}
    return Schema(tuple(Column(n, kind(d), dtype_name(d) or "", decimals.get(n)) for n, d in frame.schema.items()))


def every(rows: pl.DataFrame) -> Flags:
    return np.ones(rows.height, np.bool_)


def keeps(table: pl.DataFrame, *rules: Constraint) -> Keeps:
    return Recipe("forest", {}, ProtectionSection(), rules).keeps(table)


def fill(table: pl.DataFrame, *names: str, seed: int = 1, kept: Keeps = every, **more: Any) -> Completed:
    return Forest.fill(table, schema_of(table), names, {}, seed, lambda share, note: None, kept, **more)


def vary(
    rows: pl.DataFrame,
    redrawn: dict[str, Flags],
    law: pl.DataFrame | None = None,
    seed: int = 1,
    kept: Keeps = every,
) -> Completed:
    law = rows if law is None else law
    return Forest.vary(rows, schema_of(rows), redrawn, law, {}, seed, lambda share, note: None, kept)


def with_holes(frame: pl.DataFrame, **holes: Any) -> pl.DataFrame:
    """Return the table without the cells that are flagged."""
    return frame.with_columns(
        pl.when(~pl.Series(np.asarray(flags))).then(name).alias(name) for name, flags in holes.items()
    )


def bits(series: pl.Series) -> bytes:
    """Return cells of a column (none missing) to the last bit."""
    return series.to_numpy().tobytes() if series.dtype.is_numeric() else repr(series.to_list()).encode()


def same_cells(one: pl.Series, other: pl.Series, where: Flags) -> bool:
    """Return whether two columns are the same bit for bit where flagged, missing cells included."""
    a, b = (series.filter(pl.Series(where)) for series in (one, other))
    return a.dtype == b.dtype and a.is_null().equals(b.is_null()) and bits(a.drop_nulls()) == bits(b.drop_nulls())


START = datetime(2020, 3, 29)
#: For each kind of column, cells by a generator of chances.
MAKERS: dict[str, Callable[[np.random.Generator, int], pl.Series]] = {
    "whole": lambda draw, rows: pl.Series(draw.integers(-5, 2**60, rows)),
    "small": lambda draw, rows: pl.Series(draw.integers(0, 4, rows), dtype=pl.UInt8),
    "money": lambda draw, rows: pl.Series(draw.normal(0, 30, rows)).round(2),
    "raw": lambda draw, rows: pl.Series(np.where(draw.random(rows) < 0.3, -0.0, draw.normal(size=rows))),
    "day": lambda draw, rows: pl.Series([(START + timedelta(days=int(d))).date() for d in draw.integers(0, 900, rows)]),
    "berlin": lambda draw, rows: (
        pl.Series([START + timedelta(minutes=30 * int(h)) for h in draw.integers(0, 60, rows)])
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("Europe/Berlin")
    ),
    "flag": lambda draw, rows: pl.Series(draw.random(rows) < 0.3),
    "word": lambda draw, rows: pl.Series(draw.choice(["a", "", "nan", "é"], rows)),
    "name": lambda draw, rows: pl.Series(draw.integers(0, 60, rows)).cast(pl.String),
    "same_word": lambda draw, rows: pl.Series(["x"] * rows),
    "same_number": lambda draw, rows: pl.Series([2.5] * rows),
    "never": lambda draw, rows: pl.Series([None] * rows, dtype=pl.Int32),
}


@st.composite
def gappy_tables(draw: st.DrawFn) -> tuple[pl.DataFrame, list[str]]:
    """Return a table of some kinds of columns with any pattern of holes, and the columns to be filled."""
    rows = draw(st.integers(1, 40))
    names = draw(st.lists(st.sampled_from(sorted(MAKERS)), min_size=1, max_size=4, unique=True))
    chances = np.random.default_rng(draw(st.integers(0, 99)))
    frame = pl.DataFrame({name: MAKERS[name](chances, rows) for name in names})
    masks = {name: draw(st.lists(st.booleans(), min_size=rows, max_size=rows)) for name in names}
    return with_holes(frame, **masks), draw(st.lists(st.sampled_from(names), min_size=1, unique=True))


@settings(max_examples=25)
@given(gappy_tables(), st.integers(0, 2**31))
def test_known_cells_stay_and_holes_are_filled_from_the_columns_own_range(
    case: tuple[pl.DataFrame, list[str]], seed: int
) -> None:
    table, names = case
    done = fill(table, *names, seed=seed)
    assert done.table.schema == table.schema
    unknown = [name for name in names if table[name].null_count() == table.height]
    beyond = np.logical_or.reduce([np.zeros(table.height, np.bool_), *(table[n].is_null().to_numpy() for n in unknown)])
    assert done.made.tolist() == (~beyond).tolist(), "a row is made unless it has a hole that nothing can fill"
    for name in table.columns:
        known = table[name].is_not_null().to_numpy()
        assert same_cells(done.table[name], table[name], known)
        filled = done.table[name].filter(pl.Series(done.made & ~known))
        if name not in names:
            assert filled.null_count() == len(filled)
        elif len(filled):
            assert filled.null_count() == 0
            if table[name].dtype.is_numeric() or table[name].dtype.is_temporal():
                # Numbers cross as floats, which whole ones beyond 2**53 are rounded to.
                numbers, own = (series.to_physical().cast(pl.Float64) for series in (filled, table[name]))
                assert numbers.is_between(own.min(), own.max()).all()
            else:
                assert set(filled) <= set(table[name].drop_nulls())
            if name == "money":
                assert (filled == filled.round(2)).all()


GAPS = np.random.default_rng(8)


def city_and_grade(rows: int = 3000) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a table in which the city decides the chance of a grade, and the same with a hole in 3 grades of 10."""
    draw = np.random.default_rng(5)
    city = draw.choice(["Rom", "Oslo", "Bern"], rows, p=[0.5, 0.3, 0.2])
    high = draw.random(rows) < pl.Series(city).replace_strict({"Rom": 0.9, "Oslo": 0.5, "Bern": 0.1}).to_numpy()
    frame = pl.DataFrame({"city": city, "grade": np.where(high, "high", "low"), "noise": draw.normal(size=rows)})
    return frame, with_holes(frame, grade=draw.random(rows) < 0.3)


def chances_missed(filled: pl.DataFrame, table: pl.DataFrame) -> float:
    """Return by how much a city's share of high grades in filled cells misses the true one, at most."""
    found = dict(
        filled.filter(table["grade"].is_null()).group_by("city").agg((pl.col("grade") == "high").mean()).rows()
    )
    return max(abs(found[city] - chance) for city, chance in {"Rom": 0.9, "Oslo": 0.5, "Bern": 0.1}.items())


def test_a_category_is_filled_by_its_chance_given_another() -> None:
    _, table = city_and_grade()
    # Of 900 holes the least frequent city has 180: 3 standard errors of its share are .067, of Oslo's .09.
    assert chances_missed(fill(table, "grade").table, table) < 0.09
    cells = table["grade"].drop_nulls().sample(table.height, with_replacement=True, seed=1)
    assert chances_missed(table.with_columns(pl.col("grade").fill_null(cells)), table) > 0.3, "it tells the two apart"


def test_what_another_column_decides_is_restored() -> None:
    code = np.random.default_rng(4).integers(0, 12, 1500)
    frame = pl.DataFrame({"code": code, "name": pl.Series(code).cast(pl.String), "triple": 3.0 * code})
    gaps = np.random.default_rng(6).random((2, 1500)) < 0.2
    table = with_holes(frame, name=gaps[0], triple=gaps[1])
    filled = fill(table, "name", "triple").table
    assert (filled["name"] == frame["name"]).filter(pl.Series(gaps[0])).mean() > 0.98  # type: ignore[operator]
    assert (filled["triple"] == frame["triple"]).filter(pl.Series(gaps[1])).mean() > 0.98  # type: ignore[operator]


def test_holes_at_random_given_another_column_are_filled_at_their_own_mean_not_the_known_one() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(size=2000)
    y = x + draw.normal(0, 0.4, 2000)
    gaps = (x > 0) & (draw.random(2000) < 0.85)
    table = with_holes(pl.DataFrame({"x": x, "y": y}), y=gaps)
    filled = fill(table, "y").table["y"].to_numpy()[gaps]
    assert y[gaps].mean() - y[~gaps].mean() > 1.1
    assert filled.mean() == pytest.approx(y[gaps].mean(), abs=0.1)
    assert filled.std() == pytest.approx(y[gaps].std(), abs=0.1), "drawn, not predicted"


def test_that_a_cell_stays_missing_tells_of_the_rest() -> None:
    draw = np.random.default_rng(3)
    cancelled = draw.random(1200) < 0.25
    frame = pl.DataFrame({"delay": draw.normal(10, 5, 1200), "state": np.where(cancelled, "cancelled", "flown")})
    gaps = draw.random(1200) < 0.2
    table = with_holes(frame, delay=cancelled, state=gaps)
    filled = fill(table, "state").table
    assert filled["delay"].equals(table["delay"])
    assert (filled["state"] == frame["state"]).filter(pl.Series(gaps)).mean() > 0.98  # type: ignore[operator]


def test_categories_that_are_missing_together_are_filled_by_their_joint_law() -> None:
    draw = np.random.default_rng(3)
    code = pl.Series(draw.integers(0, 3, 1500)).cast(pl.String)
    gaps = draw.random(1500) < 0.3
    table = with_holes(pl.DataFrame({"code": code, "name": code + "!"}), code=gaps, name=gaps)
    filled = fill(table, "code", "name").table.filter(pl.Series(gaps))
    assert (filled["code"] + "!" == filled["name"]).mean() > 0.97
    assert filled["code"].n_unique() == 3
    # A third each of some 450 rows: 4 standard errors of a share are .09.
    assert np.abs(filled["code"].value_counts()["count"].to_numpy() / filled.height - 1 / 3).max() < 0.09


def test_numbers_that_are_missing_together_are_filled_by_their_joint_law() -> None:
    draw = np.random.default_rng(3)
    x, gaps = draw.normal(size=1500), draw.random(1500) < 0.3
    frame = pl.DataFrame({"x": x, "y": x + draw.normal(0, 0.3, 1500)})
    filled = fill(with_holes(frame, x=gaps, y=gaps), "x", "y").table.filter(pl.Series(gaps))
    for name in ("x", "y"):
        # Some 450 cells: 4 standard errors of a mean are .2.
        assert filled[name].mean() == pytest.approx(0, abs=0.2)
        assert filled[name].std() == pytest.approx(1, abs=0.15)
    assert filled.select(pl.corr("x", "y")).item() > 0.9


def test_the_seed_decides_and_the_number_of_threads_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    _, table = city_and_grade(300)
    table = with_holes(table, noise=GAPS.random(300) < 0.3)
    first = fill(table, "grade", "noise", seed=1).table
    assert not first.equals(fill(table, "grade", "noise", seed=2).table)
    for threads in (1, 3):
        monkeypatch.setattr(crew, "processors", lambda threads=threads: threads)
        assert first.equals(fill(table, "grade", "noise", seed=1).table)


def test_nan_is_a_hole() -> None:
    table = pl.DataFrame({"x": [1.0, float("nan"), None, 3.0] * 10})
    filled = fill(table, "x").table["x"]
    assert filled.is_finite().all()
    assert filled.null_count() == 0


def test_infinite_numbers_are_refused_by_name() -> None:
    with pytest.raises(BadTableError, match="column 'x' holds infinite values"):
        fill(pl.DataFrame({"x": [1.0, None, float("inf")]}), "x")


LOW_HIGH = Inequality(kind="inequality", low_column_name="low", high_column_name="high", strict_boundaries=False)
PLACES = FixedCombinations(kind="fixed_combinations", column_names=["city", "land"])


def pairs(rows: int = 400) -> pl.DataFrame:
    """Return two numbers, one never above the other, and a city with its land, each cell missing once in four."""
    draw = np.random.default_rng(7)
    low = draw.normal(0, 1, rows)
    city = draw.integers(0, 6, rows)
    frame = pl.DataFrame({"low": low, "high": low + draw.exponential(0.1, rows), "city": city, "land": city // 2})
    frame = frame.with_columns(pl.col("city", "land").cast(pl.String))
    gaps = draw.random((rows, 4)) < 0.25
    return with_holes(frame, **{name: gaps[:, at] for at, name in enumerate(frame.columns)})


def test_rules_hold_in_every_filled_row() -> None:
    table = pairs()
    whole = table.drop_nulls()
    kept = keeps(whole, LOW_HIGH, PLACES)
    free = fill(table, *table.columns)
    assert not kept(free.table).all(), "without them some row would break one"
    done = fill(table, *table.columns, kept=kept)
    assert done.made.mean() > 0.99
    assert kept(done.table.filter(pl.Series(done.made))).all()
    for name in table.columns:
        assert same_cells(done.table[name], table[name], table[name].is_not_null().to_numpy())


def test_a_row_that_no_cell_could_make_keep_a_rule_is_not_made_and_keeps_its_hole() -> None:
    table = pairs().select("low", "high").drop_nulls()
    table = pl.concat([table, pl.DataFrame({"low": [99.0, None], "high": [None, 0.5]})])
    done = fill(table, "low", "high", kept=keeps(table, LOW_HIGH))
    assert np.flatnonzero(~done.made).tolist() == [table.height - 2]
    assert done.table.row(-1)[0] <= 0.5
    assert done.table.row(-2)[1] is None, "no drawn cell is left in a row that breaks a rule"


def test_a_hole_that_stays_breaks_no_rule_that_speaks_of_values_only() -> None:
    # `high` has one value: every `low` above it would break the rule, but where `high` is missing nothing is broken.
    table = pl.DataFrame({"low": [1.0, 9.0, 9.0, None] * 25, "high": [5.0, None, None, None] * 25})
    seen: list[pl.DataFrame] = []

    def kept(rows: pl.DataFrame) -> Flags:
        seen.append(rows)
        return keeps(table, LOW_HIGH)(rows)

    done = fill(table, "low", kept=kept)
    assert done.made.all()
    assert done.table["high"].equals(table["high"])
    assert seen[0]["high"].null_count() == 25, "a rule is asked about the row as it will be"


def test_trees_learn_from_the_rows_of_the_law_only() -> None:
    table = pl.DataFrame({"x": ["u", "v"] * 50, "y": ["own", None] * 50})
    law = pl.DataFrame({"x": ["u", "v"] * 200, "y": ["p", "q"] * 200})
    filled = fill(table, "y", law=law).table
    assert filled["y"].gather_every(2).to_list() == ["own"] * 50
    assert (filled["y"].gather_every(2, 1) == "q").mean() > 0.95
    assert "own" not in filled["y"].gather_every(2, 1)


def test_a_law_without_a_known_cell_leaves_the_hole() -> None:
    table = pl.DataFrame({"x": [1.0, 2.0, None, 4.0] * 10, "c": ["a", "b"] * 20})
    done = fill(table, "x", law=table.with_columns(x=pl.lit(None, pl.Float64)))
    assert done.made.tolist() == table["x"].is_not_null().to_list()
    assert done.table.equals(table)


def filled_means(resample: bool) -> list[float]:
    """Return for 30 seeds the mean of 1,000 cells, filled by what 50 known ones tell."""
    known = np.random.default_rng(1).normal(size=50)
    table = pl.DataFrame({"x": pl.Series(np.concatenate([known, np.full(1000, np.nan)])).fill_nan(None)})
    tables = [fill(table, "x", seed=seed, resample=resample).table for seed in range(30)]
    return [float(each["x"][50:].mean()) for each in tables]  # type: ignore[arg-type]


def test_resampled_tables_differ_by_what_50_rows_do_not_tell() -> None:
    # A mean of 50 cells is known up to 1 / sqrt(50) = .14 standard deviations; that of 1,000 drawn cells adds .03.
    with_law, without = np.std(filled_means(True)), np.std(filled_means(False))
    assert without < 0.05
    assert with_law == pytest.approx(0.14, abs=0.05)


# --- Cells drawn anew ----------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(gappy_tables(), st.integers(0, 2**31), st.data())
def test_cells_that_are_not_drawn_anew_stay(
    case: tuple[pl.DataFrame, list[str]], seed: int, data: st.DataObject
) -> None:
    table, names = case
    flags = st.lists(st.booleans(), min_size=table.height, max_size=table.height)
    redrawn = {name: np.array(data.draw(flags)) for name in names}
    done = vary(table, redrawn, seed=seed)
    assert done.made.all()
    assert done.table.schema == table.schema
    for name in table.columns:
        assert same_cells(done.table[name], table[name], ~redrawn.get(name, np.zeros(table.height, np.bool_)))


def test_cells_drawn_anew_follow_from_the_others_where_these_decide() -> None:
    code = np.random.default_rng(4).integers(0, 12, 1500)
    frame = pl.DataFrame({"code": code, "name": pl.Series(code).cast(pl.String)})
    anew = vary(frame, {"name": np.ones(1500, np.bool_)}).table
    assert anew["code"].equals(frame["code"])
    assert (anew["name"] == frame["name"]).mean() > 0.98
    free = vary(frame, {"name": np.ones(1500, np.bool_)}, law=frame.with_columns(pl.col("name").reverse())).table
    assert (free["name"] == frame["name"]).mean() < 0.3, "by the law that is given, not by the rows themselves"


def test_a_table_drawn_anew_in_every_cell_keeps_the_law() -> None:
    table, _ = city_and_grade()
    anew = vary(table, {name: np.ones(table.height, np.bool_) for name in table.columns}).table
    assert (anew["noise"] == table["noise"]).mean() < 0.01
    assert (anew["grade"] == table["grade"]).mean() < 0.9
    for name in ("city", "grade"):
        shares = [dict(each[name].value_counts(normalize=True).rows()) for each in (table, anew)]
        assert shares[0].keys() == shares[1].keys()
        assert sum(abs(shares[0][key] - shares[1][key]) for key in shares[0]) / 2 < 0.04
    levels = np.arange(0.1, 1, 0.1)
    assert np.allclose(*(np.quantile(each["noise"], levels) for each in (table, anew)), atol=0.12)
    # Every grade counts, as if all had been holes.
    assert chances_missed(anew, with_holes(table, grade=np.ones(table.height, np.bool_))) < 0.08


def test_rows_drawn_anew_keep_every_rule() -> None:
    table = pairs().drop_nulls()
    anew = {name: np.random.default_rng(at).random(table.height) < 0.5 for at, name in enumerate(table.columns)}
    kept = keeps(table, LOW_HIGH, PLACES)
    assert not kept(vary(table, anew).table).all(), "without them some row would break one"
    done = vary(table, anew, kept=kept)
    assert done.made.mean() > 0.95
    assert kept(done.table.filter(pl.Series(done.made))).all()
    for name in table.columns:
        assert same_cells(done.table[name], table[name], ~anew[name] & done.made)


def test_the_seed_decides_what_is_drawn_anew() -> None:
    table, _ = city_and_grade(300)
    anew = {"noise": np.ones(300, np.bool_), "grade": np.arange(300) % 2 == 0}
    first = vary(table, anew, seed=1).table
    assert first.equals(vary(table, anew, seed=1).table)
    assert not first.equals(vary(table, anew, seed=2).table)
