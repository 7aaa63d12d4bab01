"""The whole table around a generator: ids, text, order and constraints put back around the columns that it learns.

A :class:`TableGenerator` is what ``fit`` publishes and ``sample`` draws from. The synthesizer inside sees modelled
columns only, in coordinates in which every row keeps the constraints (``coordinates``); ids are made anew from their
pattern and free text comes out empty, since neither can be learned safely.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.artifacts import DAMAGED_ARRAYS, read_json, write_json
from synthcli.config import Constraint
from synthcli.errors import BadTableError, ConfigError
from synthcli.forms import dtype_name, polars_dtype
from synthcli.schema import Kind, Schema, check_columns
from synthcli.seeds import stage_seed
from synthcli.synthesizers import conditioning, distributed_class, identifiers, synthesizer_class, tempering
from synthcli.synthesizers.boundary import put_in
from synthcli.synthesizers.coordinates import Coordinates, learn
from synthcli.synthesizers.crew import HERE, Crew
from synthcli.synthesizers.identifiers import Pattern
from synthcli.synthesizers.protocol import Completed, Progress, Synthesizer, Tempered

#: Times that a row is drawn anew whose given cells, put in, broke a rule.
_TURNS = 50


@dataclass(frozen=True, slots=True)
class TableGenerator:
    """A fitted generator of whole tables.

    Attributes
    ----------
    schema
        The training table's columns; sampled tables have them all, in this order.
    kind
        The synthesizer's name in ``synthesizers.KINDS``.
    synthesizer
        What learned the modelled columns.
    coordinates
        The way from the synthesizer's columns to the table's modelled ones.
    patterns
        Column name -> the form of its ids, their share of missing cells included.
    """

    schema: Schema
    kind: str
    synthesizer: Synthesizer
    coordinates: Coordinates
    patterns: Mapping[str, Pattern]

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` synthetic rows; the same as the one batch of :meth:`batches` that holds them all."""
        return self.chunk(rows, seed)

    def batches(self, rows: int, seed: int, size: int) -> Iterator[pl.DataFrame]:
        """Yield ``rows`` synthetic rows, ``size`` (>= 1) at a time; another size gives other rows, ids apart.

        There is always one frame at least, so that an empty output has its columns.
        """
        for number, start in enumerate(range(0, max(rows, 1), size)):
            yield self.chunk(min(size, rows - start), seed, number, start)

    def chunk(self, rows: int, seed: int, number: int = 0, start: int = 0) -> pl.DataFrame:
        """Return chunk ``number`` of an output, whose first row stands at position ``start`` of the whole.

        Chunks depend on none before them, so they can be drawn by many processes in any order.
        """
        return self._whole(self._modelled.sample(rows, stage_seed(seed, "chunk", number)), rows, seed, start)

    def complete(self, given: pl.DataFrame, seed: int, number: int = 0, start: int = 0, tries: int = 100) -> Completed:
        """Draw the empty cells of ``given`` (any of the schema's columns, with its dtypes; null is empty), row by row.

        Given cells come back bit for bit, ids and text too. Where the synthesizer has no conditional law, or a given
        column is tied to others by a constraint, rows are tried (``conditioning.complete``), and anew up to 50 times
        where a given number, as it is put in, breaks a constraint. A row that would break one is not made. ``number``
        and ``start`` are those of :meth:`chunk`.
        """
        given = given.fill_nan(None)
        names = [column.name for column in self.schema.modelled]
        # A frame without columns has no rows either, so that one column at least stands for them.
        known = given.select(name for name in names if name in given.columns)
        if not known.width:
            known = pl.select(self._empty(names[0], given.height))
        chunk_seed = stage_seed(seed, "chunk", number)
        drawn = self._completed(known, chunk_seed, tries)
        for turn in range(_TURNS):
            # A number is met up to its tolerance, and the given one put in can break a rule that the drawn one kept.
            broken = np.flatnonzero(drawn.made & ~self.coordinates.keeps(drawn.table))
            if not len(broken):
                break
            again = self._completed(known[broken], stage_seed(chunk_seed, "again", turn), tries)
            drawn = _replaced(drawn, broken, again)
        made = drawn.made & self.coordinates.keeps(drawn.table)
        return put_in(given, self._whole(drawn.table, given.height, seed, start), made)

    def _completed(self, known: pl.DataFrame, seed: int, tries: int) -> Completed:
        discrete = [column.name for column in self.schema if column.kind is Kind.CATEGORICAL]
        if not set(known.columns) <= set(self.coordinates.untouched):
            return conditioning.complete(self._modelled, known, seed, tries, discrete=discrete)
        drawn = conditioning.complete(self.synthesizer, known, seed, tries, discrete=discrete)
        return put_in(known, self.coordinates.restore(drawn.table, seed), drawn.made)

    def tempered(self, temperature: float) -> Self:
        """Return the generator with its synthesizer's law sharpened (``temperature`` < 1) or flattened (> 1).

        At 1.0 that is the generator itself; ids and constraints are as ever (``protocol.Tempered``). Raises
        ``ValueError`` where ``temperature`` is no finite number above 0, ``ConfigError`` where the kind has no bias.
        """
        if tempering.combined(1.0, temperature) == 1.0:
            return self
        if not isinstance(self.synthesizer, Tempered):
            raise ConfigError(
                f"the kind {self.kind} has no sampling bias and cannot be drawn from at temperature {temperature}",
                "leave the temperature at 1, or set synthesizer.kind to gaussian_copula, forest or independent",
            )
        return replace(self, synthesizer=self.synthesizer.tempered(temperature))

    @property
    def _modelled(self) -> _Modelled:
        return _Modelled(self.synthesizer, self.coordinates)

    def _whole(self, modelled: pl.DataFrame, rows: int, seed: int, start: int) -> pl.DataFrame:
        return pl.DataFrame({name: self._column(name, modelled, rows, seed, start) for name in self.schema.names})

    def _column(self, name: str, modelled: pl.DataFrame, rows: int, seed: int, start: int) -> pl.Series:
        if name in self.patterns:
            return identifiers.make(self.patterns[name], rows, stage_seed(seed, "id", name), start)
        if name in modelled.columns:
            return modelled[name]
        return self._empty(name, rows)

    def _empty(self, name: str, rows: int) -> pl.Series:
        return pl.repeat(None, rows, dtype=polars_dtype(self.schema[name].dtype), eager=True).alias(name)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for a person: the columns that were not learned, and what the synthesizer has to say."""
        ids = [f"column {name!r} is an id: made anew in the same form" for name in self.patterns]
        text = [column.name for column in self.schema if column.kind is Kind.TEXT]
        texts = [f"column {name!r} is free text: comes out empty" for name in text]
        return (*ids, *texts, *self.synthesizer.notes)

    def save(self, folder: Path) -> None:
        """Write the generator as files into the existing ``folder``."""
        write_json(folder / "schema.json", self.schema.to_dict())
        patterns = {name: identifiers.to_dict(pattern) for name, pattern in self.patterns.items()}
        document = {"kind": self.kind, "ids": patterns, "coordinates": self.coordinates.to_dict()}
        write_json(folder / "generator.json", {"schema_version": 1, **document})
        (folder / "model").mkdir()
        self.synthesizer.save(folder / "model")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote. The files may be pickles: check them first (``registry.verify``).

        Raises ``BadTableError`` for files that are no generator's.
        """
        with _readable(folder):
            document = read_json(folder / "generator.json")
            return cls(
                stored_schema(folder),
                document["kind"],
                synthesizer_class(document["kind"]).load(folder / "model"),
                Coordinates.from_dict(document["coordinates"]),
                {name: identifiers.from_dict(pattern) for name, pattern in document["ids"].items()},
            )


def stored_schema(folder: Path) -> Schema:
    """Return a stored generator's schema without opening its model; raises ``BadTableError`` as loading does."""
    with _readable(folder):
        schema = Schema.from_dict(read_json(folder / "schema.json"))
        for column in schema:
            polars_dtype(column.dtype)
        return schema


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Tell what a stranger's or damaged files raise in one sentence, without what is in them."""
    try:
        yield
    except (*DAMAGED_ARRAYS, AttributeError, ArithmeticError, LookupError, pl.exceptions.PolarsError) as error:
        raise BadTableError(
            f"{folder}: its files are no generator's that this version of synthcli can read ({type(error).__name__})",
            "fit again with `synthcli fit`, or restore the folder from a copy",
        ) from error


@dataclass(frozen=True, slots=True)
class _Modelled:
    """A synthesizer's rows in the table's own columns."""

    synthesizer: Synthesizer
    coordinates: Coordinates

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` rows of the modelled columns, each of which keeps the constraints."""
        return self.coordinates.restore(self.synthesizer.sample(rows, seed), seed)


def _replaced(drawn: Completed, places: NDArray[np.intp], others: Completed) -> Completed:
    """Return ``drawn`` with ``others`` at ``places``."""
    order = np.arange(len(drawn.made))
    order[places] = len(order) + np.arange(len(places))
    return Completed(pl.concat([drawn.table, others.table])[order], np.concatenate([drawn.made, others.made])[order])


def fit_table(
    train: pl.DataFrame,
    schema: Schema,
    kind: str,
    parameters: Mapping[str, Any],
    seed: int,
    progress: Progress,
    constraints: Sequence[Constraint] = (),
    crew: Crew = HERE,
) -> TableGenerator:
    """Fit ``kind`` on the modelled columns of ``train`` and learn the form of the others.

    A kind whose fit is many tasks has them done by ``crew``; the generator is the same whoever does them. Columns of
    ``train`` that ``schema`` does not name are ignored. Every row drawn keeps ``constraints``, as every training row
    has to. Raises ``BadTableError`` where a column of the schema is absent or stored otherwise, and where there is
    nothing to learn; ``ConfigError`` where constraints cannot be combined.
    """
    synthesizer_class(kind)  # an unknown kind is told before any work
    check_columns(train, schema, where="the training table")
    _check_types(train, schema)
    modelled = schema.select(column.name for column in schema.modelled)
    if not len(modelled):
        raise BadTableError(
            f"none of the {len(schema)} columns can be learned: all are ids or free text",
            "set the kind of at least one under data.columns",
        )
    coordinates, free, form = learn(train.select(modelled.names), modelled, constraints)
    fitted = _fitted(kind, free, form, parameters, stage_seed(seed, "fit", kind), progress, crew)
    patterns = {column.name: identifiers.learn(train[column.name]) for column in schema if column.kind is Kind.ID}
    return TableGenerator(schema, kind, fitted, coordinates, patterns)


def _fitted(
    kind: str,
    train: pl.DataFrame,
    schema: Schema,
    parameters: Mapping[str, Any],
    seed: int,
    progress: Progress,
    crew: Crew,
) -> Synthesizer:
    distributed = distributed_class(kind)
    if distributed is None:
        return synthesizer_class(kind).fit(train, schema, parameters, seed, progress)
    return cast("Synthesizer", distributed.fit_by(crew, train, schema, parameters, seed, progress))


def _check_types(train: pl.DataFrame, schema: Schema) -> None:
    dtypes = train.schema  # made anew each time that it is asked for
    for column in schema:
        dtype = dtypes[column.name]
        found = dtype_name(dtype) or str(dtype)
        if found != column.dtype:
            raise BadTableError(
                f"the training table's column {column.name!r} is stored as {found}, expected {column.dtype}",
                "read the table with the schema that belongs to it",
            )
