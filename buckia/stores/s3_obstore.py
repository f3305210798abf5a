"""obstore's view of a bucket, told everything that it would else read from the environment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies

from obstore.store import S3Store as Bucket

from buckia.stores.network import CONNECT, SILENCE, SPARE, proxy_for
from buckia.stores.s3_extras import for_obstore

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential

    from buckia.stores.s3_session import S3Session

_NO_PROXY: Final = "http://127.0.0.1:9"
"""A proxy that obstore is told of, and told not to use, so that it reads none by itself."""

_PROVE_AGAIN: Final = timedelta(minutes=5)
"""How long obstore keeps credentials before it asks botocore, which renews them early."""


def open_bucket(session: S3Session) -> Bucket:
    """The bucket of a session. It repeats nothing: `persist` does, and knows that it did."""
    return Bucket(
        session.options.bucket,
        endpoint=session.transfer_url,
        aws_endpoint_url_s3=session.transfer_url,
        region=session.region,
        virtual_hosted_style_request=True,
        skip_signature=False,
        unsigned_payload=False,
        conditional_put="etag",
        disable_bulk_delete=True,  # one object, one request, one answer
        client_options=_client(session),
        retry_config={"max_retries": 0},
        credential_provider=_Credentials(session),
        **for_obstore(session.options),
    )


class _Credentials:
    """Tells obstore the credentials of a session as they are now."""

    def __init__(self, session: S3Session) -> None:
        self.config: S3Config = {}
        self._session = session

    def __call__(self) -> S3Credential:
        now = self._session.credentials.get_frozen_credentials()
        return {
            "access_key_id": now.access_key or "",
            "secret_access_key": now.secret_key or "",
            "token": now.token,
            "expires_at": datetime.now(UTC) + _PROVE_AGAIN,
        }


def _client(session: S3Session) -> ClientConfig:
    client: ClientConfig = {
        "allow_http": session.endpoint.startswith("http:"),
        "connect_timeout": timedelta(seconds=CONNECT),
        "read_timeout": timedelta(seconds=SILENCE),
        "timeout": timedelta(days=1),
        "pool_max_idle_per_host": str(session.options.workers + SPARE),
    }
    if session.authorities:  # beside those of the system, which obstore always trusts
        client["root_certificate"] = Path(session.authorities).read_bytes()
    if proxy := proxy_for(session.transfer_url):
        client["proxy_url"] = proxy
    elif getproxies():
        client["proxy_url"] = _NO_PROXY
        client["proxy_excludes"] = urlsplit(session.transfer_url).hostname or ""
    return client
