"""A collapse report as the simulation writes it: a forest that loses rare categories, and variants of the document.

What an arm has lost after t generations is ``loss · (1 - keep ** (t - 1))`` and a little noise; changes are without
noise, so that the sentences that tell them can be written out by hand. It is no test itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import exp
from random import Random
from typing import Any, NamedTuple

from synthcli.reports.collapse import collapse_document

ROWS, GENERATIONS, CHAINS = 2000, 12, 10


class _Measure(NamedTuple):
    name: str
    title: str
    label: str
    primary: bool
    direction: str
    margin: float
    unit: str
    every: int
    start: float  # of real rows
    step: float  # of the first generator, whatever it learns from
    loss: float  # of replace, after many generations


MEASURES = (
    _Measure("tvd", "Distance of columns", "drift", True, "lower", 0.05, "TVD", 1, 0.012, 0.02, 0.18),
    _Measure(
        "rare_category_survival", "Rare categories", "diversity", True, "higher", 0.1, "share of categories", 1,
        0.97, -0.05, -0.42,
    ),
    _Measure("dependence", "Dependence of pairs", "drift", True, "lower", 0.02, "Cramér's V", 1, 0.01, 0.008, 0.07),
    _Measure("entropy", "Entropy", "diversity", False, "target", 0.1, "share of the entropy", 1, 1.0, -0.01, -0.3),
    _Measure("log_variance_ratio", "Variance", "diversity", False, "target", 0.10536, "log ratio", 1, 0.0, 0.01, -0.25),
    _Measure("recall", "Recall", "diversity", False, "higher", 0.1, "share of rows", 1, 0.88, -0.06, -0.5),
    _Measure("precision", "Precision", "drift", False, "target", 0.1, "share of rows", 1, 0.88, -0.03, 0.09),
    _Measure("c2st_auc", "Told apart", "drift", False, "lower", 0.02, "ROC AUC", 3, 0.5, 0.06, 0.3),
)  # fmt: skip
#: Arms: name, regime, fresh share, what part of the whole loss it comes to, what it keeps of it a generation, verdict.
_ARMS: tuple[tuple[str, str, float | None, float, float, str], ...] = (
    ("control", "control", 1.0, 0.0, 0.5, "stable"),
    ("replace", "replace", 0.0, 1.0, 0.86, "collapsing"),
    ("augment", "augment", None, 0.45, 0.7, "degraded-plateau"),
    ("fresh 0.31", "fresh", 0.31, 0.14, 0.6, "stable"),
    ("accumulate", "accumulate", None, 0.2, 0.8, "stable"),
    ("accumulate-subsample", "accumulate-subsample", None, 0.3, 0.75, "inconclusive"),
)
#: The search: shares, and the part of the whole loss that is left with each.
GRID = {0.05: 0.85, 0.1: 0.62, 0.17: 0.35, 0.23: 0.24, 0.31: 0.14, 0.5: 0.06}


def metric(measure: _Measure) -> dict:
    """Return one entry of ``metrics``."""
    return {
        **{name: value for name, value in measure._asdict().items() if name not in ("start", "step", "loss")},
        "detail": f"{measure.title.lower()} of the output against the holdout, mean over columns",
        "real": measure.start,
        "status": "measured",
        "reason": "",
    }


def trajectory(measure: _Measure, part: float, keep: float, noise: Random) -> dict:
    """Return a metric's course in an arm; its interval is ± 3 % of the whole loss."""
    generations = [t for t in range(GENERATIONS + 1) if t <= 1 or t % measure.every == 0]
    mean = [measure.start if t == 0 else _expected(measure, part, keep, t) for t in generations]
    mean = [value + abs(measure.loss) * noise.gauss(0, 0.01) for value in mean]
    half = 0.03 * abs(measure.loss)
    low, high = [value - half for value in mean], [value + half for value in mean]
    return {"generation": generations, "mean": mean, "low": low, "high": high}


def _expected(measure: _Measure, part: float, keep: float, t: int) -> float:
    slower = keep**2 if measure.name == "precision" else keep
    return measure.start + measure.step + part * measure.loss * (1 - slower ** (t - 1))


def result(measure: _Measure, part: float, keep: float, verdict: str) -> dict:
    """Return what became of a metric in an arm; its interval is ± 5 % of the whole loss."""
    first, late = (_expected(measure, part, keep, t) for t in (1, GENERATIONS))
    change, half = late - first, 0.05 * abs(measure.loss)
    return {
        "name": measure.name,
        "verdict": verdict if abs(change) > measure.margin or verdict == "inconclusive" else "stable",
        "change": change,
        "low": change - half,
        "high": change + half,
        "margin": measure.margin,
        "p_value": 0.001 if verdict == "collapsing" else 0.6,
        "slope": change / 2,
        "slope_low": change / 2 - half,
        "slope_high": change / 2 + half,
        "first": first,
        "late": late,
    }


def arm(name: str, regime: str, share: float | None, part: float, keep: float, verdict: str, **changes: Any) -> dict:
    """Return one arm with a course and an outcome for each metric."""
    noise = Random(name)
    return {
        "name": name,
        "regime": regime,
        "fresh_share": share,
        "fresh_rows": round(ROWS * share) if share else None,
        "generations": GENERATIONS,
        "chains": CHAINS,
        "asked": True,
        "verdict": verdict,
        "recycled_from": None,
        "broken": 0,
        "settles": {"chains": 24, "generations": None} if verdict == "inconclusive" else None,
        "metrics": [result(measure, part, keep, verdict) for measure in MEASURES],
        "trajectory": {measure.name: trajectory(measure, part, keep, noise) for measure in MEASURES},
        **changes,
    }


def arms() -> list[dict]:
    """Return the control, the arms that were asked for, and those of the search."""
    found = [arm(*given) for given in _ARMS]
    for share, part in GRID.items():
        if share != 0.31:
            verdict = "collapsing" if part > 0.3 else "stable"
            again = 7 if share == 0.5 else None
            found.append(arm(f"fresh {share:g}", "fresh", share, part, 0.6, verdict, asked=False, recycled_from=again))
    return found


def minimum(**changes: Any) -> dict:
    """Return a search that found 23 %, limited by the rare categories."""
    places = {"tvd": 0.19, "rare_category_survival": 0.23, "dependence": 0.21, "recall": 0.25}
    metrics = []
    for measure in MEASURES:
        if (share := places.get(measure.name)) is None:
            continue
        losses = [abs(measure.loss) * part for part in GRID.values()]
        half = 0.08 * abs(measure.loss)
        metrics.append(
            {
                "name": measure.name,
                "found": True,
                "share": share,
                "low": 0.8 * share,
                "high": 1.3 * share,
                "at_most": False,
                "margin": measure.margin,
                "predicted": 0.9 * share,
                "shares": [*GRID],
                "losses": losses,
                "loss_low": [loss - half for loss in losses],
                "loss_high": [loss + half for loss in losses],
                "fitted": losses,
            }
        )
    verdicts = ["collapsing"] * 3 + ["inconclusive"] + ["stable"] * 2
    grid = [
        {"share": share, "rows": round(ROWS * share), "generations": round(3 / share), "verdict": verdict}
        for share, verdict in zip(GRID, verdicts, strict=True)
    ]
    return {
        "found": True,
        "share": 0.23,
        "low": 0.19,
        "high": 0.28,
        "share_safe": 0.31,
        "rows_per_generation": 460,
        "rows_safe": 620,
        "limited_by": "rare_category_survival",
        "predicted": 0.21,
        "at_most": False,
        "grid": grid,
        "metrics": metrics,
        **changes,
    }


def categories(count: int = 24) -> list[dict]:
    """Return categories, rarest first, that go the sooner the rarer they are."""
    found = []
    for place in range(count):
        share = 0.0008 * 1.2**place
        shown = {
            name: [round(1 - exp(-2 * ROWS * share / (1 + 6 * part * t)), 1) for t in range(GENERATIONS + 1)]
            for name, _, _, part, _, _ in _ARMS
        }
        found.append({"column": "dest", "category": f"CODE {place + 1}", "share": share, "shown": shown})
    return found


def densities() -> list[dict]:
    """Return a column of numbers, one of dates, and one that is mostly zero, all of them narrower by and by."""
    distances = [float(100 * k) for k in range(25)]
    days = [1.7e9 + 864000.0 * k for k in range(25)]
    dates = [f"{2024 + k // 36}-{1 + k // 3 % 12:02d}-{1 + 10 * (k % 3):02d}" for k in range(25)]
    return [
        _density("distance <miles>", distances, [f"{edge:g}" for edge in distances], 9.0, 0.0),
        _density("day", days, dates, 14.5, 0.0),
        _density("gain", distances, [f"{edge:g}" for edge in distances], 10.0, 0.9),
    ]


def _density(column: str, edges: list[float], labels: list[str], middle: float, zeros: float) -> dict:
    """Return a bell over the bins whose width shrinks by 8 % a generation, beside a share of ``zeros``."""
    generations = []
    for t in range(GENERATIONS + 1):
        heights = [exp(-(((k - middle) / (7 * 0.92**t)) ** 2)) for k in range(len(edges) + 1)]
        shares = [(1 - zeros) * height / sum(heights) for height in heights]
        shares[1] += zeros
        generations.append(shares)
    steady = [generations[0]] * (GENERATIONS + 1)
    return {"column": column, "edges": edges, "labels": labels, "shares": {"control": steady, "replace": generations}}


def mechanisms(**changes: Any) -> dict:
    """Return a bias of 3 % a generation, and drift."""
    bias = {"contraction": 0.97, "low": 0.961, "high": 0.979, "half_life": 22.8}
    drift = {"half_life": 1386.0, "low": 1200.0, "high": 1600.0}
    return {"measured_on": "variance", "bias": bias, "drift": drift, **changes}


def fields(**changes: Any) -> dict:
    """Return the fields of a document; ``changes`` replace some of them."""
    unmeasured = {"name": "tstr", "title": "Use", "primary": False, "real": None, "status": "not_measured"}
    failed = {"rule": "max_verdict", "threshold": "degraded-plateau", "value": "collapsing", "status": "fail"}
    passed = {"rule": "min_fresh_at_most", "threshold": 0.3, "value": 0.23, "status": "pass", "detail": ""}
    return {
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
        "seed": 7,
        "inputs": {
            "train": {"path": "data/train.parquet", "rows": 20000, "sha256": "ab" * 32},
            "holdout": {"path": "data/holdout.parquet", "rows": 5000, "sha256": "cd" * 32},
        },
        "generator": {"kind": "forest", "parameters": {"trees": 10}, "temperature": 1.0},
        "plan": {
            "rows": ROWS,
            "generations": GENERATIONS,
            "chains": CHAINS,
            "real_weight": 0.3,
            "training_rows": 20000,
            "reservoir": 18000,
        },
        "metrics": [*map(metric, MEASURES), {**metric(MEASURES[0]), **unmeasured, "reason": "no target is known"}],
        "arms": arms(),
        "mechanisms": mechanisms(),
        "minimum_fresh": minimum(),
        "pictures": {"categories": categories(), "densities": densities()},
        "gate": [{**failed, "detail": "replace: collapsing"}, passed],
        "trajectories": "collapse-sim/trajectories.parquet",
        "notes": ["each generation is protected as fit does it"],
        "config": {"run": {"seed": 7}, "collapse_sim": {"rows": ROWS}},
        "versions": {"synthcli": "1.0", "python": "3.11.7"},
        **changes,
    }


def document(**changes: Any) -> dict:
    """Return the whole document, some of its fields changed."""
    return collapse_document(**fields(**changes))


def judged(name: str, verdict: str, **changes: Any) -> dict:
    """Return an arm with another verdict, which it owes to the rare categories alone: -34 points."""
    given = next(own for own in arms() if own["name"] == name)
    rare = {"verdict": verdict, "change": -0.34}
    results = [
        {**own, **(rare if own["name"] == "rare_category_survival" else {"verdict": "stable"})}
        for own in given["metrics"]
    ]
    settles = {"chains": 24, "generations": None} if verdict == "inconclusive" else None
    return {**given, "asked": True, "verdict": verdict, "metrics": results, "settles": settles, **changes}


def with_arms(*asked: dict, **changes: Any) -> dict:
    """Return a document of the control and these arms, without a search, a gate or notes unless they are given."""
    return document(**{"arms": [arms()[0], *asked], "minimum_fresh": None, "gate": [], "notes": [], **changes})


def no_categories() -> dict:
    """Return a document of a table of numbers: no categories, no recall."""
    found = document(pictures={"categories": [], "densities": densities()})
    for own in found["arms"]:
        own["trajectory"].pop("recall")
    return found


def not_searched() -> dict:
    """Return a document without a fresh arm: nothing was searched for."""
    return with_arms(judged("replace", "collapsing"), judged("augment", "degraded-plateau"))


def inconclusive() -> dict:
    """Return a document in which nobody knows."""
    return with_arms(judged("replace", "inconclusive"))


_LOSSES = ("losses", "loss_low", "loss_high", "fitted")


def not_found() -> dict:
    """Return a document in which no share of the grid was enough."""
    lacking = {"found": False, "share": None, "low": None, "high": None}
    found = minimum(**lacking, share_safe=None, rows_per_generation=None, rows_safe=None, limited_by=None)
    found["metrics"] = [
        {**own, **lacking, **{key: [loss + own["margin"] for loss in own[key]] for key in _LOSSES}}
        for own in found["metrics"]
    ]
    found["grid"] = [{**point, "verdict": "collapsing"} for point in found["grid"]]
    return document(minimum_fresh=found)


def at_most(share: float = 0.05) -> dict:
    """Return a document in which the least share of the grid, or none at all, was enough."""
    rows = round(ROWS * share)
    return document(
        minimum_fresh=minimum(
            share=share, low=share, high=share, share_safe=share, rows_per_generation=rows, rows_safe=rows, at_most=True
        )
    )
