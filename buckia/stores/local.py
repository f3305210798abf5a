"""A folder tree as a store: a project's local side, and the embedded default bucket.

The version of a file is its content (sha256, or the row hash of a database), so a clone whose
times all differ is the same side. Nothing is ever written or read through a symbolic link below
the root of a mapping.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from buckia import sqlite
from buckia.columns import Plain
from buckia.errors import AccessError, LocalError, NotFoundError, PreconditionError, StoreError
from buckia.layout import EVERYTHING, EVERYWHERE, Layout
from buckia.model import Entry, Listing, Progress, Skipped, replace, silent
from buckia.stores import files
from buckia.stores.base import Capabilities, Store
from buckia.stores.gathering import Gathered
from buckia.stores.hashing import HashCache
from buckia.stores.paths import Paths
from buckia.stores.reading import Reader, told
from buckia.stores.scanning import read_all
from buckia.stores.traffic import Traffic
from buckia.stores.tree import Found, Refuse, refuse_twins, walk
from buckia.stores.writing import Writer, is_version

_SCRATCH = "tmp"
_SILENCE = Traffic()


class LocalStore:
    """The files of a layout below `root`.

    root       the folder everything is relative to; it must exist
    layout     which paths are which keys; by default every path is its own key
    refuse     why a key is out of scope, asked before a file is read
    digests    digests to compute beside sha256, so that a bucket's listing can be compared
    known      keys of which a sha256 is known that the bucket's token stands for: of plain files
               there an md5 is computed only when it is asked for (`with_md5`)
    cache      spares reading files that have not changed
    databases  treat SQLite files as data: hash and send snapshots, replace through SQLite
    work       where temporary files live, relative to root
    trash      where replaced and deleted files go; None: the bytes are gone
    paths      local spellings of keys that differ from what the layout would make
    """

    def __init__(
        self,
        root: Path,
        *,
        layout: Layout = EVERYTHING,
        refuse: Refuse = lambda key: None,
        digests: frozenset[str] = frozenset(),
        known: Container[str] = (),
        cache: HashCache | None = None,
        databases: bool = False,
        work: str = ".buckia",
        trash: Path | None = None,
        paths: Mapping[str, str] | None = None,
        workers: int = 2,
    ) -> None:
        self.root = root
        self.trash = trash
        self.work = root / work
        self._refuse = refuse
        self._digests = digests
        self._workers = workers
        self._paths = Paths(root, layout, paths or {})
        self._room = self.work / _SCRATCH
        self._reader = Reader(
            self._paths,
            cache or HashCache(),
            digests,
            self.temporary,
            databases=databases,
            known=known,
        )
        self._writer = Writer(self._paths, self._room, trash, self.head, databases=databases)

    @property
    def url(self) -> str:
        """`file:` and the folder's own name: plans hold no absolute path."""
        return f"file:{self.root.name}"

    @property
    def capabilities(self) -> Capabilities:
        """Links make creation atomic; replacing and deleting look first."""
        return Capabilities(
            digests=frozenset({"sha256"} | self._digests),
            create_if_absent=True,
            guards_copies=True,
            copy=True,
            folders=True,
        )

    @property
    def traffic(self) -> Traffic:
        """None: a folder is no service."""
        return _SILENCE

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store.entries`. Links and devices are not objects and not listed."""
        listing = self.listing((prefix,))
        unknown = next((item for item in listing.skipped if item.unknown), None)
        if unknown:
            raise AccessError(
                f"{self.url}: {unknown.place} {unknown.why}; the listing is refused; make it "
                "readable"
            )
        yield from listing.entries.values()

    def listing(
        self,
        within: tuple[str, ...] = EVERYWHERE,
        progress: Progress = silent,
        plain: Plain | None = None,
    ) -> Listing:
        """Everything in scope whose key begins with one of `within`, with what was left alone and
        why. What is as `plain` has it is held so."""
        if not self.root.is_dir():
            name = self.root.name
            raise NotFoundError(f"there is no folder {name!r} to be the bucket; create it")
        skipped: list[Skipped] = []
        gathered = Gathered(plain, self._paths)
        read_all(
            gathered.passing(self._walk(within, skipped.append)),
            self._reader,
            self._read,
            skipped.append,
            gathered.take,
            gathered.hold,
            workers=self._workers,
            progress=progress,
        )
        if gathered.twice or (gathered.unusual and skipped):
            refuse_twins(self._walk(within, lambda item: None))
        return Listing(gathered.entries(), tuple(skipped))

    def _walk(self, within: tuple[str, ...], skip: Callable[[Skipped], None]) -> Iterator[Found]:
        scratch = self._scratch
        found = walk(self.root, self._paths.reach(within), self._refuse, skip)
        if within == EVERYWHERE and not self._paths.may_hold(scratch):
            return found
        return (f for f in found if f.key.startswith(within) and not f.path.startswith(scratch))

    @property
    def _scratch(self) -> str:
        return f"{self.work.name}/{_SCRATCH}/"

    def head(self, key: str, *, path: str | None = None) -> Entry | None:
        """See `Store.head`. Reads the file unless the cache knows it. `LocalError` for a link and
        whatever else is no plain file."""
        where = path or self.path_of(key)
        stat = self._paths.look(where)
        if stat is None:
            return None
        file = Found(key, where, stat)
        try:
            return self._reader.known(file) or self._reader.read(file)
        except NotFoundError:
            return None

    def seek(
        self, prefix: str, keys: Sequence[str], known: Sequence[str] = ()
    ) -> dict[str, Entry | None]:
        """See `Seeking.seek`. What cannot be read is left to `head`, which says why; only a walk
        tells which form of another name a disk has."""
        told: dict[str, Entry | None] = {}

        def looked() -> Iterator[Found]:
            with self._reader.nearby() as nearby:
                for key in filter(str.isascii, keys):
                    path = self.path_of(key)
                    stat = nearby.look(path)
                    if stat is None:
                        told[key] = None
                    else:
                        yield Found(key, path, stat)

        def take(entry: Entry) -> None:
            told[entry.key] = entry

        read_all(
            looked(),
            self._reader,
            self._read,
            lambda item: None,
            take,
            lambda file, digests: False,
            workers=self._workers,
            progress=silent,
        )
        return told

    def _read(self, file: Found) -> Entry | None:
        """A file that a walk has just found; None where it is gone."""
        try:
            return self._reader.read(file)
        except NotFoundError:
            return None

    def read_anew(self, entry: Entry) -> Entry | None:
        """What a file holds now, whatever the cache says of it; None where it is gone. The cache is
        not told. Raises `LocalError` for what cannot be read."""
        path = entry.path or self.path_of(entry.key)
        stat = self._paths.look(path)
        if stat is None:
            return None
        try:
            return self._reader.anew().read(Found(entry.key, path, stat))
        except NotFoundError:
            return None

    def with_md5(self, entry: Entry) -> Entry:
        """The same entry with the md5 of its file; see `Reader.with_md5`."""
        return self._reader.with_md5(entry, entry.path or self.path_of(entry.key))

    def path_of(self, key: str) -> str:
        """The path of a key relative to the root. `StoreError` for a key that can have none."""
        return self._paths.of(key)

    def usual_path(self, key: str) -> str | None:
        """Where the layout alone would put a key."""
        return self._paths.layout.path_of(key)

    def obstacle(self, key: str) -> str | None:
        """Why a key that is no file yet could not become one, as far as a look tells; else None."""
        return self._paths.obstacle(key)

    @contextlib.contextmanager
    def open(self, entry: Entry) -> Iterator[BinaryIO]:
        """See `Store.open`. A database is read as a snapshot."""
        path = self.path_of(entry.key)
        if (content := self._reader.bytes_of(entry, path)) is not None:
            yield BytesIO(content)
            return
        if (quick := self._open_known(entry, path)) is not None:
            with quick:
                yield told(quick, path)
            return
        found = self.head(entry.key)
        if found is None:
            raise NotFoundError(f"{entry.key}: the file is gone since the plan; plan again")
        if not is_version(found, entry):
            raise PreconditionError(f"{path}: the file has changed since the plan; plan again")
        if found.logical:
            with self.temporary() as copy:
                sqlite.snapshot(self._paths.full(path), copy)
                with copy.open("rb") as body:
                    yield body
        else:
            with self._paths.open(path) as body:
                yield told(body, path)

    def _open_known(self, entry: Entry, path: str) -> BinaryIO | None:
        """A plain file that the cache knows to hold this entry, opened: the one that was looked at.
        None for all others, also where something is wrong."""
        with contextlib.suppress(LocalError, NotFoundError):
            body = self._paths.open(path)
            known = self._reader.known(Found(entry.key, path, os.fstat(body.fileno())))
            if known is not None and known.logical is None and is_version(known, entry):
                return body
            body.close()
        return None

    def put(
        self, entry: Entry, body: BinaryIO, *, replacing: Entry | None, mode: int | None = None
    ) -> Entry:
        """See `Store.put`. A replaced file goes to the trash first, and its permissions to the new
        one, unless `mode` says which."""
        return self._writer.put(entry, body, replacing=replacing, mode=mode)

    def place(self, entry: Entry, finished: Path, *, replacing: Entry | None) -> None:
        """`put` for a plain file in this file system that is proved to hold what `entry` says: it
        is moved, not read."""
        self._writer.place(entry, finished, replacing=replacing)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        """See `Store.copy`: between local folders, by reading and writing."""
        if not isinstance(source, LocalStore):
            return None
        with source.open(entry) as body:
            return self.put(replace(entry, key=key, path=None), body, replacing=replacing)

    def copies(self, source: Store) -> bool:
        """From any folder."""
        return isinstance(source, LocalStore)

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        """See `Store.put_headers`: files have none."""
        raise StoreError(f"{self.path_of(entry.key)}: a file has no headers to change; plan again")

    def delete(self, entry: Entry) -> None:
        """See `Store.delete`. The file goes to the trash, a database with its companions."""
        self._writer.delete(entry)

    def temporary(self) -> AbstractContextManager[Path]:
        """A name for a temporary file, removed at the end."""
        return files.scratch(self._room)

    def tidy(self) -> None:
        """Remove temporary files a killed run left. Only under the lock of whoever writes here."""
        files.sweep(self._room)
        files.sweep_beside(self.work)

    def public_url(self, key: str) -> str:
        """See `Store.public_url`: a `file:` URL."""
        return (self.root / self.path_of(key)).resolve().as_uri()

    def close(self) -> None:
        """Nothing is held open; whoever made the cache saves it."""


_: type[Store] = LocalStore
