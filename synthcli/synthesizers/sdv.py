"""SDV's generators behind this package's protocol: the only module that imports ``sdv``, ``torch`` and ``pandas``.

SDV is handed plain numbers (``boundary``) and told the type of each column, never asked to detect it: detection keeps
the data's ranges in the model and refuses other data later. It sees moments as numbers and booleans as categories,
which is how its own transformers treat them, at a third of the time. What it prints, warns, logs and draws from the
global random generators stays in here, and so does the text of its exceptions, which may quote cells.

SDV 2.0 has no public seed. Here a seed rules the whole draw: the model's random numbers and, column by column, the
places of missing cells. Networks are trained and drawn from on a fixed number of threads, and drawn from on the CPU,
so that neither the machine's cores nor its GPU change what comes out.
"""

from __future__ import annotations

import io
import logging
import pickle
import random
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import ctgan.synthesizers.ctgan as adversarial_loop
import ctgan.synthesizers.tvae as autoencoder_loop
import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import polars as pl
import torch
from ctgan.data_transformer import DataTransformer
from numpy.typing import NDArray
from sdv._utils import check_synthesizer_version
from sdv.metadata import Metadata
from sdv.single_table import CopulaGANSynthesizer, CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer
from threadpoolctl import threadpool_limits

from synthcli.artifacts import read_json, write_json
from synthcli.config import generators
from synthcli.errors import BadTableError, ConfigError, EngineError, SynthcliError
from synthcli.schema import Schema
from synthcli.seeds import stage_seed
from synthcli.synthesizers import boundary as crossing
from synthcli.synthesizers import tempering
from synthcli.synthesizers.boundary import Boundary, Constant, Levels, put_in
from synthcli.synthesizers.latent import draw_given_some
from synthcli.synthesizers.marginals import Interval, Marginals
from synthcli.synthesizers.marginals import learn as learn_marginals
from synthcli.synthesizers.pickled import read_pickle
from synthcli.synthesizers.protocol import Completed, Progress
from synthcli.synthesizers.training import Curve, Losses, Watch, stopped
from synthcli.wording import size

_TABLE = "table"
#: Rows drawn right after a fit, so that a model that cannot be drawn from is never published.
_TRIAL = 100
#: Threads that a network is trained and drawn from on, whatever the machine has.
_THREADS = 2
#: Columns that are named where a table has too many categories.
_NAMED = 5
#: Parameters of the neural generators that SDV is not handed, the first since it would print.
_NOT_SDVS = frozenset({"verbose", "device", "max_minutes", "max_levels"})
_LOGGERS = ("sdv", "rdt", "copulas", "ctgan", "deepecho", "SingleTableSynthesizer")
#: What SDV's copula is handed of its parameters; no column that it sees has a locale.
_PARAMETERS = frozenset(
    {"enforce_min_max_values", "enforce_rounding", "numerical_distributions", "default_distribution"}
)


@dataclass(frozen=True, slots=True)
class GaussianCopula:
    """SDV's ``GaussianCopulaSynthesizer``: a marginal for each column, joined by a normal correlation.

    ``model`` is ``None`` where no column varies. Without ``empirical`` the marginals are SDV's, and its weaknesses are
    kept: missing numbers come back at the right rate but independently of the other columns, and are the column's mean
    while it learns. With ``empirical``, SDV sees the columns' ranks and models their dependence alone. ``temperature``
    is the bias of a draw, 1.0 for none.
    """

    boundary: Boundary
    empirical: Marginals | None
    model: Any
    temperature: float = 1.0

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        """Learn from ``train``; ``parameters`` are those of the configuration, SDV's own by its names."""
        if train.is_empty():
            raise BadTableError("the training table has no rows", "give a table with at least one row")
        unrounded = parameters.get("enforce_rounding") is False
        boundary, numbers = crossing.learn(train, _without_decimals(schema) if unrounded else schema)
        options = _options(parameters, schema, boundary)
        if not numbers:
            return cls(boundary, None, None)
        progress(0.0, f"fitting {len(numbers)} columns")
        empirical = None
        if parameters.get("marginals") == "empirical":
            empirical, numbers = learn_marginals(numbers, seed)
            options = {"default_distribution": "uniform", "enforce_rounding": False}
        with _engine("fitting", seed):
            discrete = () if empirical else boundary.discrete
            model = GaussianCopulaSynthesizer(_metadata(tuple(numbers), discrete), **options)
            model.fit({_TABLE: pd.DataFrame(numbers, copy=False)})
        fitted = cls(boundary, empirical, model)
        fitted._draw(_TRIAL, seed)
        progress(1.0, "fitted")
        return fitted

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: a copula's fit has one way to go."""
        return ()

    def tempered(self, temperature: float) -> Self:
        """Return the same model with ``temperature`` times the variance of each latent normal score (``Tempered``).

        The latent law p becomes p^(1/temperature), and the scores' correlations stay. A ``norm`` marginal's variance is
        multiplied alike, as far as scores within ±8.2 and SDV's limits (``enforce_min_max_values``) let it; of others
        the middle is sharpened, not the mode. So with categories: each covers a stretch of the scores, and the one at
        their median gains, which is the most frequent one of two, but of more not always. That a number is missing is
        such a category with empirical marginals; with SDV's the rate stays.
        """
        return replace(self, temperature=tempering.combined(self.temperature, temperature))

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` synthetic rows with the columns and dtypes of the training table."""
        numbers = self._draw(rows, seed) if rows and self.model is not None else self._nothing()
        return self.boundary.decode(numbers, rows, seed)

    def complete(self, given: pl.DataFrame, seed: int) -> Completed:
        """Draw the empty cells of ``given`` from the copula given the row's other cells (``latent``)."""
        rows = given.height
        codes, placed = self.boundary.encode(given)
        known = {name: given[name].is_not_null().to_numpy() for name in codes}
        numbers = self._draw_given(codes, known, rows, seed) if rows and self.model is not None else self._nothing()
        return put_in(given, self.boundary.decode(numbers, rows, seed), placed)

    def save(self, folder: Path) -> None:
        """Write ``boundary.json``, the empirical marginals if any and, where anything was learned, ``model.pkl``."""
        tempering.check_unbiased(self.temperature)
        write_json(folder / "boundary.json", self.boundary.to_dict())
        if self.empirical is not None:
            write_json(folder / "marginals.json", self.empirical.to_dict())
        if self.model is not None:
            with _engine("saving", 0):
                _scrub(self.model, self._columns)
                self.model.save(folder / "model.pkl")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; ``model.pkl`` is a pickle, of which ``pickled`` lets SDV's models through."""
        boundary = Boundary.from_dict(read_json(folder / "boundary.json"))
        if not boundary.learned:
            return cls(boundary, None, None)
        marginals = folder / "marginals.json"
        known = Marginals.from_dict(read_json(marginals)) if marginals.is_file() else None
        with _engine("loading", 0):
            return cls(boundary, known, _stored_model(folder, GaussianCopulaSynthesizer))

    @property
    def _columns(self) -> tuple[str, ...]:
        """The columns that SDV sees, in the order in which it was given them."""
        return self.boundary.learned if self.empirical is None else tuple(self.empirical.margins)

    def _nothing(self) -> dict[str, NDArray[Any]]:
        return {name: np.empty(0) for name in self.boundary.learned}

    def _draw(self, rows: int, seed: int) -> dict[str, NDArray[Any]]:
        if self.temperature != 1.0:  # SDV's own draw has no such thing
            return self._draw_given({}, {}, rows, seed)
        with _engine("sampling", seed):
            _reseed(self.model, seed)
            drawn = self.model.sample(num_rows=rows)[_TABLE]
            numbers = {name: drawn[name].to_numpy() for name in self._columns}
        return self._checked(numbers if self.empirical is None else self.empirical.decode(numbers))

    def _draw_given(
        self, codes: Mapping[str, NDArray[Any]], there: Mapping[str, NDArray[np.bool_]], rows: int, seed: int
    ) -> dict[str, NDArray[Any]]:
        """Return numbers for ``rows`` rows of which ``codes`` are known where ``there`` says so.

        The known cells' own come close to them, but not exactly.
        """
        with _engine("sampling", seed):
            _reseed(self.model, seed)
            correlation = self.model._model.correlation
            intervals = {name: self._intervals(name, cells) for name, cells in codes.items()}
            known = dict(there)
            if self.empirical is not None:
                for name, flag in self.empirical.missing.items():
                    if name in codes:
                        present: NDArray[Any] = np.zeros(rows, dtype=np.int64)
                        intervals[flag] = self.empirical.margins[flag].interval(present, 0.0)
                        known[flag] = known[name]
            ranks = draw_given_some(
                correlation.to_numpy(),
                tuple(correlation.columns),
                known,
                intervals,
                rows,
                seed,
                self.temperature,
            )
            if self.empirical is not None:
                return self._checked(self.empirical.decode(ranks))
            return self._checked(self._from_ranks(ranks))

    def _intervals(self, name: str, cells: NDArray[Any]) -> Interval:
        """Return the ranks of each cell of a column, as far as it is known."""
        code = self.boundary.codes[name]
        unit = 0.0 if isinstance(code, Levels | Constant) else code.unit
        if self.empirical is not None:
            return self.empirical.margins[name].interval(cells, unit)
        low, high = cells - unit / 2, cells + unit / 2
        if isinstance(code, Levels):
            stretches = {int(level): ends for level, ends in _transformers(self.model)[name].intervals.items()}
            nowhere = (np.nan, np.nan)
            low, high = np.array([stretches.get(int(level), nowhere) for level in cells]).reshape(-1, 2).T
        distribution = self.model._model.univariates[self.model._model.columns.index(name)]
        return Interval(distribution.cdf(low), distribution.cdf(high))

    def _from_ranks(self, ranks: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return SDV's numbers for ranks: through its distributions, and back through its transformers."""
        fitted = self.model._model
        values = {
            name: distribution.percent_point(ranks[name])
            for name, distribution in zip(fitted.columns, fitted.univariates, strict=True)
        }
        numbers = self.model._data_processor.reverse_transform(pd.DataFrame(values))
        return {name: numbers[name].to_numpy() for name in self.boundary.learned}

    def _checked(self, numbers: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        for name in self.boundary.complete:
            if np.isnan(numbers[name]).any():
                raise EngineError(
                    f"SDV's distribution for column {name!r} yields no numbers",
                    f"rescale the column, or set synthesizer.numerical_distributions.{name} to uniform",
                )
        return numbers


@dataclass(frozen=True, slots=True)
class _Neural:
    """What SDV's neural generators share: all of it but the network and the names of its losses.

    ``model`` is ``None`` where no column varies, and ``curve`` is empty then. Missing numbers are treated as the
    copula treats them: the mean while it learns, and the right rate at random places when it draws.
    """

    boundary: Boundary
    model: Any
    curve: Curve

    kind: ClassVar[str]
    engine: ClassVar[Any]
    losses: ClassVar[tuple[str, ...]]

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        """Learn from ``train``; ``parameters`` are those of the kind's model in ``config``, absent ones its defaults.

        Raises ``BadTableError`` also where the columns have more than ``max_levels`` categories together, and lets
        through what ``progress`` raises.
        """
        if train.is_empty():
            raise BadTableError("the training table has no rows", "give a table with at least one row")
        given = _with_defaults(parameters, cls.kind)
        boundary, numbers = crossing.learn(train, schema if given["enforce_rounding"] else _without_decimals(schema))
        options = _network_options(given, schema, boundary)
        _check_levels({name: numbers[name] for name in boundary.discrete}, given["max_levels"])
        if not numbers:
            return cls(boundary, None, Curve(cls.losses))
        watch = Watch(progress, time.monotonic, _deadline(given["max_minutes"]))
        progress(0.0, f"preparing {len(numbers)} columns")
        model = cls._train(_interned(numbers), _interned(boundary.discrete), _interned(options), seed, watch)
        fitted = cls(boundary, model, Curve(cls.losses, tuple(watch.curve)))
        fitted._draw(_TRIAL, seed)
        progress(1.0, "fitted")
        return fitted

    @property
    def notes(self) -> tuple[str, ...]:
        """Say so where a time limit ended the training."""
        return stopped(len(self.curve.epochs), self.model.epochs) if self.model is not None else ()

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` synthetic rows with the columns and dtypes of the training table."""
        numbers = self._draw(rows, seed) if rows and self.model is not None else {}
        empty = {name: np.empty(0) for name in self.boundary.learned}
        return self.boundary.decode({**empty, **numbers}, rows, seed)

    def save(self, folder: Path) -> None:
        """Write ``boundary.json`` and, where anything was learned, ``model.pkl`` and the losses as ``losses.csv``."""
        write_json(folder / "boundary.json", self.boundary.to_dict())
        if self.model is None:
            return
        (folder / "losses.csv").write_text(self.curve.to_csv(), encoding="utf-8", newline="\n")
        with _engine("saving", 0, type(self).__name__), (folder / "model.pkl").open("wb") as file:
            _scrub(self.model, _interned(self.boundary.learned))
            _Pickler(file, protocol=5).dump(self.model)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; ``model.pkl`` is a pickle, of which ``pickled`` lets SDV's models through."""
        boundary = Boundary.from_dict(read_json(folder / "boundary.json"))
        if not boundary.learned:
            return cls(boundary, None, Curve(cls.losses))
        with _engine("loading", 0, cls.__name__):
            model = _stored_model(folder, cls.engine)
            model._model.set_device(torch.device("cpu"))  # it looks for a GPU as it is read
        return cls(boundary, model, Curve.from_csv((folder / "losses.csv").read_text(encoding="utf-8")))

    @classmethod
    def _train(
        cls,
        numbers: Mapping[str, NDArray[Any]],
        discrete: Sequence[str],
        options: Mapping[str, Any],
        seed: int,
        watch: Watch,
    ) -> Any:
        with _engine("fitting", seed, cls.__name__, watch.refused), _pinned():
            model = cls.engine(_metadata(tuple(numbers), discrete), **options)
            with _followed(model, watch):
                model.fit({_TABLE: pd.DataFrame(numbers, copy=False)})
            _slim(model._model)
        return model

    def _draw(self, rows: int, seed: int) -> dict[str, NDArray[Any]]:
        with _engine("sampling", seed, type(self).__name__), _pinned(), torch.no_grad():
            _reseed(self.model, seed)
            drawn = self.model.sample(num_rows=rows)[_TABLE]
            numbers = {name: drawn[name].to_numpy() for name in self.boundary.learned}
        for name in self.boundary.complete:
            if not np.isfinite(numbers[name]).all():
                raise EngineError(
                    f"{type(self).__name__} yields no numbers for column {name!r}",
                    "rescale the column, or train more gently: a smaller learning rate, fewer epochs",
                )
        return numbers


@dataclass(frozen=True, slots=True)
class CTGAN(_Neural):
    """SDV's ``CTGANSynthesizer``: a generator trained against a discriminator, category by category."""

    kind = "ctgan"
    engine = CTGANSynthesizer
    losses = ("generator_loss", "discriminator_loss")


@dataclass(frozen=True, slots=True)
class CopulaGAN(_Neural):
    """SDV's ``CopulaGANSynthesizer``: CTGAN on numbers that a parametric marginal has made normal."""

    kind = "copula_gan"
    engine = CopulaGANSynthesizer
    losses = ("generator_loss", "discriminator_loss")


@dataclass(frozen=True, slots=True)
class TVAE(_Neural):
    """SDV's ``TVAESynthesizer``: a variational autoencoder; an epoch's loss is the mean over its batches."""

    kind = "tvae"
    engine = TVAESynthesizer
    losses = ("loss",)


def _options(parameters: Mapping[str, Any], schema: Schema, boundary: Boundary) -> dict[str, Any]:
    """Return the keyword arguments for SDV, or raise ``ConfigError``; columns that SDV does not see are left out.

    SDV spreads a category evenly over its share of [0, 1], so a coded column is uniform by construction. Fitting the
    numbers' distribution to it, as SDV does by default, is slower and moves the shares of the categories.
    """
    _with_defaults(parameters, "gaussian_copula")
    options = {name: value for name, value in parameters.items() if name in _PARAMETERS and value is not None}
    distributions: Mapping[str, str] = options.get("numerical_distributions", {})
    _check_distributions({*distributions.values(), options.get("default_distribution", "")}, distributions, schema)
    seen = {name: value for name, value in distributions.items() if name in boundary.learned}
    return {**options, "numerical_distributions": {**dict.fromkeys(boundary.discrete, "uniform"), **seen}}


def _with_defaults(parameters: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the value of every parameter of ``kind``, or raise ``ConfigError`` for one that it does not have."""
    fields = {name: field for name, field in generators.KINDS[kind].model_fields.items() if name != "kind"}
    unknown = sorted(set(parameters) - set(fields))
    if unknown:
        raise ConfigError(f"synthesizer.{unknown[0]}: no parameter of {kind}", f"known: {', '.join(sorted(fields))}")
    defaults = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    return {**defaults, **parameters}


def _network_options(given: Mapping[str, Any], schema: Schema, boundary: Boundary) -> dict[str, Any]:
    """Return the keyword arguments for SDV; columns that it does not see are left out, and so is its printing."""
    options = {name: value for name, value in given.items() if name not in _NOT_SDVS}
    options["enable_gpu"] = _uses_gpu(given["device"], given["enable_gpu"])
    distributions = options.get("numerical_distributions")
    if distributions is not None:
        _check_distributions({*distributions.values(), options["default_distribution"]}, distributions, schema)
        seen = {name: value for name, value in distributions.items() if name in boundary.learned}
        options["numerical_distributions"] = seen
    return options


def _check_distributions(distributions: set[str], columns: Mapping[str, str], schema: Schema) -> None:
    absent = [name for name in columns if name not in schema]
    if absent:
        raise ConfigError(f"synthesizer.numerical_distributions: no modelled column {absent[0]!r}")
    if "gaussian_kde" in distributions:
        raise ConfigError(
            "synthesizer: the distribution gaussian_kde keeps every training value inside the model",
            "choose beta, truncnorm, norm, gamma or uniform",
        )


def _interned(value: Any) -> Any:
    """Return plain data with one object for each text, since a pickle tells one object from two that are equal."""
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, Mapping):
        return {_interned(key): _interned(part) for key, part in value.items()}
    return type(value)(map(_interned, value)) if isinstance(value, list | tuple) else value


def _uses_gpu(device: str, allowed: bool) -> bool:
    if device != "cuda":
        return device == "auto" and allowed
    with _quiet():
        present = torch.cuda.is_available()
    if not present:
        raise ConfigError(
            "synthesizer.device: cuda, but torch finds no GPU on this machine",
            "set it to auto or cpu, or install a torch that is built for this machine's GPU",
        )
    return True


def _deadline(minutes: float | None) -> float | None:
    return None if minutes is None else time.monotonic() + 60 * minutes


def _check_levels(codes: Mapping[str, NDArray[Any]], limit: int) -> None:
    """Raise ``BadTableError`` where the columns have more categories than ``limit``, missing being one of a column."""
    levels = {name: len(np.unique(values)) for name, values in codes.items()}
    total = sum(levels.values())
    if total <= limit:
        return
    most = sorted(levels.items(), key=lambda entry: (-entry[1], entry[0]))[:_NAMED]
    rows = len(next(iter(codes.values())))
    raise BadTableError(
        f"the columns have {total:,} categories together, more than synthesizer.max_levels ({limit:,}); most has "
        f"{', '.join(f'{name!r} ({count:,})' for name, count in most)}; coded one-hot they take "
        f"{size(rows * total * 8)} of memory, and every epoch takes longer by them",
        "merge rare categories (protection.rare_category_min_count), declare such a column an id or text "
        f"(data.columns.{most[0][0]}.type: id), set synthesizer.kind to gaussian_copula, or raise "
        "synthesizer.max_levels",
    )


def _without_decimals(schema: Schema) -> Schema:
    return replace(schema, columns=tuple(replace(column, decimals=None) for column in schema))


def _metadata(names: Sequence[str], discrete: Sequence[str]) -> Any:
    """Return SDV's description of the table: a type for each column and nothing else."""
    columns = {name: {"sdtype": "categorical" if name in discrete else "numerical"} for name in names}
    return Metadata.load_from_dict(
        {"METADATA_SPEC_VERSION": "V2", "tables": {_TABLE: {"columns": columns}}, "relationships": []}
    )


def _transformers(model: Any) -> dict[str, Any]:
    """Return what SDV makes each column's numbers with, by column; a network takes categories as they are."""
    found: dict[str, Any] = model._data_processor._hyper_transformer.field_transformers
    return {name: transformer for name, transformer in found.items() if transformer is not None}


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
def _engine(
    stage: str, seed: int, name: str = "the gaussian copula", refused: Sequence[Exception] = ()
) -> Iterator[None]:
    """Run the library silently, on seeded global generators, and translate what it raises by itself.

    What stands in ``refused`` was raised by code that the library called back, and passes.
    """
    with _quiet(), _seeded(stage_seed(seed, "sdv", stage)):
        try:
            yield
        except SynthcliError:
            raise
        except Exception as error:
            if any(error is known for known in refused):
                raise
            # The library's messages quote cells, so only the type of its exception is passed on.
            raise EngineError(
                f"SDV failed while {stage} {name}: {type(error).__name__}",
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
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  the library uses it
    # Asking an idle GPU for its state would wake it, which takes seconds and memory.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        random.seed(seed)
        np.random.seed(seed & 0xFFFF_FFFF)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def _pinned() -> Iterator[None]:
    """Calculate on a fixed number of threads and in no other process, since sums differ by their order in the last bit.

    ``ctgan`` would start a process for each core, each of which loads the libraries anew.
    """
    threads = torch.get_num_threads()
    with threadpool_limits(limits=1), joblib.parallel_config(backend="sequential"):
        torch.set_num_threads(_THREADS)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@contextmanager
def _followed(model: Any, watch: Watch) -> Iterator[None]:
    """Let ``watch`` stand where ``ctgan`` has its progress bar, the one place in its loop that is called each epoch.

    And let it number the categories in their own order: by its own, that of the rows, the model would tell row 1.
    """

    def epochs(numbers: range, **display: Any) -> Iterator[int]:
        return watch.follow(len(numbers), lambda: _take_losses(model._model))

    def fit_in_order(transformer: Any, column: pd.DataFrame) -> Any:
        return fit_discrete(transformer, column.sort_values(column.columns[0]))

    fit_discrete, bar = DataTransformer._fit_discrete, adversarial_loop.tqdm
    DataTransformer._fit_discrete = fit_in_order
    adversarial_loop.tqdm = autoencoder_loop.tqdm = epochs
    try:
        yield
    finally:
        DataTransformer._fit_discrete = fit_discrete
        adversarial_loop.tqdm = autoencoder_loop.tqdm = bar


def _take_losses(network: Any) -> Losses:
    """Return the mean losses of what was trained since the last call, and forget them there."""
    table = network.loss_values
    network.loss_values = table.iloc[:0]
    return tuple(float(loss) for loss in table.drop(columns=["Epoch", "Batch"], errors="ignore").mean())


def _slim(network: Any) -> None:
    """Leave in a trained network what drawing needs: no training row's number, no memory of the training's batches.

    Of the mixture that scales a numeric column only the components in use stay: another may be one row's value. The
    statistics that normalise a batch are never used, since ``ctgan`` draws as it trains; drawing would change them.
    """
    network.set_device(torch.device("cpu"))
    network.loss_values = None
    sampler = getattr(network, "_data_sampler", None)
    if sampler is not None:
        sampler._rid_by_cat_cols, sampler._data_length = [], 0
        for layer in network._generator.modules():
            if isinstance(layer, torch.nn.BatchNorm1d):
                layer.track_running_stats = False
                layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    for column in _crossings(network):
        if column.column_type == "continuous":
            _keep_components_in_use(column.transform)


def _keep_components_in_use(transform: Any) -> None:
    used, mixture = transform.valid_component_indicator, transform._bgm_transformer
    transform._bgm_transformer = SimpleNamespace(
        means_=mixture.means_[used].copy(), covariances_=mixture.covariances_[used].copy()
    )
    transform.valid_component_indicator = np.ones(int(used.sum()), dtype=bool)


def _crossings(network: Any) -> list[Any]:
    """Return how each column enters the network, in the order in which they do."""
    transformer = network.transformer if hasattr(network, "transformer") else network._transformer
    found: list[Any] = transformer._column_transform_info_list
    return found


def _stored_model(folder: Path, engine: Any) -> Any:
    """Return the model that was saved in ``folder``; refuses what is none, or one of a newer SDV."""
    model = read_pickle(folder / "model.pkl")
    if type(model) is not engine:
        raise BadTableError(f"{folder / 'model.pkl'}: it holds no {engine.__name__}", "fit again with `synthcli fit`")
    check_synthesizer_version(model)
    return model


class _Pickler(pickle.Pickler):
    """Writes tensors as arrays: as torch writes them, a file holds addresses in memory and differs each time."""

    def reducer_override(self, value: Any) -> Any:
        """Return how a tensor is made again; everything else goes its usual way."""
        return (torch.tensor, (value.detach().cpu().numpy(),)) if type(value) is torch.Tensor else NotImplemented


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
    normalizer = getattr(model, "_gaussian_normalizer_hyper_transformer", None)
    for fields in [hyper] if normalizer is None else [hyper, normalizer]:
        fields._fitted_fields = set()
        for name in order:
            fields.field_sdtypes[name] = fields.field_sdtypes.pop(name)
            fields.field_transformers[name] = transformer = fields.field_transformers.pop(name)
            _forget_seed(transformer)
    if hasattr(model._model, "loss_values"):
        for column in _crossings(model._model):
            _forget_seed(column.transform)


def _forget_seed(transformer: Any) -> None:
    if transformer is not None:
        transformer.random_seed, transformer.random_states = 0, None
