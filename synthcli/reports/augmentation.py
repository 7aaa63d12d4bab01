"""The report of ``augment`` as plain data and in a terminal: what was made, and what a model or a column gains by it.

``augment/report.json`` holds the document; it names columns, counts, figures and classes of many rows, and no cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from synthcli.progress import visible
from synthcli.reports.terminal import facts_report, plain_table
from synthcli.reports.words import number, signed

Row = Mapping[str, Any]
#: What is told of a metric in a table's head.
METRICS = {
    "lift.pr_auc": "PR AUC",
    "lift.roc_auc": "ROC AUC",
    "lift.recall": "recall",
    "lift.brier": "Brier",
    "lift.r2": "R²",
}
_STYLES = {"helps": "bold green", "hurts": "bold red", "no measurable gain": "bold yellow", "not measured": "yellow"}
#: What is told of filled cells, and its heads.
_FIGURES = {"right": "right", "error": "error/sd", "tvd": "TVD", "pairs": "pairs", "dependence": "dependence"}
#: Pooled statistics that a terminal shows.
_POOLED = 12
#: What arms are called.
ARMS = {"real": "rows as they are", "augmentation": "this augmentation"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputTable(_Part):
    """A real table that was read."""

    path: str = Field(description="Where it was read.")
    rows: int = Field(description="How many rows it has.")
    sha256: str | None = Field(description="SHA-256 of its content; null for standard input.")


class OutputTable(_Part):
    """The augmented table."""

    path: str = Field(description="Where it was written.")
    rows: int = Field(description="How many rows it has.")
    sha256: str = Field(description="SHA-256 of the file.")


class Demand(_Part):
    """The gate."""

    demand: Literal["helps", "no_harm"] = Field(description="What the verdict has to be.")
    passed: bool = Field(description="Whether it is.")


class AugmentReport(_Part):
    """The report of an augmentation."""

    schema_version: Literal[1] = Field(description="The version of this form.")
    mode: Literal["rebalance", "impute", "upsample"] = Field(description="What was done.")
    created_at: AwareDatetime = Field(description="When.")
    seed: int = Field(description="The seed behind every random choice.")
    inputs: dict[str, InputTable] = Field(description="By role (train, holdout), the real tables.")
    outputs: list[OutputTable] = Field(description="The tables that were written; none where the gate failed.")
    generator: dict[str, Any] = Field(description="The generator's kind and parameters.")
    rows: dict[str, int] = Field(description="By origin (real, synthetic, imputed), rows of the output.")
    account: dict[str, Any] = Field(description="What was done, in counts; its keys are the mode's.")
    lift: dict[str, Any] | None = Field(
        description="What a model gains on the holdout; null where it was switched off."
    )
    masking: dict[str, Any] | None = Field(description="impute: how well hidden cells are filled; else null.")
    pooled: list[dict[str, Any]] | None = Field(
        description="impute, several tables: statistics pooled by Rubin's rules; else null."
    )
    gate: Demand | None = Field(description="The gate and its outcome; null where none was set.")
    notes: list[str] = Field(description="What a person should know.")
    config: dict[str, Any] = Field(description="The configuration in force.")
    versions: dict[str, str] = Field(description="By package, the version in use.")


def augment_document(**fields: Any) -> dict[str, Any]:
    """Return the report as JSON-ready data; the fields are those of ``AugmentReport``."""
    return AugmentReport(schema_version=1, **fields).model_dump(mode="json")


def augment_report(document: Row) -> RenderableType:
    """Render the report for a terminal; right at 80 columns."""
    parts: list[RenderableType] = [*_headline(document), facts_report(dict(_facts(document)))]
    parts += [part for made in (_classes(document), _filled(document)) for part in made]
    lift = document["lift"]
    if lift is not None and lift["points"]:
        parts += [Text(), *_largest(lift), Text(), *_curve(lift)]
    if document["masking"]:
        parts += [Text(), *_masking(document["masking"])]
    if document["pooled"]:
        parts += [Text(), *_pooled(document["pooled"])]
    parts += [Text(visible(note), style="yellow") for note in document["notes"]]
    return Group(*parts)


# --- The verdict -------------------------------------------------------------------------------------------------


def headline(document: Row) -> str:
    """Return the verdict and what it is about, in one line; empty where nothing was measured."""
    lift = document["lift"]
    if lift is None:
        return ""
    if lift["verdict"] == "not measured":
        return f"NOT MEASURED  what a model gains: {lift['reason']}"
    return f"{lift['verdict'].upper()}  a model of {lift['target']}, trained after {_doing(document)}"


def reasons(document: Row) -> Iterator[str]:
    """Yield the figures behind the verdict, and how it compares with simpler means."""
    lift, gate = document["lift"], document["gate"]
    if lift is not None and lift["verdict"] != "not measured":
        gain = own_gain(lift)
        interval = f"{signed(gain['low'])} … {signed(gain['high'])}"
        yield (
            f"{METRICS[lift['primary']]} {signed(gain['value'])} ({interval}) over the rows as they are, on "
            f"{lift['holdout_rows']:,} holdout rows{_positives(lift)}, {lift['repetitions']} repetitions"
        )
        for words, arms in compared(lift).items():
            yield f"{words} {', '.join(arms)}"
    if gate is not None:
        outcome = "holds" if gate["passed"] else "FAILS, no table was written"
        yield f"the gate demands {gate['demand'].replace('_', ' ')}: {outcome}"


def _positives(lift: Row) -> str:
    return f" ({lift['positives']:,} of the rarest class)" if lift.get("positives") is not None else ""


def compared(lift: Row) -> dict[str, list[str]]:
    """Return by judgement the simpler means that the augmentation was held against, with the difference."""
    found: dict[str, list[str]] = {}
    for arm, estimate in lift["against"].items():
        if arm == "real":
            continue
        judged = "better than" if estimate["low"] > 0 else "worse than" if estimate["high"] < 0 else "no better than"
        found.setdefault(judged, []).append(f"{arm} ({signed(estimate['value'])})")
    return found


def own_gain(lift: Row) -> Row:
    """Return the gain of the augmentation in the primary metric at the largest size."""
    gains: Sequence[Row] = lift["points"][-1]["gains"]
    return next(gain for gain in gains if gain["name"] == lift["primary"])


def _doing(document: Row) -> str:
    account = document["account"]
    if document["mode"] == "rebalance":
        return f"rebalancing {', '.join(account['columns'])}"
    return {"impute": "filling their holes", "upsample": "adding rows"}[document["mode"]]


def _headline(document: Row) -> list[RenderableType]:
    line = headline(document)
    if not line:
        return []
    told = [Padding(Text(visible(reason)), (0, 0, 0, 2)) for reason in reasons(document)]
    return [Text(visible(line), style=_STYLES[document["lift"]["verdict"]]), *told, Rule(style="dim")]


# --- What was made -----------------------------------------------------------------------------------------------


def _facts(document: Row) -> Iterator[tuple[str, str]]:
    rows = {origin: count for origin, count in document["rows"].items() if count}
    total = sum(rows.values())
    yield "rows", " + ".join(f"{count:,} {origin}" for origin, count in rows.items()) + f" = {total:,}"
    account = document["account"]
    if account.get("without_class"):
        yield "without a class", f"{account['without_class']:,} real rows miss a cell that makes their class; kept"
    if "variants_of" in account:
        drawn_anew = f", {', '.join(account['vary'])} drawn anew" if account["vary"] else ""
        yield "variants of", f"{account['variants_of']:,} rows{drawn_anew}"
    if len(document["outputs"]) > 1:
        yield "tables", f"{len(document['outputs'])} completed tables"
    yield "generator", f"{document['generator']['kind']}, seed {document['seed']}"


def _classes(document: Row) -> list[RenderableType]:
    """Return the table of classes of a rebalancing."""
    classes = document["account"].get("classes")
    if not classes:
        return []
    table = plain_table("class", "rows before", "after", "drawn", "share")
    for row in classes:
        share = f"{row['share']:.2%}"
        table.add_row(row["class"], f"{row['before']:,}", f"{row['after']:,}", f"{row['drawn']:,}", share)
    return [Text(), table]


def _filled(document: Row) -> list[RenderableType]:
    """Return the table of columns whose holes were filled."""
    columns = document["account"].get("filled")
    if not columns:
        return []
    table = plain_table("column", "holes", "filled", "left")
    for row in columns:
        table.add_row(
            row["column"], f"{row['holes']:,}", f"{row['filled']:,}", f"{row['left']:,}" if row["left"] else ""
        )
    return [Text(), table]


# --- The lift ----------------------------------------------------------------------------------------------------


def arm_name(arm: str) -> str:
    """Return what an arm is called."""
    return ARMS.get(arm, arm)


def at_largest(lift: Row) -> list[Row]:
    """Return the points of the largest size."""
    largest = max(point["rows"] for point in lift["points"])
    return [point for point in lift["points"] if point["rows"] == largest]


def _largest(lift: Row) -> list[RenderableType]:
    """Return the table of arms at the largest size: the primary metric with its gain, then the others."""
    points = at_largest(lift)
    others = [name for name in METRICS if name != lift["primary"] and _find(points[0]["scores"], name)]
    heads = [METRICS[lift["primary"]], "gain", "95 % interval", *(METRICS[name] for name in others)]
    table = plain_table(f"from {points[0]['rows']:,} rows", *heads)
    notes = {}
    for point in points:
        score, gain = _find(point["scores"], lift["primary"]), _find(point["gains"], lift["primary"])
        if score is None or score["status"] != "measured":
            notes[arm_name(point["arm"])] = "" if score is None else score["detail"]
            table.add_row(arm_name(point["arm"]), "–", *[""] * (len(heads) - 1))
            continue
        interval = "" if gain is None else f"{signed(gain['low'])} … {signed(gain['high'])}"
        rest = [_find(point["scores"], name) for name in others]
        table.add_row(
            Text(arm_name(point["arm"]), style="bold" if point["arm"] == "augmentation" else ""),
            number(score["value"]),
            "" if gain is None else signed(gain["value"]),
            interval,
            *(number(None if found is None else found["value"]) for found in rest),
        )
    told = [Text(visible(f"{arm}: {why}"), style="yellow") for arm, why in notes.items() if why]
    return [table, *told, *(Text(line, style="dim") for line in legend(lift))]


def legend(lift: Row) -> Iterator[str]:
    """Yield what the metrics of the lift mean."""
    shown = {score["name"]: score["detail"] for point in lift["points"] for score in point["scores"]}
    details = [f"{METRICS[name]}: {detail}" for name, detail in shown.items() if name in METRICS]
    yield "; ".join(details)


def _curve(lift: Row) -> list[RenderableType]:
    """Return the small-data curve: by size, the score of the rows as they are and what each arm gains."""
    sizes = sorted({point["rows"] for point in lift["points"]})
    arms = list(dict.fromkeys(point["arm"] for point in lift["points"]))
    table = plain_table("rows", *(arm_name(arm) for arm in arms))
    for rows in sizes:
        cells = []
        for arm in arms:
            point = next(p for p in lift["points"] if p["rows"] == rows and p["arm"] == arm)
            found = _find(point["scores"] if arm == "real" else point["gains"], lift["primary"])
            cells.append("–" if found is None or found["value"] is None else _curve_cell(found, arm))
        table.add_row(f"{rows:,}", *cells)
    told = f"{METRICS[lift['primary']]} of the rows as they are, and gains; * the interval leaves out 0"
    return [table, Text(told, style="dim")]


def _curve_cell(found: Row, arm: str) -> str:
    if arm == "real":
        return number(found["value"])
    return signed(found["value"]) + ("*" if found["low"] > 0 or found["high"] < 0 else "")


def _find(estimates: Sequence[Row], name: str) -> Row | None:
    return next((estimate for estimate in estimates if estimate["name"] == name), None)


def _pooled(pooled: Sequence[Row]) -> Iterator[RenderableType]:
    """Yield the statistics that were pooled over completed tables."""
    table = plain_table("pooled", "", "value", "95 % interval", "from holes")
    for row in pooled[:_POOLED]:
        interval = f"{number(row['low'])} … {number(row['high'])}"
        table.add_row(row["column"], row["statistic"], number(row["value"]), interval, f"{row['fmi']:.0%}")
    yield table
    more = f"{len(pooled) - _POOLED:,} more in the report; " if len(pooled) > _POOLED else ""
    yield Text(f"{more}from holes: the part of the variance that missing cells are to blame for", style="dim")


# --- Hidden cells ------------------------------------------------------------------------------------------------


def _masking(masking: Row) -> Iterator[RenderableType]:
    """Yield a table for each pattern in which known cells were hidden."""
    for pattern in masking["patterns"]:
        yield Text(f"a fifth of the known cells, {pattern['title']}", style="bold")
        table = plain_table("filled by", *_FIGURES.values())
        for row in pattern["methods"]:
            style = "bold" if row["method"] == "augmentation" else ""
            figures = (row[key]["value"] if row.get(key) else None for key in _FIGURES)
            table.add_row(Text(arm_name(row["method"]), style=style), *map(number, figures))
        yield table
        yield Text()
    yield Text(masking["legend"], style="dim")
