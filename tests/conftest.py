"""Real tables as fixtures: the sample that comes with the project, and two that tests skip without."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples import ROOT, real_table
from hypothesis import settings

# Speed is for the benchmarks: a busy machine must not fail a law.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def flights_csv() -> Path:
    """The sample table that comes with the project."""
    return ROOT / "sample_data" / "flights.csv"


@pytest.fixture(scope="session")
def census_csv() -> Path:
    """UCI Adult, 48,842 rows."""
    return real_table("census.csv.gz")


@pytest.fixture(scope="session")
def bank_csv() -> Path:
    """UCI Bank Marketing, 45,211 rows."""
    return real_table("bank_marketing.csv.gz")
