"""Accuracy: total variation and Cramér's V by hand, references, floors, and what each canary scores."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from synthcli.encoding import CountEncoding
from synthcli.metrics import accuracy
from synthcli.metrics.accuracy import (
    AccuracyBaseline,
    GroupedCodes,
    Panel,
    choose_pairs,
    choose_triples,
    cramers_v,
    divide,
    interval_half_widths,
    jackknife_ses,
    measure_accuracy,
    prepare_accuracy,
    score,
    shuffled,
    total_variation,
)
from synthcli.metrics.estimate import Estimate, jackknife_interval, jackknife_se
from synthcli.schema import Schema

simplex = st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any)
tables = hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.integers(0, 6))
TABLE_METRICS = ["accuracy.univariate", "accuracy.bivariate", "accuracy.trivariate", "accuracy.dependence"]


def measure(
    train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema = MIXED, seed: int = 0
) -> tuple[Estimate, ...]:
    encoding = CountEncoding.fit(train, schema)
    return measure_accuracy(encoding, *(encoding.encode(part) for part in (train, holdout, synthetic)), seed)


def by_name(estimates: tuple[Estimate, ...]) -> dict[str, Estimate]:
    return {estimate.name: estimate for estimate in estimates if not estimate.columns}


def wide(rows: int, names: int, seed: int) -> pl.DataFrame:
    """Return numeric columns that share one cause."""
    rng = np.random.default_rng(seed)
    cause = rng.normal(size=rows)
    return pl.DataFrame({f"c{i}": cause + rng.normal(size=rows) for i in range(names)})


def numeric(names: int) -> Schema:
    return columns(**{f"c{i}": "numeric" for i in range(names)})


def test_total_variation_by_hand() -> None:
    assert total_variation(np.array([0.5, 0.5, 0]), np.array([0.25, 0.25, 0.5])) == 0.5


@given(simplex, simplex, simplex)
def test_total_variation_is_a_distance_between_0_and_1(a: list, b: list, c: list) -> None:
    p, q, r = (np.array(counts) / sum(counts) for counts in (a, b, c))
    assert total_variation(p, p) == 0
    assert total_variation(p, q) == total_variation(q, p) <= 1 + 1e-12
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r) + 1e-12


def test_two_columns_by_hand() -> None:
    # Training: a and b always agree. Synthetic: they always differ. Each column by itself is right.
    schema = columns(a="categorical", b="categorical")
    train = pl.DataFrame({"a": ["x", "y"] * 20, "b": ["x", "y"] * 20})
    flipped = pl.DataFrame({"a": ["x", "y"] * 20, "b": ["y", "x"] * 20})
    found = by_name(measure(train, train, flipped, schema))
    assert found["accuracy.univariate"].value == 1.0
    assert found["accuracy.bivariate"].value == 0.0
    assert found["accuracy.bivariate"].reference == 1.0
    assert found["accuracy.bivariate"].floor == pytest.approx(0.5, abs=0.2)


def test_a_missing_and_an_unseen_value_cost_their_share() -> None:
    schema = columns(a="categorical")
    train = pl.DataFrame({"a": ["x"] * 100})
    odd = pl.DataFrame({"a": ["x"] * 70 + [None] * 20 + ["z"] * 10})
    assert by_name(measure(train, train, odd, schema))["accuracy.univariate"].value == pytest.approx(0.7)


def test_fresh_rows_of_the_same_law_score_like_the_holdout() -> None:
    train, holdout, fresh = mixed_table(8_000, 1), mixed_table(2_000, 2), mixed_table(8_000, 3)
    for estimate in by_name(measure(train, holdout, fresh)).values():
        assert estimate.value == pytest.approx(estimate.reference, abs=4 * estimate.reference_se)
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == 2_000


def test_a_copy_of_training_scores_at_least_the_reference() -> None:
    train, holdout = mixed_table(4_000, 1), mixed_table(1_000, 2)
    found = by_name(measure(train, holdout, train))
    for name in TABLE_METRICS[:3]:
        assert found[name].value >= found[name].reference
    linked = found["accuracy.dependence"]  # V's own error weighs more than the rows that both share
    assert linked.value >= linked.reference - linked.reference_se


def test_shuffled_columns_score_the_floor_for_pairs_and_the_reference_for_columns() -> None:
    train, holdout = mixed_table(8_000, 1), mixed_table(2_000, 2)
    rng = np.random.default_rng(4)
    broken = train.select(pl.col(name).gather(rng.permutation(train.height)) for name in train.columns)
    found = by_name(measure(train, holdout, broken))
    pairs = found["accuracy.bivariate"]
    assert pairs.value == pytest.approx(pairs.floor, abs=0.01)
    assert pairs.reference - pairs.floor > 0.03
    assert found["accuracy.univariate"].value > found["accuracy.univariate"].reference - 0.01


def test_the_interval_covers_repeated_draws() -> None:
    # The standard error from one audit against the spread over independent audits of the same law.
    values, lows, highs = [], [], []
    for seed in range(30):
        parts = [mixed_table(1_000, 100 * seed + side) for side in range(3)]
        pairs = by_name(measure(*parts))["accuracy.bivariate"]
        values.append(pairs.value), lows.append(pairs.low), highs.append(pairs.high)
    centre = np.mean(values)
    assert np.mean([low <= centre <= high for low, high in zip(lows, highs, strict=True)]) >= 0.8
    assert np.mean(np.array(highs) - lows) < 10 * np.std(values)


def test_a_perfect_set_lies_in_the_interval_around_the_reference() -> None:
    # The difference of value and reference has both their errors; both are draws of one law.
    inside: dict[str, list[bool]] = {name: [] for name in TABLE_METRICS}
    for seed in range(40):
        parts = [mixed_table(rows, 100 * seed + side) for side, rows in enumerate((800, 200, 800))]
        for name, found in by_name(measure(*parts, seed=seed)).items():
            half = np.hypot(found.high - found.value, 1.96 * found.reference_se)
            inside[name].append(abs(found.value - found.reference) <= half)
    assert {name: np.mean(hits) >= 0.93 for name, hits in inside.items()} == dict.fromkeys(TABLE_METRICS, True)


def test_the_table_comes_first_and_the_worst_columns_and_pairs_lead_theirs() -> None:
    train, holdout = mixed_table(4_000, 1), mixed_table(1_000, 2)
    broken = mixed_table(4_000, 3).with_columns(pl.lit("Rom").alias("city"))
    found = measure(train, holdout, broken)
    assert [estimate.name for estimate in found[:4]] == TABLE_METRICS
    assert [estimate.columns for estimate in found[:4]] == [()] * 4
    columns_of = {name: [e for e in found[4:] if e.name == name] for name in TABLE_METRICS}
    assert {name: len(members) for name, members in columns_of.items()} == dict(
        zip(TABLE_METRICS, (4, 6, 0, 6), strict=True)
    )
    assert columns_of["accuracy.univariate"][0].columns == ("city",)
    assert "city" in columns_of["accuracy.bivariate"][0].columns
    for members in columns_of.values():
        gaps = [e.value - e.reference for e in members]
        assert gaps == sorted(gaps)


def test_the_floor_is_0_for_columns_and_above_it_for_the_rest() -> None:
    for estimate in measure(mixed_table(500, 1), mixed_table(200, 2), mixed_table(500, 3)):
        assert (estimate.floor == 0) == (estimate.name == "accuracy.univariate")
        assert estimate.gap_se == estimate.reference_se or estimate.floor


def test_the_table_scores_the_mean_of_its_columns_and_pairs() -> None:
    found = measure(mixed_table(500, 1), mixed_table(200, 2), mixed_table(500, 3))
    for name in ("accuracy.univariate", "accuracy.bivariate", "accuracy.dependence"):
        members = [e for e in found if e.name == name and e.columns]
        for field in ("value", "reference", "floor"):
            mean = np.mean([getattr(e, field) for e in members])
            assert getattr(by_name(found)[name], field) == pytest.approx(mean, abs=1e-12)


def test_one_column_has_no_pairs_to_measure() -> None:
    table = pl.DataFrame({"a": ["x", "y"] * 10})
    found = by_name(measure(table, table, table, columns(a="categorical")))
    assert found["accuracy.univariate"].value == 1.0
    assert [found[name].status for name in TABLE_METRICS[1:]] == ["not_measured"] * 3


def test_one_synthetic_row_is_measured_without_claiming_certainty() -> None:
    train, holdout = mixed_table(100, 1), mixed_table(20, 2)
    for estimate in measure(train, holdout, train[:1]):
        assert (estimate.low, estimate.high) == (0.0, 1.0)


def test_blocks_use_every_row_of_whole_blocks_once() -> None:
    codes = np.arange(10, dtype=np.uint8)[None, :]
    side = divide(codes, 4, np.random.default_rng(0), groups=2)
    assert side.blocks == 2
    assert len(set(side.codes[0].tolist())) == 8
    assert np.bincount(side.group).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("rows", [600, 100_000])
@pytest.mark.parametrize("number", [7, 5_000])
def test_counts_by_block_group_and_cell_equal_adding_up(rows: int, number: int) -> None:
    rng = np.random.default_rng(rows)
    cells = rng.integers(0, number, rows)
    side = divide(cells[None].astype(np.uint16), rows // 20, rng, groups=20)
    expected = np.zeros((side.blocks, 20, number), dtype=int)
    np.add.at(expected.reshape(-1, number), (side.group, side.codes[0]), 1)
    assert side.blocks == 20
    assert np.array_equal(side.count(side.codes[0], number), expected)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_shuffling_keeps_each_column(values: list[int]) -> None:
    codes = np.array([values, values[::-1]], dtype=np.uint8)
    mixed = shuffled(codes, 2 * len(values), np.random.default_rng(1))
    assert (np.sort(mixed, axis=1) == np.sort(np.hstack([codes, codes]), axis=1)).all()


def test_three_columns_by_hand() -> None:
    # Training: c tells whether a and b differ. Synthetic: whether they agree. Each pair by itself is right.
    schema = columns(a="categorical", b="categorical", c="categorical")
    cells = {"a": list("xxyy") * 10, "b": list("xyxy") * 10}
    train = pl.DataFrame({**cells, "c": list("xyyx") * 10})
    turned = pl.DataFrame({**cells, "c": list("yxxy") * 10})
    half = pl.DataFrame({**cells, "c": list("xyyy") * 10})
    found = by_name(measure(train, train, turned, schema))
    assert [found[name].value for name in TABLE_METRICS] == [1.0, 1.0, 0.0, 1.0]
    assert found["accuracy.trivariate"].reference == 1.0
    assert by_name(measure(train, train, half, schema))["accuracy.trivariate"].value == 0.75


def test_cramers_v_of_two_by_two_by_hand() -> None:
    # φ² = ((30·30 - 10·10)/(40·40))² = 1/4, n = 80: V² = (1/4 - 1/79)/(1 - 1/79) = 18.75/78.
    assert cramers_v(np.array([[30, 10], [10, 30]])) == pytest.approx(np.sqrt(18.75 / 78), abs=1e-12)


def test_cramers_v_of_two_by_three_by_hand() -> None:
    # Row sums 20, 20; column sums 10, 10, 20; expected 5, 5, 10 a row: χ² = 4 · 3²/5 = 7.2, n = 40, φ² = .18.
    # (r - 1)(c - 1)/(n - 1) = 2/39; the smaller of r̃ - 1 = 1 - 1/39 and c̃ - 1 = 2 - 4/39 is the former.
    counts = np.array([[8, 2, 10], [2, 8, 10]])
    assert cramers_v(counts) == pytest.approx(np.sqrt((0.18 - 2 / 39) / (1 - 1 / 39)), abs=1e-12)


def test_cramers_v_is_0_for_independent_and_1_for_identical_columns() -> None:
    assert cramers_v(np.array([[10, 20, 5], [20, 40, 10]])) == 0.0
    assert cramers_v(np.diag([5, 9, 30])) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("counts", [[[7, 3]], [[7], [3]], [[0, 0], [0, 0]], [[1, 0], [0, 0]], np.eye(4, dtype=int)])
def test_cramers_v_is_0_where_it_is_undefined(counts: list) -> None:
    assert cramers_v(np.array(counts)) == 0.0


@given(tables)
def test_cramers_v_lies_in_0_to_1_and_knows_neither_order_nor_empty_codes(counts: np.ndarray) -> None:
    value = cramers_v(counts)
    assert 0 <= value <= 1
    assert cramers_v(counts.T) == pytest.approx(value, abs=1e-7)
    assert cramers_v(counts[::-1]) == pytest.approx(value, abs=1e-7)
    assert cramers_v(np.pad(counts, 1)) == pytest.approx(value, abs=1e-7)


def test_the_correction_takes_the_bias_of_many_cells_away() -> None:
    rng = np.random.default_rng(0)
    found = cramers_v(rng.multinomial(100, np.full(64, 1 / 64), size=400).reshape(400, 8, 8))
    assert found.mean() < 0.1  # without the correction √(49/99/7) = .27 is expected
    assert (found == 0).mean() > 0.4


def test_dependence_that_was_lost_and_that_was_invented_by_hand() -> None:
    schema = columns(a="categorical", b="categorical")
    tied = pl.DataFrame({"a": ["x", "y"] * 200, "b": ["x", "y"] * 200})
    free = pl.DataFrame({"a": list("xxyy") * 100, "b": list("xyxy") * 100})
    lost = by_name(measure(tied, tied, free, schema))["accuracy.dependence"]
    assert lost.value == pytest.approx(0.0, abs=1e-9)
    assert lost.reference == pytest.approx(1.0, abs=1e-9)
    assert lost.floor < 0.1
    invented = measure(free, free, tied, schema)
    assert by_name(invented)["accuracy.dependence"].value == pytest.approx(0.0, abs=1e-9)
    assert by_name(invented)["accuracy.dependence"].floor > 0.9
    assert [e.detail for e in invented if e.columns and e.name == "accuracy.dependence"] == [
        "Cramér's V 1.000, 0.000 in the training part"
    ]


def test_invented_dependence_scores_below_the_floor() -> None:
    # In the training part the city goes with nothing; here it tells whether a row is late.
    train, holdout = mixed_table(4_000, 1), mixed_table(1_000, 2)
    city = pl.when(pl.col("late")).then(pl.lit("Rom")).otherwise(pl.lit("Oslo")).alias("city")
    found = by_name(measure(train, holdout, mixed_table(4_000, 3).with_columns(city)))["accuracy.dependence"]
    assert found.value < found.floor < found.reference


def naive(train: np.ndarray, rival: np.ndarray, cardinality: int) -> float:
    """Return 1 - TVD on the whole grid of ``train``'s columns, without any short cut."""
    shares = []
    for codes in (train, rival):
        grid = np.zeros((cardinality,) * len(codes))
        np.add.at(grid, tuple(codes), 1)
        shares.append(grid.ravel() / codes.shape[1])
    return 1 - float(total_variation(*shares))


class Grid:
    """Stands in for a fitted encoding: columns of codes, six each."""

    def __init__(self, names: int) -> None:
        self.names = tuple(f"c{i}" for i in range(names))
        self.cardinalities = (6,) * names


code_tables = hnp.arrays(np.uint8, (4, 12), elements=st.integers(0, 5))


@settings(max_examples=20, deadline=None)
@given(code_tables, code_tables)
def test_every_overlap_is_what_counting_the_whole_grid_gives(train: np.ndarray, rival: np.ndarray) -> None:
    # Leaving out what the training part lacks, scaling to whole numbers and sharing of work must not change a score.
    found = measure_accuracy(Grid(4), train, rival, rival, 0)
    assert found[2].value == pytest.approx(
        np.mean([naive(train[list(t)], rival[list(t)], 6) for t in choose_triples(4, 4, np.random.default_rng(0))])
    )
    for estimate in found[4:14]:
        chosen = [int(name[1:]) for name in estimate.columns]
        assert estimate.value == pytest.approx(naive(train[chosen], rival[chosen], 6))
        assert estimate.reference == pytest.approx(estimate.value)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_leaving_a_group_out_is_measuring_without_its_rows(order: int) -> None:
    rng = np.random.default_rng(order)
    train, rival = rng.integers(0, 4, (3, 90)).astype(np.uint8), rng.integers(0, 4, (3, 95)).astype(np.uint8)
    sides = [divide(train, 90, rng, 5), divide(rival, 30, rng, 5)]
    subset = tuple(range(order))
    whole = score(Panel.of(sides[0], (4,) * 3, (subset,)), sides[1:])[0]
    for out in range(5):
        kept = [side.group % 5 != out for side in sides]
        parts = [
            GroupedCodes(side.codes[:, rows], side.group[rows] // 5, side.blocks, 1)
            for side, rows in zip(sides, kept, strict=True)
        ]
        again = score(Panel.of(parts[0], (4,) * 3, (subset,)), parts[1:])[0]
        assert whole.overlap[0, 1 + out] == pytest.approx(again.overlap[0, 0], abs=1e-12)
        if order == 2:
            assert whole.dependence[0, 1 + out] == pytest.approx(again.dependence[0, 0], abs=1e-12)


@given(hnp.arrays(np.float64, (3, 7), elements=st.floats(0, 1)))
def test_errors_of_many_rows_are_those_of_each(left_out: np.ndarray) -> None:
    assert jackknife_ses(left_out) == pytest.approx([jackknife_se(row) for row in left_out], abs=1e-12)
    halves = [jackknife_interval(0.0, row, (-9.0, 9.0)).high for row in left_out]
    assert interval_half_widths(left_out) == pytest.approx(halves, abs=1e-12)


def baseline(train: pl.DataFrame, holdout: pl.DataFrame, size: int) -> tuple[CountEncoding, AccuracyBaseline]:
    encoding = CountEncoding.fit(train, MIXED)
    return encoding, prepare_accuracy(encoding, encoding.encode(train), encoding.encode(holdout), size, 5)


def test_a_baseline_measures_many_tables_as_each_alone_is_measured() -> None:
    train, holdout = mixed_table(500, 1), mixed_table(300, 2)
    encoding, prepared = baseline(train, holdout, 200)
    for synthetic in (mixed_table(200, 3), mixed_table(200, 4), mixed_table(200, 3)):
        assert prepared.measure(encoding.encode(synthetic)) == measure(train, holdout, synthetic, seed=5)


def test_training_counts_that_are_not_kept_are_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [mixed_table(300, side) for side in range(3)]
    kept = measure(*parts)
    monkeypatch.setattr(accuracy, "KEPT_BYTES", 30_000)
    assert measure(*parts) == kept


def test_a_baseline_refuses_tables_that_are_too_small() -> None:
    train, holdout = mixed_table(500, 1), mixed_table(300, 2)
    encoding, prepared = baseline(train, holdout, 200)
    with pytest.raises(ValueError, match="200 rows"):
        prepared.measure(encoding.encode(holdout[:199]))
    with pytest.raises(ValueError, match="holdout's rows"):
        baseline(train, holdout, 301)


def test_triples_can_be_left_out() -> None:
    train, holdout = mixed_table(500, 1), mixed_table(300, 2)
    encoding = CountEncoding.fit(train, MIXED)
    codes = [encoding.encode(part) for part in (train, holdout, holdout)]
    without = measure_accuracy(encoding, *codes, 3, trivariate=False)
    assert without == tuple(e for e in measure_accuracy(encoding, *codes, 3) if e.name != "accuracy.trivariate")


@given(st.integers(3, 8), st.integers(1, 60), st.integers(0, 9))
def test_drawn_triples_are_different_and_ordered(names: int, limit: int, seed: int) -> None:
    drawn = choose_triples(names, limit, np.random.default_rng(seed))
    assert len(set(drawn)) == len(drawn) == min(limit, names * (names - 1) * (names - 2) // 6)
    assert list(drawn) == sorted(drawn)
    assert all(0 <= a < b < c < names for a, b, c in drawn)


def test_ten_thousand_triples_are_drawn_of_56_columns_and_use_them_evenly() -> None:
    drawn = choose_triples(56, 10_000, np.random.default_rng(0))
    assert len(set(drawn)) == 10_000
    uses = np.bincount(np.array(drawn).ravel(), minlength=56)
    assert uses.min() > 450  # 30,000/56 = 536 are expected, with a standard deviation of 18
    assert uses.max() < 620


def test_56_columns_say_how_many_triples_were_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "MAX_TRIPLES", 100)
    monkeypatch.setattr(accuracy, "SHUFFLED_ROWS", 200)
    found = measure(*(wide(rows, 56, rows) for rows in (300, 200, 301)), numeric(56))
    assert len(found) == 4 + 56 + 2 * 1540
    triples = by_name(found)["accuracy.trivariate"]
    assert triples.detail == "1 - TVD, mean over 100 triples drawn from 27,720, 200 rows a side"
    assert triples.floor < triples.reference < 1


def test_two_columns_have_no_triple() -> None:
    found = by_name(measure(*(wide(100, 2, side) for side in range(3)), numeric(2)))
    assert [found[name].status for name in TABLE_METRICS] == ["measured", "measured", "not_measured", "measured"]


def test_constant_columns_are_right_and_show_no_dependence() -> None:
    schema = columns(a="categorical", b="numeric", c="categorical", d="boolean")
    table = pl.DataFrame(
        {"a": ["x"] * 60, "b": [1.5] * 60, "c": [None] * 60, "d": [True] * 60},
        schema={"a": pl.String, "b": pl.Float64, "c": pl.String, "d": pl.Boolean},
    )
    for estimate in measure(table, table, table, schema):
        assert (estimate.value, estimate.low, estimate.high) == (1.0, 1.0, 1.0)
        assert (estimate.reference, estimate.reference_se) == (1.0, 0.0)
    linked = [e.detail for e in measure(table, table, table, schema) if e.name == "accuracy.dependence" and e.columns]
    assert linked == ["Cramér's V 0.000, 0.000 in the training part"] * 6


@pytest.mark.parametrize("rows", [(0, 5, 5), (5, 0, 5), (5, 5, 0)])
def test_a_table_without_rows_is_not_measured(rows: tuple[int, int, int]) -> None:
    found = measure(*(mixed_table(5, 1)[:n] for n in rows))
    assert [(e.name, e.status) for e in found] == [(name, "not_measured") for name in TABLE_METRICS]


def test_a_table_without_columns_is_not_measured() -> None:
    codes = np.empty((0, 30), dtype=np.uint8)
    found = measure_accuracy(Grid(0), codes, codes, codes, 0)
    assert [(e.name, e.status) for e in found] == [(name, "not_measured") for name in TABLE_METRICS]


@pytest.mark.parametrize("rows", [(1, 1, 1), (1, 50, 50), (50, 3, 400), (3, 400, 50)])
def test_tiny_tables_are_measured(rows: tuple[int, int, int]) -> None:
    for estimate in measure(*(mixed_table(n, n) for n in rows)):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_the_seed_decides_everything() -> None:
    parts = [mixed_table(n, n) for n in (200, 100, 250)]
    assert measure(*parts, seed=1) == measure(*parts, seed=1)
    assert measure(*parts, seed=1) != measure(*parts, seed=2)


@given(st.integers(2, 9), st.integers(1, 40), st.integers(0, 9))
def test_drawn_pairs_are_different_and_ordered(names: int, limit: int, seed: int) -> None:
    drawn = choose_pairs(names, limit, np.random.default_rng(seed))
    assert len(set(drawn)) == len(drawn) == min(limit, names * (names - 1) // 2)
    assert list(drawn) == sorted(drawn)
    assert all(0 <= a < b < names for a, b in drawn)


def test_ten_thousand_pairs_are_drawn_of_300_columns_and_use_them_evenly() -> None:
    drawn = choose_pairs(300, accuracy.MAX_PAIRS, np.random.default_rng(0))
    assert len(set(drawn)) == 10_000
    uses = np.bincount(np.array(drawn).ravel(), minlength=300)
    assert uses.min() > 40  # 20,000/300 = 67 are expected, with a standard deviation of 7
    assert uses.max() < 95


def test_all_pairs_are_measured_up_to_141_columns() -> None:
    assert len(choose_pairs(141, accuracy.MAX_PAIRS, np.random.default_rng(0))) == 141 * 140 // 2
    assert len(choose_pairs(142, accuracy.MAX_PAIRS, np.random.default_rng(0))) == 10_000 < 142 * 141 // 2


def test_drawn_pairs_score_as_they_do_among_all_and_the_table_says_from_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    train, holdout, synthetic = (rng.integers(0, 6, (7, rows)).astype(np.uint8) for rows in (90, 60, 80))
    every = {
        e.columns: e for e in measure_accuracy(Grid(7), train, holdout, synthetic, 0) if e.name.endswith("variate")
    }
    monkeypatch.setattr(accuracy, "MAX_PAIRS", 5)
    found = [e for e in measure_accuracy(Grid(7), train, holdout, synthetic, 0) if e.name == "accuracy.bivariate"]
    table, *pairs = found
    assert len(pairs) == 5
    assert all(pair == every[pair.columns] for pair in pairs)
    assert table.value == pytest.approx(np.mean([pair.value for pair in pairs]), abs=1e-12)
    assert "mean over 5 pairs drawn from 21," in table.detail


def test_audits_with_other_seeds_draw_the_same_pairs_so_that_they_can_be_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    train, rival = (rng.integers(0, 6, (7, rows)).astype(np.uint8) for rows in (90, 60))
    monkeypatch.setattr(accuracy, "MAX_PAIRS", 5)
    one, other = (
        {e.columns for e in measure_accuracy(Grid(7), train, rival, rival, seed) if len(e.columns) == 2}
        for seed in (1, 2)
    )
    assert one == other
    assert len(one) == 5


@pytest.mark.parametrize("shape", [(30, 40), (90, 400)])
def test_products_too_large_for_small_integers_are_scored_alike(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(4)
    train, rival = (rng.integers(0, 6, (4, rows)).astype(np.uint8) for rows in shape)
    small = measure_accuracy(Grid(4), train, rival, rival, 0)
    monkeypatch.setattr(accuracy, "_holding", lambda most: np.float64)
    assert measure_accuracy(Grid(4), train, rival, rival, 0) == small


def test_small_integers_are_used_as_long_as_they_hold_every_sum() -> None:
    assert accuracy._holding(2.0**31 - 1) is np.int32
    assert accuracy._holding(2.0**31) is np.float64
