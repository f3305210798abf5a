"""The settings of a Backblaze B2 bucket: all told by one request, each set under the revision seen.

That revision makes setting one a compare-and-swap, the only one B2 has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from b2sdk.v3 import (  # type: ignore[import-untyped]
    EncryptionAlgorithm,
    EncryptionMode,
    EncryptionSetting,
)

from buckia.errors import AccessError, StoreError
from buckia.model import Value
from buckia.settings.b2 import B2
from buckia.stores.b2_errors import persist
from buckia.stores.b2_session import Account
from buckia.stores.border import NoBucketError
from buckia.stores.settling import demand_expected, demand_kept

_FIELDS: Final = {
    "bucket_type": ("bucketType", "bucket_type"),
    "lifecycle": ("lifecycleRules", "lifecycle_rules"),
    "cors": ("corsRules", "cors_rules"),
    "default_encryption": ("defaultServerSideEncryption", "default_server_side_encryption"),
}
"""What the API calls a setting, and what b2sdk does."""

_ENCRYPTION: Final = "default_encryption"


class B2Settings:
    """The settings of one bucket."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def names(self) -> tuple[str, ...]:
        """All that the native API has."""
        return tuple(B2)

    def read(self, wanted: Mapping[str, Value | None]) -> dict[str, Value | StoreError | None]:
        """What each setting is now, with one request of class C for all of them."""
        told = persist(self._bucket, self._account.place)
        found: dict[str, Value | StoreError | None] = {}
        for name in wanted:
            try:
                found[name] = self._told(name, told)
            except AccessError as problem:
                found[name] = problem
        return found

    def configure(self, name: str, document: Value | None, *, expect: Value | None) -> None:
        """Set a setting, if the bucket is still the one that was looked at."""
        place = self._place(name)
        self._need("writeBucketEncryption" if name == _ENCRYPTION else "writeBuckets", name)
        ours = {_FIELDS[name][1]: _argument(name, document)}

        def swap() -> Value | None:
            told = self._bucket()
            now = self._told(name, told)
            if now == document:
                return now
            demand_expected(now, expect, place)
            session, info = self._account.session, self._account.info
            session.update_bucket(
                info.get_account_id(),
                self._account.bucket_id,
                if_revision_is=told["revision"],
                **ours,
            )
            return now

        now = persist(swap, place)  # a conflict with another change: looked at again
        if now != document:
            demand_kept(
                lambda: self._told(name, persist(self._bucket, place)), document, now, place
            )

    def _bucket(self) -> Mapping[str, Any]:
        session, info = self._account.session, self._account.info
        found: list[Mapping[str, Any]] = session.list_buckets(
            info.get_account_id(), bucket_id=self._account.bucket_id
        )["buckets"]
        if not found:
            raise NoBucketError(f"{self._account.place}: the bucket is gone; check `bucket_name`")
        return found[0]

    def _told(self, name: str, told: Mapping[str, Any]) -> Value | None:
        value = told.get(_FIELDS[name][0])
        if name == _ENCRYPTION:
            if not (value or {}).get("isClientAuthorizedToRead"):
                raise self._lacks("readBucketEncryption", name)
            value = (value or {}).get("value")
        return B2[name].read(value)

    def _need(self, capability: str, name: str) -> None:
        if capability not in self._account.info.get_allowed()["capabilities"]:
            raise self._lacks(capability, name)

    def _lacks(self, capability: str, name: str) -> AccessError:
        return AccessError(
            f"{self._place(name)}: the application key lacks `{capability}`; make one that has it"
        )

    def _place(self, name: str) -> str:
        return f"the setting `{name}` of {self._account.place}"


def _argument(name: str, document: Value | None) -> Any:
    """A document as b2sdk wants it."""
    if name == _ENCRYPTION:
        return EncryptionSetting(EncryptionMode.SSE_B2, EncryptionAlgorithm.AES256)
    return B2[name].write(document)
