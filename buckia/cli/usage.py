"""What a command asked of its buckets, in one line: requests, bytes, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable

from buckia import text
from buckia.stores import prices
from buckia.stores.traffic import Traffic
from buckia.stores.usage import NOTHING


def line(traffic: Iterable[Traffic]) -> str | None:
    """`Requests: 2 list, 12 write; 4.2 MB up; about $0.0001.` None where nothing was asked."""
    busy = [one for one in traffic if one.usage.requests]
    used = sum((one.usage for one in busy), NOTHING)
    if not busy:
        return None
    asked = ", ".join(f"{count:,} {kind}" for kind, count in used.requests.items())
    bytes_ = [(used.sent, "up"), (used.received, "down")]
    parts = [
        asked,
        f"{used.retries:,} sent again" if used.retries else "",
        f"told {text.count_of(used.throttled, 'time')} to slow down" if used.throttled else "",
        ", ".join(f"{text.size(size)} {way}" for size, way in bytes_ if size),
        _cost(busy),
    ]
    return f"Requests: {'; '.join(part for part in parts if part)}."


def _cost(busy: Iterable[Traffic]) -> str:
    """What the requests cost where prices are public; of other services nothing is said."""
    known = [(tariff, one.usage) for one in busy if (tariff := prices.find_tariff(one.tariff))]
    total = sum(prices.cost(tariff, usage) for tariff, usage in known)
    return dollars(total) if known else ""


def dollars(amount: float) -> str:
    """`about $0.0042`, `about $12.30`, `no charge`."""
    if not amount:
        return "no charge"
    if amount < 0.0001:
        return "less than $0.0001"
    return f"about ${amount:.4f}" if amount < 0.01 else f"about ${amount:.2f}"
