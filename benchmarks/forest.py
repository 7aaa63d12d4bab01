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
    "uni": "accuracy.univariate",
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
    univariate = whole["accuracy.univariate"]
    bivariate, dcr = whole["accuracy.bivariate"], whole.get("privacy.dcr_share")
    for short in ("near", "exact"):
        if short in figures:
            figures[short] -= whole[FIGURES[short]].reference or 0.0
    figures["uni_ref"] = univariate.reference if univariate.reference is not None else float("nan")
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


#: Kinds side by side: how each is called, its kind, its parameters.
KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("`forest`", "forest", {}),
    ("`gaussian_copula`, `marginals: empirical`", "gaussian_copula", {"marginals": "empirical"}),
    ("`gaussian_copula`, SDV's defaults", "gaussian_copula", {}),
    ("`tvae`, 100 of SDV's 300 epochs", "tvae", {"epochs": 100}),
    ("`ctgan`, 100 of SDV's 300 epochs", "ctgan", {"epochs": 100}),
)


def kinds() -> None:
    """Print a Markdown table of the kinds on one division of census into halves, and what its real rows score."""
    titles = ("univariate", "bivariate", "C2ST AUC", "utility AUC", "DCR share", "seconds to fit")
    print(f"| kind | {' | '.join(titles)} |\n|---|{'---|' * len(titles)}", flush=True)
    for title, kind, parameters in KINDS:
        case = Case("census", None, kind, parameters, 1, ("accuracy", "similarity", "privacy", "utility"))
        got = measured(case)
        if kind == "forest":
            real = (got["uni_ref"], got["biv_ref"], 0.5, got["trtr"], 0.5)
            print("| *real rows* | " + " | ".join(f"{value:.3f}" for value in real) + " | |", flush=True)
        shown = (got["uni"], got["biv"], got["c2st"], got["tstr"], got["dcr"])
        print(f"| {title} | " + " | ".join(f"{value:.3f}" for value in shown) + f" | {got['fit_s']:.1f} |", flush=True)


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

![accuracy against the DCR share, for two sizes of the training part](balance.svg)

A line joins the values of one parameter, each with its value beside it. `privacy: low` is not more accurate in pairs of
columns; it is more useful on small tables, which this picture does not show ([generators.md](generators.md#forest)).
"""
_COLUMNS = """| parameters | accuracy | DCR share | near matches | membership |
|---|---|---|---|---|"""


#: The lines of the picture: the parameter, its colour, where its values are written beside the points.
_LINES = (("min_leaf", "#2563eb", 13), ("min_gain", "#0f766e", -7))
_PRESET, _OTHER = "#c2410c", "#94a3b8"
_WIDTH, _HEIGHT, _LEFT, _TOP = 470, 330, 70, 74


def picture(points: Mapping[int | None, list[tuple[float, float, str]]]) -> str:
    """Return an SVG of accuracy against the DCR share, a panel for each number of rows; up and left is better.

    Every point of a line has its value beside it, the presets their names.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDTH} {_HEIGHT + 58}" font-family="sans-serif"'
        ' font-size="12" fill="#0f172a"><rect width="100%" height="100%" fill="#fff"/>',
        *_legend(),
    ]
    for panel, (rows, found) in enumerate(points.items()):
        xs, ys = [x for x, _, _ in found], [y for _, y, _ in found]
        x0, x1, y0, y1 = min([0.495, *xs]) - 0.002, max([0.55, *xs]) + 0.006, min(ys) - 0.002, max([0.002, *ys]) + 0.002
        across, up = (_WIDTH - _LEFT - 20) / (x1 - x0), (_HEIGHT - _TOP) / (y1 - y0)

        def at(x: float, y: float, shift: float = panel * _WIDTH) -> tuple[float, float]:
            return shift + _LEFT + (x - x0) * across, _TOP + (y1 - y) * up  # noqa: B023  called in this turn only

        title = f"census, {rows:,} training rows" if rows else "census, half for training"
        parts.append(f'<text x="{panel * _WIDTH + _LEFT}" y="62" font-weight="bold">{title}</text>')
        parts += _axes(at, (x0, x1), (y0, y1))
        parts += [part for line in _LINES for part in _series(at, found, *line)]
        named = {key for key, *_ in _LINES} | {"privacy"}
        parts += [_circle(*at(x, y), 3, _OTHER) for x, y, name in found if name.partition(":")[0] not in named]
        presets = [(at(x, y), name.removeprefix("privacy: ")) for x, y, name in found if name.startswith("privacy")]
        for (x, y), name in presets:
            parts += [_circle(x, y, 6, _PRESET), _label(x + 3, y + 20, name, _PRESET, "start", 13, True)]
        middle = panel * _WIDTH + (_LEFT + _WIDTH - 20) / 2
        below = "DCR share; .5: nothing memorised"
        parts.append(f'<text x="{middle}" y="{_HEIGHT + 44}" text-anchor="middle">{below}</text>')
    label = "bivariate accuracy less its reference"
    parts.append(f'<text transform="translate(16 {_HEIGHT - 20}) rotate(-90)">{label}</text></svg>')
    return "\n".join(parts) + "\n"


def _legend() -> list[str]:
    """Return what the colours mean, and which way is better."""
    entries = [("privacy, the presets", _PRESET, 6), *((key, colour, 4) for key, colour, _ in _LINES)]
    entries.append(("honest, trees", _OTHER, 3))
    parts, x = [], float(_LEFT)
    for text, colour, radius in entries:
        parts += [_circle(x + 6, 24, radius, colour), f'<text x="{x + 18:.0f}" y="28">{text}</text>']
        x += 44 + 6.6 * len(text)
    return [
        *parts,
        f'<text x="{2 * _WIDTH - 20}" y="28" text-anchor="end">better: up (accuracy), left (privacy)</text>',
    ]


def _circle(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" stroke="#fff"/>'


def _label(x: float, y: float, text: str, colour: str, anchor: str, size: int, bold: bool = False) -> str:
    """Return a text with a white edge, so that lines behind it do not cross it out."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{weight} fill="{colour}" text-anchor="{anchor}"'
        f' stroke="#fff" stroke-width="3" paint-order="stroke">{text}</text>'
    )


def _series(at: Any, found: list[tuple[float, float, str]], key: str, colour: str, beside: int) -> list[str]:
    """Return a line along one parameter, its values at its points."""
    along = [(*at(x, y), name.removeprefix(f"{key}: ")) for x, y, name in found if name.startswith(f"{key}: ")]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in along)
    line = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-opacity=".7"/>'
    dots = [_circle(x, y, 4, colour) for x, y, _ in along]
    values = [_label(x, y + beside, value.removesuffix(".0"), colour, "middle", 10) for x, y, value in along]
    return [line, *dots, *values]


def _axes(at: Any, xs: tuple[float, float], ys: tuple[float, float]) -> list[str]:
    lines = []
    for x in np.arange(np.ceil(xs[0] * 50) / 50, xs[1], 0.02):
        (px, top), (_, bottom) = at(x, ys[1]), at(x, ys[0])
        lines.append(f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{top:.1f}" y2="{bottom:.1f}" stroke="#e2e8f0"/>')
        lines.append(f'<text x="{px:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{x:.2f}</text>')
    step = 0.005 if ys[1] - ys[0] < 0.04 else 0.01
    for y in np.arange(np.ceil(ys[0] / step) * step, ys[1], step):
        (left, py), (right, _) = at(xs[0], y), at(xs[1], y)
        zero = abs(y) < step / 2
        stroke, told = ("#64748b", "0") if zero else ("#e2e8f0", f"{y:+.3f}")
        lines.append(f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{py:.1f}" y2="{py:.1f}" stroke="{stroke}"/>')
        lines.append(f'<text x="{left - 6:.1f}" y="{py + 4:.1f}" text-anchor="end">{told}</text>')
    return lines


if __name__ == "__main__":
    {"goals": goals, "balance": balance}[sys.argv[1]]()
