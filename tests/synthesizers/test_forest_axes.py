"""The order of a category's levels: one axis, whichever side it is worked out from."""

from __future__ import annotations

import numpy as np
import pytest

from synthcli.synthesizers.forest import axes
from synthcli.synthesizers.forest.axes import first_axis


def test_levels_of_like_laws_have_like_scores() -> None:
    profile = np.array([[0.3, -0.3], [-0.2, 0.2], [0.29, -0.29], [-0.21, 0.21]])
    scores = first_axis(profile, np.full(4, 10.0))
    first, second, third, fourth = scores / scores[0]
    assert first > third > 0 > second > fourth


@pytest.mark.parametrize(("levels", "groups"), [(5, 40), (30, 31)])
def test_few_levels_of_many_groups_have_the_same_axis_by_either_way(
    monkeypatch: pytest.MonkeyPatch, levels: int, groups: int
) -> None:
    random = np.random.default_rng(levels)
    profile, rows = random.normal(size=(levels, groups)), random.integers(0, 50, levels).astype(np.float64)
    rows[0] = 0.0  # a level that no row has
    profile[0] = 0.0
    by_groups = first_axis(profile, rows)
    monkeypatch.setattr(axes, "WIDE", 0)
    by_levels = first_axis(profile, rows)
    assert by_levels[0] == by_groups[0] == 0.0
    assert np.abs(np.corrcoef(by_groups[1:], by_levels[1:])[0, 1]) == pytest.approx(1.0, abs=1e-9)
    order = np.argsort(by_levels)
    assert np.argsort(by_groups).tolist() in (order.tolist(), order[::-1].tolist())


def test_levels_that_go_with_nothing_have_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axes, "WIDE", 0)
    assert first_axis(np.zeros((3, 8)), np.ones(3)).tolist() == [0.0, 0.0, 0.0]
