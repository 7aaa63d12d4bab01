"""One place for randomness: a seed and the name of a stage give a stream of its own.

Streams are keyed by name and not by order, so a new stage shifts no other stage's numbers. Nothing in this package
uses numpy's or Python's global generator except the SDV boundary, which has to seed them for libraries that do.
"""

from __future__ import annotations

import hashlib
import secrets

import numpy as np

MAX_SEED = 2**63 - 1


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
