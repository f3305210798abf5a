"""Trials of a storage zone: whether it answers, and whether it checks what it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from buckia.stores.bench import Conditional, Extra
from buckia.stores.bunny_cdn import Cdn
from buckia.stores.bunny_errors import BadAnswer, Doing, persist, shown
from buckia.stores.bunny_listing import find, list_folder
from buckia.stores.bunny_session import BunnySession
from buckia.stores.probe import SCRATCH, Verdict
from buckia.stores.reaching import server_time


class BunnyBench:
    """See `Bench`."""

    def __init__(self, session: BunnySession, prefix: str, cdn: Cdn) -> None:
        self._session = session
        self._prefix = prefix
        self._cdn = cdn

    @property
    def endpoint(self) -> str:
        """The host of the zone's primary region."""
        return self._session.endpoint

    @property
    def signer(self) -> str | None:
        """The password is always given."""
        return None

    @property
    def rights(self) -> Mapping[str, str]:
        """A zone has two passwords."""
        full = "the zone's password, not the read-only one"
        some = "a password of the zone"
        return {"list": some, "read": some, "write": full, "delete": full}

    def reach(self) -> float | None:
        """The host as such; the zone is not asked."""
        return server_time(self.endpoint)

    def ping(self) -> str:
        """One folder that holds next to nothing."""
        list_folder(self._session, f"{self._prefix}{SCRATCH}")
        return ""

    def conditions(self, scratch: str) -> dict[str, Conditional]:
        """The API has none."""
        return {}

    def checksum(self, key: str) -> Verdict:
        """A body that has not the checksum announced: refused, or taken and not stored."""
        path = self._prefix + key
        place = f"{self._session.url}/{shown(path)}"
        headers = {"Checksum": "0" * 64, "Content-Type": "application/octet-stream"}
        url = self._session.file_url(path)

        def send() -> None:
            try:
                self._session.ask(Doing.PUT, url, headers=headers, body=b"wrong")
            except BadAnswer as problem:
                if problem.status != HTTPStatus.BAD_REQUEST:
                    raise

        persist(send, place)
        held = persist(lambda: find(self._session, path), place)
        return Verdict.ENFORCED if held is None else Verdict.IGNORED

    def extras(self, scratch: str) -> tuple[Extra, ...]:
        """The pull zone in front, where there is one to purge."""
        if self._cdn.caches is None:
            return ()
        return (
            Extra(
                "pull zone",
                lambda: f"{self._cdn.zone('purging').name}, which may be purged",
                "`api_key` to be the account's key",
                "what changes in the zone stays in the caches of its pull zone",
            ),
        )

    def erase(self, scratch: str) -> None:
        """Deleting leaves nothing behind."""
