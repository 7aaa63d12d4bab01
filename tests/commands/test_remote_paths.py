"""URLs on the command line, against an S3-compatible store on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml
from stores import PIPELINE, s3_environment

from synthcli import remote

pytest.importorskip("s3fs")
pytest.importorskip("moto")


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """Return the variables by which the store is found."""
    with s3_environment() as found:
        yield found


@pytest.fixture
def store(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of an empty bucket."""
    import s3fs

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    if system.exists("lake"):
        system.rm("lake", recursive=True)
    system.mkdir("lake")
    yield "s3://lake"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a small table as a CSV file."""
    path = tmp_path / "flights.csv"
    rows = range(300)
    frame = {"size": [(row * 37) % 101 for row in rows], "grade": [("low", "high")[row % 2] for row in rows]}
    pl.DataFrame(frame).write_csv(path)
    return path


@pytest.fixture
def fitted(call, store: str, table: Path, tmp_path: Path) -> Path:
    """Return the output directory of a split and a fit of a small table in the bucket."""
    out = tmp_path / "artifacts"
    remote.put(table, f"{store}/flights.csv")
    assert call("split", f"{store}/flights.csv", "--out", out, "-q").code == 0
    ended = call("fit", "--out", out, "--synthesizer", "independent", "-q")
    assert ended.code == 0, ended.err
    return out


def test_a_split_of_a_remote_table_is_that_of_a_local_one(call, fitted: Path, table: Path, tmp_path: Path) -> None:
    assert call("split", table, "--out", tmp_path / "local", "-q").code == 0
    for name in ("train", "holdout"):
        theirs = pl.read_parquet(tmp_path / "local" / "split" / f"{name}.parquet")
        assert pl.read_parquet(fitted / "split" / f"{name}.parquet").equals(theirs)
    lineage = json.loads((fitted / "split" / "train.parquet.lineage.json").read_text())
    assert lineage["parents"][0]["name"] == "s3://lake/flights.csv"


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.csv.gz", "x.jsonl"])
def test_a_sample_in_a_bucket_is_that_in_a_folder(call, store: str, fitted: Path, tmp_path: Path, name: str) -> None:
    url, words = f"{store}/out/{name}", ("--out", fitted, "-n", 120, "--seed", 5)
    ended = call("sample", *words, "--output", url, "--json")
    assert ended.code == 0
    assert ended.document["artifacts"]["synthetic"] == url
    assert ended.document["artifacts"]["lineage"] == f"{url}.lineage.json"
    assert call("sample", *words, "--output", tmp_path / name, "-q").code == 0
    assert remote.read_bytes(url) == (tmp_path / name).read_bytes()
    assert remote.read_bytes(f"{url}.lineage.json") == (tmp_path / f"{name}.lineage.json").read_bytes()
    assert remote.names(f"{store}/out") == [name, f"{name}.lineage.json"]


def test_a_prefix_gets_a_file_of_the_usual_name(call, store: str, fitted: Path) -> None:
    assert call("sample", "--out", fitted, "-n", 50, "--output", f"{store}/new/", "-q").code == 0
    assert call("sample", "--out", fitted, "-n", 50, "--output", store, "--format", "csv", "-q").code == 0
    assert remote.kind(f"{store}/new/synthetic.parquet") == remote.kind(f"{store}/synthetic.csv") == "file"


def test_a_dry_run_uploads_nothing(call, store: str, fitted: Path) -> None:
    ended = call("sample", "--out", fitted, "--output", f"{store}/x.csv", "--dry-run", "--json")
    assert ended.document["artifacts"] == {"synthetic": f"{store}/x.csv"}
    assert remote.names(store) == ["flights.csv"]


def test_parts_and_globs_are_tables(call, store: str, table: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(table)
    for number in range(3):
        frame[100 * number : 100 * number + 100].write_parquet(tmp_path / "part.parquet")
        remote.put(tmp_path / "part.parquet", f"{store}/parts/part-{number}.parquet")
    for number, where in enumerate((f"{store}/parts", f"{store}/parts/part-*.parquet")):
        ended = call("split", where, "--out", tmp_path / str(number), "--json")
        assert ended.code == 0
        assert sum(ended.document["result"]["rows"].values()) == 300


def test_synthetic_rows_in_a_bucket_are_not_learned_from_as_real(call, store: str, fitted: Path) -> None:
    url = f"{store}/synthetic.parquet"
    assert call("sample", "--out", fitted, "--output", url, "-q").code == 0
    ended = call("fit", "--train", url, "--out", fitted, "--json")
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "synthetic_input"
    assert url in ended.document["error"]["message"]


def test_given_cells_may_lie_in_a_bucket(call, store: str, fitted: Path, tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_text("grade\nlow\nhigh\n")
    remote.put(tmp_path / "given.csv", f"{store}/given.csv")
    ended = call("sample", "--out", fitted, "--given", f"{store}/given.csv", "--output", f"{store}/done.csv", "--json")
    assert ended.code == 0
    assert f"cells of {store}/given.csv" in ended.document["warnings"][0]
    done = pl.read_csv(remote.read_bytes(f"{store}/done.csv"))
    assert done["grade"].to_list() == ["low", "high"]
    assert done["size"].null_count() == 0


def test_no_sample_replaces_an_input(call, store: str, fitted: Path) -> None:
    for output in (f"{store}/flights.csv", "s3a://lake//flights.csv"):
        ended = call("sample", "--out", fitted, "--set", f"data.path={store}/flights.csv", "--output", output, "-q")
        assert ended.code == 2
        assert "would replace an input" in ended.err


def test_lineage_of_a_remote_table(call, store: str, fitted: Path) -> None:
    assert call("sample", "--out", fitted, "--output", f"{store}/x.csv", "-q").code == 0
    tree = call("lineage", f"{store}/x.csv", "--out", fitted, "--json").document["result"]["tree"]
    assert (tree["file"], tree["path"], tree["kind"]) == ("x.csv", f"{store}/x.csv", "synthetic")
    assert tree["parents"][0]["parents"][0]["file"] == f"{store}/flights.csv"


def test_init_states_the_url(call, store: str, table: Path, tmp_path: Path) -> None:
    remote.put(table, f"{store}/flights.csv")
    config = tmp_path / "synthcli.yaml"
    assert call("init", f"{store}/flights.csv", "--out-config", config, "-q").code == 0
    written = yaml.safe_load(config.read_text())
    assert written["data"]["path"] == f"{store}/flights.csv"
    assert written["split"]["salt"] == "flights"
    assert call("split", "-c", config, "--dry-run", "-q").code == 0


def test_what_was_learned_from_is_found_again_behind_its_url(call, store: str, table: Path, tmp_path: Path) -> None:
    url, out = f"{store}/train.csv", tmp_path / "out"
    remote.put(table, url)
    assert call("fit", "--train", url, "--out", out, "--synthesizer", "gaussian_copula", "-q").code == 0
    manifest = json.loads((out / "generators" / "0001" / "manifest.json").read_text())
    assert manifest["train"]["path"] == url
    words = ("sample", "--out", out, "-n", 20, "--set", "sample.reject_training_matches=true", "-q")
    assert call(*words).code == 0
    remote.remove(url)
    ended = call(*words)
    assert ended.code == 3
    assert f"{url}: the table that generator 0001 learned from has changed" in ended.err


@pytest.mark.parametrize(
    "words",
    [
        ["refresh", "s3://lake/flights.csv"],
        ["collapse-sim", "--train", "s3://lake/train.parquet", "--generations", 2, "--chains", 2, "--rows", 50],
        [
            "augment",
            "--train",
            "s3://lake/train.parquet",
            "--mode",
            "rebalance",
            "--column",
            "grade",
            "--share",
            "low=0.3",
        ],
        ["augment", "--mode", "impute", "--train", "s3://lake/train.parquet"],
    ],
)
def test_other_commands_that_read_a_table(call, store: str, fitted: Path, words: list[object]) -> None:
    remote.put(fitted / "split" / "train.parquet", f"{store}/train.parquet")
    ended = call(*words, "--out", fitted, "--dry-run", "-q")
    assert ended.code == 0, ended.err


def test_an_audit_of_three_remote_tables(call, store: str, fitted: Path, tmp_path: Path) -> None:
    assert call("sample", "--out", fitted, "--output", f"{store}/synthetic.csv", "-q").code == 0
    for name in ("train", "holdout"):
        remote.put(fitted / "split" / f"{name}.parquet", f"{store}/{name}.parquet")
    names = {"train": "train.parquet", "holdout": "holdout.parquet", "synthetic": "synthetic.csv"}
    words = [word for name, file in names.items() for word in (f"--{name}", f"{store}/{file}")]
    few = ("--set", "validate.families=[validity]", "--set", "validate.gates=[]")
    assert call("validate", *words, *few, "--out", tmp_path / "audit", "-q").code == 0
    inputs = json.loads((tmp_path / "audit" / "validate" / "report.json").read_text())["inputs"]
    assert {name: each["path"] for name, each in inputs.items()} == {k: f"{store}/{file}" for k, file in names.items()}


def test_a_refresh_sees_that_a_remote_table_changed(call, store: str, table: Path, tmp_path: Path) -> None:
    from synthcli.registry import fingerprint
    from synthcli.tables.files import resolve
    from synthcli.upkeep import content, look

    url = f"{store}/flights.csv"
    remote.put(table, url)
    before = look(resolve(url), (), 1)
    assert before[0].path == url
    assert content(look(resolve(url), before, 2)) == content(before)
    table.write_text(table.read_text() + "7,low\n")
    remote.put(table, url)
    assert content(look(resolve(url), before, 3)) != content(before) != fingerprint({})


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_reserved_rows_behind_a_url_are_reserved(call, store: str, fitted: Path) -> None:
    ended = call("fit", "--train", f"{store}/flights.csv", "--out", fitted, "--json")
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "holdout_rows"


def test_what_is_not_there(call, store: str, table: Path, fitted: Path) -> None:
    for where, hint in (
        (f"{store}/flihgts.csv", f"did you mean {store}/flights.csv?"),
        ("s3://nowhere/flights.csv", "s3://nowhere does not exist either"),
        (f"{store}/*.parquet", "check the pattern"),
    ):
        ended = call("split", where, "--out", fitted, "--json")
        assert ended.code == 3
        assert ended.document["error"]["kind"] == "missing_file"
        assert ended.document["error"]["hint"] == hint
    for words in (["validate", "--synthetic"], ["gate"], ["lineage"], ["fit", "--train"]):
        ended = call(*words, f"{store}/no.csv", "--out", fitted, "-q")
        report = "report.json" in ended.err  # gate reads that first
        assert ended.code == 3
        assert report or f"{store}/no.csv: no such file" in ended.err


def test_a_bucket_that_is_not_there_is_told_before_any_row_is_drawn(call, store: str, fitted: Path) -> None:
    ended = call("sample", "--out", fitted, "--output", "s3://nowhere/x.csv", "--json")
    assert ended.code == 3
    assert ended.document["error"]["message"] == "s3://nowhere/x.csv: no such bucket or folder"


@pytest.mark.parametrize("words", [["--out", "s3://key:secret@lake/out"], ["--set", "run.output_dir=s3://lake/out"]])
def test_the_output_directory_is_no_url(call, words: list[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call("split", "a.csv", *words, "--json")
    assert ended.code == 2
    assert ended.document["error"]["kind"] == "usage"
    assert "expected a directory of a file system" in ended.document["error"]["message"]
    assert "secret" not in ended.out + ended.err
    assert list(tmp_path.iterdir()) == []


def test_no_password_is_shown_or_kept(call, tmp_path: Path, flights_csv: Path) -> None:
    for words in (
        ["split", "s3://key:secret@lake/flights.csv"],
        ["init", "ftp://anna:secret@127.0.0.1/flights.csv"],
        ["init", flights_csv, "--set", "augment.given=https://anna:secret@host/a.csv"],
        ["split", "nosuch://anna:secret@host/flights.csv?token=secret"],
    ):
        ended = call(*words, "--set", f"run.output_dir={tmp_path / 'out'}")
        assert ended.code == 2
        assert "***@" in ended.err
        assert "secret" not in ended.out + ended.err


def _split(environment: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "synthcli", "split", "s3://lake/flights.csv", "--out", str(tmp_path / "out")]
    quiet = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run(words, env={**quiet, **environment}, capture_output=True, text=True, check=False)


def test_without_credentials(environment: dict[str, str], tmp_path: Path) -> None:
    ended = _split({"AWS_ENDPOINT_URL": environment["AWS_ENDPOINT_URL"]}, tmp_path)
    assert ended.returncode == 2
    assert "s3://lake/flights.csv: no credentials for s3:// were found" in ended.stderr


@pytest.mark.slow
def test_without_a_server(environment: dict[str, str], tmp_path: Path) -> None:
    ended = _split({**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, tmp_path)
    assert ended.returncode == 4
    assert "s3://lake/flights.csv: the store does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_from_bucket_to_bucket(call, store: str, flights_csv: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    remote.put(flights_csv, f"{store}/flights.csv")
    for line in PIPELINE.strip().splitlines():
        seed = ("--seed", 7) if " sample " in line else ()
        ended = call(*line.split()[1:], *seed, "--json")
        assert ended.code == 0, ended.err
    assert remote.names(f"{store}/synthetic") == ["flights.parquet", "flights.parquet.lineage.json"]
    inputs = json.loads((tmp_path / "artifacts" / "validate" / "report.json").read_text())["inputs"]
    assert inputs["synthetic"]["path"] == f"{store}/synthetic/flights.parquet"
    assert inputs["synthetic"]["generator"] == "0001"
    remote.put(flights_csv, f"{store}/synthetic/flights.parquet")
    assert call("gate", f"{store}/synthetic/flights.parquet").code == 1


# --- shards ---


def put_shards(call, fitted: Path, where: object, *more: object) -> int:
    words = ("sample", "--out", fitted, "-n", 120, "--shards", 3, "--seed", 5, "--workers", 1)
    return int(call(*words, "--output", where, "-q", *more).code)


def test_shards_in_a_bucket_are_those_in_a_folder(call, store: str, fitted: Path, tmp_path: Path) -> None:
    url, local = f"{store}/set", tmp_path / "set"
    assert put_shards(call, fitted, f"{url}/") == put_shards(call, fitted, local) == 0
    there = {path.name: path.read_bytes() for path in local.iterdir()}
    assert len(there) == 6
    assert remote.names(url) == ["_SUCCESS", *sorted(there)]
    for name, content in there.items():
        assert remote.read_bytes(f"{url}/{name}") == content


def test_an_older_data_set_in_a_bucket_is_replaced(call, store: str, fitted: Path) -> None:
    url = f"{store}/set"
    assert put_shards(call, fitted, url, "--shards", 5) == 0
    assert put_shards(call, fitted, url) == 0
    assert remote.names(url) == ["_SUCCESS", *(f"part-0000{n}.parquet{end}" for n in range(3)
                                               for end in ("", ".lineage.json"))]  # fmt: skip


def test_a_bucket_with_other_files_is_spared(call, store: str, fitted: Path) -> None:
    ended = call("sample", "--out", fitted, "-n", 120, "--shards", 3, "--output", store)
    assert ended.code == 2
    assert "'flights.csv', which is no shard" in ended.err
    assert remote.names(store) == ["flights.csv"]


def test_a_run_that_was_stopped_goes_on_in_the_bucket(
    call, store: str, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One shard is there, one that was under way is gone, and nothing says that all is whole."""
    from synthcli.commands import sharding

    url, moved = f"{store}/set", []

    def stopped(self, written: str, name: str, lineage: object, drawn: object) -> None:
        moved.append(name)
        if len(moved) == 2:
            raise KeyboardInterrupt
        take(self, written, name, lineage, drawn)

    take = sharding.Prefix.take
    with monkeypatch.context() as patch:
        patch.setattr(sharding.Prefix, "take", stopped)
        assert put_shards(call, fitted, url) == 130
    assert remote.names(url) == ["part-00000.parquet", "part-00000.parquet.lineage.json"]
    ended = call("sample", "--out", fitted, "-n", 120, "--shards", 3, "--workers", 1, "--output", url, "--json")
    assert (ended.code, ended.document["result"]["kept"], ended.document["result"]["seed"]) == (0, 1, 5)
    assert put_shards(call, fitted, tmp_path / "set") == 0
    for path in (tmp_path / "set").iterdir():
        assert remote.read_bytes(f"{url}/{path.name}") == path.read_bytes()
    assert len(remote.names(url)) == 7


@pytest.mark.slow
def test_processes_put_shards_into_a_bucket(call, store: str, fitted: Path, tmp_path: Path) -> None:
    assert put_shards(call, fitted, f"{store}/set", "--workers", 2) == put_shards(call, fitted, tmp_path / "set") == 0
    for path in (tmp_path / "set").iterdir():
        assert remote.read_bytes(f"{store}/set/{path.name}") == path.read_bytes()


@pytest.mark.slow
def test_an_error_before_the_first_shard_leaves_the_older_data_set(call, store: str, fitted: Path) -> None:
    url = f"{store}/set"
    assert put_shards(call, fitted, url) == 0
    before = remote.names(url)
    words = ("sample", "--out", fitted, "-n", 120, "--shards", 3, "--seed", 6, "--output", url, "-q")
    assert call(*words, "--workers", "tcp://127.0.0.1:9").code == 4
    assert remote.names(url) == before
