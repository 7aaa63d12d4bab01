"""How many rows each class has to have, exactly: shares are fractions here, and no row is lost to rounding.

Counts and shares are mappings of a class's name; no table is known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor
from typing import TypeVar

from synthcli.errors import BadTableError

Name = TypeVar("Name")


def exact(share: float) -> Fraction:
    """Return the share as it was written: 0.3 is three tenths, which no float is.

    >>> exact(0.3)
    Fraction(3, 10)
    """
    return Fraction(repr(share))


def apportioned(rows: int, shares: Mapping[Name, Fraction]) -> dict[Name, int]:
    """Return ``rows`` divided by ``shares``, which add up to 1: each class within one row of its share.

    The rows that are left over after rounding down go to the largest remainders (Hamilton's method), among equal ones
    to the first.

    >>> apportioned(10, {"a": Fraction(1, 3), "b": Fraction(2, 3)})
    {'a': 3, 'b': 7}
    """
    whole = {name: floor(rows * share) for name, share in shares.items()}
    remainders = sorted(shares, key=lambda name: whole[name] - rows * shares[name])
    return {name: count + (name in remainders[: rows - sum(whole.values())]) for name, count in whole.items()}


def completed(counts: Mapping[Name, int], asked: Mapping[Name, Fraction]) -> dict[Name, Fraction]:
    """Return the share of every class of ``counts``: those asked for, the others in their proportions to each other.

    Raises ``BadTableError`` where the shares asked for leave nothing for classes that have rows, or leave something
    and there is no other class.
    """
    rest = 1 - sum(asked.values(), Fraction(0))
    others = sum(count for name, count in counts.items() if name not in asked)
    if rest < 0:
        raise BadTableError(f"the shares asked for add up to {float(1 - rest):g}", "they may add up to 1 at most")
    if rest and not others:
        raise BadTableError(
            f"the shares asked for add up to {float(1 - rest):.15g}, and there is no other class to have the rest",
            "let them add up to 1",
        )
    return {
        name: asked[name] if name in asked else rest * Fraction(count, others) if others else Fraction(0)
        for name, count in counts.items()
    }


def enlarged(counts: Mapping[Name, int], shares: Mapping[Name, Fraction], rows: int | None = None) -> dict[Name, int]:
    """Return the rows of each class in a table that keeps all of ``counts`` and has ``shares``, which add up to 1.

    It is the smallest such table, or one of ``rows`` rows. Shares are met as :func:`apportioned` meets them.

    Raises ``BadTableError`` where a class with rows is to have none, and where ``rows`` are too few.
    """
    emptied = sum(1 for name, count in counts.items() if count and not shares[name])
    if emptied:
        raise BadTableError(
            f"the shares asked for leave nothing for {emptied:,} other class{'es' if emptied > 1 else ''} that real "
            "rows belong to, and all real rows are kept",
            "leave them a share, or make a wholly synthetic table (augment.whole: true)",
        )
    least = max((ceil(count / shares[name]) for name, count in counts.items() if count), default=0)
    if rows is not None and rows < least:
        raise BadTableError(
            f"{rows:,} rows have no room for these shares with all {sum(counts.values()):,} real rows kept",
            f"ask for at least {least:,} rows, or for a wholly synthetic table (augment.whole: true)",
        )
    # No class gets fewer rows than it has: rounding down stays at or above a whole number that is no greater.
    return apportioned(least if rows is None else rows, shares)
