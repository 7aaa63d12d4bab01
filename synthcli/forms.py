"""The form of values: how a cell's text becomes a typed value and how a typed value becomes text again.

Expressions only; no file is touched here. ``inference`` decides what a column is and is strict about it;
``tolerant_reading`` then takes any text that can mean only one value of that type, so that a frozen schema also reads
next month's file and what other programs write.
``writing`` is its inverse on every text that inference accepted without a doubt.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import polars as pl

from synthcli.schema import Column

#: Every storage type that a schema may name, besides datetimes, which carry a unit and a zone.
PLAIN_DTYPES: dict[str, pl.DataType] = {
    "Int8": pl.Int8(),
    "Int16": pl.Int16(),
    "Int32": pl.Int32(),
    "Int64": pl.Int64(),
    "UInt8": pl.UInt8(),
    "UInt16": pl.UInt16(),
    "UInt32": pl.UInt32(),
    "UInt64": pl.UInt64(),
    "Float32": pl.Float32(),
    "Float64": pl.Float64(),
    "String": pl.String(),
    "Boolean": pl.Boolean(),
    "Date": pl.Date(),
}

DEFAULT_SPELLING = ("false", "true")

_DATETIME_NAME = re.compile(r"Datetime\[(ms|us|ns)(?:, (.+))?\]")
_OFFSET = re.compile(r"(?:Z|([+-])(\d\d):?(\d\d))$")


def dtype_name(dtype: pl.DataType) -> str | None:
    """Return the schema's name of a polars type, or ``None`` where a table may not hold it."""
    if isinstance(dtype, pl.Datetime):
        return f"Datetime[{dtype.time_unit}, {dtype.time_zone}]" if dtype.time_zone else f"Datetime[{dtype.time_unit}]"
    name = str(dtype.base_type())
    return name if name in PLAIN_DTYPES else None


def polars_dtype(name: str) -> pl.DataType:
    """Return the polars type of a schema's type name; the inverse of :func:`dtype_name`."""
    if name in PLAIN_DTYPES:
        return PLAIN_DTYPES[name]
    match = _DATETIME_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"no storage type is called {name!r}")
    return pl.Datetime(match[1], match[2])  # type: ignore[arg-type]


class Stamp(NamedTuple):
    """A datetime format without its zone, and the zone as minutes east of UTC (``None``: no zone)."""

    format: str
    offset: int | None

    @classmethod
    def of(cls, column: Column) -> Stamp:
        """Split the column's format; a source without a text form gets ISO 8601."""
        if column.format is None:
            return cls("%Y-%m-%d", None) if column.dtype == "Date" else cls("%Y-%m-%dT%H:%M:%S%.f", None)
        return cls(column.format, offset_minutes(column.format))


def offset_minutes(text: str) -> int | None:
    """Return the UTC offset that ``text`` (a value or a format) ends with, in minutes, or ``None``."""
    match = _OFFSET.search(text)
    if match is None:
        return None
    if match[1] is None:
        return 0
    return (1 if match[1] == "+" else -1) * (60 * int(match[2]) + int(match[3]))


def reading(column: Column, cell: pl.Expr | None = None, *, decimal_comma: bool = False) -> pl.Expr:
    """Return String -> ``column.dtype``, of ``cell`` where that is not the column itself.

    Null where the text does not mean a value of that type.
    """
    cell = pl.col(column.name) if cell is None else cell
    dtype = polars_dtype(column.dtype)
    if column.dtype == "String":
        return cell
    if column.dtype == "Boolean":
        false, true = column.spelling or DEFAULT_SPELLING
        return pl.when(cell == true).then(True).when(cell == false).then(False).alias(column.name)
    if dtype.is_integer():
        return pl.when(cell.str.contains(r"^[+-]?\d+$")).then(cell.cast(dtype, strict=False)).alias(column.name)
    if dtype.is_float():
        return _read_float(cell, dtype, "," if decimal_comma else ".").alias(column.name)
    return _read_datetime(cell, column, dtype)


def tolerant_reading(column: Column, cell: pl.Expr | None = None, *, decimal_comma: bool = False) -> pl.Expr:
    """Return :func:`reading`, and for text that it cannot read the forms in which other programs write such values.

    Those are whole numbers as ``1.0``, truth values as true/false, yes/no, t/f, y/n or 1/0 in any case, and ISO 8601
    dates and times. None of them can mean another value of the column's type.
    """
    cell = pl.col(column.name) if cell is None else cell
    own = reading(column, cell, decimal_comma=decimal_comma)
    dtype = polars_dtype(column.dtype)
    if dtype.is_integer():
        whole = pl.when(cell.str.contains(r"^[+-]?\d+\.0*$")).then(cell.str.replace(r"\.0*$", ""))
        return pl.coalesce(own, whole.cast(dtype, strict=False)).alias(column.name)
    if dtype == pl.Boolean:
        return pl.coalesce(own, _read_truth(cell)).alias(column.name)
    if dtype.is_temporal() and column.format is not None:
        return pl.coalesce(own, _read_iso(cell, dtype)).alias(column.name)
    return own


def _read_truth(cell: pl.Expr) -> pl.Expr:
    text = cell.str.to_lowercase().str.replace(r"\.0*$", "")
    yes, no = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]
    return pl.when(text.is_in(yes)).then(True).when(text.is_in(no)).then(False)


def _read_iso(cell: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Read ISO 8601; a date where midnight is meant, and UTC where a zone is wanted and none is said."""
    text = cell.str.replace("T", " ", literal=True).str.strip_suffix("Z")
    if not isinstance(dtype, pl.Datetime):
        return text.str.replace(r" 00:00(:00(\.0+)?)?$", "").str.to_date("%Y-%m-%d", strict=False)
    full = pl.when(text.str.len_chars() == 10).then(text + " 00:00:00").otherwise(text)
    moment = full.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit=dtype.time_unit, strict=False)
    if dtype.time_zone is None:
        return moment
    return moment.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)


def _read_float(cell: pl.Expr, dtype: pl.DataType, point: str) -> pl.Expr:
    shape = rf"^[+-]?(?:\d+[{point}]?\d*|[{point}]\d+)(?:[eE][+-]?\d+)?$"
    plain = cell if point == "." else cell.str.replace(point, ".", literal=True)
    number = pl.when(cell.str.contains(shape)).then(plain.cast(dtype, strict=False))
    return pl.when(number.is_finite()).then(number)


def _read_datetime(cell: pl.Expr, column: Column, dtype: pl.DataType) -> pl.Expr:
    stamp = Stamp.of(column)
    if not isinstance(dtype, pl.Datetime):
        return cell.str.to_date(stamp.format, strict=False)
    text = cell.str.strip_suffix("Z") if column.format is None else cell
    moment = text.str.to_datetime(stamp.format, time_unit=dtype.time_unit, strict=False)
    if dtype.time_zone is None:
        return moment
    instant = (moment - pl.duration(minutes=stamp.offset or 0)).dt.replace_time_zone("UTC")
    return instant.dt.cast_time_unit(dtype.time_unit).dt.convert_time_zone(dtype.time_zone)


def writing(column: Column, cell: pl.Expr | None = None, *, decimal_comma: bool = False) -> pl.Expr:
    """Return ``column.dtype`` -> String, null staying null; of ``cell`` where that is not the column itself."""
    cell = pl.col(column.name) if cell is None else cell
    dtype = polars_dtype(column.dtype)
    if column.dtype == "String":
        return cell
    if column.dtype == "Boolean":
        false, true = column.spelling or DEFAULT_SPELLING
        spelled = pl.when(cell).then(pl.lit(true)).when(~cell).then(pl.lit(false))
        return spelled.alias(column.name)
    if dtype.is_integer():
        return cell.cast(pl.String)
    if dtype.is_float():
        text = _write_float(cell, column)
        return text.str.replace(".", ",", literal=True) if decimal_comma else text
    return _write_datetime(cell, column, dtype)


def _write_float(cell: pl.Expr, column: Column) -> pl.Expr:
    decimals = column.decimals
    if decimals is None:
        return cell.cast(pl.String)
    text = cell.map_batches(lambda series: _with_digits(series, decimals), return_dtype=pl.String, is_elementwise=True)
    spare = decimals - column.least_decimals
    return text.str.replace(rf"0{{1,{spare}}}$", "").str.strip_chars_end(".") if spare else text


def _with_digits(numbers: pl.Series, decimals: int) -> pl.Series:
    """Write numbers as ``%.{decimals}f``; a cast goes through scientific notation, and the CSV writer does not."""
    if numbers.is_empty():
        return pl.Series(numbers.name, [], dtype=pl.String)
    frame = pl.DataFrame({"x": numbers.cast(pl.Float64)})
    lines = frame.write_csv(include_header=False, float_precision=decimals, null_value="null")
    texts = pl.read_csv(lines.encode(), has_header=False, infer_schema=False, null_values="null")
    return texts.to_series().alias(numbers.name)


def _write_datetime(cell: pl.Expr, column: Column, dtype: pl.DataType) -> pl.Expr:
    stamp = Stamp.of(column)
    zone = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
    if zone is None:
        return cell.dt.to_string(stamp.format)
    instant = cell.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    local = instant + pl.duration(minutes=stamp.offset or 0)
    suffix = "Z" if column.format is None else ""
    return local.dt.to_string(stamp.format + suffix)
