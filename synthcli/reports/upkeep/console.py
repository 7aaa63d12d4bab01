"""What the reports of an upkeep are laid out with: facts in two columns, lists, and tables that fit any console."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from synthcli.progress import visible

#: A part of a document.
Row = Mapping[str, Any]
GOOD = "bold green"
BAD = "bold red"
CARE = "bold yellow"
#: How an outcome or a gate looks.
STYLES = {
    "promoted": GOOD,
    "kept": GOOD,
    "unchanged": GOOD,
    "rejected": CARE,
    "planned": CARE,
    "stopped": CARE,
    "rolled_back": CARE,
    "failed": BAD,
    "pass": GOOD,
    "fail": BAD,
}


def headline(line: str, style: str, others: Sequence[str | None]) -> Iterator[RenderableType]:
    """Yield the verdict, and below it what else is to be said, a line each."""
    yield styled(line, style)
    yield from (indented(other) for other in others if other)


def styled(text: str, style: str = "") -> Text:
    """Return a text in which nothing is markup or moves the cursor."""
    return Text(visible(text), style)


def indented(text: str, style: str = "") -> RenderableType:
    """Return a text a little further in."""
    return Padding(styled(text, style), (0, 0, 0, 2), expand=False)


def two_columns() -> Table:
    """Return an empty table of names and facts, of which only the facts wrap."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    return grid


def facts_table(facts: Iterable[Fact]) -> RenderableType:
    """Render facts as two columns; a name stands once, however many facts it has."""
    grid, before = two_columns(), ""
    for name, fact in facts:
        grid.add_row(Text("" if name == before else name, "bold"), styled(fact) if isinstance(fact, str) else fact)
        before = name
    return grid


@dataclass(frozen=True, slots=True)
class Items:
    """A list on as many lines as it needs, which end between two of its items."""

    items: Sequence[str | Text]
    mark: str = ","

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widths = [item.cell_len for item in self._marked()]
        return Measurement(max(widths), sum(widths) + len(widths) - 1).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text()
        for item in self._marked():
            if line and line.cell_len + 1 + item.cell_len > options.max_width:
                yield line
                line = Text()
            line.append(" " if line else "").append_text(item)
        yield line

    def _marked(self) -> list[Text]:
        texts = [styled(item) if isinstance(item, str) else item.copy() for item in self.items]
        return [*(text.append(self.mark) for text in texts[:-1]), *texts[-1:]]


#: A fact's name, and what it is.
Fact = tuple[str, str | Text | Items]


class Column(NamedTuple):
    """A column of a grid.

    Columns of rank 0 are always shown; of the others the highest rank is the first to be left out, and of equal ranks
    the last column. ``gap`` blanks stand before it. A flexible column takes what room is left, at least ``_LEAST``.
    """

    title: str
    rank: int = 0
    left: bool = False
    gap: int = 2
    flexible: bool = False


#: Either one cell a column, or something as wide as the console.
Line = tuple[Text, ...] | RenderableType
#: The room that a flexible column needs.
_LEAST = 30


@dataclass(frozen=True, slots=True)
class FittingTable:
    """A table that leaves out columns on a narrow console, never a part of a cell.

    The first cell of a row that is wider than its column stands on a line of its own, where ``indent`` says how narrow
    the column may become for the others' sake; ``None``: as its widest cell. What does not fit a flexible column is
    left out from a word on.
    """

    columns: Sequence[Column]
    rows: Sequence[Line]
    indent: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._widths(options.max_width)
        yield self._line([Text(column.title, "bold") for column in self.columns], widths)
        for row in self.rows:
            if not isinstance(row, tuple):
                yield row
            elif row[0].cell_len > widths[0]:
                yield row[0]
                yield self._line([Text(), *row[1:]], widths)
            else:
                yield self._line(row, widths)

    def _widths(self, room: int) -> dict[int, int]:
        """Return the widths of the columns that are shown in so much room."""
        cells = [row for row in self.rows if isinstance(row, tuple)]
        natural = [
            max([len(column.title), *(row[place].cell_len for row in cells)])
            for place, column in enumerate(self.columns)
        ]
        least = [min(width, _LEAST) if c.flexible else width for c, width in zip(self.columns, natural, strict=True)]
        if self.indent is not None:
            least[0] = min(least[0], max(self.indent, len(self.columns[0].title)))
        widths = dict(enumerate(least))
        while self._taken(widths) > room and any(self.columns[place].rank for place in widths):
            del widths[max(widths, key=lambda place: (self.columns[place].rank, place))]
        spare = max(room - self._taken(widths), 0)
        for place, width in widths.items():
            widths[place] = min(natural[place], width + spare)
            spare -= widths[place] - width
        return widths

    def _taken(self, widths: Mapping[int, int]) -> int:
        return sum(width + (self.columns[place].gap if place else 0) for place, width in widths.items())

    def _line(self, cells: Sequence[Text], widths: Mapping[int, int]) -> Text:
        line = Text()
        for place, width in widths.items():
            column, cell = self.columns[place], cells[place]
            cell = _shortened(cell, width) if column.flexible else cell
            blanks = " " * (width - cell.cell_len)
            line.append(" " * (column.gap if place else 0) + ("" if column.left else blanks))
            line.append_text(cell).append(blanks if column.left else "")
        line.rstrip()
        return line


def _shortened(text: Text, width: int) -> Text:
    """Return the text, without its last words where it is wider."""
    words = text.plain.split()
    while text.cell_len > width and words:
        words.pop()
        text = Text(" ".join([*words, "…"]), text.style)
    return text
