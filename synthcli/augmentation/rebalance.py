"""Rebalancing: rows of some classes are drawn until every class has its share, exact to the row.

A kind that has a way of its own to draw cells in real rows (``protocol.Filling``) makes each row from a real one of the
class: half of its cells are drawn anew given the others. SMOTE draws a line between two rows instead (Chawla et al.
2002, doi:10.1613/jair.953), and leaves the table's law where that is not straight. Any other kind, and any kind where
the table is to be synthetic as a whole, draws rows given the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synthcli.augmentation.blocks import blocks
from synthcli.augmentation.classes import Axis, Classes
from synthcli.augmentation.recipe import Augmented, Recipe, followed_by, origins
from synthcli.augmentation.shares import apportioned, completed, enlarged
from synthcli.config.suggest import nearest
from synthcli.errors import BadTableError
from synthcli.schema import Schema
from synthcli.seeds import generator, stage_seed
from synthcli.synthesizers.protocol import Progress

#: Training rows that a class must have for more of it to be drawn: those of one leaf of a forest, so that the class can
#: have a law of its own.
MIN_CLASS_ROWS = 20
#: Rows of other classes that the law of a class is learned from too, for each of its own: with many more, splits on
#: the class do not pay, and its law leans to that of the others; with none, few rows are left to learn from.
OTHERS = 3
#: The chance with which a cell of a real row is drawn anew in a row that is made from it.
REDRAWN = 0.5
#: Rows that shares may take for each real one, where no number of rows is asked for.
MOST_TIMES = 100
#: Rows asked for in one round, at most and at least.
_MOST, _LEAST = 200_000, 200
#: Rounds of rows made from real ones, where some break a rule.
_TURNS = 20
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
    loose
        Whether there may be more rows than asked for, where these have no room for all real ones.
    """

    axes: tuple[Axis, ...]
    asked: pl.DataFrame
    shares: tuple[Fraction, ...]
    equal: bool = False
    whole: bool = False
    rows: int | None = None
    least: int = MIN_CLASS_ROWS
    loose: bool = False

    def scaled(self, part: Fraction) -> Rebalance:
        """Return the wish for a table of ``part`` of the rows, whose classes have shares of their own."""
        return replace(self, rows=None if self.rows is None else round(self.rows * part), loose=True)

    def plan(self, table: pl.DataFrame) -> Mapping[str, Any]:
        """Return each class's rows now and in the output, as plain data."""
        return Plan.of(self, table).to_dict()

    def made(self, table: pl.DataFrame, schema: Schema, recipe: Recipe, seed: int, progress: Progress) -> Augmented:
        """Return ``table`` with the rows that are lacking, or the wholly synthetic table."""
        plan = Plan.of(self, table)
        draw = _vary if recipe.filling is not None and not self.whole else _draw
        modelled = schema.select(column.name for column in schema.modelled)
        drawn = [
            draw(_Class(plan, number, table, modelled), rows, recipe, stage_seed(seed, "class", number), progress)
            for number, rows in plan.drawn.items()
        ]
        rows = pl.concat(drawn) if drawn else table.clear().select(modelled.names)
        mixed = rows[generator(seed, "order").permutation(rows.height)]
        real = table.clear() if self.whole else table
        whole = followed_by(real, mixed, table, schema, seed)
        return Augmented(whole, origins(real.height, mixed.height), plan.to_dict())


@dataclass(frozen=True, eq=False)
class Plan:
    """The classes, the shares asked for, the rows of each to be drawn, and the class of each row of the table."""

    classes: Classes
    asked: Mapping[int, Fraction]
    drawn: Mapping[int, int]
    whole: bool
    outside: int
    label: NDArray[np.int64]

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
        _check_there(classes, counts, asked, wish.least)
        drawn = _drawn(counts, asked, wish, outside)
        _check_learnable(classes, counts, drawn, wish)
        label = classes.label(table)
        return cls(classes, asked, {number: n for number, n in drawn.items() if n}, wish.whole, outside, label)

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
    if rows is not None and rows < 0 and not wish.loose:
        raise BadTableError(
            f"{wish.rows:,} rows have no room for the {outside:,} real rows without a class", "ask for more rows"
        )
    if wish.whole:
        wanted = apportioned(sum(counts.values()) if rows is None else rows, shares)
    else:
        least = sum(enlarged(groups, shares).values()) if wish.loose else 0
        found = enlarged(groups, shares, None if rows is None else max(rows, least))
        wanted = {number: found[number] - count for number, count in groups.items()}
    drawn = {number: wanted[number] for number in asked}
    total, have = sum(wanted.values()), sum(counts.values())
    if wish.rows is None and total > MOST_TIMES * have:
        raise BadTableError(
            f"these shares take {total:,} further rows, more than {MOST_TIMES} times the {have:,} real ones",
            "ask for shares nearer to the real ones, or for so many rows with --rows",
        )
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


def _check_there(classes: Classes, counts: Mapping[int, int], asked: Iterable[int], least: int) -> None:
    """Raise ``BadTableError`` for a class that was named and has no row: a slip, and what is near may be meant.

    Nobody has typed the other classes: one is told only where many rows, at least ``least``, have it in common.
    """
    absent = next((classes.names[number] for number in asked if not counts[number]), None)
    if absent is None:
        return
    frequent = [] if classes.binned else [classes.names[number] for number in counts if counts[number] >= least]
    near = nearest(absent, frequent)
    raise BadTableError(
        f"no training row is of the class {absent} of {_listed(classes.axes)}, and what has no row cannot be learned",
        f"did you mean {near!r}?" if near else "check how it is written, or leave it without a share of its own",
    )


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


# --- Rows of one class -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Class:
    """One class of a table, of which rows are to be drawn."""

    plan: Plan
    number: int
    table: pl.DataFrame
    schema: Schema

    @property
    def name(self) -> str:
        return self.plan.classes.names[self.number]

    @property
    def columns(self) -> list[str]:
        """The columns that make the class."""
        return [axis.name for axis in self.plan.classes.axes]

    def rows(self, others: float, random: np.random.Generator) -> tuple[pl.DataFrame, int]:
        """Return the class's rows and behind them ``others`` times as many of other classes, drawn at random."""
        label = self.plan.label
        own, rest = np.flatnonzero(label == self.number), np.flatnonzero((label != self.number) & (label >= 0))
        more = random.permutation(rest)[: int(others * len(own))]
        return self.table[np.concatenate([own, np.sort(more)])], len(own)

    def lacking(self, made: int, wanted: int, tries: int) -> BadTableError:
        return BadTableError(
            f"could make {made:,} of {wanted:,} rows of the class {self.name}, with {tries:,} tries for each at most",
            "raise sample.max_tries, ask for a smaller share, or name another generator (augment.synthesizer)",
        )


def _vary(one: _Class, rows: int, recipe: Recipe, seed: int, progress: Progress) -> pl.DataFrame:
    """Return ``rows`` rows of the class made from its real rows: of each, some cells are drawn anew.

    The cells that make the class stay. Every real row is used equally often, up to one.
    """
    random = generator(seed, "rows")
    law, own = one.rows(OTHERS, random)
    law, keeps = law.select(one.schema.names), recipe.keeps(one.table)
    open_columns = [name for name in one.schema.names if name not in one.columns]
    assert recipe.filling is not None
    found: list[pl.DataFrame] = []
    lacking = rows
    for turn in range(_TURNS):
        start = law[random.permutation(own)[np.arange(lacking) % own]]
        redrawn = _redrawn(lacking, open_columns, random)
        done = recipe.filling.vary(
            start,
            one.schema,
            redrawn,
            law,
            recipe.parameters,
            stage_seed(seed, "turn", turn),
            progress,
            keeps,
            recipe.crew,
        )
        found.append(done.table.filter(pl.Series(done.made)))
        lacking -= found[-1].height
        if not lacking:
            return pl.concat(found)
    raise one.lacking(rows - lacking, rows, recipe.tries)


def _redrawn(rows: int, columns: Sequence[str], random: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    """Return for each column in which rows its cell is drawn anew: each with chance ``REDRAWN``, one in every row."""
    table = random.random((rows, len(columns))) < REDRAWN
    none = np.flatnonzero(~table.any(axis=1))
    if len(columns):
        table[none, random.integers(0, len(columns), len(none))] = True
    return {name: table[:, at] for at, name in enumerate(columns)}


def _draw(one: _Class, rows: int, recipe: Recipe, seed: int, progress: Progress) -> pl.DataFrame:
    """Return ``rows`` rows of the class by a generator that is fitted on the class's rows and some of others.

    Values are given to the generator; bins are met by drawing until enough rows fall into the class. Raises
    ``BadTableError`` where that does not come to an end.
    """
    random = generator(seed, "rows")
    learned_from, _ = one.rows(OTHERS, random)
    shuffled = learned_from[random.permutation(learned_from.height)].select(one.schema.names)
    model = recipe.conditioned_on(one.columns).fit(shuffled, one.schema, seed, progress).model
    classes, tries = one.plan.classes, recipe.tries
    given = classes.given(one.number)
    lacking, budget, rate = rows, max(tries * rows, _MOST), 1.0
    found: list[pl.DataFrame] = []
    number = 0
    while lacking and budget > 0:
        asked = min(max(int(lacking / rate) + 1, _LEAST), _MOST, budget)
        with blocks(recipe.crew, model, asked) as drawing:
            drawn = drawing.drawn(given, asked, stage_seed(seed, "round", number), tries)
        mine = drawn.filter(pl.Series(classes.label(drawn) == one.number))
        found.append(mine[:lacking])
        # Values are given, so that a class that no row could be made of once is beyond the generator.
        budget = 0 if not mine.height and not classes.binned else budget - asked
        lacking, rate, number = lacking - found[-1].height, max(mine.height, 0.5) / asked, number + 1
    if lacking:
        raise one.lacking(rows - lacking, rows, tries)
    return pl.concat(found).select(one.schema.names)
