"""A listing in parallel: key ranges, cut where keys are known to be, each listed by itself.

The ranges tile the keys whatever is known: each begins after the last key of the one before it, the
first at the beginning, and the last has no end. So a wrong guess costs requests and nothing else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from buckia import pool
from buckia.model import Entry
from buckia.stores.s3_listing import Elsewhere, Listed, as_bytes, before, list_pages
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


class Span(Struct, frozen=True):
    """Keys that lie so close together that one page should tell of them all, and how many objects
    that are."""

    keys: list[str]
    objects: int


def gather(keys: Iterable[str], known: Sequence[str], page: int) -> list[Span]:
    """Keys that are asked for, those together that lie within a page, as far as is `known`, which
    ascends. Where only a few do they are left out.

    New keys may all be there or none of them: what lies between two known ones is one span.
    """
    reach = max(1, int(page * _FILL))
    found: list[tuple[list[str], int]] = []
    first = new = 0
    for key in sorted(keys, key=as_bytes):
        at = bisect_left(known, key)
        fresh = known[at : at + 1] != [key]
        if not found or at - first >= reach:
            found.append(([], 0))
            first, new = at, 0
        new += fresh
        group = found[-1][0]
        group.append(key)
        found[-1] = group, at - first + new + 1
    return [Span(group, objects) for group, objects in found if len(group) > _ALONE]


_ALONE: Final = 2
"""Keys that are looked at one by one, where no more are on a page."""

_SPARE: Final = 16
"""Objects more on a page than it should need, so that it need not have a second one."""


def list_spans(session: S3Session, prefix: str, spans: Sequence[Span]) -> dict[str, Listed | None]:
    """What listings tell of all keys of these spans below `prefix`; None where nothing is.

    Each span is listed from its first key to its last, however many pages that takes. Nothing where
    a service does not begin a listing where it is told.
    """
    page = session.options.page_size
    found: dict[str, Listed | None] = {}

    def look(span: Span) -> dict[str, Listed | None]:
        told: dict[str, Listed | None] = dict.fromkeys(span.keys)
        ends = Range(before(span.keys[0]), as_bytes(span.keys[-1]))
        most = min(page, int(span.objects / _FILL) + _SPARE)
        for objects in _list_range(session, prefix, ends, most):
            told |= {item[0]: item for item in objects if item[0] in told}
        return told

    try:
        for told in pool.each(look, spans, workers=session.options.workers, name="list"):
            for some in told:
                found |= some
    except Elsewhere:
        return {}
    session.classes.see(found)
    return found


def _list_range(
    session: S3Session, prefix: str, span: Range, most: int | None = None
) -> Iterator[Sequence[Listed]]:
    for page in list_pages(session, prefix, span.after, most):
        until = span.until
        if until is not None and page and as_bytes(page[-1][0]) > until:
            yield [item for item in page if as_bytes(item[0]) <= until]
            return
        yield page
