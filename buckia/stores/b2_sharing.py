"""Download authorizations of B2: whoever has one reads what begins with a name, for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import quote

from buckia.errors import UsageError
from buckia.stores.b2_errors import persist, shown
from buckia.stores.b2_session import Account

LONGEST: Final = timedelta(days=7)
"""The most that there is (Backblaze, "b2_get_download_authorization": 604,800 seconds)."""


def share(account: Account, name: str, seconds: int) -> str:
    """A token, as part of a URL, that reads `name` and every name that begins with it."""
    if not 0 < seconds <= LONGEST.total_seconds():
        raise UsageError(f"B2 authorizes downloads for at most {LONGEST.days} days; ask for less")
    account.need("shareFiles", name)
    ask = account.session.get_download_authorization
    told = persist(lambda: ask(account.bucket_id, name, seconds), f"{account.place}/{shown(name)}")
    return quote(told["authorizationToken"], safe="")
