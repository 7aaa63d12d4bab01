"""The scale on which columns are compared: numbers and nanoseconds, in types that hold every result.

Cells of a column come in as it stores them and go back so; a missing cell stays missing throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np
import polars as pl

from synthcli.forms import polars_dtype

#: Nanoseconds of one tick; all dates and times are compared and subtracted as nanoseconds since 1970.
_TICK = {"ms": 1_000_000, "us": 1_000, "ns": 1}
_DAY = 86_400_000_000_000
#: Whole numbers up to here are floats without rounding.
EXACT = 2**53


def largest(present: pl.Series) -> float:
    """Return the greatest absolute value."""
    low, high = np.abs([present.min(), present.max()])  # type: ignore[arg-type]
    return float(max(low, high))


def moment_step(cells: pl.Series) -> int:
    """Return the coarsest of day, hour, minute, second, … that divides every moment, in nanoseconds."""
    ticks = cells.drop_nulls().to_physical().cast(pl.Int64).to_numpy()
    common = gcd(_DAY, int(np.gcd.reduce(ticks)) * tick_of(cells.dtype))
    ladder: list[int] = [_DAY, _DAY // 24, _DAY // 1440, *(10**power for power in range(9, -1, -1))]
    return next(step for step in ladder if common % step == 0)


def tick_of(dtype: pl.DataType) -> int:
    """Return the nanoseconds of one step of a type of dates or times."""
    return _TICK[dtype.time_unit] if isinstance(dtype, pl.Datetime) else _DAY


def extreme(columns: Sequence[pl.Series], take: Any) -> pl.Series:
    """Return the greatest or least of each row's present values on the common scale."""
    scaled = [on_scale(cells) for cells in columns]
    if len({cells.dtype for cells in scaled}) > 1:
        scaled = [cells.cast(pl.Float64) for cells in scaled]
    frame = pl.DataFrame([cells.alias(str(i)) for i, cells in enumerate(scaled)])
    return frame.select(take(pl.all())).to_series()


def on_scale(cells: pl.Series) -> pl.Series:
    """Return the values on the scale on which columns are compared: floats, whole numbers, or nanoseconds in UTC."""
    if cells.dtype.is_temporal():
        return cells.to_physical().cast(pl.Int128) * int128(tick_of(cells.dtype))
    return cells.cast(pl.Float64).fill_nan(None) if cells.dtype.is_float() else cells.cast(pl.Int128)


def off_scale(scaled: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return whole numbers or nanoseconds as a column stores them; the inverse of :func:`on_scale`."""
    if not dtype.is_temporal():
        return scaled.cast(dtype)
    return (scaled // int128(tick_of(dtype))).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)


def over(numbers: pl.Series, numerator: int, denominator: int) -> pl.Series:
    """Return floats divided by a fraction, rounded once where its parts are floats themselves."""
    if max(numerator, denominator) < EXACT:
        # A divisor that is a column: polars multiplies by the reciprocal of a single number, which rounds twice.
        return numbers * float(denominator) / alike(float(numerator), numbers)
    return numbers / (numerator / denominator)


def int128(number: int) -> pl.Series:
    """Return a whole number as a column of one cell, wide enough for every result."""
    return pl.Series([number], dtype=pl.Int128)


def places_of(numbers: Sequence[int]) -> pl.Series:
    """Return whole numbers as places on a grid."""
    return pl.Series(numbers, dtype=pl.Int128)


def where(kept: pl.Series, cells: pl.Series) -> pl.Series:
    """Return the cells, missing where not ``kept``."""
    return cells.zip_with(kept, pl.repeat(None, len(cells), dtype=cells.dtype, eager=True))


def present_or(cells: pl.Series, others: pl.Series) -> pl.Series:
    """Return the cells, and those of ``others`` where they are missing."""
    return cells.zip_with(cells.is_not_null(), others)


def alike(number: float, cells: pl.Series) -> pl.Series:
    """Return a number as often as ``cells`` has rows, in its type."""
    return pl.repeat(number, len(cells), dtype=cells.dtype, eager=True)


def without_nan(cells: pl.Series) -> pl.Series:
    """Return the cells, with NaN as missing."""
    return cells.fill_nan(None) if cells.dtype.is_float() else cells


def plain(levels: pl.Series) -> list[Any]:
    """Return the values as JSON can hold them: dates and times as the integers that they are stored as."""
    return (levels.to_physical() if levels.dtype.is_temporal() else levels).to_list()


def column_of(plain: Sequence[Any], dtype_name: str) -> pl.Series:
    """Return a column of plain values; the inverse of :func:`plain`."""
    dtype = polars_dtype(dtype_name)
    stored = pl.Series(dtype=dtype).to_physical().dtype if dtype.is_temporal() else dtype
    return pl.Series(plain, dtype=stored).cast(dtype)
