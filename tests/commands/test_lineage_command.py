"""``lineage``: the family tree of a file, files that nobody knows, sidecars that belong to other bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from synthcli.lineage import Parent, of_sample, read, real, sidecar, write_sidecar


@pytest.fixture
def out(flights_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run's directory that a test may change."""
    return Path(shutil.copytree(flights_run / "artifacts", tmp_path / "artifacts"))


def test_a_sample_descends_from_the_training_part(call, out: Path) -> None:
    ended = call("lineage", out / "synthetic" / "synthetic.parquet", "--out", out, "--json")
    assert ended.code == 0
    tree = ended.document["result"]["tree"]
    assert ended.document["result"]["known"] is True
    assert (tree["kind"], tree["depth"], tree["real_share"], tree["source"]) == ("synthetic", 1, 0.0, "sidecar")
    assert tree["generator"]["version"] == 1
    assert tree["seed"] == 7
    (train,) = tree["parents"]
    manifest = json.loads((out / "generators" / "0001" / "manifest.json").read_text())
    assert (train["file"], train["kind"], train["depth"]) == ("train.parquet", "real", 0)
    assert (train["sha256"], train["rows"]) == (manifest["train"]["sha256"], tree["rows"])


def test_the_tree_is_drawn_for_people(call, out: Path) -> None:
    lines = call("lineage", out / "synthetic" / "synthetic.parquet", "--out", out, "-q").out.splitlines()
    assert lines[0].startswith("synthetic.parquet  synthetic, depth 1, 0% real")
    assert any("train.parquet  real, depth 0, 100% real" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_ancestors_are_found_by_their_hash(call, tmp_path: Path) -> None:
    paths = [tmp_path / "out" / name for name in ("real.csv", "first.csv", "second.csv")]
    paths[0].parent.mkdir()
    lineage = real()
    for generation, path in enumerate(paths):
        path.write_text(f"a\n{generation}\n")
        write_sidecar(path, lineage, 1)
        digest = json.loads(sidecar(path).read_text())["sha256"]
        generator = {"kind": "gaussian_copula", "version": generation + 1, "fingerprint": "f"}
        lineage = of_sample(lineage.as_parent(path.name, 1, digest), generator=generator, seed=generation)
    ended = call("lineage", paths[2], "--out", tmp_path / "out", "--json")
    tree = ended.document["result"]["tree"]
    names = []
    while True:
        names.append((tree["file"], tree["depth"]))
        if not tree["parents"]:
            break
        (tree,) = tree["parents"]
    assert names == [("second.csv", 2), ("first.csv", 1), ("real.csv", 0)]


def test_a_record_that_names_itself_as_its_parent_ends(call, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    write_sidecar(path, real(), 1)
    own = json.loads(sidecar(path).read_text())["sha256"]
    generator = {"kind": "gaussian_copula", "version": 1, "fingerprint": "f"}
    write_sidecar(path, of_sample(Parent(own, "real", 0, 1.0, "a.csv", 1), generator=generator, seed=1), 1)
    ended = call("lineage", path, "--out", tmp_path, "--json")
    assert ended.document["result"]["tree"]["parents"] == []


def test_a_copy_is_recognised_by_its_bytes(call, out: Path, tmp_path: Path) -> None:
    shutil.copy(out / "split" / "train.parquet", tmp_path / "copy.parquet")
    tree = call("lineage", tmp_path / "copy.parquet", "--out", out, "--json").document["result"]["tree"]
    assert (tree["kind"], tree["depth"]) == ("real", 0)


def test_the_footer_of_a_released_parquet_file_is_enough(call, out: Path, tmp_path: Path) -> None:
    shutil.copy(out / "synthetic" / "synthetic.parquet", tmp_path / "released.parquet")
    tree = call("lineage", tmp_path / "released.parquet", "--out", tmp_path / "elsewhere", "--json").document["result"][
        "tree"
    ]
    assert (tree["kind"], tree["depth"], tree["source"], tree["parents"]) == ("synthetic", 1, "parquet", [])


def test_an_unknown_file_is_said_to_be_unknown(call, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    ended = call("lineage", path, "--out", tmp_path / "none")
    assert ended.code == 0
    assert "nothing is known" in ended.out
    ended = call("lineage", path, "--out", tmp_path / "none", "--json")
    assert ended.document["result"]["known"] is False
    assert ended.document["result"]["tree"]["kind"] is None


def test_a_sidecar_of_other_bytes_exits_3_and_says_what_differs(call, out: Path) -> None:
    path = out / "synthetic" / "synthetic.parquet"
    shutil.copy(out / "split" / "holdout.parquet", path)
    assert (read(path) or None) is not None
    ended = call("lineage", path, "--out", out, "--json")
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "bad_table"
    assert "SHA-256" in ended.document["error"]["message"]


def test_no_file_no_lineage(call, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        ended = call("lineage", path, "--json")
        assert ended.code == 3
        assert ended.document["error"]["kind"] == "missing_file"


def test_broken_records_beside_it_do_no_harm(call, out: Path) -> None:
    (out / "synthetic" / "x.lineage.json").write_text("[1]")
    (out / "generators" / "0001" / "manifest.json").write_text("{}")
    ended = call("lineage", out / "synthetic" / "synthetic.parquet", "--out", out, "--json")
    assert ended.code == 0
    assert ended.document["result"]["tree"]["parents"][0]["file"] == "train.parquet"
