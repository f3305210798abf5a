"""Keyrings for tests: one in memory, and others that fail in the ways keyrings do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import KeyringLocked


class InMemory(KeyringBackend):
    """A keyring that is gone with the test; `entries` by service and user name."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


class Forgetful(InMemory):
    """Takes everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Into the void."""


class Locked(InMemory):
    """Wants a password that nobody gives. Its error tells more than it should."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked(f"locked, with {self.entries}")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked(f"cannot keep {password}")


class Missing(fail.Keyring):
    """What the package keyring has where the system has nothing."""

    def __init__(self) -> None:
        KeyringBackend.__init__(self)  # type: ignore[no-untyped-call]


@contextmanager
def using(backend: KeyringBackend) -> Iterator[KeyringBackend]:
    """This keyring as the system's for as long as this lasts."""
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        yield backend
    finally:
        keyring.set_keyring(before)
