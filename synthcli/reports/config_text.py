"""A configuration as text for people: every key that matters with a comment, in the order of the pipeline.

Loading the text gives back the configuration that it was made from. The comments are what a profile of the table found:
names and figures, no cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from synthcli.config.json_schema import FILE_NAME, editor_comment
from synthcli.profiling import TableProfile, moments
from synthcli.reports.yaml_lines import beside, entry, joined, printable, remark, scalar, wrapped
from synthcli.schema import Dialect, Kind

#: A section's keys and values, or the sections of a whole configuration, as plain data.
Plain = Mapping[str, Any]

#: Categories from which a column is named as having many, and names of a kind that are listed at most.
_MANY_LEVELS, _LISTED = 100, 200
_STRONGEST = 3
_METHODS = {
    "hash": "by content: a row keeps its side when data are added",
    "random": "by a draw that is exact to the row",
}
_LABELS = {Kind.ID: "id, made anew", Kind.TEXT: "text, left out"}


def config_text(config: Plain, default: Plain, profile: TableProfile, *, commands: Sequence[str]) -> str:
    """Return the configuration as commented YAML.

    Parameters
    ----------
    config, default
        The configuration to write and the one without any wish, as ``config.as_plain`` gives them, with paths as the
        file is to state them. Keys that have no comment of their own are written where they differ from the default.
    profile
        What was found in the table: the comments.
    commands
        The command lines to run with the file, in order; the file starts with them, after the line that editors read.
    """
    sections: dict[str, Iterable[str]] = {
        "data": _data(config["data"], profile),
        "split": _split(config["split"], default["split"], profile),
        "protection": _protection(config["protection"]),
        "synthesizer": _synthesizer(config["synthesizer"]),
        "sample": _sample(config["sample"]),
        "validate": _validate(config["validate"], profile),
        "run": _run(config["run"]),
    }
    written = {section: list(lines) for section, lines in sections.items()}
    opening = [editor_comment(FILE_NAME), *(f"# {printable(command)}" for command in commands), "#"]
    lines = [*opening, *_opening(profile)]
    for section, values in config.items():
        more = _others(values, default[section], written.get(section, []))
        if section in written or more:
            lines += ["", f"{section}:", *written.get(section, []), *more]
    return "\n".join(lines) + "\n"


def _others(values: Plain, default: Plain, written: Sequence[str]) -> list[str]:
    """Return the keys that have no line yet and are not at their default."""
    have = {match[1] for line in written for match in re.finditer(r"^  (\w+):", line, re.MULTILINE)}
    return [entry(key, value) for key, value in values.items() if key not in have and value != default.get(key)]


def _opening(profile: TableProfile) -> list[str]:
    rows, columns = profile.rows, len(profile.schema)
    table = f"{rows:,} {'row' if rows == 1 else 'rows'} × {columns:,} {'column' if columns == 1 else 'columns'}"
    return remark(
        f"Written by `synthcli init` after one look at {table}. What it guessed is for you to check; what is left out "
        f"has its default. Paths are relative to this file. Editors know its keys from {FILE_NAME}, which "
        "`synthcli config schema` prints.",
        indent=0,
    )


def _data(data: Plain, profile: TableProfile) -> Iterator[str]:
    target = data["target"]
    yield entry("path", data["path"])
    yield entry("target", target, f"what downstream models predict; {profile.target_reason}")
    yield entry("time", data["time"], _time_comment(data["time"], profile))
    found = "different in every row; made anew" if data["primary_key"] else "no id is different in every row"
    yield entry("primary_key", data["primary_key"], found)
    if data["missing"] is not None:
        yield entry("missing", data["missing"], "cells that count as missing")
    for token, names in profile.kept_tokens.items():
        held, wanted = joined(map(scalar, names)), scalar([*(data["missing"] or [""]), token])
        yield from remark(f"{scalar(token)} is a category of {held}; if it means missing: missing: {wanted}")
    yield from _reading(data, profile)
    yield ""
    yield from _features(data["exclude_features"], target, profile)
    yield ""
    yield from _columns(data["columns"], profile)


def _time_comment(time: str | None, profile: TableProfile) -> str:
    others = [name for name in moments(profile.schema, profile.target) if name != time]
    if time is None:
        return "when a row happened; no column seems to say it"
    return "when a row happened" + (f", or is that {' or '.join(map(scalar, others[:3]))}?" if others else "")


def _features(excluded: Sequence[str], target: str | None, profile: TableProfile) -> Iterator[str]:
    away = "the target" if target is None else scalar(target)
    given = f"Columns that give {away} away: synthesized, but never a feature of a model. {_measured(profile)}"
    yield from remark(given)
    yield from _exclusions(excluded, profile)
    if target is not None:
        afterwards = f"Add by hand what is known only after {away} is known; no table tells that."
        yield from remark(afterwards + _strongest(excluded, profile))
    if profile.missing_alike:
        alike = joined(map(scalar, profile.missing_alike))
        yield from remark(f"Missing in exactly the rows without {away}: {alike}.")


def _strongest(excluded: Sequence[str], profile: TableProfile) -> str:
    told = {*excluded, *(feature.name for feature in profile.suspects)}
    others = [feature for feature in profile.scores.between(0) if feature.name not in told][:_STRONGEST]
    listed = joined(f"{scalar(name)} ({score:.3f})" for name, score in others)
    return f" The strongest of the others: {listed}." if others else ""


def _measured(profile: TableProfile) -> str:
    scores = profile.scores
    if not scores.features:
        return "" if profile.target is None else f"Not measured: {scores.measure}."
    rows = f"{scores.rows:,} rows" if scores.rows == scores.of else f"a sample of {scores.rows:,} of {scores.of:,} rows"
    found = "Listed is what" if profile.giveaways else "No column"
    return f"{found} predicts it almost perfectly by itself ({scores.measure}, cross-fitted on {rows})."


def _exclusions(excluded: Sequence[str], profile: TableProfile) -> Iterator[str]:
    score = {feature.name: f"{feature.score:.3f}" for feature in profile.scores.features}
    yield "  exclude_features:" if excluded else "  exclude_features: []"
    for name in excluded:
        yield beside(f"    - {scalar(name)}", score.get(name, ""), 4)
    for feature in profile.suspects:
        if feature.name not in excluded:
            doubt = f"{feature.score:.3f}: doubtful; list it if it is known only afterwards"
            yield beside(f"    # - {scalar(feature.name)}", doubt, 4)


def _columns(columns: Plain, profile: TableProfile) -> Iterator[str]:
    yield from remark("What a column is, where the guess is doubtful or wrong.")
    yield "  columns:" if columns else "  columns: {}"
    for name, override in columns.items():
        stated = {key: value for key, value in override.items() if value is not None}
        yield entry(name, stated, profile.stated.get(name, ""), 4)
    yield from _taken(columns, profile)
    for name, doubt in profile.doubts.items():
        yield from remark(f"{scalar(name)} {printable(doubt)}.")
    many = [
        f"{scalar(column.name)} ({profile.facts[column.name].distinct:,})"
        for column in profile.schema
        if column.kind is Kind.CATEGORICAL and profile.facts[column.name].distinct > _MANY_LEVELS
    ]
    if many:
        listed = joined(many[:_LISTED])
        yield from remark(f"So many categories are hard to learn and make some generators large: {listed}.")


def _taken(columns: Plain, profile: TableProfile) -> Iterator[str]:
    """Yield the columns that are not stated, kind by kind; categorical ones with their number of categories."""
    others = [column for column in profile.schema if column.name not in columns]
    if others:
        yield from remark("The others were taken for:" if columns else "They were taken for:")
    for kind in Kind:
        shown = [
            f"{scalar(c.name)} ({profile.facts[c.name].distinct:,})" if kind is Kind.CATEGORICAL else scalar(c.name)
            for c in others
            if c.kind is kind
        ]
        if shown:
            more = f", and {len(shown) - _LISTED:,} more" if len(shown) > _LISTED else ""
            label = _LABELS.get(kind, kind.value)
            first = f"  #   {label:<15} "
            yield from wrapped(joined(shown[:_LISTED]) + more, first, "  #" + " " * (len(first) - 3))


def _reading(data: Plain, profile: TableProfile) -> Iterator[str]:
    """Yield how an unusual text file was read, which nobody has to state but may."""
    dialect, usual = profile.schema.dialect, Dialect()
    found = {
        "encoding": dialect.encoding if dialect.encoding != usual.encoding else None,
        "delimiter": dialect.delimiter if dialect.delimiter != usual.delimiter else None,
        "quote": dialect.quote if dialect.quote not in (usual.quote, "") else None,
        "decimal_comma": dialect.decimal_comma or None,
    }
    for key, value in found.items():
        if data[key] is not None:
            yield entry(key, data[key])
        elif value is not None:
            yield beside(f"  # {key}: {scalar(value)}", "as found in the file; found again each time", 2)


def _split(split: Plain, usual: Plain, profile: TableProfile) -> Iterator[str]:
    small = ", and more than usual, since it needs its rows" if split["holdout"] > usual["holdout"] else ""
    yield entry("holdout", split["holdout"], f"reserved for the audit{small}; no generator ever sees these rows")
    yield entry("method", split["method"], _METHODS.get(split["method"], ""))
    if split["by"]:
        yield entry("by", split["by"])
    else:
        for name in profile.entities[:_STRONGEST]:
            hint = f"if the rows of one {scalar(name)} belong together: all on one side"
            yield beside(f"  # by: {scalar([name])}", hint, 2)
    yield entry("salt", split["salt"], "another salt, another split")


def _protection(protection: Plain) -> Iterator[str]:
    yield from remark("What no generator ever sees of the training part; 0 switches a protection off.")
    fewest = protection["rare_category_min_count"]
    yield entry("rare_category_min_count", fewest, "categories with fewer training rows than this are replaced")
    yield entry("rare_category", protection["rare_category"], "by a frequent one (sample) or by _RARE_ (constant)")
    yield entry("clip_extremes", protection["clip_extremes"], "so many at each end of a column are moved inside")


def _synthesizer(synthesizer: Plain) -> Iterator[str]:
    yield entry("kind", synthesizer["kind"], "the kind of generator")
    if synthesizer.get("marginals") == "empirical":
        yield entry("marginals", "empirical", "a column's own quantiles; parametric: SDV's distributions")


def _sample(sample: Plain) -> Iterator[str]:
    yield entry("rows", sample["rows"], "null: as many as the training part has")
    yield entry("format", sample["format"], "parquet, csv or jsonl")


def _validate(validate: Plain, profile: TableProfile) -> Iterator[str]:
    yield entry("fail_on", validate["fail_on"], "a failed gate of this level exits 1: error, warning or never")
    if not validate["gates_add"] and profile.target is not None:
        yield beside("  # gates_add:", "rules beside the default ones, such as:", 2)
        yield "  #   - {metric: utility.ratio, min: 0.9, bound: low, level: warning}"


def _run(run: Plain) -> Iterator[str]:
    yield entry("seed", run["seed"], "rules split, fit and validate; a sample is new each time")
    yield entry("output_dir", run["output_dir"], "everything is written under it")
