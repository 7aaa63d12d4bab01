"""Taking a table as an earlier schema says, so that next month's file means what the first one meant.

Columns are matched by name and follow the schema's order; columns that the schema does not know come after them,
inferred. A value that is none of its column's type is refused with its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from synthcli.errors import BadTableError
from synthcli.forms import polars_dtype, tolerant_reading
from synthcli.inference.detection import Inferred, Locate, infer_text, infer_typed
from synthcli.inference.kinds import measured
from synthcli.inference.missing import known_tokens
from synthcli.inference.overrides import ReadOptions, check_overrides
from synthcli.schema import Column, Schema


def fit_text(strings: pl.LazyFrame, schema: Schema, options: ReadOptions, *, locate: Locate) -> Inferred:
    """Take a table of text (an empty cell is ``""``) as ``schema`` says.

    Raises ``BadTableError`` with the place of the first value that is none of its column's type.
    """
    names = strings.collect_schema().names()
    check_overrides(names, options)
    comma = schema.dialect.decimal_comma
    missing = known_tokens(schema, options)
    readings = {column.name: tolerant_reading(column, decimal_comma=comma) for column in schema}
    misfits = {name: ~pl.col(name).is_in(missing[name]) & values.is_null() for name, values in readings.items()}
    _refuse(strings, schema, misfits, locate)
    further = [name for name in names if name not in schema]
    if not further:
        return Inferred(schema, missing)
    wishes = replace(options.only(further), decimal_comma=comma)
    more = infer_text(strings.select(further), wishes, schema.dialect, locate=locate)
    return Inferred(_joined(schema, more.schema), {**missing, **more.missing})


def fit_typed(
    frame: pl.LazyFrame, schema: Schema, options: ReadOptions, *, where: str, locate: Locate
) -> tuple[pl.LazyFrame, Inferred]:
    """Take a table of stored types as ``schema`` says, and return it with that schema's types.

    Raises ``BadTableError`` where a column's type, or one of its values, can't become what the schema says unchanged.
    """
    dtypes = frame.collect_schema()
    check_overrides(dtypes.names(), options)
    converted = {column.name: _converted(column, dtypes[column.name], where) for column in schema}
    misfits = {name: pl.col(name).is_not_null() & values.is_null() for name, values in converted.items()}
    _refuse(frame, schema, misfits, locate)
    further = [name for name in dtypes.names() if name not in schema]
    more = infer_typed(frame.select(further), options.only(further)).schema if further else Schema(())
    columns = [values.alias(name) for name, values in converted.items()]
    return frame.select(*columns, *further), Inferred(_joined(schema, more), {})


def _joined(schema: Schema, more: Schema) -> Schema:
    return replace(schema, columns=schema.columns + more.columns)


def _refuse(frame: pl.LazyFrame, schema: Schema, misfits: Mapping[str, pl.Expr], locate: Locate) -> None:
    seen = measured(frame, {name: {"any": misfit.any()} for name, misfit in misfits.items()})
    for column in schema:
        if seen[column.name]["any"]:
            raise _misfit(locate(misfits[column.name]), column)


def _misfit(place: str, column: Column) -> BadTableError:
    form = f" of the form {column.format}" if column.format else ""
    return BadTableError(
        f"{place}, column {column.name!r}: the value is no {column.kind} value of type {column.dtype}{form}",
        "correct that cell; a table that has changed is split anew in another directory, with --out DIR",
    )


def _converted(column: Column, dtype: pl.DataType, where: str) -> pl.Expr:
    """Return the column with the schema's type; null where a value would change."""
    cell, wanted = pl.col(column.name), polars_dtype(column.dtype)
    if dtype == wanted:
        return cell
    if dtype.is_integer() and wanted.is_numeric():
        return cell.cast(wanted, strict=False)
    if dtype.is_float() and wanted.is_numeric():
        whole = cell == cell.round() if wanted.is_integer() else pl.lit(True)
        return pl.when(whole).then(cell.cast(wanted, strict=False))
    if dtype.is_temporal() and wanted.is_temporal() and _has_zone(dtype) == _has_zone(wanted):
        return pl.when(cell.cast(wanted).cast(dtype) == cell).then(cell.cast(wanted))
    if dtype == pl.String or (dtype.is_integer() and wanted == pl.Boolean):
        return tolerant_reading(column, cell.cast(pl.String))
    raise BadTableError(
        f"{where}, column {column.name!r}: stored as {dtype}, expected {column.dtype}",
        "store the column as before, or start anew with a schema of the present table",
    )


def _has_zone(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
