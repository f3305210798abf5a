"""A project in a folder with its buckets, and both sides of it as dictionaries."""

from __future__ import annotations

import copy
import dataclasses
import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import pytest

from buckia import lockfile
from buckia.config import BucketConfig, Config
from buckia.lockfile import Lockfile
from buckia.model import Entry, Progress, silent
from buckia.planfile import Plan
from buckia.project import Project
from buckia.rules import RESERVED_PREFIX
from buckia.runs.applying import Applied
from buckia.stores import folders
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore

Side = dict[str, bytes]
"""What one side holds, by key."""

NO_LIMITS = {"max_delete": "100%"}
ALL_DELETIONS: dict[str, Any] = {"delete_orphaned": True, "limits": NO_LIMITS}
"""Options of a bucket in which deletions travel, however many."""


class World:
    """One project and its buckets. Every call opens the project anew, as a new process would.

    stores   the buckets by name: memory stores, unless `None` stands for a `provider: local`
    options  the options of every bucket; its one mapping is the folder `tree/`
    """

    def __init__(
        self,
        root: Path,
        stores: Mapping[str, Store | None] | None = None,
        *,
        direction: str = "both",
        **options: Any,
    ) -> None:
        self.root = root / "project"
        self.tree = self.root / "tree"
        self.tree.mkdir(parents=True)
        given = stores if stores is not None else {"main": MemoryStore()}
        for name in given:
            (root / "buckets" / name).mkdir(parents=True)
        self.stores = {name: store for name, store in given.items() if store is not None}
        self._folders = root / "buckets"
        options.setdefault("paths", [{"path": "tree/", "direction": direction}])
        options.setdefault("max_workers", 2)
        self.config = Config(
            self.root,
            self.root / ".buckia",
            {
                name: BucketConfig(
                    provider="local", bucket_name=f"../buckets/{name}", name=name, **options
                )
                for name in given
            },
        )

    def store(self, bucket: str = "main") -> Store:
        """A bucket, for looks and changes behind buckia's back."""
        return self.stores.get(bucket) or LocalStore(self._folders / bucket)

    @contextmanager
    def open(self, progress: Progress = silent) -> Iterator[Project]:
        """The project."""
        with Project(self.config, progress=progress, stores=self.stores) as project:
            yield project

    # -- what a person or an app does ---------------------------------------------------------

    def write(self, key: str, data: bytes, *, modified: int | None = None) -> Path:
        """Make or change a local file; `modified` is its time in seconds since 1970."""
        path = self.tree / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if modified is not None:
            os.utime(path, (modified, modified))
        return path

    def remove(self, key: str) -> None:
        """Delete a local file, if it is there."""
        (self.tree / key).unlink(missing_ok=True)

    def put(self, key: str, data: bytes, bucket: str = "main") -> Entry:
        """Make or change an object behind buckia's back."""
        store = self.store(bucket)
        return store.put(Entry(key, len(data)), BytesIO(data), replacing=store.head(key))

    def drop(self, key: str, bucket: str = "main") -> None:
        """Delete an object behind buckia's back, if it is there."""
        entry = self.store(bucket).head(key)
        if entry is not None:
            self.store(bucket).delete(entry)

    # -- what buckia does ---------------------------------------------------------------------

    def plan(self, names: Sequence[str] = (), **options: Any) -> Plan:
        """What buckia would do now."""
        with self.open() as project:
            return project.plan(names, **options)

    def apply(self, plan: Plan, *, progress: Progress = silent, **options: Any) -> Applied:
        """Do what a plan says."""
        with self.open(progress) as project:
            return project.apply(plan, **options)

    def sync(self, **options: Any) -> Applied:
        """Plan and apply, and let nothing fail."""
        applied = self.apply(self.plan(**options))
        assert not applied.failed, applied.failed
        return applied

    def settled(self, files: Side) -> World:
        """This world with these files on both sides, known to the lockfile."""
        for key, data in files.items():
            self.write(key, data)
            for bucket in self.config.buckets:
                self.put(key, data, bucket)
        self.sync()
        return self

    def clone(self, root: Path) -> World:
        """This world as somebody else has it: other folders, the same memory stores, none of what
        buckia keeps on one machine alone."""
        ours = shutil.ignore_patterns(".buckia.d")
        shutil.copytree(self.root.parent, root, dirs_exist_ok=True, ignore=ours)
        twin = copy.copy(self)
        twin.root, twin._folders = root / "project", root / "buckets"
        twin.tree = twin.root / "tree"
        twin.config = dataclasses.replace(self.config, root=twin.root, path=twin.root / ".buckia")
        return twin

    def under(self, **options: Any) -> Self:
        """The same folder and buckets under other options."""
        twin = copy.copy(self)
        buckets = {
            name: dataclasses.replace(bucket, **options)
            for name, bucket in self.config.buckets.items()
        }
        twin.config = dataclasses.replace(self.config, buckets=buckets)
        return twin

    # -- what there is afterwards -------------------------------------------------------------

    def local(self) -> Side:
        """The local side."""
        return tree_of(self.tree)

    def remote(self, bucket: str = "main") -> Side:
        """The remote side, without what buckia keeps for itself."""
        return {
            key: data
            for key, data in read_all(self.store(bucket)).items()
            if not key.startswith(RESERVED_PREFIX)
        }

    def both(self) -> list[Side]:
        """Every side, for comparing before and after."""
        return [self.local(), *(self.remote(name) for name in self.config.buckets)]

    def everything(self) -> set[bytes]:
        """Every content there is anywhere, kept losers included."""
        sides = [tree_of(self.tree), tree_of(self.root / ".buckia.d" / "trash")]
        sides += [read_all(self.store(name)) for name in self.config.buckets]
        return {data for side in sides for data in side.values()}

    def lock(self) -> Lockfile:
        """The lockfile as it lies on the disk."""
        return lockfile.load(LocalStore(self.root)).lock

    def left_behind(self) -> list[str]:
        """Temporary files that nobody removed."""
        places = [self.root / ".buckia.d" / "tmp", self._folders]
        return sorted(
            path.name
            for place in places
            for path in place.rglob("*")
            if path.is_file() and (place.name == "tmp" or "/.buckia/tmp/" in path.as_posix())
        )


def tree_of(folder: Path) -> Side:
    """The files of a folder by their path, links left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def read_all(store: Store) -> Side:
    """Everything a store holds."""
    found: Side = {}
    for entry in list(store.entries()):
        with store.open(entry) as body:
            found[entry.key] = body.read()
    return found


def ops(plan: Plan) -> list[str]:
    """A plan's actions in short, in order."""
    return [f"{action.op} {action.key}" for action in plan.actions]


def codes(plan: Plan) -> list[str]:
    """A plan's warnings in short, in order."""
    return [f"{notice.code} {notice.key}" for notice in plan.warnings]


def lock_up(patch: pytest.MonkeyPatch, folder: str) -> None:
    """Have the system refuse whoever wants to see what is in a folder, named by its last names."""
    real = folders.opened

    def opened(root: Path, parts: Sequence[str], **how: bool) -> AbstractContextManager[int]:
        if root.joinpath(*parts).as_posix().endswith(folder):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(root, parts, **how)

    patch.setattr(folders, "opened", opened)
