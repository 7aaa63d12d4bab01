"""What doctor concludes from facts: each status of each finding, and what a package's metadata asks for."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from examples import ROOT
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from synthcli.diagnosis import (
    Configuration,
    Device,
    Facts,
    Finding,
    Folder,
    Installation,
    Lock,
    Memory,
    Package,
    Requirement,
    allows,
    diagnose,
    requirement,
    worst,
)
from synthcli.versions import normal_name, pins, pins_file

GB = 10**9
POLARS = Package("polars", "2.1.0", ">=2.0,<3", "2.1.0")
SOUND = Facts(
    installation=Installation(
        code="0.1.0",
        installed="0.1.0",
        python="3.11.7",
        python_allowed=">=3.11,<3.14",
        direct=[POLARS],
        others=[Package("rdt", "2.0.0", "", "2.0.0"), Package("tqdm", "4.70.1", "", "4.70.1")],
        torch=Package("torch", "2.13.0+cpu", "", "2.13.0"),
        extras={"dask": [Package("distributed", "2026.8.0", ">=2026.7", "2026.8.0")]},
        tested_file="/site/constraints.txt",
    ),
    processors=2,
    memory=Memory(8 * GB, 4 * GB),
    device=Device("cpu"),
    output=Folder("artifacts", True, 9 * GB),
    temporary=Folder("/tmp", True, 9 * GB),
    locks=[Lock("artifacts", False)],
    left_over=[],
    configuration=Configuration("synthcli.yaml"),
)
INSTALL = "pip install -c /site/constraints.txt synthcli"


def found(name: str, **changes: Any) -> Finding:
    """Return the finding of a name, of facts that are sound but for the changes."""
    own = {key: changes.pop(key) for key in list(changes) if hasattr(SOUND.installation, key)}
    facts = replace(SOUND, installation=replace(SOUND.installation, **own), **changes)
    return next(finding for finding in diagnose(facts) if finding.name == name)


def test_where_all_is_sound_nothing_is_to_be_done() -> None:
    findings = diagnose(SOUND)
    assert {finding.status for finding in findings} == {"ok"}
    assert {finding.remedy for finding in findings} == {""}
    assert worst(findings) == "ok"


@pytest.mark.parametrize(
    ("version", "status", "told"),
    [
        ("2.1.0", "ok", "2.1.0"),
        ("2.1.0+local", "ok", "2.1.0+local"),
        ("2.0.3", "note", "2.0.3"),
        ("1.40.0", "warning", "1.40.0, outside the range"),
        ("3.0.0rc1", "warning", "3.0.0rc1, outside the range"),
        (None, "problem", "missing"),
    ],
)
def test_a_package_is_tested_another_outside_or_missing(version: str | None, status: str, told: str) -> None:
    finding = found("polars", direct=[replace(POLARS, version=version)])
    assert (finding.status, finding.found, finding.expected) == (status, told, ">=2.0,<3, tested 2.1.0")
    assert finding.remedy == ("" if status == "ok" else INSTALL)


def test_a_package_that_nobody_tested_is_judged_by_its_range_alone() -> None:
    assert found("new", direct=[Package("new", "1.5", ">=1")]) == Finding("installation", "new", "ok", "1.5", ">=1")


def test_without_the_list_of_tested_versions_the_command_has_no_constraints() -> None:
    lacking = {"direct": [replace(POLARS, version=None, tested=None)], "tested_file": None}
    assert found("polars", **lacking).remedy == "pip install synthcli"
    assert found("tested versions", **lacking).status == "note"


def test_what_others_need_is_one_finding_but_for_what_is_missing() -> None:
    others = [Package("rdt", "2.0.1", "", "2.0.0"), Package("tqdm", None, "", "4.70.1"), Package("six", "1", "", "1")]
    finding = found("what these need", others=others)
    assert (finding.status, finding.found) == ("note", "2, 1 not as tested: rdt 2.0.1")
    assert found("tqdm", others=others).status == "problem"


@pytest.mark.parametrize(
    ("installed", "told"), [(None, "0.1.0, not installed"), ("0.0.9", "0.1.0, installed as 0.0.9")]
)
def test_code_that_is_not_what_was_installed_is_a_warning(installed: str | None, told: str) -> None:
    finding = found("synthcli", installed=installed)
    assert (finding.status, finding.found) == ("warning", told)


@pytest.mark.parametrize(("python", "status"), [("3.10.14", "problem"), ("3.13.1", "ok"), ("3.14.0", "problem")])
def test_python_is_of_the_range_or_a_problem(python: str, status: str) -> None:
    assert found("Python", python=python).status == status


def test_an_optional_part_that_is_not_there_is_a_note_with_its_command() -> None:
    finding = found("dask", extras={"dask": [Package("distributed", None, ">=2026.7", "2026.8.0")]})
    assert (finding.status, finding.found, finding.remedy) == (
        "note",
        "distributed missing",
        "pip install 'synthcli[dask]'",
    )
    old = found("dask", extras={"dask": [Package("distributed", "2025.1", ">=2026.7", "2026.8.0")]})
    assert (old.status, old.remedy) == ("warning", "pip install 'synthcli[dask]'")


def test_sdv_does_not_work_without_torch() -> None:
    finding = found("torch", torch=Package("torch", None, "", "2.13.0"), device=Device(""))
    assert (finding.status, finding.remedy) == ("problem", "pip install -c /site/constraints.txt torch")


@pytest.mark.parametrize(
    ("device", "status", "told"),
    [
        (Device("cuda", True), "ok", "cuda"),
        (Device("mps"), "ok", "mps"),
        (Device("cpu", True), "note", "cpu; there is a GPU that this torch does not use"),
        (Device("", True, "OSError: libcudart"), "problem", "torch cannot be loaded: OSError: libcudart"),
        (Device(""), "ok", "not known without torch"),
    ],
)
def test_the_device_is_what_torch_found(device: Device, status: str, told: str) -> None:
    finding = found("device", device=device)
    assert (finding.status, finding.found) == (status, told)


@pytest.mark.parametrize(
    ("memory", "status", "told"),
    [
        (Memory(8 * GB, 2 * GB), "ok", "2 GB free of 8 GB"),
        (Memory(8 * GB, 2 * GB - 1), "warning", "2 GB free of 8 GB"),
        (Memory(8 * GB, 400 * 10**6), "problem", "400 MB free of 8 GB"),
        (Memory(GB, GB, limited=True), "warning", "1 GB free of 1 GB that this process is limited to"),
        (Memory(None, None), "ok", "how much is free is not known"),
        (Memory(8 * GB, None), "ok", "8 GB, how much is free is not known"),
    ],
)
def test_memory_is_enough_little_or_too_little(memory: Memory, status: str, told: str) -> None:
    finding = found("memory", memory=memory)
    assert (finding.status, finding.found) == (status, told)
    assert ("limit" in finding.remedy) == (memory.limited and status != "ok")


@pytest.mark.parametrize(
    ("folder", "status", "told"),
    [
        (Folder("out", True, GB), "ok", "out, 1 GB free"),
        (Folder("out", False, GB), "ok", "out: not there yet, 1 GB free"),
        (Folder("out", True, GB, tried=False), "ok", "out, not tried, 1 GB free"),
        (Folder("out", True, None), "ok", "out"),
        (Folder("out", True, 999 * 10**6), "warning", "out, 999 MB free"),
        (Folder("out", True, 10**6), "problem", "out, 1 MB free"),
        (Folder("out", True, GB, "permission denied"), "problem", "out: permission denied"),
    ],
)
def test_the_output_directory_can_be_written_to_and_has_room(folder: Folder, status: str, told: str) -> None:
    finding = found("output directory", output=folder)
    assert (finding.status, finding.found) == (status, told)
    assert bool(finding.remedy) == (status != "ok")
    assert found("temporary folder", temporary=folder).status == ("warning" if status == "problem" else status)


@pytest.mark.parametrize(
    ("lock", "status", "told"),
    [
        (Lock("out", False), "ok", "free"),
        (Lock("out", True, 12), "note", "held by process 12"),
        (Lock("out", True, None), "note", "held"),
        (Lock("out", True, 12, here=False), "warning", "held by process 12, which is not of this machine"),
    ],
)
def test_a_lock_is_free_or_whose_it_is(lock: Lock, status: str, told: str) -> None:
    finding = found("lock of out", locks=[lock])
    assert (finding.status, finding.found) == (status, told)


def test_what_dead_runs_left_is_named_with_the_command_that_removes_it() -> None:
    one = found("left over", left_over=["out/.a b.tmp"])
    assert (one.status, one.remedy) == ("warning", "rm -r 'out/.a b.tmp'")
    many = found("left over", left_over=[f"/tmp/{number}" for number in range(7)])
    assert many.found == "7 temporary files and folders of runs that died; they may hold real rows"
    assert many.remedy == "rm -r /tmp/0 /tmp/1 /tmp/2 /tmp/3 /tmp/4, and the others alike"


def test_a_configuration_is_valid_absent_or_a_problem() -> None:
    assert found("synthcli.yaml").found == "valid"
    assert found("synthcli.yaml", configuration=Configuration(None)).status == "ok"
    wrong = found("a.yaml", configuration=Configuration("a.yaml", "a.yaml:1: no such key", "correct it"))
    assert (wrong.status, wrong.found, wrong.remedy) == ("problem", "a.yaml:1: no such key", "correct it")


def test_the_worst_decides() -> None:
    findings = [Finding("machine", name, name, "") for name in ("note", "problem", "ok")]  # type: ignore[arg-type]
    assert (worst(findings), worst(findings[:1]), worst([])) == ("problem", "note", "ok")


# --- What a package says that it needs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "python", "expected"),
    [
        ("polars<3,>=2.0", "3.11.7", Requirement("polars", ">=2.0,<3", "")),
        ("moto[s3]>=5.0; extra == 'dev'", "3.11.7", Requirement("moto", ">=5.0", "dev")),
        ("six", "3.11.7", Requirement("six", "", "")),
        ("old (>=1.2)", "3.11.7", Requirement("old", ">=1.2", "")),
        (
            'numpy>=1.24; python_version >= "3.10" and python_version < "3.12"',
            "3.11.7",
            Requirement("numpy", ">=1.24", ""),
        ),
        ('numpy>=1.24; python_version >= "3.10" and python_version < "3.12"', "3.12.0", None),
        ('numpy>=1.26; python_version >= "3.12" and python_version < "3.13"', "3.9.1", None),
        ('colorama; platform_system == "Windows"', "3.11.7", None),
        ("", "3.11.7", None),
    ],
)
def test_a_requirement_is_read_from_metadata(line: str, python: str, expected: Requirement | None) -> None:
    assert requirement(line, python) == expected


RELEASES = st.lists(st.integers(0, 20), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(
    st.lists(st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), RELEASES), max_size=3),
    RELEASES,
)
def test_ranges_of_releases_mean_what_packaging_says(parts: list[tuple[str, str]], version: str) -> None:
    allowed = ",".join(map("".join, parts))
    assert allows(allowed, version) == SpecifierSet(allowed).contains(version)


def test_every_range_of_the_project_is_understood_and_has_the_tested_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for part in project["optional-dependencies"].values() for line in part)]
    for needed in (requirement(line, "3.11.7") for line in lines):
        assert needed is not None
        pinned = pins()[normal_name(needed.name)]
        assert allows(needed.allowed, pinned), needed
        assert not allows(needed.allowed, "0"), f"{needed}: a relation that is not understood allows everything"


def test_the_tested_versions_of_the_sources_are_those_of_make_install() -> None:
    assert pins_file() == ROOT / "constraints.txt"
    assert pins()["torch"] == "2.13.0"
    assert pins()["pyyaml"] == "6.0.4"
