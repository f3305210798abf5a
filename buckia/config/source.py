"""The text of a `.buckia` as data, with the line and column of every name and value.

Safe by construction: only plain data is built, aliases, depth and size are bounded, and nothing
that YAML would silently turn into something else is taken for a name.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct, field

from buckia.config.schema import Path

if TYPE_CHECKING:
    import yaml

MAX_BYTES: Final = 10 * 1024**2
MAX_DEPTH: Final = 16
MAX_VALUES: Final = 100_000
"""No real configuration comes near; a hostile one would take all memory (`billion laughs`)."""

_MAX_INT: Final = 2**53
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN: Final = frozenset(_TAG + kind for kind in ("null", "bool", "int", "float", "timestamp"))
_TEXT: Final = frozenset(_TAG + kind for kind in ("str", "value", "merge"))


class Mark(NamedTuple):
    """A place in a text, both counted from 1."""

    line: int = 1
    column: int = 1


class Fault(NamedTuple):
    """Something wrong with the text itself."""

    mark: Mark
    message: str
    path: Path = ()


class Source(Struct):
    """A text as data. `odd` holds what was written where YAML read plain text as something else.

    `data` is None when the text could not be read, and then there are `faults`.
    """

    data: Any = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    odd: dict[Path, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def mark(self, path: Path, on_key: bool = False) -> Mark:
        """Where a name or value stands; of what was left out, where it should stand."""
        if on_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Mark())


class _StopError(Exception):
    """The text cannot be read any further."""

    def __init__(self, mark: Mark, message: str) -> None:
        self.fault = Fault(mark, message)


def read(content: bytes, *, toml: bool) -> Source:
    """The data of a file. Never raises: what is wrong stands in `faults`."""
    source = Source()
    try:
        if len(content) > MAX_BYTES:
            raise _StopError(Mark(), f"the file is larger than {MAX_BYTES // 1024**2} MB")
        text = _decode(content)
        if toml:
            _read_toml(text, source)
        else:
            _read_yaml(text, source)
    except _StopError as stop:
        source.data = None
        source.faults.append(stop.fault)
    return source


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        mark = _place(content[: problem.start].decode("utf-8", "replace"))
        raise _StopError(mark, "the file is not UTF-8 text from here on") from None


def _place(before: str) -> Mark:
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _read_yaml(text: str, source: Source) -> None:
    import yaml  # loaded late: only those who read a file pay for it

    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        at = problem.problem_mark or problem.context_mark
        raise _StopError(_mark(at) if at else Mark(), _say(problem)) from None
    except yaml.reader.ReaderError as problem:
        shown = f"U+{problem.character:04X}" if isinstance(problem.character, int) else "a byte"
        place = _place(text[: problem.position])
        raise _StopError(place, f"the character {shown} is not allowed") from None
    except RecursionError:
        raise _StopError(Mark(), f"nested deeper than {MAX_DEPTH} levels") from None
    except (yaml.YAMLError, ValueError, OverflowError) as problem:
        raise _StopError(Mark(), f"is not valid YAML: {problem}") from None
    if node is not None:
        source.data = _Yaml(source).value(node, (), 0)


def _say(problem: yaml.MarkedYAMLError) -> str:
    words = " ".join(filter(None, (problem.context, problem.problem)))
    if "\\t" in words:
        return "a tab cannot indent YAML; use spaces"
    return f"is not valid YAML: {words}"


def _mark(mark: yaml.Mark) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


class _Yaml:
    """Builds data from YAML nodes, noting where everything stands."""

    def __init__(self, source: Source) -> None:
        import yaml

        self.source = source
        self.count = 0
        self.scalars = yaml.SafeLoader("")
        self.yaml = yaml

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        self.count += 1
        mark = _mark(node.start_mark)
        if depth > MAX_DEPTH:
            raise _StopError(mark, f"nested deeper than {MAX_DEPTH} levels")
        if self.count > MAX_VALUES:
            raise _StopError(mark, f"more than {MAX_VALUES} values, aliases counted out")
        self.source.values.setdefault(path, mark)
        if isinstance(node, self.yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, path, depth)
        if isinstance(node, self.yaml.SequenceNode) and node.tag == _TAG + "seq":
            items = enumerate(node.value)
            return [self.value(item, (*path, index), depth + 1) for index, item in items]
        if isinstance(node, self.yaml.ScalarNode) and node.tag in _TEXT:
            return node.value
        if isinstance(node, self.yaml.ScalarNode) and node.tag in _PLAIN:
            return self.scalar(node, path)
        raise _StopError(mark, f"the tag `{node.tag}` is not allowed")

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        try:
            value = self.scalars.construct_object(node)
            if isinstance(value, int) and abs(value) > _MAX_INT:
                raise ValueError
        except (self.yaml.YAMLError, ValueError, KeyError, OverflowError):
            kind = node.tag.removeprefix(_TAG)
            self.fault(node, path, f"`{node.value[:40]}` looks like a {kind}; put it in quotes")
            return node.value
        if not node.style:
            self.source.odd[path] = node.value
        return value

    def mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, item in node.value:
            if key.tag == _TAG + "merge":
                continue
            name = self.name(key, path)
            here = (*path, name)
            if name in built:
                first = self.source.keys[here].line
                self.fault(key, here, f"stands here twice, first in line {first}")
                continue
            self.source.keys.setdefault(here, _mark(key.start_mark))
            built[name] = self.value(item, here, depth + 1)
        for other in self.merged(node, path, depth):
            built = {**other, **built}
        return built

    def merged(self, node: yaml.MappingNode, path: Path, depth: int) -> Iterator[dict[str, Any]]:
        """What `<<: *name` brings in; what stands in the mapping itself goes first."""
        for key, item in node.value:
            if key.tag == _TAG + "merge":
                parts = item.value if isinstance(item, self.yaml.SequenceNode) else [item]
                for part in parts:
                    if not isinstance(part, self.yaml.MappingNode):
                        raise _StopError(_mark(part.start_mark), "`<<` takes mappings only")
                    yield self.value(part, path, depth + 1)

    def name(self, node: yaml.Node, path: Path) -> str:
        if not isinstance(node, self.yaml.ScalarNode):
            raise _StopError(_mark(node.start_mark), "a name must be text")
        if node.tag not in _TEXT:
            kind = node.tag.removeprefix(_TAG)
            message = f"YAML reads the name `{node.value}` as a {kind}; put it in quotes"
            self.fault(node, (*path, node.value), message)
        return str(node.value)

    def fault(self, node: yaml.Node, path: Path, message: str) -> None:
        self.source.faults.append(Fault(_mark(node.start_mark), message, path))


def _read_toml(text: str, source: Source) -> None:
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise _StopError(Mark(), f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as problem:
        at = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", str(problem))
        mark = Mark(int(at[1]), int(at[2])) if at and at[1] else _place(text)
        words = str(problem)[: at.start()] if at else str(problem)
        raise _StopError(mark, f"is not valid TOML: {words}") from None
    source.data = _plain(data, 0)
    known = set(_paths(data, ()))
    for path, mark in _toml_marks(text):
        for length in range(1, len(path) + 1):
            if path[:length] in known:
                source.keys.setdefault(path[:length], mark)
                source.values.setdefault(path[:length], mark)


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _StopError(Mark(), f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, int) and abs(value) > _MAX_INT:
        raise _StopError(Mark(), "holds a number too large for any option")
    return value


def _paths(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _paths(item, (*path, key))


_TOML_LINE: Final = re.compile(
    r"^[ \t]*(?:\[\[?(?P<table>[^\[\]]+)\]|(?P<name>[^#=\[\]{}]+?)[ \t]*=)"
)


def _toml_marks(text: str) -> Iterator[tuple[Path, Mark]]:
    """Where each line of a TOML text that looks like a name has it; tables are followed."""
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TOML_LINE.match(line):
            group = "table" if found["table"] else "name"
            path = _toml_path(found[group])
            if group == "table":
                table = path
            else:
                path = (*table, *path)
            yield path, Mark(number, found.start(group) + 1)


def _toml_path(name: str) -> Path:
    try:
        value: Any = tomllib.loads(f"{name} = 0")
    except ValueError:
        return ()
    path: list[str] = []
    while isinstance(value, dict) and value:
        key, value = next(iter(value.items()))
        path.append(key)
    return tuple(path)


def kind_of(value: object) -> str:
    """What YAML or TOML made of an unquoted value, in words."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return "a number"
        case datetime.date() | datetime.time():
            return "a date or time"
    return "nothing"
