"""Constraints: which rows of a table keep a rule that the configuration says every real row keeps.

A rule speaks of values that are there: a row with a missing cell (NaN counts as missing) in a column concerned holds.
Fixed combinations are the exception: there a missing cell is a value like any other.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.columns import alike, comparable
from synthcli.config.models import Constraint, FixedCombinations, FixedIncrements, Inequality, OneHot, Range
from synthcli.config.suggest import suggestion
from synthcli.errors import ConfigError
from synthcli.forms import polars_dtype
from synthcli.schema import Column, Schema

Flags = npt.NDArray[np.bool_]

#: Units in the last place by which the quotient of a value and its increment may miss a whole number.
_ULPS = 16


def columns_of(constraint: Constraint) -> tuple[str, ...]:
    """Return the names of the columns that ``constraint`` concerns, in its own order."""
    match constraint:
        case Inequality():
            return (constraint.low_column_name, constraint.high_column_name)
        case Range():
            return (constraint.low_column_name, constraint.middle_column_name, constraint.high_column_name)
        case FixedIncrements():
            return (constraint.column_name,)
        case FixedCombinations() | OneHot():
            return tuple(constraint.column_names)


def describe(constraint: Constraint) -> str:
    """Return the rule in words, with the columns' names and no number or cell."""
    names = [repr(name) for name in columns_of(constraint)]
    match constraint:
        case Inequality(strict_boundaries=strict):
            return f"{names[0]} is {'below' if strict else 'not above'} {names[1]}"
        case Range(strict_boundaries=strict):
            return f"{names[1]} lies {'strictly ' if strict else ''}between {names[0]} and {names[2]}"
        case FixedIncrements():
            return f"{names[0]} is a multiple of its increment"
        case FixedCombinations():
            return f"{_listed(names)} have a combination of the training part"
        case OneHot():
            return f"exactly one of {_listed(names)} is 1"


def check_columns(constraint: Constraint, schema: Schema) -> None:
    """Raise ``ConfigError`` unless the table has every column of ``constraint``, each once and of a fitting kind.

    What counts is how values are stored: whole numbers that are categories by decree can still be compared. Ids and
    free text fit no rule, since they are not learned.
    """
    names, where = columns_of(constraint), f"data.constraints ({constraint.kind})"
    for name in names:
        if name not in schema:
            raise ConfigError(f"{where}: the table has no column {name!r}", suggestion(name, schema.names))
        if names.count(name) > 1:
            raise ConfigError(f"{where}: the column {name!r} is named twice", "name different columns")
        if not schema[name].modelled:
            raise ConfigError(
                f"{where}: {name!r} is of kind {schema[name].kind}, whose values are not learned",
                "leave the rule out, or say with data.columns what the column is",
            )
    forms = [_form(schema[name]) for name in names]
    expected = _expected(constraint, set(forms))
    if expected is not None:
        got = ", ".join(f"{name!r} ({form})" for name, form in zip(names, forms, strict=True))
        hint = "say with data.columns what a column is, or leave the rule out"
        raise ConfigError(f"{where}: expected {expected}, got {got}", hint)


def holds(constraint: Constraint, frame: pl.DataFrame, train: pl.DataFrame) -> Flags:
    """Return one flag for each row of ``frame``: whether the row keeps ``constraint``.

    Both tables have the constraint's columns, of kinds that :func:`check_columns` lets pass. ``train`` matters to fixed
    combinations alone: they are the ones that it shows.
    """
    names = columns_of(constraint)
    if isinstance(constraint, FixedCombinations):
        return occurs(frame.select(names), train.select(names))
    cells = frame.select(comparable(frame[name]).alias(str(i)) for i, name in enumerate(names))
    missing = pl.any_horizontal(pl.all().is_null())
    kept: Flags = cells.select(missing | _kept(constraint, cells)).to_series().fill_null(True).to_numpy()
    return kept


def occurs(rows: pl.DataFrame, known: pl.DataFrame) -> Flags:
    """Return one flag for each of ``rows``: whether it equals some row of ``known``, missing being equal to missing.

    The columns are taken by position. Numbers are equal by value, however each table stores them.
    """
    pairs = [alike(a, b) for a, b in zip(rows.get_columns(), known.get_columns(), strict=True)]
    left = pl.DataFrame([a.alias(str(i)) for i, (a, _) in enumerate(pairs)])
    right = pl.DataFrame([b.alias(str(i)) for i, (_, b) in enumerate(pairs)]).unique()
    keys = left.columns
    found = left.join(right.with_columns(known=True), on=keys, how="left", nulls_equal=True, maintain_order="left")
    flags: Flags = found["known"].fill_null(False).to_numpy()
    return flags


def _kept(constraint: Inequality | Range | FixedIncrements | OneHot, cells: pl.DataFrame) -> pl.Expr:
    """Return whether a row without a missing cell keeps the rule; the columns are called 0, 1, …"""
    in_order = [pl.col(name) for name in cells.columns]
    match constraint:
        case Inequality(strict_boundaries=strict) | Range(strict_boundaries=strict):
            steps = pairwise(in_order)
            return pl.all_horizontal(low < high if strict else low <= high for low, high in steps)
        case FixedIncrements(increment_value=increment):
            return _is_multiple(cells["0"], increment)
        case OneHot():
            numbers = [cell.cast(pl.Float64) for cell in in_order]
            binary = pl.all_horizontal((number == 0) | (number == 1) for number in numbers)
            return binary & (pl.sum_horizontal(numbers) == 1)


def _is_multiple(series: pl.Series, increment: float) -> pl.Expr:
    """Return whether a value is a whole multiple of ``increment``; exact where both are whole, else up to rounding."""
    cell = pl.col(series.name)
    if series.dtype.is_integer() and float(increment).is_integer() and increment < 2**31:
        return cell.cast(pl.Int128) % int(increment) == 0
    quotient = cell.cast(pl.Float64) / increment
    rounding = _ULPS * float(np.finfo(np.float32 if series.dtype == pl.Float32 else np.float64).eps)
    near = (quotient - quotient.round()).abs() <= rounding * quotient.abs().clip(lower_bound=1.0)
    return cell.cast(pl.Float64).is_finite() & near


def _expected(constraint: Constraint, forms: set[str]) -> str | None:
    """Return what the columns of ``constraint`` should be, or ``None`` where ``forms`` fit."""
    match constraint:
        case Inequality() | Range():
            fitting = len(forms) == 1 and forms <= {"number", "datetime", "datetime with a time zone"}
            expected = "numbers only, or dates and times only, all with a time zone or none"
        case FixedIncrements():
            fitting, expected = forms == {"number"}, "a number"
        case OneHot():
            fitting, expected = forms <= {"number", "boolean"}, "numbers or truth values"
        case FixedCombinations():
            return None
    return None if fitting else expected


def _form(column: Column) -> str:
    dtype = polars_dtype(column.dtype)
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return "datetime with a time zone"
    return "datetime" if dtype.is_temporal() else "boolean" if dtype == pl.Boolean else "text"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}"
