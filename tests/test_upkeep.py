"""Facts about what a refresh remembers: the state and its damage, when a file is read again, what has changed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from synthcli import upkeep
from synthcli.upkeep import HEALTHY, SourceFile, State, changed_files, changed_keys, content, look

MONDAY, TUESDAY, WEDNESDAY = (f"2025-03-0{day}T01:00:00+00:00" for day in (3, 4, 5))
SECOND = 1_000_000_000


def seen(path: str, digest: str, **changes: Any) -> SourceFile:
    return replace(SourceFile(path, 10, 1, 2, 3, 4, digest), **changes)


FULL = State(
    files=(seen("/data/a.csv", "aa"), seen("/data/b.csv", "bb")),
    settings={"data": {"target": "late", "missing": ["", "NA"]}, "seed": 7},
    versions={"python": "3.11.9"},
    newest="2025-03-01",
    outcome="promoted",
    why="no worse than champion 0001",
    at=MONDAY,
    checked=TUESDAY,
    checked_outcome="unchanged",
    checked_why="as it was",
    healthy=TUESDAY,
)


# the state


@pytest.mark.parametrize("state", [FULL, State()])
def test_a_state_that_was_written_is_read_back(tmp_path: Path, state: State) -> None:
    upkeep.write(tmp_path, state)
    assert upkeep.read(tmp_path) == state


def test_the_state_is_one_complete_file_under_refresh(tmp_path: Path) -> None:
    upkeep.write(tmp_path, FULL)
    upkeep.write(tmp_path, State())
    assert [path.name for path in (tmp_path / "refresh").iterdir()] == ["state.json"]
    document = json.loads((tmp_path / "refresh" / "state.json").read_text(encoding="utf-8"))
    assert document["schema_version"] == 1


def test_where_nothing_was_remembered_the_state_is_empty(tmp_path: Path) -> None:
    assert upkeep.read(tmp_path) == State()
    assert not (tmp_path / "refresh").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"state"',
        "{}",
        '{"schema_version": 1}',
        '{"schema_version": 1, "files": 3}',
        '{"schema_version": 1, "files": null}',
        '{"schema_version": 1, "files": ["a.csv"]}',
        '{"schema_version": 1, "files": [{"path": "a.csv"}]}',
        '{"schema_version": 1, "files": [], "of another program": true}',
    ],
)
def test_a_damaged_or_foreign_state_is_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "refresh").mkdir()
    (tmp_path / "refresh" / "state.json").write_text(text, encoding="utf-8")
    assert upkeep.read(tmp_path) == State()


def test_a_state_that_is_no_text_or_no_file_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "refresh").mkdir()
    (tmp_path / "refresh" / "state.json").write_bytes(b"\xff\xfe\x00")
    assert upkeep.read(tmp_path) == State()
    (tmp_path / "refresh" / "state.json").unlink()
    (tmp_path / "refresh" / "state.json").mkdir()
    assert upkeep.read(tmp_path) == State()


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_the_state_of_another_version_of_the_program_is_an_empty_one(tmp_path: Path, version: Any) -> None:
    upkeep.write(tmp_path, FULL)
    path = tmp_path / "refresh" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": version}), encoding="utf-8")
    assert upkeep.read(tmp_path) == State()


def test_the_state_without_files_has_no_content() -> None:
    assert State().content is None
    assert FULL.content == content(FULL.files)


@pytest.mark.parametrize("outcome", ["promoted", "kept", "unchanged", "rejected", "stopped", "failed"])
def test_how_a_refresh_ended_is_noted_and_nothing_else_changes(outcome: upkeep.Outcome) -> None:
    after = FULL.ended(outcome, "why not", WEDNESDAY)
    healthy = WEDNESDAY if outcome in ("promoted", "kept", "unchanged") else TUESDAY  # FULL's last decision was healthy
    assert (outcome in HEALTHY) == (outcome in ("promoted", "kept"))
    assert asdict(after) == {
        **asdict(FULL), "checked": WEDNESDAY, "checked_outcome": outcome, "checked_why": "why not", "healthy": healthy
    }  # fmt: skip


def test_a_first_refresh_that_fails_was_never_healthy() -> None:
    assert State().ended("failed", "no disk", MONDAY).healthy is None


@pytest.mark.parametrize("outcome", ["promoted", "kept", "rejected"])
def test_what_a_refresh_decided_about_is_remembered_whole(outcome: upkeep.Outcome) -> None:
    files, settings, versions = [seen("/data/c.csv", "cc")], {"seed": 8}, {"python": "3.13.0"}
    after = FULL.dealt_with(files, settings, versions, "2025-04-01", outcome, "because", WEDNESDAY)
    assert after == State(
        files=tuple(files),
        settings=settings,
        versions=versions,
        newest="2025-04-01",
        outcome=outcome,
        why="because",
        at=WEDNESDAY,
        checked=WEDNESDAY,
        checked_outcome=outcome,
        checked_why="because",
        healthy=TUESDAY if outcome == "rejected" else WEDNESDAY,
    )


def test_a_refresh_stands_in_folders_of_its_number(tmp_path: Path) -> None:
    assert upkeep.report_folder(tmp_path, 12) == tmp_path / "refresh" / "0012"
    assert upkeep.reference_file(tmp_path, 12345) == tmp_path / "refresh" / "references" / "12345.npz"


# looking at files


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read to the end, in order."""
    names: list[str] = []
    read = upkeep.sha256

    def counted(path: Path) -> str:
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(upkeep, "sha256", counted)
    return names


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "part.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    return path


def later(seconds: float) -> int:
    """Return a moment after now, in ns."""
    return time.time_ns() + round(seconds * SECOND)


def test_a_first_look_reads_every_file_and_notes_what_the_system_says(part: Path, reads: list[str]) -> None:
    other = part.with_name("other.csv")
    other.write_text("a,b\n", encoding="utf-8")
    now = later(10)
    first, second = look([part, other], (), now)
    stat = part.stat()
    assert reads == ["part.csv", "other.csv"]
    digest = "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470"
    stamp = (stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
    assert first == SourceFile(str(part), *stamp, now, digest)
    assert second.sha256 != first.sha256


def test_an_unchanged_file_is_not_read_again(part: Path, reads: list[str]) -> None:
    known = look([part], (), later(10))
    assert look([part], known, later(20)) == known
    assert look([part], known, later(30)) == known
    assert reads == ["part.csv"]


def test_a_relative_path_is_the_same_file(part: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    known = look([part], (), later(10))
    monkeypatch.chdir(part.parent)
    assert look([Path("part.csv")], known, later(20)) == known
    assert reads == ["part.csv"]


def touched(path: Path) -> None:
    os.utime(path, (1, 1))


def replaced(path: Path) -> None:
    other = path.with_name("new.csv")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def grown(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("3,4\n")


def rewritten_in_place(path: Path) -> None:
    """Another content of the same length in the same inode, and the time of the change set back."""
    before = path.stat()
    with path.open("r+", encoding="utf-8") as file:
        file.write("b,a\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_ino, after.st_mtime_ns) == (before.st_size, before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("change", "same"), [(touched, True), (replaced, True), (grown, False), (rewritten_in_place, False)]
)
def test_a_file_that_something_was_done_to_is_read_again(
    part: Path, reads: list[str], change: Callable[[Path], None], same: bool
) -> None:
    known = look([part], (), later(10))
    time.sleep(0.02)  # a tick of the file system's clock
    change(part)
    again = look([part], known, later(20))
    assert reads == ["part.csv", "part.csv"]
    assert (content(again) == content(known)) is same


def test_only_the_file_that_changed_is_read_again(part: Path, reads: list[str]) -> None:
    paths = [part.with_name(f"{place}.csv") for place in range(4)]
    for path in paths:
        path.write_text(path.name, encoding="utf-8")
    known = look(paths, (), later(10))
    reads.clear()
    grown(paths[2])
    look(paths, known, later(20))
    assert reads == ["2.csv"]


def test_a_file_that_was_changed_just_before_the_look_is_not_trusted(part: Path, reads: list[str]) -> None:
    fresh = look([part], (), part.stat().st_ctime_ns + SECOND)
    assert len(reads) == 1
    settled = look([part], fresh, later(60))
    assert len(reads) == 2, "another change within a tick of the clock could have gone unseen"
    look([part], settled, later(70))
    assert len(reads) == 2


def test_a_file_of_the_future_is_never_trusted(part: Path, reads: list[str]) -> None:
    ahead = later(3600)
    os.utime(part, ns=(ahead, ahead))
    known = look([part], (), later(10))
    look([part], known, later(20))
    assert len(reads) == 2


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        look([tmp_path / "absent.csv"], (), later(0))


# what has changed


def test_the_content_depends_on_the_files_bytes_alone() -> None:
    files = [seen("/data/a.csv", "aa"), seen("/data/b.csv", "bb")]
    renamed = [seen("/elsewhere/z.csv", "bb", size=11, inode=9, looked=99), seen("/data/y.csv", "aa", modified=0)]
    assert content(files) == content(files[::-1]) == content(renamed)


def test_the_content_changes_with_a_file_more_fewer_twice_or_other() -> None:
    a, b = seen("/data/a.csv", "aa"), seen("/data/b.csv", "bb")
    others = [[a], [a, a], [a, b, b], [a, replace(b, sha256="bc")], [replace(a, sha256="aab"), replace(b, sha256="b")]]
    assert len({content(files) for files in [[a, b], *others]}) == 6


A, B = seen("/data/a.csv", "aa"), seen("/data/b.csv", "bb")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ([A, B], {}),
        ([B, A], {}),
        ([A, B, seen("/data/c.csv", "cc")], {"new": ["c.csv"]}),
        ([A, replace(B, sha256="bc")], {"changed": ["b.csv"]}),
        ([A], {"gone": ["b.csv"]}),
        ([A, replace(B, path="/data/z.csv")], {}),
        ([replace(A, path="/other/a.csv"), replace(B, path="/other/b.csv")], {}),
        ([replace(A, sha256="bb"), replace(B, sha256="aa")], {}),
        ([A, seen("/data/z.csv", "zz")], {"new": ["z.csv"], "gone": ["b.csv"]}),
        ([A, B, replace(B, path="/data/copy.csv")], {}),
        ([], {"gone": ["a.csv", "b.csv"]}),
    ],
)
def test_files_are_new_changed_or_gone_and_renamed_ones_none_of_these(
    now: list[SourceFile], told: dict[str, list[str]]
) -> None:
    assert changed_files([A, B], now) == {"new": [], "changed": [], "gone": [], **told}


def test_at_first_every_file_is_new() -> None:
    assert changed_files([], [A, B]) == {"new": ["a.csv", "b.csv"], "changed": [], "gone": []}


@pytest.mark.parametrize(
    ("before", "now", "names"),
    [
        ({}, {}, []),
        ({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [1, 2], "b": 1}}, []),
        ({"seed": 1}, {"seed": 2}, ["seed"]),
        ({"a": {"b": {"c": 1}}, "d": 0}, {"a": {"b": {"c": 2}}, "d": 0}, ["a.b.c"]),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 1}}, ["a.c"]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 1}}, ["a.c"]),
        ({"a": {"b": 1}}, {"a": 1}, ["a"]),
        ({"a": None}, {"a": {"b": 1}}, ["a"]),
        ({"z": 1, "a": 1}, {"z": 2, "a": 2}, ["a", "z"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
        ({}, {"a": {"b": 1}}, ["a"]),
    ],
)
def test_what_differs_between_two_settings_has_a_dotted_name(
    before: dict[str, Any], now: dict[str, Any], names: list[str]
) -> None:
    assert changed_keys(before, now) == names
