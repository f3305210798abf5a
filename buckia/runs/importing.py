"""The live settings of a bucket as configuration: what `settings` would have to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

import buckia.config.schema as judge
from buckia import settings
from buckia.config import BucketConfig
from buckia.config.policies import path_of
from buckia.config.schema import dotted
from buckia.errors import AccessError, ConfigError, StoreError
from buckia.model import Value
from buckia.stores.base import settings_of
from buckia.workspace import Workspace


class Imported(Struct, frozen=True):
    """Settings as they are declared, and by name why others are not among them.

    `denied` names those of the others that a missing right keeps from being read.
    """

    said: dict[str, Any]
    left_out: dict[str, str]
    denied: tuple[str, ...]


def live(space: Workspace, name: str) -> Imported:
    """The settings of a bucket: those that are declared, and those that somebody has set.

    Raises `ConfigError` for a bucket that has none.
    """
    bucket, store = space.config.bucket(name), space.remote(name)
    found = settings_of(store)
    if found is None:
        raise ConfigError(
            f"bucket `{name}`: `{bucket.provider}` has no settings to import; name another"
        )
    declared = space.declared(name)
    wanted = dict.fromkeys(found.names()) | declared
    told = found.read(wanted)
    documents = {
        one: document
        for one, document in told.items()
        if not isinstance(document, StoreError)
        and (one in declared or document not in (None, _usual(bucket.provider, one)))
    }
    refused = dict(_undeclarable(bucket.provider, _declare(bucket, declared, documents)))
    errors = {
        one: error
        for one, error in told.items()
        if isinstance(error, AccessError) or (isinstance(error, StoreError) and one in declared)
    }  # what the service does not offer is missed by nobody
    sound = {one: document for one, document in documents.items() if one not in refused}
    return Imported(
        _declare(bucket, declared, sound),
        {one: str(error) for one, error in errors.items()} | refused,
        tuple(one for one, error in errors.items() if isinstance(error, AccessError)),
    )


def _usual(provider: str, name: str) -> Value | None:
    kind = settings.kind_of(provider, name)
    return kind.usual if kind else None


def _declare(
    bucket: BucketConfig,
    declared: Mapping[str, Value | None],
    documents: Mapping[str, Value | None],
) -> dict[str, Any]:
    """Documents as `.buckia` has them, in the order of its reference; a policy that is what its
    file says stays there."""
    said = settings.nested(documents)
    path = path_of(bucket.settings)
    if path is not None and documents.get("policy") == declared.get("policy"):
        said["policy"] = path
    return {name: said[name] for name in settings.names(bucket.provider) if name in said}


def _undeclarable(provider: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is set and cannot be said: what no other client than its own knows, say."""
    probe = {"provider": provider, "bucket_name": "any", "region": "any", "settings": dict(said)}
    found = [(problem.path[1:], problem.message) for problem in judge.problems(probe, "bucket")]
    for path, why in (*found, *settings.complaints(provider, said)):
        family = f"{path[0]}/{path[1]}" if len(path) > 1 else ""
        name = family if settings.kind_of(provider, family) else str(path[0])
        yield name, f"cannot be declared: {dotted(path)}: {why}"
