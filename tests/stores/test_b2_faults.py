"""Backblaze B2 on a bad day: refusals, lost answers, expired tokens, broken lines."""

from __future__ import annotations

import io
from typing import Any

import pytest
from b2sdk.v3 import exception as b2  # type: ignore[import-untyped]

from buckia.errors import (
    AccessError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.model import Entry
from buckia.stores.b2 import B2Options, B2Store
from buckia.stores.b2_errors import Unanswered, translate
from buckia.stores.border import MangledError, NoBucketError
from tests.servers.b2 import B2Server
from tests.servers.b2_state import Refusal
from tests.servers.lying_s3 import Answer, serve_lies
from tests.stores.test_b2 import LARGE, Maker, bucket_of, put, read, sha1
from tests.stores.test_b2 import make as make
from tests.stores.test_b2 import server as server
from tests.stores.test_b2 import store as store

BUSY = Refusal(503, "service_unavailable")


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been waited."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


@pytest.fixture(autouse=True)
def signed_in(store: B2Store) -> None:
    """Signed in before anything goes wrong."""
    assert store.head("nothing") is None


def asked(server: B2Server, operation: str) -> int:
    """How often an operation was asked for so far."""
    return server.asked.count(operation)


# what is tried again


@pytest.mark.parametrize(
    "fault",
    [BUSY, Refusal(500, "internal_error"), Refusal(429, "too_many_requests"), Refusal(408, "late")],
)
@pytest.mark.parametrize("operation", ["b2_get_upload_url", "b2_upload_file", "b2_hide_file"])
def test_a_busy_service_is_asked_again(
    server: B2Server, store: B2Store, operation: str, fault: Refusal, waits: list[float]
) -> None:
    """A pause, then the same again; an upload goes to another place."""
    server.fail(operation, fault, fault)
    urls = asked(server, "b2_get_upload_url")
    store.delete(put(store, "key", b"x"))
    assert list(store.entries()) == []
    assert len(waits) == 2
    assert asked(server, "b2_get_upload_url") == urls + (1 if operation == "b2_hide_file" else 3)


def test_patience_ends(server: B2Server, store: B2Store, waits: list[float]) -> None:
    """Five times and no more, also where a look and a write are each tried again."""
    for operation in ("b2_list_file_names", "b2_download_file_by_name", "b2_upload_file"):
        server.fail(operation, *[BUSY] * 5)
    before = len(server.asked)
    with pytest.raises(UnavailableError, match="busy"):
        list(store.entries())
    with pytest.raises(UnavailableError, match="busy"):
        put(store, "key", b"x")
    assert len(server.asked) == before + 10
    assert len(waits) == 8
    with pytest.raises(UnavailableError, match="busy"):
        put(store, "key", b"x")


def test_a_service_that_asks_for_hours_does_not_get_them(
    server: B2Server, store: B2Store, waits: list[float]
) -> None:
    """`Retry-After` is honoured, up to a minute; a pause of our own comes on top."""
    server.fail("b2_list_file_names", Refusal(503, "busy", "", 60), Refusal(429, "slow", "", 7))
    assert list(store.entries()) == []
    assert [int(wait) for wait in waits] == [60, 7]
    server.fail("b2_list_file_names", Refusal(503, "busy", "", 7200))
    with pytest.raises(UnavailableError, match="busy"):
        list(store.entries())
    assert len(waits) == 2


@pytest.mark.parametrize("data", [b"x", LARGE], ids=["small", "large"])
def test_expired_tokens_are_renewed(server: B2Server, store: B2Store, data: bytes) -> None:
    """A day later everything goes on: the account's token and the places for uploads."""
    put(store, "before", data)
    server.expire()
    assert read(store, put(store, "after", data)) == data
    server.expire()
    assert store.head("after") is not None


def test_places_for_uploads_that_expired_are_all_dropped(server: B2Server, store: B2Store) -> None:
    """However many there are from yesterday, one failure is enough to know."""
    bucket = bucket_of(server, store).bucket_id
    for token in map(str, range(9)):
        server.expired.add(token)
        url = f"{server.endpoint}/b2api/v4/b2_upload_file/{bucket}/{token}"
        store._account.info.put_bucket_upload_url(bucket, url, token)
    before = asked(server, "b2_upload_file")
    put(store, "key", b"x")
    assert asked(server, "b2_upload_file") == before + 3


# answers that are lost


@pytest.mark.parametrize("data", [b"x", LARGE], ids=["small", "large"])
def test_a_write_whose_answer_is_lost_is_recognised(
    server: B2Server, store: B2Store, data: bytes
) -> None:
    """It is there once, and not taken for somebody else's."""
    server.fail("b2_finish_large_file" if data is LARGE else "b2_upload_file", None)
    entry = put(store, "key", data)
    assert [file.file_id for file in bucket_of(server, store).files["key"]] == [entry.version]
    assert read(store, entry) == data


def test_a_copy_and_a_delete_whose_answer_is_lost_are_recognised(
    server: B2Server, store: B2Store
) -> None:
    """Neither is done twice."""
    entry = put(store, "from", b"x")
    server.fail("b2_copy_file", None)
    copied = store.copy(store, entry, key="to", replacing=None)
    assert copied == store.head("to")
    server.fail("b2_hide_file", None)
    store.delete(entry)
    files = bucket_of(server, store).files
    assert [len(files[name]) for name in ("from", "to")] == [2, 1]


def test_what_somebody_else_wrote_meanwhile_is_not_ours(server: B2Server, store: B2Store) -> None:
    """After a failure the conditions hold again."""
    bucket = bucket_of(server, store)

    class Body(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if "key" not in bucket.files:
                server.add(bucket, "key", data=b"other", sha1=sha1(b"other"))
            return super().read(size)

    server.fail("b2_get_upload_url", BUSY)
    with pytest.raises(PreconditionError):
        store.put(Entry("key", 1), Body(b"x"), replacing=None)


def test_a_delete_that_comes_second_is_done(server: B2Server, store: B2Store) -> None:
    """Hidden or gone in the moment between the look and the deed."""
    for code in ("already_hidden", "no_such_file"):
        entry = put(store, code, b"x")
        server.fail("b2_hide_file", Refusal(400, code))
        store.delete(entry)


# what is not tried again


@pytest.mark.parametrize(
    ("refusal", "error", "words"),
    [
        (Refusal(403, "storage_cap_exceeded"), StoreError, "storage cap"),
        (Refusal(403, "transaction_cap_exceeded"), StoreError, "transaction cap"),
        (Refusal(403, "download_cap_exceeded"), StoreError, "a cap of the account"),
        (Refusal(403, "access_denied"), AccessError, "access denied"),
        (Refusal(401, "unauthorized"), AccessError, "access denied"),
        (Refusal(401, "email_not_verified"), AccessError, "email"),
        (Refusal(400, "bad_request", "no\nway"), StoreError, r"refused \(bad_request: no\\nway\)"),
        (Refusal(400, "what_is_this", "new"), StoreError, r"refused \(what_is_this: new\)"),
        (Refusal(418, "teapot"), StoreError, r"refused \(418 teapot\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:bad request exception with an unknown")
def test_a_refusal_is_told_at_once(
    server: B2Server, store: B2Store, refusal: Refusal, error: type[Exception], words: str
) -> None:
    """One request, one error that says what to do, and nothing was written."""
    server.fail("b2_upload_file", refusal)
    before = asked(server, "b2_upload_file")
    with pytest.raises(error, match=words) as told:
        put(store, "key", b"x")
    assert type(told.value) is error
    assert asked(server, "b2_upload_file") == before + 1
    assert "\n" not in str(told.value)
    assert store.head("key") is None


def test_bytes_that_changed_on_the_way_are_sent_once_more(server: B2Server, store: B2Store) -> None:
    """The second time it is no accident."""
    mangled = Refusal(400, "bad_request", "Checksum did not match data received")
    server.fail("b2_upload_file", mangled)
    assert read(store, put(store, "key", b"x")) == b"x"
    server.fail("b2_upload_file", mangled, mangled)
    before = asked(server, "b2_upload_file")
    with pytest.raises(IntegrityError, match="on the way"):
        put(store, "other", b"x")
    assert asked(server, "b2_upload_file") == before + 2
    assert store.head("other") is None


def test_a_wrong_key_is_told_at_once(server: B2Server, make: Maker) -> None:
    """Signing in fails once."""
    before = asked(server, "b2_authorize_account")
    with pytest.raises(AccessError, match="`api_key` and `password`"):
        make(application_key="wrong").head("key")
    assert asked(server, "b2_authorize_account") == before + 1


def test_a_missing_bucket_is_not_an_empty_one(server: B2Server, make: Maker) -> None:
    """Neither one that never was nor one that is gone."""
    with pytest.raises(NoBucketError, match="no such bucket"):
        list(make(bucket="never-was").entries())
    store = make()
    put(store, "key", b"x")
    del server.buckets[bucket_of(server, store).bucket_id]
    with pytest.raises(NoBucketError):
        list(store.entries())
    server.fail("b2_upload_file", Refusal(400, "bad_bucket_id"))
    with pytest.raises(NoBucketError):
        put(store, "key", b"x")


# lines that break


def test_a_download_goes_on_where_it_broke(server: B2Server, store: B2Store) -> None:
    """The rest of the same version is asked for, whatever the name has become since."""
    entry = put(store, "key", LARGE)
    server.cuts.extend([0, 700, 900])
    with store.open(entry) as body:
        store.put(Entry("key", 1), io.BytesIO(b"y"), replacing=entry)
        assert body.read() == LARGE


def test_a_download_that_never_comes_whole_is_an_error(server: B2Server, store: B2Store) -> None:
    """A part is never taken for the whole."""
    entry = put(store, "key", LARGE)
    server.cuts.extend([100] * 5)
    with pytest.raises(IntegrityError, match="a part only"):
        read(store, entry)


def test_other_bytes_are_an_error_before_the_last(server: B2Server, store: B2Store) -> None:
    """Who reads as many bytes as were announced has them proved."""
    entry = put(store, "key", b"right")
    bucket_of(server, store).files["key"][0].data = b"wrong"
    with store.open(entry) as body, pytest.raises(IntegrityError, match="other bytes"):
        body.read(5)


def test_an_upload_that_the_service_holds_otherwise_is_an_error(
    server: B2Server, store: B2Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is held against what was sent."""
    upload = server.upload

    def lie(*args: Any) -> Any:
        return {**upload(*args), "contentSha1": "0" * 40}

    monkeypatch.setattr(server, "upload", lie)
    with pytest.raises(IntegrityError, match="other bytes"):
        put(store, "key", b"x")


def test_nobody_there(waits: list[float]) -> None:
    """Nobody listens; the name of the place is told, the key is not."""
    store = B2Store(B2Options("bucket", "id", "K0secret", realm="http://127.0.0.1:1"))
    with pytest.raises(UnavailableError, match="no connection") as told:
        store.head("key")
    assert "secret" not in str(told.value)
    assert len(waits) == 4
    store.close()


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"{}"])
def test_a_service_that_is_not_b2(body: bytes) -> None:
    """Any web server can answer 200."""
    with serve_lies(lambda request: Answer(body=body)) as liar:
        store = B2Store(B2Options("bucket", "id", "key", realm=liar.endpoint))
        with pytest.raises(StoreError, match="not B2"):
            store.head("key")
        store.close()


# listings


def page(*names: str, following: str | None = None, **fields: Any) -> dict[str, Any]:
    """An answer to a listing."""
    whole = {"fileId": "1", "contentLength": 1, "uploadTimestamp": 1, "action": "upload", **fields}
    return {"files": [{**whole, "fileName": name} for name in names], "nextFileName": following}


@pytest.mark.parametrize(
    "pages",
    [
        [page("p/b", "p/a")],
        [page("p/a", "p/a")],
        [page("p/a", "q")],
        [page("p/b", following="p/c"), page("p/a")],
        [page("p/b", following="p/b")],
        [page("p/b", following="p/c"), page(following="p/c")],
        [page("p/a", fileId=None)],
        [page("p/a", contentLength=None)],
        [page("p/a", uploadTimestamp=None)],
        [{"files": [{"action": "upload"}], "nextFileName": None}],
        [{"nextFileName": None}],
        [page("p/b", following="p/c"), Refusal(403, "transaction_cap_exceeded")],
    ],
)
def test_a_listing_is_complete_or_an_error(
    server: B2Server, store: B2Store, monkeypatch: pytest.MonkeyPatch, pages: list[Any]
) -> None:
    """Whatever is odd about a page, the listing ends in an error."""
    answers = iter(pages)

    def answer(key: Any, body: Any) -> Any:
        found = next(answers)
        if isinstance(found, Refusal):
            raise found
        return found

    monkeypatch.setattr(server, "b2_list_file_names", answer)
    with pytest.raises(StoreError):
        list(store.entries("p/"))


def test_a_listing_leaves_out_what_is_no_object(
    server: B2Server, store: B2Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markers and folders, should the service ever tell of them."""
    names = {"files": [*page("a", action="hide")["files"], *page("b")["files"]]}
    monkeypatch.setattr(server, "b2_list_file_names", lambda key, body: names)
    assert [entry.key for entry in store.entries()] == ["b"]


# the table


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (b2.MaxRetriesExceeded(5, [b2.BrokenPipe(), b2.Unauthorized("m", "c")]), AccessError),
        (b2.MaxRetriesExceeded(5, [b2.ServiceError("503")]), UnavailableError),
        (b2.B2RequestTimeout("late"), UnavailableError),
        (b2.UnknownHost(), UnavailableError),
        (b2.TruncatedOutput(1, 2), MangledError),
        (b2.PartSha1Mismatch("id"), MangledError),
        (b2.ChecksumMismatch("sha1", "a", "b"), MangledError),
        (b2.RestrictedBucket(["b"]), AccessError),
        (b2.RestrictedBucketMissing(), AccessError),
        (b2.FileNotPresent(), NotFoundError),
        (b2.NonExistentBucket("b"), NoBucketError),
        (b2.BucketIdNotFound("b"), NoBucketError),
        (b2.PotentialS3EndpointPassedAsRealm(b"<xml>"), StoreError),
        (b2.UnexpectedCloudBehaviour("odd"), StoreError),
        (Unanswered("certificate"), StoreError),
    ],
)
def test_every_problem_has_a_row(problem: Exception, kind: type[StoreError]) -> None:
    """By the nearest class; what retries hide inside counts."""
    told = translate(problem, "b2://bucket/key")
    assert type(told) is kind
    assert str(told).startswith("b2://bucket/key: ")


def test_our_own_errors_pass() -> None:
    """What was translated is not translated again."""
    error = PreconditionError("x")
    assert translate(error, "place") is error
