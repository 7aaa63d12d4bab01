"""What every generator in ``KINDS`` promises, whatever is inside: types, seeds, files, degenerate tables, silence."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import synthcli
from synthcli.errors import BadTableError, ConfigError
from synthcli.forms import dtype_name
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers import KINDS, synthesizer_class
from synthcli.synthesizers.protocol import Synthesizer

#: The quickest parameters of each kind; a kind that is absent takes its defaults.
QUICK: dict[str, dict[str, Any]] = {"gaussian_copula": {"default_distribution": "norm"}}

ROWS = 240


def schema_of(frame: pl.DataFrame, **kinds: Kind) -> Schema:
    """Return a schema with the kind that each column's type suggests, or the given one."""
    return Schema(
        tuple(
            Column(name, kinds.get(name, _kind(dtype)), dtype_name(dtype) or "") for name, dtype in frame.schema.items()
        )
    )


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric():
        return Kind.NUMERIC
    if dtype.is_temporal():
        return Kind.DATETIME
    return Kind.BOOLEAN if dtype == pl.Boolean else Kind.CATEGORICAL


def fit(kind: str, frame: pl.DataFrame, seed: int = 7, **kinds: Kind) -> Synthesizer:
    schema = schema_of(frame, **kinds)
    return synthesizer_class(kind).fit(frame, schema, QUICK.get(kind, {}), seed, lambda share, note: None)


def mixed() -> pl.DataFrame:
    """Return a table with every type and trouble; one cell in four is missing where any is."""
    draw = np.random.default_rng(3)
    hours = pl.Series([datetime(2013, 1, 1) + timedelta(hours=int(h)) for h in draw.integers(0, 9000, ROWS)])
    gaps = pl.Series([i % 4 != 0 for i in range(ROWS)])

    def gappy(series: pl.Series) -> pl.Series:
        return pl.select(pl.when(pl.lit(gaps)).then(pl.lit(series)))[:, 0]

    return pl.DataFrame(
        {
            "whole": pl.Series(draw.integers(-50, 50, ROWS)),
            "small": pl.Series(draw.integers(0, 255, ROWS), dtype=pl.UInt8),
            "whole_gaps": gappy(pl.Series(draw.integers(0, 9, ROWS))),
            "money": pl.Series(draw.normal(100, 20, ROWS)).round(2),
            "single": pl.Series(draw.normal(size=ROWS), dtype=pl.Float32),
            "float_gaps": gappy(pl.Series(draw.normal(size=ROWS))),
            "colour": pl.Series(draw.choice(["red", "green", "nan", ""], ROWS)),
            "colour_gaps": gappy(pl.Series(draw.choice(["red", "None"], ROWS))),
            "code": pl.Series(draw.choice([101, 205, 999], ROWS), dtype=pl.Int16),
            "flag": pl.Series(draw.random(ROWS) < 0.3),
            "flag_gaps": gappy(pl.Series(draw.random(ROWS) < 0.3)),
            "day": hours.cast(pl.Date),
            "day_gaps": gappy(hours.cast(pl.Date)),
            "ms": hours.cast(pl.Datetime("ms")),
            "ns": gappy(hours.cast(pl.Datetime("ns"))),
            "utc": hours.dt.replace_time_zone("UTC"),
            "berlin": gappy(hours.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")),
            "always": pl.Series(["x"] * ROWS),
            "always_gaps": gappy(pl.Series([5] * ROWS)),
            "never": pl.Series([None] * ROWS, dtype=pl.Int32),
        }
    )


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fitted(kind: str) -> Synthesizer:
    return fit(kind, mixed(), code=Kind.CATEGORICAL)


@pytest.mark.parametrize("rows", [0, 1, 777])
def test_a_sample_has_the_training_columns_and_dtypes_and_the_rows_asked_for(fitted: Synthesizer, rows: int) -> None:
    sampled = fitted.sample(rows, seed=1)
    assert sampled.schema == mixed().schema
    assert sampled.height == rows


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(fitted: Synthesizer) -> None:
    first = fitted.sample(50, seed=1)
    assert not first.equals(fitted.sample(50, seed=2))
    assert first.equals(fitted.sample(50, seed=1))


def test_two_samples_right_after_two_fits_differ_by_their_seeds_only(kind: str) -> None:
    frame = mixed().select("whole", "colour", "float_gaps")
    one, other = fit(kind, frame), fit(kind, frame)
    assert not one.sample(50, seed=1).equals(other.sample(50, seed=2))
    assert one.sample(50, seed=3).equals(other.sample(50, seed=3))


def test_missing_cells_come_out_where_some_went_in_at_about_their_rate(fitted: Synthesizer) -> None:
    train, sampled = mixed(), fitted.sample(3000, seed=1)
    for name in train.columns:
        rate = train[name].null_count() / train.height
        assert sampled[name].null_count() / sampled.height == pytest.approx(rate, abs=0.06 if 0 < rate < 1 else 0)


def test_missing_cells_stand_elsewhere_for_another_seed(fitted: Synthesizer) -> None:
    for name in ("whole_gaps", "float_gaps", "ns", "always_gaps"):
        one, other = (fitted.sample(200, seed)[name].is_null() for seed in (1, 2))
        assert not one.equals(other)


def test_categories_and_constants_are_those_of_the_training_table(fitted: Synthesizer) -> None:
    train, sampled = mixed(), fitted.sample(500, seed=1)
    for name in ("colour", "colour_gaps", "code", "flag", "flag_gaps", "always", "always_gaps"):
        assert set(sampled[name]) <= set(train[name])


def test_moments_lie_on_the_grid_of_the_training_table(fitted: Synthesizer) -> None:
    sampled = fitted.sample(500, seed=1)
    for name in ("ms", "ns", "utc", "berlin"):
        clock = sampled[name].dt.convert_time_zone("UTC") if sampled[name].dtype.time_zone else sampled[name]
        assert set(clock.dt.minute().drop_nulls()) == {0}
        assert len(set(clock.dt.hour().drop_nulls())) > 4


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"x": [1.5, 2.5, 9.0, 4.0] * 5}),
        pl.DataFrame({"c": ["a", "b"] * 10}),
        pl.DataFrame({"x": [7], "c": ["a"], "d": [date(2020, 1, 1)], "n": pl.Series([None], dtype=pl.String)}),
        pl.DataFrame({"x": [1, 2], "c": ["a", "b"], "b": [True, None]}),
        pl.DataFrame({"c": pl.Series([None, None], dtype=pl.String), "x": pl.Series([None, None], dtype=pl.Float64)}),
        pl.DataFrame({"c": [1, 1, 1], "x": [2, 3, 4]}),
        pl.DataFrame({"x": [float("nan"), 1.0, 2.0, 3.0] * 4}),
        pl.DataFrame({"x": [1, 2, 3, 4] * 5, "y": [2, 4, 6, 8] * 5, "z": [3, 6, 9, 12] * 5}),
        pl.DataFrame({"d": [date(1, 1, 1), date(9999, 12, 31), date(2000, 2, 2)] * 6}),
        pl.DataFrame({"x": [-(2**63), 0, 2**63 - 1] * 6, "y": pl.Series([0, 1, 2**64 - 1] * 6, dtype=pl.UInt64)}),
        pl.DataFrame({"": [1, 2, 3] * 4, "a.b": ["x", "y"] * 6, "a": [3.5, 1, 2] * 4, "é": [True, None] * 6}),
    ],
    ids=[
        "one number", "one category", "one row", "two rows", "all missing", "a constant", "nan is missing",
        "collinear", "beyond pandas' calendar", "whole range of integers", "odd names",
    ],
)  # fmt: skip
def test_a_degenerate_table_is_learned(kind: str, frame: pl.DataFrame) -> None:
    sampled = fit(kind, frame).sample(60, seed=1)
    assert sampled.schema == frame.schema
    assert sampled.height == 60


def test_one_row_comes_out_again_and_again(kind: str) -> None:
    frame = pl.DataFrame({"x": [7], "c": ["a"], "d": [date(2020, 1, 1)]})
    assert fit(kind, frame).sample(3, seed=1).equals(pl.concat([frame] * 3))


def test_a_table_without_rows_is_refused(kind: str) -> None:
    with pytest.raises(BadTableError, match="no rows"):
        fit(kind, pl.DataFrame(schema={"x": pl.Int64}))


def test_five_thousand_categories_are_learned(kind: str) -> None:
    frame = pl.DataFrame({"c": [f"level {i % 5000}" for i in range(10_000)], "x": [i % 7 for i in range(10_000)]})
    sampled = fit(kind, frame).sample(5000, seed=1)
    assert sampled["c"].n_unique() > 500


def test_nothing_is_printed_warned_or_logged(
    kind: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level(logging.DEBUG):
        model = fit(kind, mixed(), code=Kind.CATEGORICAL)
        model.sample(10, seed=1)
        model.save(tmp_path)
        type(model).load(tmp_path).sample(10, seed=1)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_the_global_random_generators_are_left_as_they_were(kind: str) -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  it is their global state that is looked at
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    fit(kind, mixed().select("whole", "colour")).sample(10, seed=1)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002


def test_progress_goes_from_nothing_to_all(kind: str) -> None:
    told: list[float] = []
    frame = mixed().select("whole", "colour")
    synthesizer_class(kind).fit(frame, schema_of(frame), QUICK.get(kind, {}), 7, lambda share, note: told.append(share))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


ELSEWHERE = """
import json, sys, polars as pl
from pathlib import Path
from synthcli.schema import Schema
from synthcli.synthesizers import synthesizer_class
kind, home, parameters = synthesizer_class(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
kind.load(home / "here").sample(400, 11).write_ipc(home / "elsewhere.arrow")
train, schema = pl.read_ipc(home / "train.arrow"), Schema.from_dict(json.loads((home / "schema.json").read_text()))
kind.fit(train, schema, parameters, 7, lambda share, note: None).save(home / "elsewhere")
"""


@pytest.mark.slow  # another process loads the libraries anew
def test_another_process_draws_the_same_rows_and_fits_the_same_files(
    kind: str, fitted: Synthesizer, tmp_path: Path
) -> None:
    here = fitted.sample(400, seed=11)
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    fitted.save(tmp_path / "here")
    mixed().write_ipc(tmp_path / "train.arrow")
    schema = schema_of(mixed(), code=Kind.CATEGORICAL).to_dict()
    (tmp_path / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    command = [sys.executable, "-c", ELSEWHERE, kind, str(tmp_path), json.dumps(QUICK.get(kind, {}))]
    environment = {**os.environ, "PYTHONPATH": str(Path(synthcli.__file__).parent.parent), "PYTHONHASHSEED": "42"}
    subprocess.run(command, check=True, env=environment)
    assert pl.read_ipc(tmp_path / "elsewhere.arrow").equals(here)
    for path in (tmp_path / "here").iterdir():
        assert (tmp_path / "elsewhere" / path.name).read_bytes() == path.read_bytes()


def test_the_same_table_and_seed_give_the_same_files(kind: str, tmp_path: Path) -> None:
    frame = mixed().select("whole", "colour", "float_gaps", "berlin")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        model = fit(kind, frame)
        if name == "other":
            model.sample(10, seed=1)
        model.save(tmp_path / name)
    written = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert written == sorted(path.name for path in (tmp_path / "other").iterdir())
    for name in written:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_model_file_holds_no_training_rows(kind: str, tmp_path: Path) -> None:
    sizes = []
    for copies in (1, 40):
        folder = tmp_path / str(copies)
        folder.mkdir()
        fit(kind, pl.concat([mixed().select("whole", "money", "colour", "utc")] * copies)).save(folder)
        sizes.append(sum(path.stat().st_size for path in folder.iterdir()))
    assert sizes[1] < 1.1 * sizes[0]


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no known synthesizer; known are .*gaussian_copula") as caught:
        synthesizer_class("gausian_copula")
    assert caught.value.hint == "did you mean 'gaussian_copula'?"


def test_the_list_of_kinds_loads_no_library() -> None:
    check = "import sys, synthcli.synthesizers; print(sorted({'sdv', 'pandas', 'torch', 'polars'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(synthcli.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", check], check=True, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_utc_is_written_as_it_came_in(fitted: Synthesizer) -> None:
    sampled = fitted.sample(100, seed=1)["utc"]
    assert sampled.min() >= datetime(2013, 1, 1, tzinfo=UTC)  # type: ignore[operator]
    assert sampled.max() <= datetime(2014, 2, 1, tzinfo=UTC)  # type: ignore[operator]
