"""The forest as a whole: what it learns and leaves, its order, its files, and rows with known cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from synthcli.config import FOREST_PRESETS
from synthcli.config import Forest as Parameters
from synthcli.errors import ConfigError
from synthcli.forms import dtype_name
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.forest import Forest
from synthcli.synthesizers.forest.chain import Forest as Chain

ROWS = 4000


def schema_of(frame: pl.DataFrame) -> Schema:
    def kind(dtype: pl.DataType) -> Kind:
        if dtype == pl.Boolean:
            return Kind.BOOLEAN
        return Kind.NUMERIC if dtype.is_numeric() else Kind.DATETIME if dtype.is_temporal() else Kind.CATEGORICAL

    return Schema(tuple(Column(n, kind(d), dtype_name(d) or "") for n, d in frame.schema.items()))


def fit(frame: pl.DataFrame, seed: int = 7, **parameters: Any) -> Chain:
    return Forest.fit(frame, schema_of(frame), parameters, seed, lambda share, note: None)


def dependent(rows: int = ROWS, seed: int = 1) -> pl.DataFrame:
    """Return a table in which each column but the last depends on the ones before it."""
    draw = np.random.default_rng(seed)
    flag = draw.random(rows) < 0.3
    place = np.where(flag, draw.integers(0, 2, rows), draw.integers(1, 4, rows))
    spent = np.where(draw.random(rows) < 0.6, 0.0, draw.exponential(100, rows) * (1 + place)).round(2)
    gap = draw.random(rows) < np.where(flag, 0.4, 0.05)
    return pl.DataFrame(
        {
            "flag": flag,
            "place": pl.Series(place).cast(pl.String),
            "spent": spent,
            "when": pl.Series(np.where(gap, np.nan, draw.normal(50, 10, rows)).round(3)).fill_nan(None),
            "noise": draw.normal(size=rows),
        }
    )


def structures(model: Chain, name: str) -> list[int]:
    """Return the number of nodes of each tree of a column."""
    return [len(tree.structure.left) for link in model.links if link.name == name for tree in link.trees]


def test_a_column_that_nothing_predicts_hangs_on_nothing() -> None:
    draw = np.random.default_rng(4)
    frame = pl.DataFrame({f"x{at}": draw.normal(size=6000) for at in range(4)} | {"c": draw.choice(["a", "b"], 6000)})
    nodes = [count for link in fit(frame).links for count in structures(fit(frame), link.name)]
    assert np.mean(np.array(nodes) == 1) > 0.8


def test_a_column_that_another_decides_is_decided_by_it() -> None:
    draw = np.random.default_rng(4)
    code = draw.integers(0, 12, ROWS)
    drawn = fit(pl.DataFrame({"code": code, "name": pl.Series(code).cast(pl.String)})).sample(5000, seed=1)
    assert (drawn["code"].cast(pl.String) == drawn["name"]).mean() > 0.99


@pytest.mark.parametrize("rows", [60, 80, 142])
def test_few_rows_are_enough_for_what_is_plain(rows: int) -> None:
    draw = np.random.default_rng(4)
    second = np.arange(rows) % 2 == 1
    frame = pl.DataFrame({"x": draw.normal(10.0 * second), "kind": np.where(second, "b", "a")})
    drawn = fit(frame).sample(4000, seed=1)
    # A standard deviation of 1 about 0 and 10: two of a million cross the middle. A cell drawn by itself does every
    # second time, as it would where no leaf of 20 judging rows has room beside another one.
    assert ((drawn["x"] > 5) == (drawn["kind"] == "b")).mean() > 0.9


def test_a_preset_asks_leaves_for_a_share_of_few_rows_and_for_what_it_always_did_of_320_and_more() -> None:
    low, balanced, high = (FOREST_PRESETS[name] for name in ("low", "balanced", "high"))
    # A sixteenth of the rows, half and twice it; never fewer than 5.
    assert [balanced.leaf(rows) for rows in (0, 1, 50, 80, 112, 144, 240, 320)] == [5, 5, 5, 5, 7, 9, 15, 20]
    assert [low.leaf(rows) for rows in (80, 160, 240, 320)] == [5, 5, 8, 10]
    assert [high.leaf(rows) for rows in (50, 80, 144, 320)] == [6, 10, 18, 40]
    for preset in (low, balanced, high):
        for rows in (320, 321, 2_000, 6_400, 6_401, 10_738, 50_000):
            assert preset.leaf(rows) == round(preset.leaves * max(20.0, rows**0.5 / 4))


def test_shares_given_a_category_and_missing_cells_are_those_of_the_table() -> None:
    frame = dependent()
    drawn = fit(frame).sample(20_000, seed=3)
    for table in (frame, drawn):
        assert table["when"].null_count() / table.height == pytest.approx(0.155, abs=0.02)
    by_flag = [table.group_by("flag").agg(pl.col("when").is_null().mean()).sort("flag") for table in (frame, drawn)]
    assert np.allclose(by_flag[0]["when"], by_flag[1]["when"], atol=0.03)
    zero = [(table["spent"] == 0).mean() for table in (frame, drawn)]
    assert zero[0] == pytest.approx(zero[1], abs=0.02)


def test_rare_categories_and_tails_come_out_at_their_rate() -> None:
    draw = np.random.default_rng(2)
    levels = np.repeat(["common", "less", "rare"], [3600, 380, 20])
    frame = pl.DataFrame({"level": levels, "tail": draw.lognormal(0, 1.5, ROWS)})
    drawn = fit(frame).sample(200_000, seed=3)
    # 20 of 4,000 rows; the standard error of 200,000 draws is .00016.
    assert (drawn["level"] == "rare").mean() == pytest.approx(0.005, abs=0.0008)
    high = float(np.quantile(frame["tail"], 0.995))
    assert (drawn["tail"] > high).mean() == pytest.approx(0.005, abs=0.0012)


def test_tuples_of_distinct_numbers_equal_training_tuples_no_more_often_than_fresh_ones() -> None:
    """Whole numbers of which hardly two are equal, drawn 100 times the table's size."""
    draw = np.random.default_rng(3)

    def table() -> pl.DataFrame:
        base = draw.normal(0, 2000, 3000)
        return pl.DataFrame(
            {"a": pl.Series(base).round(0).cast(pl.Int64), "c": draw.choice(["u", "v"], 3000)}
        ).with_columns(b=(pl.col("a") / 40 + pl.Series(draw.normal(0, 400, 3000))).round(0).cast(pl.Int64))

    train, fresh = table(), table()
    drawn = fit(train).sample(100 * train.height, seed=5)
    for names in (["a"], ["b"]):
        once = [part.group_by(names).agg(pl.len()).filter(pl.col("len") == 1).select(names) for part in (train, fresh)]
        apart = [one.join(other, on=names, how="anti") for one, other in (once, once[::-1])]
        rates = [drawn.join(part, on=names, how="semi").height / part.height for part in apart]
        assert rates[1] > 5, "numbers are met at all"
        assert rates[0] <= rates[1] * 1.08


def test_training_rows_cannot_be_put_together_from_the_file(tmp_path: Path) -> None:
    """Put each leaf's sorted cells beside those of the other columns' trees, as rows in the order of the file."""
    frame = dependent(2000).select("spent", "when", "noise")
    model = fit(frame)
    model.save(tmp_path)
    with np.load(tmp_path / "forest.npz", allow_pickle=False) as arrays:
        floats = np.concatenate([arrays[name].ravel() for name in arrays.files if arrays[name].dtype.kind == "f"])
    noise = frame["noise"].to_numpy()
    assert not np.isin(noise, floats).any(), "no number of the table is in the file"
    # Pools of two columns, each read along the file: were rows kept in order, their pairs would be the table's pairs.
    codes = {link.name: link.cells.encode(frame[link.name].to_numpy()) for link in model.links if link.cells}
    own = set(zip(codes["spent"].tolist(), codes["noise"].tolist(), strict=True))
    pools = {link.name: link.trees[0].pool[: frame.height] for link in model.links}
    rows = min(len(pools["spent"]), len(pools["noise"]))
    put_together = list(zip(pools["spent"][:rows].tolist(), pools["noise"][:rows].tolist(), strict=True))
    shuffled = np.random.default_rng(1).permutation(pools["noise"][:rows]).tolist()
    by_chance = list(zip(pools["spent"][:rows].tolist(), shuffled, strict=True))
    assert sum(pair in own for pair in put_together) <= 1.3 * sum(pair in own for pair in by_chance)


def test_columns_come_by_rising_number_of_values_and_those_asked_for_first() -> None:
    frame = dependent().with_columns(pl.Series("many", np.arange(ROWS) % 90).cast(pl.String))
    names = [link.name for link in fit(frame).links]
    assert names[:2] == ["flag", "place"]
    assert names[-1] == "many"
    assert [link.name for link in fit(frame, order=["noise", "place"]).links][:2] == ["noise", "place"]


def test_an_unknown_column_in_the_order_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"synthesizer\.order: 'nois' is no column"):
        fit(dependent(100), order=["nois"])


def test_a_stricter_price_leaves_fewer_splits() -> None:
    frame = dependent()
    nodes = [sum(structures(fit(frame, min_gain=gain), "spent")) for gain in (0.0, 5.0, 1e9)]
    assert nodes[0] > nodes[1] > nodes[2] == Parameters(kind="forest").trees


def test_beyond_the_cap_all_rows_fill_the_pools() -> None:
    model = fit(dependent(3000), max_rows=500, trees=4)
    pools = [len(tree.pool) for link in model.links for tree in link.trees]
    # Each of four trees looks at 500 rows, half of which it grows on, and takes a quarter of the other 2,500.
    assert set(pools) <= {500 + 625, 250 + 625}


@pytest.mark.parametrize("known", [["flag"], ["place"], ["spent", "when"], ["noise"]])
def test_given_cells_the_others_follow_the_law_of_the_model(known: list[str]) -> None:
    """Against rows that were drawn freely: the mean of the flag given a cell's neighbourhood."""
    model = fit(dependent())
    # A row with an empty cell is asked for with any value there, so that only rows without one are given.
    free = model.sample(60_000, seed=11).drop_nulls(known)
    given = free.select(known).head(6000)
    done = model.complete(given, seed=5)
    assert done.made.all()
    assert done.table.select(known).equals(given)
    others = [name for name in ("flag", "place") if name not in known]
    for name in others:
        ours, theirs = (table[name].value_counts().sort(name) for table in (done.table, free))
        shares = [counts["count"] / counts["count"].sum() for counts in (ours, theirs)]
        assert np.allclose(shares[0], shares[1], atol=0.03)
    if known == ["place"]:
        means = [t.group_by("place").agg(pl.col("flag").mean()).sort("place")["flag"] for t in (done.table, free)]
        assert np.allclose(means[0], means[1], atol=0.05)
    if known == ["spent", "when"]:
        zero = [t.filter(pl.col("spent") == 0)["flag"].mean() for t in (done.table, free)]
        assert zero[0] == pytest.approx(zero[1], abs=0.05)


def test_any_pattern_of_holes_is_filled_and_known_cells_stay() -> None:
    frame = dependent()
    draw = np.random.default_rng(8)
    holes = frame.with_columns(
        pl.when(pl.Series(draw.random(ROWS) < 0.4)).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("flag", "place", "spent", "noise")
    )
    done = fit(frame).complete(holes, seed=3)
    assert done.made.all()
    for name in ("flag", "place", "spent", "noise"):
        there = holes[name].is_not_null()
        assert done.table[name].filter(there).equals(holes[name].filter(there))
        assert done.table[name].null_count() == 0


def test_a_category_that_the_table_never_showed_has_no_place() -> None:
    done = fit(dependent(400)).complete(pl.DataFrame({"place": ["1", "nowhere"]}), seed=1)
    assert done.made.tolist() == [True, False]


def test_the_model_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = dependent(800)
    several = fit(frame).sample(500, seed=2)
    monkeypatch.setattr("synthcli.parallel.os.sched_getaffinity", lambda _: {0})
    assert fit(frame).sample(500, seed=2).equals(several)


@pytest.mark.parametrize("seed", range(4))
def test_a_skewed_column_is_split_in_every_tree(seed: int) -> None:
    """Thresholds between the cells' numbers would mostly leave too few rows on one side."""
    draw = np.random.default_rng(seed)
    visits = np.minimum(draw.lognormal(0, 1.2, ROWS).astype(int), 400)
    columns = {f"c{at}": draw.choice(["a", "b"], ROWS) for at in range(5)}
    frame = pl.DataFrame({**columns, "visits": visits, "cost": (visits * 10 + draw.normal(0, 3, ROWS)).round(1)})
    model = fit(frame, seed=seed)
    assert min(structures(model, model.links[-1].name)) > 10
    drawn = model.sample(ROWS, seed=1)
    real, made = (np.corrcoef(part["visits"].rank(), part["cost"].rank())[0, 1] for part in (frame, drawn))
    assert made > real - 0.03


def test_noise_does_not_pay_for_a_category_of_many_levels() -> None:
    """Groups of levels made of the rows that judge the splits would go with noise, and give training rows back."""
    draw = np.random.default_rng(5)
    frame = pl.DataFrame(
        {
            "y": draw.choice(["a", "b"], 6000),
            "g": draw.choice(list("cdefgh"), 6000),
            "level": pl.Series(draw.integers(0, 600, 6000)).cast(pl.String),
        }
    )
    nodes = [count for seed in range(4) for count in structures(fit(frame, seed=seed), "level")]
    assert np.mean(np.array(nodes) == 1) > 0.8
    fresh = pl.DataFrame(
        {name: frame[name].sample(fraction=1, shuffle=True, seed=at) for at, name in enumerate(frame.columns)}
    )
    drawn = fit(frame).sample(6000, seed=2)
    hits, chance = (part.join(frame.unique(), on=frame.columns, how="semi").height for part in (drawn, fresh))
    assert hits < 1.1 * chance


def test_a_level_that_goes_with_another_column_follows_it_however_many_there_are() -> None:
    draw = np.random.default_rng(6)
    town = draw.integers(0, 200, 6000)
    region = np.where(draw.random(6000) < 0.9, town // 50, draw.integers(0, 4, 6000))
    frame = pl.DataFrame({"region": pl.Series(region).cast(pl.String), "town": pl.Series(town).cast(pl.String)})
    drawn = fit(frame).sample(6000, seed=1)
    kept = (drawn["town"].cast(pl.Int64) // 50 == drawn["region"].cast(pl.Int64)).mean()
    assert kept > 0.85


def test_numbers_on_a_grid_are_moved_to_values_of_the_grid_and_pairs_repeat_little_more_than_by_chance() -> None:
    draw = np.random.default_rng(7)

    def table(rows: int) -> pl.DataFrame:
        a = draw.normal(size=rows)
        return pl.DataFrame({"a": a.round(2), "b": (a + draw.normal(0, 0.3, rows)).round(2)})

    frame = table(ROWS)
    drawn = fit(frame).sample(20_000, seed=1)
    own, fresh = set(frame.rows()), set(table(ROWS).rows())
    own, fresh = own - fresh, fresh - own
    rows = drawn.rows()
    hits, chance = (sum(row in rows_of for row in rows) / len(rows_of) for rows_of in (own, fresh))
    assert hits < 1.7 * chance  # 1.5 on average
    assert np.corrcoef(drawn["a"], drawn["b"])[0, 1] > np.corrcoef(frame["a"], frame["b"])[0, 1] - 0.02
    assert (drawn["a"].round(2) == drawn["a"]).mean() > 0.8  # all but those of fewer than five rows
