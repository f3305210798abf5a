"""`status`: once, as a document, by exit codes, again and again; progress in a pipeline's log."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from buckia import lease
from buckia.cli import progress
from buckia.cli.progress import EVERY, Display, Lines, for_people
from buckia.documents import schema
from buckia.lease import note
from buckia.model import Tick
from buckia.stores.local import LocalStore
from tests.cli.console import buckia
from tests.cli.test_terminal import Terminal


@pytest.fixture
def project(workspace: Path) -> Path:
    """A project that was applied once."""
    (workspace / ".buckia").write_text(
        "files:\n  provider: local\n  bucket_name: bucket\n  paths: [assets/]\n"
    )
    for name in ("assets", "bucket"):
        (workspace / name).mkdir()
    (workspace / "assets/a.txt").write_text("one")
    assert buckia("sync", "-q").code == 0
    return workspace


def data() -> dict[str, Any]:
    document = json.loads(buckia("status", "--json").out)
    Draft202012Validator(schema("status")).validate(document)
    found: dict[str, Any] = document["buckets"]["files"]
    return found


def test_the_last_apply_is_told(project: Path) -> None:
    found = data()
    assert (found["differs"], found["lease"]) == (False, None)
    assert found["last"]["serials"] == {"files": 1}
    assert found["last"]["counts"] == {"upload": 1}
    short = found["last"]["plan"].removeprefix("sha256:")[:12]
    assert f", plan {short}\n" in buckia("status").out


def test_what_is_written_is_what_would_be_drawn(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "assets/b.txt").write_text("two")
    (project / "bucket/a.txt").unlink()
    (project / ".buckia").write_text(
        (project / ".buckia").read_text()
        + "more:\n  provider: local\n  bucket_name: b2\n  paths: [x/]\n"
    )
    (project / "b2").mkdir()
    written = buckia("status").out
    monkeypatch.setenv("COLUMNS", "10000")
    assert buckia("status").out == written
    assert "\n\nmore" in written and "1 new" in written


def test_without_an_apply_there_is_none(project: Path) -> None:
    (project / ".buckia").write_text(
        (project / ".buckia").read_text()
        + "more:\n  provider: local\n  bucket_name: b2\n  paths: [x/]\n"
    )
    (project / "b2").mkdir()
    document = json.loads(buckia("status", "--json").out)
    assert document["buckets"]["more"]["last"] is None


def test_whoever_applies_now_is_told(project: Path) -> None:
    holder = note.Holder(who="somebody", where="elsewhere", since="2026-01-01T00:00:00Z")
    note.write(LocalStore(project / "bucket"), holder, replacing=None)
    assert lease.look(LocalStore(project / "bucket")) is not None
    told = data()["lease"]
    assert (told["who"], told["where"]) == ("somebody", "elsewhere")
    assert "  applying   somebody on elsewhere" in buckia("status").out


def test_scripts_are_told_by_exit_codes(project: Path) -> None:
    assert buckia("status", "--detailed-exitcode").code == 0
    (project / "assets/b.txt").write_text("two")
    assert buckia("status", "--detailed-exitcode").code == 2
    assert buckia("status").code == 0
    (project / "bucket/b.txt").write_text("another")
    assert buckia("status", "--detailed-exitcode").code == 3
    newest = max((project / ".buckia.d/journal").iterdir())
    newest.write_bytes(newest.read_bytes().rpartition(b"\n{")[0] + b"\n")
    assert buckia("status", "--detailed-exitcode").code == 5


def test_an_orphan_is_a_difference(project: Path) -> None:
    (project / "assets/a.txt").unlink()
    (project / "assets/z.txt").write_text("the folder is not empty")
    assert buckia("sync", "-q").code == 0
    assert buckia("status", "--detailed-exitcode").code == 2
    assert data()["orphans"] == ["a.txt"]


def test_a_manifest_that_is_to_come_is_told(project: Path) -> None:
    (project / "assets/team").mkdir()
    (project / "assets/team/b.txt").write_text("two")
    with (project / ".buckia").open("a") as config:
        config.write("  manifest: true\n")
    assert data()["changes"] == {"local": {"new": 1}, "remote": {"to publish": 1}, "either": {}}
    assert "  remote     1 to publish\n" in buckia("status").out


def test_it_is_redrawn_until_ctrl_c(project: Path) -> None:
    """Each time with what is there by then; the end is quiet, with exit code 130."""
    with Terminal("status", "--watch", "--interval", "1") as terminal:
        terminal.wait("nothing has changed since")
        terminal.wait("Ctrl-C ends it")
        (project / "assets/new.txt").write_text("new")
        terminal.wait("1 new")
        terminal.screen = ""
        terminal.interrupt()
        assert terminal.ended() == 130
        assert "Error" not in terminal.screen


def test_watching_wants_a_terminal(project: Path) -> None:
    ended = buckia("status", "--watch")
    assert (ended.code, ended.out) == (64, "")
    assert "redraws a terminal" in ended.err


# -- progress where there is no terminal -----------------------------------------------------------


def test_a_pipeline_gets_a_line_every_few_seconds() -> None:
    """By an injected clock: nothing here waits."""
    now, told = [100.0], io.StringIO()
    lines = Lines(told.write, lambda: now[0])
    with lines:
        for number in range(1, 41):
            now[0] += 0.5
            with lines.paused():
                pass
            lines.show(Tick("apply", "k", number, number * 1_000_000, 40, 40_000_000))
    assert told.getvalue().splitlines() == [
        "Applying: 10/40 files, 10.0 MB of 40.0 MB",
        "Applying: 20/40 files, 20.0 MB of 40.0 MB",
        "Applying: 30/40 files, 30.0 MB of 40.0 MB",
        "Applying: 40/40 files, 40.0 MB of 40.0 MB",
    ]
    assert EVERY == 5


def test_what_is_over_soon_is_not_told() -> None:
    told = io.StringIO()
    with Lines(told.write, lambda: 1.0) as lines:
        lines.show(Tick("verify", "", 1, 0, 2))
    assert told.getvalue() == ""


@pytest.mark.parametrize(
    ("ci", "quiet", "kind"),
    [("true", False, Lines), ("", False, Display), ("0", False, Display), ("1", True, Display)],
)
def test_lines_are_for_pipelines(
    monkeypatch: pytest.MonkeyPatch, ci: str, quiet: bool, kind: type
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(for_people(quiet=quiet)) is kind


@pytest.mark.parametrize("words", [("verify",), ("plan", "--out", "p.json"), ("sync",)])
def test_long_work_of_every_command_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setenv("CI", "true")
    (project / "assets/more.txt").write_text("more")
    told = buckia(*words).err
    assert "Listing the bucket: " in told
    assert ("Applying: 1/1 files" in told) == (words == ("sync",))
