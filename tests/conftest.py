"""Real tables as fixtures, two of which tests skip without, and a way to call a command as a user does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import scipy.linalg  # noqa: F401 - loads scipy's own copy of the library that is limited below
from examples import ROOT, real_table
from hypothesis import settings
from threadpoolctl import threadpool_limits

from synthcli.app import run

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


@dataclass
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        return json.loads(self.out)


@pytest.fixture
def call(capfd: pytest.CaptureFixture) -> Callable[..., Ended]:
    """Return a function that runs a command line in this process."""

    def called(*words: object) -> Ended:
        capfd.readouterr()
        code = run([str(word) for word in words])
        streams = capfd.readouterr()
        return Ended(code, streams.out, streams.err)

    return called
