"""Coordinates: a table whose rows keep rules <-> a free table in which every row is allowed.

Any generator keeps the rules of ``data.constraints`` if it learns the free table: a column that lies above others is
its gap above the greatest of them, a multiple is its number of increments, and columns that go together are one
category. The way back raises, rounds and holds values so that every row keeps every rule, whatever a generator put into
the free columns. What a row means is not looked at: this is arithmetic, and no rejection of rows.

:func:`learn` looks at the training table once; the :class:`Coordinates` it returns is a value that goes to JSON and
back. It does hold combinations, categories and greatest values of the training table: it is personal data, as a model
is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from math import gcd, lcm
from typing import Any, ClassVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli import seeds
from synthcli.config.models import (
    CONSTRAINTS,
    Constraint,
    FixedCombinations,
    FixedIncrements,
    Inequality,
    OneHot,
    Range,
)
from synthcli.constraints import columns_of, holds
from synthcli.errors import ConfigError
from synthcli.forms import polars_dtype
from synthcli.schema import Column, Kind, Schema

#: Nanoseconds of one tick; all dates and times are compared and subtracted as nanoseconds since 1970.
_TICK = {"ms": 1_000_000, "us": 1_000, "ns": 1}
_DAY = 86_400_000_000_000
#: The years 1 to 9999, beyond which other programs read no date, as nanoseconds since 1970.
_CALENDAR = (-62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1)
#: What 64 bits hold: the calendar of nanoseconds, 1677 to 2262, and the gaps that a free column can hold.
_INT64 = (-(2**63) + 1, 2**63 - 1)
#: Whole numbers up to here are floats without rounding.
_EXACT = 2**53
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
            steps = _over(scaled.cast(pl.Float64), self.numerator, self.denominator).round(0)
            whole = steps.clip(-float(_WIDE), float(_WIDE)).cast(pl.Int128)
        else:
            whole = (scaled + _whole(self.numerator // 2)) // _whole(self.numerator)
        return whole.clip(self.least, self.greatest)

    def values(self, places: pl.Series) -> pl.Series:
        """Return the multiples as the column stores them."""
        dtype = polars_dtype(self.dtype)
        if dtype.is_float():
            return _over(places.cast(pl.Float64), self.denominator, self.numerator).cast(dtype)
        return _stored(places * _whole(self.numerator), dtype)


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
        return _where(scaled.is_not_null(), ordered)

    def values(self, places: pl.Series) -> pl.Series:
        """Return the floats of these numbers."""
        kind = self.dtype.lower()
        whole = places.fill_null(0).cast(pl.Int64).to_numpy().astype(kind.replace("float", "int"))
        bits = np.where(whole >= 0, whole, np.iinfo(whole.dtype).min - whole)
        return _where(places.is_not_null(), pl.Series(bits.view(kind)))


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
        levels = _scaled(_column_of(self.levels, self.dtype)).cast(pl.Float64).to_numpy()
        wanted = scaled.cast(pl.Float64).fill_null(0.0).to_numpy()
        right = np.searchsorted(levels, wanted).clip(0, self.greatest)
        left = (right - 1).clip(0)
        nearest = np.where(np.abs(levels[left] - wanted) < np.abs(levels[right] - wanted), left, right)
        return _where(scaled.is_not_null(), pl.Series(nearest).cast(pl.Int128))

    def values(self, places: pl.Series) -> pl.Series:
        """Return the levels at these places."""
        return _column_of(self.levels, self.dtype).gather(places.cast(pl.Int64))


#: The values that a column may take, numbered by whole numbers in their order.
Grid = Even | Floats | Listed
_GRIDS: dict[str, type[Grid]] = {grid.form: grid for grid in (Even, Floats, Listed)}


@dataclass(frozen=True, slots=True)
class Ordered:
    """A number or moment that is compared with others, or a multiple of an increment.

    Attributes
    ----------
    way
        What stands in the free table: ``itself``, its ``places`` on the grid, or its ``gap`` above ``parents``.
    free, flag
        The free column, and the one that says where cells are missing (``None``: they are missing in ``free``).
    parents
        The columns that are never above this one, and whether they have to be below.
    unit
        The step of a whole-numbered gap; ``None`` where gaps are floats.
    base
        What a gap is added to where all parents are missing.
    top, cap
        Places on the grid: of the greatest training value, which only a parent can push a value past, and the highest
        that leaves room for the columns above.
    """

    form: ClassVar[str] = "ordered"
    name: str
    way: str
    free: str
    flag: str | None
    grid: Grid
    parents: tuple[tuple[str, bool], ...]
    unit: int | None
    base: float
    top: int
    cap: int

    def restore(self, free: pl.DataFrame, known: Mapping[str, pl.Series]) -> pl.Series:
        """Return the column before its missing cells are emptied; ``known`` holds its parents."""
        given = free[self.free]
        if self.way == "itself":
            return _held(given, self.grid.values(_places_of([self.grid.least, self.cap])))
        if self.way == "places":
            return self.grid.values(given.cast(pl.Int128).clip(self.grid.least, self.cap))
        return self._above(given, [(known[name], strict) for name, strict in self.parents])

    def _above(self, gap: pl.Series, parents: Sequence[tuple[pl.Series, bool]]) -> pl.Series:
        """Return the values that lie ``gap`` above the greatest parent, or as near to that as the rules let them."""
        floor = _extreme([parent for parent, _ in parents], pl.max_horizontal)
        if self.unit is None:
            wanted = floor.cast(pl.Float64).fill_null(self.base) + gap.fill_nan(None)
        else:
            wanted = floor.fill_null(_whole(int(self.base))) + gap.cast(pl.Int128) * _whole(self.unit)
        drawn = self.grid.places(wanted).clip(upper_bound=self.top)
        return _raised(self.grid, drawn, parents, self.cap)


@dataclass(frozen=True, slots=True)
class Together:
    """Columns that are one category in the free table: its code is the place of a combination of their values.

    ``values`` are the levels column by column, as JSON can hold them, and ``counts`` the training rows of each.
    """

    form: ClassVar[str] = "together"
    free: str
    dtypes: Mapping[str, str]
    values: Mapping[str, tuple[Any, ...]]
    counts: tuple[int, ...]

    def restore(self, free: pl.DataFrame, seed: int) -> dict[str, pl.Series]:
        """Return the columns; a code that is none of the levels is drawn anew, as often as the levels were seen."""
        codes, levels = free[self.free], len(self.counts)
        known = codes.is_between(0, levels - 1).fill_null(False)
        random = seeds.generator(seed, "coordinates", self.free)
        total = sum(self.counts)
        drawn = (
            random.choice(levels, size=len(codes), p=np.array(self.counts) / total) if total else [None] * len(codes)
        )
        places = codes.zip_with(known, pl.Series(drawn, dtype=pl.Int64))
        return {cells.name: cells.gather(places) for cells in self.levels()}

    def levels(self) -> pl.DataFrame:
        """Return the combinations of the training table, one row each."""
        columns = (_column_of(self.values[name], dtype).alias(name) for name, dtype in self.dtypes.items())
        return pl.DataFrame(list(columns))


@dataclass(frozen=True, slots=True)
class Coordinates:
    """The change of columns, both ways of which :func:`learn` has laid down.

    Attributes
    ----------
    names
        The table's columns in their order.
    untouched
        The columns that are the same on both sides. A value that leaves no room for a column above it in that column's
        storage type is lowered on the way back; no value between the training table's least and greatest is.
    ordered
        The columns that are compared or multiples, each after its parents.
    together
        The groups of columns that are one category.
    rules
        The rules that every restored row keeps.
    """

    names: tuple[str, ...]
    untouched: tuple[str, ...]
    ordered: tuple[Ordered, ...] = ()
    together: tuple[Together, ...] = ()
    rules: tuple[Constraint, ...] = ()

    def keeps(self, table: pl.DataFrame) -> NDArray[np.bool_]:
        """Return one flag for each row of a table with the modelled columns: whether it keeps every rule."""
        kept = np.ones(table.height, dtype=np.bool_)
        for rule in self.rules:
            # Other rules than fixed combinations look at no other table.
            known = [group.levels() for group in self.together if columns_of(rule)[0] in group.values]
            kept &= holds(rule, table, known[0] if known else table)
        return kept

    def restore(self, free: pl.DataFrame, seed: int) -> pl.DataFrame:
        """Return the table of ``free``, whose columns have the free schema's types.

        Every row keeps every rule, whatever the cells of ``free`` are. A cell for which no value of the column's type
        would do comes out missing. ``seed`` draws the levels of rows whose code is missing or unknown.
        """
        columns: dict[str, pl.Series] = {}
        for group in self.together:
            columns |= group.restore(free, seed)
        for column in self.ordered:
            columns[column.name] = column.restore(free, columns)
        for column in self.ordered:
            if column.flag is not None:
                columns[column.name] = _where(~free[column.flag].fill_null(False), columns[column.name])
        return pl.DataFrame([(columns[name] if name in columns else free[name]).alias(name) for name in self.names])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; :meth:`from_dict` is its inverse."""
        ordered = [{**asdict(column), "grid": _grid_dict(column.grid)} for column in self.ordered]
        together = [asdict(group) for group in self.together]
        rules = [rule.model_dump(mode="json") for rule in self.rules]
        own = {"names": self.names, "untouched": self.untouched}
        return {**own, "ordered": ordered, "together": together, "rules": rules}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Coordinates:
        """Rebuild coordinates from :meth:`to_dict`'s output, also after a trip through JSON."""
        return cls(
            tuple(data["names"]),
            tuple(data["untouched"]),
            tuple(_ordered_from(fields) for fields in data["ordered"]),
            tuple(_together_from(fields) for fields in data["together"]),
            tuple(cast("Constraint", CONSTRAINTS[rule["kind"]].model_validate(rule)) for rule in data["rules"]),
        )


def learn(
    train: pl.DataFrame, schema: Schema, constraints: Sequence[Constraint]
) -> tuple[Coordinates, pl.DataFrame, Schema]:
    """Return the change of columns for a training table, its free table, and that table's schema.

    Free columns stand where the columns stood that they replace. A column that has others above it is filled where a
    cell is missing, and a truth value beside it says where. ``restore`` gives the rows of ``train`` back, up to the
    rounding of floats, where they miss no cell, keep the rules, and lie at most 2**63 units apart.

    Parameters
    ----------
    train
        The training table; rows that break a rule are none that can come back, and do no other harm.
    schema
        Its modelled columns.
    constraints
        Rules that ``constraints.check_columns`` lets pass.

    Raises
    ------
    ConfigError
        Where columns lie above each other in a circle, or a column of a group of columns has another rule too.
    """
    _refuse_overlaps(constraints)
    taken = set(schema.names)
    pieces: dict[str, _Pieces] = {}
    groups = []
    for rule in constraints:
        if isinstance(rule, FixedCombinations | OneHot):
            names = [name for name in schema.names if name in rule.column_names]
            group, codes = _learn_group(train, schema.select(names), rule, taken)
            groups.append(group)
            pieces |= {name: [] for name in names}
            pieces[names[0]] = [(Column(group.free, Kind.CATEGORICAL, "Int64"), codes)]
    ordered = _learn_ordered(train, schema, constraints, taken, pieces)
    untouched = [n for n in schema.names if n not in pieces or [c.name for c, _ in pieces[n]] == [n]]
    free = [piece for column in schema for piece in pieces.get(column.name, [(column, train[column.name])])]
    table = pl.DataFrame([cells.alias(column.name) for column, cells in free])
    coordinates = Coordinates(schema.names, tuple(untouched), tuple(ordered), tuple(groups), tuple(constraints))
    return coordinates, table, replace(schema, columns=tuple(column for column, _ in free))


#: The free columns that stand for one column of the table.
_Pieces = list[tuple[Column, pl.Series]]


def _refuse_overlaps(constraints: Sequence[Constraint]) -> None:
    """Raise ``ConfigError`` where a column of fixed combinations or of a one-hot group has another rule too."""
    uses = Counter(name for rule in constraints for name in columns_of(rule))
    for rule in constraints:
        if not isinstance(rule, FixedCombinations | OneHot):
            continue
        for name in columns_of(rule):
            if uses[name] > 1:
                raise ConfigError(
                    f"data.constraints: the column {name!r} has a rule of kind {rule.kind} and another one, expected "
                    "no other rule",
                    f"leave one of the rules on {name!r} out; fixed combinations of all columns concerned keep any "
                    "rule that the training part keeps",
                )


def _learn_group(
    train: pl.DataFrame, schema: Schema, rule: FixedCombinations | OneHot, taken: set[str]
) -> tuple[Together, pl.Series]:
    cells = pl.DataFrame([_without_nan(train[column.name]).alias(column.name) for column in schema])
    levels, codes = _combinations(cells) if isinstance(rule, FixedCombinations) else _hot(cells)
    word = "combination of" if isinstance(rule, FixedCombinations) else "one of"
    counts = np.bincount(codes.drop_nulls().to_numpy(), minlength=len(levels)).tolist()
    group = Together(
        _fresh(f"{word} {', '.join(cells.columns[:3])}{', …' if cells.width > 3 else ''}", taken),
        {column.name: column.dtype for column in schema},
        {name: tuple(_plain(levels[name])) for name in cells.columns},
        tuple(counts),
    )
    return group, codes


def _combinations(cells: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return the combinations that occur, in their order, and the place of each row's."""
    numbered = cells.rename({name: str(i) for i, name in enumerate(cells.columns)})
    keys = numbered.columns
    levels = numbered.unique().sort(keys, nulls_last=True)
    places = levels.with_columns(place=pl.int_range(pl.len()))
    found = numbered.join(places, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return levels.rename(dict(zip(keys, cells.columns, strict=True))), found["place"]


def _hot(cells: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return one level for each column that may be the 1, and each row's; null where a row has not one 1.

    A row with a missing cell has a level of its own, in which all are missing.
    """
    size = cells.width
    numbers = [cell.cast(pl.Float64) for cell in cells.get_columns()]
    ones = pl.DataFrame([(number == 1).cast(pl.Int64).alias(str(i)) for i, number in enumerate(numbers)])
    missing = ones.select(pl.any_horizontal(pl.all().is_null())).to_series()
    place = ones.select(pl.sum_horizontal(pl.col(str(i)) * i for i in range(size))).to_series()
    codes = _where(ones.select(pl.sum_horizontal(pl.all()) == 1).to_series().fill_null(False), place)
    rows = np.eye(size, dtype=np.int64)
    levels = pl.DataFrame([pl.Series(cell.name, rows[i]).cast(cell.dtype) for i, cell in enumerate(cells)])
    if missing.any():
        levels = pl.concat([levels, levels.clear(1)])
        codes = pl.repeat(size, len(codes), dtype=pl.Int64, eager=True).zip_with(missing, codes)
    return levels, codes


def _learn_ordered(
    train: pl.DataFrame, schema: Schema, constraints: Sequence[Constraint], taken: set[str], pieces: dict[str, _Pieces]
) -> list[Ordered]:
    """Return the columns that are compared or multiples, parents first, and put their free columns into ``pieces``."""
    parents = _parents(constraints)
    children: dict[str, dict[str, bool]] = {name: {} for name in parents}
    for high, lows in parents.items():
        for low, strict in lows.items():
            children[low][high] = strict
    order = _parents_first(parents)
    cells = {name: _without_nan(train[name]) for name in order}
    grids = {name: _grid(schema[name], cells, constraints, {*parents[name], *children[name]}) for name in order}
    caps, bounds = _room(order, children, cells, grids)
    ordered: dict[str, Ordered] = {}
    for name in order:
        column = _ordered(schema, name, parents[name], cells, grids, caps[name], constraints, taken)
        flag = 0 < cells[name].null_count() < len(train) and bool(children[name])
        missing = cells[name].is_null()
        if flag:
            column = replace(column, flag=_fresh(f"{name} is missing", taken))
            cells[name] = _filled(column, cells, bounds[name])
        ordered[name] = column
        pieces[name] = [(_free_column(schema, column), _free_cells(column, cells, train[name]))]
        if column.flag is not None:
            pieces[name].append((Column(column.flag, Kind.BOOLEAN, "Boolean"), missing))
    return list(ordered.values())


def _parents(constraints: Sequence[Constraint]) -> dict[str, dict[str, bool]]:
    """Return, for each column compared or incremented, the columns never above it and whether they are below."""
    parents: dict[str, dict[str, bool]] = {}
    for rule in constraints:
        if isinstance(rule, FixedCombinations | OneHot):
            continue
        names = columns_of(rule)
        for name in names:
            parents.setdefault(name, {})
        if isinstance(rule, Inequality | Range):
            for low, high in pairwise(names):
                parents[high][low] = parents[high].get(low, False) or rule.strict_boundaries
    return parents


def _parents_first(parents: Mapping[str, Mapping[str, bool]]) -> list[str]:
    try:
        return list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        circle = " <= ".join(repr(name) for name in error.args[1])
        raise ConfigError(
            f"data.constraints: the columns lie above each other in a circle: {circle}, expected an order",
            "leave one of these rules out",
        ) from None


def _room(
    order: Sequence[str],
    children: Mapping[str, Mapping[str, bool]],
    cells: Mapping[str, pl.Series],
    grids: Mapping[str, Grid],
) -> tuple[dict[str, int], dict[str, pl.Series]]:
    """Return how high each column may be at all, and in each training row, as places.

    Null is no bound, and a place below the grid's least says that no value of the column would do.
    """
    caps: dict[str, int] = {}
    bounds: dict[str, pl.Series] = {}
    for name in reversed(order):
        grid, above = grids[name], children[name].items()
        caps[name], bounds[name] = grid.greatest, pl.repeat(None, len(cells[name]), dtype=pl.Int128, eager=True)
        if above:
            highest = [(grids[child].values(_places_of([caps[child]])), strict) for child, strict in above]
            lowest = [(_or(cells[child], _on(grids[child], bounds[child])), strict) for child, strict in above]
            caps[name] = max(_lowered(grid, highest)[0], grid.least)
            bounds[name] = _lowered(grid, lowest)
    return caps, bounds


def _ordered(
    schema: Schema,
    name: str,
    parents: Mapping[str, bool],
    cells: Mapping[str, pl.Series],
    grids: Mapping[str, Grid],
    cap: int,
    constraints: Sequence[Constraint],
    taken: set[str],
) -> Ordered:
    grid, own = grids[name], cells[name]
    way = "gap" if parents else "places" if _increments(constraints, name) else "itself"
    wanted = {"gap": f"{name} above {' and '.join(parents)}", "places": f"increments of {name}", "itself": name}[way]
    involved = [own, *(cells[parent] for parent in parents)]
    floor = _extreme(involved[1:], pl.max_horizontal) if parents else _scaled(own)
    middle = (floor if floor.null_count() < len(floor) else _scaled(own)).drop_nulls().sort()
    return Ordered(
        name=name,
        way=way,
        free=name if way == "itself" else _fresh(wanted, taken),
        flag=None,
        grid=grid,
        parents=tuple(parents.items()),
        unit=_unit(involved),
        base=middle[len(middle) // 2] if len(middle) else 0,
        top=grid.places(_scaled(own)).max() if own.null_count() < len(own) else grid.greatest,  # type: ignore[arg-type]
        cap=cap,
    )


def _unit(involved: Sequence[pl.Series]) -> int | None:
    """Return the step in which whole-numbered gaps of these columns are counted; ``None`` where there are floats."""
    if any(cells.dtype.is_float() for cells in involved):
        return None
    return gcd(*(_moment_step(cells) for cells in involved)) if involved[0].dtype.is_temporal() else 1


def _filled(column: Ordered, cells: Mapping[str, pl.Series], bound: pl.Series) -> pl.Series:
    """Return the column with its missing cells drawn from the others, held between its neighbours in the row.

    A cell stays missing where no value would do.
    """
    own = cells[column.name]
    present = own.drop_nulls()
    random = seeds.generator(0, "coordinates", column.name)
    places = column.grid.places(_scaled(present.gather(random.integers(len(present), size=len(own)))))
    parents = [(cells[name], strict) for name, strict in column.parents]
    drawn = _scaled(_raised(column.grid, places, parents, column.cap)) if parents else None
    places = places if drawn is None else column.grid.places(drawn)
    held = pl.DataFrame([places.alias("place"), bound.alias("bound")]).select(pl.min_horizontal(pl.all())).to_series()
    return _or(own, _on(column.grid, held))


def _free_column(schema: Schema, column: Ordered) -> Column:
    own = schema[column.name]
    if column.way == "itself":
        return own
    if column.way == "places" and isinstance(column.grid, Listed):
        return Column(column.free, Kind.CATEGORICAL, "Int64")
    if column.way == "places" or column.unit is not None:
        return Column(column.free, Kind.NUMERIC, "Int64", decimals=0)
    return Column(column.free, Kind.NUMERIC, "Float64", decimals=_decimals(schema, column))


def _decimals(schema: Schema, column: Ordered) -> int | None:
    """Return the digits after the point of a gap of floats, where all columns involved have known ones."""
    known = []
    for name in (column.name, *(parent for parent, _ in column.parents)):
        whole = polars_dtype(schema[name].dtype).is_integer()
        known.append(0 if whole else schema[name].decimals)
    digits = [number for number in known if number is not None]
    return max(digits) if len(digits) == len(known) else None


def _free_cells(column: Ordered, cells: Mapping[str, pl.Series], original: pl.Series) -> pl.Series:
    if column.way == "itself":
        return original if column.flag is None else cells[column.name]
    own = _scaled(cells[column.name])
    if column.way == "places":
        return column.grid.places(own).clip(*_INT64).cast(pl.Int64)
    floor = _extreme([cells[name] for name, _ in column.parents], pl.max_horizontal)
    if column.unit is not None:
        steps = (own - _or(floor, _alike(column.base, floor))) // _whole(column.unit)
        return steps.zip_with(floor.is_null(), steps.clip(0)).clip(*_INT64).cast(pl.Int64)
    own, floor = own.cast(pl.Float64), floor.cast(pl.Float64)
    limit = float(np.finfo(np.float64).max)
    gaps = (own - _or(floor, _alike(column.base, floor))).clip(-limit, limit)
    return gaps.zip_with(floor.is_null(), gaps.clip(0.0))


def _grid(
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
        narrow = any(_tick(cells[name].dtype) == 1 for name in (column.name, *beside))
        return _even(column.dtype, Fraction(_moment_step(own)), *(_INT64 if narrow else _CALENDAR))
    increments = _increments(constraints, column.name)
    unit = _common_multiple([*_natural(column), *increments])
    if dtype.is_integer():
        limits = np.iinfo(column.dtype.lower())
        return _even(column.dtype, min(unit or Fraction(1), Fraction(_WIDE)), int(limits.min), int(limits.max))
    if unit is None or (not increments and len(present) and _largest(present) > _EXACT * unit):
        return Floats(column.dtype)
    limit = min(_EXACT * unit, Fraction(float(np.finfo(column.dtype.lower()).max)))
    return _even(column.dtype, unit, -limit, limit)


def _listed(column: Column, present: pl.Series, constraints: Sequence[Constraint]) -> Listed:
    """Return the levels of the training table, without those that are no multiples where they have to be."""
    frame = present.alias(column.name).unique().sort().to_frame()
    kept = np.ones(len(frame), dtype=bool)
    for rule in constraints:
        if isinstance(rule, FixedIncrements) and rule.column_name == column.name:
            kept &= holds(rule, frame, frame)
    return Listed(column.dtype, tuple(_plain(frame.filter(kept).to_series())))


def _even(dtype: str, unit: Fraction, low: Fraction | int, high: Fraction | int) -> Even:
    """Return the multiples of ``unit`` between two limits."""
    return Even(dtype, unit.numerator, unit.denominator, -int(-low // unit), int(high // unit))


def _natural(column: Column) -> list[Fraction]:
    """Return the unit that a number is rounded to anyway, or none."""
    if polars_dtype(column.dtype).is_integer():
        return [Fraction(1)]
    return [] if column.decimals is None else [Fraction(1, 10**column.decimals)]


def _increments(constraints: Sequence[Constraint], name: str) -> list[Fraction]:
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


def _largest(present: pl.Series) -> float:
    low, high = np.abs([present.min(), present.max()])  # type: ignore[arg-type]
    return float(max(low, high))


def _moment_step(cells: pl.Series) -> int:
    """Return the coarsest of day, hour, minute, second, … that divides every moment, in nanoseconds."""
    ticks = cells.drop_nulls().to_physical().cast(pl.Int64).to_numpy()
    common = gcd(_DAY, int(np.gcd.reduce(ticks)) * _tick(cells.dtype))
    ladder: list[int] = [_DAY, _DAY // 24, _DAY // 1440, *(10**power for power in range(9, -1, -1))]
    return next(step for step in ladder if common % step == 0)


def _tick(dtype: pl.DataType) -> int:
    return _TICK[dtype.time_unit] if isinstance(dtype, pl.Datetime) else _DAY


def _raised(grid: Grid, places: pl.Series, below: Sequence[tuple[pl.Series, bool]], cap: int) -> pl.Series:
    """Return the values at ``places``, or the next above that ``below`` lets them have; missing where none does."""
    floor = grid.places(_extreme([cells for cells, _ in below], pl.max_horizontal))
    both = pl.DataFrame([places.alias("place"), floor.alias("floor")])
    start = _where(places.is_not_null(), both.select(pl.max_horizontal(pl.all())).to_series())
    return grid.values(_settled(grid, start.clip(upper_bound=cap), below, 1, cap))


def _lowered(grid: Grid, above: Sequence[tuple[pl.Series, bool]]) -> pl.Series:
    """Return the places of the highest values that ``above`` let the column have: below the least where none would do.

    Null is where ``above`` are all missing.
    """
    start = grid.places(_extreme([cells for cells, _ in above], pl.min_horizontal))
    settled = _settled(grid, start, above, -1, grid.least)
    return _where(start.is_not_null(), settled.fill_null(grid.least - 1))


def _on(grid: Grid, places: pl.Series) -> pl.Series:
    """Return the values at ``places``, missing where these lie below the grid."""
    return grid.values(_where(places >= grid.least, places))


def _settled(
    grid: Grid, places: pl.Series, others: Sequence[tuple[pl.Series, bool]], step: int, limit: int
) -> pl.Series:
    """Move places by 1, 2, 4, … until their values keep the rules, as stored and compared; null where none does.

    Comparing what is stored is what makes this safe: types of other widths are compared with rounding, in one direction
    or the other, but always in order.
    """
    while True:
        wrong = ~_in_order(grid.values(places), others, below=step > 0)
        moved = places + _whole(step)
        moved = moved.clip(upper_bound=limit) if step > 0 else moved.clip(lower_bound=limit)
        moved = moved.zip_with(wrong, places)
        if moved.equals(places):
            return _where(~wrong, places)
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


def _held(given: pl.Series, limits: pl.Series) -> pl.Series:
    """Return the values held between the two of ``limits``, which have the same type."""
    low, high = limits.to_physical().to_list()
    return given.to_physical().clip(low, high).cast(given.dtype)


def _extreme(columns: Sequence[pl.Series], take: Any) -> pl.Series:
    """Return the greatest or least of each row's present values on the common scale."""
    scaled = [_scaled(cells) for cells in columns]
    if len({cells.dtype for cells in scaled}) > 1:
        scaled = [cells.cast(pl.Float64) for cells in scaled]
    frame = pl.DataFrame([cells.alias(str(i)) for i, cells in enumerate(scaled)])
    return frame.select(take(pl.all())).to_series()


def _scaled(cells: pl.Series) -> pl.Series:
    """Return the values on the scale on which columns are compared: floats, whole numbers, or nanoseconds in UTC."""
    if cells.dtype.is_temporal():
        return cells.to_physical().cast(pl.Int128) * _whole(_tick(cells.dtype))
    return cells.cast(pl.Float64).fill_nan(None) if cells.dtype.is_float() else cells.cast(pl.Int128)


def _stored(scaled: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return whole numbers or nanoseconds as a column stores them; the inverse of :func:`_scaled`."""
    if not dtype.is_temporal():
        return scaled.cast(dtype)
    return (scaled // _whole(_tick(dtype))).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)


def _over(numbers: pl.Series, numerator: int, denominator: int) -> pl.Series:
    """Return floats divided by a fraction, rounded once where its parts are floats themselves."""
    if max(numerator, denominator) < _EXACT:
        # A divisor that is a column: polars multiplies by the reciprocal of a single number, which rounds twice.
        return numbers * float(denominator) / _alike(float(numerator), numbers)
    return numbers / (numerator / denominator)


def _whole(number: int) -> pl.Series:
    return pl.Series([number], dtype=pl.Int128)


def _places_of(numbers: Sequence[int]) -> pl.Series:
    return pl.Series(numbers, dtype=pl.Int128)


def _where(kept: pl.Series, cells: pl.Series) -> pl.Series:
    """Return the cells, missing where not ``kept``."""
    return cells.zip_with(kept, pl.repeat(None, len(cells), dtype=cells.dtype, eager=True))


def _or(cells: pl.Series, others: pl.Series) -> pl.Series:
    """Return the cells, and those of ``others`` where they are missing."""
    return cells.zip_with(cells.is_not_null(), others)


def _alike(number: float, cells: pl.Series) -> pl.Series:
    return pl.repeat(number, len(cells), dtype=cells.dtype, eager=True)


def _without_nan(cells: pl.Series) -> pl.Series:
    return cells.fill_nan(None) if cells.dtype.is_float() else cells


def _plain(levels: pl.Series) -> list[Any]:
    """Return the values as JSON can hold them: dates and times as the integers that they are stored as."""
    return (levels.to_physical() if levels.dtype.is_temporal() else levels).to_list()


def _column_of(plain: Sequence[Any], dtype_name: str) -> pl.Series:
    """Return a column of plain values; the inverse of :func:`_plain`."""
    dtype = polars_dtype(dtype_name)
    stored = pl.Series(dtype=dtype).to_physical().dtype if dtype.is_temporal() else dtype
    return pl.Series(plain, dtype=stored).cast(dtype)


def _fresh(wanted: str, taken: set[str]) -> str:
    """Return a name that no column has, and take it."""
    names = (wanted if number == 1 else f"{wanted} ({number})" for number in range(1, len(taken) + 2))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name


def _grid_dict(grid: Grid) -> dict[str, Any]:
    return {"form": grid.form, **asdict(grid)}


def _ordered_from(fields: Mapping[str, Any]) -> Ordered:
    grid = dict(fields["grid"])
    form = _GRIDS[grid.pop("form")]
    if form is Listed:
        grid["levels"] = tuple(grid["levels"])
    parents = tuple((name, strict) for name, strict in fields["parents"])
    return Ordered(**{**fields, "grid": form(**grid), "parents": parents})


def _together_from(fields: Mapping[str, Any]) -> Together:
    values = {name: tuple(levels) for name, levels in fields["values"].items()}
    return Together(**{**fields, "values": values, "counts": tuple(fields["counts"])})
