"""Settings written into a `.buckia` with everything else in it left as it is, comments included."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Any, Final

from buckia.config.source import read
from buckia.errors import ConfigError
from buckia.settings.text import lines

if TYPE_CHECKING:
    import yaml

_OPTION: Final = "settings"


def escaped(value: Any) -> Any:
    """A value as a file has it: `${` would be taken for the name of an environment variable."""
    if isinstance(value, dict):
        return {escaped(name): escaped(item) for name, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def with_settings(content: bytes, bucket: str, said: dict[str, Any]) -> bytes:
    """The text of a YAML file in which a bucket declares just these settings.

    Raises `ConfigError` where that cannot be done without touching anything else.
    """
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    old = read(content, toml=False).data
    new = escaped(said)
    edited = mark + _edit(content.decode("utf-8-sig"), bucket, new).encode()
    wanted = {**old, bucket: {**old[bucket], _OPTION: new}}
    if read(edited, toml=False).data != wanted:
        raise _by_hand(bucket, "anchors or an unusual layout are in the way")
    return edited


def _edit(text: str, bucket: str, said: dict[str, Any]) -> str:
    import yaml  # loaded late: only those who write a file pay for it

    root = yaml.compose(text, yaml.SafeLoader)
    node = _value(root, bucket)
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        raise _by_hand(bucket, "the bucket is not written in block style")
    indent = " " * int(node.value[0][0].start_mark.column)
    rows = text.splitlines(keepends=True)
    end = "\r\n" if rows[0].endswith("\r\n") else "\n"
    block = [f"{indent}{line}{end}" for line in lines({_OPTION: said})]
    place = next((pair for pair in node.value if pair[0].value == _OPTION), None)
    first = _last(node) + 1
    last = first - 1
    if place is not None:
        first, last = place[0].start_mark.line, _last(place[1])
    if any(re.search(r"(^|\s)#", row) for row in rows[first : last + 1]):
        raise _by_hand(bucket, "the settings in it have comments, which would be lost")
    before = [row if row.endswith(("\n", "\r")) else row + end for row in rows[:first]]
    return "".join([*before, *block, *rows[last + 1 :]])


def _value(root: Any, name: str) -> Any:
    pairs = root.value if root is not None else []
    return next((value for key, value in pairs if key.value == name), None)


def _last(node: yaml.Node) -> int:
    """The last line of a node; a block of several ends where its last part does."""
    if isinstance(node.value, list) and not node.flow_style and node.value:  # type: ignore[attr-defined]
        last = node.value[-1]
        return max(_last(part) for part in (last if isinstance(last, tuple) else (last,)))
    mark = node.end_mark
    return int(mark.line) - (1 if mark.column == 0 and mark.line > node.start_mark.line else 0)


def _by_hand(bucket: str, why: str) -> ConfigError:
    return ConfigError(
        f"the settings of `{bucket}` cannot be written into the configuration: {why}; paste what "
        f"`buckia import {bucket}` prints"
    )
