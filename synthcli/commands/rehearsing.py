"""Rehearsing a command: it is run on small parts of its input, in a process and a folder of its own that both go again.

So what ``--dry-run`` foretells comes from the command itself: its own phases, files and memory, and no second account
of what it does. Nothing is written in the output directory. What this process has done before the rehearsal, on the
whole input, is known and not foretold; a part's phases of the same names are left out.

A small part comes first: what it takes longer than the next is what libraries take to load. Where a command says which
these are, they are loaded by themselves, and the small part counts. Parts grow by four until the whole input is done or
the next would take too long; where the small part takes long already, the whole is foretold from it alone. A process of
``executors`` would not do: it keeps to one thread, and the command does not.
"""

from __future__ import annotations

import io
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import typer

from synthcli.artifacts import own_prefix
from synthcli.commands.machine import folder, memory, peak_memory
from synthcli.commands.running import Outcome, Run
from synthcli.config import Config
from synthcli.config.load import absolute_in, with_paths
from synthcli.errors import SynthcliError
from synthcli.foresight import SIZE_VARIES, TIME_VARIES, Forecast, Point, Range, Room, foretold

#: Seconds of work within which a further part has to be done, and after which a rehearsal is broken off.
ENOUGH, MOST = 5.0, 60.0
#: Seconds of work of the small part after which there is no other; twice as many where it loads libraries too.
DEAR = 10.0
#: Rows of the first part, how much larger the next is, and how much smaller the one by which libraries are loaded.
LEAST, GROWTH, WARM = 1_000, 4, 4


@dataclass(frozen=True)
class Part:
    """A part of the input: its rows, the folder for its files, and how long networks train on it."""

    rows: int
    folder: Path
    epochs: int = 1

    @property
    def out(self) -> Path:
        """The output directory of the rehearsal."""
        return self.folder / "out"


class Play(NamedTuple):
    """What is to be rehearsed.

    Attributes
    ----------
    rows
        Rows of the whole, by which parts are cut.
    prepare
        Puts the input of a part into its folder; returns the words of the command, and what it has the configuration
        say instead (``{"data.path": …}``).
    place
        From the name of a file under the rehearsal's output directory to where the command would write it.
    epochs
        The epochs of the longest training, where networks are trained; a part trains for one, the last for some more.
    side_by_side
        Among how many workers the rows of the whole are shared, where a part is one worker's.
    least, most
        Rows of the first part, and of the largest that can be had, where that is not all.
    held
        Rows that are in memory at a time, where that is not all.
    loads
        Modules that the command loads as it works and that take long to load.
    bounded
        Whether most of the work looks at a bounded number of rows.
    kept
        Bytes that are kept of the whole, and of small parts are too few to be told from what libraries take.
    """

    rows: int
    prepare: Callable[[Part], tuple[list[str], Mapping[str, Any]]]
    rows_in: dict[str, int]
    rows_out: dict[str, int]
    place: Callable[[str], str | Sequence[str] | None]
    epochs: int = 1
    side_by_side: int = 1
    least: int = LEAST
    most: int | None = None
    held: int | None = None
    loads: tuple[str, ...] = ()
    bounded: bool = False
    kept: int = 0


#: Runs a command line within so many seconds; returns how it ended, or ``None`` where it did not.
Ask = Callable[[list[str], float], Mapping[str, Any] | None]


class Measured(NamedTuple):
    """What the command took on a part, less the phases that are done already; ``error``: why it failed.

    ``work`` is the same by the time on processors, which is steadier.
    """

    rows: int
    seconds: float
    work: float
    memory: int
    disk: int
    files: tuple[str, ...]
    error: str = ""


@dataclass
class _Rehearsed:
    """What has been measured so far.

    ``files`` were written by the smallest part, ``loading`` are the seconds that libraries took, ``epoch`` is the work
    of an epoch more, and ``why`` says why there is no more.
    """

    parts: list[Measured] = field(default_factory=list)
    files: tuple[str, ...] = ()
    loading: float = 0.0
    epoch: float = 0.0
    why: str = ""


def planned(
    run: Run,
    settings: Config,
    play: Play,
    would: Mapping[str, str],
    result: Mapping[str, Any] | None = None,
    artifacts: Mapping[str, Path | str] | None = None,
) -> Outcome:
    """End a dry run: say what the command ``would`` do, and what that is foretold to take."""
    from synthcli.reports.terminal import forecast_report

    told = forecast(run, settings, play)
    return Outcome(
        lambda: forecast_report(would, told),
        {**(result or {}), "plan": {**would, **told.to_dict()}},
        artifacts or {},
        next_step=run.follow_up(run.command),
    )


def nothing(run: Run, settings: Config, would: Mapping[str, str]) -> Outcome:
    """End a dry run of a command that would write nothing: it would be done as soon as this one."""
    from synthcli.reports.terminal import forecast_report

    seconds, held, none = map(Range.about, (time.monotonic() - run.course.clock, float(peak_memory()), 0.0))
    free = room(Path(settings.run.output_dir))
    told = Forecast({}, {}, seconds, held, none, {}, "all of it was done", 0.0, (), free)
    return Outcome(lambda: forecast_report(would, told), {"plan": {**would, **told.to_dict()}})


def forecast(run: Run, settings: Config, play: Play) -> Forecast:
    """Rehearse a command whose input was read and found good; what may not fit becomes a warning."""
    before, began = time.monotonic() - run.course.clock, time.monotonic()
    with run.log.phase("probe"):
        found = _rehearsed(settings, play, set(run.log.seconds), before)
    told = _forecast(play, found, before, Path(settings.run.output_dir), time.monotonic() - began)
    for doubt in told.doubts:
        run.log.warn(doubt)
    return told


def _forecast(play: Play, found: _Rehearsed, before: float, out: Path, took: float) -> Forecast:
    """Put together what was measured."""
    free = room(out)
    sizes = tuple(part.rows for part in found.parts)
    paths = {path: _there(path) for path in _placed(play, found.files)}
    if not found.parts:
        model = f"not measured: {found.why}"
        return Forecast(play.rows_in, play.rows_out, None, None, None, paths, model, took, (), free)

    def likely(cost: Callable[[Measured], float], rows: int, varies: float) -> Range:
        return foretold([Point(part.rows, cost(part)) for part in found.parts], rows, varies, bounded=play.bounded)

    slowness, last = _slowness(found.parts), found.parts[-1]
    seconds = likely(lambda part: part.work, play.rows, TIME_VARIES).times(slowness, slowness, slowness)
    if found.epoch:  # its steps are proportional to the rows
        more = (play.epochs - 1) * found.epoch * play.rows / last.rows * slowness
        seconds = seconds.plus(Range.about(more, TIME_VARIES))
    if play.side_by_side > 1:
        seconds = seconds.times(1 / play.side_by_side, 1.2 / play.side_by_side, 1.0)
    held = None
    if len(found.parts) > 1 or last.rows >= play.rows:  # of one part alone nobody knows what rows and libraries take
        held = likely(lambda part: part.memory, min(play.held or play.rows, play.rows), SIZE_VARIES)
        held = held._replace(low=min(held.low, last.memory / SIZE_VARIES))
        if last.rows < play.rows:
            held = held.plus(Range.about(play.kept, TIME_VARIES))
        if play.side_by_side > 1:
            held = held.times(play.side_by_side, play.side_by_side, play.side_by_side).plus(Range.about(peak_memory()))
        held = held.at_least(peak_memory())
    return Forecast(
        play.rows_in,
        play.rows_out,
        seconds.plus(Range.about(before + found.loading, TIME_VARIES)),
        held,
        likely(lambda part: part.disk, play.rows, SIZE_VARIES),
        paths,
        _model(play, sizes),
        took,
        sizes,
        free,
        slowness,
    )


def room(out: Path) -> Room:
    """Return the memory that is free, and the disk that holds the output directory or will."""
    return Room(memory().available, folder(out, write=False, make=True).free)


def _placed(play: Play, files: Sequence[str]) -> list[str]:
    """Return where the files would be written, each once, in order."""
    placed: dict[str, None] = {}
    for file in files:
        where = play.place(file)
        placed.update(dict.fromkeys([where] if isinstance(where, str) else where or ()))
    return sorted(placed)


def _there(path: str) -> bool:
    from glob import glob

    return Path(path).exists() or ("*" in path and bool(glob(path)))


def _model(play: Play, sizes: Sequence[int]) -> str:
    """Say how it was foretold."""
    if sizes[-1] >= play.rows:
        told = "the whole was done, in a folder of its own"
    else:
        listed = ", ".join(f"{size:,}" for size in sizes)
        law = "a power of the rows" if play.bounded else "affine in the rows"
        told = f"{law}, after parts of {listed} rows of {play.rows:,}"
        if len(sizes) == 1:
            told = f"between a fixed cost and one by the row, after one part of {listed} rows of {play.rows:,}"
    if play.epochs > 1:
        told += f"; seconds of an epoch by the rows, times {play.epochs:,} epochs"
    if play.side_by_side > 1:
        told += f"; {play.side_by_side} workers share the rows"
    return told


# --- Running parts -----------------------------------------------------------------------------------------------


def _rehearsed(settings: Config, play: Play, done: set[str], before: float) -> _Rehearsed:
    """Run parts that grow, as long as the next can be done soon enough; two at least, and a small one to warm up.

    Where that one is dear, or the next cannot be done, it is all there is.
    """
    found = _Rehearsed()
    most = min(play.rows, play.most or play.rows)
    with tempfile.TemporaryDirectory(prefix=own_prefix()) as name, _child(Path(name), play.loads) as (ask, loading):
        began = time.monotonic()

        def tried(rows: int, epochs: int = 1) -> Measured | None:
            part = Part(rows, Path(tempfile.mkdtemp(dir=name)), epochs)
            measured = _part(settings, play, part, done, ask, MOST - (time.monotonic() - began))
            shutil.rmtree(part.folder, ignore_errors=True)
            found.why = measured.error
            return None if measured.error else measured

        first = tried(min(play.least // WARM, most)) or tried(min(play.least, most))
        if first is None:
            return found
        found.files = first.files
        rows = min(play.least, most)
        if play.loads:
            found.parts.append(first)
            rows = _next(found.parts, play, most, before, time.monotonic() - began)
        if first.work > (DEAR if play.loads else 2 * DEAR) and play.epochs == 1:
            rows = 0
        while rows and (measured := tried(rows)) is not None:
            found.parts.append(measured)
            rows = _next(found.parts, play, most, before, time.monotonic() - began)
        second = found.parts[0] if found.parts else first
        found.loading = max(first.seconds - second.seconds * min(first.rows / second.rows, 1), 0.0) + loading
        if not found.parts:
            found.parts.append(first)
        last, more = found.parts[-1], _epochs_more(found.parts[-1], play)
        if more and (longer := tried(last.rows, 1 + more)) is not None:
            found.epoch = max(longer.work - last.work, 0.0) / more
    return found


def _epochs_more(part: Measured, play: Play) -> int:
    """Return by how many epochs a part is trained longer to tell what one takes: as many as ``ENOUGH`` allows."""
    return min(max(2, int(ENOUGH / max(part.work, 0.1))), play.epochs - 1)


def _next(parts: Sequence[Measured], play: Play, most: int, before: float, spent: float) -> int:
    """Return the rows of a further part; 0 where all was done, or none is worth its time.

    It is as large as ``ENOUGH`` allows. That goes by the time on processors, so that other people's work does not make
    a rehearsal a guess; but it takes no more than a third of what the whole is foretold to take, or little.
    """
    last = parts[-1]
    if last.rows >= most:
        return 0
    if len(parts) == 1:
        return min(last.rows * GROWTH, most)
    dearer, slowness = 2 if play.epochs > 1 else 1, _slowness(parts)
    points = [Point(part.rows, part.work) for part in parts]
    whole = foretold(points, play.rows, 1.0, bounded=play.bounded).likely
    allowed = max(2 * ENOUGH, (before + whole * slowness) / 3) - spent
    left = min(ENOUGH - sum(part.work for part in parts), allowed / slowness) / dearer
    sizes = [min(last.rows * GROWTH**power, most) for power in (2, 1)]
    return next((rows for rows in sizes if foretold(points, rows, TIME_VARIES).high < left), 0)


def _slowness(parts: Sequence[Measured]) -> float:
    """Return how many seconds go by for one on a processor: more where others work too, less with several threads."""
    return sum(part.seconds for part in parts) / max(sum(part.work for part in parts), 1e-6)


def _part(
    settings: Config,
    play: Play,
    part: Part,
    done: set[str],
    ask: Ask,
    patience: float,
) -> Measured:
    """Run the command on one part, and look at what it wrote."""
    words, instead = play.prepare(part)
    config = part.folder / "config.yaml"
    config.write_text(json.dumps(_settings(settings, instead)), encoding="utf-8")  # JSON is YAML
    before = dict(_files(part.out))
    words = [*words, "-c", str(config), "--out", str(part.out), "--log-json", "--json"]
    answer = ask(words, patience) if patience > 0 else None
    if answer is None:
        return Measured(part.rows, 0.0, 0.0, 0, 0, (), f"{part.rows:,} rows take longer than {MOST:.0f} s")
    if answer["error"]:
        error = answer["error"].replace(f"{part.folder}{os.sep}", "")  # that folder will be gone
        return Measured(part.rows, 0.0, 0.0, 0, 0, (), f"on {part.rows:,} rows the command fails: {error}")
    wrote = {path: found for path, found in _files(part.out) if before.get(path) != found}
    known = sum(seconds for name, seconds in answer["phases"] if name in done)
    seconds = max(answer["seconds"] - known, 0.0)
    return Measured(
        part.rows,
        seconds,
        answer["work"] * seconds / answer["seconds"],
        answer["memory"],
        sum(size for path, (size, _) in wrote.items() if play.place(path) is not None),
        tuple(wrote),
    )


def _settings(settings: Config, instead: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration for a rehearsal: no commands of others are run, and old versions stay."""
    # No plain data for others: the rehearsal needs the passwords of URLs, and its folder is private.
    plain = with_paths(settings.model_dump(mode="json", by_alias=True), partial(absolute_in, Path()))
    plain["refresh"] |= {"after_promotion": [], "keep": None}
    for key, value in instead.items():
        section, _, name = key.partition(".")
        plain[section] = value if not name else plain[section] | {name: value}
    return plain


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each file under ``folder`` that a person sees, with its size and when it was changed."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix(), (path.stat().st_size, path.stat().st_mtime_ns)


@contextmanager
def _child(temporary: Path, loads: Sequence[str] = ()) -> Iterator[tuple[Ask, float]]:
    """Yield a function that runs a command line in another process, and the seconds that it took there to load modules.

    The function's command is done within so many seconds, or not at all.
    That one has its temporary files in ``temporary``, where they go with the rest when it is ended.
    """
    loaded = sorted(name for name in sys.modules if name.startswith("synthcli.") and name != "synthcli.__main__")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYNTHCLI_", "GITHUB_"))}
    process = subprocess.Popen(
        # Without -P a file of the working directory would be run that has the name of a module.
        [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TMPDIR": str(temporary)},
    )

    def ask(words: Sequence[Any], patience: float) -> Mapping[str, Any] | None:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        try:
            process.stdin.write(json.dumps(words) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return _ENDED
        if not select.select([process.stdout], [], [], patience)[0]:
            return None
        line = process.stdout.readline()
        return json.loads(line) if line else _ENDED

    try:
        ready = ask((loaded, loads), MOST)
        if ready is None:  # its late answer would be taken for that to a command
            yield (lambda *_: None), 0.0
        else:
            yield ask, ready.get("loading", 0.0)
    finally:
        process.kill()
        process.communicate()


_ENDED: Mapping[str, Any] = {"error": "its process was ended from outside, most often because memory ran out"}


def serve() -> None:
    """Import the modules named on the first line of standard input, then run the command line on each further one.

    That line names first what is loaded where the command runs already, then what it will load; the latter is timed.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers, os.fdopen(os.dup(0), encoding="utf-8") as asked:
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):  # what a library or a command prints is nobody's answer
            os.dup2(silent, stream)
        loaded, loads = json.loads(asked.readline())
        for name in loaded:
            import_module(name)
        started = time.monotonic()
        for name in loads:
            import_module(name)
        loading = time.monotonic() - started if loads else 0.0
        answers.write(json.dumps({"loading": loading}) + "\n")
        answers.flush()
        for line in asked:
            answers.write(json.dumps(_ran(json.loads(line))) + "\n")
            answers.flush()


def _ran(words: Sequence[str]) -> dict[str, Any]:
    """Run a command line here; return how it ended, its phases, and what it took."""
    name, *options = words
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    started, work, error = time.monotonic(), _work(), ""
    try:
        single.command(name)(getattr(import_module(f"synthcli.commands.{name}"), name))
        typer.main.get_command(single).main(options, standalone_mode=False)
    except SynthcliError as trouble:
        error = trouble.message
    except Exception as trouble:  # noqa: BLE001 - its text may quote cells; the command itself will say more
        error = type(trouble).__name__
    seconds, work = time.monotonic() - started, _work() - work
    lines = [json.loads(line) for line in sys.stderr.getvalue().splitlines() if line.startswith("{")]
    phases = [(line["phase"], line["seconds"]) for line in lines if "phase" in line]
    return {"error": error, "seconds": seconds, "work": work, "phases": phases, "memory": peak_memory()}


def _work() -> float:
    """Return the seconds that this process and the workers that it has ended had processors for."""
    return sum(os.times()[:4])
