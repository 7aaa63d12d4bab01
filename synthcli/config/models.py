"""What a configuration may say: one frozen model per section, its defaults, and a sentence on every key.

The models judge one value, or one section, at a time. Whether a column exists is for the code that has the
table, and whose word counts (flag, file, default) is ``load``'s business. The generators' models are in ``generators``.
"""

from __future__ import annotations

import shlex
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from synthcli.config.fields import (
    Address,
    Character,
    Codec,
    Count,
    Duration,
    Instant,
    PathText,
    Positive,
    Probability,
    Section,
    Seed,
    Share,
    by_kind,
    expected,
    refusal,
    text_like,
)
from synthcli.config.generators import DEFAULT_KIND, FITTED_KINDS, KINDS, Fitted, Forest, GaussianCopula, Synthesizer

ColumnType = Literal["numeric", "categorical", "boolean", "datetime", "id", "text"]
Family = Literal["accuracy", "validity", "diversity", "similarity", "privacy", "utility"]
Format = Literal["parquet", "csv", "jsonl"]
FailOn = Literal["error", "warning", "never"]


class SplitMethod(StrEnum):
    """How the side of the split that a row belongs to is decided."""

    HASH = "hash"
    GROUP = "group"
    STRATIFIED = "stratified"
    TIME = "time"
    RANDOM = "random"


class ColumnOverride(Section):
    """What a column is, where the detection would say something else."""

    type: ColumnType = Field(description="What the column means, whatever its values look like.")
    format: str | None = Field(
        default=None, description="How a datetime column is written, in strftime's terms, e.g. %d.%m.%Y."
    )


class Inequality(Section):
    """One column is never above another."""

    kind: Literal["inequality"] = Field(description="The kind of constraint.")
    low_column_name: str = Field(description="The column with the lower value.")
    high_column_name: str = Field(description="The column with the higher value.")
    strict_boundaries: bool = Field(default=False, description="Whether equal values break it.")


class Range(Section):
    """One column lies between two others."""

    kind: Literal["range"] = Field(description="The kind of constraint.")
    low_column_name: str = Field(description="The column with the lowest value.")
    middle_column_name: str = Field(description="The column in between.")
    high_column_name: str = Field(description="The column with the highest value.")
    strict_boundaries: bool = Field(default=True, description="Whether equal values break it.")


class FixedCombinations(Section):
    """Only combinations of values that the real table shows."""

    kind: Literal["fixed_combinations"] = Field(description="The kind of constraint.")
    column_names: list[str] = Field(min_length=2, description="The columns whose combinations are fixed.")


class FixedIncrements(Section):
    """Every value is a multiple of an increment."""

    kind: Literal["fixed_increments"] = Field(description="The kind of constraint.")
    column_name: str = Field(description="The numeric column.")
    increment_value: Annotated[float, Field(gt=0), expected("a number above 0")] = Field(description="The increment.")


class OneHot(Section):
    """Exactly one of some columns is 1, and all the others are 0."""

    kind: Literal["one_hot"] = Field(description="The kind of constraint.")
    column_names: list[str] = Field(min_length=2, description="The columns of which exactly one is 1.")


#: Every kind of constraint and the model of its parameters, which have the names that SDV gives them.
CONSTRAINTS: dict[str, type[Section]] = {
    "inequality": Inequality,
    "range": Range,
    "fixed_combinations": FixedCombinations,
    "fixed_increments": FixedIncrements,
    "one_hot": OneHot,
}
#: A rule that every real row keeps.
Constraint = Inequality | Range | FixedCombinations | FixedIncrements | OneHot


class DataSection(Section):
    """The real table: where it is, how it is written, and what its columns mean."""

    path: Annotated[
        PathText | Annotated[list[PathText], Field(min_length=1)] | None,
        expected("a path, or a list of paths, none of them empty"),
    ] = Field(
        default=None,
        description="The real table: a file or URL (.csv, .csv.gz, .parquet), a glob, a folder of parts, or a list of "
        "these.",
        examples=["data.csv", "data/*.parquet"],
    )
    target: str | None = Field(default=None, description="The column that downstream models predict.")
    exclude_features: list[str] = Field(
        default_factory=list,
        description="Columns that give the target away: they are synthesized, but never used as a feature.",
    )
    primary_key: str | None = Field(default=None, description="The column that identifies a row; it is made anew.")
    time: str | None = Field(default=None, description="The column that says when a row happened.")
    missing: list[str] | None = Field(
        default=None,
        description="The spellings of a missing cell in a text file; null leaves them to the detection.",
        examples=[["", "NA"]],
    )
    columns: dict[str, ColumnOverride] = Field(
        default_factory=dict,
        description="By column name, what a column is where the detection is wrong.",
        examples=[{"flight": {"type": "categorical"}}],
    )
    constraints: list[Annotated[Constraint, by_kind(CONSTRAINTS)]] = Field(
        default_factory=list, description="Rules that every real row keeps, and every synthetic row should."
    )
    encoding: Codec | None = Field(default=None, description="The text encoding of a CSV file; null detects it.")
    delimiter: Character | None = Field(
        default=None, description="The character between the cells of a CSV file; null detects it."
    )
    quote: Character | None = Field(
        default=None, description="The character around quoted cells of a CSV file; null detects it."
    )
    decimal_comma: bool | None = Field(
        default=None, description="Whether numbers in a CSV file have a decimal comma; null detects it."
    )


class SplitSection(Section):
    """The holdout: which rows no generator may see."""

    holdout: Share = Field(default=0.2, description="The share of rows (or of groups, with `by`) to reserve.")
    method: Annotated[SplitMethod, Field(strict=False)] = Field(
        default=SplitMethod.HASH,
        description="How a row's side is decided; hash: by its content; group: by that of `by`; stratified: by its "
        "content, with exact shares in each stratum of `by` (or of the target); time: the latest rows are reserved; "
        "random: drawn once and remembered.",
    )
    by: list[str] = Field(
        default_factory=list,
        description="hash, group: columns whose rows belong together, e.g. a person's id: equal values go to one side. "
        "stratified: the columns whose combinations are the strata.",
    )
    salt: str = Field(default="synthcli", description="Text mixed into the hash; another salt gives another split.")
    since: Instant | None = Field(
        default=None,
        description="time: the first reserved instant; null: so that `holdout` of the rows are reserved.",
    )
    privacy_holdout: Annotated[float, Field(ge=0, lt=1), expected("a share from 0 to below 1, e.g. 0.1")] = Field(
        default=0.1,
        description="time: the share of the earlier rows that is reserved too, for the privacy measures, "
        "since later rows differ from the training rows by their time.",
    )

    @model_validator(mode="after")
    def _method_has_what_it_needs(self) -> Self:
        if self.method is SplitMethod.GROUP and not self.by:
            raise refusal("the method group needs the columns that make up a group: set split.by")
        if self.by and self.method in (SplitMethod.TIME, SplitMethod.RANDOM):
            raise refusal(f"the method {self.method} knows no groups: leave split.by empty, or use the method group")
        if self.since is not None and self.method is not SplitMethod.TIME:
            raise refusal("since goes with the method time")
        return self


class ProtectionSection(Section):
    """What is done to the training part before any generator sees it; 0 switches a protection off."""

    rare_category_min_count: Count = Field(
        default=5, description="Categories with fewer training rows than this are replaced; 0: none is."
    )
    rare_category: Literal["sample", "constant"] = Field(
        default="sample",
        description="What a rare category becomes; sample: a frequent one, drawn by frequency; constant: _RARE_.",
    )
    clip_extremes: Count = Field(
        default=5,
        description="Values beyond the k-th smallest and the k-th greatest of a column are moved to these; 0: none is.",
    )


#: The same in all sections that write CSV.
ESCAPE_FORMULAS = Field(
    default=False,
    description="CSV output: whether text that a spreadsheet would compute (it begins with = + - @ or a tab) gets "
    "an apostrophe in front.",
)


class SampleSection(Section):
    """What is drawn from a generator, and how it is written."""

    rows: Positive | None = Field(
        default=None, description="How many rows to draw; null: as many as the training part has."
    )
    format: Format = Field(default="parquet", description="The file format of the synthetic table.")
    seed: Seed | None = Field(default=None, description="The seed of the draw; null: a fresh one each time, recorded.")
    max_tries: Positive = Field(
        default=100,
        description="Rows drawn at most for each that has to meet a condition, where a generator can only try.",
    )
    reject_training_matches: bool = Field(
        default=False,
        description="Whether rows that equal a training record which occurs once are drawn again, and counted.",
    )
    escape_formulas: bool = ESCAPE_FORMULAS


def _typed_keys(value: Any) -> Any:
    """Return a mapping with its keys as text, since YAML makes of ``true`` or ``3`` in their place something else."""
    if not isinstance(value, dict):
        return value
    return {_typed(key): below for key, below in value.items()}


def _typed(key: Any) -> Any:
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, date):
        return key.isoformat()
    return str(key) if isinstance(key, (int, float)) else key


class AugmentSection(Section):
    """More rows, other shares, or no holes: what is made of the training part, and whether that is measured."""

    mode: Literal["rebalance", "impute", "upsample"] | None = Field(
        default=None,
        description="What is done; rebalance: rows are added until classes have the shares asked for; impute: missing "
        "cells are drawn given the row's others; upsample: rows are added, or variants of rows made.",
    )
    column: Annotated[
        str | Annotated[list[str], Field(min_length=1)] | None, expected("a column's name, or a list of names")
    ] = Field(
        default=None,
        description="rebalance: the column whose values are the classes, or several whose combinations are; null: the "
        "target. impute: the columns to fill; null: all.",
    )
    shares: Annotated[dict[str, Share], BeforeValidator(_typed_keys)] = Field(
        default_factory=dict,
        description="rebalance: by class, its share of the output; classes that are not named keep their proportions. "
        "A class is a value, a bin (`<500`, `500..1000`, `>=1000`), or with several columns `late=true,origin=JFK`.",
        examples=[{"true": 0.5}],
    )
    balance: Literal["equal", "none"] = Field(
        default="none", description="rebalance: equal gives every class the same share; none: `shares` say."
    )
    bins: dict[
        str, Annotated[list[int | float | str], Field(min_length=1), expected("a list of edges, e.g. [500, 1000]")]
    ] = Field(
        default_factory=dict,
        description="rebalance: by column of numbers or instants, the rising edges of its bins; a value on an edge "
        "belongs to the bin above.",
    )
    whole: bool = Field(
        default=False,
        description="Whether the table is synthetic as a whole; false: all real rows are kept, and rows are added.",
    )
    rows: Positive | None = Field(
        default=None,
        description="Rows of the output; null: rebalance: the fewest that have the shares; upsample: twice the rows.",
    )
    given: PathText | None = Field(
        default=None, description="upsample: the rows that variants are made of; null: the training rows."
    )
    vary: list[str] = Field(
        default_factory=list,
        description="upsample: columns that are drawn anew given the row's others; which makes variants of rows.",
    )
    keep_missing: list[str] = Field(
        default_factory=list,
        description="impute: columns whose missing cells mean something and stay, such as the delay of a flight that "
        "never took off.",
    )
    imputations: Positive = Field(
        default=1,
        description="impute: completed tables to make; from several, statistics are pooled by Rubin's rules.",
    )
    format: Literal["parquet", "csv"] = Field(default="parquet", description="The file format of the augmented table.")
    escape_formulas: bool = ESCAPE_FORMULAS
    origin: bool = Field(
        default=True, description="Whether the column `_origin` says of each row: real, synthetic or imputed."
    )
    synthesizer: Annotated[Fitted, by_kind(FITTED_KINDS, "forest")] = Field(
        default_factory=lambda: Forest(kind="forest"),
        description="The generator: its kind and that kind's parameters; it is fitted on the training part.",
    )
    lift: Literal["off", "quick", "full"] = Field(
        default="quick",
        description="Whether it is measured on the holdout what a model gains; quick: 3 repetitions, 2 sizes, at most "
        "20,000 rows; full: 10 repetitions, 5 sizes, all rows.",
    )
    precision: Share = Field(
        default=0.5, description="The precision at which the recall of the rarest class is told in the lift report."
    )
    demand: Literal["helps", "no_harm"] | None = Field(
        default=None,
        description="The gate: exit 1, and no table, unless the lift's verdict is `helps`; no_harm: unless it is not "
        "`hurts`; null: no gate.",
    )

    @model_validator(mode="after")
    def _wishes_go_together(self) -> Self:
        if self.shares and self.balance == "equal":
            raise refusal("shares and balance exclude each other: keep one of the two")
        if sum(self.shares.values()) > 1 + 1e-9:
            raise refusal(f"the shares add up to {sum(self.shares.values()):g}, more than 1")
        if self.demand is not None and self.lift == "off":
            raise refusal("demand needs the lift report: set lift to quick or full")
        return self


Regime = Literal["replace", "augment", "fresh", "accumulate", "accumulate-subsample"]
#: The order of verdicts by how bad they are; ``inconclusive`` is none of them.
Worst = Literal["stable", "degraded-plateau", "collapsing"]


class CollapseSection(Section):
    """The simulation of a generator that learns from its own output: regimes, their size, and what is asked of them."""

    generations: Annotated[int, Field(ge=2), expected("a whole number of at least 2")] = Field(
        default=10, description="How many generators learn one after the other; the first learns real rows alone."
    )
    chains: Annotated[int, Field(ge=2), expected("a whole number of at least 2")] = Field(
        default=10, description="Independent repetitions of every regime, with the same real rows in each."
    )
    rows: Annotated[int, Field(ge=10), expected("a whole number of at least 10")] | None = Field(
        default=None,
        description="Rows that a generation learns from and puts out; null: 2,000, or half of the training rows.",
    )
    regimes: list[Regime] = Field(
        default_factory=lambda: list[Regime](["replace", "accumulate", "fresh"]),
        min_length=1,
        description="What a generation learns from; replace: the last output; augment: a fixed real set and the last "
        "output; fresh: new real rows and the last output; accumulate: all real rows and outputs so far; "
        "accumulate-subsample: as many of them as `rows`. A control that learns new real rows alone always runs.",
    )
    fresh: list[Share] = Field(
        default_factory=list,
        description="The shares of new real rows to try, which is the regime fresh; empty: some are chosen, to find "
        "the least that helps.",
    )
    fresh_rows: list[Positive] = Field(
        default_factory=list, description="Numbers of new real rows a generation to try, as `fresh`."
    )
    real_weight: Share = Field(
        default=0.5, description="augment: the share of rows that are real, the same ones in every generation."
    )
    temperature: Annotated[float, Field(gt=0), expected("a number above 0")] = Field(
        default=1.0,
        description="A bias of the draw, where a generator has one: below 1 towards what is frequent; 1: none.",
    )
    metrics: Annotated[
        Literal["default"] | Annotated[list[str], Field(min_length=1)], expected("default, or a list of metrics")
    ] = Field(default="default", description="What is measured of each generation; a list measures only what it names.")
    margins: dict[str, Annotated[float, Field(gt=0), expected("a number above 0")]] = Field(
        default_factory=dict, description="By metric, the change that is tolerated, where it is not the default one."
    )
    search_generations: Annotated[int, Field(ge=2), expected("a whole number of at least 2")] = Field(
        default=30,
        description="The most generations of one share in the search for the smallest; a share needs 3 over itself.",
    )
    max_verdict: Worst | None = Field(
        default=None,
        description="The gate: exit 1 where a regime (fresh with shares that are named) ends worse than this, or "
        "undecided; null: no gate.",
    )
    min_fresh_at_most: Share | None = Field(
        default=None,
        description="The gate: exit 1 where the smallest share of fresh rows is greater, or was not found; null: none.",
    )

    @model_validator(mode="after")
    def _wishes_go_together(self) -> Self:
        for key in ("regimes", "fresh", "fresh_rows"):
            values = getattr(self, key)
            twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
            if twice is not None:
                raise refusal(f"{key}: {twice} is named twice")
        if self.min_fresh_at_most is not None and not ("fresh" in self.regimes or self.fresh or self.fresh_rows):
            raise refusal("min_fresh_at_most needs the regime fresh: add it to regimes")
        return self


class GateRule(Section):
    """A limit that a metric has to keep for the data to be released."""

    metric: Annotated[str, Field(min_length=1), expected("a metric's name or pattern, e.g. privacy.*")] = Field(
        description="A metric's name, or a pattern with * and ? that every matching metric has to satisfy.",
        examples=["utility.ratio", "privacy.*"],
    )
    min: float | None = Field(default=None, description="The least value that passes.")
    max: float | None = Field(default=None, description="The greatest value that passes.")
    min_of_reference: Annotated[float, Field(gt=0, le=1), expected("a share above 0, at most 1")] | None = Field(
        default=None,
        description="The least share of the way from the metric's floor to its reference that passes.",
    )
    max_excess: Annotated[float, Field(ge=0, le=1), expected("a share from 0 to 1, e.g. 0.005")] | None = Field(
        default=None,
        description="The excess over the reference from which the rule fails, where it is significant too.",
    )
    max_drop_from: PathText | None = Field(
        default=None,
        description="An earlier report.json: the metric must not be significantly worse than it was there.",
    )
    columns: Annotated[str, Field(min_length=1), expected("a column's name or a pattern, e.g. *")] | None = Field(
        default=None,
        description="A column's name, or a pattern with * and ?: the rule is about the metric's values for single "
        "columns; null: about its value for the table.",
    )
    bound: Literal["value", "low", "high"] = Field(
        default="value", description="What is compared: the value, or the low or high end of its interval."
    )
    level: Literal["error", "warning"] = Field(
        default="error", description="Whether a failure stops the release or is only reported."
    )
    p_value: Probability = Field(
        default=0.001, description="With `max_excess`: the p-value below which an excess is significant."
    )

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        limits = (self.min, self.max, self.min_of_reference, self.max_excess, self.max_drop_from)
        if all(limit is None for limit in limits):
            raise refusal("the rule has no limit: set min, max, min_of_reference, max_excess or max_drop_from")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal("min is greater than max, so that no value could pass")
        return self


class ValidateSection(Section):
    """The audit: what is measured, and which limits a release has to keep."""

    families: list[Family] = Field(
        default_factory=lambda: list(get_args(Family)),
        min_length=1,
        description="The families of metrics to compute.",
    )
    trivariate: bool = Field(
        default=True,
        description="Whether the accuracy of triples of columns is measured; it costs as much as all other counting.",
    )
    compat: bool = Field(
        default=False, description="Whether to compute the scores of SDMetrics' QualityReport too, for comparison."
    )
    secrets: list[str] = Field(
        default_factory=list,
        description="Columns that nobody should be able to infer about a person; each is attacked.",
    )
    groups: list[str] = Field(
        default_factory=list, description="Columns whose levels are groups for which the utility is compared."
    )
    gates: list[GateRule] | None = Field(
        default=None,
        description="The rules of a release, in the place of the default ones; null keeps those.",
    )
    gates_add: list[GateRule] = Field(
        default_factory=list,
        description="Rules beside those of `gates` or the default.",
        examples=[[{"metric": "utility.ratio", "min": 0.9, "bound": "low", "level": "warning"}]],
    )
    fail_on: FailOn = Field(
        default="error",
        description="The level of a failed rule that makes the command exit 1; never: none does.",
    )


Limit = Annotated[float, Field(gt=0), expected("a number above 0")]


class DriftSection(Section):
    """How far new data may lie from those that the champion learned from, before it is refitted or a person is asked.

    Every limit is an effect size of one column; null switches it off. Below the noise of so many rows none is met.
    """

    psi: Limit | None = Field(default=0.2, description="The population stability index from which it is refitted.")
    tvd: Share | None = Field(default=0.1, description="The total variation distance from which it is refitted.")
    missing: Share | None = Field(
        default=0.05, description="The change of the share of missing cells from which it is refitted."
    )
    new_categories: Share | None = Field(
        default=0.05,
        description="The share of cells with a category that the champion has not seen, above what its own rare "
        "categories let expect, from which it is refitted.",
    )
    c2st: Annotated[float, Field(gt=0.5, lt=1), expected("an AUC between .5 and 1, e.g. 0.65")] | None = Field(
        default=0.65,
        description="The AUC of telling new rows from known ones, by its low bound, from which it is refitted.",
    )
    halt: Share | None = Field(
        default=0.3,
        description="The change of a column in the new rows (total variation distance, or new categories) from which a "
        "person is asked first: swapped units, a column that is empty now, other codes.",
    )
    ignore: list[str] = Field(
        default_factory=list, description="Columns that change by nature; data.time is one of them without being named."
    )


def _command(line: str) -> str:
    if not shlex.split(line):
        raise ValueError("no command")
    return line


Command = Annotated[
    str, AfterValidator(_command), expected("a command, its quotes closed"), text_like(r"\S", "make -s release")
]


class RefreshSection(Section):
    """What keeps a generator current: when it is refitted, and when a challenger takes the champion's place."""

    drift: DriftSection = Field(default_factory=DriftSection, description="The limits of drift.")
    new_rows: Share | None = Field(
        default=0.1,
        description="The share of training rows new to the champion from which it is refitted; null: new rows alone "
        "are no reason.",
    )
    max_age: Duration | None = Field(
        default=None,
        description="The champion's age, e.g. 7d, from which changed data are learned however little they drifted, and "
        "from which `status` calls it stale; null: none.",
    )
    inner: Share = Field(
        default=0.1,
        description="The share of the training part, always the same rows, that no generator is fitted on: champion "
        "and challenger are compared there.",
    )
    seeds: Annotated[int, Field(ge=2), expected("a whole number of at least 2")] = Field(
        default=5, description="How often champion and challenger are sampled, each time with another seed."
    )
    margin: Annotated[
        Literal["auto"] | Annotated[float, Field(ge=0)], expected('a number of at least 0, or "auto"')
    ] = Field(
        default="auto",
        description="By how much the challenger's score may lie below the champion's; auto: by what another seed makes "
        "of it, measured.",
    )
    keep: Positive | None = Field(
        default=10,
        description="Versions to keep, the newest; champion, previous and latest are kept whatever their age; null: "
        "all.",
    )
    sample: bool = Field(default=False, description="Whether the synthetic table is drawn anew after a promotion.")
    after_promotion: list[Command] = Field(
        default_factory=list,
        description="Commands to run after a promotion, in the configuration file's folder and without a shell; "
        "SYNTHCLI_VERSION, SYNTHCLI_PREVIOUS, SYNTHCLI_OUT and SYNTHCLI_REPORT tell them what there is.",
    )


class RunSection(Section):
    """Settings that every command shares."""

    seed: Seed = Field(default=0, description="The seed of every random choice except the draw of synthetic rows.")
    workers: Annotated[
        Literal["auto"] | Positive | Address,
        expected('a whole number of at least 1, "auto", or the address of a Dask scheduler, e.g. tcp://host:8786'),
    ] = Field(
        default="auto",
        description="Processes that work side by side, where a command has work for several; auto: one a processor; "
        "tcp://host:port: the workers of that Dask cluster (extra dask).",
    )
    output_dir: PathText = Field(default="artifacts", description="The folder that everything is written under.")


class Config(Section):
    """The whole configuration."""

    data: DataSection = Field(default_factory=DataSection, description="The real table.")
    split: SplitSection = Field(default_factory=SplitSection, description="The holdout.")
    protection: ProtectionSection = Field(
        default_factory=ProtectionSection, description="The protection of rare categories and extreme values."
    )
    synthesizer: Annotated[Synthesizer, by_kind(KINDS, DEFAULT_KIND)] = Field(
        default_factory=GaussianCopula, description="The generator: its kind and that kind's parameters."
    )
    sample: SampleSection = Field(default_factory=SampleSection, description="The synthetic table.")
    augment: AugmentSection = Field(default_factory=AugmentSection, description="The augmented table.")
    # pydantic's models have a method called validate.
    validation: ValidateSection = Field(
        default_factory=ValidateSection, alias="validate", description="The audit and its gates."
    )
    collapse_sim: CollapseSection = Field(
        default_factory=CollapseSection, description="The simulation of generations that learn from each other."
    )
    refresh: RefreshSection = Field(
        default_factory=RefreshSection, description="What keeps a generator current as new data arrive."
    )
    run: RunSection = Field(default_factory=RunSection, description="What holds for every command.")


def as_plain(config: Config) -> dict[str, Any]:
    """Return ``config`` as JSON-ready data under the names that a file uses; loading that gives ``config`` again.

    It may hold passwords: what is stored or shown is of the forms in ``showing``.
    """
    return config.model_dump(mode="json", by_alias=True)
