"""Rows with some cells given: the rest is drawn from the generator's law given those, each row by itself.

A generator that knows its conditional law (``protocol.Conditional``) is asked for it. Any other is tried: rows are
drawn from it until each given row has met one that has its known cells. What is accepted depends on the known cells
alone, so the other cells follow the generator's own conditional law; a condition that it never meets stays unmade.

Nothing is learned here, and no rule between columns is known here: rows in, rows out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.seeds import stage_seed
from synthcli.synthesizers.boundary import put_in
from synthcli.synthesizers.protocol import Completed, Conditional, Source

#: Rows drawn at once: at least, since a call has its price, and at most, since rows take memory.
LEAST, MOST = 1_000, 50_000
#: The part of a column's spread within which two numbers or moments count as equal.
_CLOSE = 0.01

Places = NDArray[np.int64]


def complete(model: Source, given: pl.DataFrame, seed: int, tries: int, *, discrete: Collection[str] = ()) -> Completed:
    """Draw the empty cells of ``given`` given the known ones: by the model's own law if it has one, or by trying.

    Trying draws at most ``tries`` (>= 1) rows for each row with a known cell (50,000 in all at least). Text and truth
    values must be equal. Numbers and moments hardly ever are, so they must lie in the same hundredth of their column's
    spread (its 5 % to its 95 % quantile in the first rows drawn; its whole range, where these two are one), and the
    known cell is then put in the place of the drawn one: the law is that for a value at most so far away.

    Parameters
    ----------
    given
        Any of the training table's columns, in any order and with its dtypes. Null and NaN are empty; an absent column
        is empty throughout. Known cells come back bit for bit. A row with no known cell is simply drawn.
    discrete
        The columns of numbers or moments that are categories by decree, and so must be equal too.
    """
    given = given.fill_nan(None)
    if isinstance(model, Conditional):
        return model.complete(given, seed)
    patterns, pattern_of = known_patterns(given)
    conditioned: NDArray[np.bool_] = np.any(patterns, axis=1)[pattern_of]
    free, pending = np.flatnonzero(~conditioned), np.flatnonzero(conditioned)
    drawn, served = [model.sample(len(free), stage_seed(seed, "free"))], [free]
    for rows, givens in _rounds(model, given, pending, seed, max(tries * len(pending), MOST), discrete):
        drawn.append(rows)
        served.append(givens)
    places = np.full(given.height, -1)
    places[np.concatenate(served)] = np.arange(sum(map(len, served)))
    return with_known_cells(given, pl.concat(drawn), places)


def known_patterns(given: pl.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return the distinct sets of columns (patterns x columns) that are known in a row, and the set of each row."""
    if given.is_empty():
        return np.zeros((0, given.width), np.bool_), np.zeros(0, np.intp)
    known = given.select(pl.all().is_not_null()).to_numpy()
    patterns, pattern_of = np.unique(known, axis=0, return_inverse=True)
    return patterns, pattern_of.reshape(-1)


def with_known_cells(given: pl.DataFrame, drawn: pl.DataFrame, places: Places) -> Completed:
    """Return for each row of ``given`` the row of ``drawn`` at its place (-1: none), known cells put in."""
    made = places >= 0
    rows = drawn.select(pl.all().gather(pl.Series(places).set(pl.Series(~made), None)))
    return put_in(given, rows, made)


def keys(table: pl.DataFrame, names: Sequence[str], widths: Mapping[str, float]) -> pl.DataFrame:
    """Return a key for each cell: the cell, or, where its column has a width (> 0), the number of its interval."""
    return pl.DataFrame({f"key {at}": _key(table[name], widths.get(name, 0.0)) for at, name in enumerate(names)})


def _key(series: pl.Series, width: float) -> pl.Series:
    # Intervals lie around the multiples of the width, so that zero, a frequent value, lies inside of one.
    return (series.to_physical().cast(pl.Float64) / width).round() if width else series


def _rounds(
    model: Source, given: pl.DataFrame, pending: Places, seed: int, budget: int, discrete: Collection[str]
) -> Iterator[tuple[pl.DataFrame, Places]]:
    """Yield drawn rows and, for each, the row of ``given`` that it serves, until all are served or ``budget`` is spent.

    A round is as large as the last one's success suggests, and twice as large after none.
    """
    wanted: _Wanted | None = None
    number, size = 0, len(pending)
    while len(pending) and budget:
        size = min(max(size, LEAST), MOST, budget)
        budget -= size
        rows = model.sample(size, stage_seed(seed, "try", number))
        if wanted is None:
            wanted = _Wanted.of(given, {name: _width(rows[name], name in discrete) for name in given.columns})
        taken, givens = wanted.match(rows, pending)
        yield rows[taken], givens
        pending = np.setdiff1d(pending, givens, assume_unique=True)
        number, size = number + 1, -(-len(pending) * size // len(givens)) if len(givens) else 2 * size


def _width(drawn: pl.Series, discrete: bool) -> float:
    """Return the width of the intervals in which values count as equal; 0 where only equal values do."""
    if discrete or not (drawn.dtype.is_numeric() or drawn.dtype.is_temporal()):
        return 0.0
    numbers = drawn.drop_nulls().to_physical().cast(pl.Float64)
    if numbers.is_empty():
        return 0.0
    low, high = np.quantile(numbers.to_numpy(), [0.05, 0.95]) * _CLOSE
    return float(high - low) or (float(numbers.max()) - float(numbers.min())) * _CLOSE  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked for: the given rows in groups of equal keys.

    Attributes
    ----------
    widths
        By column, the width of the intervals in which values count as equal.
    patterns, pattern_of
        :func:`known_patterns` of the given rows.
    groups
        One row for each group: its pattern, a key for each column (null where empty), its number.
    group_of
        The group of each given row.
    """

    widths: Mapping[str, float]
    patterns: NDArray[np.bool_]
    pattern_of: NDArray[np.intp]
    groups: pl.DataFrame
    group_of: pl.Series

    @classmethod
    def of(cls, given: pl.DataFrame, widths: Mapping[str, float]) -> _Wanted:
        """Group the rows of ``given``."""
        patterns, pattern_of = known_patterns(given)
        asked = keys(given, given.columns, widths).with_columns(pl.Series("pattern", pattern_of))
        groups = asked.unique(maintain_order=True).with_row_index("group")
        return cls(widths, patterns, pattern_of, groups, _group(asked, groups))

    def match(self, drawn: pl.DataFrame, pending: Places) -> tuple[Places, Places]:
        """Return which rows of ``drawn`` serve which rows of the given table, among those that are ``pending``.

        Each pattern is offered rows of its own, by their position: a row that one pattern took for its cells would be
        lacking among those that another may take, whose other cells would then follow another law.
        """
        pattern = _shares(np.bincount(self.pattern_of[pending], minlength=len(self.patterns)), drawn.height)
        known = self.patterns[pattern]
        cells = keys(drawn, list(self.widths), self.widths)
        seen = [cell.zip_with(pl.Series(known[:, at]), cell.clear(len(cell))) for at, cell in enumerate(cells)]
        group = _group(pl.DataFrame([*seen, pl.Series("pattern", pattern)]), self.groups)
        offers = _numbered(group, np.arange(drawn.height)).drop_nulls()
        asks = _numbered(self.group_of.gather(pending), pending)
        pairs = asks.join(offers, on=["group", "nth"], suffix=" drawn").sort("row")
        return pairs["row drawn"].to_numpy(), pairs["row"].to_numpy()


def _group(table: pl.DataFrame, groups: pl.DataFrame) -> pl.Series:
    """Return the number of the group that each row belongs to, or null."""
    return table.join(groups, on=table.columns, how="left", nulls_equal=True, maintain_order="left")["group"]


def _numbered(group: pl.Series, rows: Places) -> pl.DataFrame:
    """Return the rows with their group and their running number within it."""
    table = pl.DataFrame({"group": group, "row": rows})
    return table.with_columns(pl.int_range(pl.len()).over("group").alias("nth"))


def _shares(pending: NDArray[np.intp], rows: int) -> NDArray[np.intp]:
    """Return a pattern for each of ``rows`` rows: as many of each as are in proportion to its pending rows."""
    ends = np.cumsum(pending) * rows // pending.sum()
    return np.repeat(np.arange(len(pending)), np.diff(ends, prepend=0))
