"""Who follows nothing but the lines ``next: …`` gets from a table to a release; each of them runs as it is printed."""

from __future__ import annotations

import random
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthcli.app import COMMANDS

#: Names that a shell, YAML or a CSV reader could take for something else.
ODD = ("no", 'said "hi"', "Größe (cm)", "a,b", "# 1", "x: y")


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def odd_table(rows: int = 240) -> str:
    draw = random.Random(1)
    lines = [",".join(map(quoted, ODD))]
    for _ in range(rows):
        size = round(draw.gauss(170, 10), 1)
        cells = (draw.randint(0, 9), draw.choice("ab"), size, draw.choice("cd"), draw.randint(0, 100), size > 172)
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def german_table(rows: int = 240) -> str:
    draw = random.Random(2)
    lines = ["kunde;tag;preis;leer;art"]
    for number in range(rows):
        price = f"{draw.gauss(5, 1):.2f}".replace(".", ",")
        lines.append(f"K{number:05d};{draw.randint(1, 28):02d}.03.2024;{price};;{draw.choice('xyz')}")
    return "\n".join(lines) + "\n"


TABLES = {"odd names/it's a table.csv": odd_table(), "umsatz.csv": german_table()}


def following(ended: Any) -> list[str]:
    """Return the words of the next command, read as a shell reads them."""
    lines = [line for line in ended.err.splitlines() if line.startswith("next: ")]
    assert len(lines) == 1, ended.err
    assert ended.err.endswith(f"{lines[0]}\n"), "it is the last that is said"
    name, *words = shlex.split(lines[0].removeprefix("next: "))
    assert name == "synthcli"
    assert words[0] in COMMANDS
    return words


@pytest.fixture(params=TABLES)
def begun(
    request: pytest.FixtureRequest, call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Return how ``init`` ended on a table; its generator is a quick one."""
    monkeypatch.chdir(tmp_path)
    path = Path(request.param)
    path.parent.mkdir(exist_ok=True)
    path.write_text(TABLES[request.param], encoding="utf-8")
    wishes = {
        "synthesizer.kind": "independent",
        "sample.seed": "1",
        "validate.families": "[validity, privacy]",
        "validate.gates": "[{metric: validity.schema, min: 1}]",
    }
    ended = call("init", path, *(word for key, value in wishes.items() for word in ("--set", f"{key}={value}")))
    assert ended.code == 0, ended.err
    return ended


def test_the_next_lines_lead_from_a_table_to_a_release(call: Callable[..., Any], begun: Any) -> None:
    ended, ran = begun, ["init"]
    while ran[-1] != "lineage":
        wrote = re.findall(r"^wrote \w+: (.*)$", ended.err, re.MULTILINE)
        assert wrote or ran[-1] == "gate"
        assert all(Path(path).exists() for path in wrote)
        words = following(ended)
        ended = call(*words)
        ran.append(words[0])
        assert ended.code == 0, ended.err
    assert ran == ["init", "split", "fit", "sample", "validate", "gate", "lineage"]
    assert following(ended)


@pytest.fixture
def place(call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a fitted generator and its table, made without a configuration."""
    monkeypatch.chdir(tmp_path)
    Path("umsatz.csv").write_text(TABLES["umsatz.csv"], encoding="utf-8")
    for words in ("split umsatz.csv --out 'my out'", "fit --synthesizer independent --out 'my out'"):
        assert call(*shlex.split(words), "-q").code == 0
    return tmp_path


WITHOUT_TABLES = ("status", "history", "prune --keep 3", "lineage 'my out/split/train.parquet'", "lineage umsatz.csv",
                  "rollback latest", "sample --output 'new rows.csv'", "sample --output rows.jsonl",
                  "lineage rows.jsonl", "lineage 'new rows.csv'")  # fmt: skip


@pytest.mark.parametrize("typed", WITHOUT_TABLES)
def test_every_command_names_one_that_runs(call: Callable[..., Any], place: Path, typed: str) -> None:
    own = [] if typed.startswith("lineage umsatz") else ["--out", "my out"]
    if typed.startswith("lineage") and "rows" in typed:
        assert call("sample", "--output", shlex.split(typed)[1], *own).code == 0
    ended = call(*shlex.split(typed), *own)
    assert ended.code == 0, ended.err
    words = following(ended)
    assert words != [*shlex.split(typed), *own], "a step on"
    assert call(*words, "--dry-run").code in (0, 1)


def test_the_next_command_goes_on_with_the_same_settings(call: Callable[..., Any], place: Path) -> None:
    ended = call("split", "umsatz.csv", "--out", "other", "--set", "data.target=art", "--set", "split.salt=a b")
    assert following(ended) == [
        *("fit", "--set", "data.target=art", "--set", "split.salt=a b", "--out", "other")
    ]  # fmt: skip


SECRET = "https://anna:hunter2@127.0.0.1:9/x.csv?token=hunter2"


def test_the_next_command_shows_no_credentials(call: Callable[..., Any], place: Path) -> None:
    for setting in (
        f"data.path={SECRET}",
        f"data.path=[a.csv, '{SECRET}']",
        f'refresh.after_promotion=["curl {SECRET}"]',
    ):
        ended = call("sample", "--out", "my out", "--set", setting, "--set", "sample.rows=9")
        assert following(ended) == ["validate", "--set", "sample.rows=9", "--out", "my out"]
        assert "hunter2" not in ended.err
        failed = call("fit", "--out", "nowhere", "--set", setting, "--train", "no.csv")
        assert failed.code == 3
        assert "hunter2" not in failed.err
    failed = call("fit", SECRET, "--out", "my out")
    assert failed.code == 2
    assert "hunter2" not in failed.err
    assert "hunter2" not in call(SECRET).err


def test_a_table_whose_url_holds_credentials_is_named_to_no_other_command(
    call: Callable[..., Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthcli.commands.emitting.shown", lambda _: "ftp://***@host/x.csv")
    ended = call("sample", "--out", "my out", "--output", "memory://x.csv")
    assert following(ended) == ["status", "--out", "my out"]


def test_a_report_of_several_parts_is_followed_by_the_gate_of_their_folder(
    call: Callable[..., Any], place: Path
) -> None:
    few = ("--set", "validate.families=[validity, privacy]", "--set", "validate.gates=[]", "--fail-on", "never")
    assert call("sample", "--out", "my out", "--shards", "3", "-q").code == 0
    assert call("validate", "--out", "my out", *few, "-q").code == 0
    again = ("validate", "--from", "my out/validate/report.json", "--fail-on", "never", "--out", "my out")
    words = following(call(*again))
    assert words == ["gate", "my out/synthetic/shards", "--out", "my out"]
    assert call(*words).code in (0, 1)
    shutil.rmtree("my out/synthetic/shards")
    assert following(call(*again)) == ["status", "--out", "my out"]


def test_what_was_written_elsewhere_is_audited_there(call: Callable[..., Any], place: Path) -> None:
    ended = call("sample", "--output", "new rows.csv", "--out", "my out")
    assert following(ended) == ["validate", "--synthetic", "new rows.csv", "--out", "my out"]


def test_no_audit_is_named_where_the_split_has_too_few_rows_for_one(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("few.csv").write_text(german_table(60), encoding="utf-8")
    assert following(call("split", "few.csv"))[0] == "fit"
    assert following(call("fit", "--synthesizer", "independent"))[0] == "sample"
    ended = call("sample")
    assert following(ended) == ["lineage", "artifacts/synthetic/synthetic.parquet"]
    assert following(call(*following(ended))) == ["status"]


def test_a_failed_audit_leads_to_a_generator_that_may_do_better(
    call: Callable[..., Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--set", "validate.families=[validity]", "--set", "validate.gates=[{metric: validity.schema, min: 2}]"]

    def after_failure() -> list[str]:
        call("sample", "--out", "my out", "-q")
        ended = call("validate", "--out", "my out", *words)
        assert ended.code == 1
        return following(ended)

    assert after_failure()[0] == "lineage"
    monkeypatch.setattr("synthcli.commands.following.ENOUGH_TO_CHOOSE", 100)
    assert after_failure()[:3] == ["fit", "--synthesizer", "auto"]
    monkeypatch.undo()
    monkeypatch.chdir(place)
    call("fit", "--synthesizer", "forest", "--out", "my out", "-q")
    other = after_failure()
    assert other[:5] == ["fit", "--synthesizer", "gaussian_copula", "--set", "synthesizer.marginals=empirical"]
    before = Path("my out/generators/0001/manifest.json")
    known = before.read_text(encoding="utf-8")
    before.write_text("{", encoding="utf-8")
    assert after_failure() == other, "a version that nobody asked about may be damaged"
    before.write_text(known, encoding="utf-8")
    assert call(*other, "-q").code == 0
    assert after_failure()[0] == "lineage", "both kinds were tried"
    call("fit", "--synthesizer", "forest", "--out", "my out", "--seed", "1", "-q")
    assert after_failure()[:5] == ["fit", "--synthesizer", "forest", "--set", "synthesizer.privacy=low"]
    gate = call("gate", "my out/synthetic/synthetic.parquet", "--out", "my out")
    assert gate.code == 1
    shown = call(*following(gate))
    assert shown.code == 1
    assert "validity.schema" in shown.out


def test_quiet_says_nothing_of_what_is_next(call: Callable[..., Any], place: Path) -> None:
    for words in ("status", "history", "prune --keep 3"):
        assert "next: " not in call(*shlex.split(words), "--out", "my out", "-q").err
