"""The house's rules about imports, held by reading the code: they go down only, and each library has its room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import ROOT

PACKAGE = ROOT / "synthcli"

#: Rooms from the top of the house to its ground; a module imports from its own or lower lines only.
FLOORS = (
    {"__main__"},
    {"app"},
    {"commands"},
    {"reports", "registry", "holdout", "upkeep"},
    {
        "audit",
        "tally",
        "gate",
        "selection",
        "drift",
        "challenge",
        "augmentation",
        "collapse",
        "profiling",
        "profile",
        "comparison",
    },
    {"metrics", "synthesizers", "protection"},
    {"constraints", "counts", "encoding", "splitting", "lineage", "sketches"},
    {"columns"},
    {"rowkeys", "tables"},
    {"inference"},
    {"forms"},
    {"schema"},
    {"executors"},
    {"config", "seeds", "parallel", "artifacts", "progress", "versions", "diagnosis", "foresight"},
    {"remote", "wording"},
    {"errors"},
)
LEVEL = {room: level for level, floor in enumerate(reversed(FLOORS)) for room in floor}

#: Where a library may be imported at all.
HOMES = {
    "typer": {"app", "commands"},
    "rich": {"commands", "progress", "reports"},
    "sdv": {"synthesizers/sdv"},
    "pandas": {"synthesizers/sdv"},
    "torch": {"synthesizers/sdv"},
    "pydantic": {"config", "reports"},
    "yaml": {"config", "commands/completing"},
    "sklearn": {"augmentation", "metrics", "synthesizers/forest"},
    "imblearn": {"augmentation"},
    "filelock": {"registry"},
    "xxhash": {"rowkeys"},
    "dask": {"executors"},
    "distributed": {"executors"},
    "fsspec": {"remote"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yield what the module imports at run time, inside functions too; typing-only imports do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    own = room(path)
    if own in ("__init__", "py"):
        return
    assert own in LEVEL, f"{own} has no floor: give it one in FLOORS and in docs/architecture.md"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "synthcli" and len(parts) > 1 and parts[1] != own:
            assert LEVEL[parts[1]] < LEVEL[own] or (LEVEL[parts[1]] == LEVEL[own] and (own, parts[1]) in SAME_FLOOR), (
                f"{own} imports {parts[1]}, which stands above it or beside it"
            )


#: Neighbours on one floor that use each other, one way.
SAME_FLOOR = {
    ("holdout", "registry"),
    ("upkeep", "registry"),
    ("tables", "rowkeys"),
    ("splitting", "encoding"),
    ("gate", "audit"),
    ("audit", "tally"),
    ("selection", "audit"),
    ("selection", "gate"),
    ("challenge", "selection"),
}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    here = str(path.relative_to(PACKAGE)).removesuffix(".py")
    for name in imports(path):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or any(here == home or here.startswith(f"{home}/") for home in homes), f"{name} in {here}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "a module opens with a docstring"


def test_nothing_is_called_a_catch_all() -> None:
    assert {path.stem for path in modules()}.isdisjoint(
        {"utils", "util", "helpers", "helper", "common", "misc", "core"}
    )


def test_the_map_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = [name for name in LEVEL if name not in text]
    assert missing == []
