"""Draw the README's two pictures from a real run on the sample data: what a terminal shows, and the report's page.

``python -m benchmarks.pictures`` writes ``docs/terminal.svg`` and ``docs/report.png``; the latter needs ``chromium``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "configs/flights.yaml"
WIDTH = 88
#: What is run, and the last line of its output that is shown; ``None`` shows all of it.
SHOWN = (
    (("fit",), None),
    (("sample", "--seed", "7"), None),
    (("validate",), "max_excess"),
)
HIDDEN = "<style>section:is(:has(#inputs), :has(#gates), :has(#metrics)) { display: none }</style>"
#: No typeface from the network, which rich's own frame asks for.
FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="synthcli in a terminal">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, monospace; }}
{styles}
</style>
<defs>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
THEME = TerminalTheme(
    (22, 27, 34),
    (214, 220, 228),
    [
        *((88, 96, 105), (248, 81, 73), (86, 211, 100), (227, 179, 65)),
        *((88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)),
    ],
)


def main() -> None:
    """Run the pipeline in a temporary folder and draw what it said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("configs", "sample_data"):
            shutil.copytree(ROOT / part, folder / part)
        printed(folder, "split")
        shown = [(words, until(printed(folder, *words), last)) for words, last in SHOWN]
        (ROOT / "docs" / "terminal.svg").write_text(terminal(shown), encoding="utf-8")
        page(folder / "artifacts" / "validate" / "report.html", ROOT / "docs" / "report.png")


def printed(folder: Path, *words: str) -> str:
    """Return what a command prints to a terminal in colours; its log is left out."""
    colours = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    line = [sys.executable, "-m", "synthcli", *words, "-c", CONFIG, "-q"]
    return subprocess.run(line, cwd=folder, env=colours, stdout=subprocess.PIPE, text=True, check=True).stdout


def until(text: str, last: str | None) -> str:
    """Return the lines before the one that starts with ``last``."""
    lines = text.rstrip().splitlines()
    plain = [Text.from_ansi(line).plain for line in lines]
    end = next((place for place, line in enumerate(plain) if last and line.startswith(last)), len(lines))
    return "\n".join(lines[:end])


def terminal(shown: list[tuple[tuple[str, ...], str]]) -> str:
    """Return the commands and what each printed as an SVG picture."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    for words, text in shown:
        console.print(Text(f"$ synthcli {' '.join(words)} -c {CONFIG}", style="bold"))
        console.print(Text.from_ansi(text), end="\n\n")
    return console.export_svg(title="synthcli", theme=THEME, code_format=FRAME, unique_id="terminal")


def page(report: Path, picture: Path) -> None:
    """Photograph the report's page from its verdict to the first pair of columns, its tables left out."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no chromium here: docs/report.png is left as it was")
    short = report.with_name("short.html")
    short.write_text(report.read_text(encoding="utf-8").replace("</head>", HIDDEN + "</head>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,1235"]
    subprocess.run([browser, *flags, f"--screenshot={picture}", short.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
