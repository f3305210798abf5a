"""Whether a service answers at all, and what its clock says. For stores that speak HTTP."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

import requests

from buckia.errors import StoreError, UnavailableError

_TIMES: Final = (10, 10)
"""Seconds to wait for a connection, and for the answer."""


def server_time(url: str, *, verify: str | bool = True) -> float | None:
    """The time in seconds since 1970 by the header Date of any answer; None without one.

    Nothing is signed and no redirect is followed. Raises `UnavailableError` where nobody answers,
    and `StoreError` for a certificate that is not trusted.
    """
    with requests.Session() as session:
        session.auth = lambda request: request  # nothing from `.netrc`
        try:
            answer = session.get(
                url, timeout=_TIMES, allow_redirects=False, stream=True, verify=verify
            )
        except requests.exceptions.SSLError:
            raise StoreError(f"{url}: the certificate of the service is not trusted") from None
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
