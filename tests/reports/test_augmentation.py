"""The report of an augmentation in a terminal: the verdict first, right at 80 columns, hostile names inert."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from test_augmentation_html import CLASSES, HOSTILE, PATTERN, document, imputed, lifted, point

from synthcli.reports.augmentation import augment_report, compared
from synthcli.reports.words import signed


def shown(found: dict, width: int = 80) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, no_color=True).print(augment_report(found))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_the_verdict_comes_first_with_its_figures_and_the_simpler_means() -> None:
    lines = shown(document())
    assert lines[0] == "HELPS  a model of late, trained after rebalancing late"
    assert lines[1].startswith("  PR AUC +0.050 (+0.040 … +0.060) over the rows as they are")
    assert "  better than SMOTE-NC (+0.070)" in lines


def test_nothing_is_wider_than_the_terminal() -> None:
    masking = {"patterns": [PATTERN], "legend": "what it means"}
    for found in (document(), imputed(masking=masking)):
        assert max(map(len, shown(found))) <= 80


def test_classes_are_told_with_their_rows_and_shares() -> None:
    lines = shown(document())
    row = next(line for line in lines if line.startswith("late=true"))
    assert row.split() == ["late=true", "100", "300", "200", "50.00%"]
    assert any(line.startswith("rows") and "400 real + 200 synthetic = 600" in line for line in lines)


def test_the_curve_marks_gains_whose_interval_leaves_out_0() -> None:
    curve = [line.split() for line in shown(document()) if line.startswith(("100 ", "1,000 "))]
    assert curve == [["100", "0.300", "-0.020*", "+0.050*"], ["1,000", "0.300", "-0.020*", "+0.050*"]]


def test_an_arm_that_was_not_measured_says_why() -> None:
    lift = lifted()
    lift["points"][-2] = point(1000, "SMOTE-NC", None)
    lift["against"].pop("SMOTE-NC")
    lines = shown(document(lift=lift))
    assert "SMOTE-NC: too few rows" in lines
    assert not compared(lift)


@pytest.mark.parametrize(("passed", "told"), [(True, "holds"), (False, "FAILS, no table was written")])
def test_a_gate_is_told_even_where_nothing_was_measured(passed: bool, told: str) -> None:
    gate = {"demand": "no_harm", "passed": passed}
    for found in (document(gate=gate), imputed(gate=gate)):
        assert f"  the gate demands no harm: {told}" in shown(found)


def test_holes_and_hidden_cells() -> None:
    lines = shown(imputed(masking={"patterns": [PATTERN], "legend": "what it means"}))
    assert lines[0] == "NOT MEASURED  what a model gains: no target: name one"
    assert next(line for line in lines if line.startswith("age")).split() == ["age", "40", "30", "10"]
    own = next(line for line in lines if line.startswith("this augmentation"))
    assert own.split() == ["this", "augmentation", "0.500", "–", "0.020", "–", "–"]
    assert "what it means" in lines


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_moves_no_cursor(name: str) -> None:
    classes = [{**CLASSES[0], "class": name}, CLASSES[1]]
    account = {"columns": [name], "classes": classes, "without_class": 0}
    text = "\n".join(shown(document(account=account, notes=[name]), width=200))
    assert not set(text) & {"\x00", "\x1b", "\ud800", "\u202e"}


def test_a_difference_that_reads_as_none_has_no_sign() -> None:
    assert [signed(value) for value in (0.0004, -0.0004, 0.0006, -0.25, None)] == [
        "0.000",
        "0.000",
        "+0.001",
        "-0.250",
        "–",
    ]
