"""The report of a simulated collapse in a terminal: one sentence that answers, right at 80 columns, nothing unsaid."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from typing import Any

import collapse_example as example
import pytest
from collapse_example import arms, document, judged, minimum, with_arms
from pydantic import ValidationError
from rich.console import Console
from test_augmentation_html import HOSTILE

from synthcli.reports.collapse import collapse_document, collapse_report
from synthcli.reports.collapse_words import (
    answer,
    asked_arms,
    by_importance,
    change_words,
    fresh_words,
    generation_words,
    leading_arm,
    mechanism_words,
    settling,
    share_words,
    span_words,
)

VARIANTS: dict[str, Callable[[], dict]] = {
    "whole": document,
    "no categories": example.no_categories,
    "not searched": example.not_searched,
    "inconclusive": example.inconclusive,
    "not found": example.not_found,
    "at most": example.at_most,
    "control alone": with_arms,
}


def shown(found: dict, width: int = 80) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, no_color=True).print(collapse_report(found))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def row(lines: list[str], start: str, after: str = "") -> list[str]:
    """Return the words of the first line that starts so, below the line that starts with ``after``."""
    place = next(place for place, line in enumerate(lines) if line.startswith(after))
    return next(line for line in lines[place:] if line.strip().startswith(start)).split()


# --- The document ------------------------------------------------------------------------------------------------


def test_a_document_is_json_and_comes_back_as_it_was() -> None:
    found = document()
    stored = json.loads(json.dumps(found, allow_nan=False))
    assert stored == found
    assert found["schema_version"] == 1
    assert found["created_at"] == "2026-01-02T00:00:00Z"
    assert collapse_document(**{name: value for name, value in stored.items() if name != "schema_version"}) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"seed": None},
        {"trajectories": None},
        {"mechanisms": example.mechanisms(measured_on="entropy")},
        {"minimum_fresh": minimum(share=float("nan"))},
        {"minimum_fresh": minimum(metrics=[{**minimum()["metrics"][0], "losses": [0.1]}])},
        {"arms": [{**arms()[0], "verdict": "fine"}]},
        {
            "arms": [
                {**arms()[0], "trajectory": {"tvd": {"generation": [0, 1], "mean": [0.1], "low": None, "high": None}}}
            ]
        },
        {"pictures": {"categories": [], "densities": [{**example.densities()[0], "labels": ["0"]}]}},
        {"pictures": {"categories": [], "densities": [{**example.densities()[0], "shares": {"replace": [[1.0]]}}]}},
    ],
)
def test_what_is_no_report_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        document(**changes)


def test_a_single_chain_has_no_intervals() -> None:
    course = {"generation": [0, 1], "mean": [0.1, None], "low": None, "high": [None, None]}
    found = document(arms=[{**arms()[0], "trajectory": {"tvd": course}}])
    assert found["arms"][0]["trajectory"]["tvd"] == course


def test_what_is_told_of_a_metric_comes_with_the_primary_ones_first() -> None:
    names = ["recall", "dependence", "entropy", "tvd"]
    ordered = by_importance(document(), [{"name": name} for name in names])
    assert [found["name"] for found in ordered] == ["dependence", "tvd", "recall", "entropy"]


# --- The answer --------------------------------------------------------------------------------------------------

COLLAPSES = (
    "Trained on its own output alone, forest collapses on this table within 12 generations (rare categories -34 points)"
)
UNDECIDED = (
    "Trained on its own output alone, forest may or may not collapse on this table: inconclusive after 12 generations "
    "in 10 chains"
)
STABLE = (
    "Trained on its own output alone, forest stays stable on this table over 12 generations, so it needs no fresh real "
    "rows for that long."
)
UNSEARCHED = "how many fresh real rows would prevent that was not searched for"
UNASKED = "its own output alone (replace) was not asked"
ACCUMULATED = "learning from everything so far (accumulate) it stays stable"
REPLACED = judged("replace", "collapsing")
NAMELESS = {**judged("fresh 0.31", "collapsing"), "fresh_share": None, "fresh_rows": 200}


def settled(**settles: int | None) -> dict:
    return with_arms(judged("replace", "inconclusive", settles={"chains": None, "generations": None, **settles}))


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            document(),
            f"{COLLAPSES}; about 23 % fresh real rows (460 of 2,000) in each generation keep it within the margins, "
            f"and from 31 % (620) on it was measured stable; {ACCUMULATED}.",
        ),
        (
            example.at_most(),
            f"{COLLAPSES}; with 5 % fresh real rows (100 of 2,000) in each generation, the least that was tried, it "
            f"stays stable; {ACCUMULATED}.",
        ),
        (
            with_arms(REPLACED, minimum_fresh=minimum(share_safe=None, rows_safe=None)),
            f"{COLLAPSES}; about 23 % fresh real rows (460 of 2,000) in each generation keep it within the margins, "
            "but no share was itself measured stable.",
        ),
        (
            with_arms(REPLACED, minimum_fresh=minimum(share_safe=0.23, rows_safe=460)),
            f"{COLLAPSES}; with 23 % fresh real rows (460 of 2,000) in each generation it stays stable.",
        ),
        (
            example.not_found(),
            f"{COLLAPSES}; no share of fresh real rows that was tried, up to 50 % (1,000 of 2,000), was found to keep "
            f"it stable; {ACCUMULATED}.",
        ),
        (
            with_arms(REPLACED, minimum_fresh=minimum(found=False, share=None, grid=[])),
            f"{COLLAPSES}; no share of fresh real rows was found that keeps it stable.",
        ),
        (example.not_searched(), f"{COLLAPSES}; {UNSEARCHED}."),
        (
            with_arms(REPLACED, judged("accumulate", "stable"), judged("accumulate-subsample", "stable")),
            f"{COLLAPSES}; {UNSEARCHED}; {ACCUMULATED}; learning from 2,000 rows out of everything so far "
            "(accumulate-subsample) it stays stable.",
        ),
        (with_arms(REPLACED, judged("accumulate", "inconclusive")), f"{COLLAPSES}; {UNSEARCHED}."),
        (
            with_arms(
                REPLACED,
                judged("fresh 0.05", "collapsing"),
                judged("fresh 0.31", "stable"),
                judged("fresh 0.5", "stable"),
            ),
            f"{COLLAPSES}; with 31 % fresh real rows (620 of 2,000) in each generation it stays stable, and whether "
            "fewer are enough was not searched for.",
        ),
        (
            with_arms(REPLACED, judged("fresh 0.05", "collapsing"), judged("fresh 0.31", "degraded-plateau")),
            f"{COLLAPSES}; with 31 % fresh real rows (620 of 2,000) in each generation it is degraded-plateau, and "
            "whether more are enough was not searched for.",
        ),
        (with_arms(judged("replace", "stable")), STABLE),
        (with_arms(judged("replace", "stable"), minimum_fresh=minimum(share=0.0, at_most=True)), STABLE),
        (
            with_arms(judged("replace", "degraded-plateau")),
            "Trained on its own output alone, forest gets worse on this table within 12 generations (rare categories "
            f"-34 points) and is not shown to go on; {UNSEARCHED}.",
        ),
        (example.inconclusive(), f"{UNDECIDED} (24 chains would settle it); {UNSEARCHED}."),
        (
            settled(chains=24, generations=40),
            f"{UNDECIDED} (24 chains or 40 generations would settle it); {UNSEARCHED}.",
        ),
        (settled(generations=40), f"{UNDECIDED} (40 generations would settle it); {UNSEARCHED}."),
        (settled(), f"{UNDECIDED}; {UNSEARCHED}."),
        (
            with_arms(judged("augment", "degraded-plateau"), judged("accumulate", "stable")),
            "Trained on its last output and the same real rows each time, forest gets worse on this table within 12 "
            f"generations (rare categories -34 points) and is not shown to go on; {UNSEARCHED}; {ACCUMULATED}; "
            f"{UNASKED}.",
        ),
        (
            with_arms(judged("accumulate", "stable")),
            f"Trained on everything so far, forest stays stable on this table over 12 generations; {UNASKED}.",
        ),
        (
            with_arms(judged("accumulate", "stable"), minimum_fresh=minimum(share=0.0, at_most=True)),
            "Trained on everything so far, forest stays stable on this table over 12 generations; no fresh real rows "
            f"are needed; {UNASKED}.",
        ),
        (
            with_arms(judged("fresh 0.31", "stable"), judged("fresh 0.05", "collapsing")),
            "Trained on 5 % fresh real rows (100 of 2,000) and its own output, forest collapses on this table within "
            "12 generations (rare categories -34 points); with 31 % fresh real rows (620 of 2,000) in each generation "
            f"it stays stable, and whether fewer are enough was not searched for; {UNASKED}.",
        ),
        (
            with_arms(NAMELESS),
            "Trained on 200 of 2,000 rows fresh and real and its own output, forest collapses on this table within 12 "
            f"generations (rare categories -34 points); {UNSEARCHED}; {UNASKED}.",
        ),
        (
            with_arms(judged("replace", "collapsing", metrics=[], broken=3)),
            "Trained on its own output alone, forest collapses on this table within 12 generations (it could not be "
            f"fitted any more in 3 of 10 chains); {UNSEARCHED}.",
        ),
        (
            with_arms(),
            "Only the control was run: whether forest collapses on its own output was not asked.",
        ),
    ],
)
def test_the_answer_is_one_sentence_for_every_case(found: dict, sentence: str) -> None:
    assert answer(found) == sentence


def test_the_answer_names_the_metric_that_moved_most_of_its_margin() -> None:
    changes = {"tvd": 0.3, "rare_category_survival": -0.34, "dependence": 0.05}
    results = [{**own, "change": changes.get(own["name"], -9.0)} for own in arms()[1]["metrics"]]
    found = with_arms({**arms()[1], "metrics": results})
    assert "(distance of columns +0.300 TVD)" in answer(found)


def test_an_arm_of_the_search_answers_nothing() -> None:
    found = with_arms(judged("replace", "collapsing", asked=False), judged("augment", "stable"))
    assert [arm["name"] for arm in asked_arms(found)] == ["augment"]
    assert leading_arm(found) == found["arms"][2]
    assert "collapses" not in answer(found)


# --- In a terminal -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", VARIANTS.values(), ids=VARIANTS)
def test_nothing_is_wider_than_the_terminal_and_the_answer_comes_first(build: Callable[[], dict]) -> None:
    found = build()
    lines = shown(found)
    assert max(map(len, lines)) <= 80
    rule = next(place for place, line in enumerate(lines) if line.startswith("───"))
    assert " ".join(lines[:rule]) == answer(found)


def test_arms_have_their_verdict_and_below_it_the_changes_against_the_margin() -> None:
    lines = shown(document())
    assert row(lines, "replace", "arm ") == ["replace", "collapsing"]
    assert row(lines, "Rare", "replace") == [
        "Rare",
        "categories",
        "collapsing",
        "-0.340",
        "-0.361",
        "…",
        "-0.319",
        "±0.1",
    ]
    assert row(lines, "Dependence", "control")[3:] == ["stable", "0.000", "-0.004", "…", "+0.004", "±0.02"]
    assert row(lines, "accumulate-subsample", "arm ") == ["accumulate-subsample", "inconclusive"]
    assert not [line for line in lines if line.startswith(("fresh 0.05", "  Recall  stable"))]


def test_a_change_that_is_not_known_is_a_dash() -> None:
    unknown = {"change": None, "low": None, "high": None}
    results = [{**own, **unknown} for own in arms()[1]["metrics"]]
    lines = shown(with_arms({**arms()[1], "metrics": results}))
    assert row(lines, "Rare", "replace") == ["Rare", "categories", "collapsing", "–", "–", "±0.1"]


def test_the_fresh_data_that_is_needed_is_told_metric_by_metric() -> None:
    lines = shown(document())
    start = "fresh real rows needed"
    assert row(lines, "all primary", start)[3:] == ["23", "%", "19", "%", "…", "28", "%", "31", "%", "21", "%"]
    assert row(lines, "Distance", start)[3:] == ["19", "%", "15", "%", "…", "25", "%", "17", "%"]
    assert "of 2,000 rows in each generation: 460 rows needed, 620 measured stable" in lines
    assert "limited by rare categories" in lines
    assert "tried: 5 %, 10 %, 17 % collapsing; 23 % inconclusive; 31 %, 50 % stable" in lines


def test_a_minimum_that_was_not_found_or_not_bracketed_says_so() -> None:
    start = "fresh real rows needed"
    lines = shown(example.not_found())
    assert row(lines, "all primary", start)[3:] == ["not", "found", "–", "none", "21", "%"]
    assert not [line for line in lines if "rows needed," in line or "limited by" in line]
    assert row(shown(example.at_most()), "all primary", start)[3:] == [
        "≤",
        "5",
        "%",
        "5",
        "%",
        "…",
        "5",
        "%",
        "5",
        "%",
        "21",
        "%",
    ]
    below = minimum(share=0.05, low=0.0, high=0.0, share_safe=0.05, rows_safe=100, at_most=True)
    assert row(shown(document(minimum_fresh=below)), "all primary", start)[3:7] == ["≤", "5", "%", "–"]
    assert not [line for line in shown(example.not_searched()) if line.startswith(start)]


def test_both_mechanisms_are_told_in_words() -> None:
    assert mechanism_words(document()) == {
        "bias": "each generation keeps 97.0 % (96.1 … 97.9 %) of the variance and halves it in 23 generations, "
        "however many rows it learns from; a share of fresh real rows cures that",
        "drift": "chance alone halves the variance in 1,386 generations (1,200 … 1,600) of 2,000 rows; a number of "
        "fresh real rows cures that, whatever their share",
    }
    assert row(shown(document()), "bias")[:4] == ["bias", "each", "generation", "keeps"]
    assert not [line for line in shown(document(mechanisms=None)) if line.startswith(("bias", "drift"))]


@pytest.mark.parametrize(
    ("bias", "words"),
    [
        (
            {"contraction": 1.02, "low": 1.01, "high": 1.03, "half_life": None},
            "each generation inflates: 102.0 % (101.0 … 103.0 %) of the heterozygosity, however many rows it learns "
            "from; a share of fresh real rows cures that",
        ),
        (
            {"contraction": 0.99, "low": 0.97, "high": 1.01, "half_life": 69.0},
            "none that chance could not explain: a generation keeps 99.0 % (97.0 … 101.0 %) of the heterozygosity",
        ),
        (
            {"contraction": 0.5, "low": None, "high": None, "half_life": 1.0},
            "each generation keeps 50.0 % of the heterozygosity and halves it in 1 generation, however many rows it "
            "learns from; a share of fresh real rows cures that",
        ),
    ],
)
def test_a_bias_inflates_contracts_or_is_within_chance(bias: dict, words: str) -> None:
    drift = {"half_life": None, "low": None, "high": None}
    found = document(mechanisms={"measured_on": "heterozygosity", "bias": bias, "drift": drift})
    assert mechanism_words(found) == {
        "bias": words,
        "drift": "chance alone takes away too little of the heterozygosity to be measured",
    }


def test_what_would_settle_recycled_rows_and_broken_chains_are_said_aloud() -> None:
    known = {arm["name"]: arm for arm in arms()}
    broken = {**known["replace"], "broken": 3}
    lines = shown(document(arms=[known["control"], broken, known["accumulate-subsample"], known["fresh 0.5"]]), 200)
    assert "accumulate-subsample: inconclusive; 24 chains would settle it" in lines
    assert (
        "fresh 0.5: the real rows ran out: from generation 7 on some were used again, which is the augment regime and "
        "no longer fresh data" in lines
    )
    assert "replace: in 3 of 10 chains the generator could no longer be fitted" in lines


def test_arms_of_which_the_same_is_to_be_said_share_a_line() -> None:
    again = [{**arm, "recycled_from": 4} for arm in arms()]
    lines = [line for line in shown(document(arms=again), 300) if "ran out" in line]
    assert len(lines) == 1
    assert lines[0].startswith("control, replace, augment, fresh 0.31, accumulate, accumulate-subsample, fresh 0.05")


def test_an_inconclusive_arm_of_the_search_is_no_remark_and_one_that_nothing_settles_is() -> None:
    grid = judged("fresh 0.05", "inconclusive") | {"asked": False}
    lines = shown(with_arms(judged("replace", "inconclusive", settles=None), grid), 200)
    assert "replace: inconclusive; no number of chains or generations is known that would settle it" in lines
    assert not [line for line in lines if line.startswith("fresh 0.05")]


def test_the_gate_and_the_notes_come_last() -> None:
    assert shown(document())[-5:] == [
        "",
        "FAIL  max_verdict degraded-plateau: collapsing; replace: collapsing",
        "pass  min_fresh_at_most 30 %: 23 %",
        "",
        "each generation is protected as fit does it",
    ]
    unknown = {"rule": "min_fresh_at_most", "threshold": 0.3, "value": None, "status": "fail", "detail": "not searched"}
    assert shown(with_arms(REPLACED, gate=[unknown]))[-1] == "FAIL  min_fresh_at_most 30 %: nothing; not searched"


def test_metrics_that_were_not_measured_give_the_reason() -> None:
    assert "not measured: Use: no target is known" in shown(document())


def test_a_sampling_bias_is_told() -> None:
    generator = {"kind": "gaussian_copula", "parameters": {}, "temperature": 0.9}
    assert "generator        gaussian_copula, temperature 0.9, seed 7" in shown(document(generator=generator))
    assert "generator        forest, seed 7" in shown(document())


@pytest.mark.parametrize("name", [*HOSTILE, "[red]x[/red]", "line\nend"])
def test_a_hostile_name_moves_no_cursor(name: str) -> None:
    # Names come in afterwards: some of them are no text that a stored document could hold.
    found = copy.deepcopy(document())
    found["metrics"][1]["title"] = found["generator"]["kind"] = name
    found["arms"][2]["name"] = found["arms"][6]["name"] = found["gate"][0]["detail"] = name
    found["notes"] = [name]
    text = "\n".join(shown(found, 300))
    assert not set(text) & {"\x00", "\x1b", "\ud800", "\u202e"}
    if name.startswith("[red]"):
        assert name in text


# --- Words -------------------------------------------------------------------------------------------------------


def test_shares_changes_and_generations_in_words() -> None:
    assert [share_words(share) for share in (0.2345, 0.0995, 0.05, 0.031, 0.0, 1.0, None)] == [
        "23 %",
        "10 %",
        "5 %",
        "3.1 %",
        "0 %",
        "100 %",
        "–",
    ]
    assert [change_words(change, "share of rows") for change in (-0.341, 0.0341, None)] == [
        "-34 points",
        "+3.4 points",
        "–",
    ]
    assert change_words(0.2, "TVD") == "+0.200 TVD"
    assert change_words(0.2, "") == "+0.200"
    assert [generation_words(count) for count in (1, 4.25, 12, 1386.2)] == [
        "1 generation",
        "4.2 generations",
        "12 generations",
        "1,386 generations",
    ]
    assert span_words(None, None) == "–"
    assert span_words(None, 0.25) == "– … +0.250"
    assert fresh_words(0.23, None, 2000) == "23 % fresh real rows"
    assert fresh_words(None, None, 2000) == "fresh real rows"
    assert settling({"settles": {"chains": 1, "generations": None}}) == "1 chain would settle it"
