"""What `buckia gc` finds and clears: uploads that were cut off, objects and files of our own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from buckia.config import BucketConfig, Config
from buckia.errors import AccessError, Interrupted, LockedError, StoreError, UsageError
from buckia.lease import Holder
from buckia.lease import claims as lease_claims
from buckia.lease import note as lease_note
from buckia.model import Entry, replace
from buckia.project import Project
from buckia.rules import STAGE
from buckia.runs import leftovers
from buckia.runs.leftovers import Found, Kind, Leftover
from buckia.stores.b2 import B2Store
from buckia.stores.base import Store, Uploading
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from buckia.stores.s3 import S3Options, S3Store
from buckia.stores.s3_bench import S3Bench
from tests.servers.b2 import B2Server, serve_b2
from tests.servers.lying_s3 import serve_lies
from tests.servers.mannered_s3 import Blob, MannerlyS3
from tests.servers.s3 import S3Server
from tests.stores.conftest import open_b2, open_s3

HOUR = 3600
SECOND = 1_000_000_000
BIG = b"x" * (11 * 1024 * 1024)
"""Three parts."""

WRITTEN = 1_767_323_045.678
"""When everything in a `MannerlyS3` was written, in seconds since 1970."""


class Cut(BytesIO):
    """A body that breaks off after a while, as a process does that is killed."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 8 * 1024 * 1024:
            raise SystemExit
        return super().read(size)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many hours pass on the clocks of services."""
    now = leftovers._now

    def pass_by(hours: float) -> None:
        monkeypatch.setattr(
            leftovers, "_now", lambda store: now(store) + int(hours * HOUR * SECOND)
        )

    return pass_by


@pytest.fixture(params=["moto", "b2", pytest.param("rgw", marks=pytest.mark.rgw)])
def store(request: pytest.FixtureRequest) -> Iterator[S3Store | B2Store]:
    """A store of large files, below a prefix of its bucket."""
    makers: dict[str, Callable[[], S3Store | B2Store]] = {
        "moto": lambda: open_s3(request.getfixturevalue("moto"), prefix="team/"),
        "rgw": lambda: open_s3(request.getfixturevalue("rgw")[0], prefix="team/"),
        "b2": lambda: open_b2(request.getfixturevalue("b2"), prefix="team/"),
    }
    made = makers[request.param]()
    yield made
    made.close()


def project(folder: Path, store: Store) -> Project:
    """A project with this bucket."""
    options: dict[str, Any] = {"provider": "local", "bucket_name": "../bucket", "paths": ["tree/"]}
    bucket = BucketConfig(name="main", **options)
    return Project(Config(folder, None, {"main": bucket}), stores={"main": store})


def scripted(server: S3Server) -> S3Store:
    """A store on a service of the tests."""
    return S3Store(S3Options("b", server.endpoint, "x", access_key_id="a", secret_access_key="b"))


def put(store: Store, key: str, data: bytes = b"1") -> Entry:
    return store.put(Entry(key, len(data)), BytesIO(data), replacing=None)


def cut_off(store: S3Store | B2Store, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin an upload in parts and be killed: nothing of ours ends it."""
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        if isinstance(store, S3Store):
            patch.setattr(store._session.client, "abort_multipart_upload", lambda **_: None)
        else:
            patch.setattr(store._account.session, "cancel_large_file", lambda _: None)
        store.put(Entry(key, len(BIG)), Cut(BIG), replacing=None)


def kinds(found: Found) -> list[tuple[Kind, str]]:
    return [(item.kind, item.entry.key) for item in found.leftovers]


def test_an_upload_that_was_cut_off_is_found_and_ended(
    store: S3Store | B2Store,
    later: Callable[[float], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With what it weighs; not before it is old enough, and nothing else goes with it."""
    put(store, "whole", b"whole")
    cut_off(store, "big/é +%20.bin", monkeypatch)
    with project(tmp_path, store) as opened:
        assert opened.leftovers(age=HOUR).leftovers == ()
        later(1.5)
        assert opened.leftovers(age=2 * HOUR).leftovers == ()
        found = opened.leftovers(age=HOUR)
        assert kinds(found) == [(Kind.UPLOAD, "big/é +%20.bin")] and not found.unseen
        assert found.leftovers[0].entry.size >= 5 * 1024 * 1024
        assert list(opened.clear(found.leftovers)) == list(found.leftovers)
        assert list(store.uploads.begun()) == []
        assert opened.leftovers(age=HOUR).leftovers == ()
    assert [entry.key for entry in store.entries()] == ["whole"]
    put(store, "big/é +%20.bin", BIG)


def test_what_is_outside_of_the_prefix_is_somebody_elses(
    moto: S3Server, later: Callable[[float], None], tmp_path: Path
) -> None:
    """Stores see what is theirs."""
    mine = open_s3(moto, prefix="mine/")
    place: dict[str, Any] = {"Bucket": mine._options.bucket, "Key": "yours/x"}
    moto.client.create_multipart_upload(**place)
    later(10)
    with project(tmp_path, mine) as opened:
        assert opened.leftovers(age=HOUR).leftovers == ()


def test_an_upload_that_grows_is_left_alone(
    later: Callable[[float], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long ago it was begun: what counts is its newest part."""
    with serve_b2() as server:
        store = open_b2(server)
        cut_off(store, "slow", monkeypatch)
        (started,) = [f for f in server.all_files() if f.action == "start"]
        started.stamp -= 10 * HOUR * 1000
        with project(tmp_path, store) as opened:
            assert opened.leftovers(age=HOUR).leftovers == ()
            for number in started.part_stamps:
                started.part_stamps[number] -= 10 * HOUR * 1000
            found = opened.leftovers(age=HOUR)
            assert kinds(found) == [(Kind.UPLOAD, "slow")]
            started.part_stamps[1] += 10 * HOUR * 1000  # a part has come since
            list(opened.clear(found.leftovers))
            assert len(list(store.uploads.begun())) == 1
        store.close()


def test_an_upload_that_ended_meanwhile_is_ended(store: S3Store | B2Store, tmp_path: Path) -> None:
    """Whoever was quicker."""
    gone = Entry("x", 0, version="nonesuch", modified=1)
    if isinstance(store, B2Store):
        assert store.uploads.weigh(gone) is None
        return
    with project(tmp_path, store) as opened:
        begun = store._session.client.create_multipart_upload(
            Bucket=store._options.bucket, Key="team/x"
        )
        upload = replace(gone, version=begun["UploadId"])
        store.uploads.end(upload)
        store.uploads.end(upload)
        assert store.uploads.weigh(upload) is None
        list(opened.clear([Leftover(Kind.UPLOAD, "main", upload)]))


@pytest.mark.parametrize("coding", ["told", "untold", "none"])
def test_every_page_of_s3_is_read_and_every_key_comes_as_it_is(coding: str) -> None:
    """However the service codes them."""
    keys = ["é/ü", "+ %2B", "100%", "c", *(["a\x1bb"] if coding == "told" else [])]
    uploads: dict[str, tuple[str, dict[int, bytes]]]
    uploads = {f"{n}": (key, {}) for n, key in enumerate(keys)}
    service = MannerlyS3(page=1, uploads=uploads, coding=coding)
    with serve_lies(service) as server:
        found = [upload.key for upload in scripted(server).uploads.begun()]
    assert sorted(found) == sorted(keys)
    assert service.calls["ListMultipartUploads"] == len(keys)


def test_all_pages_are_read(b2: B2Server, later: Callable[[float], None], tmp_path: Path) -> None:
    """Of uploads, and of their parts."""
    store = open_b2(b2)
    begin = store._account.session.start_large_file
    for number in range(230):
        begin(store._account.bucket_id, f"{number:03}", "text/plain", {})
    later(5)
    with project(tmp_path, store) as opened:
        assert len(opened.leftovers(age=HOUR).leftovers) == 230
    store.close()


# -- objects of our own ----------------------------------------------------------------------------


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """A bucket whose clock is the real one."""
    return MemoryStore(clock=time.time_ns)


def test_objects_of_killed_runs_are_cleared_and_nothing_beside_them(
    memory: MemoryStore, later: Callable[[float], None], tmp_path: Path
) -> None:
    """What is content, in the trash, a marker or the lockfile is none of them."""
    kept = [
        *("a", "probe/x", "x/.buckia/probe/y", ".buckia/lock.json"),
        *(".buckia/trash/p/a", ".buckia/identity/x", ".buckia/probe", ".buckia/other/x"),
    ]
    for key in (*kept, ".buckia/probe/12/first", f"{lease_claims.PREFIX}0123"):
        put(memory, key)
    later(2)
    put_later = put(memory, ".buckia/probe/young")
    with project(tmp_path, memory) as opened:
        assert opened.leftovers(age=3 * HOUR).leftovers == ()
        found = opened.leftovers(age=HOUR)
        assert (Kind.CLAIM, f"{lease_claims.PREFIX}0123") in kinds(found)
        assert (Kind.SCRATCH, ".buckia/probe/12/first") in kinds(found)
        list(opened.clear([i for i in found.leftovers if i.entry.key != put_later.key]))
    assert {entry.key for entry in memory.entries()} == {*kept, put_later.key}


def test_what_was_written_anew_since_is_left(memory: MemoryStore, tmp_path: Path) -> None:
    """It is somebody's again."""
    old = put(memory, ".buckia/probe/x")
    memory.put(Entry(old.key, 3), BytesIO(b"new"), replacing=old)
    with project(tmp_path, memory) as opened:
        list(opened.clear([Leftover(Kind.SCRATCH, "main", old)]))
    assert memory.head(old.key)


def test_a_lease_is_cleared_when_it_has_expired(
    memory: MemoryStore, later: Callable[[float], None], tmp_path: Path
) -> None:
    """And then as long again as was asked for; one that was renewed since is its holder's."""
    entry = lease_note.write(memory, Holder(id="dead", ttl_s=HOUR), replacing=None)
    with project(tmp_path, memory) as opened:
        later(1.9)
        assert opened.leftovers(age=HOUR).leftovers == ()
        later(2.2)
        found = opened.leftovers(age=HOUR)
        assert kinds(found) == [(Kind.LEASE, lease_note.KEY)]
        lease_note.write(memory, Holder(id="alive", ttl_s=HOUR), replacing=entry)
        list(opened.clear(found.leftovers))
        assert memory.head(lease_note.KEY)
        list(opened.clear(opened.leftovers(age=HOUR).leftovers))
        assert memory.head(lease_note.KEY) is None


def test_the_age_is_told_by_the_clock_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A computer whose clock is wrong clears nothing that is young."""
    service = MannerlyS3()
    with serve_lies(service) as server:
        store = scripted(server)
        put(store, key := ".buckia/probe/x")
        service.objects[key] = Blob(service.objects[key].data, modified=WRITTEN)
        monkeypatch.setattr(S3Bench, "reach", lambda bench: WRITTEN + 2 * HOUR)
        with project(tmp_path, store) as opened:
            assert opened.leftovers(age=3 * HOUR).leftovers == ()
            assert len(opened.leftovers(age=HOUR).leftovers) == 1


# -- files of this machine -------------------------------------------------------------------------


def age_of(path: Path, hours: float) -> None:
    then = time.time() - hours * HOUR
    os.utime(path, (then, then), follow_symlinks=False)


def test_temporary_files_are_cleared_when_they_are_old(tmp_path: Path) -> None:
    """Here and in a directory as bucket; files of people stay, whatever they are called."""
    folder, bucket = tmp_path / "project", tmp_path / "bucket"
    old = [folder / ".buckia.d/tmp/0123", bucket / ".buckia/tmp/4567"]
    old += [bucket / ".buckia/leases/tmp/89ab"]
    others = [folder / ".buckia.d/tmp/young", folder / "tree/tmp/x", folder / "tree/.buckia.0"]
    for path in (*old, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
        age_of(path, 0 if path.name == "young" else 2)
    with project(folder, LocalStore(bucket)) as opened:
        found = opened.leftovers(age=HOUR)
        assert kinds(found) == [
            (Kind.FILE, "../bucket/.buckia/leases/tmp/89ab"),
            (Kind.FILE, "../bucket/.buckia/tmp/4567"),
            (Kind.FILE, ".buckia.d/tmp/0123"),
        ]
        list(opened.clear(found.leftovers))
    assert [path.exists() for path in (*old, *others)] == [False] * 3 + [True] * 3


def test_a_file_beside_its_target_goes_with_its_link(tmp_path: Path) -> None:
    """Where another file system is mounted in the folder."""
    link, beside = tmp_path / ".buckia.d/tmp/0123", tmp_path / "tree/.buckia.0123"
    for folder in (link.parent, beside.parent):
        folder.mkdir(parents=True)
    beside.write_text("12345")
    link.symlink_to(beside)
    age_of(link, 2)
    with project(tmp_path, MemoryStore()) as opened:
        assert opened.leftovers(age=HOUR).leftovers == ()  # it is written to
        age_of(beside, 2)
        found = opened.leftovers(age=HOUR)
        assert found.leftovers[0].entry.size == 5
        list(opened.clear(found.leftovers))
    assert not beside.exists() and not link.is_symlink()


# -- what goes wrong -------------------------------------------------------------------------------


def test_an_age_that_could_take_what_is_under_way_is_refused(tmp_path: Path) -> None:
    """An hour is the least."""
    with project(tmp_path, MemoryStore()) as opened, pytest.raises(UsageError, match="say 1h"):
        opened.leftovers(age=HOUR - 1)


def test_a_bucket_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    """What is elsewhere is found all the same."""
    stray = tmp_path / ".buckia.d/tmp/0123"
    stray.parent.mkdir(parents=True)
    stray.write_text("1")
    age_of(stray, 2)
    for denied, error in (("ListMultipartUploads", AccessError), ("ListObjectsV2", StoreError)):
        with serve_lies(MannerlyS3(denied=frozenset({denied}))) as server:
            store = scripted(server)
            with project(tmp_path, store) as opened:
                found = opened.leftovers(age=HOUR)
        assert kinds(found) == [(Kind.FILE, ".buckia.d/tmp/0123")]
        assert isinstance(found.unseen["main"], error)


def test_nothing_is_cleared_while_a_run_is_at_work(tmp_path: Path) -> None:
    """Its temporary files would be among it."""
    with project(tmp_path, MemoryStore()) as opened, opened.only_run():
        other = project(tmp_path, MemoryStore())
        with pytest.raises(LockedError):
            list(other.clear([Leftover(Kind.FILE, None, Entry("x", 0))]))
        other.close()


def test_a_signal_ends_it_between_two(memory: MemoryStore, tmp_path: Path) -> None:
    """And says how much is left."""
    items = [Leftover(Kind.SCRATCH, "main", put(memory, f".buckia/probe/{n}")) for n in range(3)]
    with project(tmp_path, memory) as opened, pytest.raises(Interrupted, match="2 of 3 were left"):
        for _ in opened.clear(items):
            opened.stop.set()
    assert len(list(memory.entries())) == 2


def test_only_stores_of_large_files_have_uploads(store: S3Store | B2Store) -> None:
    others: list[Store] = [MemoryStore(), LocalStore(Path())]
    assert isinstance(store, Uploading)
    assert not any(isinstance(other, Uploading) for other in others)


def test_what_was_staged_is_left_over_after_thirty_days(
    tmp_path: Path, later: Callable[[float], None]
) -> None:
    """A plan that waits for its review keeps what it needs, whatever age was asked for."""
    (tmp_path / "kept").mkdir()
    store = LocalStore(tmp_path / "kept")
    store.put(Entry(f"{STAGE}{'a' * 64}", 3), BytesIO(b"one"), replacing=None)
    with project(tmp_path, store) as mine:
        later(29 * 24)
        assert not mine.leftovers(age=HOUR).leftovers
        later(31 * 24)
        found = mine.leftovers(age=HOUR)
        assert [item.kind for item in found.leftovers] == [Kind.STAGED]
        list(mine.clear(found.leftovers))
    assert list(store.entries(STAGE)) == []
