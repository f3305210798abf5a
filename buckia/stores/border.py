"""The border between the errors of a provider's library and buckia's, the same for all stores.

A store brings the exceptions that its library raises and a table that says what each means. What
they have in common is here: words, and the one way to try again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeVar

from buckia.errors import (
    AccessError,
    IntegrityError,
    NotFoundError,
    StoreError,
    UnavailableError,
)
from buckia.stores import retry

Result = TypeVar("Result")

Row = tuple[type[StoreError], str]
"""What a failure means: the error, and its words for a person."""


class NoBucketError(NotFoundError):
    """The bucket itself is missing, which no absence of an object may be taken for."""


class MangledError(IntegrityError):
    """Bytes that left this machine as announced and did not arrive as such."""


class EndedError(UnavailableError):
    """An upload that is not under way any more: ended by somebody else, or complete."""


GONE: Final[Row] = (NotFoundError, "the object is gone; plan again")
BUSY: Final[Row] = (UnavailableError, "the service is busy or failing; try again later")
LATE: Final[Row] = (UnavailableError, "no answer in time; check the network")
UNTRUSTED: Final[Row] = (
    StoreError,
    "the certificate of the service is not trusted; check `domain`, or name the file of your "
    "own authority in SSL_CERT_FILE",
)
MANGLED: Final[Row] = (
    MangledError,
    "the bytes changed on the way; apply again, look for a proxy",
)


def refused(told: str) -> Row:
    """A refusal that no table knows, in the words of the service."""
    return StoreError, f"refused ({told}); look up what the service says of it, or try again later"


_TWICE: Final = 2
"""How often bytes are sent that did not arrive as they were."""


def nothing_asked(problem: Exception) -> float:
    """The wait that a failure asks for where none ever does."""
    return 0.0


@dataclass(frozen=True)
class Border:
    """What one library raises and what that means.

    failures  everything it raises for a request that failed
    meaning   the row of such an exception
    asked     the seconds that the service asks to wait
    """

    failures: tuple[type[Exception], ...]
    meaning: Callable[[Exception], Row]
    asked: Callable[[Exception], float] = nothing_asked

    def translate(self, problem: Exception, place: str) -> StoreError:
        """The error a person gets, naming `place`. Its text is never the problem's: that may hold
        URLs."""
        if isinstance(problem, StoreError):
            return problem
        error, words = self.meaning(problem)
        return error(f"{place}: {words}")

    def persist(
        self,
        step: Callable[[], Result],
        place: str,
        *,
        recognise: Callable[[], Result | None] = lambda: None,
        attempts: int = retry.ATTEMPTS,
    ) -> Result:
        """Call `step` until it succeeds, with growing pauses while the service is unavailable, and
        once more after bytes were mangled.

        An attempt whose answer was lost may have worked, and then the next one is refused because
        of our own write. So when a later attempt is refused, `recognise` looks whether what is
        there is ours: a result other than None is the result.
        """
        failures: tuple[type[Exception], ...] = (*self.failures, StoreError)
        for number in count(1):
            try:
                return step()
            except failures as problem:
                error = self.translate(problem, place)
                if number > 1 and _is_refusal(error) and (own := recognise()) is not None:
                    return own
                last = error.tried or number >= _deserved(error, attempts)
                asked = 0.0 if error is problem else self.asked(problem)
                if last or not retry.rest(number, asked):
                    error.tried = True
                    raise error from None
        raise AssertionError  # counting does not end


def _deserved(error: StoreError, attempts: int) -> int:
    """How often a request is sent that fails in this way."""
    if isinstance(error, UnavailableError):
        return attempts
    return min(_TWICE, attempts) if isinstance(error, MangledError) else 1


def _is_refusal(error: StoreError) -> bool:
    """Whether an attempt may have failed because the one before it had worked."""
    others = (UnavailableError, AccessError, IntegrityError)
    return isinstance(error, EndedError) or not isinstance(error, others)


def shown(key: str) -> str:
    """A key as one line that every terminal can print."""
    if key.isprintable():
        return key
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in key)
