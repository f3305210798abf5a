"""What a web server calls the state of a document, so that it need not send it twice."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Tag(Struct, frozen=True):
    """What a server said of the state of a document: an ETag, a Last-Modified; either or none."""

    etag: str = ""
    modified: str = ""

    @property
    def condition(self) -> dict[str, str]:
        """The headers that ask for the document only if it is another."""
        if self.etag:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.modified} if self.modified else {}


NO_TAG: Final = Tag()
