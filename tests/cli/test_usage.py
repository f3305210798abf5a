"""The line that tells what a command asked of its buckets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buckia.cli.usage import dollars, line
from buckia.errors import StoreError
from buckia.model import Entry
from buckia.stores import prices, retry
from buckia.stores.b2 import B2Store
from buckia.stores.traffic import Traffic
from buckia.stores.usage import Kind
from tests.cli.console import buckia
from tests.servers.b2 import B2Server, serve_b2
from tests.servers.b2_state import Refusal
from tests.servers.bunny import serve_bunny


def used(tariff: str, *, crowded: bool = False, sent: int = 0, **counts: int) -> Traffic:
    """The traffic of a store that made so many requests."""
    traffic = Traffic(tariff=tariff)
    for name, count in counts.items():
        for _ in range(count):
            with traffic.request(Kind(name)) as turn:
                turn.crowded = crowded
    traffic.sent(sent)
    return traffic


def test_requests_are_told_by_class_with_their_price() -> None:
    """Classes without requests are left out, and so is what did not happen."""
    assert line([used("b2", list=1, write=1200, sent=4_200_000)]) == (
        "Requests: 1 list, 1,200 write; 4.2 MB up; less than $0.0001."
    )
    assert line([used("aws", look=3, write=100, crowded=True)]) == (
        "Requests: 3 look, 100 write; told 103 times to slow down; about $0.0005."
    )


def test_where_no_price_is_public_none_is_told() -> None:
    """Of several buckets together, what is known is told."""
    assert line([used("linode", list=1)]) == "Requests: 1 list."
    assert line([used("linode", list=1), used("aws", write=1000)]) == (
        "Requests: 1 list, 1,000 write; about $0.0050."
    )
    assert line([used("bunny", list=2)]) == "Requests: 2 list; no charge."


def test_where_nothing_was_asked_nothing_is_told() -> None:
    """A folder is no service."""
    assert line([]) is None
    assert line([Traffic(), used("aws")]) is None


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "no charge"),
        (0.00001, "less than $0.0001"),
        (0.0042, "about $0.0042"),
        (12.3, "about $12.30"),
    ],
)
def test_money(amount: float, words: str) -> None:
    """As exact as it is worth."""
    assert dollars(amount) == words


# commands


@pytest.fixture
def b2(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[B2Server]:
    """A bucket at B2 for a folder with two files."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    (workspace / "tree").mkdir()
    for name in "ab":
        (workspace / "tree" / name).write_text(name * 500)
    with serve_b2() as server:
        monkeypatch.setenv("KEY", server.master.secret)
        (workspace / ".buckia").write_text(
            f"site:\n  provider: b2\n  bucket_name: {server.add_bucket().name}\n"
            f"  domain: {server.endpoint}\n  api_key: {server.master.key_id}\n"
            "  password: ${KEY}\n  paths: [tree/]\n"
        )
        yield server


def told(err: str) -> dict[str, int]:
    """The counts of the last line."""
    last = err.splitlines()[-1]
    assert last.startswith("Requests: "), err
    found = re.findall(r"(\d[\d,]*) (\w+)", last)
    return {name: int(count.replace(",", "")) for count, name in found}


def test_plan_and_apply_tell_their_own_requests(b2: B2Server, workspace: Path) -> None:
    """By the service's own books; the plan itself holds none of it."""
    b2.cost.clear()
    planned = buckia("plan", "--out", "plan.json")
    assert sum(count for name, count in told(planned.err).items() if name in set(Kind)) == (
        b2.cost.total()
    )
    assert planned.out == ""
    assert "Requests" not in (workspace / "plan.json").read_text()
    b2.cost.clear()
    b2.fail("b2_upload_file", Refusal(503, "busy"))
    applied = buckia("apply", "plan.json")
    assert applied.code == 0, applied.err
    counts = told(applied.err)
    asked = sum(count for name, count in counts.items() if name in set(Kind))
    assert asked == b2.cost.total()
    assert counts["sent"] == 1  # again, after a failure
    assert "; less than $0.0001." in applied.err


def test_the_journal_keeps_what_a_run_used(b2: B2Server, workspace: Path) -> None:
    """In its last line, for one run and not for what was before it."""
    assert buckia("sync").code == 0
    (journal,) = (workspace / ".buckia.d" / "journal").iterdir()
    last = json.loads(journal.read_bytes().splitlines()[-1])
    assert last["event"] == "finish"
    used = last["used"]
    assert used["sent"] >= 1000
    assert used["write"] >= 4
    assert 0 < sum(used.get(kind, 0) for kind in Kind) < b2.cost.total()
    assert buckia("plan").code == 0


def test_quiet_says_nothing(b2: B2Server) -> None:
    """And a dry run tells its requests as well."""
    assert "Requests: " in buckia("sync", "--dry-run").err
    assert "Requests" not in buckia("plan", "--quiet").err


def test_a_run_that_fails_tells_it_all_the_same(
    b2: B2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were made, and have to be paid."""
    put = B2Store.put

    def fail(self: B2Store, entry: Entry, *args: Any, **options: Any) -> Entry:
        if entry.key == "a":
            raise StoreError("no")
        return put(self, entry, *args, **options)

    monkeypatch.setattr(B2Store, "put", fail)
    ended = buckia("sync")
    assert ended.code == 5
    assert "Requests: " in ended.err


def test_bunny_takes_nothing_for_them(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a folder as bucket is asked nothing."""
    (workspace / "tree").mkdir()
    (workspace / "elsewhere").mkdir()
    (workspace / "tree" / "a").write_text("a")
    with serve_bunny() as server:
        zone = server.make_zone()
        monkeypatch.setenv("ZONE_PASSWORD", zone.password)
        (workspace / ".buckia").write_text(
            f"site:\n  provider: bunny\n  bucket_name: {zone.name}\n  domain: {server.endpoint}\n"
            "  storage_api_key: ${ZONE_PASSWORD}\n  paths: [tree/]\n"
            "here:\n  provider: local\n  bucket_name: elsewhere\n  paths: [tree/]\n"
        )
        assert "; no charge.\n" in buckia("sync", "site").err
        assert "Requests" not in buckia("sync", "here").err


def test_every_price_list_is_of_a_provider() -> None:
    """By the names that stores give."""
    assert {tariff.name for tariff in prices.TARIFFS} <= {"aws", "b2", "bunny"}
