"""Columns: what is worked out of one agrees with the plain definition, in memory and on disk, kept or not."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from examples import MIXED, mixed_table
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from synthcli import columns
from synthcli.audit import Questions, Tables, audit
from synthcli.columns import Distinct, Levels, Table, places, work_out
from synthcli.encoding import DistanceEncoding
from synthcli.errors import BadTableError
from synthcli.inference import infer_typed
from synthcli.rowkeys import row_keys

NAN, INF = float("nan"), float("inf")
cells = st.one_of(st.integers(-5, 5).map(float), st.sampled_from([NAN, INF, -INF]))


@given(st.lists(cells, max_size=60), st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=5))
def test_distinct_values_count_as_a_loop_does(values: list[float], bounds: list[float]) -> None:
    known = sorted(value for value in values if not np.isnan(value))
    found = Distinct.of(np.array(values, dtype=np.float64))
    assert found.values.tolist() == sorted(set(known))
    assert found.counts.tolist() == [known.count(value) for value in sorted(set(known))]
    assert found.rows == len(known)
    assert found.at_most(np.array(bounds)).tolist() == [sum(v <= b for v in known) for b in bounds]
    assert found.below(np.array(bounds)).tolist() == [sum(v < b for v in known) for b in bounds]
    assert [found.ranked(place) for place in range(len(known))] == known
    finite = Distinct.of(np.array([value for value in known if abs(value) < INF], dtype=np.float64))
    assert found.finite.values.tolist() == finite.values.tolist()
    assert found.finite.cumulative.tolist() == finite.cumulative.tolist()


@pytest.mark.parametrize("dtype", [pl.String, pl.Int16, pl.Float64, pl.Boolean, pl.Categorical])
@given(st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=60))
def test_levels_give_every_cell_back(dtype: type[pl.DataType], values: list[int | None]) -> None:
    plain = pl.Series(values, dtype=pl.Int16)
    series = plain > 6 if dtype == pl.Boolean else plain.cast(pl.String).cast(dtype)
    levels = Levels.of(series)
    ordered = [*levels.values.to_list(), None]
    assert [ordered[code] for code in levels.codes] == series.to_list()
    assert levels.counts.tolist() == [series.to_list().count(value) for value in levels.values]
    assert levels.counts.tolist() == sorted(levels.counts.tolist(), reverse=True)
    assert levels.spread(np.arange(len(levels.values)), -1).tolist() == [
        -1 if cell is None else ordered.index(cell) for cell in series.to_list()
    ]


def test_ties_go_to_the_smaller_value_and_nan_is_missing() -> None:
    assert Levels.of(pl.Series(["b", "a", "c", "c"])).values.to_list() == ["c", "a", "b"]
    levels = Levels.of(pl.Series([2.0, NAN, 1.0]))
    assert (levels.values.to_list(), levels.codes.tolist()) == ([1.0, 2.0], [1, 2, 0])


@pytest.mark.parametrize("many", [255, 256, 70_000])
def test_codes_take_the_smallest_type_that_also_holds_a_missing_cell(many: int) -> None:
    series = pl.Series([None, *(f"v{i:05}" for i in range(many))])
    levels = Levels.of(series)
    assert levels.codes.dtype == np.min_scalar_type(many)
    assert levels.codes.tolist() == [many, *range(many)]


def test_places_are_found_across_types_by_value() -> None:
    assert places(pl.Series(["b", "x"]), pl.Series(["a", "b"])).tolist() == [1, -1]
    assert places(pl.Series([2.0, 2.5]), pl.Series([1, 2])).tolist() == [1, -1]
    assert places(pl.Series([], dtype=pl.Null), pl.Series(["a"])).tolist() == []


@pytest.fixture(params=["kept", "never kept", "on disk", "on disk, never kept"])
def source(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pl.DataFrame | pl.LazyFrame:
    frame = mixed_table(300, 1)
    if "never" in request.param:
        monkeypatch.setattr(columns, "KEPT_BYTES", 0)
    if "disk" not in request.param:
        return frame
    frame.write_parquet(tmp_path / "table.parquet", row_group_size=70)
    return pl.scan_parquet(tmp_path / "table.parquet")


def test_a_table_is_read_alike_wherever_it_lies(source: pl.DataFrame | pl.LazyFrame) -> None:
    frame, table = mixed_table(300, 1), Table(source)
    names = frame.columns
    assert (table.height, table.columns) == (300, names)
    assert_frame_equal(table.select(names), frame)
    assert_frame_equal(table.select(names[1:]), frame.select(names[1:]))
    assert_frame_equal(table.take(np.array([7, 2]), names), frame[[7, 2]])
    assert_frame_equal(table.thinned(100, names), frame.gather_every(3))
    assert_frame_equal(pl.concat(table.chunks(names, 64)), frame)
    for _ in range(2):
        assert table.row_keys(names).tolist() == row_keys(frame, names).tolist()
        for name in names:
            assert table[name].to_list() == frame[name].to_list()


def test_an_audit_of_tables_on_disk_is_that_of_tables_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [mixed_table(rows, seed) for seed, rows in enumerate((300, 120, 200))]
    questions = Questions(("accuracy", "validity", "diversity", "compat"), seed=1)

    def audited(*tables: Table) -> object:
        return audit(Tables(*tables, MIXED), questions, lambda _: nullcontext())

    lazies = []
    for number, frame in enumerate(frames):
        frame.write_parquet(tmp_path / f"{number}.parquet", row_group_size=50)
        lazies.append(pl.scan_parquet(tmp_path / f"{number}.parquet"))
    in_memory = audited(*map(Table, frames))
    monkeypatch.setattr(columns, "KEPT_BYTES", 0)
    assert audited(*map(Table, lazies)) == in_memory


def test_ranks_of_few_cells_are_those_of_the_pool() -> None:
    parts = [mixed_table(rows, rows) for rows in (90, 40)]
    pool = DistanceEncoding.fit(pl.concat(parts), MIXED).encode(mixed_table(50, 3))
    few = DistanceEncoding.over([Table(part) for part in parts], MIXED).encode(mixed_table(50, 3))
    assert few.unit == pool.unit
    assert few.numbers.tolist() == pool.numbers.tolist()
    assert few.categories.tolist() == pool.categories.tolist()


def test_whole_numbers_that_are_one_float_have_one_place() -> None:
    assert places(pl.Series([2.0**53, 1.0]), pl.Series([2**53, 2**53 + 1])).tolist() == [0, -1]


def test_a_file_that_goes_away_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    mixed_table(50, 1).write_parquet(path)
    table = Table(pl.scan_parquet(path), name="rows.parquet")
    path.unlink()
    with pytest.raises(BadTableError, match=r"rows\.parquet: the file is damaged or changes"):
        table.numbers("size")
    with pytest.raises(BadTableError, match=r"rows\.parquet"):
        list(table.chunks(["size"], 10))


def test_working_ahead_keeps_what_is_asked_for_first_and_stops_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 1000
    frame = pl.DataFrame({name: np.random.default_rng(at).normal(size=rows) for at, name in enumerate("abcd")})
    schema = infer_typed(frame).schema
    made: list[int] = []
    monkeypatch.setattr(columns, "side_by_side", lambda work, items: [work(item) for item in items])
    monkeypatch.setattr(columns, "KEPT_BYTES", 8 * rows + 2 * 24 * rows)
    table = Table(frame)
    whole = Distinct.of
    monkeypatch.setattr(Distinct, "of", lambda values: made.append(1) or whole(values))
    work_out([table], schema)
    assert len(made) == 2
    monkeypatch.setattr(columns, "mixed", None)  # the keys are there
    table.row_keys("abcd")
