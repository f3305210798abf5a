"""Purging by hand: what the caches in front of a bucket are to drop now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from buckia import pool, purges
from buckia.errors import ConfigError, Interrupted, UsageError
from buckia.stores.base import Purging
from buckia.workspace import Workspace


def purge(space: Workspace, name: str, keys: Sequence[str], *, everything: bool) -> list[str]:
    """What `Project.purge` says."""
    store, bucket = space.remote(name), space.config.bucket(name)
    caches = store.capabilities.caches
    if caches is None:
        why = "set `pull_zone` and `api_key`, the account's key"
        if bucket.provider != "bunny":
            why = f"`{bucket.provider}` has none that buckia purges; name another bucket"
        raise ConfigError(f"`{name}`: no caches to purge: {why}")
    for key in keys:
        if refused := purges.refuse(key):
            raise UsageError(f"{key!r} is no key: it {refused}; see `buckia status`")
    folders = [key for key in keys if key.endswith("/")]
    wanted = purges.of(set(keys) - set(folders), caches, [purges.ALL] if everything else folders)
    drop = cast(Purging, store).purge
    done = pool.each(drop, wanted, workers=bucket.max_workers, name="purge", stop=space.stop)
    count = sum(map(len, done))
    if count < len(wanted):
        raise Interrupted(f"stopped; {count} of {len(wanted)} were purged; run it again")
    return list(wanted)
