"""The page that the reports in HTML share: its head and sections, and the parts they are built of.

A page works offline, asks for nothing, runs no script, and prints. What its parts say is the reports' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from synthcli.reports.markup import Markup, element
from synthcli.reports.stylesheet import STYLESHEET
from synthcli.reports.words import MARKS
from synthcli.reports.yaml_lines import entry, scalar

#: No request and no script, whatever a name in the page says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, header: Markup, sections: Iterable[tuple[str, str, Markup]], style: str = "") -> str:
    """Return a whole page; sections are (anchor, title, content), and those without content are left out.

    ``style`` is added to the style sheet.
    """
    shown = [section for section in sections if section[2]]
    links = element("nav", *(element("a", name, href=f"#{anchor}") for anchor, name, _ in shown), aria_label="Sections")
    body = element(
        "main",
        header,
        links,
        *(element("section", element("h2", name, id=anchor), content) for anchor, name, content in shown),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", title),
        element("style", Markup(STYLESHEET + style)),
    )
    return "<!doctype html>\n" + element("html", head, element("body", body), lang="en") + "\n"


def verdict_header(about: str, verdict: str, sentence: str, reasons: Sequence[str], class_: str) -> Markup:
    """Return the head of a page: what was looked at, the verdict in large letters, what it means, and what for."""
    return element(
        "header",
        element("p", about, class_="quiet"),
        element("h1", verdict),
        element("p", sentence, class_="sentence"),
        element("ul", *reasons, class_="reasons") if reasons else "",
        class_=f"verdict {class_}",
    )


def mark(status: str) -> Markup:
    """Return the word for a check's outcome, in its colour; nothing for no status."""
    return element("span", MARKS[status], class_=f"mark {status}") if status else Markup()


# --- Tables ------------------------------------------------------------------------------------------------------


def table(heads: Sequence[str], rows: Sequence[str], class_: str | None = None) -> Markup:
    """Return a table that scrolls in its own box; heads that start with ``#`` are of numbers."""
    cells = [element("th", head.lstrip("#"), class_="number" if head.startswith("#") else None) for head in heads]
    whole = element("table", element("thead", element("tr", *cells)), element("tbody", *rows), class_=class_)
    return element("div", whole, class_="scroll")


def number_cell(value: str, name: str) -> Markup:
    """Return a cell of a number, which a narrow page names, or leaves out where there is none."""
    return element("td", value, class_="number none" if value == "–" else "number", data_name=name)


def hash_cell(sha256: str | None) -> Markup:
    """Return a cell with the start of a file's hash; the whole of it shows under the pointer."""
    return element("td", (sha256 or "–")[:12], class_="code", title=sha256, data_name="SHA-256")


# --- Around tables and charts ------------------------------------------------------------------------------------


def chart_legend(entries: Mapping[str, str]) -> Markup:
    """Return what the marks of the charts below mean, by their classes."""
    return element(
        "ul", *(element("li", element("i", class_=sign), text) for sign, text in entries.items()), class_="legend"
    )


def folded(title: str, *content: str) -> Markup:
    """Return content that shows when its title is opened; on paper it always does."""
    return element("details", element("summary", title), *content)


def facts(told: Mapping[str, str]) -> Markup:
    """Return names and what is told of each, a line a name."""
    terms = [part for name, value in told.items() for part in (element("dt", name), element("dd", value))]
    return element("dl", *terms, class_="facts")


def configuration(config: Mapping[str, Any]) -> Markup:
    """Return the configuration in force as folded YAML; nothing where there is none."""
    lines = "\n".join(_settings(config))
    return folded("Configuration in force", element("pre", lines, class_="code")) if lines else Markup()


def _settings(config: Mapping[str, Any], indent: int = 0) -> Iterator[str]:
    """Yield the configuration as lines of YAML."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield f"{' ' * indent}{scalar(key)}:"
            yield from _settings(value, indent + 2)
        else:
            yield entry(key, value, indent=indent)
