"""``sample --shards``: rows that depend on no worker, runs that are killed and go on, and folders that are spared."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from clusters import alive, within
from hypothesis import given
from hypothesis import strategies as st

from synthcli.app import run
from synthcli.artifacts import sha256
from synthcli.commands.sharding import State, _known, divided, part_name
from synthcli.holdout import SplitFolder
from synthcli.lineage import joined_sha256
from synthcli.lineage import read as read_lineage
from synthcli.rowkeys import row_keys
from synthcli.sketches import EMITTED_KEYS, Bottom
from synthcli.sketches import read as read_sketch
from synthcli.tables.footer import parquet_footer

Files = dict[str, bytes]
on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
#: What a run takes that is killed: long enough to be met in the middle of it.
LONG = ("--shards", 40, "-n", 200_000)


def chunks_of(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw in chunks of so many rows, in one file and in shards."""
    for module in ("drawing", "data_set"):
        monkeypatch.setattr(f"synthcli.commands.{module}.CHUNK", rows)


def fitted(folder: Path, kind: str) -> Path:
    """Split a small table with an id and fit a generator; return the configuration."""
    random, rows = np.random.default_rng(4), 900
    x = random.standard_normal(rows)
    pl.DataFrame(
        {
            "number": [f"no-{row:06d}" for row in range(rows)],
            "x": x.round(3),
            "y": (0.7 * x + random.standard_normal(rows)).round(3),
            "kind": random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
            "good": random.random(rows) < 1 / (1 + np.exp(-2 * x)),
        }
    ).write_parquet(folder / "real.parquet")
    document = {
        "data": {"path": "real.parquet", "target": "good", "columns": {"number": {"type": "id"}}},
        "protection": {"rare_category_min_count": 0, "clip_extremes": 0},
        "synthesizer": {"kind": kind},
        "run": {"output_dir": "out", "workers": 1, "seed": 3},
    }
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(document))
    for command in ("split", "fit"):
        assert run([command, "-c", str(path), "-q"]) == 0
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the configuration of a generator that draws each column by itself."""
    return fitted(tmp_path_factory.mktemp("shards"), "independent")


@pytest.fixture
def own(config: Path, tmp_path: Path) -> Path:
    """Return a copy of it that a test may change, where nothing was sampled yet."""
    folder = tmp_path / "own"
    shutil.copytree(config.parent, folder, ignore=shutil.ignore_patterns("synthetic", "sketches"))
    return folder / config.name


@pytest.fixture
def draw(call, config: Path):
    """Return a function that samples from the generator."""
    return lambda *words: call("sample", "-c", config, "-q", *words)


def files(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def rows_of(folder: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])


def hidden(target: Path) -> list[Path]:
    """Return what lies beside a data set and is not it."""
    return [path for path in target.parent.iterdir() if path.name.startswith(f".{target.name}.")]


def staged(target: Path) -> list[Path]:
    """Return the parts of a data set that is being made."""
    return sorted(target.parent.glob(f".{target.name}.*.shards/part-*.parquet"))


# --- how rows are divided ---


@given(st.integers(1, 5_000), st.integers(1, 300), st.integers(1, 100))
def test_shards_are_as_even_as_can_be_and_follow_each_other(rows: int, count: int, size: int) -> None:
    count = min(rows, count)
    shards = divided(rows, count, size)
    assert [shard.number for shard in shards] == list(range(count))
    start = chunk = 0
    for shard in shards:
        assert (shard.start, shard.chunk) == (start, chunk)
        start += shard.rows
        chunk += len(range(0, shard.rows, size))
    assert start == rows
    assert {shard.rows for shard in shards} <= {rows // count, -(-rows // count)}


def test_shards_by_hand() -> None:
    assert divided(10, 3, 2) == ((0, 0, 4, 0), (1, 4, 3, 2), (2, 7, 3, 4))


@pytest.mark.parametrize("count", [1, 7, 10, 100_000, 100_001])
def test_names_are_in_the_order_of_the_shards(count: int) -> None:
    names = [part_name(number, count) for number in range(count)]
    assert names == sorted(names)
    assert len(set(names)) == count
    assert names[0] == ("part-000000.parquet" if count > 100_000 else "part-00000.parquet")


@given(st.lists(st.lists(st.integers(0, 60), max_size=20), min_size=1, max_size=6), st.integers(1, 12), st.randoms())
def test_sketches_of_the_parts_together_are_that_of_the_whole(
    parts: list[list[int]], capacity: int, shuffle: Any
) -> None:
    whole = Bottom(capacity).add(np.array([key for part in parts for key in part], dtype=np.uint64))
    sketches = [Bottom(capacity).add(np.array(part, dtype=np.uint64)) for part in parts]
    shuffle.shuffle(sketches)
    merged = Bottom(capacity)
    for sketch in sketches:
        merged = merged.merged(sketch)
    assert (merged.keys.tolist(), merged.threshold) == (whole.keys.tolist(), whole.threshold)


def test_a_worker_that_remembers_does_not_take_old_keys_for_new_ones(tmp_path: Path) -> None:
    """A cluster's worker outlives the run: the next run's keys lie in the same folder."""
    state, found = State(tmp_path / "state"), []
    for keys in ([1, 2], [3], [1, 2]):
        state.begin({})
        path = state.remember(np.array(keys, dtype=np.uint64))
        found.append(_known(path).tolist())
        assert path.stat().st_mode & 0o777 == 0o600
    assert found == [[1, 2], [3], [1, 2]]


# --- rows ---


@pytest.mark.slow
def test_rows_and_records_depend_on_no_worker(draw, tmp_path: Path) -> None:
    ended = {}
    for workers in (1, 2):
        words = ("--shards", 5, "-n", 1_003, "--seed", 5, "--workers", workers, "--json")
        ended[workers] = draw(*words, "--output", tmp_path / str(workers) / "set")
        assert ended[workers].code == 0
    one, two = (files(tmp_path / str(workers) / "set") for workers in (1, 2))
    assert one == two
    names = [f"part-{number:05d}.parquet" for number in range(5)]
    assert sorted(one) == sorted([*names, *(f"{name}.lineage.json" for name in names)])
    assert [pl.read_parquet(tmp_path / "1" / "set" / name).height for name in names] == [201, 201, 201, 200, 200]
    assert hidden(tmp_path / "1" / "set") == hidden(tmp_path / "2" / "set") == []
    first, second = (ended[workers].document["result"] for workers in (1, 2))
    assert first == second
    assert (first["rows"], first["shards"], first["kept"], first["seed"]) == (1_003, 5, 0, 5)


def test_another_seed_gives_other_rows_and_another_number_of_shards_too(draw, tmp_path: Path) -> None:
    for name, seed, shards in (("a", 5, 3), ("b", 6, 3), ("c", 5, 3)):
        draw("--shards", shards, "-n", 300, "--seed", seed, "--output", tmp_path / name)
    assert files(tmp_path / "a") == files(tmp_path / "c")
    assert not rows_of(tmp_path / "a").equals(rows_of(tmp_path / "b"))


@pytest.mark.parametrize(("rows", "count"), [(600, 3), (600, 6), (550, 1), (300, 3)])
def test_shards_of_whole_chunks_are_the_table_that_one_file_has(
    draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, count: int
) -> None:
    chunks_of(100, monkeypatch)
    words = ("-n", rows, "--seed", 3, "--json")
    whole = draw(*words, "--output", tmp_path / "whole.parquet")
    parts = draw(*words, "--shards", count, "--workers", 1, "--output", tmp_path / "set")
    assert rows_of(tmp_path / "set").equals(pl.read_parquet(tmp_path / "whole.parquet"))
    one, many = (read_sketch(Path(ended.document["artifacts"]["sketch"])) for ended in (whole, parts))
    assert (one.keys.tolist(), one.threshold, one.rows) == (many.keys.tolist(), many.threshold, many.rows)
    assert (one.real.tolist(), one.base, one.base_from) == (many.real.tolist(), many.base, many.base_from)


def test_ids_are_unique_over_all_shards(draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks_of(64, monkeypatch)
    assert draw("--shards", 7, "-n", 2_000, "--seed", 1, "--workers", 1, "--output", tmp_path / "set").code == 0
    rows = rows_of(tmp_path / "set")
    assert rows["number"].n_unique() == rows.height == 2_000
    assert rows.select("x", "y").n_unique() > 1_900  # no chunk is a copy of another


def test_the_sketch_is_that_of_all_rows_and_is_named_for_the_whole(draw, config: Path, tmp_path: Path) -> None:
    ended = draw("--shards", 4, "-n", 70_000, "--seed", 1, "--output", tmp_path / "set", "--json")
    sketch = read_sketch(Path(ended.document["artifacts"]["sketch"]))
    columns = [column.name for column in SplitFolder(config.parent / "out" / "split").read().schema.modelled]
    wanted = Bottom(EMITTED_KEYS).add(row_keys(rows_of(tmp_path / "set"), columns))
    assert len(wanted.keys) == EMITTED_KEYS  # more rows than it holds: the threshold is at work
    assert (sketch.keys.tolist(), sketch.threshold) == (wanted.keys.tolist(), wanted.threshold)
    assert (sketch.rows, sketch.depth) == (70_000, 1)
    assert sketch.digest == joined_sha256([sha256(path) for path in sorted((tmp_path / "set").glob("*.parquet"))])


def test_every_part_says_what_it_is(draw, tmp_path: Path) -> None:
    draw("--shards", 3, "-n", 100, "--seed", 9, "--output", tmp_path / "set")
    for path, rows in zip(sorted((tmp_path / "set").glob("*.parquet")), (34, 33, 33), strict=True):
        footer, known = parquet_footer(path), read_lineage(path)
        assert footer is not None
        assert footer.metadata["synthcli.depth"] == "1"
        assert footer.metadata["synthcli.real_share"] == "0.0"
        assert known is not None
        assert known.lineage is not None
        assert (known.source, known.rows, known.lineage.depth, known.lineage.seed) == ("sidecar", rows, 1, 9)


def test_the_family_tree_of_a_part(call, draw, config: Path, tmp_path: Path) -> None:
    draw("--shards", 2, "-n", 100, "--output", tmp_path / "set")
    ended = call("lineage", tmp_path / "set" / "part-00001.parquet", "--out", config.parent / "out", "--json")
    tree = ended.document["result"]["tree"]
    assert (tree["kind"], tree["depth"], tree["rows"]) == ("synthetic", 1, 50)
    assert [parent["file"] for parent in tree["parents"]] == ["train.parquet"]


@pytest.mark.parametrize("with_records", [True, False])
def test_shards_are_not_learned_from_as_real_rows(call, draw, tmp_path: Path, with_records: bool) -> None:
    """With the sidecars beside them, and without: then the footers say it."""
    draw("--shards", 2, "-n", 400, "--output", tmp_path / "set")
    if not with_records:
        for path in (tmp_path / "set").glob("*.lineage.json"):
            path.unlink()
    ended = call("fit", "--train", tmp_path / "set", "--out", tmp_path / "other", "--json")
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "synthetic_input"


# --- what is asked of the rows ---


def test_conditions_have_the_account_that_one_file_has(draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups lie across the shards' ends."""
    chunks_of(50, monkeypatch)
    words = ("--where", "130:kind=c,good=true", "--where", "90:kind=a", "-n", 300, "--seed", 2, "--json")
    whole = draw(*words, "--output", tmp_path / "whole.parquet").document["result"]
    parts = draw(*words, "--shards", 3, "--workers", 1, "--output", tmp_path / "set").document["result"]
    assert [part["made"] for part in parts["conditions"]] == [130, 90, 80]
    assert parts["conditions"] == whole["conditions"]
    assert rows_of(tmp_path / "set").equals(pl.read_parquet(tmp_path / "whole.parquet"))
    odd = draw(*words, "--shards", 7, "--workers", 1, "--output", tmp_path / "odd").document["result"]
    assert odd["conditions"] == whole["conditions"]
    assert rows_of(tmp_path / "odd")["kind"][:220].to_list() == ["c"] * 130 + ["a"] * 90


def test_what_cannot_be_made_ends_it_or_is_left_out(draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks_of(10, monkeypatch)
    words = ("--where", "25:kind=zz", "--where", "35:kind=b", "--seed", 2, "--json")
    refused = draw(*words, "--shards", 3, "--output", tmp_path / "set")
    assert refused.code == 3
    assert "rows with kind=zz" in refused.err
    assert not (tmp_path / "set").exists()
    whole = draw(*words, "--partial", "--output", tmp_path / "whole.parquet")
    parts = draw(*words, "--partial", "--shards", 3, "--output", tmp_path / "set")
    assert parts.document["result"]["conditions"] == whole.document["result"]["conditions"]
    assert parts.document["warnings"] == whole.document["warnings"]
    assert "could make 0 of 25 rows with kind=zz" in parts.document["warnings"][0]
    assert rows_of(tmp_path / "set").equals(pl.read_parquet(tmp_path / "whole.parquet"))
    assert read_sketch(Path(parts.document["artifacts"]["sketch"])).rows == 35
    sizes = [pl.read_parquet(path).height for path in sorted((tmp_path / "set").glob("*.parquet"))]
    assert sizes == [0, 15, 20]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generator that is no baseline and of which many rows repeat a training record."""
    folder = tmp_path_factory.mktemp("learner")
    (folder / "train.csv").write_text("\n".join(['"c"', *['"a"'] * 50, *['"b"'] * 40, '"z"', ""]))
    off = ["--set", "protection.rare_category_min_count=0", "--set", "protection.clip_extremes=0"]
    words = ["--train", str(folder / "train.csv"), "--out", str(folder / "out"), "-q", *off]
    assert run(["fit", *words, "--set", "data.columns={c: {type: categorical}}"]) == 0
    return folder / "out"


@pytest.fixture
def wary(call, learner: Path):
    """Return a function that samples from it and wants no training record."""
    words = ("sample", "--out", learner, "-q", "--set", "sample.reject_training_matches=true", "--json", "--seed", 1)
    return lambda *more: call(*words, *more)


def test_repeated_training_records_have_the_account_that_one_file_has(
    wary, learner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks_of(1_000, monkeypatch)
    whole = wary("-n", 4_000, "--output", tmp_path / "whole.parquet").document["result"]["training_matches"]
    ended = wary("-n", 4_000, "--shards", 4, "--workers", 1, "--output", tmp_path / "set")
    assert ended.document["result"]["training_matches"] == whole
    assert whole["rows"] > 0
    made = rows_of(tmp_path / "set")
    assert set(made["c"]) == {"a", "b"}
    assert made.equals(pl.read_parquet(tmp_path / "whole.parquet"))
    assert list(learner.rglob("once*")) == []  # keys of real rows lie there no longer than workers need them


@pytest.mark.slow
def test_workers_look_for_training_records_too(wary, learner: Path, tmp_path: Path) -> None:
    words = ("-n", 4_000, "--shards", 4)
    one, two = (wary(*words, "--workers", count, "--output", tmp_path / str(count) / "set") for count in (1, 2))
    assert one.document["result"] == two.document["result"]
    assert two.document["result"]["training_matches"]["rows"] > 0
    assert files(tmp_path / "1" / "set") == files(tmp_path / "2" / "set")
    assert set(rows_of(tmp_path / "2" / "set")["c"]) == {"a", "b"}
    assert list(learner.rglob("once*")) == []


# --- what is refused ---


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--shards", "0"], ["--shards", "expected at least 1"]),
        (["--shards", "-2"], ["--shards", "expected at least 1"]),
        (["--shards", "many"], ["--shards", "expected a whole number"]),
        (["--shards", "11", "-n", "10"], ["--shards 11", "more shards than the 10 rows", "--shards 10"]),
        (["--shards", "2", "--output", "-"], ["--output -", "--shards", "name a folder"]),
        (["--shards", "2", "--format", "csv"], ["--format csv", "Parquet"]),
        (["--shards", "2", "--given", "real.parquet"], ["--given", "--shards", "leave --shards out"]),
        (["--workers", "2"], ["--workers", "add --shards"]),
        (["--shards", "2", "--workers", "banana"], ["banana", "whole number of at least 1", "tcp://host:8786"]),
        (["--shards", "2", "--workers", "0"], ["0", "at least 1"]),
        (["--shards", "2", "--workers", "-1"], ["-1", "at least 1"]),
        (["--shards", "2", "--workers", "1.5"], ["1.5", "at least 1"]),
    ],
)
def test_what_is_a_usage_error(call, own: Path, words: Sequence[str], told: Sequence[str]) -> None:
    ended = call("sample", "-c", own, "-q", *words)
    assert ended.code == 2, ended.err
    for text in told:
        assert text in ended.err
    assert not (own.parent / "out" / "synthetic").exists()
    assert ended.out == ""


def test_parquet_may_be_named(draw, tmp_path: Path) -> None:
    assert draw("--shards", 2, "-n", 20, "--format", "parquet", "--output", tmp_path / "set").code == 0
    words = ("--shards", 2, "-n", 20, "--set", "sample.format=csv", "--output", tmp_path / "set")
    assert draw(*words).code == 0
    assert len(list((tmp_path / "set").glob("*.parquet"))) == 2


@pytest.mark.parametrize("name", ["notes.txt", "part-1.parquet", "part-00001.csv", "synthetic.parquet"])
def test_a_folder_with_other_files_is_spared(draw, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "set"
    assert draw("--shards", 2, "-n", 20, "--output", folder).code == 0
    (folder / name).write_text("mine")
    before = files(folder)
    ended = draw("--shards", 2, "-n", 30, "--output", folder)
    assert ended.code == 2
    assert f"{name!r}, which is no shard" in ended.err
    assert files(folder) == before
    assert hidden(folder) == []


def test_a_folder_within_it_is_spared_too(draw, tmp_path: Path) -> None:
    (tmp_path / "set" / "part-00000.parquet").mkdir(parents=True)
    assert draw("--shards", 2, "-n", 30, "--output", tmp_path / "set").code == 2
    assert (tmp_path / "set" / "part-00000.parquet").is_dir()


def test_a_file_is_no_folder_for_shards(draw, tmp_path: Path) -> None:
    (tmp_path / "set").write_text("mine")
    ended = draw("--shards", 2, "-n", 30, "--output", tmp_path / "set")
    assert ended.code == 2
    assert "is a file" in ended.err
    assert (tmp_path / "set").read_text() == "mine"


@pytest.mark.parametrize("place", ["out/split", "out/generators/0001", "out", ".", "out/sketches", "real.parquet"])
def test_shards_never_replace_what_they_came_from(call, own: Path, place: str) -> None:
    before = {path: path.read_bytes() for path in own.parent.rglob("*") if path.is_file()}
    ended = call("sample", "-c", own, "-q", "--shards", 2, "-n", 30, "--output", own.parent / place)
    assert ended.code == 2
    assert {path: path.read_bytes() for path in own.parent.rglob("*") if path.is_file()} == before


def test_a_dry_run_draws_nothing(call, own: Path) -> None:
    ended = call("sample", "-c", own, "-q", "--shards", 3, "-n", 30, "--dry-run", "--json")
    assert ended.code == 0
    assert (ended.document["result"]["shards"], ended.document["result"]["rows"]) == (3, 30)
    assert not (own.parent / "out" / "synthetic").exists()


def test_an_older_data_set_is_replaced_by_one_of_fewer_shards(draw, tmp_path: Path) -> None:
    for count in (9, 4):
        assert draw("--shards", count, "-n", 90, "--seed", 1, "--output", tmp_path / "set").code == 0
    assert len(files(tmp_path / "set")) == 8
    assert rows_of(tmp_path / "set").height == 90
    assert hidden(tmp_path / "set") == []


# --- the audit and the gate ---


@pytest.mark.slow
def test_the_data_set_is_audited_and_released_as_one_table(call, own: Path) -> None:
    out = own.parent / "out"
    assert call("sample", "-c", own, "-q", "-n", 700, "--seed", 3).code == 0
    assert call("sample", "-c", own, "-q", "-n", 700, "--seed", 1, "--shards", 3).code == 0
    families = ("--set", "validate.families=[accuracy, privacy]", "--json", "--fail-on", "never")
    found = call("validate", "-c", own, *families).document["result"]
    target = out / "synthetic" / "shards"
    digest = joined_sha256([sha256(path) for path in sorted(target.glob("*.parquet"))])
    report = json.loads((out / "validate" / "report.json").read_text())
    assert (report["inputs"]["synthetic"]["sha256"], report["inputs"]["synthetic"]["rows"]) == (digest, 700)
    named = call("validate", "-c", own, *families, "--synthetic", target).document["result"]
    assert [gate["value"] for gate in named["gates"]] == [gate["value"] for gate in found["gates"]]
    moved = target.rename(own.parent / "moved")
    ended = call("gate", moved, "-c", own, "--json")
    assert not any("SHA-256" in reason for reason in ended.document["result"]["reasons"])
    assert ended.code == int(report["verdict"] != "pass")
    part = moved / "part-00001.parquet"
    part.write_bytes((moved / "part-00002.parquet").read_bytes())
    assert any("SHA-256" in reason for reason in call("gate", moved, "-c", own, "--json").document["result"]["reasons"])


# --- runs that end in the middle ---


def running(config: Path, target: Path, *words: object) -> subprocess.Popen[str]:
    """Start a run in a session of its own."""
    command = [sys.executable, "-m", "synthcli", "sample", "-c", config, "-q", "--json", *LONG, *words]
    return subprocess.Popen(
        [str(word) for word in [*command, "--output", target]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def halfway(process: subprocess.Popen[str], target: Path, parts: int = 3) -> None:
    """Wait until some shards are there and some are missing."""
    assert within(60, lambda: len(staged(target)) >= parts or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    assert len(staged(target)) < 40


#: What a run takes that is stopped after some shards, by nobody from outside.
SHORT = ("--shards", 8, "-n", 800, "--workers", 1)


def stopped(draw, target: Path, monkeypatch: pytest.MonkeyPatch, *words: object) -> list[Path]:
    """Stop a run when three shards are complete; return them."""
    from synthcli.commands.sharding import State

    keep = State.keep

    def keep_three(state: State, name: str, drawn: Any) -> None:
        keep(state, name, drawn)
        if name == part_name(2, 8):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(State, "keep", keep_three)
        assert draw(*SHORT, *words, "--output", target).code == 130
    assert len(staged(target)) == 3
    return staged(target)


def killed(process: subprocess.Popen[str], target: Path) -> int:
    """Kill all processes of a run that is halfway; return how many shards it left."""
    halfway(process, target)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    left = len(staged(target))
    assert 3 <= left < 40
    return left


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return the files of a run that nothing ended, with seed 5."""
    target = tmp_path_factory.mktemp("whole") / "set"
    words = ["sample", "-c", config, "-q", *LONG, "--seed", 5, "--workers", 2, "--output", target]
    assert run([str(word) for word in words]) == 0
    return files(target)


@pytest.mark.slow
def test_a_killed_run_goes_on_with_its_seed(draw, config: Path, tmp_path: Path) -> None:
    """Nobody named a seed: the run that goes on takes that of the one that was killed."""
    target = tmp_path / "set"
    left = killed(running(config, target, "--workers", 2), target)
    before = {path.name: path.stat().st_mtime_ns for path in staged(target)}
    assert not target.exists()
    ended = draw(*LONG, "--output", target, "--workers", 2, "--json")
    assert ended.code == 0, ended.err
    result = ended.document["result"]
    # The last part may have been there before it was on record.
    assert result["kept"] in (left, left - 1)
    same = [name for name, stamp in before.items() if (target / name).stat().st_mtime_ns == stamp]
    assert len(same) == result["kept"]
    assert hidden(target) == []
    again = draw(*LONG, "--output", tmp_path / "again", "--seed", result["seed"], "--json")
    assert again.document["result"]["kept"] == 0
    assert files(tmp_path / "again") == files(target)
    sketches = [ended.document["artifacts"]["sketch"], again.document["artifacts"]["sketch"]]
    assert sketches[0] == sketches[1]
    assert list((config.parent / "out" / "synthetic").glob(".shards-*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_old_data_set_stays_whole_until_the_new_one_is(
    draw, config: Path, tmp_path: Path, whole: Files, workers: int
) -> None:
    target = tmp_path / "set"
    assert draw("--shards", 3, "-n", 50, "--output", target).code == 0
    before = files(target)
    left = killed(running(config, target, "--seed", 5, "--workers", workers), target)
    assert files(target) == before
    ended = draw(*LONG, "--seed", 5, "--output", target, "--json")
    assert ended.document["result"]["kept"] in (left, left - 1)
    assert files(target) == whole


def test_a_run_that_is_stopped_goes_on(draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "set"
    stopped(draw, target, monkeypatch)
    found = draw(*SHORT, "--output", target, "--json").document["result"]
    assert found["kept"] == 3
    assert draw(*SHORT, "--seed", found["seed"], "--output", tmp_path / "whole").code == 0
    assert files(target) == files(tmp_path / "whole")


@pytest.mark.parametrize(
    "other",
    [("--seed", 6), *[("--seed", 5, *more) for more in (("-n", 799), ("--shards", 9), ("--where", "good=true"))]],
)
def test_another_plan_takes_over_nothing(
    draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: tuple[object, ...]
) -> None:
    target = tmp_path / "set"
    stopped(draw, target, monkeypatch, "--seed", 5)
    ended = draw(*SHORT, *other, "--output", target, "--json")
    assert ended.document["result"]["kept"] == 0
    assert ended.document["result"]["seed"] == other[1]
    assert hidden(target) == []
    assert draw(*SHORT, *other, "--output", tmp_path / "whole").code == 0
    assert files(target) == files(tmp_path / "whole")


def test_what_is_left_of_one_data_set_is_not_taken_for_another(
    draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(draw, tmp_path / "set", monkeypatch, "--seed", 5)
    ended = draw(*SHORT, "--seed", 5, "--output", tmp_path / "other", "--json")
    assert ended.document["result"]["kept"] == 0
    assert len(staged(tmp_path / "set")) == 3
    assert draw(*SHORT, "--seed", 5, "--output", tmp_path / "set", "--json").document["result"]["kept"] == 3


def test_damaged_parts_are_drawn_again(draw, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "set"
    assert draw(*SHORT, "--seed", 5, "--output", tmp_path / "whole").code == 0
    cut, changed, third = stopped(draw, target, monkeypatch, "--seed", 5)
    cut.write_bytes(cut.read_bytes()[:-100])
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    ended = draw(*SHORT, "--seed", 5, "--output", target, "--json")
    assert ended.document["result"]["kept"] == 1
    assert files(target) == files(tmp_path / "whole")
    for damage in (lambda record: record.write_bytes(record.read_bytes()[:50]), lambda record: record.unlink()):
        stopped(draw, target, monkeypatch, "--seed", 5)
        (record,) = (config.parent / "out" / "synthetic").glob(f".shards-*/{third.name}.npz")
        damage(record)
        ended = draw(*SHORT, "--seed", 5, "--output", target, "--json")
        assert ended.document["result"]["kept"] == 2
        assert files(target) == files(tmp_path / "whole")


@pytest.mark.slow
@on_linux
def test_a_worker_that_is_killed_costs_its_shard_and_no_more(config: Path, tmp_path: Path, whole: Files) -> None:
    target = tmp_path / "set"
    process = running(config, target, "--seed", 5, "--workers", 2)
    halfway(process, target)
    workers = workers_of(process)
    os.kill(workers[0], signal.SIGKILL)
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert errors == ""
    assert json.loads(out)["result"]["kept"] == 0
    assert files(target) == whole
    assert hidden(target) == []
    assert within(10, lambda: alive(process.pid) == [])


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the worker processes of a run: what it spawned, but the keeper of its semaphores."""
    found = [pid for pid in alive(process.pid) if pid != process.pid]
    return [pid for pid in found if b"spawn_main" in (Path("/proc") / str(pid) / "cmdline").read_bytes()]


@pytest.mark.slow
@on_linux
@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_no_process_and_goes_on(
    draw, config: Path, tmp_path: Path, whole: Files, sent: int, code: int, everybody: bool
) -> None:
    """Sent to the command alone, or to its workers too, as a terminal does."""
    target = tmp_path / "set"
    process = running(config, target, "--seed", 5, "--workers", 2)
    halfway(process, target)
    assert len(workers_of(process)) == 2
    (os.killpg if everybody else os.kill)(process.pid, sent)
    out, errors = process.communicate()
    assert process.returncode == code
    assert out == ""
    assert len(errors.splitlines()) == 1, errors
    assert within(10, lambda: alive(process.pid) == [])
    assert not target.exists()
    left = len(staged(target))
    others = [path for path in tmp_path.iterdir() if path not in {path.parent for path in staged(target)}]
    assert others == []
    assert not [path for path in (config.parent / "out").rglob("*") if ".tmp" in path.name]
    ended = draw(*LONG, "--seed", 5, "--output", target, "--json")
    assert ended.document["result"]["kept"] in (left, left - 1)
    assert files(target) == whole
    assert hidden(target) == []


@pytest.mark.slow
def test_of_two_runs_at_once_one_is_told_so(config: Path, tmp_path: Path, whole: Files) -> None:
    target = tmp_path / "set"
    first = running(config, target, "--seed", 5, "--workers", 1)
    halfway(first, target)
    second = running(config, target, "--seed", 5, "--workers", 1)
    out, errors = second.communicate()
    assert second.returncode == 75
    assert json.loads(out)["error"]["kind"] == "lock"
    assert "another run" in errors
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    assert files(target) == whole


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_told_and_the_next_run_goes_on(
    call: Callable[..., Any], draw, config: Path, small_disk: Path, tmp_path: Path, workers: int
) -> None:
    target = small_disk / "set"
    words = ("--shards", 10, "-n", 50_000, "--seed", 5)
    assert draw(*words, "--output", tmp_path / "whole").code == 0
    wanted = files(tmp_path / "whole")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (2**21 - 2 * sum(map(len, wanted.values())) // 3))
    ended = draw(*words, "--workers", workers, "--output", target, "--json")
    assert ended.code == 4
    assert "no space left on device" in ended.err
    assert len(ended.err.splitlines()) == 1, ended.err
    assert not target.exists()
    left = len(staged(target))
    assert 1 <= left < 10
    ballast.unlink()
    ended = draw(*words, "--output", target, "--json")
    assert ended.code == 0, ended.err
    assert ended.document["result"]["kept"] in (left, left - 1)
    assert files(target) == wanted
    assert hidden(target) == []


def test_a_run_killed_between_the_two_renames_loses_nothing(
    draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old data set was moved away, and the new one not yet into place; the next run fails, too."""
    target = tmp_path / "set"
    assert draw("--shards", 3, "-n", 50, "--seed", 1, "--output", target).code == 0
    before, rename = files(target), Path.rename

    def killed(path: Path, other: Path) -> Path:
        if other == target:
            raise KeyboardInterrupt
        return rename(path, other)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        assert draw("--shards", 4, "-n", 50, "--seed", 2, "--output", target).code == 130
    assert not target.exists()
    with monkeypatch.context() as patch:
        patch.setattr("synthcli.commands.sharding.write_batches", lambda *_, **__: 1 / 0)
        assert draw("--shards", 5, "-n", 50, "--seed", 3, "--output", target).code == 4
    assert files(target) == before
    assert draw("--shards", 5, "-n", 50, "--seed", 3, "--output", target).code == 0
    assert len(files(target)) == 10
    assert hidden(target) == []


def test_parts_that_nobody_said_to_be_synthetic_are_spared(draw, tmp_path: Path) -> None:
    target = tmp_path / "real"
    target.mkdir()
    pl.DataFrame({"size": [1, 2]}).write_parquet(target / "part-00000.parquet")
    before = files(target)
    assert draw("--shards", 2, "-n", 50, "--output", target).code == 2
    assert files(target) == before


def test_a_mounted_disk_is_no_output_and_a_folder_in_it_is(draw, small_disk: Path) -> None:
    ended = draw("--shards", 2, "-n", 50, "--output", small_disk)
    assert ended.code == 2
    assert str(small_disk / "shards") in ended.err
    assert hidden(small_disk) == []
    assert draw("--shards", 2, "-n", 50, "--output", small_disk / "shards").code == 0


def test_the_folder_of_the_runs_state_is_no_output(call, own: Path) -> None:
    out = own.parent / yaml.safe_load(own.read_text())["run"]["output_dir"]
    ended = call("sample", "-c", own, "--shards", 2, "-n", 50, "--output", out / "synthetic")
    assert ended.code == 2
    assert not (out / "synthetic").exists()


def test_who_may_read_an_output_stays(draw, tmp_path: Path) -> None:
    target = tmp_path / "set"
    assert draw("--shards", 2, "-n", 50, "--output", target).code == 0
    target.chmod(0o700)
    assert draw("--shards", 3, "-n", 50, "--output", target).code == 0
    assert target.stat().st_mode & 0o777 == 0o700
