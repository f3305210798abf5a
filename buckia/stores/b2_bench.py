"""Trials of Backblaze B2: what the key may do, whether digests are checked, what parts do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from b2sdk.v3 import REALM_URLS  # type: ignore[import-untyped]

from buckia.errors import IntegrityError, NotFoundError, StoreError
from buckia.model import Entry
from buckia.stores.b2_errors import FAILURES, persist, shown, translate
from buckia.stores.b2_parts import about, large_file, send_small
from buckia.stores.b2_session import Account
from buckia.stores.b2_unfinished import cancel_upload, unfinished_uploads
from buckia.stores.bench import Conditional, Extra
from buckia.stores.probe import Verdict
from buckia.stores.reaching import server_time

_WRONG: Final = "0" * 40
"""A SHA-1 that no content has, for all that is known."""

_PAGE: Final = 1000
"""Versions asked for at once: as many as one request of class C costs."""


class B2Bench:
    """See `Bench`."""

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def endpoint(self) -> str:
        """Where the account signs in."""
        realm = self._account.options.realm
        return str(REALM_URLS.get(realm, realm))

    @property
    def signer(self) -> str | None:
        """The key is always given."""
        return None

    @property
    def rights(self) -> Mapping[str, str]:
        """Whatever lacks, the store itself names the capability, before it asks the service."""
        return {}

    def reach(self) -> float | None:
        """The place where everybody signs in."""
        return server_time(self.endpoint)

    def ping(self) -> str:
        """Sign in and list one name; what the key may do, as the service told."""
        account = self._account
        allowed = account.info.get_allowed()
        prefix = max(account.options.prefix, allowed.get("namePrefix") or "", key=len)
        account.need("listFiles", prefix)
        ask = account.session.list_file_names
        persist(lambda: ask(account.bucket_id, None, 1, prefix or None), account.place)
        limit = f", names that begin with {shown(prefix)}" if allowed.get("namePrefix") else ""
        return f"the key may {', '.join(sorted(allowed['capabilities']))}{limit}"

    def conditions(self, scratch: str) -> dict[str, Conditional]:
        """The API has none."""
        return {}

    def checksum(self, key: str) -> Verdict:
        """A body that has not the SHA-1 announced."""
        entry = Entry(key, 5, sha1=_WRONG)
        try:
            send_small(self._account, self._name(key), b"wrong", entry)
        except FAILURES as problem:
            error = translate(problem, self._account.place)
            if isinstance(error, IntegrityError):
                return Verdict.ENFORCED
            raise error from None
        return Verdict.IGNORED

    def extras(self, scratch: str) -> tuple[Extra, ...]:
        """Large files, sharing, and deleting for good."""
        return (
            Extra(
                "parts",
                partial(self._try_parts, f"{scratch}parts"),
                "writeFiles",
                "large files cannot be sent",
            ),
            Extra("share", self._try_sharing, "shareFiles", "`buckia url` cannot sign URLs"),
        )

    def erase(self, scratch: str) -> None:
        """Every version and marker."""
        account, name = self._account, self._name(scratch)
        account.need("deleteFiles", name)
        for upload in unfinished_uploads(account, name):
            cancel_upload(account, upload)
        start: tuple[str | None, str | None] = (name, None)
        while start[0] is not None:
            found = persist(partial(self._versions, name, *start), account.place)
            for item in found["files"]:
                drop = partial(
                    account.session.delete_file_version, item["fileId"], item["fileName"]
                )
                persist(drop, account.place)
            start = (found.get("nextFileName"), found.get("nextFileId"))

    def _versions(self, prefix: str, name: str | None, file_id: str | None) -> Any:
        ask = self._account.session.list_file_versions
        return ask(self._account.bucket_id, name, file_id, _PAGE, prefix)

    def _try_parts(self, key: str) -> str:
        name = self._name(key)
        try:
            with large_file(self._account, name, *about(Entry(key, 0))):
                raise NotFoundError(key)  # ends it
        except NotFoundError:
            pass
        if list(unfinished_uploads(self._account, name)):
            raise StoreError("a large file that was cancelled is still there; see `buckia gc`")
        return "begun and cancelled"

    def _try_sharing(self) -> str:
        self._account.need("shareFiles", self._account.options.prefix)
        return "the key may share files"

    def _name(self, key: str) -> str:
        return self._account.options.prefix + key
