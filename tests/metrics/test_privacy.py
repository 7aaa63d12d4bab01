"""Known records: counted by eye, calibrated under innocence, and blind to no copy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from examples import MIXED, columns, mixed_table
from scipy import stats

from synthcli.metrics.privacy import chance_of_hits, known_record_share, measure_known_records


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
