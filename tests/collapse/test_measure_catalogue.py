"""The catalogue of a generation's metrics: what verdicts and margins rest on."""

from __future__ import annotations

from math import exp

import pytest

from synthcli.collapse.measures import BY_NAME, MEASURES, PRIMARY


def test_every_metric_has_a_name_of_its_own_and_is_found_by_it() -> None:
    assert list(BY_NAME) == [measure.name for measure in MEASURES]
    assert all(BY_NAME[measure.name] is measure for measure in MEASURES)


def test_the_verdict_rests_on_distance_rare_categories_and_dependence() -> None:
    assert [(BY_NAME[name].label, BY_NAME[name].direction) for name in PRIMARY] == [
        ("drift", "lower"),
        ("diversity", "higher"),
        ("drift", "lower"),
    ]


def test_a_tenth_of_a_variance_is_tolerated() -> None:
    assert exp(-BY_NAME["log_variance_ratio"].margin) == pytest.approx(0.9)


def test_only_what_trains_a_model_is_measured_in_every_third_generation() -> None:
    assert {measure.name: measure.every for measure in MEASURES if measure.every != 1} == {"c2st_auc": 3, "tstr": 3}
