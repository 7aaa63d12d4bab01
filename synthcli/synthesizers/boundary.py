"""Table <-> plain numbers: the form in which a foreign engine sees a table, and the way back to the table's own types.

An engine is handed floats (numbers, and moments as steps since 1970) and small integers (categories, booleans), each
named by its column, and returns the same. So integers with missing cells, time zones, dates beyond an engine's
calendar, numeric categories and an engine's own spelling of "missing" never meet, and an engine's model file holds no
category's text. A column that holds one value or none is nothing to learn: it stays on this side.

:func:`learn` looks at the training table once; the :class:`Boundary` it returns is a value that goes to JSON and back.
It does hold the categories and constants of the training table, rare ones too: a model's folder is personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import gcd
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli import seeds
from synthcli.errors import BadTableError
from synthcli.forms import polars_dtype
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.protocol import Completed

#: Ticks of one day in each of polars' time units.
_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric column: floats, rounded to ``decimals`` (``None``: as they come) and kept inside the dtype's range.

    ``complete`` says that the training column has no missing cell.
    """

    form: ClassVar[str] = "number"
    dtype: str
    decimals: int | None
    complete: bool

    @property
    def unit(self) -> float:
        """The distance between neighbouring values; 0 where they are not rounded."""
        whole = polars_dtype(self.dtype).is_integer()
        return 1.0 if whole else 0.0 if self.decimals is None else 10.0**-self.decimals

    def encode(self, series: pl.Series) -> NDArray[np.float64]:
        """Return an engine's floats for cells of the column, NaN standing for missing."""
        return series.cast(pl.Float64).fill_null(float("nan")).to_numpy()

    def decode(self, values: NDArray[Any]) -> pl.Series:
        """Return the column for an engine's floats, NaN standing for missing."""
        dtype = polars_dtype(self.dtype)
        series = pl.Series(values.astype(np.float64)).fill_nan(None)
        if dtype.is_integer():
            return series.round(0).clip(*_integer_range(self.dtype)).cast(dtype)
        return (series if self.decimals is None else series.round(self.decimals)).cast(dtype)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or time: whole steps since 1970 in UTC, a step being the coarsest grid that all training values lie on."""

    form: ClassVar[str] = "moment"
    dtype: str
    step: int
    complete: bool

    @property
    def unit(self) -> float:
        """The distance between neighbouring values."""
        return 1.0

    def encode(self, series: pl.Series) -> NDArray[np.float64]:
        """Return an engine's floats for cells of the column, NaN standing for missing."""
        steps = series.to_physical().cast(pl.Float64) / self.step
        return steps.fill_null(float("nan")).to_numpy()

    def decode(self, values: NDArray[Any]) -> pl.Series:
        """Return the column for an engine's floats, NaN standing for missing."""
        steps = pl.Series(values.astype(np.float64)).fill_nan(None).round(0).cast(pl.Int64)
        dtype = polars_dtype(self.dtype)
        return (steps * self.step).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)


@dataclass(frozen=True, slots=True)
class Levels:
    """A categorical or boolean column: the place of each value in ``values``; one past the end is missing."""

    form: ClassVar[str] = "levels"
    dtype: str
    values: tuple[Any, ...]

    def encode(self, series: pl.Series) -> NDArray[np.int64]:
        """Return the codes of cells that are there; -1 for one that is missing or that the column never showed."""
        places = pl.int_range(len(self.values), eager=True)
        return series.replace_strict(self._levels()[:-1], places, default=-1, return_dtype=pl.Int64).to_numpy()

    def decode(self, codes: NDArray[Any]) -> pl.Series:
        """Return the column for an engine's codes."""
        return self._levels().gather(pl.Series(codes.astype(np.int64)).clip(0, len(self.values)))

    def _levels(self) -> pl.Series:
        """Return the values in their places, missing at the end."""
        dtype = polars_dtype(self.dtype)
        stored = pl.Series(dtype=dtype).to_physical().dtype if dtype.is_temporal() else dtype
        return pl.Series([*self.values, None], dtype=stored).cast(dtype)


@dataclass(frozen=True, slots=True)
class Constant:
    """A column with one value, or none (``value`` is ``None``), and a share of missing cells: nothing to learn."""

    form: ClassVar[str] = "constant"
    dtype: str
    value: Any
    missing: float

    def draw(self, rows: int, random: np.random.Generator) -> pl.Series:
        """Return ``rows`` cells, each missing with the training table's share."""
        present = random.random(rows) >= self.missing
        return Levels(self.dtype, (self.value,)).decode(np.where(present, 0, 1))


Code = Number | Moment | Levels | Constant
_FORMS: dict[str, type[Code]] = {code.form: code for code in (Number, Moment, Levels, Constant)}


@dataclass(frozen=True, slots=True)
class Boundary:
    """How each column crosses, in the table's order."""

    codes: Mapping[str, Code]

    @property
    def discrete(self) -> tuple[str, ...]:
        """The columns that cross as codes of categories; the rest of :attr:`learned` are floats."""
        return tuple(name for name, code in self.codes.items() if isinstance(code, Levels))

    @property
    def learned(self) -> tuple[str, ...]:
        """The columns that an engine sees; it may be none."""
        return tuple(name for name, code in self.codes.items() if not isinstance(code, Constant))

    @property
    def complete(self) -> tuple[str, ...]:
        """The learned columns for which NaN is no answer: numbers without missing cells, and codes."""
        return tuple(name for name in self.learned if getattr(self.codes[name], "complete", True))

    def decode(self, numbers: Mapping[str, NDArray[Any]], rows: int, seed: int) -> pl.DataFrame:
        """Return the table for an engine's ``numbers`` (``rows`` values for each of :attr:`learned`)."""
        columns: dict[str, pl.Series] = {}
        for name, code in self.codes.items():
            if isinstance(code, Constant):
                columns[name] = code.draw(rows, seeds.generator(seed, "constant", name))
            else:
                columns[name] = code.decode(numbers[name])
        return pl.DataFrame(columns)

    def encode(self, given: pl.DataFrame) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
        """Return an engine's numbers for the learned columns that ``given`` has, and which rows have a place.

        A row has none where a known cell is a category, or differs from a constant, that the training table never
        showed. An empty cell's number means nothing.
        """
        placed = np.ones(given.height, dtype=bool)
        numbers: dict[str, NDArray[Any]] = {}
        for name in given.columns:
            code, cells = self.codes[name], given[name]
            if not isinstance(code, Constant):
                numbers[name] = code.encode(cells)
            if isinstance(code, Constant | Levels):
                levels = Levels(code.dtype, (code.value,)) if isinstance(code, Constant) else code
                placed &= cells.is_null().to_numpy() | (levels.encode(cells) >= 0)
        return numbers, placed

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; :meth:`from_dict` is its inverse."""
        return {name: {"form": code.form, **asdict(code)} for name, code in self.codes.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Mapping[str, Any]]) -> Boundary:
        """Rebuild a boundary from :meth:`to_dict`'s output, also after a trip through JSON."""
        return cls({name: _code_from(dict(fields)) for name, fields in data.items()})


def learn(train: pl.DataFrame, schema: Schema) -> tuple[Boundary, dict[str, NDArray[Any]]]:
    """Return how ``schema``'s columns cross, and ``train`` already across: an array for each learned column.

    Raises ``BadTableError`` where a column's cells are not what its kind says, or are infinite.
    """
    codes: dict[str, Code] = {}
    numbers: dict[str, NDArray[Any]] = {}
    for column in schema:
        codes[column.name], values = _learn_column(without_nan(train[column.name], column), column)
        if values is not None:
            numbers[column.name] = values
    return Boundary(codes), numbers


def put_in(given: pl.DataFrame, drawn: pl.DataFrame, made: NDArray[np.bool_]) -> Completed:
    """Return ``drawn`` with the known cells of ``given`` as they are, and nothing in the rows that were not made."""
    known = {name: drawn[name].zip_with(given[name].is_null(), given[name]).alias(name) for name in given.columns}
    flags = pl.lit(pl.Series(made))
    return Completed(drawn.with_columns(**known).select(pl.when(flags).then(pl.all())), made)


def _learn_column(series: pl.Series, column: Column) -> tuple[Code, NDArray[Any] | None]:
    levels = series.drop_nulls().unique()
    discrete = column.kind in {Kind.CATEGORICAL, Kind.BOOLEAN}
    if len(levels) == 0 or (len(levels) == 1 and not (discrete and series.null_count())):
        value = _plain(levels)[0] if len(levels) else None
        return Constant(column.dtype, value, series.null_count() / max(len(series), 1)), None
    if discrete:
        return _learn_levels(series, column, levels)
    if column.kind is Kind.DATETIME:
        return _learn_moment(series, column)
    return _learn_number(series, column)


def _learn_levels(series: pl.Series, column: Column, levels: pl.Series) -> tuple[Levels, NDArray[Any]]:
    ordered = levels.sort()
    places = pl.int_range(len(ordered), eager=True)
    codes = series.replace_strict(ordered, places, default=len(ordered), return_dtype=pl.Int64)
    return Levels(column.dtype, tuple(_plain(ordered))), codes.to_numpy()


def _learn_number(series: pl.Series, column: Column) -> tuple[Number, NDArray[Any]]:
    if not series.dtype.is_numeric():
        raise _wrong_type(column, "a number")
    values = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return Number(column.dtype, column.decimals, series.null_count() == 0), values


def _learn_moment(series: pl.Series, column: Column) -> tuple[Moment, NDArray[Any]]:
    if not isinstance(series.dtype, pl.Date | pl.Datetime):
        raise _wrong_type(column, "a date or time")
    ticks = series.to_physical().cast(pl.Int64)
    step = _grid(ticks.drop_nulls().to_numpy(), series.dtype)
    steps = (ticks // step).cast(pl.Float64).fill_null(np.nan).to_numpy()
    return Moment(column.dtype, step, series.null_count() == 0), steps


def _grid(ticks: NDArray[np.int64], dtype: pl.DataType) -> int:
    """Return the coarsest of day, hour, minute, second, … in ticks that divides every value."""
    if not isinstance(dtype, pl.Datetime):
        return 1
    day = _DAY[dtype.time_unit]
    common = gcd(day, int(np.gcd.reduce(ticks)))
    parts = [day // n for n in (1, 24, 1440, 86_400)]
    parts += [parts[-1] // 10**digits for digits in range(1, 10) if parts[-1] >= 10**digits]
    return next(part for part in parts if common % part == 0)


def without_nan(series: pl.Series, column: Column) -> pl.Series:
    """Return the column with NaN as missing, refusing infinite values."""
    if not series.dtype.is_float():
        return series
    if series.is_infinite().any():
        raise BadTableError(
            f"column {column.name!r} holds infinite values, which no generator can learn",
            "replace them, or list their spelling under data.missing",
        )
    return series.fill_nan(None)


def _plain(levels: pl.Series) -> list[Any]:
    """Return the values as JSON can hold them: dates and times as the integers that they are stored as."""
    return (levels.to_physical() if levels.dtype.is_temporal() else levels).to_list()


def _integer_range(dtype: str) -> tuple[float, float]:
    """Return the least and greatest float that fit the integer type (2**63 - 1 itself is no float)."""
    limits = np.iinfo(dtype.lower())
    greatest = float(limits.max)
    return float(limits.min), greatest if int(greatest) <= limits.max else float(np.nextafter(greatest, 0))


def _wrong_type(column: Column, expected: str) -> BadTableError:
    return BadTableError(
        f"column {column.name!r} has the kind {column.kind.value} but is stored as {column.dtype}, expected {expected}",
        f"set data.columns.{column.name}.type to the kind that it is",
    )


def _code_from(fields: dict[str, Any]) -> Code:
    code = _FORMS[fields.pop("form")]
    if code is Levels:
        fields["values"] = tuple(fields["values"])
    return code(**fields)
