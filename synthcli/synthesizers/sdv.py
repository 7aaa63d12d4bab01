"""SDV's generators behind this package's protocol: the only module that imports ``sdv`` and ``pandas``.

SDV is handed plain numbers (``boundary``) and told the type of each column, never asked to detect it: detection keeps
the data's ranges in the model and refuses other data later. It sees moments as numbers and booleans as categories,
which is how its own transformers treat them, at a third of the time. What it prints, warns, logs and draws from the
global random generators stays in here, and so does the text of its exceptions, which may quote cells.

SDV 2.0 has no public seed. Here a seed rules the whole draw: the copula's normal numbers and, column by column, the
places of missing cells.
"""

from __future__ import annotations

import io
import json
import logging
import random
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray
from sdv.metadata import Metadata
from sdv.single_table import GaussianCopulaSynthesizer
from sdv.utils import load_synthesizer

from synthcli.artifacts import write_json
from synthcli.errors import BadTableError, ConfigError, EngineError, SynthcliError
from synthcli.schema import Schema
from synthcli.seeds import stage_seed
from synthcli.synthesizers import boundary as crossing
from synthcli.synthesizers.boundary import Boundary
from synthcli.synthesizers.protocol import Progress

_TABLE = "table"
#: Rows drawn right after a fit, so that a model that cannot be drawn from is never published.
_TRIAL = 100
_LOGGERS = ("sdv", "rdt", "copulas", "ctgan", "deepecho", "SingleTableSynthesizer")
_PARAMETERS = frozenset(
    {"enforce_min_max_values", "enforce_rounding", "numerical_distributions", "default_distribution"}
)


@dataclass(frozen=True, slots=True)
class GaussianCopula:
    """SDV's ``GaussianCopulaSynthesizer``: a parametric marginal for each column, joined by a normal correlation.

    ``model`` is ``None`` where no column varies. SDV's own weaknesses are kept: missing numbers come back at the right
    rate but independently of the other columns, and are the column's mean while it learns.
    """

    boundary: Boundary
    model: Any

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        """Learn from ``train``; ``parameters`` are SDV's own, by its names."""
        if train.is_empty():
            raise BadTableError("the training table has no rows", "give a table with at least one row")
        unrounded = parameters.get("enforce_rounding") is False
        boundary, numbers = crossing.learn(train, _without_decimals(schema) if unrounded else schema)
        options = _options(parameters, schema, boundary)
        if not numbers:
            return cls(boundary, None)
        progress(0.0, f"fitting {len(numbers)} columns")
        with _engine("fitting", seed):
            model = GaussianCopulaSynthesizer(_metadata(boundary), **options)
            model.fit({_TABLE: pd.DataFrame(numbers, copy=False)})
        fitted = cls(boundary, model)
        fitted._draw(_TRIAL, seed)
        progress(1.0, "fitted")
        return fitted

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` synthetic rows with the columns and dtypes of the training table."""
        numbers = self._draw(rows, seed) if rows and self.model is not None else {}
        empty = {name: np.empty(0) for name in self.boundary.learned}
        return self.boundary.decode({**empty, **numbers}, rows, seed)

    def save(self, folder: Path) -> None:
        """Write ``boundary.json`` and, where anything was learned, SDV's ``model.pkl``."""
        write_json(folder / "boundary.json", self.boundary.to_dict())
        if self.model is not None:
            with _engine("saving", 0):
                _scrub(self.model, self.boundary.learned)
                self.model.save(folder / "model.pkl")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; ``model.pkl`` is a pickle, which executes code as it is read."""
        boundary = Boundary.from_dict(json.loads((folder / "boundary.json").read_text(encoding="utf-8")))
        if not boundary.learned:
            return cls(boundary, None)
        with _engine("loading", 0):
            return cls(boundary, load_synthesizer(folder / "model.pkl"))

    def _draw(self, rows: int, seed: int) -> dict[str, NDArray[Any]]:
        with _engine("sampling", seed):
            _reseed(self.model, seed)
            drawn = self.model.sample(num_rows=rows)[_TABLE]
            numbers = {name: drawn[name].to_numpy() for name in self.boundary.learned}
        for name in self.boundary.complete:
            if np.isnan(numbers[name]).any():
                raise EngineError(
                    f"SDV's distribution for column {name!r} yields no numbers",
                    f"rescale the column, or set synthesizer.numerical_distributions.{name} to uniform",
                )
        return numbers


def _options(parameters: Mapping[str, Any], schema: Schema, boundary: Boundary) -> dict[str, Any]:
    """Return the keyword arguments for SDV, or raise ``ConfigError``; columns that SDV does not see are left out.

    SDV spreads a category evenly over its share of [0, 1], so a coded column is uniform by construction. Fitting the
    numbers' distribution to it, as SDV does by default, is slower and moves the shares of the categories.
    """
    unknown = sorted(set(parameters) - _PARAMETERS)
    if unknown:
        raise ConfigError(f"synthesizer.{unknown[0]}: no parameter of gaussian_copula", f"known: {sorted(_PARAMETERS)}")
    options = {name: value for name, value in parameters.items() if value is not None}
    distributions: Mapping[str, str] = options.get("numerical_distributions", {})
    absent = [name for name in distributions if name not in schema]
    if absent:
        raise ConfigError(f"synthesizer.numerical_distributions: no modelled column {absent[0]!r}")
    if "gaussian_kde" in {options.get("default_distribution"), *distributions.values()}:
        raise ConfigError(
            "synthesizer: the distribution gaussian_kde keeps every training value inside the model",
            "choose beta, truncnorm, norm, gamma or uniform",
        )
    seen = {name: value for name, value in distributions.items() if name in boundary.learned}
    return {**options, "numerical_distributions": {**dict.fromkeys(boundary.discrete, "uniform"), **seen}}


def _without_decimals(schema: Schema) -> Schema:
    return replace(schema, columns=tuple(replace(column, decimals=None) for column in schema))


def _metadata(boundary: Boundary) -> Any:
    """Return SDV's description of the table: a type for each column and nothing else."""
    columns = {
        name: {"sdtype": "categorical" if name in boundary.discrete else "numerical"} for name in boundary.learned
    }
    return Metadata.load_from_dict(
        {"METADATA_SPEC_VERSION": "V2", "tables": {_TABLE: {"columns": columns}}, "relationships": []}
    )


def _transformers(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = model._data_processor._hyper_transformer.field_transformers
    return found


def _reseed(model: Any, seed: int) -> None:
    """Let ``seed`` alone rule the next draw: SDV itself restarts every draw from one constant."""
    model.reset_sampling()
    model._set_random_state(_bits32(seed, "model"))
    for name, transformer in _transformers(model).items():
        state = _bits32(seed, "column", str(name))
        transformer.set_random_state(np.random.RandomState(state), "reverse_transform")
        if getattr(transformer, "faker", None) is not None:
            transformer.faker.seed_instance(state)


def _bits32(seed: int, *stage: str) -> int:
    return stage_seed(seed, "sdv", *stage) & 0xFFFF_FFFF


@contextmanager
def _engine(stage: str, seed: int) -> Iterator[None]:
    """Run the library silently, on seeded global generators, and translate whatever it raises."""
    with _quiet(), _seeded(stage_seed(seed, "sdv", stage)):
        try:
            yield
        except SynthcliError:
            raise
        except Exception as error:
            # The library's messages quote cells, so only the type of its exception is passed on.
            raise EngineError(
                f"SDV failed while {stage} the gaussian copula: {type(error).__name__}",
                "run again with --debug for the traceback, which may show values of the table",
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators that the library draws from, and give them back as they were."""
    torch = sys.modules.get("torch")
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  the library uses it
    torch_state = torch.get_rng_state() if torch else None
    random.seed(seed)
    np.random.seed(seed & 0xFFFF_FFFF)  # noqa: NPY002
    if torch:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch:
            torch.set_rng_state(torch_state)


def _scrub(model: Any, order: tuple[str, ...]) -> None:
    """Leave in the model what sampling needs, so that its file is small and a function of data and parameters only.

    SDV stamps a day and a random name, keeps its columns in the order of a set of strings (another one in each
    process), derives each transformer's own seed from the column's first five cells, and keeps spare generators.
    """
    model.reset_sampling()
    model._set_random_state(None)
    model._random_state_set = False
    model._creation_date = model._fitted_date = model._synthesizer_id = None
    model._data_processor._transformers_by_sdtype.clear()
    hyper = model._data_processor._hyper_transformer
    hyper._fitted_fields = set()
    for name in order:
        hyper.field_sdtypes[name] = hyper.field_sdtypes.pop(name)
        hyper.field_transformers[name] = transformer = hyper.field_transformers.pop(name)
        transformer.random_seed, transformer.random_states = 0, None
