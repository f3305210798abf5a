"""Folders as they should not be: pipes, files without end, disks that fail, mounts, modes, files of
somebody else. Each is told in one line, and nothing hangs, breaks or gets lost."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from buckia import lockfile
from buckia.errors import BuckiaError, IntegrityError, LocalError, UnavailableError
from buckia.lease import note as lease_note
from buckia.model import Entry, Tick
from buckia.stores import files, hashing, local, reading
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops
from tests.sqlite_helpers import make

pytestmark = pytest.mark.usefixtures("hurried")

SAVE = hashing.HashCache.save
"""What nobody does who is hurried."""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- what is no file -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    os.mkfifo,
    lambda path: path.symlink_to("nowhere"),
    lambda path: path.symlink_to("/etc/hostname"),
], ids=["pipe", "dead link", "link"])  # fmt: skip
def test_what_is_no_file_is_not_taken_for_a_free_name(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Neither is it read, waited for, overwritten, or deleted."""
    store = LocalStore(tmp_path)
    make(tmp_path / "odd")
    attempts: list[Callable[[], object]] = [
        lambda: store.head("odd"),
        lambda: store.open(Entry("odd", 1, version="v")).__enter__(),
        lambda: store.put(Entry("odd", 1), io.BytesIO(b"1"), replacing=None),
        lambda: store.delete(Entry("odd", 1, version="v")),
        lambda: store._paths.open("odd"),
    ]
    for attempt in attempts:
        with pytest.raises(LocalError, match="odd: "):
            attempt()
    assert not (tmp_path / "odd").is_file() or (tmp_path / "odd").is_symlink()


def test_a_lockfile_that_is_a_pipe_is_not_no_lockfile(tmp_path: Path) -> None:
    """With none, every object would be foreign."""
    world = World(tmp_path).settled({"a": b"1"})
    (world.root / lockfile.KEY).unlink()
    os.mkfifo(world.root / lockfile.KEY)
    with pytest.raises(LocalError, match="no plain file"):
        world.plan()


@pytest.mark.promise("L5")
def test_a_link_that_appeared_after_the_plan_is_a_file_that_appeared(tmp_path: Path) -> None:
    """The object is not deleted on the word that its file is gone."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"2"})
    world.remove("a")
    plan = world.plan()
    (world.tree / "a").symlink_to("b")
    with pytest.raises(LocalError, match="a symbolic link"):
        world.apply(plan)
    assert world.remote() == {"a": b"1", "b": b"2"}


@pytest.mark.promise("INV-12")
@pytest.mark.parametrize("name", ["", "/trash", "/journal", "/tmp", "/cache.sqlite", "/.gitignore"])
def test_a_link_in_the_place_of_what_buckia_keeps_is_refused(tmp_path: Path, name: str) -> None:
    """A project from elsewhere may bring it along: nothing is written where it leads."""
    outside = tmp_path / "outside"
    outside.mkdir()
    world = World(tmp_path)
    world.write("a", b"1")
    link = Path(f"{world.root}/.buckia.d{name}")
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside if "." not in name else outside / "file")
    for what in (world.plan, world.sync):
        with pytest.raises(LocalError, match="is a symbolic link; buckia keeps its own there"):
            what()
    assert list(outside.iterdir()) == []


@pytest.mark.promise("INV-12")
@pytest.mark.parametrize("name", [".buckia", ".buckia/tmp", ".buckia/trash"])
def test_a_link_in_a_bucket_that_is_a_folder_leads_nowhere(tmp_path: Path, name: str) -> None:
    """Whoever shares the folder may have put it there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    world = World(tmp_path, {"main": None}).settled({"a": b"1"})
    world.write("a", b"changed")
    place = tmp_path / "buckets/main" / name
    shutil.rmtree(place, ignore_errors=True)
    place.symlink_to(outside)
    try:
        assert world.apply(world.plan()).failed
    except BuckiaError as problem:
        assert "symbolic link" in str(problem)
    assert list(outside.iterdir()) == []
    assert world.remote() == {"a": b"1"}


# -- what does not end, and what breaks off --------------------------------------------------------


class Endless(io.BytesIO):
    """A body that grows faster than it is read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        self.taken += 1
        assert self.taken < 20
        return b"x" * hashing.CHUNK


def test_a_file_that_grows_for_ever_is_not_read_for_ever(tmp_path: Path) -> None:
    """Once it is longer than it was, all is known that there is to know."""
    assert hashing.hash_file(Endless(), (), 3 * hashing.CHUNK).size > 3 * hashing.CHUNK
    store = LocalStore(tmp_path)
    with pytest.raises(IntegrityError):
        store.put(Entry("a", 5), Endless(), replacing=None)
    assert not (tmp_path / "a").exists()


def test_a_disk_that_fails_while_a_file_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The action fails in one line, the others do not, and the run ends in order."""
    world = World(tmp_path)
    world.write("a", b"1")
    world.write("b", b"2")
    plan = world.plan()
    monkeypatch.setattr(reading, "TINY", 0)
    real = reading.told

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def told(body: BinaryIO, path: str) -> BinaryIO:
        return real(Failing() if path == "tree/a" else body, path)

    monkeypatch.setattr(local, "told", told)
    (failed,) = world.apply(plan).failed
    assert failed.error == "tree/a: Input/output error; check the disk"
    monkeypatch.undo()
    world.apply(plan)
    assert world.remote() == {"a": b"1", "b": b"2"}


def test_a_lease_that_never_holds_still_is_not_looked_at_for_ever() -> None:
    """A service that tells one version and delivers another, say."""

    class Torn(MemoryStore):
        def head(self, key: str) -> Entry | None:
            return Entry(key, 1, version="another")

    with pytest.raises(UnavailableError, match="changed each time"):
        lease_note.look(Torn())


# -- other file systems ----------------------------------------------------------------------------


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tree/` is another mount of the same file system: nothing is renamed or linked across."""

    def across(plain: Callable[..., Any]) -> Callable[..., Any]:
        def named(old: Any, new: Any, **how: Any) -> Any:
            ends = _place(old, how.get("src_dir_fd")), _place(new, how.get("dst_dir_fd"))
            if len({"/tree/" in end for end in ends}) == 2:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return plain(old, new, **how)

        return named

    for name in ("link", "rename", "replace"):
        monkeypatch.setattr(os, name, across(getattr(os, name)))


def _place(name: Any, inside: int | None) -> str:
    if inside is None:
        return f"{name}/"
    return next(
        f"{path}/{name}"
        for path, _, _ in os.walk(Path.cwd())
        if os.path.samestat(Path(path).stat(), os.fstat(inside))
    )


@pytest.mark.usefixtures("mounted")
def test_a_mount_of_the_same_file_system_is_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its device number does not tell, as with the volumes of a container."""
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"2", "stays": b"3"})
    os.utime(world.tree / "b", (1, 1))
    world.put("a", b"changed")
    world.put("new", b"4")
    world.drop("b")
    world.sync()
    assert world.local() == {"a": b"changed", "new": b"4", "stays": b"3"}
    assert {b"1", b"2"} <= world.everything()
    (kept,) = (world.root / ".buckia.d/trash").rglob("b")
    assert kept.stat().st_mtime == 1
    assert world.left_behind() == []
    assert not [path for path in world.tree.iterdir() if path.name.startswith(".")]


# -- permissions -----------------------------------------------------------------------------------


@pytest.mark.promise("HYG-4")
def test_a_file_stays_as_private_as_it_was(tmp_path: Path) -> None:
    """Replaced, in the trash, and back from there; a new one is as the umask says."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"key": b"1", "run": b"2", "k": b"3"})
    (world.tree / "key").chmod(0o600)
    (world.tree / "run").chmod(0o4755)
    for key in ("key", "run", "new"):
        world.put(key, b"changed")
    world.sync()
    modes = {path.name: mode_of(path) for path in world.tree.iterdir()}
    umask = os.umask(0)
    os.umask(umask)
    assert modes == {"key": 0o600, "run": 0o755, "new": 0o666 & ~umask, "k": 0o666 & ~umask}
    world.drop("key")
    world.sync()
    with world.open() as project, project.trash(alone=True) as trash:
        trash.restore(trash.find("tree/key")["tree/key"], "tree/key")
        trash.restore(trash.find("tree/run")["tree/run"], "tree/back")
    assert mode_of(world.tree / "key") == 0o600
    assert mode_of(world.tree / "back") == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_stays_whose_it_was(tmp_path: Path) -> None:
    """A run as root takes no file away from its owner."""
    world = World(tmp_path).settled({"a": b"1"})
    os.chown(world.tree / "a", 12345, 54321)
    world.put("a", b"changed")
    world.sync()
    found = (world.tree / "a").stat()
    assert (found.st_uid, found.st_gid) == (12345, 54321)


@pytest.mark.parametrize("place", ["journal", "journal/*", "trash"])
def test_what_belongs_to_somebody_else_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Never taken for empty: a journal may hold what no lockfile does."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"2"})
    world.remove("a")
    (locked,) = (world.root / ".buckia.d").glob(place) if place != "trash" else [None]
    name = locked.name if locked else "trash"

    def refuse(plain: Callable[..., Any]) -> Callable[..., Any]:
        def named(path: Any = ".", *given: Any, **how: Any) -> Any:
            if str(path).endswith(name):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return plain(path, *given, **how)

        return named

    for function in ("listdir", "scandir"):
        monkeypatch.setattr(os, function, refuse(getattr(os, function)))
    monkeypatch.setattr(io, "open", refuse(io.open))
    with pytest.raises(LocalError, match=rf"{name}: Permission denied; "):
        if place == "trash":
            with world.open() as project, project.trash() as trash:
                trash.kept()
        else:
            world.plan()


def test_a_cache_that_cannot_be_seen_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the folder belongs to somebody else."""

    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "exists", refuse)
    cache = hashing.HashCache(tmp_path / "cache")
    assert cache.find(tmp_path.stat(), "") is None


# -- the trash -------------------------------------------------------------------------------------


def test_a_folder_comes_to_the_trash_where_a_file_is_kept(tmp_path: Path) -> None:
    """And a file where a folder is: both stay, under names that are like theirs."""
    room = tmp_path / "trash"
    for name in ("x", "x/y", "x/y", "d/e", "d"):
        source = tmp_path / "source"
        source.write_bytes(name.encode())
        files.keep(source, room / name, tmp_path)
        source.unlink()
    found = {p.relative_to(room).as_posix(): p.read_bytes() for p in room.rglob("*") if p.is_file()}
    assert found == {
        "x": b"x",
        "x.~1~/y": b"x/y",
        "x.~1~/y.~1~": b"x/y",
        "d/e": b"d/e",
        "d.~1~": b"d",
    }


def test_nothing_in_the_trash_is_overwritten_by_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even what another run put there at the same moment."""
    monkeypatch.setattr(os, "link", lambda *given, **how: os.open("/nowhere/at/all", os.O_RDONLY))
    monkeypatch.setattr(files, "_free", lambda trash: trash)
    (tmp_path / "trash").write_bytes(b"theirs")
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        files.keep(tmp_path / "a", tmp_path / "trash", tmp_path / "room")
    assert (tmp_path / "trash").read_bytes() == b"theirs"


def test_what_is_in_the_trash_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that finds no more room leaves nothing that passes for a file that was kept."""

    def refuse(*given: object, **how: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def full(old: BinaryIO, new: BinaryIO, size: int) -> None:
        new.write(old.read(2))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "root").mkdir()
    (tmp_path / "root/a").write_bytes(b"content")
    store = LocalStore(tmp_path / "root", trash=tmp_path / "trash")
    entry = store.head("a")
    assert entry
    for name in ("link", "rename"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    for attempt in (
        lambda: store.delete(entry),
        lambda: store.put(Entry("a", 3), io.BytesIO(b"new"), replacing=entry),
    ):
        with pytest.raises(LocalError, match="free some space"):
            attempt()
    assert (tmp_path / "root/a").read_bytes() == b"content"
    assert not [path for path in (tmp_path / "trash").rglob("*") if path.is_file()]
    assert not list((tmp_path / "root/.buckia/tmp").iterdir())


@pytest.mark.promise("L2")
def test_a_database_in_a_folder_bucket_goes_alone(tmp_path: Path) -> None:
    """What lies beside it there is an object of its own, which nobody named."""
    world = World(tmp_path, {"main": None}, **ALL_DELETIONS)
    make(world.tree / "db", "abc")
    world.write("k", b"1")
    world.sync()
    world.remove("db")
    plan = world.plan()
    (tmp_path / "buckets/main/db-journal").write_bytes(b"theirs")
    world.apply(plan)
    assert world.remote() == {"db-journal": b"theirs", "k": b"1"}


# -- the cache -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fraction", "known"), [(1, True), (0, False)])
def test_a_number_that_another_file_had_is_no_proof(
    tmp_path: Path, fraction: int, known: bool
) -> None:
    """Where times are whole seconds a file system may use it again; elsewhere a renamed file is
    known."""
    path = tmp_path / "a"
    path.write_bytes(b"content")
    os.utime(path, ns=(10**18, 10**18 + fraction))
    cache = hashing.HashCache(tmp_path / "cache")
    digests = hashing.Digests(7, "0" * 64)
    cache.remember(path.stat(), "a", digests, hashing.now() + 10**12)
    SAVE(cache)
    for one in (cache, hashing.HashCache(tmp_path / "cache")):
        assert one.find(path.stat(), "a") == digests
        assert (one.find(path.stat(), "b") == digests) is known


# -- the trash of a run ----------------------------------------------------------------------------


def test_a_run_with_a_file_in_the_way_of_its_trash_goes_on(tmp_path: Path) -> None:
    """Nothing is lost on the way."""
    world = World(tmp_path, **ALL_DELETIONS).settled({"a": b"1", "b": b"2"})
    world.put("a", b"changed")
    plan = world.plan()
    seen: list[Tick] = []
    short = plan.digest.removeprefix("sha256:")[:12]
    (world.root / ".buckia.d/trash").mkdir(parents=True, exist_ok=True)
    (world.root / ".buckia.d/trash" / short).write_bytes(b"in the way")
    world.apply(plan, progress=seen.append)
    assert ops(world.plan()) == []
    assert b"1" in world.everything() and b"in the way" in world.everything()
