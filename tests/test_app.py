"""The command line as a whole: quick help, lazy imports, exit codes, one JSON document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthcli import __version__
from synthcli.app import COMMANDS, load_command, run

HEAVY = ("polars", "pandas", "numpy", "sklearn", "sdv", "torch")


def loaded_by(*arguments: str, **environment: str) -> set[str]:
    """Return which of the heavy libraries a command line loads, seen from inside its process."""
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: sys.stderr.write('LOADED ' + ','.join(m for m in {HEAVY!r} if m in sys.modules)))\n"
        "from synthcli.app import run\n"
        "run(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return set(filter(None, done.stderr.rsplit("LOADED ", 1)[1].split(",")))


def test_the_probe_sees_a_heavy_import() -> None:
    assert "polars" in loaded_by("split", "no-such-file.csv")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(*arguments) == set()


@pytest.mark.parametrize("line", ["synthcli s", "synthcli fit --set s", "synthcli sample --where a"])
def test_completion_loads_nothing_heavy(line: str) -> None:
    found = loaded_by(_SYNTHCLI_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(line.count(" ")))
    assert found == set()


def test_help_lists_every_command_in_the_pipelines_order(capsys: pytest.CaptureFixture) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    positions = [text.index(f"  {name} ") for name in COMMANDS]
    assert positions == sorted(positions)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    for parameter in load_command(name).params:
        assert parameter.help, f"{name}: {parameter.name}"


def test_version_is_printed(capsys: pytest.CaptureFixture) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"synthcli {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["splti"], "split"),
        (["split", "--holdot", "0.2"], "--holdout"),
        (["sample", "-n", "many"], "whole number"),
        (["split"], "data.path"),
        (["split", "a.csv", "--holdout", "20"], "between 0 and 1"),
        (["fit", "--synthesizer", "gauss"], "gaussian_copula"),
        (["split", "a.csv", "--set", "split.holdot=1"], "holdout"),
    ],
)
def test_wrong_usage_exits_2_with_a_way_out(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert said in streams.err
    assert "hint: " in streams.err
    assert "Traceback" not in streams.err


def test_an_error_in_json_is_one_document_on_stdout(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    assert run(["split", str(tmp_path / "absent.csv"), "--json", "--out", str(tmp_path / "out")]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert (document["command"], document["status"], document["exit_code"]) == ("split", "error", 3)
    assert document["error"]["kind"] == "missing_file"
    assert document["error"]["hint"]


def test_an_unforeseen_error_exits_4_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, flights_csv: Path, tmp_path: Path
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret cell")

    monkeypatch.setattr("synthcli.commands.dividing.sides", crash)
    assert run(["split", str(flights_csv), "--out", str(tmp_path)]) == 4
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "secret" not in err
    assert "Traceback" not in err
    assert run(["split", str(flights_csv), "--out", str(tmp_path), "--debug"]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_a_broken_installation_exits_4() -> None:
    code = "import sys; sys.modules['typer'] = None; from synthcli.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "hint" in done.stderr


def test_linear_algebra_gets_one_thread() -> None:
    """With several threads it adds up in another order: the last bits of a report would follow from the machine."""
    probe = (
        "import sys; sys.argv[1:] = ['--version']\n"
        "from synthcli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: import numpy, scipy.linalg\n"
        "from threadpoolctl import threadpool_info\n"
        "print({pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas'})"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "{1}"


def test_the_module_runs_as_the_command_does() -> None:
    done = subprocess.run([sys.executable, "-m", "synthcli", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"synthcli {__version__}\n"


def test_a_panic_of_a_library_exits_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    panic = type("PanicException", (BaseException,), {})

    def crash(*_: object, **__: object) -> None:
        raise panic("a secret cell")

    monkeypatch.setattr("synthcli.commands.inputs.open_table", crash)
    assert run(["split", "a.csv", "--out", str(tmp_path)]) == 4
    assert "secret" not in capsys.readouterr().err


def test_what_goes_wrong_while_an_error_is_told_exits_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise AttributeError("a cell's text")

    monkeypatch.setattr("synthcli.app.own_words", broken)
    assert run(["sample", "--no-such-option"]) == 4
    told = capsys.readouterr().err
    assert "unexpected AttributeError" in told
    assert "a cell's text" not in told


def test_an_option_without_its_value_exits_2(capsys: pytest.CaptureFixture) -> None:
    assert run(["sample", "-n"]) == 2
    told = capsys.readouterr().err
    assert told == "synthcli sample: -n: no value after it, expected one\nhint: see synthcli sample --help\n"
