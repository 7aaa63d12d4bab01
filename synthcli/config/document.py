"""YAML text -> plain data, and the line and column at which every key and value stands.

It knows YAML and nothing of what a configuration means. Of YAML it takes what JSON can say, in the reading
that people expect: ``1e-3`` is a number, only true and false are booleans, and ``012``, ``12:30`` and
``2024-01-31`` are text. Whatever cannot be read without a guess is refused with its place: a key that stands
twice, a second document, bytes that are not UTF-8, aliases that multiply without end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from synthcli.config.suggest import nearest
from synthcli.errors import ConfigError, MissingFileError

#: Keys from the top down, each as it is written in YAML; list items by their number.
KeyPath = tuple[str, ...]

MAX_BYTES = 1 << 19
MAX_NODES = 100_000
MAX_DEPTH = 64

_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null"))
_TABLES = {".csv", ".tsv", ".gz", ".parquet", ".pq", ".xlsx", ".xls"}
_SYNTAX_HINT = "indent with spaces, and quote text that holds : # [ ] { } & * ! | > or starts with % @ or a backtick"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with a resolver of its own instead of YAML 1.1's."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (typed so by PyYAML)

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        """Give up as deep as nobody goes: the scanner takes the square of the depth to come to an end by itself."""
        if self.flow_level > MAX_DEPTH:
            raise RecursionError
        super().fetch_flow_collection_start(TokenClass)


def _resolve(tag: str, pattern: str, first: Iterable[str]) -> None:
    _Loader.add_implicit_resolver(_TAG + tag, re.compile(rf"^(?:{pattern})$"), list(first))


_resolve("bool", r"true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("null", r"~|null|Null|NULL|", ["~", "n", "N", ""])
_resolve("int", r"[-+]?(?:0|[1-9][0-9_]*)", "-+0123456789")
_resolve(
    "float",
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "-+.0123456789",
)
_resolve("merge", "<<", "<")


class Mark(NamedTuple):
    """A place in a text, both counted from 1."""

    line: int
    column: int


class Marks(NamedTuple):
    """Where a key stands and where its value starts; for list items and the whole document the two are equal."""

    key: Mark
    value: Mark


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file's content: plain data, and marks by path. An empty file has no data."""

    data: dict[Any, Any]
    marks: Mapping[KeyPath, Marks]


def key_text(key: object) -> str:
    """Return ``key`` as a dotted path names it: ``str(key)``, but true, false and null as YAML spells them.

    >>> key_text(True), key_text(7), key_text("late")
    ('true', '7', 'late')
    """
    if key is None:
        return "null"
    return str(key).lower() if isinstance(key, bool) else str(key)


def read(file: Path) -> Document:
    """Read and parse ``file``.

    Raises ``MissingFileError`` where there is none, and ``ConfigError`` where it cannot be read or is not
    the YAML of a configuration.
    """
    if file.suffix.lower() in _TABLES:
        raise ConfigError(f"{file}: a table, expected a configuration (YAML)", "give the table without -c before it")
    try:
        with file.open("rb") as stream:
            # A table given by mistake may be gigabytes long, and YAML is read slowly.
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingFileError(f"{file}: there is no such configuration file", _near(file)) from error
    except IsADirectoryError as error:
        raise ConfigError(f"{file}: a folder, expected a configuration file", _near(file / "synthcli.yaml")) from error
    except OSError as error:
        hint = "check its permissions"
        raise ConfigError(f"{file}: the configuration cannot be read: {error.strerror}", hint) from error
    if len(content) > MAX_BYTES:
        hint = "give the configuration file after --config, not a table"
        raise ConfigError(f"{file}: more than {MAX_BYTES:,} bytes, too long for a configuration", hint)
    return parse(content, str(file))


def _near(file: Path) -> str:
    """Return which configuration may be meant: one of nearly this name, there or here, else how to make one."""
    for folder in dict.fromkeys((file.parent, Path())):
        known = [path.name for path in sorted(folder.glob("*.y*ml"))]
        found = nearest(file.name, known)
        if found is not None:
            return f"did you mean {folder / found}?"
    return "check the path after -c, or write a first file with `synthcli init DATA`"


def parse(content: bytes, name: str) -> Document:
    """Parse a whole configuration; ``name`` stands in front of the line and column in errors."""
    root = _compose(_decode(content, name), name)
    if root is None or root.tag == _TAG + "null":
        return Document({}, {})
    if not isinstance(root, yaml.MappingNode):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        hint = "start with a section, for example `data:` with `path: table.csv` indented under it"
        raise _refusal(name, _mark(root), f"got {kind}, expected sections with keys", hint)
    walk = _Walk(name)
    data = walk.build(root, ())
    walk.finish()
    return Document(data, walk.marks)


def parse_value(text: str, name: str) -> Any:
    """Parse one value given outside a file: a flow collection, quoted text, or a plain scalar.

    A plain scalar is taken as it stands, so ``|``, ``,`` and ``data/*.csv`` need no quotes beyond the
    shell's.
    """
    walk = _Walk(name)
    if text[:1] in {"[", "{"} or (len(text) > 1 and text[0] in "'\""):
        root = _compose(text, name)
        value = None if root is None else walk.build(root, ())
        walk.finish()
        return value
    plain = text.strip() or text
    tag = walk.loader.resolve(yaml.ScalarNode, plain, (True, False))  # type: ignore[no-untyped-call]
    if tag == _TAG + "merge":
        return plain
    start = yaml.Mark(name, 0, 0, 0, None, 0)
    return walk.build(yaml.ScalarNode(tag, plain, start, start), ())


@dataclass(slots=True)
class _Walk:
    """One pass over the nodes of a text: builds the data, notes the marks, gathers keys that stand twice.

    Aliases are followed each time that they occur, so the count of nodes is that of the data as written out:
    that is what stops a few lines of nested aliases from filling the memory.
    """

    name: str
    marks: dict[KeyPath, Marks] = field(default_factory=dict)
    doubled: dict[Mark, str] = field(default_factory=dict)
    left: int = MAX_NODES
    loader: _Loader = field(default_factory=lambda: _Loader(""))

    def build(self, node: yaml.Node, path: KeyPath, key: yaml.Node | None = None, depth: int = 0) -> Any:
        """Return the plain data of ``node``, which stands at ``path`` under ``key``."""
        self._spend(node, depth)
        value = self._content(node, path, depth + 1)
        # Last, since a merged mapping has left its own mark at this path.
        self.marks[path] = Marks(_mark(key or node), _mark(node))
        return value

    def finish(self) -> None:
        """Raise ``ConfigError`` if any key stood twice."""
        if self.doubled:
            raise ConfigError("\n".join(self.doubled.values()), "keep one of the two")

    def _spend(self, node: yaml.Node, depth: int) -> None:
        self.left -= 1
        if self.left < 0:
            problem = f"more than {MAX_NODES:,} values once its aliases are written out"
            raise _refusal(self.name, _mark(node), problem, "use fewer aliases (*name)")
        if depth > MAX_DEPTH:
            problem = f"nested more than {MAX_DEPTH} deep, or an alias inside itself"
            raise _refusal(self.name, _mark(node), problem, "nest the values less")

    def _content(self, node: yaml.Node, path: KeyPath, depth: int) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            items = enumerate(node.value)
            return [self.build(item, (*path, str(index)), None, depth) for index, item in items]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, depth: int) -> dict[Any, Any]:
        merges = [value for key, value in node.value if key.tag == _TAG + "merge"]
        data = self._first_wins(merges, path, depth)
        own: dict[Any, yaml.Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                continue
            key = self._key(key_node)
            below = (*path, key_text(key))
            if key in own:
                # By place, since an alias repeats the mistakes of what it names.
                self.doubled.setdefault(_mark(key_node), self._twice(key_node, own[key], below))
            own[key] = key_node
            data[key] = self.build(value_node, below, key_node, depth)
        return data

    def _first_wins(self, nodes: Sequence[yaml.Node], path: KeyPath, depth: int) -> dict[Any, Any]:
        """Return what ``<<: *alias`` or ``<<: [*first, *second]`` brings in; the first that has a key wins."""
        parts = [self._merged(node, path, depth) for node in reversed(nodes)]
        return {key: value for part in parts for key, value in part.items()}

    def _merged(self, node: yaml.Node, path: KeyPath, depth: int) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            return dict(self.build(node, path, None, depth))
        if isinstance(node, yaml.SequenceNode):
            self._spend(node, depth)
            return self._first_wins(node.value, path, depth + 1)
        raise _refusal(self.name, _mark(node), "got a value after <<, expected an alias of keys and values")

    def _key(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise _refusal(self.name, _mark(node), "got a list or mapping as a key, expected text", _SYNTAX_HINT)
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag not in _SCALARS or not isinstance(node, yaml.ScalarNode):
            shown = node.tag.replace(_TAG, "!!")
            raise _refusal(self.name, _mark(node), f"the tag {shown} has no use here", "remove the tag")
        try:
            return self.loader.construct_object(node)
        except (ValueError, KeyError, yaml.YAMLError) as error:
            kind = node.tag.removeprefix(_TAG)
            raise _refusal(
                self.name, _mark(node), f"this cannot be read as {kind}", "quote it to keep it text"
            ) from error

    def _twice(self, second: yaml.Node, first: yaml.Node, path: KeyPath) -> str:
        line, column = _mark(first)
        return f"{_label(self.name, _mark(second))}: {'.'.join(path)}: the key stands twice, first at {line}:{column}"


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _mark_after(content[: error.start].decode("utf-8-sig", "replace"))
        raise _refusal(name, mark, "the file is not UTF-8 text", "save it as UTF-8") from error


def _compose(text: str, name: str) -> yaml.Node | None:
    """Return the root node of ``text``, ``None`` where it is empty."""
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        mark = _mark_after(text[: error.position])
        raise _refusal(name, mark, "a control character, which YAML does not allow", "remove it") from error
    try:
        return loader.get_single_node()
    except RecursionError:
        raise _refusal(name, _position(loader), "nested too deeply to be read", "nest less") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, name) from error
    finally:
        loader.dispose()


def _syntax_error(error: yaml.MarkedYAMLError, name: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    place = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
    if "another document" in (error.problem or ""):
        return _refusal(name, place, "a second document starts here, expected one", "remove the line ---")
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return _refusal(name, place, f"not valid YAML: {said}", _SYNTAX_HINT)


def _refusal(name: str, mark: Mark, problem: str, hint: str = "") -> ConfigError:
    return ConfigError(f"{_label(name, mark)}: {problem}", hint)


def _label(name: str, mark: Mark) -> str:
    return f"{name}:{mark.line}:{mark.column}"


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _position(loader: _Loader) -> Mark:
    mark = loader.get_mark()
    return Mark(mark.line + 1, mark.column + 1)


def _mark_after(text: str) -> Mark:
    """Return the place of the character that would follow ``text``."""
    lines = f"{text}.".splitlines()
    return Mark(len(lines), len(lines[-1]))
