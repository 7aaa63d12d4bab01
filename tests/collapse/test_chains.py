"""Chains: the same history whoever runs it, what arms share, and what becomes of a chain that breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import columns

from benchmarks.plain import registered
from synthcli import synthesizers
from synthcli.collapse.case import Case
from synthcli.collapse.chains import Trajectory, measured_at, run_chain, run_task
from synthcli.collapse.regimes import Arm
from synthcli.config import ProtectionSection
from synthcli.errors import BadTableError
from synthcli.executors import each_done, executor
from synthcli.schema import Schema
from synthcli.seeds import generator
from synthcli.synthesizers.protocol import Progress

ROWS = 20
REPLACE = Arm("replace", ROWS, 0, 3)
ARMS = (
    REPLACE,
    Arm("control", ROWS, ROWS, 3),
    Arm("augment", ROWS, 10, 3),
    Arm("fresh", ROWS, 5, 3),
    Arm("accumulate", ROWS, 0, 3),
    Arm("accumulate-subsample", ROWS, 0, 3),
)


def real(rows: int, seed: int) -> pl.DataFrame:
    random = generator(seed, "real")
    return pl.DataFrame(
        {"c": random.choice(list("abcd"), rows, p=[0.5, 0.3, 0.15, 0.05]), "x": random.normal(size=rows)}
    )


def case(**changes: Any) -> Case:
    whole = Case(
        real(80, 1), real(40, 2), columns(c="categorical", x="numeric"), "independent", {}, 1.0,
        ProtectionSection(rare_category_min_count=0, clip_extremes=0), (), ROWS,
        ("tvd", "mean_shift", "c2st_auc"), None, (), 7,
    )  # fmt: skip
    return replace(whole, **changes)


def silent(generation: int) -> None:
    """Hear which generation is done and say nothing."""


def ran(one: Case, arm: Arm = REPLACE, chain: int = 0) -> Trajectory:
    return run_chain(one, arm, chain, silent)


def same(one: Trajectory, other: Trajectory) -> bool:
    """Whether all numbers are equal to the last bit."""
    return (
        np.array_equal(one.values, other.values, equal_nan=True)
        and np.array_equal(one.shown, other.shown)
        and np.array_equal(one.densities, other.densities)
        and one.broken == other.broken
    )


CHEAP = case(metrics=("tvd", "mean_shift"))


@pytest.fixture(scope="module")
def histories() -> dict[Arm, Trajectory]:
    """One chain of every regime."""
    return {arm: ran(CHEAP, arm) for arm in ARMS}


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param(("tvd", "mean_shift", "w1", "entropy"), id="sums"),
        pytest.param(("tvd", "c2st_auc"), id="trees", marks=pytest.mark.slow),  # libraries that take seconds to load
    ],
)
def test_a_chain_is_the_same_in_any_process_and_any_order(tmp_path: Path, metrics: tuple[str, ...]) -> None:
    """To the last bit, whatever threads a process has."""
    one = case(train=real(200, 1), holdout=real(100, 2), rows=80, metrics=metrics)
    one.save(tmp_path)
    tasks = [(Arm("replace", 80, 0, 2), 0), (Arm("replace", 80, 0, 2), 1), (Arm("fresh", 80, 8, 2), 0)]
    here = {key: run_task(str(tmp_path), *key) for key in tasks}
    again = {key: run_task(str(tmp_path), *key) for key in reversed(tasks)}
    with executor(2) as pool:
        beside = dict(each_done(pool, ((key, run_task, (str(tmp_path), *key)) for key in tasks), 4))
    for key in tasks:
        assert same(here[key], again[key])
        assert same(here[key], beside[key])
        assert same(here[key], ran(one, *key))
    assert not same(here[tasks[0]], here[tasks[1]])


def test_all_regimes_of_a_chain_share_real_rows_and_the_first_generation(histories: dict[Arm, Trajectory]) -> None:
    for trajectory in histories.values():
        assert np.array_equal(trajectory.values[:2], histories[REPLACE].values[:2])
    later = [trajectory.values[2:] for trajectory in histories.values()]
    assert not any(np.array_equal(one, other) for place, one in enumerate(later) for other in later[:place])


def test_another_chain_and_another_seed_are_other_histories(histories: dict[Arm, Trajectory]) -> None:
    for other in (ran(CHEAP, chain=1), ran(replace(CHEAP, seed=8))):
        assert (other.values != histories[REPLACE].values).any(axis=1).all()  # from generation 0 on


def test_a_longer_arm_begins_like_a_shorter_one(histories: dict[Arm, Trajectory]) -> None:
    longer = ran(CHEAP, replace(REPLACE, generations=5))
    assert np.array_equal(longer.values[:4], histories[REPLACE].values)


def test_generation_zero_is_real_rows_and_the_others_are_told_one_by_one() -> None:
    told: list[int] = []
    trajectory = run_chain(CHEAP, REPLACE, 0, told.append)
    assert told == [1, 2, 3]
    assert trajectory.values.shape == (4, len(CHEAP.ruler.names))
    assert trajectory.shown.shape == (4, len(CHEAP.ruler.tracked))
    assert trajectory.densities.shape == (4, 1, 26)
    order = generator(7, "collapse", 0, "real rows").permutation(80)[:ROWS]
    first = CHEAP.ruler.measure(CHEAP.train[order], CHEAP.ruler.measurable, "0/0")
    assert np.array_equal(trajectory.values[0], first.values)


def test_every_third_generation_is_counted_from_the_last() -> None:
    assert [t for t in range(11) if measured_at(3, t, 10)] == [0, 1, 4, 7, 10]
    assert [t for t in range(4) if measured_at(3, t, 3)] == [0, 1, 3]
    assert [t for t in range(6) if measured_at(1, t, 5)] == [0, 1, 2, 3, 4, 5]


def test_what_is_measured_in_every_third_generation_alone_is_nan_in_the_others() -> None:
    one = case()
    values = ran(one).values
    place = one.ruler.names.index(("c2st_auc", ""))
    assert np.flatnonzero(np.isfinite(values[:, place])).tolist() == [0, 1, 3]
    assert np.isfinite(np.delete(values, place, axis=1)).all()


# --- chains that break ---


@dataclass(frozen=True)
class Climber:
    """Puts out what it learned plus 1, and cannot be fitted on a number above ``most``: history in a column."""

    rows: pl.DataFrame

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Climber:
        if train["x"].max() > parameters["most"]:  # type: ignore[operator]
            raise parameters.get("error", BadTableError)("there is nothing to learn")
        return cls(train)

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        return self.rows.head(rows).with_columns(pl.col("x") + 1)


@dataclass(frozen=True)
class Dice:
    """Learns nothing: what it puts out shows its seed."""

    rows: pl.DataFrame

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Dice:
        return cls(train)

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        return self.rows.head(rows).with_columns(x=generator(seed).normal(size=rows))


def test_draws_are_named_by_chain_and_generation_and_not_by_regime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(synthesizers.KINDS, "dice", f"{__name__}:Dice")
    thrown = case(kind="dice", metrics=("mean_shift",))
    found = {(arm, chain): ran(thrown, arm, chain).values[1:, 0] for arm in ARMS for chain in (0, 1)}
    for arm in ARMS:
        assert np.array_equal(found[arm, 0], found[REPLACE, 0])
    assert len({*found[REPLACE, 0], *found[REPLACE, 1]}) == 6


@pytest.fixture
def climbing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(synthesizers.KINDS, "climber", f"{__name__}:Climber")
    with registered():
        yield


def climber(most: float, **parameters: Any) -> Case:
    """Real numbers lie in 0 to .9, so that generation t puts out t to t + .9 and learns t - 1 to t - .1."""
    train = pl.DataFrame({"c": ["a", "b"] * 40, "x": np.arange(80) % 10 / 10})
    return case(train=train, holdout=train, kind="climber", parameters={"most": most, **parameters})


@pytest.mark.usefixtures("climbing")
def test_a_chain_that_breaks_stays_where_it_was() -> None:
    """Generation 4 learns 3 to 3.9. What is measured in every third generation was measured last in the first."""
    one, told = climber(3.0), list[int]()
    trajectory = run_chain(one, replace(REPLACE, generations=7), 0, told.append)
    whole = ran(climber(99.0), replace(REPLACE, generations=7))
    assert (trajectory.broken, whole.broken) == (4, 0)
    assert told == [1, 2, 3]
    assert trajectory.values.shape == whole.values.shape
    assert np.array_equal(trajectory.values[:4], whole.values[:4], equal_nan=True)
    every = np.array([metric != "c2st_auc" for metric, _ in one.ruler.names])
    for later in range(4, 8):
        assert np.array_equal(trajectory.values[later, every], trajectory.values[3, every])
        assert trajectory.values[later, ~every] == trajectory.values[1, ~every]
        assert np.array_equal(trajectory.shown[later], trajectory.shown[3])
        assert np.array_equal(trajectory.densities[later], trajectory.densities[3])
    shift = one.ruler.names.index(("mean_shift", "x"))
    sd = float(one.holdout["x"].std())  # type: ignore[arg-type]
    assert np.diff(trajectory.values[1:, shift]) * sd == pytest.approx([1, 1, 0, 0, 0, 0])


@pytest.mark.usefixtures("climbing")
def test_real_rows_that_cannot_be_learned_are_an_error() -> None:
    with pytest.raises(BadTableError, match="nothing to learn"):
        ran(climber(0.5))


@pytest.mark.usefixtures("climbing")
def test_a_mistake_in_the_program_is_no_broken_chain() -> None:
    with pytest.raises(ZeroDivisionError):
        ran(climber(1.5, error=ZeroDivisionError))


# --- files ---


def test_a_trajectory_comes_back_as_it_was(tmp_path: Path, histories: dict[Arm, Trajectory]) -> None:
    broken = Trajectory(
        np.array([[0.1, np.nan], [1 / 3, np.inf]]), np.array([[True], [False]]), np.full((2, 1, 3), 0.25), broken=1
    )
    for number, one in enumerate((*histories.values(), broken)):
        one.save(tmp_path / f"{number}.npz")
        back = Trajectory.load(tmp_path / f"{number}.npz")
        assert same(one, back)
        assert isinstance(back.broken, int)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{number}.npz" for number in range(7)]


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    wicked = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "t.npz", values=wicked, shown=np.zeros(1), densities=np.zeros(1), broken=np.array(0))
    with pytest.raises(ValueError, match="allow_pickle"):
        Trajectory.load(tmp_path / "t.npz")
