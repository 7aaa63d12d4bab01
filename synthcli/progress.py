"""What a command says while it works, all of it on stderr: phases, notes, warnings and progress.

On a terminal a phase is a spinner that becomes a line; elsewhere (cron, CI, a pipe) it is one plain line, or one JSON
object a line with ``--log-json``. Quiet silences everything but warnings.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

#: What JSON may hold as it is and a terminal should not: control characters, and signs that turn or hide text.
_UNPRINTED = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@dataclass
class Log:
    """Writes log lines to stderr; remembers warnings for the JSON document and seconds of phases for ``run.json``."""

    command: str
    quiet: bool = False
    verbose: bool = False
    progress: bool = True
    as_json: bool = False
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def note(self, message: str) -> None:
        """Say a detail, with ``--verbose`` only."""
        if self.verbose:
            self._write("debug", message)

    def info(self, message: str) -> None:
        """Say what happens, unless ``--quiet``."""
        if not self.quiet:
            self._write("info", message)

    def warn(self, message: str) -> None:
        """Say once what the user should know, also with ``--quiet``; it is part of the JSON document too."""
        if message in self.warnings:
            return
        self.warnings.append(message)
        self._write("warning", message)

    def error(self, message: str) -> None:
        """Say in a line why the command fails, also with ``--quiet``."""
        if self.as_json:
            self._write("error", message)
        else:
            sys.stderr.write(f"synthcli {self.command}: {visible_lines(message)}\n")

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Time a phase of the work; on a terminal with a spinner."""
        started = time.monotonic()
        if self.progress and not self.quiet and not self.as_json and sys.stderr.isatty():
            with _spinner(name) as phase:
                yield phase
        else:
            yield Phase(name)
        took = round(time.monotonic() - started, 3)
        self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 3)
        if not self.quiet:
            self._write("info", f"{name} {took:.1f} s", phase=name, seconds=took)

    def _write(self, level: str, message: str, **more: Any) -> None:
        """Write a line; what is ``more`` than a person reads is for machines."""
        if self.as_json:
            log_line(self.command, level, message, **more)
        else:
            shown = visible(message)
            sys.stderr.write(f"warning: {shown}\n" if level == "warning" else f"{shown}\n")


def visible(text: str) -> str:
    """Return ``text`` with line ends, lone surrogates and whatever else does not print as escapes: one line.

    Names of files and columns come from anyone, and a terminal obeys some of what does not print.

    >>> visible("age\\n")
    'age\\\\n'
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)


def visible_lines(text: str) -> str:
    """Return ``text`` with every line of it as :func:`visible` shows it."""
    return "\n".join(map(visible, text.split("\n")))


def visible_json(document: Any, *, indent: int | None = None) -> str:
    """Return ``document`` as JSON that is fit for a terminal: what does not print is escaped in it too."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    return _UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def log_line(command: str, level: str, message: str, **more: Any) -> None:
    """Write one log line as a JSON object to stderr, with the time in UTC."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": moment, "level": level, "command": command, "message": message, **more}
    sys.stderr.write(visible_json(line) + "\n")


@dataclass
class Phase:
    """A phase under way; :meth:`update` tells how far it is, where somebody watches."""

    name: str

    def update(self, share: float, note: str = "") -> None:
        """Tell the share done, 0 to 1, and a short note."""


@contextmanager
def _spinner(name: str) -> Iterator[Phase]:
    from rich.console import Console

    with Console(stderr=True).status(name) as status:

        class Watched(Phase):
            def update(self, share: float, note: str = "") -> None:
                status.update(f"{self.name} {share:4.0%} {note}")

        yield Watched(name)
