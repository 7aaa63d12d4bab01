"""``rollback``: an earlier version is champion again, unharmed, and gives the rows that it gave before."""

from __future__ import annotations

from pathlib import Path

import pytest
from growing import Place, held, started, tree

from synthcli.artifacts import sha256

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where version 1 learned from three months, version 2 from four, and version 3 from five."""
    place = started(tmp_path_factory.mktemp("finished")).refreshed()
    for number in (4, 5):
        place.add(number)
        place.refreshed()
    return place


@pytest.fixture
def place(finished: Place, tmp_path: Path) -> Place:
    return finished.copy(tmp_path)


def test_the_previous_version_is_champion_again_and_back(call, place: Place) -> None:
    assert place.aliases() == {"champion": 3, "previous": 2}
    ended = call("rollback", "-c", place.config, "--json")
    assert (ended.code, ended.document["status"]) == (0, "ok")
    assert ended.document["result"] == {"champion": 2, "previous": 3}
    assert place.aliases() == {"champion": 2, "previous": 3}
    assert call("rollback", "-c", place.config, "--json").document["result"] == {"champion": 3, "previous": 2}
    assert place.aliases() == {"champion": 3, "previous": 2}


@pytest.mark.parametrize("named", ["1", "0001"])
def test_any_version_that_is_named_becomes_champion(call, place: Place, named: str) -> None:
    assert call("rollback", named, "-c", place.config).code == 0
    assert place.aliases() == {"champion": 1, "previous": 3}


def test_aliases_that_are_not_about_the_champion_stay(call, place: Place) -> None:
    call("fit", "-c", place.config, "--seed", 4, "-q")
    assert call("rollback", "latest", "-c", place.config).code == 0
    assert place.aliases() == {"champion": 4, "previous": 3, "latest": 4}


def test_the_event_is_recorded_and_nothing_else_changes(call, place: Place) -> None:
    changed = ("generators/aliases.json", "generators/events.jsonl")
    before, events = tree(place.out, *changed), place.events()
    call("rollback", "-c", place.config, "-q")
    assert tree(place.out, *changed) == before
    assert place.events()[:-1] == events
    event = place.events()[-1]
    assert (event["event"], event["version"], event["champion"], event["previous"]) == ("rolled_back", 2, 2, 3)
    assert event["why"] == "from 0003"


def test_after_a_rollback_the_same_seed_gives_the_same_bytes(call, place: Place) -> None:
    def drawn(name: str) -> str:
        path = place.folder / f"{name}.parquet"
        assert call("sample", "-c", place.config, "-n", 300, "--seed", 11, "--output", path, "-q").code == 0
        return sha256(path)

    call("rollback", "1", "-c", place.config, "-q")
    first = drawn("first")
    call("rollback", "3", "-c", place.config, "-q")
    other = drawn("other")
    call("rollback", "1", "-c", place.config, "-q")
    assert drawn("again") == first != other


def test_a_refresh_with_nothing_new_leaves_the_person_s_choice_alone(call, place: Place) -> None:
    call("rollback", "1", "-c", place.config, "-q")
    ended = call("refresh", "-c", place.config, "--json")
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "unchanged")
    assert place.aliases() == {"champion": 1, "previous": 3}


def test_drift_is_measured_against_what_the_champion_in_force_learned_from(call, place: Place) -> None:
    call("rollback", "1", "-c", place.config, "-q")
    place.add(6, rows=10)
    result = call("refresh", "-c", place.config, "--json", "--dry-run").document["result"]
    assert result["outcome"] == "planned"
    assert result["drift"]["reference_rows"] == place.manifest(1)["train"]["rows"]
    assert result["source"]["new_share"] == pytest.approx(1010 / 2510, abs=0.03)


def test_the_version_in_force_is_nothing_to_do(call, place: Place) -> None:
    before = tree(place.out)
    ended = call("rollback", "3", "-c", place.config, "--json")
    assert (ended.code, ended.document["status"], ended.document["artifacts"]) == (0, "skipped", {})
    assert tree(place.out) == before


def test_a_dry_run_says_what_would_be_and_writes_nothing(call, place: Place) -> None:
    (place.out / ".lock").unlink()
    before = tree(place.out)
    ended = call("rollback", "-c", place.config, "--json", "--dry-run")
    assert (ended.code, ended.document["result"]) == (0, {"champion": 2, "previous": 3})
    assert tree(place.out) == before


@pytest.mark.parametrize("harm", ["other bytes", "a file less", "a file more", "no manifest"])
def test_a_damaged_version_is_refused_and_the_champion_stays(call, place: Place, harm: str) -> None:
    folder = place.generators / "0002"
    path = folder / "model" / "columns.json"
    if harm == "other bytes":
        path.write_bytes(path.read_bytes() + b" ")
    elif harm == "a file less":
        path.unlink()
    elif harm == "a file more":
        path.with_name("added.pkl").write_bytes(b"")
    else:
        (folder / "manifest.json").write_text("{", encoding="utf-8")
    before = tree(place.out)
    ended = call("rollback", "-c", place.config, "--json")
    assert (ended.code, ended.document["error"]["kind"]) == (3, "bad_table")
    assert tree(place.out) == before


def test_from_a_damaged_champion_one_gets_back(call, place: Place) -> None:
    path = place.generators / "0003" / "model" / "columns.json"
    path.write_bytes(b"")
    assert call("rollback", "-c", place.config).code == 0
    assert place.aliases()["champion"] == 2


@pytest.mark.parametrize("named", ["9", "nobody", "0"])
def test_a_version_that_is_not_there_exits_3_and_the_hint_lists_what_is(call, place: Place, named: str) -> None:
    before = tree(place.out)
    ended = call("rollback", named, "-c", place.config, "--json")
    assert (ended.code, ended.document["error"]["kind"]) == (3, "missing_file")
    assert "0001, 0002, 0003" in ended.document["error"]["hint"]
    assert tree(place.out) == before


def test_a_folder_of_another_place_is_no_version_of_this_one(call, finished: Place, place: Place) -> None:
    before = tree(place.out)
    ended = call("rollback", finished.generators / "0001", "-c", place.config, "--json")
    assert (ended.code, ended.document["error"]["kind"]) == (3, "missing_file")
    assert tree(place.out) == before


def test_without_a_previous_champion_a_version_has_to_be_named(call, tmp_path: Path, place: Place) -> None:
    (place.generators / "aliases.json").write_text('{"champion": 3}', encoding="utf-8")
    ended = call("rollback", "-c", place.config, "--json")
    assert (ended.code, ended.document["error"]["kind"]) == (3, "missing_file")
    assert "no previous champion" in ended.document["error"]["message"]
    assert call("rollback", "--out", tmp_path / "nothing").code == 3


def test_where_there_was_no_champion_there_is_no_previous_one_afterwards(call, place: Place) -> None:
    (place.generators / "aliases.json").unlink()
    assert call("rollback", "1", "-c", place.config, "--json").document["result"] == {"champion": 1, "previous": None}
    assert place.aliases() == {"champion": 1}


def test_a_held_lock_exits_75(call, place: Place) -> None:
    with held(place.out) as pid:
        before = tree(place.out)
        ended = call("rollback", "-c", place.config, "--json")
        assert tree(place.out) == before
    assert (ended.code, ended.document["error"]["kind"]) == (75, "lock")
    assert str(pid) in ended.document["error"]["message"]


def test_a_mistyped_directory_is_not_made(call, tmp_path: Path) -> None:
    assert call("rollback", "--out", tmp_path / "nowhere").code == 3
    assert call("refresh", tmp_path / "nofile.csv", "--out", tmp_path / "nowhere").code == 3
    assert not (tmp_path / "nowhere").exists()
