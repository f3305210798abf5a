"""Two spellings of one document: ours, in snake_case and without what goes without saying, and a
service's. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Field(Struct, frozen=True):
    """One part of a document and what the service calls it.

    default    what it is where nothing is said; it is left out then
    inner      the shape of what it holds: of each item, where it is a list
    unordered  a list in which order and repetition mean nothing
    words      the values it can have, ours to the service's; others stay as they are
    """

    ours: str
    theirs: str
    default: Any = None
    inner: Shape | None = None
    unordered: bool = False
    words: Mapping[str, Any] | None = None

    def canonical(self, said: Any) -> Any:
        """The one spelling of what was said."""
        if self.inner is not None:
            return _each(self.inner.canonical, said)
        if isinstance(said, dict):
            return dict(sorted(said.items()))
        return unique(said) if self.unordered else said

    def read(self, told: Any) -> Any:
        """What the service tells, in our words."""
        if self.inner is not None:
            return _each(self.inner.read, told)
        ours = {theirs: word for word, theirs in (self.words or {}).items()}
        return ours.get(told, told) if ours else unique(told) if self.unordered else told

    def write(self, value: Any) -> Any:
        """Our words as the service wants them."""
        if self.inner is not None:
            return _each(self.inner.write, value)
        return self.words.get(value, value) if self.words else value


class Shape(Struct, frozen=True):
    """A mapping of fields.

    What a service tells and no field knows is kept under the service's name, so that it is seen
    before it is overwritten; `closed` leaves it out, where a document is only a part of the whole.
    """

    fields: tuple[Field, ...]
    closed: bool = False

    def canonical(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Fields in their order, defaults left out."""
        known = {field.ours for field in self.fields}
        found = [
            (field.ours, field.canonical(said[field.ours]))
            for field in self.fields
            if said.get(field.ours) is not None
        ]
        defaults = {field.ours: field.default for field in self.fields}
        kept = {name: value for name, value in found if value != defaults[name]}
        return kept | {name: said[name] for name in sorted(said.keys() - known)}

    def read(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """The document behind what the service tells."""
        ours = {field.theirs: field for field in self.fields}
        said = {
            field.ours: field.read(told[theirs])
            for theirs, field in ours.items()
            if told.get(theirs) is not None
        }
        rest = {} if self.closed else {name: told[name] for name in told.keys() - ours.keys()}
        return self.canonical(said | {name: v for name, v in rest.items() if v not in _NOTHING})

    def write(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document as the service wants it; defaults are left to the service."""
        return {
            field.theirs: field.write(document[field.ours])
            for field in self.fields
            if field.ours in document
        }


_NOTHING: tuple[Any, ...] = (None, "", [], {})


def _each(function: Any, value: Any) -> Any:
    return [function(item) for item in value] if isinstance(value, list) else function(value)


def unique(items: Any) -> list[Any]:
    """The items of a list, or a single one, each once and in order."""
    every = items if isinstance(items, list) else [items]
    known = {json.dumps(item, sort_keys=True): item for item in every}
    return [known[text] for text in sorted(known)]
