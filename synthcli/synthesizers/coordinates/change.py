"""The change of columns as a value: the way back from the free table, and to JSON and from it.

The way back raises, rounds and holds values so that every row keeps every rule, whatever a generator put into the free
columns. What a row means is not looked at: this is arithmetic, and no rejection of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli import seeds
from synthcli.config.models import CONSTRAINTS, Constraint
from synthcli.constraints import columns_of, holds
from synthcli.synthesizers.coordinates.grids import GRIDS, Grid, Listed, raised
from synthcli.synthesizers.coordinates.scale import column_of, extreme, int128, places_of, where


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
            return _held(given, self.grid.values(places_of([self.grid.least, self.cap])))
        if self.way == "places":
            return self.grid.values(given.cast(pl.Int128).clip(self.grid.least, self.cap))
        return self._above(given, [(known[name], strict) for name, strict in self.parents])

    def _above(self, gap: pl.Series, parents: Sequence[tuple[pl.Series, bool]]) -> pl.Series:
        """Return the values that lie ``gap`` above the greatest parent, or as near to that as the rules let them."""
        floor = extreme([parent for parent, _ in parents], pl.max_horizontal)
        if self.unit is None:
            wanted = floor.cast(pl.Float64).fill_null(self.base) + gap.fill_nan(None)
        else:
            wanted = floor.fill_null(int128(int(self.base))) + gap.cast(pl.Int128) * int128(self.unit)
        drawn = self.grid.places(wanted).clip(upper_bound=self.top)
        return raised(self.grid, drawn, parents, self.cap)


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
        columns = (column_of(self.values[name], dtype).alias(name) for name, dtype in self.dtypes.items())
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
                columns[column.name] = where(~free[column.flag].fill_null(False), columns[column.name])
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


def _held(given: pl.Series, limits: pl.Series) -> pl.Series:
    """Return the values held between the two of ``limits``, which have the same type."""
    low, high = limits.to_physical().to_list()
    return given.to_physical().clip(low, high).cast(given.dtype)


def _grid_dict(grid: Grid) -> dict[str, Any]:
    return {"form": grid.form, **asdict(grid)}


def _ordered_from(fields: Mapping[str, Any]) -> Ordered:
    grid = dict(fields["grid"])
    form = GRIDS[grid.pop("form")]
    if form is Listed:
        grid["levels"] = tuple(grid["levels"])
    parents = tuple((name, strict) for name, strict in fields["parents"])
    return Ordered(**{**fields, "grid": form(**grid), "parents": parents})


def _together_from(fields: Mapping[str, Any]) -> Together:
    values = {name: tuple(levels) for name, levels in fields["values"].items()}
    return Together(**{**fields, "values": values, "counts": tuple(fields["counts"])})
