"""What the shell offers for the word under way: versions, kinds, settings, configuration files, columns.

Called by Typer while somebody waits after the Tab key. So it is quick: versions and columns are names in small files,
and the models are imported for kinds and settings only. And it is silent: where anything is wrong nothing is offered,
and the shell goes on with its own completion of paths.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from glob import escape, glob
from pathlib import Path
from textwrap import shorten
from typing import Any

import typer

#: A value with what the shell says beside it.
Offer = tuple[str, str]

#: Names that every shell takes without quotes.
_PLAIN = re.compile(r"[\w.-]+")
_OUT = "run.output_dir"
#: Signs of a description that a line has room for beside the value.
_WIDTH = 80


def offered(found: Callable[[typer.Context, str], Iterable[Offer]]) -> Callable[[typer.Context, str], list[Offer]]:
    """Return ``found`` as Typer calls it: what it finds for the word under way, and nothing where it fails."""

    @wraps(found)
    def silent(ctx: typer.Context, incomplete: str) -> list[Offer]:
        try:
            return list(found(ctx, incomplete))
        except Exception:  # noqa: BLE001 - no error is worth a line in the middle of somebody's command
            return []

    return silent


@offered
def generators(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Yield the aliases and versions in the output directory in force, the newest version first."""
    from synthcli.registry import aliases, numbers

    out = output_directory(ctx)
    named = {name: number for name, number in aliases(out).items() if _PLAIN.fullmatch(name)}
    for name, number in named.items():
        yield name, f"version {number:04d}"
    for number in reversed(numbers(out)):
        yield f"{number:04d}", ", ".join(sorted(name for name in named if named[name] == number))


@offered
def kinds(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Yield the kinds of generators that the command knows."""
    from synthcli.config.generators import FITTED_KINDS, KINDS

    for name, model in (FITTED_KINDS if ctx.info_name == "augment" else KINDS).items():
        yield name, _brief(model.__doc__ or "")


@offered
def settings(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Yield the sections, then the keys of one, then the values that a key may have, each as ``key=value``."""
    from synthcli.config.keys import settable

    known = settable()
    key, equals, _ = incomplete.partition("=")
    reached = {name: setting for name, setting in known.items() if name.startswith(key)}
    sections = dict.fromkeys(name.partition(".")[0] for name in reached)
    if len(sections) > 1:
        yield from ((f"{section}.", "") for section in sections)
    elif equals or len(reached) == 1:
        # A shell sets a space after the only offer, but not where values follow.
        for name, setting in reached.items() if not equals else [(key, known[key])]:
            yield f"{name}=", _brief(setting.description)
            yield from ((f"{name}={choice}", "") for choice in setting.choices)
    else:
        yield from ((f"{name}=", _brief(setting.description)) for name, setting in reached.items())


@offered
def configurations(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Yield the YAML files where the word points, and those one folder below."""
    start = escape(incomplete)
    found = {path for pattern in (f"{start}*", f"{start}*/*") for path in glob(pattern) if Path(path).is_file()}
    yield from ((path, "") for path in sorted(found) if path.endswith((".yaml", ".yml")) and path.isprintable())


@offered
def columns(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Yield the columns of the table that was split or learned from in the output directory in force."""
    for column in _columns(output_directory(ctx)):
        if _PLAIN.fullmatch(column["name"]):
            yield column["name"], column["kind"]


@offered
def conditions(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Yield the columns as the start of a condition; what cells hold is not for a terminal."""
    yield from ((f"{name}=", kind) for name, kind in columns(ctx, incomplete))


def output_directory(ctx: typer.Context) -> Path:
    """Return the output directory in force at the words before this one; without ``-c``, ./synthcli.yaml counts too.

    Raises whatever a file raises that cannot be read.
    """
    given = ctx.params
    sets = [text.partition("=") for text in given.get("sets") or ()]
    stated = [value for key, _, value in reversed(sets) if key == _OUT]
    variable = os.environ.get("SYNTHCLI_RUN__OUTPUT_DIR")
    for found in (given.get("out"), *stated, variable):
        if found:
            return Path(found)
    file = Path(given.get("config_file") or "synthcli.yaml")
    own = _of_file(file) if file.is_file() else None
    return Path("artifacts") if own is None else file.parent / own


def _of_file(file: Path) -> str | None:
    """Return what a configuration says, read without the models."""
    import yaml

    section = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("run") or {}
    own: str | None = section.get("output_dir")
    return own


def _columns(out: Path) -> list[dict[str, Any]]:
    from synthcli.artifacts import read_json
    from synthcli.registry import resolve

    record = out / "split" / "split.json"
    if record.is_file():
        return list(read_json(record)["schema"]["columns"])
    return list(read_json(resolve(out).folder / "schema.json")["columns"])


def _brief(text: str) -> str:
    """Return the start of a description, on one line."""
    return shorten(text, _WIDTH, placeholder=" …")
