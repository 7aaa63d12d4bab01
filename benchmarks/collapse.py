"""Collapse, measured: how often the rule is wrong, how well the least share is found, and what two real tables show.

``python -m benchmarks collapse`` writes docs/collapse-measured.md; the commands run in processes of their own, as users
run them. Parts can be named: ``rule``, ``least``, ``tables``.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import yaml
from threadpoolctl import threadpool_limits

from benchmarks.forest import TABLES
from benchmarks.plain import registered
from synthcli.collapse import minimum
from synthcli.collapse.case import Case
from synthcli.collapse.chains import Trajectory, run_chain
from synthcli.collapse.findings import Chains, minimum_findings, predicted_share
from synthcli.collapse.measures import BY_NAME, PRIMARY
from synthcli.collapse.plan import first_arms, search_arms
from synthcli.collapse.regimes import Arm
from synthcli.collapse.ruler import TABLE
from synthcli.collapse.verdicts import judge, overall
from synthcli.config.models import CollapseSection, ProtectionSection
from synthcli.executors import each_done, executor
from synthcli.metrics.estimate import wilson_interval
from synthcli.parallel import kept_to, processors
from synthcli.reports.collapse_words import answer
from synthcli.schema import Column, Kind, Schema

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "collapse-measured.md"
NO_PROTECTION = ProtectionSection(rare_category_min_count=0, clip_extremes=0)

#: The rule's own trial: runs of so many chains, each of so many generations of so many rows.
RUNS, CHAINS, GENERATIONS, ROWS = 200, 10, 20, 2_000
#: The search's own trial: how many, of so many rows; a contraction, the loss that is tolerated, and how near the truth
#: an answer has to be.
SEARCHES, SEARCHED, BIAS, LOSS, NEAR = 50, 2_000, 0.95, 0.1, 0.05
KINDS = ("forest", "gaussian_copula")
REGIMES = ("replace", "augment", "accumulate", "accumulate-subsample", "fresh")


# --- the rule ----------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """How often runs of one kind ended in each verdict."""

    name: str
    counts: Mapping[str, int]

    def row(self, wanted: str) -> str:
        total = sum(self.counts.values())
        low, high = wilson_interval(self.counts.get(wanted, 0), total)
        parts = [f"{self.counts.get(word, 0)}" for word in ("stable", "degraded-plateau", "collapsing", "inconclusive")]
        share = self.counts.get(wanted, 0) / total
        return f"| {self.name} | {' | '.join(parts)} | {wanted}: {share:.3f} ({low:.3f} … {high:.3f}) |"


def trial_table(rows: int, seed: int) -> pl.DataFrame:
    """Return two numbers with correlation .6, and a category with eight common and twenty rare levels (.8 % each)."""
    random = np.random.default_rng(seed)
    x = random.standard_normal(rows)
    law = np.append(np.full(8, 0.84 / 8), np.full(20, 0.008))
    codes = random.choice(len(law), rows, p=law)
    return pl.DataFrame(
        {
            "x": x,
            "y": 0.6 * x + 0.8 * random.standard_normal(rows),
            "kind": [f"k{code:02d}" for code in codes],
        }
    )


def trial_case(temperature: float, metrics: Sequence[str], rows: int, seed: int) -> Case:
    table = trial_table(250_000, 1)
    columns = [
        Column(name, Kind.CATEGORICAL if name == "kind" else Kind.NUMERIC, str(table[name].dtype))
        for name in table.columns
    ]
    if not set(metrics) & set(PRIMARY):  # a question about numbers alone
        table, columns = table.select("x"), columns[:1]
    schema = Schema(tuple(columns))
    return Case(
        table[:200_000], table[200_000:], schema, "plain", {"ddof": 1, "joint": True}, temperature, NO_PROTECTION,
        (), rows, tuple(metrics), None, (), seed,
    )  # fmt: skip


def rule() -> Iterator[str]:
    """Yield what the rule decides on generators whose truth is known."""
    arms = {
        "control": (Arm("control", ROWS, ROWS, GENERATIONS), 1.0, "collapsing"),
        "replace, λ = .95": (Arm("replace", ROWS, 0, GENERATIONS), 0.95, "collapsing"),
        "fresh φ = .1, no bias": (Arm("fresh", ROWS, ROWS // 10, GENERATIONS), 1.0, "stable"),
    }
    yield "| regime | stable | degraded-plateau | collapsing | inconclusive | share |\n|---|---|---|---|---|---|"
    cases = {bias: trial_case(bias, PRIMARY, ROWS, 1) for bias in {bias for _, bias, _ in arms.values()}}
    controls = {bias: _chains(bias, arms["control"][0]) for bias in cases}
    for name, (arm, bias, wanted) in arms.items():
        case, control = cases[bias], controls[bias]
        if arm.regime == "control":
            yield Found(name, _decided(case, control, None)).row(wanted)
            # The same as a regime of its own: the chains of one run against those of the next.
            other = control[CHAINS:] + control[:CHAINS]
            yield Found("control against another control", _decided(case, control, other)).row(wanted)
        else:
            yield Found(name, _decided(case, _chains(bias, arm), control)).row(wanted)


def _chains(bias: float, arm: Arm) -> list[Trajectory]:
    """Run the chains of all runs, in blocks over the processors."""
    calls = [(start, block, (bias, arm, start, CHAINS * 10)) for start in range(0, RUNS * CHAINS, CHAINS * 10)]
    with executor(processors()) as pool:
        found = dict(each_done(pool, calls, 2 * processors()))
    return [run for start in sorted(found) for run in found[start]]


def block(bias: float, arm: Arm, start: int, count: int) -> list[Trajectory]:
    """Run some chains of the rule's trial."""
    case = _shared_case(bias)
    with registered(), threadpool_limits(1), kept_to(1):
        return [run_chain(case, arm, chain, lambda generation: None) for chain in range(start, start + count)]


@lru_cache
def _shared_case(bias: float) -> Case:
    return trial_case(bias, PRIMARY, ROWS, 1)


def _decided(case: Case, ran: Sequence[Trajectory], controls: Sequence[Trajectory] | None) -> dict[str, int]:
    """Return how often each verdict comes out of runs of ``CHAINS`` chains."""
    counts: dict[str, int] = {}
    for number in range(RUNS):
        part = slice(number * CHAINS, (number + 1) * CHAINS)
        judged = {}
        for name in case.ruler.measurable:
            place, about = case.ruler.names.index((name, TABLE)), BY_NAME[name]
            values, control = (
                None if some is None else np.stack([run.values[:, place] for run in some[part]])
                for some in (ran, controls)
            )
            judged[name] = judge(name, about.direction, about.margin, values, control)
        verdict, _ = overall(judged, PRIMARY)
        counts[verdict] = counts.get(verdict, 0) + 1
    return counts


# --- the least share ---------------------------------------------------------------------------------------------


def truth(rows: int) -> float:
    """Return the share at which a contracting normal generator loses ``LOSS`` of the variance, as it is measured.

    The measured quantity is the mean logarithm of an output's variance less that of generation 1, less the same for
    real rows. Output and generation 1 contract once each, which cancels; what is left is the fitted variance over that
    of real rows, v* of the exact recursion for n rows. Its logarithm's mean is below the logarithm of its mean by half
    its relative variance, which is taken from a simulation of the recursion's law.
    """
    shares = np.linspace(0.2, 0.5, 61)
    losses = [-_mean_log(rows, share) for share in shares]
    return float(np.interp(np.log(1 / (1 - LOSS)), losses[::-1], shares[::-1]))


def _mean_log(rows: int, share: float, chains: int = 20_000, generations: int = 40) -> float:
    """Return E log of the fitted variance at rest over 1, by drawing the sufficient statistics of normal samples."""
    random = np.random.default_rng(7)
    fresh = round(share * rows)
    made = rows - fresh
    mean, variance = np.zeros(chains), np.ones(chains)
    for _ in range(generations):
        real_mean = random.standard_normal(chains) / np.sqrt(fresh)
        real_sum = random.chisquare(fresh - 1, chains)
        own_mean = mean + np.sqrt(BIAS * variance / made) * random.standard_normal(chains)
        own_sum = BIAS * variance * random.chisquare(made - 1, chains)
        between = fresh * made / rows * (real_mean - own_mean) ** 2
        mean, variance = (fresh * real_mean + made * own_mean) / rows, (real_sum + own_sum + between) / (rows - 1)
    return float(np.log(variance).mean())


def least() -> Iterator[str]:
    """Yield how well the least share of a contracting generator is found, over many searches."""
    with executor(processors()) as pool:
        found = dict(each_done(pool, [(seed, search, (seed,)) for seed in range(SEARCHES)], 2 * processors()))
    true = truth(SEARCHED)
    shares = np.array([np.nan if told["share"] is None else told["share"] for told in found.values()])
    predicted = np.array([told["predicted"] for told in found.values()])
    covered = sum(told["low"] <= true <= told["high"] for told in found.values())
    near = int(np.sum(np.abs(shares - true) <= NEAR))
    low, high = wilson_interval(near, SEARCHES)
    yield (
        f"Truth {true:.3f} (the closed form without chance: {minimum.against_bias(BIAS, LOSS):.3f}). Of {SEARCHES} "
        f"searches (n = {SEARCHED:,}, {CHAINS} chains) {near} found it to ± {NEAR:g} ({near / SEARCHES:.2f}, interval "
        f"{low:.2f} … {high:.2f}); mean {np.nanmean(shares):.3f}, standard deviation {np.nanstd(shares, ddof=1):.3f}; "
        f"the 95 % interval held it in {covered} of {SEARCHES}. Predicted beforehand: mean {predicted.mean():.3f}, "
        f"standard deviation {predicted.std(ddof=1):.3f}."
    )


def search(seed: int) -> dict[str, Any]:
    """Return what one search finds."""
    case = trial_case(BIAS, ("log_variance_ratio",), SEARCHED, seed)
    section = CollapseSection(generations=GENERATIONS, chains=CHAINS, rows=SEARCHED, regimes=["fresh"])
    first = first_arms(section, SEARCHED)
    with registered(), threadpool_limits(1), kept_to(1):
        runs = {arm: _few(case, arm) for arm in first}
        share = predicted_share(Chains(case.ruler, runs, {}))
        runs |= {arm: _few(case, arm) for arm in search_arms(section, SEARCHED, share)}
        told = minimum_findings(Chains(case.ruler, runs, {}))
    assert told is not None
    return told


def _few(case: Case, arm: Arm) -> list[Trajectory]:
    return [run_chain(case, arm, chain, lambda generation: None) for chain in range(CHAINS)]


# --- two real tables ---------------------------------------------------------------------------------------------


def tables(folder: Path) -> Iterator[str]:
    """Yield what the command finds on real tables, with its own report's figures and times."""
    for kind, name in product(KINDS, ("census", "flights")):
        about = TABLES[name]
        if not about.path.exists():
            continue
        config = {
            "data": {
                "path": str(about.path),
                "target": about.target,
                "exclude_features": list(about.exclude),
                "missing": ["", "NA"] if name == "flights" else [""],
                "columns": about.columns,
            },
            "collapse_sim": {"regimes": list(REGIMES)},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
        out = folder / name
        if not out.exists():
            _run(folder, ["split", "-c", f"{name}.yaml", "--out", str(out), "-q"])
        words = ["collapse-sim", "-c", f"{name}.yaml", "--out", str(out / kind), "--synthesizer", kind, "--seed", "1"]
        shutil.copytree(out / "split", out / kind / "split", dirs_exist_ok=True)
        started = perf_counter()
        log = _run(folder, [*words, "-n", "2000", "--json"])
        seconds = perf_counter() - started
        times = dict(re.findall(r"^(regimes|search) ([\d.]+) s$", log, re.MULTILINE))
        report = json.loads((out / kind / "collapse-sim" / "report.json").read_text())
        yield from _told(name, kind, report, times, seconds)


def _run(folder: Path, words: Sequence[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "synthcli", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return done.stderr


#: Metrics of the tables in the page, in order.
SHOWN = (*PRIMARY, "category_survival", "log_variance_ratio", "entropy", "recall", "precision", "c2st_auc", "tstr")


def _told(name: str, kind: str, report: Mapping[str, Any], times: Mapping[str, str], seconds: float) -> Iterator[str]:
    titles = {metric["name"]: metric["title"] for metric in report["metrics"]}
    yield f"### {name}, {kind}\n"
    yield answer(report) + "\n"
    spent = ", ".join(f"{phase} {float(time) / 60:.1f} min" for phase, time in times.items())
    yield f"{spent.capitalize()}, {seconds / 60:.1f} min in all; {processors()} processors.\n"
    yield "| regime | verdict | " + " | ".join(titles[metric].lower() for metric in SHOWN) + " |"
    yield "|---" * (len(SHOWN) + 2) + "|"
    for arm in report["arms"]:
        if arm["asked"]:
            changes = {metric["name"]: metric for metric in arm["metrics"]}
            yield f"| {arm['name']} | {arm['verdict']} | " + " | ".join(_change(changes.get(m)) for m in SHOWN) + " |"
    yield ""
    yield _mechanisms(report["mechanisms"])
    if report["minimum_fresh"] is not None:
        yield from _least(report["minimum_fresh"], titles)


def _change(found: Mapping[str, Any] | None) -> str:
    if found is None or found["change"] is None:
        return "–"
    beyond = {"collapsing": "**", "degraded-plateau": "*"}.get(found["verdict"], "")
    return f"{beyond}{found['change']:+.3f}{beyond}"


def _mechanisms(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    bias, drift = found["bias"], found["drift"]
    return (
        f"Contraction of the {found['measured_on']} {bias['contraction']:.3f} ({bias['low']:.3f} … {bias['high']:.3f}) "
        f"a generation; chance alone halves it in {drift['half_life']:.0f} generations.\n"
    )


def _least(found: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[str]:
    yield "| fresh data needed | share | interval | predicted |\n|---|---|---|---|"
    share = "not found in the grid" if not found["found"] else f"{found['share']:.3f}"
    safe = "" if found["share_safe"] is None else f", measured stable from {found['share_safe']:.3f} on"
    span = f"{found['low']:.3f} … {found['high']:.3f}"
    yield f"| all primary metrics{safe} | {share} | {span} | {found['predicted']:.3f} |"
    for one in found["metrics"]:
        told = "more than was tried" if not one["found"] else f"{'≤ ' if one['at_most'] else ''}{one['share']:.3f}"
        below = one["at_most"] and one["high"] < one["share"]
        span = "–" if below else f"{one['low']:.3f} … {one['high']:.3f}"
        yield f"| {titles[one['name']].lower()} | {told} | {span} | {one['predicted']:.3f} |"
    yield ""


# --- the page ----------------------------------------------------------------------------------------------------

_HEAD = """# What collapses, measured

Written by `python -m benchmarks collapse` (about an hour and a half on 2 cores), but for its last
section. What the words mean and how it is measured: [collapse.md](collapse.md).
"""
_RULE = f"""Each row are {RUNS} runs of {CHAINS} chains, {GENERATIONS} generations of {ROWS:,} rows, with all
three primary metrics at their default margins. The table is made: two numbers with a correlation of
.6, and a category with eight common levels and twenty of .8 % each. The generator is a normal law
for the numbers (unbiased, their covariance contracted by λ in each draw) and the observed
frequencies for the category. The last column has the share of the verdict that is wrong for the
control, and right for the others, with Wilson's interval.
"""
_LEAST = f"""The generator contracts the variance of one normal column by λ = {BIAS:g}; a loss of {LOSS:.0%} is
tolerated. What is measured, and so what is true, is derived in
[collapse.md](collapse.md#the-least-fresh-data).
"""
_TABLES = """`synthcli collapse-sim --synthesizer KIND -n 2000 --seed 1` with all regimes: 10 chains of 10
generations, default protection, and the search. UCI Adult (`census`) and the flights of
`sample_data`; a fifth of the rows are the holdout. Changes are those of the last quarter of
generations to generation 1, the control's subtracted; **bold**: collapsing, *italic*:
degraded-plateau, by the metric's own verdict. "≤": the smallest share that was tried was enough.
"""


def page(folder: Path, parts: Sequence[str] = ("rule", "least", "tables")) -> None:
    """Measure the parts and write the page; of parts that are not named, what stands there stays."""
    sections = {
        "rule": ("How often the rule is wrong", _RULE, rule),
        "least": ("How well the least share is found", _LEAST, least),
        "tables": ("Two real tables", _TABLES, lambda: tables(folder)),
        "published": ("Beside what was published", "", None),  # written by hand
    }
    old = PAGE.read_text() if PAGE.exists() else ""
    written = [_HEAD]
    with registered():
        for name, (title, about, measured) in sections.items():
            kept = re.search(rf"^## {title}\n.*?(?=^## |\Z)", old, re.MULTILINE | re.DOTALL)
            if measured is not None and name in parts:
                written.append(f"## {title}\n\n{about}\n" + "\n".join(measured()).rstrip() + "\n")
            elif kept:
                written.append(kept[0].rstrip() + "\n")
    PAGE.write_text("\n".join(written))


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        page(Path(scratch), sys.argv[1:] or ("rule", "least", "tables"))
