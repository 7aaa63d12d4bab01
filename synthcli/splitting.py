"""Which side of the split a row belongs to, so that a holdout stays a holdout when the data grow.

The side is a function of the row's content, a salt and an occurrence number; no random generator, no row order and
no list of rows is involved. The same row falls on the same side in next month's file. Rows that are equal in every
key column get the occurrence numbers 0, 1, 2 … and so are divided like other rows: with all duplicates on one side
training part and holdout would not be exchangeable, and every privacy number would be wrong in tables with few columns.

This module knows nothing of files; ``split.json`` is a ``SplitRule`` and its schema as plain data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.rowkeys import Keys, occurrences, row_keys, splitmix64, text_key

Sides = npt.NDArray[np.bool_]
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class SplitRule:
    """A rule that says of any row whether it is reserved.

    Attributes
    ----------
    method
        ``hash``, the only rule so far.
    holdout
        Share of keys that are reserved, in (0, 1).
    by
        Columns whose values stay together on one side (all rows of one customer); empty for a rule by row.
    salt
        A constant that tells this split from other splits of the same rows. It is no seed: changing ``run.seed``
        moves no row.
    columns
        The columns that make up a row's content, frozen at the first split; later columns are ignored.
    """

    method: str
    holdout: float
    by: tuple[str, ...]
    salt: str
    columns: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; :meth:`from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SplitRule:
        """Rebuild a rule from :meth:`to_dict`'s output, also after a trip through JSON."""
        return cls(**{**data, "by": tuple(data["by"]), "columns": tuple(data["columns"])})


def content_keys(frame: pl.DataFrame, rule: SplitRule) -> Keys:
    """Return the key of each row's whole content, over the rule's frozen columns."""
    return row_keys(frame, rule.columns)


def holdout_sides(frame: pl.DataFrame, rule: SplitRule) -> Sides:
    """Return True for each row of ``frame`` that the rule reserves.

    Rows with a null in ``by`` belong to no group and are divided one by one, by content.
    """
    content = content_keys(frame, rule)
    number = occurrences(content)
    if rule.by:
        grouped = frame.select(pl.all_horizontal(pl.col(rule.by).is_not_null())).to_series().to_numpy()
        content = np.where(grouped, row_keys(frame, rule.by), content)
        number = np.where(grouped, 0, number)
    return reserved(content, number, rule)


def reserved(keys: Keys, number: npt.NDArray[np.int64], rule: SplitRule) -> Sides:
    """Return True where the position of (salt, key, occurrence number) in [0, 2^64) lies below the share."""
    salted = splitmix64(keys ^ np.uint64(text_key(rule.salt)))
    position = splitmix64(salted + number.astype(np.uint64) * _STEP)
    return position < np.uint64(int(rule.holdout * 2.0**64))


def trespassers(frame: pl.DataFrame, rule: SplitRule, train_part: pl.DataFrame | None) -> Sides:
    """Return True for each row that must not be trained on: reserved by the rule, its content nowhere in training.

    A reserved duplicate of a row that is itself in training (in ``frame`` or in ``train_part``, the split's own
    training part) gives nothing away and is allowed; occurrence numbers count within a file, so the training part's
    own duplicates would else accuse themselves.
    """
    sides = holdout_sides(frame, rule)
    if not sides.any():
        return sides
    content = content_keys(frame, rule)
    allowed = content[~sides]
    if train_part is not None:
        allowed = np.concatenate([allowed, content_keys(train_part, rule)])
    return sides & ~np.isin(content, allowed)
