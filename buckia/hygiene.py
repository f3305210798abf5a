"""What no document may hold: a loaded credential, an absolute path of this machine. Pure.

Texts of errors are scrubbed, because they come from anywhere. Everything else is refused: a secret
that is the name of a file, say, would have to be taken out of that name first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from buckia.errors import DocumentError
from buckia.model import Listing, Outcome, replace

LEAST: Final = 6
"""Characters a secret has at least: a shorter one would be found in any text."""

_WORD: Final = re.compile(r"[a-z]{0,15}")
"""A secret that is a plain word, as test servers have (`testing`, `minioadmin`): it is found in
names that have nothing to do with it, and gives nothing away that a dictionary does not."""

HIDDEN: Final = "(hidden)"
_NAMES: Final = ("key", "place", "paths")
"""Fields that hold names from a bucket, which may look like a path and are nobody's."""


class Hygiene(Struct, frozen=True):
    """What is looked for.

    secrets  every credential that was loaded
    roots    the project's folder, in every spelling
    homes    the home of whoever runs this
    """

    secrets: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()

    def scrub(self, text: str) -> str:
        """A text for people with secrets hidden and paths relative to the project."""
        for root in _places(self.roots):
            text = re.sub(f"{_absolute(root)}/", "", text)
            text = re.sub(_absolute(root), ".", text)
        for home in _places(self.homes):
            text = re.sub(_absolute(home), HIDDEN, text)
        for secret in self._worth_it():
            text = _whole(secret).sub(HIDDEN, text)
        return text

    def scrubbed(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Outcomes as a journal keeps them."""
        return [
            replace(item, error=self.scrub(item.error)) if item.error else item for item in outcomes
        ]

    def listing(self, listing: Listing) -> Listing:
        """A listing as a plan tells of it: why something was left alone is the text of an error."""
        if not listing.skipped:
            return listing
        told = tuple(replace(item, why=self.scrub(item.why)) for item in listing.skipped)
        return replace(listing, skipped=told)

    def demand_clean(self, data: bytes, what: str) -> bytes:
        """A JSON document that holds none of it; `DocumentError` for one that does."""
        places = (*_places(self.roots), *_places(self.homes))
        wanted = [*self._worth_it(), *places]
        if not any(spelt in data for text in wanted for spelt in _spellings(text)):
            return data  # most documents, told without reading them
        for name, text in _texts(json.loads(data)):
            if any(_whole(secret).search(text) for secret in self._worth_it()):
                self._refuse(what, "a secret of the configuration", name)
            if name not in _NAMES and any(re.search(_absolute(place), text) for place in places):
                self._refuse(what, "an absolute path of this machine", name)
        return data

    def _worth_it(self) -> list[str]:
        return sorted({one for one in self.secrets if _tells(one)}, key=len, reverse=True)

    def _refuse(self, what: str, found: str, name: str) -> None:
        raise DocumentError(
            f"{what} would hold {found} in `{name}`; it was not written; take it out of the name, "
            "path or option that holds it"
        )


CARELESS: Final = Hygiene()
"""Looks for nothing."""


def _places(folders: Iterable[str]) -> list[str]:
    """Folders long enough to be told from other text, the innermost first."""
    return sorted({one.rstrip("/") for one in folders if len(one) > 2}, key=len, reverse=True)


def _whole(secret: str) -> re.Pattern[str]:
    """A secret that is not part of a longer word."""
    return re.compile(rf"(?<![0-9A-Za-z]){re.escape(secret)}(?![0-9A-Za-z])")


def _spellings(text: str) -> set[bytes]:
    """A text as JSON may have it: for most there is one way."""
    return {
        text.encode(),
        *(json.dumps(text, ensure_ascii=a)[1:-1].encode() for a in (True, False)),
    }


def _absolute(place: str) -> str:
    """A pattern for a folder that a path begins with, and not a longer name or a path within."""
    return rf"(?:(?<![\w./-])|(?<=file://)){re.escape(place)}(?![\w.-])"


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a document, with the field it stands in; names of fields are texts too."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name)
    elif isinstance(value, dict):
        for field, item in value.items():
            yield "key", field
            yield from _texts(item, field)


def _tells(secret: str) -> bool:
    """Whether a secret is one that can be told from ordinary text."""
    return len(secret) >= LEAST and not _WORD.fullmatch(secret)
