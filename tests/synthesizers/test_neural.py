"""Facts about SDV's neural generators: their parameters, their training's course, and what their files keep."""

from __future__ import annotations

import random
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ctgan.synthesizers.ctgan as adversarial_loop
import ctgan.synthesizers.tvae as autoencoder_loop
import numpy as np
import polars as pl
import pytest
import torch
from ctgan.data_transformer import DataTransformer

from synthcli.config import generators
from synthcli.errors import BadTableError, ConfigError, EngineError
from synthcli.schema import Column, Kind, Schema
from synthcli.synthesizers.sdv import CTGAN, TVAE, CopulaGAN

SMALL: dict[str, Any] = {"epochs": 2, "batch_size": 20, "embedding_dim": 4}
ADVERSARIAL = {**SMALL, "pac": 2, "generator_dim": [8], "discriminator_dim": [8]}
QUICK: dict[type[Any], dict[str, Any]] = {
    CTGAN: ADVERSARIAL,
    CopulaGAN: {**ADVERSARIAL, "default_distribution": "norm"},
    TVAE: {**SMALL, "compress_dims": [8], "decompress_dims": [8]},
}
ROWS = 60
FRAME = pl.DataFrame(
    {
        "x": [float(i % 17) for i in range(ROWS)],
        "c": ["b", "a", "b", "b", None, "z"] * 10,
        "flag": [i % 3 == 0 for i in range(ROWS)],
    }
)
SCHEMA = Schema(
    (
        Column("x", Kind.NUMERIC, "Float64", decimals=0),
        Column("c", Kind.CATEGORICAL, "String"),
        Column("flag", Kind.BOOLEAN, "Boolean"),
    )
)


def silent(share: float, note: str) -> None:
    """Hear of the progress and do nothing."""


def fit(kind: type[Any], frame: pl.DataFrame = FRAME, told: Callable[[float, str], None] = silent, **more: Any) -> Any:
    return kind.fit(frame, SCHEMA, {**QUICK[kind], **more}, 7, told)


# The adversarial two take the longest.
@pytest.fixture(
    params=[pytest.param(CTGAN, marks=pytest.mark.slow), TVAE, pytest.param(CopulaGAN, marks=pytest.mark.slow)],
    ids=lambda kind: kind.__name__,
)
def kind(request: pytest.FixtureRequest) -> type[Any]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Give what sets the threads of torch, and put them back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def surroundings() -> tuple[Any, ...]:
    """Return everything global that a fit touches."""
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),  # type: ignore[union-attr]  # noqa: NPY002
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        adversarial_loop.tqdm,
        autoencoder_loop.tqdm,
        DataTransformer._fit_discrete,
        list(warnings.filters),
    )


def test_every_parameter_reaches_sdv_under_its_name(kind: type[Any]) -> None:
    given = {name: value for name, value in DISTINCT.items() if name in generators.KINDS[kind.kind].model_fields}
    model = fit(kind, **given).model
    assert {name: getattr(model, name) for name in given} == given


#: A value other than the default for each parameter that SDV has.
DISTINCT: dict[str, Any] = {
    "enforce_min_max_values": False,
    "enforce_rounding": False,
    "embedding_dim": 3,
    "batch_size": 12,
    "epochs": 1,
    "enable_gpu": False,
    "locales": ["de_DE"],
    "generator_dim": [5],
    "discriminator_dim": [6],
    "generator_lr": 0.01,
    "generator_decay": 0.02,
    "discriminator_lr": 0.03,
    "discriminator_decay": 0.04,
    "discriminator_steps": 2,
    "log_frequency": False,
    "pac": 3,
    "compress_dims": [7],
    "decompress_dims": [9],
    "l2scale": 0.05,
    "loss_factor": 3.0,
    "numerical_distributions": {"x": "uniform"},
    "default_distribution": "gamma",
}


def test_the_list_of_distinct_values_has_every_parameter_that_sdv_has() -> None:
    fields = {name for kind in QUICK for name in generators.KINDS[kind.kind].model_fields}
    assert set(DISTINCT) == fields - {"kind", "verbose", "device", "max_minutes", "max_levels"}


def test_verbose_is_not_told_to_sdv_which_would_print(kind: type[Any]) -> None:
    assert fit(kind, epochs=1, verbose=True).model.verbose is False


@pytest.mark.parametrize(
    ("device", "allowed", "used"), [("auto", True, True), ("auto", False, False), ("cpu", True, False)]
)
def test_the_device_says_whether_a_gpu_may_be_used(device: str, allowed: bool, used: bool) -> None:
    assert fit(CTGAN, epochs=1, device=device, enable_gpu=allowed).model.enable_gpu is used


def test_a_gpu_that_is_not_there_is_refused_before_the_fit(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(kind.engine, "fit", lambda self, data: pytest.fail("it was fitted"))
    with pytest.raises(ConfigError, match=r"synthesizer\.device: cuda, but torch finds no GPU") as caught:
        fit(kind, device="cuda")
    assert "auto or cpu" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (CTGAN, {"loss_factor": 2.0}, r"synthesizer\.loss_factor: no parameter of ctgan"),
        (TVAE, {"pac": 2}, r"synthesizer\.pac: no parameter of tvae"),
        (CopulaGAN, {"numerical_distributions": {"y": "beta"}}, "no modelled column 'y'"),
        (CopulaGAN, {"default_distribution": "gaussian_kde"}, "keeps every training value"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(kind: type[Any], parameters: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(kind, **parameters)


def test_progress_tells_each_epoch_with_its_losses(kind: type[Any]) -> None:
    told: list[tuple[float, str]] = []
    fit(kind, told=lambda share, note: told.append((share, note)), epochs=3)
    assert [share for share, _ in told] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert told[1][1].startswith("epoch 1/3, loss ")
    assert told[1][1].endswith(" left")
    assert told[1][1].count("/") == len(kind.losses)


def test_the_time_limit_ends_the_training_and_the_model_can_be_drawn_from(kind: type[Any]) -> None:
    model = fit(kind, epochs=50, max_minutes=1e-9)
    assert len(model.curve.epochs) == 1
    assert model.notes[0].startswith("stopped after 1 of 50 epochs (max_minutes)")
    assert model.sample(5, seed=1).height == 5


def test_a_training_that_ended_early_is_one_of_that_many_epochs(kind: type[Any]) -> None:
    stopped, short = fit(kind, epochs=50, max_minutes=1e-9), fit(kind, epochs=1)
    assert stopped.sample(40, seed=1).equals(short.sample(40, seed=1))
    assert short.notes == ()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("enough")], ids=["interrupt", "error"])
def test_what_progress_raises_passes_and_leaves_everything_as_it_was(kind: type[Any], error: BaseException) -> None:
    def refuse(share: float, note: str) -> None:
        if share:
            raise error

    before = surroundings()
    with pytest.raises(type(error)) as caught:
        fit(kind, told=refuse)
    assert caught.value is error
    assert surroundings() == before


def test_a_fit_and_a_draw_leave_everything_as_it_was(kind: type[Any], threads: Callable[[int], None]) -> None:
    threads(1)
    before = surroundings()
    fit(kind).sample(10, seed=1)
    assert surroundings() == before


def test_the_rows_do_not_depend_on_the_threads_that_the_caller_has(
    kind: type[Any], threads: Callable[[int], None]
) -> None:
    drawn = []
    for number in (1, 2):
        threads(number)
        drawn.append(fit(kind, batch_size=600, frame=pl.concat([FRAME] * 10)).sample(600, seed=1))
    assert drawn[0].equals(drawn[1])


def test_the_losses_are_written_beside_the_model_and_come_back(kind: type[Any], tmp_path: Path) -> None:
    model = fit(kind)
    model.save(tmp_path)
    lines = (tmp_path / "losses.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(["epoch", *kind.losses])
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]
    assert kind.load(tmp_path).curve == model.curve


def test_a_loaded_model_knows_that_it_was_stopped(kind: type[Any], tmp_path: Path) -> None:
    model = fit(kind, epochs=50, max_minutes=1e-9)
    model.save(tmp_path)
    assert kind.load(tmp_path).notes == model.notes


def test_an_epochs_loss_is_the_mean_over_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[float] = []
    original = autoencoder_loop._loss_function

    def heard(*arguments: Any) -> Any:
        parts = original(*arguments)
        batches.append(float(sum(parts).detach()))
        return parts

    monkeypatch.setattr(autoencoder_loop, "_loss_function", heard)
    curve = fit(TVAE, epochs=1).curve
    assert len(batches) == 3
    assert curve.epochs == ((pytest.approx(np.mean(batches)),),)


def test_too_many_categories_are_refused_with_the_columns_that_have_most(kind: type[Any]) -> None:
    with pytest.raises(BadTableError) as caught:
        fit(kind, max_levels=5)
    assert "6 categories together, more than synthesizer.max_levels (5)" in caught.value.message
    assert "'c' (4), 'flag' (2)" in caught.value.message  # a, b, z and missing; no value is told
    assert " kB of memory" in caught.value.message
    for way_out in ("rare_category_min_count", "data.columns.c.type", "gaussian_copula", "max_levels"):
        assert way_out in caught.value.hint
    assert fit(kind, max_levels=6, epochs=1).sample(1, seed=1).height == 1


def test_a_library_error_names_the_kind_and_none_of_its_text(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise ValueError("cell value 4711")

    monkeypatch.setattr(kind.engine, "fit", fail)
    with pytest.raises(EngineError, match=f"SDV failed while fitting {kind.__name__}: ValueError") as caught:
        fit(kind)
    assert "4711" not in caught.value.message + caught.value.hint


def test_a_network_that_yields_no_numbers_fails_the_fit(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def sample(self: Any, num_rows: int) -> Any:
        table = original(self, num_rows)
        table["table"].loc[0, "x"] = np.inf
        return table

    original = kind.engine.sample
    monkeypatch.setattr(kind.engine, "sample", sample)
    with pytest.raises(EngineError, match=f"{kind.__name__} yields no numbers for column 'x'"):
        fit(kind)


def test_the_order_of_the_rows_is_not_that_of_the_categories(kind: type[Any]) -> None:
    network = fit(kind).model._model
    transformer = network.transformer if kind is TVAE else network._transformer
    orders = [info.transform.dummies for info in transformer._column_transform_info_list if info.column_name != "x"]
    assert orders == [[0, 1, 2, 3], [0, 1]]


def test_drawing_changes_nothing_in_the_model(kind: type[Any], tmp_path: Path) -> None:
    model = fit(kind)
    for name, rows in (("before", 0), ("after", 500)):
        (tmp_path / name).mkdir()
        model.sample(rows, seed=3)
        model.save(tmp_path / name)
    assert (tmp_path / "before" / "model.pkl").read_bytes() == (tmp_path / "after" / "model.pkl").read_bytes()


def test_the_model_keeps_no_number_between_the_extremes_and_no_row_number(kind: type[Any], tmp_path: Path) -> None:
    planted = 4711.8125
    frame = pl.DataFrame(
        {
            "x": [*map(float, range(30)), planted, *map(float, range(9_000, 9_029))],
            "c": FRAME["c"],
            "flag": FRAME["flag"],
        }
    )
    fit(kind, frame).save(tmp_path)
    content = (tmp_path / "model.pkl").read_bytes()
    assert struct.pack("<d", 9_028.0) in content or struct.pack(">d", 9_028.0) in content  # the greatest is kept
    assert struct.pack("<d", planted) not in content
    assert struct.pack(">d", planted) not in content
    sampler = getattr(fit(kind).model._model, "_data_sampler", None)
    assert sampler is None or sampler._rid_by_cat_cols == []


def test_a_text_in_the_parameters_may_be_any_object_of_its_value(tmp_path: Path) -> None:
    for number, name in enumerate(("norm", "".join(["no", "rm"]))):
        (tmp_path / str(number)).mkdir()
        fit(CopulaGAN, default_distribution=name, epochs=1).save(tmp_path / str(number))
    assert (tmp_path / "0" / "model.pkl").read_bytes() == (tmp_path / "1" / "model.pkl").read_bytes()
