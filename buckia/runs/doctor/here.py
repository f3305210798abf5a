"""What is on this machine: configuration, folder, lockfile, and runs that were cut short."""

from __future__ import annotations

import os
from collections.abc import Iterator

from buckia import lockfile
from buckia.config import file as config_file
from buckia.connect import WORK
from buckia.errors import BuckiaError, LocalError
from buckia.runs.doctor.findings import Check, bad, failed, note, ok
from buckia.workspace import Workspace


def look(space: Workspace) -> Iterator[Check]:
    """Changes nothing."""
    yield _configuration(space)
    yield _folder(space)
    for check in (_lockfile, _journal):
        try:
            yield check(space)
        except BuckiaError as problem:
            yield failed(check.__name__.strip("_"), problem)


def _configuration(space: Workspace) -> Check:
    path, buckets = space.config.path, len(space.config.buckets)
    told = f"valid, {buckets} {'bucket' if buckets == 1 else 'buckets'}"
    found = config_file.check(path) if path else []
    if not found:
        return ok("configuration", told)
    many = "1 warning" if len(found) == 1 else f"{len(found)} warnings"
    return note("configuration", f"{told}, {many}", "`buckia validate` tells them")


def _folder(space: Workspace) -> Check:
    for path in (space.root, space.work):
        if path.exists() and not os.access(path, os.W_OK | os.X_OK):
            what = "the folder of the configuration" if path is space.root else f"{WORK}/"
            advice = "apply keeps its lockfile and journal there; check its permissions"
            return bad("folder", f"{what} is not writable", advice, code=LocalError.exit_code)
    return ok("folder", "writable")


def _lockfile(space: Workspace) -> Check:
    held = lockfile.load(space.state, space.state_key)
    where = f" in `{name}`" if (name := space.config.settings.state_bucket) else ""
    if held.entry is None:
        return ok("lockfile", f"none yet{where}")
    applied = [
        f"{name} at serial {state.serial}"
        for name, state in held.lock.buckets.items()
        if name in space.config.buckets
    ]
    return ok("lockfile", f"in order{where}: {', '.join(applied) or 'nothing applied'}")


def _journal(space: Workspace) -> Check:
    pending = space.unfinished()
    if not pending:
        return ok("journal", "no run was cut short")
    many = "a run was" if len(pending) == 1 else f"{len(pending)} runs were"
    return note(
        "journal", f"{many} cut short", "`buckia apply` with the same plan, or a new one, goes on"
    )
