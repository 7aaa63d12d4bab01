"""One look at the training table: which columns the free table has, and what stands in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from math import gcd

import numpy as np
import polars as pl

from synthcli import seeds
from synthcli.config.models import Constraint, FixedCombinations, Inequality, OneHot, Range
from synthcli.constraints import columns_of
from synthcli.errors import ConfigError
from synthcli.forms import polars_dtype
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.coordinates.change import Coordinates, Ordered, Together
from synthcli.synthesizers.coordinates.grids import (
    INT64,
    Grid,
    Listed,
    grid_of,
    increments_of,
    lowered,
    raised,
    values_on,
)
from synthcli.synthesizers.coordinates.scale import (
    alike,
    extreme,
    int128,
    moment_step,
    on_scale,
    places_of,
    plain,
    present_or,
    where,
    without_nan,
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
    cells = pl.DataFrame([without_nan(train[column.name]).alias(column.name) for column in schema])
    levels, codes = _combinations(cells) if isinstance(rule, FixedCombinations) else _hot(cells)
    word = "combination of" if isinstance(rule, FixedCombinations) else "one of"
    counts = np.bincount(codes.drop_nulls().to_numpy(), minlength=len(levels)).tolist()
    group = Together(
        _fresh(f"{word} {', '.join(cells.columns[:3])}{', …' if cells.width > 3 else ''}", taken),
        {column.name: column.dtype for column in schema},
        {name: tuple(plain(levels[name])) for name in cells.columns},
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
    codes = where(ones.select(pl.sum_horizontal(pl.all()) == 1).to_series().fill_null(False), place)
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
    cells = {name: without_nan(train[name]) for name in order}
    grids = {name: grid_of(schema[name], cells, constraints, {*parents[name], *children[name]}) for name in order}
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
            highest = [(grids[child].values(places_of([caps[child]])), strict) for child, strict in above]
            lowest = [
                (present_or(cells[child], values_on(grids[child], bounds[child])), strict) for child, strict in above
            ]
            caps[name] = max(lowered(grid, highest)[0], grid.least)
            bounds[name] = lowered(grid, lowest)
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
    way = "gap" if parents else "places" if increments_of(constraints, name) else "itself"
    wanted = {"gap": f"{name} above {' and '.join(parents)}", "places": f"increments of {name}", "itself": name}[way]
    involved = [own, *(cells[parent] for parent in parents)]
    floor = extreme(involved[1:], pl.max_horizontal) if parents else on_scale(own)
    middle = (floor if floor.null_count() < len(floor) else on_scale(own)).drop_nulls().sort()
    return Ordered(
        name=name,
        way=way,
        free=name if way == "itself" else _fresh(wanted, taken),
        flag=None,
        grid=grid,
        parents=tuple(parents.items()),
        unit=_unit(involved),
        base=middle[len(middle) // 2] if len(middle) else 0,
        top=grid.places(on_scale(own)).max() if own.null_count() < len(own) else grid.greatest,  # type: ignore[arg-type]
        cap=cap,
    )


def _unit(involved: Sequence[pl.Series]) -> int | None:
    """Return the step in which whole-numbered gaps of these columns are counted; ``None`` where there are floats."""
    if any(cells.dtype.is_float() for cells in involved):
        return None
    return gcd(*(moment_step(cells) for cells in involved)) if involved[0].dtype.is_temporal() else 1


def _filled(column: Ordered, cells: Mapping[str, pl.Series], bound: pl.Series) -> pl.Series:
    """Return the column with its missing cells drawn from the others, held between its neighbours in the row.

    A cell stays missing where no value would do.
    """
    own = cells[column.name]
    present = own.drop_nulls()
    random = seeds.generator(0, "coordinates", column.name)
    places = column.grid.places(on_scale(present.gather(random.integers(len(present), size=len(own)))))
    parents = [(cells[name], strict) for name, strict in column.parents]
    drawn = on_scale(raised(column.grid, places, parents, column.cap)) if parents else None
    places = places if drawn is None else column.grid.places(drawn)
    held = pl.DataFrame([places.alias("place"), bound.alias("bound")]).select(pl.min_horizontal(pl.all())).to_series()
    return present_or(own, values_on(column.grid, held))


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
    own = on_scale(cells[column.name])
    if column.way == "places":
        return column.grid.places(own).clip(*INT64).cast(pl.Int64)
    floor = extreme([cells[name] for name, _ in column.parents], pl.max_horizontal)
    if column.unit is not None:
        steps = (own - present_or(floor, alike(column.base, floor))) // int128(column.unit)
        return steps.zip_with(floor.is_null(), steps.clip(0)).clip(*INT64).cast(pl.Int64)
    own, floor = own.cast(pl.Float64), floor.cast(pl.Float64)
    limit = float(np.finfo(np.float64).max)
    gaps = (own - present_or(floor, alike(column.base, floor))).clip(-limit, limit)
    return gaps.zip_with(floor.is_null(), gaps.clip(0.0))


def _fresh(wanted: str, taken: set[str]) -> str:
    """Return a name that no column has, and take it."""
    names = (wanted if number == 1 else f"{wanted} ({number})" for number in range(1, len(taken) + 2))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name
