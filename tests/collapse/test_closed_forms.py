"""Generations against their closed forms, through the command's own path: within three standard errors, or it is wrong.

Tables have several independent columns of one law, so that a chain is several experiments at once; standard errors are
over chains. Variances of outputs are sample variances (n - 1 under the sum), whose mean is the law's variance and whose
mean logarithm is that of the law's plus ψ((n-1)/2) - log((n-1)/2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from numpy.typing import NDArray
from scipy.special import digamma

from benchmarks.plain import registered
from synthcli.app import run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")]

Floats = NDArray[np.float64]
CHAINS = 400


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    with registered():
        yield


@dataclass(frozen=True)
class Ran:
    """The trajectories of a run, and the moments of its real rows."""

    values: pl.DataFrame
    train: pl.DataFrame
    holdout: pl.DataFrame

    def of(self, regime: str, metric: str, generation: int) -> Floats:
        """Return the values of one generation: (chains, columns)."""
        chosen = self.values.filter(
            (pl.col("regime") == regime) & (pl.col("metric") == metric) & (pl.col("generation") == generation)
        )
        wide = chosen.filter(pl.col("column").is_not_null()).pivot(on="column", index="chain", values="value")
        return wide.sort("chain").drop("chain").to_numpy()

    def variances(self, regime: str, generation: int) -> Floats:
        """Return output variances over the training part's, (chains, columns)."""
        real = self.train.to_numpy().var(axis=0)
        ruled_by = self.holdout.to_numpy().var(axis=0, ddof=1)
        return np.exp(self.of(regime, "log_variance_ratio", generation)) * ruled_by / real


def simulated(
    folder: Path, table: pl.DataFrame, synthesizer: dict, metrics: list[str], workers: int = 1, **section: object
) -> Ran:
    table.write_parquet(folder / "real.parquet")
    config = {
        "data": {"path": "real.parquet"},
        "split": {"method": "random", "holdout": 0.2},
        "protection": {"rare_category_min_count": 0, "clip_extremes": 0},
        "synthesizer": synthesizer,
        "collapse_sim": {"chains": CHAINS, "metrics": metrics, **section},
        "run": {"seed": 11, "workers": workers, "output_dir": "out"},
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    for words in (["split"], ["collapse-sim"]):
        assert run([*words, "-c", str(folder / "c.yaml"), "-q", "--json"]) == 0
    out = folder / "out"
    return Ran(
        pl.read_parquet(out / "collapse-sim" / "trajectories.parquet"),
        pl.read_parquet(out / "split" / "train.parquet"),
        pl.read_parquet(out / "split" / "holdout.parquet"),
    )


def normal(columns: int, rows: int = 30_000) -> pl.DataFrame:
    random = np.random.default_rng(3)
    return pl.DataFrame({f"x{number}": random.standard_normal(rows) for number in range(columns)})


def agrees(found: Floats, expected: float, effect: float) -> None:
    """Assert that the mean over chains is the expected one, known to 3 % of the effect."""
    each = found.mean(axis=1)
    assert len(each) >= CHAINS
    error = each.std(ddof=1) / np.sqrt(len(each))
    assert error <= 0.03 * abs(effect), f"standard error {error:.4f} of an effect of {effect:.4f}"
    assert abs(each.mean() - expected) <= 3 * error, f"{each.mean():.4f} ± {error:.4f}, expected {expected:.4f}"


def log_bias(rows: int, ddof: int) -> float:
    """Return the mean logarithm of a fitted variance of ``rows`` normal rows over the true one."""
    return float(digamma((rows - 1) / 2) - np.log((rows - ddof) / 2))


def moments(generations: int, rows: int, fresh: float, bias: float = 1.0) -> list[float]:
    """Return E of the fitted variance at generation 1, 2, … of the regime fresh, by the exact recursion."""
    mean, variance = 1 / rows, 1 - 1 / rows
    found = [variance]
    for _ in range(generations - 1):
        fitted_mean = (1 - fresh) ** 2 * mean + (fresh + (1 - fresh) * bias * variance) / rows
        variance = fresh + (1 - fresh) * (bias * variance + mean) - fitted_mean
        mean = fitted_mean
        found.append(variance)
    return found


def test_the_recursion_ends_at_the_closed_form() -> None:
    for rows, fresh in ((100, 0.1), (100, 0.5), (20, 0.1)):
        denominator = rows * fresh * (2 - fresh) + 1 - fresh
        assert moments(500, rows, fresh)[-1] == pytest.approx(1 - 1 / denominator, rel=1e-9)
    assert moments(500, 100, 0.5, 0.9)[-1] == pytest.approx(0.8981, abs=5e-5)


@pytest.mark.parametrize("ddof", [0, 1], ids=["maximum likelihood", "unbiased"])
def test_replace_loses_its_variance(tmp_path: Path, ddof: int) -> None:
    rows, last = 50, 40
    section = {"regimes": ["replace"], "rows": rows, "generations": last}
    ran = simulated(
        tmp_path,
        normal(8),
        {"kind": "plain", "ddof": ddof, "joint": False},
        ["log_variance_ratio", "mean_shift"],
        **section,
    )
    for generation in (1, 10, last):
        logs = np.log(ran.variances("replace", generation))
        expected = generation * log_bias(rows, ddof) + log_bias(rows, 1)
        if generation == last:
            agrees(logs, expected, generation * log_bias(rows, ddof))
        else:
            each = logs.mean(axis=1)
            assert abs(each.mean() - expected) < 3 * each.std(ddof=1) / np.sqrt(len(each))
    if ddof == 0:  # the mean wanders as far as the variance shrinks: their sum stays 1
        early = 10  # its square is too skewed later on
        left = (1 - 1 / rows) ** early
        scale = ran.holdout.to_numpy().std(axis=0, ddof=1)
        centre = (ran.holdout.to_numpy().mean(axis=0) - ran.train.to_numpy().mean(axis=0)) / scale
        shift = (ran.of("replace", "mean_shift", early) + centre) * scale / ran.train.to_numpy().std(axis=0)
        agrees(shift**2, 1 - left + left / rows, 1 - left)


def test_accumulation_is_bounded(tmp_path: Path) -> None:
    rows, last = 10, 6
    section = {"regimes": ["accumulate"], "rows": rows, "generations": last}
    ran = simulated(tmp_path, normal(72), {"kind": "plain", "joint": False}, ["log_variance_ratio"], **section)
    expected = np.prod([1 - 1 / (rows * k * k) for k in range(1, last + 1)])
    agrees(ran.variances("accumulate", last), expected, 1 - expected)
    root = np.pi / np.sqrt(rows)
    assert expected > np.sin(root) / root  # it never falls below the limit of endless accumulation


def test_fresh_rows_hold_the_variance_up(tmp_path: Path) -> None:
    rows, last, fresh = 10, 12, 0.1
    section = {"regimes": ["fresh"], "fresh": [fresh], "rows": rows, "generations": last}
    ran = simulated(tmp_path, normal(30), {"kind": "plain", "joint": False}, ["log_variance_ratio"], **section)
    expected = moments(last, rows, fresh)[-1]
    agrees(ran.variances("fresh", last), expected, 1 - expected)


def test_a_fixed_real_set_holds_it_up_to_its_own_variance(tmp_path: Path) -> None:
    rows, last, real = 10, 8, 0.5
    section = {"regimes": ["augment"], "real_weight": real, "rows": rows, "generations": last}
    ran = simulated(tmp_path, normal(30), {"kind": "plain", "joint": False}, ["log_variance_ratio"], **section)
    fixed = round(real * rows)
    inner = (rows - fixed) * real * (2 - real)
    expected = (1 - 1 / fixed) * inner / (inner + (1 - real) ** 2)
    agrees(ran.variances("augment", last), expected, 1 - expected)


def test_a_biased_draw_contracts(tmp_path: Path) -> None:
    rows, last, fresh, bias = 100, 12, 0.5, 0.9
    section = {"regimes": ["fresh"], "fresh": [fresh], "rows": rows, "generations": last, "temperature": bias}
    ran = simulated(tmp_path, normal(12), {"kind": "plain", "joint": False}, ["log_variance_ratio"], **section)
    expected = moments(last, rows, fresh, bias)[-1]
    agrees(ran.variances("fresh", last) / bias, expected, 1 - expected)


def test_heterozygosity_falls_by_one_over_n(tmp_path: Path) -> None:
    rows, last, categories = 200, 20, 50
    law = 1 / np.arange(1, categories + 1)
    table = categorical(law / law.sum(), columns=2)
    section = {"regimes": ["replace"], "rows": rows, "generations": last}
    ran = simulated(tmp_path, table, {"kind": "plain"}, ["heterozygosity"], **section)
    shares = [column.value_counts()["count"].to_numpy() / len(column) for column in ran.train]
    start = np.array([1 - (share**2).sum() for share in shares])
    # One generation is a fit and a draw of n rows; its output is one draw later than its fit.
    expected = start.mean() * (1 - 1 / rows) ** (last + 1)
    agrees(ran.of("replace", "heterozygosity", last), expected, start.mean() - expected)


def test_rare_categories_die_out_by_their_count(tmp_path: Path) -> None:
    """P(alive) = 1 - exp(-n p s_t) with s_1 = 1, s_{t+1} = 1 - exp(-s_t), exact as p goes to 0."""
    rows, last, rare = 400, 12, 40
    share = 1 / rows
    table = categorical(np.append(np.full(rare, share), 1 - rare * share), columns=2)
    section = {"regimes": ["replace"], "rows": rows, "generations": last}
    ran = simulated(tmp_path, table, {"kind": "plain"}, ["rare_category_survival"], **section)
    shares = np.concatenate([column.value_counts()["count"].to_numpy() / len(column) for column in ran.train])
    shares = shares[shares < 0.01]
    alive = 1.0
    expected = {}
    for generation in range(1, last + 1):
        alive = 1 - np.exp(-alive)
        expected[generation] = float((1 - np.exp(-rows * shares * alive)).mean())
    for generation in (5, 10, last):
        found = ran.of("replace", "rare_category_survival", generation)
        agrees(found, expected[generation], 1 - expected[generation])


def test_sdvs_copula_is_a_normal_law_by_maximum_likelihood(tmp_path: Path) -> None:
    """One column: those of a copula are not independent, since their sample correlations are learned too."""
    rows, last = 10, 17
    section = {"regimes": ["replace"], "rows": rows, "generations": last}
    synthesizer = {
        "kind": "gaussian_copula",
        "default_distribution": "norm",
        "enforce_min_max_values": False,
        "enforce_rounding": False,
    }
    ran = simulated(tmp_path, normal(1), synthesizer, ["log_variance_ratio"], workers=2, **section)
    effect = last * log_bias(rows, 0)
    agrees(np.log(ran.variances("replace", last)), effect + log_bias(rows, 1), effect)


def categorical(law: Floats, columns: int, rows: int = 40_000) -> pl.DataFrame:
    """Return columns of categories with as many rows each as their share asks for."""
    counts = np.round(law * rows).astype(int)
    cells = np.repeat([f"c{number:02d}" for number in range(len(law))], counts)
    random = np.random.default_rng(5)
    return pl.DataFrame({f"c{number}": random.permutation(cells) for number in range(columns)})
