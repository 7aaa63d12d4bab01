"""Protection: the training part without rare categories and extreme values, before any generator sees it.

A rare category becomes a frequent one, values beyond the ends of a column move to these, and rows that a rule no longer
holds for are left out. It is a limit on what single rows can show, not differential privacy. Ids and free text stay as
they are: they are never learned. What was done is told in counts and columns' names, never in values.

Ends are those of the whole training part: were they taken again after rows are left out, each row would make the next
one an extreme. Categories are counted again, until those that remain are frequent among the rows that remain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from synthcli.config.models import Constraint, FixedCombinations, ProtectionSection
from synthcli.constraints import columns_of, holds
from synthcli.schema import Schema
from synthcli.seeds import generator

#: What a rare category is called where it becomes none of the frequent ones.
RARE = "_RARE_"

#: How many columns a note names before it only counts the others.
_NAMED = 12

Positions = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
Fate = Literal[
    "drawn", "drawn_instead", "renamed", "all_renamed", "no_category", "joint", "no_combination", "clipped", "no_inside"
]

#: What a note says of the columns that share a fate; k and K are the counts of the rules.
_SENTENCES: dict[Fate, str] = {
    "drawn": "rare categories (fewer than {k} rows) became frequent ones, drawn by frequency",
    "drawn_instead": f"rare categories (fewer than {{k}} rows) became frequent ones, since only text can hold {RARE}",
    "renamed": f"rare categories (fewer than {{k}} rows) became {RARE}",
    "all_renamed": (
        f"no category has {{k}} rows, so that every value became {RARE} and the column says nothing any more "
        "(data.columns may say that it is an id or a text)"
    ),
    "no_category": "no category has {k} rows, so that the column was emptied",
    "clipped": "extreme values were moved to the K-th smallest and the K-th greatest (K = {K})",
    "no_inside": "no value lies inside the K smallest and K greatest (K = {K}), so that the column was emptied",
}


@dataclass(frozen=True, slots=True)
class ColumnAccount:
    """What was done to one column, counted among the rows that remain.

    Attributes
    ----------
    rare_categories
        Categories that were rare; for a column of fixed combinations, the rare combinations.
    rare_rows
        Rows whose category was replaced by a frequent one or by ``RARE``; for a column of fixed combinations, the rows
        whose combination was, even where this column's own value came out the same.
    clipped_low, clipped_high
        Cells that were moved up to the low end, and down to the high end.
    emptied
        Cells that became missing, since nothing frequent or nothing inside was there to put in.
    """

    rare_categories: int = 0
    rare_rows: int = 0
    clipped_low: int = 0
    clipped_high: int = 0
    emptied: int = 0


@dataclass(frozen=True, slots=True)
class Protected:
    """A protected training part, and the account of what was done.

    Attributes
    ----------
    table
        The rows that remain, in their order, with the columns, dtypes and column order of the training part.
    columns
        By column name, what was done; only columns where something was, in the schema's order.
    dropped_rows
        Rows that were left out, since a constraint that they kept would have been broken.
    notes
        Sentences for a person, with columns' names and counts.
    levelled
        Columns in which nothing is frequent, so that every value is ``RARE`` now.
    """

    table: pl.DataFrame
    columns: Mapping[str, ColumnAccount]
    dropped_rows: int
    notes: tuple[str, ...]
    levelled: tuple[str, ...] = ()

    @property
    def loses(self) -> bool:
        """Whether more was lost than rare and extreme values: all that a column says, cells, or rows."""
        emptied = any(account.emptied for account in self.columns.values())
        return bool(self.dropped_rows or self.levelled) or emptied

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain data for JSON, without table and notes."""
        columns = {name: asdict(account) for name, account in self.columns.items()}
        return {"dropped_rows": self.dropped_rows, "columns": columns}


def protect(
    train: pl.DataFrame, schema: Schema, rules: ProtectionSection, constraints: Sequence[Constraint], seed: int
) -> Protected:
    """Return ``train`` without rare categories and extremes, as ``rules`` say; the very same table where both are off.

    Categories (kinds categorical and boolean, missing cells apart) end with no or with at least
    ``rules.rare_category_min_count`` rows, unless called ``RARE``. Numbers and instants end between the values that
    ``rules.clip_extremes`` training rows are not above and not below; infinite numbers are no values here and stay.

    Columns of fixed combinations are one joint category, in which a missing cell is a value; combinations that share a
    column are taken together. With a number or an instant among its columns, a combination needs as many rows as an
    end does, too. Where none is frequent, no row remains.

    Parameters
    ----------
    train
        Has every column of ``schema``.
    constraints
        Fit the schema (``constraints.check_columns``). Rows that break one already are neither refused nor left out.
    seed
        A row's replacement in a column depends on the seed, the column's name, the row's position and the frequencies.
    """
    plan = _planned(train, schema, rules, constraints)
    rows, losses = np.arange(train.height), list[_Loss]()
    while True:
        given = train if rows.size == train.height else train[rows]
        changes = _changes(given, plan, rules, _Draws(seed, train.height, rows))
        table = given.with_columns(change.cells for change in changes.values())
        losses += (lost := list(_losses(given, table, changes, plan, constraints)))
        if not lost:
            break
        rows = rows[~np.logical_or.reduce([loss.rows for loss in lost])]
    changes = {name: changes[name] for name in schema.names if name in changes}
    accounts = {name: change.account for name, change in changes.items()}
    dropped = train.height - rows.size
    notes = (*_change_notes(changes, plan, rules), *_loss_notes(losses, dropped))
    levelled = tuple(name for name, change in changes.items() if change.fate == "all_renamed")
    return Protected(table if changes or dropped else train, accounts, dropped, notes, levelled)


class _Joint(NamedTuple):
    """Columns of fixed combinations, and the rows that make a combination of them frequent."""

    names: tuple[str, ...]
    least: int


class _Ends(NamedTuple):
    """The lowest and the highest value that a column may keep, each as one cell of its dtype."""

    low: pl.Series
    high: pl.Series


class _Plan(NamedTuple):
    """Which columns are treated how; ends of ``None`` empty their column."""

    joint: tuple[_Joint, ...]
    categories: tuple[str, ...]
    clipped: Mapping[str, _Ends | None]


class _Change(NamedTuple):
    """A column as it comes out, the account of it, and what a note says."""

    cells: pl.Series
    account: ColumnAccount
    fate: Fate


class _Loss(NamedTuple):
    """Rows that cannot stay, and the columns of the rule that they would break or that has no frequent combination."""

    rows: Flags
    names: tuple[str, ...]
    no_combination: bool = False


class _Draws(NamedTuple):
    """Random numbers that belong to a row for good, so that a row left out changes no other row's."""

    seed: int
    height: int
    rows: Positions

    def of(self, names: Iterable[str]) -> npt.NDArray[np.float64]:
        """Return a number in [0, 1) for each row that remains."""
        return generator(self.seed, "protection", *names).random(self.height)[self.rows]


class _Counts(NamedTuple):
    """The values of a column, or the combinations of several, by how many rows hold them.

    ``cells`` has the columns 0, 1, … and the position ``row``; ``frequent`` (in the order of the values) and ``rare``
    have each value with its ``size`` and the first ``row`` that holds it.
    """

    cells: pl.DataFrame
    frequent: pl.DataFrame
    rare: pl.DataFrame

    def without(self, text: str) -> _Counts:
        """Return the same, ``text`` never being rare."""
        return self._replace(rare=self.rare.filter(pl.col("0") != text))

    def rare_rows(self) -> Positions:
        """Return the positions of the rows that hold a rare value, in order."""
        keys = [name for name in self.cells.columns if name != "row"]
        return _positions(self.cells.join(self.rare, on=keys, how="semi", nulls_equal=True)["row"].sort())

    def account(self, rows: Positions) -> ColumnAccount:
        """Return the account of a column whose rare ``rows`` were all replaced."""
        return ColumnAccount(rare_categories=self.rare.height, rare_rows=rows.size)

    def drawn(self, uniform: npt.NDArray[np.float64]) -> Positions:
        """Return for each number in [0, 1) a row that holds a frequent value, values by frequency."""
        ends = np.cumsum(self.frequent["size"].to_numpy(), dtype=np.int64)
        # The last end is left out: a number just below 1 may be rounded up to it.
        picks = np.searchsorted(ends[:-1], uniform * ends[-1], side="right")
        sources: Positions = _positions(self.frequent["row"])[picks]
        return sources


def _planned(train: pl.DataFrame, schema: Schema, rules: ProtectionSection, constraints: Sequence[Constraint]) -> _Plan:
    least, extreme = rules.rare_category_min_count, rules.clip_extremes
    groups = _connected(set(rule.column_names) for rule in constraints if isinstance(rule, FixedCombinations))
    ordered = {column.name for column in schema if column.ordered}
    joint = [
        _Joint(tuple(name for name in schema.names if name in group), max(least, extreme if group & ordered else 0))
        for group in groups
    ]
    alone = [column.name for column in schema.modelled if not any(column.name in group for group in groups)]
    return _Plan(
        tuple(group for group in joint if group.least),
        tuple(name for name in alone if least and name not in ordered),
        {name: _ends(train[name], extreme) for name in alone if extreme and name in ordered},
    )


def _connected(groups: Iterable[set[str]]) -> list[set[str]]:
    """Return unions of ``groups`` that have no name in common."""
    apart: list[set[str]] = []
    for group in groups:
        touching = [other for other in apart if other & group]
        apart = [other for other in apart if not other & group] + [group.union(*touching)]
    return apart


def _ends(cells: pl.Series, extreme: int) -> _Ends | None:
    """Return the value number ``extreme`` from below and from above, or ``None`` where there is no inside."""
    present = cells.filter(_is_value(cells)).to_physical().to_numpy()
    if present.size < extreme:
        return None
    first, last = extreme - 1, present.size - extreme
    parted = np.partition(present, [first, last])
    if parted[first] > parted[last]:
        return None
    low, high = (pl.Series(parted[[place]]).cast(cells.dtype) for place in (first, last))
    return _Ends(low, high)


def _is_value(cells: pl.Series) -> pl.Series:
    """Return which cells are neither missing nor infinite."""
    return cells.is_finite().fill_null(False) if cells.dtype.is_float() else cells.is_not_null()


def _changes(given: pl.DataFrame, plan: _Plan, rules: ProtectionSection, draws: _Draws) -> dict[str, _Change]:
    """Return by name the columns that do not stay as they are."""
    changes = {name: _clipped(given[name], ends) for name, ends in plan.clipped.items()}
    changes |= {name: _recategorised(given[name], rules, draws) for name in plan.categories}
    for names, least in plan.joint:
        changes |= _recombined(given.select(names), least, draws)
    return {name: change for name, change in changes.items() if change is not None}


def _clipped(cells: pl.Series, ends: _Ends | None) -> _Change | None:
    values = _is_value(cells)
    if ends is None:
        account = ColumnAccount(emptied=int(values.sum()))
        return _Change(_with(cells, values, pl.lit(None)), account, "no_inside") if account.emptied else None
    below, above = values & (cells < ends.low), values & (cells > ends.high)
    account = ColumnAccount(clipped_low=int(below.sum()), clipped_high=int(above.sum()))
    if not (account.clipped_low or account.clipped_high):
        return None
    raised = _with(cells, below, pl.lit(ends.low).first())
    return _Change(_with(raised, above, pl.lit(ends.high).first()), account, "clipped")


def _recategorised(cells: pl.Series, rules: ProtectionSection, draws: _Draws) -> _Change | None:
    constant = rules.rare_category == "constant"
    counts = _counted(cells.to_frame(), rules.rare_category_min_count, missing=False)
    if cells.dtype == pl.String and (constant or not counts.frequent.height):
        return _renamed(cells, counts.without(RARE))
    if not counts.rare.height:
        return None
    rows = counts.rare_rows()
    if not counts.frequent.height:
        account = ColumnAccount(rare_categories=counts.rare.height, emptied=rows.size)
        return _Change(_with(cells, _flags(rows, cells), pl.lit(None)), account, "no_category")
    drawn = _copied(cells, rows, counts.drawn(draws.of([cells.name])[rows]))
    return _Change(drawn, counts.account(rows), "drawn_instead" if constant else "drawn")


def _renamed(cells: pl.Series, counts: _Counts) -> _Change | None:
    if not counts.rare.height:
        return None
    rows = counts.rare_rows()
    renamed = _with(cells, _flags(rows, cells), pl.lit(RARE))
    return _Change(renamed, counts.account(rows), "renamed" if counts.frequent.height else "all_renamed")


def _recombined(given: pl.DataFrame, least: int, draws: _Draws) -> dict[str, _Change | None]:
    """Return the columns with frequent combinations in place of rare ones; as they are where none is frequent."""
    counts = _counted(given, least, missing=True)
    if not counts.rare.height:
        return {}
    if not counts.frequent.height:
        return {cells.name: _Change(cells, ColumnAccount(), "no_combination") for cells in given}
    rows = counts.rare_rows()
    sources = counts.drawn(draws.of(given.columns)[rows])
    account = counts.account(rows)
    return {cells.name: _Change(_copied(cells, rows, sources), account, "joint") for cells in given}


def _counted(given: pl.DataFrame, least: int, *, missing: bool) -> _Counts:
    """Count the values of a column or the combinations of several; ``missing``: whether a missing cell is a value."""
    columns = [cells.fill_nan(None) if cells.dtype.is_float() else cells for cells in given]
    cells = pl.DataFrame([cells.alias(str(i)) for i, cells in enumerate(columns)])
    keys = cells.columns
    cells = cells.with_row_index("row")
    counts = cells.group_by(keys).agg(pl.len().alias("size"), pl.col("row").min())
    if not missing:
        counts = counts.drop_nulls()
    frequent = pl.col("size") >= least
    return _Counts(cells, counts.filter(frequent).sort(keys), counts.filter(~frequent))


def _with(cells: pl.Series, where: pl.Series, value: pl.Expr) -> pl.Series:
    """Return ``cells`` with ``value`` at the places that are true."""
    frame = pl.DataFrame({"cells": cells, "where": where})
    chosen = pl.when("where").then(value.cast(cells.dtype)).otherwise("cells")
    return frame.select(chosen.alias(cells.name)).to_series()


def _copied(cells: pl.Series, rows: Positions, sources: Positions) -> pl.Series:
    """Return ``cells`` with those of ``sources`` at ``rows``."""
    places = np.arange(len(cells))
    places[rows] = sources
    return cells.gather(places)


def _flags(rows: Positions, cells: pl.Series) -> pl.Series:
    flags = np.zeros(len(cells), dtype=np.bool_)
    flags[rows] = True
    return pl.Series(flags)


def _positions(cells: pl.Series) -> Positions:
    return cells.to_numpy().astype(np.intp)


def _losses(
    given: pl.DataFrame,
    table: pl.DataFrame,
    changes: Mapping[str, _Change],
    plan: _Plan,
    constraints: Sequence[Constraint],
) -> Iterator[_Loss]:
    """Yield the rows that cannot stay, rule by rule; those with a combination keep it by construction."""
    for group in plan.joint:
        if group.names[0] in changes and changes[group.names[0]].fate == "no_combination":
            yield _Loss(np.ones(given.height, dtype=np.bool_), group.names, no_combination=True)
    for constraint in constraints:
        names = columns_of(constraint)
        if isinstance(constraint, FixedCombinations) or changes.keys().isdisjoint(names):
            continue
        broken = holds(constraint, given, given) & ~holds(constraint, table, given)
        if broken.any():
            yield _Loss(broken, names)


def _change_notes(changes: Mapping[str, _Change], plan: _Plan, rules: ProtectionSection) -> Iterator[str]:
    for fate, sentence in _SENTENCES.items():
        told = [f"{name!r} ({_told(change)})" for name, change in changes.items() if change.fate == fate]
        if told:
            yield f"{sentence.format(k=rules.rare_category_min_count, K=rules.clip_extremes)}: {_listed(told)}"
    for names, least in plan.joint:
        if names[0] in changes:
            what = _told(changes[names[0]], "combination")
            yield f"rare combinations (fewer than {least} rows) of {_quoted(names)} became frequent ones: {what}"


def _loss_notes(losses: Sequence[_Loss], dropped: int) -> Iterator[str]:
    for loss in losses:
        if loss.no_combination:
            yield (
                f"no combination of {_quoted(loss.names)} is frequent, so that no row remains: "
                "leave that constraint out, or lower the counts of the protection"
            )
    if dropped and not any(loss.no_combination for loss in losses):
        names = dict.fromkeys(name for loss in losses for name in loss.names)
        yield f"{_plural(dropped, 'row')} left out that would break a constraint: of {_quoted(names)}"


def _told(change: _Change, noun: str = "category") -> str:
    account = change.account
    if change.fate == "clipped":
        return f"{account.clipped_low:,} low, {account.clipped_high:,} high"
    if account.emptied:
        return _plural(account.emptied, "cell")
    return f"{_plural(account.rare_categories, noun)}, {_plural(account.rare_rows, 'row')}"


def _quoted(names: Iterable[str]) -> str:
    return _listed([repr(name) for name in names])


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:_NAMED]) + (f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else "")


def _plural(count: int, noun: str) -> str:
    plural = noun if count == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {plural}"
