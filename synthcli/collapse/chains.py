"""Chains: one history of generations, run from the first to the last and measured at each.

A chain depends on the seed, its regime and its number, and on nothing else: not on other chains, on the process that
runs it or on how many there are. Its random choices are named by chain, generation and role, and not by the regime, so
that all regimes of a chain start from the same real rows, the same first generator and the same first output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from synthcli import parallel
from synthcli.artifacts import atomic_path
from synthcli.collapse.case import Case, loaded
from synthcli.collapse.measures import BY_NAME
from synthcli.collapse.regimes import Arm, Reality, rows_to_learn
from synthcli.collapse.ruler import Observation
from synthcli.errors import SynthcliError
from synthcli.seeds import generator

#: Told after each generation which one is done.
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """What was measured of one chain, generation by generation; generation 0 are n real rows.

    Attributes
    ----------
    values
        (generations + 1, values): in the order of ``Ruler.names``; NaN where a generation was not measured.
    shown
        (generations + 1, tracked categories): whether the output shows each.
    densities
        (generations + 1, columns, bins): the outlines of some columns.
    broken
        The first generation whose generator could not be fitted on what it was given, 0 where there is none. From it
        on, what was measured last stands for all that would have come.
    """

    values: NDArray[np.float64]
    shown: NDArray[np.bool_]
    densities: NDArray[np.float64]
    broken: int

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, values=self.values, shown=self.shown, densities=self.densities, broken=np.array(self.broken)
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote; nothing in it is executed."""
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return cls(found["values"], found["shown"], found["densities"], int(found["broken"]))


def measured_at(every: int, generation: int, generations: int) -> bool:
    """Return whether a metric that is taken every so many generations is taken at this one: first and last are."""
    return generation <= 1 or (generations - generation) % every == 0


def run_chain(case: Case, arm: Arm, chain: int, tell: Tell) -> Trajectory:
    """Run one chain; raises what the first generator's fit raises, since then there is nothing to simulate."""
    real = Reality.of(case.train, case.rows, case.seed, chain)
    found = [_measured(case, real.zero, arm, chain, 0)]
    outputs: list[pl.DataFrame] = []
    broken = 0
    for generation in range(1, arm.generations + 1):
        random = generator(case.seed, "collapse", chain, generation, "subsample")
        try:
            learned = rows_to_learn(arm, generation, real, outputs, random)
            outputs.append(case.output(learned, "collapse", chain, generation))
        except SynthcliError:
            if generation == 1:
                raise
            broken = generation
            break
        if arm.regime not in ("accumulate", "accumulate-subsample"):
            del outputs[:-1]
        found.append(_measured(case, outputs[-1], arm, chain, generation))
        tell(generation)
    return _trajectory(found, arm.generations, broken)


def run_task(folder: str, arm: Arm, chain: int) -> Trajectory:
    """Run one chain of the case in ``folder``: the task of a worker process.

    Libraries keep to one thread: several workers share the machine, and sums of floats must not depend on how many.
    """
    with threadpool_limits(1), parallel.kept_to(1):
        return run_chain(loaded(folder), arm, chain, lambda generation: None)


def _measured(case: Case, output: pl.DataFrame, arm: Arm, chain: int, generation: int) -> Observation:
    wanted = [name for name in case.ruler.measurable if measured_at(BY_NAME[name].every, generation, arm.generations)]
    return case.ruler.measure(output, wanted, f"{chain}/{generation}")


def _trajectory(found: list[Observation], generations: int, broken: int) -> Trajectory:
    """Return the observations as arrays; of a chain that broke, each metric's last value goes on."""
    values = np.stack([one.values for one in found])
    if broken:
        last = values[-1].copy()
        for earlier in values[::-1]:
            last = np.where(np.isnan(last), earlier, last)
        found = [*found, *(found[-1]._replace(values=last) for _ in range(generations + 1 - len(found)))]
    return Trajectory(
        np.stack([one.values for one in found]),
        np.stack([one.shown for one in found]),
        np.stack([one.densities for one in found]),
        broken,
    )
