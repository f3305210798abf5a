"""Headers in S3: storage classes, what a copy would lose, and when a lost answer was a success."""

from __future__ import annotations

import io
from typing import Any, Final
from unittest import mock

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from buckia.errors import PreconditionError, UnavailableError
from buckia.headers import STORAGE
from buckia.model import Entry, Headers, replace
from buckia.stores import retry, s3_signed
from buckia.stores.s3 import S3Store
from buckia.stores.s3_classes import USUAL, Classes
from buckia.stores.usage import Kind
from tests.servers.s3 import S3Server
from tests.stores.conftest import MOTO, open_s3
from tests.stores.contract import LARGE, entry_for, write

RARE: Final = "STANDARD_IA"
KEYS: Final = pytest.mark.parametrize("key", ["key", "a//b"], ids=["obstore", "botocore"])


@pytest.fixture
def store(moto: S3Server) -> S3Store:
    return open_s3(moto, conditions=MOTO, tell_classes=True)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)


def put(store: S3Store, key: str, data: bytes, headers: Headers) -> Entry:
    entry = replace(entry_for(key, data, "text/css"), headers=headers)
    return store.put(entry, io.BytesIO(data), replacing=None)


def told(store: S3Store, key: str) -> Any:
    """All that the service tells of an object."""
    return store._session.client.head_object(Bucket=store._options.bucket, Key=key)


@KEYS
@pytest.mark.parametrize("data", [b"x", LARGE], ids=["small", "large"])
def test_a_storage_class_is_kept(store: S3Store, key: str, data: bytes) -> None:
    """By uploads, by copies, which left alone give the usual class, and by new headers."""
    entry = put(store, key, data, {STORAGE: RARE})
    assert told(store, key)["StorageClass"] == RARE
    held = store.head(key)
    assert held and held.headers == {STORAGE: RARE}
    assert store.copy(store, entry, key="to", replacing=None)
    assert told(store, "to")["StorageClass"] == RARE
    store.put_headers(
        replace(entry, headers={"meta-a": "b"}), replacing=replace(entry, headers=None)
    )
    held = store.head(key)
    assert held and held.headers == {STORAGE: RARE, "meta-a": "b"}


def listed(store: S3Store, key: str, prefix: str = "") -> Entry:
    """An object as a listing tells of it."""
    return next(entry for entry in list(store.entries(prefix)) if entry.key == key)


def looks(store: S3Store) -> int:
    return store.traffic.usage.requests.get(Kind.LOOK, 0)


def test_a_listing_proves_no_version(store: S3Store) -> None:
    """What has changed since is not copied: the service is asked to check it, and where it does not
    check, as here, a look right before tells."""
    write(store, "key", b"old")
    entry = listed(store, "key")
    write(store, "key", b"new", entry)
    with pytest.raises(PreconditionError):
        store.copy(store, entry, key="to", replacing=None)
    assert store.head("to") is None


def test_a_version_that_the_service_checks_is_not_looked_at(moto: S3Server) -> None:
    """Then a copy is one request."""
    store = open_s3(moto, conditions=replace(MOTO, copy=True, source=True))
    write(store, "key", b"old")
    entry = listed(store, "key")
    assert store.copy(store, entry, key="to", replacing=None)
    assert looks(store) == 0


@pytest.mark.parametrize("rank", [RARE, None], ids=str)
def test_a_copy_takes_the_class_from_a_listing(store: S3Store, rank: str | None) -> None:
    """And nobody looks at the object, whose class is kept all the same."""
    put(store, "other", b"o", {STORAGE: "GLACIER_IR"})
    put(store, "a/é +", b"x", {STORAGE: rank} if rank else {})
    entry = listed(store, "a/é +", "a/")
    with mock.patch.object(s3_signed, "look") as look:
        assert store.copy(store, entry, key="to", replacing=None)
    look.assert_not_called()
    assert looks(store) == 2  # at both ends, whose versions no service checks here
    copied = told(store, "to")
    assert copied.get("StorageClass") == rank
    assert (copied["ContentType"], copied["ContentLength"]) == ("text/css", 1)


def test_a_class_that_no_listing_told_is_looked_up(store: S3Store) -> None:
    """That of an object outside of what was listed, of one that somebody looked at since, and of
    one in a listing that came to no end."""
    entry = put(store, "a/key", b"x", {STORAGE: RARE})
    unknown = replace(entry, headers=None)
    assert list(store.entries("b/")) == []
    next(iter(store.entries()))
    store.copy(store, unknown, key="to", replacing=None)
    list(store.entries())
    held = store.head("a/key")
    assert held
    store._session.classes.learn(["a/key"], {})  # as if it had changed meanwhile
    store.copy(store, held, key="too", replacing=None)
    assert [told(store, key).get("StorageClass") for key in ("to", "too")] == [RARE, RARE]


def test_a_later_listing_counts() -> None:
    """Of one key, of all below a prefix, and that of a service which tells only some classes."""
    classes = Classes()
    assert classes.of("key") is None
    classes.learn(["a/1", "a/2"], {"a/1": RARE})
    assert classes.of("a/1") is None
    classes.finish("a/")
    assert (classes.of("a/1"), classes.of("a/2"), classes.of("b")) == (RARE, USUAL, None)
    classes.learn(["a/1", "a/2"], {"a/2": RARE})
    assert (classes.of("a/1"), classes.of("a/2")) == (USUAL, RARE)
    classes.learn(["a/1"], None)
    assert classes.of("a/1") is None


def test_a_storage_class_can_change(store: S3Store) -> None:
    """To another and back; the usual one is told, too."""
    entry = put(store, "key", b"x", {})
    for name in (RARE, "STANDARD"):
        held = store.head("key")
        assert held
        store.put_headers(replace(entry, headers={STORAGE: name}), replacing=held)
        after = store.head("key")
        assert after and after.headers == {STORAGE: name}


def test_looks_tell_no_storage_class_unless_asked_to(moto: S3Server) -> None:
    """obstore does not tell it, and is quicker."""
    store = open_s3(moto, conditions=MOTO)
    put(store, "key", b"x", {STORAGE: RARE})
    held = store.head("key")
    assert held and held.headers == {}


def test_new_headers_keep_what_only_others_set(store: S3Store) -> None:
    """Language, expiry and where a website sends people."""
    store._session.client.put_object(
        Bucket=store._options.bucket,
        Key="key",
        Body=b"x",
        ContentLanguage="de",
        Expires="Thu, 01 Jan 2099 00:00:00 GMT",
        WebsiteRedirectLocation="/there",
        Metadata={"theirs": "1", "sha256": "0" * 64},
    )
    held = store.head("key")
    assert held and held.headers == {"meta-theirs": "1", STORAGE: "STANDARD"}
    store.put_headers(
        replace(held, headers={"cache-control": "no-store"}), replacing=replace(held, headers=None)
    )
    after = told(store, "key")
    assert after["ContentLanguage"] == "de"
    assert after["WebsiteRedirectLocation"] == "/there"
    assert after["Metadata"] == {"theirs": "1", "sha256": "0" * 64}
    assert after["CacheControl"] == "no-store"


@pytest.mark.parametrize("data", [b"x", LARGE], ids=["small", "large"])
def test_an_object_that_everybody_may_read_stays_so(store: S3Store, data: bytes) -> None:
    """A copy onto itself has the default ACL, unless it is given the old one."""
    entry = put(store, "key", data, {})
    client = store._session.client
    place: dict[str, Any] = {"Bucket": store._options.bucket, "Key": "key"}
    client.put_object_acl(**place, ACL="public-read")
    before = grants(client.get_object_acl(**place))
    store.put_headers(replace(entry, headers={"meta-a": "b"}), replacing=entry)
    assert grants(client.get_object_acl(**place)) == before
    assert ("READ", "http://acs.amazonaws.com/groups/global/AllUsers") in before


def grants(acl: Any) -> set[tuple[str, str]]:
    """Who may do what."""
    held = [(grant["Permission"], grant["Grantee"]) for grant in acl["Grants"]]
    return {(what, who.get("URI") or who["ID"]) for what, who in held}


def test_a_private_object_is_given_no_grants(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets without ACLs refuse any, even those of the owner."""
    entry = put(store, "key", b"x", {})
    asked: list[Any] = []
    copy = store._session.client.copy_object

    def watched(**request: Any) -> Any:
        asked.append(request)
        return copy(**request)

    monkeypatch.setattr(store._session.client, "copy_object", watched)
    store.put_headers(replace(entry, headers={"meta-a": "b"}), replacing=entry)
    assert not [name for name in asked[0] if name.startswith("Grant")]


def refusal(code: str, status: int) -> ClientError:
    meta: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(meta, "GetObjectAcl")


@pytest.mark.parametrize(
    "code", [("AccessDenied", 403), ("NotImplemented", 501), ("MethodNotAllowed", 405)]
)
def test_an_acl_that_nobody_may_read_is_left_out(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, code: tuple[str, int]
) -> None:
    """Many keys may not, many services have none; headers change all the same."""
    entry = put(store, "key", b"x", {})

    def refuse(**_: Any) -> None:
        raise refusal(*code)

    monkeypatch.setattr(store._session.client, "get_object_acl", refuse)
    store.put_headers(replace(entry, headers={"meta-a": "b"}), replacing=entry)
    held = store.head("key")
    assert held and held.headers == {"meta-a": "b", STORAGE: "STANDARD"}


def test_an_acl_that_cannot_be_read_now_leaves_all_as_it_is(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was public must not become private because a service was busy."""
    entry = put(store, "key", b"x", {})

    def refuse(**_: Any) -> None:
        raise refusal("SlowDown", 503)

    monkeypatch.setattr(store._session.client, "get_object_acl", refuse)
    with pytest.raises(UnavailableError):
        store.put_headers(replace(entry, headers={"meta-a": "b"}), replacing=entry)
    held = store.head("key")
    assert held and held.headers == {STORAGE: "STANDARD"}


@pytest.mark.parametrize("ours", [True, False])
def test_bytes_alone_do_not_prove_a_change_of_headers(store: S3Store, ours: bool) -> None:
    """After a lost answer the object is ours only if it has the new headers: its bytes are those it
    had before."""
    entry = write(store, "key", b"x")
    answers: list[Exception] = [
        ConnectTimeoutError(endpoint_url="http://s3"),
        refusal("PreconditionFailed", 412),
    ]

    def act(condition: str | None) -> str:
        raise answers.pop(0)

    def attempt() -> str:
        return store._guard.write(entry, entry, True, act, lambda held: ours)

    if ours:
        assert attempt() == entry.version
    else:
        with pytest.raises(PreconditionError):
            attempt()
