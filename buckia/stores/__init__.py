"""The stores by the name of their provider; a provider's packages load when it is named."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from buckia.errors import ConfigError

STORES: Final = {
    "local": "buckia.stores.local:LocalStore",
    "s3": "buckia.stores.s3:S3Store",
    "linode": "buckia.stores.s3:S3Store",
    "bunny": "buckia.stores.bunny:BunnyStore",
    "b2": "buckia.stores.b2:B2Store",
}
"""Where the store of each provider is: module and class."""


def load_store(provider: str) -> Any:
    """The class of a provider's store. Raises `ConfigError` when a package it needs is missing."""
    if provider not in STORES:
        raise ConfigError(f"{provider}: no such provider; choose one of {', '.join(STORES)}")
    module, name = STORES[provider].split(":")
    return getattr(load(module, provider), name)


def load(module: str, extra: str) -> Any:
    """A module whose packages an extra brings. Raises `ConfigError` when one of them is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("buckia"):
            raise
        raise ConfigError(
            f'{extra}: the package {missing.name} is missing; pip install "buckia[{extra}]"'
        ) from None
