"""What docs/faq.md promises beyond that its commands run: the form of cells, life without torch, copies."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from examples import ROOT
from pages import blocks, lines, prose

from synthcli.app import run

PAGE = "docs/faq.md"


def block(holding: str, language: str = "sh") -> list[str]:
    """Return the lines of the one block that holds this."""
    [found] = [each.text for each in blocks(PAGE) if each.language == language and holding in each.text]
    return lines(found) if language == "sh" else found.splitlines()


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the page's table of people was made, divided and learned."""
    folder = tmp_path_factory.mktemp("people")
    with contextlib.chdir(folder):
        *made, split, fit, _ = block("seq 600")
        subprocess.run(["sh", "-ec", "\n".join(made)], check=True)
        for line in (split, fit):
            assert run([*shlex.split(line)[1:], "-q"]) == 0
    return folder


@pytest.mark.slow
def test_cells_come_back_in_the_form_in_which_they_were_read(people: Path, capfd: pytest.CaptureFixture) -> None:
    with contextlib.chdir(people):
        assert run(shlex.split(block("seq 600")[-1])[1:]) == 0
    assert in_form(capfd.readouterr().out.splitlines())


def in_form(rows: list[str]) -> bool:
    """Whether these are five rows of the table of people, written as that is."""
    form = re.compile(r"P-\d{4},01\d{3},(?:\d\d)?,(?:yes|no),\d\d\.\d\d\.2020")
    head, *others = rows
    return head == "id,zip,age,member,since" and len(others) == 5 and all(map(form.fullmatch, others))


def test_the_rows_that_are_shown_have_the_form_that_is_told_of() -> None:
    shown = block("id,zip,age,member,since", "text")
    assert in_form(shown)
    assert not in_form([*shown[:-1], "P-8174,1002,,no,11.03.2020"])


_WITHOUT = """
import sys

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "sdv", "ctgan"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Gone())
from synthcli.app import run
sys.exit(run(sys.argv[1:]))
"""


def without_torch(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process that has neither torch nor SDV."""
    line = [sys.executable, "-c", _WITHOUT, *shlex.split(words)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_what_works_without_torch_and_what_says_that_it_is_missing(people: Path) -> None:
    for words in (
        "fit --out people --synthesizer forest --force",
        "sample --out people --seed 1",
        "validate --out people --fail-on never --set validate.compat=true",
    ):
        done = without_torch(words, people)
        assert done.returncode == 0, done.stderr
    failed = without_torch("fit --out people --synthesizer gaussian_copula", people)
    assert failed.returncode == 4
    assert re.search("the kind gaussian_copula needs (sdv|torch|ctgan), which is not installed", failed.stderr)


@pytest.mark.slow
def test_a_copy_has_the_best_quality_score_and_fails_by_the_gates_that_the_page_names(
    flights_csv: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    with contextlib.chdir(tmp_path):
        assert run(["split", str(flights_csv), "-q"]) == 0
        [line] = block("validate.compat=true")
        words = shlex.split(re.sub(r"(train|holdout)\.csv", r"artifacts/split/\1.parquet", line), comments=True)[1:]
        capfd.readouterr()
        assert run([*words, "--json", "--set", "validate.families=[privacy]"]) == 1
    result = json.loads(capfd.readouterr().out)["result"]
    [score] = [each["value"] for each in result["metrics"] if each["name"] == "compat.sdmetrics_quality"]
    assert score == pytest.approx(1)
    failed = {gate["metric"] for gate in result["gates"] if gate["status"] == "fail"}
    [told] = re.findall(r"(?s)is at its best, and (.*?) fail the\s+release", prose(PAGE))
    assert set(re.findall("`([a-z_.]+)`", told)) <= failed


def test_links_to_issues_lead_where_they_say() -> None:
    text = prose(PAGE)
    found = re.findall(r"\[(?:CTGAN\s)?#(\d+)\]\(https://github\.com/sdv-dev/(?:SDV|CTGAN)/issues/(\d+)\)", text)
    assert len(found) == text.count("https://github.com/sdv-dev/")
    assert [pair for pair in found if pair[0] != pair[1]] == []


def test_torch_comes_with_sdv_as_the_page_says() -> None:
    from importlib.metadata import requires

    assert any(line.startswith("ctgan") for line in requires("sdv") or ())
    assert any(line.startswith("torch") for line in requires("ctgan") or ())
    assert "sdv" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
