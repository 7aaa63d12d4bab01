"""Grids: the values that a column may take, numbered in their order, and the next of them that keeps a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any, ClassVar

import numpy as np
import polars as pl

from synthcli.config.models import Constraint, FixedIncrements, Inequality
from synthcli.constraints import holds
from synthcli.forms import polars_dtype
from synthcli.schema import Column, Kind
from synthcli.synthesizers.coordinates.scale import (
    EXACT,
    column_of,
    extreme,
    int128,
    largest,
    moment_step,
    off_scale,
    on_scale,
    over,
    plain,
    tick_of,
    where,
)

#: The years 1 to 9999, beyond which other programs read no date, as nanoseconds since 1970.
_CALENDAR = (-62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1)
#: What 64 bits hold: the calendar of nanoseconds, 1677 to 2262, and the gaps that a free column can hold.
INT64 = (-(2**63) + 1, 2**63 - 1)
#: Wider than any integer type; units and steps are kept below, so that 128 bits hold every result.
_WIDE = 2**70


@dataclass(frozen=True, slots=True)
class Even:
    """The multiples of ``numerator / denominator``: whole numbers, decimals, increments, moments (in nanoseconds).

    The multiples numbered ``least`` to ``greatest`` fit the column's type.
    """

    form: ClassVar[str] = "even"
    dtype: str
    numerator: int
    denominator: int
    least: int
    greatest: int

    def places(self, scaled: pl.Series) -> pl.Series:
        """Return the number of the multiple that is nearest to each value."""
        if scaled.dtype.is_float() or polars_dtype(self.dtype).is_float():
            steps = over(scaled.cast(pl.Float64), self.numerator, self.denominator).round(0)
            whole = steps.clip(-float(_WIDE), float(_WIDE)).cast(pl.Int128)
        else:
            whole = (scaled + int128(self.numerator // 2)) // int128(self.numerator)
        return whole.clip(self.least, self.greatest)

    def values(self, places: pl.Series) -> pl.Series:
        """Return the multiples as the column stores them."""
        dtype = polars_dtype(self.dtype)
        if dtype.is_float():
            return over(places.cast(pl.Float64), self.denominator, self.numerator).cast(dtype)
        return off_scale(places * int128(self.numerator), dtype)


@dataclass(frozen=True, slots=True)
class Floats:
    """All finite numbers of a floating type, numbered in their order: its bits, read as whole numbers."""

    form: ClassVar[str] = "floats"
    dtype: str

    @property
    def least(self) -> int:
        """The number of the least finite value."""
        return -self.greatest

    @property
    def greatest(self) -> int:
        """The number of the greatest finite value."""
        kind = self.dtype.lower()
        return int(np.array(np.finfo(kind).max, kind).view(kind.replace("float", "int")).item())

    def places(self, scaled: pl.Series) -> pl.Series:
        """Return the number of the float that is nearest to each value."""
        kind = self.dtype.lower()
        limit = float(np.finfo(kind).max)
        bits = scaled.cast(pl.Float64).clip(-limit, limit).fill_null(0.0).to_numpy().astype(kind)
        whole = bits.view(kind.replace("float", "int"))
        ordered = pl.Series(np.where(whole >= 0, whole, np.iinfo(whole.dtype).min - whole)).cast(pl.Int128)
        return where(scaled.is_not_null(), ordered)

    def values(self, places: pl.Series) -> pl.Series:
        """Return the floats of these numbers."""
        kind = self.dtype.lower()
        whole = places.fill_null(0).cast(pl.Int64).to_numpy().astype(kind.replace("float", "int"))
        bits = np.where(whole >= 0, whole, np.iinfo(whole.dtype).min - whole)
        return where(places.is_not_null(), pl.Series(bits.view(kind)))


@dataclass(frozen=True, slots=True)
class Listed:
    """The values that the training table shows, in their order, for categories that are numbers or moments."""

    form: ClassVar[str] = "listed"
    dtype: str
    levels: tuple[Any, ...]
    least: ClassVar[int] = 0

    @property
    def greatest(self) -> int:
        """The place of the last level."""
        return len(self.levels) - 1

    def places(self, scaled: pl.Series) -> pl.Series:
        """Return the place of the level that is nearest to each value."""
        levels = on_scale(column_of(self.levels, self.dtype)).cast(pl.Float64).to_numpy()
        wanted = scaled.cast(pl.Float64).fill_null(0.0).to_numpy()
        right = np.searchsorted(levels, wanted).clip(0, self.greatest)
        left = (right - 1).clip(0)
        nearest = np.where(np.abs(levels[left] - wanted) < np.abs(levels[right] - wanted), left, right)
        return where(scaled.is_not_null(), pl.Series(nearest).cast(pl.Int128))

    def values(self, places: pl.Series) -> pl.Series:
        """Return the levels at these places."""
        return column_of(self.levels, self.dtype).gather(places.cast(pl.Int64))


#: The values that a column may take, numbered by whole numbers in their order.
Grid = Even | Floats | Listed
GRIDS: dict[str, type[Grid]] = {grid.form: grid for grid in (Even, Floats, Listed)}


def grid_of(
    column: Column, cells: Mapping[str, pl.Series], constraints: Sequence[Constraint], neighbours: Iterable[str]
) -> Grid:
    """Return the values that a column may take; ``neighbours`` are the columns that it is compared with."""
    own = cells[column.name]
    present = own.drop_nulls()
    if column.kind is Kind.CATEGORICAL and len(present):
        return _listed(column, present, constraints)
    dtype = own.dtype
    if dtype.is_temporal():
        # A date is compared with nanoseconds as nanoseconds, which ends polars where they do not reach.
        beside = neighbours if dtype == pl.Date else ()
        narrow = any(tick_of(cells[name].dtype) == 1 for name in (column.name, *beside))
        return _even(column.dtype, Fraction(moment_step(own)), *(INT64 if narrow else _CALENDAR))
    increments = increments_of(constraints, column.name)
    unit = _common_multiple([*_natural(column), *increments])
    if dtype.is_integer():
        limits = np.iinfo(column.dtype.lower())
        return _even(column.dtype, min(unit or Fraction(1), Fraction(_WIDE)), int(limits.min), int(limits.max))
    if unit is None or (not increments and len(present) and largest(present) > EXACT * unit):
        return Floats(column.dtype)
    limit = min(EXACT * unit, Fraction(float(np.finfo(column.dtype.lower()).max)))
    return _even(column.dtype, unit, -limit, limit)


def _listed(column: Column, present: pl.Series, constraints: Sequence[Constraint]) -> Listed:
    """Return the levels of the training table, without those that are no multiples where they have to be."""
    frame = present.alias(column.name).unique().sort().to_frame()
    kept = np.ones(len(frame), dtype=bool)
    for rule in constraints:
        if isinstance(rule, FixedIncrements) and rule.column_name == column.name:
            kept &= holds(rule, frame, frame)
    return Listed(column.dtype, tuple(plain(frame.filter(kept).to_series())))


def _even(dtype: str, unit: Fraction, low: Fraction | int, high: Fraction | int) -> Even:
    """Return the multiples of ``unit`` between two limits."""
    return Even(dtype, unit.numerator, unit.denominator, -int(-low // unit), int(high // unit))


def _natural(column: Column) -> list[Fraction]:
    """Return the unit that a number is rounded to anyway, or none."""
    if polars_dtype(column.dtype).is_integer():
        return [Fraction(1)]
    return [] if column.decimals is None else [Fraction(1, 10**column.decimals)]


def increments_of(constraints: Sequence[Constraint], name: str) -> list[Fraction]:
    """Return the increments that a column has to be multiples of."""
    rules = [rule for rule in constraints if isinstance(rule, FixedIncrements) and rule.column_name == name]
    return [_fraction(rule.increment_value) for rule in rules]


def _fraction(number: float) -> Fraction:
    """Return the simple fraction that a float was meant as: a third, or the decimals that it is written with."""
    simple = Fraction(number).limit_denominator(1_000_000)
    return simple if float(simple) == number else Fraction(repr(float(number)))


def _common_multiple(units: Sequence[Fraction]) -> Fraction | None:
    """Return the least number that is a whole multiple of every unit; ``None`` for no unit."""
    if not units:
        return None
    whole = lcm(*(unit.denominator for unit in units))
    return Fraction(lcm(*(int(unit * whole) for unit in units)), whole)


def raised(grid: Grid, places: pl.Series, below: Sequence[tuple[pl.Series, bool]], cap: int) -> pl.Series:
    """Return the values at ``places``, or the next above that ``below`` lets them have; missing where none does."""
    floor = grid.places(extreme([cells for cells, _ in below], pl.max_horizontal))
    both = pl.DataFrame([places.alias("place"), floor.alias("floor")])
    start = where(places.is_not_null(), both.select(pl.max_horizontal(pl.all())).to_series())
    return grid.values(_settled(grid, start.clip(upper_bound=cap), below, 1, cap))


def lowered(grid: Grid, above: Sequence[tuple[pl.Series, bool]]) -> pl.Series:
    """Return the places of the highest values that ``above`` let the column have: below the least where none would do.

    Null is where ``above`` are all missing.
    """
    start = grid.places(extreme([cells for cells, _ in above], pl.min_horizontal))
    settled = _settled(grid, start, above, -1, grid.least)
    return where(start.is_not_null(), settled.fill_null(grid.least - 1))


def values_on(grid: Grid, places: pl.Series) -> pl.Series:
    """Return the values at ``places``, missing where these lie below the grid."""
    return grid.values(where(places >= grid.least, places))


def _settled(
    grid: Grid, places: pl.Series, others: Sequence[tuple[pl.Series, bool]], step: int, limit: int
) -> pl.Series:
    """Move places by 1, 2, 4, … until their values keep the rules, as stored and compared; null where none does.

    Comparing what is stored is what makes this safe: types of other widths are compared with rounding, in one direction
    or the other, but always in order.
    """
    while True:
        wrong = ~_in_order(grid.values(places), others, below=step > 0)
        moved = places + int128(step)
        moved = moved.clip(upper_bound=limit) if step > 0 else moved.clip(lower_bound=limit)
        moved = moved.zip_with(wrong, places)
        if moved.equals(places):
            return where(~wrong, places)
        places, step = moved, 2 * step


def _in_order(cells: pl.Series, others: Sequence[tuple[pl.Series, bool]], *, below: bool) -> pl.Series:
    """Return whether each value keeps the rules with ``others``, which lie ``below`` or above it."""
    kept = np.ones(len(cells), dtype=bool)
    for other, strict in others:
        low, high = (other, cells) if below else (cells, other)
        rule = Inequality(kind="inequality", low_column_name="low", high_column_name="high", strict_boundaries=strict)
        frame = pl.DataFrame([low.alias("low"), high.alias("high")])
        kept &= holds(rule, frame, frame)
    return pl.Series(kept)
