"""A keyed permutation of 0 … size - 1 that is computed place by place and stored nowhere.

It is what lets ids be scattered and yet made in chunks: each position's place follows from the key alone, and no two
positions share one. The mixing is that of a good random generator, not of a cipher: it hides nothing from anyone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthcli.seeds import stage_seed

Index = NDArray[np.uint64]

_TURNS = 6


def permute(place: Index, size: int, key: int) -> Index:
    """Return each of 0 … size - 1 (size <= 2**64) at another place of the same range, one to one.

    A Feistel network over the next even number of bits, walked until it falls inside the range (Black and Rogaway,
    Ciphers with Arbitrary Finite Domains, 2002, section 4).
    """
    half = max((size - 1).bit_length() + 1, 2) // 2
    moved = _feistel(place, half, key)
    while (outside := moved > np.uint64(size - 1)).any():
        moved[outside] = _feistel(moved[outside], half, key)
    return moved


def mix(words: Index) -> Index:
    """Return splitmix64's output function of each word (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return words ^ (words >> np.uint64(31))


def derive(key: int, number: int) -> int:
    """Return a further 63-bit key: number ``number`` of those that follow from ``key``."""
    return stage_seed(key, "word", number)


def _feistel(place: Index, half: int, key: int) -> Index:
    bits, mask = np.uint64(half), np.uint64(2**half - 1)
    left, right = place >> bits, place & mask
    for turn in range(_TURNS):
        left, right = right, left ^ (mix(right ^ np.uint64(derive(key, turn))) & mask)
    return (left << bits) | right
