"""The Typer app: mounts the commands lazily and turns every way to end into an exit code.

``--help`` and completion must be quick, so a command's module is imported when it is called, and its heavy imports when
it works. Importing this module loads none of polars, numpy, pandas, sklearn, sdv and torch.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from math import inf
from time import monotonic
from types import FrameType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from synthcli import __version__
from synthcli.commands.envelope import error_document, print_document
from synthcli.commands.parsing import no_such_command, own_words
from synthcli.commands.running import ClosedPipeError
from synthcli.errors import EngineError, SynthcliError, UsageError, no_room
from synthcli.progress import log_line, visible, visible_lines

#: Every command with its one line of help, in the order of the pipeline; each lives in the module of its name.
COMMANDS = {
    "init": "Look at a table and write a commented configuration for it.",
    "split": "Reserve a holdout that stays a holdout when the data grow.",
    "fit": "Train a generator on the training part only.",
    "sample": "Draw synthetic rows from a fitted generator.",
    "augment": "Rebalance, impute or upsample real rows, and measure what a model gains.",
    "validate": "Audit synthetic rows against training part and holdout, and gate a release.",
    "gate": "Check that a file passed its audit; for CI without the real data.",
    "collapse-sim": "Iterate a generator on its own output: does it collapse, and what prevents that?",
    "compare": "Compare two audits: what got better or worse by more than chance.",
    "refresh": "Keep the generator current: refit where new data call for it, promote what is no worse.",
    "status": "Show which versions there are, how old the champion and its data are, and the lock.",
    "rollback": "Make an earlier version the champion again.",
    "history": "Show how quality moved over the refreshes.",
    "prune": "Remove old generator versions.",
    "lineage": "Show what a file was made from, generation by generation.",
    "config": "Show the settings in force and where each comes from, or their JSON Schema.",
    "doctor": "Look at installation, machine and output directory: what is missing, and what would help.",
}

#: The variable by which a shell asks what could follow, instead of a command being run.
COMPLETION = "_SYNTHCLI_COMPLETE"

CLOSED_PIPE = 128 + signal.SIGPIPE
#: The signals that ask a command to end, and what it then says.
_STOPS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "the terminal was closed"}
#: Seconds within which further signals are the same wish: `timeout` sends two of them, an impatient hand some more.
_SAME_WISH = 2.0
#: Seconds after which a signal is raised again that came where nothing can be raised.
_MOMENT = 0.05


class Interrupted(KeyboardInterrupt):
    """Ctrl-C. A kind of its own, for where Python meets its own in code from text, it ends by the signal afterwards."""


class Terminated(BaseException):
    """A signal other than Ctrl-C arrived; raised where the program stands, so that temporary files are removed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and help, and imports a command when it is needed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, line in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=line)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the pipeline's order."""
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that ``args`` names, imported only now; listing them never gets here."""
        if args[0] not in COMMANDS:
            if ctx.resilient_parsing:  # completion has nothing to offer, and says nothing
                return None, None, args
            raise no_such_command(args[0], list(COMMANDS))
        _, _, rest = super().resolve_command(ctx, args)
        return args[0], load_command(args[0]), rest


def load_command(name: str) -> Any:
    """Import the module of the command ``name`` and return its Typer command."""
    module = import_module(f"synthcli.commands.{name.replace('-', '_')}")
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    single.command(name=name, help=COMMANDS[name])(getattr(module, name.replace("-", "_")))
    return typer.main.get_command(single)


app = typer.Typer(
    name="synthcli",
    cls=LazyGroup,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Make synthetic tables out of real ones, and prove on a reserved holdout whether they may be released.",
    epilog="Exit codes: 0 done, 1 a gate failed, 2 usage or configuration, 3 input data, 4 engine, 75 locked.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"synthcli {__version__}\n")
        raise typer.Exit


@app.callback()
def synthcli(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Make synthetic tables out of real ones, and prove on a reserved holdout whether they may be released."""
    if context.invoked_subcommand is None:
        sys.stderr.write(f"{context.get_help()}\n")
        raise typer.Exit(UsageError.exit_code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; prints errors, never raises."""
    try:
        with _signals_raised() as told:
            try:
                return _ended(arguments, told)
            finally:
                _flush()
    except KeyboardInterrupt:  # these came as it ended, or as an error was told
        return _stopped(signal.SIGINT, arguments)
    except Terminated as wish:
        return _stopped(wish.number, arguments)


def _ended(arguments: Sequence[str], told: Sequence[int]) -> int:
    """Run one command line and turn whatever ends it into an exit code."""
    try:
        return _run(arguments, told)
    except (KeyboardInterrupt, typer.Abort):
        return _stopped(signal.SIGINT, arguments)
    except Terminated as wish:
        return _stopped(wish.number, arguments)
    except Exception as error:  # noqa: BLE001 - even what goes wrong while an error is told is no gate's exit 1
        return _report(_unexpected(error), "synthcli", arguments)
    except SystemExit as end:  # how the parser ends a completion, and how it and rich take a closed pipe
        return CLOSED_PIPE if end.code == 1 and COMPLETION not in os.environ else int(end.code or 0)


def _run(arguments: Sequence[str], told: Sequence[int]) -> int:
    if COMPLETION in os.environ:
        os.environ["COLUMNS"] = "1000"  # Typer wraps help at this width, and fish takes a second line for another offer
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a sign shows ? and the command goes on
    command = _command(arguments)
    try:
        code = typer.main.get_command(app).main(list(arguments), prog_name="synthcli", standalone_mode=False)
        sys.stdout.flush()
        if code == 128 + signal.SIGINT:  # the parser turns Ctrl-C into its exit code, in whichever command it was
            return _stopped(signal.SIGINT, arguments)
        return code if isinstance(code, int) else 0
    except SynthcliError as error:
        return _report(error, command, arguments)
    except (ClosedPipeError, BrokenPipeError):
        return CLOSED_PIPE
    except Exception as error:  # noqa: BLE001 - the last resort: an unforeseen error is an engine failure, not exit 1
        # After a signal it is what compiled code made of that.
        return _stopped(told[-1], arguments) if told else _report(_foreseen(error, command), command, arguments)
    except BaseException as error:
        if not _is_panic(error):
            raise
        return _report(_foreseen(error, command), command, arguments)


def _command(arguments: Sequence[str]) -> str:
    return next((word for word in arguments if word in COMMANDS), "synthcli")


@contextmanager
def _signals_raised() -> Iterator[Sequence[int]]:
    """Raise a signal where the program stands; what is ignored, as under nohup, stays so. Yield those that came.

    Where that is a finaliser or a weak reference's callback, from which nothing is raised, it is raised a moment later.
    """
    heard, told = -inf, list[int]()

    def heed(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if monotonic() - heard < _SAME_WISH:
            return
        heard = monotonic()
        told.append(number)
        raise Interrupted if number == signal.SIGINT else Terminated(number)

    def swallowed(what: sys.UnraisableHookArgs) -> None:
        nonlocal heard
        if issubclass(what.exc_type, (Interrupted, Terminated)):
            heard = -inf
            signal.signal(signal.SIGALRM, lambda _, frame: heed(told[-1], frame))
            signal.setitimer(signal.ITIMER_REAL, _MOMENT)
        else:
            usual(what)

    usual, sys.unraisablehook = sys.unraisablehook, swallowed
    asked = [number for number in _STOPS if signal.getsignal(number) != signal.SIG_IGN]
    before = {signal.SIGALRM: signal.getsignal(signal.SIGALRM)}
    before |= {number: signal.signal(number, heed) for number in asked}
    try:
        yield told
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = usual


def _is_panic(error: BaseException) -> bool:
    """Whether a library written in Rust gave up; its exception is no ``Exception``."""
    return type(error).__name__ == "PanicException"


def _stopped(number: int, arguments: Sequence[str]) -> int:
    message = f"{_STOPS[signal.Signals(number)]}; nothing half-written was left behind"
    with suppress(OSError):  # a terminal that was closed hears nothing
        if "--log-json" in arguments:
            log_line(_command(arguments), "error", message)
        else:
            sys.stderr.write(f"synthcli: {message}\n")
    return 128 + number


def _flush() -> None:
    """Write out what is left; where nobody takes it, so that the interpreter's own last flush stays silent."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _foreseen(error: BaseException, command: str) -> SynthcliError:  # noqa: PLR0911 - one a kind of error
    """Return the error in our own terms: the command line's, the file system's, or an unforeseen one.

    Only the type of an unforeseen error is told: its text may quote cells of a real table.
    """
    if hasattr(error, "format_message"):  # the parser's own usage errors
        return _chained(own_words(error, command, _owners), error)
    if isinstance(error, (FileExistsError, NotADirectoryError)) and error.filename is not None:
        message = f"{error.filename}: a file stands where a folder is needed"
        return _chained(UsageError(message, "name another folder with --out"), error)
    if no_room(error):
        where = f"{error.filename}: " if isinstance(error, OSError) and error.filename is not None else ""
        return _chained(EngineError(f"{where}no space left on device", "make room, and run it again"), error)
    if isinstance(error, FileNotFoundError) and error.filename is None and not _placed():
        return _chained(UsageError("the working directory is gone", "run it from a folder that is there"), error)
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {(error.strerror or 'cannot be used').lower()}"
        return _chained(EngineError(message, "check the path, its permissions and the free space"), error)
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        message = f"the installation is incomplete: {error.name.partition('.')[0]} is missing"
        hint = "install synthcli again; synthcli doctor --json says what else is missing"
        return _chained(EngineError(message, hint), error)
    return _unexpected(error)


def _unexpected(error: BaseException) -> SynthcliError:
    hint = "run it again with --debug for a traceback, which may quote cells of your data; please report it"
    return _chained(EngineError(f"unexpected {type(error).__name__}", hint), error)


def _placed() -> bool:
    """Whether there is a working directory; one that was removed still looks like a folder."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _owners(option: str) -> list[str]:
    """Return the commands that have ``option``."""
    return [name for name in COMMANDS if any(option in parameter.opts for parameter in load_command(name).params)]


def _chained(error: SynthcliError, cause: BaseException) -> SynthcliError:
    error.__cause__ = cause
    return error


def _report(error: SynthcliError, command: str, arguments: Sequence[str]) -> int:
    with suppress(OSError):  # the exit code tells it to whoever closed the streams
        _tell(error, command, arguments)
    return error.exit_code


def _tell(error: SynthcliError, command: str, arguments: Sequence[str]) -> None:
    trace = "".join(traceback.format_exception(error)) if "--debug" in arguments else ""
    if "--log-json" not in arguments:
        sys.stderr.write(visible_lines(trace))
    name = "synthcli" if command == "synthcli" else f"synthcli {command}"
    if "--log-json" in arguments:
        log_line(command, "error", error.message, hint=error.hint, **({"traceback": trace} if trace else {}))
    elif _quiet(arguments):  # one line, as cron's mail and a log of many runs want it
        told = "; ".join(part for text in (error.message, error.hint) for part in text.splitlines() if part)
        sys.stderr.write(f"{name}: {visible(told)}\n")
    else:
        told = f"{name}: {error.message}" + (f"\nhint: {error.hint}" if error.hint else "")
        sys.stderr.write(f"{visible_lines(told)}\n")
    if "--json" in arguments:
        print_document(error_document(command, error))


def _quiet(arguments: Sequence[str]) -> bool:
    return any(word == "--quiet" or re.fullmatch("-[a-z]*q[a-z]*", word) for word in arguments)
