"""The course of a training by epochs: how far it is, its losses, the time that is left, and when it has to end.

What is trained is not known here. An engine's loop takes its epochs from :meth:`Watch.follow`, which is told the losses
after each; the clock is given, so that nothing here waits or reads the time by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from synthcli.synthesizers.protocol import Progress
from synthcli.wording import span

#: The losses of one epoch, in an order that the engine's names give.
Losses = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """The losses of a training: ``epochs`` has a tuple for each epoch trained, ``names`` says what stands in it."""

    names: tuple[str, ...]
    epochs: tuple[Losses, ...] = ()

    def to_csv(self) -> str:
        """Return the curve as a table, the epochs counted from 1; every digit is kept."""
        rows = [",".join([str(number), *map(repr, losses)]) for number, losses in enumerate(self.epochs, start=1)]
        return "".join(f"{row}\n" for row in [",".join(["epoch", *self.names]), *rows])

    @classmethod
    def from_csv(cls, text: str) -> Self:
        """Read what :meth:`to_csv` wrote."""
        header, *rows = text.splitlines()
        return cls(tuple(header.split(",")[1:]), tuple(tuple(map(float, row.split(",")[1:])) for row in rows))


@dataclass(frozen=True, slots=True)
class Watch:
    """Goes along with one training.

    Attributes
    ----------
    progress
        Told after each epoch; what it raises ends the training.
    clock
        Returns seconds that only grow.
    deadline
        The reading of ``clock`` after which no further epoch begins; ``None``: there is none.
    curve
        The losses so far, an entry for each epoch done.
    refused
        What ``progress`` raised, so that it can be told from the engine's own errors.
    """

    progress: Progress
    clock: Callable[[], float]
    deadline: float | None = None
    curve: list[Losses] = field(default_factory=list)
    refused: list[Exception] = field(default_factory=list)

    def follow(self, epochs: int, losses: Callable[[], Losses]) -> Iterator[int]:
        """Yield 0, 1, … ``epochs`` - 1 to the engine's loop, fewer past the deadline; the first is always trained.

        ``losses`` is called after each epoch and returns that epoch's.
        """
        began = self.clock()
        for epoch in range(epochs):
            yield epoch
            self.curve.append(losses())
            now = self.clock()
            self._tell(epochs, now, (now - began) / (epoch + 1))
            if self.deadline is not None and now >= self.deadline:
                return

    def _tell(self, epochs: int, now: float, seconds_each: float) -> None:
        done = len(self.curve)
        left = seconds_each * (epochs - done)
        if self.deadline is not None:
            left = min(left, max(self.deadline - now, 0.0))
        try:
            self.progress(done / epochs, note(done, epochs, self.curve[-1], left))
        except Exception as error:
            self.refused.append(error)
            raise


def note(epoch: int, epochs: int, losses: Losses, seconds_left: float) -> str:
    """Return how far a training is, such as ``epoch 12/300, loss -1.23/0.40, 2 min left``."""
    loss = "/".join(f"{value:.2f}" for value in losses)
    told = f"epoch {epoch}/{epochs}, loss {loss}"
    return told if epoch == epochs else f"{told}, {span(seconds_left)} left"


def stopped(trained: int, epochs: int) -> tuple[str, ...]:
    """Return the sentence on a training that its time limit ended, or none where it ran to its end."""
    if trained >= epochs:
        return ()
    return (
        f"stopped after {trained} of {epochs} epochs (max_minutes): another run may train more or fewer and give "
        f"another model; set synthesizer.epochs to {trained} and no limit to have this one again",
    )
