"""``synthcli compare``: what changed between two audits, and whether the newer one is worse by more than chance."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    from synthcli.reports.document import Report


class FailOnChange(StrEnum):
    """What makes the command exit 1."""

    REGRESSION = "regression"
    NEVER = "never"


class Format(StrEnum):
    """How the comparison is written for people."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"


@command
def compare(
    run: Run,
    a: Annotated[Path, typer.Argument(metavar="A", help="The old report.json, or the output directory it lies in.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The new report.json, or the output directory it lies in.")],
    fail_on: Annotated[FailOnChange, typer.Option(help="What makes the command exit 1.")] = FailOnChange.REGRESSION,
    form: Annotated[Format, typer.Option("--format", help="How the comparison is written.")] = Format.TERMINAL,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it in that format here; the terminal's report stays.")
    ] = None,
) -> Outcome:
    """Compare two reports: verdicts, gates that changed, every metric, and whether that is more than chance."""
    from synthcli.comparison import compare as compared
    from synthcli.reports.comparison import comparison_markdown, comparison_report
    from synthcli.reports.document import read_report

    run.settings()  # a wrong setting is refused here as by every command
    paths = {"a": _report_path(a), "b": _report_path(b)}
    _check_apart(output, [*paths.values()])
    reports = {name: read_report(path) for name, path in paths.items()}
    documents = [report.model_dump(mode="json") for report in reports.values()]
    result = {
        **compared(*documents),
        "reports": {name: _described(paths[name], report) for name, report in reports.items()},
    }
    if output is not None and not run.dry_run:
        _write(output, result, form)
    on_stdout = form is Format.MARKDOWN and output is None
    if on_stdout and not run.json:
        sys.stdout.write(comparison_markdown(result))  # as it is: a console would wrap its tables
    failed = result["verdict"] == "regression" and fail_on is FailOnChange.REGRESSION
    return Outcome(
        None if on_stdout else lambda: comparison_report(result),
        result,
        artifacts={} if output is None else {"comparison": output},
        status="failed" if failed else "ok",
        exit_code=1 if failed else 0,
        next_step=run.follow_up(f"validate --from {shlex.quote(str(paths['b']))}"),
    )


def _report_path(given: Path) -> Path:
    """Return the report that a file, a report's folder or an output directory stands for."""
    from synthcli.errors import MissingFileError

    if not given.is_dir():
        return given
    for path in (given / "report.json", given / "validate" / "report.json"):
        if path.is_file():
            return path
    raise MissingFileError(
        f"{given}: no report.json in it, nor in validate below it", "make one with `synthcli validate`"
    )


def _check_apart(output: Path | None, reports: list[Path]) -> None:
    """Raise ``UsageError`` for an output that would replace what is compared."""
    from synthcli.errors import UsageError

    if output is not None and output.resolve() in [path.resolve() for path in reports]:
        raise UsageError(f"--output: {output} is one of the reports that are compared", "name another file")


def _described(path: Path, report: Report) -> dict[str, Any]:
    """Return what is told of a report itself."""
    synthetic = report.inputs.get("synthetic")
    return {
        "path": str(path),
        "created_at": report.created_at.isoformat(),
        "rows": synthetic.rows if synthetic else None,
        "generator": synthetic.generator if synthetic else None,
    }


def _write(path: Path, result: dict[str, Any], form: Format) -> None:
    from synthcli.artifacts import write_text
    from synthcli.reports.comparison import comparison_markdown, comparison_report

    if form is Format.MARKDOWN:
        write_text(path, comparison_markdown(result))
        return
    import io

    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=120, highlight=False, markup=False, emoji=False, no_color=True)
    console.print(comparison_report(result))
    write_text(path, text.getvalue())
