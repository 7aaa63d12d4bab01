"""What a Parquet file's footer says without a row being read: its key-value metadata and how many rows there are."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

#: What every Parquet file begins with.
MAGIC = b"PAR1"


class Footer(NamedTuple):
    """Key-value metadata that is text, and the number of rows."""

    metadata: dict[str, str]
    rows: int


def parquet_footer(path: Path) -> Footer | None:
    """Return the footer of a Parquet file, or ``None`` where the file is none, or a damaged one."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return None
    stored = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (footer.metadata or {}).items()
    }
    return Footer(stored, footer.num_rows)
