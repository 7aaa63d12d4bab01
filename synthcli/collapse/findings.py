"""Findings: what all chains of all arms show, as plain data for a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, isfinite
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.collapse import mechanisms, minimum
from synthcli.collapse.chains import Trajectory
from synthcli.collapse.measures import BY_NAME, PRIMARY, Measure
from synthcli.collapse.regimes import CONTROL, Arm, recycled_from
from synthcli.collapse.ruler import TABLE, Ruler
from synthcli.collapse.verdicts import Judged, Mean, Settles, Verdict, changes, judge, overall
from synthcli.metrics.estimate import LEVEL
from synthcli.seeds import generator

Floats = NDArray[np.float64]
#: Generations of ``replace`` from which the growth of an error is read.
_EARLY = 4
_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Chains:
    """The trajectories of all arms, by chain, with the ruler that measured them and the margins in force."""

    ruler: Ruler
    runs: Mapping[Arm, Sequence[Trajectory]]
    margins: Mapping[str, float]

    def values(self, arm: Arm, metric: str, column: str = TABLE) -> Floats:
        """Return one value a chain and generation, of shape (chains, generations + 1)."""
        place = self.ruler.names.index((metric, column))
        return np.stack([run.values[:, place] for run in self.runs[arm]])

    def margin(self, metric: str) -> float:
        """Return the change of a metric that is tolerated."""
        return self.margins.get(metric, BY_NAME[metric].margin)

    @property
    def control(self) -> Arm:
        """The arm whose generations learn real rows alone."""
        return self.arm(CONTROL)

    def arm(self, regime: str) -> Arm:
        """Return the first arm of a regime; ``StopIteration`` where there is none."""
        return next(arm for arm in self.runs if arm.regime == regime)

    def judged(self, arm: Arm) -> Mapping[str, Judged]:
        """Return the judgement on every metric of an arm, in the metrics' order; each arm is judged once."""
        if arm not in self._judged:
            self._judged[arm] = self._judge(arm)
        return self._judged[arm]

    @cached_property
    def _judged(self) -> dict[Arm, Mapping[str, Judged]]:
        return {}

    def _judge(self, arm: Arm) -> Mapping[str, Judged]:
        return {
            name: judge(
                name,
                BY_NAME[name].direction,
                self.margin(name),
                self.values(arm, name),
                None if arm.regime == CONTROL else self.values(self.control, name),
                self.ruler.least_se(name, self.margin(name), len(self.runs[arm])),
            )
            for name in self.ruler.measurable
        }

    def verdict(self, arm: Arm) -> tuple[Verdict, Settles | None]:
        """Return the verdict on an arm and what would settle it.

        A chain that broke has nothing measured after it: an arm most of whose chains did is collapsing, whatever was
        measured before, and one with any is not stable.
        """
        found, settles = overall(self.judged(arm), PRIMARY)
        broken = self.broken(arm)
        if 2 * broken > len(self.runs[arm]):
            return "collapsing", None
        return ("inconclusive", Settles(None, None)) if broken and found == "stable" else (found, settles)

    def broken(self, arm: Arm) -> int:
        """Return in how many chains a generator could no longer be fitted."""
        return sum(run.broken > 0 for run in self.runs[arm])


# --- arms --------------------------------------------------------------------------------------------------------


def arm_findings(chains: Chains, arm: Arm, reservoir: int) -> dict[str, Any]:
    """Return one arm's verdict, metrics and trajectories."""
    judged = chains.judged(arm)
    verdict, settles = chains.verdict(arm)
    return {
        "name": arm.name,
        "regime": arm.regime,
        "fresh_share": arm.fresh_share,
        "fresh_rows": arm.drawn or None,
        "generations": arm.generations,
        "chains": len(chains.runs[arm]),
        "asked": arm.asked,
        "verdict": verdict,
        "recycled_from": recycled_from(arm, reservoir),
        "broken": chains.broken(arm),
        "settles": None if settles is None else settles._asdict(),
        "metrics": [_judged(one) for one in judged.values()],
        "trajectory": {name: _band(chains.values(arm, name)) for name in judged},
    }


def metric_findings(chains: Chains, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return what each metric is, what n real rows score in it, or why it was not measured."""
    return [_metric(chains, BY_NAME[name]) for name in metrics]


def _metric(chains: Chains, measure: Measure) -> dict[str, Any]:
    reason = chains.ruler.reason(measure.name)
    real = None if reason is not None else chains.values(chains.control, measure.name)[:, 0].mean()
    return {
        "name": measure.name,
        "title": measure.title,
        "label": measure.label,
        "primary": measure.name in PRIMARY,
        "direction": measure.direction,
        "margin": _number(chains.margin(measure.name)),
        "unit": measure.unit,
        "every": measure.every,
        "detail": measure.detail,
        "real": _number(real),
        "status": "measured" if reason is None else "not_measured",
        "reason": reason or "",
    }


def _judged(one: Judged) -> dict[str, Any]:
    return {
        "name": one.metric,
        "verdict": one.verdict,
        "change": _number(one.change.value),
        "low": _number(one.change.bound(0.05)),
        "high": _number(one.change.bound(0.95)),
        "margin": _number(one.margin),
        "p_value": _number(one.p_collapse),
        "slope": _number(one.slope.value),
        "slope_low": _number(one.slope.bound(0.05)),
        "slope_high": _number(one.slope.bound(0.95)),
        "first": _number(one.first),
        "late": _number(one.late),
    }


def _band(values: Floats) -> dict[str, list[Any]]:
    """Return the mean over chains with its 90 % interval, at the generations that were measured."""
    measured = np.flatnonzero(np.isfinite(values).any(axis=0))
    means = [Mean.of(values[:, generation]) for generation in measured]
    return {
        "generation": measured.tolist(),
        "mean": [_number(mean.value) for mean in means],
        "low": [_number(mean.bound(0.05)) for mean in means],
        "high": [_number(mean.bound(0.95)) for mean in means],
    }


# --- mechanisms --------------------------------------------------------------------------------------------------


def mechanism_findings(chains: Chains) -> dict[str, Any] | None:
    """Return bias and drift of the generator, read from the variances of ``replace``; ``None`` where there are none."""
    logs = _logs(chains)
    if logs is None:
        return None
    bias, chance = mechanisms.contraction(logs), mechanisms.drift(logs)
    if bias is None or chance is None:
        return None
    return {
        "measured_on": "variance",
        "bias": {
            "contraction": _number(bias.contraction),
            "low": _number(bias.low),
            "high": _number(bias.high),
            "half_life": _number(bias.half_life),
        },
        "drift": {name: _number(value) for name, value in chance._asdict().items()},
    }


def _logs(chains: Chains) -> Floats | None:
    """Return the logarithms of numbers' variances in ``replace``, of shape (chains, generations, columns)."""
    columns = [column for name, column in chains.ruler.names if name == "log_variance_ratio" and column != TABLE]
    if not columns or not any(arm.regime == "replace" for arm in chains.runs):
        return None
    arm = chains.arm("replace")
    return np.stack([chains.values(arm, "log_variance_ratio", column)[:, 1:] for column in columns], axis=-1)


# --- the least fresh data ----------------------------------------------------------------------------------------


def predictions(chains: Chains) -> dict[str, float]:
    """Return for each metric the share of fresh rows that the closed forms ask for."""
    return {name: _predicted(chains, name) for name in chains.ruler.measurable}


def predicted_share(chains: Chains) -> float:
    """Return the greatest prediction of the metrics that count."""
    return _greatest(predictions(chains))


def _greatest(found: Mapping[str, float]) -> float:
    return max([found[name] for name in PRIMARY if name in found] or [*found.values(), 0.0])


def _predicted(chains: Chains, metric: str) -> float:
    arm, ruler, margin = chains.arm("replace"), chains.ruler, chains.margin(metric)
    values = chains.values(arm, metric)
    first_few = range(2, min(_EARLY, arm.generations) + 1)
    early = [generation for generation in first_few if np.isfinite(values[:, generation]).all()]
    if not early:
        return 0.0
    step = float((values[:, early[-1]] - values[:, 1]).mean()) / (early[-1] - 1)
    share = minimum.against_steps(_sign(metric, step) * step, margin)
    logs = _logs(chains)
    if metric == "log_variance_ratio" and logs is not None:
        bias, loss = mechanisms.contraction(logs), 1 - exp(-margin)
        by_chance = (1 - loss) / (2 * loss) / arm.rows
        return max(by_chance, minimum.against_bias(bias.contraction, loss)) if bias and bias.contraction < 1 else share
    if metric == "rare_category_survival":
        return max(share, minimum.against_extinction(ruler.rare_shares, arm.rows, margin, arm.generations))
    return share


def _sign(metric: str, change: float) -> float:
    """Return the sign that makes a change of the metric harm; where either way is harm, that of ``change``."""
    direction = BY_NAME[metric].direction
    if direction == "target":
        return -1.0 if change < 0 else 1.0
    return 1.0 if direction == "lower" else -1.0


def minimum_findings(chains: Chains) -> dict[str, Any] | None:
    """Return the least fresh data, from all arms of the regime ``fresh``; ``None`` where there is none."""
    arms = sorted((arm for arm in chains.runs if arm.regime == "fresh"), key=lambda arm: arm.real_rows)
    if not arms:
        return None
    shares = np.array([arm.real_rows / arm.rows for arm in arms])
    number = len(chains.runs[arms[0]])
    picks = generator(chains.ruler.seed, "collapse", "resample").integers(0, number, (minimum.RESAMPLES, number))
    curves = {name: _curve(chains, arms, shares, name, picks) for name in chains.ruler.measurable}
    verdicts = {float(share): chains.verdict(arm)[0] for share, arm in zip(shares, arms, strict=True)}
    least = minimum.least(curves, PRIMARY, verdicts)
    replaced = [arm for arm in chains.runs if arm.regime == "replace"]
    without = bool(replaced) and chains.verdict(replaced[0])[0] == "stable"
    predicted = predictions(chains) if replaced else {}
    share = 0.0 if without else least.share
    rows = arms[0].rows
    return {
        "found": share is not None,
        "share": _number(share),
        "low": _number(0.0 if without else least.low),
        "high": _number(0.0 if without else least.high),
        "share_safe": _number(0.0 if without else least.safe),
        "rows_per_generation": None if share is None else _rows(share, rows),
        "rows_safe": 0 if without else None if least.safe is None else _rows(least.safe, rows),
        "limited_by": None if without else least.limited_by,
        "predicted": _number(_greatest(predicted)) if replaced else None,
        "at_most": without or least.at_most,
        "grid": [
            {
                "share": _number(share),
                "rows": arm.real_rows,
                "generations": arm.generations,
                "verdict": verdicts[float(share)],
            }
            for share, arm in zip(shares, arms, strict=True)
        ],
        "metrics": [_curve_findings(curve, predicted.get(name)) for name, curve in curves.items()],
    }


def _rows(share: float, rows: int) -> int:
    return int(np.ceil(share * rows - 1e-9))


def _curve(chains: Chains, arms: Sequence[Arm], shares: Floats, metric: str, picks: NDArray[np.intp]) -> minimum.Curve:
    """Return the curve of one metric; where either way is harm, of the way that needs more fresh rows.

    A chain that broke has lost twice the margin, whatever was measured before.
    """
    control, margin = chains.values(chains.control, metric), chains.margin(metric)
    found = np.stack([changes(chains.values(arm, metric), control) for arm in arms], axis=1)
    broken = np.array([[run.broken > 0 for run in chains.runs[arm]] for arm in arms]).T
    signs = (1.0, -1.0) if BY_NAME[metric].direction == "target" else (_sign(metric, 0.0),)
    curves = [
        minimum.fit_curve(metric, margin, shares, np.where(broken, 2 * margin, found * sign), picks) for sign in signs
    ]
    return max(curves, key=lambda curve: (minimum.ranked(curve.crossing), curve.losses.mean()))


def _curve_findings(curve: minimum.Curve, predicted: float | None) -> dict[str, Any]:
    means = [Mean.of(column) for column in curve.losses.T]
    tail = (1 - LEVEL) / 2
    return {
        "name": curve.metric,
        "found": curve.crossing.share is not None,
        "share": _number(curve.crossing.share),
        "low": _number(curve.low),
        "high": _number(curve.high),
        "at_most": curve.crossing.at_most,
        "margin": _number(curve.margin),
        "predicted": _number(predicted),
        "shares": [_number(share) for share in curve.shares],
        "losses": [_number(mean.value) for mean in means],
        "loss_low": [_number(mean.bound(tail)) for mean in means],
        "loss_high": [_number(mean.bound(1 - tail)) for mean in means],
        "fitted": [_number(value) for value in curve.fitted],
    }


# --- pictures and the table of trajectories ----------------------------------------------------------------------


def pictures(chains: Chains) -> dict[str, Any]:
    """Return the survival of categories and the outlines of columns, means over chains, of the arms asked for."""
    ruler = chains.ruler
    arms = [arm for arm in chains.runs if arm.asked]
    shown = {arm.name: np.mean([run.shown for run in chains.runs[arm]], axis=0) for arm in arms}
    outlines = {arm.name: np.mean([run.densities for run in chains.runs[arm]], axis=0) for arm in arms}
    return {
        "categories": [
            {
                "column": one.column,
                "category": one.text,
                "share": _number(one.share),
                "shown": {name: _numbers(found[:, place]) for name, found in shown.items()},
            }
            for place, one in enumerate(ruler.tracked)
        ],
        "densities": [
            {
                "column": name,
                "edges": _numbers(edges),
                "labels": _labels(ruler, name, edges),
                "shares": {arm: [_numbers(row) for row in found[:, place]] for arm, found in outlines.items()},
            }
            for place, (name, edges) in enumerate(ruler.outlined.items())
        ],
    }


def _labels(ruler: Ruler, name: str, edges: Floats) -> list[str]:
    """Return the edges as text; of instants, as dates."""
    dtype = ruler.train.schema[name]
    if dtype.is_temporal():
        moments = pl.Series(edges.round().astype(np.int64)).cast(pl.Datetime("us"))
        return moments.dt.strftime("%Y-%m-%d").to_list()
    return [f"{edge:,.4g}" for edge in edges]


def trajectories(chains: Chains) -> pl.DataFrame:
    """Return every value that was measured, in long form; the table's own stand under no column."""
    return pl.concat([frame for arm in chains.runs for frame in _frames(chains, arm)])


def _frames(chains: Chains, arm: Arm) -> Iterator[pl.DataFrame]:
    metrics = pl.Series([metric for metric, _ in chains.ruler.names], dtype=pl.String)
    columns = pl.Series([column or None for _, column in chains.ruler.names], dtype=pl.String)
    for chain, run in enumerate(chains.runs[arm], start=1):
        generation, place = np.nonzero(np.isfinite(run.values))
        yield pl.DataFrame(
            {
                "regime": pl.repeat(arm.regime, len(place), dtype=pl.String, eager=True),
                "fresh_share": pl.repeat(arm.fresh_share, len(place), dtype=pl.Float64, eager=True),
                "chain": pl.repeat(chain, len(place), dtype=pl.Int32, eager=True),
                "generation": pl.Series(generation, dtype=pl.Int32),
                "metric": metrics[place],
                "column": columns[place],
                "value": run.values[generation, place],
            }
        )


def _numbers(values: Floats) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]


def _number(value: float | None) -> float | None:
    """Return a number for JSON, which knows no infinity."""
    return None if value is None or not isfinite(value) else float(value)
