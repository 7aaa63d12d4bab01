"""One place for randomness: a seed and the name of a stage give a stream of its own.

Streams are keyed by name and not by order, so a new stage shifts no other stage's numbers. Nothing in this package
uses numpy's or Python's global generator except the SDV boundary, which has to seed them for libraries that do.
"""

from __future__ import annotations

import hashlib
import secrets

import numpy as np
import numpy.typing as npt

MAX_SEED = 2**63 - 1
#: Rows up to which all of them are numbered when some are drawn.
_NUMBERED = 2**24
#: Rows for each that is drawn, up to which a mark a row costs no more than the numbers of those drawn.
_DENSE = 16


def stage_seed(seed: int, *stage: str | int) -> int:
    """Return a 63-bit seed for ``stage`` (names and numbers) that depends on all of its parts and on ``seed``."""
    label = "\x1f".join([str(seed), *(str(part) for part in stage)])
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "big") & MAX_SEED


def generator(seed: int, *stage: str | int) -> np.random.Generator:
    """Return numpy's default generator for ``stage``, independent of every other stage's."""
    return np.random.default_rng(stage_seed(seed, *stage))


def fresh_seed() -> int:
    """Return an unpredictable seed (32 bits, so that people can retype it) for runs that name none."""
    return secrets.randbits(32)


def random_places(rows: int, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the places of ``size`` of so many rows in random order, so that any part of them is a random one.

    Of a great many rows without a number for each of them.
    """
    if rows <= _NUMBERED:
        return rng.permutation(rows)[:size]
    places = drawn_places(rows, size, rng)
    rng.shuffle(places)
    return places


def drawn_places(rows: int, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the places, in ascending order, of ``size`` of so many rows drawn at random without replacement.

    All of fewer rows. Draws with replacement until so many different ones have come up, which are a random set; in
    memory for ``size`` rows, however many there are.
    """
    if size >= rows:
        return np.arange(rows)
    if size > rows // 2:
        left = np.ones(rows, dtype=np.bool_)
        left[drawn_places(rows, rows - size, rng)] = False
        return np.flatnonzero(left)
    if rows <= _DENSE * size:
        marked = np.zeros(rows, dtype=np.bool_)
        while lacking := size - int(np.count_nonzero(marked)):
            marked[rng.integers(rows, size=lacking)] = True
        return np.flatnonzero(marked)
    found = np.empty(0, dtype=np.int64)
    while lacking := size - len(found):
        found = np.union1d(found, rng.integers(rows, size=lacking))
    return found
