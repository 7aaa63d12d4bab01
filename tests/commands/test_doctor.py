"""``doctor``: what is looked at, without a heavy import, also where something is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from growing import held
from packaging.requirements import Requirement

from synthcli import __version__
from synthcli.commands import installed, machine
from synthcli.diagnosis import Device, Installation, Memory
from synthcli.versions import normal_name

READ = installed.installation


@pytest.fixture(scope="module")
def present() -> Installation:
    """What is installed here, read once."""
    return READ()


@pytest.fixture
def doctor(call, present: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that asks about the folder ``out`` of an empty working directory, as a JSON document."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(installed, "installation", lambda: present)
    # A test does not depend on how much is free on the machine that it runs on.
    monkeypatch.setattr(machine, "memory", lambda: Memory(8 * 10**9, 4 * 10**9))
    monkeypatch.setattr(machine, "device", lambda version, log: Device("cpu"))

    def called(*words: object, out: Path | str = "out") -> Any:
        return call("doctor", "--json", "--out", out, *words)

    return called


def finding(ended: Any, name: str) -> Mapping[str, str]:
    """Return the finding of a name."""
    found = [each for each in ended.document["result"]["findings"] if each["name"] == name]
    assert len(found) == 1, name
    return found[0]


def dead() -> int:
    """Return the id of a process that is gone."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_document_has_every_finding_its_counts_and_the_facts(doctor) -> None:
    ended = doctor()
    document, result = ended.document, ended.document["result"]
    assert (ended.code, document["command"], document["status"], document["exit_code"]) == (0, "doctor", "ok", 0)
    assert set(result) == {"worst", "counts", "findings", "facts"}
    assert list(result["counts"]) == ["ok", "note", "warning", "problem"]
    for each in result["findings"]:
        assert list(each) == ["area", "name", "status", "found", "expected", "remedy"]
        assert all(isinstance(value, str) for value in each.values())
    assert sum(result["counts"].values()) == len(result["findings"])
    assert finding(ended, "synthcli")["found"].startswith(__version__)
    assert result["facts"]["processors"] == len(os.sched_getaffinity(0))
    assert result["facts"]["memory"] == {"total": 8 * 10**9, "available": 4 * 10**9, "limited": False}


def test_every_package_that_synthcli_names_is_judged(doctor) -> None:
    named = [Requirement(line) for line in metadata.requires("synthcli") or ()]
    direct = {each.name for each in named if each.marker is None}
    judged = {each["name"] for each in doctor().document["result"]["findings"] if each["area"] == "installation"}
    assert direct <= judged
    assert "sdv" in direct


def test_all_that_these_packages_need_is_known(present: Installation) -> None:
    others = {package.name for package in present.others}
    assert {"rdt", "copulas", "ctgan", "deepecho", "sdmetrics", "joblib", "python-dateutil"} <= others
    assert others.isdisjoint({"torch", "sdv", "pytest", "colorama", "distributed"})
    assert [package.name for package in present.others if not package.version] == []


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys\nfrom synthcli.app import run\n"
        "code = run(['doctor', '--dry-run', '-q'])\n"
        "heavy = {'polars', 'sdv', 'torch', 'pandas', 'numpy', 'sklearn', 'scipy', 'pyarrow', 'fsspec'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- The installation --------------------------------------------------------------------------------------------


@pytest.fixture
def without(doctor, monkeypatch: pytest.MonkeyPatch):
    """Return a function that lets packages be missing, or of another version."""
    monkeypatch.setattr(installed, "installation", READ)

    def changed(**versions: str | None) -> None:
        known = {normal_name(name): version for name, version in versions.items()}
        real = metadata.distribution

        def version(self: metadata.Distribution) -> str:
            return known[normal_name(self.name)] or ""

        def distribution(name: str) -> metadata.Distribution:
            if normal_name(name) not in known:
                return real(name)
            if known[normal_name(name)] is None:
                raise metadata.PackageNotFoundError(name)
            found: Any = real(name)  # of the library's class, or of one that a backport has put in its place
            return type("Other", (type(found),), {"version": property(version)})(found._path)

        monkeypatch.setattr(metadata, "distribution", distribution)

    return changed


def test_a_missing_package_is_a_problem_and_no_crash(doctor, without) -> None:
    without(sdv=None)
    ended = doctor()
    assert (ended.code, ended.document["status"], ended.document["exit_code"]) == (1, "failed", 1)
    assert ended.document["result"]["worst"] == "problem"
    found = finding(ended, "sdv")
    assert (found["status"], found["found"]) == ("problem", "missing")
    assert found["remedy"].startswith("pip install -c ")


def test_a_package_that_sdv_needs_is_missed_too_and_so_is_half_of_one(doctor, without) -> None:
    without(rdt=None, polars="")
    ended = doctor()
    assert (finding(ended, "rdt")["status"], finding(ended, "polars")["status"]) == ("problem", "problem")


def test_other_versions_are_told_and_no_failure(doctor, without) -> None:
    without(polars="2.0.1", numpy="1.26.4", rdt="2.9")
    ended = doctor()
    assert ended.code == 0
    assert (finding(ended, "polars")["status"], finding(ended, "numpy")["status"]) == ("note", "warning")
    assert "rdt 2.9" in finding(ended, "what these need")["found"]


def test_optional_parts_come_with_their_command(doctor, without) -> None:
    without(distributed=None, s3fs=None)
    ended = doctor()
    assert ended.code == 0
    for name in ("dask", "s3"):
        found = finding(ended, name)
        assert (found["status"], found["remedy"]) == ("note", f"pip install 'synthcli[{name}]'")


def test_an_installation_without_metadata_is_a_warning(doctor, without) -> None:
    without(synthcli=None)
    ended = doctor()
    assert (ended.code, finding(ended, "synthcli")["status"]) == (0, "warning")


@pytest.mark.parametrize(
    ("module", "arguments", "code", "told"),
    [
        ("yaml", "--json", 1, "cannot be read: yaml is not installed"),
        ("rich", "--json", 0, "left over"),
        ("rich", "", 4, "rich is missing"),
        ("pydantic", "", 4, "install synthcli again"),
    ],
)
def test_it_works_without_a_module_or_says_which(
    module: str, arguments: str, code: int, told: str, tmp_path: Path
) -> None:
    probe = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv = 'synthcli doctor {arguments}'.split()\n"
        "from synthcli.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == code


# --- The output directory ----------------------------------------------------------------------------------------


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that nobody can write to, root neither."""
    folder = tmp_path / "read-only"
    folder.mkdir(0o555)
    if not os.access(folder, os.W_OK):
        yield folder
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a disk here, and root can write everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_a_read_only_directory_is_a_problem(doctor, read_only: Path, words: list[str]) -> None:
    for out in (read_only, read_only / "below"):
        ended = doctor(*words, out=out)
        found = finding(ended, "output directory")
        assert (ended.code, found["status"]) == (1, "problem")
        assert found["found"].startswith(f"{out}: ")
        assert "--out" in found["remedy"]


def test_a_file_in_the_place_of_the_directory_is_a_problem(doctor, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    ended = doctor()
    found = finding(ended, "output directory")
    assert (ended.code, found["status"], found["found"]) == (1, "problem", "out: a file stands there")


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_nothing_is_left_behind(doctor, tmp_path: Path, words: list[str]) -> None:
    ended = doctor(*words)
    assert ended.code == 0
    assert os.listdir(tmp_path) == []
    assert ("not tried" in finding(ended, "output directory")["found"]) == bool(words)
    assert ended.document["artifacts"] == {}


def test_a_dry_run_writes_no_file(doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refused)
    assert doctor("--dry-run").code == 0


def test_a_temporary_folder_that_is_not_there_is_a_warning(doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    ended = doctor()
    found = finding(ended, "temporary folder")
    assert (ended.code, found["status"], found["found"]) == (0, "warning", "/nowhere: no such folder")


def test_a_lock_is_told_with_its_holder(doctor, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert finding(doctor(), "lock of out")["found"] == "free"
    with held(out) as pid:
        ended = doctor()
    found = finding(ended, "lock of out")
    assert (ended.code, found["status"], found["found"]) == (0, "note", f"held by process {pid}")
    with held(out / "synthetic") as pid:
        assert finding(doctor(), "lock of out/synthetic")["found"] == f"held by process {pid}"
    assert ended.document["result"]["facts"]["locks"][0]["pid"] != pid


def test_what_dead_runs_left_is_found_and_what_a_living_one_uses_is_not(
    doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, alive = dead(), os.getppid()
    temporary, out = tmp_path / "temporary", tmp_path / "out"
    staged = out / "generators" / ".0002.abc.tmp"
    for folder in (temporary / f"synthcli-{gone}-abc", temporary / f"synthcli-{alive}-abc", temporary / "synthcli-abc"):
        folder.mkdir(parents=True)
    staged.mkdir(parents=True)
    (out / f".tasks.{os.uname().nodename}.{gone}.abc.tmp").mkdir()
    (out / f".tasks.elsewhere.{gone}.abc.tmp").mkdir()
    (out / "generators" / f".aliases.json.{gone}-abc.tmp.json").touch()
    (out / "generators" / f".aliases.json.{alive}-abc.tmp.json").touch()
    monkeypatch.setenv("TMPDIR", str(temporary))
    expected = {
        f"synthcli-{gone}-abc",
        staged.name,
        f".tasks.{os.uname().nodename}.{gone}.abc.tmp",
        f".aliases.json.{gone}-abc.tmp.json",
    }
    ended = doctor()
    assert {Path(path).name for path in ended.document["result"]["facts"]["left_over"]} == expected
    assert (ended.code, finding(ended, "left over")["status"]) == (0, "warning")
    with held(out):
        left = doctor().document["result"]["facts"]["left_over"]
    assert {Path(path).name for path in left} == expected - {staged.name}


# --- The configuration -------------------------------------------------------------------------------------------


def test_the_file_that_init_writes_is_looked_at_where_it_is(doctor, tmp_path: Path) -> None:
    assert finding(doctor(), "synthcli.yaml")["found"].startswith("none here")
    (tmp_path / "synthcli.yaml").write_text("split: {holdout: 0.3}\n")
    assert finding(doctor(), "synthcli.yaml")["found"] == "valid"
    (tmp_path / "synthcli.yaml").write_text("split: {holdot: 0.3}\n")
    ended = doctor()
    found = finding(ended, "synthcli.yaml")
    assert (ended.code, found["status"]) == (1, "problem")
    assert "holdot" in found["found"]
    assert found["remedy"]


def test_a_configuration_decides_which_directory_is_looked_at(call, doctor, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_text("run: {output_dir: results}\n")
    ended = call("doctor", "--json", "-c", "sub/a.yaml")
    assert finding(ended, "sub/a.yaml")["found"] == "valid"
    assert ended.document["result"]["facts"]["output"]["path"] == "sub/results"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["-c", "absent.yaml"], "absent.yaml"),
        (["--set", "split.holdot=1"], "settings"),
        (["--set", "run.output_dir=s3://bucket/out"], "settings"),
    ],
)
def test_settings_that_cannot_be_used_are_one_finding_among_others(call, doctor, words: list[str], name: str) -> None:
    ended = call("doctor", "--json", *words)
    assert (ended.code, ended.document["status"]) == (1, "failed")
    assert finding(ended, name)["status"] == "problem"
    assert ended.document["result"]["facts"]["output"]["path"] == "artifacts"


# --- In a terminal -----------------------------------------------------------------------------------------------


def test_the_report_ends_with_commands_that_can_be_copied(
    call, doctor, without, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(sdv=None, polars="2.0.1")
    listed = "/" + "/".join(["folder"] * 30) + "/constraints.txt"
    monkeypatch.setattr(installed, "pins_file", lambda: Path(listed))
    ended = call("doctor", "--out", "out")
    lines = ended.out.splitlines()
    assert ended.code == 1
    assert lines[0].startswith("NOT READY: ")
    assert ended.err == ""
    assert lines[lines.index(f"  pip install -c {listed} synthcli") - 1] == "sdv, polars"


def test_quiet_says_nothing_or_what_prevents_the_work(call, doctor, without) -> None:
    assert (call("doctor", "-q").out, call("doctor", "-q").err) == ("", "")
    without(sdv=None)
    ended = call("doctor", "-q")
    assert (ended.code, ended.out, ended.err) == (1, "", "synthcli doctor: sdv: missing\n")
