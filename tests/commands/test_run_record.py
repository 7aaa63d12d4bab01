"""``run.json`` beside every command's files, and log lines for machines."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from growing import started

from synthcli import app
from synthcli.app import run
from synthcli.versions import versions

SECRET = "https://anna:hunter2@host/a.csv?token=hunter2"
#: What differs from one run to the next.
TIMES = ("started", "ended", "seconds", "phases", "peak_memory")
FIELDS = {
    "schema_version": int,
    "command": str,
    "status": str,
    "exit_code": int,
    "started": str,
    "ended": str,
    "seconds": float,
    "phases": dict,
    "peak_memory": int,
    "seed": int,
    "config": dict,
    "versions": dict,
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(tmp_path: Path) -> Path:
    """Write a small table, and return its configuration, which has something secret in it."""
    pl.DataFrame(
        {"x": [n % 97 for n in range(600)], "kind": ["a", "b", "b"] * 200, "good": [n % 5 < 2 for n in range(600)]}
    ).write_parquet(tmp_path / "real.parquet")
    document = {
        "data": {"path": "real.parquet", "target": "good"},
        "protection": {"rare_category_min_count": 0, "clip_extremes": 0},
        "synthesizer": {"kind": "independent"},
        "augment": {"synthesizer": {"kind": "independent"}, "mode": "upsample", "given": SECRET},
        "collapse_sim": {"generations": 4, "chains": 2, "rows": 50, "regimes": ["replace"], "metrics": ["tvd"]},
        "validate": {"families": ["validity"], "fail_on": "never"},
        "refresh": {"after_promotion": ["upload --password hunter2 https://anna:hunter2@host/x"]},
        "run": {"output_dir": "out", "workers": 1, "seed": 3},
    }
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


#: Every command that writes into the output directory, in an order in which each can work, with its folder.
COMMANDS = {
    "split": (["split"], "split"),
    "fit": (["fit"], "generators/0001"),
    "sample": (["sample", "--seed", "5"], "synthetic"),
    "shards": (["sample", "--seed", "5", "--shards", "2"], "synthetic/shards"),
    "augment": (["augment", "--mode", "rebalance", "--share", "true=0.6", "--lift", "off"], "augment"),
    "validate": (["validate"], "validate"),
    "collapse-sim": (["collapse-sim"], "collapse-sim"),
}


def record(folder: Path) -> dict[str, Any]:
    """Return the record of a folder: a generator's stands in its manifest."""
    if (folder / "manifest.json").is_file():
        return json.loads((folder / "manifest.json").read_text())["run"]
    return json.loads((folder / "run.json").read_text())


def assert_no_secret(out: Path) -> None:
    """Look into every file of a directory, its reports and manifests too."""
    kept = [path for path in out.rglob("*") if path.is_file()]
    assert len(kept) > 5
    assert [str(path) for path in kept if b"hunter2" in path.read_bytes()] == []


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}


def test_every_folder_tells_of_the_run_that_made_it(call, own: Path) -> None:
    out = own.parent / "out"
    for name, (words, folder) in COMMANDS.items():
        more = ["--set", "augment.given=null"] if name == "augment" else []
        ended = call(*words, "-c", own, "--json", *more)
        assert ended.code == 0, ended.err
        found = record(out / folder)
        assert {key: type(value) for key, value in found.items() if key != "files"} == FIELDS, name
        assert (found["command"], found["status"], found["exit_code"]) == (words[0], "ok", 0)
        assert datetime.fromisoformat(found["started"]) <= datetime.fromisoformat(found["ended"])
        assert 0 <= sum(found["phases"].values()) <= found["seconds"] + 0.05 * len(found["phases"]) + 0.05
        assert found["peak_memory"] > 20_000_000
        assert found["seed"] == (5 if words[0] == "sample" else 3)
        assert found["versions"] == versions()
        assert found["config"]["synthesizer"]["kind"] == "independent"
        assert found["config"]["refresh"]["after_promotion"] == ["upload"]
        if words[0] != "fit":
            assert set(found["files"]) <= files(out / folder)
            assert found["files"] == sorted(found["files"])
            assert (out / folder / "run.json").stat().st_mode == (out / "split" / "split.json").stat().st_mode
    assert_no_secret(out)
    assert call("validate", "-c", own, "--from", out / "validate" / "report.json").code == 0, "it is read again"
    assert record(out / "split")["files"] == ["holdout.parquet", "split.json", "train.parquet"]
    assert list(record(out / "split")["phases"]) == ["read", "split", "write", "compare"]
    assert record(out / "synthetic")["files"] == ["synthetic.parquet", "synthetic.parquet.lineage.json"]
    assert record(out / "synthetic/shards")["files"] == ["part-00000.parquet", "part-00001.parquet"]
    assert set(record(out / "validate")["files"]) == {"report.json", "report.html", "junit.xml", "summary.md"}


def test_a_second_run_changes_nothing_but_times(call, own: Path) -> None:
    assert call("split", "-c", own).code == 0
    folder = own.parent / "out" / "split"
    before = record(folder), {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}
    assert call("split", "-c", own).code == 0
    after = record(folder), {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}
    assert before[1] == after[1]
    assert [{key: value for key, value in found[0].items() if key not in TIMES} for found in (before, after)] == [
        {key: value for key, value in before[0].items() if key not in TIMES}
    ] * 2


def test_a_failed_gate_leaves_its_record_and_an_error_leaves_the_older_one(call, own: Path, tmp_path: Path) -> None:
    for command in ("split", "fit", "sample"):
        assert call(command, "-c", own).code == 0
    gate = "validate.gates=[{metric: validity.schema, min: 2}]"
    assert call("validate", "-c", own, "--set", gate, "--fail-on", "error").code == 1
    found = record(own.parent / "out" / "validate")
    assert (found["status"], found["exit_code"]) == ("failed", 1)
    assert call("validate", "-c", own, "--synthetic", tmp_path / "absent.csv").code == 3
    assert record(own.parent / "out" / "validate") == found


def test_what_writes_nothing_records_nothing(call, own: Path, tmp_path: Path) -> None:
    out = own.parent / "out"
    assert call("split", "-c", own, "--dry-run").code == 0
    assert not out.exists()
    for command in ("split", "fit"):
        assert call(command, "-c", own).code == 0
    manifest = (out / "generators/0001/manifest.json").read_bytes()
    assert call("fit", "-c", own, "--json").document["status"] == "skipped"
    assert (out / "generators/0001/manifest.json").read_bytes() == manifest
    assert call("sample", "-c", own, "--output", "-", "-n", 5).code == 0
    assert not (out / "synthetic").exists()


def test_a_person_s_own_folder_gets_no_record(call, own: Path, tmp_path: Path) -> None:
    for command in ("split", "fit"):
        assert call(command, "-c", own).code == 0
    assert call("sample", "-c", own, "-n", 20).code == 0
    before = record(own.parent / "out" / "synthetic")
    for words in (["--output", tmp_path / "mine/rows.csv"], ["--output", tmp_path / "mine/set", "--shards", 2]):
        assert call("sample", "-c", own, "-n", 20, *words).code == 0
        assert not list((tmp_path / "mine").rglob("run.json"))
        assert record(own.parent / "out" / "synthetic") == before, "it is of the table beside it"
    assert call("sample", "-c", own, "-n", 20, "--output", tmp_path / "mine/set", "--shards", 3).code == 0


def test_nothing_that_reads_folders_stumbles_over_a_record(call, own: Path, tmp_path: Path) -> None:
    for command in (["split"], ["fit"], ["sample", "--shards", "2"]):
        assert call(*command, "-c", own).code == 0
    shards = own.parent / "out" / "synthetic" / "shards"
    assert (shards / "run.json").is_file()
    for place in (shards, f"{shards}/*"):
        assert call("validate", "-c", own, "--synthetic", place).code == 0
        assert call("split", place, "--out", tmp_path / "other").code == 0
    assert call("sample", "-c", own, "--shards", "3").code == 0
    assert len(record(shards)["files"]) == 3
    for words in (
        ["status"],
        ["history"],
        ["prune", "--keep", "1"],
        ["fit", "--force"],
        ["lineage", shards / "part-00000.parquet"],
    ):
        assert call(*words, *([] if words[0] == "lineage" else ["-c", own]), "--out", own.parent / "out").code == 0
    (shards / "run.json").write_text('{"command": "mine"}')
    assert "no shard" in call("sample", "-c", own, "--shards", "3").err


def test_a_refresh_leaves_the_record_of_the_split_the_report_and_the_generator(call, tmp_path: Path) -> None:
    place = started(tmp_path / "place")
    hook = 'refresh.after_promotion=["true hunter2 https://anna:hunter2@host/x"]'
    assert call("refresh", "-c", place.config, "--set", "refresh.sample=true", "--set", hook).code == 0
    assert (place.out / "refresh/0001/report.json").is_file()
    assert_no_secret(place.out)
    names = {"split": "train.parquet", "refresh/0001": "decision.json", "synthetic": "synthetic.parquet"}
    for folder, name in names.items():
        assert name in record(place.out / folder)["files"]
        assert record(place.out / folder)["command"] == "refresh"
    assert record(place.generators / "0001")["command"] == "refresh"
    assert call("refresh", "-c", place.config, "--json").document["status"] == "skipped"


# log lines for machines

WORDS = {
    **{name: words for name, (words, _) in COMMANDS.items()},
    "init": ["init", "real.parquet", "--out-config", "new.yaml"],
    "gate": ["gate", "out/synthetic/synthetic.parquet", "--report", "out/validate/report.json"],
    "compare": ["compare", "out/validate/report.json", "out/validate/report.json"],
    "lineage": ["lineage", "out/synthetic/synthetic.parquet"],
    "refresh": ["refresh", "--set", "validate.gates=[]", "--set", "refresh.after_promotion=[]"],
    "status": ["status"],
    "history": ["history"],
    "prune": ["prune", "--keep", "5"],
    "rollback": ["rollback", "9"],
    "config": ["config", "show"],
    "doctor": ["doctor"],
}


def test_no_command_is_left_out() -> None:
    assert {words[0] for words in WORDS.values()} == set(app.COMMANDS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the configuration of a table that split, fit, sample and validate were run on."""
    path = written(tmp_path_factory.mktemp("finished"))
    for command in ("split", "fit", "sample", "validate"):
        assert run([command, "-c", str(path), "-q"]) == 0
    return path


@pytest.mark.parametrize("name", WORDS)
def test_every_log_line_is_an_object(call, finished: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(finished.parent)
    words = [*WORDS[name], *(["-c", "c.yaml"] if name != "init" else []), "--log-json"]
    ended = call(*words, "-v")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    # There is nothing to go back to, no privacy was measured, and a machine may have a problem.
    assert ended.code in {"rollback": (3,), "gate": (1,), "doctor": (0, 1)}.get(name, (0,)), ended.err
    for line in lines:
        assert {"time", "level", "command", "message"} <= set(line)
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
        assert line["level"] in ("debug", "info", "warning", "error")
        assert line["command"] == words[0]
    phases = {line["phase"]: line["seconds"] for line in lines if "phase" in line}
    assert all(seconds >= 0 for seconds in phases.values())
    if name in COMMANDS:
        assert phases
    failed = call(*words, "--nowhere", "--debug")
    *_, last = [json.loads(line) for line in failed.err.splitlines()]
    assert failed.code == 2
    assert (last["level"], last["command"]) == ("error", words[0])
    assert last["hint"]
    assert "Traceback" in last["traceback"]
