"""What is special about Backblaze B2: versions, digests, names, keys, and what requests cost."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from buckia.config import BucketConfig
from buckia.connect import open_remote
from buckia.errors import AccessError, IntegrityError, NotFoundError, PreconditionError, StoreError
from buckia.model import Entry, replace
from buckia.stores import prices
from buckia.stores.b2 import B2Options, B2Store
from buckia.stores.hashing import HashCache
from buckia.stores.usage import NOTHING
from tests.servers.b2 import B2Server, serve_b2
from tests.servers.b2_state import Bucket, File
from tests.stores.conftest import open_b2

SMALL = {"large_threshold": 1000, "part_size": 1000, "copy_limit": 1000}
LARGE = bytes(range(250)) * 10
"""Three parts, where a thousand bytes make one."""

Maker = Callable[..., B2Store]


@pytest.fixture(scope="module")
def server() -> Iterator[B2Server]:
    """A service whose large files are small."""
    with serve_b2(smallest_part=1000, copy_limit=1000) as server:
        yield server


@pytest.fixture
def make(server: B2Server) -> Iterator[Maker]:
    """A maker of stores, each on a new bucket unless told otherwise."""
    stores: list[B2Store] = []

    def make(**options: Any) -> B2Store:
        stores.append(open_b2(server, **{**SMALL, **options}))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(make: Maker) -> B2Store:
    return make()


def put(store: B2Store, key: str, data: bytes, **announced: Any) -> Entry:
    """Create an object."""
    return store.put(Entry(key, len(data), **announced), io.BytesIO(data), replacing=None)


def read(store: B2Store, entry: Entry) -> bytes:
    """The bytes of an object."""
    with store.open(entry) as body:
        return body.read()


def bucket_of(server: B2Server, store: B2Store) -> Bucket:
    """The service's side of a store."""
    return server.by_name(store._options.bucket)


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# versions


def test_what_is_overwritten_or_deleted_remains(server: B2Server, store: B2Store) -> None:
    """A delete hides: the name is absent, and every version is still there to be had back."""
    old = put(store, "key", b"old")
    new = store.put(Entry("key", 3), io.BytesIO(b"new"), replacing=old)
    store.delete(new)
    assert store.head("key") is None
    assert list(store.entries()) == []
    held = bucket_of(server, store).files["key"]
    assert [file.action for file in held] == ["hide", "upload", "upload"]
    assert [file.file_id for file in held[1:]] == [new.version, old.version]
    again = put(store, "key", b"again")
    assert [entry.version for entry in store.entries()] == [again.version]


def test_a_hidden_object_cannot_be_replaced(store: B2Store) -> None:
    """A hide marker means absent for every condition."""
    entry = put(store, "key", b"x")
    store.delete(entry)
    with pytest.raises(PreconditionError):
        store.put(Entry("key", 1), io.BytesIO(b"y"), replacing=entry)
    with pytest.raises(NotFoundError):
        read(store, entry)


def test_the_version_is_the_file_id(server: B2Server, store: B2Store) -> None:
    """Version and time are those of the service."""
    entry = put(store, "key", b"x", type="text/x-own")
    (file,) = bucket_of(server, store).files["key"]
    assert (entry.version, entry.modified) == (file.file_id, file.stamp * 1_000_000)
    assert entry == store.head("key") == next(iter(store.entries()))


def test_no_type_lets_the_service_judge_by_the_name(store: B2Store) -> None:
    """What is announced without a type gets one there."""
    assert put(store, "page.html", b"x").type == "text/html"


def test_what_is_overwritten_or_deleted_comes_back(server: B2Server, store: B2Store) -> None:
    """Each version can be read, large ones too, until it has ended; a marker is none."""
    old = put(store, "key", LARGE)
    new = store.put(Entry("key", 3), io.BytesIO(b"new"), replacing=old)
    store.delete(new)
    past = list(store.past())
    assert [entry.version for entry in past] == [new.version, old.version]
    held = bucket_of(server, store).files["key"]
    assert [entry.modified for entry in past] == [file.stamp * 1_000_000 for file in held[:2]]
    for entry, data in zip(past, (b"new", LARGE), strict=True):
        with store.open_past(entry) as body:
            assert body.read() == data
    held.pop()
    with pytest.raises(NotFoundError):
        store.open_past(past[-1])


@pytest.mark.parametrize("data", [b"x", LARGE], ids=["small", "large"])
def test_changed_headers_leave_no_version_to_bring_back(store: B2Store, data: bytes) -> None:
    """Each change is a version, and holds the bytes of the one before it."""
    lost = store.put(Entry("key", 3), io.BytesIO(b"old"), replacing=None)
    entry = store.put(
        Entry("key", len(data), sha256=sha256(data)), io.BytesIO(data), replacing=lost
    )
    store.put_headers(replace(entry, headers={"meta-a": "b"}), replacing=entry)
    assert [past.version for past in store.past()] == [lost.version]


# digests


@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "small", "large"])
def test_both_digests_come_back_in_listings(store: B2Store, data: bytes) -> None:
    """sha256 travels in the file info; a large file's SHA-1, which B2 does not know, too."""
    put(store, "key", data, sha256=sha256(data), sha1=sha1(data))
    (entry,) = store.entries()
    assert (entry.sha256, entry.sha1) == (sha256(data), sha1(data))


def test_what_was_not_announced_of_a_large_file_is_not_kept(store: B2Store) -> None:
    """The file info is fixed before the first byte: the writer knows more than listings."""
    written = put(store, "key", LARGE)
    (entry,) = store.entries()
    assert written.sha256 == sha256(LARGE)
    assert (entry.sha256, entry.sha1) == (None, None)


@pytest.mark.parametrize(
    ("kept", "info", "known"),
    [
        ("none", {}, None),
        (None, {}, None),
        (f"unverified:{'a' * 40}", {}, None),
        ("none", {"large_file_sha1": "b" * 40}, "b" * 40),
        ("none", {"large_file_sha1": "nonsense"}, None),
        ("C" * 40, {"sha256": "nonsense"}, "c" * 40),
    ],
)
def test_only_proof_counts_as_digest(
    server: B2Server, store: B2Store, kept: str | None, info: dict[str, str], known: str | None
) -> None:
    """No checksum, an unverified one and nonsense are nothing to compare by."""
    server.add(bucket_of(server, store), "key", data=b"x", sha1=kept, info=info)
    (entry,) = store.entries()
    assert (entry.sha1, entry.sha256) == (known, None)
    head = store.head("key")
    assert head is not None and (head.sha1, head.sha256) == (known, None)


def test_bytes_arrive_as_they_are_stored(server: B2Server, store: B2Store) -> None:
    """An object with a content encoding is not decompressed on the way."""
    data = gzip.compress(b"text" * 100)
    info = {"b2-content-encoding": "gzip"}
    server.add(bucket_of(server, store), "key", data=data, sha1=sha1(data), info=info)
    assert read(store, next(iter(store.entries()))) == data


def test_entries_of_others_are_read(server: B2Server, store: B2Store) -> None:
    """An object without any digest is read as far as its size can prove it."""
    server.add(bucket_of(server, store), "key", data=b"plain", sha1="none")
    (entry,) = store.entries()
    assert read(store, entry) == b"plain"
    with pytest.raises(PreconditionError):
        read(store, replace(entry, version="other"))


# names


@pytest.mark.parametrize(
    "key",
    [
        *("", "/a", "a/", "a//b", "a\\b", "a\x1fb", "a\x7f", ".", "..", "a/../b", "./a", "\udc80"),
        *("x" * 251, "x/" * 512 + "x", "ä" * 126),
    ],
)
def test_names_that_b2_cannot_hold_are_refused_before_any_request(key: str) -> None:
    """Also `.` and `..`, which it could, and which clients on the way would resolve."""
    store = B2Store(B2Options("bucket", "id", "key", realm="http://127.0.0.1:1"))
    with pytest.raises(StoreError, match="B2"):
        store.head(key)
    assert store.traffic.usage == NOTHING


def test_the_longest_names_work(store: B2Store) -> None:
    """1,024 bytes, 250 in a segment."""
    name = "/".join(["ä" * 125] * 4)[: 1024 // 2]
    entry = put(store, name, b"x")
    assert read(store, entry) == b"x"


def test_a_prefix_is_never_seen_above(server: B2Server, make: Maker) -> None:
    """Keys are below the prefix in the bucket only."""
    plain = make()
    store = make(bucket=plain._options.bucket, prefix="in/")
    put(plain, "other", b"x")
    put(store, "a/b", b"y")
    assert [entry.key for entry in store.entries()] == ["a/b"]
    assert [entry.key for entry in store.entries("a/")] == ["a/b"]
    assert [entry.key for entry in plain.entries()] == ["in/a/b", "other"]
    assert store.public_url("ä b") == (
        f"{server.endpoint}/file/{plain._options.bucket}/in/%C3%A4%20b"
    )
    assert store.url == f"{plain.url}/in"


# copies


def test_a_copy_keeps_what_the_object_carries(server: B2Server, make: Maker) -> None:
    """File info of others is kept, too, for small objects and for those copied in parts."""
    source, target = make(), make()
    for key, data, digest in (("s", b"small", sha1(b"small")), ("l", LARGE, "none")):
        about = {"type": "text/x-own", "info": {"own": "ä", "sha256": sha256(data)}}
        server.add(bucket_of(server, source), key, data=data, sha1=digest, **about)
    for entry in source.entries():
        copied = target.copy(source, entry, key=f"to/{entry.key}", replacing=None)
        assert copied is not None and copied == target.head(copied.key)
        assert read(target, copied) == read(source, entry)
        assert (copied.type, copied.sha256) == ("text/x-own", entry.sha256)
        (file,) = bucket_of(server, target).files[copied.key]
        assert file.info["own"] == "ä"


def test_a_copied_large_file_keeps_its_sha1(store: B2Store) -> None:
    """Copied in parts, what the service knew as a whole it would know no more."""
    entry = put(store, "from", LARGE, sha1=sha1(LARGE))
    copied = store.copy(store, entry, key="to", replacing=None)
    assert copied is not None and copied.sha1 == sha1(LARGE)


def test_a_key_that_cannot_read_the_source_does_not_copy(server: B2Server, make: Maker) -> None:
    """Between two limited keys the bytes are streamed."""
    source = make()
    entry = put(source, "key", b"x")
    bucket = server.add_bucket()
    key = server.add_key(buckets=(bucket.bucket_id,))
    target = make(bucket=bucket.name, key_id=key.key_id, application_key=key.secret)
    assert target.copy(source, entry, key="key", replacing=None) is None


# large files


@pytest.mark.parametrize("lie", [{"sha256": "0" * 64}, {"sha1": "0" * 40}, {"md5": "0" * 32}])
def test_a_large_file_that_is_another_is_cancelled(
    server: B2Server, store: B2Store, lie: dict[str, str]
) -> None:
    """Nothing unfinished is left behind to be paid for."""
    with pytest.raises(IntegrityError):
        put(store, "key", LARGE, **lie)
    assert not any(bucket_of(server, store).files["key"])


def test_a_large_file_does_not_appear_below_a_newer_one(
    server: B2Server, store: B2Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place in time is where it was begun: a write since then stays on top, and that shows."""
    finish = server.b2_finish_large_file

    def overtaken(key: Any, body: Any) -> Any:
        server.add(bucket_of(server, store), "key", data=b"other", sha1=sha1(b"other"))
        return finish(key, body)

    monkeypatch.setattr(server, "b2_finish_large_file", overtaken)
    with pytest.raises(PreconditionError):
        put(store, "key", LARGE)
    assert read(store, next(iter(store.entries()))) == b"other"


# what it costs


def billed(store: B2Store) -> dict[str, int]:
    """The requests so far by the classes of B2's price list."""
    tariff = prices.find_tariff(store.traffic.tariff)
    assert tariff
    return prices.billed(tariff, store.traffic.usage)


def test_requests_are_counted_as_they_are_billed(server: B2Server, make: Maker) -> None:
    """The store's books are the service's, class by class; a listing costs by the thousand."""
    store = make(page_size=10_000)
    for number in range(1, 2501):
        held = bucket_of(server, store).files[f"n{number:04}"]
        held.append(File(str(number), f"n{number:04}", "", number, data=b"", sha1=sha1(b"")))
    server.cost.update({kind: -count for kind, count in server.cost.items()})
    assert billed(store) == {"A": 0, "B": 0, "C": 0}
    assert len(list(store.entries())) == 2500
    assert billed(store) == {"A": 0, "B": 0, "C": 2 + 3}  # sign in, find the bucket, list
    entry = put(store, "key", b"x")
    assert billed(store) == {"A": 2, "B": 1, "C": 5}  # an upload URL, the upload; a look
    entry = store.put(Entry("key", 1), io.BytesIO(b"y"), replacing=entry)
    assert billed(store) == {"A": 3, "B": 2, "C": 5}
    assert read(store, entry) == b"y"
    assert billed(store) == {"A": 3, "B": 3, "C": 5}
    store.delete(entry)
    assert billed(store) == {"A": 4, "B": 4, "C": 5} == server.cost


# keys


def test_a_key_limited_to_a_bucket_need_not_look_for_it(server: B2Server, make: Maker) -> None:
    """Signing in tells the bucket."""
    bucket = server.add_bucket()
    key = server.add_key(buckets=(bucket.bucket_id,))
    store = make(bucket=bucket.name, key_id=key.key_id, application_key=key.secret)
    entry = put(store, "key", b"x")
    assert read(store, entry) == b"x"
    assert billed(store)["C"] == 1
    other = make(key_id=key.key_id, application_key=key.secret)
    with pytest.raises(AccessError, match="limited to other buckets"):
        list(other.entries())


def test_a_key_limited_to_a_prefix_lists_no_more(server: B2Server, make: Maker) -> None:
    """Below its prefix it does everything; the rest it may not see, so that it lists nothing."""
    bucket = server.add_bucket()
    key = server.add_key(buckets=(bucket.bucket_id,), prefix="mine/")
    store = make(bucket=bucket.name, key_id=key.key_id, application_key=key.secret)
    entry = put(store, "mine/key", b"x")
    assert [found.key for found in store.entries("mine/")] == ["mine/key"]
    asked = len(server.asked)
    for act in (lambda: list(store.entries()), lambda: store.head("other")):
        with pytest.raises(AccessError, match="`mine/`"):
            act()
    assert len(server.asked) == asked
    store.delete(entry)


@pytest.mark.parametrize(
    ("missing", "act"),
    [
        ("listFiles", lambda store: list(store.entries())),
        ("readFiles", lambda store: store.head("key")),
        ("readFiles", lambda store: store.open(Entry("key", 1, version="x"))),
        ("writeFiles", lambda store: put(store, "key", b"x")),
        ("writeFiles", lambda store: store.delete(Entry("key", 1, version="x"))),
        ("writeFiles", lambda store: store.copy(store, Entry("key", 1), key="b", replacing=None)),
    ],
)
def test_a_missing_capability_is_named(
    server: B2Server, make: Maker, missing: str, act: Callable[[B2Store], object]
) -> None:
    """Before a request is made in vain."""
    key = server.add_key(capabilities=server.master.capabilities - {missing})
    store = make(key_id=key.key_id, application_key=key.secret)
    with pytest.raises(AccessError, match=f"lacks `{missing}`"):
        act(store)


@pytest.mark.parametrize(
    "names",
    [
        ("api_key", "password"),
        ("api_key", "storage_api_key"),
        ("application_key_id", "application_key"),
    ],
)
def test_a_configuration_opens_the_store(
    server: B2Server, tmp_path: Any, names: tuple[str, str]
) -> None:
    """Key and application key by any of their names; the domain is the realm."""
    values = dict(zip(names, (server.master.key_id, server.master.secret), strict=True))
    said: dict[str, Any] = {"credentials": values} if names[0] != "api_key" else values
    name = server.add_bucket().name
    config = BucketConfig(provider="b2", bucket_name=name, domain=server.endpoint, **said)
    store = open_remote(config, tmp_path, HashCache())
    assert list(store.entries()) == []
    assert store.url == f"b2://{name}"
    store.close()


def test_secrets_are_not_shown() -> None:
    """Neither by the options nor by the store."""
    options = B2Options("bucket", "id", "K0secret")
    assert "K0secret" not in f"{options!r} {B2Store(options)!r} {B2Store(options).url}"
