"""``synthcli lineage``: what a file was made from, generation by generation, as far as records are at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    from synthcli.lineage import Known, Lineage, Parent
    from synthcli.tables.files import Part


@command
def lineage(
    run: Run,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Table, or its URL, whose origin is asked for.")],
) -> Outcome:
    """Show what a file was made from, generation by generation."""
    from synthcli.artifacts import sha256
    from synthcli.commands.following import after_lineage
    from synthcli.errors import BadTableError
    from synthcli.lineage import read
    from synthcli.reports.family import family_report

    settings = run.settings()
    out = Path(settings.run.output_dir)
    part = _present(file)
    digest = sha256(part.path)
    known = read(part.path, digest, part.name)
    if known is not None and known.mismatch:
        raise BadTableError(
            known.mismatch, "the file or its sidecar was changed or replaced: restore both, or remove the sidecar"
        )
    tree = _root(part.name, digest, known, _records(out))
    return Outcome(
        lambda: family_report(tree),
        {"known": tree["kind"] is not None, "tree": tree},
        next_step=after_lineage(run, settings, file, tree["kind"]),
    )


def _present(file: str) -> Part:
    from synthcli import remote
    from synthcli.errors import MissingFileError
    from synthcli.tables.files import Part, resolve

    file = remote.plain(file)
    there = remote.kind(file) == "file" if remote.is_url(file) else Path(file).is_file()
    if not there:
        raise MissingFileError(f"{remote.shown(file)}: no such file", "name one file that holds a table")
    return resolve(file)[0] if remote.is_url(file) else Part(str(Path(file)), Path(file))


def _records(out: Path) -> dict[str, tuple[Lineage, str]]:
    """Return SHA-256 -> lineage and path of every table that a manifest or a sidecar under ``out`` tells of."""
    from synthcli.lineage import Lineage

    sidecars = ((path, str(path).removesuffix(".lineage.json")) for path in sorted(out.rglob("*.lineage.json")))
    told = [(train, train.get("lineage"), train.get("path")) for train in _trains(out)]
    told += [(document, document, path) for beside, path in sidecars for document in [_document(beside)]]
    found: dict[str, tuple[Lineage, str]] = {}
    for described, data, path in told:
        try:
            found[str(described["sha256"])] = (Lineage.from_dict(data or {}), str(path))
        except (KeyError, TypeError, ValueError):  # an older manifest, or no sidecar: tells nothing
            continue
    return found


def _trains(out: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the description of each generator's training table."""
    from synthcli.errors import SynthcliError
    from synthcli.registry import numbers, resolve

    for number in numbers(out):
        try:
            yield resolve(out, str(number)).manifest.train
        except SynthcliError:
            continue


def _document(path: Path) -> Mapping[str, Any]:
    from synthcli.artifacts import read_json

    try:
        return dict(read_json(path))
    except (OSError, ValueError, TypeError):
        return {}


def _root(path: str, digest: str, known: Known | None, records: Mapping[str, tuple[Lineage, str]]) -> dict[str, Any]:
    """Return the family tree of a file; without a record of its own, as another one of the same bytes tells it."""
    name = Path(path).name
    if known is not None and known.lineage is not None:
        found, source, rows = known.lineage, str(known.source), known.rows
    elif digest in records:
        found, source, rows = records[digest][0], "record", None
    else:
        return {"file": name, "path": path, "sha256": digest, "source": None, "kind": None, "parents": []}
    head = found.as_parent(name, rows or 0, digest)
    return {**_node(head, records, frozenset(), found), "path": path, "source": source, "rows": rows}


def _node(
    table: Parent, records: Mapping[str, tuple[Lineage, str]], seen: frozenset[str], own: Lineage | None = None
) -> dict[str, Any]:
    """Return one table and those that it was made from, as far as there are records."""
    found, path = records.get(table.sha256 or "", (None, None))
    found = own or found
    below = seen | {table.sha256 or ""}
    parents = [each for each in (found.parents if found else ()) if each.sha256 is None or each.sha256 not in below]
    return {
        "file": table.name,
        "path": path,
        "sha256": table.sha256,
        "kind": table.kind,
        "depth": table.depth,
        "real_share": table.real_share,
        "rows": table.rows,
        "generator": dict(found.generator) if found and found.generator else None,
        "seed": found.seed if found else None,
        "parents": [_node(each, records, below) for each in parents],
    }
