"""What an audit is asked, which gates it has to pass, and the report in all its forms."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from synthcli.artifacts import write_json, write_text
from synthcli.audit import METRICS, Questions, Tables
from synthcli.config import Config, GateRule, ValidateSection
from synthcli.config.suggest import suggestion
from synthcli.constraints import check_columns as check_constraint
from synthcli.encoding import MIN_CATEGORY_ROWS
from synthcli.errors import ConfigError
from synthcli.gate import Earlier, default_rules
from synthcli.metrics.estimate import Estimate
from synthcli.profile import Profile
from synthcli.profile.counting import profile
from synthcli.reports.document import PAIR_ACCURACY, read_report
from synthcli.reports.html import html_report
from synthcli.reports.junit import junit_xml
from synthcli.reports.markdown import summary_markdown
from synthcli.schema import Schema

#: The pairs of columns that are shown as heat maps: the worst against their reference.
PICTURED_PAIRS = 8


def written(folder: Path, document: dict[str, Any], junit: Path | None) -> dict[str, Path]:
    """Write the report in all its forms, the one that others rely on last; return the paths."""
    paths = {
        "report": folder / "report.json",
        "html": folder / "report.html",
        "junit": junit or folder / "junit.xml",
        "summary": folder / "summary.md",
    }
    write_text(paths["html"], html_report(document))
    write_text(paths["junit"], junit_xml(document))
    write_text(paths["summary"], summary_markdown(document))
    write_json(paths["report"], document)
    return paths


def pictured(tables: Tables, estimates: Sequence[Estimate], threshold: int) -> Profile:
    """Return what the report's pictures are drawn from; a threshold that is off still leaves few rows out."""
    parts = {"train": tables.train, "holdout": tables.holdout, "synthetic": tables.synthetic}
    pairs = [found.columns for found in estimates if found.name == PAIR_ACCURACY and found.columns][:PICTURED_PAIRS]
    return profile(parts, tables.schema, [(a, b) for a, b in pairs], max(threshold, MIN_CATEGORY_ROWS))


def families(settings: Config) -> tuple[str, ...]:
    """Return the families of metrics that are asked for."""
    wanted = settings.validation
    return (*wanted.families, *(["compat"] if wanted.compat else []))


def questions(settings: Config) -> Questions:
    """Return what the configuration asks an audit."""
    data, wanted = settings.data, settings.validation
    return Questions(
        families=families(settings),
        seed=settings.run.seed,
        target=data.target,
        exclude_features=tuple(data.exclude_features),
        secrets=tuple(wanted.secrets),
        groups=tuple(wanted.groups),
        constraints=tuple(data.constraints),
        trivariate=wanted.trivariate,
    )


def gates(
    settings: Config, wanted: ValidateSection, families: Sequence[str]
) -> tuple[list[GateRule], tuple[GateRule, ...], Earlier]:
    """Return written rules, default rules and earlier reports; raises ``ConfigError`` for a rule that cannot pass."""
    written = [*(wanted.gates or ()), *wanted.gates_add]
    _check_rules(wanted, families)
    asked = (settings.data.target, settings.validation.secrets, settings.data.constraints)
    default = default_rules(families, *asked) if wanted.gates is None else ()
    paths = {rule.max_drop_from for rule in written if rule.max_drop_from is not None}
    return written, default, {path: read_report(Path(path)).estimates() for path in paths}


def _check_rules(wanted: ValidateSection, families: Sequence[str]) -> None:
    """Raise ``ConfigError`` for a gate whose pattern matches no metric of the families that are measured."""
    names = [name for family in families for name in METRICS[family]]
    for rule in (*(wanted.gates or ()), *wanted.gates_add):
        if not any(fnmatchcase(name, rule.metric) for name in names):
            hint = suggestion(rule.metric, names, "metrics of these families", len(names))
            raise ConfigError(
                f"{_list_of(rule, wanted)}: no metric matches {rule.metric!r}, so the gate could never pass", hint
            )


def check_patterns(wanted: ValidateSection, names: Sequence[str]) -> None:
    """Raise ``ConfigError`` for a gate on columns of which the table has none."""
    for rule in (*(wanted.gates or ()), *wanted.gates_add):
        if rule.columns is not None and not any(fnmatchcase(name, rule.columns) for name in names):
            raise ConfigError(
                f"{_list_of(rule, wanted)}: no column of the table matches {rule.columns!r}",
                suggestion(rule.columns, names),
            )


def _list_of(rule: GateRule, wanted: ValidateSection) -> str:
    """Return the key under which a written rule stands."""
    return "validate.gates" if rule in (wanted.gates or ()) else "validate.gates_add"


def check_columns(settings: Config, schema: Schema) -> None:
    """Raise ``ConfigError`` for a column that the audit's settings name and the table lacks, or cannot use so."""
    check_patterns(settings.validation, schema.names)
    for constraint in settings.data.constraints:
        check_constraint(constraint, schema)
    for key in ("secrets", "groups"):
        for name in getattr(settings.validation, key):
            if name not in schema or not schema[name].modelled:
                fit = [column.name for column in schema.modelled]
                told = "the table has no column" if name not in schema else "ids and free text are not measured:"
                raise ConfigError(
                    f"validate.{key}: {told} {name!r}", suggestion(name, fit, "columns that can be named")
                )
