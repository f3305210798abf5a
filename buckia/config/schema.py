"""The judge of configurations: `config.schema.json`, with findings worded for people.

Secrets never reach a message: of an option in `SECRETS` only the kind of value is told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from buckia.config.acceptance import accepts
from buckia.documents import schema

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SECRETS: Final = frozenset({"api_key", "storage_api_key", "password", "token_key", "credentials"})
"""Options whose values are never shown, logged or written."""

API_ONLY: Final = {"include_pattern": "include", "exclude_pattern": "exclude"}
"""Options of the Python API, and the ones that take their place in a file."""

Path = tuple[str | int, ...]
"""Where a value stands: keys and list indexes from the outside in."""

_KINDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


class Problem(Struct, frozen=True):
    """One thing wrong. `on_key` is True where the name is at fault and not its value."""

    path: Path
    message: str
    on_key: bool = False


Describe = Callable[[Path, object, bool], str]
"""How a found value is told: its path, itself, and whether text was wanted there."""


def options() -> dict[str, dict[str, Any]]:
    """Every option of a bucket and its schema, in the order of the reference page."""
    properties: dict[str, dict[str, Any]] = schema("config")["$defs"]["options"]["properties"]
    return {
        name: schema("config")["$defs"]["limits"] if "$ref" in value else value
        for name, value in properties.items()
    }


def describe(path: Path, value: object, text: bool) -> str:
    """A value as an error shows it: short, on one line, and never a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return ("a" if value else "an empty") + (" mapping" if isinstance(value, dict) else " list")
    if not SECRETS.isdisjoint(path):
        return "text" if isinstance(value, str) else "a value that is not text"
    if not isinstance(value, str | bool | int | float):
        return f"a value of type {type(value).__name__}"
    shown = one_line(json.dumps(value, ensure_ascii=False))
    return shown if len(shown) <= 60 else f"{shown[:56]}...{shown[-1]}"


def problems(data: Any, part: str = "", tell: Describe = describe) -> list[Problem]:
    """Everything wrong with a configuration; with `part`, such as "bucket", with that part of one.

    `data` is what JSON can hold. The order is that of the data, an outer problem before an inner.
    """
    hidden = list(_unprintable(data, ()))
    if not hidden and accepts(_rules(part), data, schema("config")):
        return []
    told = {problem.path for problem in hidden}
    judged = (one for error in _validator(part).iter_errors(data) for one in _word(error, tell))
    return list(dict.fromkeys([*hidden, *(one for one in judged if one.path not in told)]))


@cache
def _validator(part: str) -> Validator:
    from jsonschema import Draft202012Validator  # loaded late: costs more than the rest of buckia

    return Draft202012Validator(_rules(part))


@cache
def _rules(part: str) -> dict[str, Any]:
    whole = schema("config")
    return {**whole["$defs"][part], "$defs": whole["$defs"]} if part else whole


def _unprintable(value: object, path: Path) -> Iterator[Problem]:
    """Text that would break a line of the plan or a terminal; no option has a use for it."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                yield Problem((*path, str(name)), "the name is not text", on_key=True)
                continue
            if _hidden(name):
                yield Problem((*path, name), f"the name {_HIDDEN}", on_key=True)
            yield from _unprintable(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unprintable(item, (*path, index))
    elif isinstance(value, str) and _hidden(value):
        yield Problem(path, f"{describe(path, value, True)} {_HIDDEN}")


_HIDDEN: Final = "holds a line break or another control character"


def _hidden(text: str) -> bool:
    return any(
        ord(char) < 32 or 127 <= ord(char) < 160 or 0xD800 <= ord(char) < 0xE000 for char in text
    )


def _word(error: Any, tell: Describe) -> Iterator[Problem]:
    """A validator's error in the words of a person, one for each name or value at fault."""
    path: Path = tuple(error.absolute_path)
    if on_key := "propertyNames" in list(error.schema_path)[-2:]:
        path = (*path, error.instance)
    match error.validator:
        case "additionalProperties":
            known = error.schema.get("properties", {})
            for name in error.instance.keys() - known.keys():
                yield Problem((*path, name), _unknown(name, known), on_key=True)
        case "required":
            for name in error.validator_value:
                if name not in error.instance:
                    yield Problem(path, f"`{name}` is missing", on_key=True)
        case "anyOf" | "not":
            yield Problem(path, error.schema["errorMessage"], on_key=True)
        case "type" if path[-1:] and path[-1] in options() and _is_bucket(error.schema):
            yield Problem(
                path, "is an option of a bucket: put it below a bucket's name", on_key=True
            )
        case _:
            found = tell(path, error.instance, "string" in error.schema.get("type", ()))
            message = f"found {found}, allowed: {_allowed(error)}{_near(error)}"
            yield Problem(path, message, on_key)


def _is_bucket(rules: Any) -> bool:
    return "provider" in rules.get("properties", {})


def _unknown(name: str, known: Iterable[str]) -> str:
    if name in API_ONLY:
        return f"is for the Python API; in a file use `{API_ONLY[name]}`"
    return "unknown option" + (suggest(name, known) or f"; allowed: {', '.join(known)}")


def _near(error: Any) -> str:
    if error.validator != "enum" or not isinstance(error.instance, str):
        return ""
    return suggest(
        error.instance, [item for item in error.validator_value if isinstance(item, str)]
    )


def _allowed(error: Any) -> str:
    rules = error.schema
    match error.validator:
        case "type":
            kinds = error.validator_value
            names = [kinds] if isinstance(kinds, str) else kinds
            return " or ".join(_KINDS[name] for name in names)
        case "enum" if "errorMessage" not in rules:
            return ", ".join(i if isinstance(i, str) else json.dumps(i) for i in rules["enum"])
        case "minimum" | "maximum":
            return f"{rules['minimum']} " + (
                f"to {most}" if (most := rules.get("maximum")) else "or more"
            )
        case "minItems" | "minLength":
            return "at least one entry" if error.validator == "minItems" else "text"
        case "uniqueItems":
            return "each value once"
    return str(rules.get("errorMessage", error.message))


def one_line(text: str) -> str:
    """A text in which nothing hides and nothing breaks the line: such characters as `\\uXXXX`."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def dotted(path: Path) -> str:
    """A path as people write it: `paths[0].prefix`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).lstrip(".")


def suggest(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` when a known name is near, else nothing."""
    near = get_close_matches(name, list(known), 1)
    return f"; did you mean `{near[0]}`?" if near else ""
