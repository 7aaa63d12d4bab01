"""The report of ``collapse-sim`` as plain data and in a terminal: does a generator decay when it learns from its own
output, and how many fresh real rows a generation prevent that.

``collapse-sim/report.json`` holds the document: verdicts, changes, courses over the generations, and shares of
categories and bins; no row of a table. Nothing is computed here: the report says what the simulation found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from synthcli.progress import visible
from synthcli.reports.augmentation import InputTable
from synthcli.reports.collapse_words import (
    LEGEND,
    answer,
    by_importance,
    gate_words,
    is_primary,
    leading_arm,
    mechanism_words,
    metric_title,
    minimum_facts,
    needed,
    not_measured,
    plan_facts,
    primary_results,
    remarks,
    share_words,
    shown_arms,
    span_words,
)
from synthcli.reports.terminal import facts_report, plain_table
from synthcli.reports.words import MARKS, signed

Row = Mapping[str, Any]
Verdict = Literal["stable", "degraded-plateau", "collapsing", "inconclusive"]
#: Numbers by generation or by share; null where there is none.
Numbers = list[FiniteFloat | None]
_STYLES = {
    "stable": "bold green",
    "degraded-plateau": "bold yellow",
    "collapsing": "bold red",
    "inconclusive": "bold yellow",
    "pass": "bold green",
    "fail": "bold red",
}


# --- The document ------------------------------------------------------------------------------------------------


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Generator(_Part):
    """The generator that learns from its own output."""

    kind: str = Field(description="Its kind.")
    parameters: dict[str, Any] = Field(description="Its parameters.")
    temperature: FiniteFloat = Field(description="How sharply it draws; 1.0 is its own law, less prefers the likely.")


class Plan(_Part):
    """How the simulation was laid out."""

    rows: int = Field(description="Real rows that a generation of the control learns from, and rows of an output.")
    generations: int = Field(description="Generations of the arms that were asked for.")
    chains: int = Field(description="Independent repetitions of each arm.")
    real_weight: FiniteFloat = Field(description="augment: the share of real rows among those it learns from.")
    training_rows: int = Field(description="Real rows that generation 0 and the reservoir are taken from.")
    reservoir: int = Field(description="Real rows beside generation 0, for each chain.")


class Metric(_Part):
    """What is measured of each generation."""

    name: str = Field(description="Its name.")
    title: str = Field(description="What it is called in a report.")
    label: Literal["drift", "diversity"] = Field(description="Which side of a collapse it shows.")
    primary: bool = Field(description="Whether the verdict rests on it.")
    direction: Literal["lower", "higher", "target"] = Field(description="Which way is better; target: neither is.")
    margin: FiniteFloat = Field(description="The change that is tolerated, in both directions.")
    unit: str = Field(description="The unit of values, changes and the margin.")
    every: int = Field(description="It is measured each so many generations.")
    detail: str = Field(description="What it is, in one sentence.")
    real: FiniteFloat | None = Field(description="What so many real rows score, the mean over chains.")
    status: Literal["measured", "not_measured"] = Field(description="Whether it could be measured.")
    reason: str = Field(description="Why not; empty where it was.")


class ArmMetric(_Part):
    """What became of one metric in one arm; a change is the late value less generation 1, less the control's change."""

    name: str = Field(description="The metric.")
    verdict: Verdict = Field(description="What became of it.")
    change: FiniteFloat | None = Field(description="Its change.")
    low: FiniteFloat | None = Field(description="Lower end of the change's 90 % interval.")
    high: FiniteFloat | None = Field(description="Upper end of the change's 90 % interval.")
    margin: FiniteFloat = Field(description="The change that is tolerated.")
    p_value: FiniteFloat | None = Field(description="Of 'beyond the margin and still moving'.")
    slope: FiniteFloat | None = Field(description="Slope over the late generations, times all generations.")
    slope_low: FiniteFloat | None = Field(description="Lower end of the slope's interval.")
    slope_high: FiniteFloat | None = Field(description="Upper end of the slope's interval.")
    first: FiniteFloat | None = Field(description="Mean at generation 1.")
    late: FiniteFloat | None = Field(description="Mean of the last quarter of generations.")


class Trajectory(_Part):
    """A metric over the generations of one arm; generation 0 are the real rows."""

    generation: list[int] = Field(description="The generations that were measured.")
    mean: Numbers = Field(description="By generation, the mean over chains.")
    low: Numbers | None = Field(description="Lower ends of the mean's 90 % interval; null with one chain.")
    high: Numbers | None = Field(description="Upper ends of the mean's 90 % interval; null with one chain.")

    @model_validator(mode="after")
    def _one_number_a_generation(self) -> Trajectory:
        _equally_long(self.generation, self.mean, self.low, self.high)
        return self


class Settles(_Part):
    """What would settle an inconclusive verdict; either of the two is enough."""

    chains: int | None = Field(description="So many chains.")
    generations: int | None = Field(description="So many generations.")


class Arm(_Part):
    """One regime: what each generation learns from, and what becomes of it."""

    name: str = Field(description="Its name.")
    regime: str = Field(description="What its generations learn from.")
    fresh_share: FiniteFloat | None = Field(description="Share of fresh real rows in a generation's training rows.")
    fresh_rows: int | None = Field(description="Fresh real rows in a generation's training rows.")
    generations: int = Field(description="How many generations it ran.")
    chains: int = Field(description="In how many chains.")
    asked: bool = Field(description="Whether it was asked for; else it ran for the prediction or the search alone.")
    verdict: Verdict = Field(description="What became of it.")
    recycled_from: int | None = Field(description="First generation with real rows that were used before.")
    broken: int = Field(description="Chains in which the generator could no longer be fitted.")
    settles: Settles | None = Field(description="What would settle an inconclusive verdict.")
    metrics: list[ArmMetric] = Field(description="What became of each metric.")
    trajectory: dict[str, Trajectory] = Field(description="By metric, its values over the generations.")


class Bias(_Part):
    """What a generation takes away whatever the number of rows."""

    contraction: FiniteFloat = Field(description="What a generation leaves of what was there; 1: no bias.")
    low: FiniteFloat | None = Field(description="Lower end of its interval.")
    high: FiniteFloat | None = Field(description="Upper end of its interval.")
    half_life: FiniteFloat | None = Field(description="Generations until half is gone.")


class Drift(_Part):
    """What chance alone takes away."""

    half_life: FiniteFloat | None = Field(description="Generations until chance alone has taken half.")
    low: FiniteFloat | None = Field(description="Lower end of its interval.")
    high: FiniteFloat | None = Field(description="Upper end of its interval.")


class Mechanisms(_Part):
    """The two ways in which a generator decays on its own output."""

    measured_on: Literal["variance", "heterozygosity"] = Field(description="What they were measured on.")
    bias: Bias = Field(description="The generator's bias.")
    drift: Drift = Field(description="The noise of sampling.")


class GridPoint(_Part):
    """One share of fresh real rows that was tried."""

    share: FiniteFloat = Field(description="Share of fresh real rows in a generation.")
    rows: int = Field(description="So many fresh real rows.")
    generations: int = Field(description="How many generations ran.")
    verdict: Verdict = Field(description="What became of it.")


class MetricMinimum(_Part):
    """The fresh data that one metric needs; a loss is the change in the harmful direction, the control's subtracted."""

    name: str = Field(description="The metric.")
    found: bool = Field(description="Whether the fitted line crosses the margin within the grid.")
    share: FiniteFloat | None = Field(description="Where it does.")
    low: FiniteFloat | None = Field(description="Lower end of its interval.")
    high: FiniteFloat | None = Field(description="Upper end of its interval.")
    at_most: bool = Field(description="Whether even the least share that was tried was enough.")
    margin: FiniteFloat = Field(description="The loss that is tolerated.")
    predicted: FiniteFloat | None = Field(description="The share that was predicted before the search.")
    shares: list[FiniteFloat] = Field(description="The shares that were tried.")
    losses: Numbers = Field(description="By share, the mean loss.")
    loss_low: Numbers = Field(description="By share, the lower end of the loss's interval.")
    loss_high: Numbers = Field(description="By share, the upper end of the loss's interval.")
    fitted: Numbers = Field(description="By share, the isotonic fit, which falls with the share.")

    @model_validator(mode="after")
    def _one_number_a_share(self) -> MetricMinimum:
        _equally_long(self.shares, self.losses, self.loss_low, self.loss_high, self.fitted)
        return self


class MinimumFresh(_Part):
    """The least share of fresh real rows with which the generator does not decay."""

    found: bool = Field(description="Whether the grid holds it.")
    share: FiniteFloat | None = Field(
        description="Where the loss is the margin: the largest such share of all metrics."
    )
    low: FiniteFloat | None = Field(description="Lower end of its interval.")
    high: FiniteFloat | None = Field(description="Upper end of its interval.")
    share_safe: FiniteFloat | None = Field(description="The least share measured stable with all larger ones.")
    rows_per_generation: int | None = Field(description="The share as rows.")
    rows_safe: int | None = Field(description="The safe share as rows.")
    limited_by: str | None = Field(description="The metric that needs most.")
    predicted: FiniteFloat | None = Field(description="The share that was predicted before the search.")
    at_most: bool = Field(description="Whether even the least share that was tried, or none at all, was enough.")
    grid: list[GridPoint] = Field(description="The shares that were tried.")
    metrics: list[MetricMinimum] = Field(description="By metric, what it needs.")


class CategoryPicture(_Part):
    """In how many chains a category still comes up."""

    column: str = Field(description="The column.")
    category: str = Field(description="The category.")
    share: FiniteFloat = Field(description="Its share of the real training rows.")
    shown: dict[str, Numbers] = Field(description="By arm and generation from 0, the share of chains that show it.")


class DensityPicture(_Part):
    """How a column's values are spread over the generations."""

    column: str = Field(description="The column.")
    edges: list[FiniteFloat] = Field(description="Inner edges of the bins; the first and the last bin are open.")
    labels: list[str] = Field(description="The edges as text.")
    shares: dict[str, list[Numbers]] = Field(description="By arm and generation from 0, the shares of the bins.")

    @model_validator(mode="after")
    def _one_share_a_bin(self) -> DensityPicture:
        _equally_long(self.edges, self.labels)
        for bins in (bins for generations in self.shares.values() for bins in generations):
            _equally_long([*self.edges, 0.0], bins)
        return self


class Pictures(_Part):
    """What the report draws beside the metrics."""

    categories: list[CategoryPicture] = Field(description="Categories, the rarest first.")
    densities: list[DensityPicture] = Field(description="Columns of numbers and instants.")


class GateOutcome(_Part):
    """A rule about the outcome, and whether it holds."""

    rule: Literal["max_verdict", "min_fresh_at_most"] = Field(description="The rule.")
    threshold: str | FiniteFloat = Field(description="What it allows.")
    value: str | FiniteFloat | None = Field(description="What was found; null where nothing was.")
    status: Literal["pass", "fail"] = Field(description="Whether it holds.")
    detail: str = Field(description="Why.")


class CollapseReport(_Part):
    """The report of a simulated collapse."""

    schema_version: Literal[1] = Field(description="The version of this form.")
    created_at: AwareDatetime = Field(description="When.")
    seed: int = Field(description="The seed behind every random choice.")
    inputs: dict[str, InputTable] = Field(description="By role (train, holdout), the real tables.")
    generator: Generator = Field(description="The generator.")
    plan: Plan = Field(description="How the simulation was laid out.")
    metrics: list[Metric] = Field(description="What is measured of each generation.")
    arms: list[Arm] = Field(description="The regimes: the control first, then as asked.")
    mechanisms: Mechanisms | None = Field(description="Bias and drift; null where they were not measured.")
    minimum_fresh: MinimumFresh | None = Field(description="The fresh data needed; null where it was not searched for.")
    pictures: Pictures = Field(description="What the report draws beside the metrics.")
    gate: list[GateOutcome] = Field(description="The gate's rules and their outcomes; empty where none were set.")
    trajectories: str = Field(description="The file that holds every value of every chain and generation.")
    notes: list[str] = Field(description="What a person should know.")
    config: dict[str, Any] = Field(description="The configuration in force.")
    versions: dict[str, str] = Field(description="By package, the version in use.")


def _equally_long(first: Sequence[object], *others: Sequence[object] | None) -> None:
    """Raise ``ValueError`` unless all are equally long; what is missing does not count."""
    if any(other is not None and len(other) != len(first) for other in others):
        raise ValueError("lists that belong together differ in length")


def collapse_document(**fields: Any) -> dict[str, Any]:
    """Return the report as JSON-ready data; the fields are those of ``CollapseReport``."""
    return CollapseReport(schema_version=1, **fields).model_dump(mode="json")


# --- In a terminal -----------------------------------------------------------------------------------------------


def collapse_report(document: Row) -> RenderableType:
    """Render the report for a terminal; right at 80 columns."""
    arm = leading_arm(document)
    style = _STYLES[arm["verdict"]] if arm is not None else "bold"
    parts: list[RenderableType] = [Text(visible(answer(document)), style=style), Rule(style="dim")]
    parts += [facts_report(plan_facts(document)), Text(), _arms(document), Text(LEGEND, style="dim")]
    parts += _minimum(document)
    if document["mechanisms"] is not None:
        parts += [Text(), facts_report(mechanism_words(document))]
    told = [*remarks(document), *not_measured(document)]
    parts += [Text(), *(Text(visible(line), style="yellow") for line in told)] if told else []
    parts += [Text(), *map(_gate, document["gate"])] if document["gate"] else []
    parts += [Text(), *(Text(visible(note), style="yellow") for note in document["notes"])] if document["notes"] else []
    return Group(*parts)


def _figures(first: str, *others: str) -> Table:
    """Return an empty table in which only the first column gives way to a narrow terminal."""
    table = plain_table(first, *others)
    for column in table.columns[1:]:
        column.no_wrap = True
    return table


def _arms(document: Row) -> Table:
    """Return the arms with their verdicts, and below each the changes of the primary metrics."""
    table = _figures("arm", "verdict", "change", "90 % interval", "margin")
    table.columns[1].justify = "left"
    for arm in shown_arms(document):
        table.add_row(Text(visible(arm["name"]), style="bold"), _word(arm["verdict"]))
        for found in primary_results(document, arm):
            title = Padding(Text(visible(metric_title(document, found["name"]))), (0, 0, 0, 2))
            interval = span_words(found["low"], found["high"])
            table.add_row(
                title, _word(found["verdict"], ""), signed(found["change"]), interval, f"±{found['margin']:.3g}"
            )
    return table


def _word(verdict: str, style: str | None = None) -> Text:
    return Text(verdict, style=_STYLES[verdict] if style is None else style)


def _minimum(document: Row) -> Iterator[RenderableType]:
    """Yield the fresh data that is needed, metric by metric; nothing where it was not searched for."""
    minimum = document["minimum_fresh"]
    if minimum is None:
        return
    table = _figures("fresh real rows needed", "share", "interval", "measured stable", "predicted")
    safe = share_words(minimum["share_safe"]) if minimum["share_safe"] is not None else "none"
    counted = (
        "all primary metrics" if any(is_primary(document, one["name"]) for one in minimum["metrics"]) else "all metrics"
    )
    table.add_row(Text(counted, style="bold"), *needed(minimum), safe, share_words(minimum["predicted"]))
    for found in by_importance(document, minimum["metrics"]):
        title = Padding(Text(visible(metric_title(document, found["name"]))), (0, 0, 0, 2))
        table.add_row(title, *needed(found), "", share_words(found["predicted"]))
    yield Text()
    yield table
    yield from (Text(visible(line), style="dim") for line in minimum_facts(document))


def _gate(gate: Row) -> Text:
    line = Text(MARKS[gate["status"]], style=_STYLES[gate["status"]])
    return line.append(f"  {visible(gate_words(gate))}", style="")
