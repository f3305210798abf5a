"""From a bucket of the configuration to its two stores."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from buckia import credentials
from buckia.config import BucketConfig
from buckia.config.transfers import part_bytes
from buckia.errors import ConfigError
from buckia.headers import STORAGE
from buckia.rules import OutOfScope, Rules
from buckia.stores import load_store
from buckia.stores.base import Store
from buckia.stores.hashing import HashCache
from buckia.stores.local import LocalStore
from buckia.stores.rate import rates_from

_SECRET: Final = re.compile(
    r"(AWS|B2|BUNNY|LINODE)_.*(SECRET|TOKEN|PASSWORD|APPLICATION_KEY|API_KEY)"
)
"""Environment variables that the provider packages take a secret from by themselves."""

_WHOLE: Final = 16 * 1024 * 1024
"""Bytes up to which a file is sent whole, whatever the size of parts."""

WORK: Final = ".buckia.d"
"""buckia's working folder beside `.buckia`: journals, trash, hash cache, this machine's lock."""


def secrets(buckets: Iterable[BucketConfig], stores: Iterable[Store] = ()) -> tuple[str, ...]:
    """Every secret there is: of the configuration, of the environment, and whatever open stores
    were signed in with."""
    told = {secret for bucket in buckets for secret in bucket.secrets}
    told |= {value for name, value in os.environ.items() if _SECRET.match(name) and value}
    told |= credentials.secrets_in(os.environ)
    for store in stores:
        told |= set(getattr(store, "secrets", ()))
    return tuple(sorted(told))


def open_remote(bucket: BucketConfig, root: Path, cache: HashCache) -> Store:
    """The bucket itself. Raises `ConfigError` or `AccessError` for what is missing to reach it."""
    opener = _OPENERS.get(bucket.provider)
    if opener is None:
        raise ConfigError(
            f"bucket `{bucket.name}`: provider `{bucket.provider}` is not available in this "
            f"version; choose one of {', '.join(_OPENERS)}"
        )
    opened: Store = opener(bucket, root, cache)
    return opened


def open_local(
    bucket: BucketConfig,
    root: Path,
    cache: HashCache,
    digests: frozenset[str],
    known: Container[str] = (),
    paths: Mapping[str, str] | None = None,
    trash: Path | None = None,
    refuse: Callable[[str], str | None] | None = None,
) -> LocalStore:
    """The local side of a bucket: the files its mappings name, databases treated as data."""
    return LocalStore(
        root,
        layout=bucket.layout,
        refuse=refuse or bucket.rules.excludes,
        digests=(digests | {bucket.checksum_algorithm}) - {"sha256"},
        known=known,
        cache=cache,
        databases=True,
        work=WORK,
        trash=trash,
        paths=paths,
        workers=min(bucket.max_workers, 4),
    )


def _local(bucket: BucketConfig, root: Path, cache: HashCache) -> Store:
    return LocalStore(root / bucket.bucket_name, cache=cache, workers=min(bucket.max_workers, 4))


def _s3(bucket: BucketConfig, root: Path, cache: HashCache) -> Store:
    store = load_store(bucket.provider)
    from buckia.stores.s3_services import Conditions
    from buckia.stores.s3_session import S3Options  # botocore and obstore load only when named

    found = credentials.find(bucket)
    opened: Store = store(
        S3Options(
            bucket=bucket.bucket_name,
            endpoint=bucket.domain,
            region=bucket.region,
            service="linode" if bucket.provider == "linode" else bucket.service,
            access_key_id=found.values.get("access_key_id"),
            secret_access_key=found.values.get("secret_access_key"),
            session_token=found.values.get("session_token"),
            sought=found.sought,
            profile=bucket.profile,
            addressing=bucket.addressing,
            conditions=None
            if bucket.conditions is None
            else Conditions(**dict.fromkeys(bucket.conditions, True)),
            prefix=bucket.prefix,
            workers=bucket.max_workers,
            tell_classes=any(STORAGE in rule.headers for rule in bucket.rules.headers.rules),
            encryption=None if bucket.encryption == "none" else bucket.encryption,
            kms_key=bucket.kms_key,
            acceleration=bucket.acceleration,
            requester_pays=bucket.requester_pays,
            rates=rates_from(bucket.rate_limit),
            **_parts(bucket, "multipart_threshold"),
        )
    )
    return opened


def _parts(bucket: BucketConfig, threshold: str) -> dict[str, Any]:
    """How large parts are, and from which size on there are any."""
    size = part_bytes(bucket.part_size)
    return {} if size is None else {"part_size": size, threshold: max(size, _WHOLE)}


def _b2(bucket: BucketConfig, root: Path, cache: HashCache) -> Store:
    store = load_store(bucket.provider)
    from buckia.stores.b2_session import B2Options  # b2sdk loads only when named

    found, realm = credentials.find(bucket), bucket.domain or "production"
    if bucket.domain and "://" not in bucket.domain:
        realm = f"https://{bucket.domain}"
    opened: Store = store(
        B2Options(
            bucket=bucket.bucket_name,
            key_id=found.values["application_key_id"],
            application_key=found.values["application_key"],
            realm=realm.rstrip("/"),
            prefix=bucket.prefix,
            workers=bucket.max_workers,
            rates=rates_from(bucket.rate_limit),
            **_parts(bucket, "large_threshold"),
        )
    )
    return opened


def _bunny(bucket: BucketConfig, root: Path, cache: HashCache) -> Store:
    store = load_store(bucket.provider)
    from buckia.stores.bunny_session import BunnyOptions  # requests loads only when named

    found = credentials.find(bucket)
    options = BunnyOptions(
        zone=bucket.storage_zone or bucket.bucket_name,
        password=found.values["password"],
        endpoint=bucket.domain,
        region=bucket.region or "DE",
        pull_zone=bucket.pull_zone,
        account_key=found.values.get("api_key"),
        token_key=found.values.get("token_key"),
        prefix=bucket.prefix,
        workers=bucket.max_workers,
        rates=rates_from(bucket.rate_limit),
    )
    if bucket.api == "s3":
        load_store("s3")  # says what to install
        store = import_module("buckia.stores.bunny_s3").BunnyS3Store
    opened: Store = store(options)
    return opened


_OPENERS: Final[dict[str, Callable[[BucketConfig, Path, HashCache], Any]]] = {
    "local": _local,
    "s3": _s3,
    "linode": _s3,
    "b2": _b2,
    "bunny": _bunny,
}


def refuse_also(rules: Rules, own: Path | None, root: Path) -> OutOfScope:
    """The rules, and the configuration file itself whatever its name."""
    inside = own is not None and own.is_relative_to(root)
    return OutOfScope(rules, own.relative_to(root).as_posix() if own and inside else None)
