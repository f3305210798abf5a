"""The main job on real trees against every kind of bucket that is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from buckia.stores import retry
from tests.homes import HOMES
from tests.scenario import SOURCES, live_a_week

GATEWAYS = ("ceph", "linode")
STUBS = [name for name in HOMES if name not in GATEWAYS]


@pytest.mark.parametrize("name", STUBS)
def test_a_week(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edits, deletions, additions and renames on either side end in equal sides and nothing to do,
    and the store counted what the server was asked."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    live(name, tmp_path, files=150, size=0, each=4)


@pytest.mark.full
@pytest.mark.parametrize("name", ["b2", "bunny"])
def test_a_week_at_full_size(name: str, tmp_path: Path) -> None:
    """The same with 5,000 files and 200 MB, and the pauses of a real service."""
    live(name, tmp_path, files=5000, size=200_000_000, each=10)


@pytest.mark.rgw
@pytest.mark.parametrize("name", GATEWAYS)
def test_a_week_on_a_gateway(name: str, tmp_path: Path) -> None:
    """The same on a real Ceph gateway, as S3 and as Linode."""
    live(name, tmp_path, files=5000, size=200_000_000, each=10)


def live(name: str, root: Path, *, files: int, size: int, each: int) -> None:
    """A week, and the books of both sides."""
    with HOMES[name](root) as home:
        week = home.live(root, home.bucket)
        live_a_week(week, SOURCES, files=files, size=size, each=each, say=print)
        print(f"requests: {home.told(week.used)}", home.check())
        if home.asked:
            assert home.told(week.used + week.besides) == home.asked()
