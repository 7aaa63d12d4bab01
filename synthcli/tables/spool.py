"""Temporary copies of tables that can't be read where they are: standard input, gzip, other encodings, large text.

A copy lives as long as the process, since a lazy table may read it at any later time; only its owner can read it.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from itertools import count
from pathlib import Path

from synthcli.artifacts import own_prefix

_numbers = count()


def new_spool(suffix: str = "txt") -> Path:
    """Return the name of a new temporary file, removed when the process ends."""
    return _folder() / f"{next(_numbers)}.{suffix}"


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix=own_prefix()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
