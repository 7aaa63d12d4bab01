"""The forest's goals, and its balance of accuracy and privacy, on real tables cut into halves that never meet.

``goals`` fits on the protected training half, draws as many rows and audits them against the raw halves, over several
divisions, beside SDV's copula. ``balance`` goes along the forest's parameters and draws the picture in the docs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from synthcli import columns
from synthcli.audit import Questions, Tables, audit
from synthcli.config import ProtectionSection
from synthcli.inference.overrides import ReadOptions
from synthcli.protection import protect
from synthcli.schema import Schema
from synthcli.synthesizers.assembly import fit_table
from synthcli.tables import open_table

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
DIVISIONS = 5
SDV = "sdv alone"


class Table(NamedTuple):
    """A real table: where it lies, how it is read, its target and what gives that away."""

    path: Path
    target: str
    exclude: tuple[str, ...] = ()
    columns: Mapping[str, Mapping[str, Any]] = {}


TABLES = {
    "census": Table(DATA / "census.csv.gz", "income"),
    "bank_marketing": Table(DATA / "bank_marketing.csv.gz", "y", ("duration",)),
    "flights": Table(
        ROOT / "sample_data" / "flights.csv",
        "late",
        ("arr_delay", "arr_time", "air_time", "dep_delay", "dep_time"),
        {"flight": {"type": "categorical"}},
    ),
}


class Case(NamedTuple):
    """What is measured: a table, its training rows (``None``: half of it), a generator, and the division's number."""

    table: str
    rows: int | None
    kind: str
    parameters: Mapping[str, Any]
    division: int
    families: tuple[str, ...] = ("accuracy", "similarity", "privacy", "utility", "compat")


FIGURES = {
    "biv": "accuracy.bivariate",
    "dcr": "privacy.dcr_share",
    "member": "privacy.membership_auc",
    "exact": "privacy.exact_match_excess",
    "near": "privacy.near_match_share",
    "c2st": "similarity.c2st_auc",
    "tstr": "utility.tstr",
    "trtr": "utility.trtr",
    "ratio": "utility.ratio",
    "shapes": "compat.sdmetrics_shapes",
    "trends": "compat.sdmetrics_pair_trends",
}


@cache
def load(name: str) -> tuple[pl.DataFrame, Schema]:
    """Return the modelled columns of a table and their schema."""
    table = TABLES[name]
    missing = ("", "NA") if name == "flights" else ("",)
    source = open_table(table.path, ReadOptions(missing=missing, columns=table.columns))
    names = [column.name for column in source.schema.modelled]
    return source.read().select(names), source.schema.select(names)


def measured(case: Case) -> dict[str, float]:
    """Fit, draw and audit one case; seconds of the fit and of the sampling are of the calls alone."""
    table, schema = load(case.table)
    order = np.random.default_rng(case.division).permutation(table.height)
    rows = case.rows or table.height // 2
    train, holdout = table[order[:rows]], table[order[rows : 2 * rows]]
    protected = protect(train, schema, ProtectionSection(), (), case.division).table
    started = perf_counter()
    model = fit_table(protected, schema, case.kind, case.parameters, case.division, lambda share, note: None)
    fitted = perf_counter()
    synthetic = model.sample(rows, case.division)
    drawn = perf_counter()
    about = TABLES[case.table]
    questions = Questions(case.families, case.division, target=about.target, exclude_features=about.exclude)
    tables = Tables(*(columns.Table(part) for part in (train, holdout, synthetic)), schema)
    found = audit(tables, questions, lambda family: nullcontext())
    whole = {estimate.name: estimate for estimate in found if not estimate.columns}
    figures = {
        short: value for short, name in FIGURES.items() if name in whole and (value := whole[name].value) is not None
    }
    bivariate, dcr = whole["accuracy.bivariate"], whole.get("privacy.dcr_share")
    for short in ("near", "exact"):
        if short in figures:
            figures[short] -= whole[FIGURES[short]].reference or 0.0
    figures["biv_ref"] = bivariate.reference if bivariate.reference is not None else float("nan")
    if dcr is not None and dcr.low is not None and dcr.high is not None:
        figures["dcr_se"] = (dcr.high - dcr.low) / 3.92
    return {**figures, "fit_s": fitted - started, "sample_s": drawn - fitted}


def sdv_alone(case: Case) -> dict[str, float]:
    """Time SDV's copula as its own documentation calls it, with its defaults (beta marginals), on raw rows."""
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    table, _ = load(case.table)
    rows = case.rows or table.height // 2
    frames = {"table": table[np.random.default_rng(case.division).permutation(table.height)[:rows]].to_pandas()}
    model = GaussianCopulaSynthesizer(Metadata.detect_from_dataframes(frames))
    started = perf_counter()
    model.fit(frames)
    fitted = perf_counter()
    model.sample(rows)
    return {"fit_s": fitted - started, "sample_s": perf_counter() - fitted}


def means(cases: Iterable[Case]) -> dict[tuple[str, int | None, str, str], dict[str, float]]:
    """Return the mean of each figure over divisions, by table, rows, kind and parameters."""
    found: dict[tuple[str, int | None, str, str], list[dict[str, float]]] = {}
    for case in cases:
        key = case.table, case.rows, case.kind, str(dict(case.parameters))
        found.setdefault(key, []).append((sdv_alone if case.kind == SDV else measured)(case))
    return {
        key: {name: float(np.mean([one[name] for one in group if name in one])) for name in group[0]}
        for key, group in found.items()
    }


def goals() -> None:
    """Print the forest's figures on every table, whole and cut; beside them, on census SDV's copula, here and alone."""
    cuts = [(name, rows) for name in TABLES for rows in (None, 5000, 2000) if TABLES[name].path.exists()]
    kinds = [("census", None, kind, {}) for kind in ("gaussian_copula", SDV)] if TABLES["census"].path.exists() else []
    cases = [(name, rows, "forest", {}) for name, rows in cuts] + kinds
    names = ["biv", "biv_ref", "dcr", "dcr_se", "c2st", "tstr", "trtr", "ratio", "shapes", "trends", "exact", "near"]
    names += ["member", "fit_s", "sample_s"]
    print(f"{'generator, table, training rows':44s}" + "".join(f"{name:>9s}" for name in names), flush=True)
    for name, rows, kind, parameters in cases:
        found = means(Case(name, rows, kind, parameters, division) for division in range(1, DIVISIONS + 1))
        for figures in found.values():
            title = f"{kind}, {name}, {rows or 'half'}"
            print(f"{title:44s}" + "".join(f"{figures.get(n, float('nan')):9.4f}" for n in names), flush=True)


#: The grid of the balance: leaves from fine to coarse, prices from none to high, and the presets.
BALANCE: tuple[dict[str, Any], ...] = (
    *({"privacy": privacy} for privacy in ("low", "balanced", "high")),
    *({"min_leaf": leaf} for leaf in (2, 5, 10, 40, 80, 160)),
    *({"min_gain": gain} for gain in (0.0, 0.5, 2.0, 4.0, 8.0, 16.0)),
    {"honest": True},
    *({"trees": trees} for trees in (1, 2, 10, 20)),
)


def balance() -> None:
    """Measure the grid on census and write ``docs/balance.md`` and ``docs/balance.svg``."""
    families = ("accuracy", "privacy")
    lines = [_HEAD]
    points: dict[int | None, list[tuple[float, float, str]]] = {None: [], 2000: []}
    for rows, found in points.items():
        lines += [f"\n## Census, {rows or 'half of the table'} for training\n", _COLUMNS]
        for parameters in BALANCE:
            cases = [Case("census", rows, "forest", parameters, division, families) for division in (1, 2, 3)]
            (figures,) = means(cases).values()
            name = ", ".join(f"{key}: {value}" for key, value in parameters.items())
            gap = figures["biv"] - figures["biv_ref"]
            found.append((figures["dcr"], gap, name))
            row = f"| {name} | {gap:+.4f} | {figures['dcr']:.3f} | {figures['near']:+.5f} | {figures['member']:.3f} |"
            lines.append(row)
            print(rows or "half", row, flush=True)
    (ROOT / "docs" / "balance.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (ROOT / "docs" / "balance.svg").write_text(picture(points), encoding="utf-8")


_HEAD = """# The balance of accuracy and privacy in a forest

Written by `python -m benchmarks balance`. Each line is the mean of three divisions of UCI Adult into two halves (or
into two parts of 2,000 rows): the forest learns from the protected training part, draws as many rows, and is
audited against both raw parts. Parameters that are not named are those of `privacy: balanced`.

- **accuracy**: bivariate accuracy less its reference, which is the holdout's own; above 0 is closer to the training
  rows than new rows are.
- **DCR share**: the share of synthetic rows whose nearest real row is a training row; .5 tells of no memorising.
- **near matches**: the excess of rows that equal a training record in all columns but one; 0 is none.
- **membership**: the AUC of an attack that tells training rows from others; .5 is guessing.

![accuracy against the DCR share](balance.svg)

`privacy: low` is not more accurate in pairs of columns; it is more useful on small tables, which this picture does not
show (generators.md).
"""
_COLUMNS = """| parameters | accuracy | DCR share | near matches | membership |
|---|---|---|---|---|"""


def picture(points: Mapping[int | None, list[tuple[float, float, str]]]) -> str:
    """Return an SVG of accuracy against the DCR share, a panel for each number of rows; the presets are named."""
    width, height, left, top = 420, 300, 64, 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * width} {height + 70}" font-family="sans-serif"'
        ' font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
    ]
    for panel, (rows, found) in enumerate(points.items()):
        xs, ys = [x for x, _, _ in found], [y for _, y, _ in found]
        x0, x1, y0, y1 = min([0.495, *xs]), max([0.55, *xs]) + 0.02, min(ys) - 0.002, max([0.002, *ys]) + 0.002
        across, up = (width - left - 20) / (x1 - x0), (height - top) / (y1 - y0)

        def at(x: float, y: float, shift: float = panel * width) -> tuple[float, float]:
            return shift + left + (x - x0) * across, top + (y1 - y) * up  # noqa: B023  called in this turn only

        title = f"census, {rows:,} training rows" if rows else "census, half for training"
        parts.append(f'<text x="{panel * width + left}" y="18" font-weight="bold">{title}</text>')
        parts += _axes(at, (x0, x1), (y0, y1))
        parts += _series(at, found, "min_leaf", "#2563eb") + _series(at, found, "min_gain", "#0f766e")
        for x, y, name in found:
            preset = name.startswith("privacy")
            cx, cy = at(x, y)
            fill = "#c2410c" if preset else "#64748b"
            parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{5 if preset else 3}" fill="{fill}"/>')
            if preset:
                label = name.removeprefix("privacy: ")
                parts.append(f'<text x="{cx + 8:.1f}" y="{cy + 16:.1f}" fill="{fill}">{label}</text>')
        middle = panel * width + (left + width - 20) / 2
        below = "DCR share (.5: none memorised)"
        parts.append(f'<text x="{middle}" y="{height + 44}" text-anchor="middle">{below}</text>')
    label = "bivariate accuracy less its reference"
    parts.append(f'<text transform="translate(14 {height - 60}) rotate(-90)">{label}</text></svg>')
    return "\n".join(parts) + "\n"


def _series(at: Any, found: list[tuple[float, float, str]], key: str, colour: str) -> list[str]:
    """Return a line along one parameter, its ends named."""
    along = [(x, y, name.removeprefix(f"{key}: ")) for x, y, name in found if name.startswith(f"{key}: ")]
    places = [(*at(x, y), value) for x, y, value in along]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    ends = [
        f'<text x="{x + 6:.1f}" y="{y - 6:.1f}" font-size="11" fill="{colour}">{key} {value}</text>'
        for x, y, value in (places[0], places[-1])
    ]
    line = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-opacity=".6"/>'
    return [line, *ends]


def _axes(at: Any, xs: tuple[float, float], ys: tuple[float, float]) -> list[str]:
    lines = []
    for x in np.arange(np.ceil(xs[0] * 50) / 50, xs[1], 0.02):
        (px, top), (_, bottom) = at(x, ys[1]), at(x, ys[0])
        lines.append(f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{top:.1f}" y2="{bottom:.1f}" stroke="#e2e8f0"/>')
        lines.append(f'<text x="{px:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{x:.2f}</text>')
    step = 0.005 if ys[1] - ys[0] < 0.04 else 0.01
    for y in np.arange(np.ceil(ys[0] / step) * step, ys[1], step):
        (left, py), (right, _) = at(xs[0], y), at(xs[1], y)
        stroke = "#94a3b8" if abs(y) < step / 2 else "#e2e8f0"
        lines.append(f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{py:.1f}" y2="{py:.1f}" stroke="{stroke}"/>')
        lines.append(f'<text x="{left - 6:.1f}" y="{py + 4:.1f}" text-anchor="end">{y:+.3f}</text>')
    return lines


if __name__ == "__main__":
    {"goals": goals, "balance": balance}[sys.argv[1]]()
