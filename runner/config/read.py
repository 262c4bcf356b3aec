"""YAML text to values that know their place. Safe types only, bounded in size and expansion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from yaml._yaml import CParser
from yaml.composer import Composer
from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.resolver import Resolver

from runner.errors import Location, Problem
from runner.wire import can_be_held

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1 << 20
"""Bytes of one file."""
MOST_NODES = 10_000
"""Values of one file, aliases expanded: what a bomb of anchors exceeds."""

_SHOWN = 40
_SCALARS = frozenset({"str", "int", "float", "bool", "null", "timestamp"})
Path = tuple[str | int, ...]
"""The way to a value: keys and positions from the top."""


@dataclass(frozen=True, slots=True)
class Document:
    """The values of one file, and where each of them, and each key, stands."""

    file: str
    value: Any
    values: dict[Path, Location]
    keys: dict[Path, Location]

    def at(self, path: Path) -> Location:
        """Where a value stands; of one that is not there, where what should hold it stands."""
        while path not in self.values and path:
            path = path[:-1]
        return self.values.get(path, Location(self.file, 1, 1))

    def key_at(self, path: Path) -> Location:
        """Where the key of a value stands."""
        return self.keys.get(path) or self.at(path)


class _Unreadable(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read(file: str, content: bytes) -> Document | Problem:
    """Read one YAML file; a file that cannot be read is one problem. An empty file is ``None``."""
    start = Location(file, 1, 1)
    if len(content) > LARGEST:
        return Problem(start, f"the file is larger than {LARGEST:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Problem(Location(file, line, 1), "the file is not UTF-8", "save it as UTF-8")
    try:
        nodes = _nodes(text)
    except yaml.MarkedYAMLError as error:
        return _syntax(file, text, error)
    except yaml.YAMLError as error:
        return Problem(start, f"the file cannot be read: {str(error).splitlines()[0]}")
    except RecursionError:
        return Problem(start, "the file is nested too deep")
    if len(nodes) > 1:
        return Problem(
            _location(file, nodes[1]), "a second document begins", "one file, one document"
        )
    reader = _Reader(file, {}, {})
    try:
        value = reader.value(nodes[0], ()) if nodes else None
    except _Unreadable as found:
        return found.problem
    except RecursionError:
        return Problem(start, "an anchor contains itself")
    return Document(file, value, reader.values, reader.keys)


class _Composer(Composer, CParser, Resolver):
    """Reads by libyaml, a tenth of the time, and composes in Python, which minds its depth."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        Composer.__init__(self)
        Resolver.__init__(self)


def _nodes(text: str) -> list[Any]:
    """Compose all documents; what is wrong is said in PyYAML's words, which are the clearer ones.

    Raises:
        yaml.YAMLError: the text is no YAML.
        RecursionError: it is nested too deep.

    """
    try:
        composer = _Composer(text)
        nodes = []
        while composer.check_node():
            nodes.append(composer.get_node())
    except yaml.YAMLError:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    return nodes


class _Reader:
    """Builds the values of one file."""

    def __init__(self, file: str, values: dict[Path, Location], keys: dict[Path, Location]) -> None:
        self.file, self.values, self.keys = file, values, keys

    def value(self, node: Any, path: Path) -> Any:
        self.values[path] = _location(self.file, node)
        if len(self.values) > MOST_NODES:
            raise _Unreadable(
                Problem(
                    Location(self.file, 1, 1),
                    f"the file holds more than {MOST_NODES:,} values once its aliases are expanded",
                )
            )
        match node:
            case MappingNode():
                return dict(self._items(node, path))
            case SequenceNode():
                return [self.value(child, (*path, n)) for n, child in enumerate(node.value)]
            case _:
                return self._scalar(node)

    def _items(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: dict[str, Location] = {}
        for key_node, value_node in node.value:
            key, at = self._key(key_node), _location(self.file, key_node)
            if key in seen:
                what = f"'{key}' stands twice"
                raise _Unreadable(Problem(at, what, f"first in line {seen[key].line}"))
            seen[key] = at
            self.keys[*path, key] = at
            yield key, self.value(value_node, (*path, key))

    def _key(self, node: Any) -> str:
        at = _location(self.file, node)
        if not isinstance(node, ScalarNode):
            raise _Unreadable(Problem(at, "a key must be a word"))
        if _tag(node) == "bool":
            what = f"{node.value} is read as {_truth(node)}"
            raise _Unreadable(Problem(at, what, f'write "{node.value}" in quotes'))
        if node.tag.endswith(":merge"):
            raise _Unreadable(
                Problem(at, "merge keys (<<) are not known here", "write the keys out")
            )
        return str(node.value)

    def _scalar(self, node: ScalarNode) -> Any:
        tag = _tag(node)
        if tag not in _SCALARS or not isinstance(node, ScalarNode):
            raise _Unreadable(
                Problem(_location(self.file, node), f"the tag {node.tag} is not known here")
            )
        if tag in {"str", "timestamp"}:
            return node.value
        try:
            found = yaml.SafeLoader("").construct_object(node)
        except (ValueError, OverflowError, yaml.YAMLError) as error:
            what = f"'{node.value}' cannot be read: {str(error).splitlines()[0]}"
            raise _Unreadable(Problem(_location(self.file, node), what)) from error
        if isinstance(found, int | float) and not can_be_held(found):
            what = f"{node.value[:_SHOWN]} is no number that a field could hold"
            hint = "write it in quotes if it is a text"
            raise _Unreadable(Problem(_location(self.file, node), what, hint))
        return found


def read_as_boolean(document: Document, content: bytes, path: Path) -> str:
    """Return the word that stands where a boolean was read (``No``, ``on``), as it was written."""
    at = document.at(path)
    line = content.decode("utf-8-sig").splitlines()[at.line - 1]
    word = line[at.column - 1 :].split("#")[0]
    for end in ",]}":
        word = word.split(end)[0]
    return word.strip()


def _syntax(file: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    tabbed = line <= len(lines) and "\t" in lines[line - 1][:column]
    if tabbed or "'\\t'" in str(error.problem):
        return Problem(Location(file, line, column), "a tab cannot indent YAML", "use spaces")
    what = (error.problem or "the file cannot be read").removesuffix(".")
    context = f" ({error.context})" if error.context else ""
    return Problem(Location(file, line, column), f"{what}{context}")


def _location(file: str, node: Any) -> Location:
    return Location(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _tag(node: Any) -> str:
    return str(node.tag).removeprefix("tag:yaml.org,2002:")


def _truth(node: ScalarNode) -> str:
    return str(node.value.lower() in {"yes", "true", "on"}).lower()
