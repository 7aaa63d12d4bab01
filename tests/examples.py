"""Tables that several test files share: small ones of a known law, and the real ones where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pytest

from synthcli.columns import Table
from synthcli.schema import Column, Kind, Schema

ROOT = Path(__file__).resolve().parents[1]

Result = TypeVar("Result")


def real_table(name: str) -> Path:
    """Return a real table's path; skips the test where it is not at hand."""
    folder = Path(os.environ.get("SYNTHCLI_TEST_DATA", ROOT.parent / "shared" / "data"))
    path = folder / name
    if not path.is_file():
        pytest.skip(f"{name} is not at hand (set SYNTHCLI_TEST_DATA to its folder)")
    return path


def columns(**kinds: str) -> Schema:
    """Return a schema from names and kinds; numeric columns are Float64, datetimes Datetime[us], the rest String."""
    dtypes = {"numeric": "Float64", "boolean": "Boolean", "datetime": "Datetime[us]"}
    return Schema(tuple(Column(name, Kind(kind), dtypes.get(kind, "String")) for name, kind in kinds.items()))


def on_tables(measure: Callable[..., Result], *arguments: Any, **settings: Any) -> Result:
    """Call a measure with every frame among the arguments as a table by its columns."""
    return measure(*(Table(each) if isinstance(each, pl.DataFrame) else each for each in arguments), **settings)


def mixed_table(rows: int, seed: int) -> pl.DataFrame:
    """Return rows of one fixed law with dependent columns of every kind, some cells missing."""
    rng = np.random.default_rng(seed)
    size = rng.gamma(2.0, 10.0, rows).round(3)
    grade = np.where(size + rng.normal(0, 6, rows) > 20, "high", "low")
    city = rng.choice(["Rom", "Oslo", "Bern", "Wien"], rows, p=[0.5, 0.3, 0.15, 0.05])
    late = rng.random(rows) < np.where(grade == "high", 0.7, 0.15)
    frame = pl.DataFrame({"size": size, "grade": grade, "city": city, "late": late})
    return frame.with_columns(
        pl.when(pl.Series(rng.random(rows) < 0.05)).then(None).otherwise(pl.col("size")).alias("size")
    )


MIXED = columns(size="numeric", grade="categorical", city="categorical", late="boolean")
