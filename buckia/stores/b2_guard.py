"""One B2 bucket: what is at a key now, and that nothing else is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from buckia.errors import IntegrityError, NotFoundError, PreconditionError
from buckia.model import Entry, replace, same_content
from buckia.stores.b2_errors import persist, shown
from buckia.stores.b2_listing import check_name, entry_of, entry_of_headers
from buckia.stores.b2_session import Account

if TYPE_CHECKING:
    from requests import Response


class Guard:
    """Looks, and writes after a look: the API has no conditional requests."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def name(self, key: str) -> str:
        """The whole name of an object, if B2 can hold it."""
        name = self.account.options.prefix + key
        check_name(name, self.place(key))
        return name

    def place(self, key: str) -> str:
        """An object's name for people."""
        return f"b2://{self.account.options.bucket}/{shown(self.account.options.prefix + key)}"

    def head(self, key: str) -> Entry | None:
        """The object at `key`; None for a hidden one, too. One request of class B."""
        name, place = self.name(key), self.place(key)
        self.account.need("readFiles", name)
        look = self.account.session.get_file_info_by_name
        try:
            told = persist(lambda: look(self.account.options.bucket, name), place)
        except NotFoundError:
            return None
        return replace(entry_of_headers(told, place), key=key)

    def look(self, key: str, expected: Entry | None) -> None:
        """Raise unless `key` holds what is expected right now."""
        if expected is not None:
            self.expect(key, expected)
        elif (held := self.head(key)) is not None:
            self.compare(held, Entry(key, 0))

    def expect(self, key: str, expected: Entry) -> Entry:
        """What is at `key`, if it is what is expected."""
        held = self.head(key)
        return self.compare(held or Entry(key, 0), expected)

    def compare(self, held: Entry, expected: Entry) -> Entry:
        """What is held, if that is what is expected."""
        if held.version is None or held.version != expected.version:
            raise PreconditionError(
                f"{self.place(held.key)}: the object is not what was reviewed; plan again"
            )
        return held

    def write(
        self,
        known: Entry,
        replacing: Entry | None,
        act: Callable[[], Any],
        own: Callable[[Entry], bool],
    ) -> Entry:
        """Look, then write, and see that the service holds what is `known`.

        `own` tells whether what is there comes from an attempt whose answer was lost.
        """
        place = self.place(known.key)

        def step() -> Entry:
            self.look(known.key, replacing)
            return _confirm(replace(entry_of(act(), place), key=known.key), known, place)

        def recognise() -> Entry | None:
            held = self.head(known.key)
            return _confirm(held, known, place) if held and own(held) else None

        return persist(step, place, recognise=recognise)

    def download(self, url: str, span: tuple[int, int] | None, place: str) -> Response:
        """The answer to a request for a file, or for the bytes from one to another of it."""
        session = self.account.session
        answer = persist(lambda: session.download_file_from_url(url, range_=span), place)
        found: Response = answer.response
        return found


def _confirm(held: Entry, known: Entry, place: str) -> Entry:
    """What the service holds after a write, if that is what was written."""
    if same_content(replace(held, sha256=None), replace(known, sha256=None)) is False:
        raise IntegrityError(f"{place}: holds other bytes; plan again")
    return replace(held, sha256=held.sha256 or known.sha256, sha1=held.sha1 or known.sha1)
