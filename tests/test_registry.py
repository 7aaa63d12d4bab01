"""Facts about generator versions: all or nothing, numbers never reused, no unchecked file, one run at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import synthcli
from synthcli import registry
from synthcli.errors import BadTableError, LockHeldError, MissingFileError
from synthcli.registry import Version


def writer(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "model.pkl").write_text(text, encoding="utf-8")
        (folder / "schema.json").write_text("{}", encoding="utf-8")

    return write


def described(text: str) -> dict[str, Any]:
    return {
        "kind": "gaussian_copula",
        "parameters": {"default_distribution": "norm"},
        "seed": 7,
        "created": "2025-01-02T03:04:05Z",
        "train": {"path": "train.parquet", "rows": 10, "sha256": "ab", "content_key": "cd"},
        "versions": {"python": "3.11.9"},
        "fingerprint": registry.fingerprint({"data": text}),
        "fit_seconds": 1.5,
        "notes": ["column 'id' is an id: made anew"],
    }


def publish(root: Path, text: str = "model", **changes: Any) -> Version:
    return registry.publish(root, writer(text), **{**described(text), **changes})


def staged(root: Path, text: str = "model") -> AbstractContextManager[Version]:
    return registry.staged(root, writer(text), **described(text))


def test_a_published_version_can_be_read_back(tmp_path: Path) -> None:
    version = publish(tmp_path)
    assert version.folder == tmp_path / "generators" / "0001"
    assert (version.number, version.name) == (1, "0001")
    assert registry.read(version.folder) == version
    assert version.manifest.schema_version == 1
    assert version.manifest.files["model/model.pkl"] == {
        "sha256": "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4",
        "bytes": 5,
    }
    assert sorted(version.manifest.files) == ["model/model.pkl", "schema.json"]
    registry.verify(version)


def test_publishing_names_the_newest_latest_and_records_it(tmp_path: Path) -> None:
    publish(tmp_path)
    publish(tmp_path)
    assert registry.aliases(tmp_path) == {"latest": 2}
    assert [(event["event"], event["version"]) for event in registry.events(tmp_path)] == [
        ("published", 1),
        ("published", 2),
    ]


def test_an_exception_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "half").write_text("half", encoding="utf-8")
        raise RuntimeError("disk full")

    publish(tmp_path)
    with pytest.raises(RuntimeError, match="disk full"):
        registry.publish(
            tmp_path, write, kind="k", parameters={}, seed=1, created="now", train={}, versions={}, fingerprint="f",
            fit_seconds=0.0,
        )  # fmt: skip
    assert registry.numbers(tmp_path) == (1,)
    assert registry.aliases(tmp_path) == {"latest": 1}
    assert sorted(path.name for path in (tmp_path / "generators").iterdir()) == [
        "0001",
        "aliases.json",
        "events.jsonl",
    ]


def test_what_a_killed_run_left_is_removed_and_never_counted(tmp_path: Path) -> None:
    generators = tmp_path / "generators"
    (generators / ".0001.xyz.tmp" / "model").mkdir(parents=True)
    (generators / ".aliases.json.abc.tmp.json").touch()
    (generators / "0004").mkdir()
    assert registry.numbers(tmp_path) == ()
    assert publish(tmp_path).number == 5
    assert not list(generators.glob(".*"))


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    for _ in range(3):
        last = publish(tmp_path)
    for name in os.listdir(last.folder / "model"):
        (last.folder / "model" / name).unlink()
    (last.folder / "model").rmdir()
    for path in last.folder.iterdir():
        path.unlink()
    last.folder.rmdir()
    assert publish(tmp_path).number == 4


# staged, adopted, pruned


def test_a_staged_version_is_complete_and_found_by_nobody(tmp_path: Path) -> None:
    first = publish(tmp_path)
    with staged(tmp_path, "challenger") as version:
        assert version.number == 2
        assert registry.read(version.folder) == version
        registry.verify(version)
        assert (version.folder / "model" / "model.pkl").read_text(encoding="utf-8") == "challenger"
        assert registry.numbers(tmp_path) == (1,)
        assert registry.resolve(tmp_path) == registry.resolve(tmp_path, "latest") == first
        assert registry.find_same(tmp_path, version.manifest.fingerprint) is None
        with pytest.raises(MissingFileError):
            registry.resolve(tmp_path, "2")
    assert not version.folder.exists()
    names = {path.name for path in (tmp_path / "generators").iterdir()}
    assert names == {"0001", "aliases.json", "events.jsonl"}
    assert registry.aliases(tmp_path) == {"latest": 1}


def test_nothing_is_left_of_a_staged_version_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="worse than the champion"), staged(tmp_path) as version:
        raise RuntimeError("worse than the champion")
    assert not version.folder.exists()
    assert list((tmp_path / "generators").iterdir()) == []


def test_a_number_that_was_not_adopted_is_free_unless_an_event_named_it(tmp_path: Path) -> None:
    publish(tmp_path)
    for _ in range(2):
        with staged(tmp_path) as version:
            assert version.number == 2
    registry.record(tmp_path, {"event": "rejected", "version": version.number})
    with staged(tmp_path) as version:
        assert version.number == 3
    assert publish(tmp_path).number == 3


def test_an_adopted_version_is_read_and_verified_and_no_alias_names_it(tmp_path: Path) -> None:
    publish(tmp_path)
    with staged(tmp_path, "challenger") as challenger:
        version = registry.adopt(tmp_path, challenger)
        assert not challenger.folder.exists()
    assert version.folder == tmp_path / "generators" / "0002"
    assert version.manifest == challenger.manifest
    assert registry.resolve(tmp_path, "2") == version
    registry.verify(version)
    assert registry.find_same(tmp_path, version.manifest.fingerprint) == version
    assert registry.numbers(tmp_path) == (1, 2)
    assert registry.aliases(tmp_path) == {"latest": 1}
    assert [event["version"] for event in registry.events(tmp_path)] == [1]
    assert publish(tmp_path).number == 3


def test_an_adopted_version_survives_an_exception_that_comes_later(tmp_path: Path) -> None:
    def refresh() -> None:
        with staged(tmp_path) as challenger:
            registry.adopt(tmp_path, challenger)
            raise RuntimeError("the report could not be written")

    with pytest.raises(RuntimeError, match="report"):
        refresh()
    registry.verify(registry.resolve(tmp_path, "1"))


def test_a_version_takes_no_other_version_s_place(tmp_path: Path) -> None:
    with staged(tmp_path, "challenger") as challenger:
        other = tmp_path / "generators" / "0001"
        other.mkdir()
        (other / "kept").touch()
        with pytest.raises(OSError, match="not empty"):
            registry.adopt(tmp_path, challenger)
    assert [path.name for path in other.iterdir()] == ["kept"]


def test_several_aliases_change_in_one_write_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        publish(tmp_path)
    registry.set_aliases(tmp_path, {"champion": 1, "pinned": 2})
    written = []
    write = registry.write_json
    monkeypatch.setattr(registry, "write_json", lambda path, data: (written.append(path.name), write(path, data)))
    registry.set_aliases(tmp_path, {"champion": 3, "previous": 1})
    assert written == ["aliases.json"]
    assert registry.aliases(tmp_path) == {"latest": 3, "champion": 3, "previous": 1, "pinned": 2}


@pytest.mark.parametrize(
    ("keep", "named", "gone"),
    [
        (2, {}, (1, 2, 3)),
        (2, {"champion": 2}, (1, 3)),
        (2, {"champion": 5, "previous": 1, "pinned": 3}, (2,)),
        (4, {}, (1,)),
        (5, {}, ()),
        (9, {}, ()),
        (1, {"champion": 1, "pinned": 2, "previous": 3, "fallback": 4}, ()),
        (0, {}, (1, 2, 3, 4)),  # latest names 5
    ],
)
def test_the_newest_versions_and_those_with_an_alias_are_kept(
    tmp_path: Path, keep: int, named: dict[str, int], gone: tuple[int, ...]
) -> None:
    for _ in range(5):
        publish(tmp_path)
    registry.set_aliases(tmp_path, named)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert registry.prune(tmp_path, keep, dry_run=True) == gone
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
    assert registry.prune(tmp_path, keep) == gone
    assert registry.numbers(tmp_path) == tuple(number for number in range(1, 6) if number not in gone)
    for number in registry.numbers(tmp_path):
        registry.verify(registry.resolve(tmp_path, str(number)))
    assert not list((tmp_path / "generators").glob(".*"))
    assert registry.prune(tmp_path, keep) == ()


def test_where_there_is_nothing_nothing_is_pruned(tmp_path: Path) -> None:
    assert registry.prune(tmp_path / "absent", 1) == ()
    assert not (tmp_path / "absent").exists()


def test_a_folder_without_a_manifest_is_no_version_that_counts_when_pruning(tmp_path: Path) -> None:
    for _ in range(3):
        publish(tmp_path)
    (tmp_path / "generators" / "0009").mkdir()
    assert registry.prune(tmp_path, 2) == (1,)
    assert (tmp_path / "generators" / "0009").is_dir()


def test_what_is_half_removed_is_no_version_and_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        publish(tmp_path)
    generators = tmp_path / "generators"
    with monkeypatch.context() as killed:  # before the first file went
        killed.setattr(registry.shutil, "rmtree", lambda *args, **kwargs: None)
        assert registry.prune(tmp_path, 1) == (1,)
    left = generators / ".0001.gone.tmp"
    assert (left / "manifest.json").is_file()
    assert registry.numbers(tmp_path) == (2,)
    assert registry.find_same(tmp_path, registry.fingerprint({"data": "model"})) == registry.resolve(tmp_path, "2")
    with staged(tmp_path):
        assert not left.exists()
    left.mkdir()
    assert publish(tmp_path).number == 3
    assert not list(generators.glob(".*"))


def test_a_half_removed_version_is_in_nobody_s_way(tmp_path: Path) -> None:
    for _ in range(2):
        publish(tmp_path)
    left = tmp_path / "generators" / ".0001.gone.tmp"
    left.mkdir()
    (left / "old").touch()
    assert registry.prune(tmp_path, 1) == (1,)
    assert not left.exists()


def test_the_number_of_a_pruned_version_is_not_given_again(tmp_path: Path) -> None:
    for _ in range(3):
        publish(tmp_path)
    registry.set_aliases(tmp_path, {"latest": 1})
    assert registry.prune(tmp_path, 0) == (2, 3)
    assert publish(tmp_path).number == 4  # the events remember


# references


def test_a_reference_is_an_alias_a_number_or_a_folder(tmp_path: Path) -> None:
    first, second = publish(tmp_path), publish(tmp_path)
    registry.set_aliases(tmp_path, {"previous": 1})
    for reference in ("1", "0001", "previous", str(first.folder)):
        assert registry.resolve(tmp_path, reference) == first
    assert registry.resolve(tmp_path, "latest") == second


def test_the_version_in_force_is_champion_else_latest_else_the_highest(tmp_path: Path) -> None:
    first, second = publish(tmp_path), publish(tmp_path)
    assert registry.resolve(tmp_path) == second
    registry.set_aliases(tmp_path, {"champion": 1})
    assert registry.resolve(tmp_path) == first
    (tmp_path / "generators" / "aliases.json").unlink()
    assert registry.resolve(tmp_path) == second


def test_where_there_is_no_generator_the_hint_says_how_to_make_one(tmp_path: Path) -> None:
    for reference in (None, "champion", "3"):
        with pytest.raises(MissingFileError) as caught:
            registry.resolve(tmp_path, reference)
        assert "synthcli fit" in caught.value.hint


def test_an_unknown_reference_is_answered_with_what_exists(tmp_path: Path) -> None:
    publish(tmp_path)
    publish(tmp_path)
    for reference in ("best", "9", "no/such/folder"):
        with pytest.raises(MissingFileError) as caught:
            registry.resolve(tmp_path, reference)
        assert caught.value.hint == "name one of those there are: 0001, 0002, latest is 0002"


def test_an_alias_of_a_deleted_version_is_said_to_be_one(tmp_path: Path) -> None:
    publish(tmp_path)
    registry.set_aliases(tmp_path, {"champion": 8})
    with pytest.raises(MissingFileError, match="version 0008, which the alias 'champion' names"):
        registry.resolve(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', "\x00"])
def test_a_broken_manifest_is_refused(tmp_path: Path, content: str) -> None:
    version = publish(tmp_path)
    (version.folder / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(BadTableError, match="no manifest of a generator"):
        registry.resolve(tmp_path, "1")


def test_a_changed_missing_or_further_file_is_refused(tmp_path: Path) -> None:
    changed, missing, further = publish(tmp_path), publish(tmp_path), publish(tmp_path)
    (changed.folder / "model" / "model.pkl").write_text("mode1", encoding="utf-8")
    (missing.folder / "schema.json").unlink()
    (further.folder / "model" / "extra.py").touch()
    for version, message in (
        (changed, r"0001 must not be opened: model/model\.pkl is not the file that was published"),
        (missing, r"0002 must not be opened: schema\.json is missing"),
        (further, r"0003 must not be opened: model/extra\.py is not in its manifest"),
    ):
        with pytest.raises(BadTableError, match=message):
            registry.verify(version)


def test_a_linked_folder_is_a_further_file(tmp_path: Path) -> None:
    version = publish(tmp_path)
    (version.folder / "more").symlink_to(version.folder / "model")
    with pytest.raises(BadTableError, match="more is not in its manifest"):
        registry.verify(version)


def test_a_version_under_another_number_is_refused(tmp_path: Path) -> None:
    publish(tmp_path).folder.rename(tmp_path / "generators" / "0002")
    with pytest.raises(BadTableError, match="holds version 0001"):
        registry.resolve(tmp_path, "2")


def test_the_same_fingerprint_finds_the_newest_sound_version(tmp_path: Path) -> None:
    same = registry.fingerprint({"data": "a"})
    assert registry.find_same(tmp_path, same) is None
    first, second, _ = publish(tmp_path, "a"), publish(tmp_path, "a"), publish(tmp_path, "b")
    assert registry.find_same(tmp_path, same) == second
    (second.folder / "schema.json").unlink()
    assert registry.find_same(tmp_path, same) == first
    (first.folder / "manifest.json").write_text("{", encoding="utf-8")
    assert registry.find_same(tmp_path, same) is None


def test_a_fingerprint_depends_on_every_part_and_not_on_their_order() -> None:
    one = registry.fingerprint({"seed": 7, "config": {"kind": "a"}})
    assert one == registry.fingerprint({"config": {"kind": "a"}, "seed": 7})
    assert one != registry.fingerprint({"config": {"kind": "a"}, "seed": 8})


def test_a_half_written_event_spoils_no_other(tmp_path: Path) -> None:
    registry.record(tmp_path, {"event": "one"})
    with (tmp_path / "generators" / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "tw')
    registry.record(tmp_path, {"event": "three"})
    assert [event["event"] for event in registry.events(tmp_path)] == ["one", "three"]


def test_broken_aliases_are_refused(tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / "generators" / "aliases.json").write_text('["latest"]', encoding="utf-8")
    with pytest.raises(BadTableError, match=r"aliases\.json is no list of aliases"):
        registry.resolve(tmp_path)


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    assert registry.lock_state(root) == (False, None)
    for _ in range(2):
        with registry.lock(root):
            assert registry.lock_state(root) == (True, os.getpid())
    assert registry.lock_state(root) == (False, None)


def test_a_lock_is_free_again_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), registry.lock(tmp_path):
        raise RuntimeError
    assert registry.lock_state(tmp_path) == (False, None)


HOLD = """
import sys, time
from pathlib import Path
from synthcli import registry
with registry.lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_process_s_lock_is_named_and_freed_when_it_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(synthcli.__file__).parent.parent)}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert registry.lock_state(tmp_path) == (True, holder.pid)
        with (
            pytest.raises(LockHeldError, match=rf"process {holder.pid}\) is working") as caught,
            registry.lock(tmp_path),
        ):
            pass
        assert caught.value.exit_code == 75
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with registry.lock(tmp_path):
        assert registry.lock_state(tmp_path) == (True, os.getpid())


def test_a_manifest_is_plain_json(tmp_path: Path) -> None:
    document = json.loads((publish(tmp_path).folder / "manifest.json").read_text(encoding="utf-8"))
    assert document["train"] == {"path": "train.parquet", "rows": 10, "sha256": "ab", "content_key": "cd"}
    assert document["created"] == "2025-01-02T03:04:05Z"
    assert document["notes"] == ["column 'id' is an id: made anew"]
