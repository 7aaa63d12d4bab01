"""SDMetrics' score: equal to the library's own on real and on odd tables, by hand, and with an honest error."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import polars as pl
import pytest
from examples import ROOT, columns, real_table
from hypothesis import given
from hypothesis import strategies as st

from synthcli.metrics.compat import PAIR_TRENDS, QUALITY, SHAPES, cramers_v, measure_compat
from synthcli.metrics.estimate import Estimate
from synthcli.schema import Column, Kind, Schema

READ_ARGUMENTS = {"null_values": ["NA", ""], "try_parse_dates": True}


def schema_of(frame: pl.DataFrame) -> Schema:
    def kind(dtype: pl.DataType) -> Kind:
        if dtype == pl.Boolean:
            return Kind.BOOLEAN
        if dtype.is_temporal():
            return Kind.DATETIME
        return Kind.NUMERIC if dtype.is_numeric() else Kind.CATEGORICAL

    return Schema(tuple(Column(name, kind(dtype), str(dtype)) for name, dtype in frame.schema.items()))


def measure(train: pl.DataFrame, synthetic: pl.DataFrame, holdout: pl.DataFrame | None = None) -> tuple[Estimate, ...]:
    return measure_compat(train, train.head(0) if holdout is None else holdout, synthetic, schema_of(train))


def by_columns(found: tuple[Estimate, ...]) -> dict[tuple[str, tuple[str, ...]], float | None]:
    return {(estimate.name, estimate.columns): estimate.value for estimate in found}


def sdmetrics(real: pl.DataFrame, synthetic: pl.DataFrame) -> dict[tuple[str, tuple[str, ...]], float | None]:
    """Return what SDMetrics' own report says, in the form of :func:`by_columns`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sdmetrics.reports.single_table import QualityReport

        types = {Kind.NUMERIC: "numerical", Kind.BOOLEAN: "boolean", Kind.DATETIME: "datetime"}
        schema = schema_of(real)
        metadata = {"columns": {column.name: {"sdtype": types.get(column.kind, "categorical")} for column in schema}}
        report = QualityReport()
        report.generate(real.to_pandas(), synthetic.to_pandas(), metadata, verbose=False)
    scores = report.get_properties().set_index("Property")["Score"]
    found = {(QUALITY, ()): report.get_score(), (SHAPES, ()): scores["Column Shapes"]}
    found[PAIR_TRENDS, ()] = scores["Column Pair Trends"]
    for row in report.get_details("Column Shapes").to_dict("records"):
        found[SHAPES, (row["Column"],)] = row["Score"]
    for row in report.get_details("Column Pair Trends").to_dict("records"):
        found[PAIR_TRENDS, (row["Column 1"], row["Column 2"])] = row["Score"]
    return {key: None if np.isnan(value) else float(value) for key, value in found.items()}


def assert_equal(real: pl.DataFrame, synthetic: pl.DataFrame) -> None:
    theirs, ours = sdmetrics(real, synthetic), by_columns(measure(real, synthetic))
    assert theirs.keys() == ours.keys()
    assert {key for key, value in theirs.items() if value is None} == {key for key in ours if ours[key] is None}
    for key, value in theirs.items():
        assert ours[key] == pytest.approx(value, abs=1e-6), key


def holed(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    empty = [pl.Series(rng.random(frame.height) < 0.08) for _ in frame.columns]
    return frame.with_columns(
        pl.when(gap).then(None).otherwise(pl.col(name)).alias(name)
        for name, gap in zip(frame.columns, empty, strict=True)
    )


def perturbed(frame: pl.DataFrame) -> pl.DataFrame:
    """Shuffle every third column by itself."""
    return frame.with_columns(pl.col(name).shuffle(seed=1) for name in frame.columns[::3])


def odd_table(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    start = dt.datetime(2020, 1, 1)
    hours = pl.Series([start + dt.timedelta(hours=int(300 * v)) for v in x])
    return pl.DataFrame(
        {
            "x": x,
            "y": 2 * x + rng.normal(size=rows),
            "single": pl.Series(x + 0.1 * rng.normal(size=rows), dtype=pl.Float32),
            "small": pl.Series((20 * x).clip(-100, 100).astype(int), dtype=pl.Int8),
            "tiny": 1e-10 * x,
            "constant": np.ones(rows),
            "no_number": pl.Series([None] * rows, dtype=pl.Float64),
            "no_text": pl.Series([None] * rows, dtype=pl.String),
            "flag": x > 0,
            "level": np.where(x > 0.5, "high", "low"),
            "every_other": [f"{seed}-{i}" for i in range(rows)],
            "one": ["k"] * rows,
            "day": hours.dt.date(),
            "nano": hours.cast(pl.Datetime("ns")),
            "zone": hours.dt.replace_time_zone("Europe/Berlin", ambiguous="earliest", non_existent="null"),
        }
    )


@pytest.mark.parametrize("holes", [False, True])
def test_flights_score_what_sdmetrics_says(holes: bool) -> None:
    table = pl.read_csv(ROOT / "sample_data" / "flights.csv", **READ_ARGUMENTS, schema_overrides={"late": pl.Boolean})
    real, synthetic = table.sample(800, seed=1), perturbed(table.sample(600, seed=2))
    assert_equal(*((holed(real, 1), holed(synthetic, 2)) if holes else (real, synthetic)))


def test_census_scores_what_sdmetrics_says() -> None:
    table = pl.read_csv(real_table("census.csv.gz"))
    real, synthetic = holed(table.sample(3_000, seed=1), 1), perturbed(table.sample(2_000, seed=2))
    found = by_columns(measure(real, synthetic))
    assert sum(value is not None for (name, names), value in found.items() if name == PAIR_TRENDS and names) > 4
    assert_equal(real, synthetic)


@pytest.mark.parametrize("case", ["plain", "holes", "collapsed", "infinite", "infinite train", "huge", "three rows"])
def test_odd_columns_score_what_sdmetrics_says(case: str) -> None:
    real, synthetic = odd_table(300, 1), odd_table(200, 2)
    far = pl.when(pl.col("x") > 1).then(float("inf")).otherwise(pl.col("x")).alias("x")
    real, synthetic = {
        "plain": (real, synthetic),
        "holes": (holed(real, 1), holed(synthetic, 2)),
        "collapsed": (real, synthetic.with_columns(pl.lit(3.0).alias("y"), pl.lit("low").alias("level"))),
        "infinite": (real, synthetic.with_columns(far)),
        "infinite train": (real.with_columns(far), synthetic),
        "huge": (real.with_columns(pl.col("x") * 1e200, pl.col("y") * 1e-200), synthetic),
        "three rows": (real.head(3), synthetic.head(2)),
    }[case]
    assert_equal(real, synthetic)


def test_scores_by_hand() -> None:
    real = pl.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "s": ["a", "a", "b", "b"]})
    synthetic = pl.DataFrame({"n": [3.0, 4.0, 5.0, 6.0], "s": ["a", "b", "b", "b"]})
    found = by_columns(measure(real, synthetic))
    # Below 3 lie a half of the real numbers and none of the synthetic ones; a quarter of the rows change letter.
    assert found[SHAPES, ("n",)] == 0.5
    assert found[SHAPES, ("s",)] == 0.75
    # Each table has its numbers in four bins of its own range, in the same order: (1, a) (2, a) (3, b) (4, b) against
    # (1, a) (2, b) (3, b) (4, b) differ in one row of four.
    assert found[PAIR_TRENDS, ("n", "s")] == 0.75
    assert found[QUALITY, ()] == (0.625 + 0.75) / 2


def test_correlations_by_hand() -> None:
    up, down = {"a": [0.0, 1.0, 2.0], "b": [0.0, 1.0, 2.0]}, {"a": [0.0, 1.0, 2.0], "b": [2.0, 1.0, 0.0]}
    flat = {"a": [0.0, 1.0, 2.0], "b": [0.0, 1.0, 0.0]}
    score = {
        name: by_columns(measure(pl.DataFrame(up), pl.DataFrame(other)))[PAIR_TRENDS, ()]
        for name, other in {"up": up, "down": down, "flat": flat}.items()
    }
    assert score == {"up": pytest.approx(1), "down": pytest.approx(0), "flat": pytest.approx(0.5)}
    assert by_columns(measure(pl.DataFrame(flat), pl.DataFrame(up)))[PAIR_TRENDS, ()] is None


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=4))
def test_cramers_v_agrees_with_scipy(table: list[list[int]]) -> None:
    from scipy.stats.contingency import association

    counts = np.array(table)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    rows, places = np.nonzero(counts)
    found = cramers_v(counts[rows, places], rows, places)
    if min(counts.shape) < 2:
        assert found is None
    else:
        assert found == pytest.approx(association(counts, method="cramer"), abs=1e-7)


def test_a_pair_table_too_large_to_lay_out_scores_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = holed(odd_table(300, 1), 1), holed(odd_table(200, 2), 2)
    laid_out = measure(real, synthetic, holed(odd_table(100, 3), 3))
    monkeypatch.setattr("synthcli.metrics.compat.DENSE_CELLS", -1_000)
    sparse = measure(real.head(20), synthetic, holed(odd_table(100, 3), 3))
    monkeypatch.undo()
    dense = measure(real.head(20), synthetic, holed(odd_table(100, 3), 3))
    assert laid_out[0].value is not None
    for one, other in zip(sparse, dense, strict=True):
        assert (one.value, one.low, one.reference_se) == pytest.approx((other.value, other.low, other.reference_se))


def test_a_copy_scores_one_and_shuffled_columns_lose_their_trends() -> None:
    real = odd_table(2_000, 1).select("x", "y", "flag", "level")
    copy = measure(real, real)
    shuffled = measure(real, real.select(pl.col(name).shuffle(seed=i) for i, name in enumerate(real.columns)))
    assert [estimate.value for estimate in copy] == pytest.approx([1.0] * len(copy))
    assert shuffled[1].value == pytest.approx(1.0)
    assert shuffled[2].high < 0.8


def test_the_reference_is_the_holdout_in_the_place_of_the_synthetic_rows() -> None:
    real, holdout, synthetic = (odd_table(rows, rows) for rows in (500, 200, 300))
    found, swapped = measure(real, synthetic, holdout), measure(real, holdout)
    for one, other in zip(found, swapped, strict=True):
        if one.status == "measured":
            assert one.reference == pytest.approx(other.value)
            assert one.n == 300
            assert one.low <= one.value <= one.high


def test_a_larger_holdout_is_cut_to_the_synthetic_rows() -> None:
    real, holdout, synthetic = (odd_table(rows, rows) for rows in (300, 400, 100))
    assert "100 rows" in (measure(real, synthetic, holdout)[0].reference_kind or "")


def test_the_interval_holds_the_spread_over_repeated_samples() -> None:
    def sample(seed: int, shift: float) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        x, flag = rng.normal(shift, 1, 400), rng.random(400) < 0.5 + shift / 4
        return pl.DataFrame(
            {
                "x": x,
                "y": (1 - shift / 2) * x + rng.normal(size=400),
                "flag": flag,
                "level": np.where(flag, "a", rng.choice(["a", "b"], 400)),
            }
        )

    runs = [measure(sample(seed, 0.0), sample(1_000 + seed, 0.6)) for seed in range(150)]
    measured = [number for number, estimate in enumerate(runs[0]) if estimate.status == "measured"]
    assert len(measured) == 3 + 4 + 2
    for number in measured:
        values = [run[number].value for run in runs]
        errors = [(run[number].high - run[number].low) / 3.92 for run in runs]
        assert np.std(values) == pytest.approx(np.mean(errors), rel=0.2), runs[0][number]


def test_ids_and_text_are_left_out() -> None:
    frame = pl.DataFrame({"key": ["a", "b", "c"], "size": [1.0, 2.0, 3.0]})
    found = measure_compat(frame, frame, frame, columns(key="id", size="numeric"))
    assert {estimate.columns for estimate in found} == {(), ("size",)}


def test_a_code_that_we_take_for_a_category_is_a_number_all_the_same() -> None:
    schema = Schema((Column("grade", Kind.CATEGORICAL, "Int64"),))
    one, other = pl.DataFrame({"grade": [1, 2, 3, 4]}), pl.DataFrame({"grade": [1, 1, 3, 3]})
    assert measure_compat(one, one, other, schema)[1].value == 0.75  # 1 - TVD would be .5


@pytest.mark.parametrize("rows", [0, 1])
def test_tables_without_rows_or_trends_say_why(rows: int) -> None:
    frame = odd_table(50, 1)
    found = measure(frame, frame.head(rows))
    assert found[0].status == ("measured" if rows else "not_measured")
    assert all(estimate.detail for estimate in found)


def test_a_table_of_keys_is_not_measured() -> None:
    frame = pl.DataFrame({"key": ["a", "b"]})
    found = measure_compat(frame, frame, frame, columns(key="id"))
    assert [estimate.status for estimate in found] == ["not_measured"] * 3
