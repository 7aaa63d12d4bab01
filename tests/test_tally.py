"""A table on disk is read once, part by part: the sums are those of the whole, whoever reads which part."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from examples import MIXED, mixed_table
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli import tally
from synthcli.audit import OF_REAL_ROWS, Questions, Tables, audit
from synthcli.columns import Table
from synthcli.encoding import CountEncoding
from synthcli.executors import InProcess, Workplace, executor
from synthcli.metrics import neighbors
from synthcli.metrics.diversity import DiversityCounter
from synthcli.metrics.estimate import Estimate
from synthcli.metrics.neighbors import nearest
from synthcli.metrics.privacy import Hits, Records, Sought, Weights, cell_keys
from synthcli.metrics.validity import ValidityCounter
from synthcli.tables import open_table
from synthcli.tally import Wanted, read_table

ROWS = (400, 160, 1_000)
WHOLE_ROWS = ("similarity.", "privacy.dcr", "privacy.nndr", "privacy.membership", "privacy.singling", "privacy.link")
DRAWN_ROWS = ("diversity.recall", "diversity.precision")


@pytest.fixture
def frames() -> list[pl.DataFrame]:
    return [mixed_table(rows, seed) for seed, rows in enumerate(ROWS)]


@pytest.fixture
def on_disk(frames: list[pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """The synthetic table in three files, which parts of 128 rows cut across."""
    monkeypatch.setattr(tally, "PART", 128)
    for number in range(3):
        frames[2].slice(number * 350, 350).write_parquet(tmp_path / f"{number}.parquet", row_group_size=60)
    return Table(pl.scan_parquet([tmp_path / f"{number}.parquet" for number in range(3)]))


@contextmanager
def workplace(workers: int, folder: Path) -> Iterator[Workplace]:
    with executor(workers) as pool:
        yield Workplace(pool, folder)


def audited(frames: list[pl.DataFrame], synthetic: Table, place: Workplace | None = None) -> tuple[Estimate, ...]:
    questions = Questions(("accuracy", "validity", "diversity", "similarity", "privacy"), seed=1)
    tables = Tables(Table(frames[0]), Table(frames[1]), synthetic, MIXED)
    return audit(tables, questions, lambda _: nullcontext(), place)


def test_what_counts_all_rows_is_the_same_in_parts(frames: list[pl.DataFrame], on_disk: Table) -> None:
    whole, parts = audited(frames, Table(frames[2])), audited(frames, on_disk)
    assert [found.name for found in parts] == [found.name for found in whole]
    compared = 0
    for one, other in zip(whole, parts, strict=True):
        if one.name.startswith((*WHOLE_ROWS, *DRAWN_ROWS)):
            continue
        compared += 1
        if one.value is None:
            assert other == one
            continue
        assert other.value == pytest.approx(one.value, rel=1e-12), one.name
        assert (other.low, other.high) == pytest.approx((one.low, one.high), rel=1e-9), one.name
        assert (other.n, other.detail, other.columns) == (one.n, one.detail, one.columns)
    assert compared > 40


@pytest.mark.slow
def test_what_compares_whole_rows_says_which_it_saw(frames: list[pl.DataFrame], on_disk: Table) -> None:
    told = "; the synthetic rows are 400 drawn at random from 1,000"
    found = [each for each in audited(frames, on_disk) if each.name.startswith(WHOLE_ROWS) and each.value is not None]
    assert len(found) >= 5
    for each in found:
        assert each.detail.endswith(told) != (each.name in OF_REAL_ROWS), each.name
        assert "all 400 synthetic" not in each.detail


@pytest.mark.slow
def test_a_draw_of_all_rows_is_all_of_them(frames: list[pl.DataFrame], on_disk: Table) -> None:
    frames[0] = mixed_table(1_000, 9)
    whole, parts = audited(frames, Table(frames[2])), audited(frames, on_disk)
    for one, other in zip(whole, parts, strict=True):
        if one.name.startswith(WHOLE_ROWS):
            assert one == other


@pytest.mark.slow
def test_workers_find_the_same_to_the_last_bit(
    frames: list[pl.DataFrame], on_disk: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbors, "_MANY", 1)
    private = tmp_path / "private"
    private.mkdir()
    one = audited(frames, on_disk)
    with workplace(1, private) as here:
        assert audited(frames, on_disk, here) == one
    with workplace(2, private) as there:
        assert audited(frames, on_disk, there) == one


def test_codes_come_in_the_order_asked_for(frames: list[pl.DataFrame], on_disk: Table) -> None:
    encoding = CountEncoding.fit(frames[0], MIXED)
    order = np.random.default_rng(1).permutation(1_000)[:700]
    kept = np.array([0, 5, 127, 128, 999])
    wanted = Wanted(MIXED, tuple(frames[2].columns), encoding)
    shares: list[float] = []
    read = read_table(on_disk, wanted, order, kept, Workplace(InProcess()), lambda share, note: shares.append(share))
    assert read.codes is not None
    assert (read.codes == encoding.encode(frames[2])[:, order]).all()
    assert read.rows.equals(frames[2].select(read.rows.columns)[kept])
    assert shares == pytest.approx([part / 8 for part in range(1, 9)])


def test_what_is_sent_to_a_worker_can_be_sent(frames: list[pl.DataFrame], tmp_path: Path) -> None:
    """Records go by file; what is left is small beside them."""
    records = Records.fit(frames[0], frames[1], MIXED)
    validity = ValidityCounter.fit(Table(frames[0]), MIXED, (), rows=1_000)
    diversity = DiversityCounter.fit(Table(frames[0]), MIXED, target=None, rows=1_000)
    wanted = Wanted(MIXED, (), CountEncoding.fit(frames[0], MIXED), validity, diversity, records.sought)
    handed = tally._handed_over(wanted, Workplace(InProcess(), tmp_path))
    assert handed.sought == tmp_path.resolve()
    assert len(pickle.dumps(handed)) < 50_000
    assert tally._handed_over(wanted, Workplace(InProcess())).sought is wanted.sought


def test_a_part_is_found_from_any_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        mixed_table(40, 1).write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    opened = [open_table("one.parquet"), open_table(["one.parquet", "two.parquet"])]
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [source.lazy.collect().height for source in opened] == [40, 80]


# --- records ---


def equal(one: Weights, other: Weights) -> bool:
    return one.records.tolist() == other.records.tolist() and one.sums == pytest.approx(other.sums)


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, 300), seed=st.integers(0, 5))
def test_hits_of_two_parts_add_up(cut: int, seed: int) -> None:
    train, holdout = mixed_table(200, seed), mixed_table(80, seed + 10)
    rows = pl.concat([train.head(100), mixed_table(150, seed + 20), holdout.head(50)])
    sought = Records.fit(train, holdout, MIXED).sought
    cells = cell_keys(rows, MIXED)
    whole, parts = sought.hits(cells), sought.hits(cells[:, :cut]) + sought.hits(cells[:, cut:])
    assert (parts.rows, parts.known, parts.near) == (whole.rows, whole.known, whole.near)
    assert whole.known > 50
    assert equal(parts.exact_weights, whole.exact_weights)
    assert equal(parts.near_weights, whole.near_weights)


def test_weights_by_hand() -> None:
    weights = Weights.of(np.array([7, 2, 7]), np.array([0.5, 1.0, 0.25])) + Weights.of(np.array([2]), np.array([3.0]))
    assert (weights.records.tolist(), weights.sums.tolist()) == ([2, 7], [4.0, 0.75])
    assert weights.dense(4).tolist() == [0, 0, 4.0, 0]


def test_keys_that_are_read_from_files_find_the_same(tmp_path: Path) -> None:
    train, holdout = mixed_table(200, 1), mixed_table(80, 2)
    sought = Records.fit(train, holdout, MIXED).sought
    sought.save(tmp_path)
    cells = cell_keys(pl.concat([train.head(30), mixed_table(60, 3)]), MIXED)
    here, there = sought.hits(cells), Sought.load(tmp_path).hits(cells)
    assert isinstance(there, Hits)
    assert (here.known, here.near) == (there.known, there.near)
    assert here.known >= 20
    assert equal(here.near_weights, there.near_weights)


# --- neighbours ---


def test_neighbours_that_are_searched_for_by_tasks_are_the_same(
    frames: list[pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthcli.encoding import DistanceEncoding

    encoding = DistanceEncoding.fit(pl.concat(frames[:2]), MIXED)
    asked, among = encoding.encode(frames[2]), encoding.encode(frames[0])
    here = nearest(asked, among)
    monkeypatch.setattr(neighbors, "_MANY", 1)
    monkeypatch.setattr(neighbors, "_PART", 64)
    there = nearest(asked, among, Workplace(InProcess(), tmp_path))
    assert there.first.tolist() == here.first.tolist()
    assert there.second.tolist() == here.second.tolist()
    assert there.query.tolist() == here.query.tolist()
    assert there.reference.tolist() == here.reference.tolist()
    assert list(tmp_path.iterdir()) == []  # what was handed over is gone
