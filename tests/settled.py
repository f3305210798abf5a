"""A bucket in memory that has settings, and worlds around it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from buckia.errors import AccessError, PreconditionError, StoreError
from buckia.model import Value
from buckia.stores.memory import MemoryStore
from tests.helpers import World

CORS: Final[list[Any]] = [{"allowed_origins": ["https://a.example"], "allowed_methods": ["GET"]}]
RULES: Final[list[Any]] = [{"id": "tmp", "prefix": "tmp/", "expire_days": 3}]
PUBLIC: Final[dict[str, Any]] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "b/*"}
    ],
}
"""Documents to declare."""


class MemorySettings:
    """Settings in a dictionary. `denied` cannot be read, `refused` not be set; `set_` tells what
    was set, in order; `hook` is called with a name before it is set, and with True after."""

    def __init__(self) -> None:
        self.documents: dict[str, Value] = {"acl": "private", "public_access_block": False}
        self.denied: set[str] = set()
        self.refused: set[str] = set()
        self.asked: list[str] = []
        self.set_: list[str] = []
        self.hook: Callable[[str, bool], None] = lambda name, after: None

    def names(self) -> tuple[str, ...]:
        return ("acl", "cors", "lifecycle", "policy", "public_access_block", "versioning")

    def read(self, wanted: Mapping[str, Value | None]) -> dict[str, Value | StoreError | None]:
        self.asked += wanted
        return {
            name: AccessError(f"{name}: access denied; the key needs a right")
            if name in self.denied
            else copy.deepcopy(self.documents.get(name))
            for name in wanted
        }

    def configure(self, name: str, document: Value | None, *, expect: Value | None) -> None:
        if self.documents.get(name) == document:
            return
        if self.documents.get(name) != expect:
            raise PreconditionError(f"{name}: is not what was reviewed; plan again")
        if name in self.refused:
            raise StoreError(f"{name}: refused")
        self.hook(name, False)
        if document is None:
            del self.documents[name]
        else:
            self.documents[name] = copy.deepcopy(document)
        self.set_.append(name)
        self.hook(name, True)


class SettledStore(MemoryStore):
    """A memory store whose bucket has settings."""

    def __init__(self, name: str = "memory") -> None:
        super().__init__(name)
        self.settings = MemorySettings()


def settled_world(
    root: Path, settings: Mapping[str, Any], **options: Any
) -> tuple[World, MemorySettings]:
    """A world with one bucket that declares settings, and the live settings of that bucket."""
    store = SettledStore()
    world = World(root, {"main": store}, **options)
    return world.under(provider="s3", bucket_name="main", settings=settings), store.settings
