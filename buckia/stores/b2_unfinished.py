"""Large files of B2 that were started and neither finished nor cancelled: parts are billed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from buckia.errors import AccessError, StoreError, UnavailableError
from buckia.model import Entry, replace
from buckia.stores.b2_errors import persist, shown
from buckia.stores.b2_session import Account

_PAGE: Final = 100
"""Large files asked for at once, the most there may be."""

_PARTS: Final = 1000
"""Parts asked for at once: as many as one request of class C costs."""


class B2Uploads:
    """See `Uploads`: what is below the store's prefix."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._prefix = account.options.prefix

    def begun(self) -> Iterator[Entry]:
        """By b2_list_unfinished_large_files: class C, for each hundred."""
        for upload in unfinished_uploads(self._account):
            yield replace(upload, key=upload.key.removeprefix(self._prefix))

    def weigh(self, upload: Entry) -> Entry | None:
        """By b2_list_parts: class C."""
        return weigh_upload(self._account, upload)

    def end(self, upload: Entry) -> None:
        """By b2_cancel_large_file."""
        self._account.need("writeFiles", self._prefix + upload.key)
        cancel_upload(self._account, upload)


def unfinished_uploads(account: Account, prefix: str | None = None) -> Iterator[Entry]:
    """Every unfinished large file below a prefix of the bucket, by default the store's own.

    An entry's version is the file id, `modified` when it was started; the size is not told.
    """
    wanted = account.options.prefix if prefix is None else prefix
    account.need("listFiles", wanted)
    start: str | None = None
    while True:
        found = persist(partial(_fetch, account, wanted, start), f"large files of {account.place}")
        for item in found["files"]:
            begun = item["uploadTimestamp"] * 1_000_000
            yield Entry(item["fileName"], 0, version=item["fileId"], modified=begun)
        if found.get("nextFileId") in (None, start):
            return
        start = found["nextFileId"]


def weigh_upload(account: Account, upload: Entry) -> Entry | None:
    """The upload with the size of its parts and the time of its newest: somebody may still send.

    None where it is not unfinished any more.
    """
    sizes, times = [0], [upload.modified or 0]
    start: int | None = 1
    while start:
        ask = partial(account.session.list_parts, upload.version, start, _PARTS)
        try:
            found: Any = persist(ask, _place(account, upload))
        except (AccessError, UnavailableError):
            raise
        except StoreError:
            return None
        sizes += [part["contentLength"] for part in found["parts"]]
        times += [part["uploadTimestamp"] * 1_000_000 for part in found["parts"]]
        start = found.get("nextPartNumber")
    return replace(upload, size=sum(sizes), modified=max(times))


def cancel_upload(account: Account, upload: Entry) -> None:
    """Cancel a large file for good; one that is gone by now is cancelled."""
    cancel = account.session.cancel_large_file
    persist(lambda: cancel(upload.version), _place(account, upload))


def _fetch(account: Account, prefix: str, start: str | None) -> Any:
    ask = account.session.list_unfinished_large_files
    return ask(account.bucket_id, start, _PAGE, prefix or None)


def _place(account: Account, upload: Entry) -> str:
    return f"large file {account.place}/{shown(upload.key)}"
