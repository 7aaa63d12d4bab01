"""``status``: the champion, its age and its data, the lock; quick, and without a look at any table."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from growing import Place, held, started, tree


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where refreshes promoted version 1 and, by force, version 2."""
    return started(tmp_path_factory.mktemp("finished")).refreshed().refreshed("--force")


@pytest.fixture
def place(finished: Place, tmp_path: Path) -> Place:
    return finished.copy(tmp_path)


@pytest.fixture
def status(call):
    """Return a function that asks for a place's status as a JSON document."""

    def called(place: Place, *words: object) -> Any:
        return call("status", "-c", place.config, "--json", *words)

    return called


def aged(place: Place, **age: float) -> None:
    """Let the champion be of an earlier time."""
    path = place.generators / "0002" / "manifest.json"
    created = (datetime.now(UTC) - timedelta(**age)).isoformat(timespec="seconds")
    path.write_text(json.dumps({**place.manifest(2), "created": created}), encoding="utf-8")


def test_a_fresh_champion_is_told_with_its_data_and_versions(status, place: Place) -> None:
    ended = status(place, "--max-age", "7d", "--fail-stale")
    result = ended.document["result"]
    assert (ended.code, ended.document["status"], result["stale"], result["reasons"]) == (0, "ok", False, [])
    assert (result["champion"], result["previous"], result["latest"]) == (2, 1, None)
    assert (result["kind"], result["intact"], result["max_age"]) == ("independent", True, "7d")
    assert result["lock"] == {"held": False, "pid": None}
    assert [(each["version"], each["aliases"]) for each in result["versions"]] == [(2, ["champion"]), (1, ["previous"])]
    assert result["champion_rows"] == result["versions"][0]["rows"] == place.manifest(2)["train"]["rows"]
    assert result["champion_created"] == place.manifest(2)["created"]
    assert 0 <= result["champion_age_seconds"] < 600
    assert (result["data"]["newest"], result["data"]["files"]) == ("2025-03-28", 3)
    assert result["data"]["age_seconds"] > 0
    assert result["last_check"]["outcome"] == "promoted"
    assert result["last_check"]["at"] == result["last_healthy"]["at"] == place.state()["checked"]


def test_status_writes_nothing(status, call, place: Place) -> None:
    before = tree(place.folder)
    status(place, "--max-age", "7d")
    call("status", "-c", place.config)
    assert tree(place.folder) == before


def test_an_empty_place_has_no_champion_and_stays_empty(status, tmp_path: Path) -> None:
    place = started(tmp_path / "empty")
    ended = status(place)
    result = ended.document["result"]
    assert (ended.code, result["champion"], result["versions"]) == (0, None, [])
    assert result["stale"] is True
    assert "no champion" in result["reasons"][0]
    assert (result["last_check"], result["last_healthy"], result["intact"]) == (None, None, None)
    failed = status(place, "--fail-stale")
    assert (failed.code, failed.document["status"], failed.document["exit_code"]) == (1, "failed", 1)
    assert not place.out.exists()


def test_a_version_that_fit_made_is_no_champion(call, status, tmp_path: Path) -> None:
    place = started(tmp_path / "fitted")
    call("split", "-c", place.config, "-q")
    call("fit", "-c", place.config, "-q")
    result = status(place).document["result"]
    assert (result["champion"], result["latest"], result["stale"]) == (None, 1, True)
    assert [each["version"] for each in result["versions"]] == [1]


def test_an_old_champion_is_stale_and_exits_1_only_where_that_is_asked_for(status, place: Place) -> None:
    aged(place, days=8)
    for words, stale in ([], False), (["--max-age", "7d"], True), (["--max-age", "9d"], False):
        for more in ([], ["--fail-stale"]):
            ended = status(place, *words, *more)
            assert ended.document["result"]["stale"] is stale
            assert ended.code == (1 if stale and more else 0)
    assert "8.0 days old, the limit is 7d" in status(place, "--max-age", "7d").document["result"]["reasons"][0]


def test_the_age_in_the_configuration_counts_and_the_option_goes_before_it(status, place: Place) -> None:
    aged(place, hours=3)
    place.configure("refresh: {", "refresh: {max_age: 2h, ")
    assert status(place, "--fail-stale").code == 1
    assert status(place, "--fail-stale", "--max-age", "240m").code == 0


def test_a_champion_of_the_future_is_not_relied_on(status, place: Place) -> None:
    aged(place, days=-2)
    result = status(place).document["result"]
    assert result["stale"] is True
    assert "of the future" in result["reasons"][0]


@pytest.mark.parametrize("text", ["soon", "7", "-1d", "7 days", ""])
def test_an_age_that_is_none_is_a_mistake_of_usage(status, place: Place, text: str) -> None:
    ended = status(place, "--max-age", text)
    assert (ended.code, ended.document["error"]["kind"]) == (2, "config")
    assert "7d, 12h or 30m" in ended.document["error"]["message"]


def test_a_damaged_champion_is_told(status, place: Place) -> None:
    path = place.generators / "0002" / "model" / "columns.json"
    path.write_bytes(path.read_bytes() + b" ")
    ended = status(place, "--fail-stale")
    result = ended.document["result"]
    assert (ended.code, result["champion"], result["intact"], result["stale"]) == (1, 2, False, True)
    assert result["reasons"] == ["the files of champion 0002 are not those that were published"]
    assert status(place).code == 0


@pytest.mark.parametrize("lost", ["the folder", "the manifest"])
def test_a_champion_that_is_lost_is_told(status, place: Place, lost: str) -> None:
    if lost == "the folder":
        shutil.rmtree(place.generators / "0002")
    else:
        (place.generators / "0002" / "manifest.json").write_text("{", encoding="utf-8")
    ended = status(place, "--fail-stale")
    result = ended.document["result"]
    assert (ended.code, result["champion"], result["kind"], result["intact"]) == (1, 2, None, None)
    assert [each["version"] for each in result["versions"]] == [1]
    assert "champion 0002 is not there" in result["reasons"][0]


def test_a_damaged_older_version_does_not_make_the_champion_stale(status, place: Place) -> None:
    (place.generators / "0001" / "manifest.json").write_text("{", encoding="utf-8")
    ended = status(place, "--fail-stale")
    assert (ended.code, ended.document["result"]["stale"]) == (0, False)
    assert [each["version"] for each in ended.document["result"]["versions"]] == [2]


def test_a_lost_state_leaves_the_champion_known(status, place: Place) -> None:
    (place.out / "refresh" / "state.json").write_text("{", encoding="utf-8")
    result = status(place).document["result"]
    assert (result["champion"], result["stale"]) == (2, False)
    assert (result["last_check"], result["data"]["newest"], result["data"]["files"]) == (None, None, None)


def test_who_holds_the_lock_is_told_and_nobody_is_waited_for(status, call, place: Place) -> None:
    with held(place.out) as pid:
        ended = status(place, "--fail-stale")
        shown = call("status", "-c", place.config)
    assert (ended.code, ended.document["result"]["lock"]) == (0, {"held": True, "pid": pid})
    assert f"held by process {pid}" in shown.out
    assert status(place).document["result"]["lock"] == {"held": False, "pid": None}


def test_a_refresh_that_was_stopped_is_told_with_the_last_that_was_well(status, call, place: Place) -> None:
    place.state(healthy="2025-04-01T00:00:00+00:00")
    place.part(4).write_text("size,city\n1.5,Rom\n", encoding="utf-8")
    assert call("refresh", "-c", place.config, "-q").code == 3
    result = status(place).document["result"]
    assert result["last_check"]["outcome"] == "stopped"
    assert "2025-04.csv" in result["last_check"]["why"]
    assert result["last_healthy"]["at"] == "2025-04-01T00:00:00+00:00"
    assert result["champion"] == 2


def test_people_read_the_verdict_first_and_what_to_do_next(call, place: Place) -> None:
    fresh = call("status", "-c", place.config)
    assert fresh.out.startswith("fresh: champion 0002")
    assert f"next: synthcli sample -c {place.config}" in fresh.err
    aged(place, days=8)
    stale = call("status", "-c", place.config, "--max-age", "7d")
    assert stale.out.startswith("stale: ")
    assert "synthcli refresh" in stale.err


def test_quiet_says_nothing_but_why_it_fails(call, place: Place) -> None:
    well = call("status", "-c", place.config, "-q", "--fail-stale")
    assert (well.code, well.out, well.err) == (0, "", "")
    aged(place, days=8)
    ill = call("status", "-c", place.config, "-q", "--fail-stale", "--max-age", "7d")
    assert (ill.code, ill.out, len(ill.err.splitlines())) == (1, "", 1)
    assert "the limit is 7d" in ill.err


@pytest.mark.parametrize("words", [["status"], ["history"], ["prune", "--keep", "9"], ["rollback", "--dry-run"]])
def test_what_looks_at_no_table_loads_no_library_for_tables(finished: Place, words: list[str]) -> None:
    """So that a check every minute costs next to nothing."""
    heavy = ["numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn", "sdv", "torch"]
    code = (
        "import sys; from synthcli.app import run; code = run(sys.argv[1:])\n"
        f"print(code, sorted(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "-c", str(finished.config)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
