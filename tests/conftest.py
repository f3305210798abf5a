"""How much the property tests try, and which tests are only run when asked for.

HYPOTHESIS_PROFILE=nightly tries fifty times as much; where CI is set, every run tries the same.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings

from buckia.lease import claims
from buckia.runs.pulling import pauses
from buckia.stores import retry
from buckia.stores.hashing import HashCache
from tests.servers.folder import WebFolder, serve_folder

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "default",
    deadline=None,
    database=None,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=5000)
settings.register_profile("quick", settings.get_profile("default"), phases=[Phase.generate])
settings.register_profile("steady", settings.get_profile("default"), derandomize=True)

if os.environ.pop("CI", None):  # no test but those that say so tries what a pipeline is refused
    os.environ.setdefault("HYPOTHESIS_PROFILE", "steady")  # for the workers too
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


_ASKED = ("chromium", "full", "rgw")
"""What takes minutes, or Debian packages."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is only for those who ask for it."""
    marks = [mark for mark in _ASKED if mark not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, marks))]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


_MEMORY: Final = Path("/dev/shm")
_ENOUGH: Final = 4_000_000_000
"""Bytes that are free where files are in memory, so that the suite may have its folders there."""

if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH:
    os.environ["TMPDIR"] = str(_MEMORY)  # for what the tests start, too
    tempfile.tempdir = None


@pytest.fixture(scope="session", autouse=True)
def alone() -> Iterator[None]:
    """Who takes a lease does not wait to see who else does: in most tests nobody does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "SETTLE", 0.0)
        yield


_SETTLE: Final = claims.SETTLE


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who pulls makes no pauses worth the name."""
    monkeypatch.setattr(pauses, "FIRST", 0.001)
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)


@pytest.fixture
def server() -> Iterator[WebFolder]:
    """A server that gives out one folder, for who pulls; stores have servers of their own."""
    with serve_folder() as running:
        yield running


@pytest.fixture(scope="module")
def contested() -> Iterator[None]:
    """For tests in which several want a lease at once: who takes it waits as ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "SETTLE", _SETTLE)
        yield


@pytest.fixture(scope="module")
def hurried() -> Iterator[None]:
    """No flushing to the disk and no cache between runs, for worlds by the hundred."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        patch.setattr(HashCache, "save", lambda cache: None)
        yield
