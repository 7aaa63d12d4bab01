"""Mistakes that people make, and what each is answered with: the place, what was got, what is expected, what to do.

One row is one mistake. Laws that hold for every row: one sentence that begins with its place, no traceback, no cell of
the table, and a hint that names nothing that does not exist.
"""

from __future__ import annotations

import random
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from synthcli.app import COMMANDS, load_command, run
from synthcli.config import KINDS, Config

#: A value of the table that no message may show.
CELL = "zq7secret"
YAML = "data: {path: data.csv, target: late}\n"


def table(delimiter: str = ",", rows: int = 400) -> str:
    draw = random.Random(3)
    lines = [["ref", "city", "amount", "day", "late"]]
    for number in range(rows):
        amount = round(draw.gauss(50, 10), 2)
        day = f"2024-0{draw.randint(1, 9)}-{draw.randint(10, 28)}"
        city, late = draw.choice([CELL, "Oslo", "Bern"]), str(amount + draw.gauss(0, 8) > 50).lower()
        lines.append([f"R{number:05d}", city, str(amount), day, late])
    return "".join(f"{delimiter.join(line)}\n" for line in lines)


@dataclass(frozen=True)
class Mistake:
    """What is typed, in which files, and how it is answered; ``bare`` is a directory with nothing but ``files``.

    ``without`` a package that is not there, or ``needs`` one that may not be.
    """

    typed: str
    place: str
    says: str
    hint: str
    code: int = 2
    kind: str = "config"
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    bare: bool = False
    without: str = ""
    needs: str = ""


def written(text: str, place: str, says: str, hint: str, typed: str = "split -c my.yaml") -> Mistake:
    """Return a mistake in a configuration, ``text``."""
    return Mistake(typed, f"my.yaml:{place}: ", says, hint, files={"my.yaml": text})


def usage(typed: str, place: str, says: str, hint: str, **more: Any) -> Mistake:
    return Mistake(typed, place, says, hint, **{"kind": "usage", **more})


def missing(typed: str, place: str, says: str, hint: str, **more: Any) -> Mistake:
    return Mistake(typed, place, says, hint, **{"code": 3, "kind": "missing_file", **more})


def bad_table(content: str | bytes, place: str, says: str, hint: str, name: str = "my.csv") -> Mistake:
    """Return a mistake in a table."""
    return Mistake(f"split {name} --out new", f"{name}{place}: ", says, hint, 3, "bad_table", {name: content})


MISTAKES = {
    # Columns that are not there.
    "target": written(
        "data: {path: data.csv, target: laet}",
        "1:24",
        "data.target: the table has no column 'laet'",
        "did you mean 'late'?",
    ),
    "excluded feature": written(
        "data: {path: data.csv, exclude_features: [amout]}",
        "1:24",
        "data.exclude_features: the table has no column 'amout'",
        "did you mean 'amount'?",
    ),
    "group": written(
        "data: {path: data.csv}\nsplit:\n  method: group\n  by: [ctiy]",
        "4:3",
        "split.by: the table has no column 'ctiy'",
        "did you mean 'city'?",
    ),
    "key": written(
        "data: {path: data.csv, primary_key: reff}",
        "1:24",
        "data.primary_key: the table has no column 'reff'",
        "did you mean 'ref'?",
    ),
    "stated type": written(
        "data: {path: data.csv, columns: {ctiy: {type: id}}}",
        "1:41",
        "data.columns.ctiy: the table has no column 'ctiy'",
        "did you mean 'city'?",
    ),
    "nothing near": written(
        "data: {path: data.csv, target: delayed}",
        "1:24",
        "the table has no column 'delayed'",
        "its columns: ref, city, amount, day, late",
    ),
    "--target": Mistake(
        "init data.csv --target laet --out-config new.yaml",
        "--target: ",
        "data.target: the table has no column 'laet'",
        "did you mean 'late'?",
    ),
    "--by": Mistake(
        "split data.csv --by ctiy --out new",
        "--by: ",
        "split.by: the table has no column 'ctiy'",
        "did you mean 'city'?",
    ),
    "--column": Mistake(
        "augment --mode rebalance --column laet --share true=0.5",
        "--column: ",
        "augment.column: the table has no column 'laet'",
        "did you mean 'late'?",
    ),
    "--where": usage(
        "sample --where ctiy=Oslo",
        "--where 'ctiy=Oslo': ",
        "the generator has no column 'ctiy'",
        "did you mean 'city'?",
    ),
    "--where's value": usage(
        "sample --where amount=lots",
        "--where amount=lots: ",
        "'lots' is no value of column 'amount' (numeric), expected a number",
        "write the value in that form",
    ),
    "secret": written(
        f"{YAML}validate: {{secrets: [ctiy]}}",
        "2:12",
        "validate.secrets: the table has no column 'ctiy'",
        "did you mean 'city'?",
        "validate -c my.yaml",
    ),
    "a type that the values are not of": Mistake(
        "split -c my.yaml --out new",
        "data.csv, line 2, column 'city': ",
        "the value is no numeric value",
        "give data.columns.city another type (categorical, text or id), or name what means a missing cell in "
        "data.missing, or set data.decimal_comma",
        3,
        "bad_table",
        {"my.yaml": "data: {path: data.csv, columns: {city: {type: numeric}}}\n"},
    ),
    # Columns that will not do.
    "an id as target": Mistake(
        "init data.csv --target ref --out-config new.yaml",
        "--target: ",
        "column 'ref' cannot be predicted: it is an id",
        "name another column with --target",
    ),
    "a constant target": Mistake(
        "init my.csv --target b --out-config new.yaml",
        "--target: ",
        "column 'b' cannot be predicted: it has the same value in every row",
        "name another column with --target",
        files={"my.csv": "a,b\n" + "".join(f"{n},{CELL}\n" for n in range(60))},
    ),
    "an id as target of an audit": written(
        "data: {path: data.csv, target: ref}",
        "1:24",
        "data.target: 'ref' is of kind id, which no model can predict",
        "name another target, or say with data.columns what the column is",
        "validate -c my.yaml",
    ),
    # Keys and values of a configuration.
    "misspelt key": written(
        f"{YAML}split:\n  holdot: 0.2",
        "3:3",
        "split.holdot: unknown key; did you mean 'holdout'?",
        "write holdout in its place",
    ),
    "misspelt section": written(f"{YAML}splitt: {{}}", "2:1", "splitt: unknown key", "write split in its place"),
    "key in another section": written(
        f"{YAML}sample: {{holdout: 0.2}}",
        "2:10",
        "unknown key; it belongs at 'split.holdout'",
        "move it to split.holdout",
    ),
    "words for a number": written(
        f"{YAML}sample: {{rows: many}}",
        "2:16",
        'sample.rows: got "many", expected a whole number of at least 1',
        "set sample.rows to a whole number of at least 1",
    ),
    "percents for a share": written(
        f"{YAML}split: {{holdout: 20}}",
        "2:18",
        "split.holdout: got 20, expected a share between 0 and 1",
        "write split.holdout: 0.2",
    ),
    "a percent sign": written(
        f"{YAML}split: {{holdout: 20%}}",
        "2:18",
        'split.holdout: got "20%", expected a share',
        "write split.holdout: 0.2",
    ),
    "a decimal comma": written(
        f"{YAML}split:\n  holdout: 0,2",
        "3:12",
        'split.holdout: got "0,2", expected a share',
        "write split.holdout: 0.2",
    ),
    "percents of a class": written(
        f"{YAML}augment: {{mode: rebalance, shares: {{true: 50%}}}}",
        "2:43",
        'augment.shares.true: got "50%", expected a share',
        "write augment.shares.true: 0.5",
        "augment -c my.yaml",
    ),
    "yes for true": written(
        f"{YAML}validate: {{compat: yes}}", "2:20", 'got "yes", expected true or false', "write validate.compat: true"
    ),
    "no for false": written(
        f"{YAML}augment: {{whole: no}}", "2:18", 'got "no", expected true or false', "write augment.whole: false"
    ),
    "a list of sections": written(
        "- data: data.csv\n", "1:1", "got a list, expected sections with keys", "start with a section"
    ),
    "a list for a section": written("data:\n  - path: data.csv\n", "2:3", "data: got [", "the keys of data indented"),
    "a value for a section": written(
        "data: data.csv\n",
        "1:7",
        'data: got "data.csv", expected keys with values',
        "write the keys of data indented under it, e.g. path",
    ),
    "a tab": written("data:\n\tpath: data.csv\n", "2:1", "not valid YAML", "indent with spaces"),
    "a key twice": written(
        "data:\n  path: a.csv\n  path: data.csv\n",
        "3:3",
        "data.path: the key stands twice, first at 2:3",
        "keep one of the two",
    ),
    "unknown kind": written(
        f"{YAML}synthesizer: {{kind: gausian_copula}}",
        "2:21",
        "expected one of gaussian_copula, ctgan",
        "write synthesizer.kind: gaussian_copula",
        "fit -c my.yaml",
    ),
    "parameter misspelt": written(
        f"{YAML}synthesizer: {{kind: ctgan, epoch: 10}}",
        "2:28",
        "synthesizer.epoch: unknown key; did you mean 'epochs'?",
        "write epochs in its place",
    ),
    "parameter of another kind": written(
        f"{YAML}synthesizer: {{kind: gaussian_copula, epochs: 10}}",
        "2:38",
        "synthesizer.epochs: unknown key; only ctgan, tvae, copula_gan have it",
        "leave it out, or set synthesizer.kind to one that has it",
    ),
    "gate on no metric": written(
        f"{YAML}validate: {{gates_add: [{{metric: utility.raito, min: 1}}]}}",
        "2:12",
        "validate.gates_add: no metric matches 'utility.raito'",
        "did you mean 'utility.ratio'?",
        "validate -c my.yaml",
    ),
    "--set without a value": Mistake(
        "split data.csv --set split.holdout",
        "--set split.holdout: ",
        "expected KEY=VALUE",
        "write --set split.holdout=VALUE",
    ),
    "--set of an unknown key": Mistake(
        "split data.csv --set split.holdot=0.2",
        "--set split.holdot: ",
        "unknown key; did you mean 'split.holdout'?",
        "write split.holdout in its place",
    ),
    # The configuration's file.
    "nearly the file's name": missing(
        "split -c synthcli.yml", "synthcli.yml: ", "there is no such configuration file", "did you mean synthcli.yaml?"
    ),
    "no configuration": missing(
        "split -c prod.yaml",
        "prod.yaml: ",
        "there is no such configuration file",
        "write a first file with `synthcli init DATA`",
        bare=True,
    ),
    "a table as configuration": Mistake(
        "split -c data.csv", "data.csv: ", "a table, expected a configuration", "give the table without -c"
    ),
    "a folder as configuration": Mistake(
        "split -c artifacts", "artifacts: ", "a folder, expected a configuration file", "did you mean synthcli.yaml?"
    ),
    "a path relative to elsewhere": missing(
        "split -c sub/my.yaml",
        "sub/data.csv: ",
        "no such file",
        "data.path (sub/my.yaml:1:8) is relative to the folder of that file",
        files={"sub/my.yaml": YAML},
    ),
    # The command line.
    "a command misspelt": usage("vaildate", "vaildate: ", "no such command", "did you mean `synthcli validate`?"),
    "a table for a command": usage("data.csv", "data.csv: ", "no such command", "synthcli init data.csv"),
    "an option misspelt": usage(
        "split data.csv --holdot 0.2", "--holdot: ", "no such option", "did you mean --holdout?"
    ),
    "another command's option": usage(
        "fit --rows 20", "--rows: ", "no such option", "--rows is an option of sample, augment, collapse-sim"
    ),
    "a key as an option": usage(
        "split data.csv --target late", "--target: ", "no such option", "--set data.target=VALUE sets data.target"
    ),
    "a percent sign in an option": usage(
        "split data.csv --holdout 20%", "--holdout: ", "got '20%', expected a number", "write --holdout 0.2"
    ),
    "percents in an option": Mistake(
        "split data.csv --holdout 20",
        "--holdout: ",
        "got 20.0, expected a share between 0 and 1",
        "write --holdout 0.2",
    ),
    "a negative number of rows": Mistake(
        "sample -n -5",
        "--rows: ",
        "got -5, expected a whole number of at least 1",
        "set sample.rows to a whole number of at least 1",
    ),
    "a number in another form": usage(
        "sample -n 1e6", "--rows: ", "got '1e6', expected a whole number", "write --rows 1000000"
    ),
    "a choice misspelt": usage(
        "validate --fail-on eror",
        "--fail-on: ",
        "got 'eror', expected one of error, warning, never; did you mean 'error'?",
        "write --fail-on error",
    ),
    "a share without a class": usage(
        "augment --mode rebalance --share 50%",
        "--share '50%': ",
        "expected VALUE=P with a share between 0 and 1",
        "write --share 50%=0.5",
    ),
    "percents of a class in an option": usage(
        "augment --mode rebalance --share true=50%",
        "--share 'true=50%': ",
        "expected VALUE=P",
        "write --share true=0.5",
    ),
    "no mode": usage(
        "augment --share true=0.5", "--mode: ", "none given, and augment.mode is not set", "write --mode rebalance"
    ),
    "one report to compare": usage(
        "compare artifacts",
        "B: ",
        "nothing given, expected the new report.json",
        "usage: synthcli compare [OPTIONS] A B",
    ),
    "nothing to keep": usage("prune", "--keep: ", "nothing given, expected versions to keep", "write --keep N"),
    "nothing to look at": usage(
        "init", "DATA: ", "nothing given, expected CSV or Parquet", "synthcli init [OPTIONS] DATA"
    ),
    "nothing to do with settings": usage(
        "config", "ACTION: ", "nothing given, expected show: ", "usage: synthcli config [OPTIONS] ACTION"
    ),
    "an action misspelt": usage(
        "config sho", "ACTION: ", "got 'sho', expected one of show, schema; did you mean 'show'?", "write show"
    ),
    "a table where none is taken": usage(
        "fit data.csv", "data.csv: ", "more than synthcli fit takes", "a table is named with --train data.csv"
    ),
    "a suffix that nobody writes": usage(
        "sample --output rows.xlsx",
        "rows.xlsx: ",
        "no format has this suffix",
        "use .parquet, .csv, .csv.gz or .jsonl, or --format",
    ),
    "an age in words": Mistake(
        "status --max-age week",
        "--max-age: ",
        'got "week", expected a whole number and a unit',
        "set refresh.max_age to a whole number and a unit, e.g. 7d",
    ),
    "no table": usage(
        "split", "DATA: ", "no table named, and data.path is not set", "or a configuration that does: -c FILE"
    ),
    # Steps in the wrong order or place.
    "fit before split": missing(
        "fit", "artifacts/split: ", "no split to learn from", "run `synthcli split DATA` first", bare=True
    ),
    "fit before split, configured": missing(
        "fit -c my.yaml",
        "artifacts/split: ",
        "no split to learn from",
        "run `synthcli split -c my.yaml` first",
        bare=True,
        files={"my.yaml": YAML},
    ),
    "sample before fit": missing(
        "sample --out new", "new: ", "there is no generator in it", "run `synthcli fit --out new` first"
    ),
    "validate before split": missing(
        "validate",
        "artifacts/split/train.parquet: ",
        "the train table is not there",
        "run `synthcli split DATA` first, or name the file with --train FILE",
        bare=True,
    ),
    "no synthetic table": missing(
        "validate --synthetic no.csv",
        "no.csv: ",
        "the synthetic table is not there",
        "run `synthcli sample` first, or name the file with --synthetic FILE",
    ),
    "no report": missing(
        "gate data.csv --report report.json", "report.json: ", "no report there", "make one with `synthcli validate`"
    ),
    "a value that an option does not take": usage(
        "fit --json=1", "--json: ", "takes no value", "see synthcli fit --help"
    ),
    "an unknown version": missing(
        "sample --generator 99",
        "artifacts: ",
        "there is no version 0099",
        "name one of those there are: 0001, latest is 0001",
    ),
    "an unknown alias": missing(
        "sample --generator champoin",
        "champoin: ",
        "neither an alias or version under artifacts",
        "name one of those there are: 0001, latest is 0001",
    ),
    "rollback to what is not there": missing(
        "rollback 9", "artifacts: ", "there is no version 0009", "0001, latest is 0001"
    ),
    "rollback without a past": missing(
        "rollback", "artifacts: ", "there is no previous champion", "name a version: `synthcli status` lists them"
    ),
    "the holdout to learn from": Mistake(
        "fit --train artifacts/split/holdout.parquet",
        "artifacts/split/holdout.parquet: ",
        "rows are reserved for the audit and must not be learned from",
        "learn from artifacts/split/train.parquet",
        3,
        "holdout_rows",
    ),
    "the whole table to learn from": Mistake(
        "fit --train data.csv",
        "data.csv: ",
        "of 400 rows are reserved for the audit",
        "if data.csv has new rows, divide it first with `synthcli split data.csv`",
        3,
        "holdout_rows",
    ),
    "synthetic rows to learn from": Mistake(
        "fit --train artifacts/synthetic/synthetic.parquet",
        "artifacts/synthetic/synthetic.parquet: ",
        "on record as synthetic",
        "fit on real rows, or learn from these knowingly with --allow-synthetic",
        3,
        "synthetic_input",
    ),
    "the training part as holdout": Mistake(
        "validate --holdout artifacts/split/train.parquet",
        "artifacts/split/train.parquet: ",
        "so it is no holdout of that table",
        "reserve one that no generator has seen: `synthcli split DATA`",
        3,
        "holdout_rows",
    ),
    "a table of another make": Mistake(
        "validate --synthetic my.csv",
        "my.csv: ",
        "3 of the 5 expected columns missing: 'amount', 'day', 'late'",
        "give the table that belongs to this run",
        3,
        "bad_table",
        {"my.csv": "ref,city\n" + "R1,Bern\n" * 20},
    ),
    "too few synthetic rows": Mistake(
        "validate --synthetic my.csv",
        "my.csv: ",
        "the synthetic table has 20 rows, expected at least 50",
        "draw more with `synthcli sample -n 1000`",
        3,
        "bad_table",
        {"my.csv": table(rows=20)},
    ),
    "too few training rows": Mistake(
        "validate --train my.csv --synthetic data.csv",
        "my.csv: ",
        "the train table has 20 rows, expected at least 50",
        "fewer prove nothing: split a larger table",
        3,
        "bad_table",
        {"my.csv": table(rows=20)},
    ),
    "too few reserved rows": Mistake(
        "validate --holdout my.csv",
        "my.csv: ",
        "the holdout table has 20 rows, expected at least 50",
        "with a greater split.holdout in another directory (--out)",
        3,
        "bad_table",
        {"my.csv": table(rows=20)},
    ),
    "too few rows for both": Mistake(
        "validate --train few.csv --holdout my.csv",
        "few.csv: ",
        "the train table has 20 rows, expected at least 50",
        "fewer prove nothing: split a table of 100 or more",
        3,
        "bad_table",
        {"few.csv": table(rows=20), "my.csv": table(rows=30)},
    ),
    "given columns of another table": Mistake(
        "sample --given my.csv",
        "my.csv: ",
        "1 of its 2 columns are unknown to the generator: 'ctiy'",
        "leave out what it did not learn from; did you mean 'city'?",
        3,
        "bad_table",
        {"my.csv": f"ctiy,late\n{CELL},true\n"},
    ),
    "given cells of another type": Mistake(
        "sample --given my.csv",
        "my.csv, line 2, column 'amount': ",
        "the value is no numeric value",
        "correct that cell",
        3,
        "bad_table",
        {"my.csv": f"city,amount\nBern,{CELL}\n"},
    ),
    # Tables.
    "no such table": missing("split dta.csv", "dta.csv: ", "no such file", "did you mean data.csv?"),
    "no such table to look at": missing("init dta.csv", "dta.csv: ", "no such file", "did you mean data.csv?"),
    "a configuration in the way": usage(
        "init data.csv",
        "synthcli.yaml: ",
        "the file exists",
        "--force replaces it, --out-config FILE names another one",
    ),
    "no such folder": missing(
        "split fodler/data.csv", "fodler/data.csv: ", "no such file", "the folder fodler does not exist either"
    ),
    "empty": bad_table("", "", "the file is empty", "give a table with a header and at least one row"),
    "header only": bad_table(
        "a,b,c\n", ", line 1", "a header and no rows", "give a table with a header and at least one row"
    ),
    "a name twice": bad_table(
        f"a,b,a\n1,{CELL},3\n", ", line 1", "columns 1 and 3 have the same name", "give every column a name of its own"
    ),
    "ragged": bad_table(
        f"a,b\n1,2\n1,{CELL},3\n" * 9,
        ", line 3",
        "3 cells where the header has 2",
        "quote cells that hold the delimiter",
    ),
    "an open quote": bad_table(
        "a,b\n" + "1,2\n" * 9 + f'1,"{CELL}\n1,"x\n', ", line 11", "a quote is opened here", "close the quote"
    ),
    "Excel": bad_table(
        b"PK\x03\x04" + b"\0" * 40,
        "",
        "this is a zip archive or an Excel workbook",
        "save it as CSV or Parquet",
        "book.xlsx",
    ),
    "Excel under another name": bad_table(
        b"PK\x03\x04" + b"\0" * 40, "", "an Excel workbook", "save it as CSV or Parquet"
    ),
    "JSON": bad_table(f'[{{"a": "{CELL}"}}]\n', "", "this is JSON", "save it as CSV or Parquet", "my.json"),
    "cut off": bad_table(
        b"PAR1" + b"\0" * 40, "", "the Parquet file is cut off or damaged", "write the file again", "my.parquet"
    ),
    "a wrong encoding": bad_table(
        ("a,b\n" + "é,ü\n" * 40).encode("cp1252") + b"\x81\x81\n,\x9d\xff\xfe",
        ", line 2",
        "the bytes are no valid UTF-8",
        "name the encoding in data.encoding",
    ),
    "an encoding that it has not": Mistake(
        "split data.csv --set data.encoding=utf-16",
        "data.csv, line 1: ",
        "the bytes are no valid utf-16",
        "name the encoding in data.encoding",
        3,
        "bad_table",
    ),
    "a folder of nothing": Mistake(
        "split dir.csv",
        "dir.csv: ",
        "a folder without tables",
        "parts of a table end in .csv",
        3,
        "bad_table",
        {"dir.csv/readme.md": ""},
    ),
    "too few rows": Mistake(
        "split my.csv --out new",
        "split.holdout: ",
        "all 2 rows fall on one side, so that the holdout part would be empty",
        "give more rows or groups, or set another split.holdout or split.method",
        3,
        "bad_table",
        {"my.csv": f"a,b\n1,{CELL}\n2,y\n"},
    ),
    # Files elsewhere.
    "a port that nobody listens at": Mistake(
        "init http://127.0.0.1:1/x.csv --out-config new.yaml",
        "http://127.0.0.1:1/x.csv: ",
        "the host cannot be reached",
        "check its name and port, and the network",
        4,
        "engine",
        needs="aiohttp",
    ),
    "a host that is not there": Mistake(
        "split https://example.invalid/x.csv --out new",
        "https://example.invalid/x.csv: ",
        "the host cannot be reached",
        "check its name and port, and the network",
        4,
        "engine",
        needs="aiohttp",
    ),
    # What is not installed.
    "no Dask": usage(
        "fit --force --workers tcp://localhost:8786 --synthesizer forest",
        "--workers tcp://localhost:8786: ",
        "a cluster needs Dask, which is not installed",
        "pip install 'synthcli[dask]'",
        without="distributed",
    ),
    "no fsspec": usage(
        "split s3://bucket/data.csv",
        "s3://bucket/data.csv: ",
        "s3:// needs fsspec, which is not installed",
        "pip install 'synthcli[s3]'",
        without="fsspec.core",
    ),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory in which everything went well: split, fit, sample."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("data.csv").write_text(table())
        Path("synthcli.yaml").write_text(YAML)
        commands = ("split -c synthcli.yaml", "fit -c synthcli.yaml --synthesizer independent", "sample --seed 1")
        assert [run([*shlex.split(words), "-q"]) for words in commands] == [0, 0, 0]
    return folder


@pytest.fixture(params=MISTAKES)
def mistake(request: pytest.FixtureRequest, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mistake:
    """Return a mistake, in a directory in which it can be made."""
    made = MISTAKES[request.param]
    if made.needs:
        pytest.importorskip(made.needs)
    folder = tmp_path / "here"
    folder.mkdir()
    if not made.bare:
        shutil.copytree(world, folder, dirs_exist_ok=True)
    for name, content in made.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(folder)
    if made.without:
        monkeypatch.setitem(sys.modules, made.without, None)
    return made


def test_a_mistake_is_answered_with_its_place_what_is_wrong_and_what_to_do(
    call: Callable[..., Any], mistake: Mistake
) -> None:
    words = shlex.split(mistake.typed)
    loud, quiet, machine = (call(*words, *more) for more in ((), ("-q",), ("--json",)))
    error = machine.document["error"]
    assert (loud.code, quiet.code, machine.code) == (mistake.code,) * 3, loud.err
    assert error["kind"] == mistake.kind
    assert error["message"].startswith(mistake.place), error["message"]
    assert mistake.says in error["message"]
    assert mistake.hint in error["hint"]

    name = f"synthcli {words[0]}" if words[0] in COMMANDS else "synthcli"
    assert loud.out == quiet.out == ""
    assert loud.err.endswith(f"{name}: {error['message']}\nhint: {error['hint']}\n")
    assert [line for line in quiet.err.splitlines() if not line.startswith("warning: ")] == [
        f"{name}: {error['message']}; {error['hint']}"
    ]
    assert "\n" not in error["message"]
    assert not re.search(r"[.;:,]$|\. [A-Z]", error["message"]), "one sentence, without a stop"
    said = "".join((loud.err, quiet.err, machine.err, machine.out))
    assert "Traceback" not in said
    assert CELL not in said
    check_names(error["hint"])


def check_names(hint: str) -> None:
    """Fail for an option, a key or a command in a hint that does not exist."""
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", hint):
        assert option in known_options(), option
    for command in re.findall(r"synthcli ([a-z][a-z-]*)", hint):
        assert command in COMMANDS, command
    for key in re.findall(rf"(?<![\w./-])(?:{'|'.join(sections())})\.[a-z_.]*[a-z_]", hint):
        assert {key, key.rpartition(".")[0]} & known_keys() or Path(key).exists(), key


@cache
def known_options() -> frozenset[str]:
    commands = [load_command(name) for name in COMMANDS]
    return frozenset(
        {"--help", *(option for command in commands for parameter in command.params for option in parameter.opts)}
    )


@cache
def known_keys() -> frozenset[str]:
    models = {field.alias or name: field.default_factory for name, field in Config.model_fields.items()}
    keys = {f"{section}.{key}" for section, make in models.items() if make for key in type(make()).model_fields}
    return frozenset(keys | {f"synthesizer.{key}" for kind in KINDS.values() for key in kind.model_fields})


def sections() -> list[str]:
    return sorted({key.partition(".")[0] for key in known_keys()})


@pytest.mark.parametrize("hint", ["take --rowz", "run `synthcli mend`", "set split.holdot"])
def test_a_hint_that_names_what_does_not_exist_would_be_found(hint: str) -> None:
    with pytest.raises(AssertionError):
        check_names(hint)


def test_a_disk_without_room_is_told_with_what_did_not_fit(
    call: Callable[..., Any], world: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    ended = call("sample", "-n", 200_000, "--output", small_disk / "rows.csv", "--json")
    error = ended.document["error"]
    assert (ended.code, error["kind"]) == (4, "engine")
    assert re.fullmatch(rf"{small_disk}\S*: no space left on device", error["message"])
    assert error["hint"] == "make room, and run it again"
    assert [path for path in small_disk.iterdir() if path.stat().st_size] == []


def test_a_directory_that_may_not_be_written_is_named(
    call: Callable[..., Any], world: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    ended = call("split", "data.csv", "--out", small_disk / "out")
    assert ended.code == 4
    assert f"{small_disk / 'out'}" in ended.err
    assert "read-only file system" in ended.err
    assert "hint: check the path, its permissions" in ended.err


def test_without_a_command_the_help_is_all_that_is_said(call: Callable[..., Any]) -> None:
    ended = call()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: synthcli")
    assert "hint" not in ended.err
