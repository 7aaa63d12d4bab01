"""Rows with known cells, drawn from the chain by weighting: no row is tried and thrown away.

Each row is followed by several particles along the chain (a particle filter; Gordon, Salmond & Smith 1993). An empty
cell is drawn by each particle; at a known cell each is weighted by the chance that it would have drawn it, and where
the weights have become too unequal a row's particles are drawn anew from themselves. At the end one of them is drawn by
its weight. Where all known cells come first in the chain, one particle suffices and the law is exact; otherwise it
tends to the exact one with the number of particles, a known number being told from others up to a few intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthcli.seeds import generator

if TYPE_CHECKING:
    from synthcli.synthesizers.forest.trees import Link

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

#: Particles of a row whose known cells do not all come first.
PARTICLES = 64
#: Particles that are followed at once, at most.
_AT_ONCE = 1 << 18
#: The chance of a cell that no pool on the way has, so that a row that is unlike any other can still be made.
_UNSEEN = 1e-9

Chain = Sequence["Link"]
#: Column name -> the cells of each row, and which of them are known.
Known = Mapping[str, tuple[Codes, Flags]]


def complete(chain: Chain, known: Known, rows: int, seed: int) -> list[Codes]:
    """Return the cells of each column of ``chain`` for ``rows`` rows, the known ones as they are."""
    single = ~_weighted(chain, known, rows)
    drawn = [np.zeros(rows, np.int64) for _ in chain]
    for particles, chosen in ((1, np.flatnonzero(single)), (PARTICLES, np.flatnonzero(~single))):
        size = max(_AT_ONCE // particles, 1)
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            random = generator(seed, "weighted", particles, start)
            for column, found in zip(drawn, _followed(chain, known, part, particles, random), strict=True):
                column[part] = found
    return drawn


def _weighted(chain: Chain, known: Known, rows: int) -> Flags:
    """Return which rows have a known cell after an empty one."""
    empty, found = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    for link in chain:
        there = known[link.name][1] if link.name in known else np.zeros(rows, np.bool_)
        found |= there & empty
        empty |= ~there
    return found


def _followed(chain: Chain, known: Known, rows: Codes, particles: int, random: np.random.Generator) -> list[Codes]:
    """Follow ``particles`` for each of ``rows`` along the chain and return the cells of the one that is drawn."""
    columns: list[Codes] = []
    weight = np.zeros(len(rows) * particles)
    for link in chain:
        cells = np.empty(len(weight), np.int64)
        there = np.zeros(len(weight), np.bool_)
        if link.name in known:
            codes, flags = known[link.name]
            cells[:], there[:] = np.repeat(codes[rows], particles), np.repeat(flags[rows], particles)
        if particles > 1 and there.any():
            columns, weight = _resampled(columns, weight, particles, random)
        which = random.integers(0, len(link.trees), len(weight))
        for number, tree in enumerate(link.trees):
            mine = which == number
            empty, met = np.flatnonzero(mine & ~there), np.flatnonzero(mine & there)
            cells[empty] = tree.draw(columns, empty, random, link.runs)
            if particles > 1 and len(met):
                weight[met] += np.log(tree.chances(columns, met, cells[met], link.runs) + _UNSEEN)
        columns.append(cells)
    if particles == 1:
        return columns
    taken = np.arange(len(rows)) * particles + _one_each(_shares(weight, particles), random)
    return [column[taken] for column in columns]


def _shares(weight: Floats, particles: int) -> Floats:
    """Return each particle's share of its row (rows x particles)."""
    table = weight.reshape(-1, particles)
    share = np.exp(table - table.max(axis=1, keepdims=True))
    shares: Floats = share / share.sum(axis=1, keepdims=True)
    return shares


def _one_each(shares: Floats, random: np.random.Generator) -> Codes:
    ends = np.cumsum(shares, axis=1)
    found: Codes = (random.random(len(shares))[:, None] * ends[:, -1:] > ends).sum(axis=1)
    return found


def _resampled(
    columns: list[Codes], weight: Floats, particles: int, random: np.random.Generator
) -> tuple[list[Codes], Floats]:
    """Return the particles, those of a row whose weights amount to less than half of them drawn anew, evenly spread."""
    shares = _shares(weight, particles)
    poor = np.flatnonzero(1 / (shares**2).sum(axis=1) < particles / 2)
    if not len(poor):
        return columns, weight
    marks = (np.arange(particles) + random.random((len(poor), 1))) / particles
    ends = np.cumsum(shares[poor], axis=1)
    ends /= ends[:, -1:]
    chosen = (marks[:, :, None] > ends[:, None, :]).sum(axis=2)
    source = np.arange(len(weight))
    source.reshape(-1, particles)[poor] = poor[:, None] * particles + chosen
    weight = weight.copy()
    weight.reshape(-1, particles)[poor] = 0.0
    return [column[source] for column in columns], weight
