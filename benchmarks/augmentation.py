"""What augmentation brings, beside what others bring, and what it costs; writes a page of docs.

The lift reports of three tables, a minority cut down to one row in a hundred, hidden cells, and a million rows. Seeds
0 to 9 are those of the page; what has defaults was chosen on others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from benchmarks.audit import best
from benchmarks.forest import TABLES, load
from benchmarks.tables import wide_table
from synthcli.augmentation import arms, masking
from synthcli.augmentation.baselines import FILLERS
from synthcli.augmentation.classes import Axis
from synthcli.augmentation.impute import Impute
from synthcli.augmentation.lift import EFFORTS, OWN, REAL, Arm, Lift, Point, Task, Terms, measure_lift
from synthcli.augmentation.rebalance import Rebalance
from synthcli.augmentation.recipe import Recipe
from synthcli.augmentation.upsample import Upsample
from synthcli.config.models import ProtectionSection
from synthcli.metrics.boosting import side_by_side
from synthcli.metrics.estimate import LEVEL, student_quantile
from synthcli.schema import Schema
from synthcli.seeds import generator

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "augment-measured.md"
RECIPE = Recipe("forest", {}, ProtectionSection())
#: The rarer class of each table's target.
MINORITY: dict[str, Any] = {"census": ">50K", "bank_marketing": "yes", "flights": True}
SEEDS = range(10)
#: The arm that others are compared with where the rarer class is cut down.
_SMOTE = "SMOTE-NC to 1/2"
#: Ways to fill holes that are quick enough for all rows.
_QUICK = {key: FILLERS[key] for key in ("mean or mode", "IterativeImputer", "any known cell")}

_HEAD = """# What augmentation brings

Written by `python -m benchmarks augmentation` (about 40 minutes on 2 cores). How it is measured, and what the words
mean: [augment.md](augment.md). Tables: UCI Adult (`census`, target income), Bank Marketing (target y, without the
duration of the call, which gives it away), and the flights of `sample_data` (target late). A fifth of the rows are the
holdout.
"""


class Sides(NamedTuple):
    """A real table's two sides."""

    train: pl.DataFrame
    holdout: pl.DataFrame
    schema: Schema
    terms: Terms


def sides(name: str) -> Sides:
    """Return training part (four fifths) and holdout, a fixed division at random."""
    table, schema = load(name)
    order = np.random.default_rng(2026).permutation(table.height)
    cut = table.height * 4 // 5
    about = TABLES[name]
    return Sides(table[order[:cut]], table[order[cut:]], schema, Terms(about.target, tuple(about.exclude), 0.5, 0))


def augmentation(folder: Path) -> None:
    """Measure, print, and write the page."""
    lines = [_HEAD]
    for part in (lifts(), minority(), holes(), speed(folder)):
        for line in part:
            print(line, flush=True)
            lines.append(line)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- Lift reports ------------------------------------------------------------------------------------------------


def _wish(name: str, target: str, share: str) -> Rebalance:
    asked = pl.DataFrame({target: [MINORITY[name]]})
    return Rebalance((Axis(target),), asked, (Fraction(share),))


def lifts() -> Iterator[str]:
    """Yield the lift reports in full effort: the rarer class raised to one half, and twice as many rows."""
    yield "\n## The lift reports\n"
    yield (
        "`lift: full`: 10 repetitions, 5 sizes, all training rows. Rebalanced to one half of each class. The first "
        "four figures are of the largest size; then the gain in PR AUC over the rows as they are by number of training "
        "rows (of these themselves their PR AUC); * its 95 % interval leaves out 0.\n"
    )
    for name in TABLES:
        train, holdout, schema, terms = sides(name)
        wish = _wish(name, terms.target, "1/2")
        own = arms.augmented(wish, RECIPE, schema, train.height)
        found = measure_lift(
            train, holdout, schema, arms.rebalancing(wish, own), terms, EFFORTS["full"], lambda share, note: None
        )
        yield from _lift_table(f"{name}: rebalanced", found)
        more = Upsample(rows=2 * train.height)
        own = arms.augmented(more, RECIPE, schema, train.height)
        found = measure_lift(
            train, holdout, schema, arms.upsampling(more, own, train.height), terms, EFFORTS["full"], lambda s, n: None
        )
        yield from _lift_table(f"{name}: upsampled to twice the rows", found)


def _lift_table(title: str, found: Lift) -> Iterator[str]:
    sizes = sorted({point.rows for point in found.points})
    yield f"\n### {title}: {found.verdict}\n"
    yield "| arm | PR AUC | ROC AUC | recall | Brier | " + " | ".join(f"gain, {rows:,}" for rows in sizes) + " |"
    yield "|---" * (5 + len(sizes)) + "|"
    for arm in dict.fromkeys(point.arm for point in found.points):
        own = [point for point in found.points if point.arm == arm]
        last = {estimate.name: estimate.value for estimate in own[-1].scores}
        figures = [_figure(last.get(f"lift.{key}")) for key in ("pr_auc", "roc_auc", "recall", "brier")]
        yield f"| {_called(arm)} | {' | '.join(figures)} | {' | '.join(map(_gained, own))} |"


def _gained(point: Point) -> str:
    if point.arm == REAL:
        return _figure(point.scores[1].value)
    gain = next(estimate for estimate in point.gains if estimate.name == "lift.pr_auc")
    if gain.value is None or gain.low is None or gain.high is None:
        return "–"
    return f"{gain.value:+.3f}" + ("*" if gain.low > 0 or gain.high < 0 else "")


def _called(arm: str) -> str:
    return {REAL: "rows as they are", OWN: "**forest**"}.get(arm, arm)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


# --- One row in a hundred ----------------------------------------------------------------------------------------


def minority() -> Iterator[str]:
    """Yield what a model gains where the rarer class is cut down to 1 % (and 5 %) of the training part."""
    yield "\n## A minority of one row in a hundred\n"
    yield (
        "The rarer class of the training part is cut down at random, another cut for each of 10 seeds; holdout rows "
        "are weighted so that it makes as much of them. PR AUC: median over seeds; differences: mean over seeds with "
        "its 95 % interval, over the rows as they are and over SMOTE-NC at one half.\n"
    )
    for name, part in (("census", "1/100"), ("census", "1/20"), ("bank_marketing", "1/100")):
        found = [_cut_down(name, Fraction(part), seed) for seed in SEEDS]
        yield f"\n### {name}, {float(Fraction(part)):.0%}\n"
        yield "| arm | PR AUC | over the rows as they are | over SMOTE-NC | better than SMOTE-NC in |"
        yield "|---|---|---|---|---|"
        smote = np.array([scores[_SMOTE] for scores in found])
        real = np.array([scores[REAL] for scores in found])
        for arm in found[0]:
            own = np.array([scores[arm] for scores in found])
            over_real = "" if arm == REAL else _mean(own - real)
            over_smote = "" if arm == _SMOTE else _mean(own - smote)
            wins = f"{int((own > smote).sum())} of {len(own)}"
            called = f"**{arm}**" if arm.startswith("forest") else _called(arm)
            yield f"| {called} | {np.median(own):.3f} | {over_real} | {over_smote} | {wins} |"


def _mean(differences: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    half = student_quantile(0.5 + LEVEL / 2, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{differences.mean():+.3f} ± {half:.3f}"


def _cut_down(name: str, part: Fraction, seed: int) -> dict[str, float]:
    """Return each arm's PR AUC for one cut."""
    train, holdout, schema, terms = sides(name)
    rare = train[terms.target] == MINORITY[name]
    own, rest = np.flatnonzero(rare.to_numpy()), np.flatnonzero(~rare.to_numpy())
    kept = generator(seed, "cut").permutation(own)[: round(len(rest) * part / (1 - part))]
    cut = train[np.sort(np.concatenate([kept, rest]))]
    task = Task.of(cut, holdout, schema, terms._replace(seed=seed))
    assert isinstance(task, Task)
    positive = task.truth == task.rarest
    weights = np.where(positive, float(part) / positive.sum(), (1 - float(part)) / (~positive).sum())
    task = replace(task, weights=weights[None, :])
    plans: dict[str, Arm] = {}
    for share in ("1/2", "1/5"):
        wish = _wish(name, terms.target, share)
        ways = arms.rebalancing(wish, arms.augmented(wish, RECIPE, schema, cut.height))
        plans |= {REAL: ways[REAL]} if share == "1/2" else {}
        plans |= {f"{arm} to {share}": way for arm, way in ways.items() if arm not in (REAL, OWN)}
        plans[f"forest to {share}"] = ways[OWN]

    def score(arm: Arm) -> float:
        return float(task.scores(arm(cut, task.encoding, seed), task.prior(cut), seed)["lift.pr_auc"][0])

    return dict(zip(plans, side_by_side(score, list(plans.values())), strict=True))


# --- Holes -------------------------------------------------------------------------------------------------------


def holes() -> Iterator[str]:
    """Yield how well hidden cells are filled."""
    yield "\n## Hidden cells\n"
    yield (
        "A fifth of the known cells is hidden; 3 repetitions, each with other rows and holes. `right`: categories that "
        "are hit; `error`: of numbers, in standard deviations; `TVD`: distance of what was filled in from the true "
        "cells' distribution, mean over columns (perfect: what a second sample of the true law scores); `pairs`: the "
        "same for two columns; `dependence`: difference in Cramér's V, mean over pairs.\n"
    )
    for name, rows, fillers in (("census", 40_000, _QUICK), ("census", 4_000, FILLERS)):
        train, _, schema, _ = sides(name)
        wish = Impute(schema.names)
        found = masking.measure_masking(
            train, schema, wish, RECIPE, 0, masking.Effort(3, rows), lambda share, note: None, fillers
        )
        for pattern in found["patterns"]:
            yield f"\n### {name}, {min(rows, train.height):,} rows, {pattern['title']}\n"
            yield from _hidden_table(pattern["methods"])


def _hidden_table(methods: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| method | right | error | TVD | pairs | dependence |"
    yield "|---|---|---|---|---|---|"
    for row in methods:
        figures = [row[key] for key in ("right", "error", "tvd", "pairs", "dependence")]
        told = ["–" if figure is None else f"{figure['value']:.3f}" for figure in figures]
        reference = row["tvd"] and row["tvd"]["reference"]
        if row["method"] == OWN and reference is not None:
            told[2] += f" (perfect {reference:.3f})"
        yield f"| {_called(row['method'])} | {' | '.join(told)} |"


# --- A million rows ----------------------------------------------------------------------------------------------


def speed(folder: Path) -> Iterator[str]:
    """Yield seconds and memory for a million rows of 15 columns, whole processes."""
    path = folder / "million.parquet"
    if not path.exists():
        table = pl.read_parquet(wide_table(folder / "wide.parquet", 1_000_000, 1))
        random = np.random.default_rng(0)
        rare = pl.Series(random.random(table.height) < 0.05)
        table = table.with_columns(rare.alias("category_0"))
        holed = [
            pl.when(pl.Series(random.random(table.height) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
            for name in table.columns
        ]
        table.write_parquet(path)
        table.with_columns(holed).write_parquet(folder / "holed.parquet")
    yield "\n## A million rows of 15 columns\n"
    yield "Whole processes on 2 cores, without the lift report.\n"
    yield "| what | seconds | MB at most |"
    yield "|---|---|---|"
    command = [sys.executable, "-m", "synthcli", "augment", "--lift", "off", "-q"]
    cases = {
        "rebalanced: a class of 5 % raised to one half (900,000 rows drawn)": [
            "--mode", "rebalance", "--column", "category_0", "--share", "true=0.5", "--train", str(path),
        ],
        "imputed: 10 % of all cells": ["--mode", "impute", "--train", str(folder / "holed.parquet")],
        "upsampled to 2 million rows": ["--mode", "upsample", "--train", str(path)],
    }  # fmt: skip
    for number, (name, words) in enumerate(cases.items()):
        # One of the tables completes rows of the other: in one directory it would be recognised as our own.
        spent = best([*command, *words, "--out", str(folder / f"out{number}")], 1)
        yield f"| {name} | {spent.seconds:.0f} | {spent.megabytes:,.0f} |"
