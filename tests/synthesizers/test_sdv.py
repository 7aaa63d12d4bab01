"""Facts about SDV's boundary: its parameters, and what of its errors is passed on."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from synthcli.errors import ConfigError, EngineError
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.sdv import GaussianCopula

FRAME = pl.DataFrame({"x": [float(i % 17) for i in range(200)], "c": ["a", "b", "b", "b"] * 50})
SCHEMA = Schema((Column("x", Kind.NUMERIC, "Float64", decimals=0), Column("c", Kind.CATEGORICAL, "String")))


def fit(**parameters: Any) -> GaussianCopula:
    return GaussianCopula.fit(FRAME, SCHEMA, parameters, 7, lambda share, note: None)


def test_numbers_stay_within_the_training_range_unless_told_otherwise() -> None:
    held = fit(default_distribution="norm").sample(2000, seed=1)["x"]
    free = fit(default_distribution="norm", enforce_min_max_values=False).sample(2000, seed=1)["x"]
    assert (held.min(), held.max()) == (0.0, 16.0)
    assert free.max() > 16.0  # type: ignore[operator]


def test_decimals_are_those_of_the_source_unless_told_otherwise() -> None:
    rounded, free = (
        fit(default_distribution="norm", enforce_rounding=on, enforce_min_max_values=False).sample(50, 1)["x"]
        for on in (True, False)
    )
    assert (rounded == rounded.round(0)).all()
    assert not (free == free.round(0)).any()


def test_a_column_takes_the_distribution_that_is_named_for_it() -> None:
    model = fit(default_distribution="norm", numerical_distributions={"x": "uniform"}).model
    assert model.get_learned_distributions()["x"]["distribution"] == "uniform"


def test_categories_keep_their_shares_under_any_distribution_of_numbers() -> None:
    sampled = fit(default_distribution="norm").sample(4000, seed=1)
    assert (sampled["c"] == "b").mean() == pytest.approx(0.75, abs=0.03)


def test_more_rows_begin_with_the_fewer_rows() -> None:
    model = fit(default_distribution="norm")
    assert model.sample(2000, seed=1).head(1000).equals(model.sample(1000, seed=1))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": 5}, "synthesizer.epochs: no parameter"),
        ({"numerical_distributions": {"y": "beta"}}, "no modelled column 'y'"),
        ({"default_distribution": "gaussian_kde"}, "keeps every training value"),
        ({"numerical_distributions": {"x": "gaussian_kde"}}, "keeps every training value"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(**parameters)


def test_a_constant_column_may_have_a_distribution() -> None:
    frame = FRAME.with_columns(x=pl.lit(3.0))
    model = GaussianCopula.fit(frame, SCHEMA, {"numerical_distributions": {"x": "norm"}}, 7, lambda s, n: None)
    assert set(model.sample(10, seed=1)["x"]) == {3.0}


def test_a_library_error_passes_on_its_type_and_none_of_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise ValueError("cell value 4711")

    monkeypatch.setattr("synthcli.synthesizers.sdv.GaussianCopulaSynthesizer.fit", fail)
    with pytest.raises(EngineError, match="SDV failed while fitting the gaussian copula: ValueError") as caught:
        fit()
    assert "4711" not in caught.value.message + caught.value.hint
    assert isinstance(caught.value.__cause__, ValueError)
    assert "--debug" in caught.value.hint


def test_a_distribution_that_yields_no_numbers_fails_the_fit() -> None:
    frame = pl.DataFrame({"x": [1.7e308, -1.7e308] * 20, "c": ["a", "b"] * 20})
    with pytest.raises(EngineError, match="column 'x' yields no numbers"):
        GaussianCopula.fit(frame, SCHEMA, {"default_distribution": "norm"}, 7, lambda share, note: None)
