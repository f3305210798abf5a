"""`${NAME}` in the values of a configuration: what the environment puts there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

from buckia.config.schema import SECRETS, Path, Problem, dotted

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")
_NOT_TEXT: Final = frozenset(
    {"max_workers", "min", "max_delete", "delete_orphaned", "trash", "audit", "count"}
)
"""Options for which `${NAME}` may bring a number, or true or false."""


class Expanded(Struct):
    """Data with every reference replaced.

    A secret whose variable is not set is left out and noted in `missing`, by bucket: only those
    who use the bucket need it. Any other unset variable is a problem.
    """

    data: Any
    problems: list[Problem] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)


def expand(data: Any, env: Mapping[str, str]) -> Expanded:
    """Replace `${NAME}` in every text; `$${` becomes `${`. A variable set to nothing is not set."""
    expanded = Expanded(data)
    expanded.data = _value(data, (), env, expanded)
    return expanded


def refers(text: str) -> bool:
    """Whether a text takes something from the environment."""
    return any(match[1] for match in _REFERENCE.finditer(text))


class _Unset:
    """Stands for a secret that is left out."""


def _value(value: Any, path: Path, env: Mapping[str, str], into: Expanded) -> Any:
    if isinstance(value, dict):
        items = ((key, _value(item, (*path, key), env, into)) for key, item in value.items())
        return {key: item for key, item in items if item is not _Unset}
    if isinstance(value, list):
        return [_value(item, (*path, index), env, into) for index, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    return _text(value, path, env, into)


def _text(text: str, path: Path, env: Mapping[str, str], into: Expanded) -> Any:
    names = [match[1] for match in _REFERENCE.finditer(text) if match[0] != "$${"]
    if None in names:
        message = "found `${` without a name and `}`; write `$${` for a plain `${`"
        into.problems.append(Problem(path, message))
        return text
    if unset := [name for name in names if not env.get(name)]:
        return _unset(text, unset, path, into)
    result = _REFERENCE.sub(lambda match: env[match[1]] if match[1] else "${", text)
    if _NOT_TEXT & set(path[-1:]) and len(names) == 1:
        return _scalar(result)
    return result


def _unset(text: str, names: list[str], path: Path, into: Expanded) -> Any:
    if SECRETS.isdisjoint(path):
        message = f"the environment variable {', '.join(names)} is not set"
        into.problems.append(Problem(path, message))
        return text
    missing = into.missing.setdefault(str(path[0]), [])
    missing += [f"{name} for `{dotted(path[1:])}`" for name in names]
    return _Unset


def _scalar(text: str) -> int | bool | str:
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text)
