"""``prune``: old versions go with what was counted and reported of them; what an alias names stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from growing import Place, held, started, tree

from synthcli import registry


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with six versions: copies of a first one, each with its counts and its report."""
    place = started(tmp_path_factory.mktemp("finished")).refreshed()
    first = registry.resolve(place.out, "1")
    described = {name: getattr(first.manifest, name) for name in registry.Described.__annotations__}

    def write(folder: Path) -> None:
        shutil.copytree(first.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))

    for number in range(2, 7):
        registry.publish(place.out, write, **described)
        refresh = place.out / "refresh"
        shutil.copy(refresh / "references" / "0001.npz", refresh / "references" / f"{number:04d}.npz")
        shutil.copytree(refresh / "0001", refresh / f"{number:04d}")
    registry.set_aliases(place.out, {"champion": 4, "previous": 2})
    return place


@pytest.fixture
def place(finished: Place, tmp_path: Path) -> Place:
    return finished.copy(tmp_path)


def left(place: Place) -> dict[str, list[str]]:
    """Return the numbers that versions, counts and reports of are left."""
    refresh = place.out / "refresh"
    folders = {"versions": place.generators, "counts": refresh / "references", "reports": refresh}
    return {name: sorted(path.stem for path in folder.glob("0*")) for name, folder in folders.items()}


@pytest.mark.parametrize(
    ("keep", "removed", "kept"),
    [
        (1, [1, 3, 5], ["0002", "0004", "0006"]),
        (2, [1, 3], ["0002", "0004", "0005", "0006"]),
        (5, [1], ["0002", "0003", "0004", "0005", "0006"]),
    ],
)
def test_the_newest_stay_and_those_with_an_alias(
    call, place: Place, keep: int, removed: list[int], kept: list[str]
) -> None:
    ended = call("prune", "-c", place.config, "--keep", keep, "--json")
    assert (ended.code, ended.document["status"]) == (0, "ok")
    assert ended.document["result"] == {"removed": removed, "kept": len(kept)}
    assert left(place) == {"versions": kept, "counts": kept, "reports": kept}
    assert place.aliases() == {"champion": 4, "previous": 2, "latest": 6}
    for name in kept:
        registry.verify(registry.resolve(place.out, name))
    again = call("prune", "-c", place.config, "--keep", keep, "--json")
    assert (again.code, again.document["status"], again.document["result"]["removed"]) == (0, "skipped", [])


def test_of_challengers_that_were_turned_away_the_newest_reports_stay(call, place: Place) -> None:
    for number in (3, 5):
        shutil.rmtree(place.generators / f"{number:04d}")
    assert call("prune", "-c", place.config, "--keep", 2).code == 0
    assert left(place)["reports"] == ["0002", "0004", "0005", "0006"]


def test_the_table_the_state_and_the_log_are_none_of_its_business(call, place: Place) -> None:
    others = [f"{folder}/{number:04d}" for number in range(1, 7) for folder in ("generators", "refresh")]

    def rest() -> dict[str, str]:
        gone = (*others, "refresh/references")
        return {name: digest for name, digest in tree(place.out).items() if not name.startswith(gone)}

    before = rest()
    call("prune", "-c", place.config, "--keep", 1, "-q")
    assert rest() == before


def test_a_dry_run_removes_nothing_and_tells_the_same(call, place: Place) -> None:
    (place.out / ".lock").unlink()
    before = tree(place.out)
    planned = call("prune", "-c", place.config, "--keep", 2, "--json", "--dry-run")
    assert tree(place.out) == before
    assert "would remove" in call("prune", "-c", place.config, "--keep", 2, "--dry-run").out
    done = call("prune", "-c", place.config, "--keep", 2, "--json")
    assert planned.document["result"] == done.document["result"] == {"removed": [1, 3], "kept": 4}


@pytest.mark.slow
def test_numbers_that_are_gone_are_not_used_again(call, place: Place) -> None:
    (place.generators / "aliases.json").write_text('{"champion": 1}', encoding="utf-8")
    call("prune", "-c", place.config, "--keep", 1, "-q")
    assert call("refresh", "-c", place.config, "--force", "--json").document["result"]["version"] == 7


@pytest.mark.parametrize("words", [[], ["--keep", "0"], ["--keep", "-1"], ["--keep", "all"]])
def test_how_many_to_keep_has_to_be_said(call, place: Place, words: list[str]) -> None:
    before = tree(place.out)
    assert call("prune", "-c", place.config, *words).code == 2
    assert tree(place.out) == before


def test_a_held_lock_exits_75_and_nothing_goes(call, place: Place) -> None:
    with held(place.out):
        before = tree(place.out)
        ended = call("prune", "-c", place.config, "--keep", 1, "--json")
        assert tree(place.out) == before
    assert (ended.code, ended.document["error"]["kind"]) == (75, "lock")
