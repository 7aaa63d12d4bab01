"""What is foretold from a few measurements: by hand-worked values, and by laws that hold for any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.foresight import Forecast, Line, Point, Range, Room, foretold

costs = st.floats(0, 1e6, allow_nan=False)
rows = st.integers(1, 10**9)
measured = st.lists(st.tuples(rows, costs), min_size=1, max_size=5, unique_by=lambda each: each[0]).map(
    lambda found: [Point(*each) for each in sorted(found)]
)


def test_a_line_goes_through_both_points_and_never_falls() -> None:
    assert Line.through(Point(1_000, 3.0), Point(4_000, 9.0)) == Line(1.0, 0.002)
    assert Line.through(Point(1_000, 3.0), Point(4_000, 2.0)) == Line(2.0, 0.0)
    assert Line.through(Point(1_000, 3.0), Point(1_000, 3.0)).at(10**6) == 3.0


def test_by_hand() -> None:
    points = [Point(1_000, 2.0), Point(4_000, 5.0), Point(16_000, 29.0)]
    # Through the last two: .002 a row, 29 + 48; through first and last: .0018 a row, 29 + 43.2; the parabola: slopes
    # .001 and .002 over 15,000 rows, which adds (40,000 - 4,000)(40,000 - 16,000)/15,000,000 = 57.6.
    assert foretold(points, 40_000, 1.5) == pytest.approx((77.0, 72.2 / 1.5, 134.6 * 1.5))


def test_what_was_done_whole_is_foretold_as_it_was() -> None:
    assert foretold([Point(1_000, 2.0), Point(3_000, 6.0)], 3_000, 1.5) == (6.0, 4.0, 9.0)


def test_a_single_part_may_be_all_fixed_or_all_by_the_row() -> None:
    assert foretold([Point(1_000, 2.0)], 5_000, 2.0) == (pytest.approx(20**0.5), 1.0, 20.0)


@given(st.floats(0, 1e3), st.floats(0, 1e-2), st.lists(rows, min_size=2, max_size=5, unique=True), rows)
def test_affine_costs_are_foretold_exactly(fixed: float, each: float, sizes: list[int], whole: int) -> None:
    line = Line(fixed, each)
    found = foretold([Point(size, line.at(size)) for size in sorted(sizes)], max(whole, *sizes), 1.5)
    assert found.likely == pytest.approx(line.at(max(whole, *sizes)), rel=1e-6, abs=1e-6)


@given(measured, rows)
def test_the_range_holds_what_is_likely(points: list[Point], whole: int) -> None:
    found = foretold(points, whole, 1.5)
    assert found.low <= found.likely <= found.high


@given(measured, rows, st.integers(0, 10**6))
def test_more_rows_never_cost_less(points: list[Point], whole: int, more: int) -> None:
    least = points[-1].rows
    fewer, further = (foretold(points, least + count, 1.5) for count in (whole, whole + more))
    assert further.likely >= fewer.likely
    assert further.high >= fewer.high * (1 - 1e-12)


def test_bounded_costs_are_a_power_of_the_rows_by_hand() -> None:
    # 2 s at 100 rows and 4 s at 400 are 2 s times the root of rows/100: 8 s at 1,600.
    found = foretold([Point(100, 2.0), Point(400, 4.0)], 1_600, 2.0, bounded=True)
    assert found == pytest.approx(Range(8.0, 4 * 4**0.3 / 2, 4 * 4**0.7 * 2))


def test_bounded_costs_neither_fall_nor_grow_faster_than_the_line() -> None:
    assert foretold([Point(100, 4.0), Point(400, 2.0)], 1_600, 1.0, bounded=True).likely == 2.0
    steep = foretold([Point(100, 1.0), Point(400, 16.0)], 1_600, 1.0, bounded=True)
    assert steep.likely == steep.high == 64.0
    assert foretold([Point(100, 2.0), Point(400, 8.0)], 1_600, 1.0, bounded=True).high == pytest.approx(32.0)


def test_a_range_counts_what_is_known() -> None:
    found = Range(4.0, 2.0, 8.0)
    assert found.plus(Range.about(1.0)) == (5.0, 3.0, 9.0)
    assert found.plus(Range.about(3.0, 1.5)) == (7.0, 4.0, 12.5)
    assert found.times(0.25, 0.5, 1) == (2.0, 0.5, 8.0)
    assert found.at_least(5) == (5.0, 5.0, 8.0)


def test_what_may_not_fit_is_said_with_what_to_do() -> None:
    small, large = Range(1e6, 1e6, 2e6), Range(1e9, 1e9, 2e9)
    room = Room(memory=10**8, disk=10**8)
    assert room.lacking(small, small) == []
    [memory] = room.lacking(large, small)
    assert "--shards" in memory
    [disk] = room.lacking(None, large)
    assert "make room" in disk
    assert Room(None, None).lacking(large, large) == []


def test_what_was_not_measured_is_null() -> None:
    told = Forecast({"train": 3}, {}, None, None, None, {"a": True}, "not measured", 0.0, (), Room(None, 5)).to_dict()
    assert (told["seconds"], told["memory"], told["disk"]) == (None, None, None)
    assert told["paths"] == [{"path": "a", "replaces": True}]
    assert told["free"] == {"memory": None, "disk": 5}
