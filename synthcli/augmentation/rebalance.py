"""Rebalancing: rows of some classes are drawn until every class has its share, exact to the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl

from synthcli.augmentation.classes import Axis, Classes
from synthcli.augmentation.recipe import Augmented, Recipe, followed_by, origins
from synthcli.augmentation.shares import apportioned, completed, enlarged
from synthcli.errors import BadTableError
from synthcli.schema import Schema
from synthcli.seeds import generator, stage_seed
from synthcli.synthesizers.assembly import TableGenerator
from synthcli.synthesizers.protocol import Progress

#: Training rows that a class must have for more of it to be drawn: those of one leaf of a forest, so that the class can
#: have a law of its own.
MIN_CLASS_ROWS = 20
#: Rows asked for in one round, at most and at least.
_MOST, _LEAST = 200_000, 1_000
#: Stands for all classes that no share is asked for.
_REST = -1


@dataclass(frozen=True, eq=False)
class Rebalance:
    """The wish for other shares of some classes.

    Attributes
    ----------
    axes
        The columns whose values, bins or combinations are the classes.
    asked
        One row for each class that a share is asked for, in the form of ``Classes.members``; ``shares`` are theirs.
    equal
        Whether every class is to have the same share; nothing is asked for then.
    whole
        Whether all rows are to be synthetic; else real rows are kept and synthetic ones added.
    rows
        Rows of the output; ``None``: the fewest with these shares that keep all real rows, or, for a wholly synthetic
        table, as many as belong to a class.
    least
        Training rows that a class must have for more of it to be drawn.
    """

    axes: tuple[Axis, ...]
    asked: pl.DataFrame
    shares: tuple[Fraction, ...]
    equal: bool = False
    whole: bool = False
    rows: int | None = None
    least: int = MIN_CLASS_ROWS

    def scaled(self, part: Fraction) -> Rebalance:
        """Return the wish for a table of ``part`` of the rows."""
        return replace(self, rows=None if self.rows is None else round(self.rows * part))

    def plan(self, table: pl.DataFrame) -> Mapping[str, Any]:
        """Return each class's rows now and in the output, as plain data."""
        return Plan.of(self, table).to_dict()

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        """Fit on ``table`` and return it with the rows that are lacking, or the wholly synthetic table."""
        plan = Plan.of(self, table)
        columns = [axis.name for axis in self.axes]
        learned_from = table.filter(pl.Series(plan.classes.label(table) >= 0))
        model = recipe.conditioned_on(columns).fit(learned_from, schema, seed, progress).model
        drawn = draw_classes(model, plan.classes, plan.drawn, stage_seed(seed, "draw"), recipe.tries)
        mixed = drawn[generator(seed, "order").permutation(drawn.height)]
        real = table.clear() if self.whole else table
        return Augmented(followed_by(real, mixed, model, seed), origins(real.height, mixed.height), plan.to_dict())


@dataclass(frozen=True, eq=False)
class Plan:
    """The classes, the share asked for each (``None``: what is left), and the rows of each to be drawn."""

    classes: Classes
    asked: Mapping[int, Fraction]
    drawn: Mapping[int, int]
    whole: bool
    outside: int

    @classmethod
    def of(cls, wish: Rebalance, table: pl.DataFrame) -> Plan:
        """Work out how many rows of each class are drawn; raises ``BadTableError`` for classes of too few rows."""
        classes = Classes.of(table, wish.axes, wish.asked)
        counts = {number: int(count) for number, count in enumerate(classes.counts)}
        outside = table.height - sum(counts.values())
        if len(counts) < 2:
            told = "has one class only" if counts else "has no row that belongs to a class"
            raise BadTableError(f"the table {told} in {_listed(wish.axes)}", "name another column, or bins")
        if wish.equal:
            asked = dict.fromkeys(counts, Fraction(1, len(counts)))
        else:
            numbers = [classes.number(wish.asked[place]) for place in range(wish.asked.height)]
            asked = dict(zip(numbers, wish.shares, strict=True))
        drawn = _drawn(counts, asked, wish, outside)
        _check_learnable(classes, counts, drawn, wish)
        return cls(classes, asked, {number: rows for number, rows in drawn.items() if rows}, wish.whole, outside)

    def to_dict(self) -> dict[str, Any]:
        """Return the classes as plain data, those without a share of their own as one."""
        kept = {number: 0 if self.whole else int(count) for number, count in enumerate(self.classes.counts)}
        total = sum(kept.values()) + sum(self.drawn.values())
        rest = [number for number in kept if number not in self.asked]
        groups = [(self.classes.names[number], [number]) for number in self.asked]
        groups += [("other classes", rest)] if rest else []
        parts = []
        for name, numbers in groups:
            before = sum(int(self.classes.counts[number]) for number in numbers)
            drawn = sum(self.drawn.get(number, 0) for number in numbers)
            after = drawn + sum(kept[number] for number in numbers)
            parts.append({"class": name, "before": before, "after": after, "drawn": drawn, "share": after / total})
        return {"columns": [axis.name for axis in self.classes.axes], "classes": parts, "without_class": self.outside}


def _drawn(counts: Mapping[int, int], asked: Mapping[int, Fraction], wish: Rebalance, outside: int) -> dict[int, int]:
    """Return the rows of each class to be drawn."""
    rest = {number: count for number, count in counts.items() if number not in asked}
    groups = {**{number: counts[number] for number in asked}, **({_REST: sum(rest.values())} if rest else {})}
    shares = completed(groups, asked)
    rows = None if wish.rows is None else wish.rows - (0 if wish.whole else outside)
    if rows is not None and rows < 0:
        raise BadTableError(
            f"{wish.rows:,} rows have no room for the {outside:,} real rows without a class", "ask for more rows"
        )
    if wish.whole:
        wanted = apportioned(sum(counts.values()) if rows is None else rows, shares)
    else:
        found = enlarged(groups, shares, rows)
        wanted = {number: found[number] - count for number, count in groups.items()}
    drawn = {number: wanted[number] for number in asked}
    return {**drawn, **_among(rest, wanted.get(_REST, 0), wish.least)}


def _among(rest: Mapping[int, int], rows: int, least: int) -> dict[int, int]:
    """Return ``rows`` divided in proportion among those of the other classes that can be learned."""
    learnable = {number: count for number, count in rest.items() if count >= least}
    if not rows:
        return {}
    if not learnable:
        raise BadTableError(
            f"{rows:,} rows are to be drawn of classes that no share was asked for, and each of them has fewer than "
            f"{least} training rows, too few to learn from",
            "ask for shares that add up to 1, or for other ones",
        )
    total = sum(learnable.values())
    return apportioned(rows, {number: Fraction(count, total) for number, count in learnable.items()})


def _check_learnable(classes: Classes, counts: Mapping[int, int], drawn: Mapping[int, int], wish: Rebalance) -> None:
    """Raise ``BadTableError`` for classes of which rows are to be drawn and that have too few to learn from."""
    few = {number: counts[number] for number, rows in drawn.items() if rows and counts[number] < wish.least}
    if not few:
        return
    needed = f"at least {wish.least} are needed to learn from"
    if wish.equal:  # nobody has named the classes: their values stay untold
        raise BadTableError(
            f"{len(few):,} of {len(counts):,} classes of {_listed(wish.axes)} have too few training rows (the smallest "
            f"has {min(few.values()):,}); {needed}",
            "name shares of the larger classes instead (augment.shares), or wider bins",
        )
    told = ", ".join(f"{classes.names[number]} has {count:,}" for number, count in list(few.items())[:5])
    raise BadTableError(
        f"too few training rows in a class of {_listed(wish.axes)}: {told}; {needed}",
        "gather more of these rows, or leave the class without a share of its own",
    )


def _listed(axes: tuple[Axis, ...]) -> str:
    return ", ".join(repr(axis.name) for axis in axes)


def draw_classes(
    model: TableGenerator, classes: Classes, wanted: Mapping[int, int], seed: int, tries: int
) -> pl.DataFrame:
    """Return ``wanted`` rows of each class, class by class.

    Values are given to the generator; bins are met by drawing until enough rows fall into each, at most ``tries`` rows
    for each one wanted. Raises ``BadTableError`` with the class that could not be made.
    """
    kept: list[pl.DataFrame] = []
    lacking = {number: rows for number, rows in wanted.items() if rows}
    budget = max(tries * sum(lacking.values()), _MOST)
    rate = dict.fromkeys(lacking, 1.0)
    number = start = 0
    stalled = False
    while lacking and budget > 0 and not stalled:
        asked = _asked(lacking, rate, tries if classes.binned else 1)
        rows = sum(asked.values())
        found = _round(model, classes, asked, stage_seed(seed, "round", number), start, tries)
        label = classes.label(found)
        for each in list(lacking):
            taken = np.flatnonzero(label == each)[: lacking[each]]
            kept.append(found[taken].with_columns(pl.lit(each).alias("")))
            rate[each] = max(len(taken), 0.5) / asked[each]
            lacking[each] -= len(taken)
        # Values are given, so that a class that no row could be made of once is beyond the generator.
        stalled = not classes.binned and not any((label == each).any() for each in lacking)
        lacking = {each: left for each, left in lacking.items() if left}
        number, start, budget = number + 1, start + rows, budget - rows
    if lacking:
        each, left = next(iter(lacking.items()))
        raise BadTableError(
            f"could make {wanted[each] - left:,} of {wanted[each]:,} rows of the class {classes.names[each]}, with "
            f"{tries:,} tries for each at most",
            "raise sample.max_tries, ask for a smaller share, or name another generator (augment.synthesizer)",
        )
    return pl.concat(kept).sort("", maintain_order=True).drop("") if kept else model.sample(0, seed)


def _asked(lacking: Mapping[int, int], rate: Mapping[int, float], most: int) -> dict[int, int]:
    """Return the rows to draw for each class, as the last round's success suggests."""
    asked = {number: min(int(left / rate[number]) + 1, most * left) for number, left in lacking.items()}
    total = sum(asked.values())
    return {number: max(rows * _MOST // total, 1) for number, rows in asked.items()} if total > _MOST else asked


def _round(
    model: TableGenerator, classes: Classes, asked: Mapping[int, int], seed: int, start: int, tries: int
) -> pl.DataFrame:
    given = classes.given(asked)
    if not given.width:
        return model.chunk(max(sum(asked.values()), _LEAST), seed, 0, start)
    made = model.complete(given, seed, 0, start, tries)
    return made.table.filter(made.made)
