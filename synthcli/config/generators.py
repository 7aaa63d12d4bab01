"""The generators that can be configured: one model of parameters per kind, and their list, ``KINDS``.

SDV's parameters have SDV's names and defaults; what is the project's own says so. What can be judged without a table is
judged here, before any data is read.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from synthcli.config.fields import Positive, Section, by_kind, expectation, expected, refusal
from synthcli.config.suggest import one_of

# gaussian_kde is left out: it keeps every training value inside the model.
Distribution = Literal["norm", "beta", "truncnorm", "uniform", "gamma"]
Above0 = Annotated[float, Field(gt=0), expected("a number above 0")]
AtLeast0 = Annotated[float, Field(ge=0), expected("a number of at least 0")]
Layers = Annotated[list[Positive], Field(min_length=1), expected("a list of layer sizes, e.g. [256, 256]")]


class Sdv(Section):
    """What all of SDV's generators share."""

    enforce_min_max_values: bool = Field(
        default=True, description="Whether synthetic numbers stay within the range of the training data."
    )
    enforce_rounding: bool = Field(
        default=True, description="Whether synthetic numbers have as many decimals as the training data."
    )


class Marginals(Section):
    """The distributions of numeric columns, where SDV fits any."""

    numerical_distributions: dict[str, Distribution] = Field(
        default_factory=dict, description="By column name, the distribution of a numeric column."
    )
    default_distribution: Distribution = Field(
        default="beta", description="The distribution of numeric columns that are not named above."
    )


class Neural(Sdv):
    """What SDV's neural generators share, and the project's own limits on their training."""

    embedding_dim: Positive = Field(default=128, description="The size of the random vector that a row is made from.")
    batch_size: Positive = Field(default=500, description="Rows in one step of the training.")
    epochs: Positive = Field(default=300, description="Passes over the training data.")
    verbose: bool = Field(default=False, description="Whether to log the loss of every epoch.")
    enable_gpu: bool = Field(default=True, description="Whether a GPU may be used; `device` says which.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where to train; auto: on a GPU if there is one. Rows are drawn on the CPU. Not SDV's parameter.",
    )
    max_minutes: Above0 | None = Field(
        default=None,
        description="Minutes after which the training ends with the epoch under way; null: no limit. A stopped "
        "training is not reproducible, its number of epochs is recorded. Not SDV's parameter.",
    )
    max_levels: Positive = Field(
        default=3000,
        description="The most categories that all columns may have together; time and memory grow with them. Not "
        "SDV's parameter.",
    )

    @model_validator(mode="after")
    def _device_is_allowed(self) -> Self:
        if self.device == "cuda" and not self.enable_gpu:
            raise refusal("device is cuda and enable_gpu is false: leave one of them out")
        return self


class Adversarial(Neural):
    """What SDV's two adversarial generators share."""

    locales: list[str] = Field(
        default_factory=lambda: ["en_US"],
        description="SDV's locales of invented personal values; ids are made outside of SDV, so that it invents none.",
    )
    generator_dim: Layers = Field(default_factory=lambda: [256, 256], description="The generator's hidden layers.")
    discriminator_dim: Layers = Field(
        default_factory=lambda: [256, 256], description="The discriminator's hidden layers."
    )
    generator_lr: Above0 = Field(default=0.0002, description="The generator's learning rate.")
    generator_decay: AtLeast0 = Field(default=1e-6, description="The generator's weight decay.")
    discriminator_lr: Above0 = Field(default=0.0002, description="The discriminator's learning rate.")
    discriminator_decay: AtLeast0 = Field(default=1e-6, description="The discriminator's weight decay.")
    discriminator_steps: Positive = Field(default=1, description="The discriminator's steps for one of the generator.")
    log_frequency: bool = Field(
        default=True, description="Whether the logarithm of a category's frequency rules how often it is trained on."
    )
    pac: Positive = Field(default=10, description="Rows that the discriminator judges together.")

    @model_validator(mode="after")
    def _batches_divide(self) -> Self:
        if self.batch_size % 2:
            raise refusal("batch_size must be even")
        if self.batch_size % self.pac:
            raise refusal("batch_size must be a multiple of pac")
        return self


class GaussianCopula(Sdv, Marginals):
    """SDV's GaussianCopulaSynthesizer, with the names and defaults that SDV gives its parameters."""

    kind: Literal["gaussian_copula"] = Field(default="gaussian_copula", description="The kind of generator.")
    locales: list[str] = Field(
        default_factory=lambda: ["en_US"],
        description="SDV's locales of invented personal values; ids are made outside of SDV, so that it invents none.",
    )
    marginals: Literal["parametric", "empirical"] = Field(
        default="parametric",
        description="How a single column is modelled; parametric: by SDV's distributions; empirical: by the column's "
        "own quantiles, which is faster and closer. Not SDV's parameter.",
    )

    @model_validator(mode="after")
    def _distributions_are_used(self) -> Self:
        if self.marginals == "empirical" and self.numerical_distributions:
            raise refusal("numerical_distributions goes with marginals: parametric")
        if self.marginals == "empirical" and self.default_distribution != "beta":
            raise refusal("default_distribution goes with marginals: parametric")
        return self


class CTGAN(Adversarial):
    """SDV's CTGANSynthesizer, with the names and defaults that SDV gives its parameters."""

    kind: Literal["ctgan"] = Field(default="ctgan", description="The kind of generator.")


class CopulaGAN(Adversarial, Marginals):
    """SDV's CopulaGANSynthesizer, with the names and defaults that SDV gives its parameters."""

    kind: Literal["copula_gan"] = Field(default="copula_gan", description="The kind of generator.")


class TVAE(Neural):
    """SDV's TVAESynthesizer, with the names and defaults that SDV gives its parameters."""

    kind: Literal["tvae"] = Field(default="tvae", description="The kind of generator.")
    compress_dims: Layers = Field(default_factory=lambda: [128, 128], description="The encoder's hidden layers.")
    decompress_dims: Layers = Field(default_factory=lambda: [128, 128], description="The decoder's hidden layers.")
    l2scale: AtLeast0 = Field(default=1e-5, description="The weight decay.")
    loss_factor: Above0 = Field(default=2.0, description="The weight of the reconstruction error.")


class Forest(Section):
    """The project's own generator: each column by a forest of trees, given the columns before it."""

    kind: Literal["forest"] = Field(default="forest", description="The kind of generator.")
    privacy: Literal["low", "balanced", "high"] = Field(
        default="balanced",
        description="How far rows keep from the training rows: high farther, at the price of accuracy; low nearer, "
        "which makes small tables more useful. It sets min_leaf, min_gain and honest where these are not given.",
    )
    trees: Positive = Field(default=5, description="Trees for each column; a cell is drawn by one of them at random.")
    min_leaf: Positive | None = Field(
        default=None, description="Judging rows in a leaf, at least, and of those that the tree is grown on as many."
    )
    min_gain: AtLeast0 | None = Field(
        default=None,
        description="What a split must gain on rows that the tree was not grown on, in nats of their log-likelihood; "
        "a larger price leaves fewer splits.",
    )
    honest: bool | None = Field(
        default=None, description="Whether cells are drawn only from rows that a tree was not grown on."
    )
    order: list[str] = Field(
        default_factory=list,
        description="Columns to draw first, in this order; conditions on the first ones are exact. The others follow "
        "by rising number of values.",
    )
    max_rows: Annotated[int, Field(ge=100), expected("a whole number of at least 100")] = Field(
        default=50_000, description="Rows that a tree is grown and judged on, at most; all rows fill the leaves."
    )

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        for place, name in enumerate(self.order):
            if name in self.order[:place]:
                raise refusal(f"order: {name!r} is named twice")
        return self


#: The least ``min_leaf`` that a preset comes to: as many rows as the protection usually wants behind a category.
_LEAST_LEAF = 5


class ForestPreset(NamedTuple):
    """What a ``privacy`` of a forest stands for."""

    leaves: float
    min_gain: float
    honest: bool

    def leaf(self, rows: int) -> int:
        """Return ``min_leaf`` for ``rows`` rows: ``leaves`` times 20, or what many or few rows put in the place of 20.

        Leaves must hold more rows the more there are, but ever smaller a share of them, for their laws to come close:
        a quarter of their square root, if more. Of few rows it is a sixteenth: the half of them that judges a tree can
        then fill eight leaves, where two of 20 would leave no split to a table of 79 rows. No leaf need be smaller than
        the least category, however.
        """
        usual = max(min(20.0, rows / 16), math.sqrt(rows) / 4)
        return max(_LEAST_LEAF, round(self.leaves * usual))


FOREST_PRESETS = {
    "low": ForestPreset(0.5, 0.0, False),
    "balanced": ForestPreset(1.0, 1.0, False),
    "high": ForestPreset(2.0, 4.0, True),
}


class Bootstrap(Section):
    """Training rows drawn with replacement: a baseline that is as useful as real data, and as private."""

    kind: Literal["bootstrap"] = Field(default="bootstrap", description="The kind of generator.")


class Independent(Section):
    """Every column drawn by itself from the training cells: a baseline that keeps no dependence."""

    kind: Literal["independent"] = Field(default="independent", description="The kind of generator.")


#: The kinds that can be candidates of ``auto``: what a release may be drawn from.
CANDIDATES: dict[str, type[Section]] = {
    "gaussian_copula": GaussianCopula,
    "ctgan": CTGAN,
    "tvae": TVAE,
    "copula_gan": CopulaGAN,
    "forest": Forest,
}
#: What a candidate's name alone stands for, beside its kind's defaults.
_NAME_ALONE: dict[str, dict[str, Any]] = {"gaussian_copula": {"marginals": "empirical"}}


def _spelled_out(value: Any) -> Any:
    """Return the parameters that a candidate's name alone stands for; refuse what is for no release."""
    kind = value.get("kind") if isinstance(value, dict) else value
    if not isinstance(kind, str):
        if isinstance(value, dict | Section):
            return value
        raise expectation("a kind of generator, or keys with values, kind among them")
    if kind == "auto":
        raise refusal("auto is no candidate of itself: name the kinds that it chooses from")
    if kind in ("bootstrap", "independent"):
        raise refusal(f"{kind} is a baseline and not for release, so that it is no candidate")
    if isinstance(value, str):
        if kind not in CANDIDATES:
            raise expectation(one_of(kind, CANDIDATES))
        return {"kind": kind, **_NAME_ALONE.get(kind, {})}
    return value


Candidate = Annotated[GaussianCopula | CTGAN | TVAE | CopulaGAN | Forest, by_kind(CANDIDATES, spelled_out=_spelled_out)]


class Auto(Section):
    """No generator of its own: several kinds are tried on a part of the training rows, and the best one is fitted."""

    kind: Literal["auto"] = Field(default="auto", description="The kind of generator.")
    candidates: Annotated[list[Candidate], Field(min_length=1)] = Field(
        default_factory=lambda: list[Candidate]((GaussianCopula(marginals="empirical"), Forest(kind="forest"))),
        description="What is tried, in this order: the name of a kind, or a mapping of `kind` and that kind's "
        "parameters. A name alone means the kind's defaults, but gaussian_copula means `marginals: empirical`.",
    )
    max_minutes: Above0 = Field(
        default=10.0,
        description="Minutes after which no more is tried and a fit under way is given up; the last fit, of the "
        "chosen kind on all training rows, comes on top.",
    )

    @model_validator(mode="after")
    def _candidates_differ(self) -> Self:
        for place, candidate in enumerate(self.candidates):
            if candidate in self.candidates[:place]:
                raise refusal(f"candidates: {candidate.kind} is named twice with the same parameters")
        return self


#: Every kind of generator and the model of its parameters.
KINDS: dict[str, type[Section]] = {
    "gaussian_copula": GaussianCopula,
    "ctgan": CTGAN,
    "tvae": TVAE,
    "copula_gan": CopulaGAN,
    "forest": Forest,
    "auto": Auto,
    "bootstrap": Bootstrap,
    "independent": Independent,
}
#: Any generator's parameters: the union of the models in ``KINDS``.
Synthesizer = GaussianCopula | CTGAN | TVAE | CopulaGAN | Forest | Auto | Bootstrap | Independent
DEFAULT_KIND = "gaussian_copula"
#: Every kind but ``auto``, which chooses among others and so is none to draw given cells from.
FITTED_KINDS = {name: model for name, model in KINDS.items() if model is not Auto}
Fitted = GaussianCopula | CTGAN | TVAE | CopulaGAN | Forest | Bootstrap | Independent
