"""The folders that an app keeps for its users, from Python: `BuckiaClient.app`."""

from __future__ import annotations

from collections.abc import Callable

from buckia import ids
from buckia.config import Config
from buckia.model import Direction
from buckia.project import Project
from buckia.runs import appfolders, results
from buckia.runs.appdata import Reset, Updated
from buckia.runs.results import SyncResult

Adapt = Callable[[Config], Config]
"""A configuration as it is to be for one run."""


class App:
    """What can be done with the folder of one user, in the local folder and in one bucket.

    A user is named by the id of the folder, demo content by its id or by a set of just it.
    """

    def __init__(self, opened: Callable[[Adapt], Project], bucket: str) -> None:
        self._opened = opened
        self._bucket = bucket

    def reset(self, user: str, demo: str, *, dry_run: bool = False) -> Reset:
        """Make a user's local folder anew from demo content; what was there goes to the trash.

        With `dry_run` only say what would be done. Raises `UsageError` where they are no folders.
        """
        with self._opened(_as_it_is) as project:
            made = project.plan_reset(user, demo, self._bucket)
            if not dry_run:
                project.reset(made)
        return made

    def update(
        self, user: str, demo: str, *, dry_run: bool = False, timeout: float = 30.0
    ) -> Updated:
        """Bring new and changed rows and missing files of demo content into a user's local folder.

        `timeout` is how many seconds to wait for whoever writes to a database. Raises `LocalError`
        where two databases do not fit together; then nothing is changed.
        """
        with self._opened(_as_it_is) as project:
            return project.update(user, demo, self._bucket, dry_run=dry_run, timeout=timeout)

    def backup(self, user: str, *, dry_run: bool = False) -> SyncResult:
        """Bring a user's folder to the bucket: files, and one consistent state of each database.

        What has changed in the bucket is a conflict: it is in `errors`, and nothing is done.
        """
        return self._one_way(user, Direction.UPLOAD, dry_run)

    def restore(self, user: str, *, dry_run: bool = False) -> SyncResult:
        """Bring a user's folder back from the bucket, which wins over what has changed here; that
        goes to the trash."""
        return self._one_way(user, Direction.DOWNLOAD, dry_run)

    def new_id(self) -> str:
        """A folder id of 130 random bits."""
        return ids.new_id()

    def check_id(self, name: str) -> str | None:
        """Why a folder id could be guessed, or None."""
        return ids.guessable(name)

    def _one_way(self, user: str, direction: Direction, dry_run: bool) -> SyncResult:
        def directed(config: Config) -> Config:
            folder = appfolders.in_bucket(config, user, self._bucket)
            return appfolders.directed(config, folder, direction)

        with self._opened(directed) as project:
            folder = appfolders.in_bucket(project.config, user, self._bucket)
            plan = project.plan(
                [self._bucket], paths=[folder.prefix.rstrip("/")], direction=direction, told=False
            )
            if dry_run:
                return results.planned(plan)
            if plan.conflicts:
                unchanged = plan.summary.unchanged
                return SyncResult(unchanged=unchanged, errors=results.conflicts(plan))
            return results.counted(plan, project.apply(plan))


def _as_it_is(config: Config) -> Config:
    return config
