"""Writes to S3 under a condition, which the service checks or, where it would not, a last look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import repeat
from typing import Any

from buckia.errors import IntegrityError, NotFoundError, PreconditionError
from buckia.model import Entry, replace, same_content
from buckia.stores.base import Use
from buckia.stores.border import NoBucketError
from buckia.stores.probe import ABSENT
from buckia.stores.s3_carriers import Boto, Condition, carriers_for
from buckia.stores.s3_errors import FAILURES, persist, shown, translate
from buckia.stores.s3_extras import hides_md5
from buckia.stores.s3_looks import Looks
from buckia.stores.s3_services import Conditions
from buckia.stores.s3_session import S3Session


class Guard:
    """One bucket: what is at a key now, and that nothing else is overwritten.

    `md5_etags` becomes False where an ETag turns out to be no md5.
    """

    def __init__(self, session: S3Session) -> None:
        self.session = session
        self.looks = Looks(session)
        self.conditions = session.options.conditions or session.service.conditions
        asked, usual = session.options.md5_etags, session.service.md5_etags
        self.md5_etags = asked if asked is not None else usual and not hides_md5(session.options)

    @property
    def unchecked(self) -> frozenset[Use]:
        """What the service does without a condition, so that a look has to stand for one."""
        return _unchecked(self.conditions)

    def full(self, key: str) -> str:
        """The key as the bucket knows it."""
        return self.session.options.prefix + key

    def place(self, key: str) -> str:
        """An object's name for people, with the service it is on."""
        bucket = self.session.options.bucket
        return f"s3://{bucket}/{shown(self.full(key))} at {self.session.endpoint}"

    def origin(self, key: str) -> dict[str, Any]:
        """An object as requests name it."""
        return {"Bucket": self.session.options.bucket, "Key": self.full(key)}

    def told(self, known: Entry) -> Entry:
        """What the service is told of an object beside its bytes."""
        metadata = self.session.service.metadata
        return known if metadata else replace(known, sha256=None, headers=None)

    def head(self, key: str) -> Entry | None:
        """What the service tells of the object at a key; obstore tells no storage class."""
        full = self.full(key)
        by_boto = self.session.options.tell_classes
        carriers = repeat(Boto(self.session)) if by_boto else carriers_for(self.session, full)
        try:
            found = persist(lambda: next(carriers).head(full), self.place(key))
        except NoBucketError:
            raise
        except NotFoundError:
            return None
        return replace(found, key=key, md5=found.md5 if self.md5_etags else None)

    def held(self, key: str) -> Entry | None:
        """What is at a key, for a write that follows: key and version are certain, no more."""
        found = self.looks.tell(self.full(key), lambda: self.head(key))
        return replace(found, key=key) if found else None

    @contextmanager
    def once(self, key: str) -> Iterator[None]:
        """One attempt to write: what was seen at the key before counts for no other."""
        try:
            yield
        finally:
            self.looks.forget(self.full(key))

    def look(self, key: str, expected: Entry | None) -> None:
        """Raise unless `key` holds what is expected right now."""
        held = self.held(key)
        if held or expected:
            self.compare(held or Entry(key, 0), expected)

    def compare(self, held: Entry, expected: Entry | None) -> None:
        """Raise `PreconditionError` unless what is held is what is expected."""
        if expected is None or expected.version is None or held.version != expected.version:
            raise PreconditionError(
                f"{self.place(held.key)}: the object is not what was reviewed; plan again"
            )

    def write(
        self,
        known: Entry,
        replacing: Entry | None,
        enforced: bool,
        act: Callable[[Condition], str],
        own: Callable[[Entry], bool] = lambda held: True,
    ) -> str:
        """Write under the condition; the new version, empty where the service does not tell.

        `own` tells whether what has the right bytes is from an attempt whose answer was lost.
        """
        place = self.place(known.key)

        def step() -> str:
            with self.once(known.key):
                return attempt()

        def attempt() -> str:
            if not enforced or (replacing and not replacing.version):
                self.look(known.key, replacing)
                return act(None)
            try:
                return act(ABSENT if replacing is None else replacing.version)
            except FAILURES as problem:
                error = translate(problem, place)
                if replacing and type(error) is NotFoundError:
                    raise PreconditionError(f"{place}: the object is gone; plan again") from None
                raise error from None

        def recognise() -> str | None:
            held = self.head(known.key)
            return held.version if held and same_content(held, known) and own(held) else None

        return persist(step, place, recognise=recognise)

    def confirm(self, known: Entry, version: str) -> Entry:
        """What the service holds after a write that told little; `version` empty: not even that."""
        held, place = self.head(known.key), self.place(known.key)
        if held is None or (version and held.version != version):
            raise PreconditionError(f"{place}: changed by somebody else meanwhile; plan again")
        if held.size != known.size or (known.sha256 and held.sha256 not in (None, known.sha256)):
            raise IntegrityError(f"{place}: holds other bytes; plan again")
        return replace(held, sha256=held.sha256 or known.sha256)


@lru_cache(maxsize=8)
def _unchecked(told: Conditions) -> frozenset[Use]:
    checked = {
        Use.READ: told.source,
        Use.COPY: told.copy,
        Use.KEEP: told.copy,
        Use.DELETE: told.delete,
    }
    return frozenset(use for use, enforced in checked.items() if not enforced)
