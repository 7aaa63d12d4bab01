"""docs/commands is true: a page for each command, with the options, keys, codes and words that the program has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pages import PAGES, blocks, prose, read

from synthcli import errors
from synthcli.app import COMMANDS, load_command
from synthcli.commands.envelope import document, error_document
from synthcli.commands.running import _COMMON
from synthcli.config import KINDS, Config
from synthcli.config.keys import known_at

FOLDER = "docs/commands/"
INDEX = f"{FOLDER}README.md"
#: What every page has, in this order.
SECTIONS = ["Options", "Configuration", "Reads and writes", "Prints", "Exit codes", "Examples", "See also"]
PRESENT = [name for name in COMMANDS if f"{FOLDER}{name}.md" in PAGES]
of_every_page = pytest.mark.parametrize("name", PRESENT)


def table(parameters: Sequence[Any], name: str) -> str:
    """Return the table of options that a page must have, from what ``--help`` prints of them."""
    context = load_command(name).make_context(name, [], resilient_parsing=True)
    records = [parameter.get_help_record(context) for parameter in parameters]
    rows = [[re.sub(r"\s+", " ", cell).replace("|", r"\|") for cell in record] for record in records]
    return "".join(["| option | meaning |\n|---|---|\n", *(f"| `{option}` | {told} |\n" for option, told in rows)])


def own(name: str) -> list[Any]:
    """Return the parameters that a command does not share with all others."""
    return [parameter for parameter in load_command(name).params if parameter.name not in (*_COMMON, "help")]


def section(name: str, title: str) -> str:
    """Return what stands under a heading of a command's page, its blocks of code left out."""
    [found] = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", prose(f"{FOLDER}{name}.md"), re.M | re.S)
    return found


def keys(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the configuration keys in backticks, as paths."""
    for key in re.findall(rf"`((?:{'|'.join(fields())})(?:\.[a-z_<>]+)+)`", text):
        if not key.endswith(".json"):
            yield tuple(key.split("."))


def fields() -> list[str]:
    return [field.alias or name for name, field in Config.model_fields.items()]


def known(path: tuple[str, ...]) -> bool:
    """Whether there is such a key, under some kind of generator."""
    return any(path[-1] in known_at(path[:-1], kind) for kind in KINDS)


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    missing = [name for name in COMMANDS if name not in PRESENT]
    assert not missing, f"write {', '.join(f'{FOLDER}{name}.md' for name in missing)}, and name it in {INDEX}"
    pages = [page for page in PAGES if page.startswith(FOLDER) and page != INDEX]
    assert sorted(pages) == sorted(f"{FOLDER}{name}.md" for name in COMMANDS)


@of_every_page
def test_a_page_has_its_sections_in_their_order(name: str) -> None:
    text = prose(f"{FOLDER}{name}.md")
    assert text.splitlines()[0] == f"# synthcli {name}"
    assert re.findall("^## (.*)$", text, re.M) == SECTIONS


@of_every_page
def test_a_page_says_how_the_command_is_called(name: str) -> None:
    command = load_command(name)
    context = command.make_context(name, [], resilient_parsing=True)
    usage = f"synthcli {name} {' '.join(command.collect_usage_pieces(context))}"
    assert f"\n```text\n{usage}\n```\n" in read(f"{FOLDER}{name}.md"), f"expected the usage {usage!r} in a text block"


@of_every_page
def test_a_page_has_exactly_the_options_that_help_prints(name: str) -> None:
    expected, page = table(own(name), name), read(f"{FOLDER}{name}.md")
    if not own(name):
        assert "| option |" not in page
        return
    assert page.count("| option |") == 1
    assert expected in page, f"{FOLDER}{name}.md needs this table:\n\n{expected}"


def test_the_common_options_stand_in_the_index_once() -> None:
    common = [parameter for parameter in load_command("fit").params if parameter.name in _COMMON]
    assert len(common) == len(_COMMON)
    expected = table(common, "fit")
    assert expected in read(INDEX), f"{INDEX} needs this table:\n\n{expected}"


@of_every_page
def test_the_keys_that_a_page_names_are_keys(name: str) -> None:
    found = list(keys(read(f"{FOLDER}{name}.md")))
    assert found or "None" in section(name, "Configuration")
    assert [".".join(path) for path in found if not known(path)] == []


def test_every_key_is_named_on_some_page() -> None:
    named = {path[:2] for page in PAGES if page.startswith(FOLDER) for path in keys(read(page))}
    every = {(name, key) for name in fields() for key in known_at((name,)) if name != "synthesizer"}
    assert sorted(every - named) == []


@of_every_page
def test_the_exit_codes_of_a_page_are_codes(name: str) -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", section(name, "Exit codes"), re.M)]
    assert codes == sorted(set(codes))
    assert set(codes) <= {0, 1, 2, 3, 4, 75}
    assert codes[0] == 0


@of_every_page
def test_a_page_shows_output_and_examples(name: str) -> None:
    found = blocks(f"{FOLDER}{name}.md")
    assert [block.language for block in found if block.language == "console"] == ["console"]
    examples = [line for block in found if block.language == "sh" for line in block.text.splitlines()]
    assert sum(f"synthcli {name}" in line for line in examples) >= 2


def test_the_index_names_each_command_with_its_line_of_help() -> None:
    text = read(INDEX)
    for name in PRESENT:
        assert f"| [`{name}`]({name}.md) | {COMMANDS[name]} |\n" in text, f"{name}: {COMMANDS[name]}"


def test_the_index_shows_the_document_that_json_prints() -> None:
    ended, failed = (json.loads(block.text) for block in blocks(INDEX) if block.language == "json")
    told = document("gate", status="ok", exit_code=0, artifacts={}, warnings=[], result={})
    assert list(ended) == list(told)
    assert list(failed) == list(error_document("gate", errors.LockHeldError("x")))
    assert list(failed["error"]) == list(error_document("gate", errors.LockHeldError("x"))["error"])


def kinds() -> set[tuple[str, int]]:
    """Return every kind of error and its exit code."""

    def below(base: type[errors.SynthcliError]) -> Iterator[type[errors.SynthcliError]]:
        for child in base.__subclasses__():
            yield child
            yield from below(child)

    return {(each.kind, each.exit_code) for each in below(errors.SynthcliError)}


def test_the_index_has_every_kind_of_error_beside_its_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| [^|]*\| ([^|]*)\|$", prose(INDEX), re.M)
    told = {(kind, int(code)) for code, named in rows for kind in re.findall("`([a-z_]+)`", named)}
    assert told == kinds()


@pytest.mark.parametrize("page", PAGES)
def test_commands_options_and_keys_in_the_prose_are_known(page: str) -> None:
    text = prose(page)
    assert [".".join(path) for path in keys(text) if not known(path)] == []
    for name, *words in (quoted.split() for quoted in re.findall(r"`synthcli ([a-z][^`]*)`", text)):
        assert name in COMMANDS
        options = {"--help"} | {option for parameter in load_command(name).params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options, (name, words)
