"""What a generator is: learn from a training table once, then draw any number of rows from a seed.

``synthcli.synthesizers.KINDS`` names what conforms. A generator sees the training part only: nothing in this package
hands it a holdout row. The table that it learns from and the tables that it returns hold the schema's *modelled*
columns; ids, text, column order and value form are put back by ``synthesizers.assembly``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from synthcli.schema import Schema
    from synthcli.synthesizers.crew import Crew

#: Told how far a long fit is: the share done (0 to 1) and a short note (an epoch, a loss); may be called often.
Progress = Callable[[float, str], None]


class Synthesizer(Protocol):
    """A fitted generator.

    Determinism: the same training table, parameters, seed and versions give the same model; the same model, ``rows``
    and seed give the same rows, in this process or another.
    """

    @classmethod
    def fit(
        cls, train: pl.DataFrame, schema: Schema, parameters: Mapping[str, Any], seed: int, progress: Progress
    ) -> Self:
        """Learn from ``train`` (n rows, the modelled columns of ``schema`` in order, missing cells null).

        ``parameters`` were validated by the kind's model in ``config``. Raises ``BadTableError`` where the table
        cannot be learned from and ``EngineError`` where the library fails.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for a person on how the fit went, where that is out of the ordinary; no cell values."""

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` (>= 0) synthetic rows with the columns and dtypes of the training table."""

    def save(self, folder: Path) -> None:
        """Write the model as files into the existing ``folder``; the caller hashes and publishes them."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote. The caller has checked the files' hashes, since they may be pickles."""


@runtime_checkable
class Distributed(Protocol):
    """A kind of synthesizer whose fit is many tasks, which a crew does side by side (``synthesizers.crew``)."""

    @classmethod
    def fit_by(
        cls,
        crew: Crew,
        train: pl.DataFrame,
        schema: Schema,
        parameters: Mapping[str, Any],
        seed: int,
        progress: Progress,
    ) -> Self:
        """Learn as ``Synthesizer.fit`` does; the model is the same whoever does the work."""


class Source(Protocol):
    """Whatever rows can be drawn from."""

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """Return ``rows`` rows, ruled by ``seed``."""


class Completed(NamedTuple):
    """Rows that were completed, and which of them could be.

    Attributes
    ----------
    table
        As many rows as were given, with the columns and dtypes of the training table; a row that could not be made is
        missing in every cell.
    made
        One flag for each row.
    """

    table: pl.DataFrame
    made: NDArray[np.bool_]


@runtime_checkable
class Conditional(Protocol):
    """A synthesizer that draws cells given others by its own law, without trying.

    What has no such law is completed by trying (``synthesizers.conditioning``).
    """

    def complete(self, given: pl.DataFrame, seed: int) -> Completed:
        """Draw the empty cells of ``given`` from their law given the row's other cells, each row by itself.

        ``given`` has any of the training table's columns, in any order and with its dtypes; null is empty, and absent
        columns are empty throughout. Known cells come back bit for bit. A row cannot be made where it has a value that
        the model has no place for, such as a category that it never saw.
        """


@runtime_checkable
class Tempered(Protocol):
    """A synthesizer that can draw with a bias towards what is frequent, as a simulation of model collapse asks for it.

    What has no such bias is drawn from by its own law only.
    """

    def tempered(self, temperature: float) -> Self:
        """Return the same model, its law sharpened (``temperature`` < 1) or flattened (> 1); 1.0 is the model itself.

        A law p becomes p^(1/temperature), scaled to sum to one (``tempering``); of which law p, and what is left as it
        is, each class says. Empty cells are completed by the same law. The temperatures of a model that is tempered
        twice multiply. Raises ``ValueError`` where a temperature is no finite number above 0. A tempered model is to
        be drawn from, not kept: ``save`` raises ``ValueError``.
        """


#: Which rows of a table keep all rules.
Keeps = Callable[["pl.DataFrame"], "NDArray[np.bool_]"]


@runtime_checkable
class Filling(Protocol):
    """A kind of synthesizer with a way of its own to draw cells in real rows given all others, holes above all.

    Of any other kind a model is fitted and asked for empty cells (``Conditional``, ``synthesizers.conditioning``).
    Real rows stay what they are with such cells in them: nothing here is for release.
    """

    @classmethod
    def fill(
        cls,
        table: pl.DataFrame,
        schema: Schema,
        columns: Sequence[str],
        parameters: Mapping[str, Any],
        seed: int,
        progress: Progress,
        keeps: Keeps,
        *,
        resample: bool = False,
        crew: Crew = ...,
    ) -> Completed:
        """Return ``table`` (the modelled columns of ``schema``) with the holes of ``columns`` filled.

        Known cells come back bit for bit. A row is not made where a hole could not be filled, or only so that ``keeps``
        does not hold. ``resample`` asks for a table that also differs from those of other seeds by what is not known
        of the law, as multiple imputation needs it. The table is the same whoever of a ``crew`` does the work.
        """

    @classmethod
    def vary(
        cls,
        rows: pl.DataFrame,
        schema: Schema,
        redrawn: Mapping[str, NDArray[np.bool_]],
        law: pl.DataFrame,
        parameters: Mapping[str, Any],
        seed: int,
        progress: Progress,
        keeps: Keeps,
        crew: Crew = ...,
    ) -> Completed:
        """Return ``rows`` (the modelled columns of ``schema``) with some cells drawn anew given the row's others.

        ``redrawn`` says for each column which rows; the other cells come back bit for bit. The law is learned from the
        rows of ``law``, to which ``rows`` belong. A row is not made as with :meth:`fill`.
        """
