"""The order that levels of a category are put in: that of their laws along the first principal axis.

A linear algebra library with several threads adds up in another order than with one, and the last bit of an axis can
turn a split. So one thread works here, on any machine; for matrices of this size more of them only wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float64]
#: Groups above which the axis is found by way of the levels, where these are fewer: time grows with the cube of either.
WIDE = 1_024


def first_axis(profile: Floats, rows: Floats) -> Floats:
    """Return a score for each level, alike for levels of like ``profile`` (levels x groups).

    It is the first principal axis of the profiles in the chi-square metric, levels weighted by their ``rows``
    (correspondence analysis).
    """
    with _ALONE.one_thread():
        scores: Floats = profile @ _axis(profile, rows)
    return scores


def _axis(profile: Floats, rows: Floats) -> Floats:
    """Return the axis, up to its length and sign: of W.T W, with W the weighted profile, or W.T times that of W W.T."""
    levels, groups = profile.shape
    if levels >= groups or groups <= WIDE:
        axis: Floats = np.linalg.eigh((profile * rows[:, None]).T @ profile)[1][:, -1]
        return axis
    weighted = profile * np.sqrt(rows)[:, None]
    through: Floats = weighted.T @ np.linalg.eigh(weighted @ weighted.T)[1][:, -1]
    return through


class _Limit:
    """Keeps the library to one thread while any thread of this process asks for it: its limit is the process's."""

    def __init__(self) -> None:
        self._lock, self._users, self._limited = Lock(), 0, ExitStack()

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        with self._lock:
            if not self._users:
                self._limited.enter_context(_libraries().limit(limits=1, user_api="blas"))
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._limited.close()


_ALONE = _Limit()


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
