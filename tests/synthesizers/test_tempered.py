"""Draws at a temperature: laws whose values are known, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from synthcli.errors import ConfigError
from synthcli.forms import dtype_name
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers import KINDS, synthesizer_class
from synthcli.synthesizers.assembly import TableGenerator, fit_table
from synthcli.synthesizers.forest.pruning import Structure
from synthcli.synthesizers.forest.trees import Bias, Link, Tree
from synthcli.synthesizers.forest.weighting import PARTICLES, complete
from synthcli.synthesizers.protocol import Tempered
from synthcli.synthesizers.tempering import tempered_counts

DRAWS = 20_000
#: The kinds with a bias, and parameters that make them quick.
BIASED: dict[str, dict[str, Any]] = {
    "gaussian_copula": {"default_distribution": "norm"},
    "forest": {},
    "independent": {},
}
EMPIRICAL = {"marginals": "empirical"}
#: Nothing that SDV does to numbers after their draw.
BARE = {"default_distribution": "norm", "enforce_min_max_values": False, "enforce_rounding": False}

#: Shares 8/16, 4/16, 2/16 and 2/16 of 1,600 rows.
PETS = pl.DataFrame({"pet": ["cat"] * 800 + ["dog"] * 400 + ["emu"] * 200 + [None] * 200})
SQUARES = {"cat": 64 / 88, "dog": 16 / 88, "emu": 4 / 88, None: 4 / 88}
ROOTS = {name: share**0.25 for name, share in SQUARES.items()}
LAWS = [(0.5, SQUARES), (2.0, {name: root / sum(ROOTS.values()) for name, root in ROOTS.items()})]


def fit(kind: str, frame: pl.DataFrame, **parameters: Any) -> Any:
    categories = (pl.String, pl.Boolean)
    schema = Schema(
        tuple(
            Column(name, Kind.CATEGORICAL if dtype in categories else Kind.NUMERIC, dtype_name(dtype) or "")
            for name, dtype in frame.schema.items()
        )
    )
    return synthesizer_class(kind).fit(frame, schema, parameters, 7, lambda share, note: None)


def is_near(found: float, share: float, draws: int = DRAWS) -> bool:
    """Say whether a share of ``draws`` is within three standard errors of its law."""
    return bool(abs(found - share) <= 3 * np.sqrt(share * (1 - share) / draws))


def share_of(cells: pl.Series, value: str | float | None) -> float:
    return cells.to_list().count(value) / len(cells)


def has_variance(found: NDArray[np.float64], variance: float) -> bool:
    """Say whether normal numbers have a variance within three standard errors."""
    return bool(abs(found.var() / variance - 1) <= 3 * np.sqrt(2 / len(found)))


def normals(rows: int = 3000) -> pl.DataFrame:
    """Return two normal columns, of correlation 0.6 and of means and variances (10, 4) and (-1, 1)."""
    x, noise = np.random.default_rng(1).standard_normal((2, rows))
    return pl.DataFrame({"x": 10 + 2 * x, "y": 0.6 * x + 0.8 * noise - 1})


@pytest.mark.parametrize("temperature", [0.25, 2.0])
def test_a_copula_of_normals_has_the_temperature_times_their_variance_and_the_same_correlation(
    temperature: float,
) -> None:
    frame = normals()
    model = fit("gaussian_copula", frame, **BARE)
    drawn = model.tempered(temperature).sample(DRAWS, seed=1)
    for name in ("x", "y"):
        variance = temperature * frame[name].to_numpy().var()
        assert has_variance(drawn[name].to_numpy(), variance)
        assert abs(drawn[name].mean() - frame[name].mean()) <= 3 * np.sqrt(variance / DRAWS)
    fitted = model.model._model.correlation.loc["x", "y"]
    found = np.corrcoef(drawn["x"], drawn["y"])[0, 1]
    assert abs(np.arctanh(found) - np.arctanh(fitted)) <= 3 / np.sqrt(DRAWS - 3)


@pytest.mark.parametrize("temperature", [0.25, 2.0])
def test_the_scores_of_empirical_marginals_have_the_temperature_as_their_variance(temperature: float) -> None:
    # Even numbers from 0 to 1, whose ranks are the numbers themselves.
    even = (np.random.default_rng(1).permutation(4000) + 0.5) / 4000
    model = fit("gaussian_copula", pl.DataFrame({"u": even, "v": even[::-1]}), **EMPIRICAL)
    drawn = model.tempered(temperature).sample(DRAWS, seed=1)["u"].to_numpy()
    # Scores are counted, since none lies beyond the ends of the table's numbers.
    for cut in (-1.0, -0.5, 0.5, 1.0):
        assert is_near((drawn <= ndtr(cut)).mean(), ndtr(cut / np.sqrt(temperature)))


@pytest.mark.parametrize("parameters", [BARE, EMPIRICAL])
def test_of_two_categories_the_copula_favours_the_one_that_holds_the_median(parameters: dict[str, Any]) -> None:
    frame = pl.DataFrame({"c": ["a", "b", "b", "b"] * 500, "x": normals(2000)["x"]})
    drawn = fit("gaussian_copula", frame, **parameters).tempered(0.25).sample(DRAWS, seed=1)
    assert is_near((drawn["c"] == "b").mean(), ndtr(ndtri(0.75) / 0.5))


@pytest.mark.parametrize(("parameters", "share"), [(BARE, 0.3), (EMPIRICAL, ndtr(ndtri(0.3) / 0.5))])
def test_missing_numbers_are_biased_where_the_copula_knows_of_them(parameters: dict[str, Any], share: float) -> None:
    frame = normals().with_columns(x=pl.when(pl.int_range(pl.len()) % 10 > 2).then("x"))
    drawn = fit("gaussian_copula", frame, **parameters).tempered(0.25).sample(DRAWS, seed=1)
    assert is_near(drawn["x"].is_null().mean(), share)


@pytest.mark.parametrize("temperature", [0.25, 2.0])
def test_the_copula_completes_rows_by_the_tempered_law(temperature: float) -> None:
    frame = normals()
    model = fit("gaussian_copula", frame, **BARE)
    slope = model.model._model.correlation.loc["x", "y"] * frame["y"].to_numpy().std()
    known = float(frame["x"].mean() + 1.5 * frame["x"].to_numpy().std())  # type: ignore[arg-type, operator]
    found = model.tempered(temperature).complete(pl.DataFrame({"x": [known] * DRAWS}), seed=1).table
    assert set(found["x"]) == {known}
    variance = temperature * (frame["y"].to_numpy().var() - slope**2)
    assert has_variance(found["y"].to_numpy(), variance)
    assert abs(found["y"].mean() - frame["y"].mean() - 1.5 * slope) <= 3 * np.sqrt(variance / DRAWS)


def test_hot_draws_of_a_copula_are_numbers() -> None:
    drawn = fit("gaussian_copula", normals(), **BARE).tempered(100.0).sample(2000, seed=1)
    assert np.isfinite(drawn.to_numpy()).all()


@pytest.mark.parametrize("kind", ["independent", "forest"])
@pytest.mark.parametrize(("temperature", "law"), LAWS)
def test_one_column_of_categories_follows_the_tempered_law(
    kind: str, temperature: float, law: dict[str | None, float]
) -> None:
    drawn = fit(kind, PETS).tempered(temperature).sample(DRAWS, seed=1)["pet"]
    assert set(drawn) == set(law)
    for name, share in law.items():
        assert is_near(share_of(drawn, name), share), name


@pytest.mark.parametrize("kind", ["independent", "forest"])
def test_near_zero_only_the_most_frequent_category_is_left(kind: str) -> None:
    for temperature in (1e-3, 1e-300):
        assert set(fit(kind, PETS).tempered(temperature).sample(500, seed=1)["pet"]) == {"cat"}


def test_independent_completes_rows_by_the_tempered_law() -> None:
    frame = PETS.with_columns(x=pl.lit(1.5))
    found = fit("independent", frame).tempered(0.5).complete(pl.DataFrame({"x": [9.5] * DRAWS}), seed=1).table
    assert is_near(share_of(found["pet"], "dog"), SQUARES["dog"])


def test_common_and_missing_numbers_of_a_forest_are_sharpened_within_their_share_and_intervals_not_at_all() -> None:
    fine = np.random.default_rng(2).normal(10, 1, 1200)
    numbers = pl.Series([0.0] * 1600 + [1.0] * 800 + [None] * 400 + fine.tolist())
    drawn = fit("forest", pl.DataFrame({"x": numbers})).tempered(0.5).sample(DRAWS, seed=1)["x"]
    for value, law in ((0.0, 0.7 * 16 / 21), (1.0, 0.7 * 4 / 21), (None, 0.7 / 21)):
        assert is_near(share_of(drawn, value), law), value
    continuous = drawn.filter(drawn > 2)
    assert is_near(len(continuous) / DRAWS, 0.3)
    # The intervals' own law, from the table's numbers below each of its quartiles.
    for quartile in (0.25, 0.5, 0.75):
        below = (continuous <= float(np.quantile(fine, quartile))).mean()
        assert below == pytest.approx(quartile, abs=3 * np.sqrt(quartile * (1 - quartile) / len(continuous)) + 1 / 60)


def split(low: list[int], high: list[int], strength: float, bias: Bias) -> Tree:
    """Return a tree of one split, whose rows of cell 0 in column 0 draw from ``low``, as a folder would give it."""
    n, m = len(low), len(low) + len(high)
    structure = Structure(np.array([1, -1, -1]), np.array([2, -1, -1]), np.array([0, -1, -1]), np.array([0.5, 0, 0]))
    pool = np.array(low + high, np.int32)
    return Tree(structure, (0,), (None,), np.array([0, 0, n]), np.array([m, n, m]), pool, strength, bias)


def test_leaf_and_prior_are_tempered_each_by_itself_in_draws_and_in_chances() -> None:
    tree = split([0, 0, 0, 1], [1, 1, 2, 2], 4.0, Bias(0.5, None))
    columns, rows = [np.array([0, 1])], np.array([0, 1])
    # Half the time the leaf's squares (9:1 and 4:4), half the time those of all eight (9:9:4).
    law = (np.array([[9 / 10, 1 / 10, 0], [0, 1 / 2, 1 / 2]]) + np.array([9, 9, 4]) / 22) / 2
    drawn = tree.draw(columns, np.repeat(rows, DRAWS), np.random.default_rng(1)).reshape(2, -1)
    for cell in range(3):
        assert tree.chances(columns, rows, np.full(2, cell)) == pytest.approx(law[:, cell])
        assert all(is_near((drawn[row] == cell).mean(), law[row, cell]) for row in rows)


def test_a_number_of_a_run_is_moved_within_its_own_leaf() -> None:
    tree = split([0, 0, 0, 0, 1, 1], [1, 1, 2, 2, 2, 2], 0.0, Bias(0.5, None))
    columns = [np.repeat([0, 1], 500)]
    drawn = tree.draw(columns, np.arange(1000), np.random.default_rng(1), np.array([0, 0, 0, -1]))
    assert [set(part.tolist()) for part in np.split(drawn, 2)] == [{0, 1}, {1, 2}]


def test_rows_are_completed_by_the_tempered_law_of_the_chain() -> None:
    # Cell 0 in 3 of 4 rows; after it, 1 is 1 in 5, and else 4 in 5. Squares: 9 to 1; 16 to 1 and 1 to 16.
    pool = np.array([0, 0, 0, 1], np.int32)
    first = Tree(Structure.stump(), (), (), np.array([0]), np.array([4]), pool, 0.0)
    second = split([0, 0, 0, 0, 1], [0, 1, 1, 1, 1], 0.0, Bias(0.9, None))
    chain = [Link("a", None, (first,)).tempered(0.5), Link("b", None, (second,)).tempered(0.5)]
    ones = np.ones(DRAWS, np.int64)
    found = complete(chain, {"b": (ones, ones == 1)}, DRAWS, 1)[0]
    # A row's particles: 9 of 10 are of cell 0, with a weight of 1/17, the others with 16/17. Exactly, for their number.
    zeros = np.arange(PARTICLES + 1)
    shares = zeros / (zeros + 16 * (PARTICLES - zeros))
    assert is_near((found == 0).mean(), float(binom.pmf(zeros, PARTICLES, 0.9) @ shares))


def test_counts_of_each_group_keep_their_sum_and_are_shared_by_their_powers() -> None:
    counts, starts = np.array([3, 1, 5, 2, 2]), np.array([0, 2, 3])
    assert tempered_counts(counts, starts, 0.5) == pytest.approx([3.6, 0.4, 5, 2, 2])
    assert tempered_counts(counts, starts, 1.0) == pytest.approx(counts)
    assert tempered_counts(np.array([10**18, 1]), starts[:1], 0.01) == pytest.approx([1e18, 0])
    assert len(tempered_counts(counts[:0], starts[:0], 0.5)) == 0


@pytest.mark.parametrize("kind", BIASED)
def test_at_one_the_rows_are_the_model_s_own_and_temperatures_multiply(kind: str, tmp_path: Path) -> None:
    model = fit(kind, PETS.with_columns(x=normals(1600)["x"]), **BIASED[kind])
    model.save(tmp_path)
    own = model.sample(300, seed=1)
    assert model.tempered(1.0).sample(300, seed=1).equals(own)
    assert model.tempered(0.5).tempered(2.0).sample(300, seed=1).equals(own)
    cold = model.tempered(0.25).sample(300, seed=1)
    assert not cold.equals(own)
    assert model.tempered(0.5).tempered(1.0).tempered(0.5).sample(300, seed=1).equals(cold)
    assert type(model).load(tmp_path).tempered(0.25).sample(300, seed=1).equals(cold)


@pytest.mark.parametrize("kind", BIASED)
@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_temperature_is_refused(kind: str, temperature: float) -> None:
    with pytest.raises(ValueError, match="finite number above 0"):
        fit(kind, PETS, **BIASED[kind]).tempered(temperature)


def test_temperatures_whose_product_is_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"finite number above 0, not 0\.0"):
        fit("independent", PETS).tempered(1e-200).tempered(1e-200)


@pytest.mark.parametrize("kind", BIASED)
def test_a_tempered_model_is_not_saved(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"at temperature 0\.5 cannot be saved"):
        fit(kind, PETS, **BIASED[kind]).tempered(0.5).save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def whole(kind: str) -> TableGenerator:
    frame = PETS.with_columns(id=pl.format("P-{}", pl.int_range(1000, 2600)))
    schema = Schema((Column("pet", Kind.CATEGORICAL, "String"), Column("id", Kind.ID, "String")))
    return fit_table(frame, schema, kind, {}, 7, lambda share, note: None)


def test_a_generator_of_tables_is_tempered_by_its_synthesizer_and_stays_as_it_was() -> None:
    generator = whole("independent")
    assert generator.tempered(1.0) is generator
    before = generator.sample(100, seed=1)
    drawn = generator.tempered(0.5).sample(DRAWS, seed=1)
    assert is_near(share_of(drawn["pet"], "cat"), SQUARES["cat"])
    assert drawn["id"].is_unique().all()
    assert generator.sample(100, seed=1).equals(before)


def test_a_kind_without_a_bias_is_refused_with_the_names_of_those_that_have_one() -> None:
    generator = whole("bootstrap")
    assert generator.tempered(1.0) is generator
    with pytest.raises(ConfigError, match="the kind bootstrap has no sampling bias") as caught:
        generator.tempered(0.5)
    biased = {kind for kind in KINDS if issubclass(synthesizer_class(kind), Tempered)}
    assert biased == set(BIASED)
    assert {kind for kind in KINDS if kind in caught.value.hint} == biased
    with pytest.raises(ValueError, match="finite number above 0"):
        generator.tempered(-1.0)


def test_a_generator_of_tables_is_not_saved_at_a_temperature(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be saved"):
        whole("forest").tempered(2.0).save(tmp_path)
