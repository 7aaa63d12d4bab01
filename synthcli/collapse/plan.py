"""The plan: which arms are run, for how long, what they cost, and whether they can decide anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np

from synthcli.collapse.measures import BY_NAME, PRIMARY
from synthcli.collapse.minimum import TO_REST, generations_to_rest, grid
from synthcli.collapse.regimes import CONTROL, Arm, Regime, rows_learned
from synthcli.collapse.ruler import TABLE, Ruler
from synthcli.config.models import CollapseSection
from synthcli.metrics.estimate import student_quantile
from synthcli.seeds import generator

#: Fewer generations than these show no slope, fewer chains no spread worth the name.
LEAST_GENERATIONS, LEAST_CHAINS = 4, 3
#: Samples of real rows by which the noise of a metric is judged beforehand.
_SAMPLES = 8
#: Where nothing was measured yet, the share of fresh rows that a search is taken to look around.
_ABOUT = 0.3
ROWS = 2_000


def rows_of(section: CollapseSection, training_rows: int) -> int:
    """Return n: what was asked for, or 2,000 or half of the training rows, so that as many are left to be fresh."""
    return section.rows or min(ROWS, training_rows // 2)


def first_arms(section: CollapseSection, rows: int) -> tuple[Arm, ...]:
    """Return the control and the arms that were asked for; ``replace`` too where a search has to be predicted."""
    times = section.generations
    arms = [Arm(CONTROL, rows, rows, times)]
    named: list[Regime] = ["fresh"] if section.fresh or section.fresh_rows else []
    for regime in dict.fromkeys([*section.regimes, *named]):
        if regime == "fresh":
            arms += [Arm("fresh", rows, max(1, round(share * rows)), times) for share in section.fresh]
            arms += [Arm("fresh", rows, min(count, rows), times, named_rows=True) for count in section.fresh_rows]
        else:
            real = min(max(1, round(section.real_weight * rows)), rows - 1) if regime == "augment" else 0
            arms.append(Arm(regime, rows, real, times))
    if searches(section) and "replace" not in section.regimes:
        arms.insert(1, Arm("replace", rows, 0, times, asked=False))
    return tuple(dict.fromkeys(arms))  # shares that come to the same number of rows are one


def searches(section: CollapseSection) -> bool:
    """Return whether shares of fresh rows are to be chosen and tried."""
    return "fresh" in section.regimes and not (section.fresh or section.fresh_rows)


def search_arms(section: CollapseSection, rows: int, predicted: float) -> tuple[Arm, ...]:
    """Return the arms of the search around a predicted share."""
    least, most = section.generations, max(section.generations, section.search_generations)
    return tuple(
        Arm("fresh", rows, round(share * rows), generations_to_rest(share, least, most), asked=False)
        for share in grid(predicted, most, rows)
    )


def planned_search(section: CollapseSection, rows: int) -> tuple[Arm, ...]:
    """Return the arms of a search whose prediction is not known yet."""
    return search_arms(section, rows, _ABOUT) if searches(section) else ()


class Cost(NamedTuple):
    """Seconds of one generation of n rows: for fitting, which goes by the rows learned, and for all else."""

    fitting: float
    other: float


def seconds(arms: Sequence[Arm], chains: int, cost: Cost, workers: int) -> float:
    """Return the seconds that all chains are predicted to take on ``workers`` processes."""
    each = [rows_learned(arm) / arm.rows * cost.fitting + arm.generations * cost.other for arm in arms]
    return max(chains * sum(each) / workers, *each)


def half_widths(ruler: Ruler, generations: int, chains: int) -> Mapping[str, float]:
    """Return for each primary metric how far the bounds would lie from a change, by the noise of real rows alone.

    A generator's own variation comes on top, so that what is too wide here is too wide.
    """
    names = [name for name in PRIMARY if name in ruler.measurable]
    random = generator(ruler.seed, "collapse", "noise")
    found = []
    for number in range(_SAMPLES):
        drawn = np.sort(random.permutation(ruler.train.height)[: ruler.rows])
        values = ruler.measure(ruler.train[drawn], names, f"noise/{number}").values
        found.append([values[ruler.names.index((name, TABLE))] for name in names])
    spread = np.std(found, axis=0, ddof=1) * sqrt(1 / ceil(generations / 4) + 1 / max(generations - 1, 1))
    wide = student_quantile(0.95, chains - 1) * spread / sqrt(chains)
    return dict(zip(names, wide.tolist(), strict=True))


def doubts(section: CollapseSection, widths: Mapping[str, float], rows: int) -> list[str]:
    """Return what speaks against a verdict from so few generations or chains, in sentences."""
    found = []
    if section.generations < LEAST_GENERATIONS:
        found.append(
            f"{section.generations} generations are too few to tell a collapse from a plateau: take at least "
            f"{LEAST_GENERATIONS}"
        )
    if section.chains < LEAST_CHAINS:
        found.append(f"{section.chains} chains are too few for a verdict: take at least {LEAST_CHAINS}")
    for name, wide in widths.items():
        margin = section.margins.get(name, BY_NAME[name].margin)
        if wide > margin:
            found.append(
                f"{section.chains} chains tell {BY_NAME[name].title.lower()} to ± {wide:.3f} at best, more than the "
                f"margin of {margin:g}: take more chains, or more rows a generation"
            )
    shares = [*section.fresh, *(count / rows for count in section.fresh_rows)]
    for share in shares:
        if TO_REST / share > section.generations:
            found.append(
                f"a fresh share of {share:g} needs about {ceil(TO_REST / share)} generations to come to rest, and gets "
                f"{section.generations}"
            )
    return found
