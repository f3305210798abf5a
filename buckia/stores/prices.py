"""What requests cost where their prices are public: rows of data, with source and date.

Requests alone: storage and transfer depend on months and on contracts. Free allowances are not
taken off, since nobody knows here what else the account has used.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from buckia.stores.usage import Kind, Usage


class Class(Struct, frozen=True):
    """One class of requests on a bill: its name, US dollars for 1,000, and which requests it is."""

    name: str
    usd: float
    kinds: frozenset[Kind]


class Tariff(Struct, frozen=True):
    """One provider's price list, where it stands and of when it is."""

    name: str
    classes: tuple[Class, ...]
    source: str
    date: str


TARIFFS: Final = (
    Tariff(
        "aws",
        (
            Class("PUT", 0.005, frozenset({Kind.LIST, Kind.WRITE, Kind.COPY})),
            Class("GET", 0.0004, frozenset({Kind.LOOK, Kind.READ, Kind.SETTINGS})),
            Class("DELETE", 0.0, frozenset({Kind.DELETE})),
        ),
        "aws.amazon.com/s3/pricing, S3 Standard in us-east-1",
        "2026-11",
    ),
    Tariff(
        "b2",
        (
            Class("A", 0.0, frozenset({Kind.WRITE, Kind.DELETE})),
            Class("B", 0.0004, frozenset({Kind.LOOK, Kind.READ})),
            Class("C", 0.004, frozenset({Kind.LIST, Kind.COPY, Kind.SETTINGS})),
        ),
        "backblaze.com/b2/b2-transactions-price.html; 2,500 a day of B and of C are free",
        "2026-11",
    ),
    Tariff(
        "bunny",
        (Class("API", 0.0, frozenset(Kind)),),
        "docs.bunny.net/storage/pricing: no API fees",
        "2026-11",
    ),
)
"""Linode has none: it names requests as a component of the price, and no rates."""


def find_tariff(name: str) -> Tariff | None:
    """The price list of that name; None where no prices are public."""
    return next((tariff for tariff in TARIFFS if tariff.name == name), None)


def billed(tariff: Tariff, usage: Usage) -> dict[str, int]:
    """How many requests of each billing class there were; a listing counts by its pages."""
    counts = {**usage.requests, Kind.LIST: usage.pages}
    return {c.name: sum(counts.get(kind, 0) for kind in c.kinds) for c in tariff.classes}


def cost(tariff: Tariff, usage: Usage) -> float:
    """What the requests cost at most, in US dollars."""
    counts = billed(tariff, usage)
    return sum(c.usd * counts[c.name] for c in tariff.classes) / 1000
