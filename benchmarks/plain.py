"""A generator whose generations have closed forms: a normal law, and categories by frequency.

It is no part of the package; ``registered`` makes it known to it, for tests and for the rule's own characteristics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from synthcli import synthesizers
from synthcli.config import generators
from synthcli.config.generators import Bootstrap
from synthcli.schema import Schema
from synthcli.seeds import generator
from synthcli.synthesizers.protocol import Progress


class PlainSection(Bootstrap):
    """``ddof`` 0 is maximum likelihood, 1 the unbiased variance."""

    kind: Literal["plain"] = Field(description="The kind of generator.")  # type: ignore[assignment]
    ddof: int = Field(default=0, description="What is taken off the number of rows under a variance.")
    joint: bool = Field(default=True, description="Whether numbers keep their covariances; false: each by itself.")


@dataclass(frozen=True)
class Plain:
    """Numbers from one normal law with all their covariances; categories each by itself, as often as they were seen.

    A draw's covariance is ``temperature`` times the fitted one: the contraction λ of the literature.
    """

    dtypes: Mapping[str, Any]
    mean: NDArray[np.float64]
    root: NDArray[np.float64]
    levels: Mapping[str, tuple[pl.Series, NDArray[np.float64]]]
    temperature: float = 1.0

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Plain:
        numeric = [column.name for column in schema if column.ordered]
        values = train.select(numeric).to_numpy() if numeric else np.empty((train.height, 0))
        centred = values - values.mean(axis=0)
        divisor = train.height - parameters["ddof"]
        if parameters["joint"]:
            root = np.linalg.cholesky(centred.T @ centred / divisor)
        else:
            root = np.diag(np.sqrt((centred**2).sum(axis=0) / divisor))
        counted = {c.name: train[c.name].value_counts(sort=True) for c in schema if not c.ordered}
        levels = {
            name: (found[name], found["count"].to_numpy().cumsum() / train.height) for name, found in counted.items()
        }
        return cls(dict(train.schema), values.mean(axis=0), root, levels)

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def tempered(self, temperature: float) -> Plain:
        return replace(self, temperature=temperature)

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        random = generator(seed, "plain")
        scores = random.standard_normal((rows, len(self.mean)))
        numbers = iter((self.mean + np.sqrt(self.temperature) * scores @ self.root.T).T)
        columns = {}
        for name in self.dtypes:
            if name in self.levels:
                values, ends = self.levels[name]
                columns[name] = values.gather(np.searchsorted(ends, random.random(rows), side="right"))
            else:
                columns[name] = pl.Series(next(numbers))
        return pl.DataFrame(columns)

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> Plain:
        raise NotImplementedError


@contextmanager
def registered() -> Iterator[None]:
    """Make the kind ``plain`` known."""
    synthesizers.KINDS["plain"] = f"{__name__}:Plain"
    generators.KINDS["plain"] = PlainSection
    try:
        yield
    finally:
        del synthesizers.KINDS["plain"], generators.KINDS["plain"]
