"""The documentation as data: its pages, what stands in their fences, and the command lines in that."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from examples import ROOT
from typer.main import get_command

from synthcli.app import COMMANDS, app, load_command

#: Every page, as its path below the project's root.
PAGES = ("README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/**/*.md"))))


class Block(NamedTuple):
    """A block of code: its page, the line that it begins in, its language, its text."""

    page: str
    line: int
    language: str
    text: str


def read(page: str) -> str:
    """Return a page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """Return what stands in the page's fences, in order."""
    text = read(page)
    found = re.finditer(r"^ *```(\w*)\n(.*?)^ *```$", text, re.M | re.S)
    return [Block(page, text.count("\n", 0, one.start()) + 1, one[1], dedent(one[2])) for one in found]


def prose(page: str) -> str:
    """Return a page's text without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", read(page), flags=re.M | re.S)


def lines(script: str) -> list[str]:
    """Return the commands of a shell script, one a line or with a quote that goes on; no comments that fill a line."""
    joined = re.findall(r"^(?:(?<=[ =])'[^']*'|[^\n])+$", script.replace("\\\n", " "), re.M)
    return [line for line in joined if line.strip() and not line.startswith("#")]


def calls(script: str) -> Iterator[list[str]]:
    """Yield the words after ``synthcli`` of each command of a shell script that has it, but for those of ``make``."""
    for line in lines(script):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for joined, words in groupby(lexer, key=lambda word: set(word) <= set("();<>|&")):
            command = [] if joined else list(words)
            place = next((n for n, word in enumerate(command) if Path(word).name == "synthcli"), None)
            if place is not None and command[0] not in ("make", "echo"):
                yield command[place + 1 :]


def parsed(words: list[str]) -> str:
    """Let the command line's own parser read the words, and return the command's name, if any."""
    name, *rest = words
    if name.startswith("-"):
        assert name in {option for parameter in get_command(app).params for option in parameter.opts}, name
        return ""
    assert name in COMMANDS, f"{name} is no command"
    load_command(name).make_context(name, rest)
    return name
