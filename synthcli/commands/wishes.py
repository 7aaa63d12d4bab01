"""What the configuration asks of an augmentation, read against a table's schema: columns, values, edges, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from synthcli.augmentation.classes import Axis
from synthcli.augmentation.impute import Impute
from synthcli.augmentation.rebalance import MIN_CLASS_ROWS, Rebalance
from synthcli.augmentation.shares import exact
from synthcli.augmentation.upsample import Upsample
from synthcli.commands.conditions import cell, values
from synthcli.config import Config
from synthcli.config.suggest import suggestion
from synthcli.errors import ConfigError, UsageError
from synthcli.forms import polars_dtype
from synthcli.inference import ReadOptions
from synthcli.inference.missing import known_tokens
from synthcli.schema import Column, Schema

#: Values that a column of numbers may have to be taken for classes without bins.
MAX_VALUES = 50

Tokens = Mapping[str, tuple[str, ...]]


def rebalance(settings: Config, schema: Schema, table: pl.DataFrame) -> Rebalance:
    """Return the wish for other shares; raises ``ConfigError`` or ``UsageError`` for what the table does not have."""
    asked = settings.augment
    names = columns_named(settings, schema)
    if not asked.shares and asked.balance == "none":
        example = ",".join(f"{name}=VALUE" for name in names) if len(names) > 1 else "VALUE"
        raise UsageError(
            f"--share: none given, and rebalance needs the shares wanted of {', '.join(map(repr, names))}",
            f"write --share {example}=0.5 for one of its values, or --balance for equal shares; "
            "--column names another column",
        )
    tokens = _tokens(settings, schema)
    axes = tuple(_axis(schema[name], asked.bins.get(name), schema, tokens[name], table[name]) for name in names)
    for name in asked.bins:
        if name not in names:
            hint = "leave its bins out, or name it with --column too"
            raise ConfigError(f"augment.bins: {name!r} is no column that is rebalanced ({', '.join(names)})", hint)
    members = [_member(text, axes, schema, tokens) for text in asked.shares]
    _check_different(members, list(asked.shares))
    dtypes = {axis.name: _place_type(axis, schema) for axis in axes}
    return Rebalance(
        axes,
        pl.concat(members).cast(pl.Schema(dtypes)) if members else pl.DataFrame(schema=dtypes),
        tuple(map(exact, asked.shares.values())),
        asked.balance == "equal",
        asked.whole,
        asked.rows,
        max(MIN_CLASS_ROWS, settings.protection.rare_category_min_count),
    )


def upsample(settings: Config, schema: Schema, given: pl.DataFrame | None) -> Upsample:
    """Return the wish for more rows."""
    asked = settings.augment
    for name in asked.vary:
        check_column(name, schema, "augment.vary")
    columns = schema.names if given is None else given.columns
    if asked.vary and not set(columns) - set(asked.vary):
        raise ConfigError("augment.vary: names every column, so that nothing of a row is kept", "name fewer")
    return Upsample(asked.rows, asked.whole, given, tuple(asked.vary))


def impute(settings: Config, schema: Schema) -> Impute:
    """Return the wish for a table without holes."""
    asked = settings.augment
    modelled = [column.name for column in schema.modelled]
    named = [asked.column] if isinstance(asked.column, str) else asked.column
    for key, names in (("augment.column", named or ()), ("augment.keep_missing", asked.keep_missing)):
        for name in names:
            check_column(name, schema, key)
    columns = tuple(name for name in modelled if name in (named or modelled) and name not in asked.keep_missing)
    if not columns:
        hint = "leave some out of keep_missing" if asked.keep_missing else "ids and free text are not learned"
        raise ConfigError("augment: no column is left that could be filled", hint)
    kept = tuple(name for name in modelled if name not in columns)
    return Impute(columns, kept, asked.imputations > 1)


def columns_named(settings: Config, schema: Schema) -> tuple[str, ...]:
    """Return the columns whose values are the classes: those named, else the target."""
    named = settings.augment.column or settings.data.target
    if named is None:
        raise ConfigError("augment.column: no column named, and no target either", "name it: --column COL")
    names = (named,) if isinstance(named, str) else tuple(named)
    for place, name in enumerate(names):
        check_column(name, schema, "augment.column")
        if name in names[:place]:
            raise ConfigError(f"augment.column: {name!r} is named twice", "name each column once")
    return names


def check_column(name: str, schema: Schema, key: str) -> None:
    """Raise ``ConfigError`` for a column that the table lacks or no generator learns."""
    if name not in schema:
        raise ConfigError(f"{key}: the table has no column {name!r}", suggestion(name, schema.names))
    if not schema[name].modelled:
        raise ConfigError(
            f"{key}: {name!r} is of kind {schema[name].kind}, which no generator learns", "name another column"
        )


def _tokens(settings: Config, schema: Schema) -> Tokens:
    missing = settings.data.missing
    return known_tokens(schema, ReadOptions(missing=None if missing is None else tuple(missing)))


def _axis(
    column: Column, edges: Sequence[int | float | str] | None, schema: Schema, tokens: Sequence[str], series: pl.Series
) -> Axis:
    if edges is None:
        if column.ordered and series.n_unique() > MAX_VALUES:
            raise ConfigError(
                f"augment.column: {column.name!r} is a column of {column.kind} values, too many to be classes",
                f"give its bins: augment.bins: {{{column.name}: [edge, edge]}}",
            )
        return Axis(column.name)
    if not column.ordered:
        raise ConfigError(
            f"augment.bins: {column.name!r} is of kind {column.kind}, whose values have no order",
            "leave its bins out: its values are the classes",
        )
    typed = tuple(f"{edge:g}" if isinstance(edge, float) else str(edge) for edge in edges)
    read = pl.concat([cell(column, text, schema, tokens, "augment.bins:") for text in typed])
    if not (read[1:] > read[:-1]).all():
        raise ConfigError(f"augment.bins: the edges of {column.name!r} do not rise", "write them from low to high")
    return Axis(column.name, read, typed)


def _place_type(axis: Axis, schema: Schema) -> pl.DataType:
    return pl.Int64() if axis.edges is not None else polars_dtype(schema[axis.name].dtype)


def _member(text: str, axes: Sequence[Axis], schema: Schema, tokens: Tokens) -> pl.DataFrame:
    """Return the class that ``text`` names, one row: a value of each column, or the number of a bin."""
    option = "augment.shares:"
    if len(axes) == 1 and not text.startswith(f"{axes[0].name}="):
        typed = {axes[0].name: text}
    else:
        typed = values(text, schema, option)
    names = [axis.name for axis in axes]
    if set(typed) != set(names):
        example = ",".join(f"{name}=…" for name in names)
        raise ConfigError(f"augment.shares: {text!r} does not name a class of {', '.join(names)}", f"write {example}")
    return pl.DataFrame([_place(axis, typed[axis.name], schema, tokens) for axis in axes])


def _place(axis: Axis, text: str, schema: Schema, tokens: Tokens) -> pl.Series:
    if axis.edges is None:
        return cell(schema[axis.name], text, schema, tokens[axis.name], "augment.shares:")
    if text not in axis.bins:
        raise ConfigError(f"augment.shares: {text!r} is no bin of {axis.name!r}", f"its bins: {', '.join(axis.bins)}")
    return pl.Series(axis.name, [axis.bins.index(text)])


def _check_different(members: Sequence[pl.DataFrame], texts: Sequence[str]) -> None:
    """Raise ``ConfigError`` where two shares are of one class, spelled differently."""
    for place, member in enumerate(members):
        for earlier in range(place):
            if member.equals(members[earlier]):
                told = f"augment.shares: {texts[earlier]!r} and {texts[place]!r} are the same class"
                raise ConfigError(told, "give each class one share")
