"""Lineage: what a file was made from, so that synthetic rows never come back as fresh real ones unseen.

A lineage says whether a table is real, synthetic or a mixture, how many generations deep it is, and what share of its
rows is real. It stands in a sidecar ``<file>.lineage.json`` with the file's SHA-256, and in short in the key-value
metadata of a Parquet file. It is a statement about bytes: a sidecar beside other bytes is no evidence, and a file that
nobody said anything about is real by declaration of the person who brings it. For files that lost their sidecar there
are ``sketches``.

No time stamp is recorded: the same seed gives the same bytes here too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from synthcli import __version__, remote
from synthcli.artifacts import delivered, json_text, read_json, sha256, write_json
from synthcli.tables.footer import parquet_footer

SCHEMA_VERSION = 1
TOOL = f"synthcli {__version__}"
Kind = Literal["real", "synthetic", "augmented"]
#: Standard input, which has no file that could be described.
STANDARD_INPUT = Path("-")
#: What a sidecar's name ends in, after the name of the file that it is about.
SIDECAR = ".lineage.json"


@dataclass(frozen=True, slots=True)
class Parent:
    """A table that another one was made from: its content's SHA-256 (``None``: unknown) and what it was itself."""

    sha256: str | None
    kind: Kind
    depth: int
    real_share: float
    name: str
    rows: int

    def __post_init__(self) -> None:
        """Refuse what is no description of a table; it may come from anyone's file."""
        words = isinstance(self.sha256, str | None) and isinstance(self.name, str)
        if not words or not _is_count(self.rows) or not _consistent(self.kind, self.depth, self.real_share):
            raise ValueError("no description of a table that another one was made from")


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a table is and was made from.

    Attributes
    ----------
    kind
        ``real``; ``synthetic``: every row comes from a generator; ``augmented``: some do.
    depth
        Generations between the table and real data: 0 real, 1 made from real data, k + 1 made from data of depth k.
    real_share
        Share of the rows that are real, in [0, 1].
    parents
        The tables that it was made from: a generator's training table, or the parts that were put together.
    generator
        ``{"kind", "version", "fingerprint"}`` of the generator that drew the rows.
    seed
        The seed that they were drawn with.
    tool
        What wrote the record.
    """

    kind: Kind
    depth: int
    real_share: float
    parents: tuple[Parent, ...] = ()
    generator: Mapping[str, Any] | None = None
    seed: int | None = None
    tool: str = TOOL

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, such as synthetic rows at depth 0."""
        if not _consistent(self.kind, self.depth, self.real_share):
            raise ValueError(f"no lineage: {self.kind} at depth {self.depth} with a real share of {self.real_share}")
        if not isinstance(self.tool, str) or not (self.generator is None or _names_generator(self.generator)):
            raise ValueError("no lineage: it names no tool, or something that is no generator")
        if self.seed is not None and not _is_count(self.seed):
            raise ValueError("no lineage: its seed is no number")

    @property
    def is_real(self) -> bool:
        """Whether every row is real, so that the table may be learned from as such."""
        return self.kind == "real"

    def as_parent(self, name: str, rows: int, sha256: str | None) -> Parent:
        """Return the entry for a table of this lineage in the record of what is made from it."""
        return Parent(sha256, self.kind, self.depth, self.real_share, name, rows)

    def metadata(self) -> dict[str, str]:
        """Return the key-value metadata of a Parquet file: what may travel with a release, and nothing else."""
        return {
            "synthcli.depth": str(self.depth),
            "synthcli.real_share": repr(float(self.real_share)),
            "synthcli.version": __version__,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; :meth:`from_dict` is its inverse."""
        return {**asdict(self), "parents": [asdict(parent) for parent in self.parents]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a lineage from :meth:`to_dict`'s output, also after a trip through JSON; other keys are ignored.

        Raises ``KeyError``, ``TypeError`` or ``ValueError`` where the data are none.
        """
        own = {name: data[name] for name in ("kind", "depth", "real_share", "generator", "seed", "tool")}
        return cls(**own, parents=tuple(Parent(**parent) for parent in data["parents"]))


def _consistent(kind: str, depth: int, real_share: float) -> bool:
    """Whether a table of this kind may be so deep and so real."""
    if not _is_count(depth) or not isinstance(real_share, int | float):
        return False
    return {
        "real": depth == 0 and real_share == 1,
        "synthetic": depth >= 1 and real_share == 0,
        "augmented": depth >= 1 and 0 <= real_share <= 1,
    }.get(kind, False)


def _names_generator(named: Mapping[str, Any]) -> bool:
    version = named["version"]
    return isinstance(named["kind"], str) and (version is None or _is_count(version))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


class Known(NamedTuple):
    """What is known about a file.

    ``lineage`` is ``None`` where there is only a sidecar that does not belong to the file; ``mismatch`` then says why
    it is no evidence. ``source`` is where the lineage was found; ``rows`` is known from a sidecar or a Parquet file.
    """

    lineage: Lineage | None
    source: Literal["sidecar", "parquet"] | None
    rows: int | None
    mismatch: str = ""


class Origin(NamedTuple):
    """The lineage of a whole source, the SHA-256 of its content, and what a person should know about it."""

    lineage: Lineage
    sha256: str | None
    warnings: tuple[str, ...]


def real() -> Lineage:
    """Return the lineage of a table of real rows."""
    return Lineage("real", 0, 1.0)


def of_sample(train: Parent, *, generator: Mapping[str, Any], seed: int) -> Lineage:
    """Return the lineage of rows that ``generator``, which learned from ``train``, drew with ``seed``."""
    return Lineage("synthetic", train.depth + 1, 0.0, (train,), dict(generator), seed)


def mixed(parts: Sequence[Parent]) -> Lineage:
    """Return the lineage of the parts put together: the greatest depth, the mean real share weighted by rows."""
    rows = sum(part.rows for part in parts)
    depth = max((part.depth for part in parts), default=0)
    if depth == 0:
        return replace(real(), parents=tuple(parts))
    weights = [part.rows / rows if rows else 1 / len(parts) for part in parts]
    shares = [part.real_share for part in parts]
    mean = sum(weight * share for weight, share in zip(weights, shares, strict=True))
    share = min(max(mean, min(shares)), max(shares))  # rounding must not take a mean beyond what it is the mean of
    kind: Kind = "augmented" if share > 0 or any(part.kind == "augmented" for part in parts) else "synthetic"
    return Lineage(kind, depth, share, tuple(parts))


def with_found(lineage: Lineage, found: Parent, rows: int) -> Lineage:
    """Return the lineage of a table of ``rows`` rows in which rows of ``found`` were recognised."""
    if not lineage.is_real:
        return lineage
    rest = lineage.as_parent("the other rows", max(rows - found.rows, 0), None)
    return mixed([rest, found])


def sidecar(path: Path) -> Path:
    """Return where the lineage of the file ``path`` stands."""
    return path.with_name(f"{path.name}{SIDECAR}")


def write_described(into: Path, path: Path, lineage: Lineage, rows: int, digest: str) -> None:
    """Write into a file that is there already what :func:`write_sidecar` writes of ``path``."""
    into.write_text(json_text(_described(path.name, digest, rows, lineage)), encoding="utf-8")


def write_sidecar(path: Path, lineage: Lineage, rows: int, digest: str | None = None) -> Path:
    """Write the lineage of the finished file ``path`` beside it, atomically; return the sidecar's path.

    ``digest`` is the file's SHA-256, where the caller has it already.
    """
    write_json(sidecar(path), _described(path.name, digest or sha256(path), rows, lineage))
    return sidecar(path)


def put_sidecar(url: str, lineage: Lineage, rows: int, digest: str) -> str:
    """Write the lineage of the finished remote file ``url``, whose SHA-256 is ``digest``; return the sidecar's URL."""
    beside = f"{url}{SIDECAR}"
    with delivered(beside) as local:
        write_json(local, _described(remote.name(url), digest, rows, lineage))
    return beside


def _described(name: str, digest: str, rows: int, lineage: Lineage) -> dict[str, Any]:
    described = {"schema_version": SCHEMA_VERSION, "file": name, "sha256": digest, "rows": rows}
    return {**described, **lineage.to_dict()}


def read(path: Path, digest: str | None = None, name: str | None = None) -> Known | None:
    """Return what is known about the file ``path``; ``None`` where nothing is, so that it is real by declaration.

    The sidecar counts where its SHA-256 is the file's (``digest``, where the caller has it already), else the metadata
    of a Parquet file do. ``name`` is what messages call the file, where ``path`` is a copy of it.
    """
    beside = sidecar(path)
    mismatch = ""
    if beside.is_file():
        lineage, rows, mismatch = _from_sidecar(beside, digest or sha256(path), f"{name or path}{SIDECAR}")
        if lineage is not None:
            return Known(lineage, "sidecar", rows)
    footer = parquet_footer(path)
    stored = _from_metadata(footer.metadata) if footer else None
    if footer is not None and stored is not None:
        return Known(stored, "parquet", footer.rows, mismatch)
    return Known(None, None, None, mismatch) if mismatch else None


def of_source(paths: Sequence[Path], rows: int, names: Sequence[str] = ()) -> Origin:
    """Return the lineage of a table that was read from ``paths`` and has ``rows`` rows altogether.

    ``names`` is what the files are called, where some of them are copies.
    """
    names = names or [str(path) for path in paths]
    digests = [sha256(path) if path != STANDARD_INPUT else None for path in paths]
    found = [read(path, own, name) if own else None for path, own, name in zip(paths, digests, names, strict=True)]
    warnings = tuple(each.mismatch for each in found if each is not None and each.mismatch)
    known = [each.lineage if each is not None and each.lineage is not None else real() for each in found]
    if len(paths) == 1:
        return Origin(known[0], digests[0], warnings)
    counts = _part_rows(paths, found, rows)
    parts = zip(known, names, counts, digests, strict=True)
    return Origin(
        mixed([each.as_parent(Path(name).name, n, own) for each, name, n, own in parts]), _joined(digests), warnings
    )


def content_sha256(paths: Sequence[Path]) -> str | None:
    """Return one SHA-256 for the content of a source's files, in their order; a single file's is its own."""
    return _joined([sha256(path) if path != STANDARD_INPUT else None for path in paths])


def joined_sha256(digests: Sequence[str]) -> str:
    """Return the one SHA-256 for files with these, in their order, as :func:`content_sha256` does."""
    return str(_joined(digests))


def _joined(digests: Sequence[str | None]) -> str | None:
    if len(digests) == 1:
        return digests[0]
    return None if None in digests else hashlib.sha256("".join(map(str, digests)).encode()).hexdigest()


def _part_rows(paths: Sequence[Path], found: Sequence[Known | None], rows: int) -> list[int]:
    """Return each part's rows; what the parts do not say themselves is divided evenly among the silent ones."""
    said = [_said_rows(path, known) for path, known in zip(paths, found, strict=True)]
    silent = said.count(None)
    rest = max(rows - sum(count for count in said if count is not None), 0)
    return [count if count is not None else rest // silent for count in said]


def _said_rows(path: Path, known: Known | None) -> int | None:
    if known is not None and known.rows is not None:
        return known.rows
    footer = parquet_footer(path) if path != STANDARD_INPUT else None
    return footer.rows if footer else None


def _from_sidecar(beside: Path, digest: str, name: str) -> tuple[Lineage | None, int | None, str]:
    """Return the lineage and rows in a sidecar, or why it is no evidence about the file with this SHA-256.

    ``name`` is what messages call the sidecar.
    """
    try:
        document = read_json(beside)
        lineage, rows, described = Lineage.from_dict(document), document["rows"], str(document["sha256"])
        supported = document["schema_version"] == SCHEMA_VERSION
        if not _is_count(rows):
            raise ValueError("no number of rows")
    except (OSError, ValueError, KeyError, TypeError):
        return None, None, f"{name}: is no lineage that this version of synthcli can read"
    if not supported:
        return None, None, f"{name}: was written by another version of synthcli"
    if described != digest:
        return (
            None,
            None,
            f"{name}: belongs to other bytes (SHA-256 {described[:12]} …, the file's is {digest[:12]} …)",
        )
    return lineage, rows, ""


def _from_metadata(metadata: Mapping[str, str]) -> Lineage | None:
    try:
        depth, share = int(metadata["synthcli.depth"]), float(metadata["synthcli.real_share"])
        version = metadata["synthcli.version"]
        kind: Kind = "real" if depth == 0 else "synthetic" if share == 0 else "augmented"
        return Lineage(kind, depth, share, tool=f"synthcli {version}")
    except (KeyError, ValueError):
        return None
