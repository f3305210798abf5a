"""The account file that the b2 command writes: the application key it is signed in with."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from b2sdk.v3 import REALM_URLS, SqliteAccountInfo  # type: ignore[import-untyped]
from b2sdk.v3.exception import (  # type: ignore[import-untyped]
    CorruptAccountInfo,
    MissingAccountData,
)


def read(env: Mapping[str, str], domain: str | None) -> tuple[str, str] | None:
    """Key id and key; None where there is no file, nobody is signed in, or it is for another
    service than `domain` (None: Backblaze itself): a key goes nowhere but where it belongs."""
    path = next((path for path in _places(env) if path.is_file()), None)
    if path is None:
        return None  # SqliteAccountInfo would make one
    try:
        account = SqliteAccountInfo(str(path))
        try:
            own = _service(account.get_realm()) == _service(domain or "production")
            key_id, key = account.get_application_key_id(), account.get_application_key()
            return (str(key_id), str(key)) if own else None
        finally:
            account.close()
    except (MissingAccountData, CorruptAccountInfo):
        return None


def _places(env: Mapping[str, str]) -> Iterator[Path]:
    """Where the b2 command looks, in its order (b2sdk, `SqliteAccountInfo`)."""
    if named := env.get("B2_ACCOUNT_INFO"):
        yield Path(named).expanduser()
        return
    home = Path(env.get("HOME") or Path.home())
    yield home / ".b2_account_info"
    if env.get("XDG_CONFIG_HOME") or sys.platform != "darwin":
        yield Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "b2" / "account_info"


def _service(realm: str) -> str:
    """A realm by its name or address, in one spelling."""
    return str(REALM_URLS.get(realm, realm)).removeprefix("https://").rstrip("/")
