"""Generators against the library calls that they wrap, as whole processes: reading, fitting, saving; loading, writing.

The rival is a script of bare Python and SDV that does what the command does: it reads the same file, states the same
column types, fits with the same parameters and saves; then it loads, draws and writes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import polars as pl

_FIT = """
import pickle, sys, warnings; warnings.simplefilter("ignore")
import pandas as pd
from sdv.metadata import Metadata
from sdv import single_table
frame = pd.read_parquet({train!r})
columns = {columns!r}
metadata = Metadata.load_from_dict({{"tables": {{"table": {{"columns": columns}}}}, "relationships": []}})
model = single_table.{name}(metadata, **{parameters!r})
model.fit({{"table": frame}})
model.save({model!r})
"""
_SAMPLE = """
import warnings; warnings.simplefilter("ignore")
from sdv.utils import load_synthesizer
load_synthesizer({model!r}).sample({rows})["table"].to_parquet({output!r})
"""
#: Runs a command line and prints the peak of its process's memory in MB.
_PEAK = """
import resource, sys
from synthcli.app import run
code = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
sys.exit(code)
"""
_SDV_TYPES = {"numeric": "numerical", "datetime": "datetime", "boolean": "boolean", "categorical": "categorical"}


class Pair(NamedTuple):
    """Best seconds of the command and of its rival, in turn, each in a process of its own."""

    ours: float
    theirs: float


def seconds(words: Sequence[str]) -> float:
    """Return how long a process takes, its start included."""
    started = perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return perf_counter() - started


def peak_megabytes(words: Sequence[str]) -> float:
    """Return the peak memory of a command line's process."""
    done = subprocess.run([sys.executable, "-c", _PEAK, *words], check=True, capture_output=True, text=True)
    return float(done.stderr.split()[-1])


def in_turn(ours: Sequence[str], theirs: Sequence[str], runs: int) -> Pair:
    """Run both sides in turn and return the best time of each."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    return Pair(min(pair[0] for pair in pairs), min(pair[1] for pair in pairs))


def fit_and_sample(
    folder: Path, csv: Path, kind: str, name: str, parameters: Mapping[str, Any], rows: int, runs: int
) -> tuple[Pair, Pair]:
    """Time ``fit`` and ``sample`` of one kind against the same SDV calls on the same training rows.

    The protection is off, so that both learn from the same rows.
    """
    from synthcli.schema import Schema

    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    sections = {
        "data": {"path": str(csv)},
        "protection": {"rare_category_min_count": 0, "clip_extremes": 0},
        "synthesizer": {"kind": kind, **parameters},
        "run": {"output_dir": str(folder / "out")},
    }
    config.write_text(json.dumps(sections), encoding="utf-8")
    command = [sys.executable, "-m", "synthcli"]
    end = ["-c", str(config), "-q"]
    seconds([*command, "split", *end])
    train = folder / "out" / "split" / "train.parquet"
    schema = Schema.from_dict(json.loads((folder / "out" / "split" / "split.json").read_text())["schema"])
    columns = {column.name: {"sdtype": _SDV_TYPES[column.kind]} for column in schema.modelled}
    pl.read_parquet(train).select(list(columns)).write_parquet(folder / "bare.parquet")
    model, output = str(folder / "model.pkl"), str(folder / "bare_synthetic.parquet")
    fit = _FIT.format(
        train=str(folder / "bare.parquet"), columns=columns, name=name, parameters=dict(parameters), model=model
    )
    sample = _SAMPLE.format(model=model, rows=rows, output=output)
    fitted = in_turn([*command, "fit", "--force", *end], [sys.executable, "-c", fit], runs)
    sampled = in_turn([*command, "sample", "-n", str(rows), *end], [sys.executable, "-c", sample], runs)
    return fitted, sampled
