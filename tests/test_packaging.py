"""What is handed out: a wheel and an sdist of it, built from the tree and installed where nothing else of it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from examples import ROOT

from synthcli import __version__

pytest.importorskip("hatchling", reason="the dev extra is older than the packaging tests: make install")
pytestmark = pytest.mark.slow

INFO = f"synthcli-{__version__}.dist-info"


def built(kind: str, source: Path, target: Path) -> Path:
    """Build one distribution of a source tree, and return its file."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (path,) = target.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def read(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name).decode()


def test_the_wheel_holds_the_package_the_tested_versions_and_nothing_else(wheel: Path) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "synthcli").rglob("*.py")}
    beside = {"synthcli/py.typed", "synthcli/constraints.txt"}
    described = {f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    with zipfile.ZipFile(wheel) as archive:
        assert sorted(archive.namelist()) == sorted(modules | beside | described)
    assert read(wheel, "synthcli/constraints.txt") == (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert read(wheel, f"{INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    described = Parser().parsestr(read(wheel, f"{INFO}/METADATA"))
    assert (described["Name"], described["Version"]) == ("synthcli", __version__)
    assert (described["License-Expression"], described["Requires-Python"]) == ("Apache-2.0", "<3.14,>=3.11")
    assert set(described.get_all("Provides-Extra")) == {"dask", "dev", "s3"}
    assert described["Keywords"]
    assert "Typing :: Typed" in described.get_all("Classifier")
    assert "[console_scripts]\nsynthcli = synthcli.__main__:main\n" in read(wheel, f"{INFO}/entry_points.txt")
    assert "Tag: py3-none-any" in read(wheel, f"{INFO}/WHEEL")


def test_the_version_stands_in_one_place() -> None:
    mention = re.compile(rf"(?<![\d.]){re.escape(__version__)}(?![\d.])")
    sources = [*(ROOT / "synthcli").rglob("*.py"), ROOT / "pyproject.toml"]
    found = [path.relative_to(ROOT).as_posix() for path in sources if mention.search(path.read_text(encoding="utf-8"))]
    assert found == ["synthcli/__init__.py"]


def test_the_sdist_has_what_a_contributor_needs_and_builds_the_same_wheel(
    sdist: Path, wheel: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 and later
        archive.extractall(tmp_path, **safely)
    (tree,) = tmp_path.iterdir()
    tops = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "PKG-INFO", "README.md", "constraints.txt"}
    tops |= {"benchmarks", "configs", "docs", "pyproject.toml", "sample_data", "synthcli", "tests"}
    assert set(os.listdir(tree)) - {".gitignore"} == tops
    names = [path.name for path in tree.rglob("*")]
    assert not {"__pycache__", ".venv", "artifacts", ".lock"} & set(names)
    again = built("wheel", tree, tmp_path / "again")
    assert again.read_bytes() == wheel.read_bytes()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs' folder of a new environment with the wheel, which sees the packages of this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    (places,) = folder.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (places / "others.pth").write_text("\n".join(others) + "\n", encoding="utf-8")
    ran(folder / "bin", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    return folder / "bin"


def ran(programs: Path, *words: object, succeeds: bool = True) -> str:
    """Run a program of an environment where no source is in reach, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [str(programs / str(words[0])), *map(str, words[1:])]
    done = subprocess.run(
        command, cwd=programs.parent, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0 or not succeeds, done.stderr
    return done.stdout


def test_the_installed_wheel_runs(installed: Path) -> None:
    assert ran(installed, "synthcli", "--version") == f"synthcli {__version__}\n"
    assert ran(installed, "python", "-m", "synthcli", "--version") == f"synthcli {__version__}\n"
    where = ran(installed, "python", "-c", "import synthcli; print(synthcli.__file__)")
    assert where.startswith(str(installed.parent))


def test_the_installed_doctor_knows_the_tested_versions(installed: Path) -> None:
    result = json.loads(ran(installed, "synthcli", "doctor", "--json"))["result"]
    facts = result["facts"]["installation"]
    assert facts["tested_file"].startswith(str(installed.parent))
    assert facts["installed"] == facts["code"] == __version__
    found = {each["name"]: each["status"] for each in result["findings"] if each["area"] == "installation"}
    assert found["sdv"] in ("ok", "note")
    assert "problem" not in found.values()


def test_pip_finds_all_that_synthcli_needs(installed: Path) -> None:
    # Of others it may find something: torch wants a newer setuptools than a new environment of Python 3.11 has.
    said = ran(installed, "pip", "check", succeeds=False).splitlines()
    assert said
    assert [line for line in said if line.startswith("synthcli ")] == []
