"""One table divided over several Parquet files by a label a row, in one streamed pass and bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.artifacts import atomic_path
from synthcli.tables.columnar import readable
from synthcli.tables.source import Source

_LABEL = "synthcli: label"


def write_parts(
    source: Source, labels: npt.NDArray[np.uint8], paths: Mapping[int, Path], metadata: Mapping[str, str] | None = None
) -> None:
    """Write the rows of ``source`` with label k to ``paths[k]``, in their order; all files appear, or none is changed.

    ``labels`` has one entry a row. Rows with another label are written nowhere.
    """
    labelled = pl.concat([source.lazy, pl.LazyFrame({_LABEL: labels})], how="horizontal")
    with ExitStack() as stack:
        temporary = {label: stack.enter_context(atomic_path(path)) for label, path in paths.items()}
        sinks = [
            labelled.filter(pl.col(_LABEL) == label)
            .drop(_LABEL)
            .sink_parquet(path, compression="zstd", metadata=dict(metadata or {}), lazy=True)
            for label, path in temporary.items()
        ]
        with readable(source.names[0], next(iter(paths.values())).parent):
            pl.collect_all(sinks)
