"""Regimes: what each generation learns from, given the real rows of its chain and the outputs so far.

Every generation learns from n rows, those of ``accumulate`` from more each time. The names are those of the literature
(Alemohammad et al. 2023, arXiv:2307.01850; Gerstgrasser et al. 2024, arXiv:2404.01413; Kazdan et al. 2024,
arXiv:2410.16713). In all of them the first generation learns from the same n real rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.seeds import generator

Regime = Literal["control", "replace", "augment", "fresh", "accumulate", "accumulate-subsample"]
CONTROL: Regime = "control"


@dataclass(frozen=True, slots=True)
class Arm:
    """One regime with its numbers.

    Attributes
    ----------
    rows
        n, the rows of a generation.
    real_rows
        Real rows among what a generation learns from: the fixed ones of ``augment``, the new ones of ``fresh``, all n
        of ``control``; else 0.
    generations
        How many generators learn one after the other.
    named_rows
        Whether the fresh rows were asked for as a number, and not as a share.
    asked
        Whether somebody asked for it; else it serves the prediction or the search alone.
    """

    regime: Regime
    rows: int
    real_rows: int
    generations: int
    named_rows: bool = field(default=False, compare=False)
    asked: bool = field(default=True, compare=False)

    @property
    def name(self) -> str:
        """What a report calls it."""
        if self.regime != "fresh":
            return self.regime
        return f"fresh {self.real_rows} rows" if self.named_rows else f"fresh {self.real_rows / self.rows:.6g}"

    @property
    def fresh_share(self) -> float | None:
        """The share of new real rows in a generation; ``None`` where the word does not apply."""
        if self.regime in ("control", "replace", "fresh"):
            return self.real_rows / self.rows
        return None

    @property
    def drawn(self) -> int:
        """New real rows that each generation after the first takes from the reservoir."""
        return self.real_rows if self.regime in ("control", "fresh") else 0


class Reality(NamedTuple):
    """The real rows of one chain: the training part in the chain's own order, the first n of them generation 0.

    What follows them is the reservoir of fresh rows. It is taken in order; where it is used up, it starts again.
    """

    table: pl.DataFrame
    order: NDArray[np.intp]
    rows: int

    @classmethod
    def of(cls, table: pl.DataFrame, rows: int, seed: int, chain: int) -> Reality:
        """Put the rows in an order that depends on seed and chain alone: all regimes of a chain have the same."""
        return cls(table, generator(seed, "collapse", chain, "real rows").permutation(table.height), rows)

    @property
    def zero(self) -> pl.DataFrame:
        """The real rows that the first generator learns from."""
        return self.table[self.order[: self.rows]]

    def fresh(self, count: int, generation: int) -> pl.DataFrame:
        """Return ``count`` rows of the reservoir that are new in ``generation`` (2, 3, …), each of which takes as many.

        ``count`` is at most the reservoir, so that no row stands twice in one generation.
        """
        start = (generation - 2) * count
        return self.table[self.order[self.rows + np.arange(start, start + count) % reservoir(self)]]


def reservoir(real: Reality) -> int:
    """Return how many fresh rows a chain has."""
    return len(real.order) - real.rows


def recycled_from(arm: Arm, reservoir: int) -> int | None:
    """Return the first generation in which fresh rows are used for a second time, ``None`` where there is none."""
    if not arm.drawn:
        return None
    first = reservoir // arm.drawn + 2
    return first if first <= arm.generations else None


def rows_to_learn(
    arm: Arm, generation: int, real: Reality, outputs: Sequence[pl.DataFrame], random: np.random.Generator
) -> pl.DataFrame:
    """Return what ``generation`` (1, 2, …) learns from.

    Parameters
    ----------
    outputs
        Of the generations before, the first first; each has n rows. Only ``accumulate`` and ``accumulate-subsample``
        look at others than the last.
    random
        Draws the rows of ``accumulate-subsample``.
    """
    if generation == 1:
        return real.zero
    if arm.regime == "control":
        return real.fresh(arm.rows, generation)
    if arm.regime in ("accumulate", "accumulate-subsample"):
        whole = pl.concat([real.zero, *outputs])
        kept = np.sort(random.permutation(whole.height)[: arm.rows])
        return whole if arm.regime == "accumulate" else whole[kept]
    made = outputs[-1].head(arm.rows - arm.real_rows)
    if arm.regime == "augment":
        return pl.concat([real.zero.head(arm.real_rows), made])
    return pl.concat([real.fresh(arm.real_rows, generation), made]) if arm.real_rows else made


def rows_learned(arm: Arm) -> int:
    """Return how many rows all generations of a chain learn from together, which is what its time goes by."""
    n, times = arm.rows, arm.generations
    return n * times * (times + 1) // 2 if arm.regime == "accumulate" else n * times
