"""Print one line a benchmark: what was timed, against what, the ratio, and the peak memory.

Each side runs in a process of its own, in turn with its rival, and the best of its runs counts: machines differ and are
noisy, so ratios on one machine in one run are what to compare. ``python -m benchmarks NAME …`` runs some of them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.tables import wide_table

ROOT = Path(__file__).resolve().parents[1]
FLIGHTS = ROOT / "sample_data" / "flights.csv"

#: Run in the measured process: the code, then its own seconds and peak memory in MB on stderr.
_PROBE = """
import resource, sys, time
{setup}
started = time.perf_counter()
{code}
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""


@dataclass(frozen=True)
class Measured:
    """Best seconds and largest memory (MB) over the runs."""

    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Benchmark:
    """Two pieces of code that do the same work, ours first; ``rival`` may be empty."""

    name: str
    setup: str
    code: str
    rival_name: str = ""
    rival: str = ""


def measure(setup: str, code: str) -> Measured:
    """Run ``code`` after ``setup`` in a new process."""
    text = _PROBE.format(setup=setup, code=code)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT)
    seconds, megabytes = map(float, done.stderr.split()[-2:])
    return Measured(seconds, megabytes)


def whole_process(words: list[str]) -> Measured:
    """Time a command line from outside."""
    started = perf_counter()
    subprocess.run(words, capture_output=True, check=True)
    return Measured(perf_counter() - started, float("nan"))


def best(measured: list[Measured]) -> Measured:
    """Return the fastest time and the largest memory."""
    return Measured(min(m.seconds for m in measured), max(m.megabytes for m in measured))


def compare(benchmark: Benchmark, runs: int) -> tuple[Measured, Measured | None]:
    """Run both sides in turn."""
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(measure(benchmark.setup, benchmark.code))
        if benchmark.rival:
            theirs.append(measure(benchmark.setup, benchmark.rival))
    return best(ours), best(theirs) if theirs else None


def show(name: str, ours: Measured, rival_name: str = "", theirs: Measured | None = None) -> None:
    """Print one line of the table."""
    memory = f"{ours.megabytes:7,.0f} MB" if ours.megabytes == ours.megabytes else " " * 10
    line = f"{name:<48} {ours.seconds:8.2f} s {memory}"
    if theirs is not None:
        line += f"   {rival_name}: {theirs.seconds:.2f} s, ratio {ours.seconds / theirs.seconds:.2f}"
    print(line, flush=True)


def start_up(folder: Path) -> None:
    """``--help`` and ``status`` against the import of the libraries that they cannot do without."""
    ours, theirs = [], []
    for _ in range(10):
        ours.append(whole_process([sys.executable, "-m", "synthcli", "--help"]))
        theirs.append(whole_process([sys.executable, "-c", "import typer, rich"]))
    show("synthcli --help", best(ours), "import typer, rich", best(theirs))
    ours, theirs = [], []
    for _ in range(10):
        ours.append(whole_process([sys.executable, "-m", "synthcli", "status", "--out", str(folder / "none")]))
        theirs.append(whole_process([sys.executable, "-c", "import typer, rich, pydantic, yaml"]))
    show("synthcli status", best(ours), "import typer, rich, pydantic, yaml", best(theirs))


def split(folder: Path) -> None:
    """Splitting a million rows against polars copying the file."""
    path = wide_table(folder / "wide.parquet", 1_000_000, seed=1)
    benchmark = Benchmark(
        "split 1 million rows x 15 columns",
        "import polars as pl\nfrom synthcli.app import run",
        f"run(['split', {str(path)!r}, '--out', {str(folder / 'out')!r}, '-q', '--json'])",
        "polars reads and writes it",
        f"pl.read_parquet({str(path)!r}).write_parquet({str(folder / 'copy.parquet')!r})",
    )
    show(benchmark.name, *_spread(benchmark, compare(benchmark, 3)))


def split_large(folder: Path) -> None:
    """Splitting ten million rows from Parquet to Parquet against polars streaming a copy."""
    import polars as pl

    parts = [wide_table(folder / f"part{number}.parquet", 1_000_000, seed=number) for number in range(10)]
    path = folder / "ten.parquet"
    pl.scan_parquet(parts).sink_parquet(path)
    benchmark = Benchmark(
        "split 10 million rows x 15 columns",
        "import polars as pl\nfrom synthcli.app import run\nimport synthcli.tables",
        f"run(['split', {str(path)!r}, '--out', {str(folder / 'out10')!r}, '-q', '--json'])",
        "polars copies it",
        f"pl.scan_parquet({str(path)!r}).sink_parquet({str(folder / 'copy10.parquet')!r}, compression='zstd')",
    )
    show(benchmark.name, *_spread(benchmark, compare(benchmark, 2)))


def augmentation(folder: Path) -> None:
    """What augmentation brings and costs; writes docs/augment-measured.md."""
    from benchmarks.augmentation import augmentation as measured

    measured(folder)


def audits(folder: Path) -> None:
    """The audit as whole processes, beside SDMetrics' report; writes the page in the docs."""
    from benchmarks.audit import audits as measure_audits

    measure_audits(folder)


def generators(folder: Path) -> None:
    """Fitting and sampling as commands against the same SDV calls in bare Python, the protection off."""
    from benchmarks.generators import fit_and_sample

    for kind, name, parameters in (
        ("gaussian_copula", "GaussianCopulaSynthesizer", {"default_distribution": "norm"}),
        ("gaussian_copula", "GaussianCopulaSynthesizer", {}),
        ("tvae", "TVAESynthesizer", {"epochs": 5}),
        ("ctgan", "CTGANSynthesizer", {"epochs": 2}),
    ):
        label = f"{kind} {' '.join(f'{key}={value}' for key, value in parameters.items())}".strip()
        fitted, sampled = fit_and_sample(
            folder / label.replace(" ", "_"), FLIGHTS, kind, name, parameters, 1_000_000, 1
        )
        for verb, pair in (("fit 10,700", fitted), ("sample 1,000,000", sampled)):
            show(f"{label}: {verb}", _timed(pair.ours), "bare SDV", _timed(pair.theirs))


def marginals(folder: Path) -> None:
    """The copula's fit with empirical marginals against SDV's beta, in one process each."""
    setup = (
        "from synthcli.tables import open_table\n"
        "from synthcli.synthesizers.assembly import fit_table\n"
        "import synthcli.synthesizers.sdv\n"
        f"source = open_table({str(FLIGHTS)!r})\ntable, schema = source.read(), source.schema\n"
    )
    call = "fit_table(table, schema, 'gaussian_copula', {{'marginals': {!r}}}, 1, lambda *_: None)"
    benchmark = Benchmark(
        "gaussian_copula, empirical marginals: fit 13,500",
        setup,
        call.format("empirical"),
        "parametric (beta)",
        call.format("parametric"),
    )
    show(benchmark.name, *_spread(benchmark, compare(benchmark, 3)))


def forest(folder: Path) -> None:
    """The forest's accuracy, utility and privacy on each real table, beside SDV's copula: means of five divisions."""
    from benchmarks.forest import goals

    goals()


def balance(folder: Path) -> None:
    """The forest's accuracy against its privacy along its parameters; writes the page and picture in the docs."""
    from benchmarks.forest import balance as measure_balance

    measure_balance()


def collapse(folder: Path) -> None:
    """What collapses on real tables, and how often the rule is wrong; writes docs/collapse-measured.md."""
    from benchmarks.collapse import page

    page(folder)


def kinds(folder: Path) -> None:
    """The kinds side by side on one division of census, as a Markdown table; about ten minutes."""
    from benchmarks.forest import kinds as measure_kinds

    measure_kinds()


def forest_large(folder: Path) -> None:
    """Fitting a forest on a million rows, and drawing as many."""
    path = wide_table(folder / "million.parquet", 1_000_000, seed=1)
    setup = (
        "from synthcli.tables import open_table\n"
        "from synthcli.synthesizers.assembly import fit_table\n"
        "import synthcli.synthesizers.forest\n"
        f"source = open_table({str(path)!r})\ntable, schema = source.read(), source.schema\n"
    )
    fit = "model = fit_table(table, schema, 'forest', {}, 1, lambda *_: None)"
    show("forest: fit 1 million rows x 15 columns", measure(setup, fit))
    show("forest: draw 1 million rows", measure(setup + fit + "\n", "model.sample(1_000_000, 1)"))


def sample_memory(folder: Path) -> None:
    """Peak memory of sampling ten million rows against one million."""
    from benchmarks.generators import peak_megabytes

    out = folder / "memory"
    settings = ["--out", str(out), "-q", "--set", "synthesizer.marginals=empirical"]
    for words in (["split", str(FLIGHTS)], ["fit"]):
        whole_process([sys.executable, "-m", "synthcli", *words, *settings])
    for rows in (1_000_000, 10_000_000):
        started = perf_counter()
        peak = peak_megabytes(["sample", "-n", str(rows), *settings])
        show(f"sample {rows:,} rows x 16 columns", Measured(perf_counter() - started, peak))


def scale_out(folder: Path) -> None:
    """One worker, two, and a Dask cluster of two: sampling ten million rows, and simulating collapse."""
    from benchmarks.scale import sampling, simulating

    sampling(folder)
    simulating(folder, FLIGHTS)


def scale_large(folder: Path) -> None:
    """A hundred million rows in a hundred shards, audited against ten million; half an hour or more."""
    from benchmarks.scale import large

    large(folder)


def foresight(folder: Path) -> None:
    """What dry runs foretell beside what the commands then take; writes the table of docs/dry-run.md."""
    from benchmarks.foresight import page

    page(folder)


def _timed(seconds: float) -> Measured:
    return Measured(seconds, float("nan"))


def _spread(benchmark: Benchmark, found: tuple[Measured, Measured | None]) -> tuple[Measured, str, Measured | None]:
    return found[0], benchmark.rival_name, found[1]


BENCHMARKS: dict[str, Callable[[Path], None]] = {
    "start_up": start_up,
    "split": split,
    "split_large": split_large,
    "audits": audits,
    "augmentation": augmentation,
    "collapse": collapse,
    "generators": generators,
    "marginals": marginals,
    "forest": forest,
    "forest_large": forest_large,
    "balance": balance,
    "kinds": kinds,
    "sample_memory": sample_memory,
    "foresight": foresight,
    "scale_out": scale_out,
    "scale_large": scale_large,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all of them."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names or BENCHMARKS:
            BENCHMARKS[name](Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
