"""The report of ``collapse-sim`` as plain data and in a terminal: does a generator decay when it learns from its own
output, and how many fresh real rows a generation prevent that.

``collapse-sim/report.json`` holds the document: verdicts, changes, courses over the generations, and shares of
categories and bins; no row of a table. Nothing is computed here: the report says what the simulation found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from synthcli.reports.augmentation import InputTable, signed
from synthcli.reports.terminal import facts_report, plain_table
from synthcli.reports.words import MARKS, names_by_reason, visible

Row = Mapping[str, Any]
Verdict = Literal["stable", "degraded-plateau", "collapsing", "inconclusive"]
#: Numbers by generation or by share; null where there is none.
Numbers = list[FiniteFloat | None]
#: Verdicts from the worst on: the worst arm speaks for a run that did not ask for ``replace``.
WORST_FIRST = ("collapsing", "degraded-plateau", "inconclusive", "stable")
CONTROL, REPLACE = "control", "replace"
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
    workers: int = Field(description="Processes that worked side by side.")


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


# --- What the document holds -------------------------------------------------------------------------------------


def find(rows: Iterable[Row], name: str | None) -> Row | None:
    """Return the row of that name, ``None`` where there is none."""
    return next((row for row in rows if row["name"] == name), None)


def asked_arms(document: Row) -> list[Row]:
    """Return the arms that were asked for, without the control, which every run has."""
    return [arm for arm in document["arms"] if arm["asked"] and arm["name"] != CONTROL]


def shown_arms(document: Row) -> list[Row]:
    """Return the arms that a report shows: the control and those that were asked for."""
    return [arm for arm in document["arms"] if arm["name"] == CONTROL or arm["asked"]]


def leading_arm(document: Row) -> Row | None:
    """Return the arm that the answer is about: ``replace``, else the worst that was asked for; ``None`` without any."""
    asked = asked_arms(document)
    return find(asked, REPLACE) or min(asked, key=lambda arm: WORST_FIRST.index(arm["verdict"]), default=None)


def metric_title(document: Row, name: str | None) -> str:
    """Return what a metric is called; its name where nothing is known of it."""
    metric = find(document["metrics"], name)
    return str(name if metric is None else metric["title"])


def is_primary(document: Row, name: str) -> bool:
    """Return whether the verdict rests on a metric."""
    metric = find(document["metrics"], name)
    return metric is not None and bool(metric["primary"])


def by_importance(document: Row, rows: Iterable[Row]) -> list[Row]:
    """Return what is told of metrics in its order, the primary ones first."""
    return sorted(rows, key=lambda row: not is_primary(document, row["name"]))


def primary_results(document: Row, arm: Row) -> list[Row]:
    """Return what became of the primary metrics in an arm."""
    return [found for found in arm["metrics"] if is_primary(document, found["name"])]


# --- Figures in words --------------------------------------------------------------------------------------------


def share_words(share: float | None) -> str:
    """Return a share in percent with two significant digits.

    >>> share_words(0.2345), share_words(0.05), share_words(0.031), share_words(1.0)
    ('23 %', '5 %', '3.1 %', '100 %')
    """
    if share is None:
        return "–"
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def span_words(low: float | None, high: float | None, told: Any = signed) -> str:
    """Return an interval, each end as ``told`` says it; a dash where it has no ends.

    >>> span_words(-0.1, 0.25), span_words(0.1, 0.2, share_words), span_words(None, None)
    ('-0.100 … +0.250', '10 % … 20 %', '–')
    """
    return "–" if low is None and high is None else f"{told(low)} … {told(high)}"


def change_words(change: float | None, unit: str) -> str:
    """Return a change in its unit; of shares in points.

    >>> change_words(-0.341, "share of categories"), change_words(0.2, "TVD"), change_words(0.034, "share")
    ('-34 points', '+0.200 TVD', '+3.4 points')
    """
    if change is None:
        return "–"
    if unit.startswith("share"):
        return f"{100 * change:+.{0 if abs(change) >= 0.0995 else 1}f} points"
    return f"{signed(change)} {unit}".rstrip()


def generation_words(count: float) -> str:
    """Return a number of generations, which need not be whole.

    >>> generation_words(1), generation_words(4.25), generation_words(1386.2)
    ('1 generation', '4.2 generations', '1,386 generations')
    """
    told = f"{count:,.0f}" if count >= 10 or count == round(count) else f"{count:.1f}"
    return f"{told} generation{'' if told == '1' else 's'}"


def _chains(count: int) -> str:
    return f"{count:,} chain{'' if count == 1 else 's'}"


def _inside(title: str) -> str:
    """Return a title as it is written within a sentence; abbreviations stay as they are.

    >>> _inside("Rare categories"), _inside("TVD")
    ('rare categories', 'TVD')
    """
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def fresh_words(share: float | None, rows: int | None, total: int) -> str:
    """Return fresh real rows as a share and as a number of all rows that a generation learns from.

    >>> fresh_words(0.23, 460, 2000), fresh_words(None, 200, 2000)
    ('23 % fresh real rows (460 of 2,000)', '200 of 2,000 rows fresh and real')
    """
    if share is None:
        return f"{rows:,} of {total:,} rows fresh and real" if rows is not None else "fresh real rows"
    return f"{share_words(share)} fresh real rows" + (f" ({rows:,} of {total:,})" if rows is not None else "")


# --- The answer --------------------------------------------------------------------------------------------------


def answer(document: Row) -> str:
    """Return in one sentence whether the generator may learn from its own output, and how much fresh data it needs."""
    arm = leading_arm(document)
    if arm is None:
        return (
            f"Only the control was run: whether {document['generator']['kind']} collapses on its own output was not "
            "asked."
        )
    if arm["name"] == REPLACE and arm["verdict"] == "stable":
        return f"{_fate(document, arm)}, so it needs no fresh real rows for that long."
    return "; ".join([_fate(document, arm), *_remedies(document, arm), *_unasked(arm)]) + "."


def _fate(document: Row, arm: Row) -> str:
    """Return what became of the generator in an arm."""
    kind, length = document["generator"]["kind"], generation_words(arm["generations"])
    lead = f"Trained on {_fare(document, arm)}, {kind}"
    effect = _effect(document, arm)
    if arm["verdict"] == "stable":
        return f"{lead} stays stable on this table over {length}"
    if arm["verdict"] == "collapsing":
        return f"{lead} collapses on this table within {length}{effect}"
    if arm["verdict"] == "degraded-plateau":
        return f"{lead} gets worse on this table within {length} and then holds that level{effect}"
    tried = f"{length} in {_chains(arm['chains'])}" + (f" ({words})" if (words := settling(arm)) else "")
    return f"{lead} may or may not collapse on this table: inconclusive after {tried}"


def _fare(document: Row, arm: Row) -> str:
    """Return what each generation of an arm learns from, as the answer says it."""
    rows, name = document["plan"]["rows"], str(arm["name"])
    if arm["regime"] == "fresh":
        return f"{fresh_words(arm['fresh_share'], arm['fresh_rows'], rows)} and its own output"
    return {
        REPLACE: "its own output alone",
        "augment": "its last output and the same real rows each time",
        "accumulate": "everything so far",
        "accumulate-subsample": f"{rows:,} rows out of everything so far",
    }.get(arm["regime"], name)


def _effect(document: Row, arm: Row) -> str:
    """Return the primary metric that moved most, or in how many chains the generator broke; in brackets."""
    moved = [found for found in primary_results(document, arm) if found["verdict"] == arm["verdict"]]
    moved = [found for found in moved if found["change"] is not None]
    if moved:
        worst = max(moved, key=lambda found: abs(found["change"]) / (found["margin"] or 1.0))
        metric = find(document["metrics"], worst["name"])
        unit = "" if metric is None or metric["unit"] in metric["title"] else metric["unit"]
        return f" ({_inside(metric_title(document, worst['name']))} {change_words(worst['change'], unit)})"
    return f" (it could not be fitted any more in {arm['broken']} of {_chains(arm['chains'])})" if arm["broken"] else ""


def _remedies(document: Row, arm: Row) -> Iterator[str]:
    """Yield what keeps the generator stable, as far as that is known."""
    yield from _fresh_remedy(document, arm)
    for other in asked_arms(document):
        if other is not arm and other["regime"].startswith("accumulate") and other["verdict"] == "stable":
            yield f"learning from {_fare(document, other)} ({other['name']}) it stays stable"


def _fresh_remedy(document: Row, arm: Row) -> Iterator[str]:
    """Yield how many fresh real rows are enough: by the search, else by the arms that were asked for."""
    minimum, total = document["minimum_fresh"], document["plan"]["rows"]
    if minimum is not None:
        yield _least(minimum, total)
        return
    fresh = [other for other in asked_arms(document) if other["regime"] == "fresh" and other is not arm]
    stable = [other for other in fresh if other["verdict"] == "stable"]
    if stable:
        best = min(stable, key=_freshness)
        told = fresh_words(best["fresh_share"], best["fresh_rows"], total)
        yield f"with {told} in each generation it stays stable, and whether fewer are enough was not searched for"
    elif fresh:
        most = max(fresh, key=_freshness)
        told = fresh_words(most["fresh_share"], most["fresh_rows"], total)
        verdict = most["verdict"]
        yield f"with {told} in each generation it is {verdict}, and whether more are enough was not searched for"
    elif arm["verdict"] != "stable":
        yield "how many fresh real rows would prevent that was not searched for"


def _freshness(arm: Row) -> tuple[float, int]:
    return arm["fresh_share"] or 0.0, arm["fresh_rows"] or 0


def _least(minimum: Row, total: int) -> str:
    """Return the search's result: what is enough, and what was measured stable."""
    if not minimum["found"] or minimum["share"] is None:
        return _not_found(minimum, total)
    if minimum["share"] <= 0:
        return "no fresh real rows are needed"
    told = fresh_words(minimum["share"], minimum["rows_per_generation"], total) + " in each generation"
    told += ", the least that was tried," if minimum["at_most"] else ""
    if minimum["share_safe"] is None:
        return f"about {told} keep it within the margins, but no share was itself measured stable"
    if minimum["share_safe"] <= minimum["share"]:
        return f"with {told} it stays stable"
    safe = share_words(minimum["share_safe"])
    rows = f" ({minimum['rows_safe']:,})" if minimum["rows_safe"] is not None else ""
    return f"about {told} keep it within the margins, and from {safe}{rows} on it was measured stable"


def _not_found(minimum: Row, total: int) -> str:
    if not minimum["grid"]:
        return "no share of fresh real rows was found that keeps it stable"
    most = max(minimum["grid"], key=lambda point: point["share"])
    tried = f"{share_words(most['share'])} ({most['rows']:,} of {total:,})"
    return f"no share of fresh real rows that was tried, up to {tried}, was found to keep it stable"


def _unasked(arm: Row) -> Iterator[str]:
    if arm["name"] != REPLACE:
        yield "its own output alone (replace) was not asked"


# --- What else is to be said -------------------------------------------------------------------------------------


def settling(arm: Row) -> str:
    """Return what would settle an arm's verdict; empty where nothing is known or it is settled.

    >>> settling({"settles": {"chains": 24, "generations": None}})
    '24 chains would settle it'
    """
    settles = arm["settles"] or {"chains": None, "generations": None}
    ways = [_chains(settles["chains"])] if settles["chains"] is not None else []
    ways += [generation_words(settles["generations"])] if settles["generations"] is not None else []
    return f"{' or '.join(ways)} would settle it" if ways else ""


def remarks(document: Row) -> Iterator[str]:
    """Yield what a reader has to know of arms: what would settle them, rows used twice, chains that broke.

    Arms of which the same is to be said share a line.
    """
    told: dict[str, list[str]] = {}
    for arm in document["arms"]:
        for remark in _remarks(arm):
            told.setdefault(remark, []).append(arm["name"])
    yield from (f"{', '.join(names)}: {remark}" for remark, names in told.items())


def _remarks(arm: Row) -> Iterator[str]:
    if arm["verdict"] == "inconclusive" and (arm["asked"] or arm["name"] == CONTROL):
        yield f"inconclusive; {settling(arm) or 'no number of chains or generations is known that would settle it'}"
    if arm["recycled_from"] is not None:
        yield (
            f"the real rows ran out: from generation {arm['recycled_from']} on some were used again, which is the "
            "augment regime and no longer fresh data"
        )
    if arm["broken"]:
        yield f"in {arm['broken']:,} of {_chains(arm['chains'])} the generator could no longer be fitted"


def mechanism_words(document: Row) -> dict[str, str]:
    """Return in words what the bias and what chance take away; empty where they were not measured."""
    mechanisms = document["mechanisms"]
    if mechanisms is None:
        return {}
    what = mechanisms["measured_on"]
    return {
        "bias": _bias(mechanisms["bias"], what),
        "drift": _drift(mechanisms["drift"], what, document["plan"]["rows"]),
    }


def _bias(bias: Row, what: str) -> str:
    low, high = bias["low"], bias["high"]
    interval = "" if low is None or high is None else f" ({100 * low:.1f} … {100 * high:.1f} %)"
    kept = f"{100 * bias['contraction']:.1f} %{interval} of the {what}"
    if low is not None and high is not None and low <= 1 <= high:
        return f"none that chance could not explain: a generation keeps {kept}"
    if bias["contraction"] > 1:
        return (
            f"each generation inflates: {kept}, however many rows it learns from; a share of fresh real rows cures that"
        )
    half = "" if bias["half_life"] is None else f" and halves it in {generation_words(bias['half_life'])}"
    return (
        f"each generation keeps {kept}{half}, however many rows it learns from; a share of fresh real rows cures that"
    )


def _drift(drift: Row, what: str, rows: int) -> str:
    if drift["half_life"] is None:
        return f"chance alone takes away too little of the {what} to be measured"
    low, high = drift["low"], drift["high"]
    interval = "" if low is None or high is None else f" ({low:,.0f} … {high:,.0f})"
    return (
        f"chance alone halves the {what} in {generation_words(drift['half_life'])}{interval} of {rows:,} rows; a "
        "number of fresh real rows cures that, whatever their share"
    )


def not_measured(document: Row) -> Iterator[str]:
    """Yield the metrics that could not be measured, with the reason."""
    missing = [
        {"name": metric["title"], "detail": metric["reason"]}
        for metric in document["metrics"]
        if metric["status"] != "measured"
    ]
    for reason, names in names_by_reason(missing).items():
        yield f"not measured: {names}: {reason}"


def gate_words(gate: Row) -> str:
    """Return a rule of the gate, what was found, and why that is so."""
    value = "nothing" if gate["value"] is None else _limit(gate["value"])
    return f"{gate['rule']} {_limit(gate['threshold'])}: {value}" + (f"; {gate['detail']}" if gate["detail"] else "")


def _limit(value: str | float) -> str:
    return value if isinstance(value, str) else share_words(value)


def plan_facts(document: Row) -> dict[str, str]:
    """Return how the simulation was laid out, as names and what is told of each."""
    plan, generator = document["plan"], document["generator"]
    bias = "" if generator["temperature"] == 1 else f", temperature {generator['temperature']:g}"
    return {
        "generator": f"{generator['kind']}{bias}, seed {document['seed']}",
        "each generation": f"{plan['rows']:,} rows; {generation_words(plan['generations'])}, {_chains(plan['chains'])}",
        "real rows": f"{plan['training_rows']:,}; {plan['reservoir']:,} beside generation 0 for each chain",
    }


# --- In a terminal -----------------------------------------------------------------------------------------------

#: What the figures of the table of arms are, for both renderings.
LEGEND = (
    "change: mean of the last quarter of the generations less generation 1, the control's own change subtracted "
    "(of the control nothing is); 90 % interval; stable: all of it within the margin, up and down"
)


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
    table.add_row(Text("all primary metrics", style="bold"), *needed(minimum), safe, share_words(minimum["predicted"]))
    for found in by_importance(document, minimum["metrics"]):
        title = Padding(Text(visible(metric_title(document, found["name"]))), (0, 0, 0, 2))
        table.add_row(title, *needed(found), "", share_words(found["predicted"]))
    yield Text()
    yield table
    yield from (Text(visible(line), style="dim") for line in minimum_facts(document))


def needed(found: Row) -> tuple[str, str]:
    """Return the share of fresh rows that is needed and its interval; ``≤``: the least that was tried was enough."""
    if not found["found"] or found["share"] is None:
        return "not found", "–"
    sign = "≤ " if found["at_most"] and found["share"] > 0 else ""
    return sign + share_words(found["share"]), span_words(*needed_span(found), share_words)


def needed_span(found: Row) -> tuple[float | None, float | None]:
    """Return the interval of the share that is needed; no ends where even its upper one lies below all shares tried."""
    below = found["at_most"] and found["high"] is not None and found["high"] < found["share"]
    return (None, None) if not found["found"] or below else (found["low"], found["high"])


def minimum_facts(document: Row) -> Iterator[str]:
    """Yield the needed data as rows, the metric that needs most, and the verdicts of the shares that were tried."""
    minimum, total = document["minimum_fresh"], document["plan"]["rows"]
    rows = [f"{minimum['rows_per_generation']:,} rows needed"] if minimum["rows_per_generation"] is not None else []
    rows += [f"{minimum['rows_safe']:,} measured stable"] if minimum["rows_safe"] is not None else []
    if rows:
        yield f"of {total:,} rows in each generation: {', '.join(rows)}"
    if minimum["limited_by"] is not None:
        yield f"limited by {_inside(metric_title(document, minimum['limited_by']))}"
    tried: dict[str, list[str]] = {}
    for point in minimum["grid"]:
        tried.setdefault(point["verdict"], []).append(share_words(point["share"]))
    if tried:
        yield "tried: " + "; ".join(f"{', '.join(shares)} {verdict}" for verdict, shares in tried.items())


def _gate(gate: Row) -> Text:
    line = Text(MARKS[gate["status"]], style=_STYLES[gate["status"]])
    return line.append(f"  {visible(gate_words(gate))}", style="")
