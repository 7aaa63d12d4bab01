"""The three attacks: counted by eye, sure to find copies, and silent about rows that are new."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthcli.encoding import DistanceEncoding
from synthcli.metrics.attacks import (
    Grid,
    Guess,
    Isolated,
    balanced_halves,
    exact_codes,
    excess_risk,
    guess_chances,
    isolated,
    link_chances,
    matches,
    measure_attacks,
    multivariate_guesses,
    random_guesses,
    right_numbers,
    risk_interval,
    singling_out_guesses,
    singling_out_risk,
    univariate_guesses,
)
from synthcli.metrics.estimate import Estimate
from synthcli.schema import Schema

WIDE = columns(**{f"x{i}": "numeric" for i in range(4)}, city="categorical", late="boolean", seen="datetime")
XY = columns(x="numeric", y="numeric")


def wide_table(rows: int, seed: int) -> pl.DataFrame:
    """Numbers, a category, a flag and an instant, some cells of each missing."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=rows)
    frame = {f"x{i}": (hidden + rng.normal(size=rows)).round(3) for i in range(4)}
    frame["city"] = rng.choice(["Rom", "Oslo", "Bern", "Wien"], rows, p=[0.5, 0.3, 0.15, 0.05])
    frame["late"] = rng.random(rows) < 0.3
    frame["seen"] = (rng.integers(0, 10**9, rows) * 10**6).astype("datetime64[us]")
    gone = {name: rng.random(rows) < 0.03 for name in frame}
    return pl.DataFrame(frame).with_columns(
        pl.when(pl.Series(gone[name])).then(None).otherwise(pl.col(name)).alias(name) for name in frame
    )


def by_name(estimates: tuple[Estimate, ...]) -> dict[tuple[str, ...], Estimate]:
    return {(estimate.name.split(".")[1].removesuffix("_risk"), *estimate.columns): estimate for estimate in estimates}


def grid_of(frame: pl.DataFrame, schema: Schema) -> Grid:
    (codes,) = exact_codes([frame], schema.modelled)
    return Grid.of(codes, [column.kind in ("numeric", "datetime") for column in schema.modelled], codes.max(axis=1))


# From successes to a risk


def test_risk_is_the_excess_over_control_as_a_share_of_what_control_leaves() -> None:
    assert excess_risk(0.5, 0.2) == pytest.approx(0.3 / 0.8)
    assert excess_risk(0.2, 0.5) == pytest.approx(-0.3 / 0.5)
    assert excess_risk(0.1, 0.9) == -1.0
    assert (excess_risk(1.0, 1.0), excess_risk(0.9, 1.0), excess_risk(0.0, 4.0)) == (0.0, -1.0, -1.0)


def test_the_interval_without_any_success_by_hand() -> None:
    # Centre and error of both rates are z²/2/(n + z²); over one minus that, z²/(2n + z²); two errors: times √2.
    z2 = stats.norm.ppf(0.975) ** 2
    low, high = risk_interval(0, 0, 100)
    assert high == pytest.approx(2**0.5 * z2 / (200 + z2))
    assert low == -high


@given(st.integers(1, 400), st.data())
def test_the_interval_contains_the_risk_and_stays_in_its_range(trials: int, data: st.DataObject) -> None:
    attack, control = (data.draw(st.integers(0, trials)) for _ in range(2))
    low, high = risk_interval(attack, control, trials)
    assert -1 <= low <= excess_risk(attack / trials, control / trials) <= high <= 1


def test_the_interval_covers_a_true_risk_about_as_often_as_it_says() -> None:
    rng, trials, audits = np.random.default_rng(1), 500, 500
    for a, c in ((0.3, 0.3), (0.5, 0.2), (0.05, 0.02), (0.95, 0.9)):
        drawn = zip(rng.binomial(trials, a, audits), rng.binomial(trials, c, audits), strict=True)
        covered = [low <= (a - c) / (1 - c) <= high for low, high in (risk_interval(*pair, trials) for pair in drawn)]
        assert np.mean(covered) > 0.92


# Singling out


def test_codes_are_equal_where_values_are_and_keep_the_order_over_all_parts() -> None:
    schema = columns(x="numeric", city="categorical", late="boolean")
    one = pl.DataFrame({"x": [2.0, None, float("nan")], "city": ["a", None, "b"], "late": [True, None, False]})
    other = pl.DataFrame({"x": [1.0, 2.0, float("inf")], "city": ["c", "b", "b"], "late": [False, False, True]})
    codes, others = exact_codes([one, other], schema.modelled)
    assert codes[0].tolist() == [2, 0, 0]
    assert others[0].tolist() == [1, 2, 3]
    for column in (1, 2):
        cells = [*one[one.columns[column]], *other[one.columns[column]]]
        coded = [*codes[column].tolist(), *others[column].tolist()]
        assert [coded[i] == coded[j] for i in range(6) for j in range(6)] == [a == b for a in cells for b in cells]
        assert codes[column][1] == 0


def test_a_multivariate_guess_bounds_numbers_away_from_the_median_and_equals_the_rest() -> None:
    # x: 1, 2, 9 and a missing cell; the median is 2. Codes of x: 1, 2, 3, 0.
    frame = pl.DataFrame({"x": [1.0, 2.0, 9.0, None], "city": ["a", "b", "b", "a"]})
    grid = grid_of(frame, columns(x="numeric", city="categorical"))
    a, b = grid.codes[1, 0], grid.codes[1, 1]
    conditions = {
        frozenset(zip(*guess, strict=True)) for guess in multivariate_guesses(grid, 100, np.random.default_rng(1))
    }
    assert conditions == {
        frozenset({(0, 1, 1), (1, a, a)}),
        frozenset({(0, 1, 2), (1, b, b)}),
        frozenset({(0, 3, 3), (1, b, b)}),
        frozenset({(0, 0, 0), (1, a, a)}),
    }


def test_the_median_of_an_even_number_of_rows_divides_its_two_middle_values() -> None:
    # 2 is at most the median 2.5, 3 lies above it.
    grid = grid_of(pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]}), columns(x="numeric"))
    assert {guess[1:] for guess in multivariate_guesses(grid, 100, np.random.default_rng(1))} == {
        ((1,), (1,)),
        ((1,), (2,)),
        ((3,), (4,)),
        ((4,), (4,)),
    }


def test_univariate_guesses_are_values_that_occur_once_and_ends() -> None:
    frame = pl.DataFrame({"x": [1.0, 5.0, 5.0, 9.0, None], "city": ["a", "a", "b", "c", "c"]})
    grid = grid_of(frame, columns(x="numeric", city="categorical"))
    b = int(grid.codes[1, 2])
    guesses = univariate_guesses(grid, 100, np.random.default_rng(1))
    # x: 1, 9 and missing occur once; at most 1, at least 9. City: only b occurs once.
    assert sorted(guesses) == sorted(
        Guess((column,), (low,), (high,))
        for column, low, high in [(0, 1, 1), (0, 3, 3), (0, 0, 0), (0, 1, 1), (0, 3, 3), (1, b, b)]
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_guess_fits_the_rows_that_meet_all_its_conditions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = grid_of(wide_table(200, seed), WIDE)
    guesses = multivariate_guesses(grid, 200, rng) + random_guesses(grid, 200, rng)
    (pool,) = exact_codes([wide_table(300, seed + 10)], WIDE.modelled)
    counts, first = matches(guesses, pool)
    assert {0, 1, 2} == set(counts.tolist())
    for guess, count, row in zip(guesses, counts, first, strict=True):
        conditions = [(pool[c] >= low) & (pool[c] <= high) for c, low, high in zip(*guess, strict=True)]
        fits = np.flatnonzero(np.all(conditions, axis=0))
        assert (count, row) == (min(2, len(fits)), fits[0] if len(fits) else -1)


def test_rows_beyond_the_first_step_are_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthcli.metrics.attacks._FIRST_CHUNK", 1)
    monkeypatch.setattr("synthcli.metrics.attacks._CHUNK", 2)
    pool = np.array([[1, 2, 3, 2, 4]], dtype=np.int32)
    counts, first = matches([Guess((0,), (code,), (code,)) for code in (1, 2, 4, 5)], pool)
    assert counts.tolist() == [1, 2, 1, 0]
    assert first.tolist() == [0, 1, 4, -1]


def test_every_guess_fits_one_synthetic_row_and_occurs_once() -> None:
    grid = grid_of(wide_table(300, 1), WIDE)
    guesses = singling_out_guesses(grid, 400, np.random.default_rng(1))
    assert len(set(guesses)) == len(guesses) == 400
    assert matches(guesses, grid.codes)[0].tolist() == [1] * 400
    assert sum(len(guess.columns) == 1 for guess in guesses) == 100


def test_records_count_once_and_guesses_that_fit_several_are_set_aside() -> None:
    # Training part 1, 2, 2, 3; holdout 4, 5. Singled out: 1 (twice) and 4; 2 is not; 6 fits nobody; 4 to 5 fits two.
    pool = np.array([[1, 2, 2, 3, 4, 5]], dtype=np.int32)
    guesses = [Guess((0,), (low,), (high,)) for low, high in ((1, 1), (0, 1), (2, 2), (4, 4), (6, 6), (4, 5))]
    assert isolated(guesses, pool, 4) == Isolated(train=1, holdout=1, guesses=3, several=2)


def test_the_singling_out_risk_by_hand() -> None:
    # 6 of 10 guesses hit 40 training records, 1 hits 10 holdout records: .6 against .1 · 4; (.6 - .4)/(1 - .4).
    estimate = singling_out_risk(Isolated(6, 1, 10, 3), 40, 10, 0.0)
    assert estimate.value == pytest.approx(1 / 3)
    assert estimate.p_value == pytest.approx(stats.hypergeom.sf(5, 50, 40, 7))
    assert estimate.low < 0 < estimate.value < estimate.high


def test_guesses_that_fit_nobody_show_no_risk() -> None:
    estimate = singling_out_risk(Isolated(0, 0, 100, 0), 40, 10, 0.0)
    assert (estimate.value, estimate.p_value) == (0.0, 1.0)
    assert 0 < estimate.high < 0.05


@pytest.mark.parametrize("holdout_rows", [900, 225, 100])
def test_a_copy_of_train_has_full_singling_out_risk_whatever_the_size_of_the_holdout(holdout_rows: int) -> None:
    train, holdout = wide_table(900, 1), wide_table(holdout_rows, 2)
    estimate = measure_attacks(train, holdout, train, WIDE, [], 1, attacks=300)[0]
    assert estimate.value > 0.99
    assert estimate.low > 0.9
    assert estimate.p_value < 1e-6


def test_rows_repeated_in_the_synthetic_data_do_not_hide_a_copy() -> None:
    train, holdout = wide_table(400, 1), wide_table(400, 2)
    estimate = measure_attacks(train, holdout, pl.concat([train, train]), WIDE, [], 1, attacks=200)[0]
    assert estimate.value > 0.99


# Linkability and inference


def test_halves_are_balanced_by_kind() -> None:
    one, other = balanced_halves(WIDE.modelled, np.random.default_rng(1))
    assert sorted([*one, *other]) == sorted(WIDE.names)
    assert abs(len(one) - len(other)) <= 1
    for kind in ("numeric", "categorical", "boolean", "datetime"):
        counts = [sum(WIDE[name].kind == kind for name in half) for half in (one, other)]
        assert abs(counts[0] - counts[1]) <= 1


def chances_to_link(records: pl.DataFrame, synthetic: pl.DataFrame) -> list[float]:
    encoding = DistanceEncoding.fit(records, XY)
    halves = [[part.encode(table) for table in (records, synthetic)] for part in map(encoding.select, ("x", "y"))]
    return link_chances(tuple(halves[0]), tuple(halves[1])).tolist()


def test_two_halves_are_linked_if_their_nearest_synthetic_rows_are_the_same() -> None:
    records = pl.DataFrame({"x": [0.0, 5.0, 9.0], "y": [0.0, 5.0, 9.0]})
    # By x the rows stand near 0, 5, 9; by y near 0, 9, 5: only the first record's halves meet.
    assert chances_to_link(records, pl.DataFrame({"x": [0.0, 5.0, 9.0], "y": [0.0, 9.0, 5.0]})) == [1.0, 0.0, 0.0]


def test_with_ties_the_chance_to_link_is_the_common_rows_share_of_all_nearest_ones() -> None:
    records = pl.DataFrame({"x": [1.0, 2.0], "y": [1.0, 2.0]})
    synthetic = pl.DataFrame({"x": [1.0, 1.0, 1.0, 2.0, 2.0], "y": [1.0, 1.0, 2.0, 1.0, 2.0]})
    # Record 1: by x rows 0, 1, 2; by y rows 0, 1, 3: two of four. Record 2: by x rows 3, 4; by y rows 2, 4: one of 3.
    assert chances_to_link(records, synthetic) == [2 / 4, 1 / 3]


def test_batches_change_no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    records, synthetic = (
        pl.DataFrame({"x": t["x0"], "y": t["city"] == "Rom"}) for t in map(wide_table, (99, 60), (1, 2))
    )
    encoding = DistanceEncoding.fit(records, columns(x="numeric", y="boolean"))
    halves = [[part.encode(table) for table in (records, synthetic)] for part in map(encoding.select, ("x", "y"))]
    whole = link_chances(tuple(halves[0]), tuple(halves[1]))
    monkeypatch.setattr("synthcli.metrics.attacks._LINKS", 1)
    assert (whole > 0).any()
    assert link_chances(tuple(halves[0]), tuple(halves[1])).tolist() == whole.tolist()


def test_numbers_are_right_within_five_percent_of_their_size_whatever_their_sign() -> None:
    truth = np.array([100.0, 100.0, -100.0, -100.0, -100.0, 0.0, 0.0, 50.0])
    guess = np.array([105.0, 106.0, -95.0, -106.0, 100.0, 0.0, 0.01, -50.0])
    right = right_numbers(truth, guess, 0.05 * np.abs(truth))
    assert right.tolist() == [True, False, True, False, False, True, False, False]


def test_a_missing_number_is_guessed_by_a_missing_one_only_and_infinity_by_itself() -> None:
    truth = np.array([np.nan, np.nan, 1.0, np.inf, np.inf, 1.0])
    guess = np.array([np.nan, 1.0, np.nan, np.inf, 1.0, np.inf])
    assert right_numbers(truth, guess, 0.05 * np.abs(truth)).tolist() == [True, False, False, True, False, False]


def test_tied_neighbours_succeed_by_their_share() -> None:
    schema = columns(x="numeric")
    records, synthetic = pl.DataFrame({"x": [1.0, 9.0]}), pl.DataFrame({"x": [1.0, 1.0, 1.0, 9.0]})
    encoding = DistanceEncoding.fit(records, schema)
    chances = guess_chances(encoding.encode(records), encoding.encode(synthetic), lambda query, row: row == 2)
    assert chances.tolist() == [1 / 3, 0.0]


def infer(secret: str, schema: Schema, train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame) -> Estimate:
    return by_name(measure_attacks(train, holdout, synthetic, schema, [secret], 1))["inference", secret]


def test_a_missing_secret_is_inferred_where_the_nearest_row_lacks_it_too() -> None:
    schema = columns(x="numeric", city="categorical")
    x = np.arange(10.0)
    train = pl.DataFrame({"x": x, "city": [None] * 5 + ["a"] * 5})
    holdout = pl.DataFrame({"x": x, "city": ["a"] * 5 + [None] * 4 + ["a"]})
    # Training: all ten right. Holdout: only the last one, (1 - .1)/(1 - .1). Random rows are right in half the cases.
    estimate = infer("city", schema, train, holdout, train)
    assert estimate.value == 1.0
    assert "attack 1.000, control 0.100, 10 records each; random guesses 0.5" in estimate.detail
    assert estimate.p_value == pytest.approx(stats.fisher_exact([[10, 0], [1, 9]], alternative="greater").pvalue)


def test_negative_numbers_are_inferred_like_positive_ones() -> None:
    schema = columns(x="numeric", debt="numeric")
    x = np.arange(10.0)
    train = pl.DataFrame({"x": x, "debt": -100.0 - 20 * x})
    holdout = train.with_columns(debt=-train["debt"])
    near = train.with_columns(debt=train["debt"] * np.where(x < 6, 1.04, 1.06))
    estimate = infer("debt", schema, train, holdout, near)
    assert estimate.value == pytest.approx(0.6)


def test_instants_are_inferred_within_five_percent_of_the_interquartile_range() -> None:
    # Days 0 to 100 in steps of 10: the interquartile range is 50 days, so 2 days off are right and 3 are not.
    schema = columns(x="numeric", day="datetime")
    train = pl.DataFrame({"x": np.arange(11.0)}).with_columns(
        day=pl.lit(datetime(2020, 1, 1)) + pl.duration(days=10 * pl.col("x"))
    )
    late = train.with_columns(day=pl.col("day") + pl.duration(days=pl.when(pl.col("x") < 4).then(2).otherwise(3)))
    holdout = train.with_columns(day=pl.col("day") + pl.duration(days=1_000))
    assert infer("day", schema, train, holdout, late).value == pytest.approx(4 / 11)


def test_copies_of_train_have_high_risks() -> None:
    train, holdout = wide_table(600, 1), wide_table(600, 2)
    found = by_name(measure_attacks(train, holdout, train, WIDE, ["city", "x0", "seen"], 1, attacks=300))
    for key in (("singling_out",), ("linkability",), ("inference",), ("inference", "city"), ("inference", "seen")):
        assert found[key].value > 0.8, key
        assert found[key].low > 0.7, key
        assert found[key].p_value < 1e-6, key


def test_a_tenth_of_copies_among_fresh_rows_is_seen() -> None:
    train, holdout = wide_table(1_500, 1), wide_table(700, 2)
    mixed = pl.concat([wide_table(1_350, 3), train[:150]])
    found = by_name(measure_attacks(train, holdout, mixed, WIDE, [], 1, attacks=700))
    for attack in ("singling_out", "linkability"):
        assert 0.03 < found[attack,].value < 0.25
        assert found[attack,].p_value < 0.01


def test_a_copy_of_the_holdout_is_no_attack_on_train() -> None:
    train, holdout = wide_table(400, 1), wide_table(100, 2)
    found = by_name(measure_attacks(train, holdout, holdout, WIDE, ["city"], 1, attacks=100))
    for estimate in found.values():
        assert estimate.value < 0
        assert estimate.p_value > 0.9


@pytest.mark.parametrize("audits", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_fresh_rows_are_accused_no_more_often_than_the_level_says(audits: int) -> None:
    secrets = ["late", "x0"]
    schema = WIDE.select(["x0", "x1", "x2", "city", "late"])
    world = wide_table(190 * audits, 1)
    p_values: dict[tuple[str, ...], list[float]] = {}
    risks: dict[tuple[str, ...], list[float]] = {}
    for audit in range(audits):
        rows = world[190 * audit : 190 * (audit + 1)]
        found = measure_attacks(rows[:80], rows[80:120], rows[120:], schema, secrets, audit, attacks=60)
        for key, estimate in by_name(found).items():
            p_values.setdefault(key, []).append(estimate.p_value)
            risks.setdefault(key, []).append(estimate.low)
    assert set(p_values) == {("singling_out",), ("linkability",), ("inference",), *(("inference", s) for s in secrets)}
    for key, found in p_values.items():
        assert (np.array(found) < 0.05).sum() <= stats.binom.ppf(0.999, audits, 0.05), key
        assert (np.array(risks[key]) > 0).sum() <= stats.binom.ppf(0.999, audits, 0.04), key
    assert (np.array(p_values["singling_out",]) < 0.5).mean() > 0.2  # the test is not merely silent


# The door


def test_the_same_seed_gives_the_same_numbers_and_another_one_other_guesses() -> None:
    train, holdout, fresh = wide_table(500, 1), wide_table(200, 2), wide_table(500, 3)
    one, again, other = (measure_attacks(train, holdout, fresh, WIDE, ["late"], s, attacks=100) for s in (1, 1, 2))
    assert one == again
    assert one != other


def test_the_tables_inference_is_that_of_the_secret_with_the_largest_low_bound_under_holm() -> None:
    train, holdout = wide_table(300, 1), wide_table(300, 2)
    leak = wide_table(300, 1).with_columns(wide_table(300, 5)["late"])
    found = by_name(measure_attacks(train, holdout, leak, WIDE, ["late", "city"], 1, attacks=200))
    assert found["inference",].value == found["inference", "city"].value
    assert found["inference",].low == max(found["inference", secret].low for secret in ("late", "city"))
    alone = by_name(measure_attacks(train, holdout, leak, WIDE, ["city"], 1, attacks=200))["inference", "city"]
    assert found["inference", "city"].p_value == pytest.approx(2 * alone.p_value)
    assert found["inference", "city"].low < alone.low


def test_without_secrets_the_reason_says_which_setting_names_them() -> None:
    found = by_name(measure_attacks(wide_table(50, 1), wide_table(20, 2), wide_table(50, 3), WIDE, [], 1))
    assert found["inference",].status == "not_measured"
    assert "validate.secrets" in found["inference",].detail


def test_secrets_that_are_no_measured_columns_are_named_as_such() -> None:
    schema = columns(key="id", x="numeric", city="categorical", late="boolean")
    parts = [wide_table(60, s).select(key=pl.lit("k"), x="x0", city="city", late="late") for s in (1, 2, 3)]
    found = by_name(measure_attacks(*parts, schema, ["key", "late", "nowhere", "late"], 1))
    assert len(found) == 3 + 3
    for secret in ("key", "nowhere"):
        assert found["inference", secret].status == "not_measured"
    assert found["inference", "late"].status == found["inference",].status == "measured"
    nothing = by_name(measure_attacks(*parts, schema, ["key"], 1))
    assert nothing["inference",].status == nothing["inference", "key"].status == "not_measured"


def test_without_an_exchangeable_holdout_nothing_is_measured() -> None:
    train = wide_table(50, 1)
    found = measure_attacks(train, train, train, WIDE, ["city", "late"], 1, exchangeable=False)
    assert len(found) == 5
    assert all(estimate.status == "not_measured" and "exchangeable" in estimate.detail for estimate in found)


def test_a_sample_of_the_synthetic_rows_is_stated() -> None:
    found = measure_attacks(*(wide_table(80, s) for s in (1, 2, 3)), WIDE, ["late"], 1, max_synthetic=40)
    assert all("by 40 random ones of 80 synthetic rows" in estimate.detail for estimate in found)


ODD = {
    "empty": pl.Series([None] * 50, dtype=pl.Float64),
    "constant": pl.Series([7.0] * 50),
    "infinite": pl.Series([float("inf"), float("-inf"), float("nan"), 0.0, -0.0] * 10),
    "huge": pl.Series([1.79e308, -1.79e308, 5e-324, None, 1.0] * 10),
    "whole": pl.Series(range(50), dtype=pl.Int64),
    "one": pl.Series(["a"] * 50),
    "none": pl.Series([None] * 50, dtype=pl.String),
    "different": pl.Series([f"v{i}" for i in range(50)]),
    "flag": pl.Series([True, None] * 25),
    "day": pl.Series([date(2020, 1, 1 + i % 28) for i in range(50)]),
    "zoned": pl.Series([datetime(2020, 1, 1 + i % 28, tzinfo=UTC) for i in range(50)]),
}
KINDS = ["numeric"] * 5 + ["categorical"] * 3 + ["boolean"] + ["datetime"] * 2


@pytest.mark.parametrize("chosen", [list(ODD), *([name] for name in ODD), ["empty", "none"], ["constant", "one"]])
def test_odd_tables_give_finite_estimates_or_a_reason(chosen: list[str]) -> None:
    schema = columns(**dict(zip(ODD, KINDS, strict=True))).select(chosen)
    frame = pl.DataFrame({name: ODD[name] for name in chosen})
    for parts in ((frame, frame[:12], frame), (frame[:12], frame, frame[:1]), (frame[:3], frame, frame)):
        for estimate in measure_attacks(*parts, schema, chosen, 1):
            assert estimate.direction == "lower"
            assert estimate.detail
            if estimate.status == "measured":
                assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
                assert 0 <= estimate.p_value <= 1


def test_many_columns_and_empty_tables_are_no_error() -> None:
    schema = columns(**{f"c{i}": "numeric" for i in range(56)})
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({f"c{i}": rng.integers(0, 3, 50).astype(float) for i in range(56)})
    assert len(measure_attacks(frame, frame, frame, schema, ["c3"], 1)) == 4
    for parts in ((frame[:0], frame, frame), (frame, frame[:0], frame), (frame, frame, frame[:0])):
        assert all(estimate.status == "not_measured" for estimate in measure_attacks(*parts, schema, ["c3"], 1))
    assert len(measure_attacks(frame, frame, frame, schema.select([]), ["c3"], 1)) == 4


def test_no_detail_shows_a_cell() -> None:
    train, holdout = mixed_table(100, 1), mixed_table(100, 2)
    for estimate in measure_attacks(train, holdout, train, MIXED, ["city", "grade"], 1):
        assert not any(word in estimate.detail for word in ("Rom", "Oslo", "Bern", "Wien", "high", "low"))
