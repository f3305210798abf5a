"""The table of faults, row by row: how the run ends, what is recorded, that nothing is lost."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import pytest

from buckia.errors import BuckiaError, PreconditionError, StaleError
from buckia.model import Entry
from buckia.planfile import Plan
from buckia.stores import retry, s3_obstore, s3_session, s3_signed
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from buckia.stores.s3 import S3Options, S3Store
from buckia.stores.s3_services import Conditions
from tests.faults import page
from tests.faults.store import Fault, FaultyStore, Kind
from tests.faults.table import HTTP, STORE, Ends, Row
from tests.helpers import ALL_DELETIONS, Side, World, ops, read_all
from tests.servers.fault_proxy import Asked, Ill, Proxy, Rule, serve_faults
from tests.servers.moto import serve_moto
from tests.servers.rgw import serve_rgw
from tests.tampering import eventful

pytestmark = pytest.mark.usefixtures("hurried")

SMALLEST_PART: Final = 5 * 1024 * 1024
"""Bytes a part must have."""

Strike = Callable[[], AbstractContextManager[Any]]

END: Side = {
    "b/kept": b"b/kept",
    "fresh": b"fresh",
    "mine": b"mine, changed",
    "renamed": b"old",
    "theirs": b"theirs, changed",
    "there": b"there",
}
"""Both sides, when all is done."""


def rows(table: tuple[Row, ...], *, usual: Callable[[int], bool] = lambda at: True) -> list[Any]:
    """The rows as parameters; those that are not usual run with `-m faults` alone."""
    return [
        pytest.param(
            row,
            id=f"{row.during}: {row.fault}",
            marks=pytest.mark.faults(long=not usual(at)),
        )
        for at, row in enumerate(table)
    ]


class Trial:
    """One row tried in one world."""

    def __init__(self, row: Row, world: World, strike: Strike) -> None:
        self.row = row
        self.world = world
        self.strike = strike
        self.before = world.both()
        self.contents = world.everything()
        self.lock = world.lock()
        self.plan: Plan | None = None

    def run(self) -> None:
        """Plan and apply under the fault, then without it."""
        assert self.end() == self.row.ends
        self.check_losses()
        self.check_record()
        self.resume()

    def end(self) -> Ends:
        """Plan and apply, the fault striking the one or the other; how that ended."""
        planning = "plan" in self.row.during
        try:
            if planning:
                with self.strike():
                    self.plan = self.world.plan()
                applied = self.world.apply(self.plan)
            else:
                self.plan = self.world.plan()
                with self.strike():
                    applied = self.world.apply(self.plan)
        except BuckiaError as problem:
            assert "\n" not in str(problem)
            return Ends(str(problem.exit_code))
        assert all("\n" not in str(outcome.error) for outcome in applied.failed)
        return Ends.INCOMPLETE if applied.failed else Ends.DONE

    def check_losses(self) -> None:
        """No content is gone; after a failure no key is; what nobody named is as it was."""
        assert self.contents <= self.world.everything()
        after = self.world.both()
        if self.row.ends in (Ends.STALE, Ends.BLOCKED, Ends.UNREACHABLE):
            assert after == self.before
        deleting = self.row.during in ("deletion", "rename, the old name")
        if self.row.ends is not Ends.DONE and not deleting:
            pairs = zip(self.before, after, strict=True)
            assert all(old.keys() <= new.keys() for old, new in pairs)
        assert all(side["b/kept"] == b"b/kept" for side in after)

    def check_record(self) -> None:
        """The lockfile says what is there, and only that."""
        state = self.world.lock().state("main")
        if self.row.ends in (Ends.STALE, Ends.BLOCKED, Ends.UNREACHABLE):
            assert self.world.lock() == self.lock
            return
        assert state.partial == (self.row.ends is Ends.INCOMPLETE)
        if not self.row.believed:
            new = {k: v for k, v in state.entries.items() if self.lock_entries.get(k) != v}
            held = {entry.key: entry for entry in self.world.store().entries()}
            assert {k: v.token for k, v in new.items()} == {k: held[k].version for k in new}

    @property
    def lock_entries(self) -> dict[str, Any]:
        return dict(self.lock.state("main").entries)

    def resume(self) -> None:
        """Without the fault the same plan and a new one lead to the end, and there they stay."""
        if self.row.ends is Ends.INCOMPLETE and "plan" not in self.row.during and self.plan:
            assert not self.world.apply(self.plan).failed
            assert self.world.both() == [END, END]
        for _ in range(2):
            plan = self.world.plan()
            assert plan.applyable
            assert not self.world.apply(plan).failed
        assert ops(self.world.plan()) == []
        assert self.contents <= self.world.everything()
        local, remote = self.world.both()
        assert local == remote
        assert local == END or self.row.believed
        assert self.world.left_behind() == []


@pytest.mark.parametrize("row", rows(STORE))
def test_a_fault_of_a_store(tmp_path: Path, record_property: Any, row: Row) -> None:
    """Whatever a store does to one call, the table says what becomes of it."""
    record_property("faults", "store")
    store = FaultyStore(MemoryStore(), pause=0.001)
    world = eventful(tmp_path, store)
    faults = [strike for strike in row.strikes if isinstance(strike, Fault)]
    Trial(row, world, lambda: store.faults(*faults)).run()
    assert store.hits


@pytest.mark.faults
@pytest.mark.parametrize("count", [4, 100])
@pytest.mark.promise("L6")
def test_a_listing_that_stays_short_deletes_nothing(tmp_path: Path, count: int) -> None:
    """However often half a bucket does not show: a file goes only if a look finds no object."""
    store = FaultyStore(MemoryStore())
    files = {f"{number:03}": str(number).encode() for number in range(count)}
    world = World(tmp_path, {"main": store}, **ALL_DELETIONS).settled(files)
    with store.faults(Fault(Kind.SHORT, "entries")):
        plan = world.plan()
        assert len(plan.actions) == count // 2
        with pytest.raises(StaleError, match="an object in the bucket has appeared"):
            world.apply(plan)
    assert world.both() == [files, files]


# -- over HTTP -------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """A server behind the proxy."""
    if request.param == "moto":
        with serve_moto() as server, serve_faults(server) as found:
            yield found
    else:
        with serve_rgw() as (server, _), serve_faults(server) as found:
            yield found


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of our own are short; those a service asks for are kept."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)


@pytest.fixture
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets no answer waits for a second, not for minutes."""
    row = getattr(request.node, "callspec", None) and request.node.callspec.params.get("row")
    if row and any(isinstance(one, Rule) and one.ill is Ill.SILENT for one in row.strikes):
        monkeypatch.setattr(s3_session, "WORK", 1)
        monkeypatch.setattr(s3_obstore, "SILENCE", 1)
        for name in ("QUICK", "SLOW"):
            monkeypatch.setattr(s3_signed, name, (10, 1))


@pytest.fixture
def bucket(proxy: Proxy, impatient: None) -> Iterator[Store]:
    """A new bucket, seen through the proxy."""
    store = S3Store(
        S3Options(
            proxy.make_bucket(),
            endpoint=proxy.endpoint,
            region="us-east-1",
            access_key_id=proxy.access_key,
            secret_access_key=proxy.secret_key,
            conditions=Conditions(create=True, replace=True),
        )
    )
    yield FaultyStore(store)
    store.close()


@pytest.mark.parametrize("row", rows(HTTP, usual=lambda at: at % 5 == 0))
def test_a_fault_of_a_service(
    tmp_path: Path, record_property: Any, proxy: Proxy, bucket: Store, row: Row
) -> None:
    """Whatever happens between buckia and a service, the table says what becomes of it."""
    record_property("faults", "HTTP")
    rules = [strike for strike in row.strikes if isinstance(strike, Rule)]
    asked: list[Asked] = []

    def strike() -> AbstractContextManager[Any]:
        return proxy.spoilt(*rules)

    trial = Trial(row, eventful(tmp_path, bucket), strike)
    assert trial.end() == row.ends
    asked += [one for one in proxy.asked if _is_struck(one, rules[0])]
    assert any(one.ill for one in asked)
    assert row.most is None or len(asked) <= row.most
    assert rules[0].after != "1" or _waited(asked)
    trial.check_losses()
    trial.check_record()
    trial.resume()


def _waited(asked: list[Asked]) -> bool:
    """Whether nobody came back too soon who had been told when to: botocore and the listing are,
    obstore is not, which carries no more than the first attempt."""
    pairs = pairwise(asked)
    return all(
        two.at - one.at >= 1
        for one, two in pairs
        if one.ill and "object_store" not in one.headers["user-agent"]
    )


def _is_struck(one: Asked, rule: Rule) -> bool:
    return one.method == rule.method and re.search(rule.place, one.target) is not None


@pytest.mark.faults
def test_a_deletion_is_not_repeated_on_what_came_after(
    proxy: Proxy, bucket: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the service checks no condition, every attempt looks first: by the second one the
    object may be somebody else's."""
    old = bucket.put(Entry("k", 3), BytesIO(b"old"), replacing=None)
    name = bucket.url.removeprefix("s3://")

    def meanwhile(seconds: float) -> None:
        proxy.client.put_object(Bucket=name, Key="k", Body=b"theirs")

    monkeypatch.setattr(time, "sleep", meanwhile)
    with proxy.spoilt(Rule(Ill.SWALLOWED, "DELETE", r"/k$")), pytest.raises(PreconditionError):
        bucket.delete(old)
    assert read_all(bucket) == {"k": b"theirs"}


@pytest.mark.faults(long=True)
def test_parts_that_were_joined_are_recognised(proxy: Proxy, bucket: Store) -> None:
    """The answer to the last request of a multipart upload is lost; asked again, the service knows
    no such upload, and the object is there."""
    data = bytes(SMALLEST_PART + 1)
    inner = cast(FaultyStore, bucket).inner
    store = S3Store(
        dataclasses.replace(cast(S3Store, inner)._options, multipart_threshold=SMALLEST_PART)
    )
    with proxy.spoilt(Rule(Ill.SWALLOWED, "POST", "uploadId=", times=1)):
        wanted = Entry("k", len(data), sha256=hashlib.sha256(data).hexdigest())
        stored = store.put(wanted, BytesIO(data), replacing=None)
    assert store.head("k") == stored
    store.close()


def test_the_page_is_the_table() -> None:
    """docs/faults.md is made of these rows."""
    assert page.main(["--check"]) == 0
