"""A folder on a web server or behind a CDN: read by GET alone, never listed.

What is asked for is bounded before it is read, and no redirect leads from https to http (RFC 9110
for ranges, validators and redirects).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import BinaryIO, Final
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3
from msgspec import Struct

from buckia.errors import (
    AccessError,
    DocumentError,
    IntegrityError,
    NotFoundError,
    StoreError,
    UnavailableError,
    UsageError,
)
from buckia.stores import retry
from buckia.stores.border import BUSY, LATE, UNTRUSTED, Border, Row, shown
from buckia.stores.download import CHUNK, Body, Download
from buckia.stores.http_session import Network
from buckia.stores.meter import Meter
from buckia.stores.network import QUICK, SPARE
from buckia.stores.tag import NO_TAG, Tag
from buckia.stores.traffic import Traffic, shares
from buckia.stores.usage import Kind

_SENT: Final = {"Accept-Encoding": "identity", "User-Agent": "buckia"}
"""On every request: a range and a digest are about the bytes as they are stored."""

_FRESH: Final = {"Cache-Control": "no-cache", "Pragma": "no-cache"}
_REDIRECTS: Final = 5
_CROWDED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_PART: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_STRONG: Final = re.compile(r'"[^"]*"')


class Address(Struct, frozen=True):
    """Where a folder is. `query` may be a token that lets one read, and is never shown."""

    base: str
    query: str = ""

    def of(self, path: str) -> str:
        """The address of a file in the folder."""
        return self.base + quote(path) + self.query


def address(url: str, name: str) -> Address:
    """The folder that a URL means: its own, or that of its document `name`.

    Raises `UsageError` for what is no URL of a web server, and for one that holds a password.
    """
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
        _ = parts.port
    except ValueError:
        host = user = None
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError("this is no URL of a folder; say https://HOST/FOLDER/")
    if user is not None:
        raise UsageError("the URL holds a user's name or password; say it without")
    path = parts.path.removesuffix(name)
    base = f"{parts.scheme}://{parts.netloc}{path if path.endswith('/') else f'{path}/'}"
    return Address(base, f"?{parts.query}" if parts.query else "")


class Document(Struct, frozen=True):
    """A document as a server sent it."""

    data: bytes
    tag: Tag


class Part(Struct, frozen=True):
    """The bytes `first` to `last` of a file as a stream. To be closed."""

    first: int
    last: int
    body: BinaryIO


class BadAnswer(Exception):
    """An answer that is not what was asked for. `after` is what `Retry-After` says."""

    def __init__(self, status: int, after: str) -> None:
        super().__init__(str(status))
        self.status = status
        self.after = after


_FAILURES: Final = (BadAnswer, requests.RequestException, urllib3.exceptions.HTTPError)

_ABSENT: Final[Row] = (NotFoundError, "there is no such file; check the URL, or pull again later")
_REFUSED: Final[Row] = (AccessError, "reading it is refused; check the URL and its token")
_LINE: Final[Row] = (UnavailableError, "no connection; check the URL and the network")
_ROWS: Final[dict[int, Row]] = {
    401: _REFUSED,
    403: _REFUSED,
    404: _ABSENT,
    408: BUSY,
    410: _ABSENT,
    416: (IntegrityError, "it is shorter than it should be; pull again later"),
    429: BUSY,
}


def _meaning(problem: Exception) -> Row:
    if isinstance(problem, BadAnswer):
        status = problem.status
        usual = BUSY if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
        return _ROWS.get(status, usual or (StoreError, f"the answer is {status}; check the URL"))
    if isinstance(problem, requests.exceptions.SSLError):
        return UNTRUSTED
    if isinstance(problem, requests.Timeout | urllib3.exceptions.TimeoutError):
        return LATE
    if isinstance(problem, ValueError):
        return StoreError, "this is no address of a server; check the URL"
    return _LINE


def _asked(problem: Exception) -> float:
    return retry.seconds_in(problem.after) if isinstance(problem, BadAnswer) else 0.0


_BORDER: Final = Border(_FAILURES, _meaning, _asked)


class Web:
    """A folder that can only be read, file by file. Safe for many threads. To be closed."""

    def __init__(self, place: Address, workers: int) -> None:
        self.url = place.base
        self.traffic = Traffic(shares(workers))
        self._place = place
        self._http = Network(workers + SPARE, _SENT)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def document(
        self, name: str, most: int, tag: Tag = NO_TAG, *, fresh: bool = False
    ) -> Document | None:
        """A document of at most so many bytes; None if it is still the one that `tag` is of.

        `fresh` asks caches on the way to ask in their turn. Raises `DocumentError` for a larger one
        and the errors of a store.
        """
        headers = {**tag.condition, **(_FRESH if fresh else {})}
        place = f"{self.url}{name}"
        return _BORDER.persist(lambda: self._document(name, most, tag, headers), place)

    def _document(
        self, name: str, most: int, tag: Tag, headers: Mapping[str, str]
    ) -> Document | None:
        with self._get(name, headers) as answer:
            if answer.status_code == HTTPStatus.NOT_MODIFIED and tag.condition:
                return None
            if answer.status_code != HTTPStatus.OK:
                raise _bad(answer)
            data = bytearray()
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                self.traffic.received(len(chunk))
                data += chunk
                if len(data) > most:
                    raise DocumentError(
                        f"{self.url}{name} is larger than {most // 1024**2} MiB and refused; "
                        "check the URL"
                    )
            told = Tag(answer.headers.get("ETag", ""), _settled(answer.headers))
            return Document(bytes(data), told)

    def open(
        self,
        path: str,
        size: int,
        first: int = 0,
        last: int | None = None,
        *,
        fresh: bool = False,
    ) -> Part:
        """The bytes `first` to `last` of a file of `size` bytes, or all from 0 on where the server
        gives no parts. A line that breaks is taken up where it broke. `fresh` is as for `document`.

        Raises `IntegrityError` as soon as it shows that the file has another size.
        """
        asked = None if last is None else (first, last)
        place = f"{self.url}{shown(path)}"
        caches = _FRESH if fresh else {}
        answer = _BORDER.persist(lambda: self._ask(path, size, asked, caches), place)
        begins, ends = (0, size - 1)
        if asked and answer.status_code == HTTPStatus.PARTIAL_CONTENT:
            begins, ends = asked
        etag = answer.headers.get("ETag", "")
        same = {**caches, **({"If-Range": etag} if _STRONG.fullmatch(etag) else {})}

        def again(offset: int) -> Body:
            rest = (begins + offset, ends)
            found = _BORDER.persist(lambda: self._ask(path, size, rest, same), place)
            whole = found.status_code == HTTPStatus.OK
            return _body(found, skip=begins + offset if whole else 0)

        coming = Download(again, place, ends + 1 - begins, _BORDER, self.traffic, Meter(()))
        return Part(begins, ends, coming.opened(_body(answer)))

    def _ask(
        self,
        path: str,
        size: int,
        part: tuple[int, int] | None,
        headers: Mapping[str, str],
    ) -> requests.Response:
        """The answer to a request for a file, or a part of it, that can be what it should be."""
        asked = {"Range": f"bytes={part[0]}-{part[1]}"} if part else {}
        answer = self._get(path, {**headers, **asked})
        try:
            if answer.status_code == HTTPStatus.PARTIAL_CONTENT and part:
                _demand_part(answer, part, size, f"{self.url}{shown(path)}")
            elif answer.status_code == HTTPStatus.OK:
                told = answer.headers.get("Content-Length", str(size))
                if told != str(size):
                    raise IntegrityError(
                        f"{self.url}{shown(path)}: it has another size; pull again later"
                    )
            else:
                raise _bad(answer)
        except BaseException:
            answer.close()
            raise
        return answer

    def _get(self, path: str, headers: Mapping[str, str]) -> requests.Response:
        """One request and where it is redirected to. The body is left to be read."""
        url = self._place.of(path)
        for _ in range(_REDIRECTS + 1):
            with self.traffic.request(Kind.READ) as turn:
                answer = self._http.get(
                    url, headers=headers, stream=True, timeout=QUICK, allow_redirects=False
                )
                turn.crowded = answer.status_code in _CROWDED
            if not answer.is_redirect:
                return answer
            answer.close()
            url = self._follow(url, answer.headers["Location"])
        raise StoreError(f"{self.url}{shown(path)}: it is redirected too often; check the URL")

    def _follow(self, url: str, location: str) -> str:
        """Where a redirect leads. `StoreError` if that is less safe than here."""
        try:
            target = urljoin(url, location)
            scheme = urlsplit(target).scheme
        except ValueError:
            scheme = ""
        if scheme not in (urlsplit(url).scheme, "https"):
            raise StoreError(f"{self.url}: it is redirected to what is not https; check the URL")
        return target


def _settled(headers: Mapping[str, str]) -> str:
    """The time of the last change, if another one would have got another time: it has whole seconds
    (RFC 9110, section 8.8.2.2)."""
    changed = headers.get("Last-Modified", "")
    try:
        told = parsedate_to_datetime(headers.get("Date", ""))
        return changed if (told - parsedate_to_datetime(changed)).total_seconds() >= 1 else ""
    except (TypeError, ValueError):
        return ""


def _bad(answer: requests.Response) -> BadAnswer:
    return BadAnswer(answer.status_code, answer.headers.get("Retry-After", ""))


def _demand_part(answer: requests.Response, part: tuple[int, int], size: int, place: str) -> None:
    """Raise `IntegrityError` unless an answer begins as the part that was asked for does."""
    told = _PART.fullmatch(answer.headers.get("Content-Range", ""))
    first, last = part
    if told is None or int(told[1]) != first or not first <= int(told[2]) <= last:
        raise IntegrityError(
            f"{place}: the server sent another part than was asked for; look for a proxy"
        )
    if told[3] not in ("*", str(size)):
        raise IntegrityError(f"{place}: it has another size; pull again later")


def _body(answer: requests.Response, skip: int = 0) -> Body:
    """What comes with an answer, without the first `skip` bytes."""

    def chunks() -> Iterator[bytes]:
        left = skip
        for chunk in answer.raw.stream(CHUNK, decode_content=False):
            if rest := chunk[left:]:
                yield rest
            left = max(0, left - len(chunk))

    return Body(chunks(), answer.close)
