"""Keys looked at together right before they are copied or deleted: one page of a listing tells of
all that lie close, where each would be asked for by itself.

It is the same look, then write. What a page told counts for the thread that asked, until its work
on these keys ends, `LASTING` seconds at the most, and only until somebody here writes the key. Of
what is left by then, where a service is far away, another page is asked for.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from buckia.errors import BuckiaError
from buckia.model import Entry
from buckia.stores.base import Use
from buckia.stores.s3_listing import as_bytes, before, entry_of, list_page
from buckia.stores.s3_session import S3Session

LASTING: Final = 2.0
"""Seconds after which a key is looked at anew."""

WORTH: Final = 12
"""Looks that cost a Ceph gateway as much as a page, which asks every shard of a bucket's index."""

_CREDIT: Final = 2 * WORTH
"""How much more pages may have cost than they spared, before keys are looked at one by one."""


class _Seen(NamedTuple):
    """Until when it counts, for what, and what was at a key."""

    until: float
    use: Use
    held: Entry | None

    @property
    def counts(self) -> bool:
        """Whether it is new enough to act on."""
        return time.monotonic() < self.until


_Told = dict[str, _Seen]
"""What a page told, by key."""


class Looks:
    """What pages told of one bucket's keys, which are the bucket's own here. For many threads."""

    def __init__(self, session: S3Session) -> None:
        self._session = session
        self._told: dict[int, _Told] = {}
        self._spared: Counter[Use] = Counter()

    @contextmanager
    def over(self, uses: Mapping[Use, Collection[str]]) -> Iterator[None]:
        """Know, until this ends, what is at these keys now: those of each use lie together."""
        mine = threading.get_ident()
        told = self._told[mine] = {}
        try:
            for use, keys in uses.items():
                self._see(told, use, set(keys).difference(told))
            yield
        finally:
            self._told.pop(mine, None)

    def _see(self, told: _Told, use: Use, keys: Collection[str]) -> None:
        """Have a page tell of these keys, where one is worth it."""
        rest = self._wanted(use, keys)
        if len(rest) >= WORTH and self._spared[use] >= -_CREDIT:
            found = self._ask(use, rest)
            self._spared[use] += len(found) - WORTH
            told.update(found)

    def _wanted(self, use: Use, keys: Collection[str]) -> list[str]:
        """Keys in order, without those that have to be looked at all the same, for their class."""
        classes = self._session.classes
        known = (key for key in keys if use is not Use.READ or classes.of(key) is not None)
        return sorted(known, key=as_bytes)

    def tell(self, key: str, alone: Callable[[], Entry | None]) -> Entry | None:
        """What is at a key, as a page told this thread right before; else as `alone` tells."""
        told = self._told.get(threading.get_ident(), {})
        seen = told.get(key)
        if seen and not seen.counts:
            self._see_again(told, seen.use)
            seen = told.get(key)
        return seen.held if seen else alone()

    def _see_again(self, told: _Told, use: Use) -> None:
        """Have a page tell of what is left and counts no more."""
        late = [key for key, seen in list(told.items()) if seen.use is use and not seen.counts]
        for key in late:
            told.pop(key, None)
        self._see(told, use, late)

    def forget(self, key: str) -> None:
        """Whatever was told of a key may be so no more: for every thread."""
        for told in list(self._told.values()):
            told.pop(key, None)

    def _ask(self, use: Use, keys: Sequence[str]) -> _Told:
        """What one page tells of keys in order: nothing of those that it does not reach, and none
        where it is in doubt, since a look at one key tells what is wrong."""
        until = time.monotonic() + LASTING
        after = before(keys[0])
        with suppress(BuckiaError, ValueError):
            prefix = self._session.options.prefix
            page = list_page(self._session, prefix, after, 2 * len(keys))
            held = {item[0]: entry_of(item[0], item, md5_etags=False) for item in page.objects}
            last = as_bytes(page.objects[-1][0]) if page.objects else after
            reach = None if page.following is None else last
            found = {
                key: _Seen(until, use, held.get(key))
                for key in keys
                if reach is None or as_bytes(key) <= reach
            }
            return {key: seen for key, seen in found.items() if seen.counts}
        return {}
