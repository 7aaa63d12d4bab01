"""Overlap: rows that two tables share, whole or in all columns but one.

In tables with few columns real rows repeat; that is no fault, but a reader of an audit should know how often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.rowkeys import Keys, cell_keys


class Overlap(NamedTuple):
    """Rows of the one table that equal a row of the other, or nearly (all columns but one); of how many looked at."""

    equal: int
    near: int
    rows: int


def measure_overlap(
    one: pl.DataFrame, other: pl.DataFrame, columns: list[str], max_rows: int, rng: np.random.Generator
) -> Overlap:
    """Count the rows of ``one`` (at most ``max_rows`` of them, drawn at random) that have a twin in ``other``.

    All rows of ``other`` are looked at. Near are rows that are equal in all columns but exactly one.
    """
    rows = min(one.height, max_rows)
    drawn = one[np.sort(rng.permutation(one.height)[:rows])]
    mine, theirs = cell_keys(drawn, columns), cell_keys(other, columns)
    whole, other_whole = mine.sum(axis=0), theirs.sum(axis=0)
    equal = np.isin(whole, other_whole)
    near = np.zeros(rows, dtype=np.bool_)
    for cells, other_cells in zip(mine, theirs, strict=True):
        near |= _found(whole - cells, other_whole - other_cells)
    return Overlap(int(equal.sum()), int((near & ~equal).sum()), rows)


def _found(wanted: Keys, keys: Keys) -> npt.NDArray[np.bool_]:
    """Return which of a few ``wanted`` stand among many ``keys``, sorting only the few."""
    ordered = np.sort(wanted)
    place = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.isin(wanted, keys[ordered[place] == keys]) if len(ordered) else np.zeros(0, np.bool_)
