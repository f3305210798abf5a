"""What there is to know about one setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from buckia.model import Value

Complaint = tuple[tuple[str | int, ...], str]
"""Where in a declared setting something is wrong, and what."""


def _same(value: Any) -> Any:
    return value


def _no_complaints(said: Any) -> Iterator[Complaint]:
    yield from ()


class Kind(Struct, frozen=True):
    """One setting of a provider.

    canonical  the one spelling of what is declared; what means the same becomes equal
    read       the document behind what the service tells, canonical; None: there is none
    write      a document as the service wants it
    removable  it can be absent
    usual      what it is where nobody ever said anything
    partial    what is declared is a part: the rest of the service's document is nobody's concern
    family     declared as a mapping of names, each of which is a setting of its own
    complain   what is wrong with a declared value that the schema has passed
    """

    canonical: Callable[[Any], Value] = _same
    read: Callable[[Any], Value | None] = _same
    write: Callable[[Any], Any] = _same
    removable: bool = True
    usual: Value | None = None
    partial: bool = False
    family: bool = False
    complain: Callable[[Any], Iterator[Complaint]] = _no_complaints


Kinds = Mapping[str, Kind]
"""The settings of a provider by name."""
