"""Nothing that is written holds a rare category, a true extreme or an id of the training part, in any form.

Values that occur nowhere else are planted in a table, a run is made with every generator, and every byte of what was
written (outside of the split, which *is* the real table) and said is searched for them: as text and as binary numbers.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

ROWS = 400
TEXTS = ("PLANTED-ALPHA", "PLANTED-BETA", "plantéd γ", "2061-07-28", "2061-07-28T11:17:39")
FLOATS = (987654.3125, -765432.0625, 31337.1875)
WHOLE = (86_420_975, 75_319_864)
MOMENT = datetime(2061, 7, 28, 11, 17, 39)
IDS = ("ID-731908264", "ID-731908265", "ID-205517093")

QUICK: dict[str, dict[str, Any]] = {
    "gaussian_copula": {"default_distribution": "norm"},
    "gaussian_copula, empirical": {"marginals": "empirical"},
    "forest": {},
    "bootstrap": {},
    "independent": {},
    "ctgan": {"epochs": 1, "batch_size": 50, "generator_dim": [8], "discriminator_dim": [8], "embedding_dim": 4},
    "tvae": {"epochs": 1, "batch_size": 50, "compress_dims": [8], "decompress_dims": [8], "embedding_dim": 4},
    "copula_gan": {
        "epochs": 1,
        "batch_size": 50,
        "generator_dim": [8],
        "discriminator_dim": [8],
        "embedding_dim": 4,
        "default_distribution": "norm",
    },
}
#: Networks take long; of the baselines, `make test` needs none.
LONG = ("gaussian_copula", "gaussian_copula, empirical", "ctgan", "tvae", "copula_gan", "bootstrap", "independent")


def table() -> pl.DataFrame:
    """Return rows with common values, in which few rows have the planted ones."""
    draw = np.random.default_rng(5)
    moments = [datetime(2020, 1, 1) + timedelta(hours=int(hour)) for hour in draw.integers(0, 5000, ROWS)]
    frame = pl.DataFrame(
        {
            "key": [f"ID-{300_000_000 + 1_000 * place}" for place in draw.permutation(60_000)[:ROWS]],
            "money": draw.normal(100, 20, ROWS).round(4),
            "amount": pl.Series(draw.integers(0, 900, ROWS)),
            "single": pl.Series(draw.normal(size=ROWS), dtype=pl.Float32),
            "moment": moments,
            "place": draw.choice(["north", "south", "east"], ROWS),
            "code": draw.choice([11, 12, 13], ROWS),
            "low": draw.integers(0, 50, ROWS),
        }
    )
    cells = {
        "key": {3: IDS[0], 90: IDS[1], 200: IDS[2]},
        "money": {1: FLOATS[0], 2: FLOATS[0], 4: FLOATS[0], 77: FLOATS[1]},
        "amount": {5: WHOLE[0]},
        "single": {9: FLOATS[2]},
        "moment": {11: MOMENT},
        "place": {21: TEXTS[0], 24: TEXTS[2]} | dict.fromkeys((22, 23, 25, 26), TEXTS[1]),
        "code": dict.fromkeys((31, 32, 33, 34), WHOLE[1]),  # by chance some lie in the holdout
    }
    for name, planted in cells.items():
        column = frame[name].scatter(list(planted), list(planted.values()))
        frame = frame.with_columns(column)
    return frame.with_columns((pl.col("low") + pl.col("amount").clip(0, 900)).alias("high"))


def forms() -> dict[str, bytes]:
    """Return every planted value in every form in which a file may hold it."""
    texts = [*TEXTS, *IDS, *(repr(number) for number in FLOATS), *map(str, WHOLE), *map(repr, map(float, WHOLE))]
    texts += [json.dumps(text).strip('"') for text in TEXTS]
    found = {f"{text} as {code}": text.encode(code) for text in texts for code in ("utf-8", "utf-16-le")}
    ticks = int(MOMENT.replace(tzinfo=UTC).timestamp())
    wholes = [*WHOLE, ticks, ticks * 1000, ticks * 1_000_000, ticks * 1_000_000_000]
    for order in "<>":
        found |= {f"{number} as {order}d": struct.pack(f"{order}d", number) for number in (*FLOATS, *wholes)}
        found |= {f"{number} as {order}f": struct.pack(f"{order}f", number) for number in FLOATS}
        found |= {f"{number} as {order}q": struct.pack(f"{order}q", number) for number in wholes}
        found |= {f"{number} as {order}i": struct.pack(f"{order}i", number) for number in wholes if number < 2**31}
    return found | {f"{number} as text": str(number).encode() for number in wholes}


def contents(path: Path) -> Iterator[bytes]:
    """Yield what a file holds: its bytes, and what is packed in them."""
    raw = path.read_bytes()
    yield raw
    if zipfile.is_zipfile(io.BytesIO(raw)):
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            yield from map(packed.read, packed.namelist())
    if path.suffix in (".parquet", ".arrow", ".ipc"):
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ipc(path)
        flat = [column.explode() if column.dtype == pl.List else column for column in frame]
        yield from (column.to_physical().to_numpy().tobytes() for column in flat if column.dtype != pl.String)
        yield frame.write_ndjson().encode()


def found_in(folder: Path) -> dict[str, set[str]]:
    """Return the planted values by the file that holds them."""
    wanted = forms()
    found: dict[str, set[str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "split" not in path.parts):
        held = {name for data in contents(path) for name, value in wanted.items() if value in data}
        if held:
            found[str(path.relative_to(folder))] = held
    return found


def run_all(call: Callable[..., Any], folder: Path, label: str, *more: str) -> str:
    """Run the pipeline with one generator; return all that it said."""
    table().write_csv(folder / "table.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    section = {"kind": label.split(",", maxsplit=1)[0], **QUICK[label]}
    (folder / "c.yaml").write_text(
        "data:\n  path: table.csv\n  primary_key: key\n  target: place\n  columns: {code: {type: categorical}}\n"
        "  constraints: [{kind: inequality, low_column_name: low, high_column_name: high}]\n"
        f"synthesizer: {json.dumps(section)}\nrun: {{seed: 3, output_dir: out}}\n"
    )
    said = ""
    for words in (
        ["split"],
        ["fit", "-v", "--log-json"],
        ["sample", "--seed", "1", "-n", "300", "-v"],
        ["sample", "--seed", "1", "-n", "300", "--format", "csv", "--json"],
        ["sample", "--seed", "1", "-n", "300", "--format", "jsonl"],
        ["validate", "-v", "--fail-on", "never"],
        ["validate", "--json", "--fail-on", "never", "--set", "validate.families=[accuracy, validity, privacy]"],
    ):
        ended = call(*words, "-c", folder / "c.yaml", *more)
        assert ended.code == 0, ended.err
        said += ended.out + ended.err
    return said


@pytest.mark.parametrize("how", ["sample", pytest.param("constant", marks=pytest.mark.slow)])
@pytest.mark.parametrize("label", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in QUICK])
def test_nothing_planted_is_found_again(call: Callable[..., Any], tmp_path: Path, label: str, how: str) -> None:
    said = run_all(call, tmp_path, label, "--set", f"protection.rare_category={how}")
    (tmp_path / "table.csv").unlink()
    (tmp_path / "said.txt").write_text(said, encoding="utf-8")
    assert found_in(tmp_path) == {}


def test_the_search_finds_what_is_not_protected(call: Callable[..., Any], tmp_path: Path) -> None:
    off = ["--set", "protection.rare_category_min_count=0", "--set", "protection.clip_extremes=0"]
    run_all(call, tmp_path, "gaussian_copula", *off)
    found = found_in(tmp_path / "out" / "generators" / "0001")
    held = set().union(*found.values())
    assert {"PLANTED-BETA as utf-8", "75319864 as text"} <= held
    assert any(name.startswith("987654.3125 as") and name.endswith("d") for name in held)
    assert not any(name.startswith("ID-") for name in held)
