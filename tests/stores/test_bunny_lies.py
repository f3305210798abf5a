"""What a Bunny store does when what answers is not Bunny, or asks for less than it should."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from buckia.errors import IntegrityError, StoreError, UnavailableError
from buckia.model import replace
from buckia.stores import retry
from buckia.stores.bunny import BunnyOptions, BunnyStore
from tests.servers.lying_s3 import Answer, Liar, Script, serve_lies
from tests.stores.contract import entry_for, listed

Serve = Callable[[Script], tuple[BunnyStore, Liar]]

DATA = b"content" * 100_000


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a server with a script, and a store on it."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    with ExitStack() as stack:

        def start(script: Script) -> tuple[BunnyStore, Liar]:
            liar = stack.enter_context(serve_lies(script))
            options = BunnyOptions("zone", "password", liar.endpoint, account_key="all-mighty")
            store = BunnyStore(options)
            stack.callback(store.close)
            return store, liar

        yield start


def told(**fields: Any) -> dict[str, Any]:
    """One file of a listing."""
    return {
        "Guid": "0" * 36,
        "ObjectName": "key",
        "Length": 7,
        "LastChanged": "2026-09-30T08:37:34.39",
        "IsDirectory": False,
        **fields,
    }


def as_json(value: Any) -> Answer:
    """An answer in JSON."""
    return Answer(body=json.dumps(value).encode())


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html>Welcome</html>"),
        Answer(body=b""),
        Answer(404, b"<html>Nothing here</html>"),
        Answer(302, b"", {"Location": "http://127.0.0.1:1/"}),
        Answer(403, b"no"),
        as_json({"HttpCode": 200, "Message": "OK"}),
        as_json([{"ObjectName": "key"}]),
        as_json([told(Length=-1)]),
        as_json([told(Length="7")]),
        as_json([told(LastChanged="yesterday")]),
        as_json([told(ObjectName="")]),
        as_json([told(ObjectName="a/b")]),
        as_json([told(), told()]),
        as_json([told(ObjectName="..", IsDirectory=True)]),
    ],
)
def test_a_listing_that_is_none_is_no_empty_one(serve: Serve, answer: Answer) -> None:
    """Nothing of it is used; a redirect is not followed, for the password would go along."""
    store, liar = serve(lambda request: answer)
    with pytest.raises(StoreError):
        listed(store)
    assert len(liar.asked) == 1


def test_a_404_of_bunny_is_an_empty_folder(serve: Serve) -> None:
    """With its own JSON or without a word."""
    for body in (b'{"HttpCode":404,"Message":"Object not found"}', b""):
        store, _ = serve(lambda request, body=body: Answer(404, body))  # type: ignore[misc]
        assert listed(store) == []


@pytest.mark.parametrize("checksum", [None, "", "short", "Z" * 64])
def test_a_checksum_that_is_none_is_not_known(serve: Serve, checksum: str | None) -> None:
    """The object is there, without a digest and with a version."""
    store, _ = serve(lambda request: as_json([told(Checksum=checksum)]))
    (entry,) = store.entries()
    assert entry.sha256 is None
    assert entry.version == f"1790757454390-7-{'0' * 36}"


def test_requests_carry_what_they_must_and_no_more(serve: Serve) -> None:
    """The password of the zone; never the account's key, a `Referer`, or a wish for compression."""
    store, liar = serve(lambda request: as_json([]))
    listed(store, "a b/é")
    (request,) = liar.asked
    assert request.headers["accesskey"] == "password"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert not {"referer", "cookie", "authorization"} & set(request.headers)
    assert "all-mighty" not in str(request)


def test_cookies_are_not_kept(serve: Serve) -> None:
    """A cache in between may send some; one session serves many threads."""
    answer = Answer(body=b"[]", headers={"Set-Cookie": "a=b"})
    store, liar = serve(lambda request: answer)
    listed(store)
    listed(store)
    assert all("cookie" not in request.headers for request in liar.asked)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(body=b"<html>not found</html>"), "other bytes than it holds"),
        (Answer(body=DATA, cut=len(DATA) // 2), "a part only"),
    ],
)
def test_other_bytes_with_status_200_are_refused(serve: Serve, answer: Answer, words: str) -> None:
    """A page that says "not found", and the whole in answer to a request for the rest."""
    entry = replace(entry_for("key", DATA), version=entry_for("key", DATA).sha256)
    held = as_json([told(Checksum=entry.sha256, Length=entry.size)])
    store, liar = serve(lambda request: held if request.key is None else answer)
    store._session.describes = False  # the server knows no such method
    with pytest.raises(IntegrityError, match=words), store.open(entry) as body:
        body.read()
    assert liar.asked[-1].key is None or liar.asked[-1].headers["range"].startswith("bytes=")


def test_no_connection_is_said_in_one_line() -> None:
    """With what to look at, and without the address of the file."""
    store = BunnyStore(BunnyOptions("zone", "password", "http://127.0.0.1:9"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "FIRST_WAIT", 0.0)
        with pytest.raises(UnavailableError, match="no connection; check `region` or `domain`"):
            listed(store)
    store.close()
