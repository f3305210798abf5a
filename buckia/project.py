"""The verbs, plan and promote and apply and the rest: what the command line and the Python API
call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from buckia.errors import Interrupted, UsageError
from buckia.model import Direction
from buckia.planfile import Plan
from buckia.rules import NO_OVERRIDES, Overrides
from buckia.workspace import Workspace

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from buckia.decisions.explanation import Explanation
    from buckia.decisions.selection import Ask
    from buckia.records.logbook import Run
    from buckia.report.previews import Previews
    from buckia.runs.appdata import Reset, Updated
    from buckia.runs.appfolders import Folder
    from buckia.runs.applying import Applied, Observe
    from buckia.runs.doctor import Report
    from buckia.runs.importing import Imported
    from buckia.runs.leftovers import Found, Leftover
    from buckia.runs.staging import Staged
    from buckia.runs.standing import Standing
    from buckia.runs.status import BucketStatus
    from buckia.sides.verify import Verified
    from buckia.trash import Trash


class Project(Workspace):
    """A configuration and what can be done with it. Close it, or use it as a context manager.

    Raises the errors of `buckia.errors`; nothing else escapes but bugs. Each verb loads what it
    works with when it is called.
    """

    def plan(
        self,
        names: Sequence[str] = (),
        *,
        paths: Sequence[str] = (),
        direction: Direction | None = None,
        skip_conflicts: bool = False,
        ask: Ask | None = None,
        overrides: Overrides = NO_OVERRIDES,
        told: bool = True,
    ) -> Plan:
        """Scan both sides of the buckets and say what apply would do. Changes neither side.

        With `told` it also says what changes in databases, for which those in buckets are fetched.
        """
        from buckia.decisions.selection import Wish
        from buckia.runs.planning import make_plan

        wish = Wish(tuple(paths), direction, ask, overrides, {}, told)
        return make_plan(self, names, wish, skip_conflicts=skip_conflicts)

    def promote(
        self,
        name: str,
        source: str,
        targets: Sequence[str],
        *,
        move: bool = False,
        skip_conflicts: bool = False,
        ask: Ask | None = None,
        overrides: Overrides = NO_OVERRIDES,
    ) -> Plan:
        """Say what bringing folders of one bucket to others, in this order, would do.

        `name` is a set of the configuration or one top-level folder. With `move` the folders are
        taken away at the source once they are in the target. Nothing is changed. Raises
        `ConfigError` for an unknown bucket, `UsageError` for a folder that is nowhere.
        """
        from buckia.runs import errands, promoting

        wanted = errands.wanted(self, name, source, targets, move=move)
        return promoting.make_promotion(
            self, wanted, skip_conflicts=skip_conflicts, ask=ask, overrides=overrides
        )

    def promote_again(
        self, old: Plan, *, skip_conflicts: bool, ask: Ask, overrides: Overrides
    ) -> Plan:
        """Say what a plan of `promote` would be if it was made now."""
        from buckia.runs import errands, promoting

        wanted = errands.wanted_by(old)
        return promoting.make_promotion(
            self, wanted, skip_conflicts=skip_conflicts, ask=ask, overrides=overrides
        )

    def previews(self, plan: Plan, most: int | None = None) -> Previews:
        """What a plan changes inside pictures, texts and databases, at most so many bytes of it.

        Read from both sides; nothing is changed.
        """
        from buckia.runs import previews

        return previews.previews(self, plan, previews.MOST_BYTES if most is None else most)

    def stage(self, plan: Plan) -> Staged:
        """Put what a plan uploads into its buckets, so that it can be applied without the files.

        Raises `Interrupted` after a signal, and the errors of stores; what was staged stays.
        """
        from buckia.runs import staging

        return staging.stage(self, plan)

    def apply(
        self,
        plan: Plan,
        *,
        preflight_only: bool = False,
        lock_timeout: float = 0.0,
        executor: Executor | None = None,
        observe: Observe | None = None,
    ) -> Applied:
        """Execute exactly this plan. `lock_timeout` is how many seconds to wait for other runs, in
        this folder and in the buckets together.

        Raises `ConflictError`, `BlockedError`, `StaleError`, `LockedError` before anything is
        changed, `Interrupted` after a signal and `IncompleteError` after the loss of a lease, or
        when another run wrote over the lockfile; then all is saved. Actions that failed are in the
        result; then deletes of that bucket were not begun.
        """
        from buckia.runs.applying import apply_plan, unobserved

        return apply_plan(
            self,
            plan,
            preflight_only=preflight_only,
            lock_timeout=lock_timeout,
            executor=executor,
            observe=observe or unobserved,
        )

    def plan_reset(self, user: str, demo: str, bucket: str | None = None) -> Reset:
        """Say what making a user's local folder anew from demo content would do.

        `user` is a folder id, `demo` one too or a set of one folder; `bucket` decides where either
        is more than one folder. Raises `UsageError` where they are no folders here.
        """
        from buckia.runs import appdata

        return appdata.plan_reset(self, *self._two(user, demo, bucket))

    def reset(self, made: Reset) -> None:
        """Do what `plan_reset` told. What was there goes to the trash. See `appdata.reset`."""
        from buckia.runs import appdata

        appdata.reset(self, made)

    def update(
        self,
        user: str,
        demo: str,
        bucket: str | None = None,
        *,
        dry_run: bool = False,
        timeout: float = 30.0,
    ) -> Updated:
        """Bring new and changed rows and missing files of demo content into a user's local folder.

        The names are those of `plan_reset`. See `appdata.update`.
        """
        from buckia.runs import appdata

        folders = self._two(user, demo, bucket)
        return appdata.update(self, *folders, dry_run=dry_run, timeout=timeout)

    def _two(self, user: str, demo: str, bucket: str | None) -> tuple[Folder, Folder]:
        from buckia.runs import appfolders

        mine = appfolders.find(self.config, user, bucket)
        return mine, appfolders.source(self.config, demo, bucket)

    def status(self, names: Sequence[str] = ()) -> list[BucketStatus]:
        """Where each bucket stands, without changing anything."""
        from buckia.runs import status

        return status.status(self, self.names(names))

    def why(self, name: str, key: str) -> Explanation:
        """Why a key, or the key of a local path, is treated as it is in a bucket. Looks at that one
        key on both sides, and changes nothing."""
        from buckia.runs import explaining

        return explaining.explain(self, name, key)

    def runs(self) -> list[Run]:
        """Every apply that has a journal, the oldest first. `DocumentError` for a damaged one."""
        from buckia import journal
        from buckia.records import logbook

        return list(logbook.runs(journal.records(self.work / "journal")))

    def standings(self, names: Sequence[str] = ()) -> list[Standing]:
        """Where each target of a promotion between these buckets stands. Changes nothing."""
        from buckia.runs import standing

        return standing.standings(self, self.load_state().lock, self.names(names))

    def examine(self, names: Sequence[str] = (), *, probing: bool = False) -> Iterator[Report]:
        """Whether everything is in order here and in the buckets, one report after the other.

        With `probing` each bucket is tried out with scratch objects, which are gone afterwards.
        """
        from buckia.runs import doctor

        return doctor.examine(self, self._named(names), probing=probing)

    def leftovers(self, names: Sequence[str] = (), age: int = 24 * 3600) -> Found:
        """What killed runs left, here and in the buckets, that nobody touched for `age` seconds."""
        from buckia.runs import leftovers

        return leftovers.find(self, self.names(names), age)

    def clear(self, found: Sequence[Leftover]) -> Iterator[Leftover]:
        """Remove leftovers, each of which is given back when it is gone.

        Raises `LockedError` while a run is at work here, `Interrupted` after a signal, and the
        errors of stores.
        """
        from buckia.runs import leftovers

        with self.only_run():
            for number, item in enumerate(found):
                if self.stop.is_set():
                    left = len(found) - number
                    raise Interrupted(f"stopped; {left} of {len(found)} were left; run it again")
                leftovers.clear(self, item)
                yield item

    def sign_in(self, name: str) -> str:
        """Make one small request to a bucket and say by which credential, and what it may.

        Raises what is wrong.
        """
        from buckia.runs import doctor

        return doctor.sign_in(self, self.config.bucket(name))

    def _named(self, names: Sequence[str]) -> tuple[str, ...]:
        """The buckets asked for, or all, whether their secrets are there or not."""
        for name in names:
            if name not in self.config.buckets:
                self.config.bucket(name)
        return tuple(dict.fromkeys(names)) or tuple(self.config.buckets)

    def signed_url(self, name: str, key: str, seconds: int) -> str:
        """A URL by which everybody who has it reads an object of a bucket for so long.

        Raises `UsageError` where the bucket cannot, or not for so long.
        """
        from buckia.stores.base import Signing

        store = self.remote(name)
        if not isinstance(store, Signing):
            provider = self.config.bucket(name).provider
            raise UsageError(f"`{name}`: the provider `{provider}` signs no URLs; try --public")
        return store.signed_url(key, seconds)

    def purge(self, name: str, keys: Sequence[str], *, everything: bool = False) -> list[str]:
        """Drop keys, and folders that end in `/`, from the caches in front of a bucket now.

        Gives what was purged, which is by folder where keys are many. Neither the bucket nor the
        lockfile changes. Raises `ConfigError` for a bucket without caches that buckia reaches,
        `UsageError` for what is no key, and `Interrupted` after a signal.
        """
        from buckia.runs import purging

        return purging.purge(self, name, keys, everything=everything)

    def public_url(self, name: str, key: str) -> str:
        """Where an object is for everybody, if the bucket lets everybody read.

        Raises `UsageError` for a directory as bucket, which only this machine can read.
        """
        provider = self.config.bucket(name).provider
        if provider == "local":
            raise UsageError(
                f"`{name}`: a directory of this machine has no URL for others; name a bucket"
            )
        return self.remote(name).public_url(key)

    @contextmanager
    def trash(self, names: Sequence[str] = (), *, alone: bool = False) -> Iterator[Trash]:
        """The trash of these buckets, or all there is; `alone` to change something in it.

        Raises `LockedError` if another run is at work then.
        """
        wanted = self.names(names)
        with self.only_run() if alone else nullcontext():
            yield self.trash_of(wanted, whole=not names)

    def import_settings(self, name: str) -> Imported:
        """The live settings of a bucket, as they would be declared. Changes nothing."""
        from buckia.runs import importing

        return importing.live(self, name)

    def verify(self, names: Sequence[str] = (), deep: str | None = None) -> list[Verified]:
        """Hold both sides of each bucket against the lockfile, without changing anything.

        `deep` says which objects and local files are also read whole: `all`, a number of each, or a
        share such as "5%".
        """
        from buckia.runs import status

        return status.verify(self, self.names(names), deep)
