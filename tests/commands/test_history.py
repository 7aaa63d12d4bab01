"""``history``: every refresh and rollback with its figures, the oldest first, from the log of events alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from growing import Place, started, tree

from synthcli.app import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where a refresh promoted, one kept, one was stopped, one rejected, and a person rolled back."""
    place = started(tmp_path_factory.mktemp("finished")).refreshed().refreshed("--force")
    place.add(4, rows=40)
    place.refreshed()
    words = ["-c", str(place.config), "-q"]
    place.part(5).write_text("size,city\n1.5,Rom\n", encoding="utf-8")
    assert run(["refresh", *words]) == 3
    place.part(5).unlink()
    gate = "validate.gates_add=[{metric: accuracy.bivariate, min: 1.5}]"
    assert run(["refresh", *words, "--force", "--set", gate]) == 1
    assert run(["rollback", *words]) == 0
    place.refreshed()
    return place


def test_every_run_that_came_to_something_is_told_oldest_first(call, finished: Place) -> None:
    ended = call("history", "-c", finished.config, "--json")
    runs = ended.document["result"]["runs"]
    assert ended.code == 0
    assert [each["event"] for each in runs] == [
        "promoted",
        "promoted",
        "kept",
        "stopped",
        "rejected",
        "rolled_back",
        "kept",
    ]
    assert [each["at"] for each in runs] == sorted(each["at"] for each in runs)
    assert [each["version"] for each in runs] == [1, 2, None, None, 3, 1, None]


def test_figures_are_those_of_the_audit_and_of_the_data(call, finished: Place) -> None:
    runs = call("history", "-c", finished.config, "--json").document["result"]["runs"]
    events = [event for event in finished.events() if event["event"] == "promoted"]
    for told, event in zip(runs[:2], events, strict=True):
        assert told["figures"] == {"accuracy.bivariate": event["figures"]["accuracy.bivariate"]}
        assert (told["rows"], told["why"]) == (event["rows"], event["why"])
    assert (runs[0]["new_share"], runs[1]["new_share"]) == (None, 0.0)
    assert (runs[2]["rows"], runs[4]["rows"]) == (1540, 1540)
    assert 0 < runs[2]["new_share"] < 0.1
    assert runs[2]["figures"] == runs[3]["figures"] == {}
    assert 0 < runs[4]["figures"]["accuracy.bivariate"] < 1
    assert "2025-05.csv" in runs[3]["why"]
    assert "gates failed on the holdout: accuracy.bivariate" in runs[4]["why"]


def test_people_read_a_line_for_each_run(call, finished: Place) -> None:
    ended = call("history", "-c", finished.config)
    assert ended.code == 0
    assert ended.out.startswith("7 runs: ")
    for word in ("promoted", "kept", "stopped", "rejected", "rolled back"):
        assert word in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_the_log_alone_is_read_and_nothing_is_written(call, finished: Place, tmp_path: Path) -> None:
    place = finished.copy(tmp_path)
    shutil.rmtree(place.folder / "parts")
    for folder in (place.out / "refresh", place.out / "split", place.generators / "0001"):
        shutil.rmtree(folder)
    before = tree(place.folder)
    ended = call("history", "-c", place.config, "--json")
    assert len(ended.document["result"]["runs"]) == 7
    assert tree(place.folder) == before


def test_half_a_line_and_events_of_another_kind_are_passed_over(call, finished: Place, tmp_path: Path) -> None:
    place = finished.copy(tmp_path)
    with (place.generators / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "noticed"}\n[]\n{}\n{"event": "kept"}\n{"event": "promo')
    runs = call("history", "-c", place.config, "--json").document["result"]["runs"]
    assert len(runs) == 8
    assert (runs[-1]["event"], runs[-1]["at"], runs[-1]["why"]) == ("kept", None, "")
    assert call("history", "-c", place.config).code == 0


def test_where_nothing_was_refreshed_there_is_nothing_to_tell(call, tmp_path: Path) -> None:
    ended = call("history", "--out", tmp_path / "nothing", "--json")
    assert (ended.code, ended.document["result"]) == (0, {"runs": []})
    assert call("history", "--out", tmp_path / "nothing").out.startswith("no refresh has been recorded yet")
    assert not (tmp_path / "nothing").exists()
