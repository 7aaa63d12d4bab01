"""``--dry-run``: what it foretells is what the command then does, and it writes nothing itself."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from growing import started

from synthcli.artifacts import left_behind
from synthcli.audit import Tables
from synthcli.columns import Table
from synthcli.commands import plays, rehearsing
from synthcli.commands.conditions import Account, Group
from synthcli.commands.drawing import Asked
from synthcli.commands.rehearsing import Measured, Play, _next, _Rehearsed, _slowness
from synthcli.config import Config
from synthcli.foresight import Room
from synthcli.schema import Column, Kind, Schema

ROWS = 900


@pytest.fixture(autouse=True)
def rehearsals() -> None:
    """Rehearse: that is what is tested here."""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return the configuration of a small table."""
    random = np.random.default_rng(4)
    x = random.standard_normal(ROWS)
    pl.DataFrame(
        {
            "x": x.round(3),
            "y": (0.7 * x + random.standard_normal(ROWS)).round(3),
            "kind": random.choice(["a", "b", "c"], ROWS, p=[0.6, 0.3, 0.1]),
            "good": random.random(ROWS) < 1 / (1 + np.exp(-2 * x)),
        }
    ).write_csv(tmp_path / "real.csv")
    document = {
        "data": {"path": "real.csv", "target": "good"},
        "protection": {"rare_category_min_count": 0, "clip_extremes": 0},
        "synthesizer": {"kind": "independent"},
        "augment": {"synthesizer": {"kind": "independent"}},
        "collapse_sim": {"generations": 4, "chains": 3, "rows": 100, "regimes": ["replace"], "metrics": ["tvd"]},
        "validate": {"families": ["accuracy", "validity"]},
        "run": {"output_dir": "out", "workers": 1, "seed": 3},
    }
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def state(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Return every file that is there, whatever its name, with its content and when it was changed."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def meant(pattern: str, path: Path) -> bool:
    return str(path).startswith(pattern) if pattern.endswith("/") else fnmatch(str(path), pattern)


def foretold(call, folder: Path, *words: object, code: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the command dry and in earnest; return the plan and the result, when all that both say is found true."""
    before = state(folder)
    dry = call(*words, "--dry-run", "--json")
    assert dry.code == 0, dry.err
    assert state(folder) == before
    plan = dry.document["result"]["plan"]
    done = call(*words, "--json")
    assert done.code == code, done.err
    wrote = [path for path, found in state(folder).items() if before.get(path) != found]
    wrote = [path for path in wrote if not any(part.startswith(".") for part in path.parts)]
    foreseen = {os.path.abspath(each["path"]) + "/" * each["path"].endswith("/"): each["replaces"]
                for each in plan["paths"]}  # fmt: skip
    assert [path for path in wrote if not any(meant(pattern, path) for pattern in foreseen)] == []
    assert [pattern for pattern in foreseen if not any(meant(pattern, path) for path in wrote)] == []
    for pattern, replaces in foreseen.items():
        assert replaces == any(meant(pattern, path) for path in before), pattern
    well_formed(plan)
    disk = sum(path.stat().st_size for path in wrote)
    # What each file of a data set has beside its rows is not foretold, and is much of so small ones.
    assert plan["disk"]["low"] <= disk <= plan["disk"]["high"] + 1_000 * len(wrote)
    return plan, done.document["result"]


def well_formed(plan: dict[str, Any]) -> None:
    for name in ("seconds", "memory", "disk"):
        found = plan[name]
        assert 0 <= found["low"] <= found["likely"] <= found["high"], name
    assert plan["memory"]["likely"] > 20e6
    assert plan["disk"]["likely"] > 0
    assert plan["probe"]["seconds"] > 0
    assert plan["free"]["disk"] > 0
    assert plan["model"]


@pytest.mark.slow
def test_split_fit_and_sample(call, own: Path, tmp_path: Path) -> None:
    plan, result = foretold(call, tmp_path, "split", "-c", own)
    assert plan["rows"] == {"in": {"table": ROWS}, "out": result["rows"]}
    plan, result = foretold(call, tmp_path, "fit", "-c", own)
    assert plan["rows"]["in"] == {"train": result["rows"]}
    again = call("fit", "-c", own, "--dry-run", "--json").document["result"]["plan"]
    assert (again["paths"], again["probe"]["rows"]) == ([], [])
    assert call("fit", "-c", own, "--json").document["status"] == "skipped"
    plan, result = foretold(call, tmp_path, "sample", "-c", own, "-n", 1_500)
    assert plan["rows"]["out"] == {"synthetic": result["rows"]}


@pytest.fixture
def ready(call, own: Path) -> Path:
    for command in ("split", "fit", "sample"):
        assert call(command, "-c", own, "-q").code == 0
    return own


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (["--where", "20:good=true", "--where", "30:good=false"], 50),
        (["--shards", 3, "-n", 70], 70),
        (["--shards", 3, "-n", 70, "--output", "{}/set"], 70),
        (["-n", 40, "--output", "{}/own/rows.csv"], 40),
        (["-n", 900, "--output", "{}/rows.csv.gz"], 900),
        (["--given", "{}/given.csv"], 300),
    ],
    ids=["where", "shards", "shards elsewhere", "file elsewhere", "packed", "given"],
)
def test_sample(call, ready: Path, tmp_path: Path, words: list[Any], rows: int) -> None:
    pl.DataFrame({"kind": ["a", "b", "c"] * 100}).write_csv(tmp_path / "given.csv")
    filled = [word.format(tmp_path) if isinstance(word, str) else word for word in words]
    plan, result = foretold(call, tmp_path, "sample", "-c", ready, *filled)
    assert plan["rows"]["out"] == {"synthetic": rows}
    assert result["rows"] == rows


@pytest.mark.slow
@pytest.mark.parametrize("lift", ["off", "quick"])
def test_augment(call, ready: Path, tmp_path: Path, lift: str) -> None:
    words = ("--mode", "rebalance", "--share", "true=0.7", "--lift", lift)
    plan, _ = foretold(call, tmp_path, "augment", "-c", ready, *words)
    assert plan["rows"]["out"] == {"augmented": pl.read_parquet(tmp_path / "out/augment/augmented.parquet").height}
    assert ("holdout" in plan["rows"]["in"]) == (lift != "off")


@pytest.mark.slow
def test_augment_of_other_kinds(call, ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pl.DataFrame({"kind": ["a", "b"] * 30}).write_csv("given.csv")
    config = yaml.safe_load(ready.read_text()) | {"augment": {"given": "given.csv", "lift": "off"}}
    ready.write_text(yaml.safe_dump(config))
    for words in (["--mode", "upsample"], ["--mode", "impute", "--set", "augment.given=null"]):
        plan, _ = foretold(call, tmp_path, "augment", "-c", "c.yaml", *words)
        assert plan["rows"]["out"] == {"augmented": pl.read_parquet("out/augment/augmented.parquet").height}


@pytest.mark.slow
def test_validate(call, ready: Path, tmp_path: Path) -> None:
    words = ("--fail-on", "never", "--junit", tmp_path / "gates.xml")
    plan, _ = foretold(call, tmp_path, "validate", "-c", ready, *words)
    report = json.loads((tmp_path / "out/validate/report.json").read_text())
    assert plan["rows"]["in"] == {name: report["inputs"][name]["rows"] for name in ("train", "holdout", "synthetic")}


@pytest.mark.slow
def test_validate_looks_at_tables_that_are_named(call, ready: Path, tmp_path: Path) -> None:
    words = [
        word for name in ("train", "holdout") for word in (f"--{name}", tmp_path / "out/split" / f"{name}.parquet")
    ]
    words += ["--synthetic", tmp_path / "out/synthetic/synthetic.parquet", "--fail-on", "never"]
    foretold(call, tmp_path, "validate", "--out", tmp_path / "other", "--set", "validate.families=[accuracy]", *words)


def test_collapse_sim(call, own: Path, tmp_path: Path) -> None:
    assert call("split", "-c", own, "-q").code == 0
    plan, _ = foretold(call, tmp_path, "collapse-sim", "-c", own)
    assert set(plan["rows"]["in"]) == {"train", "holdout"}


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False])
def test_refresh(call, tmp_path: Path, first: bool) -> None:
    place = started(tmp_path / "place")
    if not first:
        place.refreshed().add(4)
    before = [event for event in place.events() if event["event"] == "look"] if not first else []
    plan, result = foretold(call, tmp_path, "refresh", "-c", place.config)
    assert result["outcome"] == "promoted"
    source = result["source"]
    assert plan["rows"]["out"] == {"train": source["train_rows"], "holdout": source["holdout_rows"]}
    looks = [event for event in place.events() if event["event"] == "look"]
    assert len(looks) == len(before) + 1


@pytest.mark.slow
def test_refresh_of_other_columns(call, tmp_path: Path) -> None:
    place = started(tmp_path / "place").refreshed()
    for path in (place.folder / "parts").iterdir():
        pl.read_csv(path).with_columns(extra=pl.col("size").round(1) * 2).write_csv(path)
    foretold(call, tmp_path, "refresh", "-c", place.config, "--allow-schema-change", "--allow-drift")


@pytest.mark.slow
def test_networks_are_rehearsed_by_the_epoch(call, own: Path, tmp_path: Path) -> None:
    assert call("split", "-c", own, "-q").code == 0
    words = ("--synthesizer", "tvae", "--set", "synthesizer.epochs=2000", "--dry-run", "--json")
    plan = call("fit", "-c", own, *words).document["result"]["plan"]
    few = call("fit", "-c", own, *words, "--set", "synthesizer.epochs=20").document["result"]["plan"]
    assert plan["seconds"]["likely"] > 5 * few["seconds"]["likely"] > 0
    assert "2,000 epochs" in plan["model"]
    assert not (tmp_path / "out" / "generators").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["split", "absent.csv"],
        ["split", "real.csv", "--by", "nowhere"],
        ["fit"],
        ["sample"],
        ["sample", "--shards", "2", "--output", "-"],
        ["augment", "--mode", "rebalance"],
        ["validate"],
        ["collapse-sim"],
        ["refresh", "absent.csv"],
        ["fit", "--synthesizer", "forrest"],
    ],
    ids=" ".join,
)
def test_wrong_input_ends_as_it_ends_in_earnest(
    call, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = state(tmp_path)
    dry = call(*words, "--dry-run", "--json")
    assert state(tmp_path) == before
    done = call(*words, "--json")
    assert dry.code == done.code > 1
    assert dry.document["error"] == done.document["error"]


def test_what_cannot_be_rehearsed_is_said_and_is_no_error(
    call, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsing, "_rehearsed", lambda *_: _Rehearsed(why="1,000 rows take longer than 60 s"))
    ended = call("split", "-c", own, "--dry-run", "--json")
    plan = ended.document["result"]["plan"]
    assert ended.code == 0
    assert (plan["seconds"], plan["paths"]) == (None, [])
    assert plan["model"] == "not measured: 1,000 rows take longer than 60 s"
    assert "not measured" in call("split", "-c", own, "--dry-run").out
    assert plan["rows"]["out"] == call("split", "-c", own, "--json").document["result"]["rows"]


def measured(rows: int, *, loading: float = 0.0, memory: int = 0, disk: int = 0) -> _Rehearsed:
    """Return a rehearsal of one part that took a second."""
    files = ("split/train.parquet",)
    part = Measured(rows=rows, seconds=1.0, work=1.0, memory=memory, disk=disk, files=files)
    return _Rehearsed(parts=[part], files=files, loading=loading)


def test_one_part_alone_tells_no_memory(call, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(ROWS // 3, memory=10**9, disk=10**6)
    monkeypatch.setattr(rehearsing, "_rehearsed", lambda *_: found)
    plan = call("split", "-c", own, "--dry-run", "--json").document["result"]["plan"]
    assert plan["memory"] is None
    assert plan["seconds"]["low"] < 1.8 < plan["seconds"]["high"]
    assert [os.path.abspath(each["path"]) for each in plan["paths"]] == [str(own.parent / "out/split/train.parquet")]


def test_too_little_room_is_a_warning(call, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(ROWS, memory=10**9, disk=10**9)
    monkeypatch.setattr(rehearsing, "_rehearsed", lambda *_: found)
    monkeypatch.setattr(rehearsing, "room", lambda out: Room(10**8, 10**8))
    memory, disk = call("split", "-c", own, "--dry-run", "--json").document["warnings"][-2:]
    assert "--shards" in memory
    assert "make room" in disk


def test_what_was_measured_once_may_take_half_as_long_again(call, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsing, "_rehearsed", lambda *_: measured(ROWS, loading=2.0))
    seconds = call("split", "-c", own, "--dry-run", "--json").document["result"]["plan"]["seconds"]
    assert seconds["likely"] > 3
    assert seconds["high"] == pytest.approx(1.5 * seconds["likely"], abs=0.02)
    assert seconds["low"] == pytest.approx(seconds["likely"] / 1.5, abs=0.02)


@pytest.mark.slow
def test_libraries_load_in_seconds_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def took(settings: Config, play: rehearsing.Play, part: rehearsing.Part, *_: Any) -> Measured:
        return Measured(part.rows, seconds=9.0 if part.rows < 1_000 else 4.0, work=1.0, memory=0, disk=0, files=())

    monkeypatch.setattr(rehearsing, "_part", took)
    assert rehearsing._rehearsed(Config(), play(1_000), set(), 0.0).loading == 9.0 - 4.0 / 4


def rehearsed(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[int], float | None], whole: rehearsing.Play, loading: float = 0.0
) -> _Rehearsed:
    """Return a rehearsal in which a part of so many rows takes ``work(rows)`` seconds, or cannot be done."""

    def took(settings: Config, play: rehearsing.Play, part: rehearsing.Part, *_: Any) -> Measured:
        seconds = work(part.rows)
        return Measured(part.rows, seconds or 0.0, seconds or 0.0, 0, 0, (), "" if seconds else "takes too long")

    @contextmanager
    def child(temporary: Path, loads: Sequence[str]) -> Iterator[Any]:
        yield None, loading

    monkeypatch.setattr(rehearsing, "_part", took)
    monkeypatch.setattr(rehearsing, "_child", child)
    return rehearsing._rehearsed(Config(), whole, set(), 0.0)


def test_where_libraries_load_by_themselves_the_small_part_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rehearsed(monkeypatch, lambda rows: 4.0, play(10**6, least=3_000, loads=("csv",)), loading=1.5)
    assert [part.rows for part in found.parts] == [750, 3_000]
    assert found.loading == 1.5


def test_a_small_part_that_takes_long_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for loads in ((), ("csv",)):
        found = rehearsed(monkeypatch, lambda rows: 30.0, play(10**6, loads=loads))
        assert [part.rows for part in found.parts] == [250]


def test_a_small_part_that_loads_libraries_may_take_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = rehearsed(monkeypatch, lambda rows: 15.0, play(10**6, loads=("csv",)))
    assert [part.rows for part in alone.parts] == [250]
    with_libraries = rehearsed(monkeypatch, lambda rows: 15.0, play(10**6))
    assert [part.rows for part in with_libraries.parts] == [1_000, 4_000], "the small part has warmed up"


def test_what_is_kept_of_every_row_is_added_to_what_parts_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = play(10**8, least=3_000, loads=("csv",), bounded=True)
    found = rehearsed(monkeypatch, lambda rows: 4.0, whole)

    def memory(whole: Play) -> float:
        told = rehearsing._forecast(whole, found, 0.0, Path(), 2.0).memory
        assert told is not None
        return told.likely

    assert memory(whole) < 10**10 <= memory(whole._replace(kept=10**10)) < 1.1 * 10**10
    assert memory(play(3_000, loads=("csv",))._replace(kept=10**10)) < 10**10, "what was measured whole is known"


def test_where_only_the_small_part_can_be_done_the_whole_is_foretold_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rehearsed(monkeypatch, lambda rows: 2.0 if rows < 1_000 else None, play(10**6))
    assert ([part.rows for part in found.parts], found.loading) == ([250], 0.0)
    told = rehearsing._forecast(play(10**6), found, 0.0, Path(), 2.0)
    assert told.seconds is not None
    assert told.memory is None
    assert told.model == "between a fixed cost and one by the row, after one part of 250 rows of 1,000,000"


def test_of_bounded_work_a_power_of_the_rows_is_foretold(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = play(48_000, least=3_000, loads=("csv",), bounded=True)
    found = rehearsed(monkeypatch, lambda rows: (rows / 187.5) ** 0.5, whole)
    assert [part.rows for part in found.parts] == [750, 3_000]
    told = rehearsing._forecast(whole, found, 0.0, Path(), 2.0)
    assert told.seconds is not None
    assert told.seconds.likely == pytest.approx(16.0)
    assert told.model == "a power of the rows, after parts of 750, 3,000 rows of 48,000"


# the process that rehearses


def test_a_file_of_the_working_directory_is_no_module(
    call, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("select.py").write_text("import pathlib\npathlib.Path('mark').touch()\nraise SystemExit\n")
    assert call("split", "-c", own, "--dry-run", "--json").document["result"]["plan"]["seconds"] is not None
    assert not Path("mark").exists()


@pytest.mark.slow
def test_its_process_runs_command_after_command(own: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "real.csv.gz").write_bytes(gzip.compress((tmp_path / "real.csv").read_bytes()))
    with rehearsing._child(temporary, ["csv"]) as (ask, loading):
        lines = (["split", str(tmp_path / "real.csv.gz")], ["fit"], ["augment"])
        answers = [ask([*line, "-c", str(own), "--log-json"], 60) for line in lines]
    assert list(temporary.glob("synthcli-*")), "it unpacks elsewhere, where nobody removes that when it is ended"
    assert [answer["error"] for answer in answers[:2]] == ["", ""]
    assert loading > 0
    assert answers[0]["phases"]
    assert answers[0]["seconds"] > 0
    assert answers[0]["memory"] > 20e6
    assert "--mode" in answers[2]["error"]


def test_a_slow_start_is_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rehearsing, "MOST", 0.001)
    with rehearsing._child(tmp_path) as (ask, _):
        assert ask(["split", "absent.csv"], 60) is None


def test_its_folder_tells_whose_it_is_and_is_named_nowhere(call, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []

    def refused(words: list[str], patience: float) -> dict[str, Any]:
        out = Path(words[words.index("--out") + 1])
        folders.append(out.parents[1])
        assert left_behind(folders[-1]) is False
        return {"error": f"{out.parent}/part.csv: column 'extra' is new"}

    @contextmanager
    def child(temporary: Path, loads: Sequence[str]) -> Iterator[Any]:
        folders.append(temporary)
        yield refused, 0.0

    monkeypatch.setattr(rehearsing, "_child", child)
    plan = call("split", "-c", own, "--dry-run", "--json").document["result"]["plan"]
    assert plan["model"].endswith("rows the command fails: part.csv: column 'extra' is new")
    assert len(set(folders)) == 1


def test_parts_of_an_audit_have_a_hundred_rows_of_each_table_at_least(tmp_path: Path) -> None:
    table, few = (Table(pl.DataFrame({"a": np.arange(rows)})) for rows in (9_600, 200))
    schema = Schema((Column("a", Kind.NUMERIC, "Int64"),))
    found = plays.validate_play(tmp_path, Tables(table, few, few, schema), train=True, holdout=True, junit=None)
    assert (found.rows, found.least) == (10_000, 1_200)
    for rows in (300, 10_000):
        part = rehearsing.Part(rows, tmp_path / str(rows))
        found.prepare(part)
        split = part.out / "split"
        heights = [pl.read_parquet(split / f"{name}.parquet").height for name in ("train", "holdout", "synthetic")]
        assert heights == ([283, 100, 100] if rows == 300 else [9_600, 200, 200])  # every 34th; every other


# what is rehearsed next


def part(rows: int, work: float, seconds: float = 0.0) -> Measured:
    return Measured(rows, seconds or work, work, 0, 0, ())


def play(rows: int, **more: Any) -> rehearsing.Play:
    return rehearsing.Play(rows, lambda part: ([], {}), {}, {}, lambda file: file, **more)


@pytest.mark.parametrize(
    ("parts", "rows", "wanted"),
    [
        ([part(1_000, 9)], 9_000, 4_000),  # two at least
        ([part(1_000, 0.1)], 3_000, 3_000),
        ([part(1_000, 0.1)], 1_000, 0),  # all was done
        ([part(1_000, 0.01), part(4_000, 0.02)], 10**6, 64_000),
        ([part(1_000, 0.25), part(4_000, 0.4)], 10**6, 16_000),
        ([part(1_000, 1), part(4_000, 2)], 10**6, 0),
        ([part(1_000, 0.01, 1.0), part(4_000, 0.02, 2.0)], 10**4, 10_000),
        ([part(1_000, 0.01, 3.0), part(4_000, 0.02, 6.0)], 10**4, 0),  # others work too
    ],
)
def test_parts_grow_as_long_as_the_next_is_worth_its_time(parts: list[Measured], rows: int, wanted: int) -> None:
    spent = sum(each.seconds for each in parts)
    assert _next(parts, play(rows), rows, 0.0, spent) == wanted


def test_a_second_of_work_takes_longer_where_others_work_too() -> None:
    assert _slowness([part(1, 1.0, 3.0), part(2, 2.0, 6.0)]) == 3.0
    assert _slowness([part(1, 4.0, 2.0)]) == 0.5


def test_a_rehearsal_runs_no_command_of_others_and_removes_no_version() -> None:
    asked = {
        "refresh": {"after_promotion": ["rm -rf /"], "keep": 3},
        "synthesizer": {"kind": "tvae", "epochs": 9},
        "augment": {"given": "https://anna:word@host/given.csv?token=1"},
        "validate": {"gates": [{"metric": "accuracy.univariate", "max_drop_from": "before.json"}]},
    }
    told = rehearsing._settings(
        Config.model_validate(asked), {"data.path": "part.csv", "synthesizer": {"kind": "auto"}}
    )
    assert (told["refresh"]["after_promotion"], told["refresh"]["keep"]) == ([], None)
    assert told["data"]["path"] == "part.csv"
    assert told["augment"]["given"] == "https://anna:word@host/given.csv?token=1"
    assert told["validate"]["gates"][0]["max_drop_from"] == os.path.abspath("before.json")
    assert told["synthesizer"] == {"kind": "auto"}


def test_what_a_command_prints_and_raises_stays_in_its_rehearsal(capfd: pytest.CaptureFixture, tmp_path: Path) -> None:
    streams = sys.stdout, sys.stderr
    try:
        ended = rehearsing._ran(["split", str(tmp_path / "absent.csv"), "--out", str(tmp_path / "out")])
        unknown = rehearsing._ran(["split", "--nowhere"])
    finally:
        sys.stdout, sys.stderr = streams
    assert "no such file" in ended["error"]
    assert unknown["error"] == "NoSuchOption"
    assert capfd.readouterr() == ("", "")


# parts


def test_networks_of_a_part_train_for_fewer_epochs() -> None:
    section = {"kind": "auto", "candidates": [{"kind": "ctgan", "epochs": 300}, {"kind": "forest"}, {"epochs": 2}]}
    assert plays._epochs(section) == 300
    assert plays._epochs({"kind": "forest"}) == 1
    shorter = plays._shortened(section, 3)
    assert [each.get("epochs") for each in shorter["candidates"]] == [3, None, 2]
    assert section["candidates"][0]["epochs"] == 300


def test_conditions_are_cut_to_a_part() -> None:
    groups = (Group(4_000, {"good": "true"}, pl.DataFrame()), Group(6_000, {"good": "false"}, pl.DataFrame()))
    asked = Asked(10_000, iter(()), Account(["", ""], [4_000, 6_000]), groups)
    assert plays._scaled(["4000:good=true", "6000:good=false", "kind=a"], asked, 1_000) == [
        "400:good=true",
        "600:good=false",
        "kind=a",
    ]
    assert plays._scaled(["4000:good=true"], asked, 1) == ["1:good=true"]


@pytest.mark.parametrize(("rows", "wanted"), [(10, 3), (10, 10), (7, 2), (5, 9)])
def test_a_part_has_rows_at_even_distances(rows: int, wanted: int) -> None:
    found = plays._even(pl.LazyFrame({"n": range(rows)}), rows, wanted)["n"].to_list()
    assert len(found) == min(rows, wanted)
    assert len({b - a for a, b in pairwise(found)}) <= 1
