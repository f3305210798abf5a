"""The stores the contract runs against, each fresh and empty for every test."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore

Maker = Callable[[], Store]
"""Makes another empty store of the same service."""


def has(module: str) -> bool:
    """Whether a module of buckia is there."""
    return importlib.util.find_spec(module) is not None


def kinds() -> list[object]:
    """Every kind of store that can be made here."""
    found: list[object] = ["memory"]
    if has("buckia.stores.local"):
        found.append("local")
    return found


@pytest.fixture(params=kinds())
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    """A maker of empty stores of one kind."""
    count = iter(range(1000))

    def memory() -> Store:
        return MemoryStore(f"memory-{next(count)}")

    def local() -> Store:
        root = tmp_path / f"store-{next(count)}"
        root.mkdir()
        made: Store = importlib.import_module("buckia.stores.local").LocalStore(root)
        return made

    makers: dict[str, Maker] = {"memory": memory, "local": local}
    return makers[str(request.param)]


@pytest.fixture
def store(make: Maker) -> Store:
    """One empty store."""
    return make()
