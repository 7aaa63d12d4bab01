"""Shell completion through the shells' own protocol: what is offered, from where, in silence and at no cost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.completion import get_completion_script

from synthcli.app import COMMANDS, load_command, run
from synthcli.config.generators import KINDS
from synthcli.config.load import load
from synthcli.errors import ConfigError

SHELLS = ("bash", "zsh", "fish")
Offers = Callable[..., dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("SYNTHCLI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def offers(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> Offers:
    """Return a function that asks what could stand for the last word of a command line; it returns value -> help."""

    def asked(line: str, shell: str = "fish") -> dict[str, str]:
        words = line.split(" ")
        environment = {
            "_SYNTHCLI_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "COMP_WORDS": "\n".join(words),
            "COMP_CWORD": str(len(words) - 1),
            "COLUMNS": "80",
        }
        capfd.readouterr()
        with monkeypatch.context() as context:
            for name, value in environment.items():
                context.setenv(name, value)
            code = run([])
        streams = capfd.readouterr()
        assert (code, streams.err) == (0, "")
        return read(streams.out, shell)

    return asked


def read(out: str, shell: str) -> dict[str, str]:
    if shell == "zsh":
        return dict(re.findall(r'"([^"]*)"(?::"([^"]*)")?', out.replace(r"\\:", ":")))
    lines = [line for line in out.split("\n") if line]
    return {value: told for value, _, told in (line.partition("\t") for line in lines)}


def versions(out: Path, *numbers: int, **aliases: int) -> Path:
    for number in numbers:
        (out / "generators" / f"{number:04d}").mkdir(parents=True)
        (out / "generators" / f"{number:04d}" / "manifest.json").write_text("{}")
    (out / "generators" / "aliases.json").write_text(json.dumps(aliases))
    return out


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_options_and_values_are_offered_in_every_shell(folder: Path, offers: Offers, shell: str) -> None:
    versions(folder / "artifacts", 1, 2, champion=2, previous=1, latest=2)
    assert list(offers("synthcli ", shell)) == list(COMMANDS)
    assert list(offers("synthcli s", shell)) == ["split", "sample", "status"]
    assert {"--generator", "--where", "--config", "--set"} <= offers("synthcli sample --", shell).keys()
    assert list(offers("synthcli config ", shell)) == ["show", "schema"]
    assert list(offers("synthcli sample --generator ", shell)) == ["champion", "previous", "latest", "0002", "0001"]
    assert list(offers("synthcli rollback ", shell)) == ["champion", "previous", "latest", "0002", "0001"]
    assert list(offers("synthcli sample --generator 0", shell)) == ["0002", "0001"]


def test_versions_say_what_they_are(folder: Path, offers: Offers) -> None:
    versions(folder / "artifacts", 1, 2, champion=2, latest=2)
    assert offers("synthcli rollback ") == {
        "champion": "version 0002",
        "latest": "version 0002",
        "0002": "champion, latest",
        "0001": "",
    }


def test_versions_are_those_of_the_output_directory_in_force(
    folder: Path, offers: Offers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flag over ``--set`` over variable over file; a file at hand counts without being named."""
    for number, out in enumerate(("artifacts", "mine", "conf/its", "env", "set", "flag"), 1):
        versions(folder / out, number)
    (folder / "conf" / "a.yaml").write_text("run:\n  output_dir: its\n")
    ask = "synthcli sample{} --generator "
    assert list(offers(ask.format(""))) == ["0001"]
    (folder / "synthcli.yaml").write_text("run: {seed: 1}\n")
    assert list(offers(ask.format(""))) == ["0001"]
    (folder / "synthcli.yaml").write_text("run: {output_dir: mine}\n")
    assert list(offers(ask.format(""))) == ["0002"]
    assert list(offers(ask.format(" -c conf/a.yaml"))) == ["0003"]
    monkeypatch.setenv("SYNTHCLI_RUN__OUTPUT_DIR", "env")
    assert list(offers(ask.format(" -c conf/a.yaml"))) == ["0004"]
    assert list(offers(ask.format(" -c conf/a.yaml --set run.output_dir=set --set run.seed=1"))) == ["0005"]
    assert list(offers(ask.format(" --out flag -c conf/a.yaml --set run.output_dir=set"))) == ["0006"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("split --method ", ["hash", "group", "stratified", "time", "random"]),
        ("split --method st", ["stratified"]),
        ("sample --format ", ["parquet", "csv", "jsonl"]),
        ("collapse-sim --regime a", ["augment", "accumulate", "accumulate-subsample"]),
        ("augment --mode ", ["rebalance", "impute", "upsample"]),
        ("fit --synthesizer ", list(KINDS)),
        ("collapse-sim --synthesizer f", ["forest"]),
        ("augment --synthesizer ", [kind for kind in KINDS if kind != "auto"]),
        ("fit --set ru", ["run.seed=", "run.workers=", "run.output_dir="]),
        ("fit --set s", ["split.", "synthesizer.", "sample."]),
        ("fit --set refresh.drift.p", ["refresh.drift.psi="]),
        (
            "fit --set split.meth",
            [f"split.method={one}" for one in ("", "hash", "group", "stratified", "time", "random")],
        ),
        ("fit --set augment.whole=", ["augment.whole=", "augment.whole=true", "augment.whole=false"]),
        ("fit --set augment.whole=t", ["augment.whole=true"]),
        ("fit --set no.such=", []),
        ("fit --set nothing", []),
    ],
)
def test_what_is_offered(folder: Path, offers: Offers, line: str, expected: list[str]) -> None:
    assert list(offers(f"synthcli {line}")) == expected


def test_every_key_that_is_offered_is_one(folder: Path, offers: Offers) -> None:
    sections = offers("synthcli fit --set ")
    assert len(sections) == 10
    keys = [key for section in sections for key in offers(f"synthcli fit --set {section}")]
    assert len(keys) > 100
    # Parameters of generators belong to one kind or another; the models' own test tells.
    told = [mistake(f"{key}[]") for key in keys if "synthesizer" not in key]
    assert [line for line in told if "unknown key" in line] == []
    assert "unknown key" in mistake("split.no_such=[]")


def mistake(setting: str) -> str:
    try:
        load(sets=[setting])
    except ConfigError as error:
        return error.message
    return ""


def test_configurations_are_offered_here_and_one_folder_below(folder: Path, offers: Offers) -> None:
    for name in ("a.yaml", "b.yml", "c.csv", "conf/d.yaml", "conf/deep/e.yaml", "[x].yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    assert list(offers("synthcli fit -c ", "bash")) == ["[x].yaml", "a.yaml", "b.yml", "conf/d.yaml"]
    assert list(offers("synthcli fit --config conf/", "bash")) == ["conf/d.yaml", "conf/deep/e.yaml"]
    assert list(offers("synthcli fit -c [", "bash")) == ["[x].yaml"]
    assert list(offers("synthcli fit -c c.", "bash")) == []  # the shell's own completion takes over


def described(*names: str) -> dict[str, list[dict[str, str]]]:
    return {"columns": [{"name": name, "kind": "categorical"} for name in names]}


def test_columns_are_those_of_the_split_else_of_the_generator(folder: Path, offers: Offers) -> None:
    out = versions(folder / "artifacts", 1, latest=1)
    assert offers("synthcli split --by ") == {}
    manifest = {"schema_version": 1, "version": 1, "kind": "forest", "parameters": {}, "seed": 0, "versions": {}}
    manifest |= {"train": {"path": "a.csv", "rows": 1}, "fingerprint": "", "fit_seconds": 0, "notes": [], "files": {}}
    manifest |= {"created": "2026-01-01T00:00:00+00:00"}
    (out / "generators" / "0001" / "manifest.json").write_text(json.dumps(manifest))
    (out / "generators" / "0001" / "schema.json").write_text(json.dumps(described("city")))
    assert offers("synthcli augment --column ") == {"city": "categorical"}
    (out / "split").mkdir()
    (out / "split" / "split.json").write_text(json.dumps({"schema": described("city", "größe", "a b", "x'y")}))
    assert list(offers("synthcli split --by ")) == ["city", "größe"]  # others would have to be quoted
    assert offers("synthcli sample --where c") == {"city=": "categorical"}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "line",
    [
        "synthcli sample --generator ",
        "synthcli sample -c broken.yaml --generator ",
        "synthcli sample -c list.yaml --generator ",
        "synthcli sample -c absent.yaml --out absent --generator ",
        "synthcli split --by ",
        "synthcli no-such --generator ",
        "synthcli sample --no-such --generator ",
        "synthcli sample --rows many --generator ",
        "synthcli sample 'unclosed",
        "synthcli fit --set =",
        "synthcli fit --set .=",
    ],
)
def test_whatever_is_wrong_completion_is_silent(folder: Path, offers: Offers, line: str, shell: str) -> None:
    (folder / "broken.yaml").write_text("run: {output_dir: [")
    (folder / "list.yaml").write_text("- a\n")
    (folder / "artifacts" / "generators").mkdir(parents=True)
    (folder / "artifacts" / "generators" / "aliases.json").write_text("{")
    (folder / "artifacts" / "split").mkdir()
    (folder / "artifacts" / "split" / "split.json").write_text("{}")
    offers(line, shell)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_offer_is_one_line_whatever_its_help(folder: Path, offers: Offers, name: str) -> None:
    known = {flag for parameter in load_command(name).params for flag in (*parameter.opts, *parameter.secondary_opts)}
    offered = offers(f"synthcli {name} --")
    assert offered.keys() <= known | {"--help"}
    assert len(offered) > 5


def test_versions_are_offered_without_any_model(folder: Path) -> None:
    versions(folder / "mine", 7)
    (folder / "a.yaml").write_text("run: {output_dir: mine}\n")
    code = (
        "import sys, atexit\n"
        "heavy = ('synthcli.config', 'polars', 'numpy', 'pandas', 'sklearn', 'rich')\n"
        "atexit.register(lambda: print('LOADED', *(name for name in heavy if name in sys.modules)))\n"
        "from synthcli.app import run\n"
        "run([])"
    )
    asked = {"_SYNTHCLI_COMPLETE": "complete_bash", "COMP_CWORD": "5"}
    asked["COMP_WORDS"] = "synthcli\nsample\n-c\na.yaml\n--generator\n"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert (done.stdout.split(), done.stderr) == (["0007", "LOADED"], "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_itself_completes(folder: Path) -> None:
    """The script that ``--install-completion`` puts in place, sourced and asked by a real bash."""
    versions(folder / "artifacts", 3, latest=3)
    binary = folder / "bin" / "synthcli"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec {sys.executable} -m synthcli "$@"\n')
    binary.chmod(0o755)
    script = get_completion_script(prog_name="synthcli", complete_var="_SYNTHCLI_COMPLETE", shell="bash")
    asking = 'COMP_WORDS=(synthcli sample --generator ""); COMP_CWORD=3; _synthcli_completion synthcli'
    done = subprocess.run(
        ["bash", "-c", f'{script}\n{asking}\necho "${{COMPREPLY[*]}}"'],
        env={**os.environ, "PATH": f"{binary.parent}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.split(), done.stderr) == (["latest", "0003"], "")
