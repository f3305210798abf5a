"""A listing in parallel: key ranges, cut where keys are known to be, each listed by itself.

The ranges tile the keys whatever is known: each begins after the last key of the one before it, the
first at the beginning, and the last has no end. So a wrong guess costs requests and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from buckia import pool
from buckia.model import Entry
from buckia.stores.s3_listing import Elsewhere, Listed, as_bytes, list_pages
from buckia.stores.s3_session import S3Session

_FILL: Final = 0.9
"""How full pages are expected to be: the rest is for keys that are new."""

_EACH: Final = 2
"""Ranges for each worker, so that one that has grown does not keep all waiting."""


class Range(Struct, frozen=True):
    """The keys after `after` up to `until`, which belongs to it; None: no end."""

    after: bytes
    until: bytes | None


def cut(known: Sequence[str], page: int, workers: int) -> list[Range]:
    """Ranges that tile all keys, of as many known ones each as fill some pages.

    `known` ascends by bytes. One range where there is too little to share.
    """
    step = max(1, int(page * _FILL))
    pages = -(-len(known) // step)
    step *= max(1, -(-pages // (_EACH * workers)))
    raw = map(as_bytes, known[step - 1 : -1 : step])
    ends = sorted(set(raw))
    return [Range(after, until) for after, until in zip([b"", *ends], [*ends, None], strict=True)]


def list_ranges(
    session: S3Session,
    prefix: str,
    known: Iterable[str],
    read: Callable[[Sequence[Listed]], list[Entry]],
) -> Iterator[Entry]:
    """Every object below `prefix`, in order, as `read` makes entries of it; complete, or it raises.

    `known` are keys that may be there. A service that does not begin a listing where it is told is
    listed from the beginning to the end.
    """
    ordered = sorted(key for key in known if key.startswith(prefix)) if prefix else sorted(known)
    workers = session.options.workers
    ranges = cut(ordered, session.options.page_size, workers)
    found: dict[int, list[Entry]] = {}

    def whole(number: int) -> None:
        pages = _list_range(session, prefix, ranges[number])
        found[number] = [entry for page in pages for entry in read(page)]

    try:
        if len(ranges) > 1:
            for _ in pool.each(whole, range(len(ranges)), workers=workers, name="list"):
                pass
    except Elsewhere:
        found.clear()
    if found:
        for number in range(len(ranges)):
            yield from found.pop(number)
    else:
        for page in list_pages(session, prefix):
            yield from read(page)


def _list_range(session: S3Session, prefix: str, span: Range) -> Iterator[Sequence[Listed]]:
    for page in list_pages(session, prefix, span.after):
        until = span.until
        if until is not None and page and as_bytes(page[-1][0]) > until:
            yield [item for item in page if as_bytes(item[0]) <= until]
            return
        yield page
