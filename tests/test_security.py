"""What docs/security.md claims, tried as an attacker would: strangers' files, hostile names, formulas, other users.

What is tested where it lives is not repeated here: YAML in tests/config/test_document.py, hostile names in the HTML,
Markdown, JUnit and GitHub renderings in tests/reports, planted rare values in tests/commands/test_planted.py, and
credentials in URLs in tests/test_remote.py.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import re
import shutil
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import ROOT, columns, mixed_table
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli import registry, upkeep
from synthcli.artifacts import parse_json, sha256
from synthcli.commands import completing
from synthcli.errors import BadTableError
from synthcli.progress import visible_json, visible_lines
from synthcli.synthesizers.forest import storage
from synthcli.synthesizers.forest.pruning import Structure
from synthcli.synthesizers.pickled import read_pickle
from synthcli.tables.spool import new_spool
from synthcli.tables.write import FORMULA, as_written, formula_cells, with_formulas_escaped, write_stream

Call = Callable[..., Any]

#: Whatever a stranger may put where a JSON document is expected.
NO_JSON = {
    "deep": "[" * 100_000,
    "deep and whole": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "nan": '{"rows": NaN}',
    "infinite": '{"rows": 1e999}',
    "endless number": "1" * 5_000,
    "null": "null",
    "list": "[]",
    "number": "3",
    "empty": "",
    "control": "\x00",
    "other version": '{"schema_version": 99}',
}
BAD = pytest.mark.parametrize("text", NO_JSON.values(), ids=NO_JSON)

#: A name that paints a terminal red, by ESC and by the single sign that means the same, turns text and ends a line.
HOSTILE = "a\x1b[31m\x9b31m\u202eb\n::error::x"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a real table and a run of it: a split, a forest, an independent baseline, a sample."""
    from synthcli.app import run

    folder = tmp_path_factory.mktemp("secret-place")
    mixed_table(300, 1).write_csv(folder / "table.csv")
    out = ["--out", str(folder / "out"), "-q"]
    split = ["split", str(folder / "table.csv"), "--set", "split.salt=pepper", "--method", "hash", *out]
    for words in (
        split,
        ["fit", "--synthesizer", "independent", *out],
        ["fit", "--synthesizer", "forest", *out],
        ["sample", "-n", "50", "--seed", "1", *out],
    ):
        assert run(words) == 0
    return folder


@pytest.fixture
def mine(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the run, to be broken."""
    return Path(shutil.copytree(made, tmp_path / "mine"))


def refused(ended: Any, *codes: int) -> None:
    """Hold that a command ended with a sentence and a hint, and not by an error that nobody foresaw."""
    assert ended.code in (codes or (2, 3)), ended.err
    assert "hint: " in ended.err
    assert "unexpected" not in ended.err
    assert "Traceback" not in ended.err


def rehashed(folder: Path) -> None:
    """Make the manifest true to the files, as whoever writes both can."""
    manifest = json.loads((folder / "manifest.json").read_text())
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    manifest["files"] = {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size} for path in files
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


# --- Configuration outside of files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        '[!!python/object/apply:os.system ["touch owned"]]',
        "{a: !!python/name:os.system }",
        "[" * 100_000,
        "[&a [1, 1, 1], "
        + ", ".join(f"&{b} [*{a}, *{a}, *{a}]" for a, b in pairwise("abcdefghijklmnopqrstuvwxyz"))
        + "]",
    ],
    ids=["tag", "name", "deep", "aliases"],
)
@pytest.mark.parametrize("way", ["--set", "environment"])
def test_values_outside_of_files_execute_nothing_and_do_not_explode(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--set", f"data.path={value}"] if way == "--set" else []
    if way == "environment":
        monkeypatch.setenv("SYNTHCLI_DATA__PATH", value)
    refused(call("status", *words), 2)
    assert not list(tmp_path.iterdir())


# --- Files of strangers -------------------------------------------------------------------------------------------


@BAD
def test_what_is_no_document_raises_nothing_that_nobody_foresees(text: str) -> None:
    with suppress(ValueError):
        parse_json(text)


def test_numbers_that_json_has_not_are_refused() -> None:
    for text in ("NaN", "[-Infinity]", "1e999"):
        with pytest.raises(ValueError, match="JSON has not"):
            parse_json(text)


@BAD
@pytest.mark.parametrize(
    "words",
    [("gate", "{table}", "--report"), ("compare", "{report}"), ("validate", "--from")],
    ids=["gate", "compare", "validate"],
)
def test_a_strangers_report_is_refused(
    call: Call, made: Path, tmp_path: Path, words: tuple[str, ...], text: str
) -> None:
    (tmp_path / "report.json").write_text(text)
    report = str(tmp_path / "report.json")
    given = [word.format(table=made / "table.csv", report=report) for word in words]
    refused(call(*given, report, "--out", tmp_path / "out"), 3)


@BAD
def test_a_strangers_manifest_is_refused(call: Call, mine: Path, text: str) -> None:
    folder = mine / "out" / "generators" / "0002"
    (folder / "manifest.json").write_text(text)
    refused(call("sample", "-n", "5", "--generator", folder, "--out", mine / "other"), 3)


@pytest.mark.parametrize("change", [
    {"files": {"generator.json": 3}}, {"files": []}, {"train": None}, {"train": {"path": "x", "rows": "many"}},
    {"notes": 3}, {"seed": "x"}, {"kind": []}, {"version": True}, {"selection": "x"},
], ids=str)  # fmt: skip
def test_a_manifest_of_wrong_types_is_refused(call: Call, mine: Path, change: dict[str, Any]) -> None:
    path = mine / "out" / "generators" / "0002" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    refused(call("sample", "-n", "5", "--out", mine / "out"), 3)


@pytest.mark.parametrize("file", ["generator.json", "schema.json", "model/columns.json", "model/forest.npz"])
@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "PK\x03\x04", ""], ids=["deep", "no keys", "zip", "empty"])
def test_a_strangers_model_whose_hashes_are_right_is_refused_all_the_same(
    call: Call, mine: Path, file: str, text: str
) -> None:
    folder = mine / "out" / "generators" / "0002"
    (folder / file).write_text(text)
    rehashed(folder)
    refused(call("sample", "-n", "5", "--out", mine / "out"), 3)


@BAD
def test_aliases_events_and_what_refresh_remembers_stop_nothing(call: Call, mine: Path, text: str) -> None:
    generators = mine / "out" / "generators"
    for path in (generators / "events.jsonl", mine / "out" / "refresh" / "state.json"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert call("status", "--out", mine / "out").code in (0, 1)
    assert upkeep.read(mine / "out") == upkeep.State()
    (generators / "aliases.json").write_text(text)
    ended = call("sample", "-n", "5", "--out", mine / "out")
    if ended.code:
        refused(ended, 3)


@BAD
def test_a_split_that_nobody_can_read_stops_learning(call: Call, mine: Path, text: str) -> None:
    (mine / "out" / "split" / "split.json").write_text(text)
    refused(call("fit", "--synthesizer", "independent", "--out", mine / "out"), 3)


@BAD
def test_a_strangers_lineage_is_no_evidence(call: Call, mine: Path, text: str) -> None:
    (mine / "table.csv.lineage.json").write_text(text)
    refused(call("lineage", mine / "table.csv", "--out", mine / "out"), 3)


@pytest.mark.parametrize("change", [
    {"depth": 10**30}, {"depth": "1"}, {"seed": "x"}, {"generator": {"kind": "x"}}, {"tool": 3}, {"rows": -1},
    {"parents": [{"sha256": None, "kind": "real", "depth": 0, "real_share": 1.0, "name": "x", "rows": "many"}]},
    {"parents": [{"sha256": 3, "kind": "real", "depth": 0, "real_share": 1.0, "name": "x", "rows": 1}]},
], ids=str)  # fmt: skip
def test_a_lineage_of_wrong_types_is_no_evidence(call: Call, mine: Path, change: dict[str, Any]) -> None:
    path = mine / "out" / "synthetic" / "synthetic.parquet.lineage.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    refused(call("lineage", path.with_name("synthetic.parquet"), "--out", mine / "out"), 3)


# --- Paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../table", "/etc", "..", ".", "0002/../..", "~", ""])
def test_a_generators_name_leads_to_no_other_file(call: Call, mine: Path, name: str) -> None:
    refused(call("sample", "-n", "5", "--generator", name, "--out", mine / "out"), 3)


def test_an_alias_means_a_number_and_no_path(call: Call, mine: Path) -> None:
    (mine / "out" / "generators" / "aliases.json").write_text('{"latest": "../../x"}')
    refused(call("sample", "-n", "5", "--out", mine / "out"), 3)


@pytest.mark.parametrize("name", ["../0001/schema.json", "/etc/hostname", "model/../../0001/schema.json"])
def test_a_manifest_names_no_file_outside_of_its_folder(mine: Path, name: str) -> None:
    version = registry.resolve(mine / "out", "2")
    described = {**version.manifest.files, name: {"sha256": "0" * 64, "bytes": 1}}
    with pytest.raises(BadTableError, match="is missing"):
        registry.verify(replace(version, manifest=replace(version.manifest, files=described)))


@pytest.mark.parametrize("other", ["link", "pipe"])
def test_a_link_or_pipe_in_a_version_is_not_opened(mine: Path, other: str) -> None:
    folder = mine / "out" / "generators" / "0002"
    schema = folder / "schema.json"
    if other == "link":
        shutil.copy(schema, mine / "elsewhere.json")
        schema.unlink()
        schema.symlink_to(mine / "elsewhere.json")
    else:
        schema.unlink()
        os.mkfifo(schema)  # who opens it waits for ever
    with pytest.raises(BadTableError, match=re.escape("schema.json is a link, or no file at all")):
        registry.verify(registry.read(folder))


# --- Models that are programs -------------------------------------------------------------------------------------


class Payload:
    """What a pickle can do: call anything, with anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.called = (function, arguments)

    def __reduce__(self) -> Any:
        return self.called


PAYLOADS = {
    "system": lambda file: Payload(os.system, f"touch {file}"),
    "eval": lambda file: Payload(eval, f"open({str(file)!r}, 'w')"),
    "open": lambda file: Payload(open, str(file), "w"),
    "memmap": lambda file: Payload(np.memmap, str(file), "uint8", "w+", 0, (1,)),
    "getattr": lambda file: Payload(getattr, str, "format"),
    "deferred": lambda file: Payload(pl.DataFrame, {"a": [1]}),
}


@pytest.mark.parametrize("kind", PAYLOADS)
def test_a_pickle_that_names_anything_else_is_not_run(tmp_path: Path, kind: str) -> None:
    path, file = tmp_path / "model.pkl", tmp_path / "owned"
    path.write_bytes(pickle.dumps({"model": PAYLOADS[kind](file)}))
    with pytest.raises((BadTableError, pickle.UnpicklingError)):
        read_pickle(path)
    assert not file.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pandas.core.frame", "DataFrame.to_pickle"),
        ("pandas.core.frame", "com"),
        ("pandas.core.frame", "no_such_thing"),
        pytest.param("copulas.utils", "get_instance", marks=pytest.mark.slow),
        pytest.param("ctgan.data_transformer", "Parallel", marks=pytest.mark.slow),
    ],
)
def test_dotted_names_and_functions_of_the_allowed_libraries_are_refused(
    tmp_path: Path, module: str, name: str
) -> None:
    text = b"\x80\x04" + b"".join(b"\x8c" + struct.pack("B", len(each)) + each.encode() for each in (module, name))
    (tmp_path / "model.pkl").write_bytes(text + b"\x93.")
    with pytest.raises(BadTableError, match=re.escape(f"{module}.{name}")):
        read_pickle(tmp_path / "model.pkl")


@pytest.mark.slow
def test_a_strangers_generator_runs_nothing_and_is_warned_of(call: Call, mine: Path, tmp_path: Path) -> None:
    out = mine / "out"
    assert call("fit", "--synthesizer", "gaussian_copula", "--out", out).code == 0
    given = Path(shutil.copytree(out / "generators" / "0003", tmp_path / "given"))
    ended = call("sample", "-n", "5", "--generator", given, "--out", out)
    assert ended.code == 0
    assert "a pickled model that was not fitted here" in ended.err
    (given / "model" / "model.pkl").write_bytes(pickle.dumps(Payload(os.system, f"touch {tmp_path / 'owned'}")))
    rehashed(given)
    ended = call("sample", "-n", "5", "--generator", given, "--out", out)
    refused(ended, 3)
    assert "system" in ended.err
    assert not (tmp_path / "owned").exists()


def test_a_forest_of_a_stranger_is_no_program_and_is_not_warned_of(call: Call, mine: Path, tmp_path: Path) -> None:
    given = Path(shutil.copytree(mine / "out" / "generators" / "0002", tmp_path / "given"))
    ended = call("sample", "-n", "5", "--generator", given, "--out", mine / "out")
    assert (ended.code, "pickled" in ended.err) == (0, False)


@pytest.mark.parametrize(
    ("left", "right", "feature"),
    [
        ([1, -1, -1], [10**6, -1, -1], [0, -1, -1]),
        ([0, -1, -1], [2, -1, -1], [0, -1, -1]),
        ([1, 0, -1], [2, 2, -1], [0, 0, -1]),
        ([1, -1, -1], [2, -1, -1], [7, -1, -1]),
        ([1, -1, -1], [2, 5, -1], [0, -1, -1]),
        ([], [], []),
    ],
    ids=["outside", "itself", "a circle", "no such column", "half a leaf", "nothing"],
)
def test_nodes_that_lead_anywhere_but_down_are_no_tree(left: list[int], right: list[int], feature: list[int]) -> None:
    """The compiled walk down a tree checks nothing: it would read beside the array, or never end."""
    nodes = (np.array(part, np.int64) for part in (left, right, feature))
    with pytest.raises(ValueError, match="do not lead down"):
        storage._check_leads_down(Structure(*nodes, np.zeros(len(left))), 1)


def test_nothing_in_the_package_runs_a_text_or_a_shell() -> None:
    """``pickle.load`` is left in one place: a file that a process wrote for its own workers."""
    banned = re.compile(
        r"\b(?:(?<![.\w])(?:eval|exec|compile)|os\.system|os\.popen|yaml\.load|torch\.load|pickle\.loads?|joblib\.load"
        r"|tempfile\.mktemp|load_synthesizer)\(|shell=|allow_pickle=(?!False)|np\.load\((?!.*allow_pickle=False)"
    )
    found = [
        f"{path.relative_to(ROOT / 'synthcli')}: {call[0]}"
        for path in sorted((ROOT / "synthcli").rglob("*.py"))
        for call in banned.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == ["synthesizers/forest/filling.py: pickle.load("]


# --- Names on a terminal ------------------------------------------------------------------------------------------


def unprinted(text: str) -> set[str]:
    return {sign for sign in text if not sign.isprintable() and sign != "\n"}


def test_no_name_paints_a_terminal(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = mixed_table(300, 1).rename({"city": HOSTILE}).with_columns(pl.col("grade").replace("high", HOSTILE))
    folder = tmp_path / "d\x1b[2Jir"
    folder.mkdir()
    monkeypatch.chdir(folder)
    table.write_csv("t\x1b[31m.csv")
    reports = [
        call("split", "t\x1b[31m.csv", "-v", "--set", "data.target=late"),
        call("fit", "--synthesizer", "independent", "-v"),
        call("sample", "-n", "60"),
        call("validate", "--set", "validate.families=[accuracy, validity, diversity]"),
        call("validate", "--from", "artifacts/validate/report.json", "--json"),
        call("lineage", "t\x1b[31m.csv"),
        call("lineage", "artifacts/synthetic/synthetic.parquet", "--json"),
        call("compare", "artifacts", "artifacts"),
        call("sample", "--where", f"{HOSTILE}=x"),
        call("sample", "--where", f"nosuch{HOSTILE}=x", "--log-json", "--json"),
        call("split", f"no{HOSTILE}.csv", "-q"),
        call("split", f"no{HOSTILE}.csv", "--debug"),
        call("status", "--set", f"run.{HOSTILE}=1"),
        call("status", f"--{HOSTILE}"),
    ]
    for ended in reports:
        assert not unprinted(ended.out + ended.err)
        assert "unexpected" not in ended.err
    assert [ended.code for ended in reports[:3]] == [0, 0, 0]
    summary = (folder / "artifacts" / "validate" / "summary.md").read_text()
    assert not unprinted(summary)
    junit = (folder / "artifacts" / "validate" / "junit.xml").read_text()
    assert not unprinted(junit)


def test_completion_offers_no_name_that_a_shell_would_obey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "generators").mkdir()
    (tmp_path / "generators" / "aliases.json").write_text(json.dumps({"latest": 1, HOSTILE: 2, "$(touch owned)": 3}))
    (tmp_path / "a.yaml").touch()
    (tmp_path / "b\x1b[31m.yaml").touch()
    context: Any = SimpleNamespace(params={"out": str(tmp_path)})
    assert [name for name, _ in completing.generators(context, "")] == ["latest"]
    assert [name for name, _ in completing.configurations(context, "")] == ["a.yaml"]


@given(st.text())
def test_what_a_terminal_is_shown_prints_and_json_says_the_same(text: str) -> None:
    assert not unprinted(visible_lines(text))
    shown = visible_json({"a": text})
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert json.loads(shown) == {"a": text}


# --- Formulas in CSV ----------------------------------------------------------------------------------------------

SIGNS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝"]


def written(frame: pl.DataFrame, schema: Any) -> list[list[str]]:
    file = io.BytesIO()
    write_stream([frame], schema, file, format="csv")
    return list(csv.reader(io.StringIO(file.getvalue().decode(), newline="")))


@settings(max_examples=30)
@given(st.lists(st.text(alphabet=st.sampled_from([*SIGNS, "'", '"', ",", ";", " ", "a", "1"])), min_size=1))
def test_no_text_cell_begins_a_formula_and_nothing_else_is_changed(texts: list[str]) -> None:
    schema = with_formulas_escaped(columns(text="categorical", number="numeric"), True)
    frame = pl.DataFrame({"text": texts, "number": [-1.5] * len(texts)})
    rows = written(frame, schema)[1:]
    assert [row[0] for row in rows] == [f"'{text}" if text[:1] in SIGNS and text else text for text in texts]
    assert not any(re.match(FORMULA, row[0]) for row in rows)
    assert {row[1] for row in rows} == {"-1.5"}
    assert as_written(frame, schema, "csv")["text"].to_list() == [row[0] for row in rows]


def test_names_and_spellings_of_truth_values_are_cells_too() -> None:
    schema = columns(**{"=cmd": "boolean", "plain": "categorical"})
    first = replace(schema.columns[0], spelling=("=0", "=1"))
    schema = replace(schema, columns=(first, schema.columns[1]))
    frame = pl.DataFrame({"=cmd": [True, None], "plain": ["x", None]})
    assert written(frame, schema) == [["=cmd", "plain"], ["=1", "x"], ["", ""]]
    assert written(frame, with_formulas_escaped(schema, True)) == [["'=cmd", "plain"], ["'=1", "x"], ["", ""]]
    assert (formula_cells(frame, schema), formula_cells(frame, with_formulas_escaped(schema, True))) == (1, 0)


@pytest.fixture(scope="module")
def formulas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on a table with a hundred formulas in a text column and negative numbers in another."""
    from synthcli.app import run

    folder = tmp_path_factory.mktemp("formulas")
    rows = [{"note": "=1+1" if place % 2 else "plain", "n": -place} for place in range(200)]
    pl.DataFrame(rows).write_csv(folder / "table.csv")
    fit = ["fit", "--train", str(folder / "table.csv"), "--synthesizer", "independent"]
    assert run([*fit, "--out", str(folder / "out"), "-q"]) == 0
    return folder


def test_sample_warns_of_formulas_with_their_number_and_the_way_out(call: Call, formulas: Path, tmp_path: Path) -> None:
    words = ["sample", "-n", "100", "--seed", "1", "--out", formulas / "out", "-q"]
    ended = call(*words, "--output", "-")
    found = sum(row[0] == "=1+1" for row in csv.reader(io.StringIO(ended.out)))
    assert found
    assert f"warning: {found} cells or names of columns begin as a formula does" in ended.err
    assert "--escape-formulas" in ended.err
    assert "=1+1" not in ended.err
    escaped = call(*words, "--output", "-", "--escape-formulas")
    assert escaped.err == ""
    assert escaped.out == ended.out.replace("=1+1", "'=1+1")
    configured = call(*words, "--output", tmp_path / "x.csv", "--set", "sample.escape_formulas=true")
    assert (configured.err, (tmp_path / "x.csv").read_text()) == ("", escaped.out)
    assert call(*words, "--output", tmp_path / "x.parquet").err == ""


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("escape", [True, False])
def test_escaped_or_not_the_rows_of_a_sample_are_known_again(
    call: Call, tmp_path: Path, format: str, escape: bool
) -> None:
    """Its sketch holds the rows that the file has: a setting must not open the way for our own rows into a training."""
    numbers = np.random.default_rng(1).normal(size=(600, 3)).round(3)
    real = pl.DataFrame(numbers, schema=["a", "b", "c"]).with_columns(note=pl.lit("=") + (pl.col("a") > 0).cast(str))
    real.write_csv(tmp_path / "real.csv")
    out, drawn = tmp_path / "out", tmp_path / f"drawn.{format}"
    fit = ["fit", "--synthesizer", "independent", "--out", out]
    assert call(*fit, "--train", tmp_path / "real.csv", "-q").code == 0
    setting = f"sample.escape_formulas={str(escape).lower()}"
    assert call("sample", "-n", "600", "--output", drawn, "--set", setting, "--out", out, "-q").code == 0
    rows = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[format](drawn)
    rows.write_csv(tmp_path / "found.csv")  # without its record
    ended = call(*fit, "--train", tmp_path / "found.csv", "--json")
    assert (ended.code, ended.document["error"]["kind"]) == (3, "contaminated")


@pytest.mark.parametrize(
    "more", [["--format", "parquet"], ["--format", "jsonl"], ["--output", "x.parquet"], ["--shards", "2"]]
)
def test_escaping_what_nothing_computes_is_a_usage_error(call: Call, formulas: Path, more: list[str]) -> None:
    refused(call("sample", "--escape-formulas", *more, "--out", formulas / "out"), 2)


# --- Who can read what --------------------------------------------------------------------------------------------


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


#: Files that are their owner's alone whatever the umask is: they tell which rows were held.
OWN = ("holdout.keys", ".npz")


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_have_the_umasks_permissions_and_keys_are_their_owners(call: Call, tmp_path: Path, mask: int) -> None:
    mixed_table(300, 1).write_csv(tmp_path / "table.csv")
    out = ["--out", tmp_path / "out"]
    with umask(mask):
        split = call("split", tmp_path / "table.csv", "--method", "random", *out)
        assert call("fit", "--synthesizer", "bootstrap", *out).code == 0
        assert call("sample", "-n", "50", *out).code == 0
        augmented = call(
            "augment", "--mode", "upsample", "-n", "250", "--synthesizer", "independent", "--lift", "off", *out
        )
        assert augmented.code == 0, augmented.err
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    names = {path.name for path in modes}
    assert {"train.parquet", "holdout.parquet", "holdout.keys", "rows.parquet", "augmented.parquet"} <= names
    for path, mode in modes.items():
        own = path.name.endswith(OWN) or path.name.startswith(".lock")
        assert mode & ~(0o600 if own and ".lock" not in path.name else 0o666 & ~mask) == 0, path
    readable = stat.filemode(stat.S_IFREG | 0o666 & ~mask)
    for ended, name in ((split, "holdout.parquet"), (augmented, "augmented.parquet")):
        said = [line for line in ended.err.splitlines() if line.startswith("real rows, ")]
        assert len(said) == 1
        assert readable in said[0]
        assert name in said[0]


def test_quiet_says_nothing_of_real_rows(call: Call, made: Path) -> None:
    assert "real rows" not in call("split", made / "table.csv", "--out", made / "out", "-q").err


def test_temporary_copies_are_their_owners() -> None:
    with umask(0o000):
        assert stat.S_IMODE(new_spool().parent.stat().st_mode) == 0o700


# --- What goes out with a release ---------------------------------------------------------------------------------


def test_a_released_file_and_its_sidecar_tell_neither_path_nor_salt(made: Path) -> None:
    released = made / "out" / "synthetic"
    for path in (released / "synthetic.parquet", released / "synthetic.parquet.lineage.json"):
        content = path.read_bytes()
        for secret in (b"secret-place", b"pepper", str(Path.home()).encode(), socket.gethostname().encode()):
            assert secret not in content, path
    sidecar = json.loads((released / "synthetic.parquet.lineage.json").read_text())
    assert [parent["name"] for parent in sidecar["parents"]] == ["train.parquet"]


def test_reports_hold_nothing_of_the_environment(call: Call, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    ended = call("validate", "--set", "validate.families=[accuracy]", "--fail-on", "never", "--out", made / "out")
    assert ended.code == 0, ended.err
    for path in (made / "out").rglob("*"):
        assert not path.is_file() or b"wJalrXUtnFEMI" not in path.read_bytes(), path


# --- The network --------------------------------------------------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Refuse every connection and look-up, and return those that were tried."""
    tried: list[Any] = []

    def refuse(*words: Any, **more: Any) -> Any:
        tried.append(words)
        raise OSError("the network was asked for something")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return tried


def without_network(call: Call, folder: Path, kind: str, *more: str) -> None:
    mixed_table(400, 1).write_csv(folder / "table.csv")
    out = ["--out", folder / "out", "-q"]
    for words in (
        ["split", folder / "table.csv"],
        ["fit", "--synthesizer", kind, "--set", "run.workers=1", *more],
        ["sample", "-n", "100"],
        ["validate", "--fail-on", "never", "--set", "validate.families=[accuracy, validity, diversity]"],
    ):
        ended = call(*words, *out)
        assert ended.code == 0, ended.err


def test_a_run_asks_nothing_of_the_network(call: Call, tmp_path: Path, no_network: list[Any]) -> None:
    without_network(call, tmp_path, "forest")
    assert no_network == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gaussian_copula", "tvae"])
def test_sdv_asks_nothing_of_the_network(call: Call, tmp_path: Path, no_network: list[Any], kind: str) -> None:
    without_network(call, tmp_path, kind, *(["--set", "synthesizer.epochs=1"] if kind == "tvae" else []))
    assert no_network == []


# --- The page that says all of this -------------------------------------------------------------------------------


def test_the_page_on_security_names_tests_that_there_are() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\btest_\w+(?!\w|\.py)\b", text)) - {path.stem for path in (ROOT / "tests").rglob("*.py")}
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
    assert named
    assert named <= there
