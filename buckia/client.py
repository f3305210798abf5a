"""The Python API: one bucket and one local folder. A thin face over the verbs of `project`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from buckia.app import Adapt, App
from buckia.config import BucketConfig, Config, Settings
from buckia.errors import BuckiaError, ConfigError, LocalError, NotFoundError
from buckia.model import Entry, Op, Progress, Tick, silent
from buckia.planfile import Plan
from buckia.project import Project
from buckia.rules import RESERVED_PREFIX, Overrides
from buckia.runs import results
from buckia.runs.applying import Applied
from buckia.runs.results import SyncResult
from buckia.runs.status import BucketStatus
from buckia.stores import files
from buckia.stores.base import Store

ProgressCallback = Callable[[int, int, str, str], None]
"""Called as `(current, total, action, path)` after every file of a sync."""


class BuckiaClient:
    """A bucket, ready for use. Close it, or use it as a context manager.

    `config` is a `BucketConfig`, a mapping of its options, or the path of a `.buckia` file; in a
    file with several buckets `bucket_name` says which. All methods raise the errors of `buckia`.
    """

    def __init__(
        self,
        config: BucketConfig | Mapping[str, Any] | str | Path,
        bucket_name: str | None = None,
    ) -> None:
        self._root: Path | None = None
        self._path: Path | None = None
        self._buckets: dict[str, BucketConfig] = {}
        self._settings = Settings()
        if isinstance(config, str | Path):
            config = self._from_file(Path(config), bucket_name)
        self.config = config if isinstance(config, BucketConfig) else BucketConfig(**config)
        self._project: Project | None = None

    @classmethod
    def from_config(cls, path: str | Path = ".buckia", bucket: str | None = None) -> BuckiaClient:
        """A client for one bucket of a configuration file."""
        return cls(Path(path), bucket)

    def _from_file(self, path: Path, name: str | None) -> BucketConfig:
        from buckia.config import file  # brings the YAML parser along

        loaded = file.load(path)
        self._root, self._path = loaded.root, path
        self._buckets, self._settings = dict(loaded.buckets), loaded.settings
        if name is None and "default" in loaded.buckets:
            name = "default"
        if name is None and len(loaded.buckets) > 1:
            names = ", ".join(loaded.buckets)
            raise ConfigError(f"{path.name} has several buckets ({names}); say which one to use")
        return loaded.bucket(name or next(iter(loaded.buckets)))

    def __enter__(self) -> BuckiaClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give connections back and keep what was learnt of unchanged files."""
        if self._project is not None:
            self._project.close()
            self._project = None

    # -- folders ------------------------------------------------------------------------------

    def sync(
        self,
        local_path: str | Path | None = None,
        max_workers: int | None = None,
        delete_orphaned: bool | str | None = None,
        include_pattern: str | None = None,
        exclude_pattern: str | None = None,
        dry_run: bool = False,
        sync_paths: Sequence[str] | None = None,
        progress_callback: ProgressCallback | None = None,
    ) -> SyncResult:
        """Bring the local folder and the bucket in step, both ways.

        local_path       the folder that the configuration's paths are relative to; by default the
                         folder of the configuration file, or the current one
        include_pattern  regular expression over keys: only these; `exclude_pattern`: not these
        sync_paths       only what is below these paths or keys
        dry_run          count what would be done and change nothing

        What the other arguments override is the option of the same name.
        """
        said: dict[str, Any] = {
            "max_workers": max_workers,
            "delete_orphaned": delete_orphaned,
            "include_pattern": include_pattern,
            "exclude_pattern": exclude_pattern,
        }
        bucket = replace(self.config, **{k: v for k, v in said.items() if v is not None})
        with self._open(local_path, bucket, _reporter(progress_callback)) as project:
            plan = project.plan([bucket.name], paths=tuple(sync_paths or ()), told=False)
            if dry_run:
                return results.planned(plan)
            if plan.conflicts:
                return SyncResult(unchanged=plan.summary.unchanged, errors=results.conflicts(plan))
            return results.counted(plan, project.apply(plan))

    def plan(self, local_path: str | Path | None = None, paths: Sequence[str] = ()) -> Plan:
        """What a sync would do, as the plan that `apply` takes."""
        with self._open(local_path) as project:
            return project.plan([self.config.name], paths=tuple(paths))

    def apply(self, plan: Plan, local_path: str | Path | None = None) -> Applied:
        """Execute exactly this plan."""
        with self._open(local_path) as project:
            return project.apply(plan)

    def status(self, local_path: str | Path | None = None) -> BucketStatus:
        """Where the two sides stand since the last apply."""
        with self._open(local_path) as project:
            return project.status([self.config.name])[0]

    def promote(
        self,
        name: str,
        *targets: str | BucketConfig,
        local_path: str | Path | None = None,
        move: bool = False,
        skip_conflicts: bool = False,
        allow_drift: bool = False,
        keep_going: bool = False,
    ) -> Plan:
        """What bringing folders of this bucket to others, in this order, would do, as the plan that
        `apply` takes.

        name            a set of the configuration file, or one top-level folder
        targets         names of buckets of that file, or `BucketConfig`s with names of their own
        move            take the folders away here once they are in the one target
        skip_conflicts  leave out what was changed in a target since the last promotion
        allow_drift     also what no apply left here, as it is
        keep_going      go on to the next target when one has failed

        Raises `ConfigError` for an unknown bucket, `UsageError` for a folder that is nowhere.
        """
        for target in targets:
            if isinstance(target, BucketConfig):
                self._buckets[target.name] = target
        names = [item if isinstance(item, str) else item.name for item in targets]
        drift = self.config.name if allow_drift else ""
        with self._open(local_path) as project:
            return project.promote(
                name,
                self.config.name,
                names,
                move=move,
                skip_conflicts=skip_conflicts,
                overrides=Overrides(allow_drift=drift, keep_going=keep_going),
            )

    @property
    def app(self) -> App:
        """The folders that an app keeps for its users in this bucket: see `buckia.app.App`."""
        return App(lambda adapt: self._open(adapt=adapt), self.config.name)

    def _open(
        self,
        local_path: str | Path | None = None,
        bucket: BucketConfig | None = None,
        progress: Progress = silent,
        adapt: Adapt = lambda config: config,
    ) -> Project:
        root = Path(local_path) if local_path is not None else self._root or Path()
        if not root.is_dir():
            raise LocalError(f"{root}: there is no such folder; create it, or check the spelling")
        bucket = bucket or self.config
        buckets = {**self._buckets, bucket.name: bucket}
        config = Config(root.resolve(), self._path, buckets, self._settings)
        return Project(adapt(config), progress=progress)

    # -- single objects -----------------------------------------------------------------------

    @property
    def _opened(self) -> Project:
        if self._project is None:
            self._project = self._open()
        return self._project

    @property
    def _store(self) -> Store:
        return self._opened.remote(self.config.name)

    def upload_file(self, local_file_path: str | Path, remote_path: str | None = None) -> Entry:
        """Upload one file, by default under its own name; return what the bucket now holds."""
        path = Path(local_file_path)
        try:
            data = path.read_bytes()
        except OSError as problem:
            raise LocalError(
                f"{path}: {problem.strerror}; check its path and permissions"
            ) from None
        key = remote_path or path.name
        return self._store.put(
            Entry(key, len(data)), BytesIO(data), replacing=self._store.head(key)
        )

    def download_file(self, remote_path: str, local_file_path: str | Path) -> Path:
        """Download one object to a file, which is replaced whole or not at all."""
        entry = self._existing(remote_path)
        path = Path(local_file_path)
        with files.explained(str(path)), self._store.open(entry) as body:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.stream_atomically(path, body, entry)
        return path

    def delete_file(self, remote_path: str) -> bool:
        """Delete one object; False when there was none."""
        entry = self._store.head(remote_path)
        if entry is not None:
            self._store.delete(entry)
        return entry is not None

    def list_files(self, path: str | None = None) -> dict[str, Entry]:
        """Every object, or those whose key begins with `path`, by key; not buckia's own."""
        entries = self._store.entries(path or "")
        return {e.key: e for e in entries if not e.key.startswith(RESERVED_PREFIX)}

    def get_public_url(self, remote_path: str) -> str:
        """The URL of an object for those who may read it without credentials."""
        return self._store.public_url(remote_path)

    def get_signed_url(self, remote_path: str, expires: int = 3600) -> str:
        """A URL that reads an object without credentials until so many seconds from now.

        Raises `UsageError` where the provider has none, or none for so long.
        """
        return self._opened.signed_url(self.config.name, remote_path, expires)

    def test_connection(self) -> dict[str, bool]:
        """Whether the bucket can be reached and listed with these credentials."""
        try:
            next(iter(self._store.entries(".buckia/connection-test/")), None)
        except BuckiaError:
            return {"list": False}
        return {"list": True}

    def _existing(self, key: str) -> Entry:
        entry = self._store.head(key)
        if entry is None:
            raise NotFoundError(
                f"{key}: there is no such object in {self._store.url}; check the key"
            )
        return entry


def _reporter(callback: ProgressCallback | None) -> Progress:
    """A `Progress` that tells a callback of files, not of the stages before them."""
    if callback is None:
        return silent

    def progress(tick: Tick) -> None:
        if tick.stage in set(Op):
            callback(tick.files, tick.total_files or tick.files, tick.stage, tick.key)

    return progress
