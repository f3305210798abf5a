"""A configuration at work: its stores, its lockfile, its folder of journals, its locks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Self

from buckia import connect, documents, journal, lockfile, snapshot
from buckia.columns import Plain
from buckia.config import BucketConfig, Config
from buckia.connect import WORK
from buckia.decisions import publications
from buckia.errors import (
    DocumentError,
    LocalError,
)
from buckia.headers import NO_RULES, HeaderRules
from buckia.hygiene import Hygiene
from buckia.layout import EVERYWHERE
from buckia.lease import folder_lock
from buckia.lockfile import Held, Locked
from buckia.model import Base, Direction, Entry, Headers, Progress, Value, silent
from buckia.pairs import buckets_of
from buckia.sides import sidecars
from buckia.snapshot import Sides
from buckia.stores import files
from buckia.stores.base import Store
from buckia.stores.hashing import HashCache
from buckia.stores.local import LocalStore
from buckia.stores.traffic import Traffic
from buckia.stores.usage import NOTHING, Usage
from buckia.trash import Place, Trash


class Workspace:
    """A configuration at work. Close it, or use it as a context manager.

    `stores` are buckets that are open already, by name; the others are opened when first used.
    Raises the errors of `buckia.errors`; nothing else escapes but bugs.
    """

    def __init__(
        self,
        config: Config,
        *,
        progress: Progress = silent,
        stop: threading.Event | None = None,
        stores: Mapping[str, Store] | None = None,
    ) -> None:
        self.config = config
        self.root = config.root
        self.work = self.root / WORK
        self.stop = stop or threading.Event()
        self.progress = progress
        self._stores: dict[str, Store] = dict(stores or {})
        self._cache: HashCache | None = None
        files.refuse_links(self.work, *_inside(self.work))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Save the hash cache and give connections back."""
        if self._cache is not None and self._cache.learnt:
            self.folder()
            self._cache.save()
        if self._cache is not None:
            self._cache.close()
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def names(self, wanted: Sequence[str] = ()) -> tuple[str, ...]:
        """The buckets asked for, or all. Raises `ConfigError` for a name that does not exist."""
        for name in wanted:
            self.config.bucket(name)
        return tuple(dict.fromkeys(wanted)) or tuple(self.config.buckets)

    def cannot_purge(self, name: str) -> bool:
        """Whether a CDN stands before a bucket that this configuration cannot tell anything."""
        bucket = self.config.bucket(name)
        served = bucket.provider == "bunny" and bucket.pull_zone
        return bool(served) and self.remote(name).capabilities.caches is None

    def remote(self, name: str) -> Store:
        """The bucket of that name, opened once."""
        if name not in self._stores:
            bucket = self.config.bucket(name)
            self._stores[name] = connect.open_remote(bucket, self.root, self.cache)
        return self._stores[name]

    @property
    def traffic(self) -> tuple[Traffic, ...]:
        """What passed between every bucket in use and its service."""
        return tuple(store.traffic for store in self._stores.values())

    @property
    def used(self) -> Usage:
        """What all of them together were asked so far."""
        return sum((one.usage for one in self.traffic), NOTHING)

    def local(
        self,
        name: str,
        known: Mapping[str, Entry] | Mapping[str, Locked] | None = None,
        plan: str | None = None,
        paths: Mapping[str, str] | None = None,
    ) -> LocalStore:
        """The local side of a bucket. `known` is what an apply left, `plan` names the folder of
        the trash, `paths` are local files by key where the layout alone would not find them."""
        bucket = self.config.bucket(name)
        return connect.open_local(
            bucket,
            self.root,
            self.cache,
            self.remote(name).capabilities.digests,
            known or (),
            paths={key: item.path for key, item in (known or {}).items() if item.path}
            | dict(paths or {}),
            trash=self.work / "trash" / plan.removeprefix("sha256:")[:12] if plan else None,
            refuse=connect.refuse_also(bucket.rules, self.config.path, self.root),
        )

    @property
    def hygiene(self) -> Hygiene:
        """What no document of this project may hold, as far as it is known by now."""
        return Hygiene(
            connect.secrets(self.config.buckets.values(), self._stores.values()),
            (str(self.root.absolute()), str(self.root.resolve())),
            (str(Path.home()),),
        )

    @property
    def cache(self) -> HashCache:
        """The hash cache of this project; its file is made when there is something to keep."""
        if self._cache is None:
            self._cache = HashCache(self.work / "cache.sqlite")
        return self._cache

    def folder(self) -> Path:
        """`.buckia.d/`, which keeps itself out of version control."""
        return make_work(self.root)

    @property
    def state(self) -> Store:
        """Where the lockfile is kept. `DocumentError` for a link, which would look like none."""
        if (bucket := self.config.settings.state_bucket) is not None:
            return self.remote(bucket)
        path = self.root / lockfile.KEY
        if path.is_symlink() or path.is_dir():
            raise DocumentError(
                f"{lockfile.KEY} is a link or a folder, not a plain file; move it away"
            )
        return LocalStore(self.root, work=WORK)

    @property
    def state_key(self) -> str:
        """The lockfile's key in that store."""
        return lockfile.BUCKET_KEY if self.config.settings.state_bucket else lockfile.KEY

    def load_state(self) -> Held:
        """The lockfile with whatever unfinished runs did since it was written."""
        held = lockfile.load(self.state, self.state_key)
        return Held(journal.absorb(held.lock, self.unfinished()), held.entry)

    def unfinished(self) -> list[journal.Record]:
        """The journals that no lockfile is known to hold."""
        return journal.unfinished(self.work / "journal")

    def take(
        self,
        bucket: BucketConfig,
        local: LocalStore,
        remote: Store,
        base: Base,
        within: tuple[str, ...] = EVERYWHERE,
        headers: HeaderRules = NO_RULES,
        plain: Plain | None = None,
    ) -> Sides:
        """Both sides of a bucket, complete `within` these key prefixes, with what a listing leaves
        open looked up.

        That are digests, and the headers of new objects where these rules want some. What is as
        `plain` has it is held so.
        """
        sides = snapshot.take(
            local,
            remote,
            bucket.layout,
            bucket.rules,
            self.progress,
            bucket.max_workers,
            within,
            base,
            plain,
        )

        def wants(key: str) -> Headers | None:
            direction = bucket.layout.direction_of(key, None) if headers.in_place else None
            uploads = direction in (Direction.BOTH, Direction.UPLOAD)
            return headers.wanted(key) if uploads else None

        sides = snapshot.prove(sides, base, local, remote, bucket.max_workers, wants)
        sides = Sides(self.hygiene.listing(sides.local), self.hygiene.listing(sides.remote))
        return sidecars.set_aside(sides, base)

    def declared(self, name: str) -> dict[str, Value | None]:
        """The settings that a bucket declares. `ConfigError` for a policy whose file is none."""
        return self.config.bucket(name).declared(self.root)

    def manifest_headers(self, name: str) -> Callable[[str], Headers]:
        """What the manifests of a bucket are served with, by key, as far as it can set that."""
        able = self.remote(name).capabilities
        rules = self.config.bucket(name).rules.headers
        return lambda key: publications.headers_for(rules.wanted(key), able.headers)

    def refuse(self, name: str) -> Callable[[str], str | None]:
        """Why a key of a bucket is out of scope, or None."""
        return connect.refuse_also(self.config.bucket(name).rules, self.config.path, self.root)

    def config_digest(self, names: Iterable[str]) -> str:
        """What binds a plan to the part of the configuration it was made with."""
        about = sorted(buckets_of(names))
        identity = {name: self.config.bucket(name).identity() for name in about}
        return documents.digest(identity)

    def only_run(self, plan: str = "", timeout: float = 0.0) -> AbstractContextManager[None]:
        """Hold the lock of this machine; it goes with the process, however that ends.

        `plan` is the digest of what is applied, `timeout` how many seconds to wait for another run.
        """
        return folder_lock.hold(self.folder(), plan=plan, timeout=timeout, stop=self.stop)

    def trash_of(self, names: Iterable[str], *, whole: bool = False) -> Trash:
        """What these buckets and the folder keep of what was overwritten or deleted."""
        places = {name: Place(self.config.bucket(name).layout, self.remote(name)) for name in names}
        return Trash(self.root, self.work, places, self.stop, whole=whole)


def make_work(root: Path) -> Path:
    """The folder `.buckia.d/` in a folder that is there. Raises `LocalError` where none can be."""
    work = root / WORK
    try:
        work.mkdir(mode=0o700, exist_ok=True)
        ignore = work / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as problem:
        raise LocalError(
            f"{WORK}/, which holds the journal, cannot be made here ({problem.strerror}); make the "
            "folder writable"
        ) from None
    return work


def _inside(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where there is none, or none that may be seen."""
    with suppress(OSError):
        return list(folder.iterdir())
    return []
