"""Distances: shares and quantiles by hand, calibrated under innocence, and loud about copies of the training part."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table, real_table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthcli.encoding import DistanceEncoding
from synthcli.metrics.distances import (
    Neighbourhood,
    _distribution,
    closest_weights,
    dcr_share,
    distinct_points,
    even_odds,
    measure_distances,
    quantile_interval,
)
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.neighbors import distance_matrix, nearest
from synthcli.schema import Schema
from synthcli.tables import open_table

DCR, DCR_P05, NNDR_P05, MEMBERSHIP = range(4)
LINE = columns(x="numeric")


def line(*values: float) -> pl.DataFrame:
    return pl.DataFrame({"x": list(values)}, schema={"x": pl.Float64})


def weights(train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, schema: Schema) -> np.ndarray:
    encoding = DistanceEncoding.fit(pl.concat([train, holdout]), schema)
    ours, theirs, queries = (distinct_points(encoding.encode(table)) for table in (train, holdout, synthetic))
    to_ours, to_theirs = nearest(queries.points, ours.points), nearest(queries.points, theirs.points)
    return closest_weights(to_ours, to_theirs, queries.sizes, ours, theirs)


def test_tied_records_share_a_query() -> None:
    # 1 stands once in train; 5 twice in train and once in the holdout: each of the three gets a third of a query.
    found = weights(line(1, 5, 5), line(5, 9), line(1, 5, 5, 9, 9, 9), LINE)
    assert found == pytest.approx([1, 2 / 3, 2 / 3, 2 / 3, 3])


rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=12)


@settings(deadline=None, max_examples=50)
@given(rows, rows, rows)
def test_weights_agree_with_comparing_all_pairs(train: list, holdout: list, synthetic: list) -> None:
    schema = columns(x="numeric", y="categorical")
    tables = [
        pl.DataFrame([(float(x), str(y)) for x, y in part], schema={"x": pl.Float64, "y": pl.String}, orient="row")
        for part in (train, holdout, synthetic)
    ]
    encoding = DistanceEncoding.fit(pl.concat(tables[:2]), schema)
    distances = distance_matrix(encoding.encode(tables[2]), encoding.encode(pl.concat(tables[:2])))
    ties = distances == distances.min(axis=1, keepdims=True)
    assert weights(*tables, schema) == pytest.approx((ties / ties.sum(axis=1, keepdims=True)).sum(axis=0))


def test_the_share_its_odds_and_its_error_by_hand() -> None:
    # 3 training and 1 holdout records with weights 4, 0, 1 | 1: share 5/6 where 3/4 is expected.
    weight = np.array([4.0, 0.0, 1.0, 1.0])
    estimate = dcr_share(weight, 3, np.arange(4), "all 6 synthetic rows", 1)
    assert estimate.value == pytest.approx(5 / (5 + 3))  # odds 5 against 3
    # The label permutations themselves: which 3 of the 4 are training records.
    shares = [weight[list(chosen)].sum() / 6 for chosen in combinations(range(4), 3)]
    assert np.mean(shares) == pytest.approx(3 / 4)
    se = np.std(shares)
    assert estimate.p_value == pytest.approx(stats.norm.sf((5 / 6 - 3 / 4) / se))
    assert estimate.reference_se == pytest.approx(se / (4 * 3 / 16))
    assert estimate.low == pytest.approx(even_odds(5 / 6 - 1.959964 * se, 3 / 4))
    assert estimate.high == 1.0


def test_the_error_by_entity_is_that_of_permuting_entities() -> None:
    # Entities of two records each; train has two of the three.
    weight, entity = np.array([4.0, 3.0, 0.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1, 2, 2])
    shares = [weight[np.isin(entity, chosen)].sum() / 8 for chosen in combinations(range(3), 2)]
    estimate = dcr_share(weight, 4, entity, "all 8 synthetic rows", 1)
    assert estimate.p_value == pytest.approx(stats.norm.sf((1 - np.mean(shares)) / np.std(shares)))


def test_even_odds_map_what_is_expected_to_one_half_and_keep_the_ends() -> None:
    assert [even_odds(share, 0.8) for share in (0.0, 0.8, 1.0)] == pytest.approx([0.0, 0.5, 1.0])


def test_quantiles_are_order_statistics() -> None:
    # 400 values: the 5 % quantile is the 20th; 1.96 sqrt(400 * .05 * .95) = 8.54 ranks to either side, rounded up.
    assert quantile_interval(np.arange(1.0, 401.0), 400) == (12, 29)
    assert quantile_interval(np.arange(1.0, 41.0), 40)[0] == 1  # beyond the first value there is none


def test_quantile_differences_by_hand() -> None:
    # Distances on ranks over 80 pooled rows (unit 160): train at 0, 10, .. 390, holdout 4 above each, synthetic on it.
    train, holdout = line(*range(0, 400, 10)), line(*range(4, 404, 10))
    estimates = measure_distances(train, holdout, train, LINE, 1)
    # Every holdout row lies one rank (2 of 160) from its nearest training row, copies lie at 0.
    assert estimates[DCR_P05].value == pytest.approx(-2 / 160)
    # The second nearest is as far as the nearest; the second distinct is 3 ranks off, or none is nearer at the end.
    assert estimates[NNDR_P05].value == pytest.approx(-1 / 3)
    assert estimates[DCR].value == 1.0
    assert measure_distances(train, holdout, holdout, LINE, 1)[DCR_P05].value == 0.0


def accused(estimates: tuple[Estimate, ...]) -> set[str]:
    return {e.name.removeprefix("privacy.") for e in estimates if e.p_value is not None and e.p_value < 0.001}


def test_copies_of_train_are_accused_and_fresh_rows_are_not() -> None:
    train, holdout, fresh = mixed_table(800, 1), mixed_table(200, 2), mixed_table(800, 3)
    prepared = Neighbourhood.fit(train, holdout, MIXED, 7)
    copy, half = prepared.measure(train), prepared.measure(pl.concat([train[:100], holdout[:100]]))
    assert accused(copy) == {"dcr_share", "membership_auc"}
    assert copy[DCR].low > 0.6
    assert copy[DCR_P05].value <= 0
    assert copy[NNDR_P05].value <= 0
    assert accused(prepared.measure(fresh)) == set()
    # Copies of the holdout lie on the other side of one half: it is known_record_share that sees them.
    assert half[DCR].value < 0.5
    assert prepared.measure(holdout)[DCR].value < 0.2
    assert prepared.measure(holdout)[MEMBERSHIP].value < 0.5


def numeric_table(rows: int, seed: int) -> pl.DataFrame:
    return pl.DataFrame(np.random.default_rng(seed).normal(size=(rows, 3)), schema=["a", "b", "c"])


NUMERIC = columns(a="numeric", b="numeric", c="numeric")


def test_noisy_copies_are_accused_where_no_cell_is_equal() -> None:
    train, holdout = numeric_table(800, 1), numeric_table(200, 2)
    noise = np.random.default_rng(3).normal(0, 0.05, (800, 3))
    noisy = pl.DataFrame(train.to_numpy() + noise, schema=train.schema)
    estimates = measure_distances(train, holdout, noisy, NUMERIC, 7)
    assert accused(estimates) == {"dcr_share", "membership_auc"}
    assert estimates[DCR_P05].high < 0
    assert estimates[NNDR_P05].high < 0


def test_five_percent_of_copies_move_the_share_by_little_as_its_description_says() -> None:
    train, holdout, fresh = numeric_table(800, 1), numeric_table(200, 2), numeric_table(1_000, 3)
    prepared = Neighbourhood.fit(train, holdout, NUMERIC, 7)
    clean = prepared.measure(fresh)[DCR].value
    mixed = prepared.measure(pl.concat([fresh[:950], train[:50]]))[DCR].value
    assert 0 < mixed - clean < 0.05


def test_perfect_tables_are_accused_at_the_tests_level_only() -> None:
    # Synthetic rows share neighbours: with a binomial error z would have a standard deviation of 1.2 to 1.6 here.
    audits = 80
    p_values, covered = np.ones((audits, 2)), np.zeros(2)
    z = np.zeros((audits, 2))
    for audit in range(audits):
        rows = mixed_table(1_000, audit)
        estimates = measure_distances(rows[:400], rows[400:500], rows[500:], MIXED, audit)
        for place, metric in enumerate((DCR, MEMBERSHIP)):
            p_values[audit, place] = estimates[metric].p_value
            z[audit, place] = (estimates[metric].value - 0.5) / estimates[metric].reference_se
        covered += [estimates[m].low <= 0 <= estimates[m].high for m in (DCR_P05, NNDR_P05)]
    for level in (0.05, 0.001):
        assert ((p_values < level).sum(axis=0) <= stats.binom.ppf(0.9999, audits, level)).all()
    assert (abs(z.mean(axis=0)) < 4 / np.sqrt(audits)).all()
    assert 0.75 < z[:, 0].std() < 1.3
    assert (covered >= stats.binom.ppf(0.0001, audits, 0.95)).all()


def test_real_fresh_rows_are_not_accused_and_a_real_copy_is() -> None:
    source = open_table(real_table("census.csv.gz"))
    table = source.read().sample(fraction=1, shuffle=True, seed=3)[:1_400]
    prepared = Neighbourhood.fit(table[:600], table[600:800], source.schema, 5)
    assert accused(prepared.measure(table[800:])) == set()
    assert accused(prepared.measure(table[:600])) == {"dcr_share", "membership_auc"}


def test_rows_of_one_entity_are_one_unit_of_chance() -> None:
    # Every person has 8 equal-looking rows: taken one by one the shares' errors would be far too small.
    def people(number: int, seed: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        centres = np.repeat(rng.normal(size=(number, 3)), 8, axis=0)
        return pl.DataFrame(centres + rng.normal(0, 0.01, centres.shape), schema=["a", "b", "c"])

    audits, z = 60, []
    for audit in range(audits):
        rows = people(150, audit)
        entities = (np.arange(640) // 8, np.arange(160) // 8)
        dcr = measure_distances(rows[:640], rows[640:800], rows[800:], NUMERIC, audit, entities=entities)[DCR]
        z.append((dcr.value - 0.5) / dcr.reference_se)
    assert 0.7 < np.std(z) < 1.35


def test_an_entity_is_one_member_and_stands_on_one_side_of_the_halves() -> None:
    train, holdout = numeric_table(400, 1), numeric_table(200, 2)
    entities = (np.arange(400) // 4, np.arange(200) // 4)
    prepared = Neighbourhood.fit(train, holdout, NUMERIC, 1, entities=entities)
    assert prepared.attack.members == 25  # of 50 entities in the holdout half are reference
    assert prepared.attack.reference == 100
    # No non-member's own person stands in the reference half: its nearest is not of its own four rows.
    points = Neighbourhood.fit(train, holdout, NUMERIC, 1).encoding.encode(holdout)
    outside = prepared.attack.rows[np.arange(25, 50)]
    own = np.argmin(distance_matrix(outside, points), axis=1) // 4
    assert len(set(own.tolist())) == 25


def test_a_seeded_draw_of_queries_says_so_and_repeats() -> None:
    train, holdout, fresh = mixed_table(400, 1), mixed_table(100, 2), mixed_table(400, 3)
    drawn = measure_distances(train, holdout, fresh, MIXED, 4, max_queries=150)
    assert drawn == measure_distances(train, holdout, fresh, MIXED, 4, max_queries=150)
    assert drawn[DCR].n == 150
    assert "a seeded draw of 150 of 400" in drawn[DCR].detail
    assert drawn != measure_distances(train, holdout, fresh, MIXED, 5, max_queries=150)


def test_nothing_is_measured_where_the_sides_are_not_exchangeable_or_too_small() -> None:
    table = mixed_table(100, 1)
    for estimates in (
        measure_distances(table, table, table, MIXED, 1, exchangeable=False),
        measure_distances(table, table[:19], table, MIXED, 1),
        measure_distances(table, table, table[:0], MIXED, 1),
        measure_distances(table, table, table, Schema(()), 1),
        measure_distances(table, table[:40], table, MIXED, 1, entities=(np.arange(100), np.arange(40) // 20)),
    ):
        assert [e.status for e in estimates] == ["not_measured"] * 4
        assert all(e.detail for e in estimates)


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame({"x": [None] * 50, "y": [None] * 50}, schema={"x": pl.Float64, "y": pl.String}),
        pl.DataFrame({"x": [1.0] * 50, "y": ["a"] * 50}),
        pl.DataFrame({"x": [float("nan"), float("inf"), -float("inf"), 0.0, 1.0] * 10, "y": ["a", None] * 25}),
        pl.DataFrame({"x": np.arange(50.0), "y": [str(i) for i in range(50)]}),
    ],
    ids=["all missing", "constant", "not finite", "all different"],
)
def test_odd_tables_give_finite_estimates(table: pl.DataFrame) -> None:
    schema = columns(x="numeric", y="categorical")
    estimates = measure_distances(table, table[:25], table, schema, 1)
    assert [e.status for e in estimates] == ["measured"] * 4


def test_equal_rows_by_the_thousand_take_no_memory() -> None:
    # 3,000 queries tied with 20,000 records each would be 60 million pairs.
    few = pl.DataFrame({"x": np.arange(20_000) % 4 // 1.0, "y": ["a", "b"] * 10_000})
    schema = columns(x="numeric", y="categorical")
    estimates = measure_distances(few[:16_000], few[16_000:], few[:3_000], schema, 1)
    assert estimates[DCR].value == pytest.approx(0.5)
    assert estimates[DCR].p_value > 0.01


def test_the_picture_of_a_distance_shows_its_quantiles() -> None:
    found = _distribution("synthetic", np.arange(1, 201) / 200)
    assert found.x[:2] == (0.01, 0.02)
    assert found.x[-1] == 0.99
    assert found.y == tuple(np.arange(1, 100) / 100)
