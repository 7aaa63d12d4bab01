"""Facts about the course of a training, with a clock that is set by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcli.synthesizers.training import Curve, Watch, note, stopped


class Clock:
    """Seconds that go on by ``step`` with each epoch."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        return self.now

    def losses(self) -> tuple[float, ...]:
        """Let an epoch's time go by and return its losses."""
        self.now += self.step
        return (self.now, -0.5)


def follow(epochs: int, step: float, deadline: float | None = None) -> tuple[list[int], list[tuple[float, str]], Watch]:
    clock, told = Clock(step), []
    watch = Watch(lambda share, text: told.append((share, text)), clock, deadline)
    return list(watch.follow(epochs, clock.losses)), told, watch


def test_every_epoch_is_trained_and_told_with_its_losses_and_the_time_left() -> None:
    trained, told, watch = follow(4, step=30)
    assert trained == [0, 1, 2, 3]
    assert told == [
        (0.25, "epoch 1/4, loss 30.00/-0.50, 2 min left"),
        (0.5, "epoch 2/4, loss 60.00/-0.50, 1 min left"),
        (0.75, "epoch 3/4, loss 90.00/-0.50, 30 s left"),
        (1.0, "epoch 4/4, loss 120.00/-0.50"),
    ]
    assert watch.curve == [(30.0, -0.5), (60.0, -0.5), (90.0, -0.5), (120.0, -0.5)]


def test_the_epoch_under_way_at_the_deadline_is_the_last() -> None:
    assert follow(10, step=30, deadline=70)[0] == [0, 1, 2]


def test_one_epoch_is_trained_though_the_deadline_has_passed() -> None:
    assert follow(10, step=30, deadline=-5)[0] == [0]


def test_no_more_time_is_left_than_the_deadline_leaves() -> None:
    assert follow(100, step=30, deadline=70)[1][0][1].endswith("40 s left")


def test_what_progress_raises_ends_the_training_and_is_known_afterwards() -> None:
    error, clock = ValueError("enough"), Clock(1)

    def refuse(share: float, text: str) -> None:
        raise error

    watch = Watch(refuse, clock)
    with pytest.raises(ValueError, match="enough"):
        list(watch.follow(3, clock.losses))
    assert watch.refused == [error]
    assert len(watch.curve) == 1


def test_a_single_loss_stands_alone() -> None:
    assert note(12, 300, (-1.234,), 115) == "epoch 12/300, loss -1.23, 2 min left"


def test_a_training_that_ran_to_its_end_has_nothing_to_say() -> None:
    assert stopped(5, 5) == ()
    assert stopped(2, 5)[0].startswith("stopped after 2 of 5 epochs (max_minutes)")


def test_a_curve_is_a_table_with_the_epochs_from_1() -> None:
    curve = Curve(("generator_loss", "discriminator_loss"), ((0.1, -2.0), (1e-9, float("inf"))))
    assert curve.to_csv() == "epoch,generator_loss,discriminator_loss\n1,0.1,-2.0\n2,1e-09,inf\n"


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False))))
def test_a_curve_comes_back_from_its_table_to_the_last_digit(losses: list[tuple[float, float]]) -> None:
    curve = Curve(("one", "other"), tuple(losses))
    assert Curve.from_csv(curve.to_csv()) == curve
