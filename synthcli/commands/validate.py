"""``synthcli validate``: load the three tables, measure, gate, report; exit 1 where a gate fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, Workers, command
from synthcli.errors import UsageError
from synthcli.remote import is_url, parent, plain, shown

if TYPE_CHECKING:
    import polars as pl

    from synthcli.audit import Tables
    from synthcli.columns import Table
    from synthcli.config import Config, Resolved
    from synthcli.config import FailOn as FailOnLevel
    from synthcli.executors import Workplace
    from synthcli.gate import Verdict
    from synthcli.reports.document import Report
    from synthcli.schema import Schema
    from synthcli.tables import Source
    from synthcli.tables.files import Part


#: Rows below which a table of an audit is refused: every gate would be at the mercy of chance.
MIN_ROWS = 50
#: Where more rows of each table come from.
_MORE_ROWS = {
    "train": "split a larger table",
    "holdout": "split a larger table, or reserve more of it with a greater split.holdout in another directory (--out)",
    "synthetic": "draw more with `synthcli sample -n 1000`, or name a larger file with --synthetic",
}


class FailOn(StrEnum):
    """The level of a failed gate that makes the command exit 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


@command
def validate(
    run: Run,
    synthetic: Annotated[
        str | None, typer.Option(help="Synthetic table, of any tool (default: what sample wrote).")
    ] = None,
    train: Annotated[str | None, typer.Option(help="Real table that the generator learned from.")] = None,
    holdout: Annotated[str | None, typer.Option(help="Real table that no generator has seen.")] = None,
    stored: Annotated[
        Path | None,
        typer.Option("--from", metavar="REPORT", help="Show and gate a stored report.json again; reads no data."),
    ] = None,
    fail_on: Annotated[FailOn | None, typer.Option(help="Gate level that makes the command exit 1.")] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the gates go as JUnit XML (default: beside the report).")
    ] = None,
    workers: Workers = None,
) -> Outcome:
    """Audit synthetic rows against training part and holdout, and gate a release."""
    from synthcli.executors import as_workers

    resolved = run.resolved(
        run__seed=run.seed,
        run__workers=as_workers(workers),
        validate__fail_on=fail_on.value if fail_on else None,
    )
    if stored is None:
        return _measured(run, resolved.config, synthetic, train, holdout, junit)
    if any((synthetic, train, holdout)):
        raise UsageError("--from reads a stored report and no table", "leave out the tables, or leave out --from")
    return _again(run, resolved, stored, junit)


def _measured(
    run: Run, settings: Config, synthetic: str | None, train: str | None, holdout: str | None, junit: Path | None
) -> Outcome:
    """Audit three tables and write the report."""
    from datetime import UTC, datetime

    from synthcli.audit import audit
    from synthcli.commands.auditing import check_columns, families, gates, pictured, questions, written
    from synthcli.commands.following import after_audit
    from synthcli.commands.plays import validate_play
    from synthcli.commands.rehearsing import planned
    from synthcli.config.showing import as_stored
    from synthcli.gate import judge
    from synthcli.holdout import SplitFolder
    from synthcli.reports.document import report_document
    from synthcli.versions import versions

    rules = gates(settings, settings.validation, families(settings))
    out = Path(settings.run.output_dir)
    folder = SplitFolder(out / "split")
    given = [train or folder.train, holdout or folder.holdout, synthetic or _default_synthetic(out)]
    local = [Path(path) for path in given if not is_url(path)]
    _check_junit(junit, [*local, *(out / "validate" / name for name in ("report.json", "report.html", "summary.md"))])
    with run.log.phase("read"):
        tables, inputs = _load(run, settings, out, synthetic, train, holdout)
    check_columns(settings, tables.schema)
    if run.dry_run:
        play = validate_play(out, tables, train=train is not None, holdout=holdout is not None, junit=junit)
        return planned(run, settings, play, {"would audit": f"{tables.synthetic.height:,} synthetic rows"})
    with _workplace(settings, tables, out / "validate") as workplace:
        estimates = audit(tables, questions(settings), run.log.phase, workplace)
    verdicts = judge(estimates, *rules)
    with run.log.phase("pictures"):
        profile = pictured(tables, estimates, settings.protection.rare_category_min_count)
    document = report_document(
        estimates,
        verdicts,
        kinds={column.name: column.kind.value for column in tables.schema},
        inputs=inputs,
        seed=settings.run.seed,
        config=as_stored(settings),
        versions=versions(),
        created_at=datetime.now(UTC).replace(microsecond=0),
        fail_on=settings.validation.fail_on,
        profile=profile,
    )
    ended = _outcome(document, verdicts, settings.validation.fail_on)
    _announce(document)
    wrote = written(out / "validate", document, junit)
    following = after_audit(run, out, given[2], wrote["report"], document, not ended.exit_code)
    return replace(ended, artifacts=wrote, next_step=following, records={out / "validate": list(wrote.values())})


@contextmanager
def _workplace(settings: Config, tables: Tables, folder: Path) -> Iterator[Workplace]:
    """Yield those who read a table that lies on disk; one in memory is measured here."""
    from synthcli.executors import Workplace, at_most, chosen, executor
    from synthcli.synthesizers.crew import clear_stale, scratch
    from synthcli.tally import PART

    workers = at_most(chosen(settings.run.workers), -(-tables.synthetic.height // PART))
    if tables.synthetic.in_memory or workers == 1:
        yield Workplace.here()
        return
    clear_stale(folder)  # keys of real rows lie there no longer than workers need them
    with executor(workers) as pool, scratch(folder) as private:
        yield Workplace(pool, private)


def _check_junit(junit: Path | None, others: Sequence[Path]) -> None:
    """Raise ``UsageError`` for a JUnit file that would replace a table or another form of the report."""
    if junit is not None and junit.resolve() in [path.resolve() for path in others]:
        raise UsageError(f"--junit: {junit} is read or written here already", "name another file")


def _announce(document: dict[str, Any]) -> None:
    """Say it where GitHub Actions shows it; the runner reads stderr, where stdout must stay one document."""
    import os
    import sys

    from synthcli.reports.github import announce

    def emit(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    announce(document, os.environ, emit)


def _again(run: Run, resolved: Resolved, stored: Path, junit: Path | None) -> Outcome:
    """Show a stored report, judged by the gates of the configuration given, else by those it was judged by."""
    from synthcli.artifacts import write_text
    from synthcli.commands.auditing import check_patterns, families, gates
    from synthcli.commands.following import after_audit
    from synthcli.gate import judge
    from synthcli.reports.document import judged_again, read_report
    from synthcli.reports.junit import junit_xml

    _check_junit(junit, [stored])
    report = read_report(stored)
    given, origins = resolved.config.validation, resolved.origins
    own = resolved.file is not None or any(origins[f"validate.{key}"] != "default" for key in ("gates", "gates_add"))
    then = _asked_then(report, stored)
    rules = given if own else then.validation
    level = given.fail_on if own or origins["validate.fail_on"] != "default" else then.validation.fail_on
    asked = gates(then, rules, families(then))
    check_patterns(rules, [column.name for column in report.columns])
    verdicts = judge(report.estimates(), *asked)
    document = judged_again(report.model_dump(mode="json"), verdicts, level)
    ended, out = _outcome(document, verdicts, level), Path(resolved.config.run.output_dir)
    audited = _audited(document["inputs"]["synthetic"]["path"])
    following = after_audit(run, out, audited, stored, document, not ended.exit_code)
    ended = replace(ended, next_step=following)
    if junit is None or run.dry_run:
        return ended
    write_text(junit, junit_xml(document))
    return replace(ended, artifacts={"junit": junit})


def _audited(told: str) -> str:
    """Return what names the table that a report is about: of several parts their folder; ``-`` if gone."""
    first = re.sub(r" and \d+ more$", "", told)
    if is_url(first):
        return told if first == told else parent(first)
    path = Path(told) if first == told else Path(first).parent
    return str(path) if path.exists() else "-"


def _asked_then(report: Report, path: Path) -> Config:
    """Return the configuration that the audit was made by."""
    from synthcli.config import Config
    from synthcli.errors import BadTableError

    try:
        return Config.model_validate(report.config)
    except ValueError as error:
        raise BadTableError(
            f"{path}: the configuration in it is none of this version", "audit again with `synthcli validate`"
        ) from error


def _outcome(document: dict[str, Any], verdicts: Sequence[Verdict], fail_on: FailOnLevel) -> Outcome:
    from synthcli.gate import passes
    from synthcli.reports.terminal import audit_report

    passed = passes(verdicts, fail_on)
    return Outcome(
        lambda: audit_report(document),
        {"verdict": document["verdict"], "metrics": document["metrics"], "gates": document["gates"]},
        status="ok" if passed else "failed",
        exit_code=0 if passed else 1,
    )


def _load(
    run: Run, settings: Config, out: Path, synthetic: str | None, train: str | None, holdout: str | None
) -> tuple[Tables, dict[str, dict[str, Any]]]:
    """Read the three tables in the training table's form, and describe the files."""
    from synthcli.audit import Tables
    from synthcli.columns import work_out
    from synthcli.commands.inputs import check_target, columns, describe_source, measurable, open_file
    from synthcli.commands.provenance import check_trained_apart, generator_of
    from synthcli.holdout import SplitFolder

    folder = SplitFolder(out / "split")
    paths = {
        "train": plain(train or str(folder.train)),
        "holdout": plain(holdout or str(folder.holdout)),
        "synthetic": plain(synthetic or str(_default_synthetic(out))),
    }
    _check_present(paths)
    drawn = [generator_of(run, out, part) for part in _files(paths["synthetic"])]
    versions = {version.number: version for version in drawn if version is not None}
    if _same_file(paths["holdout"], folder.holdout):
        for version in versions.values():
            check_trained_apart(run, settings, version, folder)
    frozen = folder.read().schema if train is None else None
    source = open_file(paths["train"], settings, run.log, frozen)
    schema = source.schema
    check_target(settings, schema)
    sources = {
        "train": source,
        **{name: open_file(paths[name], settings, run.log, measurable(schema)) for name in ("holdout", "synthetic")},
    }
    if holdout is None and folder.exists() and folder.privacy_holdout in folder.parts(folder.read().rule).values():
        sources["privacy_holdout"] = open_file(folder.privacy_holdout, settings, run.log, schema)
    types = sources["holdout"].lazy.collect_schema()
    parts = {name: columns(_of_types(part, types, schema)) for name, part in sources.items()}
    work_out(parts.values(), schema)
    _check_rows(parts, paths, schema)
    inputs = {name: {**describe_source(part), "rows": parts[name].height} for name, part in sources.items()}
    if versions:
        inputs["synthetic"]["generator"] = ", ".join(version.name for version in versions.values())
    rule = folder.read().rule if train is None else None
    by = () if rule is None or rule.method == "stratified" else rule.by
    return Tables(
        parts["train"], parts["holdout"], parts["synthetic"], schema, parts.get("privacy_holdout"), tuple(by)
    ), inputs


def _of_types(source: Source, types: Mapping[str, pl.DataType], schema: Schema) -> Source:
    """Return the table with its known columns in the types of another one's, so that equal values are equal."""
    names = [name for name in source.lazy.collect_schema().names() if name in schema]
    return replace(source, lazy=source.lazy.cast({name: types[name] for name in names if name in types}))


def _files(where: str) -> tuple[Part, ...]:
    """Return the files that ``where`` names, whose lineage may name the generator; none of a pipe."""
    from glob import has_magic

    from synthcli.tables.files import resolve

    path = Path(where)
    return resolve(where) if is_url(where) or path.is_file() or path.is_dir() or has_magic(where) else ()


def _same_file(path: str, reserved: Path) -> bool:
    return Path(path).resolve() == reserved.resolve()


def _default_synthetic(out: Path) -> Path:
    """Return what ``sample`` wrote last, whatever its format."""
    folder = out / "synthetic"
    named = [folder / f"synthetic.{suffix}" for suffix in ("parquet", "csv")]
    found = [path for path in (*named, folder / "shards") if path.exists()]
    return max(found, key=lambda path: path.stat().st_mtime_ns) if found else out / "synthetic" / "synthetic.parquet"


def _check_present(paths: Mapping[str, str]) -> None:
    from glob import has_magic

    from synthcli.errors import MissingFileError

    makers = {"train": "synthcli split DATA", "holdout": "synthcli split DATA", "synthetic": "synthcli sample"}
    for name, path in paths.items():
        if not (is_url(path) or Path(path).exists() or path == "-" or has_magic(path)):
            hint = f"run `{makers[name]}` first, or name the file with --{name} FILE"
            raise MissingFileError(f"{path}: the {name} table is not there", hint)


def _check_rows(parts: dict[str, Table], paths: Mapping[str, str], schema: Schema) -> None:
    from synthcli.errors import BadTableError, HoldoutRowsError
    from synthcli.metrics.privacy import holdout_was_seen

    paths = {name: shown(path) for name, path in paths.items()}
    divisible = parts["train"].height + parts["holdout"].height >= 2 * MIN_ROWS
    for name, part in parts.items():
        if part.height < MIN_ROWS and name in paths:
            more = _MORE_ROWS[name] if divisible or name == "synthetic" else f"split a table of {2 * MIN_ROWS} or more"
            raise BadTableError(
                f"{paths[name]}: the {name} table has {part.height:,} rows, expected at least {MIN_ROWS}",
                f"fewer prove nothing: {more}",
            )
    if not schema.modelled:
        raise BadTableError(
            f"{paths['train']}: no column can be measured (ids and free text only)",
            "say what the columns are with data.columns",
        )
    if holdout_was_seen(parts["train"], parts["holdout"], schema):
        raise HoldoutRowsError(
            f"{paths['holdout']}: rows of it stand in {paths['train']}, so it is no holdout of that table",
            "reserve one that no generator has seen: `synthcli split DATA`",
        )
