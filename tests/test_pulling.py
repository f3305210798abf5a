"""`pull`: a folder becomes what its manifest says, with as little as it takes; nothing is lost."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from buckia import IncompleteError, Interrupted, LocalError, LockedError, UsageError, pull
from buckia.lease.folder_lock import hold
from buckia.manifest import NAME, block_size
from buckia.stores import hashing
from tests.publishing import SMALL, database, noise, publish, rows, trashed, tree
from tests.servers.folder import WebFolder

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where it comes to; not there yet."""
    return tmp_path / "apps" / "F"


def test_a_new_folder_is_what_is_published(server: WebFolder, folder: Path) -> None:
    publish(server, SMALL, 4)
    done = pull(server.url, folder)
    assert tree(folder) == SMALL
    assert done.new == tuple(sorted(SMALL)) and done.generation == 4
    assert done.requests == len(server.requests) == len(SMALL) + 1
    assert done.received == server.sent


@pytest.mark.parametrize("url", ["", NAME, f"{NAME}?token=x"])
def test_the_folder_and_its_manifest_are_one_url(server: WebFolder, folder: Path, url: str) -> None:
    """A query, such as a token, goes with every request, and is kept nowhere."""
    publish(server, SMALL)
    pull(server.url + url, folder)
    assert tree(folder) == SMALL
    assert {one.query for one in server.asked} == {"token=x" if "?" in url else ""}
    for kept in (folder / ".buckia.d/pull").iterdir():
        assert b"token" not in kept.read_bytes()


def test_nothing_changed_is_one_request_and_no_byte(server: WebFolder, folder: Path) -> None:
    publish(server, SMALL)
    pull(server.url, folder)
    server.forget()
    done = pull(server.url, folder)
    assert server.requests == [(NAME, None)] and server.sent == 0
    assert server.asked[0].status == 304
    assert (done.unchanged, done.new, done.replaced, done.removed) == (3, (), (), ())


def test_what_has_not_changed_is_not_read(
    server: WebFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash cache knows it, once its times are old enough to be trusted."""
    publish(server, SMALL)
    pull(server.url, folder)
    for path in folder.rglob("*.*"):
        os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    monkeypatch.setattr(hashing, "_FINE_SLACK", -(10**18))
    pull(server.url, folder)

    def refuse(*_: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr("buckia.stores.reading.hash_file", refuse)
    monkeypatch.setattr("buckia.stores.reading.hash_bytes", refuse)
    assert pull(server.url, folder).unchanged == 3


def test_only_what_differs_is_fetched(server: WebFolder, folder: Path) -> None:
    publish(server, SMALL)
    pull(server.url, folder)
    after = {**SMALL, "notes.txt": b"Hello again.\n", "images/c.jpg": b"c"}
    del after["images/a.jpg"]
    publish(server, after, 2)
    server.forget()
    done = pull(server.url, folder)
    assert tree(folder) == after
    assert sorted(server.requests[1:]) == [("images/c.jpg", None), ("notes.txt", None)]
    assert done.new == ("images/c.jpg",) and done.replaced == ("notes.txt",)
    assert done.removed == ("images/a.jpg",) and done.kept == () and done.trash == ""
    assert trashed(folder) == {}


def test_a_renamed_file_is_not_fetched(server: WebFolder, folder: Path) -> None:
    """Nor is one that is there twice fetched twice."""
    publish(server, SMALL)
    pull(server.url, folder)
    after = {"pictures/a.jpg": SMALL["images/a.jpg"], "x": b"twice", "y": b"twice"}
    publish(server, after, 2)
    server.forget()
    pull(server.url, folder)
    assert tree(folder) == after
    assert len(server.requests) == 2


def test_of_a_large_file_only_the_blocks_that_differ_are_fetched(
    server: WebFolder, folder: Path
) -> None:
    """Those that follow on each other with one request."""
    old = noise(2_000_000)
    block = block_size(len(old)) or 0
    assert block == 65536
    publish(server, {"big": old})
    pull(server.url, folder)
    new = bytearray(old)
    for at in (0, block, 5 * block + 7, len(old) - 1):
        new[at] ^= 1
    publish(server, {"big": bytes(new)}, 2)
    server.forget()
    pull(server.url, folder)
    assert tree(folder) == {"big": bytes(new)}
    last = len(old) // block * block
    assert server.requests[1:] == [
        ("big", (0, 2 * block - 1)),
        ("big", (5 * block, 6 * block - 1)),
        ("big", (last, len(old) - 1)),
    ]


@pytest.mark.parametrize(("before", "after"), [(1_500_000, 3_000_000), (3_000_000, 1_500_000)])
def test_a_file_that_grew_or_shrank_keeps_its_beginning(
    server: WebFolder, folder: Path, before: int, after: int
) -> None:
    whole = noise(3_000_000)
    publish(server, {"big": whole[:before]})
    pull(server.url, folder)
    publish(server, {"big": whole[:after]}, 2)
    server.forget()
    pull(server.url, folder)
    assert tree(folder) == {"big": whole[:after]}
    assert server.sent < max(1, after - before) + 3 * 65536


def test_a_server_without_ranges_gives_the_whole(server: WebFolder, folder: Path) -> None:
    old = noise(2_000_000)
    publish(server, {"big": old})
    pull(server.url, folder)
    new = old[:70_000] + b"x" + old[70_001:]
    publish(server, {"big": new}, 2)
    server.switches.ranges = False
    server.forget()
    pull(server.url, folder)
    assert tree(folder) == {"big": new}
    assert server.requests[1:] == [("big", (65536, 131071))]


def test_a_database_comes_last_and_through_sqlite(
    server: WebFolder, folder: Path, tmp_path: Path
) -> None:
    """Whoever has it open goes on reading what it read, and then reads what is new."""
    first = database(tmp_path / "db", {1: "a.jpg"})
    publish(server, {**SMALL, "App.sqlite": first})
    pull(server.url, folder)
    assert (folder / "App.sqlite").read_bytes() == first
    with closing(sqlite3.connect(folder / "App.sqlite")) as open_one:
        open_one.execute("PRAGMA journal_mode=WAL")
        assert open_one.execute("SELECT name FROM picture").fetchall() == [("a.jpg",)]
        second = database(tmp_path / "db", {1: "a.jpg", 2: "c.jpg"})
        publish(server, {**SMALL, "App.sqlite": second, "z/c.jpg": b"c"}, 2)
        told: list[str] = []
        pull(
            server.url, folder, progress=lambda t: told.append(t.key) if t.stage == "swap" else None
        )
        assert told == ["z/c.jpg", "App.sqlite"]
        assert open_one.execute("SELECT name FROM picture").fetchall() == [("a.jpg",), ("c.jpg",)]
    assert rows(folder / "App.sqlite") == {1: "a.jpg", 2: "c.jpg"}
    server.forget()
    assert pull(server.url, folder).unchanged == 5
    assert server.requests == [(NAME, None)]


def test_a_database_in_use_leaves_what_it_names(
    server: WebFolder, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is removed while the old one is still there; the next run needs no file again."""
    monkeypatch.setattr("buckia.sqlite.replacement.replace.__defaults__", (0.1,))
    monkeypatch.setattr("buckia.sqlite.snapshots.snapshot.__defaults__", (0.1,))
    publish(server, {"a.jpg": b"a", "App.sqlite": database(tmp_path / "db", {1: "a.jpg"})})
    pull(server.url, folder)
    new = database(tmp_path / "db", {1: "b.jpg"})
    publish(server, {"b.jpg": b"b", "App.sqlite": new}, 2)
    with closing(sqlite3.connect(folder / "App.sqlite", check_same_thread=False)) as held:
        server.on_request = lambda path: path == "b.jpg" and held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(IncompleteError, match="in use"):
            pull(server.url, folder, max_workers=1)
        assert sorted(tree(folder)) == ["App.sqlite", "a.jpg", "b.jpg"]
    server.on_request = None
    server.forget()
    done = pull(server.url, folder)
    assert rows(folder / "App.sqlite") == {1: "b.jpg"} and done.kept == ()
    assert not (folder / "a.jpg").exists() and len(server.requests) == 1


@pytest.mark.promise("INV-23")
def test_what_was_changed_here_is_kept_in_the_trash(
    server: WebFolder, folder: Path, tmp_path: Path
) -> None:
    """Whether it is replaced or removed; a database as SQLite reads it."""
    before = {**SMALL, "App.sqlite": database(tmp_path / "db", {1: "theirs"})}
    publish(server, before)
    pull(server.url, folder)
    (folder / "notes.txt").write_bytes(b"My notes.\n")
    (folder / "images/a.jpg").write_bytes(b"my picture")
    with closing(sqlite3.connect(folder / "App.sqlite")) as mine, mine:
        mine.execute("INSERT INTO picture VALUES (2, 'mine')")
    after = {**before, "notes.txt": b"Their notes.\n"}
    del after["images/a.jpg"]
    publish(server, after, 2)
    done = pull(server.url, folder)
    assert done.kept == ("App.sqlite", "images/a.jpg", "notes.txt")
    assert rows(folder / "App.sqlite") == {1: "theirs"}
    kept = trashed(folder)
    assert kept["notes.txt"] == b"My notes.\n" and kept["images/a.jpg"] == b"my picture"
    assert rows(folder / done.trash / "App.sqlite") == {1: "theirs", 2: "mine"}


def test_what_is_gone_or_changed_here_comes_back_although_nothing_is_new(
    server: WebFolder, folder: Path
) -> None:
    publish(server, SMALL)
    pull(server.url, folder)
    (folder / "images/a.jpg").unlink()
    (folder / "notes.txt").write_bytes(b"mine")
    done = pull(server.url, folder)
    assert tree(folder) == SMALL
    assert done.new == ("images/a.jpg",) and done.kept == ("notes.txt",)


def test_files_that_no_pull_put_there_stay(server: WebFolder, folder: Path) -> None:
    """Where one is in the place of a published file it goes to the trash, once."""
    folder.mkdir(parents=True)
    (folder / "diary.txt").write_bytes(b"mine")
    (folder / "notes.txt").write_bytes(b"also mine")
    (folder / "images").mkdir()
    (folder / "images/a.jpg").write_bytes(SMALL["images/a.jpg"])
    publish(server, SMALL)
    done = pull(server.url, folder)
    assert tree(folder) == {**SMALL, "diary.txt": b"mine"}
    assert trashed(folder) == {"notes.txt": b"also mine"} and done.kept == ("notes.txt",)
    assert done.unchanged == 1
    publish(server, {"notes.txt": b"Hello.\n"}, 2)
    pull(server.url, folder)
    assert tree(folder) == {"notes.txt": b"Hello.\n", "diary.txt": b"mine"}


@pytest.mark.parametrize(("before", "after"), [("a", "a/b"), ("a/b", "a"), ("Logo", "logo")])
def test_a_file_may_become_a_folder_and_a_name_its_other_case(
    server: WebFolder, folder: Path, before: str, after: str
) -> None:
    publish(server, {before: b"1", "other": b"2"})
    pull(server.url, folder)
    publish(server, {after: b"1", "other": b"2"}, 2)
    done = pull(server.url, folder)
    assert tree(folder) == {after: b"1", "other": b"2"}
    assert done.kept == () and trashed(folder) == {}


@pytest.mark.parametrize("what", ["a file", "a folder", "a link"])
def test_what_stands_in_the_way_is_named_and_nothing_changes(
    server: WebFolder, folder: Path, what: str
) -> None:
    folder.mkdir(parents=True)
    if what == "a file":
        (folder / "images").write_bytes(b"mine")
    elif what == "a folder":
        (folder / "notes.txt").mkdir()
        (folder / "notes.txt/mine").write_bytes(b"mine")
    else:
        (folder / "notes.txt").symlink_to("elsewhere")
    publish(server, SMALL)
    before = tree(folder)
    with pytest.raises(LocalError, match=r"(images/a\.jpg|notes\.txt): "):
        pull(server.url, folder)
    assert tree(folder) == before


def test_a_link_as_a_folder_leads_nowhere(server: WebFolder, folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    publish(server, SMALL)
    with pytest.raises(LocalError, match="symbolic link"):
        pull(server.url, folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_dry_run_only_tells(server: WebFolder, folder: Path) -> None:
    publish(server, SMALL)
    done = pull(server.url, folder, dry_run=True)
    assert done.new == tuple(sorted(SMALL)) and not folder.exists()
    assert server.requests == [(NAME, None)]
    pull(server.url, folder)
    publish(server, {"notes.txt": b"new"}, 2)
    (folder / "images/a.jpg").write_bytes(b"mine")
    before = tree(folder)
    done = pull(server.url, folder, dry_run=True)
    assert done.removed == ("images/a.jpg", "images/b.jpg") and done.replaced == ("notes.txt",)
    assert done.kept == ("images/a.jpg",) and tree(folder) == before


def test_an_earlier_generation_is_a_stale_copy(server: WebFolder, folder: Path) -> None:
    """It is ignored and told of; who means to go back says so."""
    publish(server, {"notes.txt": b"new"}, 7)
    pull(server.url, folder)
    publish(server, SMALL, 6)
    done = pull(server.url, folder)
    assert (done.older, done.generation) == (6, 7) and tree(folder) == {"notes.txt": b"new"}
    done = pull(server.url, folder, allow_older=True)
    assert (done.older, done.generation) == (None, 6) and tree(folder) == SMALL


def test_one_folder_is_pulled_from_one_place(server: WebFolder, folder: Path) -> None:
    publish(server, SMALL)
    pull(server.url, folder)
    with pytest.raises(UsageError, match="was pulled from"):
        pull(server.url + "other/", folder)
    assert tree(folder) == SMALL


def test_one_run_at_a_time(server: WebFolder, folder: Path) -> None:
    publish(server, SMALL)
    pull(server.url, folder)
    publish(server, {}, 2)
    with (
        hold(folder / ".buckia.d", stop=threading.Event()),
        pytest.raises(LockedError, match="another buckia"),
    ):
        pull(server.url, folder)
    assert tree(folder) == SMALL


def test_a_stop_keeps_what_was_fetched(server: WebFolder, folder: Path) -> None:
    publish(server, {f"{n}": noise(1000, n) for n in range(20)})
    stop = threading.Event()
    server.on_request = lambda path: stop.set() if path == "13" else None
    with pytest.raises(Interrupted, match="what was fetched is kept"):
        pull(server.url, folder, stop=stop, max_workers=1)
    assert tree(folder) == {}
    server.on_request = None
    begun = len(server.requests) - 1
    server.forget()
    pull(server.url, folder)
    assert 4 <= begun <= 7 and len(server.requests) - 1 <= 20 - begun + 2
    assert len(tree(folder)) == 20


@pytest.mark.parametrize("name", ["a b", "a#b", "a?b=c", "100%25", "a+b&c", "é/日本.jpg", "~'(!)"])
def test_every_name_is_asked_for_as_it_is(server: WebFolder, folder: Path, name: str) -> None:
    publish(server, {name: b"1"})
    pull(server.url, folder)
    assert tree(folder) == {name: b"1"} and server.requests[1:] == [(name, None)]


def test_a_folder_without_files_is_one_too(server: WebFolder, folder: Path) -> None:
    publish(server, {"empty": b""})
    pull(server.url, folder)
    assert tree(folder) == {"empty": b""}
    publish(server, {}, 2)
    assert pull(server.url, folder).removed == ("empty",)
    assert tree(folder) == {}


def test_permissions_stay(server: WebFolder, folder: Path) -> None:
    publish(server, SMALL)
    pull(server.url, folder)
    (folder / "notes.txt").chmod(0o600)
    publish(server, {**SMALL, "notes.txt": b"new"}, 2)
    pull(server.url, folder)
    assert (folder / "notes.txt").stat().st_mode & 0o777 == 0o600


def test_a_damaged_state_is_no_state(server: WebFolder, folder: Path) -> None:
    """Taken for none, it would make every file here somebody's own."""
    publish(server, SMALL)
    pull(server.url, folder)
    state = folder / ".buckia.d/pull/state.json"
    state.write_bytes(state.read_bytes()[:40])
    with pytest.raises(Exception, match="to begin anew"):
        pull(server.url, folder)
    assert tree(folder) == SMALL


def test_a_manifest_that_is_not_the_one_meant_is_asked_for(server: WebFolder, folder: Path) -> None:
    """As after a crash between the two files."""
    publish(server, SMALL)
    pull(server.url, folder)
    (folder / ".buckia.d/pull/manifest.json").write_bytes(b"{}")
    server.forget()
    assert pull(server.url, folder).unchanged == 3
    assert "if-none-match" not in server.asked[0].headers
    digest = hashlib.sha256(server.files[NAME]).hexdigest()
    assert digest in (folder / ".buckia.d/pull/state.json").read_text()
