"""Every block of code in the documentation is run here, or says by which test it is, or why it cannot be.

Blocks of ``text`` are output and blocks of ``console`` a command with its output; all others are meant to be used. A
block of a language that nobody reads here fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from examples import ROOT
from pages import PAGES, Block, blocks, calls, lines, parsed, read

from synthcli import audit, synthesizers
from synthcli.app import run
from synthcli.config import load

#: Pages whose blocks are run, or read, by a test of their own; which languages of them.
ELSEWHERE = {
    "docs/ci.md": ("tests/commands/test_docs_ci_cron.py", {"yaml", "make"}),
    "docs/cron.md": ("tests/commands/test_docs_ci_cron.py", {"yaml", "sh", "crontab", "logrotate", "ini", "make"}),
    "docs/scale-out.md": ("tests/commands/test_docs_scale_out.py", {"sh"}),
}
#: Blocks of shell that are not run, by a part of their text, and why; their words are checked all the same.
NOT_RUN = {
    "make install": "installs everything anew, and runs the tests, this one among them",
    "make dist": "builds what tests/test_packaging.py has built and looked into",
    "/bin/pip install": "installs hundreds of megabytes",
    "../empty/bin/synthcli": "with an installation that such a block has made",
    "--install-completion": "changes what the user's shell starts with",
}
#: Blocks of YAML that are no configuration.
OTHER_YAML = {("docs/compare.md", "- run: synthcli compare"): "steps of a GitHub workflow"}

BLOCKS = [block for page in PAGES for block in blocks(page)]


def of(*languages: str) -> list[Block]:
    """Return the blocks of these languages that no other test is there for."""
    return [
        block
        for block in BLOCKS
        if block.language in languages and block.language not in ELSEWHERE.get(block.page, ("", set()))[1]
    ]


def ids(block: Block) -> str:
    return f"{block.page}:{block.line}"


def not_run(block: Block) -> bool:
    return any(part in block.text for part in NOT_RUN)


# -- all blocks are known ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_is_a_block_of_a_language_that_is_read(page: str) -> None:
    fences = re.findall(r"^ *```", read(page), re.M)
    found = blocks(page)
    assert len(fences) == 2 * len(found)
    here = {"sh", "yaml", "python", "json", "console", "text"}
    odd = [f"line {b.line}: {b.language or 'no language'}" for b in found
           if b.language not in here | ELSEWHERE.get(page, ("", set()))[1]]  # fmt: skip
    assert odd == []


def test_tests_elsewhere_are_there_and_look_at_these_pages() -> None:
    for page, (test, languages) in ELSEWHERE.items():
        assert Path(page).name in read(test) or Path(page).stem in read(test)
        assert languages <= {block.language for block in blocks(page)}


def test_exceptions_are_needed() -> None:
    shell = [block.text for block in of("sh")]
    assert [part for part in NOT_RUN if not any(part in text for text in shell)] == []
    assert [known for known in OTHER_YAML if not any(is_other(block) == known for block in of("yaml"))] == []


def is_other(block: Block) -> tuple[str, str] | None:
    return next((known for known in OTHER_YAML if known[0] == block.page and known[1] in block.text), None)


# -- words that are not run are words that there are -------------------------------------------------------------------


@pytest.mark.parametrize("block", of("sh", "console"), ids=ids)
def test_commands_are_what_the_parser_takes(block: Block) -> None:
    told = [line.removeprefix("$ ") for line in lines(block.text) if block.language == "sh" or line.startswith("$ ")]
    script = "\n".join(told)
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    words = [parsed(words) for words in calls(script) if not words[0].startswith("$")]
    assert words or not_run(block), "a block of shell without any command of ours"


@pytest.mark.parametrize("block", [block for block in of("sh") if not_run(block)], ids=ids)
def test_what_is_not_run_names_targets_and_extras_that_there_are(block: Block) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    made = [line.partition("#")[0].split()[1:] for line in lines(block.text) if line.startswith("make ")]
    targets = [target for words in made for target in words]
    assert [target for target in targets if f"\n{target}: " not in makefile] == []
    asked = [name for named in re.findall(r"\[([a-z0-9,]+)\]", block.text) for name in named.split(",")]
    assert set(asked) <= set(extras)
    usual = r"make |python3? -m venv |\S+/bin/(pip|synthcli) |synthcli --[a-z-]+$|for step in |  |done$"
    assert [line for line in lines(block.text) if not re.match(usual, line)] == []


@pytest.mark.parametrize("block", of("yaml"), ids=ids)
def test_yaml_is_a_configuration(block: Block, tmp_path: Path) -> None:
    if is_other(block):
        return
    file = tmp_path / "synthcli.yaml"
    file.write_text(block.text)
    load(file)


@pytest.mark.parametrize("block", of("json"), ids=ids)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


# -- Python ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def registries() -> Iterator[None]:
    """Take back what a page makes known to the project."""
    before = [(registry, dict(registry)) for registry in (synthesizers.KINDS, audit.METRICS, audit.MEASURES)]
    yield
    for registry, known in before:
        registry.clear()
        registry.update(known)


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("page", sorted({block.page for block in of("python")}))
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    with contextlib.chdir(tmp_path):
        for block in (block for block in of("python") if block.page == page):
            exec(compile(f"{chr(10) * block.line}{block.text}", page, "exec"), module.__dict__)


# -- shell -------------------------------------------------------------------------------------------------------------

#: What makes commands quick that say nothing else themselves: a generator that only counts, little to simulate and
#: to measure. What a block's own flags ask for is done in full.
QUICK = {
    "SYNTHCLI_SYNTHESIZER__KIND": "independent",
    "SYNTHCLI_VALIDATE__FAMILIES": "[privacy]",
    "SYNTHCLI_AUGMENT__LIFT": "off",
    "SYNTHCLI_AUGMENT__SYNTHESIZER__KIND": "independent",
    "SYNTHCLI_COLLAPSE_SIM__ROWS": "50",
    "SYNTHCLI_COLLAPSE_SIM__METRICS": "[tvd]",
    "SYNTHCLI_COLLAPSE_SIM__GENERATIONS": "3",
    "SYNTHCLI_COLLAPSE_SIM__CHAINS": "2",
    "SYNTHCLI_COLLAPSE_SIM__REGIMES": "[replace]",
    "SYNTHCLI_REFRESH__SEEDS": "2",
    "SYNTHCLI_RUN__WORKERS": "1",
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
}


def from_nothing(block: Block) -> bool:
    """Whether a block begins with a table of one's own: where a run was before, its split has another rule."""
    first = next(calls(block.text), [""])
    return first[0] == "init" or (first[0] == "split" and not {"-c", "--out"} & set(first))


def ran(line: str) -> int:
    """Run a line of shell and return its exit code; what is nothing but a command of ours in this process."""
    words = shlex.split(line, comments=True)
    if words[0] == "synthcli" and not set("|&;<>$*") & set(line):
        return run(words[1:])
    return subprocess.run(["sh", "-c", line], check=False, stdout=subprocess.DEVNULL).returncode


def expected(line: str) -> int:
    """Return the exit code that a comment at the end of the line tells of, else 0."""
    told = re.search(r"# exit (\d+)", line)
    return int(told[1]) if told else 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the project's configurations, small sample data, and a finished run of them."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "configs", folder / "configs")
    flights = pl.read_csv(ROOT / "sample_data" / "flights.csv", infer_schema=False)[:1500]
    (folder / "sample_data" / "flights").mkdir(parents=True)
    for path in (ROOT / "sample_data" / "flights").iterdir():
        pl.read_parquet(path)[:150].write_parquet(folder / "sample_data" / "flights" / path.name)
    for name in ("data.csv", "sample_data/flights.csv"):
        flights.write_csv(folder / name)
    flights[:20].with_columns(pl.lit(None).alias("late")).select("carrier", "late").write_csv(folder / "partial.csv")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        for name, value in QUICK.items():
            patch.setenv(name, value)
        config = "-q -c configs/flights.yaml"
        for words in ("split", "fit", "sample --seed 7 -n 1200", "validate"):
            assert run(shlex.split(f"{words} {config}")) == 0
        for name in ("train", "holdout"):
            pl.read_parquet(f"artifacts/split/{name}.parquet").write_csv(f"{name}.csv", null_value="NA")
        pl.read_parquet("artifacts/synthetic/synthetic.parquet").write_csv("synthetic.csv", null_value="NA")
        shutil.copy("artifacts/synthetic/synthetic.parquet", "synthetic.parquet")
        shutil.copy("artifacts/validate/report.json", "report.json")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in of("sh") if not not_run(block)}))
def test_the_shell_of_a_page_runs_from_top_to_bottom(
    page: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    folder, new = (Path(shutil.copytree(finished, tmp_path / name)) for name in ("here", "new"))
    shutil.rmtree(new / "artifacts")
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    for block in (block for block in of("sh") if block.page == page and not not_run(block)):
        with contextlib.chdir(new if from_nothing(block) else folder):
            for line in lines(block.text):
                code = ran(line)
                assert code == expected(line), f"{ids(block)}: {line}\n{capfd.readouterr().err}"


# -- output ------------------------------------------------------------------------------------------------------------

#: Pages whose output is of runs that take many minutes.
LONG_RUNS = {"docs/compare.md"}


def masked(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run and machine to machine: figures, spaces."""
    plain = (re.sub(r"\s+", " ", re.sub(r"\d[\d,.:]*", "0", line)).strip() for line in text.splitlines())
    return [line for line in plain if line]


def shown(told: list[str], printed: list[str]) -> bool:
    """Whether the output is what is told; ``[…]`` in that stands for any lines."""
    pattern = "".join("(?:.*\n)*?" if line == "[…]" else f"{re.escape(line)}\n" for line in told)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def test_an_output_is_held_against_what_was_printed() -> None:
    printed = masked("rows   12,300\n\nat 10:30\nnext  x\n")
    assert shown(["rows 0", "at 0", "next x"], printed)
    assert shown(["rows 0", "[…]"], printed)
    assert not shown(["rows 0", "next x"], printed)
    assert not shown(["rows 0", "at 0", "next y"], printed)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "console" or b.page == "README.md"], ids=ids)
def test_an_output_fits_a_terminal(block: Block) -> None:
    wide = [line for line in block.text.splitlines() if len(line) > 80 and not line.startswith("$ ")]
    assert block.language not in ("text", "console") or wide == []


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the sample flights were taken through the whole pipeline, as the pages have it."""
    folder = tmp_path_factory.mktemp("flights")
    for name in ("configs", "sample_data"):
        shutil.copytree(ROOT / name, folder / name)
    with contextlib.chdir(folder):
        for words in (
            "split -c configs/flights.yaml",
            "fit -c configs/flights.yaml --synthesizer forest",
            "sample -c configs/flights.yaml --seed 7",
            "validate -c configs/flights.yaml",
            "refresh -c configs/refresh.yaml",
            "refresh --force -c configs/refresh.yaml",
        ):
            assert run([*shlex.split(words), "-q"]) in (0, 1)
    return folder


OUTPUTS = [block for block in of("console") if block.page not in LONG_RUNS]


@pytest.mark.slow
@pytest.mark.parametrize("block", OUTPUTS, ids=ids)
def test_an_output_is_what_the_command_prints(block: Block, flights: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(flights, tmp_path / "here")
    command, *told = block.text.splitlines()
    words = [sys.executable, "-m", *shlex.split(command.removeprefix("$ "))]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert shown(masked("\n".join(told)), masked(done.stdout)), f"{command} printed\n\n{done.stdout}\n{done.stderr}"


def test_a_line_of_shell_ends_where_its_quotes_do() -> None:
    assert lines("# x\n\na 'b\nc' d\ne it's  # isn't\nf \\\n g\n") == ["a 'b\nc' d", "e it's  # isn't", "f   g"]
