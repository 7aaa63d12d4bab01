"""No command loads a library that it does not use: what cron and CI call often starts in half a second."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from examples import mixed_table

from synthcli.app import COMMANDS, run
from synthcli.registry import set_aliases

#: What takes a tenth of a second or more to import, or is there for some commands only.
HEAVY = frozenset(
    {"polars", "numpy", "pandas", "scipy", "sklearn", "sdv", "torch", "pydantic", "rich", "pyarrow", "yaml", "fsspec"}
    | {"s3fs", "dask", "distributed", "imblearn"}
)
#: What every command may load: configuration in, report out.
LIGHT = {"pydantic", "yaml", "rich"}
TABLES = LIGHT | {"polars", "numpy", "pyarrow"}
#: scikit-learn imports pandas where that is installed, and scipy always.
MODELS = TABLES | {"scipy", "sklearn", "pandas"}
SDV = MODELS | {"sdv", "torch"}

#: Commands that read no table. All of them may load the same, so that one process can run them one after the other.
READERS = {
    "status": "status",
    "history": "history",
    "rollback": "rollback",
    "prune": "prune --keep 5",
    "compare": "compare out/validate/report.json out/validate/report.json",
    "gate": "gate out/synthetic/synthetic.parquet --report out/validate/report.json",
    "lineage": "lineage out/synthetic/synthetic.parquet",
    "config": "config show",
    "doctor": "doctor",
}

#: What runs in a process of its own, what it may load, and what it has to, or the row has grown stale.
WORKERS: dict[str, tuple[tuple[str, ...], set[str], str]] = {
    # It compares the parts of the split by a classifier; --dry-run writes none and has nothing to compare.
    "split": (("split",), MODELS, "sklearn"),
    "split, dry": (("split --dry-run",), TABLES | {"scipy"}, "polars"),
    "init": (("init real.parquet --out-config other.yaml --force",), TABLES | {"scipy"}, "polars"),
    # Choosing among kinds is an audit, whose modules are there although one kind is named; no model is.
    "fit": (("fit --force",), TABLES | {"scipy"}, "polars"),
    # Rows go down trees by scikit-learn's own code.
    "a forest": (("fit --synthesizer forest", "sample --generator latest --output drawn.csv"), MODELS, "sklearn"),
    "a copula": (("fit --synthesizer gaussian_copula",), SDV, "sdv"),
    "sample": (("sample --generator 1", "sample --generator 1 --shards 2"), TABLES, "polars"),
    "validate": (("validate",), MODELS, "polars"),
    "validate from": (("validate --from out/validate/report.json",), TABLES | {"scipy"}, "pydantic"),
    "augment": (("augment --mode impute",), MODELS, "sklearn"),
    "collapse-sim": (("collapse-sim --dry-run",), MODELS, "sklearn"),
    "refresh": (("refresh --force",), MODELS, "polars"),
}

#: Runs command lines from stdin one after the other, and tells after each its exit code and what is loaded by then.
PROBE = f"""
import io, json, sys
lines, told = json.load(sys.stdin), sys.stdout
from synthcli.app import run
for words in lines:
    sys.stdout = io.StringIO()
    code = run(words)
    print(json.dumps([code, [name for name in {sorted(HEAVY)!r} if name in sys.modules]]), file=told)
"""


def loaded(folder: Path, *lines: str) -> list[tuple[int, set[str]]]:
    """Run command lines in one fresh process; return each one's exit code and what had been loaded after it."""
    words = [[*line.split(), *([] if line.startswith("init") else ["-c", "c.yaml"]), "-q"] for line in lines]
    done = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=folder, input=json.dumps(words), capture_output=True, text=True, check=True
    )
    return [(code, set(names)) for code, names in map(json.loads, done.stdout.splitlines())]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of every artifact that the commands above read."""
    folder = tmp_path_factory.mktemp("imports")
    mixed_table(400, 1).write_parquet(folder / "real.parquet")
    (folder / "c.yaml").write_text(
        "data: {path: real.parquet, target: late}\nsynthesizer: {kind: independent}\n"
        "augment: {lift: 'off'}\nvalidate: {families: [accuracy], gates: []}\n"
        "collapse_sim: {generations: 2, chains: 2}\nrun: {output_dir: out, workers: 1, seed: 3}\n"
    )
    for line in ("split", "fit", "fit --seed 4", "sample --seed 3", "validate"):
        assert run([*line.split(), "-q", "-c", str(folder / "c.yaml")]) == 0
    set_aliases(folder / "out", {"champion": 2, "previous": 1})
    return folder


def test_every_command_has_a_row() -> None:
    lines = [*READERS.values(), *(line for row in WORKERS.values() for line in row[0])]
    assert {line.split()[0] for line in lines} == set(COMMANDS)


def test_commands_that_read_no_table_load_no_library_for_tables(place: Path) -> None:
    ended = dict(zip(READERS, loaded(place, *READERS.values()), strict=True))
    assert [(name, names - LIGHT) for name, (_, names) in ended.items() if names - LIGHT] == []
    # The audit was of accuracy alone, and only a measured privacy lets a file pass.
    assert {name: code for name, (code, _) in ended.items()} == {**dict.fromkeys(READERS, 0), "gate": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKERS)
def test_a_command_loads_what_it_uses(place: Path, name: str) -> None:
    lines, allowed, needed = WORKERS[name]
    for code, names in loaded(place, *lines):
        assert code == 0
        assert needed in names
        assert names <= allowed


@pytest.mark.slow
def test_a_refresh_without_news_loads_no_library_for_tables(place: Path) -> None:
    loaded(place, "refresh")
    assert loaded(place, "refresh") == [(0, {"pydantic", "yaml"})]
