"""Connections by requests, for the stores that ask by it."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from buckia.stores.network import authorities


class Network(requests.Session):
    """A session of requests that keeps `size` connections to each host.

    Credentials go by header and never from `.netrc`, no cookie is kept, and what `verify` says
    stands: requests alone would let REQUESTS_CA_BUNDLE win over it.

    trust    a PEM file of certificates to trust; None: as the environment says
    adapter  what connects, in place of the usual one; then it keeps the connections
    """

    def __init__(
        self,
        size: int,
        headers: Mapping[str, str] | None = None,
        *,
        trust: str | None = None,
        adapter: HTTPAdapter | None = None,
    ) -> None:
        super().__init__()
        self._proxies: dict[tuple[str, str], Any] = {}
        self.auth = lambda request: request
        self.headers.update(headers or {})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.verify = trust or authorities() or True
        line = adapter or HTTPAdapter(pool_maxsize=size)
        self.mount("https://", line)
        self.mount("http://", line)

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Proxies as the environment had them when a host was first asked, certificates as this
        session has them. Reading the environment costs more than a small request."""
        host = urlsplit(url)[:2]
        if host not in self._proxies:
            found = super().merge_environment_settings(url, {}, stream, verify, cert)
            self._proxies[host] = found["proxies"]
        return {
            "proxies": {**self._proxies[host], **(proxies or {})},
            "stream": stream or self.stream,
            "verify": self.verify,
            "cert": cert or self.cert,
        }
