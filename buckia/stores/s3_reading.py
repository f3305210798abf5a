"""The bytes of one version, large ones in parts that come at the same time.

Each part is asked for under the condition that the version is still the same, so parts of two are
never mixed, and they are given in their order. Where one does not come, the rest comes as a single
stream, which is asked for as patiently as any.
"""

from __future__ import annotations

from io import BytesIO
from itertools import chain
from typing import BinaryIO, Final

from buckia.model import Entry
from buckia.stores import s3_signed
from buckia.stores.download import Body, Download
from buckia.stores.meter import Meter
from buckia.stores.s3_carriers import Obstore, carrier_for, carriers_for, is_rewritten
from buckia.stores.s3_errors import BORDER, FAILURES, persist
from buckia.stores.s3_session import S3Session

SMALL: Final = 256 * 1024
"""Bytes that come with one answer."""


def read(session: S3Session, full: str, entry: Entry, version: str, place: str) -> BinaryIO:
    """A stream of one version. `full` is its key in the bucket, `entry` tells how large it is."""

    def fetch(offset: int) -> tuple[int, Body]:
        carriers = carriers_for(session, full)
        return persist(lambda: next(carriers).get(full, version, offset), place)

    if _is_small(session, full, entry):
        data = persist(lambda: s3_signed.get(session, full, version), place)
        session.traffic.received(len(data))
        return BytesIO(data)
    size, first = _in_parts(session, full, entry, version) or fetch(0)
    rest = Download(lambda at: fetch(at)[1], place, size, BORDER, session.traffic, Meter(()))
    return rest.opened(first)


def _is_small(session: S3Session, full: str, entry: Entry) -> bool:
    """Whether a version comes with one answer, which costs less than a stream."""
    plain = not (is_rewritten(full) or session.options.acceleration)
    most = min(SMALL, session.options.part_size)
    return entry.size <= most and plain and not session.traffic.slows_downloads


def _in_parts(session: S3Session, full: str, entry: Entry, version: str) -> tuple[int, Body] | None:
    """The size of a large version and its bytes; None where one stream is as good, or where the
    first part does not come. The others are asked for once each, and may fail as any stream."""
    step, carrier = session.options.part_size, carrier_for(session, full)
    large = entry.size > max(step, session.options.multipart_threshold)
    if not (large and isinstance(carrier, Obstore)) or session.traffic.slows_downloads:
        return None
    try:
        size, first = carrier.get_part(full, version, 0, step)
    except FAILURES:
        return None
    parts = session.crew.in_order(
        lambda at: carrier.get_part(full, version, at, at + step)[1], range(step, size, step)
    )
    return size, Body(chain((first,), parts), parts.close)
