"""`buckia unlock`, and what a person sees of somebody else's lease."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from buckia import lease
from buckia.cli import unlocking
from buckia.lease import Holder, folder_lock
from buckia.lease import note as lease_note
from buckia.stores.local import LocalStore
from tests.cli.console import buckia

WHO = "Ada on ci-7 (pid 42), since 2026-01-02T03:04:05Z, applying plan sha256:abababababab"


@pytest.fixture
def bucket(workspace: Path) -> LocalStore:
    """A bucket that somebody holds."""
    (workspace / "bucket").mkdir()
    (workspace / "tree").mkdir()
    (workspace / "tree/a.txt").write_text("a")
    options = "{provider: local, bucket_name: bucket, paths: [tree/]}"
    (workspace / ".buckia").write_text(f"main: {options}\n")
    store = LocalStore(workspace / "bucket")
    holder = Holder(
        id="theirs",
        who="Ada",
        where="ci-7",
        pid=42,
        since="2026-01-02T03:04:05Z",
        plan="sha256:" + "ab" * 32,
    )
    lease_note.write(store, holder, replacing=None)
    return store


def test_the_lease_that_was_shown_is_removed(bucket: LocalStore) -> None:
    refused = buckia("apply", "--yes", "-q")
    assert refused.code == 7 and f"`main` is locked by {WHO}; nothing was changed" in refused.err
    done = buckia("unlock", "main", "--reason", "the runner is gone", "--yes")
    assert (done.code, done.out, done.err) == (0, "", f"main  {WHO}\nUnlocked main.\n")
    assert buckia("apply", "--yes", "-q").code == 0
    again = buckia("unlock", "main", "--reason", "once more")
    assert again.code == 0 and again.err.startswith("Nothing to unlock")


def test_nothing_is_removed_without_a_reason_or_an_answer(bucket: LocalStore) -> None:
    shown = buckia("unlock", "main")
    assert shown.code == 64 and WHO in shown.err and "--reason TEXT" in shown.err
    assert buckia("unlock", "main", "--reason", "x").code == 64
    assert buckia("unlock", "nope", "--reason", "x", "--yes").code == 78
    assert lease.look(bucket)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_somebody_is_asked(
    answer: str, code: int, bucket: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlocking, "can_ask", lambda: True)
    ended = buckia("unlock", "main", "--reason", "x", given=f"{answer}\n")
    assert ended.code == code and "is its lease to be removed? [y/N]" in ended.err
    assert (lease.look(bucket) is None) == (code == 0)


def test_the_holder_as_json(bucket: LocalStore) -> None:
    """To look at, nothing is removed; with a reason it is."""
    shown = buckia("unlock", "main", "--json")
    assert (shown.code, shown.err) == (0, "")
    assert json.loads(shown.out)["holder"]["where"] == "ci-7"
    assert lease.look(bucket)
    assert buckia("unlock", "main", "--json", "--reason", "x", "--yes", "-q").code == 0
    gone = buckia("unlock", "main", "--json", "-q")
    assert json.loads(gone.out) == {"bucket": "main", "holder": None}


def test_a_lease_renewed_meanwhile_stays(
    bucket: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder is alive."""
    seen = lease.look(bucket)
    monkeypatch.setattr(lease, "look", lambda store: seen)
    assert seen
    lease_note.write(bucket, Holder(id="theirs", renewed="later"), replacing=seen.entry)
    ended = buckia("unlock", "main", "--reason", "x", "--yes")
    assert ended.code == 7 and "its holder is alive; nothing was removed" in ended.err
    assert bucket.head(lease_note.KEY)


def test_who_waits_is_told_whom_for(bucket: LocalStore) -> None:
    """On stderr, and the wait ends when the time is up."""
    ended = buckia("sync", "--lock-timeout", "0.5")
    assert ended.code == 7 and f"waiting for the lease of `main`: {WHO}\n" in ended.err
    assert buckia("sync", "--lock-timeout", "-1").code == 64


def test_names_in_a_lease_cannot_deceive(bucket: LocalStore) -> None:
    found = lease.look(bucket)
    assert found
    evil = Holder(id="x", who="Ada\x1b[2J\n", where="\u202e" + "w" * 1000)
    lease_note.write(bucket, evil, replacing=found.entry)
    err = buckia("unlock", "main").err
    assert "\x1b" not in err and "\u202e" not in err and len(err) < 1000


def test_who_is_at_work_in_the_folder_is_told(bucket: LocalStore, workspace: Path) -> None:
    """On the command line, with control characters taken out."""
    work = workspace / ".buckia.d"
    work.mkdir()
    with folder_lock.hold(work, plan="sha256:" + "ab" * 32, stop=threading.Event()):
        note = work / folder_lock.NOTE
        told = json.loads(note.read_bytes())
        note.write_text(json.dumps({**told, "who": "Ada\x1b[2J"}))
        ended = buckia("apply", "--yes", "-q", "--lock-timeout", "0.4")
    assert ended.code == 7
    assert "in this folder: Ada" in ended.err and "\x1b" not in ended.err
