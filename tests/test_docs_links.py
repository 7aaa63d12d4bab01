"""No dead link in the documentation, and no page that a reader cannot get to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from examples import ROOT
from pages import PAGES, prose, read

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: str) -> set[str]:
    """Return what a link can point to within a page, as GitHub makes it of headings."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^ *```.*?^ *```$", "", read(page), flags=re.M | re.S), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def dead(page: str, target: str) -> str:
    """Return what is wrong with a link, nothing if it leads somewhere."""
    path, _, anchor = target.partition("#")
    there = (ROOT / page).parent / path if path else ROOT / page
    if not there.exists():
        return f"{target}: there is no such file"
    named = str(Path(there).resolve().relative_to(ROOT))
    if anchor and (not named.endswith(".md") or anchor not in anchors(named)):
        return f"{target}: there is no such heading"
    return ""


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    targets = [target for target in LINK.findall(prose(page)) if not re.match(r"[a-z]+:", target)]
    assert [told for target in targets if (told := dead(page, target))] == []


def test_a_dead_link_is_found() -> None:
    assert dead("docs/ci.md", "nowhere.md") == "nowhere.md: there is no such file"
    assert dead("docs/ci.md", "../README.md#nowhere") == "../README.md#nowhere: there is no such heading"
    assert dead("docs/ci.md", "cron.md#the-crontab") == ""


def linked(page: str) -> set[str]:
    """Return the pages and pictures of the documentation that a page links to."""
    folder = (ROOT / page).parent
    targets = [target.partition("#")[0] for target in LINK.findall(prose(page)) if not re.match(r"[a-z]+:", target)]
    return {str((folder / target).resolve().relative_to(ROOT)) for target in targets if target}


def test_the_index_of_the_documentation_names_every_page() -> None:
    within = linked("docs/README.md")
    pages = {page for page in PAGES if page.startswith("docs/") and page != "docs/README.md"}
    assert sorted(pages - within - linked("docs/commands/README.md")) == []
    assert "docs/commands/README.md" in within


def test_every_file_beside_the_pages_is_shown_or_named_by_one() -> None:
    beside = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*") if path.is_file()} - set(PAGES)
    assert sorted(beside - {target for page in PAGES for target in linked(page)}) == []


def test_readers_of_the_code_are_sent_to_pages_that_there_are() -> None:
    """Comments and messages name a page by its path from the project's root."""
    files = [
        *(ROOT / "synthcli").rglob("*.py"),
        *(ROOT / "configs").glob("*.yaml"),
        *(ROOT / "benchmarks").rglob("*.py"),
    ]
    named = {name for path in files for name in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8"))}
    assert named
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []
