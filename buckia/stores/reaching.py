"""Whether a service answers at all, and what its clock says. For stores that speak HTTP."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

import requests

from buckia.errors import StoreError, UnavailableError
from buckia.stores.border import UNTRUSTED
from buckia.stores.http_session import Network
from buckia.stores.network import CONNECT

_TIMES: Final = (CONNECT, CONNECT)
"""Seconds to wait for a connection, and for the answer."""


def server_time(url: str, *, trust: str | None = None) -> float | None:
    """The time in seconds since 1970 by the header Date of any answer; None without one.

    Nothing is signed and no redirect is followed. `trust` is as in `Network`. Raises
    `UnavailableError` where nobody answers, and `StoreError` for a certificate that is not trusted.
    """
    with Network(1, trust=trust) as session:
        try:
            answer = session.get(url, timeout=_TIMES, allow_redirects=False, stream=True)
        except requests.exceptions.SSLError:
            raise StoreError(f"{url}: {UNTRUSTED[1]}") from None
        except requests.Timeout:
            raise UnavailableError(f"{url}: no answer in time; check the network") from None
        except (requests.RequestException, ValueError):
            raise UnavailableError(
                f"{url}: no connection; check `domain` and the network"
            ) from None
        told = answer.headers.get("Date", "")
        answer.close()
    try:
        return parsedate_to_datetime(told).timestamp()
    except ValueError:
        return None
