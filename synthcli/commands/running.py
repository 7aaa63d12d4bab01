"""What every command has in common: its options, the resolved configuration, the log, and how it ends.

``@command`` turns a function ``(run, own options …) -> Outcome`` into one that Typer can read: the options of the
contract's "Common" section are added to its signature, gathered into a ``Run``, and the outcome is printed.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from typer.models import OptionInfo

from synthcli.commands import completing
from synthcli.commands.envelope import document, print_document
from synthcli.errors import SynthcliError
from synthcli.progress import Log

if TYPE_CHECKING:
    from rich.console import RenderableType

    from synthcli.config import Config, Resolved


class ClosedPipeError(Exception):
    """The reader of stdout went away. No ``OSError``: Typer's own handling of those would exit 1."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its report for people, its result for machines, what it wrote, what to run next.

    ``records`` are the folders that get a ``run.json``, each with the files that it is to describe.
    """

    report: Callable[[], RenderableType] | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Path | str] = field(default_factory=dict)
    status: str = "ok"
    exit_code: int = 0
    next_step: str = ""
    records: Mapping[Path, Sequence[Path | str]] = field(default_factory=dict)


@dataclass
class Course:
    """When a run began, and the configuration that turned out to be in force."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.monotonic)
    settings: Config | None = None


@dataclass(frozen=True)
class Run:
    """One command under way: the common options as they were given, its log, and what is remembered of its course."""

    command: str
    config_file: Path | None
    sets: tuple[str, ...]
    seed: int | None
    out: Path | None
    json: bool
    dry_run: bool
    log: Log
    #: The command's own options by the name of their parameter, as they are typed.
    options: Mapping[str, str] = field(default_factory=dict)
    #: The configurations that were resolved, the one in force last.
    known: list[Resolved] = field(default_factory=list)
    course: Course = field(default_factory=Course)

    def settings(self, **flags: Any) -> Config:
        """Return the configuration in force; ``flags`` are the command's own options, ``split__by`` for split.by.

        An option that was not given is ``None`` and leaves the configuration's value alone.
        """
        return self.resolved(**flags).config

    def resolved(self, **flags: Any) -> Resolved:
        """Return the configuration in force together with where each value comes from."""
        from synthcli.config import load

        self._mention_default()
        given = {name.replace("__", "."): value for name, value in flags.items()}
        common = {"run.output_dir": str(self.out) if self.out else None}
        options = {key: self.option(key) for key in given}
        resolved = load(self.config_file, self.sets, os.environ, {**common, **given}, options)
        self.known.append(resolved)
        _check_directory(resolved.config.run.output_dir)
        self.course.settings = resolved.config
        return resolved

    def _mention_default(self) -> None:
        """Say that a configuration lies here and is not read: what is not named does not count, but may be meant."""
        if self.config_file is None and self.command not in _NEED_NONE and Path(DEFAULT_CONFIG).is_file():
            self.log.warn(f"{DEFAULT_CONFIG} lies here and is not read: -c {DEFAULT_CONFIG} reads it")

    def option(self, key: str) -> str:
        """Return the option that sets ``key``, which has the name of the key or of what the key is about."""
        section, _, name = key.rpartition(".")
        names = (name, name.removesuffix("s"), section.rpartition(".")[2])
        return next((self.options[each] for each in names if each in self.options), f"--{name.replace('_', '-')}")

    def follow_up(self, words: str) -> str:
        """Return the command line ``synthcli words`` that goes on with the same config, settings and directory.

        A setting that holds credentials is left out: lines are kept in logs.
        """
        from synthcli.remote import has_credentials

        parts = ["synthcli", *shlex.split(words)]
        if self.config_file:
            parts += ["-c", str(self.config_file)]
        for setting in self.sets:
            parts += [] if has_credentials(setting) else ["--set", setting]
        if self.out:
            parts += ["--out", str(self.out)]
        return shlex.join(parts)


def say_real_rows(run: Run, files: Sequence[Path]) -> None:
    """Say of files that were written that they hold real rows, and who can read them: a person has to decide."""
    from stat import filemode

    if files:
        run.log.info(
            f"real rows, {filemode(files[0].stat().st_mode)} by your umask: {', '.join(map(str, files))}; let only "
            "those read them who may read the source"
        )


#: What ``init`` calls the configuration that it writes.
DEFAULT_CONFIG = "synthcli.yaml"
#: Who writes one, or looks at what there is.
_NEED_NONE = ("init", "config", "doctor")

#: The option of the commands that have work for several.
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N|tcp://HOST:PORT",
        help="Processes side by side (default: one a processor), or a Dask cluster's scheduler.",
    ),
]

_COMMON: dict[str, tuple[Any, Any]] = {
    "config_file": (
        Annotated[
            Path | None,
            typer.Option(
                "--config",
                "-c",
                metavar="FILE",
                help="Configuration file (YAML).",
                autocompletion=completing.configurations,
            ),
        ],
        None,
    ),
    "sets": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="KEY=VALUE",
                help="Set a configuration key, e.g. split.holdout=0.3.",
                autocompletion=completing.settings,
            ),
        ],
        None,
    ),
    "seed": (Annotated[int | None, typer.Option("--seed", help="Seed of everything that is random here.")], None),
    "out": (
        Annotated[str | None, typer.Option("--out", metavar="DIR", help="Output directory (default: artifacts).")],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the report.")], False),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the result and warnings.")], False),
    "verbose": (Annotated[bool, typer.Option("--verbose", "-v", help="Say what was detected and decided.")], False),
    "no_progress": (Annotated[bool, typer.Option("--no-progress", help="No spinner, also on a terminal.")], False),
    "log_json": (Annotated[bool, typer.Option("--log-json", help="Log JSON objects, one a line.")], False),
    "debug": (Annotated[bool, typer.Option("--debug", help="Show a traceback on errors (may quote cells).")], False),
    "dry_run": (Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")], False),
}


def command(function: Callable[..., Outcome]) -> Callable[..., int]:
    """Return ``function`` with the common options in its signature; calling it runs the command to its end."""
    name = function.__name__.replace("_", "-")

    @wraps(function)
    def ran(**arguments: Any) -> int:
        common = {key: arguments.pop(key) for key in _COMMON}
        run = _run(name, common, options)
        try:
            outcome = function(run, **arguments)
            _finish(run, outcome)
        except BrokenPipeError as error:
            raise ClosedPipeError from error
        except SynthcliError as error:
            _explain(error, run)
            raise
        return outcome.exit_code

    own = list(signature(function, eval_str=True).parameters.values())[1:]
    shared = [
        Parameter(key, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for key, (annotation, default) in _COMMON.items()
    ]
    own = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own]
    options = {parameter.name: _typed(parameter) for parameter in own}
    ran.__signature__ = signature(function).replace(  # type: ignore[attr-defined]
        parameters=own + shared, return_annotation=int
    )
    ran.__annotations__ = {parameter.name: parameter.annotation for parameter in own + shared}
    del ran.__wrapped__
    return ran


def _typed(parameter: Parameter) -> str:
    """Return an option as it is typed, an argument as the usage line shows it."""
    about = get_args(parameter.annotation)[1]
    if not isinstance(about, OptionInfo):
        return str(about.metavar or parameter.name.upper()).strip("[]")
    named = [word for word in (about.param_decls or ()) if word.startswith("--")]
    return named[0] if named else f"--{parameter.name.replace('_', '-')}"


def _explain(error: SynthcliError, run: Run) -> None:
    """Add what only the command line knows: where a key was given, and how its commands go on from here.

    A message that begins with a key gets the key's place in front: ``synthcli.yaml:3:5: data.target: …``. Whether a
    column exists is found out by those who have the table, and they know no places.
    """
    resolved = run.known[-1] if run.known else None
    key = re.match(r"([a-z_]+\.[a-z_.]+[^:]*?)(?: \([^)]*\))?: ", error.message)
    if resolved is not None and key is not None and (place := _place(key[1], resolved.origins, run)):
        error.message = f"{place} {error.message}" if place == "--set" else f"{place}: {error.message}"
    if resolved is not None and error.kind == "missing_file" and _is_stated(error.message, resolved):
        error.hint += f"; data.path ({resolved.origins['data.path']}) is relative to the folder of that file"
    named = resolved is not None and resolved.config.data.path is not None
    words = error.hint.replace("split DATA`", "split`") if named else error.hint
    error.hint = re.sub("`synthcli (?!init)([^`]+)`", lambda found: f"`{run.follow_up(found[1])}`", words)


def _place(key: str, origins: Mapping[str, str], run: Run) -> str | None:
    """Return where ``key``, or the first key under it, was given; nothing for a default."""
    known = (each for each in origins if _within(each, key) or _within(key, each))
    found = next((each for each in known if origins[each] != "default"), None)
    if found is None or origins[found] not in ("flag", "environment"):
        return None if found is None else origins[found]
    return run.option(found) if origins[found] == "flag" else f"SYNTHCLI_{found.upper().replace('.', '__')}"


def _within(key: str, above: str) -> bool:
    """Whether ``key`` is ``above`` or stands under it."""
    return key == above or key.startswith(f"{above}.")


def _is_stated(message: str, resolved: Resolved) -> bool:
    """Whether the message begins with the table that the configuration's file states."""
    stated = resolved.file is not None and resolved.origins["data.path"].startswith(f"{resolved.file}:")
    return stated and message.startswith(f"{resolved.config.data.path}: ")


def _run(name: str, common: Mapping[str, Any], options: Mapping[str, str]) -> Run:
    log = Log(
        name,
        quiet=common["quiet"],
        verbose=common["verbose"],
        progress=not common["no_progress"],
        as_json=common["log_json"],
    )
    out = common["out"]
    if out:
        _check_directory(out)
    return Run(
        name,
        common["config_file"],
        tuple(common["sets"] or ()),
        common["seed"],
        Path(out) if out else None,
        common["json"],
        common["dry_run"],
        log,
        options,
    )


def _check_directory(where: str) -> None:
    """Raise ``UsageError`` for an output directory behind a URL: locks and renames need a file system."""
    from synthcli.errors import UsageError
    from synthcli.remote import is_url, shown

    if is_url(where):
        raise UsageError(
            f"--out (run.output_dir): got {shown(where)}, expected a directory of a file system, local or shared: "
            "locks and renames, which versions rest on, need one",
            "name such a directory, and copy from it what has to go elsewhere; tables may be URLs: sample --output URL",
        )


def _finish(run: Run, outcome: Outcome) -> None:
    """Leave the records of the run, print the result to stdout, and say what was written and what to run next."""
    if outcome.records and not run.dry_run and outcome.status != "skipped":
        from synthcli.commands.recording import write_records

        write_records(run, outcome)
    if run.json:
        print_document(
            document(
                run.command,
                status=outcome.status,
                exit_code=outcome.exit_code,
                artifacts=outcome.artifacts,
                warnings=run.log.warnings,
                result=outcome.result,
            )
        )
    elif outcome.report is not None:
        from rich.console import Console

        console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        if console.width < 1:  # COLUMNS=0, as a terminal without a size has it, is no wish for an empty report
            console.width = 80
        # What fits no line, a path or a command to copy, is broken by the terminal: it is all there.
        console.print(outcome.report(), crop=False)
    sys.stdout.flush()
    if outcome.status != "skipped":
        for name, path in outcome.artifacts.items():
            run.log.info(f"{'would write' if run.dry_run else 'wrote'} {name}: {path}")
    if outcome.next_step and not run.dry_run:
        run.log.info(f"next: {outcome.next_step}")
