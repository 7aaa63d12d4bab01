"""Column and Schema: what a table's columns are, and the form in which their values are written.

A schema is a value: it is inferred once (``inference``), stored as JSON beside whatever was made from it, and carried
along so that synthetic rows come out in the source's own form. It holds no cell values except a boolean's two spellings
and the token for a missing cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from synthcli.errors import BadTableError

if TYPE_CHECKING:
    import polars as pl


class Kind(StrEnum):
    """What a column means to a generator and to the audit; its dtype says only how values are stored."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    ID = "id"
    TEXT = "text"


#: Kinds that a generator models and the audit measures; ids are made anew, text is left out.
MODELLED = frozenset({Kind.NUMERIC, Kind.CATEGORICAL, Kind.BOOLEAN, Kind.DATETIME})


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, kind, storage type, and the form of its values in a text file.

    Attributes
    ----------
    dtype
        The polars type as text: ``Int8`` … ``UInt64``, ``Float32``, ``Float64``, ``String``, ``Boolean``, ``Date``,
        ``Datetime[us]``, ``Datetime[us, UTC]`` (unit ms, us or ns; zone as named).
    decimals
        Numeric: digits after the point that the source uses at most; 0 for whole numbers, ``None`` for no limit.
    least_decimals
        Numeric: digits after the point that every value is written with at least (``2.0``); equal to ``decimals`` where
        the source has the same number everywhere (``1.50``).
    format
        Datetime: the strftime format of the text source; ``None`` where the source is Parquet.
    spelling
        Boolean: how false and true are spelled in the text source.
    missing
        The token that stands for a missing cell in a text file.
    doubts
        Sentences for a person: what the detection was not sure about.
    """

    name: str
    kind: Kind
    dtype: str
    decimals: int | None = None
    least_decimals: int = 0
    format: str | None = None
    spelling: tuple[str, str] | None = None
    missing: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether its values are numbers or instants, which have an order and distances."""
        return self.kind in (Kind.NUMERIC, Kind.DATETIME)

    @property
    def key_type(self) -> str:
        """What row keys take its values for: equal numbers have equal keys, whatever type they are stored as."""
        return "number" if self.dtype.startswith(("Int", "UInt", "Float")) else self.dtype

    @property
    def modelled(self) -> bool:
        """Whether generators learn this column and the audit measures it."""
        return self.kind in MODELLED


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written, so that output can be written alike.

    No source has ``escape_formulas``; where output has it, text that a spreadsheet would compute gets an apostrophe.
    """

    encoding: str = "utf-8"
    bom: bool = False
    delimiter: str = ","
    quote: str = '"'
    decimal_comma: bool = False
    newline: str = "\n"
    escape_formulas: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a table in their order, and the dialect of its source where that was a text file."""

    columns: tuple[Column, ...]
    dialect: Dialect = field(default_factory=Dialect)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the table's order."""
        return tuple(column.name for column in self.columns)

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that generators learn and the audit measures, in order."""
        return tuple(column for column in self.columns if column.modelled)

    def select(self, names: Iterable[str]) -> Schema:
        """Return the schema of the named columns, in the order of ``names``."""
        return replace(self, columns=tuple(self[name] for name in names))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; :meth:`from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Schema:
        """Rebuild a schema from :meth:`to_dict`'s output, also after a trip through JSON.

        Raises ``KeyError``, ``TypeError`` or ``ValueError`` where the data are none: the file may come from anyone.
        """
        columns = tuple(
            Column(
                **{
                    **column,
                    "kind": Kind(column["kind"]),
                    "spelling": tuple(column["spelling"]) if column["spelling"] else None,
                    "doubts": tuple(column["doubts"]),
                }
            )
            for column in data["columns"]
        )
        found = cls(columns, Dialect(**data["dialect"]))
        names, dialect = found.names, found.dialect
        words = [word for column in columns for word in (column.name, column.dtype, column.missing, *column.doubts)]
        signs = (dialect.encoding, dialect.delimiter, dialect.quote, dialect.newline)
        texts = all(isinstance(word, str) for word in (*words, *signs)) and len(dialect.delimiter) == 1
        forms = all(isinstance(column.format, str | None) for column in columns)
        if not texts or not forms or len(set(names)) < len(names):
            raise ValueError("no schema")
        return found


def check_columns(frame: pl.DataFrame | pl.LazyFrame, schema: Schema, *, where: str) -> None:
    """Raise ``BadTableError`` unless ``frame`` has every column of ``schema``; further ones are allowed."""
    present = set(frame.collect_schema().names())
    absent = [name for name in schema.names if name not in present]
    if absent:
        listed = ", ".join(repr(name) for name in absent[:5]) + (" …" if len(absent) > 5 else "")
        raise BadTableError(
            f"{where}: {len(absent)} of the {len(schema)} expected columns missing: {listed}",
            "give the table that belongs to this run, or split and fit again on the new table",
        )
