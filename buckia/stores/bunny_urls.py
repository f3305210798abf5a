"""Signed URLs of a pull zone with token authentication (Bunny, "Token authentication: advanced").

Pure: the zone's security key and a time go in, a URL comes out. No request is made.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from msgspec import Struct

from buckia.errors import UsageError

_BY_PREFIX: Final = (1 << 64) - 1
"""The half of an IPv6 address that is not signed: a provider's customer keeps the other one."""


class Grant(Struct, frozen=True, kw_only=True):
    """What a signed URL allows.

    expires       seconds since 1970 until which it does
    folder        everything below this path, which ends in `/`; None: just the URL's own path
    ip            only this client
    countries     only from these countries, by their ISO 3166 codes
    blocked       not from these countries
    limit         most kB/s of the download
    ignore_query  other query parameters may be added, and those of the URL are dropped
    """

    expires: int
    folder: str | None = None
    ip: str | None = None
    countries: Sequence[str] = ()
    blocked: Sequence[str] = ()
    limit: int | None = None
    ignore_query: bool = False


def sign_url(
    url: str, key: str, grant: Grant, *, in_path: bool = False, older: bool = False
) -> str:
    """The URL with a token for what is granted. `key` is the pull zone's security key.

    With `in_path` the token is part of the path, so that relative links below it carry it along.
    With `older` it is made as before there was HMAC, a plain SHA-256, which cannot name a client.
    Raises `UsageError` for a grant that Bunny could not check.
    """
    parts = urlsplit(url)
    signed = _parameters(parts, grant)
    make = _older_token if older else _token
    token = make(grant.folder or unquote(parts.path), key, grant, signed)
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in signed)
    tail = f"{token}{'&' if query else ''}{query}&expires={grant.expires}"
    site = f"{parts.scheme}://{parts.netloc}"
    if in_path:
        return f"{site}/bcdn_token={tail}{parts.path}"
    return f"{site}{parts.path}?token={tail}"


def _parameters(parts: SplitResult, grant: Grant) -> list[tuple[str, str]]:
    """Everything beside the path that the token covers, sorted by name."""
    found = parse_qsl(parts.query, keep_blank_values=True)
    if len({name for name, _ in found}) < len(found):
        raise UsageError("a query parameter that is there twice cannot be signed; name it once")
    limits = {
        "token_countries": ",".join(grant.countries),
        "token_countries_blocked": ",".join(grant.blocked),
        "limit": str(grant.limit or ""),
    }
    if grant.ignore_query:
        if any(limits.values()):
            raise UsageError(
                "`ignore_query` lets countries and limits be left out as well; leave it out"
            )
        found = [("token_ignore_params", "true")]
    told = dict(found) | {name: value for name, value in limits.items() if value}
    if grant.folder:
        told["token_path"] = grant.folder
    return sorted(told.items())


def _token(path: str, key: str, grant: Grant, signed: list[tuple[str, str]]) -> str:
    """The proof. The edge compares paths decoded, so that is how they are signed."""
    values = "&".join(f"{name}={value}" for name, value in signed)
    address = _packed(grant.ip) if grant.ip else b""
    message = f"{path}{grant.expires}".encode() + address + values.encode()
    digest = hmac.new(key.encode(), message, hashlib.sha256).digest()
    return f"HS256-{'1-' if address else ''}{_text(digest)}"


def _older_token(path: str, key: str, grant: Grant, signed: list[tuple[str, str]]) -> str:
    if grant.ip:
        raise UsageError(
            "the older form of a signed URL cannot be for one client only; leave `ip` out"
        )
    values = "&".join(f"{name}={value}" for name, value in signed)
    return _text(hashlib.sha256(f"{key}{path}{grant.expires}{values}".encode()).digest())


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _packed(ip: str) -> bytes:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        raise UsageError(f"{ip}: not an IP address; give one") from None
    if address.version == 4:
        return address.packed
    return (int(address) & ~_BY_PREFIX).to_bytes(16, "big")
