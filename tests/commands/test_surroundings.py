"""Commands in hostile surroundings: closed pipes, full disks, odd paths, no working directory, few descriptors."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from examples import mixed_table

from synthcli.app import run
from synthcli.registry import intact, numbers, resolve

#: Command lines that write into the output directory of a run that has everything they read.
WRITERS = (
    "split",
    "fit --force",
    "sample",
    "sample --shards 2 -n 100",
    "augment --mode impute",
    "validate",
    "collapse-sim",
    "refresh --force",
)


def slow(*cases: object) -> list[Any]:
    """Return cases that are left to ``make test-all``."""
    return [pytest.param(case, marks=pytest.mark.slow) for case in cases]


def prepared(folder: Path) -> Path:
    """Make a small run in ``folder``: split, fit, sample; return the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    mixed_table(300, 1).write_csv(folder / "real.csv")
    config = folder / "c.yaml"
    config.write_text(
        "data: {path: real.csv, target: late}\nsynthesizer: {kind: independent}\naugment: {lift: 'off'}\n"
        "validate: {families: [accuracy], gates: []}\n"
        "collapse_sim: {generations: 2, chains: 2, regimes: [replace], rows: 100}\n"
        "run: {output_dir: out, workers: 1, seed: 3}\n"
    )
    for command in ("split", "fit", "sample"):
        assert run([command, "-q", "-c", str(config)]) == 0
    return config


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the configuration of a finished run that nobody changes."""
    return prepared(tmp_path_factory.mktemp("surroundings"))


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> Path:
    """Return the configuration of a copy of it."""
    return Path(shutil.copytree(finished.parent, tmp_path / "own")) / finished.name


def shell(line: str, config: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in the configuration's folder, where ``$S`` is the command."""
    known = {**os.environ, "S": f"{sys.executable} -m synthcli", **environment}
    return subprocess.run(
        ["bash", "-c", line], cwd=config.parent, env=known, capture_output=True, text=True, check=False
    )


def files(folder: Path) -> dict[str, bytes]:
    """Return every file's content by its path; locks hold none."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".lock"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("($S status -c c.yaml; echo $? >&3) 3>code | (exec <&-)", 141),
        ("($S --help; echo $? >&3) 3>code | (exec <&-)", 141),
        ("($S sample -c c.yaml -n 200000 --output -; echo $? >&3) 3>code 2>/dev/null | head -1 >/dev/null", 141),
        ("($S sample -c absent.yaml --json 2>&1; echo $? >&3) 3>code | (exec <&-; sleep 3)", 3),
        ("$S sample -c c.yaml -v 2>&- >&- <&-; echo $? >code", 0),
        ("$S status -c c.yaml >/dev/full; echo $? >code", 4),
        ("$S status -c c.yaml --json >/dev/full; echo $? >code", 4),
    ],
)
def test_streams_that_nobody_reads(own: Path, line: str, code: int) -> None:
    """Never 1, which is a gate's, and not a word of Python's own."""
    done = shell(line, own)
    assert (own.parent / "code").read_text().strip() == str(code)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.slow
def test_a_closed_stderr_is_no_file_that_is_opened_next(own: Path) -> None:
    """The first file to be opened would get its number, and what a library says would go into it."""
    probe = (
        "import os, sys; sys.argv[1:] = ['--version']\n"
        "from synthcli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(os.open('/dev/null', os.O_RDONLY))"
    )
    assert int(shell(f'{sys.executable} -c "{probe}" 2>&- <&-', own).stdout.split()[-1]) > 2


def test_devices_and_pipes_are_no_output(own: Path, call: Callable[..., Any]) -> None:
    pipe = own.parent / "pipe.csv"
    os.mkfifo(pipe)
    for output in (pipe, own.parent / "stream.csv"):
        if output != pipe:
            output.symlink_to("/proc/self/fd/1")
        ended = call("sample", "-c", own, "--output", output)
        assert ended.code == 2
        assert "got a device or a pipe" in ended.err
    assert pipe.is_fifo()
    assert sorted(path.name for path in own.parent.iterdir()) == ["c.yaml", "out", "pipe.csv", "real.csv", "stream.csv"]


@pytest.mark.parametrize(
    "name", ["new\nline", "part[1]", *slow("a b", "ümläut", "qu'o\"te", "-dash", "%25#", "$HOME", "{x},*")]
)
def test_a_run_in_a_folder_of_any_name(
    name: str, tmp_path: Path, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path / name)
    monkeypatch.chdir(tmp_path / name)
    for line in ("validate", "status", "split", "refresh --explain --dry-run"):
        assert call(*line.split(), "-c", "c.yaml").code == 0
    shown = call("lineage", "out/synthetic/synthetic.parquet", "-c", "c.yaml", "--json").document
    assert shown["result"]["known"]


@pytest.mark.slow
@pytest.mark.parametrize("line", WRITERS)
def test_a_full_disk_is_told_and_what_was_there_stays(
    line: str, own: Path, small_disk: Path, call: Callable[..., Any]
) -> None:
    place = Path(shutil.copytree(own.parent, small_disk / "place"))
    before = files(place / "out")
    room = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(b"x" * (room.f_bavail * room.f_frsize - 4096))
    ended = call(*line.split(), "--seed", 8, "-c", place / "c.yaml", "-q")
    (small_disk / "ballast").unlink()
    assert ended.code == 4, ended.err
    assert "no space left on device" in ended.err
    assert "Traceback" not in ended.err
    after = files(place / "out")
    assert [name for name in after if ".tmp" in name] == []
    changed = [name for name in before if after.get(name) != before[name]]
    assert [name for name in changed if not name.endswith(("events.jsonl", "state.json"))] == []
    assert call(*line.split(), "--seed", 8, "-c", place / "c.yaml", "-q").code in (0, 1)


def test_no_working_directory_is_told(own: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    before = Path.cwd()
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        ended = call("sample", "-c", own)
    finally:
        os.chdir(before)
    assert ended.code == 2
    assert "the working directory is gone" in ended.err


@pytest.mark.parametrize("width", ["0", "20", "400", "wide"])
def test_a_report_is_there_whatever_the_width(
    own: Path, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert "seed" in call("sample", "-c", own, "-q").out


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
        {"HOME": "/nonexistent", "TMPDIR": "/nonexistent", "TERM": "dumb"},
        {"PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONDONTWRITEBYTECODE": "1"},
    ],
)
def test_the_same_bytes_in_any_environment(tmp_path: Path, environment: dict[str, str]) -> None:
    """With signs in header and cells that ASCII lacks."""
    wanted = []
    lines = ("split real.csv", "fit --synthesizer independent", "sample --seed 3 --format csv --output drawn.csv")
    for name, more in (("plain", {}), ("odd", environment)):
        folder = tmp_path / name
        folder.mkdir()
        frame = mixed_table(300, 1).rename({"city": "Straße"}).with_columns(pl.col("Straße").replace("Rom", "Röm"))
        frame.write_csv(folder / "real.csv")
        done = shell(" && ".join(f"$S {line} -q" for line in lines), folder / "c.yaml", **more)
        assert done.returncode == 0, done.stderr
        wanted.append((folder / "drawn.csv").read_bytes())
    assert wanted[0] == wanted[1]
    assert "Röm".encode() in wanted[0]


@pytest.mark.slow
def test_few_descriptors_are_enough(own: Path) -> None:
    for line in ("validate", "sample", "fit --force"):
        done = shell(f"ulimit -n 64; $S {line} -c c.yaml -q", own)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("line", WRITERS)
def test_a_folder_that_must_not_be_written_is_told_and_stays_as_it_was(own: Path, line: str) -> None:
    """As root too, once it has given up the rights that make it one."""
    drop = "setpriv --bounding-set=-all --inh-caps=-all " if os.geteuid() == 0 else ""
    if drop and shutil.which("setpriv") is None:
        pytest.skip("root may write anywhere, and there is no setpriv to give that up")
    out = own.parent / "out"
    before, folders = files(out), [out, *(path for path in out.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    done = shell(f"{drop}$S {line} -c c.yaml -q", own)
    for folder in folders:
        folder.chmod(0o755)
    assert done.returncode == 4, done.stderr
    assert "permission denied" in done.stderr.lower()
    assert str(out) in done.stderr or "out/" in done.stderr
    assert files(out) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [
        *(("split", "split"), ("fit --force", "fit --force"), ("sample", "sample"), ("sample", "validate")),
        *(("refresh --force", "fit --force"), ("sample --shards 2", "sample --shards 2"), ("validate", "validate")),
    ],
)
def test_two_runs_in_one_folder_leave_it_whole(own: Path, first: str, second: str) -> None:
    """One of them may be told to come back later; what is there afterwards belongs together."""
    first, second = (
        f"($S {line} -c c.yaml -q >{name}; echo $? >{name})" for name, line in (("1", first), ("2", second))
    )
    done = shell(f"{first} & {second}; wait", own)
    codes = {int((own.parent / name).read_text()) for name in ("1", "2")}
    assert codes <= {0, 75}, done.stderr
    assert 0 in codes
    out = own.parent / "out"
    assert not [path for path in out.rglob(".*") if path.is_file() and "tmp" in path.name]
    for table in (out / "synthetic").rglob("*.parquet"):
        lineage = json.loads(table.with_name(f"{table.name}.lineage.json").read_text())
        assert hashlib.sha256(table.read_bytes()).hexdigest() in json.dumps(lineage)
    for version in numbers(out):
        assert intact(resolve(out, str(version)))
