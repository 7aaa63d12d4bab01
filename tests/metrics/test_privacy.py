"""Records: counted by eye, calibrated under innocence, and blind to no copy, whole or with one cell changed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table, real_table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthcli.columns import Table
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.privacy import (
    Records,
    chance_of_hits,
    holdout_was_seen,
    known_record_share,
    measure_known_records,
    measure_records,
)
from synthcli.schema import Schema
from synthcli.tables import open_table


def keys(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def test_hits_and_reference_by_hand() -> None:
    # Real: 1, 2 once; 3 twice; 4 three times. Hits: the synthetic 1, 1 and 2, not 3, 4 or 9.
    estimate = known_record_share(keys(1, 2, 3, 3, 4, 4, 4), keys(1, 1, 2, 3, 4, 9))
    assert estimate.value == 3 / 6
    assert estimate.reference == 2 * 1 / 7
    assert estimate.p_value == chance_of_hits(3, 6, 7, 1, 1)


def test_without_triples_the_chance_is_that_of_two_poisson_counts() -> None:
    # f2 = 1 and 3 hits: at least 3 of 4 are hits, each with chance 6/(6 + 3.5).
    assert chance_of_hits(3, 6, 7, 1, 0) == pytest.approx(stats.binom.sf(2, 4, 6 / 9.5))


def test_no_hits_prove_nothing() -> None:
    estimate = known_record_share(keys(1, 2, 3), keys(7, 8))
    assert (estimate.value, estimate.reference, estimate.p_value) == (0.0, 0.0, 1.0)


def test_a_copy_of_either_side_or_of_both_is_caught() -> None:
    train, holdout = mixed_table(2_000, 1), mixed_table(500, 2)
    half = pl.concat([train[:250], holdout[:250]])
    for copy in (train, holdout, half):
        estimate = measure_known_records(train, holdout, copy, MIXED)
        assert estimate.value > 0.5
        assert estimate.p_value < 1e-6


def test_five_percent_copies_among_fresh_rows_are_caught() -> None:
    train, holdout, fresh = mixed_table(4_000, 1), mixed_table(1_000, 2), mixed_table(3_800, 3)
    estimate = measure_known_records(train, holdout, pl.concat([fresh, train[:200]]), MIXED)
    assert estimate.value - estimate.reference > 0.005
    assert estimate.p_value < 0.001


def test_fresh_ids_and_notes_do_not_hide_a_copy() -> None:
    schema = columns(key="id", note="text", x="numeric")
    real = pl.DataFrame({"key": ["1", "2"], "note": ["a", "b"], "x": [1.5, 2.5]})
    copy = pl.DataFrame({"key": ["8", "9"], "note": [None, None], "x": [1.5, 2.5]}, schema=real.schema)
    assert measure_known_records(real, real[:0], copy, schema).value == 1.0


def test_rows_that_were_taken_in_twice_cannot_hide_a_copy() -> None:
    train = mixed_table(1_000, 1)
    estimate = measure_known_records(pl.concat([train, train]), train[:0], train, MIXED)
    assert estimate.status == "not_measured"
    assert "twice" in estimate.detail


def test_a_table_of_few_different_rows_identifies_nobody() -> None:
    estimate = known_record_share(np.arange(5, dtype=np.uint64).repeat(100), np.arange(5, dtype=np.uint64))
    assert (estimate.status, estimate.value) == ("measured", 0.0)


LAWS = {
    "few": np.full(8, 1 / 8),
    "uniform": np.full(2_000, 1 / 2_000),
    "geometric": 0.97 ** np.arange(400) * 0.03 / (1 - 0.97**400),
    "zipf": 1 / np.arange(1, 3_001) / (1 / np.arange(1, 3_001)).sum(),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("fresh_rows", [800, 20_000])
def test_innocent_rows_match_at_the_reference_rate_and_the_test_keeps_its_level(law: str, fresh_rows: int) -> None:
    # Training and holdout are 2,000 rows together; 400 innocent audits of each law.
    rng, audits = np.random.default_rng(1), 400
    values, references, p_values = [], [], []
    for _ in range(audits):
        sizes = (2_000, fresh_rows)
        real, fresh = (rng.choice(len(LAWS[law]), rows, p=LAWS[law]).astype(np.uint64) for rows in sizes)
        estimate = known_record_share(real, fresh)
        if estimate.status == "measured":
            values.append(estimate.value)
            references.append(estimate.reference)
            p_values.append(estimate.p_value)
    error = np.std(np.array(values) - references) / np.sqrt(audits)
    assert np.mean(values) == pytest.approx(np.mean(references), abs=4 * error + 1e-9)
    for level in (0.05, 0.001):
        assert (np.array(p_values) < level).sum() <= stats.binom.ppf(0.9999, audits, level)


THREE = columns(a="numeric", b="categorical", c="categorical")
KNOWN, EXACT, NEAR, NEAR_SHARE = range(4)
cells = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=14)


def three(rows: list[tuple]) -> pl.DataFrame:
    data = [(float(a), str(b), str(c)) for a, b, c in rows]
    return pl.DataFrame(data, schema={"a": pl.Float64, "b": pl.String, "c": pl.String}, orient="row")


def wide(rows: int, seed: int, columns_: int = 6) -> pl.DataFrame:
    """Rows of independent columns with 12 values each: nearly all are unique, some near others by chance."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame({f"c{i}": rng.integers(0, 12, rows).astype(float) for i in range(columns_)})


def wide_schema(columns_: int = 6) -> Schema:
    return columns(**{f"c{i}": "numeric" for i in range(columns_)})


def with_one_cell_changed(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, rows.width, rows.height)
    changed = [
        pl.when(pl.Series(chosen == place)).then(-1.0 - pl.Series(rng.random(rows.height))).otherwise(pl.col(name))
        for place, name in enumerate(rows.columns)
    ]
    return rows.with_columns(column.alias(name) for column, name in zip(changed, rows.columns, strict=True))


def test_excesses_and_the_near_share_by_hand() -> None:
    # 30 training and 10 holdout records, no two alike in any two columns: all are unique, whole and without a column.
    train = three([(i, i, i) for i in range(30)])
    holdout = three([(i, i, i) for i in range(30, 40)])
    # Training record 1 twice and 2 once, holdout record 30 once; 3 and 31 with a cell changed; three strangers.
    rows = [(1, 1, 1), (1, 1, 1), (2, 2, 2), (30, 30, 30), (3, 3, 99), (77, 31, 31), (5, 6, 7), (50, 51, 52), (1, 2, 3)]
    known, exact, near, share = measure_records(train, holdout, three(rows), THREE)
    assert known.value == 4 / 9
    assert exact.value == pytest.approx((3 - 1 * 3) / 9)
    assert exact.p_value == pytest.approx(stats.hypergeom.sf(1, 40, 3, 30))  # 2 of the 3 records hit are train's
    assert near.value == pytest.approx((4 - 2 * 3) / 9)
    assert near.p_value == pytest.approx(stats.hypergeom.sf(2, 40, 5, 30))
    assert (share.value, share.reference, share.p_value) == (6 / 9, 0.0, chance_of_hits(6, 9, 40, 0, 0))
    assert (exact.reference, near.reference) == (0.0, 0.0)


def test_a_row_near_a_record_of_either_side_gives_half_to_each() -> None:
    train = three([(i, i, i) for i in range(30)])
    holdout = three([(i, i, i) for i in range(30, 40)])
    both = three([(0, 0, 0)]).with_columns(c=pl.lit("30"))  # near record 0 only: record 30 differs in two columns
    assert measure_records(train, holdout, both, THREE)[NEAR].value == 1.0
    # (0, 0, 30) is near (0, 0, 0) of train and (50, 0, 30) of the holdout: 1/2 - 1/2 * 30/11.
    near = measure_records(train, pl.concat([holdout, three([(50, 0, 30)])]), both, THREE)[NEAR]
    assert near.value == pytest.approx(1 / 2 - 1 / 2 * 30 / 11)


def by_eye(pool: list[tuple], synthetic: list[tuple]) -> tuple[int, int, int]:
    """Synthetic near matches, pooled rows matched when left out, and the variance, by comparing everything."""

    def matches(row: tuple, others: list[tuple]) -> bool:
        without = [lambda r, j=j: r[:j] + r[j + 1 :] for j in range(3)]
        return any(Counter(map(key, others))[key(row)] == 1 for key in without)

    def left(*gone: int) -> list[tuple]:
        return [row for place, row in enumerate(pool) if place not in gone]

    alone = [int(matches(row, left(x))) for x, row in enumerate(pool)]
    change = sum(
        (alone[x] - matches(pool[x], left(x, y))) * (alone[y] - matches(pool[y], left(x, y)))
        for x, y in permutations(range(len(pool)), 2)
    )
    return sum(matches(row, pool) for row in synthetic), sum(alone), sum(alone) + change


@settings(deadline=None, max_examples=60)
@given(cells, cells)
def test_near_matches_and_the_leave_one_out_agree_with_comparing_all_pairs(pool: list, synthetic: list) -> None:
    records = Records.fit(three(pool), three([]), THREE)
    hits, matched, variance = by_eye(pool, synthetic)
    assert (records.near.matched, records.near.variance) == (matched, variance)
    share = records.measure(three(synthetic), THREE)[NEAR_SHARE]
    if share.value is not None:
        assert share.value == hits / len(synthetic)


def test_known_records_are_those_of_the_row_keys() -> None:
    train, holdout, synthetic = mixed_table(800, 1), mixed_table(200, 2), mixed_table(900, 3)
    synthetic = pl.concat([synthetic, train[:50]])
    assert measure_records(train, holdout, synthetic, MIXED)[KNOWN] == measure_known_records(
        train, holdout, synthetic, MIXED
    )


def leaks(estimates: tuple[Estimate, ...], by: float = 0.005) -> set[str]:
    accused = [e for e in estimates if e.p_value is not None and e.p_value < 0.001 and e.value - e.reference >= by]
    return {e.name.removeprefix("privacy.") for e in accused}


def test_copies_of_either_side_are_caught_and_fresh_rows_are_not() -> None:
    train, holdout, fresh = wide(4_000, 1), wide(1_000, 2), wide(4_000, 3)
    records = Records.fit(train, holdout, wide_schema())

    def found(*parts: pl.DataFrame) -> set[str]:
        return leaks(records.measure(pl.concat(parts), wide_schema()))

    assert found(fresh) == set()
    everything = {"known_record_share", "exact_match_excess", "near_match_excess", "near_match_share"}
    assert found(train) == everything
    assert found(fresh[:3_800], train[:200]) == everything
    assert found(holdout) == {"known_record_share", "near_match_share"}
    assert found(train[:1_000], holdout) >= {"known_record_share", "near_match_share"}
    assert found(fresh[:3_800], holdout[:200]) == {"known_record_share", "near_match_share"}


def test_copies_with_one_cell_changed_are_caught_by_the_near_matches() -> None:
    train, holdout, fresh = wide(4_000, 1), wide(1_000, 2), wide(4_000, 3)
    ours, theirs = with_one_cell_changed(train[:200], 4), with_one_cell_changed(holdout[:200], 4)
    records = Records.fit(train, holdout, wide_schema())
    assert leaks(records.measure(pl.concat([fresh[:3_800], ours]), wide_schema())) == {
        "near_match_excess",
        "near_match_share",
    }
    assert leaks(records.measure(pl.concat([fresh[:3_800], theirs]), wide_schema())) == {"near_match_share"}


def test_one_percent_of_copies_among_20_000_rows_is_caught() -> None:
    train, holdout, fresh = wide(16_000, 1, 8), wide(4_000, 2, 8), wide(20_000, 3, 8)
    records = Records.fit(train, holdout, wide_schema(8))
    whole = records.measure(pl.concat([fresh[:19_800], train[:200]]), wide_schema(8))
    near = records.measure(pl.concat([fresh[:19_800], with_one_cell_changed(train[:200], 4)]), wide_schema(8))
    assert leaks(whole) >= {"known_record_share", "exact_match_excess", "near_match_excess"}
    assert leaks(near) >= {"near_match_excess"}


@pytest.mark.parametrize("width", [3, 4, 6])
def test_fresh_rows_are_accused_at_the_tests_level_only(width: int) -> None:
    # Of 12 values a column: 3 columns repeat often, 6 hardly ever; half of the pool is near another row at 4.
    audits, schema = 150, wide_schema(width)
    p_values = np.ones((audits, 4))
    values, references = np.zeros((audits, 4)), np.zeros((audits, 4))
    for audit in range(audits):
        rows = wide(2_500, 1_000 * width + audit, width)
        for place, e in enumerate(measure_records(rows[:800], rows[800:1_000], rows[1_000:], schema)):
            if e.value is not None:
                p_values[audit, place], values[audit, place], references[audit, place] = e.p_value, e.value, e.reference
    for level in (0.05, 0.001):
        assert ((p_values < level).sum(axis=0) <= stats.binom.ppf(0.9999, audits, level)).all()
    gaps = values - references
    assert (abs(gaps.mean(axis=0)) <= 4 * gaps.std(axis=0) / np.sqrt(audits) + 1e-9).all()


def test_a_crude_generator_that_knows_no_record_has_no_excess() -> None:
    # Independent columns of other real rows: poor, and no leak.
    source = open_table(real_table("census.csv.gz"))
    rows = source.read().sample(fraction=1, shuffle=True, seed=3)[:14_000]
    other, rng = rows[10_000:], np.random.default_rng(1)
    crude = pl.DataFrame([other[name][rng.permutation(other.height)] for name in other.columns])
    assert leaks(measure_records(rows[:8_000], rows[8_000:10_000], crude, source.schema)) == set()


def test_real_copies_with_one_cell_changed_are_caught_among_fresh_rows() -> None:
    source = open_table(real_table("census.csv.gz"))
    rows = source.read().sample(fraction=1, shuffle=True, seed=3)[:20_000]
    train, fresh = rows[:8_000], rows[10_000:]
    copies = train[:500].with_columns(hours_per_week=fresh["hours_per_week"][:500])
    estimates = measure_records(train, rows[8_000:10_000], pl.concat([fresh[:9_500], copies]), source.schema)
    assert "near_match_excess" in leaks(estimates)


def test_sides_that_are_not_exchangeable_have_shares_but_no_excess() -> None:
    train, holdout = wide(400, 1), wide(100, 2)
    known, exact, near, share = measure_records(train, holdout, train, wide_schema(), exchangeable=False)
    assert (known.status, share.status) == ("measured", "measured")
    assert {exact.status, near.status} == {"not_measured"}
    assert "exchangeable" in exact.detail


def test_copies_of_further_reserved_rows_count_in_the_shares_alone() -> None:
    train, holdout, extra = wide(400, 1), wide(100, 2), wide(300, 3)
    known, exact, near, share = measure_records(train, holdout, extra, wide_schema(), extra=extra)
    assert known.value > 0.99
    assert share.value > 0.99
    assert (exact.value, exact.p_value) == (0.0, 1.0)
    assert abs(near.value) < 0.05


def test_an_entity_counts_once_however_many_of_its_records_were_copied() -> None:
    # 40 people in train and 10 in the holdout with 10 records each; two people of train were copied altogether.
    rows = three([(i, i, i) for i in range(500)])
    entities = (np.arange(400) // 10, np.arange(100) // 10)
    alone = measure_records(rows[:400], rows[400:], rows[:20], THREE)
    people = measure_records(rows[:400], rows[400:], rows[:20], THREE, entities=entities)
    assert alone[EXACT].p_value == pytest.approx(stats.hypergeom.sf(19, 500, 20, 400))
    assert people[EXACT].p_value == pytest.approx(stats.hypergeom.sf(1, 50, 2, 40))
    assert people[NEAR].p_value == people[EXACT].p_value
    assert people[EXACT].value == alone[EXACT].value == 1.0


def test_a_training_part_that_was_taken_in_twice_hides_no_copy() -> None:
    # The holdout's rows still occur once, so the whole pool looks sound; the training part does not.
    train, holdout = wide(400, 1), wide(100, 2)
    estimates = measure_records(pl.concat([train, train]), holdout, train, wide_schema())
    assert {e.status for e in estimates} == {"not_measured"}
    assert "twice" in estimates[KNOWN].detail
    assert "twice" in estimates[NEAR_SHARE].detail


def test_too_few_unique_records_and_hopelessly_uneven_sides_are_not_measured() -> None:
    few = three([(i, i, i) for i in range(19)])
    assert measure_records(few[:15], few[15:], few, THREE)[EXACT].status == "not_measured"
    many = three([(i, i, i) for i in range(300)])
    for holdout in (0, 1):
        exact = measure_records(many[holdout:], many[:holdout], many, THREE)[EXACT]
        assert exact.status == "not_measured"  # not even a full copy could get below 1/1,000
    assert measure_records(many[2:], many[:2], many[2:], THREE)[EXACT].p_value < 0.001


def test_a_holdout_that_stands_in_the_training_table_is_seen() -> None:
    train, holdout = wide(400, 1), wide(100, 2)
    assert not holdout_was_seen(Table(train), Table(holdout), wide_schema())
    assert holdout_was_seen(Table(pl.concat([train, holdout])), Table(holdout), wide_schema())


def odd_tables() -> dict[str, pl.DataFrame]:
    rows = 50
    rng = np.random.default_rng(0)
    return {
        "all missing": pl.DataFrame({"x": [None] * rows, "y": [None] * rows}, schema={"x": pl.Float64, "y": pl.String}),
        "constant": pl.DataFrame({"x": [1.0] * rows, "y": ["a"] * rows}),
        "not finite": pl.DataFrame(
            {"x": [float("nan"), float("inf"), -float("inf"), 0.0, 1.0] * 10, "y": ["a"] * rows}
        ),
        "all different": pl.DataFrame({"x": rng.random(rows), "y": [str(i) for i in range(rows)]}),
        "times": pl.DataFrame({"x": [datetime(2020, 1, 1 + i % 9, tzinfo=UTC) for i in range(rows)]}).with_columns(
            y=pl.Series([date(2020, 1, 1 + i % 7) for i in range(rows)])
        ),
        "booleans": pl.DataFrame({"x": [True, False] * 25, "y": [None, True] * 25}),
        "one column": pl.DataFrame({"x": rng.random(rows)}),
        "no rows": pl.DataFrame({"x": [], "y": []}, schema={"x": pl.Float64, "y": pl.String}),
    }


@pytest.mark.parametrize("name", odd_tables())
def test_odd_tables_give_estimates_and_never_an_error(name: str) -> None:
    table = odd_tables()[name]
    kinds = {pl.Float64: "numeric", pl.Boolean: "boolean", pl.String: "categorical"}
    schema = columns(**{c: kinds.get(dtype, "datetime") for c, dtype in table.schema.items()})
    for synthetic in (table, table[:7]):
        estimates = measure_records(table, table[:20], synthetic, schema)
        assert len(estimates) == 4
    assert all(e.status == "not_measured" for e in measure_records(table, table, table, Schema(())))


def test_a_table_of_few_possible_records_is_not_taken_for_one_that_was_taken_in_twice() -> None:
    """Five booleans have at most 32 records: 400 rows of them hardly show one that occurs once, by nature."""
    schema = columns(**dict.fromkeys("abcde", "boolean"))

    def drawn(rows: int, seed: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        return pl.DataFrame({name: rng.random(rows) < 0.1 * (i + 1) for i, name in enumerate("abcde")})

    found = measure_records(drawn(800, 1), drawn(400, 2), drawn(800, 3), schema)
    assert found[0].status == "measured"
    assert found[0].p_value > 0.001
    sparse = pl.DataFrame({name: np.random.default_rng(4).random(300) for name in "abcde"})
    numbers = columns(**dict.fromkeys("abcde", "numeric"))
    for times in (2, 3):
        doubled = pl.concat([sparse] * times)
        assert measure_records(doubled, sparse[:150] + 1, sparse, numbers)[0].status == "not_measured"
