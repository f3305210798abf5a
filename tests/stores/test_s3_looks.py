"""Keys looked at together: what a page tells counts as a look does, once and not for long."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from buckia.errors import BuckiaError, PreconditionError, StoreError
from buckia.execution.tasks import TRASH
from buckia.model import Entry
from buckia.stores import retry, s3_listing, s3_looks, s3_signed
from buckia.stores import s3 as s3_module
from buckia.stores.base import Glancing, Use
from buckia.stores.s3 import S3Store
from buckia.stores.s3_carriers import carriers_for, is_rewritten
from buckia.stores.s3_errors import BadAnswer
from buckia.stores.s3_guard import Guard
from buckia.stores.s3_listing import as_bytes
from buckia.stores.s3_looks import WORTH
from buckia.stores.s3_services import Conditions
from buckia.stores.usage import Usage
from tests.servers.s3 import S3Server
from tests.stores.contract import HOSTILE, UNICODE, content, write
from tests.stores.makers import PREFIX, open_s3

NAMES = [f"new-{number:02}" for number in range(WORTH)]
ODD = sorted({*UNICODE, *HOSTILE} - {"line\nbreak"})
"""Keys that moto takes, too."""

ALL = Conditions(create=True, replace=True, delete=True, complete=True, copy=True, source=True)

WRITES = Conditions(create=True, replace=True)
"""A service that checks them of writes alone."""


@pytest.fixture(params=["moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """moto, or a real gateway; retries come at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, S3Server) else found[0]


@pytest.fixture
def store(server: S3Server) -> Iterator[S3Store]:
    """Below a prefix of a bucket of a service that checks neither copies nor deletions."""
    store = open_s3(server, service="ceph", prefix=PREFIX, conditions=WRITES)
    yield store
    store.close()


def filled(store: S3Store, *keys: str) -> list[Entry]:
    """So many objects as a listing tells them, in order."""
    for key in keys or [f"old-{number:02}" for number in range(WORTH)]:
        write(store, key, key.encode())
    return list(store.entries())


def copying(store: S3Store, entries: list[Entry], names: list[str]) -> AbstractContextManager[None]:
    return store.glance({Use.READ: [entry.key for entry in entries], Use.COPY: names})


def copied(store: S3Store, entry: Entry, key: str) -> Entry | None:
    return store.copy(store, entry, key=key, replacing=None)


def deleting(store: S3Store, entries: list[Entry]) -> AbstractContextManager[None]:
    return store.glance({Use.DELETE: [entry.key for entry in entries]})


def used(store: S3Store, before: Usage) -> dict[str, int]:
    """The requests since then."""
    return {str(kind): count for kind, count in (store.traffic.usage - before).requests.items()}


def test_copies_and_deletions_are_looked_at_together(store: S3Store) -> None:
    """One page for what is read, one for what is written, one for what goes; whatever the keys."""
    entries = filled(store, *ODD)
    names = [f"copy/{entry.key}" for entry in entries]
    before = store.traffic.usage
    with copying(store, entries, names):
        for entry, name in zip(entries, names, strict=True):
            copied(store, entry, name)
    alone = sum(is_rewritten(PREFIX + name) for name in names)  # before and after, by botocore
    assert used(store, before) == {"list": 2, "look": 2 * alone, "copy": len(names)}
    before = store.traffic.usage
    with deleting(store, entries):
        for entry in entries:
            store.delete(entry)
    assert used(store, before) == {"list": 1, "delete": len(names)}
    there = {entry.key: content(store, entry.key) for entry in store.entries()}
    assert there == {f"copy/{entry.key}": entry.key.encode() for entry in entries}


def test_what_is_both_read_and_deleted_is_seen_once(store: S3Store) -> None:
    """As what goes to the trash: a copy of it first, then it."""
    entries = filled(store)
    keys = [entry.key for entry in entries]
    before = store.traffic.usage
    with store.glance({Use.READ: keys, Use.KEEP: NAMES, Use.DELETE: keys}):
        for entry, name in zip(entries, NAMES, strict=True):
            copied(store, entry, name)
            store.delete(entry)
    assert used(store, before) == {"list": 2, "copy": WORTH, "delete": WORTH}
    assert [entry.key for entry in store.entries()] == NAMES


@pytest.mark.promise("INV-6")
@pytest.mark.parametrize("what", ["source", "source gone", "target"])
def test_a_copy_of_what_changed_is_refused(store: S3Store, what: str) -> None:
    """By the page alone, as by a look; the others of the portion are copied."""
    entries = filled(store)
    if what == "source":
        write(store, entries[5].key, b"foreign", replacing=entries[5])
    if what == "source gone":
        store.delete(entries[5])
    if what == "target":
        write(store, NAMES[5], b"foreign")
    before = store.traffic.usage
    with copying(store, entries, NAMES):
        for number, (entry, name) in enumerate(zip(entries, NAMES, strict=True)):
            if number == 5:
                with pytest.raises(PreconditionError):
                    copied(store, entry, name)
            else:
                copied(store, entry, name)
    assert used(store, before) == {"list": 2, "copy": WORTH - 1}
    assert content(store, NAMES[5]) == (b"foreign" if what == "target" else None)
    assert content(store, NAMES[6]) == entries[6].key.encode()


@pytest.mark.promise("INV-5")
def test_what_changed_is_not_deleted(store: S3Store) -> None:
    """What is gone counts as deleted, without a request."""
    entries = filled(store)
    write(store, entries[3].key, b"foreign", replacing=entries[3])
    store.delete(entries[4])
    before = store.traffic.usage
    with deleting(store, entries[:]):
        with pytest.raises(PreconditionError):
            store.delete(entries[3])
        store.delete(entries[4])
    assert used(store, before) == {"list": 1}
    assert content(store, entries[3].key) == b"foreign"


@pytest.mark.promise("INV-6")
def test_a_look_counts_for_one_write(store: S3Store) -> None:
    """The page said that nothing is there; by now our own copy is."""
    entries = filled(store)
    with copying(store, entries, NAMES):
        copied(store, entries[0], NAMES[0])
        with pytest.raises(PreconditionError):
            copied(store, entries[1], NAMES[0])
    assert content(store, NAMES[0]) == entries[0].key.encode()


def test_a_write_makes_every_thread_forget(store: S3Store) -> None:
    """What one has seen to be copied another has replaced meanwhile."""
    entries = filled(store)

    def replace() -> None:
        write(store, entries[0].key, b"other", replacing=entries[0])

    with copying(store, entries, NAMES):
        thread = threading.Thread(target=replace)
        thread.start()
        thread.join()
        with pytest.raises(PreconditionError):
            copied(store, entries[0], NAMES[0])
    assert content(store, NAMES[0]) is None


def test_a_copy_is_tried_again_by_a_look_of_its_own(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two attempts somebody put an object there."""
    entries = filled(store)
    send = s3_signed.copy

    def fail(session: Any, key: str, *rest: Any) -> str:
        monkeypatch.setattr(s3_signed, "copy", send)
        store._session.client.put_object(Bucket=session.options.bucket, Key=key, Body=b"foreign")
        raise BadAnswer(500)

    monkeypatch.setattr(s3_signed, "copy", fail)
    with copying(store, entries, NAMES), pytest.raises(PreconditionError):
        copied(store, entries[0], NAMES[0])
    assert content(store, NAMES[0]) == b"foreign"


def test_a_deletion_is_tried_again_by_a_look_of_its_own(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two attempts somebody replaced the object."""
    entries = filled(store)

    class Failing:
        def delete(self, key: str, version: str | None) -> None:
            bucket = store._options.bucket
            store._session.client.put_object(Bucket=bucket, Key=key, Body=b"foreign")
            raise BadAnswer(500)

    def carriers(session: Any, key: str) -> Iterator[Any]:
        yield Failing()
        yield from carriers_for(session, key)

    monkeypatch.setattr(s3_module, "carriers_for", carriers)
    with deleting(store, entries), pytest.raises(PreconditionError):
        store.delete(entries[0])
    assert content(store, entries[0].key) == b"foreign"


def test_what_a_page_told_after_a_copy_is_seen(store: S3Store) -> None:
    """With the digest of its bytes; what is not there is not seen, and `head` has to tell."""
    entries = filled(store)
    for entry, name in zip(entries[1:], NAMES[1:], strict=True):
        copied(store, entry, name)
    before = store.traffic.usage
    with store.glance({Use.SEEN: NAMES}):
        found = store.seen(NAMES[1])
        assert found and (found.key, found.size) == (NAMES[1], len(entries[1].key))
        assert found.md5 == hashlib.md5(entries[1].key.encode()).hexdigest()
        assert store.seen(NAMES[0]) is None
    assert store.seen(NAMES[1]) is None  # what a page told counts no more
    assert used(store, before) == {"list": 1}


def test_what_an_etag_does_not_tell_is_not_seen(store: S3Store) -> None:
    """Where ETags are only tokens."""
    entries = filled(store)
    store._guard.md5_etags = False
    with store.glance({Use.SEEN: [entry.key for entry in entries]}):
        assert store.seen(entries[0].key) is None


def test_a_copy_into_the_trash_is_told_by_its_etag(store: S3Store) -> None:
    """Without a look at its source; where that has changed, it is refused afterwards."""
    entries = filled(store, "a", "b")
    before = store.traffic.usage
    copied(store, entries[0], f"{TRASH}x/a")
    assert used(store, before) == {"look": 1, "copy": 1}  # nothing may be at the target
    write(store, "b", b"B", replacing=entries[1])  # of the same size
    with pytest.raises(PreconditionError):
        copied(store, entries[1], f"{TRASH}x/b")
    with pytest.raises(PreconditionError):
        copied(store, entries[1], "elsewhere")
    assert content(store, "elsewhere") is None


def cleared(store: S3Store, entries: list[Entry]) -> list[type[BuckiaError] | None]:
    with deleting(store, entries):
        return [type(found) if found else None for found in store.clear(entries)]


@pytest.mark.promise("INV-5")
def test_many_are_deleted_if_they_are_what_they_were(store: S3Store) -> None:
    """By one request after one page; what changed stays, what is gone is gone."""
    entries = filled(store)
    write(store, entries[3].key, b"foreign", replacing=entries[3])
    store.delete(entries[4])
    before = store.traffic.usage
    problems = cleared(store, entries)
    assert used(store, before) == {"list": 1, "delete": 1}
    assert problems == [PreconditionError if n == 3 else None for n in range(WORTH)]
    assert [entry.key for entry in store.entries()] == [entries[3].key]
    assert content(store, entries[3].key) == b"foreign"


@pytest.mark.promise("INV-5")
@pytest.mark.parametrize("conditions", [None, ALL])
def test_what_one_request_left_is_deleted_alone(
    server: S3Server, conditions: Conditions | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each after a look of its own: by then one is somebody else's. So are all, where the service
    would check a condition."""
    store = open_s3(server, service="ceph", prefix=PREFIX, conditions=conditions)
    entries = filled(store)

    right = store._session.client.delete_objects

    def fail(**request: Any) -> None:
        monkeypatch.setattr(store._session.client, "delete_objects", right)
        bucket, key = request["Bucket"], request["Delete"]["Objects"][0]["Key"]
        store._session.client.put_object(Bucket=bucket, Key=key, Body=b"foreign")
        raise BadAnswer(500)

    monkeypatch.setattr(store._session.client, "delete_objects", fail)
    if conditions:
        monkeypatch.setattr(Guard, "held", pytest.fail)
    problems = cleared(store, entries)
    assert problems == [None if n or conditions else PreconditionError for n in range(WORTH)]
    assert content(store, entries[0].key) == (None if conditions else b"foreign")
    assert content(store, entries[1].key) is None
    store.close()


def test_an_empty_list_is_cleared(store: S3Store) -> None:
    """With no request at all."""
    before = store.traffic.usage
    assert store.clear([]) == []
    assert used(store, before) == {}


@pytest.mark.parametrize("why", ["old", "another thread", "over"])
def test_what_counts_no_more_is_looked_at_alone(
    store: S3Store, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, by another thread, and when the portion is done."""
    entries = filled(store)

    def work() -> None:
        before = store.traffic.usage
        copied(store, entries[0], NAMES[0])
        store.delete(entries[0])
        assert used(store, before) == {"look": 3, "copy": 1, "delete": 1}
        done.append(True)

    done: list[bool] = []
    if why == "old":
        monkeypatch.setattr(s3_looks, "LASTING", 0.0)
    with copying(store, entries, NAMES):
        if why == "another thread":
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        if why == "old":
            work()
    if why == "over":
        work()
    assert done
    assert store._guard.looks._told == {}


@pytest.mark.promise("INV-6")
def test_of_what_is_left_when_a_page_counts_no_more_another_tells(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is newer: what somebody wrote meanwhile is not overwritten."""
    entries = filled(store, *(f"old-{number:02}" for number in range(2 * WORTH)))
    names = [entry.key.replace("old", "new") for entry in entries]
    now = 0.0
    monkeypatch.setattr(s3_looks, "time", SimpleNamespace(monotonic=lambda: now))
    before = store.traffic.usage
    with copying(store, entries, names):
        for entry, name in zip(entries[:5], names[:5], strict=True):
            copied(store, entry, name)
        assert used(store, before) == {"list": 2, "copy": 5}
        write(S3Store(store._options), names[7], b"foreign")
        before, now = store.traffic.usage, 3.0
        copied(store, entries[5], names[5])
        assert used(store, before) == {"list": 2, "copy": 1}
        with pytest.raises(PreconditionError):
            copied(store, entries[7], names[7])
        copied(store, entries[8], names[8])
        assert used(store, before) == {"list": 2, "copy": 2}
        before, now = store.traffic.usage, 6.0
        for number in range(9, len(entries)):
            copied(store, entries[number], names[number])
        assert used(store, before)["list"] == 2
    assert content(store, names[7]) == b"foreign"


def test_a_page_that_does_not_reach_leaves_the_rest_to_looks(store: S3Store) -> None:
    """Foreign objects lie between."""
    write(store, "old-05/behind", b"x")
    near = filled(store)
    for number in range(2 * len(near)):
        write(store, f"old-05/foreign-{number:03}", b"x")
    mine = [entry for entry in near if "/" not in entry.key]
    store._session.classes.finish("")
    before = store.traffic.usage
    with deleting(store, mine):
        for entry in mine:
            store.delete(entry)
    assert used(store, before) == {"list": 1, "look": WORTH - 6, "delete": WORTH}
    assert all("/" in entry.key for entry in store.entries())


def test_the_last_key_of_a_cut_page_is_seen_and_none_after_it(store: S3Store) -> None:
    """That a key is not in a page says nothing, unless the page went further."""
    entries = filled(store)
    page = s3_listing.list_page

    def short(session: Any, prefix: str, after: bytes, most: int) -> Any:
        return page(session, prefix, after, 6)

    before = store.traffic.usage
    with (
        patch.object(s3_looks, "list_page", short),
        deleting(store, [*entries[:-1], Entry("zzz", 0, version="x")]),
    ):
        for entry in entries[:-1]:
            store.delete(entry)
    assert used(store, before) == {"list": 1, "look": WORTH - 7, "delete": WORTH - 1}
    assert [entry.key for entry in store.entries()] == [entries[-1].key]


def test_few_are_looked_at_one_by_one(store: S3Store) -> None:
    """A page costs more."""
    entries = filled(store)[1:]
    before = store.traffic.usage
    with deleting(store, entries):
        store.delete(entries[0])
    assert used(store, before) == {"look": 1, "delete": 1}


@pytest.mark.parametrize(
    ("service", "conditions", "wanted"),
    [
        ("ceph", None, set(Use) - {Use.READ}),
        ("ceph", WRITES, set(Use)),
        ("r2", None, {Use.COPY, Use.KEEP, Use.DELETE, Use.SEEN}),
        ("aws", None, {Use.SEEN}),
        ("ceph", ALL, {Use.SEEN}),
        ("linode", None, set()),
        ("generic", None, set()),
    ],
)
def test_nothing_is_listed_where_a_condition_is_checked_or_listings_may_be_late(
    moto: S3Server, service: str, conditions: Conditions | None, wanted: set[Use]
) -> None:
    """Then it is all as it was."""
    store = open_s3(moto, service=service, conditions=conditions, addressing="path")
    assert isinstance(store, Glancing)
    assert store.glances == wanted
    before = store.traffic.usage
    with store.glance({use: [f"{use}-{name}" for name in NAMES] for use in Use}):
        pass
    # of sources nothing is known by a listing here, so each has to be asked for its class
    assert used(store, before).get("list", 0) == len(wanted - {Use.READ})
    store.close()


def test_a_source_whose_class_is_not_known_is_looked_at(store: S3Store) -> None:
    """A page more would spare nothing: the class is told by a look."""
    filled(store)
    other = S3Store(store._options)
    before = other.traffic.usage
    with other.glance({Use.READ: [f"old-{number:02}" for number in range(WORTH)]}):
        pass
    assert used(other, before) == {}
    other.close()


def test_a_page_in_doubt_is_no_page(store: S3Store) -> None:
    """Whoever may not list may still copy and delete."""
    entries = filled(store)
    with (
        patch.object(s3_looks, "list_page", side_effect=StoreError("no")) as asked,
        deleting(store, entries),
    ):
        store.delete(entries[0])
    assert asked.call_count == 1
    assert content(store, entries[0].key) is None


def test_pages_that_tell_little_are_given_up(store: S3Store) -> None:
    """Each use by itself: keys far apart here may lie together there."""
    entries = filled(store)
    with patch.object(s3_looks, "list_page", side_effect=StoreError("no")) as asked:
        for _ in range(10):
            with deleting(store, entries):
                pass
    assert asked.call_count == 3
    before = store.traffic.usage
    with copying(store, entries, NAMES):
        pass
    with deleting(store, entries):
        pass
    assert used(store, before) == {"list": 2}


def test_a_page_begins_right_before_its_first_key() -> None:
    """With the usual names nothing is between."""
    for key in ("a/0010", "a/0011", "photo.jpg", "B"):
        assert as_bytes(key[:-1]) < s3_listing.before(key) < as_bytes(key)


# -- many keys before an apply ---------------------------------------------------------------------


def test_many_keys_are_told_as_each_by_itself(store: S3Store) -> None:
    """And their classes are known then, as after a listing of all."""
    there = {entry.key: entry for entry in filled(store, *ODD)}
    wanted = sorted([*ODD, *(f"{key}~" for key in ODD)])
    before = store.traffic.usage
    found = store.seek("", wanted, sorted(there))
    assert used(store, before).keys() == {"list"}
    assert found == {key: there.get(key) for key in wanted}
    for key in ODD:
        head = store.head(key)
        assert head and head.version == there[key].version
        assert store._session.classes.of(PREFIX + key) is not None


def test_nothing_is_told_by_listings_that_may_be_late(moto: S3Server) -> None:
    """Then each key is looked at."""
    store = open_s3(moto, service="generic", addressing="path")
    filled(store)
    assert store.seek("", [f"old-{number:02}" for number in range(WORTH)], []) == {}
    store.close()
