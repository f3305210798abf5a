"""One account at Backblaze B2 and one bucket of it: the key, its rights, the line, what is counted.

b2sdk's session signs in, renews tokens and knows the requests. Under it is an HTTP adapter of our
own that counts and bounds them, above it `persist`, the one that tries again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from b2sdk.v3 import (  # type: ignore[import-untyped]
    B2HttpApiConfig,
    B2Session,
    InMemoryAccountInfo,
)
from b2sdk.v3.exception import NonExistentBucket, RestrictedBucket  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter

from buckia.errors import AccessError
from buckia.stores.b2_errors import Unanswered, persist, shown
from buckia.stores.http_session import Network
from buckia.stores.network import QUICK, SLOW, SPARE
from buckia.stores.parts import Crew
from buckia.stores.rate import UNLIMITED, Rates
from buckia.stores.retry import seconds_in
from buckia.stores.traffic import Traffic, shares
from buckia.stores.usage import Kind

MIB: Final = 1024 * 1024

_SLOW: Final = {
    "b2_upload_file",
    "b2_upload_part",
    "b2_finish_large_file",
    "b2_copy_file",
    "b2_copy_part",
}

_UPLOADS: Final = {"b2_upload_file", "b2_upload_part"}

_KINDS: Final = {
    "b2_upload_file": Kind.WRITE,
    "b2_upload_part": Kind.WRITE,
    "b2_get_upload_url": Kind.WRITE,
    "b2_get_upload_part_url": Kind.WRITE,
    "b2_start_large_file": Kind.WRITE,
    "b2_finish_large_file": Kind.WRITE,
    "b2_cancel_large_file": Kind.DELETE,
    "b2_hide_file": Kind.DELETE,
    "b2_delete_file_version": Kind.DELETE,
    "b2_get_file_info": Kind.LOOK,
    "b2_download_file_by_id": Kind.READ,
    "b2_download_file_by_name": Kind.READ,
    "b2_copy_file": Kind.COPY,
    "b2_copy_part": Kind.COPY,
    "b2_list_file_names": Kind.LIST,
    "b2_list_file_versions": Kind.LIST,
    "b2_list_parts": Kind.LIST,
    "b2_list_unfinished_large_files": Kind.LIST,
}
"""The class of each operation; all others are about the account or the bucket."""

_BUSY: Final = {408, 429}

_CROWDED: Final = {429, 503}


@dataclass(frozen=True)
class B2Options:
    """Where a bucket is and how to talk to it.

    key_id, application_key  an application key, which may be limited to names that begin so
    realm                    "production", or the URL of another service that speaks the API
    prefix                   keys are below it in the bucket and above it everywhere else
    workers                  connections that are kept
    large_threshold          bytes above which a body is sent in parts; smaller ones fit in memory
    part_size                bytes of a part at most, unless 10,000 are not enough
    copy_limit               bytes above which a copy is made in parts (B2's rule: 5 GB)
    rates                    how fast it may go
    page_size                names asked for at once, at most 10,000; each 1,000 cost one request
    """

    bucket: str
    key_id: str
    application_key: str = field(repr=False)
    realm: str = "production"
    prefix: str = ""
    workers: int = 8
    large_threshold: int = 16 * MIB
    part_size: int = 16 * MIB
    copy_limit: int = 5_000_000_000
    rates: Rates = UNLIMITED
    page_size: int = 10_000


class Account:
    """A bucket as one application key sees it. The first use signs in; safe for many threads.

    api  b2sdk's configuration, for tests against its simulator
    """

    def __init__(self, options: B2Options, api: B2HttpApiConfig | None = None) -> None:
        self.options = options
        self.traffic = Traffic(shares(options.workers), tariff="b2", rates=options.rates)
        self.crew = Crew(options.workers)
        self._lock = Lock()
        self._http = Network(0, adapter=_Line(self))
        # Without the hook: it changes the locale of the whole process for each request, and tokens
        # do not depend on this computer's clock. With `decode_content` our adapter stays.
        self._api = api or B2HttpApiConfig(
            lambda: self._http, install_clock_skew_hook=False, decode_content=True
        )
        self._session: B2Session | None = None
        self._bucket_id = ""

    @property
    def place(self) -> str:
        """The bucket, for people."""
        return f"b2://{self.options.bucket}"

    @property
    def session(self) -> Any:
        """b2sdk's session, signed in."""
        with self._lock:
            if self._session is None:
                session = B2Session(InMemoryAccountInfo(), api_config=self._api)
                self._sign_in(session)
                self._session = session
        return self._session

    @property
    def bucket_id(self) -> str:
        """What the service calls the bucket."""
        return self._bucket_id if self.session else ""

    @property
    def info(self) -> Any:
        """What signing in told: the account, its hosts, its upload URLs."""
        return self.session.account_info

    @property
    def smallest_part(self) -> int:
        """Bytes that every part of a large file must have, but for the last."""
        return int(self.info.get_absolute_minimum_part_size())

    def need(self, capability: str, name: str) -> None:
        """Raise `AccessError` where the key lacks a capability, or is limited to other names."""
        allowed = self.info.get_allowed()
        prefix = allowed.get("namePrefix") or ""
        if capability not in allowed["capabilities"]:
            raise AccessError(
                f"{self.place}: the application key lacks `{capability}`; make one that has it"
            )
        if not name.startswith(prefix):
            what = f"`{shown(name)}` does not" if name else "not all of the bucket does"
            raise AccessError(
                f"{self.place}: the application key is limited to names that start with "
                f"`{shown(prefix)}`, which {what}; set `prefix: {shown(prefix)}`"
            )

    def reaches(self, other: Account, name: str) -> bool:
        """Whether a copy with this key can read `name` of the other's bucket."""
        allowed = self.info.get_allowed()
        own = {bucket["id"] for bucket in allowed.get("buckets") or ()}
        return (
            self.options.realm == other.options.realm
            and self.info.get_account_id() == other.info.get_account_id()
            and (not own or other.bucket_id in own)
            and "readFiles" in allowed["capabilities"]
            and name.startswith(allowed.get("namePrefix") or "")
        )

    def close(self) -> None:
        """Close the connections."""
        self.crew.close()
        self._http.close()

    def _sign_in(self, session: Any) -> None:
        options = self.options
        sign_in = session.authorize_account
        persist(lambda: sign_in(options.realm, options.key_id, options.application_key), self.place)
        self._bucket_id = persist(lambda: self._find_bucket(session), self.place)

    def _find_bucket(self, session: Any) -> str:
        """The id of the bucket: a limited key brings it along, any other has to ask."""
        wanted = self.options.bucket
        limits = session.account_info.get_allowed().get("buckets")
        known = {bucket["name"]: bucket["id"] for bucket in limits or ()}
        if wanted in known:
            return str(known[wanted])
        if limits:
            raise RestrictedBucket(sorted(name for name in known if name))
        account = session.account_info.get_account_id()
        for bucket in session.list_buckets(account, bucket_name=wanted)["buckets"]:
            if bucket["bucketName"] == wanted:
                return str(bucket["bucketId"])
        raise NonExistentBucket(wanted)


class _Line(HTTPAdapter):
    """The way to the service: pooled to size, counted, in time, and never repeated by b2sdk.

    b2sdk would wait as long as a `Retry-After` says and repeat a download for ten minutes.
    """

    def __init__(self, account: Account) -> None:
        super().__init__(pool_maxsize=account.options.workers + SPARE)
        self._account = account

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, stream: bool = False, **options: Any
    ) -> requests.Response:
        """Send one request; an answer that asks for patience is an error."""
        operation = _operation(request)
        options["timeout"] = SLOW if operation in _SLOW else QUICK
        if operation in _UPLOADS:
            self._pass_on(request)
        try:
            size = int(request.headers.get("Content-Length") or 0)
            with self._account.traffic.request(_kind(request, operation), size) as turn:
                response = super().send(request, stream=stream, **options)
                if not stream:
                    _ = response.content  # a line that breaks here has broken, too
                turn.crowded = response.status_code in _CROWDED
        except requests.exceptions.SSLError:
            raise Unanswered("certificate") from None
        except requests.Timeout:
            raise Unanswered("timeout") from None
        except requests.RequestException:
            raise Unanswered("no connection") from None
        if response.status_code in _BUSY or response.status_code >= 500:
            response.close()
            raise Unanswered("busy", seconds_in(response.headers.get("Retry-After", "")))
        return response

    def _pass_on(self, request: requests.PreparedRequest) -> None:
        """Count the body, as it goes where it has to be slow."""
        traffic, body = self._account.traffic, request.body
        if traffic.slows_uploads and isinstance(body, bytes):
            request.body = traffic.slowed(body)  # type: ignore[assignment]
        else:
            traffic.sent(int(request.headers.get("Content-Length") or 0))


def _kind(request: requests.PreparedRequest, operation: str) -> Kind:
    """The class of a request. A HEAD is a look, whatever it would bring."""
    if request.method == "HEAD":
        return Kind.LOOK
    return _KINDS.get(operation, Kind.SETTINGS)


def _operation(request: requests.PreparedRequest) -> str:
    """The operation of the API that a request asks for."""
    parts = urlsplit(request.url or "").path.split("/")
    return "b2_download_file_by_name" if parts[1] == "file" else "".join(parts[3:4])
