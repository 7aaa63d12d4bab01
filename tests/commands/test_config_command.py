"""``config show`` and ``config schema``: what is printed is a configuration again, says whence, and keeps secrets."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from examples import ROOT
from jsonschema import Draft202012Validator
from rich.console import Console

from synthcli.config import as_plain, load, schema
from synthcli.config.json_schema import FILE_NAME, editor_comment, schema_text
from synthcli.config.load import absolute_in, with_paths
from synthcli.reports.settings import settings_text

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))

MIXED = """\
data:
  path: [parts/*.csv, /data/b.csv, "s3://bucket/c.csv"]
  columns: {"yes": {type: id}, "a: b": {type: datetime, format: "%d.%m.%Y"}}
  constraints:
    - {kind: fixed_combinations, column_names: [a rather long column name, another column name that is long]}
split: {holdout: 0.3}
synthesizer:
  kind: auto
  candidates: [gaussian_copula, {kind: forest, privacy: high}]
validate:
  gates_add:
    - {metric: utility.*, max_drop_from: old/report.json}
refresh: {after_promotion: ["sh -c 'exec make -s release >>log/release.txt 2>&1 || logger -t synthcli failed'"]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("SYNTHCLI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def anchored(file: Path, *sets: str) -> dict[str, Any]:
    """Return the configuration that a file gives, its paths as they are seen from everywhere."""
    return with_paths(as_plain(load(file, sets).config), lambda path: absolute_in(Path(), path))


@pytest.mark.parametrize("options", [[], ["--resolved"]], ids=["stated", "resolved"])
@pytest.mark.parametrize("name", [*(file.name for file in CONFIGS), "mixed.yaml"])
def test_what_is_shown_is_the_same_configuration_wherever_it_is_saved(
    call, folder: Path, name: str, options: list[str]
) -> None:
    own = ROOT / "configs" / name
    if name == "mixed.yaml":
        own = folder / "conf" / name
        own.parent.mkdir()
        own.write_text(MIXED)
    ended = call("config", "show", "-c", own, "--set", "run.seed=11", *options)
    assert (ended.code, ended.err) == (0, "")
    saved = folder / "elsewhere" / "saved.yaml"
    saved.parent.mkdir()
    saved.write_text(ended.out)
    assert anchored(saved) == anchored(own, "run.seed=11")


def test_only_what_was_stated_is_shown(call, folder: Path) -> None:
    Path("a.yaml").write_text("split: {holdout: 0.3}\nprotection:\nvalidate: {secrets: []}\n")
    ended = call("config", "show", "-c", "a.yaml", "--set", "refresh.drift.psi=null")
    assert ended.out == "split:\n  holdout: 0.3\n\nvalidate:\n  secrets: []\n\nrefresh:\n  drift:\n    psi: null\n"


def test_nothing_stated_is_a_configuration_too(call, folder: Path) -> None:
    ended = call("config", "show")
    assert ended.out.startswith("{}  # ")
    Path("a.yaml").write_text(ended.out)
    assert load(Path("a.yaml")).config == load().config


def test_every_value_says_where_it_comes_from(call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.yaml").write_text("split:\n  holdout: 0.3\nrun: {seed: 1}\n")
    monkeypatch.setenv("SYNTHCLI_SAMPLE__ROWS", "5")
    words = ("config", "show", "-c", "a.yaml", "--set", "split.salt=x", "--out", "/o", "--resolved")
    values = {
        "split.holdout": (0.3, "a.yaml:2:3"),
        "run.seed": (1, "a.yaml:3:7"),
        "sample.rows": (5, "SYNTHCLI_SAMPLE__ROWS"),
        "split.salt": ("x", "--set"),
        "run.output_dir": ("/o", "flag"),
        "split.method": ("hash", "default"),
    }
    result = call(*words, "--json").document["result"]
    text = call(*words).out
    for key, (value, origin) in values.items():
        section, name = key.split(".")
        assert (result["config"][section][name], result["origins"][key]) == (value, origin)
        assert re.search(rf"^  {name}: +{re.escape(str(value))} +# {re.escape(origin)}$", text, re.MULTILINE)
    assert result["origins"].keys() == load().origins.keys()
    stated = call(*words[:-1], "--json").document["result"]
    assert stated["origins"] == {key: origin for key, (_, origin) in values.items() if origin != "default"}


def test_a_flag_for_the_seed_counts(call, folder: Path) -> None:
    assert call("config", "show", "--seed", "4").out == "run:\n  seed: 4\n"


def test_the_documentation_shows_what_is_printed(call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SYNTHCLI_SPLIT__HOLDOUT", "0.3")
    text = (ROOT / "docs" / "completion.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"^```text\n(split:\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    printed = call("config", "show", "-c", "configs/flights.yaml", "--resolved").out
    assert re.sub(" +", " ", shown) in re.sub(" +", " ", printed)  # their column follows from where the project lies


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_comments_stand_in_one_column_within_eighty(
    call, folder: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.chdir(ROOT)
    lines = call("config", "show", "--resolved", "-c", f"configs/{file.name}").out.splitlines()
    short = [line for line in lines if "/" not in line.partition("#")[0]]  # where the project lies is not ours to say
    assert max(map(len, short)) <= 80
    beside = {line.index("  # ") for line in lines if "  # " in line and line.partition("#")[0].strip()}
    assert len(beside) == 1


def test_only_a_terminal_gets_colours_and_they_are_the_comments(call, folder: Path) -> None:
    assert "\x1b" not in call("config", "show", "--resolved").out
    console = Console(force_terminal=True, color_system="standard", width=40, soft_wrap=True)
    with console.capture() as captured:
        console.print(settings_text({"run": {"seed": 7}}, {"run.seed": "a.yaml:1:7"}))
    assert captured.get() == "run:\n  seed: 7  \x1b[2m# a.yaml:1:7\x1b[0m\n"


def test_a_narrow_terminal_breaks_no_line(call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = call("config", "show", "--resolved", "--set", f"data.path={'x' * 200}.csv").out
    monkeypatch.setenv("COLUMNS", "20")
    assert call("config", "show", "--resolved", "--set", f"data.path={'x' * 200}.csv").out == wide


def test_a_long_list_gets_a_line_an_item_and_a_long_value_its_comment_above() -> None:
    names = [f"column_{number}" for number in range(9)]
    values = {"data": {"path": "p" * 70, "missing": names, "target": "late"}}
    origins = {"data.path": "a.yaml:2:3", "data.missing": "a.yaml:3:3", "data.target": "default"}
    assert settings_text(values, origins).plain.splitlines() == [
        "data:",
        "  # a.yaml:2:3",
        f"  path: {'p' * 70}",
        "  missing:      # a.yaml:3:3",
        *(f"    - {name}" for name in names),
        "  target: late  # default",
    ]


def test_secrets_are_shown_nowhere(call, folder: Path) -> None:
    Path("a.yaml").write_text(
        'data: {path: ["ftp://anna:hunter2@host/a.csv", "https://host/b.csv?token=hunter2"]}\n'
        "augment: {given: 'https://anna:hunter2@host/c.csv'}\n"
        "validate: {gates_add: [{metric: a, max_drop_from: 'https://anna:hunter2@host/r.json'}]}\n"
        "refresh: {after_promotion: ['curl \"https://anna:hunter2@host/x?key=hunter2\"']}\n"
        "run: {workers: 'tcp://anna:hunter2@host:8786'}\n"
    )
    for options in ([], ["--resolved"], ["--json"], ["--resolved", "--json"]):
        ended = call("config", "show", "-c", "a.yaml", *options)
        assert ended.code == 0
        assert "hunter2" not in ended.out + ended.err
        assert ended.out.count("***") >= 6


def test_parameters_of_another_kind_are_set_aside_and_named(call, folder: Path) -> None:
    Path("a.yaml").write_text("synthesizer: {kind: ctgan, epochs: 3}\n")
    ended = call("config", "show", "-c", "a.yaml", "--set", "synthesizer.kind=forest")
    assert ended.out == "synthesizer:\n  kind: forest\n"
    assert "a.yaml:1:28" in ended.err
    assert "synthesizer.epochs" in ended.err


def test_the_schema_is_printed_and_is_the_result(call, folder: Path) -> None:
    assert call("config", "schema").out == schema_text()
    assert call("config", "schema", "--json").document["result"] == schema() == json.loads(schema_text())


@pytest.mark.parametrize("words", [["config"], ["config", "list"], ["config", "schema", "--resolved"]])
def test_wrong_usage_exits_2(call, folder: Path, words: list[str]) -> None:
    ended = call(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "hint: " in ended.err


def test_a_configuration_that_is_wrong_is_not_shown(call, folder: Path) -> None:
    ended = call("config", "show", "--set", "split.holdout=2")
    assert (ended.code, ended.out) == (2, "")


TABLES = {
    "plain": "person,age,late\n" + "".join(f"P{n:03d},{n % 60},{str(n % 3 == 0).lower()}\n" for n in range(300)),
    "odd": '"a: b","#x","größe, ""q""","yes"\n' + "".join(f"{n},x{n % 3},{n * 0.5},no\n" for n in range(100)),
    "foreign": "größe;zahl\n" + "".join(f"a{n % 4};{n},5\n" for n in range(100)),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_init_writes_fits_the_schema_that_it_writes_beside(call, folder: Path, name: str) -> None:
    Path("t.csv").write_text(TABLES[name], encoding="utf-8")
    ended = call("init", "t.csv", "--out-config", "conf/a.yaml", "--json")
    assert ended.document["artifacts"] == {"config": "conf/a.yaml", "schema": f"conf/{FILE_NAME}"}
    text = Path("conf/a.yaml").read_text(encoding="utf-8")
    assert text.splitlines()[0] == editor_comment(FILE_NAME)
    assert FILE_NAME in text.partition("\ndata:")[0].split("\n", 1)[1]  # said to people, too
    stored = json.loads(Path("conf", FILE_NAME).read_text(encoding="utf-8"))
    assert stored == schema()
    shown = call("config", "show", "-c", "conf/a.yaml", "--json").document["result"]["config"]
    Draft202012Validator(stored).validate(shown)


def test_init_renews_an_old_schema_and_a_dry_run_writes_none(call, folder: Path) -> None:
    Path("t.csv").write_text(TABLES["plain"])
    assert call("init", "t.csv", "--dry-run").code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["t.csv"]
    Path(FILE_NAME).write_text("{}")
    assert call("init", "t.csv").code == 0
    assert Path(FILE_NAME).read_text(encoding="utf-8") == schema_text()
