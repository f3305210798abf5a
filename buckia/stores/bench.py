"""What a store can be asked beside its contract: the way to its service, and raw trials of it.

A trial does what no store would do on its own, on scratch objects: it breaks a condition, it lies
about a digest. `buckia doctor` judges what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from msgspec import Struct

from buckia.stores.probe import Verdict


class Extra(Struct, frozen=True):
    """Something one provider offers and others do not.

    name   for people, such as "parts"
    act    try it; what was found, for people. Raises the errors of stores
    right  what the credential needs for it, by the provider's name
    loss   what is lost where it cannot be done
    """

    name: str
    act: Callable[[], str]
    right: str
    loss: str


class Conditional(Struct, frozen=True):
    """One kind of condition: whether the store relies on it, and what the service does with it."""

    relied_on: bool
    verdict: Verdict


class Bench(Protocol):
    """The workbench of one store. What is named `scratch` is a prefix of its keys."""

    @property
    def endpoint(self) -> str:
        """The URL of the service."""

    @property
    def signer(self) -> str | None:
        """Where the provider's own package found the credentials; None where they were given."""

    @property
    def rights(self) -> Mapping[str, str]:
        """What a credential needs for "list", "read", "write" and "delete", in the provider's
        words."""

    def reach(self) -> float | None:
        """Ask the service for anything, unsigned; its time in seconds since 1970, if it tells.

        Raises `UnavailableError` where nobody answers.
        """

    def ping(self) -> str:
        """The smallest signed request there is, which lists; what else it told, for people."""

    def conditions(self, scratch: str) -> dict[str, Conditional]:
        """What the service does with conditions, by the names of the option `conditions`."""

    def checksum(self, key: str) -> Verdict:
        """Whether the service takes a body that is not what was announced."""

    def extras(self, scratch: str) -> tuple[Extra, ...]:
        """What else there is to try."""

    def erase(self, scratch: str) -> None:
        """Remove for good what deleting leaves below a scratch prefix: versions, unfinished
        uploads. Raises the errors of stores where the credential may not."""


@runtime_checkable
class Benched(Protocol):
    """A store that has a workbench."""

    @property
    def bench(self) -> Bench:
        """It."""
