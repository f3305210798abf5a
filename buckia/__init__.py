"""Terraform for buckets: plan, review and apply what moves between folders and buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buckia.errors import (
    AccessError,
    BlockedError,
    BuckiaError,
    ConfigError,
    ConflictError,
    DocumentError,
    IncompleteError,
    IntegrityError,
    Interrupted,
    LocalError,
    LockedError,
    NotFoundError,
    PreconditionError,
    StaleError,
    StoreError,
    UnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from buckia.client import BuckiaClient
    from buckia.config import BucketConfig
    from buckia.runs.pulling import Pulled, pull
    from buckia.runs.results import SyncResult

__version__ = "0.1.0"

__all__ = [
    "AccessError",
    "BlockedError",
    "BucketConfig",
    "BuckiaClient",
    "BuckiaError",
    "ConfigError",
    "ConflictError",
    "DocumentError",
    "IncompleteError",
    "IntegrityError",
    "Interrupted",
    "LocalError",
    "LockedError",
    "NotFoundError",
    "PreconditionError",
    "Pulled",
    "StaleError",
    "StoreError",
    "SyncResult",
    "UnavailableError",
    "UsageError",
    "__version__",
    "pull",
]

_LATE = {
    "BuckiaClient": "buckia.client",
    "SyncResult": "buckia.runs.results",
    "BucketConfig": "buckia.config",
    "Pulled": "buckia.runs.pulling",
    "pull": "buckia.runs.pulling",
}
"""Names that bring much along and load when they are first asked for."""


def __getattr__(name: str) -> Any:
    """Load a late name."""
    if name not in _LATE:
        raise AttributeError(f"module 'buckia' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LATE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)
