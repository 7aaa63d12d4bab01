"""``synthcli doctor``: can this machine and this output directory do the work, and what would help?

Made for broken installations too: of all packages it imports only what reads the configuration and the lock, and goes
on where these are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from synthcli.commands.running import DEFAULT_CONFIG, Outcome, Run, command
from synthcli.diagnosis import STATUSES, Configuration, Facts, Lock, diagnose, worst
from synthcli.errors import SynthcliError


@command
def doctor(run: Run) -> Outcome:
    """Look at the installation, the machine and the output directory, and say what to mend."""
    configuration, out = _configuration(run)
    facts = _facts(run, configuration, out)
    findings = diagnose(facts)
    counts = Counter(finding.status for finding in findings)
    failed = worst(findings) == "problem"
    document: dict[str, Any] = {
        "worst": worst(findings),
        "counts": {status: counts[status] for status in STATUSES},
        "findings": [asdict(finding) for finding in findings],
        "facts": asdict(facts),
    }
    if failed and run.log.quiet:
        problems = (finding for finding in findings if finding.status == "problem")
        run.log.error("; ".join(f"{problem.name}: {problem.found}" for problem in problems))
    return Outcome(
        None if run.log.quiet else lambda: _report(document),
        document,
        status="failed" if failed else "ok",
        exit_code=1 if failed else 0,
    )


def _report(document: dict[str, Any]) -> Any:
    from synthcli.reports.doctor import doctor_report

    return doctor_report(document)


def _facts(run: Run, configuration: Configuration, out: Path) -> Facts:
    from synthcli.commands import installed, machine
    from synthcli.parallel import processors

    installation, temporary = installed.installation(), machine.temporary_folder()
    locks = tuple(_locks(out))
    return Facts(
        installation=installation,
        processors=processors(),
        memory=machine.memory(),
        device=machine.device(installation.torch.version, run.log),
        output=machine.folder(out, write=not run.dry_run, make=True),
        temporary=machine.folder(temporary, write=not run.dry_run, make=False),
        locks=locks,
        left_over=[str(path) for path in _left_over(out, temporary, any(lock.held for lock in locks))],
        configuration=configuration,
    )


def _configuration(run: Run) -> tuple[Configuration, Path]:
    """Return the configuration's state, and the output directory: where it cannot be read that of the options."""
    usual = Path(DEFAULT_CONFIG)  # looked at where no other file is named
    file = run.config_file or (usual if usual.is_file() else None)
    name, trouble, hint = None if file is None else str(file), "", ""
    try:
        return Configuration(name), Path(replace(run, config_file=file).settings().run.output_dir)
    except SynthcliError as error:
        trouble, hint = error.message, error.hint
    except ImportError as error:
        trouble, hint = f"cannot be read: {error.name} is not installed", "see the packages above"
    return Configuration(name, trouble, hint), run.out or Path("artifacts")


def _locks(out: Path) -> Iterator[Lock]:
    """Yield the lock of the output directory, and those of folders in it that are held."""
    try:
        from synthcli.artifacts import alive
        from synthcli.registry import lock_state
    except ImportError:  # said among the packages
        return
    for folder in (out, *sorted(path.parent for path in out.glob("*/.lock"))):
        held, pid = lock_state(folder)
        if held or folder == out:
            yield Lock(str(folder), held, pid, pid is not None and alive(pid))


def _left_over(out: Path, temporary: Path, held: bool) -> Iterator[Path]:
    """Yield what runs that died left; while a lock is held, what may be the holder's is passed over."""
    from synthcli.artifacts import left_behind

    for pattern in (".*.tmp*", "*/.*.tmp*"):
        for path in sorted(out.glob(pattern)):
            gone = left_behind(path)
            if gone or (gone is None and not held and not path.name.startswith(".tasks.")):
                yield path
    yield from (path for path in sorted(temporary.glob("synthcli-*")) if left_behind(path))
