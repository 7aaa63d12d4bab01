"""What every generator in ``KINDS`` promises, whatever is inside: types, seeds, files, odd tables, conditions, silence.

What a kind does not promise stands here as a set of kinds with its reason; every other kind is held to it.
"""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import torch

import synthcli
from synthcli.errors import BadTableError, ConfigError, EngineError
from synthcli.forms import dtype_name
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers import KINDS, synthesizer_class
from synthcli.synthesizers.assembly import fit_table
from synthcli.synthesizers.conditioning import complete
from synthcli.synthesizers.protocol import Conditional, Synthesizer

TINY = {"epochs": 1, "batch_size": 20, "embedding_dim": 8}
ADVERSARIAL = {**TINY, "pac": 2, "generator_dim": [16], "discriminator_dim": [16]}

#: The quickest parameters of each kind; a kind that is absent takes its defaults.
QUICK: dict[str, dict[str, Any]] = {
    "gaussian_copula": {"default_distribution": "norm"},
    "ctgan": ADVERSARIAL,
    "copula_gan": {**ADVERSARIAL, "default_distribution": "norm"},
    "tvae": {**TINY, "compress_dims": [16], "decompress_dims": [16]},
}

#: One epoch of a tiny network has learned next to nothing: neither the shares of categories, of which "missing" is one,
#: nor the shape of a distribution. What it draws is of the right form and in the right range, and no more is asked.
BARELY_TRAINED = frozenset({"ctgan", "copula_gan", "tvae"})
#: They code every category as a column of its own, and refuse more than ``max_levels`` of them.
LIMITED_LEVELS = frozenset({"ctgan", "copula_gan", "tvae"})
#: They cut a number's range into modes, and find a few more of them in more rows: their networks grow by that.
FINDS_MODES = frozenset({"ctgan", "copula_gan", "tvae"})
#: The bootstrap is its training rows: that is the baseline that it is there for.
HOLDS_TRAINING_ROWS = frozenset({"bootstrap"})
#: A leaf holds its rows' cells of one column, sorted, so that files grow with the rows; that no row can be put together
#: from them is tested for itself (``test_forest.py``).
HOLDS_CELLS = frozenset({"forest"})

#: A fit of these takes a second or more; where it tells little that another test does not, ``make test`` does without.
LONG = frozenset({"ctgan", "copula_gan", "tvae"})
#: They share the third network's code in all but the training, and take the longest.
LONGEST = frozenset({"ctgan", "copula_gan"})


def kind_param(kind: str, *values: object, slow: bool = False, name: str = "") -> Any:
    marks = [pytest.mark.slow] if kind in LONGEST or (slow and kind in LONG) else []
    return pytest.param(kind, *values, marks=marks, id="-".join(filter(None, [kind, name])))


slow_where_long = pytest.mark.parametrize(
    "kind", [kind_param(kind, slow=True) for kind in sorted(KINDS)], indirect=True
)

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


@pytest.fixture(scope="module", params=[kind_param(kind) for kind in sorted(KINDS)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fitted(kind: str) -> Synthesizer:
    return fit(kind, mixed(), code=Kind.CATEGORICAL)


class Learned(NamedTuple):
    """A fit of a small table and what was seen of it: progress, the files, the process before and after."""

    model: Synthesizer
    told: list[float]
    files: dict[str, bytes]
    before: tuple[object, ...]
    after: tuple[object, ...]


SMALL = mixed().select("whole", "float_gaps", "colour", "flag", "always_gaps")


def world() -> tuple[object, ...]:
    """Return what the whole process shares and a generator must leave alone."""
    numpy_state = [np.asarray(part).tolist() for part in np.random.get_state()]  # noqa: NPY002  it is what is looked at
    torch_state = torch.get_rng_state().numpy().tobytes()
    threads = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    levels = [logging.getLogger(name).level for name in ("", "sdv", "rdt", "ctgan", "copulas")]
    streams = id(sys.stdout), id(sys.stderr)
    return random.getstate(), numpy_state, torch_state, threads, levels, streams, list(warnings.filters)


def files_of(model: Synthesizer, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    model.save(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def learned(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    told: list[float] = []
    conforming = synthesizer_class(kind)
    before = world()
    model = conforming.fit(SMALL, schema_of(SMALL), QUICK.get(kind, {}), 7, lambda share, note: told.append(share))
    after = world()
    return Learned(model, told, files_of(model, tmp_path_factory.mktemp(kind) / "model"), before, after)


@pytest.fixture(scope="module")
def cancelled(kind: str) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Return the process before and after a fit that the user cancelled midway."""

    def cancel(share: float, note: str) -> None:
        if share > 0:
            raise KeyboardInterrupt

    conforming = synthesizer_class(kind)
    before = world()
    with pytest.raises(KeyboardInterrupt):
        conforming.fit(SMALL, schema_of(SMALL), QUICK.get(kind, {}), 7, cancel)
    return before, world()


@pytest.fixture(scope="module")
def learned_again(kind: str, learned: Learned, cancelled: object) -> Synthesizer:
    """Return a second fit of the small table, after one that was cancelled."""
    return fit(kind, SMALL)


@pytest.fixture(scope="module")
def common(learned: Learned) -> dict[str, Any]:
    """Return the colour and the flag that this generator draws together most often."""
    drawn = learned.model.sample(300, seed=9).select("colour", "flag")
    return drawn.group_by("colour", "flag", maintain_order=True).len().sort("len").row(-1, named=True)


@pytest.fixture(scope="module")
def many(fitted: Synthesizer) -> pl.DataFrame:
    return fitted.sample(3000, seed=1)


@pytest.mark.parametrize("rows", [0, 1, 777])
def test_a_sample_has_the_training_columns_and_dtypes_and_the_rows_asked_for(fitted: Synthesizer, rows: int) -> None:
    sampled = fitted.sample(rows, seed=1)
    assert sampled.schema == mixed().schema
    assert sampled.height == rows


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(fitted: Synthesizer) -> None:
    first = fitted.sample(50, seed=1)
    assert not first.equals(fitted.sample(50, seed=2))
    assert first.equals(fitted.sample(50, seed=1))


def test_samples_of_two_fits_differ_by_their_seeds_only(learned: Learned, learned_again: Synthesizer) -> None:
    one, other = learned.model, learned_again
    assert not one.sample(50, seed=1).equals(other.sample(50, seed=2))
    assert one.sample(50, seed=3).equals(other.sample(50, seed=3))


def test_missing_cells_come_out_where_some_went_in_at_about_their_rate(kind: str, many: pl.DataFrame) -> None:
    train = mixed()
    categories = {"colour_gaps", "flag_gaps"} if kind in BARELY_TRAINED else set()
    for name in sorted(set(train.columns) - categories):
        rate = train[name].null_count() / train.height
        assert many[name].null_count() / many.height == pytest.approx(rate, abs=0.06 if 0 < rate < 1 else 0)


def test_missing_cells_stand_elsewhere_for_another_seed(fitted: Synthesizer) -> None:
    one, other = (fitted.sample(200, seed) for seed in (1, 2))
    for name in ("whole_gaps", "float_gaps", "ns", "always_gaps"):
        assert not one[name].is_null().equals(other[name].is_null())


def test_categories_and_constants_are_those_of_the_training_table(many: pl.DataFrame) -> None:
    train = mixed()
    for name in ("colour", "colour_gaps", "code", "flag", "flag_gaps", "always", "always_gaps"):
        assert set(many[name]) <= set(train[name])


def test_moments_lie_on_the_grid_of_the_training_table(kind: str, many: pl.DataFrame) -> None:
    for name in ("ms", "ns", "utc", "berlin"):
        clock = many[name].dt.convert_time_zone("UTC") if many[name].dtype.time_zone else many[name]  # type: ignore[attr-defined]
        assert set(clock.dt.minute().drop_nulls()) == {0}
        assert len(set(clock.dt.hour().drop_nulls())) > (0 if kind in BARELY_TRAINED else 4)


DEGENERATE = {
    "one number": pl.DataFrame({"x": [1.5, 2.5, 9.0, 4.0] * 5}),
    "one category": pl.DataFrame({"c": ["a", "b"] * 10}),
    "one row": pl.DataFrame({"x": [7], "c": ["a"], "d": [date(2020, 1, 1)], "n": pl.Series([None], dtype=pl.String)}),
    "two rows": pl.DataFrame({"x": [1, 2], "c": ["a", "b"], "b": [True, None]}),
    "all missing": pl.DataFrame(
        {"c": pl.Series([None, None], dtype=pl.String), "x": pl.Series([None, None], dtype=pl.Float64)}
    ),
    "a constant": pl.DataFrame({"c": [1, 1, 1], "x": [2, 3, 4]}),
    "nan is missing": pl.DataFrame({"x": [float("nan"), 1.0, 2.0, 3.0] * 4}),
    "collinear": pl.DataFrame({"x": [1, 2, 3, 4] * 5, "y": [2, 4, 6, 8] * 5, "z": [3, 6, 9, 12] * 5}),
    "beyond pandas' calendar": pl.DataFrame({"d": [date(1, 1, 1), date(9999, 12, 31), date(2000, 2, 2)] * 6}),
    "whole range of integers": pl.DataFrame(
        {"x": [-(2**63), 0, 2**63 - 1] * 6, "y": pl.Series([0, 1, 2**64 - 1] * 6, dtype=pl.UInt64)}
    ),
    "odd names": pl.DataFrame({"": [1, 2, 3] * 4, "a.b": ["x", "y"] * 6, "a": [3.5, 1, 2] * 4, "é": [True, None] * 6}),
}
#: The tables on which a fit is long and which ask for little that is the kind's own.
ASK_LITTLE = {"collinear", "beyond pandas' calendar", "whole range of integers", "a constant", "nan is missing"}


@pytest.mark.parametrize(
    ("kind", "frame"),
    [
        kind_param(kind, frame, slow=name in ASK_LITTLE, name=name)
        for kind in sorted(KINDS)
        for name, frame in DEGENERATE.items()
    ],
    indirect=["kind"],
)
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


def test_five_thousand_categories_are_learned_or_refused(kind: str) -> None:
    frame = pl.DataFrame({"c": [f"level {i % 5000}" for i in range(10_000)], "x": [i % 7 for i in range(10_000)]})
    if kind in LIMITED_LEVELS:
        with pytest.raises(BadTableError, match=r"synthesizer\.max_levels"):
            fit(kind, frame)
        return
    sampled = fit(kind, frame).sample(5000, seed=1)
    assert sampled["c"].n_unique() > 500


@slow_where_long
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


def test_a_fit_and_a_sample_leave_the_process_as_it_was(learned: Learned) -> None:
    assert learned.after == learned.before
    before = world()
    learned.model.sample(10, seed=1)
    assert world() == before


def test_progress_goes_from_nothing_to_all(learned: Learned) -> None:
    assert learned.told == sorted(learned.told)
    assert (learned.told[0], learned.told[-1]) == (0.0, 1.0)


def test_a_cancelled_fit_leaves_the_process_as_it_was(cancelled: tuple[object, object]) -> None:
    before, after = cancelled
    assert after == before


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


def test_the_same_table_and_seed_give_the_same_files_also_after_a_cancelled_fit(
    learned: Learned, learned_again: Synthesizer, tmp_path: Path
) -> None:
    learned_again.sample(10, seed=1)
    assert files_of(learned_again, tmp_path / "model") == learned.files


def test_a_model_comes_back_from_its_files(learned: Learned, tmp_path: Path) -> None:
    for name, content in learned.files.items():
        (tmp_path / name).write_bytes(content)
    loaded = type(learned.model).load(tmp_path)
    assert loaded.sample(100, seed=4).equals(learned.model.sample(100, seed=4))
    assert loaded.notes == learned.model.notes


@pytest.mark.parametrize(
    "kind",
    [kind_param(kind, slow=True) for kind in sorted(set(KINDS) - HOLDS_TRAINING_ROWS - HOLDS_CELLS)],
    indirect=True,
)
def test_a_model_file_holds_no_training_rows(kind: str, tmp_path: Path) -> None:
    table, copies = mixed().select("whole", "money", "colour", "utc"), 10
    one, ten = (
        sum(map(len, files_of(fit(kind, pl.concat([table] * n)), tmp_path / str(n)).values())) for n in (1, copies)
    )
    # A row is four cells of up to eight bytes; what may grow with more rows is less than one cell a row.
    allowed = 8 * ROWS * (copies - 1) if kind in FINDS_MODES else one // 10
    assert ten - one < allowed


def test_an_output_of_many_chunks_is_drawn_chunk_by_chunk(kind: str) -> None:
    table = SMALL.select("colour", "flag", "always_gaps")
    generator = fit_table(table, schema_of(table), kind, QUICK.get(kind, {}), 7, lambda share, note: None)
    chunks = list(generator.batches(250, seed=1, size=100))
    assert [chunk.height for chunk in chunks] == [100, 100, 50]
    assert {chunk.schema == table.schema for chunk in chunks} == {True}
    assert not chunks[0].equals(chunks[1])
    assert chunks[1].equals(generator.chunk(100, seed=1, number=1, start=100))


def test_rows_of_given_categories_are_completed_as_many_as_were_asked_for(
    kind: str, learned: Learned, common: dict[str, Any]
) -> None:
    asked = pl.DataFrame({"flag": [True, False] * 10, "colour": (["red"] * 3 + ["nan"]) * 5})
    if kind in BARELY_TRAINED:
        asked = pl.DataFrame({"flag": [common["flag"]] * 20, "colour": [common["colour"]] * 20})
    completed = complete(learned.model, asked, seed=1, tries=100)
    assert completed.made.tolist() == [True] * 20
    assert completed.table.schema == SMALL.schema
    assert completed.table.select("flag", "colour").equals(asked)


def test_known_numbers_come_back_bit_for_bit(learned: Learned) -> None:
    drawn = learned.model.sample(12, seed=5)
    some = pl.when(pl.int_range(pl.len()) % 3 == 0).then("colour")
    asked = drawn.select(some.alias("colour"), "float_gaps")
    completed = complete(learned.model, asked, seed=1, tries=100)
    assert completed.made.all() if isinstance(learned.model, Conditional) else completed.made.any()
    known = asked["float_gaps"].is_not_null() & pl.Series(completed.made)
    back, given = (table["float_gaps"].filter(known).to_numpy() for table in (completed.table, asked))
    assert back.tobytes() == given.tobytes()


def test_a_row_with_a_category_that_was_never_seen_is_not_made(learned: Learned, common: dict[str, Any]) -> None:
    asked = pl.DataFrame({"colour": ["mauve", common["colour"], None]})
    completed = complete(learned.model, asked, seed=1, tries=10)
    assert completed.made.tolist() == [False, True, True]
    assert completed.table.row(0) == (None,) * SMALL.width


def test_completing_is_ruled_by_its_seed(learned: Learned, learned_again: Synthesizer, common: dict[str, Any]) -> None:
    asked = pl.DataFrame({"colour": [common["colour"], None] * 10})
    first = complete(learned.model, asked, seed=1, tries=10)
    assert first.table.equals(complete(learned_again, asked, seed=1, tries=10).table)
    assert not first.table.equals(complete(learned.model, asked, seed=2, tries=10).table)


def test_an_unknown_kind_lists_the_known_ones_and_names_the_nearest() -> None:
    listed = "bootstrap, copula_gan, ctgan, forest, gaussian_copula, independent, tvae"
    with pytest.raises(ConfigError, match=f"no known synthesizer; known are {listed}$") as caught:
        synthesizer_class("gausian_copula")
    assert caught.value.hint == "did you mean 'gaussian_copula'?"
    with pytest.raises(ConfigError) as caught:
        synthesizer_class("FOREST")
    assert caught.value.hint == "did you mean 'forest'?"


def test_the_list_of_kinds_loads_no_library() -> None:
    check = "import sys, synthcli.synthesizers; print(sorted({'sdv', 'pandas', 'torch', 'polars'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(synthcli.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", check], check=True, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_utc_is_written_as_it_came_in(many: pl.DataFrame) -> None:
    sampled = many["utc"]
    assert sampled.min() >= datetime(2013, 1, 1, tzinfo=UTC)  # type: ignore[operator]
    assert sampled.max() <= datetime(2014, 2, 1, tzinfo=UTC)  # type: ignore[operator]


def test_a_kind_whose_library_is_missing_is_told_apart_from_one_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "far", "no_such_library:Far")
    with pytest.raises(EngineError, match="the kind far needs no_such_library, which is not installed"):
        synthesizer_class("far")
    with pytest.raises(ConfigError, match="no known synthesizer"):
        synthesizer_class("farther")
