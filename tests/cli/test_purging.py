"""`buckia purge`: what is dropped from caches by hand, and the runs that do it by themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from buckia.config import file as config_file
from buckia.errors import Interrupted
from buckia.project import Project
from buckia.stores import bunny_core, retry
from tests.cli.console import buckia
from tests.servers.bunny import Bunny, serve_bunny

SITE = "https://acme-cdn.b-cdn.net"


@pytest.fixture
def bunny(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bunny]:
    """A storage zone behind a pull zone, beside a bucket that is a directory."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    (workspace / "elsewhere").mkdir()
    (workspace / "tree").mkdir()
    with serve_bunny() as server:
        zone = server.make_zone()
        monkeypatch.setattr(bunny_core, "CORE", server.core.endpoint)
        monkeypatch.setenv("ZONE_PASSWORD", zone.password)
        monkeypatch.setenv("ACCOUNT_KEY", server.core.account_key)
        (workspace / ".buckia").write_text(
            f"site:\n  provider: bunny\n  bucket_name: {zone.name}\n  domain: {server.endpoint}\n"
            "  storage_api_key: ${ZONE_PASSWORD}\n  api_key: ${ACCOUNT_KEY}\n"
            "  pull_zone: acme-cdn\n  paths: [tree/]\n  delete_orphaned: true\n"
            "here:\n  provider: local\n  bucket_name: elsewhere\n  paths: [tree/]\n"
        )
        yield server


def test_keys_and_folders_are_purged(bunny: Bunny) -> None:
    """Of the only bucket that has caches, or of one that is named."""
    ended = buckia("purge", "a b.txt", "c/", "d/*", "e/index.html")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "Purged 5 addresses of site from the caches.\n"
    paths = ("a%20b.txt", "c/*", "d/*", "e", "e/*")
    assert sorted(bunny.core.purged) == [f"{SITE}/{path}" for path in paths]
    bunny.core.purged.clear()
    assert buckia("purge", "site", "here", "--quiet").err == ""
    assert bunny.core.purged == [f"{SITE}/here"]


def test_everything_is_purged_after_a_question(bunny: Bunny) -> None:
    """Which needs somebody to answer it."""
    ended = buckia("purge", "--all")
    assert (ended.code, bunny.core.purged) == (64, [])
    assert "there is no terminal to ask in: add --yes" in ended.err
    assert buckia("purge", "--all", "--yes").err == "Purged everything of site from the caches.\n"
    assert buckia("purge", "site", "--all", "-y", "-q").code == 0
    assert bunny.core.purged == ["77", "77"]


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ((), 64, "name what is to be purged, or say --all"),
        (("site",), 64, "name what is to be purged, or say --all"),
        (("a", "--all"), 64, "name what is to be purged, or say --all"),
        (("/",), 64, "say --all to purge everything"),
        (("*",), 64, "say --all to purge everything"),
        (("/a",), 64, "'/a' is no key: it holds an empty segment"),
        (("here", "a"), 78, "`here`: no caches to purge: `local` has none"),
    ],
)
def test_what_cannot_be_is_said(bunny: Bunny, words: tuple[str, ...], code: int, why: str) -> None:
    ended = buckia("purge", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert why in ended.err
    assert bunny.core.purged == []


def test_a_signal_ends_it_between_two_addresses(bunny: Bunny, workspace: Path) -> None:
    """And it says how far it came."""
    stop = threading.Event()
    stop.set()
    words = "stopped; 0 of 2 were purged; run it again"
    project = Project(config_file.load(workspace / ".buckia"), stop=stop)
    with project, pytest.raises(Interrupted, match=words):
        project.purge("site", ["a", "b"])
    assert bunny.core.purged == []


def test_refusals_of_the_account_are_told(bunny: Bunny, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key, and none."""
    monkeypatch.setenv("ACCOUNT_KEY", "not-the-key")
    ended = buckia("purge", "a")
    assert (ended.code, ended.err.count("\n")) == (8, 1)
    assert "`api_key` is not the account's API key" in ended.err
    assert "not-the-key" not in ended.err
    monkeypatch.setenv("ACCOUNT_KEY", "")
    ended = buckia("purge", "a")
    assert ended.code == 78
    assert "ACCOUNT_KEY for `api_key`" in ended.err


def test_a_plan_says_what_nobody_purges(bunny: Bunny, workspace: Path) -> None:
    """Where a pull zone is named and the account's key is not."""
    config = workspace / ".buckia"
    config.write_text(config.read_text().replace("  api_key: ${ACCOUNT_KEY}\n", ""))
    (workspace / "tree" / "a.txt").write_text("old")
    buckia("sync", "site")
    (workspace / "tree" / "a.txt").write_text("new")
    shown = buckia("sync", "site", "--dry-run").out
    assert "site: not_purged: the pull zone goes on serving the old one: without `api_key`" in shown
    assert "purge from caches" not in shown


def test_an_apply_purges_what_it_changes(bunny: Bunny, workspace: Path) -> None:
    """Nobody is served an old file; a purge that is refused leaves the run to be resumed."""
    (zone,) = bunny.zones.values()
    for name in ("a.txt", "b.txt"):
        (workspace / "tree" / name).write_text("old")
    assert "2 uploaded" in buckia("sync", "site").err
    bunny.core.visit(zone)
    (workspace / "tree" / "a.txt").write_text("new")
    (workspace / "tree" / "b.txt").unlink()
    bunny.switches.purges = 1
    assert buckia("plan", "site", "--out", "plan.json").code == 0
    shown = buckia("show", "plan.json").out
    assert "purge from caches  2 addresses" in shown
    ended = buckia("apply", "plan.json")
    assert ended.code == 5
    assert "1 action failed, 3 of 4 are done; run the same plan again to resume" in ended.err
    assert zone.files["a.txt"].data == b"new"
    assert len(bunny.core.stale(zone)) == 1
    bunny.core.spent.clear()
    bunny.switches.purges = 120
    assert "2 purged" in buckia("apply", "plan.json").err
    assert bunny.core.stale(zone) == set()
    assert "applied already" in buckia("apply", "plan.json").err
    assert "nothing to do" in buckia("plan", "site").err
