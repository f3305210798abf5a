"""What an app keeps for a user, a folder with a database in it: begun anew from demo content,
brought up to date with it, kept in a bucket and brought back.

`reset` and `update` change the local folder alone, and keep in the trash what was there; what
follows for a bucket is a plan. `backup` and `restore` are such plans, for one folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from buckia import connect, documents, sqlite
from buckia.errors import (
    IncompleteError,
    Interrupted,
    LocalError,
    NotFoundError,
    PreconditionError,
    StaleError,
    UsageError,
)
from buckia.layout import Layout, Mapping, fold, parents
from buckia.model import Entry
from buckia.runs.appfolders import Folder, known
from buckia.sqlite import SIDECARS, TableMerge
from buckia.stores import files
from buckia.stores.local import LocalStore
from buckia.workspace import Workspace


class Reset(Struct, frozen=True):
    """What a reset does, by paths inside the folder.

    copied     files of the demo that come, databases last
    replaced   those among them that something else is in the place of
    removed    files that go
    unchanged  how many are there already
    trash      the name in the trash, in place of a plan's, of what is replaced or removed
    """

    user: Folder
    demo: Folder
    copied: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    trash: str


class MergedDatabase(Struct, frozen=True):
    """A database, by its path inside the folder, and which of its tables changed."""

    path: str
    tables: tuple[TableMerge, ...]


class Updated(Struct, frozen=True):
    """What an update did, or would do: files that were missing and came, and databases."""

    user: Folder
    demo: Folder
    copied: tuple[str, ...]
    databases: tuple[MergedDatabase, ...]
    trash: str


# -- what is in it ---------------------------------------------------------------------------------


class _Side:
    """A folder as a store, by paths inside it."""

    def __init__(self, space: Workspace, folder: Folder, trash: str = "") -> None:
        bucket = known(space.config, folder.bucket)
        self.folder = folder
        self.store = LocalStore(
            space.root,
            layout=Layout((Mapping(folder.path, folder.prefix),)),
            refuse=connect.refuse_also(bucket.rules, space.config.path, space.root),
            cache=space.cache,
            databases=True,
            work=connect.WORK,
            trash=space.work / "trash" / trash if trash else None,
        )

    def entries(self) -> dict[str, Entry]:
        """What is in scope, without what SQLite keeps beside databases. `AccessError` where a file
        cannot be read."""
        listed = {entry.key: entry for entry in self.store.entries()}
        beside = {
            key + suffix for key, entry in listed.items() if entry.logical for suffix in SIDECARS
        }
        start = len(self.folder.prefix)
        return {key[start:]: entry for key, entry in listed.items() if key not in beside}

    def key(self, name: str) -> str:
        """The key of a path inside the folder."""
        return self.folder.prefix + name

    def full(self, entry: Entry) -> Path:
        """Where a file is."""
        return self.store.root / self.store.path_of(entry.key)


def _trash(verb: str, folder: Folder, mine: dict[str, Entry], theirs: dict[str, Entry]) -> str:
    """A name in the trash as short as a plan's: the same states have the same name."""
    about = {
        "verb": verb,
        "path": folder.path,
        "before": {name: entry.version for name, entry in mine.items()},
        "demo": {name: entry.version for name, entry in theirs.items()},
    }
    return documents.digest(about).removeprefix("sha256:")[:12]


def _in_order(names: Sequence[str], entries: dict[str, Entry]) -> tuple[str, ...]:
    """Files before databases: no row names a file that is not there yet."""
    return tuple(sorted(names, key=lambda name: (entries[name].logical is not None, name)))


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Word a change that came between looking and doing for a person."""
    try:
        yield
    except (PreconditionError, NotFoundError) as problem:
        why = str(problem).rpartition("; plan again")[0] or str(problem)
        raise IncompleteError(
            f"{what}: {why.removesuffix(' since the plan')} meanwhile; run it again"
        ) from None


def _go_on(space: Workspace) -> None:
    if space.stop.is_set():
        raise Interrupted("stopped by a signal; what was done is done; run it again")


# -- reset -----------------------------------------------------------------------------------------


def plan_reset(space: Workspace, user: Folder, demo: Folder) -> Reset:
    """Say what a reset would do. Changes nothing. `UsageError` where both are one folder."""
    _demand_two(user, demo)
    mine, theirs = _Side(space, user).entries(), _Side(space, demo).entries()
    if not theirs:
        raise UsageError(f"{demo.path} has no files; nothing was changed; name another with --from")
    copied = [name for name in theirs if not _same(mine.get(name), theirs[name])]
    return Reset(
        user,
        demo,
        _in_order(copied, theirs),
        tuple(sorted(name for name in copied if name in mine)),
        tuple(sorted(mine.keys() - theirs.keys())),
        len(theirs) - len(copied),
        _trash("reset", user, mine, theirs),
    )


def _demand_two(user: Folder, demo: Folder) -> None:
    if user.path == demo.path:
        raise UsageError(f"{user.path} is the folder itself; name another one with --from")


def _same(mine: Entry | None, theirs: Entry) -> bool:
    return mine is not None and mine.version == theirs.version


def reset(space: Workspace, made: Reset) -> None:
    """Make the user's folder what the demo's is; what was there goes to the trash first.

    Files come first, then databases through SQLite's backup API, and deletions last. Afterwards
    both folders hold the same, row by row. Cut short and run again it goes on. Raises `LockedError`
    while another run is at work, `IncompleteError` when somebody changes a file meanwhile.
    """
    with space.only_run(), _telling(f"{made.user.path} is not wholly reset"):
        user, demo = _Side(space, made.user, made.trash), _Side(space, made.demo)
        mine, theirs = user.entries(), demo.entries()
        if _trash("reset", made.user, mine, theirs) != made.trash:
            raise StaleError(
                f"{made.user.path} or {made.demo.path} has changed since it was looked at; nothing "
                "was changed; run it again"
            )
        in_way = _in_way(made.removed, made.copied)
        for name in in_way:
            _remove(space, user, mine[name])
        for name in made.copied:
            _go_on(space)
            user.store.copy(demo.store, theirs[name], key=user.key(name), replacing=mine.get(name))
        for name in made.removed:
            if name not in in_way:
                _remove(space, user, mine[name])
        now = {name: entry.version for name, entry in user.entries().items()}
        if now != {name: entry.version for name, entry in theirs.items()}:
            raise PreconditionError("another program has changed a file; plan again")


def _in_way(removed: Sequence[str], copied: Sequence[str]) -> set[str]:
    """Files that go, where a folder comes, or that lie in a folder where a file comes."""
    folders, names = {p for name in copied for p in parents(name)}, set(copied)
    return {name for name in removed if name in folders or not names.isdisjoint(parents(name))}


def _remove(space: Workspace, user: _Side, entry: Entry) -> None:
    _go_on(space)
    user.store.delete(entry)


# -- update ----------------------------------------------------------------------------------------


def update(
    space: Workspace, user: Folder, demo: Folder, *, dry_run: bool = False, timeout: float = 30.0
) -> Updated:
    """Bring the rows of the demo's databases into the user's, and the files that are missing there.

    Rows are matched by primary key (`buckia.sqlite.merge`); rows and files of the user stay. Each
    database is one transaction; what it was goes to the trash. `dry_run` only tells. `timeout` is
    how many seconds a locked database is waited for. Raises `LocalError`, and nothing is changed,
    for databases that do not fit; `LockedError` while another run is at work.
    """
    _demand_two(user, demo)
    with space.only_run(), _telling(f"{user.path} is not wholly updated"):
        here, there = _Side(space, user), _Side(space, demo)
        mine, theirs = here.entries(), there.entries()
        trash = _trash("update", user, mine, theirs)
        missing = _missing(here, mine, theirs)
        both = sorted(n for n, e in theirs.items() if e.logical and n in mine and mine[n].logical)
        merge = _Merge(there, here, space.work / "trash" / trash, timeout)
        told = tuple(MergedDatabase(n, merge(theirs[n], mine[n], dry_run=True)) for n in both)
        if not dry_run:
            for item in told:
                if item.tables:
                    merge.demand_free(mine[item.path])
            for name in missing:
                _go_on(space)
                here.store.copy(there.store, theirs[name], key=here.key(name), replacing=None)
            for item in told:
                _go_on(space)
                if item.tables:
                    merge(theirs[item.path], mine[item.path], dry_run=False)
        return Updated(user, demo, missing, tuple(item for item in told if item.tables), trash)


def _missing(user: _Side, mine: dict[str, Entry], theirs: dict[str, Entry]) -> tuple[str, ...]:
    """Files of the demo that the user has in no spelling. `LocalError` where one has no room."""
    known = {fold(name) for name in mine}
    missing = _in_order([name for name in theirs if fold(name) not in known], theirs)
    for name in missing:
        if why := user.store.obstacle(user.key(name)):
            raise LocalError(f"{user.folder.path}{name}: {why}; nothing was changed; move it away")
    return missing


class _Merge(Struct, frozen=True):
    """Merges a database of one folder into one of the other, or tells what that would do."""

    demo: _Side
    user: _Side
    trash: Path
    timeout: float

    def __call__(self, theirs: Entry, mine: Entry, *, dry_run: bool) -> tuple[TableMerge, ...]:
        target, named = self.user.full(mine), Path(self.user.store.path_of(mine.key))
        with self.demo.store.temporary() as copy:
            room = copy.parent
            sqlite.snapshot(self.demo.full(theirs), copy, self.timeout)
            if dry_run:
                return sqlite.rehearse(copy, target, room, self.timeout, named)
            kept = (self.trash / named).parent

            def keep(old: Path) -> None:
                files.keep(old, kept / old.name, room)

            return sqlite.merge(copy, target, keep, room, self.timeout, named)

    def demand_free(self, mine: Entry) -> None:
        """Raise `LocalError` where another program goes on writing to the user's database."""
        named = Path(self.user.store.path_of(mine.key))
        sqlite.demand_free(self.user.full(mine), self.timeout, named)
