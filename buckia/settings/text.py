"""Documents as YAML for people: block style, short lists in one line, nothing wrapped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import yaml

_SHORT: Final = 72
"""Characters of a list that is still told in one line."""


def lines(value: Any) -> list[str]:
    """A value in lines."""
    return dump(value).splitlines()


def dump(value: Any) -> str:
    """A value as YAML. Equal values give equal text."""
    import yaml  # loaded late: only those who have settings pay for it

    text: str = yaml.dump(value, Dumper=_dumper(), sort_keys=False, width=2**20, allow_unicode=True)
    return text


@cache
def _dumper() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Lists are indented, and no anchors stand for what occurs twice."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, indentless=False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def a_list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
        plain = not any(isinstance(item, dict | list) for item in value)
        short = sum(len(str(item)) + 2 for item in value) <= _SHORT
        return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=plain and short)

    Dumper.add_representer(list, a_list)
    return Dumper
