"""The case: what a generation puts out, and that any process reads the same case from files."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import columns
from polars.testing import assert_frame_equal

from synthcli.collapse.case import Case, constraints_of, loaded
from synthcli.config import ProtectionSection
from synthcli.config.models import FixedIncrements, Inequality
from synthcli.errors import ConfigError

OPEN = ProtectionSection(rare_category_min_count=0, clip_extremes=0)


def table(rows: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    low = random.integers(0, 50, rows).astype(float)
    return pl.DataFrame(
        {
            "city": random.choice(["Rom", "Oslo", None], rows, p=[0.6, 0.3, 0.1]),
            "late": random.random(rows) < 0.5,
            "low": low,
            "high": low + random.integers(0, 9, rows),
            "when": [datetime(2024, 1, 1) + timedelta(hours=int(hour)) for hour in random.integers(0, 5000, rows)],
        }
    )


SCHEMA = columns(city="categorical", late="boolean", low="numeric", high="numeric", when="datetime")
RULES = (
    Inequality(kind="inequality", low_column_name="low", high_column_name="high", strict_boundaries=False),
    FixedIncrements(kind="fixed_increments", column_name="low", increment_value=5),
)
CASE = Case(
    table(120, 1), table(60, 2), SCHEMA, "independent", {}, 1.0, OPEN, (), 30, ("tvd", "w1"), None, (), 5
)  # fmt: skip


def letters(**counts: int) -> pl.DataFrame:
    return pl.DataFrame({"c": [letter for letter, count in counts.items() for _ in range(count)]})


def lettered(learned: pl.DataFrame, **changes: Any) -> Case:
    return replace(CASE, train=learned, holdout=learned, schema=columns(c="categorical"), **changes)


# --- what a generation puts out ---


def test_an_output_depends_on_what_was_learned_and_its_stage_alone() -> None:
    learned = CASE.train.head(30)
    first = CASE.output(learned, "collapse", 0, 1)
    assert_frame_equal(first, CASE.output(learned, "collapse", 0, 1))
    assert first.schema == CASE.train.schema
    assert first.height == 30
    for other in (
        CASE.output(learned, "collapse", 0, 2),
        CASE.output(learned, "collapse", 1, 1),
        replace(CASE, seed=6).output(learned, "collapse", 0, 1),
    ):
        assert not first.equals(other)


def test_a_rare_category_is_protected_as_fit_does_it() -> None:
    learned = letters(a=26, b=4)
    for count, shown in ((4, {"a", "b"}), (5, {"a"})):
        one = lettered(learned, protection=ProtectionSection(rare_category_min_count=count, clip_extremes=0))
        made = pl.concat([one.output(learned, "collapse", 0, number) for number in range(8)])
        assert set(made["c"]) == shown


def test_an_output_keeps_the_constraints() -> None:
    learned = CASE.train.head(30)
    free = CASE.output(learned, "collapse", 0, 1)
    kept = replace(CASE, constraints=RULES[:1]).output(learned, "collapse", 0, 1)
    assert not (free["low"] <= free["high"]).all()
    assert (kept["low"] <= kept["high"]).all()


def test_a_temperature_biases_the_draw() -> None:
    """Shares .8 and .2 at temperature .5 become .64/.68 and .04/.68."""
    learned = letters(a=24, b=6)
    one = lettered(learned, rows=4000, temperature=0.5)
    share = (one.output(learned, "collapse", 0, 1)["c"] == "a").mean()
    assert abs(share - 16 / 17) < 3 * np.sqrt(16 / 17 / 17 / 4000)  # type: ignore[operator]


def test_a_kind_without_a_bias_is_refused_one() -> None:
    one = replace(CASE, kind="bootstrap", temperature=0.9)
    with pytest.raises(ConfigError, match="temperature"):
        one.output(CASE.train, "collapse", 0, 1)
    assert replace(one, temperature=1.0).output(CASE.train, "collapse", 0, 1).height == 30


# --- files ---


def test_a_case_comes_back_as_it_was(tmp_path: Path) -> None:
    one = replace(
        CASE, kind="forest", parameters={"trees": 3, "marginals": None}, temperature=0.5, constraints=RULES,
        protection=ProtectionSection(rare_category_min_count=7, rare_category="constant"), target="late",
        exclude=("city",),
    )  # fmt: skip
    one.save(tmp_path)
    back = Case.load(tmp_path)
    assert_frame_equal(back.train, one.train)
    assert_frame_equal(back.holdout, one.holdout)
    for name in (
        "schema", "kind", "parameters", "temperature", "protection", "constraints", "rows", "metrics", "target",
        "exclude", "seed",
    ):  # fmt: skip
        assert getattr(back, name) == getattr(one, name), name
    assert back.to_dict() == one.to_dict()


def test_a_case_that_came_back_measures_and_puts_out_the_same(tmp_path: Path) -> None:
    CASE.save(tmp_path)
    back = Case.load(tmp_path)
    made = CASE.output(CASE.train.head(30), "collapse", 0, 1)
    assert_frame_equal(back.output(back.train.head(30), "collapse", 0, 1), made)
    one, other = (case.ruler.measure(made, case.ruler.measurable, "0/1") for case in (CASE, back))
    assert back.ruler.names == CASE.ruler.names
    assert np.array_equal(one.values, other.values)


def test_tables_that_lie_there_are_not_written_again(tmp_path: Path) -> None:
    CASE.save(tmp_path)
    before = (tmp_path / "train.arrow").stat()
    (tmp_path / "holdout.arrow").unlink()
    CASE.save(tmp_path)
    after = (tmp_path / "train.arrow").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case.json", "holdout.arrow", "train.arrow"]


def test_a_process_reads_a_case_once(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        CASE.save(tmp_path / name)
    first = loaded(str(tmp_path / "one"))
    assert loaded(str(tmp_path / "one")) is first
    assert loaded(str(tmp_path / "other")) is not first


def test_constraints_come_back_as_what_they_were() -> None:
    assert constraints_of([rule.model_dump(mode="json") for rule in RULES]) == RULES


def test_the_ruler_is_the_cases_own() -> None:
    one = replace(CASE, protection=ProtectionSection(rare_category_min_count=9), target="late", exclude=("city",))
    ruler = one.ruler
    assert ruler is one.ruler
    assert (ruler.rows, ruler.metrics, ruler.threshold) == (30, ("tvd", "w1"), 9)
    assert (ruler.target, ruler.exclude, ruler.seed) == ("late", ("city",), 5)
    assert ruler.train is one.train
    assert ruler.holdout is one.holdout
