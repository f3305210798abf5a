"""Whether a value keeps a JSON Schema: a quick yes, or no answer.

A validator that can say what is wrong takes longer to load than most commands run. What is right,
and that is nearly every configuration, is told here; all else is left to it. Whatever this module
does not know of is never accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

Rules = Mapping[str, Any]


def accepts(rules: Rules | bool, value: object, root: Rules) -> bool:
    """True only if `value` keeps the rules of a schema; `root` is where its `$ref`s lead from."""
    if isinstance(rules, bool):
        return rules
    return all(_keeps(name, rules, value, root) for name in rules)


def _keeps(name: str, rules: Rules, value: object, root: Rules) -> bool:
    if name in _SILENT or name.startswith("x-"):
        return True
    check = _CHECKS.get(name)
    return check is not None and check(rules[name], value, rules, root)


_SILENT: Final = frozenset(
    ("$schema", "$id", "$defs", "title", "description", "default", "examples", "errorMessage")
) | {"then", "else"}
"""Keywords that ask for nothing, or only together with another."""


def _is_type(names: str | list[str], value: object, *_: Any) -> bool:
    wanted = [names] if isinstance(names, str) else names
    return any(_TYPES[name](value) for name in wanted)


_TYPES: Final[Mapping[str, Callable[[object], bool]]] = {
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
}


def _same(one: object, other: object) -> bool:
    """Equal as JSON is: `true` is not 1. Where numbers might be equal in two ways it says no."""
    return type(one) is type(other) and one == other and not isinstance(one, list | dict | float)


def _properties(known: Rules, value: object, _: Rules, root: Rules) -> bool:
    return not isinstance(value, dict) or all(
        accepts(known[key], item, root) for key, item in value.items() if key in known
    )


def _others(others: Any, value: object, rules: Rules, root: Rules) -> bool:
    known = rules.get("properties", {})
    if "patternProperties" in rules:
        return False
    return not isinstance(value, dict) or all(
        accepts(others, item, root) for key, item in value.items() if key not in known
    )


def _names(names: Any, value: object, _: Rules, root: Rules) -> bool:
    return not isinstance(value, dict) or all(accepts(names, key, root) for key in value)


def _condition(condition: Any, value: object, rules: Rules, root: Rules) -> bool:
    """Without an answer to the condition both ends have to be kept."""
    if accepts(condition, value, root):
        return accepts(rules.get("then", True), value, root)
    return accepts(rules.get("else", True), value, root) and (
        accepts(rules.get("then", True), value, root) or _refuses(condition, value, root)
    )


def _refuses(rules: Any, value: object, root: Rules) -> bool:
    """True only if `value` breaks the rules for sure."""
    if isinstance(rules, bool):
        return not rules
    plain = {"required", "type", "pattern", "minProperties", "minLength", "minimum", "maximum"}
    return any(
        (name in plain and not _keeps(name, rules, value, root))
        or (name == "properties" and _refuses_one(rules[name], value, root))
        or (name == "const" and isinstance(rules[name], str) and rules[name] != value)
        or (name == "enum" and all(isinstance(i, str) and i != value for i in rules[name]))
        or (name == "anyOf" and all(_refuses(one, value, root) for one in rules[name]))
        or (name == "allOf" and any(_refuses(one, value, root) for one in rules[name]))
        or (name == "not" and accepts(rules[name], value, root))
        for name in rules
    )


def _refuses_one(known: Rules, value: object, root: Rules) -> bool:
    return isinstance(value, dict) and any(
        _refuses(known[key], item, root) for key, item in value.items() if key in known
    )


def _reference(where: str, value: object, _: Rules, root: Rules) -> bool:
    found: Any = root
    for part in where.removeprefix("#/").split("/"):
        found = found[part]
    return where.startswith("#/") and accepts(found, value, root)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _size(value: object, kind: type[Any] | tuple[type[Any], ...]) -> int | None:
    return len(value) if isinstance(value, kind) else None


def _number(value: object) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _least(kind: Any) -> Callable[..., bool]:
    return lambda n, v, *_: (size := _size(v, kind)) is None or size >= n


_CHECKS: Final[Mapping[str, Callable[..., bool]]] = {
    "type": _is_type,
    "enum": lambda items, v, *_: any(_same(item, v) for item in items),
    "const": lambda item, v, *_: _same(item, v),
    "pattern": lambda p, v, *_: not isinstance(v, str) or bool(_compiled(p).search(v)),
    "minLength": _least(str),
    "maxLength": lambda n, v, *_: not isinstance(v, str) or len(v) <= n,
    "minItems": _least(list),
    "minProperties": _least(dict),
    "minimum": lambda n, v, *_: (number := _number(v)) is None or number >= n,
    "maximum": lambda n, v, *_: (number := _number(v)) is None or number <= n,
    "uniqueItems": lambda wanted, v, *_: (
        not (wanted and isinstance(v, list))
        or (all(isinstance(item, str) for item in v) and len(set(v)) == len(v))
        or len(v) < 2
    ),
    "required": lambda names, v, *_: not isinstance(v, dict) or all(n in v for n in names),
    "properties": _properties,
    "additionalProperties": _others,
    "propertyNames": _names,
    "items": lambda rules, v, _, root: (
        not isinstance(v, list) or all(accepts(rules, item, root) for item in v)
    ),
    "allOf": lambda all_, v, _, root: all(accepts(one, v, root) for one in all_),
    "anyOf": lambda any_, v, _, root: any(accepts(one, v, root) for one in any_),
    "not": lambda rules, v, _, root: _refuses(rules, v, root),
    "if": _condition,
    "$ref": _reference,
}
