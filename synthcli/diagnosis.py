"""What doctor finds: facts about an installation, a machine and an output directory, each judged by itself.

Facts are gathered elsewhere (``commands/doctor``); nothing here looks at the machine. A finding is

- ``ok``;
- a ``note``: worth knowing, and nothing to worry about;
- a ``warning``: the work goes on, and somebody should look at it;
- a ``problem``: the work cannot be done before it is mended.
"""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from synthcli.wording import size

Status = Literal["ok", "note", "warning", "problem"]
#: From the best to the worst.
STATUSES: tuple[Status, ...] = ("ok", "note", "warning", "problem")

_MB, _GB = 10**6, 10**9
#: Bytes of memory that fit takes before it has seen a row, and those that leave room for a table of some size.
LEAST_MEMORY, GOOD_MEMORY = 500 * _MB, 2 * _GB
#: Bytes on a disk below which hardly a generator has room, and those that leave room for a table of some size.
LEAST_DISK, GOOD_DISK = 20 * _MB, _GB
#: How many of several things are named.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, what is expected, and what to do where that differs."""

    area: str
    name: str
    status: Status
    found: str
    expected: str = ""
    remedy: str = ""


# --- Facts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Package:
    """A package: its version (``None``: not installed), the range that is allowed, the version that was tested."""

    name: str
    version: str | None
    allowed: str = ""
    tested: str | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs here.

    Attributes
    ----------
    code, installed
        The version that the code says it is, and the one that the installation knows; ``None``: not installed.
    direct, others, torch
        The packages that synthcli names, and those that these need; of the latter torch stands by itself.
    extras
        Name of an optional part -> the packages that it names.
    tested_file
        Where the tested versions stand; ``None`` where the list is missing.
    """

    code: str
    installed: str | None
    python: str
    python_allowed: str
    direct: Sequence[Package]
    others: Sequence[Package]
    torch: Package
    extras: Mapping[str, Sequence[Package]]
    tested_file: str | None


@dataclass(frozen=True, slots=True)
class Device:
    """What torch computes on (``cpu``, ``cuda``, ``mps``), whether a GPU is there, and why torch cannot be loaded."""

    name: str
    gpu: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of memory that this process may have, and those that are free; ``None``: the system does not say."""

    total: int | None
    available: int | None
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to write to: whether it is there, bytes that are free, and why no file can be written there.

    ``tried`` says that one was written, not only asked for the right to.
    """

    path: str
    exists: bool
    free: int | None
    trouble: str = ""
    tried: bool = True


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of a folder: whether it is held, by which process, and whether that is one of this machine's."""

    folder: str
    held: bool
    pid: int | None = None
    here: bool = True


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration's file (``None``: none is there), and why it cannot be used."""

    file: str | None
    trouble: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known."""

    installation: Installation
    processors: int
    memory: Memory
    device: Device
    output: Folder
    temporary: Folder
    locks: Sequence[Lock]
    left_over: Sequence[str]
    configuration: Configuration


# --- Findings ----------------------------------------------------------------------------------------------------


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Return every finding, area by area."""
    return (
        *_installation(facts.installation),
        *_optional(facts.installation),
        _processors(facts.processors),
        _memory(facts.memory),
        _device(facts.device),
        _room("temporary folder", facts.temporary, "warning", "set TMPDIR to another folder, or mend this one"),
        _room("output directory", facts.output, "problem", "name another one with --out, or mend this one"),
        *map(_lock, facts.locks),
        _left_over(facts.left_over),
        _configuration(facts.configuration),
    )


def worst(findings: Sequence[Finding]) -> Status:
    """Return the worst status of all."""
    return max((finding.status for finding in findings), key=STATUSES.index, default="ok")


def _installation(facts: Installation) -> Iterator[Finding]:
    remedy = _pip(facts, "synthcli")
    yield _own(facts)
    supported = allows(facts.python_allowed, facts.python)
    yield Finding(
        "installation",
        "Python",
        "ok" if supported else "problem",
        facts.python,
        facts.python_allowed,
        "" if supported else "make an environment with a Python of that range",
    )
    if facts.tested_file is None:
        yield Finding("installation", "tested versions", "note", "the list is missing", "", "install synthcli again")
    yield from (_package(package, remedy) for package in facts.direct)
    missing = [package for package in facts.others if package.version is None]
    yield from (_package(package, remedy) for package in missing)
    yield _others([package for package in facts.others if package.version is not None], remedy)


def _own(facts: Installation) -> Finding:
    if facts.installed == facts.code:
        return Finding("installation", "synthcli", "ok", facts.code)
    told = "not installed" if facts.installed is None else f"installed as {facts.installed}"
    remedy = "install it (again), so that it is known which packages it needs"
    return Finding("installation", "synthcli", "warning", f"{facts.code}, {told}", facts.code, remedy)


def _package(package: Package, remedy: str) -> Finding:
    version, tested = package.version, package.tested
    expected = ", ".join(filter(None, [package.allowed, f"tested {tested}" if tested else ""]))
    found = Finding("installation", package.name, "ok", version or "missing", expected)
    if version is None:
        return replace(found, status="problem", remedy=remedy)
    if not allows(package.allowed, version):
        return replace(found, status="warning", found=f"{version}, outside the range", remedy=remedy)
    return found if _as_tested(package) else replace(found, status="note", remedy=remedy)


def _others(packages: Sequence[Package], remedy: str) -> Finding:
    """Judge the packages that others need: what is in order is not listed."""
    strange = [f"{package.name} {package.version}" for package in packages if not _as_tested(package)]
    found = f"{len(packages)}, {f'{len(strange)} not as tested: {some(strange)}' if strange else 'as tested'}"
    return Finding("installation", "what these need", "note" if strange else "ok", found, "", remedy if strange else "")


def _optional(facts: Installation) -> Iterator[Finding]:
    yield replace(_package(facts.torch, _pip(facts, "torch")), area="optional")
    for extra, packages in facts.extras.items():
        for package in packages:
            judged = _package(package, f"pip install 'synthcli[{extra}]'")
            status = "note" if package.version is None else judged.status
            yield replace(judged, area="optional", name=extra, status=status, found=f"{package.name} {judged.found}")


def _processors(count: int) -> Finding:
    return Finding("machine", "processors", "ok", f"{count:,}")


def _memory(memory: Memory) -> Finding:
    if memory.available is None:
        total = "" if memory.total is None else f"{size(memory.total)}, "
        return Finding("machine", "memory", "ok", f"{total}how much is free is not known")
    of = "" if memory.total is None else f" of {size(memory.total)}"
    found = f"{size(memory.available)} free{of}{' that this process is limited to' if memory.limited else ''}"
    status = _enough(memory.available, LEAST_MEMORY, GOOD_MEMORY)
    remedy = f"end what else runs here{', or raise the limit' if memory.limited else ''}" if status != "ok" else ""
    return Finding("machine", "memory", status, found, f"{size(GOOD_MEMORY)} free", remedy)


def _device(device: Device) -> Finding:
    if device.trouble:
        told = f"torch cannot be loaded: {device.trouble}"
        return Finding("machine", "device", "problem", told, "cpu, cuda or mps", "install torch again")
    if device.gpu and device.name == "cpu":
        remedy = "for ctgan, tvae and copula_gan install a torch that is built for this GPU"
        return Finding("machine", "device", "note", "cpu; there is a GPU that this torch does not use", "", remedy)
    return Finding("machine", "device", "ok", device.name or "not known without torch")


def _room(name: str, folder: Folder, severe: Status, remedy: str) -> Finding:
    """Judge whether a folder can be written to and has room; where it cannot the finding is ``severe``."""
    expected = f"writable, {size(GOOD_DISK)} free"
    if folder.trouble:
        return Finding("folders", name, severe, f"{folder.path}: {folder.trouble}", expected, remedy)
    told = [folder.path] if folder.exists else [f"{folder.path}: not there yet"]
    told += [] if folder.tried else ["not tried"]
    told += [] if folder.free is None else [f"{size(folder.free)} free"]
    status: Status = "ok" if folder.free is None else _enough(folder.free, LEAST_DISK, GOOD_DISK)
    status = min(status, severe, key=STATUSES.index)
    return Finding("folders", name, status, ", ".join(told), expected, "" if status == "ok" else "make room there")


def _lock(lock: Lock) -> Finding:
    name = f"lock of {lock.folder}"
    if not lock.held:
        return Finding("folders", name, "ok", "free")
    found = "held" if lock.pid is None else f"held by process {lock.pid}"
    if lock.pid is not None and not lock.here:
        remedy = "see who else works in this directory, or use another --out"
        return Finding("folders", name, "warning", f"{found}, which is not of this machine", "free", remedy)
    return Finding("folders", name, "note", found, "free", "wait for it to end, or use another --out")


def _left_over(paths: Sequence[str]) -> Finding:
    if not paths:
        return Finding("folders", "left over", "ok", "nothing")
    things = "file or folder" if len(paths) == 1 else "files and folders"
    found = f"{len(paths):,} temporary {things} of runs that died; they may hold real rows"
    more = ", and the others alike" if len(paths) > _NAMED else ""
    return Finding("folders", "left over", "warning", found, "nothing", f"rm -r {shlex.join(paths[:_NAMED])}{more}")


def _configuration(facts: Configuration) -> Finding:
    if facts.trouble:
        return Finding("configuration", facts.file or "settings", "problem", facts.trouble, "valid", facts.hint)
    if facts.file is None:
        return Finding("configuration", "synthcli.yaml", "ok", "none here; the defaults are in force")
    return Finding("configuration", facts.file, "ok", "valid")


def _enough(bytes_: int, least: int, good: int) -> Status:
    return "ok" if bytes_ >= good else "warning" if bytes_ >= least else "problem"


def _as_tested(package: Package) -> bool:
    """Whether a package is of the tested version; a build of it (``2.13.0+cpu``) is, and so is one nobody tested."""
    return package.tested is None or (package.version or "").partition("+")[0] == package.tested


def _pip(facts: Installation, name: str) -> str:
    pinned = "" if facts.tested_file is None else f"-c {shlex.quote(facts.tested_file)} "
    return f"pip install {pinned}{name}"


# --- In words ----------------------------------------------------------------------------------------------------


def some(names: Sequence[str]) -> str:
    """Return the first names, and how many there are beside them."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


# --- What a package says that it needs ---------------------------------------------------------------------------


class Requirement(NamedTuple):
    """A package that another one needs, in which versions, and for which optional part (empty: in any case)."""

    name: str
    allowed: str
    extra: str


_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(?:\[[^\]]*\])?\s*\(?(?P<allowed>[^;()]*)\)?\s*(?:;\s*(?P<marker>.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")
_PYTHON = re.compile(r"python_version\s*([<>=!]+)\s*['\"]([\d.]+)['\"]")
_RELATIONS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def requirement(line: str, python: str) -> Requirement | None:
    """Return what a line of a package's metadata asks for; ``None`` where it asks nothing of this Python.

    Markers of other things than an extra and Python's version are of other systems, and ask for nothing.

    >>> requirement('ctgan<1,>=0.11; python_version < "3.14"', "3.11.7")
    Requirement(name='ctgan', allowed='>=0.11,<1', extra='')
    >>> requirement("s3fs>=2024.6; extra == 's3'", "3.11.7").extra
    's3'
    """
    found = _REQUIREMENT.fullmatch(line.strip())
    if found is None:
        return None
    parts = [part.strip(" ()") for part in (found["marker"] or "").split(" and ") if part.strip()]
    extra = ""
    for part in parts:
        if named := _EXTRA.fullmatch(part):
            extra = named[1]
        elif not (said := _PYTHON.fullmatch(part)) or not allows(said[1] + said[2], ".".join(python.split(".")[:2])):
            return None
    return Requirement(found["name"], bounds(found["allowed"]), extra)


def bounds(allowed: str) -> str:
    """Return a range with its lower bound first.

    >>> bounds("<3, >=2.0")
    '>=2.0,<3'
    """
    return ",".join(sorted(allowed.replace(" ", "").split(","), reverse=True))


def allows(allowed: str, version: str) -> bool:
    """Whether a range such as ``>=2.0,<3`` has the version in it; a relation that is not known here has every one.

    >>> allows(">=2.0,<3", "2.10.1"), allows(">=2.0,<3", "3.0.0rc1"), allows("", "1")
    (True, False, True)
    """
    for part in filter(None, allowed.replace(" ", "").split(",")):
        found = re.fullmatch(r"([<>=!]=?)([\d.]+)", part)
        if found and found[1] in _RELATIONS and not _RELATIONS[found[1]](_release(version), _release(found[2])):
            return False
    return True


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, so that 2.0 and 2.0.0 compare equal."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(number) for number in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
