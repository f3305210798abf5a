"""What a bucket of B2 still holds of what was overwritten or hidden."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import Any, Final

from buckia.errors import StoreError
from buckia.model import Entry, replace, same_content
from buckia.stores.b2_errors import persist
from buckia.stores.b2_listing import entry_of
from buckia.stores.b2_session import Account

_UNDER_WAY: Final = "start"


def past_versions(account: Account, prefix: str) -> Iterator[Entry]:
    """Every version below `prefix` that is not the current one, by whole name, the newest first.

    An entry's version is its file id, `modified` the time of what came after it. Each thousand
    versions are one request of class C.
    """
    place = f"versions of {account.place}"
    account.need("listFiles", prefix)
    for _, group in itertools.groupby(_versions(account, prefix, place), itemgetter("fileName")):
        for newer, version in itertools.pairwise(group):
            if version["action"] == "upload" and not _is_same(newer, version, place):
                moment = int(newer["uploadTimestamp"]) * 1_000_000
                yield replace(entry_of(version, place), modified=moment)


def _is_same(newer: dict[str, Any], version: dict[str, Any], place: str) -> bool:
    """Whether a version holds the bytes of the one after it."""
    if newer["action"] == "hide":
        return False
    return same_content(entry_of(newer, place), entry_of(version, place)) is True


def _versions(account: Account, prefix: str, place: str) -> Iterator[dict[str, Any]]:
    """Versions and hide markers by name, the newest first, as the service lists them."""
    name = file_id = None
    seen: set[object] = set()
    while True:
        ask = account.session.list_file_versions
        step = partial(ask, account.bucket_id, name, file_id, account.options.page_size, prefix)
        page = persist(step, place)
        account.traffic.listed(len(page["files"]))
        for item in page["files"]:
            if item["action"] != _UNDER_WAY:
                yield item
        name, file_id = page.get("nextFileName"), page.get("nextFileId")
        if name is None:
            return
        if (name, file_id) in seen:
            raise StoreError(
                f"{place}: the service repeats itself; nothing was used; look for a proxy"
            )
        seen.add((name, file_id))
