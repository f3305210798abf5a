"""The bytes of one version, held against the SHA-1 that the service keeps of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from urllib3.exceptions import HTTPError

from buckia.errors import IntegrityError
from buckia.model import Entry
from buckia.stores.b2_errors import BORDER
from buckia.stores.download import CHUNK, Body, Download
from buckia.stores.meter import Meter
from buckia.stores.traffic import Traffic

if TYPE_CHECKING:
    from requests import Response


def read_version(
    response: Response,
    again: Callable[[int], Response],
    held: Entry,
    place: str,
    traffic: Traffic,
) -> BinaryIO:
    """The body of a download. `again` asks for the rest of the same version from an offset on."""
    meter = Meter({"sha1"} if held.sha1 else ())

    def prove() -> None:
        if meter.digests != ({"sha1": held.sha1} if held.sha1 else {}):
            raise IntegrityError(f"{place}: the service sent other bytes; try again")

    return Download(
        lambda offset: _receive(again(offset)),
        place,
        held.size,
        BORDER,
        traffic,
        meter,
        prove,
        broken=(HTTPError, OSError),
    ).opened(_receive(response))


def _receive(response: Response) -> Body:
    """The bytes as they are stored: never decompressed."""
    return Body(response.raw.stream(CHUNK, decode_content=False), response.close)
