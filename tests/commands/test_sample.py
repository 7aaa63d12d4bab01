"""``sample``: seeds, sizes, formats, stdout, and models that must not be opened."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import polars as pl
import pytest


@pytest.fixture
def draw(call, flights_run: Path):
    """Return a function that samples from the finished run."""
    return lambda *words: call("sample", "--out", flights_run / "artifacts", "-q", *words)


def test_one_seed_one_file_two_seeds_two(draw, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert draw("-n", 200, "--seed", seed, "--output", tmp_path / f"{name}.parquet").code == 0
    a, b, c = ((tmp_path / f"{name}.parquet").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_without_a_seed_each_sample_is_new_and_its_seed_is_recorded(draw, tmp_path: Path) -> None:
    first, second = (
        draw("-n", 50, "--output", tmp_path / f"{i}.csv", "--json").document["result"]["seed"] for i in "ab"
    )
    assert first != second
    assert draw("-n", 50, "--seed", first, "--output", tmp_path / "again.csv").code == 0
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "a.csv").read_text()


def test_the_seed_of_another_process_gives_the_same_bytes(draw, flights_run: Path, tmp_path: Path) -> None:
    draw("-n", 100, "--seed", 5, "--output", tmp_path / "here.csv")
    words = ["sample", "--out", str(flights_run / "artifacts"), "-n", "100", "--seed", "5", "-q", "--output", "-"]
    done = subprocess.run([sys.executable, "-m", "synthcli", *words], capture_output=True, check=True)
    assert done.stdout == (tmp_path / "here.csv").read_bytes()


def test_rows_default_to_the_training_parts(flights_run: Path) -> None:
    train = pl.read_parquet(flights_run / "artifacts" / "split" / "train.parquet")
    synthetic = pl.read_parquet(flights_run / "artifacts" / "synthetic" / "synthetic.parquet")
    assert synthetic.height == train.height
    assert synthetic.schema == train.schema


def test_stdout_is_the_table_and_nothing_else(draw) -> None:
    ended = draw("-n", 20, "--output", "-")
    table = pl.read_csv(StringIO(ended.out), null_values=["NA"])
    assert table.height == 20
    assert table["time_hour"].str.contains(r"^2013-\d\d-\d\d \d\d:\d\d:\d\d$").all()


def test_values_keep_the_sources_form(draw, flights_csv: Path) -> None:
    ended = draw("-n", 300, "--output", "-")
    header, *lines = ended.out.splitlines()
    assert header == flights_csv.read_text().splitlines()[0]
    late = [line.rsplit(",", 1)[1] for line in lines]
    assert set(late) == {"true", "false", "NA"}
    distance = header.split(",").index("distance")
    assert all(line.split(",")[distance].isdigit() for line in lines)


def test_formats_by_suffix_by_option_and_into_a_folder(draw, tmp_path: Path) -> None:
    assert draw("-n", 5, "--output", tmp_path / "t.csv.gz").code == 0
    assert pl.read_csv(tmp_path / "t.csv.gz").height == 5
    assert draw("-n", 5, "--output", f"{tmp_path}/", "--format", "jsonl").code == 0
    assert pl.read_ndjson(tmp_path / "synthetic.jsonl").height == 5
    assert draw("-n", 5, "--output", tmp_path / "t.xlsx").code == 2


def test_a_closed_pipe_is_no_error(flights_run: Path) -> None:
    command = (
        f"{sys.executable} -m synthcli sample --out {flights_run / 'artifacts'} -n 60000 --output - -q | head -n 1"
    )
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 141
    assert done.stdout.startswith("time_hour,")
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr.lower()


def test_a_changed_model_is_not_opened(call, flights_run: Path, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(flights_run / "artifacts" / "generators" / "0001", tmp_path / "0001"))
    (model,) = folder.rglob("*.pkl")
    model.write_bytes(model.read_bytes() + b"x")
    ended = call("sample", "--generator", folder, "--out", tmp_path)
    assert ended.code == 3
    assert "SHA-256" in ended.err


def test_an_unknown_generator_lists_those_there_are(call, flights_run: Path, tmp_path: Path) -> None:
    ended = call("sample", "--generator", "7", "--out", flights_run / "artifacts")
    assert ended.code == 3
    assert "latest = 0001" in ended.err
    assert "synthcli fit" in call("sample", "--out", tmp_path).err


def test_no_rows_and_negative_rows_are_refused(draw) -> None:
    for rows in ("0", "-5"):
        assert draw("-n", rows).code == 2


def test_a_dry_run_draws_nothing(draw, tmp_path: Path) -> None:
    assert draw("-n", 5, "--output", tmp_path / "t.csv", "--dry-run").code == 0
    assert not (tmp_path / "t.csv").exists()
