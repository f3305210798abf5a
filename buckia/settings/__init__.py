"""Settings of buckets: what can be declared, when two documents are one, how they are told. Pure.

A setting has a name and a document, which is plain data in the shape of `.buckia`. Documents are
kept canonical, so that two that mean the same are equal; None is a setting that is absent.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from buckia.model import Content, Value
from buckia.settings.b2 import B2
from buckia.settings.bunny import BUNNY
from buckia.settings.kind import Complaint, Kind, Kinds
from buckia.settings.s3 import LINODE, S3
from buckia.settings.s3_policy import opens
from buckia.settings.text import lines

ABSENT: Final = "absent"
"""Declared for a setting that is to be removed where it is found."""

KINDS: Final[Mapping[str, Kinds]] = {"s3": S3, "linode": LINODE, "b2": B2, "bunny": BUNNY}
"""The settings of every provider that has some."""


def kind_of(provider: str, name: str) -> Kind | None:
    """What there is to know about a setting; None where the provider has no such thing."""
    kinds = KINDS.get(provider, {})
    family, slash, _ = name.partition("/")
    kind = kinds.get(family)
    return kind if kind is not None and kind.family == bool(slash) else None


def declared(provider: str, said: Mapping[str, Any]) -> dict[str, Value | None]:
    """The settings that a bucket declares, by name, canonical. What the schema has passed."""
    found: dict[str, Value | None] = {}
    for name, value in said.items():
        kind = KINDS[provider][name]
        parts = {f"{name}/{one}": it for one, it in value.items()} if kind.family else {name: value}
        found |= {key: None if it == ABSENT else kind.canonical(it) for key, it in parts.items()}
    return dict(sorted(found.items()))


def nested(documents: Mapping[str, Value | None]) -> dict[str, Any]:
    """Settings as they are declared: the inverse of `declared`."""
    said: dict[str, Any] = {}
    for name, document in documents.items():
        family, slash, one = name.partition("/")
        value = ABSENT if document is None else document
        if slash:
            said.setdefault(family, {})[one] = value
        else:
            said[name] = value
    return said


def complaints(provider: str, said: Mapping[str, Any]) -> Iterator[Complaint]:
    """What is wrong with declared settings that the schema has passed."""
    kinds = KINDS.get(provider, {})
    for name, value in said.items():
        kind = kinds.get(name)
        if kind is None:
            yield (name,), f"`{provider}` has no such setting; it has {', '.join(kinds)}"
        elif value == ABSENT and not kind.removable:
            yield (name,), "cannot be absent; say which value it is to have"
        elif value != ABSENT and not (name == "policy" and isinstance(value, str)):
            yield from (((name, *where), why) for where, why in kind.complain(value))


def rank(name: str, then: Value | None) -> int:
    """When a setting is set, among those of its bucket: what closes a bucket comes first, then what
    the others depend on, then what opens it."""
    if name == "acl":
        return 0 if then == "private" else 2
    if name == "policy":
        return 2 if opens(then) else 0
    if name in ("public_access_block", "ownership"):
        return 2 if then == "bucket_owner_enforced" else 1
    return 2


LAST: Final = 2
"""The highest rank."""


def content(document: Value | None) -> Content | None:
    """A document as a plan names it: by size and digest."""
    if document is None:
        return None
    data = msgspec.json.encode(document, order="sorted")
    return Content(len(data), sha256=hashlib.sha256(data).hexdigest())


def differences(name: str, now: Value | None, then: Value | None) -> tuple[str, ...]:
    """What becomes different, in lines of YAML that begin with `+`, `-` or a space."""
    before, after = ([] if side is None else lines({name: side}) for side in (now, then))
    found = list(difflib.unified_diff(before, after, n=2, lineterm=""))[3:]  # without its head
    return tuple("  ..." if line.startswith("@@") else f"{line[0]} {line[1:]}" for line in found)


def names(provider: str) -> Iterable[str]:
    """The settings of a provider, families by their own name."""
    return KINDS.get(provider, {})
