"""``synthcli validate``: load the three tables, measure, gate, report; exit 1 where a gate fails."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    import polars as pl

    from synthcli.audit import Tables
    from synthcli.config import Config, GateRule
    from synthcli.schema import Schema


#: Rows below which a table of an audit is refused: every gate would be at the mercy of chance.
MIN_ROWS = 50


class FailOn(StrEnum):
    """The level of a failed gate that makes the command exit 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


@command
def validate(
    run: Run,
    synthetic: Annotated[
        Path | None, typer.Option(help="Synthetic table, of any tool (default: what sample wrote).")
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Real table that the generator learned from.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="Real table that no generator has seen.")] = None,
    fail_on: Annotated[FailOn | None, typer.Option(help="Gate level that makes the command exit 1.")] = None,
) -> Outcome:
    """Audit synthetic rows against training part and holdout, and gate a release."""
    from synthcli.artifacts import write_json
    from synthcli.audit import audit
    from synthcli.config import as_plain
    from synthcli.gate import default_rules, judge, passes
    from synthcli.reports.document import report_document
    from synthcli.reports.terminal import audit_report
    from synthcli.versions import versions

    settings = run.settings(run__seed=run.seed, validate__fail_on=fail_on.value if fail_on else None)
    wanted = settings.validation
    rules = [*(wanted.gates or ()), *wanted.gates_add]
    _check_rules(rules, wanted.families)
    out = Path(settings.run.output_dir)
    with run.log.phase("read"):
        tables, inputs = _load(run, settings, out, synthetic, train, holdout)
    result = audit(
        tables,
        wanted.families,
        target=settings.data.target,
        exclude_features=settings.data.exclude_features,
        seed=settings.run.seed,
        phase=run.log.phase,
    )
    default = default_rules(wanted.families, settings.data.target) if wanted.gates is None else ()
    verdicts = judge(result.estimates, rules, default)
    document = report_document(
        result,
        verdicts,
        inputs=inputs,
        seed=settings.run.seed,
        config=as_plain(settings),
        versions=versions(),
        fail_on=wanted.fail_on,
    )
    report = out / "validate" / "report.json"
    if not run.dry_run:
        write_json(report, document)
    passed = passes(verdicts, wanted.fail_on)
    return Outcome(
        lambda: audit_report(document),
        {"verdict": document["verdict"], "metrics": document["metrics"], "gates": document["gates"]},
        {} if run.dry_run else {"report": report},
        status="ok" if passed else "failed",
        exit_code=0 if passed else 1,
    )


def _check_rules(rules: Sequence[GateRule], families: Sequence[str]) -> None:
    """Raise ``ConfigError`` for a gate whose pattern matches no metric of the families that are measured."""
    from difflib import get_close_matches

    from synthcli.audit import METRICS
    from synthcli.errors import ConfigError

    names = [name for family in families for name in METRICS[family]]
    for rule in rules:
        if not any(fnmatchcase(name, rule.metric) for name in names):
            near = get_close_matches(rule.metric, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"metrics of these families: {', '.join(names)}"
            raise ConfigError(f"validate.gates: no metric matches {rule.metric!r}, so the gate could never pass", hint)


def _load(
    run: Run, settings: Config, out: Path, synthetic: Path | None, train: Path | None, holdout: Path | None
) -> tuple[Tables, dict[str, dict[str, Any]]]:
    """Read the three tables in the training table's form, and describe the files."""
    from synthcli.audit import Tables
    from synthcli.commands.inputs import check_target, describe_source, measurable, open_file
    from synthcli.commands.provenance import check_trained_apart, generator_of
    from synthcli.holdout import SplitFolder

    folder = SplitFolder(out / "split")
    paths = {
        "train": train or folder.train,
        "holdout": holdout or folder.holdout,
        "synthetic": synthetic or _default_synthetic(out),
    }
    _check_present(paths)
    version = generator_of(run, out, paths["synthetic"]) if paths["synthetic"].is_file() else None
    if version is not None and _same_file(paths["holdout"], folder.holdout):
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
    frames = {name: part.read() for name, part in sources.items()}
    _check_rows(frames, paths, schema)
    inputs = {name: {**describe_source(part), "rows": frames[name].height} for name, part in sources.items()}
    if version is not None:
        inputs["synthetic"]["generator"] = version.name
    tables = Tables(frames["train"], frames["holdout"], frames["synthetic"], schema, frames.get("privacy_holdout"))
    return tables, inputs


def _same_file(path: Path, reserved: Path) -> bool:
    return path.resolve() == reserved.resolve()


def _default_synthetic(out: Path) -> Path:
    """Return what ``sample`` wrote last, whatever its format."""
    found = [path for suffix in ("parquet", "csv") if (path := out / "synthetic" / f"synthetic.{suffix}").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns) if found else out / "synthetic" / "synthetic.parquet"


def _check_present(paths: dict[str, Path]) -> None:
    from glob import has_magic

    from synthcli.errors import MissingFileError

    makers = {"train": "synthcli split DATA", "holdout": "synthcli split DATA", "synthetic": "synthcli sample"}
    for name, path in paths.items():
        if not path.exists() and str(path) != "-" and not has_magic(str(path)):
            hint = f"run `{makers[name]}` first, or name the file with --{name} FILE"
            raise MissingFileError(f"{path}: the {name} table is not there", hint)


def _check_rows(frames: dict[str, pl.DataFrame], paths: dict[str, Path], schema: Schema) -> None:
    from synthcli.errors import BadTableError, HoldoutRowsError
    from synthcli.metrics.privacy import holdout_was_seen

    for name, frame in frames.items():
        if frame.height < MIN_ROWS and name in paths:
            raise BadTableError(
                f"{paths[name]}: the {name} table has {frame.height:,} rows, expected at least {MIN_ROWS}",
                "fewer rows prove nothing: give a larger table",
            )
    if not schema.modelled:
        raise BadTableError(
            f"{paths['train']}: no column can be measured (ids and free text only)",
            "say what the columns are with data.columns",
        )
    if holdout_was_seen(frames["train"], frames["holdout"], schema):
        raise HoldoutRowsError(
            f"{paths['holdout']}: rows of it stand in {paths['train']}, so it is no holdout of that table",
            "reserve one that no generator has seen: synthcli split DATA",
        )
