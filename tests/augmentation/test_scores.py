"""Scores of a model under many weightings: by hand, against scikit-learn's, and as laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, r2_score, roc_auc_score

from synthcli.augmentation import scores
from synthcli.augmentation.scores import Ranked, classification, prior_corrected, regression, weightings

SEEDS = st.integers(0, 2**32 - 1)
ONCE = np.ones((1, 6))
#: Found by falling score: yes, no, yes, yes, no, yes.
OWN = np.array([True, False, True, True, False, True])
SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])


def predicted(rows: int, classes: int, levels: int, random: np.random.Generator) -> tuple[scores.Codes, scores.Floats]:
    """Return classes and chances of them that tell something and are often tied: few different ones occur."""
    truth = random.integers(0, classes, rows)
    chance = random.integers(1, levels + 1, (rows, classes)) + 2.0 * (np.arange(classes) == truth[:, None])
    return truth, chance / chance.sum(axis=1, keepdims=True)


# --- Weightings --------------------------------------------------------------------------------------------------


def test_the_first_weighting_counts_each_row_once_and_the_others_draw_as_many_rows() -> None:
    found = weightings(500, 40, np.random.default_rng(1))
    assert found.shape == (41, 500)
    assert (found[0] == 1).all()
    assert (found.sum(axis=1) == 500).all()
    # A row is left out of a sample with chance (1 - 1/500)^500.
    assert np.mean(found[1:] == 0) == pytest.approx((1 - 1 / 500) ** 500, abs=0.01)
    assert len({row.tobytes() for row in found}) == 41


@given(SEEDS, st.integers(2, 3))
def test_a_weighting_scores_as_the_table_in_which_rows_are_repeated(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    truth, chance = predicted(30, classes, 5, random)
    weights = weightings(30, 3, random)
    assume(all(len(np.unique(truth[row > 0])) == classes for row in weights))
    found = classification(truth, chance, classes - 1, 0.6, weights)
    number = regression(chance[:, 0], chance[:, 1], weights)["lift.r2"]
    for at, row in enumerate(weights):
        chosen, once = np.repeat(np.arange(30), row), np.ones((1, 30), np.uint8)
        repeated = classification(truth[chosen], chance[chosen], classes - 1, 0.6, once)
        assert {name: values[at] for name, values in found.items()} == pytest.approx(
            {name: values[0] for name, values in repeated.items()}
        )
        assert number[at] == pytest.approx(regression(chance[chosen, 0], chance[chosen, 1], once)["lift.r2"][0])


def test_blocks_of_weightings_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    truth, chance = predicted(40, 3, 6, random)
    weights = weightings(40, 10, random)
    whole = classification(truth, chance, 2, 0.5, weights)
    number = regression(chance[:, 0], chance[:, 1], weights)["lift.r2"]
    monkeypatch.setattr(scores, "_BLOCK", 3 * 40)  # three weightings a block, and two in the last
    parts = classification(truth, chance, 2, 0.5, weights)
    for name, values in whole.items():
        assert parts[name] == pytest.approx(values, rel=1e-12)
    assert regression(chance[:, 0], chance[:, 1], weights)["lift.r2"] == pytest.approx(number, rel=1e-9)


# --- Classes -----------------------------------------------------------------------------------------------------


@settings(max_examples=15)  # scikit-learn takes its time
@given(SEEDS, st.integers(1, 20))
def test_scores_of_two_classes_are_those_of_scikit_learn(seed: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    truth, chance = predicted(40, 2, levels, random)
    weights = weightings(40, 4, random)
    assume(all(len(np.unique(truth[row > 0])) == 2 for row in weights))
    for rarest in (0, 1):
        found = classification(truth, chance, rarest, 0.5, weights)
        own = truth == rarest
        for at, row in enumerate(weights):
            weighted = {"sample_weight": row.astype(float)}
            assert found["lift.roc_auc"][at] == pytest.approx(roc_auc_score(own, chance[:, rarest], **weighted))
            assert found["lift.pr_auc"][at] == pytest.approx(
                average_precision_score(own, chance[:, rarest], **weighted)
            )
            assert found["lift.brier"][at] == pytest.approx(brier_score_loss(own, chance[:, rarest], **weighted))


@settings(max_examples=15)  # scikit-learn takes its time
@given(SEEDS, st.integers(1, 20))
def test_scores_of_three_classes_are_those_of_scikit_learn(seed: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    truth, chance = predicted(60, 3, levels, random)
    weights = weightings(60, 3, random)
    assume(all(len(np.unique(truth[row > 0])) == 3 for row in weights))
    found = classification(truth, chance, 2, 0.5, weights)
    for at, row in enumerate(weights):
        weight = row.astype(float)
        auc = roc_auc_score(truth, chance, sample_weight=weight, multi_class="ovr", average="macro")
        brier = brier_score_loss(truth, chance, sample_weight=weight, scale_by_half=True)
        assert found["lift.roc_auc"][at] == pytest.approx(auc)
        assert found["lift.brier"][at] == pytest.approx(brier)
        assert found["lift.pr_auc"][at] == pytest.approx(
            average_precision_score(truth == 2, chance[:, 2], sample_weight=weight)
        )


def test_ranks_by_hand() -> None:
    ranked = Ranked.of(OWN, SCORE)
    # Of 4 x 2 pairs the first yes wins 2, the next two win 1 each, the last none.
    assert ranked.roc_auc(ONCE).tolist() == [4 / 8]
    # Precision where a yes is found, a quarter of them each: 1/1, 2/3, 3/4, 4/6.
    assert ranked.average_precision(ONCE)[0] == pytest.approx((1 + 2 / 3 + 3 / 4 + 4 / 6) / 4)


@pytest.mark.parametrize(("precision", "recall"), [(1.0, 0.25), (0.76, 0.25), (0.75, 0.75), (0.67, 0.75), (0.6, 1.0)])
def test_recall_is_the_largest_at_a_precision_not_the_first(precision: float, recall: float) -> None:
    # Precision falls to 1/2 and 2/3 and is at 3/4 again when three of the four are found, and 4/6 at the end.
    assert Ranked.of(OWN, SCORE).recall_at(precision, ONCE).tolist() == [recall]


def test_recall_goes_by_weighted_rows() -> None:
    # The first no counts twice: 1/1, 1/3, 2/4, 3/5, 3/6, 4/7; without the first yes the best is 3/5.
    weights = np.array([[1.0, 2, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])
    assert Ranked.of(OWN, SCORE).recall_at(0.6, weights).tolist() == [3 / 4, 1.0]
    assert Ranked.of(OWN, SCORE).recall_at(0.61, weights).tolist() == [1 / 4, 2 / 3]


def test_no_threshold_parts_equal_scores() -> None:
    ranked = Ranked.of(np.array([True, False, True, False]), np.array([0.9, 0.9, 0.1, 0.1]))
    assert ranked.recall_at(0.51, np.ones((1, 4))).tolist() == [0.0]
    assert ranked.recall_at(0.5, np.ones((1, 4))).tolist() == [1.0]
    assert ranked.roc_auc(np.ones((1, 4))).tolist() == [0.5]


def test_a_weighting_without_the_class_or_without_others_is_worth_nothing_or_half() -> None:
    ranked = Ranked.of(np.array([True, False]), np.array([0.9, 0.1]))
    weights = np.array([[0.0, 2.0], [2.0, 0.0], [1.0, 1.0]])
    assert ranked.roc_auc(weights).tolist() == [0.5, 0.5, 1.0]
    assert ranked.average_precision(weights).tolist() == [0.0, 1.0, 1.0]
    assert ranked.recall_at(0.9, weights).tolist() == [0.0, 1.0, 1.0]


def test_a_perfect_model_a_blind_one_and_one_that_is_always_wrong() -> None:
    truth = np.array([0, 0, 0, 1])
    hit = np.eye(2)[truth]
    once = np.ones((1, 4), np.uint8)
    found = [classification(truth, chance, 1, 0.9, once) for chance in (hit, np.full((4, 2), 0.5), 1 - hit)]
    assert [each["lift.roc_auc"][0] for each in found] == [1.0, 0.5, 0.0]
    assert [each["lift.pr_auc"][0] for each in found] == [1.0, 0.25, 0.25]
    assert [each["lift.recall"][0] for each in found] == [1.0, 0.0, 0.0]
    assert [each["lift.brier"][0] for each in found] == [0.0, 0.25, 1.0]


# --- Numbers -----------------------------------------------------------------------------------------------------


@given(SEEDS)
def test_r2_is_that_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.normal(3, 2, 30)
    guess = truth + random.normal(0, random.uniform(0, 4), 30)
    weights = weightings(30, 4, random)
    found = regression(truth, guess, weights)["lift.r2"]
    expected = [r2_score(truth, guess, sample_weight=row.astype(float)) for row in weights]
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_mean_scores_0_and_the_truth_1() -> None:
    truth, once = np.array([1.0, 2.0, 6.0]), np.ones((1, 3), np.uint8)
    assert regression(truth, np.full(3, 3.0), once)["lift.r2"] == pytest.approx([0.0], abs=1e-12)
    assert regression(truth, truth, once)["lift.r2"].tolist() == [1.0]


def test_r2_does_not_change_where_zero_is_far_away() -> None:
    random = np.random.default_rng(4)
    truth = random.normal(0, 1, 200)
    guess = truth + random.normal(0, 1, 200)
    weights = weightings(200, 20, random)
    near, far = (regression(truth + shift, guess + shift, weights)["lift.r2"] for shift in (0.0, 1e9))
    assert far == pytest.approx(near, abs=1e-4)


def test_a_resample_in_which_the_number_is_constant_does_not_decide() -> None:
    # One row in 60 differs: a third of the bootstrap samples lack it.
    truth = np.append(np.zeros(59), 1.0)
    found = regression(truth, np.full(60, 0.01), weightings(60, 50, np.random.default_rng(5)))["lift.r2"]
    assert np.abs(found).max() < 1e3


# --- Prior correction --------------------------------------------------------------------------------------------


def test_prior_correction_by_hand() -> None:
    learned, real = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    found = prior_corrected(np.array([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]]), learned, real)
    # .2 x 9/5 = .36 and .8 x 1/5 = .16
    assert found == pytest.approx(np.array([[0.9, 0.1], [0.36 / 0.52, 0.16 / 0.52], [1.0, 0.0]]))


@given(SEEDS)
def test_prior_correction_is_bayes_rule(seed: int) -> None:
    random = np.random.default_rng(seed)
    density = random.random((20, 3)) + 1e-3
    learned, real = random.dirichlet(np.ones(3)) + 1e-3, random.dirichlet(np.ones(3)) + 1e-3
    learned, real = learned / learned.sum(), real / real.sum()

    def posterior(prior: scores.Floats) -> scores.Floats:
        joint: scores.Floats = density * prior
        return joint / joint.sum(axis=1, keepdims=True)

    assert prior_corrected(posterior(learned), learned, real) == pytest.approx(posterior(real))
    assert prior_corrected(posterior(real), real, real) == pytest.approx(posterior(real), abs=1e-12)


def test_a_class_that_was_never_seen_has_no_chance_and_no_chance_at_all_is_the_shares() -> None:
    learned, real = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    found = prior_corrected(np.array([[0.4, 0.6, 0.0], [0.0, 0.0, 0.0]]), learned, real)
    assert found == pytest.approx(np.array([[0.4, 0.6, 0.0], [0.25, 0.25, 0.5]]))
