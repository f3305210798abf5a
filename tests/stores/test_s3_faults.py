"""What an S3 store does when a service lies, fails, or answers too late."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import unquote

import pytest
from botocore.exceptions import UnauthorizedSSOTokenError

from buckia.errors import (
    AccessError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.model import Entry
from buckia.stores import retry
from buckia.stores.s3 import S3Options, S3Store
from buckia.stores.s3_services import Conditions
from tests.servers.lying_s3 import EPOCH, Answer, Liar, Request, Script, error, page, serve_lies
from tests.servers.rgw import free_ports

ALL = Conditions(create=True, replace=True, delete=True, complete=True, copy=True, source=True)
DATA = b"content"
ENTRY = Entry("key", len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
ETAG = hashlib.md5(DATA).hexdigest()
COPIED = f"<CopyObjectResult><ETag>&quot;{ETAG}&quot;</ETag></CopyObjectResult>".encode()

Serve = Callable[..., tuple[S3Store, Liar]]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Serve:
    """Start a server with a script, and a store on it that believes in every condition."""

    def start(script: Script, service: str | None = None) -> tuple[S3Store, Liar]:
        serving = serve_lies(script)
        liar = serving.__enter__()
        store = S3Store(replace(options(liar.endpoint), service=service))
        request.addfinalizer(lambda: serving.__exit__(None, None, None))
        request.addfinalizer(store.close)
        return store, liar

    return start


def options(endpoint: str) -> S3Options:
    """A store with everything given."""
    return S3Options(
        "bucket",
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="access",
        secret_access_key="very-secret",
        conditions=ALL,
    )


def in_turn(*answers: Answer) -> Script:
    """One answer after another, the last one for ever."""
    queue = list(answers)
    return lambda request: queue.pop(0) if len(queue) > 1 else queue[0]


def held(sha256: str | None = ENTRY.sha256, size: int = len(DATA)) -> Answer:
    """The answer to a HEAD of an object."""
    headers = {"ETag": f'"{ETAG}"', "Last-Modified": EPOCH, "Content-Length": str(size)}
    return Answer(headers={**headers, **({"x-amz-meta-sha256": sha256} if sha256 else {})})


def put(store: S3Store, replacing: Entry | None = None) -> Entry:
    return store.put(ENTRY, io.BytesIO(DATA), replacing=replacing)


LISTINGS: dict[str, tuple[Answer, ...]] = {
    "truncated without a token": (page("a", truncated=True),),
    "repeated token": (
        page("a", truncated=True, token="1"),
        page("b", truncated=True, token="2"),
        page("c", truncated=True, token="1"),
    ),
    "keys out of order": (page("b", "a"),),
    "the same key twice": (page("a", "a"),),
    "the same page twice": (page("a", truncated=True, token="1"), page("a")),
    "a page that goes back": (page("b", truncated=True, token="1"), page("a")),
    "a key outside the prefix": (page("a", "zebra"),),
    "an error on the second page": (page("a", truncated=True, token="1"), error(500, "Internal")),
    "a refusal on the second page": (
        page("a", truncated=True, token="1"),
        error(403, "AccessDenied"),
    ),
    "a body cut short": (Answer(body=page("a", "b").body, cut=200),),
    "a body cut short without a length": (Answer(body=page("a", "b").body[:300]),),
    "nothing": (Answer(),),
    "no connection": (Answer(cut=0),),
    "an error that says 200": (Answer(200, error(200, "InternalError").body),),
    "something else": (Answer(body=b"<html><body>Sign in</body></html>"),),
    "an empty key": (page(""),),
    "no word on truncation": (
        Answer(body=page("a").body.replace(b"<IsTruncated>false</IsTruncated>", b"")),
    ),
    "no size": (Answer(body=page("a").body.replace(b"<Size>1</Size>", b"")),),
    "no ETag": (Answer(body=page("a").body.replace(b"ETag", b"Tag")),),
    "no date": (Answer(body=page("a").body.replace(b"LastModified", b"Last")),),
    "a redirect": (Answer(301, headers={"Location": "http://127.0.0.1:1/"}),),
}


@pytest.mark.parametrize("answers", LISTINGS.values(), ids=LISTINGS)
@pytest.mark.promise("INV-1")
def test_a_doubtful_listing_raises(serve: Serve, answers: tuple[Answer, ...]) -> None:
    """A listing in doubt is an error, never a shorter listing."""
    store, _ = serve(in_turn(*answers))
    with pytest.raises(StoreError):
        list(store.entries("a" if "zebra" in repr(answers) else ""))


def test_a_listing_goes_on_after_a_short_failure(serve: Serve) -> None:
    """A page that fails and then comes is a page like any other."""
    store, liar = serve(
        in_turn(page("a", truncated=True, token="t/+="), error(503, "SlowDown"), page("b", "c"))
    )
    assert [entry.key for entry in store.entries()] == ["a", "b", "c"]
    assert [request.query.get("continuation-token") for request in liar.asked] == [
        None,
        "t/+=",
        "t/+=",
    ]


def test_a_listing_keeps_keys_byte_for_byte(serve: Serve) -> None:
    """Coded keys are decoded once, even those that are no UTF-8."""
    store, _ = serve(in_turn(page("%01", "a+b%2B", "a%2Fb%252F", "x%FFy")))
    keys = [entry.key for entry in store.entries()]
    assert keys == ["\x01", "a b+", "a/b%2F", "x\udcffy"]


def test_a_listing_tells_the_time_to_the_millisecond(serve: Serve) -> None:
    """Times come in nanoseconds, without rounding."""
    store, _ = serve(in_turn(page("a")))
    (entry,) = store.entries()
    assert entry.modified == 1_767_323_045_678_000_000


def test_a_listing_takes_plain_keys_where_nothing_is_coded(serve: Serve) -> None:
    """A service that ignores `encoding-type` has its keys taken literally."""
    body = page("a%20+b").body.replace(b"<EncodingType>url</EncodingType>", b"")
    store, _ = serve(in_turn(Answer(body=body)))
    assert [entry.key for entry in store.entries()] == ["a%20+b"]


def test_a_put_is_sent_again_while_the_service_is_busy(serve: Serve) -> None:
    """A busy service gets the same write again, under the same condition."""
    done = Answer(headers={"ETag": f'"{ETAG}"'})
    store, liar = serve(
        in_turn(error(503, "SlowDown"), error(409, "ConditionalRequestConflict"), done)
    )
    assert put(store).version == ETAG
    assert [request.headers["if-none-match"] for request in liar.asked] == ["*"] * 3


def test_a_put_gives_up_in_the_end(serve: Serve) -> None:
    """A service that stays busy is unavailable, after a bounded number of attempts."""
    store, liar = serve(in_turn(error(503, "SlowDown")))
    with pytest.raises(UnavailableError):
        put(store)
    assert len(liar.asked) == retry.ATTEMPTS


@pytest.mark.parametrize("lost", [Answer(cut=0), error(500, "InternalError")], ids=["cut", "500"])
def test_a_write_recognises_its_own_echo(serve: Serve, lost: Answer) -> None:
    """A condition that fails against our own earlier attempt is success."""
    store, _ = serve(in_turn(lost, error(412, "PreconditionFailed"), held()))
    assert put(store).version == ETAG


def test_a_write_does_not_claim_what_another_wrote(serve: Serve) -> None:
    """After a lost answer, other content at the key is still a failed condition."""
    store, _ = serve(in_turn(Answer(cut=0), error(412, "PreconditionFailed"), held("0" * 64)))
    with pytest.raises(PreconditionError):
        put(store)


def test_a_condition_that_fails_at_once_is_not_looked_into(serve: Serve) -> None:
    """A first attempt that is refused is refused: one request."""
    store, liar = serve(in_turn(error(412, "PreconditionFailed")))
    with pytest.raises(PreconditionError):
        put(store)
    assert len(liar.asked) == 1


def test_replacing_what_is_gone_is_a_failed_condition(serve: Serve) -> None:
    """Amazon answers 404 to `If-Match` on a missing key; a missing bucket is something else."""
    old = Entry("key", 1, version="0" * 32)
    store, _ = serve(in_turn(error(404, "NoSuchKey"), error(404, "NoSuchBucket")))
    with pytest.raises(PreconditionError):
        put(store, old)
    with pytest.raises(NotFoundError, match="no such bucket"):
        put(store, old)


def test_a_body_changed_on_the_way_is_an_integrity_error(serve: Serve) -> None:
    """The service's word that the bytes are others is taken: the second time it is no accident."""
    mangled = error(400, "XAmzContentSHA256Mismatch")
    store, liar = serve(in_turn(mangled, mangled))
    with pytest.raises(IntegrityError):
        put(store)
    assert len(liar.asked) == 2


def test_every_put_is_signed_with_its_content(serve: Serve) -> None:
    """The signature covers the sha256 of the body, so nobody on the way can change it."""
    store, liar = serve(in_turn(Answer(headers={"ETag": f'"{ETAG}"'})))
    for key in ("key", "odd//key"):
        store.put(Entry(key, len(DATA)), io.BytesIO(DATA), replacing=None)
    assert [request.headers["x-amz-content-sha256"] for request in liar.asked] == [ENTRY.sha256] * 2


def test_an_etag_that_is_not_the_md5_is_only_a_token(serve: Serve) -> None:
    """Under encryption ETags look like an md5 and are none; a look proves that the object is there,
    and the store stops promising one."""
    tagged = {"ETag": f'"{"f" * 32}"'}
    found = Answer(headers={**held().headers, **tagged})
    store, _ = serve(in_turn(Answer(headers=tagged), found, page("key")))
    written = put(store)
    assert written.version == "f" * 32
    assert written.md5 == ETAG
    assert store.capabilities.digests == frozenset()
    assert [entry.md5 for entry in store.entries()] == [None]


@pytest.mark.parametrize("key", ["key", "odd//key"])
def test_a_cut_download_raises(serve: Serve, key: str) -> None:
    """A body that ends early is an error, whoever carries it."""

    def script(request: Request) -> Answer:
        return Answer(body=DATA, headers={"ETag": f'"{ETAG}"', "Last-Modified": EPOCH}, cut=3)

    store, _ = serve(script)
    with pytest.raises(StoreError), store.open(Entry(key, len(DATA), version=ETAG)) as body:
        body.read()


@pytest.mark.parametrize("key", ["key", "odd//key"])
def test_a_read_names_the_version(serve: Serve, key: str) -> None:
    """Every read is bound to the version, without quotes."""
    answer = Answer(body=DATA, headers={"ETag": f'"{ETAG}"', "Last-Modified": EPOCH})
    store, liar = serve(in_turn(answer))
    with store.open(Entry(key, len(DATA), version=ETAG)) as body:
        assert body.read() == DATA
    assert liar.asked[0].headers["if-match"] == ETAG


def test_a_delete_names_the_version(serve: Serve) -> None:
    """A delete is bound to the version, and what is gone already is deleted."""
    store, liar = serve(in_turn(Answer(204), error(404, "NoSuchKey"), error(404, "NoSuchBucket")))
    old = Entry("key", 1, version=ETAG)
    store.delete(old)
    store.delete(old)
    assert [request.headers["if-match"] for request in liar.asked] == [ETAG, ETAG]
    with pytest.raises(NotFoundError):
        store.delete(old)


def test_a_copy_names_both_versions(serve: Serve) -> None:
    """A copy is bound to the version it takes and to the one it replaces."""
    store, liar = serve(lambda request: Answer(body=COPIED) if request.method == "PUT" else held())
    source, old = Entry("a b", 7, version=ETAG), Entry("to", 1, version="0" * 32)
    assert store.copy(store, source, key="to", replacing=old) is not None
    headers = liar.asked[1].headers
    assert headers["x-amz-copy-source-if-match"] == ETAG
    assert headers["if-match"] == "0" * 32
    assert headers["x-amz-copy-source"] == "bucket/a%20b"


@pytest.mark.promise("INV-6")
@pytest.mark.parametrize("key", ["a b", "odd//key"])
@pytest.mark.parametrize(("service", "own"), [("ceph", ETAG), ("linode", ETAG), ("minio", None)])
def test_a_service_with_a_header_of_its_own_is_told_in_it(
    serve: Serve, key: str, service: str, own: str | None
) -> None:
    """The version that is copied, by either client: Ceph ignores the header that S3 has for it."""
    store, liar = serve(
        lambda request: Answer(body=COPIED) if request.method == "PUT" else held(), service=service
    )
    store.copy(store, Entry(key, 7, version=ETAG), key="to", replacing=None)
    asked = next(request.headers for request in liar.asked if request.method == "PUT")
    assert asked["x-amz-copy-source-if-match"] == ETAG
    assert asked.get("x-amz-copy-if-match") == own
    assert own is None or "x-amz-copy-if-match" in asked["authorization"]


def test_a_copy_that_is_overwritten_at_once_is_not_claimed(serve: Serve) -> None:
    """What is found after a copy counts only if it is the copy."""
    copied = b"<CopyObjectResult><ETag>&quot;another&quot;</ETag></CopyObjectResult>"
    store, _ = serve(lambda request: Answer(body=copied) if request.method == "PUT" else held())
    with pytest.raises(PreconditionError):
        store.copy(store, Entry("from", 7, version=ETAG), key="to", replacing=None)


@pytest.mark.parametrize("status", [200, 201, 204])
def test_services_differ_in_how_they_say_that_a_body_is_written(serve: Serve, status: int) -> None:
    """Once, and with nothing asked afterwards."""
    store, liar = serve(lambda request: Answer(status, headers={"ETag": f'"{ETAG}"'}))
    assert put(store).version == ETAG
    assert [request.method for request in liar.asked] == ["PUT"]


def test_a_copy_that_its_etag_proves_is_not_looked_at_again(serve: Serve) -> None:
    """One look at the source, one copy. What proves nothing is looked at afterwards."""
    store, liar = serve(lambda r: Answer(body=COPIED) if r.method == "PUT" else held())
    looked = ["HEAD", "PUT", "HEAD"]
    cases = ((ETAG, True, looked[:2]), (None, True, looked[:2]), (None, False, looked))
    for md5, tells, methods in cases:
        store._guard.md5_etags = tells
        liar.asked.clear()
        source = Entry("from", len(DATA), sha256=ENTRY.sha256, md5=md5, version=ETAG)
        copied = store.copy(store, source, key="to", replacing=None)
        assert copied and (copied.key, copied.version, copied.sha256) == ("to", ETAG, ENTRY.sha256)
        assert [request.method for request in liar.asked] == methods


@pytest.mark.parametrize("odd", ["a/../b", "a/./b", "/a", "a\tb"])
def test_a_copy_to_or_from_an_odd_key_names_that_key(serve: Serve, odd: str) -> None:
    """Clients that tidy a path up would read or overwrite another object."""
    store, liar = serve(lambda r: Answer(body=COPIED) if r.method == "PUT" else held())
    for key, to in ((odd, "to"), ("from", odd)):
        liar.asked.clear()
        source = Entry(key, len(DATA), sha256=ENTRY.sha256, md5=ETAG, version=ETAG)
        assert store.copy(store, source, key=to, replacing=None) is not None
        put = next(request for request in liar.asked if request.method == "PUT")
        assert (put.key, unquote(put.headers["x-amz-copy-source"])) == (to, f"bucket/{key}")
        assert liar.asked[0].key == key


def test_an_error_that_comes_with_200_is_no_copy(serve: Serve) -> None:
    """It is tried again, and told where it stays."""
    busy = error(503, "SlowDown").body
    answers = iter([busy, COPIED])
    store, liar = serve(
        lambda r: (
            Answer(body=next(answers, busy))
            if r.method == "PUT"
            else (held() if r.key == "from" else error(404, "NoSuchKey"))
        )
    )
    source = Entry("from", len(DATA), sha256=ENTRY.sha256, md5=ETAG, version=ETAG)
    assert store.copy(store, source, key="to", replacing=None) is not None
    assert [request.method for request in liar.asked].count("PUT") == 2
    with pytest.raises(UnavailableError, match="busy"):
        store.copy(store, source, key="to", replacing=None)


@pytest.mark.parametrize("body", [b"", b"hello", b"<html></html>"])
def test_an_answer_that_is_no_copy_is_not_believed(serve: Serve, body: bytes) -> None:
    """A captive portal answers anything with 200."""
    store, _ = serve(lambda r: Answer(body=body) if r.method == "PUT" else held())
    source = Entry("from", len(DATA), sha256=ENTRY.sha256, md5=ETAG, version=ETAG)
    with pytest.raises(StoreError, match="not S3"):
        store.copy(store, source, key="to", replacing=None)


REFUSALS = {
    "AccessDenied": (403, AccessError, "rights"),
    "InvalidAccessKeyId": (403, AccessError, "access key"),
    "SignatureDoesNotMatch": (403, AccessError, "secret key"),
    "RequestTimeTooSkewed": (403, AccessError, "clock"),
    "ExpiredToken": (400, AccessError, "sign in"),
    "NoSuchBucket": (404, NotFoundError, "bucket"),
    "PermanentRedirect": (301, StoreError, "region"),
    "AuthorizationHeaderMalformed": (400, StoreError, "region"),
    "SlowDown": (503, UnavailableError, "busy"),
    "Weird": (418, StoreError, "418 Weird"),
}


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("ask", ["entries", "put", "odd put", "open", "delete"])
def test_errors_say_what_to_do(serve: Serve, code: str, ask: str) -> None:
    """Each refusal has its class and one line that helps, on every road, without secrets."""
    status, kind, words = REFUSALS[code]
    store, liar = serve(in_turn(error(status, code)))
    old = Entry("key", 1, version=ETAG)
    odd = Entry("odd//key", len(DATA))
    requests: dict[str, Callable[[], object]] = {
        "entries": lambda: list(store.entries()),
        "put": lambda: put(store),
        "odd put": lambda: store.put(odd, io.BytesIO(DATA), replacing=None),
        "open": lambda: store.open(old),
        "delete": lambda: store.delete(old),
    }
    with pytest.raises(kind) as caught:
        requests[ask]()
    text = str(caught.value)
    assert liar.endpoint in text and "bucket" in text
    assert "\n" not in text and "secret" not in text.replace("secret key", "")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert words in text


def test_a_closed_port_is_unavailable() -> None:
    """Nobody listening is not the same as no bucket, on every road."""
    (port,) = free_ports(1)
    store = S3Store(options(f"http://127.0.0.1:{port}"))
    with pytest.raises(UnavailableError, match="no connection"):
        list(store.entries())
    with pytest.raises(UnavailableError, match="no connection"):
        put(store)
    with pytest.raises(UnavailableError, match="no connection"):
        store.put(Entry("odd//key", 0), io.BytesIO(), replacing=None)
    store.close()


def test_nothing_shows_the_secret() -> None:
    """Neither the options nor the store nor its URL show a secret."""
    given = options("http://127.0.0.1:1")
    store = S3Store(given)
    assert "secret" not in repr(given) + repr(store) + store.url
    store.close()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without any trace of AWS."""
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield monkeypatch


def test_missing_credentials_are_said_at_once(bare: pytest.MonkeyPatch) -> None:
    """Without credentials there is an `AccessError` that names the ways to give them."""
    with pytest.raises(AccessError, match="AWS_ACCESS_KEY_ID"):
        S3Store(S3Options("bucket"))


def test_a_session_that_ends_meanwhile_asks_to_sign_in(serve: Serve) -> None:
    """Credentials that cannot be renewed are an `AccessError`, on every road."""
    store, _ = serve(in_turn(held()))

    class Ended:
        def get_frozen_credentials(self) -> None:
            raise UnauthorizedSSOTokenError

    session = store._session
    session.credentials = Ended()  # type: ignore[assignment]
    for ask in (lambda: store.head("key"), lambda: list(store.entries()), lambda: put(store)):
        with pytest.raises(AccessError, match="sign in"):
            ask()


def test_a_missing_profile_is_named(bare: pytest.MonkeyPatch) -> None:
    """A profile that does not exist is an `AccessError`."""
    with pytest.raises(AccessError, match="profile"):
        S3Store(S3Options("bucket", profile="nobody"))


def test_credentials_and_endpoint_come_from_the_environment(
    bare: pytest.MonkeyPatch, serve: Serve
) -> None:
    """What every AWS tool reads is read here too, and a row of Amazon is not taken for granted."""
    _, liar = serve(lambda request: page() if request.key is None else held())
    bare.setenv("AWS_ACCESS_KEY_ID", "from-env")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "from-env-secret")
    bare.setenv("AWS_ENDPOINT_URL_S3", liar.endpoint)
    store = S3Store(S3Options("bucket"))
    assert list(store.entries()) == []
    assert store.head("key") is not None
    assert all("Credential=from-env/" in request.headers["authorization"] for request in liar.asked)
    assert not store.capabilities.create_if_absent
    store.close()


def test_the_environment_does_not_redirect_a_given_endpoint(
    bare: pytest.MonkeyPatch, serve: Serve
) -> None:
    """An endpoint that is given wins over every variable, for all three clients."""
    (nowhere,) = free_ports(1)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        bare.setenv(name, f"http://127.0.0.1:{nowhere}")
    bare.setenv("AWS_SKIP_SIGNATURE", "true")
    bare.setenv("AWS_UNSIGNED_PAYLOAD", "true")
    done = Answer(headers={"ETag": f'"{ETAG}"'})
    store, liar = serve(lambda request: page() if request.key is None else done)
    assert list(store.entries()) == []
    assert put(store).version == ETAG
    store.delete(Entry("key", 1, version=ETAG))
    assert len(liar.asked) == 3
    assert liar.asked[1].headers["x-amz-content-sha256"] == ENTRY.sha256
