from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli.encoding import Points
from synthcli.metrics import neighbors
from synthcli.metrics.neighbors import covered, distance_matrix, kth_distances, nearest

UNIT = 12


def points(numbers: list[list[int]], categories: list[list[int]], unit: int = UNIT) -> Points:
    rows = len(numbers)
    return Points(
        np.array(numbers, dtype=np.int64).reshape(rows, -1),
        np.array(categories, dtype=np.int64).reshape(rows, -1),
        unit,
    )


class Law:
    """A law of random tables: few steps and levels make ties and equal rows frequent."""

    def __init__(self, numeric: int, categorical: int, steps: int, levels: int, missing: float, unit: int) -> None:
        self.numeric, self.categorical, self.steps, self.levels = numeric, categorical, steps, levels
        self.missing, self.unit = missing, unit


def random_points(rng: np.random.Generator, rows: int, law: Law) -> Points:
    numbers = rng.integers(0, law.steps + 1, (rows, law.numeric)) * (law.unit // law.steps)
    numbers[rng.random(numbers.shape) < law.missing] = -1
    return Points(numbers, rng.integers(0, law.levels, (rows, law.categorical)), law.unit)


laws = st.builds(
    Law,
    numeric=st.integers(0, 4),
    categorical=st.integers(0, 4),
    steps=st.sampled_from([1, 4, 1000]),
    levels=st.sampled_from([1, 2, 5, 400]),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    unit=st.sampled_from([4000, 2**34]),
)


def distance_by_loop(one: Points, other: Points) -> list[list[int]]:
    def cell(a: int, b: int) -> int:
        if a < 0 or b < 0:
            return 0 if a == b else one.unit
        return abs(a - b)

    return [
        [
            sum(map(cell, one.numbers[i].tolist(), other.numbers[j].tolist()))
            + one.unit * sum(a != b for a, b in zip(one.categories[i], other.categories[j], strict=True))
            for j in range(other.rows)
        ]
        for i in range(one.rows)
    ]


def test_nearest_second_and_ties_are_those_worked_out_by_hand() -> None:
    queries = points([[5, -1], [0, 12]], [[1], [9]])
    references = points([[4, -1], [6, -1], [5, 3], [5, -1], [4, -1]], [[1], [1], [1], [2], [1]])
    # from (5, missing, 1): 1, 1, 12, 12, 1; from (0, 12, 9): 4+12+12, 6+12+12, 5+9+12, 5+12+12, 28
    found = nearest(queries, references)
    assert found.first.tolist() == [1, 26]
    assert found.second.tolist() == [12, 28]
    assert found.query.tolist() == [0, 0, 0, 1]
    assert found.reference.tolist() == [0, 1, 4, 2]
    assert found.reference_weights() == pytest.approx([1 / 3, 1 / 3, 1, 0, 1 / 3])


def test_where_all_references_are_equally_far_the_second_distance_is_the_first() -> None:
    found = nearest(points([[3]], [[]]), points([[1], [5], [1]], [[], [], []]))
    assert (found.first.tolist(), found.second.tolist(), found.reference.tolist()) == ([2], [2], [0, 1, 2])


def test_without_references_or_queries_there_are_no_links() -> None:
    some, none = points([[1], [2]], [[1], [2]]), points([[1]], [[1]])[:0]
    assert nearest(none, some).first.tolist() == []
    found = nearest(some, none)
    assert (found.first.tolist(), found.second.tolist(), len(found.query)) == ([0, 0], [0, 0], 0)
    here, there = covered(some, np.array([5, 5]), none, np.zeros(0, dtype=np.int64))
    assert (here.tolist(), there.tolist()) == ([False, False], [])


@settings(max_examples=60, deadline=None)
@given(law=laws, seed=st.integers(0, 2**32), sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_the_distance_matrix_equals_loops(law: Law, seed: int, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    one, other = random_points(rng, sizes[0], law), random_points(rng, sizes[1], law)
    assert distance_matrix(one, other).tolist() == distance_by_loop(one, other)


@settings(max_examples=120, deadline=None)
@given(
    law=laws,
    seed=st.integers(0, 2**32),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 300)),
    leaf=st.sampled_from([1, 5, 128]),
    dense=st.sampled_from([1, 8, 200]),
    cells=st.sampled_from([500, 1 << 22]),
    pairs=st.sampled_from([9, 1 << 20]),
)
def test_the_search_equals_comparing_everything_with_everything(
    law: Law, seed: int, sizes: tuple[int, int], leaf: int, dense: int, cells: int, pairs: int
) -> None:
    rng = np.random.default_rng(seed)
    queries, references = random_points(rng, sizes[0], law), random_points(rng, sizes[1], law)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"_LEAF": leaf, "_DENSE": dense, "_CELLS": cells, "_PAIRS": pairs}.items():
            patch.setattr(neighbors, name, value)
        found = nearest(queries, references)
        query, reference = found.query, found.reference
    distances = distance_matrix(queries, references)
    first = distances.min(axis=1)
    larger = np.where(distances > first[:, None], distances, np.iinfo(np.int64).max).min(axis=1)
    assert np.array_equal(found.first, first)
    assert np.array_equal(found.second, np.where(larger == np.iinfo(np.int64).max, first, larger))
    links = np.nonzero(distances == first[:, None])
    assert np.array_equal(query, links[0])
    assert np.array_equal(reference, links[1])
    shares = (distances == first[:, None]) / (distances == first[:, None]).sum(axis=1, keepdims=True)
    assert found.reference_weights() == pytest.approx(shares.sum(axis=0))


@pytest.mark.parametrize("categorical", [0, 2])
def test_the_search_is_exact_where_boxes_prune(categorical: int) -> None:
    rng, law = np.random.default_rng(5), Law(3, categorical, 1000, 3, 0.05, 10_000)
    queries, references = random_points(rng, 150, law), random_points(rng, 6000, law)
    found = nearest(queries, references)
    ordered = np.sort(distance_matrix(queries, references), axis=1)
    assert np.array_equal(found.first, ordered[:, 0])
    larger = np.array([row[row > row[0]][0] for row in ordered])
    assert np.array_equal(found.second, larger)
    assert len(found.query) == int((ordered == ordered[:, :1]).sum())


def test_a_table_of_dozens_of_numeric_columns_with_missing_cells_is_searched_exactly() -> None:
    rng, law = np.random.default_rng(6), Law(40, 1, 1000, 3, 0.1, 10_000)
    queries, references = random_points(rng, 60, law), random_points(rng, 900, law)
    distances = distance_matrix(queries, references)
    assert np.array_equal(nearest(queries, references).first, distances.min(axis=1))
    assert np.array_equal(nearest(queries, references).reference, distances.argmin(axis=1))


def test_rows_whose_hashes_collide_are_still_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "mixed", lambda keys, values: keys)
    queries, references = points([[5], [7]], [[1], [2]]), points([[7], [5], [5]], [[1], [1], [1]])
    found = nearest(queries, references)
    assert (found.first.tolist(), found.reference.tolist()) == ([0, UNIT], [1, 2, 0])


def test_weights_of_a_table_with_billions_of_ties_need_no_list_of_them() -> None:
    rows = 60_000
    found = nearest(points([[]] * rows, [[1]] * rows), points([[]] * rows, [[1]] * rows))
    assert found.reference_weights() == pytest.approx(np.ones(rows))


@settings(max_examples=60, deadline=None)
@given(law=laws, seed=st.integers(0, 2**32), rows=st.integers(1, 60), k=st.integers(1, 7))
def test_kth_distances_and_coverage_equal_loops(law: Law, seed: int, rows: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    centres, queries = random_points(rng, rows, law), random_points(rng, 8, law)
    matrix = distance_by_loop(centres, centres)
    others = [sorted(matrix[i][:i] + matrix[i][i + 1 :]) for i in range(rows)]
    radii = [row[min(k, rows - 1) - 1] if rows > 1 else 0 for row in others]
    assert kth_distances(centres, k).tolist() == radii
    reach = distance_by_loop(queries, centres)
    expected = [any(d <= r for d, r in zip(row, radii, strict=True)) for row in reach]
    back = rng.integers(0, law.unit, 8)
    behind = [any(row[i] <= back[q] for q, row in enumerate(reach)) for i in range(rows)]
    here, there = covered(queries, back, centres, np.array(radii))
    assert (here.tolist(), there.tolist()) == (expected, behind)
