"""The family tree of a file in a terminal: what it is, what it was made from, and what that was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from synthcli.progress import visible


def family_report(node: Mapping[str, Any]) -> RenderableType:
    """Render the tree that ``synthcli lineage`` made; a file without a record says so."""
    if node["kind"] is None:
        return Text(
            f"{visible(node['file'])}: nothing is known about its origin; it is taken for real rows by declaration of "
            "whoever brings it"
        )
    return _branch(Tree(_label(node)), node)


def _branch(tree: Tree, node: Mapping[str, Any]) -> Tree:
    for parent in node["parents"]:
        _branch(tree.add(_label(parent)), parent)
    return tree


def _label(node: Mapping[str, Any]) -> Text:
    facts = [f"{node['kind']}, depth {node['depth']}", f"{node['real_share']:.0%} real"]
    if node["rows"] is not None:
        facts.append(f"{node['rows']:,} rows")
    if node["generator"]:
        generator = node["generator"]
        # What an augmentation draws with is fitted for it alone and has no version.
        version = "" if generator["version"] is None else f" version {generator['version']:04d}"
        facts.append(f"{generator['kind']}{version}, seed {node['seed']}")
    return Text.assemble((visible(node["file"]), "bold"), "  ", visible(", ".join(facts)))
