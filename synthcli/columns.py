"""Table: what counting reads of a table, one column at a time.

What several measures need of a column (its numbers, its different values, its levels) is worked out once and kept as
long as there is room for it. A table that is too large for memory stays on disk: a column is read when it is asked for,
so that no more than a few columns' values are held at a time, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.parallel import side_by_side
from synthcli.rowkeys import NULL_BITS, Keys, canonical_bits, mixed, text_keys
from synthcli.schema import Column, Schema
from synthcli.tables.columnar import readable, readable_batches

#: Bytes of worked-out columns that a table in memory keeps; one on disk keeps half as many.
KEPT_BYTES = 2**28

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Worked = TypeVar("Worked")


class Distinct(NamedTuple):
    """The different values of a column of numbers in ascending order, and how many rows have at most each."""

    values: Floats
    cumulative: Ints

    @classmethod
    def of(cls, values: Floats) -> Distinct:
        """Sort and count; NaN is missing and left out, infinite values are not."""
        ordered = np.sort(values)
        ordered = ordered[: len(ordered) - np.count_nonzero(np.isnan(ordered))]  # NaN is sorted last
        return cls.of_sorted(ordered, np.arange(1, len(ordered) + 1))

    @classmethod
    def of_sorted(cls, ordered: Floats, cumulative: Ints) -> Distinct:
        """Put runs of equal values together, given how many rows there are up to each."""
        last = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.zeros(0, dtype=np.bool_)
        return cls(ordered[last], cumulative[last])

    @property
    def rows(self) -> int:
        """Number of rows with a value."""
        return int(self.cumulative[-1]) if len(self.cumulative) else 0

    @property
    def counts(self) -> Ints:
        """How many rows have each value."""
        return np.diff(self.cumulative, prepend=0)

    @property
    def finite(self) -> Distinct:
        """The same without infinite values."""
        inside = np.isfinite(self.values)
        if inside.all():
            return self
        below = self.at_most(np.array([-np.inf]))
        return Distinct(self.values[inside], self.cumulative[inside] - below)

    def at_most(self, bounds: npt.ArrayLike) -> Ints:
        """Return how many rows have a value of at most each bound."""
        return self._before(np.searchsorted(self.values, bounds, side="right"))

    def below(self, bounds: npt.ArrayLike) -> Ints:
        """Return how many rows have a value below each bound."""
        return self._before(np.searchsorted(self.values, bounds, side="left"))

    def _before(self, places: npt.NDArray[np.intp]) -> Ints:
        return np.where(places > 0, self.cumulative[places - 1], 0) if len(self.values) else np.zeros_like(places)

    def ranked(self, place: int) -> float:
        """Return the value at a place, counted from 0, among all rows' values in ascending order."""
        return float(self.values[np.searchsorted(self.cumulative, place, side="right")])


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The different values of a column, the most frequent first (ties by value), and each row's place among them.

    ``codes`` are of the smallest unsigned type, in which ``len(values)`` stands for a missing cell; ``counts`` are how
    many rows have each value.
    """

    values: pl.Series
    codes: npt.NDArray[np.unsignedinteger[Any]]
    counts: Ints

    @classmethod
    def of(cls, series: pl.Series) -> Levels:
        """Find and count; null and NaN are missing."""
        if series.dtype.is_float():
            series = series.fill_nan(None)
        if series.dtype in (pl.Categorical, pl.Enum):
            series = series.cast(pl.String)
        tally = category_counts(series)
        values = tally["level"]
        return cls(values, _codes(series, values), tally["count"].cast(pl.Int64).to_numpy())

    @property
    def missing(self) -> int:
        """The code of a missing cell."""
        return len(self.values)

    def spread(self, each: npt.NDArray[Any], missing: Any) -> npt.NDArray[Any]:
        """Return one number a row, given one a value and that of a missing cell."""
        spread: npt.NDArray[Any] = np.append(each, np.array(missing, dtype=each.dtype))[self.codes]
        return spread


def places(values: pl.Series, among: pl.Series) -> npt.NDArray[np.int64]:
    """Return where each of ``values`` stands in ``among``, different values, and -1 for one that does not."""
    wanted, known = alike(values, among)
    lookup = pl.DataFrame({"value": known, "place": np.arange(len(known))})
    lookup = lookup.unique("value", keep="first")  # whole numbers that differ may be one number as floats
    found = wanted.to_frame("value").join(lookup, on="value", how="left", maintain_order="left")
    found_at: Ints = found["place"].fill_null(-1).to_numpy()
    return found_at


class Table:
    """A table by its columns, in memory or on disk.

    Parameters
    ----------
    source
        The table; a lazy one is read column by column.
    rows
        How many rows a lazy one has, where that is known.
    name
        What a message calls a table on disk that cannot be read.
    """

    def __init__(self, source: pl.DataFrame | pl.LazyFrame, rows: int | None = None, name: str = "the table") -> None:
        self._source, self._name = source, name
        self.height: int = source.height if isinstance(source, pl.DataFrame) else _counted(source, rows)
        self.schema: pl.Schema = source.schema if isinstance(source, pl.DataFrame) else source.collect_schema()
        self._kept: dict[tuple[str, ...], Any] = {}
        self._room = KEPT_BYTES if self.in_memory else KEPT_BYTES // 2
        self._lock = Lock()

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in order."""
        return self.schema.names()

    @property
    def in_memory(self) -> bool:
        """Whether the columns are read already."""
        return isinstance(self._source, pl.DataFrame)

    def stretches(self, rows: int) -> Iterator[tuple[int, pl.LazyFrame]]:
        """Yield the place of the first row and the rows of each stretch of ``rows`` rows, none of them read yet."""
        for start in range(0, self.height, rows):
            yield start, self._source.lazy().slice(start, rows)

    def __getitem__(self, name: str) -> pl.Series:
        """Return one column."""
        if isinstance(self._source, pl.DataFrame):
            return self._source[name]
        return self._collected(self._source.select(name)).to_series().rechunk()

    def select(self, names: Iterable[str]) -> pl.DataFrame:
        """Return some columns of all rows."""
        return self._collected(self._source.select(list(names)).lazy())

    def take(self, rows: npt.NDArray[np.integer[Any]], names: Iterable[str]) -> pl.DataFrame:
        """Return some columns of the rows at these places, in this order."""
        return pl.DataFrame([self[name][rows] for name in names])

    def thinned(self, limit: int, names: Iterable[str]) -> pl.DataFrame:
        """Return some columns of at most ``limit`` rows at even distances, all of a smaller table."""
        step = max(1, -(-self.height // limit))
        if isinstance(self._source, pl.DataFrame):
            return self._source.select(names).gather_every(step)
        index = "synthcli: place"
        numbered = self._source.select(names).with_row_index(index)
        with readable(self._name):
            return numbered.filter(pl.col(index) % step == 0).drop(index).collect(engine="streaming")

    def chunks(self, names: Iterable[str], rows: int) -> Iterator[pl.DataFrame]:
        """Yield some columns of the rows in order, ``rows`` at a time."""
        chosen = self._source.select(list(names))
        if isinstance(chosen, pl.DataFrame):
            yield from chosen.iter_slices(rows)
        else:
            batches = chosen.collect_batches(chunk_size=rows, maintain_order=True)
            yield from _even(readable_batches(batches, self._name), rows)

    def numbers(self, name: str) -> Floats:
        """Return :func:`numbers` of a column."""

        def size(found: Floats) -> int:
            view = self.in_memory and self.schema[name] == pl.Float64 and not self[name].null_count()
            return 0 if view else found.nbytes

        return self._once(("numbers", name), lambda: numbers(self[name]), size)

    def distinct(self, name: str) -> Distinct:
        """Return the different values of a column of numbers or instants."""
        return self._once(
            ("distinct", name),
            lambda: Distinct.of(self.numbers(name)),
            lambda found: found.values.nbytes + found.cumulative.nbytes,
        )

    def levels(self, name: str) -> Levels:
        """Return the levels of a column of any type."""
        return self._once(
            ("levels", name),
            lambda: Levels.of(self[name]),
            lambda found: found.codes.nbytes + int(found.values.estimated_size()) + found.counts.nbytes,
        )

    def row_keys(self, names: Iterable[str]) -> Keys:
        """Return :func:`synthcli.rowkeys.row_keys` over columns."""
        wanted = tuple(names)

        def work() -> Keys:
            keys = np.zeros(self.height, dtype=np.uint64)
            for name in wanted:
                keys = mixed(keys, self._bits(name))
            return keys

        return self._once(("keys", *wanted), work, lambda found: found.nbytes)

    def _bits(self, name: str) -> Keys:
        if self.schema[name] != pl.String:
            return canonical_bits(self[name])
        levels = self.levels(name)
        return levels.spread(text_keys(levels.values), NULL_BITS)

    @property
    def has_room(self) -> bool:
        """Whether what is worked out of another column of numbers would be kept."""
        return self._room >= 24 * self.height

    def _collected(self, chosen: pl.LazyFrame) -> pl.DataFrame:
        with readable(self._name):
            return chosen.collect()

    def _once(self, key: tuple[str, ...], work: Callable[[], Worked], size: Callable[[Worked], int]) -> Worked:
        """Return what is kept, or work it out and keep it if there is room."""
        if key in self._kept:
            kept: Worked = self._kept[key]
            return kept
        found = work()
        with self._lock:
            if key not in self._kept and (room := self._room - size(found)) >= 0:
                self._kept[key], self._room = found, room
        return found


def work_out(tables: Iterable[Table], schema: Schema) -> None:
    """Work out side by side what counting will ask of tables in memory; those on disk wait until they are asked."""
    known = [table for table in tables if table.in_memory]
    wanted = [(table, column) for table in known for column in schema.modelled]

    def ahead(one: tuple[Table, Column]) -> None:
        table, column = one
        if not column.ordered:
            table.levels(column.name)
        elif table.has_room:
            table.distinct(column.name)

    side_by_side(lambda table: table.row_keys(column.name for column in schema.modelled), known)
    side_by_side(ahead, wanted)


def each_column(work: Callable[[str], Worked], names: Sequence[str], tables: Sequence[Table]) -> list[Worked]:
    """Return ``work`` of each column: side by side where the tables are in memory, else one at a time."""
    return side_by_side(work, names) if all(table.in_memory for table in tables) else [work(name) for name in names]


def as_table(source: Table | pl.DataFrame) -> Table:
    """Return a table by its columns."""
    return source if isinstance(source, Table) else Table(source)


def numbers(series: pl.Series) -> Floats:
    """Return a numeric, boolean or datetime column as float64 (instants in microseconds), missing as NaN."""
    if series.dtype.is_temporal():
        series = series.cast(pl.Datetime("us")).to_physical()
    return series.cast(pl.Float64).to_numpy()  # which has NaN for null


def finite_numbers(series: pl.Series) -> Floats:
    """Return :func:`numbers` with every infinite value as NaN."""
    values = numbers(series)
    return np.where(np.isfinite(values), values, np.nan)


def category_counts(series: pl.Series) -> pl.DataFrame:
    """Return the non-missing values as ``level`` with their ``count``, the most frequent first, ties by value."""
    tally = series.drop_nulls().alias("level").value_counts(name="count")
    return tally.sort(["count", "level"], descending=[True, False])


def comparable(series: pl.Series) -> pl.Series:
    """Return the column with NaN as missing, and instants of any time zone as naive ones in UTC."""
    if series.dtype.is_float():
        return series.fill_nan(None)
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is not None:
        return series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return series


def alike(a: pl.Series, b: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return two columns in one type in which equal values are equal."""
    a, b = comparable(a), comparable(b)
    if a.dtype == b.dtype:
        return a, b
    if a.dtype.is_numeric() and b.dtype.is_numeric():
        return a.cast(pl.Float64), b.cast(pl.Float64)
    if a.dtype in (pl.Date, pl.Datetime) and b.dtype in (pl.Date, pl.Datetime):
        return a.cast(pl.Datetime("us")), b.cast(pl.Datetime("us"))
    return a.cast(pl.String), b.cast(pl.String)


def _counted(source: pl.LazyFrame, rows: int | None) -> int:
    return int(source.select(pl.len()).collect().item()) if rows is None else rows


def _even(batches: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Yield batches of exactly ``rows`` rows, but for the last: sums of floats must not hang on how a file is read."""
    left: pl.DataFrame | None = None
    for batch in batches:
        left = batch if left is None else left.vstack(batch)
        whole = left.height // rows * rows
        yield from left.head(whole).iter_slices(rows) if whole else ()
        left = left.slice(whole)
    if left is not None and left.height:
        yield left


def _codes(series: pl.Series, values: pl.Series) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Return each cell's place among its column's different values, the number of these for a missing one."""
    small = np.min_scalar_type(len(values))
    if not len(values):
        return np.zeros(len(series), dtype=small)
    if series.dtype == pl.String:
        found = series.cast(pl.Enum(values)).to_physical()
    else:
        lookup = pl.DataFrame({"value": values, "place": np.arange(len(values), dtype=small)})
        found = series.to_frame("value").join(lookup, on="value", how="left", maintain_order="left")["place"]
    return found.cast(_POLARS[small.name]).fill_null(len(values)).to_numpy()


_POLARS = {"uint8": pl.UInt8, "uint16": pl.UInt16, "uint32": pl.UInt32, "uint64": pl.UInt64}
