"""The way to a service as the environment describes it, the same for every client: which
certificates are trusted, which proxy is used, how many connections are kept.

Each client would read the environment by itself, and each a little otherwise: NO_PROXY alone is
understood in three ways. So it is read here, as requests does, and the others are told. requests
itself is loaded where it has something to say: that takes as long as a tenth of a small plan.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final
from urllib.request import getproxies

import urllib3

from buckia.errors import ConfigError

BUNDLES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Environment variables that name a PEM file of certificates to trust; the first that says
something counts."""

SPARE: Final = 4
"""Connections that are kept beside one for each worker."""

CONNECT: Final = 10
"""Seconds to wait for a connection."""

SILENCE: Final = 60
"""Seconds without a byte after which a request has failed."""

WORK: Final = 600
"""The same for a request that sends a body, or has the service copy one: its answer comes only
after the last byte, and a part over a slow line takes minutes."""

QUICK: Final = (CONNECT, SILENCE)
SLOW: Final = (CONNECT, WORK)
"""Both waits of a request, as requests takes them."""


def authorities() -> str | None:
    """The PEM file of certificates to trust instead of the usual ones; None for those.

    Raises `ConfigError` where a variable names what is no file: nothing else is trusted then.
    """
    for name in BUNDLES:
        if path := os.environ.get(name):
            if not Path(path).is_file():
                raise ConfigError(f"{name}: {path} is not a file; name a PEM file, or unset it")
            return path
    return None


def proxy_for(url: str) -> str | None:
    """The proxy for a URL by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; None for none."""
    if not getproxies():
        return None
    from requests.utils import get_environ_proxies, select_proxy

    return select_proxy(url, get_environ_proxies(url))


def proxied(proxy: str, size: int, context: ssl.SSLContext | None) -> urllib3.ProxyManager:
    """`size` connections through a proxy by urllib3 alone, whose errors are its own.

    context  what connections by TLS demand of the service
    """
    from requests.utils import get_auth_from_url

    proxy = proxy if "://" in proxy else f"http://{proxy}"
    user = get_auth_from_url(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=":".join(user)) if any(user) else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, maxsize=size, ssl_context=context)


def trusting(trust: str | None = None) -> ssl.SSLContext:
    """What connections by TLS demand.

    trust  a PEM file of certificates to trust; None: as the environment says
    """
    pem = trust or authorities() or _usual()
    try:
        return ssl.create_default_context(cafile=pem)
    except OSError:
        raise ConfigError(f"{pem}: no certificates in it; name a PEM file") from None


def _usual() -> str:
    """The certificates that are trusted where nobody says which."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return DEFAULT_CA_BUNDLE_PATH
