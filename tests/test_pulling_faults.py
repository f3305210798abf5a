"""`pull` from servers that fail, lie, lag behind or mean harm: the folder stays as it was, or
becomes what is published."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest

from buckia import (
    AccessError,
    BuckiaError,
    DocumentError,
    IncompleteError,
    IntegrityError,
    LocalError,
    NotFoundError,
    StoreError,
    UnavailableError,
    UsageError,
    manifest,
    pull,
)
from buckia.manifest import NAME
from buckia.runs.pulling import fetching, runs
from buckia.stores import files
from tests.publishing import SMALL, database, describe, manifest_of, noise, publish, trashed, tree
from tests.servers.folder import WebFolder
from tests.vectors.contents import CONTENTS, generated
from tests.vectors.documents import ACCEPTED, NO_DOCUMENTS, REFUSED

NEW = {**SMALL, "notes.txt": b"Hello again.\n", "images/c.jpg": b"c" * 100}


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def folder(tmp_path: Path, server: WebFolder) -> Path:
    """A folder that was pulled, when something else is published."""
    publish(server, SMALL)
    pull(server.url, tmp_path / "F")
    publish(server, NEW, 2)
    server.forget()
    return tmp_path / "F"


# -- a publication under way -----------------------------------------------------------------------


def test_an_edge_that_lags_behind_is_waited_for(server: WebFolder, folder: Path) -> None:
    """The manifest is read again, past caches, and what was right is not fetched again."""
    server.switches.stale = {"notes.txt": SMALL["notes.txt"]}
    pull(server.url, folder)
    assert tree(folder) == NEW
    names = [path for path, _ in server.requests]
    assert names.count(NAME) == 2 and names.count("images/c.jpg") == 1
    assert server.asked[0].headers.get("cache-control") is None
    again = [one for one in server.asked if one.path == NAME][1]
    assert again.headers["cache-control"] == "no-cache" and again.status == 304
    asked = [one.headers.get("cache-control") for one in server.asked if one.path == "notes.txt"]
    assert asked == [None, "no-cache"]


def test_a_publication_in_the_middle_of_a_pull_is_taken(server: WebFolder, folder: Path) -> None:
    """What is swapped in at the end is of one manifest."""
    later = {**NEW, "notes.txt": b"Third.\n", "images/d.jpg": b"d"}

    def publishing(path: str) -> None:
        if path != NAME:
            publish(server, later, 3)
            server.on_request = None

    server.on_request = publishing
    done = pull(server.url, folder, max_workers=1)
    assert tree(folder) == later and done.generation == 3


@pytest.mark.promise("INV-23")
@pytest.mark.parametrize("what", ["other bytes", "another size", "missing", "forbidden", "gone"])
def test_a_file_that_stays_other_than_the_manifest_says_changes_nothing(
    server: WebFolder, folder: Path, what: str
) -> None:
    """What was fetched is kept, so that only that file is asked for the next time."""
    if what in ("other bytes", "another size"):
        server.switches.lies = {"notes.txt": NEW["notes.txt"][:-1] + b"?" * (1 + len(what) // 12)}
    else:
        status = {"missing": 404, "forbidden": 403, "gone": 410}[what]
        server.switches.statuses = {"notes.txt": [status]}
    before = tree(folder)
    with pytest.raises(IncompleteError, match=r"notes\.txt: .*a publication is under way"):
        pull(server.url, folder, wait=0.05)
    assert tree(folder) == before
    server.switches.lies, server.switches.statuses = {}, {}
    server.forget()
    pull(server.url, folder)
    assert tree(folder) == NEW and server.requests[1:] == [("notes.txt", None)]


def test_a_block_that_is_wrong_is_found_before_the_file_is_whole(
    server: WebFolder, folder: Path
) -> None:
    """And the right ones are kept."""
    big = noise(2_000_000)
    publish(server, {"big": big}, 3)
    server.switches.lies = {"big": big[:1_000_000] + b"!" + big[1_000_001:]}
    with pytest.raises(IncompleteError, match="big"):
        pull(server.url, folder, wait=0)
    server.switches.lies = {}
    server.forget()
    pull(server.url, folder)
    assert tree(folder) == {"big": big}
    assert server.requests[1:] == [("big", (15 * 65536, len(big) - 1))]


def test_a_stale_manifest_while_waiting_does_not_win(server: WebFolder, folder: Path) -> None:
    """One edge is behind another."""
    old = manifest.write(manifest_of(SMALL))
    server.switches.statuses = {"notes.txt": [404, 200]}
    server.on_request = lambda path: (
        server.switches.stale.update({NAME: old}) if path == "notes.txt" else None
    )
    server.switches.stale_for = 2
    done = pull(server.url, folder)
    assert tree(folder) == NEW and done.generation == 2


# -- servers that fail -----------------------------------------------------------------------------


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("path", [NAME, "notes.txt", "big"])
def test_a_line_that_breaks_is_taken_up(
    server: WebFolder, folder: Path, path: str, ranges: bool
) -> None:
    """Where it broke if the server gives parts, else from the beginning, which is thrown away."""
    after = {**NEW, "big": noise(300_000)}
    publish(server, after, 3)
    server.switches.ranges = ranges
    server.switches.cut = {NAME: 20, "notes.txt": 5, "big": 100_000}[path]

    def cutting(asked: str) -> None:
        server.switches.cuts = int(asked == path and not any(p == path for p, _ in server.requests))

    server.on_request = cutting
    pull(server.url, folder, max_workers=1)
    assert tree(folder) == after
    assert [p for p, _ in server.requests].count(path) == 2
    if path == "big":
        again = next(one for one in server.asked if one.path == "big" and one.part)
        assert again.part == (100_000, 299_999) and again.headers["if-range"].startswith('"')


def test_a_weak_etag_makes_no_if_range(server: WebFolder, folder: Path) -> None:
    """It does not say that bytes are equal (RFC 9110, section 13.1.5)."""
    publish(server, {"big": noise(300_000)}, 3)
    server.switches.weak = True
    server.switches.cut, server.switches.cuts = 100_000, 1
    pull(server.url, folder)
    assert all("if-range" not in one.headers for one in server.asked)


def test_without_etags_the_manifest_is_read_anew(server: WebFolder, folder: Path) -> None:
    server.switches.etags = False
    pull(server.url, folder)
    server.forget()
    done = pull(server.url, folder)
    assert server.requests == [(NAME, None)] and done.unchanged == 4


@pytest.mark.parametrize("ago", [0, 3600])
def test_a_time_tells_only_when_it_is_over(server: WebFolder, folder: Path, ago: int) -> None:
    """Times have whole seconds: what is published twice in one must not look unchanged."""
    server.switches.etags = False
    server.switches.modified = formatdate(time.time() - ago + 1 * (not ago), usegmt=True)
    pull(server.url, folder)
    publish(server, {"notes.txt": b"3"}, 3)
    done = pull(server.url, folder)
    assert done.generation == (2 if ago else 3)
    assert server.asked[-1].status == (304 if ago else 200)


@pytest.mark.parametrize(
    ("path", "answers", "error"),
    [
        (NAME, [404], NotFoundError),
        (NAME, [403], AccessError),
        (NAME, [500], UnavailableError),
        (NAME, [418], StoreError),
        ("notes.txt", [500], UnavailableError),
        ("notes.txt", [429, 503, 200], None),
        (NAME, [503, 200], None),
    ],
)
def test_answers_that_are_errors(
    server: WebFolder,
    folder: Path,
    path: str,
    answers: list[int],
    error: type[BuckiaError] | None,
) -> None:
    """Told in one line; those that pass are tried again."""
    server.switches.statuses = {path: answers}
    before = tree(folder)
    if error is None:
        pull(server.url, folder)
        assert tree(folder) == NEW
        return
    with pytest.raises(error, match=r"http://127\.0\.0\.1:\d+/F/"):
        pull(server.url, folder)
    assert tree(folder) == before


def test_not_modified_where_nobody_asked(server: WebFolder, tmp_path: Path) -> None:
    """It is no answer: there is nothing that could be unmodified."""
    publish(server, SMALL)
    server.switches.statuses = {NAME: [304]}
    with pytest.raises(StoreError, match="304"):
        pull(server.url, tmp_path / "F")


def test_nobody_there(tmp_path: Path, server: WebFolder) -> None:
    url = server.url.replace(f":{server.port}", ":1")
    with pytest.raises(UnavailableError, match="no connection"):
        pull(url, tmp_path / "F")
    assert not (tmp_path / "F").exists()


@pytest.mark.parametrize(
    "url",
    ["", "F/", "ftp://host/F/", "http://", "https://user:secret@host/F/", "http://[/F/", "file:/F"],
)
def test_what_is_no_url_of_a_folder(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="URL") as caught:
        pull(url, tmp_path / "F")
    assert "secret" not in str(caught.value)


def test_redirects_are_followed_but_never_to_less_than_https(
    server: WebFolder, folder: Path
) -> None:
    server.files["moved"] = NEW["notes.txt"]
    server.switches.redirects = {"notes.txt": "moved"}
    pull(server.url, folder)
    assert tree(folder) == NEW
    for target, told in (("ftp://host/x", "what is not https"), ("notes.txt", "too often")):
        publish(server, {"notes.txt": b"3"}, 3)
        server.switches.redirects = {"notes.txt": target}
        with pytest.raises(StoreError, match=told):
            pull(server.url, folder)
    assert tree(folder) == NEW


# -- manifests that mean harm ----------------------------------------------------------------------


@pytest.mark.promise("INV-23")
@pytest.mark.parametrize("what", REFUSED)
def test_a_hostile_manifest_is_refused_whole(server: WebFolder, folder: Path, what: str) -> None:
    """Nothing is fetched and nothing changes, here or elsewhere."""
    server.files[NAME] = msgspec.json.encode(REFUSED[what])
    before = tree(folder.parent)
    with pytest.raises(DocumentError):
        pull(server.url, folder)
    assert tree(folder.parent) == before
    assert server.requests == [(NAME, None)]


@pytest.mark.parametrize("what", NO_DOCUMENTS)
def test_what_is_no_manifest_is_refused(server: WebFolder, folder: Path, what: str) -> None:
    server.files[NAME] = NO_DOCUMENTS[what].encode()
    before = tree(folder)
    with pytest.raises(DocumentError):
        pull(server.url, folder)
    assert tree(folder) == before


@pytest.mark.parametrize("data", [b"\xff", b"[" * 100_000])
def test_what_is_no_text_or_has_no_end_of_brackets_is_refused(
    server: WebFolder, folder: Path, data: bytes
) -> None:
    server.files[NAME] = data
    with pytest.raises(DocumentError):
        pull(server.url, folder)


@pytest.mark.parametrize("what", ACCEPTED)
def test_what_is_beside_those_is_taken(server: WebFolder, tmp_path: Path, what: str) -> None:
    """So the others are refused for what is wrong with them."""
    found: Any = ACCEPTED[what]
    contents = {
        hashlib.sha256(data).hexdigest(): data for data in map(generated, CONTENTS.values())
    }
    server.files = {one["path"]: contents[one["sha256"]] for one in found["files"]}
    server.files[NAME] = msgspec.json.encode(found)
    pull(server.url, tmp_path / "F")
    assert sorted(tree(tmp_path / "F")) == sorted(one["path"] for one in found["files"])


def test_a_manifest_without_end_is_not_read_on(
    server: WebFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_BYTES", 1024 * 1024)
    server.files[NAME] = b" " * 30_000_000
    with pytest.raises(DocumentError, match="larger than 1 MiB"):
        pull(server.url, folder)
    assert server.sent < 20_000_000


def test_a_file_without_end_is_not_read_on(server: WebFolder, folder: Path) -> None:
    """Its length tells; a server that hides that is cut off where the manifest's size ends."""
    server.switches.lies = {"notes.txt": b"x" * 50_000_000}
    with pytest.raises(IncompleteError, match="another size"):
        pull(server.url, folder, wait=0)
    assert server.sent < 20_000_000


def test_more_than_the_disk_has_room_for_is_not_begun(server: WebFolder, folder: Path) -> None:
    found = manifest.make(3, [msgspec.structs.replace(describe("b", b"b"), size=2**60)])
    server.files[NAME] = manifest.write(found)
    with pytest.raises(LocalError, match="free some space"):
        pull(server.url, folder)
    assert len(server.requests) == 1


def test_a_database_that_is_damaged_is_not_swapped_in(
    server: WebFolder, folder: Path, tmp_path: Path
) -> None:
    """Nor is anything else."""
    whole = database(tmp_path / "db", {1: "a"}, size=100_000)
    before = tree(folder)
    publish(server, {**NEW, "App.sqlite": whole[:50_000] + bytes(50_000)}, 3)
    with pytest.raises(IntegrityError, match="the published database is damaged"):
        pull(server.url, folder)
    assert tree(folder) == before


def test_a_companion_is_not_put_beside_a_database_of_ones_own(
    server: WebFolder, folder: Path, tmp_path: Path
) -> None:
    database(folder / "mine", {1: "a"})
    before = tree(folder)
    publish(server, {"mine-wal": b"x"}, 3)
    with pytest.raises(LocalError, match="taken for a part of the database mine"):
        pull(server.url, folder)
    assert tree(folder) == before


# -- this machine ----------------------------------------------------------------------------------


def test_a_full_disk_is_told_and_the_next_run_goes_on(
    server: WebFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(folder)
    plain: Callable[..., bytes] = fetching._pass
    publish(server, {**NEW, "big": noise(2_000_000)}, 3)

    def full(source: Any, target: Any, size: int) -> bytes:
        if target is not None and target.tell() > 1_000_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return plain(source, target, size)

    monkeypatch.setattr(fetching, "_pass", full)
    with pytest.raises(LocalError, match="big: No space left on device; free some space"):
        pull(server.url, folder)
    assert tree(folder) == before
    monkeypatch.setattr(fetching, "_pass", plain)
    server.forget()
    pull(server.url, folder)
    assert server.requests[1:] == [("big", (16 * 65536, 1_999_999))]


def test_a_run_that_was_cut_and_then_something_else_is_published(
    server: WebFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the cut run had put in place is nobody's change."""
    from buckia.runs.pulling.swapping import Swap

    plain = Swap._put

    def cut(self: Swap, one: Any, **how: Any) -> None:
        if one.file.path == "notes.txt":
            raise KeyboardInterrupt
        plain(self, one, **how)

    monkeypatch.setattr(Swap, "_put", cut)
    with pytest.raises(KeyboardInterrupt):
        pull(server.url, folder)
    assert (folder / "images/c.jpg").exists()
    monkeypatch.setattr(Swap, "_put", plain)
    later = {"images/c.jpg": b"other", "notes.txt": b"third"}
    publish(server, later, 3)
    done = pull(server.url, folder)
    assert tree(folder) == later and done.kept == ()


def test_what_was_kept_when_a_run_was_cut_is_not_kept_twice(
    server: WebFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the name in the trash and the new file in the old one's place."""
    (folder / "notes.txt").write_bytes(b"mine")
    plain = files.keep

    def cut(*given: Any) -> None:
        plain(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "keep", cut)
        with pytest.raises(KeyboardInterrupt):
            pull(server.url, folder)
    assert trashed(folder) == {"notes.txt": b"mine"} == {"notes.txt": tree(folder)["notes.txt"]}
    pull(server.url, folder)
    assert tree(folder) == NEW and trashed(folder) == {"notes.txt": b"mine"}
