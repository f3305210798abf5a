"""Requests that are signed by botocore and sent by a `Line`: many of one kind, for which botocore's
own way through its model of the service costs several times as much.

An answer is what was asked for, or `BadAnswer` is raised; nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree

from buckia.stores.line import Answer
from buckia.stores.network import QUICK, SLOW
from buckia.stores.s3_errors import BadAnswer
from buckia.stores.s3_extras import for_http, for_http_writes
from buckia.stores.s3_session import S3Session
from buckia.stores.s3_signer import EMPTY
from buckia.stores.s3_traffic import asking
from buckia.stores.usage import Kind

Told = Mapping[str, str]
"""Headers, whose names are found in any case."""


def ask_bucket(session: S3Session, query: Mapping[str, str], kind: Kind) -> bytes:
    """The answer to a GET of the bucket itself."""
    words = "&".join(f"{name}={_quoted(value)}" for name, value in sorted(query.items()))
    return _send(session, "GET", f"{session.bucket_path}/?{words}", kind).body


def look(session: S3Session, key: str) -> Told:
    """The headers of an object."""
    return _send(session, "HEAD", target_of(session, key), Kind.LOOK).headers


def get(session: S3Session, key: str, version: str) -> bytes:
    """The whole body of one version, which is held in memory."""
    answer = _send(session, "GET", target_of(session, key), Kind.READ, {"if-match": version})
    tag = answer.headers.get("ETag", "").strip('"')
    if tag and tag != version:  # services exist that ignore the condition
        raise BadAnswer(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
    return answer.body


def put(session: S3Session, key: str, data: bytes, sha256: str, told: Told) -> str:
    """Write a body; `told` are the headers that go along. The new ETag, empty where the service
    does not tell. The digest is signed, so that the service refuses other bytes."""
    headers = {**told, **for_http_writes(session.options)}
    answer = _send(session, "PUT", target_of(session, key), Kind.WRITE, headers, data, sha256)
    return answer.headers.get("ETag", "").strip('"')


def copy(session: S3Session, key: str, source: str, size: int, told: Told) -> str:
    """Copy `source`, a bucket and a key with a slash between, to a key of the same service; `told`
    are the headers that go along. The new ETag, empty where the service does not tell."""
    place = quote(source, safe="/~", errors="surrogateescape")
    told = {**told, **session.service.again(told)}
    headers = {"x-amz-copy-source": place, **told, **for_http_writes(session.options)}
    target = target_of(session, key)
    root = parsed(_send(session, "PUT", target, Kind.COPY, headers, size=size).body)
    if name_of(root) == "Error":  # Amazon S3 API reference, CopyObject: it may come with 200
        raise BadAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, _code(root))
    if name_of(root) != "CopyObjectResult":
        raise BadAnswer(HTTPStatus.OK, "bad answer")
    return next((child.text or "" for child in root if name_of(child) == "ETag"), "").strip('"')


def delete(session: S3Session, key: str, told: Told) -> None:
    """Delete an object; `told` are the headers that go along. Services differ in what they say of
    one that is gone already."""
    _send(session, "DELETE", target_of(session, key), Kind.DELETE, told)


def parsed(body: bytes) -> ElementTree.Element:
    """A document of the service. Raises `BadAnswer` for what is none."""
    try:
        return ElementTree.fromstring(body)  # noqa: S314  (expat bounds what entities expand to)
    except ElementTree.ParseError:
        raise BadAnswer(HTTPStatus.OK, "bad answer") from None


def name_of(node: ElementTree.Element) -> str:
    """The name of an element without its namespace: services differ in whether they give one."""
    return node.tag.rpartition("}")[2]


def error_code(body: bytes) -> str:
    """The code of an error document, empty where there is none."""
    try:
        return _code(parsed(body))
    except BadAnswer:
        return ""


def _code(root: ElementTree.Element) -> str:
    return next((child.text or "" for child in root if name_of(child) == "Code"), "")


def _send(
    session: S3Session,
    method: str,
    target: str,
    kind: Kind,
    headers: Told | None = None,
    body: bytes = b"",
    sha256: str = EMPTY,
    size: int = 0,
) -> Answer:
    """An answer; `size` bytes are moved by the service meanwhile."""
    wanted = {**for_http(session.options), **(headers or {})}
    with asking(session.traffic, kind, size or len(body)):  # only then: a signature ages
        signed = session.sign(method, target, wanted, sha256)
        answer = session.line.ask(method, target, signed, QUICK if kind in _QUICK else SLOW, body)
        if body:
            session.traffic.sent(len(body))
        if answer.status not in _RIGHT.get(kind, (HTTPStatus.OK,)):
            after = answer.headers.get("Retry-After", "")
            raise BadAnswer(answer.status, error_code(answer.body), after)
    return answer


_RIGHT: Final = {
    Kind.WRITE: (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT),
    Kind.DELETE: (HTTPStatus.NO_CONTENT, HTTPStatus.OK, HTTPStatus.ACCEPTED),
}
"""How services say that a body was written or an object deleted: Amazon by the first."""

_QUICK: Final = {Kind.LIST, Kind.LOOK, Kind.SETTINGS}


def target_of(session: S3Session, key: str) -> str:
    """The path of an object, as requests name it."""
    return f"{session.bucket_path}/{quote(key, safe='/~', errors='surrogateescape')}"


def _quoted(value: str) -> str:
    return quote(value, safe="", errors="surrogateescape")
