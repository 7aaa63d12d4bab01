"""Real tables as fixtures: the sample that comes with the project, and two that tests skip without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import scipy.linalg  # noqa: F401 - loads scipy's own copy of the library that is limited below
from examples import ROOT, real_table
from hypothesis import settings
from threadpoolctl import threadpool_limits

# Speed is for the benchmarks: a busy machine must not fail a law.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def one_thread_for_linear_algebra() -> Iterator[None]:
    """As on the command line (synthcli/__main__.py): the last bit of a sum does not follow from the machine."""
    with threadpool_limits(1, user_api="blas"):
        yield


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
