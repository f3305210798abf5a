"""What stores do when the service says that there are too many of them."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from buckia.errors import StoreError
from buckia.model import Entry
from buckia.stores import retry
from buckia.stores.bunny import BunnyOptions, BunnyStore
from buckia.stores.s3 import S3Store
from buckia.stores.usage import Kind
from tests.servers.b2 import B2Server
from tests.servers.b2_state import Refusal
from tests.servers.bunny import Bunny
from tests.servers.bunny_zone import Zone
from tests.servers.lying_s3 import EPOCH, Answer, Liar, Request, Script, serve_lies
from tests.stores.contract import listed, read, write
from tests.stores.makers import open_b2
from tests.stores.test_s3_faults import ETAG, options

BUSY = Answer(503, b"<Error><Code>SlowDown</Code></Error>")
EMPTY = (
    b'<?xml version="1.0"?><ListBucketResult><Name>b</Name><Prefix></Prefix>'
    b"<IsTruncated>false</IsTruncated></ListBucketResult>"
)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once, and none is still to come from an earlier test."""
    retry.is_repeat()
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)


@contextmanager
def serving(script: Script, workers: int = 8) -> Iterator[tuple[S3Store, Liar]]:
    """A store on a server with a script."""
    with serve_lies(script) as liar:
        made = options(liar.endpoint)
        with closing(S3Store(type(made)(**{**vars(made), "workers": workers}))) as store:
            yield store, liar


def obliging(request: Request) -> Answer:
    """The answers of a service where everything works."""
    headers = {"ETag": f'"{ETAG}"', "Last-Modified": EPOCH}
    match request.method, request.key:
        case "GET", None:
            return Answer(200, EMPTY)
        case "GET", _:
            return Answer(200, b"content", headers)
        case "HEAD", _:
            return Answer(200, b"", {**headers, "Content-Length": "7"})
        case "PUT", _:
            return Answer(200, b"", headers)
    return Answer(204)


ACTS: dict[str, tuple[Callable[[S3Store], object], Kind]] = {
    "requests lists": (lambda store: list(store.entries()), Kind.LIST),
    "obstore looks": (lambda store: store.head("k"), Kind.LOOK),
    "botocore looks": (lambda store: store.head("a//b"), Kind.LOOK),
    "obstore reads": (lambda store: read(store, Entry("k", 7, version=ETAG)), Kind.READ),
    "botocore reads": (lambda store: read(store, Entry("a//b", 7, version=ETAG)), Kind.READ),
    "obstore writes": (
        lambda store: store.put(Entry("k", 7), io.BytesIO(b"content"), replacing=None),
        Kind.WRITE,
    ),
    "botocore writes": (
        lambda store: store.put(Entry("a//b", 7), io.BytesIO(b"content"), replacing=None),
        Kind.WRITE,
    ),
    "botocore deletes": (lambda store: store.delete(Entry("k", 7, version=ETAG)), Kind.DELETE),
}

every_client = pytest.mark.parametrize(("act", "kind"), ACTS.values(), ids=list(ACTS))


@every_client
def test_a_busy_s3_is_asked_by_half_as_many(act: Callable[[S3Store], object], kind: Kind) -> None:
    """Whichever client was told so; and every request is counted, the repeated one as repeated."""
    answers = iter([BUSY])
    with serving(lambda request: next(answers, None) or obliging(request)) as (store, liar):
        assert store.traffic.limit(kind) == 8
        act(store)
        used = store.traffic.usage
        assert used.requests == {kind: 2}
        assert len(liar.asked) == 2
        assert (used.retries, used.throttled) == (1, 1)
        assert store.traffic.limit(kind) == 4
        assert sorted({str(store.traffic.limit(other)) for other in Kind}) == ["4", "8"]


@every_client
def test_no_more_requests_than_workers(act: Callable[[S3Store], object], kind: Kind) -> None:
    """However many threads want to."""
    lock, running, most = threading.Lock(), 0, 0

    def slow(request: Request) -> Answer:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)  # so that a third one would be seen
        with lock:
            running -= 1
        return obliging(request)

    with serving(slow, workers=2) as (store, liar), ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(act, store) for _ in range(6)]:
            done.result()
        assert store.traffic.usage.requests == {kind: 6}
        assert len(liar.asked) == 6
    assert 1 <= most <= 2


def test_a_service_that_fails_otherwise_is_not_crowded() -> None:
    """A refusal, or a fault of its own, says nothing about how many there are."""
    with serving(lambda request: Answer(403)) as (store, _):
        with pytest.raises(StoreError):
            store.head("k")
        assert store.traffic.usage.throttled == 0
        assert store.traffic.limit(Kind.LOOK) == 8


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_b2_is_asked_by_half_as_many(b2: B2Server, status: int) -> None:
    """Class by class."""
    with closing(open_b2(b2)) as store:
        write(store, "before", b"x")
        b2.fail("b2_upload_file", Refusal(status, "busy"))
        write(store, "key", b"x")
        assert store.traffic.limit(Kind.WRITE) == 4
        assert store.traffic.limit(Kind.LOOK) == store.traffic.limit(Kind.LIST) == 8
        assert (store.traffic.usage.retries, store.traffic.usage.throttled) == (1, 1)


def test_bunny_has_limits_of_its_own(bunny: Bunny, bunny_zone: Zone) -> None:
    """Four listings, sixteen deletions, thirty-two transfers, or as many as there are workers."""
    for workers, most in ((100, 32), (8, 8)):
        made = BunnyOptions(bunny_zone.name, bunny_zone.password, bunny.endpoint, workers=workers)
        with closing(BunnyStore(made)) as store:
            found = [store.traffic.most(kind) for kind in (Kind.LIST, Kind.DELETE, Kind.WRITE)]
            assert found == [4, 16, most]
            assert store.traffic.most(Kind.READ) == store.traffic.most(Kind.LOOK) == most


@pytest.mark.parametrize(
    ("kind", "doing", "answer", "limit"),
    [
        (Kind.LIST, "LIST", "400", 2),
        (Kind.LIST, "LIST", "429", 2),
        (Kind.DELETE, "DELETE", "400", 4),
        (Kind.DELETE, "DELETE", "503", 4),
        (Kind.WRITE, "PUT", "429", 4 + 1),  # and one more after four good answers
        (Kind.WRITE, "PUT", "400", 8),
    ],
)
def test_a_busy_bunny_is_asked_by_half_as_many(
    bunny: Bunny, bunny_store: BunnyStore, kind: Kind, doing: str, answer: str, limit: int
) -> None:
    """It says 400 where there are too many listings or deletions; for an upload 400 means that the
    bytes are wrong."""
    bunny.planned[doing] = [answer]
    entry = write(bunny_store, "key", b"x")
    assert listed(bunny_store) == ["key"]
    bunny_store.delete(entry)
    assert bunny_store.traffic.limit(kind) == limit
    assert bunny_store.traffic.usage.retries == 1
    assert bunny_store.traffic.usage.requests == {
        Kind.LIST: bunny.counts["LIST"],
        Kind.LOOK: bunny.counts["DESCRIBE"],
        Kind.WRITE: bunny.counts["PUT"],
        Kind.DELETE: bunny.counts["DELETE"],
    }
