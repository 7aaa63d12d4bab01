"""Tables in and out: the only package that knows file formats.

``open_table`` resolves what a person points at (a file, a list, a glob, a folder, standard input), checks that it is a
table that can be trusted, finds out its schema, and returns a ``Source`` that reads it whole or in batches with every
column typed and every missing cell null. ``write_table`` and ``write_batches`` write a table in its schema's own form,
atomically; text is always written as UTF-8.

Names are imported when they are asked for: whoever only resolves files or reads a footer loads no library for tables.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthcli.inference import ReadOptions
    from synthcli.tables.divide import write_parts
    from synthcli.tables.source import Source, open_table
    from synthcli.tables.write import format_of, to_text, write_batches, write_file, write_stream, write_table

__all__ = [
    "ReadOptions",
    "Source",
    "format_of",
    "open_table",
    "to_text",
    "write_batches",
    "write_file",
    "write_parts",
    "write_stream",
    "write_table",
]

_HOMES = {
    "synthcli.inference": ("ReadOptions",),
    "synthcli.tables.divide": ("write_parts",),
    "synthcli.tables.source": ("Source", "open_table"),
    "synthcli.tables.write": ("format_of", "to_text", "write_batches", "write_file", "write_stream", "write_table"),
}


def __getattr__(name: str) -> Any:
    """Return what is asked for from the module that has it."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
