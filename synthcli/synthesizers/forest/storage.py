"""A forest's cells and trees in one npz file, each kind of array end to end; reading it executes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthcli.synthesizers.forest.cells import Cells
from synthcli.synthesizers.forest.pruning import Structure
from synthcli.synthesizers.forest.trees import Link, Tree


def write(path: Path, links: Sequence[Link]) -> None:
    """Write all cells and trees of ``links`` to ``path``."""
    arrays: dict[str, Any] = _flat(links)
    np.savez_compressed(path, **arrays)


def read(path: Path, described: Sequence[Mapping[str, Any]]) -> tuple[Link, ...]:
    """Read what :func:`write` wrote; ``described`` names the columns, which are numbers, and their trees."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return _links({name: arrays[name] for name in arrays.files}, described)


def _flat(links: Sequence[Link]) -> dict[str, NDArray[Any]]:
    """Return all cells and trees end to end, with their sizes."""
    trees = [tree for link in links for tree in link.trees]
    numbers = [link.cells for link in links if link.cells is not None]
    ranks = [tree.ranks[at] for tree in trees for at in range(len(tree.ranks))]
    nodes = [tree.structure for tree in trees]
    return {
        "cells": np.array([len(number.low) for number in numbers], np.int64),
        "low": _joined([number.low for number in numbers], np.float64),
        "high": _joined([number.high for number in numbers], np.float64),
        "alone": _joined([number.alone for number in numbers], np.bool_),
        "nodes": np.array([len(tree.left) for tree in nodes], np.int64),
        "left": _joined([tree.left for tree in nodes], np.int32),
        "right": _joined([tree.right for tree in nodes], np.int32),
        "feature": _joined([tree.feature for tree in nodes], np.int16),
        "threshold": _joined([tree.threshold for tree in nodes], np.float64),
        "start": _joined([tree.start for tree in trees], np.int64),
        "end": _joined([tree.end for tree in trees], np.int64),
        "strength": np.array([tree.strength for tree in trees], np.float64),
        "features": np.array([len(tree.features) for tree in trees], np.int64),
        "columns": _joined([np.array(tree.features, np.int64) for tree in trees], np.int32),
        "levels": np.array([0 if rank is None else len(rank) for rank in ranks], np.int64),
        "ranks": _joined([rank for rank in ranks if rank is not None], np.float32),
        "drawn": np.array([len(tree.pool) for tree in trees], np.int64),
        "pool": _joined([tree.pool for tree in trees], np.int32),
    }


def _links(arrays: Mapping[str, NDArray[Any]], described: Sequence[Mapping[str, Any]]) -> tuple[Link, ...]:
    """Return the columns that :func:`_flat` laid end to end."""
    low, high, alone = (_split(arrays[name], arrays["cells"]) for name in ("low", "high", "alone"))
    node = {
        name: _split(arrays[name], arrays["nodes"])
        for name in ("left", "right", "feature", "threshold", "start", "end")
    }
    columns, pools = _split(arrays["columns"], arrays["features"]), _split(arrays["pool"], arrays["drawn"])
    ranks = _split(arrays["ranks"], arrays["levels"])
    per_tree = _split(np.arange(len(ranks)), arrays["features"])
    whole = {name: [part.astype(np.int64) for part in node[name]] for name in ("left", "right", "feature")}
    trees = []
    for at in range(len(arrays["nodes"])):
        structure = Structure(whole["left"][at], whole["right"][at], whole["feature"][at], node["threshold"][at])
        _check_leads_down(structure, len(columns[at]))
        order = tuple(ranks[rank] if arrays["levels"][rank] else None for rank in per_tree[at])
        stretch = node["start"][at], node["end"][at]
        strength = float(arrays["strength"][at])
        trees.append(Tree(structure, tuple(columns[at].tolist()), order, *stretch, pools[at], strength))
    links, number, tree = [], 0, 0
    for link in described:
        found = Cells(low[number], high[number], alone[number]) if link["number"] else None
        links.append(Link(link["name"], found, tuple(trees[tree : tree + link["trees"]])))
        number, tree = number + link["number"], tree + link["trees"]
    return tuple(links)


def _check_leads_down(tree: Structure, features: int) -> None:
    """Raise ``ValueError`` for nodes that are no tree: the walk down them is compiled and believes what it is given."""
    place, inner = np.arange(len(tree.left)), tree.left >= 0
    first, last = np.minimum(tree.left, tree.right), np.maximum(tree.left, tree.right)
    below = (place < first) & (last < len(place)) & (tree.feature >= 0) & (tree.feature < features)
    if not len(place) or not (np.where(inner, below, last < 0) & (len(tree.right) == len(place))).all():
        raise ValueError("the nodes of a stored tree do not lead down")


def _joined(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)


def _split(whole: NDArray[Any], sizes: NDArray[np.int64]) -> list[NDArray[Any]]:
    return np.split(whole, np.cumsum(sizes)[:-1]) if len(sizes) else []
