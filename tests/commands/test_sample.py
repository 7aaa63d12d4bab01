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


def test_a_closed_pipe_is_no_error_and_what_went_out_is_remembered(flights_run: Path) -> None:
    sketches = flights_run / "artifacts" / "sketches"
    before = set(sketches.iterdir())
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
    assert len(set(sketches.iterdir()) - before) == 1


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
    assert "latest is 0001" in ended.err
    assert "synthcli fit" in call("sample", "--out", tmp_path).err


def test_no_rows_and_negative_rows_are_refused(draw) -> None:
    for rows in ("0", "-5"):
        assert draw("-n", rows).code == 2


def test_a_dry_run_draws_nothing(draw, tmp_path: Path) -> None:
    assert draw("-n", 5, "--output", tmp_path / "t.csv", "--dry-run").code == 0
    assert not (tmp_path / "t.csv").exists()


# what is remembered of a sample


def kept(flights_run: Path, path: Path):
    """Return the sketch that was kept of a written file."""
    from synthcli.artifacts import sha256
    from synthcli.sketches import read

    return read(flights_run / "artifacts" / "sketches" / f"{sha256(path)}.npz")


def test_the_lineage_stands_beside_the_file_and_in_the_parquet_footer(draw, tmp_path: Path) -> None:
    from synthcli.lineage import read
    from synthcli.tables.footer import parquet_footer

    path = tmp_path / "t.parquet"
    ended = draw("-n", 20, "--seed", 3, "--output", path, "--json")
    assert ended.document["artifacts"]["lineage"] == str(tmp_path / "t.parquet.lineage.json")
    known = read(path)
    assert known is not None
    assert known.lineage is not None
    assert (known.source, known.rows, known.lineage.depth, known.lineage.seed) == ("sidecar", 20, 1, 3)
    assert known.lineage.parents[0].name == "train.parquet"
    footer = parquet_footer(path)
    assert footer is not None
    assert footer.metadata.keys() == {"ARROW:schema", "synthcli.depth", "synthcli.real_share", "synthcli.version"}


def test_one_seed_one_sidecar(draw, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert draw("-n", 20, "--seed", 3, "--output", tmp_path / folder / "t.csv").code == 0
    a, b = ((tmp_path / folder / "t.csv.lineage.json").read_bytes() for folder in "ab")
    assert a == b


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.csv.gz"])
def test_every_emitted_row_is_recognised_in_the_file_that_was_written(
    draw, flights_run: Path, tmp_path: Path, name: str
) -> None:
    from synthcli.holdout import SplitFolder
    from synthcli.rowkeys import row_keys
    from synthcli.tables import ReadOptions, open_table

    assert draw("-n", 500, "--seed", 4, "--output", tmp_path / name).code == 0
    sketch = kept(flights_run, tmp_path / name)
    schema = SplitFolder(flights_run / "artifacts" / "split").read().schema
    back = open_table(tmp_path / name, ReadOptions(missing=("", "NA")), schema=schema).read()
    assert sketch.columns == tuple(column.name for column in schema.modelled)
    assert set(row_keys(back, sketch.columns).tolist()) == set(sketch.keys.tolist())
    assert (sketch.rows, sketch.depth, sketch.base_from) == (500, 1, "holdout")


def test_a_sketch_knows_the_real_rows_of_its_time(draw, flights_run: Path, tmp_path: Path) -> None:
    draw("-n", 50, "--seed", 4, "--output", tmp_path / "t.csv")
    sketch = kept(flights_run, tmp_path / "t.csv")
    parts = {name: flights_run / "artifacts" / "split" / f"{name}.parquet" for name in ("train", "holdout")}
    assert sketch.real_rows == pl.read_parquet(parts["train"]).height
    assert len(sketch.real) == pl.read_parquet(parts["train"], columns=list(sketch.columns)).n_unique()
    assert sketch.base.looked == pl.read_parquet(parts["holdout"]).height
    assert sketch.base.matched == 0


def test_rows_on_stdout_are_remembered_too(draw, flights_run: Path) -> None:
    import hashlib

    name = hashlib.sha256(draw("-n", 30, "--seed", 8, "--output", "-").out.encode()).hexdigest()
    assert (flights_run / "artifacts" / "sketches" / f"{name}.npz").stat().st_mode & 0o777 == 0o600


def test_without_split_and_training_table_nothing_is_known_of_real_rows(
    call, flights_run: Path, tmp_path: Path
) -> None:
    import shutil

    from synthcli.sketches import read, stored

    folder = Path(shutil.copytree(flights_run / "artifacts" / "generators" / "0001", tmp_path / "0001"))
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("split/train.parquet", "split/gone.parquet"))
    assert call("sample", "--generator", folder, "--out", tmp_path / "out", "-n", 5, "-q").code == 0
    (path,) = stored(tmp_path / "out" / "sketches")
    assert read(path).base_from == "nothing"


def test_without_a_split_the_base_rate_comes_from_the_training_table(call, flights_run: Path, tmp_path: Path) -> None:
    from synthcli.sketches import read, stored

    folder = flights_run / "artifacts" / "generators" / "0001"
    ended = call(
        "sample", "--generator", folder, "-c", flights_run / "flights.yaml", "--out", tmp_path / "out", "-n", 5, "-q"
    )
    assert ended.code == 0
    (path,) = stored(tmp_path / "out" / "sketches")
    sketch = read(path)
    assert sketch.base_from == "train"
    assert sketch.base.looked == sketch.real_rows > 0


def test_rows_and_the_json_document_do_not_share_stdout(draw) -> None:
    ended = draw("-n", 5, "--output", "-", "--json")
    assert ended.code == 2
    assert ended.document["error"]["kind"] == "usage"


# what is asked of the rows


def test_free_rows_are_the_generators_own_chunks(
    draw, flights_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthcli.synthesizers.assembly import TableGenerator

    monkeypatch.setattr("synthcli.commands.drawing.CHUNK", 40)
    assert draw("-n", 100, "--seed", 3, "--output", tmp_path / "t.parquet").code == 0
    model = TableGenerator.load(flights_run / "artifacts" / "generators" / "0001")
    assert pl.read_parquet(tmp_path / "t.parquet").equals(pl.concat(model.batches(100, 3, 40)))


def test_shares_are_exact_where_the_generator_can_only_be_tried(draw, tmp_path: Path) -> None:
    words = ("--where", "30:carrier=UA,late=true", "--where", "20:carrier=AA", "-n", 60, "--seed", 2)
    ended = draw(*words, "--output", tmp_path / "a.parquet", "--json")
    rows = pl.read_parquet(tmp_path / "a.parquet")
    assert [part["made"] for part in ended.document["result"]["conditions"]] == [30, 20, 10]
    assert rows["carrier"][:50].to_list() == ["UA"] * 30 + ["AA"] * 20
    assert rows["late"][:30].all()
    assert rows.height == 60
    draw(*words, "--output", tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_rows_with_holes_are_completed_around_what_they_have(draw, flights_run: Path, tmp_path: Path) -> None:
    train = pl.read_parquet(flights_run / "artifacts" / "split" / "train.parquet")
    odd = pl.int_range(pl.len()) % 2 == 1
    known = train[:40].select("late", pl.when(odd).then("distance").alias("distance"))
    known.write_parquet(tmp_path / "g.parquet")
    words = ("--given", tmp_path / "g.parquet", "--set", "sample.max_tries=1000", "--seed", 1)
    ended = draw(*words, "--output", tmp_path / "t.parquet", "--json")
    assert ended.document["result"]["given"] == {"rows": 40, "made": 40}
    rows = pl.read_parquet(tmp_path / "t.parquet")
    assert rows.schema == train.schema
    assert rows["late"].to_list() == [
        cell if cell is not None else rows["late"][at] for at, cell in enumerate(known["late"])
    ]
    assert rows["distance"].gather_every(2, 1).to_list() == known["distance"].drop_nulls().to_list()
    assert rows["distance"].gather_every(2).null_count() == 0


def test_progress_tells_rows_and_speed() -> None:
    import re

    import numpy as np

    from synthcli.commands.conditions import Account
    from synthcli.commands.drawing import Asked
    from synthcli.commands.emitting import _told
    from synthcli.progress import Phase

    class Watched(Phase):
        def update(self, share: float, note: str = "") -> None:
            told.append((share, note))

    told: list[tuple[float, str]] = []
    account = Account([""], [50_000])
    account.add(0, np.ones(12_000, dtype=bool))
    assert len(list(_told(iter([pl.DataFrame()]), Asked(50_000, iter(()), account), Watched("sample")))) == 1
    ((share, note),) = told
    assert share == 0.24
    assert re.fullmatch(r"12,000 of 50,000 rows, [\d,]+ rows/s", note)


def test_a_sketch_holds_what_was_written_of_a_partial_sample(draw, flights_run: Path, tmp_path: Path) -> None:
    words = ("--where", "5:carrier=ZZ", "--where", "7:carrier=UA", "--partial")
    assert draw(*words, "--output", tmp_path / "t.csv").code == 0
    assert kept(flights_run, tmp_path / "t.csv").rows == 7


@pytest.mark.parametrize("target", ["split/train.parquet", "generators/0001/x.parquet", "sketches/x.parquet"])
def test_a_sample_never_replaces_what_it_came_from(call, flights_run: Path, target: str) -> None:
    ended = call(
        "sample", "-n", "3", "-c", flights_run / "flights.yaml", "--output", flights_run / "artifacts" / target
    )
    assert ended.code == 2
    assert "would replace an input" in ended.err


def test_a_sample_never_replaces_the_real_table_or_the_given_one(call, flights_run: Path, tmp_path: Path) -> None:
    given = tmp_path / "g.csv"
    given.write_text("origin\nJFK\n")
    words = ["sample", "-c", flights_run / "flights.yaml", "--given", given]
    assert call(*words, "--output", given).code == 2
    assert given.read_text() == "origin\nJFK\n"
    real = tmp_path / "real.csv"
    real.write_text("origin\nJFK\n")
    assert call(*words, "--set", f"data.path={real}", "--output", real).code == 2
