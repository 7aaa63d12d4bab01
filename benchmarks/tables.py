"""Large tables of a fixed law, made here, so that a benchmark needs no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl


def wide_table(path: Path, rows: int, seed: int) -> Path:
    """Write ``rows`` rows of 6 numeric and 9 categorical columns, loosely dependent; return the path."""
    if path.exists():
        return path
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 12, rows)
    columns: dict[str, pl.Series] = {}
    for number in range(3):
        columns[f"amount_{number}"] = pl.Series(rng.gamma(1.0 + group / 4, 100.0, rows).round(2))
        columns[f"count_{number}"] = pl.Series(rng.poisson(group * 3 + 5, rows))
    for number, levels in enumerate((2, 2, 5, 6, 7, 9, 15, 16, 41)):
        codes = (rng.zipf(1.8, rows) + group) % levels
        columns[f"category_{number}"] = pl.Series(codes).cast(pl.String) + pl.Series(["c"])
    pl.DataFrame(columns).write_parquet(path)
    return path
