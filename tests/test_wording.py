"""Quantities in words."""

from __future__ import annotations

import pytest

from synthcli.wording import size, span


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1 kB"),
        (700_000, "700 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (2_540_000, "2.5 MB"),
        (9_960_000, "10 MB"),
        (366_200_000, "366 MB"),
        (2 * 10**9 - 1, "2 GB"),
        (24e9, "24 GB"),
        (1.2e12, "1,200 GB"),
    ],
)
def test_a_size_is_said_in_its_unit(count: float, said: str) -> None:
    assert size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (119, "2 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (90_000, "25.0 h"),
    ],
)
def test_a_length_of_time_is_said_in_its_unit(seconds: float, said: str) -> None:
    assert span(seconds) == said
